//! The traits of a carrier: [`CarrierControl`] for requests and webhooks, [`MediaProtocol`] for one media socket.

use base::wire::{HttpRequest, Wire};
use base::{CallId, MarkId, Millis, PhoneNumber, Pii};
use model::call::CallState;

/// One inbound HTTP request or WebSocket upgrade, as the server received it.
#[derive(Clone, Debug)]
pub struct Inbound<'a> {
    /// `GET`, `POST`, ….
    pub method: &'a str,
    /// The whole URL as the platform called it: scheme, host, path, query. The shell rebuilds it behind proxies.
    pub url: &'a str,
    /// Headers with lower-case names, in order.
    pub headers: &'a [(&'a str, &'a str)],
    /// Raw body.
    pub body: &'a [u8],
    /// Unix milliseconds of arrival.
    pub received_at_ms: i64,
}

impl Inbound<'_> {
    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// Whether an inbound request is the platform's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authenticity {
    /// It is. The key names this delivery; a second one with the same key is a replay.
    Genuine {
        /// Names the delivery.
        replay_key: Option<String>,
    },
    /// It is not.
    Forged {
        /// One line for the operator, without the request's contents.
        why: &'static str,
    },
    /// It was once, but is too old.
    Stale,
}

/// A call the platform brings us.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundCall {
    /// The platform's id.
    pub carrier_ref: String,
    /// Who calls.
    pub from: Option<Pii<String>>,
    /// Which of our numbers.
    pub to: Option<PhoneNumber>,
    /// Whether this webhook comes for a call we know already: our media socket ended and the platform asks how to go on.
    pub resumed: bool,
}

/// What we answer to an inbound call.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Bring the audio to this media socket.
    Connect {
        /// `wss://…` of the media socket.
        media_url: String,
        /// Single-use token that the media socket presents.
        token: String,
        /// Where the platform asks how to go on when the media socket ends.
        next_url: String,
    },
    /// All lines are taken.
    Busy,
    /// We do not take this call.
    Reject,
    /// Say this and hang up.
    SayAndHangUp {
        /// The words.
        text: String,
    },
    /// The conversation is over: hang up.
    HangUp,
    /// Connect the caller to this number (cold transfer).
    Transfer {
        /// Where to.
        to: PhoneNumber,
        /// What the person's phone shows; the called number when absent.
        caller_id: Option<PhoneNumber>,
    },
}

/// An HTTP answer to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Content type.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
}

/// A report on a call's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// The platform's id.
    pub carrier_ref: String,
    /// The state it reports.
    pub state: CallState,
    /// The platform's order among its reports, where it gives one.
    pub sequence: Option<u64>,
    /// The platform's own words, for the call log.
    pub raw_state: String,
    /// Billed seconds, where it says so.
    pub duration_secs: Option<u64>,
}

/// One attempt to place a call.
#[derive(Clone, Debug)]
pub struct DialAttempt {
    /// The call it is for; travels to the platform and back.
    pub call: CallId,
    /// Who to call.
    pub to: PhoneNumber,
    /// Our number.
    pub from: PhoneNumber,
    /// Where the platform asks what to do when somebody picks up.
    pub answer_url: String,
    /// Where the platform reports states.
    pub status_url: String,
    /// How long to let it ring.
    pub ring: Millis,
}

/// A text message to a phone.
#[derive(Clone, Copy, Debug)]
pub struct TextMessage<'a> {
    /// Whose phone.
    pub to: &'a PhoneNumber,
    /// Our number.
    pub from: &'a PhoneNumber,
    /// The words.
    pub text: &'a str,
}

/// What the platform said to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialReply {
    /// It will dial; this is its id.
    Accepted {
        /// The platform's id.
        carrier_ref: String,
    },
    /// It will not.
    Refused(base::Failure),
    /// Nobody knows: the phone may be ringing. Never dial again before this is resolved.
    Unknown(base::Failure),
}

