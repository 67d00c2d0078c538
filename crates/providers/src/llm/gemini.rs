//! Google's Gemini API, streamed: `POST /v1beta/models/MODEL:streamGenerateContent?alt=sse`.
//!
//! Source: ai.google.dev, "Generating content", "Function calling", "Context caching", "Thought signatures". The end of the
//! body is the end of the answer. Requests that begin alike are cached without being asked; what is cached on purpose is named
//! by `cached_content` and holds the instructions and tools, which are then not sent.

use super::LlmProtocol;
use super::answer::{Answer, Broken, Dialect, SoFar, shaped};
use super::tools::{parameters, results_of};
use crate::answer::classify_status;
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Secret};
use model::agent::BrainChoice;
use model::generation::{ChatMessage, Finish, GenerationEvent, GenerationRequest, TokenUsage};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use model::routing::{Feature, Region};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "gemini",
    title: "Google Gemini",
    base_url: "https://generativelanguage.googleapis.com",
    key_env: "GEMINI_API_KEY",
    base_url_env: "GEMINI_BASE_URL",
    model_env: Some("GEMINI_MODEL"),
    voice_env: None,
    model: Some("gemini-3.8-flash"),
    voice: None,
    extra: &[
        ("api_version", "Version of the interface: `v1beta` (default) or `v1`."),
        ("temperature", "Randomness from 0 to 2; left to the model when unset."),
        ("thinking_level", "How long the model may think: `minimal`, `low`, `medium` or `high`; left out when unset."),
        ("thinking_budget", "Tokens that models before version 3 may think, from 0; left out when unset."),
        ("cached_content", "Name of cached instructions and tools, as in `cachedContents/abc`; they are then not sent."),
        ("thought_signature", "What stands in for the signature of an earlier tool call; empty to send none."),
    ],
    key_optional: false,
    region: Some(Region::Global),
    features: &[Feature::Tools, Feature::PromptCache],
    quality: 80,
    ..Descriptor::NONE
};

/// The service wants the signature that came with a tool call back. Calls are kept without it, because they outlive both the
/// connection and the provider; this word is documented to stand in for it.
const THOUGHT_SIGNATURE: &str = "skip_thought_signature_validator";

