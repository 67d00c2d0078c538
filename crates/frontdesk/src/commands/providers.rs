//! `frontdesk providers`: what an operator does about providers. What is changed here a running server follows within a few
//! seconds, because both read the same database.

use crate::cli::environment;
use crate::config::Config;
use crate::wiring;
use anyhow::{Context as _, bail};
use base::wire::{Header, HttpRequest, Method};
use base::{Millis, Secret};
use clap::{Args, Subcommand};
use model::business::TenantScope;
use model::routing::{AgentProviders, ProviderChoice, Stage, Switches};
use runtime::Node;
use runtime::catalog::Entry;
use runtime::node::providers::advice;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use store::Owner;

/// The running server answers within this.
const STATUS_MS_MAX: u64 = 5_000;

#[derive(Debug, Subcommand)]
pub(crate) enum ProvidersCommand {
    /// List every provider of every stage, and what each lacks to be used
    List,
    /// Ask the running server how providers do
    Status,
    /// Give a provider a small task with its configured key, and say what is wrong in one line
    Test(TestArgs),
    /// Put a provider first in a stage for all calls, those in progress too; "none" undoes it
    First {
        /// stt, llm or tts
        stage: Stage,
        /// Name of the provider, or none
        name: String,
    },
    /// Ask this provider no more
    Off {
        /// stt, llm or tts
        stage: Stage,
        /// Name of the provider
        name: String,
    },
    /// Ask this provider again
    On {
        /// stt, llm or tts
        stage: Stage,
        /// Name of the provider
        name: String,
    },
    /// Turn a flag on in so many of a hundred calls
    Flag {
        /// Name of the flag, as agents' providers name it
        name: String,
        /// 0 to 100
        share: u8,
    },
    /// Print who serves an agent's calls, or set it from a JSON file
    Agent {
        /// Short name of the agent
        slug: String,
        /// What docs/router.md describes, as JSON
        #[arg(long, value_name = "FILE")]
        set: Option<PathBuf>,
    },
    /// Set, list and delete credentials; they are sealed in the database
    #[command(subcommand)]
    Credential(CredentialCommand),
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Name of the provider
    name: String,
    /// stt, llm or tts; every stage that it serves unless given
    #[arg(long)]
    stage: Option<Stage>,
    /// Model instead of the configured one
    #[arg(long)]
    model: Option<String>,
    /// Voice instead of the configured one
    #[arg(long)]
    voice: Option<String>,
    /// BCP-47 language
    #[arg(long)]
    language: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Keep a credential: the key is read from standard input, so that no shell history has it
    Set {
        /// Name of the provider
        provider: String,
        /// For this business alone instead of the whole installation
        #[arg(long)]
        business: bool,
        /// The provider's other settings, such as region=eu-west-1; may be repeated
        #[arg(long, value_name = "FIELD=VALUE")]
        field: Vec<String>,
    },
    /// List credentials without their secrets
    List,
    /// Delete a credential
    Delete {
        /// Name of the provider
        provider: String,
        /// The one of this business instead of the installation's
        #[arg(long)]
        business: bool,
    },
    /// Seal all credentials with the data key of now, so that an old one can be taken out of the configuration
    Reseal,
}

pub(crate) async fn providers(config: &Config, command: ProvidersCommand) -> anyhow::Result<ExitCode> {
    if matches!(command, ProvidersCommand::Status) {
        return status(config).await;
    }
    let (node, scope) = wiring::wire_light(config, &environment).await?;
    let code = with_node(&node, scope, command).await;
    node.store().close().await;
    code
}

