//! OpenAI's models as Azure serves them: chat completions of a deployment.
//!
//! Source: learn.microsoft.com, "Azure OpenAI REST API reference" and "API version lifecycle". What differs: the address
//! belongs to the business (`https://RESOURCE.openai.azure.com`), the path names a deployment, the key has a header of its
//! own, the first event holds no choice but the verdict on the prompt, and a filtered prompt is a 400 with
//! `content_filter`. Refusals for rate say "retry after N seconds" in words, sometimes for a day.

use super::LlmProtocol;
use super::chat_completions::{self, Dialect, option};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::ErrorClass;
use model::routing::Feature;

/// Stands where the name of the business's own resource belongs.
const NO_RESOURCE: &str = "resource.invalid";
/// The last version of the dated interface that is generally available.
const API_VERSION: &str = "2024-10-21";

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "azure_openai",
    title: "Azure OpenAI",
    base_url: "https://resource.invalid",
    key_env: "AZURE_OPENAI_API_KEY",
    base_url_env: "AZURE_OPENAI_ENDPOINT",
    model_env: Some("AZURE_OPENAI_DEPLOYMENT"),
    voice_env: None,
    model: Some("gpt-6-luna"),
    voice: None,
    extra: &[
        ("api_version", "Version of the interface, such as `2024-10-21` (default), or `v1` for the one without versions."),
        option::TEMPERATURE,
        option::REASONING_EFFORT,
        option::SYSTEM_ROLE,
        option::STRICT_TOOLS,
        option::PARALLEL_TOOL_CALLS,
        option::INCLUDE_USAGE,
        option::PROMPT_CACHE_KEY,
        option::TOKENS_MAX_FIELD,
        option::AUTH_HEADER,
    ],
    key_optional: false,
    features: &[Feature::Tools, Feature::PromptCache],
    quality: 80,
    ..Descriptor::NONE
};

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn LlmProtocol>, OptionsError> {
    let mut dialect = Dialect::plain(settings, &["openai", "v1", "chat", "completions"]);
    if settings.http_url(&[]).host_str() == Some(NO_RESOURCE) {
        let why = "it must name your resource, as in https://RESOURCE.openai.azure.com";
        return Err(OptionsError::Address { env: DESCRIPTOR.base_url_env, why });
    }
    let version = settings.text("api_version").unwrap_or(API_VERSION).to_owned();
    if version != "v1" {
        let settings = settings.clone();
        dialect.url = Box::new(move |deployment| {
            let mut url = settings.http_url(&["openai", "deployments", deployment, "chat", "completions"]);
            url.query_pairs_mut().append_pair("api-version", &version);
            url.into()
        });
    }
    dialect.auth_header = "api-key";
    dialect.class_of = |code| match code {
        "DeploymentNotFound" => Some(ErrorClass::Invalid),
        "ResponsibleAIPolicyViolation" => Some(ErrorClass::Refused),
        _ => None,
    };
    chat_completions::open(settings, dialect)
}
