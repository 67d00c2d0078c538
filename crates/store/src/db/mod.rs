//! One body of Rust over two engines: SQLite (one file, the default) and PostgreSQL.
//!
//! A statement ([`crate::sql`]) runs as a *unit of work* under the deadline of a statement: alone ([`Db::read`], [`Db::list`],
//! [`Db::write`]) or with others ([`Db::begin`]). Each one says what it may reach: the rows of one business (`&TenantScope`),
//! or of several, which has to be said with a reason ([`Db::across`]). On PostgreSQL that is what the row-level security
//! policies see, so a statement that forgot its `WHERE business = $1` still finds nothing of others.
//!
//! A transaction sees what others committed since it began (`READ COMMITTED` on PostgreSQL; on SQLite there is one writer).
//! Whoever reads in order to write what depends on it reads with a `locking` statement, or lets a unique key decide.

mod many;
mod migrate;
pub mod postgres;
pub mod sqlite;
mod value;

pub use postgres::PostgresOptions;
pub use sqlite::{Keys, SqliteOptions};
pub use value::{Args, Column, DbRow, Value};

use crate::contract::Answer;
use crate::error::StoreError;
use crate::people::Audited;
use crate::sql::{self, Sql};
use crate::trail;
use base::{Millis, limits};
use model::business::TenantScope;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;
use value::bound;

/// A database.
#[derive(Clone, Debug)]
pub enum Db {
    /// One file.
    Sqlite(sqlite::Sqlite),
    /// A server, and perhaps a replica of it.
    Postgres(postgres::Postgres),
}

/// Whose rows a unit of work may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of one business.
    Business(Uuid),
    /// Those of all; made by [`Db::across`] alone.
    Across,
}

impl From<&TenantScope> for Reach {
    fn from(scope: &TenantScope) -> Self {
        Self::Business(scope.business.0)
    }
}

impl Db {
    /// The right to reach rows of several businesses, or of none. The reason is for whoever reads the code: routing by a
    /// carrier's id, work of the installation, tables that belong to no business.
    pub const fn across(_why: &'static str) -> Reach {
        Reach::Across
    }

    /// Rows, as they are now.
    pub async fn read(&self, reach: impl Into<Reach>, sql: Sql, args: Args<'_>) -> Answer<Vec<DbRow>> {
        let reach = reach.into();
        match self {
            Self::Sqlite(db) => within(db.read(sql.sqlite()?, &args)).await,
            Self::Postgres(db) => within(db.read(reach, sql.postgres()?, &args)).await,
        }
    }

    /// The first row, as it is now.
    pub async fn read_one(&self, reach: impl Into<Reach>, sql: Sql, args: Args<'_>) -> Answer<Option<DbRow>> {
        Ok(self.read(reach, sql, args).await?.into_iter().next())
    }

    /// Rows for a page or an evaluation: from the replica when there is one, so they may be some moments old. Never for a
    /// decision, nor for what the same caller has just written.
    pub async fn list(&self, reach: impl Into<Reach>, sql: Sql, args: Args<'_>) -> Answer<Vec<DbRow>> {
        let reach = reach.into();
        match self {
            Self::Sqlite(db) => within(db.read(sql.sqlite()?, &args)).await,
            Self::Postgres(db) => within(db.list(reach, sql.postgres()?, &args)).await,
        }
    }

    /// Writes with one statement and answers how many rows it touched. `Unavailable` leaves open whether it happened.
    pub async fn write(&self, reach: impl Into<Reach>, sql: Sql, args: Args<'_>) -> Answer<u64> {
        let reach = reach.into();
        match self {
            Self::Sqlite(db) if trail::due(reach).is_none() => within(db.write(sql.sqlite()?, &args)).await,
            Self::Sqlite(_) | Self::Postgres(_) => {
                self.retrying(|| async {
                    let mut tx = self.begin(reach).await?;
                    let count = tx.write(sql, args.clone()).await?;
                    tx.commit().await?;
                    Ok(count)
                })
                .await
            }
        }
    }

    /// Writes with one statement that answers rows (`RETURNING`).
    pub async fn write_rows(&self, reach: impl Into<Reach>, sql: Sql, args: Args<'_>) -> Answer<Vec<DbRow>> {
        let reach = reach.into();
        let mut tx = self.begin(reach).await?;
        let rows = tx.read(sql, args).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Several statements that happen together or not at all. Dropping it undoes them; so does the deadline, which is that
    /// of one statement for all of them.
    pub async fn begin(&self, reach: impl Into<Reach>) -> Answer<Tx> {
        let reach = reach.into();
        let until = Instant::now() + Duration::from_millis(limits::STATEMENT_MS_MAX);
        let inner = match self {
            Self::Sqlite(db) => Inner::Sqlite(before(until, db.begin()).await?),
            Self::Postgres(db) => Inner::Postgres(before(until, db.begin(reach)).await?),
        };
        Ok(Tx { inner, until, reach, changed: false })
    }

    /// The same for work that nobody waits for, which may take as long as this.
    pub async fn begin_within(&self, reach: impl Into<Reach>, patience: Millis) -> Answer<Tx> {
        let mut tx = self.begin(reach).await?;
        if let Inner::Postgres(tx) = &mut tx.inner {
            // The server gives up when we do.
            let text = AssertSqlSafe(format!("SET LOCAL statement_timeout = {}", patience.0));
            within(postgres::execute(&mut **tx, text, &[])).await?;
        }
        tx.until = Instant::now() + patience.to_duration();
        Ok(tx)
    }

    /// Does a piece of work again when others changed the same rows at the same time (a deadlock: nothing of it happened),
    /// a bounded number of times. The work begins and commits its own transaction.
    pub async fn retrying<T, Work, Done>(&self, work: Work) -> Answer<T>
    where
        Work: Fn() -> Done,
        Done: Future<Output = Answer<T>>,
    {
        for _ in 1..CONTENDED_ATTEMPTS_MAX {
            match work().await {
                Err(StoreError::Contended) => {}
                done => return done,
            }
        }
        work().await
    }

    /// Prepares every statement and answers the names of those that do not fit the schema.
    pub async fn broken_statements(&self) -> Answer<Vec<(&'static str, String)>> {
        let mut broken = Vec::new();
        for sql in crate::sql::all() {
            let prepared = match self {
                Self::Sqlite(db) if sql.sqlite().is_ok() => db.prepare(sql.sqlite()?).await,
                Self::Postgres(db) if sql.postgres().is_ok() => db.prepare(sql.postgres()?).await,
                _ => Ok(()),
            };
            broken.extend(prepared.err().map(|why| (sql.name, why)));
        }
        Ok(broken)
    }

    /// Finishes what is under way and closes.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(db) => db.close().await,
            Self::Postgres(db) => db.close().await,
        }
    }
}

