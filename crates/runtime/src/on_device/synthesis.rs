//! Synthesis on this machine, sentence by sentence, with the audio of common phrases kept.

use super::NAME;
use crate::service::{TtsCommand, TtsService, TtsSession};
use base::{ErrorClass, Failure, limits};
use local::speech::{Speech, Synthesizer};
use media::samples_to_ms;
use providers::tts::{TtsEvent, TtsOpen};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, mpsc};

/// What the model makes.
const SAMPLE_RATE_HZ: u32 = 24_000;
/// Phrases kept. A short phrase is worth about 100 kB.
const PHRASES_MAX: usize = 64;
/// Longer sentences are rarely said twice.
const PHRASE_CHARS_MAX: usize = 160;
/// Audio per event.
const CHUNK_MS: usize = 200;

/// Text to speech on this machine.
pub struct LocalTts {
    synthesizer: Arc<Synthesizer>,
    slots: Arc<Semaphore>,
    phrases: Arc<Phrases>,
}

impl LocalTts {
    /// A service over a loaded model.
    pub fn new(synthesizer: Arc<Synthesizer>, slots: Arc<Semaphore>) -> Self {
        Self { synthesizer, slots, phrases: Arc::default() }
    }

    /// Renders phrases that every call needs, such as greetings, before the first one. Blocking work.
    pub fn warm<'a>(&self, phrases: impl IntoIterator<Item = &'a str>) {
        for phrase in phrases {
            if let Err(failure) = render(&self.synthesizer, &self.phrases, phrase) {
                tracing::warn!(%failure, "a phrase could not be rendered ahead");
            }
        }
    }
}

impl TtsService for LocalTts {
    fn name(&self) -> &str {
        NAME
    }

    fn open(&self, _open: TtsOpen) -> TtsSession {
        let (commands, inbox) = mpsc::channel(limits::TTS_SEGMENTS_MAX);
        let (outbox, events) = mpsc::channel(limits::TTS_SEGMENTS_MAX);
        let voice = Voice {
            synthesizer: Arc::clone(&self.synthesizer),
            slots: Arc::clone(&self.slots),
            phrases: Arc::clone(&self.phrases),
            outbox,
            text_bytes: 0,
            samples: 0,
        };
        tokio::spawn(voice.run(inbox));
        TtsSession { sample_rate_hz: SAMPLE_RATE_HZ, commands, events }
    }
}

/// The audio of phrases said before, oldest out first.
#[derive(Default)]
struct Phrases(Mutex<VecDeque<(String, Arc<Speech>)>>);

impl Phrases {
    fn get(&self, text: &str) -> Option<Arc<Speech>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(known, _)| known == text).map(|(_, speech)| Arc::clone(speech))
    }

    fn put(&self, text: &str, speech: &Arc<Speech>) {
        if text.len() > PHRASE_CHARS_MAX {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().any(|(known, _)| known == text) {
            return;
        }
        if kept.len() == PHRASES_MAX {
            kept.pop_front();
        }
        kept.push_back((text.to_owned(), Arc::clone(speech)));
    }
}

fn render(synthesizer: &Synthesizer, phrases: &Phrases, text: &str) -> Result<Arc<Speech>, Failure> {
    if let Some(known) = phrases.get(text) {
        return Ok(known);
    }
    let speech = synthesizer.synthesize(text);
    let speech = Arc::new(speech.map_err(|error| Failure::new(ErrorClass::Internal, error.to_string()))?);
    phrases.put(text, &speech);
    Ok(speech)
}

struct Voice {
    synthesizer: Arc<Synthesizer>,
    slots: Arc<Semaphore>,
    phrases: Arc<Phrases>,
    outbox: mpsc::Sender<TtsEvent>,
    text_bytes: usize,
    samples: u64,
}

/// The receiver is gone: the utterance was cancelled.
struct Cancelled;

impl Voice {
    async fn run(mut self, mut inbox: mpsc::Receiver<TtsCommand>) {
        while let Some(command) = inbox.recv().await {
            let said = match command {
                TtsCommand::Segment(text) => self.say(text).await,
                TtsCommand::Flush => {
                    let _ = self.send(TtsEvent::Done).await; // Nobody may listen any more.
                    return;
                }
            };
            if said.is_err() {
                return;
            }
        }
    }

    async fn say(&mut self, text: String) -> Result<(), Cancelled> {
        let bytes = text.len();
        let speech = match self.phrases.get(&text) {
            Some(known) => Ok(known),
            None => self.synthesize(text).await,
        };
        let speech = match speech {
            Ok(speech) => speech,
            Err(failure) => {
                self.send(TtsEvent::Failed(failure)).await?;
                return Err(Cancelled);
            }
        };
        let from_ms = samples_to_ms(self.samples, SAMPLE_RATE_HZ);
        let starts = speech.words.iter().map(|(byte, ms)| (self.text_bytes + *byte, from_ms + *ms)).collect();
        self.send(TtsEvent::Words { starts }).await?;
        for chunk in speech.pcm.chunks(SAMPLE_RATE_HZ as usize * CHUNK_MS / 1000) {
            self.send(TtsEvent::Audio { pcm: chunk.to_vec() }).await?;
        }
        self.text_bytes += bytes;
        self.samples += speech.pcm.len() as u64;
        self.send(TtsEvent::SegmentDone).await
    }

    async fn synthesize(&self, text: String) -> Result<Arc<Speech>, Failure> {
        let closed = |_| Failure::new(ErrorClass::Internal, "the model threads are gone");
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(closed)?;
        let (synthesizer, phrases) = (Arc::clone(&self.synthesizer), Arc::clone(&self.phrases));
        let rendered = tokio::task::spawn_blocking(move || {
            let rendered = render(&synthesizer, &phrases, &text);
            drop(slot);
            rendered
        });
        rendered.await.unwrap_or_else(|_| Err(Failure::new(ErrorClass::Internal, "synthesis stopped")))
    }

    async fn send(&self, event: TtsEvent) -> Result<(), Cancelled> {
        self.outbox.send(event).await.map_err(|_| Cancelled)
    }
}
