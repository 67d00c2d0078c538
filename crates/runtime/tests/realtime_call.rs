//! A whole call with a model that hears and speaks: the call engine takes the turns, an ordinary voice greets, the caller
//! interrupts, and the journal and the model agree about what was heard.

use base::{AgentId, BusinessId, CallId, Secret};
use carriers::loopback::{CallerEvent, LoopbackCaller};
use egress::{Egress, EgressConfig, Policy};
use model::agent::{Agent, BrainChoice, Lines};
use model::business::{Business, TenantScope};
use model::journal::{Entry, Record};
use model::live::{LiveEvent, LiveKind};
use model::routing::{ProviderChoice, Stage, VoiceMap};
use model::seed::SeedAgent;
use providers::ProviderOptions;
use runtime::catalog::{self, Catalog, Unusable};
use runtime::drivers::{Realtime, StreamTts};
use runtime::router::Facts;
use runtime::service::{BrainService, SttService, TtsService};
use runtime::socket::{ChannelPeer, ChannelSocket, Incoming};
use runtime::{Node, NodeSettings, Services};
use sim::twins::openai::{Reply, Rule};
use sim::twins::{elevenlabs, gemini_live, openai_speech};
use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{Credential, Owner, SqlStore, SqliteOptions, Store};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

const GREETING: &str = "Hello.";
const OPENING: &str = "We are open from nine to five on every day but Sunday, and on holidays we close at noon.";
const SUNDAY: &str = "On Sunday we rest.";

/// Something like a voice at 8 kHz: a gliding pitch whose harmonics pass through moving resonances, in syllables.
fn voice(ms: u64) -> Vec<i16> {
    let mut phase = 0.0;
    let raw = (0..ms * 8).map(|n| {
        let t = n as f64 / 8_000.0;
        let pitch = 125.0 + 20.0 * (TAU * 1.9 * t).sin();
        phase += pitch / 8_000.0;
        let resonances = [(600.0 + 180.0 * (TAU * 2.7 * t).sin(), 1.0), (1_600.0 + 400.0 * (TAU * 1.7 * t).cos(), 0.5)];
        let harmonics = (1..=24).map(|k| {
            let hz = pitch * f64::from(k);
            let gain: f64 = resonances.iter().map(|(at, gain)| gain / (1.0 + ((hz - at) / 110.0).powi(2))).sum();
            gain * (TAU * phase * f64::from(k)).sin()
        });
        harmonics.sum::<f64>() * (0.45 + 0.55 * (TAU * 2.1 * t).sin().abs())
    });
    raw.map(|value| (value * 5_000.0).clamp(-30_000.0, 30_000.0) as i16).collect()
}

