//! `cargo xtask run`: from a checkout to a call that is answered.

use crate::setup;
use crate::shell::{Cmd, Outcome, Steps, cargo, cmd};
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// How to run.
#[derive(clap::Args)]
pub struct Options {
    /// Build with full optimisation. Takes longer; a call costs a little less.
    #[arg(long)]
    release: bool,
    /// Play the scripted call, check it, and end instead of serving.
    #[arg(long)]
    check: bool,
    /// Arguments for `frontdesk demo`.
    #[arg(last = true)]
    args: Vec<String>,
}

/// Sets up, plays one call, serves.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let mut steps = Steps::new();
    steps.step(
        "tools",
        "a C compiler and cmake, for the database, the cryptography and a codec; what reads pictures",
        || setup::programs(root, &[("cc", "build-essential"), ("cmake", "cmake"), ("tesseract", "tesseract-ocr")]),
    )?;
    steps.step("pages", "the Talk page goes into the program (under a minute)", || setup::pages(root))?;
    steps.step("program", "compiling (some minutes the first time, seconds after that)", || {
        build(root, options.release)?;
        Ok(Outcome::Done)
    })?;
    let frontdesk = binary(root, options.release)?;
    steps.step("models", "speech and language, 165 MB on disk, pinned and verified, fetched once", || {
        setup::models(root, &frontdesk)
    })?;
    println!("{}", steps.table());
    let demo = demo(root, &frontdesk, options);
    println!("==> {}", demo.line());
    if options.check {
        return demo.run();
    }
    // From here on the terminal and its signals belong to the program.
    let error = demo.std().exec();
    Err(error).with_context(|| format!("cannot start `{}`", demo.line()))
}

fn demo(root: &Path, frontdesk: &Path, options: &Options) -> Cmd {
    let once: &[&str] = if options.check { &["demo", "--once"] } else { &["demo"] };
    cmd(root, frontdesk, once).args(&options.args)
}

/// Builds the binary. The development profile optimises the crates that run in real time; there the features are those of the
/// whole workspace, so that what is compiled for the program serves its tests, too.
pub fn build(root: &Path, release: bool) -> Result<()> {
    let which: &[&str] =
        if release { &["-p", "frontdesk", "--release"] } else { &["--workspace", "--bin", "frontdesk"] };
    cargo(root, &["build", "--locked"]).args(which).run()
}

/// Where the built binary is.
pub fn binary(root: &Path, release: bool) -> Result<PathBuf> {
    built(root, if release { "release/frontdesk" } else { "debug/frontdesk" })
}

/// Where something that was built is, below the folder of what is built.
pub fn built(root: &Path, path: &str) -> Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root).no_deps().exec()?;
    Ok(metadata.target_directory.join(path).into_std_path_buf())
}
