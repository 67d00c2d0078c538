//! Providers of speech and language as protocol codecs: one file per vendor turns our request into its bytes and its
//! bytes into our events.
//!
//! **Must not know**: sockets, clocks, retries, metrics. A codec does no I/O and cannot forget a timeout; the drivers in
//! `runtime` own all of that, once per transport.
//!
//! Start reading at [`stt`], [`llm`] and [`tts`] (the traits), then any vendor file, then `laws` (what every vendor must
//! obey).

pub mod llm;
pub mod options;
pub mod stt;
pub mod tts;

pub use options::ProviderOptions;
