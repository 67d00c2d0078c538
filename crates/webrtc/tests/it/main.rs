//! Sessions against a peer that is a browser's in all that they see of it, over a wire that loses and delays, and over
//! sockets.

#![allow(clippy::unwrap_used)]

mod gateway;
mod judge;
mod line;
mod peer;
