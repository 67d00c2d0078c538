//! Whatever happens, in whatever order: no panic, no violation, and an end once nothing happens any more.

use super::Checker;
use crate::call::{CallMachine, CallSetup};
use crate::io::{
    CarrierInput, ConsultInput, DeskInput, HostInput, Input, LineTone, Output, SpeechInput, SynthesisInput,
};
use crate::machine::Machine;
use crate::scenario::{Fact, Moment, demo_agent, timeline};
use base::{
    CallTime, ErrorClass, Failure, GenerationId, JournalSeq, Millis, Pii, SttStreamId, ToolCallId, UtteranceId, limits,
};
use model::agent::{BrainChoice, Handoff, HandoffMode, Outbound};
use model::call::{CallState, Direction};
use model::generation::{AwaitedSlot, Finish, GenerationEvent};
use model::journal::{ConsultOutcome, HoldMode, Record};
use proptest::prelude::*;
use std::sync::Arc;

/// Something random. Ids are given as distance from the newest, so that stale ones are common and right ones more so.
#[derive(Clone, Debug)]
enum Move {
    Wait(u64),
    Deadline,
    Input(u8, u64, u8),
    Kill,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => (1_u64..2_000).prop_map(Move::Wait),
        2 => Just(Move::Deadline),
        24 => (any::<u8>(), prop_oneof![8 => Just(0_u64), 1 => 1_u64..3], any::<u8>())
            .prop_map(|(kind, back, value)| Move::Input(kind, back, value)),
        1 => Just(Move::Kill),
    ];
    prop::collection::vec(one, 1..120)
}

#[derive(Default)]
struct Newest {
    stream: u64,
    generation: u64,
    utterance: u64,
    segment: u32,
    end_ms: u64,
    played_ms: u64,
    tool: u64,
    consult: JournalSeq,
}

const WORDS: &[&str] = &[
    "yes",
    "no",
    "mm-hm",
    "stop",
    "I want to cancel my order",
    "my number is",
    "BL901771",
    "four eight two",
    "a flat tyre repair on Wednesday",
    "",
    "and",
    "no, Wednesday instead",
    "leave a message after the tone",
    "for sales press one",
    "say your name and why you are calling",
    "hello?",
];

fn input(kind: u8, back: u64, value: u8, newest: &Newest) -> Input {
    let text = || Pii::new(WORDS[usize::from(value) % WORDS.len()].to_owned());
    let stream = SttStreamId(newest.stream.saturating_sub(back));
    let speech = Input::Speech;
    let carrier = Input::Carrier;
    let brain = |event| Input::Generation { id: GenerationId(newest.generation.saturating_sub(back)), event };
    let utterance = UtteranceId(newest.utterance.saturating_sub(back));
    let tts = |event| Input::Synthesis { utterance, event };
    let tool = ToolCallId(newest.tool.saturating_sub(back));
    let failure = || Failure::new(ErrorClass::Unavailable, "random");
    match kind % 40 {
        0..=3 => carrier(CarrierInput::MediaStarted),
        4..=6 => speech(SpeechInput::Started),
        7..=9 => speech(SpeechInput::Stopped { silence_ms: u64::from(value) }),
        10 | 11 => speech(SpeechInput::Partial { stream, text: text() }),
        12..=14 => speech(SpeechInput::Final { stream, text: text(), finalized: value.is_multiple_of(3) }),
        15 => speech(SpeechInput::ProviderEndOfTurn { stream }),
        16 => speech(SpeechInput::TurnProbability { probability: f32::from(value) / 255.0 }),
        17 if value < 60 => speech(SpeechInput::Failed { stream, class: ErrorClass::Timeout }),
        18..=20 => brain(GenerationEvent::Text { delta: format!("Sentence {value} is said. And {back} begins") }),
        21 => brain(GenerationEvent::Done { finish: if value < 200 { Finish::Stop } else { Finish::Declined } }),
        22 => brain(GenerationEvent::ToolCall {
            id: "call".into(),
            name: ["order_status", "book_repair", "person", "end_call", "nothing"][usize::from(value) % 5].into(),
            args: match value % 3 {
                0 => serde_json::json!({"order": "BL901771"}),
                1 => serde_json::json!({"day": "Wednesday", "service": "puncture"}),
                _ => serde_json::json!({}),
            },
        }),
        23 => brain(GenerationEvent::NeedSlot(AwaitedSlot {
            tool: "order_status".into(),
            args: serde_json::Map::new(),
            slot: "order".into(),
        })),
        24 => brain(GenerationEvent::Failed(failure())),
        25 => tts(SynthesisInput::FirstAudio),
        26..=28 => tts(SynthesisInput::SegmentDone {
            segment: newest.segment + u32::from(value / 250),
            end_ms: newest.end_ms + u64::from(value) * 10,
            words: if value < 100 { vec![(0, newest.end_ms), (u32::from(value), newest.end_ms + 50)] } else { vec![] },
        }),
        29 if value < 100 => {
            tts(SynthesisInput::CutOff { segment: newest.segment.saturating_sub(1), heard_bytes: u32::from(value) / 2 })
        }
        29 => tts(SynthesisInput::Failed { class: ErrorClass::Protocol }),
        30..=32 => Input::Playout {
            utterance,
            played_ms: newest.played_ms + u64::from(value) * 5,
            finished: value.is_multiple_of(2),
        },
        33 => Input::Tool { id: tool, result: if value < 180 { Ok("on its way".into()) } else { Err(failure()) } },
        34..=38 => rare(kind, value, text()),
        _ => brain(GenerationEvent::Text { delta: " more words, and more".into() }),
    }
}

