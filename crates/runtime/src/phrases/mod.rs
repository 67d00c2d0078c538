//! Lines that every call may need at any moment, kept as audio: one cache for all calls of the node.
//!
//! A line belongs to the voice that spoke it, in one language, at one line's rate. It is rendered once, whoever asks; a
//! call that wants to say a line that is being rendered joins the render. Failures are not kept.
//!
//! Start reading at [`Phrases::find`], then [`Phrases::prepare`]. `render` makes the audio, `sweep` keeps the lines of
//! configured agents warm.

mod render;
mod sweep;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod toy;

pub(crate) use sweep::run as sweep;

use crate::router::VoiceNow;
use crate::service::{Bill, TtsService, TtsSession};
use base::limits;
use media::Resampler;
use providers::tts::TtsOpen;
use render::Progress;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

/// A render without any audio is joined only while it is this young: an older one may never bring any.
const JOIN_SILENT_MS_MAX: u64 = 300;

/// A voice at a rate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct VoiceKey {
    /// Registry name of who speaks.
    pub(crate) provider: String,
    /// Model, in the provider's words.
    pub(crate) model: String,
    /// In the provider's words; `None` for its default.
    pub(crate) voice: Option<String>,
    /// BCP-47.
    pub(crate) language: String,
    /// Samples per second of the line.
    pub(crate) rate_hz: u32,
}

impl VoiceKey {
    /// A voice at a rate, and who speaks with it.
    pub(crate) fn of(voice: VoiceNow, rate_hz: u32) -> (Self, Arc<dyn TtsService>) {
        let VoiceNow { service, provider, model, voice, language } = voice;
        (Self { provider, model, voice, language, rate_hz }, service)
    }

    fn open(&self) -> TtsOpen {
        let (language, voice) = (self.language.clone(), self.voice.clone());
        TtsOpen { sample_rate_hz: self.rate_hz, language, voice, now_unix_ms: 0 }
    }
}

/// The audio of a line. Clones share it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Phrase {
    /// 16-bit mono at the rate of its voice.
    pub(crate) pcm: Arc<[i16]>,
    /// When its words begin: (byte of the text, millisecond of the audio), ascending. Empty where the provider does not say.
    pub(crate) words: Arc<[(u32, u64)]>,
}

/// What the cache has for a line.
pub(crate) enum Found {
    /// All of it.
    Ready(Phrase),
    /// Its audio as it is rendered, from the beginning: one segment, whose text need not be sent.
    Coming(TtsSession),
    /// Nothing.
    Missing,
}

/// Who renders, and for whom.
#[derive(Clone)]
pub(crate) struct Renderer {
    pub(crate) service: Arc<dyn TtsService>,
    pub(crate) key: VoiceKey,
    pub(crate) bill: Bill,
}

/// See the module.
pub(crate) struct Phrases {
    voices: Mutex<Voices>,
    renders: Arc<Semaphore>,
}

#[derive(Default)]
struct Voices {
    of: HashMap<VoiceKey, HashMap<String, Line>>,
    /// Counts uses, so that the least recently used line is known.
    clock: u64,
}

enum Line {
    Kept { phrase: Phrase, used: u64 },
    Rendering { progress: watch::Receiver<Progress>, since: Instant },
}

impl Default for Phrases {
    fn default() -> Self {
        Self { voices: Mutex::default(), renders: Arc::new(Semaphore::new(limits::PHRASE_RENDERS_MAX)) }
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("frontdesk_phrase_cache_total", "outcome" => outcome).increment(1);
}

impl Phrases {
    fn lock(&self) -> MutexGuard<'_, Voices> {
        // No guarded section can panic half way through a change.
        self.voices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line in exactly this voice.
    pub(crate) fn find(&self, key: &VoiceKey, text: &str) -> Found {
        let mut voices = self.lock();
        if let Some(phrase) = voices.use_line(key, text) {
            count("hit");
            return Found::Ready(phrase);
        }
        match voices.of.get(key).and_then(|lines| lines.get(text.trim())) {
            Some(Line::Rendering { progress, since }) if render::is_worth_joining(progress, *since) => {
                count("hit");
                Found::Coming(render::join(progress.clone(), key.rate_hz))
            }
            _ => Found::Missing,
        }
    }

