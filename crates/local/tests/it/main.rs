//! One binary for all integration tests of this crate.

#![allow(clippy::unwrap_used)]

mod language;
mod models;
mod speech;
