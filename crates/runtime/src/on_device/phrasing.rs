//! The default brain with a small language model behind it: the brain finds, decides and cites; the model may say a cited
//! passage in other words. Whenever it is late, busy, wrong or in doubt, the passage is spoken as it stands.

use crate::service::{Bill, BrainService, BrainSession};
use base::{BusinessId, limits};
use local::language::phrasing::{Phrasing, replace_text};
use model::generation::{Finish, GenerationEvent, GenerationRequest, TokenUsage};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};

/// A model that was late this often in a row is too slow for this machine as it is now: waiting for it costs the caller time
/// and brings nothing.
const LATE_IN_A_ROW_MAX: u32 = 3;
/// Passages that are then spoken as they stand before the model is tried again.
const REST_PASSAGES: u32 = 20;

/// Registry name of the brain that phrases with a model on this machine.
pub const GGUF_NAME: &str = "gguf";

/// A language model that blocks the thread it is called on.
pub trait TextModel: Send + Sync {
    /// Answers the last message: `Started`, `Text`, `Usage`, `Done`, or `Failed`. Stops soon after `emit` returned false or
    /// `cancelled` became true.
    fn generate(
        &self,
        request: &GenerationRequest,
        cancelled: &Arc<AtomicBool>,
        emit: &mut dyn FnMut(GenerationEvent) -> bool,
    );
}

/// Retrieve, rerank, gate; then, for one cited passage, a sentence of a model's own if it stands the check.
pub struct PhrasingBrain {
    brain: Arc<dyn BrainService>,
    model: Arc<dyn TextModel>,
    /// One generation at a time: two on one model would both be late.
    free: Arc<Semaphore>,
    slots: Arc<Semaphore>,
    pace: Arc<Pace>,
    within: Duration,
}

impl PhrasingBrain {
    /// Over the brain that decides. `slots` are the processor's, shared with the other models.
    pub fn new(brain: Arc<dyn BrainService>, model: Arc<dyn TextModel>, slots: Arc<Semaphore>) -> Self {
        let within = Duration::from_millis(limits::PHRASING_MS_MAX);
        Self { brain, model, free: Arc::new(Semaphore::new(1)), slots, pace: Arc::default(), within }
    }

    /// With another deadline, counted from the request.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }
}

impl BrainService for PhrasingBrain {
    fn name(&self) -> &str {
        GGUF_NAME
    }

    fn generate(&self, business: BusinessId, request: GenerationRequest) -> BrainSession {
        self.generate_billed(business, request, &Bill::default())
    }

    fn generate_billed(&self, business: BusinessId, request: GenerationRequest, bill: &Bill) -> BrainSession {
        let (outbox, events) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
        let by = Instant::now() + self.within;
        let inner = self.brain.generate_billed(business, request.clone(), bill);
        let pen = Pen {
            model: Arc::clone(&self.model),
            free: Arc::clone(&self.free),
            slots: Arc::clone(&self.slots),
            pace: Arc::clone(&self.pace),
        };
        tokio::spawn(async move {
            tokio::select! {
                () = answer(inner, pen, request, by, &outbox) => {}
                () = outbox.closed() => {} // Called off: dropping the rest stops brain and model.
            }
        });
        BrainSession { events }
    }
}

/// What phrasing takes.
struct Pen {
    model: Arc<dyn TextModel>,
    free: Arc<Semaphore>,
    slots: Arc<Semaphore>,
    pace: Arc<Pace>,
}

/// How the model keeps up, over all calls.
#[derive(Default)]
struct Pace {
    late_in_a_row: AtomicU32,
    rest: AtomicU32,
}

impl Pace {
    /// Whether this passage is one of those that go without the model.
    fn rests(&self) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        self.rest.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less).is_ok()
    }

    fn in_time(&self) {
        self.late_in_a_row.store(0, Ordering::Release);
    }

    fn late(&self) {
        if self.late_in_a_row.fetch_add(1, Ordering::AcqRel) + 1 >= LATE_IN_A_ROW_MAX {
            self.in_time();
            self.rest.store(REST_PASSAGES, Ordering::Release);
            tracing::warn!("the language model is too slow here; passages are spoken word for word for a while");
        }
    }
}

