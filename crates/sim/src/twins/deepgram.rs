//! A twin of Deepgram's live recognition (`/v1/listen`).
//!
//! A twin cannot recognise speech, so it has a script: it finds utterances in the audio by their energy and takes the n-th
//! one for the n-th line. Partial transcripts grow while the utterance lasts; the final one comes after silence
//! (`endpointing`) or `Finalize`. What it checks and says follows the vendor's documentation of the endpoint.

mod oracle;

pub use oracle::{Oracle, Speech, SpokenWord};

use super::fault::Moment;
use super::server::{Course, Outbox, Shared, Twin, close, refuse, strike_socket};
use audio_codec_algorithms::decode_ulaw;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How the twin behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The key that is accepted.
    pub key: String,
    /// What the utterances say, in order. Later utterances say nothing.
    pub script: Vec<String>,
    /// Whether every connection starts the script afresh; otherwise connections go on where the last one stood.
    pub script_per_connection: bool,
    /// Which line is being spoken, told from outside: for several twins that hear the same caller. Goes before the count of
    /// utterances.
    pub told: Option<Arc<AtomicUsize>>,
    /// From a cause in the audio to a partial transcript, in milliseconds.
    pub partial_ms: u64,
    /// From the end of an utterance, or `Finalize`, to the final transcript, in milliseconds.
    pub final_ms: u64,
    /// Whether a `Finalize` with nothing to transcribe is answered. The real service leaves some unanswered.
    pub answers_empty_finalize: bool,
    /// Root mean square of a 20 ms window from which it counts as speech.
    pub speech_rms: f64,
    /// Silence on the socket after which it hangs up, in milliseconds.
    pub idle_ms: u64,
    /// Someone who knows what is said, word by word; then the script is not used.
    pub oracle: Option<Oracle>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            key: "twin-key".to_owned(),
            script: Vec::new(),
            script_per_connection: true,
            told: None,
            partial_ms: 20,
            final_ms: 60,
            answers_empty_finalize: true,
            speech_rms: 300.0,
            idle_ms: 10_000,
            oracle: None,
        }
    }
}

