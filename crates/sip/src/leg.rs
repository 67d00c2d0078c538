//! One leg of audio: a socket, a clock, a jitter buffer, and a line to the call host. One task each.
//!
//! Every 20 ms a packet goes out, silence when there is nothing to say, because trunks hang up on lines without packets; and
//! a frame goes to the host, whatever the network did to it.

use crate::exchange::{self, Exchange, Identity};
use crate::front::Quality;
use crate::srtp::Protected;
use crate::trace::LegTap;
use crate::voice::Voice;
use base::limits;
use base::wire::Wire;
use carriers::sip::sdp::{Agreed, Codec, PACKET_MS};
use carriers::sip::{self as framing, Told};
use media::rtp::{self, Header, KeyReceiver, KeySender, Latch, Packet, Reception, quality, rtcp};
use media::{Law, ms_to_samples};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

const FRAME: Duration = Duration::from_millis(PACKET_MS as u64);
/// Before anything is agreed on.
const LINE_HZ: u32 = Codec::Pcmu.rate_hz();
/// Behind the clock by more than this, frames are left out instead of sent in a burst.
const BEHIND_MAX: Duration = Duration::from_millis(200);
const REPORT_EVERY_FRAMES: u64 = 5_000 / PACKET_MS as u64;
const DATAGRAM_BYTES_MAX: usize = 2_048;
/// Datagrams taken in a row before the clock is looked at again.
const DATAGRAMS_AT_ONCE: usize = 16;

/// What a leg is told.
pub(crate) enum Order {
    /// This was agreed; the first time, audio begins.
    Agree(Box<Agreed>),
    /// Another party takes over: its audio goes over these, and nothing that was agreed holds any more.
    Move(Box<(UdpSocket, UdpSocket)>),
    /// The host's line.
    Attach(Box<LineEnd>),
    /// A key came by message.
    Heard(char),
    /// The call is over.
    Stop,
}

/// What a leg tells its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noticed {
    /// The host has closed the line.
    LineClosed,
    /// The other side has sent nothing for long.
    Silent,
}

/// Our end of a line.
pub(crate) struct LineEnd {
    /// What it begins with.
    pub(crate) token: String,
    pub(crate) call_ref: String,
    pub(crate) to_host: mpsc::Sender<Wire>,
    pub(crate) from_host: mpsc::Receiver<Wire>,
}

/// A leg that runs.
pub(crate) struct Leg {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) noticed: mpsc::Receiver<Noticed>,
    task: JoinHandle<Quality>,
}

impl Leg {
    pub(crate) fn start(
        sockets: (UdpSocket, UdpSocket),
        name: String,
        tap: Option<LegTap>,
        identity: Option<Arc<Identity>>,
    ) -> Self {
        let (orders, ordered) = mpsc::channel(limits::SIP_ORDERS_MAX);
        let (notices, noticed) = mpsc::channel(limits::SIP_ORDERS_MAX);
        let work = Work { identity, ..Work::new(sockets, (name, tap), ordered, notices) };
        let task = tokio::spawn(work.run());
        Self { orders, noticed, task }
    }

    /// Ends it and says how it was. It says goodbye first, so it gets a moment.
    pub(crate) async fn stop(self) -> Quality {
        let Self { orders, noticed, task } = self;
        let _ = orders.send(Order::Stop).await; // It may have ended itself.
        drop((orders, noticed));
        match tokio::time::timeout(Duration::from_millis(limits::CANCEL_MS_MAX), task).await {
            Ok(Ok(quality)) => quality,
            Ok(Err(error)) => {
                tracing::error!(%error, "a leg of audio broke");
                Quality::default()
            }
            Err(_elapsed) => Quality::default(),
        }
    }
}

struct Work {
    tap: Option<LegTap>,
    audio: UdpSocket,
    reports: UdpSocket,
    name: String,
    orders: mpsc::Receiver<Order>,
    notices: mpsc::Sender<Noticed>,
    line: Option<LineEnd>,
    agreed: Option<Agreed>,
    latch: Option<Latch>,
    protected: Option<Protected>,
    identity: Option<Arc<Identity>>,
    exchange: Option<Box<Exchange>>,
    began: Instant,
    playing: Playing,
    keys: (KeySender, KeyReceiver),
    voice: Option<Voice>,
    reception: Reception,
    header: Header,
    counted: Counted,
    heard_at: Instant,
    /// When the other side's last report came, and what it calls that moment.
    report_heard: Option<(u32, u32)>,
    buffers: Buffers,
}

