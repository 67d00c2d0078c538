//! Opus (RFC 6716) for voice: what browsers speak, and some SIP telephones.
//!
//! The codec takes and gives PCM at any of its rates (8, 12, 16, 24 and 48 kHz) and resamples inside, so nothing else has
//! to. Frames are [`base::limits::FRAME_MS`] when sent; received packets may hold several. Each packet carries a coarse copy
//! of the one before it (in-band redundancy), which [`Receiver`] uses when that was lost.
//!
//! libopus, the reference implementation, does the work; it is C and needs cmake to build. The port to Rust that exists
//! decodes and recovers to the same result and needs half as much time again or more; what decides is that libopus has met a
//! decade of hostile packets.

mod receiver;

pub use receiver::{Heard, Receiver, ReceiverStats};

use base::limits::FRAME_MS;
use opus::{Application, Bitrate, Channels};

/// The RTP clock of Opus, whatever rate the audio has (RFC 7587, 4.1).
pub const CLOCK_HZ: u32 = 48_000;
/// Steps of the RTP clock per frame of [`FRAME_MS`].
pub const CLOCK_PER_FRAME: u32 = CLOCK_HZ / 1_000 * FRAME_MS as u32;
/// The longest packet of one frame (RFC 6716, 3.2).
pub const PACKET_BYTES_MAX: usize = 1_275;
/// Speech of 8 kHz bandwidth is transparent from here on; more is spent on nothing a telephone hears.
const BITS_PER_S: i32 = 28_000;
/// Of 10. Each step beyond costs a tenth more and is hardly heard at this rate.
const COMPLEXITY: i32 = 5;
/// Expected loss, in percent, before a receiver has reported any: enough for the encoder to spend bits on redundancy.
const LOSS_PERCENT: i32 = 5;
/// The longest packet, 120 ms (RFC 6716, 3.2.5), in frames.
const PACKET_FRAMES_MAX: usize = 120 / FRAME_MS as usize;
/// Frames of silence after which the encoder's memory of speech has rung out.
const SETTLED_FRAMES: u32 = 10;

/// The codec refused: a rate that it does not know, or a packet that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("opus: {0}")]
pub struct OpusError(&'static str);

impl From<opus::Error> for OpusError {
    fn from(error: opus::Error) -> Self {
        Self(error.description())
    }
}

/// Makes packets of one frame each.
#[derive(Debug)]
pub struct Encoder {
    inner: opus::Encoder,
    frame_samples: usize,
    /// Frames of silence in a row, and the packet that such a frame became once speech had rung out.
    silent_frames: u32,
    silence: Vec<u8>,
}

impl Encoder {
    /// An encoder of mono voice at this rate.
    ///
    /// # Errors
    /// For a rate that Opus does not know.
    pub fn new(rate_hz: u32) -> Result<Self, OpusError> {
        let mut inner = opus::Encoder::new(rate_hz, Channels::Mono, Application::Voip)?;
        inner.set_bitrate(Bitrate::Bits(BITS_PER_S))?;
        inner.set_complexity(COMPLEXITY)?;
        inner.set_inband_fec(true)?;
        inner.set_packet_loss_perc(LOSS_PERCENT)?;
        let frame_samples = crate::ms_to_samples(FRAME_MS, rate_hz) as usize;
        Ok(Self { inner, frame_samples, silent_frames: 0, silence: Vec::with_capacity(PACKET_BYTES_MAX) })
    }

    /// Samples that [`Self::encode`] takes.
    pub fn frame_samples(&self) -> usize {
        self.frame_samples
    }

    /// Tells the share of packets that the other side loses, so that as much redundancy is sent.
    pub fn expect_loss(&mut self, percent: u8) {
        // A refused hint changes nothing that anybody needs.
        let _ = self.inner.set_packet_loss_perc(i32::from(percent.min(100)).max(LOSS_PERCENT));
    }

    /// Encodes one frame into `out`, which should hold [`PACKET_BYTES_MAX`], and returns the length of the packet.
    ///
    /// # Errors
    /// For another number of samples, or an `out` that is too small.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, OpusError> {
        if pcm.len() != self.frame_samples {
            return Err(OpusError("a frame of another length"));
        }
        let is_silent = pcm.iter().all(|&sample| sample == 0);
        self.silent_frames = if is_silent { self.silent_frames.saturating_add(1) } else { 0 };
        // Most of a call the agent listens. One packet of silence is as good as the next, and costs nothing.
        if self.silent_frames > SETTLED_FRAMES && !self.silence.is_empty() && self.silence.len() <= out.len() {
            out[..self.silence.len()].copy_from_slice(&self.silence);
            return Ok(self.silence.len());
        }
        let length = self.inner.encode(pcm, out)?;
        if self.silent_frames == SETTLED_FRAMES {
            self.silence.clear();
            self.silence.extend_from_slice(&out[..length]);
        }
        Ok(length)
    }
}

