//! The journal is the call: an append-only, versioned stream of entries from which a call's state can be rebuilt.
//!
//! Entries say what was decided and what was heard. An entry precedes the effect it allows (rule 5).

use crate::call::{CallState, Direction};
use crate::generation::{AwaitedSlot, Citation};
use crate::routing::{Budget, Saving, Stage};
use base::{CallTime, ErrorClass, JournalSeq, Millis, Pii, ToolCallId, TurnId, UtteranceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One entry with its place and time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Place in the journal, from 1, without gaps.
    pub seq: JournalSeq,
    /// When, in call time.
    pub at: CallTime,
    /// What.
    pub entry: Entry,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The call began. Always the first entry.
    Started {
        /// Who began it.
        direction: Direction,
    },
    /// A new process goes on with the call. Ids of earlier incarnations are never used again.
    Resumed {
        /// How many processes have had the call; the first is 0.
        incarnation: u32,
    },
    /// The carrier reported a state.
    State {
        /// The state.
        state: CallState,
    },
    /// The caller finished a turn.
    CallerTurn {
        /// Which turn.
        turn: TurnId,
        /// What was said.
        text: Pii<String>,
        /// Whether it was cut to the limit.
        #[serde(default)]
        cut: bool,
        /// Whether it was typed.
        #[serde(default)]
        typed: bool,
        /// How the caller sounds, from -1 (displeased) to 1 (pleased), by their words; `None`: nobody can say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sentiment: Option<f64>,
    },
    /// The caller pressed a key. The digit is personal data: it may be part of a card number.
    Dtmf {
        /// The key.
        digit: Pii<char>,
    },
    /// The agent said something: what of it was heard, no more.
    AgentTurn {
        /// The turn it answers.
        turn: TurnId,
        /// Which utterance.
        utterance: UtteranceId,
        /// What the caller heard.
        heard: Pii<String>,
        /// Whether the caller heard all of it.
        complete: bool,
        /// What it rests on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        citations: Vec<Citation>,
        /// What the caller had to wait for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        latency: Option<TurnLatency>,
    },
    /// A brain asked for a tool and the policy refused.
    ToolRefused {
        /// Which call of a tool.
        id: ToolCallId,
        /// Name of the tool.
        name: String,
        /// Why.
        reason: String,
    },
    /// A tool waits for the caller's yes.
    ConfirmationAsked {
        /// Which call of a tool.
        id: ToolCallId,
        /// Name of the tool.
        name: String,
        /// Its arguments.
        args: Pii<serde_json::Value>,
    },
    /// The caller answered the question above.
    ConfirmationAnswered {
        /// Which call of a tool.
        id: ToolCallId,
        /// Yes or no.
        yes: bool,
    },
    /// A tool may run from here on. Durable before it runs.
    ToolStarted {
        /// Which call of a tool.
        id: ToolCallId,
        /// Name of the tool.
        name: String,
        /// Its arguments.
        args: Pii<serde_json::Value>,
    },
    /// A tool answered.
    ToolFinished {
        /// Which call of a tool.
        id: ToolCallId,
        /// Name of the tool.
        name: String,
        /// Whether it did what it should.
        ok: bool,
        /// What it answered.
        result: Pii<String>,
    },
    /// The agent asked for an argument of a tool.
    SlotAsked(AwaitedSlot),
    /// The caller asked for a person.
    HandoffRequested {
        /// Why, in one word.
        reason: String,
    },
    /// A person is called and told about the caller, who waits.
    ConsultBegan {
        /// Whom: a number of the business.
        to: Pii<String>,
    },
    /// What became of that.
    ConsultEnded {
        /// What.
        outcome: ConsultOutcome,
    },
    /// The caller waits in the queue for a person of the business.
    Queued {
        /// Why, in one word.
        reason: String,
        /// What they want, for whoever takes the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        brief: Option<Pii<String>>,
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
    /// The call goes to a person, who is told about a caller.
    Briefing,
    /// A person who was told about a caller said whether they take the call.
    BriefAnswered {
        /// Whether they do.
        accepted: bool,
    },
    /// A person took the call over: the agent is silent until [`Entry::HandedBack`].
    TakenOver {
        /// Who: kind and id of a credential, such as `user:0199…`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// For how long.
        #[serde(default)]
        mode: HoldMode,
        /// Whether they speak over an audio line of their own, rather than type.
        #[serde(default)]
        with_line: bool,
    },
    /// The agent has the call again.
    HandedBack {
        /// Why.
        #[serde(default)]
        reason: HandBack,
    },
    /// The recording leaves out what is heard until [`Entry::RecordingResumed`].
    RecordingPaused {
        /// Who asked for it: kind and id of a credential.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// What is heard is on the recording again.
    RecordingResumed {
        /// Who asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Whoever has the call has put the caller on hold until [`Entry::OffHold`]: neither hears the other.
    OnHold {
        /// Who asked for it: kind and id of a credential.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// The caller is on hold no more.
    OffHold {
        /// Who asked for it; absent where it ended with something else, as when the person was gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A person who has the call said something to the caller, as a recogniser understood it.
    PersonTurn {
        /// The caller's turn that came before.
        turn: TurnId,
        /// The words.
        text: Pii<String>,
    },
    /// The agent's flow went on. What it says and does there follows.
    FlowMoved {
        /// The node at which it stands now; `None` when it is over.
        node: Option<String>,
        /// The nodes that it went through, in order.
        path: Vec<String>,
        /// The variables.
        values: Pii<serde_json::Value>,
    },
    /// A supervisor gave the agent a hint that the caller does not hear.
    Whispered {
        /// Who.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// The words.
        text: Pii<String>,
    },
    /// The call came in outside the hours of its agent.
    OutsideHours,
    /// What the phone line says about the call, by name: from whom it was diverted, what a telephone system wrote along.
    LineSaid {
        /// Name and value. Whoever runs the line vouches for it, nobody else.
        facts: Pii<BTreeMap<String, String>>,
    },
    /// A rule of the agent kept something from being talked about or said.
    Guarded {
        /// The turn.
        turn: TurnId,
        /// Which kind of rule.
        rule: GuardRule,
        /// The rule, as the agent has it.
        words: String,
    },
    /// What answered an outbound call was recognised.
    AnsweredBy {
        /// Who or what.
        party: Party,
    },
    /// Something outside failed. The call goes on.
    Fault {
        /// Which stage: `stt`, `brain`, `tts`, `tool`, `carrier`, `engine`.
        stage: String,
        /// What kind.
        class: ErrorClass,
    },
    /// Who serves a stage from here on.
    Routed(Routed),
    /// So much of a budget is used that saving begins or goes a step further.
    Saving {
        /// How far it goes now.
        step: Saving,
        /// Of which budget.
        budget: Budget,
    },
    /// The agent or the host decided to end the call.
    Ending {
        /// Why, in one word.
        reason: String,
    },
    /// The call is over. Always the last entry.
    Ended {
        /// Why, in one word.
        reason: String,
        /// How it ended for the carrier.
        state: CallState,
        /// How long it lasted.
        duration: Millis,
    },
}

/// A kind of rule of an agent that holds outside every model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardRule {
    /// A subject that it does not talk about.
    Topic,
    /// A phrase that it never says.
    Phrase,
}

impl GuardRule {
    /// The stable name used in scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Phrase => "phrase",
        }
    }
}

/// What became of the wish to bring a person to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsultOutcome {
    /// They took the call and are connected.
    Accepted,
    /// They did not want it.
    Declined,
    /// Their line was busy.
    Busy,
    /// Nobody picked up, or whoever did said nothing.
    NoAnswer,
    /// A machine picked up.
    Machine,
    /// They could not be called.
    Failed,
    /// The caller went, or somebody else took the call.
    Withdrawn,
}

impl ConsultOutcome {
    /// The stable name used in metrics, journals and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Machine => "machine",
            Self::Failed => "failed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What became of a caller who waited in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueOutcome {
    /// A person took the call.
    Taken,
    /// They want to be called back.
    CallBack,
    /// They hung up, or their line was lost.
    Abandoned,
    /// Nobody came in time.
    TimedOut,
    /// The call was ended or sent elsewhere.
    Withdrawn,
}

impl QueueOutcome {
    /// The stable name used in metrics, journals and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::CallBack => "call_back",
            Self::Abandoned => "abandoned",
            Self::TimedOut => "timed_out",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// For how long a person takes a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldMode {
    /// Until they give it back.
    #[default]
    TakeOver,
    /// For a word in between.
    BargeIn,
}

impl HoldMode {
    /// The stable name used in scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TakeOver => "take-over",
            Self::BargeIn => "barge-in",
        }
    }
}

