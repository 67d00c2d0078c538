//! Objects as they lie in storage: sealed in chunks, so that they can be written as they come and read from the middle.
//!
//! ```text
//! bytes 0–3    "fdo1"
//! bytes 4–11   id of the data key
//! bytes 12–27  salt
//! from 28      chunks: 65,536 bytes of ciphertext (the last one fewer, perhaps none) and a tag of 16 bytes each
//! ```
//!
//! AES-256-GCM under a key that is derived from the data key for this business, this name and this salt (HKDF-SHA256,
//! RFC 5869), so no two writings share one. The nonce is the number of the chunk and whether it is the last one, as in the
//! STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance, 2015): chunks that were moved, left out, repeated or cut off do not open.

use crate::error::StoreError;
use crate::seal::{KEY_ID_BYTES, Keyring, OBJECT_SALT_BYTES, SealedObject};
use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use std::ops::Range;

const MAGIC: &[u8; 4] = b"fdo1";
const SALT_AT: usize = MAGIC.len() + KEY_ID_BYTES;
/// What stands in front of the chunks.
pub(super) const HEADER_BYTES: usize = SALT_AT + OBJECT_SALT_BYTES;
const TAG_BYTES: usize = 16;
/// Plain bytes of a chunk.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;
const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

fn nonce(index: u64, is_last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[..8].copy_from_slice(&index.to_be_bytes());
    bytes[NONCE_LEN - 1] = u8::from(is_last);
    Nonce::assume_unique_for_key(bytes)
}

/// Seals an object chunk by chunk.
pub(super) struct Sealer {
    key: LessSafeKey,
    index: u64,
}

impl Sealer {
    /// Answers what goes in front of the chunks, too.
    pub(super) fn new(keys: &Keyring, object: &SealedObject<'_>) -> Result<(Self, [u8; HEADER_BYTES]), StoreError> {
        let (key, id, salt) = keys.seal_object(object)?;
        let mut header = [0; HEADER_BYTES];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[MAGIC.len()..SALT_AT].copy_from_slice(&id);
        header[SALT_AT..].copy_from_slice(&salt);
        Ok((Self { key, index: 0 }, header))
    }

    /// Whether nothing was sealed yet.
    pub(super) const fn is_fresh(&self) -> bool {
        self.index == 0
    }

    /// Seals the next chunk in place; every one but the last has [`CHUNK_BYTES`].
    pub(super) fn seal(&mut self, chunk: &mut Vec<u8>, is_last: bool) -> Result<(), StoreError> {
        let sealed = self.key.seal_in_place_append_tag(nonce(self.index, is_last), Aad::empty(), chunk);
        self.index += 1;
        sealed.map_err(|_| StoreError::Sealed("an object could not be sealed".into()))
    }
}

/// Opens chunks of an object.
pub(super) struct Opener {
    key: LessSafeKey,
    /// Bytes of the whole as it lies in storage.
    sealed: u64,
}

impl Opener {
    /// `header` is what stands in front, `sealed` the size of the whole.
    pub(super) fn new(
        keys: &Keyring,
        object: &SealedObject<'_>,
        header: &[u8],
        sealed: u64,
    ) -> Result<Self, StoreError> {
        let strange = || StoreError::Sealed("the object is not one that this program wrote, or was cut off".into());
        let salt: [u8; OBJECT_SALT_BYTES] =
            header.get(SALT_AT..HEADER_BYTES).and_then(|salt| salt.try_into().ok()).ok_or_else(strange)?;
        if !header.starts_with(MAGIC) {
            return Err(strange());
        }
        let body = sealed.checked_sub(HEADER_BYTES as u64).ok_or_else(strange)?;
        let rest = body % SEALED_CHUNK_BYTES as u64;
        if body == 0 || (rest != 0 && rest < TAG_BYTES as u64) {
            return Err(strange());
        }
        Ok(Self { key: keys.open_object(object, &header[MAGIC.len()..SALT_AT], &salt)?, sealed })
    }

    fn chunks(&self) -> u64 {
        (self.sealed - HEADER_BYTES as u64).div_ceil(SEALED_CHUNK_BYTES as u64)
    }

    /// Plain bytes of the whole.
    pub(super) fn length(&self) -> u64 {
        self.sealed - HEADER_BYTES as u64 - self.chunks() * TAG_BYTES as u64
    }

    /// What to read for these plain bytes: the first chunk, and the place of all of them in storage. `None` when there is
    /// nothing to read.
    pub(super) fn place(&self, wanted: &Range<u64>) -> Option<(u64, Range<u64>)> {
        if wanted.start >= wanted.end || wanted.end > self.length() {
            return None;
        }
        let first = wanted.start / CHUNK_BYTES as u64;
        let last = (wanted.end - 1) / CHUNK_BYTES as u64;
        let at = |chunk: u64| HEADER_BYTES as u64 + chunk * SEALED_CHUNK_BYTES as u64;
        Some((first, at(first)..at(last + 1).min(self.sealed)))
    }

