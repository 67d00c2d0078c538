//! Jobs are done by workers that may be many and may stop at any time.

use super::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::{NewJob, SqlStore, SqliteOptions};
use tokio::sync::Notify;

async fn open() -> (tempfile::TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
    (folder, Arc::new(store))
}

/// Counts how often each job was done, and how many were done at once.
#[derive(Default)]
struct Counter {
    done: Mutex<BTreeMap<u64, usize>>,
    now: AtomicUsize,
    most: AtomicUsize,
    changed: Notify,
}

impl Counter {
    async fn wait_for(&self, count: usize) {
        let all = async {
            loop {
                let changed = self.changed.notified();
                if self.done.lock().expect("whole").len() >= count {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("in time");
    }
}

#[async_trait]
impl Handler for Counter {
    async fn run(&self, job: &Job) -> Outcome {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let number = job.payload["number"].as_u64().expect("a number");
        self.now.fetch_sub(1, Ordering::SeqCst);
        assert_ne!(number, 13, "an unlucky one");
        *self.done.lock().expect("whole").entry(number).or_default() += 1;
        self.changed.notify_one();
        Outcome::Done
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_do_each_job_once_within_their_bounds() {
    let (_folder, store) = open().await;
    for number in 100..200_u64 {
        let job = NewJob::now("count", json!({ "number": number }), crate::wall_ms());
        store.enqueue(&job, crate::wall_ms()).await.expect("a job");
    }
    let counter = Arc::new(Counter::default());
    let stop = CancellationToken::new();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let worker = Worker::new(Arc::clone(&store)).lane("count", 3, Arc::clone(&counter) as Arc<dyn Handler>);
            tokio::spawn(worker.run(stop.clone(), Duration::from_secs(5)))
        })
        .collect();
    counter.wait_for(100).await;
    stop.cancel();
    for worker in workers {
        worker.await.expect("a worker");
    }
    assert!(counter.done.lock().expect("whole").values().all(|times| *times == 1));
    assert!(counter.most.load(Ordering::SeqCst) <= 6);
    assert_eq!(store.job_counts().await, Ok(Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_fails_its_job_and_the_worker_goes_on() {
    let (_folder, store) = open().await;
    for number in [13_u64, 14] {
        let job = NewJob::now("count", json!({ "number": number }), crate::wall_ms());
        store.enqueue(&NewJob { attempts_max: 1, ..job }, crate::wall_ms()).await.expect("a job");
    }
    let counter = Arc::new(Counter::default());
    let stop = CancellationToken::new();
    let worker = Worker::new(Arc::clone(&store)).lane("count", 1, Arc::clone(&counter) as Arc<dyn Handler>);
    let worker = tokio::spawn(worker.run(stop.clone(), Duration::from_secs(5)));
    counter.wait_for(1).await;
    stop.cancel();
    worker.await.expect("a worker");
    let dead = store.dead_jobs(Some("count"), None, 10).await.expect("dead letters").rows;
    assert_eq!(dead.iter().map(|job| job.error.as_str()).collect::<Vec<_>>(), ["the handler panicked"]);
}

/// Never ends by itself.
struct Endless(Notify);

#[async_trait]
impl Handler for Endless {
    async fn run(&self, _job: &Job) -> Outcome {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_gives_back_what_it_could_not_finish() {
    let (_folder, store) = open().await;
    store.enqueue(&NewJob::now("endless", json!({}), crate::wall_ms()), crate::wall_ms()).await.expect("a job");
    let endless = Arc::new(Endless(Notify::new()));
    let stop = CancellationToken::new();
    let worker = Worker::new(Arc::clone(&store)).lane("endless", 1, Arc::clone(&endless) as Arc<dyn Handler>);
    let worker = tokio::spawn(worker.run(stop.clone(), Duration::from_millis(50)));
    endless.0.notified().await;
    stop.cancel();
    worker.await.expect("a worker");
    let again = store.claim("endless", 1, 1_000, store.now_ms().await.expect("a clock")).await.expect("claimed");
    assert_eq!(again.iter().map(|job| job.attempt).collect::<Vec<_>>(), [1], "at once, and it cost no attempt");
}

#[tokio::test]
async fn an_entry_of_the_calendar_is_asked_for_once_by_two_nodes() {
    let (_folder, store) = open().await;
    let entry = Entry::new("hourly", "0 * * * *", "UTC", "sweep").expect("an entry");
    let began = 1_800_000_000_000; // A full hour.
    assert_eq!(calendar::look_at(store.as_ref(), &entry, began + 1).await, Ok(false));
    let later = began + 2 * 3_600_000 + 5;
    let (one, two) = tokio::join!(
        calendar::look_at(store.as_ref(), &entry, later),
        calendar::look_at(store.as_ref(), &entry, later)
    );
    assert_eq!([one, two].into_iter().filter(|asked| *asked == Ok(true)).count(), 1);
    assert_eq!(store.claim("sweep", 10, 1_000, later).await.expect("claimed").len(), 1);
}
