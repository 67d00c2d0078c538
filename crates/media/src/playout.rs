//! What the caller is about to hear, and what we know was heard.
//!
//! [`PlayoutBuffer`] holds the synthesised audio of one utterance at a time, at the carrier's rate, between synthesis
//! (faster than real time) and the carrier (real time). It says where each segment ends, lowers the voice while it is
//! decided whether the caller interrupts, and remembers which position of which utterance every mark stands for, so
//! that an echoed mark becomes "this much was played".
//!
//! The order of a host: [`open`](PlayoutBuffer::open), then [`push`](PlayoutBuffer::push) as audio arrives and
//! [`mark_segment_end`](PlayoutBuffer::mark_segment_end) after each segment, [`no_more`](PlayoutBuffer::no_more) after
//! the last; meanwhile [`pull`](PlayoutBuffer::pull) for every frame the [`crate::Pacer`] says is due.

use crate::{level, ms_to_samples, samples_to_ms, to_sample};
use base::limits::{AUDIO_OUT_BUFFER_MS_MAX, TTS_SEGMENTS_MAX};
use base::{MarkId, UtteranceId};
use std::collections::VecDeque;

/// How far a ducked voice is lowered.
pub const DUCK_DB: f32 = -15.0;
/// How long it takes to get there, and back.
pub const DUCK_RAMP_MS: u64 = 60;
/// Marks that may be under way to the carrier; the oldest is forgotten beyond it.
pub const MARKS_MAX: usize = 64;

/// What a pulled frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Audio of the utterance, padded with silence where the utterance (or a segment that no other follows yet) ends.
    Audio {
        /// Which utterance.
        utterance: UtteranceId,
        /// Audio of it handed out so far, with this frame, without padding.
        sent_ms: u64,
        /// This frame holds the last audio there will ever be. Said once.
        finished: bool,
    },
    /// An utterance is open, but there is no full frame of it yet. The frame is silence and need not be sent.
    Starved,
    /// No utterance is open, or it has finished. The frame is silence and need not be sent.
    Idle,
}

/// What an echoed mark means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayedMs {
    /// Which utterance.
    pub utterance: UtteranceId,
    /// Audio of it that was played, from its first sample.
    pub played_ms: u64,
    /// Whether all audio there will ever be was played.
    pub finished: bool,
}

/// What was thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Which utterance.
    pub utterance: UtteranceId,
    /// Audio of it that had been handed out.
    pub sent_ms: u64,
    /// Audio of it that marks had proven played.
    pub acknowledged_ms: u64,
    /// Audio of it that never left the buffer.
    pub dropped_ms: u64,
}

impl Stopped {
    /// How much of the utterance the caller heard, when the carrier threw away `unplayed_ms` (see
    /// [`crate::Pacer::cleared`]).
    pub fn heard_ms(&self, unplayed_ms: u64) -> u64 {
        self.sent_ms.saturating_sub(unplayed_ms).max(self.acknowledged_ms)
    }
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    id: MarkId,
    at: PlayedMs,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct PlayoutBuffer {
    rate_hz: u32,
    capacity: usize,
    pcm: VecDeque<i16>,
    utterance: Option<UtteranceId>,
    pushed: u64,
    sent: u64,
    acknowledged_ms: u64,
    /// Where the last segment ended, in samples; a frame is only padded there.
    boundary: u64,
    segments: VecDeque<(u32, u64)>,
    no_more: bool,
    finished: bool,
    gain: Ramp,
    marks: VecDeque<Mark>,
}

impl PlayoutBuffer {
    /// An empty buffer of [`AUDIO_OUT_BUFFER_MS_MAX`] at this rate.
    pub fn new(rate_hz: u32) -> Self {
        Self::with_room(rate_hz, ms_to_samples(AUDIO_OUT_BUFFER_MS_MAX, rate_hz) as usize)
    }

