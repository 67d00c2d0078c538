//! The browser's side: full ICE, the offer, a data channel, Opus both ways.

use media::opus::{CLOCK_PER_FRAME, Encoder, Heard, PACKET_BYTES_MAX, Receiver};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

pub const RATE_HZ: u32 = 16_000;
pub const FRAME: usize = 320;

pub struct Peer {
    rtc: Rtc,
    address: SocketAddr,
    pending: Option<SdpPendingOffer>,
    channel: ChannelId,
    audio: Mid,
    encoder: Encoder,
    receiver: Receiver,
    began: Instant,
    sequence: u64,
    pub deadline: Instant,
    pub is_connected: bool,
    pub is_open: bool,
    pub is_closed: bool,
    pub texts: Vec<String>,
    pub outbox: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl Peer {
    /// A peer at this address, and its offer.
    pub fn new(now: Instant, address: SocketAddr) -> (Self, String) {
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(std::sync::Arc::new(str0m::crypto::from_feature_flags()))
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let mut change = rtc.sdp_api();
        let audio = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let channel = change.add_channel("line".into());
        let (offer, pending) = change.apply().unwrap();
        let peer = Self {
            rtc,
            address,
            pending: Some(pending),
            channel,
            audio,
            encoder: Encoder::new(RATE_HZ).unwrap(),
            receiver: Receiver::new(RATE_HZ).unwrap(),
            began: now,
            sequence: 1,
            deadline: now,
            is_connected: false,
            is_open: false,
            is_closed: false,
            texts: Vec::new(),
            outbox: VecDeque::new(),
        };
        (peer, offer.to_sdp_string())
    }

    pub fn answered(&mut self, now: Instant, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.rtc.sdp_api().accept_answer(self.pending.take().unwrap(), answer).unwrap();
        self.drain(now);
    }

    pub fn handle(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        let Ok(received) = Receive::new(Protocol::Udp, source, self.address, datagram) else { return };
        self.rtc.handle_input(Input::Receive(now, received)).unwrap();
        self.drain(now);
    }

    pub fn tick(&mut self, now: Instant) {
        if now >= self.deadline {
            self.rtc.handle_input(Input::Timeout(now)).unwrap();
            self.drain(now);
        }
    }

    pub fn say(&mut self, now: Instant, text: &str) {
        assert!(self.rtc.channel(self.channel).unwrap().write(false, text.as_bytes()).unwrap());
        self.drain(now);
    }

    /// Speaks one frame.
    pub fn speak(&mut self, now: Instant, pcm: &[i16]) {
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = self.encoder.encode(pcm, &mut packet).unwrap();
        let opus = self.rtc.codec_config().find(|params| params.spec().codec == Codec::Opus).unwrap().pt();
        let time = self.sequence as u32 * CLOCK_PER_FRAME;
        let write = RtpWrite::new(opus, self.sequence.into(), time, now, &packet[..length]);
        self.rtc.direct_api().stream_tx_by_mid(self.audio, None).unwrap().write_rtp(write);
        self.sequence += 1;
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.drain(now);
    }

    /// The next frame out of its loudspeaker.
    pub fn listen(&mut self, now: Instant) -> (Heard, Vec<i16>) {
        let mut pcm = vec![0; FRAME];
        let heard = self.receiver.pull(now.duration_since(self.began).as_millis() as u64, &mut pcm);
        (heard, pcm)
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.deadline = at.min(now + Duration::from_secs(3_600));
                    return;
                }
                Output::Transmit(transmit) => {
                    self.outbox.push_back((transmit.destination, transmit.contents.into()));
                }
                Output::Event(Event::Connected) => self.is_connected = true,
                Output::Event(Event::ChannelOpen(..)) => self.is_open = true,
                Output::Event(Event::Closed | Event::ChannelClose(_)) => self.is_closed = true,
                Output::Event(Event::ChannelData(data)) => self.texts.push(String::from_utf8(data.data).unwrap()),
                Output::Event(Event::RtpPacket(packet)) => {
                    let at_ms = now.duration_since(self.began).as_millis() as u64;
                    let (sequence, timestamp) = (packet.header.sequence_number, packet.header.timestamp);
                    self.receiver.insert(at_ms, sequence, timestamp, &packet.payload);
                }
                Output::Event(_) => {}
            }
        }
    }
}

/// A tone that rises steadily, so that its pitch says which moment of it is heard.
pub fn rising_tone(ms: u64) -> Vec<i16> {
    let samples = ms * u64::from(RATE_HZ) / 1_000;
    let mut phase = 0.0_f64;
    let sample = |n: u64| {
        phase += hz_at(n as f64 * 1_000.0 / f64::from(RATE_HZ)) / f64::from(RATE_HZ);
        ((phase * std::f64::consts::TAU).sin() * 8_000.0) as i16
    };
    (0..samples).map(sample).collect()
}

fn hz_at(ms: f64) -> f64 {
    400.0 + ms / 4.0
}

/// Which millisecond of [`rising_tone`] this is; `None` for what is too faint to be of it.
pub fn moment_ms(pcm: &[i16]) -> Option<f64> {
    let loud = pcm.iter().map(|sample| sample.unsigned_abs()).max()? > 1_500;
    // Between the first and the last crossing of zero, with the crossing found between samples.
    let mut crossings = Vec::new();
    for (n, pair) in pcm.windows(2).enumerate() {
        if pair[0] < 0 && pair[1] >= 0 {
            crossings.push(n as f64 + f64::from(-pair[0]) / f64::from(i32::from(pair[1]) - i32::from(pair[0])));
        }
    }
    let (first, last) = (crossings.first()?, crossings.last()?);
    let hz = (crossings.len() - 1) as f64 * f64::from(RATE_HZ) / (last - first);
    (loud && hz.is_finite()).then_some((hz - 400.0) * 4.0)
}
