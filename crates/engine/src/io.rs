//! Everything that can happen to a call and everything the engine can ask its shell for. Both are closed and serialise,
//! so that a call can be recorded and replayed.

use base::{
    CallTime, ErrorClass, Failure, GenerationId, JournalSeq, PhoneNumber, Pii, SttStreamId, ToolCallId, TurnId,
    UtteranceId,
};
use model::agent::HandoffMode;
use model::call::CallState;
use model::generation::{GenerationEvent, GenerationRequest};
use model::journal::{ConsultOutcome, HoldMode, Record};
use model::live::LiveKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Input {
    /// The carrier says so.
    Carrier(CarrierInput),
    /// The caller's audio says so.
    Speech(SpeechInput),
    /// A brain says so.
    Generation {
        /// Which request it answers.
        id: GenerationId,
        /// What.
        event: GenerationEvent,
    },
    /// A synthesiser says so.
    Synthesis {
        /// Which utterance.
        utterance: UtteranceId,
        /// What.
        event: SynthesisInput,
    },
    /// The caller heard. Reported at least once a second while audio is played: silence for longer than
    /// [`base::limits::PLAYOUT_STALL_MS_MAX`] is taken for a stall.
    Playout {
        /// Which utterance.
        utterance: UtteranceId,
        /// Audio of it that was played, from its first sample.
        played_ms: u64,
        /// Whether all audio there will ever be was played. Only after [`Output::EndUtterance`].
        finished: bool,
    },
    /// A tool answered.
    Tool {
        /// Which call of a tool.
        id: ToolCallId,
        /// What it answered.
        result: Result<String, Failure>,
    },
    /// A person at the desk wants something.
    Desk(DeskInput),
    /// About the person who was asked for the caller; in the call to that person, about the caller.
    Consult {
        /// Which [`Output::Consult`] it answers; in the call to the person, 0.
        id: JournalSeq,
        /// What.
        event: ConsultInput,
    },
    /// The host wants something.
    Host(HostInput),
}

/// What becomes of a person who is asked for a caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ConsultInput {
    /// They took the call: the two hear each other now.
    Connected {
        /// The other call, as `call:` and its id.
        by: String,
    },
    /// They did not.
    Ended {
        /// What happened instead.
        outcome: ConsultOutcome,
    },
    /// The other one of the two is gone.
    Left,
}

/// What a carrier reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum CarrierInput {
    /// The carrier reports a state of the call, in any order.
    State {
        /// The state.
        state: CallState,
    },
    /// Audio flows both ways: the conversation can begin (or go on, after a resume).
    MediaStarted,
    /// The audio path is gone. The carrier may bring it back within the grace time.
    MediaLost,
    /// The caller pressed a key.
    Dtmf {
        /// The key.
        digit: Pii<char>,
    },
    /// The caller typed a message instead of speaking.
    Typed {
        /// The words.
        text: Pii<String>,
    },
    /// The caller pressed a button that asks for silence: the agent stops at once and listens.
    Interrupted,
    /// The caller hung up, or pressed End.
    HungUp,
    /// A hand-over to a person was carried out or refused.
    TransferDone {
        /// Whether it worked.
        ok: bool,
    },
}

/// What the caller's audio says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SpeechInput {
    /// The caller began to speak (both VAD stages agree).
    Started,
    /// The caller stopped speaking. `silence_ms` of silence had to pass to know.
    Stopped {
        /// How long ago the last speech was.
        silence_ms: u64,
    },
    /// The caller fell silent a moment ago: too early to call it a pause, early enough to begin preparing an answer.
    /// Followed by [`SpeechInput::Stopped`], or by nothing when the caller goes on.
    Lull {
        /// How long ago the last speech was.
        silence_ms: u64,
    },
    /// What the caller's audio is like while the agent is audible. Told with every onset of speech over the agent and
    /// then every [`base::limits::OVERLAP_EVERY_MS`] until the speech or the agent's audio ends. Without it, speech over
    /// the agent is judged by its length and words alone.
    Overlap(Overlap),
    /// A tone of the telephone network or of a machine, recognised in the caller's audio.
    Tone {
        /// Which.
        tone: LineTone,
    },
    /// Words so far, since the last final.
    Partial {
        /// Which stream.
        stream: SttStreamId,
        /// The words.
        text: Pii<String>,
    },
    /// Words for good; appends to the turn.
    Final {
        /// Which stream.
        stream: SttStreamId,
        /// The words; may be empty.
        text: Pii<String>,
        /// Whether it answers [`Output::FinalizeStt`].
        finalized: bool,
    },
    /// How probable it is that the turn is over, from the audio model. Asked for by [`Output::JudgeTurn`].
    TurnProbability {
        /// 0 to 1.
        probability: f32,
    },
    /// The recogniser itself takes the turn as ended.
    ProviderEndOfTurn {
        /// Which stream.
        stream: SttStreamId,
    },
    /// The stream is gone.
    Failed {
        /// Which stream.
        stream: SttStreamId,
        /// Why.
        class: ErrorClass,
    },
}

