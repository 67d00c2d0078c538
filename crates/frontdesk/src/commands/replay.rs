//! `frontdesk replay`, `frontdesk inputs` and `frontdesk call replay`, `fixture` and `delete`: what becomes of past calls.

use crate::cli::environment;
use crate::config::Config;
use crate::wiring;
use anyhow::{Context as _, bail};
use base::CallId;
use clap::{Args, Subcommand};
use model::business::TenantScope;
use model::journal::{Entry, Routed};
use runtime::replay::{FixtureError, Recorded, Replay, Words};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use store::Store;

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Files written by `frontdesk inputs`, or ids of calls of this machine
    #[arg(required = true, value_name = "FILE|ID")]
    calls: Vec<String>,
    /// Print everything that happened, as far as it was replayed. Shows what was said
    #[arg(long)]
    trace: bool,
}

impl ReplayArgs {
    /// Whether neither configuration nor database is needed.
    pub(crate) fn are_files(&self) -> bool {
        self.calls.iter().all(|call| id_of(call).is_none())
    }
}

/// A name that is both is taken for the file.
fn id_of(call: &str) -> Option<CallId> {
    call.parse().ok().filter(|_| !Path::new(call).exists())
}

#[derive(Debug, Args)]
pub(crate) struct InputsArgs {
    /// The call
    call: CallId,
    /// Where to write them; standard output unless given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What can be done with a call that is over.
#[derive(Debug, Subcommand)]
pub(crate) enum PastCall {
    /// Feed a recorded call to the engine again and compare every output; ends with 1 when one differs
    #[command(after_help = "Needs calls.record_inputs while the call went on, and the data key that sealed its inputs.

  frontdesk call replay 0198c1c2-7d0e-7c33-b1cf-31d1e0a2b6f4
  frontdesk call replay 0198c1c2-7d0e-7c33-b1cf-31d1e0a2b6f4 --trace | less")]
    Replay(ReplayArgs),
    /// Turn a recorded call into a scenario that runs as a test, with made-up names, numbers and addresses
    #[command(
        after_help = "Scenarios in fixtures/scenarios are run by `cargo xtask test`. Read what is written before it goes \
into a repository: names in small letters that nobody introduced are not found.

  frontdesk call fixture 0198c1c2-7d0e-7c33-b1cf-31d1e0a2b6f4 --out fixtures/scenarios/cut_off_at_the_address.call"
    )]
    Fixture(FixtureArgs),
    /// Print a call: how it went, who served it and why, and what each provider charged
    Show {
        /// The call
        call: CallId,
    },
    /// Delete a call and all that belongs to it: journal, transcript, recording, recorded inputs, log
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FixtureArgs {
    /// The call
    call: CallId,
    /// Where to write it; standard output unless given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Keep the words as they were said
    #[arg(long)]
    keep_words: bool,
    /// Write the recorded inputs themselves, for `frontdesk replay`. Keeps the words
    #[arg(long, conflicts_with = "keep_words")]
    raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The calls
    #[arg(required = true, value_name = "ID")]
    calls: Vec<CallId>,
    /// Also when a call has no end yet: its process died, or it is still going on
    #[arg(long)]
    force: bool,
}

pub(crate) async fn past_call(config: &Config, command: &PastCall) -> anyhow::Result<ExitCode> {
    match command {
        PastCall::Replay(args) if args.are_files() => replay_files(args),
        PastCall::Replay(args) => replay(config, args).await,
        PastCall::Fixture(args) => fixture(config, args).await,
        PastCall::Show { call } => show(config, *call).await,
        PastCall::Delete(args) => delete(config, args).await,
    }
}

