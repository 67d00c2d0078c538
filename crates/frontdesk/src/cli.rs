//! The command line.

use crate::commands;
use crate::config;
use crate::reload::{Layers, Stored};
use crate::vault;
use arc_swap::ArcSwap;
use clap::{Args, Parser, Subcommand};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

/// Exit code of a configuration that cannot be used.
const EXIT_CONFIG: u8 = 2;

/// Answers and places a company's customer calls.
///
/// Without any configuration it serves a demonstration business with models of this machine: run `frontdesk demo`, open
/// the page it names and press Talk. `frontdesk doctor` says what is missing and how to mend it.
#[derive(Debug, Parser)]
#[command(name = "frontdesk", version, max_term_width = 110, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  frontdesk demo                                 play one scripted call, then serve the Talk page
  frontdesk call --say \"When are you open?\"      call the agent from this terminal, without a microphone
  frontdesk call replay ID                       feed a past call to the engine again and compare every decision
  frontdesk knowledge add prices.pdf faq.md       take documents in; agents answer from them within seconds
  frontdesk models pull                          fetch the models of this machine, checked against pinned hashes
  frontdesk config check                         say everything that is wrong with the configuration
  frontdesk providers test NAME                   try a provider's key, address and model
  frontdesk config providers                     list providers and phone platforms with their environment names";

