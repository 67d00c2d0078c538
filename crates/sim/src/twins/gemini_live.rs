//! A twin of Google's Gemini Live API with its detection of activity off.
//!
//! It does not understand audio: what the caller said is the next line of the script at the end of every activity that holds a
//! voice; then it answers by itself, found by the same rules as for a model that reads and spoken as a tone, 60 ms a
//! character. Nothing may be sent before the setup is complete, nor audio outside an activity. Who asks for it gets a handle
//! after every turn, with which another connection goes on where this one was.

use super::fault::{Fault, Moment};
use super::script::{self, Asked, Reply, Rule};
use super::server::{Course, Outbox, Shared, Twin, close, refuse, strike_socket};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Audio of one character of a reply.
const CHAR_MS: usize = 60;
const OUTPUT_HZ: usize = 24_000;
/// From saying so to the end of the connection.
const LEAVES_AFTER: Duration = Duration::from_millis(200);
const SERVICE: &str = "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

/// How the twin behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The key that is accepted.
    pub key: String,
    /// What the caller says, activity by activity.
    pub script: Vec<String>,
    /// The first rule that fits answers.
    pub rules: Vec<Rule>,
    /// The answer when no rule fits.
    pub otherwise: Reply,
    /// To the first word of an answer, in milliseconds.
    pub first_word_ms: u64,
    /// Between words, in milliseconds.
    pub word_gap_ms: u64,
    /// After so many turns it says that it will end the connection, and does so soon.
    pub leaves_after: Option<usize>,
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
            leaves_after: None,
        }
    }
}

/// Starts it on a free loopback port; its address is for `GEMINI_BASE_URL`.
///
/// It records `setup {…}`, `activity {words}`, `told {role} {text}`, `result {name} {text}`, `interrupted`, `closed`.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let behaviour = Arc::new(behaviour);
    let router = |shared| {
        let context = Context { shared, behaviour, kept: Arc::default() };
        Router::new()
            .route(&format!("/ws/{SERVICE}"), get(upgrade))
            // The official package for JavaScript writes two slashes.
            .route(&format!("//ws/{SERVICE}"), get(upgrade))
            .with_state(context)
    };
    Twin::serve(key, "", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    behaviour: Arc<Behaviour>,
    /// What the caller has yet to say in the conversations that can be gone on with, by handle.
    kept: Arc<Mutex<HashMap<String, VecDeque<String>>>>,
}

async fn upgrade(State(context): State<Context>, uri: Uri, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(Fault::Status { status, retry_after_s }) = fault {
        let error = json!({"code": status, "message": "As the test wishes.", "status": "UNAVAILABLE"});
        return refuse(status, retry_after_s, json!({"error": error}));
    }
    let key = context.behaviour.key.clone();
    let in_header = headers.get("x-goog-api-key").and_then(|value| value.to_str().ok()) == Some(key.as_str());
    let in_query = uri.query().is_some_and(|query| query.split('&').any(|one| one == format!("key={key}")));
    upgrade.on_upgrade(move |mut socket| async move {
        if !in_header && !in_query {
            return close(&mut socket, 1007, "API key not valid. Please pass a valid API key.").await;
        }
        let shared = context.shared.clone();
        tokio::select! {
            () = Session::new(context).run(socket, fault) => {}
            () = shared.stopped() => {}
        }
    })
}

/// One conversation.
struct Session {
    context: Context,
    lines: VecDeque<String>,
    is_resumable: bool,
    turns: usize,
    is_set_up: bool,
    in_activity: bool,
    is_loud: bool,
    said: String,
    waits_for: Option<String>,
    serial: usize,
    answering: bool,
    outbox: Outbox,
}

impl Session {
    fn new(context: Context) -> Self {
        let lines = context.behaviour.script.iter().cloned().collect();
        Self {
            context,
            lines,
            is_resumable: false,
            turns: 0,
            is_set_up: false,
            in_activity: false,
            is_loud: false,
            said: String::new(),
            waits_for: None,
            serial: 0,
            answering: false,
            outbox: Outbox::default(),
        }
    }

