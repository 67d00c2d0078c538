//! Any service that speaks OpenAI's streaming chat completions, `POST …/chat/completions` with `stream: true`.
//!
//! Source: platform.openai.com, "Create chat completion" and "Streaming". Servers that imitate it differ; accepted are a
//! missing `usage`, a missing `[DONE]`, tool calls without `index`, two calls under one `index`, arguments that come whole,
//! `stop` as the reason after tool calls, error codes that are numbers, and reasoning fields, which are not said.

use model::routing::{Feature, Region};
use super::LlmProtocol;
use super::sse::SseDecoder;
use crate::answer::{classify_status, error_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::limits::{TOOL_ARGS_BYTES_MAX, TOOL_CALLS_PER_GENERATION_MAX};
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure, Secret};
use model::agent::BrainChoice;
use model::generation::{ChatMessage, Finish, GenerationEvent, GenerationRequest, TokenUsage};
use model::tool::{Parameter, ParameterKind, ToolSpec};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "openai",
    title: "OpenAI",
    base_url: "https://api.openai.com/v1",
    key_env: "OPENAI_API_KEY",
    base_url_env: "OPENAI_BASE_URL",
    model_env: Some("OPENAI_MODEL"),
    voice_env: None,
    model: Some("gpt-6-luna"),
    voice: None,
    extra: &[
        ("tokens_max_field", "Name of the limit: `max_completion_tokens` (default) or `max_tokens` for older servers."),
        ("temperature", "Randomness from 0 to 2; left to the model when unset, because some models refuse it."),
        ("reasoning_effort", "How long the model may think, such as `none` or `minimal`; left out when unset."),
        ("system_role", "Role of instructions: `system` (default) or `developer`."),
        ("strict_tools", "`true` asks the service to hold arguments to their schema; default `false`."),
        ("parallel_tool_calls", "`false` forbids several tools at once; left to the service when unset."),
        (
            "include_usage",
            "`false` does not ask for token counts, for servers that refuse the question; default `true`.",
        ),
        ("service_tier", "Processing tier, such as `priority`; left out when unset."),
        ("auth_header", "`bearer` (default) or `api-key`, as gateways of other clouds want it."),
        ("organization", "Organization that is billed."),
        ("project", "Project that is billed."),
    ],
    key_optional: true,
    region: Some(Region::Us),
    features: &[Feature::Tools, Feature::PromptCache],
    quality: 80,
    ..Descriptor::NONE
};

/// Rough length of a token, for services that do not count.
const CHARS_PER_TOKEN: usize = 4;