    /// The line in this voice, or else in any voice of the language: a strange voice beats silence.
    pub(crate) fn find_any(&self, key: &VoiceKey, text: &str) -> Option<Phrase> {
        let mut voices = self.lock();
        if let Some(phrase) = voices.use_line(key, text) {
            count("hit");
            return Some(phrase);
        }
        let others = voices.of.iter().filter(|(other, _)| other.language == key.language);
        let kept = others.filter_map(|(other, lines)| match lines.get(text.trim()) {
            Some(Line::Kept { phrase, .. }) => Some((other, phrase)),
            _ => None,
        });
        let likeness = |other: &VoiceKey| {
            (other.provider == key.provider && other.voice == key.voice, other.rate_hz == key.rate_hz, other.rate_hz)
        };
        let best = kept.max_by_key(|(other, _)| likeness(other)).map(|(other, phrase)| (other.rate_hz, phrase.clone()));
        drop(voices);
        let found = best.and_then(|(from_hz, phrase)| at_rate(phrase, from_hz, key.rate_hz));
        count(if found.is_some() { "hit" } else { "miss" });
        found
    }

    /// Renders what is missing of these lines, the first one at once where there is room, the others one after the other.
    /// A failure is tried again a little later, a few times.
    pub(crate) fn prepare(self: &Arc<Self>, renderer: Renderer, texts: impl IntoIterator<Item = String>) {
        let wanted = texts.into_iter().map(|text| text.trim().to_owned());
        let mut wanted: Vec<String> =
            wanted.filter(|text| is_short(text) && !self.knows(&renderer.key, text)).collect();
        wanted.truncate(limits::PHRASES_PER_VOICE_MAX);
        if wanted.is_empty() {
            return;
        }
        let first = Arc::clone(&self.renders).try_acquire_owned().ok();
        let first = first.and_then(|slot| self.begin(&renderer, &wanted[0], slot));
        let phrases = Arc::clone(self);
        tokio::spawn(async move {
            if let Some(first) = first {
                render::ended(first).await; // One line of a call at a time.
            }
            phrases.render_all(&renderer, wanted).await;
        });
    }

    /// Renders what is missing of these lines, one after the other, until all are there or all attempts are used.
    pub(crate) async fn render_all(self: &Arc<Self>, renderer: &Renderer, mut texts: Vec<String>) {
        let mut pause_ms = limits::PHRASE_RETRY_MS;
        for attempt in 1..=limits::PHRASE_ATTEMPTS_MAX {
            while let Some(text) = texts.first() {
                if !self.knows(&renderer.key, text) {
                    let Ok(slot) = Arc::clone(&self.renders).acquire_owned().await else { return };
                    let begun = self.begin(renderer, text, slot);
                    if let Some(progress) = begun
                        && !render::ended(progress).await
                    {
                        break; // The provider is asked again later rather than for the next line.
                    }
                }
                texts.remove(0);
            }
            if texts.is_empty() || attempt == limits::PHRASE_ATTEMPTS_MAX {
                return;
            }
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            pause_ms *= 2;
        }
    }

    /// Whether the line is there or on its way.
    fn knows(&self, key: &VoiceKey, text: &str) -> bool {
        self.lock().of.get(key).is_some_and(|lines| lines.contains_key(text))
    }

