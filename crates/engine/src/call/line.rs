//! The carrier's side: states in any order, audio that comes and goes, keys, typed words, hang-up.

use super::ending::{Step, Then};
use super::hearing::Words;
use super::{CallMachine, Media};
use crate::io::{CarrierInput, Output};
use base::limits::{CALLER_TURN_CHARS_MAX, HOLD_MS_MAX, MEDIA_GRACE_MS_MAX, MEDIA_START_MS_MAX};
use base::{CallTime, ErrorClass, Millis, Pii};
use model::call::{CallState, Direction};
use model::journal::Entry;
use model::live::LiveKind;

impl CallMachine {
    pub(super) fn on_carrier(&mut self, now: CallTime, input: CarrierInput) {
        match input {
            CarrierInput::State { state } => self.on_state(now, state),
            CarrierInput::MediaStarted => self.media_started(now),
            CarrierInput::MediaLost => self.media_lost(now),
            CarrierInput::Dtmf { digit } => self.on_key(now, digit),
            CarrierInput::Typed { text } => self.on_typed(now, text),
            CarrierInput::Interrupted => self.on_interrupted(now),
            CarrierInput::HungUp => {
                let reason =
                    self.closing.as_ref().map_or_else(|| "hung_up".to_owned(), |closing| closing.reason.clone());
                self.finish(now, &reason, Some(self.state_after_hang_up()));
            }
            CarrierInput::TransferDone { ok } => self.transfer_done(now, ok),
        }
    }

    /// How a call ends that somebody hung up.
    pub(super) fn state_after_hang_up(&self) -> CallState {
        if self.began_at.is_some() || self.state.advance(CallState::Answered).is_none() {
            CallState::Completed
        } else {
            CallState::Canceled
        }
    }

    fn on_state(&mut self, now: CallTime, state: CallState) {
        let Some(next) = self.state.advance(state) else { return };
        if next.is_terminal() {
            let reason = match (&self.closing, next) {
                (Some(closing), CallState::Completed) => closing.reason.clone(),
                (None, CallState::Completed) => "hung_up".to_owned(),
                (_, other) => other.name().to_owned(),
            };
            self.finish(now, &reason, Some(next));
            return;
        }
        match next {
            CallState::Paused if self.media == Media::Up => return self.held(now),
            CallState::Active if self.is_held => return self.media_started(now),
            _ => self.set_state(now, next),
        }
        if let (Media::Awaited { by }, CallState::Answered) = (&mut self.media, next) {
            *by = now + Millis(MEDIA_START_MS_MAX);
        }
    }

    /// Writes a state down, once.
    pub(super) fn set_state(&mut self, now: CallTime, state: CallState) {
        if let Some(next) = self.state.advance(state) {
            self.state = next;
            self.out.journal(now, Entry::State { state: next });
            self.out.live(LiveKind::State { state: next });
        }
    }

    /// Nobody picked up, or audio never came.
    pub(super) fn media_never_came(&mut self, now: CallTime) {
        let is_answered = self.state.advance(CallState::Answered).is_none();
        if self.direction == Direction::Outbound && !is_answered {
            self.finish(now, "no_answer", Some(CallState::NoAnswer));
        } else {
            self.finish(now, "no_media", Some(if is_answered { CallState::Completed } else { CallState::Failed }));
        }
    }

    fn media_started(&mut self, now: CallTime) {
        if self.media == Media::Up {
            return;
        }
        let is_first = self.began_at.is_none();
        let was_held = std::mem::take(&mut self.is_held);
        self.media = Media::Up;
        self.began_at.get_or_insert(now);
        self.quiet_since = now;
        self.sounded(now);
        if self.closing.is_some() {
            return;
        }
        self.set_state(now, CallState::Active);
        if self.is_budget_gone {
            self.close_with_call_back(now, "budget");
            return;
        }
        if is_first && !self.has_human && self.unfinished_ending.is_none() && self.turned_away(now) {
            return;
        }
        self.open_stt();
        if self.has_human {
            self.person_may_be_gone(now);
            return;
        }
        if is_first && !self.is_recovered {
            self.line_is_open(now);
        } else {
            self.go_on(now, was_held);
        }
    }

