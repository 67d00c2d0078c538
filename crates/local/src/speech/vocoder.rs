//! From the voice network's spectra to a waveform.
//!
//! The network describes each 12.5 ms frame by a harmonic part (a gain and a phase shift applied to the spectrum of a
//! pulse train at the voice's pitch), a noise part (a gain on random spectra) and a free part (magnitude and phase).
//! Their sum goes through one inverse short-time transform. Formula of hibari (Apache-2.0).

use super::mel::{mirrored, transform};
use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::f32::consts::PI;
use std::sync::Arc;

pub(crate) const RATE_HZ: u32 = 24_000;
pub(crate) const HOP: usize = 300;
pub(crate) const BINS: usize = N / 2 + 1;
const N: usize = 4 * HOP;
/// Below this pitch a frame is unvoiced.
const PITCH_HZ_MIN: f32 = 40.0;
const HARMONIC_HZ_MAX: f32 = 11_000.0;
/// Gains are natural logarithms; beyond this they would only clip.
const LOG_GAIN_MAX: f32 = 7.0;
/// Entries of the noise table. Frames start at random places in it, so it is not heard as a loop.
const NOISE: usize = 1 << 15;

/// What the network says, each part `BINS` rows of `frames` values, row by row; the pitch one value a frame.
pub(crate) struct Spectra<'a> {
    pub(crate) harmonic: &'a [f32],
    pub(crate) shift: &'a [f32],
    pub(crate) noise: &'a [f32],
    pub(crate) free: &'a [f32],
    pub(crate) phase: &'a [f32],
    pub(crate) pitch_hz: &'a [f32],
}

/// Plans and tables, computed once.
pub(crate) struct Vocoder {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>,
    noise: Vec<Complex32>,
}

impl Vocoder {
    pub(crate) fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        Self {
            forward: planner.plan_fft_forward(N),
            inverse: planner.plan_fft_inverse(N),
            window: (0..N).map(|i| 0.5 - 0.5 * (2.0 * PI * i as f32 / N as f32).cos()).collect(),
            noise: (0..NOISE).map(|_| random.normal_pair()).collect(),
        }
    }

    /// The waveform, `frames * HOP` samples around ±1. Equal input gives equal output.
    pub(crate) fn synthesize(&self, spectra: &Spectra<'_>) -> Vec<f32> {
        let frames = spectra.pitch_hz.len();
        let source = pulses(spectra.pitch_hz);
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        let mut overlap = vec![0.0_f32; (frames + 3) * HOP];
        let mut buffer = self.forward.make_input_vec();
        let mut spectrum = self.forward.make_output_vec();
        for frame in 0..frames {
            let start = (frame * HOP) as isize - (N / 2) as isize;
            for (i, slot) in buffer.iter_mut().enumerate() {
                // A unit cosine has the height N/4 under this window, so this makes a gain of one mean one.
                *slot = source[mirrored(start + i as isize, source.len())] * self.window[i] / (N / 4) as f32;
            }
            transform(&*self.forward, &mut buffer, &mut spectrum);
            let offset = random.below(NOISE);
            for (bin, value) in spectrum.iter_mut().enumerate() {
                let at = bin * frames + frame;
                let rotated = *value * polar(gain(spectra.harmonic[at]), PI * spectra.shift[at].tanh());
                let hiss = self.noise[(offset + bin) % NOISE] * gain(spectra.noise[at]);
                *value = rotated + hiss + polar(gain(spectra.free[at]), spectra.phase[at]);
            }
            // The first and last bins of a real signal's spectrum have no imaginary part.
            spectrum[0].im = 0.0;
            spectrum[BINS - 1].im = 0.0;
            self.inverse.process(&mut spectrum, &mut buffer).expect("buffers have the lengths of the plan");
            for (i, sample) in buffer.iter().enumerate() {
                overlap[frame * HOP + i] += sample * self.window[i] / N as f32;
            }
        }
        self.normalised(&overlap, frames)
    }

    /// Divides by the summed squared windows and drops the half frame before the first sample.
    fn normalised(&self, overlap: &[f32], frames: usize) -> Vec<f32> {
        let weight = |at: usize| -> f32 {
            let (block, inside) = (at / HOP, at % HOP);
            let shifts = (0..4).filter(|k| block >= *k && block - k < frames);
            shifts.map(|k| self.window[k * HOP + inside].powi(2)).sum()
        };
        (N / 2..N / 2 + frames * HOP)
            .map(|at| {
                let inner = at / HOP >= 3 && at / HOP < frames;
                // The four squared Hann windows over an inner sample always sum to 1.5.
                let weight = if inner { 1.5 } else { weight(at).max(1e-11) };
                overlap[at] / weight
            })
            .collect()
    }
}