    async fn run(mut self, mut socket: WebSocket, fault: Option<Fault>) {
        let shared = self.context.shared.clone();
        match strike_socket(&mut socket, &shared, fault, |_| None).await {
            Course::Go(delay) => self.outbox.delay_all_by(delay),
            Course::Mute => self.outbox.mute(),
            Course::Over => return,
        }
        loop {
            tokio::select! {
                message = self.outbox.next() => {
                    if matches!(&message, Message::Binary(bytes) if bytes.windows(12).any(|w| w == b"\"inlineData\"")) {
                        let fault = shared.faults.strike(Moment::MidTurn);
                        match strike_socket(&mut socket, &shared, fault, |_| None).await {
                            Course::Go(delay) => self.outbox.delay_all_by(delay),
                            Course::Mute => self.outbox.mute(),
                            Course::Over => return,
                        }
                    }
                    if matches!(&message, Message::Binary(bytes) if bytes.windows(14).any(|w| w == b"\"turnComplete\"")) {
                        self.answering = false;
                    }
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                message = socket.recv() => {
                    let text = match message {
                        Some(Ok(Message::Text(text))) => text.to_string(),
                        Some(Ok(Message::Binary(bytes))) => String::from_utf8_lossy(&bytes).into_owned(),
                        Some(Ok(Message::Close(_))) | Some(Err(_)) | None => {
                            self.context.shared.record.add("closed");
                            return;
                        }
                        Some(Ok(_)) => continue,
                    };
                    if let Err(why) = self.on_text(&text) {
                        return close(&mut socket, 1007, why).await;
                    }
                }
            }
        }
    }

    /// The service sends its JSON as bytes.
    fn later(&mut self, gap_ms: u64, event: &Value) {
        self.outbox.push_after_last(Duration::from_millis(gap_ms), Message::Binary(event.to_string().into()));
    }

    fn on_text(&mut self, text: &str) -> Result<(), &'static str> {
        let event = serde_json::from_str::<Value>(text).unwrap_or_default();
        if !self.is_set_up {
            let setup = event.get("setup").ok_or("setup must be the first message and only the first")?;
            self.is_set_up = true;
            self.context.shared.record.add(format!("setup {setup}"));
            self.is_resumable = setup.get("sessionResumption").is_some();
            if let Some(handle) = setup.pointer("/sessionResumption/handle").and_then(Value::as_str) {
                let kept = self.context.kept.lock().unwrap_or_else(PoisonError::into_inner).get(handle).cloned();
                self.lines = kept.ok_or("the handle is not valid")?;
            }
            self.later(0, &json!({"setupComplete": {"sessionId": "twin"}}));
            return Ok(());
        }
        if let Some(input) = event.get("realtimeInput") {
            return self.on_input(input);
        }
        if let Some(content) = event.get("clientContent") {
            for turn in content["turns"].as_array().into_iter().flatten() {
                let text = turn["parts"][0]["text"].as_str().unwrap_or_default();
                let role = turn["role"].as_str().unwrap_or_default();
                self.context.shared.record.add(format!("told {role} {text}"));
                self.said = text.to_owned();
            }
            if content["turnComplete"] == true {
                self.interrupt();
                let said = self.said.clone();
                self.answer(&said, None);
            }
        }
        for response in event.pointer("/toolResponse/functionResponses").and_then(Value::as_array).into_iter().flatten()
        {
            let (name, result) = (response["name"].as_str(), response["response"]["result"].as_str());
            if response["id"].as_str().map(str::to_owned) != self.waits_for.take() {
                return Err("a response to a call that was not made");
            }
            let (name, result) = (name.unwrap_or_default(), result.unwrap_or_default());
            self.context.shared.record.add(format!("result {name} {result}"));
            self.answer(result, Some(name));
        }
        Ok(())
    }

