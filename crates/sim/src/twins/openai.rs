//! A twin of OpenAI's chat completions and embeddings (`POST /v1/chat/completions`, `POST /v1/embeddings`), streamed and
//! whole, with scripted replies; and of the services that speak the same in their own dialect.
//!
//! It refuses what the real service refuses: a wrong key, an empty conversation, tool calls that are not followed by their
//! results.

pub use super::script::{Reply, Rule};

use super::fault::{Fault, Moment};
use super::script::{self, Asked, halves, reply_tokens};
use super::server::{Shared, Twin, refuse};
use super::stream::Answer;
use super::vector;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Whose service this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The one that all others speak, below `/v1`.
    #[default]
    Plain,
    /// Deployments below `/openai/deployments`, a key in `api-key`, a verdict on the prompt before the first choice.
    Azure,
    /// Below `/openai/v1`, usage inside `x_groq`.
    Groq,
    /// A server on this machine that asks for no key and gives tool calls whole, with "stop" as the reason.
    Local,
}

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
    /// Answers from the body of the request before any rule is asked.
    pub answerer: Option<Answerer>,
    /// Whose service this is.
    pub dialect: Dialect,
}

/// What is answered to a request; `None` leaves it to the rules.
pub type Answers = dyn Fn(&Value) -> Option<Reply> + Send + Sync;

/// Someone who answers from the body of a request, or leaves it to the rules.
#[derive(Clone)]
pub struct Answerer(pub Arc<Answers>);

impl fmt::Debug for Answerer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answerer")
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            key: "twin-key".to_owned(),
            rules: Vec::new(),
            otherwise: Reply::says("I can help with that."),
            first_token_ms: 30,
            token_gap_ms: 5,
            answerer: None,
            dialect: Dialect::Plain,
        }
    }
}

/// Starts it on a free loopback port; its address is for `OPENAI_BASE_URL`; ends in `/v1`. Of another dialect: what its vendor calls the address.
///
/// It records `request {body}`, then `answered` or `called off`.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let behaviour = Arc::new(behaviour);
    let dialect = behaviour.dialect;
    let router = |shared| {
        let routes = match dialect {
            Dialect::Plain | Dialect::Local => Router::new()
                .route("/v1/chat/completions", post(complete))
                .route("/v1/embeddings", post(embed))
                .route("/v1/models", get(models)),
            Dialect::Groq => Router::new()
                .route("/openai/v1/chat/completions", post(complete))
                .route("/openai/v1/models", get(models)),
            Dialect::Azure => Router::new()
                .route("/openai/deployments/{deployment}/chat/completions", post(complete_deployed))
                .route("/openai/deployments/{deployment}/embeddings", post(embed_deployed))
                .route("/openai/v1/chat/completions", post(complete))
                .route("/openai/v1/embeddings", post(embed)),
        };
        routes.with_state(Context { shared, behaviour })
    };
    let path = if matches!(dialect, Dialect::Plain | Dialect::Local) { "/v1" } else { "" };
    Twin::serve(key, path, router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    behaviour: Arc<Behaviour>,
}

fn error(status: u16, retry_after_s: Option<u32>, kind: &str, code: &str, message: &str) -> Response {
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    refuse(status, retry_after_s, body)
}

impl Context {
    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let key = &self.behaviour.key;
        let sent = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let bare = headers.get("api-key").and_then(|value| value.to_str().ok());
        match self.behaviour.dialect {
            Dialect::Local => true,
            // A key behind "Bearer" is no token, which this service tells apart.
            Dialect::Azure => bare == Some(key),
            Dialect::Plain | Dialect::Groq => sent == format!("Bearer {key}") || bare == Some(key),
        }
    }

    /// Refuses what is struck by a fault or has no right to ask.
    async fn admit(&self, headers: &HeaderMap) -> Result<Option<Fault>, Response> {
        let fault = self.shared.faults.strike(Moment::Start);
        match &fault {
            Some(Fault::Status { status, retry_after_s }) => {
                let (kind, code) = match status {
                    401 => ("invalid_request_error", "invalid_api_key"),
                    429 => ("rate_limit_error", "rate_limit_exceeded"),
                    _ => ("server_error", "server_error"),
                };
                return Err(error(*status, *retry_after_s, kind, code, "As the test wishes."));
            }
            Some(Fault::Silent | Fault::HalfOpen | Fault::BlackHole) => {
                self.shared.stopped().await;
                return Err(error(503, None, "server_error", "stopped", "The twin is gone."));
            }
            _ => {}
        }
        if self.is_allowed(headers) { Ok(fault) } else { Err(self.wrong_key()) }
    }

    fn wrong_key(&self) -> Response {
        if self.behaviour.dialect == Dialect::Azure {
            let why = "Access denied due to invalid subscription key or wrong API endpoint.";
            return refuse(401, None, json!({"error": {"code": "401", "message": why}}));
        }
        error(401, None, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.")
    }
}

