//! A twin of OpenAI's speech (`POST /v1/audio/speech`).

use super::Twin;
use super::fault::{Fault, Moment};
use super::server::{broken_body, refuse};
use super::voice::{self, Behaviour, Context, Format};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// Starts it on a free loopback port. Clients are pointed at `{base_url}/v1`.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    voice::start(behaviour, |context| Router::new().route("/v1/audio/speech", post(speech)).with_state(context)).await
}

/// The only audio without a container that the service has.
const FORMAT: Format = Format { ulaw: false, sample_rate_hz: 24_000 };
const INPUT_CHARS_MAX: usize = 4_096;

async fn speech(State(context): State<Context>, headers: HeaderMap, body: Bytes) -> Response {
    context.shared.record.add(format!("request {}", String::from_utf8_lossy(&body)));
    let say = |status, after, kind: &str, code: &str| {
        let error = json!({"message": "As the test wishes.", "type": kind, "param": null, "code": code});
        refuse(status, after, json!({"error": error}))
    };
    let fault = context.shared.faults.strike(Moment::Start);
    match &fault {
        Some(Fault::Status { status, retry_after_s }) => {
            return say(*status, *retry_after_s, "server_error", "as_wished");
        }
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(*delay_ms)).await,
        Some(Fault::Silent | Fault::HalfOpen) => context.shared.stopped().await,
        Some(fault) => return broken_body(b"", fault).into_response(),
        None => {}
    }
    let sent = headers.get("authorization").and_then(|value| value.to_str().ok());
    if sent != Some(format!("Bearer {}", context.behaviour.key).as_str()) {
        return say(401, None, "invalid_request_error", "invalid_api_key");
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let input = body["input"].as_str().unwrap_or_default();
    let voice = body["voice"].as_str().or(body["voice"]["id"].as_str()).unwrap_or_default();
    let is_bad = input.is_empty() || input.chars().count() > INPUT_CHARS_MAX || !body["model"].is_string();
    if is_bad || voice.is_empty() || context.behaviour.is_unknown(voice) || body["response_format"] != "pcm" {
        return say(400, None, "invalid_request_error", "invalid_value");
    }
    tokio::time::sleep(Duration::from_millis(context.behaviour.first_audio_ms)).await;
    let (pcm, _) = context.behaviour.speak(input, FORMAT.sample_rate_hz);
    let whole = FORMAT.encode(&pcm);
    let kind = [("content-type", "audio/pcm")];
    match context.shared.faults.strike(Moment::MidTurn) {
        Some(fault) => (kind, broken_body(&whole, &fault)).into_response(),
        None => (kind, whole).into_response(),
    }
}
