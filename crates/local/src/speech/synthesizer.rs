//! English text to speech: text is written out as words, words become symbols, a small network draws spectra, and the
//! vocoder makes them sound. Callers hand in a sentence at a time, so that the first one can play while the next is made.

use super::SpeechError;
use super::phonemes::{Phonemizer, Symbols};
use super::spoken;
use super::vocoder::{HOP, RATE_HZ, Spectra, Vocoder};
use crate::models::ModelDir;
use crate::onnx::{self, Pool};
use ort::session::Session;
use ort::value::Tensor;
use std::collections::HashMap;

const MODEL: &str = "tts-en-hibari-heart";
const SESSIONS: usize = 2;
/// The network draws at most this many symbols well; longer text is cut after clauses.
const SYMBOLS_MAX: usize = 400;
const PARTS: [&str; 6] = ["lh", "theta", "ln", "lr", "phi", "f0"];

/// Speech for a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// Mono samples.
    pub pcm: Vec<i16>,
    /// Always 24,000.
    pub sample_rate_hz: u32,
    /// When each word begins: its first byte in the text that was given, and milliseconds from the start. Estimated.
    pub words: Vec<(usize, u64)>,
}

impl Speech {
    /// The length in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.pcm.len() as u64 * 1_000 / u64::from(self.sample_rate_hz)
    }
}

/// Speaks English with one voice. Shared by all calls.
pub struct Synthesizer {
    pool: Pool<Session>,
    phonemizer: Phonemizer,
    vocoder: Vocoder,
    ids: HashMap<char, i64>,
}

impl Synthesizer {
    /// Loads dictionary and networks, and speaks a word: the first run allocates.
    pub fn load(dir: &ModelDir) -> Result<Self, SpeechError> {
        let vocabulary = dir.read(MODEL, "vocab.json")?;
        let vocabulary: HashMap<String, i64> = serde_json::from_slice(&vocabulary)
            .map_err(|error| SpeechError::Content { file: "vocab.json", detail: error.to_string() })?;
        let path = dir.file(MODEL, "hibari.onnx")?;
        let sessions = (0..SESSIONS).map(|_| onnx::open(dir, &path, MODEL)).collect::<Result<Vec<_>, _>>()?;
        let synthesizer = Self {
            pool: Pool::new(MODEL, sessions),
            phonemizer: Phonemizer::load(dir)?,
            vocoder: Vocoder::new(),
            ids: vocabulary.into_iter().filter_map(|(text, id)| Some((text.chars().next()?, id))).collect(),
        };
        synthesizer.synthesize("Hello.")?;
        Ok(synthesizer)
    }

    /// Speaks the text. Nothing that can be said gives no samples.
    pub fn synthesize(&self, text: &str) -> Result<Speech, SpeechError> {
        let symbols = self.phonemizer.symbols(&spoken::normalize(text))?;
        let mut speech = Speech { pcm: Vec::new(), sample_rate_hz: RATE_HZ, words: Vec::new() };
        for piece in pieces(&symbols) {
            self.speak(&piece, &mut speech)?;
        }
        Ok(speech)
    }

    /// The symbols for a text, for tests and for listening to what went wrong.
    pub fn phonemes(&self, text: &str) -> Result<String, SpeechError> {
        Ok(self.phonemizer.symbols(&spoken::normalize(text))?.text)
    }

    fn speak(&self, symbols: &Symbols, speech: &mut Speech) -> Result<(), SpeechError> {
        let known = symbols.text.chars().filter_map(|c| self.ids.get(&c).copied());
        let ids: Vec<i64> = std::iter::once(0).chain(known).chain([0]).collect();
        if ids.len() < 3 {
            return Ok(());
        }
        let wave = self.wave(ids)?;
        let start_ms = speech.duration_ms();
        speech.words.extend(word_starts(symbols, &wave).into_iter().map(|(byte, ms)| (byte, start_ms + ms)));
        speech.pcm.extend(wave.iter().map(|sample| (sample.clamp(-1.0, 1.0) * 32_767.0) as i16));
        Ok(())
    }

    fn wave(&self, ids: Vec<i64>) -> Result<Vec<f32>, SpeechError> {
        let failed = SpeechError::inference(MODEL);
        let ids = Tensor::from_array(([1, ids.len()], ids)).map_err(&failed)?;
        let speed = Tensor::from_array(([1_usize], vec![1.0_f32])).map_err(&failed)?;
        let mut session = self.pool.take()?;
        let outputs = session.run(ort::inputs!["ids" => ids, "speed" => speed]).map_err(&failed)?;
        let mut parts = Vec::with_capacity(PARTS.len());
        for name in PARTS {
            let value = outputs.get(name).ok_or_else(|| SpeechError::shape(MODEL, "outputs"))?;
            parts.push(value.try_extract_tensor::<f32>().map_err(&failed)?.1);
        }
        let frames = parts[5].len();
        if frames == 0 || parts[..5].iter().any(|part| part.len() != frames * super::vocoder::BINS) {
            return Err(SpeechError::shape(MODEL, "spectra"));
        }
        Ok(self.vocoder.synthesize(&Spectra {
            harmonic: parts[0],
            shift: parts[1],
            noise: parts[2],
            free: parts[3],
            phase: parts[4],
            pitch_hz: parts[5],
        }))
    }
}

