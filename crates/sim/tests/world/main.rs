//! A sample of the simulated world in every test run; `sim` runs the full number.

use sim::world::fleet::{self, Order};

fn sample(seeds: u64) -> Order {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    Order { start: 0, seeds, budget: None, cores, failures_max: 1 }
}

#[test]
fn hundreds_of_calls_with_everything_that_can_go_wrong_keep_every_law() {
    let totals = fleet::run(sample(600), &|_| {});
    let failed: Vec<String> = totals
        .failed
        .iter()
        .map(|failed| format!("sim --seed {} --trace: {}", failed.seed, failed.violation))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(totals.turns > 1_000 && totals.kills > 50, "{} turns, {} kills", totals.turns, totals.kills);
}

#[test]
fn the_same_seed_is_the_same_call() {
    for seed in 0..40 {
        let (first, second) = (fleet::run_one(seed, true), fleet::run_one(seed, false));
        assert_eq!(first.digest, second.digest, "seed {seed}: a trace changes nothing");
        assert_eq!(first.simulated_ms, second.simulated_ms, "seed {seed}");
    }
    assert_ne!(fleet::run_one(1, false).digest, fleet::run_one(2, false).digest);
}

#[cfg(feature = "mutants")]
#[test]
fn every_deliberate_defect_is_noticed() {
    let missed: Vec<_> =
        engine::mutants::Mutant::ALL.into_iter().filter(|mutant| fleet::hunt(*mutant, 0, 10_000).is_none()).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
