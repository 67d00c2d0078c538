//! `cargo xtask test`: sets up what the tests need and runs all of them, in the order in which they fail fastest.

use crate::shell::{Cmd, Outcome, Steps, cargo, cmd, has};
use crate::{api, browser, check, instructions, run, setup};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// The simulator, optimised: it runs thousands of calls. Without the twins, so that it needs the engine alone, and with the
/// engine's deliberate defects, so that it can be told to find them.
pub const SIMULATOR: &[&str] = &[
    "run",
    "--quiet",
    "--locked",
    "--release",
    "-p",
    "sim",
    "--no-default-features",
    "--features",
    "mutants",
    "--bin",
    "sim",
    "--",
];
/// Calls that the simulator plays in a test run.
const SIMULATED_CALLS: &str = "10000";
/// Calls in which a deliberate defect is looked for at most: the rarest shows once in some ten thousand.
const HUNTED_CALLS: &str = "60000";
/// Crates that need neither models nor a database.
const QUICK: [&str; 6] = ["base", "model", "engine", "media", "providers", "carriers"];
const OPENAPI: &str = "openapi.json";

/// What to test.
#[derive(clap::Args)]
pub struct Options {
    /// Only the source checks and the tests of the pure crates: no set-up, seconds when built.
    #[arg(long)]
    quick: bool,
}

/// Runs everything; the first failure ends it.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let mut steps = Steps::new();
    let mut closing = Vec::new();
    let result =
        if options.quick { quick(root, &mut steps, &mut closing) } else { all(root, &mut steps, &mut closing) };
    println!("{}", steps.table());
    closing.iter().for_each(|line| println!("{line}"));
    if result.is_ok() {
        println!("all steps passed");
    }
    result
}

fn quick(root: &Path, steps: &mut Steps, closing: &mut Vec<String>) -> Result<()> {
    steps.step("check", "what a reviewer need not look at", || check::run(root).map(|()| Outcome::Done))?;
    let packages: Vec<String> = QUICK.iter().flat_map(|name| ["-p".to_owned(), (*name).to_owned()]).collect();
    steps.step("tests", "the pure crates", || tests(root, &packages, closing))
}

fn all(root: &Path, steps: &mut Steps, closing: &mut Vec<String>) -> Result<()> {
    set_up(root, steps)?;
    steps.step("check", "dependency edges, vendor names, clocks, bounds, sizes, formatting", || {
        check::run(root).map(|()| Outcome::Done)
    })?;
    steps.step("clippy", "lints of all code, also of tests", || {
        let lint = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        cargo(root, &lint).run().map(|()| Outcome::Done)
    })?;
    steps.step("program", "compiling what callers get", || run::build(root, false).map(|()| Outcome::Done))?;
    let frontdesk = run::binary(root, false)?;
    steps.step("models", "speech and language models, pinned and verified", || setup::models(root, &frontdesk))?;
    steps.step("openapi", "openapi.json is what the code says", || compare_openapi(root, &frontdesk))?;
    steps.step("tests", "every crate, with twins over loopback sockets and models on this machine", || {
        tests(root, &["--workspace".to_owned()], closing)
    })?;
    steps.step("examples in documentation", "they compile and run", || {
        cargo(root, &["test", "--quiet", "--doc", "--workspace", "--locked"]).run().map(|()| Outcome::Done)
    })?;
    steps.step("simulator", "seeded calls with faults and kills, every invariant after every step", || {
        cargo(root, SIMULATOR).args(["--seeds", SIMULATED_CALLS]).run().map(|()| Outcome::Done)
    })?;
    steps.step("deliberate defects", "the simulator finds every one of them", || {
        cargo(root, SIMULATOR).args(["--mutants", "--seeds", HUNTED_CALLS]).run().map(|()| Outcome::Done)
    })?;
    steps.step("instructions", "a frame, a message and a call take no more of them than is known", || {
        instructions::measure(root, false)
    })?;
    steps.step("api", "others' programs read the document and try the running server", || {
        api::api_test(root, &frontdesk)
    })?;
    steps.step(
        "browser",
        "every page in Chromium, the Talk page with a fake microphone, against the real binary",
        || browser::browser_test(root, &frontdesk),
    )
}

/// What tests run for real, with the Debian package that holds each.
const TEST_PROGRAMS: [(&str, &str); 11] = [
    ("cc", "build-essential"),
    ("cmake", "cmake"),
    ("python3", "python3"),
    ("chromium", "chromium"),
    ("redis-server", "redis-server"),
    ("initdb", "postgresql"),
    ("valgrind", "valgrind"),
    ("sipp", "sip-tester"),
    ("baresip", "baresip-core"),
    ("kamailio", "kamailio"),
    ("tesseract", "tesseract-ocr"),
];

