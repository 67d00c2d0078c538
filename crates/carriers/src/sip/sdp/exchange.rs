//! Keys that two ends agree on between themselves (DTLS-SRTP, RFC 5763), over a way that they have checked (ICE, RFC 8445): what
//! descriptions say of both. We are at a known address and need not look for the other end: it checks, we answer (RFC 8445, 2.5).

use super::{Key, Local};
use base::Secret;
use sdp_types::{Attribute, Media, Session};
use std::fmt::{self, Write as _};
use std::net::SocketAddr;

/// The length of a fingerprint: SHA-256, which every end speaks (RFC 8122, 5).
const FINGERPRINT_BYTES: usize = 32;
/// The preference of the one candidate that there is (RFC 8445, 5.1.2.1): of a host, the first one, for audio.
const PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;

/// By what a certificate is known that nobody vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; FINGERPRINT_BYTES]);

impl Fingerprint {
    fn read(value: &str) -> Option<Self> {
        let (hash, bytes) = value.trim().split_once(' ')?;
        if !hash.eq_ignore_ascii_case("sha-256") {
            return None;
        }
        let mut read = [0; FINGERPRINT_BYTES];
        let mut parts = bytes.trim().split(':');
        for byte in &mut read {
            let part = parts.next().filter(|part| part.len() == 2)?;
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(read))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha-256 ")?;
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// Who begins the handshake (RFC 4145, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The writer.
    Active,
    /// The reader.
    Passive,
    /// The reader may choose.
    Either,
}

impl Setup {
    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Either => "actpass",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Active, Self::Passive, Self::Either].into_iter().find(|setup| setup.name() == name.trim())
    }
}

/// What the checks of one end are signed with. Prints no password.
#[derive(Clone, Debug, PartialEq)]
pub struct Ice {
    /// Half of the name in a check.
    pub ufrag: String,
    /// The password, as it is written.
    pub password: Key,
}

impl Ice {
    /// Of these two.
    pub fn new(ufrag: impl Into<String>, password: &str) -> Self {
        Self { ufrag: ufrag.into(), password: Key(Secret::new(password.as_bytes().to_vec())) }
    }

    /// The password in words.
    pub fn password(&self) -> &str {
        std::str::from_utf8(self.password.0.expose()).unwrap_or_default()
    }
}

/// What one end says of its handshake.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Of its certificate.
    pub fingerprint: Fingerprint,
    /// Whether it begins.
    pub setup: Setup,
    /// With what its checks are signed; absent where it makes none.
    pub ice: Option<Ice>,
    /// How it names the stream (RFC 5888), and whether it is one of a bundle (RFC 9143).
    mid: Option<(String, bool)>,
}

/// Our end of a handshake.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Of our certificate.
    pub fingerprint: Fingerprint,
    /// With what checks of us are signed.
    pub ice: Ice,
    /// How our packets are marked (RFC 5576): some ends take none whose mark they do not know.
    pub ssrc: u32,
}

/// What two ends agree on about their handshake.
#[derive(Clone, Debug, PartialEq)]
pub struct AgreedExchange {
    /// Of the certificate that the other end must show.
    pub fingerprint: Fingerprint,
    /// Whether we begin.
    pub is_ours_to_begin: bool,
    /// With what checks are signed, ours and theirs; absent where there are none.
    pub ice: Option<(Ice, Ice)>,
    /// Where we said that we are.
    pub here: SocketAddr,
    /// How we said that our packets are marked.
    pub ssrc: u32,
}

impl Exchange {
    /// What is said of the stream, or of the whole session where it is not said of the stream.
    pub(super) fn read(session: &Session, media: &Media) -> Option<Self> {
        let find = |name: &'static str| {
            let named = |one: &&Attribute| one.attribute.eq_ignore_ascii_case(name);
            media.attributes.iter().find(named).or_else(|| session.attributes.iter().find(named))
        };
        let value = |name| find(name).and_then(|one| one.value.as_deref());
        let all = media.attributes.iter().chain(&session.attributes);
        let fingerprint = all
            .filter(|one| one.attribute.eq_ignore_ascii_case("fingerprint"))
            .find_map(|one| Fingerprint::read(one.value.as_deref()?))?;
        let word = |text: &str| {
            let text = text.trim();
            (!text.is_empty() && text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic()))
                .then(|| text.to_owned())
        };
        let ice = value("ice-ufrag").and_then(word).zip(value("ice-pwd").and_then(word));
        let mid = value("mid").and_then(word);
        let bundles = session.attributes.iter().filter(|one| one.attribute.eq_ignore_ascii_case("group"));
        let is_bundled = |mid: &str| {
            bundles.filter_map(|one| one.value.as_deref()).any(|group| {
                let mut words = group.split_ascii_whitespace();
                words.next() == Some("BUNDLE") && words.any(|word| word == mid)
            })
        };
        let mid = mid.map(|mid| {
            let is_bundled = is_bundled(&mid);
            (mid, is_bundled)
        });
        Some(Self {
            fingerprint,
            setup: value("setup").and_then(Setup::named).unwrap_or(Setup::Either),
            ice: ice.map(|(ufrag, password)| Ice::new(ufrag, &password)),
            mid,
        })
    }

    /// What this and ours come to. Who may choose lets the other end begin, which then knows that the way is open.
    pub(super) fn agree(&self, ours: &Identity, here: SocketAddr) -> AgreedExchange {
        AgreedExchange {
            fingerprint: self.fingerprint,
            is_ours_to_begin: self.setup == Setup::Passive,
            ice: self.ice.clone().map(|theirs| (ours.ice.clone(), theirs)),
            here,
            ssrc: ours.ssrc,
        }
    }

    /// What our answer says of the whole session.
    pub(super) fn answer_session(&self, out: &mut String) {
        if let Some((mid, true)) = &self.mid {
            let _ = write!(out, "a=group:BUNDLE {mid}\r\n");
        }
        if self.ice.is_some() {
            out.push_str("a=ice-lite\r\n");
        }
    }

    /// What our answer says of the stream.
    pub(super) fn answer_stream(&self, ours: &Identity, local: &Local, out: &mut String) {
        let setup = if self.setup == Setup::Passive { Setup::Active } else { Setup::Passive };
        if let Some((mid, _)) = &self.mid {
            let _ = write!(out, "a=mid:{mid}\r\n");
        }
        ours.write(setup, self.ice.is_some(), local, out);
    }
}

impl Identity {
    pub(super) fn write(&self, setup: Setup, is_checked: bool, local: &Local, out: &mut String) {
        let _ = write!(out, "a=setup:{}\r\na=fingerprint:{}\r\n", setup.name(), self.fingerprint);
        // Some pages ask for a stream's name before they play it (RFC 8830).
        let _ = write!(out, "a=msid:- audio\r\na=ssrc:{} msid:- audio\r\n", self.ssrc);
        if is_checked {
            let (ip, port) = (local.address.ip(), local.address.port());
            let (ufrag, password) = (&self.ice.ufrag, self.ice.password());
            let _ = write!(
                out,
                "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=candidate:1 1 udp {PRIORITY} {ip} {port} typ host\r\n\
                 a=end-of-candidates\r\n"
            );
        }
    }
}
