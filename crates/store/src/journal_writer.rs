//! How a live call writes its journal: `append` never waits, a task behind it writes groups in order, and whoever must not
//! act before an entry is safe watches [`JournalWriter::durable`].
//!
//! While the database is away, entries wait in memory (at most [`limits::JOURNAL_BUFFER_MAX`]) and the call goes on.

use crate::contract::{Journal, WriterId};
use crate::error::StoreError;
use base::{CallId, JournalSeq, limits};
use model::business::TenantScope;
use model::journal::Record;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Why an entry was not taken. Nothing is ever dropped silently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The database has been away for so long that the buffer is full. The call must end with that reason.
    #[error("the journal's buffer is full")]
    Overflow,
    /// The writer has stopped for this reason, [`StoreError::Fenced`] among them; nothing more will be written.
    #[error(transparent)]
    Stopped(StoreError),
    /// The entry does not follow the last one.
    #[error("the journal entry leaves a gap")]
    Gap,
}

#[derive(Debug, Default)]
struct Buffer {
    waiting: VecDeque<Record>,
    last: JournalSeq,
    stopped: Option<StoreError>,
    closing: bool,
}

#[derive(Debug)]
struct Shared {
    buffer: Mutex<Buffer>,
    wake: Notify,
}

impl Shared {
    fn buffer(&self) -> std::sync::MutexGuard<'_, Buffer> {
        // The guarded sections do not panic half way, so a poisoned buffer is still whole.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The journal of one live call, for the one task that runs the call.
#[derive(Debug)]
pub struct JournalWriter {
    shared: Arc<Shared>,
    durable: watch::Receiver<JournalSeq>,
}

impl JournalWriter {
    /// Starts writing after `last`, the last entry that is already durable (0 for a new call).
    pub fn start(journal: Arc<dyn Journal>, scope: TenantScope, call: CallId, last: JournalSeq) -> Self {
        let buffer = Buffer { last, ..Buffer::default() };
        let shared = Arc::new(Shared { buffer: Mutex::new(buffer), wake: Notify::new() });
        let (sender, durable) = watch::channel(last);
        let writer = Writer { journal, scope, call, id: WriterId::generate(), shared: shared.clone(), durable: sender };
        tokio::spawn(writer.run());
        Self { shared, durable }
    }

    /// Takes an entry. Never waits.
    pub fn append(&self, record: Record) -> Result<(), AppendError> {
        let mut buffer = self.shared.buffer();
        if let Some(reason) = &buffer.stopped {
            return Err(AppendError::Stopped(reason.clone()));
        }
        if record.seq != buffer.last.next() {
            return Err(AppendError::Gap);
        }
        if buffer.waiting.len() >= limits::JOURNAL_BUFFER_MAX {
            return Err(AppendError::Overflow);
        }
        buffer.last = record.seq;
        buffer.waiting.push_back(record);
        drop(buffer);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// The last durable place, as it moves. Closes when nothing more will ever become durable.
    pub fn durable(&self) -> watch::Receiver<JournalSeq> {
        self.durable.clone()
    }

    /// Waits until this entry is durable; the error says why it never will be. Put a deadline around it.
    pub async fn wait(&self, seq: JournalSeq) -> Result<(), StoreError> {
        wait_durable(self.durable(), seq).await.map_err(|_| self.stopped().unwrap_or(StoreError::Fenced))
    }

    /// Entries in memory that are not durable yet.
    pub fn waiting(&self) -> usize {
        self.shared.buffer().waiting.len()
    }

    /// Why the writer stopped, if it did.
    pub fn stopped(&self) -> Option<StoreError> {
        self.shared.buffer().stopped.clone()
    }

    /// Writes what waits, for at most this long, and stops. Answers how many entries were not written.
    pub async fn finish(self, deadline: Duration) -> usize {
        let last = self.shared.buffer().last;
        let _ = tokio::time::timeout(deadline, self.wait(last)).await;
        self.waiting()
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        self.shared.buffer().closing = true;
        self.shared.wake.notify_one();
    }
}

/// The watch of a journal closed before the entry became durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal stopped before the entry was durable")]
pub struct NeverDurable;

/// Waits on a journal's watch until this entry is durable. For effects that run apart from the call's own task.
pub async fn wait_durable(mut durable: watch::Receiver<JournalSeq>, seq: JournalSeq) -> Result<(), NeverDurable> {
    durable.wait_for(|last| *last >= seq).await.map(drop).map_err(|_| NeverDurable)
}

struct Writer {
    journal: Arc<dyn Journal>,
    scope: TenantScope,
    call: CallId,
    id: WriterId,
    shared: Arc<Shared>,
    durable: watch::Sender<JournalSeq>,
}

impl Writer {
    async fn run(self) {
        loop {
            let (group, closing) = {
                let buffer = self.shared.buffer();
                (buffer.waiting.iter().cloned().collect::<Vec<_>>(), buffer.closing)
            };
            if group.is_empty() {
                if closing {
                    return;
                }
                self.shared.wake.notified().await;
                continue;
            }
            if let Err(reason) = self.write(&group).await {
                let mut buffer = self.shared.buffer();
                tracing::error!(call = %self.call, lost = buffer.waiting.len(), %reason, "journal writer stopped");
                buffer.stopped = Some(reason);
                return;
            }
        }
    }

    /// Writes one group, however often that takes while the call lives.
    async fn write(&self, group: &[Record]) -> Result<(), StoreError> {
        let expected = *self.durable.borrow();
        let mut pause = Duration::from_millis(limits::JOURNAL_RETRY_MS);
        let mut give_up_at = None;
        let mut warned = false;
        loop {
            let reason = match self.journal.append(&self.scope, self.call, self.id, expected, group).await {
                Ok(last) => {
                    self.shared.buffer().waiting.drain(..group.len());
                    self.durable.send_replace(last);
                    return Ok(());
                }
                Err(reason) if reason.is_retryable() => reason,
                Err(reason) => return Err(reason),
            };
            if !std::mem::replace(&mut warned, true) {
                tracing::warn!(call = %self.call, waiting = group.len(), %reason, "journal entries wait for the database");
            }
            if self.shared.buffer().closing && give_up_at.is_none() {
                give_up_at = Some(Instant::now() + Duration::from_millis(limits::JOURNAL_FLUSH_MS_MAX));
            }
            if give_up_at.is_some_and(|at| Instant::now() >= at) {
                return Err(reason);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(limits::JOURNAL_RETRY_MS_MAX));
        }
    }
}
