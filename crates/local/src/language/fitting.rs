//! A gate of a business's own: coefficients and both thresholds from its questions of which the answer is known. Pure.
//!
//! A gate looks better on the questions that it was fitted to than on any other. So what it is worth is found by
//! cross-validation: each question is judged by a gate that was fitted without it, thresholds and all, and the fitted gate is
//! taken only where that is better than the gate that every business begins with, on the same questions.

use super::gate::{Features, Gate, Verdict};
use serde::{Deserialize, Serialize};

/// Questions below which a business keeps the gate that it began with.
pub const QUESTIONS_MIN: usize = 40;
/// Of each kind, what is to be answered and what is to be declined.
pub const OF_A_KIND_MIN: usize = 15;
/// Parts of the cross-validation.
const PARTS: usize = 5;
/// A fitted gate is better when it is so by more than one question: less is chance.
const MARGIN: f32 = 1.0;

/// What is true of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// The best passage answers it.
    Right,
    /// Another passage would.
    Missed,
    /// No passage does.
    Unanswerable,
}

/// What a gate does with questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The right passage was given as the answer.
    pub answered: usize,
    /// The right passage was named as the closest.
    pub closest: usize,
    /// The right passage was there, and the question declined.
    pub lost: usize,
    /// A passage that does not answer the question was given as the answer.
    pub let_through: usize,
    /// Such a passage was named as the closest.
    pub let_through_closest: usize,
    /// It was held back.
    pub declined: usize,
}

impl Judged {
    fn add(&mut self, truth: Truth, verdict: Verdict) {
        let counter = match (truth == Truth::Right, verdict) {
            (true, Verdict::Answer) => &mut self.answered,
            (true, Verdict::Closest) => &mut self.closest,
            (true, Verdict::Decline) => &mut self.lost,
            (false, Verdict::Answer) => &mut self.let_through,
            (false, Verdict::Closest) => &mut self.let_through_closest,
            (false, Verdict::Decline) => &mut self.declined,
        };
        *counter += 1;
    }

    fn of(gate: &Gate, examples: &[(Features, Truth)]) -> Self {
        let mut judged = Self::default();
        for (features, truth) in examples {
            judged.add(*truth, gate.verdict(gate.probability(features)));
        }
        judged
    }

    /// What it costs, in questions of which the answer was there and declined.
    fn cost(&self) -> f32 {
        let count = |n: usize, each: f32| n as f32 * each;
        count(self.lost, LOST)
            + count(self.closest, NAMED)
            + count(self.let_through, LET_THROUGH)
            + count(self.let_through_closest, LET_THROUGH_CLOSEST)
    }
}

// A wrong answer is believed; a passage that is named as the closest is weighed; who is declined is offered a person.
const LOST: f32 = 1.0;
const NAMED: f32 = 0.3;
const LET_THROUGH: f32 = 2.0;
const LET_THROUGH_CLOSEST: f32 = 0.6;

/// What came of fitting a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The gate, fitted to all questions.
    pub gate: Gate,
    /// What gates do with these questions that were fitted without them.
    pub validated: Judged,
    /// What the gate does with them that every business begins with.
    pub usual: Judged,
    /// Whether the fitted one is better.
    pub is_better: bool,
}

/// Whether there are questions enough of both kinds.
pub fn is_enough(examples: &[(Features, Truth)]) -> bool {
    let right = examples.iter().filter(|(_, truth)| *truth == Truth::Right).count();
    let held_back = examples.len() - right;
    examples.len() >= QUESTIONS_MIN && right >= OF_A_KIND_MIN && held_back >= OF_A_KIND_MIN
}

/// Fits a gate; `None` when there are too few questions. Takes seconds for thousands of them.
pub fn fit(usual: &Gate, examples: &[(Features, Truth)]) -> Option<Fit> {
    if !is_enough(examples) {
        return None;
    }
    // Kinds one after the other, so that each part has its share of both.
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|at| (examples[*at].1 == Truth::Right, *at));
    let mut validated = Judged::default();
    for part in 0..PARTS {
        let pick = |inside: bool| -> Vec<(Features, Truth)> {
            let mine = order.iter().enumerate().filter(|(place, _)| (place % PARTS == part) == inside);
            mine.map(|(_, at)| examples[*at]).collect()
        };
        let gate = fitted(usual, &pick(false));
        for (features, truth) in pick(true) {
            validated.add(truth, gate.verdict(gate.probability(&features)));
        }
    }
    let before = Judged::of(usual, examples);
    let is_better = validated.cost() + MARGIN < before.cost();
    Some(Fit { gate: fitted(usual, examples), validated, usual: before, is_better })
}

