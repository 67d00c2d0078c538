//! A twin of ElevenLabs' streaming synthesis (`/v1/text-to-speech/{voice}/stream-input`) and of its plain endpoint
//! (`POST …/stream`).

mod contexts;
mod rest;

use super::fault::{Fault, Moment};
use super::roster::Roster;
use super::server::{Course, Outbox, Shared, Twin, close, refuse, strike_socket};
use super::voice::Format;
pub use super::voice::{Behaviour, CHAR_MS, TimedVoice, Voice, tone};
use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Characters per audio message.
const CHARS_PER_MESSAGE: usize = 8;
/// Characters that are held back when nobody asks for audio: the first value of the service's chunk schedule.
const HELD_CHARS: usize = 120;

/// Starts it on a free loopback port; its address is for `ELEVENLABS_BASE_URL`.
///
/// It records `open …`, `text …`, `closed`, `request …`.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let behaviour = Arc::new(behaviour);
    let router = |shared| {
        Router::new()
            .route("/v1/text-to-speech/{voice}/stream-input", get(stream_input))
            .route("/v1/text-to-speech/{voice}/multi-stream-input", get(contexts::multi_stream_input))
            .route("/v1/text-to-speech/{voice}/stream", post(plain))
            .route("/v1/text-to-speech/{voice}/stream/with-timestamps", post(rest::with_timestamps))
            .route("/v2/voices", get(rest::list))
            .route("/v1/voices/add", post(rest::clone))
            .route("/v1/text-to-speech/{voice}", post(plain))
            .with_state(Context { shared, behaviour, roster: Roster::default() })
    };
    Twin::serve(key, "", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    behaviour: Arc<Behaviour>,
    roster: Roster,
}

impl Context {
    /// The refusal before anything is spoken, if there is one.
    fn refusal(&self, fault: Option<&Fault>, voice: &str, headers: &HeaderMap) -> Option<Response> {
        let say = |status, after, code: &str| {
            Some(refuse(status, after, json!({"detail": {"status": code, "message": "As the test wishes."}})))
        };
        if let Some(Fault::Status { status, retry_after_s }) = fault {
            let code = match status {
                401 => "invalid_api_key",
                429 => "too_many_concurrent_requests",
                _ => "internal_error",
            };
            return say(*status, *retry_after_s, code);
        }
        let sent = headers.get("xi-api-key").and_then(|value| value.to_str().ok());
        if sent != Some(self.behaviour.key.as_str()) {
            return say(401, None, "invalid_api_key");
        }
        if self.behaviour.unknown_voices.iter().any(|unknown| unknown == voice) {
            return say(404, None, "voice_not_found");
        }
        None
    }
}

/// What audio is asked for.
fn format(query: &[(String, String)]) -> Option<Format> {
    let name = query.iter().find(|(key, _)| key == "output_format").map(|(_, value)| value.as_str())?;
    match name.split_once('_') {
        Some(("ulaw", "8000")) => Some(Format { ulaw: true, sample_rate_hz: 8_000 }),
        Some(("pcm", rate)) => {
            let sample_rate_hz = rate.parse().ok()?;
            let known = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000].contains(&sample_rate_hz);
            known.then_some(Format { ulaw: false, sample_rate_hz })
        }
        _ => None,
    }
}

fn bad_format() -> Response {
    refuse(
        422,
        None,
        json!({"detail": [{"loc": ["query", "output_format"], "msg": "This twin speaks pcm and ulaw.", "type": "value_error"}]}),
    )
}

async fn plain(
    State(context): State<Context>,
    Path(voice): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    context.shared.record.add(format!("request {voice} {}", String::from_utf8_lossy(&body)));
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = context.refusal(fault.as_ref(), &voice, &headers) {
        return refusal;
    }
    let Some(format) = format(&query) else { return bad_format() };
    let text = serde_json::from_slice::<Value>(&body).ok().and_then(|body| body["text"].as_str().map(str::to_owned));
    let (pcm, _) = context.behaviour.speak(&text.unwrap_or_default(), format.sample_rate_hz);
    ([("content-type", "audio/basic")], format.encode(&pcm)).into_response()
}

async fn stream_input(
    State(context): State<Context>,
    Path(voice): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    context.shared.record.add(format!("open {uri}"));
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = context.refusal(fault.as_ref(), &voice, &headers) {
        return refusal;
    }
    let Some(format) = format(&query) else { return bad_format() };
    let auto_mode = query.iter().any(|(key, value)| key == "auto_mode" && value == "true");
    upgrade.on_upgrade(async move |mut socket| {
        let shared = context.shared.clone();
        let session = Session {
            context,
            format,
            auto_mode,
            outbox: Outbox::default(),
            began: false,
            ended: false,
            held: String::new(),
            spoken: 0,
        };
        let course = strike_socket(&mut socket, &shared, fault, |_| None).await;
        tokio::select! {
            () = session.run(socket, course) => {}
            () = shared.stopped() => {}
        }
        shared.record.add("closed");
    })
}

