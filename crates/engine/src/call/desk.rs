//! People at the desk: whispering to the agent, saying a line by its voice, taking the call over and giving it back.
//!
//! While a person has the call the agent says nothing but what that person has it say; what the caller says is heard and
//! answered by nobody. Whoever takes a call and is gone, or does nothing, gives it back by a deadline, with a spoken line.

use super::consult::Wish;
use super::ending::Then;
use super::thought::Thought;
use super::{CallMachine, Media};
use crate::dialog::flow::FlowRun;
use crate::io::{ConsultInput, DeskInput};
use base::limits::{PERSON_AWAY_MS_MAX, PERSON_IDLE_MS_MAX};
use base::{CallTime, Millis, Pii};
use model::journal::{Entry, HandBack, HoldMode, QueueOutcome};
use model::live::LiveKind;

/// How a person has the call.
#[derive(Clone, Debug, Default)]
pub(super) struct Hold {
    by: Option<String>,
    mode: HoldMode,
    /// They speak over an audio line of their own.
    with_line: bool,
    /// Their line is open.
    is_line_up: bool,
    /// Until when they must show themselves; `None`: what became of them is not known yet.
    until: Option<CallTime>,
    /// They have spoken since the caller's last turn.
    has_spoken: bool,
}

impl Hold {
    pub fn caller_spoke(&mut self) {
        self.has_spoken = false;
    }

    pub fn spoke(&mut self) {
        self.has_spoken = true;
    }

    /// They have shown that they are there.
    fn seen(&mut self, now: CallTime, typing_ms_max: u64) {
        let wait_ms = match (self.is_line_up, self.with_line) {
            (true, _) => PERSON_IDLE_MS_MAX,
            (false, true) => PERSON_AWAY_MS_MAX,
            (false, false) => typing_ms_max,
        };
        self.until = Some(now + Millis(wait_ms));
    }
}

impl CallMachine {
    /// Who has the call, if a person has. The inner `None`: somebody who did not say who they are.
    pub fn holder(&self) -> Option<Option<&str>> {
        (self.has_human && !self.is_consulting()).then_some(self.hold.by.as_deref())
    }

    /// For how long a person has taken the call, if a person has it.
    pub fn hold_mode(&self) -> Option<HoldMode> {
        (self.has_human && !self.is_consulting()).then_some(self.hold.mode)
    }

    pub(super) fn on_desk(&mut self, now: CallTime, input: DeskInput) {
        if self.closing.is_some() {
            return;
        }
        // Who has an open line shows by everything they do that they are there.
        if self.has_human && self.hold.is_line_up {
            self.person_shows(now);
        }
        match input {
            DeskInput::TakeOver { by, mode, with_line } => self.take_over(now, by, mode, with_line),
            DeskInput::HandBack => self.hand_back(now, HandBack::Asked),
            DeskInput::Line { is_up } => self.person_line(now, is_up),
            DeskInput::Speaks => self.hold.spoke(),
            DeskInput::Said { text } => self.person_said(now, text),
            DeskInput::Whisper { by, text } => self.whispered(now, by, text),
            DeskInput::Say { text } => self.desk_says(now, text),
            DeskInput::Transfer { to, mode, brief } => {
                self.end_hold(now, None);
                self.drop_consult(now);
                self.leave_queue(now, QueueOutcome::Withdrawn);
                let brief = brief.as_ref().map(|brief| brief.expose().as_str());
                self.hand_off(now, Wish { to: Some(to), mode, brief, ..Wish::plain("desk") });
            }
            DeskInput::Record { on, by } => self.record(now, on, by),
            DeskInput::Hold { on, by } => self.put_on_hold(now, on, by),
            DeskInput::End => {
                let goodbye = self.agent.lines.goodbye.clone();
                self.close(now, "desk", vec![goodbye], Then::HangUp, true);
            }
        }
    }

    /// Whether the recording leaves out what is heard now.
    pub const fn is_recording_paused(&self) -> bool {
        self.is_recording_paused
    }

