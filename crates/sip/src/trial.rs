//! What strangers can reach, without a socket: for programs that try what it makes of their bytes.

pub use crate::srtp::Protected;
pub use crate::voice::Voice;

use crate::config::{Transport, Trunk};
use crate::exchange::{Exchange, Identity, is_of_exchange};
use crate::guard::{Admission, Guard};
use crate::inbound::{invite_of, malformed, offer_of};
use crate::message::{self, header};
use crate::session::Expires;
use base::Secret;
use carriers::sip::sdp::{self, AgreedExchange, Codec, Fingerprint, Ice, Preference, Protection};
use carriers::sip::status::cause_of;
use rsipstack::sip::{Request, Response, SipMessage};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Instant;

/// What a message is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// No message: no answer.
    Unreadable,
    /// A request that is answered with 400.
    Malformed(&'static str),
    /// A request for which a password is asked.
    Challenged,
    /// A request of somebody who is known.
    Known {
        /// Whether it could become a call.
        is_call: bool,
    },
    /// An answer with this status.
    Answer(u16),
}

/// Somebody who may call from one address and elsewhere shows a password.
static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let trunk = Trunk {
        name: "trial".into(),
        host: "192.0.2.1".into(),
        transport: Transport::Udp,
        user: Some("frontdesk".into()),
        password: Some(Secret::new("sekret".into())),
        registers: false,
        is_probed: false,
        allowed: vec![HOME.into()],
        protection: Protection::Allowed,
        codecs: Codec::ALL.to_vec(),
        preference: Preference::Theirs,
    };
    Guard::new(&[trunk])
});
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// Reads a datagram as the endpoint does, from a stranger and from a trunk.
pub fn message(datagram: &[u8]) -> Taken {
    match SipMessage::try_from(datagram) {
        Ok(SipMessage::Request(request)) => asked(&request),
        Ok(SipMessage::Response(response)) => answered(&response),
        Err(_) => Taken::Unreadable,
    }
}

/// The port of a call whose keys come from a handshake that the other end begins, before it has.
pub struct Handshake {
    exchange: Exchange,
    now: Instant,
}

impl Handshake {
    /// With checks or without. `None` where the library makes no handshake.
    pub fn new(is_checked: bool) -> Option<Self> {
        let (now, here) = (Instant::now(), SocketAddr::new(HOME, 40_000));
        let ice = |ufrag| Ice::new(ufrag, "VOkJxbRl1RmTxUk/WvJxBt");
        let agreed = AgreedExchange {
            fingerprint: Fingerprint([7; 32]),
            is_ours_to_begin: false,
            ice: is_checked.then(|| (ice("evtj"), ice("h6vY"))),
            here,
            ssrc: 1,
        };
        Some(Self { exchange: Exchange::new(&Identity::new()?, &agreed, SocketAddr::new(ELSEWHERE, 9), now)?, now })
    }

    /// Takes a datagram; says how much comes of it.
    pub fn datagram(&mut self, bytes: &[u8]) -> usize {
        if is_of_exchange(bytes) {
            self.exchange.handle(self.now, SocketAddr::new(ELSEWHERE, 9), bytes);
        }
        std::iter::from_fn(|| self.exchange.poll()).count()
    }
}

fn asked(request: &Request) -> Taken {
    if let Some(why) = malformed(request) {
        return Taken::Malformed(why);
    }
    if let Admission::Challenge { is_stale } = GUARD.admit(ELSEWHERE, request) {
        let _ = GUARD.challenge(request, is_stale);
    }
    let is_known = matches!(GUARD.admit(HOME, request), Admission::Trunk(_));
    // Within a call each of these is read, too.
    let kind = header(request, "Content-Type").unwrap_or_default();
    let _ = (message::key_of_info(&kind, &request.body), message::transfer_progress(request));
    let session = header(request, "Session-Expires").and_then(|value| Expires::parse(&value));
    let _ = session.map(Expires::value);
    let is_understood = message::unsupported(request).is_empty();
    let is_call = is_understood && invite_of(request, "trial", HOME).is_ok() && offer_of(request).is_ok();
    if is_known { Taken::Known { is_call } } else { Taken::Challenged }
}

fn answered(response: &Response) -> Taken {
    let _ = header(response, "Session-Expires").and_then(|value| Expires::parse(&value));
    let _ = header(response, "Reason").and_then(|reason| cause_of(&reason));
    let _ = (message::lists(response, "Allow", "UPDATE"), sdp::read(&response.body));
    Taken::Answer(response.status_code.code())
}
