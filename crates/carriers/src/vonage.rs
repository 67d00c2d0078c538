//! Vonage Voice API: signed webhooks, NCCO answers, REST dialling, WebSocket audio.
//!
//! Sources: developer.vonage.com/voice/voice-api (guides, NCCO reference, webhook reference), the published specification
//! of API version 1, and the official client libraries.

mod media;
#[cfg(test)]
pub(crate) mod tests;

pub use media::VonageMedia;

/// The name by which the registry knows it.
pub type Media = VonageMedia;

use crate::protocol::{
    Answer, AnsweredBy, Authenticity, CallAction, CannotDo, Capability, CarrierControl, DialAttempt, DialReply,
    Inbound, InboundCall, Reply, StatusReport, TextMessage, Way, WebhookKind, resuming,
};
use crate::registry::{Control, Descriptor, Door, MACHINE_DETECTION, Setting, Settings};
use crate::rest;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure, PhoneNumber, Pii, Secret};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use model::call::CallState;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// Where the Voice API is, unless configured.
pub const API_BASE: &str = "https://api.nexmo.com";
/// How long a token of ours is good for.
const TOKEN_SECS: i64 = 300;
/// Longest the platform lets a phone ring.
const RING_SECS_MAX: u64 = 120;
/// How long a transferred call rings.
const TRANSFER_RING_SECS: u64 = 30;
/// Longest text of one talk action.
const TALK_CHARS_MAX: usize = 1_500;
/// Query parameter that tells the address which is asked how to go on whose call it is: events name the socket's own leg.
const LEG_QUERY: &str = "leg";

const APPLICATION_ID: Setting =
    Setting { key: "application_id", env: "VONAGE_APPLICATION_ID", doc: "The application. Needed to place calls." };
const PRIVATE_KEY: Setting = Setting {
    key: "private_key",
    env: "VONAGE_PRIVATE_KEY",
    doc: "The application's private key, PEM. Signs every request; `file:` and a path reads it from a file.",
};
const SIGNATURE_SECRET: Setting = Setting {
    key: "signature_secret",
    env: "VONAGE_SIGNATURE_SECRET",
    doc: "The account's signature secret. Checks every webhook; without it the platform is switched off.",
};
const SAMPLE_RATE: Setting =
    Setting { key: "sample_rate_hz", env: "", doc: "Rate of the audio: 8000, 16000 (the default) or 24000." };
const BASE_URL: Setting =
    Setting { key: "base_url", env: "VONAGE_BASE_URL", doc: "The API: a region's host, or a twin on loopback." };

/// What the registry knows of it.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "vonage",
    title: "Vonage",
    door: Door::Platform,
    capabilities: &[
        Capability::Place,
        Capability::Answer,
        Capability::Audio,
        Capability::Marks,
        Capability::Clear,
        Capability::KeysIn,
        Capability::KeysOut,
        Capability::HangUp,
        Capability::TransferCold,
        Capability::TransferWarm,
        Capability::MachineDetection,
        Capability::Text,
    ],
    modes: &[],
    settings: &[APPLICATION_ID, PRIVATE_KEY, SIGNATURE_SECRET, SAMPLE_RATE, MACHINE_DETECTION, BASE_URL],
    control,
};

fn control(settings: &Settings<'_>) -> Control {
    let application = match (settings.get(&APPLICATION_ID), settings.get(&PRIVATE_KEY)) {
        (Some(id), Some(pem)) => Some(Application::new(id.expose(), &pem)?),
        (None, None) => None,
        _ => return Err("application_id and private_key belong together".into()),
    };
    let Some(signature_secret) = settings.get(&SIGNATURE_SECRET) else {
        return match application {
            Some(_) => Err("application_id is set but signature_secret is not: webhooks could not be checked".into()),
            None => Ok(None),
        };
    };
    let rate = settings.get(&SAMPLE_RATE).map(|rate| rate.expose().parse::<u32>().unwrap_or_default());
    let sample_rate_hz = rate.unwrap_or(16_000);
    if !media::RATES_HZ.contains(&sample_rate_hz) {
        return Err("sample_rate_hz is 8000, 16000 or 24000".into());
    }
    let api_base = settings.get(&BASE_URL).map(|url| url.expose().trim_end_matches('/').to_owned());
    Ok(Some(Arc::new(VonageControl {
        application,
        signature_secret,
        sample_rate_hz,
        detects_machines: settings.is_on(&MACHINE_DETECTION)?,
        api_base: api_base.unwrap_or_else(|| API_BASE.to_owned()),
    })))
}

