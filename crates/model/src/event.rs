//! What happened in a business, as the outside learns of it: events in the order in which they became true, and the picture
//! of live calls to which they lead.
//!
//! Events are derived from durable records and written in their transactions, so an event is never about something that was
//! not kept, and nothing that was kept is without its event. `seq` counts from 1 per business and has no gaps; what is
//! erased keeps its place and loses its content.
//!
//! [`Snapshot::apply`] is the whole contract with whoever watches: a snapshot, and every event after the place it was true
//! at, make the picture of now.

use crate::call::{Call, CallState, Direction};
use crate::journal::{HandBack, HoldMode, QueueOutcome};
use base::{AgentId, CallId, ConversationId, Pii, TurnId, limits};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kinds of events. Names are stable; more come with time, so a reader passes over kinds that it does not know.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind { $($(#[$doc])* $variant,)* }

        impl EventKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The kind of this name.
            pub fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A call began: an inbound one was taken, or an outbound one is about to be dialled. Data: [`CallFacts`].
    CallCreated = "call.created",
    /// A call's state or another of its facts changed. Data: [`CallFacts`].
    CallUpdated = "call.updated",
    /// A call is over. Data: [`CallFacts`].
    CallEnded = "call.ended",
    /// A person took a call over. Data: [`HoldFacts`].
    CallTakenOver = "call.taken_over",
    /// The agent has a call again. Data: [`HoldFacts`].
    CallHandedBack = "call.handed_back",
    /// A caller waits for a person of the business. Data: [`QueueFacts`].
    CallQueued = "call.queued",
    /// They wait no more. Data: [`QueueFacts`].
    CallLeftQueue = "call.left_queue",
    /// What was said in a call was deleted, by its age or on request; the call's row stays. Data: none.
    CallForgotten = "call.forgotten",
    /// A call and all that belongs to it was deleted. Data: none.
    CallDeleted = "call.deleted",
    /// Somebody finished a turn of a call. Data: [`TurnFacts`].
    TranscriptTurn = "transcript.turn",
    /// A call was counted. Data: [`crate::plan::UsageFacts`].
    UsageRecorded = "usage.recorded",
    /// So much of what the plan allows in a month is used. Data: [`crate::plan::AlertFacts`].
    UsageAlert = "usage.alert",
    /// The plan of the business changed. Data: [`crate::plan::Subscription`].
    SubscriptionChanged = "subscription.changed",
    /// Somebody or an agent raised a ticket. Data: [`crate::ticket::TicketFacts`].
    TicketCreated = "ticket.created",
    /// A ticket was changed. Data: [`crate::ticket::TicketFacts`].
    TicketChanged = "ticket.changed",
    /// A webhook endpoint is not sent anything any more. Data: [`crate::webhook::DisabledFacts`].
    WebhookDisabled = "webhook.disabled",
    /// Sent by the test button of a webhook endpoint, and never stored among events.
    WebhookTest = "webhook.test",
    /// What this event told was deleted; only its place is left. Data: none.
    Erased = "erased",
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Place among the events of the business, from 1, without gaps.
    pub seq: u64,
    /// Name of its kind: [`EventKind::name`], or of a kind that only a newer version knows.
    pub kind: String,
    /// What it is about: a call, a webhook endpoint; of the business itself, the business.
    pub subject: Uuid,
    /// Unix milliseconds when it was written.
    pub at_ms: i64,
    /// What it tells; depends on the kind.
    pub data: Value,
}

impl Event {
    /// Its kind, when this version knows it.
    pub fn known(&self) -> Option<EventKind> {
        EventKind::named(&self.kind)
    }

    fn read<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(&self.data).ok()
    }
}

/// What the outside learns of a call: what its row shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallFacts {
    /// The call.
    pub id: CallId,
    /// Who answers or speaks.
    pub agent: AgentId,
    /// The conversation it carries.
    pub conversation: ConversationId,
    /// Who began it.
    pub direction: Direction,
    /// Registry name of the carrier.
    pub carrier: String,
    /// The customer's number or address.
    pub customer: Option<Pii<String>>,
    /// Our number.
    pub number: Option<String>,
    /// Where it stands.
    pub state: CallState,
    /// Unix milliseconds when it began.
    pub started_at_ms: i64,
    /// Unix milliseconds when it was answered.
    pub answered_at_ms: Option<i64>,
    /// Unix milliseconds when it ended.
    pub ended_at_ms: Option<i64>,
    /// Why it ended, in one word.
    pub ended_reason: Option<String>,
    /// What providers charge for it, in millionths of a US dollar.
    pub cost_usd_micros: i64,
}

