//! The API of the real server process on a real PostgreSQL that holds many businesses, calls and messages.
//!
//! Requests begin at their own times, whether or not earlier ones are answered, and each one's time counts from the moment at
//! which it should have begun: a server that falls behind cannot hide it by being asked less.

use crate::process::Server;
use crate::report;
use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::{Value, json};
use sim::twins::cloud::{Cloud, CloudOptions};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;
use testkit::postgres::{Database, Server as Postgres};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

/// Businesses whose calls are known to the bench, and calls of each.
const SAMPLED_BUSINESSES: u32 = 40;
/// Requests that are under way at once at most; beyond them the server counts as overloaded.
const UNDER_WAY_MAX: usize = 2_000;
const WARM_UP: Duration = Duration::from_secs(5);
/// Pages at the beginning and at the end of the longest list that are compared.
const PAGES_COMPARED: usize = 40;
/// Of a hundred requests: first pages, single calls, messages of a conversation, agents, new customers.
const MIX: [(Kind, u64); 5] =
    [(Kind::ListCalls, 30), (Kind::GetCall, 25), (Kind::ListMessages, 20), (Kind::ListAgents, 10), (Kind::Create, 15)];

/// How much is measured.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Requests a second
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// Seconds measured
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    secs: u64,
    /// Businesses in the database
    #[arg(long, default_value_t = 1_000)]
    businesses: u32,
    /// Calls in the database; the first business has a fifth of them
    #[arg(long, default_value_t = 50_000)]
    calls: u64,
    /// Messages in the database
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Keep the database in this folder, and go on with what an earlier run left there
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    ListCalls,
    GetCall,
    ListMessages,
    ListAgents,
    Create,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::ListCalls => "calls, first page of 20",
            Self::GetCall => "one call",
            Self::ListMessages => "messages of a conversation",
            Self::ListAgents => "agents",
            Self::Create => "a new customer",
        }
    }
}

/// One answered request.
struct Sample {
    kind: Kind,
    took: Duration,
    good: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    businesses: u32,
    calls: u64,
    messages: u64,
    rate: u32,
    secs: u64,
    rows: Vec<Row>,
    /// Median of the first pages of the longest list, milliseconds.
    first_pages_ms: f64,
    /// Median of its last pages.
    last_pages_ms: f64,
    rows_of_list: usize,
    /// Processor time of the server for one request.
    cpu_ms_per_request: f64,
    rss_mib: u64,
}

#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    requests: usize,
    failed: usize,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// Runs it and prints the report.