    /// An empty buffer that takes exactly this many samples: for audio whose length is known.
    pub fn with_room(rate_hz: u32, capacity: usize) -> Self {
        Self {
            rate_hz,
            capacity,
            // Room is made when there is audio and given back behind it: most of a call nobody speaks.
            pcm: VecDeque::new(),
            utterance: None,
            pushed: 0,
            sent: 0,
            acknowledged_ms: 0,
            boundary: 0,
            segments: VecDeque::with_capacity(TTS_SEGMENTS_MAX * 2),
            no_more: false,
            finished: false,
            gain: Ramp::new(rate_hz),
            marks: VecDeque::with_capacity(MARKS_MAX),
        }
    }

    /// Samples per second of everything in here.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Begins an utterance at normal loudness. What was left of another is thrown away and returned; marks of one that
    /// had finished stay valid, since the carrier may still be playing it.
    pub fn open(&mut self, utterance: UtteranceId) -> Option<Stopped> {
        let stopped = if self.is_active() { self.stop() } else { None };
        self.begin(Some(utterance));
        stopped
    }

    /// The open utterance, until it is stopped or another is opened.
    pub fn utterance(&self) -> Option<UtteranceId> {
        self.utterance
    }

    /// Whether an utterance is open that has not been handed out to its end.
    pub fn is_active(&self) -> bool {
        self.utterance.is_some() && !self.finished
    }

    /// Appends audio. Returns how many samples were taken: fewer than given when the buffer is full, none when no
    /// utterance is open or after [`PlayoutBuffer::no_more`]. The caller keeps the rest and holds synthesis back.
    pub fn push(&mut self, pcm: &[i16]) -> usize {
        if self.utterance.is_none() || self.no_more {
            return 0;
        }
        let take = pcm.len().min(self.room_samples());
        self.pcm.extend(&pcm[..take]);
        self.pushed += take as u64;
        take
    }

    /// Samples that can be pushed now.
    pub fn room_samples(&self) -> usize {
        self.capacity - self.pcm.len()
    }

    /// Milliseconds that can be pushed now.
    pub fn room_ms(&self) -> u64 {
        samples_to_ms(self.room_samples() as u64, self.rate_hz)
    }

    /// Whether nothing more fits.
    pub fn is_full(&self) -> bool {
        self.room_samples() == 0
    }

    /// Milliseconds that wait to be pulled.
    pub fn buffered_ms(&self) -> u64 {
        samples_to_ms(self.pcm.len() as u64, self.rate_hz)
    }

    /// All audio of this segment has been pushed. Returns where it ends, in milliseconds of the utterance.
    pub fn mark_segment_end(&mut self, segment: u32) -> u64 {
        self.boundary = self.pushed;
        if self.segments.len() == self.segments.capacity() {
            self.segments.pop_front();
        }
        self.segments.push_back((segment, self.pushed));
        samples_to_ms(self.pushed, self.rate_hz)
    }

    /// The last marked segment that lies wholly before this millisecond of the utterance, among the recent ones.
    pub fn last_segment_ended_by(&self, ms: u64) -> Option<u32> {
        let at = ms_to_samples(ms, self.rate_hz);
        self.segments.iter().rev().find(|(_, end)| *end <= at).map(|(segment, _)| *segment)
    }

    /// No more audio will be pushed: the utterance finishes when what is here has been pulled.
    pub fn no_more(&mut self) {
        self.no_more = true;
        self.boundary = self.pushed;
    }

    /// Whether pulling now would give audio: the host may then send a frame ahead of time.
    pub fn is_ready(&self, frame_samples: usize) -> bool {
        self.is_active() && (self.pcm.len() >= frame_samples || self.at_boundary())
    }

    /// Fills the frame. Always writes all of it, with silence where there is no audio.
    pub fn pull(&mut self, frame: &mut [i16]) -> Pulled {
        let Some(utterance) = self.utterance.filter(|_| !self.finished) else {
            frame.fill(0);
            return Pulled::Idle;
        };
        if !self.is_ready(frame.len()) {
            frame.fill(0);
            return Pulled::Starved;
        }
        let take = frame.len().min(self.pcm.len());
        let (audio, padding) = frame.split_at_mut(take);
        let (front, back) = self.pcm.as_slices();
        let first = front.len().min(take);
        audio[..first].copy_from_slice(&front[..first]);
        audio[first..].copy_from_slice(&back[..take - first]);
        self.pcm.drain(..take);
        self.gain.apply(audio);
        padding.fill(0);
        self.sent += take as u64;
        self.finished = self.no_more && self.pcm.is_empty();
        if self.finished {
            self.pcm = VecDeque::new();
        }
        Pulled::Audio { utterance, sent_ms: self.sent_ms(), finished: self.finished }
    }

