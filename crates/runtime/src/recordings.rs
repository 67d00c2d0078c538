//! Where recordings are: on this machine's disk while they are made, and in the storage of objects afterwards.
//!
//! A live call writes to a file and waits for nobody. When it is over, the file is brought to storage, sealed, and removed;
//! what could not be brought there is tried again, also by the next process. So the folder is a spool, and what lies in it is
//! played as well.
//!
//! Traces of what went over the wire go the same way, and are gone a day after their call.

use crate::Node;
use base::{BusinessId, CallId, limits};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use std::io::{ErrorKind, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use store::objects::{Object, ObjectError, ObjectName, Objects, RECORDINGS, TRACES};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

/// Recordings of an installation, as one node sees them.
#[derive(Clone, Debug)]
pub struct Recordings {
    dir: PathBuf,
    objects: Objects,
    kind: &'static str,
}

/// A recording that is open for playing.
pub enum Playback {
    /// Still in the spool of this node.
    File(File, u64),
    /// In storage.
    Object(Box<Object>),
}

impl Playback {
    /// Its bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::File(_, length) => *length,
            Self::Object(object) => object.length(),
        }
    }

    /// Reads these bytes of it, which lie within its length.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read(self, wanted: Range<u64>) -> Result<BoxStream<'static, Result<Bytes, ObjectError>>, ObjectError> {
        match self {
            Self::File(mut file, _) => {
                file.seek(SeekFrom::Start(wanted.start)).await?;
                Ok(ReaderStream::new(file.take(wanted.end - wanted.start)).map_err(ObjectError::File).boxed())
            }
            Self::Object(object) => Ok(object.read(wanted)),
        }
    }
}

/// What a round through the spool did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spooled {
    /// Recordings that are in storage now.
    pub stored: usize,
    /// Recordings that have to wait.
    pub waiting: usize,
}

impl Recordings {
    /// Recordings that are made in this folder and kept there.
    pub fn new(dir: impl Into<PathBuf>, objects: Objects) -> Self {
        Self { dir: dir.into(), objects, kind: RECORDINGS }
    }

    /// Traces of calls: kept as recordings are, each as `BUSINESS/CALL.pcap`.
    pub fn traces(&self) -> Self {
        Self { dir: self.dir.join("traces"), objects: self.objects.clone(), kind: TRACES }
    }

    /// The name of a call's trace.
    pub fn trace_of(business: BusinessId, call: CallId) -> String {
        format!("{business}/{call}.pcap")
    }

    /// Removes what was written before this time, wherever it lies. Gives how many.
    ///
    /// # Errors
    /// When storage does not answer; the next sweep goes on.
    pub async fn remove_written_before(&self, before_ms: i64) -> Result<usize, ObjectError> {
        let mut removed = 0;
        for name in self.spooled().await {
            let path = self.dir.join(&name);
            let Ok(changed) = tokio::fs::metadata(&path).await.and_then(|meta| meta.modified()) else { continue };
            let age = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
            if (age.as_millis() as i64) < before_ms {
                removed += usize::from(self.remove(&name).await?);
            }
        }
        let old = self.objects.written_before(self.kind, before_ms, limits::SIP_TRACES_PER_SWEEP_MAX).await?;
        for name in old {
            removed += usize::from(self.objects.delete(&name).await?);
        }
        Ok(removed)
    }

    /// The object of this name.
    fn object(&self, name: &str) -> Result<ObjectName, ObjectError> {
        let (business, file) = name.split_once('/').ok_or(ObjectError::Name)?;
        let business = business.parse().map_err(|_| ObjectError::Name)?;
        Ok(ObjectName { business, kind: self.kind, name: file.to_owned() })
    }

