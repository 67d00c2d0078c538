//! The store in one SQLite file: one connection writes, a few read, write-ahead log.
//!
//! A single writer makes `BEGIN IMMEDIATE` wait in our own queue (with a deadline) instead of in SQLite's busy loop.

mod calls;
mod content;
mod credentials;
mod journal;
mod retention;
pub mod sql;
mod tenants;

use crate::contract::{Answer, Store};
use crate::error::StoreError;
use crate::seal::{DataKey, Keyring};
use async_trait::async_trait;
use base::limits;
use serde::de::IntoDeserializer;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::error::ErrorKind;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Row, SqlitePool, Transaction};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the file is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The file; its folder is created when missing.
    pub path: PathBuf,
    /// Connections that only read.
    pub readers_max: u32,
    /// Pages of 4096 bytes that the file may have; beyond them it answers [`StoreError::Full`]. `None`: as the disk has.
    pub pages_max: Option<u32>,
    /// What seals that which is sealed.
    pub keys: Keys,
}

/// Where the data keys come from.
#[derive(Clone, Debug, Default)]
pub enum Keys {
    /// One is kept in a file beside the database ([`SqliteOptions::key_file`]) and made at the first start.
    #[default]
    Beside,
    /// These; one in a file beside the database still opens.
    Given(Keyring),
}

impl SqliteOptions {
    /// The usual way to open this file.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            readers_max: limits::SQLITE_READERS_MAX,
            pages_max: None,
            keys: Keys::Beside,
        }
    }

    /// Where the data key is kept when none is given: beside the database, ending in `.key`.
    pub fn key_file(&self) -> PathBuf {
        self.path.with_extension("key")
    }

    fn keyring(&self) -> Answer<Keyring> {
        let file = self.key_file();
        Ok(match &self.keys {
            Keys::Beside => Keyring::new(DataKey::read_or_create(&file)?, Vec::new()),
            Keys::Given(keyring) if file.exists() => keyring.clone().and_old(DataKey::read(&file)?),
            Keys::Given(keyring) => keyring.clone(),
        })
    }
}

/// The store in one SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    keys: Keyring,
}

impl SqliteStore {
    /// Opens the file, creates it when missing, and brings its schema up to date.
    pub async fn open(options: SqliteOptions) -> Answer<Self> {
        if let Some(folder) = options.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| {
                StoreError::Unavailable(format!("the folder {} cannot be created: {error}", folder.display()))
            })?;
        }
        let keys = options.keyring()?;
        let connect = SqliteConnectOptions::new()
            .filename(&options.path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_millis(limits::POOL_WAIT_MS_MAX))
            .pragma("journal_size_limit", "67108864")
            .pragma("temp_store", "memory")
            // What is deleted is overwritten, not only forgotten.
            .pragma("secure_delete", "on");
        let connect = match options.pages_max {
            Some(pages) => connect.pragma("max_page_count", pages.to_string()),
            None => connect,
        };
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(Duration::from_millis(limits::POOL_WAIT_MS_MAX))
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = first_connection(pool().max_connections(1), &connect).await?;
        // Not under the statement deadline: a migration of a large file takes as long as it takes, before any call.
        let before = schema_version(&writer).await?;
        sqlx::migrate!("migrations/sqlite").run(&writer).await.map_err(map_migration)?;
        if before != 0 && schema_version(&writer).await? != before {
            // What a migration deleted is not to live on in the log.
            checkpoint(&writer).await?;
        }
        let readers = pool().max_connections(options.readers_max.max(1));
        let readers = first_connection(readers, &connect.pragma("query_only", "on")).await?;
        Ok(Self { writer, readers, keys })
    }

    /// Prepares every statement and answers the names of those that do not fit the schema.
    pub async fn broken_statements(&self) -> Answer<Vec<(&'static str, String)>> {
        use sqlx::{Executor, SqlSafeStr};
        let mut broken = Vec::new();
        for (name, text) in sql::ALL {
            if let Err(error) = (&self.readers).prepare(text.into_sql_str()).await {
                broken.push((*name, error.to_string()));
            }
        }
        Ok(broken)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn check(&self) -> Answer<()> {
        within(async { sqlx::query(sql::CHECK).execute(&self.readers).await.map_err(map_error) }).await?;
        let transaction = within(self.begin()).await?;
        transaction.rollback().await.map_err(map_error)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

type Write = Transaction<'static, sqlx::Sqlite>;

impl SqliteStore {
    /// A write transaction that holds SQLite's lock from its first moment, so that it never fails half way.
    async fn begin(&self) -> Answer<Write> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(map_error)
    }
}

/// Opens a pool. A process that starts has more patience than one with calls in progress.
async fn first_connection(pool: SqlitePoolOptions, connect: &SqliteConnectOptions) -> Answer<SqlitePool> {
    let mut attempt = 1;
    loop {
        match pool.clone().connect_with(connect.clone()).await {
            Err(sqlx::Error::PoolTimedOut) if attempt < OPEN_ATTEMPTS_MAX => attempt += 1,
            opened => return opened.map_err(map_error),
        }
    }
}

/// A number that SQLite changes with the schema; 0 in an empty file. <https://www.sqlite.org/pragma.html#pragma_schema_version>
async fn schema_version(writer: &SqlitePool) -> Answer<i64> {
    let row = sqlx::query(sql::SCHEMA_VERSION).fetch_one(writer).await.map_err(map_error)?;
    get(&row, "schema_version")
}

/// Moves the write-ahead log into the database and empties it, as far as nobody reads from it right now.
async fn checkpoint(writer: &SqlitePool) -> Answer<()> {
    within(async { sqlx::query(sql::CHECKPOINT).fetch_one(writer).await.map(drop).map_err(map_error) }).await
}

/// Runs database work under the deadline of a statement.
async fn within<T>(work: impl Future<Output = Answer<T>> + Send) -> Answer<T> {
    let deadline = Duration::from_millis(limits::STATEMENT_MS_MAX);
    match tokio::time::timeout(deadline, work).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {} ms", limits::STATEMENT_MS_MAX))),
    }
}

