//! Cutting a stream of samples into frames of one size, and keeping the last moment of it.

/// Cuts chunks of any size into frames of exactly one size.
#[derive(Clone, Debug)]
pub struct Framer {
    frame_samples: usize,
    held: Vec<i16>,
}

impl Framer {
    /// Frames of this many samples; at least one.
    pub fn new(frame_samples: usize) -> Self {
        let frame_samples = frame_samples.max(1);
        Self { frame_samples, held: Vec::with_capacity(frame_samples) }
    }

    /// Frames of [`base::limits::FRAME_MS`] at this rate.
    pub fn for_rate(rate_hz: u32) -> Self {
        Self::new(crate::ms_to_samples(base::limits::FRAME_MS, rate_hz) as usize)
    }

    /// Samples of one frame.
    pub fn frame_samples(&self) -> usize {
        self.frame_samples
    }

    /// Samples that wait for the rest of their frame; always fewer than a frame.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes a chunk and calls `emit` with each complete frame, in order.
    pub fn push(&mut self, mut pcm: &[i16], mut emit: impl FnMut(&[i16])) {
        if !self.held.is_empty() {
            let take = (self.frame_samples - self.held.len()).min(pcm.len());
            let (head, tail) = pcm.split_at(take);
            self.held.extend_from_slice(head);
            pcm = tail;
            if self.held.len() < self.frame_samples {
                return;
            }
            emit(&self.held);
            self.held.clear();
        }
        let frames = pcm.chunks_exact(self.frame_samples);
        self.held.extend_from_slice(frames.remainder());
        frames.for_each(emit);
    }

    /// Emits what is held as a last frame padded with silence, if anything is held.
    pub fn flush(&mut self, emit: impl FnOnce(&[i16])) {
        if !self.held.is_empty() {
            self.held.resize(self.frame_samples, 0);
            emit(&self.held);
            self.held.clear();
        }
    }

    /// Forgets what is held.
    pub fn clear(&mut self) {
        self.held.clear();
    }
}

/// The last moments of a stream: what a recogniser or a neural detector needs to hear of the time before the onset of
/// speech was noticed.
#[derive(Clone, Debug)]
pub struct Preroll {
    ring: Vec<i16>,
    next: usize,
    len: usize,
}

impl Preroll {
    /// Keeps the last `ms` at this rate.
    pub fn new(ms: u64, rate_hz: u32) -> Self {
        Self { ring: vec![0; (crate::ms_to_samples(ms, rate_hz) as usize).max(1)], next: 0, len: 0 }
    }

    /// Appends audio; the oldest falls out.
    pub fn push(&mut self, pcm: &[i16]) {
        let size = self.ring.len();
        let pcm = &pcm[pcm.len().saturating_sub(size)..];
        let first = pcm.len().min(size - self.next);
        self.ring[self.next..self.next + first].copy_from_slice(&pcm[..first]);
        self.ring[..pcm.len() - first].copy_from_slice(&pcm[first..]);
        self.next = (self.next + pcm.len()) % size;
        self.len = (self.len + pcm.len()).min(size);
    }

    /// What is kept, oldest first, as the two halves of the ring.
    pub fn parts(&self) -> (&[i16], &[i16]) {
        if self.len < self.ring.len() {
            (&self.ring[..self.len], &[])
        } else {
            (&self.ring[self.next..], &self.ring[..self.next])
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        (self.next, self.len) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn frames_hold_the_stream_whatever_its_chunks(
            frame in 1usize..50, chunks in prop::collection::vec(prop::collection::vec(any::<i16>(), 0..120), 0..12)
        ) {
            let mut framer = Framer::new(frame);
            let mut out = Vec::new();
            for chunk in &chunks {
                framer.push(chunk, |pcm| { assert_eq!(pcm.len(), frame); out.extend_from_slice(pcm); });
                prop_assert!(framer.held() < frame);
            }
            framer.flush(|pcm| { assert_eq!(pcm.len(), frame); out.extend_from_slice(pcm); });
            let all: Vec<i16> = chunks.concat();
            prop_assert_eq!(&out[..all.len()], &all[..]);
            prop_assert!(out[all.len()..].iter().all(|&sample| sample == 0));
            prop_assert!(out.len() - all.len() < frame);
        }

        #[test]
        fn preroll_is_the_end_of_the_stream(
            ms in 1u64..40, chunks in prop::collection::vec(prop::collection::vec(any::<i16>(), 0..120), 0..12)
        ) {
            let mut preroll = Preroll::new(ms, 1_000);
            chunks.iter().for_each(|chunk| preroll.push(chunk));
            let all: Vec<i16> = chunks.concat();
            let (a, b) = preroll.parts();
            let kept = [a, b].concat();
            prop_assert_eq!(&kept[..], &all[all.len().saturating_sub(ms as usize)..]);
        }
    }
}
