//! What all calls of a node share about providers: how well each has done, and what the operator has switched.

use super::health::{Admission, Breaker, Health};
use base::{BusinessId, ErrorClass, Failure, limits};
use model::routing::{Stage, Switches};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// Names one provider as one account uses it with one model: what fails together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneKey {
    /// Which stage.
    pub stage: Stage,
    /// Registry name.
    pub provider: String,
    /// In the provider's words.
    pub model: String,
    /// Whose credential; `None` for the installation's.
    pub account: Option<BusinessId>,
}

/// How one provider does, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneView {
    /// Which one.
    pub key: LaneKey,
    /// Whether it is asked.
    pub breaker: Breaker,
    /// Outcomes of late.
    pub outcomes: usize,
    /// Of these, failures.
    pub failures: usize,
    /// Median of late, from asking to the first of what was asked for.
    pub latency_ms: Option<u64>,
    /// The last failure, and how long ago it was.
    pub last_failure: Option<(ErrorClass, u64)>,
}

/// See the module.
#[derive(Debug)]
pub struct Board {
    began: Instant,
    lanes: Mutex<HashMap<LaneKey, Health>>,
    switches: watch::Sender<Arc<Switches>>,
}

impl Default for Board {
    fn default() -> Self {
        Self { began: Instant::now(), lanes: Mutex::default(), switches: watch::Sender::new(Arc::default()) }
    }
}

impl Board {
    /// What is switched now.
    pub fn switches(&self) -> Arc<Switches> {
        Arc::clone(&self.switches.borrow())
    }

    /// Switches. Calls in progress follow when they use the stage next.
    pub fn switch(&self, switches: Switches) {
        let changed = self.switches.send_if_modified(|now| {
            let is_new = **now != switches;
            if is_new {
                *now = Arc::new(switches);
            }
            is_new
        });
        if changed {
            metrics::counter!("frontdesk_provider_switches_total").increment(1);
            tracing::info!(switches = ?self.switches(), "providers were switched");
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Switches>> {
        self.switches.subscribe()
    }

    /// How all providers do that were used of late, by name.
    pub fn lanes(&self) -> Vec<LaneView> {
        let now_ms = self.now_ms();
        let view = |(key, health): (&LaneKey, &Health)| {
            let (outcomes, failures) = health.outcomes(now_ms);
            LaneView {
                key: key.clone(),
                breaker: health.breaker(now_ms),
                outcomes,
                failures,
                latency_ms: health.latency_ms(now_ms),
                last_failure: health.last_failure().map(|(at, class)| (class, now_ms.saturating_sub(at))),
            }
        };
        let mut lanes: Vec<_> = self.lock().iter().map(view).collect();
        lanes.sort_by(|a, b| a.key.cmp(&b.key));
        lanes
    }

    /// Forgets how this provider did: its key, its account or its address has changed.
    pub fn forget(&self, provider: &str) {
        self.lock().retain(|key, _| key.provider != provider);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn admission(&self, key: &LaneKey) -> Admission {
        let now_ms = self.now_ms();
        self.lock().get(key).map_or(Admission::Yes, |health| health.admission(now_ms))
    }

    pub(crate) fn latency_ms(&self, key: &LaneKey) -> Option<u64> {
        let now_ms = self.now_ms();
        self.lock().get(key)?.latency_ms(now_ms)
    }

    /// Takes the trial of a provider that is half open.
    pub(crate) fn begin_trial(&self, key: &LaneKey) -> bool {
        let now_ms = self.now_ms();
        let taken = self.lock().get_mut(key).is_some_and(|health| health.begin_trial(now_ms));
        if taken {
            moved(key, Breaker::HalfOpen);
        }
        taken
    }

    pub(crate) fn praise(&self, key: &LaneKey, latency_ms: Option<u64>) {
        let now_ms = self.now_ms();
        let change = self.with(key, |health| health.on_success(now_ms, latency_ms));
        if let Some(breaker) = change.flatten() {
            moved(key, breaker);
        }
    }

    pub(crate) fn blame(&self, key: &LaneKey, failure: &Failure) {
        let now_ms = self.now_ms();
        let change = self.with(key, |health| health.on_failure(now_ms, failure.class, failure.retry_after));
        if let Some(breaker) = change.flatten() {
            tracing::warn!(
                stage = key.stage.name(),
                provider = key.provider,
                class = failure.class.name(),
                detail = failure.detail,
                "calls pass this provider over"
            );
            moved(key, breaker);
        }
    }

    fn with<T>(&self, key: &LaneKey, change: impl FnOnce(&mut Health) -> T) -> Option<T> {
        let mut lanes = self.lock();
        if let Some(health) = lanes.get_mut(key) {
            return Some(change(health));
        }
        if lanes.len() >= limits::HEALTH_LANES_MAX {
            return None; // Nobody configures so many; what is known stays.
        }
        Some(change(lanes.entry(key.clone()).or_default()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LaneKey, Health>> {
        // No guarded section can panic half way through a change.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts that a breaker stands elsewhere now.
fn moved(key: &LaneKey, to: Breaker) {
    let (stage, provider) = (key.stage.name(), key.provider.clone());
    metrics::counter!("frontdesk_breaker_moves_total", "stage" => stage, "provider" => provider, "to" => to.name())
        .increment(1);
    tracing::info!(stage, provider = key.provider, model = key.model, to = to.name(), "a breaker moved");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(provider: &str) -> LaneKey {
        LaneKey { stage: Stage::Tts, provider: provider.into(), model: "m".into(), account: None }
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_call_finds_out_the_next_one_knows_and_a_new_key_is_a_new_chance() {
        let board = Board::default();
        board.blame(&key("a"), &Failure::new(ErrorClass::Auth, "no"));
        assert_eq!(board.admission(&key("a")), Admission::No);
        assert_eq!(board.admission(&LaneKey { model: "other".into(), ..key("a") }), Admission::Yes);
        assert_eq!(board.lanes()[0].last_failure, Some((ErrorClass::Auth, 0)));
        board.forget("a");
        assert_eq!(board.admission(&key("a")), Admission::Yes);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_switches_again_wake_nobody() {
        let board = Board::default();
        let mut watch = board.watch();
        watch.mark_unchanged();
        board.switch(Switches::default());
        assert!(!watch.has_changed().expect("the board lives"));
        board.switch(Switches { flags: [("x".to_owned(), 5)].into(), ..Switches::default() });
        assert!(watch.has_changed().expect("the board lives"));
    }
}
