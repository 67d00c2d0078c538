//! Amazon Connect: signed requests that place, end and record contacts, and contact events. The audio leaves the contact
//! flow through an external voice transfer connector, which is SIP.
//!
//! Sources: Amazon Connect API reference and administrator guide (contact events), EventBridge API destinations, the service
//! model of the official client libraries. Events arrive through an API destination, which shows a user and a password.

#[cfg(test)]
pub(crate) mod tests;

use crate::protocol::{
    Answer, AnsweredBy, Authenticity, CallAction, CannotDo, Capability, CarrierControl, DialAttempt, DialReply,
    Inbound, InboundCall, Reply, StatusReport, Way, WebhookKind,
};
use crate::registry::{Control, Descriptor, Door, Setting, Settings};
use crate::rest;
use aws_credential_types::Credentials;
use aws_lc_rs::constant_time;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::call::CallState;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// The user of our addresses.
const WEBHOOK_USER: &str = "frontdesk";
/// How long the platform may let a phone ring, in seconds.
const RING_SECS: (u64, u64) = (15, 60);

const ACCESS_KEY_ID: Setting =
    Setting { key: "access_key_id", env: "", doc: "Which access key the secret belongs to." };
const SECRET_ACCESS_KEY: Setting = Setting { key: "secret_access_key", env: "", doc: "The secret of the access key." };
const REGION: Setting = Setting { key: "region", env: "", doc: "The region of the instance, such as eu-central-1." };
const INSTANCE_ID: Setting = Setting { key: "instance_id", env: "", doc: "The instance." };
const CONTACT_FLOW_ID: Setting =
    Setting { key: "contact_flow_id", env: "", doc: "The flow that placed calls go through. Needed to place calls." };
const WEBHOOK_SECRET: Setting = Setting {
    key: "webhook_secret",
    env: "CONNECT_WEBHOOK_SECRET",
    doc: "The password, for the user frontdesk, of the API destination that brings contact events. Without it the \
          platform is switched off.",
};
const BASE_URL: Setting =
    Setting { key: "base_url", env: "", doc: "The service: that of the region, or a twin on loopback." };

/// What the registry knows of it.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "connect",
    title: "Amazon Connect",
    door: Door::Platform,
    capabilities: &[Capability::Place, Capability::HangUp, Capability::Record],
    modes: &[],
    settings: &[ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION, INSTANCE_ID, CONTACT_FLOW_ID, WEBHOOK_SECRET, BASE_URL],
    control,
};

fn control(settings: &Settings<'_>) -> Control {
    let text = |setting: &Setting| settings.get(setting).map(|value| value.expose().clone());
    let given = (text(&ACCESS_KEY_ID), settings.get(&SECRET_ACCESS_KEY), text(&REGION), text(&INSTANCE_ID));
    let instance = match given {
        (Some(id), Some(secret), Some(region), Some(instance_id)) => {
            if !region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
                return Err("region is a name such as eu-central-1".into());
            }
            let credentials = Credentials::new(id, secret.expose().clone(), None, None, "configured");
            let usual = format!("https://connect.{region}.amazonaws.com");
            let base = text(&BASE_URL).map_or(usual, |url| url.trim_end_matches('/').to_owned());
            Some(Instance { credentials, region, id: instance_id, flow: text(&CONTACT_FLOW_ID), base })
        }
        (None, None, None, None) => None,
        _ => return Err("access_key_id, secret_access_key, region and instance_id belong together".into()),
    };
    match (settings.get(&WEBHOOK_SECRET), instance) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err("instance_id is set but webhook_secret is not: events could not be checked".into()),
        (Some(webhook_secret), instance) => Ok(Some(Arc::new(ConnectControl { webhook_secret, instance }))),
    }
}

#[derive(Debug)]
struct Instance {
    credentials: Credentials,
    region: String,
    id: String,
    flow: Option<String>,
    base: String,
}

impl Instance {
    fn request(&self, method: Method, path: &str, body: &Value, now_ms: i64) -> HttpRequest {
        self.signed(method, path, body.to_string().into_bytes(), now_ms)
    }

