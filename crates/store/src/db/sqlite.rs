//! SQLite: one connection writes, a few read, write-ahead log.
//!
//! A single writer makes `BEGIN IMMEDIATE` wait in our own queue (with a deadline) instead of in SQLite's busy loop.

use super::value::Either;
use super::{DbRow, Value, bound, migrate, within};
use crate::contract::Answer;
use crate::error::StoreError;
use crate::seal::{DataKey, Keyring};
use crate::sql;
use base::limits;
use sqlx::error::ErrorKind;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor, Row as _, SqlSafeStr, SqlitePool};
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
    /// One is kept in a file on this machine (beside the database when that is a file) and made at the first start.
    #[default]
    Beside,
    /// These; one in that file still opens.
    Given(Keyring),
}

impl Keys {
    pub(crate) fn keyring(&self, file: &Path) -> Answer<Keyring> {
        Ok(match self {
            Self::Beside => Keyring::new(DataKey::read_or_create(file)?, Vec::new()),
            Self::Given(keyring) if file.exists() => keyring.clone().and_old(DataKey::read(file)?),
            Self::Given(keyring) => keyring.clone(),
        })
    }
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
}

/// An open file.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    /// Opens the file, creates it when missing, and brings its schema up to date.
    pub(crate) async fn open(options: &SqliteOptions) -> Answer<Self> {
        let connect = SqliteConnectOptions::new()
            .filename(&options.path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_millis(limits::POOL_WAIT_MS_MAX))
            .statement_cache_capacity(limits::STATEMENTS_PREPARED_MAX)
            .pragma("journal_size_limit", "67108864")
            .pragma("wal_autocheckpoint", limits::SQLITE_LOG_PAGES.to_string())
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
        migrate::sqlite(&writer).await?;
        if before != 0 && schema_version(&writer).await? != before {
            // What a migration deleted is not to live on in the log.
            checkpoint(&writer).await?;
        }
        let readers = pool().max_connections(options.readers_max.max(1));
        let readers = first_connection(readers, &connect.pragma("query_only", "on")).await?;
        Ok(Self { writer, readers })
    }

    pub(super) async fn read(&self, text: &'static str, args: &[Value<'_>]) -> Answer<Vec<DbRow>> {
        fetch(&self.readers, text, args).await
    }

    pub(super) async fn write(&self, text: &'static str, args: &[Value<'_>]) -> Answer<u64> {
        execute(&self.writer, text, args).await
    }

    /// A write transaction that holds SQLite's lock from its first moment, so that it never fails half way.
    pub(super) async fn begin(&self) -> Answer<sqlx::Transaction<'static, sqlx::Sqlite>> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(map_error)
    }

    pub(super) async fn prepare(&self, text: &'static str) -> Result<(), String> {
        (&self.readers).prepare(text.into_sql_str()).await.map(drop).map_err(|error| error.to_string())
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Moves the write-ahead log into the database and empties it, as far as nobody reads from it right now.
    pub(crate) async fn checkpoint(&self) -> Answer<()> {
        checkpoint(&self.writer).await
    }
}

pub(super) async fn fetch<'c, E>(on: E, text: &'static str, args: &[Value<'_>]) -> Answer<Vec<DbRow>>
where
    E: Executor<'c, Database = sqlx::Sqlite>,
{
    let rows = bound!(text, args).fetch_all(on).await.map_err(map_error)?;
    Ok(rows.into_iter().map(|row| DbRow(Either::Sqlite(row))).collect())
}

pub(super) async fn execute<'c, E>(on: E, text: impl SqlSafeStr, args: &[Value<'_>]) -> Answer<u64>
where
    E: Executor<'c, Database = sqlx::Sqlite>,
{
    Ok(bound!(text, args).execute(on).await.map_err(map_error)?.rows_affected())
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
    let row = sqlx::query(sql::SCHEMA_VERSION.sqlite()?).fetch_one(writer).await.map_err(map_error)?;
    row.try_get("schema_version").map_err(map_error)
}

async fn checkpoint(writer: &SqlitePool) -> Answer<()> {
    let text = sql::CHECKPOINT.sqlite()?;
    within(async { sqlx::query(text).fetch_one(writer).await.map(drop).map_err(map_error) }).await
}

/// Sorts SQLite's errors. Result codes: <https://www.sqlite.org/rescode.html>.
pub(super) fn map_error(error: sqlx::Error) -> StoreError {
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
        sqlx::Error::ColumnNotFound(name) => StoreError::Corrupt(format!("column {name} is missing")),
        sqlx::Error::Decode(_) => StoreError::Corrupt("a value".into()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// Each lasts [`limits::POOL_WAIT_MS_MAX`] at most.
const OPEN_ATTEMPTS_MAX: u32 = 5;