/// Evidence about speech over the agent's voice, measured over the speech so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// Voiced audio since the onset, in milliseconds.
    pub speech_ms: u64,
    /// Loudness in decibels relative to the caller's usual speech; `None` while the caller has not been heard yet.
    pub level_db: Option<f32>,
    /// How much of it is explained by what the agent itself is playing: 0 nothing, 1 all.
    pub echo: f32,
    /// How probable it is that it is a voice at all: 0 to 1.
    pub voice: f32,
    /// How much longer ago than it was noticed it began, where noise hid its beginning.
    #[serde(default)]
    pub late_ms: u64,
}

/// Tones that say what is at the other end of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineTone {
    /// A voicemail's beep: from here on the message is recorded.
    Beep,
    /// A calling fax (CNG, 1100 Hz; ITU-T T.30).
    FaxCalling,
    /// An answering fax or modem (CED, 2100 Hz; ITU-T T.30).
    FaxAnswering,
    /// The three rising tones before "the number you have dialled" (SIT; ITU-T E.180).
    SpecialInformation,
    /// Ringing, busy or congestion inside the audio.
    CallProgress,
}

impl LineTone {
    /// The stable name used in scenarios and traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Beep => "beep",
            Self::FaxCalling => "fax-calling",
            Self::FaxAnswering => "fax-answering",
            Self::SpecialInformation => "special-information",
            Self::CallProgress => "call-progress",
        }
    }
}

/// What a synthesiser reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SynthesisInput {
    /// The first audio of the utterance is there.
    FirstAudio,
    /// Words of a segment begin, of which not all audio is there yet. Every word is told once.
    Words {
        /// Which segment, from 0.
        segment: u32,
        /// (byte offset in the segment's text, milliseconds of the utterance), ascending.
        words: Vec<(u32, u64)>,
    },
    /// All audio of this segment is there. Segments finish in order.
    SegmentDone {
        /// Which segment, from 0.
        segment: u32,
        /// Where its audio ends, in milliseconds of the utterance.
        end_ms: u64,
        /// When its words begin: (byte offset in the segment's text, milliseconds of the utterance). Empty where the
        /// provider does not say.
        words: Vec<(u32, u64)>,
    },
    /// An [`Output::Interlude`] whose words were not in the audio cache: a waiting sound is played instead, and its
    /// words are not heard.
    Wordless {
        /// Where the sound ends, in milliseconds of the utterance.
        end_ms: u64,
    },
    /// Whoever speaks has fallen silent by itself because the caller spoke or pressed a key: so much of this segment was heard,
    /// all of those before it, and nothing behind it.
    CutOff {
        /// Which segment, from 0.
        segment: u32,
        /// Bytes of the segment's text.
        heard_bytes: u32,
    },
    /// The utterance cannot be spoken further.
    Failed {
        /// Why.
        class: ErrorClass,
    },
}

