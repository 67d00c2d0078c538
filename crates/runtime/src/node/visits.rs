//! Visitors of websites: a conversation of their own, to which they may come back.

use super::doors::{AttachError, Comer};
use super::{Node, RefuseReason, lock};
use crate::socket::MediaSocket;
use base::{CallId, limits};
use carriers::protocol::{MediaProtocol, MediaStart};
use model::agent::Agent;
use model::business::TenantScope;
use model::call::{CallState, Direction};
use store::StoreError;

/// What a visitor was let in for.
#[derive(Clone, Debug)]
pub struct Visit {
    /// At which business.
    pub scope: TenantScope,
    /// Their conversation, which begins when they first come.
    pub call: CallId,
    /// Who answers.
    pub agent: Agent,
    /// Whether they may speak.
    pub voice: bool,
    /// Whether they may write.
    pub chat: bool,
}

impl Node {
    /// Takes the line of a visitor, as [`Node::attach`] takes that of a platform. A second line of the same visit takes the
    /// place of the first: by it they go on after their page was away, or begin to speak where they wrote.
    ///
    /// # Errors
    /// Says why it was not admitted, after closing the socket with the code that says so.
    pub async fn attach_visitor(
        &self,
        carrier: &str,
        visit: Visit,
        protocol: Box<dyn MediaProtocol>,
        media: Box<dyn MediaSocket>,
    ) -> Result<CallId, AttachError> {
        self.let_in(carrier, Comer::Visitor(Box::new(visit)), protocol, media).await
    }

    pub(super) async fn find_visit(
        &self,
        carrier: &str,
        visit: &Visit,
        start: &MediaStart,
    ) -> Result<CallId, AttachError> {
        let Visit { scope, call: id, .. } = visit;
        if !(if start.is_written { visit.chat } else { visit.voice }) {
            return Err(AttachError::NotOffered);
        }
        let live = lock(&self.shared.calls).get(id).map(|live| live.scope == *scope && !live.is_over);
        match live {
            Some(true) => return Ok(*id),
            Some(false) => return Err(AttachError::Over),
            None => {}
        }
        match self.shared.store.call(scope, *id).await {
            Ok(_) => return Err(AttachError::Over),
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(RefuseReason::from(error).into()),
        }
        self.plan_admits(scope, Direction::Inbound).await?;
        let slot = self.admit(scope, Direction::Inbound)?;
        let mut agent = visit.agent.clone();
        if start.is_written {
            // Whoever writes may be long about it.
            agent.timing.idle_ms = limits::VISITOR_IDLE_MS;
            agent.timing.idle_prompts_max = 1;
            agent.timing.call_ms_max = limits::VISIT_MS_MAX.unsigned_abs();
        }
        let mut call = self.new_call(scope, agent.id, Direction::Inbound, carrier);
        (call.id, call.state, call.answered_at_ms) = (*id, CallState::Answered, Some(call.started_at_ms));
        match self.shared.store.create_call(scope, &call).await {
            Ok(()) => {}
            Err(StoreError::Conflict(_)) => return Err(AttachError::Over),
            Err(error) => return Err(RefuseReason::from(error).into()),
        }
        self.own(scope, *id).await;
        let is_outside = self.is_outside_hours(scope, &agent).await;
        self.host_as(slot, *scope, call, &agent, Vec::new(), Some(start.is_written));
        if is_outside {
            self.tell_outside_hours(scope, *id).await;
        }
        Ok(*id)
    }
}
