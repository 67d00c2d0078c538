//! Chroma: a collection for each business.
//!
//! Source: docs.trychroma.com, "Server API", version 2. A collection is spoken to by its id, which is asked for first.

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

/// Below what any server takes at once.
const POINTS_MAX: usize = 500;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "chroma",
    title: "Chroma",
    base_url: "http://127.0.0.1:8000",
    key_env: "CHROMA_API_KEY",
    base_url_env: "CHROMA_URL",
    extra: &[
        ("tenant", "Name of the tenant, `default_tenant` when unset."),
        ("database", "Name of the database, `default_database` when unset."),
        ("collection", "What names of collections begin with, `frontdesk` when unset; the business follows."),
    ],
    key_optional: true,
    ..Descriptor::NONE
};

struct Config {
    /// Of the collections.
    url: Url,
    headers: Vec<Header>,
    prefix: String,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn VectorProtocol>, OptionsError> {
    let tenant = settings.text("tenant").unwrap_or("default_tenant");
    let database = settings.text("database").unwrap_or("default_database");
    let mut headers = vec![Header::plain("content-type", "application/json")];
    headers.extend(settings.key().map(|key| Header::secret("x-chroma-token", key.expose().clone())));
    let config = Arc::new(Config {
        url: settings.http_url(&["api", "v2", "tenants", tenant, "databases", database, "collections"]),
        headers,
        prefix: settings.text("collection").unwrap_or("frontdesk").to_owned(),
    });
    Ok(Box::new(move || Box::new(Chroma { config: config.clone(), asked: Asked::Collection(Then::Nothing) })))
}

/// What is to be done in the collection.
#[derive(Clone)]
enum Then {
    Nothing,
    Keep(Value),
    Forget(Value),
    Find(Value, usize),
    Count,
}

/// What the last request was.
#[derive(Clone)]
enum Asked {
    Collection(Then),
    Simple,
    Finding(usize),
    Counting,
}

struct Chroma {
    config: Arc<Config>,
    asked: Asked,
}

impl Chroma {
    fn ask(&mut self, asked: Asked, method: Method, path: &[&str], body: Option<&Value>) -> HttpRequest {
        self.asked = asked;
        let mut url = self.config.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        HttpRequest { method, url: url.into(), headers: self.config.headers.clone(), body }
    }

    fn make(&mut self, business: &BusinessId, then: Then) -> HttpRequest {
        let body = json!({"name": self.name(business), "get_or_create": true,
            "configuration": {"hnsw": {"space": "cosine"}}});
        self.ask(Asked::Collection(then), Method::Post, &[], Some(&body))
    }

    fn look(&mut self, business: &BusinessId, then: Then) -> HttpRequest {
        let name = self.name(business);
        self.ask(Asked::Collection(then), Method::Get, &[&name], None)
    }

    fn name(&self, business: &BusinessId) -> String {
        format!("{}-{business}", self.config.prefix)
    }

    /// In a collection that is there.
    fn go_on(&mut self, id: &str, then: Then) -> Step {
        Step::Ask(match then {
            Then::Nothing => return done(),
            Then::Keep(body) => self.ask(Asked::Simple, Method::Post, &[id, "upsert"], Some(&body)),
            Then::Forget(body) => self.ask(Asked::Simple, Method::Post, &[id, "delete"], Some(&body)),
            Then::Find(body, count) => self.ask(Asked::Finding(count), Method::Post, &[id, "query"], Some(&body)),
            Then::Count => self.ask(Asked::Counting, Method::Get, &[id, "count"], None),
        })
    }
}

impl VectorProtocol for Chroma {
    fn points_max(&self) -> usize {
        POINTS_MAX
    }

    fn begin(&mut self, request: &VectorRequest) -> HttpRequest {
        match request {
            VectorRequest::Prepare { business, .. } => self.make(business, Then::Nothing),
            VectorRequest::Upsert { business, points } => {
                let names: Vec<String> = points.iter().map(|one| one.place.name()).collect();
                let vectors: Vec<&[f32]> = points.iter().map(|one| one.vector.as_slice()).collect();
                let payload = |one: &Point| Payload::of(*business, one.place);
                let payloads: Vec<Payload> = points.iter().map(payload).collect();
                let body = json!({"ids": names, "embeddings": vectors, "metadatas": payloads});
                self.make(business, Then::Keep(body))
            }
            VectorRequest::Delete { business, document, version, .. } => {
                let of = json!({"$and": [{"document": {"$eq": document}}, {"version": {"$eq": version}}]});
                self.look(business, Then::Forget(json!({ "where": of })))
            }
            VectorRequest::Search { business, vector, count } => {
                let body = json!({"query_embeddings": [vector], "n_results": count,
                    "include": ["metadatas", "distances"]});
                self.look(business, Then::Find(body, *count))
            }
            VectorRequest::Count { business } => self.look(business, Then::Count),
        }
    }

    fn accepts(&self, status: u16, _body: &[u8]) -> bool {
        // There is no such collection.
        matches!(self.asked, Asked::Collection(Then::Forget(_) | Then::Find(..) | Then::Count)) && status == 404
    }

    fn on_answer(&mut self, status: u16, body: &[u8]) -> Result<Step, Failure> {
        match self.asked.clone() {
            Asked::Collection(then) if status == 404 => Ok(match then {
                Then::Find(_, count) => found(std::iter::empty(), count),
                Then::Count => Step::Answer(VectorAnswer::Counted(0)),
                _ => done(),
            }),
            Asked::Collection(then) => {
                let collection: Collection = read(body)?;
                Ok(self.go_on(&collection.id, then))
            }
            Asked::Simple => Ok(done()),
            Asked::Finding(count) => {
                let answer: Found = read(body)?;
                let of_first = answer.metadatas.into_iter().flatten().zip(answer.distances.into_iter().flatten());
                let near = of_first.filter_map(|(payload, distance)| Some(payload?.near(1.0 - distance?)));
                Ok(found(near, count))
            }
            Asked::Counting => {
                let count: Value = read(body)?;
                Ok(Step::Answer(VectorAnswer::Counted(count.as_u64().ok_or_else(garbled)?)))
            }
        }
    }

    fn classify(&self, status: u16, _body: &str) -> ErrorClass {
        classify_status(status)
    }
}

#[derive(Deserialize)]
struct Collection {
    id: String,
}

/// One list for each vector that was asked about.
#[derive(Deserialize)]
struct Found {
    metadatas: Vec<Vec<Option<Payload>>>,
    distances: Vec<Vec<Option<f32>>>,
}
