//! How many calls a core holds: the same calls as in [`crate::side`], more at each step, until the server no longer keeps
//! its word to each of them. The server has one core and the world another, so that neither takes time from the other.

use crate::drive::Scene;
use crate::limit::{self, Asked, Setting};
use crate::on_device;
use crate::pipecat::{self, Services};
use crate::process::{Server, pin_self, value};
use crate::report::{self, Cost, Side, Spread};
use crate::{ENDPOINT_MS, LLM_FIRST_TOKEN_MS, Load, TTS_FIRST_AUDIO_MS, cloud, side};
use clap::Args;
use serde::Serialize;
use sim::twins::cloud::Cloud;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use testkit::postgres::Server as Postgres;

const STEPS: [u32; 10] = [1, 10, 25, 50, 100, 150, 200, 300, 400, 500];
const STEPS_ON_DEVICE: [u32; 8] = [1, 2, 4, 6, 8, 10, 12, 16];
const WORLD_CORE: u32 = 0;
const SERVER_CORE: u32 = 1;
/// What the 95th percentile of added latency may be above that of the first step.
const LATER_MS_MAX: i64 = 100;
/// Of a hundred turns, so many may have a gap because speech came too late.
const UNDERRUNS_PERCENT_MAX: f64 = 1.0;
/// A world that is later than this measures itself.
const DRIVER_LAG_MS_MAX: f64 = 20.0;
/// The greeting of the other framework's bot; long enough to be heard as one.
const GREETING: &str = "Hello, this is Brightleaf Cycles. How can I help you?";

/// Options of the measurement.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Calls at once, one step after the other, such as `10,100,200`; the first step that is not held ends the ladder
    #[arg(long, value_delimiter = ',')]
    steps: Vec<u32>,
    /// Seconds measured at each step
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=3_600))]
    secs: u64,
    /// Keep the journal in PostgreSQL, started for this run on the world's core, instead of SQLite
    #[arg(long)]
    postgres: bool,
    /// Calls at once with Pipecat, a process for each on the server's core; 0 for none
    #[arg(long, default_value_t = 0)]
    pipecat: u32,
    /// Python of the environment that `fixtures/bench/setup-pipecat.sh` made
    #[arg(long, value_name = "FILE", default_value = ".frontdesk/pipecat/bin/python")]
    python: PathBuf,
    /// Instead of the ladder: calls whose every stage is computed on this machine, on all its cores, until replies take a second
    /// on average
    #[arg(long)]
    on_device: bool,
    /// Let the server and the world run on all cores
    #[arg(long)]
    unpinned: bool,
    #[command(flatten)]
    asked: Asked,
    /// For these: calls that the server takes at once; as many as its machine holds unless given
    #[arg(long, value_name = "CALLS", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    limit: Option<u32>,
}

impl Options {
    fn steps_or<'a>(&'a self, usual: &'a [u32]) -> &'a [u32] {
        if self.steps.is_empty() { usual } else { &self.steps }
    }
}

/// What was measured at one step.
#[derive(Debug, Serialize)]
struct Step {
    server: &'static str,
    calls: u32,
    cost: Cost,
    added_latency: Spread,
    barge_in_stop: Spread,
    turns: usize,
    turns_without_answer: usize,
    interruptions_not_obeyed: usize,
    playout_underruns: f64,
    audio_in_dropped_frames: f64,
    gaps_heard: usize,
    calls_refused: usize,
    calls_broken: Vec<String>,
    driver_lag_ms_p99: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    secs: u64,
    database: &'static str,
    cores: &'static str,
    steps: Vec<Step>,
    /// The last step that was held. `None`: not even the first.
    calls_held: Option<u32>,
}

