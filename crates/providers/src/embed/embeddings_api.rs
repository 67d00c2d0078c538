//! The codec of `POST …/embeddings`, which several services speak. A vendor file says where requests go.

use super::{EmbedProtocol, EmbedRequest, Embeddings, checked, tokens_of};
use crate::answer::{classify_status, error_code};
use crate::options::{OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The service takes no more texts at once.
const TEXTS_MAX: usize = 2_048;

/// How wide vectors are, an option of every service of this kind.
pub(super) const DIMENSIONS: (&str, &str) =
    ("dimensions", "Width of the vectors, from 1 to 4096; the model's own when unset.");

struct Config {
    url: String,
    headers: Vec<Header>,
    model: String,
    dimensions: Option<u64>,
}

/// Requests go to this address with this credential.
pub(super) fn open(
    settings: &Settings,
    url: String,
    key: Option<Header>,
) -> Result<Factory<dyn EmbedProtocol>, OptionsError> {
    let mut headers = vec![Header::plain("content-type", "application/json")];
    headers.extend(key);
    let dimensions = settings.whole(DIMENSIONS.0, 1..=4_096)?;
    let config = Arc::new(Config { url, headers, model: settings.model().to_owned(), dimensions });
    Ok(Box::new(move || Box::new(EmbeddingsApi { config: config.clone(), texts: 0, tokens: 0 })))
}

struct EmbeddingsApi {
    config: Arc<Config>,
    texts: usize,
    tokens: u64,
}

impl EmbedProtocol for EmbeddingsApi {
    fn texts_max(&self) -> usize {
        TEXTS_MAX
    }

    fn request(&mut self, embed: &EmbedRequest) -> HttpRequest {
        let config = &self.config;
        (self.texts, self.tokens) = (embed.texts.len(), tokens_of(&embed.texts));
        let mut body = Map::new();
        body.insert("model".to_owned(), json!(config.model));
        body.insert("input".to_owned(), json!(embed.texts));
        // A quarter of the bytes that numbers in words take.
        body.insert("encoding_format".to_owned(), json!("base64"));
        if let Some(dimensions) = config.dimensions {
            body.insert("dimensions".to_owned(), json!(dimensions));
        }
        HttpRequest {
            method: Method::Post,
            url: config.url.clone(),
            headers: config.headers.clone(),
            body: Value::Object(body).to_string().into_bytes(),
        }
    }

    fn on_body(&mut self, body: &[u8]) -> Result<Embeddings, Failure> {
        let list: List = serde_json::from_slice(body)
            .map_err(|_| Failure::new(ErrorClass::Protocol, "the service sent an answer of another shape"))?;
        let mut vectors = vec![Vec::new(); self.texts];
        for (at, one) in list.data.into_iter().enumerate() {
            let place = usize::try_from(one.index.unwrap_or(at as u64)).ok().and_then(|index| vectors.get_mut(index));
            let vector = one.embedding.into_vector();
            match (place, vector) {
                (Some(place), Some(vector)) if place.is_empty() => *place = vector,
                _ => return Err(Failure::new(ErrorClass::Protocol, "the service sent a vector that is none")),
            }
        }
        let counted = list.usage.and_then(|usage| usage.total_tokens.or(usage.prompt_tokens));
        checked(vectors, self.texts, counted.unwrap_or(self.tokens))
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        match error_code(body).as_deref() {
            Some("insufficient_quota" | "credit_balance_exhausted" | "billing_hard_limit_reached") => ErrorClass::Quota,
            Some("rate_limit_exceeded" | "rate_limit_error" | "slow_down") => ErrorClass::RateLimited,
            Some("invalid_api_key") => ErrorClass::Auth,
            _ => classify_status(status),
        }
    }
}

#[derive(Deserialize)]
struct List {
    data: Vec<One>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct One {
    index: Option<u64>,
    embedding: Embedding,
}

/// Servers that imitate the service send numbers whatever they were asked for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Embedding {
    Base64(String),
    Numbers(Vec<f32>),
}

impl Embedding {
    fn into_vector(self) -> Option<Vec<f32>> {
        match self {
            Self::Numbers(numbers) => Some(numbers),
            Self::Base64(text) => {
                let bytes = BASE64.decode(text).ok()?;
                let (floats, rest) = bytes.as_chunks::<4>();
                rest.is_empty().then(|| floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
            }
        }
    }
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}
