//! Where a conversation stands, in one word.

/// Where a conversation stands. Derived from what is going on, never stored, so that it cannot disagree with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// We asked the carrier to dial.
    Dialling,
    /// The phone rings, or audio does not flow yet.
    Ringing,
    /// It is the caller's turn.
    Listening,
    /// A brain works on the caller's turn and nothing is audible.
    Thinking,
    /// The agent is audible, or about to be.
    Speaking,
    /// A tool runs and nothing is audible.
    WaitingTool,
    /// The audio path is gone and may come back.
    Paused,
    /// A person is being brought to the caller, who waits.
    Consulting,
    /// The caller waits in the queue for a person of the business.
    Queued,
    /// A person has the call.
    WithHuman,
    /// Last words, hand-over or hang-up.
    Ending,
    /// Over.
    Ended,
}

impl Phase {
    /// The stable name used in live events, metrics and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dialling => "dialling",
            Self::Ringing => "ringing",
            Self::Listening => "listening",
            Self::Thinking => "thinking",
            Self::Speaking => "speaking",
            Self::WaitingTool => "waiting_tool",
            Self::Paused => "paused",
            Self::Consulting => "consulting",
            Self::Queued => "queued",
            Self::WithHuman => "with_human",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }
}
