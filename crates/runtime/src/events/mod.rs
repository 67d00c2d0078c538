//! Live events of businesses, followed while they are written.
//!
//! The table of events is the truth; everything here only decides when to read it. One *tail* per business that somebody
//! follows reads what is new and gives it to all followers. It wakes when this process has written events, when another
//! node says so ([`Feed::wake`]), and, should both be silent, every [`limits::EVENTS_POLL_MS`]. A
//! follower who was away or slow reads for itself until it has caught up. So no follower costs a query while nothing
//! happens, and none can miss an event: places have no gaps, and a gap sends it to the table.

pub mod hints;
#[cfg(test)]
mod tests;

use base::{BusinessId, limits};
use model::business::TenantScope;
use model::event::Event;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use store::{Store, StoreError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

/// What a follower learns.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The next event.
    Event(Arc<Event>),
    /// The place that was asked for is kept no more, or never was. Events go on after `head`; whoever wants to know what was
    /// before takes a snapshot.
    Resync {
        /// The last event so far.
        head: u64,
    },
    /// This node stops; another one goes on.
    Closing,
}

/// Why nobody more can follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// So many connections follow already.
    #[error("too many connections follow events")]
    TooMany,
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The events of all businesses, for followers of this process. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    tails: Mutex<HashMap<BusinessId, Tail>>,
    followers: AtomicUsize,
    closing: CancellationToken,
}

#[derive(Clone)]
struct Tail {
    sender: broadcast::Sender<Arc<Event>>,
    wake: Arc<Notify>,
    followers: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No guarded section of this file can panic half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// A feed without followers.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let bell = store.event_bell();
        let inner = Arc::new(Inner {
            store,
            tails: Mutex::default(),
            followers: AtomicUsize::new(0),
            closing: CancellationToken::new(),
        });
        tokio::spawn(listen(Arc::downgrade(&inner), bell));
        Self { inner }
    }

    /// Follows the events of a business after this place; `None`: from now on. The kinds are the follower's affair.
    ///
    /// # Errors
    /// When too many follow already, or the store does not answer.
    pub async fn follow(&self, scope: TenantScope, after: Option<u64>) -> Result<Follow, FollowError> {
        let head = self.inner.store.event_range(&scope).await?.head;
        let (live, seat) = self.sit(scope, head)?;
        Ok(Follow {
            store: Arc::clone(&self.inner.store),
            scope,
            last: after.unwrap_or(head),
            live,
            read: VecDeque::new(),
            is_behind: true,
            closing: self.inner.closing.clone(),
            _seat: seat,
        })
    }

    /// Another node says that there are events of this business. A hint: it may be wrong, late or repeated.
    pub fn wake(&self, business: BusinessId) {
        if let Some(tail) = lock(&self.inner.tails).get(&business) {
            tail.wake.notify_one();
        }
    }

    /// Sends all followers away: this node stops.
    pub fn close(&self) {
        self.inner.closing.cancel();
    }

    /// Connections that follow.
    pub fn followers(&self) -> usize {
        self.inner.followers.load(Ordering::Relaxed)
    }

    fn sit(&self, scope: TenantScope, head: u64) -> Result<(broadcast::Receiver<Arc<Event>>, Seat), FollowError> {
        let mut tails = lock(&self.inner.tails);
        let here = tails.get(&scope.business).map_or(0, |tail| tail.followers);
        let all = self.inner.followers.load(Ordering::Relaxed);
        if here >= limits::EVENT_STREAMS_PER_BUSINESS_MAX || all >= limits::EVENT_STREAMS_MAX {
            return Err(FollowError::TooMany);
        }
        let tail = tails.entry(scope.business).or_insert_with(|| {
            let (sender, _) = broadcast::channel(limits::EVENTS_AHEAD_MAX);
            let wake = Arc::new(Notify::new());
            tokio::spawn(run_tail(Arc::downgrade(&self.inner), scope, head, sender.clone(), Arc::clone(&wake)));
            Tail { sender, wake, followers: 0 }
        });
        tail.followers += 1;
        let followers = self.inner.followers.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::gauge!("frontdesk_event_followers").set(followers as f64);
        Ok((tail.sender.subscribe(), Seat { inner: Arc::downgrade(&self.inner), business: scope.business }))
    }
}

