//! Webhooks: endpoints, their secrets, what was delivered, and sending it again.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::problem::Problem;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::limits;
use model::webhook::{Attempt, Delivery, DeliveryState, Endpoint, Kinds, OVERLAP_MS};
use serde::{Deserialize, Serialize};
use store::{EndpointChange, StoreError};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const DESCRIPTION_CHARS_MAX: usize = 200;
const KINDS_MAX: usize = 50;

/// A webhook endpoint. Its secret is shown when it is made and never again.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookView {
    id: Uuid,
    url: String,
    description: String,
    /// Which events; empty for all.
    kinds: Vec<String>,
    /// Whether anything is sent.
    enabled: bool,
    /// Why nothing is sent, when that was not your decision: `gone` (it answered 410) or `failing` (nothing but failures for
    /// five days).
    disabled_reason: Option<String>,
    /// Unix milliseconds since when it has answered nothing but failures.
    failing_since_ms: Option<i64>,
    /// Unix milliseconds until which messages are signed with the secret before this one, too.
    old_secret_until_ms: Option<i64>,
    created_at_ms: i64,
    /// Grows with each change; also the `ETag`.
    version: u32,
}

impl From<Endpoint> for WebhookView {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            id: endpoint.id,
            url: endpoint.url,
            description: endpoint.description,
            kinds: endpoint.kinds.0,
            enabled: endpoint.enabled,
            disabled_reason: endpoint.disabled_reason,
            failing_since_ms: endpoint.failing_since_ms,
            old_secret_until_ms: endpoint.old_secret_until_ms,
            created_at_ms: endpoint.created_at_ms,
            version: endpoint.version,
        }
    }
}

/// A webhook endpoint with its new secret.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookWithSecret)]
pub(crate) struct SecretView {
    #[serde(flatten)]
    webhook: WebhookView,
    /// Verifies messages; keep it now, it is shown this once.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: String,
}

/// All endpoints.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookList {
    items: Vec<WebhookView>,
    /// The kinds of events that there are.
    #[schema(value_type = Vec<String>)]
    kinds: Vec<&'static str>,
}

/// An endpoint to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateWebhook {
    /// Where messages go: https, at a public address.
    #[schema(max_length = 2048, example = "https://shop.example/hooks/frontdesk")]
    url: String,
    /// What you call it.
    #[serde(default)]
    #[schema(max_length = 200)]
    description: String,
    /// Which events; empty or left out for all. `call.*` stands for all that begin so.
    #[serde(default)]
    #[schema(max_items = 50)]
    kinds: Vec<String>,
}

/// A change of an endpoint; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeWebhook {
    #[schema(max_length = 2048)]
    url: Option<String>,
    #[schema(max_length = 200)]
    description: Option<String>,
    #[schema(max_items = 50)]
    kinds: Option<Vec<String>>,
    /// Whether anything is sent. Switching on begins with the events from then on; a replay sends earlier ones.
    enabled: Option<bool>,
}

/// Since when to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayWebhook {
    /// Unix milliseconds; events are kept for three days.
    #[schema(minimum = 0)]
    since_ms: i64,
}

/// How much is sent again.
#[derive(Serialize, ToSchema)]
pub(crate) struct Replayed {
    /// Deliveries that were asked for; at most 1000 at once.
    deliveries: usize,
}

/// One message to an endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryView {
    id: Uuid,
    /// The event's place; 0 of a test.
    seq: u64,
    kind: String,
    /// `webhook-id`: the same for each attempt and each replay of an event.
    message: String,
    /// `pending`, `delivered` or `failed`.
    #[schema(example = "delivered")]
    state: &'static str,
    attempts: u32,
    /// Unix milliseconds of the next attempt.
    next_at_ms: Option<i64>,
    created_at_ms: i64,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            seq: delivery.seq,
            kind: delivery.kind,
            message: delivery.message,
            state: delivery.state.name(),
            attempts: delivery.attempts,
            next_at_ms: delivery.next_at_ms,
            created_at_ms: delivery.created_at_ms,
        }
    }
}

/// One attempt at a delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptView {
    /// From 1.
    number: u32,
    at_ms: i64,
    duration_ms: u64,
    /// The HTTP status, when there was an answer.
    status: Option<u16>,
    /// The class of failure (docs/errors.md), when there was none.
    failure: Option<String>,
    /// The beginning of the answer, or why there was none.
    answer: String,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            at_ms: attempt.at_ms,
            duration_ms: attempt.duration_ms,
            status: attempt.status,
            failure: attempt.failure,
            answer: attempt.answer,
        }
    }
}

