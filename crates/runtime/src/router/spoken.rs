//! A model that hears and speaks, in front of the chains of a call whose agent asked for one. What it cannot do any more falls
//! to the ordinary chains behind it.

use super::board::LaneKey;
use super::plan::{Candidate, Facts};
use super::roster::{CallContext, Pool, Pooled};
use crate::drivers::{Briefing, Trio};
use crate::node::Services;
use crate::service::TtsService;
use base::BusinessId;
use model::agent::{Agent, BrainChoice};
use model::routing::{ProviderChoice, Stage};
use std::sync::Arc;

/// The model of a call, when the first brain of its agent is one that hears and speaks; `ordinary` says what it does not.
pub(super) fn model(
    services: &Services,
    context: &CallContext,
    ordinary: impl FnOnce() -> Arc<dyn TtsService>,
) -> Option<(ProviderChoice, Trio)> {
    let agent = &context.agent;
    let choice = first_brain(agent)?;
    match services.catalog.as_ref()?.realtime(context.business, &choice)? {
        Ok(realtime) => {
            let instructions = engine::dialog::prompt::system(agent, &[]);
            let briefing = Briefing { instructions, tools: agent.tools.clone() };
            Some((choice, realtime.call(briefing, Some(ordinary()))))
        }
        Err(why) => {
            tracing::warn!(provider = choice.name, %why, "a model that speaks cannot be used");
            None
        }
    }
}

fn first_brain(agent: &Agent) -> Option<ProviderChoice> {
    match (agent.providers.llm.first(), &agent.brain) {
        (Some(first), _) => Some(first.clone()),
        (None, BrainChoice::Llm { provider: Some(name), .. }) => Some(ProviderChoice::named(name)),
        _ => None,
    }
}

/// The agent as it can be in a call: a model that speaks itself cannot go on with the word that was not heard, and another voice must not.
pub(crate) fn as_it_can_be(services: &Services, business: BusinessId, agent: Arc<Agent>) -> Arc<Agent> {
    let speaks_itself = || services.catalog.as_ref()?.realtime(business, &first_brain(&agent)?);
    if !agent.turns.resume_after_false_stop || speaks_itself().is_none() {
        return agent;
    }
    let mut agent = Arc::unwrap_or_clone(agent);
    agent.turns.resume_after_false_stop = false;
    Arc::new(agent)
}

/// The pool with this service before all others.
pub(super) fn first<S: ?Sized + Send + Sync + 'static>(
    pool: Pool<S>,
    stage: Stage,
    choice: &ProviderChoice,
    service: Arc<S>,
) -> Pool<S> {
    let choice = choice.clone();
    Box::new(move |switches| {
        let mut pooled = pool(switches);
        let key = LaneKey {
            stage,
            provider: choice.name.clone(),
            model: choice.model.clone().unwrap_or_default(),
            account: None,
        };
        let candidate = Candidate { choice: choice.clone(), facts: Facts::unknown(), latency_ms: None };
        pooled.insert(0, Pooled { candidate, key, service: Arc::clone(&service) });
        pooled
    })
}
