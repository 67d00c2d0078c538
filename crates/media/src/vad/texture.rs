//! Telling tones and noise from voices. A tone keeps nearly all its energy in one or two narrow places that do not move;
//! noise spreads it evenly within every narrow band, whatever its colour; a voice has harmonics with gaps between them.

use crate::transform::plan;
use realfft::RealToComplex;
use realfft::num_complex::Complex;
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

/// Telephone speech, 190 to 3560 Hz, in bands of 375 Hz.
const BANDS: std::ops::Range<usize> = 6..114;
const BAND_BINS: usize = 12;
/// Noise measures 0.61 on average over a few frames and a voice below 0.5, where 1 is perfectly flat.
const FLATNESS_NOISE_MIN: f32 = 0.55;
/// Where the average starts: noise until the frames say otherwise.
const FLATNESS_START: f32 = 0.58;
/// The same within speech, whose soft frames are half noise.
const FLATNESS_NOISE_MIN_WITHIN: f32 = 0.59;
/// How much a frame counts in the average.
const FLATNESS_WEIGHT: f32 = 0.25;
/// The same for the first frames of a sound.
const FLATNESS_WEIGHT_FIRST: f32 = 0.4;
const FIRST_FRAMES: u8 = 4;
/// Quiet frames after which what comes next has nothing to do with what came before.
const PAUSE_FRAMES: u8 = 4;

/// What a window of audio is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// One or two steady tones.
    Tone,
    /// Noise, of any colour.
    Noise,
    /// Anything else, which may be a voice.
    Other,
}

/// Looks at the last 32 ms of a 16 kHz stream.
pub(super) struct Texture {
    fft: Arc<dyn RealToComplex<f32>>,
    shape: Vec<f32>,
    history: Vec<f32>,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
    last_hz: Option<f32>,
    steady: u8,
    flatness: f32,
    /// Frames of the present sound.
    heard: u8,
    quiet: u8,
}

impl Texture {
    pub(super) fn new() -> Self {
        let fft = plan(WINDOW).0;
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
            flatness: FLATNESS_START,
            heard: 0,
            quiet: 0,
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

    /// What the window is like, given the ones before it. Meant to be asked once a frame, while there is a signal.
    /// `is_within` says that there was a voice a moment ago.
    pub(super) fn look(&mut self, is_within: bool) -> Look {
        self.quiet = 0;
        if self.spectrum().is_none() {
            return Look::Other;
        }
        let weight = if self.heard < FIRST_FRAMES { FLATNESS_WEIGHT_FIRST } else { FLATNESS_WEIGHT };
        self.heard = self.heard.saturating_add(1);
        self.flatness += (self.band_flatness() - self.flatness) * weight;
        let noise_min = if is_within { FLATNESS_NOISE_MIN_WITHIN } else { FLATNESS_NOISE_MIN };
        if self.is_tone() {
            Look::Tone
        } else if self.flatness >= noise_min {
            Look::Noise
        } else {
            Look::Other
        }
    }

    /// There is no signal in this frame.
    pub(super) fn pause(&mut self) {
        self.last_hz = None;
        self.steady = 0;
        self.quiet = self.quiet.saturating_add(1);
        if self.quiet >= PAUSE_FRAMES {
            self.heard = 0;
            self.flatness = FLATNESS_START;
        }
    }

    fn is_tone(&mut self) -> bool {
        let Some((hz, is_pair)) = self.peaks() else {
            self.last_hz = None;
            self.steady = 0;
            return false;
        };
        let held = self.last_hz.is_some_and(|last| (last - hz).abs() <= DRIFT_HZ_MAX) || is_pair;
        self.steady = if held { self.steady.saturating_add(1) } else { 0 };
        self.last_hz = Some(hz);
        self.steady + 1 >= STEADY_FRAMES
    }

    /// Geometric over arithmetic mean of the power within each band, the louder bands counting more.
    fn band_flatness(&self) -> f32 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for band in self.power[BANDS].as_chunks::<BAND_BINS>().0 {
            let mean = band.iter().sum::<f32>() / BAND_BINS as f32 + f32::MIN_POSITIVE;
            let log = band.iter().map(|power| (power + f32::MIN_POSITIVE).ln()).sum::<f32>() / BAND_BINS as f32;
            let weight = mean.sqrt();
            sum += weight * log.exp() / mean;
            weights += weight;
        }
        sum / weights
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
        self.quiet = PAUSE_FRAMES;
        self.pause();
    }
}
