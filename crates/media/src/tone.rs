//! Sounds that are made, not recorded: silence, sines, keys, call progress tones, comfort noise.

use crate::level::amplitude;
use crate::{ms_to_samples, to_sample};
use std::f64::consts::TAU;

/// One or two sines, optionally switched on and off.
#[derive(Clone, Debug)]
pub struct Tone {
    low: Oscillator,
    high: Oscillator,
    gain: f32,
    /// Samples on and off; no pause when `off` is zero.
    on: u64,
    off: u64,
    at: u64,
}

impl Tone {
    /// A steady sine of this frequency whose peak is `peak_dbfs`.
    pub fn sine(rate_hz: u32, hz: f64, peak_dbfs: f32) -> Self {
        Self::dual(rate_hz, hz, hz, peak_dbfs)
    }

    /// Two sines of equal strength whose common peak is `peak_dbfs`.
    pub fn dual(rate_hz: u32, low_hz: f64, high_hz: f64, peak_dbfs: f32) -> Self {
        Self {
            low: Oscillator::new(rate_hz, low_hz),
            high: Oscillator::new(rate_hz, high_hz),
            gain: amplitude(peak_dbfs) * 32_767.0 / 2.0,
            on: u64::MAX,
            off: 0,
            at: 0,
        }
    }

    /// The tone of a key (ITU-T Q.23); `None` for what is not one of `0-9 A-D * #`.
    pub fn dtmf(rate_hz: u32, key: char, peak_dbfs: f32) -> Option<Self> {
        let (low, high) = crate::dtmf::frequencies(key)?;
        Some(Self::dual(rate_hz, low, high, peak_dbfs))
    }

    /// North American ringback: 440 + 480 Hz, 2 s on, 4 s off.
    pub fn ringback(rate_hz: u32, peak_dbfs: f32) -> Self {
        Self::dual(rate_hz, 440.0, 480.0, peak_dbfs).cadence(rate_hz, 2_000, 4_000)
    }

    /// North American busy: 480 + 620 Hz, 0.5 s on, 0.5 s off.
    pub fn busy(rate_hz: u32, peak_dbfs: f32) -> Self {
        Self::dual(rate_hz, 480.0, 620.0, peak_dbfs).cadence(rate_hz, 500, 500)
    }

    /// Switches the tone on for `on_ms` and off for `off_ms`, over and over.
    #[must_use]
    pub fn cadence(mut self, rate_hz: u32, on_ms: u64, off_ms: u64) -> Self {
        self.on = ms_to_samples(on_ms, rate_hz).max(1);
        self.off = ms_to_samples(off_ms, rate_hz);
        self
    }

    /// Fills the slice with what follows.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        for sample in pcm {
            let both = self.low.next() + self.high.next();
            let is_on = self.off == 0 || self.at % (self.on + self.off) < self.on;
            *sample = if is_on { to_sample(both * self.gain) } else { 0 };
            self.at = self.at.wrapping_add(1);
        }
    }
}

#[derive(Clone, Debug)]
struct Oscillator {
    phase: f64,
    step: f64,
}

impl Oscillator {
    fn new(rate_hz: u32, hz: f64) -> Self {
        Self { phase: 0.0, step: TAU * hz / f64::from(rate_hz.max(1)) }
    }

    fn next(&mut self) -> f32 {
        let value = self.phase.sin() as f32;
        self.phase += self.step;
        if self.phase >= TAU {
            self.phase -= TAU;
        }
        value
    }
}

/// The two notes of a [`waiting_sound`]: frequency, where it begins, how long it lasts. A rising third that no telephone
/// tone of ITU-T E.180 or Q.23 is made of.
const WAITING_NOTES: [(f64, u64, u64); 2] = [(523.25, 0, 340), (659.25, 320, 380)];
const WAITING_PEAK_DBFS: f32 = -20.0;
/// A note swells this fast; it fades over the rest of its time.
const WAITING_ATTACK_MS: u64 = 30;

