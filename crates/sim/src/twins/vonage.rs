//! A twin of Vonage: signed webhooks, answers as NCCO, the Voice API, the WebSocket endpoint with its exact frames.
//!
//! Its rules are those of developer.vonage.com (NCCO reference, WebSockets guide, webhook reference): one action connects one
//! endpoint, headers have at most 512 bytes, audio comes and goes in binary frames of exactly 20 ms, and what a notify asks
//! for comes back only when everything before it was played.

use super::phone::{
    Asked, Broken, Call, Frames, Hook, HookAnswer, Moment, Outcome, Platform, RestRequest, Then, Told, Verb, fields,
    unix_secs,
};
use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const HEADER_BYTES_MAX: usize = 512;

/// An application of the platform.
#[derive(Clone, Debug)]
pub struct Vonage {
    application_id: String,
    private_key: String,
    public_key: String,
    signature_secret: String,
}

/// DER as PEM (RFC 7468).
fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
}

impl Vonage {
    /// An application with a fresh key pair: our side signs with its private key. `signature_secret` signs webhooks.
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn new(application_id: &str, signature_secret: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key pair");
        let private: Pkcs8V1Der<'_> = pair.as_der().expect("a private key");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a public key");
        Self {
            application_id: application_id.to_owned(),
            private_key: pem("PRIVATE KEY", private.as_ref()),
            public_key: pem("PUBLIC KEY", public.as_ref()),
            signature_secret: signature_secret.to_owned(),
        }
    }

    fn hook(&self, url: &str, body: &Value, state: &str, hooks: u64) -> Hook {
        let body = body.to_string();
        let hash = digest::digest(&digest::SHA256, body.as_bytes());
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let claims = json!({
            "iat": unix_secs(), "jti": format!("{hash}-{state}-{hooks}"), "iss": "Vonage", "payload_hash": hash,
            "api_key": "a1b2c3d4", "application_id": self.application_id,
        });
        let key = EncodingKey::from_secret(self.signature_secret.as_bytes());
        // A secret signs anything; an empty token would be refused.
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap_or_default();
        let headers =
            vec![("content-type", "application/json".to_owned()), ("authorization", format!("Bearer {token}"))];
        let form = fields([("status", state)]);
        Hook { method: "POST", url: url.to_owned(), headers, body, form, state: state.to_owned() }
    }

    fn call(call: &Call, status: &str) -> Value {
        let digits = |number: &str| number.trim_start_matches('+').to_owned();
        json!({
            "from": digits(&call.from), "to": digits(&call.to), "uuid": call.id, "conversation_uuid": format!("CON-{}", call.id),
            "status": status, "direction": if call.is_placed { "outbound" } else { "inbound" },
            "timestamp": "2026-01-01T00:00:00.000Z", "region_url": "https://api-us-1.nexmo.com",
        })
    }

    fn ask(&self, call: &Call, url: &str, status: &str) -> Then {
        let mut event = Self::call(call, status);
        if status == "disconnected" {
            // Events of the endpoint name its own leg.
            event["uuid"] = format!("socket-of-{}", call.id).into();
        }
        Then::Ask(self.hook(url, &event, status, call.hooks))
    }
}

impl Platform for Vonage {
    fn env(&self, api_base: &str) -> Vec<(&'static str, String)> {
        vec![
            ("VONAGE_APPLICATION_ID", self.application_id.clone()),
            ("VONAGE_PRIVATE_KEY", self.private_key.clone()),
            ("VONAGE_SIGNATURE_SECRET", self.signature_secret.clone()),
            ("VONAGE_BASE_URL", api_base.to_owned()),
        ]
    }

    fn call_id(&self, n: u64) -> String {
        format!("63f61863-4a51-4f6b-86e1-{n:012x}")
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Ok(key) = DecodingKey::from_rsa_pem(self.public_key.as_bytes()) else { return false };
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp"]);
        let token = jsonwebtoken::decode::<Value>(given.trim_start_matches("Bearer "), &key, &validation);
        token.is_ok_and(|token| {
            let claims = token.claims;
            claims["application_id"] == self.application_id.as_str()
                && claims["jti"].is_string()
                && claims["iat"].is_u64()
        })
    }

