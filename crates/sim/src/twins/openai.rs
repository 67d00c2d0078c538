//! A twin of OpenAI's chat completions (`POST /v1/chat/completions`), streamed and whole, with scripted replies.
//!
//! It refuses what the real service refuses: a wrong key, an empty conversation, tool calls that are not followed by their
//! results.

use super::fault::{Fault, Faults, Moment};
use super::server::{Record, Server, Shared, refuse};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// What is answered, and when.
#[derive(Clone, Debug)]
pub struct Rule {
    when: When,
    reply: Reply,
}

#[derive(Clone, Debug)]
enum When {
    User(String),
    Tool(String),
}

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The words. `{result}` stands for what the last tool answered.
    pub text: String,
    /// Tools asked for: name and arguments.
    pub tool_calls: Vec<(String, Value)>,
}

impl Rule {
    /// When the last message is the user's and holds these words, in any case.
    pub fn on_user(words: &str, reply: Reply) -> Self {
        Self { when: When::User(words.to_lowercase()), reply }
    }

    /// When the last message is the result of this tool.
    pub fn on_tool(name: &str, reply: Reply) -> Self {
        Self { when: When::Tool(name.to_owned()), reply }
    }
}

impl Reply {
    /// Says this.
    pub fn says(text: impl Into<String>) -> Self {
        Self { text: text.into(), tool_calls: Vec::new() }
    }

    /// Asks for a tool.
    pub fn calls(name: &str, args: Value) -> Self {
        Self { text: String::new(), tool_calls: vec![(name.to_owned(), args)] }
    }

    /// Asks for one more tool.
    #[must_use]
    pub fn and_calls(mut self, name: &str, args: Value) -> Self {
        self.tool_calls.push((name.to_owned(), args));
        self
    }
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
        }
    }
}

/// The running twin. Dropping it ends every connection.
#[derive(Debug)]
pub struct Twin {
    /// For `OPENAI_BASE_URL`; ends in `/v1`.
    pub base_url: String,
    /// The key it accepts.
    pub key: String,
    /// What is wrong with it.
    pub faults: Faults,
    /// What it received: `request {body}`, then `answered` or `called off`.
    pub record: Record,
    _server: Server,
}