impl From<&Call> for CallFacts {
    fn from(call: &Call) -> Self {
        Self {
            id: call.id,
            agent: call.agent,
            conversation: call.conversation,
            direction: call.direction,
            carrier: call.carrier.clone(),
            customer: call.customer.clone(),
            number: call.number.clone(),
            state: call.state,
            started_at_ms: call.started_at_ms,
            answered_at_ms: call.answered_at_ms,
            ended_at_ms: call.ended_at_ms,
            ended_reason: call.ended_reason.clone(),
            cost_usd_micros: call.cost.usd_micros,
        }
    }
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The customer.
    Customer,
    /// The agent.
    Agent,
    /// A person who had taken the call over.
    Person,
}

/// One turn of a conversation: what was said, and of the agent only what was heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnFacts {
    /// The call.
    pub call: CallId,
    /// Place in the conversation, ascending, with gaps.
    pub seq: u64,
    /// The turn it belongs to.
    pub turn: TurnId,
    /// Who.
    pub role: Speaker,
    /// The words.
    pub text: Pii<String>,
    /// Whether the customer heard all of it; always true of the customer's own words.
    pub complete: bool,
    /// Milliseconds since the call began.
    pub at_call_ms: u64,
    /// How the customer sounds, from -1 (displeased) to 1 (pleased); `None`: nobody can say, or it is not the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<f64>,
}

/// A person took a call over, or the agent has it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldFacts {
    /// The call.
    pub call: CallId,
    /// Who took it: kind and id of a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// For how long it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<HoldMode>,
    /// Why the agent has it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<HandBack>,
    /// Milliseconds since the call began.
    pub at_call_ms: u64,
}

/// A caller who waits for a person of the business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Unix milliseconds since when.
    pub since_ms: i64,
    /// Why, in one word.
    pub reason: String,
}

/// A caller waits for a person, or does so no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueFacts {
    /// The call.
    pub call: CallId,
    /// Since when they wait and why; absent: they wait no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Wait>,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<QueueOutcome>,
    /// How long they have waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
    /// Milliseconds since the call began.
    pub at_call_ms: u64,
}

/// A person who has a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Kind and id of their credential; `None`: they did not say who they are.
    #[serde(default)]
    pub by: Option<String>,
}

/// A call that is going on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveCall {
    /// The call.
    #[serde(flatten)]
    pub facts: CallFacts,
    /// Who has it, if a person has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// Whether the caller waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Wait>,
    /// Its last turns, at most [`limits::SNAPSHOT_TURNS_MAX`], oldest first.
    pub turns: Vec<TurnFacts>,
}

/// The calls that are going on, as of one place among the events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Every event up to here is in the picture, none after it.
    pub seq: u64,
    /// The calls, oldest first (by start, then id).
    pub calls: Vec<LiveCall>,
    /// Whether there are more calls than a snapshot holds.
    pub truncated: bool,
}

