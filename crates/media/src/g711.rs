//! G.711 µ-law and A-law (ITU-T G.711, 1988): 8 bits a sample, 64 kbit/s at 8 kHz.

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

/// Which of the two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// µ-law (PCMU, RTP payload type 0): North America, Japan.
    Ulaw,
    /// A-law (PCMA, RTP payload type 8): elsewhere. Even bits inverted, as on the wire.
    Alaw,
}

impl Law {
    /// The byte of digital silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Ulaw => 0xff,
            Self::Alaw => 0xd5,
        }
    }

    /// Appends one sample per byte.
    pub fn decode(self, bytes: &[u8], out: &mut Vec<i16>) {
        match self {
            Self::Ulaw => out.extend(bytes.iter().map(|&byte| decode_ulaw(byte))),
            Self::Alaw => out.extend(bytes.iter().map(|&byte| decode_alaw(byte))),
        }
    }

    /// Appends one byte per sample.
    pub fn encode(self, pcm: &[i16], out: &mut Vec<u8>) {
        match self {
            Self::Ulaw => out.extend(pcm.iter().map(|&sample| encode_ulaw(sample))),
            Self::Alaw => out.extend(pcm.iter().map(|&sample| encode_alaw(sample))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_decoding_and_encoding_except_negative_zero() {
        for law in [Law::Ulaw, Law::Alaw] {
            let codes: Vec<u8> = (0..=255).collect();
            let mut pcm = Vec::new();
            law.decode(&codes, &mut pcm);
            let mut again = Vec::new();
            law.encode(&pcm, &mut again);
            for (&before, &after) in codes.iter().zip(&again) {
                assert!(
                    before == after || (law == Law::Ulaw && before == 0x7f && after == 0xff),
                    "{law:?} {before:#x}"
                );
            }
        }
    }

    #[test]
    fn companding_error_stays_within_the_step_of_the_segment() {
        for law in [Law::Ulaw, Law::Alaw] {
            let pcm: Vec<i16> = (i16::MIN..=i16::MAX).collect();
            let (mut bytes, mut back) = (Vec::new(), Vec::new());
            law.encode(&pcm, &mut bytes);
            law.decode(&bytes, &mut back);
            for (&sample, &heard) in pcm.iter().zip(&back) {
                let error = (i32::from(sample) - i32::from(heard)).abs();
                assert!(error <= (i32::from(sample).abs() / 16).max(16), "{law:?} {sample} -> {heard}");
            }
        }
    }

    #[test]
    fn silence_is_silent() {
        for law in [Law::Ulaw, Law::Alaw] {
            let mut pcm = Vec::new();
            law.decode(&[law.silence()], &mut pcm);
            assert!(pcm[0].abs() <= 8);
        }
    }
}
