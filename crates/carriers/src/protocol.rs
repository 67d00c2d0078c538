//! The traits of a carrier: [`CarrierControl`] for requests and webhooks, [`MediaProtocol`] for one media socket.

use base::wire::{HttpRequest, Wire};
use base::{CallId, ErrorClass, Failure, MarkId, Millis, PhoneNumber, Pii};
use model::call::CallState;
use std::collections::BTreeMap;
use std::fmt;

/// How long an unsigned or timed webhook may be on its way; also how far the clocks may differ.
pub const WEBHOOK_AGE_MS_MAX: u64 = 5 * 60 * 1000;

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

    /// Whether it asks for a WebSocket.
    pub fn is_upgrade(&self) -> bool {
        self.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }

    /// Whether it arrived no more than [`WEBHOOK_AGE_MS_MAX`] away from this moment, in Unix milliseconds.
    pub fn is_fresh(&self, sent_at_ms: i64) -> bool {
        self.received_at_ms.abs_diff(sent_at_ms) <= WEBHOOK_AGE_MS_MAX
    }

    /// The decoded pairs of the query.
    pub fn query(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let text = self.url.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(text.split('#').next().unwrap_or_default().as_bytes()).into_owned()
    }

    /// The fields of a form: the body of a POST, the query of a GET.
    pub fn fields(&self) -> Vec<(String, String)> {
        if self.method.eq_ignore_ascii_case("GET") {
            return self.query().collect();
        }
        form_urlencoded::parse(self.body).into_owned().collect()
    }

    /// Whether the URL is the one that is asked how to go on, see [`resuming`].
    pub fn is_resuming(&self) -> bool {
        self.query().any(|(name, value)| (name.as_str(), value.as_str()) == RESUMED_QUERY)
    }
}

/// Query parameter of the URL that is asked when our media socket ends: platforms have no field that tells such a request
/// from a first one.
const RESUMED_QUERY: (&str, &str) = ("resumed", "1");

/// `next_url` as a URL that [`Inbound::is_resuming`] knows again.
pub fn resuming(next_url: &str) -> String {
    let (name, value) = RESUMED_QUERY;
    let separator = if next_url.contains('?') { '&' } else { '?' };
    format!("{next_url}{separator}{name}={value}")
}

/// What a webhook is for, where its own contents say so.
#[derive(Clone, Debug, PartialEq)]
pub enum WebhookKind {
    /// It brings a call, or asks how to go on with one.
    Voice,
    /// It reports on a call.
    Status,
    /// The platform talks about itself: it is answered without a call, and with these requests, in this order.
    Done {
        /// The answer.
        reply: Reply,
        /// What to send then. Each may be sent again: the platform takes a repeated one as the same.
        requests: Vec<HttpRequest>,
    },
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InboundCall {
    /// The platform's id.
    pub carrier_ref: String,
    /// Who calls.
    pub from: Option<Pii<String>>,
    /// Which of our numbers.
    pub to: Option<PhoneNumber>,
    /// Whether this webhook comes for a call we know already: our media socket ended and the platform asks how to go on.
    pub resumed: bool,
    /// Whether somebody has picked up already. Only platforms that are answered with requests tell.
    pub is_answered: bool,
    /// Names the webhook among its repeats, where the platform does.
    pub delivery: Option<String>,
    /// The platform's code for what ended our media socket, where it was an error.
    pub media_error: Option<String>,
    /// What else the line says about the call, by name: for the agent and for people.
    pub facts: Option<Pii<BTreeMap<String, String>>>,
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
    /// Further headers, lower-case names.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: String,
}

impl Reply {
    /// A status and nothing more.
    pub fn empty(status: u16) -> Self {
        Self::new(status, "text/plain", String::new())
    }

    /// JSON.
    pub fn json(body: &serde_json::Value) -> Self {
        Self::new(200, "application/json", body.to_string())
    }

