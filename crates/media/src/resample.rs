//! Streaming sample rate conversion.
//!
//! A polyphase windowed-sinc filter with an exact rational position, so that nothing drifts over a call. The filter
//! spans 24 zero crossings (Kaiser window, 60 dB): 48 taps between 8 and 16 kHz, a delay of 12 samples of the lower rate
//! (1.5 ms at 8 kHz, 0.75 ms at 16 kHz). The pass band ends at 0.85 of the lower Nyquist frequency (3.4 kHz at 8 kHz,
//! where telephone speech ends), the stop band begins at 1.15 of it.

use crate::to_sample;
use std::f64::consts::PI;

/// Lowest rate that is converted.
pub const RATE_HZ_MIN: u32 = 4_000;
/// Highest rate that is converted.
pub const RATE_HZ_MAX: u32 = 192_000;

const ZERO_CROSSINGS: usize = 24;
const KAISER_BETA: f64 = 5.65;
/// Beyond this many phases a table is interpolated instead of exact.
const PHASES_MAX: u64 = 640;
const PHASES_INTERPOLATED: usize = 512;
const BLOCK_SAMPLES: usize = 1_024;
const LANES: usize = 8;

/// A pair of rates that cannot be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot convert {from_hz} Hz to {to_hz} Hz: rates go from 4000 to 192000 Hz")]
pub struct RateError {
    /// Rate of the input.
    pub from_hz: u32,
    /// Rate asked for.
    pub to_hz: u32,
}

/// Converts one mono stream. The output does not depend on how the input was cut into chunks.
#[derive(Clone, Debug)]
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    /// The ratio in lowest terms: `up / down` output samples per input sample.
    up: u64,
    down: u64,
    /// Taps of every phase, one after the other; one phase more than `phases` when interpolated.
    table: Vec<f32>,
    taps: usize,
    phases: usize,
    interpolated: bool,
    /// The last `taps - 1` inputs, then the block at work.
    window: Vec<f32>,
    /// Position of the next output after the first sample of the next block, in input samples times `up`.
    position: u64,
}

impl Resampler {
    /// A converter between two rates from [`RATE_HZ_MIN`] to [`RATE_HZ_MAX`]. Equal rates copy.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, RateError> {
        let allowed = RATE_HZ_MIN..=RATE_HZ_MAX;
        if !allowed.contains(&from_hz) || !allowed.contains(&to_hz) {
            return Err(RateError { from_hz, to_hz });
        }
        let common = gcd(u64::from(from_hz), u64::from(to_hz));
        let (up, down) = (u64::from(to_hz) / common, u64::from(from_hz) / common);
        let interpolated = up > PHASES_MAX;
        let phases = if interpolated { PHASES_INTERPOLATED } else { up as usize };
        // In input samples: the filter is as long in time as its cut-off is low.
        let span = (ZERO_CROSSINGS as f64 * (f64::from(from_hz) / f64::from(to_hz)).max(1.0)).ceil() as usize;
        let taps = span.next_multiple_of(LANES);
        let cutoff = (f64::from(to_hz) / f64::from(from_hz)).min(1.0);
        let table = if up == down {
            Vec::new()
        } else {
            design(phases + usize::from(interpolated), phases, taps, span, cutoff)
        };
        let mut window = Vec::with_capacity(taps - 1 + BLOCK_SAMPLES);
        window.resize(taps - 1, 0.0);
        Ok(Self { from_hz, to_hz, up, down, table, taps, phases, interpolated, window, position: 0 })
    }

    /// Rate of the input.
    pub fn from_hz(&self) -> u32 {
        self.from_hz
    }

    /// Rate of the output.
    pub fn to_hz(&self) -> u32 {
        self.to_hz
    }

    /// How much later than the input the output is, in input samples.
    pub fn delay_samples(&self) -> usize {
        if self.up == self.down { 0 } else { self.taps / 2 }
    }

    /// Takes input and appends output. After `n` samples in total exactly `ceil(n * to_hz / from_hz)` have come out, so a
    /// 20 ms frame of a usual rate gives a 20 ms frame. The output begins with the filter's delay as silence.
    pub fn process(&mut self, input: &[i16], out: &mut Vec<i16>) {
        if self.up == self.down {
            out.extend_from_slice(input);
            return;
        }
        for block in input.chunks(BLOCK_SAMPLES) {
            self.window.extend(block.iter().map(|&sample| f32::from(sample)));
            self.convert(block.len(), out);
        }
    }

    /// Appends the rest of what was put in, which the filter still holds, and starts afresh.
    pub fn flush(&mut self, out: &mut Vec<i16>) {
        let silence = [0; 64];
        let mut left = self.delay_samples();
        while left > 0 {
            let take = left.min(silence.len());
            self.process(&silence[..take], out);
            left -= take;
        }
        self.reset();
    }

    /// Forgets the stream, for the next one.
    pub fn reset(&mut self) {
        self.window.clear();
        self.window.resize(self.taps - 1, 0.0);
        self.position = 0;
    }

    fn convert(&mut self, fresh: usize, out: &mut Vec<i16>) {
        // A division for every sample would take longer than the filter.
        let (mut index, mut phase) = ((self.position / self.up) as usize, self.position % self.up);
        let (whole, part) = ((self.down / self.up) as usize, self.down % self.up);
        while index < fresh {
            let inputs = &self.window[index..index + self.taps];
            let value = if self.interpolated {
                let exact = phase as f32 * self.phases as f32 / self.up as f32;
                let row = (exact as usize).min(self.phases - 1);
                let (low, high) = (dot(inputs, self.row(row)), dot(inputs, self.row(row + 1)));
                low + (high - low) * (exact - row as f32)
            } else {
                dot(inputs, self.row(phase as usize))
            };
            out.push(to_sample(value));
            (index, phase) = (index + whole, phase + part);
            if phase >= self.up {
                (index, phase) = (index + 1, phase - self.up);
            }
        }
        self.position = (index - fresh) as u64 * self.up + phase;
        self.window.copy_within(fresh.., 0);
        self.window.truncate(self.taps - 1);
    }

    fn row(&self, phase: usize) -> &[f32] {
        &self.table[phase * self.taps..(phase + 1) * self.taps]
    }
}

