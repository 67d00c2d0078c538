//! A twin of Chroma. Its own server can be run too: the tests of the codec ask both.

use super::vectors::{Asked, Row, Table, VectorTwin, floats, no, ok, start as serve, texts, whole};
use axum::response::Response;
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start() -> io::Result<VectorTwin> {
    serve(("x-chroma-token", "twin-key"), 401, answer).await
}

/// The id of a collection: any UUID will do that its name decides.
fn id(name: &str) -> String {
    let mut digits: String = name.bytes().rev().map(|byte| format!("{byte:02x}")).collect();
    digits.truncate(32);
    let digits = format!("{digits:0<32}");
    format!("{}-{}-4{}-8{}-{}", &digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..32])
}

fn collection(name: &str) -> Value {
    json!({"id": id(name), "name": name, "configuration_json": {"hnsw": {"space": "cosine"}}, "metadata": null,
        "dimension": null, "tenant": "default_tenant", "database": "default_database", "log_position": 0, "version": 0})
}

fn answer(table: &Table, asked: &Asked) -> Response {
    let body = &asked.body;
    let (method, path) = asked.parts();
    let missing = || no(404, json!({"error": "NotFoundError", "message": "Collection does not exist"}));
    let Some(path) = path.strip_prefix(&["api", "v2"]) else { return no(404, json!({})) };
    match (method, path) {
        ("GET", ["auth", "identity"]) => {
            ok(json!({"user_id": "", "tenant": "default_tenant", "databases": ["default_database"]}))
        }
        ("GET", ["pre-flight-checks"]) => ok(json!({"max_batch_size": 5461, "supports_base64_encoding": false})),
        ("GET", ["heartbeat"]) => ok(json!({"nanosecond heartbeat": 1})),
        ("GET", ["version"]) => ok(json!("1.0.0")),
        ("GET", ["tenants", name]) => ok(json!({ "name": name })),
        ("GET", ["tenants", tenant, "databases", name]) => ok(json!({"id": id(name), "name": name, "tenant": tenant})),
        ("POST", ["tenants", _, "databases", _, "collections"]) => {
            let name = body["name"].as_str().unwrap_or_default();
            if table.has(name) && body["get_or_create"] != true {
                return no(409, json!({"error": "UniqueConstraintError", "message": "Collection already exists"}));
            }
            table.make(name, 0);
            ok(collection(name))
        }
        ("GET", ["tenants", _, "databases", _, "collections", name]) if table.has(name) => ok(collection(name)),
        (_, ["tenants", _, "databases", _, "collections", known, rest @ ..]) => {
            match table.names().into_iter().find(|name| id(name) == *known) {
                Some(name) => within(table, &name, rest, body),
                None => missing(),
            }
        }
        _ => no(404, json!({})),
    }
}

fn within(table: &Table, name: &str, path: &[&str], body: &Value) -> Response {
    match path {
        ["upsert"] => {
            let vectors = body["embeddings"].as_array().map(Vec::as_slice).unwrap_or_default();
            for (at, id) in texts(&body["ids"]).iter().enumerate() {
                let row = Row { vector: floats(&vectors[at]), payload: body["metadatas"][at].clone() };
                table.put(name, id, row);
            }
            ok(json!({}))
        }
        ["delete"] => {
            match texts(&body["ids"]) {
                ids if ids.is_empty() => drop(table.forget_where(name, |metadata| is(&body["where"], metadata))),
                ids => drop(table.forget(name, &ids)),
            }
            ok(json!({}))
        }
        ["count"] => ok(json!(table.count(name, |_| true))),
        ["query"] => {
            let query = floats(&body["query_embeddings"][0]);
            let near = table.nearest(name, &query, whole(&body["n_results"]), |metadata| is(&body["where"], metadata));
            let list =
                |of: &dyn Fn(&(String, f32, Value)) -> Value| json!([near.iter().map(of).collect::<Vec<Value>>()]);
            ok(json!({"ids": list(&|one| json!(one.0)), "distances": list(&|one| json!(1.0 - one.1)),
                "metadatas": list(&|one| one.2.clone()), "documents": null, "embeddings": null, "uris": null,
                "include": ["metadatas", "distances"]}))
        }
        _ => no(404, json!({})),
    }
}

fn is(filter: &Value, metadata: &Value) -> bool {
    let Some(conditions) = filter.as_object() else { return true };
    conditions.iter().all(|(key, value)| match (key.as_str(), value.as_array()) {
        ("$and", Some(all)) => all.iter().all(|one| is(one, metadata)),
        _ => metadata[key] == *value.get("$eq").unwrap_or(value),
    })
}
