//! What must always hold of a call, checked from outside: the checker sees only what goes in and what comes out, and the
//! machine's phase and deadline after each step. Used by scenarios, property tests and the simulator.

mod floor;
mod guess;
mod held;
mod silence;
mod told;
mod waiting;
mod walk;

pub use floor::{CallerSound, Floor, is_listening};
pub use silence::Silence;

use crate::call::{CallMachine, Phase};
use crate::io::{Input, Measure, Output, SynthesisInput};
use crate::machine::Machine;
use base::limits::{
    ANSWER_HOLD_MS_MAX, BRIEFING_MS_MAX, HOLD_MS_MAX, LAST_WORDS_MS_MAX, MEDIA_GRACE_MS_MAX, QUEUE_SAYS_EVERY_MS,
    STREAM_TOKEN_MS_MAX, TRANSFER_MS_MAX,
};
use base::{CallTime, GenerationId, JournalSeq, ToolCallId, UtteranceId};
use model::agent::Agent;
use model::generation::GenerationEvent;
use model::journal::{Entry, Record};
use model::live::LiveKind;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use told::Told;
use walk::Walk;

use guess::Guesses;
use held::Held;
use waiting::Waiting;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub name: &'static str,
    /// What was seen.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.detail)
    }
}

/// One utterance as seen from outside.
#[derive(Clone, Debug, Default)]
struct Said {
    segments: Vec<(String, Option<u64>)>,
    played_ms: u64,
    has_end: bool,
    is_finished: bool,
    is_over: bool,
    /// What was heard of it in words, without white space, by whoever spoke it and was cut off.
    cut: Option<String>,
    /// Synthesised and not released: nobody hears it.
    is_held: bool,
    is_interlude: bool,
}

impl Said {
    /// Nothing but a waiting sound.
    fn is_wordless(&self) -> bool {
        self.is_interlude && self.segments.iter().all(|(text, _)| text.is_empty())
    }
}

/// One request to a brain as seen from outside.
#[derive(Clone, Debug, Default)]
struct Asked {
    text: String,
    is_live: bool,
    is_cancelled: bool,
}

/// Watches one call over all its incarnations.
#[derive(Clone, Debug)]
pub struct Checker {
    agent: Arc<Agent>,
    found: Vec<Violation>,
    last_seq: JournalSeq,
    last_turn: u64,
    last_stream: u64,
    last_generation: u64,
    last_utterance: u64,
    generations: BTreeMap<GenerationId, Asked>,
    /// Text that must never be spoken: of requests that were called off, or that nobody made.
    dead_text: String,
    said: BTreeMap<UtteranceId, Said>,
    speaking: Option<UtteranceId>,
    guesses: Guesses,
    told: Told,
    held: Held,
    waiting: Waiting,
    walk: Walk,
    /// What was shown to people who watch in this step.
    shown: Vec<String>,
    journaled: BTreeSet<UtteranceId>,
    started: BTreeMap<ToolCallId, JournalSeq>,
    run: BTreeSet<ToolCallId>,
    confirmed: BTreeSet<ToolCallId>,
    handoffs: BTreeSet<JournalSeq>,
    is_ducked: bool,
    has_gone_on: bool,
    has_hung_up: bool,
    is_ended: bool,
}

impl Checker {
    /// Watches a call of this agent.
    pub fn new(agent: Arc<Agent>) -> Self {
        let walk = Walk::new(&agent);
        Self {
            agent,
            found: Vec::new(),
            last_seq: JournalSeq(0),
            last_turn: 0,
            last_stream: 0,
            last_generation: 0,
            last_utterance: 0,
            generations: BTreeMap::new(),
            dead_text: String::new(),
            said: BTreeMap::new(),
            speaking: None,
            guesses: Guesses::default(),
            told: Told::default(),
            held: Held::default(),
            waiting: Waiting::default(),
            walk,
            shown: Vec::new(),
            journaled: BTreeSet::new(),
            started: BTreeMap::new(),
            run: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            handoffs: BTreeSet::new(),
            is_ducked: false,
            has_gone_on: false,
            has_hung_up: false,
            is_ended: false,
        }
    }

