//! A twin of Amazon's speech services: Transcribe over a signed WebSocket, Polly over signed HTTP.
//!
//! It hears utterances of a script (see `hearing`) and speaks with the built-in voice of twins. Signatures are checked with
//! the vendor's own library, frames are written and read with it.

use super::elevenlabs::tone;
use super::fault::{Fault, Moment};
use super::hearing::{Hearing, Said, Script};
use super::server::{Course, Outbox, Shared, Twin, broken_body, close, strike_socket};
use audio_codec_algorithms::encode_ulaw;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message as Event};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How the twin behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The secret access key that is accepted.
    pub key: String,
    /// What the utterances say, in order, over all streams.
    pub script: Vec<String>,
    /// Silence that ends a segment, in milliseconds.
    pub endpoint_ms: u64,
    /// From a cause to what is said of it, in milliseconds.
    pub answer_ms: u64,
    /// Without audio for so long, a recognition stream is ended.
    pub idle_ms: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        let key = "twin-key".to_owned();
        Self { key, script: Vec::new(), endpoint_ms: 600, answer_ms: 40, idle_ms: 15_000 }
    }
}

/// The access key that goes with the secret.
pub const ACCESS_KEY_ID: &str = "AKIDTWIN";

/// Starts it on a free loopback port; its address is for `AWS_TRANSCRIBE_BASE_URL` and `AWS_POLLY_BASE_URL`.
///
/// It records `open …`, `audio BYTES`, `request …`, `closed`.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let script = Script::new(behaviour.script.clone());
    let router = |shared| {
        Router::new()
            .route("/stream-transcription-websocket", get(transcribe))
            .route("/v1/speech", post(speak))
            .with_state(Context { shared, behaviour: Arc::new(behaviour), script })
    };
    Twin::serve(key, "", router).await
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    behaviour: Arc<Behaviour>,
    script: Script,
}

/// A refusal as the services word it: the name of the exception stands in a header.
fn refusal(status: u16, retry_after_s: Option<u32>, name: &'static str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = (status, axum::Json(json!({"message": "As the test wishes."}))).into_response();
    answer.headers_mut().insert("x-amzn-errortype", http::HeaderValue::from_static(name));
    if let Some(secs) = retry_after_s {
        answer.headers_mut().insert("retry-after", secs.into());
    }
    answer
}

fn wished(fault: Option<&Fault>) -> Option<Response> {
    let Some(Fault::Status { status, retry_after_s }) = fault else { return None };
    // Throttling comes as a bad request.
    Some(match status {
        429 => refusal(400, *retry_after_s, "ThrottlingException:"),
        401 | 403 => refusal(403, *retry_after_s, "InvalidSignatureException:"),
        status => refusal(*status, *retry_after_s, "ServiceFailureException:"),
    })
}

impl Context {
    /// The signature that this request should bear.
    fn signature(&self, claim: &Claim, request: SignableRequest<'_>) -> Option<String> {
        let mut settings = SigningSettings::default();
        if let Some(expires_s) = claim.expires_s {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(expires_s));
        }
        let identity = Credentials::new(ACCESS_KEY_ID, self.behaviour.key.clone(), None, None, "twin").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&claim.region)
            .name(&claim.service)
            .time(claim.time)
            .settings(settings)
            .build();
        let params: SigningParams<'_> = params.ok()?.into();
        Some(sign(request, &params).ok()?.into_parts().1)
    }

    /// Whether the query of an upgrade is signed with our key.
    fn is_presigned(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let query: Vec<(String, String)> =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let get = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let check = || {
            let claim = Claim::new(get("X-Amz-Credential")?, get("X-Amz-Date")?)?;
            let claim = Claim { expires_s: Some(get("X-Amz-Expires")?.parse().ok()?), ..claim };
            let unsigned = query.iter().filter(|(name, _)| !name.starts_with("X-Amz-"));
            let unsigned = form_urlencoded::Serializer::new(String::new()).extend_pairs(unsigned).finish();
            let host = headers.get("host")?.to_str().ok()?;
            let url = format!("http://{host}{}?{unsigned}", uri.path());
            let request = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::Bytes(&[])).ok()?;
            Some(self.signature(&claim, request)? == get("X-Amz-Signature")?)
        };
        check().unwrap_or(false)
    }

    /// Whether the headers of a request are signed with our key.
    fn is_signed(&self, headers: &HeaderMap, uri: &Uri, body: &[u8]) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let check = || {
            let authorization = text("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
            let part = |name: &str| {
                authorization.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
            };
            let claim = Claim::new(part("Credential")?, text("x-amz-date")?)?;
            // The library signs what it is given, besides what it adds itself.
            let added = ["host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];
            let names = part("SignedHeaders")?.split(';').filter(|name| !added.contains(name));
            let signed: Vec<(&str, &str)> = names.filter_map(|name| Some((name, text(name)?))).collect();
            let url = format!("http://{}{}", text("host")?, uri.path());
            let body = SignableBody::Bytes(body);
            let request = SignableRequest::new("POST", url, signed.into_iter(), body).ok()?;
            Some(self.signature(&claim, request)? == part("Signature")?)
        };
        check().unwrap_or(false)
    }
}

