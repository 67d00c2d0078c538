//! Why a document was not taken in, for the person who gave it.

use serde::{Deserialize, Serialize};

/// Why a document was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// More bytes than a document may have.
    #[error("the file has {bytes} bytes; at most {max} are taken")]
    TooLarge {
        /// What it has.
        bytes: u64,
        /// What it may have.
        max: u64,
    },
    /// Content that no parser of ours reads.
    #[error("{0}")]
    Kind(String),
    /// It opens with a password only.
    #[error("the file is encrypted; save it without a password")]
    Encrypted,
    /// It is damaged, or pretends to be what it is not.
    #[error("the file is broken: {0}")]
    Broken(String),
    /// A small file that unpacks into a huge one.
    #[error("the archive unpacks to more than {max} bytes")]
    Bomb {
        /// What it may unpack to.
        max: u64,
    },
    /// There is no text in it.
    #[error("{0}")]
    Empty(String),
    /// The parser was stopped because it took too long.
    #[error("reading the file took longer than {ms} ms")]
    Slow {
        /// The limit.
        ms: u64,
    },
    /// The parser was stopped because it wanted more memory than it may have, or it crashed.
    #[error("the parser stopped ({0}); the file is broken, or needs more memory than a document may")]
    Crashed(String),
    /// More text than a document may have.
    #[error("the text is longer than {max} bytes")]
    Long {
        /// What it may have.
        max: u64,
    },
    /// A recording that is longer than one may be.
    #[error("the recording is longer than {minutes} minutes")]
    Lasting {
        /// What it may last.
        minutes: u64,
    },
    /// A recording in which nobody says a word.
    #[error("no speech was heard in the recording")]
    Silent,
    /// A recording, and no recogniser here.
    #[error(
        "the file is a recording, and the models that hear are not loaded where documents are read; `frontdesk models pull` brings them"
    )]
    Deaf,
    /// It is a picture, and the program that reads pictures is not installed.
    #[error(
        "the file is a picture of text, and the program that reads pictures is not installed where documents are read; on Debian: apt-get install tesseract-ocr"
    )]
    NoReader,
    /// The parser could not be started: our fault, not the document's.
    #[error("the parser cannot be run: {0}")]
    Parser(String),
}

impl Refusal {
    /// One word for clients and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::Kind(_) => "unsupported_type",
            Self::Encrypted => "encrypted",
            Self::Broken(_) => "broken",
            Self::Bomb { .. } => "archive_bomb",
            Self::Empty(_) => "empty",
            Self::Slow { .. } => "too_slow",
            Self::Crashed(_) => "parser_stopped",
            Self::Long { .. } => "text_too_long",
            Self::Lasting { .. } => "too_long",
            Self::Silent => "no_speech",
            Self::Deaf => "no_recogniser",
            Self::NoReader => "no_reader_of_pictures",
            Self::Parser(_) => "parser_unavailable",
        }
    }
}
