//! Durable jobs: work that is done once it was asked for, whoever dies meanwhile.

use super::{Answer, Cursor, Page};
use async_trait::async_trait;
use base::{BusinessId, limits};
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

/// A job to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// What, by the name of who does it, such as `webhook.deliver`.
    pub kind: String,
    /// For which business; `None` for the installation.
    pub business: Option<BusinessId>,
    /// What the worker is told; at most [`limits::JOB_PAYLOAD_BYTES_MAX`] of JSON. No secrets.
    pub payload: Value,
    /// Unix milliseconds before which it is not begun.
    pub run_at_ms: i64,
    /// Attempts before it is a dead letter.
    pub attempts_max: u32,
    /// While a job of the same key waits or runs, no second one is taken.
    pub unique: Option<String>,
}

impl NewJob {
    /// A job of the installation, as soon as possible.
    pub fn now(kind: &str, payload: Value, now_ms: i64) -> Self {
        Self {
            kind: kind.to_owned(),
            business: None,
            payload,
            run_at_ms: now_ms,
            attempts_max: limits::JOB_ATTEMPTS_MAX,
            unique: None,
        }
    }
}

/// A job that a worker holds, until its lease ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// What.
    pub kind: String,
    /// For which business.
    pub business: Option<BusinessId>,
    /// What the worker is told.
    pub payload: Value,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Attempts before it is a dead letter.
    pub attempts_max: u32,
    /// Unix milliseconds when it was asked for.
    pub created_at_ms: i64,
    /// Names this claim: whoever claims the job after the lease has ended has another one.
    pub lease: Uuid,
}

/// What becomes of a job whose attempt did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It is tried again at this time (Unix milliseconds), unless this was its last attempt.
    Retry(i64),
    /// It is done again at this time, and this attempt does not count: nothing went wrong, it is only not over.
    Again(i64),
    /// It is a dead letter: trying again would not help.
    Dead,
}

/// A job that is not tried any more, unless a person asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadJob {
    /// Its id.
    pub id: Uuid,
    /// What.
    pub kind: String,
    /// For which business.
    pub business: Option<BusinessId>,
    /// What the worker was told.
    pub payload: Value,
    /// Attempts that were made.
    pub attempts: u32,
    /// Why the last one failed.
    pub error: String,
    /// Unix milliseconds when it was given up.
    pub died_at_ms: i64,
}

/// How many jobs of a kind there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    /// Which kind.
    pub kind: String,
    /// Waiting, and those whose time has not come.
    pub waiting: u64,
    /// Held by a worker.
    pub running: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Durable jobs. For workers of the installation, never for a tenant: what a business may see of its jobs is shown by the
/// areas they belong to.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Changes whenever this process has written a job.
    fn job_bell(&self) -> watch::Receiver<u64>;
    /// Unix milliseconds by the database's clock: leases are compared by it, so that a node whose clock is wrong takes
    /// nothing from others.
    async fn now_ms(&self) -> Answer<i64>;
    /// Asks for a job. `None` when there is one with its unique key.
    async fn enqueue(&self, job: &NewJob, now_ms: i64) -> Answer<Option<Uuid>>;
    /// Takes due jobs of a kind, oldest first, for `lease_ms`: no other worker gets them until then. Jobs whose worker died
    /// are due when their lease has ended; those that have no attempt left become dead letters.
    async fn claim(&self, kind: &str, jobs_max: u32, lease_ms: u64, now_ms: i64) -> Answer<Vec<Job>>;
    /// Keeps a job for another `lease_ms`. `false` when it is this worker's no more.
    async fn heartbeat(&self, job: &Job, lease_ms: u64, now_ms: i64) -> Answer<bool>;
    /// It is done, and forgotten. `false` when it was this worker's no more.
    async fn complete(&self, job: &Job) -> Answer<bool>;
    /// It did not work, for this reason (cut to [`limits::JOB_ERROR_CHARS_MAX`]; no personal data). `false` when it was this
    /// worker's no more.
    async fn fail(&self, job: &Job, error: &str, after: After, now_ms: i64) -> Answer<bool>;
    /// Dead letters, newest first, of one kind or all.
    async fn dead_jobs(&self, kind: Option<&str>, after: Option<Cursor>, rows_max: u32) -> Answer<Page<DeadJob>>;
    /// Tries a dead letter again, with all its attempts. `false` when there is no such dead letter.
    async fn requeue(&self, id: Uuid, now_ms: i64) -> Answer<bool>;
    /// How many there are, for metrics.
    async fn job_counts(&self) -> Answer<Vec<JobCount>>;
    /// Forgets dead letters given up before this time, at most [`limits::PRUNE_ROWS_MAX`] at once, and answers how many.
    async fn prune_dead_jobs(&self, before_ms: i64) -> Answer<u64>;
    /// When an entry of the calendar was last due; the first time it is asked for, `now_ms`, and that is kept.
    async fn cron_last(&self, name: &str, now_ms: i64) -> Answer<i64>;
    /// Asks for the job of an entry that has become due at `due_ms`, unless somebody else has done so: `last_ms` is what
    /// [`Jobs::cron_last`] answered. `true` for the one who did.
    async fn cron_due(&self, name: &str, last_ms: i64, due_ms: i64, job: &NewJob, now_ms: i64) -> Answer<bool>;
}
