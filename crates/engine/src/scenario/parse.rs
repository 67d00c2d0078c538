//! The language of scenarios.
//!
//! | actor | actions |
//! |---|---|
//! | `carrier` | a state such as `ringing`, `media`, `media-lost`, `transfer-ok`, `transfer-failed` |
//! | `caller` | `says "…" [pausing MS "…"]…`, `hums "…"`, `mumbles MS`, `coughs`, `talks-aside "…"`, `echoes MS ["…"]` |
//! | `caller` | `started`, `lull [silence_ms]`, `stopped [silence_ms]`, `overlap MS [level DB] [echo E] [voice V] [late MS]` |
//! | `caller` | `types "…"`, `presses 1`, `interrupts`, `hangs-up` |
//! | `line` | `tone beep`, or another tone of a telephone line |
//! | `stt` | `partial "…"`, `final "…"`, `finalized "…"`, `end-of-turn`, `probability 0.2`, `fails CLASS` |
//! | `brain` | `text "…"`, `tool NAME {…}`, `done [finish]`, `fails CLASS` |
//! | `tts` | `first-audio`, `segment-done SEGMENT END_MS`, `wordless END_MS`, `cut-off SEGMENT BYTES`, `fails CLASS` |
//! | `played` | `MS [finished]` |
//! | `tool` | `answers "…"`, `fails CLASS` |
//! | `desk` | `takes-over [as WHO] [on-line]`, `barges-in …`, `hands-back`, `says "…"`, `whispers "…"`, `ends`, `pauses-recording`, `resumes-recording`, `holds`, `unholds` |
//! | `desk` | `line-lost`, `line-up`, `speaks`, `talks "…"`: the person who has the call, over their own line |
//! | `colleague` | `connected`, `leaves`, or an outcome such as `declined`: the person who is asked for the caller |
//! | `host` | `drain SECONDS`, `budget`, `overflow`, `position 2` in the queue |
//! | `process` | `killed` |
//! | `input` | `{…}`: any input, as it is recorded |
//! | `deadline` | passes, in a call that is `recorded deadlines` |
//!
//! An action of `stt`, `brain`, `tts`, `played` and `tool` is about the newest stream, request, utterance or call of a
//! tool; `@1` at its end makes it about the first. A time alone only ends the window of the expectations above it.
//!
//! What a caller says, hums, mumbles, coughs, says to others or sends back as an echo reaches the call as a real ear would
//! tell it: the onset, words, evidence while the agent is audible, a lull, the stop.
//!
//! Lines without a time set the stage:
//!
//! | line | meaning |
//! |---|---|
//! | `direction outbound`, `brain local`, `handoff +49… [warm]`, `handoff queue` | what call it is |
//! | `briefing "…"` | a call in which a person is told this about a caller |
//! | `timing NAME MS`, `line NAME "…"`, `line back-channels "…" "…"` | the agent's settings |
//! | `turns speculate on`, `turns patience quick`, `turns back-channels on`, `turns resume on`, `turns learn on` | how it takes turns |
//! | `outbound screen on`, `outbound voicemail "…"`, `outbound introduction "…"`, `outbound menu "…"` | what it does on calls it placed |
//! | `manual stt brain tts playout tools carrier phrases` | who does not answer by itself; `phrases` empties the phrase cache |
//! | `reply …`, `result …` | what brain and tools answer, in order |
//! | `agent {…}` | fields of the agent, as it is stored |
//! | `recorded`, `recorded deadlines` | a call that happened: nothing happens but what is written, and with `deadlines` not even these |
use super::agent::demo_agent;
use crate::io::{ConsultInput, DeskInput, Input, LineTone, Overlap};
use base::ErrorClass;
use model::agent::{Agent, BrainChoice, HandoffMode};
use model::call::{CallState, Direction};
use model::generation::Finish;
use model::journal::HoldMode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

/// What is wrong with a scenario's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ScenarioError {}

/// What a brain answers when it is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reply {
    pub text: Option<String>,
    pub tools: Vec<(String, Value)>,
    pub slot: Option<(String, String)>,
    pub end: ReplyEnd,
}

/// How a scripted answer ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum ReplyEnd {
    #[default]
    Done,
    Declined,
    Fails(ErrorClass),
    /// It never does.
    Never,
}

/// What a tool answers; `None` for nothing at all.
pub(super) type ToolReply = Option<Result<String, ErrorClass>>;