/// Stretches of at most [`SYMBOLS_MAX`] symbols, cut after a sentence, else after a clause, else after a word.
fn pieces(symbols: &Symbols) -> Vec<Symbols> {
    let chars: Vec<char> = symbols.text.chars().collect();
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < chars.len() {
        let end =
            if chars.len() - start <= SYMBOLS_MAX { chars.len() } else { start + cut(&chars[start..][..SYMBOLS_MAX]) };
        let words = symbols.words.iter().filter(|(_, at)| (start..end).contains(at));
        pieces.push(Symbols {
            text: chars[start..end].iter().collect::<String>(),
            words: words.map(|(byte, at)| (*byte, at - start)).collect(),
        });
        start = end;
    }
    pieces
}

fn cut(chars: &[char]) -> usize {
    let after =
        |set: &[char]| chars.windows(2).rposition(|pair| set.contains(&pair[0]) && pair[1] == ' ').map(|at| at + 2);
    let sentence = after(&['.', '!', '?', '…']).filter(|at| *at > chars.len() / 3);
    let clause = || after(&[',', ';', ':', '—']).filter(|at| *at > chars.len() / 3);
    let word = || chars.iter().rposition(|c| *c == ' ').map(|at| at + 1);
    sentence.or_else(clause).or_else(word).unwrap_or(chars.len())
}

/// Spreads the words over the audible part by the usual length of their symbols.
fn word_starts(symbols: &Symbols, wave: &[f32]) -> Vec<(usize, u64)> {
    let (onset, offset) = audible(wave);
    let mut before = Vec::new();
    let mut total = 0.0;
    for c in symbols.text.trim_end_matches(|c: char| !c.is_alphabetic()).chars() {
        before.push(total);
        total += length(c);
    }
    let ms = |at: usize| {
        let share = before.get(at).copied().unwrap_or(total) / f32::max(total, 1.0);
        let sample = onset as f32 + share * (offset - onset) as f32;
        (sample * 1_000.0 / RATE_HZ as f32) as u64
    };
    symbols.words.iter().map(|(byte, at)| (*byte, ms(*at))).collect()
}

/// How long a symbol lasts, relative to a plain vowel.
fn length(symbol: char) -> f32 {
    match symbol {
        'ˈ' => 0.3,
        'ˌ' => 0.1,
        'A' | 'I' | 'O' | 'W' | 'Y' | 'Q' => 1.5,
        'ː' => 0.5,
        'ə' | 'ɪ' | 'ᵊ' | 'ᵻ' | 'T' | 'ɾ' => 0.6,
        'a' | 'ɑ' | 'æ' | 'ɔ' | 'ɛ' | 'ɜ' | 'i' | 'u' | 'ʊ' | 'ʌ' | 'ɐ' | 'ɒ' => 1.0,
        's' | 'ʃ' | 'f' | 'ʧ' | 'z' | 'ʤ' => 1.0,
        '.' | '!' | '?' | '…' | ';' | ':' | '—' => 4.0,
        ',' => 2.5,
        ' ' => 0.1,
        c if c.is_alphabetic() => 0.7,
        _ => 0.0,
    }
}

/// The first and the last sample that can be heard.
fn audible(wave: &[f32]) -> (usize, usize) {
    let loudest = wave.iter().fold(0.0_f32, |loudest, x| loudest.max(x.abs()));
    let heard = |chunk: &[f32]| chunk.iter().any(|x| x.abs() > loudest * 0.03);
    let first = wave.chunks(HOP).position(heard).unwrap_or(0);
    let last = wave.chunks(HOP).rposition(heard).map_or(wave.len(), |chunk| (chunk + 1) * HOP);
    (first * HOP, last.min(wave.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_after_a_sentence_and_words_keep_their_places() {
        let sentence = "wˈʌn tˈu θɹˈi fˈɔɹ. ";
        let text = sentence.repeat(40);
        let starts = (0..40).map(|n| (n, n * sentence.chars().count())).collect();
        let pieces = pieces(&Symbols { text: text.clone(), words: starts });
        assert!(pieces.len() >= 2 && pieces.iter().all(|piece| piece.text.chars().count() <= SYMBOLS_MAX));
        assert!(pieces[..pieces.len() - 1].iter().all(|piece| piece.text.ends_with(". ")));
        assert_eq!(pieces.iter().map(|piece| piece.text.as_str()).collect::<String>(), text);
        assert_eq!(pieces.iter().map(|piece| piece.words.len()).sum::<usize>(), 40);
        assert!(pieces.iter().all(|piece| piece.words[0].1 == 0));
    }

    #[test]
    fn a_text_without_spaces_is_cut_too() {
        let pieces = pieces(&Symbols { text: "a".repeat(1_000), words: vec![(0, 0)] });
        assert_eq!(pieces.iter().map(|piece| piece.text.len()).collect::<Vec<_>>(), [400, 400, 200]);
    }

    #[test]
    fn words_are_spread_over_the_audible_part() {
        let mut wave = vec![0.0; 24_000];
        wave[6_000..18_000].fill(0.5);
        let symbols = Symbols { text: "aaaa aaaa".to_owned(), words: vec![(0, 0), (5, 5)] };
        let starts = word_starts(&symbols, &wave);
        assert_eq!(starts[0], (0, 250));
        assert!((495..=510).contains(&starts[1].1), "{starts:?}");
    }
}
