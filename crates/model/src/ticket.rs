//! Tickets: what is left to be done for a customer when the call is over.

use base::{AgentId, BusinessId, CallId, Pii, TicketId, UserId};
use serde::{Deserialize, Serialize};

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketStatus {
    /// Somebody has to look at it.
    #[default]
    Open,
    /// Somebody waits for an answer.
    Pending,
    /// It is done.
    Resolved,
}

impl TicketStatus {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Resolved => "resolved",
        }
    }
}

/// How much it presses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketPriority {
    /// When there is time.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Today.
    High,
    /// Now.
    Urgent,
}

impl TicketPriority {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// Whose it is.
    pub business: BusinessId,
    /// What people call it by: counts from 1 within the business; given by the store.
    pub number: u64,
    /// What it is about, in a line.
    pub subject: Pii<String>,
    /// All of it.
    pub text: Pii<String>,
    /// Where it stands.
    pub status: TicketStatus,
    /// How much it presses.
    pub priority: TicketPriority,
    /// Number or address of the customer it is for.
    pub customer: Option<Pii<String>>,
    /// The call in which it was raised.
    pub call: Option<CallId>,
    /// The agent that raised it.
    pub agent: Option<AgentId>,
    /// Who looks after it.
    pub assignee: Option<UserId>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds of the last change.
    pub updated_at_ms: i64,
    /// From 1; one more with each change.
    pub version: u32,
}

/// What the outside learns of a ticket: its row without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketFacts {
    /// Its id.
    pub id: TicketId,
    /// What people call it by.
    pub number: u64,
    /// What it is about.
    pub subject: Pii<String>,
    /// Where it stands.
    pub status: TicketStatus,
    /// How much it presses.
    pub priority: TicketPriority,
    /// For whom.
    pub customer: Option<Pii<String>>,
    /// In which call it was raised.
    pub call: Option<CallId>,
    /// By which agent.
    pub agent: Option<AgentId>,
    /// Who looks after it.
    pub assignee: Option<UserId>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds of the last change.
    pub updated_at_ms: i64,
}

impl From<&Ticket> for TicketFacts {
    fn from(ticket: &Ticket) -> Self {
        Self {
            id: ticket.id,
            number: ticket.number,
            subject: ticket.subject.clone(),
            status: ticket.status,
            priority: ticket.priority,
            customer: ticket.customer.clone(),
            call: ticket.call,
            agent: ticket.agent,
            assignee: ticket.assignee,
            created_at_ms: ticket.created_at_ms,
            updated_at_ms: ticket.updated_at_ms,
        }
    }
}
