//! The store over a database of either engine.

use crate::areas::events::Bells;
use crate::args;
use crate::contract::{Answer, Store};
use crate::db::postgres::{Postgres, PostgresOptions};
use crate::db::sqlite::{Sqlite, SqliteOptions};
use crate::db::{Args, Db, DbRow, Keys, Reach};
use crate::error::StoreError;
use crate::gather::Gathered;
use crate::seal::Keyring;
use crate::sql::{self, Sql};
use async_trait::async_trait;
use base::limits;
use std::path::PathBuf;

/// Which database, and how it is opened.
#[derive(Clone, Debug)]
pub enum StoreOptions {
    /// One file.
    Sqlite(SqliteOptions),
    /// A server.
    Postgres(PostgresOptions),
}

impl StoreOptions {
    /// What seals that which is sealed.
    pub const fn keys(&self) -> &Keys {
        match self {
            Self::Sqlite(options) => &options.keys,
            Self::Postgres(options) => &options.keys,
        }
    }

    /// Where the data key is kept when none is given.
    pub fn key_file(&self) -> PathBuf {
        match self {
            Self::Sqlite(options) => options.key_file(),
            Self::Postgres(options) => options.key_file.clone(),
        }
    }

    /// Where the database is, for people: without user and password.
    pub fn place(&self) -> String {
        match self {
            Self::Sqlite(options) => options.path.display().to_string(),
            Self::Postgres(options) => options.place(),
        }
    }
}

impl From<SqliteOptions> for StoreOptions {
    fn from(options: SqliteOptions) -> Self {
        Self::Sqlite(options)
    }
}

impl From<PostgresOptions> for StoreOptions {
    fn from(options: PostgresOptions) -> Self {
        Self::Postgres(options)
    }
}

/// What an operator wants to know of a database before calls come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Name and version.
    pub engine: String,
    /// As whom we serve.
    pub role: Option<String>,
    /// Why row-level security does not bind that role, when it does not.
    pub unbound: Option<&'static str>,
    /// Why the replica does not answer, when there is one and it does not.
    pub replica: Option<String>,
}

/// The store over a database.
#[derive(Clone, Debug)]
pub struct SqlStore {
    pub(crate) db: Db,
    pub(crate) keys: Keyring,
    pub(crate) bells: Bells,
    /// What live calls write, on an engine with one writer.
    pub(crate) gathered: Gathered,
}

impl SqlStore {
    /// Opens the database and brings its schema up to date.
    pub async fn open(options: impl Into<StoreOptions>) -> Answer<Self> {
        match options.into() {
            StoreOptions::Sqlite(options) => {
                if let Some(folder) = options.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    std::fs::create_dir_all(folder).map_err(|error| {
                        StoreError::Unavailable(format!("the folder {} cannot be created: {error}", folder.display()))
                    })?;
                }
                let keys = options.keys.keyring(&options.key_file())?;
                Ok(Self::over(Db::Sqlite(Sqlite::open(&options).await?), keys))
            }
            StoreOptions::Postgres(options) => {
                let keys = options.keys.keyring(&options.key_file)?;
                Ok(Self::over(Db::Postgres(Postgres::open(&options).await?), keys))
            }
        }
    }

    fn over(db: Db, keys: Keyring) -> Self {
        Self { db, keys, bells: Bells::default(), gathered: Gathered::default() }
    }

    /// Prepares every statement and answers the names of those that do not fit the schema.
    pub async fn broken_statements(&self) -> Answer<Vec<(&'static str, String)>> {
        self.db.broken_statements().await
    }

    /// What an operator wants to know of it before calls come.
    pub async fn report(&self) -> Answer<Report> {
        match &self.db {
            Db::Sqlite(_) => Ok(Report { engine: "SQLite".into(), role: None, unbound: None, replica: None }),
            Db::Postgres(db) => db.report().await,
        }
    }

    /// The first row, or that there is no such thing.
    pub(crate) async fn need(
        &self,
        reach: impl Into<Reach>,
        what: &'static str,
        sql: Sql,
        args: Args<'_>,
    ) -> Answer<DbRow> {
        self.db.read_one(reach, sql, args).await?.ok_or(StoreError::NotFound(what))
    }
}

#[async_trait]
impl Store for SqlStore {
    fn keyring(&self) -> &Keyring {
        &self.keys
    }

    async fn check(&self) -> Answer<()> {
        let reach = Db::across("asks whether the database answers");
        self.db.read(reach, sql::CHECK, Args::new()).await?;
        // Dropped, so nothing is written; but a file without room or a server that only reads would have said so.
        self.db.begin(reach).await.map(drop)
    }

    async fn make_room(&self) -> Answer<u64> {
        if let Db::Sqlite(_) = &self.db {
            return Ok(0);
        }
        let reach = Db::across("partitions are for all businesses");
        let months = args![1_i64, i64::from(limits::PARTITIONS_AHEAD_MONTHS)];
        let made = self.db.write_rows(reach, sql::MAKE_PARTITIONS, months).await?;
        made.first().map_or(Ok(0), |row| row.get("made"))
    }

    async fn close(&self) {
        self.db.close().await;
    }
}
