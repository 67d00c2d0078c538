//! Who is asked, when the next one is asked too, and who wins: the same for an answer, a voice and a recognition stream.
//! Pure: time goes in as milliseconds, moves come out.

use base::{ErrorClass, Failure, Millis, limits};
use std::collections::VecDeque;

/// How long this kind of race waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Without a sign for this long, the next one is asked too.
    pub(super) hedge_ms: u64,
    /// Without a sign for this long, a runner has failed.
    pub(super) runner_ms_max: u64,
    /// How often the only provider is asked again after failures that came at once, and that another attempt may mend.
    pub(super) retries_max: u32,
    /// The one who waits gives up after this long; an attempt that could not be in time is not made.
    pub(super) patience_ms: u64,
}

/// What the shell must do.
#[derive(Debug, PartialEq)]
pub(super) enum Move {
    /// Ask this provider, and call it by this slot from now on.
    Ask { slot: usize, provider: usize, why: Why },
    /// It is out of the race: let it go. `late` when somebody who was asked later was faster, or its time was over.
    Drop { slot: usize, provider: usize, late: bool },
    /// The first sign came from this one.
    Won { slot: usize, provider: usize },
    /// Nobody is left to ask.
    GiveUp(Failure),
}

/// Why somebody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is the first.
    First,
    /// The one before is late.
    Late,
    /// The one before failed.
    Failed(ErrorClass),
}

impl Why {
    /// In one word; `None` for the first, about whom there is nothing to say.
    pub(super) const fn word(self) -> Option<&'static str> {
        match self {
            Self::First => None,
            Self::Late => Some("late"),
            Self::Failed(class) => Some(class.name()),
        }
    }
}

#[derive(Debug)]
struct Runner {
    slot: usize,
    provider: usize,
    asked_ms: u64,
}

#[derive(Debug)]
pub(super) struct Race {
    rules: Rules,
    untried: VecDeque<usize>,
    runners: Vec<Runner>,
    next_slot: usize,
    /// Since when somebody waits. A voice that has no text yet keeps nobody waiting.
    waiting_ms: Option<u64>,
    may_hedge: bool,
    retries_left: u32,
    retries: u32,
    /// When the only provider is asked again, and after what failure.
    retry: Option<(u64, usize, ErrorClass)>,
    /// The slot that was asked because another was late.
    hedge: Option<usize>,
    moves: VecDeque<Move>,
    over: bool,
}

impl Race {
    /// A race among these providers, best first. `may_hedge`: whether the call may still spend on a second opinion.
    pub(super) fn new(rules: Rules, order: Vec<usize>, may_hedge: bool) -> Self {
        let retries_left = if order.len() == 1 { rules.retries_max } else { 0 };
        Self {
            rules,
            untried: order.into(),
            runners: Vec::new(),
            next_slot: 0,
            waiting_ms: None,
            may_hedge,
            retries_left,
            retries: 0,
            retry: None,
            hedge: None,
            moves: VecDeque::new(),
            over: false,
        }
    }

    /// Asks the first.
    pub(super) fn start(&mut self, now_ms: u64) {
        if !self.ask_next(now_ms, Why::First) {
            self.give_up(Failure::new(ErrorClass::Internal, "nobody is configured"));
        }
    }

    /// From now on somebody waits.
    pub(super) fn wait_from(&mut self, now_ms: u64) {
        self.waiting_ms.get_or_insert(now_ms);
    }

    /// The first useful thing came from this slot.
    pub(super) fn on_sign(&mut self, slot: usize) {
        if self.over {
            return;
        }
        let Some(at) = self.runners.iter().position(|runner| runner.slot == slot) else { return };
        self.over = true;
        let winner = self.runners.swap_remove(at);
        for Runner { slot, provider, .. } in self.runners.drain(..) {
            self.moves.push_back(Move::Drop { slot, provider, late: slot < winner.slot });
        }
        self.moves.push_back(Move::Won { slot, provider: winner.provider });
    }

    /// This one failed before it gave a sign.
    pub(super) fn on_failure(&mut self, now_ms: u64, slot: usize, failure: Failure) {
        let Some(at) = self.runners.iter().position(|runner| runner.slot == slot) else { return };
        let runner = self.runners.swap_remove(at);
        if self.over || !self.runners.is_empty() || self.ask_next(now_ms, Why::Failed(failure.class)) {
            return;
        }
        match self.retry_at(now_ms, &failure) {
            Some(at) => {
                self.retries += 1;
                self.retries_left -= 1;
                self.retry = Some((at, runner.provider, failure.class));
                self.retry_when_due(now_ms);
            }
            None => self.give_up(failure),
        }
    }

