//! Tokens for programs: OAuth 2.0 client credentials (RFC 6749, 4.4). Errors are in that standard's own form (5.2).

use crate::App;
use crate::auth::audit::Note;
use crate::auth::secret::hash;
use crate::auth::session::Entry;
use crate::auth::token::Bearer;
use crate::problem::Problem;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::{AccessKeyId, limits};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::people::{Actor, PermissionSet};
use serde::Serialize;
use std::collections::BTreeMap;
use store::people::KeyKind;
use utoipa::ToSchema;

/// What a client asks for, as a form.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only the document reads it: a form is read by hand, so that its errors are those of the standard"
)]
pub(crate) struct TokenRequest {
    /// `client_credentials`.
    grant_type: String,
    /// Unless the client authenticates with HTTP Basic.
    client_id: Option<String>,
    /// Unless the client authenticates with HTTP Basic.
    client_secret: Option<String>,
    /// Permissions separated by spaces; all of the client's when left out.
    scope: Option<String>,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds for which it holds.
    expires_in: i64,
    /// What it allows.
    scope: String,
}

/// An error of OAuth 2.0.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OAuthError {
    /// `invalid_request`, `invalid_client`, `unsupported_grant_type` or `invalid_scope`.
    error: &'static str,
    error_description: String,
}

impl OAuthError {
    fn new(error: &'static str, why: impl Into<String>) -> Self {
        Self { error, error_description: why.into() }
    }

    /// The same whether the client does not exist or its secret is wrong.
    fn client() -> Self {
        Self::new("invalid_client", "the client is not known, or its secret is not right")
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let unknown = self.error == "invalid_client";
        let status = if unknown { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        let mut response = (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(self)).into_response();
        if unknown {
            let basic = HeaderValue::from_static("Basic realm=\"frontdesk\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
        }
        response
    }
}

/// Gives a client an access token (RFC 6749, 4.4).
#[utoipa::path(post, path = "/api/v1/oauth/token", tag = "auth", operation_id = "create_token", security(()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "A token", body = TokenAnswer),
    (status = 400, description = "The request is not one of this grant", body = OAuthError),
    (status = 401, description = "The client is not known, or its secret is not right", body = OAuthError),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 429, description = "A pause is due", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn token(State(app): State<App>, entry: Entry, headers: HeaderMap, body: Bytes) -> Response {
    match give(&app, &entry, &headers, &body).await {
        Ok(response) => response,
        Err(Refusal::OAuth(error)) => error.into_response(),
        Err(Refusal::Problem(problem)) => problem.into_response(),
    }
}

enum Refusal {
    OAuth(OAuthError),
    Problem(Problem),
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

async fn give(app: &App, entry: &Entry, headers: &HeaderMap, body: &[u8]) -> Result<Response, Refusal> {
    let form = read_form(body)?;
    match form.get("grant_type").map(String::as_str) {
        Some("client_credentials") => {}
        Some(_) => return Err(OAuthError::new("unsupported_grant_type", "only client_credentials").into()),
        None => return Err(OAuthError::new("invalid_request", "grant_type is missing").into()),
    }
    let (id, secret) = client(headers, &form)?;
    app.auth.throttle.attempt("client", entry.address, Some(&id)).await?;
    let known = app.node.store().key_by_secret(KeyKind::Client, &hash(&secret), runtime::wall_ms()).await;
    let known = known.map_err(super::store_problem)?;
    let access = known.filter(|access| id.parse() == Ok(access.key.id)).ok_or_else(OAuthError::client)?;
    app.auth.throttle.succeeded("client", &id, runtime::wall_ms()).await;
    let granted = match form.get("scope") {
        None => access.key.permissions,
        Some(text) => {
            let asked = PermissionSet::parse(text)
                .map_err(|name| OAuthError::new("invalid_scope", format!("there is no permission {name}")))?;
            if !asked.is_within(access.key.permissions) || asked == PermissionSet::NONE {
                return Err(OAuthError::new("invalid_scope", "more than the client may do, or nothing").into());
            }
            asked
        }
    };
    let client: AccessKeyId = access.key.id;
    let scope = granted.to_string();
    let bearer = Bearer::Client { client, scope: scope.clone() };
    let token = app.auth.signer.sign(&access.scope, &bearer, runtime::wall_ms()).ok_or_else(Problem::internal)?;
    let answer =
        TokenAnswer { access_token: token, token_type: "Bearer", expires_in: limits::ACCESS_TOKEN_MS / 1000, scope };
    let note = Note::by(access.scope, Actor::Client { id: client });
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Extension(note), axum::Json(answer)).into_response())
}

/// RFC 6749, 3.2: no parameter may come twice, and an empty one counts as absent.
fn read_form(body: &[u8]) -> Result<BTreeMap<String, String>, OAuthError> {
    let mut form = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if form.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            return Err(OAuthError::new("invalid_request", "a parameter comes twice"));
        }
    }
    form.retain(|_, value| !value.is_empty());
    Ok(form)
}

/// Id and secret of the client, from one place (RFC 6749, 2.3).
fn client(headers: &HeaderMap, form: &BTreeMap<String, String>) -> Result<(String, String), OAuthError> {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic =
        basic.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    if let Some((_, encoded)) = basic {
        if form.contains_key("client_secret") {
            return Err(OAuthError::new("invalid_request", "the client authenticates in two ways"));
        }
        let pair = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = pair.ok_or_else(OAuthError::client)?;
        let (id, secret) = pair.split_once(':').ok_or_else(OAuthError::client)?;
        return Ok((decoded(id), decoded(secret)));
    }
    match (form.get("client_id"), form.get("client_secret")) {
        (Some(id), Some(secret)) => Ok((id.clone(), secret.clone())),
        _ => Err(OAuthError::client()),
    }
}

/// Both halves are form-encoded before they are joined (RFC 6749, 2.3.1).
fn decoded(text: &str) -> String {
    let pair = format!("a={text}");
    form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
