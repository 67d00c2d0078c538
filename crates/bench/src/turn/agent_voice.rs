//! The agent's voice: one recorded word after the other, each with a quiet pair of tones that tells which word it is, so
//! that what a caller heard can be read from what came over the line.
//!
//! Speech ends below the tones. The tones stop shortly before their word does, so that the same word twice is two words.

use super::audio::{self, RATE_HZ, SAMPLES_PER_MS};
use super::script::fingerprint;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::f64::consts::TAU;
use std::sync::Arc;

/// Where the agent's speech ends.
pub const SPEECH_HZ_MAX: f64 = 2_550.0;
const LOW_TONES_HZ: [f64; 8] = [2_850.0, 2_900.0, 2_950.0, 3_000.0, 3_050.0, 3_100.0, 3_150.0, 3_200.0];
const HIGH_TONES_HZ: [f64; 8] = [3_275.0, 3_325.0, 3_375.0, 3_425.0, 3_475.0, 3_525.0, 3_575.0, 3_625.0];
const VOICE_RMS: f64 = 3_000.0;
const TONE_AMPLITUDE: f64 = 240.0;
const TONE_LEAD_MS: usize = 10;
const TONE_TAIL_MS: usize = 30;
const WORD_MS_MIN: usize = 170;
const WORD_GAP_MS: usize = 45;
const CLAUSE_GAP_MS: usize = 160;
const SENTENCE_GAP_MS: usize = 240;
/// Window and step of the reading.
const WINDOW: usize = 40 * SAMPLES_PER_MS;
const STEP: usize = 10 * SAMPLES_PER_MS;
/// A word may be held up on its way by this much and still be one word.
const HOLE_MS_MAX: u64 = 400;
/// Shorter than this is no word.
const RUN_STEPS_MIN: usize = 4;
/// Amplitude of a tone in the window from which it is there; the voice may be turned down by 20 dB.
const TONE_AMPLITUDE_MIN: f64 = 14.0;
/// How far the tone stands above the others of its group.
const TONE_RATIO_MIN: f64 = 2.0;

/// Pairs of tones.
const CODES: u64 = 64;
/// Words of one text that lie so near have different pairs.
const NEAR: usize = 3;

/// A pair of tones.
pub type Code = (u8, u8);

/// A word as it is compared: without case and punctuation; empty for what is no word.
pub fn bare(token: &str) -> String {
    token.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == '\'').collect::<String>().replace('\'', "")
}

/// The words of a text, as they are compared.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || c == '-').map(bare).filter(|word| !word.is_empty()).collect()
}

fn hashed(word: &str) -> usize {
    let hash = fingerprint(word);
    ((hash ^ (hash >> 29)) % CODES) as usize
}

fn pair(number: usize) -> Code {
    ((number % 8) as u8, (number / 8 % 8) as u8)
}

/// Which pair of tones each word has. Words that stand near each other in a text have different ones.
#[derive(Debug, Default)]
struct Codebook(HashMap<String, Code>);

impl Codebook {
    fn of(texts: &[Vec<String>]) -> Self {
        let mut near: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for text in texts {
            for (at, word) in text.iter().enumerate() {
                near.entry(word).or_default();
                for other in text.iter().skip(at + 1).take(NEAR).filter(|other| *other != word) {
                    near.entry(word).or_default().insert(other);
                    near.entry(other).or_default().insert(word);
                }
            }
        }
        let mut words: Vec<&str> = near.keys().copied().collect();
        words.sort_by_key(|word| std::cmp::Reverse(near[word].len()));
        let mut codes: HashMap<String, Code> = HashMap::new();
        for word in words {
            let taken: BTreeSet<Code> = near[word].iter().filter_map(|other| codes.get(*other)).copied().collect();
            let first = hashed(word);
            let free = (first..first + CODES as usize).map(pair).find(|code| !taken.contains(code));
            codes.insert(word.to_owned(), free.unwrap_or(pair(first)));
        }
        Self(codes)
    }

    fn code(&self, word: &str) -> Code {
        self.0.get(word).copied().unwrap_or_else(|| pair(hashed(word)))
    }
}

/// A word that was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeardWord {
    pub code: Code,
    pub from_ms: u64,
    pub to_ms: u64,
}

/// Words as recordings at 8 kHz.
#[derive(Debug, Default)]
pub struct AgentVoice {
    words: HashMap<String, Arc<[f32]>>,
    codes: Codebook,
    /// Which word stands behind which in some text.
    pairs: BTreeSet<(String, String)>,
}

