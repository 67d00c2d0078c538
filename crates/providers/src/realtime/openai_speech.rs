//! OpenAI's Realtime API as a brain that hears and speaks, `wss://api.openai.com/v1/realtime?model=…`.
//!
//! Source: developers.openai.com, "Realtime conversations", "Realtime with WebSockets" and the reference of the events. Audio
//! is µ-law at 8000 Hz on a telephone line and 16-bit at 24000 Hz elsewhere. Turn detection is off. Only one answer can be
//! active: the next one is asked for when the last, called off, has said so.

use super::{
    RealtimeAsk, RealtimeEvent, RealtimeItem, RealtimeOpen, RealtimeProtocol, RealtimeUsage, bytes_of, samples_of,
};
use crate::answer::{classify_status, error_code, is_code};
use crate::llm::tools::{parameters, whole_call};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use base::limits::{TOOL_ARGS_BYTES_MAX, TOOL_CALLS_PER_GENERATION_MAX};
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::generation::{Finish, GenerationEvent};
use model::routing::{Feature, Region};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "openai_speech",
    title: "OpenAI Realtime",
    base_url: "https://api.openai.com/v1",
    key_env: "OPENAI_API_KEY",
    base_url_env: "OPENAI_BASE_URL",
    model_env: Some("OPENAI_SPEECH_MODEL"),
    voice_env: Some("OPENAI_SPEECH_VOICE"),
    model: Some("gpt-realtime-2.1-mini"),
    voice: Some("marin"),
    extra: &[
        ("transcription_model", "Model that writes down what the caller says; default `gpt-live-transcribe`."),
        ("speed", "How fast it speaks, from 0.25 to 1.5; default 1."),
        ("noise_reduction", "`near_field`, `far_field` or `off` (default)."),
    ],
    key_optional: false,
    region: Some(Region::Us),
    features: &[Feature::Tools, Feature::PromptCache],
    quality: 85,
    ..Descriptor::NONE
};

const NARROW_HZ: u32 = 8_000;
const WIDE_HZ: u32 = 24_000;
/// The service refuses to commit less.
const COMMIT_MS_MIN: u64 = 100;
/// A second of speech is about four tokens of text and twenty of audio.
const TOKENS_PER_TEXT_TOKEN: u32 = 6;
const TOKENS_MAX: u32 = 4_096;

