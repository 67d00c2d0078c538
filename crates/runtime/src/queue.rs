//! Callers of this node who wait for a person, and where they stand among all who wait: one look at the database for all of them,
//! at most once a second, and none while nobody waits.

use crate::host::HostMessage;
use crate::node::{Node, Shared};
use base::{BusinessId, CallId, limits};
use engine::io::{DeskInput, HostInput, Input};
use model::business::TenantScope;
use model::journal::HoldMode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use store::StoreError;
use tokio::sync::mpsc;

/// One caller who waits.
struct Waiter {
    messages: mpsc::Sender<HostMessage>,
    /// The place that their call knows.
    told: Option<u32>,
}

/// The callers of this node who wait.
#[derive(Default)]
pub(crate) struct Waiters {
    calls: Mutex<HashMap<CallId, Waiter>>,
}

/// A caller waits for as long as this lives.
pub(crate) struct Place {
    waiters: Arc<Waiters>,
    call: CallId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiters.lock().remove(&self.call);
        metrics::gauge!("frontdesk_queue_waiting").decrement(1.0);
    }
}

impl Waiters {
    /// The caller waits from here on, and their call is told where they stand.
    pub(crate) fn join(self: &Arc<Self>, call: CallId, messages: mpsc::Sender<HostMessage>) -> Place {
        self.lock().insert(call, Waiter { messages, told: None });
        metrics::gauge!("frontdesk_queue_waiting").increment(1.0);
        Place { waiters: Arc::clone(self), call }
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Tells the calls of this node what changed for them. `all` are the calls of each business in their order.
    fn tell(&self, all: &[(BusinessId, CallId)]) {
        let mut places: HashMap<BusinessId, u32> = HashMap::new();
        let mut calls = self.lock();
        for (business, call) in all {
            let place = places.entry(*business).or_default();
            *place += 1;
            let Some(waiter) = calls.get_mut(call).filter(|waiter| waiter.told != Some(*place)) else { continue };
            let told = Input::Host(HostInput::QueuePosition { position: *place });
            // A call that cannot take it now is told with the next look.
            if waiter.messages.try_send(HostMessage::Input(told)).is_ok() {
                waiter.told = Some(*place);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallId, Waiter>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner) // Nothing in here can panic half way.
    }
}

/// Looks again and again where the callers of this node stand, for as long as the node is there.
pub(crate) async fn watch(shared: Weak<Shared>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(limits::QUEUE_LOOK_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        if shared.waiters.is_empty() {
            continue;
        }
        match shared.store.all_waiting().await {
            Ok(all) => shared.waiters.tell(&all),
            Err(error) => tracing::warn!(%error, "callers who wait are not told where they stand"),
        }
    }
}

impl Node {
    /// Takes the call that has waited longest, for this person. Nobody else gets the same one. `Ok(None)`: nobody waits.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn take_next(&self, scope: &TenantScope, by: &str) -> Result<Option<CallId>, StoreError> {
        for _ in 0..limits::QUEUE_TRIES_MAX {
            let Some(call) = self.store().claim_waiting(scope, crate::wall_ms()).await? else { return Ok(None) };
            let take = DeskInput::TakeOver { by: Some(by.to_owned()), mode: HoldMode::TakeOver, with_line: false };
            match self.ask_desk(scope, call, take).await {
                Ok(true) => return Ok(Some(call)),
                Ok(false) => {} // They hung up a moment ago.
                Err(error) => tracing::warn!(%call, %error, "the node of a waiting caller does not answer"),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[tokio::test]
    async fn each_caller_is_told_their_own_place_once() {
        let waiters = Arc::new(Waiters::default());
        let (shop, other) = (BusinessId(Uuid::from_u128(1)), BusinessId(Uuid::from_u128(2)));
        let call = |id| CallId(Uuid::from_u128(id));
        let (sender, mut messages) = mpsc::channel(8);
        let place = waiters.join(call(12), sender);
        let mut told = || match messages.try_recv() {
            Ok(HostMessage::Input(Input::Host(HostInput::QueuePosition { position }))) => Some(position),
            _ => None,
        };
        let all = [(other, call(20)), (shop, call(11)), (shop, call(12))];
        waiters.tell(&all);
        waiters.tell(&all);
        assert_eq!((told(), told()), (Some(2), None));
        waiters.tell(&all[1..]);
        assert_eq!(told(), None, "callers of another business count nothing");
        waiters.tell(&[(shop, call(12))]);
        assert_eq!(told(), Some(1));
        drop(place);
        assert!(waiters.is_empty());
    }
}
