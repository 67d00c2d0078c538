//! Google's Gemini Live API as a brain that hears and speaks: one `BidiGenerateContent` WebSocket.
//!
//! Source: ai.google.dev, "Live API", "Live API - WebSockets API reference". Detection of activity is off: speech is framed
//! by `activityStart` and `activityEnd`, and the service answers by itself when an activity ends or a tool has answered. It
//! has no way to shorten what it said: what was not heard of an answer is told in words with the next turn. Instructions and
//! tools are fixed when the conversation is set up. A connection lives for about ten minutes: when the service says `goAway`,
//! the conversation goes on over another one with the handle that it gave ("Session management with Live API").

use super::{
    RealtimeAsk, RealtimeEvent, RealtimeItem, RealtimeOpen, RealtimeProtocol, RealtimeUsage, bytes_of, samples_of,
};
use crate::answer::{classify_status, error_code};
use crate::llm::tools::{parameters, whole_call};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::limits::TOOL_CALLS_PER_GENERATION_MAX;
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::generation::{Finish, GenerationEvent};
use model::routing::{Feature, Region};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "gemini_live",
    title: "Google Gemini Live",
    base_url: "https://generativelanguage.googleapis.com",
    key_env: "GEMINI_API_KEY",
    base_url_env: "GEMINI_BASE_URL",
    model_env: Some("GEMINI_LIVE_MODEL"),
    voice_env: Some("GEMINI_LIVE_VOICE"),
    model: Some("gemini-3.8-live"),
    voice: Some("Kore"),
    extra: &[
        ("temperature", "Randomness from 0 to 2; left to the model when unset."),
        ("thinking_budget", "Tokens that the model may think before it answers, from 0; left out when unset."),
    ],
    key_optional: false,
    region: Some(Region::Global),
    features: &[Feature::Tools],
    quality: 80,
    ..Descriptor::NONE
};

const PATH: [&str; 2] = ["ws", "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"];
const OUTPUT_HZ: u32 = 24_000;
/// Audio before the voice was noticed, which belongs to what is said.
const LEAD_IN_MS: usize = 400;
/// Audio of a caller who speaks while the service answers.
const HELD_MS: usize = 15_000;

