//! A twin of Exotel: a flow of a Voicebot applet and a Connect applet that ask our addresses, the Calls API, streams in
//! pieces of 100 ms.
//!
//! Its rules are those of developer.exotel.com and of the platform's published samples: nothing is signed, addresses carry a
//! user and a password; a stream's address has at most 600 characters and three parameters; a piece of audio is a multiple
//! of 320 bytes and at least 3,200; and when a stream ends, the flow goes on to the next applet.

use super::phone::{
    Asked, Broken, Call, Frames, Hook, HookAnswer, Moment, Outcome, Platform, RestRequest, Then, Told, Verb, encoded,
    fields,
};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const STREAM_URL_CHARS_MAX: usize = 600;
const PARAMETERS_MAX: usize = 3;
const UNIT_BYTES: usize = 320;
const PIECE_BYTES: std::ops::RangeInclusive<usize> = 3_200..=100_000;
/// Pieces of the caller's audio, in frames of 20 ms.
const PIECE_FRAMES: usize = 5;
/// Marks the address of the Connect applet, as it is configured in the flow.
const CONNECT_APPLET: &str = "resumed=1";

/// An account.
#[derive(Clone, Debug)]
pub struct Exotel {
    /// The account.
    pub account_sid: String,
    /// Its API key.
    pub api_key: String,
    /// The token of the key.
    pub api_token: String,
    /// The password in our addresses.
    pub webhook_secret: String,
}

/// The address of an applet, or of a report, with the user and the password that admit it.
fn admitted(url: &str, secret: &str) -> String {
    if url.contains('@') { url.to_owned() } else { url.replacen("://", &format!("://frontdesk:{secret}@"), 1) }
}

impl Exotel {
    fn applet(&self, call: &Call, url: &str) -> Hook {
        let form = fields([
            ("CallSid", &call.id),
            ("CallFrom", &call.from),
            ("CallTo", &call.to),
            ("Direction", if call.is_placed { "outbound-dial" } else { "incoming" }),
            ("Created", "Thu, 01 Jan 2026 00:00:00"),
            ("CurrentTime", "2026-01-01 00:00:00"),
        ]);
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = admitted(&format!("{url}{separator}{}", encoded(&form)), &self.webhook_secret);
        Hook { method: "GET", url, headers: Vec::new(), body: String::new(), form, state: "applet".to_owned() }
    }
}

fn streamed(url: &str) -> Result<Verb, String> {
    if url.len() > STREAM_URL_CHARS_MAX || !url.starts_with("ws") {
        return Err(format!("{url} is no address of a stream"));
    }
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if parameters.len() > PARAMETERS_MAX {
        return Err("more than three parameters".to_owned());
    }
    Ok(Verb::Connect { action: None, url: url.to_owned(), parameters })
}

impl Platform for Exotel {
    fn env(&self, api_base: &str) -> Vec<(&'static str, String)> {
        vec![
            ("EXOTEL_ACCOUNT_SID", self.account_sid.clone()),
            ("EXOTEL_API_KEY", self.api_key.clone()),
            ("EXOTEL_API_TOKEN", self.api_token.clone()),
            ("EXOTEL_WEBHOOK_SECRET", self.webhook_secret.clone()),
            ("EXOTEL_BASE_URL", api_base.to_owned()),
        ]
    }

    fn call_id(&self, n: u64) -> String {
        format!("{n:032x}")
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let credential = STANDARD.encode(format!("{}:{}", self.api_key, self.api_token));
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        given == Some(format!("Basic {credential}").as_str())
    }

