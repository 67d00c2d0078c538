//! Exotel: the Voicebot applet's address and stream, REST dialling, status callbacks.
//!
//! Sources: developer.exotel.com (Voicebot and Connect applets, AgentStream, Calls and SMS APIs) and the platform's
//! published OpenAPI. There is no document at call time: an applet asks our address where to stream to, and when the
//! stream ends, the flow goes on to the next applet; a Connect applet there asks whom to dial. Nothing is signed: the
//! addresses carry a user and a password.

mod media;
#[cfg(test)]
pub(crate) mod tests;

pub use media::ExotelMedia;

/// The name by which the registry knows it.
pub type Media = ExotelMedia;

use crate::protocol::{
    Answer, Authenticity, CallAction, CannotDo, Capability, CarrierControl, DialAttempt, DialReply, Inbound,
    InboundCall, Reply, StatusReport, TextMessage, Way,
};
use crate::registry::{Control, Descriptor, Door, Setting, Settings};
use crate::rest;
use aws_lc_rs::constant_time;
use base::wire::HttpRequest;
use base::{ErrorClass, Failure, Pii, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::call::CallState;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Where the API is, unless configured.
pub const API_BASE: &str = "https://api.in.exotel.com";
/// The user of our addresses.
const WEBHOOK_USER: &str = "frontdesk";

const ACCOUNT_SID: Setting =
    Setting { key: "account_sid", env: "EXOTEL_ACCOUNT_SID", doc: "The account. Needed to place calls." };
const API_KEY: Setting = Setting { key: "api_key", env: "EXOTEL_API_KEY", doc: "The API key." };
const API_TOKEN: Setting = Setting { key: "api_token", env: "EXOTEL_API_TOKEN", doc: "The token of the API key." };
const WEBHOOK_SECRET: Setting = Setting {
    key: "webhook_secret",
    env: "EXOTEL_WEBHOOK_SECRET",
    doc: "The password in the addresses of the applets: https://frontdesk:PASSWORD@HOST/carriers/exotel/voice. Without it \
          the platform is switched off.",
};
const FLOW_ID: Setting = Setting {
    key: "flow_id",
    env: "EXOTEL_FLOW_ID",
    doc: "The flow that placed calls go through; without it they are connected to the stream at once, and no transfer is \
          possible.",
};
const DLT_ENTITY_ID: Setting =
    Setting { key: "dlt_entity_id", env: "", doc: "The sender's registration, which messages within India must name." };
const DLT_TEMPLATE_ID: Setting =
    Setting { key: "dlt_template_id", env: "", doc: "The registered template that messages follow." };
const BASE_URL: Setting = Setting {
    key: "base_url",
    env: "EXOTEL_BASE_URL",
    doc: "The API: that of the account's region, or a twin on loopback.",
};

/// What the registry knows of it.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "exotel",
    title: "Exotel",
    door: Door::Platform,
    capabilities: &[
        Capability::Place,
        Capability::Answer,
        Capability::Audio,
        Capability::Marks,
        Capability::Clear,
        Capability::KeysIn,
        Capability::HangUp,
        Capability::TransferCold,
        Capability::TransferWarm,
        Capability::Text,
    ],
    modes: &[],
    settings: &[ACCOUNT_SID, API_KEY, API_TOKEN, WEBHOOK_SECRET, FLOW_ID, DLT_ENTITY_ID, DLT_TEMPLATE_ID, BASE_URL],
    control,
};

fn control(settings: &Settings<'_>) -> Control {
    let text = |setting: &Setting| settings.get(setting).map(|value| value.expose().clone());
    let account = match (text(&ACCOUNT_SID), text(&API_KEY), settings.get(&API_TOKEN)) {
        (Some(sid), Some(key), Some(token)) => Some(Account { sid, key, token }),
        (None, None, None) => None,
        _ => return Err("account_sid, api_key and api_token belong together".into()),
    };
    let Some(webhook_secret) = settings.get(&WEBHOOK_SECRET) else {
        return match account {
            Some(_) => Err("account_sid is set but webhook_secret is not: webhooks could not be checked".into()),
            None => Ok(None),
        };
    };
    if !webhook_secret.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("webhook_secret holds letters and digits only, because it stands in an address".into());
    }
    Ok(Some(Arc::new(ExotelControl {
        account,
        webhook_secret,
        flow_id: text(&FLOW_ID),
        dlt_entity_id: text(&DLT_ENTITY_ID),
        dlt_template_id: text(&DLT_TEMPLATE_ID),
        api_base: text(&BASE_URL).map_or_else(|| API_BASE.to_owned(), |url| url.trim_end_matches('/').to_owned()),
    })))
}

