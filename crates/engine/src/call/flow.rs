//! The flow of the agent, if it has one: begun behind the greeting, gone on with when its question was answered or its tool is
//! done, and come back to when something else was talked about.

use super::consult::Wish;
use super::ending::Then;
use super::thought::{Asked, Thought};
use super::{CallMachine, Media};
use crate::dialog::flow::{FlowLeg, FlowRun, FlowThen, journaled};
use base::CallTime;
use model::journal::Entry;
use model::live::LiveKind;

impl CallMachine {
    fn flow_is_ready(&self) -> bool {
        self.dialog.flow().is_some_and(FlowRun::is_ready)
    }

    /// What is said from here on belongs to the flow, which has the first word.
    pub(super) fn begin_flow(&mut self, now: CallTime) {
        if self.flow_is_ready() {
            self.thought = Some(Thought::new(self.turn, now, self.timing()));
        }
    }

    /// Goes on to where the flow waits for somebody.
    pub(super) fn flow_on(&mut self, now: CallTime) {
        let Some(FlowLeg { says, then, path }) = self.dialog.flow_go() else { return self.finish_turn() };
        self.flow_moved(now, path);
        for text in says {
            self.say_in_turn(now, &text);
        }
        match then {
            FlowThen::Ask | FlowThen::Free => self.finish_turn(),
            FlowThen::Tool { name, args } => {
                let brain_id = format!("flow_{name}");
                if let Some(thought) = &mut self.thought {
                    thought.asked.push_back(Asked { brain_id, name, args });
                }
                self.next_tool(now);
            }
            FlowThen::Transfer(to) => self.hand_off(now, Wish { to, ..Wish::plain("flow") }),
            FlowThen::End(text) => {
                let text = text.unwrap_or_else(|| self.agent.lines.goodbye.clone());
                self.close(now, "flow", vec![text], Then::HangUp, false);
            }
        }
    }

    /// Writes down where it stands.
    fn flow_moved(&mut self, now: CallTime, path: Vec<String>) {
        let node = self.dialog.flow().and_then(FlowRun::place).map(str::to_owned);
        let values = self.dialog.flow().map(|flow| journaled(flow.values())).unwrap_or_default();
        self.out.journal(now, Entry::FlowMoved { node: node.clone(), path: path.clone(), values });
        self.out.live(LiveKind::Flow { node, path });
    }

    pub(super) fn flow_is_on(&self) -> bool {
        self.dialog.flow().and_then(FlowRun::place).is_some()
    }

    /// The question was given up and nothing follows it. The next process must not ask it again.
    pub(super) fn flow_given_up(&mut self, now: CallTime) {
        self.flow_moved(now, Vec::new());
    }

    /// The turn has its answer: the flow goes on if it can, and asks again what was not answered.
    pub(super) fn turn_goes_on(&mut self, now: CallTime) {
        if self.queue.is_some() {
            return; // A person answers.
        }
        if self.flow_is_ready() {
            return self.flow_on(now);
        }
        // One question at a time: what the talk has asked comes first.
        if let Some(question) = self.dialog.flow().and_then(FlowRun::question)
            && !self.dialog.has_asked()
            && !mutant!(FlowLeftAfterFreeTalk)
        {
            self.say_in_turn(now, &question);
        }
        self.finish_turn();
    }

    /// A flow that could go on never waits for somebody to say something.
    pub(super) fn flow_when_free(&mut self, now: CallTime) {
        let is_free = self.media == Media::Up && self.closing.is_none() && !self.has_human && self.began_at.is_some();
        let is_quiet = !self.is_busy() && self.tool.is_none() && !self.is_picking_up() && self.queued.is_empty();
        let is_heard = self.hearing.is_speaking() || self.hearing.pause.is_some() || self.hearing.has_words();
        if is_free
            && self.queue.is_none()
            && is_quiet
            && !is_heard
            && self.flow_is_ready()
            && self.dialog.flow().is_some_and(FlowRun::has_begun)
        {
            self.begin_flow(now);
            self.flow_on(now);
        }
    }
}
