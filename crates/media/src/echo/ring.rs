//! The last seconds of a stream, by position.

/// Samples of a stream that never ends, the last of them kept. Positions count samples from its beginning.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    kept: Vec<i16>,
    end: u64,
}

impl Ring {
    /// Keeps this many samples.
    pub(super) fn new(samples: usize) -> Self {
        Self { kept: vec![0; samples.max(1)], end: 0 }
    }

    /// After the last sample written.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Keeps this many samples from now on; it never shrinks.
    pub(super) fn grow(&mut self, samples: usize) {
        if samples <= self.kept.len() {
            return;
        }
        let mut grown = vec![0; samples];
        for position in self.end.saturating_sub(self.kept.len() as u64)..self.end {
            grown[(position % samples as u64) as usize] = self.kept[self.index(position)];
        }
        self.kept = grown;
    }

    fn index(&self, position: u64) -> usize {
        (position % self.kept.len() as u64) as usize
    }

    /// Writes at this position or after what is there, whichever is later. What lies between is silence.
    pub(super) fn write(&mut self, at: u64, pcm: &[i16]) {
        if at > self.end {
            if at - self.end >= self.kept.len() as u64 {
                self.kept.fill(0);
            } else {
                for position in self.end..at {
                    let index = self.index(position);
                    self.kept[index] = 0;
                }
            }
            self.end = at;
        }
        self.end += pcm.len() as u64;
        // Of what is longer than the ring, its end.
        let pcm = &pcm[pcm.len().saturating_sub(self.kept.len())..];
        let first = self.index(self.end - pcm.len() as u64);
        let head = pcm.len().min(self.kept.len() - first);
        self.kept[first..first + head].copy_from_slice(&pcm[..head]);
        self.kept[..pcm.len() - head].copy_from_slice(&pcm[head..]);
    }

    /// What was written from this position on never happened.
    pub(super) fn cut(&mut self, at: u64) {
        self.end = self.end.min(at);
    }

    /// Samples from this position on, full scale being 1; silence where there is nothing (any more).
    pub(super) fn read(&self, from: i64, out: &mut [f32]) {
        let oldest = self.end.saturating_sub(self.kept.len() as u64) as i64;
        let mut index = from.rem_euclid(self.kept.len() as i64) as usize;
        for (position, value) in (from..).zip(out) {
            let is_kept = position >= oldest && position < self.end as i64;
            *value = if is_kept { f32::from(self.kept[index]) * (1.0 / 32_768.0) } else { 0.0 };
            index += 1;
            if index == self.kept.len() {
                index = 0;
            }
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
        assert!(out[..7].iter().all(|&value| value == 0.0) && out[7] > 0.06 && out[14] > 0.12, "{out:?}");
        ring.write(1_000, &[1]);
        ring.read(992, &mut out[..8]);
        assert!(out[..8].iter().all(|&value| value == 0.0), "{out:?}");
    }

    #[test]
    fn one_that_grows_keeps_what_it_has() {
        let mut ring = Ring::new(5);
        (0..4).for_each(|n| ring.write(0, &[n * 1_000; 3]));
        ring.grow(7);
        ring.write(0, &[4_000; 2]);
        let mut out = [9.0; 8];
        ring.read(6, &mut out);
        let wanted = [0, 2_000, 2_000, 3_000, 3_000, 3_000, 4_000, 4_000].map(|value: i16| f32::from(value) / 32_768.0);
        assert_eq!(out, wanted, "the last seven, and the one before them is gone");
        ring.grow(2);
        assert_eq!(ring.kept.len(), 7);
    }
}
