//! A twin of OpenAI's Realtime API as a model that hears and speaks (`/v1/realtime?model=…`), with turn detection off.
//!
//! It does not understand audio: what the caller said is the next line of the script at every commit that holds a voice, and
//! the reply is found by the same rules as for a model that reads. A reply is spoken as a tone, 60 ms a character. It refuses
//! what the real service refuses: a second answer while one is active, a commit of less than 100 ms, a truncation beyond the
//! end.

use super::fault::{Fault, Moment};
use super::script::{self, Asked, Reply, Rule};
use super::server::{Course, Outbox, Shared, Twin, refuse, strike_socket};
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Audio of one character of a reply.
const CHAR_MS: usize = 60;
/// The service refuses to commit less.
const COMMIT_MS_MIN: usize = 100;

/// How the twin behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The key that is accepted.
    pub key: String,
    /// What the caller says, commit by commit.
    pub script: Vec<String>,
    /// The first rule that fits answers.
    pub rules: Vec<Rule>,
    /// The answer when no rule fits.
    pub otherwise: Reply,
    /// To the first word of an answer, in milliseconds.
    pub first_word_ms: u64,
    /// Between words, in milliseconds.
    pub word_gap_ms: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            key: "twin-key".to_owned(),
            script: Vec::new(),
            rules: Vec::new(),
            otherwise: Reply::says("I can help with that."),
            first_word_ms: 20,
            word_gap_ms: 2,
        }
    }
}

/// Starts it on a free loopback port; its address is for `OPENAI_BASE_URL`; ends in `/v1`.
///
/// It records the type of each event with what matters of it, and `closed`.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let behaviour = Arc::new(behaviour);
    let router = |shared| Router::new().route("/v1/realtime", get(upgrade)).with_state(Context { shared, behaviour });
    Twin::serve(key, "/v1", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    behaviour: Arc<Behaviour>,
}

async fn upgrade(
    State(context): State<Context>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(Fault::Status { status, retry_after_s }) = fault {
        let error = json!({"message": "As the test wishes.", "type": "server_error", "param": null, "code": null});
        return refuse(status, retry_after_s, json!({"error": error}));
    }
    let sent = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if sent != format!("Bearer {}", context.behaviour.key) {
        let error = json!({"message": "Incorrect API key provided.", "type": "invalid_request_error", "param": null,
            "code": "invalid_api_key"});
        return refuse(401, None, json!({"error": error}));
    }
    let model = query.get("model").cloned().unwrap_or_default();
    upgrade.on_upgrade(move |socket| async move {
        let shared = context.shared.clone();
        tokio::select! {
            () = Session::new(context, model).run(socket, fault) => {}
            () = shared.stopped() => {}
        }
    })
}

/// One conversation.
struct Session {
    context: Context,
    model: String,
    lines: VecDeque<String>,
    /// Bytes of µ-law that were appended and not committed, and whether any of them is loud.
    buffered: usize,
    is_loud: bool,
    /// What was said: (item id, role, text, milliseconds of audio).
    items: Vec<(String, &'static str, String, usize)>,
    /// Names of the tools that were asked for, by their call's id.
    calls: HashMap<String, String>,
    active: Option<String>,
    serial: usize,
    outbox: Outbox,
}

impl Session {
    fn new(context: Context, model: String) -> Self {
        let lines = context.behaviour.script.iter().cloned().collect();
        Self {
            context,
            model,
            lines,
            buffered: 0,
            is_loud: false,
            items: Vec::new(),
            calls: HashMap::new(),
            active: None,
            serial: 0,
            outbox: Outbox::default(),
        }
    }

    async fn run(mut self, mut socket: WebSocket, fault: Option<Fault>) {
        let error = |status: u16| {
            let error = json!({"type": "server_error", "code": "server_error", "message": format!("fault {status}")});
            Some(json!({"type": "error", "event_id": "e", "error": error}).to_string())
        };
        let shared = self.context.shared.clone();
        match strike_socket(&mut socket, &shared, fault, error).await {
            Course::Go(delay) => self.outbox.delay_all_by(delay),
            Course::Mute => self.outbox.mute(),
            Course::Over => return,
        }
        self.tell(json!({"type": "session.created", "session": {"type": "realtime", "model": self.model}}));
        loop {
            tokio::select! {
                message = self.outbox.next() => {
                    if is_audio(&message) {
                        let fault = shared.faults.strike(Moment::MidTurn);
                        match strike_socket(&mut socket, &shared, fault, error).await {
                            Course::Go(delay) => self.outbox.delay_all_by(delay),
                            Course::Mute => self.outbox.mute(),
                            Course::Over => return,
                        }
                    }
                    self.note_done(&message);
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.on_text(&text),
                    Some(Ok(Message::Close(_))) | Some(Err(_)) | None => {
                        self.context.shared.record.add("closed");
                        return;
                    }
                    Some(Ok(_)) => {}
                },
            }
        }
    }

