//! Whole calls written as text and run in virtual time, with every invariant checked after every step.
//!
//! ```text
//! # The caller interrupts the greeting.
//! reply "We open at nine."
//!
//! 0.0   carrier media
//!         expect speak "Hello, how can I help you?"
//! 0.9   caller says "When do you open?"
//!         expect stop-playout
//!         expect journal caller-turn "When do you open?"
//!         expect speak "We open at nine."
//! ```
//!
//! A line with a time makes something happen: see `parse` for the actors and their actions. The `expect` lines below it
//! are looked for in order among what the machine puts out from then until the next timed line; `expect no …` must not
//! occur there at all, `expect at 1.3 …` must occur at that time, `expect phase …` is the phase at the end, and
//! `expect silence below 1200` bounds the silence (ms) that the caller hears meanwhile while it is the agent's turn.
//!
//! Recogniser, brain, voice, playout, tools and carrier answer by themselves unless a `manual` line switches them off.
//! `reply` and `result` lines script what brain and tools answer, in order. Traces show what was said: they are for
//! scenarios and simulated calls, never for logs of real ones.

mod agent;
mod ear;
mod parse;
mod trace;
mod voice;
mod world;
mod write;

pub use agent::demo_agent;
pub use parse::{Scenario, ScenarioError};
pub use trace::{Fact, Moment, describe_input, describe_output, timeline};
pub use world::Report;
pub use write::{Deadlines, write};

#[cfg(test)]
mod tests {
    use super::Scenario;
    use std::path::PathBuf;

    fn scenarios() -> Vec<(String, String)> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/scenarios");
        let mut found: Vec<(String, String)> = std::fs::read_dir(&folder)
            .expect("the folder of scenarios")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "call"))
            .map(|path| {
                let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
                (name, std::fs::read_to_string(&path).expect("a text"))
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn every_scenario_goes_as_written() {
        let scenarios = scenarios();
        assert!(scenarios.len() >= 30, "{} scenarios", scenarios.len());
        let mut failed = Vec::new();
        for (name, text) in &scenarios {
            match Scenario::parse(text) {
                Err(error) => failed.push(format!("{name}: {error}")),
                Ok(scenario) => {
                    let report = scenario.run();
                    if !report.failures.is_empty() {
                        failed.push(format!("{name}:\n  {}\n{}", report.failures.join("\n  "), report.trace()));
                    }
                }
            }
        }
        assert!(failed.is_empty(), "{} of {} failed\n{}", failed.len(), scenarios.len(), failed.join("\n\n"));
    }

    #[test]
    fn mistakes_in_a_scenario_are_named_with_their_line() {
        for (text, line) in [
            ("0.0 carrier media\n0.1 carrier explodes", 2),
            ("0.0 caller says hello", 1),
            ("timing endpoint 3", 1),
            ("  expect hang-up", 1),
            ("1.0 carrier media\n0.5 caller started", 2),
        ] {
            assert_eq!(Scenario::parse(text).expect_err(text).line, line, "{text}");
        }
    }
}
