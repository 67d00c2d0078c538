//! The node: every live call of this process, the doors through which calls come and go, and how the process ends.

mod admission;
mod calibration;
mod capacity;
mod domains;
mod doors;
mod duty;
mod membership;
mod outbound;
mod plan;
pub mod providers;
mod visits;
mod voices;
mod ways_out;

pub use admission::Load;
pub use doors::AttachError;
pub(crate) use doors::refuse;
pub use duty::local_moment;
pub use outbound::{DialError, DialRequest};
pub use providers::{MaskedCredential, ProviderError};
pub use visits::Visit;
pub use voices::{Preview, VoiceError};
pub use ways_out::{PLAN as OUTGOING_PLAN, PlaceRequest};

use crate::answers::Answers;
use crate::bill::{Ledger, Purse, written_this_month};
use crate::catalog::Catalog;
use crate::cluster::Cluster;
use crate::consult::{Briefed, News};
use crate::host::{CallHost, CallSetup, Channels, HostMessage};
use crate::lines::Lines;
use crate::mail::Mailer;
use crate::phrases::Phrases;
use crate::reading::{Embedders, Readers};
use crate::router::{Board, CallContext, Routes, Tell, VoiceNow};
use crate::service::{AudioJudge, Bill, BrainService, KnowledgeSearch, SttService, TtsService, Understanding};
use crate::spaces::Spaces;
use admission::{Admission, Capacity, Slot};
use base::{AgentId, BusinessId, CallId, ConversationId, Millis, Money, PhoneNumber, Pii, limits};
use carriers::protocol::{Capability, CarrierControl};
use engine::io::{CarrierInput, Input};
use model::agent::{Agent, BrainChoice};
use model::business::TenantScope;
use model::call::{Call, CallState, Direction};
use model::journal::Record;
use model::live::LiveEvent;
use model::routing::Stage;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use store::Store;
use tokio::sync::{Notify, Semaphore, broadcast, mpsc};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// What a node is configured with.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// How platforms reach us, without a trailing slash; `None` takes it from each request.
    pub public_url: Option<String>,
    /// Where recordings go.
    pub recordings_dir: PathBuf,
    /// Calls at once.
    pub calls_max: usize,
    /// Of these, kept free for inbound calls.
    pub inbound_reserve: usize,
    /// Record calls whose agent wants it.
    pub record: bool,
    /// Record the engine's inputs.
    pub record_inputs: bool,
    /// What may be spent.
    pub budgets: Budgets,
}

/// What of it can be changed while calls go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveSettings {
    /// Calls at once.
    pub calls_max: usize,
    /// Of these, kept free for inbound calls.
    pub inbound_reserve: usize,
    /// What may be spent.
    pub budgets: Budgets,
}

/// What may be spent on providers. `None`: no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// On one call, unless its agent says otherwise.
    pub call: Option<Money>,
    /// By one business in a calendar month (UTC).
    pub month: Option<Money>,
}

/// Who does the work of each stage, best first. The next one takes over in a call in which one failed.
#[derive(Clone, Default)]
pub struct Services {
    /// Speech to text.
    pub stt: Vec<Arc<dyn SttService>>,
    /// Text to speech.
    pub tts: Vec<Arc<dyn TtsService>>,
    /// Brains in the order in which they are tried for `auto`.
    pub brains: Vec<Arc<dyn BrainService>>,
    /// Neural VAD and end-of-turn model.
    pub judge: Option<Arc<dyn AudioJudge>>,
    /// Search in the documents of a business.
    pub search: Option<Arc<dyn KnowledgeSearch>>,
    /// Who finds out what texts mean: questions, for answers that are given again.
    pub embedders: Embedders,
    /// Services that businesses may choose to embed their documents.
    pub spaces: Option<Arc<Spaces>>,
    /// Who reads texts: calls, when they are over.
    pub readers: Readers,
    /// Who tells what callers want.
    pub understanding: Option<Arc<dyn Understanding>>,
    /// Where agents' own choices of providers come from. Without one there are only the services above, as they are.
    pub catalog: Option<Arc<dyn Catalog>>,
    /// Who writes mails; `None`: this installation sends none.
    pub mailer: Option<Mailer>,
}

