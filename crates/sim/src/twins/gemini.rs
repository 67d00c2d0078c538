//! A twin of Google's Gemini API: generation (streamed and whole) and embeddings, under both versions of the interface.
//!
//! It refuses what the real service refuses: a wrong key (which is an invalid argument by name), a conversation that the user
//! does not begin, tool calls without the signature that came with them.

use super::fault::{Fault, Moment};
use super::script::{self, Asked, Reply, Rule, reply_tokens, tokens};
use super::server::{Shared, Twin, refuse};
use super::stream::Answer;
use super::vector;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How the twin behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The key that is accepted.
    pub key: String,
    /// The first rule that fits answers.
    pub rules: Vec<Rule>,
    /// The answer when no rule fits.
    pub otherwise: Reply,
    /// To the first token, in milliseconds.
    pub first_token_ms: u64,
    /// Between tokens, in milliseconds.
    pub token_gap_ms: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            key: "twin-key".to_owned(),
            rules: Vec::new(),
            otherwise: Reply::says("I can help with that."),
            first_token_ms: 30,
            token_gap_ms: 5,
        }
    }
}

/// Starts it on a free loopback port; its address is for `GEMINI_BASE_URL`.
///
/// It records `request {body}` or `embed {body}`, then `answered` or `called off`.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let behaviour = Arc::new(behaviour);
    let router = |shared| {
        Router::new()
            .route("/v1beta/models/{call}", post(answer))
            .route("/v1/models/{call}", post(answer))
            .with_state(Context { shared, behaviour })
    };
    Twin::serve(key, "", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    behaviour: Arc<Behaviour>,
}

fn error_json(status: u16, message: &str) -> Value {
    let word = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    json!({"error": {"code": status, "message": message, "status": word}})
}

async fn answer(
    State(context): State<Context>,
    Path(call): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (model, method) = call.split_once(':').unwrap_or((&call, ""));
    let verb = if method.contains("mbed") { "embed" } else { "request" };
    context.shared.record.add(format!("{verb} {}", String::from_utf8_lossy(&body)));
    let fault = context.shared.faults.strike(Moment::Start);
    match &fault {
        Some(Fault::Status { status, retry_after_s }) => {
            let mut error = error_json(*status, "As the test wishes.");
            if let Some(secs) = retry_after_s {
                let info =
                    json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{secs}s")});
                error["error"]["details"] = json!([info]);
            }
            return refuse(*status, None, error);
        }
        Some(Fault::Silent | Fault::HalfOpen | Fault::BlackHole) => {
            context.shared.stopped().await;
            return refuse(503, None, error_json(503, "The twin is gone."));
        }
        _ => {}
    }
    let sent = headers.get("x-goog-api-key").and_then(|value| value.to_str().ok());
    if sent != Some(&context.behaviour.key) {
        let mut error = error_json(400, "API key not valid. Please pass a valid API key.");
        error["error"]["details"] =
            json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
        return refuse(400, None, error);
    }
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    match method {
        "streamGenerateContent" | "generateContent" => generate(context, &request, model, method, &query, fault).await,
        "batchEmbedContents" | "embedContent" => embed(&request, method, fault).await,
        _ => refuse(404, None, error_json(404, "There is no such method.")),
    }
}

async fn generate(
    context: Context,
    request: &Value,
    model: &str,
    method: &str,
    query: &HashMap<String, String>,
    fault: Option<Fault>,
) -> Response {
    if let Err(why) = check(request, model) {
        return refuse(400, None, error_json(400, why));
    }
    let behaviour = &context.behaviour;
    let reply = reply_to(behaviour, request);
    let prompt = tokens(&request.to_string());
    if method == "generateContent" {
        tokio::time::sleep(Duration::from_millis(behaviour.first_token_ms)).await;
        let parts: Vec<Value> = Some(json!({"text": reply.text}))
            .filter(|_| !reply.text.is_empty())
            .into_iter()
            .chain(calls(&reply))
            .collect();
        context.shared.record.add("answered");
        return axum::Json(chunk(model, &parts, Some("STOP"), prompt, reply_tokens(&reply))).into_response();
    }
    if query.get("alt").map(String::as_str) != Some("sse") {
        return refuse(400, None, error_json(400, "this twin streams server-sent events alone"));
    }
    let answer = Answer {
        events: events(model, &reply, prompt),
        middle: 2,
        first_ms: behaviour.first_token_ms,
        gap_ms: behaviour.token_gap_ms,
        fault,
        error: |status| format!("data: {}\r\n\r\n", error_json(status, "fault")),
        shared: context.shared.clone(),
    };
    answer.start()
}

