//! Phone platforms as protocol codecs: one file per platform says how it authenticates, dials, reports and carries audio.
//!
//! **Must not know**: sockets, clocks, HTTP servers or clients, the engine. The shells in `runtime` and `api` do the I/O.
//!
//! Start reading at [`protocol`] (the two traits), then any platform's own file, then `laws` (what every platform must obey).

pub mod browser;
pub mod connect;
pub mod exotel;
#[cfg(test)]
mod laws;
mod line;
pub mod loopback;
mod marks;
pub mod playout;
pub mod plivo;
pub mod protocol;
pub mod registry;
mod rest;
pub mod ringcentral;
pub mod sip;
pub mod telnyx;
pub mod twilio;
pub mod vonage;
pub mod website;
mod words;
mod xml;
pub mod zoom;
