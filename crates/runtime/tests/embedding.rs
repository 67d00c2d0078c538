//! A business that lets a service embed its documents: chosen, served, away, changed and taken back, with the models of this
//! machine and the twins of two services over real sockets.

use base::{BusinessId, limits};
use egress::{Egress, EgressConfig, Policy};
use knowledge::child::Parser;
use knowledge::ingest::Source;
use local::language::evaluation::first_turn;
use local::language::{EMBEDDER, LanguageModels};
use local::models::ModelDir;
use model::business::TenantScope;
use model::generation::GenerationEvent;
use model::routing::{CostStage, Region};
use providers::ProviderOptions;
use runtime::documents::embedding::{EmbeddingError, kept_embedding};
use runtime::documents::{DocumentError, Documents, KNOWLEDGE_JOB, Web};
use runtime::drivers::HttpEmbed;
use runtime::on_device::{LocalBrain, StoredMinds, model_slots};
use runtime::reading::Sited;
use runtime::service::{Bill, BrainService, EmbedService};
use runtime::spaces::{Offered, Spaces};
use runtime::wall_ms;
use runtime::work::{Handler as _, Outcome};
use sim::twins::{Fault, Moment, Twin, gemini, openai};
use std::sync::Arc;
use std::time::Instant;
use store::knowledge_work::WorkState;
use store::objects::{ObjectPlace, Objects};
use store::{SqlStore, SqliteOptions, Store, StoreError};
use tempfile::TempDir;

const QUESTION: &str = "How much does it cost to rent a tandem?";
const PRICE: &str = "A tandem costs 45 euros a day.";
const HELP: &str = "# Help\n\n## Tandem rental\n\nA tandem costs 45 euros a day. Bring a passport along.\n\n\
    ## Opening hours\n\nWe are open on weekdays from nine to six. On Sunday we are closed.\n\n\
    ## Repairs\n\nA small service takes two days. Punctures are mended at once.\n";

struct Shop {
    documents: Documents,
    minds: StoredMinds,
    store: Arc<dyn Store>,
    scope: TenantScope,
    _folder: TempDir,
}

fn egress() -> Arc<Egress> {
    egress::install_crypto();
    Arc::new(Egress::new(EgressConfig::new(Policy::Operator)))
}

fn offered(name: &str, twin: &Twin, region: Option<Region>) -> Offered {
    let options = ProviderOptions {
        api_key: Some(twin.key.as_str().into()),
        base_url: Some(twin.base_url.clone()),
        ..ProviderOptions::default()
    };
    let provider = providers::embed::PROVIDERS.open(name, &options).expect("usable");
    let model = provider.settings().model().to_owned();
    let service = HttpEmbed::new(name, &model, Arc::new(move || provider.protocol()), egress());
    let service = Ok(Sited { service: Arc::new(service) as Arc<dyn EmbedService>, region });
    Offered { name: name.into(), title: name.into(), service }
}

impl Shop {
    /// `None` where the models are not.
    async fn open(mut services: Vec<Offered>) -> Option<Self> {
        let dir = ModelDir::locate().expect("a folder");
        if !dir.path_of(EMBEDDER, "model.onnx").exists() {
            eprintln!("no models in {}: `frontdesk models pull` brings them; skipped", dir.path().display());
            return None;
        }
        let models = Arc::new(LanguageModels::load(&dir).expect("models load"));
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let scope = store::laws::tenant(store.as_ref(), "shop", "+49405550170").await.scope;
        let no_key = Err("Acme has no key: set ACME_API_KEY".to_owned());
        services.push(Offered { name: "acme".into(), title: "Acme".into(), service: no_key });
        let spaces = Arc::new(Spaces::new(Arc::clone(&store), services, None));
        let minds = StoredMinds::new(Arc::clone(&store), models, Parser::new("nobody", &[])).with_spaces(spaces);
        let brain = Arc::new(LocalBrain::new(model_slots()));
        brain.load_from(Arc::new(minds.clone()));
        let objects = Objects::open(&ObjectPlace::Memory, store.keyring().clone()).expect("storage");
        let documents = Documents::new(Arc::clone(&store), objects, minds.clone(), brain, Web::new(egress()));
        let shop = Self { documents, minds, store, scope, _folder: folder };
        shop.take("help", HELP).await;
        Some(shop)
    }

