//! Losing the server costs sharing for a while, and nothing else: this node goes on with its own memory, says so, and comes
//! back by itself.

use super::{Count, Held, Lease, Memory, Redis, Shared, SharedAnswer, SharedError, Sharing, Subscription};
use async_trait::async_trait;
use base::{Millis, limits};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A server with this node's memory behind it. Once it failed it is not waited for again until it answers a probe, so a lost
/// server costs one request its deadline and no other anything.
pub struct Resilient {
    server: Redis,
    memory: Memory,
    is_away: AtomicBool,
}

impl Resilient {
    /// Begins with the server, whether or not it is there yet.
    pub fn new(server: Redis) -> Arc<Self> {
        metrics::gauge!("frontdesk_shared_away").set(0.0);
        let this = Arc::new(Self { server, memory: Memory::default(), is_away: AtomicBool::new(false) });
        tokio::spawn(probe(Arc::downgrade(&this)));
        this
    }

    fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Acquire)
    }

    fn lose(&self, error: &SharedError) {
        if !self.is_away.swap(true, Ordering::AcqRel) {
            metrics::gauge!("frontdesk_shared_away").set(1.0);
            metrics::counter!("frontdesk_shared_losses_total").increment(1);
            tracing::warn!(%error, "nodes share nothing for now; each goes on with its own memory");
        }
    }

    fn regain(&self) {
        // What was kept here meanwhile is older than what others kept there.
        self.memory.clear();
        self.is_away.store(false, Ordering::Release);
        metrics::gauge!("frontdesk_shared_away").set(0.0);
        tracing::info!("nodes share again");
    }

    /// The server's answer, unless it is away.
    async fn there<T>(&self, ask: impl Future<Output = SharedAnswer<T>>) -> Option<SharedAnswer<T>> {
        if self.is_away() {
            return None;
        }
        match ask.await {
            Err(error @ SharedError::Away(_)) => {
                self.lose(&error);
                None
            }
            answer => Some(answer),
        }
    }
}

/// Asks the server whether it is there: while it is away, often; otherwise now and then, so that a health page knows without
/// anybody having asked for anything.
async fn probe(resilient: Weak<Resilient>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(limits::SHARED_PROBE_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let patient = limits::SHARED_PING_MS / limits::SHARED_PROBE_MS;
    let mut tick = 0;
    loop {
        ticks.tick().await;
        let Some(resilient) = resilient.upgrade() else { return };
        tick += 1;
        let was_away = resilient.is_away();
        if !was_away && tick % patient != 0 {
            continue;
        }
        match resilient.server.check().await {
            Ok(()) if was_away && resilient.server.is_heard() => resilient.regain(),
            Ok(()) => {}
            Err(error) => resilient.lose(&error),
        }
    }
}

#[async_trait]
impl Shared for Resilient {
    async fn get(&self, key: &str) -> SharedAnswer<Option<Bytes>> {
        match self.there(self.server.get(key)).await {
            Some(answer) => answer,
            None => self.memory.get(key).await,
        }
    }

    async fn put(&self, key: &str, value: &[u8], keep: Millis) -> SharedAnswer<()> {
        match self.there(self.server.put(key, value, keep)).await {
            Some(answer) => answer,
            None => self.memory.put(key, value, keep).await,
        }
    }

    async fn take(&self, key: &str) -> SharedAnswer<Option<Bytes>> {
        match self.there(self.server.take(key)).await {
            Some(answer) => answer,
            None => self.memory.take(key).await,
        }
    }

    async fn put_new(&self, key: &str, holder: &str, keep: Millis) -> SharedAnswer<Held> {
        match self.there(self.server.put_new(key, holder, keep)).await {
            Some(answer) => answer,
            None => self.memory.put_new(key, holder, keep).await,
        }
    }

    async fn extend(&self, lease: &Lease, keep: Millis) -> SharedAnswer<bool> {
        match self.there(self.server.extend(lease, keep)).await {
            Some(answer) => answer,
            None => self.memory.extend(lease, keep).await,
        }
    }

    async fn release(&self, lease: &Lease) -> SharedAnswer<bool> {
        match self.there(self.server.release(lease)).await {
            Some(answer) => answer,
            None => self.memory.release(lease).await,
        }
    }

    async fn count(&self, key: &str, add: u64, window: Millis) -> SharedAnswer<Count> {
        match self.there(self.server.count(key, add, window)).await {
            Some(answer) => answer,
            None => self.memory.count(key, add, window).await,
        }
    }

    async fn publish(&self, channel: &str, message: &[u8]) -> SharedAnswer<()> {
        match self.there(self.server.publish(channel, message)).await {
            Some(answer) => answer,
            None => self.memory.publish(channel, message).await,
        }
    }

    async fn subscribe(&self, channel: &str) -> SharedAnswer<Subscription> {
        let near = self.memory.subscribe(channel).await?;
        let (far, is_heard) = self.server.listen(channel)?;
        if !self.is_away() {
            let heard = tokio::time::timeout(Duration::from_millis(limits::SHARED_MS_MAX), is_heard).await;
            if !matches!(heard, Ok(Ok(()))) {
                self.lose(&SharedError::Away("the connection that listens is not open".into()));
            }
        }
        Ok(near.both(far))
    }

    async fn check(&self) -> SharedAnswer<()> {
        self.server.check().await
    }

    fn sharing(&self) -> Sharing {
        if self.is_away() { Sharing::Away } else { Sharing::Together }
    }
}
