//! Who answers a dialled number right now: its own agent, another one or a message while nobody is there.

use super::Node;
use crate::host::HostMessage;
use base::{AgentId, CallId, PhoneNumber, Pii};
use carriers::protocol::Answer;
use engine::io::{HostInput, Input};
use model::agent::Agent;
use model::business::TenantScope;
use model::call::Call;
use model::flags::Subject;
use model::hours::{AgentHours, LocalMoment, Outside, Overflow, Way, Weekday, way};
use model::split::Split;
use std::collections::BTreeMap;
use store::contract::drafts::AgentVersion;
use store::contract::office::ValueKind;
use store::{NumberRoute, StoreError, VersionedAgent};

/// Who answers.
pub(super) enum Answerer {
    /// This agent.
    Agent(Box<VersionedAgent>),
    /// Nobody: the caller hears this. Where the platform has no voice, that of this agent says it.
    Message(String, Option<Box<VersionedAgent>>),
    /// Whoever has this number.
    Forward(PhoneNumber),
}

impl Node {
    /// Who answers a call to this number now. `None`: its agent is not on duty.
    pub(super) async fn who_answers(&self, route: &NumberRoute) -> Result<Option<Answerer>, StoreError> {
        let store = self.store();
        let line = store.line(&route.scope, route.number).await?;
        let Some(hours) = &line.hours else { return self.on_duty(route, route.agent).await };
        let known = store.profile(&route.scope).await?;
        let zone = hours.time_zone.as_ref().unwrap_or(&known.business.time_zone);
        let at = local_moment(zone, crate::wall_ms());
        let way = way(route.agent, Some(hours), known.profile.hours.as_ref(), at.as_ref());
        metrics::counter!("frontdesk_calls_routed_total", "way" => way.name()).increment(1);
        match way {
            Way::Agent(agent) => self.on_duty(route, agent).await,
            Way::Forward(to) => Ok(Some(Answerer::Forward(to.clone()))),
            Way::Message(text) => {
                let speaker = match self.has_voice(&line.number.carrier) {
                    true => None,
                    false => store.agent(&route.scope, route.agent).await.ok().map(Box::new),
                };
                Ok(Some(Answerer::Message(text.to_owned(), speaker)))
            }
        }
    }

    async fn on_duty(&self, route: &NumberRoute, id: AgentId) -> Result<Option<Answerer>, StoreError> {
        let agent = self.store().agent(&route.scope, id).await?;
        Ok(agent.is_on_duty().then(|| Answerer::Agent(Box::new(agent))))
    }

    fn has_voice(&self, carrier: &str) -> bool {
        self.shared.control(carrier).is_some_and(|control| control.has_voice())
    }

    /// What becomes of a call for which no line is free: what its number says, or a busy signal.
    pub(super) async fn overflow(&self, carrier: &str, number: &PhoneNumber) -> Answer {
        let found = async {
            let route = self.store().route_number(carrier, number).await?;
            Ok::<_, StoreError>(self.store().line(&route.scope, route.number).await?.overflow)
        };
        let (way, answer) = match found.await {
            Ok(Some(Overflow::Forward { to })) => ("forward", forward(to, number)),
            Ok(Some(Overflow::Message { text })) if self.has_voice(carrier) => {
                ("message", Answer::SayAndHangUp { text })
            }
            Ok(_) => ("busy", Answer::Busy),
            Err(error) => {
                tracing::warn!(carrier, %error, "where a call overflows to is not known");
                ("busy", Answer::Busy)
            }
        };
        metrics::counter!("frontdesk_calls_overflowed_total", "way" => way).increment(1);
        answer
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

    /// Tells a call what its line says about it.
    pub(super) async fn tell_facts(&self, scope: &TenantScope, call: CallId, facts: Pii<BTreeMap<String, String>>) {
        if let Some(messages) = self.messages(scope, call) {
            let said = HostInput::LineSaid { facts };
            let _ = messages.send(HostMessage::Input(Input::Host(said))).await; // As above.
        }
    }
}

/// The platform connects the caller with another number. The phone there shows ours, which is the one that we may show.
pub(super) fn forward(to: PhoneNumber, ours: &PhoneNumber) -> Answer {
    Answer::Transfer { to, caller_id: Some(ours.clone()) }
}

/// An agent that says this and hangs up, whoever calls and whenever.
pub(super) fn speaker(mut agent: Agent, text: String) -> Agent {
    let outside = Outside::Message { text };
    agent.hours = Some(AgentHours { time_zone: None, week: Vec::new(), special: Vec::new(), outside });
    agent
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

    /// Whether a shop in Berlin that is open in these hours of each Sunday is open at this moment of UTC.
    fn is_open(from: &str, to: &str, utc: &str) -> bool {
        let hours = format!(r#"{{"week":[{{"days":["sunday"],"from":"{from}","to":"{to}"}}]}}"#);
        let hours: model::hours::Hours = serde_json::from_str(&hours).expect("hours");
        let at: jiff::Timestamp = utc.parse().expect("a moment");
        hours.is_open(&local_moment("Europe/Berlin", at.as_millisecond()).expect("a zone"))
    }

    #[test]
    fn hours_are_those_of_the_clock_on_the_wall_when_the_clocks_change() {
        // 29 March 2026: 02:00 is followed by 03:00, at 01:00 UTC.
        assert!(is_open("09:00", "17:00", "2026-03-29T07:00:00Z"), "nine o'clock comes an hour sooner");
        assert!(!is_open("09:00", "17:00", "2026-03-22T07:00:00Z"), "than a week before");
        assert!(is_open("01:00", "02:30", "2026-03-29T00:59:00Z"));
        assert!(!is_open("01:00", "02:30", "2026-03-29T01:00:00Z"), "half past two never comes: it is three");
        assert!(!is_open("02:00", "03:00", "2026-03-29T01:00:00Z"), "an hour that is left out has no minute");
        // 25 October 2026: 03:00 is followed by 02:00, at 01:00 UTC.
        assert!(is_open("02:00", "03:00", "2026-10-25T00:30:00Z") && is_open("02:00", "03:00", "2026-10-25T01:30:00Z"));
        assert!(!is_open("02:00", "03:00", "2026-10-25T02:00:00Z"), "the second time it is over");
        assert!(
            is_open("09:00", "17:00", "2026-10-25T15:59:00Z") && !is_open("09:00", "17:00", "2026-10-25T16:00:00Z")
        );
        // A night that begins on Sunday and goes on past the end of summer time's Sunday is one of Monday.
        assert!(
            is_open("22:00", "06:00", "2026-10-26T04:59:00Z") && !is_open("22:00", "06:00", "2026-10-26T05:00:00Z")
        );
    }
}
