//! The program in this process, with two providers for every stage, a service that a tool asks, and a phone platform.

use crate::rig;
use api::{Access, App};
use base::{AgentId, BusinessId, NumberId};
use carriers::protocol::CarrierControl;
use carriers::registry::Settings;
use egress::{Egress, EgressConfig, Policy};
use metrics_exporter_prometheus::PrometheusBuilder;
use model::agent::{Agent, Lines};
use model::business::{Business, Number, TenantScope};
use model::seed::SeedAgent;
use model::tool::{Parameter, ParameterKind, ToolAction, ToolSpec};
use providers::ProviderOptions;
use runtime::drivers::{HttpBrain, StreamStt, StreamTts};
use runtime::service::{BrainService, SttService, TtsService};
use runtime::{Node, NodeSettings, Services};
use serde_json::json;
use sim::twins::openai::{Reply, Rule};
use sim::twins::twilio::{TwilioTwin, TwinOptions};
use sim::twins::{deepgram, elevenlabs, openai, tool};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub const HELLO: &str = "Hello, Anna Miller speaking.";
pub const SATURDAY: &str = "When are you open on Saturday?";
pub const OPENING: &str = "On Saturday we are open from ten to four.";
pub const ORDER: &str = "Where is my order 48213?";
pub const DELIVERY: &str = "Your order 48213 arrives on Tuesday.";
pub const BIKES: &str = "Do you repair electric bikes?";
pub const REPAIRS: &str = "Yes, we repair most electric bikes.";
pub const BYE: &str = "Thank you, goodbye.";
pub const GOODBYE: &str = "Thank you for calling. Goodbye.";

const TOKEN: &str = "faults-token";
const TWILIO: &str = "twilio";

/// A provider that may fail, and one that does not.
pub struct Pair<T> {
    pub first: T,
    pub second: T,
}

/// What all worlds share: the way out and the database.
pub struct Common {
    pub egress: Arc<Egress>,
    pub store: Arc<dyn Store>,
    worlds: AtomicUsize,
}

impl Common {
    pub async fn new(dir: &Path) -> Self {
        egress::install_crypto();
        let store = store::SqlStore::open(store::SqliteOptions::new(dir.join("frontdesk.db"))).await;
        let egress = Egress::new(EgressConfig::new(Policy::Operator));
        Self { egress: Arc::new(egress), store: Arc::new(store.expect("a database")), worlds: AtomicUsize::new(0) }
    }
}

/// One business with its own server.
pub struct World {
    pub stt: Pair<sim::twins::Twin>,
    pub llm: Pair<sim::twins::Twin>,
    pub tts: Pair<sim::twins::Twin>,
    pub tool: tool::Twin,
    pub phone: TwilioTwin,
    pub node: Node,
    pub scope: TenantScope,
    pub agent: AgentId,
    pub base_url: String,
    line: Arc<AtomicUsize>,
    _stop: DropGuard,
}

fn script() -> Vec<&'static str> {
    vec![HELLO, SATURDAY, ORDER, BIKES, BYE]
}

fn rules() -> Vec<Rule> {
    vec![
        Rule::on_user("speaking", Reply::says("This is Robin of Brightleaf Cycles. What can I do for you?")),
        Rule::on_user("open on saturday", Reply::says(OPENING)),
        Rule::on_user("order 48213", Reply::calls("delivery", json!({"order": "48213"}))),
        Rule::on_tool("delivery", Reply::says("{result}")),
        Rule::on_user("electric bikes", Reply::says(REPAIRS)),
        Rule::on_user("goodbye", Reply::calls("end_call", json!({}))),
    ]
}

fn tools(url: &str) -> Vec<ToolSpec> {
    let spec = |name: &str, action| ToolSpec {
        name: name.into(),
        description: format!("The tool {name}."),
        parameters: Vec::new(),
        action,
        changes_state: false,
        confirm: None,
        say_done: None,
        examples: Vec::new(),
        must_hold: Vec::new(),
    };
    let order = Parameter {
        name: "order".into(),
        description: "The order number.".into(),
        kind: ParameterKind::Pattern { regex: r"\d{5}".into() },
        required: true,
        ask: None,
    };
    let delivery = ToolSpec {
        parameters: vec![order],
        ..spec(
            "delivery",
            ToolAction::Http { url: url.into(), method: Default::default(), credential: None, timeout_ms: None },
        )
    };
    vec![delivery, spec("end_call", ToolAction::EndCall)]
}

