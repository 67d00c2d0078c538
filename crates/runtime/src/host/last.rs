//! What is written of a call when it is over here: how it ended, and what it has cost. A database that is away in this moment is
//! asked again for a while, or the call would stand there as one that goes on, and nobody would pay for it.

use crate::node::Shared;
use base::{CallId, limits};
use model::business::TenantScope;
use std::sync::Arc;
use std::time::Duration;
use store::{CallUpdate, Store, StoreError};
use tokio::time::Instant;

/// Writes the last change of a call's row by this node; while that fails and may not fail later, goes on with it in the background.
pub(super) async fn write(shared: &Shared, scope: TenantScope, call: CallId, update: CallUpdate) {
    let last = LastWrite { store: Arc::clone(&shared.store), scope, call, update };
    match last.attempt().await {
        Ok(()) => {}
        Err(error) if error.is_retryable() => {
            tracing::warn!(%call, %error, "the end of the call waits for the database");
            shared.tasks.spawn(last.go_on());
        }
        Err(error) => last.give_up(&error),
    }
}

struct LastWrite {
    store: Arc<dyn Store>,
    scope: TenantScope,
    call: CallId,
    update: CallUpdate,
}

impl LastWrite {
    async fn attempt(&self) -> Result<(), StoreError> {
        self.store.update_call(&self.scope, self.call, &self.update).await.map(drop)
    }

    async fn go_on(self) {
        let until = Instant::now() + Duration::from_millis(limits::JOURNAL_FLUSH_MS_MAX);
        let mut pause = Duration::from_millis(limits::JOURNAL_RETRY_MS);
        loop {
            tokio::time::sleep(pause).await;
            match self.attempt().await {
                Ok(()) => return,
                Err(error) if error.is_retryable() && Instant::now() < until => {
                    pause = (pause * 2).min(Duration::from_millis(limits::JOURNAL_RETRY_MS_MAX));
                }
                Err(error) => return self.give_up(&error),
            }
        }
    }

    fn give_up(&self, error: &StoreError) {
        let charged = self.update.charge.as_ref().map_or(0, |charge| charge.total.usd_micros);
        tracing::error!(call = %self.call, charged, %error, "the end of the call could not be written");
    }
}