struct Config {
    url: String,
    key: Option<Secret<String>>,
    model: String,
    voice: String,
    temperature: Option<f64>,
    thinking_budget: Option<u64>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn RealtimeProtocol>, OptionsError> {
    let config = Arc::new(Config {
        url: settings.ws_url(&PATH).into(),
        key: settings.key().cloned(),
        model: format!("models/{}", settings.model()),
        voice: settings.voice().to_owned(),
        temperature: settings.number("temperature", 0.0..=2.0)?,
        thinking_budget: settings.whole("thinking_budget", 0..=100_000)?,
    });
    Ok(Box::new(move || Box::new(Live::new(config.clone()))))
}

struct Live {
    config: Arc<Config>,
    rate_hz: u32,
    ready: bool,
    /// What came before the voice was noticed.
    lead_in: VecDeque<i16>,
    /// The caller is speaking, and the service hears it.
    in_activity: bool,
    /// The caller is speaking, and the service will hear it: an activity interrupts its answer, which is for the engine to
    /// decide.
    is_held: bool,
    /// What is being said, or was committed and waits for the rest of its words.
    hearing: Option<String>,
    /// The answer before this activity was interrupted, and the service has not said so yet: what comes belongs to it.
    is_stale: bool,
    /// It has said so; the end of the turn may still follow.
    is_cut_short: bool,
    /// What is told with the next answer: turns and results of tools.
    turns: Vec<Value>,
    results: Vec<Value>,
    answer: Answer,
    /// What the conversation was set up with.
    setup: Value,
    /// With this another connection goes on with the conversation as it is.
    handle: Option<String>,
    /// The service said that it will end this connection.
    leaving: bool,
    over: bool,
}

/// The answer in progress, or the last one.
#[derive(Default)]
struct Answer {
    /// The service answers, or will without being asked.
    active: bool,
    started: bool,
    called_off: bool,
    /// The service answers by itself, and nobody has asked for it yet.
    is_unasked: bool,
    calls: Vec<GenerationEvent>,
}

impl Live {
    fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            rate_hz: 8_000,
            ready: false,
            lead_in: VecDeque::new(),
            in_activity: false,
            is_held: false,
            hearing: None,
            is_stale: false,
            is_cut_short: false,
            turns: Vec::new(),
            results: Vec::new(),
            answer: Answer::default(),
            setup: Value::Null,
            handle: None,
            leaving: false,
            over: false,
        }
    }

    fn setup(&self, open: &RealtimeOpen) -> Value {
        let config = &self.config;
        let speech = json!({"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": config.voice}},
            "languageCode": open.language});
        let mut generation = json!({"responseModalities": ["AUDIO"], "speechConfig": speech});
        if let Some(temperature) = config.temperature {
            generation["temperature"] = json!(temperature);
        }
        if let Some(tokens) = config.thinking_budget {
            generation["thinkingConfig"] = json!({"thinkingBudget": tokens});
        }
        let mut setup = json!({"model": config.model, "generationConfig": generation,
            "systemInstruction": {"parts": [{"text": open.instructions}]},
            "inputAudioTranscription": {}, "outputAudioTranscription": {},
            "realtimeInputConfig": {"automaticActivityDetection": {"disabled": true}},
            "contextWindowCompression": {"slidingWindow": {}}, "sessionResumption": {}});
        if !open.tools.is_empty() {
            let declare = |tool: &model::tool::ToolSpec| {
                json!({"name": tool.name, "description": tool.description,
                    "parametersJsonSchema": parameters(tool, false)})
            };
            let declared: Vec<Value> = open.tools.iter().map(declare).collect();
            setup["tools"] = json!([{"functionDeclarations": declared}]);
        }
        json!({"setup": setup})
    }

    fn connection(&self) -> Connect {
        let key = self.config.key.iter();
        let headers = key.map(|key| Header::secret("x-goog-api-key", key.expose().clone())).collect();
        Connect { headers, first: vec![message(&self.setup)], ..Connect::websocket(self.config.url.clone()) }
    }

    /// Goes on over another connection, as soon as that loses nothing. Returns whether it does.
    fn move_on(&mut self, events: &mut Vec<RealtimeEvent>) -> bool {
        let is_idle = !self.in_activity && !self.is_held && !self.answer.active && self.hearing.is_none();
        if !(self.leaving && self.ready && is_idle) {
            return false;
        }
        let Some(handle) = self.handle.take() else { return false };
        self.setup["setup"]["sessionResumption"] = json!({"handle": handle});
        (self.ready, self.leaving, self.is_stale, self.is_cut_short) = (false, false, false, false);
        events.push(RealtimeEvent::Elsewhere { connect: Box::new(self.connection()) });
        true
    }

    fn fail(&mut self, class: ErrorClass, detail: impl Into<String>, events: &mut Vec<RealtimeEvent>) {
        if !std::mem::replace(&mut self.over, true) {
            events.push(RealtimeEvent::Failed(Failure::new(class, detail)));
        }
    }

    fn send_audio(&self, pcm: &[i16], out: &mut Vec<Wire>) {
        if !pcm.is_empty() {
            let audio = json!({"data": BASE64.encode(bytes_of(pcm)), "mimeType": format!("audio/pcm;rate={}", self.rate_hz)});
            out.push(message(&json!({"realtimeInput": {"audio": audio}})));
        }
    }

    fn on_json(&mut self, json: &Value, events: &mut Vec<RealtimeEvent>) {
        if json.get("setupComplete").is_some() && !std::mem::replace(&mut self.ready, true) {
            events.push(RealtimeEvent::Ready);
        }
        self.leaving |= json.get("goAway").is_some();
        if let Some(update) = json.get("sessionResumptionUpdate") {
            let handle = update["newHandle"].as_str().filter(|handle| update["resumable"] == true && !handle.is_empty());
            self.handle = handle.map(str::to_owned);
        }
        if let Some(calls) = json.pointer("/toolCall/functionCalls").and_then(Value::as_array) {
            self.on_calls(calls, events);
        }
        if let Some(content) = json.get("serverContent") {
            self.on_content(content, json.get("usageMetadata"), events);
        } else if let Some(usage) = json.get("usageMetadata").and_then(usage_of) {
            events.push(RealtimeEvent::Usage(usage));
        }
        if !self.over {
            self.move_on(events);
        }
    }

    fn start(&mut self, events: &mut Vec<RealtimeEvent>) -> bool {
        let awaited = self.answer.active && !self.answer.called_off;
        if awaited && !std::mem::replace(&mut self.answer.started, true) {
            events.push(RealtimeEvent::Started);
        }
        awaited
    }

    fn on_calls(&mut self, calls: &[Value], events: &mut Vec<RealtimeEvent>) {
        if self.is_stale {
            return;
        }
        self.flush_heard(events);
        if !self.start(events) {
            return;
        }
        let made = calls.iter().take(TOOL_CALLS_PER_GENERATION_MAX).enumerate().map(|(at, call)| {
            let text = |key: &str| call[key].as_str().unwrap_or_default().to_owned();
            let args = call.get("args").filter(|args| !args.is_null()).map(Value::to_string).unwrap_or_default();
            whole_call(at, text("id"), text("name"), &args)
        });
        match made.collect::<Option<Vec<_>>>() {
            Some(made) => self.answer.calls.extend(made),
            None => return self.fail(ErrorClass::Protocol, "the service sent a tool call that is none", events),
        }
        // It waits for the results and says nothing more of this turn.
        self.answer.active = false;
        let calls = std::mem::take(&mut self.answer.calls);
        events.extend(calls.into_iter().filter_map(|call| match call {
            GenerationEvent::ToolCall { id, name, args } => Some(RealtimeEvent::ToolCall { id, name, args }),
            _ => None,
        }));
        events.push(RealtimeEvent::Done { finish: Finish::ToolCalls });
    }

    fn on_content(&mut self, content: &Value, usage: Option<&Value>, events: &mut Vec<RealtimeEvent>) {
        let words = |key: &str| content[key]["text"].as_str().filter(|text| !text.is_empty());
        if let (Some(text), Some(hearing)) = (words("inputTranscription"), self.hearing.as_mut()) {
            hearing.push_str(text);
            events.push(RealtimeEvent::Hearing { text: hearing.trim().to_owned() });
        }
        let complete = content["turnComplete"] == true || content["interrupted"] == true;
        let interrupted = content["interrupted"] == true;
        // What has not begun cannot be interrupted: that was the turn before.
        let is_of_the_past = self.is_stale
            || (interrupted && !self.answer.started)
            || (self.is_cut_short && content["turnComplete"] == true);
        self.is_cut_short = interrupted || (self.is_cut_short && !complete);
        if is_of_the_past {
            self.is_stale &= !complete;
            events.extend(usage.and_then(usage_of).map(RealtimeEvent::Usage));
            return;
        }
        let parts = content.pointer("/modelTurn/parts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let spoken = words("outputTranscription");
        let answers = !parts.is_empty() || spoken.is_some();
        if answers || complete || content["inputTranscription"]["finished"] == true {
            // The words of the caller are complete when the answer begins.
            self.flush_heard(events);
        }
        self.is_cut_short &= !answers;
        if answers && self.start(events) {
            events.extend(spoken.map(|text| RealtimeEvent::Text { delta: text.to_owned() }));
            for part in parts {
                let Some(data) = part["inlineData"]["data"].as_str() else { continue };
                match BASE64.decode(data) {
                    Ok(bytes) => events.push(RealtimeEvent::Audio { pcm: samples_of(&bytes) }),
                    Err(_) => return self.fail(ErrorClass::Protocol, "the service sent audio that is none", events),
                }
            }
        }
        events.extend(usage.and_then(usage_of).map(RealtimeEvent::Usage));
        if complete && std::mem::take(&mut self.answer.active) && !self.answer.called_off {
            if !self.answer.started {
                events.push(RealtimeEvent::Started);
            }
            let finish = if interrupted { Finish::Length } else { Finish::Stop };
            events.push(RealtimeEvent::Done { finish });
        }
    }

    fn flush_heard(&mut self, events: &mut Vec<RealtimeEvent>) {
        if let Some(text) = self.hearing.take_if(|_| !self.in_activity) {
            events.push(RealtimeEvent::Heard { text: text.trim().to_owned() });
        }
    }

    /// Somebody waits for the answer in progress.
    fn is_answering(&self) -> bool {
        self.answer.active && !self.answer.called_off && !self.answer.is_unasked
    }

    /// From now on the service hears the caller. This interrupts what it says.
    fn begin_activity(&mut self, out: &mut Vec<Wire>) {
        (self.in_activity, self.is_held) = (true, false);
        if !self.turns.is_empty() {
            let turns = std::mem::take(&mut self.turns);
            out.push(message(&json!({"clientContent": {"turns": turns, "turnComplete": false}})));
        }
        out.push(message(&json!({"realtimeInput": {"activityStart": {}}})));
        let lead_in: Vec<i16> = self.lead_in.drain(..).collect();
        self.send_audio(&lead_in, out);
        self.hearing.get_or_insert_default();
        self.is_stale |= std::mem::take(&mut self.answer.active);
        self.answer.is_unasked = false;
    }

    fn turn(role: &str, text: &str) -> Value {
        json!({"role": role, "parts": [{"text": text}]})
    }
}

