//! The businesses of the installation, for whoever runs it.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{List, Listed, Params, page};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::Uri;
use model::business::Business;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A business of the installation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BusinessRow {
    id: Uuid,
    /// Short name: the value of the header `Frontdesk-Business`.
    slug: String,
    name: String,
    time_zone: String,
}

impl From<Business> for BusinessRow {
    fn from(business: Business) -> Self {
        Self { id: business.id.0, slug: business.slug, name: business.name, time_zone: business.time_zone }
    }
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct BusinessQuery {
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists the businesses of the installation, by their short names.
#[utoipa::path(get, path = "/api/v1/businesses", tag = "operations", operation_id = "list_businesses", params(BusinessQuery),
    security(("bearer" = ["installation:manage"])), responses((status = 200, description = "One page of businesses", body = List<BusinessRow>)))]
pub(crate) async fn list(
    State(app): State<App>,
    _caller: Allowed<may::InstallationManage>,
    uri: Uri,
    Params(query): Params<BusinessQuery>,
) -> Result<Listed<BusinessRow>, Problem> {
    let rows = app.node.store().businesses(query.cursor.as_deref()).await.map_err(store_problem)?;
    let (rows, next) = page::cut(rows, base::limits::PAGE_ROWS_MAX - 1, |row| row.slug.clone());
    Ok(Listed::new(rows.into_iter().map(BusinessRow::from).collect(), next, uri))
}
