//! The call to a person for whom a caller waits: they are told who it is and why, and take the call or leave it. Nothing here needs
//! a brain, so nothing that a person says can be misunderstood as anything but a yes, a no, or neither.

use super::CallMachine;
use super::consult::Consult;
use super::ending::Then;
use crate::dialog::template;
use crate::dialog::yes_no::{YesNo, yes_or_no};
use crate::io::{ConsultInput, Output};
use base::limits::PERSON_AWAY_MS_MAX;
use base::{CallTime, Millis};
use model::agent::Agent;
use model::journal::{Entry, HoldMode};
use serde_json::{Map, Value};

/// How often they are asked whether they take the call.
const ASKS_MAX: u32 = 3;

/// The agent that tells a person this, and nothing else.
pub fn briefing_agent(agent: &Agent, text: &str) -> Agent {
    let mut briefing = agent.clone();
    briefing.is_briefing = true;
    briefing.lines.greeting = text.to_owned();
    briefing.lines.notice.clear();
    briefing.outbound.voicemail.clear();
    briefing.outbound.menu_choice.clear();
    briefing.outbound.screen = true;
    briefing.timing.ring_ms_max = agent.handoff.ring_ms_max;
    briefing.turns.speculate = false;
    briefing.turns.back_channels = false;
    briefing.tools.clear();
    (briefing.flow, briefing.hours) = (None, None);
    briefing
}

/// How they take the call.
pub(crate) fn ask_of_briefing(agent: &Agent) -> String {
    let key = Map::from_iter([("key".to_owned(), Value::String(agent.handoff.accept_key.to_string()))]);
    template::fill(&agent.lines.brief_ask, &key, None)
}

impl CallMachine {
    /// They said something.
    pub(super) fn reply_to_briefing(&mut self, now: CallTime, text: &str) {
        match yes_or_no(text) {
            YesNo::Yes => self.take_caller(now),
            YesNo::No { .. } => self.leave_caller(now),
            YesNo::Unclear => self.ask_again(now),
        }
    }

    /// They pressed a key.
    pub(super) fn key_to_briefing(&mut self, now: CallTime, key: char) {
        // Somebody else may have the call, and then keys are theirs to hear.
        if self.consult.is_some() || self.began_at.is_none() || self.has_human {
            return;
        }
        self.interrupt(now);
        if key == self.agent.handoff.accept_key { self.take_caller(now) } else { self.ask_again(now) }
    }

    /// They say nothing, or neither yes nor no: the first time they hear all of it again.
    pub(super) fn ask_again(&mut self, now: CallTime) {
        self.brief_asks += 1;
        self.quiet_since = now;
        if self.brief_asks >= ASKS_MAX {
            let line = self.agent.lines.brief_declined.clone();
            self.close(now, "idle", vec![line], Then::HangUp, false);
            return;
        }
        let text = if self.brief_asks == 1 { self.agent.lines.greeting.clone() } else { ask_of_briefing(&self.agent) };
        self.say(now, &text);
    }

    fn take_caller(&mut self, now: CallTime) {
        self.pickup = None;
        self.interrupt(now);
        self.stop_voice(now);
        self.queued.clear();
        // What is said from here on is said to the caller, and heard in the caller's call.
        self.hearing.line_lost();
        self.out.journal(now, Entry::BriefAnswered { accepted: true });
        self.take_hold(None, HoldMode::TakeOver, true);
        self.consult = Some(Consult::joining(now + Millis(PERSON_AWAY_MS_MAX)));
        self.out.push(Output::TakeCaller);
    }

    fn leave_caller(&mut self, now: CallTime) {
        self.out.journal(now, Entry::BriefAnswered { accepted: false });
        let line = self.agent.lines.brief_declined.clone();
        self.close(now, "declined", vec![line], Then::HangUp, true);
    }

    /// The two are connected, or the caller is gone.
    pub(super) fn caller_of_briefing(&mut self, now: CallTime, event: ConsultInput) {
        match event {
            ConsultInput::Connected { by } => {
                let Some(consult) = self.consult.as_mut().filter(|consult| !consult.is_connected) else { return };
                consult.is_connected = true;
                self.connected(now, by);
            }
            ConsultInput::Left | ConsultInput::Ended { .. } if self.is_bridged() => {
                self.close(now, "transferred", Vec::new(), Then::HangUp, true);
            }
            ConsultInput::Left | ConsultInput::Ended { .. } => {
                let line = self.agent.lines.brief_gone.clone();
                self.close(now, "caller_gone", vec![line], Then::HangUp, true);
            }
        }
    }
}
