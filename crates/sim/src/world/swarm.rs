//! Swarm testing: each seed draws which kinds of trouble exist in its world and how often they strike. A world where
//! everything fails all the time hides as many defects as one where nothing does.

use super::chance::Chance;

macro_rules! troubles {
    ($($(#[$doc:meta])* $variant:ident => $name:literal),+ $(,)?) => {
        /// One kind of trouble.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Trouble { $($(#[$doc])* $variant),+ }

        impl Trouble {
            /// All of them.
            pub const ALL: &'static [Trouble] = &[$(Trouble::$variant),+];

            /// Its name in reports.
            pub const fn name(self) -> &'static str {
                match self { $(Trouble::$variant => $name),+ }
            }
        }
    };
}

troubles! {
    /// The caller speaks over the agent.
    CallerInterrupts => "caller interrupts",
    /// "Mhm" while the agent speaks.
    BackChannel => "back-channel",
    /// Sounds without words.
    Noise => "noise",
    /// The caller pauses in mid sentence.
    Hesitation => "hesitation",
    /// The caller tells a long story.
    Story => "long story",
    /// Digits in groups with pauses.
    Digits => "digits in groups",
    /// A cough over the agent.
    Cough => "cough",
    /// The caller talks to somebody else while the agent speaks.
    SideTalk => "side talk",
    /// The agent's voice comes back, sometimes with its words.
    Echo => "echo",
    /// Nobody tells what speech over the agent is like.
    NoEvidence => "no evidence",
    /// Phrases are not in the cache.
    PhrasesCold => "phrase not cached",
    /// The caller says nothing for long.
    CallerSilent => "caller is silent",
    /// Keys instead of words.
    Keys => "keys",
    /// Typed text instead of speech.
    TypedText => "typed text",
    /// The caller hangs up at any time.
    CallerLeaves => "caller hangs up",
    /// The caller presses the button that silences the agent.
    SilenceButton => "button pressed",
    /// The end of speech is not noticed.
    StopUnnoticed => "end of speech unnoticed",
    /// A final comes seconds late.
    FinalLate => "late final",
    /// A final comes twice.
    FinalTwice => "duplicate final",
    /// A final without words, though there were some.
    FinalEmpty => "empty final",
    /// No final.
    FinalMissing => "missing final",
    /// The recogniser fails.
    SttFails => "recogniser fails",
    /// Words on a stream that counts no more.
    SttStale => "stale stream",
    /// The recogniser says that the turn is over, rightly or not.
    EndOfTurn => "recogniser ends turn",
    /// The audio model says nothing.
    NoProbability => "no turn probability",
    /// The brain takes seconds before its first piece.
    BrainSlow => "brain slow",
    /// The brain stops in the middle.
    BrainStalls => "brain stalls",
    /// The brain says nothing and is done.
    BrainEmpty => "brain empty",
    /// The brain fails.
    BrainFails => "brain fails",
    /// Pieces in an order that makes no sense.
    BrainGarbled => "brain out of order",
    /// Pieces after the request was called off.
    BrainLate => "brain after cancel",
    /// Arguments nobody said.
    ToolInvented => "invented argument",
    /// Tools that do not exist, arguments of the wrong kind.
    ToolHostile => "hostile tool call",
    /// The voice is slow.
    VoiceSlow => "voice slow",
    /// The voice fails.
    VoiceFails => "voice fails",
    /// The voice gives no audio and says nothing.
    VoiceSilent => "voice silent",
    /// Playout stops moving.
    PlayoutStalls => "playout stalls",
    /// Reports of what was played come late.
    MarksLate => "late marks",
    /// Reports after playout was stopped.
    MarksAfterStop => "marks after stop",
    /// A tool fails.
    ToolFails => "tool fails",
    /// A tool never answers.
    ToolSilent => "tool never answers",
    /// A tool answers after its time.
    ToolLate => "tool late",
    /// States of the call in any order, more than once.
    StatesShuffled => "states in any order",
    /// Nobody picks up, or audio never comes.
    NeverConnected => "never connected",
    /// Audio is lost for a while, or for good.
    MediaLost => "media lost",
    /// A hand-over is refused.
    TransferRefused => "transfer refused",
    /// A hand-over is never answered.
    TransferSilent => "transfer never answered",
    /// A hang-up is never confirmed.
    HangUpSilent => "hang-up not confirmed",
    /// The process wants to stop.
    Drain => "drain",
    /// The budget is spent.
    Budget => "budget",
    /// Too many inputs.
    Overflow => "overflow",
    /// A person takes the call over.
    Desk => "desk",
    /// The journal takes long to become durable.
    JournalSlow => "journal slow",
    /// The process is killed.
    Kill => "kill",
    /// Another process never gets the call.
    CarrierGone => "carrier gone after kill",
    /// Answers to a dead process reach a living one.
    AnswerToTheDead => "answer to dead process",
    /// A deadline is served late.
    TimerLate => "late timer",
}

impl Trouble {
    /// Faults of a recogniser, a brain, a voice or a tool.
    pub const OF_PROVIDERS: &'static [Trouble] = &[
        Self::FinalLate,
        Self::FinalTwice,
        Self::FinalEmpty,
        Self::FinalMissing,
        Self::SttFails,
        Self::SttStale,
        Self::EndOfTurn,
        Self::NoProbability,
        Self::BrainSlow,
        Self::BrainStalls,
        Self::BrainEmpty,
        Self::BrainFails,
        Self::BrainGarbled,
        Self::BrainLate,
        Self::ToolInvented,
        Self::ToolHostile,
        Self::VoiceSlow,
        Self::VoiceFails,
        Self::VoiceSilent,
        Self::ToolFails,
        Self::ToolSilent,
        Self::ToolLate,
    ];
}

/// What this seed's world is like, and what has struck so far.
#[derive(Clone, Debug)]
pub struct Swarm {
    rates: Vec<f64>,
    /// How often each kind struck, in the order of [`Trouble::ALL`].
    pub struck: Vec<u64>,
}

impl Swarm {
    /// Draws a world: one in ten is a fine day, the others have some of the kinds, each as often as it likes.
    pub fn draw(chance: &mut Chance) -> Self {
        let share = if chance.happens(0.1) { 0.0 } else { *chance.one_of(&[0.1, 0.25, 0.4]) };
        let rates = Trouble::ALL
            .iter()
            .map(|trouble| {
                // Few calls live long enough to be killed, so more worlds try.
                let share = if *trouble == Trouble::Kill && share > 0.0 { 0.4 } else { share };
                if chance.happens(share) { *chance.one_of(&[0.05, 0.2, 0.5, 0.9]) } else { 0.0 }
            })
            .collect();
        Self { rates, struck: vec![0; Trouble::ALL.len()] }
    }

    /// Whether this kind exists in this world at all.
    pub fn knows(&self, trouble: Trouble) -> bool {
        self.rates[trouble as usize] > 0.0
    }

    /// How many kinds of a list exist in this world.
    pub fn count(&self, list: &[Trouble]) -> usize {
        list.iter().filter(|trouble| self.knows(**trouble)).count()
    }

    /// Whether it strikes now; counted if so.
    pub fn strikes(&mut self, chance: &mut Chance, trouble: Trouble) -> bool {
        let strikes = chance.happens(self.rates[trouble as usize]);
        self.struck[trouble as usize] += u64::from(strikes);
        strikes
    }
}