    fn tell(&mut self, mut event: Value) {
        event["event_id"] = json!("event");
        self.outbox.push(Duration::ZERO, Message::Text(event.to_string().into()));
    }

    fn later(&mut self, gap_ms: u64, mut event: Value) {
        event["event_id"] = json!("event");
        self.outbox.push_after_last(Duration::from_millis(gap_ms), Message::Text(event.to_string().into()));
    }

    fn complain(&mut self, code: &str) {
        let error =
            json!({"type": "invalid_request_error", "code": code, "message": code, "param": null, "event_id": null});
        self.tell(json!({"type": "error", "error": error}));
    }

    fn id(&mut self, kind: &str) -> String {
        self.serial += 1;
        format!("{kind}_{}", self.serial)
    }

    fn on_text(&mut self, text: &str) {
        let event = serde_json::from_str::<Value>(text).unwrap_or_default();
        let record = self.context.shared.record.clone();
        match event["type"].as_str().unwrap_or_default() {
            "session.update" => {
                record.add(format!("session {}", event["session"]));
                self.tell(json!({"type": "session.updated", "session": event["session"]}));
            }
            "input_audio_buffer.append" => {
                let bytes = BASE64.decode(event["audio"].as_str().unwrap_or_default()).unwrap_or_default();
                // The upper bits of a loud sample are not those of silence.
                self.is_loud |= bytes.iter().filter(|byte| (**byte & 0x70) < 0x50).count() > 20;
                self.buffered += bytes.len();
            }
            "input_audio_buffer.commit" => self.on_commit(),
            "conversation.item.create" => self.on_item(&event["item"]),
            "conversation.item.truncate" => self.on_truncate(&event),
            "conversation.item.delete" => {
                record.add(format!("delete {}", event["item_id"].as_str().unwrap_or_default()));
                self.items.retain(|item| event["item_id"] != item.0.as_str());
                self.tell(json!({"type": "conversation.item.deleted", "item_id": event["item_id"]}));
            }
            "response.create" => self.on_create(),
            "response.cancel" => self.on_cancel(),
            other => self.complain(if other.is_empty() { "invalid_json" } else { "unknown_event" }),
        }
    }