const TONES: &[LineTone] = &[
    LineTone::Beep,
    LineTone::Beep,
    LineTone::CallProgress,
    LineTone::FaxCalling,
    LineTone::FaxAnswering,
    LineTone::SpecialInformation,
];

/// What happens seldom in a call.
fn rare(kind: u8, value: u8, text: Pii<String>) -> Input {
    let speech = Input::Speech;
    let carrier = Input::Carrier;
    // About the newest one, which the rig knows.
    let consult = |event| Input::Consult { id: JournalSeq(0), event };
    match kind % 40 {
        34 => match value % 8 {
            0 => carrier(CarrierInput::MediaLost),
            1 => carrier(CarrierInput::TransferDone { ok: value > 128 }),
            2 => carrier(CarrierInput::State { state: CallState::Ringing }),
            3 => carrier(CarrierInput::State { state: CallState::Answered }),
            4 if value > 128 => carrier(CarrierInput::State { state: CallState::Paused }),
            4 => carrier(CarrierInput::State { state: CallState::Active }),
            5 => speech(SpeechInput::Tone { tone: TONES[usize::from(value / 8) % TONES.len()] }),
            _ => speech(SpeechInput::Started),
        },
        35 => carrier(CarrierInput::Dtmf { digit: Pii::new(char::from(b"0123456789#*"[usize::from(value) % 12])) }),
        36 => carrier(CarrierInput::Typed { text }),
        37 => match value % 16 {
            0 | 12 => Input::Desk(DeskInput::TakeOver {
                by: Some(format!("user:{}", value / 64)),
                mode: if value > 128 { HoldMode::BargeIn } else { HoldMode::TakeOver },
                with_line: value.is_multiple_of(32),
            }),
            1 | 2 => Input::Desk(DeskInput::HandBack),
            3 => Input::Desk(DeskInput::End),
            4 | 5 => Input::Desk(DeskInput::Line { is_up: value > 128 }),
            6 => Input::Desk(DeskInput::Speaks),
            7 => Input::Desk(DeskInput::Said { text: "I am a colleague.".into() }),
            9 => consult(ConsultInput::Left),
            10 => consult(ConsultInput::Connected { by: "call:colleague".into() }),
            11 => consult(ConsultInput::Ended { outcome: ConsultOutcome::Declined }),
            13 | 14 => Input::Desk(DeskInput::Transfer {
                to: "+4940555018".parse().expect("a number"),
                mode: Some(HandoffMode::Warm),
                brief: None,
            }),
            8 => Input::Desk(DeskInput::Whisper { by: None, text: "Offer ten per cent.".into() }),
            _ => Input::Desk(DeskInput::Say { text: "A line from the desk.".into() }),
        },
        _ => match value {
            0..=9 => Input::Host(HostInput::Drain { deadline: CallTime(u64::from(value) * 5_000) }),
            10..=19 => Input::Host(HostInput::BudgetExhausted),
            20..=24 => Input::Host(HostInput::Overflow),
            25..=29 => carrier(CarrierInput::HungUp),
            30..=34 => carrier(CarrierInput::State { state: CallState::Completed }),
            35..=50 => Input::Host(HostInput::QueuePosition { position: u32::from(value - 34) }),
            _ => speech(SpeechInput::Stopped { silence_ms: 200 }),
        },
    }
}