struct Config {
    url: String,
    key: Option<Secret<String>>,
    voice: String,
    transcription_model: String,
    speed: Option<f64>,
    noise_reduction: Option<String>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn RealtimeProtocol>, OptionsError> {
    let mut url = settings.ws_url(&["realtime"]);
    url.query_pairs_mut().append_pair("model", settings.model());
    let noise_reduction = settings.choice("noise_reduction", &["off", "near_field", "far_field"])?;
    let config = Arc::new(Config {
        url: url.into(),
        key: settings.key().cloned(),
        voice: settings.voice().to_owned(),
        transcription_model: settings.text("transcription_model").unwrap_or("gpt-live-transcribe").to_owned(),
        speed: settings.number("speed", 0.25..=1.5)?,
        noise_reduction: noise_reduction.filter(|kind| *kind != "off").map(str::to_owned),
    });
    Ok(Box::new(move || Box::new(Conversation::new(config.clone()))))
}

struct Conversation {
    config: Arc<Config>,
    rate_hz: u32,
    instructions: String,
    ready: bool,
    /// Samples that were pushed and not committed.
    uncommitted: u64,
    /// Words of the piece that is being transcribed.
    hearing: String,
    answer: Answer,
    /// The answer that is asked for once the one in progress has ended.
    queued: Option<Wire>,
    /// Answers that were called off before the service told their ids.
    to_ignore: u32,
    over: bool,
}

/// The answer in progress, or the last one.
#[derive(Default)]
struct Answer {
    /// Asked for, and neither done nor refused.
    active: bool,
    id: String,
    called_off: bool,
    /// The message that the service speaks.
    item: Option<String>,
    calls: Vec<GenerationEvent>,
    samples: u64,
}

impl Conversation {
    fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            rate_hz: NARROW_HZ,
            instructions: String::new(),
            ready: false,
            uncommitted: 0,
            hearing: String::new(),
            answer: Answer::default(),
            queued: None,
            to_ignore: 0,
            over: false,
        }
    }

    fn session(&self, open: &RealtimeOpen) -> Value {
        let kind = if self.rate_hz == NARROW_HZ { "audio/pcmu" } else { "audio/pcm" };
        let mut format = json!({"type": kind});
        if self.rate_hz == WIDE_HZ {
            format["rate"] = json!(WIDE_HZ);
        }
        let language = open.language.split('-').next().unwrap_or_default();
        let mut input = json!({"format": format, "turn_detection": null,
            "transcription": {"model": self.config.transcription_model, "language": language}});
        if let Some(kind) = &self.config.noise_reduction {
            input["noise_reduction"] = json!({"type": kind});
        }
        let mut output = json!({"format": format, "voice": self.config.voice});
        if let Some(speed) = self.config.speed {
            output["speed"] = json!(speed);
        }
        let tool = |tool: &model::tool::ToolSpec| {
            json!({"type": "function", "name": tool.name, "description": tool.description,
                "parameters": parameters(tool, false)})
        };
        let tools: Vec<Value> = open.tools.iter().map(tool).collect();
        json!({"type": "realtime", "instructions": open.instructions, "output_modalities": ["audio"],
            "audio": {"input": input, "output": output}, "tools": tools, "tool_choice": "auto"})
    }

    fn fail(&mut self, class: ErrorClass, detail: impl Into<String>, events: &mut Vec<RealtimeEvent>) {
        if !std::mem::replace(&mut self.over, true) {
            events.push(RealtimeEvent::Failed(Failure::new(class, detail)));
        }
    }

    /// Whether an event belongs to the answer that somebody waits for.
    fn is_awaited(&self, json: &Value) -> bool {
        self.answer.active && !self.answer.called_off && json["response_id"] == self.answer.id.as_str()
    }

    fn on_event(&mut self, json: &Value, events: &mut Vec<RealtimeEvent>, out: &mut Vec<Wire>) {
        let text = |key: &str| json[key].as_str().unwrap_or_default();
        match text("type") {
            "session.updated" if !std::mem::replace(&mut self.ready, true) => events.push(RealtimeEvent::Ready),
            "conversation.item.input_audio_transcription.delta" => {
                self.hearing.push_str(text("delta"));
                events.push(RealtimeEvent::Hearing { text: self.hearing.trim().to_owned() });
            }
            "conversation.item.input_audio_transcription.completed" => {
                self.hearing.clear();
                events.push(RealtimeEvent::Heard { text: text("transcript").trim().to_owned() });
            }
            "conversation.item.input_audio_transcription.failed" => {
                self.hearing.clear();
                events.push(RealtimeEvent::Heard { text: String::new() });
            }
            "response.created" => self.on_created(&json["response"], events),
            "response.output_item.added" if self.is_awaited(json) && json["item"]["type"] == "message" => {
                self.answer.item = json["item"]["id"].as_str().map(str::to_owned);
            }
            "response.output_audio_transcript.delta" | "response.output_text.delta" if self.is_awaited(json) => {
                events.push(RealtimeEvent::Text { delta: text("delta").to_owned() });
            }
            "response.output_audio.delta" if self.is_awaited(json) => match BASE64.decode(text("delta")) {
                Ok(bytes) => {
                    let pcm = self.decoded(&bytes);
                    self.answer.samples += pcm.len() as u64;
                    events.push(RealtimeEvent::Audio { pcm });
                }
                Err(_) => self.fail(ErrorClass::Protocol, "the service sent audio that is none", events),
            },
            "response.function_call_arguments.done" if self.is_awaited(json) => self.on_call(json, events),
            "response.done" => self.on_done(&json["response"], events, out),
            "error" => self.on_error(json, events, out),
            _ => {}
        }
    }

    fn decoded(&self, bytes: &[u8]) -> Vec<i16> {
        if self.rate_hz == NARROW_HZ { bytes.iter().map(|byte| decode_ulaw(*byte)).collect() } else { samples_of(bytes) }
    }

    fn on_created(&mut self, response: &Value, events: &mut Vec<RealtimeEvent>) {
        let id = response["id"].as_str().unwrap_or_default().to_owned();
        if self.to_ignore > 0 {
            self.to_ignore -= 1;
            self.answer.id = id;
        } else if self.answer.active && self.answer.id.is_empty() {
            self.answer.id = id;
            events.push(RealtimeEvent::Started);
        }
    }

    fn on_call(&mut self, json: &Value, events: &mut Vec<RealtimeEvent>) {
        let text = |key: &str| json[key].as_str().unwrap_or_default();
        let args = text("arguments");
        let count = self.answer.calls.len();
        let call = whole_call(count, text("call_id").to_owned(), text("name").to_owned(), args);
        match call.filter(|_| args.len() <= TOOL_ARGS_BYTES_MAX && count < TOOL_CALLS_PER_GENERATION_MAX) {
            Some(call) => self.answer.calls.push(call),
            None => self.fail(ErrorClass::Protocol, "the service sent a tool call that is none", events),
        }
    }

    fn on_done(&mut self, response: &Value, events: &mut Vec<RealtimeEvent>, out: &mut Vec<Wire>) {
        if let Some(usage) = usage_of(&response["usage"]) {
            events.push(RealtimeEvent::Usage(usage));
        }
        if !self.answer.active || response["id"] != self.answer.id.as_str() {
            return;
        }
        self.answer.active = false;
        if self.answer.called_off {
            self.send_queued(out);
            return;
        }
        let reason = response["status_details"]["reason"].as_str().unwrap_or_default();
        let calls = std::mem::take(&mut self.answer.calls);
        let finish = match response["status"].as_str() {
            Some("failed") => {
                let code = response.pointer("/status_details/error/code").and_then(Value::as_str).unwrap_or_default();
                let class = code_class(code).unwrap_or(ErrorClass::Unavailable);
                let shown = if is_code(code) { code } else { "" };
                events.push(RealtimeEvent::Refused(Failure::new(class, format!("the service did not answer {shown}"))));
                return;
            }
            Some("incomplete") if reason == "content_filter" => Finish::Filtered,
            Some("incomplete") => Finish::Length,
            _ if calls.is_empty() => Finish::Stop,
            _ => Finish::ToolCalls,
        };
        if finish == Finish::ToolCalls {
            events.extend(calls.into_iter().filter_map(|call| match call {
                GenerationEvent::ToolCall { id, name, args } => Some(RealtimeEvent::ToolCall { id, name, args }),
                _ => None,
            }));
        }
        events.push(RealtimeEvent::Done { finish });
    }

    fn send_queued(&mut self, out: &mut Vec<Wire>) {
        if let Some(ask) = self.queued.take() {
            self.answer = Answer { active: true, ..Answer::default() };
            out.push(ask);
        }
    }

    fn on_error(&mut self, json: &Value, events: &mut Vec<RealtimeEvent>, out: &mut Vec<Wire>) {
        let code = json["error"]["code"].as_str().or(json["error"]["type"].as_str()).unwrap_or_default();
        let class = code_class(code).unwrap_or(ErrorClass::Invalid);
        let shown = if is_code(code) { code } else { "" };
        match code {
            // It was over already, or there was too little to hear.
            "response_cancel_not_active" if self.answer.called_off => {
                self.answer.active = false;
                self.to_ignore = 0;
                self.send_queued(out);
            }
            "response_cancel_not_active" => {}
            "input_audio_buffer_commit_empty" => events.push(RealtimeEvent::Heard { text: String::new() }),
            "session_expired" | "insufficient_quota" | "credit_balance_exhausted" | "invalid_api_key" => {
                self.fail(class, format!("the service ended the conversation {shown}"), events);
            }
            _ if self.answer.active && self.answer.id.is_empty() && !self.answer.called_off => {
                self.answer.active = false;
                events.push(RealtimeEvent::Refused(Failure::new(class, format!("the service did not answer {shown}"))));
            }
            _ if !self.ready => self.fail(class, format!("the service refused the settings {shown}"), events),
            _ => {} // Of an item of the past, which the next answer does without.
        }
    }
}

