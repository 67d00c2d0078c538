//! Weaviate: one collection, the business as a property of each object.
//!
//! Source: docs.weaviate.io, "REST API" and "GraphQL API". Objects are named by a UUID.

use super::{Payload, Point, Step, VectorAnswer, VectorProtocol, VectorRequest, done, found, garbled, read};
use crate::answer::classify_status;
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{BusinessId, ErrorClass, Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

const POINTS_MAX: usize = 500;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "weaviate",
    title: "Weaviate",
    base_url: "http://127.0.0.1:8080",
    key_env: "WEAVIATE_API_KEY",
    base_url_env: "WEAVIATE_URL",
    extra: &[("collection", "Name of the collection, `Frontdesk` when unset; made when there is none. Begins with a capital.")],
    key_optional: true,
    ..Descriptor::NONE
};

struct Config {
    settings: Settings,
    headers: Vec<Header>,
    collection: String,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn VectorProtocol>, OptionsError> {
    let collection = settings.text("collection").unwrap_or("Frontdesk");
    let is_name = collection.starts_with(|c: char| c.is_ascii_uppercase())
        && collection.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(settings.value_error("collection", collection, "a capital, then letters, digits and underscores"));
    }
    let mut headers = vec![Header::plain("content-type", "application/json")];
    headers.extend(settings.key().map(|key| Header::secret("authorization", format!("Bearer {}", key.expose()))));
    let config = Arc::new(Config { settings: settings.clone(), headers, collection: collection.to_owned() });
    Ok(Box::new(move || Box::new(Weaviate { config: config.clone(), asked: Asked::Making })))
}

/// What the last request was.
enum Asked {
    Making,
    Keeping,
    Forgetting(Value),
    Finding(usize),
    Counting,
}

struct Weaviate {
    config: Arc<Config>,
    asked: Asked,
}

impl Weaviate {
    fn ask(&mut self, asked: Asked, method: Method, path: &[&str], body: &Value) -> HttpRequest {
        self.asked = asked;
        let Config { settings, headers, .. } = &*self.config;
        HttpRequest {
            method,
            url: settings.http_url(path).into(),
            headers: headers.clone(),
            body: body.to_string().into_bytes(),
        }
    }

    fn forget(&mut self, matching: Value) -> HttpRequest {
        let body = json!({"match": matching, "output": "minimal"});
        self.ask(Asked::Forgetting(matching), Method::Delete, &["v1", "batch", "objects"], &body)
    }

    fn query(&mut self, asked: Asked, query: String) -> HttpRequest {
        self.ask(asked, Method::Post, &["v1", "graphql"], &json!({ "query": query }))
    }

    fn answer<'a>(&self, body: &'a Value, verb: &str) -> Result<&'a Vec<Value>, Failure> {
        static NOTHING: Vec<Value> = Vec::new();
        let collection = &self.config.collection;
        // Before the first vector there is no collection, and nothing in it.
        let told = body["errors"].as_array().into_iter().flatten().filter_map(|error| error["message"].as_str());
        if told.into_iter().any(|message| message.starts_with(&format!("Cannot query field \"{collection}\""))) {
            return Ok(&NOTHING);
        }
        body["data"][verb][collection].as_array().ok_or_else(|| {
            Failure::new(ErrorClass::Invalid, "the store refused the query; is the collection one of ours?")
        })
    }
}

/// Objects of a business, in GraphQL. An id holds nothing that would have to be escaped.
fn of(business: &BusinessId) -> String {
    format!("where:{{path:[\"business\"],operator:Equal,valueText:\"{business}\"}}")
}

fn is(path: &str, kind: &str, value: Value) -> Value {
    json!({"path": [path], "operator": "Equal", kind: value})
}

impl VectorProtocol for Weaviate {
    fn points_max(&self) -> usize {
        POINTS_MAX
    }

