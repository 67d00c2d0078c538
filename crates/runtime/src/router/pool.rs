//! Whom the stages of a call may ask: what its agent names, what the installation has, and what an operator has switched on.

use super::board::LaneKey;
use super::plan::{Candidate, Facts};
use super::roster::{CallContext, Pool, Pooled, StageService};
use crate::catalog::{Catalog, Unusable};
use crate::node::{LOCAL_BRAIN, Services};
use crate::service::{BrainService, SttService, TtsService};
use base::BusinessId;
use model::agent::{Agent, BrainChoice};
use model::routing::{ProviderChoice, Stage, Switches, VoiceMap};
use std::sync::Arc;

/// Makes the service of a choice.
type Make<S> = fn(&dyn Catalog, BusinessId, &ProviderChoice) -> Result<Arc<S>, Unusable>;

pub(super) fn recognisers(services: &Services, context: &CallContext) -> Pool<dyn SttService> {
    let installed = services.stt.iter().map(|one| (one.name().to_owned(), Arc::clone(one))).collect();
    pool(services, context, installed, |catalog, business, choice| catalog.stt(business, choice))
}

pub(super) fn voices(services: &Services, context: &CallContext) -> Pool<dyn TtsService> {
    let installed = services.tts.iter().map(|one| (one.name().to_owned(), Arc::clone(one))).collect();
    pool(services, context, installed, |catalog, business, choice| catalog.tts(business, choice))
}

pub(super) fn brains(services: &Services, context: &CallContext) -> Pool<dyn BrainService> {
    let installed = services.brains.iter().map(|one| (one.name().to_owned(), Arc::clone(one))).collect();
    pool(services, context, installed, |catalog, business, choice| catalog.llm(business, choice))
}

fn pool<S: StageService + ?Sized>(
    services: &Services,
    context: &CallContext,
    installed: Vec<(String, Arc<S>)>,
    make: Make<S>,
) -> Pool<S> {
    let catalog = services.catalog.clone();
    let (board, agent, business) = (Arc::clone(&context.board), Arc::clone(&context.agent), context.business);
    let own = services.own_brain_first(&agent);
    Box::new(move |switches| {
        let names: Vec<&str> = installed.iter().map(|(name, _)| name.as_str()).collect();
        let choices = choices(S::STAGE, &agent, &names, &own, switches);
        let shared = catalog.as_ref().map(|catalog| catalog.voices()).unwrap_or_default();
        let mut pooled = Vec::with_capacity(choices.len());
        for (at, choice) in choices.into_iter().enumerate() {
            if catalog.as_ref().is_some_and(|catalog| catalog.realtime(business, &choice).is_some()) {
                continue; // It takes all stages of a call at once, before these.
            }
            let choice = settle(S::STAGE, &agent, &shared, choice, at == 0);
            let found = match &catalog {
                Some(catalog) => catalog
                    .facts(S::STAGE, business, &choice)
                    .and_then(|facts| Ok((facts, make(catalog.as_ref(), business, &choice)?))),
                None => by_name(&installed, &choice),
            };
            match found {
                Ok((facts, service)) => {
                    let key = LaneKey {
                        stage: S::STAGE,
                        provider: choice.name.clone(),
                        model: facts.model.clone(),
                        account: facts.account,
                    };
                    let latency_ms = board.latency_ms(&key);
                    pooled.push(Pooled { candidate: Candidate { choice, facts, latency_ms }, key, service });
                }
                Err(why) => {
                    let (stage, provider) = (S::STAGE.name(), choice.name);
                    metrics::counter!("frontdesk_providers_unusable_total", "stage" => stage).increment(1);
                    tracing::warn!(stage, provider, %why, "a provider cannot be used");
                }
            }
        }
        pooled
    })
}

/// Without a catalog there is what was put in, as it is.
fn by_name<S: ?Sized>(installed: &[(String, Arc<S>)], choice: &ProviderChoice) -> Result<(Facts, Arc<S>), Unusable> {
    let found = installed.iter().find(|(name, _)| *name == choice.name);
    let (name, service) = found.ok_or_else(|| Unusable("it is not configured".into()))?;
    let facts = if name == LOCAL_BRAIN { Facts::on_site() } else { Facts::unknown() };
    Ok((facts, Arc::clone(service)))
}

/// Who may serve, as written: the agent's choices, then the installation's, then whom the operator brings in.
fn choices(
    stage: Stage,
    agent: &Agent,
    installed: &[&str],
    brains: &[ProviderChoice],
    switches: &Switches,
) -> Vec<ProviderChoice> {
    let own = agent.providers.stage(stage);
    let mut choices: Vec<ProviderChoice> = own.to_vec();
    let add = |choices: &mut Vec<ProviderChoice>, choice: ProviderChoice| {
        if !choices.iter().any(|known| known.name == choice.name) {
            choices.push(choice);
        }
    };
    if own.is_empty() && stage == Stage::Llm {
        brains.iter().cloned().for_each(|choice| add(&mut choices, choice));
    } else if own.is_empty() || !agent.providers.strict {
        installed.iter().for_each(|name| add(&mut choices, ProviderChoice::named(*name)));
    }
    if let Some(first) = switches.first.get(&stage)
        && (own.is_empty() || !agent.providers.strict)
    {
        add(&mut choices, ProviderChoice::named(first));
    }
    choices
}

