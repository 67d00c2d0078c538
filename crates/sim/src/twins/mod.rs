//! Twins of providers and carriers over real sockets.

pub mod deepgram;
pub mod elevenlabs;
pub mod openai;
pub mod twilio;