    /// A signed request (Signature Version 4). One that cannot be signed is refused by the service, in its own words.
    fn signed(&self, method: Method, path: &str, body: Vec<u8>, now_ms: i64) -> HttpRequest {
        let mut request = HttpRequest {
            method,
            url: format!("{}{path}", self.base),
            headers: vec![Header::plain("content-type", "application/json")],
            body,
        };
        let identity = self.credentials.clone().into();
        let time = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or_default());
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("connect")
            .time(time)
            .settings(SigningSettings::default())
            .build();
        let headers = request.headers.iter().map(|header| (&*header.name, header.value.expose()));
        let signable =
            SignableRequest::new(method.name(), request.url.as_str(), headers, SignableBody::Bytes(&request.body));
        let signed = parameters.ok().zip(signable.ok()).and_then(|(parameters, signable)| {
            sign(signable, &parameters.into()).ok().map(|signed| signed.into_parts().0)
        });
        if let Some(signed) = signed {
            let own = signed.headers().map(|(name, value)| Header::secret(name.to_owned(), value.to_owned()));
            request.headers.extend(own.collect::<Vec<_>>());
        }
        request
    }
}

/// Events and requests of one instance.
#[derive(Debug)]
pub struct ConnectControl {
    webhook_secret: Secret<String>,
    instance: Option<Instance>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    id: String,
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    event_type: String,
    contact_id: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    disconnect_reason: Option<String>,
    #[serde(default)]
    answering_machine_detection_status: Option<String>,
}

impl Event {
    fn read(request: &Inbound<'_>) -> Result<Self, Failure> {
        let wrong = |_| Failure::new(ErrorClass::Protocol, "an event that is not of the platform's form");
        serde_json::from_slice(request.body).map_err(wrong)
    }

    fn call(&self) -> Result<&str, Failure> {
        let id = Some(self.detail.contact_id.as_str()).filter(|id| rest::is_id(id));
        id.ok_or_else(|| Failure::new(ErrorClass::Protocol, "the event names no contact"))
    }
}

