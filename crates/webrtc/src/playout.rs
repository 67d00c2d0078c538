//! What the peer will hear, and when it has heard it.
//!
//! The queue of the audio is here and not in the browser: a frame leaves every [`limits::FRAME_MS`], so an interruption takes
//! back all but what is on its way. A mark is answered when the audio before it was sent and has had the time that it takes
//! to the loudspeaker.

use base::limits;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the browser's own jitter buffer and sound card take, until the page says better.
const DELAY_MS: u64 = 80;

#[derive(Debug)]
enum Item {
    /// One whole frame.
    Audio(Vec<i16>),
    Mark(u64),
}

/// See the module.
#[derive(Debug)]
pub struct Playout {
    frame_samples: usize,
    items: VecDeque<Item>,
    frames: usize,
    /// Audio that is not a whole frame yet.
    part: Vec<i16>,
    /// Marks whose audio was sent, with the time at which it was heard.
    due: VecDeque<(Instant, u64)>,
    /// Marks so far in `items` and `due`.
    marks: usize,
    delay: Duration,
    round_trip: Duration,
    /// After an interruption by the page, until the host has cleared: what still comes belongs to the cut-off answer.
    dropping_until: Option<Instant>,
    dropped: u64,
}

impl Playout {
    /// An empty queue of frames of so many samples.
    pub fn new(frame_samples: usize) -> Self {
        Self {
            frame_samples,
            items: VecDeque::new(),
            frames: 0,
            part: Vec::with_capacity(frame_samples),
            due: VecDeque::new(),
            marks: 0,
            delay: Duration::from_millis(DELAY_MS),
            round_trip: Duration::ZERO,
            dropping_until: None,
            dropped: 0,
        }
    }

    /// Takes audio. Beyond [`limits::WEBRTC_PLAYOUT_FRAMES_MAX`] it is dropped and counted: the host keeps less ahead.
    pub fn push(&mut self, now: Instant, pcm: &[i16]) {
        if self.is_dropping(now) {
            return;
        }
        let mut rest = pcm;
        while !rest.is_empty() {
            let take = rest.len().min(self.frame_samples - self.part.len());
            self.part.extend_from_slice(&rest[..take]);
            rest = &rest[take..];
            if self.part.len() == self.frame_samples {
                let frame = std::mem::replace(&mut self.part, Vec::with_capacity(self.frame_samples));
                self.push_frame(frame);
            }
        }
    }

    /// Takes a mark: it is answered when everything before it was heard.
    pub fn mark(&mut self, now: Instant, id: u64) {
        if self.is_dropping(now) || self.marks >= limits::MEDIA_MARKS_MAX {
            return;
        }
        self.marks += 1;
        // What lies behind the mark in its frame is heard at most a frame later than told.
        if !self.part.is_empty() {
            let mut frame = std::mem::replace(&mut self.part, Vec::with_capacity(self.frame_samples));
            frame.resize(self.frame_samples, 0);
            self.push_frame(frame);
        }
        self.items.push_back(Item::Mark(id));
    }

    /// Throws everything away that was not sent; marks without an answer get none.
    pub fn clear(&mut self) {
        self.items.clear();
        self.part.clear();
        self.due.clear();
        (self.frames, self.marks) = (0, 0);
        self.dropping_until = None;
    }

    /// The page interrupts: as [`Self::clear`], and what the host still sends of this answer is dropped until it clears.
    pub fn interrupt(&mut self, now: Instant) {
        self.clear();
        self.dropping_until = Some(now + Duration::from_millis(limits::WEBRTC_INTERRUPT_MS_MAX));
    }

    /// The frame to send now; `None`: nothing waits.
    pub fn next_frame(&mut self, now: Instant) -> Option<Vec<i16>> {
        // Marks before any audio are about what was sent before.
        self.settle(now);
        let Some(Item::Audio(frame)) = self.items.pop_front() else { return None };
        self.frames -= 1;
        self.settle(now + Duration::from_millis(limits::FRAME_MS));
        Some(frame)
    }

    /// A mark that was heard by now.
    pub fn heard(&mut self, now: Instant) -> Option<u64> {
        let (_, id) = self.due.pop_front_if(|(at, _)| *at <= now)?;
        self.marks -= 1;
        Some(id)
    }