#[derive(Debug)]
struct Account {
    sid: String,
    key: String,
    token: Secret<String>,
}

/// Requests and webhooks of one account.
#[derive(Debug)]
pub struct ExotelControl {
    account: Option<Account>,
    webhook_secret: Secret<String>,
    flow_id: Option<String>,
    dlt_entity_id: Option<String>,
    dlt_template_id: Option<String>,
    api_base: String,
}

/// The fields of a webhook, which may also be JSON.
fn fields(request: &Inbound<'_>) -> Vec<(String, String)> {
    match serde_json::from_slice::<Map<String, Value>>(request.body) {
        Ok(object) => {
            let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            object.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, text(value))).collect()
        }
        Err(_) => request.fields(),
    }
}

fn field<'a>(fields: &'a [(String, String)], names: &[&str]) -> Option<&'a str> {
    let named = |name: &&str| fields.iter().find(|(key, value)| key == name && !value.is_empty());
    names.iter().find_map(named).map(|(_, value)| value.as_str())
}

fn call_of(fields: &[(String, String)]) -> Result<&str, Failure> {
    field(fields, &["CallSid"])
        .filter(|sid| rest::is_id(sid))
        .ok_or_else(|| Failure::new(ErrorClass::Protocol, "the webhook names no call (CallSid)"))
}

/// The socket's address with the token, which comes back among the parameters of the start.
fn with_token(media_url: &str, token: &str) -> String {
    let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    format!("{media_url}?token={token}")
}

impl ExotelControl {
    fn request(&self, path: &str, form: &[(&str, &str)]) -> Result<HttpRequest, &'static str> {
        let account = self.account.as_ref().ok_or("account_sid, api_key and api_token are not set")?;
        let url = format!("{}/v1/Accounts/{}/{path}", self.api_base, account.sid);
        Ok(rest::form(url, rest::basic(&account.key, &account.token), form))
    }

    /// An address of ours that the platform is admitted to.
    fn admitting(&self, url: &str) -> String {
        url.replacen("://", &format!("://{WEBHOOK_USER}:{}@", self.webhook_secret.expose()), 1)
    }
}

