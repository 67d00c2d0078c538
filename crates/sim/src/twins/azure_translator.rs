//! A twin of Azure Translator (`POST /translate`, interface of 2026-06-06). A translation is the text between brackets with
//! the language: `[de] Hello`.

use super::fault::{Fault, Moment};
use super::server::{Shared, Twin, refuse};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use std::time::Duration;

/// Starts it on a free loopback port; its address is for `AZURE_TRANSLATOR_ENDPOINT`.
///
/// It records `translate {body}`.
pub async fn start() -> io::Result<Twin> {
    let key = "twin-key".to_owned();
    let router = |shared| {
        let context = Context { shared, key: "twin-key" };
        Router::new()
            .route("/translate", post(translate))
            .route("/translator/text/translate", post(translate))
            .with_state(context)
    };
    Twin::serve(key, "", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    key: &'static str,
}

fn error(status: u16, retry_after_s: Option<u32>, code: u32, message: &str) -> Response {
    refuse(status, retry_after_s, json!({"error": {"code": code, "message": message}}))
}

async fn translate(
    State(context): State<Context>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    context.shared.record.add(format!("translate {}", String::from_utf8_lossy(&body)));
    match context.shared.faults.strike(Moment::Start) {
        Some(Fault::Status { status, retry_after_s }) => {
            return error(status, retry_after_s, u32::from(status) * 1_000, "As the test wishes.");
        }
        Some(Fault::Silent | Fault::HalfOpen | Fault::BlackHole) => context.shared.stopped().await,
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Garbage) => return "}{ not an answer".into_response(),
        _ => {}
    }
    if headers.get("ocp-apim-subscription-key").and_then(|value| value.to_str().ok()) != Some(context.key) {
        return error(401, None, 401_000, "The request is not authorized because credentials are missing or invalid.");
    }
    if query.get("api-version").map(String::as_str) != Some("2026-06-06") {
        return error(400, None, 400_021, "The API version parameter is missing or invalid.");
    }
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let inputs = request["inputs"].as_array().map(Vec::as_slice).unwrap_or_default();
    if inputs.is_empty() || inputs.len() > 1_000 {
        return error(400, None, 400_072, "The number of elements is out of range.");
    }
    let mut value = Vec::new();
    for input in inputs {
        let text = input["text"].as_str().unwrap_or_default();
        let targets = input["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(targets) = targets.iter().map(|target| target["language"].as_str()).collect::<Option<Vec<_>>>() else {
            return error(400, None, 400_036, "The target language is not valid.");
        };
        let translation = |language: &str| json!({"text": format!("[{language}] {text}"), "language": language, "sourceCharacters": text.chars().count()});
        let mut one = json!({"translations": targets.into_iter().map(translation).collect::<Vec<_>>()});
        if input["language"].is_null() {
            one["detectedLanguage"] = json!({"language": "en", "score": 1.0});
        }
        value.push(one);
    }
    axum::Json(json!({"value": value})).into_response()
}
