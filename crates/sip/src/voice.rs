//! The audio of a leg, between packets and the frames of its line: one codec both ways, a jitter buffer, and a conversion
//! where the line has another rate, because the codec changed within the call.

use carriers::sip::sdp::{Codec, PACKET_MS};
use media::jitter::JitterStats;
use media::rtp::Header;
use media::{JitterBuffer, JitterConfig, Law, Resampler, g722, ms_to_samples, opus};

/// Packets of G.711 are any multiple of 10 ms long; the jitter buffer holds pieces of that.
const PIECE_MS: u64 = PACKET_MS as u64 / 2;
const PIECE_SAMPLES: usize = 80;
/// A packet of more than this is no phone's.
const PIECES_MAX: usize = 20;

/// See the module.
#[derive(Debug)]
pub struct Voice {
    codec: Codec,
    line_hz: u32,
    sending: Sending,
    receiving: Receiving,
    /// From the codec's rate to the line's, and back, where they differ.
    conversion: Option<Box<(Resampler, Resampler)>>,
    /// Of codecs before this one.
    before: JitterStats,
    pcm: Vec<i16>,
}

#[derive(Debug)]
enum Sending {
    G711(Law),
    G722(Box<g722::Encoder>),
    Opus(Box<opus::Encoder>),
}

#[derive(Debug)]
enum Receiving {
    G711(Box<JitterBuffer>),
    G722(Box<g722::Receiver>),
    Opus(Box<opus::Receiver>),
}

impl Voice {
    /// `None` where the library of a codec refuses its rate, which it does not.
    pub fn new(codec: Codec, line_hz: u32) -> Option<Self> {
        let rate_hz = codec.rate_hz();
        let (sending, receiving) = match codec {
            Codec::Pcmu => (Sending::G711(Law::Ulaw), Receiving::g711()),
            Codec::Pcma => (Sending::G711(Law::Alaw), Receiving::g711()),
            Codec::G722 => (Sending::G722(Box::default()), Receiving::G722(Box::default())),
            Codec::Opus => (
                Sending::Opus(Box::new(opus::Encoder::new(rate_hz).ok()?)),
                Receiving::Opus(Box::new(opus::Receiver::new(rate_hz).ok()?)),
            ),
        };
        let mut voice = Self {
            codec,
            line_hz,
            sending,
            receiving,
            conversion: None,
            before: JitterStats::default(),
            pcm: Vec::with_capacity(ms_to_samples(u64::from(PACKET_MS), rate_hz) as usize),
        };
        voice.attach(line_hz);
        Some(voice)
    }

    /// The line has this rate from now on.
    pub fn attach(&mut self, line_hz: u32) {
        self.line_hz = line_hz;
        let rate_hz = self.codec.rate_hz();
        let both = || Resampler::new(rate_hz, line_hz).ok().zip(Resampler::new(line_hz, rate_hz).ok());
        self.conversion = if rate_hz == line_hz { None } else { both().map(Box::new) };
    }

    /// Speaks this codec from now on, on the same line.
    pub fn change(&mut self, codec: Codec) {
        // The two laws are one telephone; what waits of the one is not dropped for the other.
        match (&mut self.sending, codec) {
            (Sending::G711(law), Codec::Pcmu) => *law = Law::Ulaw,
            (Sending::G711(law), Codec::Pcma) => *law = Law::Alaw,
            _ if codec == self.codec => {}
            _ => {
                let before = self.stats();
                if let Some(changed) = Self::new(codec, self.line_hz) {
                    *self = Self { before, ..changed };
                }
            }
        }
        self.codec = codec;
    }

    /// What is spoken.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Steps of the clock per packet of ours.
    pub fn clock_per_packet(&self) -> u32 {
        self.codec.clock_hz() / 1_000 * PACKET_MS
    }

