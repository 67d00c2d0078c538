//! Answer, name the closest, or decline: a logistic regression over what retrieval and reranking found, with two
//! thresholds. Pure.
//!
//! The coefficients belong to a business's documents: [`Gate::fit`] computes them from example questions, half a minute of
//! work for someone who knows the documents.

use super::LanguageError;
use serde::{Deserialize, Serialize};

/// Numbers the gate looks at.
pub const FEATURES: usize = 5;

/// What the gate looks at, in this order: cosine sum of the best section, its cross-encoder score, its lead over the
/// second, the cosine of its heading, and how much of the question's rare words stand in it.
pub type Features = [f32; FEATURES];

/// The gate's data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Mean of each feature over the calibration questions.
    pub mean: Features,
    /// Standard deviation of each.
    pub scale: Features,
    /// Weight of each, once centred and scaled.
    pub weights: Features,
    /// Weight of nothing.
    pub bias: f32,
    /// From this probability on, the passage is the answer.
    pub answer_from: f32,
    /// From this probability on, the passage is named as the closest there is; below, the question is declined.
    pub closest_from: f32,
}

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The passage answers the question.
    Answer,
    /// It may be of use and must be named for what it is.
    Closest,
    /// It does not answer the question.
    Decline,
}

impl Gate {
    /// Reads the coefficients from JSON.
    pub fn from_json(json: &str) -> Result<Self, LanguageError> {
        let gate: Self = serde_json::from_str(json).map_err(|e| LanguageError::Gate(e.to_string()))?;
        let usable = gate.scale.iter().all(|s| s.is_finite() && *s > 0.0)
            && gate.weights.iter().chain(&gate.mean).all(|w| w.is_finite())
            && gate.bias.is_finite()
            && (0.0..=1.0).contains(&gate.closest_from)
            && (gate.closest_from..=1.0).contains(&gate.answer_from);
        if usable {
            Ok(gate)
        } else {
            Err(LanguageError::Gate(
                "a scale is zero, a number is not finite, or the thresholds are out of order".into(),
            ))
        }
    }

    /// How probable it is that the passage answers the question.
    pub fn probability(&self, features: &Features) -> f32 {
        let mut z = self.bias;
        for ((x, weight), (mean, scale)) in features.iter().zip(&self.weights).zip(self.mean.iter().zip(&self.scale)) {
            z += weight * (x - mean) / scale;
        }
        1.0 / (1.0 + (-z).exp())
    }

    /// What to do at that probability.
    pub fn verdict(&self, probability: f32) -> Verdict {
        if probability >= self.answer_from {
            Verdict::Answer
        } else if probability >= self.closest_from {
            Verdict::Closest
        } else {
            Verdict::Decline
        }
    }

    /// Fits the coefficients to questions of which is known whether the best passage answers them, by gradient descent
    /// with a small penalty on large weights. Keeps the thresholds of `self`.
    pub fn fit(&self, examples: &[(Features, bool)]) -> Self {
        let count = examples.len().max(1) as f32;
        let mut fitted = self.clone();
        for i in 0..FEATURES {
            fitted.mean[i] = examples.iter().map(|e| e.0[i]).sum::<f32>() / count;
            let variance = examples.iter().map(|e| (e.0[i] - fitted.mean[i]).powi(2)).sum::<f32>() / count;
            fitted.scale[i] = variance.sqrt().max(1e-6);
        }
        fitted.weights = [0.0; FEATURES];
        fitted.bias = 0.0;
        for _ in 0..4_000 {
            let mut slope = [0.0; FEATURES];
            let mut slope_bias = 0.0;
            for (features, answers) in examples {
                let error = fitted.probability(features) - f32::from(u8::from(*answers));
                slope_bias += error;
                for i in 0..FEATURES {
                    slope[i] += error * (features[i] - fitted.mean[i]) / fitted.scale[i];
                }
            }
            for (weight, slope) in fitted.weights.iter_mut().zip(slope) {
                *weight -= 0.5 * (slope + *weight) / count;
            }
            fitted.bias -= 0.5 * slope_bias / count;
        }
        fitted
    }
}

impl Default for Gate {
    /// Coefficients of a help page of 26 short sections; a business fits its own.
    fn default() -> Self {
        Self {
            mean: [0.8205, -5.6693, 0.5489, 0.3034, 0.5],
            scale: [0.2717, 4.9639, 0.5361, 0.1611, 0.3],
            weights: [0.4186, -0.0946, 1.6359, 0.7185, 0.0],
            bias: 0.8889,
            answer_from: 0.5,
            closest_from: 0.4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fitted_gate_separates_what_can_be_separated() {
        let examples: Vec<(Features, bool)> = (0..40)
            .map(|i| {
                let good = i % 2 == 0;
                let x = if good { 1.0 } else { 0.4 } + (i as f32) * 0.001;
                ([x, 0.0, 0.0, 0.0, 0.0], good)
            })
            .collect();
        let gate = Gate::default().fit(&examples);
        assert_eq!(gate.verdict(gate.probability(&[1.0, 0.0, 0.0, 0.0, 0.0])), Verdict::Answer);
        assert_eq!(gate.verdict(gate.probability(&[0.4, 0.0, 0.0, 0.0, 0.0])), Verdict::Decline);
    }

    #[test]
    fn unusable_coefficients_are_refused() {
        let json = serde_json::to_string(&Gate::default()).expect("serialises");
        assert!(Gate::from_json(&json).is_ok());
        assert!(Gate::from_json(&json.replace("0.2717", "0.0")).is_err());
        assert!(Gate::from_json("{}").is_err());
    }
}
