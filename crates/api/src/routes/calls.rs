//! Calls.

use super::store_problem;
use super::views::{CallDetail, CallStateView, CallView, DirectionView, PlaceCall, PlacedCall};
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, List, Listed, Params, page};
use crate::problem::Problem;
use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use base::{AgentId, CallId, PhoneNumber, Pii, limits};
use carriers::protocol::Capability;
use engine::io::{DeskInput, Input};
use futures_util::Stream;
use model::agent::HandoffMode;
use model::business::TenantScope;
use model::plan::OverPlan;
use runtime::cluster::peer::PeerError;
use runtime::{DialError, PlaceRequest, RefuseReason};
use serde::Deserialize;
use std::convert::Infallible;
use store::contract::lines::LineFilter;
use store::{CallFilter, Cursor, Store};
use utoipa::{IntoParams, ToSchema};

/// Which calls.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallQuery {
    /// Calls in this state.
    #[param(inline)]
    state: Option<CallStateView>,
    /// Calls of this agent, by its id.
    agent: Option<uuid::Uuid>,
    /// Calls with this version of their agent.
    #[param(value_type = Option<u64>, maximum = 4294967295u32)]
    agent_version: Option<u32>,
    /// `inbound` or `outbound`.
    #[param(inline)]
    direction: Option<DirectionView>,
    /// Calls on this number of ours, in E.164 form.
    number: Option<String>,
    /// Calls with this customer: their number or address.
    customer: Option<String>,
    /// Calls in which somebody said this. Without `from_ms`, of the last 30 days.
    #[param(min_length = 2, max_length = 100)]
    q: Option<String>,
    /// Calls that began at this time, in Unix milliseconds, or later.
    from_ms: Option<i64>,
    /// Calls that began before this time.
    to_ms: Option<i64>,
    /// `-started_at` (the newest first) or `started_at`.
    #[param(inline)]
    sort: Option<CallSort>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// In which order.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub(crate) enum CallSort {
    #[serde(rename = "started_at")]
    StartedAt,
    #[serde(rename = "-started_at")]
    StartedAtDown,
}

/// Lists calls, newest first unless told otherwise, or finds them by what was said.
#[utoipa::path(get, path = "/api/v1/calls", tag = "calls", operation_id = "list_calls", security(("bearer" = ["calls:read"])),
    params(CallQuery), responses((status = 200, description = "One page of calls", body = List<CallView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    uri: Uri,
    Params(query): Params<CallQuery>,
) -> Result<Listed<CallView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<Cursor>(query.cursor.as_deref())?;
    let since = super::conversations::search_since(query.q.as_deref(), query.to_ms)?;
    let filter = CallFilter {
        state: query.state.map(Into::into),
        agent: query.agent.map(AgentId),
        agent_version: query.agent_version,
        direction: query.direction.map(Into::into),
        number: query.number.as_deref().map(super::customer_text),
        customer: query.customer.as_deref().map(super::customer_text),
        words: query.q,
        from_ms: query.from_ms.or(since),
        to_ms: query.to_ms,
        ascending: matches!(query.sort, Some(CallSort::StartedAt)),
    };
    let found = app.node.store().calls(&caller.scope, &filter, after, wanted).await.map_err(store_problem)?;
    Ok(Listed::new(found.rows.into_iter().map(CallView::from).collect(), found.next, uri))
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
    let understood =
        runtime::documents::understood_in(store.as_ref(), &caller.scope, id).await.map_err(store_problem)?;
    // Most calls that are read are long over: nobody has to be asked about them.
    let live = call.ended_at_ms.is_none() && app.node.is_live(&caller.scope, id).await;
    let costs = costs.into_iter().map(Into::into).collect();
    let packets = super::recordings::trace(&app, &call).await.is_ok();
    Ok(Json(CallDetail { call: call.into(), live, packets, costs, reading, understood, journal }))
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
    Body(place): Body<PlaceCall>,
) -> Result<(StatusCode, Json<PlacedCall>), Problem> {
    let to: PhoneNumber = place.to.parse().map_err(|error| Problem::invalid(format!("to: {error}")))?;
    let from = place.from.map(|from| from.parse::<PhoneNumber>()).transpose();
    let from = from.map_err(|error| Problem::invalid(format!("from: {error}")))?;
    let store = app.node.store();
    let agent = store.agent_by_slug(&caller.scope, &place.agent).await.map_err(store_problem)?.agent.id;
    let mut carrier = place.carrier;
    if let Some(from) = &from {
        let ours = carrier_of(store.as_ref(), &caller.scope, from).await?;
        carrier.get_or_insert(ours);
    }
    if let Some(carrier) = &carrier {
        super::can(carrier, Capability::Place)?;
    }
    let base_url = app.access.base_url(&headers);
    let placed = app.node.place(caller.scope, PlaceRequest { agent, to, from, carrier, base_url }).await;
    match placed {
        Ok(id) => Ok((StatusCode::ACCEPTED, Json(PlacedCall { id: id.0 }))),
        Err(DialError::NoCarrier) => Err(Problem::invalid(
            "carrier: no phone platform that is set up here and has a number of the business can place this call",
        )),
        Err(DialError::OffDuty) => Err(Problem::conflict("the agent was never published, or is switched off")),
        Err(DialError::Refused(RefuseReason::Store(error))) => Err(store_problem(error)),
        Err(DialError::Refused(RefuseReason::Busy | RefuseReason::Draining)) => Err(Problem::busy()),
        Err(DialError::Refused(RefuseReason::OverPlan(over))) => Err(Problem::plan_limit(match over {
            OverPlan::CallsMonth => "the calls of this month are used up",
            OverPlan::CallsAtOnce => "so many calls are going on at once",
        })),
        Err(DialError::Carrier(failure)) => Err(Problem::bad_gateway(failure.to_string())),
    }
}

