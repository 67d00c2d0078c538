//! Measures what a call costs: the real server process with cloud codecs, beside an echo server that does nothing but
//! receive and send the same messages, driven in the same run by the same simulated phone platform.
//!
//! **Must not know**: anything of the server's inside. Figures come from the operating system, from the server's own
//! metrics page, and from what was heard at the other end of the line.
//!
//! Start reading at [`measure`]; `docs/benchmarks.md` says what each figure means.

mod api;
mod codecs;
mod drive;
mod echo;
mod ladder;
mod limit;
mod on_device;
mod pacing;
mod pipecat;
mod process;
mod report;
mod sip;
mod start;
mod turn;
mod voice;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use drive::{Heard, Scene};
use process::{Server, Usage};
use report::{Report, Side};
use sim::twins::cloud::{Cloud, CloudOptions};
use sim::twins::twilio::TwinCall;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Measures one call's share of a server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A number of the demonstration business.
const NUMBER: &str = "+49405550170";
/// What the twins take, fixed. The recogniser's time lies inside the endpoint silence and is not on the way to the answer.
const STT_FINAL_MS: u64 = 50;
const LLM_FIRST_TOKEN_MS: u64 = 100;
const TTS_FIRST_AUDIO_MS: u64 = 80;
/// Silence after which the demonstration agent takes a finished sentence for the end of the turn.
const ENDPOINT_MS: u64 = 300;
const QUESTION: &str = "When do you open on Saturday?";
const ANSWER: &str = "On Saturday we are open from ten to four.";
const UTTERANCES_MAX: usize = 4_096;
/// Calls begin spread over this, so that they do not all speak at once.
const STAGGER: Duration = Duration::from_secs(2);

