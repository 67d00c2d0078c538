//! Sites whose pages are documents.

use super::{JobView, accepted, documents, problem};
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, List};
use crate::problem::Problem;
use crate::routes::{Id, deleted, store_problem};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::limits;
use runtime::documents::Documents;
use runtime::wall_ms;
use serde::{Deserialize, Serialize};
use store::knowledge_work::Site;
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

const URL_BYTES_MAX: usize = 2_000;
const PAGES: u32 = 100;
const DEPTH: u32 = 3;
const HOURS_MAX: u32 = 8_760;
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// A site whose pages are documents.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeSite)]
pub(crate) struct SiteView {
    id: Uuid,
    url: String,
    pages_max: u32,
    depth_max: u32,
    /// Hours between two visits; null: when somebody asks.
    every_hours: Option<u32>,
    /// Unix milliseconds of the next visit.
    next_at_ms: Option<i64>,
    /// The job of the last visit.
    last_job: Option<Uuid>,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl From<Site> for SiteView {
    fn from(site: Site) -> Self {
        Self {
            id: site.id,
            url: site.url,
            pages_max: site.pages_max,
            depth_max: site.depth_max,
            every_hours: site.every_hours,
            next_at_ms: site.next_at_ms,
            last_job: site.last_work,
            created_at_ms: site.created_at_ms,
            updated_at_ms: site.updated_at_ms,
        }
    }
}

/// A site to visit.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PutKnowledgeSite)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteBody {
    /// The page to begin with, at a public address. `robots.txt` and the site map of its host are followed.
    #[schema(max_length = 2000, example = "https://shop.example/help")]
    url: String,
    /// Pages; 100 when left out.
    #[schema(minimum = 1, maximum = 500)]
    pages_max: Option<u32>,
    /// Links from the first page; 3 when left out.
    #[schema(minimum = 0, maximum = 5)]
    depth_max: Option<u32>,
    /// Hours between two visits; only when somebody asks when left out.
    #[schema(minimum = 1, maximum = 8760)]
    every_hours: Option<u32>,
}

/// A site as it was asked for, checked.
fn checked(documents: &Documents, body: SiteBody, known: Option<Site>) -> Result<Site, Problem> {
    let mut url = Url::parse(&body.url).map_err(|error| Problem::invalid(format!("url: {error}")))?;
    url.set_fragment(None);
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(Problem::invalid("url: an address with http or https and without a password is needed"));
    }
    if url.as_str().len() > URL_BYTES_MAX {
        return Err(Problem::invalid(format!("url: at most {URL_BYTES_MAX} bytes")));
    }
    documents.check_address(url.as_str()).map_err(|why| Problem::invalid(format!("url: {why}")))?;
    let (pages_max, depth_max) = (body.pages_max.unwrap_or(PAGES), body.depth_max.unwrap_or(DEPTH));
    if !(1..=limits::CRAWL_PAGES_MAX as u32).contains(&pages_max) {
        return Err(Problem::invalid(format!("pages_max: 1 to {}", limits::CRAWL_PAGES_MAX)));
    }
    if depth_max > limits::CRAWL_DEPTH_MAX {
        return Err(Problem::invalid(format!("depth_max: 0 to {}", limits::CRAWL_DEPTH_MAX)));
    }
    if body.every_hours.is_some_and(|hours| !(1..=HOURS_MAX).contains(&hours)) {
        return Err(Problem::invalid(format!("every_hours: 1 to {HOURS_MAX}")));
    }
    let now_ms = wall_ms();
    Ok(Site {
        id: known.as_ref().map_or_else(Uuid::now_v7, |site| site.id),
        url: url.into(),
        pages_max,
        depth_max,
        every_hours: body.every_hours,
        next_at_ms: body.every_hours.map(|hours| now_ms + i64::from(hours) * HOUR_MS),
        last_work: known.as_ref().and_then(|site| site.last_work),
        created_at_ms: known.map_or(now_ms, |site| site.created_at_ms),
        updated_at_ms: now_ms,
    })
}

