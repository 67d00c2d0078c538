//! What can go wrong on the way between sound and text.

use crate::models::ModelError;
use std::path::PathBuf;

/// A speech model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// A model file is missing or wrong; the text names the command that mends it.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The ONNX runtime library is not one that this program accepts.
    #[error("{path} is not an accepted ONNX runtime: {detail}; run `frontdesk models pull`", path = path.display())]
    Runtime {
        /// The library.
        path: PathBuf,
        /// Why it was refused.
        detail: String,
    },
    /// There is no ONNX runtime for this machine in the manifest.
    #[error("no ONNX runtime is packaged for {0}; use provider keys for speech on this machine")]
    Platform(String),
    /// The runtime failed.
    #[error("the speech model {model} failed: {detail}")]
    Inference {
        /// Which model.
        model: &'static str,
        /// What the runtime said.
        detail: String,
    },
    /// A model file does not have the content its name promises.
    #[error("{file} cannot be read: {detail}")]
    Content {
        /// The file.
        file: &'static str,
        /// Why.
        detail: String,
    },
    /// Every session was in use for the whole wait.
    #[error("the speech model {model} is overloaded: no free session within {waited_ms} ms")]
    Busy {
        /// Which model.
        model: &'static str,
        /// How long we waited.
        waited_ms: u64,
    },
    /// The sample rate is not one that the model knows.
    #[error("{0} Hz is not a sample rate of this model")]
    SampleRate(u32),
}

impl SpeechError {
    pub(crate) fn inference(model: &'static str) -> impl Fn(ort::Error) -> Self {
        move |error| Self::Inference { model, detail: error.to_string() }
    }

    pub(crate) fn shape(model: &'static str, what: &str) -> Self {
        Self::Inference { model, detail: format!("unexpected {what}") }
    }
}