    /// Any body.
    pub fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, headers: Vec::new(), body }
    }
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
    /// Who picked up, as far as the platform can tell.
    pub answered_by: Option<AnsweredBy>,
    /// Where a recording of the platform's can be fetched, with its credentials.
    pub recording_url: Option<String>,
}

impl StatusReport {
    /// A state and the platform's word for it.
    pub fn new(carrier_ref: impl Into<String>, state: CallState, raw_state: impl Into<String>) -> Self {
        Self {
            carrier_ref: carrier_ref.into(),
            state,
            sequence: None,
            raw_state: raw_state.into(),
            duration_secs: None,
            answered_by: None,
            recording_url: None,
        }
    }
}

/// Who picked up, by an answering-machine detection of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// A person, or it could not be told.
    Human,
    /// A machine that plays its greeting.
    Machine,
    /// A machine whose greeting is over: words are recorded now.
    MachineEnd,
    /// A fax.
    Fax,
}

impl AnsweredBy {
    /// The stable name used in the call's log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Machine => "machine",
            Self::MachineEnd => "machine_end",
            Self::Fax => "fax",
        }
    }
}

/// What a platform may be able to do. What it cannot is a [`CannotDo`] that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Place calls.
    Place,
    /// Answer calls.
    Answer,
    /// Refuse a call before it costs anything.
    Reject,
    /// Carry audio on a media socket. Otherwise it comes by SIP.
    Audio,
    /// Tell which audio was played.
    Marks,
    /// Throw away audio that was not played.
    Clear,
    /// Tell the keys that the customer presses.
    KeysIn,
    /// Press keys beside the audio. Otherwise they are tones in the agent's own audio.
    KeysOut,
    /// End a call.
    HangUp,
    /// Connect the caller to another number.
    TransferCold,
    /// Bring a person to the caller who is asked first: by a second call, whose audio we join with the caller's. All that takes is
    /// placing calls and audio.
    TransferWarm,
    /// Record a call on the platform's side.
    Record,
    /// Tell an answering machine from a person.
    MachineDetection,
    /// Send text messages.
    Text,
}

impl Capability {
    /// All of them, in the order of lists.
    pub const ALL: [Self; 14] = [
        Self::Place,
        Self::Answer,
        Self::Reject,
        Self::Audio,
        Self::Marks,
        Self::Clear,
        Self::KeysIn,
        Self::KeysOut,
        Self::HangUp,
        Self::TransferCold,
        Self::TransferWarm,
        Self::Record,
        Self::MachineDetection,
        Self::Text,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Answer => "answer",
            Self::Reject => "reject",
            Self::Audio => "audio",
            Self::Marks => "marks",
            Self::Clear => "clear",
            Self::KeysIn => "keys_in",
            Self::KeysOut => "keys_out",
            Self::HangUp => "hang_up",
            Self::TransferCold => "transfer_cold",
            Self::TransferWarm => "transfer_warm",
            Self::Record => "record",
            Self::MachineDetection => "machine_detection",
            Self::Text => "text",
        }
    }
}

/// A platform was asked for what it cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotDo {
    /// What.
    pub capability: Capability,
    /// Why, in one line for the operator.
    pub why: &'static str,
}

impl CannotDo {
    /// The platform has nothing for it.
    pub const fn at_all(capability: Capability) -> Self {
        Self { capability, why: "the platform does not offer it" }
    }
}

impl fmt::Display for CannotDo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be done: {}", self.capability.name(), self.why)
    }
}

impl std::error::Error for CannotDo {}

impl From<CannotDo> for Failure {
    fn from(cannot: CannotDo) -> Self {
        Failure::new(ErrorClass::Invalid, cannot.to_string())
    }
}

