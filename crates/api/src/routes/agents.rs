//! Agents.

use super::store_problem;
use super::views::AgentList;
use crate::App;
use crate::auth::{Allowed, may};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;

/// Lists agents.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", operation_id = "list_agents", security(("bearer" = ["agents:read"])), responses(
    (status = 200, description = "The agents of the business", body = AgentList),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn list(State(app): State<App>, caller: Allowed<may::AgentsRead>) -> Result<Json<AgentList>, Problem> {
    let agents = app.node.store().agents(&caller.scope, None).await.map_err(store_problem)?;
    Ok(Json(AgentList { items: agents.into_iter().map(Into::into).collect() }))
}
