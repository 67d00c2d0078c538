//! `frontdesk admin`: for the operator of the installation.

use super::fill::{self, FillArgs};
use super::nodes::{self, NodesCommand};
use super::people::{self, PeopleCommand};
use crate::config::Config;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum AdminCommand {
    #[command(flatten)]
    Nodes(NodesCommand),
    #[command(flatten)]
    People(PeopleCommand),
    /// Fill the database with invented businesses, calls and messages, to measure it at the size it will have one day
    Seed(FillArgs),
}

pub(crate) async fn admin(config: &Config, command: AdminCommand) -> anyhow::Result<ExitCode> {
    match command {
        AdminCommand::Nodes(command) => nodes::nodes(config, &command).await,
        AdminCommand::People(command) => people::people(config, command).await,
        AdminCommand::Seed(args) => Box::pin(fill::fill(config, &args)).await,
    }
}
