//! What nodes of one installation ask of each other, and how they know each other: every request is signed (HMAC-SHA256) with
//! a key that is derived from the installation's data key, over what is asked, of whom, by whom and when.
//!
//! A request counts once: no two of a node have the same signature, and whoever sends an old one again is refused, within
//! [`limits::PEER_AGE_MS_MAX`] because its signature is known, and later because it is too old.

use aws_lc_rs::hmac;
use base::wire::{Header, HttpRequest, Method};
use base::{AgentId, BusinessId, CallId, Millis, NodeId, PhoneNumber, Pii, Secret, limits};
use carriers::protocol::Answer;
use egress::{ByteStream, Egress};
use engine::io::Input;
use model::live::LiveEvent;
use serde::{Deserialize, Serialize};
use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where nodes ask.
pub const COMMAND_PATH: &str = "/internal/v1/command";
/// Where nodes watch calls.
pub const WATCH_PATH: &str = "/internal/v1/watch";
/// The header of the signature: `NODE AT_MS HEX`.
pub const SIGNATURE: &str = "frontdesk-peer";

/// What a node asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum PeerRequest {
    /// Whether the node has this call.
    Has {
        /// Whose.
        business: BusinessId,
        /// Which.
        call: CallId,
    },
    /// Gives a call an input.
    Tell {
        /// Whose.
        business: BusinessId,
        /// Which.
        call: CallId,
        /// What.
        input: Box<Input>,
    },
    /// A platform asks how to go on with a call.
    GoOn {
        /// Whose.
        business: BusinessId,
        /// Which.
        call: CallId,
        /// How the platform reaches us.
        base_url: String,
    },
    /// A platform asks how to go on with a call that the asking node, which stops, has left: go on with it.
    Inherit {
        /// Whose.
        business: BusinessId,
        /// Which.
        call: CallId,
        /// How the platform reaches us.
        base_url: String,
    },
    /// The audio of a call has arrived at another node with this ticket: that one goes on with it.
    Yield {
        /// Whose.
        business: BusinessId,
        /// Which.
        call: CallId,
        /// What the audio was admitted with.
        ticket: Pii<String>,
    },
    /// Places a call.
    Dial {
        /// Whose.
        business: BusinessId,
        /// Registry name of the carrier.
        carrier: String,
        /// Who speaks.
        agent: AgentId,
        /// Who to call.
        to: PhoneNumber,
        /// Our number.
        from: PhoneNumber,
        /// How the platform reaches us.
        base_url: String,
    },
    /// A platform brings a new call to the asking node, which has no room: take it.
    Take {
        /// Registry name of the carrier.
        carrier: String,
        /// The platform's id.
        carrier_ref: String,
        /// Who calls.
        caller: Option<Pii<String>>,
        /// Which of our numbers.
        number: PhoneNumber,
        /// How the platform reaches us.
        base_url: String,
    },
    /// Watches a call; answered by a stream.
    Watch {
        /// Whose.
        business: BusinessId,
        /// Which.
        call: CallId,
    },
}

impl PeerRequest {
    /// Reads a request. `None`: this program does not know what is asked.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// An event as it travels to a node that watches: a line of JSON. Without one, an empty line, which says that we are there.
pub fn line(event: Option<&LiveEvent>) -> Vec<u8> {
    let mut line = event.and_then(|event| serde_json::to_vec(event).ok()).unwrap_or_default();
    line.push(b'\n');
    line
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum PeerAnswer {
    /// It is so, or it is done.
    Done,
    /// The node does not have this call.
    Gone,
    /// How the platform goes on.
    Next(Next),
    /// The call is placed.
    Dialled {
        /// Which it is.
        call: CallId,
    },
    /// It was not done.
    Refused {
        /// `busy`, `draining`, `no_carrier`, `carrier` or `store`.
        why: String,
        /// For people.
        detail: String,
    },
}

/// [`Answer`] as it travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Next {
    Connect { media_url: String, token: Pii<String>, next_url: String },
    Busy,
    Reject,
    SayAndHangUp { text: String },
    HangUp,
    Transfer { to: PhoneNumber, caller_id: Option<PhoneNumber> },
}

impl From<Answer> for Next {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Connect { media_url, token, next_url } => {
                Self::Connect { media_url, token: Pii::new(token), next_url }
            }
            Answer::Busy => Self::Busy,
            Answer::Reject => Self::Reject,
            Answer::SayAndHangUp { text } => Self::SayAndHangUp { text },
            Answer::HangUp => Self::HangUp,
            Answer::Transfer { to, caller_id } => Self::Transfer { to, caller_id },
        }
    }
}

impl From<Next> for Answer {
    fn from(next: Next) -> Self {
        match next {
            Next::Connect { media_url, token, next_url } => {
                Self::Connect { media_url, token: token.expose().clone(), next_url }
            }
            Next::Busy => Self::Busy,
            Next::Reject => Self::Reject,
            Next::SayAndHangUp { text } => Self::SayAndHangUp { text },
            Next::HangUp => Self::HangUp,
            Next::Transfer { to, caller_id } => Self::Transfer { to, caller_id },
        }
    }
}

