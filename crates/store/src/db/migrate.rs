//! Brings a schema up to date, once, however many nodes start at the same time, and while nodes of the version before serve.
//!
//! Migrations of both engines have the same numbers. Each one only *expands*: it adds tables, columns that may be absent or
//! have a default, and indexes. What nobody of the version before uses any more goes in a later one, which *contracts* and
//! says so in `schema_floor`: the number of the migration that a program has to know in order to serve on this schema. A
//! program therefore serves on a schema that is newer than itself as long as it knows the floor.

use super::{postgres, sqlite};
use crate::contract::Answer;
use crate::error::StoreError;
use base::limits;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgConnection, Row as _, SqlitePool};
use std::time::Duration;

/// The migrations for SQLite.
static SQLITE: Migrator = newer_allowed(sqlx::migrate!("migrations/sqlite"));
/// The migrations for PostgreSQL.
static POSTGRES: Migrator = newer_allowed(sqlx::migrate!("migrations/postgres"));

const fn newer_allowed(mut migrator: Migrator) -> Migrator {
    // Whether a newer schema will do is decided by its floor.
    migrator.ignore_missing = true;
    migrator
}

fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

pub(super) async fn sqlite(writer: &SqlitePool) -> Answer<()> {
    let mut connection = writer.acquire().await.map_err(sqlite::map_error)?;
    SQLITE.run_direct(None, &mut *connection, false).await.map_err(|error| map_migration(error, sqlite::map_error))?;
    let row = sqlx::query(FLOOR).fetch_one(&mut *connection).await.map_err(sqlite::map_error)?;
    check_floor(row.try_get("floor").map_err(sqlite::map_error)?, newest(&SQLITE))
}

/// Brings the schema up to date under an advisory lock, and lets another role serve on it.
pub(super) async fn postgres(owner: &mut PgConnection, grant_to: Option<&str>) -> Answer<()> {
    let deadline = Duration::from_millis(limits::MIGRATION_MS_MAX);
    let run = async {
        if !is_current(owner).await? {
            POSTGRES.run_direct(None, owner, false).await.map_err(|error| map_migration(error, postgres::map_error))?;
        }
        let row = sqlx::query(FLOOR).fetch_one(&mut *owner).await.map_err(postgres::map_error)?;
        check_floor(row.try_get("floor").map_err(postgres::map_error)?, newest(&POSTGRES))?;
        if let Some(role) = grant_to {
            sqlx::query(GRANT).bind(role).execute(&mut *owner).await.map_err(postgres::map_error)?;
        }
        Ok(())
    };
    tokio::time::timeout(deadline, run)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("another node changes the schema for too long".into())))
}

/// Whether nothing is to do. A role that only serves may look, and may not do it.
async fn is_current(connection: &mut PgConnection) -> Answer<bool> {
    let begun = sqlx::query(BEGUN).fetch_one(&mut *connection).await.map_err(postgres::map_error)?;
    if !begun.try_get("begun").map_err(postgres::map_error)? {
        return Ok(false);
    }
    let rows = sqlx::query(APPLIED).fetch_all(&mut *connection).await.map_err(postgres::map_error)?;
    let applied: Vec<i64> = rows.iter().filter_map(|row| row.try_get("version").ok()).collect();
    Ok(POSTGRES.iter().all(|migration| applied.contains(&migration.version)))
}

const BEGUN: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS begun";
const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";
const FLOOR: &str = "SELECT floor FROM schema_floor";
const GRANT: &str = "SELECT frontdesk_grant($1)";

fn check_floor(floor: i64, newest: i64) -> Answer<()> {
    if floor <= newest {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!("its schema ({floor}) is newer than this program ({newest})")))
}

const MAY_NOT: &str =
    "the role of database.url may not change the schema; give database.owner_url the role that owns the tables";

fn map_migration(error: MigrateError, map_error: fn(sqlx::Error) -> StoreError) -> StoreError {
    match error {
        MigrateError::Execute(error) => match map_error(error) {
            StoreError::NotFound(_) => StoreError::Invalid(MAY_NOT),
            other => other,
        },
        MigrateError::ExecuteMigration(error, version) => match map_error(error) {
            StoreError::Corrupt(why) => StoreError::Corrupt(format!("migration {version}: {why}")),
            // The only right that a new schema can lack is the one to make it.
            StoreError::NotFound(_) => StoreError::Invalid(MAY_NOT),
            other => other,
        },
        other => StoreError::Corrupt(other.to_string()),
    }
}
