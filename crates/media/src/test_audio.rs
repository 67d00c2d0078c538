//! Sounds for tests: something like voices, noise, a telephone.

use crate::g711::Law;
use crate::tone::ComfortNoise;
use crate::{level, ms_to_samples};
use std::f64::consts::{PI, TAU};

/// A speaker that differs from others in pitch, tempo and vowels.
#[derive(Clone, Copy)]
pub(crate) struct Speaker {
    pub(crate) pitch_hz: f64,
    pub(crate) syllables_per_s: f64,
    pub(crate) vowels: f64,
}

pub(crate) const CALLER: Speaker = Speaker { pitch_hz: 130.0, syllables_per_s: 4.0, vowels: 1.0 };
pub(crate) const AGENT: Speaker = Speaker { pitch_hz: 205.0, syllables_per_s: 5.3, vowels: 1.17 };

/// Something like a voice: a gliding pitch with its harmonics through three moving resonances, in syllables.
pub(crate) fn voice(rate: u32, ms: u64, dbfs: f32) -> Vec<i16> {
    speak(CALLER, rate, ms, dbfs)
}

pub(crate) fn speak(speaker: Speaker, rate: u32, ms: u64, dbfs: f32) -> Vec<i16> {
    let samples = ms_to_samples(ms, rate) as usize;
    let Speaker { pitch_hz, syllables_per_s, vowels } = speaker;
    let mut phase = 0.0_f64;
    let raw: Vec<f64> = (0..samples)
        .map(|n| {
            let t = n as f64 / f64::from(rate);
            let pitch = pitch_hz + 0.19 * pitch_hz * (2.3 * t * TAU).sin() + 4.0 * (5.1 * t * TAU).sin();
            phase += pitch / f64::from(rate);
            let syllable = (syllables_per_s * t * PI).sin().abs().sqrt();
            let formants = [
                ((550.0 + 200.0 * (3.1 * t * TAU).sin()) * vowels, 90.0, 1.0),
                ((1_500.0 + 450.0 * (2.2 * t * TAU).cos()) * vowels, 120.0, 0.5),
                ((2_500.0 + 150.0 * (1.3 * t * TAU).sin()) * vowels, 180.0, 0.25),
            ];
            let mut sum = 0.0;
            for harmonic in 1..=28 {
                let hz = pitch * f64::from(harmonic);
                if hz < f64::from(rate) * 0.42 {
                    let gain: f64 =
                        formants.iter().map(|(at, width, gain)| gain / (1.0 + ((hz - at) / width).powi(2))).sum();
                    sum += gain * (phase * f64::from(harmonic) * TAU).sin();
                }
            }
            sum * syllable
        })
        .collect();
    let rms = (raw.iter().map(|value| value * value).sum::<f64>() / samples as f64).sqrt();
    let gain = f64::from(level::amplitude(dbfs)) * 32_768.0 / rms;
    raw.iter().map(|value| (value * gain) as i16).collect()
}

pub(crate) fn noise(rate: u32, ms: u64, dbfs: f32) -> Vec<i16> {
    let mut pcm = vec![0; ms_to_samples(ms, rate) as usize];
    ComfortNoise::new(dbfs, 11).fill(&mut pcm);
    pcm
}

pub(crate) fn silence(rate: u32, ms: u64) -> Vec<i16> {
    vec![0; ms_to_samples(ms, rate) as usize]
}

pub(crate) fn mix(mut a: Vec<i16>, b: &[i16]) -> Vec<i16> {
    a.iter_mut().zip(b).for_each(|(a, b)| *a = a.saturating_add(*b));
    a
}

/// What comes back of this: through a small loudspeaker and a room, `db` down, `delay_ms` later.
pub(crate) fn come_back(rate: u32, played: &[i16], delay_ms: u64, db: f32) -> Vec<i16> {
    let taps: [(f64, f64); 6] = [(0.0, 1.0), (0.5, 0.55), (1.25, -0.4), (4.0, 0.25), (9.0, -0.18), (17.0, 0.1)];
    let scale = f64::from(level::amplitude(db)) / taps.iter().map(|(_, gain)| gain * gain).sum::<f64>().sqrt();
    let delay = ms_to_samples(delay_ms, rate) as usize;
    let at = |n: usize, ms: f64| {
        let back = delay + (ms * f64::from(rate) / 1_000.0) as usize;
        n.checked_sub(back).map_or(0.0, |n| f64::from(played[n]))
    };
    (0..played.len()).map(|n| (taps.iter().map(|(ms, gain)| at(n, *ms) * gain).sum::<f64>() * scale) as i16).collect()
}

/// Through the codec of a telephone line.
pub(crate) fn telephone(pcm: &[i16]) -> Vec<i16> {
    let (mut bytes, mut out) = (Vec::new(), Vec::new());
    Law::Ulaw.encode(pcm, &mut bytes);
    Law::Ulaw.decode(&bytes, &mut out);
    out
}

/// Something like a cough: a burst and a hoarse tail.
pub(crate) fn cough(rate: u32, ms: u64, dbfs: f32) -> Vec<i16> {
    let mut pcm = noise(rate, ms, dbfs);
    let whole = pcm.len() as f32;
    let mut last = 0.0_f32;
    for (n, sample) in pcm.iter_mut().enumerate() {
        let at = n as f32 / whole;
        let shape = if at < 0.15 { 1.8 } else { 1.2 * (1.0 - at).sqrt() };
        let buzz = (1.0 + (n as f32 * std::f32::consts::TAU * 160.0 / rate as f32).sin()) * 0.5;
        last = 0.5 * last + f32::from(*sample) * shape * (0.4 + buzz);
        *sample = last as i16;
    }
    pcm
}
