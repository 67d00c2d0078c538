//! A twin of Telnyx Call Control: every webhook to one address and signed with Ed25519, calls that do only what commands
//! tell them, media streams in RTP mode.
//!
//! Its rules are those of developers.telnyx.com: a command with a known `command_id` is taken once, a stream without
//! `stream_bidirectional_mode: rtp` throws our audio away, a chunk of audio is 20 ms to 30 s, the caller's audio comes in
//! the codec of the leg, and a closed media socket leaves the call up.

use super::phone::{
    Asked, Broken, Call, Frames, Hook, HookAnswer, Moment, Outcome, Platform, RestRequest, Then, Told, Verb, fields,
    unix_secs,
};
use audio_codec_algorithms::{decode_ulaw, encode_alaw, encode_ulaw};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// Audio messages of 20 ms to 30 s, in samples.
const CHUNK_SAMPLES: std::ops::RangeInclusive<usize> = 160..=240_000;

/// An account with one application.
#[derive(Debug)]
pub struct Telnyx {
    api_key: String,
    connection_id: String,
    keys: Ed25519KeyPair,
    commands: Mutex<HashSet<String>>,
}

impl Telnyx {
    /// An account with this key for requests; the key pair of its webhooks comes from `seed`.
    ///
    /// # Panics
    /// Never: any 32 bytes are a seed.
    pub fn new(api_key: &str, seed: &[u8; 32]) -> Self {
        Self {
            api_key: api_key.to_owned(),
            connection_id: "1494404757140276705".to_owned(),
            keys: Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed"),
            commands: Mutex::default(),
        }
    }

    fn hook(&self, call: &Call, url: &str, event: &str, mut more: Value) -> Hook {
        let direction = if call.is_placed { "outgoing" } else { "incoming" };
        let payload = json!({
            "call_control_id": call.id, "call_leg_id": call.id, "call_session_id": call.id, "client_state": call.note,
            "connection_id": self.connection_id, "direction": direction, "from": call.from, "to": call.to,
        });
        if let (Some(more), Value::Object(payload)) = (more.as_object_mut(), payload) {
            more.extend(payload);
        }
        let id = format!("{}-{}-{event}", call.id, call.hooks);
        let data = json!({
            "event_type": event, "id": id, "occurred_at": "2026-01-01T00:00:00.000000Z", "record_type": "event",
            "payload": more,
        });
        let body = json!({ "data": data, "meta": { "attempt": 1, "delivered_to": url } }).to_string();
        let at = unix_secs().to_string();
        let signature = STANDARD.encode(self.keys.sign(format!("{at}|{body}").as_bytes()));
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("telnyx-signature-ed25519", signature),
            ("telnyx-timestamp", at),
        ];
        let form = fields([("event_type", event)]);
        Hook { method: "POST", url: url.to_owned(), headers, body, form, state: event.to_owned() }
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// The stream that a command asks for, if it does.
fn streaming(body: &Value) -> Option<Verb> {
    let url = body["stream_url"].as_str()?.to_owned();
    let names = ["stream_bidirectional_mode", "stream_bidirectional_codec", "stream_codec"];
    let parameters = names.iter().map(|name| ((*name).to_owned(), text(body, name))).collect();
    Some(Verb::Connect { action: None, url, parameters })
}

fn verbs(command: &str, body: &Value) -> Option<Vec<Verb>> {
    Some(match command {
        "answer" => std::iter::once(Verb::Answer).chain(streaming(body)).collect(),
        "streaming_start" => vec![streaming(body)?],
        "reject" if body["cause"] == "USER_BUSY" => vec![Verb::Reject("busy".to_owned())],
        "reject" if body["cause"] == "CALL_REJECTED" => vec![Verb::Reject("rejected".to_owned())],
        "hangup" => vec![Verb::Hangup],
        "speak" if body["voice"].is_string() => vec![Verb::Say(body["payload"].as_str()?.to_owned())],
        "transfer" => vec![Verb::Dial {
            number: body["to"].as_str()?.to_owned(),
            caller_id: body["from"].as_str().map(str::to_owned),
        }],
        "send_dtmf" => vec![Verb::Press(body["digits"].as_str()?.to_owned())],
        _ => return None,
    })
}

impl Platform for Telnyx {
    fn env(&self, api_base: &str) -> Vec<(&'static str, String)> {
        vec![
            ("TELNYX_API_KEY", self.api_key.clone()),
            ("TELNYX_PUBLIC_KEY", STANDARD.encode(self.keys.public_key())),
            ("TELNYX_CONNECTION_ID", self.connection_id.clone()),
            ("TELNYX_BASE_URL", format!("{api_base}/v2")),
        ]
    }