/// Prints the row of a call, its decisions about providers, its costs and what was read of it. What was said is not printed.
async fn show(config: &Config, id: CallId) -> anyhow::Result<ExitCode> {
    let (store, scope) = wiring::open_store(config, &environment).await?;
    let call = store.call(&scope, id).await?;
    let costs = store.costs(&scope, id).await?;
    let journal = store.journal(&scope, id).await?;
    let reading = runtime::reading::of_call(store.as_ref(), &scope, id).await?;
    store.close().await;
    let ended = call.ended_reason.as_deref().unwrap_or("no end yet");
    println!("{} over {}: {} ({ended})", call.id, call.carrier, call.state.name());
    for record in &journal {
        match &record.entry {
            Entry::Routed(Routed { stage, provider, reason }) => {
                println!("  {} {stage} {provider}: {reason}", record.at)
            }
            Entry::Fault { stage, class } => println!("  {} fault of {stage}: {class}", record.at),
            Entry::Saving { step, budget } => {
                println!("  {} saving {} because of the budget of the {}", record.at, step.name(), budget.name());
            }
            _ => {}
        }
    }
    for cost in &costs {
        println!("  {:5} {:18} {}", cost.stage.name(), cost.provider, cost.cost);
    }
    println!("  cost {}", call.cost);
    for line in reading.iter().flat_map(super::text::lines_of) {
        println!("  {line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Replays files; needs nothing else.
pub(crate) fn replay_files(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let mut different = 0;
    for file in &args.calls {
        different += usize::from(!tell(file, &read_file(file)?, args.trace));
    }
    outcome(different, args.calls.len())
}

/// Replays calls of the database, and files among them.
pub(crate) async fn replay(config: &Config, args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let (store, scope) = wiring::open_store(config, &environment).await?;
    let mut different = 0;
    for call in &args.calls {
        let text = match id_of(call) {
            Some(id) => load(&store, &scope, id).await?,
            None => read_file(call)?,
        };
        different += usize::from(!tell(call, &text, args.trace));
    }
    store.close().await;
    outcome(different, args.calls.len())
}

fn outcome(different: usize, calls: usize) -> anyhow::Result<ExitCode> {
    if different > 0 {
        bail!("{different} of {calls} calls did not replay identically");
    }
    Ok(ExitCode::SUCCESS)
}

fn read_file(file: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))
}

async fn load(store: &Arc<dyn Store>, scope: &TenantScope, call: CallId) -> anyhow::Result<String> {
    runtime::replay::load(store.as_ref(), scope, call).await.with_context(|| format!("call {call}"))
}

/// Says how the replay of a call went, and whether it was identical.
fn tell(name: &str, text: &str, with_trace: bool) -> bool {
    let outcome = Recorded::parse(text).map(|recorded| recorded.replay()).and_then(|replay| {
        if with_trace {
            print!("{}", replay.trace());
        }
        let Replay { outcome, .. } = replay;
        outcome
    });
    match outcome {
        Ok(done) => {
            let parts = if done.parts > 1 { format!(", {} processes", done.parts) } else { String::new() };
            let end = if done.to_the_end { "" } else { "; the recording ends before the call does" };
            println!("{name}: identical, {} inputs, {} outputs{parts}{end}", done.inputs, done.outputs);
            true
        }
        Err(error) => {
            println!("{name}: {error}");
            false
        }
    }
}

pub(crate) async fn inputs(config: &Config, args: &InputsArgs) -> anyhow::Result<ExitCode> {
    let (store, scope) = wiring::open_store(config, &environment).await?;
    let text = load(&store, &scope, args.call).await?;
    store.close().await;
    put(args.out.as_deref(), &text)?;
    Ok(ExitCode::SUCCESS)
}

fn put(out: Option<&Path>, text: &str) -> anyhow::Result<()> {
    match out {
        Some(path) => std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display())),
        None => {
            print!("{text}");
            Ok(())
        }
    }
}

async fn fixture(config: &Config, args: &FixtureArgs) -> anyhow::Result<ExitCode> {
    let (store, scope) = wiring::open_store(config, &environment).await?;
    let text = load(&store, &scope, args.call).await?;
    store.close().await;
    if args.raw {
        put(args.out.as_deref(), &text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let words = if args.keep_words { Words::Kept } else { Words::MadeUp };
    let fixture = match Recorded::parse(&text)?.fixture(words) {
        Ok(fixture) => fixture,
        Err(FixtureError::Fails { failures, text }) => {
            put(args.out.as_deref(), &text)?;
            bail!("the scenario is written and does not go as written:\n  {}", failures.join("\n  "));
        }
        Err(error) => return Err(error.into()),
    };
    put(args.out.as_deref(), &fixture.text)?;
    for note in &fixture.notes {
        eprintln!("note: {note}");
    }
    if let Some(out) = &args.out {
        let steps = fixture.text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count();
        let expects = fixture.text.lines().filter(|line| line.trim_start().starts_with("expect ")).count();
        println!("{}: runs green, {steps} steps, {expects} expectations", out.display());
    }
    Ok(ExitCode::SUCCESS)
}

async fn delete(config: &Config, args: &DeleteArgs) -> anyhow::Result<ExitCode> {
    let (store, scope) = wiring::open_store(config, &environment).await?;
    let recordings = wiring::recordings(config, &environment, store.as_ref())?;
    for id in &args.calls {
        let going_on = store.call(&scope, *id).await.is_ok_and(|call| call.ended_at_ms.is_none());
        if going_on && !args.force {
            bail!("call {id} has no end yet: it may be going on; --force deletes it all the same");
        }
        let deleted = runtime::retention::delete(store.as_ref(), &recordings, &scope, *id).await?;
        match (deleted.calls, deleted.files) {
            (0, _) => println!("{id}: nothing to delete"),
            (_, files) => println!("{id}: deleted, {files} recordings among it"),
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}
