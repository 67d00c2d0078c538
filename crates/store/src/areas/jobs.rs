//! Durable jobs and the calendar.

use crate::args;
use crate::contract::{After, Answer, Cursor, DeadJob, Job, JobCount, Jobs, NewJob, Page};
use crate::db::{Db, DbRow, Reach, Tx, to_i64, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, limits};
use tokio::sync::watch;
use uuid::Uuid;

/// Jobs are done for all businesses by the same workers.
const WORKERS: Reach = Db::across("workers do the jobs of all businesses");

/// Writes a job within a transaction. `None` when there is one with its unique key. Whoever commits rings the bell.
pub(super) async fn insert(tx: &mut Tx, job: &NewJob, now_ms: i64) -> Answer<Option<Uuid>> {
    let payload = to_json(&job.payload)?;
    if payload.len() > limits::JOB_PAYLOAD_BYTES_MAX {
        return Err(StoreError::Invalid("a job is told too much"));
    }
    let id = Uuid::now_v7();
    let business = job.business.map(|business| business.0);
    let args = args![id, &job.kind, business, payload, job.run_at_ms, job.attempts_max, &job.unique, now_ms];
    Ok((tx.write(sql::INSERT_JOB, args).await? > 0).then_some(id))
}

fn read_job(row: &DbRow, lease: Uuid) -> Answer<Job> {
    Ok(Job {
        id: row.get("id")?,
        kind: row.get("kind")?,
        business: row.get::<Option<Uuid>>("business")?.map(BusinessId),
        payload: row.json("payload")?,
        attempt: row.get("attempts")?,
        attempts_max: row.get("attempts_max")?,
        created_at_ms: row.get("created_at_ms")?,
        lease,
    })
}

fn read_dead(row: &DbRow) -> Answer<DeadJob> {
    Ok(DeadJob {
        id: row.get("id")?,
        kind: row.get("kind")?,
        business: row.get::<Option<Uuid>>("business")?.map(BusinessId),
        payload: row.json("payload")?,
        attempts: row.get("attempts")?,
        error: row.get("error")?,
        died_at_ms: row.get("due_at_ms")?,
    })
}

fn cut(error: &str) -> String {
    error.chars().take(limits::JOB_ERROR_CHARS_MAX).collect()
}

#[async_trait]
impl Jobs for SqlStore {
    fn job_bell(&self) -> watch::Receiver<u64> {
        self.bells.jobs.subscribe()
    }

    async fn now_ms(&self) -> Answer<i64> {
        let row = self.db.read_one(WORKERS, sql::NOW_MS, args![]).await?;
        row.ok_or(StoreError::Corrupt("a database without a clock".into()))?.get("now_ms")
    }

    async fn enqueue(&self, job: &NewJob, now_ms: i64) -> Answer<Option<Uuid>> {
        let mut tx = self.db.begin(WORKERS).await?;
        let id = insert(&mut tx, job, now_ms).await?;
        tx.commit().await?;
        self.bells.ring_jobs();
        Ok(id)
    }

    async fn claim(&self, kind: &str, jobs_max: u32, lease_ms: u64, now_ms: i64) -> Answer<Vec<Job>> {
        // Most of the time there is nothing to do, and a look takes no lock.
        if self.db.read_one(WORKERS, sql::JOB_IS_DUE, args![kind, now_ms]).await?.is_none() {
            return Ok(Vec::new());
        }
        let lease = Uuid::now_v7();
        let until = now_ms.saturating_add(to_i64(lease_ms)?);
        let jobs_max = jobs_max.clamp(1, limits::PAGE_ROWS_MAX);
        let mut tx = self.db.begin(WORKERS).await?;
        tx.write(sql::BURY_JOBS, args![kind, now_ms]).await?;
        let rows = tx.read(sql::CLAIM_JOBS, args![kind, now_ms, lease, until, jobs_max]).await?;
        tx.commit().await?;
        rows.iter().map(|row| read_job(row, lease)).collect()
    }

    async fn heartbeat(&self, job: &Job, lease_ms: u64, now_ms: i64) -> Answer<bool> {
        let until = now_ms.saturating_add(to_i64(lease_ms)?);
        Ok(self.db.write(WORKERS, sql::KEEP_JOB, args![job.id, job.lease, until]).await? > 0)
    }