fn agent(id: AgentId, business: BusinessId, brain: &str) -> Agent {
    let lines = Lines { greeting: GREETING.into(), ..Lines::default() };
    let seed = SeedAgent {
        slug: "robin".into(),
        name: "Robin".into(),
        business_name: "Brightleaf Cycles".into(),
        persona: "You are Robin.".into(),
        language: "en".into(),
        brain: BrainChoice::Llm { provider: Some(brain.to_owned()), model: None },
        voice: None,
        providers: Default::default(),
        lines,
        timing: Default::default(),
        turns: Default::default(),
        sound: Default::default(),
        outbound: Default::default(),
        tools: Vec::new(),
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
    ProviderOptions { api_key: Some(key.into()), base_url: Some(base_url.to_owned()), ..ProviderOptions::default() }
}

/// A model that hears and speaks, an ordinary voice, and nobody else.
struct Shelf {
    realtime: Arc<Realtime>,
    ordinary: Arc<dyn TtsService>,
}

fn nobody<T>() -> Result<T, Unusable> {
    Err(Unusable("nobody does that here".to_owned()))
}

impl Catalog for Shelf {
    fn names(&self, stage: Stage) -> Vec<String> {
        if stage == Stage::Tts { vec![self.ordinary.name().to_owned()] } else { Vec::new() }
    }
    fn facts(&self, _: Stage, _: BusinessId, _: &ProviderChoice) -> Result<Facts, Unusable> {
        Ok(Facts::unknown())
    }
    fn stt(&self, _: BusinessId, _: &ProviderChoice) -> Result<Arc<dyn SttService>, Unusable> {
        nobody()
    }
    fn llm(&self, _: BusinessId, _: &ProviderChoice) -> Result<Arc<dyn BrainService>, Unusable> {
        nobody()
    }
    fn tts(&self, _: BusinessId, _: &ProviderChoice) -> Result<Arc<dyn TtsService>, Unusable> {
        Ok(self.ordinary.clone())
    }
    fn realtime(&self, _: BusinessId, choice: &ProviderChoice) -> Option<Result<Arc<Realtime>, Unusable>> {
        (choice.name == self.realtime.name()).then(|| Ok(self.realtime.clone()))
    }
    fn voices(&self) -> Arc<VoiceMap> {
        Arc::default()
    }
    fn entries(&self, _: BusinessId) -> Vec<catalog::Entry> {
        Vec::new()
    }
    fn take_credentials(&self, _: Vec<Credential>) {}
    fn check_credential(&self, _: Owner, _: &str, _: &BTreeMap<String, Secret<String>>) -> Result<(), Unusable> {
        nobody()
    }
}

/// A node for one call, whose stages are one model.
async fn node(dir: &Path, name: &str, model: ProviderOptions, greeter: ProviderOptions) -> (Node, TenantScope) {
    egress::install_crypto();
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
    let store = SqlStore::open(SqliteOptions::new(dir.join("frontdesk.db"))).await.expect("a database");
    let store: Arc<dyn Store> = Arc::new(store);
    let (business, id) = (BusinessId::generate(), AgentId::generate());
    let scope = TenantScope { business };
    let row = Business { id: business, slug: "shop".into(), name: "Shop".into(), time_zone: "Europe/Berlin".into() };
    store.put_business(&scope, &row).await.expect("a business");
    store.put_agent(&scope, &agent(id, business, name), None).await.expect("an agent");

    let provider = providers::tts::PROVIDERS.open("elevenlabs", &greeter).expect("usable");
    let ordinary: Arc<dyn TtsService> =
        Arc::new(StreamTts::new("elevenlabs", Arc::new(move || provider.protocol()), egress.clone()));
    let provider = providers::realtime::PROVIDERS.open(name, &model).expect("usable");
    let model = provider.settings().model().to_owned();
    let realtime = Realtime::new(name, &model, Arc::new(move || provider.protocol()), egress.clone());
    let catalog = Arc::new(Shelf { realtime: Arc::new(realtime), ordinary: ordinary.clone() });
    let services = Services { tts: vec![ordinary], catalog: Some(catalog), ..Services::default() };
    let settings = NodeSettings {
        public_url: None,
        recordings_dir: dir.to_owned(),
        calls_max: 4,
        inbound_reserve: 0,
        record: false,
        record_inputs: false,
        budgets: Default::default(),
    };
    (Node::new(settings, store, services, egress, BTreeMap::new()), scope)
}

/// What the caller waits for before the next words.
enum When {
    /// The agent has said this much and listens.
    Said(&'static str),
    /// The agent has spoken for so long.
    Speaking(u64),
}

struct Line {
    caller: LoopbackCaller,
    peer: ChannelPeer,
    began: Instant,
    said: String,
    speaks_since: Option<u64>,
    listens: bool,
    cleared: u32,
}

impl Line {
    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    async fn exchange(&mut self) {
        let mut out = Vec::new();
        self.caller.advance(self.now_ms(), &mut out);
        for wire in out {
            let message = match wire {
                base::wire::Wire::Text(text) => Incoming::Text(text.into()),
                base::wire::Wire::Binary(bytes) => Incoming::Binary(bytes.into()),
                _ => continue,
            };
            let _ = self.peer.to_host.send(message).await; // The host may have hung up.
        }
        for event in self.caller.take_events() {
            match event {
                CallerEvent::Live(json) => self.notice(&json),
                CallerEvent::Cleared { .. } => self.cleared += 1,
                CallerEvent::Played(_) | CallerEvent::Closed { .. } => {}
            }
        }
    }

    fn notice(&mut self, json: &str) {
        let event: LiveEvent = serde_json::from_str(json).expect("a live event");
        match event.kind {
            LiveKind::Phase { phase } => {
                self.listens = phase == "listening";
                self.speaks_since = (phase == "speaking").then_some(self.now_ms());
            }
            LiveKind::AgentTurn { text, .. } => self.said = text.into_inner(),
            _ => {}
        }
    }

    fn is_time(&self, when: &When) -> bool {
        let silent = self.caller.playout().queued_voice_ms() == 0;
        match when {
            When::Said(words) => self.listens && silent && self.said.contains(words),
            When::Speaking(ms) => self.speaks_since.is_some_and(|since| self.now_ms() >= since + ms),
        }
    }

    /// Goes through the steps, then hangs up once the last words were said.
    async fn talk(mut self, steps: Vec<(When, u64)>, last: &'static str) -> u32 {
        let mut steps = std::collections::VecDeque::from(steps);
        let mut tick = interval(Duration::from_millis(20));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                wire = self.peer.from_host.recv() => match wire {
                    Some(wire) => {
                        let now = self.now_ms();
                        self.caller.on_wire(now, &wire);
                    }
                    None => return self.cleared,
                },
            }
            self.exchange().await;
            if self.caller.is_speaking() || self.caller.is_closed() {
                continue;
            }
            match steps.front() {
                Some((when, ms)) if self.is_time(when) => {
                    self.caller.say(&voice(*ms));
                    (self.said, self.speaks_since) = (String::new(), None);
                    steps.pop_front();
                }
                None if self.is_time(&When::Said(last)) => self.caller.hang_up(),
                _ => {}
            }
        }
    }
}

