//! Zoom Phone: signed webhooks on calls, text messages. Its API places, answers and ends no calls; the audio comes by SIP.
//!
//! Sources: developers.zoom.us (Phone API and webhooks, server-to-server OAuth) and the official server library.

#[cfg(test)]
pub(crate) mod tests;

use crate::protocol::{
    Answer, Authenticity, CallAction, CannotDo, Capability, CarrierControl, DialAttempt, DialReply, Inbound,
    InboundCall, Reply, StatusReport, TextMessage, Way, WebhookKind,
};
use crate::registry::{Control, Descriptor, Door, Setting, Settings};
use crate::rest::{self, Login};
use aws_lc_rs::hmac;
use base::wire::{HttpRequest, Method};
use base::{ErrorClass, Failure, Pii, Secret};
use model::call::CallState;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Where the API is, unless configured.
pub const API_BASE: &str = "https://api.zoom.us/v2";
/// Where logins are.
pub const LOGIN_BASE: &str = "https://zoom.us";
const SIGNATURE_HEADER: &str = "x-zm-signature";
const TIMESTAMP_HEADER: &str = "x-zm-request-timestamp";
const VERSION: &str = "v0";
const BY_SIP: &str = "the platform's API reports on calls only; the audio and its control are SIP";

const SECRET_TOKEN: Setting = Setting {
    key: "secret_token",
    env: "ZOOM_SECRET_TOKEN",
    doc: "The app's secret token. Checks every webhook; without it the platform is switched off.",
};
const ACCOUNT_ID: Setting =
    Setting { key: "account_id", env: "ZOOM_ACCOUNT_ID", doc: "The account. Needed to send text messages." };
const CLIENT_ID: Setting =
    Setting { key: "client_id", env: "ZOOM_CLIENT_ID", doc: "The id of a server-to-server app." };
const CLIENT_SECRET: Setting =
    Setting { key: "client_secret", env: "ZOOM_CLIENT_SECRET", doc: "The secret of that app." };
const BASE_URL: Setting =
    Setting { key: "base_url", env: "ZOOM_BASE_URL", doc: "The API with its version, or a twin on loopback." };
const LOGIN_URL: Setting =
    Setting { key: "login_url", env: "ZOOM_LOGIN_URL", doc: "Where logins are, or a twin on loopback." };

/// What the registry knows of it.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "zoom",
    title: "Zoom Phone",
    door: Door::Platform,
    capabilities: &[Capability::Text],
    modes: &[],
    settings: &[SECRET_TOKEN, ACCOUNT_ID, CLIENT_ID, CLIENT_SECRET, BASE_URL, LOGIN_URL],
    control,
};

fn control(settings: &Settings<'_>) -> Control {
    let text = |setting: &Setting| settings.get(setting).map(|value| value.expose().clone());
    let app = match (text(&ACCOUNT_ID), text(&CLIENT_ID), settings.get(&CLIENT_SECRET)) {
        (Some(account_id), Some(client_id), Some(client_secret)) => Some(App { account_id, client_id, client_secret }),
        (None, None, None) => None,
        _ => return Err("account_id, client_id and client_secret belong together".into()),
    };
    let Some(secret_token) = settings.get(&SECRET_TOKEN) else {
        return match app {
            Some(_) => Err("client_id is set but secret_token is not: webhooks could not be checked".into()),
            None => Ok(None),
        };
    };
    let url = |setting: &Setting, usual: &str| {
        text(setting).map_or_else(|| usual.to_owned(), |url| url.trim_end_matches('/').to_owned())
    };
    Ok(Some(Arc::new(ZoomControl {
        secret_token,
        app,
        login: Login::default(),
        api_base: url(&BASE_URL, API_BASE),
        login_base: url(&LOGIN_URL, LOGIN_BASE),
    })))
}

#[derive(Debug)]
struct App {
    account_id: String,
    client_id: String,
    client_secret: Secret<String>,
}

/// Webhooks and requests of one account.
#[derive(Debug)]
pub struct ZoomControl {
    secret_token: Secret<String>,
    app: Option<App>,
    login: Login,
    api_base: String,
    login_base: String,
}

#[derive(Deserialize)]
struct Webhook {
    event: String,
    #[serde(default)]
    payload: Payload,
    #[serde(default)]
    event_ts: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    #[serde(rename = "plainToken")]
    plain_token: Option<String>,
    object: Object,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    call_id: String,
    caller: Party,
    callee: Party,
    recordings: Vec<Recording>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Party {
    phone_number: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Recording {
    call_id: String,
    download_url: Option<String>,
}

impl Webhook {
    fn read(request: &Inbound<'_>) -> Result<Self, Failure> {
        let wrong = |_| Failure::new(ErrorClass::Protocol, "a webhook that is not of the platform's form");
        serde_json::from_slice(request.body).map_err(wrong)
    }

    fn call(&self) -> Result<&str, Failure> {
        let object = &self.payload.object;
        let ids = [Some(&object.call_id), object.recordings.first().map(|recording| &recording.call_id)];
        let id = ids.into_iter().flatten().find(|id| rest::is_id(id));
        id.map(String::as_str)
            .ok_or_else(|| Failure::new(ErrorClass::Protocol, "the webhook names no call (object.call_id)"))
    }
}

impl ZoomControl {
    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.secret_token.expose().as_bytes())
    }
}

