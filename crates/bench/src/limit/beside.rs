//! Calls alone, and the same calls while others follow live events and ask the API.

use super::{Finding, Part, Setting, Stage};
use crate::report::Spread;
use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// Businesses beside the one with the calls, each with as many sockets that follow its live events as a business may have.
/// Nothing of what they follow happens.
const BUSINESSES: usize = 10;
const SOCKETS_EACH: usize = base::limits::EVENT_STREAMS_PER_BUSINESS_MAX;
const FOLLOWED: &str = "webhook.disabled";
const REQUESTS_PER_SECOND: u32 = 300;
/// More than this are not under way at once.
const UNDER_WAY_MAX: usize = 1_000;
/// What latency may be of what it was.
const RATIO_MAX: f64 = 1.1;

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Beside {
    alone: Part,
    beside: Part,
    sockets: usize,
    sockets_lost: usize,
    requests: usize,
    requests_failed: usize,
    request: Spread,
    p95_ratio: f64,
}

pub(super) async fn measure(stage: Stage, setting: Setting<'_>) -> anyhow::Result<Beside> {
    let part = Duration::from_secs(setting.secs);
    let calls = stage.begin(stage.limit / 2).await;
    eprintln!("{} calls alone, {} s", calls.len(), setting.secs);
    let alone = stage.talk(&calls, Instant::now() + part).await?;
    let sockets = follow(&stage.server.base_url).await?;
    eprintln!("beside {} sockets and {REQUESTS_PER_SECOND} requests/s, {} s", sockets.len(), setting.secs);
    let until = Instant::now() + part;
    let asking = ask(&stage.server.base_url, until);
    let (talk, asked) = tokio::join!(stage.talk(&calls, until), asking);
    let (beside, asked) = (talk?, asked?);
    let lost = sockets.iter().filter(|socket| is_closed(socket)).count();
    let found = Beside {
        p95_ratio: beside.ratio_to(&alone),
        alone,
        beside,
        sockets: sockets.len(),
        sockets_lost: lost,
        requests: asked.len(),
        requests_failed: asked.iter().filter(|ms| ms.is_none()).count(),
        request: Spread::of(asked.into_iter().flatten().collect()),
    };
    drop(sockets);
    stage.close(calls).await?;
    Ok(found)
}

/// Lets businesses register.
pub(super) fn config(twins: &str) -> String {
    format!("{twins}\n[access]\nregistration = true\n")
}

/// Opens the sockets. Whoever reads nothing answers no pings, and the measurement is shorter than a server's patience.
async fn follow(base_url: &str) -> anyhow::Result<Vec<TcpStream>> {
    let address = base_url.trim_start_matches("http://");
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let mut sockets = Vec::new();
    for number in 0..BUSINESSES {
        let slug = format!("beside-{number}");
        register(&http, base_url, &slug).await.context("a business beside the one with the calls")?;
        for _ in 0..SOCKETS_EACH {
            sockets.push(socket(address, &slug).await.context("a socket of live events")?);
        }
    }
    Ok(sockets)
}

async fn register(http: &reqwest::Client, base_url: &str, slug: &str) -> anyhow::Result<()> {
    let wish = json!({
        "business_name": slug, "slug": slug, "name": "Ada Lovelace", "email": format!("ada@{slug}.example"),
        "password": "a long one for this run",
    });
    let answer = http.post(format!("{base_url}/api/v1/auth/register")).json(&wish).send().await?;
    answer.error_for_status()?;
    Ok(())
}

async fn socket(address: &str, slug: &str) -> anyhow::Result<TcpStream> {
    let mut request = format!("ws://{address}/api/v1/events/socket?kinds={FOLLOWED}").into_client_request()?;
    request.headers_mut().insert("Frontdesk-Business", slug.parse()?);
    let tcp = TcpStream::connect(address).await?;
    let (socket, _) = tokio_tungstenite::client_async(request, tcp).await?;
    Ok(socket.into_inner())
}

fn is_closed(socket: &TcpStream) -> bool {
    let mut bytes = [0; 512];
    loop {
        match socket.try_read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// Requests at their own times until then: how long each took from when it should have begun; `None` for those that failed.
async fn ask(base_url: &str, until: Instant) -> anyhow::Result<Vec<Option<i64>>> {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let base_url: Arc<str> = base_url.into();
    let page: Value =
        http.get(format!("{base_url}/api/v1/calls?limit=1")).send().await?.error_for_status()?.json().await?;
    let call: Arc<str> = page["items"][0]["id"].as_str().context("the server lists no calls")?.into();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / REQUESTS_PER_SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut tasks, mut took, mut number) = (JoinSet::new(), Vec::new(), 0_u64);
    while Instant::now() < until {
        let due = tick.tick().await;
        number += 1;
        if tasks.len() >= UNDER_WAY_MAX {
            took.push(None);
        } else {
            let (http, base_url, call) = (http.clone(), Arc::clone(&base_url), Arc::clone(&call));
            tasks.spawn(async move {
                let answer = request(&http, &base_url, &call, number).send().await.ok()?;
                let is_good = answer.status().is_success() && answer.bytes().await.is_ok();
                is_good.then(|| i64::try_from(due.elapsed().as_millis()).unwrap_or(i64::MAX))
            });
        }
        while let Some(done) = tasks.try_join_next() {
            took.push(done.ok().flatten());
        }
    }
    took.extend(tasks.join_all().await);
    Ok(took)
}

/// Of twenty: nine first pages of calls, seven single calls, three lists of agents, a new customer.
fn request(http: &reqwest::Client, base_url: &str, call: &str, number: u64) -> reqwest::RequestBuilder {
    match number % 20 {
        0..=8 => http.get(format!("{base_url}/api/v1/calls?limit=20")),
        9..=15 => http.get(format!("{base_url}/api/v1/calls/{call}")),
        16..=18 => http.get(format!("{base_url}/api/v1/agents")),
        _ => {
            let customer = json!({
                "phone": format!("+49170{number:09}"), "name": "Ada Lovelace", "tags": [], "attributes": {},
            });
            http.post(format!("{base_url}/api/v1/customers")).json(&customer)
        }
    }
}

impl Finding for Beside {
    fn table(&self) -> String {
        let mut out = format!(
            "calls beside {} idle sockets of live events and {REQUESTS_PER_SECOND} requests/s\n\n",
            self.sockets
        );
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| | {}\n|---|{}", Part::HEAD, "---|".repeat(8));
        let _ = writeln!(out, "| alone | {}", self.alone.cells());
        let _ = writeln!(out, "| beside | {}", self.beside.cells());
        let _ = writeln!(
            out,
            "\n{} requests, {} failed, {} / {} / {} ms (p50 / p95 / p99); {} sockets lost\nanswers p95: {:.2} of what it was",
            self.requests,
            self.requests_failed,
            self.request.p50_ms,
            self.request.p95_ms,
            self.request.p99_ms,
            self.sockets_lost,
            self.p95_ratio
        );
        out
    }

    fn misses(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.alone.misses("alone", &mut out);
        self.beside.misses("beside", &mut out);
        if self.p95_ratio > RATIO_MAX {
            out.push(format!("answers p95 is {:.2} of what it was, more than {RATIO_MAX}", self.p95_ratio));
        }
        if self.requests_failed + self.sockets_lost > 0 {
            out.push(format!("{} requests failed, {} sockets were lost", self.requests_failed, self.sockets_lost));
        }
        out
    }
}