/// What a person at the desk wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum DeskInput {
    /// Take the call over: the agent falls silent.
    TakeOver {
        /// Who: kind and id of a credential.
        #[serde(default)]
        by: Option<String>,
        /// For how long.
        #[serde(default)]
        mode: HoldMode,
        /// Whether their audio line is open.
        #[serde(default)]
        with_line: bool,
    },
    /// Hand the call back to the agent.
    HandBack,
    /// Whoever has the call has opened or lost their audio line.
    Line {
        /// Opened, or lost.
        is_up: bool,
    },
    /// Whoever has the call begins to speak.
    Speaks,
    /// Whoever has the call, or had it a moment ago, said this.
    Said {
        /// The words.
        text: Pii<String>,
    },
    /// A hint for the agent that the caller does not hear.
    Whisper {
        /// Who.
        #[serde(default)]
        by: Option<String>,
        /// The words.
        text: Pii<String>,
    },
    /// Make the agent say this.
    Say {
        /// The words.
        text: String,
    },
    /// Hand the caller over to this number, after a word about it.
    Transfer {
        /// Where to.
        to: PhoneNumber,
        /// Whether the person is asked first; `None`: as the agent does it.
        #[serde(default)]
        mode: Option<HandoffMode>,
        /// What the person is told who is asked first; `None`: what the conversation gives.
        #[serde(default)]
        brief: Option<Pii<String>>,
    },
    /// Leave what is heard from here on out of the recording, or put it in again. The words of the call are kept as ever.
    Record {
        /// Put it in again.
        on: bool,
        /// Who.
        #[serde(default)]
        by: Option<String>,
    },
    /// Put the caller on hold, or come back to them: neither they nor the person who has the call hear the other meanwhile. Nothing
    /// changes while the agent has it.
    Hold {
        /// Put them on hold.
        on: bool,
        /// Who.
        #[serde(default)]
        by: Option<String>,
    },
    /// End the call.
    End,
}

/// What the host wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum HostInput {
    /// The process wants to stop; the call must be over by then.
    Drain {
        /// When.
        deadline: CallTime,
    },
    /// The business may spend no more on this call.
    BudgetExhausted,
    /// The call came in outside the hours of its agent. Told before there is audio.
    OutsideHours,
    /// What the phone line says about the call, by name. Told before there is audio.
    LineSaid {
        /// Name and value.
        facts: Pii<BTreeMap<String, String>>,
    },
    /// Where the caller who waits stands in the queue of the business, from 1.
    QueuePosition {
        /// Their place.
        position: u32,
    },
    /// Inputs came faster than they could be handled.
    Overflow,
    /// Somebody else serves a stage. The machine only writes it down.
    Routed(model::journal::Routed),
    /// Saving began or went a step further. The machine only writes it down.
    Saving {
        /// How far it goes now.
        step: model::routing::Saving,
        /// Of which budget.
        budget: model::routing::Budget,
    },
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "output", rename_all = "snake_case")]
pub enum Output {
    /// Append to the journal. Comes before the effect it allows.
    Journal(Record),
    /// Open a recognition stream for the caller's audio. It stays open until the next one or the end.
    OpenStt {
        /// Its id.
        stream: SttStreamId,
    },
    /// Ask the recogniser for the final transcript now.
    FinalizeStt {
        /// Which stream.
        stream: SttStreamId,
    },
    /// Ask the audio model whether the turn is over.
    JudgeTurn,
    /// Ask a brain.
    StartGeneration {
        /// Its id.
        id: GenerationId,
        /// The request.
        request: Box<GenerationRequest>,
    },
    /// Drop a request. Late events of it are ignored.
    CancelGeneration {
        /// Which.
        id: GenerationId,
    },
    /// These lines may be needed at any moment: have their audio ready in the cache of the agent's voice. Comes once,
    /// while the phone rings; the first is the greeting.
    Prepare {
        /// The lines, the most urgent first.
        texts: Vec<String>,
    },
    /// Synthesise this utterance but play nothing of it until [`Output::ReleaseUtterance`]; a [`Output::StopPlayout`]
    /// throws it away. Comes before its first [`Output::Speak`]. Nothing of it was heard until it is released.
    HoldUtterance {
        /// Which.
        utterance: UtteranceId,
    },
    /// Play what was held, from now on, as any other utterance.
    ReleaseUtterance {
        /// Which.
        utterance: UtteranceId,
    },
    /// Play this line now, from the audio cache, before anything else of the utterance in progress that is not with the
    /// carrier yet; what waits goes on after it. If it is not in the cache, a waiting sound is played in its place
    /// ([`SynthesisInput::Wordless`]). It never waits for a provider. It is one segment, 0, with an end of its own;
    /// playout is reported under its own id, and [`Output::StopPlayout`] ends it as any other utterance.
    Interlude {
        /// Its id.
        utterance: UtteranceId,
        /// The words.
        text: String,
    },
    /// Press these keys of the telephone, as tones in the audio that any carrier takes. For all else it is as
    /// [`Output::Interlude`].
    Press {
        /// Its id.
        utterance: UtteranceId,
        /// `0-9 A-D * #`.
        keys: String,
    },
    /// Say one more segment of an utterance. The first segment opens the utterance.
    Speak {
        /// Which utterance.
        utterance: UtteranceId,
        /// Which segment, from 0.
        segment: u32,
        /// The words.
        text: String,
    },
    /// The utterance has no more segments.
    EndUtterance {
        /// Which.
        utterance: UtteranceId,
    },
    /// Stop at once: cancel synthesis, throw away audio, clear the carrier's buffer.
    StopPlayout {
        /// Which utterance.
        utterance: UtteranceId,
    },
    /// Lower the agent's voice while it is decided whether the caller interrupts.
    Duck,
    /// Raise it again.
    Unduck,
    /// Run a tool, once this entry of the journal is durable.
    RunTool {
        /// Its id.
        id: ToolCallId,
        /// Name of the tool.
        name: String,
        /// Its arguments.
        args: serde_json::Value,
        /// Wait until this entry is durable.
        durable: JournalSeq,
    },
    /// Drop a tool. Its effect may have happened; its late answer is ignored.
    CancelTool {
        /// Which.
        id: ToolCallId,
    },
    /// Connect the caller to this number, once this entry is durable.
    Transfer {
        /// Where to.
        to: base::PhoneNumber,
        /// Wait until this entry is durable.
        durable: JournalSeq,
    },
    /// Call this person, tell them this, and connect the two when they take the call ([`Input::Consult`]).
    Consult {
        /// Its id; the journal's entry of this number must be durable first.
        id: JournalSeq,
        /// Whom.
        to: base::PhoneNumber,
        /// What they are told: who calls and why, and how they take the call.
        text: Pii<String>,
    },
    /// Let the person go whom [`Output::Consult`] asked for, whether or not they have the call.
    EndConsult {
        /// Which.
        id: JournalSeq,
    },
    /// The person who was told about a caller takes the call: connect the two. Only in the call to that person.
    TakeCaller,
    /// Hang up on the carrier's side.
    HangUp {
        /// Last words that no voice of ours could speak: a carrier with a voice of its own says them first.
        unsaid: Option<String>,
    },
    /// Tell people who watch.
    Live(LiveKind),
    /// Count something.
    Measure(Measure),
    /// The call is over: free everything. Always last.
    Ended {
        /// Why, in one word.
        reason: String,
        /// How it ended for the carrier.
        state: CallState,
    },
}

