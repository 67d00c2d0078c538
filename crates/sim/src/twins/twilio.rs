//! A twin of Twilio: signed webhooks, answers in TwiML, `Calls.json`, Media Streams.

mod media;
mod twiml;

pub use super::phone::{
    CallRecord, Callee, Leg, Line, LineEcho, RestFault, RestRequest, StatusDelivery, TwinCall, Verb, Webhook, WordsLeg,
};
pub use twiml::parse;

use super::phone::{
    Asked, Call, Frames, Hook, HookAnswer, Moment, Outcome, PhoneOptions, PhoneTwin, Platform, Then, encoded, fields,
};
use axum::http::{HeaderMap, header};
use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carriers::twilio::Algorithm;
use serde_json::{Value, json};
use std::io;
use std::ops::Deref;
use std::time::Duration;

/// An account, and how the twin behaves.
#[derive(Clone, Debug)]
pub struct TwinOptions {
    /// `AC…`.
    pub account_sid: String,
    /// Signs webhooks, and is the password of the REST API.
    pub auth_token: Secret<String>,
    /// Signs webhooks with SHA-256 instead: id and secret of a shared key.
    pub shared_key: Option<(String, Secret<String>)>,
    /// The caller's number on inbound calls.
    pub caller: String,
    /// Our number on inbound calls.
    pub number: String,
    /// Where the end of inbound calls is reported, as configured at a number.
    pub status_url: Option<String>,
    /// How reports travel.
    pub delivery: StatusDelivery,
    /// How long a webhook that refuses connections is tried again: a load balancer in front of several nodes.
    pub webhook_retry: Duration,
    /// How long a webhook may take.
    pub webhook_timeout: Duration,
}

impl TwinOptions {
    /// An account with this id and token, and the platform's own deadlines.
    pub fn new(account_sid: &str, auth_token: &str) -> Self {
        let phone = PhoneOptions::default();
        Self {
            account_sid: account_sid.to_owned(),
            auth_token: auth_token.into(),
            shared_key: None,
            caller: phone.caller,
            number: phone.number,
            status_url: phone.status_url,
            delivery: phone.delivery,
            webhook_retry: phone.webhook_retry,
            webhook_timeout: phone.webhook_timeout,
        }
    }

    /// The headers that sign a request to `url` with these form fields.
    pub fn signature_headers(&self, url: &str, form: &[(String, String)]) -> Vec<(&'static str, String)> {
        match &self.shared_key {
            None => {
                let signature = carriers::twilio::sign(self.auth_token.expose(), Algorithm::Sha1, url, form);
                vec![("x-twilio-signature", signature)]
            }
            Some((id, secret)) => vec![
                ("x-twilio-signature", carriers::twilio::sign(secret.expose(), Algorithm::Sha256, url, form)),
                ("x-twilio-webhooks-signature-settings", format!("key={id},algorithm=HMAC_SHA256")),
            ],
        }
    }
}

/// The platform. Its server ends when this is dropped; its calls end with their tasks.
#[derive(Debug)]
pub struct TwilioTwin {
    twin: PhoneTwin,
    options: TwinOptions,
}

impl Deref for TwilioTwin {
    type Target = PhoneTwin;

    fn deref(&self) -> &PhoneTwin {
        &self.twin
    }
}

impl From<TwilioTwin> for PhoneTwin {
    fn from(twilio: TwilioTwin) -> Self {
        twilio.twin
    }
}

impl TwilioTwin {
    /// Starts the REST server on a free port of the loopback interface.
    pub async fn start(options: TwinOptions) -> io::Result<Self> {
        let phone = PhoneOptions {
            caller: options.caller.clone(),
            number: options.number.clone(),
            status_url: options.status_url.clone(),
            delivery: options.delivery,
            webhook_retry: options.webhook_retry,
            webhook_timeout: options.webhook_timeout,
        };
        Ok(Self { twin: PhoneTwin::start(Twilio(options.clone()), phone).await?, options })
    }

    /// The account and behaviour it was started with.
    pub fn options(&self) -> &TwinOptions {
        &self.options
    }
}

/// How the platform writes and reads.
struct Twilio(TwinOptions);

