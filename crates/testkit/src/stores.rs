//! Stores, empty and up to date, one for each test.

use crate::postgres::{self, Database};
use base::Secret;
use std::path::Path;
use std::sync::Arc;
use store::{PostgresOptions, SqlStore, SqliteOptions, Store};
use tempfile::TempDir;

/// What lives as long as a test: its folder, and its database.
pub struct Guard {
    /// A folder of its own.
    pub folder: TempDir,
    /// Its database, on PostgreSQL.
    pub database: Option<Database>,
}

/// A store in a file.
pub async fn sqlite() -> (Arc<dyn Store>, Guard) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqlStore::open(SqliteOptions::new(folder.path().join("frontdesk.db"))).await.expect("a store");
    (Arc::new(store), Guard { folder, database: None })
}

/// A store on a real server, as a role that is neither its owner nor a superuser.
pub async fn on_postgres() -> (Arc<dyn Store>, Guard) {
    let (store, guard) = sql_on_postgres().await;
    (Arc::new(store), guard)
}

/// The same, before it is made an object.
pub async fn sql_on_postgres() -> (SqlStore, Guard) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = database().await;
    let store = SqlStore::open(options(&database, folder.path())).await.expect("a store");
    (store, Guard { folder, database: Some(database) })
}

/// A database with the schema of this program and nothing else in it.
pub async fn database() -> Database {
    postgres::shared().prepared(async |empty| bring_up(empty).await).await
}

/// Brings the schema of an empty database up to date and lets the serving role use it.
pub async fn bring_up(empty: &Database) {
    let folder = tempfile::tempdir().expect("a folder");
    let options = PostgresOptions { owner_url: Some(Secret::new(empty.owner_url())), ..options(empty, folder.path()) };
    SqlStore::open(options).await.expect("the schema").close().await;
}

/// How the serving role opens a database.
pub fn options(database: &Database, folder: &Path) -> PostgresOptions {
    PostgresOptions {
        connections_max: 4,
        ..PostgresOptions::new(Secret::new(database.url()), folder.join("frontdesk.key"))
    }
}
