//! The callers' sounds: spoken once by the on-device voice, kept in a folder, and put together from there.

use super::agent_voice::{self, AgentVoice, SPEECH_HZ_MAX};
use super::audio::{self, CALLER_RMS, RATE_HZ, SAMPLES_PER_MS};
use super::script::{CallPlan, Dice, Script, fingerprint, pieces};
use anyhow::Context as _;
use local::speech::{ModelDir, Synthesizer};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Raise it when the same text would now sound different.
const VERSION: &str = "2";
const CALLER_HZ_MAX: f64 = 3_500.0;
/// What other people in the room say is this much quieter than the caller.
const SIDE_TALK_DB: f64 = -15.0;
const BACKGROUND_SECS: usize = 20;
/// How far from the beginning of a word a sentence may be cut.
const CUT_MS: usize = 50;
const FADE_MS: usize = 12;
/// Sounds that recognisers leave out.
const HESITATIONS: [&str; 2] = ["um", "uh"];

/// Something the caller's side sends, ready to play.
#[derive(Clone, Debug, Default)]
pub struct Clip {
    pub pcm: Vec<i16>,
    /// What a recogniser makes of it, and when each word sounds, in milliseconds from the start.
    pub words: Vec<(String, u64, u64)>,
    /// Where the stretches between pauses begin and end.
    pub stretches: Vec<(u64, u64)>,
}

impl Clip {
    pub fn length_ms(&self) -> u64 {
        (self.pcm.len() / SAMPLES_PER_MS) as u64
    }
}

/// A sentence in one voice: samples at 8 kHz from first to last sound, and where its words begin.
#[derive(Clone, Debug)]
struct Sentence {
    pcm: Vec<f32>,
    word_starts_ms: Vec<u64>,
}

impl Sentence {
    /// The words from one to before another, without the silence around them, cut where the voice is weakest.
    fn stretch(&self, first: usize, end: usize) -> Self {
        let cut = |word: usize| match self.word_starts_ms.get(word) {
            Some(_) if word == 0 => 0,
            Some(ms) => audio::weakest(&self.pcm, *ms as usize * SAMPLES_PER_MS, CUT_MS * SAMPLES_PER_MS),
            None => self.pcm.len(),
        };
        let (from, to) = (cut(first), cut(end));
        let mut pcm = self.pcm.get(from..to).unwrap_or_default().to_vec();
        let (sounds, silent) = audio::bounds(&pcm);
        pcm = pcm[sounds..silent].to_vec();
        audio::fade(&mut pcm, FADE_MS * SAMPLES_PER_MS);
        let begin_ms = ((from + sounds) / SAMPLES_PER_MS) as u64;
        let words = self.word_starts_ms.get(first..end).unwrap_or_default();
        Self { pcm, word_starts_ms: words.iter().map(|ms| ms.saturating_sub(begin_ms)).collect() }
    }
}

/// Speaks what is not in the cache yet.
pub struct Studio {
    cache: PathBuf,
    models: ModelDir,
    synthesizer: Option<Synthesizer>,
}

impl Studio {
    pub fn open(cache: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(cache).with_context(|| format!("{} cannot be made", cache.display()))?;
        Ok(Self { cache: cache.to_owned(), models: ModelDir::locate()?, synthesizer: None })
    }

    pub fn models(&self) -> &Path {
        self.models.path()
    }

    /// Samples at 24 kHz and where each whitespace-separated word begins, in samples.
    fn say(&mut self, text: &str) -> anyhow::Result<(Vec<f32>, Vec<usize>)> {
        let file = self.cache.join(format!("{:016x}.say", fingerprint(&format!("{VERSION}|{text}"))));
        if let Ok(bytes) = std::fs::read(&file)
            && let Some(known) = decode(&bytes)
        {
            return Ok(known);
        }
        if self.synthesizer.is_none() {
            self.synthesizer =
                Some(Synthesizer::load(&self.models).context("the on-device voice; `cargo xtask models` brings it")?);
        }
        let speech = self.synthesizer.as_ref().context("a voice was just loaded")?.synthesize(text)?;
        let pcm: Vec<f32> = speech.pcm.iter().map(|sample| f32::from(*sample)).collect();
        let total_ms = speech.duration_ms();
        let starts = token_starts(text).into_iter().map(|at| {
            let before = speech.words.iter().rev().find(|(byte, _)| *byte <= at).map_or(0, |(_, ms)| *ms);
            let exact = speech.words.iter().find(|(byte, _)| *byte == at).map(|(_, ms)| *ms);
            (exact.unwrap_or(before).min(total_ms) * 24) as usize
        });
        let spoken = (pcm, starts.collect::<Vec<_>>());
        std::fs::write(&file, encode(&spoken)).with_context(|| format!("{} cannot be written", file.display()))?;
        Ok(spoken)
    }

    fn sentence(&mut self, text: &str, voice: f64) -> anyhow::Result<Sentence> {
        let (pcm, starts) = self.say(text)?;
        // Playing it faster raises the pitch and shortens it, as another speaker would.
        let pcm = audio::resample(&pcm, 24_000.0 * voice, RATE_HZ, CALLER_HZ_MAX.min(12_000.0 * voice));
        let (from, to) = audio::bounds(&pcm);
        let to_ms = |sample: usize| {
            let at = (sample as f64 / (24.0 * voice)) as u64;
            at.saturating_sub((from / SAMPLES_PER_MS) as u64).min(((to - from) / SAMPLES_PER_MS) as u64)
        };
        Ok(Sentence { pcm: pcm[from..to].to_vec(), word_starts_ms: starts.into_iter().map(to_ms).collect() })
    }

