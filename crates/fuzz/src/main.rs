//! Runs a target for as long as it is told: `fuzz TARGET [--secs N] [--number N]`, or one input again: `fuzz TARGET --again FILE`.
//! `cargo xtask fuzz` starts it.

use fuzz::{Mutator, Target};
use std::error::Error;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One input that takes longer, twice, is a finding. Once may be the machine's: it had other things to do.
const INPUT_MAX: Duration = Duration::from_secs(5);
const TELL_EVERY: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let (name, options) = arguments.split_first().ok_or_else(|| format!("name a target: {}", names()))?;
    let option = |name: &str| {
        let at = options.iter().position(|one| one == name)?;
        options.get(at + 1).map(String::as_str)
    };
    let targets = match name.as_str() {
        "all" => Target::all(),
        name => vec![Target::named(name).ok_or_else(|| format!("{name} is no target: {} are", names()))?],
    };
    if let Some(file) = option("--again") {
        let input = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        if let Some(slow) = targets.iter().find(|target| !is_quick(**target, &input)) {
            return Err(format!("{slow} takes more than {} s for {file}", INPUT_MAX.as_secs()).into());
        }
        println!("nothing found in {file}");
        return Ok(());
    }
    let secs = option("--secs").unwrap_or("60").parse().map_err(|_| "--secs takes a number")?;
    let number = option("--number").unwrap_or("1").parse().map_err(|_| "--number takes a number")?;
    targets.iter().try_for_each(|target| try_out(*target, Duration::from_secs(secs), number))
}

fn names() -> String {
    let names: Vec<String> = Target::all().iter().map(Target::to_string).collect();
    format!("{}, all", names.join(", "))
}

fn try_out(target: Target, time: Duration, number: u64) -> Result<(), Box<dyn Error>> {
    let mut mutator = Mutator::new(target.seeds()?, number);
    let (began, mut told_at, mut inputs) = (Instant::now(), Instant::now(), 0_u64);
    println!("{target}: for {} s, sequence {number}", time.as_secs());
    while began.elapsed() < time {
        let input = mutator.input();
        let is_fine = catch_unwind(|| is_quick(target, &input) || is_quick(target, &input)).unwrap_or(false);
        inputs += 1;
        if !is_fine {
            return Err(keep(target, number, inputs, &input)?.into());
        }
        if told_at.elapsed() >= TELL_EVERY {
            told_at = Instant::now();
            println!("{target}: {inputs} inputs, nothing found");
        }
    }
    println!("{target}: {inputs} inputs in {} s, nothing found", began.elapsed().as_secs());
    Ok(())
}

/// Runs a target on an input. Panics where the target does.
fn is_quick(target: Target, input: &[u8]) -> bool {
    let since = Instant::now();
    target.run(input);
    since.elapsed() <= INPUT_MAX
}

/// Writes a finding down and says where.
fn keep(target: Target, number: u64, inputs: u64, input: &[u8]) -> std::io::Result<String> {
    let folder = Path::new("target/fuzz");
    std::fs::create_dir_all(folder)?;
    let file = folder.join(format!("{target}-{number}-{inputs}"));
    std::fs::write(&file, input)?;
    let (shown, again) = (file.display(), format!("cargo xtask fuzz {target} --again {}", file.display()));
    Ok(format!("{target} has a finding: {shown}. Look at it with `{again}`, make it a test, then mend it."))
}
