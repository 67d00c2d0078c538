//! Texts to vectors: MiniLM, mean pooled and normalised, so that a dot product is a cosine.
//!
//! It calculates in bytes. The vectors lie in the space of those that are made in floats, beside them by a cosine of 0.99, so that those
//! made either way are compared with each other.

use super::inference::Encoder;
use super::{EMBEDDER, LanguageError};
use crate::models::ModelDir;
use std::fmt;

/// Numbers in one embedding.
pub const EMBEDDING_WIDTH: usize = 384;
/// Tokens of a text that count; the rest is cut.
const TOKENS_MAX: usize = 256;

/// A text as a vector of length one.
pub type Embedding = [f32; EMBEDDING_WIDTH];

/// The embedding model. Shared by all calls; `embed` takes `&self`.
pub struct Embedder {
    encoder: Encoder,
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Embedder")
    }
}

impl Embedder {
    /// Loads it out of the models directory.
    ///
    /// # Errors
    /// When a file is missing or wrong.
    pub fn load(dir: &ModelDir) -> Result<Self, LanguageError> {
        Ok(Self { encoder: Encoder::load_in_bytes(dir, EMBEDDER, "model.onnx", TOKENS_MAX)? })
    }

    /// The vector of one text; about 2 ms for a question: the mean of its tokens, made one long.
    ///
    /// # Errors
    /// When the model fails.
    pub fn embed(&self, text: &str) -> Result<Embedding, LanguageError> {
        let encoding = self.encoder.encode(text)?;
        let numbers = self.encoder.run(&encoding)?;
        if numbers.is_empty() || numbers.len() != encoding.len() * EMBEDDING_WIDTH {
            let (all, tokens) = (numbers.len(), encoding.len());
            return Err(LanguageError::Run(format!("the embedder gave {all} numbers for {tokens} tokens")));
        }
        let mut sum = [0.0; EMBEDDING_WIDTH];
        for token in numbers.chunks_exact(EMBEDDING_WIDTH) {
            for (total, value) in sum.iter_mut().zip(token) {
                *total += value;
            }
        }
        let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        Ok(sum.map(|x| x / length))
    }

    /// The vectors of several texts, in their order. Each runs by itself: numbers are rounded by the largest of a run, so beside others
    /// a text would get another vector.
    ///
    /// # Errors
    /// When the model fails.
    pub fn embed_all<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Embedding>, LanguageError> {
        texts.iter().map(|text| self.embed(text.as_ref())).collect()
    }

    /// Whether a word is common enough to be one piece of the model's vocabulary. Lower case.
    pub fn knows(&self, word: &str) -> bool {
        self.encoder.knows(word)
    }
}

/// Cosine of two vectors of length one and of the same width.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    // Sums side by side, so that the compiler may use the machine's vectors: an index asks this a hundred thousand times.
    let mut sums = [0.0_f32; LANES];
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (x, y) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

const LANES: usize = 16;