fn message(json: &Value) -> Wire {
    Wire::Text(json.to_string())
}

fn usage_of(usage: &Value) -> Option<RealtimeUsage> {
    let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    count("/input_tokens").or(count("/output_tokens"))?;
    Some(RealtimeUsage {
        text_in: count("/input_token_details/text_tokens").unwrap_or(0),
        audio_in: count("/input_token_details/audio_tokens").unwrap_or(0),
        cached: count("/input_token_details/cached_tokens").unwrap_or(0),
        text_out: count("/output_token_details/text_tokens").unwrap_or(0),
        audio_out: count("/output_token_details/audio_tokens").unwrap_or(0),
    })
}

fn code_class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "insufficient_quota" | "credit_balance_exhausted" | "organization_spend_limit_exceeded" => ErrorClass::Quota,
        "rate_limit_exceeded" | "rate_limit_error" | "slow_down" => ErrorClass::RateLimited,
        "invalid_api_key" => ErrorClass::Auth,
        "content_filter" => ErrorClass::Refused,
        "session_expired" | "server_error" | "server_is_overloaded" => ErrorClass::Unavailable,
        _ => return None,
    })
}

impl RealtimeProtocol for Conversation {
    fn connect(&mut self, open: &RealtimeOpen) -> Connect {
        self.rate_hz = if open.sample_rate_hz == NARROW_HZ { NARROW_HZ } else { WIDE_HZ };
        self.instructions = open.instructions.clone();
        let first = message(&json!({"type": "session.update", "session": self.session(open)}));
        let key = self.config.key.iter();
        let headers = key.map(|key| Header::secret("authorization", format!("Bearer {}", key.expose()))).collect();
        Connect { headers, first: vec![first], ..Connect::websocket(self.config.url.clone()) }
    }

