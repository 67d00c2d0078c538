//! What the twins of streaming recognisers have in common: a socket with faults, and an ear.
//!
//! A twin cannot recognise speech, so it has a script: the ear finds utterances in the audio by their energy and takes the
//! n-th one for the n-th line. Each vendor's file says with which messages audio comes and words go.

use super::fault::{Fault, Moment};
use super::server::{Course, Outbox, Shared, Twin, close, refuse, strike_socket};
use audio_codec_algorithms::decode_ulaw;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How a twin of a recogniser behaves. Times are in milliseconds.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The key that is accepted.
    pub key: String,
    /// What the utterances of a connection say, in order. Later utterances say nothing.
    pub script: Vec<String>,
    /// From a cause in the audio to a partial transcript.
    pub partial_ms: u64,
    /// From the end of an utterance, or the request to end it, to its final transcript.
    pub final_ms: u64,
    /// Silence that ends an utterance where the vendor ends it.
    pub silence_ms: u64,
    /// Root mean square of a 20 ms window from which it counts as speech.
    pub speech_rms: f64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            key: "twin-key".to_owned(),
            script: Vec::new(),
            partial_ms: 20,
            final_ms: 60,
            silence_ms: 500,
            speech_rms: 300.0,
        }
    }
}

impl Behaviour {
    /// The usual behaviour with this script.
    pub fn script<S: Into<String>>(lines: impl IntoIterator<Item = S>) -> Self {
        Self { script: lines.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// Samples of audio, as the vendor was told that they come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) mulaw: bool,
    pub(super) rate_hz: u32,
}

/// What the upgrade said.
pub(super) struct Asked<'a> {
    pub(super) query: &'a [(String, String)],
    pub(super) headers: &'a HeaderMap,
    pub(super) key: &'a str,
}

impl Asked<'_> {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// Whether a flag is set, however the client writes it.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Why an upgrade is refused: status and body.
pub(super) type Refusal = (u16, Value);

/// Whether the connection goes on.
pub(super) enum Flow {
    Go,
    /// What is to be said is said, then it is closed with this.
    Close(u16, &'static str),
}

/// What is to be said, each at its time.
pub(super) struct Mouth<'a> {
    outbox: &'a mut Outbox,
    behaviour: &'a Behaviour,
}

impl Mouth<'_> {
    fn say(&mut self, after_ms: u64, text: String) {
        self.outbox.push(Duration::from_millis(after_ms), Message::Text(text.into()));
    }

    pub(super) fn now(&mut self, text: impl ToString) {
        self.say(0, text.to_string());
    }

    pub(super) fn partial(&mut self, text: impl ToString) {
        self.say(self.behaviour.partial_ms, text.to_string());
    }

    pub(super) fn last(&mut self, text: impl ToString) {
        self.say(self.behaviour.final_ms, text.to_string());
    }
}