struct Config {
    settings: Settings,
    api_version: String,
    headers: Vec<Header>,
    generation: Map<String, Value>,
    cached_content: Option<String>,
    thought_signature: String,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn LlmProtocol>, OptionsError> {
    let mut generation = Map::new();
    if let Some(temperature) = settings.number("temperature", 0.0..=2.0)? {
        generation.insert("temperature".to_owned(), json!(temperature));
    }
    let level = settings.choice("thinking_level", &["minimal", "low", "medium", "high"])?;
    let budget = settings.whole("thinking_budget", 0..=100_000)?;
    match (level, budget) {
        (Some(level), _) => drop(generation.insert("thinkingConfig".to_owned(), json!({"thinkingLevel": level}))),
        (None, Some(tokens)) => drop(generation.insert("thinkingConfig".to_owned(), json!({"thinkingBudget": tokens}))),
        (None, None) => {}
    }
    let mut headers =
        vec![Header::plain("content-type", "application/json"), Header::plain("accept", "text/event-stream")];
    headers.extend(settings.key().map(|key: &Secret<String>| Header::secret("x-goog-api-key", key.expose().clone())));
    let config = Arc::new(Config {
        api_version: settings.choice("api_version", &["v1beta", "v1"])?.unwrap_or("v1beta").to_owned(),
        headers,
        generation,
        cached_content: settings.text("cached_content").map(str::to_owned),
        thought_signature: settings.text("thought_signature").unwrap_or(THOUGHT_SIGNATURE).to_owned(),
        settings: settings.clone(),
    });
    Ok(Box::new(move || Box::new(Answer::new(Gemini { config: config.clone() }))))
}

struct Gemini {
    config: Arc<Config>,
}

fn on_candidate(candidate: Candidate, answer: &mut SoFar, out: &mut Vec<GenerationEvent>) -> Result<(), Broken> {
    for part in candidate.content.unwrap_or_default().parts.unwrap_or_default() {
        if let Some(text) = part.text.filter(|_| part.thought != Some(true)) {
            answer.say(text, out);
        }
        if let Some(FunctionCall { id, name, args }) = part.function_call {
            let call = answer.call(0, id.unwrap_or_default(), name.unwrap_or_default())?;
            let args = args.filter(|args| !args.is_null()).map(|args| args.to_string());
            answer.argue(call, &args.unwrap_or_default())?;
        }
    }
    match candidate.finish_reason.as_deref() {
        None | Some("" | "FINISH_REASON_UNSPECIFIED") => {}
        Some("MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "MALFORMED_RESPONSE" | "TOO_MANY_TOOL_CALLS") => {
            return Err("the model wrote a tool call that is none");
        }
        Some("STOP") => answer.finish = Some(Finish::Stop),
        Some("MAX_TOKENS") => answer.finish = Some(Finish::Length),
        Some("SAFETY" | "RECITATION" | "PROHIBITED_CONTENT" | "BLOCKLIST" | "SPII" | "LANGUAGE" | "IMAGE_SAFETY") => {
            answer.finish = Some(Finish::Filtered);
        }
        Some(_) => answer.finish = Some(Finish::Stop),
    }
    Ok(())
}

impl Dialect for Gemini {
    fn request(&self, generation: &GenerationRequest) -> HttpRequest {
        let config = &self.config;
        let model = match &generation.brain {
            BrainChoice::Llm { model: Some(model), .. } => model,
            _ => config.settings.model(),
        };
        let (system, contents) = conversation(&generation.messages, &config.thought_signature);
        let mut body = Map::new();
        body.insert("contents".to_owned(), json!(contents));
        match &config.cached_content {
            Some(name) => drop(body.insert("cachedContent".to_owned(), json!(name))),
            None => {
                if !system.is_empty() {
                    body.insert("systemInstruction".to_owned(), json!({"parts": [{"text": system}]}));
                }
                if !generation.tools.is_empty() {
                    let declare = |tool: &model::tool::ToolSpec| {
                        json!({"name": tool.name, "description": tool.description,
                            "parametersJsonSchema": parameters(tool, false)})
                    };
                    let declared: Vec<Value> = generation.tools.iter().map(declare).collect();
                    body.insert("tools".to_owned(), json!([{"functionDeclarations": declared}]));
                }
            }
        }
        let mut settings = config.generation.clone();
        settings.insert("maxOutputTokens".to_owned(), json!(generation.tokens_max));
        body.insert("generationConfig".to_owned(), Value::Object(settings));
        let body = Value::Object(body).to_string();
        let method = format!("{model}:streamGenerateContent");
        let mut url = config.settings.http_url(&[&config.api_version, "models", &method]);
        url.query_pairs_mut().append_pair("alt", "sse");
        HttpRequest { method: Method::Post, url: url.into(), headers: config.headers.clone(), body: body.into_bytes() }
    }

    fn on_event(&mut self, event: Value, answer: &mut SoFar, out: &mut Vec<GenerationEvent>) -> Result<(), Broken> {
        let chunk: Chunk = shaped(event)?;
        answer.begin(out);
        if let Some(usage) = chunk.usage_metadata {
            answer.counted = Some(usage.into());
        }
        if chunk.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
            answer.finish = Some(Finish::Filtered);
        }
        let first = chunk.candidates.unwrap_or_default().into_iter().find(|one| one.index.unwrap_or(0) == 0);
        first.map_or(Ok(()), |candidate| on_candidate(candidate, answer, out))
    }

    fn class_of(&self, event: &Value, _: &str) -> ErrorClass {
        class_of(event).unwrap_or(ErrorClass::Unavailable)
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        let known = serde_json::from_str::<Value>(body).ok().and_then(|json| class_of(&json));
        known.unwrap_or_else(|| classify_status(status))
    }
}

