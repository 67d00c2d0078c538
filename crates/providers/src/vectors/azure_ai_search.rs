//! Azure AI Search: one index, the business as a field of each document.
//!
//! Source: learn.microsoft.com, "Azure AI Search REST API". It forgets by key, so keys are made of places; what is written may be
//! found a few seconds later.

use super::{Payload, Place, Point, Step, VectorAnswer, VectorProtocol, VectorRequest, done, found, garbled, read};
use crate::answer::classify_status;
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Header, HttpRequest, Method};
use base::{BusinessId, ErrorClass, Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Below the 1,000 documents and 16 MB that a request may have.
const POINTS_MAX: usize = 500;
const NAMES_MAX: usize = 1_000;
/// Stands where the name of the business's own service belongs.
const NO_SERVICE: &str = "service.invalid";

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "azure_ai_search",
    title: "Azure AI Search",
    base_url: "https://service.invalid",
    key_env: "AZURE_SEARCH_API_KEY",
    base_url_env: "AZURE_SEARCH_ENDPOINT",
    extra: &[
        ("index", "Name of the index, `frontdesk` when unset; made when there is none."),
        ("api_version", "Version of the interface, `2024-07-01` when unset."),
    ],
    ..Descriptor::NONE
};

struct Config {
    settings: Settings,
    headers: Vec<Header>,
    index: String,
    version: String,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn VectorProtocol>, OptionsError> {
    if settings.http_url(&[]).host_str() == Some(NO_SERVICE) {
        let why = "it must name your service, as in https://SERVICE.search.windows.net";
        return Err(OptionsError::Address { env: DESCRIPTOR.base_url_env, why });
    }
    let mut headers = vec![Header::plain("content-type", "application/json")];
    headers.extend(settings.key().map(|key| Header::secret("api-key", key.expose().clone())));
    let config = Arc::new(Config {
        settings: settings.clone(),
        headers,
        index: settings.text("index").unwrap_or("frontdesk").to_owned(),
        version: settings.text("api_version").unwrap_or("2024-07-01").to_owned(),
    });
    Ok(Box::new(move || Box::new(AzureAiSearch { config: config.clone(), asked: Asked::Making })))
}

/// What the last request was.
enum Asked {
    Making,
    Writing(Vec<Value>),
    Finding(usize),
    Counting,
}

struct AzureAiSearch {
    config: Arc<Config>,
    asked: Asked,
}

impl AzureAiSearch {
    fn ask(&mut self, asked: Asked, method: Method, path: &[&str], body: &Value) -> HttpRequest {
        self.asked = asked;
        let Config { settings, headers, index, version } = &*self.config;
        let mut url = settings.http_url(&["indexes", index]);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url.query_pairs_mut().append_pair("api-version", version);
        HttpRequest { method, url: url.into(), headers: headers.clone(), body: body.to_string().into_bytes() }
    }

    fn write(&mut self, mut actions: Vec<Value>) -> HttpRequest {
        let later = actions.split_off(actions.len().min(NAMES_MAX));
        self.ask(Asked::Writing(later), Method::Post, &["docs", "index"], &json!({ "value": actions }))
    }

    fn search(&mut self, asked: Asked, body: &Value) -> HttpRequest {
        self.ask(asked, Method::Post, &["docs", "search"], body)
    }
}

fn index(name: &str, width: usize) -> Value {
    let text = |name, key| json!({"name": name, "type": "Edm.String", "key": key, "filterable": true});
    let whole = |name| json!({"name": name, "type": "Edm.Int32", "filterable": true});
    let vector = json!({"name": "vector", "type": "Collection(Edm.Single)", "searchable": true, "retrievable": false,
        "dimensions": width, "vectorSearchProfile": "cosine"});
    let nearest = json!({"algorithms": [{"name": "graph", "kind": "hnsw", "hnswParameters": {"metric": "cosine"}}],
        "profiles": [{"name": "cosine", "algorithm": "graph"}]});
    let fields =
        [text("id", true), text("business", false), text("document", false), whole("version"), whole("ordinal"), vector];
    json!({"name": name, "fields": fields, "vectorSearch": nearest})
}

fn document(business: BusinessId, point: &Point) -> Value {
    let payload = Payload::of(business, point.place);
    json!({"@search.action": "mergeOrUpload", "id": key(business, point.place), "vector": point.vector,
        "business": payload.business, "document": payload.document, "version": payload.version, "ordinal": payload.ordinal})
}

fn key(business: BusinessId, place: Place) -> String {
    format!("{}-{}", business.0.as_simple(), place.name())
}

/// Documents of a business. An id holds nothing that would have to be escaped.
fn of(business: &BusinessId) -> String {
    format!("business eq '{business}'")
}

impl VectorProtocol for AzureAiSearch {
    fn points_max(&self) -> usize {
        POINTS_MAX
    }

