//! What a customer wants, learned from a few examples: a logistic regression over embeddings, and how near an utterance must
//! come to be any of it. Pure: vectors come in, so training takes seconds and nothing is loaded.
//!
//! The same examples in the same order give the same weights: there is no chance in it.

use super::embed::{EMBEDDING_WIDTH, Embedding, cosine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Steps of the descent; the loss hardly moves after these.
const STEPS: usize = 120;
/// The loss of vectors of length one curves by a half at most, so this rate cannot overshoot.
const RATE: f32 = 2.0;
/// How much large weights cost, per example.
const DECAY: f32 = 0.02;
/// Of the examples that are left out while the others are learned, this share may be taken for none of the intents.
const LOST_MAX: f32 = 0.05;
/// Examples of an intent that it takes to leave some out.
const FOLDS_MAX: usize = 5;

/// An utterance of which the intent is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Position of its intent.
    pub intent: usize,
    /// What it means.
    pub vector: Embedding,
}

/// Tells intents apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    weights: Vec<Embedding>,
    biases: Vec<f32>,
    /// The middle of the examples of each intent, of length one.
    middles: Vec<Embedding>,
    /// Below this nearness to every middle an utterance is none of the intents.
    near_from: f32,
}

/// An intent that an utterance may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// Position of the intent.
    pub intent: usize,
    /// How probable it is among the intents.
    pub probability: f32,
}

/// What a classifier says about an utterance.
#[derive(Clone, Debug, PartialEq)]
pub struct Classified {
    /// All intents, the most probable first.
    pub guesses: Vec<Guess>,
    /// Nearness to the nearest middle: how much the utterance is any of it.
    pub nearness: f32,
    /// Whether it is near enough to be one of them.
    pub is_known: bool,
}

/// How well intents are told apart, by examples that were left out while the others were learned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// Examples.
    pub examples: usize,
    /// Of them, the right intent was the most probable.
    pub right: usize,
    /// Of them, taken for none of the intents.
    pub lost: usize,
    /// How often an example of the first intent was taken for the second, where that happened.
    pub confused: Vec<Confusion>,
}

/// An intent that was taken for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// The intent.
    pub intent: usize,
    /// What it was taken for.
    pub taken_for: usize,
    /// How often.
    pub count: usize,
}

impl Classifier {
    /// Learns from examples of so many intents. The bound of what is none of them comes from [`cross_validate`].
    pub fn train(examples: &[Example], intents: usize, near_from: f32) -> Self {
        let mut middles = vec![[0.0_f32; EMBEDDING_WIDTH]; intents];
        for example in examples {
            add(&mut middles[example.intent], &example.vector, 1.0);
        }
        middles.iter_mut().for_each(normalise);
        let mut learned =
            Self { weights: vec![[0.0; EMBEDDING_WIDTH]; intents], biases: vec![0.0; intents], middles, near_from };
        learned.descend(examples);
        learned
    }

    /// Nesterov's descent on the cross-entropy with a penalty on large weights.
    fn descend(&mut self, examples: &[Example]) {
        let count = examples.len().max(1) as f32;
        let intents = self.weights.len();
        let (mut before, mut biases_before) = (self.weights.clone(), self.biases.clone());
        for step in 0..STEPS {
            let momentum = step as f32 / (step as f32 + 3.0);
            let mut ahead = self.clone();
            for intent in 0..intents {
                let moved = self.weights[intent].iter().zip(&before[intent]);
                for (ahead, (now, before)) in ahead.weights[intent].iter_mut().zip(moved) {
                    *ahead += momentum * (now - before);
                }
                ahead.biases[intent] += momentum * (self.biases[intent] - biases_before[intent]);
            }
            let mut slope = vec![[0.0_f32; EMBEDDING_WIDTH]; intents];
            let mut slope_biases = vec![0.0_f32; intents];
            for example in examples {
                for (intent, probability) in ahead.probabilities(&example.vector).into_iter().enumerate() {
                    let error = probability - f32::from(u8::from(intent == example.intent));
                    add(&mut slope[intent], &example.vector, error);
                    slope_biases[intent] += error;
                }
            }
            before.clone_from(&self.weights);
            biases_before.clone_from(&self.biases);
            // Slopes are sums over examples of one intent among many: dividing by their share keeps the step as long for
            // many intents as for few.
            let length = RATE * intents as f32 / count;
            for intent in 0..intents {
                let pulled = ahead.weights[intent].iter().zip(&slope[intent]);
                for (weight, (ahead, slope)) in self.weights[intent].iter_mut().zip(pulled) {
                    *weight = ahead - length * (slope + DECAY * ahead);
                }
                self.biases[intent] = ahead.biases[intent] - length * slope_biases[intent];
            }
        }
    }

