//! Where the noise of a line lies below the voice (an engine, the mains), it is taken out of what is looked at. The recogniser
//! still hears all of it.

use crate::{level, to_sample};
use std::f32::consts::{SQRT_2, TAU};

/// Telephone speech begins here, and the hum of an engine ends.
const HZ_MIN: f32 = 250.0;
/// Noise that is so much weaker without what lies below the voice is a hum, until it is less than that.
const HUM_DB_MIN: f32 = 6.0;
const HUM_DB_MIN_WITHIN: f32 = 4.0;
/// The noise of a line is its quietest of late.
const FLOOR_FALL: f32 = 0.2;
const FLOOR_RISE_DB: f32 = 0.03;
/// A filter whose state is less than this is at rest: in one frame more it cannot fall out of the normal numbers.
const STATE_MIN: f32 = 1e-20;

/// What of a stream is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Band {
    high_pass: HighPass,
    without_hum: Vec<i16>,
    floor_db: Option<[f32; 2]>,
    is_on: bool,
}

impl Band {
    pub(crate) fn new(rate_hz: u32) -> Self {
        Self { high_pass: HighPass::new(rate_hz, HZ_MIN), without_hum: Vec::new(), floor_db: None, is_on: false }
    }

    /// Takes the hum out of a frame, if there is one on this line.
    pub(crate) fn process(&mut self, frame: &mut [i16]) {
        self.without_hum.clear();
        self.without_hum.extend_from_slice(frame);
        self.high_pass.process(&mut self.without_hum);
        let levels = [level::rms_dbfs(frame), level::rms_dbfs(&self.without_hum)];
        let floors = self.floor_db.get_or_insert(levels);
        for (floor, level) in floors.iter_mut().zip(levels) {
            let change = level - *floor;
            *floor += if change < 0.0 { change * FLOOR_FALL } else { change.min(FLOOR_RISE_DB) };
        }
        let hum_db = floors[0] - floors[1];
        self.is_on = hum_db >= if self.is_on { HUM_DB_MIN_WITHIN } else { HUM_DB_MIN };
        if self.is_on {
            frame.copy_from_slice(&self.without_hum);
        }
    }
}

/// A Butterworth high-pass of the second order, as two delays (transposed direct form II).
#[derive(Clone, Debug)]
struct HighPass {
    /// Numerator: the same for the first and the last tap, twice that with the other sign for the middle one.
    gain: f32,
    feedback: [f32; 2],
    state: [f32; 2],
}

impl HighPass {
    fn new(rate_hz: u32, cutoff_hz: f32) -> Self {
        let (sin, cos) = (TAU * cutoff_hz / rate_hz as f32).sin_cos();
        let alpha = sin / SQRT_2;
        let norm = 1.0 + alpha;
        let gain = (1.0 + cos) / (2.0 * norm);
        Self { gain, feedback: [-2.0 * cos / norm, (1.0 - alpha) / norm], state: [0.0; 2] }
    }

    fn process(&mut self, pcm: &mut [i16]) {
        let [mut first, mut second] = self.state;
        for sample in pcm {
            let input = f32::from(*sample);
            let output = self.gain * input + first;
            first = -2.0 * self.gain * input - self.feedback[0] * output + second;
            second = self.gain * input - self.feedback[1] * output;
            *sample = to_sample(output);
        }
        // What rings on in silence falls below the smallest normal number, and a processor takes a hundred times as long for
        // each that is smaller.
        self.state = [first, second].map(|state| if state.abs() < STATE_MIN { 0.0 } else { state });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level;
    use crate::tone::Tone;

    fn loss_db(hz: f64) -> f32 {
        let mut pcm = vec![0; 8_000];
        Tone::sine(8_000, hz, -20.0).fill(&mut pcm);
        let before = level::rms_dbfs(&pcm[4_000..]);
        HighPass::new(8_000, 250.0).process(&mut pcm);
        before - level::rms_dbfs(&pcm[4_000..])
    }

    #[test]
    fn hum_is_taken_out_and_a_voice_is_not() {
        assert!(loss_db(50.0) > 25.0 && loss_db(100.0) > 14.0);
        assert!(loss_db(400.0) < 1.0 && loss_db(1_000.0) < 0.1 && loss_db(3_000.0) < 0.1);
    }
}