/// An application of the account and its key.
struct Application {
    id: String,
    key: EncodingKey,
}

impl Application {
    fn new(id: &str, pem: &Secret<String>) -> Result<Self, String> {
        let wrong = || "private_key is not an RSA key in PEM form".to_owned();
        let key = EncodingKey::from_rsa_pem(pem.expose().as_bytes()).map_err(|_| wrong())?;
        let application = Self { id: id.to_owned(), key };
        if application.token(0, b"").expose().is_empty() { Err(wrong()) } else { Ok(application) }
    }

    /// A token for one request. Its name is made of what it is for, so that no randomness is needed.
    fn token(&self, now_ms: i64, about: &[u8]) -> Secret<String> {
        let iat = now_ms / 1000;
        let name = rest::sha256(&[&now_ms.to_le_bytes()[..], about].concat());
        let jti = [&name[..8], &name[8..12], &name[12..16], &name[16..20], &name[20..32]].join("-");
        let claims = Claims { application_id: &self.id, iat, exp: iat + TOKEN_SECS, jti };
        let header = jsonwebtoken::Header::new(Algorithm::RS256);
        // The key was tried when it was read; an empty token is refused by the platform.
        Secret::new(jsonwebtoken::encode(&header, &claims, &self.key).unwrap_or_default())
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    application_id: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

/// What a signed webhook says of itself.
#[derive(Deserialize)]
struct Signed {
    iat: i64,
    #[serde(default)]
    jti: String,
    #[serde(default)]
    payload_hash: Option<String>,
    #[serde(default)]
    application_id: Option<String>,
}

/// Requests and webhooks of one application.
pub struct VonageControl {
    application: Option<Application>,
    signature_secret: Secret<String>,
    sample_rate_hz: u32,
    detects_machines: bool,
    api_base: String,
}

impl fmt::Debug for VonageControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.application.as_ref().map(|application| &application.id);
        f.debug_struct("VonageControl").field("application", &id).field("api_base", &self.api_base).finish()
    }
}

/// A webhook: the JSON of a POST or the query of a GET, in one shape.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    uuid: String,
    call_uuid: String,
    conversation_uuid: String,
    from: Value,
    to: Value,
    status: String,
    sub_state: String,
    duration: Value,
    recording_url: Option<String>,
}

impl Event {
    fn read(request: &Inbound<'_>) -> Result<Self, Failure> {
        let wrong = |_| Failure::new(ErrorClass::Protocol, "a webhook that is not of the platform's form");
        if !request.method.eq_ignore_ascii_case("GET") {
            return serde_json::from_slice(request.body).map_err(wrong);
        }
        let query = request.query().map(|(name, value)| (name, Value::from(value)));
        serde_json::from_value(Value::Object(query.collect())).map_err(wrong)
    }

    /// The leg it speaks of.
    fn leg(&self) -> Result<&str, Failure> {
        let id = if self.uuid.is_empty() { &self.call_uuid } else { &self.uuid };
        let named = Some(id.as_str()).filter(|id| rest::is_id(id));
        named.ok_or_else(|| Failure::new(ErrorClass::Protocol, "the webhook names no call (uuid)"))
    }
}

/// The text of a field that some webhooks write as a number.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.as_u64().map(|number| number.to_string()).unwrap_or_default(), str::to_owned)
}

