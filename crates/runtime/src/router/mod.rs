//! One service per stage, whatever stands behind it: the chain of providers of a call, best first, seen by the call as a
//! single recogniser, voice and brain that do not fail while one of them lives.
//!
//! Decisions are pure: [`plan`] (in which order to ask), [`health`] (who is passed over by all calls of the node), [`race`]
//! (who is asked, when the next one is asked too, who wins), [`kept`] (what a new recogniser must hear again), [`watch`]
//! (when a recogniser has fallen silent). [`board`] is what all calls share, [`roster`] what one call remembers. The services
//! around them move events and sleep.

mod board;
mod brain;
mod ears;
mod health;
mod kept;
mod plan;
mod pool;
mod race;
mod roster;
mod spoken;
pub mod trial;
mod voice;
mod watch;

#[cfg(test)]
mod call_tests;
#[cfg(test)]
mod tests;

pub use board::{Board, LaneKey, LaneView};
pub use health::Breaker;
pub use plan::Facts;
pub(crate) use roster::{CallContext, Tell};
pub(crate) use spoken::as_it_can_be;

use crate::node::Services;
use crate::service::{BrainService, SttService, TtsService};
use base::ErrorClass;
use brain::BrainRouter;
use ears::EarsRouter;
use model::routing::Stage;
use roster::Roster;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use voice::VoiceRouter;

/// Who serves one call. What a provider did wrong in it is remembered for as long as it lasts.
pub(crate) struct Routes {
    context: Arc<CallContext>,
    stt: EarsRouter,
    tts: VoiceRouter,
    brain: BrainRouter,
}

/// The voice that speaks the next utterance unless it fails, with its settings.
pub(crate) struct VoiceNow {
    pub(crate) service: Arc<dyn TtsService>,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) voice: Option<String>,
    /// BCP-47, or what the provider calls it.
    pub(crate) language: String,
}

impl Routes {
    /// The chains of a call.
    pub(crate) fn new(services: &Services, context: &Arc<CallContext>) -> Self {
        let (mut stt, mut tts) = (pool::recognisers(services, context), pool::voices(services, context));
        let mut brains = pool::brains(services, context);
        let ordinary = || -> Arc<dyn TtsService> {
            Arc::new(VoiceRouter::new(Roster::new(Arc::clone(context), pool::voices(services, context))))
        };
        if let Some((choice, model)) = spoken::model(services, context, ordinary) {
            stt = spoken::first(stt, Stage::Stt, &choice, model.stt);
            tts = spoken::first(tts, Stage::Tts, &choice, model.tts);
            brains = spoken::first(brains, Stage::Llm, &choice, model.brain);
        }
        Self {
            context: Arc::clone(context),
            stt: EarsRouter::new(Roster::new(Arc::clone(context), stt)),
            tts: VoiceRouter::new(Roster::new(Arc::clone(context), tts)),
            brain: BrainRouter::new(Roster::new(Arc::clone(context), brains)),
        }
    }

    /// Connections to the brains that are asked first are opened ahead: their first question comes in some seconds.
    pub(crate) fn warm(&self) {
        let line = self.brain.line();
        for at in line.standing.order().into_iter().take(2) {
            line.lanes[at].service.warm();
        }
    }

    /// Speech to text; `None` when nobody offers it.
    pub(crate) fn stt(&self) -> Option<&dyn SttService> {
        (!self.stt.line().lanes.is_empty()).then_some(&self.stt as &dyn SttService)
    }

    /// Speech to text for somebody else than the caller: a session of its own, apart from a model that hears and speaks.
    pub(crate) fn stt_of_people(&self, services: &Services) -> Option<Box<dyn SttService>> {
        let apart = EarsRouter::new(Roster::new(Arc::clone(&self.context), pool::recognisers(services, &self.context)));
        (!apart.line().lanes.is_empty()).then(|| Box::new(apart) as Box<dyn SttService>)
    }

    /// Text to speech; `None` when nobody offers it.
    pub(crate) fn tts(&self) -> Option<&dyn TtsService> {
        (!self.tts.line().lanes.is_empty()).then_some(&self.tts as &dyn TtsService)
    }

    /// The voice that speaks the next utterance unless it fails.
    pub(crate) fn voice_now(&self) -> Option<VoiceNow> {
        self.tts.now()
    }

    /// A brain; `None` when there is none.
    pub(crate) fn brain(&self) -> Option<&dyn BrainService> {
        (!self.brain.line().lanes.is_empty()).then_some(&self.brain as &dyn BrainService)
    }

    /// The engine gave up on whoever serves this stage. A failure that the stage has reported itself counts once.
    pub(crate) fn blame(&self, stage: &str, class: ErrorClass) {
        match stage {
            "stt" => self.stt.line().standing.blame_current(class),
            "tts" => self.tts.line().standing.blame_current(class),
            "brain" => self.brain.line().standing.blame_current(class),
            _ => {}
        }
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
