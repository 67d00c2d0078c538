//! Encryption at rest of what a disk should not give away by itself, such as the recorded inputs of calls.
//!
//! One data key of 32 random bytes belongs to an installation. From it a key is derived for each tenant and from that one
//! for each row (HKDF-SHA256, RFC 5869), with which every line is sealed (AES-256-GCM, a random nonce each). Business,
//! table, row and line are bound in as associated data, so that ciphertext which is moved anywhere else does not open. The
//! id of the data key stands in front of each sealed line: after a change of keys, old lines open with the old key.
//!
//! ```text
//! byte 0      version, 1
//! bytes 1–8   id of the data key
//! bytes 9–20  nonce
//! from 21     ciphertext, then the tag of 16 bytes
//! ```

use crate::error::StoreError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::rand;
use base::{BusinessId, Secret};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

const VERSION: u8 = 1;
const DATA_KEY_BYTES: usize = 32;
pub(crate) const KEY_ID_BYTES: usize = 8;
const TAG_BYTES: usize = 16;
const NONCE_AT: usize = 1 + KEY_ID_BYTES;
const HEADER_BYTES: usize = NONCE_AT + NONCE_LEN;
const SALT: &[u8] = b"frontdesk data key";

/// Names a data key without telling anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; KEY_ID_BYTES]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why there is no data key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is no key.
    #[error("a data key is 64 hexadecimal digits (32 random bytes), as `openssl rand -hex 32` prints them")]
    Text,
    /// The key file cannot be read or written, or holds something else.
    #[error("the data key {path}: {why}")]
    File {
        /// Where it is.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl From<KeyError> for StoreError {
    fn from(error: KeyError) -> StoreError {
        StoreError::Sealed(error.to_string())
    }
}

/// A data key, ready to derive from.
#[derive(Clone)]
pub struct DataKey {
    id: KeyId,
    root: Arc<Prk>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}

/// Length of a key id, for the key derivation.
struct IdLength;

impl KeyType for IdLength {
    fn len(&self) -> usize {
        KEY_ID_BYTES
    }
}

impl DataKey {
    fn of(bytes: &[u8; DATA_KEY_BYTES]) -> Self {
        let root = Salt::new(HKDF_SHA256, SALT).extract(bytes);
        let mut id = [0; KEY_ID_BYTES];
        let okm = root.expand(&[b"key id"], IdLength).and_then(|okm| okm.fill(&mut id));
        okm.expect("8 bytes are below the bound of HKDF");
        Self { id: KeyId(id), root: Arc::new(root) }
    }

    /// Reads a key from its 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`KeyError::Text`].
    pub fn parse(text: &Secret<String>) -> Result<Self, KeyError> {
        let digits = text.expose().trim().as_bytes();
        let mut bytes = [0; DATA_KEY_BYTES];
        if digits.len() != DATA_KEY_BYTES * 2 {
            return Err(KeyError::Text);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let nibble = |digit: u8| char::from(digit).to_digit(16).ok_or(KeyError::Text);
            // Two hexadecimal digits fit a byte.
            *byte = (nibble(pair[0])? << 4 | nibble(pair[1])?) as u8;
        }
        Ok(Self::of(&bytes))
    }

    /// Reads the key in this file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let file = |why: String| KeyError::File { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(|error| file(error.to_string()))?;
        if !is_private(path) {
            tracing::warn!(path = %path.display(), "others on this machine can read the data key; chmod 600 mends it");
        }
        Self::parse(&Secret::new(text)).map_err(|error| file(error.to_string()))
    }

    /// Reads the key in this file, or makes one and keeps it there, readable by this user alone.
    ///
    /// # Errors
    /// When the file can be neither read nor written, or holds no key.
    pub fn read_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::read(path) {
            Err(KeyError::File { .. }) if !path.exists() => {}
            known => return known,
        }
        let file = |why: String| KeyError::File { path: path.to_owned(), why };
        let mut bytes = [0; DATA_KEY_BYTES];
        rand::fill(&mut bytes).map_err(|_| file("this machine gives no random numbers".into()))?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match write_new(path, &text) {
            Ok(()) => Ok(Self::of(&bytes)),
            // Another process was faster: its key is the key.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(file(error.to_string())),
        }
    }

    /// Its name.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    fn row_key(&self, row: &Row) -> LessSafeKey {
        const FITS: &str = "32 bytes are below the bound of HKDF";
        let tenant = [b"tenant".as_slice(), row.business.0.as_bytes()];
        let tenant = Prk::from(self.root.expand(&tenant, HKDF_SHA256).expect(FITS));
        // The table comes last: everything before it has a fixed length.
        let info = [b"row".as_slice(), row.id.as_bytes(), row.table.as_bytes()];
        LessSafeKey::new(UnboundKey::from(tenant.expand(&info, &AES_256_GCM).expect(FITS)))
    }

    /// A key for one writing of one object: with the same salt it is the same, so its chunks may be counted.
    fn object_key(&self, object: &SealedObject<'_>, salt: &[u8; OBJECT_SALT_BYTES]) -> LessSafeKey {
        const FITS: &str = "32 bytes are below the bound of HKDF";
        let tenant = [b"tenant".as_slice(), object.business.0.as_bytes()];
        let tenant = Prk::from(self.root.expand(&tenant, HKDF_SHA256).expect(FITS));
        let info = [b"object".as_slice(), salt, object.kind.as_bytes(), b"\0", object.name.as_bytes()];
        LessSafeKey::new(UnboundKey::from(tenant.expand(&info, &AES_256_GCM).expect(FITS)))
    }
}

