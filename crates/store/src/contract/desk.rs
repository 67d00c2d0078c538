//! Tickets, messages that agents send, and what calls come to.

use super::{Answer, Cursor};
use async_trait::async_trait;
use base::{AgentId, CallId, Pii, TicketId, UserId};
use model::business::TenantScope;
use model::statistics::Counts;
use model::ticket::{Ticket, TicketPriority, TicketStatus};
use uuid::Uuid;

/// Which tickets a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketFilter {
    /// That stand so.
    pub status: Option<TicketStatus>,
    /// That press so much.
    pub priority: Option<TicketPriority>,
    /// That this person looks after.
    pub assignee: Option<UserId>,
    /// For this customer: number or address.
    pub customer: Option<String>,
    /// Raised in this call.
    pub call: Option<CallId>,
    /// The oldest first, instead of the newest.
    pub ascending: bool,
}

/// Tickets.
#[async_trait]
pub trait Tickets: Send + Sync {
    /// Raises a ticket, gives it its number, and tells it as an event. With a key that raised one before, that one is answered and
    /// nothing happens: a tool that is repeated raises no second ticket.
    async fn create_ticket(&self, scope: &TenantScope, ticket: &Ticket, key: Option<&str>) -> Answer<Ticket>;
    /// One ticket.
    async fn ticket(&self, scope: &TenantScope, id: TicketId) -> Answer<Ticket>;
    /// Changes a ticket and answers it as it is then. With `expected`, a `Conflict` unless that is the version now.
    async fn update_ticket(&self, scope: &TenantScope, ticket: &Ticket, expected: Option<u32>) -> Answer<Ticket>;
    /// Tickets by the time they were raised, after this place, at most `rows_max`.
    async fn tickets(
        &self,
        scope: &TenantScope,
        filter: &TicketFilter,
        after: Option<Cursor>,
        rows_max: u32,
    ) -> Answer<Vec<Ticket>>;
}

/// A message that an agent is about to send.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// Its id.
    pub id: Uuid,
    /// Names the request: a repeat of it sends nothing.
    pub key: String,
    /// `sms` or `email`.
    pub channel: &'static str,
    /// To whom.
    pub recipient: Pii<String>,
    /// In which call.
    pub call: CallId,
    /// Unix milliseconds now.
    pub at_ms: i64,
    /// How many a call may send.
    pub per_call_max: u32,
    /// How many a recipient may get in a day, all calls of the business together.
    pub per_day_max: u32,
}

/// Whether a message may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaySend {
    /// Now, and once.
    Yes,
    /// This very request was made before; what became of it is not known here.
    Repeated,
    /// The call has sent as many as it may.
    CallHasEnough,
    /// The recipient got as many as they may in a day.
    RecipientHasEnough,
}

/// A message that an agent has sent, or was about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatched {
    /// Its id.
    pub id: Uuid,
    /// `sms` or `email`.
    pub channel: String,
    /// To whom.
    pub recipient: Pii<String>,
    /// `intended` until it is known; then `sent`, `refused` or `unknown`.
    pub state: String,
    /// Unix milliseconds when it was intended.
    pub at_ms: i64,
}

/// Messages that agents send. What they say is not kept here.
#[async_trait]
pub trait Dispatches: Send + Sync {
    /// Notes, durably, that a message is about to go out, and says whether it may.
    async fn intend_dispatch(&self, scope: &TenantScope, dispatch: &Dispatch) -> Answer<MaySend>;
    /// Notes what became of it: `sent`, `refused` or `unknown`.
    async fn close_dispatch(&self, scope: &TenantScope, id: Uuid, state: &'static str) -> Answer<()>;
    /// The messages of a call, in order, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn dispatches(&self, scope: &TenantScope, call: CallId) -> Answer<Vec<Dispatched>>;
}

/// What calls come to.
#[async_trait]
pub trait Statistics: Send + Sync {
    /// The slots from this one up to and without that one in which anything ended, in order.
    async fn call_counts(&self, scope: &TenantScope, from_slot: i64, to_slot: i64) -> Answer<Vec<(i64, Counts)>>;
    /// The same for the calls of one agent.
    async fn agent_counts(
        &self,
        scope: &TenantScope,
        agent: AgentId,
        from_slot: i64,
        to_slot: i64,
    ) -> Answer<Vec<(i64, Counts)>>;
    /// Calls that began from this time on and go on.
    async fn calls_going_on(&self, scope: &TenantScope, started_from_ms: i64) -> Answer<u64>;
}
