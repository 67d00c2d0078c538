//! Groq's chat completions.
//!
//! Source: console.groq.com, "API reference" and "Errors". What differs: usage also comes inside `x_groq`; 498 says that the
//! flexible tier is full; a tool call that the model could not write is a 400 with `tool_use_failed`, which another try may
//! mend. The address is given without its path, as the vendor's own client wants it.

use super::LlmProtocol;
use super::chat_completions::{self, Dialect, option};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::ErrorClass;
use model::routing::Feature;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "groq",
    title: "Groq",
    base_url: "https://api.groq.com",
    key_env: "GROQ_API_KEY",
    base_url_env: "GROQ_BASE_URL",
    model_env: Some("GROQ_MODEL"),
    voice_env: None,
    model: Some("openai/gpt-oss-20b"),
    voice: None,
    extra: &[
        option::TEMPERATURE,
        option::REASONING_EFFORT,
        option::PARALLEL_TOOL_CALLS,
        option::SERVICE_TIER,
        ("reasoning_format", "What becomes of the model's thoughts: `hidden`, `parsed` or `raw`; left out when unset."),
    ],
    key_optional: false,
    features: &[Feature::Tools, Feature::PromptCache],
    quality: 65,
    ..Descriptor::NONE
};

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn LlmProtocol>, OptionsError> {
    let mut dialect = Dialect::plain(settings, &["openai", "v1", "chat", "completions"]);
    if let Some(format) = settings.choice("reasoning_format", &["hidden", "parsed", "raw"])? {
        dialect.body.insert("reasoning_format".to_owned(), format.into());
    }
    dialect.class_of = |code| match code {
        "tool_use_failed" => Some(ErrorClass::Protocol),
        "flex_tier_capacity_exceeded" | "capacity_exceeded" => Some(ErrorClass::RateLimited),
        _ => None,
    };
    chat_completions::open(settings, dialect)
}
