//! A twin of Deepgram's streaming synthesis (`/v1/speak`).

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
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    voice::start(behaviour, |context| Router::new().route("/v1/speak", get(speak)).with_state(context)).await
}

const RATES_HZ: [u32; 5] = [8_000, 16_000, 24_000, 32_000, 48_000];

async fn speak(
    State(context): State<Context>,
    Query(pairs): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    context.shared.record.add(format!("open {uri}"));
    let say = |status, after, code: &str| {
        refuse(status, after, json!({"err_code": code, "err_msg": "As the test wishes.", "request_id": "twin"}))
    };
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(Fault::Status { status, retry_after_s }) = fault {
        let code = if status == 429 { "TOO_MANY_REQUESTS" } else { "AS_WISHED" };
        return say(status, retry_after_s, code);
    }
    let sent = headers.get("authorization").and_then(|value| value.to_str().ok());
    if sent != Some(format!("Token {}", context.behaviour.key).as_str()) {
        return say(401, None, "INVALID_AUTH");
    }
    let model = query(&pairs, "model").unwrap_or("aura-asteria-en");
    // The name of a voice: generation, name, language.
    if !model.starts_with("aura-") || model.split('-').count() < 3 || context.behaviour.is_unknown(model) {
        return say(400, None, "Bad Request");
    }
    let ulaw = match query(&pairs, "encoding").unwrap_or("linear16") {
        "linear16" => false,
        "mulaw" => true,
        _ => return say(400, None, "INVALID_QUERY_PARAMETER"),
    };
    let rate = query(&pairs, "sample_rate").map_or(Some(24_000), |rate| rate.parse().ok());
    let Some(sample_rate_hz) = rate.filter(|rate| RATES_HZ.contains(rate) && (!ulaw || *rate <= 16_000)) else {
        return say(400, None, "INVALID_QUERY_PARAMETER");
    };
    let dialect = Aura {
        format: Format { ulaw, sample_rate_hz },
        model: model.to_owned(),
        held: String::new(),
        met: false,
        flushes: 0,
    };
    converse(upgrade, context.shared, context.behaviour, fault, dialect)
}

struct Aura {
    format: Format,
    model: String,
    held: String,
    /// Whether it has said who it is.
    met: bool,
    flushes: u64,
}

impl Aura {
    fn flush(&mut self, mouth: &mut Mouth) {
        let held = std::mem::take(&mut self.held);
        if !held.trim().is_empty() {
            let spoken = Spoken::new(&mouth.behaviour, self.format, held.trim());
            mouth.speak(spoken.pieces.into_iter().map(|piece| Message::Binary(piece.into())));
        }
        let flushed = json!({"type": "Flushed", "sequence_id": self.flushes});
        self.flushes += 1;
        mouth.say(Message::Text(flushed.to_string().into()));
    }
}

impl Dialect for Aura {
    fn on_message(&mut self, message: &Message, mouth: &mut Mouth) -> Result<After, Refusal> {
        let refuse = |code, reason| Err(Refusal { say: None, code, reason });
        let Message::Text(text) = message else { return refuse(1003, "MESSAGE-0000") };
        let Ok(message) = serde_json::from_str::<Value>(text) else { return refuse(1008, "DATA-0000") };
        if !std::mem::replace(&mut self.met, true) {
            let id = "00000000-0000-4000-8000-000000000000";
            let meta = json!({"type": "Metadata", "request_id": id, "model_name": self.model,
                "model_version": "2025-04-07.0", "model_uuid": id, "additional_model_uuids": []});
            mouth.say(Message::Text(meta.to_string().into()));
        }
        match message["type"].as_str() {
            Some("Speak") => self.held.push_str(message["text"].as_str().unwrap_or_default()),
            Some("Flush") => self.flush(mouth),
            Some("Clear") => {
                self.held.clear();
                mouth.hush();
                let cleared = json!({"type": "Cleared", "sequence_id": self.flushes});
                mouth.say(Message::Text(cleared.to_string().into()));
            }
            Some("Close") => {
                if !self.held.trim().is_empty() {
                    self.flush(mouth);
                }
                return Ok(After::CloseWhenOut);
            }
            _ => return refuse(1008, "DATA-0000"),
        }
        Ok(After::GoOn)
    }

    fn error(&self, status: u16) -> Option<String> {
        let code = if status == 429 { "DATA-0001" } else { "NET-0000" };
        Some(json!({"type": "Error", "description": "As the test wishes.", "code": code}).to_string())
    }
}
