//! Durable jobs, done.
//!
//! A worker has *lanes*: one kind of job each, with a bound of its own, so that one kind that takes long holds up no other.
//! A lane claims what is due as it has room, keeps the lease while the job is done, and notes what became of it. Whoever
//! writes a handler writes it so that doing the job twice does no harm: a worker may die between the work and its note.

mod calendar;
mod housekeeping;
mod retry;
#[cfg(test)]
mod tests;

pub use calendar::{Calendar, Entry, EntryError};
pub use housekeeping::{HOUSEKEEPING_JOB, Housekeeping, RETENTION_JOB, Retention};
pub use retry::pause_after;

use async_trait::async_trait;
use base::limits;
use std::sync::Arc;
use std::time::Duration;
use store::{After, Job, Store, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is to be done again at this time (Unix milliseconds); nothing went wrong.
    Again(i64),
    /// It did not work and may the next time; the pause is the worker's.
    Retry(String),
    /// It did not work and will not.
    Dead(String),
}

impl From<StoreError> for Outcome {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(_) => Self::Done, // What it was about is gone.
            other => Self::Retry(other.to_string()),
        }
    }
}

/// Does jobs of one kind.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Does it. Ends by itself: every wait within has a deadline.
    async fn run(&self, job: &Job) -> Outcome;
}

/// One kind of job.
struct Lane {
    kind: &'static str,
    at_once: usize,
    handler: Arc<dyn Handler>,
}

/// Does jobs until it is told to stop.
pub struct Worker {
    store: Arc<dyn Store>,
    lanes: Vec<Lane>,
    calendar: Calendar,
}

impl Worker {
    /// A worker without lanes.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, lanes: Vec::new(), calendar: Calendar::default() }
    }

    /// Also does jobs of this kind, at most so many at once.
    #[must_use]
    pub fn lane(mut self, kind: &'static str, at_once: usize, handler: Arc<dyn Handler>) -> Self {
        self.lanes.push(Lane { kind, at_once: at_once.clamp(1, limits::JOBS_AT_ONCE_MAX), handler });
        self
    }

    /// Also asks for jobs at certain times.
    #[must_use]
    pub fn entry(mut self, entry: Entry) -> Self {
        self.calendar.entries.push(entry);
        self
    }

    /// Works until `stop` is cancelled; then takes nothing new, lets what is begun finish within `grace`, and gives back
    /// the rest: their leases end, and another worker takes them.
    pub async fn run(self, stop: CancellationToken, grace: Duration) {
        let jobs = TaskTracker::new();
        let abort = CancellationToken::new();
        let loops = TaskTracker::new();
        for lane in self.lanes {
            let run = run_lane(Arc::clone(&self.store), lane, jobs.clone(), stop.clone(), abort.clone());
            loops.spawn(run);
        }
        loops.spawn(self.calendar.run(Arc::clone(&self.store), stop.clone()));
        loops.close();
        loops.wait().await;
        jobs.close();
        if tokio::time::timeout(grace, jobs.wait()).await.is_err() {
            abort.cancel();
            jobs.wait().await;
        }
    }
}

async fn run_lane(
    store: Arc<dyn Store>,
    lane: Lane,
    jobs: TaskTracker,
    stop: CancellationToken,
    abort: CancellationToken,
) {
    let mut bell = store.job_bell();
    let room = Arc::new(Semaphore::new(lane.at_once));
    loop {
        let free = tokio::select! {
            () = stop.cancelled() => return,
            free = Arc::clone(&room).acquire_owned() => free,
        };
        let Ok(first) = free else { return }; // Nobody closes it.
        bell.mark_unchanged();
        let claimed = claim(store.as_ref(), lane.kind, room.available_permits() + 1).await;
        let mut permit = Some(first);
        let mut count = 0;
        for job in claimed {
            count += 1;
            let permit = permit.take().or_else(|| Arc::clone(&room).try_acquire_owned().ok());
            let (store, handler) = (Arc::clone(&store), Arc::clone(&lane.handler));
            jobs.spawn(do_job(store, handler, job, permit, abort.clone()));
        }
        drop(permit);
        if count == 0 {
            let pause = Duration::from_millis(limits::JOBS_POLL_MS);
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tokio::time::timeout(pause, bell.changed()) => {}
            }
        }
    }
}

