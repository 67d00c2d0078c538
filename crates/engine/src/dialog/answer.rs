//! One answer of a brain as it streams in: sentences to say, tools it asks for, where it comes from.

use crate::call::sentences::Sentences;
use base::Failure;
use base::limits::{EVENTS_PER_MESSAGE_MAX, GENERATION_CHARS_MAX};
use model::generation::{AwaitedSlot, Citation, Finish, GenerationEvent};
use serde_json::Value;

/// A tool call as the brain asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedTool {
    /// The brain's own id for it.
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// Its arguments.
    pub args: Value,
}

/// What an event means for the conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The brain made no progress that counts.
    Nothing,
    /// The brain made progress; sentences may be ready.
    Progress,
    /// The answer is whole.
    Done(Finish),
    /// The brain said more than anyone wants to hear; the rest is thrown away.
    TooLong,
    /// The brain failed.
    Failed(Failure),
}

/// An answer in progress.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    sentences: Sentences,
    chars: usize,
    /// Sentences ready to be said. The reader takes them.
    pub ready: Vec<String>,
    /// Tools asked for, in order.
    pub tools: Vec<AskedTool>,
    /// Where it comes from.
    pub citations: Vec<Citation>,
    /// The argument it asks for.
    pub slot: Option<AwaitedSlot>,
}

impl Answer {
    /// Takes one event in.
    pub fn on(&mut self, event: GenerationEvent) -> Step {
        match event {
            GenerationEvent::Started | GenerationEvent::Usage(_) => Step::Nothing,
            GenerationEvent::Text { delta } => self.on_text(&delta),
            GenerationEvent::ToolCall { id, name, args } => {
                // What was said before a tool is whole: the caller hears it while the tool runs.
                self.sentences.finish(&mut self.ready);
                if self.tools.len() < EVENTS_PER_MESSAGE_MAX {
                    self.tools.push(AskedTool { id, name, args });
                }
                Step::Progress
            }
            GenerationEvent::NeedSlot(slot) => {
                self.slot = Some(slot);
                Step::Progress
            }
            GenerationEvent::Cited { citations } => {
                self.citations.extend(citations);
                self.citations.truncate(EVENTS_PER_MESSAGE_MAX);
                Step::Progress
            }
            GenerationEvent::Done { finish } => {
                self.sentences.finish(&mut self.ready);
                Step::Done(finish)
            }
            GenerationEvent::Failed(failure) => Step::Failed(failure),
        }
    }

    fn on_text(&mut self, delta: &str) -> Step {
        if delta.is_empty() {
            return Step::Nothing;
        }
        self.chars = self.chars.saturating_add(delta.len());
        if self.chars > GENERATION_CHARS_MAX {
            return Step::TooLong;
        }
        self.sentences.push(delta, &mut self.ready);
        Step::Progress
    }

    /// Whether the brain has said anything.
    pub fn has_text(&self) -> bool {
        self.chars > 0
    }

    /// Gives up on the rest: what was begun is said to its end.
    pub fn finish(&mut self) {
        self.sentences.finish(&mut self.ready);
    }
}
