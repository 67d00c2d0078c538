//! Objects: recordings and documents, in a folder of this machine or with a service ([`ObjectPlace`]).
//!
//! They are sealed with the data key before they leave the process ([`sealed`]), each bound to its business and its name: who
//! reads the storage reads nothing, and what is moved or changed there does not open. The library that speaks to the services
//! makes its own connections; where they go is said by the operator alone, as with the database.

mod place;
mod sealed;

pub use place::ObjectPlace;

use crate::error::StoreError;
use crate::seal::{Keyring, SealedObject};
use base::{BusinessId, limits};
use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutPayload, WriteMultipart};
use sealed::{CHUNK_BYTES, HEADER_BYTES, Opener, Sealer};
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

/// Which object. It opens under this name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Whose it is.
    pub business: BusinessId,
    /// What it is part of, such as [`RECORDINGS`].
    pub kind: &'static str,
    /// Its name there: 1 to 200 letters, digits, dots, dashes and underscores, without a dot in front.
    pub name: String,
}

/// The kind of recordings of calls.
pub const RECORDINGS: &str = "recordings";
/// The kind of traces of what went over the wire.
pub const TRACES: &str = "traces";
/// The kind of documents that wait to be taken in.
pub const DOCUMENTS: &str = "documents";

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.business, self.name)
    }
}

impl ObjectName {
    fn sealed(&self) -> SealedObject<'_> {
        SealedObject { business: self.business, kind: self.kind, name: &self.name }
    }

    fn check(&self) -> Result<(), ObjectError> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let fits = (1..=200).contains(&self.name.len()) && !self.name.starts_with('.');
        (fits && self.name.chars().all(known)).then_some(()).ok_or(ObjectError::Name)
    }
}

/// Why an object could not be written, read or deleted. The text never holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is none of that name.
    #[error("there is no such object")]
    Missing,
    /// The name makes no sense.
    #[error("the name of an object is 1 to 200 letters, digits, dots, dashes and underscores")]
    Name,
    /// The storage is away, too slow, or refuses us.
    #[error("the storage of objects: {0}")]
    Away(String),
    /// It does not open.
    #[error(transparent)]
    Sealed(#[from] StoreError),
    /// A file on this machine cannot be read.
    #[error("a file cannot be read: {0}")]
    File(#[from] std::io::Error),
    /// It is larger than [`limits::OBJECT_BYTES_MAX`].
    #[error("the object is too large")]
    TooLarge,
}

impl From<object_store::Error> for ObjectError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            other => Self::Away(other.to_string()),
        }
    }
}

/// Storage of objects. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    storage: Arc<dyn ObjectStore>,
    prefix: Key,
    keys: Keyring,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("storage", &self.storage.to_string()).finish_non_exhaustive()
    }
}

/// An object that is open for reading.
pub struct Object {
    objects: Objects,
    key: Key,
    opener: Opener,
}

/// What an object consists of, as it comes.
pub type ObjectBytes = BoxStream<'static, Result<Bytes, ObjectError>>;

impl Objects {
    /// Storage at this place, sealed with these keys.
    ///
    /// # Errors
    /// When the place makes no sense. Whether it is there is said by [`Objects::check`].
    pub fn open(place: &ObjectPlace, keys: Keyring) -> Result<Self, String> {
        let (storage, prefix) = place.open()?;
        Ok(Self { storage, prefix, keys })
    }

    fn key(&self, name: &ObjectName) -> Result<Key, ObjectError> {
        name.check()?;
        let parts = [name.kind, &name.business.to_string(), &name.name];
        Ok(parts.into_iter().fold(self.prefix.clone(), |key, part| key.join(part)))
    }

    /// Writes a small object, which replaces an earlier one of the same name.
    ///
    /// # Errors
    /// When the storage does not take it.
    pub async fn put(&self, name: &ObjectName, bytes: &[u8]) -> Result<(), ObjectError> {
        self.put_from(name, bytes, bytes.len() as u64).await
    }

    /// Writes what is in a file, which replaces an earlier object of the same name. It appears whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be read or the storage does not take it.
    pub async fn put_file(&self, name: &ObjectName, path: &Path) -> Result<u64, ObjectError> {
        let file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        // What is appended meanwhile is not part of it.
        self.put_from(name, file.take(length), length).await?;
        Ok(length)
    }

