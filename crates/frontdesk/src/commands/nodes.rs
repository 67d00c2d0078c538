//! `frontdesk admin nodes` and `frontdesk admin drain`: the processes of this installation.

use crate::cli::environment;
use crate::config::Config;
use crate::wiring;
use anyhow::bail;
use clap::Subcommand;
use model::node::KnownNode;
use std::process::ExitCode;
use store::{Nodes as _, Store};

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
}

pub(crate) async fn nodes(config: &Config, command: &NodesCommand) -> anyhow::Result<ExitCode> {
    let (store, _) = wiring::open_store(config, &environment).await?;
    let done = match command {
        NodesCommand::Nodes { json } => list(store.as_ref(), *json).await,
        NodesCommand::Drain { node, undo } => drain(store.as_ref(), node, !undo).await,
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
    match (known.is_live, known.node.draining, known.drain_asked) {
        (false, ..) => "gone",
        (true, true, _) => "draining",
        (true, false, true) => "will drain",
        (true, false, false) => "live",
    }
}

async fn drain(store: &dyn Store, wanted: &str, drain: bool) -> anyhow::Result<()> {
    let nodes = store.nodes().await?;
    let fits = |known: &&KnownNode| known.is_live && (known.node.name == wanted || known.node.id.to_string() == wanted);
    let found: Vec<&KnownNode> = nodes.iter().filter(fits).collect();
    match found[..] {
        [] => bail!("there is no live node {wanted}; `frontdesk admin nodes` lists them"),
        [known] => {
            store.ask_drain(known.node.id, drain).await?;
            let does = if drain { "takes no new calls from now on" } else { "takes calls again" };
            println!("{} {does}", known.node.name);
            Ok(())
        }
        _ => bail!("{} nodes are called {wanted}: say which by its id", found.len()),
    }
}
