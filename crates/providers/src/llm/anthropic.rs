//! Anthropic's Messages API, streamed: `POST /v1/messages` with `stream: true`.
//!
//! Source: platform.claude.com, "Messages", "Streaming messages", "Tool use", "Prompt caching", "Versions". What begins every
//! request of a call alike (the tools, then the instructions) is marked for the service's cache; prefixes shorter than the
//! model's minimum are simply not cached. The current version of the interface refuses sampling parameters, so none is sent.

use super::LlmProtocol;
use super::answer::{Answer, Broken, Dialect, SoFar, shaped};
use super::tools::{parameters, results_of};
use crate::answer::{classify_status, error_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Secret};
use model::agent::BrainChoice;
use model::generation::{ChatMessage, Finish, GenerationEvent, GenerationRequest, TokenUsage};
use model::tool::ToolSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use model::routing::{Feature, Region};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "anthropic",
    title: "Anthropic",
    base_url: "https://api.anthropic.com",
    key_env: "ANTHROPIC_API_KEY",
    base_url_env: "ANTHROPIC_BASE_URL",
    model_env: Some("ANTHROPIC_MODEL"),
    voice_env: None,
    model: Some("claude-haiku-5-5"),
    voice: None,
    extra: &[
        ("version", "Version of the interface that is asked for, `2026-10-21` (default) or `2023-06-01`."),
        ("cache", "How long tools and instructions are kept in the service's cache: `5m` (default), `1h` or `off`."),
        ("thinking", "`adaptive` lets the model think before it answers; `disabled` (default) answers at once."),
        ("effort", "How much the model puts into an answer: `low`, `medium` or `high`; left out when unset."),
        ("strict_tools", "`true` asks the service to hold arguments to their schema; default `false`."),
        ("service_tier", "`auto` or `standard_only`; left out when unset."),
        ("auth_header", "How the key is sent: `x-api-key` (default) or `bearer`."),
    ],
    key_optional: false,
    region: Some(Region::Us),
    features: &[Feature::Tools, Feature::PromptCache],
    quality: 85,
    ..Descriptor::NONE
};

const VERSION: &str = "2026-10-21";

