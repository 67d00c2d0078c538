//! Who may serve a stage of one call, best first, and what the call remembers of them. The order is decided when a call
//! begins and again when something was switched or saving went a step further; within a call it sticks to who serves.

use super::board::{Board, LaneKey};
use super::health::Admission;
use super::plan::{self, Candidate, Wish};
use super::trial;
use crate::answers::Answers;
use crate::bill::Purse;
use crate::reading::Embedders;
use crate::service::{Bill, BrainService, KnowledgeSearch, SttService, TtsService};
use base::{BusinessId, CallId, ErrorClass, Failure, limits};
use engine::io::HostInput;
use futures_util::future::BoxFuture;
use model::agent::{Agent, BrainChoice};
use model::journal::Routed;
use model::routing::{ProviderChoice, Saving, Stage, Switches};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tells the call of a decision, for its journal.
pub(crate) type Tell = Arc<dyn Fn(HostInput) + Send + Sync>;

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No guarded section of this file can panic half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the stages of one call share.
pub(crate) struct CallContext {
    pub(crate) board: Arc<Board>,
    pub(crate) agent: Arc<Agent>,
    pub(crate) business: BusinessId,
    pub(crate) call: CallId,
    pub(crate) bill: Bill,
    pub(crate) purse: Purse,
    pub(crate) tell: Tell,
    /// Answers that were given before, in all calls of the node.
    pub(crate) answers: Arc<Answers>,
    /// Who finds out what a question means.
    pub(crate) embedders: Embedders,
    pub(crate) search: Option<Arc<dyn KnowledgeSearch>>,
    pub(crate) events: AtomicU32,
    pub(crate) is_spent: AtomicBool,
}

impl CallContext {
    fn tell(&self, input: HostInput) {
        if self.events.fetch_add(1, Ordering::Relaxed) < limits::ROUTE_EVENTS_PER_CALL_MAX {
            (self.tell)(input);
        }
    }

    /// How far saving goes now. A new step is told and counted.
    pub(crate) fn saving(&self) -> Saving {
        let (step, reached) = self.purse.look();
        if let Some(budget) = reached {
            metrics::counter!("frontdesk_savings_total", "budget" => budget.name(), "step" => step.name()).increment(1);
            tracing::warn!(budget = budget.name(), step = step.name(), spent = %self.bill.total(), "saving");
            self.tell(HostInput::Saving { step, budget });
        }
        step
    }

    /// Nothing free is left to ask: the call is closed politely.
    fn close(&self) {
        if !self.is_spent.swap(true, Ordering::Relaxed) {
            (self.tell)(HostInput::BudgetExhausted);
        }
    }

    /// Second opinions have a bound in number and in money, and end with the second step of saving.
    fn may_hedge(&self, hedges: u32) -> bool {
        let cost_max = (self.bill.total().usd_micros / 10).max(limits::HEDGE_COST_USD_MICROS_MAX);
        let is_affordable = self.bill.hedged().usd_micros <= cost_max;
        hedges < limits::HEDGES_PER_CALL_MAX && is_affordable && self.purse.look().0 < Saving::Shorter
    }
}

/// A service of a stage, as far as the router needs to know it.
pub(crate) trait StageService: Send + Sync + 'static {
    const STAGE: Stage;
    /// A small task, off any call.
    fn trial(
        self: Arc<Self>,
        business: BusinessId,
        choice: ProviderChoice,
        language: String,
    ) -> BoxFuture<'static, trial::Outcome>;
}

impl StageService for dyn SttService {
    const STAGE: Stage = Stage::Stt;
    fn trial(
        self: Arc<Self>,
        _: BusinessId,
        choice: ProviderChoice,
        language: String,
    ) -> BoxFuture<'static, trial::Outcome> {
        let language = choice.language.unwrap_or(language);
        Box::pin(async move { trial::hear(self.as_ref(), &language, &Bill::default()).await })
    }
}

