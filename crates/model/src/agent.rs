//! Agents: what a business configures. A call runs on an immutable snapshot of one, taken when it is answered.

use crate::flow::Flow;
use crate::guard::Guardrails;
use crate::hours::AgentHours;
use crate::routing::AgentProviders;
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
    /// Who serves the stages of its calls; empty leaves it to the installation.
    #[serde(default)]
    pub providers: AgentProviders,
    /// Lines it says by itself.
    #[serde(default)]
    pub lines: Lines,
    /// When it listens, waits and gives up.
    #[serde(default)]
    pub timing: Timing,
    /// How it takes turns with the caller.
    #[serde(default)]
    pub turns: TurnTaking,
    /// What the audio of both sides goes through.
    #[serde(default)]
    pub sound: Sound,
    /// What it does when a call that it placed is answered by something else than a person.
    #[serde(default)]
    pub outbound: Outbound,
    /// What it may do.
    #[serde(default)]
    pub tools: Vec<ToolSpec>,
    /// What it goes through with a caller, step by step; `None`: it only talks.
    #[serde(default)]
    pub flow: Option<Flow>,
    /// Where a caller who wants a person is sent; `None` offers a call-back instead.
    #[serde(default)]
    pub handoff_to: Option<base::PhoneNumber>,
    /// How a caller is handed to a person.
    #[serde(default)]
    pub handoff: Handoff,
    /// The call goes to a person, who is told about a caller and takes that call or leaves it. Only in the snapshot that such a
    /// call begins with, whose greeting is what they are told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_briefing: bool,
    /// When it takes calls, and what it does otherwise; `None`: always.
    #[serde(default)]
    pub hours: Option<AgentHours>,
    /// What it must not do, whatever a model makes of its instructions.
    #[serde(default)]
    pub guardrails: Guardrails,
    /// Whether both sides are recorded.
    #[serde(default = "yes")]
    pub record: bool,
}

fn yes() -> bool {
    true
}

/// How a caller is handed to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handoff {
    /// How a person comes to the caller.
    pub mode: HandoffMode,
    /// The key with which a person who is asked takes the call: `0-9`, `*` or `#`.
    pub accept_key: char,
    /// How long the person's phone rings, in milliseconds.
    pub ring_ms_max: u64,
    /// The key with which a caller who waits in the queue asks to be called back instead: `0-9`, `*` or `#`.
    pub call_back_key: char,
    /// How long a caller waits in the queue before they are sent to the agent's number, or promised a call-back, in milliseconds.
    pub wait_ms_max: u64,
}

impl Default for Handoff {
    fn default() -> Self {
        Self { mode: HandoffMode::Cold, accept_key: '1', ring_ms_max: 25_000, call_back_key: '1', wait_ms_max: 600_000 }
    }
}

impl Handoff {
    /// What is wrong with it, as the name of a field and why.
    ///
    /// # Errors
    /// When a person could not take a call with it.
    pub fn check(&self) -> Result<(), String> {
        for (name, key) in [("accept_key", self.accept_key), ("call_back_key", self.call_back_key)] {
            if !matches!(key, '0'..='9' | '*' | '#') {
                return Err(format!("{name}: one of 0 to 9, * and #"));
            }
        }
        let spans = [
            ("ring_ms_max", self.ring_ms_max, limits::CONSULT_RING_MS_MIN, limits::CONSULT_RING_MS_MAX),
            ("wait_ms_max", self.wait_ms_max, limits::QUEUE_WAIT_MS_MIN, limits::QUEUE_WAIT_MS_MAX),
        ];
        match spans.iter().find(|(_, ms, min, max)| !(min..=max).contains(&ms)) {
            Some((name, _, min, max)) => Err(format!("{name}: {min} to {max}")),
            None => Ok(()),
        }
    }
}

/// How a person comes to a caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandoffMode {
    /// The phone platform connects the caller and we leave.
    #[default]
    Cold,
    /// The person is called first, hears who waits and why, and takes the call or leaves it with the agent. We stay on the line.
    Warm,
    /// The caller stays on the line until a person of the business takes the call at the desk, and hears where they stand.
    Queue,
}