    /// When the next mark will have been heard.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.due.front().map(|(at, _)| *at)
    }

    /// What the page measured between the arrival of audio and the loudspeaker.
    pub fn set_delay_ms(&mut self, ms: u64) {
        self.delay = Duration::from_millis(ms.min(limits::WEBRTC_DELAY_MS_MAX));
    }

    /// What packets take to the peer and back.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip.min(Duration::from_millis(limits::WEBRTC_DELAY_MS_MAX));
    }

    /// Frames that wait.
    pub fn waiting(&self) -> usize {
        self.frames
    }

    /// Frames dropped because too many waited.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn is_dropping(&self, now: Instant) -> bool {
        self.dropping_until.is_some_and(|until| now < until)
    }

    fn push_frame(&mut self, frame: Vec<i16>) {
        if self.frames >= limits::WEBRTC_PLAYOUT_FRAMES_MAX {
            self.dropped += 1;
            return;
        }
        self.frames += 1;
        self.items.push_back(Item::Audio(frame));
    }

    /// Marks at the head of the queue: the last audio before them ends at `sent`.
    fn settle(&mut self, sent: Instant) {
        let heard = sent + self.round_trip / 2 + self.delay;
        while let Some(Item::Mark(id)) = self.items.front() {
            // In order, even when the delay was found to be shorter meanwhile.
            let heard = self.due.back().map_or(heard, |(last, _)| heard.max(*last));
            self.due.push_back((heard, *id));
            self.items.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 320;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_mark_is_answered_when_its_audio_was_heard_and_not_when_it_was_sent() {
        let now = Instant::now();
        let mut playout = Playout::new(FRAME);
        playout.set_delay_ms(60);
        playout.set_round_trip(ms(40));
        playout.push(now, &[1; FRAME * 2]);
        playout.mark(now, 7);
        assert!(playout.next_frame(now).is_some());
        assert_eq!(playout.next_deadline(), None);
        assert!(playout.next_frame(now + ms(20)).is_some());
        assert_eq!(playout.next_deadline(), Some(now + ms(20 + 20 + 20 + 60)));
        assert_eq!(playout.heard(now + ms(119)), None);
        assert_eq!(playout.heard(now + ms(120)), Some(7));
        assert_eq!((playout.next_frame(now + ms(120)), playout.heard(now + ms(999))), (None, None));
    }

    #[test]
    fn clear_takes_back_all_audio_and_every_unanswered_mark() {
        let now = Instant::now();
        let mut playout = Playout::new(FRAME);
        playout.push(now, &[1; FRAME]);
        playout.mark(now, 1);
        playout.next_frame(now);
        playout.push(now, &[1; FRAME * 10 + 7]);
        playout.mark(now, 2);
        playout.clear();
        assert_eq!((playout.waiting(), playout.next_frame(now), playout.heard(now + ms(5_000))), (0, None, None));
        playout.push(now, &[2; FRAME]);
        assert_eq!(playout.next_frame(now), Some(vec![2; FRAME]), "nothing of the half frame before is left");
    }

    #[test]
    fn what_still_comes_of_an_interrupted_answer_is_not_played() {
        let now = Instant::now();
        let mut playout = Playout::new(FRAME);
        playout.push(now, &[1; FRAME]);
        playout.interrupt(now);
        playout.push(now + ms(10), &[1; FRAME]);
        playout.mark(now + ms(10), 3);
        assert_eq!(playout.next_frame(now + ms(10)), None);
        playout.clear();
        playout.push(now + ms(20), &[2; FRAME]);
        assert_eq!(playout.next_frame(now + ms(20)), Some(vec![2; FRAME]));
        playout.interrupt(now);
        let late = now + ms(limits::WEBRTC_INTERRUPT_MS_MAX);
        playout.push(late, &[3; FRAME]);
        assert_eq!(playout.next_frame(late), Some(vec![3; FRAME]), "a host that does not clear is heard again");
    }

    #[test]
    fn a_host_that_sends_without_end_fills_a_bounded_queue() {
        let now = Instant::now();
        let mut playout = Playout::new(FRAME);
        for _ in 0..limits::WEBRTC_PLAYOUT_FRAMES_MAX + 5 {
            playout.push(now, &[1; FRAME]);
        }
        for id in 0..limits::MEDIA_MARKS_MAX as u64 + 5 {
            playout.mark(now, id);
        }
        assert_eq!((playout.waiting(), playout.dropped()), (limits::WEBRTC_PLAYOUT_FRAMES_MAX, 5));
        assert_eq!(playout.marks, limits::MEDIA_MARKS_MAX);
    }

    #[test]
    fn a_mark_with_nothing_before_it_is_answered_after_the_delay() {
        let now = Instant::now();
        let mut playout = Playout::new(FRAME);
        playout.set_delay_ms(50);
        playout.mark(now, 1);
        assert_eq!(playout.next_frame(now), None);
        assert_eq!(playout.heard(now + ms(50)), Some(1));
    }
}
