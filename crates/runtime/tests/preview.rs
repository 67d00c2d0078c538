//! A voice is heard before it is chosen: what comes is sound, it is paid for, and what goes wrong is said.

use base::BusinessId;
use egress::{Egress, EgressConfig, Policy};
use model::business::{Business, TenantScope};
use model::routing::ProviderChoice;
use providers::ProviderOptions;
use runtime::drivers::StreamTts;
use runtime::service::TtsService;
use runtime::{Budgets, Node, NodeSettings, Services, VoiceError};
use sim::twins::{Fault, Moment, elevenlabs};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{SqlStore, SqliteOptions, Store};

struct Shop {
    _dir: tempfile::TempDir,
    twin: sim::twins::Twin,
    node: Node,
    scope: TenantScope,
}

async fn shop() -> Shop {
    shop_with(Budgets::default()).await
}

async fn shop_with(budgets: Budgets) -> Shop {
    egress::install_crypto();
    let dir = tempfile::tempdir().expect("a folder");
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
    let store = SqlStore::open(SqliteOptions::new(dir.path().join("frontdesk.db"))).await.expect("a database");
    let store: Arc<dyn Store> = Arc::new(store);
    let scope = TenantScope { business: BusinessId::generate() };
    let row = Business { id: scope.business, slug: "shop".into(), name: "Shop".into(), time_zone: "UTC".into() };
    store.put_business(&scope, &row).await.expect("a business");
    let twin = elevenlabs::start(elevenlabs::Behaviour::default()).await.expect("a voice");
    let options = ProviderOptions {
        api_key: Some(twin.key.clone().into()),
        base_url: Some(twin.base_url.clone()),
        ..ProviderOptions::default()
    };
    let provider = providers::tts::PROVIDERS.open("elevenlabs", &options).expect("usable");
    let model = provider.settings().model().to_owned();
    let voice = StreamTts::new("elevenlabs", Arc::new(move || provider.protocol()), Arc::clone(&egress));
    let tts: Vec<Arc<dyn TtsService>> = vec![Arc::new(voice.priced_as(&model))];
    let settings = NodeSettings {
        public_url: None,
        recordings_dir: dir.path().to_owned(),
        calls_max: 1,
        inbound_reserve: 0,
        record: false,
        record_inputs: false,
        budgets,
    };
    let services = Services { tts, ..Services::default() };
    let node = Node::new(settings, store, services, egress, BTreeMap::new());
    Shop { _dir: dir, twin, node, scope }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voice_says_a_few_words_and_the_business_pays_for_them() {
    let shop = shop().await;
    let choice = ProviderChoice::named("elevenlabs");
    let made = shop.node.preview_voice(&shop.scope, &choice, "en", "Hello, this is my voice.").await.expect("heard");
    assert_eq!((&made.wav[..4], &made.wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
    let word = |at: usize| u16::from_le_bytes([made.wav[at], made.wav[at + 1]]);
    assert_eq!((word(20), word(22), word(34)), (1, 1, 16), "PCM, mono, 16 bits");
    let rate_hz = u32::from_le_bytes([made.wav[24], made.wav[25], made.wav[26], made.wav[27]]);
    let secs = (made.wav.len() - 44) as f64 / 2.0 / f64::from(rate_hz);
    assert!((0.5..20.0).contains(&secs), "{secs} s at {rate_hz} Hz");
    assert!(made.wav[44..].iter().any(|byte| *byte != 0), "it is not silence");
    assert!(made.cost.usd_micros > 0, "{:?}", made.cost);
    let today = runtime::wall_ms().div_euclid(24 * 60 * 60 * 1_000);
    let used = shop.node.store().usage(&shop.scope, today - 1, today).await.expect("usage");
    let cost: i64 = used.iter().map(|day| day.usage.cost_usd_micros).sum();
    assert_eq!((cost, used[0].usage.calls), (made.cost.usd_micros, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voice_that_does_not_speak_says_why() {
    let shop = shop().await;
    let unknown = shop.node.preview_voice(&shop.scope, &ProviderChoice::named("nobody"), "en", "Hello.").await;
    assert!(matches!(unknown, Err(VoiceError::Unknown)), "{unknown:?}");
    shop.twin.faults.set_times(Moment::Start, Fault::Status { status: 401, retry_after_s: None }, 9);
    let refused = shop.node.preview_voice(&shop.scope, &ProviderChoice::named("elevenlabs"), "en", "Hello.").await;
    let Err(VoiceError::Failed(failure)) = refused else { panic!("{refused:?}") };
    assert!(!failure.to_string().contains(&shop.twin.key), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_business_that_may_spend_no_more_hears_no_voice_that_costs() {
    let month = Some(base::Money::from_usd_micros(1));
    let shop = shop_with(Budgets { month, ..Budgets::default() }).await;
    let choice = ProviderChoice::named("elevenlabs");
    shop.node.preview_voice(&shop.scope, &choice, "en", "Hello.").await.expect("nothing was spent yet");
    let again = shop.node.preview_voice(&shop.scope, &choice, "en", "Hello.").await;
    assert_eq!(again.err(), Some(VoiceError::Spent));
}