/// Who answers by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Auto {
    pub stt: bool,
    pub brain: bool,
    pub tts: bool,
    pub playout: bool,
    pub tools: bool,
    pub carrier: bool,
    /// Whether every line is in the phrase cache.
    pub phrases: bool,
    /// Deadlines pass when they are due.
    pub deadlines: bool,
    /// Every input is written down as it happened: nobody answers by themselves, no audio is there to be measured.
    pub recorded: bool,
}

impl Auto {
    const ALL: Self = Self {
        stt: true,
        brain: true,
        tts: true,
        playout: true,
        tools: true,
        carrier: true,
        phrases: true,
        deadlines: true,
        recorded: false,
    };

    const fn recorded(deadlines: bool) -> Self {
        Self {
            stt: false,
            brain: false,
            tts: false,
            playout: false,
            tools: false,
            carrier: false,
            phrases: false,
            deadlines,
            recorded: true,
        }
    }
}

/// Words said in one go, and the pause before the next ones.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Breath {
    pub text: String,
    pub pause_ms: u64,
}

/// Sounds of a caller that are no turn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Aside {
    /// "Mm-hm" and the like.
    Hums(String),
    /// A voice without words.
    Mumbles(u64),
    Coughs,
    /// Words for somebody else, further from the phone.
    ToOthers(String),
    /// The agent's own voice coming back, perhaps with words that it said.
    Echoes(u64, String),
}

/// One action. `of` names the stream, request, utterance or call of a tool, counted from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Nothing,
    State(CallState),
    Media,
    MediaLost,
    Transfer(bool),
    Says(Vec<Breath>),
    Sounds(Aside),
    Started,
    Lull(u64),
    Overlaps(Overlap),
    Tone(LineTone),
    Stopped(u64),
    Types(String),
    Presses(char),
    Interrupts,
    HangsUp,
    Partial { text: String, of: Option<u64> },
    Final { text: String, finalized: bool, of: Option<u64> },
    EndOfTurn { of: Option<u64> },
    Probability(f32),
    SttFails { class: ErrorClass, of: Option<u64> },
    BrainText { text: String, of: Option<u64> },
    BrainTool { name: String, args: Value, of: Option<u64> },
    BrainDone { finish: Finish, of: Option<u64> },
    BrainFails { class: ErrorClass, of: Option<u64> },
    FirstAudio { of: Option<u64> },
    SegmentDone { segment: u32, end_ms: u64, of: Option<u64> },
    Wordless { end_ms: u64, of: Option<u64> },
    CutOff { segment: u32, heard_bytes: u32, of: Option<u64> },
    TtsFails { class: ErrorClass, of: Option<u64> },
    Played { ms: u64, finished: bool, of: Option<u64> },
    ToolAnswers { text: String, of: Option<u64> },
    ToolFails { class: ErrorClass, of: Option<u64> },
    Desk(DeskInput),
    Consult(ConsultInput),
    Drain(u64),
    Budget,
    OutsideHours,
    Position(u32),
    Overflow,
    Killed,
    Input(Box<Input>),
    Deadline,
}

/// Something expected of the machine.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expect {
    pub line: usize,
    pub kind: ExpectKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ExpectKind {
    Next {
        at_ms: Option<u64>,
        text: String,
    },
    Never(String),
    Phase(String),
    /// The longest silence while it is the agent's turn.
    SilenceBelow(u64),
}

/// One timed line and what is expected of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub at_ms: u64,
    pub action: Action,
    pub expects: Vec<Expect>,
}

/// A call written as text.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(super) agent: Agent,
    pub(super) direction: Direction,
    pub(super) auto: Auto,
    pub(super) replies: Vec<Reply>,
    pub(super) results: Vec<ToolReply>,
    pub(super) steps: Vec<Step>,
}

