//! Ports that a test gives to programs, which cannot say which ones they would take.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

static NEXT: AtomicU16 = AtomicU16::new(0);

/// The first of so many ports that nobody uses, an even one. Below those that systems give to whoever does not ask for one;
/// processes of one run differ in their ids, tests of a process in the counter.
pub fn free(count: u16) -> u16 {
    let own = (std::process::id() % 350) as u16 * 40;
    loop {
        let first = 10_000 + own + NEXT.fetch_add(count.next_multiple_of(2), Ordering::Relaxed) % 400;
        let is_free =
            |port: u16| UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (first..first + count).all(is_free) {
            return first.next_multiple_of(2);
        }
    }
}