impl StageService for dyn TtsService {
    const STAGE: Stage = Stage::Tts;
    fn trial(
        self: Arc<Self>,
        _: BusinessId,
        choice: ProviderChoice,
        language: String,
    ) -> BoxFuture<'static, trial::Outcome> {
        let language = choice.language.unwrap_or(language);
        Box::pin(async move { trial::speak(self.as_ref(), &language, choice.voice, &Bill::default()).await })
    }
}

impl StageService for dyn BrainService {
    const STAGE: Stage = Stage::Llm;
    fn trial(
        self: Arc<Self>,
        business: BusinessId,
        choice: ProviderChoice,
        language: String,
    ) -> BoxFuture<'static, trial::Outcome> {
        Box::pin(async move {
            let brain = BrainChoice::Llm { provider: Some(choice.name), model: choice.model };
            trial::think(self.as_ref(), business, brain, &language, &Bill::default()).await
        })
    }
}

/// One provider as a call may use it.
pub(crate) struct Lane<S: ?Sized> {
    /// What fails together with it.
    pub(crate) key: LaneKey,
    /// Its name, and its settings for this call: model, voice, language.
    pub(crate) choice: ProviderChoice,
    pub(crate) service: Arc<S>,
    is_free: bool,
    /// Tells it from the same provider with other settings.
    id: Arc<str>,
}

impl<S: ?Sized> Lane<S> {
    fn new(at: usize, candidate: &Candidate, key: LaneKey, service: Arc<S>) -> Self {
        let choice = candidate.choice.clone();
        let voice = choice.voice.as_deref().unwrap_or_default();
        let id = format!("{} {} {voice} {}", key.provider, key.model, at).into();
        Self { key, choice, service, is_free: candidate.facts.is_free(), id }
    }
}

/// One provider that may serve, with what makes it one.
pub(crate) struct Pooled<S: ?Sized> {
    pub(crate) candidate: Candidate,
    pub(crate) key: LaneKey,
    pub(crate) service: Arc<S>,
}

/// Everybody whom a stage may ask now, as written. Depends on what is switched, because an operator may bring in somebody
/// whom no agent has named.
pub(crate) type Pool<S> = Box<dyn Fn(&Switches) -> Vec<Pooled<S>> + Send + Sync>;

/// See the module. Clones are the same roster.
pub(crate) struct Roster<S: ?Sized>(Arc<Inner<S>>);

impl<S: ?Sized> Clone for Roster<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<S: ?Sized> {
    context: Arc<CallContext>,
    pool: Pool<S>,
    now: Mutex<Option<Now<S>>>,
    memory: Arc<Mutex<Memory>>,
}

struct Now<S: ?Sized> {
    switches: Arc<Switches>,
    saving: Saving,
    lanes: Arc<[Lane<S>]>,
}

/// Who may be asked, in one use of the stage.
pub(crate) struct Line<S: ?Sized> {
    pub(crate) lanes: Arc<[Lane<S>]>,
    pub(crate) standing: Standing,
    pub(crate) saving: Saving,
}

impl<S: ?Sized> Line<S> {
    /// Name and model of the first one.
    pub(crate) fn first_name(&self) -> String {
        let first = self.standing.order().first().and_then(|at| self.lanes.get(*at));
        first.map(|lane| format!("{} {}", lane.key.provider, lane.key.model)).unwrap_or_default()
    }

    /// Whether the first one costs nothing.
    pub(crate) fn is_free(&self) -> bool {
        let first = self.standing.order().first().copied();
        first.and_then(|at| self.lanes.get(at)).is_some_and(|lane| lane.is_free)
    }
}

impl<S: StageService + ?Sized> Roster<S> {
    pub(crate) fn new(context: Arc<CallContext>, pool: Pool<S>) -> Self {
        let memory = Memory::new(S::STAGE);
        Self(Arc::new(Inner { context, pool, now: Mutex::new(None), memory: Arc::new(Mutex::new(memory)) }))
    }

