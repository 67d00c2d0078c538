//! API keys, and clients of OAuth 2.0.

use super::sign_in::read_name;
use super::store_problem;
use super::users::PageQuery;
use crate::App;
use crate::auth::audit::{self, Note};
use crate::auth::secret::{self, Fresh, SecretKind};
use crate::auth::{Allowed, Principal, may};
use crate::http::{Body, List, Listed, MaybeBody, Params, page};
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base::{AccessKeyId, limits};
use model::people::{Permission, PermissionSet};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::people::{AccessKey, KeyKind, NewKey};
use utoipa::ToSchema;
use uuid::Uuid;

/// An API key or a client, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyView {
    /// Of a client also its `client_id`.
    id: Uuid,
    name: String,
    /// The beginning of its secret, by which people tell it from others.
    prefix: String,
    /// What it may do.
    #[schema(value_type = Vec<String>, example = json!(["calls:read"]))]
    permissions: Vec<Permission>,
    /// Who made it.
    created_by: Option<String>,
    /// Unix milliseconds.
    created_at_ms: i64,
    /// Unix milliseconds after which it opens nothing.
    expires_at_ms: Option<i64>,
    /// Unix milliseconds of the last use, to the minute.
    used_at_ms: Option<i64>,
    /// Until when the secret before this one still opens.
    previous_until_ms: Option<i64>,
}

impl From<AccessKey> for KeyView {
    fn from(key: AccessKey) -> Self {
        Self {
            id: key.id.0,
            name: key.name,
            prefix: key.prefix,
            permissions: key.permissions.iter().collect(),
            created_by: key.created_by,
            created_at_ms: key.created_at_ms,
            expires_at_ms: key.expires_at_ms,
            used_at_ms: key.used_at_ms,
            previous_until_ms: key.previous_until_ms,
        }
    }
}

/// A key or client with its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyWithSecret {
    key: KeyView,
    /// Shown once; only its hash is kept.
    secret: String,
}

/// A key or client to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyWish {
    #[schema(example = "CRM", min_length = 1, max_length = 120)]
    name: String,
    /// What it may do: nothing that the caller may not.
    #[schema(value_type = Vec<String>, example = json!(["calls:read"]))]
    permissions: Vec<Permission>,
    /// Unix milliseconds after which it opens nothing; left out, it does not expire.
    #[serde(default)]
    expires_at_ms: Option<i64>,
}

/// How long the old secret goes on.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rotation {
    /// Seconds for which the old secret still opens, up to 30 days; none when left out.
    #[schema(minimum = 0, maximum = 2592000)]
    overlap_secs: u32,
}