/// A gentle sound that says "I am still here" where words are missing: two soft notes, 700 ms.
pub fn waiting_sound(rate_hz: u32) -> Vec<i16> {
    let end_ms = WAITING_NOTES.iter().map(|(_, from_ms, ms)| from_ms + ms).max().unwrap_or(0);
    let mut pcm = vec![0_i16; ms_to_samples(end_ms, rate_hz) as usize];
    for (hz, from_ms, ms) in WAITING_NOTES {
        let first = ms_to_samples(from_ms, rate_hz) as usize;
        let samples = ms_to_samples(ms, rate_hz) as usize;
        let attack = ms_to_samples(WAITING_ATTACK_MS, rate_hz).max(1) as f32;
        let mut note = vec![0_i16; samples];
        Tone::sine(rate_hz, hz, WAITING_PEAK_DBFS).fill(&mut note);
        for (at, (sample, heard)) in note.iter().zip(&mut pcm[first..]).enumerate() {
            let left = 1.0 - at as f32 / samples as f32;
            let envelope = (at as f32 / attack).min(1.0) * left * left;
            *heard = heard.saturating_add(to_sample(f32::from(*sample) * envelope));
        }
    }
    pcm
}

/// Quiet noise, so that a line on which nobody speaks does not sound dead. The same seed gives the same noise.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    state: u64,
    last: f32,
    gain: f32,
}

impl ComfortNoise {
    /// Noise of this loudness (RMS). -60 dBFS is what a quiet telephone line has.
    pub fn new(rms_dbfs: f32, seed: u64) -> Self {
        // A one-pole low-pass at 0.5 leaves a third of the power of uniform noise, whose own power is a third of its peak.
        Self { state: seed | 1, last: 0.0, gain: amplitude(rms_dbfs) * 32_768.0 * 3.0 }
    }

    /// Fills the slice with what follows.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        for sample in pcm {
            // xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016.
            self.state ^= self.state >> 12;
            self.state ^= self.state << 25;
            self.state ^= self.state >> 27;
            let bits = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
            let white = bits as f32 / (1_u32 << 23) as f32 - 1.0;
            self.last = 0.5 * self.last + 0.5 * white;
            *sample = to_sample(self.last * self.gain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level;

    #[test]
    fn a_sine_has_the_level_asked_for() {
        let mut pcm = [0; 8_000];
        Tone::sine(8_000, 440.0, -10.0).fill(&mut pcm);
        assert!((level::rms_dbfs(&pcm) + 13.01).abs() < 0.1);
    }

    #[test]
    fn comfort_noise_has_the_level_asked_for_and_repeats() {
        let (mut a, mut b) = (vec![0; 80_000], vec![0; 80_000]);
        ComfortNoise::new(-50.0, 7).fill(&mut a);
        ComfortNoise::new(-50.0, 7).fill(&mut b);
        assert_eq!(a, b);
        assert!((level::rms_dbfs(&a) + 50.0).abs() < 0.5, "{}", level::rms_dbfs(&a));
    }

    #[test]
    fn waiting_sound_is_soft_and_begins_and_ends_without_a_click() {
        for rate_hz in [8_000, 16_000, 24_000] {
            let pcm = waiting_sound(rate_hz);
            assert_eq!(pcm.len(), rate_hz as usize * 700 / 1_000);
            let peak = pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!((1_500..4_000).contains(&peak), "{peak}");
            assert!(pcm[0].abs() < 20 && pcm[pcm.len() - 1].abs() < 20);
            assert!(pcm.chunks(rate_hz as usize / 10).all(|part| level::rms_dbfs(part) > -60.0), "no hole in it");
        }
    }

    #[test]
    fn busy_tone_pauses() {
        let mut pcm = [0; 8_000];
        Tone::busy(8_000, -10.0).fill(&mut pcm);
        assert!(level::rms_dbfs(&pcm[..4_000]) > -20.0);
        assert!(pcm[4_000..].iter().all(|&sample| sample == 0));
    }

    #[test]
    fn only_keys_have_a_tone() {
        assert!(Tone::dtmf(8_000, '#', -6.0).is_some());
        assert!(Tone::dtmf(8_000, 'x', -6.0).is_none());
    }
}
