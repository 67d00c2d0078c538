//! The truth on disk: businesses, agents, numbers, calls, their journals and conversations, and what tools look up.
//!
//! **Must not know**: how anything is decided or sent, HTTP, carriers, vendors. Callers see the traits of [`contract`]
//! alone, so that one engine of storage can replace another; `laws` is what each of them must obey.
//!
//! Start reading at [`contract`] (what a store can do), then [`journal_writer`] (how a live call writes its journal without
//! ever waiting for a disk), then [`db`] (one body of Rust over SQLite and PostgreSQL) and [`sql`] (every statement).
//!
//! # How to add a table
//!
//! 1. `migrations/sqlite/NNNN_name.sql` and `migrations/postgres/NNNN_name.sql`, the same number and name. Migrations only
//!    expand ([`db`] says how they contract): nodes of the version before serve meanwhile, so a new column may be absent or
//!    has a default. Types: `BLOB`/`uuid` for ids, `INTEGER`/`bigint` for numbers and Unix milliseconds, `TEXT`/`text`
//!    (with `COLLATE "C"` where pages are ordered by it), `INTEGER`/`boolean`, `BLOB`/`bytea`, JSON as text. A table of
//!    tenants has a column `business`, its primary key or an index begins with it, and on PostgreSQL the last lines are
//!    `SELECT frontdesk_protect('NAME');` (row-level security). Foreign keys to rows of tenants carry the business.
//! 2. `src/sql/AREA.rs` with `statements! { … }`, and a line in `sql::AREAS`. Columns are named, never `*`: a statement that is
//!    prepared must go on while a column is added. The forms and what differs between engines are in [`sql`].
//! 3. A trait in [`contract`] (or a file beside it), added to [`Store`]; its implementation for [`SqlStore`] in `src/areas/`:
//!
//! ```ignore
//! let rows = self.db.read(scope, sql::NOTES, args![scope.business.0, after, PAGE]).await?;
//! let text: String = rows[0].get("text")?;                      // also: row.word("state")?, row.json("config")?
//! let count = self.db.write(scope, sql::PUT_NOTE, args![scope.business.0, id, &text]).await?;
//! let mut tx = self.db.begin(scope).await?;                     // dropped without commit: nothing happened
//! let row = tx.read_one(sql::NOTE_TO_CHANGE, args![…]).await?;  // `locking`, when what is written depends on it
//! tx.write(sql::CHANGE_NOTE, args![…]).await?;
//! tx.commit().await?;
//! let reach = Db::across("the reason why this is no one's rows");
//! ```
//!
//!    The line of the audit log comes by itself, with the first transaction of a request that changes rows ([`trail`]).
//! 4. Laws in `laws.rs` (or a file beside it) and their names in `store_laws!`: every one runs on both engines.

mod areas;
pub mod contract;
pub mod db;
pub mod error;
pub mod fill;
mod gather;
pub mod graph;
mod graph_laws;
pub mod heard;
mod heard_laws;
pub mod journal_writer;
pub mod knowledge;
mod knowledge_laws;
pub mod knowledge_work;
mod knowledge_work_laws;
pub mod laws;
pub mod mirrors;
pub mod nodes;
mod nodes_laws;
pub mod objects;
pub mod people;
mod people_laws;
pub mod seal;
pub mod seed;
pub mod shared;
pub mod sql;
mod sql_store;
pub mod trail;
pub mod training;
mod training_laws;

pub use contract::{
    After, Agents, Businesses, CallFilter, CallLogEntry, CallLogs, CallRoute, CallUpdate, Calls, Charge, Content,
    Conversation, ConversationFilter, Conversations, Costs, Credential, Credentials, Cursor, DELIVER_JOB, DayUsage,
    DeadJob, Document, EndpointChange, EventRange, Events, Inputs, Job, JobCount, Jobs, Journal, Message, NewJob,
    NumberRoute, Numbers, Owner, Page, Plans, RETRY_JOB, Recordings, ReplayKeys, Retention, Role, Settings, StageCost,
    Store, Verdict, Versioned, VersionedAgent, Webhooks, WriterId,
};
pub use db::{Keys, PostgresOptions, SqliteOptions};
pub use error::StoreError;
pub use graph::KnowledgeGraph;
pub use heard::HeardCalls;
pub use journal_writer::{AppendError, JournalWriter};
pub use knowledge::KnowledgeBase;
pub use knowledge_work::KnowledgeWork;
pub use mirrors::Mirrors;
pub use nodes::Nodes;
pub use seal::{DataKey, KeyError, Keyring};
pub use seed::{SeedMode, seed};
pub use sql_store::{Report, SqlStore, StoreOptions};
pub use training::Trainings;
