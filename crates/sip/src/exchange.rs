//! Keys by a handshake (DTLS-SRTP, RFC 5763), over a way that the other end checks first (ICE, RFC 8445): a machine that is given
//! datagrams and the time. The two protocols are the library's that browsers' calls use, too; what is decided here is whose
//! datagrams count and that the certificate is the one that the description named.

use base::{Secret, limits};
use carriers::sip::sdp::{self, AgreedExchange, Crypto, Fingerprint, Key, Suite};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::crypto::dtls::{DtlsCert, DtlsInstance, DtlsOutput, DtlsVersion, KeyingMaterial, SrtpProfile};
use str0m::crypto::{CryptoProvider, from_feature_flags};
use str0m::ice::{IceAgent, IceAgentEvent, StunMessage, StunPacket};
use str0m::net::Protocol;
use str0m::{Candidate, IceCreds};

/// The longest message of a handshake that is sent in one datagram.
const DATAGRAM_BYTES: usize = 2_048;
/// How often the library is asked for what is due, before there are keys and afterwards.
const TICK: Duration = Duration::from_millis(limits::FRAME_MS);
const TICK_AFTERWARDS: Duration = Duration::from_secs(1);
/// Addresses from which the other end has checked the way.
const PEERS_MAX: usize = 8;

/// Our certificate, made when the endpoint starts and known by its fingerprint alone.
pub(crate) struct Identity {
    crypto: CryptoProvider,
    certificate: DtlsCert,
    fingerprint: Fingerprint,
}

impl Identity {
    /// `None` when the library makes no certificate: then calls with a handshake are refused.
    pub(crate) fn new() -> Option<Self> {
        let crypto = from_feature_flags();
        let certificate = crypto.dtls_provider.generate_certificate()?;
        let fingerprint = Fingerprint(crypto.sha256_provider.sha256(&certificate.certificate));
        Some(Self { crypto, certificate, fingerprint })
    }

    /// What a call says of it, with fresh names for its checks. `None` without random numbers.
    pub(crate) fn for_call(&self) -> Option<sdp::Identity> {
        let mut random = [0; 24];
        aws_lc_rs::rand::fill(&mut random).ok()?;
        let (mark, words) = random.split_first_chunk()?;
        let hex: String = words.iter().map(|byte| format!("{byte:02x}")).collect();
        let (ufrag, password) = hex.split_at(8);
        Some(sdp::Identity {
            fingerprint: self.fingerprint,
            ice: sdp::Ice::new(ufrag, password),
            ssrc: u32::from_be_bytes(*mark),
        })
    }
}

/// What an exchange wants done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Send this datagram.
    Send(SocketAddr, Vec<u8>),
    /// Audio goes here from now on.
    Peer(SocketAddr),
    /// Our key and theirs.
    Keys(Box<(Crypto, Crypto)>),
    /// There will be no keys.
    Failed(&'static str),
}

/// See the module.
pub(crate) struct Exchange {
    agreed: AgreedExchange,
    crypto: CryptoProvider,
    ice: Option<IceAgent>,
    dtls: Box<dyn DtlsInstance>,
    /// From where the other end has checked the way.
    peers: Vec<SocketAddr>,
    /// Where the other end is; absent until it has said which way it takes.
    peer: Option<SocketAddr>,
    /// The certificate that it showed is the one that was named.
    is_known: bool,
    has_keys: bool,
    is_over: bool,
    due: Instant,
    outputs: VecDeque<Output>,
}

/// Whether a datagram is one of a handshake or of a check, and no audio (RFC 7983).
pub(crate) fn is_of_exchange(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| matches!(first, 0..=3 | 20..=63))
}

impl Exchange {
    /// `said`: where the other end says that it is; that counts where it makes no checks.
    pub(crate) fn new(identity: &Identity, agreed: &AgreedExchange, said: SocketAddr, now: Instant) -> Option<Self> {
        let crypto = identity.crypto.clone();
        let dtls = crypto.dtls_provider.new_dtls(&identity.certificate, now, DtlsVersion::Auto, None);
        let mut dtls = dtls.inspect_err(|error| tracing::error!(%error, "no handshake can be made")).ok()?;
        dtls.set_active(agreed.is_ours_to_begin);
        let mut ice = None;
        if let Some((ours, theirs)) = &agreed.ice {
            let creds = |one: &sdp::Ice| IceCreds { ufrag: one.ufrag.clone(), pass: one.password().to_owned() };
            let mut agent = IceAgent::with_hmac(creds(ours), crypto.sha1_hmac_provider);
            agent.set_ice_lite(true);
            agent.set_remote_credentials(creds(theirs));
            agent.add_local_candidate(Candidate::host(agreed.here, "udp").ok()?);
            ice = Some(agent);
        }
        let peer = if ice.is_some() { None } else { Some(said) };
        let (agreed, peers, outputs) = (agreed.clone(), Vec::new(), VecDeque::new());
        let (is_known, has_keys, is_over) = (false, false, false);
        let mut exchange =
            Self { agreed, crypto, ice, dtls, peers, peer, is_known, has_keys, is_over, due: now, outputs };
        exchange.tick(now);
        Some(exchange)
    }