/// Class of an error in the shape of `google.rpc.Status`. A wrong key is an invalid argument by name; its reason tells.
fn class_of(json: &Value) -> Option<ErrorClass> {
    let error = json.get("error")?;
    let details = error.get("details").and_then(Value::as_array);
    let wrong_key = |detail: &Value| detail["reason"].as_str().is_some_and(|reason| reason.starts_with("API_KEY"));
    if details.is_some_and(|details| details.iter().any(wrong_key)) {
        return Some(ErrorClass::Auth);
    }
    Some(match error["status"].as_str()? {
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => ErrorClass::Auth,
        "RESOURCE_EXHAUSTED" => ErrorClass::RateLimited,
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "NOT_FOUND" | "OUT_OF_RANGE" => ErrorClass::Invalid,
        "DEADLINE_EXCEEDED" => ErrorClass::Timeout,
        "UNAVAILABLE" | "INTERNAL" | "ABORTED" => ErrorClass::Unavailable,
        "CANCELLED" => ErrorClass::Cancelled,
        _ => return None,
    })
}

/// The instructions, and the turns in the service's shape: they begin with the user, and neighbours of one side are one turn.
fn conversation(chat: &[ChatMessage], signature: &str) -> (String, Vec<Value>) {
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
            ChatMessage::Customer { text } => turns.push_text("user", text.expose()),
            ChatMessage::Agent { text } => turns.push_text("model", text),
            ChatMessage::ToolCall { .. } => {
                let (exchange, next) = results_of(chat, at - 1);
                for (n, call) in exchange.iter().enumerate() {
                    let mut part = json!({"functionCall": {"id": call.id, "name": call.name, "args": call.args}});
                    // Of calls that were made together, the first has the signature.
                    if n == 0 && !signature.is_empty() {
                        part["thoughtSignature"] = json!(signature);
                    }
                    turns.push("model", part);
                }
                for call in &exchange {
                    let response = json!({"id": call.id, "name": call.name, "response": {"result": call.result}});
                    turns.push("user", json!({"functionResponse": response}));
                }
                at = next;
            }
            ChatMessage::ToolResult { .. } => {}
        }
    }
    if turns.0.last().is_none_or(|turn| turn["role"] == "model") {
        turns.push_text("user", "Go on.");
    }
    (system, turns.0)
}

struct Turns(Vec<Value>);

impl Turns {
    /// The service refuses text without a word.
    fn push_text(&mut self, role: &str, text: &str) {
        if !text.trim().is_empty() {
            self.push(role, json!({"text": text}));
        }
    }

    fn push(&mut self, role: &str, part: Value) {
        if self.0.is_empty() && role == "model" {
            // A call begins with the agent's greeting, and the service wants the user to begin.
            self.0.push(json!({"role": "user", "parts": [{"text": "Hello."}]}));
        }
        let last = self.0.last_mut().filter(|turn| turn["role"] == role);
        match last.and_then(|turn| turn["parts"].as_array_mut()) {
            Some(parts) => parts.push(part),
            None => self.0.push(json!({"role": role, "parts": [part]})),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    candidates: Option<Vec<Candidate>>,
    prompt_feedback: Option<PromptFeedback>,
    usage_metadata: Option<Usage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    index: Option<u64>,
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Content {
    parts: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    thought: Option<bool>,
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    id: Option<String>,
    name: Option<String>,
    args: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    #[serde(default)]
    prompt_token_count: u32,
    #[serde(default)]
    candidates_token_count: u32,
    #[serde(default)]
    thoughts_token_count: u32,
    #[serde(default)]
    cached_content_token_count: u32,
}

impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.prompt_token_count,
            cached: usage.cached_content_token_count.min(usage.prompt_token_count),
            cache_writes: 0,
            // Thoughts are not said, and are paid for.
            output: usage.candidates_token_count.saturating_add(usage.thoughts_token_count),
        }
    }
}
