//! The truth on disk: businesses, agents, numbers, calls, their journals and conversations, and what tools look up.
//!
//! **Must not know**: how anything is decided or sent, HTTP, carriers, vendors. Callers see the traits of [`contract`]
//! alone, so that one engine of storage can replace another; `laws` is what each of them must obey.
//!
//! Start reading at [`contract`] (what a store can do), then [`journal_writer`] (how a live call writes its journal without
//! ever waiting for a disk), then [`sqlite`].

pub mod contract;
pub mod error;
pub mod journal_writer;
pub mod laws;
pub mod seal;
pub mod seed;
pub mod shared;
pub mod sqlite;

pub use contract::{
    Agents, Businesses, CallFilter, CallLogEntry, CallLogs, CallRoute, CallUpdate, Calls, Content, Conversation,
    Conversations, Costs, Credential, Credentials, Cursor, Document, Inputs, Journal, Message, NumberRoute, Numbers,
    Owner, Page, Recordings, ReplayKeys, Retention, Role, Settings, StageCost, Store, Versioned, VersionedAgent,
    WriterId,
};
pub use error::StoreError;
pub use journal_writer::{AppendError, JournalWriter};
pub use seal::{DataKey, KeyError, Keyring};
pub use seed::{SeedMode, seed};
pub use sqlite::{Keys, SqliteOptions, SqliteStore};