/// Things worth counting that only the engine knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "measure", rename_all = "snake_case")]
pub enum Measure {
    /// A turn was answered; where its time went.
    Turn {
        /// Which.
        turn: TurnId,
        /// The stages.
        latency: model::journal::TurnLatency,
    },
    /// The caller interrupted for good.
    BargeIn {
        /// From the onset of speech to the stop.
        after_ms: u64,
    },
    /// Speech over the agent turned out not to be an interruption.
    FalseBargeIn,
    /// A filler had to be said.
    Filler,
    /// An answer that was prepared on a probable end of turn.
    Speculation {
        /// Whether the turn ended there and the answer was used.
        used: bool,
        /// Characters of text that were generated for nothing.
        wasted_chars: u64,
    },
    /// The agent was stopped by what was no interruption and went on from the word that was not heard.
    ResumedSpeech,
    /// The agent showed that it listens to a long story.
    BackChannel,
    /// What answered an outbound call.
    Answered {
        /// Who or what.
        by: model::journal::Party,
        /// How much of its speech it took to know.
        after_ms: u64,
    },
    /// A caller waits in the queue no more.
    LeftQueue {
        /// What became of it.
        outcome: model::journal::QueueOutcome,
        /// How long they have waited.
        waited_ms: u64,
    },
    /// A stage failed and was worked around.
    Fault {
        /// Which stage.
        stage: String,
        /// What kind.
        class: ErrorClass,
    },
}
