//! Turns a recorded call into a scenario: what happened, and what the engine does with it today.

use super::mask::Mask;
use super::{Header, Line, Recorded, ReplayError, machine};
use base::{CallTime, Failure, GenerationId};
use engine::Machine;
use engine::io::{Input, Output};
use engine::scenario::{Deadlines, Fact, Moment, Scenario, describe_output, write};
use model::generation::GenerationEvent;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What becomes of the words of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Names, numbers and addresses are made up.
    MadeUp,
    /// They stay as they were said.
    Kept,
}

/// A call as a scenario that runs green.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixture {
    /// The scenario.
    pub text: String,
    /// What its reader should know.
    pub notes: Vec<String>,
}

/// Why a call does not become a scenario.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FixtureError {
    /// It cannot be read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The scenario does not go as written: an invariant of the engine does not hold in this call, or the language lacks
    /// something. Its text is there to be looked at.
    #[error("the scenario does not go as written:\n  {}", failures.join("\n  "))]
    Fails {
        /// What failed.
        failures: Vec<String>,
        /// The scenario.
        text: String,
    },
}

/// What happened, without what the engine did.
#[derive(Clone, Debug)]
enum Event {
    Input(Input),
    Timeout,
}

impl Recorded {
    /// Turns the call into a scenario. Of a call that outlived its process it is the first part.
    ///
    /// # Errors
    /// When the scenario does not run green.
    pub fn fixture(&self, words: Words) -> Result<Fixture, FixtureError> {
        let mut notes = Vec::new();
        let Some((_, Line::Header(header))) = self.lines.first() else {
            return Err(ReplayError::Unreadable { line: 1, why: "the first line is not a header".into() }.into());
        };
        let is_new = header.past.is_empty();
        let part: Vec<&Line> = std::iter::once(&self.lines[0])
            .chain(self.lines[1..].iter().take_while(|(_, line)| !matches!(line, Line::Header(_))))
            .map(|(_, line)| line)
            .collect();
        if !is_new {
            let why = "the beginning of the call is not recorded".into();
            return Err(ReplayError::Unreadable { line: 1, why }.into());
        }
        if part.len() < self.lines.len() {
            notes.push("another process took the call over; the scenario ends there".into());
        }
        if let Err(error) = self.replay().outcome {
            notes.push(format!(
                "the engine decides otherwise than in the call; the scenario has what it does now\n{error}"
            ));
        }
        let kept = plain(events(&part));
        let mut moments = perform(header, &kept);
        if words == Words::MadeUp {
            let masked = masked(header, &kept);
            let made_up = perform(header, &masked);
            if let Some(at) = parts_at(&moments, &made_up) {
                notes.push(format!(
                    "with made-up words the engine goes another way from {at} on; the scenario has that one \
                     (--keep-words keeps the words)"
                ));
            }
            moments = made_up;
        }
        let text = green(header, &moments, words, part.len() < self.lines.len())?;
        Ok(Fixture { text, notes })
    }
}

/// Writes the scenario, with deadlines that pass by themselves if it runs green like that.
fn green(header: &Header, moments: &[Moment], words: Words, is_cut: bool) -> Result<String, FixtureError> {
    let last = moments.last().map_or(CallTime::ZERO, |moment| moment.at);
    let what = if is_cut { "The beginning of a recorded call" } else { "A recorded call" };
    let mut about = vec![format!("{what}, {last} s.")];
    if words == Words::MadeUp {
        about.push("Names, numbers and addresses in it are made up.".into());
    }
    let mut failures = Vec::new();
    let mut text = String::new();
    for deadlines in [Deadlines::WhenDue, Deadlines::AsWritten] {
        text = write(&about, &header.agent, header.direction, moments, deadlines);
        failures = match Scenario::parse(&text) {
            Ok(scenario) => scenario.run().failures,
            Err(error) => vec![error.to_string()],
        };
        if failures.is_empty() {
            return Ok(text);
        }
    }
    Err(FixtureError::Fails { failures, text })
}

