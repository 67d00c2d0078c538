//! Signing in at a company's own identity provider: OpenID Connect Core 1.0 with the authorization code flow and PKCE
//! (RFC 7636).
//!
//! Nothing is kept on the server between the two halves of a sign-in: what the second half needs is in a cookie, sealed with
//! the data key, that only this browser has. Some services deviate: their document names another issuer than its address
//! (then the settings must name it), they send `emails` instead of `email`, they have several policies in one directory (`tfp`
//! or `acr` says which), and they have subjects that are no subjects. All of that is data of the provider, not code.

use super::secret::random;
use crate::problem::Problem;
use aws_lc_rs::digest;
use base::wire::{Header as RequestHeader, HttpRequest, Method};
use base::{BusinessId, Millis, Secret, limits};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use egress::Egress;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::Keyring;
use store::people::IdentityProvider;
use store::seal::Row;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

/// Signatures that only the provider can make. A shared key would let us, too, and `none` everybody.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
const LEEWAY_SECS: u64 = 60;

/// Talks to identity providers.
pub struct Oidc {
    egress: Arc<Egress>,
    known: Mutex<HashMap<Uuid, Arc<Known>>>,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Oidc")
    }
}

/// What a provider said about itself.
struct Known {
    discovery_url: String,
    document: Document,
    keys: JwkSet,
    at: Instant,
}

/// The part of a provider's document that matters (OpenID Connect Discovery 1.0, 3).
#[derive(Clone, Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// What lies between the two halves of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) provider: Uuid,
    state: String,
    nonce: String,
    verifier: String,
    /// Where the browser goes afterwards: a path of this site.
    pub(crate) return_to: String,
    expires_at_ms: i64,
}

/// Who a provider says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) subject: String,
    /// In lower case, and only when the provider stands for it.
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TokenAnswer {
    id_token: String,
}

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    nonce: Option<String>,
    azp: Option<String>,
    email: Option<String>,
    emails: Option<Vec<String>>,
    email_verified: Option<serde_json::Value>,
    name: Option<String>,
    oid: Option<String>,
    tfp: Option<String>,
    acr: Option<String>,
}

impl Flow {
    fn row(provider: Uuid) -> Row {
        Row { business: BusinessId(Uuid::nil()), table: "identity sign-ins", id: provider }
    }