/// Whether an agent answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentStatus {
    /// It answers and calls as soon as a version of it is published.
    #[default]
    Enabled,
    /// It takes no new calls; calls in progress go on.
    Disabled,
    /// It was deleted; only its past calls still name it.
    Archived,
}

impl AgentStatus {
    /// The stable name used in storage and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Archived => "archived",
        }
    }
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

/// How much time an agent gives its caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Patience {
    /// Answers at once; interrupts hesitant speakers more often.
    Quick,
    /// For most callers.
    #[default]
    Normal,
    /// Waits longer in every pause: for elderly callers, second languages, difficult subjects.
    Patient,
}

/// How an agent takes turns with its caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnTaking {
    /// How much time it gives its caller where nothing special was asked.
    pub patience: Patience,
    /// Begin an answer on a probable end of turn, and say it only if the turn has ended.
    pub speculate: bool,
    /// Move the thresholds with the pauses that this caller makes.
    pub learn_pauses: bool,
    /// Say a listening sound now and then while the caller tells a long story.
    pub back_channels: bool,
    /// After a stop that was no interruption, go on from the word that was not heard.
    pub resume_after_false_stop: bool,
}

impl Default for TurnTaking {
    fn default() -> Self {
        Self {
            patience: Patience::Normal,
            speculate: true,
            learn_pauses: true,
            back_channels: false,
            resume_after_false_stop: true,
        }
    }
}

/// What the audio of both sides goes through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sound {
    /// Take the agent's own voice out of what the caller's phone sends back.
    pub echo_guard: bool,
    /// Suppress steady noise in what the recogniser hears.
    pub suppress_noise: bool,
    /// Bring quiet and loud callers to one level for the recogniser.
    pub auto_gain: bool,
    /// A faint hiss instead of digital silence while nobody speaks.
    pub comfort_noise: bool,
    /// What is heard softly behind the agent, lower still while it speaks.
    pub ambience: Option<Ambience>,
}

impl Default for Sound {
    fn default() -> Self {
        Self { echo_guard: true, suppress_noise: false, auto_gain: true, comfort_noise: true, ambience: None }
    }
}

/// A place that an agent seems to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ambience {
    /// A quiet office: air and a distant murmur.
    Office,
    /// A call centre: many voices far away.
    CallCentre,
    /// A room: hardly more than air.
    Room,
}

/// What an agent does when a call that it placed is answered by something else than a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outbound {
    /// Listen first and find out who or what has answered.
    pub screen: bool,
    /// What is left on a voicemail after its beep; empty hangs up instead.
    pub voicemail: String,
    /// Who is calling and why, for an assistant that asks.
    pub introduction: String,
    /// What to press or say in a menu, such as `0` or `reception`; empty hangs up instead.
    pub menu_choice: String,
}

impl Default for Outbound {
    fn default() -> Self {
        Self { screen: true, voicemail: String::new(), introduction: String::new(), menu_choice: String::new() }
    }
}