    fn asked(&self, request: &RestRequest) -> Asked {
        let path = format!("/v1/Accounts/{}/Calls/connect.json", self.account_sid);
        if (request.method.as_str(), &request.path) != ("POST", &path) {
            return Asked::Not(404, 34_001);
        }
        let (Some(to), Some(from)) = (request.field("From"), request.field("CallerId")) else {
            return Asked::Not(400, 34_001);
        };
        let is_both_ways = request.field("StreamType") == Some("bidirectional");
        let Some(stream) = request.field("StreamUrl").filter(|url| is_both_ways && streamed(url).is_ok()) else {
            return Asked::Not(400, 34_001);
        };
        Asked::Dial {
            to: to.to_owned(),
            from: from.to_owned(),
            status_url: request.field("StatusCallback").map(str::to_owned),
            asked: json!({ "StreamUrl": stream }),
            note: Value::Null,
        }
    }

    fn outcome(&self, outcome: Outcome<'_>) -> (u16, Value) {
        let (status, code) = match outcome {
            Outcome::Dialled(id, record) | Outcome::Done(id, record) => {
                let call = json!({
                    "Sid": id, "Status": "in-progress", "From": record.to, "PhoneNumberSid": record.from,
                    "Direction": "outbound-api", "DateCreated": "2026-01-01 00:00:00", "RecordingUrl": null,
                });
                return (200, json!({ "Call": call }));
            }
            Outcome::Missing | Outcome::Over => (404, 34_001),
            Outcome::Unauthorized => (401, 34_010),
            Outcome::Refused(status, code) => (status, code),
        };
        (status, json!({ "RestException": { "Status": status, "Message": "refused", "Code": code } }))
    }

    fn reports(&self, call: &Call, moment: Moment<'_>) -> Vec<Hook> {
        let (event, status) = match (moment, call.status) {
            (Moment::Answered, status) if call.is_placed => ("answered", status),
            (Moment::Ended, status) => ("terminal", status),
            _ => return Vec::new(),
        };
        let Some(url) = &call.status_url else { return Vec::new() };
        let secs = (call.age_ms / 1000).to_string();
        let form = fields([
            ("CallSid", &call.id),
            ("EventType", event),
            ("Status", status),
            ("ConversationDuration", &secs),
            ("DateUpdated", "2026-01-01 00:00:00"),
        ]);
        let body: Map<String, Value> = form.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let headers = vec![("content-type", "application/json".to_owned())];
        let url = admitted(url, &self.webhook_secret);
        let (body, state) = (Value::Object(body).to_string(), status.to_owned());
        vec![Hook { method: "POST", url, headers, body, form, state }]
    }

    fn then(&self, call: &Call, moment: Moment<'_>) -> Then {
        match moment {
            Moment::Incoming(url) | Moment::Redirected(url) => Then::Ask(self.applet(call, url)),
            Moment::Answered if call.is_placed => {
                // Its address was read when it was asked for.
                Then::Do(streamed(call.asked["StreamUrl"].as_str().unwrap_or_default()).into_iter().collect())
            }
            _ => Then::GoOn,
        }
    }

    fn verbs(&self, _: &Call, answer: &HookAnswer) -> Result<Vec<Verb>, String> {
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let is_answer = answer.status == 200;
        if answer.url.contains(CONNECT_APPLET) {
            let number = body.pointer("/destination/numbers/0").and_then(Value::as_str).filter(|_| is_answer);
            let caller_id = body["outgoing_phone_number"].as_str().map(str::to_owned);
            let dial = number.map(|number| Verb::Dial { number: number.to_owned(), caller_id });
            return Ok(dial.into_iter().chain([Verb::Hangup]).collect());
        }
        let voicebot = body["url"].as_str().filter(|_| is_answer).map(streamed).transpose()?;
        let next = answer.url.split('?').next().unwrap_or_default();
        let next = Verb::Redirect(format!("{next}?{CONNECT_APPLET}"));
        Ok(voicebot.into_iter().chain([next]).collect())
    }

