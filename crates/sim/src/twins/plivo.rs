//! A twin of Plivo: webhooks signed in the third version, answers in XML, the Call API, audio streams with checkpoints.
//!
//! Its rules are those of plivo.com/docs/voice and of the official stream library: extra headers hold letters and digits, a
//! stream without `keepCallAlive` ends the call, audio comes in the content type that was asked for, a stream ends by its
//! close alone, and the id of a request to call is not the id of the call.

use super::phone::xml::{self, Element};
use super::phone::{
    Asked, Broken, Call, Frames, Hook, HookAnswer, Moment, Outcome, Platform, RestRequest, Then, Told, Verb, encoded,
    fields,
};
use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carriers::protocol::Inbound;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const EXTRA_BYTES_MAX: usize = 512;
/// How the ids of requests and those of the calls they made begin.
const REQUESTED: &str = "97ceeb52";
const PLACED: &str = "c5f0ab17";

/// An account.
#[derive(Debug)]
pub struct Plivo {
    auth_id: String,
    auth_token: String,
    requests: Mutex<HashSet<String>>,
}

impl Plivo {
    /// An account with this id and token.
    pub fn new(auth_id: &str, auth_token: &str) -> Self {
        Self { auth_id: auth_id.to_owned(), auth_token: auth_token.to_owned(), requests: Mutex::default() }
    }

    fn hook(&self, call: &Call, url: &str, event: &str, status: &str) -> Hook {
        let digits = |number: &str| number.trim_start_matches('+').to_owned();
        let uuid = if call.is_placed { call.id.replacen(REQUESTED, PLACED, 1) } else { call.id.clone() };
        let mut form = fields([
            ("CallUUID", &uuid),
            ("From", &digits(&call.from)),
            ("To", &digits(&call.to)),
            ("CallStatus", status),
            ("Direction", if call.is_placed { "outbound" } else { "inbound" }),
            ("Event", event),
            ("ALegUUID", &uuid),
        ]);
        if call.is_placed {
            form.extend(fields([("RequestUUID", &call.id), ("ALegRequestUUID", &call.id)]));
        }
        if event == "Hangup" {
            let secs = (call.age_ms / 1000).to_string();
            form.extend(fields([("HangupCause", "NORMAL_CLEARING"), ("Duration", &secs), ("BillDuration", &secs)]));
        }
        let (body, kind) = (encoded(&form), "application/x-www-form-urlencoded");
        let nonce = format!("0542956780446609{:04}{}", call.hooks, &call.id[call.id.len().saturating_sub(6)..]);
        let headers = [("content-type", kind)];
        let body_bytes = body.as_bytes();
        let request = Inbound { method: "POST", url, headers: &headers, body: body_bytes, received_at_ms: 0 };
        let signature = carriers::plivo::sign(&self.auth_token, &request, &nonce);
        let headers = vec![
            ("content-type", kind.to_owned()),
            ("x-plivo-signature-v3", signature),
            ("x-plivo-signature-v3-nonce", nonce),
        ];
        Hook { method: "POST", url: url.to_owned(), headers, body, form, state: status.to_owned() }
    }
}

impl Plivo {
    /// A call that nobody has picked up is known by its request.
    fn called_off(&self, request: &RestRequest) -> Asked {
        let prefix = format!("/v1/Account/{}/Request/", self.auth_id);
        let id = request.path.strip_prefix(&prefix).and_then(|path| path.strip_suffix('/'));
        let known = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        match id.filter(|id| request.method == "DELETE" && known.contains(*id)) {
            Some(id) => Asked::Do { call: id.to_owned(), verbs: vec![Verb::Hangup], note: Value::Null },
            None => Asked::Not(404, 0),
        }
    }
}

impl Platform for Plivo {
    fn env(&self, api_base: &str) -> Vec<(&'static str, String)> {
        vec![
            ("PLIVO_AUTH_ID", self.auth_id.clone()),
            ("PLIVO_AUTH_TOKEN", self.auth_token.clone()),
            ("PLIVO_BASE_URL", api_base.to_owned()),
        ]
    }

    fn call_id(&self, n: u64) -> String {
        format!("{REQUESTED}-58b6-11e1-86da-{n:012x}")
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let credential = STANDARD.encode(format!("{}:{}", self.auth_id, self.auth_token));
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        given == Some(format!("Basic {credential}").as_str())
    }