impl Scenario {
    /// Reads a scenario.
    pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        let mut scenario = Scenario {
            agent: demo_agent(),
            direction: Direction::Inbound,
            auto: Auto::ALL,
            replies: Vec::new(),
            results: Vec::new(),
            steps: Vec::new(),
        };
        for (at, raw) in text.lines().enumerate() {
            let line = at + 1;
            scenario.read(line, raw, &split(raw)).map_err(|message| ScenarioError { line, message })?;
        }
        Ok(scenario)
    }

    fn read(&mut self, line: usize, raw: &str, words: &[&str]) -> Result<(), String> {
        match words {
            [] => Ok(()),
            ["expect", ..] => {
                let rest = raw.trim().trim_start_matches("expect").trim();
                let step = self.steps.last_mut().ok_or("nothing has happened yet")?;
                step.expects.push(Expect { line, kind: expect(rest)? });
                Ok(())
            }
            [time, action @ ..] if time.starts_with(|c: char| c.is_ascii_digit()) => {
                let at_ms = millis(time)?;
                if self.steps.last().is_some_and(|step| step.at_ms > at_ms) {
                    return Err(format!("{time} is before the line above"));
                }
                self.steps.push(Step { at_ms, action: parse_action(action)?, expects: Vec::new() });
                Ok(())
            }
            header => self.header(header),
        }
    }

    fn header(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            ["direction", "inbound"] => self.direction = Direction::Inbound,
            ["direction", "outbound"] => self.direction = Direction::Outbound,
            ["brain", "local"] => self.agent.brain = BrainChoice::Local,
            ["brain", "llm"] => self.agent.brain = BrainChoice::Llm { provider: None, model: None },
            ["handoff", number, mode] => {
                self.agent.handoff_to = Some(number.parse().map_err(|e| format!("{e}"))?);
                self.agent.handoff.mode = word(mode)?;
            }
            ["handoff", "queue"] => self.agent.handoff.mode = HandoffMode::Queue,
            ["handoff", number] => self.agent.handoff_to = Some(number.parse().map_err(|e| format!("{e}"))?),
            ["briefing", text] => {
                self.agent.is_briefing = true;
                self.agent.lines.greeting = quoted(text)?;
            }
            ["timing", name, ms] => set_field(&mut self.agent.timing, name, Value::from(number(ms)?))?,
            ["line" | "lines", "back-channels", texts @ ..] => {
                self.agent.lines.back_channels = texts.iter().map(|text| quoted(text)).collect::<Result<_, _>>()?;
            }
            ["line" | "lines", name, text] => {
                set_field(&mut self.agent.lines, &name.replace('-', "_"), Value::from(quoted(text)?))?;
            }
            ["turns", name, value] => self.turns(name, value)?,
            ["outbound", "screen", value] => self.agent.outbound.screen = on(value)?,
            ["outbound", name, text] => {
                let name = if *name == "menu" { "menu_choice" } else { name };
                set_field(&mut self.agent.outbound, name, Value::from(quoted(text)?))?;
            }
            ["manual", parts @ ..] => self.manual(parts)?,
            ["agent", fields] => {
                let Value::Object(fields) = json(fields)? else { return Err("agent {…}: fields and values".into()) };
                for (name, value) in fields {
                    set_field(&mut self.agent, &name, value)?;
                }
            }
            ["recorded"] => self.auto = Auto::recorded(true),
            ["recorded", "deadlines"] => self.auto = Auto::recorded(false),
            ["reply", rest @ ..] => self.replies.push(reply(rest)?),
            ["result", "nothing"] => self.results.push(None),
            ["result", "fails", class] => self.results.push(Some(Err(word(class)?))),
            ["result", text] => self.results.push(Some(Ok(quoted(text)?))),
            _ => return Err(format!("cannot read `{}`", words.join(" "))),
        }
        Ok(())
    }

    fn manual(&mut self, parts: &[&str]) -> Result<(), String> {
        for part in parts {
            match *part {
                "stt" => self.auto.stt = false,
                "brain" => self.auto.brain = false,
                "tts" => self.auto.tts = false,
                "playout" => self.auto.playout = false,
                "tools" => self.auto.tools = false,
                "carrier" => self.auto.carrier = false,
                "phrases" => self.auto.phrases = false,
                other => return Err(format!("nobody is called {other}")),
            }
        }
        Ok(())
    }

    fn turns(&mut self, name: &str, value: &str) -> Result<(), String> {
        let turns = &mut self.agent.turns;
        match name {
            "patience" => turns.patience = word(value)?,
            "speculate" => turns.speculate = on(value)?,
            "back-channels" => turns.back_channels = on(value)?,
            "resume" => turns.resume_after_false_stop = on(value)?,
            "learn" => turns.learn_pauses = on(value)?,
            other => return Err(format!("there is no {other} in taking turns")),
        }
        Ok(())
    }
}

/// `on` or `off`.
fn on(word: &str) -> Result<bool, String> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("{other} is neither on nor off")),
    }
}

