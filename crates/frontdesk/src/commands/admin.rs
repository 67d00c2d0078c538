//! `frontdesk admin`: for the operator of the installation.

use super::nodes::{self, NodesCommand};
use crate::config::Config;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum AdminCommand {
    #[command(flatten)]
    Nodes(NodesCommand),
}

pub(crate) async fn admin(config: &Config, command: AdminCommand) -> anyhow::Result<ExitCode> {
    match command {
        AdminCommand::Nodes(command) => nodes::nodes(config, command).await,
    }
}
