//! A keeper of secrets that speaks HashiCorp Vault's HTTP API as far as its clients need it here: the key-value engine
//! (version 2), transit, and tokens by app role. <https://developer.hashicorp.com/vault/api-docs>

use super::fault::{Fault, Faults, Moment};
use super::server::{Record, Server, Shared, refuse};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The running twin. Dropping it ends every connection.
#[derive(Debug)]
pub struct Twin {
    /// What clients call its address.
    pub address: String,
    /// The token that it takes.
    pub token: String,
    /// What is wrong with it: statuses alone.
    pub faults: Faults,
    /// What it was asked: `METHOD path`.
    pub record: Record,
    secrets: Secrets,
    _server: Server,
}

/// Versions of each secret, by path.
type Secrets = Arc<Mutex<HashMap<String, Vec<Map<String, Value>>>>>;

impl Twin {
    /// Starts it on a free loopback port.
    pub async fn start() -> io::Result<Self> {
        let secrets = Secrets::default();
        let token = "hvs.twin-token".to_owned();
        let (kept, known) = (Arc::clone(&secrets), token.clone());
        let router = |shared| {
            let context = Context { shared, secrets: kept, token: known };
            Router::new().route("/v1/{*path}", any(serve)).with_state(context)
        };
        let server = Server::start("", router).await?;
        Ok(Self {
            address: format!("http://{}", server.address),
            token,
            faults: server.faults.clone(),
            record: server.record.clone(),
            secrets,
            _server: server,
        })
    }

    /// Keeps a field of a secret, as a new version of it.
    pub fn keep(&self, path: &str, field: &str, value: &str) {
        let secret = Map::from_iter([(field.to_owned(), json!(value))]);
        lock(&self.secrets).entry(path.to_owned()).or_default().push(secret);
    }

    /// What its transit engine would give for a text.
    pub fn wrap(plain: &str) -> String {
        format!("vault:v1:{}", STANDARD.encode(STANDARD.encode(plain).bytes().rev().collect::<Vec<u8>>()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct Context {
    shared: Shared,
    secrets: Secrets,
    token: String,
}

fn errors(status: StatusCode, why: &str) -> Response {
    let errors = if why.is_empty() { json!([]) } else { json!([why]) };
    (status, axum::Json(json!({ "errors": errors }))).into_response()
}

/// Every answer has these keys; some clients insist.
fn answer(data: Value, auth: Value) -> Response {
    axum::Json(json!({
        "request_id": "5f8a1c2e-0000-4000-8000-000000000000", "lease_id": "", "lease_duration": 0, "renewable": false,
        "data": data, "auth": auth, "warnings": null, "wrap_info": null
    }))
    .into_response()
}

async fn serve(
    State(context): State<Context>,
    method: Method,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    context.shared.record.add(format!("{method} {path}"));
    if let Some(Fault::Status { status, retry_after_s }) = context.shared.faults.strike(Moment::Start) {
        return refuse(status, retry_after_s, json!({"errors": ["as the test wishes"]}));
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if path == "auth/approle/login" {
        return login(&context, &body);
    }
    let bearer = |value: &str| value.strip_prefix("Bearer ").map(str::to_owned);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let given = header("x-vault-token").or_else(|| header("authorization").as_deref().and_then(bearer));
    if given.as_deref() != Some(context.token.as_str()) {
        return errors(StatusCode::FORBIDDEN, "permission denied");
    }
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["transit", "encrypt", _] => {
            let plain = body["plaintext"].as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
            let ciphertext = Twin::wrap(&String::from_utf8_lossy(&plain));
            answer(json!({ "ciphertext": ciphertext, "key_version": 1 }), Value::Null)
        }
        ["transit", "decrypt", _] => match unwrap(body["ciphertext"].as_str().unwrap_or_default()) {
            Some(plaintext) => answer(json!({ "plaintext": plaintext }), Value::Null),
            None => errors(StatusCode::BAD_REQUEST, "invalid ciphertext: could not decrypt given string"),
        },
        [_, "data", ..] => secret(&context, &method, &path, &body),
        _ => errors(StatusCode::NOT_FOUND, ""),
    }
}

fn login(context: &Context, body: &Value) -> Response {
    if body["role_id"] != "twin-role" || body["secret_id"] != "twin-secret" {
        return errors(StatusCode::BAD_REQUEST, "invalid role or secret ID");
    }
    let auth = json!({
        "client_token": context.token, "accessor": "twin", "policies": ["default"], "token_policies": ["default"],
        "lease_duration": 1200, "renewable": true, "entity_id": "", "token_type": "service", "orphan": true, "metadata": {}
    });
    answer(Value::Null, auth)
}

/// The text in base64 again.
fn unwrap(ciphertext: &str) -> Option<String> {
    let bytes = STANDARD.decode(ciphertext.strip_prefix("vault:v1:")?).ok()?;
    String::from_utf8(bytes.into_iter().rev().collect()).ok()
}

fn secret(context: &Context, method: &Method, path: &str, body: &Value) -> Response {
    let mut secrets = lock(&context.secrets);
    let metadata = |version: usize| {
        json!({ "created_time": "2026-11-21T00:00:00Z", "custom_metadata": null, "deletion_time": "", "destroyed": false,
            "version": version })
    };
    if *method == Method::GET {
        return match secrets.get(path).and_then(|versions| versions.last().map(|last| (last, versions.len()))) {
            Some((last, version)) => answer(json!({ "data": last, "metadata": metadata(version) }), Value::Null),
            None => errors(StatusCode::NOT_FOUND, ""),
        };
    }
    let versions = secrets.entry(path.to_owned()).or_default();
    if body["options"]["cas"].as_u64().is_some_and(|expected| expected != versions.len() as u64) {
        return errors(StatusCode::BAD_REQUEST, "check-and-set parameter did not match the current version");
    }
    versions.push(body["data"].as_object().cloned().unwrap_or_default());
    answer(metadata(versions.len()), Value::Null)
}
