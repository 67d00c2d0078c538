//! The crate from outside.
#![allow(clippy::unwrap_used)]

mod child;
mod crawl;
mod graph;
mod ingest;
mod injection;
mod shop;