/// Why an agent has a call again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandBack {
    /// The person gave it back.
    #[default]
    Asked,
    /// The person was gone.
    Absent,
}

impl HandBack {
    /// The stable name used in scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Absent => "absent",
        }
    }
}

/// A decision about who serves a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// Which stage.
    pub stage: Stage,
    /// Registry name of who serves it now.
    pub provider: String,
    /// Why, in one word: `chosen` (the first one of this call), a class of failure, `late`, `silent`, `no_final`,
    /// `switched`, `saving`, `probe`.
    pub reason: String,
}

/// Who or what answers an outbound call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// A person.
    Human,
    /// A voicemail or answering machine.
    Voicemail,
    /// An assistant of the person called that asks who is calling and why.
    Screening,
    /// A menu: press or say something.
    Menu,
    /// A fax or modem.
    Fax,
    /// An announcement of the network: the number is not in service, nobody can be reached.
    Announcement,
    /// Nobody says anything.
    Silence,
}

impl Party {
    /// The stable name used in metrics, journals and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Voicemail => "voicemail",
            Self::Screening => "screening",
            Self::Menu => "menu",
            Self::Fax => "fax",
            Self::Announcement => "announcement",
            Self::Silence => "silence",
        }
    }
}

/// Where the time of one turn went. All relative to the end of the caller's speech; what did not happen is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnLatency {
    /// The turn was taken as ended.
    pub endpoint_ms: Option<u64>,
    /// The final transcript was there.
    pub transcript_ms: Option<u64>,
    /// The first token (or the first words of an on-device answer) was there.
    pub first_token_ms: Option<u64>,
    /// The first audio was there.
    pub first_audio_ms: Option<u64>,
    /// The first audio was heard.
    pub heard_ms: Option<u64>,
}