    /// Bytes of this chunk as it lies in storage.
    pub(super) fn chunk_bytes(&self, chunk: u64) -> usize {
        let at = HEADER_BYTES as u64 + chunk * SEALED_CHUNK_BYTES as u64;
        usize::try_from(self.sealed.saturating_sub(at)).unwrap_or(usize::MAX).min(SEALED_CHUNK_BYTES)
    }

    /// Opens a chunk in place.
    pub(super) fn open(&self, chunk: u64, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
        let is_last = chunk + 1 == self.chunks();
        let altered =
            |_| StoreError::Sealed("the object does not open: it was changed, cut off, or moved from elsewhere".into());
        let length = self.key.open_in_place(nonce(chunk, is_last), Aad::empty(), bytes).map_err(altered)?.len();
        bytes.truncate(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::DataKey;
    use base::{BusinessId, Secret};
    use uuid::Uuid;

    fn keys(digit: char) -> Keyring {
        Keyring::new(DataKey::parse(&Secret::new(digit.to_string().repeat(64))).expect("a key"), Vec::new())
    }

    fn object(name: &str) -> SealedObject<'_> {
        SealedObject { business: BusinessId(Uuid::from_u128(1)), kind: "recordings", name }
    }

    fn seal(name: &str, plain: &[u8]) -> Vec<u8> {
        let (mut sealer, header) = Sealer::new(&keys('a'), &object(name)).expect("sealer");
        let mut sealed = header.to_vec();
        let mut chunks: Vec<&[u8]> = plain.chunks(CHUNK_BYTES).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        for (at, chunk) in chunks.iter().enumerate() {
            let mut chunk = chunk.to_vec();
            sealer.seal(&mut chunk, at + 1 == chunks.len()).expect("sealed");
            sealed.extend_from_slice(&chunk);
        }
        sealed
    }

    fn open(name: &str, sealed: &[u8], wanted: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let opener = Opener::new(&keys('a'), &object(name), sealed, sealed.len() as u64)?;
        let Some((first, place)) = opener.place(&wanted) else { return Ok(Vec::new()) };
        let mut plain = Vec::new();
        let mut rest = &sealed[place.start as usize..place.end as usize];
        let mut chunk = first;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(opener.chunk_bytes(chunk));
            let mut bytes = head.to_vec();
            opener.open(chunk, &mut bytes)?;
            plain.extend_from_slice(&bytes);
            rest = tail;
            chunk += 1;
        }
        let skip = (wanted.start - first * CHUNK_BYTES as u64) as usize;
        Ok(plain[skip..skip + (wanted.end - wanted.start) as usize].to_vec())
    }

    #[test]
    fn every_size_around_a_chunk_comes_back_whole_and_in_part() {
        let chunk = CHUNK_BYTES as u64;
        for size in [0, 1, 15, 16, 17, chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 7] {
            let plain: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let sealed = seal("a", &plain);
            let opener = Opener::new(&keys('a'), &object("a"), &sealed, sealed.len() as u64).expect("opens");
            assert_eq!(opener.length(), size);
            assert_eq!(open("a", &sealed, 0..size).expect("opens"), plain);
            for wanted in [0..1, size / 2..size, size.saturating_sub(1)..size, chunk - 1..chunk + 1, chunk..2 * chunk] {
                if wanted.end <= size && wanted.start < wanted.end {
                    let part = plain[wanted.start as usize..wanted.end as usize].to_vec();
                    assert_eq!(open("a", &sealed, wanted), Ok(part));
                }
            }
        }
    }

    #[test]
    fn what_was_changed_moved_or_cut_off_does_not_open() {
        let size = 2 * CHUNK_BYTES as u64 + 100;
        let sealed = seal("a", &vec![7; size as usize]);
        for at in [0, 4, 12, 27, 28, 100, SEALED_CHUNK_BYTES + 40, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open("a", &changed, 0..size).is_err(), "byte {at}");
        }
        assert!(open("b", &sealed, 0..size).is_err(), "another name");
        let of = |bytes: &[u8]| {
            let opener = Opener::new(&keys('a'), &object("a"), bytes, bytes.len() as u64)?;
            open("a", bytes, 0..opener.length())
        };
        assert!(of(&sealed[..HEADER_BYTES + SEALED_CHUNK_BYTES]).is_err(), "whole chunks are missing at the end");
        assert!(of(&sealed[..HEADER_BYTES]).is_err(), "all chunks are missing");
        assert!(of(&sealed[..10]).is_err());
        let mut swapped = sealed.clone();
        swapped.copy_within(HEADER_BYTES..HEADER_BYTES + SEALED_CHUNK_BYTES, HEADER_BYTES + SEALED_CHUNK_BYTES);
        assert!(of(&swapped).is_err(), "a chunk twice");
        assert!(Opener::new(&keys('b'), &object("a"), &sealed, sealed.len() as u64).is_err(), "another key");
    }

    #[test]
    fn the_same_object_never_looks_the_same() {
        assert_ne!(seal("a", b"hello"), seal("a", b"hello"));
        assert!(!seal("a", b"planted words").windows(7).any(|part| part == b"planted"));
    }
}