/// Bytes of the salt of an object.
pub(crate) const OBJECT_SALT_BYTES: usize = 16;

/// Which object is sealed: it opens under this name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedObject<'a> {
    pub(crate) business: BusinessId,
    /// Holds no zero byte.
    pub(crate) kind: &'static str,
    pub(crate) name: &'a str,
}

/// Writes a file that appears whole or not at all, and never replaces one.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    // On another engine than a file the folder of the key may be the first thing that is made.
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_extension(format!("key.{}", Uuid::new_v4().as_simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&part).and_then(|mut file| {
        writeln!(file, "{text}")?;
        file.sync_all()?;
        std::fs::hard_link(&part, path)
    });
    let _ = std::fs::remove_file(&part);
    written
}

/// Whether only the owner of a file can read it. True where files have no such permissions.
pub fn is_private(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        true
    }
}

/// The data keys of an installation: one that seals, and older ones that still open.
#[derive(Clone, Debug)]
pub struct Keyring {
    current: DataKey,
    old: Vec<DataKey>,
}

/// A row of which lines are sealed, such as the recorded inputs of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose it is.
    pub business: BusinessId,
    /// What it is part of.
    pub table: &'static str,
    /// Which.
    pub id: Uuid,
}

impl Keyring {
    /// Seals with this key, opens with it and the old ones.
    pub fn new(current: DataKey, old: Vec<DataKey>) -> Self {
        Self { current, old }
    }

    /// Adds a key that only opens.
    #[must_use]
    pub fn and_old(mut self, key: DataKey) -> Self {
        if key.id != self.current.id {
            self.old.push(key);
        }
        self
    }

    /// The key that seals.
    pub const fn current(&self) -> KeyId {
        self.current.id
    }

    /// The key that seals a new object, and the id and salt to write in front of it.
    pub(crate) fn seal_object(
        &self,
        object: &SealedObject<'_>,
    ) -> Result<(LessSafeKey, [u8; KEY_ID_BYTES], [u8; OBJECT_SALT_BYTES]), StoreError> {
        let mut salt = [0; OBJECT_SALT_BYTES];
        rand::fill(&mut salt).map_err(|_| StoreError::Sealed("this machine gives no random numbers".into()))?;
        Ok((self.current.object_key(object, &salt), self.current.id.0, salt))
    }

    /// The key that opens an object with this id and salt in front of it.
    pub(crate) fn open_object(
        &self,
        object: &SealedObject<'_>,
        id: &[u8],
        salt: &[u8; OBJECT_SALT_BYTES],
    ) -> Result<LessSafeKey, StoreError> {
        let known = std::iter::once(&self.current).chain(&self.old).find(|key| key.id.0 == *id);
        let missing = || {
            let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            StoreError::Sealed(format!(
                "the object is sealed with the data key {id}, which is not here; add it to secrets.data_keys_old"
            ))
        };
        known.map(|key| key.object_key(object, salt)).ok_or_else(missing)
    }

    /// A key of 32 bytes for another purpose than sealing, from each data key: the current one first, each with the id of
    /// the data key that it comes from.
    pub fn derive(&self, purpose: &'static str) -> Vec<(KeyId, Secret<[u8; 32]>)> {
        let derived = |key: &DataKey| {
            let mut bytes = [0; 32];
            let okm =
                key.root.expand(&[b"purpose", purpose.as_bytes()], HKDF_SHA256).and_then(|okm| okm.fill(&mut bytes));
            okm.expect("32 bytes are below the bound of HKDF");
            (key.id, Secret::new(bytes))
        };
        std::iter::once(&self.current).chain(&self.old).map(derived).collect()
    }

    /// Everything to seal and open lines of one row.
    pub fn row(&self, row: Row) -> RowSeal {
        let keys = std::iter::once(&self.current).chain(&self.old).map(|key| (key.id, key.row_key(&row))).collect();
        RowSeal { row, keys }
    }
}

/// Seals and opens the lines of one row.
pub struct RowSeal {
    row: Row,
    /// The first one seals.
    keys: Vec<(KeyId, LessSafeKey)>,
}

impl RowSeal {
    fn bound(&self, header: &[u8], line: u64) -> Aad<Vec<u8>> {
        let Row { business, table, id } = &self.row;
        let place = [header, business.0.as_bytes(), id.as_bytes(), &line.to_be_bytes(), table.as_bytes()];
        Aad::from(place.concat())
    }

