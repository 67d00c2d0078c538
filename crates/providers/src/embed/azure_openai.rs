//! OpenAI's embeddings as Azure serves them: those of a deployment.
//!
//! Source: learn.microsoft.com, "Azure OpenAI REST API reference". The address belongs to the business.

use super::EmbedProtocol;
use super::embeddings_api::{self, DIMENSIONS};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::Header;

/// Stands where the name of the business's own resource belongs.
const NO_RESOURCE: &str = "resource.invalid";

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "azure_openai",
    title: "Azure OpenAI",
    base_url: "https://resource.invalid",
    key_env: "AZURE_OPENAI_API_KEY",
    base_url_env: "AZURE_OPENAI_ENDPOINT",
    model_env: Some("AZURE_OPENAI_EMBEDDING_DEPLOYMENT"),
    voice_env: None,
    model: Some("text-embedding-3-small"),
    voice: None,
    extra: &[
        ("api_version", "Version of the interface, such as `2024-10-21` (default), or `v1` for the one without versions."),
        DIMENSIONS,
    ],
    key_optional: false,
    quality: 70,
    ..Descriptor::NONE
};

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn EmbedProtocol>, OptionsError> {
    if settings.http_url(&[]).host_str() == Some(NO_RESOURCE) {
        let why = "it must name your resource, as in https://RESOURCE.openai.azure.com";
        return Err(OptionsError::Address { env: DESCRIPTOR.base_url_env, why });
    }
    let url = match settings.text("api_version").unwrap_or("2024-10-21") {
        "v1" => settings.http_url(&["openai", "v1", "embeddings"]),
        version => {
            let mut url = settings.http_url(&["openai", "deployments", settings.model(), "embeddings"]);
            url.query_pairs_mut().append_pair("api-version", version);
            url
        }
    };
    let key = settings.key().map(|key| Header::secret("api-key", key.expose().clone()));
    embeddings_api::open(settings, url.into(), key)
}
