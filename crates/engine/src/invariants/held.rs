//! People who have a call: nobody is talked over, nobody who is gone keeps it, and the agent does nothing twice afterwards.

use super::solid;
use crate::io::{DeskInput, Input};
use base::limits::{ON_HOLD_SAYS_EVERY_MS, PERSON_AWAY_MS_MAX};
use base::{CallTime, ToolCallId};
use model::generation::{ChatMessage, GenerationRequest};
use model::journal::{Entry, Record};
use std::collections::BTreeMap;

/// A caller on hold is told that it goes on, or something else comes, within this: they may be speaking themselves.
const ON_HOLD_MS_MAX: u64 = 3 * ON_HOLD_SAYS_EVERY_MS;

/// What is known of a person who has the call, or had it.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    is_held: bool,
    /// What people had the agent say, and what was meant for the agent alone, without white space.
    said: String,
    whispers: Vec<String>,
    /// They have put the caller on hold.
    is_on_hold: bool,
    /// The person's line was lost then.
    lost_at: Option<CallTime>,
    /// Something was heard from us since the caller's last turn.
    is_answered: bool,
    /// The agent has the call again and has neither been asked nor begun an answer.
    is_fresh: bool,
    /// Changes that were asked about, and whether a person took the call since.
    asked: BTreeMap<ToolCallId, bool>,
}

impl Held {
    pub fn input(&mut self, now: CallTime, input: &Input) {
        let Input::Desk(input) = input else { return };
        match input {
            DeskInput::Say { text } => {
                self.said.extend(solid(text));
                self.said.push('\n');
                self.is_answered |= self.is_held;
            }
            DeskInput::Speaks | DeskInput::Said { .. } => self.is_answered |= self.is_held,
            DeskInput::Whisper { text, .. } => self.whispers.push(solid(text.expose()).collect()),
            DeskInput::Line { is_up: false } if self.is_held => self.lost_at = Some(now),
            DeskInput::Line { .. } | DeskInput::TakeOver { .. } => self.lost_at = None,
            DeskInput::HandBack | DeskInput::Transfer { .. } | DeskInput::Record { .. } => {}
            DeskInput::Hold { .. } | DeskInput::End => {}
        }
    }

    /// What is wrong with this entry.
    pub fn entry(&mut self, entry: &Entry) -> Option<(&'static str, String)> {
        match entry {
            Entry::CallerTurn { .. } => (self.is_answered, self.is_fresh) = (false, false),
            Entry::AgentTurn { heard, .. } => self.is_answered |= !heard.expose().is_empty(),
            Entry::PersonTurn { .. } => self.is_answered = true,
            Entry::TakenOver { .. } => {
                self.is_held = true;
                self.asked.values_mut().for_each(|is_stale| *is_stale = true);
            }
            Entry::OnHold { .. } | Entry::OffHold { .. } => self.is_on_hold = matches!(entry, Entry::OnHold { .. }),
            Entry::HandedBack { .. } if self.is_on_hold => {
                return Some((
                    "nobody_is_on_hold_alone",
                    "the person is gone, and the caller still on hold".to_owned(),
                ));
            }
            Entry::HandedBack { .. } => (self.is_held, self.is_fresh, self.lost_at) = (false, true, None),
            Entry::Ending { .. } | Entry::Ended { .. } => {
                (self.is_held, self.is_on_hold, self.lost_at) = (false, false, None);
            }
            Entry::ConfirmationAsked { id, .. } => {
                self.asked.insert(*id, false);
            }
            Entry::ConfirmationAnswered { id, yes: true } if self.asked.get(id) == Some(&true) => {
                return Some(("a_yes_is_to_whoever_asked", format!("tool call {id} was asked about by the agent")));
            }
            _ => {}
        }
        None
    }

    /// The process died; this was durable.
    pub fn killed(&mut self, journal: &[Record]) {
        let kept = std::mem::take(self);
        (self.said, self.whispers) = (kept.said, kept.whispers);
        for record in journal {
            self.entry(&record.entry);
        }
        self.is_fresh = false;
    }

    /// What is wrong with saying this.
    pub fn spoken(&self, text: &str) -> Option<(&'static str, String)> {
        let words: String = solid(text).collect();
        if self.is_held && !self.is_on_hold && !words.is_empty() && !self.said.contains(&words) {
            return Some(("silent_while_a_person_has_the_call", format!("{text:?}")));
        }
        let is_whisper = self.whispers.iter().any(|whisper| !whisper.is_empty() && words.contains(whisper));
        is_whisper.then(|| ("a_whisper_is_not_heard", format!("{text:?}")))
    }

    /// What is wrong with asking a brain this.
    pub fn asks(&mut self, request: &GenerationRequest) -> Option<(&'static str, String)> {
        let was_fresh = std::mem::take(&mut self.is_fresh);
        let is_asked = matches!(request.messages.last(), Some(ChatMessage::Customer { .. }));
        let is_again = was_fresh && self.is_answered && !is_asked;
        is_again.then(|| ("what_a_person_answered_is_not_answered_again", "nobody has asked anything".to_owned()))
    }

    /// What is wrong after this step of a machine whose next deadline is `deadline`.
    pub fn after_step(
        &self,
        now: CallTime,
        deadline: Option<CallTime>,
        has_media: bool,
    ) -> Option<(&'static str, String)> {
        if self.is_on_hold && has_media && deadline.is_none_or(|deadline| deadline.0 > now.0 + ON_HOLD_MS_MAX) {
            return Some(("who_is_on_hold_hears_that_it_goes_on", format!("next at {deadline:?}")));
        }
        let lost_at = self.lost_at.filter(|_| self.is_held && has_media)?;
        // The time may have run out while the caller's audio was away: then it is at once.
        let by = (lost_at.0 + PERSON_AWAY_MS_MAX).max(now.0);
        let is_late = deadline.is_none_or(|deadline| deadline.0 > by);
        is_late.then(|| ("nobody_is_left_alone", format!("a person is gone since {lost_at}")))
    }
}