impl CarrierControl for ConnectControl {
    fn name(&self) -> &'static str {
        DESCRIPTOR.name
    }

    fn authenticate(&self, request: &Inbound<'_>) -> Authenticity {
        let given = request.header("authorization").and_then(|header| header.strip_prefix("Basic "));
        let given = given.and_then(|credential| STANDARD.decode(credential.trim()).ok()).unwrap_or_default();
        let own = format!("{WEBHOOK_USER}:{}", self.webhook_secret.expose());
        match constant_time::verify_slices_are_equal(&given, own.as_bytes()) {
            Ok(()) => Authenticity::Genuine {
                replay_key: Event::read(request).ok().map(|event| event.id).filter(|id| !id.is_empty()),
            },
            Err(_) => Authenticity::Forged { why: "the user and password of the destination do not fit" },
        }
    }

    fn webhook_kind(&self, _: &Inbound<'_>) -> Option<WebhookKind> {
        Some(WebhookKind::Status)
    }

    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, Failure> {
        let carrier_ref = Event::read(request)?.call()?.to_owned();
        Ok(InboundCall { carrier_ref, ..InboundCall::default() })
    }

    fn answer(&self, _: &InboundCall, _: &Answer) -> Reply {
        Reply::empty(204)
    }

    fn status(&self, request: &Inbound<'_>) -> Result<Option<StatusReport>, Failure> {
        let event = Event::read(request)?;
        if !matches!(&*event.detail.channel, "VOICE" | "") {
            return Ok(None);
        }
        let reason = event.detail.disconnect_reason.as_deref().unwrap_or_default();
        let state = match &*event.detail.event_type {
            "INITIATED" => CallState::Initiated,
            "CONNECTED_TO_SYSTEM" | "CONNECTED_TO_AGENT" => CallState::Answered,
            "QUEUED" | "PAUSED" => CallState::Paused,
            "RESUMED" => CallState::Active,
            "DISCONNECTED" => ended(reason),
            "CONTACT_DATA_UPDATED" if event.detail.answering_machine_detection_status.is_some() => CallState::Answered,
            _ => return Ok(None),
        };
        let answered_by = event.detail.answering_machine_detection_status.as_deref().and_then(answered_by);
        let raw = if reason.is_empty() { &event.detail.event_type } else { reason };
        Ok(Some(StatusReport { answered_by, ..StatusReport::new(event.call()?, state, raw) }))
    }

    fn dial(&self, attempt: &DialAttempt) -> Result<HttpRequest, CannotDo> {
        let cannot = |why| CannotDo { capability: Capability::Place, why };
        let instance = self.instance.as_ref().ok_or(cannot("access_key_id and what belongs to it are not set"))?;
        let flow = instance.flow.as_ref().ok_or(cannot("contact_flow_id is not set"))?;
        let body = json!({
            "DestinationPhoneNumber": attempt.to.expose(),
            "SourcePhoneNumber": attempt.from.expose(),
            "ContactFlowId": flow,
            "InstanceId": instance.id,
            "ClientToken": attempt.call.to_string(),
            "RingTimeoutInSeconds": rest::seconds(attempt.ring, RING_SECS.0, RING_SECS.1),
            "Attributes": { "frontdesk_call": attempt.call.to_string() },
        });
        Ok(instance.request(Method::Put, "/contact/outbound-voice", &body, attempt.now_ms))
    }

    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        rest::dialled(answer, |body| rest::text_at(body, "/ContactId"), rest::refusal)
    }

    fn act(&self, carrier_ref: &str, action: CallAction<'_>, now_ms: i64) -> Result<Way, CannotDo> {
        let capability = action.capability();
        let cannot = |why| CannotDo { capability, why };
        let (path, more) = match action {
            CallAction::HangUp => ("/contact/stop", Value::Null),
            CallAction::StartRecording => {
                ("/contact/start-recording", json!({ "VoiceRecordingTrack": "ALL", "IvrRecordingTrack": "ALL" }))
            }
            CallAction::StopRecording => ("/contact/stop-recording", Value::Null),
            CallAction::Transfer { .. } => return Err(cannot("its API transfers tasks and chats, not live voice")),
            CallAction::Press(_) => return Err(CannotDo::at_all(capability)),
        };
        if !rest::is_id(carrier_ref) {
            return Err(cannot("this is no id of a contact"));
        }
        let instance = self.instance.as_ref().ok_or(cannot("access_key_id and what belongs to it are not set"))?;
        let mut body = json!({ "ContactId": carrier_ref, "InstanceId": instance.id });
        if capability == Capability::Record {
            body["InitialContactId"] = carrier_ref.into();
        }
        if !more.is_null() {
            body["VoiceRecordingConfiguration"] = more;
        }
        Ok(Way::Request(instance.request(Method::Post, path, &body, now_ms)))
    }

    fn act_reply(&self, action: CallAction<'_>, answer: Option<(u16, &[u8])>) -> Result<(), Failure> {
        rest::acted(action, answer)
    }
}

/// Source: Amazon Connect administrator guide, "Contact records", `DisconnectReason`.
fn ended(reason: &str) -> CallState {
    match reason {
        "TELECOM_BUSY" => CallState::Busy,
        "TELECOM_UNANSWERED" | "TELECOM_TIMEOUT" => CallState::NoAnswer,
        "TELECOM_PROBLEM" | "TELECOM_NUMBER_INVALID" | "TELECOM_POTENTIAL_BLOCKING" | "OTHER" => CallState::Failed,
        _ => CallState::Completed,
    }
}

/// Source: API reference, `AnsweringMachineDetectionStatus`.
fn answered_by(status: &str) -> Option<AnsweredBy> {
    match status {
        "HUMAN_ANSWERED" | "ANSWERED" => Some(AnsweredBy::Human),
        "VOICEMAIL_BEEP" => Some(AnsweredBy::MachineEnd),
        "VOICEMAIL_NO_BEEP" => Some(AnsweredBy::Machine),
        "FAX_MACHINE_DETECTED" => Some(AnsweredBy::Fax),
        _ => None,
    }
}