    /// When another attempt begins, if one makes sense: at once after the first failure, then after growing pauses.
    fn retry_at(&self, now_ms: u64, failure: &Failure) -> Option<u64> {
        let can_help = failure.class.is_retryable() && failure.class != ErrorClass::Timeout && self.retries_left > 0;
        let own_ms = if self.retries == 0 { 0 } else { limits::RETRY_PAUSE_MS << (self.retries - 1).min(8) };
        let at = now_ms + own_ms.max(failure.retry_after.map_or(0, |after| after.0));
        let since = self.waiting_ms.unwrap_or(now_ms);
        (can_help && at + limits::RETRY_ROOM_MS <= since + self.rules.patience_ms).then_some(at)
    }

    fn retry_when_due(&mut self, now_ms: u64) {
        if let Some((_, provider, class)) = self.retry.take_if(|(at, ..)| *at <= now_ms) {
            self.untried.push_back(provider);
            self.ask_next(now_ms, Why::Failed(class));
        }
    }

    /// Time has passed.
    pub(super) fn on_time(&mut self, now_ms: u64) {
        if self.over {
            return;
        }
        self.retry_when_due(now_ms);
        let late: Vec<usize> =
            self.runners.iter().filter(|r| self.due(r).is_some_and(|at| at <= now_ms)).map(|r| r.slot).collect();
        for slot in late {
            if let Some(runner) = self.runners.iter().find(|runner| runner.slot == slot) {
                self.moves.push_back(Move::Drop { slot, provider: runner.provider, late: true });
            }
            let span = Millis(self.rules.runner_ms_max);
            self.on_failure(now_ms, slot, Failure::new(ErrorClass::Timeout, format!("nothing came within {span}")));
        }
        if self.hedge_due().is_some_and(|at| at <= now_ms) {
            self.hedge = Some(self.next_slot);
            self.ask_next(now_ms, Why::Late);
        }
    }

    /// When [`Race::on_time`] must be called.
    pub(super) fn deadline(&self) -> Option<u64> {
        if self.over {
            return None;
        }
        let retry = self.retry.map(|(at, ..)| at);
        self.runners.iter().filter_map(|runner| self.due(runner)).chain(self.hedge_due()).chain(retry).min()
    }

    /// The next thing to do.
    pub(super) fn poll(&mut self) -> Option<Move> {
        self.moves.pop_front()
    }

    /// The slot of the hedge, if one was needed.
    pub(super) fn hedge(&self) -> Option<usize> {
        self.hedge
    }

    fn due(&self, runner: &Runner) -> Option<u64> {
        self.waiting_ms.map(|since| since.max(runner.asked_ms) + self.rules.runner_ms_max)
    }

    fn hedge_due(&self) -> Option<u64> {
        let [runner] = self.runners.as_slice() else { return None };
        let possible = self.may_hedge && self.hedge.is_none() && !self.untried.is_empty();
        let since = self.waiting_ms.filter(|_| possible)?;
        Some(since.max(runner.asked_ms) + self.rules.hedge_ms)
    }

    fn ask_next(&mut self, now_ms: u64, why: Why) -> bool {
        let Some(provider) = self.untried.pop_front() else { return false };
        let slot = self.next_slot;
        self.next_slot += 1;
        self.runners.push(Runner { slot, provider, asked_ms: now_ms });
        self.moves.push_back(Move::Ask { slot, provider, why });
        true
    }

