//! Writes a call that happened as a scenario, so that it becomes a test.

use super::agent::demo_agent;
use super::parse::{Action, Scenario, parse_action, split};
use super::trace::{Fact, Moment, describe_input, describe_output};
use super::world::World;
use crate::io::{Input, Output};
use model::agent::Agent;
use model::call::Direction;
use model::journal::Entry;
use serde_json::{Map, Value};
use std::fmt::Write;

/// When the deadlines of a written call pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadlines {
    /// Each by itself, when it is due: the scenario outlives a change of the engine's times.
    WhenDue,
    /// Each where it passed in the call, which is a moment later than it was due: the scenario is the very call.
    AsWritten,
}

/// Fields of an agent that say whose it is and not how it behaves.
const UNTOLD: [&str; 2] = ["id", "business"];

/// A call as the text of a scenario. `about` becomes its first lines.
pub fn write(
    about: &[String],
    agent: &Agent,
    direction: Direction,
    moments: &[Moment],
    deadlines: Deadlines,
) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for line in about {
        let _ = writeln!(out, "# {line}");
    }
    let _ = writeln!(out, "{}", if deadlines == Deadlines::WhenDue { "recorded" } else { "recorded deadlines" });
    if direction == Direction::Outbound {
        let _ = writeln!(out, "direction outbound");
    }
    write_agent(&mut out, agent);
    let world = World::new(&Scenario::parse("").expect("a text without lines is a scenario"));
    let mut has_begun = false;
    for Moment { at, fact } in moments {
        let action = match fact {
            Fact::In(input) => action(&world, input),
            Fact::Timeout(_) if deadlines == Deadlines::AsWritten => "deadline".into(),
            Fact::Out(output) if has_begun => {
                if let Some(expected) = expected(output) {
                    let _ = writeln!(out, "        expect {expected}");
                }
                continue;
            }
            Fact::Out(_) | Fact::Timeout(_) | Fact::Note(_) => continue,
        };
        has_begun = true;
        let _ = writeln!(out, "{:<7} {action}", at.to_string());
    }
    out
}

/// Every field in which the agent is not the one of scenarios.
fn write_agent(out: &mut String, agent: &Agent) {
    let fields = |agent: &Agent| match serde_json::to_value(agent) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    };
    let usual = fields(&demo_agent());
    for (name, value) in fields(agent) {
        if !UNTOLD.contains(&name.as_str()) && usual.get(&name) != Some(&value) {
            let field = Value::Object(Map::from_iter([(name, value)]));
            let _ = writeln!(out, "agent {}", one_word(&field.to_string()));
        }
    }
}

/// An input in the words of scenarios, or as it is recorded where they have none for it.
fn action(world: &World, input: &Input) -> String {
    let words = in_words(input);
    let read = parse_action(&split(&words)).ok().filter(|action| *action != Action::Nothing);
    if read.and_then(|action| world.input_of(&action)).as_ref() == Some(input) {
        return words;
    }
    let text = serde_json::to_string(input).unwrap_or_default();
    format!("input {}", one_word(&text))
}

/// What a trace says of an input, in the order in which scenarios say it: the id last.
fn in_words(input: &Input) -> String {
    let told = describe_input(input);
    let words: Vec<&str> = told.splitn(3, ' ').collect();
    match (input, words.as_slice()) {
        (_, ["stt" | "brain" | "tts" | "tool", id, rest]) if id.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{} {} @{id}", words[0], unescaped(rest))
        }
        (Input::Playout { utterance, played_ms, finished }, _) => {
            format!("played {played_ms}{} @{utterance}", if *finished { " finished" } else { "" })
        }
        (Input::Carrier(_), ["carrier", state]) => format!("carrier {}", state.replace('_', "-")),
        (Input::Carrier(_), ["caller", "presses", "Interrupt"]) => "caller interrupts".into(),
        (_, ["caller", "overlap", rest]) => format!("caller overlap {}", rest.replace("level - ", "level unknown ")),
        _ => unescaped(&told),
    }
}

/// A trace escapes what it quotes; a scenario takes it as it is, and cannot hold what would need an escape.
fn unescaped(told: &str) -> String {
    match (told.find('"'), told.rfind('"')) {
        (Some(from), Some(to)) if from < to => match serde_json::from_str::<String>(&told[from..=to]) {
            Ok(text) if !text.contains(['"', '\n']) => format!("{}\"{text}\"{}", &told[..from], &told[to + 1..]),
            Ok(_) | Err(_) => told.to_owned(),
        },
        _ => told.to_owned(),
    }
}

/// JSON in which braces stand for objects alone, so that the language finds its end.
fn one_word(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut is_text, mut is_escaped) = (false, false);
    for c in json.chars() {
        match c {
            '{' if is_text => out.push_str("\\u007b"),
            '}' if is_text => out.push_str("\\u007d"),
            c => out.push(c),
        }
        is_text ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
    }
    out
}

