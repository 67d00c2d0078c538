//! Deliberate defects, so that the simulator can show that it finds them. Only with the cargo feature `mutants`;
//! without it every check is the constant `false`.

use std::cell::Cell;

/// One deliberate defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A generation that never answers is waited for without end.
    NoGenerationDeadline,
    /// Audio that stops moving is waited for without end.
    NoPlayoutDeadline,
    /// Text of a generation that was called off is spoken.
    StaleDeltaAccepted,
    /// An interrupted answer is journaled whole.
    WholeTextAsHeard,
    /// A tool runs before its journal entry is written.
    EffectBeforeJournal,
    /// A new process counts its ids from the beginning again.
    IdReusedAfterRecovery,
    /// A change is carried out without asking.
    ConfirmationSkipped,
    /// A caller's turn is written twice.
    TurnJournaledTwice,
    /// The line is cut before the last words were heard.
    HangUpBeforeGoodbye,
    /// A tool whose outcome is unknown is run again by the next process.
    ToolRerunAfterRecovery,
    /// Nobody notices that the line went quiet.
    IdleNotArmed,
    /// The agent's voice stays low after a false interruption.
    DuckNeverUndone,
    /// One more sentence is spoken after the interruption.
    SegmentAfterStop,
    /// The end is announced twice.
    EndedTwice,
    /// The line is cut twice.
    HangUpTwice,
    /// An entry's number is skipped.
    JournalGap,
    /// An answer that was prepared is given although the caller went on.
    SpeculationNeverDropped,
    /// An answer that was prepared is heard before the turn is over.
    HeldAudioPlayed,
    /// A tool that a prepared answer asks for runs before the turn is over.
    SpeculativeToolRuns,
    /// What was prepared and dropped is written down as said.
    SpeculationJournaled,
    /// After one filler there is silence for as long as it takes.
    FillerOnce,
    /// Nobody notices a silence that is the agent's to end.
    DeadAirNotArmed,
    /// The agent's own voice coming back stops it.
    EchoStopsAgent,
    /// "Mm-hm" stops the agent.
    BackChannelStopsAgent,
    /// After a false stop the whole sentence is said again.
    ResumeRepeatsSentence,
    /// After a false stop words are left out.
    ResumeSkipsWords,
    /// Speech cuts a legal notice off.
    NoticeInterrupted,
    /// A pause between groups of digits ends the turn.
    DigitsCutOff,
    /// The agent talks on over the caller.
    InterruptionIgnored,
    /// A line that was replaced by a waiting sound is written down as said.
    InterludeJournaledWithoutHearing,
    /// A caller's long pauses make the agent wait ever longer.
    LearnedPauseUnbounded,
    /// Words for somebody else in the room stop the agent.
    SideTalkTakesFloor,
    /// The agent answers the caller while a person has the call.
    PersonTalkedOver,
    /// A person who is gone keeps the call.
    AbsentPersonKeepsCall,
    /// A caller is still on hold when the person who put them there is gone.
    HoldOutlivesPerson,
    /// A caller on hold hears nothing.
    SilentHold,
    /// After a person gave the call back the agent answers what the person has answered.
    HandBackAnswersAgain,
    /// The caller hears what was meant for the agent.
    WhisperSpoken,
    /// A yes to a person runs a change that the agent had asked about.
    YesToPersonRunsChange,
    /// A flow goes through a step again after its answer.
    FlowStepDoubled,
    /// After free talk the question of the flow is not asked again.
    FlowLeftAfterFreeTalk,
    /// Whatever is said into a question of the flow that was not heard is its answer.
    FlowUnheardAnswerTaken,
    /// A flow whose tool failed waits for it for ever.
    FlowStuckAtFailedTool,
    /// Another process begins the flow anew.
    FlowForgottenByNextProcess,
    /// A caller in the queue whom nobody takes waits for ever.
    WaitsWithoutEnd,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 45] = [
        Self::NoGenerationDeadline,
        Self::NoPlayoutDeadline,
        Self::StaleDeltaAccepted,
        Self::WholeTextAsHeard,
        Self::EffectBeforeJournal,
        Self::IdReusedAfterRecovery,
        Self::ConfirmationSkipped,
        Self::TurnJournaledTwice,
        Self::HangUpBeforeGoodbye,
        Self::ToolRerunAfterRecovery,
        Self::IdleNotArmed,
        Self::DuckNeverUndone,
        Self::SegmentAfterStop,
        Self::EndedTwice,
        Self::HangUpTwice,
        Self::JournalGap,
        Self::SpeculationNeverDropped,
        Self::HeldAudioPlayed,
        Self::SpeculativeToolRuns,
        Self::SpeculationJournaled,
        Self::FillerOnce,
        Self::DeadAirNotArmed,
        Self::EchoStopsAgent,
        Self::BackChannelStopsAgent,
        Self::ResumeRepeatsSentence,
        Self::ResumeSkipsWords,
        Self::NoticeInterrupted,
        Self::DigitsCutOff,
        Self::InterruptionIgnored,
        Self::InterludeJournaledWithoutHearing,
        Self::LearnedPauseUnbounded,
        Self::SideTalkTakesFloor,
        Self::PersonTalkedOver,
        Self::AbsentPersonKeepsCall,
        Self::HoldOutlivesPerson,
        Self::SilentHold,
        Self::HandBackAnswersAgain,
        Self::WhisperSpoken,
        Self::YesToPersonRunsChange,
        Self::FlowStepDoubled,
        Self::FlowLeftAfterFreeTalk,
        Self::FlowUnheardAnswerTaken,
        Self::FlowStuckAtFailedTool,
        Self::FlowForgottenByNextProcess,
        Self::WaitsWithoutEnd,
    ];
}

thread_local! {
    static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Makes this thread's engines defective in this way, or sound again.
pub fn set_active(mutant: impl Into<Option<Mutant>>) {
    ACTIVE.with(|active| active.set(mutant.into()));
}

/// Whether this thread's engines are defective in this way.
pub fn is_active(mutant: Mutant) -> bool {
    ACTIVE.with(|active| active.get() == Some(mutant))
}
