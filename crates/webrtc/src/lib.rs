//! Audio of browsers by WebRTC: another transport of the line that `docs/specs/browser-audio.md` describes. A data channel
//! carries its text messages word for word, RTP with Opus what would be its binary messages.
//!
//! **Must not know**: HTTP, the call host, who may open a session, what the messages mean beyond `mark`, `clear` and
//! `interrupt`, which are about the audio that waits here.
//!
//! Start reading at [`session`] (one peer, as a machine that is told the time), then [`playout`] (what the peer will hear
//! and when it has), then [`gateway`] (one socket for all of them). `docs/webrtc.md` is for operators.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod gateway;
pub mod offer;
pub mod playout;
pub mod session;
pub mod settings;
mod text;

pub use gateway::{Gateway, Line, OpenError, Opened, Received, TrickleError};
pub use offer::OfferError;
pub use session::Session;
pub use settings::{IceServer, Settings};
