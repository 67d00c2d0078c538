//! What people who watch a call see while it happens. Hints only: the journal is the truth.

use crate::call::CallState;
use crate::generation::Citation;
use crate::journal::{GuardRule, HandBack, HoldMode, QueueOutcome, Routed, TurnLatency};
use crate::routing::{Budget, Saving};
use base::{CallTime, Pii, TurnId};
use serde::{Deserialize, Serialize};

/// One event of a live call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveEvent {
    /// When, in call time.
    pub at: CallTime,
    /// What.
    #[serde(flatten)]
    pub kind: LiveKind,
}

/// What an agent that was taught makes of a turn of the caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Understood {
    /// Which turn.
    pub turn: TurnId,
    /// Name of what the caller wants; absent: nothing that the agent was taught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// How probable that is, from 0 to 1.
    pub probability: f32,
    /// What the caller named, in the order of the words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<NamedValue>,
    /// Version of the training that says so.
    pub training: u32,
}

/// Something that a caller named, of a type that the agent was taught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedValue {
    /// Name of the type.
    pub entity: String,
    /// The value that it stands for.
    pub value: Pii<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LiveKind {
    /// The carrier's state changed.
    State {
        /// The state.
        state: CallState,
    },
    /// The conversation's phase changed: `listening`, `thinking`, `speaking`, `waiting_tool`, `ending`, ….
    Phase {
        /// The phase.
        phase: String,
    },
    /// The caller began or stopped speaking.
    CallerSpeaking {
        /// Speaking or not.
        speaking: bool,
    },
    /// What the caller seems to be saying.
    Partial {
        /// The words so far.
        text: Pii<String>,
    },
    /// What the caller said.
    CallerTurn {
        /// Which turn.
        turn: TurnId,
        /// The words.
        text: Pii<String>,
        /// How the caller sounds, from -1 (displeased) to 1 (pleased); `None`: nobody can say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sentiment: Option<f64>,
    },
    /// What the caller wants, as the agent was taught to tell, a moment after they said it.
    Understood(Understood),
    /// What the agent is about to say.
    AgentSaying {
        /// Which turn.
        turn: TurnId,
        /// The words of this sentence.
        text: Pii<String>,
    },
    /// What of it was heard.
    AgentTurn {
        /// Which turn.
        turn: TurnId,
        /// The words heard.
        text: Pii<String>,
        /// Whether all of it was heard.
        complete: bool,
        /// What it rests on.
        citations: Vec<Citation>,
        /// What the caller had to wait for.
        latency: Option<TurnLatency>,
    },
    /// A tool was used or refused.
    Tool {
        /// Name of the tool.
        name: String,
        /// `started`, `finished`, `failed` or `refused`.
        status: String,
    },
    /// Something outside failed.
    Fault {
        /// Which stage.
        stage: String,
        /// What kind.
        class: base::ErrorClass,
    },
    /// Who serves a stage from here on.
    Routed(Routed),
    /// The agent's flow went on.
    Flow {
        /// The node at which it stands now; `None` when it is over.
        node: Option<String>,
        /// The nodes that it went through, in order.
        path: Vec<String>,
    },
    /// A rule of the agent kept something from being talked about or said.
    Guarded {
        /// Which kind of rule.
        rule: GuardRule,
        /// The rule, as the agent has it.
        words: String,
    },
    /// The caller waits in the queue for a person of the business.
    Queued {
        /// Why, in one word.
        reason: String,
    },
    /// The caller is told where they stand in it.
    QueuePosition {
        /// Their place, from 1.
        position: u32,
    },
    /// The caller waits no more.
    LeftQueue {
        /// What became of it.
        outcome: QueueOutcome,
        /// How long they have waited.
        waited_ms: u64,
    },
    /// A person took the call over.
    TakenOver {
        /// Who.
        by: Option<String>,
        /// For how long.
        mode: HoldMode,
    },
    /// The agent has the call again.
    HandedBack {
        /// Who had it.
        by: Option<String>,
        /// Why.
        reason: HandBack,
    },
    /// The recording leaves out what is heard from here on.
    RecordingPaused {
        /// Who asked for it.
        by: Option<String>,
    },
    /// What is heard is on the recording again.
    RecordingResumed {
        /// Who asked for it.
        by: Option<String>,
    },
    /// Whoever has the call has put the caller on hold: neither hears the other.
    OnHold {
        /// Who asked for it.
        by: Option<String>,
    },
    /// The caller is on hold no more.
    OffHold {
        /// Who asked for it, if anybody did.
        by: Option<String>,
    },
    /// A supervisor gave the agent a hint.
    Whispered {
        /// Who.
        by: Option<String>,
        /// The words.
        text: Pii<String>,
    },
    /// A person who has the call said this to the caller.
    PersonTurn {
        /// Who.
        by: Option<String>,
        /// The words.
        text: Pii<String>,
    },
    /// Saving begins or goes a step further.
    Saving {
        /// How far it goes now.
        step: Saving,
        /// Of which budget.
        budget: Budget,
    },
    /// The call is over.
    Ended {
        /// Why, in one word.
        reason: String,
    },
}

impl LiveKind {
    /// Whether the caller may see it, too. What supervisors do and who they are is not for callers.
    pub const fn is_for_caller(&self) -> bool {
        !matches!(
            self,
            Self::Flow { .. }
                | Self::Understood(_)
                | Self::Guarded { .. }
                | Self::Queued { .. }
                | Self::QueuePosition { .. }
                | Self::LeftQueue { .. }
                | Self::TakenOver { .. }
                | Self::HandedBack { .. }
                | Self::RecordingPaused { .. }
                | Self::RecordingResumed { .. }
                | Self::OnHold { .. }
                | Self::OffHold { .. }
                | Self::Whispered { .. }
                | Self::PersonTurn { .. }
        )
    }

    /// What a visitor of a website sees of it. Somebody who reads must know that a person answers now, and what they say;
    /// which person stays within the business.
    pub fn for_visitor(&self) -> Option<Self> {
        match self {
            Self::TakenOver { mode, .. } => Some(Self::TakenOver { by: None, mode: *mode }),
            Self::HandedBack { reason, .. } => Some(Self::HandedBack { by: None, reason: *reason }),
            Self::PersonTurn { text, .. } => Some(Self::PersonTurn { by: None, text: text.clone() }),
            // How they sound to us is no matter of theirs.
            Self::CallerTurn { turn, text, .. } => {
                Some(Self::CallerTurn { turn: *turn, text: text.clone(), sentiment: None })
            }
            Self::Flow { .. }
            | Self::Tool { .. }
            | Self::Fault { .. }
            | Self::Routed(_)
            | Self::Saving { .. }
            | Self::Understood(_)
            | Self::Guarded { .. }
            | Self::Queued { .. }
            | Self::QueuePosition { .. }
            | Self::LeftQueue { .. }
            | Self::RecordingPaused { .. }
            | Self::RecordingResumed { .. }
            | Self::OnHold { .. }
            | Self::OffHold { .. }
            | Self::Whispered { .. } => None,
            other => Some(other.clone()),
        }
    }
}
