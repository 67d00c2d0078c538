//! Many calls on all cores: counts what happened, stops at the first call in which something does not hold.

use super::swarm::Trouble;
use super::{Report, simulate};
use engine::invariants::Violation;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Every so many seeds one call is run twice.
const TWICE_EVERY: u64 = 97;

/// Which calls to run.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// The first seed.
    pub start: u64,
    /// How many.
    pub seeds: u64,
    /// No call begins later than this.
    pub budget: Option<Duration>,
    /// On how many cores.
    pub cores: usize,
    /// How many failed calls are collected before the fleet stops.
    pub failures_max: usize,
}

/// A call in which something did not hold.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Which call.
    pub seed: u64,
    /// What did not hold.
    pub violation: Violation,
}

/// What happened in all calls.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Calls that were run to their end.
    pub calls: u64,
    /// Turns of callers.
    pub turns: u64,
    /// Processes that died.
    pub kills: u64,
    /// How long all calls lasted.
    pub simulated_ms: u64,
    /// Calls that were run twice and gave the same.
    pub twice: u64,
    /// How often each kind of trouble struck, in the order of [`Trouble::ALL`].
    pub struck: Vec<u64>,
    /// The longest silence while a caller waited.
    pub silence_ms_max: u64,
    /// Time spent in calls, over all cores.
    pub busy: Duration,
    /// What did not hold, lowest seed first.
    pub failed: Vec<Failed>,
}

impl Totals {
    fn add(&mut self, report: &Report) {
        self.calls += 1;
        self.turns += report.turns;
        self.kills += report.kills;
        self.simulated_ms += report.simulated_ms;
        self.silence_ms_max = self.silence_ms_max.max(report.silence_ms_max);
        self.struck.resize(Trouble::ALL.len(), 0);
        self.struck.iter_mut().zip(&report.struck).for_each(|(sum, count)| *sum += count);
    }

    fn merge(&mut self, other: Totals) {
        self.calls += other.calls;
        self.turns += other.turns;
        self.kills += other.kills;
        self.simulated_ms += other.simulated_ms;
        self.twice += other.twice;
        self.silence_ms_max = self.silence_ms_max.max(other.silence_ms_max);
        self.busy += other.busy;
        self.struck.resize(Trouble::ALL.len(), 0);
        self.struck.iter_mut().zip(&other.struck).for_each(|(sum, count)| *sum += count);
        self.failed.extend(other.failed);
        self.failed.sort_by_key(|failed| failed.seed);
    }

    /// Calls per second of one core.
    pub fn calls_per_core_second(&self) -> f64 {
        self.calls as f64 / self.busy.as_secs_f64().max(1e-9)
    }
}

/// One call; a panic of the engine is something that does not hold.
pub fn run_one(seed: u64, with_trace: bool) -> Report {
    catch_unwind(AssertUnwindSafe(|| simulate(seed, with_trace))).unwrap_or_else(|_| Report {
        violation: Some(Violation { name: "no_panic", detail: "the engine panicked".into() }),
        ..Report::default()
    })
}

/// Runs the calls. `progress` is told now and then how many are done.
pub fn run(order: Order, progress: &(dyn Fn(u64) + Sync)) -> Totals {
    let (next, is_stopped) = (AtomicU64::new(0), AtomicBool::new(false));
    let (began, failures) = (Instant::now(), AtomicU64::new(0));
    let totals = Mutex::new(Totals::default());
    let work = || {
        let mut own = Totals::default();
        while !is_stopped.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= order.seeds || order.budget.is_some_and(|budget| began.elapsed() >= budget) {
                break;
            }
            let seed = order.start + at;
            if let Some(violation) = examine(seed, at, &mut own) {
                own.failed.push(Failed { seed, violation });
                if failures.fetch_add(1, Ordering::Relaxed) + 1 >= order.failures_max as u64 {
                    is_stopped.store(true, Ordering::Relaxed);
                }
            }
            if at % 1_000 == 999 {
                progress(at + 1);
            }
        }
        if let Ok(mut totals) = totals.lock() {
            totals.merge(own);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..order.cores.max(1) {
            scope.spawn(work);
        }
    });
    totals.into_inner().unwrap_or_default()
}

fn examine(seed: u64, at: u64, own: &mut Totals) -> Option<Violation> {
    let began = Instant::now();
    let report = run_one(seed, false);
    own.busy += began.elapsed();
    own.add(&report);
    if at.is_multiple_of(TWICE_EVERY) {
        if run_one(seed, false).digest != report.digest {
            return Some(Violation { name: "same_seed_same_call", detail: "two runs differ".into() });
        }
        own.twice += 1;
    }
    report.violation
}

/// The first seed in which a deliberate defect shows, and how. A seed that shows something without it does not count.
#[cfg(feature = "mutants")]
pub fn hunt(mutant: engine::mutants::Mutant, start: u64, seeds: u64) -> Option<Failed> {
    let try_out = |active: Option<engine::mutants::Mutant>, seed| {
        engine::mutants::set_active(active);
        let violation = run_one(seed, false).violation;
        engine::mutants::set_active(None);
        violation
    };
    (start..start + seeds).find_map(|seed| {
        let violation = try_out(Some(mutant), seed)?;
        try_out(None, seed).is_none().then_some(Failed { seed, violation })
    })
}