    async fn complete(&self, job: &Job) -> Answer<bool> {
        Ok(self.db.write(WORKERS, sql::COMPLETE_JOB, args![job.id, job.lease]).await? > 0)
    }

    async fn fail(&self, job: &Job, error: &str, after: After, now_ms: i64) -> Answer<bool> {
        let error = cut(error);
        let touched = match after {
            After::Retry(at_ms) => {
                let args = args![job.id, job.lease, at_ms, now_ms, error];
                self.db.write(WORKERS, sql::RETRY_FAILED_JOB, args).await?
            }
            After::Again(at_ms) => {
                self.db.write(WORKERS, sql::REPEAT_JOB, args![job.id, job.lease, at_ms, error]).await?
            }
            After::Dead => self.db.write(WORKERS, sql::BURY_JOB, args![job.id, job.lease, now_ms, error]).await?,
        };
        Ok(touched > 0)
    }

    async fn dead_jobs(&self, kind: Option<&str>, after: Option<Cursor>, rows_max: u32) -> Answer<Page<DeadJob>> {
        let rows_max = rows_max.clamp(1, limits::PAGE_ROWS_MAX);
        let after = after.unwrap_or(Cursor { at_ms: i64::MAX, id: Uuid::max() });
        let args = args![kind.unwrap_or_default(), after.at_ms, after.id, rows_max + 1];
        let rows = self.db.read(WORKERS, sql::DEAD_JOBS, args).await?;
        let mut rows = rows.iter().map(read_dead).collect::<Answer<Vec<_>>>()?;
        let more = rows.len() > rows_max as usize;
        rows.truncate(rows_max as usize);
        let next = rows.last().filter(|_| more).map(|job| Cursor { at_ms: job.died_at_ms, id: job.id });
        Ok(Page { rows, next })
    }

    async fn requeue(&self, id: Uuid, now_ms: i64) -> Answer<bool> {
        let touched = self.db.write(WORKERS, sql::REQUEUE_JOB, args![id, now_ms]).await?;
        self.bells.ring_jobs();
        Ok(touched > 0)
    }

    async fn job_counts(&self) -> Answer<Vec<JobCount>> {
        let rows = self.db.read(WORKERS, sql::JOB_COUNTS, args![]).await?;
        let mut counts: Vec<JobCount> = Vec::new();
        for row in &rows {
            let kind: String = row.get("kind")?;
            if counts.last().is_none_or(|last| last.kind != kind) {
                counts.push(JobCount { kind, waiting: 0, running: 0, dead: 0 });
            }
            let (state, count): (String, u64) = (row.get("state")?, row.get("count")?);
            if let Some(last) = counts.last_mut() {
                match state.as_str() {
                    "dead" => last.dead = count,
                    "running" => last.running = count,
                    _ => last.waiting = count,
                }
            }
        }
        Ok(counts)
    }

    async fn prune_dead_jobs(&self, before_ms: i64) -> Answer<u64> {
        self.db.write(WORKERS, sql::PRUNE_DEAD_JOBS, args![before_ms, limits::PRUNE_ROWS_MAX]).await
    }

    async fn cron_last(&self, name: &str, now_ms: i64) -> Answer<i64> {
        if let Some(row) = self.db.read_one(WORKERS, sql::CRON_LAST, args![name]).await? {
            return row.get("last_ms");
        }
        self.db.write(WORKERS, sql::CRON_BEGIN, args![name, now_ms]).await?;
        let row = self.db.read_one(WORKERS, sql::CRON_LAST, args![name]).await?;
        row.ok_or(StoreError::Corrupt("an entry of the calendar is gone".into()))?.get("last_ms")
    }

    async fn cron_due(&self, name: &str, last_ms: i64, due_ms: i64, job: &NewJob, now_ms: i64) -> Answer<bool> {
        let mut tx = self.db.begin(WORKERS).await?;
        if tx.write(sql::CRON_MOVE, args![name, last_ms, due_ms]).await? == 0 {
            return Ok(false);
        }
        insert(&mut tx, job, now_ms).await?;
        tx.commit().await?;
        self.bells.ring_jobs();
        Ok(true)
    }
}
