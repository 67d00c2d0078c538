//! How things outside fail: one closed class per failure, the same for every vendor (rule 7).

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of failure it was; decides whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The credential is missing, wrong or not allowed to do this (401, 403).
    Auth,
    /// The account is out of credit or its plan does not allow it (402).
    Quota,
    /// Too many requests; try later (429).
    RateLimited,
    /// Our request is wrong; the same request will fail again (400, 404, 422).
    Invalid,
    /// The other side refused the content (moderation).
    Refused,
    /// The other side is down or overloaded: refused connection, 5xx.
    Unavailable,
    /// A deadline passed.
    Timeout,
    /// The other side sent what its protocol does not allow, or cut off.
    Protocol,
    /// We called it off.
    Cancelled,
    /// A bug or a resource of our own (full disk, missing model).
    Internal,
}

impl ErrorClass {
    /// Whether the same request may succeed if it is sent again.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable | Self::Timeout | Self::Protocol)
    }

    /// The stable name used in metrics and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failure with the one line that says why. The line never holds a key or personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub class: ErrorClass,
    /// When the other side asked us to come back, already capped by the reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Millis>,
    /// One line for the operator.
    pub detail: String,
}

impl Failure {
    /// A failure of this class, with one line for the operator.
    pub fn new(class: ErrorClass, detail: impl Into<String>) -> Self {
        Self { class, retry_after: None, detail: detail.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.detail)
    }
}

impl std::error::Error for Failure {}