/// Why another node did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node {node} does not answer: {why}")]
pub struct PeerError {
    /// Who.
    pub node: NodeId,
    /// Why.
    pub why: String,
}

/// Signs and checks requests between nodes.
pub struct PeerKeys(Vec<hmac::Key>);

impl PeerKeys {
    /// Signs with the first, checks with all.
    pub fn new(keys: &[Secret<[u8; 32]>]) -> Self {
        Self(keys.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.expose())).collect())
    }

    fn signed(path: &str, to: NodeId, from: NodeId, at_ms: i64, body: &[u8]) -> Vec<u8> {
        let mut text = format!("frontdesk peer\n{path}\n{to}\n{from}\n{at_ms}\n").into_bytes();
        text.extend_from_slice(body);
        text
    }

    /// The value of [`SIGNATURE`].
    pub fn sign(&self, path: &str, to: NodeId, from: NodeId, at_ms: i64, body: &[u8]) -> Option<String> {
        let tag = hmac::sign(self.0.first()?, &Self::signed(path, to, from, at_ms, body));
        let mut value = format!("{from} {at_ms} ");
        for byte in tag.as_ref() {
            write!(value, "{byte:02x}").ok()?;
        }
        Some(value)
    }

    /// Who signed this, if anybody of this installation did, for us, a moment ago.
    pub fn check(&self, path: &str, us: NodeId, now_ms: i64, signature: &str, body: &[u8]) -> Option<NodeId> {
        let mut parts = signature.split(' ');
        let (from, at_ms) = (parts.next()?.parse().ok()?, parts.next()?.parse::<i64>().ok()?);
        if now_ms.abs_diff(at_ms) > limits::PEER_AGE_MS_MAX.unsigned_abs() {
            return None;
        }
        let tag = tag(signature)?;
        let text = Self::signed(path, us, from, at_ms, body);
        self.0.iter().any(|key| hmac::verify(key, &text, &tag).is_ok()).then_some(from)
    }
}

/// The code of a signature as bytes: its text can be written in several ways.
fn tag(signature: &str) -> Option<Vec<u8>> {
    let tag = signature.split(' ').nth(2)?;
    if !tag.is_ascii() || tag.len() % 2 != 0 {
        return None;
    }
    let hex = |at: usize| u8::from_str_radix(tag.get(at..at + 2)?, 16).ok();
    (0..tag.len()).step_by(2).map(hex).collect()
}

/// Codes of signatures that counted a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    known: HashSet<Vec<u8>>,
    by_age: VecDeque<(i64, Vec<u8>)>,
}

impl Seen {
    /// Whether this signature, which [`PeerKeys::check`] found right, is new. What is too old to pass anyway is forgotten; of too many, the oldest.
    pub(crate) fn is_new(&mut self, signature: &str, now_ms: i64) -> bool {
        let too_old = now_ms - 2 * limits::PEER_AGE_MS_MAX;
        while let Some((seen_ms, _)) = self.by_age.front()
            && (*seen_ms < too_old || self.by_age.len() >= limits::PEER_SIGNATURES_MAX)
        {
            if let Some((_, old)) = self.by_age.pop_front() {
                self.known.remove(&old);
            }
        }
        let Some(tag) = tag(signature) else { return false };
        if !self.known.insert(tag.clone()) {
            return false;
        }
        self.by_age.push_back((now_ms, tag));
        true
    }
}

/// Asks other nodes.
pub(crate) struct Peers {
    pub(super) me: NodeId,
    pub(super) keys: PeerKeys,
    pub(super) egress: Egress,
    /// When the last request was signed: no two are signed at the same time, so no two signatures are the same.
    pub(super) signed_ms: AtomicI64,
}

