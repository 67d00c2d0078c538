//! Tickets: what is left to be done for a customer when a call is over.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, List, Listed, Params, Tagged, page};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base::{CallId, Pii, TicketId, UserId, limits};
use model::ticket::{Ticket, TicketPriority, TicketStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::contract::desk::TicketFilter;
use store::{Cursor, StoreError};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const SUBJECT_CHARS_MAX: usize = 200;

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketStatus)]
pub(crate) enum StatusView {
    #[default]
    Open,
    Pending,
    Resolved,
}

impl From<StatusView> for TicketStatus {
    fn from(status: StatusView) -> Self {
        match status {
            StatusView::Open => Self::Open,
            StatusView::Pending => Self::Pending,
            StatusView::Resolved => Self::Resolved,
        }
    }
}

impl From<TicketStatus> for StatusView {
    fn from(status: TicketStatus) -> Self {
        match status {
            TicketStatus::Open => Self::Open,
            TicketStatus::Pending => Self::Pending,
            TicketStatus::Resolved => Self::Resolved,
        }
    }
}

/// How much a ticket presses.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketPriority)]
pub(crate) enum PriorityView {
    Low,
    #[default]
    Normal,
    High,
    Urgent,
}

impl From<PriorityView> for TicketPriority {
    fn from(priority: PriorityView) -> Self {
        match priority {
            PriorityView::Low => Self::Low,
            PriorityView::Normal => Self::Normal,
            PriorityView::High => Self::High,
            PriorityView::Urgent => Self::Urgent,
        }
    }
}

impl From<TicketPriority> for PriorityView {
    fn from(priority: TicketPriority) -> Self {
        match priority {
            TicketPriority::Low => Self::Low,
            TicketPriority::Normal => Self::Normal,
            TicketPriority::High => Self::High,
            TicketPriority::Urgent => Self::Urgent,
        }
    }
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ticket)]
pub(crate) struct TicketView {
    id: Uuid,
    /// What people call it by: counts from 1 within the business.
    number: u64,
    #[serde(flatten)]
    fields: TicketFields,
    /// The call in which it was raised.
    call: Option<Uuid>,
    /// The agent that raised it.
    agent: Option<Uuid>,
    /// Unix milliseconds.
    created_at_ms: i64,
    /// Unix milliseconds of the last change.
    updated_at_ms: i64,
    /// Grows with each change; the same as `ETag`.
    version: u32,
}

/// What can be changed about a ticket.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketFields {
    /// What it is about, in a line.
    #[schema(required = true, min_length = 1, max_length = 200, example = "Call Ada back about the lamp")]
    subject: String,
    /// All of it.
    #[schema(max_length = 4000)]
    #[serde(default)]
    text: String,
    #[serde(default)]
    status: StatusView,
    #[serde(default)]
    priority: PriorityView,
    /// Number or address of the customer it is for.
    #[schema(max_length = 254, example = "+4915735550123")]
    #[serde(default)]
    customer: Option<String>,
    /// The person of the business who looks after it.
    #[serde(default)]
    assignee: Option<Uuid>,
}

/// A change of a ticket (JSON merge patch, RFC 7396): what is left out stays, null takes away.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; the change itself is merged as JSON")]
pub(crate) struct TicketPatch {
    #[schema(required = false, min_length = 1, max_length = 200)]
    subject: String,
    #[schema(required = false, max_length = 4000)]
    text: String,
    #[schema(required = false, inline)]
    status: StatusView,
    #[schema(required = false, inline)]
    priority: PriorityView,
    #[schema(max_length = 254)]
    customer: Option<String>,
    assignee: Option<Uuid>,
}

fn fields(ticket: Ticket) -> TicketFields {
    TicketFields {
        subject: ticket.subject.into_inner(),
        text: ticket.text.into_inner(),
        status: ticket.status.into(),
        priority: ticket.priority.into(),
        customer: ticket.customer.map(Pii::into_inner),
        assignee: ticket.assignee.map(|user| user.0),
    }
}

impl From<Ticket> for TicketView {
    fn from(ticket: Ticket) -> Self {
        Self {
            id: ticket.id.0,
            number: ticket.number,
            call: ticket.call.map(|call| call.0),
            agent: ticket.agent.map(|agent| agent.0),
            created_at_ms: ticket.created_at_ms,
            updated_at_ms: ticket.updated_at_ms,
            version: ticket.version,
            fields: fields(ticket),
        }
    }
}

fn tagged(ticket: Ticket) -> Tagged<TicketView> {
    Tagged { version: ticket.version, body: ticket.into() }
}

/// A ticket with these facts, which are checked.
async fn apply(app: &App, known: Ticket, given: TicketFields) -> Result<Ticket, Problem> {
    super::check_text("subject", &given.subject, 1, SUBJECT_CHARS_MAX)?;
    super::check_text("text", &given.text, 0, limits::TICKET_CHARS_MAX)?;
    if let Some(customer) = &given.customer {
        super::check_text("customer", customer, 1, 254)?;
    }
    let assignee = given.assignee.map(UserId);
    if let Some(user) = assignee.filter(|_| assignee != known.assignee) {
        let scope = model::business::TenantScope { business: known.business };
        app.node.store().user(&scope, user).await.map_err(|error| match error {
            StoreError::NotFound(_) => Problem::invalid("assignee: there is no such person in the business"),
            other => store_problem(other),
        })?;
    }
    Ok(Ticket {
        subject: Pii::new(given.subject),
        text: Pii::new(given.text),
        status: given.status.into(),
        priority: given.priority.into(),
        customer: given.customer.map(Pii::new),
        assignee,
        updated_at_ms: runtime::wall_ms(),
        ..known
    })
}

