//! Tools: asked for by a brain, allowed by the policy, started once their journal entry is durable, waited for no longer
//! than their time.

use super::consult::Wish;
use super::ending::Then;
use super::thought::{Asked, RunningTool};
use super::{CallMachine, Media};
use crate::dialog::brief::BRIEF;
use crate::dialog::flow::ToolOutcome;
use crate::dialog::{Refusal, ToolRun, Verdict};
use crate::io::Output;
use base::limits::LLM_FIRST_TOKEN_MS_MAX;
use base::{CallTime, ErrorClass, Failure, Millis, Pii, ToolCallId};
use model::journal::Entry;
use model::live::LiveKind;
use serde_json::Value;

impl CallMachine {
    /// Looks at the next tool that the brain asked for; when there is none, goes on with the turn.
    pub(super) fn next_tool(&mut self, now: CallTime) {
        while let Some(asked) = self.thought.as_mut().and_then(|thought| thought.asked.pop_front()) {
            let verdict = self.dialog.ask_tool(&asked.name, &asked.args);
            match verdict {
                Verdict::Run(run) => {
                    let id = self.ids.tool_call();
                    return self.start_tool(now, id, asked.brain_id, run);
                }
                Verdict::Confirm { question, run } => return self.ask_confirmation(now, &asked, run, question),
                Verdict::Refuse(refusal) => self.refuse_tool(now, asked, &refusal),
                Verdict::TakeKeys { refusal, digits_max } => {
                    self.keypad.ask_for(digits_max);
                    self.refuse_tool(now, asked, &refusal);
                }
                Verdict::Handoff => {
                    let brief = asked.args.get(BRIEF).and_then(Value::as_str);
                    return self.hand_off(now, Wish { brief, ..Wish::plain("asked") });
                }
                Verdict::EndCall => {
                    let goodbye = self.agent.lines.goodbye.clone();
                    return self.close(now, "agent", vec![goodbye], Then::HangUp, false);
                }
            }
        }
        let Some(thought) = &self.thought else { return };
        if thought.has_results { self.start_generation(now) } else { self.turn_goes_on(now) }
    }

    fn refuse_tool(&mut self, now: CallTime, asked: Asked, refusal: &Refusal) {
        let id = self.ids.tool_call();
        let entry = Entry::ToolRefused { id, name: asked.name.clone(), reason: refusal.reason.to_owned() };
        self.out.journal(now, entry);
        self.out.live(LiveKind::Tool { name: asked.name.clone(), status: "refused".to_owned() });
        let tell = format!("Not done: {}", refusal.tell);
        let is_flow = self.dialog.flow_tool_done(&asked.name, Err(ToolOutcome::Failed));
        self.dialog.tool_answered(&asked.brain_id, &asked.name, asked.args, &tell, false);
        if let Some(thought) = self.thought.as_mut().filter(|_| !is_flow) {
            thought.has_results = true;
        }
    }

    /// Asks before a change. The turn ends with the question.
    fn ask_confirmation(&mut self, now: CallTime, asked: &Asked, run: ToolRun, question: String) {
        let id = self.ids.tool_call();
        let entry = Entry::ConfirmationAsked { id, name: run.name.clone(), args: Pii::new(run.args.clone()) };
        self.out.journal(now, entry);
        let tell = "The customer is being asked to confirm. Nothing has been done yet.";
        self.dialog.tool_answered(&asked.brain_id, &asked.name, run.args.clone(), tell, false);
        self.dialog.confirmation_asked(id, &run.name, run.args, Some(question.clone()));
        self.say_in_turn(now, &question);
        self.finish_turn();
    }

    pub(super) fn start_tool(&mut self, now: CallTime, id: ToolCallId, brain_id: String, run: ToolRun) {
        let ToolRun { name, args, changes_state } = run;
        if let Some(running) = &self.tool {
            let busy = Failure::new(ErrorClass::Invalid, format!("{} is still running", running.name));
            self.dialog.flow_tool_done(&name, Err(ToolOutcome::CalledOff));
            self.dialog.tool_answered(&brain_id, &name, args, &failure_text(&busy), false);
            return;
        }
        let entry = Entry::ToolStarted { id, name: name.clone(), args: Pii::new(args.clone()) };
        let early = mutant!(EffectBeforeJournal);
        let run_tool = |durable| Output::RunTool { id, name: name.clone(), args: args.clone(), durable };
        if early {
            self.out.push(run_tool(base::JournalSeq(1)));
        }
        let started = self.out.journal(now, entry);
        self.out.live(LiveKind::Tool { name: name.clone(), status: "started".to_owned() });
        if !early {
            self.out.push(run_tool(started));
        }
        let by = now + Millis(self.timing().tool_ms_max);
        if let Some(thought) = &mut self.thought {
            thought.extend(by + Millis(2 * LLM_FIRST_TOKEN_MS_MAX));
        }
        self.tool = Some(RunningTool { id, turn: self.turn, brain_id, name, args, changes_state, by });
    }

