//! SIP trunks: signalling (RFC 3261) and audio (RFC 3550) over sockets, for calls in and out.
//!
//! The library `rsipstack` owns messages, transactions and dialogs; this crate owns what is decided about them: whose calls
//! are taken, what is answered to what, when a call is over, where its audio goes. Each call is one task, and each leg of
//! audio is another one with its own socket, so that a peer that sends nonsense hurts its own call.
//!
//! **Must not know**: the engine, the store, businesses, agents, HTTP. Whoever owns an [`Endpoint`] is told about calls through
//! [`Front`] and gets their audio as a [`Line`]: two bounded channels in the framing of `carriers::sip`.
//!
//! Start reading at [`front`] (what the owner is asked and told), then [`endpoint`], `call`, `leg`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod call;
pub mod config;
mod dial;
pub mod endpoint;
mod exchange;
pub mod front;
mod guard;
mod inbound;
mod leg;
mod message;
mod moved;
mod ports;
mod probe;
mod registrar;
mod reliable;
mod replaces;
mod session;
mod srtp;
pub mod trace;
#[doc(hidden)]
pub mod trial;
mod voice;
mod websocket;

pub use config::{Config, Listen, Transport, Trunk};
pub use dial::{DialError, DialPlan};
pub use endpoint::{CommandError, Endpoint, StartError};
pub use front::{Attestation, Front, Invite, Line, Next, Quality, Report, Verdict};
