//! How long a business keeps what was said and heard, and what it keeps of it.

use serde::{Deserialize, Serialize};

/// The longest time that can be asked for.
pub const DAYS_MAX: u32 = 3_650;

/// What is taken out of the words of a call once it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redaction {
    /// Numbers of four digits and more, written or spoken: cards, accounts, phones.
    Digits,
    /// E-mail addresses, written or spoken.
    Emails,
}

/// What a business wants. `None`: as long as the installation keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// Days for which recordings are kept.
    pub recordings_days: Option<u32>,
    /// Days for which all that was said and heard in a call is kept: words, journal, log, recording.
    pub transcripts_days: Option<u32>,
    /// Days for which it is kept who a call was with.
    pub numbers_days: Option<u32>,
    /// What is taken out.
    pub redact: Vec<Redaction>,
}

impl Privacy {
    /// Checks the times.
    ///
    /// # Errors
    /// The name of the first one that is out of range.
    pub fn check(&self) -> Result<(), &'static str> {
        let days = [
            ("recordings_days", self.recordings_days),
            ("transcripts_days", self.transcripts_days),
            ("numbers_days", self.numbers_days),
        ];
        let wrong = days.iter().find(|(_, days)| days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)));
        wrong.map_or(Ok(()), |(name, _)| Err(name))
    }
}