    fn begin(&mut self, request: &VectorRequest) -> HttpRequest {
        let collection = self.config.collection.clone();
        match request {
            VectorRequest::Prepare { .. } => {
                let text = |name| json!({"name": name, "dataType": ["text"], "tokenization": "field"});
                let whole = |name| json!({"name": name, "dataType": ["int"]});
                let class = json!({"class": collection, "vectorizer": "none",
                    "vectorIndexConfig": {"distance": "cosine"},
                    "properties": [text("business"), text("document"), whole("version"), whole("ordinal")]});
                self.ask(Asked::Making, Method::Post, &["v1", "schema"], &class)
            }
            VectorRequest::Upsert { business, points } => {
                let object = |one: &Point| {
                    json!({"class": collection, "id": one.place.uuid(), "vector": one.vector,
                        "properties": Payload::of(*business, one.place)})
                };
                let objects: Vec<Value> = points.iter().map(object).collect();
                self.ask(Asked::Keeping, Method::Post, &["v1", "batch", "objects"], &json!({ "objects": objects }))
            }
            VectorRequest::Delete { business, document, version, .. } => {
                let operands = [
                    is("business", "valueText", json!(business)),
                    is("document", "valueText", json!(document)),
                    is("version", "valueInt", json!(version)),
                ];
                self.forget(json!({"class": collection, "where": {"operator": "And", "operands": operands}}))
            }
            VectorRequest::Search { business, vector, count } => {
                let (near, of) = (json!(vector), of(business));
                let query = format!(
                    "{{Get{{{collection}(limit:{count},nearVector:{{vector:{near}}},{of})\
                    {{business document version ordinal _additional{{distance}}}}}}}}"
                );
                self.query(Asked::Finding(*count), query)
            }
            VectorRequest::Count { business } => {
                let of = of(business);
                self.query(Asked::Counting, format!("{{Aggregate{{{collection}({of}){{meta{{count}}}}}}}}"))
            }
        }
    }

    fn accepts(&self, status: u16, body: &[u8]) -> bool {
        let exists = || String::from_utf8_lossy(body).contains("already exists");
        matches!(self.asked, Asked::Making) && status == 422 && exists()
    }

    fn on_answer(&mut self, _status: u16, body: &[u8]) -> Result<Step, Failure> {
        match &self.asked {
            Asked::Making => Ok(done()),
            Asked::Keeping => {
                let kept: Vec<Value> = read(body)?;
                let is_refused = |one: &Value| one["result"]["status"] == "FAILED" || !one["result"]["errors"].is_null();
                match kept.iter().any(is_refused) {
                    true => Err(Failure::new(ErrorClass::Invalid, "the store did not keep every vector")),
                    false => Ok(done()),
                }
            }
            Asked::Forgetting(matching) => {
                let answer: Forgotten = read(body)?;
                let results = &answer.results;
                if results.failed > 0 {
                    return Err(Failure::new(ErrorClass::Unavailable, "the store did not forget every vector"));
                }
                // Of more than it forgets at once, the rest is still there.
                let is_rest = results.limit > 0 && results.matches >= results.limit && results.successful > 0;
                let matching = matching.clone();
                Ok(if is_rest { Step::Ask(self.forget(matching)) } else { done() })
            }
            Asked::Finding(count) => {
                let answer: Value = read(body)?;
                let near: Vec<Object> = self.answer(&answer, "Get")?.iter().filter_map(object).collect();
                Ok(found(near.iter().map(|one| one.payload.near(1.0 - one.additional.distance)), *count))
            }
            Asked::Counting => {
                let answer: Value = read(body)?;
                let groups = self.answer(&answer, "Aggregate")?;
                let count = groups.first().map_or(Some(0), |group| group["meta"]["count"].as_u64());
                Ok(Step::Answer(VectorAnswer::Counted(count.ok_or_else(garbled)?)))
            }
        }
    }

    fn classify(&self, status: u16, _body: &str) -> ErrorClass {
        classify_status(status)
    }
}

/// An object of somebody else's making has not our properties.
fn object(value: &Value) -> Option<Object> {
    serde_json::from_value(value.clone()).ok()
}

#[derive(Deserialize)]
struct Object {
    #[serde(flatten)]
    payload: Payload,
    #[serde(rename = "_additional")]
    additional: Additional,
}

#[derive(Deserialize)]
struct Additional {
    distance: f32,
}

#[derive(Deserialize)]
struct Forgotten {
    results: Results,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    matches: u64,
    #[serde(default)]
    limit: u64,
    #[serde(default)]
    successful: u64,
    #[serde(default)]
    failed: u64,
}