async fn models(State(context): State<Context>, headers: HeaderMap) -> Response {
    if !context.is_allowed(&headers) {
        return context.wrong_key();
    }
    let model = json!({"id": "twin", "object": "model", "created": 0, "owned_by": "twin"});
    axum::Json(json!({"object": "list", "data": [model]})).into_response()
}

/// A deployment is named in the path and nowhere else, and the interface has dated versions.
#[allow(clippy::result_large_err)] // Once per request.
fn of_deployment(deployment: &str, query: &HashMap<String, String>, body: &[u8]) -> Result<Bytes, Response> {
    if query.get("api-version").is_none_or(String::is_empty) {
        return Err(refuse(404, None, json!({"error": {"code": "404", "message": "Resource not found"}})));
    }
    let mut request = serde_json::from_slice::<Value>(body).unwrap_or_default();
    request["model"] = json!(deployment);
    Ok(request.to_string().into())
}

async fn complete_deployed(
    State(context): State<Context>,
    Path(deployment): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match of_deployment(&deployment, &query, &body) {
        Ok(body) => complete(State(context), headers, body).await,
        Err(refused) => refused,
    }
}

async fn embed_deployed(
    State(context): State<Context>,
    Path(deployment): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match of_deployment(&deployment, &query, &body) {
        Ok(body) => embed(State(context), headers, body).await,
        Err(refused) => refused,
    }
}

async fn complete(State(context): State<Context>, headers: HeaderMap, body: Bytes) -> Response {
    context.shared.record.add(format!("request {}", String::from_utf8_lossy(&body)));
    let fault = match context.admit(&headers).await {
        Ok(fault) => fault,
        Err(refused) => return refused,
    };
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    if let Err(why) = check(&request) {
        return error(400, None, "invalid_request_error", "invalid_value", why);
    }
    let behaviour = &context.behaviour;
    let answered = behaviour.answerer.as_ref().and_then(|answerer| (answerer.0)(&request));
    let reply = answered.unwrap_or_else(|| reply_to(behaviour, &request));
    let usage = usage(&request, &reply);
    if request["stream"] != true {
        tokio::time::sleep(Duration::from_millis(behaviour.first_token_ms)).await;
        context.shared.record.add("answered");
        return axum::Json(whole(&request, &reply, &usage)).into_response();
    }
    let answer = Answer {
        events: chunks(behaviour.dialect, &request, &reply, &usage),
        middle: 3,
        first_ms: behaviour.first_token_ms,
        gap_ms: behaviour.token_gap_ms,
        fault,
        error: |status| {
            let error = json!({"error": {"message": "fault", "type": "server_error", "param": null, "code": status}});
            format!("data: {error}\n\n")
        },
        shared: context.shared.clone(),
    };
    answer.start()
}

async fn embed(State(context): State<Context>, headers: HeaderMap, body: Bytes) -> Response {
    context.shared.record.add(format!("embed {}", String::from_utf8_lossy(&body)));
    match context.admit(&headers).await {
        Ok(Some(Fault::Slow { delay_ms })) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Ok(Some(Fault::Garbage)) => return "}{ not an answer".into_response(),
        Ok(_) => {}
        Err(refused) => return refused,
    }
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let texts: Vec<&str> = match &request["input"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() || texts.len() > 2048 || texts.iter().any(|text| text.is_empty()) {
        return error(400, None, "invalid_request_error", "invalid_value", "'$.input' is invalid.");
    }
    let width = request["dimensions"].as_u64().unwrap_or(1536) as usize;
    let in_base64 = request["encoding_format"] == "base64";
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = vector::of(text, width);
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            let embedding = if in_base64 { json!(BASE64.encode(bytes)) } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens: usize = texts.iter().map(|text| script::tokens(text)).sum();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    axum::Json(json!({"object": "list", "model": request["model"], "data": data, "usage": usage})).into_response()
}

fn check(request: &Value) -> Result<(), &'static str> {
    if request["model"].as_str().is_none_or(str::is_empty) {
        return Err("you must provide a model parameter");
    }
    if request.get("stream_options").is_some_and(|options| !options.is_null()) && request["stream"] != true {
        return Err("'stream_options' is only allowed when 'stream' is set");
    }
    if request.get("max_tokens").is_some() && request.get("max_completion_tokens").is_some() {
        return Err("'max_tokens' and 'max_completion_tokens' cannot both be set");
    }
    let messages =
        request["messages"].as_array().filter(|messages| !messages.is_empty()).ok_or("'messages' is empty")?;
    let mut waiting: Vec<&str> = Vec::new();
    for message in messages {
        match message["role"].as_str() {
            Some("tool") => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                let at = waiting.iter().position(|call| *call == id);
                waiting.remove(at.ok_or("messages with role 'tool' must be a response to a preceding 'tool_calls'")?);
            }
            Some("system" | "developer" | "user" | "assistant") if waiting.is_empty() => {
                let calls = message["tool_calls"].as_array().into_iter().flatten();
                waiting.extend(calls.map(|call| call["id"].as_str().unwrap_or_default()));
            }
            Some("system" | "developer" | "user" | "assistant") => {
                return Err("an assistant message with 'tool_calls' must be followed by tool messages");
            }
            _ => return Err("a message has no known role"),
        }
    }
    if waiting.is_empty() { Ok(()) } else { Err("tool_call_ids did not have response messages") }
}

fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

fn reply_to(behaviour: &Behaviour, request: &Value) -> Reply {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let last = messages.last();
    let last_text = last.map(text_of).unwrap_or_default();
    let after_tool = last.filter(|message| message["role"] == "tool").map(|message| {
        let id = &message["tool_call_id"];
        let calls = messages.iter().rev().filter_map(|message| message["tool_calls"].as_array()).flatten();
        let call = calls.into_iter().find(|call| call["id"] == *id);
        call.and_then(|call| call["function"]["name"].as_str()).unwrap_or_default()
    });
    let user = messages.iter().rev().find(|message| message["role"] == "user").map(text_of).unwrap_or_default();
    let asked = Asked { user: &user, after_tool, last: &last_text };
    script::reply_to(&behaviour.rules, &behaviour.otherwise, &asked)
}

fn usage(request: &Value, reply: &Reply) -> Value {
    let prompt = request["messages"].to_string().len().div_ceil(4);
    let completion = reply_tokens(reply);
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
}

fn finish(reply: &Reply) -> &'static str {
    if reply.tool_calls.is_empty() { "stop" } else { "tool_calls" }
}

fn whole(request: &Value, reply: &Reply, usage: &Value) -> Value {
    let calls: Vec<Value> = reply.tool_calls.iter().enumerate().map(|(n, call)| call_json(n, call)).collect();
    let mut message = json!({"role": "assistant", "content": reply.text, "refusal": null});
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    json!({"id": "chatcmpl-twin", "object": "chat.completion", "created": 1, "model": request["model"],
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(reply)}], "usage": usage})
}

fn call_json(n: usize, (name, args): &(String, Value)) -> Value {
    json!({"id": format!("call_{n}"), "type": "function", "function": {"name": name, "arguments": args.to_string()}})
}

/// The events of the answer, each a complete `data:` line with its empty line.
fn chunks(dialect: Dialect, request: &Value, reply: &Reply, usage: &Value) -> Vec<String> {
    let chunk = |choices: Value, extra: Option<(&str, Value)>| {
        let mut chunk = json!({"id": "chatcmpl-twin", "object": "chat.completion.chunk", "created": 1,
            "model": request["model"], "service_tier": "default", "choices": choices});
        if let Some((key, value)) = extra {
            chunk[key] = value;
        }
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]), None);
    let mut out = vec![delta(json!({"role": "assistant", "content": ""}))];
    if dialect == Dialect::Azure {
        let verdict = json!([{"prompt_index": 0, "content_filter_results": {"jailbreak": {"filtered": false}}}]);
        out.insert(0, chunk(json!([]), Some(("prompt_filter_results", verdict))));
    }
    out.extend(reply.text.split_inclusive(' ').map(|word| delta(json!({"content": word}))));
    for (n, call) in reply.tool_calls.iter().enumerate() {
        let (name, args) = (&call.0, call.1.to_string());
        let piece = |piece: Value| delta(json!({"tool_calls": [piece]}));
        let head = json!({"name": name, "arguments": if dialect == Dialect::Local { &args } else { "" }});
        out.push(piece(json!({"index": n, "id": format!("call_{n}"), "type": "function", "function": head})));
        if dialect != Dialect::Local {
            out.extend(halves(&args).map(|half| piece(json!({"index": n, "function": {"arguments": half}}))));
        }
    }
    let reason = if dialect == Dialect::Local { "stop" } else { finish(reply) };
    let extension = (dialect == Dialect::Groq).then(|| ("x_groq", json!({"id": "req_twin", "usage": usage})));
    out.push(chunk(json!([{"index": 0, "delta": {}, "finish_reason": reason}]), extension));
    if request["stream_options"]["include_usage"] == true && dialect != Dialect::Groq {
        out.push(chunk(json!([]), Some(("usage", usage.clone()))));
    }
    out.push("data: [DONE]\n\n".to_owned());
    out
}
