//! A twin of Sarvam's streaming synthesis (`/text-to-speech/ws`).

use super::Twin;
use super::fault::{Fault, Moment};
use super::server::refuse;
use super::voice::{self, After, Behaviour, Context, Dialect, Format, Mouth, Refusal, Spoken, converse, query};
use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    voice::start(behaviour, |context| Router::new().route("/text-to-speech/ws", get(speak)).with_state(context)).await
}

const LANGUAGES: [&str; 11] =
    ["bn-IN", "en-IN", "gu-IN", "hi-IN", "kn-IN", "ml-IN", "mr-IN", "od-IN", "pa-IN", "ta-IN", "te-IN"];

async fn speak(
    State(context): State<Context>,
    Query(pairs): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    context.shared.record.add(format!("open {uri}"));
    let say = |status, after, code: &str| {
        let error = json!({"request_id": "twin", "message": "As the test wishes.", "code": code});
        refuse(status, after, json!({"error": error}))
    };
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(Fault::Status { status, retry_after_s }) = fault {
        let code = if status == 429 { "rate_limit_exceeded_error" } else { "internal_server_error" };
        return say(status, retry_after_s, code);
    }
    let sent = headers.get("api-subscription-key").and_then(|value| value.to_str().ok());
    if sent != Some(context.behaviour.key.as_str()) {
        return say(403, None, "invalid_api_key_error");
    }
    let tells_the_end = query(&pairs, "send_completion_event") == Some("true");
    let dialect = Bulbul { format: None, held: String::new(), tells_the_end };
    converse(upgrade, context.shared, context.behaviour, fault, dialect)
}

struct Bulbul {
    /// Known once it is configured.
    format: Option<Format>,
    held: String,
    tells_the_end: bool,
}

fn error(code: u16) -> String {
    let data = json!({"message": "As the test wishes.", "code": code, "details": {}, "request_id": "twin"});
    json!({"type": "error", "data": data}).to_string()
}

impl Bulbul {
    fn configure(&mut self, data: &Value, mouth: &Mouth) -> Result<(), Refusal> {
        let refuse = Refusal { say: Some(error(422)), code: 4000, reason: "invalid config" };
        // The package writes the first, older clients the second.
        let language = data["language_code"].as_str().or(data["target_language_code"].as_str()).unwrap_or_default();
        let speaker = data["speaker"].as_str().unwrap_or_default();
        let ulaw = match data["output_audio_codec"].as_str() {
            Some("linear16") => false,
            Some("mulaw") => true,
            _ => return Err(refuse),
        };
        let rate = data["speech_sample_rate"].as_u64().unwrap_or(22_050);
        let known = [8_000, 16_000, 22_050, 24_000].contains(&rate) && LANGUAGES.contains(&language);
        if !known || speaker.is_empty() || mouth.behaviour.is_unknown(speaker) {
            return Err(refuse);
        }
        self.format = Some(Format { ulaw, sample_rate_hz: rate as u32 });
        Ok(())
    }

    fn flush(&mut self, format: Format, mouth: &mut Mouth) {
        let held = std::mem::take(&mut self.held);
        if held.trim().is_empty() {
            return;
        }
        let content_type = if format.ulaw { "audio/mulaw" } else { "audio/linear16" };
        let spoken = Spoken::new(&mouth.behaviour, format, held.trim());
        mouth.speak(spoken.pieces.into_iter().map(|piece| {
            let data = json!({"content_type": content_type, "audio": STANDARD.encode(piece), "request_id": "twin"});
            Message::Text(json!({"type": "audio", "data": data}).to_string().into())
        }));
        if self.tells_the_end {
            let data = json!({"event_type": "final", "message": "Done.", "timestamp": "2026-11-21T09:00:00Z"});
            mouth.say(Message::Text(json!({"type": "event", "data": data}).to_string().into()));
        }
    }
}

impl Dialect for Bulbul {
    fn on_message(&mut self, message: &Message, mouth: &mut Mouth) -> Result<After, Refusal> {
        let refuse = || Refusal { say: Some(error(400)), code: 4000, reason: "invalid message" };
        let Message::Text(text) = message else { return Err(refuse()) };
        let message: Value = serde_json::from_str(text).map_err(|_| refuse())?;
        match (message["type"].as_str(), self.format) {
            (Some("config"), _) => self.configure(&message["data"], mouth)?,
            (Some("ping"), _) => {}
            (Some("text"), Some(_)) => {
                self.held.push_str(message["data"]["text"].as_str().ok_or_else(refuse)?);
                self.held.push(' ');
            }
            (Some("flush"), Some(format)) => self.flush(format, mouth),
            _ => return Err(refuse()),
        }
        Ok(After::GoOn)
    }

    fn error(&self, status: u16) -> Option<String> {
        Some(error(status))
    }
}