struct Rig {
    setup: CallSetup,
    machine: CallMachine,
    checker: Checker,
    newest: Newest,
    journal: Vec<Record>,
    moments: Vec<Moment>,
    now: CallTime,
}

impl Rig {
    fn new(local: bool, outbound: bool, has_person: bool) -> Self {
        let mut agent = demo_agent();
        if local {
            agent.brain = BrainChoice::Local;
        }
        agent.handoff_to = has_person.then(|| "+4940555017".parse().expect("a number"));
        if local {
            agent.handoff.mode = HandoffMode::Warm;
        } else if outbound != has_person {
            agent.handoff = Handoff { mode: HandoffMode::Queue, wait_ms_max: 30_000, ..Handoff::default() };
        }
        agent.is_briefing = local && outbound && has_person;
        agent.timing.call_ms_max = 120_000;
        agent.outbound = Outbound {
            screen: has_person,
            voicemail: "Please call us back. Thank you.".into(),
            introduction: String::new(),
            menu_choice: if local { "0".into() } else { "reception".into() },
        };
        let agent = Arc::new(agent);
        let direction = if outbound { Direction::Outbound } else { Direction::Inbound };
        let setup = CallSetup { agent: Arc::clone(&agent), direction, incarnation: 0, now: CallTime::ZERO };
        Self {
            machine: CallMachine::new(setup.clone()),
            checker: Checker::new(agent),
            setup,
            newest: Newest::default(),
            journal: Vec::new(),
            moments: Vec::new(),
            now: CallTime::ZERO,
        }
    }

    fn note(&mut self, fact: Fact) {
        self.moments.push(Moment { at: self.now, fact });
    }

    fn drain(&mut self) -> Result<(), TestCaseError> {
        while let Some(output) = self.machine.poll_output() {
            self.checker.output(&output);
            match &output {
                Output::Journal(record) => self.journal.push(record.clone()),
                Output::OpenStt { stream } => self.newest.stream = stream.0,
                Output::StartGeneration { id, .. } => self.newest.generation = id.0,
                Output::Speak { utterance, segment: 0, .. } => {
                    self.newest = Newest { utterance: utterance.0, segment: 0, end_ms: 0, played_ms: 0, ..self.newest };
                }
                Output::RunTool { id, .. } => self.newest.tool = id.0,
                Output::Consult { id, .. } => self.newest.consult = *id,
                _ => {}
            }
            self.note(Fact::Out(output));
        }
        let violations = self.checker.after_step(self.now, &self.machine);
        prop_assert!(violations.is_empty(), "{violations:?}\n{}", timeline(&self.moments));
        Ok(())
    }