impl CarrierControl for ExotelControl {
    fn name(&self) -> &'static str {
        DESCRIPTOR.name
    }

    fn authenticate(&self, request: &Inbound<'_>) -> Authenticity {
        let given = request.header("authorization").and_then(|header| header.strip_prefix("Basic "));
        let given = given.and_then(|credential| STANDARD.decode(credential.trim()).ok()).unwrap_or_default();
        let own = format!("{WEBHOOK_USER}:{}", self.webhook_secret.expose());
        match constant_time::verify_slices_are_equal(&given, own.as_bytes()) {
            Ok(()) => Authenticity::Genuine { replay_key: None },
            Err(_) => Authenticity::Forged { why: "the user and password in the address do not fit" },
        }
    }

    /// The token within admits it.
    fn authenticate_media(&self, _: &Inbound<'_>) -> Authenticity {
        Authenticity::Genuine { replay_key: None }
    }

    fn takes_queries(&self) -> bool {
        true
    }

    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, Failure> {
        let fields = fields(request);
        Ok(InboundCall {
            carrier_ref: call_of(&fields)?.to_owned(),
            from: field(&fields, &["CallFrom", "From"]).map(|from| Pii::new(rest::caller(&international(from)))),
            to: field(&fields, &["CallTo", "To"]).and_then(|to| rest::number(&international(to))),
            resumed: request.is_resuming(),
            ..InboundCall::default()
        })
    }

    fn answer(&self, _: &InboundCall, answer: &Answer) -> Reply {
        match answer {
            Answer::Connect { media_url, token, .. } => Reply::json(&json!({ "url": with_token(media_url, token) })),
            Answer::Transfer { to, caller_id } => {
                let mut body = json!({ "fetch_after_attempt": false, "destination": { "numbers": [to.expose()] } });
                if let Some(number) = caller_id {
                    body["outgoing_phone_number"] = number.expose().into();
                }
                Reply::json(&body)
            }
            // An applet that gets no answer lets the flow go on to the next one, which ends the call.
            Answer::Busy | Answer::Reject | Answer::HangUp | Answer::SayAndHangUp { .. } => Reply::empty(404),
        }
    }

    fn status(&self, request: &Inbound<'_>) -> Result<Option<StatusReport>, Failure> {
        let fields = fields(request);
        let Some(raw) = field(&fields, &["Status", "CallStatus", "EventType"]) else { return Ok(None) };
        let state = match raw {
            "queued" => CallState::Initiated,
            "ringing" => CallState::Ringing,
            "in-progress" | "answered" => CallState::Answered,
            "completed" => CallState::Completed,
            "failed" => CallState::Failed,
            "busy" => CallState::Busy,
            "no-answer" => CallState::NoAnswer,
            "canceled" => CallState::Canceled,
            _ => return Ok(None),
        };
        Ok(Some(StatusReport {
            duration_secs: field(&fields, &["ConversationDuration"]).and_then(|secs| secs.parse().ok()),
            recording_url: field(&fields, &["RecordingUrl"]).map(str::to_owned),
            ..StatusReport::new(call_of(&fields)?, state, raw)
        }))
    }

    fn dial(&self, attempt: &DialAttempt) -> Result<HttpRequest, CannotDo> {
        let status_url = self.admitting(&attempt.status_url);
        let mut form = vec![
            ("From", attempt.to.expose()),
            ("CallerId", attempt.from.expose()),
            ("StatusCallback", status_url.as_str()),
            ("StatusCallbackEvents[]", "answered"),
            ("StatusCallbackEvents[]", "terminal"),
            ("StatusCallbackContentType", "application/json"),
        ];
        let stream = with_token(&attempt.media_url, &attempt.token);
        let sid = self.account.as_ref().map_or("", |account| account.sid.as_str());
        let flow = self.flow_id.as_ref().map(|id| format!("http://my.exotel.com/{sid}/exoml/start_voice/{id}"));
        match &flow {
            Some(flow) => form.extend([("Url", flow.as_str()), ("CallType", "trans")]),
            None => form.extend([("StreamUrl", stream.as_str()), ("StreamType", "bidirectional")]),
        }
        self.request("Calls/connect.json", &form).map_err(|why| CannotDo { capability: Capability::Place, why })
    }

    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        rest::dialled(answer, |body| rest::text_at(body, "/Call/Sid"), rest::refusal)
    }

    fn text_message(&self, message: &TextMessage<'_>) -> Result<HttpRequest, CannotDo> {
        let mut form = vec![("From", message.from.expose()), ("To", message.to.expose()), ("Body", message.text)];
        form.extend(self.dlt_entity_id.as_deref().map(|id| ("DltEntityId", id)));
        form.extend(self.dlt_template_id.as_deref().map(|id| ("DltTemplateId", id)));
        self.request("Sms/send.json", &form).map_err(|why| CannotDo { capability: Capability::Text, why })
    }

    fn text_message_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        rest::dialled(answer, |body| rest::text_at(body, "/SMSMessage/Sid"), rest::refusal)
    }

    fn act(&self, _: &str, action: CallAction<'_>, _: i64) -> Result<Way, CannotDo> {
        match action {
            CallAction::HangUp | CallAction::Transfer { .. } => Ok(Way::NextAnswer),
            _ => Err(CannotDo::at_all(action.capability())),
        }
    }

    fn act_reply(&self, action: CallAction<'_>, answer: Option<(u16, &[u8])>) -> Result<(), Failure> {
        rest::acted(action, answer)
    }
}

/// Numbers within India are told with a zero in front.
fn international(number: &str) -> String {
    match number.strip_prefix('0') {
        Some(rest) if rest.len() == 10 && rest.bytes().all(|byte| byte.is_ascii_digit()) => format!("+91{rest}"),
        _ => number.to_owned(),
    }
}
