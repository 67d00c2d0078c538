//! Plivo Voice: signed webhooks, XML answers, REST dialling, audio streams.
//!
//! Sources: plivo.com/docs/voice (API, XML, signature validation, audio streaming) and the official client libraries.

mod media;
#[cfg(test)]
pub(crate) mod tests;

pub use media::PlivoMedia;

/// The name by which the registry knows it.
pub type Media = PlivoMedia;

use crate::protocol::{
    Answer, AnsweredBy, Authenticity, CallAction, CannotDo, Capability, CarrierControl, DialAttempt, DialReply,
    Inbound, InboundCall, Reply, StatusReport, TextMessage, Way, resuming,
};
use crate::registry::{Control, Descriptor, Door, MACHINE_DETECTION, Setting, Settings};
use crate::rest;
use crate::xml::{Answering, element, response};
use aws_lc_rs::hmac;
use base::wire::{HttpRequest, Method};
use base::{ErrorClass, Failure, Pii, Secret, limits};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::call::CallState;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the API is, unless configured.
pub const API_BASE: &str = "https://api.plivo.com";
const SIGNATURE_HEADER: &str = "x-plivo-signature-v3";
const NONCE_HEADER: &str = "x-plivo-signature-v3-nonce";
/// Longest text of one Speak element.
const SPEAK_CHARS_MAX: usize = 3_000;
/// How long a transferred call rings.
const TRANSFER_RING_SECS: &str = "30";
/// Longest ringing that we ask for, in seconds.
const RING_SECS_MAX: u64 = 600;
/// What a stream may carry.
const CONTENT_TYPES: [&str; 3] = ["audio/x-mulaw;rate=8000", "audio/x-l16;rate=8000", "audio/x-l16;rate=16000"];

const AUTH_ID: Setting =
    Setting { key: "auth_id", env: "PLIVO_AUTH_ID", doc: "The account, MA…. Needed to place calls and end them." };
const AUTH_TOKEN: Setting = Setting {
    key: "auth_token",
    env: "PLIVO_AUTH_TOKEN",
    doc: "The account's token. Checks every webhook; without it the platform is switched off.",
};
const CONTENT_TYPE: Setting = Setting {
    key: "content_type",
    env: "",
    doc: "What streams carry: audio/x-mulaw;rate=8000 (the default), audio/x-l16;rate=8000 or audio/x-l16;rate=16000.",
};
const BASE_URL: Setting =
    Setting { key: "base_url", env: "PLIVO_BASE_URL", doc: "The REST API, or a twin on loopback." };

/// What the registry knows of it.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "plivo",
    title: "Plivo",
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
    settings: &[AUTH_ID, AUTH_TOKEN, CONTENT_TYPE, MACHINE_DETECTION, BASE_URL],
    control,
};

fn control(settings: &Settings<'_>) -> Control {
    let auth_id = settings.get(&AUTH_ID).map(|id| id.expose().clone());
    let Some(auth_token) = settings.get(&AUTH_TOKEN) else {
        return match auth_id {
            Some(_) => Err("auth_id is set but auth_token is not: webhooks could not be checked".into()),
            None => Ok(None),
        };
    };
    let content_type = settings.get(&CONTENT_TYPE).map(|kind| kind.expose().clone());
    let content_type = content_type.unwrap_or_else(|| CONTENT_TYPES[0].to_owned());
    if !CONTENT_TYPES.contains(&&*content_type) {
        return Err(format!("content_type is one of {}", CONTENT_TYPES.join(", ")));
    }
    let api_base = settings.get(&BASE_URL).map(|url| url.expose().trim_end_matches('/').to_owned());
    Ok(Some(Arc::new(PlivoControl {
        auth_id,
        auth_token,
        content_type,
        detects_machines: settings.is_on(&MACHINE_DETECTION)?,
        api_base: api_base.unwrap_or_else(|| API_BASE.to_owned()),
        placed: Mutex::default(),
    })))
}

/// Requests and webhooks of one account.
#[derive(Debug)]
pub struct PlivoControl {
    auth_id: Option<String>,
    auth_token: Secret<String>,
    content_type: String,
    detects_machines: bool,
    api_base: String,
    placed: Mutex<Placed>,
}

