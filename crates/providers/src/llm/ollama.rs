//! An Ollama server, which speaks chat completions below `/v1`.
//!
//! Source: github.com/ollama/ollama, "docs/openai.md" and "docs/faq.md". Any key is accepted. What differs: tool calls come
//! whole, a model that is not there is a 404 whose `error` is a sentence, and the first request after a pause loads the
//! model, which takes longer than a caller waits: keep it in memory with `OLLAMA_KEEP_ALIVE=-1` on the server.

use super::LlmProtocol;
use super::chat_completions::{self, Dialect, option};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use model::routing::{Feature, Region};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "ollama",
    title: "Ollama",
    base_url: "http://127.0.0.1:11434/v1",
    key_env: "OLLAMA_API_KEY",
    base_url_env: "OLLAMA_BASE_URL",
    model_env: Some("OLLAMA_MODEL"),
    voice_env: None,
    model: Some("qwen3:4b"),
    voice: None,
    extra: &[
        option::TEMPERATURE,
        option::REASONING_EFFORT,
        option::INCLUDE_USAGE,
    ],
    key_optional: true,
    region: Some(Region::OnSite),
    features: &[Feature::Tools],
    quality: 50,
    ..Descriptor::NONE
};

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn LlmProtocol>, OptionsError> {
    let mut dialect = Dialect::plain(settings, &["chat", "completions"]);
    dialect.tokens_max_field = "max_tokens";
    chat_completions::open(settings, dialect)
}