/// What a report says about what we send, and what the quality is told from.
#[derive(Default)]
struct Counted {
    frames: u64,
    sent: u64,
    bytes: u64,
    round_trip_ms: Option<f64>,
    far_loss_percent: Option<f64>,
}

/// Taken once, so that a frame allocates only the message that it becomes.
#[derive(Default)]
struct Buffers {
    plain: Vec<u8>,
    wire: Vec<u8>,
    pcm: Vec<i16>,
}

/// What the host wants heard.
struct Playing {
    /// Samples per second of the line.
    rate_hz: u32,
    samples: VecDeque<i16>,
    /// Samples queued since the beginning, and which marks stand where.
    queued: u64,
    marks: VecDeque<(u64, String)>,
}

impl Playing {
    fn new(rate_hz: u32) -> Self {
        Self { rate_hz, samples: VecDeque::new(), queued: 0, marks: VecDeque::new() }
    }

    fn is_full(&self) -> bool {
        self.samples.len() as u64 >= ms_to_samples(limits::SIP_PLAYOUT_AHEAD_MS_MAX, self.rate_hz)
    }

    fn frame_samples(&self) -> usize {
        ms_to_samples(u64::from(PACKET_MS), self.rate_hz) as usize
    }

    fn played(&self) -> u64 {
        self.queued - self.samples.len() as u64
    }

    fn take(&mut self, out: &mut Vec<i16>) {
        let frame = self.frame_samples();
        let count = self.samples.len().min(frame);
        out.extend(self.samples.drain(..count));
        out.resize(frame, 0);
    }

    fn reached(&mut self) -> Option<String> {
        let played = self.played();
        self.marks.pop_front_if(|(at, _)| *at <= played).map(|(_, name)| name)
    }
}

