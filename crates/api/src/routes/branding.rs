//! How the business looks to its own people: name, colours, logo, domain.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, Params, Tagged};
use crate::problem::Problem;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::branding::{Branding, KnownBranding, Logo, PROOF_PATH, is_domain, proof_of};
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use store::StoreError;
use utoipa::{IntoParams, ToSchema};

/// A logo, without its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogoView {
    #[schema(example = "image/png")]
    media_type: String,
    bytes: u64,
    /// Where it can be read; another address after each change.
    url: String,
}

/// How the business looks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BrandingView {
    #[serde(flatten)]
    fields: BrandingBody,
    logo: Option<LogoView>,
    /// How to show that the domain is the business's; null without one.
    domain_proof: Option<DomainProof>,
    /// Grows with each change; the same as `ETag`. 0: nothing was ever set.
    version: u32,
}

/// How to show that a domain is the business's. Until then it is not used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DomainProof {
    proven: bool,
    /// Where the file must stand.
    #[schema(example = "https://calls.brightleaf.example/.well-known/frontdesk-challenge")]
    url: String,
    /// A line of it.
    #[schema(example = "frontdesk=01990000-0000-7000-8000-000000000001")]
    content: String,
}

/// How it shall look. What is left out or null is as the product has it.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrandingBody {
    /// What stands where the product's name would.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 60)]
    name: Option<String>,
    /// Of what can be pressed.
    #[serde(default)]
    #[schema(pattern = "^#[0-9A-Fa-f]{6}$", example = "#0f766e")]
    primary_color: Option<String>,
    /// Of what is highlighted.
    #[serde(default)]
    #[schema(pattern = "^#[0-9A-Fa-f]{6}$", example = "#f59e0b")]
    accent_color: Option<String>,
    /// Under which its people reach this server; in lower case, without a port. It is used once it was shown that it is the
    /// business's (`domain_proof`).
    #[serde(default)]
    #[schema(max_length = 253, example = "calls.brightleaf.example")]
    domain: Option<String>,
}

/// What a sign-in page shows.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct PublicBranding {
    name: Option<String>,
    primary_color: Option<String>,
    accent_color: Option<String>,
    logo_url: Option<String>,
}

/// Whose page it is.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DomainQuery {
    /// The domain; the one of the request unless given.
    domain: Option<String>,
    /// Makes the address of a logo another one after each change. It means nothing else.
    #[serde(rename = "v")]
    _version: Option<String>,
}

fn logo_url(domain: Option<&str>, version: u32) -> String {
    match domain {
        Some(domain) => format!("/api/v1/public/branding/logo?domain={domain}&v={version}"),
        None => format!("/api/v1/branding/logo?v={version}"),
    }
}

fn tagged(scope: &TenantScope, known: KnownBranding) -> Tagged<BrandingView> {
    let KnownBranding { branding, logo, is_proven, version } = known;
    let url = logo_url(branding.domain.as_deref().filter(|_| is_proven), version);
    let Branding { name, primary_color, accent_color, domain } = branding;
    let logo = logo.map(|(media_type, bytes)| LogoView { media_type, bytes, url });
    let domain_proof = domain.as_deref().map(|domain| DomainProof {
        proven: is_proven,
        url: format!("https://{domain}{PROOF_PATH}"),
        content: proof_of(scope.business),
    });
    let fields = BrandingBody { name, primary_color, accent_color, domain };
    Tagged { version, body: BrandingView { fields, logo, domain_proof, version } }
}

