//! How calls go out: which phone platform for which country, at what price, and why.

use super::{dialled, known_carrier, store_problem};
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{Body, IfMatch, List, Params, Tagged};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use engine::outgoing::{Reason, WayOut};
use model::outgoing::OutgoingPlan;
use runtime::OUTGOING_PLAN;
use serde::{Deserialize, Serialize};
use store::StoreError;
use store::contract::office::ValueKind;
use utoipa::{IntoParams, ToSchema};

/// Which platforms come first for numbers that begin like this.
#[derive(ToSchema)]
#[schema(as = PrefixRule)]
#[expect(dead_code, reason = "describes model::outgoing::PrefixRule")]
pub(crate) struct PrefixRuleShape {
    /// The longest one that fits counts; `+` alone fits every number.
    #[schema(example = "+49", pattern = r"^\+[0-9]{0,15}$")]
    prefix: String,
    /// Names of phone platforms, the first choice first.
    #[schema(min_items = 1, max_items = 10)]
    carriers: Vec<String>,
    /// The number that is shown, where the platform has it; left out: the one that is most like the number that is called.
    #[schema(required = false, pattern = r"^\+[0-9]{5,15}$")]
    from: Option<String>,
}

/// What a minute to numbers that begin like this costs at a platform.
#[derive(ToSchema)]
#[schema(as = OutgoingPrice)]
#[expect(dead_code, reason = "describes model::outgoing::Price")]
pub(crate) struct PriceShape {
    /// Name of the phone platform.
    carrier: String,
    /// The longest one that fits counts; `+` alone fits every number.
    #[schema(example = "+49", pattern = r"^\+[0-9]{0,15}$")]
    prefix: String,
    /// Millionths of a US dollar.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    minute_usd_micros: i64,
}

/// How calls go out.
#[derive(ToSchema)]
#[schema(as = OutgoingPlan)]
#[expect(dead_code, reason = "describes model::outgoing::OutgoingPlan")]
pub(crate) struct OutgoingPlanShape {
    /// Which platforms come first.
    #[schema(max_items = 200, required = false)]
    rules: Vec<PrefixRuleShape>,
    /// What a minute costs.
    #[schema(max_items = 200, required = false)]
    prices: Vec<PriceShape>,
}

/// How calls go out, with its version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutgoingView {
    #[schema(value_type = OutgoingPlanShape)]
    plan: OutgoingPlan,
    /// Grows with each change; the same as `ETag`. 0: nothing was ever set.
    version: u32,
}

/// Why a way out stands where it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WayReason {
    /// It refuses more calls of late than it takes, and comes after those that do not.
    Unwell,
    /// A rule for numbers like this one names it.
    Rule,
    /// Its calls do not sound well, and it comes after those whose do.
    PoorSound,
    /// By its price for a minute and the share of calls that somebody picks up.
    Cost,
    /// By the share of calls that somebody picks up: it has no price, and comes after those that have.
    Answered,
    /// Its number is like the one that is called.
    Local,
}

/// A way out for a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WayOutView {
    /// Name of the phone platform.
    carrier: String,
    /// The number that is shown.
    from: String,
    /// What a minute costs, in millionths of a US dollar.
    minute_usd_micros: Option<i64>,
    /// Of a hundred calls to numbers that begin like this one, so many were picked up in the last week; drawn towards 50
    /// while few were placed.
    answered_percent: u32,
    /// Calls behind that share.
    asked: u32,
    /// Mean estimate of how calls over it sound, 1 to 4.5, as this node measured it; null where nobody measures.
    mos: Option<f32>,
    /// Why it stands where it stands, the weightiest first.
    reasons: Vec<WayReason>,
}

impl From<WayOut> for WayOutView {
    fn from(way: WayOut) -> Self {
        let reason = |one| match one {
            Reason::Unwell => WayReason::Unwell,
            Reason::Rule => WayReason::Rule,
            Reason::PoorSound => WayReason::PoorSound,
            Reason::Cost => WayReason::Cost,
            Reason::Answered => WayReason::Answered,
            Reason::Local => WayReason::Local,
        };
        Self {
            carrier: way.carrier,
            from: way.from.expose().to_owned(),
            minute_usd_micros: way.minute_usd_micros,
            answered_percent: way.answered_percent,
            asked: way.asked,
            mos: way.mos,
            reasons: way.reasons.into_iter().map(reason).collect(),
        }
    }
}

/// Reads how calls go out.
#[utoipa::path(get, path = "/api/v1/outgoing", tag = "numbers", operation_id = "get_outgoing",
    security(("bearer" = ["numbers:read"])), responses(
    (status = 200, description = "Rules and prices", body = OutgoingView, headers(("ETag" = String, description = "Its version")))
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::NumbersRead>,
) -> Result<Tagged<OutgoingView>, Problem> {
    match app.node.store().value(&caller.scope, ValueKind::Outgoing, OUTGOING_PLAN).await {
        Ok(known) => {
            let plan = serde_json::from_str(&known.value).map_err(|_| Problem::internal())?;
            Ok(Tagged { version: known.version, body: OutgoingView { plan, version: known.version } })
        }
        Err(StoreError::NotFound(_)) => {
            Ok(Tagged { version: 0, body: OutgoingView { plan: OutgoingPlan::default(), version: 0 } })
        }
        Err(error) => Err(store_problem(error)),
    }
}

/// Sets how calls go out. It holds from the next call on.
#[utoipa::path(put, path = "/api/v1/outgoing", tag = "numbers", operation_id = "put_outgoing",
    extensions(("x-if-match" = json!("optional"))), request_body = OutgoingPlanShape,
    security(("bearer" = ["numbers:manage"])), responses(
    (status = 200, description = "Rules and prices now", body = OutgoingView, headers(("ETag" = String, description = "Its version"))),
    (status = 412, description = "It was changed meanwhile", body = Problem)
))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Allowed<may::NumbersManage>,
    if_match: IfMatch,
    Body(plan): Body<OutgoingPlan>,
) -> Result<Tagged<OutgoingView>, Problem> {
    plan.check().map_err(Problem::invalid)?;
    let named = plan.rules.iter().flat_map(|rule| &rule.carriers).chain(plan.prices.iter().map(|price| &price.carrier));
    for name in named {
        known_carrier(name)?;
    }
    let text = serde_json::to_string(&plan).map_err(|_| Problem::internal())?;
    let version = super::values::put(&app, &caller.scope, ValueKind::Outgoing, OUTGOING_PLAN, &text, &if_match).await?;
    Ok(Tagged { version, body: OutgoingView { plan, version } })
}

/// Which call.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WayQuery {
    /// Who would be called, in E.164 form; `%2B` is the plus.
    to: String,
}

/// Ranks the phone platforms that could place a call to a number, the best first, with what speaks for each. Nothing is placed.
#[utoipa::path(get, path = "/api/v1/outgoing/ways", tag = "numbers", operation_id = "list_ways_out", params(WayQuery),
    security(("bearer" = ["numbers:read"])), responses(
    (status = 200, description = "One way for each platform that is set up, can place calls and has a number of the business", body = List<WayOutView>),
    (status = 422, description = "The number is not valid", body = Problem)
))]
pub(crate) async fn ways(
    State(app): State<App>,
    caller: Allowed<may::NumbersRead>,
    Params(query): Params<WayQuery>,
) -> Result<Json<List<WayOutView>>, Problem> {
    let to = dialled(&query.to)?;
    let ways = app.node.ways_out(&caller.scope, &to, None, None).await.map_err(store_problem)?;
    Ok(Json(List::whole(ways.into_iter().map(WayOutView::from).collect())))
}