/// Lists API keys, newest first.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", operation_id = "list_keys", params(PageQuery),
    security(("bearer" = ["keys:read"])), responses(
    (status = 200, description = "One page of keys, without their secrets", body = List<KeyView>),
    (status = 422, description = "The query, the limit or the cursor is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn list_keys(
    State(app): State<App>,
    caller: Allowed<may::KeysRead>,
    Params(query): Params<PageQuery>,
    uri: Uri,
) -> Result<Listed<KeyView>, Problem> {
    list(&app, &caller, KeyKind::Key, query, uri).await
}

/// Makes an API key. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", operation_id = "create_key",
    security(("bearer" = ["keys:manage"])), request_body = KeyWish, responses(
    (status = 201, description = "The key with its secret", body = KeyWithSecret),
    (status = 403, description = "A permission that the caller does not have", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn create_key(
    State(app): State<App>,
    caller: Allowed<may::KeysManage>,
    Body(wish): Body<KeyWish>,
) -> Result<Response, Problem> {
    create(&app, &caller, KeyKind::Key, wish).await
}

/// Reads an API key.
#[utoipa::path(get, path = "/api/v1/keys/{id}", tag = "keys", operation_id = "get_key",
    security(("bearer" = ["keys:read"])), params(("id" = Uuid, Path, description = "The key")), responses(
    (status = 200, description = "The key, without its secret", body = KeyView),
    (status = 404, description = "No such key", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn get_key(
    State(app): State<App>,
    caller: Allowed<may::KeysRead>,
    Path(id): Path<String>,
) -> Result<Json<KeyView>, Problem> {
    get(&app, &caller, KeyKind::Key, &id).await
}

/// Gives an API key a new secret. The old one may go on for a while, so that nothing stands still.
#[utoipa::path(post, path = "/api/v1/keys/{id}/rotate", tag = "keys", operation_id = "rotate_key",
    security(("bearer" = ["keys:manage"])), params(("id" = Uuid, Path, description = "The key")),
    request_body = Rotation, responses(
    (status = 200, description = "The key with its new secret", body = KeyWithSecret),
    (status = 403, description = "It has a permission that the caller does not have", body = Problem),
    (status = 404, description = "No such key", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn rotate_key(
    State(app): State<App>,
    caller: Allowed<may::KeysManage>,
    Path(id): Path<String>,
    MaybeBody(wish): MaybeBody<Rotation>,
) -> Result<Response, Problem> {
    rotate(&app, &caller, KeyKind::Key, &id, &wish).await
}

/// Takes an API key back. It opens nothing from now on.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "keys", operation_id = "delete_key",
    security(("bearer" = ["keys:manage"])), params(("id" = Uuid, Path, description = "The key")), responses(
    (status = 204, description = "It opens nothing any more"),
    (status = 404, description = "No such key", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn delete_key(
    State(app): State<App>,
    caller: Allowed<may::KeysManage>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    revoke(&app, &caller, KeyKind::Key, &id).await
}

/// Lists clients of OAuth 2.0, newest first.
#[utoipa::path(get, path = "/api/v1/clients", tag = "keys", operation_id = "list_clients", params(PageQuery),
    security(("bearer" = ["keys:read"])), responses(
    (status = 200, description = "One page of clients, without their secrets", body = List<KeyView>),
    (status = 422, description = "The query, the limit or the cursor is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn list_clients(
    State(app): State<App>,
    caller: Allowed<may::KeysRead>,
    Params(query): Params<PageQuery>,
    uri: Uri,
) -> Result<Listed<KeyView>, Problem> {
    list(&app, &caller, KeyKind::Client, query, uri).await
}

/// Makes a client of OAuth 2.0: its id is the `client_id`, its secret the `client_secret` of `/api/v1/oauth/token`.
#[utoipa::path(post, path = "/api/v1/clients", tag = "keys", operation_id = "create_client",
    security(("bearer" = ["keys:manage"])), request_body = KeyWish, responses(
    (status = 201, description = "The client with its secret", body = KeyWithSecret),
    (status = 403, description = "A permission that the caller does not have", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn create_client(
    State(app): State<App>,
    caller: Allowed<may::KeysManage>,
    Body(wish): Body<KeyWish>,
) -> Result<Response, Problem> {
    create(&app, &caller, KeyKind::Client, wish).await
}

/// Reads a client.
#[utoipa::path(get, path = "/api/v1/clients/{id}", tag = "keys", operation_id = "get_client",
    security(("bearer" = ["keys:read"])), params(("id" = Uuid, Path, description = "The client")), responses(
    (status = 200, description = "The client, without its secret", body = KeyView),
    (status = 404, description = "No such client", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn get_client(
    State(app): State<App>,
    caller: Allowed<may::KeysRead>,
    Path(id): Path<String>,
) -> Result<Json<KeyView>, Problem> {
    get(&app, &caller, KeyKind::Client, &id).await
}

/// Gives a client a new secret. The old one may go on for a while, so that nothing stands still.
#[utoipa::path(post, path = "/api/v1/clients/{id}/rotate", tag = "keys", operation_id = "rotate_client",
    security(("bearer" = ["keys:manage"])), params(("id" = Uuid, Path, description = "The client")),
    request_body = Rotation, responses(
    (status = 200, description = "The client with its new secret", body = KeyWithSecret),
    (status = 403, description = "It has a permission that the caller does not have", body = Problem),
    (status = 404, description = "No such client", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn rotate_client(
    State(app): State<App>,
    caller: Allowed<may::KeysManage>,
    Path(id): Path<String>,
    MaybeBody(wish): MaybeBody<Rotation>,
) -> Result<Response, Problem> {
    rotate(&app, &caller, KeyKind::Client, &id, &wish).await
}

/// Takes a client back. Its tokens open nothing from now on.
#[utoipa::path(delete, path = "/api/v1/clients/{id}", tag = "keys", operation_id = "delete_client",
    security(("bearer" = ["keys:manage"])), params(("id" = Uuid, Path, description = "The client")), responses(
    (status = 204, description = "It opens nothing any more"),
    (status = 404, description = "No such client", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn delete_client(
    State(app): State<App>,
    caller: Allowed<may::KeysManage>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    revoke(&app, &caller, KeyKind::Client, &id).await
}

async fn list(
    app: &App,
    caller: &Principal,
    kind: KeyKind,
    query: PageQuery,
    uri: Uri,
) -> Result<Listed<KeyView>, Problem> {
    let (rows, after) = (page::rows(query.limit)?, page::cursor(query.cursor.as_deref())?);
    let found = app.node.store().keys(&caller.scope, kind, after, rows).await.map_err(store_problem)?;
    Ok(Listed::new(found.rows.into_iter().map(Into::into).collect(), found.next, uri))
}

async fn create(app: &App, caller: &Principal, kind: KeyKind, wish: KeyWish) -> Result<Response, Problem> {
    let now_ms = runtime::wall_ms();
    let permissions: PermissionSet = wish.permissions.into_iter().collect();
    may_give(caller, permissions)?;
    if permissions == PermissionSet::NONE {
        return Err(Problem::invalid("permissions: at least one is needed"));
    }
    if wish.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        return Err(Problem::invalid("expires_at_ms: it lies in the past"));
    }
    let secret = secret::fresh(letters(kind))?;
    let made_by = match caller.actor.id() {
        Some(id) => format!("{} {id}", caller.actor.kind()),
        None => caller.actor.kind().to_owned(),
    };
    let key = NewKey {
        id: AccessKeyId::generate(),
        kind,
        name: read_name("name", &wish.name)?,
        prefix: secret.prefix.clone(),
        hash: secret.hash,
        permissions,
        created_by: Some(made_by),
        expires_at_ms: wish.expires_at_ms,
    };
    tell(kind, key.id, &key.prefix, key.permissions);
    app.node.store().create_key(&caller.scope, &key, now_ms).await.map_err(store_problem)?;
    with_secret(app, caller, kind, key.id, secret, StatusCode::CREATED).await
}

async fn get(app: &App, caller: &Principal, kind: KeyKind, id: &str) -> Result<Json<KeyView>, Problem> {
    let key = live(app, caller, kind, id).await?;
    Ok(Json(key.into()))
}

async fn rotate(app: &App, caller: &Principal, kind: KeyKind, id: &str, wish: &Rotation) -> Result<Response, Problem> {
    let key = live(app, caller, kind, id).await?;
    // Whoever gets the new secret can do all that the key can.
    may_give(caller, key.permissions)?;
    let overlap_ms = i64::from(wish.overlap_secs) * 1000;
    if overlap_ms > limits::KEY_OVERLAP_MS_MAX {
        return Err(Problem::invalid("overlap_secs: at most 30 days"));
    }
    let secret = secret::fresh(letters(kind))?;
    let until_ms = runtime::wall_ms() + overlap_ms;
    let store = app.node.store();
    tell(kind, key.id, &secret.prefix, key.permissions);
    let rotated = store.rotate_key(&caller.scope, kind, key.id, &secret.prefix, &secret.hash, until_ms).await;
    rotated.map_err(store_problem)?;
    with_secret(app, caller, kind, key.id, secret, StatusCode::OK).await
}

async fn revoke(app: &App, caller: &Principal, kind: KeyKind, id: &str) -> Result<StatusCode, Problem> {
    let id: AccessKeyId = id.parse().map_err(|_| Problem::not_found())?;
    let gone = app.node.store().revoke_key(&caller.scope, kind, id, runtime::wall_ms()).await;
    if gone.map_err(store_problem)? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

/// A key that was not taken back.
async fn live(app: &App, caller: &Principal, kind: KeyKind, id: &str) -> Result<AccessKey, Problem> {
    let id: AccessKeyId = id.parse().map_err(|_| Problem::not_found())?;
    let key = app.node.store().key(&caller.scope, kind, id).await.map_err(store_problem)?;
    if key.revoked_at_ms.is_some() { Err(Problem::not_found()) } else { Ok(key) }
}

async fn with_secret(
    app: &App,
    caller: &Principal,
    kind: KeyKind,
    id: AccessKeyId,
    secret: Fresh,
    status: StatusCode,
) -> Result<Response, Problem> {
    let key = app.node.store().key(&caller.scope, kind, id).await.map_err(store_problem)?;
    let body = KeyWithSecret { key: key.into(), secret: secret.text.expose().clone() };
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// What the line about a key says.
fn tell(kind: KeyKind, id: AccessKeyId, prefix: &str, permissions: PermissionSet) {
    let details = json!({"prefix": prefix, "permissions": permissions.to_string()});
    audit::tell(&Note::on(format!("{}s/{id}", kind.name())).details(details));
}

const fn letters(kind: KeyKind) -> SecretKind {
    match kind {
        KeyKind::Key => SecretKind::Key,
        KeyKind::Client => SecretKind::Client,
    }
}

/// Nobody gives what they do not have, and no key runs the installation.
fn may_give(caller: &Principal, permissions: PermissionSet) -> Result<(), Problem> {
    let refused = |one: &Permission| !caller.may(*one) || *one == Permission::InstallationManage;
    permissions.iter().find(refused).map_or(Ok(()), |one| Err(Problem::forbidden(one)))
}
