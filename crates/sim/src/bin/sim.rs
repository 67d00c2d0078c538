//! Simulated calls by the thousand: `sim --seeds 10000`, one call as a time line: `sim --seed 7 --trace`, and whether the
//! simulator would notice: `sim --mutants`. See `docs/simulator.md`.

use clap::Parser;
use sim::world::fleet::{self, Order, Totals};
use sim::world::swarm::Trouble;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Whole phone calls in virtual time, with everything that can go wrong.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    /// How many calls.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// Run this one call only.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the call as a time line.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Begin no call after so many seconds.
    #[arg(long)]
    budget_secs: Option<u64>,
    /// Threads; all cores unless given.
    #[arg(long)]
    cores: Option<usize>,
    /// Go on until so many calls have failed.
    #[arg(long, default_value_t = 1)]
    failures: usize,
    /// Make the engine defective in each known way and see whether that is noticed.
    #[arg(long)]
    mutants: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let all = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let cores = arguments.cores.unwrap_or_else(all);
    let is_fine = if arguments.mutants {
        mutants(arguments.start, arguments.seeds, cores)
    } else if let Some(seed) = arguments.seed {
        one(seed, arguments.trace)
    } else {
        let budget = arguments.budget_secs.map(Duration::from_secs);
        let failures_max = arguments.failures.max(1);
        many(Order { start: arguments.start, seeds: arguments.seeds, budget, cores, failures_max })
    };
    if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(seed: u64, with_trace: bool) -> bool {
    let report = fleet::run_one(seed, with_trace);
    print!("{}", report.trace);
    println!(
        "seed {seed}: {} s, {} caller turns, {} kills, digest {:016x}",
        report.simulated_ms / 1_000,
        report.turns,
        report.kills,
        report.digest
    );
    for (trouble, count) in Trouble::ALL.iter().zip(&report.struck).filter(|(_, count)| **count > 0) {
        println!("  {count:>4} {}", trouble.name());
    }
    if let Some(violation) = &report.violation {
        println!("VIOLATION {violation}");
    }
    report.violation.is_none()
}

fn many(order: Order) -> bool {
    let began = Instant::now();
    let totals = fleet::run(order, &|done| {
        eprintln!("{done} calls, {:.0} s", began.elapsed().as_secs_f64());
    });
    print_totals(&totals, order.cores, began.elapsed());
    for failed in &totals.failed {
        println!("VIOLATION in seed {}: {}", failed.seed, failed.violation);
        println!("  reproduce: sim --seed {} --trace", failed.seed);
    }
    totals.failed.is_empty()
}

fn print_totals(totals: &Totals, cores: usize, took: Duration) {
    println!(
        "{} calls, {} caller turns, {} kills, {:.1} simulated hours in {:.1} s on {cores} threads: {:.0} calls/s per core",
        totals.calls,
        totals.turns,
        totals.kills,
        totals.simulated_ms as f64 / 3_600_000.0,
        took.as_secs_f64(),
        totals.calls_per_core_second(),
    );
    println!(
        "longest silence while a caller waited {:.1} s; {} calls run twice with the same digest",
        totals.silence_ms_max as f64 / 1_000.0,
        totals.twice
    );
    for (trouble, count) in Trouble::ALL.iter().zip(&totals.struck) {
        println!("{count:>9} {}", trouble.name());
    }
}

#[cfg(not(feature = "mutants"))]
fn mutants(_: u64, _: u64, _: usize) -> bool {
    eprintln!("built without the cargo feature `mutants`");
    false
}

#[cfg(feature = "mutants")]
fn mutants(start: u64, seeds: u64, cores: usize) -> bool {
    use engine::mutants::Mutant;
    use std::sync::Mutex;
    let waiting = Mutex::new(Mutant::ALL.iter().rev().copied().collect::<Vec<_>>());
    let missed = Mutex::new(Vec::new());
    println!("{:<24} {:<30} {:>6}", "defect", "noticed by", "seed");
    std::thread::scope(|scope| {
        for _ in 0..cores.max(1) {
            scope.spawn(|| {
                while let Some(mutant) = waiting.lock().ok().and_then(|mut waiting| waiting.pop()) {
                    let name = format!("{mutant:?}");
                    if let Some(found) = fleet::hunt(mutant, start, seeds) {
                        println!("{name:<24} {:<30} {:>6}", found.violation.name, found.seed);
                    } else if let Ok(mut missed) = missed.lock() {
                        println!("{name:<24} NOT NOTICED in {seeds} seeds");
                        missed.push(name);
                    }
                }
            });
        }
    });
    missed.into_inner().is_ok_and(|missed| missed.is_empty())
}
