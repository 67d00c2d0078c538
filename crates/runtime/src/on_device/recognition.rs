//! Recognition on this machine: whole utterances, decoded again as they grow for partial transcripts.

use super::NAME;
use crate::service::{SttCommand, SttService, SttSession};
use base::{ErrorClass, Failure, limits};
use local::speech::Recognizer;
use media::{Preroll, Resampler};
use providers::stt::{SttEvent, SttOpen};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

const MODEL_HZ: u32 = 16_000;
/// Kept from before the detector was sure, so that the first sound is not lost.
const PREROLL_MS: u64 = 400;
/// A partial transcript after this much more speech.
const PARTIAL_EVERY_MS: u64 = 500;
/// Speech without a pause is finalised piece by piece.
const PIECE_MS_MAX: u64 = 24_000;

/// Speech to text on this machine.
pub struct LocalStt {
    recognizer: Arc<Recognizer>,
    slots: Arc<Semaphore>,
}

impl LocalStt {
    /// A service over a loaded model.
    pub fn new(recognizer: Arc<Recognizer>, slots: Arc<Semaphore>) -> Self {
        Self { recognizer, slots }
    }
}

impl SttService for LocalStt {
    fn name(&self) -> &str {
        NAME
    }

    fn open(&self, open: SttOpen) -> SttSession {
        let (commands, inbox) = mpsc::channel(limits::AUDIO_IN_FRAMES_MAX);
        let (outbox, events) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
        let stream = Stream {
            recognizer: Arc::clone(&self.recognizer),
            slots: Arc::clone(&self.slots),
            outbox,
            resampler: (open.sample_rate_hz != MODEL_HZ)
                .then(|| Resampler::new(open.sample_rate_hz, MODEL_HZ).ok())
                .flatten(),
            preroll: Preroll::new(PREROLL_MS, MODEL_HZ),
            utterance: Vec::new(),
            speaking: false,
            owed: 0,
            answer_at: None,
            decoded: 0,
            partial: None,
            scratch: Vec::new(),
        };
        tokio::spawn(stream.run(inbox));
        SttSession { commands, events }
    }
}

/// A pause this much longer than the detector's is no breath between words: halves of a sentence are misheard.
const BREATH: Duration = Duration::from_millis(130);

struct Stream {
    recognizer: Arc<Recognizer>,
    slots: Arc<Semaphore>,
    outbox: mpsc::Sender<SttEvent>,
    resampler: Option<Resampler>,
    preroll: Preroll,
    /// Speech since the last final, at the model's rate.
    utterance: Vec<i16>,
    speaking: bool,
    /// Finals that were asked for and not given.
    owed: u32,
    /// When they are given, unless the speaker goes on.
    answer_at: Option<Instant>,
    /// Samples of the utterance that the last partial saw.
    decoded: usize,
    partial: Option<oneshot::Receiver<Result<String, Failure>>>,
    scratch: Vec<i16>,
}

