//! Language models: the codec trait. Events are the domain's own [`GenerationEvent`].

use crate::registry::llm_providers;
use base::ErrorClass;
use base::wire::HttpRequest;
use model::generation::{GenerationEvent, GenerationRequest, TokenUsage};

mod answer;
mod chat_completions;
pub mod sse;
pub(crate) mod tools;

/// A vendor's streaming generation over one HTTP request. One value per request.
pub trait LlmProtocol: Send {
    /// The request, whole.
    fn request(&mut self, generation: &GenerationRequest) -> HttpRequest;
    /// Turns bytes of the response body, split anywhere, into events. The first is `Started`; neighbouring pieces of text
    /// are joined; tool calls are given whole, at the end, before `Usage` and `Done`.
    fn on_bytes(&mut self, bytes: &[u8], out: &mut Vec<GenerationEvent>);
    /// The body ended; emits `Failed` when it ended too early.
    fn on_end(&mut self, out: &mut Vec<GenerationEvent>);
    /// Tokens used so far, estimated where the vendor has not counted yet: what a generation costs that is called off.
    fn usage_so_far(&self) -> TokenUsage;
    /// Maps an HTTP status and body to a class.
    fn classify(&self, status: u16, body: &str) -> ErrorClass;
}

llm_providers! { openai, azure_openai, anthropic, gemini, groq, vllm, ollama, llama_cpp }
