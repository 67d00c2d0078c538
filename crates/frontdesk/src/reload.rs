//! The configuration while the program runs: read again on SIGHUP, when its file changes and when an operator sets something in
//! the database; checked whole; then exchanged whole. What takes effect at once is listed in [`LIVE_KEYS`], everything else is
//! said to need a restart.

use crate::config::{self, Config, Problems, Sources};
use crate::telemetry;
use arc_swap::ArcSwap;
use base::limits;
use runtime::{LiveSettings, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use store::Store;
use toml::{Table, Value};

/// What can be changed while calls go on, and what can be set in the database.
pub const LIVE_KEYS: [&str; 7] = [
    "budget.call_cents",
    "budget.month_cents",
    "calls.drain_secs",
    "calls.inbound_reserve",
    "calls.max",
    "log.filter",
    "plans.default",
];

/// The name under which the database keeps what an operator has set: a JSON object of keys and texts.
pub const SETTING: &str = "config";

/// Where the layers of this process come from: everything but the database.
#[derive(Clone, Debug)]
pub struct Layers {
    /// The file named by flag or environment.
    pub file: Option<PathBuf>,
    /// From flags.
    pub overrides: Vec<(&'static str, String)>,
}

/// What an operator has set, by key.
pub type Stored = BTreeMap<String, String>;

impl Layers {
    /// Reads all layers anew, with what an operator has set between the environment and the flags.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(&self, stored: &Stored) -> Result<(Config, Table), Problems> {
        let stored = stored.iter().filter(|(key, _)| LIVE_KEYS.contains(&key.as_str()));
        let mut overrides: Vec<(&str, String)> = stored.map(|(key, value)| (key.as_str(), value.clone())).collect();
        overrides.extend(self.overrides.iter().map(|(key, value)| (*key, value.clone())));
        let env = crate::cli::environment_of_config;
        config::load_all(&Sources { file: self.file.as_deref(), env: &env, overrides: &overrides })
    }

    fn path(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| PathBuf::from("frontdesk.toml"))
    }

    fn changed_at(&self) -> Option<SystemTime> {
        std::fs::metadata(self.path()).and_then(|meta| meta.modified()).ok()
    }
}

/// Reads what an operator has set.
///
/// # Errors
/// When the store does not answer, or holds something else.
pub async fn stored(store: &dyn Store) -> anyhow::Result<(Stored, u32)> {
    match store.setting(SETTING).await? {
        Some(kept) => Ok((serde_json::from_str(&kept.value)?, kept.version)),
        None => Ok((Stored::new(), 0)),
    }
}

/// Keys whose values differ, in order.
fn changed(old: &Table, new: &Table) -> BTreeSet<String> {
    fn walk(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut BTreeSet<String>) {
        match (old, new) {
            (Some(Value::Table(old)), Some(Value::Table(new))) => {
                for key in old.keys().chain(new.keys()) {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(&path, old.get(key), new.get(key), found);
                }
            }
            (old, new) if old != new => {
                found.insert(path.to_owned());
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk("", Some(&Value::Table(old.clone())), Some(&Value::Table(new.clone())), &mut found);
    found
}

/// What a changed configuration means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What holds from now on.
    pub now: Vec<String>,
    /// What holds after a restart.
    pub restart: Vec<String>,
}

/// The configuration that holds, and how it changes.
pub struct Live {
    layers: Layers,
    current: Arc<ArcSwap<Config>>,
    table: Table,
}

impl Live {
    /// Begins with what the process began with.
    ///
    /// # Errors
    /// When it does not load any more.
    pub fn new(layers: Layers, current: Arc<ArcSwap<Config>>) -> Result<Self, Problems> {
        let (_, table) = layers.load(&Stored::new())?;
        Ok(Self { layers, current, table })
    }

    /// Reads everything again and says what changed; nothing does when anything is wrong. What needs a restart stays as it
    /// was, and is said again when it changes again.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read_again(&mut self, stored: &Stored) -> Result<Changes, Problems> {
        let (config, table) = self.layers.load(stored)?;
        let mut changes = Changes::default();
        for key in changed(&self.table, &table) {
            if LIVE_KEYS.contains(&key.as_str()) { changes.now.push(key) } else { changes.restart.push(key) }
        }
        self.current.store(Arc::new(config));
        self.table = table;
        Ok(changes)
    }
}

/// Follows signals, the file and the database until it is dropped.
pub async fn follow(mut live: Live, node: Node) {
    let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
    let mut ticks = tokio::time::interval(Duration::from_millis(limits::CONFIG_LOOK_MS));
    let mut newcomers = tokio::time::interval(Duration::from_millis(limits::PLAN_LOOK_MS));
    let (mut file_at, mut version) = (live.layers.changed_at(), None);
    loop {
        let is_asked = tokio::select! {
            () = signalled(&mut hangup) => true,
            _ = ticks.tick() => false,
            _ = newcomers.tick() => {
                subscribe(&live.current.load_full(), &node).await;
                continue;
            }
        };
        let (kept, now_version) = match stored(node.store().as_ref()).await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::debug!(error = format!("{error:#}"), "what is set in the database could not be read");
                continue;
            }
        };
        let now_at = live.layers.changed_at();
        let is_first = version.is_none() && kept.is_empty();
        if is_first || (!is_asked && now_at == file_at && version == Some(now_version)) {
            version = Some(now_version);
            if !is_asked {
                continue;
            }
        }
        (file_at, version) = (now_at, Some(now_version));
        if is_asked && !fetched_again(&live.layers).await {
            continue;
        }
        match live.read_again(&kept) {
            Ok(changes) => {
                apply(&live.current.load(), &changes, &node);
                subscribe(&live.current.load_full(), &node).await;
            }
            Err(problems) => {
                metrics::counter!("frontdesk_config_reloads_total", "outcome" => "refused").increment(1);
                tracing::error!(%problems, "the configuration was read again and not taken");
            }
        }
    }
}

