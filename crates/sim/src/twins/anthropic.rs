//! A twin of Anthropic's Messages API (`POST /v1/messages`), streamed and whole, with scripted replies.
//!
//! It refuses what the real service refuses: a wrong key, no version, sampling parameters under the current version, a
//! conversation that the user does not begin, text without a word, tool calls that are not followed by their results. What is
//! marked for its cache it reads from there the next time.

use super::fault::{Fault, Moment};
use super::script::{self, Asked, Reply, Rule, halves, reply_tokens, tokens};
use super::server::{Shared, Twin, refuse};
use super::stream::Answer;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
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
    /// Prefixes with fewer tokens are not cached.
    pub cached_tokens_min: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            key: "twin-key".to_owned(),
            rules: Vec::new(),
            otherwise: Reply::says("I can help with that."),
            first_token_ms: 30,
            token_gap_ms: 5,
            cached_tokens_min: 1,
        }
    }
}

/// Starts it on a free loopback port; its address is for `ANTHROPIC_BASE_URL`.
///
/// It records `request {body}`, then `answered` or `called off`.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let behaviour = Arc::new(behaviour);
    let router = |shared| {
        let context = Context { shared, behaviour, cache: Arc::default() };
        Router::new().route("/v1/messages", post(answer)).with_state(context)
    };
    Twin::serve(key, "", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    behaviour: Arc<Behaviour>,
    /// Prefixes that were marked before.
    cache: Arc<Mutex<BTreeSet<String>>>,
}

fn error_json(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_twin"})
}

fn kind_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn answer(State(context): State<Context>, headers: HeaderMap, body: Bytes) -> Response {
    context.shared.record.add(format!("request {}", String::from_utf8_lossy(&body)));
    let fault = context.shared.faults.strike(Moment::Start);
    match &fault {
        Some(Fault::Status { status, retry_after_s }) => {
            return refuse(*status, *retry_after_s, error_json(kind_of(*status), "As the test wishes."));
        }
        Some(Fault::Silent | Fault::HalfOpen | Fault::BlackHole) => {
            context.shared.stopped().await;
            return refuse(503, None, error_json("api_error", "The twin is gone."));
        }
        _ => {}
    }
    let key = &context.behaviour.key;
    if header(&headers, "x-api-key") != key && header(&headers, "authorization") != format!("Bearer {key}") {
        return refuse(401, None, error_json("authentication_error", "invalid x-api-key"));
    }
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    if let Err(why) = check(&request, header(&headers, "anthropic-version")) {
        return refuse(400, None, error_json("invalid_request_error", why));
    }
    let behaviour = &context.behaviour;
    let reply = reply_to(behaviour, &request);
    let usage = context.usage(&request);
    if request["stream"] != true {
        tokio::time::sleep(Duration::from_millis(behaviour.first_token_ms)).await;
        context.shared.record.add("answered");
        return axum::Json(whole(&request, &reply, &usage)).into_response();
    }
    let answer = Answer {
        events: events(&request, &reply, &usage),
        middle: 4,
        first_ms: behaviour.first_token_ms,
        gap_ms: behaviour.token_gap_ms,
        fault,
        error: |status| event(&error_json(kind_of(if status == 503 { 529 } else { status }), "fault")),
        shared: context.shared.clone(),
    };
    answer.start()
}

