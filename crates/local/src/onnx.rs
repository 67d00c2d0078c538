//! The one ONNX runtime of the process, and sessions in it.
//!
//! Later releases of the runtime than the one we pin upload usage data, so the library is read before it is loaded and
//! refused when it is another version or names a collector. Each session has one thread: with many calls on few cores,
//! two threads per model only wait for each other.

mod in_bytes;

use crate::models::{Manifest, ModelDir, ModelError, Tier};
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The runtime's release line. Releases after it carry a usage-data uploader.
const RELEASE: &str = "1.28.";
/// The address that the uploader of later releases sends to.
const COLLECTOR: &[u8] = b"events.data.microsoft.com";
const WAIT: Duration = Duration::from_secs(5);
/// A processor without instructions for products of bytes (VNNI) adds two of them in 16 bits, which overflows: the runtime then takes
/// a slower way that does not. On others nothing changes.
const EXACT_BYTES: (&str, &str) = ("session.x64quantprecision", "1");

static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// A model cannot be opened or run.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// A model file is missing or wrong; the text names the command that mends it.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The ONNX runtime library is not one that this program accepts.
    #[error("{path} is not an accepted ONNX runtime: {detail}; run `frontdesk models pull`", path = path.display())]
    Runtime {
        /// The library.
        path: PathBuf,
        /// Why it was refused.
        detail: String,
    },
    /// There is no ONNX runtime for this machine in the manifest.
    #[error("no ONNX runtime is packaged for {0}; use provider keys on this machine")]
    Platform(String),
    /// The runtime failed.
    #[error("the model {model} failed: {detail}")]
    Inference {
        /// Which model.
        model: &'static str,
        /// What the runtime said.
        detail: String,
    },
    /// Every session was in use for the whole wait.
    #[error("the model {model} is overloaded: no free session within {waited_ms} ms")]
    Busy {
        /// Which model.
        model: &'static str,
        /// How long we waited.
        waited_ms: u64,
    },
}

impl OnnxError {
    pub(crate) fn inference(model: &'static str) -> impl Fn(ort::Error) -> Self {
        move |error| Self::Inference { model, detail: error.to_string() }
    }

