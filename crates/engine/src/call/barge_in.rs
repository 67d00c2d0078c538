//! Speech over the agent: an interruption, a listening sound, or noise. Until that is clear the agent speaks on, quietly.

use super::back_channel::is_back_channel;
use base::{CallTime, Millis};

/// Whether the caller takes the floor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BargeIn {
    /// The caller is not speaking over the agent.
    #[default]
    Quiet,
    /// The caller speaks over the agent; from `certain_at` on it is an interruption whatever is said.
    Speaking { since: CallTime, certain_at: CallTime },
    /// The caller has stopped; words may still arrive until `until`.
    Deciding { since: CallTime, until: CallTime },
}

impl BargeIn {
    pub fn started(&mut self, now: CallTime, barge_in_ms: u64) {
        *self = Self::Speaking { since: now, certain_at: now + Millis(barge_in_ms) };
    }

    pub fn stopped(&mut self, now: CallTime, decide_ms: u64) {
        if let Self::Speaking { since, .. } = *self {
            *self = Self::Deciding { since, until: now + Millis(decide_ms) };
        }
    }

    /// Whether these words, said over the agent, take the floor. After a question every word is an answer.
    pub fn is_real(self, words: &str, answer_expected: bool) -> bool {
        self != Self::Quiet && words.chars().any(char::is_alphanumeric) && (answer_expected || !is_back_channel(words))
    }

    /// When the decision is due without further words, and why.
    pub fn deadline(self) -> Option<(CallTime, &'static str)> {
        match self {
            Self::Quiet => None,
            Self::Speaking { certain_at, .. } => Some((certain_at, "barge-in")),
            Self::Deciding { until, .. } => Some((until, "barge-in decision")),
        }
    }

    /// When the speech began that is being decided about.
    pub fn since(self) -> Option<CallTime> {
        match self {
            Self::Quiet => None,
            Self::Speaking { since, .. } | Self::Deciding { since, .. } => Some(since),
        }
    }

    pub fn is_pending(self) -> bool {
        self != Self::Quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sounds_are_no_interruption_but_a_real_word_is() {
        let mut barge_in = BargeIn::default();
        assert!(!barge_in.is_real("stop", false), "nobody speaks over the agent");
        barge_in.started(CallTime(100), 600);
        assert!(!barge_in.is_real("mm-hm", false));
        assert!(barge_in.is_real("yes", true), "the agent has asked");
        assert!(barge_in.is_real("wait", false));
        assert_eq!(barge_in.deadline(), Some((CallTime(700), "barge-in")));
        barge_in.stopped(CallTime(300), 350);
        assert_eq!(barge_in.deadline(), Some((CallTime(650), "barge-in decision")));
        assert_eq!(barge_in.since(), Some(CallTime(100)));
    }
}
