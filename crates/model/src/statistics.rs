//! What calls come to, counted as they happen: in slots of a quarter of an hour, because the days of every time zone of the
//! world are whole numbers of them.

use crate::call::{Call, CallState, Direction};
use serde::{Deserialize, Serialize};

/// Length of a slot. Zones differ from UTC by whole quarters of an hour, if not by more.
pub const SLOT_MS: i64 = 15 * 60 * 1_000;

/// The slot in which a moment lies.
pub const fn slot_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(SLOT_MS)
}

/// What ended in one slot, or in many of them together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Calls of customers.
    #[serde(skip_serializing_if = "is_zero")]
    pub inbound: u64,
    /// Calls that we placed.
    #[serde(skip_serializing_if = "is_zero")]
    pub outbound: u64,
    /// Of all: that somebody answered.
    #[serde(skip_serializing_if = "is_zero")]
    pub answered: u64,
    /// Of all: that nobody answered.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed: u64,
    /// Of those answered: that the agent brought to an end by itself.
    #[serde(skip_serializing_if = "is_zero")]
    pub contained: u64,
    /// Of those answered: that went on to a person.
    #[serde(skip_serializing_if = "is_zero")]
    pub transferred: u64,
    /// Of those answered: that broke.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// From answer to end.
    #[serde(skip_serializing_if = "is_zero")]
    pub talk_ms: u64,
    /// What providers charged, in millionths of a US dollar.
    pub cost_usd_micros: i64,
    /// How long customers waited for answers.
    #[serde(skip_serializing_if = "Waits::is_empty")]
    pub waits: Waits,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Counts {
    /// What a call counts, before and after a change of its row: all of it when it ends, and later what is added to its cost.
    pub fn of_change(before: &Call, after: &Call) -> Self {
        let Some(ended_at_ms) = after.ended_at_ms else { return Self::default() };
        if before.ended_at_ms.is_some() {
            return Self { cost_usd_micros: after.cost.usd_micros - before.cost.usd_micros, ..Self::default() };
        }
        let one = u64::from;
        let talk = after.answered_at_ms.map(|answered| u64::try_from(ended_at_ms - answered).unwrap_or(0));
        let is_answered = talk.is_some();
        let is_transferred = is_answered && after.ended_reason.as_deref() == Some("transferred");
        let is_whole = after.state == CallState::Completed;
        Self {
            inbound: one(after.direction == Direction::Inbound),
            outbound: one(after.direction == Direction::Outbound),
            answered: one(is_answered),
            missed: one(!is_answered),
            contained: one(is_answered && is_whole && !is_transferred),
            transferred: one(is_transferred),
            failed: one(is_answered && !is_whole && !is_transferred),
            talk_ms: talk.unwrap_or(0),
            cost_usd_micros: after.cost.usd_micros,
            waits: Waits::default(),
        }
    }

    /// All calls.
    pub const fn calls(&self) -> u64 {
        self.inbound + self.outbound
    }

    /// Whether it counts nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl std::ops::AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, other: &Self) {
        self.inbound += other.inbound;
        self.outbound += other.outbound;
        self.answered += other.answered;
        self.missed += other.missed;
        self.contained += other.contained;
        self.transferred += other.transferred;
        self.failed += other.failed;
        self.talk_ms += other.talk_ms;
        self.cost_usd_micros = self.cost_usd_micros.saturating_add(other.cost_usd_micros);
        self.waits.merge(&other.waits);
    }
}

/// Upper ends of the classes of waits, milliseconds; what is longer counts in a last one.
const ENDS_MS: [u64; 30] = [
    100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750, 800, 900, 1_000, 1_100, 1_200, 1_400, 1_600,
    1_800, 2_000, 2_300, 2_600, 3_000, 4_000, 5_000, 7_000, 10_000,
];

/// How often customers waited how long for the first sound of an answer: a count per class of waits, so that any number of
/// them adds up and a quantile is known to within its class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Waits(Vec<u64>);

impl Waits {
    /// Counts one.
    pub fn add(&mut self, waited_ms: u64) {
        let class = ENDS_MS.partition_point(|end| *end < waited_ms);
        if self.0.len() <= class {
            self.0.resize(class + 1, 0);
        }
        self.0[class] += 1;
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The wait that a share of them, in percent, did not exceed; within a class as if they were spread evenly. `None`
    /// without any. What is beyond the last class counts as its beginning.
    pub fn quantile_ms(&self, percent: u64) -> Option<u64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = (count * percent.min(100)).div_ceil(100).max(1);
        let mut below = 0;
        for (class, many) in self.0.iter().copied().enumerate() {
            if below + many >= rank {
                let from = class.checked_sub(1).map_or(0, |before| ENDS_MS[before.min(ENDS_MS.len() - 1)]);
                let to = ENDS_MS.get(class).copied().unwrap_or(from);
                return Some(from + (to - from) * (rank - below) / many);
            }
            below += many;
        }
        None
    }

    fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_of_waits_is_known_to_within_its_class() {
        let mut waits = Waits::default();
        assert_eq!(waits.quantile_ms(50), None);
        (0..90).for_each(|_| waits.add(520));
        (0..10).for_each(|_| waits.add(2_900));
        assert_eq!(waits.count(), 100);
        assert!((500..=550).contains(&waits.quantile_ms(50).expect("a median")));
        assert!((2_600..=3_000).contains(&waits.quantile_ms(95).expect("a quantile")));
        waits.add(60_000);
        assert_eq!(waits.quantile_ms(100), Some(10_000), "beyond the last class");
    }

    #[test]
    fn waits_of_two_slots_add_up_and_keep_their_form_on_disk() {
        let (mut one, mut two) = (Waits::default(), Waits::default());
        one.add(90);
        two.add(480);
        one.merge(&two);
        assert_eq!(one.count(), 2);
        let text =
            serde_json::to_string(&Counts { inbound: 1, waits: one.clone(), ..Counts::default() }).expect("json");
        assert_eq!(text, r#"{"inbound":1,"cost_usd_micros":0,"waits":[1,0,0,0,0,0,0,0,1]}"#);
        assert_eq!(serde_json::from_str::<Counts>(&text).map(|counts| counts.waits).ok(), Some(one));
        assert_eq!(serde_json::from_str::<Counts>("{}").ok(), Some(Counts::default()));
    }
}