struct Session {
    context: Context,
    format: Format,
    auto_mode: bool,
    outbox: Outbox,
    began: bool,
    ended: bool,
    held: String,
    /// Audio messages sent so far.
    spoken: usize,
}

impl Session {
    async fn run(mut self, mut socket: WebSocket, course: Course) {
        match course {
            Course::Go(delay) => self.outbox.delay_all_by(delay),
            Course::Mute => self.outbox.mute(),
            Course::Over => return,
        }
        loop {
            let received = tokio::select! {
                message = self.outbox.next() => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                    self.spoken += 1;
                    if self.spoken == 1 && !self.strike(&mut socket).await {
                        return;
                    }
                    if self.ended && self.outbox.is_empty() {
                        return close(&mut socket, 1000, "").await;
                    }
                    continue;
                }
                received = socket.recv() => received,
            };
            match received {
                Some(Ok(Message::Text(text))) => {
                    self.context.shared.record.add(format!("text {text}"));
                    if let Err(error) = self.on_text(&text) {
                        let _ = socket.send(Message::Text(error.to_string().into())).await;
                        return close(&mut socket, 1008, "").await;
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            }
        }
    }

    /// A fault in the middle of the utterance. Says whether the connection goes on.
    async fn strike(&mut self, socket: &mut WebSocket) -> bool {
        let fault = self.context.shared.faults.strike(Moment::MidTurn);
        let error = |status| {
            let word = if status == 429 { "system_busy" } else { "internal_error" };
            Some(json!({"message": "As the test wishes.", "error": word, "code": 1011}).to_string())
        };
        match strike_socket(socket, &self.context.shared, fault, error).await {
            Course::Go(delay) => self.outbox.delay_all_by(delay),
            Course::Mute => self.outbox.mute(),
            Course::Over => return false,
        }
        true
    }

    fn on_text(&mut self, message: &str) -> Result<(), Value> {
        let refuse = |why: &str| json!({"message": why, "error": "invalid_message", "code": 1008});
        let message: Value = serde_json::from_str(message).map_err(|_| refuse("That is not JSON."))?;
        let text = message["text"].as_str().ok_or_else(|| refuse("There is no text."))?;
        if !std::mem::replace(&mut self.began, true) && text != " " {
            return Err(refuse("The first text must be a single space."));
        }
        if self.ended {
            return Err(refuse("The stream has ended."));
        }
        if text.is_empty() {
            self.ended = true;
            self.speak();
            let last = json!({"audio": null, "isFinal": true, "normalizedAlignment": null, "alignment": null});
            self.outbox.push_after_last(Duration::ZERO, Message::Text(last.to_string().into()));
            return Ok(());
        }
        self.held.push_str(text);
        let asked = message["flush"] == true || self.auto_mode || self.held.chars().count() >= HELD_CHARS;
        if asked && text != " " {
            self.speak();
        }
        Ok(())
    }

    fn speak(&mut self) {
        let held = std::mem::take(&mut self.held);
        let text = held.trim_start();
        if text.trim().is_empty() {
            return;
        }
        let mut gap = Duration::from_millis(self.context.behaviour.first_audio_ms);
        for message in spoken_messages(&self.context.behaviour, self.format, text) {
            self.outbox.push_after_last(gap, Message::Text(message.to_string().into()));
            gap = Duration::from_millis(self.context.behaviour.gap_ms);
        }
    }
}

/// The audio messages of a text, each with the times of its characters counted from its own beginning.
fn spoken_messages(behaviour: &Behaviour, format: Format, text: &str) -> Vec<Value> {
    let chars: Vec<char> = text.chars().collect();
    let (pcm, ends) = behaviour.speak(text, format.sample_rate_hz);
    let sample_at = |n: usize| if n == 0 { 0 } else { ends.get(n - 1).copied().unwrap_or(pcm.len()).min(pcm.len()) };
    let message = |from: usize| {
        let piece = &chars[from..(from + CHARS_PER_MESSAGE).min(chars.len())];
        let samples = &pcm[sample_at(from)..sample_at(from + piece.len())];
        let ms_at =
            |n: usize| (sample_at(from + n) - sample_at(from)) as u64 * 1_000 / u64::from(format.sample_rate_hz);
        let alignment = json!({
            "chars": piece.iter().map(char::to_string).collect::<Vec<_>>(),
            "charStartTimesMs": (0..piece.len()).map(ms_at).collect::<Vec<_>>(),
            "charDurationsMs": (0..piece.len()).map(|n| ms_at(n + 1) - ms_at(n)).collect::<Vec<_>>(),
        });
        let audio = STANDARD.encode(format.encode(samples));
        json!({"audio": audio, "isFinal": null, "normalizedAlignment": alignment, "alignment": alignment})
    };
    (0..chars.len()).step_by(CHARS_PER_MESSAGE).map(message).collect()
}
