//! Audio whose keys come from a handshake (RFC 5763) over a way that was checked (RFC 8445): a peer with a whole WebRTC stack of
//! its own, as a page in a browser has one. `web/test/softphone.mjs` does the same with a browser.

#![allow(clippy::unwrap_used)]

mod support;

use carriers::sip::sdp::Protection;
use media::opus::{CLOCK_PER_FRAME, Encoder, Heard, PACKET_BYTES_MAX, Receiver};
use model::call::CallState;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use support::{LONG, Manners, Office, Party, Seen, endpoint, tag, trunk, value};
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval, timeout};

const RATE_HZ: u32 = 16_000;
const FRAME: usize = 320;
const LOUD: u16 = 1_000;

/// A page's audio: it offers, checks the way, shakes hands, speaks a tone and listens.
struct Page {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    pending: Option<SdpPendingOffer>,
    audio: Mid,
    encoder: Encoder,
    receiver: Receiver,
    began: Instant,
    sequence: u64,
    loud_frames: usize,
}

impl Page {
    async fn new() -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, began) = (socket.local_addr().unwrap(), Instant::now());
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(std::sync::Arc::new(str0m::crypto::from_feature_flags()))
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .build(began);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let mut change = rtc.sdp_api();
        let audio = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = change.apply().unwrap();
        let (encoder, receiver) = (Encoder::new(RATE_HZ).unwrap(), Receiver::new(RATE_HZ).unwrap());
        let (pending, sequence, loud_frames) = (Some(pending), 1, 0);
        let page = Self { rtc, socket, address, pending, audio, encoder, receiver, began, sequence, loud_frames };
        (page, offer.to_sdp_string())
    }

    fn answered(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.rtc.sdp_api().accept_answer(self.pending.take().unwrap(), answer).unwrap();
    }

    /// Talks until it has heard so many loud frames.
    async fn talks(&mut self, loud_frames: usize) {
        let mut beat = interval(Duration::from_millis(20));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut datagram = [0; 2_048];
        while self.loud_frames < loud_frames {
            self.drain();
            tokio::select! {
                _ = beat.tick() => self.beat(),
                received = self.socket.recv_from(&mut datagram) => {
                    let (bytes, source) = received.unwrap();
                    let received = Receive::new(Protocol::Udp, source, self.address, &datagram[..bytes]).unwrap();
                    self.rtc.handle_input(Input::Receive(Instant::now(), received)).unwrap();
                }
            }
        }
    }

    fn beat(&mut self) {
        let now = Instant::now();
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        if self.rtc.is_connected() {
            let tone = |n: usize| (8_000.0 * (n as f64 / 16.0 * std::f64::consts::TAU).sin()) as i16;
            let pcm: Vec<i16> = (0..FRAME).map(tone).collect();
            let mut packet = [0; PACKET_BYTES_MAX];
            let length = self.encoder.encode(&pcm, &mut packet).unwrap();
            let opus = self.rtc.codec_config().find(|params| params.spec().codec == Codec::Opus).unwrap().pt();
            let time = self.sequence as u32 * CLOCK_PER_FRAME;
            let write = RtpWrite::new(opus, self.sequence.into(), time, now, &packet[..length]);
            self.rtc.direct_api().stream_tx_by_mid(self.audio, None).unwrap().write_rtp(write);
            self.sequence += 1;
        }
        let mut pcm = vec![0; FRAME];
        let heard = self.receiver.pull(now.duration_since(self.began).as_millis() as u64, &mut pcm);
        let is_loud = pcm.iter().any(|sample| sample.unsigned_abs() > LOUD);
        self.loud_frames += usize::from(matches!(heard, Heard::Frame) && is_loud);
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(sent) => {
                    let _ = self.socket.try_send_to(&sent.contents, sent.destination);
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let at_ms = self.began.elapsed().as_millis() as u64;
                    let (sequence, timestamp) = (packet.header.sequence_number, packet.header.timestamp);
                    self.receiver.insert(at_ms, sequence, timestamp, &packet.payload);
                }
                Output::Event(_) => {}
            }
        }
    }
}

fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").unwrap().1
}

/// The final answer to a request for a call.
async fn answer_to(party: &Party, cseq: u32) -> String {
    loop {
        let message = party.until("SIP/2.0").await;
        if value(&message, "CSeq") == format!("{cseq} INVITE") && !message.starts_with("SIP/2.0 1") {
            return message;
        }
    }
}

#[tokio::test]
async fn a_page_shakes_hands_is_heard_hears_itself_holds_and_hangs_up() {
    let office = Office::new(Manners::default());
    let (endpoint, here) = endpoint(&office, |_| {}).await;
    let (mut page, offer) = Page::new().await;
    let party = Party::new(here, "handshake").await;
    party.ask("INVITE", 1, "", "", &offer).await;
    let answer = answer_to(&party, 1).await;
    let sdp = body(&answer);
    assert!(
        answer.starts_with("SIP/2.0 200") && sdp.contains("UDP/TLS/RTP/SAVPF") && sdp.contains("a=ice-lite"),
        "{answer}"
    );
    let them = tag(&value(&answer, "To"));
    party.ask("ACK", 1, &them, "", "").await;
    page.answered(sdp);
    timeout(LONG, page.talks(50)).await.expect("it hears itself");
    let seen = office.seen();
    assert!(seen.loud_frames >= 40, "{} loud frames", seen.loud_frames);

    // The same handshake goes on when the call is held and taken up again.
    let held = offer.replace("a=sendrecv", "a=sendonly");
    party.ask("INVITE", 2, &them, "", &held).await;
    let answer = answer_to(&party, 2).await;
    assert!(answer.starts_with("SIP/2.0 200") && body(&answer).contains("a=recvonly"), "{answer}");
    party.ask("ACK", 2, &them, "", "").await;
    office.until("it is held", |seen| seen.states().contains(&CallState::Paused)).await;
    party.ask("INVITE", 3, &them, "", &offer).await;
    assert!(answer_to(&party, 3).await.starts_with("SIP/2.0 200"));
    party.ask("ACK", 3, &them, "", "").await;
    let more = page.loud_frames + 50;
    timeout(LONG, page.talks(more)).await.expect("it hears itself again");

    party.ask("BYE", 4, &them, "", "").await;
    let seen = office.until("the call is over", Seen::is_over).await;
    let quality = seen.reports.last().unwrap().quality.unwrap();
    assert!(quality.received >= 90 && quality.lost == 0 && quality.mos.unwrap() > 3.0, "{quality:?}");
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn a_page_is_refused_by_a_trunk_that_protects_nothing_and_when_it_names_no_certificate() {
    let office = Office::new(Manners::default());
    let (_endpoint, here) =
        endpoint(&office, |config| config.trunks = vec![sip::Trunk { protection: Protection::Never, ..trunk() }]).await;
    let (_, offer) = Page::new().await;
    let party = Party::new(here, "never").await;
    party.ask("INVITE", 1, "", "", &offer).await;
    assert!(answer_to(&party, 1).await.starts_with("SIP/2.0 488"));
    let unnamed = offer.replace("a=fingerprint:sha-256", "a=fingerprint:sha-1");
    let party = Party::new(here, "unnamed").await;
    party.ask("INVITE", 1, "", "", &unnamed).await;
    assert!(answer_to(&party, 1).await.starts_with("SIP/2.0 488"));
}