    async fn take(&self, slug: &str, text: &str) {
        let source = Source { slug, title: None, source: "help.md", bytes: text.as_bytes() };
        self.minds.ingest().add_own_text(&self.scope, &source, wall_ms()).await.expect("taken in");
    }

    /// Does the job that waits, as its last attempt when it is to fail.
    async fn work(&self, is_last: bool) -> Outcome {
        let mut jobs = self.store.claim(KNOWLEDGE_JOB, 1, 60_000, wall_ms()).await.expect("jobs");
        let mut job = jobs.pop().expect("a job");
        if is_last {
            job.attempt = job.attempts_max;
        }
        let outcome = self.documents.run(&job).await;
        assert!(self.store.complete(&job).await.expect("done"));
        outcome
    }

    async fn chosen(&self, provider: &str) {
        let (_, work) = self.documents.choose_embedding(&self.scope, provider).await.expect("chosen");
        assert!(work.is_some());
        assert_eq!(self.work(false).await, Outcome::Done);
        assert_eq!(self.serving().await.as_deref(), Some(provider));
    }

    async fn serving(&self) -> Option<String> {
        let kept = kept_embedding(self.store.as_ref(), &self.scope).await.expect("kept").0;
        kept.serving.map(|one| one.provider)
    }

    /// What a caller hears, with what it cost, from documents as they are now.
    async fn hears(&self) -> (String, Bill) {
        let brain = Arc::new(LocalBrain::new(model_slots()));
        brain.load_from(Arc::new(self.minds.clone()));
        hears(&brain, self.scope.business).await
    }
}

async fn hears(brain: &LocalBrain, business: BusinessId) -> (String, Bill) {
    let bill = Bill::default();
    let mut session = brain.generate_billed(business, first_turn(QUESTION, &[]), &bill);
    let mut said = String::new();
    while let Some(event) = session.events.recv().await {
        if let GenerationEvent::Text { delta } = event {
            said.push_str(&delta);
        }
    }
    (said, bill)
}

