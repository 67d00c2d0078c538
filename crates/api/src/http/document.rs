//! What all operations of the OpenAPI document have in common, added in one place: the ways in which the mechanics of this
//! folder answer, and the headers that they read.

use serde_json::{Map, Value, json};

/// Problems that the mechanics answer: name of the shared response, status, what it means.
const PROBLEMS: [(&str, u16, &str); 13] = [
    ("Unauthorized", 401, "No credential, or a wrong one"),
    ("Forbidden", 403, "The credential does not allow this, or the page or host is not ours"),
    ("NotFound", 404, "There is no such thing, or it belongs to another business"),
    ("Conflict", 409, "It collides with what is there, or the same request is still being answered"),
    ("PreconditionFailed", 412, "It was changed meanwhile: `If-Match` names another version"),
    ("TooLarge", 413, "The body is too large"),
    ("UnsupportedMediaType", 415, "The body is not JSON"),
    ("Invalid", 422, "The request is not valid; `detail` says where"),
    ("PreconditionRequired", 428, "The change must say what it is based on: `If-Match` is missing"),
    ("RateLimited", 429, "Too many requests; `Retry-After` says when to come back"),
    ("Internal", 500, "Something went wrong on our side"),
    ("Unavailable", 503, "Something behind us does not answer, or all lines are taken"),
    ("Timeout", 504, "It took too long"),
];

/// Adds what all operations have in common.
pub(crate) fn complete(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths.iter_mut() {
        let Some(item) = item.as_object_mut() else { continue };
        for (method, operation) in item.iter_mut() {
            if let Some(operation) = operation.as_object_mut() {
                operate(path, method, operation);
            }
        }
    }
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        open_compositions(schemas);
    }
    let mut responses = Map::new();
    for (name, _, description) in PROBLEMS {
        responses.insert(name.into(), problem(description));
    }
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("responses".into(), Value::Object(responses));
        components.insert("parameters".into(), parameters());
    }
}

fn problem(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({ "description": description, "content": { "application/problem+json": { "schema": schema } } })
}

fn parameters() -> Value {
    json!({
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Names this request, so that sending it again has no second effect: for 24 hours the same answer is \
                given again. The same key with another request is refused.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$" }
        },
        "IfMatchIfAny": {
            "name": "If-Match", "in": "header", "required": false,
            "description": "The `ETag` of what the change is based on. Without it the change holds for whatever is there.",
            "schema": { "type": "string" }, "example": "*"
        },
        "IfMatch": {
            "name": "If-Match", "in": "header", "required": true,
            "description": "The `ETag` of what the change is based on, or `*` to overwrite whatever is there.",
            "schema": { "type": "string" }, "example": "*"
        }
    })
}

/// A part of a composition (`allOf`) must not forbid what its other parts bring: one that takes no more fields in a request is
/// written out without that.
fn open_compositions(schemas: &mut Map<String, Value>) {
    let closed: Map<String, Value> = schemas
        .iter()
        .filter(|(_, schema)| schema.get("additionalProperties").is_some_and(|more| *more == false))
        .map(|(name, schema)| (format!("#/components/schemas/{name}"), schema.clone()))
        .collect();
    schemas.values_mut().for_each(|schema| open_parts(schema, &closed));
}

fn open_parts(value: &mut Value, closed: &Map<String, Value>) {
    if let Some(parts) = value.get_mut("allOf").and_then(Value::as_array_mut) {
        for part in parts {
            let target = part.get("$ref").and_then(Value::as_str);
            if let Some(schema) = target.and_then(|target| closed.get(target)) {
                *part = schema.clone();
            }
            if let Some(part) = part.as_object_mut() {
                part.remove("additionalProperties");
            }
        }
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| open_parts(item, closed)),
        Value::Object(fields) => fields.values_mut().for_each(|field| open_parts(field, closed)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn operate(path: &str, method: &str, operation: &mut Map<String, Value>) {
    rename_problems(operation);
    if !path.starts_with("/api/v1/") && path != "/metrics" {
        return;
    }
    let is_secured = operation.get("security").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let has_body = operation.contains_key("requestBody");
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    let of_kind = |kind: &str| {
        parameters.as_array().is_some_and(|all| all.iter().any(|one| one.get("in").is_some_and(|at| at == kind)))
    };
    let (has_path, has_query) = (of_kind("path"), of_kind("query"));
    let mut statuses = vec![429, 500, 503, 504, 403];
    if is_secured {
        statuses.push(401);
    }
    if has_path {
        statuses.push(404);
    }
    if has_query || has_body {
        statuses.push(422);
    }
    if has_body {
        statuses.extend([413, 415]);
    }
    // `true`: a change must say what it is based on; anything else: it may.
    let if_match = operation.remove("x-if-match");
    let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) else { return };
    match if_match {
        Some(Value::Bool(true)) => {
            parameters.push(json!({ "$ref": "#/components/parameters/IfMatch" }));
            statuses.extend([412, 428, 409]);
        }
        Some(_) => {
            parameters.push(json!({ "$ref": "#/components/parameters/IfMatchIfAny" }));
            statuses.extend([412, 409]);
        }
        None => {}
    }
    if method == "post" && is_secured {
        parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
        statuses.extend([409, 413, 422]);
    }
    if parameters.is_empty() {
        operation.remove("parameters");
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    if let Some(responses) = responses.as_object_mut() {
        for (name, status, _) in PROBLEMS.iter().filter(|(_, status, _)| statuses.contains(status)) {
            let shared = json!({ "$ref": format!("#/components/responses/{name}") });
            responses.entry(status.to_string()).or_insert(shared);
        }
        responses.sort_keys();
    }
}

/// A problem document has a media type of its own, which the derive of the routes does not know.
fn rename_problems(operation: &mut Map<String, Value>) {
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    for response in responses.into_iter().flat_map(|all| all.values_mut()) {
        let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { continue };
        let is_problem = content
            .get("application/json")
            .and_then(|media| media.pointer("/schema/$ref"))
            .is_some_and(|target| target == "#/components/schemas/Problem");
        if is_problem && let Some(media) = content.remove("application/json") {
            content.insert("application/problem+json".into(), media);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_in_which_an_operation_may_be_refused_is_written_down() {
        let post = json!({ "security": [{ "bearer": ["a:b"] }], "requestBody": {}, "responses": { "201": {} } });
        let mut document = json!({ "paths": { "/api/v1/things/{id}": { "post": post } }, "components": {} });
        complete(&mut document);
        let responses = &document["paths"]["/api/v1/things/{id}"]["post"]["responses"];
        for status in ["201", "401", "403", "409", "413", "415", "422", "429", "500", "503", "504"] {
            assert!(responses.get(status).is_some(), "{status}");
        }
        assert_eq!(document["components"]["responses"]["Invalid"]["content"].as_object().map(Map::len), Some(1));
    }
}
