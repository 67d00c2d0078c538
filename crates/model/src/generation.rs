//! What a brain is asked and what it answers. Brains are language models or the on-device pipeline; the engine cannot
//! tell them apart.

use crate::agent::BrainChoice;
use crate::tool::ToolSpec;
use base::{Failure, Pii};
use serde::{Deserialize, Serialize};

/// One request to a brain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationRequest {
    /// Which brain.
    pub brain: BrainChoice,
    /// The conversation so far, oldest first, cut to the token budget. The last one is what must be answered.
    pub messages: Vec<ChatMessage>,
    /// Tools it may ask for.
    pub tools: Vec<ToolSpec>,
    /// A tool that lacks an argument which the agent has just asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaiting: Option<AwaitedSlot>,
    /// BCP-47 language to answer in.
    pub language: String,
    /// Tokens to answer with at most.
    pub tokens_max: u32,
}

/// A tool that waits for one argument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AwaitedSlot {
    /// Name of the tool.
    pub tool: String,
    /// Arguments known so far.
    pub args: serde_json::Map<String, serde_json::Value>,
    /// Name of the argument that was asked for.
    pub slot: String,
}

/// One message of the conversation, as a brain sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum ChatMessage {
    /// Instructions.
    System {
        /// The text.
        text: String,
    },
    /// What the customer said.
    Customer {
        /// The words.
        text: Pii<String>,
    },
    /// What the agent said, as far as it was heard.
    Agent {
        /// The words.
        text: String,
    },
    /// A tool the agent asked for.
    ToolCall {
        /// Ties call and result together.
        id: String,
        /// Name of the tool.
        name: String,
        /// Its arguments.
        args: serde_json::Value,
    },
    /// What the tool answered.
    ToolResult {
        /// Ties call and result together.
        id: String,
        /// Name of the tool.
        name: String,
        /// What it answered, as text.
        text: String,
    },
}

/// What a brain answers, piece by piece.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum GenerationEvent {
    /// The request was accepted.
    Started,
    /// More text to say.
    Text {
        /// The piece.
        delta: String,
    },
    /// It wants a tool. Given once, whole, in the order the brain asked.
    ToolCall {
        /// The brain's own id for it.
        id: String,
        /// Name of the tool.
        name: String,
        /// Its arguments.
        args: serde_json::Value,
    },
    /// It needs an argument before it can use a tool; its text asks for it.
    NeedSlot(AwaitedSlot),
    /// Where the answer comes from.
    Cited {
        /// The passages.
        citations: Vec<Citation>,
    },
    /// Tokens used.
    Usage(TokenUsage),
    /// It is complete.
    Done {
        /// Why it stopped.
        finish: Finish,
    },
    /// It failed; nothing follows.
    Failed(Failure),
}

/// Why a generation stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It said all it wanted to.
    Stop,
    /// It waits for tools.
    ToolCalls,
    /// It ran out of tokens.
    Length,
    /// Moderation stopped it.
    Filtered,
    /// It has no answer in the documents and offers a person.
    Declined,
}

/// Tokens used by one generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Tokens read.
    pub input: u32,
    /// Of them, from the provider's cache.
    pub cached: u32,
    /// Of them, written into the provider's cache, for which some take more.
    #[serde(default, skip_serializing_if = "is_none")]
    pub cache_writes: u32,
    /// Tokens written.
    pub output: u32,
}

/// What was not used is not recorded.
fn is_none(tokens: &u32) -> bool {
    *tokens == 0
}

/// A passage that an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// Document.
    pub document: String,
    /// Section within it.
    pub section: String,
    /// The words used.
    pub quote: String,
    /// Page of the document, from 1, where it has pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
}