/// Lists sites, oldest first.
#[utoipa::path(get, path = "/api/v1/knowledge/sites", tag = "knowledge", operation_id = "list_sites",
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "All of them", body = List<SiteView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
) -> Result<Json<List<SiteView>>, Problem> {
    let sites = app.node.store().sites(&caller.scope).await.map_err(store_problem)?;
    Ok(Json(List::whole(sites.into_iter().map(Into::into).collect())))
}

/// Adds a site and visits it: its pages become documents.
#[utoipa::path(post, path = "/api/v1/knowledge/sites", tag = "knowledge", operation_id = "create_site", request_body = SiteBody,
    security(("bearer" = ["knowledge:write"])), responses(
    (status = 202, description = "It is being visited; `last_job` says how far it is", body = SiteView),
    (status = 409, description = "The business has it, or as many as it may", body = Problem)
))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Body(body): Body<SiteBody>,
) -> Result<Response, Problem> {
    let documents = documents(&app)?;
    let site = checked(documents, body, None)?;
    let store = app.node.store();
    store.add_site(&caller.scope, &site).await.map_err(store_problem)?;
    documents.visit(&caller.scope, &site).await.map_err(problem)?;
    let site = store.site(&caller.scope, site.id).await.map_err(store_problem)?;
    let location = format!("/api/v1/knowledge/sites/{}", site.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(SiteView::from(site))).into_response())
}

/// Reads a site.
#[utoipa::path(get, path = "/api/v1/knowledge/sites/{id}", tag = "knowledge", operation_id = "get_site",
    params(("id" = Uuid, Path, description = "The site")), security(("bearer" = ["knowledge:read"])), responses(
    (status = 200, description = "The site", body = SiteView)
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    Id(id): Id<Uuid>,
) -> Result<Json<SiteView>, Problem> {
    let site = app.node.store().site(&caller.scope, id).await.map_err(store_problem)?;
    Ok(Json(site.into()))
}

/// Changes a site: its address, bounds and times. It is visited at the next time.
#[utoipa::path(put, path = "/api/v1/knowledge/sites/{id}", tag = "knowledge", operation_id = "put_site",
    params(("id" = Uuid, Path, description = "The site")), request_body = SiteBody, security(("bearer" = ["knowledge:write"])), responses(
    (status = 200, description = "The site as it is now", body = SiteView),
    (status = 409, description = "The business has another site of this address", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
    Body(body): Body<SiteBody>,
) -> Result<Json<SiteView>, Problem> {
    let store = app.node.store();
    let known = store.site(&caller.scope, id).await.map_err(store_problem)?;
    let site = checked(documents(&app)?, body, Some(known))?;
    store.change_site(&caller.scope, &site).await.map_err(store_problem)?;
    Ok(Json(site.into()))
}

/// Forgets a site. The documents of its pages stay until they are deleted.
#[utoipa::path(delete, path = "/api/v1/knowledge/sites/{id}", tag = "knowledge", operation_id = "delete_site",
    params(("id" = Uuid, Path, description = "The site")), security(("bearer" = ["knowledge:write"])), responses(
    (status = 204, description = "It is forgotten")
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
) -> Result<StatusCode, Problem> {
    deleted(app.node.store().delete_site(&caller.scope, id).await)
}

/// Visits a site now. Pages whose text has changed are taken in, documents of pages that are gone are deleted.
#[utoipa::path(post, path = "/api/v1/knowledge/sites/{id}/crawl", tag = "knowledge", operation_id = "crawl_site",
    params(("id" = Uuid, Path, description = "The site")), security(("bearer" = ["knowledge:write"])), responses(
    (status = 202, description = "It is being visited; `Location` says how far it is", body = JobView),
    (status = 409, description = "It is being visited already", body = Problem)
))]
pub(crate) async fn crawl(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Id(id): Id<Uuid>,
) -> Result<Response, Problem> {
    let site = app.node.store().site(&caller.scope, id).await.map_err(store_problem)?;
    documents(&app)?.visit(&caller.scope, &site).await.map(accepted).map_err(problem)
}