    async fn put_from(&self, name: &ObjectName, from: impl AsyncRead + Unpin, length: u64) -> Result<(), ObjectError> {
        if length > limits::OBJECT_BYTES_MAX {
            return Err(ObjectError::TooLarge);
        }
        let key = self.key(name)?;
        let (sealer, header) = Sealer::new(&self.keys, &name.sealed())?;
        let chunks = Chunks { from, sealer, ahead: None };
        if length <= limits::OBJECT_PART_BYTES as u64 {
            self.put_whole(&key, &header, chunks).await
        } else {
            self.put_in_parts(&key, &header, chunks).await
        }
    }

    async fn put_whole<F: AsyncRead + Unpin>(
        &self,
        key: &Key,
        header: &[u8],
        mut chunks: Chunks<F>,
    ) -> Result<(), ObjectError> {
        let mut whole = header.to_vec();
        while let Some(chunk) = chunks.next().await? {
            whole.extend_from_slice(&chunk);
        }
        in_time(self.storage.put(key, PutPayload::from(whole))).await.map(drop)
    }

    async fn put_in_parts<F: AsyncRead + Unpin>(
        &self,
        key: &Key,
        header: &[u8],
        mut chunks: Chunks<F>,
    ) -> Result<(), ObjectError> {
        let upload = in_time(self.storage.put_multipart(key)).await?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, limits::OBJECT_PART_BYTES);
        parts.write(header);
        let written = loop {
            match chunks.next().await {
                Ok(Some(chunk)) => {
                    parts.put(Bytes::from(chunk));
                    if let Err(error) = in_time(parts.wait_for_capacity(limits::OBJECT_PARTS_MAX)).await {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        match written {
            Ok(()) => in_time(parts.finish()).await.map(drop),
            Err(error) => {
                // What is left of it is swept by the service; the first error is the one to tell.
                let _ = in_time(parts.abort()).await;
                Err(error)
            }
        }
    }

    /// Opens an object for reading.
    ///
    /// # Errors
    /// [`ObjectError::Missing`], or when it does not open or the storage does not answer.
    pub async fn get(&self, name: &ObjectName) -> Result<Object, ObjectError> {
        let key = self.key(name)?;
        let head = GetOptions { range: Some(GetRange::Bounded(0..HEADER_BYTES as u64)), ..GetOptions::default() };
        let head = in_time(self.storage.get_opts(&key, head)).await?;
        let sealed = head.meta.size;
        let header = in_time(head.bytes()).await?;
        let opener = Opener::new(&self.keys, &name.sealed(), &header, sealed)?;
        Ok(Object { objects: self.clone(), key, opener })
    }

    /// Deletes an object. `false` when there was none, as far as the storage tells.
    ///
    /// # Errors
    /// When the storage does not answer or refuses.
    pub async fn delete(&self, name: &ObjectName) -> Result<bool, ObjectError> {
        let key = self.key(name)?;
        match in_time(self.storage.delete(&key)).await {
            Ok(()) => Ok(true),
            Err(ObjectError::Missing) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Objects of this kind, whosesoever, that were written before this time; at most `max` of them.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn written_before(
        &self,
        kind: &'static str,
        before_ms: i64,
        max: usize,
    ) -> Result<Vec<ObjectName>, ObjectError> {
        let mut listed = self.storage.list(Some(&self.prefix.clone().join(kind)));
        let mut old = Vec::new();
        while let Some(meta) = in_time(async { listed.next().await.transpose() }).await? {
            if old.len() >= max {
                break;
            }
            let mut parts = meta.location.parts().rev();
            let (Some(name), Some(business)) = (parts.next(), parts.next()) else { continue };
            let Ok(business) = business.as_ref().parse() else { continue };
            if meta.last_modified.timestamp_millis() < before_ms {
                old.push(ObjectName { business, kind, name: name.as_ref().to_owned() });
            }
        }
        Ok(old)
    }

    /// Whether the storage can be written to, read and deleted from.
    ///
    /// # Errors
    /// Says what does not work.
    pub async fn check(&self) -> Result<(), ObjectError> {
        let business = BusinessId(uuid::Uuid::nil());
        let name = ObjectName { business, kind: "check", name: uuid::Uuid::new_v4().as_simple().to_string() };
        self.put(&name, b"frontdesk").await?;
        let read = self.get(&name).await?.read_all().await;
        self.delete(&name).await?;
        read.map(drop)
    }
}

impl Object {
    /// Its bytes.
    pub fn length(&self) -> u64 {
        self.opener.length()
    }

    /// Reads these bytes of it, which lie within its length. A stream that ends without an error had them all.
    pub fn read(self, wanted: Range<u64>) -> ObjectBytes {
        let Some((first, place)) = self.opener.place(&wanted) else {
            return futures_util::stream::empty().boxed();
        };
        let skip = usize::try_from(wanted.start - first * CHUNK_BYTES as u64).unwrap_or(0);
        let left = wanted.end - wanted.start;
        let reading = Reading { object: self, place, source: None, chunk: first, sealed: BytesMut::new(), skip, left };
        futures_util::stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|bytes| (bytes, reading)))
        })
        .boxed()
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// When it does not open or the storage does not answer.
    pub async fn read_all(self) -> Result<Vec<u8>, ObjectError> {
        let length = self.length();
        let chunks: Vec<Bytes> = self.read(0..length).try_collect().await?;
        Ok(chunks.concat())
    }
}

/// A stretch of an object on its way.
struct Reading {
    object: Object,
    place: Range<u64>,
    source: Option<BoxStream<'static, object_store::Result<Bytes>>>,
    chunk: u64,
    /// What came and is not a whole chunk yet.
    sealed: BytesMut,
    /// Bytes of the first chunk that nobody wants.
    skip: usize,
    left: u64,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.source.is_none() {
            let range = GetOptions { range: Some(GetRange::Bounded(self.place.clone())), ..GetOptions::default() };
            let answer = in_time(self.object.objects.storage.get_opts(&self.object.key, range)).await?;
            self.source = Some(answer.into_stream());
        }
        let wanted = self.object.opener.chunk_bytes(self.chunk);
        while self.sealed.len() < wanted {
            let Some(source) = &mut self.source else { return Ok(None) };
            let more = timeout(Duration::from_millis(limits::OBJECT_MS_MAX), source.next()).await;
            match more.map_err(|_| late())? {
                Some(bytes) => self.sealed.extend_from_slice(&bytes?),
                None => return Err(ObjectError::Away("the object ended early".into())),
            }
        }
        let mut bytes = self.sealed.split_to(wanted).to_vec();
        self.object.opener.open(self.chunk, &mut bytes)?;
        self.chunk += 1;
        let mut plain = Bytes::from(bytes);
        let skipped = plain.split_to(self.skip.min(plain.len()));
        self.skip -= skipped.len();
        plain.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= plain.len() as u64;
        Ok(Some(plain))
    }
}

/// Sealed chunks of what is read. One is held back, so that it is known which is the last.
struct Chunks<F> {
    from: F,
    sealer: Sealer,
    ahead: Option<Vec<u8>>,
}

impl<F: AsyncRead + Unpin> Chunks<F> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, ObjectError> {
        let mut chunk = match self.ahead.take() {
            Some(chunk) => chunk,
            // The first one, which may be empty; afterwards an absent one says that the last has gone.
            None if self.sealer.is_fresh() => self.read().await?,
            None => return Ok(None),
        };
        let mut is_last = chunk.len() < CHUNK_BYTES;
        if !is_last {
            let next = self.read().await?;
            is_last = next.is_empty();
            self.ahead = (!is_last).then_some(next);
        }
        self.sealer.seal(&mut chunk, is_last)?;
        Ok(Some(chunk))
    }

    /// Up to a chunk; fewer bytes at the end alone.
    async fn read(&mut self) -> Result<Vec<u8>, ObjectError> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + 16);
        let mut room = (&mut self.from).take(CHUNK_BYTES as u64);
        room.read_to_end(&mut chunk).await?;
        Ok(chunk)
    }
}

fn late() -> ObjectError {
    ObjectError::Away(format!("no answer within {} ms", limits::OBJECT_MS_MAX))
}

async fn in_time<T>(answer: impl Future<Output = object_store::Result<T>>) -> Result<T, ObjectError> {
    let answer = timeout(Duration::from_millis(limits::OBJECT_MS_MAX), answer).await.map_err(|_| late())?;
    answer.map_err(ObjectError::from)
}
