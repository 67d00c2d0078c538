//! A model of the way that the agent's voice takes back to us.
//!
//! A partitioned frequency-domain Kalman filter: for every frequency it holds how the voice comes back and how sure it is
//! of that, and learns from each frame as much as the noise and the caller's own voice in it allow. So it stands still while
//! both speak, without a detector for that. After G. Enzner and P. Vary, "Frequency-domain adaptive Kalman filter for
//! acoustic echo control in hands-free telephones", Signal Processing 86 (2006), with the partitions of F. Kuech,
//! E. Mabande and G. Enzner, "State-space architecture of the partitioned-block-based acoustic echo controller", 2014.

use super::ring::Ring;
use crate::transform::plan;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealToComplex};
use std::sync::Arc;

/// Frames that the way back may spread over.
const PARTITIONS: usize = 3;
/// How uncertain a way back is of which only the loudest part is known, by frame, as parts of that part's power.
const UNCERTAINTY_START: [f32; PARTITIONS] = [1.2, 0.3, 0.1];
/// How much of the way back stays the same from frame to frame: a hand moves, a line does not.
const STEADINESS: f32 = 0.997;
/// What the estimate of the caller's own sound keeps from frame to frame.
const NEAR_KEPT: f32 = 0.9;
/// How much of what is left is taken for the agent's, beyond what the model expects to leave.
const SUSPICION: f32 = 3.0;
/// A spectrum this faint is silence (unscaled transform of full scale 1).
const NEAR_POWER_MIN: f32 = 1e-6;

/// Samples that the way back may spread over, on a line with frames of so many.
pub(super) const fn span(frame: usize) -> usize {
    frame * PARTITIONS
}

pub(super) struct Filter {
    frame: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// Spectra of the reference, the newest at `newest`, then the one before it, and so on around.
    reference: Vec<Vec<Complex<f32>>>,
    newest: usize,
    /// Reference position after the newest spectrum.
    newest_end: i64,
    weights: Vec<Vec<Complex<f32>>>,
    uncertainty: Vec<Vec<f32>>,
    /// Power of what the model does not explain.
    near: Vec<f32>,
    /// The partition whose weights are brought back to a causal filter next.
    next_tidied: usize,
    foreign: f32,
    spectrum: Vec<Complex<f32>>,
    power: Vec<f32>,
    time: Vec<f32>,
    scratch: Vec<Complex<f32>>,
}

