//! A whole deployment in virtual time: one real call machine, and a simulated caller, recogniser, brain, voice, ear, carrier,
//! host, journal and kill -9 around it. One seed is one call; the same seed is the same call for ever.
//!
//! Start reading at [`simulate`], then `World::happen`. What each seed's world is like is drawn in [`swarm`]; what must hold
//! besides the engine's own invariants is in [`laws`].

mod answerer;
mod brain;
mod caller;
mod carrier;
mod chance;
pub mod fleet;
mod flow;
mod laws;
mod plan;
mod recogniser;
pub mod swarm;
mod tools;
mod voice;

use base::limits::OVERLAP_EVERY_MS;
use base::{CallTime, Millis, ToolCallId};
use brain::Brain;
use caller::Caller;
use chance::Chance;
use engine::invariants::{CallerSound, Checker, Floor, Violation};
use engine::io::{CarrierInput, SpeechInput};
use engine::scenario::{Fact, Moment, demo_agent, timeline};
use engine::{CallMachine, CallSetup, Input, Machine, Output, Phase};
use laws::Laws;
use model::agent::{Agent, HandoffMode, Patience};
use model::call::Direction;
use model::journal::{Entry, Party, Record};
use model::live::LiveKind;
use plan::{Event, Plan};
use recogniser::Recogniser;
use std::fmt::Write;
use std::sync::Arc;
use swarm::Trouble;
use tools::Tools;
use voice::Voice;

/// How late sounds and deadlines may be: a late timer, the way to the ear, and one report of playout.
const SLACK_MS: u64 = laws::TIMER_LATE_MS_MAX + 60 + 120;

/// Steps of one call: more mean that time stands still.
const STEPS_MAX: u64 = 200_000;

/// How one call went.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What did not hold; the call stops at the first.
    pub violation: Option<Violation>,
    /// The whole call as lines, where they were asked for.
    pub trace: String,
    /// Of everything that came out and when.
    pub digest: u64,
    /// Turns of the caller.
    pub turns: u64,
    /// Processes that died.
    pub kills: u64,
    /// How long the call lasted for its caller.
    pub simulated_ms: u64,
    /// How often each kind of trouble struck.
    pub struck: Vec<u64>,
    /// The longest silence while the caller waited.
    pub silence_ms_max: u64,
}

/// Runs the call of this seed to its end.
pub fn simulate(seed: u64, with_trace: bool) -> Report {
    let mut world = World::new(seed, with_trace);
    world.run();
    world.report()
}

/// The journal as the database sees it: entries become durable in order, some time after they were written.
#[derive(Debug, Default)]
struct Journal {
    records: Vec<(CallTime, Record)>,
}

impl Journal {
    fn append(&mut self, plan: &mut Plan, record: Record) {
        let slow = plan.strikes(Trouble::JournalSlow);
        let lag_ms = if slow { plan.ms(100, 3_000) } else { plan.ms(1, 20) };
        let before = self.records.last().map_or(CallTime::ZERO, |(at, _)| *at);
        self.records.push((before.max(plan.now + Millis(lag_ms)), record));
    }

    fn durable_at(&self, seq: base::JournalSeq) -> Option<CallTime> {
        self.records.iter().rev().find(|(_, record)| record.seq == seq).map(|(at, _)| *at)
    }

    /// The process is gone: what was not durable never was.
    fn lose_the_rest(&mut self, now: CallTime) {
        self.records.retain(|(at, _)| *at <= now);
    }
}

struct World {
    plan: Plan,
    agent: Arc<Agent>,
    direction: Direction,
    /// `None` between the death of a process and the next one.
    machine: Option<CallMachine>,
    checker: Checker,
    laws: Laws,
    floor: Floor,
    journal: Journal,
    caller: Caller,
    recogniser: Recogniser,
    brain: Brain,
    voice: Voice,
    tools: Tools,
    has_media: bool,
    /// Who has answered a call that is screened.
    answered: Option<Party>,
    /// The caller was asked for something that the next words may answer.
    was_asked: bool,
    /// When the caller last used something else than the voice.
    keys_at: CallTime,
    /// The carrier or the machine has ended the call.
    is_over: bool,
    /// Nobody knows of the call any more.
    is_lost: bool,
    violation: Option<Violation>,
    moments: Option<Vec<Moment>>,
    digest: Digest,
    turns: u64,
    kills: u64,
}