/// One message with what was sent and every attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryDetail)]
pub(crate) struct DeliveryDetail {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// What is sent, as JSON text; empty once what it told was deleted.
    body: String,
    /// The attempts, in order.
    tries: Vec<AttemptView>,
}

/// One page of deliveries, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryList {
    items: Vec<DeliveryView>,
    /// Give it as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliveryQuery {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
    /// `pending`, `delivered` or `failed`.
    #[param(inline)]
    state: Option<DeliveryStateView>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryStateView {
    Pending,
    Delivered,
    Failed,
}

impl From<DeliveryStateView> for DeliveryState {
    fn from(state: DeliveryStateView) -> Self {
        match state {
            DeliveryStateView::Pending => Self::Pending,
            DeliveryStateView::Delivered => Self::Delivered,
            DeliveryStateView::Failed => Self::Failed,
        }
    }
}

/// Lists webhook endpoints.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", operation_id = "list_webhooks", security(("bearer" = ["webhooks:read"])), responses(
    (status = 200, description = "All endpoints, oldest first", body = WebhookList),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::WebhooksRead>,
) -> Result<Json<WebhookList>, Problem> {
    let endpoints = app.node.store().endpoints(&caller.scope).await.map_err(store_problem)?;
    let items = endpoints.into_iter().map(Into::into).collect();
    Ok(Json(WebhookList { items, kinds: super::events::kind_names() }))
}

/// Creates a webhook endpoint. Its secret is in the answer and never shown again.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", operation_id = "create_webhook", security(("bearer" = ["webhooks:manage"])), request_body = CreateWebhook, responses(
    (status = 201, description = "The endpoint with its secret", body = SecretView),
    (status = 409, description = "The plan allows no more endpoints", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The address or a kind is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Allowed<may::WebhooksManage>,
    body: Result<Json<CreateWebhook>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(wanted) = body.map_err(super::not_read)?;
    let store = app.node.store();
    let endpoint = Endpoint {
        id: Uuid::now_v7(),
        url: url(&app, wanted.url)?,
        description: description(wanted.description)?,
        kinds: kinds(wanted.kinds)?,
        enabled: true,
        disabled_reason: None,
        failing_since_ms: None,
        old_secret_until_ms: None,
        created_at_ms: runtime::wall_ms(),
        version: 1,
        cursor_seq: 0,
    };
    let subscription = store.subscription(&caller.scope).await.map_err(store_problem)?;
    let plan = subscription.and_then(|subscription| model::plan::plan(&subscription.plan));
    let most = plan.and_then(|plan| plan.webhooks).unwrap_or(limits::WEBHOOKS_PER_BUSINESS_MAX);
    let secret = runtime::webhooks::sign::new_secret().map_err(|_| Problem::internal())?;
    let endpoint = store.create_endpoint(&caller.scope, &endpoint, &secret, most).await.map_err(conflict)?;
    let location = format!("/api/v1/webhooks/{}", endpoint.id);
    let tag = tag(endpoint.version);
    let view = SecretView { webhook: endpoint.into(), secret: secret.expose().clone() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location), (header::ETAG, tag)], Json(view)).into_response())
}

