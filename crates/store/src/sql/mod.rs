//! Every statement, so that one test can prepare them all on both engines. One file per area; [`AREAS`] lists them.
//!
//! ```text
//! NAME = "…";                          the same text on both: $1, $2, …; ON CONFLICT … DO UPDATE; RETURNING
//! NAME = locking "SELECT …";           the rows stay as they were read until the transaction ends
//! NAME = sqlite "…" postgres "…";      where the engines differ
//! NAME = postgres "…";                 for one engine alone
//! ```
//!
//! What differs without looking so: a sum of `bigint` is no `bigint` on PostgreSQL (`CAST(… AS BIGINT)`); within
//! `DO UPDATE SET` a column of the row is named with its table; a placeholder's type is told by where it stands first
//! (`(state = $2 OR $2 IS NULL)`, not the other way around); texts by which pages
//! are ordered are columns with `COLLATE "C"`; a page goes on after a place by comparing rows: `(at_ms, id) < ($3, $4)`.

mod core;
mod desk;
mod graph;
mod heard;
mod knowledge;
mod knowledge_work;
mod live;
mod mail;
mod mirrors;
mod nodes;
mod people;
mod resources;
mod shares;
mod training;
mod widgets;

pub(crate) use self::core::*;
pub(crate) use self::desk::*;
pub(crate) use self::graph::*;
pub(crate) use self::heard::*;
pub(crate) use self::knowledge::*;
pub(crate) use self::knowledge_work::*;
pub(crate) use self::live::*;
pub(crate) use self::mail::*;
pub(crate) use self::mirrors::*;
pub(crate) use self::nodes::*;
pub(crate) use self::people::*;
pub(crate) use self::resources::*;
pub(crate) use self::shares::*;
pub(crate) use self::training::*;
pub(crate) use self::widgets::*;

use crate::contract::Answer;
use crate::error::StoreError;

/// A statement. Only the constants of this module are ones, so no text of SQL is ever put together from values.
#[derive(Clone, Copy, Debug)]
pub struct Sql {
    /// Its constant's name.
    pub name: &'static str,
    #[doc(hidden)]
    pub(crate) sqlite: Option<&'static str>,
    #[doc(hidden)]
    pub(crate) postgres: Option<&'static str>,
}

impl Sql {
    /// Its text on SQLite.
    pub fn sqlite(self) -> Answer<&'static str> {
        self.sqlite.ok_or(StoreError::Invalid("a statement of the other engine"))
    }

    /// Its text on PostgreSQL.
    pub fn postgres(self) -> Answer<&'static str> {
        self.postgres.ok_or(StoreError::Invalid("a statement of the other engine"))
    }
}

/// Declares the statements of an area and `ALL` of them.
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident = $($kind:ident)? $text:literal $($other:ident $other_text:literal)?;)*) => {
        $($(#[$meta])* pub(crate) const $name: $crate::sql::Sql =
            $crate::sql::statement!($name, [$($kind)?] $text, [$($other $other_text)?]);)*
        /// Every statement of this area.
        pub(crate) const ALL: &[$crate::sql::Sql] = &[$($name),*];
    };
}
pub(crate) use statements;

/// One statement; see the module's documentation for the forms.
macro_rules! statement {
    ($name:ident, [] $text:literal, []) => {
        $crate::sql::Sql { name: stringify!($name), sqlite: Some($text), postgres: Some($text) }
    };
    ($name:ident, [locking] $text:literal, []) => {
        $crate::sql::Sql { name: stringify!($name), sqlite: Some($text), postgres: Some(concat!($text, " FOR UPDATE")) }
    };
    ($name:ident, [sqlite] $text:literal, [postgres $other:literal]) => {
        $crate::sql::Sql { name: stringify!($name), sqlite: Some($text), postgres: Some($other) }
    };
    ($name:ident, [sqlite] $text:literal, []) => {
        $crate::sql::Sql { name: stringify!($name), sqlite: Some($text), postgres: None }
    };
    ($name:ident, [postgres] $text:literal, []) => {
        $crate::sql::Sql { name: stringify!($name), sqlite: None, postgres: Some($text) }
    };
}
pub(crate) use statement;

/// The statements of every area.
const AREAS: &[&[Sql]] = &[
    core::ALL,
    desk::ALL,
    graph::ALL,
    heard::ALL,
    knowledge::ALL,
    knowledge_work::ALL,
    mirrors::ALL,
    live::ALL,
    mail::ALL,
    nodes::ALL,
    people::ALL,
    resources::ALL,
    shares::ALL,
    training::ALL,
    widgets::ALL,
];

/// Every statement.
pub fn all() -> impl Iterator<Item = Sql> {
    AREAS.iter().flat_map(|area| area.iter().copied())
}
