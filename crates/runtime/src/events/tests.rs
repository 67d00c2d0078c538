//! Followers miss nothing, whoever writes and however slowly they read.

use super::*;
use model::event::EventKind;
use serde_json::json;
use store::laws::{Tenant, tenant};
use store::{SqlStore, SqliteOptions};

struct Office {
    _folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    feed: Feed,
    shop: Tenant,
}

impl Office {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let shop = tenant(store.as_ref(), "shop", "+49405550170").await;
        Self { _folder: folder, feed: Feed::new(Arc::clone(&store)), store, shop }
    }

    async fn emit(&self, count: u64) {
        for _ in 0..count {
            let (scope, subject) = (&self.shop.scope, self.shop.scope.business.0);
            self.store.emit(scope, EventKind::WebhookTest, subject, &json!({}), 1).await.expect("an event");
        }
    }

    async fn follow(&self, after: Option<u64>) -> Follow {
        self.feed.follow(self.shop.scope, after).await.expect("a follower")
    }
}

/// The places of the next events.
async fn places(follow: &mut Follow, count: usize) -> Vec<u64> {
    let mut places = Vec::new();
    while places.len() < count {
        let told = tokio::time::timeout(Duration::from_secs(20), follow.next()).await.expect("in time");
        match told.expect("told") {
            Told::Event(event) => places.push(event.seq),
            other => panic!("{other:?}"),
        }
    }
    places
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_hears_what_is_written_and_one_who_comes_back_hears_the_rest() {
    let office = Office::open().await;
    office.emit(3).await;
    let mut from_now = office.follow(None).await;
    let mut from_two = office.follow(Some(1)).await;
    office.emit(2).await;
    assert_eq!(places(&mut from_now, 2).await, [4, 5]);
    assert_eq!(places(&mut from_two, 4).await, [2, 3, 4, 5]);
    let place = from_two.last();
    drop(from_two);
    office.emit(250).await;
    let mut back = office.follow(Some(place)).await;
    assert_eq!(places(&mut back, 250).await, (6..=255).collect::<Vec<_>>());
    assert_eq!(office.feed.followers(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_follower_falls_behind_and_still_misses_nothing() {
    let office = Office::open().await;
    let mut slow = office.follow(None).await;
    let mut quick = office.follow(None).await;
    let events = limits::EVENTS_AHEAD_MAX as u64 + 40;
    office.emit(1).await;
    assert_eq!(places(&mut slow, 1).await, [1]);
    office.emit(events).await;
    assert_eq!(places(&mut quick, events as usize + 1).await.len(), events as usize + 1);
    assert_eq!(places(&mut slow, events as usize).await, (2..=events + 1).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_what_is_gone_or_never_was_is_told_to_begin_anew() {
    let office = Office::open().await;
    office.emit(10).await;
    office.store.prune_events(0, 4).await.expect("pruned");
    for after in [0, 5, 11, 9_999_999] {
        let mut lost = office.follow(Some(after)).await;
        assert_eq!(lost.next().await, Ok(Told::Resync { head: 10 }), "{after}");
    }
    let mut fine = office.follow(Some(6)).await;
    assert_eq!(places(&mut fine, 4).await, [7, 8, 9, 10]);
    office.feed.close();
    assert_eq!(fine.next().await, Ok(Told::Closing));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_of_one_business_are_bounded_and_leave_nothing_behind() {
    let office = Office::open().await;
    let mut all = Vec::new();
    for _ in 0..limits::EVENT_STREAMS_PER_BUSINESS_MAX {
        all.push(office.follow(None).await);
    }
    let more = office.feed.follow(office.shop.scope, None).await;
    assert_eq!(more.err(), Some(FollowError::TooMany));
    drop(all);
    assert_eq!(office.feed.followers(), 0);
    assert!(lock(&office.feed.inner.tails).is_empty());
}