async fn claim(store: &dyn Store, kind: &str, room: usize) -> Vec<Job> {
    let jobs_max = u32::try_from(room).unwrap_or(1).min(limits::JOBS_CLAIMED_MAX);
    let claimed = match store.now_ms().await {
        Ok(now_ms) => store.claim(kind, jobs_max, limits::JOB_LEASE_MS, now_ms).await,
        Err(error) => Err(error),
    };
    claimed.unwrap_or_else(|error| {
        tracing::warn!(kind, %error, "jobs cannot be taken");
        Vec::new()
    })
}

/// Does one job, keeps its lease meanwhile, and notes what became of it.
async fn do_job(
    store: Arc<dyn Store>,
    handler: Arc<dyn Handler>,
    job: Job,
    _permit: Option<OwnedSemaphorePermit>,
    abort: CancellationToken,
) {
    let began = Instant::now();
    // A panic of a handler is a failure of its job, not of the worker.
    let (task_handler, task_job) = (Arc::clone(&handler), job.clone());
    let mut work = tokio::spawn(async move { task_handler.run(&task_job).await });
    let mut beat = tokio::time::interval(Duration::from_millis(limits::JOB_LEASE_MS / 3));
    beat.tick().await;
    let outcome = loop {
        tokio::select! {
            done = &mut work => break done.unwrap_or_else(|_| Outcome::Retry("the handler panicked".into())),
            () = abort.cancelled() => {
                work.abort();
                break Outcome::Again(0);
            }
            _ = beat.tick() => {
                if !keep(store.as_ref(), &job).await {
                    // Another worker has it: what is still done here would be done twice.
                    work.abort();
                    tracing::warn!(kind = job.kind, job = %job.id, "a job was taken by another worker");
                    return;
                }
            }
        }
    };
    let word = match &outcome {
        Outcome::Done => "done",
        Outcome::Again(_) => "again",
        Outcome::Retry(_) => "retry",
        Outcome::Dead(_) => "dead",
    };
    metrics::counter!("frontdesk_jobs_total", "kind" => job.kind.clone(), "outcome" => word).increment(1);
    metrics::histogram!("frontdesk_job_seconds", "kind" => job.kind.clone()).record(began.elapsed().as_secs_f64());
    if let Err(error) = note(store.as_ref(), &job, outcome).await {
        tracing::warn!(kind = job.kind, job = %job.id, %error, "what became of a job was not noted; it is done again");
    }
}

/// Keeps the lease. A store that does not answer is given the benefit of the doubt until the lease has really ended.
async fn keep(store: &dyn Store, job: &Job) -> bool {
    let kept = match store.now_ms().await {
        Ok(now_ms) => store.heartbeat(job, limits::JOB_LEASE_MS, now_ms).await,
        Err(error) => Err(error),
    };
    kept.unwrap_or(true)
}

async fn note(store: &dyn Store, job: &Job, outcome: Outcome) -> Result<(), StoreError> {
    match outcome {
        Outcome::Done => store.complete(job).await?,
        Outcome::Again(at_ms) => {
            let now_ms = store.now_ms().await?;
            store.fail(job, "", After::Again(at_ms.max(now_ms)), now_ms).await?
        }
        Outcome::Retry(why) => {
            let now_ms = store.now_ms().await?;
            tracing::warn!(kind = job.kind, job = %job.id, attempt = job.attempt, why, "a job did not work");
            let pause = pause_after(job.attempt, job.id.as_u64_pair().1);
            store.fail(job, &why, After::Retry(now_ms.saturating_add(pause)), now_ms).await?
        }
        Outcome::Dead(why) => {
            tracing::error!(kind = job.kind, job = %job.id, why, "a job was given up");
            store.fail(job, &why, After::Dead, store.now_ms().await?).await?
        }
    };
    Ok(())
}