impl AgentVoice {
    /// Takes recordings of single words (8 kHz, any level) without their tones, and the texts in which they stand.
    pub fn new(recordings: HashMap<String, Vec<f32>>, texts: &[Vec<String>]) -> Self {
        let codes = Codebook::of(texts);
        let words = recordings.into_iter().map(|(word, pcm)| {
            let spoken = finish(codes.code(&word), &pcm);
            (word, spoken)
        });
        let pairs =
            texts.iter().flat_map(|text| text.windows(2)).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        Self { words: words.collect(), codes, pairs }
    }

    /// Which tones a word has.
    pub fn code(&self, word: &str) -> Code {
        self.codes.code(word)
    }

    /// The tones of the words of a text.
    pub fn codes(&self, text: &str) -> Vec<Code> {
        words(text).iter().map(|word| self.code(word)).collect()
    }

    fn word(&self, word: &str) -> Arc<[f32]> {
        // A word nobody expected still sounds, and says which it is.
        self.words.get(word).cloned().unwrap_or_else(|| {
            let length = (word.chars().count() * 60).max(WORD_MS_MIN) * SAMPLES_PER_MS;
            let buzz: Vec<f32> = (0..length)
                .map(|n| {
                    let t = n as f64 / RATE_HZ;
                    ((1..12).map(|k| (TAU * 140.0 * f64::from(k) * t).sin() / f64::from(k)).sum::<f64>()) as f32
                })
                .collect();
            finish(self.code(word), &buzz)
        })
    }

    /// The words that were heard, a word with a hole in it being one word.
    pub fn read(&self, heard: &[i16]) -> Vec<HeardWord> {
        let mut words: Vec<HeardWord> = Vec::new();
        for word in read(heard) {
            let length = |word: &HeardWord| word.to_ms - word.from_ms;
            match words.last_mut() {
                Some(last)
                    if last.code == word.code
                        && word.from_ms < last.to_ms + HOLE_MS_MAX
                        && length(last) + length(&word) <= self.longest_tone_ms(word.code) + 40 =>
                {
                    last.to_ms = word.to_ms;
                }
                _ => words.push(word),
            }
        }
        words
    }

    fn longest_tone_ms(&self, wanted: Code) -> u64 {
        let lengths = self.words.iter().filter(|(word, _)| self.code(word) == wanted).map(|(_, pcm)| pcm.len());
        (lengths.max().unwrap_or(0) / SAMPLES_PER_MS).saturating_sub(TONE_LEAD_MS + TONE_TAIL_MS) as u64
    }

    /// How long the tones of the shortest word with this pair are that may stand behind another word.
    pub fn tone_ms_behind(&self, before: &str, wanted: Code) -> u64 {
        let follows = |word: &str| self.pairs.contains(&(before.to_owned(), word.to_owned()));
        let lengths = self.words.iter().filter(|(word, _)| self.code(word) == wanted && follows(word));
        let shortest = lengths.map(|(_, pcm)| pcm.len()).min().unwrap_or(0);
        (shortest / SAMPLES_PER_MS).saturating_sub(TONE_LEAD_MS + TONE_TAIL_MS) as u64
    }

    /// Speaks: samples at a rate, and where each character ends.
    pub fn speak(&self, text: &str, rate_hz: u32) -> (Vec<i16>, Vec<usize>) {
        let mut pcm: Vec<f32> = Vec::new();
        let mut ends = Vec::new();
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            let separator = |c: char| c.is_whitespace() || c == '-';
            if separator(chars[at]) {
                ends.push(pcm.len());
                at += 1;
                continue;
            }
            let token: Vec<char> = chars[at..].iter().copied().take_while(|c| !separator(*c)).collect();
            let word = bare(&token.iter().collect::<String>());
            let from = pcm.len();
            if !word.is_empty() {
                pcm.extend(self.word(&word).iter());
            }
            let length = pcm.len() - from;
            ends.extend((1..=token.len()).map(|n| from + length * n / token.len()));
            let gap_ms = match token.last() {
                Some('.' | '!' | '?') => SENTENCE_GAP_MS,
                Some(',' | ';' | ':') => CLAUSE_GAP_MS,
                _ => WORD_GAP_MS,
            };
            pcm.resize(pcm.len() + gap_ms * SAMPLES_PER_MS, 0.0);
            at += token.len();
        }
        let full = pcm.len();
        let rate = f64::from(rate_hz);
        if rate_hz != 8_000 {
            pcm = audio::resample(&pcm, RATE_HZ, rate, 3_900.0);
            ends.iter_mut().for_each(|end| *end = (*end as f64 * rate / RATE_HZ) as usize);
        }
        // The last character holds the silence behind it.
        if full > 0
            && let Some(last) = ends.last_mut()
        {
            *last = pcm.len();
        }
        (pcm.iter().map(|sample| sample.clamp(-32_000.0, 32_000.0) as i16).collect(), ends)
    }
}

