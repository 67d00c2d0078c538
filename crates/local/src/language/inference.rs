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

/// What the network gave for texts of `tokens` tokens each, shorter ones filled up.
pub(super) struct Output {
    /// Row by row.
    pub(super) data: Vec<f32>,
    /// Tokens of the longest text.
    pub(super) tokens: usize,
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

    /// Runs several texts in one go. The weights are read once for all of them, which for short texts is most of the work.
    pub(super) fn run(&self, texts: &[&Encoding]) -> Result<Output, LanguageError> {
        let failed = OnnxError::inference(self.model);
        let tokens = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let shape = [texts.len(), tokens];
        let filled = |of: fn(&Encoding) -> &[u32]| -> Vec<i64> {
            let row = |text: &&Encoding| {
                let fill = std::iter::repeat_n(0, tokens - text.len());
                of(text).iter().map(|&id| i64::from(id)).chain(fill).collect::<Vec<_>>()
            };
            texts.iter().flat_map(row).collect()
        };
        let ids = filled(Encoding::get_ids);
        let mask = filled(Encoding::get_attention_mask);
        let types = filled(Encoding::get_type_ids);
        let tensor = |values| TensorRef::from_array_view((shape, values)).map_err(&failed);
        let mut inputs = ort::inputs!["input_ids" => tensor(&ids[..])?, "attention_mask" => tensor(&mask[..])?];
        if self.takes_types {
            inputs.push(("token_type_ids".into(), tensor(&types[..])?.into()));
        }
        let mut session = self.sessions.take()?;
        let outputs = session.run(inputs).map_err(&failed)?;
        let (_, data) = outputs[0].try_extract_tensor::<f32>().map_err(&failed)?;
        Ok(Output { data: data.to_vec(), tokens })
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
