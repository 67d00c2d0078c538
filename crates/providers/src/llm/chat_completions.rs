//! The codec of streaming chat completions, `POST …/chat/completions` with `stream: true`, which many services speak. A vendor
//! file says only what is different about its service, as a [`Dialect`].
//!
//! Source: the "Create chat completion" and "Streaming" pages of the service that invented it. Servers that imitate it differ;
//! accepted are a missing `usage`, usage inside an extension (`x_…`), a missing `[DONE]`, tool calls without `index`, two
//! calls under one `index`, arguments that come whole, `stop` as the reason after tool calls, error codes that are numbers,
//! and reasoning fields, which are not said.

use super::LlmProtocol;
use super::answer::{self, Answer, Broken, SoFar, shaped};
use super::tools::{parameters, results_of};
use crate::answer::{classify_status, error_code};
use crate::options::{OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Secret};
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
    Ok(Box::new(move || Box::new(Answer::new(ChatCompletions { config: config.clone() }))))
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
}

impl ChatCompletions {
    fn class_of_code(&self, code: &str) -> Option<ErrorClass> {
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
        let known = word.as_deref().and_then(|word| self.class_of_code(word));
        match (known, status.and_then(|status| u16::try_from(status).ok())) {
            (Some(class), _) => class,
            (None, Some(status)) => classify_status(status),
            (None, None) if word.is_some_and(|word| word.contains("invalid") || word.contains("BadRequest")) => {
                ErrorClass::Invalid
            }
            (None, None) => ErrorClass::Unavailable,
        }
    }
}

fn on_choice(choice: Choice, answer: &mut SoFar, out: &mut Vec<GenerationEvent>) -> Result<(), Broken> {
    let delta = choice.delta.unwrap_or_default();
    if let Some(text) = delta.content.filter(|_| answer.finish.is_none()) {
        answer.say(text, out);
    }
    // A refusal in the model's own words is not said: what to say then is the agent's decision.
    if delta.refusal.is_some_and(|words| !words.is_empty()) {
        answer.finish = Some(Finish::Filtered);
    }
    for piece in delta.tool_calls.unwrap_or_default() {
        on_call_piece(piece, answer)?;
    }
    if let Some(reason) = choice.finish_reason
        && answer.finish.is_none()
    {
        answer.finish = Some(match reason.as_str() {
            "length" => Finish::Length,
            "content_filter" => Finish::Filtered,
            "tool_calls" | "function_call" => Finish::ToolCalls,
            _ => Finish::Stop,
        });
    }
    Ok(())
}

fn on_call_piece(piece: CallPiece, answer: &mut SoFar) -> Result<(), Broken> {
    let function = piece.function.unwrap_or_default();
    let args = match function.arguments {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(whole) => whole.to_string(),
    };
    let id = piece.id.filter(|id| !id.is_empty());
    let index = piece.index.unwrap_or(0);
    let last = answer.calls.iter().rposition(|call| call.index == index);
    // Some servers put every call under index 0; another id then begins another call.
    let is_same = |at: &usize| {
        let known = &answer.calls[*at].id;
        id.as_ref().is_none_or(|id| known.is_empty() || known == id)
    };
    let at = match last.filter(is_same) {
        Some(at) => at,
        None => answer.call(index, String::new(), String::new())?,
    };
    let call = &mut answer.calls[at];
    if let Some(id) = id {
        call.id = id;
    }
    if let Some(name) = function.name.filter(|_| call.name.is_empty()) {
        call.name = name;
    }
    answer.argue(at, &args)
}

impl answer::Dialect for ChatCompletions {
    fn request(&self, generation: &GenerationRequest) -> HttpRequest {
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
        HttpRequest {
            method: Method::Post,
            url: (config.url)(model),
            headers: config.headers.clone(),
            body: body.into_bytes(),
        }
    }

    fn is_end(&self, data: &str) -> bool {
        data.trim() == "[DONE]"
    }

    fn on_event(&mut self, event: Value, answer: &mut SoFar, out: &mut Vec<GenerationEvent>) -> Result<(), Broken> {
        let in_extension = usage_in_extension(&event);
        let chunk: Chunk = shaped(event)?;
        answer.begin(out);
        if let Some(usage) = chunk.usage.map(Into::into).or(in_extension) {
            answer.counted = Some(usage);
        }
        let first = chunk.choices.unwrap_or_default().into_iter().find(|choice| choice.index.unwrap_or(0) == 0);
        first.map_or(Ok(()), |choice| on_choice(choice, answer, out))
    }

    fn class_of(&self, event: &Value, data: &str) -> ErrorClass {
        self.in_stream_class(event, data)
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).and_then(|code| self.class_of_code(&code)).unwrap_or_else(|| classify_status(status))
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
