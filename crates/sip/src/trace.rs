//! What goes over the wire for a call, for whoever looks into why it sounds poor or fails.
//!
//! A [`Tap`] copies messages and packets into a bounded channel and never waits: what the reader does not take in time is
//! counted and lost, the call goes on. A [`Capture`] writes what came out of it as a capture file (the classic format of
//! libpcap) that Wireshark, tshark and sngrep open. Messages are written as datagrams whatever they travelled in, as they
//! were before TLS sealed them, with the secrets blanked; audio is written as it was on the wire.

use crate::config::Transport;
use crate::endpoint::library_transport;
use crate::message::header;
use base::limits;
use etherparse::PacketBuilder;
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use rsipstack::sip::SipMessage;
use rsipstack::transport::SipAddr;
use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// Requests for calls, and answers to them, that are remembered until it is known whether a call becomes of them.
const EARLY_MAX: usize = 256;
/// How long after its end a call is still listened to: the last answers and confirmations are on their way.
const LINGER: Duration = Duration::from_secs(2);
const HOPS: u8 = 64;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A SIP message.
    Signalling,
    /// RTP or RTCP.
    Media,
}

/// Something that went over the wire.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When.
    pub at: SystemTime,
    /// What it is.
    pub kind: Kind,
    /// Whence.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// The payload of its datagram. Of a message the secrets are still in it.
    pub bytes: Vec<u8>,
}

/// What the reader of a tap is told.
#[derive(Debug)]
pub enum Traced {
    /// A packet of the call with this Call-ID.
    Packet(Arc<str>, Packet),
    /// That was the last one.
    Over(Arc<str>),
}

/// Copies what goes over the wire. Cheap to clone.
#[derive(Clone)]
pub struct Tap {
    to: mpsc::Sender<Traced>,
    heard: Arc<Mutex<Heard>>,
    place: Arc<Mutex<Vec<(Transport, SocketAddr)>>>,
}

#[derive(Default)]
struct Heard {
    calls: HashMap<String, Live>,
    early: VecDeque<(String, Packet)>,
}

struct Live {
    name: Arc<str>,
    /// How often the call has begun and not ended: a request may come again while the last one still lingers.
    times: u32,
    /// Where its last message came from: answers do not always say where they go.
    peer: Option<SocketAddr>,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tap")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap {
    /// A tap and what comes out of it.
    pub fn new() -> (Self, mpsc::Receiver<Traced>) {
        let (to, traced) = mpsc::channel(limits::SIP_TRACE_PACKETS_AHEAD_MAX);
        (Self { to, heard: Arc::default(), place: Arc::default() }, traced)
    }

    /// Where messages are received, as others reach it.
    pub(crate) fn listens_at(&self, listens: &[(Transport, SocketAddr)], public_ip: Option<IpAddr>) {
        let reached = |(kind, at): &(_, SocketAddr)| (*kind, SocketAddr::new(public_ip.unwrap_or(at.ip()), at.port()));
        *lock(&self.place) = listens.iter().map(reached).collect();
    }

    /// A call begins: what was heard of it until now, and all that follows, belongs to it.
    pub(crate) fn open(&self, call_ref: &str) {
        self.open_within(call_ref, call_ref);
    }

    /// What has this Call-ID belongs to that call, which somebody takes over with it.
    pub(crate) fn open_within(&self, call_id: &str, call_ref: &str) {
        let mut heard = lock(&self.heard);
        let live = Live { name: call_ref.into(), times: 0, peer: None };
        let live = heard.calls.entry(call_id.to_owned()).or_insert(live);
        live.times += 1;
        let name = Arc::clone(&live.name);
        let (ours, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut heard.early).into_iter().partition(|(of, _)| of == call_id);
        heard.early = others;
        if let Some((_, packet)) = ours.back()
            && let Some(live) = heard.calls.get_mut(call_id)
        {
            live.peer = Some(packet.from);
        }
        ours.into_iter().for_each(|(_, packet)| self.send(&name, packet));
    }

    /// A call is over, and what others took it over with; its last messages are still waited for.
    pub(crate) fn close(&self, call_ref: &str, taken: Vec<String>) {
        // Without a runtime the program is ending, and so is whoever reads.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (tap, call_ref) = (self.clone(), call_ref.to_owned());
        runtime.spawn(async move {
            tokio::time::sleep(LINGER).await;
            for call_id in &taken {
                tap.forget(call_id); // The call's own name says that it is over.
            }
            if let Some(name) = tap.forget(&call_ref) {
                let _ = tap.to.send(Traced::Over(name)).await; // Nobody reads any more.
            }
        });
    }

    fn forget(&self, call_ref: &str) -> Option<Arc<str>> {
        let mut heard = lock(&self.heard);
        let live = heard.calls.get_mut(call_ref)?;
        live.times = live.times.saturating_sub(1);
        (live.times == 0).then(|| heard.calls.remove(call_ref).map(|live| live.name)).flatten()
    }