impl Twilio {
    fn form(&self, call: &Call) -> Vec<(String, String)> {
        fields([
            ("CallSid", &call.id),
            ("AccountSid", &self.0.account_sid),
            ("From", &call.from),
            ("To", &call.to),
            ("Caller", &call.from),
            ("Called", &call.to),
            ("CallStatus", call.status),
            ("Direction", if call.is_placed { "outbound-api" } else { "inbound" }),
            ("ApiVersion", "2010-04-01"),
            ("FromCity", "SÃO PAULO & CO"),
            ("CallerName", ""),
        ])
    }

    /// What else the end of a socket says.
    fn ended(&self, call: &Call) -> Vec<(String, String)> {
        let said = call.note.as_object().into_iter().flatten();
        said.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }

    fn hook(&self, url: &str, form: Vec<(String, String)>, state: &str, token: String) -> Hook {
        let mut headers = vec![
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned()),
            ("user-agent", "TwilioProxy/1.1".to_owned()),
            ("i-twilio-idempotency-token", token),
        ];
        headers.extend(self.0.signature_headers(url, &form));
        let (url, body, state) = (url.to_owned(), encoded(&form), state.to_owned());
        Hook { method: "POST", url, headers, body, form, state }
    }

    fn ask(&self, call: &Call, url: &str) -> Then {
        let form = [self.form(call), self.ended(call)].concat();
        Then::Ask(self.hook(url, form, call.status, format!("{}-{}", call.id, call.hooks)))
    }
}

fn error(status: u16, code: u32, message: &str) -> (u16, Value) {
    let body = json!({
        "code": code, "message": message, "status": status,
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
    });
    (status, body)
}

impl Platform for Twilio {
    fn env(&self, api_base: &str) -> Vec<(&'static str, String)> {
        vec![
            ("TWILIO_ACCOUNT_SID", self.0.account_sid.clone()),
            ("TWILIO_AUTH_TOKEN", self.0.auth_token.expose().clone()),
            ("TWILIO_BASE_URL", api_base.to_owned()),
        ]
    }

    fn call_id(&self, n: u64) -> String {
        format!("CA{n:032x}")
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let credential = format!("{}:{}", self.0.account_sid, self.0.auth_token.expose());
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        given == Some(format!("Basic {}", STANDARD.encode(credential)).as_str())
    }

    fn asked(&self, request: &RestRequest) -> Asked {
        let prefix = format!("/2010-04-01/Accounts/{}/", self.0.account_sid);
        let Some(path) = request.path.strip_prefix(&prefix) else { return Asked::Not(404, 20404) };
        if (request.method.as_str(), path) == ("POST", "Calls.json") {
            return dialled(request);
        }
        let call = path.strip_prefix("Calls/").and_then(|rest| rest.strip_suffix(".json")).unwrap_or_default();
        let call = call.to_owned();
        let verbs = match (request.method.as_str(), request.field("Status"), request.field("Url")) {
            ("GET", ..) => return Asked::Show { call },
            ("POST", Some("completed" | "canceled"), _) => vec![Verb::Hangup],
            ("POST", None, Some(url)) => vec![Verb::Redirect(url.to_owned())],
            ("POST", ..) => return Asked::Not(400, 21218),
            _ => return Asked::Not(405, 20004),
        };
        Asked::Do { call, verbs, note: Value::Null }
    }

    fn outcome(&self, outcome: Outcome<'_>) -> (u16, Value) {
        let (status, sid, record) = match outcome {
            Outcome::Dialled(sid, record) => (201, sid, record),
            Outcome::Done(sid, record) => (200, sid, record),
            Outcome::Missing => return error(404, 20404, "The requested resource was not found"),
            Outcome::Over => return error(400, 21220, "Call is not in-progress. Cannot redirect."),
            Outcome::Unauthorized => return error(401, 20003, "Authenticate"),
            Outcome::Refused(429, 0) => return error(429, 20429, "Too Many Requests"),
            Outcome::Refused(status, 0) => return error(status, 20503, "As the test wishes."),
            Outcome::Refused(status, code) => return error(status, code, "refused"),
        };
        let account = &self.0.account_sid;
        let direction = if record.is_placed { "outbound-api" } else { "inbound" };
        let body = json!({
            "sid": sid, "account_sid": account, "api_version": "2010-04-01", "status": record.status,
            "to": record.to, "from": record.from, "direction": direction, "parent_call_sid": null,
            "phone_number_sid": null, "start_time": null, "end_time": null, "duration": null, "price": null,
            "price_unit": "USD", "answered_by": null, "forwarded_from": null, "group_sid": null, "caller_name": null,
            "queue_time": "0", "trunk_sid": null, "subresource_uris": {},
            "uri": format!("/2010-04-01/Accounts/{account}/Calls/{sid}.json"),
        });
        (status, body)
    }

