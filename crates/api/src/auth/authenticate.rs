//! From the credential of a request to whoever makes it.

use super::token::Bearer;
use super::{Actor, Principal, network, secret};
use crate::App;
use crate::problem::Problem;
use crate::routes::store_problem;
use axum::http::{HeaderMap, HeaderName, header};
use base::UserId;
use model::business::TenantScope;
use model::people::{PermissionSet, Role};
use std::net::IpAddr;
use store::people::{KeyAccess, KeyKind};

/// Names the business that the installation acts for, by its short name.
const BUSINESS: HeaderName = HeaderName::from_static("frontdesk-business");

/// Who asks. `None` when the request says nothing about that.
///
/// # Errors
/// A credential that opens nothing, or not from this address; and a database that does not answer.
pub(crate) async fn principal(
    app: &App,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Result<Option<Principal>, Problem> {
    if app.access.has_token(headers) {
        return installation(app, headers).await.map(Some);
    }
    if let Some(bearer) = bearer(headers) {
        let known = match bearer.starts_with(secret::SecretKind::Key.letters()) {
            true => key(app, bearer, address).await?,
            false => token(app, bearer, address).await?,
        };
        let void = || Problem::unauthorized().challenge("Bearer error=\"invalid_token\"");
        return known.map(Some).ok_or_else(void);
    }
    // A page that comes back after days sends a cookie that is void. It is told to sign in, like anybody.
    if let Some(cookie) = super::session::access_cookie(headers)
        && let Some(principal) = token(app, cookie, address).await?
    {
        return Ok(Some(principal));
    }
    if app.access.is_open_to(headers, address) {
        return installation(app, headers).await.map(Some);
    }
    Ok(None)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    // Another scheme is a credential, too, and opens nothing.
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    Some(if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" })
}

async fn installation(app: &App, headers: &HeaderMap) -> Result<Principal, Problem> {
    let scope = match headers.get(BUSINESS) {
        None => app.home,
        Some(slug) => {
            let slug = slug.to_str().map_err(|_| Problem::invalid("Frontdesk-Business: not a short name"))?;
            TenantScope { business: app.node.store().business_by_slug(slug).await.map_err(store_problem)?.id }
        }
    };
    Ok(Principal { scope, actor: Actor::Installation, granted: PermissionSet::all() })
}

async fn key(app: &App, text: &str, address: Option<IpAddr>) -> Result<Option<Principal>, Problem> {
    let store = app.node.store();
    let found = store.key_by_secret(KeyKind::Key, &secret::hash(text), runtime::wall_ms()).await;
    let Some(KeyAccess { scope, key, networks }) = found.map_err(store_problem)? else { return Ok(None) };
    admit(&networks, address)?;
    Ok(Some(Principal { scope, actor: Actor::Key { id: key.id }, granted: of_business(key.permissions) }))
}

async fn token(app: &App, text: &str, address: Option<IpAddr>) -> Result<Option<Principal>, Problem> {
    let Some((scope, bearer)) = app.auth.signer.check(text) else { return Ok(None) };
    let (store, now_ms) = (app.node.store(), runtime::wall_ms());
    match bearer {
        Bearer::User { user, session } => {
            let access = store.session_access(&scope, session, now_ms).await.map_err(store_problem)?;
            let Some(access) = access.filter(|access| access.user == user) else { return Ok(None) };
            admit(&access.networks, address)?;
            let actor = Actor::User { id: user, session };
            Ok(Some(Principal { scope, actor, granted: access.role.permissions() }))
        }
        Bearer::Client { client, scope: asked } => {
            let access = store.client_access(&scope, client, now_ms).await.map_err(store_problem)?;
            let Some(KeyAccess { key, networks, .. }) = access else { return Ok(None) };
            admit(&networks, address)?;
            let asked = PermissionSet::parse(&asked).unwrap_or_default();
            let granted = of_business(key.permissions).intersection(asked);
            Ok(Some(Principal { scope, actor: Actor::Client { id: client }, granted }))
        }
    }
}

/// What a key of a business may do at most: an owner's permissions.
fn of_business(permissions: PermissionSet) -> PermissionSet {
    permissions.intersection(Role::Owner.permissions())
}

fn admit(networks: &[String], address: Option<IpAddr>) -> Result<(), Problem> {
    if network::is_within(networks, address) { Ok(()) } else { Err(Problem::address_not_allowed()) }
}

impl Principal {
    /// The person and their session.
    ///
    /// # Errors
    /// `not_a_person` for a program.
    pub fn person(&self) -> Result<(UserId, base::SessionId), Problem> {
        match self.actor {
            Actor::User { id, session } => Ok((id, session)),
            _ => Err(Problem::not_a_person()),
        }
    }
}
