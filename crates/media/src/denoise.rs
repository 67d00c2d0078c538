//! Noise suppression for what the recogniser hears.
//!
//! Off unless an agent asks for it: a recogniser is trained on noise and hears worse through most suppressors. It helps
//! where a caller stands beside a machine. The audio is late by about 12 ms, which only the recogniser sees.

use crate::framer::Framer;
use crate::resample::{RateError, Resampler};
use nnnoiseless::DenoiseState;
use std::fmt;

/// Takes noise out of one stream.
pub trait NoiseSuppressor: Send + fmt::Debug {
    /// Cleans the next frame of [`base::limits::FRAME_MS`], in place. What comes out is a little later than what goes in.
    fn process(&mut self, pcm: &mut [i16]);
}

/// The recurrent network of J.-M. Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement",
/// 2018. It works at 48 kHz; telephone audio is brought there and back.
pub struct RecurrentSuppressor {
    up: Resampler,
    down: Resampler,
    framer: Framer,
    network: Box<DenoiseState<'static>>,
    wide: Vec<i16>,
    cleaned: Vec<i16>,
    narrow: Vec<i16>,
}

const NETWORK_HZ: u32 = 48_000;

impl RecurrentSuppressor {
    /// For a stream at this rate.
    pub fn new(rate_hz: u32) -> Result<Self, RateError> {
        Ok(Self {
            up: Resampler::new(rate_hz, NETWORK_HZ)?,
            down: Resampler::new(NETWORK_HZ, rate_hz)?,
            framer: Framer::new(DenoiseState::FRAME_SIZE),
            network: DenoiseState::new(),
            wide: Vec::with_capacity(2_048),
            cleaned: Vec::with_capacity(2_048),
            narrow: Vec::with_capacity(2_048),
        })
    }
}

impl NoiseSuppressor for RecurrentSuppressor {
    fn process(&mut self, pcm: &mut [i16]) {
        self.wide.clear();
        self.cleaned.clear();
        self.narrow.clear();
        self.up.process(pcm, &mut self.wide);
        let Self { framer, network, wide, cleaned, .. } = self;
        framer.push(wide, |frame| {
            let (mut input, mut output) = ([0.0; DenoiseState::FRAME_SIZE], [0.0; DenoiseState::FRAME_SIZE]);
            for (value, &sample) in input.iter_mut().zip(frame) {
                *value = f32::from(sample);
            }
            network.process_frame(&mut output, &input);
            cleaned.extend(output.iter().map(|&value| crate::to_sample(value)));
        });
        self.down.process(&self.cleaned, &mut self.narrow);
        // A frame that is not a whole number of the network's gives less now and the rest later.
        let late = pcm.len().saturating_sub(self.narrow.len());
        pcm[..late].fill(0);
        let whole = self.narrow.len().min(pcm.len());
        pcm[late..].copy_from_slice(&self.narrow[..whole]);
    }
}

impl fmt::Debug for RecurrentSuppressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecurrentSuppressor").field("rate_hz", &self.up.from_hz()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level;
    use crate::test_audio::noise;

    #[test]
    fn steady_noise_is_lowered_and_time_is_kept() {
        for rate in [8_000, 16_000] {
            let mut suppressor = RecurrentSuppressor::new(rate).unwrap();
            let before = noise(rate, 4_000, -35.0);
            let mut after = before.clone();
            after.chunks_exact_mut(rate as usize / 50).for_each(|frame| suppressor.process(frame));
            let late = before.len() / 2;
            let lower = level::rms_dbfs(&before[late..]) - level::rms_dbfs(&after[late..]);
            assert!(lower > 10.0, "{rate}: {lower}");
        }
    }

    #[test]
    fn a_frame_of_an_odd_size_does_no_harm() {
        let mut suppressor = RecurrentSuppressor::new(8_000).unwrap();
        for size in [0, 1, 159, 160, 161, 500] {
            suppressor.process(&mut vec![1_000; size]);
        }
    }
}
