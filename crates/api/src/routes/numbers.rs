//! Phone numbers: which agent answers, and where calls go while nobody is there.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, List, Listed, Params, Tagged, page};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base::{AgentId, NumberId, PhoneNumber};
use carriers::protocol::Capability;
use model::business::{Number, TenantScope};
use model::hours::{Closed, Hours, HoursRoute, Overflow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::contract::lines::{LineFilter, LineRow};
use store::{Store, StoreError};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const MESSAGE_CHARS_MAX: usize = 1_000;

/// A phone number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NumberView {
    id: Uuid,
    /// The number customers dial, in E.164 form.
    number: String,
    /// Name of the phone platform that brings its calls.
    carrier: String,
    #[serde(flatten)]
    fields: NumberFields,
    /// Grows with each change; the same as `ETag`.
    version: u32,
}

/// What can be changed about a number.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberFields {
    /// Who answers.
    agent: Uuid,
    /// What people call it.
    label: Option<String>,
    /// Where its calls go while nobody is there; null: the agent always answers.
    #[schema(value_type = Option<super::shapes::HoursRouteShape>)]
    hours: Option<HoursRoute>,
    /// Where its calls go when no line is free; null: the caller gets a busy signal.
    #[schema(value_type = Option<super::shapes::OverflowShape>)]
    overflow: Option<Overflow>,
}

/// A number to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewNumber {
    /// The number customers dial, in E.164 form.
    #[schema(example = "+49405550170", pattern = r"^\+[0-9]{5,15}$")]
    number: String,
    /// Name of the phone platform that brings its calls.
    #[schema(example = "loopback")]
    carrier: String,
    /// Who answers: id or short name.
    #[schema(example = "front")]
    agent: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    label: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<super::shapes::HoursRouteShape>)]
    hours: Option<HoursRoute>,
    #[serde(default)]
    #[schema(value_type = Option<super::shapes::OverflowShape>)]
    overflow: Option<Overflow>,
}

/// A change of a number (JSON merge patch, RFC 7396): what is left out stays, null takes away.
#[derive(ToSchema)]
#[schema(as = NumberPatch)]
#[expect(dead_code, reason = "describes the body; the change itself is merged as JSON")]
pub(crate) struct NumberPatch {
    /// Id of the agent that answers.
    #[schema(required = false)]
    agent: Uuid,
    #[schema(max_length = 200)]
    label: Option<String>,
    hours: Option<super::shapes::HoursRouteShape>,
    overflow: Option<super::shapes::OverflowShape>,
}

impl From<LineRow> for NumberView {
    fn from(line: LineRow) -> Self {
        Self {
            id: line.number.id.0,
            number: line.number.number.expose().to_owned(),
            carrier: line.number.carrier.clone(),
            version: line.version,
            fields: fields(line),
        }
    }
}

fn fields(line: LineRow) -> NumberFields {
    NumberFields { agent: line.number.agent.0, label: line.label, hours: line.hours, overflow: line.overflow }
}

fn tagged(line: LineRow) -> Tagged<NumberView> {
    Tagged { version: line.version, body: line.into() }
}

/// Which numbers.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberQuery {
    /// Numbers that lead to this agent.
    agent: Option<Uuid>,
    /// Numbers of this phone platform.
    carrier: Option<String>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists numbers, in order.
#[utoipa::path(get, path = "/api/v1/numbers", tag = "numbers", operation_id = "list_numbers", params(NumberQuery),
    security(("bearer" = ["numbers:read"])), responses((status = 200, description = "One page of numbers", body = List<NumberView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::NumbersRead>,
    uri: Uri,
    Params(query): Params<NumberQuery>,
) -> Result<Listed<NumberView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let filter = LineFilter { agent: query.agent.map(AgentId), carrier: query.carrier.as_deref() };
    let lines = app.node.store().lines(&caller.scope, filter, query.cursor.as_deref(), wanted + 1).await;
    let (rows, next) = page::cut(lines.map_err(store_problem)?, wanted, |line| line.number.number.expose().to_owned());
    Ok(Listed::new(rows.into_iter().map(NumberView::from).collect(), next, uri))
}

/// Adds a number.
#[utoipa::path(post, path = "/api/v1/numbers", tag = "numbers", operation_id = "create_number", request_body = NewNumber,
    security(("bearer" = ["numbers:manage"])), responses(
    (status = 201, description = "The number", body = NumberView, headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Its version")))
))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Allowed<may::NumbersManage>,
    Body(new): Body<NewNumber>,
) -> Result<Response, Problem> {
    let store = app.node.store();
    let number: PhoneNumber = new.number.parse().map_err(|why| Problem::invalid(format!("number: {why}")))?;
    super::known_carrier(&new.carrier)?;
    let agent = super::agents::find(store.as_ref(), &caller.scope, &new.agent).await;
    let agent = agent.map_err(|problem| named("agent", problem))?;
    let number = Number {
        id: NumberId::generate(),
        business: caller.scope.business,
        number,
        carrier: new.carrier,
        agent: agent.draft.id,
    };
    let line = LineRow { number, label: new.label, hours: new.hours, overflow: new.overflow, version: 1 };
    check(store.as_ref(), &caller.scope, &line).await?;
    store.create_line(&caller.scope, &line).await.map_err(store_problem)?;
    let location = format!("/api/v1/numbers/{}", line.number.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], tagged(line)).into_response())
}