/// What a scenario expects of an output: what the caller hears and the journal says, and what reaches the outside.
fn expected(output: &Output) -> Option<String> {
    let told = describe_output(output);
    match output {
        Output::Journal(record) => match &record.entry {
            // Not how long the call lasted: that is exact to the millisecond.
            Entry::Ended { reason, state, .. } => Some(format!("journal ended {reason} {}", state.name())),
            _ => Some(told),
        },
        Output::Speak { .. }
        | Output::Interlude { .. }
        | Output::Press { .. }
        | Output::StopPlayout { .. }
        | Output::StartGeneration { .. }
        | Output::CancelGeneration { .. }
        | Output::HoldUtterance { .. }
        | Output::ReleaseUtterance { .. }
        | Output::RunTool { .. }
        | Output::CancelTool { .. }
        | Output::Transfer { .. }
        | Output::Consult { .. }
        | Output::EndConsult { .. }
        | Output::TakeCaller
        | Output::HangUp { .. }
        | Output::Ended { .. } => Some(told),
        Output::OpenStt { .. }
        | Output::FinalizeStt { .. }
        | Output::JudgeTurn
        | Output::Prepare { .. }
        | Output::EndUtterance { .. }
        | Output::Duck
        | Output::Unduck
        | Output::Live(_)
        | Output::Measure(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Overlap, SpeechInput, SynthesisInput};
    use base::{Failure, GenerationId, SttStreamId, UtteranceId};
    use model::generation::GenerationEvent;

    fn written(input: &Input) -> String {
        let world = World::new(&Scenario::parse("").expect("empty"));
        let text = action(&world, input);
        let read = parse_action(&split(&text)).expect(&text);
        assert_eq!(world.input_of(&read).as_ref(), Some(input), "{text}");
        text
    }

    #[test]
    fn what_has_words_is_written_in_words_and_everything_else_as_it_is_recorded() {
        let partial = |text: &str| Input::Speech(SpeechInput::Partial { stream: SttStreamId(2), text: text.into() });
        assert_eq!(written(&partial("yes, it's mine")), "stt partial \"yes, it's mine\" @2");
        assert!(written(&partial("she said \"no\" {twice")).starts_with("input {"));
        let brain = |event| Input::Generation { id: GenerationId(3), event };
        assert_eq!(written(&brain(GenerationEvent::Text { delta: " It is".into() })), "brain text \" It is\" @3");
        assert!(written(&brain(GenerationEvent::Text { delta: "a\nb".into() })).starts_with("input {"));
        assert!(written(&brain(GenerationEvent::Started)).starts_with("input {"));
        let failed = GenerationEvent::Failed(Failure::new(base::ErrorClass::Timeout, "scripted"));
        assert_eq!(written(&brain(failed)), "brain fails timeout @3");
        let overlap = Overlap { speech_ms: 300, level_db: None, echo: 0.25, voice: 1.0, late_ms: 0 };
        let overlap = Input::Speech(SpeechInput::Overlap(overlap));
        assert_eq!(written(&overlap), "caller overlap 300 level unknown echo 0.25 voice 1");
        let played = Input::Playout { utterance: UtteranceId(4), played_ms: 1_200, finished: true };
        assert_eq!(written(&played), "played 1200 finished @4");
        let words = SynthesisInput::SegmentDone { segment: 0, end_ms: 900, words: vec![(0, 10)] };
        assert!(written(&Input::Synthesis { utterance: UtteranceId(4), event: words }).starts_with("input {"));
    }

    /// Calls between scenarios' own worlds and the machine, written down and run again.
    #[test]
    fn every_scenario_that_ran_can_be_written_down_and_gives_the_same_journal_again() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/scenarios");
        let files =
            std::fs::read_dir(&folder).expect("the folder of scenarios").map(|entry| entry.expect("one").path());
        let mut written = 0;
        for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "call")) {
            let text = std::fs::read_to_string(&path).expect("a text");
            let Ok(scenario) = Scenario::parse(&text) else { continue };
            let report = scenario.run();
            let killed = report.moments.iter().any(|moment| matches!(moment.fact, Fact::Note(_)));
            if killed || !report.failures.is_empty() {
                continue; // Two processes are not one call to write down; what fails is another test's affair.
            }
            written += 1;
            let text = write(&[], &scenario.agent, scenario.direction, &report.moments, Deadlines::AsWritten);
            let again =
                Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display())).run();
            assert_eq!(again.failures, Vec::<String>::new(), "{}\n{text}", path.display());
            assert_eq!(again.journal, report.journal, "{}\n{text}", path.display());
        }
        assert!(written >= 40, "{written} scenarios");
    }

    #[test]
    fn deadlines_that_pass_by_themselves_need_not_be_written() {
        let scenario = Scenario::parse("0.0 carrier media\n3.0 caller says \"When do you open?\"\n9.0 caller hangs-up");
        let scenario = scenario.expect("a scenario");
        let report = scenario.run();
        let about = ["A call.".to_owned()];
        let text = write(&about, &scenario.agent, scenario.direction, &report.moments, Deadlines::WhenDue);
        assert!(text.starts_with("# A call.\nrecorded\n") && !text.contains(" deadline\n"), "{text}");
        assert!(text.contains("expect journal caller-turn \"When do you open?\""), "{text}");
        let again = Scenario::parse(&text).expect(&text).run();
        assert_eq!((again.failures, again.journal), (vec![], report.journal), "{text}");
    }
}