/// Registry name of the on-device brain.
pub const LOCAL_BRAIN: &str = "local";

impl Services {
    /// Names that can be used for a stage.
    pub(crate) fn names(&self, stage: Stage) -> Vec<String> {
        let mut names: Vec<String> = match stage {
            Stage::Stt => self.stt.iter().map(|one| one.name().to_owned()).collect(),
            Stage::Llm => self.brains.iter().map(|one| one.name().to_owned()).collect(),
            Stage::Tts => self.tts.iter().map(|one| one.name().to_owned()).collect(),
        };
        let more = self.catalog.iter().flat_map(|catalog| catalog.names(stage));
        let more: Vec<String> = more.filter(|name| !names.contains(name)).collect();
        names.extend(more);
        names
    }

    /// What `auto` means here and now for this agent.
    fn resolve(&self, agent: &Agent) -> BrainChoice {
        let first = agent.providers.llm.first().map(|choice| choice.name.as_str());
        let first = first.or_else(|| self.brains.first().map(|brain| brain.name()));
        match (&agent.brain, first) {
            (BrainChoice::Auto, Some(LOCAL_BRAIN) | None) => BrainChoice::Local,
            (BrainChoice::Auto, Some(name)) => BrainChoice::Llm { provider: Some(name.into()), model: None },
            (other, _) => other.clone(),
        }
    }
}

/// What every call of the node shares.
pub(crate) struct Shared {
    pub(crate) settings: NodeSettings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) services: Services,
    pub(crate) egress: Arc<egress::Egress>,
    tools_egress: OnceLock<Arc<egress::Egress>>,
    pub(crate) tasks: TaskTracker,
    /// Slots of the end-of-turn model; a full pool skips the hint.
    pub(crate) judging: Arc<Semaphore>,
    /// Lines that are kept as audio.
    pub(crate) phrases: Arc<Phrases>,
    /// How providers do, and what is switched.
    pub(crate) board: Arc<Board>,
    /// Room for calls that are over and are read.
    pub(crate) reading: Arc<Semaphore>,
    /// Room for voices that are heard before they are chosen.
    pub(crate) previewing: Arc<Semaphore>,
    ledger: Ledger,
    answers: Arc<Answers>,
    controls: BTreeMap<String, Arc<dyn CarrierControl>>,
    /// Carriers of this process, by name.
    lines: Mutex<BTreeMap<String, Arc<dyn Lines>>>,
    calls: Mutex<HashMap<CallId, LiveCall>>,
    tickets: Mutex<HashMap<String, Ticket>>,
    sound: Mutex<ways_out::Sound>,
    /// What to tell a platform that asks how to go on, by carrier and its id of the call.
    plans: Mutex<HashMap<(String, String), Plan>>,
    /// Calls to people for whom callers wait that are placed and not hosted yet, and since when.
    briefed: Mutex<HashMap<CallId, (Briefed, Instant)>>,
    /// How platforms reached us last, where no address is configured.
    reached_at: Mutex<String>,
    /// Who has a line of this node.
    pub(crate) admission: Arc<Admission>,
    /// Callers who wait for a person.
    pub(crate) waiters: Arc<crate::queue::Waiters>,
    draining: AtomicBool,
    /// An operator asked this node to take no new calls.
    cordoned: AtomicBool,
    cluster: OnceLock<Arc<Cluster>>,
    /// A call has left the registry.
    closed: Notify,
    live: Mutex<LiveSettings>,
}

#[derive(Clone)]
struct LiveCall {
    channels: Channels,
    scope: TenantScope,
    carrier: String,
    carrier_ref: Option<String>,
    /// The conversation has ended; the task only writes what is left.
    is_over: bool,
}

/// Admits one media socket to one call, once.
struct Ticket {
    call: CallId,
    expires: Instant,
}