    /// Takes a packet that arrived, of the agreed codec or of the law that its number means.
    pub fn insert(&mut self, now_ms: u64, header: Header, law: Option<Law>, payload: &[u8]) {
        match (&mut self.receiving, law) {
            (Receiving::G711(jitter), Some(law)) => {
                self.pcm.clear();
                law.decode(payload, &mut self.pcm);
                insert_pieces(jitter, now_ms, header, &self.pcm);
            }
            (Receiving::G722(receiver), None) => receiver.insert(now_ms, header.sequence, header.timestamp, payload),
            (Receiving::Opus(receiver), None) => {
                receiver.insert(now_ms, header.sequence, header.timestamp, payload);
            }
            _ => {} // Another codec than was agreed on.
        }
    }

    /// Appends the next frame for the line.
    pub fn pull(&mut self, now_ms: u64, out: &mut Vec<i16>) {
        self.pcm.clear();
        self.pcm.resize(ms_to_samples(u64::from(PACKET_MS), self.codec.rate_hz()) as usize, 0);
        match &mut self.receiving {
            Receiving::G711(jitter) => {
                let (first, second) = self.pcm.split_at_mut(PIECE_SAMPLES);
                jitter.pull(now_ms, first);
                jitter.pull(now_ms + PIECE_MS, second);
            }
            Receiving::G722(receiver) => {
                for (piece, at_ms) in self.pcm.as_chunks_mut().0.iter_mut().zip([now_ms, now_ms + PIECE_MS]) {
                    receiver.pull(at_ms, piece);
                }
            }
            Receiving::Opus(receiver) => {
                receiver.pull(now_ms, &mut self.pcm);
            }
        }
        match &mut self.conversion {
            Some(both) => both.0.process(&self.pcm, out),
            None => out.extend_from_slice(&self.pcm),
        }
    }

    /// Appends the payload of a packet with a frame of the line.
    pub fn encode(&mut self, frame: &[i16], out: &mut Vec<u8>) {
        self.pcm.clear();
        let pcm = match &mut self.conversion {
            Some(both) => {
                both.1.process(frame, &mut self.pcm);
                &self.pcm
            }
            None => frame,
        };
        match &mut self.sending {
            Sending::G711(law) => law.encode(pcm, out),
            Sending::G722(encoder) => encoder.encode(pcm, out),
            Sending::Opus(encoder) => {
                let before = out.len();
                out.resize(before + opus::PACKET_BYTES_MAX, 0);
                // A frame of another length is the only thing that it refuses; there is none.
                let length = encoder.encode(pcm, &mut out[before..]).unwrap_or(0);
                out.truncate(before + length);
            }
        }
    }

    /// The other end loses this share of our packets.
    pub fn expect_loss(&mut self, percent: f64) {
        if let Sending::Opus(encoder) = &mut self.sending {
            encoder.expect_loss(percent.clamp(0.0, 100.0) as u8);
        }
    }

    /// What happened so far, in frames of any length. What redundancy brought back is no concealment.
    pub fn stats(&self) -> JitterStats {
        let now = match &self.receiving {
            Receiving::G711(jitter) => jitter.stats(),
            Receiving::G722(receiver) => receiver.stats(),
            Receiving::Opus(receiver) => {
                let stats = receiver.stats();
                JitterStats { concealed: stats.jitter.concealed.saturating_sub(stats.recovered), ..stats.jitter }
            }
        };
        let before = self.before;
        JitterStats {
            played: before.played + now.played,
            concealed: before.concealed + now.concealed,
            late: before.late + now.late,
            duplicates: before.duplicates + now.duplicates,
            skipped: before.skipped + now.skipped,
            restarts: before.restarts + now.restarts,
        }
    }
}

impl Receiving {
    fn g711() -> Self {
        let rate_hz = Codec::Pcmu.rate_hz();
        let config = JitterConfig { frame_samples: PIECE_SAMPLES, ..JitterConfig::for_rate(rate_hz) };
        Self::G711(Box::new(JitterBuffer::new(config)))
    }
}

