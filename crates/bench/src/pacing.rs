//! How evenly the server's packets of a call come: one port to which the audio of all calls is sent, and which sends it back.

use serde::Serialize;
use std::collections::HashMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Audio in a packet.
const PACKET_MS: f64 = 20.0;
/// A packet that comes so long after its time is late: the next one should have been there.
const LATE_MS: f64 = 20.0;
/// The fixed header of RTP (RFC 3550, 5.1).
const HEADER_BYTES: usize = 12;
const DATAGRAM_BYTES_MAX: usize = 2_048;
/// How soon the end is noticed when nothing comes.
const LOOKED_EVERY: Duration = Duration::from_millis(50);

/// Listens until it is asked what came.
pub struct Ear {
    pub port: u16,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Arrivals>,
    /// Where reports come, which nobody reads.
    _reports: UdpSocket,
}

/// What is said of all packets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pacing {
    pub streams: usize,
    pub packets: u64,
    /// Packets of a stream that never came, by their numbers.
    pub missing: u64,
    /// How far the time between two packets was from 20 ms.
    pub jitter_ms_p50: f64,
    pub jitter_ms_p99: f64,
    /// Packets that came more than 20 ms after the time that the earliest of their stream gives them.
    pub late: u64,
    pub late_ms_max: f64,
}

#[derive(Debug, Default)]
struct Arrivals {
    streams: HashMap<u32, Stream>,
}

/// The packets of one source, as milliseconds since the first with their number since the first.
#[derive(Debug, Default)]
struct Stream {
    came: Vec<(f64, i64)>,
    number: i64,
    sequence: u16,
}

impl Ear {
    /// Listens on this port and, for reports, on the one above.
    ///
    /// # Errors
    /// When one of them is taken.
    pub fn open(port: u16) -> std::io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
        let reports = UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 1))?;
        socket.set_read_timeout(Some(LOOKED_EVERY))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || listen(&socket, &is_over)
        });
        Ok(Self { port, is_over, thread, _reports: reports })
    }

    /// What came.
    pub fn end(self) -> Pacing {
        self.is_over.store(true, Ordering::Release);
        self.thread.join().map(|arrivals| arrivals.pacing()).unwrap_or_default()
    }
}

fn listen(socket: &UdpSocket, is_over: &AtomicBool) -> Arrivals {
    let (mut arrivals, began) = (Arrivals::default(), Instant::now());
    let mut datagram = [0; DATAGRAM_BYTES_MAX];
    while !is_over.load(Ordering::Acquire) {
        let Ok((bytes, from)) = socket.recv_from(&mut datagram) else { continue };
        arrivals.came(began.elapsed().as_secs_f64() * 1_000.0, &datagram[..bytes]);
        // Who is gone hears nothing any more.
        let _ = socket.send_to(&datagram[..bytes], from);
    }
    arrivals
}

impl Arrivals {
    fn came(&mut self, at_ms: f64, datagram: &[u8]) {
        let Some([_, _, s0, s1, _, _, _, _, c0, c1, c2, c3]) = datagram.first_chunk::<HEADER_BYTES>().copied() else {
            return;
        };
        let sequence = u16::from_be_bytes([s0, s1]);
        let stream = self.streams.entry(u32::from_be_bytes([c0, c1, c2, c3])).or_default();
        if !stream.came.is_empty() {
            // The number goes round after 65,536.
            stream.number += i64::from(sequence.wrapping_sub(stream.sequence).cast_signed());
        }
        stream.sequence = sequence;
        stream.came.push((at_ms, stream.number));
    }

    fn pacing(&self) -> Pacing {
        let mut found = Pacing { streams: self.streams.len(), ..Pacing::default() };
        let mut jitter_ms = Vec::new();
        for stream in self.streams.values() {
            let away_ms = |(at_ms, number): &(f64, i64)| at_ms - *number as f64 * PACKET_MS;
            let on_time_ms = stream.came.iter().map(away_ms).fold(f64::INFINITY, f64::min);
            let late = stream.came.iter().map(|one| away_ms(one) - on_time_ms);
            found.late += late.clone().filter(|late_ms| *late_ms > LATE_MS).count() as u64;
            found.late_ms_max = late.fold(found.late_ms_max, f64::max);
            jitter_ms.extend(stream.came.windows(2).map(|pair| (away_ms(&pair[1]) - away_ms(&pair[0])).abs()));
            let numbers = stream.came.iter().map(|one| one.1);
            let span = numbers.clone().max().unwrap_or(0) - numbers.min().unwrap_or(0) + 1;
            found.missing += (span as u64).saturating_sub(stream.came.len() as u64);
            found.packets += stream.came.len() as u64;
        }
        jitter_ms.sort_by(f64::total_cmp);
        let at = |percent: usize| jitter_ms.get(jitter_ms.len() * percent / 100).copied().unwrap_or_default();
        (found.jitter_ms_p50, found.jitter_ms_p99) = (at(50), at(99));
        found
    }
}

impl Pacing {
    pub fn table(&self) -> String {
        let late_percent = 100.0 * self.late as f64 / self.packets.max(1) as f64;
        format!(
            "| streams | packets | missing | jitter p50 | p99 | more than 20 ms late | latest |\n\
             |---|---|---|---|---|---|---|\n\
             | {} | {} | {} | {:.2} ms | {:.2} ms | {} ({late_percent:.4} %) | {:.1} ms |",
            self.streams,
            self.packets,
            self.missing,
            self.jitter_ms_p50,
            self.jitter_ms_p99,
            self.late,
            self.late_ms_max
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16, source: u8) -> [u8; 14] {
        let [s0, s1] = sequence.to_be_bytes();
        [0x80, 0, s0, s1, 0, 0, 0, 0, 0, 0, 0, source, 1, 2]
    }

    #[test]
    fn what_is_late_and_what_is_missing_is_told_apart_by_source() {
        let mut arrivals = Arrivals::default();
        for (at_ms, sequence) in [(0.0, 65_534_u16), (20.0, 65_535), (45.0, 0), (60.0, 1), (130.0, 3)] {
            arrivals.came(at_ms, &packet(sequence, 1));
        }
        arrivals.came(7.0, &packet(9, 2));
        arrivals.came(8.0, &[0; 5]);
        let pacing = arrivals.pacing();
        assert_eq!((pacing.streams, pacing.packets, pacing.missing), (2, 6, 1));
        assert_eq!((pacing.late, pacing.late_ms_max), (1, 30.0));
        assert_eq!(pacing.jitter_ms_p99, 30.0);
    }

    #[test]
    fn what_is_sent_comes_back() {
        let port = testkit::ports::free(2);
        let ear = Ear::open(port).expect("free ports");
        let phone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        phone.send_to(&packet(1, 1), (Ipv4Addr::LOCALHOST, port)).expect("sent");
        let mut back = [0; 64];
        assert_eq!(phone.recv(&mut back).expect("an echo"), 14);
        assert_eq!(ear.end().packets, 1);
    }
}
