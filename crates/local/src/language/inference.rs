//! One encoder model: tokenizer and network, run on one thread.

use super::LanguageError;
use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::NdTensor;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tokenizers::{EncodeInput, Encoding, Tokenizer, TruncationParams};

/// A network over token ids that gives one tensor.
pub(super) struct Encoder {
    model: Model,
    tokenizer: Tokenizer,
    inputs: Inputs,
    output: NodeId,
}

struct Inputs {
    ids: NodeId,
    mask: NodeId,
    types: Option<NodeId>,
}

/// All language models share one thread: several threads on few cores wait for each other by spinning, and a call's audio
/// pays for it.
fn pool() -> Arc<ThreadPool> {
    static POOL: OnceLock<Arc<ThreadPool>> = OnceLock::new();
    POOL.get_or_init(|| Arc::new(ThreadPool::with_num_threads(1))).clone()
}

impl Encoder {
    pub(super) fn load(dir: &Path, tokens_max: usize) -> Result<Self, LanguageError> {
        Self::load_file(dir, "model.onnx", tokens_max)
    }

    /// Loads a model of another name, with `tokenizer.json` beside it.
    pub(super) fn load_file(dir: &Path, file: &str, tokens_max: usize) -> Result<Self, LanguageError> {
        let path = dir.join(file);
        // Packing the weights again for every short sentence costs more than multiplying by them.
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load_file(&path)
            .map_err(|e| LanguageError::Model { path: path.clone(), reason: e.to_string() })?;
        let node = |name: &str| {
            model.find_node(name).ok_or_else(|| LanguageError::Model {
                path: path.clone(),
                reason: format!("it has no input named {name}"),
            })
        };
        let inputs = Inputs {
            ids: node("input_ids")?,
            mask: node("attention_mask")?,
            types: model.find_node("token_type_ids").filter(|id| model.input_ids().contains(id)),
        };
        let output = *model
            .output_ids()
            .first()
            .ok_or_else(|| LanguageError::Model { path: path.clone(), reason: "it has no output".into() })?;
        Ok(Self { tokenizer: tokenizer(&dir.join("tokenizer.json"), tokens_max)?, model, inputs, output })
    }

    pub(super) fn encode<'s>(&self, input: impl Into<EncodeInput<'s>>) -> Result<Encoding, LanguageError> {
        self.tokenizer.encode(input, true).map_err(|e| LanguageError::Tokenize(e.to_string()))
    }

    /// Whether the tokenizer knows the word as one piece, which common words are.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.tokenizer.token_to_id(word).is_some()
    }

    /// Runs one sequence.
    pub(super) fn run(&self, encoding: &Encoding) -> Result<Value, LanguageError> {
        let tensor = |values: &[u32]| {
            let data: Vec<i32> = values.iter().map(|&id| i32::try_from(id).unwrap_or(0)).collect();
            NdTensor::from_data([1, data.len()], data)
        };
        let mut inputs = vec![
            (self.inputs.ids, tensor(encoding.get_ids()).into()),
            (self.inputs.mask, tensor(encoding.get_attention_mask()).into()),
        ];
        if let Some(types) = self.inputs.types {
            inputs.push((types, tensor(encoding.get_type_ids()).into()));
        }
        let options = RunOptions::default().with_thread_pool(Some(pool()));
        let [value] =
            self.model.run_n(inputs, [self.output], Some(options)).map_err(|e| LanguageError::Run(e.to_string()))?;
        Ok(value)
    }
}

fn tokenizer(path: &Path, tokens_max: usize) -> Result<Tokenizer, LanguageError> {
    let wrong = |reason: String| LanguageError::Tokenizer { path: path.to_owned(), reason };
    let mut tokenizer = Tokenizer::from_file(path).map_err(|e| wrong(e.to_string()))?;
    tokenizer
        .with_padding(None)
        .with_truncation(Some(TruncationParams { max_length: tokens_max, ..TruncationParams::default() }))
        .map_err(|e| wrong(e.to_string()))?;
    Ok(tokenizer)
}
