//! The world around a scenario's call: everything that answers by itself, in virtual time.

use super::ear::{self, Heard};
use super::parse::{Action, Auto, Expect, ExpectKind, Reply, ReplyEnd, Scenario, ToolReply};
use super::trace::{Fact, Moment, describe_output, timeline};
use super::voice::{Moved, Spoken, TICK_MS, Voice};
use crate::call::{CallMachine, CallSetup};
use crate::invariants::{CallerSound, Checker, Floor};
use crate::io::{CarrierInput, HostInput, Input, Output, SpeechInput, SynthesisInput};
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
const TOOL_MS: u64 = 300;
const CARRIER_MS: u64 = 200;
/// How late a scenario's world may be: a voice's first frames and one tick of playout.
const SLACK_MS: u64 = 20 + TICK_MS;
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
    Heard(Heard),
    Final(SttStreamId),
    Tick(UtteranceId),
}

pub(super) struct World {
    agent: Arc<Agent>,
    direction: Direction,
    auto: Auto,
    machine: CallMachine,
    incarnation: u32,
    checker: Checker,
    floor: Floor,
    now: CallTime,
    queue: BTreeMap<(CallTime, u64), Event>,
    count: u64,
    replies: VecDeque<Reply>,
    results: VecDeque<ToolReply>,
    stream: u64,
    generation: u64,
    utterance: u64,
    tool: u64,
    consult: base::JournalSeq,
    words: String,
    voice: Voice,
    journal: Vec<Record>,
    moments: Vec<Moment>,
    failures: Vec<String>,
}

/// Where a step's moments begin and end, and the phase at its end.
struct Window {
    from: usize,
    to: usize,
    phase: &'static str,
    silence_ms: u64,
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
            let silence_ms = world.floor.silence.longest_ms(CallTime(step.at_ms), world.now);
            windows.push(Window { from, to: world.moments.len(), phase: world.machine.phase().name(), silence_ms });
        }
        let World { moments, mut failures, journal, .. } = world;
        for (step, window) in self.steps.iter().zip(&windows) {
            check(&step.expects, &moments[window.from..window.to], window, &mut failures);
        }
        Report { moments, failures, journal }
    }
}

fn check(expects: &[Expect], moments: &[Moment], window: &Window, failures: &mut Vec<String>) {
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
            ExpectKind::Phase(expected) if expected != window.phase => {
                failures.push(format!("line {line}: the phase is {}, not {expected}", window.phase));
            }
            ExpectKind::SilenceBelow(ms) if window.silence_ms >= *ms => {
                failures.push(format!("line {line}: {} ms of silence, not below {ms}", window.silence_ms));
            }
            ExpectKind::Phase(_) | ExpectKind::SilenceBelow(_) => {}
        }
    }
}