    fn record(&mut self, now: CallTime, on: bool, by: Option<String>) {
        if self.is_recording_paused != on {
            return;
        }
        self.is_recording_paused = !on;
        let (entry, live) = if on {
            (Entry::RecordingResumed { by: by.clone() }, LiveKind::RecordingResumed { by })
        } else {
            (Entry::RecordingPaused { by: by.clone() }, LiveKind::RecordingPaused { by })
        };
        self.out.journal(now, entry);
        self.out.live(live);
    }

    fn take_over(&mut self, now: CallTime, by: Option<String>, mode: HoldMode, with_line: bool) {
        self.end_hold(now, by.clone());
        self.drop_consult(now);
        if mode == HoldMode::TakeOver {
            self.leave_queue(now, QueueOutcome::Taken);
        } // Else it is for a word, and they keep their place.
        self.interrupt(now);
        self.stop_voice(now);
        self.drop_guess();
        self.cancel_tool(now);
        self.keypad.take();
        self.is_left_unanswered = false;
        self.no_yes_any_more(now);
        let is_known = self.has_human && self.hold.by == by && self.hold.mode == mode;
        let has_spoken = self.has_human && self.hold.has_spoken;
        self.take_hold(by.clone(), mode, with_line);
        self.hold.has_spoken = has_spoken;
        self.hold.is_line_up = with_line;
        self.person_shows(now);
        if !is_known {
            self.out.journal(now, Entry::TakenOver { by: by.clone(), mode, with_line });
            self.out.live(LiveKind::TakenOver { by, mode });
        }
    }

    pub(super) fn take_hold(&mut self, by: Option<String>, mode: HoldMode, with_line: bool) {
        self.has_human = true;
        self.hold = Hold { by, mode, with_line, is_line_up: false, until: None, has_spoken: false };
    }

    /// Their audio is there.
    pub(super) fn line_is_up(&mut self) {
        self.hold.is_line_up = true;
    }

    pub(super) fn release_hold(&mut self) {
        self.has_human = false;
        self.hold.until = None;
    }

    fn person_line(&mut self, now: CallTime, is_up: bool) {
        if self.has_human {
            self.hold.with_line = true;
            self.hold.is_line_up = is_up;
            self.person_shows(now);
        }
    }

    /// Whoever has the call has shown that they are there.
    pub(super) fn person_shows(&mut self, now: CallTime) {
        self.hold.seen(now, self.typing_ms_max());
    }

    /// Who types has shown that they are there. Whose line is gone shows it by the line alone.
    pub(super) fn typist_shows(&mut self, now: CallTime) {
        if !self.hold.with_line {
            self.person_shows(now);
        }
    }

    /// The audio is back, perhaps in another process: nobody knows whether the person is.
    pub(super) fn person_may_be_gone(&mut self, now: CallTime) {
        let wait_ms = if self.hold.with_line { PERSON_AWAY_MS_MAX } else { self.typing_ms_max() };
        let by = now + Millis(wait_ms);
        self.hold.until = match self.hold.until {
            _ if self.hold.is_line_up => Some(now + Millis(PERSON_IDLE_MS_MAX)),
            // A person whose line is gone is no nearer because the caller's is back.
            Some(until) if self.hold.with_line => Some(until.clamp(now, by)),
            Some(_) | None => Some(by),
        };
    }

    /// When a person who does not show themselves has left.
    pub(super) fn person_deadline(&self) -> Option<(CallTime, &'static str)> {
        // Who is on a telephone shows by hanging up that they have left, unless not even their line is there any more.
        let may_be_gone = self.has_human && (self.consult.is_none() || self.is_bridged() && !self.hold.is_line_up);
        let until = self.hold.until.filter(|_| may_be_gone && !mutant!(AbsentPersonKeepsCall))?;
        // What they have the agent say is heard to its end.
        self.voice.is_none().then_some((until, "person is gone"))
    }

    /// What a person had the agent say was heard.
    pub(super) fn person_was_heard(&mut self, now: CallTime) {
        if self.has_human && !self.is_on_hold() {
            self.typist_shows(now);
        }
    }