    fn asked(&self, request: &RestRequest) -> Asked {
        let body = &request.json;
        let Some(path) = request.path.strip_prefix("/v1/calls") else { return Asked::Not(404, 0) };
        if (request.method.as_str(), path) == ("POST", "") {
            let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let (to, from, answer) = (text("/to/0/number"), text("/from/number"), text("/answer_url/0"));
            let is_plain = |number: &Option<String>| number.as_ref().is_some_and(|number| !number.starts_with('+'));
            if !is_plain(&to) || !is_plain(&from) || answer.is_none() {
                return Asked::Not(400, 0);
            }
            return Asked::Dial {
                to: format!("+{}", to.unwrap_or_default()),
                from: format!("+{}", from.unwrap_or_default()),
                status_url: text("/event_url/0"),
                asked: body.clone(),
                note: Value::Null,
            };
        }
        let path = path.trim_start_matches('/');
        let (call, verbs) = match (request.method.as_str(), path.split_once('/')) {
            ("GET", None) => return Asked::Show { call: path.to_owned() },
            ("PUT", None) if body["action"] == "hangup" => (path, vec![Verb::Hangup]),
            ("PUT", Some((call, "dtmf"))) => {
                (call, vec![Verb::Press(body["digits"].as_str().unwrap_or_default().to_owned())])
            }
            _ => return Asked::Not(400, 0),
        };
        Asked::Do { call: call.to_owned(), verbs, note: Value::Null }
    }

    fn outcome(&self, outcome: Outcome<'_>) -> (u16, Value) {
        let problem = |status: u16| (status, json!({ "type": "https://developer.vonage.com", "title": "refused" }));
        match outcome {
            Outcome::Dialled(id, _) => {
                let conversation = format!("CON-{id}");
                let direction = "outbound";
                let body = json!({ "uuid": id, "status": "started", "direction": direction, "conversation_uuid": conversation });
                (201, body)
            }
            Outcome::Done(..) => (204, Value::Null),
            Outcome::Missing | Outcome::Over => problem(404),
            Outcome::Unauthorized => problem(401),
            Outcome::Refused(status, _) => problem(status),
        }
    }

    fn reports(&self, call: &Call, moment: Moment<'_>) -> Vec<Hook> {
        let status = match (moment, call.status) {
            // The address of the action hears of every state of the endpoint's leg.
            (Moment::StreamBegan(Some(url)), _) => {
                let mut event = Self::call(call, "answered");
                event["uuid"] = format!("socket-of-{}", call.id).into();
                return vec![self.hook(url, &event, "answered", call.hooks)];
            }
            (Moment::Initiated, _) => "started",
            (Moment::Ringing, _) => "ringing",
            (Moment::Answered, _) => "answered",
            (Moment::Ended, "no-answer") => "timeout",
            (Moment::Ended, "canceled") => "cancelled",
            (Moment::Ended, status) => status,
            _ => return Vec::new(),
        };
        let Some(url) = &call.status_url else { return Vec::new() };
        let mut event = Self::call(call, status);
        if status == "completed" {
            event["duration"] = (call.age_ms / 1000).to_string().into();
        }
        vec![self.hook(url, &event, status, call.hooks)]
    }

    fn then(&self, call: &Call, moment: Moment<'_>) -> Then {
        match moment {
            Moment::Incoming(url) => self.ask(call, url, "ringing"),
            Moment::Answered if call.is_placed => {
                let url = call.asked.pointer("/answer_url/0").and_then(Value::as_str).unwrap_or_default();
                self.ask(call, url, "answered")
            }
            Moment::StreamEnded(Some(url)) => self.ask(call, url, "disconnected"),
            _ => Then::GoOn,
        }
    }

    fn verbs(&self, _: &Call, answer: &HookAnswer) -> Result<Vec<Verb>, String> {
        if !(200..300).contains(&answer.status) {
            return Err(format!("HTTP {}", answer.status));
        }
        if !answer.content_type.starts_with("application/json") {
            return Err(format!("content type {:?}", answer.content_type));
        }
        let ncco: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        ncco.as_array().ok_or("an NCCO is a list")?.iter().map(action).collect()
    }