/// Reads how the business looks.
#[utoipa::path(get, path = "/api/v1/branding", tag = "business", operation_id = "get_branding",
    security(("bearer" = ["business:read"])), responses(
    (status = 200, description = "Name, colours, domain and logo", body = BrandingView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::BusinessRead>,
) -> Result<Tagged<BrandingView>, Problem> {
    app.node.store().branding(&caller.scope).await.map(|known| tagged(&caller.scope, known)).map_err(store_problem)
}

/// Sets how the business looks. The logo stays.
#[utoipa::path(put, path = "/api/v1/branding", tag = "business", operation_id = "put_branding",
    extensions(("x-if-match" = json!("optional"))),
    request_body = BrandingBody, security(("bearer" = ["business:manage"])), responses(
    (status = 200, description = "How it looks now", body = BrandingView, headers(("ETag" = String, description = "Its version"))),
    (status = 409, description = "The domain is another business's, or this server's own", body = Problem),
    (status = 412, description = "It was changed meanwhile", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::BusinessManage>,
    if_match: IfMatch,
    Body(body): Body<BrandingBody>,
) -> Result<Tagged<BrandingView>, Problem> {
    let BrandingBody { name, primary_color, accent_color, domain } = body;
    let branding = Branding { name, primary_color, accent_color, domain };
    branding.check().map_err(Problem::invalid)?;
    let own = app.access.public_url.as_deref().and_then(|url| url.split("://").nth(1)).and_then(host);
    if branding.domain.is_some() && branding.domain == own {
        return Err(Problem::conflict("domain: everybody signs in under this one"));
    }
    let store = app.node.store();
    let now = store.branding(&caller.scope).await.map_err(store_problem)?.version;
    let expected = if_match.against(now)?;
    match store.put_branding(&caller.scope, &branding, expected).await {
        Ok(_) => store.branding(&caller.scope).await.map(|known| tagged(&caller.scope, known)).map_err(store_problem),
        Err(StoreError::Conflict(why)) if expected.is_none() || !why.contains("meanwhile") => {
            Err(Problem::conflict("domain: another business has it"))
        }
        Err(error) => Err(super::stale_or(error, now)),
    }
}

/// Has the server look whether the domain is the business's: it must hold a file that says so (`domain_proof`).
#[utoipa::path(post, path = "/api/v1/branding/domain/prove", tag = "business", operation_id = "prove_domain",
    security(("bearer" = ["business:manage"])), responses(
    (status = 200, description = "It is, and is used from now on", body = BrandingView, headers(("ETag" = String, description = "Its version"))),
    (status = 409, description = "No domain is set, another business has it, or the file is not there; the detail says which", body = Problem)
))]
pub(crate) async fn prove(
    State(app): State<App>,
    caller: Allowed<may::BusinessManage>,
) -> Result<Tagged<BrandingView>, Problem> {
    let store = app.node.store();
    let known = store.branding(&caller.scope).await.map_err(store_problem)?;
    let Some(domain) = known.branding.domain.clone() else {
        return Err(Problem::conflict("no domain is set"));
    };
    if !known.is_proven {
        app.node.look_for_proof(&caller.scope, &domain).await.map_err(Problem::conflict)?;
        store.prove_domain(&caller.scope, &domain).await.map_err(|error| match error {
            StoreError::Conflict(why) if why.contains("meanwhile") => Problem::conflict(why),
            StoreError::Conflict(_) => Problem::conflict("domain: another business has it"),
            other => store_problem(other),
        })?;
    }
    store.branding(&caller.scope).await.map(|known| tagged(&caller.scope, known)).map_err(store_problem)
}

/// What kind of image this is, by its first bytes.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    let is_webp = bytes.len() > 12 && bytes.starts_with(b"RIFF") && &bytes[8..12] == b"WEBP";
    match bytes {
        _ if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => Some("image/png"),
        _ if bytes.starts_with(b"\xff\xd8\xff") => Some("image/jpeg"),
        _ if is_webp => Some("image/webp"),
        _ => None,
    }
}

/// Sets the logo: the body is the image itself, of at most 256 KiB.
#[utoipa::path(put, path = "/api/v1/branding/logo", tag = "business", operation_id = "put_logo",
    request_body(content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"))),
    security(("bearer" = ["business:manage"])), responses(
    (status = 200, description = "How the business looks now", body = BrandingView, headers(("ETag" = String, description = "Its version"))),
    (status = 413, description = "It has more than 256 KiB", body = Problem),
    (status = 415, description = "It is no PNG, JPEG or WebP", body = Problem),
    (status = 422, description = "It is not what its media type says", body = Problem)
))]
pub(crate) async fn put_logo(
    State(app): State<App>,
    caller: Allowed<may::BusinessManage>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Tagged<BrandingView>, Problem> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !["image/png", "image/jpeg", "image/webp"].contains(&said.as_str()) {
        return Err(Problem::unsupported_media_type());
    }
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        _ => Problem::invalid("the body could not be read to its end"),
    })?;
    if kind_of(&body) != Some(said.as_str()) {
        return Err(Problem::invalid("the image is not what its media type says"));
    }
    let logo = Logo { media_type: said, bytes: body.to_vec() };
    let store = app.node.store();
    store.put_logo(&caller.scope, Some(&logo)).await.map_err(store_problem)?;
    store.branding(&caller.scope).await.map(|known| tagged(&caller.scope, known)).map_err(store_problem)
}

