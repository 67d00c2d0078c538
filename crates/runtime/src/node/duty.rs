//! Who answers a dialled number right now: its own agent, another one or a message while nobody is there.

use super::Node;
use crate::host::HostMessage;
use base::{CallId, Pii};
use engine::io::{HostInput, Input};
use model::agent::Agent;
use model::business::TenantScope;
use model::call::Call;
use model::flags::Subject;
use model::hours::{Closed, HoursRoute, LocalMoment, Weekday};
use model::split::Split;
use std::collections::BTreeMap;
use store::contract::drafts::AgentVersion;
use store::contract::office::ValueKind;
use store::{NumberRoute, StoreError, VersionedAgent};

/// Who answers.
pub(super) enum Answerer {
    /// This agent.
    Agent(Box<VersionedAgent>),
    /// Nobody; the platform says this.
    Message(String),
}

impl Node {
    /// Who answers a call to this number now. `None`: its agent is not on duty.
    pub(super) async fn who_answers(&self, route: &NumberRoute) -> Result<Option<Answerer>, StoreError> {
        let store = self.store();
        let mut id = route.agent;
        if let Some(hours) = store.line(&route.scope, route.number).await?.hours
            && !self.is_open(&route.scope, &hours).await?
        {
            match hours.closed {
                Closed::Agent { agent } => id = agent,
                Closed::Message { text } => return Ok(Some(Answerer::Message(text))),
            }
        }
        let agent = store.agent(&route.scope, id).await?;
        Ok(agent.is_on_duty().then(|| Answerer::Agent(Box::new(agent))))
    }

    /// The agent as this call gets it: its present version, or the other one of a split. The call is told which.
    pub(super) async fn version_for(&self, scope: &TenantScope, known: VersionedAgent, call: &mut Call) -> Agent {
        match self.other_version(scope, &known, call).await {
            Ok(Some(other)) => {
                call.agent_version = Some(other.version);
                other.agent
            }
            Ok(None) => known.agent,
            // A call is answered by the present version rather than not.
            Err(error) => {
                tracing::warn!(call = %call.id, %error, "whether an agent is split is not known");
                known.agent
            }
        }
    }

    async fn other_version(
        &self,
        scope: &TenantScope,
        known: &VersionedAgent,
        call: &Call,
    ) -> Result<Option<AgentVersion>, StoreError> {
        let (store, id) = (self.store(), known.agent.id);
        let split = match store.value(scope, ValueKind::Split, &id.to_string()).await {
            Ok(value) => serde_json::from_str::<Split>(&value.value),
            Err(StoreError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let split = split.map_err(|_| StoreError::Corrupt("the split of an agent".into()))?;
        let customer = call.customer.as_ref().map(|customer| customer.expose().as_str());
        let subject = Subject { business: scope.business, call: call.id, customer };
        if split.version == known.version || !split.takes(id, &subject) {
            return Ok(None);
        }
        store.agent_version(scope, id, split.version).await.map(Some)
    }

    /// Whether an agent has hours and they are over. Where nobody can say, it takes the call.
    pub(super) async fn is_outside_hours(&self, scope: &TenantScope, agent: &Agent) -> bool {
        let Some(hours) = &agent.hours else { return false };
        let zone = match &hours.time_zone {
            Some(zone) => zone.clone(),
            None => match self.store().business(scope).await {
                Ok(business) => business.time_zone,
                Err(error) => {
                    tracing::warn!(agent = %agent.id, %error, "whether an agent's hours are over is not known");
                    return false;
                }
            },
        };
        local_moment(&zone, crate::wall_ms()).is_some_and(|at| !hours.is_open(&at))
    }

    /// Tells a call that has just begun, before there is audio.
    pub(super) async fn tell_outside_hours(&self, scope: &TenantScope, call: CallId) {
        if let Some(messages) = self.messages(scope, call) {
            // A call that is over already needs no telling.
            let _ = messages.send(HostMessage::Input(Input::Host(HostInput::OutsideHours))).await;
        }
    }

    /// Tells a call that has just begun what its line says about it.
    pub(super) async fn tell_facts(&self, scope: &TenantScope, call: CallId, facts: Pii<BTreeMap<String, String>>) {
        if let Some(messages) = self.messages(scope, call) {
            let said = HostInput::LineSaid { facts };
            let _ = messages.send(HostMessage::Input(Input::Host(said))).await; // As above.
        }
    }

    async fn is_open(&self, scope: &TenantScope, route: &HoursRoute) -> Result<bool, StoreError> {
        let known = self.store().profile(scope).await?;
        let Some(hours) = route.hours.as_ref().or(known.profile.hours.as_ref()) else { return Ok(true) };
        Ok(local_moment(&known.business.time_zone, crate::wall_ms()).is_none_or(|at| hours.is_open(&at)))
    }
}

/// What clocks of this zone show. `None` for a zone that nobody knows: then somebody is there.
pub fn local_moment(time_zone: &str, at_ms: i64) -> Option<LocalMoment> {
    let zone = jiff::tz::TimeZone::get(time_zone).ok()?;
    let here = jiff::Timestamp::from_millisecond(at_ms).ok()?.to_zoned(zone);
    let weekday = Weekday::ALL[usize::try_from(here.weekday().to_monday_zero_offset()).ok()?];
    Some(LocalMoment {
        date: here.date().to_string(),
        date_before: here.date().yesterday().ok()?.to_string(),
        weekday,
        minute: u16::try_from(i32::from(here.hour()) * 60 + i32::from(here.minute())).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_as_clocks_of_the_place_show_it() {
        // 2026-11-21 23:30 UTC.
        let at_ms = 1_795_303_800_000;
        let berlin = local_moment("Europe/Berlin", at_ms).expect("a zone");
        assert_eq!((berlin.date.as_str(), berlin.date_before.as_str()), ("2026-11-22", "2026-11-21"));
        assert_eq!((berlin.weekday, berlin.minute), (Weekday::Sunday, 30));
        let kolkata = local_moment("Asia/Kolkata", at_ms).expect("a zone");
        assert_eq!(kolkata.minute, 5 * 60);
        assert_eq!(local_moment("Mars/Olympus", at_ms), None);
    }
}
