//! A server at its limit, over a long time, and beside other work: what one step of the ladder does not show.

mod beside;
mod overload;
mod soak;

use crate::drive::{self, Heard, Scene};
use crate::process::{Server, pin_self, timer_lag_ms, value};
use crate::report::Spread;
use crate::{cloud, end, voice};
use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use sim::twins::cloud::Cloud;
use sim::twins::twilio::TwinCall;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const WORLD_CORE: u32 = 0;
const SERVER_CORE: u32 = 1;
/// Calls begin so far from each other.
const APART: Duration = Duration::from_millis(20);
/// After this a server has found out what its machine holds.
const CALIBRATED: Duration = Duration::from_secs(3);
/// Whoever knows no better configures so many; the machine's own measure decides.
const CALLS_MANY: u32 = 10_000;
/// A world that is later than this measures itself.
const DRIVER_LAG_MS_MAX: f64 = 20.0;
/// What latency may be of what it was.
const LATENCY_RATIO_MAX: f64 = 1.2;

/// What is asked beside the ladder's own options.
#[derive(Clone, Copy, Debug, Default, Args)]
#[group(multiple = false)]
pub struct Asked {
    /// Instead of the ladder: offer so many times the calls that the server takes, and see what that does to those it took
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(2..=20))]
    overload: Option<u32>,
    /// Instead of the ladder: half of the calls that the server takes, one behind the other for so many minutes, and what grows
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1_440))]
    soak: Option<u64>,
    /// Instead of the ladder: half of the calls alone, then beside idle sockets of live events and requests to the API
    #[arg(long)]
    beside: bool,
}

impl Asked {
    /// Whether one of them is meant, and not the ladder.
    pub fn is_one(self) -> bool {
        self.overload.is_some() || self.soak.is_some() || self.beside
    }
}

/// How they are measured.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    pub program: &'a Path,
    pub json: Option<&'a Path>,
    /// Calls that are the server's limit; what it finds out itself unless given.
    pub limit: Option<u32>,
    /// Seconds of each part.
    pub secs: u64,
    pub unpinned: bool,
}

/// Measures what was asked for, and prints the table.
pub async fn measure(asked: Asked, setting: Setting<'_>) -> anyhow::Result<ExitCode> {
    if !setting.unpinned {
        pin_self(WORLD_CORE)?;
    }
    let cloud = Arc::new(cloud().await?);
    let config = if asked.beside { beside::config(&cloud.config()) } else { cloud.config() };
    let stage = Stage::open(cloud, &config, setting).await?;
    match (asked.overload, asked.soak) {
        (Some(times), _) => print(&overload::measure(stage, setting, times).await?, setting.json),
        (None, Some(minutes)) => print(&soak::measure(stage, minutes).await?, setting.json),
        (None, None) => print(&beside::measure(stage, setting).await?, setting.json),
    }
}

/// What is printed as a table for people and written as JSON for programs.
trait Finding: Serialize {
    fn table(&self) -> String;
    /// What did not hold; empty when all did.
    fn misses(&self) -> Vec<String>;
}