    fn asked(&self, request: &RestRequest) -> Asked {
        let text = |name: &str| request.json[name].as_str().map(str::to_owned);
        let prefix = format!("/v1/Account/{}/Call/", self.auth_id);
        let Some(path) = request.path.strip_prefix(&prefix) else { return self.called_off(request) };
        if (request.method.as_str(), path) == ("POST", "") {
            let (Some(to), Some(from), Some(_)) = (text("to"), text("from"), text("answer_url")) else {
                return Asked::Not(400, 0);
            };
            return Asked::Dial {
                to: format!("+{}", to.trim_start_matches('+')),
                from: format!("+{}", from.trim_start_matches('+')),
                status_url: text("hangup_url"),
                asked: request.json.clone(),
                note: Value::Null,
            };
        }
        let (uuid, rest) = path.split_once('/').unwrap_or((path, ""));
        if self.requests.lock().unwrap_or_else(PoisonError::into_inner).contains(uuid) {
            return Asked::Not(404, 0);
        }
        let verbs = match (request.method.as_str(), rest) {
            ("DELETE", "") => vec![Verb::Hangup],
            ("POST", "DTMF/") => vec![Verb::Press(text("digits").unwrap_or_default())],
            _ => return Asked::Not(404, 0),
        };
        Asked::Do { call: uuid.replacen(PLACED, REQUESTED, 1), verbs, note: Value::Null }
    }

    fn outcome(&self, outcome: Outcome<'_>) -> (u16, Value) {
        let api_id = "f1ae6d6c-58b6-11e1-86da-77300b68f8bb";
        let error = |status: u16| (status, json!({ "api_id": api_id, "error": "refused" }));
        match outcome {
            Outcome::Dialled(id, _) => {
                self.requests.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
                (201, json!({ "api_id": api_id, "message": "call fired", "request_uuid": id }))
            }
            Outcome::Done(..) => (204, Value::Null),
            Outcome::Missing | Outcome::Over => error(404),
            Outcome::Unauthorized => error(401),
            Outcome::Refused(status, _) => error(status),
        }
    }

    fn reports(&self, call: &Call, moment: Moment<'_>) -> Vec<Hook> {
        let (url, event, status) = match (moment, call.status) {
            (Moment::Ringing, _) => (call.asked["ring_url"].as_str(), "Ring", "ringing"),
            (Moment::Ended, "no-answer") => (call.status_url.as_deref(), "Hangup", "timeout"),
            (Moment::Ended, "canceled") => (call.status_url.as_deref(), "Hangup", "cancel"),
            (Moment::Ended, status) => (call.status_url.as_deref(), "Hangup", status),
            _ => return Vec::new(),
        };
        url.map(|url| self.hook(call, url, event, status)).into_iter().collect()
    }

    fn then(&self, call: &Call, moment: Moment<'_>) -> Then {
        match moment {
            Moment::Incoming(url) => Then::Ask(self.hook(call, url, "StartApp", "ringing")),
            Moment::Answered if call.is_placed => {
                let url = call.asked["answer_url"].as_str().unwrap_or_default();
                Then::Ask(self.hook(call, url, "StartApp", "in-progress"))
            }
            Moment::Redirected(url) => Then::Ask(self.hook(call, url, "Redirect", "in-progress")),
            _ => Then::GoOn,
        }
    }

    fn verbs(&self, _: &Call, answer: &HookAnswer) -> Result<Vec<Verb>, String> {
        if !(200..300).contains(&answer.status) {
            return Err(format!("HTTP {}", answer.status));
        }
        if !answer.content_type.contains("xml") {
            return Err(format!("content type {:?}", answer.content_type));
        }
        xml::response(&answer.body)?.iter().map(verb).collect()
    }

    fn frames(&self, call: &Call, n: u64, _: &str, parameters: &[(String, String)]) -> Result<Box<dyn Frames>, String> {
        let mut extra = parameters.to_vec();
        let at = extra.iter().position(|(name, _)| name == "contentType").ok_or("a stream without contentType")?;
        let (_, content_type) = extra.swap_remove(at);
        let (encoding, rate) = content_type.split_once(";rate=").ok_or("contentType without a rate")?;
        let rate_hz: u32 = rate.parse().map_err(|_| "a rate that is no number")?;
        if !matches!((encoding, rate_hz), ("audio/x-mulaw", 8_000) | ("audio/x-l16", 8_000 | 16_000)) {
            return Err(format!("contentType {content_type}"));
        }
        Ok(Box::new(Stream {
            id: format!("b77e037d-4119-44b5-902d-{n:012x}"),
            call: call.id.clone(),
            account: self.auth_id.clone(),
            encoding: encoding.to_owned(),
            rate_hz,
            extra,
            sequence: 0,
        }))
    }
}

