//! Agents: what a business configures. A call runs on an immutable snapshot of one, taken when it is answered.

use crate::tool::ToolSpec;
use base::{AgentId, BusinessId, Millis, limits};
use serde::{Deserialize, Serialize};

/// An agent, as configured. A call keeps the snapshot it was answered with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Whose it is.
    pub business: BusinessId,
    /// Short name used in addresses and on the command line.
    pub slug: String,
    /// Name as shown to people.
    pub name: String,
    /// Name of the business as spoken.
    pub business_name: String,
    /// Who the agent is and how it behaves: the system prompt of a model brain.
    pub persona: String,
    /// BCP-47 language of the conversation, such as `en`.
    pub language: String,
    /// Which brain answers.
    #[serde(default)]
    pub brain: BrainChoice,
    /// Which voice speaks, in the words of the provider that speaks it; `None` for its default.
    #[serde(default)]
    pub voice: Option<String>,
    /// Lines it says by itself.
    #[serde(default)]
    pub lines: Lines,
    /// When it listens, waits and gives up.
    #[serde(default)]
    pub timing: Timing,
    /// What it may do.
    #[serde(default)]
    pub tools: Vec<ToolSpec>,
    /// Where a caller who wants a person is sent; `None` offers a call-back instead.
    #[serde(default)]
    pub handoff_to: Option<base::PhoneNumber>,
    /// Whether both sides are recorded.
    #[serde(default = "yes")]
    pub record: bool,
}

fn yes() -> bool {
    true
}

/// Which brain answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BrainChoice {
    /// The configured default: a language model when one is configured, else on device. Resolved when a call begins, so
    /// that an engine never sees it.
    #[default]
    Auto,
    /// On device: retrieve, rerank, gate, answer verbatim. It never invents.
    Local,
    /// A language model.
    Llm {
        /// Registry name of the provider; `None` for the configured default.
        #[serde(default)]
        provider: Option<String>,
        /// Model name; `None` for the configured default.
        #[serde(default)]
        model: Option<String>,
    },
}

/// Lines the agent says by itself, in its language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lines {
    /// First words of a call.
    pub greeting: String,
    /// When nobody has said anything for a while.
    pub are_you_there: String,
    /// When thinking takes long.
    pub filler: String,
    /// When a turn failed and the caller should say it again.
    pub apology: String,
    /// When nothing works and a person must take over.
    pub give_up: String,
    /// Before the call is handed to a person.
    pub handoff: String,
    /// When there is no person to hand over to.
    pub call_back: String,
    /// Last words.
    pub goodbye: String,
    /// Last words when the longest time for a call is over.
    pub time_is_up: String,
    /// First words after the call went on on another node.
    pub resumed: String,
    /// What is asked before a change when the tool has no question of its own, with `{tool}` and `{args}` placeholders.
    pub confirm: String,
    /// When the customer said no to a change.
    pub not_done: String,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            greeting: "Hello, how can I help you?".into(),
            are_you_there: "Are you still there?".into(),
            filler: "One moment, please.".into(),
            apology: "I'm sorry, I didn't get that. Could you say it again?".into(),
            give_up: "I'm sorry, I have a technical problem and cannot help you right now.".into(),
            handoff: "I'll connect you with a colleague.".into(),
            call_back: "Nobody is free at the moment. A colleague will call you back.".into(),
            goodbye: "Thank you for calling. Goodbye.".into(),
            time_is_up: "I'm afraid our time is up. Thank you for calling. Goodbye.".into(),
            resumed: "Sorry, the line was interrupted for a moment. Where were we?".into(),
            confirm: "Just to be sure: {tool}, {args}. Shall I go ahead?".into(),
            not_done: "All right, I have not changed anything. What else can I do for you?".into(),
        }
    }
}

/// When the agent listens, waits and gives up. All in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timing {
    /// Silence after which a sentence that sounds finished ends the turn.
    pub endpoint_ms: u64,
    /// Silence after which a sentence that sounds unfinished ends the turn.
    pub endpoint_ms_max: u64,
    /// Silence after which digits, spelling or an e-mail address end the turn.
    pub endpoint_digits_ms: u64,
    /// Speech over the agent that is certainly an interruption.
    pub barge_in_ms: u64,
    /// Within this after speech over the agent ended with no words, the agent goes on.
    pub barge_in_decide_ms: u64,
    /// Thinking after which a filler is said.
    pub filler_after_ms: u64,
    /// Thinking after which the turn has failed.
    pub turn_ms_max: u64,
    /// Silence of both sides after which the caller is asked.
    pub idle_ms: u64,
    /// How often the caller is asked before the agent says goodbye.
    pub idle_prompts_max: u32,
    /// Longest call.
    pub call_ms_max: u64,
    /// Ringing of an outbound call.
    pub ring_ms_max: u64,
    /// Waiting for one tool.
    pub tool_ms_max: u64,
    /// Waiting for the carrier to confirm a hang-up.
    pub hang_up_ms_max: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            endpoint_ms: 300,
            endpoint_ms_max: 1_200,
            endpoint_digits_ms: 1_400,
            barge_in_ms: 600,
            barge_in_decide_ms: 350,
            filler_after_ms: 900,
            turn_ms_max: 8_000,
            idle_ms: 8_000,
            idle_prompts_max: 2,
            call_ms_max: limits::CALL_MS_MAX,
            ring_ms_max: 45_000,
            tool_ms_max: 5_000,
            hang_up_ms_max: 5_000,
        }
    }
}

impl Timing {
    /// A span of this timing as [`Millis`].
    pub fn call_max(&self) -> Millis {
        Millis(self.call_ms_max)
    }
}
