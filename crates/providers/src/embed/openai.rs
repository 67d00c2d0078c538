//! OpenAI's embeddings, and any server that speaks them.
//!
//! Source: platform.openai.com, "Create embeddings". At most 2048 texts of 8191 tokens in one request.

use super::EmbedProtocol;
use super::embeddings_api::{self, DIMENSIONS};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::Header;
use model::routing::Region;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "openai",
    title: "OpenAI",
    base_url: "https://api.openai.com/v1",
    key_env: "OPENAI_API_KEY",
    base_url_env: "OPENAI_BASE_URL",
    model_env: Some("OPENAI_EMBEDDING_MODEL"),
    voice_env: None,
    model: Some("text-embedding-3-small"),
    voice: None,
    extra: &[DIMENSIONS],
    key_optional: true,
    region: Some(Region::Us),
    quality: 70,
    ..Descriptor::NONE
};

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn EmbedProtocol>, OptionsError> {
    let key = settings.key().map(|key| Header::secret("authorization", format!("Bearer {}", key.expose())));
    embeddings_api::open(settings, settings.http_url(&["embeddings"]).into(), key)
}
