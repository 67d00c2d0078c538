//! Question and passage to a score: a cross-encoder. Higher is better; it is a logit, usually −11 … 9.

use super::inference::Encoder;
use super::{LanguageError, RERANKER};
use crate::models::ModelDir;
use std::fmt;

/// Tokens of question and passage that count; the rest is cut.
const TOKENS_MAX: usize = 256;

/// The cross-encoder. Shared by all calls; `score` takes `&self`.
pub struct Reranker {
    encoder: Encoder,
}

impl fmt::Debug for Reranker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reranker")
    }
}

impl Reranker {
    /// Loads it out of the models directory.
    ///
    /// # Errors
    /// When a file is missing or wrong.
    pub fn load(dir: &ModelDir) -> Result<Self, LanguageError> {
        Ok(Self { encoder: Encoder::load(dir, RERANKER, "model.onnx", TOKENS_MAX)? })
    }

    /// How well each passage answers the query, in their order; about 4 ms a short passage. Each is run alone: the network rounds
    /// its numbers by the largest of a run, so beside others a passage would not always get the same score.
    pub fn score(&self, query: &str, passages: &[&str]) -> Result<Vec<f32>, LanguageError> {
        passages
            .iter()
            .map(|passage| {
                let encoding = self.encoder.encode((query, *passage))?;
                let scores = self.encoder.run(&encoding)?;
                scores.first().copied().ok_or_else(|| LanguageError::Run("the reranker gave no score".into()))
            })
            .collect()
    }
}