    /// The process died and another goes on from the journal. `journal` is what was durable.
    pub fn killed(&mut self, journal: &[Record]) {
        self.speaking = None;
        self.is_ducked = false;
        self.has_hung_up = false;
        self.last_seq = journal.last().map_or(JournalSeq(0), |record| record.seq);
        // What was not durable never was, and a tool waits for its entry.
        let durable = self.last_seq;
        self.started.retain(|_, seq| *seq <= durable);
        self.run.retain(|id| self.started.contains_key(id));
        for asked in self.generations.values_mut() {
            asked.is_live = false;
        }
        for said in self.said.values_mut() {
            said.is_over = true;
        }
        self.told.forget();
        self.held.killed(journal);
        self.waiting.killed(journal);
        self.walk.killed(journal);
        let mut last_turn = String::new();
        for record in journal {
            match &record.entry {
                Entry::CallerTurn { text, .. } => {
                    self.told.turn();
                    last_turn.clone_from(text.expose());
                }
                Entry::AgentTurn { utterance, heard, .. } => {
                    let is_optional = self.said.get(utterance).is_some_and(|said| said.is_interlude);
                    self.told.heard(heard.expose(), is_optional);
                }
                Entry::PersonTurn { text, .. } => self.told.heard(text.expose(), true),
                _ => {}
            }
        }
        self.guesses.killed(&last_turn);
    }

    /// The machine was told this. Call before `handle`.
    pub fn input(&mut self, now: CallTime, input: &Input) {
        self.held.input(now, input);
        match input {
            Input::Generation { id, event } => {
                self.guesses.told(*id, event);
                self.on_generation(*id, event);
            }
            Input::Synthesis { utterance, event: SynthesisInput::Wordless { end_ms } } => {
                if let Some(said) = self.said.get_mut(utterance).filter(|said| said.is_interlude) {
                    said.segments = vec![(String::new(), Some(*end_ms))];
                }
            }
            Input::Synthesis { utterance, event: SynthesisInput::SegmentDone { segment, end_ms, .. } } => {
                self.on_segment_done(*utterance, *segment as usize, *end_ms);
            }
            Input::Synthesis { utterance, event: SynthesisInput::CutOff { segment, heard_bytes } } => {
                if let Some(said) = self.said.get_mut(utterance).filter(|said| !said.is_over && !said.is_held) {
                    let (before, rest) = said.segments.split_at(said.segments.len().min(*segment as usize));
                    let cut = rest.first().map_or("", |(text, _)| {
                        &text[..text.floor_char_boundary(text.len().min(*heard_bytes as usize))]
                    });
                    said.cut =
                        Some(before.iter().map(|(text, _)| text.as_str()).chain([cut]).flat_map(solid).collect());
                }
            }
            Input::Playout { utterance, played_ms, finished } => {
                if let Some(said) = self.said.get_mut(utterance).filter(|said| !said.is_over) {
                    said.played_ms = said.played_ms.max(*played_ms);
                    said.is_finished |= *finished && said.has_end;
                }
            }
            Input::Synthesis { .. } | Input::Carrier(_) | Input::Speech(_) | Input::Tool { .. } => {}
            Input::Desk(_) | Input::Host(_) | Input::Consult { .. } => {}
        }
    }

    fn on_generation(&mut self, id: GenerationId, event: &GenerationEvent) {
        let live = self.generations.get_mut(&id).filter(|asked| asked.is_live);
        match (live, event) {
            (Some(asked), GenerationEvent::Text { delta }) => asked.text.extend(solid(delta)),
            (Some(asked), GenerationEvent::Done { .. } | GenerationEvent::Failed(_)) => asked.is_live = false,
            (None, GenerationEvent::Text { delta }) => {
                self.dead_text.push('\n');
                self.dead_text.extend(solid(delta));
            }
            _ => {}
        }
    }

    fn on_segment_done(&mut self, utterance: UtteranceId, segment: usize, end_ms: u64) {
        let Some(said) = self.said.get_mut(&utterance) else { return };
        let start = segment.checked_sub(1).map_or(Some(0), |i| said.segments.get(i).and_then(|(_, end)| *end));
        if let (Some(start), Some((_, end @ None))) = (start, said.segments.get_mut(segment))
            && end_ms >= start
        {
            *end = Some(end_ms);
        }
    }

