//! One binary for all integration tests of this crate.

#![allow(clippy::unwrap_used)]

#[cfg(feature = "gguf")]
mod gguf;
mod language;
mod models;
mod speech;