/// How often a service was asked for the vector of a text.
fn asked(twin: &Twin, text: &str) -> usize {
    twin.record.lines().iter().filter(|line| line.starts_with("embed") && line.contains(text)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_of_a_business_finds_its_answers_and_two_services_are_never_mixed() {
    let one = openai::start(openai::Behaviour::default()).await.expect("a port");
    let other = gemini::start(gemini::Behaviour::default()).await.expect("a port");
    let services = vec![offered("openai", &one, Some(Region::Us)), offered("gemini", &other, None)];
    let Some(shop) = Shop::open(services).await else { return };
    let (said, bill) = shop.hears().await;
    assert!(said.contains(PRICE) && bill.total().usd_micros == 0, "{said}");

    shop.chosen("openai").await;
    assert!(asked(&one, PRICE) > 0, "the documents went to the service");
    let (said, bill) = shop.hears().await;
    assert!(said.contains(PRICE), "{said}");
    assert_eq!(asked(&one, QUESTION), 1, "and so did the question, once");
    let lines: Vec<_> = bill.lines().into_iter().map(|line| (line.stage, line.provider)).collect();
    assert_eq!(lines, [(CostStage::Embed, "openai".to_owned())], "the call pays for its question");
    let today = wall_ms().div_euclid(24 * 60 * 60 * 1_000);
    let usage = shop.store.usage(&shop.scope, today - 1, today + 1).await.expect("usage");
    assert!(usage.iter().any(|day| day.usage.cost_usd_micros > 0), "and the business for its documents: {usage:?}");
    shop.take("boats", "# Boats\n\nA boat costs 80 euros a day.\n").await;
    assert!(asked(&one, "A boat costs 80 euros a day.") > 0, "what comes later is embedded by it, too");

    shop.chosen("gemini").await;
    let (said, _) = shop.hears().await;
    assert!(said.contains(PRICE), "{said}");
    assert_eq!((asked(&one, QUESTION), asked(&other, QUESTION)), (1, 1), "each question goes to one service");
    let found = shop.documents.query(&shop.scope, QUESTION.into()).await.expect("found");
    assert_eq!(found.passages, 4, "nothing was lost");

    let (kept, work) = shop.documents.choose_embedding(&shop.scope, "local").await.expect("chosen");
    assert!(kept.serving.is_none() && work.is_none(), "this machine needs no work");
    let before = (one.record.count("embed"), other.record.count("embed"));
    let (said, bill) = shop.hears().await;
    assert!(said.contains(PRICE) && bill.total().usd_micros == 0, "{said}");
    assert_eq!((one.record.count("embed"), other.record.count("embed")), before, "nobody is asked any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_stalls_or_fails_costs_half_a_second_and_no_answer() {
    let twin = openai::start(openai::Behaviour::default()).await.expect("a port");
    let Some(shop) = Shop::open(vec![offered("openai", &twin, None)]).await else { return };
    shop.chosen("openai").await;
    for fault in [Fault::BlackHole, Fault::Status { status: 503, retry_after_s: None }, Fault::Garbage] {
        // Whoever asked in vain does not ask again at once: so each fault meets services that nobody has given up.
        let shop = shop.again(vec![offered("openai", &twin, None)]);
        let _ = hears(&shop.brain, shop.scope.business).await;
        twin.faults.set(Moment::Start, fault.clone());
        let (before, began) = (twin.record.count("embed"), Instant::now());
        let (said, _) = hears(&shop.brain, shop.scope.business).await;
        println!(
            "{fault:?}: answered after {} ms of at most {} for the service",
            began.elapsed().as_millis(),
            limits::EMBED_QUESTION_MS_MAX
        );
        assert!(said.contains(PRICE), "{fault:?}: {said}");
        assert_eq!(twin.record.count("embed"), before + 1);
        let (said, _) = hears(&shop.brain, shop.scope.business).await;
        assert!(said.contains(PRICE), "{fault:?}: {said}");
        assert_eq!(twin.record.count("embed"), before + 1, "it is left alone for a while");
        twin.faults.clear();
    }
}

impl Shop {
    /// The same documents behind services that were just made.
    fn again(&self, services: Vec<Offered>) -> Asking {
        let spaces = Arc::new(Spaces::new(Arc::clone(&self.store), services, None));
        let brain = Arc::new(LocalBrain::new(model_slots()));
        brain.load_from(Arc::new(self.minds.clone().with_spaces(spaces)));
        Asking { brain, scope: self.scope }
    }
}

struct Asking {
    brain: Arc<LocalBrain>,
    scope: TenantScope,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_chosen_is_refused_and_what_fails_later_leaves_what_served() {
    let twin = openai::start(openai::Behaviour::default()).await.expect("a port");
    let Some(shop) = Shop::open(vec![offered("openai", &twin, Some(Region::Us))]).await else { return };
    let choose = async |provider: &str| shop.documents.choose_embedding(&shop.scope, provider).await;
    let why = choose("acme").await.expect_err("no key").to_string();
    assert!(why.contains("ACME_API_KEY"), "{why}");
    let why = choose("nobody").await.expect_err("unknown").to_string();
    assert!(why.contains("local, openai, acme"), "{why}");
    twin.faults.set_times(Moment::Start, Fault::Status { status: 401, retry_after_s: None }, 1);
    assert!(matches!(choose("openai").await, Err(EmbeddingError::Failed(_))), "it is tried first");

    choose("openai").await.expect("chosen");
    let again = choose("openai").await.expect_err("one at a time");
    assert!(matches!(again, EmbeddingError::Documents(DocumentError::Store(StoreError::Conflict(_)))), "{again}");
    twin.faults.set(Moment::Start, Fault::Status { status: 503, retry_after_s: None });
    assert!(matches!(shop.work(true).await, Outcome::Dead(_)));
    let work = shop.documents.embedding(&shop.scope).await.expect("known").1.expect("work");
    let why = work.progress.error.unwrap_or_default();
    assert!(work.state == WorkState::Failed && why.contains("openai"), "{why}");
    assert_eq!(shop.serving().await, None);
    let (said, bill) = shop.hears().await;
    assert!(said.contains(PRICE) && bill.total().usd_micros == 0, "{said}");
    twin.faults.clear();

    // Whoever chooses otherwise while passages get their vectors has the last word.
    choose("openai").await.expect("chosen");
    choose("local").await.expect("chosen");
    assert_eq!(shop.work(false).await, Outcome::Done);
    assert_eq!(shop.serving().await, None);

    let mut agent = shop.store.agents(&shop.scope, None).await.expect("agents").remove(0).agent;
    agent.providers.regions = [Region::Eu].into();
    shop.store.put_agent(&shop.scope, &agent, None).await.expect("kept");
    let why = choose("openai").await.expect_err("it stays in the EU").to_string();
    assert!(why.contains(&agent.slug), "{why}");
}
