//! One loudness for every caller.
//!
//! [`AutoGain`] learns how loud the caller's speech is and brings it to [`SPEECH_DBFS`], slowly and only while there is
//! speech: the noise between words is never raised to fill a pause, and a quiet caller on a noisy line is raised only as
//! far as the noise stays low.

use crate::{level, to_sample};

/// What the caller's speech is brought to (RMS over its frames).
pub const SPEECH_DBFS: f32 = -20.0;
/// The most that a quiet caller is raised.
pub const RAISE_DB_MAX: f32 = 24.0;
/// The most that a loud caller is lowered.
pub const LOWER_DB_MAX: f32 = 15.0;
/// Noise is not raised above this.
const NOISE_DBFS_MAX: f32 = -42.0;
/// How fast the gain moves while there is speech: a word is enough to come close, a syllable is not enough to be heard as
/// a change.
const RAISE_DB_PER_FRAME: f32 = 0.4;
const LOWER_DB_PER_FRAME: f32 = 0.8;
/// Frames of speech over which its loudness is averaged.
const FRAMES_AVERAGED: f32 = 100.0;
/// Where a sample is held back, full scale being 1.
const PEAK_MAX: f32 = 0.9;

/// One caller's gain.
#[derive(Clone, Debug)]
pub struct AutoGain {
    /// Mean power of the speech, full scale 1.
    power: f32,
    frames: f32,
    gain_db: f32,
    /// What the last sample was multiplied with.
    applied: f32,
}

impl Default for AutoGain {
    fn default() -> Self {
        Self { power: 0.0, frames: 0.0, gain_db: 0.0, applied: 1.0 }
    }
}

impl AutoGain {
    /// The gain at the moment, dB.
    pub fn gain_db(&self) -> f32 {
        self.gain_db
    }

    /// Brings one frame to the level, in place. `is_speech` says whether the frame holds the caller's voice, `floor_dbfs`
    /// how loud the line is without it.
    pub fn push(&mut self, pcm: &mut [i16], is_speech: bool, floor_dbfs: f32) {
        if is_speech && !pcm.is_empty() {
            self.learn(level::rms_dbfs(pcm), floor_dbfs);
        }
        let peak = pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        let room = PEAK_MAX * 32_768.0 / f32::from(peak.max(1));
        let wanted = level::amplitude(self.gain_db).min(room.max(1.0));
        // Holding back is at once, or the frame would clip; giving way again takes the frame.
        let mut gain = self.applied.min(room.max(1.0));
        let step = (wanted - gain) / pcm.len().max(1) as f32;
        for sample in pcm {
            gain += step;
            *sample = to_sample(f32::from(*sample) * gain);
        }
        self.applied = wanted;
    }

    fn learn(&mut self, level_dbfs: f32, floor_dbfs: f32) {
        self.frames = (self.frames + 1.0).min(FRAMES_AVERAGED);
        self.power += (level::amplitude(level_dbfs).powi(2) - self.power) / self.frames;
        let speech_dbfs = level::dbfs(self.power.sqrt());
        let room_db = (NOISE_DBFS_MAX - floor_dbfs).clamp(0.0, RAISE_DB_MAX);
        let wanted_db = (SPEECH_DBFS - speech_dbfs).clamp(-LOWER_DB_MAX, room_db);
        self.gain_db += (wanted_db - self.gain_db).clamp(-LOWER_DB_PER_FRAME, RAISE_DB_PER_FRAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_audio::{mix, noise, voice};

    fn through(gain: &mut AutoGain, mut pcm: Vec<i16>, is_speech: bool, floor_dbfs: f32) -> Vec<i16> {
        pcm.chunks_exact_mut(160).for_each(|frame| gain.push(frame, is_speech, floor_dbfs));
        pcm
    }

    #[test]
    fn quiet_and_loud_callers_end_up_alike() {
        for dbfs in [-40.0, -35.0, -22.0, -10.0] {
            let mut gain = AutoGain::default();
            let pcm = through(&mut gain, voice(8_000, 4_000, dbfs), true, -75.0);
            let level = level::rms_dbfs(&pcm[8_000 * 2..]);
            assert!((level - SPEECH_DBFS).abs() < 3.0, "{dbfs}: {level}");
        }
    }

    #[test]
    fn a_quiet_caller_is_understood_within_two_seconds() {
        let mut gain = AutoGain::default();
        let pcm = through(&mut gain, voice(8_000, 2_000, -35.0), true, -75.0);
        assert!(level::rms_dbfs(&pcm[8_000..]) > -26.0, "{}", level::rms_dbfs(&pcm[8_000..]));
    }

    #[test]
    fn the_noise_of_a_pause_is_not_raised() {
        let mut gain = AutoGain::default();
        through(&mut gain, mix(voice(8_000, 3_000, -38.0), &noise(8_000, 3_000, -55.0)), true, -55.0);
        let before = gain.gain_db();
        let pause = through(&mut gain, noise(8_000, 10_000, -55.0), false, -55.0);
        assert_eq!(gain.gain_db(), before);
        assert!(level::rms_dbfs(&pause) < -41.0, "{}", level::rms_dbfs(&pause));
    }

    #[test]
    fn a_shout_after_a_whisper_does_not_clip() {
        let mut gain = AutoGain::default();
        through(&mut gain, voice(8_000, 4_000, -40.0), true, -80.0);
        let shout = through(&mut gain, voice(8_000, 500, -18.0), true, -80.0);
        let clipped = shout.iter().filter(|sample| sample.unsigned_abs() >= 32_767).count();
        assert_eq!(clipped, 0);
    }
}
