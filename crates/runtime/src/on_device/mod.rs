//! Models of this machine as services: threads, pools and deadlines around the synchronous `local` crate.

mod brain;
mod elsewhere;
#[cfg(feature = "gguf")]
mod gguf;
mod minds;
mod phrasing;
mod reading;
mod recognition;
mod synthesis;

pub use brain::LocalBrain;
pub use elsewhere::{Elsewhere, MIRROR_JOB, Mirroring};
#[cfg(feature = "gguf")]
pub use gguf::load_phrasing_model;
pub use minds::{Minds, StoredMinds, encoder};
pub use phrasing::{GGUF_NAME, PhrasingBrain, TextModel};
pub use reading::{LocalEmbed, LocalText};
pub use recognition::LocalStt;
pub use synthesis::LocalTts;

use crate::service::{AudioJudge, NeuralVadSession};
use local::speech::{NeuralVad, TurnJudge, VadSession};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// Registry name of everything that runs on this machine.
pub const NAME: &str = "local";

/// How many model runs may use the processor at once: one per core, shared by all calls, so that model threads do not
/// crowd out the audio.
pub fn model_slots() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)))
}

/// The neural VAD and the end-of-turn model.
pub struct LocalJudge {
    vad: NeuralVad,
    turn: Option<TurnJudge>,
    judging: AtomicUsize,
}

impl LocalJudge {
    /// Over loaded models. Without `turn`, the end of a turn is left to silence and text.
    pub fn new(vad: NeuralVad, turn: Option<TurnJudge>) -> Self {
        Self { vad, turn, judging: AtomicUsize::new(0) }
    }

    /// Whether the end-of-turn model is thinking.
    pub fn is_busy(&self) -> bool {
        self.judging.load(Ordering::Acquire) > 0
    }
}

struct Vad(VadSession);

impl NeuralVadSession for Vad {
    fn push(&mut self, pcm: &[i16]) -> Option<f32> {
        self.0.push(pcm)
    }
}

impl AudioJudge for LocalJudge {
    fn vad(&self, sample_rate_hz: u32) -> Option<Box<dyn NeuralVadSession>> {
        match self.vad.session(sample_rate_hz) {
            Ok(session) => Some(Box::new(Vad(session))),
            Err(error) => {
                tracing::error!(%error, "no neural voice activity at this rate");
                None
            }
        }
    }

    fn turn_probability(&self, pcm_16k: &[i16]) -> Option<f32> {
        let judge = self.turn.as_ref()?;
        self.judging.fetch_add(1, Ordering::AcqRel);
        let probability = judge.probability(pcm_16k);
        self.judging.fetch_sub(1, Ordering::AcqRel);
        probability.map_err(|error| tracing::warn!(%error, "the end-of-turn model failed")).ok()
    }
}
