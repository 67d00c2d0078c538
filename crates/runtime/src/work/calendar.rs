//! Jobs at certain times: entries in the form of cron, in a time zone, each asked for once however many nodes there are.

use base::limits;
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::{NewJob, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// Why an entry is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The times cannot be read.
    #[error("{pattern} is no time in the form of cron: {why}")]
    Pattern {
        /// What was written.
        pattern: String,
        /// Why.
        why: String,
    },
    /// There is no such time zone.
    #[error("there is no time zone {0}")]
    Zone(String),
}

/// A job at certain times.
#[derive(Clone, Debug)]
pub struct Entry {
    name: String,
    cron: Cron,
    zone: TimeZone,
    kind: &'static str,
    payload: Value,
    at_start: bool,
}

impl Entry {
    /// A job of this kind whenever the pattern says so in the zone: five fields, or six with seconds first, as
    /// `30 3 * * *`. A time that a change of the clocks leaves out comes right after it; one that comes twice counts once.
    ///
    /// # Errors
    /// When the pattern or the zone cannot be read.
    pub fn new(name: &str, pattern: &str, zone: &str, kind: &'static str) -> Result<Self, EntryError> {
        let cron = CronParser::builder().seconds(Seconds::Optional).build().parse(pattern);
        let cron = cron.map_err(|error| EntryError::Pattern { pattern: pattern.to_owned(), why: error.to_string() })?;
        let zone = TimeZone::get(zone).map_err(|_| EntryError::Zone(zone.to_owned()))?;
        Ok(Self { name: name.to_owned(), cron, zone, kind, payload: Value::Null, at_start: false })
    }

    /// Also when a worker starts: for what nobody should wait for after a change of the configuration.
    #[must_use]
    pub fn and_at_start(mut self) -> Self {
        self.at_start = true;
        self
    }

    fn job(&self, now_ms: i64) -> NewJob {
        let mut job = NewJob::now(self.kind, self.payload.clone(), now_ms);
        // While the last one is still being done, the next one would only be in its way.
        job.unique = Some(format!("calendar {}", self.name));
        job
    }

    /// The last time up to `now_ms` that is after `last_ms` (Unix milliseconds): what is due. Times that were missed while
    /// nobody worked are made up for once, not one by one.
    pub fn due(&self, last_ms: i64, now_ms: i64) -> Option<i64> {
        let now = self.zoned(now_ms)?;
        let latest = self.cron.find_previous_occurrence(&now, true).ok()?.timestamp().as_millisecond();
        (latest > last_ms).then_some(latest)
    }

    fn zoned(&self, at_ms: i64) -> Option<Zoned> {
        Some(Timestamp::from_millisecond(at_ms).ok()?.to_zoned(self.zone.clone()))
    }
}

/// All entries.
#[derive(Debug, Default)]
pub struct Calendar {
    pub(super) entries: Vec<Entry>,
}

impl Calendar {
    /// Asks for what is due until `stop` is cancelled.
    pub(super) async fn run(self, store: Arc<dyn Store>, stop: CancellationToken) {
        for entry in self.entries.iter().filter(|entry| entry.at_start) {
            if let Err(error) = ask_now(store.as_ref(), entry).await {
                tracing::warn!(entry = entry.name, %error, "an entry of the calendar has to wait for its time");
            }
        }
        let mut tick = tokio::time::interval(Duration::from_millis(limits::CRON_TICK_MS));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            for entry in &self.entries {
                if let Err(error) = look(store.as_ref(), entry).await {
                    tracing::warn!(entry = entry.name, %error, "an entry of the calendar was not looked at");
                }
            }
        }
    }
}

async fn ask_now(store: &dyn Store, entry: &Entry) -> Result<(), StoreError> {
    let now_ms = store.now_ms().await?;
    store.enqueue(&entry.job(now_ms), now_ms).await.map(drop)
}

/// Asks for the job of an entry if it is due. `true` when this node did.
pub(super) async fn look(store: &dyn Store, entry: &Entry) -> Result<bool, StoreError> {
    look_at(store, entry, store.now_ms().await?).await
}

pub(super) async fn look_at(store: &dyn Store, entry: &Entry, now_ms: i64) -> Result<bool, StoreError> {
    let last_ms = store.cron_last(&entry.name, now_ms).await?;
    let Some(due_ms) = entry.due(last_ms, now_ms) else { return Ok(false) };
    store.cron_due(&entry.name, last_ms, due_ms, &entry.job(now_ms), now_ms).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    #[test]
    fn an_entry_is_due_once_at_its_time_and_what_was_missed_counts_once() {
        let entry = Entry::new("night", "30 3 * * *", "Europe/Berlin", "x").expect("an entry");
        let last = ms("2026-06-01T00:00:00Z");
        assert_eq!(entry.due(last, ms("2026-06-01T01:29:59Z")), None);
        let due = ms("2026-06-01T01:30:00Z");
        assert_eq!(entry.due(last, due), Some(due));
        assert_eq!(entry.due(due, ms("2026-06-01T12:00:00Z")), None);
        assert_eq!(entry.due(due, ms("2026-06-05T12:00:00Z")), Some(ms("2026-06-05T01:30:00Z")));
    }

    #[test]
    fn an_hour_that_the_clocks_leave_out_or_repeat_neither_loses_nor_doubles_a_job() {
        let entry = Entry::new("night", "30 2 * * *", "Europe/Berlin", "x").expect("an entry");
        for (day, before) in [("2026-03-29", "2026-03-28T12:00:00Z"), ("2026-10-25", "2026-10-24T12:00:00Z")] {
            let mut last = ms(before);
            let mut times = 0;
            for minute in 0..24 * 60 {
                let now = ms(&format!("{day}T00:00:00Z")) - 2 * 3_600_000 + minute * 60_000;
                if let Some(due) = entry.due(last, now) {
                    (last, times) = (due, times + 1);
                }
            }
            assert_eq!(times, 1, "{day}");
        }
    }

    #[test]
    fn what_is_no_time_or_no_zone_is_said() {
        let error = Entry::new("x", "61 * * * *", "UTC", "x").expect_err("no minute");
        assert!(error.to_string().contains("61 * * * *"), "{error}");
        assert_eq!(
            Entry::new("x", "* * * * *", "Mars/Olympus", "x").err(),
            Some(EntryError::Zone("Mars/Olympus".into()))
        );
    }
}
