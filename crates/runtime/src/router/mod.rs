//! One service per stage, whatever stands behind it: the chain of providers of a call, best first, seen by the call as a
//! single recogniser, voice and brain that do not fail while one of them lives.
//!
//! Decisions are pure: [`race`] (who is asked, when the next one is asked too, who wins), [`kept`] (what a new recogniser
//! must hear again), [`watch`] (when a recogniser has fallen silent), [`Standing`] (who is asked first next time). The
//! services around them move events and sleep.

mod brain;
mod ears;
mod kept;
mod race;
mod voice;
mod watch;

#[cfg(test)]
mod tests;

use crate::node::Services;
use crate::service::{BrainService, SttService, TtsService};
use base::limits;
use brain::BrainRouter;
use ears::EarsRouter;
use model::agent::BrainChoice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use voice::VoiceRouter;

/// Who serves one call. What a provider did wrong in it is remembered for as long as it lasts.
pub(crate) struct Routes {
    stt: EarsRouter,
    tts: VoiceRouter,
    brain: BrainRouter,
}

impl Routes {
    /// The chains of a call whose agent chose this brain.
    pub(crate) fn new(services: &Services, choice: &BrainChoice) -> Self {
        let brains: Vec<_> = services.brains_for(choice).into_iter().cloned().collect();
        Self {
            stt: EarsRouter::new(services.stt.clone()),
            tts: VoiceRouter::new(services.tts.clone()),
            brain: BrainRouter::new(brains),
        }
    }

    /// Speech to text; `None` when nobody offers it.
    pub(crate) fn stt(&self) -> Option<&dyn SttService> {
        (!self.stt.is_empty()).then_some(&self.stt as &dyn SttService)
    }

    /// Text to speech; `None` when nobody offers it.
    pub(crate) fn tts(&self) -> Option<&dyn TtsService> {
        (!self.tts.is_empty()).then_some(&self.tts as &dyn TtsService)
    }

    /// The voice that speaks the next utterance unless it fails.
    pub(crate) fn voice_now(&self) -> Option<&Arc<dyn TtsService>> {
        self.tts.now()
    }

    /// A brain; `None` when there is none.
    pub(crate) fn brain(&self) -> Option<&dyn BrainService> {
        (!self.brain.is_empty()).then_some(&self.brain as &dyn BrainService)
    }

    /// The engine gave up on whoever serves this stage. A failure that the stage has reported itself counts once.
    pub(crate) fn blame(&self, stage: &str) {
        match stage {
            "stt" => self.stt.standing().blame_current(),
            "tts" => self.tts.standing().blame_current(),
            "brain" => self.brain.standing().blame_current(),
            _ => {}
        }
    }
}

/// What a call remembers of the providers of one stage. Clones are the same memory.
#[derive(Clone, Debug)]
struct Standing(Arc<Mutex<Memory>>);

#[derive(Debug)]
struct Memory {
    stage: &'static str,
    failures: Vec<u32>,
    /// Who serves now, until it fails.
    current: Option<usize>,
    hedges: u32,
}

impl Standing {
    fn new(stage: &'static str, providers: usize) -> Self {
        Self(Arc::new(Mutex::new(Memory { stage, failures: vec![0; providers], current: None, hedges: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        // No guarded section can panic half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage(&self) -> &'static str {
        self.lock().stage
    }

    /// In which order to ask: who has failed is asked after all who have not.
    fn order(&self) -> Vec<usize> {
        let memory = self.lock();
        let mut order: Vec<usize> = (0..memory.failures.len()).collect();
        order.sort_by_key(|provider| memory.failures[*provider]);
        order
    }

    fn serves(&self, provider: usize) {
        self.lock().current = Some(provider);
    }

    fn blame(&self, provider: usize) {
        let mut memory = self.lock();
        if let Some(failures) = memory.failures.get_mut(provider) {
            *failures += 1;
        }
        memory.current.take_if(|current| *current == provider);
    }

    fn blame_current(&self) {
        let current = self.lock().current;
        if let Some(provider) = current {
            self.blame(provider);
        }
    }

    /// Somebody else stands at least as well as this one.
    fn has_better_than(&self, provider: usize) -> bool {
        let memory = self.lock();
        let own = memory.failures.get(provider).copied().unwrap_or_default();
        memory.failures.iter().enumerate().any(|(other, failures)| other != provider && *failures <= own)
    }

    fn may_hedge(&self) -> bool {
        self.lock().hedges < limits::HEDGES_PER_CALL_MAX
    }

    fn hedged(&self) {
        self.lock().hedges += 1;
    }
}

/// Counts how a hedge ended.
fn count_hedge(stage: &'static str, outcome: &'static str) {
    metrics::counter!("frontdesk_hedges_total", "stage" => stage, "outcome" => outcome).increment(1);
}

/// Somebody else is asked. Says so once, where an operator looks.
fn tell_switch(stage: &'static str, to: &str, why: &'static str) {
    metrics::counter!("frontdesk_failovers_total", "stage" => stage, "reason" => why).increment(1);
    tracing::warn!(stage, to, why, "the next provider is asked");
}

/// Milliseconds since the beginning of a session, for the pure parts.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now_ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns at this time; never for `None`.
    async fn until(self, at_ms: Option<u64>) {
        match at_ms {
            Some(at_ms) => tokio::time::sleep_until(self.0 + Duration::from_millis(at_ms)).await,
            None => std::future::pending().await,
        }
    }
}

/// The next event of any of these, with its place among them; `None` inside when that one has ended.
async fn next_of<T, E>(sessions: &mut [T], events: impl Fn(&mut T) -> &mut mpsc::Receiver<E>) -> (usize, Option<E>) {
    std::future::poll_fn(|context| {
        for (at, session) in sessions.iter_mut().enumerate() {
            if let Poll::Ready(event) = events(session).poll_recv(context) {
                return Poll::Ready((at, event));
            }
        }
        Poll::Pending
    })
    .await
}

/// Returns when one of these may have room for more.
async fn room<T>(full: &[mpsc::Sender<T>]) {
    let waits: Vec<_> = full.iter().map(|sender| Box::pin(sender.reserve())).collect();
    if waits.is_empty() {
        return std::future::pending().await;
    }
    // Whether there is room or nobody reads any more: the next attempt tells.
    let _ = futures_util::future::select_all(waits).await;
}