    pub(super) fn on_tool(&mut self, now: CallTime, id: ToolCallId, result: Result<String, Failure>) {
        if self.tool.as_ref().is_some_and(|tool| tool.id == id) {
            self.tool_finished(now, result);
        }
    }

    pub(super) fn tool_timed_out(&mut self, now: CallTime) {
        if let Some(tool) = &self.tool {
            self.out.push(Output::CancelTool { id: tool.id });
            self.tool_finished(now, Err(Failure::new(ErrorClass::Timeout, "the tool did not answer in time")));
        }
    }

    fn tool_finished(&mut self, now: CallTime, result: Result<String, Failure>) {
        let Some((tool, said, is_flow)) = self.close_tool(now, result) else { return };
        let is_present = self.thought.as_ref().is_some_and(|thought| thought.turn == tool.turn);
        let can_speak = self.media == Media::Up && self.thought.is_some();
        match said {
            _ if is_flow => {}
            Some(said) if can_speak => self.say_in_turn(now, &said),
            Some(said) => self.owed.push(said),
            None => {
                if let Some(thought) = &mut self.thought {
                    thought.has_results = true;
                }
            }
        }
        if is_present {
            self.next_tool(now);
        } else {
            // A later turn waited for this outcome.
            self.start_generation(now);
        }
    }

    /// Writes a tool's outcome down. Gives what is to be said about it without asking a brain.
    /// And whether the flow waited for it.
    fn close_tool(
        &mut self,
        now: CallTime,
        result: Result<String, Failure>,
    ) -> Option<(RunningTool, Option<String>, bool)> {
        let tool = self.tool.take()?;
        let ok = result.is_ok();
        let text = match &result {
            Ok(text) => text.clone(),
            Err(failure) => failure_text(failure),
        };
        let entry = Entry::ToolFinished { id: tool.id, name: tool.name.clone(), ok, result: Pii::new(text.clone()) };
        self.out.journal(now, entry);
        let status = if ok { "finished" } else { "failed" };
        self.out.live(LiveKind::Tool { name: tool.name.clone(), status: status.to_owned() });
        let said = self.dialog.say_done(&tool.name, &tool.args, &result);
        let shown = if ok && text.trim().is_empty() { "Done." } else { text.as_str() };
        self.dialog.tool_answered(&tool.brain_id, &tool.name, tool.args.clone(), shown, ok);
        // Only a look-up that was called off has certainly done nothing.
        let outcome = match &result {
            Ok(text) => Ok(text.as_str()),
            Err(failure) if failure.class == ErrorClass::Cancelled && !tool.changes_state => {
                Err(ToolOutcome::CalledOff)
            }
            Err(_) => Err(ToolOutcome::Failed),
        };
        let is_flow = self.dialog.flow_tool_done(&tool.name, outcome);
        Some((tool, said, is_flow))
    }

    /// Calls a look-up off. A change is never called off half-way: its outcome is waited for.
    pub(super) fn cancel_lookup(&mut self, now: CallTime) {
        if self.tool.as_ref().is_some_and(|tool| !tool.changes_state) {
            self.cancel_tool(now);
        }
    }

    /// Calls a tool off, whatever it does.
    pub(super) fn cancel_tool(&mut self, now: CallTime) {
        if let Some(tool) = &self.tool {
            self.out.push(Output::CancelTool { id: tool.id });
            let why = if tool.changes_state { "called off; it may have been carried out" } else { "called off" };
            self.close_tool(now, Err(Failure::new(ErrorClass::Cancelled, why)));
        }
    }
}

fn failure_text(failure: &Failure) -> String {
    format!("Failed ({}): {}", failure.class, failure.detail)
}

/// Arguments of a tool whose outcome an earlier process never learned.
pub(super) struct UnknownTool {
    pub id: ToolCallId,
    pub name: String,
    pub args: Value,
}

impl CallMachine {
    /// The outcome is unknown and stays so: it is written down, told to the brain, and never tried again.
    pub(super) fn close_unknown_tool(&mut self, now: CallTime, tool: UnknownTool) {
        self.dialog.flow_tool_done(&tool.name, Err(ToolOutcome::Failed));
        const WHY: &str = "The outcome is unknown: it may have been carried out. Do not try again; offer a person.";
        let UnknownTool { id, name, args } = tool;
        self.dialog.tool_answered(&format!("unknown_{id}"), &name, args, WHY, false);
        self.out.journal(now, Entry::ToolFinished { id, name, ok: false, result: Pii::new(WHY.to_owned()) });
    }
}