/// Sets one field of a configuration by its name.
fn set_field<T: serde::Serialize + DeserializeOwned>(target: &mut T, name: &str, value: Value) -> Result<(), String> {
    let fields = |of: &T| serde_json::to_value(of).map_err(|error| error.to_string());
    let mut changed = fields(target)?;
    let is_known = changed.as_object_mut().is_some_and(|fields| fields.insert(name.to_owned(), value).is_some());
    *target = serde_json::from_value(changed).map_err(|error| error.to_string())?;
    // What is left out while it has its usual value is known by now.
    if is_known || fields(target)?.get(name).is_some() { Ok(()) } else { Err(format!("there is no {name}")) }
}

fn reply(words: &[&str]) -> Result<Reply, String> {
    let mut reply = Reply::default();
    let mut rest = words;
    loop {
        rest = match rest {
            [] => return Ok(reply),
            ["tool", name, args, rest @ ..] => {
                reply.tools.push(((*name).to_owned(), json(args)?));
                rest
            }
            ["slot", tool, slot, rest @ ..] => {
                reply.slot = Some(((*tool).to_owned(), (*slot).to_owned()));
                rest
            }
            ["fails", class, rest @ ..] => {
                reply.end = ReplyEnd::Fails(word(class)?);
                rest
            }
            ["declined", rest @ ..] => {
                reply.end = ReplyEnd::Declined;
                rest
            }
            ["stalls", rest @ ..] => {
                reply.end = ReplyEnd::Never;
                rest
            }
            ["nothing"] => return Ok(Reply { end: ReplyEnd::Never, ..reply }),
            ["empty"] => return Ok(reply),
            [text, rest @ ..] => {
                reply.text = Some(quoted(text)?);
                rest
            }
        };
    }
}

fn expect(text: &str) -> Result<ExpectKind, String> {
    if let Some(never) = text.strip_prefix("no ") {
        return Ok(ExpectKind::Never(never.trim().to_owned()));
    }
    if let Some(phase) = text.strip_prefix("phase ") {
        return Ok(ExpectKind::Phase(phase.trim().to_owned()));
    }
    if let Some(ms) = text.strip_prefix("silence below ") {
        return Ok(ExpectKind::SilenceBelow(number(ms.trim())?));
    }
    if let Some((time, rest)) = text.strip_prefix("at ").and_then(|rest| rest.trim().split_once(' ')) {
        return Ok(ExpectKind::Next { at_ms: Some(millis(time)?), text: rest.trim().to_owned() });
    }
    if text.is_empty() {
        return Err("expect what?".into());
    }
    Ok(ExpectKind::Next { at_ms: None, text: text.to_owned() })
}

pub(super) fn parse_action(words: &[&str]) -> Result<Action, String> {
    let (words, of) = match words.split_last() {
        Some((last, rest)) if last.starts_with('@') => (rest, Some(number(&last[1..])?)),
        _ => (words, None),
    };
    Ok(match words {
        [] => Action::Nothing,
        ["carrier", rest @ ..] => carrier_action(rest)?,
        ["caller", rest @ ..] => caller_action(rest)?,
        ["line", "tone", tone] => Action::Tone(word(&tone.replace('-', "_"))?),
        ["stt", "partial", text] => Action::Partial { text: quoted(text)?, of },
        ["stt", "final", text] => Action::Final { text: quoted(text)?, finalized: false, of },
        ["stt", "finalized", text] => Action::Final { text: quoted(text)?, finalized: true, of },
        ["stt", "end-of-turn"] => Action::EndOfTurn { of },
        ["stt", "probability", p] => Action::Probability(p.parse().map_err(|_| format!("{p} is no number"))?),
        ["stt", "fails", class] => Action::SttFails { class: word(class)?, of },
        ["brain", "text", text] => Action::BrainText { text: quoted(text)?, of },
        ["brain", "tool", name, args] => Action::BrainTool { name: (*name).to_owned(), args: json(args)?, of },
        ["brain", "done"] => Action::BrainDone { finish: Finish::Stop, of },
        ["brain", "done", finish] => Action::BrainDone { finish: word(finish)?, of },
        ["brain", "fails", class] => Action::BrainFails { class: word(class)?, of },
        ["tts", "first-audio"] => Action::FirstAudio { of },
        ["tts", "segment-done", segment, end_ms] => {
            Action::SegmentDone { segment: number(segment)? as u32, end_ms: number(end_ms)?, of }
        }
        ["tts", "wordless", end_ms] => Action::Wordless { end_ms: number(end_ms)?, of },
        ["tts", "cut-off", segment, bytes] => {
            Action::CutOff { segment: number(segment)? as u32, heard_bytes: number(bytes)? as u32, of }
        }
        ["tts", "fails", class] => Action::TtsFails { class: word(class)?, of },
        ["played", ms] => Action::Played { ms: number(ms)?, finished: false, of },
        ["played", ms, "finished"] => Action::Played { ms: number(ms)?, finished: true, of },
        ["tool", "answers", text] => Action::ToolAnswers { text: quoted(text)?, of },
        ["tool", "fails", class] => Action::ToolFails { class: word(class)?, of },
        ["desk", rest @ ..] => Action::Desk(desk_action(rest)?),
        ["colleague", "connected"] => Action::Consult(ConsultInput::Connected { by: "call:colleague".into() }),
        ["colleague", "leaves"] => Action::Consult(ConsultInput::Left),
        ["colleague", outcome] => Action::Consult(ConsultInput::Ended { outcome: word(&outcome.replace('-', "_"))? }),
        ["host", "drain", time] => Action::Drain(millis(time)?),
        ["host", "budget"] => Action::Budget,
        ["host", "outside-hours"] => Action::OutsideHours,
        ["host", "position", position] => {
            Action::Position(u32::try_from(number(position)?).map_err(|error| error.to_string())?)
        }
        ["host", "overflow"] => Action::Overflow,
        ["process", "killed"] => Action::Killed,
        ["input", text] => Action::Input(serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))?),
        ["deadline"] => Action::Deadline,
        _ => return Err(format!("nobody can `{}`", words.join(" "))),
    })
}