/// Lines the agent says by itself, in its language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lines {
    /// First words of a call.
    pub greeting: String,
    /// When nobody has said anything for a while.
    pub are_you_there: String,
    /// Said after the greeting and never interrupted: that the call is recorded, for example. Empty says nothing.
    pub notice: String,
    /// When thinking takes long.
    pub filler: String,
    /// When it takes longer still.
    pub still_working: String,
    /// When the caller spoke and nobody could make out words.
    pub not_heard: String,
    /// Listening sounds, in turn.
    pub back_channels: Vec<String>,
    /// When a turn failed and the caller should say it again.
    pub apology: String,
    /// When the answer broke off in the middle.
    pub lost_thread: String,
    /// When the agent has talked for long.
    pub go_on: String,
    /// When nothing works and a person must take over.
    pub give_up: String,
    /// Before the call is handed to a person.
    pub handoff: String,
    /// While a person is being reached and the caller waits.
    pub handoff_waiting: String,
    /// When no person could be reached and the caller is back with the agent.
    pub handoff_failed: String,
    /// When the caller begins to wait in the queue, with a `{key}` placeholder.
    pub queue: String,
    /// Where they stand in it, with a `{position}` placeholder.
    pub queue_position: String,
    /// While they wait, and when they say something meanwhile, with a `{key}` placeholder.
    pub queue_waiting: String,
    /// When the person who has the call puts the caller on hold.
    pub on_hold: String,
    /// While the caller is on hold.
    pub on_hold_waiting: String,
    /// What a person hears who is called for a caller, with `{agent}`, `{business}` and `{brief}` placeholders.
    pub brief: String,
    /// How they take the call, with a `{key}` placeholder.
    pub brief_ask: String,
    /// When they do not take it.
    pub brief_declined: String,
    /// When the caller has hung up meanwhile.
    pub brief_gone: String,
    /// When there is no person to hand over to.
    pub call_back: String,
    /// Last words.
    pub goodbye: String,
    /// Last words when the longest time for a call is over.
    pub time_is_up: String,
    /// First words after the call went on on another node.
    pub resumed: String,
    /// When the agent has the call again because the person who had it is gone.
    pub handed_back: String,
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
            notice: String::new(),
            filler: "One moment, please.".into(),
            still_working: "I'm still on it, just a second.".into(),
            not_heard: "Sorry, I couldn't hear you. Could you say that again?".into(),
            back_channels: vec!["Mm-hm.".into(), "I see.".into(), "Okay.".into()],
            apology: "I'm sorry, I didn't get that. Could you say it again?".into(),
            lost_thread: "I'm sorry, I lost the thread. What else would you like to know?".into(),
            go_on: "Shall I go on?".into(),
            give_up: "I'm sorry, I have a technical problem and cannot help you right now.".into(),
            handoff: "I'll connect you with a colleague.".into(),
            handoff_waiting: "I'm still trying to reach a colleague. Please stay on the line.".into(),
            handoff_failed:
                "I'm sorry, I could not reach a colleague. You are back with me. What else can I do for you?".into(),
            queue: "I'm putting you through to a person. To be called back instead, press {key} at any time.".into(),
            queue_position: "You are number {position} in the queue.".into(),
            queue_waiting:
                "You are still in the queue. Somebody takes your call as soon as possible; press {key} to be called back."
                    .into(),
            on_hold: "One moment, please. I'm putting you on hold.".into(),
            on_hold_waiting: "You are still on hold. Thank you for your patience.".into(),
            brief: "Hello, this is {agent} of {business}. A caller is on the line for you. {brief}".into(),
            brief_ask: "To take the call, say yes or press {key}. To leave it with me, say no or hang up.".into(),
            brief_declined: "All right, I will tell the caller. Goodbye.".into(),
            brief_gone: "The caller has hung up. Thank you, goodbye.".into(),
            call_back: "Nobody is free at the moment. A colleague will call you back.".into(),
            goodbye: "Thank you for calling. Goodbye.".into(),
            time_is_up: "I'm afraid our time is up. Thank you for calling. Goodbye.".into(),
            resumed: "Sorry, the line was interrupted for a moment. Where were we?".into(),
            handed_back: "Thank you for waiting, I am back with you. What else can I do for you?".into(),
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
    /// Speech over the agent after which it falls silent, whatever is said.
    pub barge_in_ms: u64,
    /// Within this after speech over the agent ended with no words, the agent goes on.
    pub barge_in_decide_ms: u64,
    /// Silence on the agent's turn after which a filler is said; the next ones come at [`limits::DEAD_AIR_MS_MAX`] at the
    /// latest.
    pub filler_after_ms: u64,
    /// Thinking after which the turn has failed.
    pub turn_ms_max: u64,
    /// Silence of both sides after which the caller is asked.
    pub idle_ms: u64,
    /// How often the caller is asked before the agent says goodbye.
    pub idle_prompts_max: u32,
    /// Longest speech of the agent before it asks whether to go on.
    pub monologue_ms_max: u64,
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
            endpoint_ms_max: 1_400,
            endpoint_digits_ms: 1_400,
            barge_in_ms: 350,
            barge_in_decide_ms: 350,
            filler_after_ms: 950,
            turn_ms_max: 8_000,
            idle_ms: 8_000,
            idle_prompts_max: 2,
            monologue_ms_max: 60_000,
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