struct Config {
    url: String,
    headers: Vec<Header>,
    model: String,
    tokens_max_field: String,
    temperature: Option<f64>,
    reasoning_effort: Option<String>,
    system_role: String,
    strict_tools: bool,
    parallel_tool_calls: Option<bool>,
    include_usage: bool,
    service_tier: Option<String>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn LlmProtocol>, OptionsError> {
    let config = Arc::new(Config {
        url: settings.http_url(&["chat", "completions"]).into(),
        headers: headers(settings)?,
        model: settings.model().to_owned(),
        tokens_max_field: settings
            .choice("tokens_max_field", &["max_completion_tokens", "max_tokens"])?
            .unwrap_or("max_completion_tokens")
            .to_owned(),
        temperature: settings.number("temperature", 0.0..=2.0)?,
        reasoning_effort: settings.text("reasoning_effort").map(str::to_owned),
        system_role: settings.choice("system_role", &["system", "developer"])?.unwrap_or("system").to_owned(),
        strict_tools: settings.flag("strict_tools")?.unwrap_or(false),
        parallel_tool_calls: settings.flag("parallel_tool_calls")?,
        include_usage: settings.flag("include_usage")?.unwrap_or(true),
        service_tier: settings.text("service_tier").map(str::to_owned),
    });
    Ok(Box::new(move || Box::new(OpenAi::new(config.clone()))))
}

fn headers(settings: &Settings) -> Result<Vec<Header>, OptionsError> {
    let mut headers =
        vec![Header::plain("content-type", "application/json"), Header::plain("accept", "text/event-stream")];
    let api_key_header = settings.choice("auth_header", &["bearer", "api-key"])? == Some("api-key");
    if let Some(key) = settings.key().map(Secret::expose) {
        headers.push(if api_key_header {
            Header::secret("api-key", key.clone())
        } else {
            Header::secret("authorization", format!("Bearer {key}"))
        });
    }
    for (option, header) in [("organization", "openai-organization"), ("project", "openai-project")] {
        if let Some(value) = settings.text(option) {
            headers.push(Header::plain(header, value));
        }
    }
    Ok(headers)
}

struct OpenAi {
    config: Arc<Config>,
    decoder: SseDecoder,
    started: bool,
    over: bool,
    calls: Vec<Call>,
    finish: Option<Finish>,
    counted: Option<TokenUsage>,
    input_chars: usize,
    output_chars: usize,
}

/// A tool call as far as it has arrived.
struct Call {
    index: u64,
    id: String,
    name: String,
    args: String,
}

impl OpenAi {
    fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            decoder: SseDecoder::default(),
            started: false,
            over: false,
            calls: Vec::new(),
            finish: None,
            counted: None,
            input_chars: 0,
            output_chars: 0,
        }
    }

    fn fail(&mut self, class: ErrorClass, detail: impl Into<String>, out: &mut Vec<GenerationEvent>) {
        if !std::mem::replace(&mut self.over, true) {
            out.push(GenerationEvent::Failed(Failure::new(class, detail)));
        }
    }

    fn on_data(&mut self, data: &str, out: &mut Vec<GenerationEvent>) {
        if self.over {
            return;
        }
        if data.trim() == "[DONE]" {
            return self.complete(out);
        }
        let Ok(json) = serde_json::from_str::<Value>(data) else {
            return self.fail(ErrorClass::Protocol, "the service sent an event that is not JSON", out);
        };
        if json.get("error").is_some_and(|error| !error.is_null()) {
            let class = in_stream_class(&json, data);
            let code = error_code(data).unwrap_or_default();
            return self.fail(class, format!("the service failed while it answered {code}"), out);
        }
        let Ok(chunk) = serde_json::from_value::<Chunk>(json) else {
            return self.fail(ErrorClass::Protocol, "the service sent an event of another shape", out);
        };
        self.on_chunk(chunk, out);
    }

    fn on_chunk(&mut self, chunk: Chunk, out: &mut Vec<GenerationEvent>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(GenerationEvent::Started);
        }
        if let Some(usage) = chunk.usage.or(chunk.x_groq.and_then(|extra| extra.usage)) {
            self.counted = Some(usage.into());
        }
        let Some(choice) = chunk.choices.unwrap_or_default().into_iter().find(|choice| choice.index.unwrap_or(0) == 0)
        else {
            return;
        };
        let delta = choice.delta.unwrap_or_default();
        if let Some(text) = delta.content.filter(|text| !text.is_empty() && self.finish.is_none()) {
            self.output_chars += text.chars().count();
            push_text(text, out);
        }
        // A refusal in the model's own words is not said: what to say then is the agent's decision.
        if delta.refusal.is_some_and(|words| !words.is_empty()) {
            self.finish = Some(Finish::Filtered);
        }
        for piece in delta.tool_calls.unwrap_or_default() {
            if let Err(detail) = self.on_call_piece(piece) {
                return self.fail(ErrorClass::Protocol, detail, out);
            }
        }
        if let Some(reason) = choice.finish_reason
            && self.finish.is_none()
        {
            self.finish = Some(match reason.as_str() {
                "length" => Finish::Length,
                "content_filter" => Finish::Filtered,
                "tool_calls" | "function_call" => Finish::ToolCalls,
                _ => Finish::Stop,
            });
        }
    }

    fn on_call_piece(&mut self, piece: CallPiece) -> Result<(), &'static str> {
        let function = piece.function.unwrap_or_default();
        let args = match function.arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(whole) => whole.to_string(),
        };
        let id = piece.id.filter(|id| !id.is_empty());
        let index = piece.index.unwrap_or(0);
        let last = self.calls.iter().rposition(|call| call.index == index);
        // Some servers put every call under index 0; another id then begins another call.
        let same =
            last.filter(|&at| id.as_ref().is_none_or(|id| self.calls[at].id.is_empty() || self.calls[at].id == *id));
        let at = match same {
            Some(at) => at,
            None if self.calls.len() >= TOOL_CALLS_PER_GENERATION_MAX => {
                return Err("more tool calls than anyone needs");
            }
            None => {
                self.calls.push(Call { index, id: String::new(), name: String::new(), args: String::new() });
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[at];
        if let Some(id) = id {
            call.id = id;
        }
        if let Some(name) = function.name.filter(|_| call.name.is_empty()) {
            call.name = name;
        }
        if call.args.len() + args.len() > TOOL_ARGS_BYTES_MAX {
            return Err("the arguments of a tool call are endless");
        }
        self.output_chars += args.chars().count();
        call.args.push_str(&args);
        Ok(())
    }

    /// Gives the tool calls, the usage and the end, or the failure that the answer amounts to.
    fn complete(&mut self, out: &mut Vec<GenerationEvent>) {
        if self.over {
            return;
        }
        let Some(mut finish) = self.finish else {
            return self.fail(ErrorClass::Protocol, "the answer was cut off", out);
        };
        let calls = std::mem::take(&mut self.calls);
        if matches!(finish, Finish::Stop | Finish::ToolCalls) {
            let mut events = Vec::with_capacity(calls.len());
            for (at, call) in calls.into_iter().enumerate() {
                match tool_call(at, call) {
                    Some(event) => events.push(event),
                    None => {
                        return self.fail(ErrorClass::Protocol, "a tool call has no name or no valid arguments", out);
                    }
                }
            }
            finish = if events.is_empty() { Finish::Stop } else { Finish::ToolCalls };
            out.append(&mut events);
        }
        self.over = true;
        out.push(GenerationEvent::Usage(self.usage_so_far()));
        out.push(GenerationEvent::Done { finish });
    }
}

