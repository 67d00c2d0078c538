//! The Real-time Transport Protocol as plain values: packets (RFC 3550, 5.1), keys (RFC 4733), reports (RFC 3550, 6),
//! an estimate of what a listener would think of the line (ITU-T G.107), and whose packets count (symmetric RTP, RFC 4961).
//!
//! Nothing here holds a socket, a clock or a random number: whoever does hands in what was received, when, and the
//! numbers that a stream must begin with.

pub mod latch;
pub mod quality;
pub mod rtcp;
pub mod telephone_event;

pub use latch::Latch;
pub use rtcp::Reception;
pub use telephone_event::{KeyReceiver, KeySender};

/// Bytes of a header without contributing sources and extension.
pub const HEADER_BYTES: usize = 12;

/// What stands before the payload, without contributing sources and extension: neither is sent by this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// First packet after a silence, or first packet of a key.
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Counts packets, wraps.
    pub sequence: u16,
    /// Counts samples of the payload's clock, wraps.
    pub timestamp: u32,
    /// Names the stream.
    pub ssrc: u32,
}

impl Header {
    /// Appends the header.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend([0x80, u8::from(self.marker) << 7 | self.payload_type & 0x7f]);
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
    }
}

/// A received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The header.
    pub header: Header,
    /// The payload, without padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram. `None` when it is no RTP packet of version 2, or shorter than it says.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (fixed, mut rest) = datagram.split_first_chunk::<HEADER_BYTES>()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let [_, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        let contributing = usize::from(fixed[0] & 0x0f) * 4;
        rest = rest.get(contributing..)?;
        if fixed[0] & 0x10 != 0 {
            let (head, _) = rest.split_first_chunk::<4>()?;
            let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
            rest = rest.get(4 + words * 4..)?;
        }
        if fixed[0] & 0x20 != 0 {
            let padding = usize::from(*rest.last()?);
            if padding == 0 || padding > rest.len() {
                return None;
            }
            rest = &rest[..rest.len() - padding];
        }
        let header = Header {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        };
        Some(Self { header, payload: rest })
    }
}

/// Whether a datagram on a port that carries both is a report (RFC 5761, 4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.len() >= 8 && datagram[0] >> 6 == 2 && (192..=223).contains(&datagram[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: Header =
        Header { marker: true, payload_type: 101, sequence: 0xfffe, timestamp: 0xdead_beef, ssrc: 0xcafe_babe };

    #[test]
    fn a_header_is_laid_out_as_the_standard_draws_it() {
        let mut bytes = Vec::new();
        HEADER.write(&mut bytes);
        assert_eq!(bytes, [0x80, 0xe5, 0xff, 0xfe, 0xde, 0xad, 0xbe, 0xef, 0xca, 0xfe, 0xba, 0xbe]);
        bytes.extend([1, 2, 3]);
        assert_eq!(Packet::parse(&bytes), Some(Packet { header: HEADER, payload: &[1, 2, 3] }));
    }

    #[test]
    fn sources_extension_and_padding_are_not_taken_for_audio() {
        let mut bytes = vec![0x80 | 0x20 | 0x10 | 2, 0];
        bytes.extend([0; 10]);
        bytes.extend([9; 8]); // two contributing sources
        bytes.extend([0xbe, 0xde, 0, 1, 7, 7, 7, 7]); // one word of extension
        bytes.extend([42, 43]);
        bytes.extend([0, 0, 3]); // padding
        assert_eq!(Packet::parse(&bytes).unwrap().payload, [42, 43]);
    }

    #[test]
    fn what_is_cut_short_or_of_another_version_is_no_packet() {
        assert_eq!(Packet::parse(&[0x80; 11]), None);
        assert_eq!(Packet::parse(&[0x40; 20]), None);
        assert_eq!(Packet::parse(&[[0x8f].as_slice(), &[0; 20]].concat()), None, "fifteen sources do not fit");
        assert_eq!(Packet::parse(&[[0xa0].as_slice(), &[0; 12]].concat()), None, "padding of no length");
        assert_eq!(Packet::parse(&[[0xa0].as_slice(), &[0; 11], &[2]].concat()), None, "more padding than packet");
        assert_eq!(Packet::parse(&[[0x90].as_slice(), &[0; 11], &[0, 0, 0, 1]].concat()), None);
    }

    #[test]
    fn reports_are_told_from_audio_by_their_type() {
        assert!(is_rtcp(&[0x80, 200, 0, 6, 0, 0, 0, 0]));
        assert!(!is_rtcp(&[0x80, 0xe5, 0, 6, 0, 0, 0, 0]));
        assert!(!is_rtcp(&[0x80, 200]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_datagram_is_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200), first in any::<u8>()) {
            let mut bytes = bytes;
            if let Some(byte) = bytes.first_mut() {
                *byte = 0x80 | first;
            }
            if let Some(packet) = Packet::parse(&bytes) {
                prop_assert!(packet.payload.len() + HEADER_BYTES <= bytes.len());
            }
            is_rtcp(&bytes);
        }
    }
}