/// Statements that happen together; see [`Db::begin`].
#[derive(Debug)]
pub struct Tx {
    inner: Inner,
    until: Instant,
    reach: Reach,
    /// Whether it has touched a row.
    changed: bool,
}

#[derive(Debug)]
enum Inner {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Tx {
    /// Rows, of a `SELECT` or of `RETURNING`.
    pub async fn read(&mut self, sql: Sql, args: Args<'_>) -> Answer<Vec<DbRow>> {
        let until = self.until;
        let (text, rows) = match &mut self.inner {
            Inner::Sqlite(tx) => (sql.sqlite()?, before(until, sqlite::fetch(&mut **tx, sql.sqlite()?, &args)).await?),
            Inner::Postgres(tx) => {
                (sql.postgres()?, before(until, postgres::fetch(&mut **tx, sql.postgres()?, &args)).await?)
            }
        };
        self.changed |= !rows.is_empty() && !text.trim_start().starts_with("SELECT");
        Ok(rows)
    }

    /// The first row.
    pub async fn read_one(&mut self, sql: Sql, args: Args<'_>) -> Answer<Option<DbRow>> {
        Ok(self.read(sql, args).await?.into_iter().next())
    }

    /// Writes and answers how many rows it touched.
    pub async fn write(&mut self, sql: Sql, args: Args<'_>) -> Answer<u64> {
        let until = self.until;
        let count = match &mut self.inner {
            Inner::Sqlite(tx) => before(until, sqlite::execute(&mut **tx, sql.sqlite()?, &args)).await?,
            Inner::Postgres(tx) => before(until, postgres::execute(&mut **tx, sql.postgres()?, &args)).await?,
        };
        self.changed |= count > 0;
        Ok(count)
    }

    /// Makes it so, and with it the line of the audit log that tells of it ([`trail`]). `Unavailable` leaves open whether it
    /// happened.
    pub async fn commit(mut self) -> Answer<()> {
        let trail = if self.changed { trail::due(self.reach) } else { None };
        if let Some(trail) = &trail {
            self.write_line(&trail.line()).await.map_err(trail::unwritten)?;
        }
        match self.inner {
            Inner::Sqlite(tx) => before(self.until, async { tx.commit().await.map_err(sqlite::map_error) }).await?,
            Inner::Postgres(tx) => before(self.until, async { tx.commit().await.map_err(postgres::map_error) }).await?,
        }
        if let Some(trail) = trail {
            trail.mark_written();
        }
        Ok(())
    }

    async fn write_line(&mut self, line: &trail::Line) -> Answer<()> {
        let Some(scope) = line.scope else { return Ok(()) };
        let audited = Audited {
            actor: line.actor,
            action: &line.action,
            subject: &line.subject,
            details: &line.details,
            address: line.address.as_deref(),
        };
        self.write(sql::INSERT_AUDIT, trail::row(&scope, &audited, line.at_ms)?).await.map(drop)
    }
}

/// Runs database work under the deadline of a statement.
fn within<T>(work: impl Future<Output = Answer<T>> + Send) -> impl Future<Output = Answer<T>> + Send {
    before(Instant::now() + Duration::from_millis(limits::STATEMENT_MS_MAX), work)
}

/// The work gets a place of its own before anybody waits for it: what a driver needs for a statement takes kilobytes, and whoever
/// runs statements of two engines in turn would hold room for each of them, however long it waits for something else.
fn before<T>(until: Instant, work: impl Future<Output = Answer<T>> + Send) -> impl Future<Output = Answer<T>> + Send {
    let work = Box::pin(work);
    async move {
        match timeout_at(until, work).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unavailable("no answer in time".into())),
        }
    }
}

/// The answer when a row is not there, or is another business's.
pub fn missing(what: &'static str) -> StoreError {
    StoreError::NotFound(what)
}

/// A value as the JSON that a column holds.
pub fn to_json<T: Serialize>(value: &T) -> Answer<String> {
    serde_json::to_string(value).map_err(|_| StoreError::Invalid("a value that is not JSON"))
}

/// A count as a column holds it.
pub fn to_i64(number: u64) -> Answer<i64> {
    i64::try_from(number).map_err(|_| StoreError::Invalid("a number beyond what a database holds"))
}

/// Rows of a page, as an argument.
pub const PAGE: i64 = limits::PAGE_ROWS_MAX as i64;
const CONTENDED_ATTEMPTS_MAX: u32 = 4;