    fn on_commit(&mut self) {
        if self.buffered < COMMIT_MS_MIN * 8 {
            return self.complain("input_audio_buffer_commit_empty");
        }
        self.buffered = 0;
        let said =
            if std::mem::take(&mut self.is_loud) { self.lines.pop_front().unwrap_or_default() } else { String::new() };
        self.context.shared.record.add(format!("commit {said}"));
        let id = self.id("item");
        self.items.push((id.clone(), "user", said.clone(), 0));
        self.tell(json!({"type": "input_audio_buffer.committed", "item_id": id, "previous_item_id": null}));
        for word in said.split_inclusive(' ') {
            let kind = "conversation.item.input_audio_transcription.delta";
            self.tell(json!({"type": kind, "item_id": id, "content_index": 0, "delta": word}));
        }
        let usage = json!({"type": "duration", "seconds": 1});
        self.tell(json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": id,
            "content_index": 0, "transcript": said, "usage": usage}));
    }

    fn on_item(&mut self, item: &Value) {
        let id = self.id("item");
        if item["type"] == "function_call_output" {
            let name = self.calls.get(item["call_id"].as_str().unwrap_or_default()).cloned();
            let Some(name) = name else { return self.complain("item_call_id_not_found") };
            let output = item["output"].as_str().unwrap_or_default();
            self.context.shared.record.add(format!("result {name} {output}"));
            self.items.push((name, "tool", output.to_owned(), 0));
        } else {
            let role = if item["role"] == "assistant" { "assistant" } else { "user" };
            let text = item["content"][0]["text"].as_str().unwrap_or_default().to_owned();
            self.context.shared.record.add(format!("told {role} {text}"));
            self.items.push((id, role, text, 0));
        }
        self.tell(json!({"type": "conversation.item.added", "item": item}));
    }

    fn on_truncate(&mut self, event: &Value) {
        let end_ms = event["audio_end_ms"].as_u64().unwrap_or(u64::MAX) as usize;
        let item = self.items.iter_mut().find(|item| event["item_id"] == item.0.as_str());
        match item.filter(|item| end_ms <= item.3) {
            Some(item) => {
                item.2 = item.2.chars().take(end_ms / CHAR_MS).collect();
                self.context.shared.record.add(format!("truncate {end_ms} {}", item.2));
                self.tell(json!({"type": "conversation.item.truncated", "item_id": event["item_id"],
                    "content_index": 0, "audio_end_ms": end_ms}));
            }
            None => self.complain("invalid_value"),
        }
    }

    fn on_create(&mut self) {
        if self.active.is_some() {
            return self.complain("conversation_already_has_active_response");
        }
        let last = self.items.last().cloned().unwrap_or_default();
        let user = self.items.iter().rev().find(|item| item.1 == "user").map(|item| item.2.clone()).unwrap_or_default();
        let after_tool = (last.1 == "tool").then_some(last.0.as_str());
        let behaviour = self.context.behaviour.clone();
        let asked = Asked { user: &user, after_tool, last: &last.2 };
        let reply = script::reply_to(&behaviour.rules, &behaviour.otherwise, &asked);
        self.context.shared.record.add(format!("asked after {}", last.2));
        let response = self.id("resp");
        self.active = Some(response.clone());
        self.tell(json!({"type": "response.created", "response": {"id": response, "object": "realtime.response",
            "status": "in_progress", "output": []}}));
        self.speak(&response, &reply, &behaviour);
        for (name, args) in &reply.tool_calls {
            let call = self.id("call");
            self.calls.insert(call.clone(), name.clone());
            self.later(
                behaviour.word_gap_ms,
                json!({"type": "response.function_call_arguments.done",
                "response_id": response, "item_id": "f", "output_index": 0, "call_id": call, "name": name,
                "arguments": args.to_string()}),
            );
        }
        self.later(0, done(&response, "completed", Value::Null, reply.text.len()));
    }

    fn speak(&mut self, response: &str, reply: &Reply, behaviour: &Behaviour) {
        if reply.text.is_empty() {
            return;
        }
        let item = self.id("item");
        self.items.push((item.clone(), "assistant", String::new(), 0));
        let part = json!({"id": item, "type": "message", "role": "assistant", "content": []});
        let first =
            json!({"type": "response.output_item.added", "response_id": response, "output_index": 0, "item": part});
        self.later(behaviour.first_word_ms, first);
        for word in reply.text.split_inclusive(' ') {
            let of = |kind: &str, delta: String| {
                json!({"type": kind, "response_id": response, "item_id": item, "output_index": 0,
                    "content_index": 0, "delta": delta})
            };
            // A square wave of 200 Hz at 8000 Hz.
            let samples = word.chars().count() * CHAR_MS * 8;
            let audio: Vec<u8> = (0..samples).map(|n| if n % 40 < 20 { 0x9f } else { 0x1f }).collect();
            self.later(behaviour.word_gap_ms, of("response.output_audio_transcript.delta", word.to_owned()));
            self.later(0, of("response.output_audio.delta", BASE64.encode(audio)));
        }
    }

    fn on_cancel(&mut self) {
        let Some(response) = self.active.take() else { return self.complain("response_cancel_not_active") };
        self.context.shared.record.add("cancel");
        self.outbox.retain(|message| !matches!(message, Message::Text(text) if text.contains(&response)));
        let details = json!({"type": "cancelled", "reason": "client_cancelled"});
        self.tell(done(&response, "cancelled", details, 4));
    }

    /// What goes out was made; with its end an answer is over.
    fn note_done(&mut self, message: &Message) {
        let Message::Text(text) = message else { return };
        let event = serde_json::from_str::<Value>(text).unwrap_or_default();
        match event["type"].as_str() {
            Some("response.done") if self.active.as_deref() == event["response"]["id"].as_str() => self.active = None,
            Some("response.output_audio_transcript.delta") => {
                let delta = event["delta"].as_str().unwrap_or_default();
                if let Some(item) = self.items.iter_mut().find(|item| event["item_id"] == item.0.as_str()) {
                    item.2.push_str(delta);
                    item.3 += delta.chars().count() * CHAR_MS;
                }
            }
            _ => {}
        }
    }
}

fn is_audio(message: &Message) -> bool {
    matches!(message, Message::Text(text) if text.contains("\"response.output_audio.delta\""))
}

fn done(response: &str, status: &str, details: Value, chars: usize) -> Value {
    let usage = json!({"total_tokens": 150 + chars, "input_tokens": 150, "output_tokens": chars,
        "input_token_details": {"text_tokens": 50, "audio_tokens": 100, "cached_tokens": 0},
        "output_token_details": {"text_tokens": chars / 4, "audio_tokens": chars - chars / 4}});
    json!({"type": "response.done", "response": {"id": response, "object": "realtime.response", "status": status,
        "status_details": details, "output": [], "usage": usage}})
}