/// What a signature says about itself.
struct Claim {
    region: String,
    service: String,
    time: SystemTime,
    expires_s: Option<u64>,
}

impl Claim {
    fn new(credential: &str, date: &str) -> Option<Self> {
        let mut parts = credential.split('/');
        if parts.next() != Some(ACCESS_KEY_ID) {
            return None;
        }
        let (_, region, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (day, time) = date.split_once('T')?;
        let date = format!(
            "{}-{}-{}T{}:{}:{}",
            day.get(..4)?,
            day.get(4..6)?,
            day.get(6..)?,
            time.get(..2)?,
            time.get(2..4)?,
            time.get(4..)?
        );
        let time = SystemTime::try_from(DateTime::from_str(&date, Format::DateTime).ok()?).ok()?;
        Some(Self { region: region.to_owned(), service: service.to_owned(), time, expires_s: None })
    }
}

async fn transcribe(
    State(context): State<Context>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let query: Vec<(String, String)> =
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let told = query.iter().filter(|(name, _)| !name.starts_with("X-Amz-"));
    let told: Vec<String> = told.map(|(name, value)| format!("{name}={value}")).collect();
    context.shared.record.add(format!("open {}", told.join(" ")));
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(answer) = wished(fault.as_ref()) {
        return answer;
    }
    if !context.is_presigned(&headers, &uri) {
        return refusal(403, None, "InvalidSignatureException:");
    }
    let get = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let rate = get("sample-rate").and_then(|rate| rate.parse().ok()).filter(|rate| (8_000..=48_000).contains(rate));
    let (Some(rate), Some("pcm"), Some(_)) = (rate, get("media-encoding"), get("language-code")) else {
        return refusal(400, None, "BadRequestException:");
    };
    upgrade.on_upgrade(async move |mut socket| {
        let shared = context.shared.clone();
        let course = strike_socket(&mut socket, &shared, fault, |_| None).await;
        tokio::select! {
            () = hear(context, rate, socket, course) => {}
            () = shared.stopped() => {}
        }
        shared.record.add("closed");
    })
}

async fn hear(context: Context, rate: u32, mut socket: WebSocket, course: Course) {
    let (mut outbox, mut muted) = (Outbox::default(), false);
    match course {
        Course::Go(delay) => outbox.delay_all_by(delay),
        Course::Mute => (outbox, muted) = (muted_outbox(), true),
        Course::Over => return,
    }
    let behaviour = Arc::clone(&context.behaviour);
    let answer = Duration::from_millis(behaviour.answer_ms);
    let mut hearing = Hearing::new(context.script.clone(), rate, behaviour.endpoint_ms);
    let (mut struck, mut closing) = (false, false);
    let idle = Duration::from_millis(behaviour.idle_ms);
    let mut idle_at = tokio::time::Instant::now() + idle;
    loop {
        if closing && outbox.is_empty() && !muted {
            return close(&mut socket, 1000, "").await;
        }
        let received = tokio::select! {
            message = outbox.next() => {
                if socket.send(message).await.is_err() {
                    return;
                }
                continue;
            }
            received = socket.recv() => received,
            () = tokio::time::sleep_until(idle_at) => {
                let why = "Your request timed out because no new audio was received for 15 seconds.";
                let _ = socket.send(exception("BadRequestException", why)).await;
                return close(&mut socket, 1000, "").await;
            }
        };
        idle_at = tokio::time::Instant::now() + idle;
        let frame = match received {
            Some(Ok(Message::Binary(frame))) => frame,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            Some(Ok(_)) => continue,
        };
        let Some((audio, is_last)) = audio_of(&frame) else {
            outbox.push(Duration::ZERO, exception("BadRequestException", "The event is not an audio event."));
            closing = true;
            continue;
        };
        context.shared.record.add(format!("audio {}", audio.len()));
        let pcm: Vec<i16> = audio.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        let mut said = hearing.push(&pcm);
        if is_last {
            said.extend(hearing.finish().map(Said::Final));
            closing = true;
        }
        for said in said {
            outbox.push(answer, transcript(&said));
            if std::mem::replace(&mut struck, true) {
                continue;
            }
            let Some(fault) = context.shared.faults.strike(Moment::MidTurn) else { continue };
            if let Ok(first) = tokio::time::timeout(Duration::from_secs(1), outbox.next()).await {
                let _ = socket.send(first).await;
            }
            if matches!(fault, Fault::Status { .. }) {
                let _ = socket.send(exception("InternalFailureException", "As the test wishes.")).await;
            }
            match strike_socket(&mut socket, &context.shared, Some(fault), |_| None).await {
                Course::Go(delay) => outbox.delay_all_by(delay),
                Course::Mute => (outbox, muted) = (muted_outbox(), true),
                Course::Over => return,
            }
        }
    }
}

/// Whoever says nothing says no good-bye either.
fn muted_outbox() -> Outbox {
    let mut outbox = Outbox::default();
    outbox.mute();
    outbox
}

/// The audio of all events in a message of the socket, and whether one of them was the last. The official package for
/// JavaScript puts events together that wait to be sent.
fn audio_of(mut message: &[u8]) -> Option<(Vec<u8>, bool)> {
    let (mut audio, mut is_last) = (Vec::new(), false);
    while !message.is_empty() {
        let length = u32::from_be_bytes(*message.first_chunk()?);
        let (event, rest) = message.split_at_checked(length as usize)?;
        let event = read_message_from(event).ok()?;
        let is_audio = event.headers().iter().any(|header| {
            header.name().as_str() == ":event-type"
                && header.value().as_string().is_ok_and(|value| value.as_str() == "AudioEvent")
        });
        if !is_audio {
            return None;
        }
        is_last |= event.payload().is_empty();
        audio.extend_from_slice(event.payload());
        message = rest;
    }
    Some((audio, is_last))
}

fn event(kind: &'static str, name: &'static str, told: &'static str, body: &Value) -> Message {
    let header = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let event = Event::new(body.to_string().into_bytes())
        .add_header(header(kind, name))
        .add_header(header(":content-type", "application/json"))
        .add_header(header(":message-type", told));
    let mut frame = Vec::new();
    // Only a message of more than 16 MB cannot be written.
    let _ = write_message_to(&event, &mut frame);
    Message::Binary(frame.into())
}

fn exception(name: &'static str, why: &str) -> Message {
    event(":exception-type", name, "exception", &json!({"Message": why}))
}

fn transcript(said: &Said) -> Message {
    let (text, partial) = match said {
        Said::Partial(text) => (text, true),
        Said::Final(text) => (text, false),
    };
    let items: Vec<Value> = text
        .split_whitespace()
        .map(|word| json!({"Content": word, "StartTime": 0.0, "EndTime": 0.1, "Type": "pronunciation"}))
        .collect();
    let alternatives = json!([{"Transcript": text, "Items": items}]);
    let result = json!({"ResultId": "r", "StartTime": 0.0, "EndTime": 1.0, "IsPartial": partial, "ChannelId": "ch_0",
        "Alternatives": alternatives});
    let results = if text.is_empty() { json!([]) } else { json!([result]) };
    event(":event-type", "TranscriptEvent", "event", &json!({"Transcript": {"Results": results}}))
}

async fn speak(State(context): State<Context>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    context.shared.record.add(format!("request {request}"));
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(answer) = wished(fault.as_ref()) {
        return answer;
    }
    if !context.is_signed(&headers, &uri, &body) {
        return refusal(403, None, "InvalidSignatureException:");
    }
    let rate = match (request["OutputFormat"].as_str(), request["SampleRate"].as_str()) {
        (Some("pcm"), Some(rate @ ("8000" | "16000"))) | (Some("mulaw"), Some(rate @ "8000")) => rate,
        _ => return refusal(400, None, "InvalidSampleRateException:"),
    };
    let Some(text) = request["Text"].as_str().filter(|text| text.len() <= 3_000) else {
        return refusal(400, None, "TextLengthExceededException:");
    };
    let pcm = tone(text, rate.parse().unwrap_or(8_000));
    let bytes: Vec<u8> = if request["OutputFormat"] == "mulaw" {
        pcm.iter().map(|sample| encode_ulaw(*sample)).collect()
    } else {
        pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
    };
    match fault {
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Garbage) => return (StatusCode::OK, "}{ not audio").into_response(),
        Some(Fault::Cut | Fault::Refuse) => {
            return axum::body::Body::from_stream(futures_util::stream::once(async {
                Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset))
            }))
            .into_response();
        }
        Some(_) => context.shared.stopped().await,
        None => tokio::time::sleep(Duration::from_millis(context.behaviour.answer_ms)).await,
    }
    let chars = text.chars().count().to_string();
    let headers = [("content-type", "audio/pcm".to_owned()), ("x-amzn-requestcharacters", chars)];
    match context.shared.faults.strike(Moment::MidTurn) {
        Some(fault) => (headers, broken_body(&bytes, &fault)).into_response(),
        None => (headers, bytes).into_response(),
    }
}
