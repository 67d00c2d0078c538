//! Sharing within one process.

use super::hub::Hub;
use super::{Count, Held, Lease, Shared, SharedAnswer, Sharing, Subscription, check_key, check_time, check_value};
use async_trait::async_trait;
use base::{Millis, limits};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Of a full memory, this share is forgotten at once, so that not every further entry costs a walk through all of them.
const FORGOTTEN_SHARE: usize = 16;

/// The memory of one process behind the same interface. Bounded: of too many entries some are forgotten early.
#[derive(Debug, Default)]
pub struct Memory {
    kept: Mutex<Kept>,
    hub: Hub,
}

#[derive(Debug, Default)]
struct Kept {
    values: HashMap<String, Entry<Bytes>>,
    leases: HashMap<String, Entry<Lease>>,
    counts: HashMap<String, Entry<u64>>,
    fence: u64,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    until: Instant,
}

fn live<'a, T>(entries: &'a mut HashMap<String, Entry<T>>, key: &str) -> Option<&'a mut Entry<T>> {
    let now = Instant::now();
    entries.get_mut(key).filter(|entry| entry.until > now)
}

fn insert<T>(entries: &mut HashMap<String, Entry<T>>, key: &str, value: T, keep: Millis) {
    if entries.len() >= limits::SHARED_ENTRIES_MAX {
        let now = Instant::now();
        entries.retain(|_, entry| entry.until > now);
    }
    if entries.len() >= limits::SHARED_ENTRIES_MAX {
        let mut spare = limits::SHARED_ENTRIES_MAX / FORGOTTEN_SHARE;
        entries.retain(|_, _| {
            spare = spare.saturating_sub(1);
            spare == 0
        });
    }
    entries.insert(key.to_owned(), Entry { value, until: Instant::now() + keep.to_duration() });
}

fn left(until: Instant) -> Millis {
    let left = until.saturating_duration_since(Instant::now());
    Millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // No guarded section of this file can panic half way through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all values, leases and counters; listeners stay.
    pub(super) fn clear(&self) {
        let mut kept = self.kept();
        kept.values.clear();
        kept.leases.clear();
        kept.counts.clear();
    }
}

#[async_trait]
impl Shared for Memory {
    async fn get(&self, key: &str) -> SharedAnswer<Option<Bytes>> {
        check_key(key)?;
        Ok(live(&mut self.kept().values, key).map(|entry| entry.value.clone()))
    }

    async fn put(&self, key: &str, value: &[u8], keep: Millis) -> SharedAnswer<()> {
        check_key(key)?;
        check_value(value)?;
        check_time(keep)?;
        insert(&mut self.kept().values, key, Bytes::copy_from_slice(value), keep);
        Ok(())
    }

    async fn take(&self, key: &str) -> SharedAnswer<Option<Bytes>> {
        check_key(key)?;
        let mut kept = self.kept();
        let found = live(&mut kept.values, key).map(|entry| entry.value.clone());
        kept.values.remove(key);
        Ok(found)
    }

    async fn put_new(&self, key: &str, holder: &str, keep: Millis) -> SharedAnswer<Held> {
        check_key(key)?;
        check_value(holder.as_bytes())?;
        check_time(keep)?;
        let mut kept = self.kept();
        if let Some(entry) = live(&mut kept.leases, key) {
            return Ok(Held::Theirs { holder: entry.value.holder.clone(), left: left(entry.until) });
        }
        kept.fence += 1;
        let lease = Lease { key: key.to_owned(), holder: holder.to_owned(), fence: kept.fence };
        insert(&mut kept.leases, key, lease.clone(), keep);
        Ok(Held::Ours(lease))
    }

    async fn extend(&self, lease: &Lease, keep: Millis) -> SharedAnswer<bool> {
        check_time(keep)?;
        let mut kept = self.kept();
        let Some(entry) = live(&mut kept.leases, &lease.key).filter(|entry| entry.value == *lease) else {
            return Ok(false);
        };
        entry.until = Instant::now() + keep.to_duration();
        Ok(true)
    }

    async fn release(&self, lease: &Lease) -> SharedAnswer<bool> {
        let mut kept = self.kept();
        let is_ours = live(&mut kept.leases, &lease.key).is_some_and(|entry| entry.value == *lease);
        if is_ours {
            kept.leases.remove(&lease.key);
        }
        Ok(is_ours)
    }

    async fn count(&self, key: &str, add: u64, window: Millis) -> SharedAnswer<Count> {
        check_key(key)?;
        check_time(window)?;
        let mut kept = self.kept();
        if let Some(entry) = live(&mut kept.counts, key) {
            entry.value = entry.value.saturating_add(add);
            return Ok(Count { total: entry.value, left: left(entry.until) });
        }
        insert(&mut kept.counts, key, add, window);
        Ok(Count { total: add, left: window })
    }

    async fn publish(&self, channel: &str, message: &[u8]) -> SharedAnswer<()> {
        check_key(channel)?;
        check_value(message)?;
        self.hub.deliver(channel, Bytes::copy_from_slice(message));
        Ok(())
    }

    async fn subscribe(&self, channel: &str) -> SharedAnswer<Subscription> {
        check_key(channel)?;
        self.hub.prune();
        self.hub.listen(channel)
    }

    async fn check(&self) -> SharedAnswer<()> {
        Ok(())
    }

    fn sharing(&self) -> Sharing {
        Sharing::Alone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_ends_values_leases_and_windows() {
        let memory = Memory::default();
        memory.put("a", b"1", Millis(1_000)).await.expect("put");
        let Held::Ours(lease) = memory.put_new("l", "me", Millis(1_000)).await.expect("held") else { panic!("free") };
        assert_eq!(memory.count("c", 2, Millis(1_000)).await.map(|count| count.total), Ok(2));
        tokio::time::advance(Millis(900).to_duration()).await;
        assert_eq!(memory.get("a").await, Ok(Some(Bytes::from_static(b"1"))));
        assert_eq!(memory.extend(&lease, Millis(1_000)).await, Ok(true));
        assert_eq!(memory.count("c", 1, Millis(1_000)).await, Ok(Count { total: 3, left: Millis(100) }));
        tokio::time::advance(Millis(200).to_duration()).await;
        assert_eq!(memory.get("a").await, Ok(None));
        assert_eq!(memory.count("c", 1, Millis(1_000)).await.map(|count| count.total), Ok(1));
        assert!(matches!(memory.put_new("l", "you", Millis(9)).await, Ok(Held::Theirs { .. })));
        tokio::time::advance(Millis(900).to_duration()).await;
        assert_eq!(memory.extend(&lease, Millis(1_000)).await, Ok(false));
    }

    #[tokio::test]
    async fn a_full_memory_forgets_some_and_takes_more() {
        let memory = Memory::default();
        for n in 0..=limits::SHARED_ENTRIES_MAX {
            memory.put(&n.to_string(), b"", Millis(60_000)).await.expect("put");
        }
        assert!(memory.kept().values.len() <= limits::SHARED_ENTRIES_MAX);
        let last = limits::SHARED_ENTRIES_MAX.to_string();
        assert_eq!(memory.get(&last).await, Ok(Some(Bytes::new())), "the newest is there");
    }
}