impl Snapshot {
    /// Takes in one event. Events up to [`Snapshot::seq`] are in the picture already and change nothing.
    pub fn apply(&mut self, event: &Event) {
        if event.seq <= self.seq {
            return;
        }
        self.seq = event.seq;
        match event.known() {
            Some(EventKind::CallCreated | EventKind::CallUpdated) => {
                if let Some(facts) = event.read() {
                    self.put(facts);
                }
            }
            Some(EventKind::CallEnded | EventKind::CallDeleted) => {
                self.calls.retain(|call| call.facts.id.0 != event.subject);
            }
            Some(EventKind::CallForgotten) => {
                let forgotten = self.calls.iter_mut().filter(|call| call.facts.id.0 == event.subject);
                forgotten.for_each(|call| call.turns.clear());
            }
            Some(EventKind::CallTakenOver) => {
                if let Some(HoldFacts { by, .. }) = event.read() {
                    self.hold(event.subject, Some(Holder { by }));
                }
            }
            Some(EventKind::CallQueued | EventKind::CallLeftQueue) => {
                if let Some(QueueFacts { waiting, .. }) = event.read() {
                    let calls = self.calls.iter_mut().filter(|known| known.facts.id.0 == event.subject);
                    calls.for_each(|known| known.waiting = waiting.clone());
                }
            }
            Some(EventKind::CallHandedBack) => self.hold(event.subject, None),
            Some(EventKind::TranscriptTurn) => {
                if let Some(turn) = event.read() {
                    self.hear(turn);
                }
            }
            _ => {}
        }
    }

    fn put(&mut self, facts: CallFacts) {
        match self.calls.iter_mut().find(|call| call.facts.id == facts.id) {
            Some(known) => known.facts = facts,
            None => {
                let order = |facts: &CallFacts| (facts.started_at_ms, facts.id);
                let at = self.calls.partition_point(|call| order(&call.facts) < order(&facts));
                self.calls.insert(at, LiveCall { facts, holder: None, waiting: None, turns: Vec::new() });
            }
        }
    }

    fn hold(&mut self, call: Uuid, holder: Option<Holder>) {
        self.calls.iter_mut().filter(|known| known.facts.id.0 == call).for_each(|known| known.holder = holder.clone());
    }

    fn hear(&mut self, turn: TurnFacts) {
        let Some(call) = self.calls.iter_mut().find(|call| call.facts.id == turn.call) else { return };
        let at = call.turns.partition_point(|known| known.seq < turn.seq);
        call.turns.insert(at, turn);
        if call.turns.len() > limits::SNAPSHOT_TURNS_MAX {
            call.turns.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{BusinessId, Money};
    use serde_json::json;

    fn call(id: u128) -> Call {
        Call {
            id: CallId(Uuid::from_u128(id)),
            business: BusinessId(Uuid::nil()),
            agent: AgentId(Uuid::nil()),
            conversation: ConversationId(Uuid::nil()),
            direction: Direction::Inbound,
            carrier: "loopback".into(),
            carrier_ref: None,
            customer: None,
            number: None,
            state: CallState::Ringing,
            started_at_ms: 1,
            answered_at_ms: None,
            ended_at_ms: None,
            ended_reason: None,
            recording: None,
            cost: Money::ZERO,
            agent_version: None,
        }
    }

    fn event(seq: u64, kind: &str, subject: u128, data: Value) -> Event {
        Event { seq, kind: kind.into(), subject: Uuid::from_u128(subject), at_ms: 0, data }
    }

    fn facts(id: u128) -> Value {
        serde_json::to_value(CallFacts::from(&call(id))).expect("json")
    }

    #[test]
    fn an_event_that_is_in_the_picture_already_changes_nothing() {
        let mut picture = Snapshot { seq: 5, ..Snapshot::default() };
        picture.apply(&event(5, "call.created", 1, facts(1)));
        assert!(picture.calls.is_empty());
        picture.apply(&event(6, "call.created", 1, facts(1)));
        picture.apply(&event(6, "call.ended", 1, facts(1)));
        assert_eq!((picture.seq, picture.calls.len()), (6, 1));
    }

    #[test]
    fn kinds_of_a_newer_version_only_move_the_place() {
        let mut picture = Snapshot::default();
        picture.apply(&event(1, "call.levitated", 1, json!({"height_m": 3})));
        assert_eq!(picture, Snapshot { seq: 1, ..Snapshot::default() });
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::named(kind.name()), Some(*kind));
        }
        assert_eq!(EventKind::named("call"), None);
    }
}
