//! Whether one more call fits: lines that are counted, what is fair among businesses, what this machine holds, and how late
//! it is.
//!
//! A call that does not fit is refused at once, because one call too many is heard in all the others.

use super::calibration;
use super::capacity::{Estimate, Seen};
use base::{BusinessId, limits};
use model::call::Direction;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::time::{Instant, MissedTickBehavior};

/// Why a call does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All lines for such calls are taken.
    Lines,
    /// The last lines are kept for businesses that have less than their share.
    Share,
    /// The machine holds no more.
    Machine,
    /// The machine is late for the calls that it has.
    Late,
}

impl Full {
    /// As a metric says it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Share => "share",
            Self::Machine => "machine",
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

#[derive(Debug)]
struct Held {
    all: usize,
    of: HashMap<BusinessId, usize>,
    /// Who wanted a line and got none, lately.
    wanting: HashMap<BusinessId, Instant>,
    machine: Estimate,
    /// Of the last second.
    pulse: Pulse,
}

/// How late a process is for what it has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pulse {
    /// How late timers usually are, or a task that could run: whichever is more.
    late_ms: u64,
    /// Calls that were woken a frame or more too late for their audio, each as often as it was.
    pacers_late: u64,
}

/// What a node has, and takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Calls in progress.
    pub calls: usize,
    /// Calls that it takes at once as things are: as many as are configured, or as this machine holds.
    pub calls_max: usize,
    /// How busy the threads are that calls run on.
    pub workers_percent: f64,
    /// What a call takes of a core, in thousandths.
    pub call_millicores: f64,
    /// How late tasks usually run.
    pub late_ms: u64,
}

/// The lines of a node.
#[derive(Debug)]
pub(crate) struct Admission {
    held: Mutex<Held>,
    /// Since the last look.
    pacers_late: AtomicU64,
}

/// A line that a call has; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    of: Arc<Admission>,
    business: BusinessId,
}

impl Admission {
    /// Of a process with so many threads that calls run on.
    pub(super) fn new(workers: usize) -> Self {
        let held = Held {
            all: 0,
            of: HashMap::new(),
            wanting: HashMap::new(),
            machine: Estimate::new(workers),
            pulse: Pulse::default(),
        };
        Self { held: Mutex::new(held), pacers_late: AtomicU64::new(0) }
    }

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
        let now = Instant::now();
        let mut held = self.held();
        match held.fits(business, direction, capacity, now) {
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

    /// What there is, and what is taken of `lines` that are configured.
    pub(super) fn load(&self, lines: usize) -> Load {
        let held = self.held();
        Load {
            calls: held.all,
            calls_max: held.machine.calls_max(held.all).min(lines),
            workers_percent: held.machine.taken_percent(),
            call_millicores: held.machine.call(),
            late_ms: held.pulse.late_ms,
        }
    }

    /// A call was woken a frame or more too late for its audio.
    pub(crate) fn pacer_was_late(&self) {
        self.pacers_late.fetch_add(1, Ordering::Relaxed);
    }

    /// Watches what tasks of this process take and how late they run, as long as there is somebody to tell.
    pub(super) async fn watch(admission: Weak<Self>) {
        let workers = Workers(Handle::current().metrics());
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut late, mut queued) = (Usual::default(), Usual::default());
        let mut since = (Instant::now(), workers.busy());
        let mut is_calibrated = false;
        loop {
            let due = Instant::now() + TICK;
            ticks.tick().await;
            let woken = Instant::now();
            // To the end of the queue of what can run: it is long where there is more to do than time.
            tokio::task::yield_now().await;
            let usual_queued_ms = queued.note(whole_ms(woken.elapsed()));
            let usual_late_ms = late.note(whole_ms(woken.saturating_duration_since(due)));
            let (Some(late_ms), Some(queued_ms)) = (usual_late_ms, usual_queued_ms) else { continue };
            let Some(told) = admission.upgrade() else { return };
            let now = (Instant::now(), workers.busy());
            let (wall, busy) = (now.0.saturating_duration_since(since.0), now.1.saturating_sub(since.1));
            since = now;
            told.tell(wall, busy, late_ms, queued_ms);
            if !is_calibrated {
                is_calibrated = true;
                // On a thread of its own, after the start: neither the start nor a call waits for it.
                tokio::task::spawn_blocking(move || told.calibrate());
            }
        }
    }

