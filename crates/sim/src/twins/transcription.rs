//! A twin of OpenAI's transcription of whole utterances (`POST /v1/audio/transcriptions`), and of Groq's, which speaks the
//! same below `/openai/v1`.

use super::Twin;
use super::fault::{Fault, Moment};
use super::recogniser::{Behaviour, Ear, Format, Heard, Spoken};
use super::server::{Shared, broken_body, refuse};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Whose service this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The one that others speak, below `/v1`.
    Plain,
    /// Below `/openai/v1`, with its own ids.
    Groq,
}

/// Starts it on a free loopback port. The script goes on from request to request.
pub async fn start(dialect: Dialect, behaviour: Behaviour) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let next_line = Arc::<AtomicUsize>::default();
    let context = |shared| Context { shared, dialect, behaviour: Arc::new(behaviour), next_line };
    let path = match dialect {
        Dialect::Plain => "/v1/audio/transcriptions",
        Dialect::Groq => "/openai/v1/audio/transcriptions",
    };
    let below = if dialect == Dialect::Plain { "/v1" } else { "" };
    Twin::serve(key, below, |shared| Router::new().route(path, post(answer)).with_state(context(shared))).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    dialect: Dialect,
    behaviour: Arc<Behaviour>,
    next_line: Arc<AtomicUsize>,
}

/// The form of one request.
#[derive(Default)]
struct Form {
    fields: Vec<(String, String)>,
    file: Bytes,
}

impl Form {
    async fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, multer::Error> {
        let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(content_type)?;
        let whole = futures_util::stream::once(async move { Ok::<_, io::Error>(body) });
        let mut parts = multer::Multipart::new(whole, boundary);
        let mut form = Self::default();
        while let Some(part) = parts.next_field().await? {
            match part.name().unwrap_or_default().to_owned().as_str() {
                "file" => form.file = part.bytes().await?,
                name => {
                    let name = name.to_owned();
                    form.fields.push((name, part.text().await?));
                }
            }
        }
        Ok(form)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Samples and rate of a 16-bit mono WAV file.
fn read_wav(file: &[u8]) -> Option<(u32, &[u8])> {
    let is_wave = file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WAVE");
    let is_pcm = file.get(20..24) == Some(&[1, 0, 1, 0]) && file.get(34..36) == Some(&[16, 0]);
    let rate_hz = u32::from_le_bytes(file.get(24..28)?.try_into().ok()?);
    let data = file.windows(4).position(|window| window == b"data")?;
    (is_wave && is_pcm && rate_hz >= 8_000).then(|| (rate_hz, file.get(data + 8..).unwrap_or_default()))
}

impl Context {
    fn refusal(code: &str) -> Value {
        json!({"error": {"message": "As the test wishes.", "type": "invalid_request_error", "code": code, "param": null}})
    }

    /// What is said in this audio, and how long it is.
    fn hear(&self, rate_hz: u32, data: &[u8]) -> (Option<Spoken>, f64) {
        let line = self.behaviour.script.get(self.next_line.load(Ordering::Relaxed)).cloned().unwrap_or_default();
        let behaviour = Behaviour { script: vec![line], ..(*self.behaviour).clone() };
        let mut ear = Ear::new(&behaviour, Format { mulaw: false, rate_hz });
        ear.set_silence_ms(None);
        let began = ear.listen(data).contains(&Heard::Began);
        if began {
            self.next_line.fetch_add(1, Ordering::Relaxed);
        }
        (ear.finish().filter(|_| began), data.len() as f64 / 2.0 / f64::from(rate_hz))
    }

    fn transcript(&self, form: &Form, spoken: Option<Spoken>, secs: f64) -> Value {
        // A model of this kind makes words up where there are none, and says how unsure it is.
        let is_whisper = form.get("model").is_some_and(|model| model.starts_with("whisper"));
        let invented = Spoken { text: if is_whisper { "Thank you." } else { "" }.to_owned(), ..Spoken::default() };
        let (spoken, no_speech, logprob) = match spoken {
            Some(spoken) => (spoken, 0.01, -0.2),
            None => (invented, 0.95, -1.4),
        };
        let mut transcript = json!({"text": spoken.text});
        if form.get("response_format") == Some("verbose_json") {
            transcript["task"] = json!("transcribe");
            transcript["language"] = json!("english");
            transcript["duration"] = json!(secs);
            transcript["segments"] = json!([{"id": 0, "seek": 0, "start": spoken.from_ms as f64 / 1e3,
                "end": spoken.to_ms as f64 / 1e3, "text": format!(" {}", spoken.text), "tokens": [], "temperature": 0.0,
                "avg_logprob": logprob, "compression_ratio": 1.0, "no_speech_prob": no_speech}]);
        }
        match self.dialect {
            Dialect::Plain => transcript["usage"] = json!({"type": "duration", "seconds": secs}),
            Dialect::Groq => transcript["x_groq"] = json!({"id": "req_twin"}),
        }
        transcript
    }
}

async fn answer(State(context): State<Context>, headers: HeaderMap, body: Bytes) -> Response {
    let Context { shared, behaviour, .. } = &context;
    let fault = shared.faults.strike(Moment::Start);
    if let Some(Fault::Status { status, retry_after_s }) = fault {
        let code = if status == 429 { "rate_limit_exceeded" } else { "twin_fault" };
        return refuse(status, retry_after_s, Context::refusal(code));
    }
    let sent = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if sent != format!("Bearer {}", behaviour.key) {
        return refuse(401, None, Context::refusal("invalid_api_key"));
    }
    let form = match Form::read(&headers, body).await {
        Ok(form) => form,
        Err(why) => return refuse(400, None, Context::refusal(&format!("form: {why}"))),
    };
    let fields: Vec<String> = form.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    shared.record.add(format!("request {} file {}", fields.join(" "), form.file.len()));
    let Some((rate_hz, data)) = read_wav(&form.file) else {
        return refuse(400, None, Context::refusal("unsupported_format"));
    };
    if form.get("model").is_none_or(str::is_empty) {
        return refuse(400, None, Context::refusal("missing_model"));
    }
    let (spoken, secs) = context.hear(rate_hz, data);
    let whole = context.transcript(&form, spoken, secs).to_string();
    let delay_ms = match fault {
        Some(Fault::Slow { delay_ms }) => behaviour.final_ms + delay_ms,
        Some(Fault::Silent | Fault::HalfOpen) => {
            shared.stopped().await;
            0
        }
        _ => behaviour.final_ms,
    };
    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    let json = [("content-type", "application/json")];
    match shared.faults.strike(Moment::MidTurn) {
        Some(fault) => (StatusCode::OK, json, broken_body(whole.as_bytes(), &fault)).into_response(),
        None => (StatusCode::OK, json, whole).into_response(),
    }
}