fn agent(id: AgentId, business: BusinessId, tool_url: &str) -> Agent {
    let lines = Lines {
        greeting: "Hello, this is Robin. How can I help you?".into(),
        goodbye: GOODBYE.into(),
        ..Lines::default()
    };
    let seed = SeedAgent {
        slug: "robin".into(),
        name: "Robin".into(),
        business_name: "Brightleaf Cycles".into(),
        persona: "You are Robin.".into(),
        language: "en".into(),
        brain: model::agent::BrainChoice::Auto,
        voice: None,
        providers: Default::default(),
        lines,
        timing: Default::default(),
        turns: Default::default(),
        sound: Default::default(),
        outbound: Default::default(),
        tools: tools(tool_url),
        flow: None,
        handoff_to: None,
        handoff: Default::default(),
        hours: None,
        guardrails: Default::default(),
        record: false,
    };
    seed.agent(id, business)
}

fn options(base_url: &str, key: &str) -> ProviderOptions {
    let base_url = Some(base_url.to_owned());
    let voice = Some("rig-voice".to_owned());
    ProviderOptions { api_key: Some(key.into()), base_url, voice, ..ProviderOptions::default() }
}

/// How much a world can take.
pub struct Size {
    pub calls_max: usize,
}

impl World {
    pub async fn new(common: &Common) -> Self {
        Self::sized(common, Size { calls_max: 4 }).await
    }

    pub async fn sized(common: &Common, size: Size) -> Self {
        let at = common.worlds.fetch_add(1, Ordering::Relaxed);
        let line = Arc::new(AtomicUsize::new(0));
        let stt = deepgram::Behaviour { told: Some(Arc::clone(&line)), ..deepgram::Behaviour::script(script()) };
        let llm = openai::Behaviour { rules: rules(), first_token_ms: 100, ..openai::Behaviour::default() };
        let tts = elevenlabs::Behaviour { voice: rig::quick_voice(), first_audio_ms: 80, ..Default::default() };
        let stt = Pair {
            first: deepgram::start(stt.clone()).await.expect("a recogniser"),
            second: deepgram::start(stt).await.expect("a recogniser"),
        };
        let llm = Pair {
            first: openai::start(llm.clone()).await.expect("a model"),
            second: openai::start(llm).await.expect("a model"),
        };
        let tts = Pair {
            first: elevenlabs::start(tts.clone()).await.expect("a voice"),
            second: elevenlabs::start(tts).await.expect("a voice"),
        };
        let tool = tool::Twin::start(json!(DELIVERY)).await.expect("a service");
        let number = format!("+4940555{at:04}");
        let account = format!("AC{at:032x}");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let phone = TwinOptions {
            caller: rig::CALLER.into(),
            number: number.clone(),
            status_url: Some(format!("{base_url}/carriers/{TWILIO}/status")),
            ..TwinOptions::new(&account, TOKEN)
        };
        let phone = TwilioTwin::start(phone).await.expect("a platform");
        let (scope, agent) = settle(common.store.as_ref(), at, &number, &tool.url).await;
        let services = services(common, &stt, &llm, &tts);
        let node = node(common, &size, services, control(&account, &phone));
        node.keep_lines_warm();
        let stop = serve(&node, scope, listener);
        Self { stt, llm, tts, tool, phone, node, scope, agent, base_url, line, _stop: stop }
    }

    /// What the caller says next is this line of the script.
    pub fn next_line(&self, line: &str) {
        let at = script().iter().position(|known| *known == line).expect("a line of the script");
        self.line.store(at, Ordering::Relaxed);
    }

    /// Waits until the agent's own lines are in the cache: the program has been up for a while.
    pub async fn is_warm(&self) {
        let mut known = 0;
        let mut looks = tokio::time::interval(Duration::from_millis(400));
        loop {
            looks.tick().await;
            let now = self.tts.first.record.count("closed");
            if now > 0 && now == known && self.tts.first.record.count("open") == now {
                return;
            }
            known = now;
        }
    }
}

/// The business, its agent and its number.
async fn settle(store: &dyn Store, at: usize, number: &str, tool_url: &str) -> (TenantScope, AgentId) {
    let (business, id) = (BusinessId::generate(), AgentId::generate());
    let scope = TenantScope { business };
    let row = Business {
        id: business,
        slug: format!("shop-{at}"),
        name: "Brightleaf Cycles".into(),
        time_zone: "Europe/Berlin".into(),
    };
    store.put_business(&scope, &row).await.expect("a business");
    store.put_agent(&scope, &agent(id, business, tool_url), None).await.expect("an agent");
    let number = number.parse().expect("a number");
    let number = Number { id: NumberId::generate(), business, number, carrier: TWILIO.into(), agent: id };
    store.put_number(&scope, &number).await.expect("a number");
    (scope, id)
}