/// What we want of a call that is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallAction<'a> {
    /// End it.
    HangUp,
    /// Connect the caller to this number and leave.
    Transfer {
        /// Where to.
        to: &'a PhoneNumber,
        /// What the person's phone shows.
        caller_id: Option<&'a PhoneNumber>,
    },
    /// Press these keys, `0-9`, `*`, `#`, `A-D`.
    Press(&'a str),
    /// Record it on the platform's side.
    StartRecording,
    /// Stop that.
    StopRecording,
}

impl CallAction<'_> {
    /// What a platform needs to be able to do for it.
    pub const fn capability(&self) -> Capability {
        match self {
            Self::HangUp => Capability::HangUp,
            Self::Transfer { .. } => Capability::TransferCold,
            Self::Press(_) => Capability::KeysOut,
            Self::StartRecording | Self::StopRecording => Capability::Record,
        }
    }
}

/// How an action is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By this request.
    Request(HttpRequest),
    /// By closing the media socket: the platform then asks how to go on, and the [`Answer`] says it.
    NextAnswer,
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
    /// Where the audio goes, for platforms that want to know before anybody picks up.
    pub media_url: String,
    /// What the media socket presents then.
    pub token: String,
    /// How long to let it ring.
    pub ring: Millis,
    /// Unix milliseconds, for requests that are signed with the time.
    pub now_ms: i64,
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
    /// Unix milliseconds, for requests that are signed with the time.
    pub now_ms: i64,
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
    Refused(Failure),
    /// Nobody knows: the phone may be ringing. Never dial again before this is resolved.
    Unknown(Failure),
}

