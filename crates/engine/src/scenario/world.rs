//! The world around a scenario's call: everything that answers by itself, in virtual time.

use super::parse::{Action, Auto, Expect, ExpectKind, Reply, ReplyEnd, Scenario, ToolReply};
use super::trace::{Fact, Moment, describe_output, timeline};
use crate::call::{CallMachine, CallSetup};
use crate::invariants::Checker;
use crate::io::{CarrierInput, DeskInput, HostInput, Input, Output, SpeechInput, SynthesisInput};
use crate::machine::Machine;
use base::{CallTime, Failure, GenerationId, Millis, SttStreamId, ToolCallId, UtteranceId};
use model::agent::Agent;
use model::call::Direction;
use model::generation::{AwaitedSlot, Finish, GenerationEvent};
use model::journal::Record;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const STT_FINAL_MS: u64 = 60;
const BRAIN_MS: u64 = 200;
const TTS_MS: u64 = 80;
const TOOL_MS: u64 = 300;
const CARRIER_MS: u64 = 200;
const TICK_MS: u64 = 100;
const MS_PER_CHAR: u64 = 60;
/// How long a scenario goes on after its last line.
const TAIL_MS_MAX: u64 = 300_000;
/// Steps of one scenario: more mean that time stands still.
const STEPS_MAX: usize = 200_000;

/// How a scenario went.
#[derive(Clone, Debug)]
pub struct Report {
    /// Everything that happened.
    pub moments: Vec<Moment>,
    /// What was not as expected, and invariants that did not hold.
    pub failures: Vec<String>,
    /// The journal of all incarnations.
    pub journal: Vec<Record>,
}

impl Report {
    /// The whole call as lines.
    pub fn trace(&self) -> String {
        timeline(&self.moments)
    }
}

/// Something that will happen by itself.
#[derive(Clone, Debug)]
enum Event {
    Input(Input),
    Words { text: String, is_whole: bool },
    Final(SttStreamId),
    Tick(UtteranceId),
}

/// An utterance being played.
#[derive(Clone, Debug)]
struct Playing {
    id: UtteranceId,
    audio_ms: u64,
    played_ms: u64,
    has_end: bool,
}

struct World {
    agent: Arc<Agent>,
    direction: Direction,
    auto: Auto,
    machine: CallMachine,
    incarnation: u32,
    checker: Checker,
    now: CallTime,
    queue: BTreeMap<(CallTime, u64), Event>,
    count: u64,
    replies: VecDeque<Reply>,
    results: VecDeque<ToolReply>,
    stream: u64,
    generation: u64,
    utterance: u64,
    tool: u64,
    words: String,
    playing: Option<Playing>,
    /// When synthesis of the newest utterance is done, and how much audio it has.
    synthesised: (CallTime, u64),
    journal: Vec<Record>,
    moments: Vec<Moment>,
    failures: Vec<String>,
}

/// Where a step's moments begin and end, and the phase at its end.
struct Window {
    from: usize,
    to: usize,
    phase: &'static str,
}

impl Scenario {
    /// Runs the call and holds it against what is expected.
    pub fn run(&self) -> Report {
        let mut world = World::new(self);
        let mut windows = Vec::with_capacity(self.steps.len());
        for (at, step) in self.steps.iter().enumerate() {
            world.advance(CallTime(step.at_ms));
            let from = world.moments.len();
            world.act(&step.action);
            let end_ms = self.steps.get(at + 1).map_or(step.at_ms + TAIL_MS_MAX, |next| next.at_ms);
            world.advance(CallTime(end_ms));
            windows.push(Window { from, to: world.moments.len(), phase: world.machine.phase().name() });
        }
        let World { moments, mut failures, journal, .. } = world;
        for (step, window) in self.steps.iter().zip(&windows) {
            check(&step.expects, &moments[window.from..window.to], window.phase, &mut failures);
        }
        Report { moments, failures, journal }
    }
}

