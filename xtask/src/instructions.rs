//! `cargo xtask instructions`: how many instructions a frame, a message and a call take, counted by Valgrind, beside what
//! they took when somebody last looked. Time differs from machine to machine and from minute to minute; this does not.

use crate::run;
use crate::setup;
use crate::shell::{Cmd, Outcome, cargo, cmd};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const KNOWN: &str = "fixtures/bench/instructions.txt";
const HEAD: &str = "# Instructions, as `cargo xtask instructions --write` counts them. One line each: count, what.\n";
/// More of its known count than this fails.
const PERCENT_MAX: u64 = 110;
/// Fewer than this are worth writing down, so that they do not come back.
const PERCENT_MIN: u64 = 90;

/// What to do with the counts.
#[derive(clap::Args)]
pub struct Options {
    /// Write the counts down as the known ones
    #[arg(long)]
    write: bool,
}

/// A program that does something as often as it is told.
struct Work {
    what: &'static str,
    program: PathBuf,
    /// What it is told before how often.
    args: &'static [&'static str],
    /// It is run with this many and with twice as many; the difference has no start in it.
    count: u64,
}

/// Counts, prints a table, and fails when something takes a tenth more than is known.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    measure(root, options.write).map(drop)
}

/// The same as a step of the tests.
pub fn measure(root: &Path, write: bool) -> Result<Outcome> {
    setup::programs(root, &[("valgrind", "valgrind")])?;
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    if !cpu.contains("avx2") {
        return Ok(Outcome::Skipped("the known counts are of processors with AVX2".into()));
    }
    let works = works(root)?;
    let known = fs::read_to_string(root.join(KNOWN)).unwrap_or_default();
    let mut text = HEAD.to_owned();
    let mut slower = Vec::new();
    println!("    {:>12} {:>12}", "instructions", "known");
    for work in &works {
        let count = work.instructions(root)?;
        let before = known_count(&known, work.what);
        let shown = before.map_or_else(|| "-".to_owned(), |before| before.to_string());
        println!("    {count:>12} {shown:>12}  {}", work.what);
        text.push_str(&format!("{count} {}\n", work.what));
        match before {
            Some(before) if count * 100 > before * PERCENT_MAX => {
                slower.push(format!("{}: {count}, known {before}", work.what));
            }
            Some(before) if count * 100 < before * PERCENT_MIN => {
                println!("    fewer than known: `cargo xtask instructions --write` keeps them so");
            }
            Some(_) => {}
            None if write => {}
            None => slower.push(format!("{}: {count}, nothing known", work.what)),
        }
    }
    if write {
        fs::write(root.join(KNOWN), text).context(KNOWN)?;
    } else if !slower.is_empty() {
        bail!(
            "a tenth more instructions than known: {}. If they are worth it, `cargo xtask instructions --write` says so",
            slower.join("; ")
        );
    }
    Ok(Outcome::Done)
}

fn works(root: &Path) -> Result<Vec<Work>> {
    let build = |args: &[&str]| cargo(root, &["build", "--quiet", "--locked", "--release"]).args(args).run();
    build(&["-p", "media", "--example", "frames"])?;
    build(&["-p", "carriers", "--example", "messages"])?;
    build(&["-p", "sim", "--no-default-features", "--features", "mutants", "--bin", "sim"])?;
    let target = run::built(root, "release")?;
    let work = |what, program: &str, args, count| Work { what, program: target.join(program), args, count };
    Ok(vec![
        work("a frame of 20 ms, heard and said", "examples/frames", &[], 1_000),
        work("a media message read and one written", "examples/messages", &[], 1_000),
        work("a simulated call, engine and world", "sim", &["--cores", "1", "--seeds"], 100),
    ])
}

impl Work {
    fn instructions(&self, root: &Path) -> Result<u64> {
        let count = |times: u64| {
            let said = self.counted(root, times).read()?;
            let line = said.lines().find_map(|line| line.split_once("Collected :"));
            let (_, number) = line.with_context(|| format!("Valgrind counted nothing:\n{said}"))?;
            number.trim().parse::<u64>().context("the count of Valgrind")
        };
        Ok(count(self.count * 2)?.saturating_sub(count(self.count)?) / self.count)
    }

    fn counted(&self, root: &Path, times: u64) -> Cmd {
        let valgrind = ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=1"];
        cmd(root, "valgrind", &valgrind).args([self.program.as_os_str()]).args(self.args).args([times.to_string()])
    }
}

fn known_count(known: &str, what: &str) -> Option<u64> {
    known.lines().find_map(|line| line.split_once(' ').filter(|(_, name)| *name == what)?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::known_count;

    #[test]
    fn a_count_is_found_by_its_whole_name() {
        let known = "# a comment\n12 a frame\n34 a frame of video\n";
        assert_eq!(known_count(known, "a frame of video"), Some(34));
        assert_eq!(known_count(known, "a frame"), Some(12));
        assert_eq!(known_count(known, "frame"), None);
    }
}
