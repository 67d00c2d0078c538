//! A twin of Google Cloud Translation, version 2. A translation is the text between brackets with the language: `[de] Hello`;
//! a text in Devanagari is Hindi, one without letters is of no language.

use super::fault::{Fault, Moment};
use super::server::{Shared, Twin, refuse};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// Starts it on a free loopback port; its address is for `GOOGLE_TRANSLATE_BASE_URL`.
///
/// It records `translate {body}` or `detect {body}`.
pub async fn start() -> io::Result<Twin> {
    let key = "twin-key".to_owned();
    let router = |shared| {
        let context = Context { shared, key: "twin-key" };
        Router::new()
            .route("/language/translate/v2", post(answer))
            .route("/language/translate/v2/detect", post(answer))
            .with_state(context)
    };
    Twin::serve(key, "", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    key: &'static str,
}

fn error(status: u16, retry_after_s: Option<u32>, reason: &str) -> Response {
    let errors = json!([{"message": "fault", "domain": "global", "reason": reason}]);
    let word = if status == 429 { "RESOURCE_EXHAUSTED" } else { "INVALID_ARGUMENT" };
    refuse(
        status,
        retry_after_s,
        json!({"error": {"code": status, "message": "fault", "errors": errors, "status": word}}),
    )
}

async fn answer(State(context): State<Context>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let detects = uri.path().ends_with("/detect");
    let verb = if detects { "detect" } else { "translate" };
    context.shared.record.add(format!("{verb} {}", String::from_utf8_lossy(&body)));
    match context.shared.faults.strike(Moment::Start) {
        Some(Fault::Status { status, retry_after_s }) => {
            let reason = if status == 429 { "rateLimitExceeded" } else { "backendError" };
            return error(status, retry_after_s, reason);
        }
        Some(Fault::Silent | Fault::HalfOpen | Fault::BlackHole) => context.shared.stopped().await,
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Garbage) => return "}{ not an answer".into_response(),
        _ => {}
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let in_query = uri.query().is_some_and(|query| query.split('&').any(|one| one == format!("key={}", context.key)));
    let bearer = header("authorization") == format!("Bearer {}", context.key);
    if header("x-goog-api-key") != context.key && !bearer && !in_query {
        return error(400, None, "API_KEY_INVALID");
    }
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let texts: Vec<&str> = match &request["q"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() || texts.len() > 128 || (!detects && request["target"].as_str().is_none_or(str::is_empty)) {
        return error(400, None, "invalid");
    }
    let language = |text: &str| match text.chars().find(|c| c.is_alphabetic()) {
        None => "und",
        Some('\u{900}'..='\u{97f}') => "hi",
        Some(_) if text.to_lowercase().contains("hola") => "es",
        Some(_) => "en",
    };
    if detects {
        let one = |text: &&str| json!([{"language": language(text), "confidence": 1, "isReliable": false}]);
        let detections: Vec<Value> = texts.iter().map(one).collect();
        return axum::Json(json!({"data": {"detections": detections}})).into_response();
    }
    let target = request["target"].as_str().unwrap_or_default();
    let one = |text: &&str| {
        // Asked for HTML, which it is unless it is told otherwise, the service escapes.
        let shown = if request["format"] == "text" { (*text).to_owned() } else { text.replace('\'', "&#39;") };
        let mut one = json!({"translatedText": format!("[{target}] {shown}")});
        if request["source"].is_null() {
            one["detectedSourceLanguage"] = json!(language(text));
        }
        one
    };
    let translations: Vec<Value> = texts.iter().map(one).collect();
    axum::Json(json!({"data": {"translations": translations}})).into_response()
}