    /// Audio of the open utterance handed out so far, without padding.
    pub fn sent_ms(&self) -> u64 {
        samples_to_ms(self.sent, self.rate_hz)
    }

    /// Audio of the open utterance that marks have proven played.
    pub fn acknowledged_ms(&self) -> u64 {
        self.acknowledged_ms
    }

    /// Lowers the voice by [`DUCK_DB`] over [`DUCK_RAMP_MS`]. Heard once the carrier has played what it holds.
    pub fn duck(&mut self) {
        self.gain.aim(level::amplitude(DUCK_DB));
    }

    /// Raises it again.
    pub fn unduck(&mut self) {
        self.gain.aim(1.0);
    }

    /// Throws everything away: the audio, and the meaning of every mark under way, because carriers echo marks at once
    /// when they are cleared. `None` when no utterance was open.
    pub fn stop(&mut self) -> Option<Stopped> {
        self.marks.clear();
        self.abandon()
    }

    /// Throws away what was not handed out, where the carrier is not cleared: what it has is played on, but says nothing
    /// about this utterance any more. Marks of utterances before it stay valid. `None` when no utterance was open.
    pub fn abandon(&mut self) -> Option<Stopped> {
        let open = self.utterance;
        self.marks.retain(|mark| Some(mark.at.utterance) != open);
        let stopped = self.utterance.map(|utterance| Stopped {
            utterance,
            sent_ms: self.sent_ms(),
            acknowledged_ms: self.acknowledged_ms,
            dropped_ms: self.buffered_ms(),
        });
        self.begin(None);
        stopped
    }

    /// This mark was sent to the carrier, after everything pulled so far. Ids grow. Without an open utterance the mark
    /// means nothing and is not kept.
    pub fn mark_sent(&mut self, id: MarkId) {
        let Some(utterance) = self.utterance else { return };
        if self.marks.len() == MARKS_MAX {
            self.marks.pop_front();
        }
        let at = PlayedMs { utterance, played_ms: self.sent_ms(), finished: self.finished };
        self.marks.push_back(Mark { id, at });
    }

    /// The carrier echoed this mark: what was played. `None` for a mark that is unknown, was answered before (also by a
    /// later one) or was under way when [`PlayoutBuffer::stop`] was called.
    pub fn played(&mut self, id: MarkId) -> Option<PlayedMs> {
        let index = self.marks.iter().position(|mark| mark.id == id)?;
        let at = self.marks[index].at;
        self.marks.drain(..=index);
        if self.utterance == Some(at.utterance) {
            self.acknowledged_ms = self.acknowledged_ms.max(at.played_ms);
        }
        Some(at)
    }

    /// Marks that wait for their echo.
    pub fn marks_under_way(&self) -> usize {
        self.marks.len()
    }

    fn at_boundary(&self) -> bool {
        self.boundary == self.pushed && (!self.pcm.is_empty() || self.no_more)
    }

    fn begin(&mut self, utterance: Option<UtteranceId>) {
        self.pcm = VecDeque::new();
        self.segments.clear();
        self.utterance = utterance;
        (self.pushed, self.sent, self.boundary, self.acknowledged_ms) = (0, 0, 0, 0);
        (self.no_more, self.finished) = (false, false);
        self.gain.reset();
    }
}

/// A gain that moves in a straight line, so that no step is heard.
#[derive(Clone, Debug)]
struct Ramp {
    now: f32,
    target: f32,
    step: f32,
}

impl Ramp {
    fn new(rate_hz: u32) -> Self {
        let samples = ms_to_samples(DUCK_RAMP_MS, rate_hz).max(1);
        Self { now: 1.0, target: 1.0, step: (1.0 - level::amplitude(DUCK_DB)) / samples as f32 }
    }