    /// Where they are made.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Opens the recording of this name, as rows have it: `BUSINESS/FILE`.
    ///
    /// # Errors
    /// [`ObjectError::Missing`], or when storage does not answer or it does not open.
    pub async fn open(&self, name: &str) -> Result<Playback, ObjectError> {
        let object = self.object(name)?;
        match File::open(self.dir.join(name)).await {
            Ok(file) => {
                let length = file.metadata().await?.len();
                Ok(Playback::File(file, length))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Playback::Object(Box::new(self.objects.get(&object).await?)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the recording of this name. `false` when there was none.
    ///
    /// # Errors
    /// When a file cannot be removed or storage does not answer; then it may still be there.
    pub async fn remove(&self, name: &str) -> Result<bool, ObjectError> {
        let object = self.object(name)?;
        // The file first: who brings it to storage looks afterwards whether it is still wanted.
        let was_file = match tokio::fs::remove_file(self.dir.join(name)).await {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error.into()),
        };
        let was_object = match self.objects.get(&object).await {
            Err(ObjectError::Missing) => false,
            Err(error @ ObjectError::Away(_)) => return Err(error),
            Ok(_) | Err(_) => self.objects.delete(&object).await?,
        };
        Ok(was_file || was_object)
    }

    /// Brings recordings of this node to storage as they are finished. Runs until it is dropped.
    pub async fn keep_storing(&self, node: &Node) {
        loop {
            let mut round = self.store_finished(|call| node.has_call(call)).await;
            // A trace gets its name when it is whole.
            let traces = self.traces().store_finished(|_| false).await;
            round.stored += traces.stored;
            round.waiting += traces.waiting;
            metrics::gauge!("frontdesk_recordings_waiting").set(round.waiting as f64);
            if round.stored > 0 {
                tracing::debug!(stored = round.stored, waiting = round.waiting, "recordings are in storage");
            }
            let pause = Duration::from_millis(limits::SPOOL_SWEEP_MS);
            let _ = tokio::time::timeout(pause, node.call_closed()).await; // Either way it is time to look.
        }
    }

    /// Brings what is finished to storage. `is_live` says whether a call still records.
    pub async fn store_finished(&self, is_live: impl Fn(base::CallId) -> bool) -> Spooled {
        let mut round = Spooled::default();
        for name in self.spooled().await {
            let of_live = name.split(['/', '.']).nth(1).and_then(|call| call.parse().ok()).is_some_and(&is_live);
            if of_live {
                continue;
            }
            match self.store_one(&name).await {
                Ok(()) => round.stored += 1,
                Err(ObjectError::File(error)) if error.kind() == ErrorKind::NotFound => {} // Removed meanwhile.
                Err(error) => {
                    round.waiting += 1;
                    metrics::counter!("frontdesk_recording_failures_total").increment(1);
                    tracing::error!(%error, "a recording waits on this machine's disk");
                }
            }
        }
        round
    }

    async fn store_one(&self, name: &str) -> Result<(), ObjectError> {
        let (object, path) = (self.object(name)?, self.dir.join(name));
        self.objects.put_file(&object, &path).await?;
        match tokio::fs::remove_file(&path).await {
            Ok(()) => Ok(()),
            // Somebody had it deleted while it was on its way.
            Err(error) if error.kind() == ErrorKind::NotFound => self.objects.delete(&object).await.map(drop),
            Err(error) => Err(error.into()),
        }
    }

    /// Names of the files in the spool.
    async fn spooled(&self) -> Vec<String> {
        let dir = self.dir.clone();
        let wanted = if self.kind == TRACES { "pcap" } else { "wav" };
        let work = move || {
            let folders = std::fs::read_dir(&dir).into_iter().flatten().flatten();
            let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
            let name = |file: std::fs::DirEntry| {
                let path = file.path();
                let is_wanted = path.extension().is_some_and(|extension| extension == wanted);
                let name = path.strip_prefix(&dir).ok()?.to_str()?.to_owned();
                is_wanted.then_some(name)
            };
            files.filter_map(name).collect::<Vec<_>>()
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Secret;
    use store::objects::ObjectPlace;
    use store::{DataKey, Keyring};

    fn recordings(dir: &Path) -> Recordings {
        let key = DataKey::parse(&Secret::new("a".repeat(64))).expect("a key");
        let objects = Objects::open(&ObjectPlace::Memory, Keyring::new(key, Vec::new())).expect("opens");
        Recordings::new(dir, objects)
    }

    async fn played(recordings: &Recordings, name: &str, wanted: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        let parts: Vec<Bytes> = recordings.open(name).await?.read(wanted).await?.try_collect().await?;
        Ok(parts.concat())
    }

    #[tokio::test]
    async fn a_finished_recording_goes_to_storage_and_is_played_from_wherever_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let recordings = recordings(folder.path());
        let (business, live, over) = (base::BusinessId::generate(), CallId::generate(), CallId::generate());
        let (live_name, over_name) = (format!("{business}/{live}.wav"), format!("{business}/{over}.7.wav"));
        std::fs::create_dir_all(folder.path().join(business.to_string())).expect("a folder");
        for name in [&live_name, &over_name] {
            std::fs::write(folder.path().join(name), b"RIFF and more").expect("written");
        }
        let round = recordings.store_finished(|call| call == live).await;
        assert_eq!(round, Spooled { stored: 1, waiting: 0 });
        assert!(folder.path().join(&live_name).exists() && !folder.path().join(&over_name).exists());
        for name in [&live_name, &over_name] {
            assert_eq!(played(&recordings, name, 0..13).await.expect("plays"), b"RIFF and more");
            assert_eq!(played(&recordings, name, 5..8).await.expect("plays"), b"and");
            assert!(matches!(recordings.remove(name).await, Ok(true)));
            assert!(matches!(played(&recordings, name, 0..1).await, Err(ObjectError::Missing)));
            assert!(matches!(recordings.remove(name).await, Ok(false)));
        }
    }

    #[tokio::test]
    async fn a_trace_is_gone_a_day_after_its_call_wherever_it_lies() {
        let folder = tempfile::tempdir().expect("a folder");
        let traces = recordings(folder.path()).traces();
        let name = || Recordings::trace_of(BusinessId::generate(), CallId::generate());
        let (stored, spooled) = (name(), name());
        for name in [&stored, &spooled] {
            let path = traces.dir().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, b"packets").expect("written");
            if *name == stored {
                assert_eq!(traces.store_finished(|_| false).await, Spooled { stored: 1, waiting: 0 });
            }
        }
        let day_ms = limits::SIP_TRACE_KEPT_MS as i64;
        let now_ms = crate::wall_ms();
        assert!(matches!(traces.remove_written_before(now_ms + day_ms - 60_000 - day_ms).await, Ok(0)));
        for name in [&stored, &spooled] {
            assert_eq!(played(&traces, name, 0..7).await.expect("is there"), b"packets");
        }
        assert!(matches!(traces.remove_written_before(now_ms + day_ms + 60_000 - day_ms).await, Ok(2)));
        for name in [&stored, &spooled] {
            assert!(matches!(played(&traces, name, 0..7).await, Err(ObjectError::Missing)));
        }
    }
}
