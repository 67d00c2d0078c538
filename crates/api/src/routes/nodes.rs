//! The nodes of the installation, for whoever runs it.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{List, Listed, MaybeBody};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use base::limits;
use model::node::{self, KnownNode, NodeRole, NodeState, NotOne};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a node does.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NodeRoleView {
    /// It answers the API and serves the pages.
    Api,
    /// It takes and places calls.
    Media,
    /// It does what nobody waits for.
    Worker,
}

/// How a node is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NodeStateView {
    /// It takes what its roles say.
    Live,
    /// It was asked to take no new calls, and has not said yet that it does not.
    WillDrain,
    /// It takes no new calls; its live ones go on.
    Draining,
    /// Its lease is over.
    Gone,
}

/// A node of the installation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeView {
    /// One life of one process: started again it is another node.
    id: Uuid,
    /// What people call it.
    name: String,
    /// Where other nodes reach it; empty when they do not.
    address: String,
    roles: Vec<NodeRoleView>,
    state: NodeStateView,
    /// Calls in progress.
    calls_live: u32,
    /// Calls that it takes at once as things are: as many as are configured, or as its machine holds if that is less.
    calls_max: u32,
    /// Of the program.
    version: String,
    /// Nodes of neighbouring generations work together.
    generation: u32,
    /// Unix milliseconds when it began.
    started_at_ms: i64,
    /// Unix milliseconds when it was last heard of.
    seen_at_ms: i64,
    /// Unix milliseconds when the others take it for gone, unless it is heard of until then.
    lease_ends_at_ms: i64,
    /// Whether it is the node that answers this request.
    is_this: bool,
}

fn view(known: KnownNode, app: &App) -> NodeView {
    let state = match known.state() {
        NodeState::Live => NodeStateView::Live,
        NodeState::WillDrain => NodeStateView::WillDrain,
        NodeState::Draining => NodeStateView::Draining,
        NodeState::Gone => NodeStateView::Gone,
    };
    let KnownNode { node, started_at_ms, seen_at_ms, .. } = known;
    let role = |role: &NodeRole| match role {
        NodeRole::Api => NodeRoleView::Api,
        NodeRole::Media => NodeRoleView::Media,
        NodeRole::Worker => NodeRoleView::Worker,
    };
    NodeView {
        id: node.id.0,
        is_this: app.node.node_id() == Some(node.id),
        name: node.name,
        address: node.address,
        roles: NodeRole::ALL.iter().filter(|one| node.roles.has(**one)).map(role).collect(),
        state,
        calls_live: node.calls_live,
        calls_max: node.calls_max,
        version: node.version,
        generation: node.generation,
        started_at_ms,
        seen_at_ms,
        lease_ends_at_ms: seen_at_ms.saturating_add_unsigned(limits::NODE_LEASE_MS),
    }
}

/// Lists the nodes that were heard of in the last day, the oldest first.
#[utoipa::path(get, path = "/api/v1/operations/nodes", tag = "operations", operation_id = "list_nodes",
    security(("bearer" = ["installation:manage"])), responses((status = 200, description = "The nodes", body = List<NodeView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    _caller: Allowed<may::InstallationManage>,
    uri: Uri,
) -> Result<Listed<NodeView>, Problem> {
    let nodes = app.node.store().nodes().await.map_err(store_problem)?;
    Ok(Listed::new(nodes.into_iter().map(|known| view(known, &app)).collect(), None::<Uuid>, uri))
}

/// Whether a node takes new calls.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DrainBody {
    /// `false` lets it take calls again.
    drain: bool,
}

impl Default for DrainBody {
    fn default() -> Self {
        Self { drain: true }
    }
}

/// Lets a node take no new calls, whichever node is asked: its live calls go on. The node learns it within two seconds.
#[utoipa::path(post, path = "/api/v1/operations/nodes/{node}/drain", tag = "operations", operation_id = "drain_node",
    params(("node" = String, Path, description = "Id or name of a live node")), request_body = Option<DrainBody>,
    security(("bearer" = ["installation:manage"])), responses(
    (status = 200, description = "The node as it is now", body = NodeView),
    (status = 404, description = "There is no such live node", body = Problem),
    (status = 409, description = "Several nodes have this name: say which by its id", body = Problem)
))]
pub(crate) async fn drain(
    State(app): State<App>,
    _caller: Allowed<may::InstallationManage>,
    super::Name(name): super::Name,
    MaybeBody(body): MaybeBody<DrainBody>,
) -> Result<Json<NodeView>, Problem> {
    let store = app.node.store();
    let nodes = store.nodes().await.map_err(store_problem)?;
    let mut known = node::named(&nodes, &name).cloned().map_err(|error| match error {
        NotOne::Nobody => Problem::not_found(),
        NotOne::Several(count) => Problem::conflict(format!("{count} nodes are called so: say which by its id")),
    })?;
    if !store.ask_drain(known.node.id, body.drain).await.map_err(store_problem)? {
        return Err(Problem::not_found());
    }
    known.drain_asked = body.drain;
    Ok(Json(view(known, &app)))
}