/// What a webhook's signature covers, besides its nonce: the URL with its query sorted, and for a POST the sorted form.
fn signed_text(request: &Inbound<'_>) -> String {
    let pairs = |mut pairs: Vec<(String, String)>| {
        pairs.sort();
        pairs
    };
    let query = pairs(request.query().collect());
    let is_get = request.method.eq_ignore_ascii_case("GET");
    let form = if is_get { Vec::new() } else { pairs(form_urlencoded::parse(request.body).into_owned().collect()) };
    let mut text = request.url.split(['?', '#']).next().unwrap_or_default().to_owned();
    if !query.is_empty() || !form.is_empty() {
        text.push('?');
    }
    let query_text = query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    text.push_str(&query_text);
    if !query.is_empty() && !form.is_empty() {
        text.push('.');
    }
    form.iter().for_each(|(name, value)| text.extend([name.as_str(), value.as_str()]));
    text
}

/// The signature of a request with this nonce, as in its header.
pub fn sign(auth_token: &str, request: &Inbound<'_>, nonce: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, auth_token.as_bytes());
    STANDARD.encode(hmac::sign(&key, format!("{}.{nonce}", signed_text(request)).as_bytes()))
}

/// Text in hexadecimal: the headers of a stream hold letters and digits only.
fn unhex(text: &str) -> Option<String> {
    let is_hex = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pairs = text.as_bytes().chunks_exact(2).map(|pair| {
        let digits = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(digits, 16).ok()
    });
    is_hex.then(|| pairs.collect::<Option<Vec<u8>>>()).flatten().and_then(|bytes| String::from_utf8(bytes).ok())
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

/// A call that we placed is known to us by the id of the request for it, which need not be that of the call.
fn call_of(fields: &[(String, String)]) -> Result<&str, Failure> {
    let placed = field(fields, "Direction") == Some("outbound");
    let requested = field(fields, "RequestUUID").or_else(|| field(fields, "ALegRequestUUID"));
    let id = requested.filter(|_| placed).or_else(|| field(fields, "CallUUID"));
    id.filter(|id| rest::is_id(id))
        .ok_or_else(|| Failure::new(ErrorClass::Protocol, "the webhook names no call (CallUUID)"))
}

/// Calls that were placed: the id of the request, by which we know them, and that of the call once somebody has picked up.
/// The oldest are forgotten first.
#[derive(Debug, Default)]
struct Placed(VecDeque<(String, Option<String>)>);

impl Placed {
    fn requested(&mut self, request: &str) {
        if self.0.len() >= limits::PLACED_CALLS_KNOWN_MAX {
            self.0.pop_front();
        }
        self.0.push_back((request.to_owned(), None));
    }

    fn picked_up(&mut self, request: &str, call: &str) {
        if let Some(known) = self.0.iter_mut().find(|(known, _)| known == request) {
            known.1 = Some(call.to_owned());
        }
    }

    fn over(&mut self, request: &str) {
        self.0.retain(|(known, _)| known != request);
    }

    /// Where requests about a call go. The platform knows one that nobody has picked up by its request alone.
    fn path(&self, carrier_ref: &str) -> String {
        match self.0.iter().find(|(known, _)| known == carrier_ref) {
            Some((request, None)) => format!("Request/{request}/"),
            Some((_, Some(call))) => format!("Call/{call}/"),
            None => format!("Call/{carrier_ref}/"),
        }
    }
}

impl PlivoControl {
    fn placed(&self) -> MutexGuard<'_, Placed> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A webhook says by which id the platform takes requests about a call from now on.
    fn learn(&self, fields: &[(String, String)], state: CallState) {
        let Ok(request) = call_of(fields) else { return };
        match field(fields, "CallUUID").filter(|call| rest::is_id(call)) {
            _ if state.is_terminal() => self.placed().over(request),
            Some(call) if state == CallState::Answered => self.placed().picked_up(request, call),
            _ => {}
        }
    }

    fn request(&self, method: Method, path: &str, body: &Value) -> Result<HttpRequest, &'static str> {
        let auth_id = self.auth_id.as_ref().ok_or("auth_id is not set")?;
        let url = format!("{}/v1/Account/{auth_id}/{path}", self.api_base);
        Ok(rest::json(method, url, rest::basic(auth_id, &self.auth_token), body))
    }

    fn verbs(&self, writer: &mut Answering, call: &InboundCall, answer: &Answer) -> io::Result<()> {
        match answer {
            Answer::Connect { media_url, token, next_url } => {
                let hex = |text: &str| rest::hex(text.as_bytes());
                let extra = format!("token={},call={}", hex(token), hex(&call.carrier_ref));
                let attributes = [
                    ("bidirectional", "true"),
                    ("keepCallAlive", "true"),
                    ("contentType", self.content_type.as_str()),
                    ("extraHeaders", extra.as_str()),
                ];
                element(writer, "Stream", &attributes, media_url)?;
                element(writer, "Redirect", &[("method", "POST")], &resuming(next_url))
            }
            Answer::Busy => element(writer, "Hangup", &[("reason", "busy")], ""),
            Answer::Reject => element(writer, "Hangup", &[("reason", "rejected")], ""),
            Answer::SayAndHangUp { text } => {
                let text: String = text.chars().take(SPEAK_CHARS_MAX).collect();
                element(writer, "Speak", &[], &text)?;
                element(writer, "Hangup", &[], "")
            }
            Answer::HangUp => element(writer, "Hangup", &[], ""),
            Answer::Transfer { to, caller_id } => {
                let mut dial = writer.create_element("Dial").with_attribute(("timeout", TRANSFER_RING_SECS));
                if let Some(number) = caller_id {
                    dial = dial.with_attribute(("callerId", rest::digits(number)));
                }
                dial.write_inner_content(|writer| element(writer, "Number", &[], rest::digits(to)))?;
                Ok(())
            }
        }
    }
}

