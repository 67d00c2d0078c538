//! `multi-stream-input`: several utterances share a socket, each under a `context_id` of the client's.

use super::{Context, Format, HELD_CHARS, bad_format, close, format, spoken_messages};
use crate::twins::fault::{Fault, Moment};
use crate::twins::server::{Course, Outbox, strike_socket};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The vendor's own bound on contexts of one socket.
const CONTEXTS_MAX: usize = 5;

pub(super) async fn multi_stream_input(
    State(context): State<Context>,
    Path(voice): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    context.shared.record.add(format!("open {uri}"));
    let fault: Option<Fault> = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = context.refusal(fault.as_ref(), &voice, &headers) {
        return refusal;
    }
    let Some(format) = format(&query) else { return bad_format() };
    let auto_mode = query.iter().any(|(key, value)| key == "auto_mode" && value == "true");
    upgrade.on_upgrade(async move |mut socket| {
        let shared = context.shared.clone();
        let session = Session { context, format, auto_mode, contexts: BTreeMap::new(), spoke: false };
        let course = strike_socket(&mut socket, &shared, fault, |_| None).await;
        tokio::select! {
            () = session.run(socket, course) => {}
            () = shared.stopped() => {}
        }
        shared.record.add("closed");
    })
}

/// One utterance.
#[derive(Default)]
struct Utterance {
    held: String,
    outbox: Outbox,
    closing: bool,
}

struct Session {
    context: Context,
    format: Format,
    auto_mode: bool,
    contexts: BTreeMap<String, Utterance>,
    /// Whether anything was sent.
    spoke: bool,
}

impl Session {
    async fn run(mut self, mut socket: WebSocket, course: Course) {
        let (delay, mut mute) = match course {
            Course::Go(delay) => (delay, false),
            Course::Mute => (Duration::ZERO, true),
            Course::Over => return,
        };
        loop {
            let received = tokio::select! {
                (id, message) = next(&mut self.contexts) => {
                    if !mute && socket.send(message).await.is_err() {
                        return;
                    }
                    if !std::mem::replace(&mut self.spoke, true) {
                        match self.strike(&mut socket).await {
                            Course::Go(later) => {
                                self.contexts.values_mut().for_each(|one| one.outbox.delay_all_by(delay + later));
                            }
                            Course::Mute => mute = true,
                            Course::Over => return,
                        }
                    }
                    self.contexts.retain(|known, one| *known != id || !one.closing || !one.outbox.is_empty());
                    continue;
                }
                received = socket.recv() => received,
            };
            match received {
                Some(Ok(Message::Text(text))) => {
                    self.context.shared.record.add(format!("text {text}"));
                    match self.on_text(&text, delay) {
                        Ok(true) => {}
                        Ok(false) => return close(&mut socket, 1000, "").await,
                        Err(error) => {
                            let _ = socket.send(Message::Text(error.to_string().into())).await;
                            return close(&mut socket, 1008, "").await;
                        }
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            }
        }
    }

    /// A fault when the first audio is out.
    async fn strike(&mut self, socket: &mut WebSocket) -> Course {
        let fault = self.context.shared.faults.strike(Moment::MidTurn);
        let error = |status| {
            let word = if status == 429 { "system_busy" } else { "internal_error" };
            Some(json!({"message": "As the test wishes.", "error": word, "code": 1011}).to_string())
        };
        strike_socket(socket, &self.context.shared, fault, error).await
    }

    /// Returns whether the socket goes on.
    fn on_text(&mut self, message: &str, delay: Duration) -> Result<bool, Value> {
        let refuse = |why: &str| json!({"message": why, "error": "invalid_message", "code": 1008});
        let message: Value = serde_json::from_str(message).map_err(|_| refuse("That is not JSON."))?;
        if message["close_socket"] == true {
            return Ok(false);
        }
        let Some(id) = message["context_id"].as_str() else {
            // A keep-alive of the whole socket.
            return if message["text"].is_string() { Ok(true) } else { Err(refuse("There is no context.")) };
        };
        if !self.contexts.contains_key(id) && self.contexts.len() >= CONTEXTS_MAX {
            return Err(refuse("Too many contexts."));
        }
        let ends = message["close_context"] == true;
        if ends && !self.contexts.contains_key(id) {
            return Ok(true);
        }
        let utterance = self.contexts.entry(id.to_owned()).or_insert_with(|| {
            let mut fresh = Utterance::default();
            fresh.outbox.delay_all_by(delay);
            fresh
        });
        let text = message["text"].as_str().unwrap_or_default();
        if text.trim().is_empty() && message["flush"] != true && !ends {
            return Ok(true);
        }
        utterance.held.push_str(text);
        let asked = message["flush"] == true || ends || self.auto_mode || utterance.held.chars().count() >= HELD_CHARS;
        let spoken = if asked { std::mem::take(&mut utterance.held) } else { String::new() };
        let text = spoken.trim_start();
        if !text.trim().is_empty() {
            let mut gap = Duration::from_millis(self.context.behaviour.first_audio_ms);
            for mut message in spoken_messages(&self.context.behaviour, self.format, text) {
                message["contextId"] = id.into();
                utterance.outbox.push_after_last(gap, Message::Text(message.to_string().into()));
                gap = Duration::from_millis(self.context.behaviour.gap_ms);
            }
        }
        if ends {
            utterance.closing = true;
            let last = json!({"isFinal": true, "contextId": id});
            utterance.outbox.push_after_last(Duration::ZERO, Message::Text(last.to_string().into()));
        }
        Ok(true)
    }
}

/// The next message of any utterance, when its time has come.
async fn next(contexts: &mut BTreeMap<String, Utterance>) -> (String, Message) {
    let first = contexts.iter_mut().filter_map(|(id, one)| one.outbox.due().map(|at| (at, id.clone(), one)));
    let Some((_, id, utterance)) = first.min_by_key(|(at, ..)| *at) else { return std::future::pending().await };
    (id, utterance.outbox.next().await)
}
