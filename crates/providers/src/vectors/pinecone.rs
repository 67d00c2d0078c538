//! Pinecone: one index, a namespace for each business.
//!
//! Source: docs.pinecone.io, "Database data API". The index is made beforehand, for 384 numbers and the metric `cosine`; its host
//! is the address. Serverless indexes forget by name, so names are made of places.

use super::{Payload, Place, Point, Step, VectorAnswer, VectorProtocol, VectorRequest, done, found, read};
use crate::answer::classify_status;
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{BusinessId, ErrorClass, Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Vectors of 384 numbers in words: half of the 2 MB that a request may have.
const POINTS_MAX: usize = 200;
/// Names that may be forgotten at once.
const NAMES_MAX: u32 = 1_000;
/// The version of the interface that the shapes below are of.
const VERSION: &str = "2025-04";
/// Stands where the name of the business's own index belongs.
const NO_INDEX: &str = "index.invalid";

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "pinecone",
    title: "Pinecone",
    base_url: "https://index.invalid",
    key_env: "PINECONE_API_KEY",
    base_url_env: "PINECONE_INDEX_HOST",
    ..Descriptor::NONE
};

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn VectorProtocol>, OptionsError> {
    if settings.http_url(&[]).host_str() == Some(NO_INDEX) {
        let why = "it must name the host of your index, as in https://NAME-PROJECT.svc.REGION.pinecone.io";
        return Err(OptionsError::Address { env: DESCRIPTOR.base_url_env, why });
    }
    let mut headers = vec![
        Header::plain("content-type", "application/json"),
        Header::plain("x-pinecone-api-version", VERSION),
    ];
    headers.extend(settings.key().map(|key| Header::secret("api-key", key.expose().clone())));
    let (settings, headers) = (settings.clone(), Arc::new(headers));
    Ok(Box::new(move || {
        Box::new(Pinecone { settings: settings.clone(), headers: headers.clone(), asked: Asked::Simple })
    }))
}

/// What the last request was.
enum Asked {
    Preparing { width: usize },
    Simple,
    Forgetting { namespace: String, names: Vec<String> },
    Finding { count: usize },
    Counting { namespace: String },
}

struct Pinecone {
    settings: Settings,
    headers: Arc<Vec<Header>>,
    asked: Asked,
}

impl Pinecone {
    fn ask(&mut self, asked: Asked, path: &[&str], body: &Value) -> HttpRequest {
        self.asked = asked;
        let url = self.settings.http_url(path).into();
        HttpRequest { method: Method::Post, url, headers: self.headers.to_vec(), body: body.to_string().into_bytes() }
    }

    fn forget(&mut self, namespace: String, mut names: Vec<String>) -> HttpRequest {
        let later = names.split_off(names.len().min(NAMES_MAX as usize));
        let body = json!({"ids": names, "namespace": namespace});
        self.ask(Asked::Forgetting { namespace, names: later }, &["vectors", "delete"], &body)
    }
}

fn vector(business: BusinessId, point: &Point) -> Value {
    json!({"id": point.place.name(), "values": point.vector, "metadata": Payload::of(business, point.place)})
}

impl VectorProtocol for Pinecone {
    fn points_max(&self) -> usize {
        POINTS_MAX
    }

    fn begin(&mut self, request: &VectorRequest) -> HttpRequest {
        match request {
            VectorRequest::Prepare { width, .. } => {
                self.ask(Asked::Preparing { width: *width }, &["describe_index_stats"], &json!({}))
            }
            VectorRequest::Upsert { business, points } => {
                let vectors: Vec<Value> = points.iter().map(|one| vector(*business, one)).collect();
                let body = json!({"namespace": business, "vectors": vectors});
                self.ask(Asked::Simple, &["vectors", "upsert"], &body)
            }
            VectorRequest::Delete { business, document, version, passages } => {
                let name = |ordinal| Place { document: *document, version: *version, ordinal }.name();
                self.forget(business.to_string(), (0..*passages).map(name).collect())
            }
            VectorRequest::Search { business, vector, count } => {
                let body = json!({"namespace": business, "vector": vector, "topK": count, "includeMetadata": true,
                    "includeValues": false});
                self.ask(Asked::Finding { count: *count }, &["query"], &body)
            }
            VectorRequest::Count { business } => {
                let namespace = business.to_string();
                self.ask(Asked::Counting { namespace }, &["describe_index_stats"], &json!({}))
            }
        }
    }

    fn accepts(&self, status: u16, _body: &[u8]) -> bool {
        // There is no such namespace.
        matches!(self.asked, Asked::Forgetting { .. } | Asked::Finding { .. }) && status == 404
    }

    fn on_answer(&mut self, status: u16, body: &[u8]) -> Result<Step, Failure> {
        match std::mem::replace(&mut self.asked, Asked::Simple) {
            Asked::Simple => Ok(done()),
            Asked::Forgetting { namespace, names } => {
                let over = status == 404 || names.is_empty();
                Ok(if over { done() } else { Step::Ask(self.forget(namespace, names)) })
            }
            Asked::Finding { count } if status == 404 => Ok(found(std::iter::empty(), count)),
            Asked::Finding { count } => {
                let answer: Matches = read(body)?;
                Ok(found(answer.matches.iter().map(|one| one.metadata.near(one.score)), count))
            }
            Asked::Preparing { width } => {
                let stats: Stats = read(body)?;
                if stats.dimension.is_some_and(|dimension| dimension != width) {
                    let why = format!("the index is for other vectors; make one for {width} numbers");
                    return Err(Failure::new(ErrorClass::Invalid, why));
                }
                Ok(done())
            }
            Asked::Counting { namespace } => {
                let stats: Stats = read(body)?;
                let count = stats.namespaces.get(&namespace).map_or(0, |one| one.vector_count);
                Ok(Step::Answer(VectorAnswer::Counted(count)))
            }
        }
    }

    fn classify(&self, status: u16, _body: &str) -> ErrorClass {
        classify_status(status)
    }
}

#[derive(Deserialize)]
struct Matches {
    matches: Vec<Match>,
}

#[derive(Deserialize)]
struct Match {
    score: f32,
    metadata: Payload,
}

#[derive(Deserialize)]
struct Stats {
    dimension: Option<usize>,
    #[serde(default)]
    namespaces: HashMap<String, Namespace>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Namespace {
    vector_count: u64,
}
