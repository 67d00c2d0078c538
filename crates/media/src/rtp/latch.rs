//! Where audio goes, and whose audio counts (symmetric RTP, RFC 4961): behind address translation the address that a
//! peer writes down is often not the one that it sends from.

use std::net::SocketAddr;

/// A source that was silent for this long has gone; another one may take its place.
const SILENT_MS: u64 = 2_000;

/// The other side of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latch {
    /// Where it said that it listens.
    said: SocketAddr,
    /// Where its packets come from, and when the last one came.
    heard: Option<(SocketAddr, u64)>,
}

impl Latch {
    /// A stream whose other side said that it listens there.
    pub const fn new(said: SocketAddr) -> Self {
        Self { said, heard: None }
    }

    /// Where to send: to where packets come from, or to where it said before the first one came.
    pub fn target(&self) -> SocketAddr {
        self.heard.map_or(self.said, |(from, _)| from)
    }

    /// The other side says that it listens elsewhere now. The same address again changes nothing.
    pub fn said(&mut self, address: SocketAddr) {
        if address != self.said {
            *self = Self::new(address);
        }
    }

    /// Whether a valid packet from there belongs to the stream. The first source is it, and remains it while it sends;
    /// the address that was said takes its place at any time, so that a stranger who was faster does not keep the call.
    pub fn accepts(&mut self, from: SocketAddr, now_ms: u64) -> bool {
        let is_it = match self.heard {
            None => true,
            Some((before, at_ms)) => {
                from == before || from == self.said || now_ms.saturating_sub(at_ms) >= SILENT_MS && before != self.said
            }
        };
        if is_it {
            self.heard = Some((from, now_ms));
        }
        is_it
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn audio_goes_where_it_comes_from() {
        let mut latch = Latch::new(at(1));
        assert_eq!(latch.target(), at(1));
        assert!(latch.accepts(at(2), 0));
        assert_eq!(latch.target(), at(2));
    }

    #[test]
    fn a_stranger_is_not_heard_while_the_source_sends() {
        let mut latch = Latch::new(at(1));
        assert!(latch.accepts(at(2), 0));
        assert!(!latch.accepts(at(3), 1_000));
        assert!(latch.accepts(at(2), 1_900));
        assert!(!latch.accepts(at(3), 3_000));
        assert_eq!(latch.target(), at(2));
        assert!(latch.accepts(at(3), 4_000), "the source has gone");
    }

    #[test]
    fn the_address_that_was_said_takes_the_call_back_and_keeps_it() {
        let mut latch = Latch::new(at(1));
        assert!(latch.accepts(at(2), 0));
        assert!(latch.accepts(at(1), 20));
        assert_eq!(latch.target(), at(1));
        assert!(!latch.accepts(at(2), 9_000), "a pause does not give it away");
    }

    #[test]
    fn a_new_address_begins_anew_and_the_same_one_does_not() {
        let mut latch = Latch::new(at(1));
        assert!(latch.accepts(at(2), 0));
        latch.said(at(1));
        assert_eq!(latch.target(), at(2));
        latch.said(at(5));
        assert_eq!(latch.target(), at(5));
    }
}
