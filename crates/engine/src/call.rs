//! A phone call as a pure state machine.
//!
//! [`CallMachine`] holds the parts of a call and routes each input to the part it concerns; the parts that think for
//! themselves are small structs of their own: `endpointing` (when has the caller finished), `barge_in` (does the caller
//! take the floor), `utterance` (what was heard), `thought` (a turn being answered), `ending` (the way out), `keypad`.
//! What is said and which tools may run is decided by [`crate::dialog`].
//!
//! The phase is derived from what is going on, never stored. Until the call has ended there is always a deadline, and
//! whatever a provider does, the caller hears something: filler, second try, apology, then a person or a call-back.

mod back_channel;
mod barge_in;
mod briefing;
mod close;
mod consult;
mod dead_air;
mod desk;
mod ending;
mod endpointing;
mod finished;
mod flow;
mod guard;
mod guess;
mod habits;
mod hearing;
mod ids;
mod keypad;
mod latency;
mod line;
mod listen;
mod on_hold;
mod outbox;
mod phase;
mod pickup;
mod queue;
mod recover;
pub(crate) mod sentences;
mod speak;
mod think;
mod thought;
mod timers;
mod tools;
mod utterance;

pub(crate) use briefing::ask_of_briefing;
pub use briefing::briefing_agent;
pub use phase::Phase;

use crate::dialog::Dialog;
use crate::io::{HostInput, Input, Output};
use crate::machine::Machine;
use barge_in::BargeIn;
use base::limits::STREAM_TOKEN_MS_MAX;
use base::{CallTime, ErrorClass, JournalSeq, Millis, TurnId};
use consult::Consult;
use dead_air::Interludes;
use desk::Hold;
use ending::{Closing, Drain};
use guess::Speculation;
use habits::Habits;
use hearing::Hearing;
use ids::Ids;
use keypad::Keypad;
use latency::TurnClock;
use model::agent::{Agent, HandoffMode, Timing};
use model::call::{CallState, Direction};
use model::journal::Entry;
use model::live::LiveKind;
use outbox::Outbox;
use pickup::Pickup;
use queue::Waiting;
use std::collections::VecDeque;
use std::sync::Arc;
use thought::{RunningTool, Thought};
use utterance::Utterance;

/// What a call begins with.
#[derive(Clone, Debug)]
pub struct CallSetup {
    /// The snapshot of the agent that has the call.
    pub agent: Arc<Agent>,
    /// Who began the call.
    pub direction: Direction,
    /// How many processes have had the call before this one.
    pub incarnation: u32,
    /// When this machine begins, in call time: zero for a new call.
    pub now: CallTime,
}

/// Whether audio flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    /// It never did, in this process.
    Awaited {
        by: CallTime,
    },
    Up,
    Lost {
        by: CallTime,
    },
}

/// A phone call. See the [module](self) for how to read it.
#[derive(Clone, Debug)]
pub struct CallMachine {
    agent: Arc<Agent>,
    direction: Direction,
    dialog: Dialog,
    ids: Ids,
    out: Outbox,
    /// The time of the last input.
    now: CallTime,

    state: CallState,
    media: Media,
    /// An earlier process had this call.
    is_recovered: bool,
    /// When the conversation began: the first audio of the first process.
    began_at: Option<CallTime>,

    hearing: Hearing,
    habits: Habits,
    barge_in: BargeIn,
    /// How often the agent fell silent for what had no words. On such a line what is quieter than the caller needs words.
    false_stops: u32,
    speculation: Speculation,
    keypad: Keypad,
    /// Who has answered a call that we placed, until a person is in it.
    pickup: Option<Pickup>,
    /// Since when nobody has said anything, and how often the caller was asked.
    quiet_since: CallTime,
    prompts: u32,

    turn: TurnId,
    clock: Option<TurnClock>,
    thought: Option<Thought>,
    tool: Option<RunningTool>,
    failed_turns: u32,

    voice: Option<Utterance>,
    /// The words of the last utterance that is over.
    said_last: String,
    /// Lines that wait for the present utterance to end.
    queued: VecDeque<String>,
    /// Results the caller must still be told, once the line is free.
    owed: Vec<String>,
    interludes: Interludes,
    /// Since when the caller has heard nothing, not even themselves.
    silent_since: CallTime,
    /// Since when it is the agent's turn to be heard.
    owed_since: Option<CallTime>,
    /// The notice was not given yet.
    is_notice_due: bool,
    /// Every voice has failed: only the audio cache and the carrier can speak.
    is_mute: bool,
    is_ducked: bool,
    /// The last sentence was a question: "yeah" is an answer to it, not a listening sound.
    has_asked: bool,
    voice_failures: u32,

