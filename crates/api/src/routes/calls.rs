//! Calls.

use super::views::{CallDetail, CallList, PlaceCall, PlacedCall};
use super::{not_read, store_problem};
use crate::App;
use crate::auth::{Allowed, may};
use crate::problem::Problem;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use base::{CallId, PhoneNumber, limits};
use engine::io::{DeskInput, Input};
use futures_util::Stream;
use model::plan::OverPlan;
use runtime::{DialError, DialRequest, RefuseReason};
use serde::Deserialize;
use std::convert::Infallible;
use store::CallFilter;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists calls, newest first.
#[utoipa::path(get, path = "/api/v1/calls", tag = "calls", operation_id = "list_calls", security(("bearer" = ["calls:read"])), params(PageQuery), responses(
    (status = 200, description = "One page of calls", body = CallList),
    (status = 422, description = "The query, the limit or the cursor is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<CallList>, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let limit = query.limit.unwrap_or(20);
    if !(1..=limits::PAGE_ROWS_MAX).contains(&limit) {
        return Err(Problem::invalid("limit must be between 1 and 100"));
    }
    let after = query.cursor.map(|cursor| cursor.parse()).transpose().map_err(store_problem)?;
    let filter = CallFilter::default();
    let page = app.node.store().calls(&caller.scope, &filter, after, limit).await.map_err(store_problem)?;
    Ok(Json(CallList {
        items: page.rows.into_iter().map(Into::into).collect(),
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// Reads a call and its journal.
#[utoipa::path(get, path = "/api/v1/calls/{id}", tag = "calls", operation_id = "get_call", security(("bearer" = ["calls:read"])),
    params(("id" = uuid::Uuid, Path, description = "The call")), responses(
    (status = 200, description = "The call and what happened in it", body = CallDetail),
    (status = 404, description = "No such call", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    CallPath(id): CallPath,
) -> Result<Json<CallDetail>, Problem> {
    let store = app.node.store();
    let call = store.call(&caller.scope, id).await.map_err(store_problem)?;
    let journal = store.journal(&caller.scope, id).await.map_err(store_problem)?;
    let costs = store.costs(&caller.scope, id).await.map_err(store_problem)?;
    let reading = runtime::reading::of_call(store.as_ref(), &caller.scope, id).await.map_err(store_problem)?;
    let live = app.node.watch(&caller.scope, id).is_some();
    let costs = costs.into_iter().map(Into::into).collect();
    Ok(Json(CallDetail { call: call.into(), live, costs, reading, journal }))
}

/// Places a call.
#[utoipa::path(post, path = "/api/v1/calls", tag = "calls", operation_id = "place_call", security(("bearer" = ["calls:place"])), request_body = PlaceCall, responses(
    (status = 202, description = "The phone platform was asked; follow the call by its id", body = PlacedCall),
    (status = 402, description = "The plan of the business allows no more calls", body = Problem),
    (status = 404, description = "No such agent", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "A number, the agent or the carrier is not valid", body = Problem),
    (status = 502, description = "The phone platform refused", body = Problem),
    (status = 503, description = "All lines are taken, or the database does not answer", body = Problem)
))]
pub(crate) async fn place(
    State(app): State<App>,
    caller: Allowed<may::CallsPlace>,
    headers: HeaderMap,
    body: Result<Json<PlaceCall>, JsonRejection>,
) -> Result<(StatusCode, Json<PlacedCall>), Problem> {
    let Json(place) = body.map_err(not_read)?;
    let to: PhoneNumber = place.to.parse().map_err(|error| Problem::invalid(format!("to: {error}")))?;
    let from: PhoneNumber = place.from.parse().map_err(|error| Problem::invalid(format!("from: {error}")))?;
    let store = app.node.store();
    let agent = store.agent_by_slug(&caller.scope, &place.agent).await.map_err(store_problem)?.agent.id;
    let numbers = store.numbers(&caller.scope, None).await.map_err(store_problem)?;
    let ours = numbers.into_iter().find(|number| number.number == from);
    let ours = ours.ok_or_else(|| Problem::invalid("from: this is not a number of the business"))?;
    let carrier = place.carrier.unwrap_or(ours.carrier);
    let base_url = app.access.base_url(&headers);
    let placed = app.node.dial(caller.scope, DialRequest { carrier, agent, to, from, base_url }).await;
    match placed {
        Ok(id) => Ok((StatusCode::ACCEPTED, Json(PlacedCall { id: id.0 }))),
        Err(DialError::NoCarrier) => Err(Problem::invalid("carrier: not configured, or it cannot place calls")),
        Err(DialError::Refused(RefuseReason::Store(error))) => Err(store_problem(error)),
        Err(DialError::Refused(RefuseReason::Busy | RefuseReason::Draining)) => Err(Problem::busy()),
        Err(DialError::Refused(RefuseReason::OverPlan(over))) => Err(Problem::plan_limit(match over {
            OverPlan::CallsMonth => "the calls of this month are used up",
            OverPlan::CallsAtOnce => "so many calls are going on at once",
        })),
        Err(DialError::Carrier(failure)) => Err(Problem::bad_gateway(failure.to_string())),
    }
}

/// Ends a live call: the agent says goodbye and hangs up.
#[utoipa::path(post, path = "/api/v1/calls/{id}/end", tag = "calls", operation_id = "end_call", security(("bearer" = ["calls:control"])),
    params(("id" = uuid::Uuid, Path, description = "The call")), responses(
    (status = 202, description = "The call is ending"),
    (status = 404, description = "No such live call", body = Problem)
))]
pub(crate) async fn end(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
) -> Result<StatusCode, Problem> {
    let told = app.node.tell(&caller.scope, id, Input::Desk(DeskInput::End)).await;
    if told { Ok(StatusCode::ACCEPTED) } else { Err(Problem::not_found()) }
}

/// Follows a live call as server-sent events.
#[utoipa::path(get, path = "/api/v1/calls/{id}/events", tag = "calls", operation_id = "watch_call", security(("bearer" = ["calls:read"])),
    params(("id" = uuid::Uuid, Path, description = "The call")), responses(
    (status = 200, description = "Live events until the call ends, as `data:` lines of JSON", content_type = "text/event-stream"),
    (status = 404, description = "No such live call", body = Problem)
))]
pub(crate) async fn events(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    CallPath(id): CallPath,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let receiver = app.node.watch(&caller.scope, id).ok_or_else(Problem::not_found)?;
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        loop {
            match receiver.recv().await {
                Ok(event) => match Event::default().json_data(&event) {
                    Ok(event) => return Some((Ok(event), receiver)),
                    Err(_) => continue,
                },
                Err(RecvError::Lagged(_)) => continue, // The journal has what a slow watcher missed.
                Err(RecvError::Closed) => return None,
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// The call that an address names. What is not an id names nothing.
pub(super) struct CallPath(pub(super) CallId);

impl FromRequestParts<App> for CallPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}
