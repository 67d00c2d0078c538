//! Plans, what a business has subscribed to, and what counts against it.

use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// The plans that are on offer, as data.
const PLANS: &str = include_str!("plans.json");

/// Shares of a limit, in percent, at which an alert is given.
pub const ALERT_PERCENTS: [u64; 2] = [80, 100];
/// Calls beyond the limit, in percent of it, for which inbound calls are still taken unless a subscription says otherwise.
pub const GRACE_PERCENT: u32 = 10;
/// The largest grace that a subscription may have.
pub const GRACE_PERCENT_MAX: u32 = 100;

/// What a plan costs and allows. `None`: no bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Short name, used to pick it.
    pub slug: String,
    /// Name as people see it.
    pub name: String,
    /// US cents per month.
    pub month_usd_cents: u32,
    /// US cents for each call.
    pub call_usd_cents: u32,
    /// Answered calls in a calendar month (UTC).
    pub calls_month: Option<u64>,
    /// Calls at once.
    pub calls_at_once: Option<u32>,
    /// Requests to the API in a minute, all keys together.
    pub requests_minute: Option<u32>,
    /// Webhook endpoints.
    pub webhooks: Option<u32>,
}

/// All plans, cheapest first.
pub fn plans() -> &'static [Plan] {
    static ALL: LazyLock<Vec<Plan>> =
        LazyLock::new(|| serde_json::from_str(PLANS).expect("plans.json is part of the build and a test reads it"));
    &ALL
}

/// The plan of this short name.
pub fn plan(slug: &str) -> Option<&'static Plan> {
    plans().iter().find(|plan| plan.slug == slug)
}

/// What a business has subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Short name of the plan.
    pub plan: String,
    /// Unix milliseconds since when.
    pub since_ms: i64,
    /// Answered calls in a calendar month: the plan's bound, or a lower one that the business set itself.
    pub calls_month: Option<u64>,
    /// Calls beyond the bound, in percent of it, for which inbound calls are still taken.
    pub grace_percent: u32,
}

/// Why a subscription is not possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionError {
    /// There is no such plan.
    NoPlan,
    /// The own bound is higher than the plan's.
    AbovePlan,
    /// The grace is more than [`GRACE_PERCENT_MAX`].
    Grace,
}

impl Subscription {
    /// A subscription to this plan from now on, with an own bound that must not be above the plan's.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn to(
        slug: &str,
        since_ms: i64,
        own_calls_month: Option<u64>,
        grace_percent: Option<u32>,
    ) -> Result<Self, SubscriptionError> {
        let plan = plan(slug).ok_or(SubscriptionError::NoPlan)?;
        let calls_month = match (own_calls_month, plan.calls_month) {
            (Some(own), Some(most)) if own > most => return Err(SubscriptionError::AbovePlan),
            (own, most) => own.or(most),
        };
        let grace_percent = grace_percent.unwrap_or(GRACE_PERCENT);
        if grace_percent > GRACE_PERCENT_MAX {
            return Err(SubscriptionError::Grace);
        }
        Ok(Self { plan: slug.to_owned(), since_ms, calls_month, grace_percent })
    }
}

/// What a business uses and may use, at the moment when somebody wants to begin a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// What it has subscribed to; `None` means no bound.
    pub subscription: Option<Subscription>,
    /// Answered calls of this month that are over.
    pub calls_ended: u64,
    /// Calls that are going on.
    pub calls_open: u64,
}

/// Why a business cannot begin one more call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverPlan {
    /// The calls of this month are used up.
    CallsMonth,
    /// So many calls at once.
    CallsAtOnce,
}

impl Allowance {
    /// Whether one more call may begin. Customers who call are taken for some calls longer: they are not to blame.
    ///
    /// # Errors
    /// Says which bound is reached.
    pub fn admit(&self, is_inbound: bool) -> Result<(), OverPlan> {
        let Some(subscription) = &self.subscription else { return Ok(()) };
        let at_once = plan(&subscription.plan).and_then(|plan| plan.calls_at_once);
        if at_once.is_some_and(|most| self.calls_open >= u64::from(most)) {
            return Err(OverPlan::CallsAtOnce);
        }
        let grace = if is_inbound { u64::from(subscription.grace_percent) } else { 0 };
        let bound = subscription.calls_month.map(|most| most.saturating_add(most.saturating_mul(grace).div_ceil(100)));
        // What is going on will most likely count, too.
        let used = self.calls_ended.saturating_add(self.calls_open);
        if bound.is_some_and(|bound| used >= bound) { Err(OverPlan::CallsMonth) } else { Ok(()) }
    }
}

/// The shares of a limit that are reached when a count goes from `before` to `after`.
pub fn alerts(before: u64, after: u64, limit: u64) -> impl Iterator<Item = u64> {
    let reached = move |count: u64, percent: u64| count.saturating_mul(100) >= limit.saturating_mul(percent);
    ALERT_PERCENTS.into_iter().filter(move |percent| !reached(before, *percent) && reached(after, *percent))
}