    /// Whether it goes on with what was agreed anew: the same certificate is the same handshake. What checks are signed with may
    /// have changed.
    pub(crate) fn goes_on(&mut self, agreed: &AgreedExchange) -> bool {
        if agreed.fingerprint != self.agreed.fingerprint || agreed.ice.is_some() != self.agreed.ice.is_some() {
            return false;
        }
        if let (Some(agent), Some((_, theirs))) = (&mut self.ice, &agreed.ice) {
            let pass = theirs.password().to_owned();
            agent.set_remote_credentials(IceCreds { ufrag: theirs.ufrag.clone(), pass });
        }
        // Who began has begun.
        let is_ours_to_begin = self.agreed.is_ours_to_begin;
        self.agreed = AgreedExchange { is_ours_to_begin, ..agreed.clone() };
        true
    }

    /// Where the other end is, as far as checks have shown.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer.filter(|_| self.ice.is_some())
    }

    /// What it wants done next.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Takes a datagram that [`is_of_exchange`].
    pub(crate) fn handle(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        match datagram.first() {
            Some(0..=3) => self.check(now, from, datagram),
            Some(20..=63) if self.may_shake(from) && !self.is_over => {
                let to = self.peer.unwrap_or(from);
                let taken = self.dtls.handle_timeout(now).and_then(|()| self.dtls.handle_packet(datagram));
                match taken {
                    Ok(()) => self.shake(to),
                    Err(error) => {
                        tracing::info!(%error, "a handshake about the keys of a call failed");
                        self.fail("the handshake broke");
                    }
                }
            }
            _ => {}
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) {
        if now < self.due || self.is_over {
            return;
        }
        self.due = now + if self.has_keys { TICK_AFTERWARDS } else { TICK };
        if let Some(agent) = &mut self.ice {
            agent.handle_timeout(now);
        }
        self.checked();
        // Before the way is known there is nobody to begin with.
        if let Some(peer) = self.peer {
            match self.dtls.handle_timeout(now) {
                Ok(()) => self.shake(peer),
                Err(_) => self.fail("the other end does not answer the handshake"),
            }
        }
    }

    fn may_shake(&self, from: SocketAddr) -> bool {
        match (&self.ice, self.peer) {
            (Some(_), _) => self.peers.contains(&from),
            (None, peer) => peer.is_none_or(|peer| peer.ip() == from.ip()),
        }
    }

    fn check(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Some(agent) = &mut self.ice else { return };
        let Ok(message) = StunMessage::parse(datagram) else { return };
        let (proto, destination) = (Protocol::Udp, self.agreed.here);
        agent.handle_packet(now, StunPacket { proto, source: from, destination, message });
        // It answers what it has heard when time passes.
        agent.handle_timeout(now);
        self.checked();
    }

    fn checked(&mut self) {
        let Some(agent) = &mut self.ice else { return };
        while let Some(event) = agent.poll_event() {
            match event {
                IceAgentEvent::DiscoveredRecv { source, .. } if self.peers.len() < PEERS_MAX => self.peers.push(source),
                IceAgentEvent::NominatedSend { destination, .. } => {
                    self.peer = Some(destination);
                    self.outputs.push_back(Output::Peer(destination));
                }
                _ => {}
            }
        }
        while let Some(sent) = agent.poll_transmit() {
            self.outputs.push_back(Output::Send(sent.destination, sent.contents.into()));
        }
    }

    /// Takes what the handshake has come to.
    fn shake(&mut self, to: SocketAddr) {
        let mut buffer = vec![0; DATAGRAM_BYTES];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                DtlsOutput::Packet(packet) => self.outputs.push_back(Output::Send(to, packet.to_vec())),
                DtlsOutput::BufferTooSmall { needed } => buffer.resize(needed, 0),
                DtlsOutput::PeerCert(certificate) => {
                    let shown = Fingerprint(self.crypto.sha256_provider.sha256(certificate));
                    self.is_known = shown == self.agreed.fingerprint;
                    if !self.is_known {
                        return self.fail("the certificate is not the one that was named");
                    }
                }
                DtlsOutput::KeyingMaterial(material, profile) => {
                    let keys = keys(&material, profile, self.dtls.is_active()).filter(|_| self.is_known);
                    match keys {
                        Some(keys) => {
                            self.has_keys = true;
                            self.outputs.push_back(Output::Keys(Box::new(keys)));
                        }
                        None => return self.fail("the handshake gave no keys for audio"),
                    }
                }
                DtlsOutput::CloseNotify => return self.is_over = true,
                DtlsOutput::Timeout(_) => break,
                _ => {}
            }
        }
    }

    fn fail(&mut self, why: &'static str) {
        self.is_over = true;
        self.outputs.push_back(Output::Failed(why));
    }
}

