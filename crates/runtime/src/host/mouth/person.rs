//! The voice of a person who has the call, between their network and the carrier.

use base::limits::{PERSON_AUDIO_MS_MAX, PERSON_AUDIO_MS_MIN};
use std::collections::VecDeque;

/// Audio that waits for its place on the line. The oldest goes when there is too much: late words are worse than lost ones.
pub(super) struct Person {
    samples: VecDeque<i16>,
    samples_min: usize,
    samples_max: usize,
    /// The carrier still has something to play: a single frame is enough to go on.
    is_flowing: bool,
}

impl Person {
    pub(super) fn new(rate_hz: u32) -> Self {
        let samples = |ms: u64| (ms * u64::from(rate_hz) / 1_000) as usize;
        let samples_max = samples(PERSON_AUDIO_MS_MAX);
        Self { samples: VecDeque::new(), samples_min: samples(PERSON_AUDIO_MS_MIN), samples_max, is_flowing: false }
    }

    pub(super) fn push(&mut self, pcm: &[i16]) {
        self.samples.extend(pcm);
        let over = self.samples.len().saturating_sub(self.samples_max);
        self.samples.drain(..over);
    }

    pub(super) fn clear(&mut self) {
        self.samples.clear();
        self.is_flowing = false;
    }

    /// Whether the carrier still has something to play.
    pub(super) fn goes_on(&mut self, has_more: bool) {
        self.is_flowing &= has_more;
    }

    pub(super) fn is_ready(&self, frame: usize) -> bool {
        let wanted = if self.is_flowing { frame } else { self.samples_min.max(frame) };
        self.samples.len() >= wanted
    }

    pub(super) fn pull(&mut self, frame: &mut [i16]) {
        self.is_flowing = true;
        for sample in frame {
            *sample = self.samples.pop_front().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_begins_with_a_little_ahead_goes_on_frame_by_frame_and_is_never_long_behind() {
        let mut person = Person::new(8_000);
        let mut frame = [0; 160];
        person.push(&[1; 160]);
        assert!(!person.is_ready(160), "one frame is no start");
        person.push(&[2; 320]);
        assert!(person.is_ready(160));
        person.pull(&mut frame);
        assert_eq!(frame, [1; 160]);
        person.pull(&mut frame);
        person.pull(&mut frame);
        person.goes_on(true);
        person.push(&[3; 160]);
        assert!(person.is_ready(160), "it goes on with the next one");
        person.goes_on(false);
        assert!(!person.is_ready(160), "after a gap it begins anew");
        person.push(&[4; 16_000]);
        assert_eq!(person.samples.len(), 3_200, "two seconds of backlog are thrown away");
    }
}
