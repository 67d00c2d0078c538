//! Connections that are opened before they are needed, so that nobody waits for a handshake: a server is knocked at, or the
//! socket of the next utterance is opened while its words are still being thought of.

use super::line::Line;
use base::wire::{Connect, HttpRequest, Method, Wire};
use base::{Millis, limits};
use egress::{Egress, UpgradeError};
use providers::tts::{TtsOpen, TtsProtocol};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Whether a handshake takes time worth saving. A server on this machine, or one without encryption, is as fast without.
pub(super) fn is_far(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("wss://")
}

/// When a connection to a server was used or opened last.
#[derive(Debug, Default)]
pub(super) struct Knocks(Mutex<Option<Instant>>);

impl Knocks {
    /// Notes a use; whether there was another one of late.
    pub(super) fn use_now(&self) -> bool {
        let now = Instant::now();
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        before.is_some_and(|at| now.duration_since(at) < Duration::from_millis(limits::WARM_EVERY_MS))
    }

    /// Asks the server for its front page, whatever that is: the connection is kept for the next request. `None` when one
    /// was used of late.
    pub(super) fn knock(&self, egress: &Arc<Egress>, url: &str) -> Option<JoinHandle<()>> {
        let (end, _) = url.match_indices('/').nth(2)?;
        if self.use_now() {
            return None;
        }
        let request =
            HttpRequest { method: Method::Get, url: url[..=end].to_owned(), headers: Vec::new(), body: Vec::new() };
        let egress = Arc::clone(egress);
        // What comes of it the next request will tell.
        Some(tokio::spawn(async move { drop(egress.http(request, Millis(limits::CONNECT_MS_MAX)).await) }))
    }
}

/// A conversation that was opened ahead, as its utterance gets it.
pub(super) struct Opened {
    pub(super) codec: Box<dyn TtsProtocol>,
    pub(super) line: Line,
    /// What the vendor said meanwhile.
    pub(super) said: Vec<Wire>,
}

/// Comes when the conversation is open. Never does when the vendor has ended it meanwhile.
pub(super) type Coming = oneshot::Receiver<Result<Opened, UpgradeError>>;

/// Whom a conversation is for that was opened ahead, and how to ask for it.
struct Spare {
    number: u64,
    open: TtsOpen,
    sample_rate_hz: u32,
    began: Instant,
    wanted: oneshot::Sender<oneshot::Sender<Result<Opened, UpgradeError>>>,
}

/// Conversations of one voice that wait for an utterance, each for [`limits::TTS_SPARE_MS_MAX`].
#[derive(Default)]
pub(super) struct Spares {
    list: Mutex<(u64, Vec<Spare>)>,
}

impl Spares {
    fn with<T>(&self, change: impl FnOnce(&mut u64, &mut Vec<Spare>) -> T) -> T {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, spares) = &mut *list;
        change(last, spares)
    }

    /// Opens one more, unless one for the same voice was opened a moment ago or too many wait already.
    pub(super) fn open(
        self: &Arc<Self>,
        egress: &Arc<Egress>,
        codec: Box<dyn TtsProtocol>,
        open: &TtsOpen,
        connect: Connect,
    ) {
        let (wanted, taken) = oneshot::channel();
        let began = Instant::now();
        let moment = Duration::from_millis(limits::TTS_SPARE_EVERY_MS);
        let number = self.with(|last, list| {
            let is_new = |spare: &Spare| spare.open == *open && began.duration_since(spare.began) < moment;
            if list.len() >= limits::TTS_SPARES_MAX || list.iter().any(is_new) {
                return None;
            }
            *last += 1;
            let sample_rate_hz = codec.sample_rate_hz();
            list.push(Spare { number: *last, open: open.clone(), sample_rate_hz, began, wanted });
            Some(*last)
        });
        let Some(number) = number else { return };
        let (spares, egress) = (Arc::clone(self), Arc::clone(egress));
        tokio::spawn(async move {
            wait_for_an_utterance(&egress, codec, connect, taken).await;
            spares.with(|_, list| list.retain(|spare| spare.number != number));
        });
    }

    /// One for this utterance, and the rate of its audio.
    pub(super) fn take(&self, open: &TtsOpen) -> Option<(u32, Coming)> {
        let spare = self.with(|_, list| {
            let at = list.iter().position(|spare| spare.open == *open)?;
            Some(list.swap_remove(at))
        })?;
        let (give, coming) = oneshot::channel();
        spare.wanted.send(give).ok()?;
        Some((spare.sample_rate_hz, coming))
    }
}

async fn wait_for_an_utterance(
    egress: &Arc<Egress>,
    mut codec: Box<dyn TtsProtocol>,
    connect: Connect,
    mut taken: oneshot::Receiver<oneshot::Sender<Result<Opened, UpgradeError>>>,
) {
    let mut line = match Line::open(egress, connect).await {
        Ok(line) => line,
        Err(error) => {
            if let Ok(give) = taken.try_recv() {
                let _ = give.send(Err(error));
            }
            return;
        }
    };
    let until = Instant::now() + Duration::from_millis(limits::TTS_SPARE_MS_MAX);
    let mut said = Vec::new();
    loop {
        let left_ms = until.saturating_duration_since(Instant::now()).as_millis() as u64;
        tokio::select! {
            biased;
            give = &mut taken => {
                if let Ok(give) = give {
                    // Who asked may be gone again; then the conversation ends with what holds it.
                    let _ = give.send(Ok(Opened { codec, line, said }));
                }
                return;
            }
            message = line.recv(Millis(left_ms)) => match message {
                Ok(Some(Wire::Close(..) | Wire::End)) | Err(_) => return,
                Ok(Some(message)) if said.len() < limits::TTS_EVENTS_MAX => said.push(message),
                Ok(_) => break,
            },
        }
    }
    let mut last_words = Vec::new();
    codec.cancel(&mut last_words);
    line.hang_up(last_words).await;
}