    fn probabilities(&self, vector: &Embedding) -> Vec<f32> {
        let mut logits: Vec<f32> =
            self.weights.iter().zip(&self.biases).map(|(weights, bias)| cosine(weights, vector) + bias).collect();
        let most = logits.iter().copied().fold(f32::MIN, f32::max);
        logits.iter_mut().for_each(|logit| *logit = (*logit - most).exp());
        let sum: f32 = logits.iter().sum();
        logits.into_iter().map(|logit| logit / sum.max(f32::MIN_POSITIVE)).collect()
    }

    /// What an utterance is, by its vector.
    pub fn classify(&self, vector: &Embedding) -> Classified {
        let guess = |(intent, probability)| Guess { intent, probability };
        let mut guesses: Vec<Guess> = self.probabilities(vector).into_iter().enumerate().map(guess).collect();
        guesses.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.intent.cmp(&b.intent)));
        let nearness = self.nearness(vector);
        Classified { guesses, nearness, is_known: nearness >= self.near_from }
    }

    /// Nearness to the nearest middle.
    fn nearness(&self, vector: &Embedding) -> f32 {
        self.middles.iter().map(|middle| cosine(middle, vector)).fold(-1.0, f32::max)
    }

    /// What it learned, as numbers: 32-bit floats, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let rows = self.weights.iter().chain(&self.middles).flatten();
        rows.chain(&self.biases).chain([&self.near_from]).flat_map(|number| number.to_le_bytes()).collect()
    }

    /// The same read again; `None` when they are not the numbers of so many intents.
    pub fn from_bytes(bytes: &[u8], intents: usize) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<4>();
        let numbers: Vec<f32> = numbers.iter().map(|four| f32::from_le_bytes(*four)).collect();
        let rows = EMBEDDING_WIDTH * intents;
        if !rest.is_empty() || numbers.len() != rows * 2 + intents + 1 || numbers.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let read = |from: usize| numbers[from..from + rows].as_chunks::<EMBEDDING_WIDTH>().0.to_vec();
        let biases = numbers[rows * 2..rows * 2 + intents].to_vec();
        Some(Self { weights: read(0), middles: read(rows), biases, near_from: numbers[rows * 2 + intents] })
    }
}

