//! Callers who wait for a person of the business, over all nodes, in the order in which they began to wait. A call's journal says
//! that it waits and that it does so no more; its row follows in the same transaction.

use super::Answer;
use async_trait::async_trait;
use base::{AgentId, BusinessId, CallId, NodeId, Pii};
use model::business::TenantScope;

/// A caller who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingCall {
    /// The call.
    pub call: CallId,
    /// Who had it.
    pub agent: AgentId,
    /// The caller's number or address.
    pub customer: Option<Pii<String>>,
    /// The number that they called.
    pub number: Option<String>,
    /// Unix milliseconds since when they wait.
    pub since_ms: i64,
    /// Why, in one word.
    pub reason: String,
    /// What they want.
    pub brief: Option<Pii<String>>,
    /// The node that has the call, where there are several.
    pub node: Option<NodeId>,
}

/// Who waits.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Everybody who waits, of all businesses: each business's calls in their order. At most
    /// [`base::limits::QUEUE_CALLERS_MAX`].
    async fn all_waiting(&self) -> Answer<Vec<(BusinessId, CallId)>>;
    /// Who waits for the people of a business, in order, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn waiting(&self, scope: &TenantScope) -> Answer<Vec<WaitingCall>>;
    /// Gives the call that has waited longest to whoever asks, and to nobody else within [`base::limits::QUEUE_CLAIM_MS`] of
    /// `now_ms`. `None`: nobody waits.
    async fn claim_waiting(&self, scope: &TenantScope, now_ms: i64) -> Answer<Option<CallId>>;
}