/// A dot product whose order of summation is fixed, in lanes that the compiler turns into vector instructions. Inlined
/// into its loop it is left scalar, at several times the cost.
#[inline(never)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

/// Rows of taps: row `r` is the filter for an output `r / phases` after an input sample. Each row sums to one, so that a
/// constant stays exactly constant. `span` and `cutoff` are in input samples and of the input's Nyquist frequency.
fn design(rows: usize, phases: usize, taps: usize, span: usize, cutoff: f64) -> Vec<f32> {
    let half = span as f64 / 2.0;
    let mut table = Vec::with_capacity(rows * taps);
    let mut row = vec![0.0_f64; taps];
    for phase in 0..rows {
        let fraction = phase as f64 / phases as f64;
        for (tap, value) in row.iter_mut().enumerate() {
            // The oldest input comes first and the filter's middle lies `taps / 2` before the newest.
            let at = taps as f64 / 2.0 - 1.0 + fraction - tap as f64;
            let inside = 1.0 - (at / half).powi(2);
            *value = if inside <= 0.0 { 0.0 } else { sinc(cutoff * at) * bessel_i0(KAISER_BETA * inside.sqrt()) };
        }
        let sum: f64 = row.iter().sum();
        table.extend(row.iter().map(|&value| (value / sum) as f32));
    }
    table
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Modified Bessel function of the first kind, order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
        if term < sum * 1e-12 {
            break;
        }
    }
    sum
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAIRS: [(u32, u32); 16] = [
        (8_000, 16_000),
        (16_000, 8_000),
        (24_000, 8_000),
        (24_000, 16_000),
        (22_050, 8_000),
        (22_050, 16_000),
        (44_100, 8_000),
        (44_100, 16_000),
        (48_000, 8_000),
        (48_000, 16_000),
        (8_000, 24_000),
        (16_000, 24_000),
        (16_000, 48_000),
        (8_000, 48_000),
        (8_000, 44_100),
        (44_101, 8_000),
    ];

    fn sine(rate: u32, hz: f64, amplitude: f64, samples: usize) -> Vec<i16> {
        (0..samples).map(|n| (amplitude * (2.0 * PI * hz * n as f64 / f64::from(rate)).sin()).round() as i16).collect()
    }

    fn convert(from: u32, to: u32, pcm: &[i16]) -> Vec<i16> {
        let mut out = Vec::new();
        Resampler::new(from, to).unwrap().process(pcm, &mut out);
        out
    }

    /// Amplitude of one frequency (whole periods fit), and root mean square of everything else.
    fn fit(pcm: &[i16], rate: u32, hz: f64) -> (f64, f64) {
        let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
        for (n, &sample) in pcm.iter().enumerate() {
            let angle = 2.0 * PI * hz * n as f64 / f64::from(rate);
            re += f64::from(sample) * angle.cos();
            im += f64::from(sample) * angle.sin();
            energy += f64::from(sample).powi(2);
        }
        let count = pcm.len() as f64;
        let amplitude = 2.0 * (re * re + im * im).sqrt() / count;
        (amplitude, (energy / count - amplitude * amplitude / 2.0).max(0.0).sqrt())
    }

    #[test]
    fn speech_band_tones_keep_frequency_and_loudness() {
        for (from, to) in PAIRS {
            for hz in [300.0, 1_000.0, 2_000.0, 3_400.0] {
                let out = convert(from, to, &sine(from, hz, 10_000.0, from as usize));
                let (amplitude, rest) = fit(&out[to as usize / 2..to as usize], to, hz);
                assert!((amplitude / 10_000.0 - 1.0).abs() < 0.03, "{from}->{to} {hz} Hz: {amplitude}");
                assert!(rest < 20.0, "{from}->{to} {hz} Hz: distortion {rest}");
            }
        }
    }

    #[test]
    fn tones_above_the_new_band_do_not_fold_back() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
            for factor in [1.16, 1.3, 1.6, 1.95] {
                let hz = f64::from(to) / 2.0 * factor;
                if hz < f64::from(from) / 2.0 {
                    let out = convert(from, to, &sine(from, hz, 20_000.0, from as usize));
                    let (_, left) = fit(&out[to as usize / 2..to as usize], to, 1.0);
                    assert!(left < 20_000.0 / 2_f64.sqrt() / 316.0, "{from}->{to} {hz} Hz: {left}");
                }
            }
        }
    }

    #[test]
    fn upsampling_leaves_no_image() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| from < to) {
            let out = convert(from, to, &sine(from, 3_000.0, 20_000.0, from as usize));
            let (amplitude, rest) = fit(&out[to as usize / 2..to as usize], to, 3_000.0);
            assert!(rest < amplitude / 2_f64.sqrt() / 316.0, "{from}->{to}: {rest}");
        }
    }

    #[test]
    fn sample_count_never_drifts_over_uneven_frames() {
        for (from, to) in [(8_000, 16_000), (44_100, 16_000), (22_050, 8_000), (16_000, 8_000)] {
            let mut resampler = Resampler::new(from, to).unwrap();
            let (mut taken, mut given) = (0_u64, 0_u64);
            let mut out = Vec::new();
            let frame = vec![0_i16; from as usize / 2 + 1];
            for _ in 0..40 {
                out.clear();
                resampler.process(&frame, &mut out);
                taken += frame.len() as u64;
                given += out.len() as u64;
                assert_eq!(given, (taken * u64::from(to)).div_ceil(u64::from(from)));
            }
        }
    }

    #[test]
    fn telephone_frames_map_to_whole_frames_from_the_first() {
        let mut resampler = Resampler::new(8_000, 16_000).unwrap();
        for _ in 0..5 {
            let mut out = Vec::new();
            resampler.process(&[100; 160], &mut out);
            assert_eq!(out.len(), 320);
        }
        assert_eq!(resampler.delay_samples(), 12);
    }

    #[test]
    fn flush_gives_the_end_of_the_stream() {
        for (from, to) in PAIRS {
            let mut resampler = Resampler::new(from, to).unwrap();
            let mut pcm = vec![0; from as usize / 10];
            *pcm.last_mut().unwrap() = 20_000;
            let mut out = Vec::new();
            resampler.process(&pcm, &mut out);
            let before = out.len();
            resampler.flush(&mut out);
            let peak = (0..out.len()).max_by_key(|&n| out[n]).unwrap();
            assert!(peak + 2 >= before, "{from}->{to}: the last sample is heard only after the flush");
            let delay = resampler.delay_samples() as f64 * f64::from(to) / f64::from(from);
            assert!((out.len() as f64 - before as f64 - delay).abs() <= 2.0);
        }
    }

    #[test]
    fn loud_steps_clip_instead_of_wrapping() {
        let mut pcm = vec![i16::MIN; 400];
        pcm.extend([i16::MAX; 400]);
        let out = convert(8_000, 16_000, &pcm);
        assert!(out[900..].iter().all(|&sample| sample > 25_000));
    }

    #[test]
    fn senseless_rates_are_refused() {
        assert!(Resampler::new(0, 8_000).is_err());
        assert!(Resampler::new(8_000, 1_000_000).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_split_of_the_input_gives_the_same_output(
            pair in 0..PAIRS.len(),
            pcm in prop::collection::vec(any::<i16>(), 1..3_000),
            cuts in prop::collection::vec(0usize..700, 1..12),
        ) {
            let (from, to) = PAIRS[pair];
            let mut whole = Vec::new();
            let mut resampler = Resampler::new(from, to).unwrap();
            resampler.process(&pcm, &mut whole);
            resampler.flush(&mut whole);
            let mut parts = Vec::new();
            let mut rest = &pcm[..];
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                resampler.process(head, &mut parts);
                rest = tail;
            }
            resampler.process(rest, &mut parts);
            resampler.flush(&mut parts);
            prop_assert_eq!(whole, parts);
        }
    }
}