/// Requests and webhooks of one platform.
pub trait CarrierControl: Send + Sync {
    /// Registry name.
    fn name(&self) -> &'static str;
    /// Whether the request is the platform's.
    fn authenticate(&self, request: &Inbound<'_>) -> Authenticity;
    /// The call that a voice webhook brings.
    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, base::Failure>;
    /// Our answer to it, in the platform's words.
    fn answer(&self, answer: &Answer) -> Reply;
    /// Whether the platform itself speaks what [`Answer::SayAndHangUp`] says.
    fn has_voice(&self) -> bool {
        false
    }
    /// The report that a status webhook brings; `None` for reports we do not need.
    fn status(&self, request: &Inbound<'_>) -> Result<Option<StatusReport>, base::Failure>;
    /// The request that places a call; `None` when the platform cannot place calls.
    fn dial(&self, attempt: &DialAttempt) -> Option<HttpRequest>;
    /// What the answer to it means. `None` when no answer came.
    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply;
    /// The request that sends a text message; `None` when the platform sends none.
    fn text_message(&self, _message: &TextMessage<'_>) -> Option<HttpRequest> {
        None
    }
    /// What the answer to it means, in the words for an attempt to call. `None` when no answer came.
    fn text_message_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        self.dial_reply(answer)
    }
    /// The request that ends a call; `None` when closing the media socket does.
    fn hang_up(&self, carrier_ref: &str) -> Option<HttpRequest>;
    /// Whether the answer to a hang-up means that the call is over (also when it was over already).
    fn hang_up_done(&self, status: u16, body: &[u8]) -> bool;
}

/// The audio of one media socket. One value per socket.
pub trait MediaProtocol: Send {
    /// Samples per second of [`MediaSink::pcm`] and of the audio commands; known after the start event.
    fn sample_rate_hz(&self) -> u32;
    /// Samples of one frame to the platform.
    fn frame_samples(&self) -> usize {
        self.sample_rate_hz() as usize / 50
    }
    /// Turns one message into audio and events. Never panics; a message that the protocol does not allow yields
    /// [`MediaEvent::Violation`].
    fn on_text(&mut self, text: &str, sink: &mut MediaSink);
    /// As `on_text`, for a binary message.
    fn on_binary(&mut self, bytes: &[u8], sink: &mut MediaSink);
    /// Turns a command into messages.
    fn on_command(&mut self, command: MediaCommand<'_>, out: &mut Vec<Wire>);
}

/// What came out of one or more messages. Reused, so that a frame allocates nothing.
#[derive(Debug, Default)]
pub struct MediaSink {
    /// Decoded 16-bit mono audio, appended.
    pub pcm: Vec<i16>,
    /// Everything that is not audio.
    pub events: Vec<MediaEvent>,
    /// Audio messages that were dropped because they came out of order, counted up.
    pub frames_dropped: u64,
}

/// What a media socket reports.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// The stream began. Exactly once, first.
    Started(MediaStart),
    /// A key was pressed.
    Dtmf(Pii<char>),
    /// Everything before this mark was played (or cleared: compare with what was cleared).
    Mark(MarkId),
    /// The customer typed this.
    Typed(Pii<String>),
    /// The customer asked for silence (the Interrupt button of a page).
    Interrupted,
    /// The customer asked to end (the End button of a page).
    HangUp,
    /// The stream is over.
    Stopped,
    /// The message broke the protocol; close the socket with this code.
    Violation {
        /// WebSocket close code.
        code: u16,
        /// One line for the operator.
        why: &'static str,
    },
}

/// How a stream began.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct MediaStart {
    /// The platform's id of the call.
    pub carrier_ref: Option<String>,
    /// The platform's id of the stream.
    pub stream_ref: Option<String>,
    /// The single-use token of the answer.
    pub token: Option<String>,
    /// The agent asked for, where a page chooses one.
    pub agent: Option<String>,
    /// The conversation is written: nothing is spoken or listened to.
    pub is_written: bool,
}

/// What we tell a media socket.
#[derive(Clone, Copy, Debug)]
pub enum MediaCommand<'a> {
    /// Play one frame.
    Audio(&'a [i16]),
    /// Tell us when everything before this was played.
    Mark(MarkId),
    /// Throw away what was not played yet.
    Clear,
    /// A live event for the person on the page; platforms without a page ignore it. Already JSON.
    Live(&'a str),
}