    /// Begins one render, unless somebody was faster.
    fn begin(
        self: &Arc<Self>,
        renderer: &Renderer,
        text: &str,
        slot: OwnedSemaphorePermit,
    ) -> Option<watch::Receiver<Progress>> {
        let (sender, progress) = watch::channel(Progress::default());
        {
            let mut voices = self.lock();
            voices.make_room(&renderer.key);
            let lines = voices.of.entry(renderer.key.clone()).or_default();
            if lines.contains_key(text) {
                return None;
            }
            lines.insert(text.into(), Line::Rendering { progress: progress.clone(), since: Instant::now() });
        }
        count("render");
        let (phrases, renderer, text) = (Arc::clone(self), renderer.clone(), text.to_owned());
        tokio::spawn(async move {
            let session = renderer.service.open_billed(renderer.key.open(), &renderer.bill);
            let rendered = render::render(session, renderer.key.rate_hz, &text, &sender).await;
            if let Err(failure) = &rendered {
                count("failed");
                tracing::warn!(provider = renderer.key.provider, %failure, "a line could not be rendered ahead");
            }
            phrases.lock().settle(&renderer.key, &text, rendered.ok());
            drop(slot);
        });
        Some(progress)
    }
}

impl Voices {
    fn use_line(&mut self, key: &VoiceKey, text: &str) -> Option<Phrase> {
        self.clock += 1;
        match self.of.get_mut(key)?.get_mut(text.trim())? {
            Line::Kept { phrase, used } => {
                *used = self.clock;
                Some(phrase.clone())
            }
            Line::Rendering { .. } => None,
        }
    }

    /// A render ended: its line is kept, or forgotten so that somebody may try again.
    fn settle(&mut self, key: &VoiceKey, text: &str, phrase: Option<Phrase>) {
        self.clock += 1;
        let used = self.clock;
        let Some(lines) = self.of.get_mut(key) else { return };
        match phrase {
            Some(phrase) => {
                lines.insert(text.into(), Line::Kept { phrase, used });
                while self.bytes() > limits::PHRASE_BYTES_MAX && self.forget_oldest() {}
            }
            None => {
                lines.remove(text);
            }
        }
    }

    /// All audio that is kept.
    fn bytes(&self) -> usize {
        let samples = |line: &Line| match line {
            Line::Kept { phrase, .. } => phrase.pcm.len(),
            Line::Rendering { .. } => 0,
        };
        self.of.values().flat_map(HashMap::values).map(samples).sum::<usize>() * size_of::<i16>()
    }

    /// Forgets the least recently used line of all. `false` when there is none.
    fn forget_oldest(&mut self) -> bool {
        let oldest_of = |lines: &HashMap<String, Line>| {
            lines.iter().filter_map(|(text, line)| Some((line.used()?, text.clone()))).min()
        };
        let oldest =
            self.of.iter_mut().filter_map(|(_, lines)| Some((oldest_of(lines)?, lines))).min_by_key(|(at, _)| at.0);
        oldest.is_some_and(|((_, text), lines)| lines.remove(&text).is_some())
    }

    /// Forgets the least recently used line of a full voice, or the least recently used voice of too many.
    fn make_room(&mut self, key: &VoiceKey) {
        if let Some(lines) = self.of.get_mut(key) {
            if lines.len() >= limits::PHRASES_PER_VOICE_MAX {
                let oldest = lines.iter().filter_map(|(text, line)| Some((line.used()?, text.clone()))).min();
                oldest.and_then(|(_, text)| lines.remove(&text));
            }
        } else if self.of.len() >= limits::PHRASE_VOICES_MAX {
            let last_used = |lines: &HashMap<String, Line>| lines.values().filter_map(Line::used).max();
            let oldest = self.of.iter().min_by_key(|(_, lines)| last_used(lines)).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| self.of.remove(&oldest));
        }
    }
}

impl Line {
    /// When it was last used; `None` while it is on its way.
    fn used(&self) -> Option<u64> {
        match self {
            Self::Kept { used, .. } => Some(*used),
            Self::Rendering { .. } => None,
        }
    }
}

/// What is longer is spoken in more than one segment, and rarely twice.
fn is_short(text: &str) -> bool {
    !text.is_empty() && text.len() <= limits::SEGMENT_CHARS_MAX
}

/// The same line for a line of another rate.
fn at_rate(phrase: Phrase, from_hz: u32, to_hz: u32) -> Option<Phrase> {
    if from_hz == to_hz {
        return Some(phrase);
    }
    let mut resampler = Resampler::new(from_hz, to_hz).ok()?;
    let mut pcm = Vec::new();
    resampler.process(&phrase.pcm, &mut pcm);
    resampler.flush(&mut pcm);
    Some(Phrase { pcm: pcm.into(), words: phrase.words })
}