/// Reads a number.
#[utoipa::path(get, path = "/api/v1/numbers/{id}", tag = "numbers", operation_id = "get_number",
    params(("id" = Uuid, Path, description = "The number")), security(("bearer" = ["numbers:read"])), responses(
    (status = 200, description = "The number", body = NumberView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::NumbersRead>,
    super::Id(id): super::Id<NumberId>,
) -> Result<Tagged<NumberView>, Problem> {
    app.node.store().line(&caller.scope, id).await.map(tagged).map_err(store_problem)
}

/// Changes where a number leads and what it is called.
#[utoipa::path(patch, path = "/api/v1/numbers/{id}", tag = "numbers", operation_id = "update_number",
    extensions(("x-if-match" = json!(true))), params(("id" = Uuid, Path, description = "The number")),
    request_body = NumberPatch, security(("bearer" = ["numbers:manage"])), responses(
    (status = 200, description = "The number as it is now", body = NumberView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Allowed<may::NumbersManage>,
    super::Id(id): super::Id<NumberId>,
    if_match: IfMatch,
    Body(patch): Body<Value>,
) -> Result<Tagged<NumberView>, Problem> {
    let store = app.node.store();
    let known = store.line(&caller.scope, id).await.map_err(store_problem)?;
    let expected = if_match.required(known.version)?;
    let changed: NumberFields = super::merged(&fields(known.clone()), &patch)?;
    let number = Number { agent: AgentId(changed.agent), ..known.number };
    let NumberFields { label, hours, overflow, .. } = changed;
    let mut line = LineRow { number, label, hours, overflow, version: known.version };
    check(store.as_ref(), &caller.scope, &line).await?;
    let written = store.update_line(&caller.scope, &line, expected).await;
    line.version = written.map_err(|error| super::stale_or(error, known.version))?;
    Ok(tagged(line))
}

/// Deletes a number. Calls to it find nobody from now on.
#[utoipa::path(delete, path = "/api/v1/numbers/{id}", tag = "numbers", operation_id = "delete_number",
    extensions(("x-if-match" = json!("optional"))),
    params(("id" = Uuid, Path, description = "The number")), security(("bearer" = ["numbers:manage"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::NumbersManage>,
    super::Id(id): super::Id<NumberId>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let store = app.node.store();
    let known = store.line(&caller.scope, id).await.map_err(store_problem)?;
    let expected = if_match.against(known.version)?;
    super::deleted_at(store.delete_line(&caller.scope, id, expected).await, known.version)
}

/// Who is named must be the business's own.
async fn check(store: &dyn Store, scope: &TenantScope, line: &LineRow) -> Result<(), Problem> {
    if let Some(label) = &line.label {
        super::check_text("label", label, 0, 200)?;
    }
    known_agent(store, scope, line.number.agent, "agent").await?;
    match &line.overflow {
        Some(Overflow::Message { text }) => super::check_text("overflow.text", text, 1, MESSAGE_CHARS_MAX)?,
        Some(Overflow::Forward { to }) => can_forward(line, to, "overflow.to")?,
        None => {}
    }
    let Some(route) = &line.hours else { return Ok(()) };
    let hours = route.hours.as_ref().map_or(Ok(()), Hours::check);
    hours.map_err(|why| Problem::invalid(format!("hours.hours: {why}")))?;
    if let Some(zone) = &route.time_zone {
        super::check_zone("hours.time_zone", zone)?;
    }
    match &route.closed {
        Closed::Agent { agent } => known_agent(store, scope, *agent, "hours.closed.agent").await,
        Closed::Message { text } => super::check_text("hours.closed.text", text, 1, MESSAGE_CHARS_MAX),
        Closed::Forward { to } => can_forward(line, to, "hours.closed.to"),
    }
}

/// A call that is forwarded to where it came from would never end.
fn can_forward(line: &LineRow, to: &PhoneNumber, field: &str) -> Result<(), Problem> {
    if *to == line.number.number {
        return Err(Problem::invalid(format!("{field}: this is the number itself")));
    }
    super::can(&line.number.carrier, Capability::TransferCold)
}

async fn known_agent(store: &dyn Store, scope: &TenantScope, id: AgentId, field: &str) -> Result<(), Problem> {
    match store.drafted(scope, id).await {
        Ok(agent) if agent.status != model::agent::AgentStatus::Archived => Ok(()),
        Ok(_) | Err(StoreError::NotFound(_)) => Err(Problem::invalid(format!("{field}: there is no such agent"))),
        Err(error) => Err(store_problem(error)),
    }
}

/// A thing that a body names and that is not there is a mistake in the body.
fn named(field: &str, problem: Problem) -> Problem {
    if problem.status == StatusCode::NOT_FOUND.as_u16() {
        return Problem::invalid(format!("{field}: there is no such thing"));
    }
    problem
}