    /// The machine asked for this.
    pub fn output(&mut self, output: &Output) {
        if self.is_ended {
            self.broken("nothing_after_the_end", format!("{output:?}"));
        }
        match output {
            Output::Journal(record) => self.on_record(record),
            Output::OpenStt { stream } => {
                let last = std::mem::replace(&mut self.last_stream, stream.0);
                self.must_grow("stt stream", last, stream.0);
            }
            Output::StartGeneration { id, request } => {
                let guess = self.guesses.asked(*id, request, self.agent.turns.speculate);
                self.found.extend(guess);
                if let Some((law, detail)) = self.held.asks(request).or_else(|| self.waiting.asks()) {
                    self.broken(law, detail);
                }
                if let Some(detail) = self.told.check(request) {
                    self.broken("a_brain_knows_what_was_heard", detail);
                }
                self.on_start_generation(*id);
            }
            Output::CancelGeneration { id } => {
                self.guesses.cancelled(*id);
                if let Some(asked) = self.generations.get_mut(id) {
                    asked.is_live = false;
                    asked.is_cancelled = true;
                }
            }
            Output::Speak { utterance, segment, text } => self.on_speak(*utterance, *segment, text),
            Output::EndUtterance { utterance } => {
                if let Some(said) = self.said.get_mut(utterance) {
                    said.has_end = true;
                }
            }
            Output::StopPlayout { utterance } => {
                self.walk.cut_off();
                self.over(*utterance);
            }
            Output::Duck => self.is_ducked = true,
            Output::Unduck => self.is_ducked = false,
            Output::RunTool { id, name, durable, .. } => self.on_run_tool(*id, name, *durable),
            Output::Consult { id, .. } if !self.handoffs.contains(id) => {
                self.broken("cause_before_effect", "a person is asked without its entry".into());
            }
            Output::Consult { .. } | Output::EndConsult { .. } | Output::TakeCaller => {}
            Output::Transfer { durable, .. } if !self.handoffs.contains(durable) => {
                self.broken("cause_before_effect", "a transfer without its entry".into());
            }
            Output::HangUp { .. } => self.on_hang_up(),
            Output::Measure(Measure::FalseBargeIn) => self.has_gone_on = true,
            Output::Ended { .. } => self.is_ended = true,
            Output::HoldUtterance { utterance } => self.on_hold(*utterance),
            Output::ReleaseUtterance { utterance } => self.on_release(*utterance),
            Output::Interlude { utterance, text } => self.on_interlude(*utterance, text),
            Output::Live(LiveKind::AgentSaying { text, .. }) => self.shown.push(text.expose().clone()),
            Output::Transfer { .. } | Output::Measure(_) | Output::Live(_) | Output::CancelTool { .. } => {}
            Output::FinalizeStt { .. } | Output::JudgeTurn | Output::Prepare { .. } | Output::Press { .. } => {}
        }
    }

    fn on_record(&mut self, record: &Record) {
        let expected = self.last_seq.next();
        if record.seq != expected {
            self.broken("journal_without_gaps", format!("{} follows {}", record.seq, self.last_seq));
        }
        self.last_seq = record.seq;
        if let Some((law, detail)) = self.walk.entry(&record.entry) {
            self.broken(law, detail);
        }
        if let Some((law, detail)) = self.held.entry(&record.entry).or(self.waiting.entry(record)) {
            self.broken(law, detail);
        }
        match &record.entry {
            Entry::PersonTurn { text, .. } => self.told.heard(text.expose(), true),
            Entry::CallerTurn { turn, text, .. } => {
                self.guesses.turn(text.expose());
                self.told.turn();
                if turn.0 <= self.last_turn {
                    self.broken("turn_journaled_once", format!("turn {turn}"));
                }
                self.last_turn = turn.0;
                self.bury_cancelled();
            }
            Entry::FlowMoved { values, .. } => self.guesses.asked_for(self.walk.tool(values)),
            Entry::AgentTurn { utterance, heard, complete, .. } => {
                self.on_heard(*utterance, heard.expose(), *complete);
            }
            Entry::ConfirmationAnswered { id, yes: true } => {
                self.confirmed.insert(*id);
            }
            Entry::ToolRefused { name, .. } => self.found.extend(self.guesses.tool(name, None)),
            Entry::ConfirmationAsked { name, args, .. } => {
                self.found.extend(self.guesses.tool(name, Some(&args.expose().to_string())));
            }
            Entry::ToolStarted { id, name, args } => {
                self.found.extend(self.guesses.tool(name, Some(&args.expose().to_string())));
                let earlier = self.started.insert(*id, record.seq);
                if earlier.is_some() {
                    self.broken("ids_are_never_used_again", format!("tool call {id} was started twice"));
                }
            }
            Entry::HandoffRequested { .. } | Entry::ConsultBegan { .. } => {
                self.handoffs.insert(record.seq);
            }
            _ => {}
        }
    }