/// Which tickets.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketQuery {
    /// That stand so.
    #[param(inline)]
    status: Option<StatusView>,
    /// That press so much.
    #[param(inline)]
    priority: Option<PriorityView>,
    /// That this person looks after, by id.
    assignee: Option<Uuid>,
    /// For this customer: their number or address.
    customer: Option<String>,
    /// Raised in this call.
    call: Option<Uuid>,
    /// `-created_at` (the newest first) or `created_at`.
    #[param(inline)]
    sort: Option<TicketSort>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// In which order.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub(crate) enum TicketSort {
    #[serde(rename = "created_at")]
    CreatedAt,
    #[serde(rename = "-created_at")]
    CreatedAtDown,
}

/// Lists tickets.
#[utoipa::path(get, path = "/api/v1/tickets", tag = "tickets", operation_id = "list_tickets", params(TicketQuery),
    security(("bearer" = ["tickets:read"])), responses((status = 200, description = "One page of tickets", body = List<TicketView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::TicketsRead>,
    uri: Uri,
    Params(query): Params<TicketQuery>,
) -> Result<Listed<TicketView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let after = page::cursor::<Cursor>(query.cursor.as_deref())?;
    let filter = TicketFilter {
        status: query.status.map(Into::into),
        priority: query.priority.map(Into::into),
        assignee: query.assignee.map(UserId),
        customer: query.customer.as_deref().map(super::customer_text),
        call: query.call.map(CallId),
        ascending: matches!(query.sort, Some(TicketSort::CreatedAt)),
    };
    let rows = app.node.store().tickets(&caller.scope, &filter, after, wanted + 1).await.map_err(store_problem)?;
    let place = |row: &Ticket| Cursor { at_ms: row.created_at_ms, id: row.id.0 };
    let (rows, next) = page::cut(rows, wanted, place);
    Ok(Listed::new(rows.into_iter().map(TicketView::from).collect(), next, uri))
}

/// Raises a ticket.
#[utoipa::path(post, path = "/api/v1/tickets", tag = "tickets", operation_id = "create_ticket", request_body = TicketFields,
    security(("bearer" = ["tickets:write"])), responses(
    (status = 201, description = "It is raised", body = TicketView, headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Its version")))
))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Allowed<may::TicketsWrite>,
    Body(given): Body<TicketFields>,
) -> Result<Response, Problem> {
    let now_ms = runtime::wall_ms();
    let fresh = Ticket {
        id: TicketId::generate(),
        business: caller.scope.business,
        number: 0,
        subject: Pii::default(),
        text: Pii::default(),
        status: TicketStatus::Open,
        priority: TicketPriority::Normal,
        customer: None,
        call: None,
        agent: None,
        assignee: None,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        version: 0,
    };
    let fresh = apply(&app, fresh, given).await?;
    let made = app.node.store().create_ticket(&caller.scope, &fresh, None).await.map_err(store_problem)?;
    let location = format!("/api/v1/tickets/{}", made.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], tagged(made)).into_response())
}

/// Reads a ticket.
#[utoipa::path(get, path = "/api/v1/tickets/{id}", tag = "tickets", operation_id = "get_ticket",
    params(("id" = Uuid, Path, description = "The ticket")), security(("bearer" = ["tickets:read"])), responses(
    (status = 200, description = "The ticket", body = TicketView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::TicketsRead>,
    super::Id(id): super::Id<TicketId>,
) -> Result<Tagged<TicketView>, Problem> {
    app.node.store().ticket(&caller.scope, id).await.map(tagged).map_err(store_problem)
}

/// Changes a ticket: its words, where it stands, how much it presses, who looks after it.
#[utoipa::path(patch, path = "/api/v1/tickets/{id}", tag = "tickets", operation_id = "update_ticket",
    extensions(("x-if-match" = json!(true))), params(("id" = Uuid, Path, description = "The ticket")),
    request_body = TicketPatch, security(("bearer" = ["tickets:write"])), responses(
    (status = 200, description = "The ticket as it is now", body = TicketView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Allowed<may::TicketsWrite>,
    super::Id(id): super::Id<TicketId>,
    if_match: IfMatch,
    Body(patch): Body<Value>,
) -> Result<Tagged<TicketView>, Problem> {
    let store = app.node.store();
    let known = store.ticket(&caller.scope, id).await.map_err(store_problem)?;
    let (version, expected) = (known.version, if_match.required(known.version)?);
    let given: TicketFields = super::merged(&fields(known.clone()), &patch)?;
    let ticket = apply(&app, known, given).await?;
    store
        .update_ticket(&caller.scope, &ticket, expected)
        .await
        .map(tagged)
        .map_err(|error| if expected.is_some() { super::stale_or(error, version) } else { store_problem(error) })
}
