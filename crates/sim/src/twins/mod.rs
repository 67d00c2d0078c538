//! Twins of providers and carriers over real sockets.
//!
//! A twin is a server on a free loopback port that speaks a vendor's protocol well enough for the vendor's own client. It
//! records what it received and fails on request, see [`fault`].

pub mod anthropic;
pub mod azure_language;
pub mod azure_translator;
pub mod cloud;
pub mod deepgram;
pub mod elevenlabs;
pub mod fault;
pub mod gemini;
pub mod gemini_live;
pub mod google_translate;
pub mod openai;
pub mod openai_speech;
pub mod script;
mod server;
mod stream;
pub mod tool;
pub mod twilio;
mod vector;

pub use fault::{Fault, Faults, Moment};
pub use server::Record;
