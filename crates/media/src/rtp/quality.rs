//! What a listener would think of a line, from what can be measured: the E-model (ITU-T G.107), simplified to delay, loss
//! and codec, with the constants of G.113 for G.711.

/// Rating without any impairment but those that every call has.
const RATING_BASE: f64 = 93.2;
/// One-way delay from which people begin to interrupt each other, in milliseconds.
const DELAY_MS_NOTICED: f64 = 177.3;
/// How well G.711 stands loss when losses are concealed, and when they are not.
const ROBUSTNESS_CONCEALED: f64 = 25.1;
const ROBUSTNESS_BARE: f64 = 4.3;

/// What is done about lost packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concealment {
    /// The gap is filled with what was heard before.
    Concealed,
    /// The gap is silent.
    Bare,
}

/// The transmission rating R of a G.711 line, 0 to 93.2.
pub fn rating(one_way_ms: f64, loss_percent: f64, concealment: Concealment) -> f64 {
    let delay = 0.024 * one_way_ms + 0.11 * (one_way_ms - DELAY_MS_NOTICED).max(0.0);
    let robustness = match concealment {
        Concealment::Concealed => ROBUSTNESS_CONCEALED,
        Concealment::Bare => ROBUSTNESS_BARE,
    };
    let loss = 95.0 * loss_percent / (loss_percent + robustness);
    (RATING_BASE - delay - loss).clamp(0.0, 100.0)
}

/// The mean opinion score for a rating, 1 (bad) to 4.5.
pub fn mean_opinion_score(rating: f64) -> f64 {
    let rating = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_and_scores_of_known_lines() {
        let lines = [
            (20.0, 0.0, Concealment::Concealed, 92.72, 4.40),
            (100.0, 0.0, Concealment::Concealed, 90.80, 4.36),
            (150.0, 1.0, Concealment::Concealed, 85.96, 4.23),
            (200.0, 2.0, Concealment::Concealed, 78.89, 3.98),
            (300.0, 5.0, Concealment::Concealed, 56.72, 2.93),
            (400.0, 10.0, Concealment::Concealed, 32.04, 1.70),
            (150.0, 1.0, Concealment::Bare, 71.68, 3.67),
        ];
        for (delay, loss, concealment, expected_rating, score) in lines {
            let rating = rating(delay, loss, concealment);
            assert!((rating - expected_rating).abs() < 0.006, "{delay} ms, {loss} %: {rating}");
            assert!((mean_opinion_score(rating) - score).abs() < 0.006, "{delay} ms, {loss} %");
        }
    }

    #[test]
    fn a_hopeless_line_is_still_a_number_on_the_scale() {
        assert_eq!(mean_opinion_score(rating(5_000.0, 100.0, Concealment::Bare)), 1.0);
    }
}
