//! From words to the voice network's symbols: the Misaki dictionary and tagger, and a small network for words that no
//! dictionary has.

use super::SpeechError;
use super::spoken::Spoken;
use crate::models::ModelDir;
use crate::onnx::{self, OnnxError, Pool};
use misaki_rs::fallback::FallbackError;
use misaki_rs::{Fallback, G2P, Language};
use ort::session::Session;
use ort::value::Tensor;
use serde::Deserialize;
use std::collections::HashMap;

const MODEL: &str = "tts-en-hibari-heart";

/// Symbols of one stretch of speech, with the places where words begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Symbols {
    /// In the alphabet of the voice network.
    pub(crate) text: String,
    /// Where each word begins: the byte in the caller's text, and the number of the symbol.
    pub(crate) words: Vec<(usize, usize)>,
}

/// Turns text into symbols.
pub(crate) struct Phonemizer {
    g2p: G2P,
}

impl Phonemizer {
    pub(crate) fn load(dir: &ModelDir) -> Result<Self, SpeechError> {
        let unknown = UnknownWords::load(dir)?;
        Ok(Self { g2p: G2P::with_fallback(Language::EnglishUS, Some(Box::new(unknown))) })
    }

    pub(crate) fn symbols(&self, spoken: &Spoken) -> Result<Symbols, SpeechError> {
        let failed = |error: misaki_rs::g2p::G2PError| OnnxError::Inference { model: MODEL, detail: error.to_string() };
        let (_, tokens) = self.g2p.g2p(&spoken.text).map_err(failed)?;
        let mut symbols = Symbols::default();
        let mut count = 0;
        let mut at = 0;
        let mut last_source = None;
        for token in &tokens {
            let phonemes = token.phonemes.as_deref().unwrap_or_default();
            let is_word = token.text.chars().any(char::is_alphanumeric);
            let source = spoken.source_of(at);
            if is_word && !phonemes.is_empty() && last_source != Some(source) {
                symbols.words.push((source, count));
                last_source = Some(source);
            }
            for c in phonemes.chars().chain(token.whitespace.chars().take(1)) {
                symbols.text.push(if c.is_whitespace() { ' ' } else { c });
                count += 1;
            }
            at += token.text.len() + token.whitespace.len();
        }
        Ok(symbols)
    }
}

/// The network for words outside the dictionary.
struct UnknownWords {
    pool: Pool<Session>,
    input: HashMap<char, i64>,
    output: Vec<String>,
    length_max: usize,
}

impl UnknownWords {
    fn load(dir: &ModelDir) -> Result<Self, SpeechError> {
        #[derive(Deserialize)]
        struct Alphabet {
            #[serde(rename = "in")]
            input: Vec<String>,
            out: Vec<String>,
            maxlen: usize,
        }
        let bytes = dir.read(MODEL, "oov.json")?;
        let alphabet: Alphabet = serde_json::from_slice(&bytes)
            .map_err(|error| SpeechError::Content { file: "oov.json", detail: error.to_string() })?;
        let input = alphabet.input.iter().zip(1..).filter_map(|(text, id)| Some((text.chars().next()?, id))).collect();
        let session = onnx::open(dir, &dir.file(MODEL, "oov.onnx")?, MODEL)?;
        Ok(Self { pool: Pool::new(MODEL, vec![session]), input, output: alphabet.out, length_max: alphabet.maxlen })
    }

    fn run(&self, ids: Vec<i64>) -> Result<String, SpeechError> {
        let failed = SpeechError::inference(MODEL);
        let chars = Tensor::from_array(([1, ids.len()], ids)).map_err(&failed)?;
        let mut session = self.pool.take()?;
        let outputs = session.run(ort::inputs!["chars" => chars]).map_err(&failed)?;
        let (_, labels) = outputs[0].try_extract_tensor::<i64>().map_err(&failed)?;
        Ok(collapse(labels, &self.output))
    }
}

/// Repeated labels are one, and label 0 is nothing, as in connectionist temporal classification.
fn collapse(labels: &[i64], alphabet: &[String]) -> String {
    let mut text = String::new();
    let mut previous = 0;
    for label in labels {
        if *label != previous && *label > 0 {
            text.push_str(alphabet.get(*label as usize - 1).map_or("", String::as_str));
        }
        previous = *label;
    }
    text
}

impl Fallback for UnknownWords {
    /// A word that cannot be read is left out: one silent word is better than a silent sentence.
    fn phonemize(&self, word: &str) -> Result<String, FallbackError> {
        let ids: Vec<i64> = word.chars().filter_map(|c| self.input.get(&c).copied()).take(self.length_max).collect();
        if ids.is_empty() {
            return Ok(String::new());
        }
        Ok(self.run(ids).unwrap_or_else(|error| {
            tracing::warn!(%error, "a word is not spoken");
            String::new()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_labels_collapse_and_blanks_part_them() {
        let alphabet: Vec<String> = ["a", "b"].map(String::from).to_vec();
        assert_eq!(collapse(&[0, 1, 1, 0, 1, 2, 2, 0], &alphabet), "aab");
        assert_eq!(collapse(&[9, -1], &alphabet), "");
    }
}
