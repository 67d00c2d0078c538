//! `frontdesk admin`: for the operator of the installation.

use super::people::{self, PeopleCommand};
use crate::config::Config;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum AdminCommand {
    #[command(flatten)]
    People(PeopleCommand),
}

pub(crate) async fn admin(config: &Config, command: AdminCommand) -> anyhow::Result<ExitCode> {
    match command {
        AdminCommand::People(command) => people::people(config, command).await,
    }
}
