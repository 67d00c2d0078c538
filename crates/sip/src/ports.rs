//! Ports of audio: pairs from a bounded range, an even one for audio and the next one for reports.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::UdpSocket;

/// The range. Whether a pair is free is the machine's to say: nothing is remembered, so nothing can be forgotten.
#[derive(Debug)]
pub(crate) struct Ports {
    first: u16,
    pairs: usize,
    next: AtomicUsize,
}

impl Ports {
    pub(crate) fn new(range: &RangeInclusive<u16>) -> Self {
        let first = range.start().next_multiple_of(2);
        let pairs = usize::from(range.end().saturating_add(1).saturating_sub(first)) / 2;
        Self { first, pairs, next: AtomicUsize::new(0) }
    }

    /// A free pair. `None` when all are taken. The next call gets others, so that late packets of this one find nobody.
    pub(crate) fn bind(&self, ip: IpAddr) -> Option<(UdpSocket, UdpSocket)> {
        for _ in 0..self.pairs {
            let pair = self.next.fetch_add(1, Ordering::Relaxed) % self.pairs;
            let port = self.first + u16::try_from(pair * 2).ok()?;
            let audio = bound(SocketAddr::new(ip, port));
            let reports = bound(SocketAddr::new(ip, port + 1));
            if let (Some(audio), Some(reports)) = (audio, reports) {
                return Some((audio, reports));
            }
        }
        None
    }
}

fn bound(address: SocketAddr) -> Option<UdpSocket> {
    let socket = std::net::UdpSocket::bind(address).ok()?;
    socket.set_nonblocking(true).ok()?;
    UdpSocket::from_std(socket).ok()
}

/// The address of this machine from which packets to `peer` leave. Asking sends nothing.
pub(crate) fn towards(peer: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = if peer.is_ipv6() { ([0u16; 8], 0).into() } else { ([0, 0, 0, 0], 0).into() };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(peer).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pairs_begin_even_and_a_full_range_says_so() {
        let ports = Ports::new(&(42_101..=42_106));
        let ip = IpAddr::from([127, 0, 0, 1]);
        let held: Vec<_> = (0..2).map(|_| ports.bind(ip).unwrap()).collect();
        for (audio, reports) in &held {
            let port = audio.local_addr().unwrap().port();
            assert!(port % 2 == 0 && reports.local_addr().unwrap().port() == port + 1);
        }
        assert!(ports.bind(ip).is_none());
        drop(held);
        assert!(ports.bind(ip).is_some(), "what was given back is free");
    }

    #[test]
    fn our_address_towards_ourselves_is_ours() {
        assert_eq!(towards("127.0.0.1:9".parse().unwrap()), Some([127, 0, 0, 1].into()));
    }
}
