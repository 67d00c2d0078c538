//! A twin of Qdrant.

use super::vectors::{Asked, Row, Table, VectorTwin, floats, no, ok, start as serve, whole};
use axum::response::Response;
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start() -> io::Result<VectorTwin> {
    serve(("api-key", "twin-key"), 401, answer).await
}

fn result(result: Value) -> Response {
    ok(json!({"result": result, "status": "ok", "time": 0.001}))
}

fn written() -> Response {
    result(json!({"operation_id": 1, "status": "completed"}))
}

fn answer(table: &Table, asked: &Asked) -> Response {
    let body = &asked.body;
    let missing = |name: &str| {
        no(404, json!({"status": {"error": format!("Not found: Collection `{name}` doesn't exist!")}, "time": 0.0}))
    };
    match asked.parts() {
        ("GET", path) if path.is_empty() => ok(json!({"title": "qdrant - vector search engine", "version": "1.18.0"})),
        ("GET", path) if path[..] == ["collections"] => {
            let names: Vec<Value> = table.names().into_iter().map(|name| json!({ "name": name })).collect();
            result(json!({ "collections": names }))
        }
        ("PUT", path) if path.len() == 2 => match table.make(path[1], whole(&body["vectors"]["size"])) {
            true => result(json!(true)),
            false => {
                no(409, json!({"status": {"error": format!("Wrong input: Collection `{}` already exists!", path[1])}}))
            }
        },
        (_, path) if path.len() < 3 || path[0] != "collections" => no(404, json!({})),
        (_, path) if !table.has(path[1]) => missing(path[1]),
        ("PUT", path) if path[2] == "index" => written(),
        ("PUT", path) if path[2] == "points" => {
            for point in body["points"].as_array().into_iter().flatten() {
                let row = Row { vector: floats(&point["vector"]), payload: point["payload"].clone() };
                if !table.put(path[1], point["id"].as_str().unwrap_or_default(), row) {
                    return no(400, json!({"status": {"error": "Wrong input: Vector dimension error"}}));
                }
            }
            written()
        }
        ("POST", path) if path[2..] == ["points", "delete"] => {
            table.forget_where(path[1], |payload| is(&body["filter"], payload));
            written()
        }
        ("POST", path) if path[2..] == ["points", "query"] => {
            let near = table.nearest(
                path[1],
                &floats(body["query"].get("nearest").unwrap_or(&body["query"])),
                whole(&body["limit"]),
                |payload| is(&body["filter"], payload),
            );
            let point = |(id, score, payload)| json!({"id": id, "version": 1, "score": score, "payload": payload});
            result(json!({"points": near.into_iter().map(point).collect::<Vec<Value>>()}))
        }
        ("POST", path) if path[2..] == ["points", "count"] => {
            result(json!({"count": table.count(path[1], |payload| is(&body["filter"], payload))}))
        }
        _ => no(404, json!({})),
    }
}

fn is(filter: &Value, payload: &Value) -> bool {
    let conditions = filter["must"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().all(|one| payload[one["key"].as_str().unwrap_or_default()] == one["match"]["value"])
}
