//! What the business's calls come to: today, and over the last days. Counted while calls happen, so a reading costs the same
//! however many calls there have been.

use super::store_problem;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::Params;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use base::limits;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use model::people::Permission;
use model::statistics::{Counts, SLOT_MS, slot_of};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const DAYS: u32 = 7;
const DAYS_MAX: u32 = 31;
/// 93 days: a quarter of a year.
const ANALYTICS_MS_MAX: i64 = 93 * 24 * 60 * 60 * 1_000;

/// What the calls of some time come to. Calls count when they end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallTotals)]
pub(crate) struct Totals {
    calls: u64,
    /// Of customers.
    inbound: u64,
    /// That we placed.
    outbound: u64,
    /// That somebody answered.
    answered: u64,
    /// That nobody answered.
    missed: u64,
    /// Answered, and brought to an end by the agent alone.
    contained: u64,
    /// Answered, and passed on to a person.
    transferred: u64,
    /// Answered, and broken.
    failed: u64,
    /// From answer to end, all calls together.
    talk_ms: u64,
    /// What providers charged, in millionths of a US dollar; null for whoever may not see usage.
    cost_usd_micros: Option<i64>,
    /// Answers whose wait is known: from the end of the customer's speech to the first sound.
    waits: u64,
    /// What half of these waits do not exceed; to within its class, some 5 to 10 %.
    wait_p50_ms: Option<u64>,
    /// What 95 % of them do not exceed.
    wait_p95_ms: Option<u64>,
}

impl Totals {
    fn of(counts: &Counts, shows_cost: bool) -> Self {
        Self {
            calls: counts.calls(),
            inbound: counts.inbound,
            outbound: counts.outbound,
            answered: counts.answered,
            missed: counts.missed,
            contained: counts.contained,
            transferred: counts.transferred,
            failed: counts.failed,
            talk_ms: counts.talk_ms,
            cost_usd_micros: shows_cost.then_some(counts.cost_usd_micros),
            waits: counts.waits.count(),
            wait_p50_ms: counts.waits.quantile_ms(50),
            wait_p95_ms: counts.waits.quantile_ms(95),
        }
    }
}

/// One day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallsOfDay)]
pub(crate) struct DayTotals {
    /// In the business's time zone.
    #[schema(example = "2026-11-21")]
    day: String,
    #[serde(flatten)]
    totals: Totals,
}

/// Today and the last days.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    /// The business's time zone: its days are the ones below.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    /// Calls that are going on.
    calls_now: u64,
    /// Since midnight.
    today: Totals,
    /// All of `days` together.
    period: Totals,
    /// As many days before them, to compare with.
    before: Totals,
    /// Each day, the oldest first, today last; also those without a call.
    days: Vec<DayTotals>,
}

/// How far back.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverviewQuery {
    /// Days, today among them; 1 to 31, 7 when left out.
    #[param(minimum = 1, maximum = 31)]
    days: Option<u32>,
}

/// Shows what calls come to: today, over the last days, and over as many days before.
#[utoipa::path(get, path = "/api/v1/overview", tag = "calls", operation_id = "get_overview", params(OverviewQuery),
    security(("bearer" = ["calls:read"])), responses((status = 200, description = "What calls come to", body = Overview)))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    Params(query): Params<OverviewQuery>,
) -> Result<Json<Overview>, Problem> {
    let wanted = query.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&wanted) {
        return Err(Problem::invalid(format!("days must be between 1 and {DAYS_MAX}")));
    }
    let store = app.node.store();
    let business = store.profile(&caller.scope).await.map_err(store_problem)?.business;
    let zone = TimeZone::get(&business.time_zone).unwrap_or(TimeZone::UTC);
    let now = Timestamp::now();
    let edges = midnights(now, &zone, wanted).ok_or_else(Problem::internal)?;
    let (from, to) = (edges[0].1, slot_of(now.as_millisecond()) + 1);
    let counts = store.call_counts(&caller.scope, from, to).await.map_err(store_problem)?;
    let open_since_ms = now.as_millisecond().saturating_sub_unsigned(limits::OPEN_CALL_MS_MAX);
    let calls_now = store.calls_going_on(&caller.scope, open_since_ms).await.map_err(store_problem)?;
    let shows_cost = caller.may(Permission::UsageRead);
    let mut sums: Vec<(Date, Counts)> = edges.iter().map(|(day, _)| (*day, Counts::default())).collect();
    for (slot, counted) in &counts {
        let place = edges.partition_point(|(_, first)| first <= slot);
        if let Some((_, sum)) = place.checked_sub(1).and_then(|place| sums.get_mut(place)) {
            *sum += counted;
        }
    }
    let (earlier, later) = sums.split_at(sums.len() - wanted as usize);
    let together = |days: &[(Date, Counts)]| {
        let mut all = Counts::default();
        days.iter().for_each(|(_, counts)| all += counts);
        Totals::of(&all, shows_cost)
    };
    Ok(Json(Overview {
        time_zone: business.time_zone,
        calls_now,
        today: together(&later[later.len() - 1..]),
        period: together(later),
        before: together(earlier),
        days: later
            .iter()
            .map(|(day, counts)| DayTotals { day: day.to_string(), totals: Totals::of(counts, shows_cost) })
            .collect(),
    }))
}

/// What is counted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnalyticsQuery {
    /// Unix milliseconds of the beginning; a quarter of an hour is the finest grain.
    from_ms: i64,
    /// Unix milliseconds of the end, which is not counted; now when left out.
    to_ms: Option<i64>,
    /// How long a step is; a day of the business's time zone when left out.
    #[param(inline)]
    step: Option<StepView>,
    /// Calls of this agent alone, by its id.
    agent: Option<uuid::Uuid>,
}

