//! What an agent must not do, held outside every brain: calls outside its hours, subjects that it refuses, phrases that it
//! never says.

use super::CallMachine;
use super::consult::Wish;
use super::ending::Then;
use base::CallTime;
use model::agent::HandoffMode;
use model::call::Direction;
use model::hours::Outside;
use model::journal::{Entry, GuardRule};
use model::live::LiveKind;

impl CallMachine {
    /// What is said outside the hours, if anything is.
    pub(super) fn outside_text(&self) -> Option<&String> {
        match self.agent.hours.as_ref().map(|hours| &hours.outside) {
            Some(Outside::Message { text } | Outside::Transfer { text, .. }) => Some(text),
            Some(Outside::TakeAnyway) | None => None,
        }
    }

    /// Whoever calls is told so when there is audio. A conversation that has begun goes on.
    pub(super) fn came_outside_hours(&mut self, now: CallTime) {
        let is_new = self.began_at.is_none() && self.direction == Direction::Inbound && self.closing.is_none();
        if is_new && !self.is_outside_hours {
            self.out.journal(now, Entry::OutsideHours);
            self.note_outside_hours();
        }
    }

    pub(super) fn note_outside_hours(&mut self) {
        self.is_outside_hours = true;
        self.dialog.nobody_is_there();
    }

    /// Says what is said outside the hours. `false`: the agent takes the call anyway.
    pub(super) fn turned_away(&mut self, now: CallTime) -> bool {
        let outside = self.agent.hours.as_ref().map(|hours| hours.outside.clone());
        if !self.is_outside_hours {
            return false;
        }
        match outside {
            Some(Outside::Message { text }) => {
                self.close(now, "outside_hours", vec![text], Then::HangUp, false);
            }
            Some(Outside::Transfer { text, to }) => {
                let durable = self.out.journal(now, Entry::HandoffRequested { reason: "outside_hours".into() });
                self.close(now, "outside_hours", vec![text], Then::Transfer { to, durable }, false);
            }
            Some(Outside::TakeAnyway) | None => return false,
        }
        true
    }

    /// The phrase that is never said and that this sentence of an answer would make whole.
    pub(super) fn forbidden_in(&self, sentence: &str) -> Option<String> {
        self.agent.guardrails.phrase_in(self.dialog.said(), sentence).map(str::to_owned)
    }

    /// The sentence is not spoken, and the rest of the answer is called off with it: what follows may rest on it.
    pub(super) fn withhold(&mut self, now: CallTime, phrase: String) {
        self.cancel_generation();
        self.refuse(now, GuardRule::Phrase, phrase);
        if self.closing.is_none() {
            self.finish_turn();
        }
    }

    /// Something is not talked about or not said: the caller hears what is said instead, and after some of that a person.
    pub(super) fn refuse(&mut self, now: CallTime, rule: GuardRule, words: String) {
        self.out.journal(now, Entry::Guarded { turn: self.turn, rule, words: words.clone() });
        self.out.live(LiveKind::Guarded { rule, words });
        self.refusals += 1;
        let instead = self.agent.guardrails.instead.clone();
        let after = self.agent.guardrails.offer_person.after_refusals;
        let has_person = self.agent.handoff_to.is_some() || self.agent.handoff.mode == HandoffMode::Queue;
        if after > 0 && self.refusals >= after && has_person {
            self.hand_off(now, Wish { first: Some(instead), ..Wish::plain("guardrails") });
            return;
        }
        if let Some(thought) = &mut self.thought {
            thought.has_spoken = true;
        }
        self.dialog.agent_says(&instead);
        self.say(now, &instead);
    }
}
