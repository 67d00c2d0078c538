//! A voice for tests.

use super::{Renderer, VoiceKey};
use crate::service::{Bill, TtsCommand, TtsService, TtsSession};
use base::{ErrorClass, Failure, limits};
use providers::tts::{TtsEvent, TtsOpen};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

pub(crate) const HZ: u32 = 8_000;

/// A voice that says each letter as 10 ms of its code, after a pause, and counts what it was asked.
pub(crate) struct Toy {
    name: &'static str,
    first_ms: u64,
    fails: AtomicUsize,
    opened: AtomicUsize,
}

impl Toy {
    pub(crate) fn new(name: &'static str, first_ms: u64) -> Arc<Self> {
        Arc::new(Self { name, first_ms, fails: AtomicUsize::new(0), opened: AtomicUsize::new(0) })
    }

    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// The next sessions fail.
    pub(crate) fn fail(&self, times: usize) {
        self.fails.store(times, Ordering::Relaxed);
    }
}

pub(crate) fn audio(text: &str) -> Vec<i16> {
    text.bytes().flat_map(|letter| vec![i16::from(letter); HZ as usize / 100]).collect()
}

impl TtsService for Toy {
    fn name(&self) -> &str {
        self.name
    }

    fn open(&self, open: TtsOpen) -> TtsSession {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let less = |left: usize| left.checked_sub(1);
        let fails = self.fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        let (commands, mut inbox) = mpsc::channel(limits::TTS_SEGMENTS_MAX);
        let (outbox, events) = mpsc::channel(limits::TTS_EVENTS_MAX);
        let first = Duration::from_millis(self.first_ms);
        assert_eq!(open.sample_rate_hz, HZ);
        tokio::spawn(async move {
            while let Some(TtsCommand::Segment(text)) = inbox.recv().await {
                tokio::time::sleep(first).await;
                if fails {
                    let _ = outbox.send(TtsEvent::Failed(Failure::new(ErrorClass::Unavailable, "busy"))).await;
                    return;
                }
                let _ = outbox.send(TtsEvent::Words { starts: vec![(0, 0)] }).await;
                for letter in audio(&text).chunks(80) {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    let _ = outbox.send(TtsEvent::Audio { pcm: letter.to_vec() }).await;
                }
                let _ = outbox.send(TtsEvent::SegmentDone).await;
            }
            let _ = outbox.send(TtsEvent::Done).await;
        });
        TtsSession { sample_rate_hz: HZ, commands, events }
    }
}

pub(crate) fn renderer(toy: &Arc<Toy>) -> Renderer {
    let key =
        VoiceKey { provider: toy.name.into(), model: String::new(), voice: None, language: "en".into(), rate_hz: HZ };
    Renderer { service: Arc::clone(toy) as Arc<dyn TtsService>, key, bill: Bill::default() }
}
