//! Keys in the audio (ITU-T Q.23, Q.24): found for carriers that do not report them, made for menus that want to be
//! answered.

use crate::ms_to_samples;
use crate::tone::Tone;

const LOW_HZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH_HZ: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Length of one look at the audio; a key must be held for two of them (Q.24 wants 40 ms recognised).
const BLOCK_US: u64 = 16_000;
/// Part of the block's energy that the two tones must have together.
const PURITY_MIN: f32 = 0.75;
/// How much stronger one tone may be than the other (8 dB).
const TWIST_MAX: f32 = 6.3;
/// How much stronger the tone must be than the next in its group (6 dB; neighbours leak in so short a block).
const NEXT_MIN: f32 = 4.0;
const RMS_MIN: f32 = 100.0;

/// The two frequencies of a key, low group first; `None` for what is not one of `0-9 A-D * #`.
pub fn frequencies(key: char) -> Option<(f64, f64)> {
    let key = key.to_ascii_uppercase();
    (0..16)
        .map(|n| (n / 4, n % 4))
        .find(|&(row, col)| KEYS[row][col] == key)
        .map(|(row, col)| (LOW_HZ[row], HIGH_HZ[col]))
}

/// How long a key is held, and the pause after it: well above the 40 ms that Q.24 asks of a receiver.
const PRESS_MS: u64 = 140;
const RELEASE_MS: u64 = 90;
/// Loud enough for a receiver behind a telephone codec, and no louder than a voice.
const PRESS_PEAK_DBFS: f32 = -8.0;

/// The sound of these keys being pressed one after the other. What is no key is left out.
pub fn pressed(rate_hz: u32, keys: &str) -> Vec<i16> {
    let hold = ms_to_samples(PRESS_MS, rate_hz) as usize;
    let step = hold + ms_to_samples(RELEASE_MS, rate_hz) as usize;
    let tones: Vec<Tone> = keys.chars().filter_map(|key| Tone::dtmf(rate_hz, key, PRESS_PEAK_DBFS)).collect();
    let mut pcm = vec![0; tones.len() * step];
    for (mut tone, part) in tones.into_iter().zip(pcm.chunks_mut(step.max(1))) {
        tone.fill(&mut part[..hold]);
    }
    pcm
}

/// Listens to one stream.
#[derive(Clone, Debug)]
pub struct DtmfDetector {
    block_samples: usize,
    coefficients: [f32; 8],
    states: [(f32, f32); 8],
    energy: f32,
    seen: usize,
    candidate: Option<char>,
    pressed: Option<char>,
    misses: u8,
}

impl DtmfDetector {
    /// For audio at this rate.
    pub fn new(rate_hz: u32) -> Self {
        let mut coefficients = [0.0; 8];
        for (n, hz) in LOW_HZ.into_iter().chain(HIGH_HZ).enumerate() {
            coefficients[n] = (2.0 * (std::f64::consts::TAU * hz / f64::from(rate_hz.max(1))).cos()) as f32;
        }
        Self {
            block_samples: (u64::from(rate_hz) * BLOCK_US / 1_000_000).max(1) as usize,
            coefficients,
            states: [(0.0, 0.0); 8],
            energy: 0.0,
            seen: 0,
            candidate: None,
            pressed: None,
            misses: 0,
        }
    }

    /// Takes audio and calls `pressed` once for each key, while it is still held.
    pub fn push(&mut self, pcm: &[i16], mut pressed: impl FnMut(char)) {
        for &sample in pcm {
            let value = f32::from(sample);
            self.energy += value * value;
            for (state, coefficient) in self.states.iter_mut().zip(self.coefficients) {
                *state = (value + coefficient * state.0 - state.1, state.0);
            }
            self.seen += 1;
            if self.seen == self.block_samples {
                let key = self.block();
                if let Some(key) = self.debounce(key) {
                    pressed(key);
                }
            }
        }
    }

