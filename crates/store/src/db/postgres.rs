//! PostgreSQL: a pool of connections to the primary, and perhaps one to a replica for lists.
//!
//! Each unit of work is a transaction that first tells the server whose rows it may reach (`SET LOCAL frontdesk.business`),
//! which is what the row-level security policies compare with (migrations/postgres/0001_start.sql). Beginning and telling
//! are one message, so a read costs two exchanges; its rollback is sent after the answer.

use super::value::Either;
use super::{DbRow, Keys, Reach, Value, bound, migrate};
use crate::contract::Answer;
use crate::error::StoreError;
use crate::sql_store::Report;
use base::{Secret, limits};
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection, PgPool, SqlSafeStr};
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE`, for the role that serves. It
    /// should be neither a superuser nor the owner of the tables.
    /// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>
    pub url: Secret<String>,
    /// The same for the role that owns the tables and changes the schema. `None`: the role that serves does.
    pub owner_url: Option<Secret<String>>,
    /// The same for a replica that answers lists and evaluations. `None`: the primary answers.
    pub replica_url: Option<Secret<String>>,
    /// Connections to each server.
    pub connections_max: u32,
    /// What seals that which is sealed.
    pub keys: Keys,
    /// Where the data key is kept when none is given. Nodes that share a database share the key: give it to each of them.
    pub key_file: PathBuf,
}

impl PostgresOptions {
    /// The usual way to reach this server.
    pub fn new(url: Secret<String>, key_file: impl Into<PathBuf>) -> Self {
        Self {
            url,
            owner_url: None,
            replica_url: None,
            connections_max: limits::POSTGRES_CONNECTIONS_MAX,
            keys: Keys::Beside,
            key_file: key_file.into(),
        }
    }
}

impl PostgresOptions {
    /// Where the server is, for people: without user and password.
    pub fn place(&self) -> String {
        let Ok(options) = connect_options(&self.url) else { return "of database.url".into() };
        format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default())
    }
}

/// An open pool.
#[derive(Clone, Debug)]
pub struct Postgres {
    primary: PgPool,
    replica: Option<Replica>,
}

#[derive(Clone, Debug)]
struct Replica {
    pool: PgPool,
    /// Milliseconds since `started` until which it is not asked, because it did not answer.
    away_until_ms: Arc<AtomicU64>,
    started: Instant,
}

impl Postgres {
    /// Brings the schema up to date and opens the pools. Waits for the server for as long as a start may take.
    pub(crate) async fn open(options: &PostgresOptions) -> Answer<Self> {
        let serving = connect_options(&options.url)?;
        let owner = options.owner_url.as_ref().map(connect_options).transpose()?;
        let mut migrator = first_connection(owner.as_ref().unwrap_or(&serving)).await?;
        let grant_to = owner.is_some().then(|| serving.get_username().to_owned());
        let migrated = migrate::postgres(&mut migrator, grant_to.as_deref()).await;
        let _ = migrator.close().await;
        migrated?;
        let primary = pool(options.connections_max).connect_lazy_with(serving);
        let rights = rights(&primary).await?;
        if !rights.may {
            return Err(StoreError::Invalid(NO_RIGHTS));
        }
        if let Some(why) = rights.unbound() {
            tracing::warn!(role = rights.role, "row-level security does not bind this role of the database: {why}");
        }
        let replica = match &options.replica_url {
            None => None,
            Some(url) => Some(Replica {
                pool: pool(options.connections_max).connect_lazy_with(connect_options(url)?),
                away_until_ms: Arc::default(),
                started: Instant::now(),
            }),
        };
        Ok(Self { primary, replica })
    }

    pub(super) async fn read(&self, reach: Reach, text: &'static str, args: &[Value<'_>]) -> Answer<Vec<DbRow>> {
        match read(&self.primary, reach, text, args).await {
            // A read may be repeated: the connection died under it, and the server may be back already.
            Err(error) if is_lost(&error) => read(&self.primary, reach, text, args).await,
            answer => answer,
        }
        .map_err(map_error)
    }

    pub(super) async fn list(&self, reach: Reach, text: &'static str, args: &[Value<'_>]) -> Answer<Vec<DbRow>> {
        let Some(replica) = self.replica.as_ref().filter(|replica| replica.is_asked()) else {
            return self.read(reach, text, args).await;
        };
        let patience = Duration::from_millis(limits::REPLICA_MS_MAX);
        match tokio::time::timeout(patience, read(&replica.pool, reach, text, args)).await {
            Ok(Ok(rows)) => Ok(rows),
            failed => {
                replica.leave_alone();
                let reason = failed.map_or_else(
                    |_| "no answer in time".to_owned(),
                    |answer| answer.map_or_else(|error| error.to_string(), |_| String::new()),
                );
                tracing::warn!(reason, "the replica of the database does not answer; the primary does its work");
                self.read(reach, text, args).await
            }
        }
    }

    pub(crate) async fn report(&self) -> Answer<Report> {
        let rights = rights(&self.primary).await?;
        let unbound = rights.unbound();
        let engine = format!("PostgreSQL {}", rights.version);
        let replica = match &self.replica {
            None => None,
            Some(replica) => self::rights(&replica.pool).await.err().map(|error| error.to_string()),
        };
        Ok(Report { engine, role: Some(rights.role), unbound, replica })
    }

    pub(super) async fn begin(&self, reach: Reach) -> Answer<sqlx::Transaction<'static, sqlx::Postgres>> {
        begin(&self.primary, reach, "BEGIN").await.map_err(map_error)
    }

    pub(super) async fn prepare(&self, text: &'static str) -> Result<(), String> {
        (&self.primary).prepare(text.into_sql_str()).await.map(drop).map_err(|error| error.to_string())
    }

    pub(super) async fn close(&self) {
        if let Some(replica) = &self.replica {
            replica.pool.close().await;
        }
        self.primary.close().await;
    }
}

impl Replica {
    fn is_asked(&self) -> bool {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        now_ms >= self.away_until_ms.load(Ordering::Relaxed)
    }

    fn leave_alone(&self) {
        let until = self.started.elapsed() + Duration::from_millis(limits::REPLICA_AWAY_MS);
        self.away_until_ms.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// What the role may do that serves.
struct Rights {
    version: String,
    role: String,
    above: bool,
    owner: bool,
    may: bool,
}

impl Rights {
    fn unbound(&self) -> Option<&'static str> {
        match (self.above, self.owner) {
            (true, _) => Some("it is a superuser or has BYPASSRLS"),
            (_, true) => Some("it owns the tables, so it could lift the policies"),
            _ => None,
        }
    }
}

async fn rights(pool: &PgPool) -> Answer<Rights> {
    let rows = read(pool, Reach::Across, crate::sql::RIGHTS.postgres()?, &[]).await.map_err(map_error)?;
    let row = rows.first().ok_or(StoreError::NotFound("role"))?;
    Ok(Rights {
        version: row.get("version")?,
        role: row.get("role")?,
        above: row.get("above")?,
        owner: row.get("owner")?,
        may: row.get("may")?,
    })
}

const NO_RIGHTS: &str =
    "the role of database.url may not use every table; start once with database.owner_url, which grants that";

async fn read(pool: &PgPool, reach: Reach, text: &'static str, args: &[Value<'_>]) -> sqlx::Result<Vec<DbRow>> {
    let mut tx = begin(pool, reach, "BEGIN READ ONLY").await?;
    let rows = bound!(text, args).fetch_all(&mut *tx).await?;
    Ok(rows.into_iter().map(|row| DbRow(Either::Postgres(row))).collect())
}

/// Begins a transaction that reaches these rows. Connections that died while nobody used them are passed over.
async fn begin(pool: &PgPool, reach: Reach, how: &str) -> sqlx::Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    // A UUID has no character that ends a text of SQL.
    let text = match reach {
        Reach::Business(id) => format!("{how}; SET LOCAL frontdesk.business = '{id}'"),
        Reach::Across => format!("{how}; SET LOCAL frontdesk.across = 'on'"),
    };
    let dead_max = pool.size();
    for _ in 0..dead_max {
        match pool.begin_with(AssertSqlSafe(text.clone())).await {
            Err(error) if is_lost(&error) => {}
            begun => return begun,
        }
    }
    pool.begin_with(AssertSqlSafe(text)).await
}

pub(super) async fn fetch<'c, E>(on: E, text: &'static str, args: &[Value<'_>]) -> Answer<Vec<DbRow>>
where
    E: Executor<'c, Database = sqlx::Postgres>,
{
    let rows = bound!(text, args).fetch_all(on).await.map_err(map_error)?;
    Ok(rows.into_iter().map(|row| DbRow(Either::Postgres(row))).collect())
}

pub(super) async fn execute<'c, E>(on: E, text: impl SqlSafeStr, args: &[Value<'_>]) -> Answer<u64>
where
    E: Executor<'c, Database = sqlx::Postgres>,
{
    Ok(bound!(text, args).execute(on).await.map_err(map_error)?.rows_affected())
}

fn connect_options(url: &Secret<String>) -> Answer<PgConnectOptions> {
    // The parser's own words may quote the address, and with it the password.
    let unreadable = |_| StoreError::Invalid("database.url is not postgres://user:password@host:port/database");
    let options = PgConnectOptions::from_str(url.expose()).map_err(unreadable)?;
    Ok(options.application_name("frontdesk").statement_cache_capacity(limits::STATEMENTS_PREPARED_MAX))
}

fn pool(connections_max: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections_max.max(1))
        .acquire_timeout(Duration::from_millis(limits::POOL_WAIT_MS_MAX))
        // Beginning a unit of work is the test; see `begin`.
        .test_before_acquire(false)
        .idle_timeout(Some(Duration::from_millis(limits::POSTGRES_IDLE_MS_MAX)))
        .max_lifetime(Some(Duration::from_millis(limits::POSTGRES_CONNECTION_MS_MAX)))
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(AssertSqlSafe(session())).await.map(drop) })
        })
}

/// The server gives up when we do: what nobody waits for any more holds no lock and burns no processor.
fn session() -> String {
    let statement = limits::STATEMENT_MS_MAX;
    let lock = statement * 3 / 4;
    let idle = statement * 2;
    format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {lock};
        SET idle_in_transaction_session_timeout = {idle}; SET timezone = 'UTC'"
    )
}

/// Connects once, outside of the pool. A process that starts has more patience than one with calls in progress.
async fn first_connection(options: &PgConnectOptions) -> Answer<PgConnection> {
    let until = tokio::time::Instant::now() + Duration::from_millis(limits::POSTGRES_START_MS_MAX);
    loop {
        let patience = Duration::from_millis(limits::POOL_WAIT_MS_MAX);
        let error = match tokio::time::timeout(patience, PgConnection::connect_with(options)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) if !is_lost(&error) || is_stranger(&error) => return Err(map_error(error)),
            Ok(Err(error)) => map_error(error),
            Err(_) => StoreError::Unavailable("the server does not take the connection".into()),
        };
        if tokio::time::Instant::now() >= until {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(limits::JOURNAL_RETRY_MS)).await;
    }
}

/// Whether the server did not show that it is the one that is meant (TLS). Waiting does not mend a certificate.
fn is_stranger(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// Whether the connection is gone, so that nothing of an unfinished transaction has happened.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::BeginFailed => true,
        // The server shuts down, crashed, or is still starting; a connection's backend was ended.
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03" | "57P05")),
        _ => false,
    }
}

/// Sorts PostgreSQL's errors. Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn map_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::RowNotFound => StoreError::NotFound("row"),
        sqlx::Error::PoolTimedOut => StoreError::Unavailable("no connection is free, or the server is away".into()),
        sqlx::Error::PoolClosed => StoreError::Unavailable("the store is closed".into()),
        sqlx::Error::Database(error) => map_server_error(error.as_ref()),
        sqlx::Error::ColumnDecode { index, .. } => StoreError::Corrupt(format!("column {index}")),
        sqlx::Error::ColumnNotFound(name) => StoreError::Corrupt(format!("column {name} is missing")),
        sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => StoreError::Corrupt("a value".into()),
        sqlx::Error::Configuration(_) => StoreError::Invalid("database.url cannot be used as it is"),
        other => StoreError::Unavailable(other.to_string()),
    }
}

fn map_server_error(error: &(dyn DatabaseError + 'static)) -> StoreError {
    let code = error.code().unwrap_or_default();
    match (error.kind(), code.as_ref()) {
        // The server's message does not hold values, its detail does.
        (ErrorKind::UniqueViolation, _) => StoreError::Conflict("it is taken already: ".to_owned() + error.message()),
        (ErrorKind::ForeignKeyViolation, _) => StoreError::NotFound("row it refers to"),
        // A row of another business, seen by the policy. (That rights are there at all is checked at the start.)
        (_, "42501") => StoreError::NotFound("row"),
        (_, "40001" | "40P01") => StoreError::Contended,
        (_, "53100") => StoreError::Full,
        (_, "XX001" | "XX002") => StoreError::Corrupt(error.message().to_owned()),
        // PostgreSQL keeps no NUL in a text.
        (_, "22021" | "22P05") => StoreError::Invalid("a text with characters that a database does not keep"),
        (_, code) if code.starts_with("42") || code.starts_with("22") => {
            StoreError::Corrupt("statement does not fit: ".to_owned() + error.message())
        }
        _ => StoreError::Unavailable(error.message().to_owned()),
    }
}
