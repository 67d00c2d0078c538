//! Whether one more call fits: lines that are counted, what is fair among businesses, and how late this machine is.
//!
//! A call that does not fit is refused at once, because one call too many is heard in all the others.

use base::{BusinessId, limits};
use model::call::Direction;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// Why a call does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All lines for such calls are taken.
    Lines,
    /// The last lines are kept for businesses that have less than their share.
    Share,
    /// The machine is late for the calls that it has.
    Late,
}

impl Full {
    /// As a metric says it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Share => "share",
            Self::Late => "late",
        }
    }
}

/// How many calls a node takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    pub(super) calls_max: usize,
    /// Lines that only calls which come in may have.
    pub(super) inbound_reserve: usize,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    of: HashMap<BusinessId, usize>,
    /// Who wanted a line and got none, lately.
    wanting: HashMap<BusinessId, Instant>,
}

/// The lines of a node.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    held: Mutex<Held>,
    /// How late tasks of this process run.
    late_ms: AtomicU64,
}

/// A line that a call has; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    of: Arc<Admission>,
    business: BusinessId,
}

impl Admission {
    fn held(&self) -> MutexGuard<'_, Held> {
        // The guarded sections do not panic half way, so poisoned counts are still whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line for a call of this business, or why there is none.
    pub(super) fn take(
        self: &Arc<Self>,
        business: BusinessId,
        direction: Direction,
        capacity: Capacity,
    ) -> Result<Slot, Full> {
        let (now, late_ms) = (Instant::now(), self.late_ms.load(Ordering::Relaxed));
        let mut held = self.held();
        match held.fits(business, direction, capacity, late_ms, now) {
            Ok(()) => {
                held.all += 1;
                *held.of.entry(business).or_default() += 1;
                held.wanting.remove(&business);
                metrics::gauge!("frontdesk_calls_active").set(held.all as f64);
                Ok(Slot { of: Arc::clone(self), business })
            }
            Err(why) => {
                held.wanting.insert(business, now);
                Err(why)
            }
        }
    }