    /// A turn with its pauses. It is spoken in one breath and taken apart where the pauses belong: a voice that goes on after a
    /// pause does not fall before it.
    pub fn turn(&mut self, say: &str, voice: f64, settled: bool) -> anyhow::Result<Clip> {
        let parts = pieces(say)?;
        let whole = parts.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>().join(" ");
        let sentence = self.sentence(&whole, voice)?;
        let mut clip = Clip::default();
        let mut first = 0;
        for (n, piece) in parts.iter().enumerate() {
            let last = n + 1 == parts.len();
            let closed = piece.text.ends_with(['.', ',', '?', '!']);
            // Recognisers take every third unfinished stretch for a sentence.
            let stop = !last && !closed && !settled && fingerprint(&piece.text).is_multiple_of(3);
            let tokens: Vec<&str> = piece.text.split_whitespace().collect();
            let stretch = sentence.stretch(first, first + tokens.len());
            let start = clip.length_ms();
            let end = start + (stretch.pcm.len() / SAMPLES_PER_MS) as u64;
            for (w, token) in tokens.iter().enumerate() {
                if HESITATIONS.contains(&agent_voice::bare(token).as_str()) {
                    continue;
                }
                let from = (start + stretch.word_starts_ms.get(w).copied().unwrap_or(0)).min(end);
                let next = stretch.word_starts_ms.get(w + 1).map_or(end, |ms| (start + ms).min(end));
                let text = if stop && w + 1 == tokens.len() { format!("{token}.") } else { (*token).to_owned() };
                clip.words.push((text, from, next.max(from + 40)));
            }
            clip.stretches.push((start, end));
            clip.pcm.extend(audio::at_level(&stretch.pcm, CALLER_RMS));
            if !last {
                clip.pcm.resize(clip.pcm.len() + piece.pause_ms as usize * SAMPLES_PER_MS, 0);
            }
            first += tokens.len();
        }
        Ok(clip)
    }

    /// Somebody else in the room; whether the recogniser makes words of it depends on the words.
    pub fn side_talk(&mut self, say: &str, voice: f64) -> anyhow::Result<Clip> {
        let other = if voice > 0.97 { 0.84 } else { 1.1 };
        let mut clip = self.turn(say, other, true)?;
        let gain = 10_f64.powf(SIDE_TALK_DB / 20.0);
        clip.pcm.iter_mut().for_each(|sample| *sample = (f64::from(*sample) * gain) as i16);
        if fingerprint(say).is_multiple_of(2) {
            clip.words.clear();
        }
        Ok(clip)
    }

    /// The line's background for a call.
    pub fn background(&mut self, plan: &CallPlan, script: &Script) -> anyhow::Result<Arc<[i16]>> {
        let mut dice = Dice::new(script.seed ^ plan.number as u64 ^ 0xbac4);
        let mut voices = Vec::new();
        if plan.background == "babble" {
            for n in 0..6 {
                let item = &script.items[dice.below(script.items.len())];
                let text = item.answer.clone();
                voices.push(self.sentence(&text, 0.8 + 0.07 * f64::from(n))?.pcm);
            }
        }
        let pcm = audio::background(&plan.background, &voices, &mut dice, BACKGROUND_SECS);
        let level = CALLER_RMS / 10_f64.powf(f64::from(plan.snr_db) / 20.0);
        let gain = level / audio::rms(&pcm).max(1e-9);
        Ok(pcm.iter().map(|sample| (f64::from(*sample) * gain).clamp(-32_000.0, 32_000.0) as i16).collect())
    }

    /// Every word that the agent may say.
    pub fn agent_voice(&mut self, script: &Script) -> anyhow::Result<AgentVoice> {
        let vocabulary: HashSet<String> = script.agent_texts().flat_map(agent_voice::words).collect();
        let mut recordings = HashMap::new();
        for word in vocabulary {
            let (pcm, _) = self.say(&word)?;
            recordings.insert(word, audio::resample(&pcm, 24_000.0, RATE_HZ, SPEECH_HZ_MAX));
        }
        let texts: Vec<Vec<String>> = script.agent_texts().map(agent_voice::words).collect();
        Ok(AgentVoice::new(recordings, &texts))
    }
}

fn token_starts(text: &str) -> Vec<usize> {
    let starts = |(at, c): (usize, char)| {
        let first = at == 0 || text[..at].ends_with(char::is_whitespace);
        (first && !c.is_whitespace()).then_some(at)
    };
    text.char_indices().filter_map(starts).collect()
}

fn encode((pcm, starts): &(Vec<f32>, Vec<usize>)) -> Vec<u8> {
    let mut bytes = (starts.len() as u32).to_le_bytes().to_vec();
    bytes.extend(starts.iter().flat_map(|start| (*start as u32).to_le_bytes()));
    bytes.extend(pcm.iter().flat_map(|sample| (*sample as i16).to_le_bytes()));
    bytes
}

fn decode(bytes: &[u8]) -> Option<(Vec<f32>, Vec<usize>)> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let (starts, pcm) = rest.split_at_checked(u32::from_le_bytes(*count) as usize * 4)?;
    let starts = starts.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four) as usize);
    let pcm = pcm.as_chunks::<2>().0.iter().map(|two| f32::from(i16::from_le_bytes(*two)));
    Some((pcm.collect(), starts.collect()))
}