struct Config {
    url: String,
    headers: Vec<Header>,
    model: String,
    cache: Option<Value>,
    strict_tools: bool,
    /// Fields that every request has.
    body: Map<String, Value>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn LlmProtocol>, OptionsError> {
    let cache = match settings.choice("cache", &["5m", "1h", "off"])? {
        None | Some("5m") => Some(json!({"type": "ephemeral"})),
        Some("1h") => Some(json!({"type": "ephemeral", "ttl": "1h"})),
        _ => None,
    };
    let mut body = Map::new();
    if let Some(thinking) = settings.choice("thinking", &["adaptive", "disabled"])? {
        body.insert("thinking".to_owned(), json!({"type": thinking}));
    }
    if let Some(effort) = settings.choice("effort", &["low", "medium", "high"])? {
        body.insert("output_config".to_owned(), json!({"effort": effort}));
    }
    if let Some(tier) = settings.choice("service_tier", &["auto", "standard_only"])? {
        body.insert("service_tier".to_owned(), json!(tier));
    }
    let config = Arc::new(Config {
        url: settings.http_url(&["v1", "messages"]).into(),
        headers: headers(settings)?,
        model: settings.model().to_owned(),
        cache,
        strict_tools: settings.flag("strict_tools")?.unwrap_or(false),
        body,
    });
    Ok(Box::new(move || Box::new(Answer::new(Messages { config: config.clone(), counted: Counted::default() }))))
}

fn headers(settings: &Settings) -> Result<Vec<Header>, OptionsError> {
    let version = settings.choice("version", &[VERSION, "2023-06-01"])?.unwrap_or(VERSION);
    let mut headers = vec![
        Header::plain("content-type", "application/json"),
        Header::plain("accept", "text/event-stream"),
        Header::plain("anthropic-version", version),
    ];
    let bearer = settings.choice("auth_header", &["x-api-key", "bearer"])? == Some("bearer");
    if let Some(key) = settings.key().map(Secret::expose) {
        headers.push(if bearer {
            Header::secret("authorization", format!("Bearer {key}"))
        } else {
            Header::secret("x-api-key", key.clone())
        });
    }
    Ok(headers)
}

struct Messages {
    config: Arc<Config>,
    counted: Counted,
}

/// What the service has counted so far.
#[derive(Clone, Copy, Default)]
struct Counted {
    fresh: u32,
    written_to_cache: u32,
    read_from_cache: u32,
    output: u32,
}

impl Counted {
    /// Counts are cumulative, and later events leave out what they do not change.
    fn learn(&mut self, usage: &Usage) -> TokenUsage {
        let fields = [
            (usage.input_tokens, &mut self.fresh),
            (usage.cache_creation_input_tokens, &mut self.written_to_cache),
            (usage.cache_read_input_tokens, &mut self.read_from_cache),
            (usage.output_tokens, &mut self.output),
        ];
        for (told, kept) in fields {
            *kept = told.unwrap_or(*kept).max(*kept);
        }
        TokenUsage {
            input: self.fresh.saturating_add(self.written_to_cache).saturating_add(self.read_from_cache),
            cached: self.read_from_cache,
            cache_writes: self.written_to_cache,
            output: self.output,
        }
    }
}

impl Messages {
    fn count(&mut self, usage: Option<Usage>, answer: &mut SoFar) {
        if let Some(usage) = usage {
            answer.counted = Some(self.counted.learn(&usage));
        }
    }
}

fn finish_of(reason: &str) -> Finish {
    match reason {
        "tool_use" => Finish::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "refusal" => Finish::Filtered,
        _ => Finish::Stop,
    }
}

impl Dialect for Messages {
    fn request(&self, generation: &GenerationRequest) -> HttpRequest {
        let config = &self.config;
        let model = match &generation.brain {
            BrainChoice::Llm { model: Some(model), .. } => model,
            _ => &config.model,
        };
        let (system, messages) = conversation(&generation.messages);
        let mut body = Map::new();
        body.insert("model".to_owned(), json!(model));
        body.insert("max_tokens".to_owned(), json!(generation.tokens_max));
        body.insert("stream".to_owned(), json!(true));
        body.extend(config.body.iter().map(|(key, value)| (key.clone(), value.clone())));
        let mark = |last: Option<&mut Value>| {
            if let (Some(last), Some(cache)) = (last, &config.cache) {
                last["cache_control"] = cache.clone();
            }
        };
        if !generation.tools.is_empty() {
            let mut tools: Vec<Value> =
                generation.tools.iter().map(|tool| tool_schema(tool, config.strict_tools)).collect();
            mark(tools.last_mut());
            body.insert("tools".to_owned(), json!(tools));
        }
        if !system.is_empty() {
            let mut system = [json!({"type": "text", "text": system})];
            mark(system.last_mut());
            body.insert("system".to_owned(), json!(system));
        }
        body.insert("messages".to_owned(), json!(messages));
        let body = Value::Object(body).to_string();
        HttpRequest {
            method: Method::Post,
            url: config.url.clone(),
            headers: config.headers.clone(),
            body: body.into_bytes(),
        }
    }

    fn on_event(&mut self, event: Value, answer: &mut SoFar, out: &mut Vec<GenerationEvent>) -> Result<(), Broken> {
        match shaped(event)? {
            Event::MessageStart { message } => {
                answer.begin(out);
                self.count(message.usage, answer);
            }
            Event::ContentBlockStart { index, content_block: Block { kind, text, id, name, input } } => {
                if let Some(text) = text.filter(|_| kind == "text") {
                    answer.say(text, out);
                }
                if kind == "tool_use" {
                    let call = answer.call(index, id.unwrap_or_default(), name.unwrap_or_default())?;
                    let whole = input.filter(|input| input.as_object().is_some_and(|args| !args.is_empty()));
                    answer.argue(call, &whole.map(|args| args.to_string()).unwrap_or_default())?;
                }
            }
            Event::ContentBlockDelta { index, delta } => match delta.kind.as_str() {
                "text_delta" => answer.say(delta.text.unwrap_or_default(), out),
                "input_json_delta" => {
                    if let Some(call) = answer.calls.iter().rposition(|call| call.index == index) {
                        answer.argue(call, &delta.partial_json.unwrap_or_default())?;
                    }
                }
                _ => {} // Thoughts, their signatures and citations are not said.
            },
            Event::MessageDelta { delta, usage } => {
                self.count(usage, answer);
                if let Some(reason) = delta.stop_reason {
                    answer.finish = Some(finish_of(&reason));
                }
            }
            Event::MessageStop => answer.complete(out),
            Event::Other => {}
        }
        Ok(())
    }

