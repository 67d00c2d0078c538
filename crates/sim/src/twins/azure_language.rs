//! A twin of Azure AI Language (`POST /language/:analyze-text`).
//!
//! Words decide: a text that holds "great" is positive, one that holds "broke" negative; capitalised words are people; runs of
//! digits are phone numbers; a text in Devanagari is Hindi. A document that is empty or too long, or whose language is `xx`,
//! fails by itself inside an answer that succeeds, as the real service does it.

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

/// Starts it on a free loopback port; its address is for `AZURE_LANGUAGE_ENDPOINT`.
///
/// It records `analyze {body}`.
pub async fn start() -> io::Result<Twin> {
    let key = "twin-key".to_owned();
    let router = |shared| {
        // The colon is part of the name.
        let routes = Router::new().without_v07_checks().route("/language/:analyze-text", post(analyze));
        routes.with_state(Context { shared, key: "twin-key" })
    };
    Twin::serve(key, "", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    key: &'static str,
}

fn error(status: u16, retry_after_s: Option<u32>, code: &str, message: &str) -> Response {
    refuse(status, retry_after_s, json!({"error": {"code": code, "message": message}}))
}

async fn analyze(
    State(context): State<Context>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    context.shared.record.add(format!("analyze {}", String::from_utf8_lossy(&body)));
    match context.shared.faults.strike(Moment::Start) {
        Some(Fault::Status { status, retry_after_s }) => {
            let code = if status == 429 { "TooManyRequests" } else { "InternalServerError" };
            return error(status, retry_after_s, code, "As the test wishes.");
        }
        Some(Fault::Silent | Fault::HalfOpen | Fault::BlackHole) => context.shared.stopped().await,
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Garbage) => return "}{ not an answer".into_response(),
        _ => {}
    }
    if headers.get("ocp-apim-subscription-key").and_then(|value| value.to_str().ok()) != Some(context.key) {
        return error(401, None, "401", "Access denied due to invalid subscription key or wrong API endpoint.");
    }
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let kind = request["kind"].as_str().unwrap_or_default();
    let documents = request["analysisInput"]["documents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let documents_max = match kind {
        "SentimentAnalysis" | "KeyPhraseExtraction" => 10,
        "EntityRecognition" | "PiiEntityRecognition" => 5,
        "LanguageDetection" => 1_000,
        _ => return error(400, None, "InvalidRequest", "Invalid Request Kind."),
    };
    if query.get("api-version").is_none_or(String::is_empty) || documents.is_empty() || documents.len() > documents_max
    {
        return error(400, None, "InvalidRequest", "Invalid Request.");
    }
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for document in documents {
        match read(kind, document) {
            Ok(answer) => good.push(answer),
            Err(code) => {
                let inner = json!({"code": code, "message": "Invalid document."});
                let error = json!({"code": "InvalidArgument", "message": "Invalid Argument.", "innererror": inner});
                bad.push(json!({"id": document["id"], "error": error}));
            }
        }
    }
    let results = json!({"documents": good, "errors": bad, "modelVersion": "2025-01-01"});
    axum::Json(json!({"kind": format!("{kind}Results"), "results": results})).into_response()
}

fn read(kind: &str, document: &Value) -> Result<Value, &'static str> {
    let text = document["text"].as_str().unwrap_or_default();
    if text.trim().is_empty() || text.chars().count() > 5_120 {
        return Err("InvalidDocument");
    }
    if document["language"] == "xx" {
        return Err("UnsupportedLanguageCode");
    }
    let mut answer = match kind {
        "SentimentAnalysis" => sentiment(text),
        "LanguageDetection" => language(text),
        "EntityRecognition" => json!({"entities": people(text)}),
        _ => personal(text),
    };
    answer["id"] = document["id"].clone();
    answer["warnings"] = json!([]);
    Ok(answer)
}

fn sentiment(text: &str) -> Value {
    let lower = text.to_lowercase();
    let (pleased, displeased) = (lower.contains("great"), lower.contains("broke"));
    let (word, scores) = match (pleased, displeased) {
        (true, true) => ("mixed", (0.5, 0.0, 0.5)),
        (true, false) => ("positive", (0.98, 0.01, 0.01)),
        (false, true) => ("negative", (0.01, 0.01, 0.98)),
        (false, false) => ("neutral", (0.05, 0.9, 0.05)),
    };
    let scores = json!({"positive": scores.0, "neutral": scores.1, "negative": scores.2});
    let sentence = json!({"sentiment": if word == "mixed" { "neutral" } else { word }, "confidenceScores": scores,
        "offset": 0, "length": text.chars().count(), "text": text});
    json!({"sentiment": word, "confidenceScores": scores, "sentences": [sentence]})
}

fn language(text: &str) -> Value {
    let devanagari = text.chars().any(|c| ('\u{900}'..='\u{97f}').contains(&c));
    let (name, code, confidence) = match (devanagari, text.to_lowercase().contains("hola")) {
        _ if !text.chars().any(char::is_alphabetic) => ("(Unknown)", "(Unknown)", 0.0),
        (true, _) => ("Hindi", "hi", 1.0),
        (_, true) => ("Spanish", "es", 1.0),
        _ => ("English", "en", 0.99),
    };
    json!({"detectedLanguage": {"name": name, "iso6391Name": code, "confidenceScore": confidence}})
}

/// Words of a text with their places in characters.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (at, c) in text.chars().enumerate() {
        match words.last_mut() {
            _ if !c.is_alphanumeric() => open = false,
            Some((_, word)) if open => word.push(c),
            _ => {
                words.push((at, c.to_string()));
                open = true;
            }
        }
    }
    words
}

fn entity(at: usize, word: &str, category: &str) -> Value {
    json!({"text": word, "category": category, "offset": at, "length": word.chars().count(), "confidenceScore": 0.9})
}

fn people(text: &str) -> Vec<Value> {
    let named = words(text).into_iter().filter(|(at, word)| *at > 0 && word.starts_with(char::is_uppercase));
    named.map(|(at, word)| entity(at, &word, "Person")).collect()
}

fn personal(text: &str) -> Value {
    let digits = |word: &str| word.len() >= 3 && word.bytes().all(|b| b.is_ascii_digit());
    let found: Vec<(usize, String)> = words(text).into_iter().filter(|(_, word)| digits(word)).collect();
    let hidden = |at: usize| found.iter().any(|(from, word)| (*from..from + word.len()).contains(&at));
    let redacted: String = text.chars().enumerate().map(|(at, c)| if hidden(at) { '*' } else { c }).collect();
    let entities: Vec<Value> = found.iter().map(|(at, word)| entity(*at, word, "PhoneNumber")).collect();
    json!({"redactedText": redacted, "entities": entities})
}
