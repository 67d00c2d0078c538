//! Telnyx Call Control, version 2: one address for all webhooks, which are answered with commands; media streams in RTP
//! mode.
//!
//! Sources: developers.telnyx.com (Voice API commands and webhooks, media streaming, webhook signing) and the official
//! client libraries. What a later webhook must know travels in `client_state`, which the platform echoes on every one.

mod media;
#[cfg(test)]
pub(crate) mod tests;

pub use media::TelnyxMedia;

/// The name by which the registry knows it.
pub type Media = TelnyxMedia;

use crate::protocol::{
    Answer, AnsweredBy, Authenticity, CallAction, CannotDo, Capability, CarrierControl, DialAttempt, DialReply,
    Inbound, InboundCall, Reply, StatusReport, TextMessage, Way, WebhookKind,
};
use crate::registry::{Control, Descriptor, Door, MACHINE_DETECTION, Setting, Settings};
use crate::rest;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base::wire::{HttpRequest, Method};
use base::{ErrorClass, Failure, Pii, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::call::CallState;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Where the API is, unless configured.
pub const API_BASE: &str = "https://api.telnyx.com/v2";
const SIGNATURE_HEADER: &str = "telnyx-signature-ed25519";
const TIMESTAMP_HEADER: &str = "telnyx-timestamp";
/// How long the platform may let a phone ring, in seconds.
const RING_SECS: (u64, u64) = (5, 600);
/// Longest text of one speak command.
const SPEAK_CHARS_MAX: usize = 3_000;
/// The code of a command for a call that is over.
const CALL_IS_OVER: &str = "90018";

const API_KEY: Setting = Setting {
    key: "api_key",
    env: "TELNYX_API_KEY",
    doc: "The key for requests, KEY…. Needed to answer and place calls.",
};
const PUBLIC_KEY: Setting = Setting {
    key: "public_key",
    env: "TELNYX_PUBLIC_KEY",
    doc: "The account's public key, base64. Checks every webhook; without it the platform is switched off.",
};
const CONNECTION_ID: Setting = Setting {
    key: "connection_id",
    env: "TELNYX_CONNECTION_ID",
    doc: "The Call Control application that places calls.",
};
const LANGUAGE: Setting =
    Setting { key: "language", env: "", doc: "The language of the platform's own voice; en-US by default." };
const BASE_URL: Setting =
    Setting { key: "base_url", env: "TELNYX_BASE_URL", doc: "The API with its version, or a twin on loopback." };

/// What the registry knows of it.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "telnyx",
    title: "Telnyx",
    door: Door::Platform,
    capabilities: &[
        Capability::Place,
        Capability::Answer,
        Capability::Reject,
        Capability::Audio,
        Capability::Marks,
        Capability::Clear,
        Capability::KeysIn,
        Capability::KeysOut,
        Capability::HangUp,
        Capability::TransferCold,
        Capability::TransferWarm,
        Capability::Record,
        Capability::MachineDetection,
        Capability::Text,
    ],
    modes: &[],
    settings: &[API_KEY, PUBLIC_KEY, CONNECTION_ID, LANGUAGE, MACHINE_DETECTION, BASE_URL],
    control,
};

fn control(settings: &Settings<'_>) -> Control {
    let (api_key, public_key) = match (settings.get(&API_KEY), settings.get(&PUBLIC_KEY)) {
        (Some(api_key), Some(public_key)) => (api_key, public_key),
        (None, None) => return Ok(None),
        (Some(_), None) => return Err("api_key is set but public_key is not: webhooks could not be checked".into()),
        (None, Some(_)) => return Err("public_key is set but api_key is not: calls could not be answered".into()),
    };
    let public_key = STANDARD.decode(public_key.expose().trim()).ok().filter(|key| key.len() == 32);
    let text = |setting: &Setting| settings.get(setting).map(|value| value.expose().clone());
    Ok(Some(Arc::new(TelnyxControl {
        api_key,
        public_key: public_key.ok_or("public_key is not the base64 of 32 bytes")?,
        connection_id: text(&CONNECTION_ID),
        language: text(&LANGUAGE).unwrap_or_else(|| "en-US".to_owned()),
        detects_machines: settings.is_on(&MACHINE_DETECTION)?,
        api_base: text(&BASE_URL).map_or_else(|| API_BASE.to_owned(), |url| url.trim_end_matches('/').to_owned()),
    })))
}

