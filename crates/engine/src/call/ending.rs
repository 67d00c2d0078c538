//! The way out: last words, then hand-over or hang-up, then the carrier's confirmation. Every step has a deadline.

use base::limits::{LAST_WORDS_MS_MAX, TRANSFER_MS_MAX};
use base::{CallTime, JournalSeq, Millis, PhoneNumber};

/// What follows the last words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Then {
    HangUp,
    Transfer { to: PhoneNumber, durable: JournalSeq },
}

/// How far the way out is gone.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    LastWords(Then),
    Transferring,
    HangingUp,
}

/// A call on its way out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Closing {
    pub reason: String,
    pub step: Step,
    pub by: CallTime,
}

impl Closing {
    /// Begins with the last words, which must be over `by` at the latest.
    pub fn last_words(now: CallTime, reason: &str, then: Then, by: Option<CallTime>) -> Self {
        let longest = now + Millis(LAST_WORDS_MS_MAX);
        Self { reason: reason.to_owned(), step: Step::LastWords(then), by: by.map_or(longest, |by| by.min(longest)) }
    }

    pub fn transferring(&mut self, now: CallTime) {
        self.step = Step::Transferring;
        self.by = now + Millis(TRANSFER_MS_MAX);
    }

    pub fn hanging_up(&mut self, now: CallTime, hang_up_ms_max: u64) {
        self.step = Step::HangingUp;
        self.by = now + Millis(hang_up_ms_max);
    }

    pub fn deadline(&self) -> (CallTime, &'static str) {
        let why = match self.step {
            Step::LastWords(_) => "last words",
            Step::Transferring => "transfer",
            Step::HangingUp => "hang-up",
        };
        (self.by, why)
    }
}

/// When the process wants the call to be over, and how much before that each step must begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drain {
    pub deadline: CallTime,
}

impl Drain {
    /// What is being said is cut and the last words begin.
    pub fn last_words_at(self) -> CallTime {
        self.deadline - Millis(8_000)
    }

    /// The last words are cut and the line is closed.
    pub fn hang_up_at(self) -> CallTime {
        self.deadline - Millis(2_000)
    }
}
