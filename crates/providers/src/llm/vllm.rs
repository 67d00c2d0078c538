//! A vLLM server, which speaks chat completions.
//!
//! Source: docs.vllm.ai, "OpenAI-Compatible Server". Tools need `--enable-auto-tool-choice` and a `--tool-call-parser`; the
//! server answers to the name of its model or to `--served-model-name`. What differs: `code` of an error is a number, some
//! tool parsers put every call under one index, and thoughts come as `reasoning`.

use super::LlmProtocol;
use super::chat_completions::{self, Dialect, option};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use model::routing::{Feature, Region};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "vllm",
    title: "vLLM",
    base_url: "http://127.0.0.1:8000/v1",
    key_env: "VLLM_API_KEY",
    base_url_env: "VLLM_BASE_URL",
    model_env: Some("VLLM_MODEL"),
    voice_env: None,
    model: Some("default"),
    voice: None,
    extra: &[
        option::TEMPERATURE,
        option::SYSTEM_ROLE,
        option::PARALLEL_TOOL_CALLS,
        option::INCLUDE_USAGE,
        ("thinking", "`false` tells the chat template that the model must not think aloud; left out when unset."),
        ("priority", "Requests with a smaller number are served first, from 0 to 1000; left out when unset."),
    ],
    key_optional: true,
    region: Some(Region::OnSite),
    features: &[Feature::Tools, Feature::PromptCache],
    quality: 55,
    ..Descriptor::NONE
};

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn LlmProtocol>, OptionsError> {
    let mut dialect = Dialect::plain(settings, &["chat", "completions"]);
    dialect.tokens_max_field = "max_tokens";
    if let Some(thinking) = settings.flag("thinking")? {
        let arguments = serde_json::json!({"enable_thinking": thinking});
        dialect.body.insert("chat_template_kwargs".to_owned(), arguments);
    }
    if let Some(priority) = settings.whole("priority", 0..=1000)? {
        dialect.body.insert("priority".to_owned(), priority.into());
    }
    chat_completions::open(settings, dialect)
}
