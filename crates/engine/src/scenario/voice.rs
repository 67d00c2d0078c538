//! The host's side of the agent's voice in a scenario: synthesis, held utterances, interludes, playout.

use base::{CallTime, Millis, UtteranceId};
use std::collections::{BTreeMap, VecDeque};

/// A synthesiser's first audio.
const TTS_MS: u64 = 80;
/// Audio that is in the cache is played with the next frame.
const CACHE_MS: u64 = 20;
/// Playout moves on this often.
pub(super) const TICK_MS: u64 = 100;
pub(super) const MS_PER_CHAR: u64 = 60;
/// A waiting sound, where a phrase is not in the cache.
const WAITING_SOUND_MS: u64 = 700;

/// One utterance on its way to the caller.
#[derive(Clone, Debug)]
struct Line {
    /// When synthesis of what there is will be done, and how much audio that is.
    done_at: CallTime,
    audio_ms: u64,
    played_ms: u64,
    has_end: bool,
    is_held: bool,
}

/// What the host tells the machine, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spoken {
    /// When the audio of the segment is there.
    pub wait_ms: u64,
    /// Where it ends.
    pub end_ms: u64,
    /// Whether it is the first.
    pub is_first: bool,
}

/// How far playout came with one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// Nobody plays this any more, or not yet: no more ticks.
    Over,
    /// Nothing could be played now.
    Waits,
    On {
        played_ms: u64,
        moved_ms: u64,
        finished: bool,
    },
}

/// All utterances that are not over.
#[derive(Clone, Debug, Default)]
pub(super) struct Voice {
    lines: BTreeMap<UtteranceId, Line>,
    /// Interludes that are being played or wait for the one before.
    interludes: VecDeque<UtteranceId>,
}

impl Voice {
    /// Synthesises but plays nothing until it is released.
    pub fn hold(&mut self, now: CallTime, id: UtteranceId) {
        self.line(now, id).is_held = true;
    }

    /// Gives whether playout begins now.
    pub fn release(&mut self, id: UtteranceId) -> bool {
        self.lines.get_mut(&id).is_some_and(|line| std::mem::take(&mut line.is_held) && line.audio_ms > 0)
    }

    fn line(&mut self, now: CallTime, id: UtteranceId) -> &mut Line {
        self.lines.entry(id).or_insert(Line { done_at: now, audio_ms: 0, played_ms: 0, has_end: false, is_held: false })
    }

    /// A segment goes to synthesis, by itself or by hand.
    pub fn speak(&mut self, now: CallTime, id: UtteranceId, text: &str, is_auto: bool) -> Option<Spoken> {
        let line = self.line(now, id);
        if !is_auto {
            return None;
        }
        let is_first = line.audio_ms == 0;
        line.audio_ms += text.chars().count() as u64 * MS_PER_CHAR;
        line.done_at = line.done_at.max(now) + Millis(TTS_MS);
        Some(Spoken { wait_ms: line.done_at.since(now).0, end_ms: line.audio_ms, is_first })
    }

    /// Plays a phrase from the cache, or a waiting sound.
    pub fn interlude(&mut self, now: CallTime, id: UtteranceId, text: &str, is_cached: bool) -> Spoken {
        let end_ms = if is_cached { text.chars().count() as u64 * MS_PER_CHAR } else { WAITING_SOUND_MS };
        let line = self.line(now, id);
        (line.audio_ms, line.has_end) = (end_ms, true);
        self.interludes.push_back(id);
        Spoken { wait_ms: CACHE_MS, end_ms, is_first: true }
    }

    pub fn end(&mut self, id: UtteranceId) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.has_end = true;
        }
    }

    /// Throws an utterance away. Gives what was played of it, where it could be heard.
    pub fn stop(&mut self, id: UtteranceId) -> Option<u64> {
        self.interludes.retain(|interlude| *interlude != id);
        self.lines.remove(&id).filter(|line| !line.is_held).map(|line| line.played_ms)
    }

    /// The process is gone.
    pub fn cut(&mut self) {
        *self = Self::default();
    }

    /// Whether the caller hears the agent.
    pub fn is_audible(&self) -> bool {
        self.lines.values().any(|line| !line.is_held && line.played_ms > 0)
    }

    /// Time passes for one utterance.
    pub fn tick(&mut self, id: UtteranceId) -> Moved {
        let waits = self.interludes.front().is_some_and(|front| *front != id);
        let Some(line) = self.lines.get_mut(&id).filter(|line| !line.is_held) else { return Moved::Over };
        if waits {
            return Moved::Waits;
        }
        let before_ms = line.played_ms;
        line.played_ms = (before_ms + TICK_MS).min(line.audio_ms);
        let (played_ms, moved_ms) = (line.played_ms, line.played_ms - before_ms);
        let finished = line.has_end && played_ms == line.audio_ms && line.audio_ms > 0;
        if finished {
            self.lines.remove(&id);
            self.interludes.retain(|interlude| *interlude != id);
        }
        if moved_ms > 0 || finished { Moved::On { played_ms, moved_ms, finished } } else { Moved::Waits }
    }
}
