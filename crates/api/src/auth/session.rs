//! Signing somebody in: a session, its tokens, and for pages the cookies that hold them.

use super::{Actor, audit, network, secret, token::Bearer};
use crate::App;
use crate::problem::Problem;
use crate::routes::store_problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use base::{Pii, Secret, SessionId, UserId, limits};
use model::business::TenantScope;
use serde::Serialize;
use std::convert::Infallible;
use std::net::IpAddr;
use store::people::Session;
use utoipa::ToSchema;

const ACCESS: &str = "frontdesk_access";
const REFRESH: &str = "frontdesk_refresh";
/// Where the refresh token is sent, and nowhere else.
const REFRESH_PATH: &str = "/api/v1/auth";
const USER_AGENT_CHARS_MAX: usize = 200;

/// From where somebody signs in.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) address: Option<IpAddr>,
    user_agent: String,
    /// The language that they read best, as their browser says it (BCP-47).
    pub(crate) language: Option<String>,
    /// Whether cookies may only travel encrypted.
    encrypted: bool,
    /// The refresh token of a page.
    pub(crate) refresh_cookie: Option<Secret<String>>,
}

impl FromRequestParts<App> for Entry {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let user_agent =
            parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self {
            address: network::client_address(&app.access, &parts.headers, &parts.extensions),
            language: language_of(&parts.headers),
            user_agent: user_agent.chars().take(USER_AGENT_CHARS_MAX).collect(),
            encrypted: app.access.base_url(&parts.headers).starts_with("https:"),
            refresh_cookie: cookie(&parts.headers, REFRESH).map(Into::into),
        })
    }
}

/// The first language that a browser asks for (RFC 9110, 12.5.4); browsers name the best one first.
fn language_of(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let first = text.split([',', ';']).next()?.trim();
    let is_tag =
        (2..=35).contains(&first.len()) && first.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '-');
    is_tag.then(|| first.to_owned())
}

impl Entry {
    /// The address as text.
    pub(crate) fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }
}

/// Tokens of a session.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// For `Authorization: Bearer …`. Absent when cookies were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds for which the access token holds.
    expires_in: i64,
    /// Gives the next tokens, once. Absent when cookies were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// The session.
    session: uuid::Uuid,
}

/// What somebody who signed in gets.
pub(crate) struct SignedInAs {
    session: SessionId,
    access: String,
    refresh: Secret<String>,
    cookies: Option<bool>,
}

/// Whether tokens come in the answer or as cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carry {
    /// In the answer: for programs.
    Body,
    /// As cookies that no script can read: for pages.
    Cookies,
}

impl From<bool> for Carry {
    fn from(cookies: bool) -> Self {
        if cookies { Self::Cookies } else { Self::Body }
    }
}

/// Opens a session for somebody who has shown who they are.
pub(crate) async fn open(
    app: &App,
    scope: TenantScope,
    user: UserId,
    method: &str,
    entry: &Entry,
    carry: Carry,
) -> Result<SignedInAs, Problem> {
    let store = app.node.store();
    let rules = store.address_list(&scope).await.map_err(store_problem)?;
    if !network::is_within(&rules.networks, entry.address) {
        return Err(Problem::address_not_allowed());
    }
    let now_ms = runtime::wall_ms();
    let refresh = secret::fresh(secret::SecretKind::Refresh)?;
    let session = Session {
        id: SessionId::generate(),
        user,
        method: method.to_owned(),
        user_agent: entry.user_agent.clone(),
        address: Pii::new(entry.address_text().unwrap_or_default()),
        created_at_ms: now_ms,
        seen_at_ms: now_ms,
        expires_at_ms: now_ms + limits::SESSION_MS_MAX,
    };
    // Nobody is in of whom the log does not say so.
    audit::tell(&audit::Note::by(scope, Actor::User { id: user, session: session.id }));
    store.open_session(&scope, &session, &refresh.hash).await.map_err(store_problem)?;
    hand_out(app, (scope, user, session.id), refresh.text, entry, carry)
}

/// Gives out the tokens of a session.
pub(crate) fn hand_out(
    app: &App,
    (scope, user, session): (TenantScope, UserId, SessionId),
    refresh: Secret<String>,
    entry: &Entry,
    carry: Carry,
) -> Result<SignedInAs, Problem> {
    let access = app.auth.signer.sign(&scope, &Bearer::User { user, session }, runtime::wall_ms());
    let access = access.ok_or_else(Problem::internal)?;
    let cookies = (carry == Carry::Cookies).then_some(entry.encrypted);
    Ok(SignedInAs { session, access, refresh, cookies })
}

impl SignedInAs {
    /// The cookies, if a page asked for them.
    pub(crate) fn cookies(&self) -> AppendHeaders<Vec<(HeaderName, HeaderValue)>> {
        let Some(encrypted) = self.cookies else { return AppendHeaders(Vec::new()) };
        AppendHeaders(vec![
            set_cookie(ACCESS, &self.access, "/", limits::ACCESS_TOKEN_MS / 1000, encrypted),
            set_cookie(REFRESH, self.refresh.expose(), REFRESH_PATH, limits::SESSION_MS_MAX / 1000, encrypted),
        ])
    }
}

impl IntoResponse for SignedInAs {
    fn into_response(self) -> Response {
        let cookies = self.cookies();
        let in_body = self.cookies.is_none();
        let tokens = Tokens {
            access_token: in_body.then(|| self.access.clone()),
            token_type: "Bearer",
            expires_in: limits::ACCESS_TOKEN_MS / 1000,
            refresh_token: in_body.then(|| self.refresh.expose().clone()),
            session: self.session.0,
        };
        (cookies, [(header::CACHE_CONTROL, "no-store")], axum::Json(tokens)).into_response()
    }
}

/// Takes the cookies of a page away.
pub(crate) fn forget_cookies(entry: &Entry) -> AppendHeaders<Vec<(HeaderName, HeaderValue)>> {
    AppendHeaders(vec![
        set_cookie(ACCESS, "", "/", 0, entry.encrypted),
        set_cookie(REFRESH, "", REFRESH_PATH, 0, entry.encrypted),
    ])
}

fn set_cookie(name: &str, value: &str, path: &str, secs: i64, encrypted: bool) -> (HeaderName, HeaderValue) {
    let secure = if encrypted { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path={path}; Max-Age={secs}; HttpOnly; SameSite=Strict{secure}");
    // Tokens are of letters that a header may hold.
    (header::SET_COOKIE, HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("")))
}

/// The access token of a page.
pub(crate) fn access_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, ACCESS)
}

/// A cookie of this name that is not empty.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('=')).filter(|value| !value.is_empty())
}
