//! Typed ids. Rows have UUIDv7 ids; things within one call have counters, so that the engine needs no randomness.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! row_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new time-ordered id. Reads the clock and randomness, so shells call it and engines do not.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

row_ids! {
    /// A business: the tenant.
    BusinessId,
    /// An agent: the AI that answers.
    AgentId,
    /// A phone number that belongs to a business.
    NumberId,
    /// A call.
    CallId,
    /// A conversation: one per call or chat.
    ConversationId,
    /// A customer of a business.
    CustomerId,
    /// A ticket: something to be done for a customer.
    TicketId,
    /// A message of a conversation.
    MessageId,
    /// A person of a business.
    UserId,
    /// One time that a person has signed in.
    SessionId,
    /// An API key or a client of OAuth 2.0.
    AccessKeyId,
    /// A document of what a business knows.
    DocumentId,
    /// A question that found no answer.
    GapId,
    /// A widget: a place on a website where visitors talk to an agent.
    WidgetId,
    /// A node: one life of one process.
    NodeId,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The id after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

counters! {
    /// One turn of the conversation: what the caller said and what was answered.
    TurnId,
    /// One thing the agent says, made of segments (sentences).
    UtteranceId,
    /// One request to a brain.
    GenerationId,
    /// One call of a tool.
    ToolCallId,
    /// One recognition stream.
    SttStreamId,
    /// A position in the audio sent to a carrier, echoed when it was played.
    MarkId,
    /// The position of an entry in a call's journal, from 1.
    JournalSeq,
}
