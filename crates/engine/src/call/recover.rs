//! A call survives the death of its process: what the journal knows is rebuilt, and the conversation goes on where it
//! stood. What was in progress and is not in the journal is not done again.

use super::ending::Then;
use super::outbox::Outbox;
use super::thought::Thought;
use super::tools::UnknownTool;
use super::{CallMachine, CallSetup, Media};
use crate::dialog::flow::{FlowRun, ToolOutcome};
use base::limits::STREAM_TOKEN_MS_MAX;
use base::{CallTime, JournalSeq, Millis};
use model::call::CallState;
use model::journal::{ConsultOutcome, Entry, Party, Record};
use std::collections::BTreeMap;

impl CallMachine {
    /// Goes on with a call of an earlier process. `setup.incarnation` is above every earlier one. The caller is greeted
    /// with the `resumed` line once audio flows; a turn that nobody answered is answered then.
    pub fn recover(setup: CallSetup, journal: &[Record]) -> CallMachine {
        let last_seq = journal.last().map_or(JournalSeq(0), |record| record.seq);
        let incarnation = setup.incarnation;
        let mut call = Self::begin(setup, Outbox::after(last_seq));
        call.is_recovered = true;
        call.media = Media::Awaited { by: call.now + Millis(STREAM_TOKEN_MS_MAX) };
        let mut open_tools = BTreeMap::new();
        let mut answered = None;
        let mut consulting = false;
        for record in journal {
            call.replay(record, &mut open_tools, &mut answered);
            consulting = match record.entry {
                Entry::ConsultBegan { .. } => true,
                Entry::ConsultEnded { .. } => false,
                _ => consulting,
            };
        }
        if call.is_ended {
            return call;
        }
        let now = call.now;
        call.out.journal(now, Entry::Resumed { incarnation });
        call.is_notice_due = call.began_at.is_some()
            && !call.agent.lines.notice.trim().is_empty()
            && {
                let notice = call.agent.lines.notice.as_str();
                let heard = |record: &Record| matches!(&record.entry, Entry::AgentTurn { heard, .. } if heard.expose().contains(notice));
                !journal.iter().any(heard)
            };
        call.prepare_lines();
        for (_, tool) in open_tools {
            if mutant!(ToolRerunAfterRecovery) {
                let durable = JournalSeq(last_seq.0);
                let (id, name, args) = (tool.id, tool.name.clone(), tool.args.clone());
                call.out.push(crate::io::Output::RunTool { id, name, args, durable });
            }
            call.close_unknown_tool(now, tool);
        }
        if let Some(asked) = answered {
            // The yes is in the journal but the tool's start is not: it never ran, and is asked about again.
            call.dialog.confirmation_asked(asked.id, &asked.name, asked.args, None);
        }
        if consulting {
            call.out.journal(now, Entry::ConsultEnded { outcome: ConsultOutcome::Failed });
            call.owed.push(call.agent.lines.handoff_failed.clone());
        }
        call.dialog.flow_recovered();
        call.settle(now);
        call
    }