    fn input_rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn output_rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        if pcm.is_empty() {
            return;
        }
        let narrow = self.rate_hz == NARROW_HZ;
        let bytes =
            if narrow { pcm.iter().map(|sample| encode_ulaw(*sample)).collect() } else { bytes_of(pcm) };
        self.uncommitted += pcm.len() as u64;
        out.push(message(&json!({"type": "input_audio_buffer.append", "audio": BASE64.encode(bytes)})));
    }

    fn speech_started(&mut self, _out: &mut Vec<Wire>) {}

    fn commit(&mut self, out: &mut Vec<Wire>) -> bool {
        if self.uncommitted * 1_000 < COMMIT_MS_MIN * u64::from(self.rate_hz) {
            return false;
        }
        self.uncommitted = 0;
        out.push(message(&json!({"type": "input_audio_buffer.commit"})));
        true
    }

    fn add(&mut self, item: &RealtimeItem, out: &mut Vec<Wire>) {
        let item = match item {
            RealtimeItem::Customer { text } => {
                json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
            }
            RealtimeItem::Agent { text } => {
                json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]})
            }
            RealtimeItem::ToolResult { id, text, .. } => {
                json!({"type": "function_call_output", "call_id": id, "output": text})
            }
        };
        out.push(message(&json!({"type": "conversation.item.create", "item": item})));
    }

    fn respond(&mut self, ask: &RealtimeAsk, out: &mut Vec<Wire>) {
        if ask.instructions != self.instructions {
            self.instructions.clone_from(&ask.instructions);
            let session = json!({"type": "realtime", "instructions": ask.instructions});
            out.push(message(&json!({"type": "session.update", "session": session})));
        }
        let tokens = ask.tokens_max.saturating_mul(TOKENS_PER_TEXT_TOKEN).min(TOKENS_MAX);
        let wanted = message(&json!({"type": "response.create", "response": {"max_output_tokens": tokens}}));
        if self.answer.active {
            self.cancel(out);
            self.queued = Some(wanted);
            return;
        }
        self.answer = Answer { active: true, ..Answer::default() };
        out.push(wanted);
    }

    fn cancel(&mut self, out: &mut Vec<Wire>) {
        self.queued = None;
        if !self.answer.active || std::mem::replace(&mut self.answer.called_off, true) {
            return;
        }
        self.to_ignore += u32::from(self.answer.id.is_empty());
        out.push(message(&json!({"type": "response.cancel"})));
    }

    fn trim(&mut self, heard_ms: u64, _heard_text: &str, out: &mut Vec<Wire>) {
        let Some(item) = self.answer.item.take() else { return };
        if heard_ms == 0 {
            out.push(message(&json!({"type": "conversation.item.delete", "item_id": item})));
            return;
        }
        // More than there is would be refused.
        let made_ms = self.answer.samples * 1_000 / u64::from(self.rate_hz);
        let end_ms = heard_ms.min(made_ms);
        out.push(message(
            &json!({"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": end_ms}),
        ));
    }

    fn on_message(&mut self, wire: &Wire, events: &mut Vec<RealtimeEvent>, out: &mut Vec<Wire>) {
        if self.over {
            return;
        }
        match wire {
            Wire::Text(text) => match serde_json::from_str::<Value>(text) {
                Ok(json) => self.on_event(&json, events, out),
                Err(_) => self.fail(ErrorClass::Protocol, "the service sent a message that is not JSON", events),
            },
            Wire::Close(code, reason) => {
                let shown = error_code(reason).unwrap_or_default();
                let class = self.classify(*code, reason);
                self.fail(class, format!("the service closed with {code} {shown}"), events);
            }
            _ => self.fail(ErrorClass::Protocol, "the service sent a message of another kind", events),
        }
    }

    fn close(&mut self, out: &mut Vec<Wire>) {
        self.over = true;
        out.push(Wire::Close(1000, "".into()));
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).and_then(|code| code_class(&code)).unwrap_or_else(|| classify_status(status))
    }
}