/// Makes PCM of packets, in their order, and of packets that did not come.
#[derive(Debug)]
pub struct Decoder {
    inner: opus::Decoder,
    frame_samples: usize,
}

impl Decoder {
    /// A decoder to mono at this rate.
    ///
    /// # Errors
    /// For a rate that Opus does not know.
    pub fn new(rate_hz: u32) -> Result<Self, OpusError> {
        let inner = opus::Decoder::new(rate_hz, Channels::Mono)?;
        Ok(Self { inner, frame_samples: crate::ms_to_samples(FRAME_MS, rate_hz) as usize })
    }

    /// Samples of one frame of [`FRAME_MS`].
    pub fn frame_samples(&self) -> usize {
        self.frame_samples
    }

    /// Decodes a packet into `out` and returns how many samples it had. Room for [`Self::packet_samples_max`] suffices.
    ///
    /// # Errors
    /// For bytes that are no packet, and an `out` that is too small.
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> Result<usize, OpusError> {
        if packet.is_empty() {
            return Err(OpusError("an empty packet"));
        }
        Ok(self.inner.decode(packet, out, false)?)
    }

    /// Fills one frame that was lost from the redundancy in the packet after it, as far as that has any. The packet
    /// itself must still be decoded.
    ///
    /// # Errors
    /// For bytes that are no packet, and an `out` of another length than a frame.
    pub fn recover(&mut self, next: &[u8], out: &mut [i16]) -> Result<(), OpusError> {
        if next.is_empty() || out.len() != self.frame_samples {
            return Err(OpusError("nothing to recover a frame from"));
        }
        self.inner.decode(next, out, true)?;
        Ok(())
    }

    /// Fills one frame that was lost with what probably came there.
    ///
    /// # Errors
    /// For an `out` of another length than a frame.
    pub fn conceal(&mut self, out: &mut [i16]) -> Result<(), OpusError> {
        if out.len() != self.frame_samples {
            return Err(OpusError("a frame of another length"));
        }
        self.inner.decode(&[], out, false)?;
        Ok(())
    }

    /// Samples of the longest packet that there can be.
    pub fn packet_samples_max(&self) -> usize {
        self.frame_samples * PACKET_FRAMES_MAX
    }

    /// Forgets the stream, for the next one.
    pub fn reset(&mut self) {
        // It only fails on a decoder that does not exist.
        let _ = self.inner.reset_state();
    }
}