    fn tell(&self, wall: Duration, busy: Duration, late_ms: u64, queued_ms: u64) {
        let pacers_late = self.pacers_late.swap(0, Ordering::Relaxed);
        let mut held = self.held();
        held.pulse = Pulse { late_ms: late_ms.max(queued_ms), pacers_late };
        let (wall_ms, busy_ms) = (wall.as_secs_f64() * 1_000.0, busy.as_secs_f64() * 1_000.0);
        let seen = Seen { wall_ms, busy_ms, calls: held.all };
        held.machine.note(seen);
        let (percent, call) = (held.machine.taken_percent(), held.machine.call());
        let calls_max = held.machine.calls_max(held.all);
        drop(held);
        metrics::gauge!("frontdesk_late_ms").set(late_ms as f64);
        metrics::gauge!("frontdesk_run_queue_ms").set(queued_ms as f64);
        metrics::counter!("frontdesk_pacers_late_total").increment(pacers_late);
        metrics::gauge!("frontdesk_workers_busy_ratio").set(percent / 100.0);
        metrics::gauge!("frontdesk_call_millicores").set(call);
        metrics::gauge!("frontdesk_calls_machine_max").set(calls_max as f64);
    }

    fn calibrate(&self) {
        let began = std::time::Instant::now();
        let Some(call) = calibration::call_millicores(|| began.elapsed()) else { return };
        let mut held = self.held();
        held.machine.calibrate(call);
        let calls_max = held.machine.calls_max(held.all);
        drop(held);
        let took_ms = whole_ms(began.elapsed());
        tracing::info!(call_millicores = format!("{call:.1}"), calls_max, took_ms, "what this machine holds");
    }
}

/// The worker threads of the runtime.
struct Workers(RuntimeMetrics);