    fn begin(&mut self, request: &VectorRequest) -> HttpRequest {
        match request {
            VectorRequest::Prepare { width, .. } => {
                let index = index(&self.config.index, *width);
                self.ask(Asked::Making, Method::Put, &[], &index)
            }
            VectorRequest::Upsert { business, points } => {
                self.write(points.iter().map(|one| document(*business, one)).collect())
            }
            VectorRequest::Delete { business, document, version, passages } => {
                let action = |ordinal| {
                    let place = Place { document: *document, version: *version, ordinal };
                    json!({"@search.action": "delete", "id": key(*business, place)})
                };
                self.write((0..*passages).map(action).collect())
            }
            VectorRequest::Search { business, vector, count } => {
                let near = json!({"kind": "vector", "vector": vector, "fields": "vector", "k": count});
                let body = json!({"filter": of(business), "vectorFilterMode": "preFilter", "top": count,
                    "select": "business,document,version,ordinal", "vectorQueries": [near]});
                self.search(Asked::Finding(*count), &body)
            }
            VectorRequest::Count { business } => {
                let body = json!({"search": "*", "filter": of(business), "count": true, "top": 0});
                self.search(Asked::Counting, &body)
            }
        }
    }

    fn accepts(&self, status: u16, _body: &[u8]) -> bool {
        // There is no such index.
        matches!(self.asked, Asked::Finding(_) | Asked::Counting) && status == 404
    }

    fn on_answer(&mut self, status: u16, body: &[u8]) -> Result<Step, Failure> {
        match &mut self.asked {
            Asked::Making => Ok(done()),
            Asked::Writing(later) => {
                let later = std::mem::take(later);
                // Even a status of success tells of each document whether it was written.
                let written: Values<Written> = read(body)?;
                if written.value.iter().any(|one| !one.status && one.status_code != 404) {
                    return Err(Failure::new(ErrorClass::Unavailable, "the store did not write every document"));
                }
                Ok(if later.is_empty() { done() } else { Step::Ask(self.write(later)) })
            }
            Asked::Finding(count) if status == 404 => Ok(found(std::iter::empty(), *count)),
            Asked::Finding(count) => {
                let answer: Values<Scored> = read(body)?;
                // 1 / (1 + distance), of which the distance is one less the cosine.
                let near = answer.value.iter().map(|one| one.payload.near(2.0 - 1.0 / one.score));
                Ok(found(near, *count))
            }
            Asked::Counting if status == 404 => Ok(Step::Answer(VectorAnswer::Counted(0))),
            Asked::Counting => {
                let answer: Value = read(body)?;
                let count = answer["@odata.count"].as_u64().ok_or_else(garbled)?;
                Ok(Step::Answer(VectorAnswer::Counted(count)))
            }
        }
    }

    fn classify(&self, status: u16, _body: &str) -> ErrorClass {
        classify_status(status)
    }
}

#[derive(Deserialize)]
struct Values<T> {
    value: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    status: bool,
    #[serde(default)]
    status_code: u16,
}

#[derive(Deserialize)]
struct Scored {
    #[serde(rename = "@search.score")]
    score: f32,
    #[serde(flatten)]
    payload: Payload,
}