async fn journal(node: &Node, scope: &TenantScope, call: CallId) -> Vec<Record> {
    loop {
        let records = node.store().journal(scope, call).await.expect("a journal");
        if records.iter().any(|record| matches!(record.entry, Entry::Ended { .. })) {
            return records;
        }
        tokio::task::yield_now().await;
    }
}

/// What the caller heard of each thing the agent said, and whether it was all.
fn heard(journal: &[Record]) -> Vec<(String, bool)> {
    let turns = journal.iter().filter_map(|record| match &record.entry {
        Entry::AgentTurn { heard, complete, .. } => Some((heard.expose().clone(), *complete)),
        _ => None,
    });
    turns.collect()
}

async fn an_interrupted_call(name: &str, model: ProviderOptions) -> Vec<(String, bool)> {
    let dir = tempfile::tempdir().expect("a folder");
    let greeter = elevenlabs::start(elevenlabs::Behaviour::default()).await.expect("a port");
    let (node, scope) = node(dir.path(), name, model, options(&greeter.base_url, &greeter.key)).await;
    let (socket, peer) = ChannelSocket::pair();
    let mut line = Line {
        caller: LoopbackCaller::new(None, None),
        peer,
        began: Instant::now(),
        said: String::new(),
        speaks_since: None,
        listens: false,
        cleared: 0,
    };
    line.exchange().await;
    let protocol = carriers::registry::media("loopback").expect("listed");
    let call = node.attach("loopback", Some(scope), protocol, Box::new(socket)).await.expect("taken");
    let steps = vec![(When::Said(GREETING), 1_000), (When::Speaking(1_200), 1_800)];
    let cleared = timeout(Duration::from_secs(40), line.talk(steps, SUNDAY)).await.expect("the call ends");
    assert!(cleared >= 1, "{name}: the interruption stopped the agent");
    let journal = timeout(Duration::from_secs(10), journal(&node, &scope, call)).await.expect("written");
    let by_others = greeter.record.lines().join(
        "
",
    );
    assert!(by_others.contains("Hello"), "{name}: an ordinary voice greeted");
    assert!(!by_others.contains("nine to five") && !by_others.contains("rest"), "{name}: and gave no answer");
    heard(&journal)
}

fn rules() -> Vec<Rule> {
    vec![Rule::on_user("open", Reply::says(OPENING)), Rule::on_user("sunday", Reply::says(SUNDAY))]
}

fn script() -> Vec<String> {
    vec!["When are you open?".to_owned(), "And what about Sunday?".to_owned()]
}

fn assert_was_interrupted(name: &str, heard: &[(String, bool)]) -> String {
    let [greeting, opening, sunday] = heard else { panic!("{name}: {heard:?}") };
    assert_eq!(greeting, &(GREETING.to_owned(), true), "{name}");
    assert!(!opening.1 && !opening.0.is_empty() && OPENING.starts_with(&opening.0), "{name}: {opening:?}");
    assert_eq!(sunday, &(SUNDAY.to_owned(), true), "{name}");
    opening.0.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_interrupts_a_model_that_speaks_itself_and_it_knows_what_was_heard() {
    let behaviour = openai_speech::Behaviour { script: script(), rules: rules(), ..Default::default() };
    let twin = openai_speech::start(behaviour).await.expect("a port");
    let heard = an_interrupted_call("openai_speech", options(&twin.base_url, &twin.key)).await;
    let of_opening = assert_was_interrupted("openai_speech", &heard);
    let lines = twin.record.lines();
    let cut = lines.iter().find_map(|line| line.strip_prefix("truncate ")).expect("what was not heard is taken back");
    let (_, kept) = cut.split_once(' ').expect("words");
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    assert!(letters(kept).abs_diff(letters(&of_opening)) <= 3, "{kept:?} was kept of {of_opening:?}");
    assert_eq!(twin.record.count("told assistant Hello."), 1, "the model knows what another voice said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_call_with_a_model_that_answers_by_itself() {
    let behaviour = gemini_live::Behaviour { script: script(), rules: rules(), ..Default::default() };
    let twin = gemini_live::start(behaviour).await.expect("a port");
    let heard = an_interrupted_call("gemini_live", options(&twin.base_url, &twin.key)).await;
    assert_was_interrupted("gemini_live", &heard);
    assert_eq!(twin.record.count("activity"), 2, "{:?}", twin.record.lines());
}