fn set_up(root: &Path, steps: &mut Steps) -> Result<()> {
    steps.step(
        "tools",
        "a C compiler, cmake, Python, a browser, servers of Redis and PostgreSQL, SIP callers, what reads pictures",
        || setup::programs(root, &TEST_PROGRAMS),
    )?;
    steps.step("conformance packages", "the vendors' own clients judge our codecs and twins", || {
        setup::conformance(root)
    })?;
    steps.step("object packages", "a server that speaks S3", || setup::objects(root))?;
    steps.step("api packages", "the programs that judge the API", || setup::api(root))?;
    steps.step(
        "conformance packages for Node.js",
        "the same, where a vendor's client for Python is no Python",
        || setup::conformance_node(root),
    )?;
    steps.step("pages", "packages, lints, types and tests of the pages, then their build", || {
        setup::page_packages(root)?;
        cmd(&root.join("web"), "npm", &["run", "--silent", "check"]).run()?;
        setup::pages(root).map(|_| Outcome::Done)
    })
}

/// Runs the tests of these packages and keeps the closing lines of the runner.
fn tests(root: &Path, packages: &[String], closing: &mut Vec<String>) -> Result<Outcome> {
    let (runner, nextest) = runner(root);
    let (kept, result) = runner.args(packages).run_keeping(is_closing);
    closing.extend(if nextest { from_last_summary(kept) } else { vec![sum(&kept)] });
    result.map(|()| Outcome::Done)
}

fn runner(root: &Path) -> (Cmd, bool) {
    if has("cargo-nextest") {
        return (cargo(root, &["nextest", "run", "--locked", "--color", "never"]), true);
    }
    println!("    cargo-nextest is not installed: tests run with cargo test");
    (cargo(root, &["test", "--locked", "--lib", "--bins", "--tests"]), false)
}

fn is_closing(line: &str) -> bool {
    let start = line.trim_start();
    ["Summary [", "test result:", "FAIL [", "TIMEOUT [", "SIGABRT ["].iter().any(|word| start.starts_with(word))
}

/// Failures are listed while they happen and again below the summary: the second time is enough.
fn from_last_summary(mut kept: Vec<String>) -> Vec<String> {
    let summary = kept.iter().rposition(|line| line.trim_start().starts_with("Summary ["));
    kept.split_off(summary.unwrap_or(0))
}

/// `cargo test` has one closing line per binary.
fn sum(kept: &[String]) -> String {
    let count = |word: &str| -> usize {
        let parts = kept.iter().flat_map(|line| line.split(['.', ';']));
        parts.filter_map(|part| part.trim().strip_suffix(word)?.trim().parse::<usize>().ok()).sum()
    };
    format!("test result: {} passed; {} failed; {} ignored", count("passed"), count("failed"), count("ignored"))
}

fn compare_openapi(root: &Path, frontdesk: &Path) -> Result<Outcome> {
    let said = cmd(root, frontdesk, &["openapi"]).read()?;
    let written = fs::read_to_string(root.join(OPENAPI)).context(OPENAPI)?;
    match said.lines().zip(written.lines()).position(|(said, written)| said != written) {
        Some(line) => bail!("{OPENAPI}:{}: differs from the code; `cargo xtask openapi` writes it", line + 1),
        None if said != written => bail!("{OPENAPI}: differs from the code; `cargo xtask openapi` writes it"),
        None => Ok(Outcome::Done),
    }
}

/// Writes the document that the code says.
pub fn write_openapi(root: &Path) -> Result<()> {
    let said = cargo(root, &["run", "--quiet", "--locked", "-p", "frontdesk", "--", "openapi"]).read()?;
    fs::write(root.join(OPENAPI), said).context(OPENAPI)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_both_runners_are_recognised() {
        assert!(is_closing("     Summary [  12.345s] 123 tests run: 123 passed, 0 skipped"));
        assert!(is_closing("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out"));
        assert!(!is_closing("        PASS [   0.003s] base::it works"));
    }

    #[test]
    fn failures_are_listed_once() {
        let kept = ["FAIL [ 1s] a", "Summary [ 2s] 1 test run: 1 failed", "FAIL [ 1s] a"].map(str::to_owned);
        assert_eq!(from_last_summary(kept.to_vec()), ["Summary [ 2s] 1 test run: 1 failed", "FAIL [ 1s] a"]);
    }

    #[test]
    fn many_binaries_sum_to_one_line() {
        let kept = [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored",
        ];
        assert_eq!(sum(&kept.map(str::to_owned)), "test result: 7 passed; 2 failed; 1 ignored");
    }
}
