//! The tokio shells: the call host, the drivers of providers, the node.
//!
//! **Must not know**: how anything is decided (the engine does), any vendor's protocol (codecs do), routes (the API does).
//!
//! Start reading at [`service`] (what a call host uses), then [`node`] (the doors), then `host` (one task per call).

pub mod drivers;
mod host;
pub mod node;
pub mod on_device;
mod phrases;
pub mod replay;
pub mod retention;
mod router;
pub mod service;
pub mod socket;
pub mod voices;

pub use node::{AttachError, DialError, DialRequest, Node, NodeSettings, RefuseReason, Services};

/// Unix milliseconds now. Rows and carriers speak it; engines never see it.
pub fn wall_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