fn verb(element: &Element) -> Result<Verb, String> {
    let is = |name: &str| element.attribute(name).as_deref() == Some("true");
    match element.name.as_str() {
        "Speak" => Ok(Verb::Say(element.text.clone())),
        "Redirect" => Ok(Verb::Redirect(element.text.trim().to_owned())),
        "Hangup" => Ok(element.attribute("reason").map_or(Verb::Hangup, Verb::Reject)),
        "Dial" => {
            let number = element.child("Number").ok_or("<Dial> without <Number>")?;
            let number = format!("+{}", number.text.trim().trim_start_matches('+'));
            Ok(Verb::Dial { number, caller_id: element.attribute("callerId") })
        }
        "Stream" if !is("bidirectional") => Err("a stream that hears nothing of us".to_owned()),
        "Stream" if !is("keepCallAlive") => Err("a stream that ends the call at once".to_owned()),
        "Stream" => {
            let extra = element.attribute("extraHeaders").unwrap_or_default();
            let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if extra.len() > EXTRA_BYTES_MAX {
                return Err("extraHeaders of more than 512 bytes".to_owned());
            }
            let kind = element.attribute("contentType").unwrap_or_else(|| "audio/x-l16;rate=8000".to_owned());
            let mut parameters = vec![("contentType".to_owned(), kind)];
            for pair in extra.split(',').filter(|pair| !pair.is_empty()) {
                let pair = pair.split_once('=').filter(|(name, value)| is_plain(name) && is_plain(value));
                let (name, value) = pair.ok_or("extraHeaders hold letters and digits")?;
                parameters.push((name.to_owned(), value.to_owned()));
            }
            Ok(Verb::Connect { action: None, url: element.text.trim().to_owned(), parameters })
        }
        other => Err(format!("<{other}> is no element this twin knows")),
    }
}

/// A bidirectional audio stream.
struct Stream {
    id: String,
    call: String,
    account: String,
    encoding: String,
    rate_hz: u32,
    extra: Vec<(String, String)>,
    sequence: u64,
}

impl Stream {
    fn event(&mut self, mut event: Value) -> Message {
        event["sequenceNumber"] = self.sequence.into();
        self.sequence += 1;
        if event["event"] != "start" {
            event["streamId"] = self.id.clone().into();
        }
        Message::text(event.to_string())
    }

    fn played_audio(&self, media: &Value) -> Result<Vec<i16>, String> {
        let rate = media["sampleRate"].as_u64().or_else(|| media["sampleRate"].as_str()?.parse().ok());
        if media["contentType"] != self.encoding.as_str() || rate != Some(self.rate_hz.into()) {
            return Err(format!("{} at {rate:?} Hz in a stream of {}", media["contentType"], self.encoding));
        }
        let payload = media["payload"].as_str().ok_or("media without a payload")?;
        let bytes = STANDARD.decode(payload).map_err(|error| error.to_string())?;
        if self.encoding == "audio/x-mulaw" {
            return Ok(bytes.iter().map(|byte| decode_ulaw(*byte)).collect());
        }
        Ok(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    fn told(&self, text: &str) -> Result<Told, String> {
        let told: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let event = told["event"].as_str();
        if event != Some("playAudio") && told["streamId"] != self.id.as_str() {
            return Err("a message of another stream".to_owned());
        }
        match event {
            Some("playAudio") => self.played_audio(&told["media"]).map(Told::Audio),
            Some("checkpoint") => {
                Ok(Told::Mark(told["name"].as_str().ok_or("a checkpoint without a name")?.to_owned()))
            }
            Some("clearAudio") => Ok(Told::Clear),
            other => Err(format!("event {other:?}")),
        }
    }
}

impl Frames for Stream {
    fn id(&self) -> &str {
        &self.id
    }

    fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn open(&mut self) -> Vec<Message> {
        let extra: Map<String, Value> =
            self.extra.iter().map(|(name, value)| (format!("X-PH-{name}"), value.clone().into())).collect();
        let start = json!({
            "callId": self.call, "streamId": self.id, "accountId": self.account, "tracks": ["inbound"],
            "mediaFormat": { "encoding": self.encoding, "sampleRate": self.rate_hz },
        });
        let extra = Value::Object(extra).to_string();
        vec![self.event(json!({ "event": "start", "start": start, "extra_headers": extra }))]
    }

    fn audio(&mut self, pcm: &[i16]) -> Option<Message> {
        let bytes: Vec<u8> = match &*self.encoding {
            "audio/x-mulaw" => pcm.iter().map(|sample| encode_ulaw(*sample)).collect(),
            _ => pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
        };
        let (chunk, timestamp) = (self.sequence, (self.sequence * 20).to_string());
        let media = json!({
            "track": "inbound", "timestamp": timestamp, "chunk": chunk, "payload": STANDARD.encode(bytes),
        });
        Some(self.event(json!({ "event": "media", "media": media, "extra_headers": "{}" })))
    }

    fn key(&mut self, key: char) -> Message {
        let dtmf = json!({ "track": "inbound", "digit": key.to_string(), "timestamp": "1700000000123" });
        self.event(json!({ "event": "dtmf", "dtmf": dtmf }))
    }

    fn played(&mut self, mark: &str) -> Message {
        self.event(json!({ "event": "playedStream", "name": mark }))
    }

    fn cleared(&mut self, _: &[String]) -> Vec<Message> {
        vec![self.event(json!({ "event": "clearedAudio" }))]
    }

    fn stop(&mut self) -> Option<Message> {
        None
    }

    fn read(&mut self, message: &Message) -> Result<Told, Broken> {
        let Message::Text(text) = message else {
            return Err((CloseCode::Unsupported, "a binary message".to_owned()));
        };
        self.told(text).map_err(|why| (CloseCode::Protocol, why))
    }
}
