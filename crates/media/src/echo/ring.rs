//! The last seconds of a stream, by position.

/// Samples of a stream that never ends, the last of them kept. Positions count samples from its beginning.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    kept: Vec<i16>,
    mask: u64,
    end: u64,
}

impl Ring {
    /// Keeps at least this many samples.
    pub(super) fn new(samples: usize) -> Self {
        let size = samples.next_power_of_two();
        Self { kept: vec![0; size], mask: size as u64 - 1, end: 0 }
    }

    /// After the last sample written.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Writes at this position or after what is there, whichever is later. What lies between is silence.
    pub(super) fn write(&mut self, at: u64, pcm: &[i16]) {
        if at > self.end {
            if at - self.end > self.mask {
                self.kept.fill(0);
            } else {
                (self.end..at).for_each(|position| self.kept[(position & self.mask) as usize] = 0);
            }
            self.end = at;
        }
        let first = (self.end & self.mask) as usize;
        let head = pcm.len().min(self.kept.len() - first);
        self.kept[first..first + head].copy_from_slice(&pcm[..head]);
        self.kept[..pcm.len() - head].copy_from_slice(&pcm[head..]);
        self.end += pcm.len() as u64;
    }

    /// What was written from this position on never happened.
    pub(super) fn cut(&mut self, at: u64) {
        self.end = self.end.min(at);
    }

    /// Samples from this position on, full scale being 1; silence where there is nothing (any more).
    pub(super) fn read(&self, from: i64, out: &mut [f32]) {
        let oldest = self.end.saturating_sub(self.mask + 1) as i64;
        for (position, value) in (from..).zip(out) {
            let is_kept = position >= oldest.max(0) && position < self.end as i64;
            let index = (position as u64 & self.mask) as usize;
            *value = if is_kept { f32::from(self.kept[index]) * (1.0 / 32_768.0) } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_and_what_was_cut_are_silence() {
        let mut ring = Ring::new(16);
        ring.write(0, &[16_384; 4]);
        ring.write(6, &[-16_384; 4]);
        ring.cut(9);
        let mut out = [9.0; 14];
        ring.read(-2, &mut out);
        let half = 0.5;
        assert_eq!(out, [0.0, 0.0, half, half, half, half, 0.0, 0.0, -half, -half, -half, 0.0, 0.0, 0.0]);
        ring.write(0, &[16_384; 1]);
        ring.read(9, &mut out[..2]);
        assert_eq!((ring.end(), &out[..2]), (10, &[half, 0.0][..]));
    }

    #[test]
    fn only_the_last_of_a_long_stream_is_kept() {
        let mut ring = Ring::new(8);
        (0..5).for_each(|n| ring.write(0, &[n * 1_000; 3]));
        let mut out = [9.0; 15];
        ring.read(0, &mut out);
        assert!(out[..7].iter().all(|&value| value == 0.0) && out[14] > 0.12, "{out:?}");
        ring.write(1_000, &[1]);
        ring.read(992, &mut out[..8]);
        assert!(out[..8].iter().all(|&value| value == 0.0), "{out:?}");
    }
}