    /// Seals a text as this line of the row.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn seal(&self, line: u64, text: &str) -> Result<Vec<u8>, StoreError> {
        let failed = |_| StoreError::Sealed("a line could not be sealed".into());
        let (id, key) = self.keys.first().ok_or_else(|| StoreError::Sealed("there is no data key".into()))?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(failed)?;
        let mut sealed = Vec::with_capacity(HEADER_BYTES + text.len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&id.0);
        let bound = self.bound(&sealed, line);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(text.as_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, bound, &mut sealed[HEADER_BYTES..]).map_err(failed)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens this line of the row.
    ///
    /// # Errors
    /// [`StoreError::Sealed`]: the key is not here, or the line was changed or belongs somewhere else.
    pub fn open(&self, line: u64, sealed: &[u8]) -> Result<String, StoreError> {
        let refused = |why: String| StoreError::Sealed(format!("line {line} of the {} {why}", self.row.table));
        if sealed.len() < HEADER_BYTES + TAG_BYTES {
            return Err(refused("is cut off".into()));
        }
        let (header, rest) = sealed.split_at(NONCE_AT);
        let (nonce, text) = rest.split_at(NONCE_LEN);
        if header[0] != VERSION {
            return Err(refused(format!("is sealed in the form {}, which this program does not know", header[0])));
        }
        let Some((_, key)) = self.keys.iter().find(|(id, _)| id.0 == header[1..]) else {
            let id: String = header[1..].iter().map(|byte| format!("{byte:02x}")).collect();
            return Err(refused(format!(
                "is sealed with the data key {id}, which is not here; add it to secrets.data_keys_old"
            )));
        };
        let altered = || refused("does not open: it was changed, or moved from another line, call or business".into());
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| altered())?;
        let mut text = text.to_vec();
        let length = key.open_in_place(nonce, self.bound(header, line), &mut text).map_err(|_| altered())?.len();
        text.truncate(length);
        String::from_utf8(text).map_err(|_| refused("is not text".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: char) -> DataKey {
        DataKey::parse(&Secret::new(digit.to_string().repeat(64))).expect("a key")
    }

    fn row(table: &'static str) -> Row {
        Row { business: BusinessId(Uuid::from_u128(1)), table, id: Uuid::from_u128(2) }
    }

    #[test]
    fn a_line_opens_where_it_was_sealed_and_nowhere_else() {
        let ring = Keyring::new(key('a'), vec![]);
        let sealed = ring.row(row("inputs")).seal(7, "Priya").expect("sealed");
        assert!(!sealed.windows(5).any(|part| part == b"Priya"));
        assert_eq!(ring.row(row("inputs")).open(7, &sealed), Ok("Priya".into()));
        let elsewhere = [
            (row("inputs"), 8),
            (row("messages"), 7),
            (Row { business: BusinessId(Uuid::from_u128(9)), ..row("inputs") }, 7),
            (Row { id: Uuid::from_u128(9), ..row("inputs") }, 7),
        ];
        for (row, line) in elsewhere {
            let error = ring.row(row).open(line, &sealed).expect_err("moved").to_string();
            assert!(error.contains("does not open") && error.contains("moved"), "{error}");
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let seal = Keyring::new(key('a'), vec![]).row(row("inputs"));
        let sealed = seal.seal(1, "yes").expect("sealed");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(matches!(seal.open(1, &changed), Err(StoreError::Sealed(_))), "byte {at}");
            assert!(matches!(seal.open(1, &sealed[..at]), Err(StoreError::Sealed(_))), "cut at {at}");
        }
        assert_ne!(seal.seal(1, "yes").expect("sealed"), sealed, "the same text never looks the same");
    }

    #[test]
    fn an_old_key_opens_and_a_missing_one_is_named() {
        let sealed = Keyring::new(key('a'), vec![]).row(row("inputs")).seal(1, "yes").expect("sealed");
        let rotated = Keyring::new(key('b'), vec![key('a')]);
        assert_eq!(rotated.row(row("inputs")).open(1, &sealed), Ok("yes".into()));
        let error = Keyring::new(key('b'), vec![]).row(row("inputs")).open(1, &sealed).expect_err("no key").to_string();
        assert!(error.contains(&key('a').id().to_string()) && error.contains("secrets.data_keys_old"), "{error}");
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("frontdesk.key");
        let first = DataKey::read_or_create(&path).expect("a key");
        assert_eq!(DataKey::read_or_create(&path).expect("the same key").id(), first.id());
        assert!(is_private(&path));
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left there");
        std::fs::write(&path, "short").expect("written");
        let error = DataKey::read_or_create(&path).expect_err("no key").to_string();
        assert!(error.contains("frontdesk.key") && error.contains("64 hexadecimal digits"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "short", "what is there is never replaced");
    }
}
