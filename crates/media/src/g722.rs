//! G.722 (ITU-T G.722, 2012) at 64 kbit/s: speech up to 7 kHz, what desk telephones call HD. A byte is two samples at 16 kHz.
//!
//! Both ends predict the next sample from those before it. So packets are decoded when they are played, in their order, and
//! not when they arrive: one that came twice or late would shift what both believe. After a loss the two agree again within
//! some ten milliseconds.

use crate::jitter::{Inserted, JitterBuffer, JitterConfig, JitterStats, Played};
use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};
use std::fmt;

/// Samples per second of the audio.
pub const RATE_HZ: u32 = 16_000;
/// The RTP clock: half of the rate, by a mistake in RFC 1890 that became the standard (RFC 3551, 4.5.2). It counts bytes.
pub const CLOCK_HZ: u32 = 8_000;
/// Bytes in 10 ms, the pieces of which packets are multiples.
const PIECE_BYTES: usize = CLOCK_HZ as usize / 100;
/// Samples of a piece.
pub const PIECE_SAMPLES: usize = PIECE_BYTES * 2;
/// A packet of more than this is no phone's.
const PIECES_MAX: usize = 20;

/// Makes bytes of samples.
#[derive(Default)]
pub struct Encoder(G722Encoder);

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}

impl Encoder {
    /// Appends one byte per two samples; a last odd one is dropped.
    pub fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) {
        let before = out.len();
        let pcm = &pcm[..pcm.len() / 2 * 2];
        out.resize(before + self.0.max_encode_bytes(pcm.len()), 0);
        // It only fails for want of room, which was asked for.
        let written = self.0.encode_into(pcm, &mut out[before..]).unwrap_or(0);
        out.truncate(before + written);
    }
}

/// Makes samples of bytes, in their order.
#[derive(Default)]
pub struct Decoder(G722Decoder);

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoder")
    }
}

impl Decoder {
    /// Fills `out` with two samples per byte, and with silence what is left of it.
    pub fn decode(&mut self, bytes: &[u8], out: &mut [i16]) {
        let bytes = &bytes[..bytes.len().min(out.len() / 2)];
        let written = self.0.decode_into(bytes, out).unwrap_or(0);
        out[written..].fill(0);
    }
}

/// A stream of packets from a network as steady PCM at [`RATE_HZ`], in pieces of 10 ms.
#[derive(Debug)]
pub struct Receiver {
    decoder: Decoder,
    /// Its samples are bytes, of which there are as many as the clock counts.
    jitter: JitterBuffer,
    codes: [i16; PIECE_BYTES],
    last: [i16; PIECE_SAMPLES],
}

impl Default for Receiver {
    fn default() -> Self {
        let config = JitterConfig { frame_samples: PIECE_BYTES, ..JitterConfig::for_rate(CLOCK_HZ) };
        Self {
            decoder: Decoder::default(),
            jitter: JitterBuffer::new(config),
            codes: [0; PIECE_BYTES],
            last: [0; PIECE_SAMPLES],
        }
    }
}

impl Receiver {
    /// Takes the payload of an RTP packet that arrived at `now_ms`. What is no whole piece at its end is dropped.
    pub fn insert(&mut self, now_ms: u64, sequence: u16, timestamp: u32, payload: &[u8]) {
        let pieces = (payload.len() / PIECE_BYTES).min(PIECES_MAX);
        for (index, piece) in payload.chunks_exact(PIECE_BYTES).take(pieces).enumerate() {
            for (code, byte) in self.codes.iter_mut().zip(piece) {
                *code = i16::from(*byte);
            }
            // Numbers of pieces follow from those of packets, and wrap with them.
            let number = sequence.wrapping_mul(pieces as u16).wrapping_add(index as u16);
            let at = timestamp.wrapping_add((index * PIECE_BYTES) as u32);
            if self.jitter.insert(now_ms, number, at, &self.codes) == Inserted::Restarted {
                self.decoder = Decoder::default();
            }
        }
    }

    /// Fills a piece of [`PIECE_SAMPLES`]; to be called once per 10 ms.
    pub fn pull(&mut self, now_ms: u64, out: &mut [i16; PIECE_SAMPLES]) {
        match self.jitter.pull(now_ms, &mut self.codes) {
            Played::Frame => {
                let bytes = self.codes.map(|code| code as u8);
                self.decoder.decode(&bytes, out);
                self.last = *out;
            }
            // Half as loud each time, as the jitter buffer does with samples.
            Played::Conceal { run } => *out = self.last.map(|sample| sample / (1 << run.min(14))),
            Played::Silence => out.fill(0),
        }
    }

