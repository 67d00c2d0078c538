//! `frontdesk replay` and `frontdesk inputs`: exact replay of recorded calls.

use crate::config::Config;
use crate::wiring;
use anyhow::{Context as _, bail};
use base::CallId;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Files written by `frontdesk inputs`
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InputsArgs {
    /// The call
    call: CallId,
    /// Where to write them; standard output unless given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn replay(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let mut different = 0;
    for file in &args.files {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        match runtime::replay::run(&text) {
            Ok(done) => {
                println!("{}: identical, {} inputs, {} outputs", file.display(), done.inputs, done.outputs);
            }
            Err(error) => {
                different += 1;
                println!("{}: {error}", file.display());
            }
        }
    }
    if different > 0 {
        bail!("{different} of {} calls did not replay identically", args.files.len());
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn inputs(config: &Config, args: &InputsArgs) -> anyhow::Result<ExitCode> {
    let (store, scope) = wiring::open_store(config).await?;
    let mut text = String::new();
    let mut next = 0;
    loop {
        let lines = store.inputs(&scope, args.call, next).await?;
        let Some((last, _)) = lines.last() else { break };
        next = last + 1;
        for (_, line) in lines {
            text.push_str(&line);
            text.push('\n');
        }
    }
    if text.is_empty() {
        bail!("no inputs were recorded for this call");
    }
    match &args.out {
        Some(path) => std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?,
        None => print!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}