    fn on_heard(&mut self, utterance: UtteranceId, heard: &str, complete: bool) {
        if !self.journaled.insert(utterance) {
            self.broken("turn_journaled_once", format!("utterance {utterance}"));
        }
        let Some(said) = self.said.get(&utterance) else {
            self.broken("heard_was_said", format!("utterance {utterance} was never spoken"));
            return;
        };
        let problem = check_heard(said, heard, complete);
        let (is_held, is_interlude) = (said.is_held, said.is_interlude);
        self.told.heard(heard, is_interlude);
        self.over(utterance);
        if is_held {
            self.broken("what_is_held_is_not_heard", format!("utterance {utterance} is journaled"));
        }
        if let Some(problem) = problem {
            self.broken("heard_was_played", format!("utterance {utterance}: {problem}"));
        }
    }

    fn on_start_generation(&mut self, id: GenerationId) {
        let last = std::mem::replace(&mut self.last_generation, id.0);
        self.must_grow("generation", last, id.0);
        if let Some((other, _)) = self.generations.iter().find(|(_, asked)| asked.is_live) {
            let detail = format!("{id} begins while {other} goes on");
            self.broken("one_generation_at_a_time", detail);
        }
        self.generations.insert(id, Asked { is_live: true, ..Asked::default() });
    }

    /// A new utterance, of whatever kind.
    fn opens(&mut self, utterance: UtteranceId, said: Said) {
        let last = std::mem::replace(&mut self.last_utterance, utterance.0);
        self.must_grow("utterance", last, utterance.0);
        self.said.insert(utterance, said);
    }

    fn takes_the_voice(&mut self, utterance: UtteranceId) {
        if let Some(other) = self.speaking.filter(|other| *other != utterance) {
            self.broken("one_utterance_at_a_time", format!("{utterance} begins while {other} goes on"));
        }
        self.speaking = Some(utterance);
    }

    fn on_hold(&mut self, utterance: UtteranceId) {
        if self.said.contains_key(&utterance) {
            self.broken("held_before_it_is_spoken", format!("utterance {utterance}"));
        } else {
            self.opens(utterance, Said { is_held: true, ..Said::default() });
        }
    }

    fn on_release(&mut self, utterance: UtteranceId) {
        let held = self.said.get_mut(&utterance).filter(|said| said.is_held && !said.is_over);
        let Some(said) = held else {
            self.broken("only_what_is_held_is_released", format!("utterance {utterance}"));
            return;
        };
        said.is_held = false;
        for (text, _) in said.segments.clone() {
            self.found.extend(self.guesses.released(&text));
        }
    }

    fn on_interlude(&mut self, utterance: UtteranceId, text: &str) {
        let segments = vec![(text.to_owned(), None)];
        self.opens(utterance, Said { segments, is_interlude: true, has_end: true, ..Said::default() });
        self.found.extend(self.guesses.said(text));
        if let Some((law, detail)) = self.held.spoken(text) {
            self.broken(law, detail);
        }
    }

