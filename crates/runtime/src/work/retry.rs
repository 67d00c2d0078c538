//! When a job that failed is tried again.

use base::limits;

/// Milliseconds until the attempt after this one (from 1): doubling, bounded, and up to a fifth longer by `chance` (any number),
/// so that jobs which failed together do not come back together.
pub fn pause_after(attempt: u32, chance: u64) -> i64 {
    let doublings = attempt.saturating_sub(1).min(32);
    let pause = limits::JOB_RETRY_MS.saturating_mul(1 << doublings).min(limits::JOB_RETRY_MS_MAX);
    i64::try_from(pause + chance % (pause / 5)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound_and_differ_a_little() {
        let pauses: Vec<i64> = (1..=12).map(|attempt| pause_after(attempt, 0)).collect();
        assert_eq!(pauses[..4], [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(pauses[11], i64::try_from(limits::JOB_RETRY_MS_MAX).expect("small"));
        assert!((0..1_000).all(|chance| (1_000..1_200).contains(&pause_after(1, chance))));
        assert_eq!(pause_after(u32::MAX, 0), pauses[11]);
    }
}