fn message(json: &Value) -> Wire {
    Wire::Text(json.to_string())
}

fn usage_of(usage: &Value) -> Option<RealtimeUsage> {
    let count = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let of = |list: &str, modality: &str| {
        let entries = usage[list].as_array().map(Vec::as_slice).unwrap_or_default();
        entries.iter().filter(|entry| entry["modality"] == modality).map(|entry| count(&entry["tokenCount"])).sum()
    };
    usage.get("totalTokenCount")?;
    let audio_in: u32 = of("promptTokensDetails", "AUDIO");
    let audio_out: u32 = of("responseTokensDetails", "AUDIO");
    let thoughts = count(&usage["thoughtsTokenCount"]);
    Some(RealtimeUsage {
        text_in: count(&usage["promptTokenCount"]).saturating_sub(audio_in),
        audio_in,
        cached: count(&usage["cachedContentTokenCount"]),
        text_out: count(&usage["responseTokenCount"]).saturating_sub(audio_out).saturating_add(thoughts),
        audio_out,
    })
}

impl RealtimeProtocol for Live {
    fn connect(&mut self, open: &RealtimeOpen) -> Connect {
        self.rate_hz = open.sample_rate_hz;
        self.setup = self.setup(open);
        self.connection()
    }

    fn input_rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn output_rate_hz(&self) -> u32 {
        OUTPUT_HZ
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        if self.is_held && !self.is_answering() {
            self.begin_activity(out);
        }
        if self.in_activity {
            self.send_audio(pcm, out);
            return;
        }
        self.lead_in.extend(pcm);
        let kept_ms = if self.is_held { HELD_MS } else { LEAD_IN_MS };
        let over = self.lead_in.len().saturating_sub(kept_ms * self.rate_hz as usize / 1_000);
        self.lead_in.drain(..over);
    }