impl Services {
    /// The brains that an agent's choice of a brain means, best first: the chosen one, then the others as fallbacks.
    fn own_brain_first(&self, agent: &Agent) -> Vec<ProviderChoice> {
        let names = self.brains.iter().map(|brain| brain.name().to_owned());
        let mut choices: Vec<ProviderChoice> = names.map(ProviderChoice::named).collect();
        match &agent.brain {
            BrainChoice::Auto => {}
            BrainChoice::Local => choices.sort_by_key(|one| one.name != LOCAL_BRAIN),
            BrainChoice::Llm { provider: None, model } => {
                choices.sort_by_key(|one| one.name == LOCAL_BRAIN);
                if let Some(first) = choices.first_mut() {
                    first.model.clone_from(model);
                }
            }
            BrainChoice::Llm { provider: Some(name), model } => {
                choices.retain(|one| one.name != *name);
                choices.insert(0, ProviderChoice { model: model.clone(), ..ProviderChoice::named(name) });
            }
        }
        choices
    }
}

/// Gives a choice the voice that the agent has at this provider. The agent's own word for it holds for the first one named,
/// or for all whom a voice map translates it to.
fn settle(stage: Stage, agent: &Agent, shared: &VoiceMap, choice: ProviderChoice, is_first: bool) -> ProviderChoice {
    let Some(voice) = agent.voice.as_deref().filter(|_| stage == Stage::Tts && choice.voice.is_none()) else {
        return choice;
    };
    let maps = [&agent.providers.voices, shared];
    let translated = maps.iter().find_map(|map| map.at(voice, &choice.name));
    let is_mapped = maps.iter().any(|map| map.knows(voice));
    let voice = match translated {
        Some(voice) => Some(voice.to_owned()),
        None => (is_first && !is_mapped).then(|| voice.to_owned()),
    };
    ProviderChoice { voice, ..choice }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::routing::AgentProviders;

    fn agent(providers: AgentProviders) -> Agent {
        Agent { providers, ..engine::scenario::demo_agent() }
    }

    fn names(choices: &[ProviderChoice]) -> Vec<&str> {
        choices.iter().map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn an_agents_own_come_first_and_the_installation_stands_behind_unless_it_may_not() {
        let tts = vec![ProviderChoice::named("b"), ProviderChoice::named("local")];
        let open = agent(AgentProviders { tts: tts.clone(), ..AgentProviders::default() });
        let strict = agent(AgentProviders { tts, strict: true, ..AgentProviders::default() });
        let brought = Switches { first: [(Stage::Tts, "x".to_owned())].into(), ..Switches::default() };
        let choose = |agent: &Agent, switches: &Switches| {
            let chosen = choices(Stage::Tts, agent, &["a", "local"], &[], switches);
            names(&chosen).join(" ")
        };
        assert_eq!(choose(&open, &Switches::default()), "b local a");
        assert_eq!(choose(&open, &brought), "b local a x");
        assert_eq!(choose(&strict, &brought), "b local");
        assert_eq!(choose(&agent(AgentProviders::default()), &brought), "a local x");
    }

    #[test]
    fn a_voice_follows_to_the_fallback_by_the_map_and_never_by_a_name_that_means_something_else_there() {
        let mut agent = agent(AgentProviders::default());
        agent.voice = Some("Rachel".into());
        let shared = VoiceMap(vec![[("a".into(), "Rachel".into()), ("b".into(), "en-3".into())].into()]);
        let voice = |agent: &Agent, map: &VoiceMap, name: &str, first| {
            settle(Stage::Tts, agent, map, ProviderChoice::named(name), first).voice
        };
        assert_eq!(voice(&agent, &shared, "a", true).as_deref(), Some("Rachel"));
        assert_eq!(voice(&agent, &shared, "b", false).as_deref(), Some("en-3"));
        assert_eq!(voice(&agent, &shared, "c", false), None);
        assert_eq!(voice(&agent, &VoiceMap::default(), "a", true).as_deref(), Some("Rachel"));
        assert_eq!(voice(&agent, &VoiceMap::default(), "b", false), None);
        agent.providers.voices = VoiceMap(vec![[("a".into(), "Rachel".into()), ("b".into(), "own".into())].into()]);
        assert_eq!(voice(&agent, &shared, "b", false).as_deref(), Some("own"), "the agent's map comes first");
        let named = ProviderChoice { voice: Some("Tom".into()), ..ProviderChoice::named("b") };
        assert_eq!(settle(Stage::Tts, &agent, &shared, named, false).voice.as_deref(), Some("Tom"));
    }
}
