//! Why the store could not do something, as one closed list.

use base::{ErrorClass, Failure};

/// Why the store could not do something. The text never holds personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database is away, locked or too slow. Trying again may help; whether a write happened is unknown.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// Others changed the same rows at the same time, so nothing of it happened; the store itself tries again first.
    #[error("others are changing the same rows")]
    Contended,
    /// The disk is full.
    #[error("the disk of the database is full")]
    Full,
    /// Somebody else wrote the journal of this call: another process goes on with it and this one must stop.
    #[error("another process goes on with this call")]
    Fenced,
    /// There is no such row within the business.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The row collides with one that exists, or is newer than the caller thought.
    #[error("{0}")]
    Conflict(String),
    /// The caller asked for something that makes no sense.
    #[error("invalid request to the store: {0}")]
    Invalid(&'static str),
    /// Something sealed cannot be opened: its key is not here, or it was changed or moved. The text says which.
    #[error("{0}")]
    Sealed(String),
    /// What the database holds cannot be read.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contended | Self::Full)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let class = match error {
            StoreError::Unavailable(_) | StoreError::Contended => ErrorClass::Unavailable,
            StoreError::Full | StoreError::Corrupt(_) | StoreError::Sealed(_) => ErrorClass::Internal,
            StoreError::Fenced => ErrorClass::Cancelled,
            StoreError::NotFound(_) | StoreError::Conflict(_) | StoreError::Invalid(_) => ErrorClass::Invalid,
        };
        Failure::new(class, error.to_string())
    }
}
