//! English speech to text: the Moonshine encoder and its decoder with cached attention. Feed it speech only; on pure
//! noise it invents words, which [`super::transcript`] and the loudness check here hold back.

use super::{SpeechError, transcript};
use crate::models::ModelDir;
use crate::onnx::{self, Pool};
use ort::memory::Allocator;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor, TensorRef};
use std::borrow::Cow;

const MODEL: &str = "stt-en-moonshine-tiny";
const RATE_HZ: usize = 16_000;
const SESSIONS: usize = 2;
const LAYERS: usize = 6;
const HEADS: usize = 8;
const HEAD_SIZE: usize = 36;
const START: i64 = 1;
const END: i64 = 2;
/// People do not speak faster; a decoder that goes on is in a loop.
const TOKENS_PER_SECOND: f32 = 6.5;
/// The network needs about this much audio to make one hidden state.
const SAMPLES_MIN: usize = RATE_HZ / 8;
/// Longer speech is cut at a quiet place: attention grows with the square of the length.
const PIECE_SAMPLES_MAX: usize = 24 * RATE_HZ;
const PIECE_SAMPLES_MIN: usize = 16 * RATE_HZ;

/// Recognises English utterances. Shared by all calls.
pub struct Recognizer {
    pool: Pool<Network>,
    pieces: Vec<Vec<u8>>,
}

impl Recognizer {
    /// Loads the network twice, so that two calls can be served at once, and runs each once: the first run allocates.
    pub fn load(dir: &ModelDir) -> Result<Self, SpeechError> {
        Self::load_with(dir, SESSIONS)
    }

    /// Loads the network for this many utterances at once.
    pub fn load_with(dir: &ModelDir, sessions: usize) -> Result<Self, SpeechError> {
        let pieces = parse_pieces(&dir.read(MODEL, "tokenizer.bin")?)?;
        let mut networks = (0..sessions.max(1)).map(|_| Network::load(dir)).collect::<Result<Vec<_>, _>>()?;
        let tone: Vec<f32> = (0..RATE_HZ).map(|i| (i as f32 * 0.1).sin() * 0.05).collect();
        for network in &mut networks {
            network.decode(&tone)?;
        }
        Ok(Self { pool: Pool::new(MODEL, networks), pieces })
    }

    /// The words of an utterance, with spelled ids joined; empty when nobody spoke.
    pub fn recognize(&self, pcm_16k: &[i16]) -> Result<String, SpeechError> {
        let loudness = transcript::Loudness::of(pcm_16k);
        if loudness.is_silence() {
            return Ok(String::new());
        }
        let raw = self.recognize_raw(pcm_16k)?;
        Ok(transcript::normalize(&raw, loudness))
    }

    /// The words exactly as the network wrote them.
    pub fn recognize_raw(&self, pcm_16k: &[i16]) -> Result<String, SpeechError> {
        let mut text = String::new();
        for piece in split_at_quiet(pcm_16k) {
            if piece.len() < SAMPLES_MIN {
                continue;
            }
            let samples: Vec<f32> = piece.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
            let tokens = self.pool.take()?.decode(&samples)?;
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(self.text_of(&tokens).trim());
        }
        Ok(text)
    }

    fn text_of(&self, tokens: &[i64]) -> String {
        let mut bytes = Vec::new();
        for token in tokens {
            let piece = usize::try_from(*token).ok().and_then(|token| self.pieces.get(token));
            match piece.map(Vec::as_slice) {
                Some(piece) if !is_marker(piece) => bytes.extend_from_slice(piece),
                _ => {}
            }
        }
        String::from_utf8_lossy(&bytes).replace('\u{2581}', " ")
    }
}

/// `<s>`, `</s>`, `<<ST_7>>` and the like carry no text.
fn is_marker(piece: &[u8]) -> bool {
    matches!(piece, b"<unk>" | b"<s>" | b"</s>") || (piece.starts_with(b"<<ST_") && piece.ends_with(b">>"))
}

/// The vocabulary: byte strings, each after its length in seven-bit groups, lowest first.
fn parse_pieces(bytes: &[u8]) -> Result<Vec<Vec<u8>>, SpeechError> {
    let cut = || SpeechError::Content { file: "tokenizer.bin", detail: "it ends inside an entry".to_owned() };
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let mut length = 0_usize;
        let mut shift = 0;
        loop {
            let byte = *bytes.get(at).ok_or_else(cut)?;
            at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 21 {
                break;
            }
        }
        pieces.push(bytes.get(at..at + length).ok_or_else(cut)?.to_vec());
        at += length;
    }
    Ok(pieces)
}

/// Pieces of at most 24 s, cut at the quietest 100 ms after 16 s.
fn split_at_quiet(pcm: &[i16]) -> Vec<&[i16]> {
    const STEP: usize = RATE_HZ / 10;
    let mut pieces = Vec::new();
    let mut rest = pcm;
    while rest.len() > PIECE_SAMPLES_MAX {
        let energy = |at: usize| rest[at..at + STEP].iter().map(|x| i64::from(*x).pow(2)).sum::<i64>();
        let places = (PIECE_SAMPLES_MIN..PIECE_SAMPLES_MAX - STEP).step_by(STEP);
        let quietest = places.min_by_key(|at| energy(*at)).unwrap_or(PIECE_SAMPLES_MIN);
        let (piece, tail) = rest.split_at(quietest + STEP / 2);
        pieces.push(piece);
        rest = tail;
    }
    pieces.push(rest);
    pieces
}

