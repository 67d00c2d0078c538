//! Telling tones from voices: a tone keeps nearly all its energy in one or two narrow places that do not move.

use crate::resample::RATE_HZ_MAX;
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// The spectrum is taken of 32 ms at 16 kHz.
pub(super) const RATE_HZ: u32 = 16_000;
const WINDOW: usize = 512;
const BIN_HZ: f32 = RATE_HZ as f32 / WINDOW as f32;
/// A Hann-windowed sine fills two bins on either side of its peak.
const PEAK_BINS: usize = 2;
/// Mains hum and offsets below this are not looked at.
const LOWEST_BIN: usize = 3;
/// Part of the energy that one or two peaks hold in a tone.
const CONCENTRATION_MIN: f32 = 0.97;
/// How far the peak of a single tone may move between two frames. A voice moves more, even a held one.
const DRIFT_HZ_MAX: f32 = 8.0;
/// Call progress tones and keys are pairs above this; a hummed fundamental with its octave begins below it.
const PAIR_HZ_MIN: f32 = 330.0;
/// Frames in a row that must look the same before they are called a tone for good.
const STEADY_FRAMES: u8 = 2;

const _: () = assert!(RATE_HZ <= RATE_HZ_MAX);

/// Looks at the last 32 ms of a 16 kHz stream.
pub(super) struct Tonality {
    fft: Arc<dyn RealToComplex<f32>>,
    shape: Vec<f32>,
    history: Vec<f32>,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
    last_hz: Option<f32>,
    steady: u8,
}

impl Tonality {
    pub(super) fn new() -> Self {
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
        let shape = (0..WINDOW).map(|n| 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / WINDOW as f32).cos()).collect();
        Self {
            shape,
            history: vec![0.0; WINDOW],
            input: fft.make_input_vec(),
            output: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; WINDOW / 2 + 1],
            fft,
            last_hz: None,
            steady: 0,
        }
    }

    /// Takes more audio, at most a window of it.
    pub(super) fn push(&mut self, pcm: &[i16]) {
        let pcm = &pcm[pcm.len().saturating_sub(WINDOW)..];
        self.history.copy_within(pcm.len().., 0);
        for (kept, &sample) in self.history[WINDOW - pcm.len()..].iter_mut().zip(pcm) {
            *kept = f32::from(sample);
        }
    }

    /// Whether the window holds a tone. Meant to be asked once a frame.
    pub(super) fn is_tone(&mut self) -> bool {
        let found = self.spectrum().and_then(|()| self.peaks());
        let Some((hz, is_pair)) = found else {
            self.last_hz = None;
            self.steady = 0;
            return false;
        };
        let held = self.last_hz.is_some_and(|last| (last - hz).abs() <= DRIFT_HZ_MAX) || is_pair;
        self.steady = if held { self.steady.saturating_add(1) } else { 0 };
        self.last_hz = Some(hz);
        // A narrow frame alone is not yet a tone, but also not yet proof of a voice: the caller of this waits for it.
        self.steady + 1 >= STEADY_FRAMES
    }

    fn spectrum(&mut self) -> Option<()> {
        for ((value, &sample), &shape) in self.input.iter_mut().zip(&self.history).zip(&self.shape) {
            *value = sample * shape;
        }
        self.fft.process_with_scratch(&mut self.input, &mut self.output, &mut self.scratch).ok()?;
        for (power, value) in self.power.iter_mut().zip(&self.output) {
            *power = value.norm_sqr();
        }
        Some(())
    }

    /// The strongest frequency and whether a second one was needed, when they hold nearly all the energy.
    fn peaks(&mut self) -> Option<(f32, bool)> {
        let total: f32 = self.power[LOWEST_BIN..].iter().sum();
        if total <= WINDOW as f32 {
            return None;
        }
        let (first_hz, first) = self.take_peak();
        if first >= CONCENTRATION_MIN * total {
            return Some((first_hz, false));
        }
        let (second_hz, second) = self.take_peak();
        let is_pair = first + second >= CONCENTRATION_MIN * total && first_hz.min(second_hz) >= PAIR_HZ_MIN;
        is_pair.then_some((first_hz, true))
    }

    /// Finds the strongest peak, says its frequency and energy, and wipes it out.
    fn take_peak(&mut self) -> (f32, f32) {
        let mut top = LOWEST_BIN;
        for bin in LOWEST_BIN..self.power.len() {
            if self.power[bin] > self.power[top] {
                top = bin;
            }
        }
        let from = top.saturating_sub(PEAK_BINS).max(LOWEST_BIN);
        let to = (top + PEAK_BINS).min(self.power.len() - 1);
        let (mut energy, mut moment) = (0.0, 0.0);
        for bin in from..=to {
            energy += self.power[bin];
            moment += self.power[bin] * bin as f32;
            self.power[bin] = 0.0;
        }
        (if energy > 0.0 { moment / energy * BIN_HZ } else { 0.0 }, energy)
    }

    pub(super) fn reset(&mut self) {
        self.history.fill(0.0);
        self.last_hz = None;
        self.steady = 0;
    }
}
