//! Reports about streams (RFC 3550, 6): what arrived of the other side's, what arrived of ours, and how long a round takes.

/// Compact time: the middle 32 bits of an NTP timestamp, in 1/65536 s.
pub type CompactTime = u32;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// A sequence number this far ahead of all others is a new stream, not a loss (RFC 3550, A.1).
const DROPOUT_MAX: u16 = 3_000;
/// A longest canonical name fits into one byte of length; ours is far shorter.
const NAME_BYTES_MAX: usize = 64;

/// What arrived of one stream (RFC 3550, A.1, A.3 and A.8).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reception {
    ssrc: u32,
    first: Option<u16>,
    newest: u16,
    cycles: u32,
    received: u64,
    /// Expected and received when the last report was made.
    reported: (u64, u64),
    /// Transit of the packet before, in timestamp units.
    transit: Option<u32>,
    jitter: f64,
}

impl Reception {
    /// Counts a packet. `arrival` is the time of its arrival in units of its timestamps, from any beginning.
    pub fn packet(&mut self, ssrc: u32, sequence: u16, timestamp: u32, arrival: u32) {
        let ahead = sequence.wrapping_sub(self.newest);
        let is_far = (DROPOUT_MAX..u16::MAX - DROPOUT_MAX).contains(&ahead);
        if self.first.is_none() || self.ssrc != ssrc || is_far {
            *self = Self { ssrc, first: Some(sequence), newest: sequence, jitter: self.jitter, ..Self::default() };
        } else {
            self.moves_to(sequence);
        }
        self.received += 1;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit {
            let difference = f64::from((transit.wrapping_sub(before) as i32).unsigned_abs());
            self.jitter += (difference - self.jitter) / 16.0;
        }
        self.transit = Some(transit);
    }

    /// Counts a packet of the same stream whose timestamp says nothing about when it was sent: keys share the numbers of the
    /// audio that they interrupt, and are no loss of it.
    pub fn untimed(&mut self, ssrc: u32, sequence: u16) {
        if self.ssrc() == Some(ssrc) {
            self.moves_to(sequence);
            self.received += 1;
        }
    }

    /// From now on the same stream has another clock: transits before and after cannot be compared.
    pub fn retimed(&mut self) {
        self.transit = None;
        self.jitter = 0.0;
    }

    fn moves_to(&mut self, sequence: u16) {
        let ahead = sequence.wrapping_sub(self.newest);
        if ahead != 0 && ahead < DROPOUT_MAX {
            self.cycles += u32::from(sequence < self.newest);
            self.newest = sequence;
        }
    }

    /// The stream that was counted; `None` before its first packet.
    pub fn ssrc(&self) -> Option<u32> {
        self.first.map(|_| self.ssrc)
    }

    /// Packets that the sender has sent, as far as its numbers tell.
    pub fn expected(&self) -> u64 {
        let Some(first) = self.first else { return 0 };
        (u64::from(self.cycles) << 16) + u64::from(self.newest) + 1 - u64::from(first)
    }

    /// Packets that arrived, doubles included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets that did not arrive.
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Interarrival jitter in timestamp units.
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// The block about this stream, and begins the next interval. `None` before its first packet.
    /// `heard` is when the last sender report came and its [`SenderInfo::sent`].
    pub fn report(&mut self, now: CompactTime, heard: Option<(CompactTime, CompactTime)>) -> Option<Block> {
        self.first?;
        let (expected, received) = (self.expected() - self.reported.0, self.received - self.reported.1);
        self.reported = (self.expected(), self.received);
        let lost = expected.saturating_sub(received);
        let fraction = (lost * 256).checked_div(expected).map_or(0, |share| u8::try_from(share).unwrap_or(u8::MAX));
        let cumulative = self.expected() as i64 - self.received as i64;
        Some(Block {
            ssrc: self.ssrc,
            fraction_lost: fraction,
            lost: cumulative.clamp(-0x80_0000, 0x7f_ffff) as i32,
            newest: self.cycles << 16 | u32::from(self.newest),
            jitter: self.jitter as u32,
            last_report: heard.map_or(0, |(_, sent)| sent),
            delay: heard.map_or(0, |(at, _)| now.wrapping_sub(at)),
        })
    }
}

/// What a receiver says about one stream (RFC 3550, 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The stream.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning; doubles count backwards.
    pub lost: i32,
    /// Highest sequence number, with its cycles.
    pub newest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Time of the last sender report that the receiver heard; 0 for none.
    pub last_report: CompactTime,
    /// How long ago it heard it.
    pub delay: CompactTime,
}

impl Block {
    /// How long a packet takes there and back, in milliseconds, when this block arrives at `now`. `None` without a sender
    /// report, or when the numbers cannot be true.
    pub fn round_trip_ms(&self, now: CompactTime) -> Option<f64> {
        if self.last_report == 0 {
            return None;
        }
        let round = now.wrapping_sub(self.last_report).wrapping_sub(self.delay) as i32;
        (round >= 0).then(|| f64::from(round) * 1_000.0 / 65_536.0)
    }
}

