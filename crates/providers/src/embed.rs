//! Embeddings: texts to vectors that are alike when the texts are. One request and its whole answer; no stream.

use crate::registry::embed_providers;
use base::wire::HttpRequest;
use base::{ErrorClass, Failure, Pii};
use serde::{Deserialize, Serialize};

mod embeddings_api;

/// What a text is embedded for. Some models tell questions from the passages that answer them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbedPurpose {
    /// To be found.
    Document,
    /// To find with.
    Query,
}

/// What is to be embedded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// The texts; none is empty.
    pub texts: Vec<Pii<String>>,
    /// What they are for.
    pub purpose: EmbedPurpose,
}

/// The vectors of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// One for each text, in their order; all of one width, each of length 1.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read, estimated where the service does not count.
    pub tokens: u64,
}

/// A vendor's embeddings over one HTTP request. One value per request.
pub trait EmbedProtocol: Send {
    /// How many texts one request may hold.
    fn texts_max(&self) -> usize;
    /// The request, whole.
    fn request(&mut self, embed: &EmbedRequest) -> HttpRequest;
    /// Turns the whole body of the answer into as many vectors as there were texts, or says what is wrong with it.
    fn on_body(&mut self, body: &[u8]) -> Result<Embeddings, Failure>;
    /// Maps an HTTP status and body to a class.
    fn classify(&self, status: u16, body: &str) -> ErrorClass;
}

/// Rough tokens of texts, for services that do not count: four characters each.
pub fn tokens_of(texts: &[Pii<String>]) -> u64 {
    texts.iter().map(|text| text.expose().chars().count().div_ceil(4) as u64).sum()
}

/// Brings vectors to length 1 and checks that there are as many as texts, of one width, without a number that is none.
fn checked(mut vectors: Vec<Vec<f32>>, texts: usize, tokens: u64) -> Result<Embeddings, Failure> {
    let refuse = |detail: &str| Err(Failure::new(ErrorClass::Protocol, detail));
    if vectors.len() != texts {
        return refuse("the service answered with another number of vectors than there were texts");
    }
    let width = vectors.first().map_or(0, Vec::len);
    for vector in &mut vectors {
        let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if vector.len() != width || !length.is_normal() {
            return refuse("the service answered with a vector that is none");
        }
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
    Ok(Embeddings { vectors, tokens })
}

embed_providers! { openai, azure_openai, gemini }
