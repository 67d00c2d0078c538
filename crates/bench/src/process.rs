//! The server under test as a process: starting it, finding its address, and asking the operating system what it uses.

use anyhow::{Context as _, bail};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

const START: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(15);
/// Linux reports CPU time to programs in hundredths of a second on every architecture.
const TICK_MS: u64 = 10;
/// Lines of a server that nobody measures with many calls.
const CALLS_FEW: u32 = 10;
const FRAME: Duration = Duration::from_millis(20);

/// A running server.
pub struct Server {
    child: Child,
    /// Where it is, without a trailing slash.
    pub base_url: String,
    has_metrics: bool,
    http: reqwest::Client,
    _data: Option<TempDir>,
}

/// What a process has used so far, and holds now.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time of all threads.
    pub cpu_ms: u64,
    /// Memory in RAM.
    pub rss_bytes: u64,
}

/// What a process holds of the system.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Open files and sockets.
    pub descriptors: usize,
    pub threads: usize,
}

impl Server {
    /// The program as it is shipped, in a folder of its own, with no environment but its configuration. The folder is made, and
    /// stays, in `keep_in`, if that is given. It runs on this core alone, if one is given.
    pub async fn frontdesk(
        program: &Path,
        twins: &str,
        calls: u32,
        keep_in: Option<&Path>,
        core: Option<u32>,
    ) -> anyhow::Result<Self> {
        let data = match keep_in {
            Some(dir) => tempfile::Builder::new().prefix("frontdesk-").disable_cleanup(true).tempdir_in(dir)?,
            None => tempfile::tempdir()?,
        };
        let (child, address) = serve(program, twins, calls + 1, data.path(), core).await?;
        Self::reached(child, format!("http://{address}"), true, Some(data))
    }

    /// The same in a folder that is kept.
    pub async fn in_folder(program: &Path, twins: &str, folder: &Path) -> anyhow::Result<Self> {
        let (child, address) = serve(program, twins, CALLS_FEW, folder, None).await?;
        Self::reached(child, format!("http://{address}"), true, None)
    }

    /// A program that says on standard output where it listens; what it says on standard error goes to a file.
    pub async fn announced(command: &mut Command, errors: std::fs::File) -> anyhow::Result<Self> {
        let mut child = start(command.stdout(Stdio::piped()).stderr(Stdio::from(errors)))?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let address = async {
            while let Some(line) = lines.next_line().await? {
                if line.starts_with("http://") {
                    return Ok(Some(line));
                }
            }
            Ok::<_, std::io::Error>(None)
        };
        let line = tokio::time::timeout(START * 4, address).await.context("the program did not start in time")??;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self::reached(child, line.context("the program ended")?, false, None)
    }

