//! What goes into a statement and what comes out of a row: a closed list of types, the same on both engines.

use crate::contract::Answer;
use crate::error::StoreError;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use std::borrow::Cow;
use uuid::Uuid;

/// One argument of a statement. An absent one keeps its type: PostgreSQL asks for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// An id: `BLOB` of 16 bytes, `uuid`.
    Uuid(Option<Uuid>),
    /// A count, a time in Unix milliseconds, an amount in millionths: `INTEGER`, `bigint`.
    Int(Option<i64>),
    /// A text: `TEXT`, `text`.
    Text(Option<Cow<'a, str>>),
    /// Yes or no: `INTEGER`, `boolean`.
    Bool(Option<bool>),
    /// Bytes: `BLOB`, `bytea`.
    Bytes(Option<Cow<'a, [u8]>>),
}

/// The arguments of a statement, in order; [`crate::args!`] makes them.
pub type Args<'a> = Vec<Value<'a>>;

/// The arguments of a statement: `args![scope.business.0, slug, at_ms, Some(name)]`. Takes everything that [`Value`] has a
/// `From` for; numbers are `i64` or `u32`, anything larger goes through [`crate::db::to_i64`].
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::Value::from($value)),*] };
}

macro_rules! from {
    ($($type:ty => |$value:ident| $made:expr;)*) => {$(
        impl<'a> From<$type> for Value<'a> {
            fn from($value: $type) -> Self {
                $made
            }
        }
    )*};
}

from! {
    Uuid => |value| Value::Uuid(Some(value));
    Option<Uuid> => |value| Value::Uuid(value);
    i64 => |value| Value::Int(Some(value));
    u32 => |value| Value::Int(Some(i64::from(value)));
    Option<i64> => |value| Value::Int(value);
    Option<u32> => |value| Value::Int(value.map(i64::from));
    bool => |value| Value::Bool(Some(value));
    Option<bool> => |value| Value::Bool(value);
    &'a str => |value| Value::Text(Some(Cow::Borrowed(value)));
    &'a String => |value| Value::Text(Some(Cow::Borrowed(value.as_str())));
    String => |value| Value::Text(Some(Cow::Owned(value)));
    Option<&'a str> => |value| Value::Text(value.map(Cow::Borrowed));
    Option<&'a String> => |value| Value::Text(value.map(|text| Cow::Borrowed(text.as_str())));
    &'a Option<String> => |value| Value::Text(value.as_deref().map(Cow::Borrowed));
    Option<String> => |value| Value::Text(value.map(Cow::Owned));
    &'a [u8] => |value| Value::Bytes(Some(Cow::Borrowed(value)));
    &'a Vec<u8> => |value| Value::Bytes(Some(Cow::Borrowed(value.as_slice())));
    Vec<u8> => |value| Value::Bytes(Some(Cow::Owned(value)));
    Option<&'a [u8]> => |value| Value::Bytes(value.map(Cow::Borrowed));
    Option<Vec<u8>> => |value| Value::Bytes(value.map(Cow::Owned));
}

/// Binds arguments to a statement of one driver.
macro_rules! bound {
    ($text:expr, $args:expr) => {{
        let mut query = sqlx::query($text);
        for value in $args {
            query = match value {
                $crate::db::Value::Uuid(value) => query.bind(*value),
                $crate::db::Value::Int(value) => query.bind(*value),
                $crate::db::Value::Text(value) => query.bind(value.as_deref()),
                $crate::db::Value::Bool(value) => query.bind(*value),
                $crate::db::Value::Bytes(value) => query.bind(value.as_deref()),
            };
        }
        query
    }};
}
pub(super) use bound;

/// A row that a statement answered.
#[derive(Debug)]
pub struct DbRow(pub(super) Either);

#[derive(Debug)]
pub(super) enum Either {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl DbRow {
    /// The value of a column: `Uuid`, `i64`, `u32`, `u64`, `String`, `bool`, `Vec<u8>`, or an `Option` of these.
    /// `Corrupt` when it holds something else.
    pub fn get<T: Column>(&self, column: &str) -> Answer<T> {
        T::read(self, column)
    }

    /// A word that serde knows, such as the name of a state.
    pub fn word<T: DeserializeOwned>(&self, column: &str) -> Answer<T> {
        let word: String = self.get(column)?;
        let reader: StrDeserializer<'_, serde::de::value::Error> = word.as_str().into_deserializer();
        T::deserialize(reader).map_err(|_| StoreError::Corrupt(format!("column {column}: an unknown word")))
    }

    /// A value that a column holds as JSON.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Answer<T> {
        read_json(column, &self.get::<String>(column)?)
    }

    /// A value that a column may hold as JSON.
    pub fn json_option<T: DeserializeOwned>(&self, column: &str) -> Answer<Option<T>> {
        self.get::<Option<String>>(column)?.map(|text| read_json(column, &text)).transpose()
    }
}

fn read_json<T: DeserializeOwned>(column: &str, text: &str) -> Answer<T> {
    // serde's message may quote the value, which may be personal: only the place is kept.
    serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt(format!("column {column}, character {}", error.column())))
}

/// A type that a column can be read as. Closed: the types of [`Value`] and what is made of them.
pub trait Column: Sized {
    /// Reads it.
    fn read(row: &DbRow, column: &str) -> Answer<Self>;
}

macro_rules! columns {
    ($($type:ty),*) => {$(
        impl Column for $type {
            fn read(row: &DbRow, column: &str) -> Answer<Self> {
                match &row.0 {
                    Either::Sqlite(row) => row.try_get(column).map_err(super::sqlite::map_error),
                    Either::Postgres(row) => row.try_get(column).map_err(super::postgres::map_error),
                }
            }
        }
        impl Column for Option<$type> {
            fn read(row: &DbRow, column: &str) -> Answer<Self> {
                match &row.0 {
                    Either::Sqlite(row) => row.try_get(column).map_err(super::sqlite::map_error),
                    Either::Postgres(row) => row.try_get(column).map_err(super::postgres::map_error),
                }
            }
        }
    )*};
}

columns!(Uuid, i64, String, bool, Vec<u8>);

macro_rules! unsigned {
    ($($type:ty),*) => {$(
        impl Column for $type {
            fn read(row: &DbRow, column: &str) -> Answer<Self> {
                narrow(row.get::<i64>(column)?, column)
            }
        }
        impl Column for Option<$type> {
            fn read(row: &DbRow, column: &str) -> Answer<Self> {
                row.get::<Option<i64>>(column)?.map(|number| narrow(number, column)).transpose()
            }
        }
    )*};
}

unsigned!(u32, u64);

fn narrow<T: TryFrom<i64>>(number: i64, column: &str) -> Answer<T> {
    T::try_from(number).map_err(|_| StoreError::Corrupt(format!("column {column}: {number} is out of range")))
}