/// Sorts SQLite's errors. Result codes: <https://www.sqlite.org/rescode.html>.
fn map_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::RowNotFound => StoreError::NotFound("row"),
        sqlx::Error::PoolTimedOut => StoreError::Unavailable("all connections are busy".into()),
        sqlx::Error::PoolClosed => StoreError::Unavailable("the store is closed".into()),
        sqlx::Error::Database(error) => {
            let code: i32 = error.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            match (error.kind(), code & 0xff) {
                (ErrorKind::UniqueViolation, _) => {
                    StoreError::Conflict("it is taken already: ".to_owned() + error.message())
                }
                (ErrorKind::ForeignKeyViolation, _) => StoreError::NotFound("row it refers to"),
                (_, 13) => StoreError::Full,
                (_, 11 | 26) => StoreError::Corrupt(error.message().to_owned()),
                (_, 20 | 25 | 1) => StoreError::Corrupt("statement does not fit: ".to_owned() + error.message()),
                _ => StoreError::Unavailable(error.message().to_owned()),
            }
        }
        sqlx::Error::ColumnDecode { index, .. } => StoreError::Corrupt(format!("column {index}")),
        sqlx::Error::Decode(_) => StoreError::Corrupt("a value".into()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

fn map_migration(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => map_error(error),
        sqlx::migrate::MigrateError::VersionMissing(version) => {
            StoreError::Corrupt(format!("its schema ({version}) is newer than this program"))
        }
        other => StoreError::Corrupt(other.to_string()),
    }
}

fn missing(what: &'static str) -> StoreError {
    StoreError::NotFound(what)
}

fn to_json<T: Serialize>(value: &T) -> Answer<String> {
    serde_json::to_string(value).map_err(|_| StoreError::Invalid("a value that is not JSON"))
}

fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Answer<T> {
    // serde's message may quote the value, which may be personal: only the place is kept.
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("{what}, column {}", error.column())))
}

/// Reads a word that serde knows, such as the name of a state.
fn from_word<T: DeserializeOwned>(what: &'static str, word: &str) -> Answer<T> {
    let reader: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    T::deserialize(reader).map_err(|_| StoreError::Corrupt(what.into()))
}

fn get<'r, T>(row: &'r SqliteRow, column: &str) -> Answer<T>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(map_error)
}

fn to_i64(number: u64) -> Answer<i64> {
    i64::try_from(number).map_err(|_| StoreError::Invalid("a number beyond what a database holds"))
}

fn to_u64(number: i64) -> Answer<u64> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt("a negative place".into()))
}

/// Each lasts [`limits::POOL_WAIT_MS_MAX`] at most.
const OPEN_ATTEMPTS_MAX: u32 = 5;
const PAGE: i64 = limits::PAGE_ROWS_MAX as i64;