/// Requests and webhooks of one account.
#[derive(Debug)]
pub struct TelnyxControl {
    api_key: Secret<String>,
    public_key: Vec<u8>,
    connection_id: Option<String>,
    language: String,
    detects_machines: bool,
    api_base: String,
}

/// What `client_state` says of a call.
#[derive(Debug, PartialEq, Eq)]
enum Note {
    /// We placed it, and nobody has picked up yet.
    Dialled,
    /// Its media socket shows this token.
    Media(String),
    /// It is answered only to be told this.
    Say(String),
    /// It was told, or left: it needs nothing more of us.
    Told,
    Left,
}

impl Note {
    fn write(&self) -> String {
        STANDARD.encode(match self {
            Self::Dialled => "dialled".to_owned(),
            Self::Media(token) => format!("media {token}"),
            Self::Say(text) => format!("say {text}"),
            Self::Told => "told".to_owned(),
            Self::Left => "left".to_owned(),
        })
    }

    fn read(state: &str) -> Option<Self> {
        let text = String::from_utf8(STANDARD.decode(state).ok()?).ok()?;
        match text.split_once(' ').unwrap_or((&text, "")) {
            ("dialled", "") => Some(Self::Dialled),
            ("media", token) => Some(Self::Media(token.to_owned())),
            ("say", text) => Some(Self::Say(text.to_owned())),
            ("told", "") => Some(Self::Told),
            ("left", "") => Some(Self::Left),
            _ => None,
        }
    }
}

