//! Callers who wait in the queue: nobody waits without an end, nobody thinks meanwhile, and whoever is taken waits no more.

use crate::call::Phase;
use base::CallTime;
use model::journal::{Entry, HoldMode, Record};

/// A law that does not hold, and what was seen.
type Broken = Option<(&'static str, String)>;

/// What is known of a caller who waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    since: Option<CallTime>,
}

impl Waiting {
    /// What is wrong with this entry.
    pub fn entry(&mut self, record: &Record) -> Broken {
        match &record.entry {
            Entry::Queued { .. } if self.since.replace(record.at).is_some() => {
                Some(("nobody_waits_twice", "queued again".into()))
            }
            Entry::LeftQueue { .. } if self.since.take().is_none() => {
                Some(("the_queue_is_left_once", "nobody waits".into()))
            }
            Entry::TakenOver { mode: HoldMode::TakeOver, .. } | Entry::Ending { .. } | Entry::Ended { .. } => {
                let is_waiting = self.since.take().is_some();
                is_waiting.then(|| ("whoever_is_taken_waits_no_more", "the queue was not left".into()))
            }
            _ => None,
        }
    }

    /// The process died; this was durable.
    pub fn killed(&mut self, journal: &[Record]) {
        self.since = None;
        for record in journal {
            self.entry(record);
        }
    }

    /// What is wrong with asking a brain.
    pub fn asks(&self) -> Broken {
        self.since.map(|since| ("nobody_thinks_for_who_waits", format!("they wait since {since}")))
    }

    /// What is wrong after this step of a machine whose next deadline is `deadline`.
    pub fn after_step(&self, now: CallTime, deadline: Option<CallTime>, phase: Phase, wait_ms_max: u64) -> Broken {
        let since = self.since?;
        match phase {
            // Their audio is away, or somebody has them for a word.
            Phase::Paused | Phase::WithHuman => None,
            Phase::Queued | Phase::Speaking => {
                // The time may have run out meanwhile: then it is at once.
                let by = (since.0 + wait_ms_max).max(now.0);
                let is_late = deadline.is_none_or(|deadline| deadline.0 > by);
                is_late.then(|| ("nobody_waits_without_an_end", format!("they wait since {since}")))
            }
            other => Some(("who_waits_is_seen_to_wait", format!("{} since {since}", other.name()))),
        }
    }
}