/// Measures the cost of a call: CPU, memory, added latency, interruptions, gaps; beside an echo server.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Calls at once
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    calls: u32,
    /// Seconds measured, for each of the two servers
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=600))]
    secs: u64,
    /// Also write the figures here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The program to measure; the one beside this one unless given
    #[arg(long, value_name = "FILE")]
    frontdesk: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure how many calls a core holds, step by step, beside an echo server and another framework; or what happens at the
    /// limit (`--overload 3`), over a long time (`--soak 30`) and beside other work (`--beside`)
    Calls(ladder::Options),
    /// Measure how the agent takes turns, beside another framework with the same callers
    Turn(turn::Options),
    /// Measure how soon a server takes calls, and how large the program is
    Start(start::Options),
    /// Measure the API of a server on PostgreSQL with many businesses, calls and messages
    Api(api::Options),
    /// Measure how long calls over a SIP trunk wait until they are answered, with sipp as the other side
    Sip(sip::Options),
    /// Measure what the codecs of the providers cost, message by message
    Providers(codecs::Options),
    /// Send every audio message back (the bench starts this itself)
    EchoServer,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    match &cli.command {
        Some(Command::EchoServer) => {
            echo::serve().await?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::Calls(options)) => {
            let program = program(&cli)?;
            return ladder::measure(options, &program, cli.json.as_deref()).await;
        }
        Some(Command::Turn(options)) => {
            let program = program(&cli)?;
            return turn::measure(options, &program).await;
        }
        Some(Command::Api(options)) => {
            let program = program(&cli)?;
            return api::measure(options, &program, cli.json.as_deref()).await;
        }
        Some(Command::Sip(options)) => {
            let program = program(&cli)?;
            return sip::measure(options, &cloud().await?, &program, cli.json.as_deref()).await;
        }
        Some(Command::Start(options)) => {
            let program = program(&cli)?;
            return start::measure(options, &program, cli.json.as_deref()).await;
        }
        Some(Command::Providers(options)) => {
            codecs::measure(options)?;
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    let report = measure(&cli).await?;
    report::publish(&report.table(), &report, cli.json.as_deref())?;
    if cli.json.is_none() {
        println!("\n{}", serde_json::to_string_pretty(&report)?);
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How much is asked of a server.
#[derive(Clone, Copy, Debug)]
struct Load {
    calls: u32,
    secs: u64,
}

/// The twins with their fixed times.
async fn cloud() -> anyhow::Result<Cloud> {
    let options = CloudOptions {
        heard: vec![QUESTION.to_owned(); UTTERANCES_MAX],
        stt_final_ms: STT_FINAL_MS,
        answer: ANSWER.to_owned(),
        llm_first_token_ms: LLM_FIRST_TOKEN_MS,
        tts_first_audio_ms: TTS_FIRST_AUDIO_MS,
        number: NUMBER.to_owned(),
    };
    Cloud::start(&options).await.context("the twins cannot be started")
}

/// Measures both servers, one after the other.
async fn measure(cli: &Cli) -> anyhow::Result<Report> {
    let cloud = cloud().await?;
    let program = program(cli)?;
    let load = Load { calls: cli.calls, secs: cli.secs };
    eprintln!("{} calls, {} s each: {}", cli.calls, cli.secs, program.display());
    let servers = [Server::frontdesk(&program, &cloud.config(), cli.calls, None, None).await?];
    let frontdesk = side(load, &cloud, &servers, cloud.voice_path(), Scene::Conversation).await?;
    let [server] = servers;
    let metrics = server.metrics().await?;
    server.stop().await;
    eprintln!("{} calls, {} s each: the echo server", cli.calls, cli.secs);
    let servers = [Server::echo(None).await?];
    let echo = side(load, &cloud, &servers, cloud.voice_path(), Scene::Echo).await?;
    let [server] = servers;
    server.stop().await;
    Ok(Report::new(cli.calls, cli.secs, frontdesk, echo, &metrics))
}

/// What all of them use.
fn used(servers: &[Server]) -> anyhow::Result<Usage> {
    servers.iter().try_fold(Usage { cpu_ms: 0, rss_bytes: 0 }, |sum, server| {
        let one = server.usage()?;
        Ok(Usage { cpu_ms: sum.cpu_ms + one.cpu_ms, rss_bytes: sum.rss_bytes + one.rss_bytes })
    })
}

fn program(cli: &Cli) -> anyhow::Result<PathBuf> {
    let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name("frontdesk"));
    let program = cli.frontdesk.clone().map_or_else(beside, Ok)?;
    if !program.is_file() {
        bail!("{} is not there; build it with `cargo build --release -p frontdesk -p bench`", program.display());
    }
    Ok(program)
}

/// Measures one kind of server: a process for all calls, or one for each. A first call to each warms it up, so that what it
/// keeps for all calls is not charged to each.
async fn side(load: Load, cloud: &Cloud, servers: &[Server], path: &str, scene: Scene) -> anyhow::Result<Side> {
    side_with(load, cloud, servers, path, scene, &voice::burst(1_200).into()).await
}

/// The same with callers who say this.
async fn side_with(
    load: Load,
    cloud: &Cloud,
    servers: &[Server],
    path: &str,
    scene: Scene,
    burst: &Arc<[i16]>,
) -> anyhow::Result<Side> {
    let urls: Vec<String> = servers.iter().map(|server| format!("{}{path}", server.base_url)).collect();
    let mut first = JoinSet::new();
    for url in &urls {
        let (warm, burst) = (cloud.phone.place_call(url), Arc::clone(burst));
        first.spawn(async move {
            let heard = drive::drive(&warm, scene, &burst, Instant::now() + Duration::from_secs(6)).await;
            end(&warm).await;
            heard.problem
        });
    }
    while let Some(done) = first.join_next().await {
        if let Some(problem) = done.context("a simulated caller failed")? {
            bail!("the first call failed: {problem}");
        }
    }
    let before = used(servers)?;
    let began = Instant::now();
    // Many calls take their time to begin.
    let stagger = STAGGER.max(Duration::from_millis(20) * load.calls);
    let measured_from = began + stagger + Duration::from_secs(1);
    let until = measured_from + Duration::from_secs(load.secs);
    let mut calls = Vec::new();
    for (number, url) in (0..load.calls).zip(urls.iter().cycle()) {
        tokio::time::sleep_until(began + stagger * number / load.calls).await;
        let call = cloud.phone.place_call(url);
        let burst = Arc::clone(burst);
        calls.push((call.clone(), tokio::spawn(async move { drive::drive(&call, scene, &burst, until).await })));
    }
    tokio::time::sleep_until(measured_from).await;
    let (from, lag) = (used(servers)?, tokio::spawn(process::timer_lag_ms(until)));
    let from_at = Instant::now();
    let mut rss_max = from.rss_bytes;
    while Instant::now() < until {
        tokio::time::sleep_until((Instant::now() + Duration::from_millis(500)).min(until)).await;
        rss_max = rss_max.max(used(servers)?.rss_bytes);
    }
    let (to, wall) = (used(servers)?, from_at.elapsed());
    let mut heard = Vec::new();
    for (call, driver) in calls {
        heard.push(driver.await.context("a simulated caller failed")?);
        tokio::spawn(async move { end(&call).await });
    }
    for server in servers {
        server.calls_over().await?;
    }
    let refused = heard.iter().filter(|one: &&Heard| one.refused).count();
    let lag = lag.await.unwrap_or_default();
    Ok(Side {
        cpu_ms: to.cpu_ms.saturating_sub(from.cpu_ms),
        wall,
        rss_growth_bytes: rss_max.saturating_sub(before.rss_bytes),
        rss_idle_bytes: before.rss_bytes,
        calls: load.calls,
        refused,
        driver_lag_ms_p99: lag,
        heard,
    })
}

async fn end(call: &TwinCall) {
    call.hang_up().await;
    // What a call that does not end means is asked of the server's metrics afterwards.
    let _ = call.finished(Duration::from_secs(5)).await;
}