    /// Who may be asked now.
    pub(crate) fn line(&self) -> Line<S> {
        let context = &self.0.context;
        let (switches, saving) = (context.board.switches(), context.saving());
        let mut now = lock(&self.0.now);
        let fresh = match now.take() {
            Some(known) if known.saving == saving && Arc::ptr_eq(&known.switches, &switches) => known,
            before => {
                let lanes = self.decide(&switches, saving);
                let same = before.as_ref().is_some_and(|before| ids(&before.lanes) == ids(&lanes));
                if let (Some(before), false) = (&before, same) {
                    let why = if before.saving == saving { "switched" } else { "saving" };
                    lock(&self.0.memory).reorder(why);
                }
                Now { switches, saving, lanes }
            }
        };
        let lanes = Arc::clone(&fresh.lanes);
        *now = Some(fresh);
        drop(now);
        self.begin_trials(&lanes);
        let keys = lanes.iter().map(|lane| (Arc::clone(&lane.id), lane.key.clone())).collect();
        let standing = Standing { memory: Arc::clone(&self.0.memory), keys, context: Arc::clone(context) };
        Line { lanes, standing, saving }
    }

    /// Whether somebody else would be asked first if the stage were used anew, because of the operator or a budget.
    pub(crate) fn is_superseded(&self, served_by: &Lane<S>) -> bool {
        let line = self.line();
        if !lock(&self.0.memory).is_reordered {
            return false;
        }
        let is_served = |lane: &Lane<S>| lane.key == served_by.key && lane.choice == served_by.choice;
        let first = line.standing.order().first().copied();
        match first.and_then(|at| line.lanes.get(at).map(|lane| (at, lane))) {
            Some((at, lane)) if is_served(lane) => {
                line.standing.serves(at, None);
                false
            }
            first => first.is_some(),
        }
    }

    pub(crate) fn context(&self) -> &Arc<CallContext> {
        &self.0.context
    }

    fn decide(&self, switches: &Switches, saving: Saving) -> Arc<[Lane<S>]> {
        let context = &self.0.context;
        let pool = (self.0.pool)(switches);
        let candidates: Vec<Candidate> = pool.iter().map(|one| one.candidate.clone()).collect();
        let wish = Wish {
            stage: S::STAGE,
            call: context.call,
            language: &context.agent.language,
            agent: &context.agent.providers,
            switches,
            saving,
        };
        let plan = plan::plan(&wish, &candidates);
        for (at, why) in &plan.out {
            let provider = &candidates[*at].choice.name;
            tracing::debug!(stage = S::STAGE.name(), provider, why = why.name(), "a provider does not serve this call");
        }
        let is_costly = |at: &usize| !candidates[*at].facts.is_free();
        if saving == Saving::FreeOnly && S::STAGE != Stage::Stt && plan.order.iter().all(is_costly) {
            context.close();
        }
        let mut pool: Vec<Option<Pooled<S>>> = pool.into_iter().map(Some).collect();
        let taken = plan.order.into_iter().filter_map(|at| pool[at].take().map(|one| (at, one)));
        taken.map(|(at, one)| Lane::new(at, &one.candidate, one.key, one.service)).collect()
    }

    /// Who is half open is tried beside the call, which asks somebody else meanwhile.
    fn begin_trials(&self, lanes: &Arc<[Lane<S>]>) {
        let context = &self.0.context;
        if lanes.len() < 2 {
            return; // It is asked anyway.
        }
        for lane in lanes.iter() {
            if context.board.admission(&lane.key) != Admission::Trial || !context.board.begin_trial(&lane.key) {
                continue;
            }
            let (board, key) = (Arc::clone(&context.board), lane.key.clone());
            let language = context.agent.language.clone();
            let trial = Arc::clone(&lane.service).trial(context.business, lane.choice.clone(), language);
            tokio::spawn(async move {
                let (stage, provider) = (key.stage.name(), key.provider.clone());
                let outcome = trial.await;
                let word = if outcome.is_ok() { "ok" } else { "failed" };
                metrics::counter!("frontdesk_trials_total", "stage" => stage, "provider" => provider, "outcome" => word)
                    .increment(1);
                match outcome {
                    Ok(took) => board.praise(&key, Some(took.0)),
                    Err(failure) => board.blame(&key, &failure),
                }
            });
        }
    }
}

