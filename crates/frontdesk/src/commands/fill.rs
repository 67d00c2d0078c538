//! `frontdesk admin seed`: a database of the size that it will have one day.

use crate::cli::environment;
use crate::config::Config;
use crate::wiring;
use anyhow::{Context as _, bail};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use store::fill::{Fill, Filled, slug};
use store::{Businesses as _, SqlStore, Store as _};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(crate) struct FillArgs {
    /// Businesses, each with an agent and a number
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    businesses: u32,
    /// Calls of all businesses; the first one gets a fifth of them
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    calls: u64,
    /// Messages of all calls
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(0..=1_000_000_000))]
    messages: u64,
    /// Months until now over which the calls are spread
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=60))]
    months: u32,
    /// Fill a database that holds businesses of people, too
    #[arg(long)]
    force: bool,
}

pub(crate) async fn fill(config: &Config, args: &FillArgs) -> anyhow::Result<ExitCode> {
    egress::install_crypto();
    let options = wiring::store_options(config, &environment)?;
    let place = options.place();
    let store = SqlStore::open(options).await.with_context(|| format!("the database {place} cannot be opened"))?;
    let others = store.businesses(None).await?;
    if let Some(other) = others.iter().find(|one| !one.slug.starts_with("load-")).filter(|_| !args.force) {
        bail!("{place} holds the business {}; --force fills it all the same", other.slug);
    }
    let FillArgs { businesses, calls, messages, months, .. } = *args;
    let fill = Fill { businesses, calls, messages, months, now_ms: runtime::wall_ms() };
    let (filled, begun) = (Arc::new(Filled::default()), Instant::now());
    println!("filling {place}: {businesses} businesses ({} and on), {calls} calls, {messages} messages", slug(0));
    let progress = |filled: &Filled| {
        let calls_now = filled.calls.load(Ordering::Relaxed);
        let messages_now = filled.messages.load(Ordering::Relaxed);
        let rate = messages_now as f64 / begun.elapsed().as_secs_f64().max(0.001);
        println!("  {calls_now} of {calls} calls, {messages_now} messages, {rate:.0} messages/s");
    };
    let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + TELL_EVERY, TELL_EVERY);
    let mut work = std::pin::pin!(store.fill(&fill, &filled));
    loop {
        tokio::select! {
            done = &mut work => {
                done?;
                break;
            }
            _ = tick.tick() => progress(&filled),
        }
    }
    progress(&filled);
    println!("filled in {:.0} s", begun.elapsed().as_secs_f64());
    store.close().await;
    Ok(ExitCode::SUCCESS)
}
