//! Bringing a person to the caller: they are called and told who waits and why, while the caller hears that it goes on. Who takes
//! the call is connected; otherwise the caller is back with the agent and told so. Nobody waits without an end.
//!
//! The person's own call is a machine of the same kind (`briefing`); the host joins the audio of the two.

use super::ending::Then;
use super::{BargeIn, CallMachine, Media};
use crate::dialog::flow::ToolOutcome;
use crate::io::{ConsultInput, Output};
use base::limits::{BRIDGED_MS_MAX, BRIEFING_MS_MAX, CONSULT_COMFORT_MS, CONSULTS_PER_CALL_MAX};
use base::{CallTime, ErrorClass, JournalSeq, Millis, PhoneNumber, Pii};
use model::agent::HandoffMode;
use model::journal::{ConsultOutcome, Entry, HandBack, HoldMode};
use model::live::LiveKind;

/// A person who is asked for the caller, or has them.
#[derive(Clone, Debug)]
pub(super) struct Consult {
    pub id: JournalSeq,
    /// When it is given up.
    pub by: CallTime,
    /// When the caller hears next that it goes on.
    comfort_at: CallTime,
    /// The agent can go on when nobody is reached.
    comes_back: bool,
    /// It has failed, and what is being said is said to its end.
    failed: Option<ConsultOutcome>,
    /// The caller has said something that nobody has answered.
    is_owed: bool,
    /// The two hear each other.
    pub is_connected: bool,
}

impl Consult {
    /// Waits so long for the audio of the other call.
    pub fn joining(by: CallTime) -> Self {
        Self {
            id: JournalSeq(0),
            by,
            comfort_at: by,
            comes_back: false,
            failed: None,
            is_owed: false,
            is_connected: false,
        }
    }
}

/// A caller is to be given to a person.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    /// Why, in one word.
    pub reason: &'a str,
    /// What is said before it is said that they are handed over.
    pub first: Option<String>,
    /// To whom; `None`: where the agent sends callers.
    pub to: Option<PhoneNumber>,
    /// Whether they are asked first; `None`: as the agent does it.
    pub mode: Option<HandoffMode>,
    /// What a brain or somebody at the desk wants them to know.
    pub brief: Option<&'a str>,
}

impl<'a> Wish<'a> {
    /// As the agent does it.
    pub fn plain(reason: &'a str) -> Self {
        Self { reason, first: None, to: None, mode: None, brief: None }
    }
}

/// With these the agent cannot go on by itself.
const OUT_OF_ORDER: [&str; 3] = ["brain_failed", "stt_failed", "voice_failed"];

impl CallMachine {
    /// Hands the caller to a person, or promises a call-back where there is none.
    pub(super) fn hand_off(&mut self, now: CallTime, wish: Wish<'_>) {
        if self.closing.is_some() || self.consult.is_some() || self.queue.is_some() {
            return;
        }
        let mode = wish.mode.unwrap_or(self.agent.handoff.mode);
        let can_wait = self.media == Media::Up && self.drain.is_none() && !self.agent.is_briefing;
        if mode == HandoffMode::Queue && wish.to.is_none() && can_wait {
            self.out.journal(now, Entry::HandoffRequested { reason: wish.reason.to_owned() });
            return self.begin_queue(now, wish);
        }
        let to = wish.to.clone().or_else(|| self.agent.handoff_to.clone());
        // Who is about to leave the line cannot stay on it.
        let is_warm = mode == HandoffMode::Warm && self.media == Media::Up && self.drain.is_none();
        let durable = self.out.journal(now, Entry::HandoffRequested { reason: wish.reason.to_owned() });
        match to {
            Some(to) if is_warm && self.consults < CONSULTS_PER_CALL_MAX => self.begin_consult(now, wish, to),
            Some(to) if !is_warm => {
                let lines = wish.first.into_iter().chain([self.agent.lines.handoff.clone()]).collect();
                let is_cut = wish.reason == "desk";
                self.close(now, wish.reason, lines, Then::Transfer { to, durable }, is_cut);
            }
            Some(_) | None => {
                let last = [self.agent.lines.call_back.clone(), self.agent.lines.goodbye.clone()];
                let lines = wish.first.into_iter().chain(last).collect();
                self.close(now, wish.reason, lines, Then::HangUp, false);
            }
        }
    }

    fn begin_consult(&mut self, now: CallTime, wish: Wish<'_>, to: PhoneNumber) {
        self.consults += 1;
        let id = self.out.journal(now, Entry::ConsultBegan { to: Pii::new(to.expose().to_owned()) });
        if wish.reason == "desk" {
            self.interrupt(now);
            self.stop_voice(now);
        }
        self.abandon_turn();
        self.cancel_tool(now);
        self.drop_guess();
        self.keypad.take();
        self.barge_in = BargeIn::Quiet;
        self.unduck();
        self.no_yes_any_more(now);
        if self.has_human {
            self.let_go(now, HandBack::Asked); // Whoever passes the caller on has them no more.
        }
        self.take_hold(None, HoldMode::TakeOver, false);
        let ring_ms = self.agent.handoff.ring_ms_max;
        self.consult = Some(Consult {
            id,
            by: now + Millis(ring_ms + BRIEFING_MS_MAX),
            comfort_at: now + Millis(CONSULT_COMFORT_MS),
            comes_back: !OUT_OF_ORDER.contains(&wish.reason),
            failed: None,
            is_owed: false,
            is_connected: false,
        });
        for line in wish.first.iter().chain([&self.agent.lines.handoff.clone()]) {
            self.say(now, line);
        }
        if let Some(voice) = &mut self.voice {
            voice.close();
        }
        let text = Pii::new(self.dialog.briefing(wish.brief));
        self.out.push(Output::Consult { id, to, text });
    }

