//! MCP servers whose tools agents may use: where each is, and what it offers now.

use super::store_problem;
use super::tools::ToolShape;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, List, Tagged};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base::limits;
use model::tool::{McpServer, ToolSpec};
use serde::{Deserialize, Serialize};
use store::contract::office::ValueKind;
use utoipa::ToSchema;

const URL_BYTES_MAX: usize = 2_000;

/// Where an MCP server is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct McpServerBody {
    /// Its one address (streamable HTTP).
    #[schema(example = "https://tools.example.com/mcp", max_length = 2000)]
    url: String,
    /// Name of a credential of the business's tools that goes with every request.
    #[serde(default)]
    credential: Option<String>,
}

/// An MCP server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = McpServer)]
pub(crate) struct McpServerView {
    /// What tools call it.
    name: String,
    #[serde(flatten)]
    server: McpServerBody,
    /// Grows with each change; the same as `ETag`.
    version: u32,
}

/// A tool of an MCP server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = McpTool)]
pub(crate) struct McpToolView {
    /// As it can be put into an agent, or changed before.
    #[schema(value_type = ToolShape)]
    tool: ToolSpec,
    /// Arguments that were left out: lists and objects are not said in one breath.
    left_out: Vec<String>,
    /// Whether it can be used without them.
    usable: bool,
}

fn view(name: String, known: &store::Versioned) -> Result<McpServerView, Problem> {
    let server = serde_json::from_str::<McpServer>(&known.value).map_err(|_| Problem::internal())?;
    let server = McpServerBody { url: server.url, credential: server.credential };
    Ok(McpServerView { name, server, version: known.version })
}

/// Lists the MCP servers of the business.
#[utoipa::path(get, path = "/api/v1/mcp-servers", tag = "tools", operation_id = "list_mcp_servers",
    security(("bearer" = ["providers:read"])), responses((status = 200, description = "All of them", body = List<McpServerView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::ProvidersRead>,
) -> Result<Json<List<McpServerView>>, Problem> {
    let rows = app.node.store().values(&caller.scope, ValueKind::McpServer, None, limits::PAGE_ROWS_MAX).await;
    let rows = rows.map_err(store_problem)?;
    let views: Result<Vec<_>, Problem> = rows.into_iter().map(|(name, known)| view(name, &known)).collect();
    Ok(Json(List::whole(views?)))
}

/// Sets an MCP server. Tools that name it use the new address from their next call on.
#[utoipa::path(put, path = "/api/v1/mcp-servers/{name}", tag = "tools", operation_id = "put_mcp_server",
    extensions(("x-if-match" = json!("optional"))),
    params(("name" = String, Path, description = "The server: letters, digits, dots, hyphens and underscores")),
    request_body = McpServerBody, security(("bearer" = ["providers:manage"])), responses(
    (status = 200, description = "The server as it is now", body = McpServerView, headers(("ETag" = String, description = "Its version"))),
    (status = 409, description = "There are too many", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::ProvidersManage>,
    super::Name(name): super::Name,
    if_match: IfMatch,
    Body(body): Body<McpServerBody>,
) -> Result<Tagged<McpServerView>, Problem> {
    let is_web = body.url.starts_with("https://") || body.url.starts_with("http://");
    if !is_web || body.url.len() > URL_BYTES_MAX || body.url.parse::<axum::http::Uri>().is_err() {
        return Err(Problem::invalid("url: an address that begins with https:// is needed"));
    }
    if let Some(credential) = &body.credential {
        super::check_key("credential", credential)?;
    }
    let known = app.node.store().values(&caller.scope, ValueKind::McpServer, None, limits::PAGE_ROWS_MAX).await;
    let known = known.map_err(store_problem)?;
    if known.len() >= limits::PAGE_ROWS_MAX as usize && !known.iter().any(|(one, _)| *one == name) {
        return Err(Problem::conflict(format!("a business has at most {} MCP servers", limits::PAGE_ROWS_MAX)));
    }
    let server = McpServer { url: body.url.clone(), credential: body.credential.clone() };
    let text = serde_json::to_string(&server).map_err(|_| Problem::internal())?;
    let version = super::values::put(&app, &caller.scope, ValueKind::McpServer, &name, &text, &if_match).await?;
    Ok(Tagged { version, body: McpServerView { name, server: body, version } })
}

/// Deletes an MCP server. Tools that name it fail from now on.
#[utoipa::path(delete, path = "/api/v1/mcp-servers/{name}", tag = "tools", operation_id = "delete_mcp_server",
    params(("name" = String, Path, description = "The server")), security(("bearer" = ["providers:manage"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::ProvidersManage>,
    super::Name(name): super::Name,
) -> Result<StatusCode, Problem> {
    super::deleted(app.node.store().delete_value(&caller.scope, ValueKind::McpServer, &name).await)
}

/// Asks an MCP server which tools it has now, each as it can be put into an agent.
#[utoipa::path(get, path = "/api/v1/mcp-servers/{name}/tools", tag = "tools", operation_id = "list_mcp_tools",
    params(("name" = String, Path, description = "The server")), security(("bearer" = ["agents:write"])), responses(
    (status = 200, description = "Its tools", body = List<McpToolView>),
    (status = 422, description = "The server cannot be asked; `detail` says why", body = Problem)
))]
pub(crate) async fn tools(
    State(app): State<App>,
    caller: Allowed<may::AgentsWrite>,
    super::Name(name): super::Name,
) -> Result<Json<List<McpToolView>>, Problem> {
    app.node.store().value(&caller.scope, ValueKind::McpServer, &name).await.map_err(store_problem)?;
    let tools = app.node.mcp_tools(&caller.scope, &name).await;
    let tools = tools.map_err(|failure| Problem::invalid(format!("the server cannot be asked: {failure}")))?;
    let view =
        |one: runtime::mcp::McpTool| McpToolView { tool: one.spec, left_out: one.left_out, usable: one.is_usable };
    Ok(Json(List::whole(tools.into_iter().map(view).collect())))
}
