//! Callers who wait for a person of the business, and taking the next one.

use super::store_problem;
use super::supervise::name_of;
use crate::App;
use crate::auth::audit;
use crate::auth::network::ClientAddress;
use crate::auth::{Allowed, may};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::json;
use store::contract::queue::WaitingCall;
use store::people::Audited;
use utoipa::ToSchema;
use uuid::Uuid;

/// A caller who waits.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitingCaller)]
pub(crate) struct WaitingCallerView {
    /// The call.
    call: Uuid,
    /// Who had it.
    agent: Uuid,
    /// Their place, from 1.
    #[schema(minimum = 1)]
    position: u32,
    /// Unix milliseconds since when they wait.
    since_ms: i64,
    /// Why, in one word: `asked`, `flow`, `guardrails`, `brain_failed` and the like.
    #[schema(example = "asked")]
    reason: String,
    /// What they want, where that is known.
    #[schema(example = "\"I was charged twice.\"")]
    brief: Option<String>,
    /// The caller's number or address.
    customer: Option<String>,
    /// The number that they called.
    number: Option<String>,
    /// The node that has the call, where there are several.
    node: Option<Uuid>,
}

impl WaitingCallerView {
    fn new(position: u32, call: WaitingCall) -> Self {
        Self {
            call: call.call.0,
            agent: call.agent.0,
            position,
            since_ms: call.since_ms,
            reason: call.reason,
            brief: call.brief.map(base::Pii::into_inner),
            customer: call.customer.map(base::Pii::into_inner),
            number: call.number,
            node: call.node.map(|node| node.0),
        }
    }
}

/// Who waits for a person, over all nodes.
#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
pub(crate) struct QueueView {
    /// Who has waited longest comes first; at most 100.
    callers: Vec<WaitingCallerView>,
}

/// Shows the callers who wait for a person of the business, in their order.
#[utoipa::path(get, path = "/api/v1/queue", tag = "calls", operation_id = "get_queue", security(("bearer" = ["calls:control"])), responses(
    (status = 200, description = "Who waits", body = QueueView),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
) -> Result<Json<QueueView>, Problem> {
    let waiting = app.node.store().waiting(&caller.scope).await.map_err(store_problem)?;
    let callers = (1..).zip(waiting).map(|(position, call)| WaitingCallerView::new(position, call)).collect();
    Ok(Json(QueueView { callers }))
}

/// The call that was taken.
#[derive(Serialize, ToSchema)]
#[schema(as = TakenCall)]
pub(crate) struct TakenCallView {
    /// Speak to the caller over its socket (`supervise_call`).
    call: Uuid,
}

/// Takes over the call that has waited longest: two people who ask at once get two different callers.
///
/// It is as taking over that call (`take_over_call`). A caller whose call has not confirmed it within 10 s waits on for somebody else.
#[utoipa::path(post, path = "/api/v1/queue/next", tag = "calls", operation_id = "take_next_call", security(("bearer" = ["calls:control"])), responses(
    (status = 200, description = "The call is yours", body = TakenCallView),
    (status = 404, description = "Nobody waits", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn take_next(
    State(app): State<App>,
    caller: Allowed<may::CallsControl>,
    ClientAddress(address): ClientAddress,
) -> Result<Json<TakenCallView>, Problem> {
    let taken = app.node.take_next(&caller.scope, &name_of(caller.actor)).await.map_err(store_problem)?;
    let call = taken.ok_or_else(Problem::not_found)?;
    // The request's own line cannot name the call: it is not known before it is taken.
    let (subject, details) = (format!("calls/{call}"), json!({ "over": "take_next_call" }));
    let address = address.map(|address| address.to_string());
    let line = Audited {
        actor: Some(caller.actor),
        action: "take_over_call",
        subject: &subject,
        details: &details,
        address: address.as_deref(),
    };
    audit::write(&app, caller.scope, &line).await;
    Ok(Json(TakenCallView { call: call.0 }))
}