impl World {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let agent = Arc::new(scenario.agent.clone());
        let direction = scenario.direction;
        let setup = CallSetup { agent: Arc::clone(&agent), direction, incarnation: 0, now: CallTime::ZERO };
        let mut floor = Floor::new(Arc::clone(&agent), SLACK_MS);
        // What is played by hand is not heard in real time.
        floor.silence.is_law = scenario.auto.playout;
        let mut world = Self {
            checker: Checker::new(Arc::clone(&agent)),
            floor,
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
            consult: base::JournalSeq(0),
            words: String::new(),
            voice: Voice::default(),
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
            let deadline = self.machine.next_deadline().filter(|_| self.auto.deadlines);
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
                (_, Some((_, why))) => self.deadline(why),
                (_, None) => return,
            }
        }
        self.failures.push("time stands still".into());
    }

    fn deadline(&mut self, why: &'static str) {
        self.moments.push(Moment { at: self.now, fact: Fact::Timeout(why) });
        self.machine.handle_timeout(self.now);
        self.drain();
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
        self.checker.input(self.now, &input);
        self.floor.input(self.now, &input);
        self.machine.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.checker.output(&output);
            self.floor.output(self.now, &output);
            self.react(&output);
            self.moments.push(Moment { at: self.now, fact: Fact::Out(output) });
        }
        let mut found = self.checker.after_step(self.now, &self.machine);
        if !self.auto.recorded {
            found.extend(self.floor.after_step(self.now, &self.machine));
        }
        for violation in found {
            self.failures.push(format!("at {}: {violation}", self.now));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(input) => self.feed(input),
            Event::Heard(heard) => self.hear(heard),
            Event::Final(stream) => {
                let text = std::mem::take(&mut self.words);
                self.feed(Input::Speech(SpeechInput::Final { stream, text: text.into(), finalized: true }));
            }
            Event::Tick(id) => self.tick(id),
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Begins(sound) => self.floor.caller_begins(self.now, sound),
            Heard::Told(input) => self.feed(Input::Speech(input)),
            Heard::OverAgent(overlap) if self.voice.is_audible() => {
                self.feed(Input::Speech(SpeechInput::Overlap(overlap)));
            }
            Heard::OverAgent(_) => {}
            Heard::Words { text, is_whole } => {
                text.split_whitespace().for_each(|word| self.floor.caller_word(word));
                let stream = SttStreamId(self.stream);
                let so_far = join(&self.words, &text);
                if is_whole {
                    self.words.clone_from(&so_far);
                }
                self.feed(Input::Speech(SpeechInput::Partial { stream, text: so_far.into() }));
            }
            Heard::Ends => self.floor.caller_ends(self.now),
        }
    }

    fn tick(&mut self, utterance: UtteranceId) {
        let (played_ms, moved_ms, finished) = match self.voice.tick(utterance) {
            Moved::Over => return,
            Moved::Waits => return self.later(TICK_MS, Event::Tick(utterance)),
            Moved::On { played_ms, moved_ms, finished } => (played_ms, moved_ms, finished),
        };
        if !finished {
            self.later(TICK_MS, Event::Tick(utterance));
        }
        if moved_ms > 0 {
            self.floor.agent_heard(utterance, self.now - Millis(moved_ms), self.now);
        }
        self.feed(Input::Playout { utterance, played_ms, finished });
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
            Output::HoldUtterance { utterance } => self.voice.hold(self.now, *utterance),
            Output::ReleaseUtterance { utterance } if self.voice.release(*utterance) && self.auto.playout => {
                self.later(TICK_MS, Event::Tick(*utterance));
            }
            Output::Interlude { utterance, text } if !self.auto.recorded => self.interlude(*utterance, text),
            Output::Press { utterance, keys } if !self.auto.recorded => self.press(*utterance, keys),
            Output::Speak { utterance, segment, text } => self.synthesise(*utterance, *segment, text),
            Output::EndUtterance { utterance } => self.voice.end(*utterance),
            Output::StopPlayout { utterance } => {
                if let Some(played_ms) = self.voice.stop(*utterance).filter(|_| self.auto.playout) {
                    // A report that was under way when playout was stopped.
                    let (utterance, played_ms) = (*utterance, played_ms + 20);
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
            Output::Consult { id, .. } => self.consult = *id,
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
        self.utterance = utterance.0;
        let Some(Spoken { wait_ms, end_ms, is_first }) = self.voice.speak(self.now, utterance, text, self.auto.tts)
        else {
            return;
        };
        if is_first {
            self.later_input(wait_ms, Input::Synthesis { utterance, event: SynthesisInput::FirstAudio });
            if self.auto.playout {
                self.later(wait_ms + TICK_MS, Event::Tick(utterance));
            }
        }
        let event = SynthesisInput::SegmentDone { segment, end_ms, words: Vec::new() };
        self.later_input(wait_ms, Input::Synthesis { utterance, event });
    }

    fn interlude(&mut self, utterance: UtteranceId, text: &str) {
        let is_cached = self.auto.phrases;
        let Spoken { wait_ms, end_ms, .. } = self.voice.interlude(self.now, utterance, text, is_cached);
        let event = if is_cached {
            SynthesisInput::SegmentDone { segment: 0, end_ms, words: Vec::new() }
        } else {
            SynthesisInput::Wordless { end_ms }
        };
        self.later_input(wait_ms, Input::Synthesis { utterance, event });
        if self.auto.playout {
            self.later(wait_ms + TICK_MS, Event::Tick(utterance));
        }
    }

    fn press(&mut self, utterance: UtteranceId, keys: &str) {
        let Spoken { wait_ms, end_ms, .. } = self.voice.interlude(self.now, utterance, keys, true);
        let event = SynthesisInput::SegmentDone { segment: 0, end_ms, words: Vec::new() };
        self.later_input(wait_ms, Input::Synthesis { utterance, event });
        if self.auto.playout {
            self.later(wait_ms + TICK_MS, Event::Tick(utterance));
        }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Started => self.floor.caller_begins(self.now, CallerSound::Unclear),
            Action::Stopped(_) => self.floor.caller_ends(self.now),
            _ => {}
        }
        if let Some(input) = self.input_of(action) {
            self.feed(input);
            return;
        }
        match action {
            Action::Says(breaths) => {
                if let Some((from_ms, until_ms)) = ear::number(breaths) {
                    self.floor.gives_number(self.now + Millis(from_ms), self.now + Millis(until_ms));
                }
                self.sound(ear::says(breaths));
            }
            Action::Sounds(aside) => self.sound(ear::sounds(aside)),
            Action::Killed => self.kill(),
            Action::Deadline => self.deadline(self.machine.next_deadline().map_or("nothing", |(_, why)| why)),
            _ => {}
        }
    }

    /// The caller makes a sound: what it begins with happens now.
    fn sound(&mut self, plan: ear::Plan) {
        let (first, rest): (Vec<_>, Vec<_>) = plan.into_iter().partition(|(ms, _)| *ms == 0);
        for (ms, heard) in rest {
            self.later(ms, Event::Heard(heard));
        }
        first.into_iter().for_each(|(_, heard)| self.hear(heard));
    }

    fn kill(&mut self) {
        self.incarnation += 1;
        self.moments
            .push(Moment { at: self.now, fact: Fact::Note(format!("process {} takes over", self.incarnation)) });
        self.voice.cut();
        self.checker.killed(&self.journal);
        self.floor.killed();
        let (agent, direction) = (Arc::clone(&self.agent), self.direction);
        let setup = CallSetup { agent, direction, incarnation: self.incarnation, now: self.now };
        self.machine = CallMachine::recover(setup, &self.journal);
        self.drain();
    }

    /// The input that an action is, where it is one.
    pub(super) fn input_of(&self, action: &Action) -> Option<Input> {
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
            Action::Nothing | Action::Says(_) | Action::Sounds(_) | Action::Killed | Action::Deadline => None,
            Action::Input(input) => Some((**input).clone()),
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
            Action::Lull(silence_ms) => speech(SpeechInput::Lull { silence_ms: *silence_ms }),
            Action::Overlaps(overlap) => speech(SpeechInput::Overlap(*overlap)),
            Action::Tone(tone) => speech(SpeechInput::Tone { tone: *tone }),
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
            Action::SegmentDone { segment, end_ms, of } => synthesis(of, segment_done(*segment, *end_ms)),
            Action::Wordless { end_ms, of } => synthesis(of, SynthesisInput::Wordless { end_ms: *end_ms }),
            Action::CutOff { segment, heard_bytes, of } => synthesis(of, cut_off(*segment, *heard_bytes)),
            Action::TtsFails { class, of } => synthesis(of, SynthesisInput::Failed { class: *class }),
            Action::Played { ms, finished, of } => {
                let utterance = UtteranceId(of.unwrap_or(self.utterance));
                Some(Input::Playout { utterance, played_ms: *ms, finished: *finished })
            }
            Action::ToolAnswers { text, of } => tool(of, Ok(text.clone())),
            Action::ToolFails { class, of } => tool(of, Err(Failure::new(*class, "scripted"))),
            Action::Desk(input) => Some(Input::Desk(input.clone())),
            Action::Consult(event) => Some(Input::Consult { id: self.consult, event: event.clone() }),
            Action::Drain(ms) => Some(Input::Host(HostInput::Drain { deadline: CallTime(*ms) })),
            Action::Budget => Some(Input::Host(HostInput::BudgetExhausted)),
            Action::OutsideHours => Some(Input::Host(HostInput::OutsideHours)),
            Action::Position(position) => Some(Input::Host(HostInput::QueuePosition { position: *position })),
            Action::Overflow => Some(Input::Host(HostInput::Overflow)),
        }
    }
}

fn cut_off(segment: u32, heard_bytes: u32) -> SynthesisInput {
    SynthesisInput::CutOff { segment, heard_bytes }
}

fn segment_done(segment: u32, end_ms: u64) -> SynthesisInput {
    SynthesisInput::SegmentDone { segment, end_ms, words: Vec::new() }
}

fn join(first: &str, second: &str) -> String {
    if first.is_empty() { second.to_owned() } else { format!("{first} {second}") }
}
