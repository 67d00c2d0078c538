//! OpenAI's chat completions, and any server that speaks them and has no file of its own.
//!
//! Source: platform.openai.com, "Create chat completion", "Streaming", "Prompt caching" (long prompts that begin alike are
//! cached without being asked).

use model::routing::{Feature, Region};
use super::LlmProtocol;
use super::chat_completions::{self, Dialect, option};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::Header;

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
        option::TOKENS_MAX_FIELD,
        option::TEMPERATURE,
        option::REASONING_EFFORT,
        option::SYSTEM_ROLE,
        option::STRICT_TOOLS,
        option::PARALLEL_TOOL_CALLS,
        option::INCLUDE_USAGE,
        option::SERVICE_TIER,
        option::PROMPT_CACHE_KEY,
        option::AUTH_HEADER,
        ("organization", "Organization that is billed."),
        ("project", "Project that is billed."),
    ],
    key_optional: true,
    region: Some(Region::Us),
    features: &[Feature::Tools, Feature::PromptCache],
    quality: 80,
    ..Descriptor::NONE
};

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn LlmProtocol>, OptionsError> {
    let billed = [("organization", "openai-organization"), ("project", "openai-project")];
    let headers = billed.into_iter().filter_map(|(option, name)| Some(Header::plain(name, settings.text(option)?)));
    let dialect = Dialect { headers: headers.collect(), ..Dialect::plain(settings, &["chat", "completions"]) };
    chat_completions::open(settings, dialect)
}
