//! Twilio Programmable Voice: signed webhooks, TwiML answers, REST dialling, and the conversation as audio (Media Streams) or as
//! words (ConversationRelay).
//!
//! Sources: twilio.com/docs/voice, the published OpenAPI of API version 2010-04-01, and the official client libraries.

mod media;
mod mode;
mod relay;
mod signature;
mod socket;
#[cfg(test)]
pub(crate) mod tests;
mod twiml;

pub use mode::RelayOptions;
pub use signature::{Algorithm, sign};
pub use socket::TwilioMedia;

/// The name by which the registry knows it.
pub type Media = TwilioMedia;

use crate::protocol::{
    Answer, AnsweredBy, Authenticity, CallAction, CannotDo, Capability, CarrierControl, DialAttempt, DialReply,
    Inbound, InboundCall, Reply, StatusReport, TextMessage, Way,
};
use crate::registry::{Control, Descriptor, Door, MACHINE_DETECTION, Mode, Setting, Settings};
use crate::rest;
use aws_lc_rs::constant_time;
use base::wire::HttpRequest;
use base::{ErrorClass, Failure, Pii, Secret};
use model::call::CallState;
use serde::Deserialize;
use std::sync::Arc;

/// Where the platform's REST API is, unless configured.
pub const API_BASE: &str = "https://api.twilio.com";
const SIGNATURE_HEADER: &str = "x-twilio-signature";
const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";
const IDEMPOTENCY_HEADER: &str = "i-twilio-idempotency-token";
const FORM: &str = "application/x-www-form-urlencoded";
/// Longest the platform lets a phone ring.
const RING_SECS_MAX: u64 = 600;
/// Longest id we accept; the platform's have 34 characters.
const SID_CHARS_MAX: usize = 64;

const ACCOUNT_SID: Setting =
    Setting { key: "account_sid", env: "TWILIO_ACCOUNT_SID", doc: "The account, AC…. Needed to place calls." };
const AUTH_TOKEN: Setting = Setting {
    key: "auth_token",
    env: "TWILIO_AUTH_TOKEN",
    doc: "The account's token. Checks the signature of every webhook; without it the platform is switched off.",
};
const API_KEY: Setting = Setting {
    key: "api_key",
    env: "TWILIO_API_KEY",
    doc: "An API key, SK…, to use for requests instead of the token.",
};
const API_SECRET: Setting = Setting { key: "api_secret", env: "TWILIO_API_SECRET", doc: "The secret of the API key." };
const SHARED_KEY: Setting =
    Setting { key: "shared_key", env: "", doc: "The id of a shared key that signs webhooks with SHA-256." };
const SHARED_SECRET: Setting = Setting { key: "shared_secret", env: "", doc: "The secret of the shared key." };
const BASE_URL: Setting =
    Setting { key: "base_url", env: "TWILIO_BASE_URL", doc: "The REST API: a region's host, or a twin on loopback." };

/// What the registry knows of it.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "twilio",
    title: "Twilio",
    door: Door::Platform,
    capabilities: &[
        Capability::Place,
        Capability::Answer,
        Capability::Reject,
        Capability::Audio,
        Capability::Marks,
        Capability::Clear,
        Capability::KeysIn,
        Capability::HangUp,
        Capability::TransferCold,
        Capability::TransferWarm,
        Capability::Record,
        Capability::MachineDetection,
        Capability::Text,
    ],
    modes: &[Mode { title: "Twilio, `conversation_relay`", capabilities: mode::CAPABILITIES }],
    settings: &{
        let [mode, language, voice, tts_provider, transcription_provider, interruptible, dtmf_detection] =
            mode::SETTINGS;
        [
            ACCOUNT_SID,
            AUTH_TOKEN,
            API_KEY,
            API_SECRET,
            SHARED_KEY,
            SHARED_SECRET,
            MACHINE_DETECTION,
            mode,
            language,
            voice,
            tts_provider,
            transcription_provider,
            interruptible,
            dtmf_detection,
            BASE_URL,
        ]
    },
    control,
};

fn control(settings: &Settings<'_>) -> Control {
    let Some(auth_token) = settings.get(&AUTH_TOKEN) else {
        return match settings.get(&ACCOUNT_SID) {
            Some(_) => Err("account_sid is set but auth_token is not: webhooks could not be checked".into()),
            None => Ok(None),
        };
    };
    let pair = |id: &Setting, secret: &Setting| match (settings.get(id), settings.get(secret)) {
        (Some(id), Some(secret)) => Ok(Some((id.expose().clone(), secret))),
        (None, None) => Ok(None),
        _ => Err(format!("{} and {} belong together", id.key, secret.key)),
    };
    let shared = pair(&SHARED_KEY, &SHARED_SECRET)?;
    let api_base = settings.get(&BASE_URL).map(|url| url.expose().trim_end_matches('/').to_owned());
    Ok(Some(Arc::new(TwilioControl::new(TwilioOptions {
        account_sid: settings.get(&ACCOUNT_SID).map(|sid| sid.expose().clone()).unwrap_or_default(),
        auth_token,
        api_key: pair(&API_KEY, &API_SECRET)?,
        shared_keys: shared.map(|(id, secret)| SharedKey { id, secret }).into_iter().collect(),
        detects_machines: settings.is_on(&MACHINE_DETECTION)?,
        relay: mode::relay(settings)?,
        api_base: api_base.unwrap_or_else(|| API_BASE.to_owned()),
    }))))
}

