//! How well one provider has done of late, over all calls of a node, and whether it is asked: a circuit breaker with a
//! window. Pure: time goes in as milliseconds of the node's clock.
//!
//! Closed: it is asked. Open: it is passed over, which costs a call nothing. When the pause is over it is half open: one
//! trial, of which no caller hears, decides.

use base::{ErrorClass, Millis, limits};
use std::collections::VecDeque;

/// Where the breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// It is asked.
    Closed,
    /// It is passed over.
    Open,
    /// It is tried by itself.
    HalfOpen,
}

impl Breaker {
    /// The stable name used in metrics and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Whether a call asks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Yes,
    /// Not by a call, but a trial is due.
    Trial,
    No,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until_ms: u64,
    },
    /// A trial is under way since then.
    Trying {
        since_ms: u64,
    },
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    state: State,
    /// When, and whether it went well.
    outcomes: VecDeque<(u64, bool)>,
    /// When, and how long it took.
    latencies: VecDeque<(u64, u64)>,
    failures_in_a_row: u32,
    /// How often it was opened without a success in between.
    opened: u32,
    last_failure: Option<(u64, ErrorClass)>,
}

/// Failures that say nothing about the provider.
const fn is_its_own(class: ErrorClass) -> bool {
    !matches!(class, ErrorClass::Cancelled | ErrorClass::Refused)
}

impl Health {
    pub(crate) fn breaker(&self, now_ms: u64) -> Breaker {
        match self.state {
            State::Closed => Breaker::Closed,
            State::Open { until_ms } if now_ms < until_ms => Breaker::Open,
            State::Open { .. } | State::Trying { .. } => Breaker::HalfOpen,
        }
    }

    pub(crate) fn admission(&self, now_ms: u64) -> Admission {
        match self.state {
            State::Closed => Admission::Yes,
            State::Open { until_ms } if now_ms < until_ms => Admission::No,
            State::Open { .. } => Admission::Trial,
            // A trial whose outcome got lost does not close the door for ever.
            State::Trying { since_ms } if now_ms.saturating_sub(since_ms) > limits::TRIAL_MS_MAX => Admission::Trial,
            State::Trying { .. } => Admission::No,
        }
    }

    /// Takes the one trial there is. `false`: somebody else has it, or none is due.
    pub(crate) fn begin_trial(&mut self, now_ms: u64) -> bool {
        let is_due = self.admission(now_ms) == Admission::Trial;
        if is_due {
            self.state = State::Trying { since_ms: now_ms };
        }
        is_due
    }

    /// It did what it should, and the first of it came after this time. Answers where the breaker stands if that changed.
    pub(crate) fn on_success(&mut self, now_ms: u64, latency_ms: Option<u64>) -> Option<Breaker> {
        self.note(now_ms, true);
        self.failures_in_a_row = 0;
        if let Some(latency_ms) = latency_ms {
            self.latencies.push_back((now_ms, latency_ms));
            if self.latencies.len() > limits::HEALTH_SAMPLES_MAX {
                self.latencies.pop_front();
            }
        }
        // What began before the outage says nothing about now.
        if self.state == State::Closed || self.breaker(now_ms) == Breaker::Open {
            return None;
        }
        self.state = State::Closed;
        self.opened = 0;
        self.outcomes.clear();
        Some(Breaker::Closed)
    }

    /// It failed. Answers where the breaker stands if that changed.
    pub(crate) fn on_failure(
        &mut self,
        now_ms: u64,
        class: ErrorClass,
        retry_after: Option<Millis>,
    ) -> Option<Breaker> {
        if !is_its_own(class) {
            return None;
        }
        self.note(now_ms, false);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.last_failure = Some((now_ms, class));
        let pause_ms = self.pause_ms(class, retry_after);
        match self.state {
            State::Open { until_ms } if now_ms < until_ms => None, // It was on its way when the door closed.
            State::Closed if !self.is_bad(class, retry_after) => None,
            State::Closed | State::Open { .. } | State::Trying { .. } => {
                self.opened = self.opened.saturating_add(1);
                self.state = State::Open { until_ms: now_ms.saturating_add(pause_ms) };
                Some(Breaker::Open)
            }
        }
    }