    fn feed(&mut self, mut input: Input) -> Result<(), TestCaseError> {
        if let Input::Consult { id, .. } = &mut input {
            *id = self.newest.consult;
        }
        match &input {
            Input::Synthesis { event: SynthesisInput::SegmentDone { end_ms, segment, .. }, .. } => {
                self.newest.end_ms = *end_ms;
                self.newest.segment = segment + 1;
            }
            Input::Playout { played_ms, .. } => self.newest.played_ms = *played_ms,
            _ => {}
        }
        self.note(Fact::In(input.clone()));
        self.checker.input(self.now, &input);
        self.machine.handle(self.now, input);
        self.drain()
    }

    fn deadline(&mut self) -> Result<(), TestCaseError> {
        if let Some((at, why)) = self.machine.next_deadline() {
            self.now = self.now.max(at);
            self.note(Fact::Timeout(why));
            self.machine.handle_timeout(self.now);
            self.drain()?;
        }
        Ok(())
    }

    fn wait(&mut self, ms: u64) -> Result<(), TestCaseError> {
        let until = self.now + Millis(ms);
        while self.machine.next_deadline().is_some_and(|(at, _)| at <= until) {
            self.deadline()?;
        }
        self.now = until;
        Ok(())
    }

    fn kill(&mut self) -> Result<(), TestCaseError> {
        if self.machine.is_ended() {
            return Ok(());
        }
        self.setup.incarnation += 1;
        self.setup.now = self.now;
        self.note(Fact::Note("killed".into()));
        self.checker.killed(&self.journal);
        self.machine = CallMachine::recover(self.setup.clone(), &self.journal);
        self.drain()
    }

    /// Nothing happens any more: the call must come to its end by itself.
    fn run_out(&mut self) -> Result<(), TestCaseError> {
        let begun = self.now;
        for _ in 0..10_000 {
            if self.machine.is_ended() {
                return Ok(());
            }
            self.deadline()?;
        }
        let waited = self.now.since(begun);
        prop_assert!(false, "no end after {waited}\n{}", timeline(&self.moments));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_call_keeps_its_promises_and_ends(
        moves in moves(),
        local in any::<bool>(),
        outbound in any::<bool>(),
        has_person in any::<bool>(),
    ) {
        let mut rig = Rig::new(local, outbound, has_person);
        rig.drain()?;
        rig.feed(Input::Carrier(CarrierInput::MediaStarted))?;
        for next in moves {
            match next {
                Move::Wait(ms) => rig.wait(ms)?,
                Move::Deadline => rig.deadline()?,
                Move::Input(kind, back, value) => {
                    let input = input(kind, back, value, &rig.newest);
                    rig.feed(input)?;
                }
                Move::Kill => rig.kill()?,
            }
        }
        rig.run_out()?;
        let is_bridged = |moment: &Moment| matches!(moment.fact, Fact::In(Input::Consult { event: ConsultInput::Connected { .. }, .. }));
        let with_person_ms = if rig.moments.iter().any(is_bridged) { limits::BRIDGED_MS_MAX } else { 0 };
        prop_assert!(rig.now.0 < 600_000 + with_person_ms, "ended only at {}\n{}", rig.now, timeline(&rig.moments));
        let ends = rig.journal.iter().filter(|r| matches!(r.entry, model::journal::Entry::Ended { .. })).count();
        prop_assert_eq!(ends, 1);
    }
}

/// What a busy, healthy and unhealthy shell does to each defect; enough of it finds every one.
#[cfg(feature = "mutants")]
mod defects {
    use crate::mutants::{Mutant, set_active};
    use crate::scenario::Scenario;

    fn scenarios_find(mutant: Mutant) -> bool {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/scenarios");
        std::fs::read_dir(folder).expect("scenarios").any(|entry| {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a text");
            let scenario = Scenario::parse(&text).expect("a scenario");
            set_active(mutant);
            let found = scenario.run().failures.iter().any(|failure| failure.starts_with("at "));
            set_active(None);
            found
        })
    }

    #[test]
    fn an_invariant_finds_every_deliberate_defect() {
        let missed: Vec<Mutant> = Mutant::ALL.into_iter().filter(|mutant| !scenarios_find(*mutant)).collect();
        assert!(missed.is_empty(), "{missed:?}");
    }
}
