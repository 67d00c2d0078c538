//! Starts programs, says what is done and why, and keeps how long each step took.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One program to start. Standard input is closed: nothing here may ask.
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    dir: PathBuf,
    env: Vec<(OsString, OsString)>,
}

/// A program started in this folder.
pub fn cmd(dir: &Path, program: impl Into<OsString>, args: &[&str]) -> Cmd {
    Cmd {
        program: program.into(),
        args: args.iter().map(OsString::from).collect(),
        dir: dir.to_path_buf(),
        env: Vec::new(),
    }
}

/// The cargo that runs us.
pub fn cargo(root: &Path, args: &[&str]) -> Cmd {
    cmd(root, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), args)
}

impl Cmd {
    /// More arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// One variable of its environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// As a person would type it.
    pub fn line(&self) -> String {
        let program =
            Path::new(&self.program).file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        let quote = |arg: &OsString| {
            let arg = arg.to_string_lossy();
            if arg.contains([' ', '"', '\'']) { format!("{arg:?}") } else { arg.into_owned() }
        };
        self.args.iter().fold(program, |line, arg| line + " " + &quote(arg))
    }

    /// The standard library's form, for whoever needs more than to wait for it.
    pub fn std(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.dir).envs(self.env.iter().cloned()).stdin(Stdio::null());
        command
    }

    /// Runs it with its output shown; an error names the command.
    pub fn run(&self) -> Result<()> {
        let status = self.std().status().with_context(|| format!("cannot start `{}`", self.line()))?;
        self.judge(status.success(), &status.to_string())
    }

    /// Runs it and returns what it printed.
    pub fn read(&self) -> Result<String> {
        let output =
            self.std().stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{}`", self.line()))?;
        self.judge(output.status.success(), &output.status.to_string())?;
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{}` printed something that is not text", self.line()))
    }

    /// Whether it succeeds; nothing is shown.
    pub fn succeeds(&self) -> bool {
        self.std().stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Runs it with all output on our standard output, and keeps the lines that `keep` wants.
    pub fn run_keeping(&self, keep: impl Fn(&str) -> bool + Sync) -> (Vec<String>, Result<()>) {
        let start = || -> Result<(Vec<String>, Result<()>)> {
            let mut child = self
                .std()
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .with_context(|| format!("cannot start `{}`", self.line()))?;
            let (out, err) = (child.stdout.take(), child.stderr.take());
            let kept = std::thread::scope(|scope| {
                let first = out.map(|pipe| scope.spawn(|| show(pipe, &keep)));
                let second = err.map(|pipe| scope.spawn(|| show(pipe, &keep)));
                let lines = [first, second].into_iter().flatten().map(|thread| thread.join().unwrap_or_default());
                lines.flatten().collect::<Vec<_>>()
            });
            let status = child.wait()?;
            Ok((kept, self.judge(status.success(), &status.to_string())))
        };
        start().unwrap_or_else(|error| (Vec::new(), Err(error)))
    }

    fn judge(&self, good: bool, status: &str) -> Result<()> {
        if !good {
            bail!("`{}` failed ({status}) in {}", self.line(), self.dir.display());
        }
        Ok(())
    }
}

fn show(pipe: impl std::io::Read, keep: &impl Fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        println!("{line}");
        if keep(&line) {
            kept.push(line);
        }
    }
    kept
}

/// Whether a program of this name can be started.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(other_folders()).any(|dir| dir.join(program).is_file())
}

/// Debian keeps servers out of the PATH of people, and those of PostgreSQL out of everybody's, by version.
fn other_folders() -> impl Iterator<Item = PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin")).chain([PathBuf::from("/usr/sbin")])
}

/// What a step came to.
pub enum Outcome {
    /// It did something.
    Done,
    /// Nothing was to be done, and why.
    Skipped(String),
}

/// Steps as they are done, and the table at the end.
pub struct Steps {
    started: Instant,
    rows: Vec<(&'static str, Duration, &'static str)>,
}

impl Steps {
    /// No steps yet.
    pub fn new() -> Self {
        Self { started: Instant::now(), rows: Vec::new() }
    }

    /// Does one step. `why` says what it is good for and what to expect.
    pub fn step(&mut self, name: &'static str, why: &str, work: impl FnOnce() -> Result<Outcome>) -> Result<()> {
        println!("==> {name}: {why}");
        let started = Instant::now();
        let result = work();
        let took = started.elapsed();
        let word = match &result {
            Ok(Outcome::Done) => "done",
            Ok(Outcome::Skipped(reason)) => {
                println!("    {reason}");
                "there already"
            }
            Err(_) => "FAILED",
        };
        println!("    {name}: {word}, {}", seconds(took));
        self.rows.push((name, took, word));
        result.map(|_| ()).with_context(|| format!("step \"{name}\""))
    }

    /// The steps with how long each took.
    pub fn table(&self) -> String {
        let rows = self.rows.iter().map(|(name, took, word)| format!("{:>9}  {name}  ({word})\n", seconds(*took)));
        format!("\n{}{:>9}  in all\n", rows.collect::<String>(), seconds(self.started.elapsed()))
    }
}

/// For people: tenths below a minute, then minutes.
fn seconds(took: Duration) -> String {
    let secs = took.as_secs();
    if secs < 60 { format!("{:.1} s", took.as_secs_f64()) } else { format!("{} min {:02} s", secs / 60, secs % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_in_the_error() {
        let error = cmd(Path::new("/"), "sh", &["-c", "exit 3"]).run().expect_err("fails");
        let text = error.to_string();
        assert!(text.contains("`sh -c \"exit 3\"` failed") && text.contains('3'), "{text}");
        let missing = cmd(Path::new("/"), "no-such-program", &["x"]).run().expect_err("missing");
        assert!(missing.to_string().contains("cannot start `no-such-program x`"), "{missing}");
    }

    #[test]
    fn closing_lines_are_kept_from_both_streams() {
        let both = cmd(Path::new("/"), "sh", &["-c", "echo one; echo keep two >&2; echo keep three"]);
        let (mut kept, result) = both.run_keeping(|line| line.starts_with("keep"));
        result.expect("succeeds");
        kept.sort();
        assert_eq!(kept, ["keep three", "keep two"]);
    }

    #[test]
    fn the_table_shows_every_step_also_the_failed_one() {
        let mut steps = Steps::new();
        steps.step("first", "why", || Ok(Outcome::Done)).expect("done");
        steps.step("second", "why", || bail!("broken")).expect_err("fails");
        let table = steps.table();
        assert!(
            table.contains("first  (done)") && table.contains("second  (FAILED)") && table.contains("in all"),
            "{table}"
        );
    }
}
