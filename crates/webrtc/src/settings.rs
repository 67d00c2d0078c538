//! What an operator decides.

use base::Secret;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// A STUN or TURN server that browsers are told about. This program talks to none of them.
#[derive(Clone, Debug)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=udp`, `turns:…`.
    pub url: String,
    /// Name at a TURN server.
    pub username: Option<String>,
    /// Password at a TURN server; every browser that may call is told it.
    pub credential: Option<Secret<String>>,
}

/// How sessions are reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the one UDP socket of all sessions is bound. An unspecified address stands for all of the machine's.
    pub listen: SocketAddr,
    /// Addresses under which peers reach that socket, where they are not the machine's own: those of a one-to-one NAT or of
    /// a container's host. Empty: the addresses by which the machine reaches the world.
    pub public_addresses: Vec<IpAddr>,
    /// Handed on to browsers.
    pub ice_servers: Vec<IceServer>,
    /// Sessions at once.
    pub sessions_max: usize,
}

impl Settings {
    /// The addresses that go into an answer, for a socket that is bound here.
    pub(crate) fn candidates(&self, bound: SocketAddr) -> Vec<SocketAddr> {
        let mut addresses = self.public_addresses.clone();
        if addresses.is_empty() {
            addresses = if bound.ip().is_unspecified() { own_addresses() } else { vec![bound.ip()] };
        }
        addresses.dedup();
        addresses.into_iter().map(|address| SocketAddr::new(address, bound.port())).collect()
    }
}

/// The addresses from which this machine reaches the world, by asking the routing table: connecting a UDP socket sends
/// nothing. The targets are of the ranges for documentation (RFC 5737, RFC 3849).
fn own_addresses() -> Vec<IpAddr> {
    let by_way_to = |own: &str, target: &str| {
        let socket = UdpSocket::bind(own).ok()?;
        socket.connect(target).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    let ways = [("0.0.0.0:0", "198.51.100.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let mut found: Vec<IpAddr> = ways.into_iter().filter_map(|(own, target)| by_way_to(own, target)).collect();
    if found.is_empty() {
        found.push(Ipv4Addr::LOCALHOST.into());
    }
    found
}
