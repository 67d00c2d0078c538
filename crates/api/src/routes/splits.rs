//! An agent in two versions at once.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::Body;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::flags::FlagBy;
use model::split::Split;
use serde::{Deserialize, Serialize};
use store::StoreError;
use store::contract::office::ValueKind;
use utoipa::ToSchema;

/// Of a hundred what.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SplitBy {
    /// Customers, by their number: each has the same version in all calls. Whoever hides it draws by call.
    #[default]
    Customer,
    /// Calls: each draws anew.
    Call,
}

/// A split of an agent's calls between its published version and another one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SplitView {
    /// The other version.
    version: u32,
    /// How many of a hundred get it.
    share_percent: u8,
    by: SplitBy,
    /// The version that the others get.
    published_version: u32,
    /// Unix milliseconds when it was set.
    set_at_ms: i64,
}

/// A split to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitBody {
    /// A version that was published, and is not the present one.
    #[schema(minimum = 1)]
    version: u32,
    /// How many of a hundred get it.
    #[schema(minimum = 1, maximum = 99)]
    share_percent: u8,
    #[serde(default)]
    #[schema(required = false, inline)]
    by: SplitBy,
}

fn view(split: &Split, published_version: u32) -> SplitView {
    let by = if split.by == FlagBy::Customer { SplitBy::Customer } else { SplitBy::Call };
    let Split { version, share_percent, set_at_ms, .. } = *split;
    SplitView { version, share_percent, by, published_version, set_at_ms }
}

/// Reads the split of an agent; `null` when all its calls get the published version.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/split", tag = "agents", operation_id = "get_agent_split",
    params(("agent" = String, Path, description = "Id or short name")), security(("bearer" = ["agents:read"])), responses(
    (status = 200, description = "The split, if there is one", body = Option<SplitView>),
    (status = 404, description = "No such agent", body = Problem)
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    super::Name(name): super::Name,
) -> Result<Json<Option<SplitView>>, Problem> {
    let store = app.node.store();
    let known = super::agents::find(store.as_ref(), &caller.scope, &name).await?;
    let value = match store.value(&caller.scope, ValueKind::Split, &known.draft.id.to_string()).await {
        Err(StoreError::NotFound(_)) => return Ok(Json(None)),
        value => value.map_err(store_problem)?.value,
    };
    let split: Split = serde_json::from_str(&value).map_err(|_| Problem::internal())?;
    Ok(Json(Some(view(&split, known.version))))
}

/// Gives a share of an agent's customers, or calls, another version. It holds from the next call on and stays until it is
/// taken away; the version of each call is with the call.
#[utoipa::path(put, path = "/api/v1/agents/{agent}/split", tag = "agents", operation_id = "put_agent_split",
    params(("agent" = String, Path, description = "Id or short name")), request_body = SplitBody,
    security(("bearer" = ["agents:publish"])), responses(
    (status = 200, description = "The split now", body = SplitView),
    (status = 404, description = "No such agent", body = Problem),
    (status = 422, description = "There is no such version, or all calls get it anyway", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::AgentsPublish>,
    super::Name(name): super::Name,
    Body(body): Body<SplitBody>,
) -> Result<Json<SplitView>, Problem> {
    if !(1..=99).contains(&body.share_percent) {
        return Err(Problem::invalid("share_percent: 1 to 99 are possible"));
    }
    let store = app.node.store();
    let known = super::agents::find(store.as_ref(), &caller.scope, &name).await?;
    if body.version == known.version {
        return Err(Problem::invalid("version: this is the published one, which all calls get anyway"));
    }
    match store.agent_version(&caller.scope, known.draft.id, body.version).await {
        Ok(_) => {}
        Err(StoreError::NotFound(_)) => return Err(Problem::invalid("version: there is no such version")),
        Err(error) => return Err(store_problem(error)),
    }
    let by = match body.by {
        SplitBy::Customer => FlagBy::Customer,
        SplitBy::Call => FlagBy::Call,
    };
    let split = Split { version: body.version, share_percent: body.share_percent, by, set_at_ms: runtime::wall_ms() };
    let text = serde_json::to_string(&split).map_err(|_| Problem::internal())?;
    let id = known.draft.id.to_string();
    store.put_value(&caller.scope, ValueKind::Split, &id, &text, None).await.map_err(store_problem)?;
    Ok(Json(view(&split, known.version)))
}

/// Gives all calls of an agent the published version again.
#[utoipa::path(delete, path = "/api/v1/agents/{agent}/split", tag = "agents", operation_id = "delete_agent_split",
    params(("agent" = String, Path, description = "Id or short name")), security(("bearer" = ["agents:publish"])), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "No such agent, or it has none", body = Problem)
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::AgentsPublish>,
    super::Name(name): super::Name,
) -> Result<StatusCode, Problem> {
    let store = app.node.store();
    let known = super::agents::find(store.as_ref(), &caller.scope, &name).await?;
    super::deleted(store.delete_value(&caller.scope, ValueKind::Split, &known.draft.id.to_string()).await)
}