    /// How long the first of what is asked for takes: the median of late. `None` when nothing is known.
    pub(crate) fn latency_ms(&self, now_ms: u64) -> Option<u64> {
        let since = now_ms.saturating_sub(limits::HEALTH_LATENCY_MS);
        let mut recent: Vec<u64> = self.latencies.iter().filter(|(at, _)| *at >= since).map(|(_, ms)| *ms).collect();
        recent.sort_unstable();
        recent.get(recent.len() / 2).copied()
    }

    /// (all, failed) of the window.
    pub(crate) fn outcomes(&self, now_ms: u64) -> (usize, usize) {
        let since = now_ms.saturating_sub(limits::HEALTH_WINDOW_MS);
        let recent = self.outcomes.iter().filter(|(at, _)| *at >= since);
        recent.fold((0, 0), |(all, failed), (_, ok)| (all + 1, failed + usize::from(!ok)))
    }

    pub(crate) fn last_failure(&self) -> Option<(u64, ErrorClass)> {
        self.last_failure
    }

    fn note(&mut self, now_ms: u64, ok: bool) {
        self.outcomes.push_back((now_ms, ok));
        if self.outcomes.len() > limits::HEALTH_SAMPLES_MAX {
            self.outcomes.pop_front();
        }
    }

    /// Time to open.
    fn is_bad(&self, class: ErrorClass, retry_after: Option<Millis>) -> bool {
        let is_hopeless = matches!(class, ErrorClass::Auth | ErrorClass::Quota) || retry_after.is_some();
        let newest = self.outcomes.back().map_or(0, |(at, _)| *at);
        let (all, failed) = self.outcomes(newest);
        is_hopeless
            || self.failures_in_a_row >= limits::BREAKER_FAILURES_MAX
            || (all >= limits::BREAKER_WINDOW_MIN && failed * 2 >= all)
    }

