//! Feature flags of the business: on for a share of calls or customers.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, List, Listed, Params, Tagged, page};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use base::CallId;
use model::flags::{Flag, FlagBy, Flags, Subject};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Versioned;
use store::contract::office::ValueKind;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const DESCRIPTION_CHARS_MAX: usize = 1_000;

/// A feature flag.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlagView {
    name: String,
    #[serde(flatten)]
    flag: FlagBody,
    /// Grows with each change; the same as `ETag`.
    version: u32,
}

/// What a feature flag says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagBody {
    /// For how many of a hundred it is on.
    #[schema(minimum = 0, maximum = 100, example = 10)]
    share_percent: u8,
    /// Of a hundred what: each call draws anew, or a customer has it in all calls or in none.
    #[serde(default)]
    by: FlagByView,
    /// What it is for, for people.
    #[serde(default)]
    #[schema(max_length = 1000)]
    description: String,
}

/// What a share is a share of.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FlagByView {
    #[default]
    Call,
    Customer,
    Business,
}

impl From<FlagBody> for Flag {
    fn from(body: FlagBody) -> Self {
        let by = match body.by {
            FlagByView::Call => FlagBy::Call,
            FlagByView::Customer => FlagBy::Customer,
            FlagByView::Business => FlagBy::Business,
        };
        Self { share_percent: body.share_percent, by, description: body.description }
    }
}

fn view(name: String, known: &Versioned) -> Result<FlagView, Problem> {
    let flag: Flag = serde_json::from_str(&known.value).map_err(|_| Problem::internal())?;
    let by = match flag.by {
        FlagBy::Call => FlagByView::Call,
        FlagBy::Customer => FlagByView::Customer,
        FlagBy::Business => FlagByView::Business,
    };
    let flag = FlagBody { share_percent: flag.share_percent, by, description: flag.description };
    Ok(FlagView { name, flag, version: known.version })
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagQuery {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists feature flags of the business, in the order of their names.
#[utoipa::path(get, path = "/api/v1/flags", tag = "configuration", operation_id = "list_flags", params(FlagQuery),
    security(("bearer" = ["config:read"])), responses((status = 200, description = "One page of flags", body = List<FlagView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::ConfigRead>,
    uri: Uri,
    Params(query): Params<FlagQuery>,
) -> Result<Listed<FlagView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let rows = app.node.store().values(&caller.scope, ValueKind::Flag, query.cursor.as_deref(), wanted + 1).await;
    let (rows, next) = page::cut(rows.map_err(store_problem)?, wanted, |(name, _)| name.clone());
    let views = rows.into_iter().map(|(name, known)| view(name, &known)).collect::<Result<Vec<_>, _>>()?;
    Ok(Listed::new(views, next, uri))
}

/// Reads a feature flag.
#[utoipa::path(get, path = "/api/v1/flags/{name}", tag = "configuration", operation_id = "get_flag",
    params(("name" = String, Path, description = "The flag")), security(("bearer" = ["config:read"])), responses(
    (status = 200, description = "The flag", body = FlagView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::ConfigRead>,
    super::Name(name): super::Name,
) -> Result<Tagged<FlagView>, Problem> {
    let known = app.node.store().value(&caller.scope, ValueKind::Flag, &name).await.map_err(store_problem)?;
    Ok(Tagged { version: known.version, body: view(name, &known)? })
}

/// Sets a feature flag. `If-Match` makes sure that nobody has changed it meanwhile; without, it replaces whatever there is.
#[utoipa::path(put, path = "/api/v1/flags/{name}", tag = "configuration", operation_id = "put_flag",
    extensions(("x-if-match" = json!("optional"))),
    params(("name" = String, Path, description = "1 to 64 of a–z, 0–9, hyphen and underscore, with a letter first")),
    request_body = FlagBody, security(("bearer" = ["config:manage"])), responses(
    (status = 200, description = "The flag as it is now", body = FlagView, headers(("ETag" = String, description = "Its version"))),
    (status = 412, description = "It was changed meanwhile", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::ConfigManage>,
    super::Name(name): super::Name,
    if_match: IfMatch,
    Body(body): Body<FlagBody>,
) -> Result<Tagged<FlagView>, Problem> {
    super::check_text("description", &body.description, 0, DESCRIPTION_CHARS_MAX)?;
    let flags = Flags(BTreeMap::from([(name.clone(), Flag::from(body.clone()))]));
    flags.check().map_err(|why| Problem::invalid(why.to_string()))?;
    let text = serde_json::to_string(&Flag::from(body.clone())).map_err(|_| Problem::internal())?;
    let version = super::values::put(&app, &caller.scope, ValueKind::Flag, &name, &text, &if_match).await?;
    Ok(Tagged { version, body: FlagView { name, flag: body, version } })
}

/// Deletes a feature flag: it is off.
#[utoipa::path(delete, path = "/api/v1/flags/{name}", tag = "configuration", operation_id = "delete_flag",
    params(("name" = String, Path, description = "The flag")), security(("bearer" = ["config:manage"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::ConfigManage>,
    super::Name(name): super::Name,
) -> Result<StatusCode, Problem> {
    super::deleted(app.node.store().delete_value(&caller.scope, ValueKind::Flag, &name).await)
}

/// Whom a flag is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvaluationQuery {
    /// The call; one that is nobody's when left out.
    call: Option<Uuid>,
    /// The customer's number or address.
    customer: Option<String>,
}

/// What a flag says for somebody.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvaluationView {
    name: String,
    /// Whether it is on.
    on: bool,
}

/// Says whether a flag is on for a call or a customer: the same on every node and at every time, until its share changes.
#[utoipa::path(get, path = "/api/v1/flags/{name}/evaluation", tag = "configuration", operation_id = "evaluate_flag",
    params(("name" = String, Path, description = "The flag"), EvaluationQuery), security(("bearer" = ["config:read"])),
    responses((status = 200, description = "Whether it is on", body = EvaluationView)))]
pub(crate) async fn evaluate(
    State(app): State<App>,
    caller: Allowed<may::ConfigRead>,
    super::Name(name): super::Name,
    Params(query): Params<EvaluationQuery>,
) -> Result<Json<EvaluationView>, Problem> {
    let known = app.node.store().value(&caller.scope, ValueKind::Flag, &name).await.map_err(store_problem)?;
    let flag: Flag = serde_json::from_str(&known.value).map_err(|_| Problem::internal())?;
    let customer = query.customer.as_deref().map(super::customer_text);
    let call = CallId(query.call.unwrap_or(Uuid::nil()));
    let subject = Subject { business: caller.scope.business, call, customer: customer.as_deref() };
    let on = Flags(BTreeMap::from([(name.clone(), flag)])).is_on(&name, &subject);
    Ok(Json(EvaluationView { name, on }))
}