impl Peers {
    fn request(&self, to: NodeId, address: &str, path: &str, ask: &PeerRequest) -> Result<HttpRequest, PeerError> {
        let failed = |why: &str| PeerError { node: to, why: why.into() };
        let body = serde_json::to_vec(ask).map_err(|_| failed("the request cannot be written"))?;
        let now_ms = crate::wall_ms();
        let before =
            self.signed_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now_ms.max(last + 1)));
        let at_ms = before.map_or(now_ms, |last| now_ms.max(last + 1));
        let signature = self.keys.sign(path, to, self.me, at_ms, &body);
        let signature = signature.ok_or_else(|| failed("there is no key to sign with"))?;
        let headers = vec![Header::plain("content-type", "application/json"), Header::secret(SIGNATURE, signature)];
        Ok(HttpRequest { method: Method::Post, url: format!("{address}{path}"), headers, body })
    }

    /// Asks a node and waits for its answer.
    pub(crate) async fn ask(&self, to: NodeId, address: &str, ask: &PeerRequest) -> Result<PeerAnswer, PeerError> {
        let failed = |why: String| PeerError { node: to, why };
        let request = self.request(to, address, COMMAND_PATH, ask)?;
        let deadline = Millis(match ask {
            PeerRequest::Yield { .. } => limits::PEER_YIELD_MS_MAX,
            PeerRequest::Dial { .. } => limits::PEER_DIAL_MS_MAX,
            PeerRequest::Take { .. } => limits::PEER_TAKE_MS_MAX,
            _ => limits::PEER_MS_MAX,
        });
        let answer = self.egress.http(request, deadline).await.map_err(|failure| failed(failure.to_string()))?;
        match answer.status {
            200 => serde_json::from_slice(&answer.body).map_err(|_| failed("an answer that is not one".into())),
            // Another process answers there now: the one that we mean is gone.
            409 => Ok(PeerAnswer::Gone),
            status => Err(failed(format!("it answered {status}"))),
        }
    }

    /// Watches a call at a node. `None` when the node does not have it.
    pub(crate) async fn watch(
        &self,
        to: NodeId,
        address: &str,
        ask: &PeerRequest,
    ) -> Result<Option<ByteStream>, PeerError> {
        let request = self.request(to, address, WATCH_PATH, ask)?;
        let answer = self.egress.http_stream(request, Millis(limits::PEER_MS_MAX)).await;
        match answer.map_err(|failure| PeerError { node: to, why: failure.to_string() })? {
            (200, _, stream) => Ok(Some(stream)),
            (404 | 409, ..) => Ok(None),
            (status, ..) => Err(PeerError { node: to, why: format!("it answered {status}") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_its_key_and_by_all_that_it_says() {
        let (us, them) = (NodeId::generate(), NodeId::generate());
        let (old, new) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let theirs = PeerKeys::new(std::slice::from_ref(&old));
        let ours = PeerKeys::new(&[new, old]);
        let signature = theirs.sign(COMMAND_PATH, us, them, 1_000_000, b"body").expect("signed");
        assert_eq!(ours.check(COMMAND_PATH, us, 1_000_500, &signature, b"body"), Some(them), "an old key still counts");
        assert_eq!(ours.check(COMMAND_PATH, us, 1_060_001, &signature, b"body"), None, "too old");
        assert_eq!(ours.check(COMMAND_PATH, us, 939_999, &signature, b"body"), None, "from the future");
        assert_eq!(ours.check(WATCH_PATH, us, 1_000_500, &signature, b"body"), None);
        assert_eq!(
            ours.check(COMMAND_PATH, NodeId::generate(), 1_000_500, &signature, b"body"),
            None,
            "for another node"
        );
        assert_eq!(ours.check(COMMAND_PATH, us, 1_000_500, &signature, b"bodY"), None);
        for at in 0..signature.len() {
            let mut changed = signature.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).expect("text");
            assert_eq!(ours.check(COMMAND_PATH, us, 1_000_500, &changed, b"body"), None, "{changed}");
        }
        let stranger = PeerKeys::new(&[Secret::new([3; 32])]);
        assert_eq!(stranger.check(COMMAND_PATH, us, 1_000_500, &signature, b"body"), None);
        for nonsense in ["", " ", "a b c", "é é é"] {
            assert_eq!(ours.check(COMMAND_PATH, us, 0, nonsense, b""), None);
        }
    }

    #[test]
    fn a_signature_counts_once_and_is_forgotten_when_it_is_too_old_anyway() {
        let mut seen = Seen::default();
        assert!(seen.is_new("a 1 ab", 1_000));
        assert!(!seen.is_new("a 1 ab", 60_000), "sent again");
        assert!(!seen.is_new("A 1 AB", 60_000), "the same in other letters");
        assert!(seen.is_new("a 1 cd", 60_000));
        assert!(seen.is_new("a 1 ab", 1_001 + 2 * limits::PEER_AGE_MS_MAX), "refused by its age from here on");
        assert_eq!(seen.by_age.len(), 2);
        (0..limits::PEER_SIGNATURES_MAX + 10).for_each(|one| assert!(seen.is_new(&format!("a 1 {one:08}"), 200_000)));
        assert!(seen.by_age.len() <= limits::PEER_SIGNATURES_MAX && seen.known.len() == seen.by_age.len());
    }

    #[test]
    fn requests_and_answers_travel_and_tokens_do_not_print() {
        let next = Next::from(Answer::Connect {
            media_url: "wss://x/media".into(),
            token: "planted".into(),
            next_url: "https://x/voice".into(),
        });
        let text = serde_json::to_string(&PeerAnswer::Next(next.clone())).expect("JSON");
        assert!(!format!("{next:?}").contains("planted"));
        let back: PeerAnswer = serde_json::from_str(&text).expect("an answer");
        let PeerAnswer::Next(back) = back else { panic!("{back:?}") };
        assert!(matches!(Answer::from(back), Answer::Connect { token, .. } if token == "planted"));
    }
}