fn carrier_action(words: &[&str]) -> Result<Action, String> {
    Ok(match words {
        ["media"] => Action::Media,
        ["media-lost"] => Action::MediaLost,
        ["transfer-ok"] => Action::Transfer(true),
        ["transfer-failed"] => Action::Transfer(false),
        [state] => Action::State(word(&state.replace('-', "_"))?),
        _ => return Err("a carrier reports one thing at a time".into()),
    })
}

fn desk_action(words: &[&str]) -> Result<DeskInput, String> {
    let takes = |mode, rest: &[&str]| {
        let (who, with_line) = match rest.split_last() {
            Some((&"on-line", who)) => (who, true),
            _ => (rest, false),
        };
        match who {
            [] => Ok(DeskInput::TakeOver { by: None, mode, with_line }),
            ["as", by] => Ok(DeskInput::TakeOver { by: Some((*by).to_owned()), mode, with_line }),
            _ => Err(format!("nobody takes a call `{}`", rest.join(" "))),
        }
    };
    Ok(match words {
        ["takes-over", rest @ ..] => takes(HoldMode::TakeOver, rest)?,
        ["barges-in", rest @ ..] => takes(HoldMode::BargeIn, rest)?,
        ["hands-back"] => DeskInput::HandBack,
        ["line-lost"] => DeskInput::Line { is_up: false },
        ["line-up"] => DeskInput::Line { is_up: true },
        ["speaks"] => DeskInput::Speaks,
        ["talks", text] => DeskInput::Said { text: quoted(text)?.into() },
        ["whispers", text] => DeskInput::Whisper { by: None, text: quoted(text)?.into() },
        ["says", text] => DeskInput::Say { text: quoted(text)? },
        ["transfers", to, rest @ ..] => {
            let to = to.parse().map_err(|error| format!("{error}"))?;
            let (mode, brief) = match rest {
                [] => (None, None),
                [mode] => (Some(word(mode)?), None),
                [mode, brief, ..] => (Some(word(mode)?), Some(quoted(brief)?.into())),
            };
            DeskInput::Transfer { to, mode, brief }
        }
        ["pauses-recording"] => DeskInput::Record { on: false, by: None },
        ["resumes-recording"] => DeskInput::Record { on: true, by: None },
        ["holds"] => DeskInput::Hold { on: true, by: None },
        ["unholds"] => DeskInput::Hold { on: false, by: None },
        ["ends"] => DeskInput::End,
        _ => return Err(format!("nobody at the desk can `{}`", words.join(" "))),
    })
}