/// Puts a decoded packet into the jitter buffer, in pieces of 10 ms.
fn insert_pieces(jitter: &mut JitterBuffer, now_ms: u64, header: Header, pcm: &[i16]) {
    let count = (pcm.len() / PIECE_SAMPLES).min(PIECES_MAX) as u16;
    for (index, piece) in (0..count).zip(pcm.chunks_exact(PIECE_SAMPLES)) {
        // Numbers of pieces follow from those of packets, and wrap with them.
        let sequence = header.sequence.wrapping_mul(count).wrapping_add(index);
        let timestamp = header.timestamp.wrapping_add(u32::from(index) * PIECE_SAMPLES as u32);
        jitter.insert(now_ms, sequence, timestamp, piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone on a line, through both ends of a codec, to another line.
    fn carried(codec: Codec, line_hz: u32, hz: f64) -> (f64, f64) {
        let mut here = Voice::new(codec, line_hz).unwrap();
        let mut there = Voice::new(codec, line_hz).unwrap();
        let frame = ms_to_samples(20, line_hz) as usize;
        let tone = |n: usize| (8_000.0 * (std::f64::consts::TAU * hz * n as f64 / f64::from(line_hz)).sin()) as i16;
        let mut heard = Vec::new();
        for n in 0..150_usize {
            let pcm: Vec<i16> = (n * frame..(n + 1) * frame).map(tone).collect();
            let mut payload = Vec::new();
            here.encode(&pcm, &mut payload);
            let timestamp = 77 + n as u32 * here.clock_per_packet();
            let header = Header { marker: n == 0, payload_type: 0, sequence: n as u16, timestamp, ssrc: 1 };
            let law = match codec {
                Codec::Pcmu => Some(Law::Ulaw),
                Codec::Pcma => Some(Law::Alaw),
                Codec::G722 | Codec::Opus => None,
            };
            there.insert(n as u64 * 20, header, law, &payload);
            there.pull(n as u64 * 20, &mut heard);
        }
        assert_eq!(heard.len(), 150 * frame, "{codec:?} on a line of {line_hz} Hz");
        assert_eq!(there.stats().concealed, 0);
        let late = &heard[frame * 75..];
        let rms = |pcm: &[i16]| (pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / pcm.len() as f64).sqrt();
        let quietest = late.chunks(frame).map(rms).fold(f64::MAX, f64::min);
        (rms(late), quietest)
    }

    #[test]
    fn every_codec_carries_a_steady_tone_over_lines_of_both_rates() {
        for codec in Codec::ALL {
            for line_hz in [8_000, 16_000] {
                let (level, quietest) = carried(codec, line_hz, 1_000.0);
                assert!((4_500.0..7_000.0).contains(&level), "{codec:?} on {line_hz} Hz: {level}");
                assert!(quietest > 3_500.0, "a gap: {codec:?} on {line_hz} Hz: {quietest}");
            }
        }
    }

    #[test]
    fn wideband_codecs_carry_what_a_telephone_line_does_not() {
        for codec in [Codec::Opus, Codec::G722] {
            let (level, _) = carried(codec, 16_000, 5_500.0);
            assert!(level > 3_000.0, "{codec:?}: {level}");
        }
        let (level, _) = carried(Codec::Pcmu, 16_000, 5_500.0);
        assert!(level < 500.0, "{level}");
    }

    #[test]
    fn a_codec_that_changes_leaves_the_line_as_it_was() {
        let mut voice = Voice::new(Codec::Opus, 16_000).unwrap();
        voice.change(Codec::Pcma);
        assert_eq!((voice.codec(), voice.clock_per_packet()), (Codec::Pcma, 160));
        let (mut heard, mut payload) = (Vec::new(), Vec::new());
        voice.pull(0, &mut heard);
        voice.encode(&heard, &mut payload);
        assert_eq!((heard.len(), payload.len()), (320, 160));
    }
}
