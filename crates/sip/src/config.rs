//! What an endpoint is configured with. Plain values; whoever reads files makes them.

use base::Secret;
use carriers::sip::sdp::{Codec, Preference, Protection};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A protected stream.
    Tls,
    /// WebSockets in the clear, behind a proxy that protects them.
    Ws,
    /// Protected WebSockets.
    Wss,
}

impl Transport {
    /// Whether what travels can be read on the way.
    pub(crate) fn is_protected(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether only the other side can connect.
    pub(crate) fn is_theirs(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// What an address says about it. Both kinds of WebSockets are called the same there (RFC 7118, 5.2).
    pub(crate) fn parameter(self) -> &'static str {
        match self {
            Self::Udp => "",
            Self::Tcp => ";transport=tcp",
            Self::Tls => ";transport=tls",
            Self::Ws | Self::Wss => ";transport=ws",
        }
    }
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// How.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

/// Our certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Chain, PEM.
    pub chain: Vec<u8>,
    /// Private key, PEM (PKCS 8).
    pub key: Secret<Vec<u8>>,
}

/// A telephone company, or a telephone system of a company.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// How people and metrics call it.
    pub name: String,
    /// Where its requests go: a name or an address, with a port where it is not the usual one.
    pub host: String,
    /// How messages travel to it.
    pub transport: Transport,
    /// Our name there.
    pub user: Option<String>,
    /// Our password there; also what it proves itself with when it calls from an address that is not allowed.
    pub password: Option<Secret<String>>,
    /// Whether it learns from a registration where we are.
    pub registers: bool,
    /// Whether it is asked now and then if it is there.
    pub is_probed: bool,
    /// From where it may call us without a password, besides `host`.
    pub allowed: Vec<IpNet>,
    /// Whether audio is protected.
    pub protection: Protection,
    /// What is spoken, best first.
    pub codecs: Vec<Codec>,
    /// Whether that order decides, or the one of whoever calls.
    pub preference: Preference,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// The address by which others reach us, where it is not the one of the machine.
    pub public_ip: Option<IpAddr>,
    /// Ports of audio; each call takes two.
    pub rtp_ports: RangeInclusive<u16>,
    /// Calls at once; another one is told to come back later.
    pub calls_max: usize,
    /// For TLS.
    pub certificate: Option<Certificate>,
    /// Who vouches for the other side, PEM; the well-known authorities when absent.
    pub authorities: Option<Vec<u8>>,
    /// Copies what goes over the wire, where somebody wants to see it.
    pub tap: Option<crate::trace::Tap>,
    /// Who may call and be called.
    pub trunks: Vec<Trunk>,
}

impl Config {
    /// What cannot work, in one line.
    pub fn check(&self) -> Result<(), String> {
        if self.listen.is_empty() {
            return Err("carriers.sip: listen names no address".into());
        }
        if self.rtp_ports.clone().count() < 2 || *self.rtp_ports.start() < 1024 {
            return Err("carriers.sip: rtp_ports must hold at least two ports above 1023".into());
        }
        if self.listen.iter().any(|one| one.transport.is_protected()) && self.certificate.is_none() {
            return Err("carriers.sip: listening for TLS or WSS needs a certificate and its key".into());
        }
        for (index, trunk) in self.trunks.iter().enumerate() {
            if self.trunks[..index].iter().any(|other| other.name == trunk.name) {
                return Err(format!("carriers.sip: two trunks are called {}", trunk.name));
            }
            if trunk.registers && (trunk.user.is_none() || trunk.password.is_none()) {
                return Err(format!(
                    "carriers.sip: the trunk {} registers and needs a user and a password",
                    trunk.name
                ));
            }
            if !self.listen.iter().any(|one| one.transport == trunk.transport) {
                return Err(format!("carriers.sip: nothing listens with the transport of the trunk {}", trunk.name));
            }
            if trunk.transport.is_theirs() && (trunk.registers || trunk.is_probed) {
                return Err(format!(
                    "carriers.sip: the trunk {} calls over WebSockets, so it is neither registered with nor probed",
                    trunk.name
                ));
            }
            // The key of protected audio travels in the message; in the clear it protects nothing.
            if trunk.protection == Protection::Required && !trunk.transport.is_protected() {
                return Err(format!("carriers.sip: the trunk {} needs TLS or WSS to protect audio", trunk.name));
            }
        }
        Ok(())
    }
}