    fn reports(&self, call: &Call, moment: Moment<'_>) -> Vec<Hook> {
        let (event, state) = match moment {
            Moment::Initiated => ("initiated", "initiated"),
            Moment::Ringing => ("ringing", "ringing"),
            Moment::Answered => ("answered", "in-progress"),
            Moment::Ended => ("completed", call.status),
            _ => return Vec::new(),
        };
        let Some(url) = &call.status_url else { return Vec::new() };
        // At a number only the end can be had.
        let wanted = call.asked["StatusCallbackEvent"].as_array().map_or(&[][..], Vec::as_slice);
        if call.is_placed && !wanted.iter().any(|one| one == event) || !call.is_placed && event != "completed" {
            return Vec::new();
        }
        let sequence = call.reports.to_string();
        let mut form = self.form(call);
        form.iter_mut().filter(|(name, _)| name == "CallStatus").for_each(|(_, value)| state.clone_into(value));
        form.extend(fields([("CallbackSource", "call-progress-events"), ("SequenceNumber", &sequence)]));
        if event == "completed" {
            form.extend(fields([("CallDuration", &(call.age_ms / 1000).to_string())]));
        }
        vec![self.hook(url, form, state, sequence)]
    }

    fn then(&self, call: &Call, moment: Moment<'_>) -> Then {
        match moment {
            Moment::Incoming(url) | Moment::StreamEnded(Some(url)) | Moment::Redirected(url) => self.ask(call, url),
            Moment::Answered if call.is_placed => self.ask(call, call.asked["Url"].as_str().unwrap_or_default()),
            _ => Then::GoOn,
        }
    }

    fn verbs(&self, _: &Call, answer: &HookAnswer) -> Result<Vec<Verb>, String> {
        if !(200..300).contains(&answer.status) {
            return Err(format!("11200: HTTP {}", answer.status));
        }
        if !answer.content_type.starts_with("text/xml") && !answer.content_type.starts_with("application/xml") {
            return Err(format!("12300: content type {:?}", answer.content_type));
        }
        parse(&answer.body).map_err(|error| format!("12100: {error}"))
    }

    fn upgrade(&self, url: &str) -> Vec<(&'static str, String)> {
        self.0.signature_headers(url, &[])
    }

    fn frames(&self, call: &Call, n: u64, _: &str, parameters: &[(String, String)]) -> Result<Box<dyn Frames>, String> {
        Ok(Box::new(media::MediaStreams {
            sid: format!("MZ{n:032x}"),
            call_sid: call.id.clone(),
            account_sid: self.0.account_sid.clone(),
            parameters: parameters.to_vec(),
            sequence: 0,
            chunk: 0,
        }))
    }
}

fn dialled(request: &RestRequest) -> Asked {
    let (Some(to), Some(from)) = (request.field("To"), request.field("From")) else { return Asked::Not(400, 21201) };
    if to.parse::<base::PhoneNumber>().is_err() {
        return Asked::Not(400, 21211);
    }
    if from.parse::<base::PhoneNumber>().is_err() {
        return Asked::Not(400, 21212);
    }
    let Some(url) = request.field("Url").filter(|url| url.starts_with("http")) else { return Asked::Not(400, 21205) };
    let events = request.form.iter().filter(|(key, _)| key == "StatusCallbackEvent").map(|(_, event)| event);
    Asked::Dial {
        to: to.to_owned(),
        from: from.to_owned(),
        status_url: request.field("StatusCallback").map(str::to_owned),
        asked: json!({ "Url": url, "StatusCallbackEvent": events.collect::<Vec<_>>() }),
        note: Value::Null,
    }
}
