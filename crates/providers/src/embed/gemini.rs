//! Google's Gemini embeddings: `POST /v1beta/models/MODEL:batchEmbedContents`.
//!
//! Source: ai.google.dev, "Embeddings". The service does not say how many tokens it read, and vectors narrower than the
//! model's own do not come with length 1.

use super::{EmbedProtocol, EmbedPurpose, EmbedRequest, Embeddings, checked, tokens_of};
use crate::answer::classify_status;
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use model::routing::Region;

/// The service takes no more texts at once.
const TEXTS_MAX: usize = 100;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "gemini",
    title: "Google Gemini",
    base_url: "https://generativelanguage.googleapis.com",
    key_env: "GEMINI_API_KEY",
    base_url_env: "GEMINI_BASE_URL",
    model_env: Some("GEMINI_EMBEDDING_MODEL"),
    voice_env: None,
    model: Some("gemini-embedding-001"),
    voice: None,
    extra: &[
        ("dimensions", "Width of the vectors, from 128 to 3072; `768` (default) keeps an index small."),
        ("api_version", "Version of the interface: `v1beta` (default) or `v1`."),
    ],
    key_optional: false,
    region: Some(Region::Global),
    quality: 75,
    ..Descriptor::NONE
};

struct Config {
    url: String,
    headers: Vec<Header>,
    model: String,
    dimensions: u64,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn EmbedProtocol>, OptionsError> {
    let version = settings.choice("api_version", &["v1beta", "v1"])?.unwrap_or("v1beta");
    let method = format!("{}:batchEmbedContents", settings.model());
    let mut headers = vec![Header::plain("content-type", "application/json")];
    headers.extend(settings.key().map(|key| Header::secret("x-goog-api-key", key.expose().clone())));
    let config = Arc::new(Config {
        url: settings.http_url(&[version, "models", &method]).into(),
        headers,
        model: format!("models/{}", settings.model()),
        dimensions: settings.whole("dimensions", 128..=3_072)?.unwrap_or(768),
    });
    Ok(Box::new(move || Box::new(Gemini { config: config.clone(), texts: 0, tokens: 0 })))
}

struct Gemini {
    config: Arc<Config>,
    texts: usize,
    tokens: u64,
}

impl EmbedProtocol for Gemini {
    fn texts_max(&self) -> usize {
        TEXTS_MAX
    }

    fn request(&mut self, embed: &EmbedRequest) -> HttpRequest {
        let config = &self.config;
        (self.texts, self.tokens) = (embed.texts.len(), tokens_of(&embed.texts));
        let task = match embed.purpose {
            EmbedPurpose::Document => "RETRIEVAL_DOCUMENT",
            EmbedPurpose::Query => "RETRIEVAL_QUERY",
        };
        let one = |text: &base::Pii<String>| {
            json!({"model": config.model, "content": {"parts": [{"text": text}]}, "taskType": task,
                "outputDimensionality": config.dimensions})
        };
        let requests: Vec<Value> = embed.texts.iter().map(one).collect();
        HttpRequest {
            method: Method::Post,
            url: config.url.clone(),
            headers: config.headers.clone(),
            body: json!({"requests": requests}).to_string().into_bytes(),
        }
    }

    fn on_body(&mut self, body: &[u8]) -> Result<Embeddings, Failure> {
        let batch: Batch = serde_json::from_slice(body)
            .map_err(|_| Failure::new(ErrorClass::Protocol, "the service sent an answer of another shape"))?;
        checked(batch.embeddings.into_iter().map(|one| one.values).collect(), self.texts, self.tokens)
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        // A wrong key is an invalid argument by name; its reason tells.
        if body.contains("API_KEY_INVALID") { ErrorClass::Auth } else { classify_status(status) }
    }
}

#[derive(Deserialize)]
struct Batch {
    embeddings: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    values: Vec<f32>,
}
