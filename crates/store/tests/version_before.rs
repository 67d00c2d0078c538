//! The version before goes on serving on the schema of this one: each of its statements still fits.
//!
//! `version_before.json` holds its statements. When a version is released, the next one begins with
//! `cargo test -p store --test version_before -- --ignored`, which writes the statements as they are now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use testkit::postgres::OWNER;

#[derive(serde::Serialize, serde::Deserialize)]
struct Statements {
    sqlite: BTreeMap<String, String>,
    postgres: BTreeMap<String, String>,
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/version_before.json")
}

fn before() -> Statements {
    serde_json::from_str(&std::fs::read_to_string(file()).expect("the file")).expect("JSON")
}

#[test]
#[ignore = "writes the file, at a release"]
fn the_statements_of_this_version_are_written_down() {
    let mut now = Statements { sqlite: BTreeMap::new(), postgres: BTreeMap::new() };
    for sql in store::sql::all() {
        now.sqlite.extend(sql.sqlite().ok().map(|text| (sql.name.to_owned(), text.to_owned())));
        now.postgres.extend(sql.postgres().ok().map(|text| (sql.name.to_owned(), text.to_owned())));
    }
    std::fs::write(file(), serde_json::to_string_pretty(&now).expect("JSON") + "\n").expect("written");
}

#[tokio::test]
async fn statements_of_the_version_before_fit_this_schema_on_sqlite() {
    use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
    let (_store, guard) = testkit::stores::sqlite().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(guard.folder.path().join("frontdesk.db"));
    let pool = sqlx::SqlitePool::connect_with(options).await.expect("the file");
    let statements = before().sqlite;
    assert!(statements.len() > 50);
    for (name, text) in statements {
        let prepared = (&pool).prepare(AssertSqlSafe(text).into_sql_str()).await.map(drop);
        assert!(prepared.is_ok(), "{name}: {prepared:?}");
    }
}

#[tokio::test]
async fn statements_of_the_version_before_fit_this_schema_on_postgresql() {
    let database = testkit::stores::database().await;
    for (name, text) in before().postgres {
        let prepared = database.try_ask(OWNER, &format!("PREPARE p AS {text}"));
        assert!(prepared.is_ok(), "{name}: {prepared:?}");
    }
}

#[test]
fn both_engines_have_migrations_of_the_same_numbers_and_names() {
    let names = |engine: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        let files = std::fs::read_dir(folder).expect("migrations").map(|entry| entry.expect("a file").file_name());
        let mut names: Vec<_> = files.collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
    assert!(names("sqlite").len() >= 4);
}
