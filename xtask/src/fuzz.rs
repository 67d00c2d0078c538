//! `cargo xtask fuzz`: mutated input for what reads bytes of strangers, on the compiler that builds the product, with its checks
//! for overflow on.

use crate::shell::cargo;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Which target, and for how long.
#[derive(clap::Args)]
pub struct Options {
    /// `sip`, `sdp`, `rtp`, `stun`, or `media-` and the name of a carrier; all, one after the other, when absent
    #[arg(default_value = "all")]
    target: String,
    /// For how long each is run
    #[arg(long, default_value_t = 60)]
    secs: u64,
    /// Names the sequence of mutations: the same number is the same inputs
    #[arg(long, default_value_t = 1)]
    number: u64,
    /// Run this file again instead, as a finding names it
    #[arg(long)]
    again: Option<PathBuf>,
}

/// Fails at the first finding and says where it lies.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let command = cargo(root, &["run", "--quiet", "--locked", "-p", "fuzz", "--", &options.target]);
    match &options.again {
        Some(file) => command.args(["--again".as_ref(), file.as_os_str()]),
        None => command.args(["--secs", &options.secs.to_string(), "--number", &options.number.to_string()]),
    }
    .run()
}