enum Plan {
    /// Says what is left to be said in the platform's own voice, and hangs up.
    HangUp {
        unsaid: Option<String>,
    },
    Transfer {
        to: PhoneNumber,
        tell: mpsc::Sender<HostMessage>,
    },
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No guarded section of this file can panic half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The way out for tools of businesses.
    pub(crate) fn tools_egress(&self) -> &Arc<egress::Egress> {
        self.tools_egress.get().unwrap_or(&self.egress)
    }

    /// What a call shares with its stages.
    pub(crate) fn call_context(&self, agent: &Arc<Agent>, call: &Call, tell: Tell) -> Arc<CallContext> {
        let bill = Bill::within(self.month(call.business), agent.providers.regions.clone());
        Arc::new(CallContext {
            board: Arc::clone(&self.board),
            agent: Arc::clone(agent),
            business: call.business,
            call: call.id,
            purse: self.purse(agent, &bill),
            bill,
            tell,
            answers: Arc::clone(&self.answers),
            embedders: self.services.embedders.clone(),
            search: self.services.search.clone(),
            events: Default::default(),
            is_spent: Default::default(),
        })
    }

    /// Whether a business has spent what it may in a month: what this process knows, and what the others have written.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn month_is_spent(&self, scope: &TenantScope) -> Result<bool, store::StoreError> {
        let Some(budget) = self.live().budgets.month else { return Ok(false) };
        let now_ms = crate::wall_ms();
        let written = written_this_month(self.store.as_ref(), scope, now_ms).await?;
        self.ledger.at_least(scope.business, crate::month_number(now_ms), written);
        Ok(Money::from_usd_micros(self.month(scope.business).load(Ordering::Relaxed)) >= budget)
    }

    fn month(&self, business: BusinessId) -> Arc<AtomicI64> {
        self.ledger.month(business, crate::month_number(crate::wall_ms()))
    }

    /// A bill that counts towards what its business has spent this month.
    pub(crate) fn bill(&self, business: BusinessId) -> Bill {
        Bill::in_month(self.month(business))
    }

    /// What a call of this agent may still spend.
    pub(crate) fn purse(&self, agent: &Agent, bill: &Bill) -> Purse {
        let budgets = self.live().budgets;
        let per_call = agent.providers.budget_call().or(budgets.call);
        Purse::new(bill.clone(), per_call, budgets.month.map(|budget| (self.month(agent.business), budget)))
    }

    /// The voice that speaks an agent's lines unless it fails.
    pub(crate) fn voice_of(&self, agent: &Arc<Agent>) -> Option<VoiceNow> {
        let bill = Bill::default();
        let context = CallContext {
            board: Arc::clone(&self.board),
            agent: Arc::clone(agent),
            business: agent.business,
            call: CallId(uuid::Uuid::nil()),
            purse: Purse::new(bill.clone(), None, None),
            bill,
            tell: Arc::new(|_| {}),
            answers: Arc::clone(&self.answers),
            embedders: Embedders::default(),
            search: None,
            events: Default::default(),
            is_spent: Default::default(),
        };
        Routes::new(&self.services, &Arc::new(context)).voice_now()
    }

    /// Asks the store what the business has spent this month: other nodes spend, too. The call does not wait for it.
    fn learn_spending(self: &Arc<Self>, scope: TenantScope) {
        if self.live().budgets.month.is_none() {
            return;
        }
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            let now_ms = crate::wall_ms();
            match written_this_month(shared.store.as_ref(), &scope, now_ms).await {
                Ok(spent) => shared.ledger.at_least(scope.business, crate::month_number(now_ms), spent),
                Err(error) => tracing::warn!(%error, "it is not known what the business has spent this month"),
            }
        });
    }

    pub(crate) fn journal(&self) -> Arc<dyn store::Journal> {
        Arc::clone(&self.store) as Arc<dyn store::Journal>
    }

    /// The carrier's webhooks and requests; `None` for carriers that are only a socket.
    pub(crate) fn control(&self, carrier: &str) -> Option<Arc<dyn CarrierControl>> {
        self.controls.get(carrier).cloned()
    }

    /// The lines of a carrier of this process.
    pub(crate) fn lines(&self, carrier: &str) -> Option<Arc<dyn Lines>> {
        lock(&self.lines).get(carrier).cloned()
    }

    pub(crate) fn add_lines(&self, carrier: &str, lines: Arc<dyn Lines>) {
        lock(&self.lines).insert(carrier.to_owned(), lines);
    }

    /// A call's conversation has ended: nobody joins it any more, though its task still writes.
    pub(crate) fn mark_over(&self, call: CallId) {
        if let Some(live) = lock(&self.calls).get_mut(&call) {
            live.is_over = true;
        }
    }

    /// How platforms reach us.
    pub(crate) fn reached_at(&self) -> String {
        self.settings.public_url.clone().unwrap_or_else(|| lock(&self.reached_at).clone())
    }

    fn note_reached_at(&self, base_url: &str) {
        if self.settings.public_url.is_none() && !base_url.is_empty() {
            base_url.clone_into(&mut lock(&self.reached_at));
        }
    }

    /// The call will tell a person about a caller.
    fn brief_in(&self, call: CallId, briefed: Briefed) {
        let now = Instant::now();
        let patience = Duration::from_millis(limits::CONSULT_UNKNOWN_MS_MAX);
        let mut waiting = lock(&self.briefed);
        waiting.retain(|_, (_, since)| now.duration_since(*since) < patience);
        waiting.insert(call, (briefed, now));
    }

    fn briefing_of(&self, call: CallId) -> Option<(Agent, mpsc::Sender<News>)> {
        let (Briefed { agent, news }, _) = lock(&self.briefed).remove(&call)?;
        Some((agent, news))
    }

    pub(crate) fn plan_hang_up(&self, carrier: &str, carrier_ref: &str, unsaid: Option<String>) {
        lock(&self.plans).insert((carrier.into(), carrier_ref.into()), Plan::HangUp { unsaid });
    }

    /// Forgets what the platform would be told. `false` when it has been told already.
    pub(crate) fn drop_plan(&self, carrier: &str, carrier_ref: &str) -> bool {
        lock(&self.plans).remove(&(carrier.to_owned(), carrier_ref.to_owned())).is_some()
    }

    pub(crate) fn plan_transfer(
        &self,
        carrier: &str,
        carrier_ref: &str,
        to: PhoneNumber,
        tell: mpsc::Sender<HostMessage>,
    ) {
        lock(&self.plans).insert((carrier.into(), carrier_ref.into()), Plan::Transfer { to, tell });
    }
}