/// A vendor's messages.
pub(super) trait Dialect: Send + Sized + 'static {
    /// Looks at the upgrade; says in which format audio comes.
    fn open(asked: &Asked<'_>) -> Result<(Self, Format), Refusal>;
    /// What is said when the socket is open.
    fn greet(&mut self, _mouth: &mut Mouth<'_>) {}
    /// A text message.
    fn on_text(&mut self, text: &str, ear: &mut Ear, mouth: &mut Mouth<'_>) -> Flow;
    /// A binary message.
    fn on_binary(&mut self, _bytes: &[u8], _ear: &mut Ear, _mouth: &mut Mouth<'_>) -> Flow {
        Flow::Close(1003, "binary messages are not taken")
    }
    /// The body of a refusal with this status.
    fn refusal(status: u16) -> Value;
    /// A failure inside a stream.
    fn failure(status: u16) -> Option<String>;
}

/// Starts a vendor's twin on a free loopback port. It records `open …`, `audio BYTES`, `text …`, `closed`.
pub(super) async fn start<D: Dialect>(path: &'static str, behaviour: Behaviour) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let behaviour = Arc::new(behaviour);
    let router = |shared| {
        Router::new().route(path, get(listen::<D>)).with_state(Context { shared, behaviour: behaviour.clone() })
    };
    Twin::serve(key, "", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    behaviour: Arc<Behaviour>,
}

async fn listen<D: Dialect>(
    State(context): State<Context>,
    Query(query): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    context.shared.record.add(format!("open {uri}"));
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(Fault::Status { status, retry_after_s }) = fault {
        return refuse(status, retry_after_s, D::refusal(status));
    }
    match D::open(&Asked { query: &query, headers: &headers, key: &context.behaviour.key }) {
        Err((status, body)) => refuse(status, None, body),
        Ok((dialect, format)) => upgrade.on_upgrade(async move |mut socket| {
            let shared = context.shared.clone();
            let course = strike_socket(&mut socket, &shared, fault, |_| None).await;
            let ear = Ear::new(&context.behaviour, format);
            let session = Session { context, dialect, ear, outbox: Outbox::default() };
            tokio::select! {
                () = session.run(socket, course) => {}
                () = shared.stopped() => {}
            }
            shared.record.add("closed");
        }),
    }
}

struct Session<D> {
    context: Context,
    dialect: D,
    ear: Ear,
    outbox: Outbox,
}

impl<D: Dialect> Session<D> {
    async fn run(mut self, mut socket: WebSocket, course: Course) {
        if !self.take_course(course) {
            return;
        }
        let behaviour = self.context.behaviour.clone();
        self.dialect.greet(&mut Mouth { outbox: &mut self.outbox, behaviour: &behaviour });
        loop {
            let received = tokio::select! {
                message = self.outbox.next() => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                    continue;
                }
                received = socket.recv() => received,
            };
            let mut mouth = Mouth { outbox: &mut self.outbox, behaviour: &behaviour };
            let flow = match received {
                Some(Ok(Message::Binary(bytes))) => {
                    self.context.shared.record.add(format!("audio {}", bytes.len()));
                    self.dialect.on_binary(&bytes, &mut self.ear, &mut mouth)
                }
                Some(Ok(Message::Text(text))) => {
                    self.context.shared.record.add(format!("text {text}"));
                    self.dialect.on_text(&text, &mut self.ear, &mut mouth)
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Flow::Go,
                Some(Ok(Message::Close(_))) => {
                    // Reading on is what sends the answer to a close.
                    while let Some(Ok(_)) = socket.recv().await {}
                    return;
                }
                Some(Err(_)) | None => return,
            };
            if let Flow::Close(code, reason) = flow {
                return self.part(&mut socket, code, reason).await;
            }
            if self.ear.take_began() && !self.strike(&mut socket).await {
                return;
            }
        }
    }

    async fn part(mut self, socket: &mut WebSocket, code: u16, reason: &str) {
        while !self.outbox.is_empty() {
            let message = self.outbox.next().await;
            if socket.send(message).await.is_err() {
                return;
            }
        }
        close(socket, code, reason).await;
    }

    /// A fault in the middle of the turn. Says whether the connection goes on.
    async fn strike(&mut self, socket: &mut WebSocket) -> bool {
        let fault = self.context.shared.faults.strike(Moment::MidTurn);
        let course = strike_socket(socket, &self.context.shared, fault, D::failure).await;
        self.take_course(course)
    }

    fn take_course(&mut self, course: Course) -> bool {
        match course {
            Course::Go(delay) => self.outbox.delay_all_by(delay),
            Course::Mute => self.outbox.mute(),
            Course::Over => return false,
        }
        true
    }
}

const WINDOW_MS: u64 = 20;
const ONSET_MS: u64 = 40;
const PARTIAL_EVERY_MS: u64 = 200;
const WORD_MS: u64 = 250;

/// What the ear makes of audio.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// Somebody began to speak.
    Began,
    /// What was said so far in this utterance.
    Words(String),
    /// The utterance is over.
    Ended(Spoken),
}

/// An utterance.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spoken {
    pub(super) text: String,
    /// Milliseconds of the stream.
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
}

struct Utterance {
    line: String,
    start_ms: u64,
    voiced_ms: u64,
    partial_at_ms: u64,
}

/// Finds utterances in audio.
pub(super) struct Ear {
    format: Format,
    script: std::vec::IntoIter<String>,
    silence_max_ms: u64,
    speech_rms: f64,
    window: Vec<i16>,
    heard_ms: u64,
    voiced_run_ms: u64,
    silence_ms: u64,
    utterance: Option<Utterance>,
    began: bool,
}

impl Ear {
    pub(super) fn new(behaviour: &Behaviour, format: Format) -> Self {
        Self {
            format,
            script: behaviour.script.clone().into_iter(),
            silence_max_ms: behaviour.silence_ms,
            speech_rms: behaviour.speech_rms,
            window: Vec::new(),
            heard_ms: 0,
            voiced_run_ms: 0,
            silence_ms: 0,
            utterance: None,
            began: false,
        }
    }

    pub(super) fn set_format(&mut self, format: Format) {
        self.format = format;
    }

    /// Silence that ends an utterance from now on; `None` when only a request ends it.
    pub(super) fn set_silence_ms(&mut self, silence_ms: Option<u64>) {
        self.silence_max_ms = silence_ms.unwrap_or(u64::MAX);
    }

    /// Milliseconds of audio so far.
    pub(super) fn heard_ms(&self) -> u64 {
        self.heard_ms
    }

    /// Milliseconds since anybody spoke.
    pub(super) fn silence_ms(&self) -> u64 {
        self.silence_ms
    }

    /// Length of this much audio, in milliseconds.
    pub(super) fn ms(&self, bytes: usize) -> u64 {
        let samples = if self.format.mulaw { bytes } else { bytes / 2 };
        samples as u64 * 1_000 / u64::from(self.format.rate_hz)
    }

    /// What was said so far in this utterance; `None` when nobody speaks.
    pub(super) fn words(&self) -> Option<String> {
        let utterance = self.utterance.as_ref()?;
        if self.silence_ms >= PARTIAL_EVERY_MS {
            return Some(utterance.line.clone());
        }
        let words = 1 + utterance.voiced_ms / WORD_MS;
        Some(utterance.line.split_whitespace().take(words as usize).collect::<Vec<_>>().join(" "))
    }

    fn take_began(&mut self) -> bool {
        std::mem::take(&mut self.began)
    }

    pub(super) fn listen(&mut self, bytes: &[u8]) -> Vec<Heard> {
        if self.format.mulaw {
            self.window.extend(bytes.iter().map(|byte| decode_ulaw(*byte)));
        } else {
            self.window.extend(bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)));
        }
        let size = (u64::from(self.format.rate_hz) * WINDOW_MS / 1_000).max(1) as usize;
        let mut heard = Vec::new();
        let window = std::mem::take(&mut self.window);
        let mut windows = window.chunks_exact(size);
        for samples in &mut windows {
            let energy: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
            self.on_window((energy / size as f64).sqrt() >= self.speech_rms, &mut heard);
        }
        self.window = windows.remainder().to_vec();
        heard
    }

    fn on_window(&mut self, voiced: bool, heard: &mut Vec<Heard>) {
        self.heard_ms += WINDOW_MS;
        if !voiced {
            self.voiced_run_ms = 0;
            self.silence_ms += WINDOW_MS;
            if self.silence_ms >= self.silence_max_ms {
                heard.extend(self.finish().map(Heard::Ended));
            }
            return;
        }
        self.silence_ms = 0;
        self.voiced_run_ms += WINDOW_MS;
        match self.utterance.as_mut() {
            None if self.voiced_run_ms >= ONSET_MS => {
                let line = self.script.next().unwrap_or_default();
                let start_ms = self.heard_ms.saturating_sub(ONSET_MS);
                let (voiced_ms, partial_at_ms) = (ONSET_MS, PARTIAL_EVERY_MS);
                self.utterance = Some(Utterance { line, start_ms, voiced_ms, partial_at_ms });
                self.began = true;
                heard.push(Heard::Began);
            }
            None => {}
            Some(utterance) => {
                utterance.voiced_ms += WINDOW_MS;
                if utterance.voiced_ms >= utterance.partial_at_ms {
                    utterance.partial_at_ms += PARTIAL_EVERY_MS;
                    heard.extend(self.words().map(Heard::Words));
                }
            }
        }
    }

    /// Ends the utterance that is going on.
    pub(super) fn finish(&mut self) -> Option<Spoken> {
        // What follows needs an onset of its own.
        self.voiced_run_ms = 0;
        let utterance = self.utterance.take()?;
        let to_ms = self.heard_ms.saturating_sub(self.silence_ms);
        Some(Spoken { text: utterance.line, from_ms: utterance.start_ms, to_ms })
    }
}

/// The audio of a message that holds it as base64; empty when it does not.
pub(super) fn from_base64(field: &Value) -> Vec<u8> {
    use base64::Engine;
    field.as_str().and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok()).unwrap_or_default()
}

/// Spreads the words of an utterance evenly over its time: text, start and end in milliseconds.
pub(super) fn words(spoken: &Spoken) -> Vec<(String, u64, u64)> {
    let count = spoken.text.split_whitespace().count().max(1) as u64;
    let length = spoken.to_ms.saturating_sub(spoken.from_ms);
    let at = |n: u64| spoken.from_ms + length * n / count;
    let words = spoken.text.split_whitespace().enumerate();
    words.map(|(n, word)| (word.to_owned(), at(n as u64), at(n as u64 + 1))).collect()
}
