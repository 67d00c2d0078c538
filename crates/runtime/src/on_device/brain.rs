//! The on-device brain as a service: one per business, over that business's documents, in memory while it is used.

use super::NAME;
use super::minds::{Mind, Minds};
use crate::service::{Bill, BrainService, BrainSession, KnowledgeSearch};
use base::{BusinessId, ErrorClass, Failure, limits};
use knowledge::gaps::Collector;
use local::language::Brain;
use local::language::gate::Verdict;
use local::language::knowledge::Made;
use local::language::phrases::recognise;
use model::generation::{ChatMessage, Citation, Finish, GenerationEvent, GenerationRequest};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};

/// Retrieve, rerank, gate, say it word for word.
pub struct LocalBrain {
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
}

struct Shared {
    minds: OnceLock<Arc<dyn Minds>>,
    loaded: Mutex<HashMap<BusinessId, Loaded>>,
    /// One business is loaded once, however many of its calls wait for it.
    loading: Mutex<HashMap<BusinessId, Arc<tokio::sync::Mutex<()>>>>,
    questions: Mutex<HashMap<BusinessId, Collector>>,
    began: Instant,
}

struct Loaded {
    mind: Mind,
    used: Instant,
}

impl LocalBrain {
    /// A service that knows no business yet.
    pub fn new(slots: Arc<Semaphore>) -> Self {
        let shared = Shared {
            minds: OnceLock::new(),
            loaded: Mutex::default(),
            loading: Mutex::default(),
            questions: Mutex::default(),
            began: Instant::now(),
        };
        Self { shared: Arc::new(shared), slots }
    }

    /// From now on, brains are loaded from here when they are asked for, and leave the memory when they are not. Said once.
    pub fn load_from(&self, minds: Arc<dyn Minds>) {
        if self.shared.minds.set(minds).is_ok() {
            self.tend();
        }
    }

    /// Sets or replaces what a business's agents answer from. Calls in progress use it from their next turn on.
    pub fn set(&self, business: BusinessId, brain: Arc<Brain>) {
        let revision = self.shared.revision(business) + 1;
        self.shared.keep(business, Mind { revision, brain, bytes: 0 });
    }

    /// Loads the brain of a business, so that the first question does not wait for it.
    ///
    /// # Errors
    /// When its documents cannot be loaded; says why.
    pub async fn load(&self, business: BusinessId) -> Result<(), String> {
        self.shared.mind(business).await.map(drop)
    }

    /// The brain of a business, loaded when it is not here.
    ///
    /// # Errors
    /// When its documents cannot be loaded; says why.
    pub async fn of(&self, business: BusinessId) -> Result<Arc<Brain>, String> {
        self.shared.mind(business).await
    }

    /// Does work of models on a thread of theirs, which calls share.
    ///
    /// # Errors
    /// When it panicked.
    pub async fn think<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|error| error.to_string())?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(slot);
            done
        });
        done.await.map_err(|_| "the model stopped".to_owned())
    }

    /// Looks after what is loaded until the service is dropped: documents that changed are loaded again beside the calls,
    /// brains that nobody asked for leave the memory, questions without an answer are kept.
    fn tend(&self) {
        let shared = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(limits::KNOWLEDGE_REVISION_MS));
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                let Some(shared) = shared.upgrade() else { return };
                shared.tend().await;
            }
        });
    }
}

