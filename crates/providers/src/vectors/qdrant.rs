//! Qdrant: one collection, the business as the tenant of each point.
//!
//! Source: qdrant.tech, "API reference" and "Multitenancy". Points are named by a UUID; everything waits until it is written.

use super::{Payload, Point, Step, VectorAnswer, VectorProtocol, VectorRequest, done, found, garbled, read};
use crate::answer::classify_status;
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{BusinessId, ErrorClass, Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use url::Url;

/// Well below the 32 MiB that a request may have.
const POINTS_MAX: usize = 500;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "qdrant",
    title: "Qdrant",
    base_url: "http://127.0.0.1:6333",
    key_env: "QDRANT_API_KEY",
    base_url_env: "QDRANT_URL",
    extra: &[("collection", "Name of the collection, `frontdesk` when unset; made when there is none.")],
    key_optional: true,
    ..Descriptor::NONE
};

struct Config {
    /// Of the collection.
    url: Url,
    headers: Vec<Header>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn VectorProtocol>, OptionsError> {
    let collection = settings.text("collection").unwrap_or("frontdesk");
    let mut headers = vec![Header::plain("content-type", "application/json")];
    headers.extend(settings.key().map(|key| Header::secret("api-key", key.expose().clone())));
    let config = Arc::new(Config { url: settings.http_url(&["collections", collection]), headers });
    Ok(Box::new(move || Box::new(Qdrant { config: config.clone(), asked: Asked::Simple, left: Vec::new() })))
}

/// What the last request was.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Making,
    Simple,
    Finding(usize),
    Counting,
}

struct Qdrant {
    config: Arc<Config>,
    asked: Asked,
    /// Fields that are still to be indexed.
    left: Vec<Value>,
}

impl Qdrant {
    fn ask(&mut self, asked: Asked, method: Method, path: &[&str], body: &Value) -> HttpRequest {
        self.asked = asked;
        let mut url = self.config.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        if asked == Asked::Simple {
            url.query_pairs_mut().append_pair("wait", "true");
        }
        HttpRequest { method, url: url.into(), headers: self.config.headers.clone(), body: body.to_string().into_bytes() }
    }
}

fn is(key: &str, value: impl Into<Value>) -> Value {
    json!({"key": key, "match": {"value": value.into()}})
}

fn of(business: &BusinessId) -> Value {
    json!({"must": [is("business", business.to_string())]})
}

fn point(business: BusinessId, point: &Point) -> Value {
    json!({"id": point.place.uuid(), "vector": point.vector, "payload": Payload::of(business, point.place)})
}

impl VectorProtocol for Qdrant {
    fn points_max(&self) -> usize {
        POINTS_MAX
    }

    fn begin(&mut self, request: &VectorRequest) -> HttpRequest {
        match request {
            VectorRequest::Prepare { width, .. } => {
                self.left = vec![
                    json!({"field_name": "document", "field_schema": "keyword"}),
                    json!({"field_name": "business", "field_schema": {"type": "keyword", "is_tenant": true}}),
                ];
                let vectors = json!({"vectors": {"size": width, "distance": "Cosine"}});
                self.ask(Asked::Making, Method::Put, &[], &vectors)
            }
            VectorRequest::Upsert { business, points } => {
                let points: Vec<Value> = points.iter().map(|one| point(*business, one)).collect();
                self.ask(Asked::Simple, Method::Put, &["points"], &json!({ "points": points }))
            }
            VectorRequest::Delete { business, document, version, .. } => {
                let must = [
                    is("business", business.to_string()),
                    is("document", document.to_string()),
                    is("version", *version),
                ];
                let filter = json!({"filter": {"must": must}});
                self.ask(Asked::Simple, Method::Post, &["points", "delete"], &filter)
            }
            VectorRequest::Search { business, vector, count } => {
                let query = json!({"query": vector, "limit": count, "filter": of(business), "with_payload": true});
                self.ask(Asked::Finding(*count), Method::Post, &["points", "query"], &query)
            }
            VectorRequest::Count { business } => {
                let query = json!({"filter": of(business), "exact": true});
                self.ask(Asked::Counting, Method::Post, &["points", "count"], &query)
            }
        }
    }

    fn accepts(&self, status: u16, _body: &[u8]) -> bool {
        match self.asked {
            // There is a collection of this name.
            Asked::Making => status == 409,
            // There is none.
            Asked::Finding(_) | Asked::Counting => status == 404,
            Asked::Simple => false,
        }
    }

    fn on_answer(&mut self, status: u16, body: &[u8]) -> Result<Step, Failure> {
        match self.asked {
            Asked::Making | Asked::Simple => Ok(match self.left.pop() {
                Some(field) => Step::Ask(self.ask(Asked::Simple, Method::Put, &["index"], &field)),
                None => done(),
            }),
            Asked::Finding(count) if status == 404 => Ok(found(std::iter::empty(), count)),
            Asked::Finding(count) => {
                let answer: Answer<Points> = read(body)?;
                let near = answer.result.points.iter().map(|one| one.payload.near(one.score));
                Ok(found(near, count))
            }
            Asked::Counting if status == 404 => Ok(Step::Answer(VectorAnswer::Counted(0))),
            Asked::Counting => {
                let answer: Answer<Value> = read(body)?;
                let count = answer.result["count"].as_u64().ok_or_else(garbled)?;
                Ok(Step::Answer(VectorAnswer::Counted(count)))
            }
        }
    }

    fn classify(&self, status: u16, _body: &str) -> ErrorClass {
        classify_status(status)
    }
}

#[derive(Deserialize)]
struct Answer<T> {
    result: T,
}

#[derive(Deserialize)]
struct Points {
    points: Vec<Scored>,
}

#[derive(Deserialize)]
struct Scored {
    score: f32,
    payload: Payload,
}