impl VonageControl {
    fn request(&self, method: Method, path: &str, body: &Value, now_ms: i64) -> Result<HttpRequest, &'static str> {
        let application = self.application.as_ref().ok_or("application_id and private_key are not set")?;
        let about = format!("{} {path} {body}", method.name());
        let credential: Header = rest::bearer(application.token(now_ms, about.as_bytes()).expose());
        Ok(rest::json(method, format!("{}{path}", self.api_base), credential, body))
    }

    fn verify(&self, request: &Inbound<'_>) -> Result<Signed, &'static str> {
        let header = request.header("authorization").ok_or("no signature")?;
        let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.ok_or("no signature")?.1.trim();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let key = DecodingKey::from_secret(self.signature_secret.expose().as_bytes());
        let signed = jsonwebtoken::decode::<Signed>(token, &key, &validation);
        let signed = signed.map_err(|_| "the signature does not fit")?.claims;
        let is_other = |id: &String| self.application.as_ref().is_some_and(|own| own.id != *id);
        if signed.application_id.as_ref().is_some_and(is_other) {
            return Err("signed for another application");
        }
        match (&signed.payload_hash, request.body.is_empty()) {
            (None, true) => Ok(signed),
            (None, false) => Err("a body that the signature does not cover"),
            (Some(hash), _) => {
                let own = rest::sha256(request.body);
                aws_lc_rs::constant_time::verify_slices_are_equal(own.as_bytes(), hash.as_bytes())
                    .map(|()| signed)
                    .map_err(|_| "the body is not the one that was signed")
            }
        }
    }

    fn socket(&self, media_url: &str, token: &str, call: &str) -> Value {
        json!([{
            "type": "websocket",
            "uri": media_url,
            "content-type": format!("audio/l16;rate={}", self.sample_rate_hz),
            "headers": { "token": token, "call": call },
        }])
    }
}

