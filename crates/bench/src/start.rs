//! How soon a server takes calls: from the start of its process to the first answer that connects a call, with an empty data
//! folder and with one that is there, without models of this machine and with them; and how large the program is.

use crate::process::Server;
use crate::report::{self, Spread};
use crate::{cloud, end};
use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use sim::twins::cloud::Cloud;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use tokio::time::Instant;

const LIGHT_MS_MAX: i64 = 300;
const WITH_MODELS_MS_MAX: i64 = 3_000;
const STRIPPED_MIB_MAX: f64 = 60.0;
/// A server that takes longer does not start.
const PATIENCE: Duration = Duration::from_secs(60);

/// How it is measured.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Starts of each kind
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,
    /// Models of this machine; `$FRONTDESK_MODELS` or the user's data folder unless given. Without any they are left out
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    /// To the line that says so.
    listening: Spread,
    /// To the first answer that connects a call.
    taking_calls: Spread,
    memory_mib: f64,
    target_ms: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Report {
    rows: Vec<Row>,
    program_mib: f64,
    /// `None`: there is no `strip` here.
    stripped_mib: Option<f64>,
}

/// Measures and prints the table.
pub async fn measure(options: &Options, program: &Path, json: Option<&Path>) -> anyhow::Result<ExitCode> {
    let cloud = cloud().await?;
    let light = cloud.config();
    let mut rows = vec![
        starts("empty data folder", &light, None, Folder::New, options.times, program, &cloud).await?,
        starts("data is there", &light, Some(LIGHT_MS_MAX), Folder::Kept, options.times, program, &cloud).await?,
    ];
    match models(options) {
        Some(dir) => {
            let judged = format!("{light}[models]\ndir = {dir:?}\n");
            rows.push(
                starts("and models of voice", &judged, None, Folder::Kept, options.times, program, &cloud).await?,
            );
            let local = format!("{}[models]\ndir = {dir:?}\n", on_device(&light));
            let what = "all models of this machine";
            let target = Some(WITH_MODELS_MS_MAX);
            rows.push(starts(what, &local, target, Folder::Kept, options.times, program, &cloud).await?);
        }
        None => eprintln!("no models here; `frontdesk models pull` or --models FOLDER brings them"),
    }
    let report = Report { rows, program_mib: mib(program)?, stripped_mib: stripped_mib(program)? };
    report::publish(&report.table(), &report, json)?;
    Ok(if report.misses().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn models(options: &Options) -> Option<PathBuf> {
    let user = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share/frontdesk/models"));
    let named = options.models.clone().or_else(|| std::env::var_os("FRONTDESK_MODELS").map(PathBuf::from));
    named.or_else(user).filter(|dir| dir.is_dir())
}

/// The same configuration with every stage on this machine.
pub fn on_device(config: &str) -> String {
    let stages = config.replace("provider = \"deepgram\"", "provider = \"local\"");
    stages
        .replace("provider = \"openai\"", "provider = \"local\"")
        .replace("provider = \"elevenlabs\"", "provider = \"local\"")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Folder {
    /// One of its own for each start.
    New,
    /// One that a start before has filled.
    Kept,
}

async fn starts(
    what: &'static str,
    config: &str,
    target_ms: Option<i64>,
    folder: Folder,
    times: u32,
    program: &Path,
    cloud: &Cloud,
) -> anyhow::Result<Row> {
    eprintln!("{what}: {times} starts");
    let dir = tempfile::tempdir()?;
    if folder == Folder::Kept {
        start(program, config, dir.path(), cloud).await?;
    }
    let (mut listening, mut taking, mut memory_mib) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..times {
        let fresh = tempfile::tempdir()?;
        let at = if folder == Folder::New { fresh.path() } else { dir.path() };
        let one = start(program, config, at, cloud).await?;
        listening.push(one.listening_ms);
        taking.push(one.taking_calls_ms);
        memory_mib = memory_mib.max(one.memory_mib);
    }
    Ok(Row { what, listening: Spread::of(listening), taking_calls: Spread::of(taking), memory_mib, target_ms })
}

struct Started {
    listening_ms: i64,
    taking_calls_ms: i64,
    memory_mib: f64,
}

/// One start, to the first call that is connected, and the end.
async fn start(program: &Path, config: &str, folder: &Path, cloud: &Cloud) -> anyhow::Result<Started> {
    let began = Instant::now();
    let ms = || i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let server = Server::in_folder(program, config, folder).await?;
    let listening_ms = ms();
    let call = cloud.phone.place_call(&format!("{}{}", server.base_url, cloud.voice_path()));
    let connected = call.until(PATIENCE, "a media socket", |record| record.leg().is_some() || record.is_over()).await;
    let taking_calls_ms = ms();
    if let Err(problem) = connected {
        bail!("the first call was not taken: {problem}");
    }
    if call.record(|record| record.leg().is_none()) {
        bail!("the first call was refused: {}", call.record(|record| format!("{:?}", record.faults)));
    }
    let memory_mib = server.usage()?.rss_bytes as f64 / 1024.0 / 1024.0;
    end(&call).await;
    server.stop().await;
    Ok(Started { listening_ms, taking_calls_ms, memory_mib })
}

fn mib(file: &Path) -> anyhow::Result<f64> {
    let bytes = std::fs::metadata(file).with_context(|| file.display().to_string())?.len();
    Ok(bytes as f64 / 1024.0 / 1024.0)
}

fn stripped_mib(program: &Path) -> anyhow::Result<Option<f64>> {
    let dir = tempfile::tempdir()?;
    let out = dir.path().join("stripped");
    match Command::new("strip").arg("-o").arg(&out).arg(program).status() {
        Ok(status) if status.success() => mib(&out).map(Some),
        _ => Ok(None),
    }
}

impl Report {
    fn table(&self) -> String {
        let mut out = String::from(
            "| start with | listening p50 / max ms | first call connected p50 / max ms | aim ms | memory MiB |\n|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "| {} | {} / {} | {} / {} | {} | {:.0} |",
                row.what,
                row.listening.p50_ms,
                row.listening.max_ms,
                row.taking_calls.p50_ms,
                row.taking_calls.max_ms,
                row.target_ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string()),
                row.memory_mib
            );
        }
        let stripped = self.stripped_mib.map_or_else(|| "?".to_owned(), |mib| format!("{mib:.1}"));
        let _ = writeln!(
            out,
            "\nthe program: {:.1} MiB with its symbols, {stripped} MiB stripped (aim {STRIPPED_MIB_MAX:.0})",
            self.program_mib
        );
        for miss in self.misses() {
            let _ = writeln!(out, "missed: {miss}");
        }
        out
    }

    fn misses(&self) -> Vec<String> {
        let late = self.rows.iter().filter_map(|row| {
            let target_ms = row.target_ms.filter(|target_ms| row.taking_calls.p50_ms > *target_ms)?;
            Some(format!("{}: {} ms, more than {target_ms}", row.what, row.taking_calls.p50_ms))
        });
        let large = self.stripped_mib.filter(|mib| *mib > STRIPPED_MIB_MAX);
        late.chain(large.map(|mib| format!("{mib:.1} MiB stripped"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::on_device;

    #[test]
    fn every_stage_is_brought_to_this_machine() {
        let config =
            "[stt]\nprovider = \"deepgram\"\n[brain]\nprovider = \"openai\"\n[tts]\nprovider = \"elevenlabs\"\n";
        assert_eq!(on_device(config).matches("provider = \"local\"").count(), 3);
    }
}
