//! Sound as numbers: changing rates, levels, noises. All at 8 kHz unless said otherwise, samples between -1 and 1 as `f32`
//! or as 16-bit values.

use super::script::Dice;
use std::f64::consts::PI;

/// The phone's rate.
pub const RATE_HZ: f64 = 8_000.0;
/// Samples of a millisecond.
pub const SAMPLES_PER_MS: usize = 8;
/// How loud a caller's speech is while it lasts.
pub const CALLER_RMS: f64 = 2_600.0;
const HALF_WIDTH: f64 = 24.0;

/// At another rate, without what lies above `cutoff_hz`.
pub fn resample(pcm: &[f32], from_hz: f64, to_hz: f64, cutoff_hz: f64) -> Vec<f32> {
    let cutoff = (cutoff_hz / from_hz).min(0.5);
    let reach = HALF_WIDTH / (2.0 * cutoff);
    let length = (pcm.len() as f64 * to_hz / from_hz) as usize;
    (0..length)
        .map(|n| {
            let centre = n as f64 * from_hz / to_hz;
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor() as usize).min(pcm.len().saturating_sub(1));
            let sum: f64 = (first..=last)
                .map(|at| {
                    let x = at as f64 - centre;
                    let window = 0.5 + 0.5 * (PI * x / reach).cos();
                    f64::from(pcm.get(at).copied().unwrap_or(0.0)) * sinc(2.0 * cutoff * x) * window * 2.0 * cutoff
                })
                .sum();
            sum as f32
        })
        .collect()
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

pub fn rms(pcm: &[f32]) -> f64 {
    (pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len().max(1) as f64).sqrt()
}

/// Loudness of the parts in which something sounds.
pub fn active_rms(pcm: &[f32]) -> f64 {
    let frames: Vec<f64> = pcm.chunks(160).map(rms).collect();
    let loudest = frames.iter().copied().fold(0.0, f64::max);
    let active: Vec<f64> = frames.into_iter().filter(|frame| *frame > loudest / 10.0).collect();
    (active.iter().map(|frame| frame * frame).sum::<f64>() / active.len().max(1) as f64).sqrt()
}

/// Scaled so that the sounding parts have this loudness, as 16-bit values.
pub fn at_level(pcm: &[f32], level: f64) -> Vec<i16> {
    let gain = level / active_rms(pcm).max(1e-9);
    pcm.iter().map(|sample| (f64::from(*sample) * gain).clamp(-32_000.0, 32_000.0) as i16).collect()
}

/// Where sound begins and ends: 5 ms steps above a fiftieth of the loudest.
pub fn bounds(pcm: &[f32]) -> (usize, usize) {
    let step = 40;
    let frames: Vec<f64> = pcm.chunks(step).map(rms).collect();
    let loudest = frames.iter().copied().fold(0.0, f64::max);
    let sounds = |frame: &f64| *frame > loudest / 50.0;
    let first = frames.iter().position(sounds).unwrap_or(0);
    let last = frames.iter().rposition(sounds).map_or(0, |at| at + 1);
    (first * step, (last * step).min(pcm.len()))
}

/// The weakest place within so many samples of this one.
pub fn weakest(pcm: &[f32], at: usize, reach: usize) -> usize {
    let step = 40;
    let starts = (at.saturating_sub(reach)..=(at + reach).min(pcm.len().saturating_sub(step))).step_by(step);
    let level = |from: &usize| rms(&pcm[*from..*from + step]);
    starts.min_by(|a, b| level(a).total_cmp(&level(b))).map_or(at.min(pcm.len()), |from| from + step / 2)
}

/// Lets the sound begin and end without a click.
pub fn fade(pcm: &mut [f32], length: usize) {
    let (count, length) = (pcm.len(), length.min(pcm.len() / 2));
    for n in 0..length {
        let gain = n as f32 / length as f32;
        pcm[n] *= gain;
        pcm[count - 1 - n] *= gain;
    }
}

/// One pole of a low-pass.
fn low_pass(pcm: &mut [f32], cutoff_hz: f64) {
    let share = 1.0 - (-2.0 * PI * cutoff_hz / RATE_HZ).exp();
    let mut state = 0.0;
    for sample in pcm {
        state += share * (f64::from(*sample) - state);
        *sample = state as f32;
    }
}

