//! Something that a voice detector takes for a voice: a gliding pitch whose harmonics pass through moving resonances.

use std::f64::consts::{PI, TAU};

const RATE_HZ: f64 = 8_000.0;
const LOUDNESS_RMS: f64 = 2_600.0;
const HARMONICS: u32 = 26;

/// A burst of this length at 8 kHz that begins and ends abruptly, so that its end is a moment.
pub fn burst(ms: u32) -> Vec<i16> {
    let samples = (f64::from(ms) * RATE_HZ / 1_000.0) as u32;
    let mut phase = 0.0;
    let raw: Vec<f64> = (0..samples)
        .map(|n| {
            let t = f64::from(n) / RATE_HZ;
            let pitch_hz = 125.0 + 22.0 * (2.1 * t * TAU).sin() + 5.0 * (4.7 * t * TAU).sin();
            phase += pitch_hz / RATE_HZ;
            let syllable = 0.35 + 0.65 * (3.5 * t * PI).sin().abs().sqrt();
            (1..=HARMONICS)
                .map(f64::from)
                .filter(|k| k * pitch_hz < 3_400.0)
                .map(|k| gain(k * pitch_hz, t) * (phase * k * TAU).sin())
                .sum::<f64>()
                * syllable
        })
        .collect();
    let rms = (raw.iter().map(|sample| sample * sample).sum::<f64>() / raw.len().max(1) as f64).sqrt();
    raw.iter().map(|sample| (sample * LOUDNESS_RMS / rms.max(f64::MIN_POSITIVE)) as i16).collect()
}

/// How loud a harmonic at `hz` is at time `t`: three resonances that move as a mouth does.
fn gain(hz: f64, t: f64) -> f64 {
    let resonances = [
        (560.0 + 190.0 * (3.0 * t * TAU).sin(), 90.0, 1.0),
        (1_480.0 + 430.0 * (2.3 * t * TAU).cos(), 120.0, 0.5),
        (2_520.0 + 160.0 * (1.2 * t * TAU).sin(), 180.0, 0.25),
    ];
    resonances.iter().map(|(at, width, loud): &(f64, f64, f64)| loud / (1.0 + ((hz - at) / width).powi(2))).sum()
}

#[cfg(test)]
mod tests {
    use super::burst;

    #[test]
    fn a_burst_is_loud_to_its_end() {
        let pcm = burst(1_200);
        assert_eq!(pcm.len(), 9_600);
        for frame in [&pcm[..160], &pcm[9_440..]] {
            assert!(frame.iter().any(|sample| sample.unsigned_abs() > 500), "a quiet edge");
        }
    }
}