impl Twin {
    /// Starts it on a free loopback port.
    pub async fn start(behaviour: Behaviour) -> io::Result<Self> {
        let key = behaviour.key.clone();
        let behaviour = Arc::new(behaviour);
        let router = |shared| {
            Router::new()
                .route("/v1/chat/completions", post(complete))
                .route("/v1/models", get(models))
                .with_state(Context { shared, behaviour })
        };
        let server = Server::start(&key, router).await?;
        Ok(Self {
            base_url: format!("http://{}/v1", server.address),
            key,
            faults: server.faults.clone(),
            record: server.record.clone(),
            _server: server,
        })
    }
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

fn is_allowed(headers: &HeaderMap, key: &str) -> bool {
    let sent = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bare = headers.get("api-key").and_then(|value| value.to_str().ok());
    sent == format!("Bearer {key}") || bare == Some(key)
}

async fn models(State(context): State<Context>, headers: HeaderMap) -> Response {
    if !is_allowed(&headers, &context.behaviour.key) {
        return error(401, None, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.");
    }
    let model = json!({"id": "twin", "object": "model", "created": 0, "owned_by": "twin"});
    axum::Json(json!({"object": "list", "data": [model]})).into_response()
}

async fn complete(State(context): State<Context>, headers: HeaderMap, body: Bytes) -> Response {
    context.shared.record.add(format!("request {}", String::from_utf8_lossy(&body)));
    let fault = context.shared.faults.strike(Moment::Start);
    match &fault {
        Some(Fault::Status { status, retry_after_s }) => {
            let (kind, code) = match status {
                401 => ("invalid_request_error", "invalid_api_key"),
                429 => ("rate_limit_error", "rate_limit_exceeded"),
                _ => ("server_error", "server_error"),
            };
            return error(*status, *retry_after_s, kind, code, "As the test wishes.");
        }
        Some(Fault::Silent | Fault::HalfOpen | Fault::BlackHole) => {
            context.shared.stopped().await;
            return error(503, None, "server_error", "stopped", "The twin is gone.");
        }
        _ => {}
    }
    if !is_allowed(&headers, &context.behaviour.key) {
        return error(401, None, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.");
    }
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    if let Err(why) = check(&request) {
        return error(400, None, "invalid_request_error", "invalid_value", why);
    }
    let answered = context.behaviour.answerer.as_ref().and_then(|answerer| (answerer.0)(&request));
    let reply = answered.unwrap_or_else(|| reply_to(&context.behaviour, &request));
    let usage = usage(&request, &reply);
    if request["stream"] != true {
        tokio::time::sleep(Duration::from_millis(context.behaviour.first_token_ms)).await;
        context.shared.record.add("answered");
        return axum::Json(whole(&request, &reply, &usage)).into_response();
    }
    let chunks = chunks(&request, &reply, &usage);
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(1);
    tokio::spawn(async move {
        let shared = context.shared.clone();
        tokio::select! {
            () = stream(context, chunks, fault, sender) => {}
            () = shared.stopped() => {}
        }
    });
    let body = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    ([("content-type", "text/event-stream"), ("cache-control", "no-cache")], Body::from_stream(body)).into_response()
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
    let fits = |rule: &&Rule| match (&rule.when, after_tool) {
        (When::Tool(name), Some(tool)) => name == tool,
        (When::User(words), None) => user.to_lowercase().contains(words.as_str()),
        _ => false,
    };
    let mut reply = behaviour.rules.iter().find(fits).map_or(&behaviour.otherwise, |rule| &rule.reply).clone();
    reply.text = reply.text.replace("{result}", &last_text);
    reply
}

fn usage(request: &Value, reply: &Reply) -> Value {
    let prompt = request["messages"].to_string().len().div_ceil(4);
    let args: usize = reply.tool_calls.iter().map(|(name, args)| name.len() + args.to_string().len()).sum();
    let completion = (reply.text.len() + args).div_ceil(4);
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
fn chunks(request: &Value, reply: &Reply, usage: &Value) -> Vec<String> {
    let chunk = |choices: Value, extra: Option<&Value>| {
        let mut chunk = json!({"id": "chatcmpl-twin", "object": "chat.completion.chunk", "created": 1,
            "model": request["model"], "service_tier": "default", "choices": choices});
        if let Some(usage) = extra {
            chunk["usage"] = usage.clone();
        }
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]), None);
    let mut out = vec![delta(json!({"role": "assistant", "content": ""}))];
    out.extend(reply.text.split_inclusive(' ').map(|word| delta(json!({"content": word}))));
    for (n, call) in reply.tool_calls.iter().enumerate() {
        let (name, args) = (&call.0, call.1.to_string());
        let head = json!({"name": name, "arguments": ""});
        out.push(delta(
            json!({"tool_calls": [{"index": n, "id": format!("call_{n}"), "type": "function", "function": head}]}),
        ));
        // In two pieces, as the service does: nobody may rely on whole arguments.
        let half = args.char_indices().nth(args.chars().count() / 2).map_or(0, |(at, _)| at);
        for piece in [&args[..half], &args[half..]] {
            out.push(delta(json!({"tool_calls": [{"index": n, "function": {"arguments": piece}}]})));
        }
    }
    out.push(chunk(json!([{"index": 0, "delta": {}, "finish_reason": finish(reply)}]), None));
    if request["stream_options"]["include_usage"] == true {
        out.push(chunk(json!([]), Some(usage)));
    }
    out.push("data: [DONE]\n\n".to_owned());
    out
}

async fn stream(context: Context, chunks: Vec<String>, fault: Option<Fault>, sender: mpsc::Sender<io::Result<Bytes>>) {
    let behaviour = &context.behaviour;
    let mut gap = Duration::from_millis(behaviour.token_gap_ms);
    let mut fault = fault;
    let mut wait = Duration::from_millis(behaviour.first_token_ms);
    for (n, chunk) in chunks.into_iter().enumerate() {
        if n == 3 {
            fault = context.shared.faults.strike(Moment::MidTurn);
        }
        match fault.take() {
            None => {}
            Some(Fault::Slow { delay_ms }) => {
                wait += Duration::from_millis(delay_ms);
                gap += Duration::from_millis(delay_ms);
            }
            Some(Fault::Cut | Fault::Refuse) => {
                let _ = sender.send(Err(io::ErrorKind::ConnectionReset.into())).await;
                return;
            }
            Some(Fault::Garbage) => {
                let _ = sender.send(Ok(Bytes::from_static(b"data: {\"choices\": [}\xff\n\n"))).await;
                return sender.closed().await;
            }
            Some(Fault::HalfOpen | Fault::BlackHole | Fault::Silent) => return sender.closed().await,
            Some(Fault::Status { status, .. }) => {
                let error =
                    json!({"error": {"message": "fault", "type": "server_error", "param": null, "code": status}});
                let _ = sender.send(Ok(format!("data: {error}\n\n").into())).await;
                return;
            }
        }
        tokio::time::sleep(wait).await;
        wait = gap;
        if sender.send(Ok(chunk.into())).await.is_err() {
            return context.shared.record.add("called off");
        }
    }
    context.shared.record.add("answered");
}