fn check(request: &Value, version: &str) -> Result<(), &'static str> {
    if !matches!(version, "2023-06-01" | "2026-10-21") {
        return Err("anthropic-version: header is required");
    }
    if version == "2026-10-21" && ["temperature", "top_p", "top_k"].iter().any(|key| !request[*key].is_null()) {
        return Err("sampling parameters are not supported");
    }
    if request["model"].as_str().is_none_or(str::is_empty) || request["max_tokens"].as_u64().is_none_or(|n| n == 0) {
        return Err("model and max_tokens: field required");
    }
    let messages = request["messages"].as_array().filter(|all| !all.is_empty()).ok_or("messages: field required")?;
    if messages[0]["role"] != "user" || messages.last().is_some_and(|last| last["role"] != "user") {
        return Err("messages: the user begins and is answered");
    }
    let mut waiting: Vec<&str> = Vec::new();
    for message in messages {
        let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        if blocks.iter().any(|block| block["type"] == "text" && block["text"].as_str().is_none_or(str::is_empty)) {
            return Err("messages: text content blocks must be non-empty");
        }
        for id in std::mem::take(&mut waiting) {
            let found = blocks.iter().take_while(|block| block["type"] == "tool_result");
            if !found.into_iter().any(|block| block["tool_use_id"] == id) {
                return Err("`tool_use` ids were found without `tool_result` blocks immediately after");
            }
        }
        waiting = blocks.iter().filter(|block| block["type"] == "tool_use").filter_map(|b| b["id"].as_str()).collect();
        let is_id = |id: &&str| id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !waiting.iter().all(is_id) {
            return Err("tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
        }
    }
    Ok(())
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

fn reply_to(behaviour: &Behaviour, request: &Value) -> Reply {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let blocks = || messages.iter().rev().filter_map(|message| message["content"].as_array()).flatten();
    let last = messages.last().map(|message| &message["content"]);
    let last_block = last.and_then(Value::as_array).and_then(|blocks| blocks.last());
    let result = last_block.filter(|block| block["type"] == "tool_result");
    let call = result.and_then(|result| blocks().find(|block| block["id"] == result["tool_use_id"]));
    let user = last.map(text_of).unwrap_or_default();
    let last_text = result.map_or_else(|| user.clone(), |result| text_of(&result["content"]));
    let after_tool = call.and_then(|call| call["name"].as_str());
    script::reply_to(&behaviour.rules, &behaviour.otherwise, &Asked { user: &user, after_tool, last: &last_text })
}

impl Context {
    /// Tokens by where they were read from. A prefix is what comes before a mark: tools, then instructions.
    fn usage(&self, request: &Value) -> Value {
        let all = tokens(&request["tools"].to_string())
            + tokens(&request["system"].to_string())
            + tokens(&request["messages"].to_string());
        let marked = |of: &Value| of.to_string().contains("cache_control");
        let prefix = match (marked(&request["system"]), marked(&request["tools"])) {
            (true, _) => format!("{}{}", request["tools"], request["system"]),
            (false, true) => request["tools"].to_string(),
            (false, false) => String::new(),
        };
        let in_prefix = tokens(&prefix);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (written, read) = match in_prefix {
            0 => (0, 0),
            short if short < self.behaviour.cached_tokens_min => (0, 0),
            enough if cache.insert(prefix) => (enough, 0),
            enough => (0, enough),
        };
        json!({"input_tokens": all - written - read, "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read, "output_tokens": 1, "service_tier": "standard"})
    }
}

fn stop_reason(reply: &Reply) -> &'static str {
    if reply.tool_calls.is_empty() { "end_turn" } else { "tool_use" }
}

fn message(request: &Value, usage: &Value) -> Value {
    json!({"id": "msg_twin", "type": "message", "role": "assistant", "content": [], "model": request["model"],
        "stop_reason": null, "stop_sequence": null, "usage": usage})
}

fn whole(request: &Value, reply: &Reply, usage: &Value) -> Value {
    let mut whole = message(request, usage);
    let mut content = Vec::new();
    if !reply.text.is_empty() {
        content.push(json!({"type": "text", "text": reply.text}));
    }
    for (n, (name, args)) in reply.tool_calls.iter().enumerate() {
        content.push(json!({"type": "tool_use", "id": format!("toolu_{n}"), "name": name, "input": args}));
    }
    whole["content"] = json!(content);
    whole["stop_reason"] = json!(stop_reason(reply));
    whole["usage"]["output_tokens"] = json!(reply_tokens(reply));
    whole
}

/// An event with its name, which is its type.
fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

fn events(request: &Value, reply: &Reply, usage: &Value) -> Vec<String> {
    let mut out = vec![event(&json!({"type": "message_start", "message": message(request, usage)}))];
    let mut index = 0;
    let mut block = |start: Value, deltas: Vec<Value>, out: &mut Vec<String>| {
        out.push(event(&json!({"type": "content_block_start", "index": index, "content_block": start})));
        let deltas = deltas.into_iter();
        out.extend(deltas.map(|delta| event(&json!({"type": "content_block_delta", "index": index, "delta": delta}))));
        out.push(event(&json!({"type": "content_block_stop", "index": index})));
        index += 1;
    };
    if !reply.text.is_empty() {
        let words = reply.text.split_inclusive(' ').map(|word| json!({"type": "text_delta", "text": word}));
        block(json!({"type": "text", "text": ""}), words.collect(), &mut out);
    }
    for (n, (name, args)) in reply.tool_calls.iter().enumerate() {
        let args = args.to_string();
        let pieces = ["", halves(&args)[0], halves(&args)[1]];
        let pieces = pieces.map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
        let start = json!({"type": "tool_use", "id": format!("toolu_{n}"), "name": name, "input": {}});
        block(start, pieces.to_vec(), &mut out);
    }
    let delta = json!({"stop_reason": stop_reason(reply), "stop_sequence": null});
    let usage = json!({"output_tokens": reply_tokens(reply)});
    out.push(event(&json!({"type": "message_delta", "delta": delta, "usage": usage})));
    out.push(event(&json!({"type": "message_stop"})));
    out
}