fn check(expects: &[Expect], moments: &[Moment], phase: &str, failures: &mut Vec<String>) {
    let outputs: Vec<(CallTime, String)> = moments
        .iter()
        .filter_map(|moment| match &moment.fact {
            Fact::Out(output) => Some((moment.at, describe_output(output))),
            Fact::In(_) | Fact::Timeout(_) | Fact::Note(_) => None,
        })
        .collect();
    let mut next = 0;
    for Expect { line, kind } in expects {
        match kind {
            ExpectKind::Next { at_ms, text } => {
                let is_it = |(at, output): &(CallTime, String)| {
                    output.starts_with(text.as_str()) && at_ms.is_none_or(|at_ms| at.0 == at_ms)
                };
                match outputs[next..].iter().position(is_it) {
                    Some(found) => next += found + 1,
                    None => failures.push(format!("line {line}: did not see `{text}`")),
                }
            }
            ExpectKind::Never(text) => {
                if let Some((at, output)) = outputs.iter().find(|(_, output)| output.starts_with(text.as_str())) {
                    failures.push(format!("line {line}: saw `{output}` at {at}"));
                }
            }
            ExpectKind::Phase(expected) if expected != phase => {
                failures.push(format!("line {line}: the phase is {phase}, not {expected}"));
            }
            ExpectKind::Phase(_) => {}
        }
    }
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let agent = Arc::new(scenario.agent.clone());
        let direction = scenario.direction;
        let setup = CallSetup { agent: Arc::clone(&agent), direction, incarnation: 0, now: CallTime::ZERO };
        let mut world = Self {
            checker: Checker::new(Arc::clone(&agent)),
            machine: CallMachine::new(setup),
            agent,
            direction,
            auto: scenario.auto,
            incarnation: 0,
            now: CallTime::ZERO,
            queue: BTreeMap::new(),
            count: 0,
            replies: scenario.replies.iter().cloned().collect(),
            results: scenario.results.iter().cloned().collect(),
            stream: 0,
            generation: 0,
            utterance: 0,
            tool: 0,
            words: String::new(),
            playing: None,
            synthesised: (CallTime::ZERO, 0),
            journal: Vec::new(),
            moments: Vec::new(),
            failures: Vec::new(),
        };
        world.drain();
        world
    }

    /// Lets everything happen that happens before `until`.
    fn advance(&mut self, until: CallTime) {
        for _ in 0..STEPS_MAX {
            let event_at = self.queue.keys().next().map(|(at, _)| *at);
            let deadline = self.machine.next_deadline();
            let next = event_at.into_iter().chain(deadline.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next < until) else {
                self.now = self.now.max(until);
                return;
            };
            self.now = self.now.max(next);
            match (event_at, deadline) {
                (Some(at), deadline) if deadline.is_none_or(|(by, _)| at <= by) => {
                    if let Some((_, event)) = self.queue.pop_first() {
                        self.happen(event);
                    }
                }
                (_, Some((_, why))) => {
                    self.moments.push(Moment { at: self.now, fact: Fact::Timeout(why) });
                    self.machine.handle_timeout(self.now);
                    self.drain();
                }
                (_, None) => return,
            }
        }
        self.failures.push("time stands still".into());
    }

    fn later(&mut self, ms: u64, event: Event) {
        self.count += 1;
        self.queue.insert((self.now + Millis(ms), self.count), event);
    }

    fn later_input(&mut self, ms: u64, input: Input) {
        self.later(ms, Event::Input(input));
    }

    fn feed(&mut self, input: Input) {
        self.moments.push(Moment { at: self.now, fact: Fact::In(input.clone()) });
        self.checker.input(&input);
        self.machine.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.checker.output(&output);
            self.react(&output);
            self.moments.push(Moment { at: self.now, fact: Fact::Out(output) });
        }
        for violation in self.checker.after_step(self.now, &self.machine) {
            self.failures.push(format!("at {}: {violation}", self.now));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(input) => self.feed(input),
            Event::Words { text, is_whole } => {
                let stream = SttStreamId(self.stream);
                let so_far = join(&self.words, &text);
                if is_whole {
                    self.words.clone_from(&so_far);
                }
                self.feed(Input::Speech(SpeechInput::Partial { stream, text: so_far.into() }));
            }
            Event::Final(stream) => {
                let text = std::mem::take(&mut self.words);
                self.feed(Input::Speech(SpeechInput::Final { stream, text: text.into(), finalized: true }));
            }
            Event::Tick(id) => self.tick(id),
        }
    }

    fn tick(&mut self, id: UtteranceId) {
        let Some(playing) = self.playing.as_mut().filter(|playing| playing.id == id) else { return };
        let played_ms = (playing.played_ms + TICK_MS).min(playing.audio_ms);
        let moved = played_ms > playing.played_ms;
        playing.played_ms = played_ms;
        let finished = playing.has_end && played_ms == playing.audio_ms && self.synthesised.1 == played_ms;
        if finished {
            self.playing = None;
        } else {
            self.later(TICK_MS, Event::Tick(id));
        }
        if moved || finished {
            self.feed(Input::Playout { utterance: id, played_ms, finished });
        }
    }

    /// Does what a good shell would do.
    fn react(&mut self, output: &Output) {
        match output {
            Output::Journal(record) => self.journal.push(record.clone()),
            Output::OpenStt { stream } => self.stream = stream.0,
            Output::FinalizeStt { stream } if self.auto.stt => self.later(STT_FINAL_MS, Event::Final(*stream)),
            Output::StartGeneration { id, .. } => {
                self.generation = id.0;
                if self.auto.brain {
                    self.reply(*id);
                }
            }
            Output::Speak { utterance, segment, text } => self.synthesise(*utterance, *segment, text),
            Output::EndUtterance { utterance } => {
                if let Some(playing) = self.playing.as_mut().filter(|playing| playing.id == *utterance) {
                    playing.has_end = true;
                }
            }
            Output::StopPlayout { utterance } => {
                if let Some(playing) = self.playing.take_if(|playing| playing.id == *utterance) {
                    // A report that was under way when playout was stopped.
                    let (utterance, played_ms) = (*utterance, playing.played_ms + 20);
                    self.later_input(20, Input::Playout { utterance, played_ms, finished: false });
                }
            }
            Output::RunTool { id, .. } => {
                self.tool = id.0;
                if self.auto.tools
                    && let Some(result) = self.results.pop_front().unwrap_or_else(|| Some(Ok("done".to_owned())))
                {
                    let result = result.map_err(|class| Failure::new(class, "scripted"));
                    self.later_input(TOOL_MS, Input::Tool { id: *id, result });
                }
            }
            Output::Transfer { .. } if self.auto.carrier => {
                self.later_input(CARRIER_MS, Input::Carrier(CarrierInput::TransferDone { ok: true }));
            }
            Output::HangUp { .. } if self.auto.carrier => {
                self.later_input(CARRIER_MS, Input::Carrier(CarrierInput::HungUp));
            }
            _ => {}
        }
    }

    fn reply(&mut self, id: GenerationId) {
        let reply =
            self.replies.pop_front().unwrap_or_else(|| Reply { text: Some("All right.".into()), ..Reply::default() });
        let mut events = vec![GenerationEvent::Started];
        events.extend(reply.text.map(|delta| GenerationEvent::Text { delta }));
        let has_tools = !reply.tools.is_empty();
        for (at, (name, args)) in reply.tools.into_iter().enumerate() {
            events.push(GenerationEvent::ToolCall { id: format!("call_{at}"), name, args });
        }
        events.extend(
            reply.slot.map(|(tool, slot)| {
                GenerationEvent::NeedSlot(AwaitedSlot { tool, args: serde_json::Map::new(), slot })
            }),
        );
        match reply.end {
            ReplyEnd::Done if has_tools => events.push(GenerationEvent::Done { finish: Finish::ToolCalls }),
            ReplyEnd::Done => events.push(GenerationEvent::Done { finish: Finish::Stop }),
            ReplyEnd::Declined => events.push(GenerationEvent::Done { finish: Finish::Declined }),
            ReplyEnd::Fails(class) => events.push(GenerationEvent::Failed(Failure::new(class, "scripted"))),
            ReplyEnd::Never => {}
        }
        for event in events {
            self.later_input(BRAIN_MS, Input::Generation { id, event });
        }
    }

    fn synthesise(&mut self, utterance: UtteranceId, segment: u32, text: &str) {
        if segment == 0 {
            self.utterance = utterance.0;
            self.synthesised = (self.now, 0);
            if self.auto.playout {
                self.playing = Some(Playing { id: utterance, audio_ms: 0, played_ms: 0, has_end: false });
            }
        }
        if !self.auto.tts {
            return;
        }
        let end_ms = self.synthesised.1 + text.chars().count() as u64 * MS_PER_CHAR;
        let done_at = self.synthesised.0.max(self.now) + Millis(TTS_MS);
        self.synthesised = (done_at, end_ms);
        let wait_ms = done_at.since(self.now).0;
        if segment == 0 {
            self.later_input(wait_ms, Input::Synthesis { utterance, event: SynthesisInput::FirstAudio });
            self.later(wait_ms + TICK_MS, Event::Tick(utterance));
        }
        let event = SynthesisInput::SegmentDone { segment, end_ms, words: Vec::new() };
        self.later_input(wait_ms, Input::Synthesis { utterance, event });
        if let Some(playing) = self.playing.as_mut().filter(|playing| playing.id == utterance) {
            playing.audio_ms = end_ms;
        }
    }

    fn act(&mut self, action: &Action) {
        if let Some(input) = self.input_of(action) {
            self.feed(input);
            return;
        }
        match action {
            Action::Says(text) => self.say(text),
            Action::Killed => self.kill(),
            _ => {}
        }
    }

    fn say(&mut self, text: &str) {
        let half: Vec<&str> = text.split_whitespace().collect();
        let half = half[..half.len().div_ceil(2)].join(" ");
        let ms = (text.chars().count() as u64 * MS_PER_CHAR).max(300);
        self.later(250, Event::Words { text: half, is_whole: false });
        self.later(ms, Event::Words { text: text.to_owned(), is_whole: true });
        self.later_input(ms + 200, Input::Speech(SpeechInput::Stopped { silence_ms: 200 }));
        self.feed(Input::Speech(SpeechInput::Started));
    }

    fn kill(&mut self) {
        self.incarnation += 1;
        self.moments
            .push(Moment { at: self.now, fact: Fact::Note(format!("process {} takes over", self.incarnation)) });
        self.playing = None;
        self.checker.killed(&self.journal);
        let (agent, direction) = (Arc::clone(&self.agent), self.direction);
        let setup = CallSetup { agent, direction, incarnation: self.incarnation, now: self.now };
        self.machine = CallMachine::recover(setup, &self.journal);
        self.drain();
    }

    /// The input that an action is, where it is one.
    fn input_of(&self, action: &Action) -> Option<Input> {
        let stream = |of: &Option<u64>| SttStreamId(of.unwrap_or(self.stream));
        let generation = |of: &Option<u64>, event| {
            Some(Input::Generation { id: GenerationId(of.unwrap_or(self.generation)), event })
        };
        let synthesis = |of: &Option<u64>, event| {
            Some(Input::Synthesis { utterance: UtteranceId(of.unwrap_or(self.utterance)), event })
        };
        let tool = |of: &Option<u64>, result| Some(Input::Tool { id: ToolCallId(of.unwrap_or(self.tool)), result });
        let speech = |input| Some(Input::Speech(input));
        let carrier = |input| Some(Input::Carrier(input));
        match action {
            Action::Nothing | Action::Says(_) | Action::Killed => None,
            Action::State(state) => carrier(CarrierInput::State { state: *state }),
            Action::Media => carrier(CarrierInput::MediaStarted),
            Action::MediaLost => carrier(CarrierInput::MediaLost),
            Action::Transfer(ok) => carrier(CarrierInput::TransferDone { ok: *ok }),
            Action::Types(text) => carrier(CarrierInput::Typed { text: text.as_str().into() }),
            Action::Presses(key) => carrier(CarrierInput::Dtmf { digit: base::Pii::new(*key) }),
            Action::Interrupts => carrier(CarrierInput::Interrupted),
            Action::HangsUp => carrier(CarrierInput::HungUp),
            Action::Started => speech(SpeechInput::Started),
            Action::Stopped(silence_ms) => speech(SpeechInput::Stopped { silence_ms: *silence_ms }),
            Action::Partial { text, of } => {
                speech(SpeechInput::Partial { stream: stream(of), text: text.as_str().into() })
            }
            Action::Final { text, finalized, of } => {
                let (stream, finalized) = (stream(of), *finalized);
                speech(SpeechInput::Final { stream, text: text.as_str().into(), finalized })
            }
            Action::EndOfTurn { of } => speech(SpeechInput::ProviderEndOfTurn { stream: stream(of) }),
            Action::Probability(probability) => speech(SpeechInput::TurnProbability { probability: *probability }),
            Action::SttFails { class, of } => speech(SpeechInput::Failed { stream: stream(of), class: *class }),
            Action::BrainText { text, of } => generation(of, GenerationEvent::Text { delta: text.clone() }),
            Action::BrainTool { name, args, of } => {
                let (name, args) = (name.clone(), args.clone());
                generation(of, GenerationEvent::ToolCall { id: "call".into(), name, args })
            }
            Action::BrainDone { finish, of } => generation(of, GenerationEvent::Done { finish: *finish }),
            Action::BrainFails { class, of } => {
                generation(of, GenerationEvent::Failed(Failure::new(*class, "scripted")))
            }
            Action::FirstAudio { of } => synthesis(of, SynthesisInput::FirstAudio),
            Action::SegmentDone { segment, end_ms, of } => {
                let (segment, end_ms) = (*segment, *end_ms);
                synthesis(of, SynthesisInput::SegmentDone { segment, end_ms, words: Vec::new() })
            }
            Action::TtsFails { class, of } => synthesis(of, SynthesisInput::Failed { class: *class }),
            Action::Played { ms, finished, of } => {
                let utterance = UtteranceId(of.unwrap_or(self.utterance));
                Some(Input::Playout { utterance, played_ms: *ms, finished: *finished })
            }
            Action::ToolAnswers { text, of } => tool(of, Ok(text.clone())),
            Action::ToolFails { class, of } => tool(of, Err(Failure::new(*class, "scripted"))),
            Action::TakesOver => Some(Input::Desk(DeskInput::TakeOver)),
            Action::HandsBack => Some(Input::Desk(DeskInput::HandBack)),
            Action::DeskSays(text) => Some(Input::Desk(DeskInput::Say { text: text.clone() })),
            Action::DeskEnds => Some(Input::Desk(DeskInput::End)),
            Action::Drain(ms) => Some(Input::Host(HostInput::Drain { deadline: CallTime(*ms) })),
            Action::Budget => Some(Input::Host(HostInput::BudgetExhausted)),
            Action::Overflow => Some(Input::Host(HostInput::Overflow)),
        }
    }
}

fn join(first: &str, second: &str) -> String {
    if first.is_empty() { second.to_owned() } else { format!("{first} {second}") }
}
