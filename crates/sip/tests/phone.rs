//! Calls with a real telephone: PJSIP, as an independent reading of the standards. It judges audio, keys and protection.

#![allow(clippy::unwrap_used)]

mod support;

use base::Secret;
use base64::Engine as _;
use carriers::sip::sdp::Protection;
use model::call::CallState;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sip::config::Certificate;
use sip::{Config, Endpoint, Listen, Transport};
use std::net::SocketAddr;
use std::sync::Arc;
use support::{LONG, Manners, Office, Seen, endpoint, ports};
use testkit::phone::{Options, Phone, Recording};

/// How long it speaks: two seconds around the keys.
const FRAMES_SPOKEN: u64 = 120;

/// A certificate for this machine, its key, and who vouches for it.
fn certificate() -> (Certificate, Vec<u8>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // With the name that both would have otherwise, the one certificate would seem to vouch for itself.
    params.distinguished_name.push(DnType::CommonName, "authority of a test");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let chain = pem("CERTIFICATE", params.signed_by(&key, &authority).unwrap().der());
    let key = Secret::new(pem("PRIVATE KEY", &key.serialize_der()));
    (Certificate { chain, key }, pem("CERTIFICATE", authority.der()))
}

fn pem(kind: &str, bytes: &[u8]) -> Vec<u8> {
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n")).into_bytes()
}

struct Room {
    office: Arc<Office>,
    _endpoint: Endpoint,
    phone: Phone,
    address: SocketAddr,
}

impl Room {
    async fn new(options: Options, change: impl FnOnce(&mut Config)) -> Self {
        let office = Office::new(Manners { presses_keys: true, ..Manners::default() });
        let (_endpoint, address) = endpoint(&office, change).await;
        Self { phone: Phone::start(options).await, office, _endpoint, address }
    }

    /// Calls, and speaks once the call is up.
    async fn calls(&self, more: &str) {
        self.phone.tell(&format!("call sip:+4940555000@{}{more}", self.address)).await;
        self.phone.next("up", 0, LONG).await;
        self.phone.tell("tone").await;
    }

    /// Waits until this many loud frames have arrived.
    async fn spoke(&self, frames: u64) {
        self.office.until("it is heard", |seen| seen.loud_frames as u64 >= frames).await;
    }

    async fn ends(self) -> (Recording, Seen) {
        self.phone.tell("hang_up").await;
        let seen = self.office.until("the call is over", Seen::is_over).await;
        (self.phone.quit().await, seen)
    }
}

#[tokio::test]
async fn a_telephone_hears_itself_without_a_gap_and_its_keys_arrive_once() {
    let room = Room::new(Options::default(), |_| {}).await;
    room.calls("").await;
    room.spoke(FRAMES_SPOKEN / 2).await;
    room.phone.tell("keys 1590*#").await;
    let keys = |seen: &Seen| seen.words.iter().filter_map(|word| word.strip_prefix("dtmf ")).collect::<String>();
    room.office.until("the keys arrive", |seen| keys(seen).len() >= 6).await;
    room.phone.until(LONG, "the keys come back", |phone| (phone.keys().len() >= 6).then_some(())).await;
    assert_eq!(room.phone.keys(), "1590*#", "as events of their own (RFC 4733)");
    room.spoke(FRAMES_SPOKEN).await;
    let (heard, seen) = room.ends().await;
    assert_eq!(keys(&seen), "1590*#");
    assert!(heard.loud >= 100, "{} frames of the tone came back", heard.loud);
    assert_eq!(seen.states().last(), Some(&CallState::Completed));
    let quality = seen.reports.last().unwrap().quality.unwrap();
    assert!(quality.mos.unwrap() > 4.0, "{quality:?}");
}

/// A call without keys: what was said comes back whole.
async fn comes_back_whole(room: Room, more: &str) -> Seen {
    room.calls(more).await;
    room.spoke(FRAMES_SPOKEN).await;
    let (heard, seen) = room.ends().await;
    assert!(heard.loud >= 100, "{} frames of the tone came back", heard.loud);
    assert!(heard.gaps <= 3, "{} gaps in it", heard.gaps);
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
    seen
}

#[tokio::test]
async fn a_telephone_calls_over_tls_with_protected_audio() {
    let (certificate, authority) = certificate();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, &authority).unwrap();
    let tls = SocketAddr::from(([127, 0, 0, 1], ports(2)));
    let options = Options { transport: "tls", is_protected: true, authority: Some(file), ..Options::default() };
    let mut room = Room::new(options, |config| {
        config.listen.push(Listen { transport: Transport::Tls, address: tls });
        config.certificate = Some(certificate);
        config.authorities = Some(authority);
        config.trunks[0].transport = Transport::Tls;
        config.trunks[0].protection = Protection::Required;
    })
    .await;
    room.address = tls;
    comes_back_whole(room, ";transport=tls").await;
}

#[tokio::test]
async fn protected_audio_flows_both_ways() {
    comes_back_whole(Room::new(Options { is_protected: true, ..Options::default() }, |_| {}).await, "").await;
}

#[tokio::test]
async fn a_telephone_that_takes_only_reliable_provisional_answers_is_answered() {
    comes_back_whole(Room::new(Options { is_reliable: true, ..Options::default() }, |_| {}).await, "").await;
}