impl Work {
    fn new(
        (audio, reports): (UdpSocket, UdpSocket),
        (name, tap): (String, Option<LegTap>),
        orders: mpsc::Receiver<Order>,
        notices: mpsc::Sender<Noticed>,
    ) -> Self {
        let mut random = [0; 10];
        // A generator that fails leaves zeros: predictable numbers, and a call that works.
        let _ = aws_lc_rs::rand::fill(&mut random);
        let [s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = random;
        Self {
            tap,
            audio,
            reports,
            name,
            orders,
            notices,
            line: None,
            agreed: None,
            latch: None,
            protected: None,
            identity: None,
            exchange: None,
            began: Instant::now(),
            playing: Playing::new(LINE_HZ),
            keys: (KeySender::default(), KeyReceiver::default()),
            voice: None,
            reception: Reception::default(),
            header: Header {
                marker: true,
                payload_type: 0,
                sequence: u16::from_be_bytes([s0, s1]),
                timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
                ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            },
            counted: Counted::default(),
            heard_at: Instant::now(),
            report_heard: None,
            buffers: Buffers::default(),
        }
    }

    async fn run(mut self) -> Quality {
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        let mut report = [0; DATAGRAM_BYTES_MAX];
        let mut next = Instant::now();
        let tick = sleep_until(next);
        tokio::pin!(tick);
        loop {
            let may_listen = self.line.is_some() && !self.playing.is_full();
            let line = self.line.as_mut();
            tokio::select! {
                () = &mut tick, if self.agreed.is_some() => {
                    self.frame();
                    next += FRAME;
                    let now = Instant::now();
                    while now.saturating_duration_since(next) > BEHIND_MAX {
                        self.header.timestamp = self.header.timestamp.wrapping_add(self.clock_per_packet());
                        metrics::counter!("frontdesk_sip_frames_left_out_total").increment(1);
                        next += FRAME;
                    }
                    tick.as_mut().reset(next);
                }
                received = self.audio.recv_from(&mut datagram) => {
                    // An error is the network's word about a packet of ours (RFC 1122, 4.1.3.3): the next one may arrive.
                    if let Ok((bytes, from)) = received {
                        self.datagram(&datagram[..bytes], from);
                        for _ in 1..DATAGRAMS_AT_ONCE {
                            let Ok((bytes, from)) = self.audio.try_recv_from(&mut datagram) else { break };
                            self.datagram(&datagram[..bytes], from);
                        }
                    }
                }
                received = self.reports.recv_from(&mut report) => {
                    if let Ok((bytes, from)) = received {
                        self.note_received(false, from, &report[..bytes]);
                        self.report(&report[..bytes]);
                    }
                }
                order = self.orders.recv() => match order {
                    Some(Order::Agree(agreed)) => {
                        if self.agreed.is_none() {
                            next = Instant::now();
                            tick.as_mut().reset(next);
                            self.heard_at = next;
                        }
                        self.agree(*agreed);
                    }
                    Some(Order::Move(sockets)) => self.go_over(*sockets),
                    Some(Order::Attach(line)) => self.attach(*line),
                    Some(Order::Heard(key)) => self.tell(framing::key(key)),
                    Some(Order::Stop) | None => break,
                },
                told = hear(line), if may_listen => self.told(told),
            }
        }
        self.send_report(true);
        self.tell(framing::stop());
        self.quality()
    }

    fn agree(&mut self, mut agreed: Agreed) {
        self.exchange_as(&mut agreed);
        match (&agreed.keys, &mut self.protected) {
            (None, _) if agreed.exchange.is_some() => {} // Its keys come later, or stay.
            (None, protected) => *protected = None,
            (Some(keys), Some(protected)) => protected.agree(keys),
            (Some(keys), protected) => *protected = Protected::new(keys),
        }
        match &mut self.latch {
            Some(latch) => latch.said(agreed.address),
            None => self.latch = Some(Latch::new(agreed.address)),
        }
        match &mut self.voice {
            Some(voice) => {
                if voice.codec().clock_hz() != agreed.codec.clock_hz() {
                    self.reception.retimed();
                }
                voice.change(agreed.codec);
            }
            None => self.voice = Voice::new(agreed.codec, agreed.codec.rate_hz()),
        }
        self.heard_at = Instant::now();
        self.agreed = Some(agreed);
    }

    /// Begins a handshake, goes on with the one there is, or does without.
    fn exchange_as(&mut self, agreed: &mut Agreed) {
        let Some(wanted) = &agreed.exchange else {
            if self.exchange.take().is_some() {
                self.protected = None;
            }
            return;
        };
        let now = Instant::now().into_std();
        let goes_on = self.exchange.as_mut().is_some_and(|exchange| exchange.goes_on(wanted));
        if !goes_on {
            self.protected = None;
            self.header.ssrc = wanted.ssrc;
            let begun = self.identity.as_ref().map(|identity| Exchange::new(identity, wanted, agreed.address, now));
            self.exchange = begun.flatten().map(Box::new);
        }
        // Checks know better than descriptions where the other end is.
        if let Some(peer) = self.exchange.as_ref().and_then(|exchange| exchange.peer()) {
            (agreed.address, agreed.reports) = (peer, peer);
        }
    }

    /// Does what a handshake wants.
    fn exchanged(&mut self) {
        while let Some(output) = self.exchange.as_mut().and_then(|exchange| exchange.poll()) {
            match output {
                exchange::Output::Send(to, datagram) => {
                    // Lost, it is sent again.
                    if self.audio.try_send_to(&datagram, to).is_ok()
                        && let Some(tap) = &self.tap
                    {
                        tap.sent(port_of(&self.audio), to, &datagram);
                    }
                }
                exchange::Output::Peer(address) => {
                    if let (Some(agreed), Some(latch)) = (&mut self.agreed, &mut self.latch) {
                        (agreed.address, agreed.reports) = (address, address);
                        latch.said(address);
                    }
                }
                exchange::Output::Keys(keys) => self.protected = Protected::new(&keys),
                exchange::Output::Failed(why) => {
                    tracing::info!(why, "no keys for the audio of a call");
                    let _ = self.notices.try_send(Noticed::Silent); // It is silent, and stays so.
                }
            }
        }
    }

    /// Until something is agreed on again, nothing is sent.
    fn go_over(&mut self, sockets: (UdpSocket, UdpSocket)) {
        (self.audio, self.reports) = sockets;
        (self.agreed, self.latch, self.protected, self.report_heard) = (None, None, None, None);
        self.exchange = None;
        self.header.marker = true;
    }

    /// The line gets the rate of the codec and keeps it, whatever is agreed on later.
    fn attach(&mut self, line: LineEnd) {
        let rate_hz = self.voice.as_ref().map_or(LINE_HZ, |voice| voice.codec().rate_hz());
        if let Some(voice) = &mut self.voice {
            voice.attach(rate_hz);
        }
        self.playing = Playing::new(rate_hz);
        let start = framing::start(Some(&line.token), &line.call_ref, rate_hz);
        self.line = Some(line);
        self.tell(start);
    }

    fn clock_per_packet(&self) -> u32 {
        self.voice.as_ref().map_or(0, Voice::clock_per_packet)
    }

    /// Takes a message of the host.
    fn told(&mut self, wire: Option<Wire>) {
        match wire.as_ref().map(framing::told) {
            Some(Some(Told::Audio(bytes))) => {
                let before = self.playing.samples.len();
                self.playing.samples.extend(framing::samples(bytes));
                self.playing.queued += (self.playing.samples.len() - before) as u64;
            }
            Some(Some(Told::Mark(name))) => {
                if self.playing.marks.len() < limits::MEDIA_MARKS_MAX {
                    self.playing.marks.push_back((self.playing.queued, name.to_owned()));
                }
            }
            Some(Some(Told::Clear)) => self.playing.samples.clear(),
            Some(Some(Told::Keys(keys))) => self.press(keys),
            Some(Some(Told::Close)) | None => {
                self.line = None;
                let _ = self.notices.try_send(Noticed::LineClosed); // The call may be ending already.
            }
            Some(None) => {}
        }
        self.echo_marks();
    }

    /// As events of their own (RFC 4733), or as tones where the other side takes none.
    fn press(&mut self, keys: &str) {
        if self.agreed.as_ref().is_some_and(|agreed| agreed.events.is_some()) {
            keys.chars().for_each(|key| {
                self.keys.0.press(key);
            });
        } else {
            let tones = media::dtmf::pressed(self.playing.rate_hz, keys);
            self.playing.queued += tones.len() as u64;
            self.playing.samples.extend(tones);
        }
    }

    fn echo_marks(&mut self) {
        while let Some(name) = self.playing.reached() {
            self.tell(framing::mark(&name));
        }
    }

    /// Tells the host; a host that does not read loses audio, not our memory.
    fn tell(&mut self, wire: Wire) {
        if let Some(line) = &self.line
            && let Err(mpsc::error::TrySendError::Full(_)) = line.to_host.try_send(wire)
        {
            metrics::counter!("frontdesk_sip_line_messages_dropped_total").increment(1);
        }
    }

    /// What is due every 20 ms.
    fn frame(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.tick(Instant::now().into_std());
            self.exchanged();
        }
        self.buffers.pcm.clear();
        let now_ms = self.now_ms();
        if let Some(voice) = &mut self.voice {
            voice.pull(now_ms, &mut self.buffers.pcm);
        }
        if self.line.is_some() {
            // Who does not hear us talks to somebody else, or is music.
            if self.agreed.as_ref().is_some_and(|agreed| !agreed.sends) {
                self.buffers.pcm.fill(0);
            }
            self.tell(Wire::Binary(framing::bytes(&self.buffers.pcm)));
        }
        self.send_audio();
        self.echo_marks();
        self.header.timestamp = self.header.timestamp.wrapping_add(self.clock_per_packet());
        self.counted.frames += 1;
        if self.counted.frames.is_multiple_of(REPORT_EVERY_FRAMES) {
            self.send_report(false);
            self.look_for_silence();
        }
    }

