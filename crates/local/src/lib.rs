//! Models that run on this machine: speech recognition and synthesis, voice activity, end of turn, embeddings, reranker
//! and the default brain. Everything here is synchronous; the runtime gives it threads.
//!
//! **Must not know**: calls, carriers, the network (but for `models::pull`), tokio outside `models`.
//!
//! Start reading at [`models`] (where model files come from), then [`speech`], then [`language`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod language;
pub mod models;
mod onnx;
pub mod speech;

pub use onnx::OnnxError;