    fn speech_started(&mut self, out: &mut Vec<Wire>) {
        if self.in_activity || self.is_held {
            return;
        }
        if self.is_answering() {
            self.is_held = true;
        } else {
            self.begin_activity(out);
        }
    }

    fn commit(&mut self, out: &mut Vec<Wire>) -> bool {
        if self.is_held {
            self.begin_activity(out);
        }
        if !std::mem::take(&mut self.in_activity) {
            return false;
        }
        out.push(message(&json!({"realtimeInput": {"activityEnd": {}}})));
        // It answers without being asked.
        self.answer = Answer { active: true, is_unasked: true, ..Answer::default() };
        true
    }

    fn add(&mut self, item: &RealtimeItem, _out: &mut Vec<Wire>) {
        match item {
            RealtimeItem::Customer { text } => self.turns.push(Self::turn("user", text.expose())),
            RealtimeItem::Agent { text } => self.turns.push(Self::turn("model", text)),
            RealtimeItem::ToolResult { id, name, text } => {
                self.results.push(json!({"id": id, "name": name, "response": {"result": text}}));
            }
        }
    }

    fn respond(&mut self, _ask: &RealtimeAsk, out: &mut Vec<Wire>) {
        let answers_already = std::mem::take(&mut self.answer.is_unasked);
        if !self.results.is_empty() {
            let results = std::mem::take(&mut self.results);
            out.push(message(&json!({"toolResponse": {"functionResponses": results}})));
        } else if answers_already {
            // Notes wait for the next turn, or they would interrupt this one; lines of another voice would come too late.
            self.turns.retain(|turn| turn["role"] == "user");
            return;
        } else {
            let mut turns = std::mem::take(&mut self.turns);
            if turns.last().is_none_or(|turn| turn["role"] == "model") {
                turns.push(Self::turn("user", "Go on."));
            }
            out.push(message(&json!({"clientContent": {"turns": turns, "turnComplete": true}})));
        }
        self.answer = Answer { active: true, ..Answer::default() };
    }