impl Workers {
    /// For how long all of them have been busy so far. A worker that could go on and waits for a core is busy, too.
    fn busy(&self) -> Duration {
        (0..self.0.num_workers()).map(|worker| self.0.worker_total_busy_duration(worker)).sum()
    }
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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
        if self.all >= self.machine.calls_max(self.all) {
            return Err(Full::Machine);
        }
        // A few calls are not what makes a machine late, and refusing the next one would not help it.
        if self.pulse.is_late(late_ms_max, self.all) && self.all >= limits::LATE_CALLS_MIN {
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

impl Pulse {
    fn is_late(self, late_ms_max: u64, calls: usize) -> bool {
        self.late_ms > late_ms_max || self.pacers_late * 100 > (calls * limits::PACERS_LATE_PERCENT_MAX) as u64
    }
}

/// What is usual: the ninth of ten of the last second.
#[derive(Debug, Default)]
struct Usual {
    seen: Vec<u64>,
}

const TICK: Duration = Duration::from_millis(limits::FRAME_MS);
/// A second of frames.
const SEEN: usize = (1_000 / limits::FRAME_MS) as usize;

impl Usual {
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

    /// A machine that is large enough.
    fn lines() -> Arc<Admission> {
        Arc::new(Admission::new(8))
    }

    fn take(lines: &Arc<Admission>, number: u128) -> Result<Slot, Full> {
        lines.take(business(number), Direction::Inbound, CAPACITY)
    }

    #[tokio::test]
    async fn a_business_alone_may_have_all_lines_and_campaigns_leave_some() {
        let lines = self::lines();
        let mut calls: Vec<_> = (0..18).map(|_| take(&lines, 1).expect("a line")).collect();
        assert_eq!(lines.take(business(1), Direction::Outbound, CAPACITY).err(), Some(Full::Lines));
        calls.extend((0..2).map(|_| take(&lines, 1).expect("a line")));
        assert_eq!(take(&lines, 1).err(), Some(Full::Lines));
        calls.pop();
        assert!(take(&lines, 1).is_ok(), "a line that was given back is there for the next");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_lines_are_for_those_who_have_less_than_their_share() {
        let lines = self::lines();
        let _calls: Vec<_> = (0..17).map(|_| take(&lines, 1).expect("a line")).collect();
        let _small = take(&lines, 2).expect("a line");
        assert_eq!(take(&lines, 1).err(), Some(Full::Share));
        let _more = [take(&lines, 2).expect("a line"), take(&lines, 3).expect("a line")];
        assert_eq!(take(&lines, 2).err(), Some(Full::Lines));

        let alone = self::lines();
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
        let lines = self::lines();
        let second = Duration::from_secs(1);
        lines.tell(second, Duration::ZERO, limits::LATE_MS_MAX, 0);
        let _calls: Vec<_> = (0..limits::LATE_CALLS_MIN).map(|_| take(&lines, 1).expect("a line")).collect();
        assert_eq!(lines.take(business(1), Direction::Outbound, CAPACITY).err(), Some(Full::Late));
        assert!(take(&lines, 1).is_ok());
        lines.tell(second, Duration::ZERO, limits::LATE_MS_MAX + 1, 0);
        assert_eq!(take(&lines, 1).err(), Some(Full::Late), "timers are late");
        lines.tell(second, Duration::ZERO, 0, limits::LATE_MS_MAX + 1);
        assert_eq!(take(&lines, 1).err(), Some(Full::Late), "tasks wait for their turn");
        lines.tell(second, Duration::ZERO, 0, 0);
        let call = take(&lines, 1).expect("a line");
        (0..7).for_each(|_| lines.pacer_was_late());
        lines.tell(second, Duration::ZERO, 0, 0);
        assert_eq!(take(&lines, 1).err(), Some(Full::Late), "half of the calls got their audio late");
        drop(call);
        lines.tell(second, Duration::ZERO, 0, 0);
        assert!(take(&lines, 1).is_ok(), "a second later they do not");
    }

    #[tokio::test]
    async fn a_machine_takes_as_many_calls_as_it_holds_and_says_how_many_that_are() {
        let lines = Arc::new(Admission::new(1));
        let (second, capacity) = (Duration::from_secs(1), Capacity { calls_max: 1_000, inbound_reserve: 0 });
        let take = || lines.take(business(1), Direction::Inbound, capacity);
        lines.held().machine.calibrate(20.0);
        assert_eq!(lines.load(1_000).calls_max, 40);
        assert_eq!(lines.load(25).calls_max, 25, "no more than is configured");
        let mut calls: Vec<_> = std::iter::from_fn(|| take().ok()).collect();
        assert_eq!((calls.len(), take().err()), (40, Some(Full::Machine)));
        // They take half of what was feared.
        (0..100).for_each(|_| lines.tell(second, Duration::from_millis(400), 0, 0));
        let load = lines.load(1_000);
        assert!(load.calls == 40 && (79..=80).contains(&load.calls_max), "{load:?}");
        assert!((39.0..=41.0).contains(&load.workers_percent), "{load:?}");
        calls.extend(std::iter::from_fn(|| take().ok()));
        assert_eq!(calls.len(), load.calls_max);
    }

    #[test]
    fn one_late_frame_in_ten_is_not_lateness() {
        let mut lateness = Usual::default();
        let told: Vec<_> = (0..100).filter_map(|tick| lateness.note(if tick % 13 == 0 { 500 } else { 1 })).collect();
        assert_eq!(told, [1, 1]);
        assert_eq!((0..50).filter_map(|_| lateness.note(80)).collect::<Vec<_>>(), [80]);
    }
}
