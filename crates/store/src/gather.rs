//! What live calls write, many of them in one transaction.
//!
//! SQLite has one writer, and whatever a transaction writes, it writes whole pages: a hundred calls that each write a few rows
//! a second write the same pages a hundred times, and stand in line for it. So what comes within a moment goes together. Each
//! caller still learns for itself when, and whether, its own rows are written.

use crate::areas::journal::{Entries, SEVERAL};
use crate::contract::Answer;
use crate::db::Args;
use crate::error::StoreError;
use crate::sql_store::SqlStore;
use base::{JournalSeq, limits};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What may go together with what others write.
#[derive(Clone, Debug)]
pub(crate) enum Together {
    /// Entries of a journal.
    Entries(Entries),
    /// Rows of recorded inputs.
    Inputs(Vec<Args<'static>>),
}

type Told = oneshot::Sender<Answer<JournalSeq>>;

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<(Together, Told)>,
    /// A task is at work on it.
    is_served: bool,
    /// When the last of it was written.
    written_at: Option<Instant>,
}

/// What waits to be written. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered(Arc<Mutex<Queue>>);

impl Gathered {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // The guarded sections do not panic half way, so a poisoned queue is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SqlStore {
    /// Writes this together with what others write in this moment. The answer is what became of this alone.
    pub(crate) async fn gather(&self, work: Together) -> Answer<JournalSeq> {
        let (told, answer) = oneshot::channel();
        let is_first = {
            let mut queue = self.gathered.queue();
            // A call has one writer that waits for its answer, so this bounds itself; should it not, the rest is told.
            if queue.waiting.len() >= limits::WRITES_GATHERED_MAX {
                return Err(StoreError::Unavailable("too much waits to be written".into()));
            }
            queue.waiting.push((work, told));
            !std::mem::replace(&mut queue.is_served, true)
        };
        if is_first {
            let store = self.clone();
            tokio::spawn(async move { store.serve_gathered().await });
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the store is closed".into())))
    }

    async fn serve_gathered(&self) {
        loop {
            // What comes after a while of nothing waits for nobody.
            let last = self.gathered.queue().written_at;
            if let Some(last) = last {
                tokio::time::sleep_until(last + Duration::from_millis(limits::WRITES_GATHERED_MS)).await;
            }
            let (work, told): (Vec<_>, Vec<_>) = {
                let mut queue = self.gathered.queue();
                queue.is_served = !queue.waiting.is_empty();
                std::mem::take(&mut queue.waiting).into_iter().unzip()
            };
            if work.is_empty() {
                return;
            }
            let answers = match self.write_together(&work).await {
                Ok(answers) => answers,
                // A database that is away is away for all of them; nothing was written, or it is found written next time.
                Err(error) if error.is_retryable() => work.iter().map(|_| Err(error.clone())).collect(),
                Err(_) => self.write_apart(work).await,
            };
            self.gathered.queue().written_at = Some(Instant::now());
            for (told, answer) in told.into_iter().zip(answers) {
                let _ = told.send(answer); // Whoever asked may have gone.
            }
        }
    }

    /// One of them cannot be written: the others must not suffer for it.
    async fn write_apart(&self, all: Vec<Together>) -> Vec<Answer<JournalSeq>> {
        let mut answers = Vec::with_capacity(all.len());
        for one in all {
            answers.push(match one {
                Together::Entries(entries) => self.write_entries(&entries).await,
                Together::Inputs(rows) => self.write_inputs(SEVERAL, rows).await.map(|()| JournalSeq(0)),
            });
        }
        answers
    }
}