    fn cancel(&mut self, out: &mut Vec<Wire>) {
        // The next activity interrupts it; until then nobody listens.
        self.answer.called_off = self.answer.active;
        self.answer.is_unasked = false;
        if self.is_held {
            self.begin_activity(out);
        }
    }

    fn trim(&mut self, _heard_ms: u64, heard_text: &str, _out: &mut Vec<Wire>) {
        let note = match heard_text {
            "" => "(The caller has not heard your last answer.)".to_owned(),
            heard => format!("(The caller has heard your last answer only up to: {heard})"),
        };
        self.turns.push(Self::turn("user", &note));
    }

    fn on_message(&mut self, wire: &Wire, events: &mut Vec<RealtimeEvent>, _out: &mut Vec<Wire>) {
        if self.over {
            return;
        }
        let json = match wire {
            Wire::Text(text) => serde_json::from_str::<Value>(text),
            // The service sends text as bytes, too.
            Wire::Binary(bytes) => serde_json::from_slice(bytes),
            Wire::Close(code, reason) => {
                if self.move_on(events) {
                    return;
                }
                let class = if self.leaving { ErrorClass::Unavailable } else { self.classify(*code, reason) };
                let shown = error_code(reason).unwrap_or_default();
                return self.fail(class, format!("the service closed with {code} {shown}"), events);
            }
            _ => return self.fail(ErrorClass::Protocol, "the service sent a message of another kind", events),
        };
        match json {
            Ok(json) => self.on_json(&json, events),
            Err(_) => self.fail(ErrorClass::Protocol, "the service sent a message that is not JSON", events),
        }
    }

    fn close(&mut self, out: &mut Vec<Wire>) {
        self.over = true;
        out.push(Wire::Close(1000, "".into()));
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        let lower = body.to_ascii_lowercase();
        match status {
            1007 | 1008 if lower.contains("api key") => ErrorClass::Auth,
            1011 if lower.contains("quota") => ErrorClass::Quota,
            _ => classify_status(status),
        }
    }
}
