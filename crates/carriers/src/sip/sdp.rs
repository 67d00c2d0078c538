//! What two ends agree on about audio: offers and answers (RFC 3264) in session descriptions (RFC 8866), with the keys of
//! protected audio (RFC 4568) or what is to be known of a handshake about them (`exchange`). Pure: whoever calls chooses ports
//! and keys.
//!
//! Spoken here: one audio stream in Opus (RFC 7587), G.722, G.711 µ-law or A-law, keys as events (RFC 4733), plain or with
//! SRTP. Everything else that is offered is refused as the standard wants it, line by line.

mod exchange;

use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub use exchange::{AgreedExchange, Exchange, Fingerprint, Ice, Identity, Setup};
use sdp_types::{Media, Session};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// Packets are this long; what is received may be any multiple of 10 ms.
pub const PACKET_MS: u32 = 20;
/// Descriptions longer than this are refused unread: those of phones have a tenth of it.
const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;
/// More streams than this in one description are no phone.
const STREAMS_MAX: usize = 16;
/// The numbers by which we offer keys, with their clocks: events share the clock of the audio that they interrupt (RFC 4733, 2.1).
const EVENT_PAYLOAD_TYPES: [(u8, u32); 2] = [(101, 8_000), (110, 48_000)];

/// A codec of a phone line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Opus, mono, with redundancy.
    Opus,
    /// G.722 at 64 kbit/s.
    G722,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Codec {
    /// All, best first.
    pub const ALL: [Self; 4] = [Self::Opus, Self::G722, Self::Pcmu, Self::Pcma];

    /// The number by which we offer it: the one that RFC 3551 gives it, or for Opus, which has none, the one that browsers use.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Opus => 111,
            Self::G722 => 9,
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// Its name in a description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// Steps per second of its timestamps. That of G.722 is not its rate (RFC 3551, 4.5.2), that of Opus is always this
    /// (RFC 7587, 4.1).
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G722 | Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// Samples per second of the audio that we make of it.
    pub const fn rate_hz(self) -> u32 {
        match self {
            Self::Opus | Self::G722 => 16_000,
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// How `rtpmap` writes it. Opus is announced with two channels, however many there are (RFC 7587, 7).
    const fn mapping(self) -> &'static str {
        match self {
            Self::Opus => "opus/48000/2",
            Self::G722 => "G722/8000",
            Self::Pcmu => "PCMU/8000",
            Self::Pcma => "PCMA/8000",
        }
    }

    /// What is said about it besides. Of Opus: packets as long as ours, no band that is thrown away here, and that redundancy
    /// is used.
    const fn parameters(self) -> Option<&'static str> {
        match self {
            Self::Opus => Some("minptime=20;maxplaybackrate=16000;sprop-maxcapturerate=16000;useinbandfec=1"),
            Self::G722 | Self::Pcmu | Self::Pcma => None,
        }
    }
}

/// The numbers under which keys travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// The number that we send them under.
    pub sent: u8,
    /// The number under which they come.
    pub heard: u8,
    /// Steps per second of their durations.
    pub clock_hz: u32,
}

/// Whose order of codecs decides when both ends speak several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// The one of whoever offers.
    #[default]
    Theirs,
    /// Ours.
    Ours,
}

/// Which way audio flows, from the point of view of whoever wrote the description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Both ways.
    #[default]
    Both,
    /// The writer sends only: the other end is on hold and hears music.
    Sends,
    /// The writer listens only.
    Listens,
    /// Neither.
    None,
}

impl Flow {
    const fn name(self) -> &'static str {
        match self {
            Self::Both => "sendrecv",
            Self::Sends => "sendonly",
            Self::Listens => "recvonly",
            Self::None => "inactive",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Both, Self::Sends, Self::Listens, Self::None].into_iter().find(|flow| flow.name() == name)
    }

    /// The same flow from the other end.
    const fn mirrored(self) -> Self {
        match self {
            Self::Sends => Self::Listens,
            Self::Listens => Self::Sends,
            other => other,
        }
    }
}