/// Requests and webhooks of one platform.
///
/// Every request may need a login first, see [`CarrierControl::login`]. Nothing here knows the time: whoever asks says it.
pub trait CarrierControl: Send + Sync {
    /// Registry name.
    fn name(&self) -> &'static str;
    /// What the platform can do as it is set up; `None` for all that its descriptor says.
    fn capabilities(&self) -> Option<&'static [Capability]> {
        None
    }
    /// Whether it recognises and speaks by itself: see [`MediaStart::relays`].
    fn relays_words(&self) -> bool {
        false
    }
    /// Whether the request is the platform's.
    fn authenticate(&self, request: &Inbound<'_>) -> Authenticity;
    /// Whether the upgrade to a media socket is the platform's. Its token has to fit too.
    fn authenticate_media(&self, request: &Inbound<'_>) -> Authenticity {
        self.authenticate(request)
    }
    /// Whether webhooks may be queries (GET) as well as bodies.
    fn takes_queries(&self) -> bool {
        false
    }
    /// What a webhook is for, where its contents say so; `None` when the address it came to does.
    fn webhook_kind(&self, _request: &Inbound<'_>) -> Option<WebhookKind> {
        None
    }
    /// The call that a voice webhook brings.
    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, Failure>;
    /// Our answer to it, in the platform's words.
    fn answer(&self, call: &InboundCall, answer: &Answer) -> Reply;
    /// What has to be sent beside the reply, in this order, for the answer to happen. Each may be sent again: the platform
    /// takes a repeated one as the same.
    fn follow_up(&self, _call: &InboundCall, _answer: &Answer, _now_ms: i64) -> Vec<HttpRequest> {
        Vec::new()
    }
    /// Whether the platform itself speaks what [`Answer::SayAndHangUp`] says.
    fn has_voice(&self) -> bool {
        false
    }
    /// The report that a status webhook brings; `None` for reports we do not need.
    fn status(&self, request: &Inbound<'_>) -> Result<Option<StatusReport>, Failure>;
    /// The request that must be answered before any other can be made, when the last login is over or there was none.
    fn login(&self, _now_ms: i64) -> Option<HttpRequest> {
        None
    }
    /// Takes the answer to a login. `None` when no answer came.
    fn login_reply(&self, _answer: Option<(u16, &[u8])>, _now_ms: i64) -> Result<(), Failure> {
        Ok(())
    }
    /// The request that places a call.
    fn dial(&self, attempt: &DialAttempt) -> Result<HttpRequest, CannotDo>;
    /// What the answer to it means. `None` when no answer came.
    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply;
    /// The request that sends a text message.
    fn text_message(&self, _message: &TextMessage<'_>) -> Result<HttpRequest, CannotDo> {
        Err(CannotDo::at_all(Capability::Text))
    }
    /// What the answer to it means, in the words for an attempt to call. `None` when no answer came.
    fn text_message_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        self.dial_reply(answer)
    }
    /// How an action on a call is done.
    fn act(&self, carrier_ref: &str, action: CallAction<'_>, now_ms: i64) -> Result<Way, CannotDo>;
    /// Whether it was done. A call that was over already is hung up. `None` when no answer came.
    fn act_reply(&self, action: CallAction<'_>, answer: Option<(u16, &[u8])>) -> Result<(), Failure>;
}

/// The audio of one media socket. One value per socket.
pub trait MediaProtocol: Send {
    /// Samples per second of [`MediaSink::pcm`] and of the audio commands; known after the start event.
    fn sample_rate_hz(&self) -> u32;
    /// Samples of one frame to the platform.
    fn frame_samples(&self) -> usize {
        self.sample_rate_hz() as usize / 50
    }
    /// Frames that one message may hold. More than one saves messages where the platform takes any length.
    fn message_frames_max(&self) -> usize {
        1
    }
    /// Frames between two marks, at least. A mark makes what was not sent yet go out, and where the platform takes audio in
    /// long pieces, one that comes sooner would fill the piece up with silence.
    fn mark_frames_min(&self) -> u32 {
        1
    }
    /// Whether [`MediaCommand::Keys`] presses keys. Otherwise they go by request, or as tones in the audio.
    fn takes_keys(&self) -> bool {
        false
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
    /// The platform heard these words, of a socket that [relays words](MediaStart::relays).
    Words {
        /// All that the customer has said since they were last said to be done.
        text: Pii<String>,
        /// Whether they are done.
        is_last: bool,
    },
    /// The platform hears the customer begin or stop to speak.
    CustomerSpeaks(bool),
    /// The platform begins or stops to speak what it was given.
    AgentSpeaks(bool),
    /// The platform has spoken these words of what it was given.
    Spoken(Pii<String>),
    /// The platform fell silent because the customer spoke or pressed a key. The words that it had spoken until then; what it
    /// was given behind them will not be spoken.
    CutOff(Pii<String>),
    /// The platform did not take a message of ours.
    Refused,
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
    /// The platform recognises and speaks: the socket carries words, and no audio either way.
    pub relays: Option<Relays>,
}

/// How a platform relays words.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Relays {
    /// The language in which it listens and speaks, as BCP 47 writes it, until it is told another.
    pub language: Option<String>,
}

/// What we tell a media socket.
#[derive(Clone, Copy, Debug)]
pub enum MediaCommand<'a> {
    /// Play one frame, or several up to [`MediaProtocol::message_frames_max`].
    Audio(&'a [i16]),
    /// Tell us when everything before this was played.
    Mark(MarkId),
    /// Throw away what was not played yet.
    Clear,
    /// Press these keys, where [`MediaProtocol::takes_keys`]: `0-9 A-D * #`.
    Keys(&'a str),
    /// Speak this, on a socket that [relays words](MediaStart::relays); others ignore it, as they ignore the two below.
    Say {
        /// The words; may be empty to say that nothing follows.
        text: &'a str,
        /// Whether nothing follows that belongs to it.
        is_last: bool,
        /// Whether the customer may interrupt it.
        is_interruptible: bool,
    },
    /// Listen and speak in this language (BCP 47) from now on.
    Language(&'a str),
    /// Leave the call, for this reason in one word: the platform closes the socket and asks how to go on.
    Leave(&'a str),
    /// A live event for the person on the page; platforms without a page ignore it. Already JSON.
    Live(&'a str),
}
