//! The audio of an answer, between the connection that brings it and the voice that plays it.

use super::ledger::plain;
use base::{Failure, limits};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Answers whose audio may still be asked for.
const TRACKS_MAX: usize = 4;

/// One answer. Its audio comes faster than it is played.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) rate_hz: u32,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    transcript: String,
    /// Letters of the transcript that somebody speaks already.
    spoken: usize,
    waiting: VecDeque<i16>,
    samples: u64,
    end: Option<Result<(), Failure>>,
}

/// What there is to play.
#[derive(Debug)]
pub(super) enum Sound {
    Some(Vec<i16>),
    NotYet,
    Over(Result<(), Failure>),
}

impl Track {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self { rate_hz, state: Mutex::default(), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No guarded section can panic half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push_text(&self, delta: &str) {
        self.lock().transcript.push_str(delta);
    }

    /// Adds audio. Says whether there is room for more.
    pub(super) fn push_audio(&self, pcm: &[i16]) -> bool {
        let mut state = self.lock();
        state.samples += pcm.len() as u64;
        state.waiting.extend(pcm);
        self.changed.notify_one();
        state.waiting.len() as u64 <= limits::REALTIME_AUDIO_MS_MAX * u64::from(self.rate_hz) / 1_000
    }

    /// No more will come; what is here is still played.
    pub(super) fn end(&self, end: Result<(), Failure>) {
        self.lock().end.get_or_insert(end);
        self.changed.notify_one();
    }

    pub(super) fn transcript(&self) -> String {
        self.lock().transcript.clone()
    }

    /// Audio made so far.
    pub(super) fn ms(&self) -> u64 {
        self.lock().samples * 1_000 / u64::from(self.rate_hz.max(1))
    }

    /// Whether the next words of this answer are these; then they are taken.
    pub(super) fn take_words(&self, words: &str) -> bool {
        let mut state = self.lock();
        let (said, words) = (plain(&state.transcript), plain(words));
        let fits = said.get(state.spoken..).is_some_and(|rest| rest.starts_with(&words));
        state.spoken += if fits { words.len() } else { 0 };
        fits
    }

    /// At most this much of what comes next.
    pub(super) fn pull(&self, samples_max: usize) -> Sound {
        let mut state = self.lock();
        if !state.waiting.is_empty() {
            let count = samples_max.min(state.waiting.len());
            return Sound::Some(state.waiting.drain(..count).collect());
        }
        state.end.clone().map_or(Sound::NotYet, Sound::Over)
    }

    /// Whether there is something to play.
    pub(super) fn has_sound(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Returns when there is something new.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// The last answers of a call, newest last.
#[derive(Debug, Default)]
pub(super) struct Tracks(Mutex<VecDeque<Arc<Track>>>);

impl Tracks {
    pub(super) fn add(&self, track: Arc<Track>) {
        let mut tracks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tracks.len() == TRACKS_MAX {
            tracks.pop_front();
        }
        tracks.push_back(track);
    }

    /// The newest answer whose next words are these.
    pub(super) fn claim(&self, words: &str) -> Option<Arc<Track>> {
        if plain(words).is_empty() {
            return None;
        }
        let tracks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tracks.iter().rev().find(|track| track.take_words(words)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_belongs_to_the_answer_that_holds_its_words() {
        let tracks = Tracks::default();
        let track = Arc::new(Track::new(8_000));
        tracks.add(track.clone());
        track.push_text("Sure, your order ");
        track.push_text("was shipped. Anything else?");
        assert!(tracks.claim("Hello, this is the shop.").is_none(), "nobody's answer");
        assert!(tracks.claim("Sure, your order was shipped.").is_some());
        assert!(tracks.claim("Sure, your order was shipped.").is_none(), "it was taken");
        assert!(track.take_words("Anything else?"));
        assert!(tracks.claim(" … ").is_none());
    }

    #[test]
    fn audio_is_given_in_pieces_and_its_end_once_it_is_out() {
        let track = Track::new(8_000);
        assert!(matches!(track.pull(10), Sound::NotYet));
        track.push_audio(&[1; 15]);
        track.end(Ok(()));
        assert!(matches!(track.pull(10), Sound::Some(pcm) if pcm.len() == 10));
        assert!(matches!(track.pull(10), Sound::Some(pcm) if pcm.len() == 5));
        assert!(matches!(track.pull(10), Sound::Over(Ok(()))));
    }
}