impl Stream {
    async fn run(mut self, mut inbox: mpsc::Receiver<SttCommand>) {
        if self.outbox.send(SttEvent::Started).await.is_err() {
            return;
        }
        loop {
            let result = tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.on_command(command).await,
                    None => return,
                },
                text = partial(&mut self.partial) => self.on_partial(text).await,
                () = at(self.answer_at) => self.answer().await,
            };
            if let Err(failure) = result {
                let _ = self.outbox.send(SttEvent::Failed(failure)).await; // The call may be over.
                return;
            }
        }
    }

    async fn on_command(&mut self, command: SttCommand) -> Result<(), Failure> {
        match command {
            SttCommand::Audio(pcm) => {
                self.take(&pcm);
                if self.utterance.len() as u64 > PIECE_MS_MAX * u64::from(MODEL_HZ) / 1000 {
                    return self.finalize(false).await;
                }
                self.want_partial();
                Ok(())
            }
            SttCommand::Speech(speaking) => {
                if speaking && self.utterance.is_empty() {
                    let (front, back) = self.preroll.parts();
                    self.utterance.extend_from_slice(front);
                    self.utterance.extend_from_slice(back);
                    self.decoded = 0;
                }
                self.speaking = speaking;
                self.answer_at = (!speaking && self.owed > 0).then(|| Instant::now() + BREATH);
                Ok(())
            }
            // A lull within speech: cut there, both halves would be misheard. The answer comes when the speech ends.
            SttCommand::Finalize if self.speaking => {
                self.owed += 1;
                Ok(())
            }
            SttCommand::Finalize => {
                self.owed += 1;
                self.answer_at.get_or_insert_with(|| Instant::now() + BREATH);
                Ok(())
            }
        }
    }

    /// Gives the final that was asked for, once with its words and as often as it was asked for.
    async fn answer(&mut self) -> Result<(), Failure> {
        self.answer_at = None;
        let again = std::mem::take(&mut self.owed).saturating_sub(1);
        self.finalize(true).await?;
        for _ in 0..again {
            self.send(SttEvent::Final { text: String::new(), finalized: true }).await;
        }
        Ok(())
    }

    fn take(&mut self, pcm: &[i16]) {
        self.scratch.clear();
        match &mut self.resampler {
            Some(resampler) => resampler.process(pcm, &mut self.scratch),
            None => self.scratch.extend_from_slice(pcm),
        }
        self.preroll.push(&self.scratch);
        // Between the end of speech and the final there is only silence, but a pause may end in more speech.
        if self.speaking || !self.utterance.is_empty() {
            self.utterance.extend_from_slice(&self.scratch);
        }
    }

    fn want_partial(&mut self) {
        let fresh = (self.utterance.len() - self.decoded.min(self.utterance.len())) as u64;
        if !self.speaking || self.partial.is_some() || fresh * 1000 < PARTIAL_EVERY_MS * u64::from(MODEL_HZ) {
            return;
        }
        // Partials are a luxury: without a free slot there is none.
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { return };
        self.decoded = self.utterance.len();
        self.partial = Some(decode(Arc::clone(&self.recognizer), self.utterance.clone(), slot));
    }

    async fn on_partial(&mut self, text: Result<String, Failure>) -> Result<(), Failure> {
        let text = text?;
        if !text.is_empty() {
            self.send(SttEvent::Partial { text }).await;
        }
        Ok(())
    }

    async fn finalize(&mut self, finalized: bool) -> Result<(), Failure> {
        self.partial = None; // Whatever it says, the final says it better.
        let speech = std::mem::take(&mut self.utterance);
        self.decoded = 0;
        let text = if speech.is_empty() {
            String::new()
        } else {
            let wait = Duration::from_millis(limits::STT_FINAL_MS_MAX);
            let slot = tokio::time::timeout(wait, Arc::clone(&self.slots).acquire_owned()).await;
            let Ok(Ok(slot)) = slot else {
                return Err(Failure::new(ErrorClass::Timeout, "every model thread is busy"));
            };
            decode(Arc::clone(&self.recognizer), speech, slot).await.unwrap_or_else(|_| Err(gone()))?
        };
        self.send(SttEvent::Final { text, finalized }).await;
        Ok(())
    }

    async fn send(&self, event: SttEvent) {
        let _ = self.outbox.send(event).await; // The call may be over.
    }
}

fn decode(
    recognizer: Arc<Recognizer>,
    speech: Vec<i16>,
    slot: tokio::sync::OwnedSemaphorePermit,
) -> oneshot::Receiver<Result<String, Failure>> {
    let (tell, told) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let text = recognizer.recognize(&speech);
        drop(slot);
        // Nobody waits for a partial that a final has overtaken.
        let _ = tell.send(text.map_err(|error| Failure::new(ErrorClass::Internal, error.to_string())));
    });
    told
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

async fn partial(running: &mut Option<oneshot::Receiver<Result<String, Failure>>>) -> Result<String, Failure> {
    match running {
        Some(told) => {
            let text = told.await.unwrap_or_else(|_| Err(gone()));
            *running = None;
            text
        }
        None => std::future::pending().await,
    }
}

fn gone() -> Failure {
    Failure::new(ErrorClass::Internal, "the model thread is gone")
}
