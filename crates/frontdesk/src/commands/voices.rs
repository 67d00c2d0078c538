//! `frontdesk voices`: list the voices of a provider, clone one.

use crate::cli::environment;
use crate::config::Config;
use crate::wiring;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use egress::{Egress, EgressConfig, Policy};
use providers::voices::{CloneRequest, SAMPLE_BYTES_MAX, Sample, VoiceInfo, Voices};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum VoicesCommand {
    /// List the voices of a provider; what stands first in a line is what to configure as its voice
    List {
        /// Provider by name, as `frontdesk config providers` lists them
        provider: String,
        /// As JSON, with preview addresses
        #[arg(long)]
        json: bool,
    },
    /// Make a voice of recordings of a person who agrees to it
    Clone(CloneArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CloneArgs {
    /// Provider by name
    provider: String,
    /// Name of the new voice
    #[arg(long)]
    name: String,
    /// The person whose voice it is has agreed that it is cloned and used so
    #[arg(long, required = true)]
    consent: bool,
    /// Language of the recordings
    #[arg(long, default_value = "en")]
    language: String,
    /// What the voice sounds like, in words
    #[arg(long)]
    description: Option<String>,
    /// Recordings: WAV, MP3, M4A, Ogg, FLAC or WebM
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) async fn voices(config: &Config, command: VoicesCommand) -> anyhow::Result<ExitCode> {
    egress::install_crypto();
    let egress = Egress::new(EgressConfig::new(Policy::Operator));
    match command {
        VoicesCommand::List { provider, json } => {
            let voices = of(config, &provider).await?;
            let listed = runtime::voices::list(&egress, &provider, voices.as_ref()).await;
            let listed = listed.map_err(|why| anyhow::anyhow!("the voices of {provider} cannot be listed: {why}"))?;
            if json {
                println!("{}", serde_json::to_string_pretty(&listed)?);
            } else {
                print(&listed);
            }
        }
        VoicesCommand::Clone(args) => {
            let voices = of(config, &args.provider).await?;
            let samples = args.files.iter().map(|file| sample(file)).collect::<anyhow::Result<Vec<_>>>()?;
            let description = args.description.as_deref();
            let wanted = CloneRequest::new(&args.name, &args.language, description, samples, args.consent)?;
            let made = runtime::voices::clone(&egress, &args.provider, voices.as_ref(), &wanted).await;
            match made.map_err(|why| anyhow::anyhow!("{} does not clone the voice: {why}", args.provider))? {
                Some(id) => println!("{id}"),
                None => bail!("{} clones no voices; {}", args.provider, cloners()),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn of(config: &Config, provider: &str) -> anyhow::Result<Box<dyn Voices>> {
    let opened = wiring::voice(config, &environment, provider).await?;
    opened.protocol().voices().with_context(|| format!("{provider} has no list of voices"))
}

/// Who clones voices, for people.
fn cloners() -> String {
    let clones = |descriptor: &&providers::Descriptor| descriptor.features.contains(&model::routing::Feature::Cloning);
    let names: Vec<&str> = providers::tts::PROVIDERS.descriptors().filter(clones).map(|one| one.name).collect();
    format!("these do: {}", names.join(", "))
}

/// Reads a recording, and no more of a file than a recording can be.
fn sample(file: &Path) -> anyhow::Result<Sample> {
    let name = || file.display().to_string();
    let opened = std::fs::File::open(file).with_context(name)?;
    let mut bytes = Vec::new();
    opened.take(SAMPLE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).with_context(name)?;
    let file_name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Sample { file_name, bytes })
}

fn print(voices: &[VoiceInfo]) {
    let width = voices.iter().map(|voice| voice.id.chars().count()).max().unwrap_or(0);
    for voice in voices {
        let language = voice.language.as_deref().unwrap_or("-");
        let made = if voice.cloned { "cloned" } else { "" };
        let gender = voice.gender.unwrap_or("-");
        println!("{}", format!("{:width$}  {language:6} {gender:8} {:24} {made}", voice.id, voice.name).trim_end());
    }
    println!("{} voices", voices.len());
}