pub async fn measure(options: &Options, program: &Path, json_file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let postgres = options.keep.as_deref().map_or_else(Postgres::durable, Postgres::kept);
    let database = postgres.named("frontdesk_bench");
    fill(options, program, &database)?;
    let cloud = CloudOptions {
        heard: Vec::new(),
        stt_final_ms: 50,
        answer: "Yes.".to_owned(),
        llm_first_token_ms: 50,
        tts_first_audio_ms: 50,
        number: "+49405550170".to_owned(),
    };
    let cloud = Cloud::start(&cloud).await.context("the twins cannot be started")?;
    let config = format!("{}\n[database]\nurl = {:?}\n", cloud.config(), database.url());
    let server = Server::frontdesk(program, &config, 1, None, None).await?;
    let target = Arc::new(Target::look(&server.base_url, options.businesses).await?);
    eprintln!("warming up, then {} requests/s for {} s", options.rate, options.secs);
    drive(&target, options.rate, WARM_UP).await;
    let before = server.usage()?;
    let samples = drive(&target, options.rate, Duration::from_secs(options.secs)).await;
    let after = server.usage()?;
    eprintln!("paging through the longest list");
    let (pages, rows_of_list) = target.page_through().await?;
    let compared = PAGES_COMPARED.min(pages.len() / 2).max(1);
    let report = Report {
        businesses: options.businesses,
        calls: count(&database, "calls")?,
        messages: count(&database, "messages")?,
        rate: options.rate,
        secs: options.secs,
        rows: rows(&samples),
        first_pages_ms: quantile(&pages[..compared], 0.5),
        last_pages_ms: quantile(&pages[pages.len() - compared..], 0.5),
        rows_of_list,
        cpu_ms_per_request: (after.cpu_ms - before.cpu_ms) as f64 / samples.len().max(1) as f64,
        rss_mib: after.rss_bytes >> 20,
    };
    server.stop().await;
    report::publish(&report.table(), &report, json_file)?;
    let failed = samples.iter().filter(|sample| !sample.good).count();
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count(database: &Database, table: &str) -> anyhow::Result<u64> {
    let text = database.ask("postgres", &format!("SELECT count(*) FROM {table}"));
    text.parse().with_context(|| format!("the count of {table}: {text}"))
}

/// Brings the schema up and fills the database with what is missing.
fn fill(options: &Options, program: &Path, database: &Database) -> anyhow::Result<()> {
    let known = database.ask("postgres", "SELECT to_regclass('calls') IS NOT NULL");
    let (calls, messages) =
        if known == "t" { (count(database, "calls")?, count(database, "messages")?) } else { (0, 0) };
    if calls < options.calls {
        let home = tempfile::tempdir()?;
        let status = Command::new(program)
            .args(["admin", "seed", "--data-dir"])
            .arg(home.path())
            .args(["--businesses", &options.businesses.to_string(), "--calls", &(options.calls - calls).to_string()])
            .args(["--messages", &options.messages.saturating_sub(messages).to_string()])
            .env("FRONTDESK_DATABASE_URL", database.url())
            .env("FRONTDESK_DATABASE_OWNER_URL", database.owner_url())
            .status()?;
        if !status.success() {
            bail!("the database could not be filled");
        }
    }
    database.ask("postgres", "ANALYZE");
    database.ask("postgres", "CHECKPOINT");
    Ok(())
}

/// A server, and what is known of the rows in it.
struct Target {
    base_url: String,
    http: reqwest::Client,
    businesses: u32,
    /// Business, call and conversation.
    known: Vec<(String, String, String)>,
}

impl Target {
    async fn look(base_url: &str, businesses: u32) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        let mut target = Self { base_url: base_url.to_owned(), http, businesses, known: Vec::new() };
        for index in 0..SAMPLED_BUSINESSES.min(businesses) {
            let slug = slug(index * (businesses / SAMPLED_BUSINESSES).max(1));
            let page: Value = target.get(&slug, "/api/v1/calls?limit=50").await?.error_for_status()?.json().await?;
            for call in page["items"].as_array().into_iter().flatten() {
                if let (Some(id), Some(conversation)) = (call["id"].as_str(), call["conversation"].as_str()) {
                    target.known.push((slug.clone(), id.to_owned(), conversation.to_owned()));
                }
            }
        }
        if target.known.is_empty() {
            bail!("the server lists no calls");
        }
        Ok(target)
    }

    async fn get(&self, business: &str, path: &str) -> reqwest::Result<reqwest::Response> {
        self.http.get(format!("{}{path}", self.base_url)).header("frontdesk-business", business).send().await
    }

    /// Sends the request of this number and reads its answer to the end.
    async fn ask(&self, kind: Kind, number: u64) -> bool {
        let any = slug(u32::try_from(number.wrapping_mul(7_919) % u64::from(self.businesses)).unwrap_or(0));
        let place = usize::try_from(number.wrapping_mul(104_729) % self.known.len() as u64).unwrap_or(0);
        let (business, call, conversation) = &self.known[place];
        let answer = match kind {
            Kind::ListCalls => self.get(&any, "/api/v1/calls?limit=20").await,
            Kind::GetCall => self.get(business, &format!("/api/v1/calls/{call}")).await,
            Kind::ListMessages => {
                self.get(business, &format!("/api/v1/conversations/{conversation}/messages?limit=20")).await
            }
            Kind::ListAgents => self.get(&any, "/api/v1/agents").await,
            Kind::Create => {
                let unique = std::process::id() as u64 * 1_000_003 + number;
                let customer = json!({
                    "phone": format!("+49170{:09}", unique % 1_000_000_000),
                    "name": "Ada Lovelace", "tags": [], "attributes": {},
                });
                let request = self.http.post(format!("{}/api/v1/customers", self.base_url)).json(&customer);
                request.header("frontdesk-business", &any).send().await
            }
        };
        match answer {
            Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
            Err(_) => false,
        }
    }

    /// Every page of the longest list, in order: how long each took, and rows of all of them.
    async fn page_through(&self) -> anyhow::Result<(Vec<Duration>, usize)> {
        let (mut took, mut rows, mut cursor) = (Vec::new(), 0, None::<String>);
        loop {
            let more = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let begun = Instant::now();
            let answer = self.get(&slug(0), &format!("/api/v1/calls?limit=100{more}")).await?;
            let page: Value = answer.error_for_status()?.json().await?;
            took.push(begun.elapsed());
            rows += page["items"].as_array().map_or(0, Vec::len);
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok((took, rows));
            }
        }
    }
}

