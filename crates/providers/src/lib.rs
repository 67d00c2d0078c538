//! Providers of speech and language as protocol codecs: one file per vendor turns our request into its bytes and its
//! bytes into our events.
//!
//! **Must not know**: sockets, clocks, retries, metrics. A codec does no I/O and cannot forget a timeout; the drivers in
//! `runtime` own all of that, once per transport.
//!
//! Start reading at [`stt`], [`llm`] and [`tts`] (the traits; [`embed`], [`text`] and [`vectors`] are smaller, [`realtime`] is all three at
//! once), then any vendor file, then `laws` (what every vendor must obey). A vendor is one file, one cassette in
//! `fixtures/cassettes` and one word in the list of its kind.

pub mod answer;
mod aws;
#[cfg(any(test, feature = "cassettes"))]
pub mod cassette;
pub mod embed;
mod form;
mod google;
#[cfg(test)]
mod laws;
pub mod llm;
pub mod options;
pub mod pricing;
pub mod realtime;
pub mod registry;
pub mod stt;
pub mod text;
pub mod tts;
pub mod vectors;
pub mod voices;

pub use options::{Descriptor, OptionsError, ProviderOptions, Settings};
pub use registry::Provider;
