//! The codec of streaming chat completions, `POST …/chat/completions` with `stream: true`, which many services speak. A vendor
//! file says only what is different about its service, as a [`Dialect`].
//!
//! Source: the "Create chat completion" and "Streaming" pages of the service that invented it. Servers that imitate it differ;
//! accepted are a missing `usage`, usage inside an extension (`x_…`), a missing `[DONE]`, tool calls without `index`, two
//! calls under one `index`, arguments that come whole, `stop` as the reason after tool calls, error codes that are numbers,
//! and reasoning fields, which are not said.

use super::LlmProtocol;
use super::sse::SseDecoder;
use super::tools::{parameters, push_text, results_of, whole_call};
use crate::answer::{classify_status, error_code};
use crate::options::{OptionsError, Settings};
use crate::registry::Factory;
use base::limits::{TOOL_ARGS_BYTES_MAX, TOOL_CALLS_PER_GENERATION_MAX};
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure, Secret};
use model::agent::BrainChoice;
use model::generation::{ChatMessage, Finish, GenerationEvent, GenerationRequest, TokenUsage};
use model::tool::ToolSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Options that every service of this kind takes. A vendor lists those that make sense for it; all are read by [`open`].
pub(super) mod option {
    type Doc = (&'static str, &'static str);

    pub const TOKENS_MAX_FIELD: Doc =
        ("tokens_max_field", "Name of the limit: `max_completion_tokens` or `max_tokens` for older servers.");
    pub const TEMPERATURE: Doc =
        ("temperature", "Randomness from 0 to 2; left to the model when unset, because some models refuse it.");
    pub const REASONING_EFFORT: Doc =
        ("reasoning_effort", "How long the model may think, such as `none` or `minimal`; left out when unset.");
    pub const SYSTEM_ROLE: Doc = ("system_role", "Role of instructions: `system` (default) or `developer`.");
    pub const STRICT_TOOLS: Doc =
        ("strict_tools", "`true` asks the service to hold arguments to their schema; default `false`.");
    pub const PARALLEL_TOOL_CALLS: Doc =
        ("parallel_tool_calls", "`false` forbids several tools at once; left to the service when unset.");
    pub const INCLUDE_USAGE: Doc = (
        "include_usage",
        "`false` does not ask for token counts, for servers that refuse the question; default `true`.",
    );
    pub const SERVICE_TIER: Doc = ("service_tier", "Processing tier, in the service's words; left out when unset.");
    pub const AUTH_HEADER: Doc = ("auth_header", "How the key is sent: `bearer` or `api-key`.");
    pub const PROMPT_CACHE_KEY: Doc = (
        "prompt_cache_key",
        "Requests with the same key are sent to the same cache of instructions; left out when unset.",
    );
}

/// Where requests go: the address for a model.
pub(super) type UrlOf = Box<dyn Fn(&str) -> String + Send + Sync>;

/// What is different about a service.
pub(super) struct Dialect {
    /// Where requests go.
    pub url: UrlOf,
    /// Name of the limit, unless the option says otherwise.
    pub tokens_max_field: &'static str,
    /// How the key is sent, unless the option says otherwise: `bearer` or `api-key`.
    pub auth_header: &'static str,
    /// More headers.
    pub headers: Vec<Header>,
    /// Fields that every request has.
    pub body: Map<String, Value>,
    /// Class of the service's own error codes, asked before those that all know.
    pub class_of: fn(&str) -> Option<ErrorClass>,
}

impl Dialect {
    /// The plain form, below this path.
    pub(super) fn plain(settings: &Settings, path: &[&str]) -> Self {
        let url = String::from(settings.http_url(path));
        Self {
            url: Box::new(move |_| url.clone()),
            tokens_max_field: "max_completion_tokens",
            auth_header: "bearer",
            headers: Vec::new(),
            body: Map::new(),
            class_of: |_| None,
        }
    }
}

/// Rough length of a token, for services that do not count.
const CHARS_PER_TOKEN: usize = 4;

struct Config {
    url: UrlOf,
    headers: Vec<Header>,
    model: String,
    tokens_max_field: String,
    system_role: String,
    strict_tools: bool,
    include_usage: bool,
    parallel_tool_calls: Option<bool>,
    /// Fields that every request has.
    body: Map<String, Value>,
    class_of: fn(&str) -> Option<ErrorClass>,
}

/// Reads the options that the vendor's descriptor lists and ties them to its dialect.
pub(super) fn open(settings: &Settings, dialect: Dialect) -> Result<Factory<dyn LlmProtocol>, OptionsError> {
    let auth_header = settings.choice("auth_header", &["bearer", "api-key"])?.unwrap_or(dialect.auth_header);
    let tokens_max_field = settings.choice("tokens_max_field", &["max_completion_tokens", "max_tokens"])?;
    let mut body = dialect.body;
    let optional = [
        ("temperature", settings.number("temperature", 0.0..=2.0)?.map(|value| json!(value))),
        ("reasoning_effort", settings.text("reasoning_effort").map(|value| json!(value))),
        ("service_tier", settings.text("service_tier").map(|value| json!(value))),
        ("prompt_cache_key", settings.text("prompt_cache_key").map(|value| json!(value))),
    ];
    body.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    let config = Arc::new(Config {
        headers: headers(settings, auth_header, dialect.headers),
        url: dialect.url,
        model: settings.model().to_owned(),
        tokens_max_field: tokens_max_field.unwrap_or(dialect.tokens_max_field).to_owned(),
        system_role: settings.choice("system_role", &["system", "developer"])?.unwrap_or("system").to_owned(),
        strict_tools: settings.flag("strict_tools")?.unwrap_or(false),
        include_usage: settings.flag("include_usage")?.unwrap_or(true),
        parallel_tool_calls: settings.flag("parallel_tool_calls")?,
        body,
        class_of: dialect.class_of,
    });
    Ok(Box::new(move || Box::new(ChatCompletions::new(config.clone()))))
}

