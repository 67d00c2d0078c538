//! Webhook endpoints of a business: where its events are sent, and what became of each delivery.
//!
//! Messages, headers, signatures and the schedule are those of the Standard Webhooks specification 1.0
//! (<https://www.standardwebhooks.com>).

use crate::event::EventKind;
use base::Millis;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// Pauses before each attempt, counted from the one before it: the first is made at once.
pub const SCHEDULE: [Millis; 10] = [
    Millis(0),
    Millis(5 * SECOND_MS),
    Millis(5 * MINUTE_MS),
    Millis(30 * MINUTE_MS),
    Millis(2 * HOUR_MS),
    Millis(5 * HOUR_MS),
    Millis(10 * HOUR_MS),
    Millis(14 * HOUR_MS),
    Millis(20 * HOUR_MS),
    Millis(24 * HOUR_MS),
];

/// An endpoint that has answered nothing but failures for this long is not sent anything any more.
pub const FAILING_MS_MAX: u64 = 5 * 24 * HOUR_MS;
/// After a new secret is made, messages are signed with the old one too for this long.
pub const OVERLAP_MS: u64 = 24 * HOUR_MS;
/// What a secret begins with.
pub const SECRET_PREFIX: &str = "whsec_";

/// The pause after this many attempts have failed; `None` when there is no further one.
///
/// A little is added so that deliveries which failed together do not come back together: at most a tenth, chosen by
/// `chance` (any number, such as one made of the delivery's id).
pub fn pause_after(attempts: u32, chance: u64) -> Option<Millis> {
    let pause = SCHEDULE.get(usize::try_from(attempts).ok()?)?.0;
    let jitter = if pause == 0 { 0 } else { chance % (pause / 10).max(1) };
    Some(Millis(pause + jitter))
}

/// Which events an endpoint wants. Empty: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kinds(pub Vec<String>);

impl Kinds {
    /// Whether an event of this kind is wanted. `call.*` stands for all kinds that begin so. What was erased is sent to
    /// nobody.
    pub fn want(&self, kind: &str) -> bool {
        if kind == EventKind::Erased.name() {
            return false;
        }
        self.0.is_empty() || self.0.iter().any(|wanted| matches(wanted, kind))
    }

    /// The first entry that names no kind at all.
    pub fn unknown(&self) -> Option<&str> {
        let names_one = |wanted: &&String| EventKind::ALL.iter().any(|kind| matches(wanted, kind.name()));
        self.0.iter().find(|wanted| !names_one(wanted)).map(String::as_str)
    }
}

fn matches(wanted: &str, kind: &str) -> bool {
    match wanted.strip_suffix(".*") {
        Some(family) => kind.strip_prefix(family).is_some_and(|rest| rest.starts_with('.')),
        None => wanted == kind,
    }
}

/// An endpoint, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id.
    pub id: Uuid,
    /// Where messages go.
    pub url: String,
    /// What people call it.
    pub description: String,
    /// Which events.
    pub kinds: Kinds,
    /// Whether anything is sent.
    pub enabled: bool,
    /// Why nothing is sent, when the program decided so: `gone` (it answered 410) or `failing`.
    pub disabled_reason: Option<String>,
    /// Unix milliseconds since when it has answered nothing but failures.
    pub failing_since_ms: Option<i64>,
    /// Unix milliseconds until which messages are signed with the old secret, too.
    pub old_secret_until_ms: Option<i64>,
    /// Unix milliseconds when it was made.
    pub created_at_ms: i64,
    /// From 1; one more with each change.
    pub version: u32,
    /// The last event that was looked at for it.
    pub cursor_seq: u64,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// An attempt is due or will be.
    Pending,
    /// It was taken with a 2xx.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One message to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// To which endpoint.
    pub endpoint: Uuid,
    /// The event's place; 0 of a test.
    pub seq: u64,
    /// The event's kind.
    pub kind: String,
    /// What the event is about.
    pub subject: Uuid,
    /// `webhook-id`: the same for each attempt and each replay of the same event.
    pub message: String,
    /// What is sent, as JSON; empty once it was erased.
    pub body: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts that were made.
    pub attempts: u32,
    /// Unix milliseconds of the next attempt.
    pub next_at_ms: Option<i64>,
    /// Unix milliseconds when it was made.
    pub created_at_ms: i64,
}

/// One attempt at a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Unix milliseconds when it was made.
    pub at_ms: i64,
    /// How long it took.
    pub duration_ms: u64,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The class of failure, when there was none.
    pub failure: Option<String>,
    /// The first part of the answer's body, as text.
    pub answer: String,
}

impl Attempt {
    /// Whether the message was taken.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the endpoint says that it is gone for good.
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// An endpoint is not sent anything any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisabledFacts {
    /// The endpoint.
    pub endpoint: Uuid,
    /// `gone` or `failing`.
    pub reason: String,
    /// Its address.
    pub url: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_follow_the_schedule_of_the_specification_and_end_after_three_days() {
        let pauses: Vec<u64> =
            (0..10).filter_map(|attempts| pause_after(attempts, 0)).map(|pause| pause.0 / 1_000).collect();
        assert_eq!(pauses, [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert_eq!(pause_after(10, 0), None);
        assert_eq!(pause_after(1, 499), Some(Millis(5_499)));
        assert!((0..10_000).all(|chance| pause_after(1, chance).is_some_and(|pause| pause.0 < 5_500)));
    }

    #[test]
    fn an_endpoint_gets_the_kinds_it_asked_for() {
        let kinds = |names: &[&str]| Kinds(names.iter().map(|name| (*name).to_owned()).collect());
        assert!(kinds(&[]).want("call.created"));
        assert!(!kinds(&[]).want("erased"));
        assert!(kinds(&["call.*"]).want("call.ended"));
        assert!(!kinds(&["call.*"]).want("callback.made"));
        assert!(!kinds(&["call.ended"]).want("call.created"));
        assert_eq!(kinds(&["call.*", "transcript.turn"]).unknown(), None);
        assert_eq!(kinds(&["call.*", "calls"]).unknown(), Some("calls"));
        assert_eq!(kinds(&["*"]).unknown(), Some("*"));
    }
}
