//! A twin of Cartesia: streaming synthesis (`/tts/websocket`), the list of voices and cloning.

use super::Twin;
use super::fault::{Fault, Moment};
use super::roster::{Roster, form};
use super::server::refuse;
use super::voice::{self, After, Behaviour, Context, Dialect, Format, Mouth, Refusal, Spoken, converse, query};
use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Multipart, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;

/// Starts it on a free loopback port.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    let roster = Roster::default();
    voice::start(behaviour, |context| {
        Router::new()
            .route("/tts/websocket", get(speak))
            .route("/voices", get(list))
            .route("/voices/clone", post(clone))
            .with_state((context, roster))
    })
    .await
}

type Held = State<(Context, Roster)>;

fn error(status: u16, code: &str) -> Value {
    json!({"type": "error", "done": true, "status_code": status, "error_code": code, "title": "As the test wishes",
        "message": "As the test wishes.", "request_id": "twin", "doc_url": "https://docs.example"})
}

/// The refusal before anything is done, if there is one. Keys and versions come in headers or in the query.
fn refusal(
    context: &Context,
    fault: Option<&Fault>,
    pairs: &[(String, String)],
    headers: &HeaderMap,
) -> Option<Response> {
    if let Some(Fault::Status { status, retry_after_s }) = fault {
        let code = if *status == 429 { "concurrency_limited" } else { "as_wished" };
        return Some(refuse(*status, *retry_after_s, error(*status, code)));
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let key = bearer.or(header("x-api-key")).or(query(pairs, "api_key"));
    if key != Some(context.behaviour.key.as_str()) {
        return Some(refuse(401, None, error(401, "unauthorized")));
    }
    if header("cartesia-version").or(query(pairs, "cartesia_version")).is_none() {
        return Some(refuse(400, None, error(400, "version_missing")));
    }
    None
}

async fn list(
    State((context, roster)): Held,
    Query(pairs): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    context.shared.record.add("request voices");
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = refusal(&context, fault.as_ref(), &pairs, &headers) {
        return refusal;
    }
    let limit = query(&pairs, "limit").and_then(|limit| limit.parse().ok()).unwrap_or(10).clamp(1, 100);
    let (page, more) = roster.page(query(&pairs, "starting_after"), limit);
    let data: Vec<Value> = page
        .iter()
        .map(|one| {
            json!({"id": one.id, "name": one.name, "tagline": "", "description": "", "language": one.language,
                "gender": if one.gender == "female" { "feminine" } else { "masculine" }, "locales": [],
                "is_owner": one.cloned, "access": if one.cloned { "private" } else { "public" },
                "visibility": if one.cloned { "owner" } else { "all" },
                "created_at": "2026-01-01T00:00:00Z", "preview_file_url": one.preview_url})
        })
        .collect();
    axum::Json(json!({"data": data, "has_more": more})).into_response()
}

async fn clone(State((context, roster)): Held, headers: HeaderMap, parts: Multipart) -> Response {
    let form = form(parts).await;
    context.shared.record.add(format!("request clone {}", form.summary()));
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = refusal(&context, fault.as_ref(), &[], &headers) {
        return refusal;
    }
    let (Some(name), Some(language), Some(_)) = (form.text("name"), form.text("language"), form.file("clip")) else {
        return refuse(400, None, error(400, "invalid_request"));
    };
    let id = roster.add(name, language);
    axum::Json(json!({"id": id, "user_id": "twin", "access": "private", "visibility": "owner", "name": name,
        "tagline": "", "description": form.text("description").unwrap_or_default(), "language": language,
        "created_at": "2026-01-01T00:00:00Z"}))
    .into_response()
}

async fn speak(
    State((context, _)): Held,
    Query(pairs): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    context.shared.record.add(format!("open {}", uri.path()));
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = refusal(&context, fault.as_ref(), &pairs, &headers) {
        return refusal;
    }
    converse(upgrade, context.shared, context.behaviour, fault, Sonic { contexts: BTreeMap::new() })
}

/// One context.
#[derive(Default)]
struct Spoke {
    held: String,
    samples: usize,
    flushes: u64,
}

struct Sonic {
    contexts: BTreeMap<String, Spoke>,
}

fn format(message: &Value) -> Option<Format> {
    let wanted = &message["output_format"];
    let sample_rate_hz =
        wanted["sample_rate"].as_u64().filter(|rate| [8_000, 16_000, 22_050, 24_000, 44_100, 48_000].contains(rate))?;
    let ulaw = match wanted["encoding"].as_str()? {
        "pcm_s16le" => false,
        "pcm_mulaw" => true,
        _ => return None,
    };
    (wanted["container"] == "raw").then_some(Format { ulaw, sample_rate_hz: sample_rate_hz as u32 })
}

impl Spoke {
    /// Speaks what is held, with the times of its words from the beginning of the context.
    fn speak(&mut self, id: &str, format: Format, tells_times: bool, mouth: &mut Mouth) {
        let held = std::mem::take(&mut self.held);
        if held.trim().is_empty() {
            return;
        }
        let spoken = Spoken::new(&mouth.behaviour, format, held.trim_end());
        self.flushes += 1;
        let mut messages: Vec<Value> = spoken
            .pieces
            .iter()
            .map(|piece| {
                json!({"type": "chunk", "context_id": id, "data": STANDARD.encode(piece), "done": false,
                    "status_code": 206, "step_time": 1.0, "flush_id": self.flushes})
            })
            .collect();
        if tells_times {
            let secs = |sample: usize| (self.samples + sample) as f64 / f64::from(format.sample_rate_hz);
            let (words, times) = (&spoken.words, "word_timestamps");
            messages.insert(
                messages.len().min(1),
                json!({"type": "timestamps", "context_id": id, "done": false, "status_code": 206, times: {
                    "words": words.iter().map(|(word, ..)| word).collect::<Vec<_>>(),
                    "start": words.iter().map(|(_, from, _)| secs(*from)).collect::<Vec<_>>(),
                    "end": words.iter().map(|(.., to)| secs(*to)).collect::<Vec<_>>(),
                }}),
            );
        }
        self.samples += spoken.samples;
        messages.push(json!({"type": "flush_done", "context_id": id, "done": false, "flush_done": true,
            "flush_id": self.flushes, "status_code": 206}));
        mouth.speak(messages.into_iter().map(|message| Message::Text(message.to_string().into())));
    }
}

impl Dialect for Sonic {
    fn on_message(&mut self, message: &Message, mouth: &mut Mouth) -> Result<After, Refusal> {
        let refuse =
            |status, code: &str| Refusal { say: Some(error(status, code).to_string()), code: 1008, reason: "" };
        let Message::Text(text) = message else { return Err(refuse(400, "invalid_request")) };
        let message: Value = serde_json::from_str(text).map_err(|_| refuse(400, "invalid_request"))?;
        let id = message["context_id"].as_str().ok_or_else(|| refuse(400, "invalid_request"))?;
        if message["cancel"] == true {
            self.contexts.remove(id);
            mouth.hush();
            return Ok(After::GoOn);
        }
        let voice = message["voice"].as_str().or(message["voice"]["id"].as_str()).unwrap_or_default();
        if voice.is_empty() || mouth.behaviour.is_unknown(voice) {
            return Err(refuse(404, "voice_not_found"));
        }
        let format = format(&message).ok_or_else(|| refuse(400, "invalid_request"))?;
        let transcript = message["transcript"].as_str().ok_or_else(|| refuse(400, "invalid_request"))?;
        let goes_on = message["continue"] == true;
        let at_once = !goes_on || message["flush"] == true || message["max_buffer_delay_ms"] == 0;
        let context = self.contexts.entry(id.to_owned()).or_default();
        context.held.push_str(transcript);
        if at_once {
            context.speak(id, format, message["add_timestamps"] == true, mouth);
        }
        if !goes_on {
            self.contexts.remove(id);
            let done = json!({"type": "done", "context_id": id, "done": true, "status_code": 200});
            mouth.say(Message::Text(done.to_string().into()));
        }
        Ok(After::GoOn)
    }

    fn error(&self, status: u16) -> Option<String> {
        Some(error(status, if status == 429 { "concurrency_limited" } else { "as_wished" }).to_string())
    }
}