/// How audio is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES-128 in counter mode, 80 bits of authentication.
    AesCm80,
    /// The same with 32 bits.
    AesCm32,
    /// AES-128-GCM.
    Gcm,
    /// AES-256-GCM. Not taken from a description, where our keys are too short for it.
    Gcm256,
}

impl Suite {
    /// Those that a description may name.
    const ALL: [Self; 3] = [Self::Gcm, Self::AesCm80, Self::AesCm32];

    const fn name(self) -> &'static str {
        match self {
            Self::AesCm80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm32 => "AES_CM_128_HMAC_SHA1_32",
            Self::Gcm => "AEAD_AES_128_GCM",
            Self::Gcm256 => "AEAD_AES_256_GCM",
        }
    }

    /// Bytes of key and salt together; the key comes first.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::AesCm80 | Self::AesCm32 => 30,
            Self::Gcm => 28,
            Self::Gcm256 => 44,
        }
    }

    /// Bytes of the key alone.
    pub const fn cipher_key_bytes(self) -> usize {
        match self {
            Self::AesCm80 | Self::AesCm32 | Self::Gcm => 16,
            Self::Gcm256 => 32,
        }
    }
}

/// The key with which one end sends.
#[derive(Clone, Debug, PartialEq)]
pub struct Crypto {
    /// Names it among those offered.
    pub tag: u32,
    /// How.
    pub suite: Suite,
    /// Key and salt, [`Suite::key_bytes`] long.
    pub key: Key,
}

/// Key and salt. Prints nothing of itself.
#[derive(Clone, Debug)]
pub struct Key(pub Secret<Vec<u8>>);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose() == other.0.expose()
    }
}

impl Crypto {
    fn read(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?.parse().ok()?;
        let suite = words.next()?;
        let suite = Suite::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(suite))?;
        // Session parameters change the format of packets; none of them is spoken here.
        let (key, parameters) = (words.next()?, words.next());
        let key = key.strip_prefix("inline:")?;
        let mut parts = key.split('|');
        let bytes = STANDARD.decode(parts.next()?).ok()?;
        // A lifetime is longer than any call; a key identifier ("1:4") would lengthen every packet.
        let has_identifier = parts.any(|part| part.contains(':'));
        let fits = bytes.len() == suite.key_bytes() && !has_identifier && parameters.is_none();
        fits.then(|| Self { tag, suite, key: Key(Secret::new(bytes)) })
    }

    fn write(&self, out: &mut String) {
        let key = STANDARD.encode(self.key.0.expose());
        let _ = write!(out, "a=crypto:{} {} inline:{key}\r\n", self.tag, self.suite.name());
    }
}

/// What one stream of a description says.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// Where its writer listens; an unspecified address means that it does not.
    pub address: SocketAddr,
    /// Where it listens for reports.
    pub reports: SocketAddr,
    /// Whether reports may come to the same port as audio.
    pub is_multiplexed: bool,
    /// The codecs that we speak, with the writer's numbers, in its order.
    pub codecs: Vec<(Codec, u8)>,
    /// The writer's numbers for keys as events, with the clock of each.
    pub events: Vec<(u8, u32)>,
    /// Which way it flows.
    pub flow: Flow,
    /// Whether the profile is one that must be protected.
    pub is_protected: bool,
    /// The keys that we can use.
    pub cryptos: Vec<Crypto>,
    /// What is to be known of the handshake that gives the keys, where they come from one.
    pub exchange: Option<Exchange>,
}

impl Audio {
    /// Whether the writer listens somewhere: at its address, or where checks will find it.
    fn is_somewhere(&self) -> bool {
        !self.address.ip().is_unspecified() || self.exchange.as_ref().is_some_and(|exchange| exchange.ice.is_some())
    }
}

/// A description that was received.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The stream to use.
    pub audio: Audio,
    /// Which of the streams it is.
    index: usize,
    /// All streams, for an answer: kind, profile and formats of each.
    streams: Vec<(String, String, String)>,
    /// Its version; a repeated description has the same.
    pub version: u64,
}

