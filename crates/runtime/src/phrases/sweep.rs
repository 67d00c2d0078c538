//! The lines of configured agents, kept warm, so that the first call of the day has them.

use super::{Renderer, VoiceKey, is_short};
use crate::host::PHONE_HZ;
use crate::node::Shared;
use crate::service::Bill;
use base::limits;
use model::agent::{Agent, Lines};
use model::business::TenantScope;
use std::sync::{Arc, Weak};
use std::time::Duration;
use store::StoreError;

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

/// Goes through the agents of all businesses now and then, until the node is gone.
pub(crate) async fn run(node: Weak<Shared>) {
    loop {
        let Some(shared) = node.upgrade() else { return };
        if let Err(error) = sweep(&shared).await {
            tracing::warn!(%error, "the lines of the agents could not be rendered ahead");
        }
        drop(shared);
        tokio::time::sleep(Duration::from_millis(limits::PHRASE_SWEEP_MS)).await;
    }
}

async fn sweep(shared: &Shared) -> Result<(), StoreError> {
    let store = &shared.store;
    let mut room = limits::PHRASE_VOICES_MAX;
    for business in store.businesses(None).await? {
        let scope = TenantScope { business: business.id };
        for agent in store.agents(&scope, None).await? {
            let Some(left) = room.checked_sub(1) else { return Ok(()) };
            room = left;
            let agent = Arc::new(agent.agent);
            let Some(voice) = shared.voice_of(&agent) else { continue };
            let (key, service) = VoiceKey::of(voice, PHONE_HZ);
            let renderer = Renderer { service, key, bill: Bill::default() };
            shared.phrases.render_all(&renderer, lines_of(&agent)).await;
        }
    }
    Ok(())
}