    fn on_input(&mut self, input: &Value) -> Result<(), &'static str> {
        if input.get("activityStart").is_some() {
            self.interrupt();
            self.in_activity = true;
        }
        if let Some(audio) = input.get("audio") {
            if !self.in_activity {
                return Err("audio outside an activity");
            }
            let bytes = BASE64.decode(audio["data"].as_str().unwrap_or_default()).unwrap_or_default();
            let (pairs, _) = bytes.as_chunks::<2>();
            self.is_loud |= pairs.iter().filter(|pair| i16::from_le_bytes(**pair).unsigned_abs() > 900).count() > 20;
        }
        if input.get("activityEnd").is_some() && std::mem::take(&mut self.in_activity) {
            let loud = std::mem::take(&mut self.is_loud);
            let said = if loud { self.lines.pop_front().unwrap_or_default() } else { String::new() };
            self.context.shared.record.add(format!("activity {said}"));
            for word in said.split_inclusive(' ') {
                self.later(0, &json!({"serverContent": {"inputTranscription": {"text": word}}}));
            }
            self.said = said.clone();
            self.answer(&said, None);
        }
        Ok(())
    }

    fn interrupt(&mut self) {
        if std::mem::take(&mut self.answering) {
            self.context.shared.record.add("interrupted");
            let of_the_answer = [&b"modelTurn"[..], b"outputTra", b"\"generati", b"\"turnComp"];
            self.outbox.retain(|message| {
                !matches!(message, Message::Binary(bytes) if bytes.windows(9).any(|w| of_the_answer.contains(&w)))
            });
            self.later(0, &json!({"serverContent": {"interrupted": true}}));
            self.later(0, &json!({"serverContent": {"turnComplete": true}}));
        }
    }

    fn answer(&mut self, last: &str, after_tool: Option<&str>) {
        let behaviour = self.context.behaviour.clone();
        let asked = Asked { user: &self.said, after_tool, last };
        let reply = script::reply_to(&behaviour.rules, &behaviour.otherwise, &asked);
        self.answering = true;
        let mut gap_ms = behaviour.first_word_ms;
        for word in reply.text.split_inclusive(' ') {
            let samples = word.chars().count() * CHAR_MS * OUTPUT_HZ / 1_000;
            let audio: Vec<u8> =
                (0..samples).flat_map(|n| (if n % 120 < 60 { 6_000_i16 } else { -6_000 }).to_le_bytes()).collect();
            self.later(gap_ms, &json!({"serverContent": {"outputTranscription": {"text": word}}}));
            let data = json!({"mimeType": "audio/pcm;rate=24000", "data": BASE64.encode(audio)});
            self.later(0, &json!({"serverContent": {"modelTurn": {"parts": [{"inlineData": data}]}}}));
            gap_ms = behaviour.word_gap_ms;
        }
        if let Some((name, args)) = reply.tool_calls.first() {
            self.serial += 1;
            let id = format!("call-{}", self.serial);
            self.waits_for = Some(id.clone());
            self.answering = false;
            let call = json!({"toolCall": {"functionCalls": [{"id": id, "name": name, "args": args}]}});
            return self.later(gap_ms, &call);
        }
        self.later(0, &json!({"serverContent": {"generationComplete": true}}));
        let spoken = reply.text.len();
        self.later(
            0,
            &json!({"serverContent": {"turnComplete": true}, "usageMetadata": {
            "promptTokenCount": 150, "responseTokenCount": spoken, "totalTokenCount": 150 + spoken,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 100}, {"modality": "TEXT", "tokenCount": 50}],
            "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": spoken}]}}),
        );
        self.after_turn();
    }

    /// Gives a handle, and leaves when its time is over.
    fn after_turn(&mut self) {
        self.turns += 1;
        if self.is_resumable {
            let mut kept = self.context.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let handle = format!("handle-{}", kept.len() + 1);
            kept.insert(handle.clone(), self.lines.clone());
            drop(kept);
            self.later(0, &json!({"sessionResumptionUpdate": {"newHandle": handle, "resumable": true}}));
        }
        if self.context.behaviour.leaves_after == Some(self.turns) {
            self.later(0, &json!({"goAway": {"timeLeft": "0.200s"}}));
            let reason = "Deadline expired before operation could complete.".into();
            let frame = CloseFrame { code: 1011, reason };
            self.outbox.push_after_last(LEAVES_AFTER, Message::Close(Some(frame)));
        }
    }
}
