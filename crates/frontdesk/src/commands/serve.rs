//! `frontdesk serve`: take calls until stopped.

use crate::cli::environment;
use crate::config::Config;
use crate::reload::{self, Layers, Live};
use crate::trunks::Trunks;
use crate::wiring::{self, Wired};
use crate::wiring_live;
use anyhow::Context as _;
use api::{Access, App};
use arc_swap::ArcSwap;
use base::limits;
use clap::Args;
use model::node::{NodeRole, NodeRoles};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Connections may finish their last answer within this.
const GRACE_SECS: u64 = 5;
/// Deliveries older than this are beyond every platform's own tolerance.
const REPLAY_KEYS_KEPT_MS: i64 = 24 * 60 * 60 * 1000;
const PRUNE_EVERY_SECS: u64 = 600;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// What this node does, of api, media and worker; everything unless given
    #[arg(long, value_name = "ROLES")]
    pub(crate) roles: Option<String>,
}

pub(crate) async fn serve(config: Config, layers: Layers) -> anyhow::Result<ExitCode> {
    let metrics = crate::telemetry::start_metrics();
    let listener = bind(&config).await?;
    let wired = wiring::wire(&config, &environment).await?;
    for (stage, names) in &wired.stages {
        tracing::info!(stage, who = names.join(", then "), "ready");
    }
    tracing::info!(address = %listener.local_addr()?, "taking calls");
    run(config, Some(layers), wired, listener, metrics).await
}

/// Binds before the slow part of the start, so that a taken port is said at once.
pub(crate) async fn bind(config: &Config) -> anyhow::Result<TcpListener> {
    let address = &config.server.listen;
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another with --listen 127.0.0.1:PORT"))
}

/// Serves until SIGINT or SIGTERM, then drains.
pub(crate) async fn run(
    config: Config,
    layers: Option<Layers>,
    wired: Wired,
    listener: TcpListener,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
) -> anyhow::Result<ExitCode> {
    let current = Arc::new(ArcSwap::from_pointee(config.clone()));
    let config = &config;
    model::people::check_table().map_err(|why| anyhow::anyhow!("the table of permissions: {why}"))?;
    let shared = Arc::clone(&wired.shared);
    let stop = CancellationToken::new();
    let webrtc = crate::rtc::bind(config, &environment, stop.clone()).await?;
    let app = App {
        auth: Arc::new(wiring::auth(config, wired.store.as_ref(), Arc::clone(&shared))),
        node: wired.node.clone(),
        home: wired.scope,
        access: Arc::new(access(config)?),
        live: wired.live.clone(),
        metrics,
        recordings: wired.recordings.clone(),
        documents: wired.documents.clone().map(Arc::new),
        http: Arc::new(wiring::http_settings(config)),
        shared,
        test_caller: Some(Arc::new(crate::test_calls::Loopback::new(wired.node.clone()))),
        webrtc,
    };
    let roles: NodeRoles = config.node.roles.parse().map_err(|why| anyhow::anyhow!("node.roles: {why}"))?;
    wired.node.join(crate::nodes::cluster_settings(config)?).await.context("this node cannot join the others")?;
    let server =
        tokio::spawn(api::server::serve(listener, api::router(app), stop.clone(), Duration::from_secs(GRACE_SECS)));
    wired.node.keep_lines_warm();
    let trunks = trunks(config, &wired.node, &wired.recordings).await?;
    let node = wired.node.clone();
    let follower = tokio::spawn(async move { node.follow_settings().await });
    let node = wired.node.clone();
    let member = tokio::spawn(async move { node.stay().await });
    let (node, recordings) = (wired.node.clone(), wired.recordings.clone());
    let spooler = tokio::spawn(async move { recordings.keep_storing(&node).await });
    let pruner = tokio::spawn(prune(Arc::clone(&wired.store)));
    let reader = match layers {
        Some(layers) => {
            Some(tokio::spawn(reload::follow(Live::new(layers, Arc::clone(&current))?, wired.node.clone())))
        }
        None => None,
    };
    let hints = wiring_live::hints(&wired);
    let work = CancellationToken::new();
    let workers = if roles.has(NodeRole::Worker) {
        wiring_live::work(config, &wired, work.clone(), Duration::from_secs(GRACE_SECS))?
    } else {
        Vec::new()
    };
    signal().await;
    let grace = Duration::from_secs(current.load().calls.drain_secs);
    trunks.iter().for_each(|trunks| trunks.drain());
    tracing::info!(calls = wired.node.calls_live(), "stopping; a second signal stops at once");
    tokio::select! {
        // Platforms still need us while calls finish, so the server goes last.
        () = wired.node.drain(grace) => {}
        () = signal() => tracing::warn!(calls = wired.node.calls_live(), "stopped with calls in progress"),
    }
    if let Some(trunks) = &trunks {
        trunks.stop().await;
    }
    wired.live.feed.close();
    work.cancel();
    stop.cancel();
    member.abort();
    reader.inspect(tokio::task::JoinHandle::abort);
    spooler.abort();
    hints.iter().for_each(tokio::task::JoinHandle::abort);
    // What the last calls left; what does not get there in time is brought there by the next process.
    let left = wired.recordings.store_finished(|call| wired.node.has_call(call));
    if tokio::time::timeout(Duration::from_secs(GRACE_SECS), left).await.is_err() {
        tracing::warn!("recordings wait on this machine's disk");
    }
    wired.node.leave().await;
    pruner.abort();
    follower.abort();
    for worker in workers {
        if tokio::time::timeout(Duration::from_secs(GRACE_SECS + 1), worker).await.is_err() {
            tracing::warn!("jobs were still being done at the end; other workers do them again");
        }
    }
    let patience = Duration::from_secs(GRACE_SECS + 1);
    if tokio::time::timeout(patience, server).await.is_err() {
        tracing::warn!("connections were still open at the end");
    }
    let closing = Duration::from_millis(limits::STATEMENT_MS_MAX);
    if tokio::time::timeout(closing, wired.store.close()).await.is_err() {
        tracing::warn!("the database did not close in time");
    }
    Ok(ExitCode::SUCCESS)
}