    fn class_of(&self, _: &Value, data: &str) -> ErrorClass {
        error_code(data).and_then(|code| code_class(&code)).unwrap_or(ErrorClass::Unavailable)
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).and_then(|code| code_class(&code)).unwrap_or_else(|| classify_status(status))
    }
}

fn code_class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "authentication_error" | "permission_error" => ErrorClass::Auth,
        "billing_error" => ErrorClass::Quota,
        "rate_limit_error" => ErrorClass::RateLimited,
        "invalid_request_error" | "not_found_error" | "request_too_large" => ErrorClass::Invalid,
        "timeout_error" => ErrorClass::Timeout,
        "overloaded_error" | "api_error" | "conflict_error" => ErrorClass::Unavailable,
        _ => return None,
    })
}

/// The instructions, and the turns in the service's shape: they begin with the user, and results come first in the turn after
/// their call. Turns of one side that follow one another are one for the service.
fn conversation(chat: &[ChatMessage]) -> (String, Vec<Value>) {
    let mut system = String::new();
    let mut turns = Turns(Vec::with_capacity(chat.len()));
    let mut at = 0;
    while let Some(message) = chat.get(at) {
        at += 1;
        match message {
            ChatMessage::System { text } => {
                if !system.is_empty() {
                    system.push_str("\n\n");
                }
                system.push_str(text);
            }
            ChatMessage::Customer { text } => turns.push("user", text_block(text.expose())),
            ChatMessage::Agent { text } => turns.push("assistant", text_block(text)),
            ChatMessage::ToolCall { .. } => {
                let (exchange, next) = results_of(chat, at - 1);
                for call in &exchange {
                    let block = json!({"type": "tool_use", "id": tool_id(call.id), "name": call.name, "input": call.args});
                    turns.push("assistant", Some(block));
                }
                for call in &exchange {
                    let block =
                        json!({"type": "tool_result", "tool_use_id": tool_id(call.id), "content": call.result});
                    turns.push("user", Some(block));
                }
                at = next;
            }
            ChatMessage::ToolResult { .. } => {}
        }
    }
    if turns.0.last().is_none_or(|turn| turn["role"] == "assistant") {
        turns.push("user", text_block("Go on."));
    }
    (system, turns.0)
}

struct Turns(Vec<Value>);

impl Turns {
    fn push(&mut self, role: &str, block: Option<Value>) {
        let Some(block) = block else { return };
        if self.0.is_empty() && role == "assistant" {
            // A call begins with the agent's greeting, and the service wants the user to begin.
            self.0.push(json!({"role": "user", "content": [text_block("Hello.")]}));
        }
        let last = self.0.last_mut().filter(|turn| turn["role"] == role);
        match last.and_then(|turn| turn["content"].as_array_mut()) {
            Some(content) => content.push(block),
            None => self.0.push(json!({"role": role, "content": [block]})),
        }
    }
}

/// The service refuses text without a word.
fn text_block(text: &str) -> Option<Value> {
    let text = text.trim();
    (!text.is_empty()).then(|| json!({"type": "text", "text": text}))
}

/// Ids of calls may come from another service, and this one takes letters, digits, `_` and `-` only.
fn tool_id(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

fn tool_schema(tool: &ToolSpec, strict: bool) -> Value {
    let mut schema =
        json!({"name": tool.name, "description": tool.description, "input_schema": parameters(tool, strict)});
    if strict {
        schema["strict"] = json!(true);
    }
    schema
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Message,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    MessageDelta {
        delta: MessageDelta,
        usage: Option<Usage>,
    },
    MessageStop,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Message {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    id: Option<String>,
    name: Option<String>,
    input: Option<Value>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    partial_json: Option<String>,
}

#[derive(Deserialize)]
struct MessageDelta {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: Option<u32>,
    cache_creation_input_tokens: Option<u32>,
    cache_read_input_tokens: Option<u32>,
    output_tokens: Option<u32>,
}
