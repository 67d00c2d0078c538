//! The file of a recorded call: a header, then every input with its time and every output it led to. Feeding the inputs
//! to a fresh engine must give the same outputs, on any machine and any day. A call that outlived its process has one such
//! part for each; a part may lack its last lines, which died with the process.

use base::{CallTime, Millis};
use engine::Machine;
use engine::call::{CallMachine, CallSetup};
use engine::io::{Input, Output};
use model::agent::Agent;
use model::call::Direction;
use model::journal::{Entry, Record};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Version of the format.
pub const VERSION: u32 = 1;

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
        Self { version: VERSION, agent: agent.clone(), direction, past: past.to_vec() }
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
    #[error("line {line}: recorded {recorded}, replayed {replayed}")]
    Differs {
        /// Which line, from 1.
        line: usize,
        /// What was recorded, as JSON.
        recorded: String,
        /// What the replay gave, as JSON.
        replayed: String,
    },
}

/// What a replay found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Inputs fed.
    pub inputs: usize,
    /// Outputs compared.
    pub outputs: usize,
}

/// Feeds a recorded call to a fresh engine and compares every output.
///
/// # Errors
/// At the first line that cannot be read or that differs.
pub fn run(text: &str) -> Result<Replayed, ReplayError> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut replayed = Replayed::default();
    let Some((_, first)) = lines.next() else {
        return Err(ReplayError::Unreadable { line: 1, why: "the file is empty".into() });
    };
    let mut machine = match parse(0, first)? {
        Line::Header(header) => begin(0, *header)?,
        _ => return Err(ReplayError::Unreadable { line: 1, why: "the first line is not a header".into() }),
    };
    for (index, line) in lines {
        match parse(index, line)? {
            Line::Header(header) if !header.past.is_empty() => machine = begin(index, *header)?,
            Line::Header(_) => {
                return Err(ReplayError::Unreadable { line: index + 1, why: "a second beginning".into() });
            }
            Line::Input { at, input } => {
                drained(&mut machine, index)?;
                replayed.inputs += 1;
                machine.handle(at, input);
            }
            Line::Timeout { at } => {
                drained(&mut machine, index)?;
                replayed.inputs += 1;
                machine.handle_timeout(at);
            }
            Line::Output { output } => {
                let now = machine.poll_output();
                if now.as_ref() != Some(&output) {
                    return Err(differs(index, Some(&output), now.as_ref()));
                }
                replayed.outputs += 1;
            }
        }
    }
    drained(&mut machine, text.lines().count())?;
    Ok(replayed)
}

fn begin(index: usize, header: Header) -> Result<CallMachine, ReplayError> {
    if header.version != VERSION {
        let why = format!("version {} is not known here; this build reads {VERSION}", header.version);
        return Err(ReplayError::Unreadable { line: index + 1, why });
    }
    Ok(machine(&Arc::new(header.agent), header.direction, &header.past))
}

fn parse(index: usize, line: &str) -> Result<Line, ReplayError> {
    serde_json::from_str(line).map_err(|error| ReplayError::Unreadable { line: index + 1, why: error.to_string() })
}

fn drained(machine: &mut CallMachine, index: usize) -> Result<(), ReplayError> {
    match machine.poll_output() {
        None => Ok(()),
        Some(output) => Err(differs(index, None, Some(&output))),
    }
}

fn differs(index: usize, recorded: Option<&Output>, replayed: Option<&Output>) -> ReplayError {
    let json = |output: Option<&Output>| match output {
        Some(output) => serde_json::to_string(output).unwrap_or_else(|error| error.to_string()),
        None => "nothing".into(),
    };
    ReplayError::Differs { line: index + 1, recorded: json(recorded), replayed: json(replayed) }
}