    fn frames(&self, _: &Call, n: u64, _: &str, parameters: &[(String, String)]) -> Result<Box<dyn Frames>, String> {
        let content_type = parameters.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
        let rate = content_type.and_then(|kind| kind.strip_prefix("audio/l16;rate="));
        let rate_hz = rate.and_then(|rate| rate.parse().ok()).filter(|rate| [8_000, 16_000, 24_000].contains(rate));
        let rate_hz = rate_hz.ok_or_else(|| format!("content-type {content_type:?}"))?;
        Ok(Box::new(Endpoint { id: format!("socket-{n}"), rate_hz, fields: parameters.to_vec() }))
    }
}

fn action(action: &Value) -> Result<Verb, String> {
    let text = |pointer: &str| action.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    match action["action"].as_str() {
        Some("talk") => text("/text").map(Verb::Say).ok_or_else(|| "talk without text".to_owned()),
        Some("connect") if action["endpoint"].as_array().map(Vec::len) != Some(1) => {
            Err("connect takes one endpoint".to_owned())
        }
        Some("connect") => match text("/endpoint/0/type").as_deref() {
            Some("phone") => {
                let number = text("/endpoint/0/number").filter(|number| !number.starts_with('+'));
                let number = format!("+{}", number.ok_or("a number is written without a plus")?);
                Ok(Verb::Dial { number, caller_id: text("/from") })
            }
            Some("websocket") => {
                let headers = action.pointer("/endpoint/0/headers").cloned().unwrap_or_default();
                if headers.to_string().len() > HEADER_BYTES_MAX {
                    return Err("headers of more than 512 bytes".to_owned());
                }
                let named = headers.as_object().into_iter().flatten();
                let named = named.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
                let kind = text("/endpoint/0/content-type").ok_or("a websocket without content-type")?;
                let parameters = std::iter::once(("content-type".to_owned(), kind)).chain(named).collect();
                let is_synchronous = action["eventType"] == "synchronous";
                let url = text("/endpoint/0/uri").ok_or("a websocket without uri")?;
                Ok(Verb::Connect { action: text("/eventUrl/0").filter(|_| is_synchronous), url, parameters })
            }
            other => Err(format!("endpoint {other:?}")),
        },
        other => Err(format!("action {other:?}")),
    }
}

/// The WebSocket endpoint.
struct Endpoint {
    id: String,
    rate_hz: u32,
    /// The content type and the headers, flat in the first message.
    fields: Vec<(String, String)>,
}

fn text(value: &Value) -> Message {
    Message::text(value.to_string())
}

impl Frames for Endpoint {
    fn id(&self) -> &str {
        &self.id
    }

    fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn open(&mut self) -> Vec<Message> {
        let mut connected = json!({ "event": "websocket:connected" });
        for (name, value) in &self.fields {
            connected[name.as_str()] = value.clone().into();
        }
        vec![text(&connected)]
    }

    fn audio(&mut self, pcm: &[i16]) -> Option<Message> {
        Some(Message::binary(pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>()))
    }

    fn key(&mut self, key: char) -> Message {
        text(&json!({ "event": "websocket:dtmf", "digit": key.to_string(), "duration": 260 }))
    }

    fn played(&mut self, mark: &str) -> Message {
        let payload: Value = serde_json::from_str(mark).unwrap_or_default();
        text(&json!({ "event": "websocket:notify", "payload": payload }))
    }

    fn cleared(&mut self, _: &[String]) -> Vec<Message> {
        vec![text(&json!({ "event": "websocket:cleared" }))]
    }

    fn stop(&mut self) -> Option<Message> {
        None
    }

    fn read(&mut self, message: &Message) -> Result<Told, Broken> {
        match message {
            Message::Binary(bytes) => {
                let (is, required) = (bytes.len() / 2, self.rate_hz as usize / 50);
                if bytes.len() != required * 2 {
                    return Err((CloseCode::Abnormal, format!("unexpected frame size {is}, when required {required}")));
                }
                let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                Ok(Told::Audio(samples.collect()))
            }
            other => {
                let told: Value = serde_json::from_str(other.to_text().unwrap_or_default()).unwrap_or_default();
                match told["action"].as_str() {
                    Some("clear") => Ok(Told::Clear),
                    Some("notify") => Ok(Told::Mark(told["payload"].to_string())),
                    other => Err((CloseCode::Protocol, format!("action {other:?}"))),
                }
            }
        }
    }
}