    fn send(&self, name: &Arc<str>, packet: Packet) {
        if self.to.try_send(Traced::Packet(Arc::clone(name), packet)).is_err() {
            metrics::counter!("frontdesk_sip_trace_packets_dropped_total").increment(1);
        }
    }

    /// A message was received.
    pub(crate) fn received(&self, message: &SipMessage, from: Option<&SipAddr>) {
        // The library shows an answer twice, the second time without its sender.
        let Some(peer) = from.and_then(|from| from.get_socketaddr().ok()) else { return };
        self.message(message, from, peer, true);
    }

    /// A message is about to be sent.
    pub(crate) fn sends(&self, message: &SipMessage, to: Option<&SipAddr>) {
        let known = to.and_then(|to| to.get_socketaddr().ok());
        let peer = known.or_else(|| {
            let call_ref = header(message, "Call-ID")?;
            let heard = lock(&self.heard);
            let early = heard.early.iter().rev().find(|(of, _)| *of == call_ref).map(|(_, packet)| packet.from);
            heard.calls.get(&call_ref).and_then(|live| live.peer).or(early)
        });
        let Some(peer) = peer else { return };
        self.message(message, to, peer, false);
    }

    fn message(&self, message: &SipMessage, over: Option<&SipAddr>, peer: SocketAddr, is_heard: bool) {
        let Some(call_ref) = header(message, "Call-ID") else { return };
        let mut heard = lock(&self.heard);
        let live = heard.calls.get_mut(&call_ref);
        let is_early = || header(message, "CSeq").is_some_and(|cseq| cseq.ends_with("INVITE") || cseq.ends_with("ACK"));
        if live.is_none() && !is_early() {
            return;
        }
        let here = self.here(over, peer);
        let (from, to) = if is_heard { (peer, here) } else { (here, peer) };
        let packet = Packet { at: SystemTime::now(), kind: Kind::Signalling, from, to, bytes: message.to_bytes() };
        match live {
            Some(live) => {
                if is_heard {
                    live.peer = Some(peer);
                }
                let name = Arc::clone(&live.name);
                drop(heard);
                self.send(&name, packet);
            }
            None => {
                if heard.early.len() >= EARLY_MAX {
                    heard.early.pop_front();
                }
                heard.early.push_back((call_ref, packet));
            }
        }
    }

    /// Our end of what is exchanged with this peer.
    fn here(&self, over: Option<&SipAddr>, peer: SocketAddr) -> SocketAddr {
        let transport = over.and_then(|over| over.r#type);
        let place = lock(&self.place);
        let same = place.iter().find(|(kind, _)| Some(library_transport(*kind)) == transport).or(place.first());
        let Some((_, at)) = same else { return SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060)) };
        match at.ip().is_unspecified() {
            true => SocketAddr::new(crate::ports::towards(peer).unwrap_or(at.ip()), at.port()),
            false => *at,
        }
    }

    /// The tap of a leg of audio that is reached at this address.
    pub(crate) fn leg(&self, call_ref: &str, ip: IpAddr) -> LegTap {
        LegTap { tap: self.clone(), call: call_ref.into(), ip }
    }
}

/// The tap of one leg of audio.
pub(crate) struct LegTap {
    tap: Tap,
    call: Arc<str>,
    ip: IpAddr,
}

impl LegTap {
    pub(crate) fn received(&self, from: SocketAddr, port: Option<u16>, bytes: &[u8]) {
        self.packet(from, SocketAddr::new(self.ip, port.unwrap_or(0)), bytes);
    }

    pub(crate) fn sent(&self, port: Option<u16>, to: SocketAddr, bytes: &[u8]) {
        self.packet(SocketAddr::new(self.ip, port.unwrap_or(0)), to, bytes);
    }

    fn packet(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let packet = Packet { at: SystemTime::now(), kind: Kind::Media, from, to, bytes: bytes.to_vec() };
        self.tap.send(&self.call, packet);
    }
}

/// A capture file of one call.
pub struct Capture<W: Write> {
    file: PcapWriter<W>,
    bytes: u64,
    bytes_max: u64,
    is_cut: bool,
}

impl<W: Write> Capture<W> {
    /// Begins a file that takes this many bytes of packets. Messages find a little room behind them, so that how a long call
    /// ended is in it, too.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(file: W, bytes_max: u64) -> io::Result<Self> {
        let head = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
        let file = PcapWriter::with_header(file, head).map_err(io::Error::other)?;
        Ok(Self { file, bytes: 0, bytes_max, is_cut: false })
    }

    /// Writes a packet, without its secrets. `false` when there is no room for it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, packet: &Packet) -> io::Result<bool> {
        let Some(datagram) = datagram(packet) else { return Ok(false) };
        let spare = if packet.kind == Kind::Signalling { limits::SIP_TRACE_SIGNALLING_BYTES } else { 0 };
        let size = datagram.len() as u64;
        if (self.is_cut && packet.kind == Kind::Media) || self.bytes + size > self.bytes_max + spare {
            self.is_cut = true;
            return Ok(false);
        }
        self.bytes += size;
        let at = packet.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let packet = PcapPacket::new(at, datagram.len() as u32, &datagram);
        self.file.write_packet(&packet).map_err(io::Error::other)?;
        Ok(true)
    }

    /// Whether packets are missing for want of room.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Gives the file back.
    pub fn into_file(self) -> W {
        self.file.into_writer()
    }
}

