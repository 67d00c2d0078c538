//! Phone platforms as protocol codecs: one file per platform says how it authenticates, dials, reports and carries audio.
//!
//! **Must not know**: sockets, clocks, HTTP servers or clients, the engine. The shells in `runtime` and `api` do the I/O.
//!
//! Start reading at [`protocol`] (the two traits), then any platform's own file, then `laws` (what every platform must obey).

pub mod browser;
#[cfg(test)]
mod laws;
pub mod loopback;
mod marks;
pub mod playout;
pub mod protocol;
pub mod registry;
pub mod twilio;
pub mod website;
