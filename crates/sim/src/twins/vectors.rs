//! What the twins of vector stores have in common: a table of vectors, faults, and a switch by which a store forgets that it was
//! asked about one business only.

use super::fault::{Fault, Moment};
use super::server::{Shared, Twin, refuse};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of a request that are read.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A running twin of a vector store, and what it holds.
#[derive(Debug)]
pub struct VectorTwin {
    /// The server. It records `METHOD PATH BODY`.
    pub twin: Twin,
    /// What it holds.
    pub table: Table,
}

/// What a store holds. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Table(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    collections: BTreeMap<String, Collection>,
    forgets_filters: bool,
}

#[derive(Debug, Default)]
struct Collection {
    width: usize,
    rows: BTreeMap<String, Row>,
}

/// A vector with what is kept beside it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) vector: Vec<f32>,
    pub(crate) payload: Value,
}

impl Table {
    /// From now on, everything is found for everybody.
    pub fn forget_filters(&self, forgets: bool) {
        self.lock().forgets_filters = forgets;
    }

    /// How many vectors there are, of all.
    pub fn len(&self) -> usize {
        self.lock().collections.values().map(|one| one.rows.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this text stands anywhere in what is kept.
    pub fn holds(&self, text: &str) -> bool {
        let inner = self.lock();
        let mut rows = inner.collections.values().flat_map(|one| &one.rows);
        rows.any(|(id, row)| id.contains(text) || row.payload.to_string().contains(text))
    }

    /// Makes a collection; `false` when there is one of this name.
    pub(crate) fn make(&self, name: &str, width: usize) -> bool {
        let mut inner = self.lock();
        let is_new = !inner.collections.contains_key(name);
        inner.collections.entry(name.to_owned()).or_default().width = width;
        is_new
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.lock().collections.contains_key(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().collections.keys().cloned().collect()
    }

    /// Keeps a vector; `false` when it is of another width.
    pub(crate) fn put(&self, name: &str, id: &str, row: Row) -> bool {
        let mut inner = self.lock();
        let collection = inner.collections.entry(name.to_owned()).or_default();
        let fits = collection.width == 0 || collection.width == row.vector.len();
        if fits {
            collection.rows.insert(id.to_owned(), row);
        }
        fits
    }

    /// Forgets by name; `false` when there is no such collection.
    pub(crate) fn forget(&self, name: &str, ids: &[String]) -> bool {
        let mut inner = self.lock();
        let Some(collection) = inner.collections.get_mut(name) else { return false };
        collection.rows.retain(|id, _| !ids.contains(id));
        true
    }

    /// Forgets what is so, and says how much it was.
    pub(crate) fn forget_where(&self, name: &str, is: impl Fn(&Value) -> bool) -> usize {
        let mut inner = self.lock();
        let Some(collection) = inner.collections.get_mut(name) else { return 0 };
        let before = collection.rows.len();
        collection.rows.retain(|_, row| !is(&row.payload));
        before - collection.rows.len()
    }

    pub(crate) fn count(&self, name: &str, is: impl Fn(&Value) -> bool) -> usize {
        let inner = self.lock();
        inner.collections.get(name).map_or(0, |one| one.rows.values().filter(|row| is(&row.payload)).count())
    }

    /// The nearest of a collection with their cosines, the nearest first.
    pub(crate) fn nearest(
        &self,
        name: &str,
        vector: &[f32],
        count: usize,
        is: impl Fn(&Value) -> bool,
    ) -> Vec<(String, f32, Value)> {
        let inner = self.lock();
        let forgets = inner.forgets_filters;
        let of = |(one, _): &(&String, &Collection)| forgets || one.as_str() == name;
        let rows = inner.collections.iter().filter(of).flat_map(|(_, collection)| &collection.rows);
        let mut found: Vec<(String, f32, Value)> = rows
            .filter(|(_, row)| forgets || is(&row.payload))
            .map(|(id, row)| (id.clone(), cosine(&row.vector, vector), row.payload.clone()))
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(count);
        found
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE)
}

/// A request as a twin looks at it.
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Parts of the path, decoded.
    pub(crate) path: Vec<String>,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn parts(&self) -> (&str, Vec<&str>) {
        (&self.method, self.path.iter().map(String::as_str).collect())
    }
}

/// Answers one request.
pub(crate) type Answer = fn(&Table, &Asked) -> Response;
/// Whether a credential is right: the value of this header.
type Credential = (&'static str, &'static str);

#[derive(Clone)]
struct Context {
    shared: Shared,
    table: Table,
    answer: Answer,
    credential: Credential,
    refused: u16,
}

/// Starts a twin that asks for this credential and refuses another one with this status.
pub(crate) async fn start(credential: Credential, refused: u16, answer: Answer) -> io::Result<VectorTwin> {
    let table = Table::default();
    let router = |shared| {
        let context = Context { shared, table: table.clone(), answer, credential, refused };
        Router::new().fallback(serve).with_state(context)
    };
    Ok(VectorTwin { twin: Twin::serve("twin-key".to_owned(), "", router).await?, table: table.clone() })
}

async fn serve(State(context): State<Context>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    let shared = &context.shared;
    let path = head.uri.path();
    shared.record.add(format!("{} {path} {}", head.method, String::from_utf8_lossy(&body)));
    match shared.faults.strike(Moment::Start) {
        Some(Fault::Status { status, retry_after_s }) => {
            return refuse(status, retry_after_s, json!({"error": "As the test wishes."}));
        }
        Some(Fault::Silent | Fault::HalfOpen | Fault::BlackHole) => shared.stopped().await,
        Some(Fault::Slow { delay_ms }) => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
        Some(Fault::Garbage) => return "}{ not an answer".into_response(),
        _ => {}
    }
    let (name, value) = context.credential;
    // Clients look whom they speak with before they say who they are.
    let is_greeting = head.method == "GET" && (path == "/" || path.contains("well-known"));
    if !is_greeting && head.headers.get(name).and_then(|value| value.to_str().ok()) != Some(value) {
        return refuse(context.refused, None, json!({"error": "Wrong key."}));
    }
    let parts = path.split('/').filter(|part| !part.is_empty()).map(|part| part.replace("%27", "'"));
    let body = serde_json::from_slice(&body).unwrap_or_default();
    (context.answer)(&context.table, &Asked { method: head.method.to_string(), path: parts.collect(), body })
}

pub(crate) fn ok(body: Value) -> Response {
    axum::Json(body).into_response()
}

pub(crate) fn no(status: u16, body: Value) -> Response {
    refuse(status, None, body)
}

pub(crate) fn floats(value: &Value) -> Vec<f32> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).map(|x| x as f32).collect()
}

pub(crate) fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(crate) fn whole(value: &Value) -> usize {
    value.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(10)
}