    /// A person has the call; how is in `hold`.
    has_human: bool,
    hold: Hold,
    /// The caller is on hold, and hears then that it goes on.
    on_hold: Option<CallTime>,
    /// The recording leaves out what is heard.
    is_recording_paused: bool,
    /// A person who is asked for the caller, or has them; how often that was tried.
    consult: Option<Consult>,
    consults: u32,
    /// The caller waits in the queue.
    queue: Option<Waiting>,
    /// How often a person who was told about a caller was asked whether they take the call.
    brief_asks: u32,
    drain: Option<Drain>,
    /// It came in outside the hours of the agent.
    is_outside_hours: bool,
    /// How often a rule of the agent kept something from being talked about or said.
    refusals: u32,
    /// No money is left for a call that rings: who called hears so once there is audio.
    is_budget_gone: bool,
    closing: Option<Closing>,
    /// The audio path was lost before the present turn had its answer.
    is_left_unanswered: bool,
    /// The other side has put us on hold: it neither hears us nor is heard.
    is_held: bool,
    /// An earlier process had decided to end the call.
    unfinished_ending: Option<String>,
    has_hung_up: bool,
    is_ended: bool,
    shown_phase: Option<Phase>,
}

impl CallMachine {
    /// A new call. An inbound one waits for its audio, an outbound one for somebody to pick up.
    pub fn new(setup: CallSetup) -> Self {
        let direction = setup.direction;
        let mut call = Self::begin(setup, Outbox::after(JournalSeq(0)));
        call.out.journal(call.now, Entry::Started { direction });
        if call.agent.is_briefing {
            call.out.journal(call.now, Entry::Briefing);
        }
        call.prepare_lines();
        call.settle(call.now);
        call
    }

    fn begin(setup: CallSetup, out: Outbox) -> Self {
        let CallSetup { agent, direction, incarnation, now } = setup;
        let wait_ms = match direction {
            Direction::Inbound => STREAM_TOKEN_MS_MAX,
            Direction::Outbound => agent.timing.ring_ms_max,
        };
        let first_turn = TurnId(u64::from(incarnation) << 32);
        Self {
            dialog: Dialog::new(Arc::clone(&agent)),
            agent,
            direction,
            ids: Ids::of_incarnation(incarnation),
            out,
            now,
            state: CallState::Initiated,
            media: Media::Awaited { by: now + Millis(wait_ms) },
            is_recovered: false,
            began_at: None,
            hearing: Hearing::default(),
            habits: Habits::default(),
            barge_in: BargeIn::default(),
            false_stops: 0,
            speculation: Speculation::default(),
            keypad: Keypad::default(),
            pickup: None,
            quiet_since: now,
            prompts: 0,
            turn: first_turn,
            clock: None,
            thought: None,
            tool: None,
            failed_turns: 0,
            voice: None,
            said_last: String::new(),
            queued: VecDeque::new(),
            owed: Vec::new(),
            interludes: Interludes::default(),
            silent_since: now,
            owed_since: None,
            is_notice_due: false,
            is_mute: false,
            is_ducked: false,
            has_asked: false,
            voice_failures: 0,
            has_human: false,
            is_recording_paused: false,
            hold: Hold::default(),
            on_hold: None,
            consult: None,
            consults: 0,
            queue: None,
            brief_asks: 0,
            drain: None,
            is_outside_hours: false,
            refusals: 0,
            is_budget_gone: false,
            closing: None,
            is_left_unanswered: false,
            is_held: false,
            unfinished_ending: None,
            has_hung_up: false,
            is_ended: false,
            shown_phase: None,
        }
    }

    /// Where the conversation stands.
    pub fn phase(&self) -> Phase {
        if self.is_ended {
            return Phase::Ended;
        }
        if self.closing.is_some() {
            return Phase::Ending;
        }
        match self.media {
            Media::Awaited { .. } if self.is_recovered => return Phase::Paused,
            Media::Awaited { .. } if self.direction == Direction::Outbound && self.state == CallState::Initiated => {
                return Phase::Dialling;
            }
            Media::Awaited { .. } => return Phase::Ringing,
            Media::Lost { .. } => return Phase::Paused,
            Media::Up => {}
        }
        if self.is_consulting() {
            return Phase::Consulting;
        }
        if self.has_human {
            return Phase::WithHuman;
        }
        let is_speaking = self.voice.as_ref().is_some_and(|v| v.has_outstanding_audio() || v.has_waiting_text());
        if is_speaking && !self.barge_in.has_yielded() || self.interludes.has_floor() {
            return Phase::Speaking;
        }
        match (&self.tool, &self.thought) {
            (Some(_), _) => Phase::WaitingTool,
            (None, Some(_)) => Phase::Thinking,
            (None, None) if self.queue.is_some() => Phase::Queued,
            (None, None) => Phase::Listening,
        }
    }

    /// Whether the call is over: nothing comes out any more and inputs change nothing.
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Whether the caller may interrupt what is said now.
    pub fn may_be_interrupted(&self) -> bool {
        self.closing.is_none() && !self.is_giving_notice()
    }

    /// What is said and known, for those who watch or summarise.
    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    fn timing(&self) -> &Timing {
        &self.agent.timing
    }

    /// Whether the agent has the floor or is about to take it.
    fn is_busy(&self) -> bool {
        self.thought.is_some() || self.voice.is_some() || self.interludes.has_floor()
    }

