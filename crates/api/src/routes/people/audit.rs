//! The audit log: who did what.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{List, Listed, Params, page};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::people::{AuditFilter, AuditLine};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// One line of who did what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditView {
    id: Uuid,
    /// Unix milliseconds.
    at_ms: i64,
    /// `user`, `key`, `client`, `installation` or `nobody` (before signing in).
    actor: String,
    /// Of the person, key or client.
    actor_id: Option<String>,
    /// The operation's id in the OpenAPI document, or `login_failed` and `refresh_token_reused`.
    #[schema(example = "update_user")]
    action: String,
    /// On what: `kind/id`, or the path.
    subject: String,
    /// More, without secrets.
    #[schema(value_type = Object)]
    details: Value,
    /// From which address.
    address: Option<String>,
}

impl From<AuditLine> for AuditView {
    fn from(line: AuditLine) -> Self {
        Self {
            id: line.id,
            at_ms: line.at_ms,
            actor: line.actor_kind,
            actor_id: line.actor_id,
            action: line.action,
            subject: line.subject,
            details: line.details,
            address: line.address.map(base::Pii::into_inner),
        }
    }
}

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    /// Of this person, key or client.
    actor_id: Option<String>,
    /// Of this operation.
    action: Option<String>,
    /// From this time on, in Unix milliseconds.
    from_ms: Option<i64>,
    /// Before this time.
    before_ms: Option<i64>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists who did what in the business, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "people", operation_id = "list_audit", params(AuditQuery),
    security(("bearer" = ["audit:read"])), responses(
    (status = 200, description = "One page of the log", body = List<AuditView>),
    (status = 422, description = "The query, the limit or the cursor is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::AuditRead>,
    Params(query): Params<AuditQuery>,
    uri: Uri,
) -> Result<Listed<AuditView>, Problem> {
    let (rows, after) = (page::rows(query.limit)?, page::cursor(query.cursor.as_deref())?);
    let AuditQuery { actor_id, action, from_ms, before_ms, .. } = query;
    let filter = AuditFilter { actor_id, action, from_ms, before_ms };
    let found = app.node.store().audit_lines(&caller.scope, &filter, after, rows).await.map_err(store_problem)?;
    Ok(Listed::new(found.rows.into_iter().map(Into::into).collect(), found.next, uri))
}
