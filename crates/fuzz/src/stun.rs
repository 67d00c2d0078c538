//! A datagram on the port of browsers, and on that of a telephone in a page: connectivity checks, handshakes, and what may look like
//! them.

use sip::trial::Handshake;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use str0m::{Candidate, Input, Output, Rtc, RtcConfig};
use webrtc::{Session, gateway, offer::Identity};

/// An input that brings a session to its end costs a new one; no input may cost more than so many of its kind.
const INPUTS_PER_SESSION: u32 = 2_000;

/// A session and the checks that its peer sends it first.
struct Peer {
    session: Session,
    /// Ports of calls over a trunk, with checks and without.
    handshakes: [Handshake; 2],
    checks: Vec<Vec<u8>>,
    now: Instant,
    inputs: u32,
}

thread_local! {
    static PEER: RefCell<Option<Peer>> = const { RefCell::new(None) };
}

pub(crate) fn run(bytes: &[u8]) {
    let name = gateway::addressed_to(bytes);
    assert!(name.is_none_or(|name| name.len() <= bytes.len()), "a name from nowhere");
    PEER.with_borrow_mut(|peer| {
        let Peer { session, handshakes, now, inputs, .. } = peer.get_or_insert_with(Peer::new);
        assert!(handshakes.iter_mut().all(|one| one.datagram(bytes) < 100), "one datagram is answered by a flood");
        session.handle_datagram(*now, there(), bytes);
        let is_over = std::iter::from_fn(|| session.poll_output()).count() > 1_000;
        assert!(!is_over, "one datagram is answered by a flood");
        *inputs += 1;
        if *inputs >= INPUTS_PER_SESSION {
            *peer = None;
        }
    });
}

fn here() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 5], 40_000))
}

fn there() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], 50_000))
}

impl Peer {
    fn new() -> Self {
        let now = Instant::now();
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let mut browser = RtcConfig::new()
            .set_crypto_provider(crypto)
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .build(now);
        let candidate = Candidate::host(there(), "udp").unwrap_or_else(|error| panic!("an address: {error}"));
        browser.add_local_candidate(candidate);
        let mut change = browser.sdp_api();
        change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        change.add_channel("line".into());
        let Some((offer, pending)) = change.apply() else { panic!("an offer") };
        let identity = Identity::new(vec![here()]).unwrap_or_else(|error| panic!("an identity: {error}"));
        let (session, answer) = Session::accept(identity, now, &offer.to_sdp_string())
            .unwrap_or_else(|error| panic!("it is accepted: {error}"));
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap_or_else(|error| panic!("our answer: {error}"));
        browser.sdp_api().accept_answer(pending, answer).unwrap_or_else(|error| panic!("our answer: {error}"));
        let checks = checks(&mut browser, now);
        let handshakes =
            [true, false].map(|is_checked| Handshake::new(is_checked).unwrap_or_else(|| panic!("a handshake")));
        Self { session, handshakes, checks, now, inputs: 0 }
    }
}

/// What a browser sends before anything has come back.
fn checks(browser: &mut Rtc, now: Instant) -> Vec<Vec<u8>> {
    let mut checks = Vec::new();
    // The first timeout begins everything.
    let _ = browser.handle_input(Input::Timeout(now));
    for _ in 0..20 {
        match browser.poll_output() {
            Ok(Output::Transmit(transmit)) => checks.push(transmit.contents.to_vec()),
            Ok(Output::Timeout(at)) => {
                if browser.handle_input(Input::Timeout(at)).is_err() {
                    break;
                }
            }
            Ok(Output::Event(_)) => {}
            Err(_) => break,
        }
    }
    checks
}

/// The sample messages of RFC 5769, and the checks of a browser.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae80220010\
        5354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020\
        000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
    const RESPONSE: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
        002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
    let mut seeds = vec![crate::media_socket::bytes_of(REQUEST), crate::media_socket::bytes_of(RESPONSE)];
    seeds.extend(PEER.with_borrow_mut(|peer| peer.get_or_insert_with(Peer::new).checks.clone()));
    // What else comes to that port (RFC 7983): a handshake, audio.
    seeds.push(crate::media_socket::bytes_of("16fefd0000000000000000000c010000000000000000000000"));
    seeds.push(crate::media_socket::bytes_of("806f0001000000c000000009fffe"));
    seeds
}
