//! When the next frames are to be handed to a carrier.
//!
//! A carrier plays in real time what it was given; the pacer keeps it supplied with a fixed look-ahead, so that a late
//! wake-up of ours is not heard and an interruption throws away little. It never reads a clock: every call carries
//! `now_ms` of one monotonic clock, such as [`base::CallTime`].

use base::limits::{FRAME_MS, PLAYOUT_LOOKAHEAD_MS, PLAYOUT_LOOKAHEAD_MS_MAX};

/// What went wrong so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacerStats {
    /// Frames handed over.
    pub frames: u64,
    /// Times the carrier ran dry in the middle of audio.
    pub underruns: u64,
    /// How long it was dry, all underruns together.
    pub starved_ms: u64,
    /// Wake-ups that came a whole frame or more after they were due.
    pub late: u64,
    /// The latest of them.
    pub late_ms_max: u64,
}

/// The pacing of one call. See the module.
#[derive(Clone, Debug)]
pub struct Pacer {
    frame_ms: u64,
    /// Audio that is handed over at a time once the look-ahead is full.
    batch_ms: u64,
    lookahead_ms: u64,
    /// When the carrier will have played everything it was given.
    dry_at_ms: u64,
    /// Audio is flowing: running dry now is a fault, not a pause.
    flowing: bool,
    /// Everything that was due has been handed over, so the next frame is due at a known time.
    satisfied: bool,
    stats: PacerStats,
}

impl Default for Pacer {
    /// Frames of [`FRAME_MS`], [`PLAYOUT_LOOKAHEAD_MS`] ahead.
    fn default() -> Self {
        Self::new(FRAME_MS, PLAYOUT_LOOKAHEAD_MS)
    }
}

impl Pacer {
    /// Frames of `frame_ms` (at least 1), up to `lookahead_ms` ahead: at least one frame, at most
    /// [`PLAYOUT_LOOKAHEAD_MS_MAX`].
    pub fn new(frame_ms: u64, lookahead_ms: u64) -> Self {
        let frame_ms = frame_ms.clamp(1, PLAYOUT_LOOKAHEAD_MS_MAX);
        Self {
            frame_ms,
            batch_ms: frame_ms,
            lookahead_ms: lookahead_ms.clamp(frame_ms, PLAYOUT_LOOKAHEAD_MS_MAX),
            dry_at_ms: 0,
            flowing: false,
            satisfied: false,
            stats: PacerStats::default(),
        }
    }

    /// Waits until so many frames are due before it wants to be asked again: each waking costs, and a carrier that holds most
    /// of the look-ahead needs none for every frame. At most half of the look-ahead.
    #[must_use]
    pub fn with_batches(mut self, frames: u64) -> Self {
        let half_ms = (self.lookahead_ms / 2).max(self.frame_ms);
        self.batch_ms = (self.frame_ms * frames.max(1)).min(half_ms);
        self
    }

    /// How many frames may be handed over now. After a stall of any length it is never more than the look-ahead holds.
    pub fn due(&mut self, now_ms: u64) -> u32 {
        let late_ms = now_ms.saturating_sub(self.next_due_ms(now_ms));
        if self.flowing && self.satisfied && late_ms >= self.frame_ms {
            self.stats.late += 1;
            self.stats.late_ms_max = self.stats.late_ms_max.max(late_ms);
        }
        self.satisfied = false;
        let room_ms = (now_ms + self.lookahead_ms).saturating_sub(self.dry_at_ms.max(now_ms));
        (room_ms / self.frame_ms) as u32
    }

    /// That many frames were handed over. Fewer than were due is fine: there was no more audio.
    pub fn sent(&mut self, now_ms: u64, frames: u32) {
        if frames > 0 {
            if self.flowing && now_ms > self.dry_at_ms {
                self.stats.underruns += 1;
                self.stats.starved_ms += now_ms - self.dry_at_ms;
            }
            self.dry_at_ms = self.dry_at_ms.max(now_ms) + u64::from(frames) * self.frame_ms;
            self.stats.frames += u64::from(frames);
            self.flowing = true;
        }
        self.satisfied = self.dry_at_ms + self.batch_ms > now_ms + self.lookahead_ms;
    }

    /// When the next frames become due; `now_ms` when they are due already.
    pub fn next_due_ms(&self, now_ms: u64) -> u64 {
        let at = (self.dry_at_ms + self.batch_ms).saturating_sub(self.lookahead_ms);
        if self.flowing { at } else { at.max(now_ms) }
    }

    /// How much of what was handed over is not played yet.
    pub fn ahead_ms(&self, now_ms: u64) -> u64 {
        self.dry_at_ms.saturating_sub(now_ms)
    }

    /// No more audio comes for now: what follows is a pause, not an underrun.
    pub fn pause(&mut self) {
        self.flowing = false;
        self.satisfied = false;
    }