/// Why a description leads to no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// It cannot be read.
    #[error("the session description cannot be read")]
    Malformed,
    /// It has no stream of audio that is not refused.
    #[error("the session description has no audio over RTP")]
    NoAudio,
    /// None of its codecs is spoken here.
    #[error("no codec in common: Opus, G722, PCMU and PCMA are spoken, as far as the trunk allows them")]
    NoCodec,
    /// One end wants protected audio and the other does not offer it.
    #[error("no protection in common: SRTP with keys in the description (RFC 4568) or by DTLS (RFC 5763) is spoken")]
    NoProtection,
}

/// Whether our audio is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Never.
    Never,
    /// When the other end wants it.
    #[default]
    Allowed,
    /// Always.
    Required,
}

/// Our end of a stream.
#[derive(Clone, Debug)]
pub struct Local {
    /// Where the other end reaches us.
    pub address: SocketAddr,
    /// Names the session; the same for the whole call.
    pub session: u64,
    /// Grows with each change.
    pub version: u64,
    /// What we speak, best first.
    pub codecs: Vec<Codec>,
    /// Whether that order decides which of an offer's codecs is answered.
    pub preference: Preference,
    /// Whether it is protected.
    pub protection: Protection,
    /// Fresh random bytes for our key, at least 30.
    pub key: Key,
    /// Which way audio shall flow.
    pub flow: Flow,
    /// Our end of a handshake; absent where none is made.
    pub identity: Option<Identity>,
    /// The keys of this call came from a handshake, and so they do in our own offers.
    pub is_exchanged: bool,
}

/// What was agreed.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreed {
    /// Where to send audio.
    pub address: SocketAddr,
    /// Where to send reports.
    pub reports: SocketAddr,
    /// The codec, both ways.
    pub codec: Codec,
    /// The number that we send it under, and the one under which it comes.
    pub payload_types: (u8, u8),
    /// The numbers for keys.
    pub events: Option<Events>,
    /// Whether we may be heard.
    pub sends: bool,
    /// Whether the other end may be heard.
    pub listens: bool,
    /// Our key and theirs.
    pub keys: Option<(Crypto, Crypto)>,
    /// How the two ends come to keys where they are not in their descriptions.
    pub exchange: Option<AgreedExchange>,
}

impl Agreed {
    /// Whether audio may only travel protected.
    pub const fn is_protected(&self) -> bool {
        self.keys.is_some() || self.exchange.is_some()
    }
}

/// Reads a description.
pub fn read(body: &[u8]) -> Result<Description, SdpError> {
    if body.len() > DESCRIPTION_BYTES_MAX {
        return Err(SdpError::Malformed);
    }
    let session = Session::parse(body).map_err(|_| SdpError::Malformed)?;
    if session.medias.len() > STREAMS_MAX {
        return Err(SdpError::Malformed);
    }
    let is_audio = |media: &Media| {
        media.media.eq_ignore_ascii_case("audio") && media.port != 0 && protected_profile(&media.proto).is_some()
    };
    let index = session.medias.iter().position(is_audio).ok_or(SdpError::NoAudio)?;
    let audio = read_audio(&session, &session.medias[index])?;
    let streams = session.medias.iter().map(|one| (one.media.clone(), one.proto.clone(), one.fmt.clone())).collect();
    Ok(Description { audio, index, streams, version: session.origin.sess_version })
}

/// Whether a profile is protected; `None` for one that is not spoken here.
fn protected_profile(profile: &str) -> Option<bool> {
    match profile {
        "RTP/AVP" | "RTP/AVPF" => Some(false),
        "RTP/SAVP" | "RTP/SAVPF" => Some(true),
        _ => is_exchanging(profile).then_some(true),
    }
}

/// Whether a profile is one whose keys come from a handshake (RFC 5764, 8).
fn is_exchanging(profile: &str) -> bool {
    matches!(profile, "UDP/TLS/RTP/SAVP" | "UDP/TLS/RTP/SAVPF")
}

