//! `frontdesk admin`: for the operator of the installation.

use super::fill::{self, FillArgs};
use super::nodes::{self, NodesCommand};
use crate::config::Config;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum AdminCommand {
    #[command(flatten)]
    Nodes(NodesCommand),
    /// Fill the database with invented businesses, calls and messages, to measure it at the size it will have one day
    Seed(FillArgs),
}

pub(crate) async fn admin(config: &Config, command: &AdminCommand) -> anyhow::Result<ExitCode> {
    match command {
        AdminCommand::Nodes(command) => nodes::nodes(config, command).await,
        AdminCommand::Seed(args) => fill::fill(config, args).await,
    }
}