fn push_text(text: String, out: &mut Vec<GenerationEvent>) {
    match out.last_mut() {
        Some(GenerationEvent::Text { delta }) => delta.push_str(&text),
        _ => out.push(GenerationEvent::Text { delta: text }),
    }
}

fn tool_call(at: usize, call: Call) -> Option<GenerationEvent> {
    let args = if call.args.trim().is_empty() { "{}" } else { call.args.as_str() };
    let Ok(Value::Object(mut args)) = serde_json::from_str::<Value>(args) else { return None };
    // Strict schemas have every argument required and null for "not given".
    args.retain(|_, value| !value.is_null());
    let id = if call.id.is_empty() { format!("call_{at}") } else { call.id };
    let named = !call.name.is_empty();
    named.then(|| GenerationEvent::ToolCall { id, name: call.name, args: Value::Object(args) })
}

impl LlmProtocol for OpenAi {
    fn request(&mut self, generation: &GenerationRequest) -> HttpRequest {
        let config = &self.config;
        let model = match &generation.brain {
            BrainChoice::Llm { model: Some(model), .. } => model,
            _ => &config.model,
        };
        let messages = messages(&generation.messages, &config.system_role);
        let mut body = Map::new();
        body.insert("model".to_owned(), json!(model));
        body.insert("messages".to_owned(), json!(messages));
        body.insert("stream".to_owned(), json!(true));
        body.insert(config.tokens_max_field.clone(), json!(generation.tokens_max));
        let optional = [
            ("stream_options", config.include_usage.then(|| json!({"include_usage": true}))),
            ("temperature", config.temperature.map(|value| json!(value))),
            ("reasoning_effort", config.reasoning_effort.as_ref().map(|value| json!(value))),
            ("service_tier", config.service_tier.as_ref().map(|value| json!(value))),
        ];
        body.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        if !generation.tools.is_empty() {
            let tools: Vec<Value> =
                generation.tools.iter().map(|tool| tool_schema(tool, config.strict_tools)).collect();
            body.insert("tools".to_owned(), json!(tools));
            if let Some(parallel) = config.parallel_tool_calls {
                body.insert("parallel_tool_calls".to_owned(), json!(parallel));
            }
        }
        let body = Value::Object(body).to_string();
        self.input_chars = body.chars().count();
        HttpRequest {
            method: Method::Post,
            url: config.url.clone(),
            headers: config.headers.clone(),
            body: body.into_bytes(),
        }
    }