/// Who may reach the server, and by which address.
fn access(config: &Config) -> anyhow::Result<Access> {
    let token = crate::config::follow(config.server.api_token.expose(), &environment)
        .map_err(|why| anyhow::anyhow!("server.api_token: {why}"))?;
    Ok(Access {
        token: (!token.expose().is_empty()).then_some(token),
        public_url: wiring::public_url(config),
        trust_proxy: config.server.trust_proxy,
        origins: config.api.origins.clone(),
    })
}

/// The endpoint of the configured trunks.
async fn trunks(
    config: &Config,
    node: &runtime::Node,
    recordings: &runtime::recordings::Recordings,
) -> anyhow::Result<Option<Arc<Trunks>>> {
    Ok(match config.sip.endpoint(&environment).map_err(|why| anyhow::anyhow!(why))? {
        Some(endpoint) => Some(Trunks::start(endpoint, &config.sip, node, recordings).await?),
        None => None,
    })
}

async fn prune(store: Arc<dyn store::Store>) {
    let mut tick = tokio::time::interval(Duration::from_secs(PRUNE_EVERY_SECS));
    loop {
        tick.tick().await;
        if let Err(error) = store.prune_deliveries(runtime::wall_ms() - REPLAY_KEYS_KEPT_MS).await {
            tracing::warn!(%error, "old deliveries were not forgotten");
        }
        if let Err(error) = store.prune_sessions(runtime::wall_ms() - REPLAY_KEYS_KEPT_MS).await {
            tracing::warn!(%error, "sessions that are long over were not forgotten");
        }
        if let Err(error) = store.prune_requests(runtime::wall_ms() - limits::IDEMPOTENCY_MS_MAX).await {
            tracing::warn!(%error, "old idempotency keys were not forgotten");
        }
        match store.make_room().await {
            Ok(0) => {}
            Ok(partitions) => tracing::info!(partitions, "the database has room for the months to come"),
            Err(error) => tracing::warn!(%error, "no room was made for the months to come; the next try follows"),
        }
    }
}

async fn signal() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        result = tokio::signal::ctrl_c() => {
            if result.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