/// An account of the platform.
#[derive(Clone, Debug)]
pub struct TwilioOptions {
    /// `AC…`.
    pub account_sid: String,
    /// The account's token: signs webhooks, and requests to the API when there is no API key.
    pub auth_token: Secret<String>,
    /// An API key for requests: its id (`SK…`) and its secret.
    pub api_key: Option<(String, Secret<String>)>,
    /// Shared keys that may sign webhooks with SHA-256.
    pub shared_keys: Vec<SharedKey>,
    /// Whether the platform tells answering machines from people on calls that we place.
    pub detects_machines: bool,
    /// How the platform listens and speaks for us; `None` where audio comes here.
    pub relay: Option<RelayOptions>,
    /// `https://api.twilio.com`, or a regional host, or a twin on loopback. No slash at the end.
    pub api_base: String,
}

/// A key that signs webhooks with SHA-256.
#[derive(Clone, Debug)]
pub struct SharedKey {
    /// Its id, which the request names.
    pub id: String,
    /// Its secret.
    pub secret: Secret<String>,
}

impl TwilioOptions {
    /// An account that uses its token for everything.
    pub fn new(account_sid: impl Into<String>, auth_token: impl Into<String>) -> Self {
        Self {
            account_sid: account_sid.into(),
            auth_token: Secret::new(auth_token.into()),
            api_key: None,
            shared_keys: Vec::new(),
            detects_machines: false,
            relay: None,
            api_base: API_BASE.to_owned(),
        }
    }
}

/// Requests and webhooks of one account.
#[derive(Clone, Debug)]
pub struct TwilioControl {
    options: TwilioOptions,
}

impl TwilioControl {
    /// The account's codec.
    pub fn new(options: TwilioOptions) -> Self {
        Self { options }
    }

    /// The key and hash that must have signed this request.
    fn signing_key(&self, request: &Inbound<'_>) -> Result<(&Secret<String>, Algorithm), &'static str> {
        let settings = request.header(SETTINGS_HEADER).unwrap_or_default();
        let setting = |name: &str| {
            let mut pairs = settings.split(',').filter_map(|part| part.split_once('='));
            pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
        };
        match setting("algorithm").unwrap_or("HMAC_SHA1") {
            algorithm if algorithm.eq_ignore_ascii_case("HMAC_SHA1") => Ok((&self.options.auth_token, Algorithm::Sha1)),
            algorithm if algorithm.eq_ignore_ascii_case("HMAC_SHA256") => {
                let id = setting("key").unwrap_or_default();
                let key = self.options.shared_keys.iter().find(|key| key.id == id);
                key.map(|key| (&key.secret, Algorithm::Sha256)).ok_or("signed with a shared key we do not know")
            }
            _ => Err("signed with an algorithm we do not know"),
        }
    }

    fn api_request(&self, path: &str, form: &[(&str, &str)]) -> Result<HttpRequest, &'static str> {
        if self.options.account_sid.is_empty() {
            return Err("account_sid is not set");
        }
        let credential = match &self.options.api_key {
            Some((id, secret)) => rest::basic(id, secret),
            None => rest::basic(&self.options.account_sid, &self.options.auth_token),
        };
        let url = format!("{}/2010-04-01/Accounts/{}/{path}", self.options.api_base, self.options.account_sid);
        Ok(rest::form(url, credential, form))
    }
}

