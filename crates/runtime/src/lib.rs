//! The tokio shells: the call host, the drivers of providers, the node.
//!
//! **Must not know**: how anything is decided (the engine does), any vendor's protocol (codecs do), routes (the API does).
//!
//! Start reading at [`service`] (what a call host uses).

pub mod drivers;
pub mod service;
