//! Texts to vectors: MiniLM, mean pooled and normalised, so that a dot product is a cosine.

use super::inference::Encoder;
use super::{EMBEDDER, LanguageError};
use crate::models::ModelDir;
use std::fmt;
use tokenizers::Encoding;

/// Numbers in one embedding.
pub const EMBEDDING_WIDTH: usize = 384;
/// Tokens of a text that count; the rest is cut.
const TOKENS_MAX: usize = 256;
/// Tokens that are run in one go, shorter texts filled up: more would gain little, and questions wait for it.
const TOKENS_AT_ONCE: usize = 256;

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
        Ok(Self { encoder: Encoder::load(dir, EMBEDDER, "model.onnx", TOKENS_MAX)? })
    }

    /// The vector of one text; about 5 ms for a question.
    ///
    /// # Errors
    /// When the model fails.
    pub fn embed(&self, text: &str) -> Result<Embedding, LanguageError> {
        let encoding = self.encoder.encode(text)?;
        self.pooled(&[&encoding])?.pop().ok_or_else(|| LanguageError::Run("the embedder gave nothing".into()))
    }

    /// The vectors of several texts, in their order. Short ones together cost less than one after the other.
    ///
    /// # Errors
    /// When the model fails.
    pub fn embed_all<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Embedding>, LanguageError> {
        let texts = texts.iter().map(|text| self.encoder.encode(text.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let mut vectors = vec![[0.0; EMBEDDING_WIDTH]; texts.len()];
        let mut by_length: Vec<usize> = (0..texts.len()).collect();
        by_length.sort_by_key(|&at| texts[at].len());
        let mut rest = by_length.as_slice();
        while let Some((&longest, _)) = rest.split_last() {
            let tokens = texts[longest].len().max(1);
            // What is filled up is calculated for nothing.
            let alike = rest.iter().rev().take_while(|&&at| texts[at].len() * 4 >= tokens * 3).count();
            let count = alike.min(TOKENS_AT_ONCE / tokens).max(1);
            let (others, together) = rest.split_at(rest.len() - count);
            let run: Vec<&Encoding> = together.iter().map(|&at| &texts[at]).collect();
            for (&at, vector) in together.iter().zip(self.pooled(&run)?) {
                vectors[at] = vector;
            }
            rest = others;
        }
        Ok(vectors)
    }

    /// The mean of each text's tokens, made one long.
    fn pooled(&self, texts: &[&Encoding]) -> Result<Vec<Embedding>, LanguageError> {
        let output = self.encoder.run(texts)?;
        let row = output.tokens * EMBEDDING_WIDTH;
        if row == 0 || output.data.len() != texts.len() * row {
            let (all, texts) = (output.data.len(), texts.len());
            return Err(LanguageError::Run(format!("the embedder gave {all} numbers for {texts} texts")));
        }
        let mean = |(text, row): (&&Encoding, &[f32])| {
            let mut sum = [0.0; EMBEDDING_WIDTH];
            for token in row.chunks_exact(EMBEDDING_WIDTH).take(text.len()) {
                for (total, value) in sum.iter_mut().zip(token) {
                    *total += value;
                }
            }
            let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            sum.map(|x| x / length)
        };
        Ok(texts.iter().zip(output.data.chunks_exact(row)).map(mean).collect())
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