fn headers(settings: &Settings, auth_header: &str, more: Vec<Header>) -> Vec<Header> {
    let mut headers =
        vec![Header::plain("content-type", "application/json"), Header::plain("accept", "text/event-stream")];
    if let Some(key) = settings.key().map(Secret::expose) {
        headers.push(match auth_header {
            "api-key" => Header::secret("api-key", key.clone()),
            _ => Header::secret("authorization", format!("Bearer {key}")),
        });
    }
    headers.extend(more);
    headers
}

struct ChatCompletions {
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

impl ChatCompletions {
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

    fn class_of(&self, code: &str) -> Option<ErrorClass> {
        (self.config.class_of)(code).or_else(|| code_class(code))
    }

    /// Class of an error that arrives after the answer began: by its word, by a number in `code`, else the service's fault.
    fn in_stream_class(&self, json: &Value, data: &str) -> ErrorClass {
        let word = error_code(data);
        let status = json.pointer("/error/code").or(json.pointer("/error/status")).and_then(|code| match code {
            Value::Number(number) => number.as_u64(),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        });
        let known = word.as_deref().and_then(|word| self.class_of(word));
        match (known, status.and_then(|status| u16::try_from(status).ok())) {
            (Some(class), _) => class,
            (None, Some(status)) => classify_status(status),
            (None, None) if word.is_some_and(|word| word.contains("invalid") || word.contains("BadRequest")) => {
                ErrorClass::Invalid
            }
            (None, None) => ErrorClass::Unavailable,
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
            let class = self.in_stream_class(&json, data);
            let code = error_code(data).unwrap_or_default();
            return self.fail(class, format!("the service failed while it answered {code}"), out);
        }
        let in_extension = usage_in_extension(&json);
        let Ok(chunk) = serde_json::from_value::<Chunk>(json) else {
            return self.fail(ErrorClass::Protocol, "the service sent an event of another shape", out);
        };
        if let Some(usage) = in_extension {
            self.counted = Some(usage);
        }
        self.on_chunk(chunk, out);
    }

    fn on_chunk(&mut self, chunk: Chunk, out: &mut Vec<GenerationEvent>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(GenerationEvent::Started);
        }
        if let Some(usage) = chunk.usage {
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
                match whole_call(at, call.id, call.name, &call.args) {
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

impl LlmProtocol for ChatCompletions {
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
        if config.include_usage {
            body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
        body.extend(config.body.iter().map(|(key, value)| (key.clone(), value.clone())));
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
            url: (config.url)(model),
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
            TokenUsage {
                input: tokens(self.input_chars),
                cached: 0,
                cache_writes: 0,
                output: tokens(self.output_chars),
            }
        })
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).and_then(|code| self.class_of(&code)).unwrap_or_else(|| classify_status(status))
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

/// Some services put their count into an extension of their own, `x_NAME`.
fn usage_in_extension(json: &Value) -> Option<TokenUsage> {
    let extension = json.as_object()?.iter().find(|(key, _)| key.starts_with("x_"))?.1;
    Some(serde_json::from_value::<Usage>(extension.get("usage")?.clone()).ok()?.into())
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
    let (exchange, next) = results_of(chat, from);
    let mut wanted = Vec::new();
    let mut results = Vec::new();
    for call in exchange {
        let function = json!({"name": call.name, "arguments": call.args.to_string()});
        wanted.push(json!({"id": call.id, "type": "function", "function": function}));
        results.push(json!({"role": "tool", "tool_call_id": call.id, "content": call.result}));
    }
    match out.last_mut().and_then(Value::as_object_mut) {
        Some(said) if said.get("role") == Some(&json!("assistant")) && !said.contains_key("tool_calls") => {
            said.insert("tool_calls".to_owned(), json!(wanted));
        }
        _ => out.push(json!({"role": "assistant", "content": null, "tool_calls": wanted})),
    }
    out.append(&mut results);
    next
}

fn tool_schema(tool: &ToolSpec, strict: bool) -> Value {
    let mut function =
        json!({"name": tool.name, "description": tool.description, "parameters": parameters(tool, strict)});
    if strict {
        function["strict"] = json!(true);
    }
    json!({"type": "function", "function": function})
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
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
        Self {
            input: usage.prompt_tokens,
            cached: cached.min(usage.prompt_tokens),
            cache_writes: 0,
            output: usage.completion_tokens,
        }
    }
}