impl World {
    fn new(seed: u64, with_trace: bool) -> Self {
        let mut plan = Plan::new(Chance::new(seed));
        let direction = if plan.chance.happens(0.7) { Direction::Inbound } else { Direction::Outbound };
        let mut agent = draw_agent(&mut plan, direction);
        agent.flow = flow::draw(seed, &agent);
        let agent = Arc::new(agent);
        let setup = CallSetup { agent: Arc::clone(&agent), direction, incarnation: 0, now: CallTime::ZERO };
        let caller = Caller::new(&mut plan);
        let voice = Voice::new(agent.lines.back_channels.clone());
        let mut world = Self {
            checker: Checker::new(Arc::clone(&agent)),
            laws: Laws::new(Arc::clone(&agent), &plan),
            floor: draw_floor(&agent, &plan),
            plan,
            agent,
            direction,
            machine: Some(CallMachine::new(setup)),
            journal: Journal::default(),
            caller,
            recogniser: Recogniser::default(),
            brain: Brain::default(),
            voice,
            tools: Tools::default(),
            has_media: false,
            answered: None,
            was_asked: false,
            keys_at: CallTime::ZERO,
            is_over: false,
            is_lost: false,
            violation: None,
            moments: with_trace.then(Vec::new),
            digest: Digest::default(),
            turns: 0,
            kills: 0,
        };
        carrier::connect(&mut world.plan, direction);
        carrier::surprises(&mut world.plan);
        world.drain();
        world
    }

    fn run(&mut self) {
        for _ in 0..STEPS_MAX {
            if self.is_over || self.is_lost || self.violation.is_some() {
                return;
            }
            let event_at = self.plan.next_at();
            let deadline = self.machine.as_ref().and_then(|machine| machine.next_deadline());
            let event_is_next = match (event_at, deadline) {
                (Some(at), Some((by, _))) => at < by || at == by && self.plan.chance.happens(0.5),
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return self.broken("call_ends", "nothing will ever happen again".into()),
            };
            if event_is_next {
                self.plan.now = self.plan.now.max(event_at.unwrap_or_default());
                if let Some((meant_for, event)) = self.plan.pop() {
                    self.happen(meant_for, event);
                }
            } else if let Some((by, why)) = deadline {
                self.time_out(by, why);
            }
            if self.plan.now.0 > self.laws.call_ms_max() {
                return self.broken("call_ends", format!("still going on after {} s", self.plan.now.0 / 1_000));
            }
        }
        self.broken("time_goes_on", format!("{STEPS_MAX} steps"));
    }

    fn time_out(&mut self, by: CallTime, why: &'static str) {
        let late_ms = if self.plan.strikes(Trouble::TimerLate) { self.plan.ms(1, laws::TIMER_LATE_MS_MAX) } else { 0 };
        self.plan.now = self.plan.now.max(by + Millis(late_ms));
        self.note(Fact::Timeout(why));
        if let Some(machine) = &mut self.machine {
            machine.handle_timeout(self.plan.now);
        }
        self.drain();
    }

