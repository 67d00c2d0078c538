//! Published versions of agents: read, compare, go back.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, List, Listed, Params, page, rate};
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use model::agent::Agent;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::contract::drafts::{AgentVersion, Publication};
use utoipa::{IntoParams, ToSchema};

/// A published version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionView {
    /// From 1.
    version: u32,
    /// What the publisher said about it.
    note: Option<String>,
    /// Who published it: `user:ID`, `key:ID`, `client:ID` or `installation`.
    published_by: Option<String>,
    /// Unix milliseconds; 0 when it is not known.
    published_at_ms: i64,
}

impl From<&AgentVersion> for VersionView {
    fn from(one: &AgentVersion) -> Self {
        Self {
            version: one.version,
            note: one.note.clone(),
            published_by: one.published_by.clone(),
            published_at_ms: one.published_at_ms,
        }
    }
}

/// A published version with all that was set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionDetail {
    #[serde(flatten)]
    version: VersionView,
    #[schema(value_type = Object)]
    config: Value,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionQuery {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists an agent's published versions, newest first.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/versions", tag = "agents", operation_id = "list_agent_versions",
    params(("agent" = String, Path, description = "Id or short name"), VersionQuery), security(("bearer" = ["agents:read"])),
    responses((status = 200, description = "One page of versions", body = List<VersionView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    super::Name(name): super::Name,
    uri: Uri,
    Params(query): Params<VersionQuery>,
) -> Result<Listed<VersionView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let below = page::cursor::<u32>(query.cursor.as_deref())?;
    let store = app.node.store();
    let agent = super::agents::find(store.as_ref(), &caller.scope, &name).await?.draft.id;
    let versions = store.agent_versions(&caller.scope, agent, below, wanted + 1).await.map_err(store_problem)?;
    let (rows, next) = page::cut(versions, wanted, |one| one.version);
    Ok(Listed::new(rows.iter().map(VersionView::from).collect(), next, uri))
}

async fn read(app: &App, caller: &Allowed<may::AgentsRead>, name: &str, version: u32) -> Result<AgentVersion, Problem> {
    let store = app.node.store();
    let agent = super::agents::find(store.as_ref(), &caller.scope, name).await?.draft.id;
    store.agent_version(&caller.scope, agent, version).await.map_err(store_problem)
}

/// Reads a published version.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/versions/{version}", tag = "agents", operation_id = "get_agent_version",
    params(("agent" = String, Path, description = "Id or short name"), ("version" = u32, Path, description = "Which version", minimum = 1)),
    security(("bearer" = ["agents:read"])), responses((status = 200, description = "The version", body = VersionDetail)))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<VersionDetail>, Problem> {
    let version = version.parse().map_err(|_| Problem::not_found())?;
    let one = read(&app, &caller, &super::sane(name)?, version).await?;
    Ok(Json(VersionDetail { version: (&one).into(), config: super::agents::config_of(&one.agent)? }))
}

/// With what a version is compared.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffQuery {
    /// A version; the draft when left out.
    #[param(minimum = 1)]
    to: Option<u32>,
}

/// What differs between two states of an agent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiffView {
    /// The version that is compared.
    from: u32,
    /// The version it is compared with; null: the draft.
    to: Option<u32>,
    /// The steps from the one to the other (JSON patch, RFC 6902).
    #[schema(value_type = Vec<Object>)]
    patch: Value,
}

/// Compares a published version with another one or with the draft.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/versions/{version}/diff", tag = "agents", operation_id = "diff_agent_version",
    params(("agent" = String, Path, description = "Id or short name"), ("version" = u32, Path, description = "Which version", minimum = 1), DiffQuery),
    security(("bearer" = ["agents:read"])), responses((status = 200, description = "What differs", body = DiffView)))]
pub(crate) async fn diff(
    State(app): State<App>,
    caller: Allowed<may::AgentsRead>,
    Path((name, version)): Path<(String, String)>,
    Params(query): Params<DiffQuery>,
) -> Result<Json<DiffView>, Problem> {
    let version = version.parse().map_err(|_| Problem::not_found())?;
    let name = super::sane(name)?;
    let from = read(&app, &caller, &name, version).await?.agent;
    let to: Agent = match query.to {
        Some(other) => read(&app, &caller, &name, other).await?.agent,
        None => super::agents::find(app.node.store().as_ref(), &caller.scope, &name).await?.draft,
    };
    let patch = json_patch::diff(&super::agents::config_of(&from)?, &super::agents::config_of(&to)?);
    let patch = serde_json::to_value(patch).map_err(|_| Problem::internal())?;
    Ok(Json(DiffView { from: version, to: query.to, patch }))
}

/// Where to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackBody {
    /// A published version.
    #[schema(minimum = 1)]
    version: u32,
    /// For whoever reads the list of versions.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// Publishes an old version anew; the draft becomes the same.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/rollback", tag = "agents", operation_id = "roll_back_agent",
    extensions(("x-if-match" = json!("optional"))),
    params(("agent" = String, Path, description = "Id or short name")), request_body = RollbackBody,
    security(("bearer" = ["agents:publish"])), responses(
    (status = 200, description = "The agent as it is now", body = super::agents::AgentView),
    (status = 409, description = "It is archived", body = Problem)
))]
pub(crate) async fn roll_back(
    State(app): State<App>,
    caller: Allowed<may::AgentsPublish>,
    super::Name(name): super::Name,
    if_match: IfMatch,
    Body(body): Body<RollbackBody>,
) -> Result<Json<super::agents::AgentView>, Problem> {
    if let Some(note) = &body.note {
        super::check_text("note", note, 0, 1_000)?;
    }
    let store = app.node.store();
    let known = super::agents::find(store.as_ref(), &caller.scope, &name).await?;
    let expected = if_match.against(known.revision)?;
    let by = rate::actor_name(caller.actor);
    let publication = Publication { note: body.note.as_deref(), by: &by, at_ms: runtime::wall_ms() };
    let done = store.roll_back(&caller.scope, known.draft.id, body.version, expected, publication).await;
    done.map(|agent| Json(super::agents::view(&agent))).map_err(store_problem)
}