fn check(request: &Value, model: &str) -> Result<(), &'static str> {
    let contents = request["contents"].as_array().filter(|all| !all.is_empty()).ok_or("contents is not specified")?;
    if contents[0]["role"] == "model" {
        return Err("Please ensure that the conversation begins with a user turn");
    }
    let mut open = 0;
    for content in contents {
        let parts = content["parts"].as_array().filter(|parts| !parts.is_empty()).ok_or("parts must not be empty")?;
        let is_empty = |part: &&Value| part.as_object().is_none_or(|part| part.is_empty());
        if parts.iter().any(|part| is_empty(&part) || part["text"].as_str().is_some_and(str::is_empty)) {
            return Err("part.data: required oneof field 'data' must have one initialized field");
        }
        let results = parts.iter().filter(|part| part["functionResponse"].is_object()).count();
        if open > 0 && results != open {
            return Err("the number of function response parts must equal the number of function call parts");
        }
        let wanted: Vec<&Value> = parts.iter().filter(|part| part["functionCall"].is_object()).collect();
        open = wanted.len();
        if model.starts_with("gemini-3") && wanted.first().is_some_and(|part| part["thoughtSignature"].is_null()) {
            return Err("Function call is missing a thought_signature in functionCall parts.");
        }
    }
    Ok(())
}

fn reply_to(behaviour: &Behaviour, request: &Value) -> Reply {
    let contents = request["contents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let last = contents.last().and_then(|content| content["parts"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<&str> = last.iter().filter_map(|part| part["text"].as_str()).collect();
    let user = texts.join(" ");
    let response = last.last().map(|part| &part["functionResponse"]).filter(|response| response.is_object());
    let result = response.map(|response| match &response["response"] {
        Value::Object(object) => match object.values().next() {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        },
        other => other.to_string(),
    });
    let after_tool = response.and_then(|response| response["name"].as_str());
    let last = result.as_deref().unwrap_or(&user);
    script::reply_to(&behaviour.rules, &behaviour.otherwise, &Asked { user: &user, after_tool, last })
}

fn calls(reply: &Reply) -> Vec<Value> {
    let call = |(n, (name, args)): (usize, &(String, Value))| json!({"functionCall": {"id": format!("call_{n}"), "name": name, "args": args}, "thoughtSignature": "dHdpbg=="});
    reply.tool_calls.iter().enumerate().map(call).collect()
}

fn chunk(model: &str, parts: &[Value], reason: Option<&str>, prompt: usize, output: usize) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let Some(reason) = reason {
        candidate["finishReason"] = json!(reason);
    }
    let usage = json!({"promptTokenCount": prompt, "candidatesTokenCount": output, "totalTokenCount": prompt + output});
    json!({"candidates": [candidate], "modelVersion": model, "responseId": "twin", "usageMetadata": usage})
}

fn events(model: &str, reply: &Reply, prompt: usize) -> Vec<String> {
    let event = |data: Value| format!("data: {data}\r\n\r\n");
    let words = reply.text.split_inclusive(' ');
    let mut out: Vec<String> =
        words.map(|word| event(chunk(model, &[json!({"text": word})], None, prompt, 1))).collect();
    let mut last = calls(reply);
    if last.is_empty() {
        last.push(json!({"text": ""}));
    }
    out.push(event(chunk(model, &last, Some("STOP"), prompt, reply_tokens(reply))));
    out
}

async fn embed(request: &Value, method: &str, fault: Option<Fault>) -> Response {
    match fault {
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Garbage) => return "}{ not an answer".into_response(),
        _ => {}
    }
    let one = |request: &Value| {
        let parts = request["content"]["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
        let width = request["outputDimensionality"].as_u64().unwrap_or(3072) as usize;
        // Shorter vectors than the widest do not come with length 1.
        let scale = if width < 3072 { 0.5 } else { 1.0 };
        let values: Vec<f32> = vector::of(&text, width).into_iter().map(|value| value * scale).collect();
        (!text.is_empty()).then(|| json!({"values": values}))
    };
    if method == "embedContent" {
        return match one(request) {
            Some(embedding) => axum::Json(json!({"embedding": embedding})).into_response(),
            None => refuse(400, None, error_json(400, "content is required")),
        };
    }
    let requests = request["requests"].as_array().map(Vec::as_slice).unwrap_or_default();
    let embeddings: Option<Vec<Value>> = requests.iter().map(one).collect();
    match embeddings.filter(|all| !all.is_empty() && all.len() <= 100) {
        Some(embeddings) => axum::Json(json!({"embeddings": embeddings})).into_response(),
        None => refuse(400, None, error_json(400, "at most 100 requests can be in one batch, none without text")),
    }
}
