//! Linear 16-bit PCM as bytes: little-endian (WAV, most vendors) and big-endian (RTP `L16`, RFC 3551 section 4.5.11).

/// Appends the samples of little-endian bytes. Returns how many bytes were used: all but a trailing odd one, which the
/// caller keeps for the next message.
pub fn decode_le(bytes: &[u8], out: &mut Vec<i16>) -> usize {
    let (pairs, rest) = bytes.as_chunks::<2>();
    out.extend(pairs.iter().map(|&pair| i16::from_le_bytes(pair)));
    bytes.len() - rest.len()
}

/// As [`decode_le`], for big-endian bytes.
pub fn decode_be(bytes: &[u8], out: &mut Vec<i16>) -> usize {
    let (pairs, rest) = bytes.as_chunks::<2>();
    out.extend(pairs.iter().map(|&pair| i16::from_be_bytes(pair)));
    bytes.len() - rest.len()
}

/// Appends two little-endian bytes per sample.
pub fn encode_le(pcm: &[i16], out: &mut Vec<u8>) {
    out.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
}

/// Appends two big-endian bytes per sample.
pub fn encode_be(pcm: &[i16], out: &mut Vec<u8>) {
    out.extend(pcm.iter().flat_map(|sample| sample.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn samples_survive_both_byte_orders(pcm in prop::collection::vec(any::<i16>(), 0..200)) {
            let (mut le, mut be) = (Vec::new(), Vec::new());
            encode_le(&pcm, &mut le);
            encode_be(&pcm, &mut be);
            let (mut a, mut b) = (Vec::new(), Vec::new());
            prop_assert_eq!(decode_le(&le, &mut a), le.len());
            prop_assert_eq!(decode_be(&be, &mut b), be.len());
            prop_assert_eq!(&a, &pcm);
            prop_assert_eq!(&b, &pcm);
        }
    }

    #[test]
    fn odd_trailing_byte_is_left_to_the_caller() {
        let mut pcm = Vec::new();
        assert_eq!(decode_le(&[1, 0, 2], &mut pcm), 2);
        assert_eq!(pcm, [1]);
    }
}