async fn answer(
    mut inner: BrainSession,
    pen: Pen,
    request: GenerationRequest,
    by: Instant,
    outbox: &mpsc::Sender<GenerationEvent>,
) {
    let mut answer = Vec::new();
    while let Some(event) = inner.events.recv().await {
        answer.push(event);
        if answer.len() >= limits::EVENTS_PER_MESSAGE_MAX {
            break; // Longer than any passage: it goes on as it comes.
        }
    }
    let phrased = match Phrasing::of(&request, &answer) {
        Some(phrasing) => phrase(&pen, &phrasing, by).await,
        None => None,
    };
    if let Some((said, usage)) = phrased {
        let done = answer.pop();
        answer = replace_text(answer, &said);
        answer.extend(usage.map(GenerationEvent::Usage));
        answer.extend(done);
    }
    for event in answer {
        if outbox.send(event).await.is_err() {
            return;
        }
    }
    while let Some(event) = inner.events.recv().await {
        if outbox.send(event).await.is_err() {
            return;
        }
    }
}

/// The passage in other words; `None`, with the reason in the log, when it is to be spoken as it stands.
async fn phrase(pen: &Pen, phrasing: &Phrasing, by: Instant) -> Option<(String, Option<TokenUsage>)> {
    let verbatim = |reason: &str| tracing::debug!(reason, "a passage is spoken word for word");
    if pen.pace.rests() {
        verbatim("resting");
        return None;
    }
    let (Ok(free), Ok(slot)) = (Arc::clone(&pen.free).try_acquire_owned(), Arc::clone(&pen.slots).try_acquire_owned())
    else {
        verbatim("busy");
        return None;
    };
    let cancel = CancelOnDrop(Arc::default());
    let (model, request, cancelled) = (Arc::clone(&pen.model), phrasing.request(), Arc::clone(&cancel.0));
    let writing = tokio::task::spawn_blocking(move || {
        let mut written = Written::default();
        model.generate(&request, &cancelled, &mut |event| written.take(event));
        drop((free, slot));
        written
    });
    let written = match timeout_at(by, writing).await {
        Ok(Ok(written)) => written,
        Ok(Err(_)) => {
            tracing::warn!("the language model stopped; passages are spoken word for word");
            return None;
        }
        Err(_) => {
            verbatim("late");
            pen.pace.late();
            return None;
        }
    };
    pen.pace.in_time();
    let Some(finish) = written.finish else {
        verbatim("failed");
        return None;
    };
    match phrasing.check(&written.text, finish) {
        Ok(()) => Some((written.text, written.usage)),
        Err(doubt) => {
            verbatim(doubt.name());
            None
        }
    }
}

/// A generation that nobody waits for any more ends at its next token.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[derive(Default)]
struct Written {
    text: String,
    usage: Option<TokenUsage>,
    finish: Option<Finish>,
}