/// Level and tones.
fn finish((low, high): Code, pcm: &[f32]) -> Arc<[f32]> {
    let (from, to) = audio::bounds(pcm);
    let gain = VOICE_RMS / audio::active_rms(pcm).max(1e-9);
    let mut out: Vec<f32> = pcm[from..to].iter().map(|sample| (f64::from(*sample) * gain) as f32).collect();
    if out.len() < WORD_MS_MIN * SAMPLES_PER_MS {
        // A short word is drawn out by its own last sound, not by silence.
        let short = out.clone();
        let wanted = WORD_MS_MIN * SAMPLES_PER_MS;
        out = audio::resample(&short, short.len().max(1) as f64, wanted as f64, short.len().max(1) as f64 / 2.0);
        out.resize(wanted, 0.0);
    }
    let (low_hz, high_hz) = (LOW_TONES_HZ[usize::from(low)], HIGH_TONES_HZ[usize::from(high)]);
    let (first, last) = (TONE_LEAD_MS * SAMPLES_PER_MS, out.len() - TONE_TAIL_MS * SAMPLES_PER_MS);
    for (n, sample) in out.iter_mut().enumerate().take(last).skip(first) {
        let ramp = ((n - first).min(last - n) as f64 / 40.0).min(1.0);
        let t = n as f64 / RATE_HZ;
        *sample += (TONE_AMPLITUDE * ramp * ((TAU * low_hz * t).sin() + (TAU * high_hz * t).sin())) as f32;
    }
    out.into()
}

/// The words in what was heard, in order.
fn read(heard: &[i16]) -> Vec<HeardWord> {
    let codes: Vec<Option<Code>> = (0..heard.len().saturating_sub(WINDOW))
        .step_by(STEP)
        .map(|from| {
            let window = &heard[from..from + WINDOW];
            Some((strongest(window, &LOW_TONES_HZ)?, strongest(window, &HIGH_TONES_HZ)?))
        })
        .collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < codes.len() {
        let Some(code) = codes[at] else {
            at += 1;
            continue;
        };
        let run = codes[at..].iter().take_while(|one| **one == Some(code)).count();
        // One window that could not be read does not end a word.
        let rest = codes.get(at + run + 1..).unwrap_or_default();
        let more = rest.iter().take_while(|one| **one == Some(code)).count();
        let steps = if more >= 2 { run + 1 + more } else { run };
        if steps >= RUN_STEPS_MIN {
            let centre = WINDOW / 2;
            let ms = |step: usize| ((step * STEP + centre) / SAMPLES_PER_MS) as u64;
            found.push(HeardWord { code, from_ms: ms(at), to_ms: ms(at + steps) });
        }
        at += steps;
    }
    found
}

/// Which tone stands out, if one does.
fn strongest(window: &[i16], tones_hz: &[f64; 8]) -> Option<u8> {
    let amplitudes: Vec<f64> = tones_hz.iter().map(|hz| amplitude(window, *hz)).collect();
    let (best, loudest) = amplitudes.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let next = amplitudes.iter().enumerate().filter(|(n, _)| *n != best).map(|(_, one)| *one).fold(0.0, f64::max);
    (loudest >= TONE_AMPLITUDE_MIN && loudest >= next * TONE_RATIO_MIN).then_some(best as u8)
}

/// Goertzel's algorithm over a Hann window.
fn amplitude(window: &[i16], hz: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hz / RATE_HZ).cos();
    let (mut one, mut two) = (0.0, 0.0);
    let length = window.len() as f64;
    for (n, sample) in window.iter().enumerate() {
        let shape = 0.5 - 0.5 * (TAU * n as f64 / length).cos();
        let next = f64::from(*sample) * shape + coefficient * one - two;
        two = one;
        one = next;
    }
    (one * one + two * two - coefficient * one * two).max(0.0).sqrt() * 4.0 / length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_near_each_other_have_different_tones() {
        let text: Vec<String> = (0..200).map(|n| format!("w{}", n * 7 % 90)).collect();
        let voice = AgentVoice::new(HashMap::new(), std::slice::from_ref(&text));
        for near in text.windows(NEAR + 1) {
            assert!(near[1..].iter().all(|other| voice.code(other) != voice.code(&near[0])), "{near:?}");
        }
    }

    #[test]
    fn words_can_be_read_from_the_sound_even_when_it_is_turned_down() {
        let voice = AgentVoice::default();
        let text = "You can return anything within thirty days, days that begin well-known.";
        for gain in [1.0, 0.25] {
            let (pcm, ends) = voice.speak(text, 8_000);
            assert_eq!(ends.len(), text.chars().count());
            let quiet: Vec<i16> = pcm.iter().map(|sample| (f64::from(*sample) * gain) as i16).collect();
            let expected = voice.codes(text);
            assert_eq!(read(&quiet).iter().map(|word| word.code).collect::<Vec<_>>(), expected, "at {gain}");
        }
    }
}
