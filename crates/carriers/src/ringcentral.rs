//! RingCentral: signed-in webhooks on telephony sessions and control of them. The audio is that of a SIP device of the
//! account; placing a call by this API rings that device first.
//!
//! Sources: developers.ringcentral.com (Call Control, Notifications, Authentication) and the published OpenAPI.
//! An id of a call is the id of its session and that of our party, joined by a colon.

#[cfg(test)]
pub(crate) mod tests;

use crate::protocol::{
    Answer, Authenticity, CallAction, CannotDo, Capability, CarrierControl, DialAttempt, DialReply, Inbound,
    InboundCall, Reply, StatusReport, TextMessage, Way, WebhookKind,
};
use crate::registry::{Control, Descriptor, Door, Setting, Settings};
use crate::rest::{self, Login};
use aws_lc_rs::constant_time;
use base::wire::{HttpRequest, Method};
use base::{ErrorClass, Failure, Pii, Secret};
use model::call::CallState;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Where the API is, unless configured.
pub const API_BASE: &str = "https://platform.ringcentral.com";
const TOKEN_HEADER: &str = "verification-token";
/// The guide's name for it.
const OTHER_TOKEN_HEADER: &str = "validation-token";
const SESSIONS: &str = "/restapi/v1.0/account/~/telephony/sessions";
/// Longest handshake that we send back.
const HANDSHAKE_CHARS_MAX: usize = 512;

const CLIENT_ID: Setting =
    Setting { key: "client_id", env: "RINGCENTRAL_CLIENT_ID", doc: "The id of the app. Needed to control calls." };
const CLIENT_SECRET: Setting =
    Setting { key: "client_secret", env: "RINGCENTRAL_CLIENT_SECRET", doc: "The secret of the app." };
const JWT: Setting = Setting {
    key: "jwt",
    env: "RINGCENTRAL_JWT",
    doc: "The JWT credential of the extension, made in the developer console.",
};
const VERIFICATION_TOKEN: Setting = Setting {
    key: "verification_token",
    env: "RINGCENTRAL_VERIFICATION_TOKEN",
    doc: "The verificationToken of the subscription. Checks every webhook; without it the platform is switched off.",
};
const DEVICE_ID: Setting = Setting {
    key: "device_id",
    env: "RINGCENTRAL_DEVICE_ID",
    doc: "The SIP device of the extension that carries the audio. Needed to place calls.",
};
const BASE_URL: Setting =
    Setting { key: "base_url", env: "RINGCENTRAL_BASE_URL", doc: "The API, or a twin on loopback." };

/// What the registry knows of it.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "ringcentral",
    title: "RingCentral",
    door: Door::Platform,
    capabilities: &[Capability::Place, Capability::HangUp, Capability::TransferCold, Capability::Text],
    modes: &[],
    settings: &[CLIENT_ID, CLIENT_SECRET, JWT, VERIFICATION_TOKEN, DEVICE_ID, BASE_URL],
    control,
};

fn control(settings: &Settings<'_>) -> Control {
    let text = |setting: &Setting| settings.get(setting).map(|value| value.expose().clone());
    let app = match (text(&CLIENT_ID), settings.get(&CLIENT_SECRET), settings.get(&JWT)) {
        (Some(id), Some(secret), Some(jwt)) => Some(App { id, secret, jwt }),
        (None, None, None) => None,
        _ => return Err("client_id, client_secret and jwt belong together".into()),
    };
    let Some(verification_token) = settings.get(&VERIFICATION_TOKEN) else {
        return match app {
            Some(_) => Err("client_id is set but verification_token is not: webhooks could not be checked".into()),
            None => Ok(None),
        };
    };
    Ok(Some(Arc::new(RingcentralControl {
        app,
        verification_token,
        device_id: text(&DEVICE_ID),
        login: Login::default(),
        api_base: text(&BASE_URL).map_or_else(|| API_BASE.to_owned(), |url| url.trim_end_matches('/').to_owned()),
    })))
}

#[derive(Debug)]
struct App {
    id: String,
    secret: Secret<String>,
    jwt: Secret<String>,
}

/// Webhooks and requests of one extension.
#[derive(Debug)]
pub struct RingcentralControl {
    app: Option<App>,
    verification_token: Secret<String>,
    device_id: Option<String>,
    login: Login,
    api_base: String,
}

