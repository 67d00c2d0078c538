//! The file of a recorded call: a header, then every input with its time and every output it led to. Feeding the inputs
//! to a fresh engine must give the same outputs, on any machine and any day. A call that outlived its process has one such
//! part for each; a part may lack its last lines, which died with the process.

mod difference;
mod fixture;
mod load;
mod mask;

pub use difference::Difference;
pub use fixture::{Fixture, FixtureError, Words};
pub use load::{LoadError, load};

use base::{CallTime, Millis};
use engine::Machine;
use engine::call::{CallMachine, CallSetup};
use engine::io::{Input, Output};
use engine::scenario::{Fact, Moment, describe_input, timeline};
use model::agent::Agent;
use model::call::Direction;
use model::journal::{Entry, Record};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Version of the format.
pub const VERSION: u32 = 1;
/// Version of the program, as it stands in the header of what it records.
pub const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// Every process that has the call writes its lines behind all that an earlier one can have written.
pub(crate) const PLACES_BITS: u32 = 31;

/// One line of the file, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first line.
    Header(Box<Header>),
    /// Something happened.
    Input {
        /// When.
        at: CallTime,
        /// What.
        input: Input,
    },
    /// The deadline passed.
    Timeout {
        /// When it was handled.
        at: CallTime,
    },
    /// What the engine asked for.
    Output {
        /// What.
        output: Output,
    },
}

/// What the engine began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`].
    pub version: u32,
    /// [`PROGRAM`] of the program that recorded it; empty where an older one did.
    #[serde(default)]
    pub program: String,
    /// The agent's snapshot.
    pub agent: Agent,
    /// Who began the call.
    pub direction: Direction,
    /// The journal it went on from; empty for a new call.
    #[serde(default)]
    pub past: Vec<Record>,
}

impl Header {
    pub(crate) fn new(agent: &Agent, direction: Direction, past: &[Record]) -> Self {
        Self { version: VERSION, program: PROGRAM.into(), agent: agent.clone(), direction, past: past.to_vec() }
    }
}

/// When the machine of a call begins: a moment after the last entry of its journal, so that call time never goes back.
pub(crate) fn begins_at(past: &[Record]) -> CallTime {
    past.last().map_or(CallTime::ZERO, |record| record.at + Millis(1))
}

/// How many processes have had the call before.
pub(crate) fn incarnation(past: &[Record]) -> u32 {
    let resumed = past.iter().filter(|record| matches!(record.entry, Entry::Resumed { .. })).count();
    if past.is_empty() { 0 } else { u32::try_from(resumed + 1).unwrap_or(u32::MAX) }
}

/// The place of the first line that a process writes which goes on from this journal.
pub(crate) fn first_place(past: &[Record]) -> u64 {
    u64::from(incarnation(past)) << PLACES_BITS
}

/// Builds the machine of a call, new or resumed.
pub(crate) fn machine(agent: &Arc<Agent>, direction: Direction, past: &[Record]) -> CallMachine {
    let setup = CallSetup { agent: Arc::clone(agent), direction, incarnation: incarnation(past), now: begins_at(past) };
    if past.is_empty() { CallMachine::new(setup) } else { CallMachine::recover(setup, past) }
}

/// Why a replay did not give what was recorded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read as a recorded call.
    #[error("line {line}: {why}")]
    Unreadable {
        /// Which line, from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// The engine asked for something else.
    #[error(transparent)]
    Differs(Box<Difference>),
}

/// What a replay found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Processes that had the call.
    pub parts: usize,
    /// Inputs fed.
    pub inputs: usize,
    /// Outputs compared.
    pub outputs: usize,
    /// Whether the recording reaches the end of the call.
    pub to_the_end: bool,
}

/// A recorded call that was read and not yet replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// With its number in the file, from 1. The first one is a header.
    lines: Vec<(usize, Line)>,
}

impl Recorded {
    /// Reads the text of a recorded call.
    ///
    /// # Errors
    /// [`ReplayError::Unreadable`] at the first line that cannot be read or stands where it cannot.
    pub fn parse(text: &str) -> Result<Self, ReplayError> {
        let mut lines: Vec<(usize, Line)> = Vec::new();
        let mut program = PROGRAM.to_owned();
        for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let unreadable = |why: String| ReplayError::Unreadable { line: index + 1, why };
            let line = serde_json::from_str(text).map_err(|error| unreadable(unknown_line(&error, &program)))?;
            match &line {
                Line::Header(header) if header.version != VERSION => {
                    let why = format!("version {} is not known here; this program reads {VERSION}", header.version);
                    return Err(unreadable(why));
                }
                Line::Header(header) if !lines.is_empty() && header.past.is_empty() => {
                    return Err(unreadable("a second beginning".into()));
                }
                Line::Header(header) => program.clone_from(&header.program),
                _ if lines.is_empty() => return Err(unreadable("the first line is not a header".into())),
                _ => {}
            }
            lines.push((index + 1, line));
        }
        if lines.is_empty() {
            return Err(ReplayError::Unreadable { line: 1, why: "the file is empty".into() });
        }
        Ok(Self { lines })
    }

    /// Feeds the inputs to a fresh engine and compares every output.
    pub fn replay(&self) -> Replay {
        let mut player = Player::default();
        let outcome = self.lines.iter().try_for_each(|(number, line)| player.play(*number, line));
        let last = self.lines.last().map_or(0, |(number, _)| *number);
        let outcome = outcome.and_then(|()| player.finish(last)).map(|()| player.replayed);
        Replay { outcome, moments: player.moments }
    }
}