fn print(finding: &impl Finding, json: Option<&Path>) -> anyhow::Result<ExitCode> {
    let misses = finding.misses();
    let missed = misses.iter().map(|miss| format!("missed: {miss}\n")).collect::<String>();
    crate::report::publish(&format!("{}\n{missed}", finding.table()), finding, json)?;
    Ok(if misses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A server, and callers for it.
struct Stage {
    cloud: Arc<Cloud>,
    server: Server,
    url: String,
    burst: Arc<[i16]>,
    /// Calls that it takes at once.
    limit: u32,
}

impl Stage {
    async fn open(cloud: Arc<Cloud>, config: &str, setting: Setting<'_>) -> anyhow::Result<Self> {
        let core = (!setting.unpinned).then_some(SERVER_CORE);
        let calls_max = setting.limit.unwrap_or(CALLS_MANY);
        let server = Server::frontdesk(setting.program, config, calls_max - 1, None, core).await?;
        let url = format!("{}{}", server.base_url, cloud.voice_path());
        let burst = Arc::from(voice::burst(1_200));
        let mut stage = Self { cloud, server, url, burst, limit: calls_max };
        let first = stage.place();
        let heard = drive::drive(&first, Scene::Conversation, &stage.burst, Instant::now() + CALIBRATED * 2).await;
        end(&first).await;
        if let Some(problem) = heard.problem {
            bail!("the first call failed: {problem}");
        }
        stage.server.calls_over().await?;
        let holds = value(&stage.server.metrics().await?, "frontdesk_calls_machine_max") as u32;
        stage.limit = calls_max.min(holds).max(2);
        eprintln!("the server takes {} calls at once; its machine holds {holds}", stage.limit);
        Ok(stage)
    }

    fn place(&self) -> TwinCall {
        self.cloud.phone.place_call(&self.url)
    }

    /// Begins so many calls. Answers those that were taken.
    async fn begin(&self, calls: u32) -> Vec<TwinCall> {
        let mut placed = Vec::new();
        for _ in 0..calls {
            placed.push(self.place());
            tokio::time::sleep(APART).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        placed.retain(|call| call.record(|record| record.leg().is_some()));
        placed
    }

    /// All of them talk until then.
    async fn talk(&self, calls: &[TwinCall], until: Instant) -> anyhow::Result<Part> {
        let mut talks = JoinSet::new();
        for call in calls {
            let (call, burst) = (call.clone(), Arc::clone(&self.burst));
            talks.spawn(async move { drive::drive(&call, Scene::Conversation, &burst, until).await });
        }
        let lag = tokio::spawn(timer_lag_ms(until));
        let (from, from_at) = (self.server.usage()?, Instant::now());
        tokio::time::sleep_until(until).await;
        let (to, wall) = (self.server.usage()?, from_at.elapsed());
        let mut heard = Vec::new();
        while let Some(one) = talks.join_next().await {
            heard.push(one.context("a simulated caller failed")?);
        }
        let cpu_ms = to.cpu_ms.saturating_sub(from.cpu_ms) as f64;
        let core_percent = cpu_ms / 10.0 / wall.as_secs_f64();
        Ok(Part::new(calls.len(), &heard, core_percent, lag.await.unwrap_or_default()))
    }

    async fn close(self, calls: Vec<TwinCall>) -> anyhow::Result<()> {
        let mut ends = JoinSet::new();
        for call in calls {
            ends.spawn(async move { end(&call).await });
        }
        ends.join_all().await;
        self.server.calls_over().await?;
        self.server.stop().await;
        Ok(())
    }
}

/// What callers heard in a part of the measurement.
#[derive(Debug, Serialize)]
struct Part {
    calls: usize,
    /// From the end of the caller's speech to the answer.
    answer: Spread,
    barge_in_stop: Spread,
    turns_without_answer: usize,
    calls_broken: Vec<String>,
    core_percent: f64,
    driver_lag_ms_p99: f64,
}

impl Part {
    fn new(calls: usize, heard: &[Heard], core_percent: f64, driver_lag_ms_p99: f64) -> Self {
        let known = |values: Vec<&Option<u64>>| Spread::of(values.into_iter().flatten().map(|ms| *ms as i64).collect());
        let responses = || heard.iter().flat_map(|one| &one.responses_ms);
        Self {
            calls,
            answer: known(responses().collect()),
            barge_in_stop: known(heard.iter().flat_map(|one| &one.stops_ms).collect()),
            turns_without_answer: responses().filter(|one| one.is_none()).count(),
            calls_broken: heard.iter().filter_map(|one| one.problem.clone()).collect(),
            core_percent,
            driver_lag_ms_p99,
        }
    }

    const HEAD: &str = "calls | answer p50 / p95 / p99 ms | stop p50 / p95 ms | turns | unanswered | broken | core used | world late ms |";

    fn cells(&self) -> String {
        format!(
            "{} | {} / {} / {} | {} / {} | {} | {} | {} | {:.0} % | {:.1} |",
            self.calls,
            self.answer.p50_ms,
            self.answer.p95_ms,
            self.answer.p99_ms,
            self.barge_in_stop.p50_ms,
            self.barge_in_stop.p95_ms,
            self.answer.count,
            self.turns_without_answer,
            self.calls_broken.len(),
            self.core_percent,
            self.driver_lag_ms_p99,
        )
    }

    fn ratio_to(&self, before: &Part) -> f64 {
        self.answer.p95_ms as f64 / before.answer.p95_ms.max(1) as f64
    }

    fn misses(&self, what: &str, out: &mut Vec<String>) {
        if self.answer.count == 0 {
            out.push(format!("{what}: nobody was answered"));
        }
        if self.turns_without_answer > 0 {
            out.push(format!("{what}: {} turns without an answer", self.turns_without_answer));
        }
        for problem in &self.calls_broken {
            out.push(format!("{what}: a call broke: {problem}"));
        }
        if self.driver_lag_ms_p99 > DRIVER_LAG_MS_MAX {
            out.push(format!("{what}: the world itself was {:.0} ms late", self.driver_lag_ms_p99));
        }
    }
}