    fn call_id(&self, n: u64) -> String {
        format!("v3:{n:024x}")
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        given == Some(format!("Bearer {}", self.api_key).as_str())
    }

    fn asked(&self, request: &RestRequest) -> Asked {
        let body = &request.json;
        let Some(path) = request.path.strip_prefix("/v2/calls").filter(|_| request.method == "POST") else {
            return Asked::Not(404, 10005);
        };
        if path.is_empty() {
            if body["connection_id"] != self.connection_id.as_str() || !text(body, "to").starts_with('+') {
                return Asked::Not(422, 10015);
            }
            return Asked::Dial {
                to: text(body, "to"),
                from: text(body, "from"),
                status_url: body["webhook_url"].as_str().map(str::to_owned),
                asked: body.clone(),
                note: body["client_state"].clone(),
            };
        }
        let Some((call, command)) = path.trim_start_matches('/').split_once("/actions/") else {
            return Asked::Not(404, 10005);
        };
        let Some(verbs) = verbs(command, body) else { return Asked::Not(422, 10015) };
        let id = text(body, "command_id");
        let is_known = !id.is_empty() && !self.commands.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        let note = if is_known { Value::Null } else { body["client_state"].clone() };
        Asked::Do { call: call.to_owned(), verbs: if is_known { Vec::new() } else { verbs }, note }
    }

    fn outcome(&self, outcome: Outcome<'_>) -> (u16, Value) {
        let error = |status: u16, code: u32| {
            let one = json!({ "code": code.to_string(), "title": "refused", "detail": "refused", "meta": {} });
            (status, json!({ "errors": [one] }))
        };
        match outcome {
            Outcome::Dialled(id, _) => {
                let call = json!({
                    "call_control_id": id, "call_leg_id": id, "call_session_id": id, "is_alive": false, "record_type": "call",
                });
                (200, json!({ "data": call }))
            }
            Outcome::Done(..) => (200, json!({ "data": { "result": "ok" } })),
            Outcome::Missing => error(404, 90015),
            Outcome::Over => error(422, 90018),
            Outcome::Unauthorized => error(401, 10009),
            Outcome::Refused(429, _) => error(429, 10011),
            Outcome::Refused(status, code) => error(status, code),
        }
    }

    fn is_commanded(&self) -> bool {
        true
    }

    fn reports(&self, call: &Call, moment: Moment<'_>) -> Vec<Hook> {
        let own = call.status_url.as_deref();
        let (event, url, more) = match moment {
            Moment::Incoming(url) => ("call.initiated", Some(url), json!({ "state": "parked" })),
            Moment::Initiated => ("call.initiated", own, json!({ "state": "bridging" })),
            Moment::Answered => ("call.answered", own, json!({ "state": "answered" })),
            Moment::StreamBegan(_) => ("streaming.started", own, json!({ "stream_type": "websocket" })),
            Moment::StreamEnded(_) => ("streaming.stopped", own, json!({ "stream_type": "websocket" })),
            Moment::Said => ("call.speak.ended", own, json!({ "status": "completed" })),
            Moment::Ended => {
                let cause = match call.status {
                    "completed" => "normal_clearing",
                    "busy" => "user_busy",
                    "no-answer" => "timeout",
                    "canceled" => "originator_cancel",
                    _ => "not_found",
                };
                ("call.hangup", own, json!({ "hangup_cause": cause, "hangup_source": "caller", "state": "hangup" }))
            }
            Moment::Ringing | Moment::Redirected(_) => return Vec::new(),
        };
        url.map(|url| self.hook(call, url, event, more)).into_iter().collect()
    }

    fn then(&self, _: &Call, _: Moment<'_>) -> Then {
        Then::GoOn
    }

    fn verbs(&self, _: &Call, _: &HookAnswer) -> Result<Vec<Verb>, String> {
        Ok(Vec::new())
    }

