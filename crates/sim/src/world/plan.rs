//! What will happen: one queue ordered by time and then by when it was planned, and the choices that fill it.

use super::chance::Chance;
use super::swarm::{Swarm, Trouble};
use base::{CallTime, Millis, SttStreamId, ToolCallId, UtteranceId};
use engine::Input;
use engine::invariants::CallerSound;
use std::collections::BTreeMap;

/// Something that will happen in the world.
#[derive(Clone, Debug)]
pub enum Event {
    /// Somebody tells the process that has the call, if it is still this one.
    Tell(Input),
    /// As before, but about the caller's audio: it needs an audio path.
    Hear(Input),
    /// The carrier reports to whichever process has the call.
    Report(Input),
    /// The caller decides what to do next. Only the newest decision counts.
    Decide(u64),
    /// The caller begins or ends to make a sound of this kind.
    Sound(CallerSound, bool),
    /// The caller's audio is compared with the agent's, from its onset until it is over.
    Evidence(CallerSound, CallTime, CallTime),
    /// The agent's voice may come back now.
    Echo,
    /// A word of the caller has been said.
    Word(CallerSound, String),
    /// The caller's last planned word is over.
    FellSilent(u64),
    /// The caller leaves.
    Leaves,
    /// The recogniser gives a final.
    Final {
        /// Which stream.
        stream: SttStreamId,
        /// Whether it was asked for.
        finalized: bool,
        /// Whether the words get lost.
        is_empty: bool,
        /// Whether it comes again.
        is_twice: bool,
    },
    /// Playout of this utterance moves on.
    Tick(UtteranceId),
    /// A tool's entry is durable: it runs.
    RunTool(ToolCallId),
    /// The audio path changes.
    Media(bool),
    /// The process dies.
    Kill,
    /// Another one goes on.
    Revive,
}

/// The queue, the time, and the choices.
#[derive(Debug)]
pub struct Plan {
    /// Now.
    pub now: CallTime,
    /// What is drawn from the seed.
    pub chance: Chance,
    /// What kinds of trouble there are.
    pub swarm: Swarm,
    /// Which process has the call.
    pub incarnation: u32,
    queue: BTreeMap<(CallTime, u64), (u32, Event)>,
    count: u64,
}

impl Plan {
    /// An empty plan.
    pub fn new(mut chance: Chance) -> Self {
        let swarm = Swarm::draw(&mut chance);
        Self { now: CallTime::ZERO, chance, swarm, incarnation: 0, queue: BTreeMap::new(), count: 0 }
    }

    /// Plans something this many milliseconds from now.
    pub fn after(&mut self, ms: u64, event: Event) {
        self.count += 1;
        self.queue.insert((self.now + Millis(ms), self.count), (self.incarnation, event));
    }

    /// Plans to tell the present process something.
    pub fn tell(&mut self, ms: u64, input: Input) {
        self.after(ms, Event::Tell(input));
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<CallTime> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next thing, with the process it was meant for.
    pub fn pop(&mut self) -> Option<(u32, Event)> {
        self.queue.pop_first().map(|(_, event)| event)
    }

    /// Whether trouble of this kind strikes now.
    pub fn strikes(&mut self, trouble: Trouble) -> bool {
        self.swarm.strikes(&mut self.chance, trouble)
    }

    /// A span from `low` to `high` milliseconds.
    pub fn ms(&mut self, low: u64, high: u64) -> u64 {
        self.chance.between(low, high)
    }
}
