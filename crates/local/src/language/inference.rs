//! One encoder model: tokenizer and network.

use super::LanguageError;
use crate::models::ModelDir;
use crate::onnx::{self, OnnxError, Pool};
use ort::session::Session;
use ort::value::TensorRef;
use std::path::Path;
use tokenizers::{EncodeInput, Encoding, Tokenizer, TruncationParams};

/// A network over token ids that gives one tensor.
pub(super) struct Encoder {
    model: &'static str,
    // One session: a second one holds the weights again, and those who wait here would wait for a core.
    sessions: Pool<Session>,
    tokenizer: Tokenizer,
    /// Whether the network asks which of two texts a token is of.
    takes_types: bool,
}

impl Encoder {
    /// A component of the models directory, with `tokenizer.json` beside the file of the network.
    pub(super) fn load(
        dir: &ModelDir,
        model: &'static str,
        file: &str,
        tokens_max: usize,
    ) -> Result<Self, LanguageError> {
        let session = onnx::open(dir, &dir.file(model, file).map_err(OnnxError::from)?, model)?;
        Self::over(session, dir, model, tokens_max)
    }

    /// The same for one whose weights are kept in bytes.
    pub(super) fn load_in_bytes(
        dir: &ModelDir,
        model: &'static str,
        file: &str,
        tokens_max: usize,
    ) -> Result<Self, LanguageError> {
        let session = onnx::open_in_bytes(dir, &dir.file(model, file).map_err(OnnxError::from)?, model)?;
        Self::over(session, dir, model, tokens_max)
    }

    fn over(session: Session, dir: &ModelDir, model: &'static str, tokens_max: usize) -> Result<Self, LanguageError> {
        let asks = |name: &str| session.inputs().iter().any(|input| input.name() == name);
        let takes_types = asks("token_type_ids");
        let tokenizer_file = dir.file(model, "tokenizer.json").map_err(OnnxError::from)?;
        let tokenizer = tokenizer(&tokenizer_file, tokens_max)?;
        Ok(Self { model, sessions: Pool::new(model, vec![session]), tokenizer, takes_types })
    }

    pub(super) fn encode<'s>(&self, input: impl Into<EncodeInput<'s>>) -> Result<Encoding, LanguageError> {
        self.tokenizer.encode(input, true).map_err(|e| LanguageError::Tokenize(e.to_string()))
    }

    /// Whether the tokenizer knows the word as one piece, which common words are.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.tokenizer.token_to_id(word).is_some()
    }

    /// What the network gives for a text, token by token where it gives something for each.
    pub(super) fn run(&self, text: &Encoding) -> Result<Vec<f32>, LanguageError> {
        let failed = OnnxError::inference(self.model);
        let shape = [1, text.len()];
        let whole = |ids: &[u32]| -> Vec<i64> { ids.iter().map(|&id| i64::from(id)).collect() };
        let (ids, mask) = (whole(text.get_ids()), whole(text.get_attention_mask()));
        let types = whole(text.get_type_ids());
        let tensor = |values| TensorRef::from_array_view((shape, values)).map_err(&failed);
        let mut inputs = ort::inputs!["input_ids" => tensor(&ids[..])?, "attention_mask" => tensor(&mask[..])?];
        if self.takes_types {
            inputs.push(("token_type_ids".into(), tensor(&types[..])?.into()));
        }
        let mut session = self.sessions.take()?;
        let outputs = session.run(inputs).map_err(&failed)?;
        let (_, data) = outputs[0].try_extract_tensor::<f32>().map_err(&failed)?;
        Ok(data.to_vec())
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
