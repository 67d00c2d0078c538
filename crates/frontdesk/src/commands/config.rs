//! `frontdesk config`: check, print the defaults, list providers.

use crate::cli::environment;
use crate::config::Config;
use crate::wiring;
use carriers::registry as carrier_registry;
use clap::Subcommand;
use providers::options::Descriptor;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say everything that is wrong, or that nothing is
    Check,
    /// Print the documented defaults
    PrintDefault,
    /// List providers and phone platforms with their settings and environment names
    Providers,
}

pub(crate) fn config(config: &Config, command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check => {
            wiring::carrier_controls(config, &environment)?;
            wiring::check_providers(config, &environment)?;
            println!("The configuration is valid.");
        }
        ConfigCommand::PrintDefault => print!("{}", crate::config::DEFAULT),
        ConfigCommand::Providers => {
            println!("Speech to text");
            providers::stt::PROVIDERS.descriptors().for_each(describe);
            println!("Text to speech");
            providers::tts::PROVIDERS.descriptors().for_each(describe);
            println!("Brain");
            providers::llm::PROVIDERS.descriptors().for_each(describe);
            println!("Phone platforms");
            carrier_registry::DESCRIPTORS.iter().filter(|one| !one.settings.is_empty()).for_each(describe_carrier);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(descriptor: &'static Descriptor) {
    println!("  [providers.{}]  {}", descriptor.name, descriptor.title);
    let line = |key: &str, env: &str, doc: &str| println!("    {key:14} {env:22} {doc}");
    line("api_key", descriptor.key_env, if descriptor.key_optional { "not needed on loopback" } else { "needed" });
    line("base_url", descriptor.base_url_env, descriptor.base_url);
    if let Some(env) = descriptor.model_env.or(descriptor.model.map(|_| "")) {
        line("model", env, descriptor.model.unwrap_or("needed"));
    }
    if let Some(env) = descriptor.voice_env {
        line("voice", env, descriptor.voice.unwrap_or("needed"));
    }
    for (key, doc) in descriptor.extra {
        line(key, "", doc);
    }
}

fn describe_carrier(descriptor: &carrier_registry::Descriptor) {
    println!("  [carriers.{}]  {}", descriptor.name, descriptor.title);
    for setting in descriptor.settings {
        println!("    {:14} {:22} {}", setting.key, setting.env, setting.doc);
    }
}