fn slug(index: u32) -> String {
    format!("load-{index:04}")
}

fn kind_of(number: u64) -> Kind {
    let mut place = number.wrapping_mul(61) % 100;
    for (kind, share) in MIX {
        if place < share {
            return kind;
        }
        place -= share;
    }
    Kind::ListCalls
}

/// Begins requests at their times and waits for all of them.
async fn drive(target: &Arc<Target>, rate: u32, length: Duration) -> Vec<Sample> {
    let every = Duration::from_secs(1) / rate;
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (begun, mut number) = (Instant::now(), 0_u64);
    let (mut tasks, mut samples) = (JoinSet::new(), Vec::new());
    while begun.elapsed() < length {
        let due = tick.tick().await;
        let (target, kind) = (Arc::clone(target), kind_of(number));
        if tasks.len() >= UNDER_WAY_MAX {
            samples.push(Sample { kind, took: due.elapsed(), good: false });
        } else {
            tasks.spawn(async move {
                let good = target.ask(kind, number).await;
                Sample { kind, took: due.elapsed(), good }
            });
        }
        number += 1;
        while let Some(done) = tasks.try_join_next() {
            samples.extend(done.ok());
        }
    }
    while let Some(done) = tasks.join_next().await {
        samples.extend(done.ok());
    }
    samples
}

fn rows(samples: &[Sample]) -> Vec<Row> {
    let row = |what, wanted: &dyn Fn(Kind) -> bool| {
        let of: Vec<&Sample> = samples.iter().filter(|sample| wanted(sample.kind)).collect();
        let took: Vec<Duration> = of.iter().map(|sample| sample.took).collect();
        Row {
            what,
            requests: of.len(),
            failed: of.iter().filter(|sample| !sample.good).count(),
            p50_ms: quantile(&took, 0.5),
            p95_ms: quantile(&took, 0.95),
            p99_ms: quantile(&took, 0.99),
            max_ms: quantile(&took, 1.0),
        }
    };
    let mut rows = vec![row("all", &|_| true)];
    rows.extend(MIX.iter().map(|(kind, _)| row(kind.name(), &|one| one == *kind)));
    rows
}

fn quantile(took: &[Duration], share: f64) -> f64 {
    let mut sorted: Vec<Duration> = took.to_vec();
    sorted.sort();
    let place = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(place).map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
}

impl Report {
    fn table(&self) -> String {
        let mut text = format!(
            "\n{} businesses, {} calls, {} messages; {} requests/s for {} s\n\n",
            self.businesses, self.calls, self.messages, self.rate, self.secs
        );
        let _ = writeln!(text, "| request | requests | failed | p50 ms | p95 ms | p99 ms | max ms |");
        let _ = writeln!(text, "|---|---|---|---|---|---|---|");
        for row in &self.rows {
            let Row { what, requests, failed, p50_ms, p95_ms, p99_ms, max_ms } = row;
            let _ = writeln!(
                text,
                "| {what} | {requests} | {failed} | {p50_ms:.1} | {p95_ms:.1} | {p99_ms:.1} | {max_ms:.0} |"
            );
        }
        let ratio = self.last_pages_ms / self.first_pages_ms.max(0.001);
        let _ = writeln!(
            text,
            "\nA list of {} calls, pages of 100: the first pages take {:.1} ms, the last {:.1} ms (median), ratio {ratio:.2}.",
            self.rows_of_list, self.first_pages_ms, self.last_pages_ms
        );
        let _ = writeln!(
            text,
            "Processor time of the server: {:.2} ms a request; memory {} MiB.",
            self.cpu_ms_per_request, self.rss_mib
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_is_what_it_says_and_quantiles_are_of_what_was_measured() {
        for (kind, share) in MIX {
            assert_eq!((0..1_000).filter(|number| kind_of(*number) == kind).count() as u64, share * 10);
        }
        let took: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!((quantile(&took, 0.5), quantile(&took, 0.95), quantile(&took, 1.0)), (50.0, 95.0, 100.0));
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