/// The keys of both ends out of what the handshake gave: both keys, then both salts, those of whoever began first (RFC 5764, 4.2).
fn keys(material: &KeyingMaterial, profile: SrtpProfile, is_ours_to_begin: bool) -> Option<(Crypto, Crypto)> {
    let suite = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Suite::AesCm80,
        SrtpProfile::AEAD_AES_128_GCM => Suite::Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Suite::Gcm256,
        _ => return None,
    };
    let (key_bytes, salt_bytes) = (suite.cipher_key_bytes(), suite.key_bytes() - suite.cipher_key_bytes());
    let mut rest: &[u8] = material;
    let mut part = |bytes| {
        let (part, after) = rest.split_at_checked(bytes)?;
        rest = after;
        Some(part)
    };
    let (begins, answers) = (part(key_bytes)?, part(key_bytes)?);
    let salts = (part(salt_bytes)?, part(salt_bytes)?);
    let crypto = |key: &[u8], salt: &[u8]| Crypto { tag: 0, suite, key: Key(Secret::new([key, salt].concat())) };
    let both = (crypto(begins, salts.0), crypto(answers, salts.1));
    Some(if is_ours_to_begin { both } else { (both.1, both.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.0.2.9:40000";
    const THERE: &str = "198.51.100.7:5004";

    fn agreed(theirs: &Identity, begins: bool) -> AgreedExchange {
        let here = if begins { THERE } else { HERE };
        AgreedExchange {
            fingerprint: theirs.fingerprint,
            is_ours_to_begin: begins,
            ice: None,
            here: here.parse().unwrap(),
            ssrc: 1,
        }
    }

    /// Two ends, until neither has anything to say: what the first and the second came to.
    fn shaken(named: &Identity, shown: &Identity) -> (Vec<Output>, Vec<Output>) {
        let here = Identity::new().unwrap();
        let mut now = Instant::now();
        let (at_here, at_there) = (HERE.parse().unwrap(), THERE.parse().unwrap());
        let mut ours = Exchange::new(&here, &agreed(named, false), at_there, now).unwrap();
        let mut theirs = Exchange::new(shown, &agreed(&here, true), at_here, now).unwrap();
        let (mut our_end, mut their_end) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            now += TICK;
            ours.tick(now);
            theirs.tick(now);
            while let Some(output) = theirs.poll() {
                match output {
                    Output::Send(to, datagram) => {
                        assert!(to == at_here && is_of_exchange(&datagram));
                        ours.handle(now, at_there, &datagram);
                    }
                    other => their_end.push(other),
                }
            }
            while let Some(output) = ours.poll() {
                match output {
                    Output::Send(_, datagram) => theirs.handle(now, at_here, &datagram),
                    other => our_end.push(other),
                }
            }
        }
        (our_end, their_end)
    }

    #[test]
    fn two_ends_come_to_the_same_keys_the_other_way_round() {
        let there = Identity::new().unwrap();
        let (ours, theirs) = shaken(&there, &there);
        let ([Output::Keys(ours)], [Output::Keys(theirs)]) = (&ours[..], &theirs[..]) else {
            panic!("{ours:?} {theirs:?}");
        };
        assert_eq!((&ours.0, &ours.1), (&theirs.1, &theirs.0));
        assert_ne!(ours.0.key, ours.1.key);
    }

    #[test]
    fn another_certificate_than_the_one_that_was_named_gives_no_keys() {
        let (named, shown) = (Identity::new().unwrap(), Identity::new().unwrap());
        let (ours, _) = shaken(&named, &shown);
        assert!(matches!(&ours[..], [Output::Failed(_)]), "{ours:?}");
    }

    #[test]
    fn a_stranger_is_neither_answered_nor_shaken_hands_with() {
        let (here, there) = (Identity::new().unwrap(), Identity::new().unwrap());
        let now = Instant::now();
        let stranger: SocketAddr = "203.0.113.1:9".parse().unwrap();
        let checked = AgreedExchange {
            ice: Some((
                sdp::Ice::new("here", "0123456789012345678901"),
                sdp::Ice::new("there", "0123456789012345678902"),
            )),
            ..agreed(&there, false)
        };
        let mut begun = Exchange::new(&there, &agreed(&here, true), HERE.parse().unwrap(), now).unwrap();
        let Some(Output::Send(_, hello)) = begun.poll() else { panic!("nothing was begun") };
        for agreed in [checked, agreed(&there, false)] {
            let mut ours = Exchange::new(&here, &agreed, THERE.parse().unwrap(), now).unwrap();
            ours.handle(now, stranger, &hello);
            ours.handle(now, stranger, &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
            ours.handle(now, stranger, &[0; 40]);
            assert!(ours.poll().is_none(), "{agreed:?}");
        }
    }
}