impl Shared {
    fn all(&self) -> MutexGuard<'_, HashMap<BusinessId, Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn revision(&self, business: BusinessId) -> u64 {
        self.all().get(&business).map_or(0, |loaded| loaded.mind.revision)
    }

    fn here(&self, business: BusinessId) -> Option<Arc<Brain>> {
        let mut all = self.all();
        let loaded = all.get_mut(&business)?;
        loaded.used = Instant::now();
        Some(Arc::clone(&loaded.mind.brain))
    }

    /// Keeps a brain in memory, in place of those that were not used for longest when there is too much.
    fn keep(&self, business: BusinessId, mind: Mind) {
        let mut all = self.all();
        // A reload nobody asked for does not make a business used.
        let used = all.get(&business).map_or_else(Instant::now, |loaded| loaded.used);
        all.insert(business, Loaded { mind, used });
        let too_much = |all: &HashMap<BusinessId, Loaded>| {
            let bytes: usize = all.values().map(|loaded| loaded.mind.bytes).sum();
            all.len() > limits::KNOWLEDGE_BUSINESSES_LOADED_MAX || bytes > limits::KNOWLEDGE_BYTES_LOADED_MAX
        };
        while too_much(&all) {
            let others = all.iter().filter(|(id, _)| **id != business);
            let Some(oldest) = others.min_by_key(|(_, loaded)| loaded.used).map(|(id, _)| *id) else { break };
            all.remove(&oldest);
        }
    }

    /// The brain of a business, loaded when it is not here.
    async fn mind(&self, business: BusinessId) -> Result<Arc<Brain>, String> {
        if let Some(brain) = self.here(business) {
            return Ok(brain);
        }
        let minds = self.minds.get().ok_or("this business has no documents on this node")?;
        let turn = {
            let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(loading.entry(business).or_default())
        };
        let _turn = turn.lock().await;
        if let Some(brain) = self.here(business) {
            return Ok(brain);
        }
        let mind = minds.load(business).await;
        self.loading.lock().unwrap_or_else(PoisonError::into_inner).remove(&business);
        let mind = mind?;
        let brain = Arc::clone(&mind.brain);
        self.keep(business, mind);
        Ok(brain)
    }

    async fn made(&self, brain: &Arc<Brain>, questions: Vec<String>, bill: Bill) -> Made {
        match self.minds.get() {
            Some(minds) if !questions.is_empty() => minds.made(Arc::clone(brain), questions, bill).await,
            _ => Made::default(),
        }
    }

    async fn tend(&self) {
        self.settle();
        let Some(minds) = self.minds.get() else { return };
        let idle = Duration::from_millis(limits::KNOWLEDGE_IDLE_MS_MAX);
        let present: Vec<(BusinessId, u64)> = {
            let mut all = self.all();
            all.retain(|_, loaded| loaded.used.elapsed() < idle);
            all.iter().map(|(business, loaded)| (*business, loaded.mind.revision)).collect()
        };
        metrics::gauge!("frontdesk_knowledge_loaded").set(present.len() as f64);
        for (business, revision) in present {
            if minds.revision(business).await.is_none_or(|now| now == revision) {
                continue;
            }
            match minds.load(business).await {
                Ok(mind) => self.keep(business, mind),
                Err(error) => tracing::warn!(error, "changed documents cannot be loaded; the old ones serve"),
            }
        }
    }

    /// Notes that a question was answered or declined.
    fn asked(&self, business: BusinessId, question: &str, declined: bool) {
        if self.minds.get().is_none() || recognise(question).is_some() {
            return;
        }
        let now_ms = self.now_ms();
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = questions.entry(business).or_default().asked(now_ms, question, declined);
        drop(questions);
        self.unanswered(business, settled);
    }

    fn settle(&self) {
        let now_ms = self.now_ms();
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let settled: Vec<(BusinessId, Vec<String>)> =
            questions.iter_mut().map(|(business, collector)| (*business, collector.settled(now_ms))).collect();
        questions.retain(|_, collector| !collector.is_empty());
        drop(questions);
        for (business, questions) in settled {
            self.unanswered(business, questions);
        }
    }

    fn unanswered(&self, business: BusinessId, questions: Vec<String>) {
        let Some(minds) = self.minds.get() else { return };
        for question in questions {
            tokio::spawn(minds.unanswered(business, question));
        }
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

impl BrainService for LocalBrain {
    fn name(&self) -> &str {
        NAME
    }

    fn generate(&self, business: BusinessId, request: GenerationRequest) -> BrainSession {
        self.generate_billed(business, request, &Bill::default())
    }

    fn generate_billed(&self, business: BusinessId, request: GenerationRequest, bill: &Bill) -> BrainSession {
        let bill = bill.clone();
        let (outbox, events) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
        let (shared, slots) = (Arc::clone(&self.shared), Arc::clone(&self.slots));
        tokio::spawn(async move {
            let question = match request.messages.last() {
                Some(ChatMessage::Customer { text }) => Some(text.expose().clone()),
                _ => None,
            };
            let answer = match shared.mind(business).await {
                Ok(brain) => {
                    // Before a thread for models is taken: nobody waits for a network there.
                    let made = shared.made(&brain, brain.lookups(&request), bill).await;
                    think(brain, slots, request, made).await
                }
                Err(why) => Err(Failure::new(ErrorClass::Internal, why)),
            };
            if let (Some(question), Ok(events)) = (question, &answer) {
                let declined =
                    |event: &GenerationEvent| matches!(event, GenerationEvent::Done { finish: Finish::Declined });
                shared.asked(business, &question, events.iter().any(declined));
            }
            for event in answer.unwrap_or_else(|failure| vec![GenerationEvent::Failed(failure)]) {
                if outbox.send(event).await.is_err() {
                    return; // Cancelled.
                }
            }
        });
        BrainSession { events }
    }
}

async fn think(
    brain: Arc<Brain>,
    slots: Arc<Semaphore>,
    request: GenerationRequest,
    made: Made,
) -> Result<Vec<GenerationEvent>, Failure> {
    let closed = |_| Failure::new(ErrorClass::Internal, "the model threads are gone");
    let slot = slots.acquire_owned().await.map_err(closed)?;
    let answer = tokio::task::spawn_blocking(move || {
        let answer = brain.answer_with(&request, &made);
        drop(slot);
        answer
    });
    answer.await.map_err(|_| Failure::new(ErrorClass::Internal, "the brain stopped"))
}

impl KnowledgeSearch for LocalBrain {
    fn version(&self, business: BusinessId) -> u64 {
        self.shared.revision(business)
    }

    fn search(&self, business: BusinessId, query: &str, bill: &Bill) -> Vec<Citation> {
        let ready = async {
            let brain = self.shared.mind(business).await?;
            let is_further = brain.knowledge().further_space().is_some();
            let questions = is_further.then(|| query.to_owned()).into_iter().collect();
            let made = self.shared.made(&brain, questions, bill.clone()).await;
            Ok((brain, made))
        };
        // On a thread for blocking work, as the contract of the service says.
        let ready = match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime.block_on(ready),
            Err(error) => {
                self.shared.here(business).map(|brain| (brain, Made::default())).ok_or_else(|| error.to_string())
            }
        };
        let search =
            |(brain, made): (Arc<Brain>, Made)| brain.search_with(query, &made).map_err(|error| error.to_string());
        let found = ready.and_then(search);
        match found {
            Ok(found) => {
                let declined = found.verdict == Verdict::Decline;
                self.shared.asked(business, query, declined);
                found.passage.into_iter().filter(|_| !declined).collect()
            }
            Err(error) => {
                tracing::warn!(error, "a search in the documents failed");
                Vec::new()
            }
        }
    }
}
