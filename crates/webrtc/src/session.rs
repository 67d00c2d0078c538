//! One peer as a machine: datagrams, messages of the call host and the time go in, datagrams, messages and the end come out.
//!
//! ICE, DTLS, SRTP and SCTP are the library's; the steady beat of [`limits::FRAME_MS`] in both directions is ours.

use crate::offer::{Accepted, FragmentError, Identity, OfferError, fragment};
use crate::playout::Playout;
use crate::text::{self, FromHost, FromPage};
use base::limits;
use base::wire::Wire;
use media::opus::{CLOCK_PER_FRAME, Encoder, Heard, PACKET_BYTES_MAX, Receiver};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::channel::ChannelId;
use str0m::media::{Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Event, Input, Rtc};

/// Of the audio on both sides of the line, as `docs/specs/browser-audio.md` says.
const RATE_HZ: u32 = 16_000;
const FRAME: Duration = Duration::from_millis(limits::FRAME_MS);
/// Frames that are made up for when the task was held up; what is older is skipped.
const BEHIND_FRAMES_MAX: u32 = 5;

/// What a session wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this datagram.
    Send {
        /// Where to.
        to: SocketAddr,
        /// What.
        datagram: Vec<u8>,
    },
    /// A text message for the call host.
    Text(String),
    /// A frame for the call host: 16-bit little-endian mono at 16 kHz.
    Audio(Vec<u8>),
    /// The session is over; nothing comes after it.
    Ended(Cause),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The call host closed the line.
    Host,
    /// The peer closed, or took its session away.
    Peer,
    /// It did not connect in time.
    NotConnected,
    /// Nothing has come from the peer for long.
    Silent,
    /// The peer does not take its messages.
    Overflow,
    /// The transport failed.
    Transport,
}

impl Cause {
    /// For metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Peer => "peer",
            Self::NotConnected => "not_connected",
            Self::Silent => "silent",
            Self::Overflow => "overflow",
            Self::Transport => "transport",
        }
    }
}

/// How the audio fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// Frames heard as sent.
    pub played: u64,
    /// Lost frames that redundancy brought back.
    pub recovered: u64,
    /// Lost frames that were guessed.
    pub concealed: u64,
    /// Frames of the host that were dropped because too many waited.
    pub dropped: u64,
}

/// See the module.
pub struct Session {
    rtc: Rtc,
    identity: Identity,
    audio: Mid,
    opus: Pt,
    ufrag: String,
    remote_ufrag: Option<String>,
    candidates: usize,
    channel: Option<ChannelId>,
    texts: VecDeque<String>,
    receiver: Receiver,
    encoder: Encoder,
    playout: Playout,
    began: Instant,
    /// The next beat; `None` until the peer is there.
    beat: Option<Instant>,
    library_deadline: Instant,
    /// When something authentic came from the peer, and when audio did.
    heard_at: Instant,
    audio_at: Option<Instant>,
    /// The page has begun to speak the line's protocol: audio before that would break it.
    started: bool,
    /// What the host closed with, once its last words are on their way.
    closing: Option<Instant>,
    sequence: u64,
    time: u32,
    quality: Quality,
    outputs: VecDeque<Output>,
    ended: bool,
}

impl Session {
    /// Answers an offer. The answer is for the peer.
    ///
    /// # Errors
    /// Says what the offer lacks.
    pub fn accept(identity: Identity, now: Instant, offer: &str) -> Result<(Self, String), OfferError> {
        let Accepted { rtc, audio, opus, answer, ufrag } = identity.accept(now, offer)?;
        let malformed = |error: media::opus::OpusError| OfferError::Malformed(error.to_string());
        let encoder = Encoder::new(RATE_HZ).map_err(malformed)?;
        let mut session = Self {
            rtc,
            identity,
            audio,
            opus,
            ufrag,
            remote_ufrag: offer
                .lines()
                .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
                .map(|it| it.trim().to_owned()),
            candidates: 0,
            channel: None,
            texts: VecDeque::new(),
            receiver: Receiver::new(RATE_HZ).map_err(malformed)?,
            playout: Playout::new(encoder.frame_samples()),
            encoder,
            began: now,
            beat: None,
            library_deadline: now,
            heard_at: now,
            audio_at: None,
            started: false,
            closing: None,
            sequence: 1,
            time: 0,
            quality: Quality::default(),
            outputs: VecDeque::new(),
            ended: false,
        };
        session.drain(now);
        Ok((session, answer))
    }

    /// The name by which the peer's connectivity checks find this session.
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// Takes addresses that the peer found after its offer.
    pub(crate) fn add_candidates(&mut self, now: Instant, text: &str) -> Result<(), FragmentError> {
        let found = fragment(text, self.remote_ufrag.as_deref())?;
        if self.candidates + found.len() > limits::WEBRTC_CANDIDATES_MAX {
            return Err(FragmentError::TooMany);
        }
        self.candidates += found.len();
        for candidate in found {
            self.rtc.add_remote_candidate(candidate);
            self.drain(now);
        }
        Ok(())
    }

