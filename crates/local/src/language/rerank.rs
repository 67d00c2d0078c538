//! Question and passage to a score: a cross-encoder. Higher is better; it is a logit, usually −11 … 9.

use super::LanguageError;
use super::inference::Encoder;
use std::fmt;
use std::path::Path;

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
    /// Loads `model.onnx` and `tokenizer.json` from a directory.
    pub fn load(dir: &Path) -> Result<Self, LanguageError> {
        Ok(Self { encoder: Encoder::load(dir, TOKENS_MAX)? })
    }

    /// How well each passage answers the query, in their order; about 7 ms a short passage.
    pub fn score(&self, query: &str, passages: &[&str]) -> Result<Vec<f32>, LanguageError> {
        passages
            .iter()
            .map(|passage| {
                let encoding = self.encoder.encode((query, *passage))?;
                let (_, data) = self
                    .encoder
                    .run(&encoding)?
                    .into_shape_vec::<f32, 2>()
                    .map_err(|e| LanguageError::Run(e.to_string()))?;
                data.first().copied().ok_or_else(|| LanguageError::Run("the reranker gave no score".into()))
            })
            .collect()
    }
}