/// Reads a webhook endpoint.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "get_webhook", security(("bearer" = ["webhooks:read"])),
    params(("id" = Uuid, Path, description = "The endpoint")), responses(
    (status = 200, description = "The endpoint; `ETag` is its version", body = WebhookView),
    (status = 404, description = "No such endpoint", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::WebhooksRead>,
    path: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, Problem> {
    let id = one(path)?;
    app.node.store().endpoint(&caller.scope, id).await.map(tagged).map_err(store_problem)
}

/// Changes a webhook endpoint.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "change_webhook", security(("bearer" = ["webhooks:manage"])),
    params(("id" = Uuid, Path, description = "The endpoint"), ("If-Match" = Option<String>, Header, description = "The `ETag` that the change is based on")),
    request_body = ChangeWebhook, responses(
    (status = 200, description = "The endpoint after the change", body = WebhookView),
    (status = 404, description = "No such endpoint", body = Problem),
    (status = 412, description = "It was changed meanwhile", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The address or a kind is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn change(
    State(app): State<App>,
    caller: Allowed<may::WebhooksManage>,
    path: Result<Path<Uuid>, PathRejection>,
    headers: HeaderMap,
    body: Result<Json<ChangeWebhook>, JsonRejection>,
) -> Result<Response, Problem> {
    let id = one(path)?;
    let Json(wanted) = body.map_err(super::not_read)?;
    let change = EndpointChange {
        url: wanted.url.map(|text| url(&app, text)).transpose()?,
        description: wanted.description.map(description).transpose()?,
        kinds: wanted.kinds.map(kinds).transpose()?,
        enabled: wanted.enabled,
    };
    let store = app.node.store();
    let now = store.endpoint(&caller.scope, id).await.map_err(store_problem)?.version;
    let expected = match headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default()) {
        None | Some("*") => None,
        Some(given) if given.split(',').any(|one| one.trim() == tag(now)) => Some(now),
        Some(_) => return Err(Problem::stale(now)),
    };
    match store.change_endpoint(&caller.scope, id, &change, expected).await {
        Err(StoreError::Conflict(_)) => Err(Problem::stale(now)),
        changed => changed.map(tagged).map_err(store_problem),
    }
}

/// Deletes a webhook endpoint with its deliveries.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "delete_webhook", security(("bearer" = ["webhooks:manage"])),
    params(("id" = Uuid, Path, description = "The endpoint")), responses(
    (status = 204, description = "It is deleted"),
    (status = 404, description = "No such endpoint", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::WebhooksManage>,
    path: Result<Path<Uuid>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let id = one(path)?;
    let deleted = app.node.store().delete_endpoint(&caller.scope, id).await.map_err(store_problem)?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

/// Makes a new secret. Messages are signed with the old one too for a day.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/rotate", tag = "webhooks", operation_id = "rotate_webhook_secret", security(("bearer" = ["webhooks:manage"])),
    params(("id" = Uuid, Path, description = "The endpoint")), responses(
    (status = 200, description = "The endpoint with its new secret", body = SecretView),
    (status = 404, description = "No such endpoint", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn rotate(
    State(app): State<App>,
    caller: Allowed<may::WebhooksManage>,
    path: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<SecretView>, Problem> {
    let id = one(path)?;
    let secret = runtime::webhooks::sign::new_secret().map_err(|_| Problem::internal())?;
    let until_ms = runtime::wall_ms().saturating_add(OVERLAP_MS as i64);
    let rotated = app.node.store().rotate_endpoint_secret(&caller.scope, id, &secret, until_ms).await;
    let endpoint = rotated.map_err(store_problem)?;
    Ok(Json(SecretView { webhook: endpoint.into(), secret: secret.expose().clone() }))
}

/// Sends a test message now and answers how it went.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks", operation_id = "test_webhook", security(("bearer" = ["webhooks:manage"])),
    params(("id" = Uuid, Path, description = "The endpoint")), responses(
    (status = 200, description = "The delivery with its one attempt, whether it was taken or not", body = DeliveryDetail),
    (status = 404, description = "No such endpoint", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn test(
    State(app): State<App>,
    caller: Allowed<may::WebhooksManage>,
    path: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<DeliveryDetail>, Problem> {
    let id = one(path)?;
    let (delivery, attempt) = app.live.webhooks.test(&caller.scope, id).await.map_err(store_problem)?;
    Ok(Json(detail(delivery, vec![attempt])))
}

/// Sends the events since a time again.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/replay", tag = "webhooks", operation_id = "replay_webhook", security(("bearer" = ["webhooks:manage"])),
    params(("id" = Uuid, Path, description = "The endpoint")), request_body = ReplayWebhook, responses(
    (status = 202, description = "They will be sent, each with the `webhook-id` that it had", body = Replayed),
    (status = 404, description = "No such endpoint", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "The time is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn replay(
    State(app): State<App>,
    caller: Allowed<may::WebhooksManage>,
    path: Result<Path<Uuid>, PathRejection>,
    body: Result<Json<ReplayWebhook>, JsonRejection>,
) -> Result<(StatusCode, Json<Replayed>), Problem> {
    let id = one(path)?;
    let Json(ReplayWebhook { since_ms }) = body.map_err(super::not_read)?;
    if since_ms < 0 {
        return Err(Problem::invalid("since_ms: it is Unix milliseconds, not below 0"));
    }
    let deliveries = app.live.webhooks.replay_since(&caller.scope, id, since_ms).await.map_err(store_problem)?;
    Ok((StatusCode::ACCEPTED, Json(Replayed { deliveries })))
}

/// Lists what was or is to be delivered to an endpoint, newest first. Kept for 14 days.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks", operation_id = "list_webhook_deliveries", security(("bearer" = ["webhooks:read"])),
    params(("id" = Uuid, Path, description = "The endpoint"), DeliveryQuery), responses(
    (status = 200, description = "One page of deliveries", body = DeliveryList),
    (status = 404, description = "No such endpoint", body = Problem),
    (status = 422, description = "The query, the limit or the cursor is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn deliveries(
    State(app): State<App>,
    caller: Allowed<may::WebhooksRead>,
    path: Result<Path<Uuid>, PathRejection>,
    query: Result<Query<DeliveryQuery>, QueryRejection>,
) -> Result<Json<DeliveryList>, Problem> {
    let id = one(path)?;
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let limit = query.limit.unwrap_or(20);
    if !(1..=limits::PAGE_ROWS_MAX).contains(&limit) {
        return Err(Problem::invalid("limit must be between 1 and 100"));
    }
    let after = query.cursor.map(|cursor| cursor.parse()).transpose().map_err(store_problem)?;
    let state = query.state.map(Into::into);
    let page = app.node.store().deliveries(&caller.scope, id, state, after, limit).await.map_err(store_problem)?;
    Ok(Json(DeliveryList {
        items: page.rows.into_iter().map(Into::into).collect(),
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// Reads a delivery: what is sent, and every attempt with the beginning of its answer.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries/{delivery}", tag = "webhooks", operation_id = "get_webhook_delivery", security(("bearer" = ["webhooks:read"])),
    params(("id" = Uuid, Path, description = "The endpoint"), ("delivery" = Uuid, Path, description = "The delivery")), responses(
    (status = 200, description = "The delivery", body = DeliveryDetail),
    (status = 404, description = "No such delivery", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn delivery(
    State(app): State<App>,
    caller: Allowed<may::WebhooksRead>,
    path: Result<Path<(Uuid, Uuid)>, PathRejection>,
) -> Result<Json<DeliveryDetail>, Problem> {
    let (endpoint, id) = one(path)?;
    let store = app.node.store();
    let delivery = store.delivery(&caller.scope, endpoint, id).await.map_err(store_problem)?;
    let attempts = store.attempts(&caller.scope, id).await.map_err(store_problem)?;
    Ok(Json(detail(delivery, attempts)))
}

/// Sends one message again, as a delivery of its own with the same `webhook-id`.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/{delivery}/replay", tag = "webhooks", operation_id = "replay_webhook_delivery", security(("bearer" = ["webhooks:manage"])),
    params(("id" = Uuid, Path, description = "The endpoint"), ("delivery" = Uuid, Path, description = "The delivery")), responses(
    (status = 202, description = "The new delivery", body = DeliveryView),
    (status = 404, description = "No such delivery", body = Problem),
    (status = 422, description = "What it told was deleted", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn replay_delivery(
    State(app): State<App>,
    caller: Allowed<may::WebhooksManage>,
    path: Result<Path<(Uuid, Uuid)>, PathRejection>,
) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let (endpoint, id) = one(path)?;
    let again = app.live.webhooks.replay_one(&caller.scope, endpoint, id).await.map_err(store_problem)?;
    Ok((StatusCode::ACCEPTED, Json(again.into())))
}

/// What an address names. What is no id names nothing.
fn one<T>(path: Result<Path<T>, PathRejection>) -> Result<T, Problem> {
    path.map(|Path(id)| id).map_err(|_| Problem::not_found())
}

fn conflict(error: StoreError) -> Problem {
    match error {
        StoreError::Conflict(why) => Problem::conflict(why),
        other => store_problem(other),
    }
}

fn tag(version: u32) -> String {
    format!("\"{version}\"")
}

fn tagged(endpoint: Endpoint) -> Response {
    let tag = HeaderValue::from_str(&tag(endpoint.version)).unwrap_or_else(|_| HeaderValue::from_static("\"0\""));
    ([(header::ETAG, tag)], Json(WebhookView::from(endpoint))).into_response()
}

fn detail(delivery: Delivery, attempts: Vec<Attempt>) -> DeliveryDetail {
    let body = delivery.body.clone();
    DeliveryDetail { delivery: delivery.into(), body, tries: attempts.into_iter().map(Into::into).collect() }
}

fn url(app: &App, text: String) -> Result<String, Problem> {
    let checked = plain("url", text)?;
    app.live.webhooks.check_url(&checked).map_err(|failure| Problem::invalid(format!("url: {}", failure.detail)))?;
    Ok(checked)
}

fn description(text: String) -> Result<String, Problem> {
    if text.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(Problem::invalid(format!("description: at most {DESCRIPTION_CHARS_MAX} characters")));
    }
    plain("description", text)
}

fn kinds(names: Vec<String>) -> Result<Kinds, Problem> {
    let kinds = Kinds(names);
    if kinds.0.len() > KINDS_MAX {
        return Err(Problem::invalid(format!("kinds: at most {KINDS_MAX}")));
    }
    match kinds.unknown() {
        Some(_) => Err(Problem::invalid("kinds: one of them is no kind of event; the list of webhooks names them all")),
        None => Ok(kinds),
    }
}

/// A text that a database can hold.
fn plain(what: &str, text: String) -> Result<String, Problem> {
    if text.contains('\0') { Err(Problem::invalid(format!("{what}: it holds the character U+0000"))) } else { Ok(text) }
}
