//! What can go wrong on the way between sound and text.

use crate::models::ModelError;
use crate::onnx::OnnxError;

/// A speech model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// The model cannot be opened or run.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// A model file does not have the content its name promises.
    #[error("{file} cannot be read: {detail}")]
    Content {
        /// The file.
        file: &'static str,
        /// Why.
        detail: String,
    },
    /// The sample rate is not one that the model knows.
    #[error("{0} Hz is not a sample rate of this model")]
    SampleRate(u32),
}

impl From<ModelError> for SpeechError {
    fn from(error: ModelError) -> Self {
        Self::Onnx(error.into())
    }
}

impl SpeechError {
    pub(crate) fn inference(model: &'static str) -> impl Fn(ort::Error) -> Self {
        move |error| Self::Onnx(OnnxError::inference(model)(error))
    }

    pub(crate) fn shape(model: &'static str, what: &str) -> Self {
        Self::Onnx(OnnxError::shape(model, what))
    }
}
