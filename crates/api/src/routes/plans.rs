//! Plans, the subscription of the business, and what it uses.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::problem::Problem;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::plan::{GRACE_PERCENT_MAX, Plan, Subscription, SubscriptionError, Usage};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const MONTHS_MAX: u32 = 12;

/// A plan. A bound that is null is none.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanView {
    /// Short name, used to pick it.
    #[schema(example = "starter")]
    slug: String,
    name: String,
    /// US cents per month.
    month_usd_cents: u32,
    /// US cents for each call.
    call_usd_cents: u32,
    /// Answered calls in a calendar month (UTC).
    calls_month: Option<u64>,
    /// Calls at once.
    calls_at_once: Option<u32>,
    /// Requests to the API in a minute.
    requests_minute: Option<u32>,
    /// Webhook endpoints.
    webhooks: Option<u32>,
}

impl From<&Plan> for PlanView {
    fn from(plan: &Plan) -> Self {
        Self {
            slug: plan.slug.clone(),
            name: plan.name.clone(),
            month_usd_cents: plan.month_usd_cents,
            call_usd_cents: plan.call_usd_cents,
            calls_month: plan.calls_month,
            calls_at_once: plan.calls_at_once,
            requests_minute: plan.requests_minute,
            webhooks: plan.webhooks,
        }
    }
}

/// All plans.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlanList {
    items: Vec<PlanView>,
}

/// What the business has subscribed to.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(crate) struct SubscriptionView {
    /// Short name of the plan; null when the business has none, and then nothing is bounded.
    plan: Option<String>,
    /// Unix milliseconds since when.
    since_ms: Option<i64>,
    /// Answered calls in a calendar month: the plan's bound, or a lower one of your own.
    calls_month: Option<u64>,
    /// Calls beyond the bound, in percent of it, for which customers who call are still taken. Calls that you place end at
    /// the bound.
    grace_percent: u32,
}

impl From<Option<Subscription>> for SubscriptionView {
    fn from(subscription: Option<Subscription>) -> Self {
        match subscription {
            None => Self { plan: None, since_ms: None, calls_month: None, grace_percent: 0 },
            Some(one) => Self {
                plan: Some(one.plan),
                since_ms: Some(one.since_ms),
                calls_month: one.calls_month,
                grace_percent: one.grace_percent,
            },
        }
    }
}

/// What to subscribe to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutSubscription {
    /// Short name of the plan.
    #[schema(example = "professional", max_length = 64)]
    plan: String,
    /// A bound of your own, not above the plan's.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1000000000)]
    calls_month: Option<u64>,
    /// 10 when left out.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100)]
    grace_percent: Option<u32>,
}

/// What counts of one period.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct UsageView {
    /// Calls that somebody answered and that are over.
    calls: u64,
    /// Calls that nobody answered.
    calls_unanswered: u64,
    /// From answer to end, all calls together.
    talk_ms: u64,
    /// The same in minutes, the last one begun.
    minutes: u64,
    /// What providers charged, in millionths of a US dollar.
    cost_usd_micros: i64,
}

impl From<Usage> for UsageView {
    fn from(usage: Usage) -> Self {
        Self {
            calls: usage.calls,
            calls_unanswered: usage.calls_unanswered,
            talk_ms: usage.talk_ms,
            minutes: usage.talk_ms.div_ceil(60_000),
            cost_usd_micros: usage.cost_usd_micros,
        }
    }
}

/// Usage of one day.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageOfDay {
    /// Day in UTC.
    #[schema(example = "2026-11-21")]
    day: String,
    #[serde(flatten)]
    usage: UsageView,
}

/// Usage of one month.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageOfMonth {
    /// Month in UTC.
    #[schema(example = "2026-11")]
    month: String,
    #[serde(flatten)]
    usage: UsageView,
}

/// Usage of one month by day.
#[derive(Serialize, ToSchema)]
pub(crate) struct MonthByDay {
    /// Month in UTC.
    #[schema(example = "2026-11")]
    month: String,
    /// The whole month.
    total: UsageView,
    /// Answered calls that the subscription allows in a month; null for no bound.
    calls_limit: Option<u64>,
    /// Days on which something counted, in order.
    days: Vec<UsageOfDay>,
}

/// Usage of the last months.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageList {
    /// The newest first.
    items: Vec<UsageOfMonth>,
}

/// How far back.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageQuery {
    /// Months, this one among them; 1 to 12, 12 when left out.
    #[param(minimum = 1, maximum = 12)]
    months: Option<u32>,
}

/// Lists the plans.
#[utoipa::path(get, path = "/api/v1/plans", tag = "plans", operation_id = "list_plans", security(("bearer" = ["usage:read"])), responses(
    (status = 200, description = "All plans", body = PlanList)
))]
pub(crate) async fn plans(_caller: Allowed<may::UsageRead>) -> Json<PlanList> {
    Json(PlanList { items: model::plan::plans().iter().map(Into::into).collect() })
}

/// Reads what the business has subscribed to.
#[utoipa::path(get, path = "/api/v1/subscription", tag = "plans", operation_id = "get_subscription", security(("bearer" = ["usage:read"])), responses(
    (status = 200, description = "The subscription", body = SubscriptionView),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn subscription(
    State(app): State<App>,
    caller: Allowed<may::UsageRead>,
) -> Result<Json<SubscriptionView>, Problem> {
    app.node.store().subscription(&caller.scope).await.map(|one| Json(one.into())).map_err(store_problem)
}