/// Takes the call out of the registry, also when its task panics.
struct Listed(Arc<Shared>, CallId);

impl Drop for Listed {
    fn drop(&mut self) {
        let gone = lock(&self.0.calls).remove(&self.1);
        self.0.closed.notify_one();
        lock(&self.0.tickets).retain(|_, ticket| ticket.call != self.1);
        if let Some(carrier_ref) = gone.as_ref().and_then(|call| call.carrier_ref.clone()) {
            let key = (gone.map(|call| call.carrier).unwrap_or_default(), carrier_ref);
            // A transfer and last words may still have to be told to the platform; a mere hang-up is the default answer.
            let is_mere = |plan: &Plan| matches!(plan, Plan::HangUp { unsaid: None });
            lock(&self.0.plans).retain(|at, plan| *at != key || !is_mere(plan));
        }
    }
}

/// One process's calls. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

/// Why a call was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefuseReason {
    /// All slots for such calls are taken.
    #[error("all lines are taken")]
    Busy,
    /// The process is about to stop.
    #[error("this node is stopping")]
    Draining,
    /// The plan of the business allows no more calls.
    #[error("the plan of the business allows no more calls")]
    OverPlan(model::plan::OverPlan),
    /// The store cannot say who should answer.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

impl Node {
    /// A node with no calls.
    pub fn new(
        settings: NodeSettings,
        store: Arc<dyn Store>,
        services: Services,
        egress: Arc<egress::Egress>,
        controls: BTreeMap<String, Arc<dyn CarrierControl>>,
    ) -> Self {
        let live = LiveSettings {
            calls_max: settings.calls_max,
            inbound_reserve: settings.inbound_reserve,
            budgets: settings.budgets,
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let runtime = tokio::runtime::Handle::try_current().ok();
        let workers = runtime.as_ref().map_or(1, |runtime| runtime.metrics().num_workers());
        let admission = Arc::new(Admission::new(workers.min(cores)));
        if let Some(runtime) = &runtime {
            runtime.spawn(Admission::watch(Arc::downgrade(&admission)));
        }
        let spaces = services.spaces.clone();
        let node = Self {
            shared: Arc::new(Shared {
                settings,
                store,
                services,
                egress,
                tools_egress: OnceLock::new(),
                tasks: TaskTracker::new(),
                judging: Arc::new(Semaphore::new(cores)),
                reading: Arc::new(Semaphore::new(limits::READINGS_MAX)),
                previewing: Arc::new(Semaphore::new(limits::PREVIEWS_AT_ONCE_MAX)),
                phrases: Arc::default(),
                board: Arc::default(),
                ledger: Ledger::default(),
                answers: Arc::default(),
                controls,
                lines: Mutex::default(),
                calls: Mutex::default(),
                tickets: Mutex::default(),
                sound: Mutex::default(),
                plans: Mutex::default(),
                briefed: Mutex::default(),
                reached_at: Mutex::default(),
                admission,
                waiters: Arc::default(),
                draining: AtomicBool::new(false),
                cordoned: AtomicBool::new(false),
                cluster: OnceLock::new(),
                closed: Notify::new(),
                live: Mutex::new(live),
            }),
        };
        if let Some(spaces) = spaces {
            spaces.pay_from(&node.shared);
        }
        if let Some(runtime) = runtime {
            runtime.spawn(crate::queue::watch(Arc::downgrade(&node.shared)));
        }
        node
    }

    /// The node of these calls.
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Renders the lines of all agents ahead, now and whenever they have changed, so that the first call has them.
    pub fn keep_lines_warm(&self) {
        tokio::spawn(crate::phrases::sweep(Arc::downgrade(&self.shared)));
    }

    /// How providers do on this node, and what is switched.
    pub fn board(&self) -> &Arc<Board> {
        &self.shared.board
    }

    /// Where providers come from.
    pub fn catalog(&self) -> Option<&Arc<dyn Catalog>> {
        self.shared.services.catalog.as_ref()
    }

    /// Who serves a stage when an agent leaves it open, best first.
    pub fn installed(&self, stage: Stage) -> Vec<String> {
        let services = &self.shared.services;
        match stage {
            Stage::Stt => services.stt.iter().map(|one| one.name().to_owned()).collect(),
            Stage::Llm => services.brains.iter().map(|one| one.name().to_owned()).collect(),
            Stage::Tts => services.tts.iter().map(|one| one.name().to_owned()).collect(),
        }
    }

    /// What this business has spent this month, as far as this node knows.
    pub fn spent_this_month(&self, scope: &TenantScope) -> Money {
        let spent = self.shared.ledger.month(scope.business, crate::month_number(crate::wall_ms()));
        Money::from_usd_micros(spent.load(Ordering::Relaxed))
    }

    /// Where requests of businesses' tools may go, if that is less than the installation's own. Set before the first call.
    pub fn confine_tools(&self, egress: Arc<egress::Egress>) {
        // Whoever confines them twice means the first.
        let _ = self.shared.tools_egress.set(egress);
    }

    /// The way out for tools of businesses.
    pub(crate) fn tools_egress(&self) -> &Arc<egress::Egress> {
        self.shared.tools_egress()
    }

    /// Who writes mails; `None`: this installation sends none.
    pub fn mailer(&self) -> Option<&Mailer> {
        self.shared.services.mailer.as_ref()
    }

    /// The store behind the node.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// Calls in progress.
    pub fn calls_live(&self) -> usize {
        lock(&self.shared.calls).len()
    }

    /// Whether this carrier proves itself by signatures and tokens of its own.
    pub fn is_signed_carrier(&self, carrier: &str) -> bool {
        self.shared.controls.contains_key(carrier)
    }

    /// What the carrier of this name can do as it is set up here; nothing where there is no such carrier.
    pub fn capabilities(&self, carrier: &str) -> &'static [Capability] {
        let set_up = self.shared.controls.get(carrier).and_then(|control| control.capabilities());
        let known = || carriers::registry::descriptor(carrier).map_or(&[][..], |known| known.capabilities);
        set_up.unwrap_or_else(known)
    }