    fn block(&mut self) -> Option<char> {
        let mut powers = [0.0; 8];
        for ((power, state), coefficient) in powers.iter_mut().zip(&self.states).zip(self.coefficients) {
            *power = state.0 * state.0 + state.1 * state.1 - coefficient * state.0 * state.1;
        }
        let (energy, samples) = (self.energy, self.seen as f32);
        self.states = [(0.0, 0.0); 8];
        (self.energy, self.seen) = (0.0, 0);
        if energy < RMS_MIN * RMS_MIN * samples {
            return None;
        }
        let (row, low, low_next) = strongest(&powers[..4]);
        let (col, high, high_next) = strongest(&powers[4..]);
        // A sine of amplitude a has energy a²n/2 and Goertzel power a²n²/4.
        let pure = (low + high) * 2.0 / samples >= PURITY_MIN * energy;
        let balanced = low <= high * TWIST_MAX && high <= low * TWIST_MAX;
        let clear = low >= low_next * NEXT_MIN && high >= high_next * NEXT_MIN;
        (pure && balanced && clear).then_some(KEYS[row][col])
    }

    fn debounce(&mut self, key: Option<char>) -> Option<char> {
        let confirmed = key.filter(|_| self.candidate == key);
        self.candidate = key;
        if let Some(key) = confirmed {
            self.misses = 0;
            if self.pressed != Some(key) {
                self.pressed = Some(key);
                return Some(key);
            }
        } else if key.is_none() || key != self.pressed {
            // One bad block within a press is a drop-out of the line, not two presses.
            self.misses += 1;
            if self.misses >= 2 {
                self.pressed = None;
                self.misses = 0;
            }
        }
        None
    }
}

fn strongest(powers: &[f32]) -> (usize, f32, f32) {
    let mut best = (0, powers[0]);
    let mut next = 0.0;
    for (n, &power) in powers.iter().enumerate().skip(1) {
        if power > best.1 {
            next = best.1;
            best = (n, power);
        } else if power > next {
            next = power;
        }
    }
    (best.0, best.1, next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::ComfortNoise;

    fn keys(rate: u32, pcm: &[i16]) -> String {
        let mut found = String::new();
        let mut detector = DtmfDetector::new(rate);
        pcm.chunks(77).for_each(|chunk| detector.push(chunk, |key| found.push(key)));
        found
    }

    fn dial(rate: u32, number: &str, on_ms: u64, off_ms: u64, dbfs: f32) -> Vec<i16> {
        let mut pcm = Vec::new();
        for key in number.chars() {
            let from = pcm.len() + crate::ms_to_samples(off_ms, rate) as usize;
            pcm.resize(from + crate::ms_to_samples(on_ms, rate) as usize, 0);
            Tone::dtmf(rate, key, dbfs).unwrap().fill(&mut pcm[from..]);
        }
        pcm.extend(vec![0; 1_000]);
        pcm
    }

    #[test]
    fn every_key_is_heard_once_at_every_rate() {
        for rate in [8_000, 16_000] {
            for dbfs in [-3.0, -25.0] {
                assert_eq!(keys(rate, &dial(rate, "1234567890*#ABCD", 70, 60, dbfs)), "1234567890*#ABCD");
            }
        }
    }

    #[test]
    fn keys_that_are_pressed_are_heard_as_they_were() {
        for rate in [8_000, 16_000] {
            assert_eq!(keys(rate, &pressed(rate, "1 1*20#x9")), "11*20#9");
        }
    }

    #[test]
    fn repeated_keys_and_long_presses_are_told_apart() {
        assert_eq!(keys(8_000, &dial(8_000, "5551", 100, 50, -10.0)), "5551");
        assert_eq!(keys(8_000, &dial(8_000, "7", 3_000, 50, -10.0)), "7");
    }

    #[test]
    fn keys_are_heard_through_line_noise() {
        let mut pcm = dial(8_000, "2468", 80, 60, -15.0);
        let mut noise = vec![0; pcm.len()];
        ComfortNoise::new(-38.0, 3).fill(&mut noise);
        pcm.iter_mut().zip(noise).for_each(|(sample, noise)| *sample += noise);
        assert_eq!(keys(8_000, &pcm), "2468");
    }

    #[test]
    fn other_tones_and_noise_are_no_keys() {
        let mut pcm = vec![0; 80_000];
        ComfortNoise::new(-10.0, 9).fill(&mut pcm[..40_000]);
        Tone::sine(8_000, 770.0, -6.0).fill(&mut pcm[40_000..60_000]);
        Tone::dual(8_000, 440.0, 480.0, -6.0).fill(&mut pcm[60_000..]);
        assert_eq!(keys(8_000, &pcm), "");
    }
}
