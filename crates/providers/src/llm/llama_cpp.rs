//! The server of llama.cpp, which speaks chat completions.
//!
//! Source: github.com/ggml-org/llama.cpp, "tools/server/README.md". Tools need `--jinja`; the name of the model is ignored.
//! What differs: while it loads its model every answer is a 503 with `unavailable_error`, and what a conversation has in
//! common with the last one of its slot is read from the cache.

use super::LlmProtocol;
use super::chat_completions::{self, Dialect, option};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use model::routing::{Feature, Region};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "llama_cpp",
    title: "llama.cpp server",
    base_url: "http://127.0.0.1:8080/v1",
    key_env: "LLAMA_CPP_API_KEY",
    base_url_env: "LLAMA_CPP_BASE_URL",
    model_env: Some("LLAMA_CPP_MODEL"),
    voice_env: None,
    model: Some("default"),
    voice: None,
    extra: &[
        option::TEMPERATURE,
        option::PARALLEL_TOOL_CALLS,
        option::INCLUDE_USAGE,
        ("cache_prompt", "`false` reads every conversation anew; default `true`."),
        ("slot", "Slot of the server to use, from 0 to 255; any free one when unset."),
    ],
    key_optional: true,
    region: Some(Region::OnSite),
    features: &[Feature::Tools, Feature::PromptCache],
    quality: 50,
    ..Descriptor::NONE
};

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn LlmProtocol>, OptionsError> {
    let mut dialect = Dialect::plain(settings, &["chat", "completions"]);
    dialect.tokens_max_field = "max_tokens";
    dialect.body.insert("cache_prompt".to_owned(), settings.flag("cache_prompt")?.unwrap_or(true).into());
    if let Some(slot) = settings.whole("slot", 0..=255)? {
        dialect.body.insert("id_slot".to_owned(), slot.into());
    }
    chat_completions::open(settings, dialect)
}