    fn on_speak(&mut self, utterance: UtteranceId, segment: u32, text: &str) {
        if !self.said.contains_key(&utterance) {
            self.opens(utterance, Said::default());
        }
        // A host synthesises one utterance at a time, held or not.
        if self.said.get(&utterance).is_some_and(|said| said.segments.is_empty() && !said.is_over) {
            self.takes_the_voice(utterance);
        }
        if self.said.get(&utterance).is_some_and(|said| !said.is_held) {
            self.found.extend(self.guesses.said(text));
        }
        let said = self.said.entry(utterance).or_default();
        let (is_over, count) = (said.is_over || said.has_end, said.segments.len());
        said.segments.push((text.to_owned(), None));
        if is_over {
            self.broken("silence_after_stop", format!("utterance {utterance} says {text:?} after its end"));
        } else if segment as usize != count {
            self.broken("segments_in_order", format!("segment {segment} of utterance {utterance} comes after {count}"));
        }
        if let Some((law, detail)) = self.held.spoken(text) {
            self.broken(law, detail);
        }
        self.walk.spoken(text);
        let words: String = solid(text).collect();
        let is_known = self.generations.values().any(|asked| asked.text.contains(&words));
        if !is_known && !words.is_empty() && self.dead_text.contains(&words) {
            self.broken("no_cancelled_text", format!("{text:?}"));
        }
    }

    fn on_run_tool(&mut self, id: ToolCallId, name: &str, durable: JournalSeq) {
        if self.started.get(&id) != Some(&durable) {
            self.broken("cause_before_effect", format!("{name} runs before its entry"));
        }
        if !self.run.insert(id) {
            self.broken("tool_runs_once", format!("{name} runs again as {id}"));
        }
        let changes_state = self.agent.tools.iter().any(|tool| tool.name == name && tool.changes_state);
        if changes_state && !self.confirmed.contains(&id) {
            self.broken("change_needs_a_yes", name.to_owned());
        }
    }

    fn on_hang_up(&mut self) {
        if std::mem::replace(&mut self.has_hung_up, true) {
            self.broken("hang_up_once", "again".into());
        }
        if let Some(utterance) = self.speaking {
            self.broken("last_words_are_heard", format!("the line is cut while utterance {utterance} goes on"));
        }
    }

    /// All outputs of one step were drained. Gives what does not hold.
    pub fn after_step(&mut self, now: CallTime, machine: &CallMachine) -> Vec<Violation> {
        let sounds = &self.agent.lines.back_channels;
        let is_listening_sound =
            |said: &Said| said.is_interlude && said.segments.iter().all(|(text, _)| sounds.contains(text));
        let unwritten = self.said.iter().find(|(id, said)| {
            said.is_finished
                && !said.is_over
                && !self.journaled.contains(id)
                && !said.is_wordless()
                && !is_listening_sound(said)
        });
        if let Some((id, _)) = unwritten {
            let detail = format!("utterance {id} was heard to its end and is not in the journal");
            self.broken("turn_journaled_once", detail);
        }
        for text in std::mem::take(&mut self.shown) {
            self.check_shown(&text);
        }
        if std::mem::take(&mut self.has_gone_on) && self.is_ducked {
            self.broken("voice_is_raised_again", "the agent goes on with a low voice".into());
        }
        let has_person = machine.phase() == Phase::WithHuman && self.speaking.is_none();
        let deadline = machine.next_deadline().map(|(at, _)| at);
        if let Some((law, detail)) = self.held.after_step(now, deadline, has_person) {
            self.broken(law, detail);
        }
        let wait_ms_max = self.agent.handoff.wait_ms_max;
        if let Some((law, detail)) = self.waiting.after_step(now, deadline, machine.phase(), wait_ms_max) {
            self.broken(law, detail);
        }
        if let Some((law, detail)) = machine.next_deadline().and_then(|(_, why)| self.walk.waits(why)) {
            self.broken(law, detail);
        }
        match machine.next_deadline() {
            None if !machine.is_ended() => {
                self.broken("always_a_deadline", format!("none in {}", machine.phase().name()))
            }
            Some((at, why)) if machine.is_ended() => {
                self.broken("always_a_deadline", format!("{why} at {at} after the end"))
            }
            Some((at, why)) => {
                let (phase, wait) = (machine.phase(), at.since(now).0);
                if self.wait_ms_max(phase).is_some_and(|max| wait > max) {
                    self.broken("no_silence_without_end", format!("{} waits {wait} ms for {why}", phase.name()));
                }
            }
            None => {}
        }
        if machine.is_ended() != self.is_ended {
            self.broken("ends_once", format!("machine {}, announced {}", machine.is_ended(), self.is_ended));
        }
        std::mem::take(&mut self.found)
    }

