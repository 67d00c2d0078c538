//! A twin of Azure AI Search, in both spellings of its addresses.

use super::vectors::{Asked, Row, Table, VectorTwin, floats, no, ok, start as serve, whole};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start() -> io::Result<VectorTwin> {
    serve(("api-key", "twin-key"), 403, answer).await
}

fn answer(table: &Table, asked: &Asked) -> Response {
    let body = &asked.body;
    let (method, path) = asked.parts();
    let (name, rest): (&str, &[&str]) = match path[..] {
        ["indexes", name, ref rest @ ..] => (name, rest),
        [quoted, ref rest @ ..] if quoted.starts_with("indexes('") => (quoted[9..].trim_end_matches("')"), rest),
        _ => return no(404, json!({})),
    };
    if method == "PUT" && rest.is_empty() {
        let vector = body["fields"].as_array().into_iter().flatten().find(|field| !field["dimensions"].is_null());
        let is_new = table.make(name, vector.map_or(0, |field| whole(&field["dimensions"])));
        return if is_new { (StatusCode::CREATED, axum::Json(body.clone())).into_response() } else { ok(body.clone()) };
    }
    if !table.has(name) {
        return no(
            404,
            json!({"error": {"code": "", "message": format!("No index with the name '{name}' was found.")}}),
        );
    }
    match (method, rest) {
        ("POST", ["docs", "index" | "search.index"]) => {
            let told: Vec<Value> =
                body["value"].as_array().into_iter().flatten().map(|one| write(table, name, one)).collect();
            ok(json!({ "value": told }))
        }
        ("POST", ["docs", "search" | "search.post.search"]) => search(table, name, body),
        _ => no(404, json!({})),
    }
}

fn write(table: &Table, name: &str, document: &Value) -> Value {
    let id = document["id"].as_str().unwrap_or_default();
    let is_written = if document["@search.action"] == "delete" {
        table.forget(name, &[id.to_owned()])
    } else {
        let mut payload = document.clone();
        let vector = floats(&payload["vector"].take());
        if let Some(fields) = payload.as_object_mut() {
            fields.retain(|key, value| !value.is_null() && !key.starts_with('@'));
        }
        table.put(name, id, Row { vector, payload })
    };
    let code = if is_written { 200 } else { 400 };
    json!({"key": id, "status": is_written, "errorMessage": null, "statusCode": code})
}

fn search(table: &Table, name: &str, body: &Value) -> Response {
    let filter = body["filter"].as_str().unwrap_or_default();
    let business = filter.strip_prefix("business eq '").and_then(|rest| rest.strip_suffix('\'')).unwrap_or_default();
    let is_theirs = |payload: &Value| business.is_empty() || payload["business"] == business;
    let query = &body["vectorQueries"][0];
    let mut answer = json!({"value": []});
    if body["count"] == true {
        answer["@odata.count"] = json!(table.count(name, is_theirs));
    }
    if !query.is_null() {
        let near = table.nearest(name, &floats(&query["vector"]), whole(&query["k"]), is_theirs);
        let selected: Vec<&str> = body["select"].as_str().unwrap_or_default().split(',').collect();
        let document = |(_, similarity, payload): (String, f32, Value)| {
            let mut document = json!({"@search.score": 1.0 / (2.0 - similarity)});
            for field in &selected {
                document[*field] = payload[*field].clone();
            }
            document
        };
        answer["value"] = near.into_iter().map(document).collect();
    }
    ok(answer)
}