    /// The carrier threw away what it had not played. Returns how much that was.
    pub fn cleared(&mut self, now_ms: u64) -> u64 {
        let unplayed_ms = self.ahead_ms(now_ms);
        self.dry_at_ms = self.dry_at_ms.min(now_ms);
        self.pause();
        unplayed_ms
    }

    /// What went wrong so far.
    pub fn stats(&self) -> PacerStats {
        self.stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn first_frames_fill_the_lookahead_then_one_every_frame_time() {
        let mut pacer = Pacer::new(20, 200);
        let due = pacer.due(1_000);
        assert_eq!(due, 10);
        pacer.sent(1_000, due);
        assert_eq!(pacer.next_due_ms(1_000), 1_020);
        for frame in 1..50 {
            let now = 1_000 + frame * 20;
            assert_eq!(pacer.due(now), 1);
            pacer.sent(now, 1);
            assert_eq!(pacer.due(now), 0);
            pacer.sent(now, 0);
        }
        assert_eq!(pacer.stats(), PacerStats { frames: 59, ..PacerStats::default() });
    }

    #[test]
    fn batches_are_whole_and_never_late() {
        let mut pacer = Pacer::new(20, 200).with_batches(3);
        let due = pacer.due(1_000);
        pacer.sent(1_000, due);
        assert_eq!((due, pacer.next_due_ms(1_000)), (10, 1_060));
        for batch in 1..50 {
            let now = 1_000 + batch * 60;
            assert_eq!(pacer.due(now), 3);
            pacer.sent(now, 3);
            assert_eq!(pacer.next_due_ms(now), now + 60);
        }
        assert_eq!(pacer.stats(), PacerStats { frames: 157, ..PacerStats::default() });
    }

    #[test]
    fn a_stall_never_bursts_beyond_the_lookahead() {
        let mut pacer = Pacer::new(20, 200);
        let due = pacer.due(0);
        pacer.sent(0, due);
        let due = pacer.due(60_000);
        assert_eq!(due, 10);
        pacer.sent(60_000, due);
        let stats = pacer.stats();
        assert_eq!((stats.underruns, stats.starved_ms), (1, 59_800));
        assert_eq!((stats.late, stats.late_ms_max), (1, 59_980));
    }

    #[test]
    fn a_late_wake_up_within_the_lookahead_is_counted_but_not_heard() {
        let mut pacer = Pacer::new(20, 200);
        let due = pacer.due(0);
        pacer.sent(0, due);
        assert_eq!(pacer.due(100), 5);
        pacer.sent(100, 5);
        assert_eq!((pacer.stats().late, pacer.stats().underruns), (1, 0));
    }

    #[test]
    fn silence_between_utterances_is_no_underrun() {
        let mut pacer = Pacer::new(20, 200);
        pacer.due(0);
        pacer.sent(0, 3);
        pacer.pause();
        assert_eq!(pacer.due(5_000), 10);
        pacer.sent(5_000, 10);
        assert_eq!(pacer.stats().underruns, 0);
        assert_eq!(pacer.stats().late, 0);
    }

    #[test]
    fn clearing_reports_what_was_not_heard() {
        let mut pacer = Pacer::new(20, 200);
        let due = pacer.due(0);
        pacer.sent(0, due);
        assert_eq!(pacer.cleared(50), 150);
        assert_eq!(pacer.ahead_ms(50), 0);
        assert_eq!(pacer.due(60), 10);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_carrier_never_holds_more_than_the_lookahead(
            frame in 1u64..60, lookahead in 0u64..2_000,
            steps in prop::collection::vec((0u64..400, 0u32..80, 0u8..10), 1..60),
        ) {
            let mut pacer = Pacer::new(frame, lookahead);
            let limit = lookahead.clamp(frame, PLAYOUT_LOOKAHEAD_MS_MAX);
            let mut now = 0;
            for (pass, available, what) in steps {
                now += pass;
                match what {
                    0 => pacer.pause(),
                    1 => { pacer.cleared(now); }
                    _ => {
                        let take = pacer.due(now).min(available);
                        pacer.sent(now, take);
                    }
                }
                prop_assert!(pacer.ahead_ms(now) <= limit);
            }
        }

        #[test]
        fn a_minute_of_jittery_wake_ups_sends_a_minute_of_audio(late in prop::collection::vec(0u64..150, 100)) {
            let mut pacer = Pacer::default();
            let mut now = 0;
            for late in late.iter().cycle().take(1_500) {
                let due = pacer.due(now);
                pacer.sent(now, due);
                now = pacer.next_due_ms(now) + late;
            }
            prop_assert_eq!(pacer.stats().underruns, 0);
            let sent_ms = pacer.stats().frames * FRAME_MS;
            prop_assert!(sent_ms + 200 >= now && sent_ms <= now + 200, "{} ms sent in {} ms", sent_ms, now);
        }
    }
}