/// A follower's place; the last one takes the tail along.
struct Seat {
    inner: Weak<Inner>,
    business: BusinessId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(inner) = self.inner.upgrade() else { return };
        let mut tails = lock(&inner.tails);
        if let Some(tail) = tails.get_mut(&self.business) {
            tail.followers -= 1;
            if tail.followers == 0 {
                tail.wake.notify_one(); // Its task sees that it is no longer listed.
                tails.remove(&self.business);
            }
        }
        let followers = inner.followers.fetch_sub(1, Ordering::Relaxed) - 1;
        metrics::gauge!("frontdesk_event_followers").set(followers as f64);
    }
}

/// Wakes the tails of businesses of which there are new events.
async fn listen(inner: Weak<Inner>, mut bell: broadcast::Receiver<BusinessId>) {
    loop {
        let rung = bell.recv().await;
        let Some(inner) = inner.upgrade() else { return };
        let tails = lock(&inner.tails);
        match rung {
            Ok(business) => {
                if let Some(tail) = tails.get(&business) {
                    tail.wake.notify_one();
                }
            }
            Err(RecvError::Lagged(_)) => tails.values().for_each(|tail| tail.wake.notify_one()),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Reads the events of one business as they come, as long as somebody follows.
async fn run_tail(
    inner: Weak<Inner>,
    scope: TenantScope,
    mut last: u64,
    sender: broadcast::Sender<Arc<Event>>,
    wake: Arc<Notify>,
) {
    loop {
        let Some(inner) = inner.upgrade() else { return };
        let is_listed = lock(&inner.tails).get(&scope.business).is_some_and(|tail| Arc::ptr_eq(&tail.wake, &wake));
        if !is_listed {
            return;
        }
        let page = inner.store.events_after(&scope, last, limits::PAGE_ROWS_MAX).await;
        drop(inner);
        let is_full = page.as_ref().is_ok_and(|page| page.len() == limits::PAGE_ROWS_MAX as usize);
        match page {
            Ok(page) => {
                for event in page {
                    last = event.seq;
                    let _ = sender.send(Arc::new(event)); // The followers may have just gone.
                }
            }
            Err(error) => tracing::warn!(%error, "live events cannot be read"),
        }
        if !is_full {
            let _ = tokio::time::timeout(Duration::from_millis(limits::EVENTS_POLL_MS), wake.notified()).await;
        }
    }
}

/// One follower.
pub struct Follow {
    store: Arc<dyn Store>,
    scope: TenantScope,
    /// The last event that was told.
    last: u64,
    live: broadcast::Receiver<Arc<Event>>,
    read: VecDeque<Event>,
    /// What comes next is read from the table, not heard from the tail.
    is_behind: bool,
    closing: CancellationToken,
    _seat: Seat,
}

impl Follow {
    /// The last event that was told: what a client gives as `after` to go on.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The next event, as soon as there is one. May be dropped at any time without losing anything.
    ///
    /// # Errors
    /// When the store does not answer; asking again goes on.
    pub async fn next(&mut self) -> Result<Told, StoreError> {
        let closing = self.closing.clone();
        tokio::select! {
            biased;
            () = closing.cancelled() => Ok(Told::Closing),
            told = self.told() => told,
        }
    }

    async fn told(&mut self) -> Result<Told, StoreError> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.last = event.seq;
                return Ok(Told::Event(Arc::new(event)));
            }
            if self.is_behind {
                if let Some(resync) = self.catch_up().await? {
                    return Ok(resync);
                }
                continue;
            }
            match self.live.recv().await {
                Ok(event) if event.seq <= self.last => {}
                Ok(event) if event.seq == self.last + 1 => {
                    self.last = event.seq;
                    return Ok(Told::Event(event));
                }
                Ok(_) | Err(RecvError::Lagged(_)) => self.is_behind = true,
                Err(RecvError::Closed) => return Ok(Told::Closing),
            }
        }
    }

    /// Reads what comes next, or finds out that it is not there any more.
    async fn catch_up(&mut self) -> Result<Option<Told>, StoreError> {
        let page = self.store.events_after(&self.scope, self.last, limits::PAGE_ROWS_MAX).await?;
        if page.first().is_some_and(|first| first.seq == self.last + 1) {
            self.read = page.into();
            return Ok(None);
        }
        let range = self.store.event_range(&self.scope).await?;
        let is_kept = self.last >= range.floor && self.last <= range.head;
        if is_kept {
            // Events that were written since the page was read are heard, or read in the next round.
            self.is_behind = range.head > self.last;
            return Ok(None);
        }
        self.last = range.head;
        Ok(Some(Told::Resync { head: range.head }))
    }
}