    fn on_bytes(&mut self, bytes: &[u8], out: &mut Vec<GenerationEvent>) {
        let mut decoder = std::mem::take(&mut self.decoder);
        let outcome = decoder.push(bytes, |data| self.on_data(data, out));
        self.decoder = decoder;
        if let Err(error) = outcome {
            self.fail(ErrorClass::Protocol, error.to_string(), out);
        }
    }

    fn on_end(&mut self, out: &mut Vec<GenerationEvent>) {
        let mut decoder = std::mem::take(&mut self.decoder);
        let outcome = decoder.end(|data| self.on_data(data, out));
        if let Err(error) = outcome {
            self.fail(ErrorClass::Protocol, error.to_string(), out);
        }
        self.complete(out);
    }

    fn usage_so_far(&self) -> TokenUsage {
        self.counted.unwrap_or_else(|| {
            let tokens = |chars: usize| u32::try_from(chars.div_ceil(CHARS_PER_TOKEN)).unwrap_or(u32::MAX);
            TokenUsage { input: tokens(self.input_chars), cached: 0, output: tokens(self.output_chars) }
        })
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).and_then(|code| code_class(&code)).unwrap_or_else(|| classify_status(status))
    }
}

fn code_class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "insufficient_quota"
        | "credit_balance_exhausted"
        | "organization_spend_limit_exceeded"
        | "project_spend_limit_exceeded"
        | "organization_usage_limit_exceeded"
        | "billing_hard_limit_reached" => ErrorClass::Quota,
        "rate_limit_exceeded" | "rate_limit_error" | "slow_down" => ErrorClass::RateLimited,
        "content_filter" | "content_policy_violation" => ErrorClass::Refused,
        "invalid_api_key" | "authentication_error" => ErrorClass::Auth,
        "server_is_overloaded" | "unavailable_error" => ErrorClass::Unavailable,
        _ => return None,
    })
}

/// Class of an error that arrives after the answer began: by its word, by a number in `code`, else the service's fault.
fn in_stream_class(json: &Value, data: &str) -> ErrorClass {
    let word = error_code(data);
    let status = json.pointer("/error/code").or(json.pointer("/error/status")).and_then(|code| match code {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    });
    match (word.as_deref().and_then(code_class), status.and_then(|status| u16::try_from(status).ok())) {
        (Some(class), _) => class,
        (None, Some(status)) => classify_status(status),
        (None, None) if word.is_some_and(|word| word.contains("invalid") || word.contains("BadRequest")) => {
            ErrorClass::Invalid
        }
        (None, None) => ErrorClass::Unavailable,
    }
}