    fn give_up(&mut self, failure: Failure) {
        self.over = true;
        self.moves.push_back(Move::GiveUp(failure));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { hedge_ms: 700, runner_ms_max: 1_500, retries_max: 1, patience_ms: 1_300 };

    fn race(providers: usize) -> Race {
        let mut race = Race::new(RULES, (0..providers).collect(), true);
        race.wait_from(0);
        race.start(0);
        race
    }

    fn moves(race: &mut Race) -> Vec<Move> {
        std::iter::from_fn(|| race.poll()).collect()
    }

    fn failure(class: ErrorClass) -> Failure {
        Failure::new(class, "as the test wishes")
    }

    fn ask(slot: usize, provider: usize, why: Why) -> Move {
        Move::Ask { slot, provider, why }
    }

    #[test]
    fn the_best_is_asked_alone_while_it_is_in_time() {
        let mut race = race(2);
        assert_eq!(moves(&mut race), [ask(0, 0, Why::First)]);
        race.on_time(699);
        assert_eq!(moves(&mut race), []);
        race.on_sign(0);
        assert_eq!(moves(&mut race), [Move::Won { slot: 0, provider: 0 }]);
        assert_eq!(race.deadline(), None);
    }

    #[test]
    fn the_next_is_asked_too_when_the_best_is_late_and_the_faster_one_wins() {
        let mut race = race(3);
        moves(&mut race);
        assert_eq!(race.deadline(), Some(700));
        race.on_time(700);
        assert_eq!(moves(&mut race), [ask(1, 1, Why::Late)]);
        race.on_sign(1);
        let lost = Move::Drop { slot: 0, provider: 0, late: true };
        assert_eq!(moves(&mut race), [lost, Move::Won { slot: 1, provider: 1 }]);
    }

    #[test]
    fn a_first_one_that_comes_after_all_is_not_to_blame_and_nor_is_the_second() {
        let mut race = race(2);
        race.on_time(700);
        moves(&mut race);
        race.on_sign(0);
        let lost = Move::Drop { slot: 1, provider: 1, late: false };
        assert_eq!(moves(&mut race), [lost, Move::Won { slot: 0, provider: 0 }]);
    }

    #[test]
    fn a_second_opinion_is_asked_for_once() {
        let mut race = race(3);
        race.on_time(700);
        race.on_time(1_400);
        assert_eq!(moves(&mut race), [ask(0, 0, Why::First), ask(1, 1, Why::Late)]);
        // The first has had its time; the second still runs, so nobody else is asked yet.
        race.on_time(1_500);
        assert_eq!(moves(&mut race), [Move::Drop { slot: 0, provider: 0, late: true }]);
        race.on_failure(1_600, 1, failure(ErrorClass::Unavailable));
        assert_eq!(moves(&mut race), [ask(2, 2, Why::Failed(ErrorClass::Unavailable))]);
        assert_eq!(race.deadline(), Some(3_100), "no second hedge");
    }

    #[test]
    fn a_call_that_may_not_hedge_waits_for_the_failure() {
        let mut race = Race::new(RULES, vec![0, 1], false);
        race.wait_from(0);
        race.start(0);
        assert_eq!(race.deadline(), Some(1_500));
        race.on_time(1_500);
        let late = Move::Drop { slot: 0, provider: 0, late: true };
        assert_eq!(moves(&mut race), [ask(0, 0, Why::First), late, ask(1, 1, Why::Failed(ErrorClass::Timeout))]);
    }

    #[test]
    fn a_failure_brings_the_next_one_at_once_and_the_last_failure_ends_it() {
        let mut race = race(2);
        race.on_failure(10, 0, failure(ErrorClass::Auth));
        race.on_failure(20, 1, failure(ErrorClass::Unavailable));
        let moves = moves(&mut race);
        assert_eq!(moves[1], ask(1, 1, Why::Failed(ErrorClass::Auth)));
        assert_eq!(moves[2], Move::GiveUp(failure(ErrorClass::Unavailable)));
    }

    #[test]
    fn the_only_one_is_asked_once_more_after_a_failure_that_came_at_once() {
        let mut alone = race(1);
        alone.on_failure(10, 0, failure(ErrorClass::Unavailable));
        assert_eq!(moves(&mut alone)[1], ask(1, 0, Why::Failed(ErrorClass::Unavailable)));
        alone.on_failure(20, 1, failure(ErrorClass::Unavailable));
        assert_eq!(moves(&mut alone), [Move::GiveUp(failure(ErrorClass::Unavailable))]);

        let waits = Failure { retry_after: Some(Millis(1_000)), ..failure(ErrorClass::RateLimited) };
        for hopeless in [failure(ErrorClass::Auth), failure(ErrorClass::Timeout), waits] {
            let mut race = race(1);
            moves(&mut race);
            race.on_failure(10, 0, hopeless.clone());
            assert_eq!(moves(&mut race), [Move::GiveUp(hopeless)]);
        }
    }

    #[test]
    fn further_attempts_come_after_growing_pauses_and_only_where_they_can_be_in_time() {
        let rules = Rules { retries_max: 9, patience_ms: 1_000, ..RULES };
        let mut race = Race::new(rules, vec![0], true);
        race.wait_from(0);
        race.start(0);
        let mut asked = vec![0];
        let mut now = 0;
        loop {
            moves(&mut race);
            race.on_failure(now, asked.len() - 1, failure(ErrorClass::Unavailable));
            match race.retry {
                Some((at, ..)) => {
                    assert_eq!(race.deadline(), Some(at));
                    race.on_time(at);
                    now = at;
                }
                None if race.over => break,
                None => {}
            }
            asked.push(now);
        }
        assert_eq!(asked, [0, 0, 100, 300], "the next would begin at 700 and have no time");
        assert_eq!(moves(&mut race), [Move::GiveUp(failure(ErrorClass::Unavailable))]);
        let asks_for_time = Failure { retry_after: Some(Millis(500)), ..failure(ErrorClass::RateLimited) };
        let mut race = Race::new(rules, vec![0], true);
        race.wait_from(0);
        race.start(0);
        race.on_failure(10, 0, asks_for_time);
        assert_eq!(race.deadline(), Some(510));
    }

    #[test]
    fn nobody_is_late_while_nobody_waits() {
        let mut race = Race::new(RULES, vec![0, 1], true);
        race.start(0);
        assert_eq!(race.deadline(), None);
        race.wait_from(5_000);
        assert_eq!(race.deadline(), Some(5_700));
    }

    #[test]
    fn what_an_unknown_slot_does_changes_nothing() {
        let mut race = race(1);
        moves(&mut race);
        race.on_sign(7);
        race.on_failure(0, 7, failure(ErrorClass::Auth));
        assert_eq!(moves(&mut race), []);
        race.on_sign(0);
        race.on_sign(0);
        assert_eq!(moves(&mut race), [Move::Won { slot: 0, provider: 0 }]);
    }
}
