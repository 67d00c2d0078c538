//! How many calls this machine holds: what a call takes of the workers, what all that runs takes of them, what is left.
//!
//! Pure. It is told how long the workers were busy, which holds what other programs took from them, and decides before a
//! frame is late: past some four fifths of a machine its queues grow faster than its work.

use base::limits;

/// A second weighs this much in what is usual; the rest is what was usual before.
const SECOND_WEIGHS: f64 = 0.3;
/// The same for what one call takes, which changes with what the calls do and not from second to second.
const CALL_WEIGHS: f64 = 0.1;
/// What one call takes is this near to what was calibrated. Whatever else the workers do is no call's.
const CALL_FACTOR_MAX: f64 = 4.0;

/// What was seen of the workers in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) wall_ms: f64,
    /// Of all workers together, not waiting for anything.
    pub(super) busy_ms: f64,
    /// Calls in progress at its end.
    pub(super) calls: usize,
}

/// What is known of this machine. Amounts are thousandths of a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// What may be taken of all workers.
    budget: f64,
    calibrated: f64,
    call: f64,
    /// What is usually taken, by this many calls and all else.
    taken: f64,
    by_calls: f64,
}

impl Estimate {
    /// Of a process with so many threads that calls run on.
    pub(super) fn new(workers: usize) -> Self {
        let call = limits::CALL_MILLICORES as f64;
        let budget = workers as f64 * 10.0 * limits::WORKERS_PERCENT_MAX as f64;
        Self { budget, calibrated: call, call, taken: 0.0, by_calls: 0.0 }
    }

    /// A call takes so much of a core of this machine, as far as can be told without any.
    pub(super) fn calibrate(&mut self, call: f64) {
        (self.calibrated, self.call) = (call, call);
    }

    pub(super) fn note(&mut self, seen: Seen) {
        if seen.wall_ms <= 0.0 {
            return;
        }
        let usual = |before: f64, now: f64| before + SECOND_WEIGHS * (now - before);
        self.taken = usual(self.taken, seen.busy_ms * 1_000.0 / seen.wall_ms);
        self.by_calls = usual(self.by_calls, seen.calls as f64);
        if self.by_calls >= limits::LATE_CALLS_MIN as f64 {
            let measured = self.taken / self.by_calls;
            let call = self.call + CALL_WEIGHS * (measured - self.call);
            self.call = call.clamp(self.calibrated / CALL_FACTOR_MAX, self.calibrated * CALL_FACTOR_MAX);
        }
    }

    /// What one call takes.
    pub(super) fn call(&self) -> f64 {
        self.call
    }

    /// What is taken of the workers, in percent of all of them.
    pub(super) fn taken_percent(&self) -> f64 {
        self.taken * limits::WORKERS_PERCENT_MAX as f64 / self.budget
    }

    /// How many calls the machine holds in all, while it has so many. Calls that have just begun are not in what was seen:
    /// they are counted with what a call takes, so that a hundred at once find the same room as a hundred in a row.
    pub(super) fn calls_max(&self, calls: usize) -> usize {
        let taken = self.taken + (calls as f64 - self.by_calls) * self.call;
        let more = (self.budget - taken.max(0.0)) / self.call;
        // A negative number becomes zero: a machine that is over its budget holds fewer than it has.
        ((calls as f64 + more) as usize).max(limits::LATE_CALLS_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(busy_ms: f64, calls: usize) -> Seen {
        Seen { wall_ms: 1_000.0, busy_ms, calls }
    }

    fn estimate(call: f64) -> Estimate {
        let mut estimate = Estimate::new(1);
        estimate.calibrate(call);
        estimate
    }

    /// Calls of this cost come by so many a second, as long as they fit; how many are there in the end, and how busy the
    /// worker ever was, in percent.
    fn arrive(estimate: &mut Estimate, cost: f64, each_second: usize, seconds: usize) -> (usize, f64) {
        let (mut calls, mut busiest) = (0_usize, 0.0_f64);
        for _ in 0..seconds {
            for _ in 0..each_second {
                if calls < estimate.calls_max(calls) {
                    calls += 1;
                }
            }
            let busy_ms = (calls as f64 * cost).min(1_000.0);
            busiest = busiest.max(busy_ms / 10.0);
            estimate.note(second(busy_ms, calls));
        }
        (calls, busiest)
    }

    #[test]
    fn a_flood_of_calls_leaves_a_machine_as_busy_as_it_may_be() {
        for each_second in [1, 10, 1_000] {
            let (calls, busiest) = arrive(&mut estimate(4.0), 4.0, each_second, 300);
            assert!((195..=200).contains(&calls), "{calls} calls of 4 thousandths, {each_second} a second");
            assert!(busiest <= 81.0, "{busiest} % at {each_second} a second");
        }
    }

    #[test]
    fn calls_that_take_less_than_calibrated_leave_room_for_more() {
        let (calls, busiest) = arrive(&mut estimate(4.0), 2.0, 5, 300);
        assert!((380..=400).contains(&calls), "{calls} calls");
        assert!(busiest <= 82.0, "{busiest} %");
    }

    #[test]
    fn calls_that_take_more_than_calibrated_are_fewer_and_the_worker_is_never_full() {
        let (calls, busiest) = arrive(&mut estimate(4.0), 8.0, 5, 300);
        assert!((95..=110).contains(&calls), "{calls} calls");
        assert!(busiest < 95.0, "{busiest} %");
    }

    #[test]
    fn what_else_is_done_takes_room_and_gives_it_back() {
        let mut estimate = estimate(4.0);
        (0..60).for_each(|_| estimate.note(second(300.0, 0)));
        assert_eq!(estimate.calls_max(0), 125, "half a core of requests is 500 ms a second less");
        assert!((29.0..=30.1).contains(&estimate.taken_percent()));
        (0..60).for_each(|_| estimate.note(second(0.0, 0)));
        assert!((199..=200).contains(&estimate.calls_max(0)));
    }

    #[test]
    fn a_few_calls_are_taken_on_any_machine_and_nonsense_changes_nothing() {
        let mut estimate = estimate(4.0);
        (0..60).for_each(|_| estimate.note(second(1_000.0, 3)));
        assert_eq!(estimate.calls_max(3), limits::LATE_CALLS_MIN);
        let before = estimate.calls_max(3);
        estimate.note(Seen { wall_ms: 0.0, busy_ms: 5.0, calls: 3 });
        assert_eq!(estimate.calls_max(3), before);
    }
}