/// The conversation in the service's shape. Neighbouring instructions become one message, because many chat templates
/// take one only. Results follow their call at once and every call gets one, because the service refuses anything else.
fn messages(chat: &[ChatMessage], system_role: &str) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::with_capacity(chat.len());
    let mut at = 0;
    while let Some(message) = chat.get(at) {
        at += 1;
        match message {
            ChatMessage::System { text } => {
                let mut text = text.clone();
                while let Some(ChatMessage::System { text: more }) = chat.get(at) {
                    text.push_str("\n\n");
                    text.push_str(more);
                    at += 1;
                }
                out.push(json!({"role": system_role, "content": text}));
            }
            ChatMessage::Customer { text } => out.push(json!({"role": "user", "content": text.expose()})),
            ChatMessage::Agent { text } => out.push(json!({"role": "assistant", "content": text})),
            ChatMessage::ToolCall { .. } => at = tool_exchange(chat, at - 1, &mut out),
            ChatMessage::ToolResult { .. } => {}
        }
    }
    out
}

fn tool_exchange(chat: &[ChatMessage], from: usize, out: &mut Vec<Value>) -> usize {
    let count = chat[from..].iter().take_while(|message| matches!(message, ChatMessage::ToolCall { .. })).count();
    let (calls, later) = chat[from..].split_at(count);
    let mut wanted = Vec::new();
    let mut results = Vec::new();
    for call in calls {
        let ChatMessage::ToolCall { id, name, args } = call else { continue };
        let function = json!({"name": name, "arguments": args.to_string()});
        wanted.push(json!({"id": id, "type": "function", "function": function}));
        let answer = later.iter().find_map(|message| match message {
            ChatMessage::ToolResult { id: of, text, .. } if of == id => Some(text.as_str()),
            _ => None,
        });
        let content = answer.unwrap_or("There is no result.");
        results.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
    }
    match out.last_mut().and_then(Value::as_object_mut) {
        Some(said) if said.get("role") == Some(&json!("assistant")) && !said.contains_key("tool_calls") => {
            said.insert("tool_calls".to_owned(), json!(wanted));
        }
        _ => out.push(json!({"role": "assistant", "content": null, "tool_calls": wanted})),
    }
    out.append(&mut results);
    from + count
}

fn tool_schema(tool: &ToolSpec, strict: bool) -> Value {
    let properties: Map<String, Value> =
        tool.parameters.iter().map(|p| (p.name.clone(), parameter_schema(p, strict))).collect();
    let required: Vec<&str> =
        tool.parameters.iter().filter(|p| strict || p.required).map(|p| p.name.as_str()).collect();
    let parameters =
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let mut function = json!({"name": tool.name, "description": tool.description, "parameters": parameters});
    if strict {
        function["strict"] = json!(true);
    }
    json!({"type": "function", "function": function})
}

fn parameter_schema(parameter: &Parameter, strict: bool) -> Value {
    let nullable = strict && !parameter.required;
    let kind = if nullable { json!(["string", "null"]) } else { json!("string") };
    let mut description = parameter.description.clone();
    let mut schema = json!({"type": kind});
    match &parameter.kind {
        ParameterKind::Text => {}
        // As words: servers that build grammars from schemas refuse many expressions.
        ParameterKind::Pattern { regex } => description.push_str(&format!(" It matches the expression {regex}")),
        ParameterKind::Day => description.push_str(" A weekday, today, tomorrow, or a date as YYYY-MM-DD."),
        ParameterKind::Choice { options } => {
            let mut values: Vec<Value> = options.iter().map(|option| json!(option.value)).collect();
            for option in options.iter().filter(|option| !option.said.is_empty()) {
                description.push_str(&format!(" {} is said as: {}.", option.value, option.said.join(", ")));
            }
            if nullable {
                values.push(Value::Null);
            }
            schema["enum"] = Value::Array(values);
        }
    }
    schema["description"] = json!(description.trim());
    schema
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
    x_groq: Option<GroqExtra>,
}

#[derive(Deserialize)]
struct GroqExtra {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionPiece>,
}

#[derive(Default, Deserialize)]
struct FunctionPiece {
    name: Option<String>,
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u32>,
}

impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        let cached = usage.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
        Self { input: usage.prompt_tokens, cached: cached.min(usage.prompt_tokens), output: usage.completion_tokens }
    }
}