impl CarrierControl for TwilioControl {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn capabilities(&self) -> Option<&'static [Capability]> {
        self.relays_words().then_some(mode::CAPABILITIES)
    }

    fn relays_words(&self) -> bool {
        self.options.relay.is_some()
    }

    fn authenticate(&self, request: &Inbound<'_>) -> Authenticity {
        let Some(header) = request.header(SIGNATURE_HEADER) else {
            return Authenticity::Forged { why: "no signature" };
        };
        let Some(signature) = signature::decode(header) else {
            return Authenticity::Forged { why: "the signature is not base64" };
        };
        let (key, algorithm) = match self.signing_key(request) {
            Ok(found) => found,
            Err(why) => return Authenticity::Forged { why },
        };
        let form = match signed_form(request) {
            Ok(form) => form,
            Err(why) => return Authenticity::Forged { why },
        };
        let upgrade = request.is_upgrade();
        let url = if upgrade { socket_url(request.url) } else { request.url.to_owned() };
        // Every variant is tried even when the first fits, so that the time says nothing.
        let fitting = signature::url_variants(&url)
            .iter()
            .filter(|url| signature::verify(key.expose(), algorithm, url, &form, &signature).is_ok())
            .count();
        if fitting == 0 {
            return Authenticity::Forged { why: "the signature does not fit" };
        }
        // The signature of an upgrade covers the URL alone and is the same each time: its token is what is single-use.
        Authenticity::Genuine { replay_key: (!upgrade).then(|| replay_key(request, &form, header)) }
    }

    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, Failure> {
        let fields = request.fields();
        Ok(InboundCall {
            carrier_ref: call_sid(&fields)?.to_owned(),
            from: field(&fields, "From").map(Pii::from),
            to: field(&fields, "To").and_then(|number| number.parse().ok()),
            resumed: request.is_resuming(),
            media_error: field(&fields, "ErrorCode").filter(|code| is_sid(code)).map(str::to_owned),
            ..InboundCall::default()
        })
    }

    fn answer(&self, _: &InboundCall, answer: &Answer) -> Reply {
        Reply::new(200, "text/xml", twiml::document(answer, self.options.relay.as_ref()))
    }

    fn has_voice(&self) -> bool {
        true
    }

    fn status(&self, request: &Inbound<'_>) -> Result<Option<StatusReport>, Failure> {
        let fields = request.fields();
        let carrier_ref = call_sid(&fields)?.to_owned();
        let Some(raw_state) = field(&fields, "CallStatus") else { return Ok(None) };
        let state = match raw_state {
            "queued" | "initiated" => CallState::Initiated,
            "ringing" => CallState::Ringing,
            "in-progress" | "answered" => CallState::Answered,
            "completed" => CallState::Completed,
            "busy" => CallState::Busy,
            "failed" => CallState::Failed,
            "no-answer" => CallState::NoAnswer,
            "canceled" => CallState::Canceled,
            _ => return Ok(None),
        };
        Ok(Some(StatusReport {
            sequence: field(&fields, "SequenceNumber").and_then(|text| text.parse().ok()),
            duration_secs: field(&fields, "CallDuration").and_then(|text| text.parse().ok()),
            answered_by: field(&fields, "AnsweredBy").map(answered_by),
            recording_url: field(&fields, "RecordingUrl").map(str::to_owned),
            ..StatusReport::new(carrier_ref, state, raw_state)
        }))
    }

    fn dial(&self, attempt: &DialAttempt) -> Result<HttpRequest, CannotDo> {
        let ring_secs = rest::seconds(attempt.ring, 1, RING_SECS_MAX).to_string();
        let mut form = vec![
            ("To", attempt.to.expose()),
            ("From", attempt.from.expose()),
            ("Url", &attempt.answer_url),
            ("Method", "POST"),
            ("StatusCallback", &attempt.status_url),
            ("StatusCallbackMethod", "POST"),
            ("StatusCallbackEvent", "initiated"),
            ("StatusCallbackEvent", "ringing"),
            ("StatusCallbackEvent", "answered"),
            ("StatusCallbackEvent", "completed"),
            ("Timeout", &ring_secs),
        ];
        if self.options.detects_machines {
            form.extend([
                ("MachineDetection", "DetectMessageEnd"),
                ("AsyncAmd", "true"),
                ("AsyncAmdStatusCallback", &attempt.status_url),
            ]);
        }
        self.api_request("Calls.json", &form).map_err(|why| CannotDo { capability: Capability::Place, why })
    }

    fn text_message(&self, message: &TextMessage<'_>) -> Result<HttpRequest, CannotDo> {
        let fields = [("To", message.to.expose()), ("From", message.from.expose()), ("Body", message.text)];
        self.api_request("Messages.json", &fields).map_err(|why| CannotDo { capability: Capability::Text, why })
    }

    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        rest::dialled(answer, |body| rest::text_at(body, "/sid").filter(|sid| is_sid(sid)), refusal)
    }

    fn act(&self, carrier_ref: &str, action: CallAction<'_>, _: i64) -> Result<Way, CannotDo> {
        let capability = action.capability();
        let request = match action {
            CallAction::Transfer { .. } => return Ok(Way::NextAnswer),
            CallAction::Press(_) if self.relays_words() => {
                return Err(CannotDo { capability, why: "keys go over the socket that relays the words" });
            }
            CallAction::Press(_) => {
                return Err(CannotDo { capability, why: "it would end the media stream; the agent plays the tones" });
            }
            _ if !is_sid(carrier_ref) => return Err(CannotDo { capability, why: "this is no id of a call" }),
            CallAction::HangUp => self.api_request(&format!("Calls/{carrier_ref}.json"), &[("Status", "completed")]),
            CallAction::StartRecording => {
                let form = [("RecordingChannels", "dual")];
                self.api_request(&format!("Calls/{carrier_ref}/Recordings.json"), &form)
            }
            CallAction::StopRecording => {
                let path = format!("Calls/{carrier_ref}/Recordings/Twilio.CURRENT.json");
                self.api_request(&path, &[("Status", "stopped")])
            }
        };
        request.map(Way::Request).map_err(|why| CannotDo { capability, why })
    }

    fn act_reply(&self, action: CallAction<'_>, answer: Option<(u16, &[u8])>) -> Result<(), Failure> {
        // 21220: the call is in no state that can be changed, which is to say over.
        let is_over = |body: &[u8]| matches!(error_code(body), Some(20404 | 21220));
        match answer {
            Some((_, body)) if action == CallAction::HangUp && is_over(body) => Ok(()),
            answer => rest::acted(action, answer),
        }
    }
}