    fn happen(&mut self, meant_for: u32, event: Event) {
        let is_present = meant_for == self.plan.incarnation;
        match event {
            Event::Tell(input) if is_present => self.feed(input),
            Event::Tell(input) => {
                let is_answer = matches!(
                    input,
                    Input::Generation { .. } | Input::Synthesis { .. } | Input::Playout { .. } | Input::Tool { .. }
                );
                if is_answer && self.plan.strikes(Trouble::AnswerToTheDead) {
                    self.feed(input);
                }
            }
            Event::Hear(input) => {
                if self.has_media && !self.caller.is_gone {
                    self.feed(input);
                }
            }
            Event::Report(input) => {
                let is_end = matches!(input, Input::Carrier(CarrierInput::HungUp));
                if is_end || !self.caller.is_gone {
                    self.feed(input);
                }
            }
            Event::Decide(decision) => {
                let heard = self.voice.present_words();
                self.caller.decide(&mut self.plan, decision, &heard);
                // Where a recogniser ends turns by itself, or somebody thinks for long, a number may be cut.
                let late = [Trouble::Hesitation, Trouble::EndOfTurn];
                let number = self.caller.number.take().filter(|_| self.plan.swarm.count(&late) == 0);
                if let Some((from, until)) = number.filter(|_| !self.was_asked) {
                    self.floor.gives_number(from, until);
                }
            }
            Event::Word(sound, word) => self.word(sound, &word),
            Event::Sound(sound, true) => {
                let sound = self.really(sound);
                self.floor.caller_begins(self.plan.now, sound);
            }
            Event::Sound(_, false) => self.floor.caller_ends(self.plan.now),
            Event::Evidence(sound, onset, until) => self.compare(sound, onset, until),
            Event::Echo => {
                let is_ours = self.machine.as_ref().is_some_and(|machine| machine.phase() != Phase::WithHuman);
                let audible_ms = self.voice.audible_ms().filter(|_| is_ours);
                let heard = self.voice.audible_words();
                self.caller.echo(&mut self.plan, audible_ms, &heard);
            }
            Event::FellSilent(speech) => self.caller.fell_silent(&self.plan, speech),
            Event::Leaves => self.leave(),
            Event::Final { stream, finalized, is_empty, is_twice } if is_present => {
                let taken = self.recogniser.take_final(&mut self.plan, stream, is_empty, is_twice, finalized);
                if let Some(input) = taken {
                    self.feed(input);
                }
            }
            Event::Tick(utterance) if is_present => self.tick(utterance),
            Event::RunTool(id) if is_present => self.run_tool(id),
            Event::Final { .. } | Event::Tick(_) | Event::RunTool(_) => {}
            Event::Media(is_up) => self.media(is_up),
            Event::Kill => self.kill(),
            Event::Revive => self.revive(),
        }
    }