/// What a sender says about its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall time as NTP: seconds since 1900 and their fraction.
    pub ntp: u64,
    /// The same moment in timestamps of the stream.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Bytes of payload sent.
    pub bytes: u32,
}

impl SenderInfo {
    /// The wall time as receivers repeat it.
    pub fn sent(&self) -> CompactTime {
        compact(self.ntp)
    }
}

/// The middle of an NTP timestamp.
pub fn compact(ntp: u64) -> CompactTime {
    (ntp >> 16) as u32
}

/// Unix milliseconds as NTP.
pub fn ntp_of(unix_ms: u64) -> u64 {
    let seconds = unix_ms / 1_000 + 2_208_988_800;
    (seconds << 32) | (((unix_ms % 1_000) << 32) / 1_000)
}

/// One part of a compound packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A sender's.
    Sender {
        /// Who reports.
        ssrc: u32,
        /// About its own stream.
        info: SenderInfo,
    },
    /// What the reporter hears.
    Heard(Block),
    /// The reporter leaves.
    Goodbye,
}

/// Reads a compound packet; what is malformed ends the reading, what came before it stands.
pub fn parse(mut datagram: &[u8], mut each: impl FnMut(Report)) {
    while let Some((head, _)) = datagram.split_first_chunk::<4>() {
        if head[0] >> 6 != 2 {
            return;
        }
        let bytes = (usize::from(u16::from_be_bytes([head[2], head[3]])) + 1) * 4;
        let Some((packet, rest)) = datagram.split_at_checked(bytes) else { return };
        let blocks = match head[1] {
            SENDER_REPORT => {
                let Some(words) = words::<6>(&packet[4..]) else { return };
                let info = SenderInfo {
                    ntp: u64::from(words[1]) << 32 | u64::from(words[2]),
                    timestamp: words[3],
                    packets: words[4],
                    bytes: words[5],
                };
                each(Report::Sender { ssrc: words[0], info });
                packet.get(28..)
            }
            RECEIVER_REPORT => packet.get(8..),
            GOODBYE => {
                each(Report::Goodbye);
                None
            }
            _ => None,
        };
        for block in blocks.unwrap_or_default().chunks_exact(24).take(usize::from(head[0] & 0x1f)) {
            if let Some(words) = words::<6>(block) {
                each(Report::Heard(block_of(words)));
            }
        }
        datagram = rest;
    }
}

fn words<const N: usize>(bytes: &[u8]) -> Option<[u32; N]> {
    let mut words = [0; N];
    for (index, word) in words.iter_mut().enumerate() {
        *word = u32::from_be_bytes(*bytes.get(index * 4..)?.first_chunk()?);
    }
    Some(words)
}

fn block_of(words: [u32; 6]) -> Block {
    let lost = (words[1] << 8) as i32 >> 8; // 24 bits with a sign
    Block {
        ssrc: words[0],
        fraction_lost: (words[1] >> 24) as u8,
        lost,
        newest: words[2],
        jitter: words[3],
        last_report: words[4],
        delay: words[5],
    }
}

/// Writes a compound packet: a sender's report when something was sent, else a receiver's; who we are; and, when `leaves`,
/// that we go. `name` is the canonical name, the same for the whole call.
pub fn write(ssrc: u32, info: Option<SenderInfo>, block: Option<Block>, name: &str, leaves: bool, out: &mut Vec<u8>) {
    let start = out.len();
    let kind = if info.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    out.extend([0x80 | u8::from(block.is_some()), kind, 0, 0]);
    out.extend(ssrc.to_be_bytes());
    if let Some(info) = info {
        out.extend(info.ntp.to_be_bytes());
        for word in [info.timestamp, info.packets, info.bytes] {
            out.extend(word.to_be_bytes());
        }
    }
    if let Some(block) = block {
        let lost = u32::from(block.fraction_lost) << 24 | block.lost as u32 & 0x00ff_ffff;
        for word in [block.ssrc, lost, block.newest, block.jitter, block.last_report, block.delay] {
            out.extend(word.to_be_bytes());
        }
    }
    close(out, start);
    let start = out.len();
    let name = &name.as_bytes()[..name.len().min(NAME_BYTES_MAX)];
    out.extend([0x81, SOURCE_DESCRIPTION, 0, 0]);
    out.extend(ssrc.to_be_bytes());
    out.extend([1, name.len() as u8]);
    out.extend(name);
    out.push(0);
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    close(out, start);
    if leaves {
        let start = out.len();
        out.extend([0x81, GOODBYE, 0, 0]);
        out.extend(ssrc.to_be_bytes());
        close(out, start);
    }
}

