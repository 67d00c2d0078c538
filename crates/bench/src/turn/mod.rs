//! How an agent takes turns: scripted callers with real sounds over real sockets, against the real program, and the same
//! callers and twins against another framework from its package. What is measured is what a caller's phone hears.
//!
//! Start reading at [`measure`]; `docs/benchmarks.md` says what each figure means.

mod agent_voice;
pub mod audio;
mod caller;
mod judge;
mod render;
mod script;
mod table;
mod world;

use crate::NUMBER;
use crate::pipecat::{self, Services};
use crate::process::{Server, timer_lag_ms};
use agent_voice::AgentVoice;
use anyhow::{Context as _, bail};
use caller::{CallLog, Prepared};
use clap::Args;
use judge::Verdict;
use render::Studio;
use script::{Script, Selection};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use table::{Column, Report};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use world::Twins;

/// Between the beginnings of two calls.
const STAGGER: Duration = Duration::from_millis(700);

/// Options of the measurement.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Calls at once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    calls_at_once: u32,
    /// A fifth of the script
    #[arg(long)]
    quick: bool,
    /// Only these categories or kinds of disturbance, such as `hesitant,back_channel`
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measure Frontdesk alone
    #[arg(long, conflicts_with = "without_frontdesk")]
    without_pipecat: bool,
    /// Measure the other framework alone
    #[arg(long)]
    without_frontdesk: bool,
    /// Figures by category as well
    #[arg(long)]
    verbose: bool,
    /// List this many turns that went wrong
    #[arg(long, default_value_t = 0)]
    worst: usize,
    /// Also write every turn here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where rendered speech is kept
    #[arg(long, value_name = "DIR", default_value = ".frontdesk/bench/speech")]
    cache: PathBuf,
    /// The script of the callers
    #[arg(long, value_name = "FILE", default_value = "fixtures/bench/turn.toml")]
    script: PathBuf,
    /// Python of the environment that `fixtures/bench/setup-pipecat.sh` made
    #[arg(long, value_name = "FILE", default_value = ".frontdesk/pipecat/bin/python")]
    python: PathBuf,
    /// Keep what was heard in each call here, as raw 16-bit samples at 8 kHz
    #[arg(long, value_name = "DIR")]
    keep_audio: Option<PathBuf>,
    /// Keep the server's configuration and data in a folder here, for `frontdesk call replay`
    #[arg(long, value_name = "DIR")]
    keep_data: Option<PathBuf>,
}

/// What both sides are measured with.
struct Stage {
    options: Options,
    script: Script,
    voice: Arc<AgentVoice>,
    calls: Vec<Arc<Prepared>>,
    models: PathBuf,
}

/// Measures what the options ask for and prints the table.
pub async fn measure(options: &Options, program: &Path) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(&options.script)
        .with_context(|| format!("{} cannot be read", options.script.display()))?;
    let script = Script::parse(&text)?;
    let selection = Selection { quick: options.quick, only: options.only.iter().cloned().collect() };
    let plans = script.calls(&selection);
    if plans.is_empty() {
        bail!("nothing of the script is selected");
    }
    if !options.without_pipecat {
        pipecat::is_there(&options.python)?;
    }
    eprintln!("{} calls are prepared", plans.len());
    let mut studio = Studio::open(&options.cache)?;
    let voice = Arc::new(studio.agent_voice(&script)?);
    let calls: Result<Vec<_>, _> =
        plans.into_iter().map(|plan| Prepared::render(plan, &script, &mut studio).map(Arc::new)).collect();
    let models = studio.models().to_owned();
    let stage = Stage { options: options.clone(), voice, calls: calls?, models, script };
    let mut columns = Vec::new();
    if !options.without_frontdesk {
        columns.push(frontdesk(&stage, program).await?);
    }
    if !options.without_pipecat {
        columns.push(pipecat(&stage).await?);
    }
    let report = Report::new(columns);
    crate::report::publish(&report.table(options.verbose, options.worst), &report, options.json.as_deref())?;
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn frontdesk(stage: &Stage, program: &Path) -> anyhow::Result<Column> {
    let twins = Arc::new(Twins::start(Arc::clone(&stage.voice), &stage.script.small_answer, NUMBER).await?);
    let mut config = twins_config(&twins);
    config.push_str(&format!("[models]\ndir = {:?}\n", stage.models));
    let server =
        // A phone that hangs up leaves its call waiting for its audio for some seconds.
        Server::frontdesk(program, &config, stage.options.calls_at_once * 3, stage.options.keep_data.as_deref(), None)
            .await?;
    let url = format!("{}/carriers/twilio/voice", server.base_url);
    let places = vec![url; stage.options.calls_at_once as usize];
    let column = play_all(stage, &twins, "frontdesk", places).await;
    server.stop().await;
    column
}

