//! A twin of an index of Pinecone for vectors of 384 numbers.

use super::vectors::{Asked, Row, Table, VectorTwin, floats, no, ok, start as serve, texts, whole};
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::io;

const WIDTH: usize = 384;

/// Starts it on a free loopback port.
pub async fn start() -> io::Result<VectorTwin> {
    serve(("api-key", "twin-key"), 401, answer).await
}

fn answer(table: &Table, asked: &Asked) -> Response {
    let body = &asked.body;
    let namespace = body["namespace"].as_str().unwrap_or_default();
    match asked.parts() {
        ("POST", path) if path[..] == ["vectors", "upsert"] => {
            let vectors = body["vectors"].as_array().map(Vec::as_slice).unwrap_or_default();
            for vector in vectors {
                let row = Row { vector: floats(&vector["values"]), payload: fractions(&vector["metadata"]) };
                if row.vector.len() != WIDTH {
                    return no(400, json!({"code": 3, "message": "Vector dimension does not match", "details": []}));
                }
                table.put(namespace, vector["id"].as_str().unwrap_or_default(), row);
            }
            ok(json!({"upsertedCount": vectors.len()}))
        }
        ("POST", path) if path[..] == ["vectors", "delete"] => match table.forget(namespace, &texts(&body["ids"])) {
            true => ok(json!({})),
            false => no(404, json!({"code": 5, "message": "Namespace not found", "details": []})),
        },
        ("POST", path) if path[..] == ["query"] => {
            let near = table.nearest(namespace, &floats(&body["vector"]), whole(&body["topK"]), |_| true);
            let found = |(id, score, metadata)| json!({"id": id, "score": score, "values": [], "metadata": metadata});
            let matches: Vec<Value> = near.into_iter().map(found).collect();
            ok(json!({"matches": matches, "namespace": namespace, "usage": {"readUnits": 1}}))
        }
        ("POST", path) if path[..] == ["describe_index_stats"] => {
            let count = |name: String| {
                let stats = json!({"vectorCount": table.count(&name, |_| true)});
                (name, stats)
            };
            let namespaces: Map<String, Value> = table.names().into_iter().map(count).collect();
            ok(
                json!({"namespaces": namespaces, "dimension": WIDTH, "indexFullness": 0, "totalVectorCount": table.len(),
                "metric": "cosine", "vectorType": "dense"}),
            )
        }
        _ => no(404, json!({"code": 5, "message": "Not found", "details": []})),
    }
}

/// Numbers of metadata are kept with a fraction.
fn fractions(metadata: &Value) -> Value {
    let number =
        |(key, value): (&String, &Value)| (key.clone(), value.as_f64().map_or_else(|| value.clone(), Value::from));
    metadata.as_object().map(|all| Value::Object(all.iter().map(number).collect())).unwrap_or_default()
}