/// Learns several times from all but some examples and asks those, and answers the nearness that keeps all but a few of them.
/// An intent with one example cannot be left out: it counts for nothing here.
pub fn cross_validate(examples: &[Example], intents: usize) -> (CrossValidation, f32) {
    let mut seen = vec![0_usize; intents];
    // Examples of an intent go round the folds, so that each fold leaves some of all of them out.
    let fold_of: Vec<usize> = examples
        .iter()
        .map(|example| {
            seen[example.intent] += 1;
            seen[example.intent] - 1
        })
        .collect();
    let fewest = seen.iter().copied().filter(|count| *count > 1).min().unwrap_or(0);
    let folds = fewest.min(FOLDS_MAX);
    if folds < 2 {
        return (CrossValidation::default(), 0.0);
    }
    let (mut right, mut confused, mut nearness) = (0, BTreeMap::new(), Vec::new());
    for fold in 0..folds {
        let part = |inside: bool| {
            let belongs = |at: &usize| (fold_of[*at] % folds == fold) == inside;
            (0..examples.len()).filter(belongs).map(|at| examples[at].clone()).collect::<Vec<_>>()
        };
        let learned = Classifier::train(&part(false), intents, 0.0);
        for example in part(true).iter().filter(|example| seen[example.intent] > 1) {
            let said = learned.classify(&example.vector);
            nearness.push(said.nearness);
            let best = said.guesses[0].intent;
            if best == example.intent {
                right += 1;
            } else {
                *confused.entry((example.intent, best)).or_insert(0) += 1;
            }
        }
    }
    nearness.sort_by(f32::total_cmp);
    let near_from = nearness.get((nearness.len() as f32 * LOST_MAX) as usize).copied().unwrap_or(0.0);
    let lost = nearness.iter().filter(|near| **near < near_from).count();
    let confusion = |((intent, taken_for), count)| Confusion { intent, taken_for, count };
    let mut confused: Vec<Confusion> = confused.into_iter().map(confusion).collect();
    confused.sort_by(|a, b| b.count.cmp(&a.count).then((a.intent, a.taken_for).cmp(&(b.intent, b.taken_for))));
    (CrossValidation { examples: nearness.len(), right, lost, confused }, near_from)
}

fn add(sum: &mut Embedding, vector: &Embedding, times: f32) {
    for (total, value) in sum.iter_mut().zip(vector) {
        *total += times * value;
    }
}

fn normalise(vector: &mut Embedding) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|x| *x /= length);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn towards(at: usize, more: usize) -> Embedding {
        let mut vector = [0.0; EMBEDDING_WIDTH];
        vector[at] = 1.0;
        vector[100 + more] = 0.4;
        normalise(&mut vector);
        vector
    }

    fn examples() -> Vec<Example> {
        let of = |intent: usize| (0..6).map(move |more| Example { intent, vector: towards(intent, more) });
        (0..3).flat_map(of).collect()
    }

    #[test]
    fn a_few_examples_tell_intents_apart_and_something_else_is_none_of_them() {
        let (validated, near_from) = cross_validate(&examples(), 3);
        assert_eq!((validated.examples, validated.right), (18, 18));
        assert!(validated.confused.is_empty());
        let learned = Classifier::train(&examples(), 3, near_from);
        let said = learned.classify(&towards(1, 30));
        assert_eq!(said.guesses[0].intent, 1);
        assert!(said.guesses[0].probability > 0.6 && said.is_known, "{said:?}");
        assert!(!learned.classify(&towards(50, 31)).is_known);
    }

    #[test]
    fn what_was_learned_is_the_same_after_it_was_written_down() {
        let learned = Classifier::train(&examples(), 3, 0.5);
        assert_eq!(Classifier::from_bytes(&learned.to_bytes(), 3).as_ref(), Some(&learned));
        assert_eq!(Classifier::from_bytes(&learned.to_bytes(), 2), None);
        assert_eq!(Classifier::from_bytes(&learned.to_bytes()[..40], 3), None);
    }

    #[test]
    fn examples_that_are_in_the_wrong_place_show_in_the_table() {
        let mut all = examples();
        all.extend((0..2).map(|more| Example { intent: 2, vector: towards(0, more) }));
        let (validated, _) = cross_validate(&all, 3);
        assert!(validated.confused.iter().any(|one| (one.intent, one.taken_for) == (2, 0)), "{validated:?}");
    }

    #[test]
    fn an_intent_with_a_single_example_breaks_nothing() {
        let alone = [Example { intent: 0, vector: towards(0, 0) }, Example { intent: 1, vector: towards(1, 0) }];
        assert_eq!(cross_validate(&alone, 2), (CrossValidation::default(), 0.0));
        assert_eq!(Classifier::train(&alone, 2, 0.0).classify(&towards(1, 5)).guesses[0].intent, 1);
    }
}
