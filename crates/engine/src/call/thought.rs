//! One turn being answered: the brain's request in progress, its deadlines, and what it asked for.

use crate::dialog::Answer;
use base::limits::{LLM_FIRST_TOKEN_MS_MAX, LLM_STALL_MS_MAX};
use base::{CallTime, GenerationId, Millis, ToolCallId, TurnId};
use model::agent::Timing;
use serde_json::Value;
use std::collections::VecDeque;

/// A request to a brain in progress.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub id: GenerationId,
    pub answer: Answer,
    /// Until when the next piece must come.
    by: CallTime,
    has_begun: bool,
    /// Whether a sentence of it went to the voice.
    pub has_spoken: bool,
}

impl Running {
    pub fn new(id: GenerationId, answer: Answer, now: CallTime) -> Self {
        Self { id, answer, by: now + Millis(LLM_FIRST_TOKEN_MS_MAX), has_begun: false, has_spoken: false }
    }

    /// A piece came.
    pub fn progress(&mut self, now: CallTime) {
        self.has_begun = true;
        self.by = now + Millis(LLM_STALL_MS_MAX);
    }

    pub fn deadline(&self) -> (CallTime, &'static str) {
        (self.by, if self.has_begun { "generation stall" } else { "first token" })
    }
}

/// A tool that a brain asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub brain_id: String,
    pub name: String,
    pub args: Value,
}

/// A tool in progress.
#[derive(Clone, Debug)]
pub(super) struct RunningTool {
    pub id: ToolCallId,
    pub turn: TurnId,
    pub brain_id: String,
    pub name: String,
    pub args: Value,
    pub changes_state: bool,
    pub by: CallTime,
}

/// One turn being answered.
#[derive(Clone, Debug)]
pub(super) struct Thought {
    pub turn: TurnId,
    pub running: Option<Running>,
    /// Tools asked for and not looked at yet.
    pub asked: VecDeque<Asked>,
    /// Whether a tool's result or refusal waits for the brain.
    pub has_results: bool,
    /// Whether anything but a filler was said.
    pub has_spoken: bool,
    /// Generations that failed.
    pub failures: u32,
    /// Generations that were started.
    pub generations: u32,
    by: CallTime,
}

impl Thought {
    pub fn new(turn: TurnId, now: CallTime, timing: &Timing) -> Self {
        Self {
            turn,
            running: None,
            asked: VecDeque::new(),
            has_results: false,
            has_spoken: false,
            failures: 0,
            generations: 0,
            by: now + Millis(timing.turn_ms_max),
        }
    }

    /// A tool runs now: the turn may take that much longer.
    pub fn extend(&mut self, until: CallTime) {
        self.by = self.by.max(until);
    }

    /// When the turn has failed.
    pub fn turn_deadline(&self) -> Option<(CallTime, &'static str)> {
        (!self.has_spoken).then_some((self.by, "turn"))
    }
}