    /// Takes a datagram; `false` when it is not the peer's, and nothing has changed.
    pub fn handle_datagram(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) -> bool {
        let destination = self.identity.destination(source);
        let Ok(received) = Receive::new(Protocol::Udp, source, destination, datagram) else { return false };
        let input = Input::Receive(now, received);
        if self.ended || !self.rtc.accepts(&input) {
            return false;
        }
        if self.rtc.handle_input(input).is_err() {
            self.end(Cause::Transport);
            return true;
        }
        self.heard_at = now;
        self.drain(now);
        true
    }

    /// Takes a message of the call host.
    pub fn handle_host(&mut self, now: Instant, message: Wire) {
        match message {
            Wire::Binary(bytes) => {
                let samples = bytes.as_chunks::<2>().0;
                let pcm: Vec<i16> = samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
                self.playout.push(now, &pcm);
            }
            Wire::Text(message) => match text::from_host(&message) {
                FromHost::Mark(id) => self.playout.mark(now, id),
                FromHost::Clear => {
                    self.playout.clear();
                    self.say(now, message);
                }
                FromHost::Other => self.say(now, message),
            },
            Wire::Close(code, reason) => {
                self.playout.clear();
                self.say(now, text::closed(code, &reason));
                self.closing = Some(now + Duration::from_millis(limits::WEBRTC_CLOSE_MS));
            }
            // No codec of a line speaks another transport.
            Wire::Request(_) | Wire::End => {}
        }
    }

    /// The call host has gone without a word.
    pub fn host_gone(&mut self, now: Instant) {
        if self.closing.is_none() {
            self.closing = Some(now);
        }
    }

    /// The peer took its session away.
    pub fn withdraw(&mut self, now: Instant) {
        self.hang_up(now, Cause::Peer);
    }