fn events(part: &[&Line]) -> Vec<(CallTime, Event)> {
    let event = |line: &&Line| match line {
        Line::Input { at, input } => Some((*at, Event::Input(input.clone()))),
        Line::Timeout { at } => Some((*at, Event::Timeout)),
        Line::Header(_) | Line::Output { .. } => None,
    };
    part.iter().filter_map(event).collect()
}

/// What only the outside knows and the engine does not look at becomes the same in every call, so that the language has
/// words for it.
fn plain(mut events: Vec<(CallTime, Event)>) -> Vec<(CallTime, Event)> {
    let mut calls: BTreeMap<GenerationId, usize> = BTreeMap::new();
    for (_, event) in &events {
        if let Event::Input(Input::Generation { id, event: GenerationEvent::ToolCall { .. } }) = event {
            *calls.entry(*id).or_default() += 1;
        }
    }
    let scripted = |failure: &mut Failure| *failure = Failure::new(failure.class, "scripted");
    for (_, event) in &mut events {
        match event {
            Event::Input(Input::Generation { event: GenerationEvent::Failed(failure), .. }) => scripted(failure),
            Event::Input(Input::Tool { result: Err(failure), .. }) => scripted(failure),
            Event::Input(Input::Generation { id, event: GenerationEvent::ToolCall { id: call, .. } })
                if calls.get(id) == Some(&1) =>
            {
                *call = "call".into();
            }
            _ => {}
        }
    }
    events
}

fn masked(header: &Header, events: &[(CallTime, Event)]) -> Vec<(CallTime, Event)> {
    let inputs = events.iter().filter_map(|(_, event)| match event {
        Event::Input(input) => Some(input),
        Event::Timeout => None,
    });
    let mut mask = Mask::of(&header.agent, inputs);
    let masked = |(at, event): &(CallTime, Event)| match event {
        Event::Input(input) => (*at, Event::Input(mask.input(input))),
        Event::Timeout => (*at, Event::Timeout),
    };
    events.iter().map(masked).collect()
}

/// What the engine does with it.
fn perform(header: &Header, events: &[(CallTime, Event)]) -> Vec<Moment> {
    let mut machine = machine(&Arc::new(header.agent.clone()), header.direction, &[]);
    let mut moments = Vec::new();
    let drain = |machine: &mut engine::call::CallMachine, moments: &mut Vec<Moment>, at| {
        while let Some(output) = machine.poll_output() {
            moments.push(Moment { at, fact: Fact::Out(output) });
        }
    };
    drain(&mut machine, &mut moments, CallTime::ZERO);
    for (at, event) in events {
        match event {
            Event::Input(input) => {
                moments.push(Moment { at: *at, fact: Fact::In(input.clone()) });
                machine.handle(*at, input.clone());
            }
            Event::Timeout => {
                let why = machine.next_deadline().map_or("nothing", |(_, why)| why);
                moments.push(Moment { at: *at, fact: Fact::Timeout(why) });
                machine.handle_timeout(*at);
            }
        }
        drain(&mut machine, &mut moments, *at);
    }
    moments
}

/// When two calls begin to consist of other steps, whatever the words.
fn parts_at(one: &[Moment], other: &[Moment]) -> Option<CallTime> {
    let kind = |moment: &Moment| match &moment.fact {
        Fact::Out(output @ (Output::Journal(_) | Output::Live(_) | Output::Measure(_))) => {
            describe_output(output).split(' ').take(2).collect::<Vec<_>>().join(" ")
        }
        Fact::Out(output) => describe_output(output).split(' ').next().unwrap_or_default().to_owned(),
        Fact::In(_) | Fact::Timeout(_) | Fact::Note(_) => String::new(),
    };
    let parted = one.iter().zip(other).find(|(one, other)| kind(one) != kind(other)).map(|(one, _)| one.at);
    parted.or_else(|| (one.len() != other.len()).then(|| one.last().map_or(CallTime::ZERO, |moment| moment.at)))
}
