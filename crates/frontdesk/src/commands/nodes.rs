//! `frontdesk admin nodes` and `frontdesk admin drain`: the processes of this installation.

use crate::cli::environment;
use crate::config::{self, Config, Sources};
use crate::reload::{self, LIVE_KEYS};
use crate::wiring;
use anyhow::bail;
use clap::Subcommand;
use model::node::{self, KnownNode, NodeState, NotOne};
use std::path::Path;
use std::process::ExitCode;
use store::Store;

#[derive(Debug, Subcommand)]
pub(crate) enum NodesCommand {
    /// List the nodes of this installation
    Nodes {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a node take no new calls; its live calls go on
    Drain {
        /// Name or id of the node
        node: String,
        /// Let it take calls again
        #[arg(long)]
        undo: bool,
    },
    /// Set something for all nodes while they run: a key of docs/configuration.md and its value, such as calls.max 50
    Set {
        /// Key, such as calls.max
        key: String,
        /// Value; without one, what the file and the environment say holds again
        value: Option<String>,
    },
}

pub(crate) async fn nodes(config: &Config, command: &NodesCommand) -> anyhow::Result<ExitCode> {
    let (store, _) = wiring::open_store(config, &environment).await?;
    let done = match command {
        NodesCommand::Nodes { json } => list(store.as_ref(), *json).await,
        NodesCommand::Drain { node, undo } => drain(store.as_ref(), node, !undo).await,
        NodesCommand::Set { key, value } => set(store.as_ref(), key, value.as_deref()).await,
    };
    store.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn list(store: &dyn Store, json: bool) -> anyhow::Result<()> {
    let nodes = store.nodes().await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&nodes)?);
        return Ok(());
    }
    if nodes.is_empty() {
        println!("no node is there; `frontdesk serve` starts one");
    }
    let now_ms = runtime::wall_ms();
    for known in &nodes {
        let node = &known.node;
        let seen_secs = (now_ms - known.seen_at_ms).max(0) / 1_000;
        println!("{}  {}  {}", node.name, node.id, state(known));
        println!(
            "  {} of {} calls, {}, version {} (generation {})",
            node.calls_live, node.calls_max, node.roles, node.version, node.generation
        );
        println!("  {}, seen {seen_secs} s ago", if node.address.is_empty() { "no address" } else { &node.address });
    }
    Ok(())
}

fn state(known: &KnownNode) -> &'static str {
    match known.state() {
        NodeState::Gone => "gone",
        NodeState::Draining => "draining",
        NodeState::WillDrain => "will drain",
        NodeState::Live => "live",
    }
}

async fn drain(store: &dyn Store, wanted: &str, drain: bool) -> anyhow::Result<()> {
    let nodes = store.nodes().await?;
    match node::named(&nodes, wanted) {
        Err(NotOne::Nobody) => bail!("there is no live node {wanted}; `frontdesk admin nodes` lists them"),
        Ok(known) => {
            store.ask_drain(known.node.id, drain).await?;
            let does = if drain { "takes no new calls from now on" } else { "takes calls again" };
            println!("{} {does}", known.node.name);
            Ok(())
        }
        Err(NotOne::Several(count)) => bail!("{count} nodes are called {wanted}: say which by its id"),
    }
}

async fn set(store: &dyn Store, key: &str, value: Option<&str>) -> anyhow::Result<()> {
    if !LIVE_KEYS.contains(&key) {
        bail!("{key} cannot be set while nodes run; these can: {}", LIVE_KEYS.join(", "));
    }
    let (mut stored, version) = reload::stored(store).await?;
    match value {
        Some(value) => stored.insert(key.to_owned(), value.to_owned()),
        None => stored.remove(key),
    };
    // As a node would read it, but for its own file and environment.
    let overrides: Vec<(&str, String)> = stored.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    config::load(&Sources { file: Some(Path::new("/dev/null")), env: &|_| None, overrides: &overrides })?;
    store.put_setting(reload::SETTING, &serde_json::to_string(&stored)?, Some(version)).await?;
    println!("{key}: {}", value.unwrap_or("as the file and the environment say"));
    Ok(())
}