    /// Takes one entry in. `open_tools` are started and not finished; `answered` got its yes and has not started.
    fn replay(
        &mut self,
        record: &Record,
        open_tools: &mut BTreeMap<base::ToolCallId, UnknownTool>,
        answered: &mut Option<UnknownTool>,
    ) {
        match &record.entry {
            Entry::Started { .. } | Entry::Resumed { .. } | Entry::Dtmf { .. } | Entry::Fault { .. } => {}
            Entry::HandoffRequested { .. } | Entry::Routed(_) | Entry::Saving { .. } => {}
            Entry::ConsultEnded { .. } | Entry::BriefAnswered { .. } => {}
            Entry::ConsultBegan { .. } => self.consults += 1,
            Entry::Queued { .. } | Entry::QueuePosition { .. } | Entry::LeftQueue { .. } => self.replay_queue(record),
            // The caller's call went its own way with the process that joined the two.
            Entry::Briefing => self.unfinished_ending = Some("caller_gone".into()),
            Entry::OutsideHours => self.note_outside_hours(),
            Entry::LineSaid { facts } => self.dialog.line_said(facts.expose()),
            Entry::Guarded { .. } => self.refusals += 1,
            // A machine is not talked to again.
            Entry::AnsweredBy { party: Party::Human | Party::Silence } => self.unfinished_ending = None,
            Entry::AnsweredBy { party } => self.unfinished_ending = Some(party.name().to_owned()),
            Entry::ToolRefused { name, .. } => {
                self.dialog.flow_tool_done(name, Err(ToolOutcome::Failed));
            }
            Entry::FlowMoved { node, values, .. } => self.dialog.flow_restore(node.as_deref(), values.expose()),
            Entry::State { state } => self.replay_state(record.at, *state),
            Entry::CallerTurn { turn, text, .. } => {
                self.turn = *turn;
                self.hold.caller_spoke();
                if self.has_human {
                    self.dialog.hear_customer(text.expose());
                } else {
                    self.dialog.customer_before(text.expose());
                }
            }
            Entry::AgentTurn { heard, .. } => self.dialog.agent_heard(heard.expose()),
            Entry::ConfirmationAsked { id, name, args } => {
                self.dialog.confirmation_asked(*id, name, args.expose().clone(), None);
            }
            Entry::ConfirmationAnswered { yes, .. } => {
                let pending = self.dialog.confirmation_closed();
                if let Some(pending) = pending.as_ref().filter(|_| !*yes) {
                    self.dialog.flow_tool_done(&pending.name, Err(ToolOutcome::Failed));
                }
                let agreed = pending.filter(|_| *yes);
                *answered = agreed.map(|tool| UnknownTool { id: tool.id, name: tool.name, args: tool.args });
            }
            Entry::ToolStarted { id, name, args } => {
                *answered = None;
                open_tools.insert(*id, UnknownTool { id: *id, name: name.clone(), args: args.expose().clone() });
            }
            Entry::ToolFinished { id, name, ok, result } => {
                let outcome = if *ok { Ok(result.expose().as_str()) } else { Err(ToolOutcome::Failed) };
                self.dialog.flow_tool_done(name, outcome);
                let args = open_tools.remove(id).map(|tool| tool.args).unwrap_or_default();
                self.dialog.tool_answered(&format!("tool_{id}"), name, args, result.expose(), *ok);
            }
            Entry::SlotAsked(slot) => {
                self.dialog.slot_asked(slot.clone());
            }
            Entry::TakenOver { .. } | Entry::HandedBack { .. } => self.replay_desk(record),
            Entry::PersonTurn { .. } | Entry::Whispered { .. } => self.replay_desk(record),
            Entry::RecordingPaused { .. } | Entry::RecordingResumed { .. } => self.replay_desk(record),
            Entry::OnHold { .. } | Entry::OffHold { .. } => self.replay_hold(&record.entry),
            Entry::Ending { reason } => self.replay_ending(reason),
            Entry::Ended { .. } => self.is_ended = true,
        }
    }

    /// What people at the desk did.
    fn replay_desk(&mut self, record: &Record) {
        match &record.entry {
            Entry::TakenOver { by, mode, with_line } => self.take_hold(by.clone(), *mode, *with_line),
            Entry::HandedBack { .. } => self.release_hold(),
            Entry::RecordingPaused { .. } => self.is_recording_paused = true,
            Entry::RecordingResumed { .. } => self.is_recording_paused = false,
            Entry::PersonTurn { text, .. } => {
                self.hold.spoke();
                self.dialog.person_heard(text.expose());
            }
            Entry::Whispered { text, .. } => self.dialog.whispered(text.expose()),
            _ => {}
        }
    }

    fn replay_ending(&mut self, reason: &str) {
        self.release_hold();
        self.unfinished_ending = Some(reason.to_owned());
    }

    fn replay_state(&mut self, at: CallTime, state: CallState) {
        if state == CallState::Active {
            self.began_at.get_or_insert(at);
        }
        self.state = self.state.advance(state).unwrap_or(self.state);
    }

    /// The audio is back, in this process or a later one: says so, and takes up what was left.
    pub(super) fn go_on(&mut self, now: CallTime, was_held: bool) {
        if let Some(reason) = self.unfinished_ending.take() {
            let lines = vec![self.agent.lines.resumed.clone(), self.agent.lines.goodbye.clone()];
            self.close(now, &reason, lines, Then::HangUp, false);
            return;
        }
        if self.queue.is_some() {
            if !was_held {
                let resumed = self.agent.lines.resumed.clone();
                self.say(now, &resumed);
            }
            return self.wait_on(now);
        }
        let question = self.dialog.pending_question().map(str::to_owned);
        let was_left = std::mem::take(&mut self.is_left_unanswered);
        let is_unanswered = (was_left || self.is_unanswered()) && self.tool.is_none();
        let flow_asks = self.dialog.flow().and_then(FlowRun::question);
        let flow_goes = self.dialog.flow().is_some_and(FlowRun::is_ready);
        let has_more = question.is_some() || is_unanswered || flow_asks.is_some() || flow_goes;
        self.thought = has_more.then(|| Thought::new(self.turn, now, self.timing()));
        // Who comes back from somewhere else knows that they were away.
        if !was_held {
            let resumed = self.agent.lines.resumed.clone();
            self.say(now, &resumed);
        }
        self.say_owed(now);
        if let Some(question) = question {
            self.say_in_turn(now, &question);
            self.finish_turn();
        } else if flow_goes {
            self.flow_on(now);
        } else if is_unanswered {
            self.start_generation(now);
        } else if flow_asks.is_some() {
            self.turn_goes_on(now);
        }
    }
}
