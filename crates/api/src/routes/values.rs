//! Settings and feature flags of a business, by name.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, List, Listed, Params, Tagged, page};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::contract::office::ValueKind;
use store::{StoreError, Versioned};
use utoipa::{IntoParams, ToSchema};

const SETTING_BYTES_MAX: usize = 8 * 1024;

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettingView {
    name: String,
    /// Any JSON.
    #[schema(value_type = Value)]
    value: Value,
    /// Grows with each change; the same as `ETag`.
    version: u32,
}

/// A setting to keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingBody {
    /// Any JSON of at most 8 KiB.
    #[schema(value_type = Value)]
    value: Value,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValueQuery {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

fn setting(name: String, known: &Versioned) -> Result<SettingView, Problem> {
    let value = serde_json::from_str(&known.value).map_err(|_| Problem::internal())?;
    Ok(SettingView { name, value, version: known.version })
}

/// Lists settings of the business, in the order of their names.
#[utoipa::path(get, path = "/api/v1/configuration", tag = "configuration", operation_id = "list_settings", params(ValueQuery),
    security(("bearer" = ["config:read"])), responses((status = 200, description = "One page of settings", body = List<SettingView>)))]
pub(crate) async fn settings(
    State(app): State<App>,
    caller: Allowed<may::ConfigRead>,
    uri: Uri,
    Params(query): Params<ValueQuery>,
) -> Result<Listed<SettingView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let kind = ValueKind::Setting;
    let rows = app.node.store().values(&caller.scope, kind, query.cursor.as_deref(), wanted + 1).await;
    let (rows, next) = page::cut(rows.map_err(store_problem)?, wanted, |(name, _)| name.clone());
    let views = rows.into_iter().map(|(name, known)| setting(name, &known)).collect::<Result<Vec<_>, _>>()?;
    Ok(Listed::new(views, next, uri))
}

/// Reads a setting.
#[utoipa::path(get, path = "/api/v1/configuration/{name}", tag = "configuration", operation_id = "get_setting",
    params(("name" = String, Path, description = "The setting")), security(("bearer" = ["config:read"])), responses(
    (status = 200, description = "The setting", body = SettingView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get_setting(
    State(app): State<App>,
    caller: Allowed<may::ConfigRead>,
    super::Name(name): super::Name,
) -> Result<Tagged<SettingView>, Problem> {
    let known = app.node.store().value(&caller.scope, ValueKind::Setting, &name).await.map_err(store_problem)?;
    Ok(Tagged { version: known.version, body: setting(name, &known)? })
}

/// Sets a setting. `If-Match` makes sure that nobody has changed it meanwhile; without, it replaces whatever there is.
#[utoipa::path(put, path = "/api/v1/configuration/{name}", tag = "configuration", operation_id = "put_setting",
    extensions(("x-if-match" = json!("optional"))),
    params(("name" = String, Path, description = "The setting: letters, digits, dots, hyphens and underscores")),
    request_body = SettingBody, security(("bearer" = ["config:manage"])), responses(
    (status = 200, description = "The setting as it is now", body = SettingView, headers(("ETag" = String, description = "Its version"))),
    (status = 412, description = "It was changed meanwhile", body = Problem)
))]
pub(crate) async fn put_setting(
    State(app): State<App>,
    caller: Allowed<may::ConfigManage>,
    super::Name(name): super::Name,
    if_match: IfMatch,
    Body(body): Body<SettingBody>,
) -> Result<Tagged<SettingView>, Problem> {
    let text = body.value.to_string();
    if text.len() > SETTING_BYTES_MAX {
        return Err(Problem::invalid(format!("value: at most {SETTING_BYTES_MAX} bytes as JSON")));
    }
    let version = put(&app, &caller.scope, ValueKind::Setting, &name, &text, &if_match).await?;
    Ok(Tagged { version, body: SettingView { name, value: body.value, version } })
}

pub(super) async fn put(
    app: &App,
    scope: &model::business::TenantScope,
    kind: ValueKind,
    name: &str,
    text: &str,
    if_match: &IfMatch,
) -> Result<u32, Problem> {
    super::check_key("name", name)?;
    let store = app.node.store();
    let now = match store.value(scope, kind, name).await {
        Ok(known) => known.version,
        Err(StoreError::NotFound(_)) => 0,
        Err(error) => return Err(store_problem(error)),
    };
    let expected = if_match.against(now)?;
    let written = store.put_value(scope, kind, name, text, expected).await;
    written.map_err(|error| super::stale_or(error, now))
}

/// Deletes a setting.
#[utoipa::path(delete, path = "/api/v1/configuration/{name}", tag = "configuration", operation_id = "delete_setting",
    params(("name" = String, Path, description = "The setting")), security(("bearer" = ["config:manage"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn delete_setting(
    State(app): State<App>,
    caller: Allowed<may::ConfigManage>,
    super::Name(name): super::Name,
) -> Result<StatusCode, Problem> {
    super::deleted(app.node.store().delete_value(&caller.scope, ValueKind::Setting, &name).await)
}