fn ids<S: ?Sized>(lanes: &[Lane<S>]) -> Vec<&str> {
    lanes.iter().map(|lane| &*lane.id).collect()
}

/// What a call remembers of the providers of one stage.
#[derive(Debug)]
struct Memory {
    stage: Stage,
    failures: HashMap<Arc<str>, u32>,
    /// Who serves now, until it fails.
    current: Option<Arc<str>>,
    /// Of whom the call was told last.
    told: Option<Arc<str>>,
    /// Why the next one will serve.
    why: Option<&'static str>,
    /// Who serves was decided anew and has not served yet.
    is_reordered: bool,
    hedges: u32,
}

impl Memory {
    fn new(stage: Stage) -> Self {
        Self { stage, failures: HashMap::new(), current: None, told: None, why: None, is_reordered: false, hedges: 0 }
    }

    fn reorder(&mut self, why: &'static str) {
        self.current = None;
        self.why = Some(why);
        self.is_reordered = true;
        if why == "switched" {
            // The operator knows better than what this call has seen.
            self.failures.clear();
        }
    }

    fn failures(&self, id: &str) -> u32 {
        self.failures.get(id).copied().unwrap_or_default()
    }
}

/// The memory of a call, for those who may be asked in one use of a stage. Providers are named by their place in the line.
#[derive(Clone)]
pub(crate) struct Standing {
    memory: Arc<Mutex<Memory>>,
    keys: Arc<[(Arc<str>, LaneKey)]>,
    context: Arc<CallContext>,
}

impl Standing {
    pub(crate) fn stage(&self) -> &'static str {
        lock(&self.memory).stage.name()
    }

    /// In which order to ask: who is passed over by all calls comes after all who are not, who has failed in this call
    /// after all who have not, and who serves stays.
    pub(crate) fn order(&self) -> Vec<usize> {
        let closed: Vec<bool> =
            self.keys.iter().map(|(_, key)| self.context.board.admission(key) == Admission::Yes).collect();
        let memory = lock(&self.memory);
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        order.sort_by_key(|at| {
            let id = &self.keys[*at].0;
            (!closed[*at], memory.failures(id), memory.current.as_ref() != Some(id))
        });
        order
    }

    /// This one serves from now on. `why` matters when it is not the one before.
    pub(crate) fn serves(&self, provider: usize, why: Option<&'static str>) {
        let Some((id, key)) = self.keys.get(provider) else { return };
        let mut memory = lock(&self.memory);
        memory.current = Some(Arc::clone(id));
        memory.is_reordered = false;
        if memory.told.as_ref() == Some(id) {
            return;
        }
        let first = if provider == 0 { "chosen" } else { "breaker_open" };
        let usual = if memory.told.is_none() { first } else { "better" };
        let remembered = memory.why.take();
        let why = why.or(remembered).unwrap_or(usual);
        memory.told = Some(Arc::clone(id));
        let stage = memory.stage;
        drop(memory);
        metrics::counter!("frontdesk_routes_total", "stage" => stage.name(), "provider" => key.provider.clone(), "reason" => why)
            .increment(1);
        tracing::info!(stage = stage.name(), provider = key.provider, model = key.model, why, "serves from now on");
        let routed = Routed { stage, provider: key.provider.clone(), reason: why.to_owned() };
        self.context.tell(HostInput::Routed(routed));
    }

    /// How long it takes of late, over all calls.
    pub(crate) fn latency_ms(&self, provider: usize) -> Option<u64> {
        self.keys.get(provider).and_then(|(_, key)| self.context.board.latency_ms(key))
    }

    /// It did what it should; the first of it came after this time.
    pub(crate) fn praise(&self, provider: usize, latency_ms: u64) {
        if let Some((_, key)) = self.keys.get(provider) {
            self.context.board.praise(key, Some(latency_ms));
        }
    }

    pub(crate) fn blame(&self, provider: usize, failure: &Failure) {
        let Some((id, key)) = self.keys.get(provider) else { return };
        {
            let mut memory = lock(&self.memory);
            *memory.failures.entry(Arc::clone(id)).or_default() += 1;
            memory.current.take_if(|current| *current == *id);
            memory.why = Some(failure.class.name());
        }
        self.context.board.blame(key, failure);
    }

    /// It was slower than somebody who was asked later.
    pub(crate) fn blame_late(&self, provider: usize) {
        self.blame(provider, &Failure::new(ErrorClass::Timeout, "another one was faster"));
    }

    pub(crate) fn blame_current(&self, class: ErrorClass) {
        let current = lock(&self.memory).current.clone();
        let place = current.and_then(|current| self.keys.iter().position(|(id, _)| *id == current));
        if let Some(provider) = place {
            self.blame(provider, &Failure::new(class, "the call gave up on it"));
        }
    }

    /// Somebody else stands at least as well as this one.
    pub(crate) fn has_better_than(&self, provider: usize) -> bool {
        let own = self.keys.get(provider).map(|(id, _)| Arc::clone(id));
        let others = self.keys.iter().enumerate().filter(|(at, _)| *at != provider);
        let open: Vec<_> = others.filter(|(_, (_, key))| self.context.board.admission(key) == Admission::Yes).collect();
        let memory = lock(&self.memory);
        let own = own.map_or(0, |id| memory.failures(&id));
        open.into_iter().any(|(_, (id, _))| memory.failures(id) <= own)
    }

    pub(crate) fn may_hedge(&self) -> bool {
        self.context.may_hedge(lock(&self.memory).hedges)
    }

    pub(crate) fn hedged(&self) {
        lock(&self.memory).hedges += 1;
    }

    /// The bill of the call, for one provider.
    pub(crate) fn bill(&self, bill: &Bill, provider: usize, is_hedge: bool) -> Bill {
        match self.keys.get(provider) {
            Some((_, key)) => bill.under(key.stage, &key.provider, is_hedge),
            None => bill.clone(),
        }
    }
}