    pub(super) fn person_is_gone(&mut self, now: CallTime) {
        if self.agent.is_briefing {
            return self.caller_of_briefing(now, ConsultInput::Left);
        }
        self.hand_back(now, HandBack::Absent);
    }

    /// The agent has the call again and goes on with what was said meanwhile.
    fn hand_back(&mut self, now: CallTime, reason: HandBack) {
        if !self.has_human {
            self.quiet_since = now;
            return;
        }
        self.drop_consult(now);
        self.let_go(now, reason);
        let line = match reason {
            HandBack::Absent => self.agent.lines.handed_back.clone(),
            HandBack::Asked => String::new(),
        };
        self.agent_again(now, line, false);
    }

    /// The person does not have the call any more.
    pub(super) fn let_go(&mut self, now: CallTime, reason: HandBack) {
        if !mutant!(HoldOutlivesPerson) {
            self.end_hold(now, None);
        }
        self.release_hold();
        self.out.journal(now, Entry::HandedBack { reason });
        self.out.live(LiveKind::HandedBack { by: self.hold.by.clone(), reason });
    }

    /// The agent takes the conversation up again, with this line. `is_owed`: the caller waits for an answer, whatever was heard since.
    pub(super) fn agent_again(&mut self, now: CallTime, line: String, is_owed: bool) {
        self.quiet_since = now;
        if self.queue.is_some() {
            return self.wait_on(now);
        }
        if self.media != Media::Up {
            // It goes on when the audio is back.
            self.owed.extend((!line.is_empty()).then_some(line));
            return;
        }
        if self.hearing.stream.is_none() {
            self.hearing.failures = 0;
            self.open_stt();
        }
        let is_heard = self.hearing.is_speaking() || self.hearing.pause.is_some() || self.hearing.has_words();
        if is_heard || self.is_picking_up() {
            // What the caller is saying is answered when it is whole.
            self.owed.extend((!line.is_empty()).then_some(line));
            return;
        }
        let answers_again = mutant!(HandBackAnswersAgain);
        let is_unanswered = (is_owed || self.is_unanswered() || answers_again) && self.tool.is_none();
        let flow_asks =
            self.tool.is_none() && !self.dialog.has_asked() && self.dialog.flow().and_then(FlowRun::question).is_some();
        if (is_unanswered || flow_asks) && self.voice.is_none() {
            self.thought = Some(Thought::new(self.turn, now, self.timing()));
            self.owe_answer(now, now);
        }
        self.say(now, &line);
        self.say_owed(now);
        if is_unanswered {
            self.start_generation(now);
        } else if flow_asks {
            self.turn_goes_on(now);
        }
    }

    /// Whether nobody has answered the caller: neither the agent nor whoever had the call.
    pub(super) fn is_unanswered(&self) -> bool {
        self.dialog.is_unanswered() && !self.hold.has_spoken
    }

    /// What a person said while they had the call. A recogniser may know it only when the agent has it again.
    fn person_said(&mut self, now: CallTime, text: Pii<String>) {
        if text.expose().trim().is_empty() {
            return;
        }
        self.out.journal(now, Entry::PersonTurn { turn: self.turn, text: text.clone() });
        self.out.live(LiveKind::PersonTurn { by: self.hold.by.clone(), text: text.clone() });
        if self.has_human {
            self.hold.spoke();
            self.dialog.person_heard(text.expose());
        } else {
            self.dialog.person_heard_late(text.expose());
        }
    }

    fn whispered(&mut self, now: CallTime, by: Option<String>, text: Pii<String>) {
        self.out.journal(now, Entry::Whispered { by: by.clone(), text: text.clone() });
        self.dialog.whispered(text.expose());
        if mutant!(WhisperSpoken) {
            self.say(now, text.expose());
        }
        self.out.live(LiveKind::Whispered { by, text });
    }

    fn desk_says(&mut self, now: CallTime, text: String) {
        if self.has_human {
            self.hold.spoke();
            self.person_was_heard(now);
        }
        if self.media == Media::Up && (self.has_human || !self.hearing.is_speaking()) {
            self.say(now, &text);
        } else {
            self.owed.push(text);
        }
    }
}
