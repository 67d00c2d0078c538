//! What a store knows of nodes: which there are, and which of them has a call.
//!
//! A node is there for as long as it says so again, by the database's clock. Who has a call is decided here and nowhere else:
//! one row, changed on the condition that it still names whom the taker believes dead. What keeps a node that only seemed dead
//! from going on is the journal, to which two writers cannot append.

use crate::contract::Answer;
use async_trait::async_trait;
use base::{CallId, Millis, NodeId, Secret};
use model::business::TenantScope;
use model::node::{KnownNode, Node};

/// A call whose node is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Whose call it is.
    pub scope: TenantScope,
    /// Which.
    pub call: CallId,
    /// Who had it.
    pub node: NodeId,
}

/// Nodes.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// Says that a node is there for this time, and how it is. Answers whether an operator asked it to drain.
    async fn beat(&self, node: &Node, lease: Millis) -> Answer<bool>;
    /// Nodes that were heard of lately, the oldest first, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn nodes(&self) -> Answer<Vec<KnownNode>>;
    /// Ends the leases of all other nodes with this address: their process was replaced by the one that says so.
    async fn replace_nodes_at(&self, address: &str, node: NodeId) -> Answer<u64>;
    /// A node goes.
    async fn leave(&self, node: NodeId) -> Answer<()>;
    /// Asks a node to drain, or to go on. `false` when there is no such node.
    async fn ask_drain(&self, node: NodeId, drain: bool) -> Answer<bool>;
    /// Forgets nodes whose lease ended this long ago and of whom no call is left.
    async fn prune_nodes(&self, dead_for: Millis) -> Answer<u64>;

    /// Takes a call: one that nobody has, or that `from` has, whom the taker believes dead. `false` when somebody else has
    /// it. Taking what one has already is no mistake.
    async fn claim_call(&self, scope: &TenantScope, call: CallId, node: NodeId, from: Option<NodeId>) -> Answer<bool>;
    /// Gives a call up. `false` when the node did not have it.
    async fn release_call(&self, scope: &TenantScope, call: CallId, node: NodeId) -> Answer<bool>;
    /// Who has a call.
    async fn call_owner(&self, scope: &TenantScope, call: CallId) -> Answer<Option<NodeId>>;
    /// Calls whose nodes are not there any more, the longest first, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn orphans(&self) -> Answer<Vec<Orphan>>;

    /// What nodes of one installation prove themselves to each other with: derived from the data keys, the current one first.
    fn peer_keys(&self) -> Vec<Secret<[u8; 32]>>;
}