    fn aim(&mut self, target: f32) {
        self.target = target;
    }

    fn reset(&mut self) {
        (self.now, self.target) = (1.0, 1.0);
    }

    fn apply(&mut self, pcm: &mut [i16]) {
        if self.now == 1.0 && self.target == 1.0 {
            return;
        }
        for sample in pcm {
            let left = self.target - self.now;
            self.now = if left.abs() <= self.step { self.target } else { self.now + self.step.copysign(left) };
            *sample = to_sample(f32::from(*sample) * self.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: UtteranceId = UtteranceId(1);
    const TWO: UtteranceId = UtteranceId(2);

    fn playing(pcm: &[i16]) -> PlayoutBuffer {
        let mut buffer = PlayoutBuffer::new(8_000);
        buffer.open(ONE);
        assert_eq!(buffer.push(pcm), pcm.len());
        buffer
    }

    #[test]
    fn last_frame_is_padded_and_says_that_it_is_the_last() {
        let mut buffer = playing(&[7; 200]);
        buffer.no_more();
        let mut frame = [1; 160];
        assert_eq!(buffer.pull(&mut frame), Pulled::Audio { utterance: ONE, sent_ms: 20, finished: false });
        assert_eq!(buffer.pull(&mut frame), Pulled::Audio { utterance: ONE, sent_ms: 25, finished: true });
        assert_eq!((frame[39], frame[40]), (7, 0));
        assert_eq!(buffer.pull(&mut frame), Pulled::Idle);
        assert_eq!(frame, [0; 160]);
    }

    #[test]
    fn an_utterance_without_any_audio_still_finishes() {
        let mut buffer = playing(&[]);
        let mut frame = [0; 160];
        assert_eq!(buffer.pull(&mut frame), Pulled::Starved);
        buffer.no_more();
        assert_eq!(buffer.pull(&mut frame), Pulled::Audio { utterance: ONE, sent_ms: 0, finished: true });
        assert_eq!(buffer.pull(&mut frame), Pulled::Idle);
    }

    #[test]
    fn end_of_a_segment_is_not_held_back_until_the_next_one() {
        let mut buffer = playing(&[7; 200]);
        let mut frame = [0; 160];
        buffer.pull(&mut frame);
        assert_eq!(buffer.pull(&mut frame), Pulled::Starved, "more of the sentence may come");
        assert_eq!(buffer.mark_segment_end(0), 25);
        assert_eq!(buffer.pull(&mut frame), Pulled::Audio { utterance: ONE, sent_ms: 25, finished: false });
        assert_eq!(buffer.pull(&mut frame), Pulled::Starved);
        assert_eq!(buffer.last_segment_ended_by(25), Some(0));
        assert_eq!(buffer.last_segment_ended_by(24), None);
    }

    #[test]
    fn no_more_than_the_bound_is_taken() {
        let mut buffer = PlayoutBuffer::new(8_000);
        assert_eq!(buffer.push(&[1; 100]), 0, "nothing is open");
        buffer.open(ONE);
        assert_eq!(buffer.push(&[1; 40_000]), 32_000);
        assert!(buffer.is_full() && buffer.room_ms() == 0);
        buffer.pull(&mut [0; 160]);
        assert_eq!(buffer.room_ms(), 20);
        buffer.no_more();
        assert_eq!(buffer.push(&[1]), 0);
    }

    #[test]
    fn marks_say_what_was_played_and_are_stale_after_a_stop() {
        let mut buffer = playing(&[7; 1_600]);
        let mut frame = [0; 160];
        for mark in 1..=3 {
            buffer.pull(&mut frame);
            buffer.mark_sent(MarkId(mark));
        }
        assert_eq!(buffer.played(MarkId(2)), Some(PlayedMs { utterance: ONE, played_ms: 40, finished: false }));
        assert_eq!(buffer.played(MarkId(1)), None, "the later mark answered for it");
        let stopped = buffer.stop().unwrap();
        assert_eq!(stopped, Stopped { utterance: ONE, sent_ms: 60, acknowledged_ms: 40, dropped_ms: 140 });
        assert_eq!(stopped.heard_ms(10), 50);
        assert_eq!(stopped.heard_ms(1_000), 40);
        assert_eq!(buffer.played(MarkId(3)), None);
        assert_eq!(buffer.pull(&mut frame), Pulled::Idle);
        assert_eq!(buffer.stop(), None);
    }

    #[test]
    fn marks_of_a_finished_utterance_outlive_the_next_opening() {
        let mut buffer = playing(&[7; 160]);
        buffer.no_more();
        buffer.pull(&mut [0; 160]);
        buffer.mark_sent(MarkId(1));
        assert_eq!(buffer.open(TWO), None);
        buffer.push(&[7; 160]);
        assert_eq!(buffer.played(MarkId(1)), Some(PlayedMs { utterance: ONE, played_ms: 20, finished: true }));
        assert_eq!(buffer.acknowledged_ms(), 0);
        assert_eq!(buffer.open(ONE).map(|stopped| stopped.dropped_ms), Some(20));
    }

    #[test]
    fn an_utterance_that_is_abandoned_leaves_the_marks_of_the_one_before_it() {
        let mut buffer = playing(&[7; 160]);
        buffer.no_more();
        buffer.pull(&mut [0; 160]);
        buffer.mark_sent(MarkId(1));
        buffer.open(TWO);
        buffer.push(&[7; 320]);
        buffer.pull(&mut [0; 160]);
        buffer.mark_sent(MarkId(2));
        assert_eq!(buffer.abandon().map(|stopped| (stopped.sent_ms, stopped.dropped_ms)), Some((20, 20)));
        assert_eq!(buffer.utterance(), None);
        assert!(buffer.played(MarkId(1)).is_some_and(|played| played.finished));
        assert_eq!(buffer.played(MarkId(2)), None);
    }

    #[test]
    fn ducking_fades_without_a_step_and_comes_back() {
        let mut buffer = playing(&[20_000; 4_800]);
        let mut frame = [0; 4_800];
        buffer.pull(&mut frame[..160]);
        buffer.duck();
        buffer.pull(&mut frame[160..1_600]);
        buffer.unduck();
        buffer.pull(&mut frame[1_600..3_200]);
        assert_eq!(frame[159], 20_000);
        assert_eq!(frame[1_599], 3_557, "15 dB down");
        assert_eq!(frame[3_199], 20_000);
        assert!(frame[..3_200].windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 60));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_sample_comes_out_once_in_order_and_the_bound_holds(
            pushes in prop::collection::vec((1usize..900, any::<bool>()), 1..30), frame in 1usize..400,
        ) {
            let mut buffer = PlayoutBuffer::new(8_000);
            buffer.open(ONE);
            let (mut given, mut heard) = (0_u64, Vec::new());
            let mut out = vec![0; frame];
            let mut take = |buffer: &mut PlayoutBuffer| {
                let before = buffer.sent;
                let pulled = buffer.pull(&mut out);
                heard.extend_from_slice(&out[..(buffer.sent - before) as usize]);
                pulled
            };
            for (segment, (count, pull)) in pushes.into_iter().enumerate() {
                let pcm: Vec<i16> = (0..count as u64).map(|n| ((given + n) % 30_000) as i16).collect();
                given += buffer.push(&pcm) as u64;
                if segment % 3 == 0 { buffer.mark_segment_end(segment as u32); }
                if pull { take(&mut buffer); }
                prop_assert!(buffer.buffered_ms() <= AUDIO_OUT_BUFFER_MS_MAX);
            }
            buffer.no_more();
            while !matches!(take(&mut buffer), Pulled::Audio { finished: true, .. }) {}
            prop_assert_eq!(heard.len() as u64, given);
            prop_assert!(heard.iter().enumerate().all(|(n, &sample)| sample == (n % 30_000) as i16));
        }
    }
}