/// The platform of a number of the business.
async fn carrier_of(store: &dyn Store, scope: &TenantScope, from: &PhoneNumber) -> Result<String, Problem> {
    // Every number that begins like this one comes after what it begins with.
    let before = from.expose().get(..from.expose().len() - 1);
    let lines =
        store.lines(scope, LineFilter::default(), before, limits::PAGE_ROWS_MAX).await.map_err(store_problem)?;
    let ours = lines.into_iter().map(|line| line.number).find(|number| number.number == *from);
    ours.map(|number| number.carrier).ok_or_else(|| Problem::invalid("from: this is not a number of the business"))
}

/// Ends a live call: the agent says goodbye and hangs up.
#[utoipa::path(post, path = "/api/v1/calls/{id}/end", tag = "calls", operation_id = "end_call", security(("bearer" = ["calls:control"])),
    params(("id" = uuid::Uuid, Path, description = "The call")), responses(
    (status = 202, description = "The call is ending"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 503, description = "The node that has the call, or the database, does not answer", body = Problem)
))]
pub(crate) async fn end(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
) -> Result<StatusCode, Problem> {
    let told = app.node.tell_anywhere(&caller.scope, id, Input::Desk(DeskInput::End)).await.map_err(peer_problem)?;
    if told { Ok(StatusCode::ACCEPTED) } else { Err(Problem::not_found()) }
}

/// Whether a person is asked before a caller is connected to them.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TransferModeView {
    Cold,
    Warm,
}

impl From<TransferModeView> for HandoffMode {
    fn from(view: TransferModeView) -> Self {
        match view {
            TransferModeView::Cold => Self::Cold,
            TransferModeView::Warm => Self::Warm,
        }
    }
}

/// Where a call is handed over to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferBody {
    /// E.164 form.
    #[schema(example = "+4940555017", pattern = r"^\+[0-9]{5,15}$")]
    to: String,
    /// Whether the person is asked first; without it, as the agent does it.
    mode: Option<TransferModeView>,
    /// What a person who is asked first is told about the caller, at most 500 characters; without it, what the conversation
    /// gives.
    #[schema(example = "She has waited for a week.", max_length = 500)]
    brief: Option<String>,
}

/// Hands a live call over to a number: the agent says so, and the phone platform connects the caller.
///
/// With `warm` the person is called first and told who waits and why, while the caller stays with us. Who takes the call is
/// connected; otherwise the caller is back with the agent.
#[utoipa::path(post, path = "/api/v1/calls/{id}/transfer", tag = "calls", operation_id = "transfer_call",
    params(("id" = uuid::Uuid, Path, description = "The call")), request_body = TransferBody,
    security(("bearer" = ["calls:control"])), responses(
    (status = 202, description = "The call is being handed over; follow it by its id"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 422, description = "The number is not valid, or the phone platform cannot do this (`not_supported`)", body = Problem)
))]
pub(crate) async fn transfer(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    CallPath(id): CallPath,
    Body(body): Body<TransferBody>,
) -> Result<StatusCode, Problem> {
    let to: PhoneNumber = body.to.parse().map_err(|why| Problem::invalid(format!("to: {why}")))?;
    let is_long = |brief: &String| brief.chars().count() > limits::DESK_TEXT_CHARS_MAX;
    if body.brief.as_ref().is_some_and(is_long) {
        return Err(Problem::invalid(format!("brief: at most {} characters", limits::DESK_TEXT_CHARS_MAX)));
    }
    let mode = body.mode.map(Into::into);
    let call = app.node.store().call(&caller.scope, id).await.map_err(store_problem)?;
    if call.ended_at_ms.is_none() && app.node.is_live(&caller.scope, id).await {
        // Whoever is asked first is called by us and joined with the caller's audio; only a call that is passed on needs the
        // platform's help.
        let (needed, asked) = match mode {
            Some(HandoffMode::Warm) => (Capability::Audio, Capability::TransferWarm),
            _ => (Capability::TransferCold, Capability::TransferCold),
        };
        if !app.node.capabilities(&call.carrier).contains(&needed) {
            return Err(Problem::not_supported(super::known_carrier(&call.carrier)?, asked));
        }
    }
    let input = Input::Desk(DeskInput::Transfer { to, mode, brief: body.brief.map(Pii::new) });
    let told = app.node.tell_anywhere(&caller.scope, id, input).await.map_err(peer_problem)?;
    if told { Ok(StatusCode::ACCEPTED) } else { Err(Problem::not_found()) }
}

/// Follows a live call as server-sent events.
#[utoipa::path(get, path = "/api/v1/calls/{id}/events", tag = "calls", operation_id = "watch_call", security(("bearer" = ["calls:read"])),
    params(("id" = uuid::Uuid, Path, description = "The call")), responses(
    (status = 200, description = "Live events until the call ends, as `data:` lines of JSON", content_type = "text/event-stream"),
    (status = 404, description = "No such live call", body = Problem),
    (status = 503, description = "The node that has the call, or the database, does not answer", body = Problem)
))]
pub(crate) async fn events(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    CallPath(id): CallPath,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let events = app.node.follow(&caller.scope, id).await.map_err(peer_problem)?.ok_or_else(Problem::not_found)?;
    let stream = futures_util::stream::unfold(events, |mut events| async move {
        loop {
            if let Ok(event) = Event::default().json_data(events.next().await?) {
                return Some((Ok(event), events));
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// The node that has a call does not answer.
pub(super) fn peer_problem(error: PeerError) -> Problem {
    tracing::warn!(%error, "a call is at a node that does not answer");
    Problem::unavailable("the node that has this call does not answer")
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