#[derive(Deserialize)]
struct ApiError {
    code: u32,
}

fn error_code(body: &[u8]) -> Option<u32> {
    serde_json::from_slice::<ApiError>(body).ok().map(|error| error.code)
}

/// What a refused request to dial means. The platform's message is left out: it repeats the number.
fn refusal(status: u16, body: &[u8]) -> Failure {
    let code = error_code(body);
    let class = match code {
        Some(20429 | 10004) => ErrorClass::RateLimited,
        Some(20001 | 20003 | 20006 | 20008 | 20403) => ErrorClass::Auth,
        // The number is not ours to show, or the account may not call there.
        Some(13227 | 21210 | 21215 | 21219 | 21408) => ErrorClass::Auth,
        Some(10001 | 10002 | 20005 | 20402) => ErrorClass::Quota,
        Some(21216 | 21610) => ErrorClass::Refused,
        _ => rest::class_of(status),
    };
    match code {
        Some(code) => {
            Failure::new(class, format!("HTTP {status}, code {code}, see https://www.twilio.com/docs/errors/{code}"))
        }
        None => Failure::new(class, format!("HTTP {status}")),
    }
}

fn is_sid(text: &str) -> bool {
    !text.is_empty() && text.len() <= SID_CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Source: twilio.com/docs/voice/answering-machine-detection.
fn answered_by(text: &str) -> AnsweredBy {
    match text {
        "fax" => AnsweredBy::Fax,
        "machine_start" => AnsweredBy::Machine,
        text if text.starts_with("machine") => AnsweredBy::MachineEnd,
        _ => AnsweredBy::Human,
    }
}

/// The URL as our answer named it: servers see `https` where the platform signed `wss`.
fn socket_url(url: &str) -> String {
    match url.strip_prefix("http") {
        Some(rest) if rest.starts_with("://") || rest.starts_with("s://") => format!("ws{rest}"),
        _ => url.to_owned(),
    }
}

fn is_form(request: &Inbound<'_>) -> bool {
    let kind = request.header("content-type").unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM)
}

/// The fields that the signature covers. A body that is no form must be named by its hash in the URL, which is signed.
fn signed_form(request: &Inbound<'_>) -> Result<Vec<(String, String)>, &'static str> {
    if request.body.is_empty() {
        return Ok(Vec::new());
    }
    if is_form(request) {
        return Ok(form_urlencoded::parse(request.body).into_owned().collect());
    }
    let named = request.query().find(|(name, _)| name == "bodySHA256").map(|(_, hash)| hash);
    let named = named.ok_or("a body that the signature does not cover")?;
    constant_time::verify_slices_are_equal(rest::sha256(request.body).as_bytes(), named.as_bytes())
        .map(|()| Vec::new())
        .map_err(|_| "the body is not the one that was signed")
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

fn call_sid(fields: &[(String, String)]) -> Result<&str, Failure> {
    field(fields, "CallSid")
        .filter(|sid| is_sid(sid))
        .ok_or_else(|| Failure::new(ErrorClass::Protocol, "the webhook names no call (CallSid)"))
}

/// Names a delivery by what is signed, because the platform's own token for it is not: whoever replays a request may put
/// any token beside it. The token only tells apart requests that are the same in everything signed, which reports with a
/// sequence number never are.
fn replay_key(request: &Inbound<'_>, form: &[(String, String)], signature: &str) -> String {
    let sid = field(form, "CallSid").unwrap_or_default();
    match field(form, "SequenceNumber") {
        Some(sequence) => format!("{sid}:{sequence}:{signature}"),
        None => format!("{sid}:{}:{signature}", request.header(IDEMPOTENCY_HEADER).unwrap_or_default()),
    }
}
