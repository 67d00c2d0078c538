//! How long the agent's voice takes to come back: the peak of a normalised cross-correlation.

use super::DELAY_MS_MAX;
use super::ring::Ring;
use crate::ms_to_samples;
use crate::transform::plan;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealToComplex};
use std::cell::RefCell;
use std::sync::Arc;

/// Voices are compared at this rate: the echo of a telephone has nothing above its Nyquist frequency that would tell more.
const SEARCH_HZ: u32 = 4_000;
/// How much of the caller's side is compared.
const WINDOW_MS: u64 = 128;
/// A reference quieter than this (mean square, full scale 1) explains nothing.
const REFERENCE_POWER_MIN: f32 = 1e-6;

/// Where the caller's side resembles the agent's most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Peak {
    /// How much later the caller's side has it, in samples.
    pub(super) delay: u64,
    /// How much of it: the correlation coefficient there, 0 to 1.
    pub(super) likeness: f32,
    /// How strong it comes back, as a ratio of amplitudes; negative where it comes back inverted.
    pub(super) gain: f32,
}

pub(super) struct Search {
    /// Samples of the stream per sample compared.
    factor: usize,
    window: usize,
    lags: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

/// What a search works in. Nothing in it outlives a search, so that one serves all calls of a thread: it is a hundred
/// kilobytes, and a call searches some times a second.
#[derive(Default)]
struct Room {
    wide: Vec<f32>,
    reference: Vec<f32>,
    heard: Vec<f32>,
    padded: Vec<f32>,
    reference_spectrum: Vec<Complex<f32>>,
    heard_spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

impl Search {
    pub(super) fn new(rate_hz: u32) -> Self {
        let factor = (rate_hz / SEARCH_HZ).max(1) as usize;
        let hz = rate_hz / factor as u32;
        let window = ms_to_samples(WINDOW_MS, hz) as usize;
        let lags = ms_to_samples(DELAY_MS_MAX, hz) as usize + 1;
        // Five times a power of two is a quick length and wastes little.
        let size = [5_usize, 8].map(|odd| {
            let mut size = odd;
            while size < window + lags {
                size *= 2;
            }
            size
        });
        let (forward, inverse) = plan(size[0].min(size[1]));
        Self { factor, window, lags, forward, inverse }
    }

    /// Compares what was heard last, up to position `now` of both streams. `None` where one of them is silent.
    pub(super) fn run(&self, reference: &Ring, heard: &Ring, now: u64) -> Option<Peak> {
        ROOM.with_borrow_mut(|room| {
            room.fit(self);
            self.run_in(room, reference, heard, now)
        })
    }

    fn run_in(&self, room: &mut Room, reference: &Ring, heard: &Ring, now: u64) -> Option<Peak> {
        let (lags, window) = (self.lags, self.window);
        let first = now as i64 - ((window + lags - 1) * self.factor) as i64;
        thin(reference, first, self.factor, &mut room.wide, &mut room.reference);
        let first = now as i64 - (window * self.factor) as i64;
        thin(heard, first, self.factor, &mut room.wide, &mut room.heard);
        let heard_power: f32 = room.heard.iter().map(|value| value * value).sum();
        if heard_power <= f32::MIN_POSITIVE {
            return None;
        }
        self.correlate(room)?;
        let least = REFERENCE_POWER_MIN * window as f32;
        let mut power: f32 = room.reference[..window].iter().map(|value| value * value).sum();
        let scale = 1.0 / room.padded.len() as f32;
        let (mut best, mut best_lag, mut gain) = (0.0_f32, 0, 0.0);
        for lag in 0..lags {
            if power > least {
                let score = room.padded[lag] * room.padded[lag] / power;
                if score > best {
                    (best, best_lag, gain) = (score, lag, room.padded[lag] * scale / power);
                }
            }
            let leaving = room.reference[lag];
            let entering = room.reference.get(lag + window).copied().unwrap_or(0.0);
            power += entering * entering - leaving * leaving;
        }
        let likeness = (best.sqrt() * scale / heard_power.sqrt()).min(1.0);
        (best > 0.0).then(|| Peak { delay: ((lags - 1 - best_lag) * self.factor) as u64, likeness, gain })
    }

    /// Leaves the correlation at every lag, unscaled, in `padded`.
    fn correlate(&self, room: &mut Room) -> Option<()> {
        let Room { reference, heard, padded, reference_spectrum, heard_spectrum, scratch, .. } = room;
        padded.fill(0.0);
        padded[..reference.len()].copy_from_slice(reference);
        self.forward.process_with_scratch(padded, reference_spectrum, scratch).ok()?;
        padded.fill(0.0);
        padded[..heard.len()].copy_from_slice(heard);
        self.forward.process_with_scratch(padded, heard_spectrum, scratch).ok()?;
        for (heard, reference) in heard_spectrum.iter_mut().zip(reference_spectrum) {
            *heard = heard.conj() * *reference;
        }
        // The ends of a real spectrum are real; rounding may have left them otherwise.
        if let [first, .., last] = &mut heard_spectrum[..] {
            (first.im, last.im) = (0.0, 0.0);
        }
        self.inverse.process_with_scratch(heard_spectrum, padded, scratch).ok()
    }
}

impl Room {
    /// Makes it as large as this search wants it; calls of one rate want the same.
    fn fit(&mut self, search: &Search) {
        let (size, bins) = (search.forward.len(), search.forward.complex_len());
        let span = search.window + search.lags;
        self.wide.resize((span + 1) * search.factor, 0.0);
        self.reference.resize(span - 1, 0.0);
        self.heard.resize(search.window, 0.0);
        self.padded.resize(size, 0.0);
        self.reference_spectrum.resize(bins, Complex::default());
        self.heard_spectrum.resize(bins, Complex::default());
        let scratch = search.forward.get_scratch_len().max(search.inverse.get_scratch_len());
        self.scratch.resize(scratch, Complex::default());
    }
}

/// Reads a stream at a lower rate and takes differences, which brings its high frequencies up to its low ones: the flatter
/// a spectrum, the sharper its peak.
fn thin(ring: &Ring, first: i64, factor: usize, wide: &mut [f32], out: &mut [f32]) {
    let wide = &mut wide[..(out.len() + 1) * factor];
    ring.read(first - factor as i64, wide);
    let mut sums = wide.chunks_exact(factor).map(|group| group.iter().sum::<f32>() / factor as f32);
    let mut last = sums.next().unwrap_or(0.0);
    for (value, sum) in out.iter_mut().zip(sums) {
        *value = sum - last;
        last = sum;
    }
}
