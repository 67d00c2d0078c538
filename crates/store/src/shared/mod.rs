//! What nodes share and may lose: cached values, leases, counters, messages.
//!
//! Nothing here is the truth. Whatever is put here can be gone a moment later, because a server was restarted or because the
//! node could not reach it and used its own memory instead ([`Resilient`]). So a cache may be asked here, a rate may be
//! counted, a listener may be woken; who owns a call, what was said and what was paid is in the database.
//!
//! Two engines obey one suite of laws ([`laws`]): [`Memory`] for one node, [`Redis`] for several.

mod hub;
pub mod laws;
mod memory;
mod redis;
mod resilient;

pub use self::hub::{Delivery, Subscription};
pub use self::memory::Memory;
pub use self::redis::{Redis, RedisOptions};
pub use self::resilient::Resilient;

use async_trait::async_trait;
use base::{Millis, limits};
use bytes::Bytes;

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharedError {
    /// The server is away or too slow. Whether a change happened is unknown.
    #[error("what nodes share does not answer: {0}")]
    Away(String),
    /// The caller asked for something that makes no sense.
    #[error("invalid request to what nodes share: {0}")]
    Invalid(&'static str),
    /// A bound of [`limits`] is reached.
    #[error("{0}")]
    Full(&'static str),
}

/// What a request answers.
pub type SharedAnswer<T> = Result<T, SharedError>;

/// A key that is held for a while, and the proof of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What is held.
    pub key: String,
    /// By whom, in the holder's words.
    pub holder: String,
    /// Higher with every lease, of whatever key, while the server keeps its memory: who writes somewhere under a lease passes
    /// it along, and a writer with a lower one came too late.
    pub fence: u64,
}

/// What came of asking for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is ours.
    Ours(Lease),
    /// Somebody else has it.
    Theirs {
        /// Who, in their words.
        holder: String,
        /// For how long, unless they extend it.
        left: Millis,
    },
}

/// A counter of a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// All that was added since the window began.
    pub total: u64,
    /// When the window ends and counting begins anew.
    pub left: Millis,
}

/// How sharing is doing, for health pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// There is one node, and this is its memory.
    Alone,
    /// The server answers.
    Together,
    /// The server is away; each node uses its own memory.
    Away,
}

impl Sharing {
    /// One word, for health pages and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Together => "together",
            Self::Away => "away",
        }
    }
}

/// What nodes share. Object safe. Every method ends within [`limits::SHARED_MS_MAX`].
#[async_trait]
pub trait Shared: Send + Sync {
    /// A value, unless its time is over.
    async fn get(&self, key: &str) -> SharedAnswer<Option<Bytes>>;
    /// Sets a value for this time.
    async fn put(&self, key: &str, value: &[u8], keep: Millis) -> SharedAnswer<()>;
    /// Takes a value away and answers it: of several who ask at once, one gets it.
    async fn take(&self, key: &str) -> SharedAnswer<Option<Bytes>>;
    /// Holds a key for this time unless somebody holds it.
    async fn put_new(&self, key: &str, holder: &str, keep: Millis) -> SharedAnswer<Held>;
    /// Holds it for this time from now on. `false` when it is not held by this lease any more.
    async fn extend(&self, lease: &Lease, keep: Millis) -> SharedAnswer<bool>;
    /// Gives it back. `false` when it was not held by this lease any more.
    async fn release(&self, lease: &Lease) -> SharedAnswer<bool>;
    /// Adds to a counter, which begins at nothing when its window is over.
    async fn count(&self, key: &str, add: u64, window: Millis) -> SharedAnswer<Count>;
    /// Tells everybody who listens to a channel, on every node, and answers nothing about who did.
    async fn publish(&self, channel: &str, message: &[u8]) -> SharedAnswer<()>;
    /// Listens to a channel. What is published after this has answered is heard, or that something was missed.
    async fn subscribe(&self, channel: &str) -> SharedAnswer<Subscription>;
    /// Whether the server answers.
    async fn check(&self) -> SharedAnswer<()>;
    /// How sharing is doing, without asking anybody.
    fn sharing(&self) -> Sharing;
}

pub(crate) fn check_key(key: &str) -> SharedAnswer<()> {
    let fits = !key.is_empty() && key.len() <= limits::SHARED_KEY_BYTES_MAX;
    fits.then_some(()).ok_or(SharedError::Invalid("a key has 1 to 256 bytes"))
}

pub(crate) fn check_value(value: &[u8]) -> SharedAnswer<()> {
    let fits = value.len() <= limits::SHARED_VALUE_BYTES_MAX;
    fits.then_some(()).ok_or(SharedError::Invalid("a value or a message has at most 256 KiB"))
}

/// A time that is kept is at least a millisecond: none at all would mean for ever to some and not at all to others.
pub(crate) fn check_time(keep: Millis) -> SharedAnswer<()> {
    (keep.0 > 0).then_some(()).ok_or(SharedError::Invalid("a time to keep something is at least 1 ms"))
}
