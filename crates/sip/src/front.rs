//! What the owner of an endpoint is asked and told.

use async_trait::async_trait;
use base::wire::Wire;
use base::{PhoneNumber, Pii};
use model::call::CallState;
use std::net::IpAddr;
use tokio::sync::mpsc;

/// What the network says about the number of a caller (STIR/SHAKEN, RFC 8588).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attestation {
    /// The telephone company knows the caller and that the number is theirs.
    Full,
    /// It knows the caller.
    Partial,
    /// It knows where the call came from.
    Gateway,
}

/// Somebody calls.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Names the call: its Call-ID.
    pub call_ref: String,
    /// Over which trunk.
    pub trunk: String,
    /// Who calls: the number that the network vouches for, else the one that the caller gives. Absent when withheld.
    pub from: Option<Pii<String>>,
    /// Whom they called, as the trunk writes it.
    pub to: String,
    /// From whom the call was diverted.
    pub diverted_from: Option<Pii<String>>,
    /// What the trunk claims about the caller's number; nobody has verified the claim.
    pub attestation: Option<Attestation>,
    /// Headers that begin with `X-`.
    pub headers: Vec<(String, Pii<String>)>,
    /// From where.
    pub source: IpAddr,
}

/// What is answered to somebody who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Pick up. The token opens the line at the owner's side.
    Answer {
        /// Shown in the line's first message.
        token: String,
    },
    /// All lines are taken.
    Busy,
    /// Somebody else answers: whoever calls may call them instead (RFC 3261, 21.3.3).
    Moved {
        /// Their number, at the trunk that brought the call.
        to: PhoneNumber,
    },
    /// Nobody has this number.
    NoSuchNumber,
    /// We do not take this call.
    Declined,
    /// Something is broken; come back later.
    Unavailable,
}

/// How a call goes on whose line the owner has closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It does not.
    HangUp,
    /// With another line.
    Connect {
        /// Shown in the line's first message.
        token: String,
    },
}

/// The audio of a call: `carriers::sip` says what the messages mean. Dropping it ends the line.
#[derive(Debug)]
pub struct Line {
    /// What the leg says.
    pub from_leg: mpsc::Receiver<Wire>,
    /// What the leg is told.
    pub to_leg: mpsc::Sender<Wire>,
}

/// How the audio of a leg was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Packets sent.
    pub sent: u64,
    /// Packets received.
    pub received: u64,
    /// Packets that did not arrive.
    pub lost: u64,
    /// Frames that came too late to be played.
    pub late: u64,
    /// Frames that were filled in.
    pub concealed: u64,
    /// Interarrival jitter, in milliseconds.
    pub jitter_ms: f64,
    /// There and back, in milliseconds, where the other side reports.
    pub round_trip_ms: Option<f64>,
    /// What the other side says it lost of ours, in percent.
    pub far_loss_percent: Option<f64>,
    /// Estimated mean opinion score of what we heard, 1 to 4.5; absent when nothing was heard.
    pub mos: Option<f64>,
}

/// Something happened to a call.
#[derive(Clone, Debug)]
pub struct Report {
    /// Names the call.
    pub call_ref: String,
    /// Where it stands now.
    pub state: CallState,
    /// The answer that says so, where there is one.
    pub status: Option<u16>,
    /// How its audio was; with the last report.
    pub quality: Option<Quality>,
}

/// The owner of an endpoint. Every method has a deadline of the endpoint's; an owner that does not answer in time is taken to
/// have refused.
#[async_trait]
pub trait Front: Send + Sync + 'static {
    /// Somebody calls.
    async fn invited(&self, invite: Invite) -> Verdict;
    /// A call was picked up, by us or by the person we called, and its audio flows. For a call that we placed, the owner
    /// says with which token its line opens; `None` hangs up.
    async fn picked_up(&self, call_ref: &str) -> Option<String>;
    /// The line of a call; its first message is its start.
    async fn connected(&self, call_ref: &str, line: Line);
    /// The owner has closed the line. How does the call go on?
    async fn line_ended(&self, call_ref: &str) -> Next;
    /// Somebody else has taken the place of whoever was in a call (RFC 3891); what their own request says. The line goes on.
    async fn replaced(&self, _call_ref: &str, _by: Invite) {}
    /// Something happened.
    async fn reported(&self, report: Report);
}