/// Takes the logo away.
#[utoipa::path(delete, path = "/api/v1/branding/logo", tag = "business", operation_id = "delete_logo",
    security(("bearer" = ["business:manage"])), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "There is none", body = Problem)
))]
pub(crate) async fn delete_logo(
    State(app): State<App>,
    caller: Allowed<may::BusinessManage>,
) -> Result<StatusCode, Problem> {
    let store = app.node.store();
    if store.branding(&caller.scope).await.map_err(store_problem)?.logo.is_none() {
        return Err(Problem::not_found());
    }
    store.put_logo(&caller.scope, None).await.map_err(store_problem)?;
    Ok(StatusCode::NO_CONTENT)
}

fn image(logo: Logo, cached: &'static str) -> Response {
    // Whatever the bytes are, a browser takes them for nothing but an image.
    let alone = "default-src 'none'; sandbox";
    let headers = [
        (header::CONTENT_TYPE, logo.media_type),
        (header::CACHE_CONTROL, cached.to_owned()),
        (header::CONTENT_SECURITY_POLICY, alone.to_owned()),
    ];
    (headers, logo.bytes).into_response()
}

/// Reads the logo.
#[utoipa::path(get, path = "/api/v1/branding/logo", tag = "business", operation_id = "get_logo",
    security(("bearer" = ["business:read"])), responses(
    (status = 200, description = "The image", content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"))),
    (status = 404, description = "There is none", body = Problem)
))]
pub(crate) async fn logo(State(app): State<App>, caller: Allowed<may::BusinessRead>) -> Result<Response, Problem> {
    let logo = app.node.store().logo(&caller.scope).await.map_err(store_problem)?;
    Ok(image(logo, "private, no-cache"))
}

/// The host of an authority, without its port and in lower case, when it is a domain.
fn host(authority: &str) -> Option<String> {
    let host = authority.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    is_domain(&host).then_some(host)
}

fn wanted(query: DomainQuery, headers: &HeaderMap) -> Option<String> {
    let of_request = || headers.get(header::HOST).and_then(|value| value.to_str().ok()).and_then(host);
    query.domain.as_deref().map_or_else(of_request, host)
}

/// Reads how the sign-in page of a domain looks. A domain that nobody has looks like the product.
#[utoipa::path(get, path = "/api/v1/public/branding", tag = "business", operation_id = "get_public_branding", security(()),
    params(DomainQuery), responses((status = 200, description = "What of it is public", body = PublicBranding)))]
pub(crate) async fn public(
    State(app): State<App>,
    Params(query): Params<DomainQuery>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let cached = [(header::CACHE_CONTROL, "public, max-age=60"), (header::VARY, "host")];
    let Some(domain) = wanted(query, &headers) else { return Ok((cached, Json(PublicBranding::default()))) };
    let found = app.node.store().branding_of_domain(&domain).await.map_err(store_problem)?;
    let view = found.map(|(_, known)| PublicBranding {
        name: known.branding.name,
        primary_color: known.branding.primary_color,
        accent_color: known.branding.accent_color,
        logo_url: known.logo.map(|_| logo_url(Some(&domain), known.version)),
    });
    Ok((cached, Json(view.unwrap_or_default())))
}

/// Reads the logo of a domain.
#[utoipa::path(get, path = "/api/v1/public/branding/logo", tag = "business", operation_id = "get_public_logo", security(()),
    params(DomainQuery), responses(
    (status = 200, description = "The image", content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"))),
    (status = 404, description = "There is none", body = Problem)
))]
pub(crate) async fn public_logo(
    State(app): State<App>,
    Params(query): Params<DomainQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let domain = wanted(query, &headers).ok_or_else(Problem::not_found)?;
    let store = app.node.store();
    let (scope, _) = store.branding_of_domain(&domain).await.map_err(store_problem)?.ok_or_else(Problem::not_found)?;
    let logo = store.logo(&scope).await.map_err(store_problem)?;
    Ok(image(logo, "public, max-age=3600"))
}
