//! The way out: who decides to end a call, its last words, hand-over, hang-up, and the one end.

use super::consult::Wish;
use super::ending::{Closing, Drain, Step, Then};
use super::{CallMachine, Media, Phase};
use crate::io::Output;
use base::{CallTime, ErrorClass};
use model::call::{CallState, Direction};
use model::journal::{Entry, QueueOutcome};
use model::live::LiveKind;

impl CallMachine {
    /// Ends the call with these last words. `cut` stops what is being said; otherwise it is said to its end first.
    pub(super) fn close(&mut self, now: CallTime, reason: &str, lines: Vec<String>, then: Then, cut: bool) {
        if self.closing.is_some() || self.is_ended {
            return;
        }
        if matches!(self.media, Media::Awaited { .. }) {
            self.finish(now, reason, None);
            return;
        }
        self.leave_queue(now, QueueOutcome::Withdrawn);
        self.out.journal(now, Entry::Ending { reason: reason.to_owned() });
        self.abandon_turn();
        self.cancel_tool(now);
        self.keypad.take();
        self.barge_in = super::BargeIn::Quiet;
        self.hearing.take(now);
        self.drop_guess();
        self.is_notice_due = false;
        self.interludes.take_unsaid(); // Only last words are left to the carrier.
        self.drop_consult(now);
        self.release_hold();
        self.unduck();
        let by = self.drain.map(Drain::hang_up_at);
        self.closing = Some(Closing::last_words(now, reason, then, by));
        if cut {
            self.drop_interludes(now);
            self.stop_voice(now);
        }
        if self.media == Media::Up {
            for line in lines.iter().chain(&std::mem::take(&mut self.owed)) {
                self.say(now, line);
            }
        }
        if let Some(voice) = &mut self.voice {
            voice.close();
        }
    }

    /// Ends the call with the promise of a call-back.
    pub(super) fn close_with_call_back(&mut self, now: CallTime, reason: &str) {
        let lines = vec![self.agent.lines.call_back.clone(), self.agent.lines.goodbye.clone()];
        self.close(now, reason, lines, Then::HangUp, reason == "overflow");
    }

    /// No money is left. Who calls us is told so, even if the telephone still rings; whom we call need not be rung.
    pub(super) fn budget_is_gone(&mut self, now: CallTime) {
        let is_unheard = matches!(self.media, Media::Awaited { .. });
        if is_unheard && (self.direction == Direction::Inbound || self.is_recovered) {
            self.is_budget_gone = true;
        } else {
            self.close_with_call_back(now, "budget");
        }
    }

    /// Nothing works: a person must take over.
    pub(super) fn give_up(&mut self, now: CallTime, reason: &str) {
        let give_up = self.agent.lines.give_up.clone();
        self.hand_off(now, Wish { first: Some(give_up), ..Wish::plain(reason) });
    }

    /// Takes the next step out once the last words were heard.
    pub(super) fn close_on(&mut self, now: CallTime) {
        let Some(Closing { step: Step::LastWords(_), .. }) = &self.closing else { return };
        let is_silent = self.voice.is_none() && self.queued.is_empty() && self.interludes.is_silent();
        if is_silent || mutant!(HangUpBeforeGoodbye) {
            self.after_last_words(now);
        }
    }

    fn after_last_words(&mut self, now: CallTime) {
        let Some(closing) = &mut self.closing else { return };
        let Step::LastWords(then) = &closing.step else { return };
        match then.clone() {
            Then::HangUp => {
                let hang_up_ms_max = self.agent.timing.hang_up_ms_max;
                closing.hanging_up(now, hang_up_ms_max);
                if let Some(drain) = self.drain {
                    closing.by = closing.by.min(drain.deadline);
                }
                self.set_state(now, CallState::Ending);
                self.hang_up();
            }
            Then::Transfer { to, durable } => {
                closing.transferring(now);
                if let Some(drain) = self.drain {
                    closing.by = closing.by.min(drain.hang_up_at());
                }
                self.out.push(Output::Transfer { to, durable });
            }
        }
    }