#[cfg(test)]
impl CallContext {
    /// A call of the demonstration's agent.
    pub(crate) fn of(
        board: &Arc<Board>,
        budget: Option<base::Money>,
        tell: impl Fn(HostInput) + Send + Sync + 'static,
    ) -> Self {
        let bill = Bill::default();
        Self {
            board: Arc::clone(board),
            agent: Arc::new(engine::scenario::demo_agent()),
            business: BusinessId::generate(),
            call: CallId::generate(),
            purse: Purse::new(bill.clone(), budget, None),
            bill,
            tell: Arc::new(tell),
            answers: Arc::default(),
            embedders: Embedders::default(),
            search: None,
            events: AtomicU32::new(0),
            is_spent: AtomicBool::new(false),
        }
    }
}

#[cfg(test)]
impl<S: StageService + ?Sized> Roster<S> {
    /// Always these, in this order.
    pub(crate) fn fixed(chain: Vec<Arc<S>>) -> Self {
        Self::fixed_in(CallContext::of(&Arc::default(), None, |_| {}), chain)
    }

    /// Always these, in this order, in this call.
    pub(crate) fn fixed_in(context: CallContext, chain: Vec<Arc<S>>) -> Self {
        let pooled = move |_: &Switches| {
            let one = |(at, service): (usize, &Arc<S>)| {
                let choice = ProviderChoice::named(format!("played-{at}"));
                let key =
                    LaneKey { stage: S::STAGE, provider: choice.name.clone(), model: String::new(), account: None };
                // The later, the cheaper, and the last one is free.
                let left = i64::try_from(chain.len() - at - 1).unwrap_or(0);
                let facts =
                    super::Facts { minute: Some(base::Money::from_usd_micros(left)), ..super::Facts::unknown() };
                Pooled { candidate: Candidate { choice, facts, latency_ms: None }, key, service: Arc::clone(service) }
            };
            chain.iter().enumerate().map(one).collect()
        };
        Self::new(Arc::new(context), Box::new(pooled))
    }
}
