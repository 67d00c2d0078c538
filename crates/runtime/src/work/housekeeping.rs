//! The jobs of the installation: what is past its time goes.

use super::{Handler, Outcome};
use crate::privacy::{self, Swept};
use crate::recordings::Recordings;
use crate::retention::{self, Deleted};
use async_trait::async_trait;
use base::limits;
use std::sync::Arc;
use store::{Job, Store, StoreError};

/// The kind of job that deletes what was said in old calls.
pub const RETENTION_JOB: &str = "retention";
/// The kind of job that forgets old events, deliveries and dead letters.
pub const HOUSEKEEPING_JOB: &str = "housekeeping";

/// Deletes what was said and heard in calls that have been over for some time.
pub struct Retention {
    /// Where the calls are.
    pub store: Arc<dyn Store>,
    /// Where recordings are.
    pub recordings: Recordings,
    /// How long after its end a call is kept; `None`: for ever, unless its business says otherwise.
    pub kept_ms: Option<i64>,
}

#[async_trait]
impl Handler for Retention {
    async fn run(&self, _job: &Job) -> Outcome {
        let now_ms = crate::wall_ms();
        match self.sweep(now_ms).await {
            Ok(swept) => {
                if swept != Swept::default() {
                    let Swept { deleted, recordings, numbers, redacted } = swept;
                    let Deleted { calls, files, left } = deleted;
                    tracing::info!(calls, files, left, recordings, numbers, redacted, "what is past its time is gone");
                }
                Outcome::Done
            }
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}

impl Retention {
    async fn sweep(&self, now_ms: i64) -> Result<Swept, StoreError> {
        self.sweep_traces(now_ms).await;
        let store = self.store.as_ref();
        let mut swept = privacy::sweep_all(store, &self.recordings, now_ms).await?;
        if let Some(kept_ms) = self.kept_ms {
            swept.deleted += retention::sweep(store, &self.recordings, now_ms - kept_ms, now_ms).await?;
        }
        Ok(swept)
    }
}

impl Retention {
    async fn sweep_traces(&self, now_ms: i64) {
        let traces = self.recordings.traces();
        match traces.remove_written_before(now_ms - limits::SIP_TRACE_KEPT_MS as i64).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "traces of calls are past their time and gone"),
            // The next sweep goes on, and nobody is given a trace past its time meanwhile.
            Err(error) => tracing::error!(%error, "traces of calls are past their time and stay"),
        }
    }
}

/// Forgets events, deliveries of webhooks and dead letters that are past their time.
pub struct Housekeeping {
    /// Where they are.
    pub store: Arc<dyn Store>,
}

#[async_trait]
impl Handler for Housekeeping {
    async fn run(&self, _job: &Job) -> Outcome {
        match self.sweep().await {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}

impl Housekeeping {
    /// Steps are small, so that live calls write in between; a run that has much to do leaves the rest to the next one.
    async fn sweep(&self) -> Result<(), StoreError> {
        let before = |kept_ms: u64| crate::wall_ms() - kept_ms as i64;
        for _ in 0..limits::PRUNE_STEPS_MAX {
            let events = self.store.prune_events(before(limits::EVENTS_KEPT_MS), limits::EVENTS_KEPT_MAX).await?;
            let deliveries = self.store.prune_webhook_log(before(limits::DELIVERIES_KEPT_MS)).await?;
            let dead = self.store.prune_dead_jobs(before(limits::JOBS_DEAD_KEPT_MS)).await?;
            let mails = self.store.prune_mails(before(limits::JOBS_DEAD_KEPT_MS)).await?;
            if events + deliveries + dead + mails == 0 {
                break;
            }
        }
        for count in self.store.job_counts().await? {
            let states = [("waiting", count.waiting), ("running", count.running), ("dead", count.dead)];
            for (state, number) in states {
                metrics::gauge!("frontdesk_jobs", "kind" => count.kind.clone(), "state" => state).set(number as f64);
            }
        }
        Ok(())
    }
}
