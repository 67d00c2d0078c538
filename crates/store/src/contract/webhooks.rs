//! Webhook endpoints, deliveries and their attempts.

use super::{Answer, Cursor, Page};
use async_trait::async_trait;
use base::Secret;
use model::business::TenantScope;
use model::event::Event;
use model::webhook::{Attempt, Delivery, DeliveryState, Endpoint};
use uuid::Uuid;

/// The kind of job that makes the first attempt at a delivery.
pub const DELIVER_JOB: &str = "webhook.deliver";
/// The kind of job that delivers what has failed before, or goes to an endpoint that fails: apart, so that an endpoint that
/// does not answer holds up no other.
pub const RETRY_JOB: &str = "webhook.retry";

/// A change of an endpoint; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointChange {
    /// Where messages go.
    pub url: Option<String>,
    /// What people call it.
    pub description: Option<String>,
    /// Which events.
    pub kinds: Option<model::webhook::Kinds>,
    /// Whether anything is sent. Switching on begins with the events from then on.
    pub enabled: Option<bool>,
}

/// What an attempt leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where the delivery stands then.
    pub state: DeliveryState,
    /// Unix milliseconds of the next attempt.
    pub next_at_ms: Option<i64>,
}

/// Webhook endpoints of a business. Secrets are sealed at rest ([`crate::seal`]).
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Creates an endpoint; it gets the events from now on. `Conflict` when the business has `endpoints_max` already.
    async fn create_endpoint(
        &self,
        scope: &TenantScope,
        endpoint: &Endpoint,
        secret: &Secret<String>,
        endpoints_max: u32,
    ) -> Answer<Endpoint>;
    /// One endpoint.
    async fn endpoint(&self, scope: &TenantScope, id: Uuid) -> Answer<Endpoint>;
    /// All endpoints, oldest first, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn endpoints(&self, scope: &TenantScope) -> Answer<Vec<Endpoint>>;
    /// Changes an endpoint. With `expected`, a `Conflict` unless that is the version now.
    async fn change_endpoint(
        &self,
        scope: &TenantScope,
        id: Uuid,
        change: &EndpointChange,
        expected: Option<u32>,
    ) -> Answer<Endpoint>;
    /// Deletes an endpoint with its deliveries. `false` when there is none.
    async fn delete_endpoint(&self, scope: &TenantScope, id: Uuid) -> Answer<bool>;
    /// Switches an endpoint off because of what it answered, and tells so by an event. `false` when it is off already.
    async fn disable_endpoint(&self, scope: &TenantScope, id: Uuid, reason: &str, at_ms: i64) -> Answer<bool>;
    /// Signs with this secret from now on, and with the one before it too until this time.
    async fn rotate_endpoint_secret(
        &self,
        scope: &TenantScope,
        id: Uuid,
        secret: &Secret<String>,
        old_until_ms: i64,
    ) -> Answer<Endpoint>;
    /// The secrets to sign with, the newest first. `Sealed` when one does not open.
    async fn endpoint_secrets(&self, scope: &TenantScope, id: Uuid, now_ms: i64) -> Answer<Vec<Secret<String>>>;

    /// Endpoints of all businesses that are switched on and have not looked at all events, by id after this one, at most
    /// [`base::limits::PAGE_ROWS_MAX`]. For the worker that makes deliveries.
    async fn endpoints_behind(&self, after: Option<Uuid>) -> Answer<Vec<(TenantScope, Endpoint)>>;
    /// Notes that an endpoint has looked at the events up to `upto`, and asks for these deliveries. `false`, and nothing
    /// happens, when another worker was faster ([`Endpoint::cursor_seq`] has moved) or the endpoint was switched off.
    async fn fan_out(
        &self,
        scope: &TenantScope,
        endpoint: &Endpoint,
        upto: u64,
        deliveries: &[Delivery],
    ) -> Answer<bool>;
    /// Asks for more deliveries: a replay.
    async fn add_deliveries(&self, scope: &TenantScope, endpoint: Uuid, deliveries: &[Delivery]) -> Answer<()>;
    /// Keeps a delivery that is attempted at once, by the caller: a test.
    async fn add_test_delivery(&self, scope: &TenantScope, delivery: &Delivery) -> Answer<()>;
    /// One delivery.
    async fn delivery(&self, scope: &TenantScope, endpoint: Uuid, id: Uuid) -> Answer<Delivery>;
    /// Deliveries to an endpoint, newest first, in this state or all.
    async fn deliveries(
        &self,
        scope: &TenantScope,
        endpoint: Uuid,
        state: Option<DeliveryState>,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Page<Delivery>>;
    /// The attempts at a delivery, in order.
    async fn attempts(&self, scope: &TenantScope, delivery: Uuid) -> Answer<Vec<Attempt>>;
    /// Notes an attempt and what it leads to, and whether the endpoint fails ([`Endpoint::failing_since_ms`]); answers the
    /// endpoint as it is then.
    async fn note_attempt(
        &self,
        scope: &TenantScope,
        delivery: &Delivery,
        attempt: &Attempt,
        verdict: Verdict,
    ) -> Answer<Endpoint>;
    /// Gives a delivery up that will not be attempted.
    async fn give_up_delivery(&self, scope: &TenantScope, delivery: Uuid) -> Answer<()>;
    /// Forgets deliveries made before this time with their attempts, at most [`base::limits::PRUNE_ROWS_MAX`] at once, and
    /// answers how many.
    async fn prune_webhook_log(&self, before_ms: i64) -> Answer<u64>;
    /// Events from this time on that this endpoint wants, oldest first, at most `events_max`: for a replay.
    async fn events_since(&self, scope: &TenantScope, since_ms: i64, after: u64, rows_max: u32) -> Answer<Vec<Event>>;
}
