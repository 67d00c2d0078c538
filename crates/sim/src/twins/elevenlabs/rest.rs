//! What the service does over HTTP beside plain speech: speech with the times of its characters, the list of voices,
//! cloning.

use super::{Context, bad_format, format, refuse};
use crate::twins::fault::{Fault, Moment};
use crate::twins::roster::form;
use crate::twins::server::broken_body;
use axum::body::Bytes;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;

/// Characters per line.
const CHARS_PER_LINE: usize = 8;

/// `POST …/stream/with-timestamps`: JSON objects, one a line; times count from the beginning of the request.
pub(super) async fn with_timestamps(
    State(context): State<Context>,
    Path(voice): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    context.shared.record.add(format!("request {voice} {}", String::from_utf8_lossy(&body)));
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = context.refusal(fault.as_ref(), &voice, &headers) {
        return refusal;
    }
    match &fault {
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(*delay_ms)).await,
        Some(Fault::Silent | Fault::HalfOpen) => context.shared.stopped().await,
        Some(fault) => return broken_body(b"", fault).into_response(),
        None => {}
    }
    let Some(format) = format(&query) else { return bad_format() };
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = body["text"].as_str().unwrap_or_default();
    let (pcm, ends) = context.behaviour.speak(text, format.sample_rate_hz);
    let chars: Vec<char> = text.chars().collect();
    let sample_at = |n: usize| if n == 0 { 0 } else { ends.get(n - 1).copied().unwrap_or(pcm.len()).min(pcm.len()) };
    let secs = |n: usize| sample_at(n) as f64 / f64::from(format.sample_rate_hz);
    let mut whole = Vec::new();
    for from in (0..chars.len()).step_by(CHARS_PER_LINE) {
        let piece = from..(from + CHARS_PER_LINE).min(chars.len());
        let samples = &pcm[sample_at(piece.start)..sample_at(piece.end)];
        let alignment = json!({
            "characters": chars[piece.clone()].iter().map(char::to_string).collect::<Vec<_>>(),
            "character_start_times_seconds": piece.clone().map(secs).collect::<Vec<_>>(),
            "character_end_times_seconds": piece.map(|n| secs(n + 1)).collect::<Vec<_>>(),
        });
        let audio = STANDARD.encode(format.encode(samples));
        let line = json!({"audio_base64": audio, "alignment": alignment, "normalized_alignment": alignment});
        whole.extend_from_slice(line.to_string().as_bytes());
        whole.push(b'\n');
    }
    tokio::time::sleep(Duration::from_millis(context.behaviour.first_audio_ms)).await;
    let kind = [("content-type", "application/json")];
    match context.shared.faults.strike(Moment::MidTurn) {
        Some(fault) => (kind, broken_body(&whole, &fault)).into_response(),
        None => (kind, whole).into_response(),
    }
}

/// `GET /v2/voices`.
pub(super) async fn list(
    State(context): State<Context>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    context.shared.record.add("request voices");
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = context.refusal(fault.as_ref(), "", &headers) {
        return refusal;
    }
    let value = |wanted: &str| query.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
    let size = value("page_size").and_then(|size| size.parse().ok()).unwrap_or(10).clamp(1, 100);
    let (page, more) = context.roster.page(value("next_page_token"), size);
    let voices: Vec<Value> = page
        .iter()
        .map(|one| {
            json!({"voice_id": one.id, "name": one.name, "category": if one.cloned { "cloned" } else { "premade" },
                "labels": {"gender": one.gender, "language": one.language}, "preview_url": one.preview_url})
        })
        .collect();
    let token = page.last().filter(|_| more).map(|one| one.id.clone());
    let answer = json!({"voices": voices, "has_more": more, "total_count": 0, "next_page_token": token});
    axum::Json(answer).into_response()
}

/// `POST /v1/voices/add`.
pub(super) async fn clone(State(context): State<Context>, headers: HeaderMap, parts: Multipart) -> Response {
    let form = form(parts).await;
    context.shared.record.add(format!("request clone {}", form.summary()));
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = context.refusal(fault.as_ref(), "", &headers) {
        return refusal;
    }
    let (Some(name), Some(_)) = (form.text("name"), form.file("files")) else {
        let missing = json!({"loc": ["body", "files"], "msg": "field required", "type": "value_error.missing"});
        return refuse(422, None, json!({"detail": [missing]}));
    };
    let id = context.roster.add(name, "en");
    axum::Json(json!({"voice_id": id, "requires_verification": false})).into_response()
}