/// Options of every command.
#[derive(Debug, Args)]
struct Global {
    /// Configuration file; ./frontdesk.toml when it exists
    #[arg(long, global = true, env = "FRONTDESK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the database and the recordings
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Folder of the models
    #[arg(long, global = true, value_name = "DIR")]
    models_dir: Option<PathBuf>,
    /// Log filter, such as "info" or "frontdesk=debug"
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take calls until stopped; SIGTERM lets live calls finish
    Serve(commands::serve::ServeArgs),
    /// Play one scripted call in the terminal, then serve the Talk page
    Demo(commands::demo::DemoArgs),
    /// Call an agent as a simulated customer and print what was said; replay, keep as a test or delete past calls
    Call(commands::call::CallArgs),
    /// List, fetch and check the models of this machine
    #[command(subcommand)]
    Models(commands::models::ModelsCommand),
    /// List the voices of a provider, clone one
    #[command(subcommand)]
    Voices(commands::voices::VoicesCommand),
    /// List, test and switch providers; set their credentials; say who serves an agent
    #[command(subcommand)]
    Providers(commands::providers::ProvidersCommand),
    /// Have texts read: language, sentiment, what they name, personal data; or translate them
    #[command(subcommand)]
    Text(commands::text::TextCommand),
    /// Take documents and sites in, ask them, evaluate the answers, list what could not be answered
    #[command(subcommand)]
    Knowledge(commands::knowledge::KnowledgeCommand),
    /// Read one document from standard input, within limits: what the program starts for each document
    #[command(name = knowledge::child::SUBCOMMAND, hide = true)]
    ReadDocument(commands::knowledge::ReadArgs),
    /// For the operator of the installation: create businesses, people and keys; list and drain nodes; fill a database to measure it
    #[command(subcommand)]
    Admin(commands::admin::AdminCommand),
    /// Say what is missing and the command that mends it
    Doctor,
    /// Check the configuration, print the defaults, list providers
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// Feed a recorded call to a fresh engine and compare every output
    Replay(commands::replay::ReplayArgs),
    /// Write the recorded inputs of a past call, for `frontdesk replay` on another machine
    Inputs(commands::replay::InputsArgs),
    /// Print the OpenAPI document of the API
    Openapi,
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match execute(cli) {
        Ok(code) => code,
        Err(error) if error.is::<config::Problems>() => {
            eprintln!("frontdesk: {error}");
            ExitCode::from(EXIT_CONFIG)
        }
        Err(error) => {
            eprintln!("frontdesk: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        // These need no configuration.
        Command::Openapi => {
            print!("{}", api::document());
            return Ok(ExitCode::SUCCESS);
        }
        // Before anything else is read: it has given up its environment.
        Command::ReadDocument(args) => return Ok(commands::knowledge::read(&args)),
        Command::Config(commands::config::ConfigCommand::PrintDefault) => {
            print!("{}", config::DEFAULT);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Replay(args) if args.are_files() => return commands::replay::replay_files(&args),
        _ => {}
    }
    let listen = match &cli.command {
        Command::Serve(args) => args.listen.clone(),
        Command::Demo(args) => args.listen.clone(),
        _ => None,
    };
    let roles = match &cli.command {
        Command::Serve(args) => args.roles.clone(),
        _ => None,
    };
    let layers = layers(&cli.global, listen, roles);
    fetch_secrets(&layers)?;
    let mut config = layers.load(&Stored::new())?.0;
    let talks_to_a_person = !matches!(cli.command, Command::Serve(_));
    if talks_to_a_person && config.log.filter == config::DEFAULT_LOG_FILTER {
        // What these commands print is for people; the log would stand between its lines.
        // A test of a provider says itself what is wrong, in one line.
        config.log.filter = if matches!(cli.command, Command::Providers(_)) { "error" } else { "warn" }.into();
    }
    crate::telemetry::start_logs(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        match cli.command {
            Command::Serve(_) => Box::pin(commands::serve::serve(config, layers)).await,
            Command::Demo(args) => Box::pin(commands::demo::demo(config, args)).await,
            Command::Call(args) => commands::call::call(config, args).await,
            Command::Models(command) => commands::models::models(&config, command).await,
            Command::Voices(command) => commands::voices::voices(&config, command).await,
            Command::Providers(command) => commands::providers::providers(&config, command).await,
            Command::Text(command) => commands::text::text(&config, command).await,
            Command::Knowledge(command) => commands::knowledge::knowledge(&config, command).await,
            Command::Admin(command) => Box::pin(commands::admin::admin(&config, command)).await,
            Command::Doctor => commands::doctor::doctor(&config).await,
            Command::Config(command) => commands::config::config(&config, &command),
            Command::Inputs(args) => commands::replay::inputs(&config, &args).await,
            Command::Replay(args) => commands::replay::replay(&config, &args).await,
            Command::Openapi | Command::ReadDocument(_) => Ok(ExitCode::SUCCESS), // Done above.
        }
    });
    // Model threads may be in the middle of a decode that nobody waits for any more.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

fn layers(global: &Global, listen: Option<String>, roles: Option<String>) -> Layers {
    let mut overrides = Vec::new();
    let path_text = |path: &PathBuf| path.to_string_lossy().into_owned();
    overrides.extend(global.data_dir.as_ref().map(|dir| ("data.dir", path_text(dir))));
    overrides.extend(global.models_dir.as_ref().map(|dir| ("models.dir", path_text(dir))));
    overrides.extend(global.log.clone().map(|filter| ("log.filter", filter)));
    overrides.extend(listen.map(|listen| ("server.listen", listen)));
    overrides.extend(roles.map(|roles| ("node.roles", roles)));
    Layers { file: global.config.clone(), overrides }
}

/// What was fetched from Vault, by reference.
static FETCHED: LazyLock<ArcSwap<vault::Fetched>> = LazyLock::new(ArcSwap::default);

/// Every reference to Vault in the configuration.
fn references(layers: &Layers) -> BTreeSet<String> {
    // What is not text cannot be a reference.
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    vault::references(layers.file.as_deref(), variables)
}

/// Fetches what the configuration names in Vault. Nothing waits for it when it names nothing.
///
/// # Errors
/// When one cannot be fetched; what was known holds.
pub(crate) fn fetch_secrets(layers: &Layers) -> anyhow::Result<()> {
    let references = references(layers);
    if references.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fetched = runtime.block_on(vault::fetch(&references, &|name| std::env::var(name).ok()))?;
    FETCHED.store(Arc::new(fetched));
    Ok(())
}

/// The environment, and under their references what was fetched from Vault.
pub(crate) fn environment_of_config(name: &str) -> Option<String> {
    match FETCHED.load().get(name) {
        Some(secret) => Some(secret.expose().clone()),
        None => std::env::var(name).ok(),
    }
}

/// The environment, and under their references what was fetched from Vault; empty values count as absent.
pub fn environment(name: &str) -> Option<String> {
    environment_of_config(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
