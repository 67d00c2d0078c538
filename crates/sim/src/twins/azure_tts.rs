//! A twin of Azure AI Speech synthesis (`/tts/cognitiveservices/websocket/v1`) and of its list of voices.

use super::Twin;
use super::fault::{Fault, Moment};
use super::roster::Roster;
use super::voice::{self, After, Behaviour, Context, Dialect, Format, Mouth, Refusal, Spoken, converse, query};
use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use quick_xml::events::Event;
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    voice::start(behaviour, |context| {
        Router::new()
            .route("/tts/cognitiveservices/websocket/v1", get(speak))
            .route("/cognitiveservices/voices/list", get(list))
            .with_state(context)
    })
    .await
}

const TICKS_PER_MS: u64 = 10_000;

/// The service says little in the bodies of its refusals.
fn refusal(
    context: &Context,
    fault: Option<&Fault>,
    pairs: &[(String, String)],
    headers: &HeaderMap,
) -> Option<Response> {
    let say = |status: u16, after: Option<u32>| {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        if let Some(secs) = after {
            response.headers_mut().insert("retry-after", HeaderValue::from(secs));
        }
        Some(response)
    };
    if let Some(Fault::Status { status, retry_after_s }) = fault {
        return say(*status, *retry_after_s);
    }
    let name = "Ocp-Apim-Subscription-Key";
    // The vendor's package for browsers cannot send headers and puts the key into the query.
    let sent = headers.get(name).and_then(|value| value.to_str().ok()).or(query(pairs, name));
    if sent == Some(context.behaviour.key.as_str()) { None } else { say(401, None) }
}

async fn list(
    State(context): State<Context>,
    Query(pairs): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    context.shared.record.add("request voices");
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = refusal(&context, fault.as_ref(), &pairs, &headers) {
        return refusal;
    }
    let (all, _) = Roster::default().page(None, usize::MAX);
    let voices: Vec<Value> = all
        .iter()
        .map(|one| {
            let locale = if one.language == "en" { "en-US".to_owned() } else { format!("{}-XX", one.language) };
            json!({"Name": format!("Microsoft Server Speech Text to Speech Voice ({})", one.id), "DisplayName": one.name,
                "LocalName": one.name, "ShortName": one.id, "Locale": locale, "LocaleName": locale,
                "Gender": if one.gender == "female" { "Female" } else { "Male" },
                "SampleRateHertz": "24000", "VoiceType": "Neural", "Status": "GA", "WordsPerMinute": "152"})
        })
        .collect();
    axum::Json(Value::Array(voices)).into_response()
}

async fn speak(
    State(context): State<Context>,
    Query(pairs): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    context.shared.record.add("open");
    let fault = context.shared.faults.strike(Moment::Start);
    if let Some(refusal) = refusal(&context, fault.as_ref(), &pairs, &headers) {
        return refusal;
    }
    let dialect = Usp { is_configured: false, request: String::new(), format: None, tells_words: false };
    converse(upgrade, context.shared, context.behaviour, fault, dialect)
}

struct Usp {
    is_configured: bool,
    /// Of the turn that is under way.
    request: String,
    format: Option<Format>,
    tells_words: bool,
}

fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
}

fn format(name: &str) -> Option<Format> {
    let (ulaw, sample_rate_hz) = match name {
        "raw-8khz-8bit-mono-mulaw" => (true, 8_000),
        "raw-8khz-16bit-mono-pcm" => (false, 8_000),
        "raw-16khz-16bit-mono-pcm" => (false, 16_000),
        "raw-22050hz-16bit-mono-pcm" => (false, 22_050),
        "raw-24khz-16bit-mono-pcm" => (false, 24_000),
        "raw-48khz-16bit-mono-pcm" => (false, 48_000),
        _ => return None,
    };
    Some(Format { ulaw, sample_rate_hz })
}

/// The voice and the text of a document.
fn read_ssml(ssml: &str) -> Option<(String, String)> {
    let mut reader = quick_xml::Reader::from_str(ssml);
    let (mut voice, mut text, mut is_speech) = (None, String::new(), false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                is_speech |= tag.name().as_ref() == "speak";
                if tag.name().as_ref() == "voice" {
                    let name = tag.try_get_attribute("name").ok()??;
                    voice = quick_xml::escape::unescape(&name.value).ok().map(|it| it.into_owned());
                }
            }
            Event::Text(piece) => text.push_str(&piece),
            Event::GeneralRef(name) => {
                text.push_str(&quick_xml::escape::unescape(&format!("&{};", &*name)).ok()?);
            }
            Event::Eof => return is_speech.then_some((voice?, text)),
            _ => {}
        }
    }
}

