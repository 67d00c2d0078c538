//! What strangers can send, as targets for a fuzzer: messages of SIP, session descriptions, packets of audio, connectivity
//! checks of browsers, and the messages of each platform's media socket.
//!
//! A target takes any bytes and must not panic, hang, or break what it says it keeps. `cargo xtask fuzz TARGET` feeds one
//! with mutations of its seeds for as long as it is told, not guided by coverage; the tests feed each some thousand.
//!
//! **Must not know**: calls, agents, the program. A target drives the code that reads, and nothing behind it.
//!
//! Start reading at [`Target`], then a target's file.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod media_socket;
mod mutate;
mod rtp;
mod sdp;
mod sip_message;
mod stun;

pub use mutate::Mutator;

use carriers::registry;
use std::fmt;
use std::io;
use std::path::Path;

/// Something that takes bytes of strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A datagram on a port of SIP.
    Sip,
    /// A session description in an offer or an answer.
    Sdp,
    /// Datagrams on a port of audio: RTP, RTCP, protected or not, in every codec.
    Rtp,
    /// A datagram on the port of browsers.
    Stun,
    /// Messages on the media socket of the carrier of this name.
    Media(&'static str),
}

impl Target {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let media = registry::NAMES.iter().filter(|name| registry::media(name).is_some()).map(|name| Self::Media(name));
        [Self::Sip, Self::Sdp, Self::Rtp, Self::Stun].into_iter().chain(media).collect()
    }

    /// The one of this name, as it is displayed.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|target| target.to_string() == name)
    }

    /// Takes these bytes.
    ///
    /// # Panics
    /// When the target does what it must not: that is a finding.
    pub fn run(self, bytes: &[u8]) {
        match self {
            Self::Sip => sip_message::run(bytes),
            Self::Sdp => sdp::run(bytes),
            Self::Rtp => rtp::run(bytes),
            Self::Stun => stun::run(bytes),
            Self::Media(name) => media_socket::run(name, bytes),
        }
    }

    /// Inputs as peers would send them, and odd ones that are known, to begin with.
    ///
    /// # Errors
    /// When a fixture cannot be read.
    pub fn seeds(self) -> io::Result<Vec<Vec<u8>>> {
        match self {
            Self::Sip => sip_message::seeds(),
            Self::Sdp => sdp::seeds(),
            Self::Rtp => Ok(rtp::seeds()),
            Self::Stun => Ok(stun::seeds()),
            Self::Media(name) => media_socket::seeds(name),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip => f.write_str("sip"),
            Self::Sdp => f.write_str("sdp"),
            Self::Rtp => f.write_str("rtp"),
            Self::Stun => f.write_str("stun"),
            Self::Media(name) => write!(f, "media-{name}"),
        }
    }
}

fn fixture(path: &str) -> io::Result<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(path))
}