struct Network {
    encoder: Session,
    decoder: Session,
    /// Names of the decoder's memory: `decoder` halves, then `encoder` halves.
    past: Vec<(String, String)>,
}

impl Network {
    fn load(dir: &ModelDir) -> Result<Self, SpeechError> {
        let names = |half: &'static str| {
            (0..LAYERS).flat_map(move |layer| {
                ["key", "value"].map(|kind| {
                    let tail = format!("{layer}.{half}.{kind}");
                    (format!("past_key_values.{tail}"), format!("present.{tail}"))
                })
            })
        };
        Ok(Self {
            encoder: onnx::open(dir, &dir.file(MODEL, "encoder_model.ort")?, MODEL)?,
            decoder: onnx::open(dir, &dir.file(MODEL, "decoder_model_merged.ort")?, MODEL)?,
            past: names("decoder").chain(names("encoder")).collect(),
        })
    }

    /// The most likely tokens for these samples, without start and end.
    fn decode(&mut self, samples: &[f32]) -> Result<Vec<i64>, SpeechError> {
        let hidden = self.encode(samples)?;
        let tokens_max = (samples.len() as f32 / RATE_HZ as f32 * TOKENS_PER_SECOND).ceil() as usize + 2;
        let mut tokens = Vec::new();
        let mut past = self.empty_past()?;
        let mut last = START;
        for step in 0..tokens_max {
            last = self.step(samples.len(), &hidden, last, step > 0, &mut past)?;
            if last == END {
                break;
            }
            tokens.push(last);
        }
        Ok(tokens)
    }

    fn encode(&mut self, samples: &[f32]) -> Result<DynValue, SpeechError> {
        let failed = SpeechError::inference(MODEL);
        let input = TensorRef::from_array_view(([1, samples.len()], samples)).map_err(&failed)?;
        let mask = Tensor::from_array(([1, samples.len()], vec![1_i64; samples.len()])).map_err(&failed)?;
        let inputs = ort::inputs!["input_values" => input, "attention_mask" => mask];
        let mut outputs = self.encoder.run(inputs).map_err(&failed)?;
        let name = outputs.keys().next().unwrap_or_default().to_owned();
        outputs.remove(name).ok_or_else(|| SpeechError::shape(MODEL, "encoder output"))
    }

    fn empty_past(&self) -> Result<Vec<DynValue>, SpeechError> {
        let failed = SpeechError::inference(MODEL);
        let allocator = Allocator::default();
        let empty = || Tensor::<f32>::new(&allocator, [1_usize, HEADS, 0, HEAD_SIZE]).map(Tensor::into_dyn);
        self.past.iter().map(|_| empty().map_err(&failed)).collect()
    }

    fn step(
        &mut self,
        samples: usize,
        hidden: &DynValue,
        token: i64,
        cached: bool,
        past: &mut [DynValue],
    ) -> Result<i64, SpeechError> {
        let failed = SpeechError::inference(MODEL);
        let ids = Tensor::from_array(([1_usize, 1], vec![token])).map_err(&failed)?;
        let mask = Tensor::from_array(([1_usize, samples], vec![1_i64; samples])).map_err(&failed)?;
        let branch = Tensor::from_array(([1_usize], vec![cached])).map_err(&failed)?;
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![
            ("input_ids".into(), ids.into()),
            ("encoder_attention_mask".into(), mask.into()),
            ("encoder_hidden_states".into(), hidden.into()),
            ("use_cache_branch".into(), branch.into()),
        ];
        for ((name, _), value) in self.past.iter().zip(past.iter()) {
            inputs.push((name.as_str().into(), value.into()));
        }
        let mut outputs = self.decoder.run(inputs).map_err(&failed)?;
        let next = {
            let (_, logits) = outputs["logits"].try_extract_tensor::<f32>().map_err(&failed)?;
            let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.map_or(END, |(at, _)| at as i64)
        };
        // The encoder's halves are only written by the first step.
        let changed = if cached { self.past.len() / 2 } else { self.past.len() };
        for ((_, present), slot) in self.past.iter().zip(past.iter_mut()).take(changed) {
            *slot = outputs.remove(present).ok_or_else(|| SpeechError::shape(MODEL, "decoder output"))?;
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_read_and_a_cut_one_refused() {
        let mut bytes = vec![2, b'a', b'b', 0];
        bytes.extend([0x81, 0x01]);
        bytes.extend([b'x'; 129]);
        let pieces = parse_pieces(&bytes).unwrap();
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0, 129]);
        assert!(parse_pieces(&bytes[..10]).is_err());
    }

    #[test]
    fn long_speech_is_cut_in_a_pause() {
        let mut pcm = vec![8_000_i16; 40 * RATE_HZ];
        let pause = 20 * RATE_HZ;
        pcm[pause..pause + RATE_HZ / 2].fill(0);
        let pieces = split_at_quiet(&pcm);
        assert_eq!(pieces.len(), 2);
        assert!((pause..pause + RATE_HZ / 2).contains(&pieces[0].len()), "cut at {}", pieces[0].len());
        assert_eq!(pieces.iter().map(|piece| piece.len()).sum::<usize>(), pcm.len());
    }
}
