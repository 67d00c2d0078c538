//! Test calls of the API: the simulated caller, in this process.

use crate::caller::{self, Step};
use api::{TestCallError, TestCaller};
use async_trait::async_trait;
use base::{CallId, limits};
use model::business::TenantScope;
use runtime::{AttachError, Node, RefuseReason};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Calls over the loopback platform, a few at once.
pub struct Loopback {
    node: Node,
    slots: Arc<Semaphore>,
}

impl Loopback {
    /// A caller of this node's agents.
    pub fn new(node: Node) -> Self {
        Self { node, slots: Arc::new(Semaphore::new(limits::TEST_CALLS_MAX)) }
    }
}

#[async_trait]
impl TestCaller for Loopback {
    async fn call(&self, scope: TenantScope, agent: &str, lines: Vec<String>) -> Result<CallId, TestCallError> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| TestCallError::Busy)?;
        let steps = lines.into_iter().map(Step::Type).collect();
        let answered = caller::dial(&self.node, scope, Some(agent), steps).await.map_err(|error| match error {
            AttachError::Refused(RefuseReason::Busy | RefuseReason::Draining) => TestCallError::Busy,
            AttachError::NoAgent => TestCallError::NoAgent,
            other => TestCallError::Failed(other.to_string()),
        })?;
        let call = answered.call;
        tokio::spawn(async move {
            let _slot = slot;
            // Boxed: a whole call is a large future.
            Box::pin(answered.talk(&mut |_| {})).await;
        });
        Ok(call)
    }
}
