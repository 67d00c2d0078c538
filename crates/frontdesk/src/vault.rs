//! Secrets that lie in a Vault (HashiCorp's HTTP API, <https://developer.hashicorp.com/vault/api-docs>) instead of a file or the
//! environment. A configuration names them by reference; they are fetched once, before anything else starts.
//!
//! - `vault:secret/data/frontdesk#data_key` reads a field of a secret of the key-value engine (version 2, or 1 without
//!   `data/`).
//! - `vault:transit/decrypt/frontdesk#vault:v1:…` has a ciphertext opened by the transit engine.
//!
//! Where Vault is comes from its own variables: `VAULT_ADDR`, `VAULT_NAMESPACE`, and either `VAULT_TOKEN` or `VAULT_ROLE_ID`
//! with `VAULT_SECRET_ID`.

use base::wire::{Header, HttpRequest, Method};
use base::{Millis, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use egress::Egress;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::Table;

/// How a reference begins.
pub const SCHEME: &str = "vault:";
/// One answer of Vault.
const ANSWER_MS_MAX: u64 = 5_000;

/// What was fetched, by reference.
pub type Fetched = BTreeMap<String, Secret<String>>;

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Every reference in a configuration: in the file, and in the environment names that stand for its keys.
pub fn references(file: Option<&Path>, variables: impl Iterator<Item = (String, String)>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let path = file.unwrap_or_else(|| Path::new("frontdesk.toml"));
    // What is wrong with the file is said by whoever reads it for good.
    if let Some(table) = std::fs::read_to_string(path).ok().and_then(|text| text.parse::<Table>().ok()) {
        collect(&toml::Value::Table(table), &mut found);
    }
    let ours = variables.filter(|(name, _)| name.starts_with("FRONTDESK_"));
    found.extend(ours.flat_map(|(_, value)| {
        let parts: Vec<String> = value.split(',').map(|part| part.trim().to_owned()).collect();
        parts.into_iter().filter(|part| part.starts_with(SCHEME))
    }));
    found
}

fn collect(value: &toml::Value, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::String(text) if text.starts_with(SCHEME) => {
            found.insert(text.clone());
        }
        toml::Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        toml::Value::Table(table) => table.iter().for_each(|(_, item)| collect(item, found)),
        _ => {}
    }
}

/// Fetches what these references name.
///
/// # Errors
/// One line that says which reference it was and what is wrong, never a secret.
pub async fn fetch(references: &BTreeSet<String>, env: Env<'_>) -> anyhow::Result<Fetched> {
    let mut fetched = Fetched::new();
    if references.is_empty() {
        return Ok(fetched);
    }
    egress::install_crypto();
    let vault = Vault::open(env).await?;
    for reference in references {
        let place = reference.trim_start_matches(SCHEME);
        let Some((path, field)) = place.split_once('#') else {
            anyhow::bail!("{SCHEME}{place}: a reference is {SCHEME}PATH#FIELD");
        };
        let shown = format!("{SCHEME}{path}#…");
        let value = vault.read(path, field).await.map_err(|why| anyhow::anyhow!("{shown}: {why}"))?;
        fetched.insert(reference.clone(), value);
    }
    Ok(fetched)
}

struct Vault {
    egress: Egress,
    address: String,
    namespace: Option<String>,
    token: Secret<String>,
}

impl Vault {
    async fn open(env: Env<'_>) -> anyhow::Result<Self> {
        let read = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let Some(address) = read("VAULT_ADDR") else {
            anyhow::bail!("the configuration names secrets in Vault: set VAULT_ADDR to its address");
        };
        let egress = Egress::new(egress::EgressConfig::new(egress::Policy::Operator));
        let (namespace, token) = (read("VAULT_NAMESPACE"), read("VAULT_TOKEN").map(Secret::new));
        let address = address.trim_end_matches('/').to_owned();
        let mut vault = Self { egress, address, namespace, token: token.clone().unwrap_or_default() };
        match (token, read("VAULT_ROLE_ID"), read("VAULT_SECRET_ID")) {
            (Some(_), ..) => {}
            (None, Some(role), Some(secret)) => {
                let body = json!({ "role_id": role, "secret_id": secret });
                let answer = vault.ask(Method::Post, "auth/approle/login", Some(&body)).await;
                let answer = answer.map_err(|why| anyhow::anyhow!("VAULT_ROLE_ID and VAULT_SECRET_ID: {why}"))?;
                let token = answer["auth"]["client_token"].as_str().unwrap_or_default();
                vault.token = Secret::new(token.to_owned());
            }
            _ => anyhow::bail!("Vault wants to know us: set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID"),
        }
        Ok(vault)
    }

    async fn read(&self, path: &str, field: &str) -> Result<Secret<String>, String> {
        if path.contains("/decrypt/") {
            let answer = self.ask(Method::Post, path, Some(&json!({ "ciphertext": field }))).await?;
            let plain = answer["data"]["plaintext"].as_str().ok_or("the answer holds no plaintext")?;
            let bytes = STANDARD.decode(plain).map_err(|_| "the plaintext is not base64")?;
            return String::from_utf8(bytes).map(Secret::new).map_err(|_| "the plaintext is not text".into());
        }
        let answer = self.ask(Method::Get, path, None).await?;
        // Version 2 of the engine wraps the secret once more, and gives a deleted one as null.
        let holder = if answer["data"].get("metadata").is_some() { &answer["data"]["data"] } else { &answer["data"] };
        let value = holder[field].as_str().map(|value| Secret::new(value.to_owned()));
        value.ok_or_else(|| {
            let known: Vec<&String> = holder.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
            format!("there is no text of that name; it has {known:?}")
        })
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let mut headers = vec![Header::plain("x-vault-request", "true")];
        if !self.token.expose().is_empty() {
            headers.push(Header::secret("x-vault-token", self.token.expose().as_str()));
        }
        headers.extend(self.namespace.as_ref().map(|name| Header::plain("x-vault-namespace", name.as_str())));
        headers.extend(body.map(|_| Header::plain("content-type", "application/json")));
        let url = format!("{}/v1/{path}", self.address);
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = HttpRequest { method, url, headers, body };
        let answer = self.egress.http(request, Millis(ANSWER_MS_MAX)).await;
        let answer = answer.map_err(|failure| format!("Vault at {} cannot be reached: {failure}", self.address))?;
        match answer.status {
            200 => serde_json::from_slice(&answer.body).map_err(|_| "Vault answered something that is not JSON".into()),
            403 => Err("Vault says permission denied: the token is wrong, expired or not allowed to read this".into()),
            404 => Err("Vault has nothing there, or it was deleted".into()),
            503 => Err("Vault is sealed".into()),
            status => Err(format!("Vault answered {status}")),
        }
    }
}