fn caller_action(words: &[&str]) -> Result<Action, String> {
    Ok(match words {
        ["says", text, rest @ ..] => Action::Says(breaths(text, rest)?),
        ["hums", text] => Action::Sounds(Aside::Hums(quoted(text)?)),
        ["mumbles", ms] => Action::Sounds(Aside::Mumbles(number(ms)?)),
        ["coughs"] => Action::Sounds(Aside::Coughs),
        ["talks-aside", text] => Action::Sounds(Aside::ToOthers(quoted(text)?)),
        ["echoes", ms] => Action::Sounds(Aside::Echoes(number(ms)?, String::new())),
        ["echoes", ms, text] => Action::Sounds(Aside::Echoes(number(ms)?, quoted(text)?)),
        ["started"] => Action::Started,
        ["lull"] => Action::Lull(100),
        ["lull", ms] => Action::Lull(number(ms)?),
        ["overlap", ms, rest @ ..] => Action::Overlaps(overlap(number(ms)?, rest)?),
        ["stopped"] => Action::Stopped(200),
        ["stopped", ms] => Action::Stopped(number(ms)?),
        ["types", text] => Action::Types(quoted(text)?),
        ["presses", key] => Action::Presses(key.chars().next().ok_or("which key?")?),
        ["interrupts"] => Action::Interrupts,
        ["hangs-up"] => Action::HangsUp,
        _ => return Err(format!("a caller cannot `{}`", words.join(" "))),
    })
}

/// `"…" pausing 700 "…"`: what is said between pauses.
fn breaths(first: &str, rest: &[&str]) -> Result<Vec<Breath>, String> {
    let mut breaths = vec![Breath { text: quoted(first)?, pause_ms: 0 }];
    let mut rest = rest;
    loop {
        rest = match rest {
            [] => return Ok(breaths),
            ["pausing", ms, text, rest @ ..] => {
                breaths.last_mut().ok_or("nothing was said")?.pause_ms = number(ms)?;
                breaths.push(Breath { text: quoted(text)?, pause_ms: 0 });
                rest
            }
            _ => return Err(format!("a caller cannot go on with `{}`", rest.join(" "))),
        };
    }
}

/// Evidence about speech over the agent. What is not said is that of clear speech close to the phone.
fn overlap(speech_ms: u64, rest: &[&str]) -> Result<Overlap, String> {
    let mut overlap = Overlap { speech_ms, level_db: Some(0.0), echo: 0.0, voice: 1.0, late_ms: 0 };
    let mut rest = rest;
    loop {
        rest = match rest {
            [] => return Ok(overlap),
            ["level", "unknown", rest @ ..] => {
                overlap.level_db = None;
                rest
            }
            ["late", ms, rest @ ..] => {
                overlap.late_ms = number(ms)?;
                rest
            }
            [name, value, rest @ ..] => {
                let value = value.parse().map_err(|_| format!("{value} is no number"))?;
                match *name {
                    "level" => overlap.level_db = Some(value),
                    "echo" => overlap.echo = value,
                    "voice" => overlap.voice = value,
                    other => return Err(format!("there is no {other} in what speech over the agent is like")),
                }
                rest
            }
            [alone] => return Err(format!("{alone} needs a number")),
        };
    }
}

/// Seconds with a point, as milliseconds.
fn millis(text: &str) -> Result<u64, String> {
    let (secs, fraction) = text.split_once('.').unwrap_or((text, ""));
    let secs = number(secs)?;
    let fraction = format!("{fraction:0<3}");
    let ms = if fraction.len() == 3 { number(&fraction)? } else { return Err(format!("{text} is finer than 1 ms")) };
    secs.checked_mul(1_000).and_then(|ms_whole| ms_whole.checked_add(ms)).ok_or_else(|| format!("{text} is too late"))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no whole number"))
}

/// A value of an enumeration, by its serialised name.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(Value::from(text)).map_err(|_| format!("there is no `{text}`"))
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{text} is no JSON: {error}"))
}

fn quoted(text: &str) -> Result<String, String> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.map(str::to_owned).ok_or_else(|| format!("{text} must be in quotes"))
}

/// Words; a text in quotes (kept) or an object in braces is one. `#` before a space begins a comment.
pub(super) fn split(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() && !rest.starts_with("# ") {
        let end = match rest.chars().next() {
            // A text that is not closed is refused where it is read, and allowed in an expectation.
            Some('"') => rest[1..].find('"').map_or(rest.len(), |at| at + 2),
            Some('{') => object_len(rest),
            _ => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    words
}

/// Length of the object that the text begins with.
fn object_len(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}