impl Filter {
    pub(super) fn new(frame: usize) -> Self {
        let (forward, inverse) = plan(frame * 2);
        let spectrum = forward.make_output_vec();
        let bins = spectrum.len();
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            frame,
            reference: vec![spectrum.clone(); PARTITIONS],
            newest: 0,
            newest_end: i64::MIN,
            weights: vec![spectrum.clone(); PARTITIONS],
            uncertainty: vec![vec![0.0; bins]; PARTITIONS],
            near: vec![0.0; bins],
            next_tidied: 0,
            foreign: 1.0,
            spectrum,
            power: vec![0.0; bins],
            time: forward.make_input_vec(),
            scratch: vec![Complex::default(); scratch],
            forward,
            inverse,
        }
    }

    /// Begins with the loudest part of the way back alone: so many samples after the beginning, so strong.
    pub(super) fn start(&mut self, tap: usize, gain: f32) {
        self.weights.iter_mut().for_each(|weights| weights.fill(Complex::default()));
        let turn = -std::f32::consts::PI * tap as f32 / self.frame as f32;
        for (bin, weight) in self.weights[0].iter_mut().enumerate() {
            *weight = Complex::from_polar(gain, turn * bin as f32);
        }
        for (values, part) in self.uncertainty.iter_mut().zip(UNCERTAINTY_START) {
            values.fill(part * gain * gain);
        }
        self.near.fill(0.0);
        self.newest_end = i64::MIN;
    }

    /// The way back is another one, but perhaps not by much: learns quickly again.
    pub(super) fn doubt(&mut self, gain: f32) {
        for (values, part) in self.uncertainty.iter_mut().zip(UNCERTAINTY_START) {
            values.iter_mut().for_each(|value| *value = value.max(0.1 * part * gain * gain));
        }
    }

    /// How much of what was left of the last frame is not the agent's, as far as the model knows itself: 0 to 1.
    pub(super) fn foreign(&self) -> f32 {
        self.foreign
    }

    /// Takes a frame heard, whose reference begins at `from`, and leaves in `rest` what the model does not explain.
    /// Learns from it.
    pub(super) fn process(&mut self, reference: &Ring, from: i64, heard: &[f32], rest: &mut [f32]) -> Option<()> {
        self.follow(reference, from)?;
        self.spectrum.fill(Complex::default());
        for (back, weights) in self.weights.iter().enumerate() {
            let reference = &self.reference[(self.newest + back) % PARTITIONS];
            for ((sum, x), w) in self.spectrum.iter_mut().zip(reference).zip(weights) {
                *sum += x * w;
            }
        }
        self.back_to_time()?;
        let scale = 1.0 / (self.frame * 2) as f32;
        for ((rest, heard), told) in rest.iter_mut().zip(heard).zip(&self.time[self.frame..]) {
            *rest = heard - told * scale;
        }
        self.time[..self.frame].fill(0.0);
        self.time[self.frame..].copy_from_slice(rest);
        self.forward.process_with_scratch(&mut self.time, &mut self.spectrum, &mut self.scratch).ok()?;
        self.learn();
        self.tidy()
    }

    /// Brings the spectra of the reference to this position: usually one more frame.
    fn follow(&mut self, reference: &Ring, from: i64) -> Option<()> {
        let end = from + self.frame as i64;
        let step = self.frame as i64;
        let missing = if end == self.newest_end.saturating_add(step) { 1 } else { PARTITIONS };
        for back in (0..missing).rev() {
            self.newest = (self.newest + PARTITIONS - 1) % PARTITIONS;
            reference.read(end - 2 * step - back as i64 * step, &mut self.time);
            let spectrum = &mut self.reference[self.newest];
            self.forward.process_with_scratch(&mut self.time, spectrum, &mut self.scratch).ok()?;
        }
        self.newest_end = end;
        Some(())
    }

    /// `spectrum` is of the error.
    fn learn(&mut self) {
        for (near, error) in self.near.iter_mut().zip(&self.spectrum) {
            let now = error.norm_sqr();
            *near = (*near * NEAR_KEPT + now * (1.0 - NEAR_KEPT)).max(NEAR_POWER_MIN);
        }
        self.power.fill(0.0);
        for (back, uncertainty) in self.uncertainty.iter().enumerate() {
            let reference = &self.reference[(self.newest + back) % PARTITIONS];
            for ((sum, x), p) in self.power.iter_mut().zip(reference).zip(uncertainty) {
                *sum += x.norm_sqr() * p;
            }
        }
        let (mut all, mut foreign) = (f32::MIN_POSITIVE, 0.0);
        for ((unsure, near), error) in self.power.iter_mut().zip(&self.near).zip(&self.spectrum) {
            let left = error.norm_sqr();
            all += left;
            foreign += (left - SUSPICION * *unsure).max(0.0);
            *unsure = 1.0 / (*unsure + 2.0 * near);
        }
        self.foreign = foreign / all;
        let steady = STEADINESS * STEADINESS;
        for (back, (weights, uncertainty)) in self.weights.iter_mut().zip(&mut self.uncertainty).enumerate() {
            let reference = &self.reference[(self.newest + back) % PARTITIONS];
            let terms = self.spectrum.iter().zip(&self.power);
            for (((w, p), x), (error, inverse)) in weights.iter_mut().zip(uncertainty).zip(reference).zip(terms) {
                let gain = *p * inverse;
                *w += x.conj() * error * gain;
                *p = steady * *p * (1.0 - 0.5 * gain * x.norm_sqr()) + (1.0 - steady) * w.norm_sqr();
            }
        }
    }

    /// Keeps one partition a filter of one frame: its second half, which wraps around, is wiped out.
    fn tidy(&mut self) -> Option<()> {
        let which = self.next_tidied;
        self.next_tidied = (which + 1) % PARTITIONS;
        self.spectrum.copy_from_slice(&self.weights[which]);
        self.back_to_time()?;
        let scale = 1.0 / (self.frame * 2) as f32;
        self.time[..self.frame].iter_mut().for_each(|value| *value *= scale);
        self.time[self.frame..].fill(0.0);
        self.forward.process_with_scratch(&mut self.time, &mut self.weights[which], &mut self.scratch).ok()
    }

    fn back_to_time(&mut self) -> Option<()> {
        // The ends of a real spectrum are real; rounding may have left them otherwise.
        if let [first, .., last] = &mut self.spectrum[..] {
            (first.im, last.im) = (0.0, 0.0);
        }
        self.inverse.process_with_scratch(&mut self.spectrum, &mut self.time, &mut self.scratch).ok()
    }
}
