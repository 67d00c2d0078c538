//! The store over a database of either engine.

use crate::contract::{Answer, Store};
use crate::db::postgres::{Postgres, PostgresOptions};
use crate::db::sqlite::{Sqlite, SqliteOptions};
use crate::db::{Args, Db, DbRow, Reach};
use crate::error::StoreError;
use crate::seal::Keyring;
use crate::sql::{self, Sql};
use async_trait::async_trait;

/// Which database, and how it is opened.
#[derive(Clone, Debug)]
pub enum StoreOptions {
    /// One file.
    Sqlite(SqliteOptions),
    /// A server.
    Postgres(PostgresOptions),
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

/// The store over a database.
#[derive(Clone, Debug)]
pub struct SqlStore {
    pub(crate) db: Db,
    pub(crate) keys: Keyring,
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
                Ok(Self { db: Db::Sqlite(Sqlite::open(&options).await?), keys })
            }
            StoreOptions::Postgres(options) => {
                let keys = options.keys.keyring(&options.key_file)?;
                Ok(Self { db: Db::Postgres(Postgres::open(&options).await?), keys })
            }
        }
    }

    /// Prepares every statement and answers the names of those that do not fit the schema.
    pub async fn broken_statements(&self) -> Answer<Vec<(&'static str, String)>> {
        self.db.broken_statements().await
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
    async fn check(&self) -> Answer<()> {
        let reach = Db::across("asks whether the database answers");
        self.db.read(reach, sql::CHECK, Args::new()).await?;
        // Dropped, so nothing is written; but a file without room or a server that only reads would have said so.
        self.db.begin(reach).await.map(drop)
    }

    async fn close(&self) {
        self.db.close().await;
    }
}