async fn pipecat(stage: &Stage) -> anyhow::Result<Column> {
    let twins = Arc::new(Twins::start(Arc::clone(&stage.voice), &stage.script.small_answer, NUMBER).await?);
    let services = Services { stt: &twins.stt, llm: &twins.llm, tts: &twins.tts, phone: &twins.phone };
    let (python, count) = (&stage.options.python, stage.options.calls_at_once);
    let bots = pipecat::start(python, services, count, &stage.script.greeting, None).await?;
    let places = bots.iter().map(|bot| format!("{}/", bot.base_url)).collect();
    let column = play_all(stage, &twins, "pipecat", places).await;
    for bot in bots {
        bot.stop().await;
    }
    column
}

/// Tables of a configuration file that make the program use the twins and nothing else.
fn twins_config(twins: &Twins) -> String {
    let account = twins.phone.options();
    let provider = |stage: &str, name: &str, url: &str, key: &str, more: &str| {
        format!(
            "[{stage}]\nprovider = \"{name}\"\nfallback = []\n\
             [providers.{name}]\nbase_url = \"{url}\"\napi_key = \"{key}\"\n{more}"
        )
    };
    [
        provider("stt", "deepgram", &twins.stt.base_url, &twins.stt.key, ""),
        provider("brain", "openai", &twins.llm.base_url, &twins.llm.key, "model = \"twin\"\n"),
        provider("tts", "elevenlabs", &twins.tts.base_url, &twins.tts.key, "voice = \"twin\"\n"),
        format!(
            "[carriers.twilio]\naccount_sid = \"{}\"\nauth_token = \"{}\"\nbase_url = \"{}\"\n",
            account.account_sid,
            account.auth_token.expose(),
            twins.phone.api_base()
        ),
    ]
    .concat()
}

/// Plays every call of the stage, as many at once as there are places, one begun after the other.
async fn play_all(stage: &Stage, twins: &Arc<Twins>, name: &str, places: Vec<String>) -> anyhow::Result<Column> {
    let began = Instant::now();
    let (idle_sender, mut idle) = mpsc::channel::<String>(places.len().max(1));
    for place in places {
        idle_sender.send(place).await?;
    }
    let (log_sender, mut logs) = mpsc::channel::<CallLog>(stage.calls.len().max(1));
    let lag = tokio::spawn(timer_lag_ms(began + Duration::from_secs(60)));
    for (n, prepared) in stage.calls.iter().enumerate() {
        let place = idle.recv().await.context("no place is left")?;
        eprintln!("{name}: call {} of {} at {} s", n + 1, stage.calls.len(), began.elapsed().as_secs());
        let (begun, has_begun) = oneshot::channel();
        let (prepared, twins) = (Arc::clone(prepared), Arc::clone(twins));
        let (logs, idle) = (log_sender.clone(), idle_sender.clone());
        tokio::spawn(async move {
            let log = caller::play(prepared, twins, place.clone(), begun).await;
            // The receivers live until every call is over.
            let _ = logs.send(log).await;
            let _ = idle.send(place).await;
        });
        // An error says that the call is over already; its log tells why.
        let _ = has_begun.await;
        tokio::time::sleep(STAGGER).await;
    }
    drop(log_sender);
    let mut verdicts: Vec<Verdict> = Vec::new();
    while let Some(log) = logs.recv().await {
        if let Some(problem) = &log.problem {
            eprintln!("{name}: call {}: {problem}", log.plan.number);
        }
        if let Some(dir) = &stage.options.keep_audio {
            keep(dir, name, &log, stage)?;
        }
        verdicts.push(judge::judge(&log, &stage.voice, &stage.script.fillers));
    }
    let lag_ms = lag.await.unwrap_or_default();
    Ok(Column::new(name, verdicts, began.elapsed(), lag_ms))
}

fn keep(dir: &Path, name: &str, log: &CallLog, stage: &Stage) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)?;
    let stem = dir.join(format!("{name}-{}", log.plan.number));
    let bytes: Vec<u8> = log.heard.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    std::fs::write(stem.with_extension("raw"), bytes)?;
    let mut text = String::new();
    let mut lines: Vec<(u64, String)> = log
        .uttered
        .iter()
        .map(|one| (one.from_ms, format!("caller to {}: {:?} {} {}", one.to_ms, one.role, one.category, one.text)))
        .chain(log.clears.iter().map(|(at, dropped)| (*at, format!("clear, {dropped} ms dropped"))))
        .chain(log.trace.iter().cloned())
        .chain(judge::heard_lines(log, &stage.voice, &stage.script.agent_texts().collect::<Vec<_>>()))
        .collect();
    lines.sort();
    lines.iter().for_each(|(at, line)| text.push_str(&format!("{at:>7} {line}\n")));
    if let Some(messages) = &log.messages {
        text.push_str(&serde_json::to_string_pretty(messages)?);
    }
    std::fs::write(stem.with_extension("txt"), text)?;
    Ok(())
}