/// How long this packet plays, in steps of the RTP clock; `None` for bytes that are no packet.
pub fn packet_clock(packet: &[u8]) -> Option<u32> {
    if packet.is_empty() {
        return None;
    }
    opus::packet::get_nb_samples(packet, CLOCK_HZ).ok().and_then(|samples| u32::try_from(samples).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_audio::voice;
    use proptest::prelude::*;

    const RATE: u32 = 16_000;
    const FRAME: usize = 320;

    fn packets(pcm: &[i16]) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(RATE).unwrap();
        let mut out = [0; PACKET_BYTES_MAX];
        let encode = |frame: &[i16]| {
            let length = encoder.encode(frame, &mut out).unwrap();
            out[..length].to_vec()
        };
        pcm.chunks_exact(FRAME).map(encode).collect()
    }

    /// How alike two signals are, in decibels of the envelope in 10 ms steps: what was heard, not which wave it was.
    fn envelope_error_db(source: &[i16], heard: &[i16]) -> f64 {
        let step = 160;
        let rms =
            |pcm: &[i16]| (pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / pcm.len() as f64).sqrt().max(30.0);
        let pairs = source.chunks_exact(step).zip(heard.chunks_exact(step));
        let errors: Vec<f64> = pairs.map(|(a, b)| (20.0 * (rms(a) / rms(b)).log10()).powi(2)).collect();
        (errors.iter().sum::<f64>() / errors.len() as f64).sqrt()
    }

    #[test]
    fn speech_survives_the_codec_in_a_tenth_of_the_bytes() {
        let pcm = voice(RATE, 4_000, -20.0);
        let packets = packets(&pcm);
        let bytes: usize = packets.iter().map(Vec::len).sum();
        assert!(bytes * 8 < pcm.len() * 16 / 8, "{bytes}");
        let mut decoder = Decoder::new(RATE).unwrap();
        let mut heard = Vec::new();
        for packet in &packets {
            let mut frame = vec![0; decoder.packet_samples_max()];
            let samples = decoder.decode(packet, &mut frame).unwrap();
            assert_eq!((samples, packet_clock(packet)), (FRAME, Some(CLOCK_PER_FRAME)));
            heard.extend_from_slice(&frame[..samples]);
        }
        // The codec looks ahead 6.5 ms at 16 kHz.
        assert!(envelope_error_db(&pcm, &heard[104..]) < 1.5);
    }

    #[test]
    fn redundancy_brings_a_lost_frame_back_better_than_a_guess() {
        let pcm = voice(RATE, 4_000, -20.0);
        let packets = packets(&pcm);
        let lost = |n: usize| n % 9 == 5;
        let hear = |uses_redundancy: bool| {
            let mut decoder = Decoder::new(RATE).unwrap();
            let mut heard = Vec::new();
            for (n, packet) in packets.iter().enumerate() {
                let mut frame = [0; FRAME];
                match packets.get(n + 1).filter(|_| uses_redundancy) {
                    _ if !lost(n) => assert_eq!(decoder.decode(packet, &mut frame), Ok(FRAME)),
                    Some(next) => decoder.recover(next, &mut frame).unwrap(),
                    None => decoder.conceal(&mut frame).unwrap(),
                }
                heard.extend_from_slice(&frame);
            }
            envelope_error_db(&pcm, &heard[104..])
        };
        let (recovered, guessed) = (hear(true), hear(false));
        assert!(recovered < guessed, "{recovered} against {guessed} dB");
        assert!(recovered < 2.5, "{recovered} dB");
    }

    #[test]
    fn long_silence_is_one_packet_again_and_again_and_speech_after_it_is_whole() {
        let mut pcm = voice(RATE, 500, -20.0);
        pcm.resize(pcm.len() + FRAME * 40, 0);
        pcm.extend(voice(RATE, 500, -20.0));
        let packets = packets(&pcm);
        assert!(packets[40..64].windows(2).all(|pair| pair[0] == pair[1]));
        let mut decoder = Decoder::new(RATE).unwrap();
        let mut heard = Vec::new();
        for packet in &packets {
            let mut frame = [0; FRAME];
            decoder.decode(packet, &mut frame).unwrap();
            heard.extend_from_slice(&frame);
        }
        let silence = &heard[FRAME * 45..FRAME * 64];
        assert!(silence.iter().all(|sample| sample.abs() < 30), "{:?}", silence.iter().max());
        assert!(envelope_error_db(&pcm[FRAME * 65..], &heard[FRAME * 65 + 104..]) < 2.0);
    }

    #[test]
    fn what_is_no_packet_is_an_error() {
        let mut decoder = Decoder::new(RATE).unwrap();
        let mut frame = [0; FRAME];
        assert!(decoder.decode(&[], &mut frame).is_err());
        assert!(decoder.decode(&[0xff], &mut frame).is_err());
        assert!(decoder.conceal(&mut frame[..7]).is_err());
        assert!(Encoder::new(11_025).is_err());
        assert!(Encoder::new(RATE).unwrap().encode(&[0; 7], &mut [0; 100]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_survived(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20)) {
            let mut decoder = Decoder::new(RATE).unwrap();
            let mut out = vec![0; decoder.packet_samples_max()];
            for packet in packets {
                if let Ok(samples) = decoder.decode(&packet, &mut out) {
                    prop_assert!(samples <= out.len());
                }
                let _ = decoder.recover(&packet, &mut out[..FRAME]);
            }
        }
    }
}