    fn frames(&self, call: &Call, n: u64, _: &str, parameters: &[(String, String)]) -> Result<Box<dyn Frames>, String> {
        Ok(Box::new(Stream {
            sid: format!("{n:032x}"),
            call: call.clone(),
            account: self.account_sid.clone(),
            parameters: parameters.to_vec(),
            sequence: 0,
            chunk: 0,
            pending: Vec::new(),
        }))
    }
}

/// A stream of the Voicebot applet, at 8000 Hz.
struct Stream {
    sid: String,
    call: Call,
    account: String,
    parameters: Vec<(String, String)>,
    sequence: u64,
    chunk: u64,
    pending: Vec<u8>,
}

impl Stream {
    fn event(&mut self, mut event: Value) -> Message {
        self.sequence += 1;
        event["sequence_number"] = self.sequence.to_string().into();
        event["stream_sid"] = self.sid.clone().into();
        Message::text(event.to_string())
    }

    fn told(&self, text: &str) -> Result<Told, String> {
        let told: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if told["stream_sid"] != self.sid.as_str() {
            return Err("a message of another stream".to_owned());
        }
        match told["event"].as_str() {
            Some("media") => {
                let payload = told["media"]["payload"].as_str().ok_or("media without a payload")?;
                let bytes = STANDARD.decode(payload).map_err(|error| error.to_string())?;
                if !bytes.len().is_multiple_of(UNIT_BYTES) || !PIECE_BYTES.contains(&bytes.len()) {
                    return Err(format!("a piece of {} bytes", bytes.len()));
                }
                Ok(Told::Audio(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()))
            }
            Some("mark") => Ok(Told::Mark(told["mark"]["name"].as_str().ok_or("a mark without a name")?.to_owned())),
            Some("clear") => Ok(Told::Clear),
            other => Err(format!("event {other:?}")),
        }
    }
}

impl Frames for Stream {
    fn id(&self) -> &str {
        &self.sid
    }

    fn rate_hz(&self) -> u32 {
        8_000
    }

    fn open(&mut self) -> Vec<Message> {
        let custom: Map<String, Value> =
            self.parameters.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let start = json!({
            "stream_sid": self.sid, "call_sid": self.call.id, "account_sid": self.account, "from": self.call.from,
            "to": self.call.to, "custom_parameters": custom,
            "media_format": { "encoding": "base64", "sample_rate": "8000", "bit_rate": "128kbps" },
        });
        let connected = Message::text(json!({ "event": "connected" }).to_string());
        vec![connected, self.event(json!({ "event": "start", "start": start }))]
    }

    fn audio(&mut self, pcm: &[i16]) -> Option<Message> {
        self.pending.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
        if self.pending.len() < PIECE_FRAMES * UNIT_BYTES {
            return None;
        }
        self.chunk += 1;
        let payload = STANDARD.encode(std::mem::take(&mut self.pending));
        let (chunk, timestamp) = (self.chunk.to_string(), (self.chunk * 100).to_string());
        let media = json!({ "chunk": chunk, "timestamp": timestamp, "payload": payload });
        Some(self.event(json!({ "event": "media", "media": media })))
    }

    fn key(&mut self, key: char) -> Message {
        self.event(json!({ "event": "dtmf", "dtmf": { "duration": "100", "digit": key.to_string() } }))
    }

    fn played(&mut self, mark: &str) -> Message {
        self.event(json!({ "event": "mark", "mark": { "name": mark } }))
    }

    fn cleared(&mut self, _: &[String]) -> Vec<Message> {
        Vec::new()
    }

    fn stop(&mut self) -> Option<Message> {
        let stop = json!({ "call_sid": self.call.id, "account_sid": self.account, "reason": "callended" });
        Some(self.event(json!({ "event": "stop", "stop": stop })))
    }

    fn read(&mut self, message: &Message) -> Result<Told, Broken> {
        let Message::Text(text) = message else {
            return Err((CloseCode::Unsupported, "a binary message".to_owned()));
        };
        self.told(text).map_err(|why| (CloseCode::Protocol, why))
    }
}