fn read_audio(session: &Session, media: &Media) -> Result<Audio, SdpError> {
    let connection = media.connections.first().or(session.connection.as_ref()).ok_or(SdpError::Malformed)?;
    let ip = address_of(&connection.connection_address)?;
    let values = |name: &'static str| {
        let named = move |one: &&sdp_types::Attribute| one.attribute.eq_ignore_ascii_case(name);
        media.attributes.iter().filter(named).map(|one| one.value.as_deref().unwrap_or_default())
    };
    let map = |payload_type: u8| {
        values("rtpmap").find_map(|value| {
            let (number, codec) = value.trim().split_once(' ')?;
            (number.parse() == Ok(payload_type)).then(|| codec.trim())
        })
    };
    let (mut codecs, mut events) = (Vec::new(), Vec::new());
    for number in media.fmt.split_ascii_whitespace().filter_map(|number| number.parse::<u8>().ok()) {
        match map(number) {
            Some(mapped) => match codec_named(mapped) {
                Some(codec) => codecs.push((codec, number)),
                None => events.extend(event_clock(mapped).map(|clock_hz| (number, clock_hz))),
            },
            None => codecs.extend(fixed(number).map(|codec| (codec, number))),
        }
    }
    let flow_in = |attributes: &[sdp_types::Attribute]| attributes.iter().find_map(|one| Flow::named(&one.attribute));
    let flow = flow_in(&media.attributes).or_else(|| flow_in(&session.attributes)).unwrap_or_default();
    let reports_port = values("rtcp").find_map(|value| value.split_ascii_whitespace().next()?.parse().ok());
    let is_multiplexed = values("rtcp-mux").next().is_some();
    let port_after = media.port.saturating_add(1);
    let reports = if is_multiplexed { media.port } else { reports_port.unwrap_or(port_after) };
    let cryptos: Vec<_> = values("crypto").filter_map(Crypto::read).collect();
    // Some name the older profile (RFC 8827, 6.5).
    let may_exchange = is_exchanging(&media.proto) || media.proto == "RTP/SAVPF" && cryptos.is_empty();
    let exchange = if may_exchange { Exchange::read(session, media) } else { None };
    let has_checks = exchange.as_ref().is_some_and(|exchange| exchange.ice.is_some());
    Ok(Audio {
        address: SocketAddr::new(ip, media.port),
        reports: SocketAddr::new(ip, reports),
        is_multiplexed,
        codecs,
        events,
        flow: if ip.is_unspecified() && !has_checks && flow == Flow::Both { Flow::Sends } else { flow },
        is_protected: protected_profile(&media.proto) == Some(true),
        cryptos,
        exchange,
    })
}

fn address_of(text: &str) -> Result<IpAddr, SdpError> {
    // Names are allowed by the grammar and used by nobody; looking one up would be a wait in the middle of an offer.
    text.split('/').next().and_then(|ip| ip.parse().ok()).ok_or(SdpError::Malformed)
}

/// The codec that a number means without being told (RFC 3551, 6).
fn fixed(number: u8) -> Option<Codec> {
    Codec::ALL.into_iter().find(|codec| *codec != Codec::Opus && codec.payload_type() == number)
}

fn codec_named(mapped: &str) -> Option<Codec> {
    let mapped = mapped.strip_suffix("/1").unwrap_or(mapped);
    Codec::ALL.into_iter().find(|codec| codec.mapping().eq_ignore_ascii_case(mapped))
}

/// The clock of keys as events; `None` for another format.
fn event_clock(mapped: &str) -> Option<u32> {
    let (name, clock_hz) = mapped.split_once('/')?;
    let clock_hz = clock_hz.parse().ok().filter(|clock_hz| (8_000..=48_000).contains(clock_hz));
    clock_hz.filter(|_| name.eq_ignore_ascii_case("telephone-event"))
}

/// The writer's events for this codec: those with its clock, or some where it has none of those.
fn events_for(events: &[(u8, u32)], codec: Codec) -> Option<(u8, u32)> {
    let same = events.iter().find(|(_, clock_hz)| *clock_hz == codec.clock_hz());
    same.or_else(|| events.first()).copied()
}