    /// The time has come for what [`Self::next_deadline`] said.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.ended {
            return;
        }
        if now >= self.library_deadline {
            if self.rtc.handle_input(Input::Timeout(now)).is_err() {
                return self.end(Cause::Transport);
            }
            self.drain(now);
        }
        self.beats(now);
        self.answer_marks(now);
        let is_overdue = |since: Instant, ms: u64| now >= since + Duration::from_millis(ms);
        if self.closing.is_some_and(|at| now >= at) {
            self.hang_up(now, Cause::Host);
        } else if self.beat.is_none() && is_overdue(self.began, limits::WEBRTC_CONNECT_MS_MAX) {
            self.end(Cause::NotConnected);
        } else if is_overdue(self.heard_at, limits::MEDIA_SILENT_MS_MAX) {
            self.end(Cause::Silent);
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Instant {
        let patience = if self.beat.is_none() {
            self.began + Duration::from_millis(limits::WEBRTC_CONNECT_MS_MAX)
        } else {
            self.heard_at + Duration::from_millis(limits::MEDIA_SILENT_MS_MAX)
        };
        let others = [self.beat, self.playout.next_deadline(), self.closing];
        others.into_iter().flatten().fold(patience.min(self.library_deadline), Instant::min)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How the audio fared so far.
    pub fn quality(&self) -> Quality {
        Quality { dropped: self.playout.dropped(), ..self.quality }
    }

    /// Whether the peer is connected.
    pub fn is_connected(&self) -> bool {
        self.beat.is_some()
    }

    /// Frames that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.playout.waiting()
    }

    /// Everything that the library has to give, until it names a time. It wants that after each change.
    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output() {
                Ok(str0m::Output::Timeout(at)) => {
                    self.library_deadline = at;
                    if !self.rtc.is_alive() {
                        self.end(Cause::Peer);
                    }
                    return;
                }
                Ok(str0m::Output::Transmit(transmit)) => {
                    let datagram = transmit.contents.into();
                    self.outputs.push_back(Output::Send { to: transmit.destination, datagram });
                }
                Ok(str0m::Output::Event(event)) => self.on_event(now, event),
                Err(error) => {
                    tracing::debug!(%error, "a session's transport failed");
                    return self.end(Cause::Transport);
                }
            }
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected => self.beat = Some(now),
            Event::ChannelOpen(id, _) => {
                // One channel is the line; others are the page's own affair and stay unread.
                self.channel.get_or_insert(id);
                self.write_texts();
            }
            Event::ChannelData(data) if self.channel == Some(data.id) && !data.binary => self.on_text(now, &data.data),
            Event::ChannelClose(id) if self.channel == Some(id) => self.end(Cause::Peer),
            Event::RtpPacket(packet) if packet.header.payload_type == self.opus => {
                self.audio_at = Some(now);
                let (sequence, timestamp) = (packet.header.sequence_number, packet.header.timestamp);
                self.receiver.insert(self.ms(now), sequence, timestamp, &packet.payload);
            }
            Event::MediaEgressStats(stats) => {
                if let Some(round_trip) = stats.rtt {
                    self.playout.set_round_trip(round_trip);
                }
                if let Some(loss) = stats.loss {
                    self.encoder.expect_loss((loss * 100.0).clamp(0.0, 100.0) as u8);
                }
            }
            Event::Closed => self.end(Cause::Peer),
            _ => {}
        }
    }

    fn on_text(&mut self, now: Instant, bytes: &[u8]) {
        // A channel carries text and says so; what is none all the same becomes a message that nobody knows.
        let message = String::from_utf8_lossy(bytes).into_owned();
        match text::from_page(&message) {
            FromPage::Playout { ms } => return self.playout.set_delay_ms(ms),
            FromPage::Mark => return,
            FromPage::Interrupt => self.playout.interrupt(now),
            FromPage::Other => {}
        }
        self.started = true;
        self.outputs.push_back(Output::Text(message));
    }

    fn ms(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_millis() as u64
    }

    /// One frame in and one out for each beat that has passed.
    fn beats(&mut self, now: Instant) {
        let Some(mut beat) = self.beat else { return };
        let behind = now.saturating_duration_since(beat).as_millis() as u64 / limits::FRAME_MS;
        if behind > u64::from(BEHIND_FRAMES_MAX) {
            let skipped = behind as u32 - BEHIND_FRAMES_MAX;
            // The peer's clock went on: what is sent next belongs to now, not to then.
            beat += FRAME * skipped;
            self.time = self.time.wrapping_add(CLOCK_PER_FRAME.wrapping_mul(skipped));
        }
        while beat <= now && !self.ended {
            self.hear(beat);
            self.speak(beat);
            beat += FRAME;
        }
        self.beat = Some(beat);
    }

    fn hear(&mut self, now: Instant) {
        let mut pcm = vec![0; self.receiver.frame_samples()];
        match self.receiver.pull(self.ms(now), &mut pcm) {
            Heard::Frame => self.quality.played += 1,
            Heard::Recovered => self.quality.recovered += 1,
            Heard::Concealed => self.quality.concealed += 1,
            Heard::Silence => {}
        }
        // A pause of the peer is silence to the call; a peer that sends nothing at all is not there.
        let gap = Duration::from_millis(limits::WEBRTC_GAP_MS_MAX);
        let is_there = self.audio_at.is_some_and(|at| now.saturating_duration_since(at) < gap);
        if is_there && self.started {
            self.outputs.push_back(Output::Audio(pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()));
        }
    }

    fn speak(&mut self, now: Instant) {
        // Silence is sent as well: a browser that gets nothing stretches what it had last.
        let frame = self.playout.next_frame(now).unwrap_or_else(|| vec![0; self.encoder.frame_samples()]);
        let mut packet = [0; PACKET_BYTES_MAX];
        let encoded = self.encoder.encode(&frame, &mut packet);
        let (sequence, time) = (self.sequence, self.time);
        self.time = self.time.wrapping_add(CLOCK_PER_FRAME);
        let Ok(length) = encoded else { return };
        self.sequence += 1;
        let write = RtpWrite::new(self.opus, sequence.into(), time, now, &packet[..length]);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(self.audio, None) {
            stream.write_rtp(write);
        }
        // The library is told the time with each packet, or it would keep it.
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            return self.end(Cause::Transport);
        }
        self.drain(now);
    }

    fn answer_marks(&mut self, now: Instant) {
        while let Some(id) = self.playout.heard(now) {
            self.outputs.push_back(Output::Text(format!(r#"{{"type":"mark","id":{id}}}"#)));
        }
    }

    fn say(&mut self, now: Instant, message: String) {
        if self.texts.len() >= limits::WEBRTC_TEXTS_MAX {
            return self.end(Cause::Overflow);
        }
        self.texts.push_back(message);
        self.write_texts();
        self.drain(now);
    }

    fn write_texts(&mut self) {
        let Some(id) = self.channel else { return };
        while let Some(message) = self.texts.front() {
            let Some(mut channel) = self.rtc.channel(id) else { return };
            match channel.write(false, message.as_bytes()) {
                Ok(true) => self.texts.pop_front(),
                // Full: it is tried again with the next message or event.
                Ok(false) | Err(_) => return,
            };
        }
    }

    /// Tells the peer, as far as it still listens.
    fn hang_up(&mut self, now: Instant, cause: Cause) {
        if self.ended {
            return;
        }
        if self.rtc.close().is_ok() {
            // The library ends by itself when all is said; that is the cause's own end.
            while let Ok(output) = self.rtc.poll_output() {
                match output {
                    str0m::Output::Transmit(transmit) => {
                        let datagram = transmit.contents.into();
                        self.outputs.push_back(Output::Send { to: transmit.destination, datagram });
                    }
                    str0m::Output::Event(_) => {}
                    str0m::Output::Timeout(_) => break,
                }
            }
        }
        self.library_deadline = now + Duration::from_secs(3_600);
        self.end(cause);
    }

    fn end(&mut self, cause: Cause) {
        if !self.ended {
            self.ended = true;
            self.outputs.push_back(Output::Ended(cause));
        }
    }
}