    fn feed(&mut self, input: Input) {
        let Some(machine) = &mut self.machine else { return };
        if let Some(moments) = &mut self.moments {
            moments.push(Moment { at: self.plan.now, fact: Fact::In(input.clone()) });
        }
        if matches!(
            input,
            Input::Carrier(CarrierInput::Dtmf { .. } | CarrierInput::Typed { .. } | CarrierInput::Interrupted)
        ) {
            self.keys_at = self.plan.now;
        }
        self.checker.input(self.plan.now, &input);
        self.voice.told(&input);
        self.laws.input(self.plan.now, &input);
        self.floor.input(self.plan.now, &input);
        machine.handle(self.plan.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.as_mut().and_then(|machine| machine.poll_output()) {
            self.digest.take(self.plan.now, &output);
            self.checker.output(&output);
            self.floor.output(self.plan.now, &output);
            self.react(&output);
            self.note(Fact::Out(output));
        }
        let Some(machine) = &self.machine else { return };
        self.was_asked = machine.dialog().awaits_answer();
        let mut found = self.checker.after_step(self.plan.now, machine);
        found.extend(self.floor.after_step(self.plan.now, machine));
        found.extend(self.laws.output_done(&self.plan, machine, self.has_media, &self.voice, &self.caller));
        found.retain(|violation| !laws::AWAITED.contains(&violation.name));
        self.violation = self.violation.take().or_else(|| found.into_iter().next());
    }

    fn react(&mut self, output: &Output) {
        let plan = &mut self.plan;
        if let Some((law, detail)) = self.laws.output(plan.now, output) {
            self.broken(law, detail);
            return;
        }
        match output {
            Output::Journal(record) => self.write(record),
            Output::OpenStt { stream } => self.recogniser.open(*stream),
            Output::FinalizeStt { stream } => self.recogniser.finalize(plan, *stream),
            Output::JudgeTurn => recogniser::judge(plan),
            Output::StartGeneration { id, request } => self.brain.asked(plan, *id, request),
            Output::CancelGeneration { id } => self.brain.cancelled(plan, *id),
            Output::Speak { utterance, segment, text } => {
                self.voice.speak(plan, *utterance, *segment, text);
                if *segment == 0 && !self.voice.is_held(*utterance) {
                    self.caller.heard_begin(plan);
                }
            }
            Output::HoldUtterance { utterance } => self.voice.hold(plan, *utterance),
            Output::ReleaseUtterance { utterance } => {
                self.voice.release(plan, *utterance);
                self.caller.heard_begin(plan);
            }
            Output::Interlude { utterance, text } => self.voice.interlude(plan, *utterance, text),
            // Tones have no words.
            Output::Press { utterance, .. } => self.voice.interlude(plan, *utterance, ""),
            Output::EndUtterance { utterance } => self.voice.end(*utterance),
            Output::StopPlayout { utterance } => {
                self.voice.stop(plan, *utterance);
                // The last words of an echo may still be on their way when something else stops the agent.
                for word in std::mem::take(&mut self.caller.echoed) {
                    self.caller.said.push(' ');
                    self.caller.said.push_str(&word);
                }
            }
            Output::RunTool { id, name, args, durable } => {
                let durable_at = self.journal.durable_at(*durable).unwrap_or(plan.now);
                let ms = durable_at.since(plan.now).0 + plan.ms(0, 30);
                self.tools.ask(plan, *id, name, args, ms);
            }
            Output::CancelTool { id } => self.tools.cancel(*id),
            Output::Transfer { .. } => carrier::transfer(plan),
            Output::Consult { id, .. } => carrier::consult(plan, *id),
            Output::EndConsult { .. } | Output::TakeCaller => {}
            Output::HangUp { .. } => carrier::hang_up(plan),
            Output::Ended { .. } => {
                self.is_over = true;
                if let Some(utterance) = self.voice.unwritten() {
                    self.broken(
                        "heard_is_written",
                        format!("utterance {utterance} was heard and is not in the journal"),
                    );
                }
            }
            Output::Live(LiveKind::Queued { .. }) => carrier::queued(plan),
            Output::Duck | Output::Unduck | Output::Live(_) | Output::Measure(_) | Output::Prepare { .. } => {}
        }
    }

    fn write(&mut self, record: &Record) {
        self.journal.append(&mut self.plan, record.clone());
        match &record.entry {
            Entry::CallerTurn { text, .. } => {
                self.turns += 1;
                if let Some(word) = laws::never_said(text.expose(), &self.caller.said, &self.caller.echoed) {
                    self.broken("turns_are_what_was_said", format!("{word:?} in {:?}", text.expose()));
                }
            }
            Entry::AnsweredBy { party } => self.found_out(*party),
            Entry::AgentTurn { utterance, heard, .. } => {
                if let Some(problem) = self.voice.written(*utterance, heard.expose()) {
                    self.broken("heard_by_the_ear", problem);
                }
            }
            _ => {}
        }
    }

    /// Somebody who says hello is never taken for a fax or a voicemail, and a fax is never talked to.
    fn found_out(&mut self, party: Party) {
        let Some(really) = self.answered else { return };
        let is_wrong = match really {
            Party::Human => !matches!(party, Party::Human | Party::Silence),
            Party::Fax => matches!(party, Party::Voicemail | Party::Menu | Party::Screening),
            _ => false,
        };
        if is_wrong {
            self.broken("a_person_is_not_taken_for_a_machine", format!("{} is {}", really.name(), party.name()));
        }
    }

    fn tick(&mut self, utterance: base::UtteranceId) {
        if !self.has_media {
            return;
        }
        self.voice.tick(&mut self.plan, utterance);
        for (utterance, from, to) in std::mem::take(&mut self.voice.spans) {
            self.floor.agent_heard(utterance, from, to);
        }
        if self.voice.just_heard.take().is_some() {
            self.caller.heard_end(&mut self.plan);
        }
    }

    fn run_tool(&mut self, id: ToolCallId) {
        if let Some((law, detail)) = self.tools.run(&mut self.plan, id, self.caller.yeses) {
            self.broken(law, detail);
        }
    }

    fn word(&mut self, sound: CallerSound, word: &str) {
        if !self.has_media || self.machine.is_none() {
            return;
        }
        let late = [Trouble::FinalLate, Trouble::FinalMissing, Trouble::FinalTwice, Trouble::StopUnnoticed];
        let is_cut = self.keys_at > CallTime::ZERO && self.plan.now.since(self.keys_at).0 < 2_000;
        match sound {
            CallerSound::Words => self.floor.caller_word(word),
            // Where the agent has fallen silent there is nothing to come back; a final that comes seconds later is
            // nobody's fault.
            CallerSound::Echo if is_cut => return,
            CallerSound::Echo if self.voice.audible_ms().is_none() || self.plan.swarm.count(&late) > 0 => return,
            CallerSound::Echo => self.caller.echoed.push(word.to_owned()),
            _ => {}
        }
        self.recogniser.word(&mut self.plan, word);
    }

    /// After a question every word is an answer, and without evidence nobody could tell one sound from another.
    fn really(&self, sound: CallerSound) -> CallerSound {
        let awaits = self.machine.as_ref().is_some_and(|machine| machine.dialog().awaits_answer());
        let late = [Trouble::FinalLate, Trouble::FinalMissing, Trouble::FinalTwice, Trouble::SttFails];
        let is_asked = awaits || self.voice.line_text().contains('?');
        match sound {
            CallerSound::Words => CallerSound::Words,
            _ if self.plan.swarm.knows(Trouble::NoEvidence) => CallerSound::Unclear,
            CallerSound::Listening | CallerSound::Echo | CallerSound::Aside if is_asked => CallerSound::Unclear,
            // Their words come with the next sound.
            CallerSound::Aside | CallerSound::Listening if self.plan.swarm.count(&late) > 0 => CallerSound::Unclear,
            CallerSound::Noise if self.plan.swarm.count(&late) > 0 => CallerSound::Unclear,
            sound => sound,
        }
    }

    /// What the caller's audio is like while the agent is audible.
    fn compare(&mut self, sound: CallerSound, onset: CallTime, until: CallTime) {
        let now = self.plan.now;
        if now >= until || !self.has_media || self.plan.swarm.knows(Trouble::NoEvidence) {
            return;
        }
        if self.voice.audible_ms().is_some() {
            let overlap = caller::evidence(&mut self.plan, sound, now.since(onset).0);
            self.feed(Input::Speech(SpeechInput::Overlap(overlap)));
        }
        self.plan.after(OVERLAP_EVERY_MS, Event::Evidence(sound, onset, until));
    }

    fn leave(&mut self) {
        self.caller.is_gone = true;
        self.say("the caller hangs up");
        self.floor.caller_leaves();
        self.voice.cut(false);
        self.has_media = false;
        let ms = self.plan.ms(20, 800);
        let input = if self.plan.chance.happens(0.7) {
            CarrierInput::HungUp
        } else {
            CarrierInput::State { state: model::call::CallState::Completed }
        };
        if self.plan.chance.happens(0.3) {
            self.feed(Input::Carrier(CarrierInput::MediaLost));
        }
        self.plan.after(ms, Event::Report(Input::Carrier(CarrierInput::HungUp)));
        if !matches!(input, CarrierInput::HungUp) {
            self.feed(Input::Carrier(input));
        }
    }

    fn media(&mut self, is_up: bool) {
        if self.caller.is_gone {
            return;
        }
        let was_up = std::mem::replace(&mut self.has_media, is_up);
        if self.machine.is_none() {
            return;
        }
        if is_up {
            if self.agent.outbound.screen && self.answered.is_none() {
                let (party, words) = answerer::answers(&mut self.plan);
                self.answered = Some(party);
                // Until a person is in the call, the taking of turns rests.
                self.floor.hears_stops = false;
                self.caller.is_machine = party != Party::Human;
                self.caller.said.push_str(words);
            }
            self.caller.think(&mut self.plan, 4_000, 15_000);
            self.feed(Input::Carrier(CarrierInput::MediaStarted));
            if self.floor.is_caller_audible() {
                // Somebody who is speaking already is noticed as somebody who begins to.
                let ms = self.plan.ms(60, 160);
                self.plan.after(ms, Event::Hear(Input::Speech(SpeechInput::Started)));
            }
        } else if was_up {
            self.voice.cut(false);
            carrier::media_lost(&mut self.plan);
            self.feed(Input::Carrier(CarrierInput::MediaLost));
        }
    }

    fn kill(&mut self) {
        if self.machine.take().is_none() {
            return;
        }
        self.say("kill -9");
        self.kills += 1;
        self.journal.lose_the_rest(self.plan.now);
        self.voice.cut(true);
        self.recogniser.cut();
        self.tools.cut();
        self.has_media = false;
        self.laws.killed();
        self.floor.killed();
        let ms = self.plan.ms(50, 20_000);
        self.plan.after(ms, Event::Revive);
    }

    fn revive(&mut self) {
        let journal: Vec<Record> = self.journal.records.iter().map(|(_, record)| record.clone()).collect();
        self.plan.incarnation += 1;
        let incarnation = self.plan.incarnation;
        self.say(&format!("process {incarnation} takes over with {} entries", journal.len()));
        if journal.is_empty() || matches!(journal.last().map(|record| &record.entry), Some(Entry::Ended { .. })) {
            self.is_lost = true;
            return;
        }
        self.checker.killed(&journal);
        let (agent, direction, now) = (Arc::clone(&self.agent), self.direction, self.plan.now);
        self.machine = Some(CallMachine::recover(CallSetup { agent, direction, incarnation, now }, &journal));
        self.drain();
        if !self.plan.strikes(Trouble::CarrierGone) {
            let ms = self.plan.ms(50, 6_000);
            self.plan.after(ms, Event::Media(true));
        }
    }

    fn broken(&mut self, name: &'static str, detail: String) {
        if laws::AWAITED.contains(&name) {
            return;
        }
        self.violation.get_or_insert(Violation { name, detail });
    }

    fn say(&mut self, what: &str) {
        self.note(Fact::Note(what.to_owned()));
    }

    fn note(&mut self, fact: Fact) {
        if let Some(moments) = &mut self.moments {
            moments.push(Moment { at: self.plan.now, fact });
        }
    }

    fn report(self) -> Report {
        Report {
            violation: self.violation,
            trace: self.moments.as_deref().map(timeline).unwrap_or_default(),
            digest: self.digest.0,
            turns: self.turns,
            kills: self.kills,
            simulated_ms: self.plan.now.0,
            struck: self.plan.swarm.struck,
            silence_ms_max: self.laws.silence_ms_max,
        }
    }
}

fn draw_agent(plan: &mut Plan, direction: Direction) -> Agent {
    let mut agent = demo_agent();
    agent.timing.call_ms_max = *plan.chance.one_of(&[30_000, 120_000, 300_000]);
    if plan.chance.happens(0.5) {
        agent.handoff_to = "+4930123456".parse().ok();
        agent.handoff.wait_ms_max = *plan.chance.one_of(&[30_000, 60_000, 600_000]);
        agent.handoff.mode = *plan.chance.one_of(&[HandoffMode::Cold, HandoffMode::Warm, HandoffMode::Queue]);
    }
    agent.turns.speculate = plan.chance.happens(0.5);
    agent.turns.patience = *plan.chance.one_of(&[Patience::Quick, Patience::Normal, Patience::Patient]);
    agent.turns.back_channels = plan.chance.happens(0.3);
    agent.turns.learn_pauses = plan.chance.happens(0.7);
    agent.turns.resume_after_false_stop = plan.chance.happens(0.8);
    if direction == Direction::Outbound && plan.chance.happens(0.6) {
        agent.outbound.screen = true;
        let voicemail = ["", "This is Robin of the bicycle shop. Please call us back."];
        agent.outbound.voicemail = (*plan.chance.one_of(&voicemail)).to_owned();
        agent.outbound.introduction = "This is Robin of the bicycle shop. It is about your bicycle.".into();
        agent.outbound.menu_choice = (*plan.chance.one_of(&["", "2", "service"])).to_owned();
    }
    if plan.chance.happens(0.3) {
        agent.lines.notice = "This call is recorded for training.".into();
    }
    agent
}

/// Who has the floor is judged in every world; silence only where a single provider fails and reports come in time.
fn draw_floor(agent: &Arc<Agent>, plan: &Plan) -> Floor {
    let mut floor = Floor::new(Arc::clone(agent), SLACK_MS);
    floor.hears_stops = plan.swarm.count(&[Trouble::StopUnnoticed, Trouble::FinalEmpty]) == 0;
    let blind = [Trouble::StopUnnoticed, Trouble::MarksLate, Trouble::PlayoutStalls];
    floor.silence.is_law = plan.swarm.count(Trouble::OF_PROVIDERS) <= 1 && plan.swarm.count(&blind) == 0;
    floor
}

/// A running hash (FNV-1a) of everything that came out and when.
#[derive(Clone, Copy, Debug)]
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn take(&mut self, now: CallTime, output: &Output) {
        // Writing to a hash cannot fail.
        let _ = write!(self, "{now}{}", engine::scenario::describe_output(output));
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