/// What counts of one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Calls that somebody answered and that are over.
    pub calls: u64,
    /// Calls that nobody answered.
    pub calls_unanswered: u64,
    /// From answer to end, all calls together.
    pub talk_ms: u64,
    /// What providers charged, in millionths of a US dollar.
    pub cost_usd_micros: i64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.calls_unanswered += other.calls_unanswered;
        self.talk_ms += other.talk_ms;
        self.cost_usd_micros = self.cost_usd_micros.saturating_add(other.cost_usd_micros);
    }
}

impl Usage {
    /// What a call counts, before and after a change of its row: all of it when it ends, and later only what is added to
    /// its cost. The sum over all changes of a row is what the row says at the end, however many there are.
    pub fn of_change(before: &crate::call::Call, after: &crate::call::Call) -> Self {
        let Some(ended_at_ms) = after.ended_at_ms else { return Self::default() };
        if before.ended_at_ms.is_some() {
            let cost_usd_micros = after.cost.usd_micros - before.cost.usd_micros;
            return Self { cost_usd_micros, ..Self::default() };
        }
        let talk = after.answered_at_ms.map(|answered| u64::try_from(ended_at_ms - answered).unwrap_or(0));
        Self {
            calls: u64::from(talk.is_some()),
            calls_unanswered: u64::from(talk.is_none()),
            talk_ms: talk.unwrap_or(0),
            cost_usd_micros: after.cost.usd_micros,
        }
    }

    /// Whether it counts nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What one call added to the usage of its business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageFacts {
    /// Day in UTC on which it counts, `YYYY-MM-DD`.
    pub day: String,
    /// What was added.
    pub added: Usage,
    /// The month so far.
    pub month: Usage,
}

/// So much of a bound of the plan is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertFacts {
    /// Which bound: `calls_month`.
    pub metric: String,
    /// 80 or 100.
    pub percent: u64,
    /// What is used.
    pub used: u64,
    /// The bound.
    pub limit: u64,
    /// Month in UTC, `YYYY-MM`.
    pub month: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plans_on_offer_are_the_published_ones() {
        let offer: Vec<_> = plans()
            .iter()
            .map(|plan| (plan.slug.as_str(), plan.month_usd_cents, plan.call_usd_cents, plan.calls_month))
            .collect();
        let published = [
            ("pay-per-use", 0, 15, None),
            ("starter", 2_900, 0, Some(100)),
            ("professional", 9_900, 0, Some(1_000)),
            ("enterprise", 49_900, 0, None),
        ];
        assert_eq!(offer, published);
    }

    #[test]
    fn an_alert_is_given_when_its_share_is_reached_and_never_again() {
        let given = |before, after| alerts(before, after, 10).collect::<Vec<_>>();
        assert_eq!(given(6, 7), Vec::<u64>::new());
        assert_eq!(given(7, 8), [80]);
        assert_eq!(given(8, 9), Vec::<u64>::new());
        assert_eq!(given(9, 10), [100]);
        assert_eq!(given(10, 11), Vec::<u64>::new());
        assert_eq!(given(0, 30), [80, 100]);
    }

    fn allowance(calls_ended: u64, calls_open: u64) -> Allowance {
        let subscription = Subscription::to("starter", 0, Some(20), None).ok();
        Allowance { subscription, calls_ended, calls_open }
    }

    #[test]
    fn calls_that_we_place_end_at_the_limit_and_calls_of_customers_a_little_later() {
        assert_eq!(allowance(19, 0).admit(false), Ok(()));
        assert_eq!(allowance(19, 1).admit(false), Err(OverPlan::CallsMonth));
        assert_eq!(allowance(21, 0).admit(true), Ok(()));
        assert_eq!(allowance(21, 1).admit(true), Err(OverPlan::CallsMonth));
        assert_eq!(allowance(0, 5).admit(true), Err(OverPlan::CallsAtOnce));
        assert_eq!(Allowance { subscription: None, calls_ended: 9_999, calls_open: 999 }.admit(false), Ok(()));
    }

    #[test]
    fn a_business_may_bind_itself_tighter_than_its_plan_and_not_looser() {
        assert_eq!(Subscription::to("starter", 0, Some(101), None), Err(SubscriptionError::AbovePlan));
        assert_eq!(Subscription::to("starter", 0, None, Some(101)), Err(SubscriptionError::Grace));
        assert_eq!(Subscription::to("gold", 0, None, None), Err(SubscriptionError::NoPlan));
        assert_eq!(Subscription::to("enterprise", 0, Some(5_000), None).map(|one| one.calls_month), Ok(Some(5_000)));
        assert_eq!(Subscription::to("starter", 0, None, None).map(|one| one.calls_month), Ok(Some(100)));
    }
}
