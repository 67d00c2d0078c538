//! Twins of providers and carriers over real sockets.
//!
//! A twin is a server on a free loopback port that speaks a vendor's protocol well enough for the vendor's own client. It
//! records what it received and fails on request, see [`fault`].

pub mod anthropic;
pub mod assemblyai;
pub mod aws;
pub mod azure_ai_search;
pub mod azure_language;
pub mod azure_stt;
pub mod azure_translator;
pub mod azure_tts;
pub mod cartesia_tts;
pub mod chroma;
pub mod cloud;
pub mod deepgram;
pub mod deepgram_flux;
pub mod deepgram_tts;
pub mod elevenlabs;
pub mod elevenlabs_stt;
pub mod exotel;
pub mod fault;
pub mod gemini;
pub mod gemini_live;
pub mod google;
pub mod google_translate;
mod h2;
mod hearing;
pub mod openai;
pub mod openai_realtime;
pub mod openai_speech;
pub mod openai_tts;
pub mod phone;
pub mod pinecone;
pub mod plivo;
pub mod qdrant;
pub mod recogniser;
mod roster;
pub mod sarvam_stt;
pub mod sarvam_tts;
pub mod script;
mod server;
mod stream;
pub mod telnyx;
pub mod tool;
pub mod transcription;
pub mod twilio;
pub mod vault;
mod vector;
pub mod vectors;
pub mod voice;
pub mod vonage;
pub mod weaviate;

pub use fault::{Fault, Faults, Moment};
pub use server::{Record, Twin};
