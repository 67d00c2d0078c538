//! The log-mel picture of speech that Whisper's family of networks looks at: 80 bands, 10 ms steps, 16 kHz.

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

pub(crate) const BANDS: usize = 80;
const RATE_HZ: f32 = 16_000.0;
const WINDOW: usize = 400;
const HOP: usize = 160;
const BINS: usize = WINDOW / 2 + 1;

/// Window, transform and filters, computed once.
pub(crate) struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// Per band: the first bin and the weights from there.
    filters: Vec<(usize, Vec<f32>)>,
}

impl LogMel {
    pub(crate) fn new() -> Self {
        let step = 2.0 * std::f32::consts::PI / WINDOW as f32;
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(WINDOW),
            window: (0..WINDOW).map(|i| 0.5 - 0.5 * (step * i as f32).cos()).collect(),
            filters: filters(),
        }
    }

    /// `BANDS` rows of `samples.len() / 160` values each, row by row. Frames are centred and the edges mirrored.
    pub(crate) fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let frames = samples.len() / HOP;
        let mut picture = vec![0.0; BANDS * frames];
        let mut buffer = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut power = vec![0.0; BINS];
        for frame in 0..frames {
            let start = (frame * HOP) as isize - (WINDOW / 2) as isize;
            for (i, slot) in buffer.iter_mut().enumerate() {
                *slot = samples[mirrored(start + i as isize, samples.len())] * self.window[i];
            }
            transform(&*self.fft, &mut buffer, &mut spectrum);
            for (power, bin) in power.iter_mut().zip(&spectrum) {
                *power = bin.norm_sqr();
            }
            for (band, (first, weights)) in self.filters.iter().enumerate() {
                let energy: f32 = weights.iter().zip(&power[*first..]).map(|(weight, power)| weight * power).sum();
                picture[band * frames + frame] = energy.max(1e-10).log10();
            }
        }
        let floor = picture.iter().copied().fold(f32::MIN, f32::max) - 8.0;
        for value in &mut picture {
            *value = (value.max(floor) + 4.0) / 4.0;
        }
        picture
    }
}

/// Lengths come from the plan itself, so the transform cannot refuse them.
pub(crate) fn transform(fft: &dyn RealToComplex<f32>, input: &mut [f32], output: &mut [Complex32]) {
    fft.process(input, output).expect("buffers have the lengths of the plan");
}

/// The index after mirroring at both edges without repeating them.
pub(crate) fn mirrored(index: isize, len: usize) -> usize {
    let last = len as isize - 1;
    if last <= 0 {
        return 0;
    }
    let folded = index.rem_euclid(2 * last);
    folded.min(2 * last - folded) as usize
}

/// Triangles on the mel scale of Slaney's Auditory Toolbox (linear below 1 kHz), each of unit area.
fn filters() -> Vec<(usize, Vec<f32>)> {
    let top = to_mel(RATE_HZ as f64 / 2.0);
    let edges: Vec<f64> = (0..BANDS + 2).map(|i| to_hz(top * i as f64 / (BANDS + 1) as f64)).collect();
    let bin_hz = RATE_HZ as f64 / WINDOW as f64;
    (0..BANDS)
        .map(|band| {
            let (low, centre, high) = (edges[band], edges[band + 1], edges[band + 2]);
            let weights: Vec<f32> = (0..BINS)
                .map(|bin| {
                    let hz = bin as f64 * bin_hz;
                    let triangle = ((hz - low) / (centre - low)).min((high - hz) / (high - centre)).max(0.0);
                    (triangle * 2.0 / (high - low)) as f32
                })
                .collect();
            let first = weights.iter().position(|weight| *weight > 0.0).unwrap_or(0);
            let last = weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0);
            (first, weights[first..=last].to_vec())
        })
        .collect()
}

const LINEAR_HZ: f64 = 1_000.0;
const HZ_PER_MEL: f64 = 200.0 / 3.0;

fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn to_mel(hz: f64) -> f64 {
    if hz < LINEAR_HZ { hz / HZ_PER_MEL } else { LINEAR_HZ / HZ_PER_MEL + (hz / LINEAR_HZ).ln() / log_step() }
}

fn to_hz(mel: f64) -> f64 {
    let linear = LINEAR_HZ / HZ_PER_MEL;
    if mel < linear { mel * HZ_PER_MEL } else { LINEAR_HZ * ((mel - linear) * log_step()).exp() }
}