    /// A step of the way out took too long.
    pub(super) fn closing_timed_out(&mut self, now: CallTime) {
        let Some(closing) = &self.closing else { return };
        match closing.step {
            Step::LastWords(_) => {
                self.drop_interludes(now);
                self.stop_voice(now);
                self.after_last_words(now);
            }
            // Without audio the caller may well be with somebody else: cutting the line now would cut that.
            Step::Transferring if self.media != Media::Up => {
                self.has_hung_up = true;
                self.finish(now, "transferred", Some(CallState::Completed));
            }
            Step::Transferring => self.transfer_failed(now, ErrorClass::Timeout),
            Step::HangingUp => {
                let reason = closing.reason.clone();
                self.finish(now, &reason, None);
            }
        }
    }

    fn hang_up(&mut self) {
        if !self.has_hung_up || mutant!(HangUpTwice) {
            self.has_hung_up = true;
            let unsaid = self.interludes.take_unsaid();
            self.out.push(Output::HangUp { unsaid });
        }
    }

    /// The call is over. `reported` is how it ended for the carrier, where somebody else ended it; `None` where we do.
    pub(super) fn finish(&mut self, now: CallTime, reason: &str, reported: Option<CallState>) {
        if self.is_ended {
            return;
        }
        self.drop_consult(now);
        let is_theirs = reported.is_some() || reason == "media_lost";
        self.leave_queue(now, if is_theirs { QueueOutcome::Abandoned } else { QueueOutcome::Withdrawn });
        self.drop_interludes(now);
        self.stop_voice(now);
        self.abandon_turn();
        self.drop_guess();
        self.cancel_tool(now);
        // A phone that nobody picked up must stop ringing, too.
        let is_over_for_carrier = reported.is_some() && reason != "no_answer" && reason != "no_media";
        if !is_over_for_carrier {
            self.hang_up();
        }
        let state = reported.unwrap_or_else(|| self.state_after_hang_up());
        self.state = self.state.advance(state).unwrap_or(self.state);
        self.is_ended = true;
        let duration = now.since(self.began_at.unwrap_or(now));
        self.out.journal(now, Entry::Ended { reason: reason.to_owned(), state: self.state, duration });
        self.out.live(LiveKind::Phase { phase: Phase::Ended.name().to_owned() });
        self.out.live(LiveKind::State { state: self.state });
        self.out.live(LiveKind::Ended { reason: reason.to_owned() });
        self.out.push(Output::Ended { reason: reason.to_owned(), state: self.state });
        if mutant!(EndedTwice) {
            self.out.push(Output::Ended { reason: reason.to_owned(), state: self.state });
        }
    }

    pub(super) fn begin_drain(&mut self, now: CallTime, deadline: CallTime) {
        let deadline = self.drain.map_or(deadline, |drain| drain.deadline.min(deadline));
        let drain = Drain { deadline };
        self.drain = Some(drain);
        match &mut self.closing {
            Some(closing) => {
                let by = if closing.step == Step::HangingUp { deadline } else { drain.hang_up_at() };
                closing.by = closing.by.min(by);
            }
            None if self.media != Media::Up => self.finish(now, "drained", None),
            None => {}
        }
    }

    /// A draining call ends as soon as nobody is in the middle of something.
    pub(super) fn drain_when_free(&mut self, now: CallTime) {
        let is_free = !self.is_busy() && !self.hearing.is_speaking() && self.hearing.pause.is_none();
        if self.drain.is_some() && is_free && !self.has_human && self.tool.is_none() {
            self.close_with_call_back(now, "drained");
            self.speak_on(now);
        }
    }

    /// A draining call ends now, whatever goes on.
    pub(super) fn drain_now(&mut self, now: CallTime) {
        let lines = vec![self.agent.lines.call_back.clone()];
        self.close(now, "drained", lines, Then::HangUp, true);
    }
}