/// Coefficients, then the thresholds that cost least.
fn fitted(usual: &Gate, examples: &[(Features, Truth)]) -> Gate {
    let known: Vec<(Features, bool)> = examples.iter().map(|(one, truth)| (*one, *truth == Truth::Right)).collect();
    let gate = usual.fit(&known);
    let mut judged: Vec<(f32, bool)> = known.iter().map(|(one, right)| (gate.probability(one), *right)).collect();
    judged.sort_by(|a, b| a.0.total_cmp(&b.0));
    let per = |right: f32, other: f32| move |is_right: bool| if is_right { right } else { other };
    // What changes when a threshold comes to lie below a question: from declined to closest, from closest to answered.
    let to_closest = per(NAMED - LOST, LET_THROUGH_CLOSEST);
    let to_answer = per(-NAMED, LET_THROUGH - LET_THROUGH_CLOSEST);
    let (closest_from, answer_from) = (cheapest(&judged, to_closest), cheapest(&judged, to_answer));
    if closest_from <= answer_from {
        return Gate { answer_from, closest_from, ..gate };
    }
    // Nothing is worth being named: one threshold for both.
    let one = cheapest(&judged, |right| to_closest(right) + to_answer(right));
    Gate { answer_from: one, closest_from: one, ..gate }
}

/// The threshold above which the sum over questions is least; half way between two of them.
fn cheapest(judged: &[(f32, bool)], change: impl Fn(bool) -> f32) -> f32 {
    let (mut sum, mut least, mut best) = (0.0, 0.0, 1.0);
    for at in (0..judged.len()).rev() {
        let (probability, is_right) = judged[at];
        sum += change(is_right);
        let below = if at == 0 { 0.0 } else { judged[at - 1].0 };
        // Questions of the same probability are on the same side.
        if sum < least && below < probability {
            (least, best) = (sum, f32::midpoint(probability, below));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Questions whose first feature tells them apart but for `noise`.
    fn questions(count: usize, noise: usize) -> Vec<(Features, Truth)> {
        let one = |at: usize| {
            let right = at.is_multiple_of(2);
            let looks_right = right != (noise > 0 && at.is_multiple_of(noise));
            let spread = (at * 37 % 100) as f32 / 500.0;
            let x = if looks_right { 0.9 } else { 0.5 } + spread;
            let truth = if right { Truth::Right } else { Truth::Unanswerable };
            ([x, 0.0, 0.5, 0.3, 0.5], truth)
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn a_business_whose_questions_differ_gets_a_gate_that_tells_them_apart() {
        let fit = fit(&Gate::default(), &questions(80, 0)).expect("enough");
        assert!(fit.is_better, "{fit:?}");
        assert_eq!((fit.validated.lost, fit.validated.let_through), (0, 0), "{fit:?}");
        assert!(fit.usual.let_through > 0, "the usual gate lets foreign questions through: {fit:?}");
        assert!(Gate::from_json(&serde_json::to_string(&fit.gate).unwrap()).is_ok());
    }

    #[test]
    fn chance_is_not_taken_for_skill() {
        // What is asked says nothing about what is true.
        let examples: Vec<_> = (0..80)
            .map(|at| {
                let x = (at * 7919 % 80) as f32 / 80.0;
                let truth = if at % 2 == 0 { Truth::Right } else { Truth::Unanswerable };
                ([x, x * -9.0, 0.4, x / 2.0, 0.5], truth)
            })
            .collect();
        let fit = fit(&Gate::default(), &examples).expect("enough");
        let flattered = Judged::of(&fit.gate, &examples);
        assert!(flattered.cost() <= fit.validated.cost(), "what it was fitted to looks better: {fit:?}");
    }

    #[test]
    fn a_gate_that_is_no_better_is_not_taken() {
        let usual = Gate::default();
        let (near, far) = ([2.0, 8.0, 1.5, 0.9, 1.0], [0.2, -11.0, 0.0, 0.0, 0.0]);
        let one = |at: usize| if at.is_multiple_of(2) { (near, Truth::Right) } else { (far, Truth::Unanswerable) };
        let fit = fit(&usual, &(0..60).map(one).collect::<Vec<_>>()).expect("enough");
        assert_eq!(fit.usual.cost(), 0.0, "the usual gate is right already");
        assert!(!fit.is_better);
    }

    #[test]
    fn too_few_questions_or_too_few_of_a_kind_fit_nothing() {
        assert_eq!(fit(&Gate::default(), &questions(QUESTIONS_MIN - 2, 0)), None);
        let mut lonely = questions(100, 0);
        lonely.retain(|(_, truth)| *truth == Truth::Right);
        assert_eq!(fit(&Gate::default(), &lonely), None);
    }

    #[test]
    fn thresholds_are_in_order_whatever_the_questions_are() {
        for noise in [0, 3, 5, 7] {
            let fit = fit(&Gate::default(), &questions(90, noise)).expect("enough");
            assert!((0.0..=fit.gate.answer_from).contains(&fit.gate.closest_from), "{fit:?}");
            assert!(fit.gate.answer_from <= 1.0);
        }
    }
}
