//! The lines of configured agents, kept warm, so that the first call of the day has them.

use super::{Phrases, Renderer, VoiceKey, is_short};
use crate::host::PHONE_HZ;
use crate::service::{Bill, TtsService};
use base::limits;
use model::agent::{Agent, Lines};
use model::business::TenantScope;
use std::sync::{Arc, Weak};
use std::time::Duration;
use store::{Store, StoreError};

/// The lines an agent may need at any moment, the most urgent first.
fn lines_of(agent: &Agent) -> Vec<String> {
    let Lines { greeting, filler, still_working, not_heard, apology, are_you_there, give_up, back_channels, .. } =
        &agent.lines;
    let mut lines = vec![filler, greeting, still_working, not_heard, apology, are_you_there, give_up];
    if agent.turns.back_channels {
        lines.extend(back_channels);
    }
    lines.into_iter().filter(|line| is_short(line.trim())).cloned().collect()
}

/// Goes through the agents of all businesses now and then, until the cache is gone.
pub(crate) async fn run(phrases: Weak<Phrases>, store: Arc<dyn Store>, service: Arc<dyn TtsService>) {
    loop {
        let Some(phrases) = phrases.upgrade() else { return };
        if let Err(error) = sweep(&phrases, store.as_ref(), &service).await {
            tracing::warn!(%error, "the lines of the agents could not be rendered ahead");
        }
        drop(phrases);
        tokio::time::sleep(Duration::from_millis(limits::PHRASE_SWEEP_MS)).await;
    }
}

async fn sweep(phrases: &Arc<Phrases>, store: &dyn Store, service: &Arc<dyn TtsService>) -> Result<(), StoreError> {
    let mut room = limits::PHRASE_VOICES_MAX;
    for business in store.businesses(None).await? {
        let scope = TenantScope { business: business.id };
        for agent in store.agents(&scope, None).await? {
            let Some(left) = room.checked_sub(1) else { return Ok(()) };
            room = left;
            let agent = agent.agent;
            let key = VoiceKey {
                provider: service.name().into(),
                voice: agent.voice.clone(),
                language: agent.language.clone(),
                rate_hz: PHONE_HZ,
            };
            let renderer = Renderer { service: Arc::clone(service), key, bill: Bill::default() };
            phrases.render_all(&renderer, lines_of(&agent)).await;
        }
    }
    Ok(())
}