/// Businesses that have chosen no plan get the one that is configured now.
async fn subscribe(config: &Config, node: &Node) {
    if let Err(error) = crate::wiring_live::subscribe_rest(config, node.store().as_ref()).await {
        tracing::error!(
            error = format!("{error:#}"),
            "businesses without a plan did not get the one that is configured"
        );
    }
}

/// What lies in Vault may have been rotated there.
async fn fetched_again(layers: &Layers) -> bool {
    let layers = layers.clone();
    let fetched = tokio::task::spawn_blocking(move || crate::cli::fetch_secrets(&layers)).await;
    match fetched.map_err(anyhow::Error::from).and_then(|fetched| fetched) {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "secrets could not be fetched again; what was known holds");
            false
        }
    }
}

async fn signalled(hangup: &mut Option<tokio::signal::unix::Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

fn apply(config: &Config, changes: &Changes, node: &Node) {
    node.set_live(live_settings(config));
    if changes.now.iter().any(|key| key == "log.filter") && !telemetry::set_filter(&config.log.filter) {
        tracing::error!("log.filter is not a filter; the one before holds");
    }
    metrics::counter!("frontdesk_config_reloads_total", "outcome" => "taken").increment(1);
    tracing::info!(now = changes.now.join(", "), "the configuration was read again");
    if !changes.restart.is_empty() {
        tracing::warn!(keys = changes.restart.join(", "), "these take effect after a restart");
    }
}

/// What of a configuration holds while calls go on.
pub fn live_settings(config: &Config) -> LiveSettings {
    LiveSettings {
        calls_max: config.calls.max,
        inbound_reserve: config.calls.inbound_reserve,
        budgets: crate::wiring::budgets(config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(path: &std::path::Path) -> Live {
        let layers = Layers { file: Some(path.to_owned()), overrides: vec![("log.filter", "warn".into())] };
        let (config, _) = layers.load(&Stored::new()).expect("valid");
        Live::new(layers, Arc::new(ArcSwap::from_pointee(config))).expect("valid")
    }

    #[test]
    fn a_change_says_what_holds_now_and_what_needs_a_restart() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "[calls]\nmax = 100").expect("written");
        let mut live = live(file.path());
        let text = "[calls]\nmax = 50\n[server]\nlisten = \"127.0.0.1:9999\"\n[providers.acme]\nmodel = \"x\"";
        std::fs::write(file.path(), text).expect("written");
        let changes = live.read_again(&Stored::new()).expect("valid");
        assert_eq!(changes.now, ["calls.max"]);
        assert_eq!(changes.restart, ["providers.acme", "server.listen"]);
        assert_eq!(live.current.load().calls.max, 50);
        assert_eq!(live.read_again(&Stored::new()).expect("valid"), Changes::default(), "said once");
    }

    #[test]
    fn what_is_wrong_anywhere_changes_nothing() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut live = live(file.path());
        std::fs::write(file.path(), "[calls]\nmax = 50\nrecord = \"perhaps\"").expect("written");
        let problems = live.read_again(&Stored::new()).expect_err("refused").to_string();
        assert!(problems.contains("calls.record"), "{problems}");
        assert_eq!(live.current.load().calls.max, 200);
    }

    #[test]
    fn the_database_is_over_the_file_and_under_the_flags_and_reaches_only_what_is_live() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "[calls]\nmax = 100").expect("written");
        let mut live = live(file.path());
        let stored = [("calls.max", "70"), ("log.filter", "trace"), ("server.listen", "0.0.0.0:1")];
        let stored: Stored = stored.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(live.read_again(&stored).expect("valid").now, ["calls.max"]);
        let now = live.current.load();
        assert_eq!((now.calls.max, now.log.filter.as_str()), (70, "warn"));
        assert_eq!(now.server.listen, "127.0.0.1:8080");
    }
}