    /// This program as an echo server, on this core alone if one is given.
    pub async fn echo(core: Option<u32>) -> anyhow::Result<Self> {
        let mut command = pinned(&std::env::current_exe()?, core);
        let mut child = start(command.arg("echo-server").stdout(Stdio::piped()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let line = tokio::time::timeout(START, lines.next_line()).await.context("the echo server did not start")??;
        Self::reached(child, line.context("the echo server ended")?, false, None)
    }

    fn reached(child: Child, base_url: String, has_metrics: bool, data: Option<TempDir>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        Ok(Self { child, base_url, has_metrics, http, _data: data })
    }

    /// What it has used so far.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        let id = self.child.id().context("the server has ended")?;
        let read = |name: &str| {
            let path = format!("/proc/{id}/{name}");
            std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read; the bench needs Linux"))
        };
        let stat = read("stat")?;
        // The name of the program is in parentheses and may hold anything; what follows it is numbers.
        let fields: Vec<&str> = stat.rsplit_once(')').context("an unknown stat")?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let status = read("status")?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: u64 = rss.trim().trim_end_matches("kB").trim().parse().context("VmRSS is no number")?;
        Ok(Usage { cpu_ms: (ticks(11) + ticks(12)) * TICK_MS, rss_bytes: kib * 1024 })
    }

    /// What it holds now.
    pub fn held(&self) -> anyhow::Result<Held> {
        let id = self.child.id().context("the server has ended")?;
        let count = |name: &str| {
            let path = format!("/proc/{id}/{name}");
            let entries = std::fs::read_dir(&path).with_context(|| format!("{path} cannot be read"))?;
            anyhow::Ok(entries.count())
        };
        Ok(Held { descriptors: count("fd")?, threads: count("task")? })
    }

    /// The server's own metrics page; empty for the echo server.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        if !self.has_metrics {
            return Ok(String::new());
        }
        let answer = self.http.get(format!("{}/metrics", self.base_url)).send().await?.error_for_status()?;
        Ok(answer.text().await?)
    }

    /// Waits until the server says that no call is left.
    pub async fn calls_over(&self) -> anyhow::Result<()> {
        if !self.has_metrics {
            return Ok(());
        }
        let deadline = Instant::now() + END;
        loop {
            let active = value(&self.metrics().await?, "frontdesk_calls_active");
            if active == 0.0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("{active} calls were left over");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends it.
    pub async fn stop(mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill().await;
    }
}

/// Starts the program in this folder and waits until it says where it takes calls.
async fn serve(
    program: &Path,
    twins: &str,
    calls_max: u32,
    folder: &Path,
    core: Option<u32>,
) -> anyhow::Result<(Child, String)> {
    let file = folder.join("frontdesk.toml");
    let dir = folder.join("data");
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[data]\ndir = {dir:?}\n[calls]\nmax = {calls_max}\ninbound_reserve = 0\n\
         [log]\nformat = \"json\"\nfilter = \"info\"\n{twins}"
    );
    std::fs::write(&file, config)?;
    let mut command = pinned(program, core);
    command.arg("serve").arg("--config").arg(&file).env_clear().env("HOME", folder);
    let mut child = start(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let mut lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
    let mut said = String::new();
    let address = async {
        while let Some(line) = lines.next_line().await? {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if event["message"] == "taking calls" {
                return Ok(event["address"].as_str().map(str::to_owned));
            }
            said.push_str(&line);
            said.push('\n');
        }
        Ok::<_, std::io::Error>(None)
    };
    let Some(address) = tokio::time::timeout(START, address).await.context("the server did not start in time")?? else {
        bail!("the server did not start:\n{said}");
    };
    // Whatever goes wrong later should be seen, and a full pipe must not stop the server.
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("\"WARN\"") || line.contains("\"ERROR\"") {
                eprintln!("server: {line}");
            }
        }
    });
    Ok((child, address))
}

/// A program, on this core alone if one is given. `taskset` becomes the program, so the process is still the one started.
pub fn pinned(program: &Path, core: Option<u32>) -> Command {
    let Some(core) = core else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// Keeps every thread of this process, and those to come, on one core.
pub fn pin_self(core: u32) -> anyhow::Result<()> {
    let mut command = std::process::Command::new("taskset");
    command.args(["-a", "-c", "-p", &core.to_string(), &std::process::id().to_string()]).stdout(Stdio::null());
    let status = command.status().context("taskset (util-linux) cannot be started; give --unpinned")?;
    if status.success() { Ok(()) } else { bail!("taskset failed; give --unpinned") }
}

fn start(command: &mut Command) -> anyhow::Result<Child> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.kill_on_drop(true).spawn().with_context(|| format!("{name} cannot be started"))
}

/// The sum of a metric over its labels; 0 when it was never counted.
pub fn value(metrics: &str, name: &str) -> f64 {
    let of = |line: &str| {
        let rest = line.strip_prefix(name)?;
        (rest.starts_with([' ', '{'])).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
    };
    metrics.lines().filter_map(of).fold(0.0, |sum, one| sum + one)
}

/// How late a 20 ms timer of this process fires, the worst of a hundred: a driver that is late measures itself.
pub async fn timer_lag_ms(until: Instant) -> f64 {
    let mut late = Vec::new();
    let mut due = Instant::now() + FRAME;
    while due < until {
        tokio::time::sleep_until(due).await;
        late.push(due.elapsed().as_secs_f64() * 1_000.0);
        due = (due + FRAME).max(Instant::now());
    }
    late.sort_by(f64::total_cmp);
    late.get(late.len() * 99 / 100).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_not_over_longer_names() {
        let page = "# TYPE a counter\na{x=\"1\"} 2\na{x=\"2\"} 3\na_total 7\n";
        assert_eq!(value(page, "a"), 5.0);
        assert_eq!(value(page, "b"), 0.0);
    }
}
