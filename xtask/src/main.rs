//! The project's own commands: set up and run, test, check, simulate, replay, measure, add a provider.
//!
//! **Must not know**: anything of the product's code. It reads sources and starts programs, so that it compiles in seconds
//! on a fresh machine.
//!
//! Start reading at `run` and `test` (what each command does, step by step), then `check` (what a reviewer need not look
//! at).

mod api;
mod browser;
mod check;
mod fuzz;
mod instructions;
mod new_provider;
mod run;
mod setup;
mod shell;
mod test;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Frontdesk's own commands", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up what is missing, play one scripted call, then serve the dashboard.
    Run(run::Options),
    /// Set up what the tests need and run all of them.
    Test(test::Options),
    /// Check what a reviewer would: dependency edges, vendor names, clocks, bounds, sizes, headers, formatting.
    Check,
    /// Run seeded simulated calls with faults. Arguments go to the simulator, such as `--seeds 10000` or `--seed 7 --trace`.
    Sim(Rest),
    /// Feed recorded calls to the engine again and compare what it asks for. Arguments: files of recorded inputs, or ids of
    /// calls of this machine; `--trace` prints everything that happened.
    Replay(Rest),
    /// Measure the cost of a call on this machine, beside an echo server; `bench calls` measures how many a core
    /// holds, and with `--overload 3`, `--soak 30` or `--beside` what happens at its limit, over time and beside other work;
    /// `bench start` measures how soon a server takes calls; `bench turn` measures how the agent takes turns, beside Pipecat;
    /// `bench api` measures the API on a large database; `bench sip` measures the set-up of calls over a trunk; `bench providers`
    /// measures what the codecs of the providers cost. Arguments go to the bench, such as `--calls 20` or `turn --quick --without-pipecat`.
    Bench(Rest),
    /// Count the instructions of a frame, a message and a call, and compare them with the known counts.
    Instructions(instructions::Options),
    /// Feed mutated bytes to what strangers can reach: messages of SIP, session descriptions, packets of audio,
    /// datagrams for browsers, and the messages of every media socket.
    Fuzz(fuzz::Options),
    /// Play a call for every way in which a provider, a tool or the platform can fail, and write docs/faults.md.
    Faults,
    /// Pull the on-device models, or pass other arguments to `frontdesk models`.
    Models(Rest),
    /// Try the pages in Chromium, the Talk page with a fake microphone, against the program as built.
    Browser,
    /// Have programs of others read openapi.json and try the running server.
    Api,
    /// Write openapi.json from the code.
    Openapi,
    /// Start a provider from a template: one file, one cassette, one word in the registry.
    NewProvider {
        /// What it does.
        kind: new_provider::Kind,
        /// Its name in the registry: lower case, digits, underscores.
        name: String,
        /// What carries its protocol. For gRPC begin with `http` and read the files of the vendors that speak it.
        #[arg(long, value_enum, default_value_t)]
        transport: new_provider::Transport,
    },
}

#[derive(clap::Args)]
struct Rest {
    /// Arguments of the program that is started.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    let root = root()?;
    match command {
        Command::Run(options) => run::run(&root, &options),
        Command::Test(options) => test::run(&root, &options),
        Command::Check => check::run(&root),
        Command::Sim(rest) => shell::cargo(&root, test::SIMULATOR).args(rest.args).run(),
        Command::Replay(rest) => {
            shell::cargo(&root, &["run", "--quiet", "--locked", "-p", "frontdesk", "--", "replay"])
                .args(rest.args)
                .run()
        }
        Command::Bench(rest) => {
            // The codecs are measured inside the bench; everything else is measured in the program itself.
            if rest.args.first().is_none_or(|command| command != "providers") {
                let both = ["build", "--quiet", "--locked", "--release", "-p", "frontdesk", "-p", "bench"];
                shell::cargo(&root, &both).run()?;
            }
            shell::cargo(&root, &["run", "--quiet", "--locked", "--release", "-p", "bench", "--"]).args(rest.args).run()
        }
        Command::Instructions(options) => instructions::run(&root, &options),
        Command::Fuzz(options) => fuzz::run(&root, &options),
        Command::Faults => shell::cargo(&root, &["test", "--quiet", "--locked", "-p", "frontdesk", "--test", "it"])
            .args(["no_single_fault", "--", "--nocapture"])
            .env("FRONTDESK_FAULTS_TABLE", root.join("docs/faults.md"))
            .run(),
        Command::Models(rest) => {
            let args = if rest.args.is_empty() { vec!["pull".to_owned()] } else { rest.args };
            shell::cargo(&root, &["run", "--quiet", "--locked", "-p", "frontdesk", "--", "models"]).args(args).run()
        }
        Command::Browser => {
            run::build(&root, false)?;
            setup::page_packages(&root)?;
            browser::browser_test(&root, &run::binary(&root, false)?).map(|_| ())
        }
        Command::Api => {
            run::build(&root, false)?;
            setup::api(&root)?;
            api::api_test(&root, &run::binary(&root, false)?).map(|_| ())
        }
        Command::Openapi => test::write_openapi(&root),
        Command::NewProvider { kind, name, transport } => new_provider::run(&root, kind, &name, transport),
    }
}

/// The folder of the workspace, wherever the command was given.
fn root() -> Result<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(here).parent().map(PathBuf::from).context("xtask is not inside a workspace")
}