    pub(super) fn open_stt(&mut self) {
        let stream = self.ids.stt_stream();
        self.hearing.replace_stream(stream);
        self.out.push(Output::OpenStt { stream });
    }

    fn media_lost(&mut self, now: CallTime) {
        if self.media != Media::Up {
            return;
        }
        self.media = Media::Lost { by: now + Millis(MEDIA_GRACE_MS_MAX) };
        self.hearing.line_lost();
        self.barge_in = super::BargeIn::Quiet;
        self.is_left_unanswered |= self.thought.is_some();
        self.abandon_turn();
        self.drop_guess();
        self.drop_interludes(now);
        // What had to be heard and was cut is given again.
        self.is_notice_due |= self.is_giving_notice();
        self.stop_voice(now);
        match self.closing.as_ref().map(|closing| &closing.step) {
            // Nobody can hear the last words any more, and a hand-over takes the audio away by its nature.
            Some(Step::LastWords(_)) => self.closing_timed_out(now),
            Some(Step::Transferring | Step::HangingUp) => {}
            None => self.set_state(now, CallState::Paused),
        }
    }

    /// Nothing is said to somebody who does not hear it, and nobody is given up because they say nothing.
    fn held(&mut self, now: CallTime) {
        if self.closing.is_some() {
            return;
        }
        self.media_lost(now);
        self.is_held = true;
        self.media = Media::Lost { by: now + Millis(HOLD_MS_MAX) };
    }

    fn transfer_done(&mut self, now: CallTime, ok: bool) {
        let Some(closing) = &self.closing else { return };
        if closing.step != Step::Transferring {
            return;
        }
        if ok {
            self.has_hung_up = true;
            self.finish(now, "transferred", Some(CallState::Completed));
        } else {
            self.transfer_failed(now, ErrorClass::Refused);
        }
    }

    /// The person could not be reached: the caller is told so.
    pub(super) fn transfer_failed(&mut self, now: CallTime, class: ErrorClass) {
        self.fault(now, "carrier", class);
        self.closing = None;
        let lines = vec![self.agent.lines.call_back.clone(), self.agent.lines.goodbye.clone()];
        self.close(now, "transfer_failed", lines, Then::HangUp, true);
    }

    /// Unlike speech over the agent, a button needs no deciding.
    fn on_interrupted(&mut self, now: CallTime) {
        if self.closing.is_none() && self.media == Media::Up {
            self.interrupt(now);
        }
    }

    fn on_key(&mut self, now: CallTime, digit: Pii<char>) {
        let key = *digit.expose();
        self.out.journal(now, Entry::Dtmf { digit });
        if self.closing.is_some() || self.media != Media::Up {
            return;
        }
        if self.agent.is_briefing {
            return self.key_to_briefing(now, key);
        }
        if self.is_waiting() {
            return self.key_while_waiting(now, key);
        }
        if self.dialog.menu_silence_ms().is_some() && !self.has_human {
            self.keypad.take();
            return self.typed_turn(now, key.to_string()); // A choice is one key.
        }
        if let Some(number) = self.keypad.press(now, key) {
            self.typed_turn(now, number);
        } else if self.keypad.deadline().is_some() {
            // The agent falls silent with the first key, as it would with the first word.
            self.interrupt(now);
        }
    }

    pub(super) fn keypad_done(&mut self, now: CallTime) {
        if let Some(number) = self.keypad.take() {
            self.typed_turn(now, number);
        }
    }

    fn on_typed(&mut self, now: CallTime, text: Pii<String>) {
        let text = text.into_inner();
        if text.trim().is_empty() || self.closing.is_some() || self.media != Media::Up {
            return;
        }
        self.typed_turn(now, text.trim().to_owned());
    }

    fn typed_turn(&mut self, now: CallTime, mut text: String) {
        self.pickup = None; // Machines do not type.
        let is_cut = text.len() > CALLER_TURN_CHARS_MAX;
        if is_cut {
            let cut = (0..=CALLER_TURN_CHARS_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
        }
        self.caller_turn(now, now, Words { text, is_cut }, true);
    }
}