    /// Has the lines that may be needed at any moment rendered while the phone rings.
    fn prepare_lines(&mut self) {
        let lines = &self.agent.lines;
        let introduction = &self.agent.outbound.introduction;
        let placed = [introduction].into_iter().filter(|_| self.direction == Direction::Outbound);
        let first = [&lines.greeting, &lines.notice, &lines.filler, &lines.still_working, &lines.apology];
        let then = [&lines.not_heard, &lines.are_you_there, &lines.goodbye, &lines.call_back, &lines.handoff];
        let waits = self.agent.handoff.mode == HandoffMode::Warm && !self.agent.is_briefing;
        let waiting = [&lines.handoff_waiting, &lines.handoff_failed].into_iter().filter(|_| waits);
        let rare = [&lines.give_up, &lines.resumed, &lines.time_is_up, &lines.handed_back, &lines.on_hold];
        let sounds = lines.back_channels.iter().filter(|_| self.agent.turns.back_channels);
        let outside = self.outside_text().into_iter();
        let texts = first.into_iter().chain(outside).chain(placed).chain(sounds).chain(then).chain(rare).chain(waiting);
        let queue = queue::lines(&self.agent);
        let texts = texts.chain(&queue).filter(|text| !text.trim().is_empty()).cloned().collect();
        self.out.push(Output::Prepare { texts });
    }

    /// Brings everything that follows by itself up to date. Runs after every input and timer.
    fn settle(&mut self, now: CallTime) {
        if !self.is_ended {
            self.forget_side_talk(now);
            self.pickup_on(now);
            self.check_pause(now);
            self.pay_owed(now);
            self.flow_when_free(now);
            self.consult_on(now);
            self.speak_on(now);
            self.next_interlude(now);
            self.note_silence(now);
            self.drain_when_free(now);
            self.close_on(now);
        }
        let phase = self.phase();
        if self.shown_phase != Some(phase) {
            self.shown_phase = Some(phase);
            if phase == Phase::Listening {
                self.quiet_since = now;
            }
            if !self.is_ended {
                self.out.live(LiveKind::Phase { phase: phase.name().to_owned() });
            }
        }
    }

    /// Something outside failed and is worked around.
    fn fault(&mut self, now: CallTime, stage: &str, class: ErrorClass) {
        let stage = stage.to_owned();
        self.out.journal(now, Entry::Fault { stage: stage.clone(), class });
        self.out.live(LiveKind::Fault { stage: stage.clone(), class });
        self.out.measure(crate::io::Measure::Fault { stage, class });
    }

    fn on_host(&mut self, now: CallTime, input: HostInput) {
        match input {
            HostInput::Drain { deadline } => self.begin_drain(now, deadline),
            HostInput::BudgetExhausted => self.budget_is_gone(now),
            HostInput::OutsideHours => self.came_outside_hours(now),
            HostInput::LineSaid { facts } => {
                self.dialog.line_said(facts.expose());
                // Whoever is there now was not asked.
                if self.began_at.is_some() {
                    self.no_yes_any_more(now);
                }
                self.out.journal(now, Entry::LineSaid { facts });
            }
            HostInput::QueuePosition { position } => self.stands_at(now, position),
            HostInput::Overflow => self.close_with_call_back(now, "overflow"),
            HostInput::Routed(routed) => {
                self.out.journal(now, Entry::Routed(routed.clone()));
                self.out.live(LiveKind::Routed(routed));
            }
            HostInput::Saving { step, budget } => {
                self.out.journal(now, Entry::Saving { step, budget });
                self.out.live(LiveKind::Saving { step, budget });
            }
        }
    }
}

impl Machine for CallMachine {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: CallTime, input: Input) {
        if self.is_ended {
            return;
        }
        let now = now.max(self.now);
        self.now = now;
        match input {
            Input::Carrier(input) => self.on_carrier(now, input),
            Input::Speech(input) => self.on_speech(now, input),
            Input::Generation { id, event } => self.on_generation(now, id, event),
            Input::Synthesis { utterance, event } => self.on_synthesis(now, utterance, event),
            Input::Playout { utterance, played_ms, finished } => self.on_playout(now, utterance, played_ms, finished),
            Input::Tool { id, result } => self.on_tool(now, id, result),
            Input::Desk(input) => self.on_desk(now, input),
            Input::Consult { id, event } => self.on_consult(now, id, event),
            Input::Host(input) => self.on_host(now, input),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: CallTime) {
        let now = now.max(self.now);
        // Each timer that fires disarms itself or moves on; the bound is for the one that some day does not.
        for _ in 0..TIMERS_PER_TICK_MAX {
            let Some((at, timer, _)) = self.next_timer() else { return };
            if at > now {
                return;
            }
            self.now = now;
            self.fire(now, timer);
            self.settle(now);
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    fn next_deadline(&self) -> Option<(CallTime, &'static str)> {
        self.next_timer().map(|(at, _, why)| (at, why))
    }
}

/// Timers that may fire in one tick.
const TIMERS_PER_TICK_MAX: usize = 64;