/// Changes the plan of the business.
#[utoipa::path(put, path = "/api/v1/subscription", tag = "plans", operation_id = "put_subscription", security(("bearer" = ["plan:manage"])), request_body = PutSubscription, responses(
    (status = 200, description = "The subscription", body = SubscriptionView),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 422, description = "There is no such plan, or a bound is above the plan's", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn put_subscription(
    State(app): State<App>,
    caller: Allowed<may::PlanManage>,
    body: Result<Json<PutSubscription>, JsonRejection>,
) -> Result<Json<SubscriptionView>, Problem> {
    let Json(wanted) = body.map_err(super::not_read)?;
    let now_ms = runtime::wall_ms();
    let own = wanted.calls_month.filter(|calls| *calls <= CALLS_MAX);
    if own != wanted.calls_month {
        return Err(Problem::invalid(format!("calls_month: at most {CALLS_MAX}")));
    }
    let mut subscription = Subscription::to(&wanted.plan, now_ms, own, wanted.grace_percent).map_err(|error| {
        Problem::invalid(match error {
            SubscriptionError::NoPlan => "plan: there is no such plan; /api/v1/plans lists them".to_owned(),
            SubscriptionError::AbovePlan => "calls_month: it is above what the plan allows".to_owned(),
            SubscriptionError::Grace => format!("grace_percent: at most {GRACE_PERCENT_MAX}"),
        })
    })?;
    let store = app.node.store();
    let before = store.subscription(&caller.scope).await.map_err(store_problem)?;
    if let Some(before) = before.filter(|before| before.plan == subscription.plan) {
        subscription.since_ms = before.since_ms;
    }
    store.put_subscription(&caller.scope, &subscription, now_ms).await.map_err(store_problem)?;
    Ok(Json(Some(subscription).into()))
}

/// Shows what the business used, month by month.
#[utoipa::path(get, path = "/api/v1/usage", tag = "plans", operation_id = "list_usage", security(("bearer" = ["usage:read"])), params(UsageQuery), responses(
    (status = 200, description = "Usage of the last months, the newest first", body = UsageList),
    (status = 422, description = "The query is not valid", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn usage(
    State(app): State<App>,
    caller: Allowed<may::UsageRead>,
    query: Result<Query<UsageQuery>, QueryRejection>,
) -> Result<Json<UsageList>, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let months = query.months.unwrap_or(MONTHS_MAX);
    if !(1..=MONTHS_MAX).contains(&months) {
        return Err(Problem::invalid(format!("months must be between 1 and {MONTHS_MAX}")));
    }
    let mut first = Timestamp::now().to_zoned(TimeZone::UTC).date().first_of_month();
    let last = day_number(first.last_of_month());
    let mut firsts = vec![first];
    for _ in 1..months {
        first = first.yesterday().map_err(|_| Problem::internal())?.first_of_month();
        firsts.push(first);
    }
    let days = app.node.store().usage(&caller.scope, day_number(first), last).await.map_err(store_problem)?;
    let of_month = |first: Date| {
        let mut sum = Usage::default();
        let range = day_number(first)..=day_number(first.last_of_month());
        days.iter().filter(|one| range.contains(&one.day)).for_each(|one| sum += one.usage);
        UsageOfMonth { month: first.strftime("%Y-%m").to_string(), usage: sum.into() }
    };
    Ok(Json(UsageList { items: firsts.into_iter().map(of_month).collect() }))
}

/// Shows what the business used in one month, day by day.
#[utoipa::path(get, path = "/api/v1/usage/{month}", tag = "plans", operation_id = "get_usage", security(("bearer" = ["usage:read"])),
    params(("month" = String, Path, description = "Month in UTC, `YYYY-MM`", example = "2026-11")), responses(
    (status = 200, description = "Usage of the month", body = MonthByDay),
    (status = 404, description = "That is no month", body = Problem),
    (status = 503, description = "The database does not answer", body = Problem)
))]
pub(crate) async fn month(
    State(app): State<App>,
    caller: Allowed<may::UsageRead>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<MonthByDay>, Problem> {
    let Path(text) = path.map_err(|_| Problem::not_found())?;
    let first = Date::strptime("%Y-%m-%d", format!("{text}-01")).map_err(|_| Problem::not_found())?;
    if first.strftime("%Y-%m").to_string() != text {
        return Err(Problem::not_found());
    }
    let store = app.node.store();
    let (from, to) = (day_number(first), day_number(first.last_of_month()));
    let days = store.usage(&caller.scope, from, to).await.map_err(store_problem)?;
    let subscription = store.subscription(&caller.scope).await.map_err(store_problem)?;
    let mut total = Usage::default();
    days.iter().for_each(|one| total += one.usage);
    let day = |one: store::DayUsage| UsageOfDay { day: day_name(one.day), usage: one.usage.into() };
    Ok(Json(MonthByDay {
        month: text,
        total: total.into(),
        calls_limit: subscription.and_then(|one| one.calls_month),
        days: days.into_iter().map(day).collect(),
    }))
}

fn day_number(date: Date) -> i64 {
    let at = date.to_zoned(TimeZone::UTC).map_or(0, |zoned| zoned.timestamp().as_second());
    at.div_euclid(DAY_SECS)
}

fn day_name(day: i64) -> String {
    let at = Timestamp::from_second(day.saturating_mul(DAY_SECS)).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).date().to_string()
}

const DAY_SECS: i64 = 24 * 60 * 60;
const CALLS_MAX: u64 = 1_000_000_000;