impl CarrierControl for PlivoControl {
    fn name(&self) -> &'static str {
        DESCRIPTOR.name
    }

    fn authenticate(&self, request: &Inbound<'_>) -> Authenticity {
        let forged = |why| Authenticity::Forged { why };
        let (Some(header), Some(nonce)) = (request.header(SIGNATURE_HEADER), request.header(NONCE_HEADER)) else {
            return forged("no signature");
        };
        let is_form = request.header("content-type").is_some_and(|kind| kind.contains("x-www-form-urlencoded"));
        if !request.body.is_empty() && !is_form {
            return forged("a body that the signature does not cover");
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.auth_token.expose().as_bytes());
        let text = format!("{}.{nonce}", signed_text(request));
        // Several tokens may sign at once while one takes the place of another.
        let fits = header.split(',').filter_map(|one| STANDARD.decode(one.trim()).ok());
        if fits.filter(|one| hmac::verify(&key, text.as_bytes(), one).is_ok()).count() == 0 {
            return forged("the signature does not fit");
        }
        Authenticity::Genuine { replay_key: Some(format!("{nonce}:{header}")) }
    }

    /// How an upgrade is signed differs between the platform's own libraries: the token within admits it.
    fn authenticate_media(&self, _: &Inbound<'_>) -> Authenticity {
        Authenticity::Genuine { replay_key: None }
    }

    fn takes_queries(&self) -> bool {
        true
    }

    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, Failure> {
        let fields = request.fields();
        if field(&fields, "CallStatus") == Some("in-progress") {
            self.learn(&fields, CallState::Answered);
        }
        Ok(InboundCall {
            carrier_ref: call_of(&fields)?.to_owned(),
            from: field(&fields, "From").map(|from| Pii::new(rest::caller(from))),
            to: field(&fields, "To").and_then(rest::number),
            resumed: request.is_resuming(),
            ..InboundCall::default()
        })
    }

    fn answer(&self, call: &InboundCall, answer: &Answer) -> Reply {
        Reply::new(200, "text/xml", response(|writer| self.verbs(writer, call, answer)))
    }

    fn has_voice(&self) -> bool {
        true
    }

    fn status(&self, request: &Inbound<'_>) -> Result<Option<StatusReport>, Failure> {
        let fields = request.fields();
        let is_machine = field(&fields, "Machine").map(|value| value.eq_ignore_ascii_case("true"));
        let Some(raw) = field(&fields, "CallStatus").or_else(|| is_machine.map(|_| "in-progress")) else {
            return Ok(None);
        };
        let state = match raw {
            "ring" | "ringing" => CallState::Ringing,
            "in-progress" | "answer" => CallState::Answered,
            "completed" => CallState::Completed,
            "busy" => CallState::Busy,
            "failed" => CallState::Failed,
            "no-answer" | "timeout" => CallState::NoAnswer,
            "cancel" => CallState::Canceled,
            _ => return Ok(None),
        };
        self.learn(&fields, state);
        let answered_by = is_machine.map(|is_so| if is_so { AnsweredBy::Machine } else { AnsweredBy::Human });
        Ok(Some(StatusReport {
            duration_secs: field(&fields, "BillDuration").and_then(|secs| secs.parse().ok()),
            answered_by,
            recording_url: field(&fields, "RecordUrl").map(str::to_owned),
            ..StatusReport::new(call_of(&fields)?, state, raw)
        }))
    }

    fn dial(&self, attempt: &DialAttempt) -> Result<HttpRequest, CannotDo> {
        let mut body = json!({
            "to": rest::digits(&attempt.to),
            "from": rest::digits(&attempt.from),
            "answer_url": attempt.answer_url,
            "answer_method": "POST",
            "ring_url": attempt.status_url,
            "ring_method": "POST",
            "hangup_url": attempt.status_url,
            "hangup_method": "POST",
            "ring_timeout": rest::seconds(attempt.ring, 1, RING_SECS_MAX),
        });
        if self.detects_machines {
            body["machine_detection"] = "true".into();
            body["machine_detection_url"] = attempt.status_url.as_str().into();
            body["machine_detection_method"] = "POST".into();
        }
        self.request(Method::Post, "Call/", &body).map_err(|why| CannotDo { capability: Capability::Place, why })
    }

    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        let id = |body: &[u8]| rest::text_at(body, "/request_uuid").or_else(|| rest::text_at(body, "/request_uuid/0"));
        let reply = rest::dialled(answer, id, rest::refusal);
        if let DialReply::Accepted { carrier_ref } = &reply {
            self.placed().requested(carrier_ref);
        }
        reply
    }

    fn text_message(&self, message: &TextMessage<'_>) -> Result<HttpRequest, CannotDo> {
        let (from, to) = (rest::digits(message.from), rest::digits(message.to));
        let body = json!({ "src": from, "dst": to, "text": message.text });
        self.request(Method::Post, "Message/", &body).map_err(|why| CannotDo { capability: Capability::Text, why })
    }

    fn text_message_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        rest::dialled(answer, |body| rest::text_at(body, "/message_uuid/0"), rest::refusal)
    }

    fn act(&self, carrier_ref: &str, action: CallAction<'_>, _: i64) -> Result<Way, CannotDo> {
        let capability = action.capability();
        let (method, path, body) = match action {
            CallAction::Transfer { .. } => return Ok(Way::NextAnswer),
            CallAction::HangUp => (Method::Delete, "", Value::Null),
            CallAction::Press(keys) => (Method::Post, "DTMF/", json!({ "digits": rest::keys(keys), "leg": "aleg" })),
            CallAction::StartRecording => {
                (Method::Post, "Record/", json!({ "file_format": "wav", "record_channel_type": "stereo" }))
            }
            CallAction::StopRecording => (Method::Delete, "Record/", Value::Null),
        };
        if !rest::is_id(carrier_ref) {
            return Err(CannotDo { capability, why: "this is no id of a call" });
        }
        let call = self.placed().path(carrier_ref);
        self.request(method, &format!("{call}{path}"), &body)
            .map(Way::Request)
            .map_err(|why| CannotDo { capability, why })
    }

    fn act_reply(&self, action: CallAction<'_>, answer: Option<(u16, &[u8])>) -> Result<(), Failure> {
        rest::acted(action, answer)
    }
}