async fn with_node(node: &Node, scope: TenantScope, command: ProvidersCommand) -> anyhow::Result<ExitCode> {
    match command {
        ProvidersCommand::Status => {}
        ProvidersCommand::List => list(node, scope),
        ProvidersCommand::Test(args) => return test(node, scope, args).await,
        ProvidersCommand::First { stage, name } => {
            change(node, |switches| {
                if name == "none" {
                    switches.first.remove(&stage);
                } else {
                    switches.first.insert(stage, name.clone());
                }
            })
            .await?;
        }
        ProvidersCommand::Off { stage, name } => {
            change(node, |switches| {
                switches.off.entry(stage).or_default().insert(name.clone());
            })
            .await?;
        }
        ProvidersCommand::On { stage, name } => {
            change(node, |switches| {
                if let Some(names) = switches.off.get_mut(&stage) {
                    names.remove(&name);
                }
                switches.off.retain(|_, names| !names.is_empty());
            })
            .await?;
        }
        ProvidersCommand::Flag { name, share } => {
            change(node, |switches| {
                switches.flags.insert(name.clone(), share);
            })
            .await?;
        }
        ProvidersCommand::Agent { slug, set } => agent(node, scope, &slug, set).await?,
        ProvidersCommand::Credential(command) => credential(node, scope, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn entries(node: &Node, scope: TenantScope) -> Vec<Entry> {
    node.catalog().map(|catalog| catalog.entries(scope.business)).unwrap_or_default()
}

fn list(node: &Node, scope: TenantScope) {
    let switches = node.board().switches();
    let mut before = None;
    for entry in entries(node, scope) {
        if before.replace(entry.stage) != Some(entry.stage) {
            println!("{}", entry.stage);
        }
        let is_off = if switches.is_off(entry.stage, &entry.name) { "switched off; " } else { "" };
        let state = match &entry.facts {
            Ok(facts) => {
                let minute = facts.minute.map_or("no price".to_owned(), |minute| format!("{minute} a minute"));
                format!("key from {}, {}, {minute}", entry.credential.name(), facts.model)
            }
            Err(why) => why.to_string(),
        };
        println!("  {:18} {is_off}{state}", entry.name);
    }
    for (stage, name) in &switches.first {
        println!("{name} is first for {stage}");
    }
    for (flag, share) in &switches.flags {
        println!("flag {flag} is on in {share} of 100 calls");
    }
}

/// Tries a provider in each stage that it serves.
async fn test(node: &Node, scope: TenantScope, args: TestArgs) -> anyhow::Result<ExitCode> {
    let TestArgs { name, stage, model, voice, language } = args;
    let served = entries(node, scope).into_iter().filter(|entry| entry.name == name);
    let stages: Vec<Stage> =
        served.map(|entry| entry.stage).filter(|one| stage.is_none_or(|only| only == *one)).collect();
    if stages.is_empty() {
        let known: Vec<String> = entries(node, scope).into_iter().map(|entry| entry.name).collect();
        bail!("there is no provider {name:?} for that; known are {}", known.join(", "));
    }
    let mut code = ExitCode::SUCCESS;
    for stage in stages {
        let choice = ProviderChoice {
            model: model.clone(),
            voice: voice.clone(),
            language: language.clone(),
            ..ProviderChoice::named(&name)
        };
        match node.try_provider(&scope, stage, &choice).await {
            Ok(took) => println!("{stage} {name}: works, {took}"),
            Err(failure) => {
                println!("{stage} {name}: {}", advice(&failure));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

async fn change(node: &Node, change: impl Fn(&mut Switches)) -> anyhow::Result<()> {
    let (mut switches, version) = node.switches().await?;
    change(&mut switches);
    node.set_switches(switches, Some(version)).await?;
    println!("done; a running server follows within a few seconds");
    Ok(())
}

async fn agent(node: &Node, scope: TenantScope, slug: &str, set: Option<PathBuf>) -> anyhow::Result<()> {
    if let Some(path) = set {
        let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let providers: AgentProviders =
            serde_json::from_str(&text).with_context(|| format!("{} is not what it should be", path.display()))?;
        node.set_agent_providers(&scope, slug, providers).await?;
    }
    let known = node.store().agent_by_slug(&scope, slug).await?;
    println!("{}", serde_json::to_string_pretty(&known.agent.providers)?);
    Ok(())
}

async fn credential(node: &Node, scope: TenantScope, command: CredentialCommand) -> anyhow::Result<()> {
    let owner = |business: bool| if business { Owner::Business(scope.business) } else { Owner::Installation };
    match command {
        CredentialCommand::Set { provider, business, field } => {
            let mut fields = BTreeMap::new();
            for pair in field {
                let (key, value) = pair.split_once('=').context("--field takes FIELD=VALUE")?;
                fields.insert(key.to_owned(), Secret::new(value.to_owned()));
            }
            let mut key = String::new();
            std::io::stdin().take(16 * 1024).read_to_string(&mut key).context("standard input")?;
            if !key.trim().is_empty() {
                fields.insert("api_key".to_owned(), Secret::new(key.trim().to_owned()));
            }
            node.put_credential(owner(business), &provider, fields).await?;
            println!("kept; `frontdesk providers test {provider}` tries it");
        }
        CredentialCommand::List => {
            for one in node.masked_credentials(scope.business).await? {
                let whose = if one.owner == Owner::Installation { "installation" } else { "business" };
                let fields: Vec<String> = one.fields.iter().map(|(key, value)| format!("{key} {value}")).collect();
                let shown =
                    one.damage.map_or_else(|| fields.join(", "), |why| format!("does not open: {why}; set it again"));
                println!("{:18} {whose:13} {shown}", one.provider);
            }
        }
        CredentialCommand::Delete { provider, business } => {
            if !node.delete_credential(owner(business), &provider).await? {
                bail!("there is no such credential");
            }
            println!("deleted");
        }
        CredentialCommand::Reseal => {
            let count = node.store().reseal_credentials().await?;
            println!("{count} credentials and secrets are sealed with the data key of now");
        }
    }
    Ok(())
}

/// What the running server says.
async fn status(config: &Config) -> anyhow::Result<ExitCode> {
    egress::install_crypto();
    let address = &config.server.listen;
    let token = crate::config::follow(config.server.api_token.expose(), &environment)
        .map_err(|why| anyhow::anyhow!("server.api_token: {why}"))?;
    let mut headers = vec![Header::plain("accept", "application/json")];
    if !token.expose().is_empty() {
        headers.push(Header::secret("authorization", format!("Bearer {}", token.expose())));
    }
    // What listens everywhere is reached here.
    let here = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let url = format!("http://{here}/api/v1/providers");
    let request = HttpRequest { method: Method::Get, url, headers, body: Vec::new() };
    let client = egress::Egress::new(egress::EgressConfig::new(egress::Policy::Operator));
    let answer = client.http(request, Millis(STATUS_MS_MAX)).await;
    let answer = answer.map_err(|failure| anyhow::anyhow!("no server answers at {here}: {failure}"))?;
    if answer.status != 200 {
        bail!("the server at {here} answered {}", answer.status);
    }
    let list: Value = serde_json::from_slice(&answer.body).context("the server's answer")?;
    for item in list["items"].as_array().into_iter().flatten() {
        let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let mut marks = Vec::new();
        marks.extend(item["installed"].as_u64().map(|at| format!("number {at}")));
        marks.extend((item["switched_first"] == true).then(|| "switched first".to_owned()));
        marks.extend((item["switched_off"] == true).then(|| "switched off".to_owned()));
        let health = item["health"].as_array().map(Vec::as_slice).unwrap_or_default();
        if marks.is_empty() && health.is_empty() {
            continue; // Nobody uses it.
        }
        println!("{:4} {:18} {}", text("stage"), text("name"), marks.join(", "));
        health.iter().for_each(print_health);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_health(one: &Value) {
    let text = |key: &str| one[key].as_str().unwrap_or_default();
    let latency = one["latency_ms"].as_u64().map_or(String::new(), |ms| format!(", {ms} ms"));
    let last = match (one["last_failure"].as_str(), one["last_failure_ago_ms"].as_u64()) {
        (Some(class), Some(ago)) => format!(", last failure {class} {} s ago", ago / 1_000),
        _ => String::new(),
    };
    let (failures, outcomes) = (&one["failures"], &one["outcomes"]);
    println!("       {} {}: {failures} of {outcomes} failed{latency}{last}", text("model"), text("breaker"));
}
