//! Language on this machine: embeddings, reranker, retrieval and the default brain.
//!
//! The brain is deterministic: it routes an utterance to a tool or searches the business's documents, and says what the
//! document says, word for word. Nothing here writes a sentence of fact of its own.
//!
//! Start reading at [`brain`], then [`knowledge`] (retrieve, rerank, gate, extract) and [`router`] (which tool, which
//! arguments). [`bm25`], [`document`], [`entities`], [`facts`], [`fitting`], [`gate`], [`intents`], [`mood`], [`phrases`], [`phrasing`], [`pii`], [`slots`], [`subject`] and [`words`] are pure.

pub mod bm25;
pub mod brain;
pub mod detect;
pub mod document;
pub mod embed;
pub mod entities;
pub mod evaluation;
pub mod facts;
pub mod fitting;
pub mod gate;
#[cfg(feature = "gguf")]
pub mod gguf;
mod inference;
pub mod intents;
pub mod knowledge;
pub mod mood;
pub mod names;
pub mod near;
pub mod phrases;
pub mod phrasing;
pub mod pii;
pub mod rerank;
pub mod router;
pub mod slots;
pub mod subject;
pub mod words;

pub use brain::Brain;
pub use embed::{EMBEDDING_WIDTH, Embedder, Embedding};
pub use gate::Gate;
pub use knowledge::{Assembly, Knowledge, SearchOutcome};
pub use names::Names;
pub use rerank::Reranker;

use crate::OnnxError;
use crate::models::ModelDir;
use std::path::PathBuf;

/// Component that embeds.
pub const EMBEDDER: &str = "embed-minilm-int8";
/// Component that ranks.
pub const RERANKER: &str = "rerank-msmarco-l12-int8";
/// Component that finds names of people and addresses.
pub const NAMES: &str = "pii-rampart-ner";

/// Why a language model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// The model cannot be opened or run.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// What lies beside the model cannot be read.
    #[error("cannot load the model {path}: {reason}")]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The tokenizer file could not be read.
    #[error("cannot load the tokenizer {path}: {reason}")]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What the tokenizer said.
        reason: String,
    },
    /// A text could not be turned into tokens.
    #[error("cannot tokenize a text: {0}")]
    Tokenize(String),
    /// The model gave a shape it should not have.
    #[error("the model failed: {0}")]
    Run(String),
    /// The gate's coefficients could not be read.
    #[error("the gate's coefficients are not usable: {0}")]
    Gate(String),
}

/// The models the brain needs, shared by all calls.
#[derive(Debug)]
pub struct LanguageModels {
    /// Texts to vectors.
    pub embedder: Embedder,
    /// Question and passage to a score.
    pub reranker: Reranker,
    /// What finds names of people and addresses; absent where its files are.
    pub names: Option<Names>,
}

impl LanguageModels {
    /// Loads both out of the models directory.
    ///
    /// # Errors
    /// When a file is missing or wrong; the text names the command that mends it.
    pub fn load(dir: &ModelDir) -> Result<Self, LanguageError> {
        Ok(Self { embedder: Embedder::load(dir)?, reranker: Reranker::load(dir)?, names: None })
    }

    /// The same, finding names where the model for it is there: nobody needs it to answer.
    #[must_use]
    pub fn with_names(mut self, dir: &ModelDir) -> Self {
        self.names = Names::at(dir);
        self
    }
}