/// The packet with its headers; `None` when it fits into no datagram.
fn datagram(packet: &Packet) -> Option<Vec<u8>> {
    let payload = match packet.kind {
        Kind::Signalling => &without_secrets(&packet.bytes),
        Kind::Media => &packet.bytes,
    };
    let (from, to) = (packet.from.ip().to_canonical(), packet.to.ip().to_canonical());
    let builder = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), HOPS),
        (from, to) => PacketBuilder::ipv6(wide(from), wide(to), HOPS),
    };
    let builder = builder.udp(packet.from.port(), packet.to.port());
    let mut bytes = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut bytes, payload).ok().map(|()| bytes)
}

fn wide(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The message with what proves or opens something blanked, as long as before: lengths that it states stay true.
pub fn without_secrets(message: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(message.len());
    let mut proof = Proof::None;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let start = clean.len();
        clean.extend_from_slice(line);
        let kept = &mut clean[start..];
        // A line that begins with a space goes on with the one before (RFC 3261, 7.3.1).
        if !kept.starts_with(b" ") && !kept.starts_with(b"\t") {
            proof = Proof::of(kept);
            if proof == Proof::Bare {
                let at = behind_scheme(kept);
                blank(&mut kept[at..], |_| false);
            }
        } else if proof == Proof::Bare {
            blank(&mut kept[1..], |_| false);
        }
        let lower = kept.to_ascii_lowercase();
        if proof == Proof::Digest {
            blank_digest(kept, &lower);
        } else if lower.starts_with(b"a=crypto:") {
            each(&lower, b"inline:", |at| blank(&mut kept[at..], |byte| byte == b'|' || byte == b';'));
        } else if lower.starts_with(b"k=") {
            blank(&mut kept[2..], |_| false);
        } else if lower.starts_with(b"a=key-mgmt:") {
            blank(&mut kept[11..], |_| false);
        } else if lower.starts_with(b"a=ice-pwd:") {
            blank(&mut kept[10..], |_| false);
        }
    }
    clean
}

/// How a header proves something.
#[derive(Clone, Copy, PartialEq)]
enum Proof {
    None,
    /// By values from which a password could be guessed (RFC 7616).
    Digest,
    /// By what opens something as it stands.
    Bare,
}

impl Proof {
    fn of(line: &[u8]) -> Self {
        const PROOFS: [&str; 4] = ["authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate"];
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Self::None };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii_start());
        let is_digest = value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"digest"));
        let is_proof = PROOFS.iter().any(|proof| name.eq_ignore_ascii_case(proof.as_bytes()));
        match (is_proof, is_digest) {
            (true, true) => Self::Digest,
            (true, false) => Self::Bare,
            // It names no scheme.
            _ if name.eq_ignore_ascii_case(b"authentication-info") => Self::Digest,
            _ => Self::None,
        }
    }
}

/// Where the name of the scheme ends in a header that proves something.
fn behind_scheme(line: &[u8]) -> usize {
    let value = line.iter().position(|byte| *byte == b':').map_or(0, |colon| colon + 1);
    let scheme = value + line[value..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    scheme + line[scheme..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count()
}

/// Blanks the values of a digest from which a password could be guessed.
fn blank_digest(line: &mut [u8], lower: &[u8]) {
    for key in [&b"response"[..], b"nonce", b"nextnonce", b"rspauth"] {
        // `cnonce` ends in `nonce`.
        each(lower, key, |at| {
            let rest = &mut line[at..];
            let Some(equals) = rest.iter().position(|byte| !byte.is_ascii_whitespace()) else { return };
            if rest[equals] != b'=' {
                return;
            }
            let Some(value) = rest[equals + 1..].iter().position(|byte| !byte.is_ascii_whitespace()) else { return };
            let value = equals + 1 + value;
            match rest[value] {
                b'"' => {
                    let mut before = 0;
                    blank(&mut rest[value + 1..], |byte| std::mem::replace(&mut before, byte) != b'\\' && byte == b'"');
                }
                _ => blank(&mut rest[value..], |byte| byte == b',' || byte == b' '),
            }
        });
    }
}

/// Calls with the place behind each of these words.
fn each(text: &[u8], word: &[u8], mut act: impl FnMut(usize)) {
    let found = text.windows(word.len()).enumerate().filter(|(_, part)| *part == word);
    found.for_each(|(at, _)| act(at + word.len()));
}

fn blank(text: &mut [u8], mut ends: impl FnMut(u8) -> bool) {
    let ending = |byte: &u8| ends(*byte) || *byte == b'\r' || *byte == b'\n';
    let length = text.iter().position(ending).unwrap_or(text.len());
    text[..length].fill(b'x');
}
