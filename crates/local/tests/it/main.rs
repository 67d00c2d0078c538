//! One binary for all integration tests of this crate.

mod language;
mod models;
mod speech;