/// Our offer.
pub fn offer(local: &Local) -> String {
    let exchanging = local.identity.as_ref().filter(|_| local.is_exchanged);
    let profile = match (exchanging, local.protection) {
        (Some(_), _) => "UDP/TLS/RTP/SAVPF",
        (None, Protection::Required) => "RTP/SAVP",
        (None, _) => "RTP/AVP",
    };
    let numbers: Vec<(Codec, u8)> = local.codecs.iter().map(|codec| (*codec, codec.payload_type())).collect();
    let is_keyed = exchanging.is_none() && local.protection == Protection::Required;
    let crypto = is_keyed.then(|| our_crypto(local, 1, Suite::AesCm80));
    let mut out = head(local);
    out.push_str(if exchanging.is_some() { "a=ice-lite\r\n" } else { "" });
    let is_needed = |(_, clock_hz): &(u8, u32)| local.codecs.iter().any(|codec| codec.clock_hz() == *clock_hz);
    let events: Vec<(u8, u32)> = EVENT_PAYLOAD_TYPES.into_iter().filter(is_needed).collect();
    stream(&mut out, local, profile, Formats { codecs: &numbers, events: &events }, local.flow, crypto.as_ref());
    if let Some(identity) = exchanging {
        identity.write(Setup::Either, true, local, &mut out);
    }
    out
}

/// Our answer to an offer, and what it agrees on.
pub fn answer(offer: &Description, local: &Local) -> Result<(String, Agreed), SdpError> {
    let audio = &offer.audio;
    let (codec, number) = chosen(audio, local).ok_or(SdpError::NoCodec)?;
    let events = events_for(&audio.events, codec);
    let exchange = exchanged(audio, local)?;
    let keys = if exchange.is_some() { None } else { keyed(audio, local)? };
    // What the other end does not listen to is not sent, and what we hold is not listened to.
    let theirs = audio.flow.mirrored();
    let flow = match (theirs, local.flow) {
        (Flow::Both, ours) => ours,
        (theirs, Flow::Both) => theirs,
        (theirs, ours) if theirs == ours => ours,
        _ => Flow::None,
    };
    let mut out = head(local);
    let said = audio.exchange.as_ref().zip(local.identity.as_ref());
    if let Some((theirs, _)) = said {
        theirs.answer_session(&mut out);
    }
    for (index, (kind, profile, formats)) in offer.streams.iter().enumerate() {
        if index == offer.index {
            let ours = keys.as_ref().map(|(ours, _)| ours);
            stream(
                &mut out,
                local,
                profile,
                Formats { codecs: &[(codec, number)], events: events.as_slice() },
                flow,
                ours,
            );
            if let Some((theirs, ours)) = said {
                theirs.answer_stream(ours, local, &mut out);
            }
        } else {
            let _ = write!(out, "m={kind} 0 {profile} {formats}\r\n");
        }
    }
    let agreed = Agreed {
        address: audio.address,
        reports: audio.reports,
        codec,
        payload_types: (number, number),
        events: events.map(|(number, clock_hz)| Events { sent: number, heard: number, clock_hz }),
        sends: matches!(flow, Flow::Both | Flow::Sends) && audio.is_somewhere(),
        listens: matches!(flow, Flow::Both | Flow::Listens),
        keys,
        exchange,
    };
    Ok((out, agreed))
}

/// The handshake that an offer asks for.
fn exchanged(audio: &Audio, local: &Local) -> Result<Option<AgreedExchange>, SdpError> {
    match (&audio.exchange, &local.identity) {
        (None, _) => Ok(None),
        (Some(theirs), Some(ours)) if local.protection != Protection::Never => {
            Ok(Some(theirs.agree(ours, local.address)))
        }
        (Some(_), _) => Err(SdpError::NoProtection),
    }
}

/// Our key and theirs, where an offer brings one and it is wanted.
fn keyed(audio: &Audio, local: &Local) -> Result<Option<(Crypto, Crypto)>, SdpError> {
    match audio.cryptos.first() {
        Some(_) if local.protection == Protection::Never && audio.is_protected => Err(SdpError::NoProtection),
        Some(theirs) if audio.is_protected || local.protection == Protection::Required => {
            Ok(Some((our_crypto(local, theirs.tag, theirs.suite), theirs.clone())))
        }
        None if audio.is_protected || local.protection == Protection::Required => Err(SdpError::NoProtection),
        _ => Ok(None),
    }
}