#[derive(Deserialize)]
struct Notification {
    body: Session,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    #[serde(default)]
    sequence: Option<u64>,
    telephony_session_id: String,
    #[serde(default)]
    parties: Vec<Party>,
}

#[derive(Deserialize)]
struct Party {
    id: String,
    #[serde(default)]
    from: Place,
    #[serde(default)]
    to: Place,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Place {
    phone_number: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: String,
    reason: Option<String>,
}

impl Session {
    fn read(request: &Inbound<'_>) -> Result<Self, Failure> {
        let wrong = |_| Failure::new(ErrorClass::Protocol, "a webhook that is not of the platform's form");
        serde_json::from_slice::<Notification>(request.body).map(|told| told.body).map_err(wrong)
    }

    fn party(&self) -> Result<&Party, Failure> {
        self.parties.first().ok_or_else(|| Failure::new(ErrorClass::Protocol, "the webhook names no party"))
    }

    fn call(&self) -> Result<String, Failure> {
        let id = format!("{}:{}", self.telephony_session_id, self.party()?.id);
        let is_whole = party_path(&id).is_some();
        is_whole.then_some(id).ok_or_else(|| Failure::new(ErrorClass::Protocol, "the webhook names no call"))
    }
}

/// The path of a party from the id of its call.
fn party_path(carrier_ref: &str) -> Option<String> {
    let (session, party) = carrier_ref.split_once(':')?;
    (rest::is_id(session) && rest::is_id(party)).then(|| format!("{SESSIONS}/{session}/parties/{party}"))
}

impl RingcentralControl {
    fn request(&self, method: Method, path: &str, body: &Value) -> Result<HttpRequest, &'static str> {
        if self.app.is_none() {
            return Err("client_id, client_secret and jwt are not set");
        }
        Ok(rest::json(method, format!("{}{path}", self.api_base), self.login.credential(), body))
    }

    fn is_own(&self, token: &str) -> bool {
        let own = self.verification_token.expose().as_bytes();
        constant_time::verify_slices_are_equal(own, token.as_bytes()).is_ok()
    }
}