/// How long a step is.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepView {
    Hour,
    #[default]
    Day,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallsOfStep)]
pub(crate) struct StepTotals {
    /// Unix milliseconds when it begins.
    from_ms: i64,
    #[serde(flatten)]
    totals: Totals,
}

/// What calls come to, step by step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Analytics {
    /// All of it.
    total: Totals,
    /// Steps in which a call ended, the oldest first.
    steps: Vec<StepTotals>,
}

/// Shows what calls come to between two moments, by hour or by day.
#[utoipa::path(get, path = "/api/v1/analytics", tag = "calls", operation_id = "get_analytics", params(AnalyticsQuery),
    security(("bearer" = ["calls:read"])), responses((status = 200, description = "What calls come to", body = Analytics)))]
pub(crate) async fn analytics(
    State(app): State<App>,
    caller: Allowed<may::CallsRead>,
    Params(query): Params<AnalyticsQuery>,
) -> Result<Json<Analytics>, Problem> {
    let to_ms = query.to_ms.unwrap_or_else(runtime::wall_ms);
    let span = to_ms.checked_sub(query.from_ms).filter(|span| (1..=ANALYTICS_MS_MAX).contains(span));
    if span.is_none() || query.from_ms < 0 {
        return Err(Problem::invalid("from_ms must be before to_ms, by at most 93 days"));
    }
    let store = app.node.store();
    let business = store.profile(&caller.scope).await.map_err(store_problem)?.business;
    let zone = TimeZone::get(&business.time_zone).unwrap_or(TimeZone::UTC);
    let (from, to) = (slot_of(query.from_ms), slot_of(to_ms - 1) + 1);
    let counts = match query.agent {
        Some(agent) => store.agent_counts(&caller.scope, base::AgentId(agent), from, to).await,
        None => store.call_counts(&caller.scope, from, to).await,
    };
    let counts = counts.map_err(store_problem)?;
    let shows_cost = caller.may(Permission::UsageRead);
    let (mut total, mut steps) = (Counts::default(), Vec::<(i64, Counts)>::new());
    for (slot, counted) in &counts {
        total += counted;
        let begins_ms = step_begins_ms(slot * SLOT_MS, query.step.unwrap_or_default(), &zone);
        match steps.last_mut().filter(|(last, _)| *last == begins_ms) {
            Some((_, sum)) => *sum += counted,
            None => steps.push((begins_ms, counted.clone())),
        }
    }
    let step = |(from_ms, counts): (i64, Counts)| StepTotals { from_ms, totals: Totals::of(&counts, shows_cost) };
    Ok(Json(Analytics { total: Totals::of(&total, shows_cost), steps: steps.into_iter().map(step).collect() }))
}

/// When the step of a moment begins, in this zone.
fn step_begins_ms(at_ms: i64, step: StepView, zone: &TimeZone) -> i64 {
    let Ok(at) = Timestamp::from_millisecond(at_ms) else { return at_ms };
    let at = at.to_zoned(zone.clone());
    let begins = match step {
        StepView::Hour => at.round(jiff::ZonedRound::new().smallest(jiff::Unit::Hour).mode(jiff::RoundMode::Trunc)),
        StepView::Day => at.start_of_day(),
    };
    begins.map_or(at_ms, |begins| begins.timestamp().as_millisecond())
}

/// Twice as many days as wanted, the oldest first, today last, and the first slot of each.
fn midnights(now: Timestamp, zone: &TimeZone, wanted: u32) -> Option<Vec<(Date, i64)>> {
    let today = now.to_zoned(zone.clone()).date();
    let back = i64::from(wanted) * 2 - 1;
    let day = |ago: i64| {
        let date = today.checked_sub(ago.days()).ok()?;
        let begins_ms = date.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond();
        // Zones of long ago were not whole quarters of an hour off; what lies in between counts as the day before.
        Some((date, begins_ms.div_euclid(SLOT_MS) + i64::from(begins_ms.rem_euclid(SLOT_MS) != 0)))
    };
    (0..=back).rev().map(day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_where_the_business_s_clock_says() {
        let kolkata = TimeZone::get("Asia/Kolkata").expect("a zone");
        let at = |text: &str| text.parse::<Timestamp>().expect("a time").as_millisecond();
        let moment = at("2026-11-21T19:15:00Z");
        assert_eq!(step_begins_ms(moment, StepView::Hour, &kolkata), at("2026-11-21T18:30:00Z"));
        assert_eq!(step_begins_ms(moment, StepView::Day, &kolkata), at("2026-11-21T18:30:00Z"));
        assert_eq!(step_begins_ms(moment, StepView::Day, &TimeZone::UTC), at("2026-11-21T00:00:00Z"));
    }

    #[test]
    fn days_are_the_business_s_own() {
        let now: Timestamp = "2026-11-22T00:30:00Z".parse().expect("a time");
        let kolkata = TimeZone::get("Asia/Kolkata").expect("a zone");
        let days = midnights(now, &kolkata, 2).expect("days");
        assert_eq!(days.len(), 4);
        let (today, slot) = days[3];
        assert_eq!(today.to_string(), "2026-11-22");
        let begins: Timestamp = "2026-11-21T18:30:00Z".parse().expect("a time");
        assert_eq!(slot * SLOT_MS, begins.as_millisecond());
        let new_york = TimeZone::get("America/New_York").expect("a zone");
        assert_eq!(midnights(now, &new_york, 1).expect("days")[1].0.to_string(), "2026-11-21");
    }
}