fn chosen(audio: &Audio, local: &Local) -> Option<(Codec, u8)> {
    let offered = |codec: &Codec| audio.codecs.iter().find(|(one, _)| one == codec).copied();
    match local.preference {
        Preference::Theirs => audio.codecs.iter().find(|(codec, _)| local.codecs.contains(codec)).copied(),
        Preference::Ours => local.codecs.iter().find_map(offered),
    }
}

/// What the answer to our offer agrees on. `local` is what the offer was made from.
pub fn accept(answer: &Description, local: &Local) -> Result<Agreed, SdpError> {
    let audio = &answer.audio;
    let (codec, number) =
        *audio.codecs.iter().find(|(codec, _)| local.codecs.contains(codec)).ok_or(SdpError::NoCodec)?;
    let exchange = if local.is_exchanged { exchanged(audio, local)? } else { None };
    let is_required = local.protection == Protection::Required;
    let keys = match audio.cryptos.first() {
        None if exchange.is_some() => None,
        _ if local.is_exchanged => return Err(SdpError::NoProtection),
        Some(theirs) if is_required && theirs.suite == Suite::AesCm80 => {
            Some((our_crypto(local, theirs.tag, theirs.suite), theirs.clone()))
        }
        None if !is_required && !audio.is_protected => None,
        Some(_) if !is_required && !audio.is_protected => None,
        _ => return Err(SdpError::NoProtection),
    };
    let may_send = matches!(local.flow, Flow::Both | Flow::Sends);
    let may_listen = matches!(local.flow, Flow::Both | Flow::Listens);
    Ok(Agreed {
        address: audio.address,
        reports: audio.reports,
        codec,
        payload_types: (number, codec.payload_type()),
        events: events_for(&audio.events, codec).and_then(|(sent, clock_hz)| {
            let (heard, _) = *EVENT_PAYLOAD_TYPES.iter().find(|(_, ours)| *ours == clock_hz)?;
            Some(Events { sent, heard, clock_hz })
        }),
        sends: may_send && matches!(audio.flow, Flow::Both | Flow::Listens) && audio.is_somewhere(),
        listens: may_listen && matches!(audio.flow, Flow::Both | Flow::Sends),
        keys,
        exchange,
    })
}

fn our_crypto(local: &Local, tag: u32, suite: Suite) -> Crypto {
    let mut key = local.key.0.expose().clone();
    key.resize(suite.key_bytes(), 0);
    Crypto { tag, suite, key: Key(Secret::new(key)) }
}

fn head(local: &Local) -> String {
    let ip = local.address.ip();
    let kind = if ip.is_ipv6() { "IP6" } else { "IP4" };
    let Local { session, version, .. } = local;
    format!("v=0\r\no=- {session} {version} IN {kind} {ip}\r\ns=-\r\nc=IN {kind} {ip}\r\nt=0 0\r\n")
}

/// What a stream may carry, with numbers.
struct Formats<'a> {
    codecs: &'a [(Codec, u8)],
    events: &'a [(u8, u32)],
}

fn stream(
    out: &mut String,
    local: &Local,
    profile: &str,
    Formats { codecs, events }: Formats<'_>,
    flow: Flow,
    crypto: Option<&Crypto>,
) {
    let port = local.address.port();
    let _ = write!(out, "m=audio {port} {profile}");
    for number in codecs.iter().map(|(_, number)| *number).chain(events.iter().map(|(number, _)| *number)) {
        let _ = write!(out, " {number}");
    }
    out.push_str("\r\n");
    for (codec, number) in codecs {
        let _ = write!(out, "a=rtpmap:{number} {}\r\n", codec.mapping());
        if let Some(parameters) = codec.parameters() {
            let _ = write!(out, "a=fmtp:{number} {parameters}\r\n");
        }
    }
    for (number, clock_hz) in events {
        let _ = write!(out, "a=rtpmap:{number} telephone-event/{clock_hz}\r\na=fmtp:{number} 0-15\r\n");
    }
    if let Some(crypto) = crypto {
        crypto.write(out);
    }
    let _ = write!(out, "a=ptime:{PACKET_MS}\r\na=maxptime:60\r\na=rtcp-mux\r\na={}\r\n", flow.name());
}

#[cfg(test)]
mod tests;
