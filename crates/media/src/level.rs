//! How loud audio is.

/// What digital silence is said to measure, so that no level is infinite.
pub const SILENCE_DBFS: f32 = -100.0;

/// Decibels relative to full scale of a linear amplitude (1.0 is full scale); at least [`SILENCE_DBFS`].
pub fn dbfs(amplitude: f32) -> f32 {
    if amplitude <= 1e-5 { SILENCE_DBFS } else { 20.0 * amplitude.log10() }
}

/// Linear amplitude (1.0 is full scale) of decibels relative to full scale.
pub fn amplitude(dbfs: f32) -> f32 {
    10.0_f32.powf(dbfs / 20.0)
}

/// Root mean square of the samples, in dBFS. A full-scale sine measures -3 dBFS.
pub fn rms_dbfs(pcm: &[i16]) -> f32 {
    if pcm.is_empty() {
        return SILENCE_DBFS;
    }
    dbfs((energy(pcm) as f64 / pcm.len() as f64).sqrt() as f32 / 32_768.0)
}

fn energy(pcm: &[i16]) -> u64 {
    pcm.iter().map(|&sample| u64::from(i32::from(sample).unsigned_abs().pow(2))).sum()
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Root mean square, dBFS.
    pub rms_dbfs: f32,
    /// Largest sample, dBFS.
    pub peak_dbfs: f32,
    /// Samples at either end of the scale.
    pub clipped: u32,
}

/// Measures frames and keeps the totals of a call.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    energy: u64,
    samples: u64,
    peak: u32,
    clipped: u64,
}

impl Meter {
    /// Measures one frame and adds it to the totals.
    pub fn push(&mut self, pcm: &[i16]) -> Level {
        let mut peak = 0;
        let mut clipped = 0;
        for &sample in pcm {
            peak = peak.max(u32::from(sample.unsigned_abs()));
            clipped += u32::from(sample == i16::MAX || sample == i16::MIN);
        }
        self.energy = self.energy.saturating_add(energy(pcm));
        self.samples += pcm.len() as u64;
        self.peak = self.peak.max(peak);
        self.clipped += u64::from(clipped);
        Level { rms_dbfs: rms_dbfs(pcm), peak_dbfs: dbfs(peak as f32 / 32_768.0), clipped }
    }

    /// The level of everything since construction.
    pub fn total(&self) -> Level {
        let mean = if self.samples == 0 { 0.0 } else { self.energy as f64 / self.samples as f64 };
        Level {
            rms_dbfs: dbfs(mean.sqrt() as f32 / 32_768.0),
            peak_dbfs: dbfs(self.peak as f32 / 32_768.0),
            clipped: u32::try_from(self.clipped).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_scale_square_wave_is_zero_dbfs_and_clips() {
        let mut meter = Meter::default();
        let level = meter.push(&[i16::MAX, i16::MIN, i16::MAX, i16::MIN]);
        assert!(level.rms_dbfs.abs() < 0.01 && level.peak_dbfs.abs() < 0.01);
        assert_eq!(level.clipped, 4);
        assert_eq!(meter.total().clipped, 4);
    }

    #[test]
    fn silence_and_nothing_measure_the_floor() {
        assert_eq!(rms_dbfs(&[]), SILENCE_DBFS);
        assert_eq!(Meter::default().push(&[0; 160]).rms_dbfs, SILENCE_DBFS);
        assert_eq!(Meter::default().total().peak_dbfs, SILENCE_DBFS);
    }

    #[test]
    fn half_scale_is_six_decibels_down() {
        assert!((rms_dbfs(&[16_384; 100]) + 6.02).abs() < 0.01);
        assert!((amplitude(-6.0206) - 0.5).abs() < 1e-4);
    }
}