impl Written {
    fn take(&mut self, event: GenerationEvent) -> bool {
        match event {
            GenerationEvent::Text { delta } => self.text.push_str(&delta),
            GenerationEvent::Usage(usage) => self.usage = Some(usage),
            GenerationEvent::Done { finish } => self.finish = Some(finish),
            GenerationEvent::Failed(failure) => tracing::warn!(why = failure.detail, "the language model failed"),
            GenerationEvent::Started
            | GenerationEvent::ToolCall { .. }
            | GenerationEvent::NeedSlot(_)
            | GenerationEvent::Cited { .. } => {}
        }
        self.text.len() <= limits::GENERATION_CHARS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{ErrorClass, Failure};
    use model::agent::BrainChoice;
    use model::generation::{ChatMessage, Citation};

    const PASSAGE: &str = "Returns cost 20 euros.";

    struct Scripted(Vec<GenerationEvent>);

    impl BrainService for Scripted {
        fn name(&self) -> &str {
            "local"
        }

        fn generate(&self, _business: BusinessId, _request: GenerationRequest) -> BrainSession {
            let (outbox, events) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
            self.0.iter().for_each(|event| outbox.try_send(event.clone()).expect("room"));
            BrainSession { events }
        }
    }

    /// What the model does: says this, fails, or writes until it is called off.
    enum Fake {
        Says(&'static str),
        Fails,
        Hangs(mpsc::Sender<()>),
        Panics,
    }

    impl TextModel for Fake {
        fn generate(
            &self,
            request: &GenerationRequest,
            cancelled: &Arc<AtomicBool>,
            emit: &mut dyn FnMut(GenerationEvent) -> bool,
        ) {
            assert!(matches!(&request.messages[1], ChatMessage::Customer { text } if text.expose().contains(PASSAGE)));
            assert!(emit(GenerationEvent::Started));
            match self {
                Self::Says(text) => {
                    emit(GenerationEvent::Text { delta: (*text).into() });
                    emit(GenerationEvent::Usage(TokenUsage { input: 9, cached: 5, cache_writes: 0, output: 3 }));
                    emit(GenerationEvent::Done { finish: Finish::Stop });
                }
                Self::Fails => {
                    emit(GenerationEvent::Failed(Failure::new(ErrorClass::Internal, "broken")));
                }
                Self::Hangs(ended) => {
                    while !cancelled.load(Ordering::Acquire) {
                        std::thread::yield_now();
                    }
                    let _ = ended.try_send(()); // The test may have ended.
                }
                Self::Panics => panic!("a bug"),
            }
        }
    }

    fn cited() -> Vec<GenerationEvent> {
        let citation =
            Citation { document: "Help".into(), section: "Returns".into(), quote: PASSAGE.into(), page: None };
        vec![
            GenerationEvent::Started,
            GenerationEvent::Text { delta: format!("{PASSAGE} ") },
            GenerationEvent::Cited { citations: vec![citation] },
            GenerationEvent::Done { finish: Finish::Stop },
        ]
    }

    fn brain(script: Vec<GenerationEvent>, model: Fake) -> PhrasingBrain {
        PhrasingBrain::new(Arc::new(Scripted(script)), Arc::new(model), Arc::new(Semaphore::new(2)))
    }

    fn ask(brain: &PhrasingBrain) -> BrainSession {
        let request = GenerationRequest {
            brain: BrainChoice::Auto,
            messages: vec![ChatMessage::Customer { text: "what does a return cost".to_owned().into() }],
            tools: Vec::new(),
            awaiting: None,
            language: "en".into(),
            tokens_max: 300,
        };
        brain.generate(BusinessId::generate(), request)
    }

    async fn heard(brain: &PhrasingBrain) -> Vec<GenerationEvent> {
        let mut session = ask(brain);
        let mut events = Vec::new();
        while let Some(event) = session.events.recv().await {
            events.push(event);
        }
        events
    }

    #[tokio::test]
    async fn a_cited_passage_is_said_in_the_models_words_and_cited_in_its_own() {
        let events = heard(&brain(cited(), Fake::Says("It is 20 euros."))).await;
        assert_eq!(events[1], GenerationEvent::Text { delta: "It is 20 euros.".into() });
        assert_eq!(events[2], cited()[2]);
        assert!(matches!(events[3], GenerationEvent::Usage(TokenUsage { cached: 5, .. })));
        assert_eq!(events[4], GenerationEvent::Done { finish: Finish::Stop });
    }

    #[tokio::test]
    async fn an_invented_number_a_failure_and_a_crash_all_lead_to_the_passage_word_for_word() {
        for model in [Fake::Says("It is 30 euros."), Fake::Says("It is not 20 euros."), Fake::Fails, Fake::Panics] {
            assert_eq!(heard(&brain(cited(), model)).await, cited());
        }
    }

    #[tokio::test]
    async fn a_model_that_is_late_is_called_off_and_the_passage_is_spoken() {
        let (ended, mut end) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
        let late = brain(cited(), Fake::Hangs(ended)).within(Duration::from_millis(20));
        assert_eq!(heard(&late).await, cited());
        assert_eq!(end.recv().await, Some(()));
    }

    #[tokio::test]
    async fn a_second_call_does_not_wait_for_a_busy_model_and_a_hung_up_one_frees_it() {
        let (ended, mut end) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
        let busy = brain(cited(), Fake::Hangs(ended)).within(Duration::from_secs(600));
        let first = ask(&busy);
        while busy.free.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(heard(&busy).await, cited());
        drop(first);
        assert_eq!(end.recv().await, Some(()));
    }

    #[tokio::test]
    async fn a_model_that_is_always_late_stops_costing_the_callers_time() {
        let (ended, mut end) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
        let slow = brain(cited(), Fake::Hangs(ended)).within(Duration::from_millis(20));
        let mut tried = 0;
        for _ in 0..LATE_IN_A_ROW_MAX + REST_PASSAGES {
            assert_eq!(heard(&slow).await, cited());
            if tried < LATE_IN_A_ROW_MAX {
                assert_eq!(end.recv().await, Some(()));
                while slow.free.available_permits() == 0 {
                    tokio::task::yield_now().await; // Called off, and about to let go.
                }
                tried += 1;
            }
        }
        assert!(end.try_recv().is_err(), "it rested");
        assert_eq!(heard(&slow).await, cited());
        assert_eq!(end.recv().await, Some(()), "it is tried again");
    }

    #[tokio::test]
    async fn what_is_not_one_cited_passage_never_reaches_the_model() {
        let script = vec![
            GenerationEvent::Started,
            GenerationEvent::Text { delta: "I don't know that. ".into() },
            GenerationEvent::Done { finish: Finish::Declined },
        ];
        assert_eq!(heard(&brain(script.clone(), Fake::Panics)).await, script);
    }
}