    /// As a cookie.
    pub(crate) fn seal(&self, keyring: &Keyring) -> Result<String, Problem> {
        let text = serde_json::to_string(self).map_err(|_| Problem::internal())?;
        let sealed = keyring.row(Self::row(self.provider)).seal(0, &text).map_err(crate::routes::store_problem)?;
        Ok(format!("{}.{}", self.provider.as_simple(), URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// From a cookie, if it belongs to this answer and is not too old.
    pub(crate) fn open(keyring: &Keyring, cookie: &str, state: &str, now_ms: i64) -> Option<Self> {
        let (provider, sealed) = cookie.split_once('.')?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let text = keyring.row(Self::row(Uuid::try_parse(provider).ok()?)).open(0, &sealed).ok()?;
        let flow: Self = serde_json::from_str(&text).ok()?;
        let same: bool = flow.state.as_bytes().ct_eq(state.as_bytes()).into();
        (same && now_ms < flow.expires_at_ms).then_some(flow)
    }
}

impl Oidc {
    /// Reaches providers this way.
    pub fn new(egress: Arc<Egress>) -> Self {
        Self { egress, known: Mutex::default() }
    }

    /// Where to send a browser, and what to remember of it.
    pub(crate) async fn begin(
        &self,
        provider: &IdentityProvider,
        redirect_uri: &str,
        return_to: String,
        now_ms: i64,
    ) -> Result<(String, Flow), Problem> {
        let known = self.known(provider).await?;
        let text = || random::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let flow = Flow {
            provider: provider.id,
            state: text()?,
            nonce: text()?,
            verifier: text()?,
            return_to,
            expires_at_ms: now_ms + limits::IDENTITY_SIGN_IN_MS_MAX,
        };
        let mut address = Url::parse(&known.document.authorization_endpoint).map_err(|_| refused("no address"))?;
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &provider.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", "openid email profile")
            .append_pair("state", &flow.state)
            .append_pair("nonce", &flow.nonce)
            .append_pair("code_challenge", &challenge(&flow.verifier))
            .append_pair("code_challenge_method", "S256");
        Ok((address.into(), flow))
    }

    /// Who came back with this code.
    pub(crate) async fn finish(
        &self,
        provider: &IdentityProvider,
        secret: Option<&Secret<String>>,
        redirect_uri: &str,
        flow: &Flow,
        code: &str,
    ) -> Result<Identity, Problem> {
        let known = self.known(provider).await?;
        let answer: TokenAnswer =
            self.ask(exchange(&known.document, provider, secret, redirect_uri, flow, code)).await?;
        let header = decode_header(&answer.id_token).map_err(|_| refused("the token is none"))?;
        let key = match key_of(&known.keys, header.kid.as_deref()) {
            Some(key) => key.clone(),
            // Keys rotate: one that is not known may be new.
            None => {
                let known = self.known_anew(provider, &known).await?;
                key_of(&known.keys, header.kid.as_deref()).cloned().ok_or_else(|| refused("its key is not known"))?
            }
        };
        if !ALGORITHMS.contains(&header.alg) {
            return Err(refused("its algorithm is not accepted"));
        }
        let mut rules = Validation::new(header.alg);
        rules.leeway = LEEWAY_SECS;
        rules.validate_nbf = true;
        rules.set_issuer(&[&known.document.issuer]);
        rules.set_audience(&[&provider.client_id]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let key = DecodingKey::from_jwk(&key).map_err(|_| refused("its key cannot be used"))?;
        let claims: Claims =
            decode(&answer.id_token, &key, &rules).map_err(|error| refused(&error.to_string()))?.claims;
        identity(provider, flow, claims)
    }

    /// Document and keys of a provider, as they were at most an hour ago.
    async fn known(&self, provider: &IdentityProvider) -> Result<Arc<Known>, Problem> {
        let kept = self.lock().get(&provider.id).cloned();
        let fresh = Duration::from_millis(limits::IDENTITY_PROVIDER_KEPT_MS);
        match kept {
            Some(known) if known.discovery_url == provider.discovery_url && known.at.elapsed() < fresh => Ok(known),
            _ => self.fetch(provider).await,
        }
    }

    /// The same, asked for now, unless that was done a moment ago.
    async fn known_anew(&self, provider: &IdentityProvider, known: &Arc<Known>) -> Result<Arc<Known>, Problem> {
        let recent = known.at.elapsed() < Duration::from_millis(limits::IDENTITY_KEYS_MS_MIN);
        if recent { Ok(Arc::clone(known)) } else { self.fetch(provider).await }
    }

    async fn fetch(&self, provider: &IdentityProvider) -> Result<Arc<Known>, Problem> {
        let place = provider.discovery_url.trim_end_matches('/');
        let document: Document = self.ask(get(format!("{place}/.well-known/openid-configuration"))).await?;
        // Discovery 1.0, 4.3: it must be the address. Who deviates is named in the settings.
        let expected = provider.issuer.as_deref().unwrap_or(place);
        if document.issuer.trim_end_matches('/') != expected.trim_end_matches('/') {
            return Err(refused(&format!("its document names another issuer, {}", document.issuer)));
        }
        let keys: JwkSet = self.ask(get(document.jwks_uri.clone())).await?;
        let discovery_url = provider.discovery_url.clone();
        let known = Arc::new(Known { discovery_url, document, keys, at: Instant::now() });
        let mut all = self.lock();
        if all.len() >= limits::IDENTITY_PROVIDERS_KEPT_MAX && !all.contains_key(&provider.id) {
            let oldest = all.iter().min_by_key(|(_, known)| known.at).map(|(id, _)| *id);
            oldest.and_then(|id| all.remove(&id));
        }
        all.insert(provider.id, Arc::clone(&known));
        Ok(known)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask<T: DeserializeOwned>(&self, request: HttpRequest) -> Result<T, Problem> {
        let answer = self.egress.http(request, Millis(limits::IDENTITY_PROVIDER_MS_MAX)).await;
        let answer = answer.map_err(|failure| {
            tracing::warn!(%failure, "an identity provider could not be asked");
            Problem::unavailable("the identity provider does not answer")
        })?;
        if answer.status != 200 {
            return Err(refused(&format!("it answered {}", answer.status)));
        }
        serde_json::from_slice(&answer.body).map_err(|_| refused("its answer is not understood"))
    }
}

/// The sign-in failed there. The reason is for the log: who signs in can do nothing about it.
fn refused(why: &str) -> Problem {
    tracing::warn!(why, "a sign-in at an identity provider failed");
    Problem::sign_in_failed()
}

fn get(url: String) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        url,
        headers: vec![RequestHeader::plain("accept", "application/json")],
        body: vec![],
    }
}

/// RFC 7636, 4.2.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// The request that turns a code into tokens (RFC 6749, 4.1.3), with the client's secret where the provider wants it (2.3.1).
fn exchange(
    document: &Document,
    provider: &IdentityProvider,
    secret: Option<&Secret<String>>,
    redirect_uri: &str,
    flow: &Flow,
    code: &str,
) -> HttpRequest {
    let methods = document.token_endpoint_auth_methods_supported.as_deref();
    let in_header = methods.is_none_or(|methods| methods.iter().any(|one| one == "client_secret_basic"));
    let mut headers = vec![
        RequestHeader::plain("accept", "application/json"),
        RequestHeader::plain("content-type", "application/x-www-form-urlencoded"),
    ];
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("code_verifier", &flow.verifier);
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    match secret {
        Some(secret) if in_header => {
            let pair = format!("{}:{}", encoded(&provider.client_id), encoded(secret.expose()));
            headers.push(RequestHeader::secret("authorization", format!("Basic {}", STANDARD.encode(pair))));
        }
        Some(secret) => {
            form.append_pair("client_id", &provider.client_id).append_pair("client_secret", secret.expose());
        }
        None => {
            form.append_pair("client_id", &provider.client_id);
        }
    }
    HttpRequest {
        method: Method::Post,
        url: document.token_endpoint.clone(),
        headers,
        body: form.finish().into_bytes(),
    }
}

fn key_of<'a>(keys: &'a JwkSet, kid: Option<&str>) -> Option<&'a Jwk> {
    match kid {
        Some(kid) => keys.find(kid),
        None if keys.keys.len() == 1 => keys.keys.first(),
        None => None,
    }
}

fn identity(provider: &IdentityProvider, flow: &Flow, claims: Claims) -> Result<Identity, Problem> {
    if claims.nonce.as_deref() != Some(flow.nonce.as_str()) {
        return Err(refused("the token is for another sign-in"));
    }
    if claims.azp.as_deref().is_some_and(|azp| azp != provider.client_id) {
        return Err(refused("the token is for another client"));
    }
    let policy = claims.tfp.as_deref().or(claims.acr.as_deref());
    if let Some(wanted) = &provider.policy
        && policy.is_none_or(|policy| !policy.eq_ignore_ascii_case(wanted))
    {
        return Err(refused("the token is of another policy"));
    }
    let verified = match &claims.email_verified {
        Some(serde_json::Value::Bool(verified)) => *verified,
        Some(serde_json::Value::String(verified)) => verified == "true",
        _ => provider.trust_email,
    };
    let email = claims.email.or_else(|| claims.emails.and_then(|all| all.into_iter().next()));
    // Some write into `sub`, for everybody alike, that it is not supported; then `oid` is who it is.
    let subject = match claims.sub.contains(' ') || claims.sub.is_empty() {
        true => claims.oid.ok_or_else(|| refused("the token says nobody"))?,
        false => claims.sub,
    };
    let email = email.filter(|_| verified).map(|email| email.trim().to_lowercase());
    Ok(Identity { subject, email, name: claims.name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::DataKey;

    fn keyring() -> Keyring {
        Keyring::new(DataKey::parse(&Secret::new("a".repeat(64))).expect("a key"), vec![])
    }

    fn flow() -> Flow {
        Flow {
            provider: Uuid::from_u128(7),
            state: "state".into(),
            nonce: "nonce".into(),
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into(),
            return_to: "/".into(),
            expires_at_ms: 1_000,
        }
    }

    #[test]
    fn a_sign_in_goes_on_only_in_its_own_browser_with_its_own_state_and_in_time() {
        let cookie = flow().seal(&keyring()).expect("sealed");
        assert_eq!(Flow::open(&keyring(), &cookie, "state", 999), Some(flow()));
        assert_eq!(Flow::open(&keyring(), &cookie, "other", 999), None);
        assert_eq!(Flow::open(&keyring(), &cookie, "state", 1_000), None);
        assert_eq!(Flow::open(&keyring(), &cookie.replacen('7', "8", 1), "state", 999), None);
        assert_eq!(Flow::open(&keyring(), "", "state", 999), None);
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        assert_eq!(challenge(&flow().verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