impl CarrierControl for VonageControl {
    fn name(&self) -> &'static str {
        DESCRIPTOR.name
    }

    fn authenticate(&self, request: &Inbound<'_>) -> Authenticity {
        match self.verify(request) {
            Err(why) => Authenticity::Forged { why },
            Ok(signed) if !request.is_fresh(signed.iat.saturating_mul(1000)) => Authenticity::Stale,
            Ok(signed) => Authenticity::Genuine { replay_key: Some(signed.jti).filter(|jti| !jti.is_empty()) },
        }
    }

    /// The upgrade carries nothing of the platform's: the token within admits it.
    fn authenticate_media(&self, _: &Inbound<'_>) -> Authenticity {
        Authenticity::Genuine { replay_key: None }
    }

    fn webhook_kind(&self, request: &Inbound<'_>) -> Option<WebhookKind> {
        if !request.is_resuming() {
            return None;
        }
        // The address that is asked how to go on hears of every state of the socket's leg.
        let is_end = Event::read(request).is_ok_and(|event| {
            matches!(&*event.status, "disconnected" | "failed" | "unanswered" | "timeout" | "rejected" | "busy")
        });
        let nothing = WebhookKind::Done { reply: Reply::empty(204), requests: Vec::new() };
        Some(if is_end { WebhookKind::Voice } else { nothing })
    }

    fn takes_queries(&self) -> bool {
        true
    }

    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, Failure> {
        let event = Event::read(request)?;
        let resumed = request.is_resuming();
        let leg = request.query().find(|(name, _)| resumed && name == LEG_QUERY).map(|(_, leg)| leg);
        let carrier_ref = match leg.filter(|leg| rest::is_id(leg)) {
            Some(leg) => leg,
            None => event.leg()?.to_owned(),
        };
        let from = Some(text(&event.from)).filter(|from| !from.is_empty());
        Ok(InboundCall {
            carrier_ref,
            from: from.map(|from| Pii::new(rest::caller(&from))),
            to: rest::number(&text(&event.to)),
            resumed,
            ..InboundCall::default()
        })
    }

    fn answer(&self, call: &InboundCall, answer: &Answer) -> Reply {
        let ncco = match answer {
            Answer::Connect { media_url, token, next_url } => {
                let next = format!("{}&{LEG_QUERY}={}", resuming(next_url), call.carrier_ref);
                let mut connect = json!({
                    "action": "connect",
                    "eventType": "synchronous",
                    "eventUrl": [next],
                    "endpoint": self.socket(media_url, token, &call.carrier_ref),
                });
                // The platform's own library takes no connection without a number.
                if let Some(number) = &call.to {
                    connect["from"] = rest::digits(number).into();
                }
                json!([connect])
            }
            Answer::SayAndHangUp { text } => {
                json!([{ "action": "talk", "text": text.chars().take(TALK_CHARS_MAX).collect::<String>() }])
            }
            // A list without actions ends the call; there is none that refuses one.
            Answer::Busy | Answer::Reject | Answer::HangUp => json!([]),
            Answer::Transfer { to, caller_id } => transfer(to, caller_id.as_ref()),
        };
        Reply::json(&ncco)
    }

    fn has_voice(&self) -> bool {
        true
    }

    fn status(&self, request: &Inbound<'_>) -> Result<Option<StatusReport>, Failure> {
        let event = Event::read(request)?;
        let answered_by = match (&*event.status, &*event.sub_state) {
            ("human", _) => Some(AnsweredBy::Human),
            ("machine", "beep_start") => Some(AnsweredBy::MachineEnd),
            ("machine", _) => Some(AnsweredBy::Machine),
            _ => None,
        };
        let state = match &*event.status {
            "started" => CallState::Initiated,
            "ringing" => CallState::Ringing,
            "answered" | "human" | "machine" => CallState::Answered,
            "completed" => CallState::Completed,
            "busy" => CallState::Busy,
            "timeout" | "unanswered" => CallState::NoAnswer,
            "cancelled" => CallState::Canceled,
            "rejected" | "failed" => CallState::Failed,
            _ => return Ok(None),
        };
        Ok(Some(StatusReport {
            duration_secs: text(&event.duration).parse().ok(),
            answered_by,
            recording_url: event.recording_url.clone(),
            ..StatusReport::new(event.leg()?, state, event.status.clone())
        }))
    }

    fn dial(&self, attempt: &DialAttempt) -> Result<HttpRequest, CannotDo> {
        let mut body = json!({
            "to": [{ "type": "phone", "number": rest::digits(&attempt.to) }],
            "from": { "type": "phone", "number": rest::digits(&attempt.from) },
            "answer_url": [attempt.answer_url],
            "answer_method": "POST",
            "event_url": [attempt.status_url],
            "event_method": "POST",
            "ringing_timer": rest::seconds(attempt.ring, 1, RING_SECS_MAX),
        });
        if self.detects_machines {
            body["advanced_machine_detection"] = json!({ "behavior": "continue", "mode": "detect_beep" });
        }
        self.request(Method::Post, "/v1/calls", &body, attempt.now_ms)
            .map_err(|why| CannotDo { capability: Capability::Place, why })
    }

    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        rest::dialled(answer, |body| rest::text_at(body, "/uuid"), rest::refusal)
    }

    fn text_message(&self, message: &TextMessage<'_>) -> Result<HttpRequest, CannotDo> {
        let body = json!({
            "message_type": "text",
            "channel": "sms",
            "to": rest::digits(message.to),
            "from": rest::digits(message.from),
            "text": message.text,
        });
        self.request(Method::Post, "/v1/messages", &body, message.now_ms)
            .map_err(|why| CannotDo { capability: Capability::Text, why })
    }

    fn text_message_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        rest::dialled(answer, |body| rest::text_at(body, "/message_uuid"), rest::refusal)
    }

    fn act(&self, carrier_ref: &str, action: CallAction<'_>, now_ms: i64) -> Result<Way, CannotDo> {
        let capability = action.capability();
        let (path, body) = match action {
            CallAction::Transfer { .. } => return Ok(Way::NextAnswer),
            CallAction::HangUp => ("", json!({ "action": "hangup" })),
            CallAction::Press(keys) => ("/dtmf", json!({ "digits": rest::keys(keys) })),
            CallAction::StartRecording | CallAction::StopRecording => {
                return Err(CannotDo::at_all(capability));
            }
        };
        if !rest::is_id(carrier_ref) {
            return Err(CannotDo { capability, why: "this is no id of a call" });
        }
        self.request(Method::Put, &format!("/v1/calls/{carrier_ref}{path}"), &body, now_ms)
            .map(Way::Request)
            .map_err(|why| CannotDo { capability, why })
    }

    fn act_reply(&self, action: CallAction<'_>, answer: Option<(u16, &[u8])>) -> Result<(), Failure> {
        rest::acted(action, answer)
    }
}

fn transfer(to: &PhoneNumber, caller_id: Option<&PhoneNumber>) -> Value {
    let mut connect = json!({
        "action": "connect",
        "timeout": TRANSFER_RING_SECS,
        "endpoint": [{ "type": "phone", "number": rest::digits(to) }],
    });
    if let Some(number) = caller_id {
        connect["from"] = rest::digits(number).into();
    }
    json!([connect])
}
