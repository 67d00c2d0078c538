//! How a business lets people in: from where, and at which identity providers.

use super::sign_in::read_name;
use super::store_problem;
use crate::App;
use crate::auth::audit::{self, Note};
use crate::auth::session::{self, Carry, Entry};
use crate::auth::{Allowed, Principal, may, network, oidc, read_network};
use crate::http::{Body, List, Params};
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use base::{Pii, Secret, UserId, limits};
use model::business::TenantScope;
use model::people::{Actor, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::StoreError;
use store::people::{IdentityProvider, NewUser};
use store::trail::{Line, Trail};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const FLOW: &str = "frontdesk_identity";
const FLOW_PATH: &str = "/api/v1/auth/oidc";

/// From where the business may be reached.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressListBody {
    /// Networks in CIDR notation, or single addresses; none: from everywhere.
    #[schema(example = json!(["192.0.2.0/24", "2001:db8::/32"]), max_items = 100)]
    networks: Vec<String>,
    /// The version that this change is based on; left out, it replaces whatever there is.
    #[serde(default)]
    version: Option<u32>,
}

/// Reads from where the business may be reached.
#[utoipa::path(get, path = "/api/v1/access/addresses", tag = "people", operation_id = "get_addresses",
    security(("bearer" = ["business:read"])), responses(
    (status = 200, description = "The address list", body = AddressListBody),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn addresses(
    State(app): State<App>,
    caller: Allowed<may::BusinessRead>,
) -> Result<Json<AddressListBody>, Problem> {
    let list = app.node.store().address_list(&caller.scope).await.map_err(store_problem)?;
    Ok(Json(AddressListBody { networks: list.networks, version: Some(list.version) }))
}

/// Sets from where the business may be reached, by people and programs alike. Refuses a list that would lock the caller out.
#[utoipa::path(put, path = "/api/v1/access/addresses", tag = "people", operation_id = "put_addresses",
    security(("bearer" = ["business:manage"])), request_body = AddressListBody, responses(
    (status = 200, description = "The address list now", body = AddressListBody),
    (status = 409, description = "It was changed meanwhile", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "A network is not valid, or the caller's address is not on the list", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn put_addresses(
    State(app): State<App>,
    caller: Allowed<may::BusinessManage>,
    entry: Entry,
    Body(wish): Body<AddressListBody>,
) -> Result<impl IntoResponse, Problem> {
    if wish.networks.len() > limits::NETWORKS_MAX {
        return Err(Problem::invalid(format!("networks: at most {}", limits::NETWORKS_MAX)));
    }
    let networks = wish.networks.iter().map(|text| read_network(text).map(|network| network.to_string()));
    let networks: Vec<String> =
        networks.collect::<Result<_, _>>().map_err(|why| Problem::invalid(format!("networks: {why}")))?;
    // Whoever runs the installation is not bound by the list.
    if caller.actor != Actor::Installation && !network::is_within(&networks, entry.address) {
        return Err(Problem::invalid("networks: your own address is not on the list; you would lock yourself out"));
    }
    audit::tell(&Note::on("access/addresses").details(json!({"networks": networks})));
    let put = app.node.store().put_address_list(&caller.scope, &networks, wish.version).await;
    let version = put.map_err(conflict)?;
    Ok(Json(AddressListBody { networks, version: Some(version) }))
}

fn conflict(error: StoreError) -> Problem {
    match error {
        StoreError::Conflict(why) => Problem::conflict(why),
        other => store_problem(other),
    }
}

/// An identity provider (OpenID Connect) where people of the business may sign in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityProvider)]
pub(crate) struct ProviderView {
    id: Uuid,
    name: String,
    discovery_url: String,
    issuer: Option<String>,
    client_id: String,
    policy: Option<String>,
    trust_email: bool,
    join_domains: Vec<String>,
    #[schema(value_type = String)]
    join_role: Role,
    /// Where a browser begins to sign in.
    start_url: String,
    /// What the provider must know as the address to send people back to.
    redirect_url: String,
}

/// An identity provider to be set up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderWish {
    /// Name as people see it on the button.
    #[schema(example = "Work account", min_length = 1, max_length = 120)]
    name: String,
    /// The address before `/.well-known/openid-configuration`, with the policy where it is part of it.
    #[schema(example = "https://login.example.com/tenant/v2.0")]
    discovery_url: String,
    /// The issuer that its document names, where that is not `discovery_url`.
    #[serde(default)]
    issuer: Option<String>,
    /// What it knows us by.
    #[schema(example = "frontdesk")]
    client_id: String,
    /// Left out, the one there stays; a client may have none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    client_secret: Option<Secret<String>>,
    /// Policy that tokens must name in `tfp` or `acr`.
    #[serde(default)]
    policy: Option<String>,
    /// Take its e-mail addresses for true although it does not say `email_verified`. Only where people cannot choose them.
    #[serde(default)]
    trust_email: bool,
    /// Domains of e-mail addresses whose owners join the business by signing in; others must be invited.
    #[serde(default)]
    #[schema(max_items = 20)]
    join_domains: Vec<String>,
    /// As what they join.
    #[serde(default = "least")]
    #[schema(value_type = String, example = "analyst")]
    join_role: Role,
}

const fn least() -> Role {
    Role::Analyst
}

/// Lists the identity providers of the business.
#[utoipa::path(get, path = "/api/v1/identity-providers", tag = "people", operation_id = "list_identity_providers",
    security(("bearer" = ["business:read"])), responses(
    (status = 200, description = "Identity providers, without their secrets", body = List<ProviderView>),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn providers(
    State(app): State<App>,
    caller: Allowed<may::BusinessRead>,
    headers: HeaderMap,
) -> Result<Json<List<ProviderView>>, Problem> {
    let all = app.node.store().identity_providers(&caller.scope).await.map_err(store_problem)?;
    let base_url = app.access.base_url(&headers);
    Ok(Json(List::whole(all.into_iter().map(|one| view(one, &base_url)).collect())))
}

/// Sets up an identity provider.
#[utoipa::path(post, path = "/api/v1/identity-providers", tag = "people", operation_id = "create_identity_provider",
    security(("bearer" = ["business:manage"])), request_body = ProviderWish, responses(
    (status = 201, description = "The identity provider", body = ProviderView),
    (status = 403, description = "The role allows more than the caller may", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn create_provider(
    State(app): State<App>,
    caller: Allowed<may::BusinessManage>,
    headers: HeaderMap,
    Body(wish): Body<ProviderWish>,
) -> Result<impl IntoResponse, Problem> {
    let provider = put_provider(&app, &caller, Uuid::now_v7(), wish).await?;
    Ok((StatusCode::CREATED, Json(view(provider, &app.access.base_url(&headers)))))
}

/// Changes an identity provider.
#[utoipa::path(put, path = "/api/v1/identity-providers/{id}", tag = "people", operation_id = "put_identity_provider",
    security(("bearer" = ["business:manage"])), params(("id" = Uuid, Path, description = "The identity provider")),
    request_body = ProviderWish, responses(
    (status = 200, description = "The identity provider now", body = ProviderView),
    (status = 403, description = "The role allows more than the caller may", body = Problem),
    (status = 404, description = "No such identity provider", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The body is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn change_provider(
    State(app): State<App>,
    caller: Allowed<may::BusinessManage>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(wish): Body<ProviderWish>,
) -> Result<Json<ProviderView>, Problem> {
    let id = Uuid::try_parse(&id).map_err(|_| Problem::not_found())?;
    let all = app.node.store().identity_providers(&caller.scope).await.map_err(store_problem)?;
    if !all.iter().any(|one| one.id == id) {
        return Err(Problem::not_found());
    }
    let provider = put_provider(&app, &caller, id, wish).await?;
    Ok(Json(view(provider, &app.access.base_url(&headers))))
}

/// Deletes an identity provider. People who signed in there need a password, or another provider.
#[utoipa::path(delete, path = "/api/v1/identity-providers/{id}", tag = "people", operation_id = "delete_identity_provider",
    security(("bearer" = ["business:manage"])), params(("id" = Uuid, Path, description = "The identity provider")), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "No such identity provider", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn delete_provider(
    State(app): State<App>,
    caller: Allowed<may::BusinessManage>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = Uuid::try_parse(&id).map_err(|_| Problem::not_found())?;
    let gone = app.node.store().delete_identity_provider(&caller.scope, id).await.map_err(store_problem)?;
    if gone { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

async fn put_provider(
    app: &App,
    caller: &Principal,
    id: Uuid,
    wish: ProviderWish,
) -> Result<IdentityProvider, Problem> {
    let missing = wish.join_role.permissions().iter().find(|one| !caller.may(*one));
    missing.map_or(Ok(()), |missing| Err(Problem::forbidden(missing)))?;
    let web =
        |text: &str| url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    if !web(&wish.discovery_url) {
        return Err(Problem::invalid("discovery_url: not the address of an identity provider"));
    }
    let domain = |text: &String| text.contains('.') && !text.contains('@') && text.len() <= 253;
    if wish.join_domains.len() > 20 || !wish.join_domains.iter().all(domain) {
        return Err(Problem::invalid("join_domains: at most 20 domains such as brightleaf.example"));
    }
    let short = |text: &str| (1..=500).contains(&text.len()) && !text.chars().any(char::is_control);
    let optional = [&wish.issuer, &wish.policy];
    if !short(&wish.client_id) || optional.into_iter().flatten().any(|text| !short(text)) {
        return Err(Problem::invalid("client_id, issuer and policy: 1 to 500 characters"));
    }
    let provider = IdentityProvider {
        id,
        name: read_name("name", &wish.name)?,
        discovery_url: wish.discovery_url.trim_end_matches('/').to_owned(),
        issuer: wish.issuer,
        client_id: wish.client_id,
        policy: wish.policy,
        trust_email: wish.trust_email,
        join_domains: wish.join_domains.iter().map(|domain| domain.to_lowercase()).collect(),
        join_role: wish.join_role,
    };
    let secret = wish.client_secret.as_ref();
    audit::tell(&Note::on(format!("identity-providers/{id}")));
    let put = app.node.store().put_identity_provider(&caller.scope, &provider, secret, runtime::wall_ms()).await;
    put.map_err(store_problem)?;
    Ok(provider)
}

fn view(provider: IdentityProvider, base_url: &str) -> ProviderView {
    ProviderView {
        id: provider.id,
        start_url: start_url(base_url, provider.id),
        redirect_url: redirect_url(base_url),
        name: provider.name,
        discovery_url: provider.discovery_url,
        issuer: provider.issuer,
        client_id: provider.client_id,
        policy: provider.policy,
        trust_email: provider.trust_email,
        join_domains: provider.join_domains,
        join_role: provider.join_role,
    }
}

/// Where a browser begins to sign in.
pub(super) fn start_url(base_url: &str, provider: Uuid) -> String {
    format!("{base_url}{FLOW_PATH}/{provider}/start")
}

fn redirect_url(base_url: &str) -> String {
    format!("{base_url}{FLOW_PATH}/callback")
}

/// Where a browser goes afterwards.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartQuery {
    /// A path of this site; the first page when left out.
    return_to: Option<String>,
}

/// Sends a browser to an identity provider to sign in.
#[utoipa::path(get, path = "/api/v1/auth/oidc/{id}/start", tag = "auth", operation_id = "start_oidc", security(()),
    params(("id" = Uuid, Path, description = "The identity provider"), StartQuery), responses(
    (status = 303, description = "To the identity provider"),
    (status = 401, description = "The identity provider does not play its part", body = Problem),
    (status = 404, description = "No such identity provider", body = Problem),
    (status = 422, description = "The query is not valid", body = Problem),
    (status = 429, description = "A pause is due", body = Problem),
    (status = 503, description = "The identity provider or the database does not answer", body = Problem)
))]
pub(crate) async fn start(
    State(app): State<App>,
    Path(id): Path<String>,
    entry: Entry,
    Params(query): Params<StartQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = Uuid::try_parse(&id).map_err(|_| Problem::not_found())?;
    app.auth.throttle.attempt("oidc", entry.address, None).await?;
    let return_to = query.return_to.unwrap_or_else(|| "/".into());
    // Neither another site nor what browsers take for one.
    let is_path = return_to.starts_with('/') && !return_to.starts_with("//") && !return_to.contains(['\\', '\r', '\n']);
    if !is_path || return_to.len() > 500 {
        return Err(Problem::invalid("return_to: not a path of this site"));
    }
    let (_, provider, _) = app.node.store().identity_provider(id).await.map_err(store_problem)?;
    let base_url = app.access.base_url(&headers);
    let begun = app.auth.oidc.begin(&provider, &redirect_url(&base_url), return_to, runtime::wall_ms()).await?;
    let cookie =
        flow_cookie(&begun.1.seal(app.node.store().keyring())?, limits::IDENTITY_SIGN_IN_MS_MAX / 1000, &base_url);
    redirect(&begun.0, vec![cookie])
}

/// What an identity provider sends a browser back with (OpenID Connect Core 1.0, 3.1.2.5).
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallbackQuery {
    state: Option<String>,
    code: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Takes a browser back from an identity provider, and signs its person in.
#[utoipa::path(get, path = "/api/v1/auth/oidc/callback", tag = "auth", operation_id = "finish_oidc", security(()),
    params(CallbackQuery), responses(
    (status = 303, description = "Signed in; to where the browser came from"),
    (status = 401, description = "The sign-in was not accepted", body = Problem),
    (status = 403, description = "The business may not be reached from here", body = Problem),
    (status = 422, description = "The query is not valid", body = Problem),
    (status = 503, description = "The identity provider or the database does not answer", body = Problem)
))]
pub(crate) async fn callback(
    State(app): State<App>,
    entry: Entry,
    Params(query): Params<CallbackQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let store = app.node.store();
    let base_url = app.access.base_url(&headers);
    let state = query.state.unwrap_or_default();
    let flow = session::cookie(&headers, FLOW)
        .and_then(|cookie| oidc::Flow::open(store.keyring(), cookie, &state, runtime::wall_ms()))
        .ok_or_else(Problem::sign_in_failed)?;
    let code = match (query.code, query.error) {
        (Some(code), None) => code,
        (_, error) => {
            tracing::info!(error = error.unwrap_or_default().chars().take(60).collect::<String>(), "no sign-in there");
            return Err(Problem::sign_in_failed());
        }
    };
    let known = store.identity_provider(flow.provider).await;
    let (scope, provider, secret) = known.map_err(|_| Problem::sign_in_failed())?;
    let redirect_uri = redirect_url(&base_url);
    let identity = app.auth.oidc.finish(&provider, secret.as_ref(), &redirect_uri, &flow, &code).await?;
    let user = whose(&app, &scope, &provider, identity, entry.address_text()).await?;
    audit::tell(&Note::of(scope).details(json!({"provider": provider.id})));
    let signed_in = session::open(&app, scope, user, "identity_provider", &entry, Carry::Cookies).await?;
    let mut cookies = signed_in.cookies().0;
    cookies.push(flow_cookie("", 0, &base_url));
    redirect(&flow.return_to, cookies)
}

/// The person of the business whom an identity belongs to: linked before, of the same address, or joining now.
async fn whose(
    app: &App,
    scope: &TenantScope,
    provider: &IdentityProvider,
    identity: oidc::Identity,
    address: Option<String>,
) -> Result<UserId, Problem> {
    let store = app.node.store();
    // Who joins or is linked leaves a line of that, beside the one of the sign-in.
    let trail = |action: &str, id: UserId| {
        Trail::new(Line {
            scope: Some(*scope),
            actor: None,
            action: action.into(),
            subject: format!("users/{id}"),
            details: json!({"provider": provider.id}),
            address: address.clone(),
            at_ms: runtime::wall_ms(),
        })
    };
    let active = async |id: UserId| {
        let user = store.user(scope, id).await.map_err(store_problem)?;
        if user.active { Ok(id) } else { Err(Problem::sign_in_failed()) }
    };
    if let Some(id) = store.identity(scope, provider.id, &identity.subject).await.map_err(store_problem)? {
        return active(id).await;
    }
    // Without an address that the provider stands for, nobody is anybody.
    let email = identity.email.ok_or_else(Problem::sign_in_failed)?;
    let business = store.business(scope).await.map_err(store_problem)?;
    let known = store.account(&email, Some(&business.slug)).await.map_err(store_problem)?;
    let id = match known {
        Some(account) => active(account.user.id).await?,
        None => {
            let domain = email.rsplit('@').next().unwrap_or_default();
            if !provider.join_domains.iter().any(|one| one == domain) {
                return Err(Problem::sign_in_failed());
            }
            let name = identity.name.and_then(|name| read_name("name", &name).ok()).unwrap_or_else(|| email.clone());
            let user = NewUser {
                id: UserId::generate(),
                email: Pii::new(email),
                name: Pii::new(name),
                role: provider.join_role,
                password_hash: None,
                verified: true,
            };
            let joins = store.create_user(scope, &user, runtime::wall_ms());
            trail("join_by_identity_provider", user.id).follow(joins).await.map_err(store_problem)?;
            user.id
        }
    };
    let links = store.link_identity(scope, provider.id, &identity.subject, id);
    trail("link_identity", id).follow(links).await.map_err(store_problem)?;
    Ok(id)
}

fn flow_cookie(value: &str, secs: i64, base_url: &str) -> (header::HeaderName, HeaderValue) {
    let secure = if base_url.starts_with("https:") { "; Secure" } else { "" };
    // Lax: the browser comes back from another site, and this cookie must come with it.
    let text = format!("{FLOW}={value}; Path={FLOW_PATH}; Max-Age={secs}; HttpOnly; SameSite=Lax{secure}");
    (header::SET_COOKIE, HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("")))
}

fn redirect(to: &str, cookies: Vec<(header::HeaderName, HeaderValue)>) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(to).map_err(|_| Problem::internal())?;
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::SEE_OTHER, headers, AppendHeaders(cookies)).into_response())
}