    /// People who watch see what is said, not what may never be.
    fn check_shown(&mut self, text: &str) {
        let has = |said: &&Said| said.segments.iter().any(|(segment, _)| segment == text);
        let newest = self.said.values().rev().find(has);
        if newest.is_some_and(|said| said.is_held) {
            self.broken("what_is_held_is_not_heard", format!("{text:?} is shown"));
        }
    }

    /// The caller has taken the floor: text of requests that were called off is dead. Until then sentences of an answer that
    /// broke off may still be waiting to be said.
    fn bury_cancelled(&mut self) {
        for asked in self.generations.values_mut().filter(|asked| asked.is_cancelled) {
            if !asked.text.is_empty() {
                self.dead_text.push('\n');
                self.dead_text.push_str(&std::mem::take(&mut asked.text));
            }
        }
    }

    /// The longest any phase may wait for its next deadline. A person may talk for as long as the call lasts.
    fn wait_ms_max(&self, phase: Phase) -> Option<u64> {
        let timing = &self.agent.timing;
        let turn = timing.idle_ms.max(timing.turn_ms_max).max(timing.tool_ms_max).max(timing.endpoint_ms_max);
        match phase {
            Phase::Dialling | Phase::Ringing => Some(timing.ring_ms_max.max(STREAM_TOKEN_MS_MAX)),
            Phase::Paused => Some(MEDIA_GRACE_MS_MAX.max(STREAM_TOKEN_MS_MAX).max(HOLD_MS_MAX)),
            Phase::Listening | Phase::Thinking | Phase::Speaking | Phase::WaitingTool => {
                let hold = if self.agent.outbound.screen { ANSWER_HOLD_MS_MAX } else { 0 };
                Some(turn.max(timing.endpoint_digits_ms).max(hold))
            }
            Phase::Ending => Some(LAST_WORDS_MS_MAX.max(TRANSFER_MS_MAX).max(timing.hang_up_ms_max)),
            Phase::Consulting => Some(self.agent.handoff.ring_ms_max + BRIEFING_MS_MAX),
            Phase::Queued => Some(turn.max(timing.endpoint_digits_ms).max(QUEUE_SAYS_EVERY_MS)),
            Phase::WithHuman | Phase::Ended => None,
        }
    }

    fn over(&mut self, utterance: UtteranceId) {
        if let Some(said) = self.said.get_mut(&utterance) {
            said.is_over = true;
        }
        if self.speaking == Some(utterance) {
            self.speaking = None;
        }
    }

    fn must_grow(&mut self, what: &str, last: u64, next: u64) {
        if next <= last {
            self.broken("ids_are_never_used_again", format!("{what} {next} follows {last}"));
        }
    }

    fn broken(&mut self, name: &'static str, detail: String) {
        self.found.push(Violation { name, detail });
    }
}

/// Text without its white space: segments are cut and joined at spaces.
fn solid(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| !c.is_whitespace())
}

/// Holds what is claimed to have been heard against what was said and played.
fn check_heard(said: &Said, heard: &str, complete: bool) -> Option<String> {
    let heard: String = solid(heard).collect();
    if let Some(cut) = said.cut.as_ref().filter(|_| !said.is_finished) {
        return (*cut != heard).then(|| format!("{cut:?} was heard before it was cut off"));
    }
    let mut rest = heard.as_str();
    let mut start_ms = Some(0);
    for (text, end_ms) in &said.segments {
        if rest.is_empty() {
            break;
        }
        let text: String = solid(text).collect();
        let is_whole = rest.starts_with(&text);
        if !is_whole && !text.starts_with(rest) {
            return Some("not what was said".into());
        }
        let was_ended = said.played_ms > 0 && end_ms.is_some_and(|end_ms| end_ms <= said.played_ms);
        let was_reached = was_ended || start_ms.is_some_and(|start_ms| said.played_ms > start_ms);
        if !said.is_finished && (!was_reached || is_whole && !was_ended) {
            return Some(format!("more than {} ms can hold", said.played_ms));
        }
        rest = if is_whole { &rest[text.len()..] } else { "" };
        start_ms = *end_ms;
    }
    if !rest.is_empty() {
        return Some("more than was said".into());
    }
    let all: usize = said.segments.iter().map(|(text, _)| solid(text).map(char::len_utf8).sum::<usize>()).sum();
    (complete && heard.len() != all).then(|| "not complete".to_owned())
}

#[cfg(test)]
mod tests;