    fn frames(&self, call: &Call, n: u64, _: &str, parameters: &[(String, String)]) -> Result<Box<dyn Frames>, String> {
        let is_heard = |name: &str, value: &str| parameters.iter().any(|(own, is)| own == name && is == value);
        if !is_heard("stream_bidirectional_mode", "rtp") || !is_heard("stream_bidirectional_codec", "PCMU") {
            return Err("our side would not be heard in this stream".to_owned());
        }
        // Outside of North America legs speak A-law, unless the stream asks for another codec.
        let is_ulaw = is_heard("stream_codec", "PCMU");
        let id = format!("32DE0DEA-{n:012X}");
        Ok(Box::new(Stream { id, call: call.clone(), is_ulaw, sequence: 0, chunk: 0 }))
    }
}

/// A media stream in RTP mode.
struct Stream {
    id: String,
    call: Call,
    is_ulaw: bool,
    sequence: u64,
    chunk: u64,
}

impl Stream {
    fn event(&mut self, mut event: Value) -> Message {
        self.sequence += 1;
        event["sequence_number"] = self.sequence.to_string().into();
        event["stream_id"] = self.id.clone().into();
        Message::text(event.to_string())
    }
}

impl Frames for Stream {
    fn id(&self) -> &str {
        &self.id
    }

    fn rate_hz(&self) -> u32 {
        8_000
    }

    fn open(&mut self) -> Vec<Message> {
        let start = json!({
            "user_id": "3e6f995f-85f7-4705-9741-53b116d28237", "call_control_id": self.call.id,
            "call_session_id": self.call.id, "from": self.call.from, "to": self.call.to, "client_state": self.call.note,
            "media_format": { "encoding": if self.is_ulaw { "PCMU" } else { "PCMA" }, "sample_rate": 8000, "channels": 1 },
        });
        let connected = Message::text(json!({ "event": "connected", "version": "1.0.0" }).to_string());
        vec![connected, self.event(json!({ "event": "start", "start": start }))]
    }

    fn audio(&mut self, pcm: &[i16]) -> Option<Message> {
        self.chunk += 1;
        let encode = if self.is_ulaw { encode_ulaw } else { encode_alaw };
        let payload = STANDARD.encode(pcm.iter().map(|sample| encode(*sample)).collect::<Vec<u8>>());
        let (chunk, timestamp) = (self.chunk.to_string(), (self.chunk * 20).to_string());
        let media = json!({ "track": "inbound", "chunk": chunk, "timestamp": timestamp, "payload": payload });
        Some(self.event(json!({ "event": "media", "media": media })))
    }

    fn key(&mut self, key: char) -> Message {
        self.event(json!({ "event": "dtmf", "dtmf": { "digit": key.to_string() } }))
    }

    fn played(&mut self, mark: &str) -> Message {
        self.event(json!({ "event": "mark", "mark": { "name": mark } }))
    }

    fn cleared(&mut self, marks: &[String]) -> Vec<Message> {
        marks.iter().map(|mark| self.played(mark)).collect()
    }

    fn stop(&mut self) -> Option<Message> {
        let stop = json!({ "call_control_id": self.call.id });
        Some(self.event(json!({ "event": "stop", "stop": stop })))
    }

    fn read(&mut self, message: &Message) -> Result<Told, Broken> {
        let malformed = |why: &str| (CloseCode::Protocol, format!("100003: {why}"));
        let Message::Text(text) = message else { return Err(malformed("a binary message")) };
        let told: Value = serde_json::from_str(text).map_err(|error| malformed(&error.to_string()))?;
        match told["event"].as_str() {
            Some("media") => {
                let payload = told["media"]["payload"].as_str().and_then(|payload| STANDARD.decode(payload).ok());
                let bytes = payload.ok_or_else(|| malformed("media without a payload"))?;
                if !CHUNK_SAMPLES.contains(&bytes.len()) {
                    return Err((CloseCode::Protocol, format!("100004: a chunk of {} samples", bytes.len())));
                }
                Ok(Told::Audio(bytes.iter().map(|byte| decode_ulaw(*byte)).collect()))
            }
            Some("mark") => Ok(Told::Mark(self::text(&told["mark"], "name"))),
            Some("clear") => Ok(Told::Clear),
            other => Err(malformed(&format!("event {other:?}"))),
        }
    }
}