/// Fills in the length of the packet that began at `start`.
fn close(out: &mut [u8], start: usize) {
    let words = u16::try_from((out.len() - start) / 4 - 1).unwrap_or(u16::MAX);
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(packets: &[(u16, u32, u32)]) -> Reception {
        let mut reception = Reception::default();
        for (sequence, timestamp, arrival) in packets {
            reception.packet(1, *sequence, *timestamp, *arrival);
        }
        reception
    }

    #[test]
    fn jitter_follows_the_formula() {
        let arrivals_ms = [0, 20, 45, 60, 85];
        let packets: Vec<_> = (0..).zip(arrivals_ms).map(|(n, ms)| (n as u16, n * 160, ms * 8)).collect();
        assert!((counted(&packets).jitter() - 7.041).abs() < 0.001);
    }

    #[test]
    fn loss_is_counted_across_the_wrap_and_reported_since_the_last_report() {
        let mut reception = counted(&[(65_534, 0, 0), (65_535, 160, 160), (1, 480, 480), (2, 640, 640)]);
        assert_eq!((reception.expected(), reception.received(), reception.lost()), (5, 4, 1));
        let block = reception.report(0, None).unwrap();
        assert_eq!((block.fraction_lost, block.lost, block.newest), (51, 1, 0x1_0002));
        assert_eq!(reception.report(0, None).unwrap().fraction_lost, 0, "nothing was lost since");
    }

    #[test]
    fn keys_between_audio_are_no_loss() {
        let mut reception = counted(&[(10, 0, 0), (11, 160, 160)]);
        reception.untimed(1, 12);
        reception.untimed(1, 13);
        reception.untimed(2, 500);
        reception.packet(1, 14, 640, 640);
        assert_eq!((reception.expected(), reception.lost()), (5, 0));
        assert_eq!(reception.jitter(), 0.0);
    }

    #[test]
    fn doubles_count_backwards_and_late_packets_fill_the_gap() {
        let mut reception = counted(&[(10, 0, 0), (12, 320, 320), (11, 160, 330), (12, 320, 331)]);
        assert_eq!(reception.report(0, None).unwrap().lost, -1);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn a_stream_that_begins_anew_is_no_loss() {
        let reception = counted(&[(10, 0, 0), (30_000, 0, 0), (30_001, 160, 160)]);
        assert_eq!((reception.expected(), reception.lost()), (2, 0));
    }

    #[test]
    fn the_round_trip_of_the_standards_example() {
        let block = Block {
            ssrc: 1,
            fraction_lost: 0,
            lost: 0,
            newest: 0,
            jitter: 0,
            last_report: 0xb705_2000,
            delay: 0x0005_4000,
        };
        assert_eq!(block.round_trip_ms(0xb710_8000), Some(6_125.0));
        assert_eq!(block.round_trip_ms(0xb705_2000), None, "before it was sent");
        assert_eq!(Block { last_report: 0, ..block }.round_trip_ms(5), None);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let info = SenderInfo { ntp: ntp_of(1_700_000_000_500), timestamp: 9, packets: 8, bytes: 7 };
        let block = counted(&[(1, 0, 0), (3, 320, 320)]).report(77, Some((70, 5))).unwrap();
        let mut bytes = Vec::new();
        write(0xcafe_babe, Some(info), Some(block), "a@frontdesk", true, &mut bytes);
        assert!(bytes.len().is_multiple_of(4));
        let mut reports = Vec::new();
        parse(&bytes, |report| reports.push(report));
        let sender = Report::Sender { ssrc: 0xcafe_babe, info };
        assert_eq!(reports, [sender, Report::Heard(block), Report::Goodbye]);
        assert_eq!(info.ntp >> 32, 3_908_988_800);
        assert_eq!(info.ntp as u32, 1 << 31, "half a second");
        assert_eq!((block.last_report, block.delay), (5, 7));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_report_is_too_odd(
            bytes in prop::collection::vec(any::<u8>(), 0..120), kind in 200u8..=204, words in 0u8..30,
        ) {
            let mut bytes = bytes;
            if bytes.len() >= 4 {
                bytes[0] |= 0x80;
                bytes[0] &= 0xbf;
                (bytes[1], bytes[2], bytes[3]) = (kind, 0, words);
            }
            let mut count = 0;
            parse(&bytes, |_| count += 1);
            prop_assert!(count <= 40);
        }

        #[test]
        fn no_order_of_packets_breaks_the_count(
            packets in prop::collection::vec((any::<u16>(), any::<u32>(), any::<u32>(), 0u32..3), 0..100),
        ) {
            let mut reception = Reception::default();
            for (sequence, timestamp, arrival, ssrc) in packets {
                reception.packet(ssrc, sequence, timestamp, arrival);
                reception.report(arrival, None);
                prop_assert!(reception.jitter().is_finite());
            }
        }
    }
}