    /// Watches how late tasks of this process run, as long as there is somebody to tell.
    pub(super) async fn watch(admission: Weak<Self>) {
        let tick = Duration::from_millis(limits::FRAME_MS);
        let mut ticks = tokio::time::interval(tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lateness = Lateness::default();
        loop {
            let due = Instant::now() + tick;
            ticks.tick().await;
            let late_ms = u64::try_from(Instant::now().saturating_duration_since(due).as_millis()).unwrap_or(u64::MAX);
            let Some(told) = admission.upgrade() else { return };
            if let Some(usual_ms) = lateness.note(late_ms) {
                told.late_ms.store(usual_ms, Ordering::Relaxed);
                metrics::gauge!("frontdesk_late_ms").set(usual_ms as f64);
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut held = self.of.held();
        held.all = held.all.saturating_sub(1);
        if let Some(count) = held.of.get_mut(&self.business) {
            *count -= 1;
            if *count == 0 {
                held.of.remove(&self.business);
            }
        }
        metrics::gauge!("frontdesk_calls_active").set(held.all as f64);
    }
}

impl Held {
    fn fits(
        &mut self,
        business: BusinessId,
        direction: Direction,
        capacity: Capacity,
        late_ms: u64,
        now: Instant,
    ) -> Result<(), Full> {
        let (lines, late_ms_max) = match direction {
            Direction::Inbound => (capacity.calls_max, limits::LATE_MS_MAX),
            Direction::Outbound => {
                (capacity.calls_max.saturating_sub(capacity.inbound_reserve), limits::LATE_MS_MAX / 2)
            }
        };
        if self.all >= lines {
            return Err(Full::Lines);
        }
        // A few calls are not what makes a machine late, and refusing the next one would not help it.
        if late_ms > late_ms_max && self.all >= limits::LATE_CALLS_MIN {
            return Err(Full::Late);
        }
        let scarce_from = capacity.calls_max * (100 - limits::SHARED_LINES_PERCENT) / 100;
        if self.all >= scarce_from
            && self.of.get(&business).copied().unwrap_or(0) >= self.share(business, capacity, now)
        {
            return Err(Full::Share);
        }
        Ok(())
    }

    /// How many lines each business may have while they are scarce.
    fn share(&mut self, business: BusinessId, capacity: Capacity, now: Instant) -> usize {
        let lately = Duration::from_millis(limits::LINE_WANTED_MS);
        self.wanting.retain(|_, at| now.saturating_duration_since(*at) < lately);
        let others = self.of.keys().chain(self.wanting.keys().filter(|one| !self.of.contains_key(one)));
        let others = others.filter(|one| **one != business).count();
        (capacity.calls_max / (others + 1)).max(1)
    }
}

/// How late a task is usually: the ninth of ten of the last second.
#[derive(Debug, Default)]
struct Lateness {
    seen: Vec<u64>,
}

/// A second of frames.
const SEEN: usize = (1_000 / limits::FRAME_MS) as usize;

impl Lateness {
    /// Takes what was seen, and answers when a second is full.
    fn note(&mut self, late_ms: u64) -> Option<u64> {
        self.seen.push(late_ms);
        if self.seen.len() < SEEN {
            return None;
        }
        self.seen.sort_unstable();
        let usual = self.seen.get(SEEN * 9 / 10).copied();
        self.seen.clear();
        usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: Capacity = Capacity { calls_max: 20, inbound_reserve: 2 };

    fn business(number: u128) -> BusinessId {
        BusinessId(uuid::Uuid::from_u128(number))
    }

    fn take(lines: &Arc<Admission>, number: u128) -> Result<Slot, Full> {
        lines.take(business(number), Direction::Inbound, CAPACITY)
    }

    #[tokio::test]
    async fn a_business_alone_may_have_all_lines_and_campaigns_leave_some() {
        let lines = Arc::new(Admission::default());
        let mut calls: Vec<_> = (0..18).map(|_| take(&lines, 1).expect("a line")).collect();
        assert_eq!(lines.take(business(1), Direction::Outbound, CAPACITY).err(), Some(Full::Lines));
        calls.extend((0..2).map(|_| take(&lines, 1).expect("a line")));
        assert_eq!(take(&lines, 1).err(), Some(Full::Lines));
        calls.pop();
        assert!(take(&lines, 1).is_ok(), "a line that was given back is there for the next");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_lines_are_for_those_who_have_less_than_their_share() {
        let lines = Arc::new(Admission::default());
        let _calls: Vec<_> = (0..17).map(|_| take(&lines, 1).expect("a line")).collect();
        let _small = take(&lines, 2).expect("a line");
        assert_eq!(take(&lines, 1).err(), Some(Full::Share));
        let _more = [take(&lines, 2).expect("a line"), take(&lines, 3).expect("a line")];
        assert_eq!(take(&lines, 2).err(), Some(Full::Lines));

        let alone = Arc::new(Admission::default());
        let _calls: Vec<_> = (0..20).map(|_| take(&alone, 1).expect("a line")).collect();
        assert_eq!(take(&alone, 2).err(), Some(Full::Lines));
        drop(_calls);
        let _calls: Vec<_> = (0..18).map(|_| take(&alone, 1).expect("a line")).collect();
        assert_eq!(take(&alone, 1).err(), Some(Full::Share), "somebody else wanted one a moment ago");
        tokio::time::advance(Duration::from_millis(limits::LINE_WANTED_MS)).await;
        assert!(take(&alone, 1).is_ok(), "nobody else wants them any more");
    }

    #[tokio::test]
    async fn a_machine_that_is_late_takes_no_more_and_stops_calling_out_first() {
        let lines = Arc::new(Admission::default());
        lines.late_ms.store(limits::LATE_MS_MAX, Ordering::Relaxed);
        let _calls: Vec<_> = (0..limits::LATE_CALLS_MIN).map(|_| take(&lines, 1).expect("a line")).collect();
        assert_eq!(lines.take(business(1), Direction::Outbound, CAPACITY).err(), Some(Full::Late));
        assert!(take(&lines, 1).is_ok());
        lines.late_ms.store(limits::LATE_MS_MAX + 1, Ordering::Relaxed);
        assert_eq!(take(&lines, 1).err(), Some(Full::Late));
    }

    #[test]
    fn one_late_frame_in_ten_is_not_lateness() {
        let mut lateness = Lateness::default();
        let told: Vec<_> = (0..100).filter_map(|tick| lateness.note(if tick % 13 == 0 { 500 } else { 1 })).collect();
        assert_eq!(told, [1, 1]);
        assert_eq!((0..50).filter_map(|_| lateness.note(80)).collect::<Vec<_>>(), [80]);
    }
}
