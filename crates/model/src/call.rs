//! Calls as rows: what lists show and what outlives the conversation.

use base::{AgentId, BusinessId, CallId, ConversationId, Money, Pii};
use serde::{Deserialize, Serialize};

/// Where a call stands, across all carriers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// We asked the carrier to dial, or the carrier told us of a call.
    Initiated,
    /// The phone rings.
    Ringing,
    /// Somebody picked up.
    Answered,
    /// Audio flows both ways.
    Active,
    /// On hold, or taken over by a person.
    Paused,
    /// We said goodbye and wait for the carrier to confirm.
    Ending,
    /// Over, after a conversation.
    Completed,
    /// Over: it could not be connected.
    Failed,
    /// Over: the line was busy.
    Busy,
    /// Over: nobody picked up.
    NoAnswer,
    /// Over: called off before anybody picked up.
    Canceled,
}

impl CallState {
    /// Whether nothing can follow.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Busy | Self::NoAnswer | Self::Canceled)
    }

    /// How far along a call is; carriers' reports may come in any order and never move it back.
    const fn rank(self) -> u8 {
        match self {
            Self::Initiated => 0,
            Self::Ringing => 1,
            Self::Answered => 2,
            Self::Active | Self::Paused => 3,
            Self::Ending => 4,
            Self::Completed | Self::Failed | Self::Busy | Self::NoAnswer | Self::Canceled => 5,
        }
    }

    /// The state after a report of `next`, or `None` when the report comes too late to matter.
    pub fn advance(self, next: CallState) -> Option<CallState> {
        if self.is_terminal() || self == next {
            return None;
        }
        let swaps_hold = matches!((self, next), (Self::Active, Self::Paused) | (Self::Paused, Self::Active));
        (swaps_hold || next.rank() > self.rank()).then_some(next)
    }

    /// The stable name used in storage, metrics and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Ending => "ending",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Canceled => "canceled",
        }
    }
}

/// Who began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The customer called.
    Inbound,
    /// We called the customer.
    Outbound,
}

/// One call, as a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// Whose it is.
    pub business: BusinessId,
    /// Who answers or speaks.
    pub agent: AgentId,
    /// The conversation it carries.
    pub conversation: ConversationId,
    /// Who began it.
    pub direction: Direction,
    /// Registry name of the carrier.
    pub carrier: String,
    /// The carrier's own id, once known.
    pub carrier_ref: Option<String>,
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
    /// Where the recording is kept, relative to the object store.
    pub recording: Option<String>,
    /// What providers charge for it.
    pub cost: Money,
    /// The version of its agent that it began with; `None` before that is decided: the present one.
    #[serde(default)]
    pub agent_version: Option<u32>,
}