fn unknown_line(error: &serde_json::Error, program: &str) -> String {
    let by = match program {
        PROGRAM => String::new(),
        "" => format!("; it was recorded by an older program than this one ({PROGRAM})"),
        other => format!("; it was recorded by version {other}, this is {PROGRAM}"),
    };
    format!("{error}{by}")
}

/// A replay and how it went.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What it found.
    pub outcome: Result<Replayed, ReplayError>,
    moments: Vec<Moment>,
}

impl Replay {
    /// The call as lines, as far as it was replayed. Holds what was said.
    pub fn trace(&self) -> String {
        timeline(&self.moments)
    }
}

/// Reads a recorded call and replays it.
///
/// # Errors
/// At the first line that cannot be read or that differs.
pub fn run(text: &str) -> Result<Replayed, ReplayError> {
    Recorded::parse(text)?.replay().outcome
}

#[derive(Default)]
struct Player {
    machine: Option<CallMachine>,
    program: String,
    now: CallTime,
    /// What happened last, in words.
    after: String,
    replayed: Replayed,
    moments: Vec<Moment>,
}

impl Player {
    fn play(&mut self, number: usize, line: &Line) -> Result<(), ReplayError> {
        match line {
            Line::Header(header) => self.begin(header),
            Line::Input { at, input } => {
                self.happens(number, *at, describe_input(input), Fact::In(input.clone()))?;
                if let Some(machine) = &mut self.machine {
                    machine.handle(*at, input.clone());
                }
            }
            Line::Timeout { at } => {
                let why = self.machine.as_ref().and_then(Machine::next_deadline).map_or("nothing", |(_, why)| why);
                self.happens(number, *at, format!("the deadline \"{why}\""), Fact::Timeout(why))?;
                if let Some(machine) = &mut self.machine {
                    machine.handle_timeout(*at);
                }
            }
            Line::Output { output } => {
                let now = self.machine.as_mut().and_then(Machine::poll_output);
                if now.as_ref() != Some(output) {
                    return Err(self.differs(number, Some(output), now));
                }
                self.replayed.outputs += 1;
                self.replayed.to_the_end = matches!(output, Output::Ended { .. });
                self.moments.push(Moment { at: self.now, fact: Fact::Out(output.clone()) });
            }
        }
        Ok(())
    }

    fn begin(&mut self, header: &Header) {
        let (agent, past) = (Arc::new(header.agent.clone()), &header.past);
        self.machine = Some(machine(&agent, header.direction, past));
        self.program.clone_from(&header.program);
        self.now = begins_at(past);
        self.after = if past.is_empty() { "the beginning".into() } else { "another process took over".into() };
        self.replayed.parts += 1;
        self.replayed.to_the_end = false;
        if !past.is_empty() {
            self.moments.push(Moment { at: self.now, fact: Fact::Note(self.after.clone()) });
        }
    }

    fn happens(&mut self, number: usize, at: CallTime, what: String, fact: Fact) -> Result<(), ReplayError> {
        self.is_drained(number)?;
        (self.now, self.after) = (at, what);
        self.replayed.inputs += 1;
        self.moments.push(Moment { at, fact });
        Ok(())
    }

    fn is_drained(&mut self, number: usize) -> Result<(), ReplayError> {
        match self.machine.as_mut().and_then(Machine::poll_output) {
            None => Ok(()),
            Some(output) => Err(self.differs(number, None, Some(output))),
        }
    }

    /// A recording that breaks off may break off between an input and the last of its outputs.
    fn finish(&mut self, last: usize) -> Result<(), ReplayError> {
        if self.replayed.to_the_end { self.is_drained(last) } else { Ok(()) }
    }

    fn differs(&mut self, line: usize, recorded: Option<&Output>, replayed: Option<Output>) -> ReplayError {
        if let Some(output) = &replayed {
            self.moments.push(Moment { at: self.now, fact: Fact::Out(output.clone()) });
        }
        ReplayError::Differs(Box::new(Difference {
            line,
            at: self.now,
            after: self.after.clone(),
            recorded: recorded.cloned(),
            replayed,
            program: self.program.clone(),
        }))
    }
}
