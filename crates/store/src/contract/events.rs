//! Live events: what happened in a business, in order. See [`model::event`].

use super::Answer;
use async_trait::async_trait;
use base::BusinessId;
use model::business::TenantScope;
use model::event::{Event, EventKind, Snapshot};
use serde_json::Value;
use tokio::sync::broadcast;
use uuid::Uuid;

/// Which events of a business are kept: those after `floor` up to `head`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventRange {
    /// The last event that is kept no more; 0 when all are there.
    pub floor: u64,
    /// The last event; 0 when there was none.
    pub head: u64,
}

/// Events of calls, turns and usage are written by the methods that change calls and journals, in the same transaction.
/// Transactions of one business that write events end one after the other, so whoever has read an event has been able to
/// read all before it.
#[async_trait]
pub trait Events: Send + Sync {
    /// Rings with the business whenever this process has written events of it. A hint: what it says may be read already,
    /// and events of other processes ring nothing.
    fn event_bell(&self) -> broadcast::Receiver<BusinessId>;
    /// Writes an event that belongs to no other change and answers its place.
    async fn emit(&self, scope: &TenantScope, kind: EventKind, subject: Uuid, data: &Value, at_ms: i64) -> Answer<u64>;
    /// Which events there are.
    async fn event_range(&self, scope: &TenantScope) -> Answer<EventRange>;
    /// Events after this place, in order, at most `rows_max` and [`base::limits::PAGE_ROWS_MAX`]. The first one is
    /// `after + 1` unless that is kept no more.
    async fn events_after(&self, scope: &TenantScope, after: u64, rows_max: u32) -> Answer<Vec<Event>>;
    /// The calls that are going on, with the place among the events at which that is true.
    async fn snapshot(&self, scope: &TenantScope) -> Answer<Snapshot>;
    /// Forgets events written before this time, and of each business all but the last `kept_max`; at most
    /// [`base::limits::PRUNE_ROWS_MAX`] of each business at once. Answers how many.
    async fn prune_events(&self, before_ms: i64, kept_max: u64) -> Answer<u64>;
}