fn services(
    common: &Common,
    stt: &Pair<sim::twins::Twin>,
    llm: &Pair<sim::twins::Twin>,
    tts: &Pair<sim::twins::Twin>,
) -> Services {
    let recogniser = |name: &str, twin: &sim::twins::Twin| {
        let provider =
            providers::stt::PROVIDERS.open("deepgram", &options(&twin.base_url, &twin.key)).expect("options");
        let make = Arc::new(move || provider.protocol());
        Arc::new(StreamStt::new(name, make, Arc::clone(&common.egress))) as Arc<dyn SttService>
    };
    let brain = |name: &str, twin: &sim::twins::Twin| {
        let provider = providers::llm::PROVIDERS.open("openai", &options(&twin.base_url, &twin.key)).expect("options");
        let make = Arc::new(move || provider.protocol());
        Arc::new(HttpBrain::new(name, make, Arc::clone(&common.egress))) as Arc<dyn BrainService>
    };
    let voice = |name: &str, twin: &sim::twins::Twin| {
        let provider =
            providers::tts::PROVIDERS.open("elevenlabs", &options(&twin.base_url, &twin.key)).expect("options");
        let make = Arc::new(move || provider.protocol());
        Arc::new(StreamTts::new(name, make, Arc::clone(&common.egress))) as Arc<dyn TtsService>
    };
    Services {
        stt: vec![recogniser("first", &stt.first), recogniser("second", &stt.second)],
        tts: vec![voice("first", &tts.first), voice("second", &tts.second)],
        brains: vec![brain("first", &llm.first), brain("second", &llm.second)],
        ..Services::default()
    }
}

fn control(account: &str, phone: &TwilioTwin) -> Arc<dyn CarrierControl> {
    let api_base = phone.api_base();
    let configured = |key: &str| match key {
        "account_sid" => Some(account),
        "auth_token" => Some(TOKEN),
        "base_url" => Some(api_base.as_str()),
        _ => None,
    };
    let descriptor = carriers::registry::descriptor(TWILIO).expect("it is listed");
    let settings =
        Settings { configured: &|key| configured(key).map(|text: &str| text.to_owned().into()), env: &|_| None };
    (descriptor.control)(&settings).expect("settings that fit").expect("a control")
}

fn node(common: &Common, size: &Size, services: Services, control: Arc<dyn CarrierControl>) -> Node {
    let settings = NodeSettings {
        public_url: None,
        recordings_dir: std::env::temp_dir(),
        calls_max: size.calls_max,
        inbound_reserve: 0,
        record: false,
        record_inputs: false,
        budgets: Default::default(),
    };
    let controls = BTreeMap::from([(TWILIO.to_owned(), control)]);
    Node::new(settings, Arc::clone(&common.store), services, Arc::clone(&common.egress), controls)
}

fn recordings() -> runtime::recordings::Recordings {
    let key = store::DataKey::parse(&base::Secret::new("a".repeat(64))).expect("a key");
    let keys = store::Keyring::new(key, Vec::new());
    let objects = store::objects::Objects::open(&store::objects::ObjectPlace::Memory, keys).expect("storage");
    runtime::recordings::Recordings::new(std::env::temp_dir(), objects)
}

fn serve(node: &Node, scope: TenantScope, listener: TcpListener) -> DropGuard {
    let shared: Arc<dyn store::shared::Shared> = Arc::new(store::shared::Memory::default());
    let egress = Arc::new(egress::Egress::new(egress::EgressConfig::new(egress::Policy::Tenant)));
    let keyring = node.store().keyring();
    let app = App {
        auth: Arc::new(api::auth::Auth::new(Default::default(), keyring, Arc::clone(&shared), egress)),
        node: node.clone(),
        home: scope,
        access: Arc::new(Access::default()),
        live: runtime::Live::new(
            node.store(),
            Arc::new(egress::Egress::new(egress::EgressConfig::new(egress::Policy::Tenant))),
        ),
        metrics: PrometheusBuilder::new().build_recorder().handle(),
        recordings: recordings(),
        http: Arc::default(),
        shared,
        documents: None,
        test_caller: None,
        webrtc: None,
    };
    let stop = CancellationToken::new();
    tokio::spawn(api::server::serve(listener, api::router(app), stop.clone(), Duration::from_secs(1)));
    stop.drop_guard()
}
