//! What businesses have subscribed to and what they use.

use super::Answer;
use async_trait::async_trait;
use model::business::TenantScope;
use model::plan::{Allowance, Subscription, Usage};

/// What counts on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayUsage {
    /// Days since 1970-01-01, in UTC.
    pub day: i64,
    /// What counts.
    pub usage: Usage,
}

/// Subscriptions and usage. A call is counted by [`super::Calls::update_call`], in the transaction in which it ends, on the day
/// (UTC) on which it ended; the sum over all days is what the rows of all calls say.
#[async_trait]
pub trait Plans: Send + Sync {
    /// What the business has subscribed to. `None`: nothing, which means no bound.
    async fn subscription(&self, scope: &TenantScope) -> Answer<Option<Subscription>>;
    /// Subscribes, and tells so by an event.
    async fn put_subscription(&self, scope: &TenantScope, subscription: &Subscription, at_ms: i64) -> Answer<()>;
    /// Subscribes all businesses that have subscribed to nothing, and answers how many.
    async fn subscribe_rest(&self, subscription: &Subscription) -> Answer<u64>;
    /// Usage of the days from `first` to `last`, in order; days without any are left out. At most 400 days.
    async fn usage(&self, scope: &TenantScope, first: i64, last: i64) -> Answer<Vec<DayUsage>>;
    /// Adds what was spent outside of calls, such as on hearing a voice before choosing it, to the day of this time.
    async fn count_cost(&self, scope: &TenantScope, cost: base::Money, at_ms: i64) -> Answer<()>;
    /// What the business may do and does: calls that are over from this day on, and calls without an end that began after
    /// this time.
    async fn allowance(&self, scope: &TenantScope, first_day: i64, open_since_ms: i64) -> Answer<Allowance>;
}