    fn look_for_silence(&mut self) {
        let is_expected = self.agreed.as_ref().is_some_and(|agreed| agreed.listens);
        if !is_expected {
            self.heard_at = Instant::now();
        } else if self.heard_at.elapsed() >= Duration::from_millis(limits::SIP_RTP_SILENT_MS_MAX) {
            self.heard_at = Instant::now();
            let _ = self.notices.try_send(Noticed::Silent); // It says so again.
        }
    }

    fn send_audio(&mut self) {
        let (Some(agreed), Some(voice)) = (&self.agreed, &mut self.voice) else { return };
        self.buffers.pcm.clear();
        self.playing.take(&mut self.buffers.pcm);
        if !agreed.sends {
            // The first packet after a silence says that it is one.
            self.header.marker = true;
            return;
        }
        let key = agreed.events.and_then(|events| {
            let packet = self.keys.0.frame(self.header.timestamp, events.clock_hz / 1_000 * PACKET_MS)?;
            Some((events.sent, packet))
        });
        self.buffers.plain.clear();
        match key {
            Some((payload_type, packet)) => {
                let header = Header { marker: packet.marker, payload_type, timestamp: packet.timestamp, ..self.header };
                header.write(&mut self.buffers.plain);
                self.buffers.plain.extend(packet.payload);
            }
            None => {
                let payload_type = agreed.payload_types.0;
                Header { payload_type, ..self.header }.write(&mut self.buffers.plain);
                voice.encode(&self.buffers.pcm, &mut self.buffers.plain);
            }
        }
        let payload_bytes = self.buffers.plain.len() - rtp::HEADER_BYTES;
        let Some(target) = self.latch.as_ref().map(Latch::target) else { return };
        let bytes = match &mut self.protected {
            Some(protected) => match protected.protect(&self.buffers.plain, &mut self.buffers.wire) {
                true => &self.buffers.wire,
                false => return,
            },
            None if agreed.is_protected() => return, // Never in the clear what was agreed to be protected.
            None => &self.buffers.plain,
        };
        // A full socket buffer drops the packet, as a network would.
        if self.audio.try_send_to(bytes, target).is_ok() {
            if let Some(tap) = &self.tap {
                tap.sent(port_of(&self.audio), target, bytes);
            }
            self.counted.sent += 1;
            self.counted.bytes += payload_bytes as u64;
        }
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.marker = false;
    }