    /// What happened so far.
    pub fn stats(&self) -> JitterStats {
        self.jitter.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_audio::voice;
    use proptest::prelude::*;

    /// How much louder the signal is than what was added to it, in decibels, at the best of some delays.
    fn signal_to_noise_db(source: &[i16], heard: &[i16]) -> f64 {
        let at = |delay: usize| {
            let pairs = source.iter().zip(&heard[delay..]);
            let (signal, noise) = pairs.fold((0.0, 1.0), |(signal, noise), (&a, &b)| {
                (signal + f64::from(a).powi(2), noise + (f64::from(a) - f64::from(b)).powi(2))
            });
            10.0 * (signal / noise).log10()
        };
        (0..3_000.min(heard.len() - source.len())).map(at).fold(f64::MIN, f64::max)
    }

    fn coded(pcm: &[i16]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::default();
        pcm.chunks(320).for_each(|frame| encoder.encode(frame, &mut bytes));
        bytes
    }

    #[test]
    fn speech_survives_in_a_quarter_of_the_bytes() {
        let pcm = voice(RATE_HZ, 2_000, -20.0);
        let bytes = coded(&pcm);
        assert_eq!(bytes.len() * 2, pcm.len());
        let mut heard = vec![0; pcm.len()];
        Decoder::default().decode(&bytes, &mut heard);
        let ratio = signal_to_noise_db(&pcm[..pcm.len() - 100], &heard);
        assert!(ratio > 15.0, "{ratio} dB");
    }

    #[test]
    fn what_lies_above_the_telephone_band_is_heard() {
        let pcm: Vec<i16> = (0..16_000)
            .map(|n| (6_000.0 * (std::f64::consts::TAU * 5_500.0 * f64::from(n) / 16_000.0).sin()) as i16)
            .collect();
        let mut heard = vec![0; pcm.len()];
        Decoder::default().decode(&coded(&pcm), &mut heard);
        let rms = |pcm: &[i16]| (pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / pcm.len() as f64).sqrt();
        let db = 20.0 * (rms(&heard[4_000..]) / rms(&pcm[4_000..])).log10();
        assert!(db.abs() < 1.5, "{db} dB");
    }

    #[test]
    fn packets_that_come_twice_late_or_in_another_order_change_nothing() {
        let pcm = voice(RATE_HZ, 1_000, -20.0);
        let bytes = coded(&pcm);
        let hear = |arrivals: &[(u64, usize)]| {
            let mut receiver = Receiver::default();
            let mut left = arrivals.iter().peekable();
            let mut heard = Vec::new();
            for now_ms in (0..1_200).step_by(10) {
                while let Some((at_ms, n)) = left.next_if(|(at_ms, _)| *at_ms <= now_ms) {
                    let payload = &bytes[n * 160..(n + 1) * 160];
                    receiver.insert(*at_ms, 65_530_u16.wrapping_add(*n as u16), 7 + *n as u32 * 160, payload);
                }
                let mut piece = [0; PIECE_SAMPLES];
                receiver.pull(now_ms, &mut piece);
                heard.extend(piece);
            }
            heard
        };
        let steady: Vec<_> = (0..50).map(|n| (60 + n as u64 * 20, n)).collect();
        // Of two neighbours the later one comes first, and some come twice.
        let mut odd: Vec<_> = steady.iter().map(|&(at_ms, n)| (at_ms + if n % 2 == 0 { 21 } else { 0 }, n)).collect();
        odd.extend(steady.iter().filter(|(_, n)| n % 5 == 0).map(|&(at_ms, n)| (at_ms + 1, n)));
        odd.sort_unstable();
        // Once the buffer has learned how late packets come, half a second into it.
        let ratio = |arrivals: &[(u64, usize)]| signal_to_noise_db(&pcm[8_000..14_000], &hear(arrivals)[8_000..]);
        let (plain, shaken) = (ratio(&steady), ratio(&odd));
        assert!(plain > 15.0 && (plain - shaken).abs() < 1.0, "{plain} and {shaken} dB");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_and_any_samples_are_survived(
            bytes in prop::collection::vec(any::<u8>(), 0..700),
            pcm in prop::collection::vec(any::<i16>(), 0..700),
        ) {
            let mut receiver = Receiver::default();
            receiver.insert(0, 1, 7, &bytes);
            for now_ms in (0..200).step_by(10) {
                receiver.pull(now_ms, &mut [0; PIECE_SAMPLES]);
            }
            let mut coded = Vec::new();
            Encoder::default().encode(&pcm, &mut coded);
            prop_assert_eq!(coded.len(), pcm.len() / 2);
            Decoder::default().decode(&bytes, &mut vec![0; pcm.len()]);
        }
    }
}
