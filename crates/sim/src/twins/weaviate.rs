//! A twin of Weaviate, as far as its REST interface and two queries in GraphQL go.

use super::vectors::{Asked, Row, Table, VectorTwin, floats, no, ok, start as serve};
use axum::response::Response;
use serde_json::{Value, json};
use std::io;

/// Objects that are forgotten at once.
const LIMIT: usize = 10_000;

/// Starts it on a free loopback port.
pub async fn start() -> io::Result<VectorTwin> {
    serve(("authorization", "Bearer twin-key"), 401, answer).await
}

fn answer(table: &Table, asked: &Asked) -> Response {
    let body = &asked.body;
    match asked.parts() {
        ("GET", path) if path[..] == ["v1", "meta"] => ok(json!({"hostname": "http://[::]:8080", "version": "1.30.0"})),
        ("GET", path) if path[..] == ["v1", "schema"] => {
            let classes: Vec<Value> = table.names().into_iter().map(|name| json!({ "class": name })).collect();
            ok(json!({ "classes": classes }))
        }
        ("POST", path) if path[..] == ["v1", "schema"] => {
            let name = body["class"].as_str().unwrap_or_default();
            match table.make(name, 0) {
                true => ok(body.clone()),
                false => no(422, json!({"error": [{"message": format!("class name {name} already exists")}]})),
            }
        }
        ("POST", path) if path[..] == ["v1", "batch", "objects"] => {
            let keep = |object: &Value| {
                let row = Row { vector: floats(&object["vector"]), payload: object["properties"].clone() };
                let (class, id) =
                    (object["class"].as_str().unwrap_or_default(), object["id"].as_str().unwrap_or_default());
                let is_kept = table.has(class) && table.put(class, id, row);
                let result = if is_kept {
                    json!({"status": "SUCCESS"})
                } else {
                    json!({"status": "FAILED", "errors": {"error": []}})
                };
                let mut told = object.clone();
                told["result"] = result;
                told
            };
            ok(Value::Array(body["objects"].as_array().into_iter().flatten().map(keep).collect()))
        }
        ("DELETE", path) if path[..] == ["v1", "batch", "objects"] => {
            let matching = &body["match"];
            let class = matching["class"].as_str().unwrap_or_default();
            let count = table.forget_where(class, |properties| is(&matching["where"], properties));
            ok(json!({"match": matching, "output": "minimal", "dryRun": false,
                "results": {"matches": count, "limit": LIMIT, "successful": count, "failed": 0, "objects": null}}))
        }
        ("POST", path) if path[..] == ["v1", "graphql"] => query(table, body["query"].as_str().unwrap_or_default()),
        _ => no(404, json!({})),
    }
}

/// `{Get{Class(…){…}}}` and `{Aggregate{Class(…){meta{count}}}}`.
fn query(table: &Table, query: &str) -> Response {
    let tight: String = query.split_whitespace().collect::<Vec<_>>().join(" ");
    let (verb, rest) = tight.trim_start_matches(['{', ' ']).split_once('{').unwrap_or_default();
    let verb = verb.trim();
    let class: String = rest.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    if !table.has(&class) {
        return ok(json!({"data": null, "errors": [{"message": format!("Cannot query field \"{class}\"")}]}));
    }
    let business = after(rest, "valueText").and_then(|text| text.split('"').nth(1)).unwrap_or_default().to_owned();
    let is_theirs = |properties: &Value| properties["business"] == business;
    if verb == "Aggregate" {
        let count = table.count(&class, is_theirs);
        return ok(json!({"data": {"Aggregate": {class: [{"meta": {"count": count}}]}}}));
    }
    let limit = after(rest, "limit").map(|text| text.chars().take_while(char::is_ascii_digit).collect::<String>());
    let limit = limit.and_then(|digits| digits.parse().ok()).unwrap_or(10);
    let numbers = after(rest, "{vector").or_else(|| after(rest, "{ vector")).and_then(|text| text.split_once(']'));
    let numbers: Value =
        numbers.and_then(|(list, _)| serde_json::from_str(&format!("{list}]")).ok()).unwrap_or_default();
    let found = table.nearest(&class, &floats(&numbers), limit, is_theirs);
    let object = |(id, similarity, properties): (String, f32, Value)| {
        let mut object = properties;
        object["_additional"] = json!({"id": id, "distance": 1.0 - similarity});
        object
    };
    ok(json!({"data": {"Get": {class: found.into_iter().map(object).collect::<Vec<Value>>()}}}))
}

/// What stands behind `name:`.
fn after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let rest = &text[text.find(name)? + name.len()..];
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

fn is(filter: &Value, properties: &Value) -> bool {
    if let Some(operands) = filter["operands"].as_array().filter(|_| filter["operator"] == "And") {
        return operands.iter().all(|one| is(one, properties));
    }
    let path = filter["path"].get(0).and_then(Value::as_str).unwrap_or_default();
    let wanted = ["valueText", "valueInt"].into_iter().map(|kind| &filter[kind]).find(|value| !value.is_null());
    wanted.is_some_and(|wanted| properties[path] == *wanted)
}