    fn pause_ms(&self, class: ErrorClass, retry_after: Option<Millis>) -> u64 {
        let doubled = limits::BREAKER_PAUSE_MS << self.opened.min(8);
        let pause = match class {
            ErrorClass::Auth | ErrorClass::Quota => limits::BREAKER_PAUSE_MS_MAX,
            _ => doubled.min(limits::BREAKER_PAUSE_MS_MAX),
        };
        let asked = retry_after.map_or(0, |after| after.0.min(limits::RETRY_AFTER_MS_MAX));
        pause.max(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn failed(health: &mut Health, at: u64) -> Option<Breaker> {
        health.on_failure(at, ErrorClass::Unavailable, None)
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_one_trial_after_the_pause_closes_it() {
        let mut health = Health::default();
        assert_eq!((failed(&mut health, 0), failed(&mut health, 10)), (None, None));
        assert_eq!(failed(&mut health, 20), Some(Breaker::Open));
        let over = 20 + limits::BREAKER_PAUSE_MS;
        assert_eq!((health.admission(over - 1), health.admission(over)), (Admission::No, Admission::Trial));
        assert!(health.begin_trial(over));
        assert_eq!(health.admission(over + 1), Admission::No, "one trial at a time");
        assert_eq!(health.on_success(over + 100, Some(100)), Some(Breaker::Closed));
        assert_eq!(health.admission(over + 100), Admission::Yes);
        assert_eq!(failed(&mut health, over + 200), None, "what was before the outage is over does not count");
    }

    #[test]
    fn a_trial_that_fails_doubles_the_pause_up_to_a_bound() {
        let mut health = Health::default();
        let mut now = 0;
        (0..3).for_each(|_| {
            failed(&mut health, now);
        });
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let from = now;
            while !health.begin_trial(now) {
                now += 1;
            }
            pauses.push(now - from);
            failed(&mut health, now);
        }
        assert_eq!(pauses[0] * 2, pauses[1]);
        assert_eq!(pauses.last(), Some(&limits::BREAKER_PAUSE_MS_MAX));
    }

    #[test]
    fn every_second_failure_opens_it_too() {
        let mut health = Health::default();
        let mut opened = None;
        for at in 0..20 {
            if at % 2 == 0 {
                health.on_success(at, None);
            } else if failed(&mut health, at).is_some() {
                opened = Some(at);
                break;
            }
        }
        assert_eq!(opened, Some(5), "after three failures of six");
    }

    #[test]
    fn a_wrong_key_opens_it_at_once_and_a_service_that_asks_for_time_gets_it() {
        let mut health = Health::default();
        assert_eq!(health.on_failure(0, ErrorClass::Auth, None), Some(Breaker::Open));
        let mut health = Health::default();
        assert_eq!(health.on_failure(0, ErrorClass::RateLimited, Some(Millis(40_000))), Some(Breaker::Open));
        assert_eq!((health.admission(39_999), health.admission(40_000)), (Admission::No, Admission::Trial));
    }

    #[test]
    fn what_a_caller_or_a_moderator_stopped_is_no_failure_of_the_provider() {
        let mut health = Health::default();
        for class in [ErrorClass::Cancelled, ErrorClass::Refused] {
            for at in 0..10 {
                assert_eq!(health.on_failure(at, class, None), None);
            }
        }
        assert_eq!(health.outcomes(10), (0, 0));
    }

    #[test]
    fn the_latency_is_the_median_of_late() {
        let mut health = Health::default();
        for (at, ms) in [(0, 100), (10, 5_000), (20, 120)] {
            health.on_success(at, Some(ms));
        }
        assert_eq!(health.latency_ms(30), Some(120));
        assert_eq!(health.latency_ms(30 + limits::HEALTH_LATENCY_MS), None);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Wait(u64),
        Success(u64),
        Failure(ErrorClass, Option<u64>),
        Trial,
    }

    fn step() -> impl Strategy<Value = Step> {
        let class = prop::sample::select(vec![
            ErrorClass::Auth,
            ErrorClass::RateLimited,
            ErrorClass::Unavailable,
            ErrorClass::Timeout,
            ErrorClass::Cancelled,
            ErrorClass::Invalid,
        ]);
        prop_oneof![
            (0u64..40_000).prop_map(Step::Wait),
            (0u64..3_000).prop_map(Step::Success),
            (class, prop::option::of(0u64..200_000)).prop_map(|(class, after)| Step::Failure(class, after)),
            Just(Step::Trial),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
        #[test]
        fn whatever_happens_it_can_recover_and_only_one_tries(steps in prop::collection::vec(step(), 1..60)) {
            let mut health = Health::default();
            let mut now = 0;
            let mut trial: Option<u64> = None;
            for step in steps {
                let was = health.breaker(now);
                match step {
                    Step::Wait(ms) => now += ms,
                    Step::Success(ms) => {
                        let change = health.on_success(now, Some(ms));
                        prop_assert_eq!(change.is_some(), was == Breaker::HalfOpen);
                        trial = trial.filter(|_| change.is_none());
                    }
                    Step::Failure(class, after) => {
                        let change = health.on_failure(now, class, after.map(Millis));
                        prop_assert!(change.is_none() || was != Breaker::Open);
                        trial = trial.filter(|_| change.is_none());
                    }
                    Step::Trial => {
                        let due = health.admission(now) == Admission::Trial;
                        prop_assert_eq!(health.begin_trial(now), due);
                        if due {
                            prop_assert!(trial.is_none_or(|since| now - since > limits::TRIAL_MS_MAX));
                            trial = Some(now);
                        }
                    }
                }
                prop_assert!(health.outcomes.len() <= limits::HEALTH_SAMPLES_MAX);
            }
            // A provider that is well again is asked again within the longest pause, whatever was before.
            let later = now + limits::RETRY_AFTER_MS_MAX.max(limits::BREAKER_PAUSE_MS_MAX) + limits::TRIAL_MS_MAX + 1;
            if health.admission(later) != Admission::Yes {
                prop_assert!(health.begin_trial(later));
                health.on_success(later, None);
            }
            prop_assert_eq!(health.admission(later), Admission::Yes);
        }
    }
}