    fn note_received(&self, is_audio: bool, from: SocketAddr, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.received(from, port_of(if is_audio { &self.audio } else { &self.reports }), bytes);
        }
    }

    fn datagram(&mut self, datagram: &[u8], from: SocketAddr) {
        self.note_received(true, from, datagram);
        if let Some(exchange) = self.exchange.as_mut().filter(|_| exchange::is_of_exchange(datagram)) {
            exchange.handle(Instant::now().into_std(), from, datagram);
            return self.exchanged();
        }
        if rtp::is_rtcp(datagram) {
            return self.report(datagram);
        }
        let Some(agreed) = &self.agreed else { return };
        let opened = match &mut self.protected {
            Some(protected) => {
                if !protected.open(datagram, &mut self.buffers.wire) {
                    return;
                }
                &self.buffers.wire[..]
            }
            None if agreed.is_protected() => return,
            None => datagram,
        };
        let Some(packet) = Packet::parse(opened) else { return };
        let header = packet.header;
        let is_event = agreed.events.is_some_and(|events| events.heard == header.payload_type);
        let codec = codec_of(agreed, header.payload_type);
        if !is_event && codec.is_none() {
            return;
        }
        let now = self.began.elapsed();
        if !self.latch.as_mut().is_some_and(|latch| latch.accepts(from, now.as_millis() as u64)) {
            return;
        }
        self.heard_at = Instant::now();
        let arrival = (now.as_micros() * u128::from(agreed.codec.clock_hz()) / 1_000_000) as u32;
        let key = is_event.then(|| self.keys.1.packet(header.ssrc, header.timestamp, packet.payload)).flatten();
        match (codec, &mut self.voice) {
            (Some(codec), Some(voice)) => {
                self.reception.packet(header.ssrc, header.sequence, header.timestamp, arrival);
                voice.insert(now.as_millis() as u64, header, law_of(codec), packet.payload);
            }
            _ => self.reception.untimed(header.ssrc, header.sequence),
        }
        if let Some(key) = key {
            self.tell(framing::key(key));
        }
    }

    fn report(&mut self, datagram: &[u8]) {
        let opened = match &mut self.protected {
            Some(protected) => {
                if !protected.open_report(datagram, &mut self.buffers.wire) {
                    return;
                }
                &self.buffers.wire[..]
            }
            None if self.agreed.as_ref().is_some_and(|agreed| agreed.is_protected()) => return,
            None => datagram,
        };
        let now = compact_now();
        let ours = self.header.ssrc;
        let counted = &mut self.counted;
        let report_heard = &mut self.report_heard;
        let voice = &mut self.voice;
        rtcp::parse(opened, |report| match report {
            rtcp::Report::Sender { info, .. } => *report_heard = Some((now, info.sent())),
            rtcp::Report::Heard(block) if block.ssrc == ours => {
                counted.round_trip_ms = block.round_trip_ms(now).or(counted.round_trip_ms);
                let percent = f64::from(block.fraction_lost) / 2.56;
                counted.far_loss_percent = Some(percent);
                if let Some(voice) = voice {
                    voice.expect_loss(percent);
                }
            }
            rtcp::Report::Heard(_) | rtcp::Report::Goodbye => {}
        });
    }

    fn send_report(&mut self, leaves: bool) {
        let (Some(agreed), Some(latch)) = (&self.agreed, &self.latch) else { return };
        let info = (self.counted.sent > 0).then(|| rtcp::SenderInfo {
            ntp: ntp_now(),
            timestamp: self.header.timestamp,
            packets: self.counted.sent as u32,
            bytes: self.counted.bytes as u32,
        });
        let block = self.reception.report(compact_now(), self.report_heard);
        self.buffers.plain.clear();
        rtcp::write(self.header.ssrc, info, block, &self.name, leaves, &mut self.buffers.plain);
        let bytes = match &mut self.protected {
            Some(protected) => match protected.protect_report(&self.buffers.plain, &mut self.buffers.wire) {
                true => &self.buffers.wire,
                false => return,
            },
            None if agreed.is_protected() => return,
            None => &self.buffers.plain,
        };
        // Behind address translation audio comes from elsewhere than was said, and so do reports.
        let is_moved = latch.target().ip() != agreed.address.ip() && agreed.exchange.is_none();
        let target =
            if is_moved { SocketAddr::new(latch.target().ip(), agreed.reports.port()) } else { agreed.reports };
        let socket = if agreed.reports == agreed.address { &self.audio } else { &self.reports };
        // Lost, the next report says the same and more.
        if socket.try_send_to(bytes, target).is_ok()
            && let Some(tap) = &self.tap
        {
            tap.sent(port_of(socket), target, bytes);
        }
    }

    fn quality(&self) -> Quality {
        let stats = self.voice.as_ref().map(Voice::stats).unwrap_or_default();
        let (expected, received) = (self.reception.expected(), self.reception.received());
        let lost = self.reception.lost();
        let clock_hz = self.voice.as_ref().map_or(LINE_HZ, |voice| voice.codec().clock_hz());
        let jitter_ms = self.reception.jitter() * 1_000.0 / f64::from(clock_hz);
        let mos = (expected > 0).then(|| {
            let gone = lost as f64 + stats.late as f64 / 2.0;
            let percent = (gone * 100.0 / expected as f64).min(100.0);
            let one_way_ms =
                self.counted.round_trip_ms.unwrap_or(0.0) / 2.0 + jitter_ms * 2.0 + f64::from(PACKET_MS) * 2.0;
            quality::mean_opinion_score(quality::rating(one_way_ms, percent, quality::Concealment::Concealed))
        });
        Quality {
            sent: self.counted.sent,
            received,
            lost,
            late: stats.late,
            concealed: stats.concealed,
            jitter_ms,
            round_trip_ms: self.counted.round_trip_ms,
            far_loss_percent: self.counted.far_loss_percent,
            mos,
        }
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

fn port_of(socket: &UdpSocket) -> Option<u16> {
    socket.local_addr().ok().map(|address| address.port())
}

async fn hear(line: Option<&mut LineEnd>) -> Option<Wire> {
    match line {
        Some(line) => line.from_host.recv().await,
        None => std::future::pending().await,
    }
}

/// The law of a codec that has one.
fn law_of(codec: Codec) -> Option<Law> {
    match codec {
        Codec::Pcmu => Some(Law::Ulaw),
        Codec::Pcma => Some(Law::Alaw),
        Codec::G722 | Codec::Opus => None,
    }
}

/// The codec of a packet with this number: the agreed one, or, beside a law, the other law under the number that is
/// everybody's (RFC 3551, 6): gateways change between the two.
fn codec_of(agreed: &Agreed, number: u8) -> Option<Codec> {
    if number == agreed.payload_types.1 {
        return Some(agreed.codec);
    }
    law_of(agreed.codec)?;
    [Codec::Pcmu, Codec::Pcma].into_iter().find(|codec| codec.payload_type() == number)
}

fn ntp_now() -> u64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rtcp::ntp_of(unix.as_millis() as u64)
}

fn compact_now() -> u32 {
    rtcp::compact(ntp_now())
}