fn gain(log: f32) -> f32 {
    log.min(LOG_GAIN_MAX).exp()
}

fn polar(magnitude: f32, angle: f32) -> Complex32 {
    let (sin, cos) = angle.sin_cos();
    Complex32::new(magnitude * cos, magnitude * sin)
}

/// A pulse train at the given pitch: all harmonics below 11 kHz at the same height, by the closed form of their sum.
fn pulses(pitch_hz: &[f32]) -> Vec<f32> {
    let frames = pitch_hz.len();
    let mut phase = 0.0_f64;
    let mut train = Vec::with_capacity(frames * HOP);
    for frame in 0..frames {
        let here = pitch_hz[frame];
        let before = pitch_hz[frame.saturating_sub(1)];
        let after = pitch_hz[(frame + 1).min(frames - 1)];
        for i in 0..HOP {
            // The pitch is given at the middle of a frame and runs straight from middle to middle.
            let place = (i as f32 + 0.5) / HOP as f32 - 0.5;
            let hz = if place < 0.0 { here + (before - here) * -place } else { here + (after - here) * place };
            let voiced = hz > PITCH_HZ_MIN;
            let hz = hz.max(PITCH_HZ_MIN);
            phase = (phase + f64::from(hz) / f64::from(RATE_HZ)).fract();
            train.push(if voiced { pulse(phase as f32 * 2.0 * PI, hz) } else { 0.0 });
        }
    }
    train
}

fn pulse(angle: f32, hz: f32) -> f32 {
    let order = (HARMONIC_HZ_MAX / hz).floor() + 0.5;
    let denominator = 2.0 * (angle * 0.5).sin();
    // At a multiple of a full turn the quotient's limit is the order itself.
    let sum = if denominator.abs() <= 2e-3 { order } else { (order * angle).sin() / denominator };
    sum - 0.5
}

/// A small deterministic generator (xorshift64*): speech must not differ from run to run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn unit(&mut self) -> f32 {
        ((self.next() >> 40) as f32 + 0.5) / (1_u32 << 24) as f32
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    /// Two independent standard normal values (Box and Muller).
    fn normal_pair(&mut self) -> Complex32 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        polar(radius, 2.0 * PI * self.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_pitch_gives_a_steady_tone_of_that_pitch() {
        let frames = 40;
        let mut harmonic = vec![-20.0; BINS * frames];
        // Only the bins around 200 Hz are open.
        for bin in 8..=12 {
            harmonic[bin * frames..(bin + 1) * frames].fill(-2.0);
        }
        let closed = vec![-20.0; BINS * frames];
        let zero = vec![0.0; BINS * frames];
        let pitch = vec![200.0; frames];
        let spectra = Spectra {
            harmonic: &harmonic,
            shift: &zero,
            noise: &closed,
            free: &closed,
            phase: &zero,
            pitch_hz: &pitch,
        };
        let wave = Vocoder::new().synthesize(&spectra);
        assert_eq!(wave.len(), frames * HOP);
        let middle = &wave[10 * HOP..30 * HOP];
        let crossings = middle.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        assert!((49..=51).contains(&crossings), "{crossings} periods in a quarter of a second");
        let again = Vocoder::new().synthesize(&spectra);
        assert_eq!(wave, again, "the same words must sound the same");
    }
}