    /// Whether the process is about to stop.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire) || self.shared.cordoned.load(Ordering::Acquire)
    }

    /// Watches a live call of the tenant.
    pub fn watch(&self, scope: &TenantScope, call: CallId) -> Option<broadcast::Receiver<LiveEvent>> {
        let calls = lock(&self.shared.calls);
        calls.get(&call).filter(|live| live.scope == *scope).map(|live| live.channels.live.subscribe())
    }

    /// How a live call of the tenant is reached here, and what happens in it.
    pub(crate) fn channels(
        &self,
        scope: &TenantScope,
        call: CallId,
    ) -> Option<(Channels, broadcast::Receiver<LiveEvent>)> {
        let calls = lock(&self.shared.calls);
        let live = calls.get(&call).filter(|live| live.scope == *scope && !live.is_over)?;
        Some((live.channels.clone(), live.channels.live.subscribe()))
    }

    /// Gives a live call of the tenant an input. `false` when there is no such call.
    pub async fn tell(&self, scope: &TenantScope, call: CallId, input: Input) -> bool {
        let messages = {
            let calls = lock(&self.shared.calls);
            calls.get(&call).filter(|live| live.scope == *scope).map(|live| live.channels.messages.clone())
        };
        match messages {
            Some(messages) => messages.send(HostMessage::Input(input)).await.is_ok(),
            None => false,
        }
    }

    /// Exact admission: a call either gets a line now or is refused now.
    fn admit(&self, scope: &TenantScope, direction: Direction) -> Result<Slot, RefuseReason> {
        if self.is_draining() || !self.takes_calls() {
            return Err(RefuseReason::Draining);
        }
        let LiveSettings { calls_max, inbound_reserve, .. } = self.shared.live();
        let taken = self.shared.admission.take(scope.business, direction, Capacity { calls_max, inbound_reserve });
        taken.map_err(|why| {
            metrics::counter!("frontdesk_calls_refused_total", "reason" => why.name()).increment(1);
            RefuseReason::Busy
        })
    }

    /// A row for a new call.
    fn new_call(&self, scope: &TenantScope, agent: AgentId, direction: Direction, carrier: &str) -> Call {
        Call {
            id: CallId::generate(),
            business: scope.business,
            agent,
            conversation: ConversationId::generate(),
            direction,
            carrier: carrier.into(),
            carrier_ref: None,
            customer: None,
            number: None,
            state: CallState::Initiated,
            started_at_ms: crate::wall_ms(),
            answered_at_ms: None,
            ended_at_ms: None,
            ended_reason: None,
            recording: None,
            cost: base::Money::ZERO,
            agent_version: None,
        }
    }

    /// Spawns the task of a call, unless it has one: somebody may pick up before the platform has answered our request to
    /// dial, and a platform may ask twice. The caller has written its row.
    fn host(&self, slot: Slot, scope: TenantScope, call: Call, agent: &Agent, past: Vec<Record>) {
        self.host_as(slot, scope, call, agent, past, None);
    }

    /// The same, where a visitor of a website may have the call; says then whether they write.
    fn host_as(
        &self,
        slot: Slot,
        scope: TenantScope,
        call: Call,
        agent: &Agent,
        past: Vec<Record>,
        visit: Option<bool>,
    ) {
        let (briefing, news) = self.shared.briefing_of(call.id).unzip();
        let mut agent = briefing.unwrap_or_else(|| agent.clone());
        agent.brain = self.shared.services.resolve(&agent);
        self.shared.learn_spending(scope);
        let (id, carrier, carrier_ref) = (call.id, call.carrier.clone(), call.carrier_ref.clone());
        let mut calls = lock(&self.shared.calls);
        if calls.contains_key(&id) {
            return;
        }
        metrics::counter!("frontdesk_calls_total", "carrier" => carrier.clone(),
            "direction" => if call.direction == Direction::Inbound { "inbound" } else { "outbound" })
        .increment(1);
        let span = tracing::info_span!("call", call = %id, tenant = %scope.business, carrier = %carrier);
        let setup = CallSetup { call, agent: Arc::new(agent), scope, past, visit, news };
        let (host, channels) = CallHost::new(Arc::clone(&self.shared), setup);
        calls.insert(id, LiveCall { channels, scope, carrier, carrier_ref, is_over: false });
        drop(calls);
        let listed = Listed(Arc::clone(&self.shared), id);
        // Boxed: the future of a call is large, and the task should hold a pointer to it.
        let run = Box::pin(tracing::Instrument::instrument(host.run(), span));
        let cluster = self.cluster().cloned();
        self.shared.tasks.spawn(async move {
            let guards = (slot, listed);
            run.await;
            drop(guards);
            if let Some(cluster) = cluster {
                cluster.release(&scope, id).await;
            }
        });
    }

    /// A single-use token that admits one media socket to this call.
    fn ticket(&self, scope: &TenantScope, call: CallId) -> String {
        self.ticket_after(scope, call, Millis(0))
    }

    /// A ticket for a media socket that comes only after so much ringing.
    fn ticket_after(&self, scope: &TenantScope, call: CallId, ring: Millis) -> String {
        // 122 random bits of a version 4 id, and not the time.
        let token = format!("{}", uuid::Uuid::new_v4().as_simple());
        let token = self.cluster().map_or_else(|| token.clone(), |cluster| cluster.sign_ticket(&token, scope, call));
        let now = Instant::now();
        let expires = now + Duration::from_millis(limits::STREAM_TOKEN_MS_MAX) + ring.to_duration();
        let mut tickets = lock(&self.shared.tickets);
        tickets.retain(|_, ticket| ticket.expires > now);
        tickets.insert(token.clone(), Ticket { call, expires });
        token
    }

    /// Reports a state that a platform told us to the live call, or to its row when it is over.
    async fn report_state(&self, route: store::CallRoute, state: CallState) -> Result<(), store::StoreError> {
        let input = Input::Carrier(CarrierInput::State { state });
        if self.tell_anywhere(&route.scope, route.call.id, input.clone()).await.unwrap_or(false) {
            return Ok(());
        }
        self.until_written(route.call.id).await;
        let update = store::CallUpdate {
            state: Some(state),
            ended_at_ms: state.is_terminal().then(crate::wall_ms),
            ..store::CallUpdate::default()
        };
        self.shared.store.update_call(&route.scope, route.call.id, &update).await?;
        // The call may have begun to live here meanwhile.
        self.tell(&route.scope, route.call.id, input).await;
        Ok(())
    }
}

impl Node {
    /// Waits while the task of a call that is over writes what is left: its row is not to say that all is over before.
    async fn until_written(&self, call: CallId) {
        let until = Instant::now() + Duration::from_millis(limits::STATEMENT_MS_MAX);
        while lock(&self.shared.calls).contains_key(&call) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(limits::FRAME_MS)).await;
        }
    }
}

/// A platform that hides the caller sends an empty address.
fn customer_of(from: Option<Pii<String>>) -> Option<Pii<String>> {
    from.filter(|from| !from.expose().is_empty())
}
