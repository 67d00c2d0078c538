//! Twins of providers and carriers over real sockets.
//!
//! A twin is a server on a free loopback port that speaks a vendor's protocol well enough for the vendor's own client. It
//! records what it received and fails on request, see [`fault`].

pub mod cloud;
pub mod deepgram;
pub mod elevenlabs;
pub mod fault;
pub mod openai;
mod server;
pub mod tool;
pub mod twilio;

pub use fault::{Fault, Faults, Moment};
pub use server::Record;