/// The token that a media socket shows.
fn token_of(client_state: &str) -> Option<String> {
    match Note::read(client_state) {
        Some(Note::Media(token)) => Some(token),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Webhook {
    data: Event,
}

#[derive(Deserialize)]
struct Event {
    event_type: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    payload: Payload,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    call_control_id: String,
    client_state: Option<String>,
    direction: Option<String>,
    from: Option<String>,
    to: Option<String>,
    result: Option<String>,
    hangup_cause: Option<String>,
    recording_urls: Value,
}

impl Event {
    fn read(request: &Inbound<'_>) -> Result<Self, Failure> {
        let read = serde_json::from_slice::<Webhook>(request.body).map(|webhook| webhook.data);
        read.map_err(|_| Failure::new(ErrorClass::Protocol, "a webhook that is not of the platform's form"))
    }

    fn note(&self) -> Option<Note> {
        self.payload.client_state.as_deref().and_then(Note::read)
    }

    fn is_incoming(&self) -> bool {
        self.payload.direction.as_deref() == Some("incoming")
    }

    fn call(&self) -> Result<&str, Failure> {
        let id = Some(self.payload.call_control_id.as_str()).filter(|id| rest::is_id(id));
        id.ok_or_else(|| Failure::new(ErrorClass::Protocol, "the webhook names no call (call_control_id)"))
    }
}

impl TelnyxControl {
    fn request(&self, path: &str, body: &Value) -> HttpRequest {
        rest::json(Method::Post, format!("{}{path}", self.api_base), rest::bearer(self.api_key.expose()), body)
    }

    /// A command that the platform carries out once, however often it gets it.
    fn command(&self, call: &str, verb: &str, delivery: &str, mut body: Value, note: Option<&Note>) -> HttpRequest {
        body["command_id"] = rest::sha256(format!("{verb} {call} {delivery}").as_bytes()).into();
        if let Some(note) = note {
            body["client_state"] = note.write().into();
        }
        self.request(&format!("/calls/{call}/actions/{verb}"), &body)
    }

    fn speak(&self, call: &str, delivery: &str, text: &str) -> HttpRequest {
        let payload: String = text.chars().take(SPEAK_CHARS_MAX).collect();
        let body = json!({ "payload": payload, "voice": "female", "language": self.language });
        self.command(call, "speak", delivery, body, Some(&Note::Told))
    }
}

/// Without the mode the platform throws our audio away, and without the codec the leg's own would have to be guessed.
fn stream(media_url: &str) -> Value {
    json!({
        "stream_url": media_url,
        "stream_track": "inbound_track",
        "stream_codec": "PCMU",
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": "PCMU",
    })
}

impl CarrierControl for TelnyxControl {
    fn name(&self) -> &'static str {
        DESCRIPTOR.name
    }

    fn authenticate(&self, request: &Inbound<'_>) -> Authenticity {
        let forged = |why| Authenticity::Forged { why };
        let (Some(signature), Some(sent)) = (request.header(SIGNATURE_HEADER), request.header(TIMESTAMP_HEADER)) else {
            return forged("no signature");
        };
        let Ok(signature) = STANDARD.decode(signature.trim()) else {
            return forged("the signature is not base64");
        };
        let signed = [sent.as_bytes(), b"|", request.body].concat();
        if UnparsedPublicKey::new(&ED25519, &self.public_key).verify(&signed, &signature).is_err() {
            return forged("the signature does not fit");
        }
        let sent_at_ms = sent.parse::<i64>().ok().and_then(|secs| secs.checked_mul(1000));
        match sent_at_ms.filter(|at_ms| request.is_fresh(*at_ms)) {
            None => Authenticity::Stale,
            // The platform signs each attempt anew; the event is what is delivered once.
            Some(_) => Authenticity::Genuine {
                replay_key: Event::read(request).ok().map(|event| event.id).filter(|id| !id.is_empty()),
            },
        }
    }

    /// The upgrade carries nothing of the platform's: the token within admits it.
    fn authenticate_media(&self, _: &Inbound<'_>) -> Authenticity {
        Authenticity::Genuine { replay_key: None }
    }

    fn webhook_kind(&self, request: &Inbound<'_>) -> Option<WebhookKind> {
        let done = |requests| Some(WebhookKind::Done { reply: Reply::empty(200), requests });
        let Ok(event) = Event::read(request) else { return None };
        let (Ok(call), note) = (event.call(), event.note()) else { return done(Vec::new()) };
        match (&*event.event_type, note) {
            ("call.initiated", _) if event.is_incoming() => Some(WebhookKind::Voice),
            ("call.answered", Some(Note::Dialled)) => Some(WebhookKind::Voice),
            ("call.answered", Some(Note::Say(text))) => done(vec![self.speak(call, &event.id, &text)]),
            ("call.speak.ended", Some(Note::Told)) => {
                done(vec![self.command(call, "hangup", &event.id, json!({}), None)])
            }
            ("streaming.stopped" | "streaming.failed", Some(Note::Media(_))) => Some(WebhookKind::Voice),
            ("call.initiated" | "call.answered" | "call.hangup" | "call.recording.saved", _) => {
                Some(WebhookKind::Status)
            }
            (machine, _) if machine.starts_with("call.machine.") => Some(WebhookKind::Status),
            _ => done(Vec::new()),
        }
    }

    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, Failure> {
        let event = Event::read(request)?;
        Ok(InboundCall {
            carrier_ref: event.call()?.to_owned(),
            from: event.payload.from.as_deref().map(|from| Pii::new(rest::caller(from))),
            to: event.payload.to.as_deref().and_then(rest::number),
            resumed: event.event_type.starts_with("streaming."),
            is_answered: event.event_type != "call.initiated",
            delivery: Some(event.id.clone()),
            ..InboundCall::default()
        })
    }

    fn answer(&self, _: &InboundCall, _: &Answer) -> Reply {
        Reply::empty(200)
    }

    fn follow_up(&self, call: &InboundCall, answer: &Answer, _: i64) -> Vec<HttpRequest> {
        let delivery = call.delivery.as_deref().unwrap_or_default();
        let command = |verb: &str, body: Value, note: Option<&Note>| {
            vec![self.command(&call.carrier_ref, verb, delivery, body, note)]
        };
        match answer {
            Answer::Connect { media_url, token, .. } => {
                let verb = if call.is_answered { "streaming_start" } else { "answer" };
                command(verb, stream(media_url), Some(&Note::Media(token.clone())))
            }
            Answer::SayAndHangUp { text } if call.is_answered => vec![self.speak(&call.carrier_ref, delivery, text)],
            Answer::SayAndHangUp { text } => command("answer", json!({}), Some(&Note::Say(text.clone()))),
            Answer::Busy if !call.is_answered => command("reject", json!({ "cause": "USER_BUSY" }), None),
            Answer::Reject | Answer::HangUp if !call.is_answered => {
                command("reject", json!({ "cause": "CALL_REJECTED" }), None)
            }
            Answer::Busy | Answer::Reject | Answer::HangUp => command("hangup", json!({}), None),
            Answer::Transfer { to, caller_id } => {
                let mut body = json!({ "to": to.expose() });
                if let Some(number) = caller_id {
                    body["from"] = number.expose().into();
                }
                command("transfer", body, Some(&Note::Left))
            }
        }
    }

    fn has_voice(&self) -> bool {
        true
    }

    fn status(&self, request: &Inbound<'_>) -> Result<Option<StatusReport>, Failure> {
        let event = Event::read(request)?;
        let payload = &event.payload;
        let result = payload.result.as_deref().unwrap_or_default();
        let cause = payload.hangup_cause.as_deref().unwrap_or_default();
        let (state, raw) = match &*event.event_type {
            "call.initiated" => (CallState::Initiated, "initiated"),
            "call.answered" => (CallState::Answered, "answered"),
            "call.hangup" => (ended(cause), cause),
            "call.recording.saved" => (CallState::Answered, "recording saved"),
            machine if machine.starts_with("call.machine.") => (CallState::Answered, result),
            _ => return Ok(None),
        };
        let answered_by = event.event_type.starts_with("call.machine.").then_some(match result {
            "machine" => AnsweredBy::Machine,
            "fax_detected" => AnsweredBy::Fax,
            "beep_detected" | "ended" => AnsweredBy::MachineEnd,
            _ => AnsweredBy::Human,
        });
        let recording = payload.recording_urls.get("wav").or_else(|| payload.recording_urls.get("mp3"));
        Ok(Some(StatusReport {
            answered_by,
            recording_url: recording.and_then(Value::as_str).map(str::to_owned),
            ..StatusReport::new(event.call()?, state, raw)
        }))
    }

    fn dial(&self, attempt: &DialAttempt) -> Result<HttpRequest, CannotDo> {
        let connection_id = self.connection_id.as_ref();
        let why = "connection_id is not set";
        let connection_id = connection_id.ok_or(CannotDo { capability: Capability::Place, why })?;
        let mut body = json!({
            "connection_id": connection_id,
            "to": attempt.to.expose(),
            "from": attempt.from.expose(),
            "timeout_secs": rest::seconds(attempt.ring, RING_SECS.0, RING_SECS.1),
            "client_state": Note::Dialled.write(),
            "command_id": attempt.call.to_string(),
            "webhook_url": attempt.answer_url,
            "webhook_url_method": "POST",
        });
        if self.detects_machines {
            body["answering_machine_detection"] = "greeting_end".into();
        }
        Ok(self.request("/calls", &body))
    }

    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        rest::dialled(answer, |body| rest::text_at(body, "/data/call_control_id"), rest::refusal)
    }

    fn text_message(&self, message: &TextMessage<'_>) -> Result<HttpRequest, CannotDo> {
        let body = json!({ "from": message.from.expose(), "to": message.to.expose(), "text": message.text });
        Ok(self.request("/messages", &body))
    }

    fn text_message_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        rest::dialled(answer, |body| rest::text_at(body, "/data/id"), rest::refusal)
    }

    fn act(&self, carrier_ref: &str, action: CallAction<'_>, now_ms: i64) -> Result<Way, CannotDo> {
        let capability = action.capability();
        if !rest::is_id(carrier_ref) {
            return Err(CannotDo { capability, why: "this is no id of a call" });
        }
        let (verb, body, note) = match action {
            CallAction::HangUp => ("hangup", json!({}), None),
            CallAction::Transfer { to, caller_id } => {
                let mut body = json!({ "to": to.expose() });
                if let Some(number) = caller_id {
                    body["from"] = number.expose().into();
                }
                ("transfer", body, Some(Note::Left))
            }
            CallAction::Press(keys) => ("send_dtmf", json!({ "digits": rest::keys(keys) }), None),
            CallAction::StartRecording => ("record_start", json!({ "channels": "dual", "format": "wav" }), None),
            CallAction::StopRecording => ("record_stop", json!({}), None),
        };
        Ok(Way::Request(self.command(carrier_ref, verb, &now_ms.to_string(), body, note.as_ref())))
    }

    fn act_reply(&self, action: CallAction<'_>, answer: Option<(u16, &[u8])>) -> Result<(), Failure> {
        let is_over = |body: &[u8]| rest::text_at(body, "/errors/0/code").is_some_and(|code| code == CALL_IS_OVER);
        match answer {
            Some((_, body)) if action == CallAction::HangUp && is_over(body) => Ok(()),
            answer => rest::acted(action, answer),
        }
    }
}

/// Source: developers.telnyx.com, the webhook `call.hangup`.
fn ended(cause: &str) -> CallState {
    match cause {
        "normal_clearing" | "time_limit" => CallState::Completed,
        "timeout" | "no_answer" => CallState::NoAnswer,
        "user_busy" => CallState::Busy,
        "originator_cancel" => CallState::Canceled,
        _ => CallState::Failed,
    }
}