    pub(crate) fn shape(model: &'static str, what: &str) -> Self {
        Self::Inference { model, detail: format!("unexpected {what}") }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shared environment; the first caller loads the library out of the models directory.
fn environment(dir: &ModelDir) -> Result<Environment, OnnxError> {
    let mut environment = locked(&ENVIRONMENT);
    if let Some(environment) = environment.as_ref() {
        return Ok(environment.clone());
    }
    let path = library(dir)?;
    let refused = |detail: String| OnnxError::Runtime { path: path.clone(), detail };
    let bytes = std::fs::read(&path).map_err(|error| refused(error.to_string()))?;
    accept_library(&bytes).map_err(&refused)?;
    drop(bytes);
    let builder = ort::init_from(&path).map_err(|error| refused(error.to_string()))?;
    let built = builder.with_name("frontdesk").with_telemetry(false).build();
    let built = built.map_err(|error| refused(error.to_string()))?;
    built.set_log_level(LogLevel::Error);
    Ok(environment.insert(built).clone())
}

fn library(dir: &ModelDir) -> Result<PathBuf, OnnxError> {
    let component = Manifest::embedded().tier(Tier::Default).find(|component| component.id.starts_with("onnxruntime-"));
    let component = component.ok_or_else(|| OnnxError::Platform(crate::models::this_platform()))?;
    Ok(dir.file(&component.id, &component.files[0].name)?)
}

/// Looks at the library's bytes, since loading it would already run its code.
fn accept_library(bytes: &[u8]) -> Result<(), String> {
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    if holds(COLLECTOR) {
        return Err("it contains a usage-data uploader".to_owned());
    }
    if holds(format!("VERS_{RELEASE}").as_bytes()) || holds(format!("\0{RELEASE}0\0").as_bytes()) {
        return Ok(());
    }
    Err(format!("it is not release {RELEASE}x"))
}

/// Opens a model with one thread.
pub(crate) fn open(dir: &ModelDir, path: &Path, model: &'static str) -> Result<Session, OnnxError> {
    builder(dir, model)?.commit_from_file(path).map_err(OnnxError::inference(model))
}

/// The same for a model whose products of bytes use the whole range, so that they overflow where the processor is older. The
/// runtime cannot do that to a model two of whose steps share their weights.
pub(crate) fn open_exact(dir: &ModelDir, path: &Path, model: &'static str) -> Result<Session, OnnxError> {
    let failed = OnnxError::inference(model);
    let builder = builder(dir, model)?.with_config_entry(EXACT_BYTES.0, EXACT_BYTES.1);
    builder.map_err(|error| failed(error.into()))?.commit_from_file(path).map_err(failed)
}

/// The same for a model whose weights are kept in bytes: it calculates in bytes, too.
pub(crate) fn open_in_bytes(dir: &ModelDir, path: &Path, model: &'static str) -> Result<Session, OnnxError> {
    let failed = OnnxError::inference(model);
    let file = std::fs::read(path).map_err(|error| failed(ort::Error::new(error.to_string())))?;
    let Some(made) = in_bytes::in_bytes(&file) else { return open(dir, path, model) };
    drop(file);
    builder(dir, model)?.commit_from_memory(&made).map_err(failed)
}

fn builder(dir: &ModelDir, model: &'static str) -> Result<SessionBuilder, OnnxError> {
    let failed = OnnxError::inference(model);
    let recovered = |error: ort::Error<SessionBuilder>| failed(error.into());
    Session::builder(&environment(dir)?)
        .map_err(&failed)?
        .with_intra_threads(1)
        .map_err(recovered)?
        .with_inter_threads(1)
        .map_err(recovered)?
        .with_intra_op_spinning(false)
        .map_err(recovered)?
        .with_log_level(LogLevel::Error)
        .map_err(recovered)?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(recovered)
}

/// A fixed number of equal things, each used by one caller at a time. A caller waits for a bounded time.
pub(crate) struct Pool<T> {
    model: &'static str,
    free: Mutex<Vec<T>>,
    returned: Condvar,
}

impl<T> Pool<T> {
    pub(crate) fn new(model: &'static str, things: Vec<T>) -> Self {
        Self { model, free: Mutex::new(things), returned: Condvar::new() }
    }

    /// One of the things, until the guard is dropped.
    pub(crate) fn take(&self) -> Result<Taken<'_, T>, OnnxError> {
        self.take_within(WAIT)
    }

    fn take_within(&self, wait: Duration) -> Result<Taken<'_, T>, OnnxError> {
        let waited = self.returned.wait_timeout_while(locked(&self.free), wait, |free| free.is_empty());
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let waited_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let thing = free.pop().ok_or(OnnxError::Busy { model: self.model, waited_ms })?;
        Ok(Taken { pool: self, thing: Some(thing) })
    }
}

/// A thing out of a [`Pool`]; goes back when dropped.
pub(crate) struct Taken<'a, T> {
    pool: &'a Pool<T>,
    thing: Option<T>,
}

impl<T> std::ops::Deref for Taken<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.thing.as_ref().expect("only drop takes it")
    }
}

impl<T> std::ops::DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.thing.as_mut().expect("only drop takes it")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        locked(&self.pool.free).extend(self.thing.take());
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_with_an_uploader_or_of_another_release_is_refused() {
        assert!(accept_library(b"..VERS_1.28.0..").is_ok());
        assert!(accept_library(b"..VERS_1.29.0..").unwrap_err().contains("not release"));
        let reporting = b"VERS_1.28.0 https://mobile.events.data.microsoft.com/OneCollector";
        assert!(accept_library(reporting).unwrap_err().contains("uploader"));
    }

    #[test]
    fn a_busy_pool_answers_instead_of_waiting_forever() {
        let pool = Pool::new("test", vec![1]);
        let taken = pool.take().unwrap();
        assert!(matches!(pool.take_within(Duration::ZERO), Err(OnnxError::Busy { .. })));
        drop(taken);
        assert_eq!(*pool.take().unwrap(), 1);
    }
}