impl CarrierControl for ZoomControl {
    fn name(&self) -> &'static str {
        DESCRIPTOR.name
    }

    fn authenticate(&self, request: &Inbound<'_>) -> Authenticity {
        let forged = |why| Authenticity::Forged { why };
        let (Some(signature), Some(sent)) = (request.header(SIGNATURE_HEADER), request.header(TIMESTAMP_HEADER)) else {
            return forged("no signature");
        };
        let signed = [VERSION.as_bytes(), b":", sent.as_bytes(), b":", request.body].concat();
        let own = format!("{VERSION}={}", rest::hex(hmac::sign(&self.key(), &signed).as_ref()));
        if aws_lc_rs::constant_time::verify_slices_are_equal(own.as_bytes(), signature.as_bytes()).is_err() {
            return forged("the signature does not fit");
        }
        let sent_at_ms = sent.parse::<i64>().ok().and_then(|secs| secs.checked_mul(1000));
        match sent_at_ms.filter(|at_ms| request.is_fresh(*at_ms)) {
            None => Authenticity::Stale,
            Some(_) => Authenticity::Genuine { replay_key: Some(signature.to_owned()) },
        }
    }

    fn webhook_kind(&self, request: &Inbound<'_>) -> Option<WebhookKind> {
        let webhook = Webhook::read(request).ok()?;
        if webhook.event != "endpoint.url_validation" {
            return Some(WebhookKind::Status);
        }
        let plain = webhook.payload.plain_token?;
        let encrypted = rest::hex(hmac::sign(&self.key(), plain.as_bytes()).as_ref());
        let reply = Reply::json(&json!({ "plainToken": plain, "encryptedToken": encrypted }));
        Some(WebhookKind::Done { reply, requests: Vec::new() })
    }

    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, Failure> {
        let webhook = Webhook::read(request)?;
        let object = &webhook.payload.object;
        Ok(InboundCall {
            carrier_ref: webhook.call()?.to_owned(),
            from: object.caller.phone_number.as_deref().map(|number| Pii::new(rest::caller(number))),
            to: object.callee.phone_number.as_deref().and_then(rest::number),
            ..InboundCall::default()
        })
    }

    fn answer(&self, _: &InboundCall, _: &Answer) -> Reply {
        Reply::empty(204)
    }

    /// Each side of a call reports for itself; what one of them says of the call holds for both.
    fn status(&self, request: &Inbound<'_>) -> Result<Option<StatusReport>, Failure> {
        let webhook = Webhook::read(request)?;
        let raw = webhook.event.strip_prefix("phone.").unwrap_or(&webhook.event);
        let state = match raw {
            "caller_ringing" | "callee_ringing" => CallState::Ringing,
            "caller_connected" | "callee_answered" | "recording_completed" => CallState::Answered,
            "caller_hold" | "callee_hold" | "callee_parked" => CallState::Paused,
            "caller_unhold" | "callee_unhold" => CallState::Active,
            "caller_ended" | "callee_ended" => CallState::Completed,
            "callee_missed" => CallState::NoAnswer,
            "callee_rejected" => CallState::Busy,
            _ => return Ok(None),
        };
        let recording = webhook.payload.object.recordings.first();
        Ok(Some(StatusReport {
            sequence: webhook.event_ts,
            recording_url: recording.and_then(|recording| recording.download_url.clone()),
            ..StatusReport::new(webhook.call()?, state, raw)
        }))
    }

    fn login(&self, now_ms: i64) -> Option<HttpRequest> {
        let app = self.app.as_ref().filter(|_| self.login.is_over(now_ms))?;
        let fields = [("grant_type", "account_credentials"), ("account_id", app.account_id.as_str())];
        let url = format!("{}/oauth/token", self.login_base);
        Some(rest::form(url, rest::basic(&app.client_id, &app.client_secret), &fields))
    }

    fn login_reply(&self, answer: Option<(u16, &[u8])>, now_ms: i64) -> Result<(), Failure> {
        self.login.take(answer, now_ms)
    }

    fn dial(&self, _: &DialAttempt) -> Result<HttpRequest, CannotDo> {
        Err(CannotDo { capability: Capability::Place, why: BY_SIP })
    }

    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        rest::dialled(answer, |body| rest::text_at(body, "/message_id"), rest::refusal)
    }

    fn text_message(&self, message: &TextMessage<'_>) -> Result<HttpRequest, CannotDo> {
        if self.app.is_none() {
            let why = "account_id, client_id and client_secret are not set";
            return Err(CannotDo { capability: Capability::Text, why });
        }
        let body = json!({
            "sender": { "phone_number": message.from.expose() },
            "to_members": [{ "phone_number": message.to.expose() }],
            "message": message.text,
        });
        let url = format!("{}/phone/sms/messages", self.api_base);
        Ok(rest::json(Method::Post, url, self.login.credential(), &body))
    }

    fn act(&self, _: &str, action: CallAction<'_>, _: i64) -> Result<Way, CannotDo> {
        Err(CannotDo { capability: action.capability(), why: BY_SIP })
    }

    fn act_reply(&self, action: CallAction<'_>, answer: Option<(u16, &[u8])>) -> Result<(), Failure> {
        rest::acted(action, answer)
    }
}