impl CarrierControl for RingcentralControl {
    fn name(&self) -> &'static str {
        DESCRIPTOR.name
    }

    /// The platform signs nothing: it shows the token that the subscription gave it. A handshake shows none that could be
    /// checked, and says nothing of a call.
    fn authenticate(&self, request: &Inbound<'_>) -> Authenticity {
        let shown = request.header(TOKEN_HEADER).or_else(|| request.header(OTHER_TOKEN_HEADER));
        match shown {
            Some(token) if self.is_own(token) => Authenticity::Genuine { replay_key: None },
            Some(_) if request.body.is_empty() => Authenticity::Genuine { replay_key: None },
            Some(_) => Authenticity::Forged { why: "the token is not that of the subscription" },
            None => Authenticity::Forged { why: "no token" },
        }
    }

    fn webhook_kind(&self, request: &Inbound<'_>) -> Option<WebhookKind> {
        if !request.body.is_empty() {
            return Some(WebhookKind::Status);
        }
        let mut reply = Reply::new(200, "application/json", String::new());
        let token = request.header(OTHER_TOKEN_HEADER).filter(|token| token.len() <= HANDSHAKE_CHARS_MAX);
        reply.headers.extend(token.map(|token| (OTHER_TOKEN_HEADER, token.to_owned())));
        Some(WebhookKind::Done { reply, requests: Vec::new() })
    }

    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, Failure> {
        let session = Session::read(request)?;
        let party = session.party()?;
        Ok(InboundCall {
            carrier_ref: session.call()?,
            from: party.from.phone_number.as_deref().map(|number| Pii::new(rest::caller(number))),
            to: party.to.phone_number.as_deref().and_then(rest::number),
            ..InboundCall::default()
        })
    }

    fn answer(&self, _: &InboundCall, _: &Answer) -> Reply {
        Reply::empty(200)
    }

    fn status(&self, request: &Inbound<'_>) -> Result<Option<StatusReport>, Failure> {
        let session = Session::read(request)?;
        let status = &session.party()?.status;
        let reason = status.reason.as_deref().unwrap_or_default();
        let state = match &*status.code {
            "Setup" => CallState::Initiated,
            "Proceeding" => CallState::Ringing,
            "Answered" => CallState::Answered,
            "Hold" | "Parked" => CallState::Paused,
            "VoiceMail" => CallState::Completed,
            "Gone" => CallState::Ending,
            "Disconnected" => ended(reason),
            _ => return Ok(None),
        };
        let raw = if reason.is_empty() { status.code.clone() } else { format!("{} {reason}", status.code) };
        Ok(Some(StatusReport { sequence: session.sequence, ..StatusReport::new(session.call()?, state, raw) }))
    }

    fn login(&self, now_ms: i64) -> Option<HttpRequest> {
        let app = self.app.as_ref().filter(|_| self.login.is_over(now_ms))?;
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let fields = [("grant_type", grant), ("assertion", app.jwt.expose().as_str())];
        Some(rest::form(format!("{}/restapi/oauth/token", self.api_base), rest::basic(&app.id, &app.secret), &fields))
    }

    fn login_reply(&self, answer: Option<(u16, &[u8])>, now_ms: i64) -> Result<(), Failure> {
        self.login.take(answer, now_ms)
    }

    fn dial(&self, attempt: &DialAttempt) -> Result<HttpRequest, CannotDo> {
        let cannot = |why| CannotDo { capability: Capability::Place, why };
        let device = self.device_id.as_ref().ok_or(cannot("device_id is not set"))?;
        let body = json!({ "from": { "deviceId": device }, "to": { "phoneNumber": attempt.to.expose() } });
        self.request(Method::Post, "/restapi/v1.0/account/~/telephony/call-out", &body).map_err(cannot)
    }

    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        let id = |body: &[u8]| {
            let (session, party) = (rest::text_at(body, "/session/id")?, rest::text_at(body, "/session/parties/0/id")?);
            Some(format!("{session}:{party}"))
        };
        rest::dialled(answer, id, rest::refusal)
    }

    fn text_message(&self, message: &TextMessage<'_>) -> Result<HttpRequest, CannotDo> {
        let body = json!({
            "from": { "phoneNumber": message.from.expose() },
            "to": [{ "phoneNumber": message.to.expose() }],
            "text": message.text,
        });
        self.request(Method::Post, "/restapi/v1.0/account/~/extension/~/sms", &body)
            .map_err(|why| CannotDo { capability: Capability::Text, why })
    }

    fn text_message_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        let id = |body: &[u8]| {
            let value: Value = serde_json::from_slice(body).ok()?;
            Some(value.get("id")?.as_u64()?.to_string())
        };
        rest::dialled(answer, id, rest::refusal)
    }

    fn act(&self, carrier_ref: &str, action: CallAction<'_>, _: i64) -> Result<Way, CannotDo> {
        let capability = action.capability();
        let cannot = |why| CannotDo { capability, why };
        let (method, verb, body) = match action {
            CallAction::HangUp => (Method::Delete, "", Value::Null),
            CallAction::Transfer { to, .. } => (Method::Post, "/transfer", json!({ "phoneNumber": to.expose() })),
            CallAction::Press(_) => return Err(cannot("keys go as tones in the audio")),
            CallAction::StartRecording | CallAction::StopRecording => {
                return Err(cannot("a recording is stopped by its own id, which calls do not carry"));
            }
        };
        let path = party_path(carrier_ref).ok_or(cannot("this is no id of a call"))?;
        self.request(method, &format!("{path}{verb}"), &body).map(Way::Request).map_err(cannot)
    }

    fn act_reply(&self, action: CallAction<'_>, answer: Option<(u16, &[u8])>) -> Result<(), Failure> {
        rest::acted(action, answer)
    }
}

/// Source: developers.ringcentral.com, "Call Session Notifications", the reasons of `Disconnected`.
fn ended(reason: &str) -> CallState {
    match reason {
        "NoAnswer" | "Timeout" => CallState::NoAnswer,
        "TargetBusy" | "Rejected" => CallState::Busy,
        "Cancelled" => CallState::Canceled,
        "InvalidNumber"
        | "NoSuchUser"
        | "DestinationBlocked"
        | "InternationalDisabled"
        | "NotEnoughFunds"
        | "InternalError" => CallState::Failed,
        _ => CallState::Completed,
    }
}
