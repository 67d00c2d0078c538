//! What can go wrong with model files, each with the command or the setting that mends it.

use std::path::PathBuf;

/// A model file cannot be found, fetched or trusted.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Neither `FRONTDESK_MODELS`, `XDG_DATA_HOME` nor `HOME` is set.
    #[error("no place for model files: set FRONTDESK_MODELS to a directory")]
    NoDirectory,
    /// A file that this program needs is not there.
    #[error("the model file {path} is missing; run `frontdesk models pull`", path = path.display())]
    Missing {
        /// Where it was expected.
        path: PathBuf,
    },
    /// A file is there with the wrong length, as after a full disk or a copy that was cut off.
    #[error("the model file {path} has {found} bytes instead of {expected}; run `frontdesk models pull`", path = path.display())]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        found: u64,
        /// Bytes the manifest names.
        expected: u64,
    },
    /// No component of the manifest has this id.
    #[error("there is no model component {0:?}; `frontdesk models list` shows them")]
    UnknownComponent(String),
    /// The component has no file of this name.
    #[error("the model component {component:?} has no file {file:?}")]
    UnknownFile {
        /// The component.
        component: String,
        /// The file asked for.
        file: String,
    },
    /// The bytes are not the ones that the manifest pins. What was fetched has been removed.
    #[error("{what} has sha256 {found} but {expected} is pinned; it was removed")]
    WrongHash {
        /// The archive or file.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// More bytes came than the manifest allows.
    #[error("{what} is larger than the {bytes_max} bytes the manifest allows; it was removed")]
    TooLarge {
        /// The archive or file.
        what: String,
        /// The cap.
        bytes_max: u64,
    },
    /// An archive does not hold what the manifest says.
    #[error("the archive {archive} cannot be used: {detail}")]
    Archive {
        /// The archive's file name.
        archive: String,
        /// Why.
        detail: String,
    },
    /// A server did not give the file. `host` never holds a credential.
    #[error("{host}: {detail}")]
    Fetch {
        /// The server asked.
        host: String,
        /// Why it failed.
        detail: String,
    },
    /// Every source was tried.
    #[error("cannot get {component}: {}", tried.join("; "))]
    NoSource {
        /// The component.
        component: String,
        /// One line per source tried, in order.
        tried: Vec<String>,
    },
    /// Another process has been pulling into the same directory for longer than we wait.
    #[error("another pull holds {path}; try again when it is done", path = path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The manifest inside the program is wrong: a build error, found by a test.
    #[error("the model manifest is invalid: {0}")]
    Manifest(String),
}

impl ModelError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