impl Usp {
    fn say(&self, path: &str, body: &Value) -> Message {
        let request = &self.request;
        Message::Text(
            format!(
                "X-RequestId:{request}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n{body}"
            )
            .into(),
        )
    }

    fn frame(&self, audio: &[u8]) -> Message {
        let kind = if audio.is_empty() { "" } else { "Content-Type:audio/basic\r\n" };
        let head = format!("X-RequestId:{}\r\n{kind}X-StreamId:TWIN\r\nPath:audio\r\n", self.request);
        let length = (head.len() as u16).to_be_bytes();
        Message::Binary([&length[..], head.as_bytes(), audio].concat().into())
    }

    fn speak(&self, ssml: &str, mouth: &mut Mouth) -> Result<(), Refusal> {
        let refuse = |reason| Refusal { say: None, code: 1007, reason };
        let format = self.format.ok_or_else(|| refuse("Unsupported output format"))?;
        let (voice, text) = read_ssml(ssml).ok_or_else(|| refuse("The SSML is not well formed"))?;
        if mouth.behaviour.is_unknown(&voice) {
            return Err(refuse("Unsupported voice"));
        }
        let context = json!({"context": {"serviceTag": "twin"}});
        mouth.say(self.say("turn.start", &context));
        let stream = json!({"context": {"serviceTag": "twin"}, "audio": {"type": "inline", "streamId": "TWIN"}});
        mouth.say(self.say("response", &stream));
        let spoken = Spoken::new(&mouth.behaviour, format, &text);
        let mut messages: Vec<Message> = spoken.pieces.iter().map(|piece| self.frame(piece)).collect();
        if self.tells_words {
            let words: Vec<Value> = spoken
                .words
                .iter()
                .filter_map(|(word, from, to)| {
                    // Marks behind a word are told apart from it.
                    let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
                    let (from_ms, to_ms) = (format.ms(*from), format.ms(*to));
                    let text = json!({"Text": bare, "Length": bare.chars().count(), "BoundaryType": "WordBoundary"});
                    let data = json!({"Offset": from_ms * TICKS_PER_MS, "Duration": (to_ms - from_ms) * TICKS_PER_MS,
                        "text": text});
                    (!bare.is_empty()).then(|| json!({"Type": "WordBoundary", "Data": data}))
                })
                .collect();
            messages.insert(messages.len().min(1), self.say("audio.metadata", &json!({"Metadata": words})));
        }
        messages.push(self.frame(&[]));
        messages.push(self.say("turn.end", &json!({})));
        mouth.speak(messages);
        Ok(())
    }
}

impl Dialect for Usp {
    fn on_message(&mut self, message: &Message, mouth: &mut Mouth) -> Result<After, Refusal> {
        let refuse = |reason| Refusal { say: None, code: 1002, reason };
        let Message::Text(text) = message else { return Err(refuse("no audio is expected")) };
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| refuse("a message has headers"))?;
        let path = header(head, "Path").ok_or_else(|| refuse("a message has a path"))?;
        let request = header(head, "X-RequestId").unwrap_or_default();
        let is_id = request.len() == 32 && request.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id || header(head, "X-Timestamp").is_none() {
            return Err(refuse("a message has an id and a time"));
        }
        if path != "speech.config" && !self.is_configured {
            return Err(refuse("the client says who it is first"));
        }
        match path {
            "speech.config" => self.is_configured = true,
            "synthesis.context" => {
                let context: Value = serde_json::from_str(body).map_err(|_| refuse("the context is no JSON"))?;
                let audio = &context["synthesis"]["audio"];
                self.format = audio["outputFormat"].as_str().and_then(format);
                self.tells_words = audio["metadataOptions"]["wordBoundaryEnabled"] == "true";
                self.request = request.to_owned();
            }
            "ssml" if request == self.request => self.speak(body, mouth)?,
            "ssml" => return Err(refuse("the context is of another request")),
            "synthesis.control" => mouth.hush(),
            // `telemetry`.
            _ => {}
        }
        Ok(After::GoOn)
    }

    /// The service has no word for an error but the close.
    fn error(&self, _: u16) -> Option<String> {
        None
    }
}
