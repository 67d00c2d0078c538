//! Speech on this machine: recognition, synthesis, voice activity, end of turn.
//!
//! Everything is synchronous and shared: load each once, call from any thread. A call waits at most five seconds for a
//! free session and then fails with [`OnnxError::Busy`](crate::OnnxError::Busy); the runtime's own deadlines are shorter. Text is handled by
//! two pure files, [`spoken`] (what is written, as it is said) and [`transcript`] (what was heard, as it is written).

mod error;
mod mel;
mod numerals;
mod phonemes;
mod recognizer;
pub mod spoken;
mod synthesizer;
pub mod transcript;
mod turn;
mod vad;
mod vocoder;

pub use error::SpeechError;
pub use recognizer::Recognizer;
pub use synthesizer::{Speech, Synthesizer};
pub use turn::TurnJudge;
pub use vad::{NeuralVad, VadSession};

pub use crate::models::ModelDir;