fn high_pass(pcm: &mut [f32], cutoff_hz: f64) {
    let mut low = pcm.to_vec();
    low_pass(&mut low, cutoff_hz);
    pcm.iter_mut().zip(low).for_each(|(sample, low)| *sample -= low);
}

fn white(dice: &mut Dice, samples: usize) -> Vec<f32> {
    (0..samples).map(|_| dice.noise() as f32).collect()
}

/// A background of this kind. `voices` are what a babble is made of.
pub fn background(kind: &str, voices: &[Vec<f32>], dice: &mut Dice, secs: usize) -> Vec<f32> {
    let samples = secs * RATE_HZ as usize;
    match kind {
        "car" => {
            let mut hum = white(dice, samples);
            low_pass(&mut hum, 220.0);
            low_pass(&mut hum, 400.0);
            hum.iter_mut().enumerate().for_each(|(n, sample)| {
                let t = n as f64 / RATE_HZ;
                *sample += (0.02 * (2.0 * PI * 47.0 * t).sin()) as f32;
            });
            hum
        }
        "babble" => {
            let mut mix = vec![0.0; samples];
            for voice in voices.iter().filter(|voice| !voice.is_empty()) {
                let shift = dice.below(voice.len());
                let gain = 0.6 + 0.4 * dice.noise().abs();
                for (n, sample) in mix.iter_mut().enumerate() {
                    *sample += voice[(n + shift) % voice.len()] * gain as f32;
                }
            }
            mix
        }
        "street" => {
            let mut steady = white(dice, samples);
            low_pass(&mut steady, 900.0);
            let beats = [0.11, 0.23, 0.071];
            steady.iter_mut().enumerate().for_each(|(n, sample)| {
                let t = n as f64 / RATE_HZ;
                let swell: f64 = beats.iter().map(|hz| (2.0 * PI * hz * t).sin()).sum();
                *sample *= (1.0 + 0.25 * swell) as f32;
            });
            steady
        }
        _ => white(dice, samples),
    }
}

/// A cough: two short bursts of rough noise.
pub fn cough(dice: &mut Dice) -> Vec<f32> {
    let burst = |dice: &mut Dice, ms: usize| {
        let mut pcm = white(dice, ms * SAMPLES_PER_MS);
        high_pass(&mut pcm, 300.0);
        low_pass(&mut pcm, 1_800.0);
        let length = pcm.len() as f64;
        pcm.iter_mut().enumerate().for_each(|(n, sample)| {
            let x = n as f64 / length;
            let envelope = (x * 25.0).min(1.0) * (-3.5 * x).exp();
            let rough = 0.7 + 0.3 * (2.0 * PI * 110.0 * n as f64 / RATE_HZ).sin();
            *sample *= (envelope * rough) as f32;
        });
        pcm
    };
    let mut pcm = burst(dice, 260);
    pcm.extend(vec![0.0; 120 * SAMPLES_PER_MS]);
    pcm.extend(burst(dice, 320));
    pcm
}

/// Something falls, a door, a chair: one of three.
pub fn thump(dice: &mut Dice) -> Vec<f32> {
    let (cutoff_hz, ms, decay) = [(180.0, 400, 6.0), (2_500.0, 220, 9.0), (700.0, 600, 4.0)][dice.below(3)];
    let mut pcm = white(dice, ms * SAMPLES_PER_MS);
    low_pass(&mut pcm, cutoff_hz);
    let length = pcm.len() as f64;
    pcm.iter_mut().enumerate().for_each(|(n, sample)| *sample *= (-decay * n as f64 / length).exp() as f32);
    pcm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_level_below_the_cutoff_and_is_gone_above() {
        let tone = |hz: f64| -> Vec<f32> {
            (0..24_000).map(|n| (2.0 * PI * hz * f64::from(n) / 24_000.0).sin() as f32).collect()
        };
        let kept = resample(&tone(1_000.0), 24_000.0, 8_000.0, 2_600.0);
        assert_eq!(kept.len(), 8_000);
        assert!((rms(&kept[1_000..7_000]) - 0.707).abs() < 0.02);
        assert!(rms(&resample(&tone(3_400.0), 24_000.0, 8_000.0, 2_600.0)[1_000..7_000]) < 0.01);
    }
}
