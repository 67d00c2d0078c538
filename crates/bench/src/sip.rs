//! Calls over a SIP trunk: sipp calls the real server process so many times a second, and how long each call waits until it is
//! answered is read from sipp's own records. What the server says in them comes to a port of ours, and back to it.

use crate::pacing::{Ear, Pacing};
use crate::process::Server;
use crate::report;
use anyhow::{Context as _, bail};
use serde::Serialize;
use sim::twins::cloud::Cloud;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;
use testkit::ports;
use tokio::process::Command;
use tokio::time::Instant;

/// A number of the trunk.
const NUMBER: &str = "+49405550171";
/// Calls that may wait for their ends beyond those that the rate and the length explain.
const SPARE: u32 = 100;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Calls in all
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    calls: u32,
    /// New calls a second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Milliseconds that each one talks
    #[arg(long, default_value_t = 1_000)]
    talk_ms: u32,
    /// Run the server on this core alone
    #[arg(long, value_name = "CORE")]
    core: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Figures {
    calls: u32,
    rate: u32,
    answered: u64,
    failed: u64,
    set_up_ms_p50: u64,
    set_up_ms_p95: u64,
    set_up_ms_max: u64,
    cpu_ms_per_call: f64,
    seconds: f64,
    pacing: Pacing,
}

/// Measures and prints.
///
/// # Errors
/// When sipp is not there or a server does not start.
pub async fn measure(
    options: &Options,
    cloud: &Cloud,
    program: &Path,
    json: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let at_once = options.rate * (options.talk_ms / 1_000 + 1) * 2 + SPARE;
    let sip = ports::free(4);
    let config = format!(
        "{}\n[sip]\nlisten = [\"udp:127.0.0.1:{sip}\"]\nrtp_ports = \"40000-{}\"\ncalls_max = {at_once}\n\
         [[sip.trunks]]\nname = \"bench\"\nhost = \"127.0.0.1\"\n\
         [[numbers]]\nnumber = \"{NUMBER}\"\ncarrier = \"sip\"\n",
        cloud.config(),
        40_000 + at_once * 2 + 1,
    );
    let server = Server::frontdesk(program, &config, at_once, None, options.core).await?;
    // One call first, so that what the server keeps for all calls is there.
    sipp(sip, &Options { calls: 1, rate: 1, talk_ms: 1_000, core: None }).await?;
    server.calls_over().await?;
    let (before, began) = (server.usage()?, Instant::now());
    eprintln!("{} calls, {} a second: {}", options.calls, options.rate, program.display());
    let heard = sipp(sip, options).await?;
    let seconds = began.elapsed().as_secs_f64();
    server.calls_over().await?;
    let cpu_ms = server.usage()?.cpu_ms.saturating_sub(before.cpu_ms);
    server.stop().await;
    let figures = heard.figures(options, cpu_ms, seconds)?;
    report::publish(&figures.table(), &figures, json)?;
    Ok(if figures.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What sipp wrote down.
struct Heard {
    answered: u64,
    failed: u64,
    set_up_ms: Vec<u64>,
    pacing: Pacing,
}

async fn sipp(sip: u16, options: &Options) -> anyhow::Result<Heard> {
    let folder = tempfile::tempdir()?;
    let scenario = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/sipp/call.xml");
    let port = ports::free(4);
    let ear = Ear::open(port + 2)?;
    // The callers of the scenario say that they hear where sipp does.
    let calls = std::fs::read_to_string(scenario)?.replace("[media_port]", &ear.port.to_string());
    let scenario = folder.path().join("call.xml");
    std::fs::write(&scenario, calls)?;
    let secs = u64::from(options.calls / options.rate) + u64::from(options.talk_ms / 1_000) + 60;
    let mut command = Command::new("sipp");
    command.arg("-sf").arg(scenario).args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin"]);
    command.args(["-p", &port.to_string(), "-s", NUMBER]);
    command.args(["-m", &options.calls.to_string(), "-r", &options.rate.to_string()]);
    command.args(["-d", &options.talk_ms.to_string(), "-timeout", &format!("{secs}s"), "-recv_timeout", "20000"]);
    command.args(["-trace_stat", "-stf", "stat.csv", "-trace_rtt", "-rtt_freq", "1"]);
    command.arg(format!("127.0.0.1:{sip}")).current_dir(folder.path()).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().context("sipp is not there: apt-get install sip-tester")?;
    let waited = tokio::time::timeout(Duration::from_secs(secs + 30), child.wait()).await;
    waited.context("sipp did not end")??;
    let stat = std::fs::read_to_string(folder.path().join("stat.csv")).context("sipp wrote no figures")?;
    let total = |name: &str| total(&stat, name).with_context(|| format!("sipp's figures have no {name}"));
    let mut set_up_ms = Vec::new();
    for entry in std::fs::read_dir(folder.path())? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("_rtt.csv") {
            set_up_ms = waits(&std::fs::read_to_string(path)?);
        }
    }
    set_up_ms.sort_unstable();
    Ok(Heard { answered: total("SuccessfulCall(C)")?, failed: total("FailedCall(C)")?, set_up_ms, pacing: ear.end() })
}

/// The last value of a column.
fn total(stat: &str, name: &str) -> Option<u64> {
    let mut lines = stat.lines();
    let at = lines.next()?.split(';').position(|column| column == name)?;
    lines.last()?.split(';').nth(at)?.parse().ok()
}

/// How long each request for a call waited for its answer, in whole milliseconds.
fn waits(records: &str) -> Vec<u64> {
    let waited = records.lines().skip(1).filter_map(|line| line.split(';').nth(1)?.trim().parse::<f64>().ok());
    waited.map(|ms| ms.ceil() as u64).collect()
}

impl Heard {
    fn figures(&self, options: &Options, cpu_ms: u64, seconds: f64) -> anyhow::Result<Figures> {
        let Some(last) = self.set_up_ms.len().checked_sub(1) else { bail!("no call was answered") };
        let at = |percent: usize| self.set_up_ms[last * percent / 100];
        Ok(Figures {
            calls: options.calls,
            rate: options.rate,
            answered: self.answered,
            failed: self.failed + u64::from(options.calls).saturating_sub(self.answered + self.failed),
            set_up_ms_p50: at(50),
            set_up_ms_p95: at(95),
            set_up_ms_max: at(100),
            cpu_ms_per_call: cpu_ms as f64 / f64::from(options.calls),
            seconds,
            pacing: self.pacing.clone(),
        })
    }
}

impl Figures {
    fn table(&self) -> String {
        format!(
            "| calls | a second | answered | failed | set-up p50 | p95 | max | CPU per call |\n\
             |---|---|---|---|---|---|---|---|\n\
             | {} | {} | {} | {} | {} ms | {} ms | {} ms | {:.1} ms |\n\n{}",
            self.calls,
            self.rate,
            self.answered,
            self.failed,
            self.set_up_ms_p50,
            self.set_up_ms_p95,
            self.set_up_ms_max,
            self.cpu_ms_per_call,
            self.pacing.table()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sipp_writes_down_is_read() {
        let stat = "StartTime;SuccessfulCall(P);SuccessfulCall(C);FailedCall(C);\na;1;1;0;\nb;2;3;4;\n";
        assert_eq!((total(stat, "SuccessfulCall(C)"), total(stat, "FailedCall(C)")), (Some(3), Some(4)));
        assert_eq!(total(stat, "Else"), None);
        assert_eq!(waits("Date_ms;response_time_ms;rtd_no\n1.0;12.2;1\n2.0;3;1\n"), [13, 3]);
    }
}