    /// A question that is open is not answered any more: a yes would be to the person.
    pub(super) fn no_yes_any_more(&mut self, now: CallTime) {
        self.dialog.flow_unheard();
        if !mutant!(YesToPersonRunsChange)
            && let Some(pending) = self.dialog.confirmation_closed()
        {
            self.out.journal(now, Entry::ConfirmationAnswered { id: pending.id, yes: false });
            self.dialog.flow_tool_done(&pending.name, Err(ToolOutcome::Failed));
        }
    }

    /// Whether a person is being brought to the caller.
    pub(super) fn is_consulting(&self) -> bool {
        self.consult.as_ref().is_some_and(|consult| !consult.is_connected)
    }

    /// Whether the caller talks with the person who was brought to them.
    pub(super) fn is_bridged(&self) -> bool {
        self.consult.as_ref().is_some_and(|consult| consult.is_connected)
    }

    /// The caller said something while a person was being brought to them.
    pub(super) fn spoke_while_waiting(&mut self) {
        if let Some(consult) = &mut self.consult {
            consult.is_owed = true;
        }
    }

    /// The longest that the call may last as it stands.
    pub(super) fn longest_ms(&self) -> u64 {
        if self.is_bridged() { BRIDGED_MS_MAX } else { self.timing().call_ms_max }
    }

    pub(super) fn on_consult(&mut self, now: CallTime, id: JournalSeq, event: ConsultInput) {
        if self.agent.is_briefing {
            return self.caller_of_briefing(now, event);
        }
        let Some(consult) = self.consult.as_mut().filter(|consult| consult.id == id) else { return };
        match event {
            ConsultInput::Connected { by } if !consult.is_connected => {
                consult.is_connected = true;
                self.out.journal(now, Entry::ConsultEnded { outcome: ConsultOutcome::Accepted });
                self.connected(now, by);
            }
            ConsultInput::Ended { outcome } if !consult.is_connected => {
                consult.failed.get_or_insert(outcome);
            }
            ConsultInput::Left if consult.is_connected => {
                self.consult = None;
                self.close(now, "transferred", Vec::new(), Then::HangUp, true);
            }
            _ => {}
        }
    }

    /// The two hear each other: the agent is off the line.
    pub(super) fn connected(&mut self, now: CallTime, by: String) {
        self.interrupt(now);
        self.stop_voice(now);
        self.queued.clear();
        self.take_hold(Some(by.clone()), HoldMode::TakeOver, true);
        self.line_is_up();
        self.out.journal(now, Entry::TakenOver { by: Some(by.clone()), mode: HoldMode::TakeOver, with_line: true });
        self.out.live(LiveKind::TakenOver { by: Some(by), mode: HoldMode::TakeOver });
    }

    /// What is next while a person is brought to the caller.
    pub(super) fn consult_deadline(&self) -> Option<(CallTime, &'static str)> {
        let consult = self.consult.as_ref().filter(|consult| !consult.is_connected && consult.failed.is_none())?;
        let is_quiet = self.media == Media::Up && self.voice.is_none() && !self.hearing.is_speaking();
        let is_comforted = is_quiet && !self.agent.is_briefing && consult.comfort_at < consult.by;
        Some(if is_comforted { (consult.comfort_at, "still waiting for a person") } else { (consult.by, "no person") })
    }

    pub(super) fn consult_timed_out(&mut self, now: CallTime) {
        let Some(consult) = &mut self.consult else { return };
        if now < consult.by {
            consult.comfort_at = now + Millis(CONSULT_COMFORT_MS);
            let line = self.agent.lines.handoff_waiting.clone();
            return self.say(now, &line);
        }
        if self.agent.is_briefing {
            return self.caller_of_briefing(now, ConsultInput::Left);
        }
        self.out.push(Output::EndConsult { id: consult.id });
        consult.failed = Some(ConsultOutcome::NoAnswer);
    }

    /// The caller is back with the agent once they were told that somebody is being called. Runs after every input and timer.
    pub(super) fn consult_on(&mut self, now: CallTime) {
        let Some(outcome) = self.consult.as_ref().and_then(|consult| consult.failed) else { return };
        if self.closing.is_some() || self.voice.is_some() || !self.queued.is_empty() {
            return;
        }
        let Some(Consult { comes_back, is_owed, .. }) = self.consult.take() else { return };
        self.out.journal(now, Entry::ConsultEnded { outcome });
        if outcome == ConsultOutcome::Failed {
            self.fault(now, "carrier", ErrorClass::Refused);
        }
        self.release_hold();
        if comes_back {
            let line = self.agent.lines.handoff_failed.clone();
            self.agent_again(now, line, is_owed);
        } else {
            let lines = vec![self.agent.lines.call_back.clone(), self.agent.lines.goodbye.clone()];
            self.close(now, "transfer_failed", lines, Then::HangUp, false);
        }
    }

    /// The caller goes, or somebody else has them: the person is let go.
    pub(super) fn drop_consult(&mut self, now: CallTime) {
        let Some(consult) = self.consult.take().filter(|_| !self.agent.is_briefing) else { return };
        self.out.push(Output::EndConsult { id: consult.id });
        if !consult.is_connected {
            self.out.journal(now, Entry::ConsultEnded { outcome: ConsultOutcome::Withdrawn });
        }
    }
}