/// Measures what the options ask for and prints the table.
pub async fn measure(options: &Options, program: &Path, json: Option<&Path>) -> anyhow::Result<ExitCode> {
    if options.asked.is_one() {
        let Options { limit, secs, unpinned, .. } = *options;
        return limit::measure(options.asked, Setting { program, json, limit, secs, unpinned }).await;
    }
    if options.on_device {
        return on_device::measure(options.steps_or(&STEPS_ON_DEVICE), options.secs, program, json).await;
    }
    if options.pipecat > 0 {
        pipecat::is_there(&options.python)?;
    }
    let core = (!options.unpinned).then_some(SERVER_CORE);
    if core.is_some() {
        pin_self(WORLD_CORE)?;
    }
    let cloud = cloud().await?;
    let postgres = options.postgres.then(Postgres::durable);
    let mut report = Report {
        secs: options.secs,
        database: if options.postgres { "PostgreSQL" } else { "SQLite" },
        cores: if options.unpinned { "shared" } else { "one for the server, one for the world" },
        steps: Vec::new(),
        calls_held: None,
    };
    let steps = options.steps_or(&STEPS);
    let most = steps.iter().copied().max().unwrap_or(1);
    let load = Load { calls: most.min(100), secs: options.secs };
    report.steps.push(echo(load, &cloud, core).await?);
    if options.pipecat > 0 {
        let load = Load { calls: options.pipecat, secs: options.secs };
        report.steps.push(pipecat(load, options, &cloud, core).await?);
    }
    let mut first_p95_ms = None;
    for calls in steps.iter().copied() {
        let mut config = cloud.config();
        // Each step begins with an empty database.
        let database = postgres.as_ref().map(|server| server.named(&format!("frontdesk_{calls}")));
        if let Some(database) = &database {
            let _ =
                write!(config, "\n[database]\nurl = {:?}\nowner_url = {:?}\n", database.url(), database.owner_url());
        }
        let step = frontdesk(Load { calls, secs: options.secs }, program, &config, &cloud, core).await?;
        let base_ms = *first_p95_ms.get_or_insert(step.added_latency.p95_ms);
        let is_held = step.is_held(base_ms);
        report.steps.push(step);
        if !is_held {
            break;
        }
        report.calls_held = Some(calls);
    }
    report::publish(&report.table(), &report, json)?;
    Ok(if report.calls_held.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn frontdesk(load: Load, program: &Path, config: &str, cloud: &Cloud, core: Option<u32>) -> anyhow::Result<Step> {
    eprintln!("frontdesk: {} calls", load.calls);
    let servers = [Server::frontdesk(program, config, load.calls, None, core).await?];
    let side = side(load, cloud, &servers, cloud.voice_path(), Scene::Conversation).await?;
    let [server] = servers;
    let metrics = server.metrics().await?;
    server.stop().await;
    Ok(Step::new("frontdesk", load, side, &metrics))
}

async fn echo(load: Load, cloud: &Cloud, core: Option<u32>) -> anyhow::Result<Step> {
    eprintln!("the echo server: {} calls", load.calls);
    let servers = [Server::echo(core).await?];
    let side = side(load, cloud, &servers, cloud.voice_path(), Scene::Echo).await?;
    let [server] = servers;
    server.stop().await;
    Ok(Step::new("echo", load, side, ""))
}

async fn pipecat(load: Load, options: &Options, cloud: &Cloud, core: Option<u32>) -> anyhow::Result<Step> {
    eprintln!("pipecat: {} calls", load.calls);
    let services = Services { stt: &cloud.stt, llm: &cloud.llm, tts: &cloud.tts, phone: &cloud.phone };
    let bots = pipecat::start(&options.python, services, load.calls, GREETING, core).await?;
    let side = side(load, cloud, &bots, "/", Scene::Conversation).await?;
    for bot in bots {
        bot.stop().await;
    }
    let mut step = Step::new("pipecat", load, side, "");
    // A process for each call: what it holds without one is a part of what the call costs.
    step.cost.memory_kib_per_call += step.cost.memory_idle_mib * 1024.0 / f64::from(load.calls);
    Ok(step)
}

impl Step {
    fn new(server: &'static str, load: Load, side: Side, metrics: &str) -> Self {
        let fixed_ms = match server {
            "echo" => 0,
            _ => (ENDPOINT_MS + LLM_FIRST_TOKEN_MS + TTS_FIRST_AUDIO_MS) as i64,
        };
        let heard = || side.heard.iter();
        let known = |values: Vec<&Option<u64>>, less_ms: i64| {
            Spread::of(values.into_iter().flatten().map(|ms| *ms as i64 - less_ms).collect())
        };
        let responses = || heard().flat_map(|one| &one.responses_ms);
        let stops = || heard().flat_map(|one| &one.stops_ms);
        Self {
            server,
            calls: load.calls,
            cost: Cost::of(&side),
            added_latency: known(responses().collect(), fixed_ms),
            barge_in_stop: known(stops().collect(), 0),
            turns: responses().count(),
            turns_without_answer: responses().filter(|one| one.is_none()).count(),
            interruptions_not_obeyed: stops().filter(|one| one.is_none()).count(),
            playout_underruns: value(metrics, "frontdesk_playout_underruns_total"),
            audio_in_dropped_frames: value(metrics, "frontdesk_audio_in_dropped_frames_total"),
            gaps_heard: heard().map(|one| one.gaps_ms.len()).sum(),
            calls_refused: side.refused,
            calls_broken: heard().filter_map(|one| one.problem.clone()).collect(),
            driver_lag_ms_p99: side.driver_lag_ms_p99,
        }
    }

    fn underruns_percent(&self) -> f64 {
        self.playout_underruns * 100.0 / self.turns.max(1) as f64
    }

    /// Whether the server kept its word to every call, measured by a world that kept up.
    fn is_held(&self, first_p95_ms: i64) -> bool {
        self.added_latency.p95_ms <= first_p95_ms + LATER_MS_MAX
            && self.underruns_percent() <= UNDERRUNS_PERCENT_MAX
            && self.turns > 0
            && self.turns_without_answer == 0
            && self.audio_in_dropped_frames == 0.0
            && self.calls_refused == 0
            && self.calls_broken.is_empty()
            && self.driver_lag_ms_p99 <= DRIVER_LAG_MS_MAX
    }
}

impl Report {
    fn table(&self) -> String {
        let mut out = format!("{} s a step, {}, cores: {}\n\n", self.secs, self.database, self.cores);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| server | calls | mcores a call | core used | KiB a call | added p50 / p95 / p99 ms | stop p50 / p95 ms | turns | \
             unanswered | underruns | dropped | refused or broken | world late ms |\n|{}",
            "---|".repeat(13)
        );
        for step in &self.steps {
            let (added, stop) = (step.added_latency, step.barge_in_stop);
            let _ = writeln!(
                out,
                "| {} | {} | {:.2} | {:.0} % | {:.0} | {} / {} / {} | {} / {} | {} | {} | {:.1} % | {} | {} | {:.1} |",
                step.server,
                step.calls,
                step.cost.cpu_millicores_per_call,
                step.cost.cpu_millicores_per_call * f64::from(step.calls) / 10.0,
                step.cost.memory_kib_per_call,
                added.p50_ms,
                added.p95_ms,
                added.p99_ms,
                stop.p50_ms,
                stop.p95_ms,
                step.turns,
                step.turns_without_answer,
                step.underruns_percent(),
                step.audio_in_dropped_frames,
                step.calls_refused + step.calls_broken.len(),
                step.driver_lag_ms_p99,
            );
        }
        let held = self.calls_held.map_or_else(|| "no call".to_owned(), |calls| format!("{calls} calls"));
        let _ = writeln!(out, "\nheld: {held}");
        if let Some(last) = self.steps.last().filter(|step| step.driver_lag_ms_p99 > DRIVER_LAG_MS_MAX) {
            let _ = writeln!(out, "at {} calls the world itself was late; the server may hold more", last.calls);
        }
        let problems: std::collections::BTreeSet<&str> =
            self.steps.iter().flat_map(|step| step.calls_broken.iter().map(String::as_str)).collect();
        for problem in problems {
            let _ = writeln!(out, "broken: {problem}");
        }
        out
    }
}