impl Behaviour {
    /// The usual behaviour with this script.
    pub fn script<S: Into<String>>(lines: impl IntoIterator<Item = S>) -> Self {
        Self { script: lines.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// Starts it on a free loopback port; its address is for `DEEPGRAM_BASE_URL`.
///
/// It records `open …`, `audio BYTES`, `text …`, `closed`.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let context = |shared| Context { shared, behaviour: Arc::new(behaviour), next_line: Arc::default() };
    let router = |shared| Router::new().route("/v1/listen", get(listen)).with_state(context(shared));
    Twin::serve(key, "", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    behaviour: Arc<Behaviour>,
    next_line: Arc<AtomicUsize>,
}

/// The query of the upgrade, checked as the vendor documents it.
struct Listen {
    mulaw: bool,
    sample_rate_hz: u32,
    interim: bool,
    endpointing_ms: Option<u64>,
    utterance_end_ms: Option<u64>,
    vad_events: bool,
}

impl Listen {
    fn parse(query: &[(String, String)]) -> Result<Self, &'static str> {
        let get = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let number =
            |key: &str| get(key).map(|value| value.parse::<u64>().map_err(|_| "a number is not one")).transpose();
        if get("model").is_none_or(str::is_empty) {
            return Err("No such model/version combination found.");
        }
        let mulaw = match get("encoding") {
            Some("mulaw") => true,
            Some("linear16") => false,
            _ => return Err("The encoding is not supported by this twin."),
        };
        let sample_rate_hz = number("sample_rate")?.and_then(|rate| u32::try_from(rate).ok()).unwrap_or(0);
        if !(8_000..=48_000).contains(&sample_rate_hz) {
            return Err("A sample_rate is required when an encoding is given.");
        }
        let endpointing_ms = match get("endpointing") {
            Some("false") => None,
            _ => Some(number("endpointing")?.unwrap_or(10)),
        };
        let interim = get("interim_results") == Some("true");
        let utterance_end_ms = number("utterance_end_ms")?;
        if utterance_end_ms.is_some_and(|ms| ms < 1_000 || !interim) {
            return Err("utterance_end_ms is at least 1000 and needs interim_results=true.");
        }
        let vad_events = get("vad_events") == Some("true");
        Ok(Self { mulaw, sample_rate_hz, interim, endpointing_ms, utterance_end_ms, vad_events })
    }
}

async fn listen(
    State(context): State<Context>,
    Query(query): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    context.shared.record.add(format!("open {uri}"));
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(super::fault::Fault::Status { status, retry_after_s }) = fault {
        let code = if status == 429 { "TOO_MANY_REQUESTS" } else { "TWIN_FAULT" };
        return refuse(status, retry_after_s, json!({"err_code": code, "err_msg": "As the test wishes."}));
    }
    let sent = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = &context.behaviour.key;
    if sent != format!("Token {key}") && sent != format!("Bearer {key}") {
        return refuse(401, None, json!({"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials."}));
    }
    match Listen::parse(&query) {
        Err(why) => refuse(400, None, json!({"err_code": "Bad Request", "err_msg": format!("Bad Request: {why}")})),
        Ok(listen) => upgrade.on_upgrade(async move |mut socket| {
            let shared = context.shared.clone();
            let course = strike_socket(&mut socket, &shared, fault, |_| None).await;
            tokio::select! {
                () = serve(context, listen, socket, course) => {}
                () = shared.stopped() => {}
            }
            shared.record.add("closed");
        }),
    }
}

async fn serve(context: Context, listen: Listen, socket: WebSocket, course: Course) {
    match context.behaviour.oracle.as_ref().and_then(Oracle::speech) {
        Some(speech) => oracle::Session::new(context.behaviour, listen, speech).run(socket, course).await,
        None => Session::new(context, listen).run(socket, course).await,
    }
}

/// An utterance that is going on.
struct Utterance {
    line: String,
    start_ms: u64,
    voiced_ms: u64,
    partial_at_ms: u64,
}

struct Session {
    context: Context,
    listen: Listen,
    outbox: Outbox,
    own_line: usize,
    /// Samples of a window that is not full yet.
    window: Vec<i16>,
    heard_ms: u64,
    voiced_run_ms: u64,
    silence_ms: u64,
    utterance: Option<Utterance>,
    /// End of the last word, until an `UtteranceEnd` reported it.
    last_word_end_ms: Option<u64>,
    turn_began: bool,
}

const WINDOW_MS: u64 = 20;
const ONSET_MS: u64 = 40;
const PARTIAL_EVERY_MS: u64 = 200;
const WORD_MS: u64 = 250;

impl Session {
    fn new(context: Context, listen: Listen) -> Self {
        Self {
            context,
            listen,
            outbox: Outbox::default(),
            own_line: 0,
            window: Vec::new(),
            heard_ms: 0,
            voiced_run_ms: 0,
            silence_ms: 0,
            utterance: None,
            last_word_end_ms: None,
            turn_began: false,
        }
    }

    async fn run(mut self, mut socket: WebSocket, course: Course) {
        match course {
            Course::Go(delay) => self.outbox.delay_all_by(delay),
            Course::Mute => self.outbox.mute(),
            Course::Over => return,
        }
        let idle = Duration::from_millis(self.context.behaviour.idle_ms);
        let mut idle_at = tokio::time::Instant::now() + idle;
        loop {
            let received = tokio::select! {
                message = self.outbox.next() => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                    continue;
                }
                received = socket.recv() => received,
                () = tokio::time::sleep_until(idle_at) => {
                    let reason = "NET-0001: Deepgram did not receive audio data or a text message within the timeout window.";
                    return close(&mut socket, 1011, reason).await;
                }
            };
            idle_at = tokio::time::Instant::now() + idle;
            match received {
                Some(Ok(Message::Binary(bytes))) if bytes.is_empty() => {
                    self.context.shared.record.add("audio 0");
                    return self.say_goodbye(&mut socket).await;
                }
                Some(Ok(Message::Binary(bytes))) => {
                    self.context.shared.record.add(format!("audio {}", bytes.len()));
                    self.on_audio(&bytes);
                }
                Some(Ok(Message::Text(text))) => {
                    self.context.shared.record.add(format!("text {text}"));
                    if self.on_text(&text) {
                        return self.say_goodbye(&mut socket).await;
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            }
            if std::mem::take(&mut self.turn_began) && !self.strike(&mut socket).await {
                return;
            }
        }
    }

    /// A fault in the middle of the turn. Says whether the connection goes on.
    async fn strike(&mut self, socket: &mut WebSocket) -> bool {
        let fault = self.context.shared.faults.strike(Moment::MidTurn);
        let error = |_| Some(json!({"type": "Error", "variant": "Internal", "description": "fault"}).to_string());
        match strike_socket(socket, &self.context.shared, fault, error).await {
            Course::Go(delay) => self.outbox.delay_all_by(delay),
            Course::Mute => self.outbox.mute(),
            Course::Over => return false,
        }
        true
    }

    /// Returns whether the stream ends.
    fn on_text(&mut self, text: &str) -> bool {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        match message["type"].as_str() {
            Some("KeepAlive") => {}
            Some("Finalize") => self.finish_utterance(true),
            Some("CloseStream") => {
                if self.utterance.is_some() {
                    self.finish_utterance(false);
                }
                return true;
            }
            _ => {
                let error = json!({"type": "Error", "variant": "SchemaError",
                    "description": "Could not deserialize last text message", "message": text});
                self.push(0, error);
            }
        }
        false
    }

    async fn say_goodbye(mut self, socket: &mut WebSocket) {
        let metadata = json!({"type": "Metadata", "transaction_key": "deprecated", "request_id": REQUEST_ID,
            "sha256": "0", "created": "2026-01-01T00:00:00.000Z", "duration": secs(self.heard_ms), "channels": 1});
        self.push(0, metadata);
        while !self.outbox.is_empty() {
            let message = self.outbox.next().await;
            if socket.send(message).await.is_err() {
                return;
            }
        }
        close(socket, 1000, "").await;
    }

    fn on_audio(&mut self, bytes: &[u8]) {
        if self.listen.mulaw {
            self.window.extend(bytes.iter().map(|byte| decode_ulaw(*byte)));
        } else {
            self.window.extend(bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)));
        }
        let size = (u64::from(self.listen.sample_rate_hz) * WINDOW_MS / 1_000) as usize;
        let mut window = std::mem::take(&mut self.window);
        let mut windows = window.chunks_exact(size);
        for samples in &mut windows {
            let energy: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
            self.on_window((energy / size as f64).sqrt() >= self.context.behaviour.speech_rms);
        }
        let rest = windows.remainder().len();
        window.drain(..window.len() - rest);
        self.window = window;
    }

    fn on_window(&mut self, voiced: bool) {
        self.heard_ms += WINDOW_MS;
        if voiced {
            self.silence_ms = 0;
            self.voiced_run_ms += WINDOW_MS;
            match self.utterance.as_mut() {
                None if self.voiced_run_ms >= ONSET_MS => self.begin_utterance(),
                None => {}
                Some(utterance) => {
                    utterance.voiced_ms += WINDOW_MS;
                    if utterance.voiced_ms >= utterance.partial_at_ms {
                        utterance.partial_at_ms += PARTIAL_EVERY_MS;
                        self.push_partial();
                    }
                }
            }
            return;
        }
        self.voiced_run_ms = 0;
        self.silence_ms += WINDOW_MS;
        let ended = self.listen.endpointing_ms.is_some_and(|ms| self.silence_ms >= ms.max(WINDOW_MS));
        if ended && self.utterance.is_some() {
            self.finish_utterance(false);
        }
        let gap = self.listen.utterance_end_ms.is_some_and(|ms| self.silence_ms >= ms);
        if gap && let Some(end_ms) = self.last_word_end_ms.take() {
            let end = json!({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": secs(end_ms)});
            self.push(self.context.behaviour.partial_ms, end);
        }
    }

    fn begin_utterance(&mut self) {
        let counter = if let Some(told) = &self.context.behaviour.told {
            told.load(Ordering::Relaxed)
        } else if self.context.behaviour.script_per_connection {
            self.own_line += 1;
            self.own_line - 1
        } else {
            self.context.next_line.fetch_add(1, Ordering::Relaxed)
        };
        let line = self.context.behaviour.script.get(counter).cloned().unwrap_or_default();
        let start_ms = self.heard_ms.saturating_sub(ONSET_MS);
        self.utterance = Some(Utterance { line, start_ms, voiced_ms: ONSET_MS, partial_at_ms: PARTIAL_EVERY_MS });
        self.turn_began = true;
        if self.listen.vad_events {
            let started = json!({"type": "SpeechStarted", "channel": [0, 1], "timestamp": secs(start_ms)});
            self.push(self.context.behaviour.partial_ms, started);
        }
    }

    fn push_partial(&mut self) {
        let Some(utterance) = self.utterance.as_ref().filter(|_| self.listen.interim) else { return };
        let words = 1 + utterance.voiced_ms / WORD_MS;
        let said: Vec<&str> = utterance.line.split_whitespace().take(words as usize).collect();
        let results = self.results(&said.join(" "), utterance.start_ms, false, false, false);
        self.push(self.context.behaviour.partial_ms, results);
    }

    fn finish_utterance(&mut self, finalize: bool) {
        let delay_ms = self.context.behaviour.final_ms;
        let utterance = self.utterance.take();
        if utterance.is_none() && !(finalize && self.context.behaviour.answers_empty_finalize) {
            return;
        }
        // What follows a finalize needs an onset of its own.
        self.voiced_run_ms = 0;
        let (line, start_ms) = utterance.map_or((String::new(), self.heard_ms), |u| (u.line, u.start_ms));
        if !line.is_empty() {
            self.last_word_end_ms = Some(self.heard_ms.saturating_sub(self.silence_ms));
        }
        let results = self.results(&line, start_ms, true, !finalize, finalize);
        self.push(delay_ms, results);
    }

    fn results(&self, text: &str, start_ms: u64, is_final: bool, speech_final: bool, from_finalize: bool) -> Value {
        let duration_ms = self.heard_ms.saturating_sub(start_ms);
        let count = text.split_whitespace().count().max(1) as u64;
        let words: Vec<Value> = text
            .split_whitespace()
            .enumerate()
            .map(|(n, word)| {
                let at = |n: u64| secs(start_ms + duration_ms * n / count);
                let bare: String = word.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == '\'').collect();
                json!({"word": bare, "start": at(n as u64), "end": at(n as u64 + 1), "confidence": 0.99,
                    "punctuated_word": word})
            })
            .collect();
        let confidence = if text.is_empty() { 0.0 } else { 0.99 };
        json!({
            "type": "Results", "channel_index": [0, 1], "duration": secs(duration_ms), "start": secs(start_ms),
            "is_final": is_final, "speech_final": speech_final,
            "channel": {"alternatives": [{"transcript": text, "confidence": confidence, "words": words}]},
            "metadata": {"request_id": REQUEST_ID, "model_uuid": REQUEST_ID,
                "model_info": {"name": "twin", "version": "1", "arch": "twin"}},
            "from_finalize": from_finalize,
        })
    }

    fn push(&mut self, delay_ms: u64, message: Value) {
        self.outbox.push(Duration::from_millis(delay_ms), Message::Text(message.to_string().into()));
    }
}

const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000001";

fn secs(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
