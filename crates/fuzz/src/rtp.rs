//! Datagrams on a port of audio. An input is a codec, then datagrams, each behind the milliseconds since the last and its length.

use base::Secret;
use carriers::sip::sdp::{Codec, Crypto, Key, Suite};
use media::rtp::{self, Header, KeyReceiver, Packet, Reception, rtcp};
use media::{Law, opus};
use sip::trial::{Protected, Voice};

const LINE_HZ: u32 = 16_000;
const FRAME_SAMPLES: usize = 320;
/// Time goes on in one input for no longer.
const MS_MAX: u64 = 5_000;

pub(crate) fn run(bytes: &[u8]) {
    let Some((kind, mut rest)) = bytes.split_first() else { return };
    let codec = Codec::ALL[usize::from(kind & 3)];
    let mut line = Line::new(codec, kind & 0x80 != 0);
    while let Some(([after, high, low], more)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (datagram, next) = more.split_at(length);
        line.datagram(u64::from(*after), datagram);
        rest = next;
    }
    line.wait(200);
}

struct Line {
    codec: Codec,
    voice: Voice,
    protected: Option<Protected>,
    reception: Reception,
    keys: KeyReceiver,
    now_ms: u64,
    opened: Vec<u8>,
}

impl Line {
    fn new(codec: Codec, is_protected: bool) -> Self {
        let crypto = |fill: u8| Crypto { tag: 1, suite: Suite::AesCm80, key: Key(Secret::new(vec![fill; 30])) };
        Self {
            codec,
            voice: Voice::new(codec, LINE_HZ).unwrap_or_else(|| panic!("{codec:?} has this rate")),
            protected: is_protected.then(|| Protected::new(&(crypto(1), crypto(1)))).flatten(),
            reception: Reception::default(),
            keys: KeyReceiver::default(),
            now_ms: 0,
            opened: Vec::new(),
        }
    }

    fn datagram(&mut self, after_ms: u64, datagram: &[u8]) {
        self.wait(after_ms);
        let is_report = rtp::is_rtcp(datagram);
        let mut opened = std::mem::take(&mut self.opened);
        let is_open = match &mut self.protected {
            None => true,
            Some(protected) if is_report => protected.open_report(datagram, &mut opened),
            Some(protected) => protected.open(datagram, &mut opened),
        };
        if is_open {
            self.heard(is_report, if self.protected.is_some() { &opened } else { datagram });
        }
        self.opened = opened;
    }

    fn heard(&mut self, is_report: bool, bytes: &[u8]) {
        if is_report {
            return rtcp::parse(bytes, |report| {
                if let rtcp::Report::Heard(block) = report {
                    let _ = block.round_trip_ms(7);
                }
            });
        }
        let Some(packet) = Packet::parse(bytes) else { return };
        assert!(packet.payload.len() + rtp::HEADER_BYTES <= bytes.len());
        let Header { ssrc, sequence, timestamp, payload_type, .. } = packet.header;
        if payload_type == 101 {
            self.reception.untimed(ssrc, sequence);
            let _ = self.keys.packet(ssrc, timestamp, packet.payload);
            return;
        }
        self.reception.packet(ssrc, sequence, timestamp, self.now_ms as u32 * 8);
        let law = match self.codec {
            Codec::Pcmu => Some(Law::Ulaw),
            Codec::Pcma => Some(Law::Alaw),
            Codec::G722 | Codec::Opus => None,
        };
        self.voice.insert(self.now_ms, packet.header, law, packet.payload);
        assert!(self.reception.received() <= self.reception.expected() + self.reception.received());
    }

    /// Time goes on, frame by frame.
    fn wait(&mut self, ms: u64) {
        let until = (self.now_ms + ms).min(MS_MAX);
        let mut frame = Vec::with_capacity(FRAME_SAMPLES);
        while self.now_ms < until {
            self.now_ms += 20;
            frame.clear();
            self.voice.pull(self.now_ms, &mut frame);
            assert_eq!(frame.len(), FRAME_SAMPLES, "every 20 ms a frame, whatever came");
        }
    }
}

/// A second of a call in each codec, with a key, a report and an end, in the clear and protected.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let both = |kind: u8| [kind, kind | 0x80].map(call);
    (0..4).flat_map(both).collect()
}

fn call(kind: u8) -> Vec<u8> {
    let codec = Codec::ALL[usize::from(kind & 3)];
    let Line { mut voice, mut protected, .. } = Line::new(codec, kind & 0x80 != 0);
    let mut out = vec![kind];
    for n in 0..12_u32 {
        let pcm: Vec<i16> = (0..FRAME_SAMPLES as i32).map(|at| ((at * (37 + n as i32 * 11)) % 9_000) as i16).collect();
        let (payload_type, timestamp) = if n == 6 { (101, 960) } else { (0, n * voice.clock_per_packet()) };
        let mut plain = Vec::with_capacity(opus::PACKET_BYTES_MAX);
        Header { marker: n == 0, payload_type, sequence: n as u16, timestamp, ssrc: 9 }.write(&mut plain);
        if payload_type == 101 {
            plain.extend(rtp::telephone_event::payload(5, false, 10, 160));
        } else {
            voice.encode(&pcm, &mut plain);
        }
        let mut wire = Vec::new();
        let is_sealed = protected.as_mut().is_some_and(|protected| protected.protect(&plain, &mut wire));
        put(&mut out, 20, if is_sealed { &wire } else { &plain });
    }
    let mut report = Vec::new();
    let info = rtcp::SenderInfo { ntp: 1 << 40, timestamp: 960, packets: 12, bytes: 1_920 };
    rtcp::write(9, Some(info), None, "one@example", true, &mut report);
    let mut wire = Vec::new();
    let is_sealed = protected.as_mut().is_some_and(|protected| protected.protect_report(&report, &mut wire));
    put(&mut out, 20, if is_sealed { &wire } else { &report });
    out
}

fn put(out: &mut Vec<u8>, after_ms: u8, datagram: &[u8]) {
    out.push(after_ms);
    out.extend((datagram.len() as u16).to_be_bytes());
    out.extend_from_slice(datagram);
}
