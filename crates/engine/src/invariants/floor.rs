//! Who has the floor: what must hold between the machine and a caller whose sounds are really known. Worlds tell it the
//! truth, which the machine never sees: when the caller makes which kind of sound, and when the agent is audible.

use super::Violation;
use super::silence::Silence;
use crate::call::{CallMachine, Phase};
use crate::io::{CarrierInput, Input, Output, SpeechInput};
use base::limits::STT_FINAL_MS_MAX;
use base::{CallTime, SttStreamId, UtteranceId};
use model::agent::{Agent, Patience};
use model::call::CallState;
use model::journal::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A real interruption silences the agent within this, from the moment its words or its length were known.
const YIELD_MS_MAX: u64 = 500;
/// After a stop that was no interruption the agent goes on within this, once the caller is quiet.
const RESUME_MS_MAX: u64 = 2_500;
/// Onsets younger than this may not have reached the machine in time to hold an answer back.
const ONSET_MS: u64 = 200;

/// What a sound of the caller really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerSound {
    /// Words for the agent.
    Words,
    /// "Mm-hm": the caller listens.
    Listening,
    /// A cough, a door, a voice without words.
    Noise,
    /// Words for somebody else, further from the phone.
    Aside,
    /// The agent's own voice coming back.
    Echo,
    /// The world does not say.
    Unclear,
}

impl CallerSound {
    /// Whether it never takes the floor from an agent that speaks.
    fn is_harmless(self) -> bool {
        matches!(self, Self::Listening | Self::Noise | Self::Aside | Self::Echo)
    }
}

/// One utterance of the agent that may be audible.
#[derive(Clone, Debug, Default)]
struct Line {
    text: String,
    /// Where in the text the legal notice ends, where it holds one.
    notice_to: Option<usize>,
    is_held: bool,
    is_interlude: bool,
    is_audible: bool,
    /// Everything the caller did since it began was harmless, and something was done.
    is_only_disturbed: bool,
    is_taken: bool,
    is_hummed: bool,
    /// Somebody did something else than speak: pressed a key, took the call over, ended it.
    is_keyed: bool,
    heard: Option<String>,
}

/// An utterance that was stopped by what was no interruption.
#[derive(Clone, Debug)]
struct FalseStop {
    utterance: UtteranceId,
    text: String,
    heard: Option<String>,
    at: CallTime,
    by: UtteranceId,
    said: String,
}

/// Watches who has the floor.
#[derive(Clone, Debug)]
pub struct Floor {
    agent: Arc<Agent>,
    slack_ms: u64,
    found: Vec<Violation>,
    lines: BTreeMap<UtteranceId, Line>,
    caller: Option<(CallerSound, CallTime)>,
    /// Words of the present sound that the caller has really said, and of all sounds.
    fresh: Vec<String>,
    /// The machine was told what the present sound is like over the agent's voice.
    is_told: bool,
    known: BTreeSet<String>,
    /// Some of them are in no turn yet.
    is_unclaimed: bool,
    /// Since when the machine knows that somebody interrupts, and whom.
    interrupts: Option<(CallTime, UtteranceId)>,
    detected_at: Option<CallTime>,
    /// The recogniser that is listened to; a line on which it is gone for good may go on without ears.
    stream: Option<SttStreamId>,
    /// The last time words came in.
    words_at: CallTime,
    /// The caller's words have ended and no turn has taken them yet.
    owed_turn: Option<CallTime>,
    false_stop: Option<FalseStop>,
    number: Option<(CallTime, CallTime)>,
    /// Since when an answer is waited for, without a tool in between.
    asked_at: Option<CallTime>,
    /// How long the agent was silent when it should not have been.
    pub silence: Silence,
    /// Whether the machine is told when the caller falls silent. Where it is not, it cannot know when to go on.
    pub hears_stops: bool,
    phase: Option<Phase>,
    /// What the present step was about.
    is_speech: bool,
    is_timeout: bool,
    is_excused: bool,
    /// Utterances that were stopped in this step.
    stopped: Vec<(UtteranceId, Line)>,
}

impl Floor {
    /// Watches a call of this agent. `slack_ms` is how late the world lets sounds and deadlines be.
    pub fn new(agent: Arc<Agent>, slack_ms: u64) -> Self {
        Self {
            silence: Silence::new(&agent, slack_ms),
            agent,
            slack_ms,
            found: Vec::new(),
            lines: BTreeMap::new(),
            caller: None,
            fresh: Vec::new(),
            is_told: false,
            known: BTreeSet::new(),
            is_unclaimed: false,
            interrupts: None,
            detected_at: None,
            stream: None,
            words_at: CallTime::ZERO,
            owed_turn: None,
            false_stop: None,
            number: None,
            asked_at: None,
            hears_stops: true,
            phase: None,
            is_speech: false,
            is_timeout: true,
            is_excused: false,
            stopped: Vec::new(),
        }
    }

    /// The caller begins to make a sound.
    pub fn caller_begins(&mut self, now: CallTime, sound: CallerSound) {
        // What nobody can compare with the agent's voice may mean anything.
        let is_over_agent = self.lines.values().any(|line| line.is_audible && !line.is_held);
        let sound = if sound == CallerSound::Words || is_over_agent { sound } else { CallerSound::Unclear };
        self.caller = Some((sound, now));
        self.fresh.clear();
        self.is_told = false;
        self.silence.caller_begins(now);
        if !sound.is_harmless() {
            self.false_stop = None;
        }
        for line in self.lines.values_mut() {
            line.is_only_disturbed &= sound.is_harmless();
            line.is_taken |= !sound.is_harmless();
            line.is_hummed |= sound == CallerSound::Listening;
        }
    }

    /// The caller has really said a word of the present sound.
    pub fn caller_word(&mut self, word: &str) {
        if !matches!(self.caller, Some((CallerSound::Words | CallerSound::Unclear, _)) | None) {
            return;
        }
        let word = plain(word);
        if !is_listening(&word) {
            self.known.insert(word.clone());
        }
        self.fresh.push(word);
    }

    /// The caller gives a number, group by group: between these times nobody may take the turn for ended.
    pub fn gives_number(&mut self, from: CallTime, until: CallTime) {
        self.number = Some((from, until));
    }

    /// The caller is quiet again.
    pub fn caller_ends(&mut self, now: CallTime) {
        if let Some((CallerSound::Words, _)) = self.caller {
            self.owed_turn = Some(now);
        }
        self.caller = None;
        self.silence.caller_ends(now);
    }

    /// Whether the caller is making a sound.
    pub fn is_caller_audible(&self) -> bool {
        self.caller.is_some()
    }

    /// The ear has heard the agent for this long.
    pub fn agent_heard(&mut self, utterance: UtteranceId, from: CallTime, to: CallTime) {
        self.silence.agent_heard(from, to);
        if let Some(line) = self.lines.get_mut(&utterance) {
            line.is_audible = true;
        }
    }

    /// Nobody listens any more.
    pub fn caller_leaves(&mut self) {
        self.silence.excuse();
    }

    /// The process is gone.
    pub fn killed(&mut self) {
        self.lines.clear();
        self.stream = None;
        self.forget();
        self.silence.excuse();
    }

    fn forget(&mut self) {
        self.number = None;
        self.interrupts = None;
        self.owed_turn = None;
        self.false_stop = None;
    }

    /// The machine is told this. Call before `handle`.
    pub fn input(&mut self, now: CallTime, input: &Input) {
        self.is_timeout = false;
        self.is_speech = matches!(input, Input::Speech(_));
        match input {
            Input::Speech(input) => self.on_speech(now, input),
            Input::Playout { utterance, finished: true, .. } => {
                self.lines.remove(utterance);
            }
            Input::Carrier(input) => {
                self.silence.carrier(now, input);
                let is_hold = matches!(input, CarrierInput::State { state: CallState::Paused | CallState::Active });
                if is_hold || !matches!(input, CarrierInput::State { .. }) {
                    // Keys, typed words, buttons and lines that come and go take the floor by themselves.
                    self.forget();
                    self.lines.values_mut().for_each(|line| (line.is_taken, line.is_keyed) = (true, true));
                    self.is_unclaimed = true;
                }
            }
            Input::Desk(_) | Input::Host(_) | Input::Consult { .. } => {
                self.forget();
                self.lines.values_mut().for_each(|line| (line.is_taken, line.is_keyed) = (true, true));
            }
            Input::Synthesis { .. } | Input::Generation { .. } | Input::Tool { .. } | Input::Playout { .. } => {}
        }
    }

    fn on_speech(&mut self, now: CallTime, input: &SpeechInput) {
        match input {
            SpeechInput::Started => {
                self.detected_at = Some(now);
                self.silence.detected(now, true);
            }
            SpeechInput::Stopped { .. } => {
                self.detected_at = None;
                self.silence.detected(now, false);
            }
            SpeechInput::Partial { stream, text } | SpeechInput::Final { stream, text, .. } => {
                if text.expose().chars().any(char::is_alphanumeric) {
                    self.words_at = now;
                    self.on_words(now, *stream, text.expose());
                }
            }
            SpeechInput::ProviderEndOfTurn { .. } => self.detected_at = None,
            SpeechInput::Failed { stream, .. } => {
                self.owed_turn = None;
                self.stream.take_if(|open| open == stream);
            }
            SpeechInput::Overlap(_) => self.is_told = true,
            SpeechInput::Lull { .. } | SpeechInput::Tone { .. } | SpeechInput::TurnProbability { .. } => {}
        }
    }

    /// Words that the caller is really saying over an agent that is really audible.
    fn on_words(&mut self, now: CallTime, stream: SttStreamId, text: &str) {
        if !self.lines.values().any(|line| line.is_audible && !line.is_held) {
            self.is_unclaimed = true;
        }
        if text.split_whitespace().any(|word| self.known.contains(&plain(word))) {
            // They may come late: of something said before the agent began.
            self.is_unclaimed = true;
            self.lines.values_mut().for_each(|line| line.is_taken = true);
        }
        let Some((CallerSound::Words, _)) = self.caller else { return };
        let Some(last) = text.split_whitespace().last().map(plain) else { return };
        let is_new = self.hears_stops && self.fresh.contains(&last) && !is_listening(&last);
        if self.stream != Some(stream) {
            return; // Of a recogniser that is gone: the machine cannot know them.
        }
        if self.lines.values().any(|line| line.notice_to.is_some()) {
            return; // It is heard to its end, with whatever fills its gaps.
        }
        // A listening sound is over before anybody could stop it.
        let sounds = &self.agent.lines.back_channels;
        let audible = self.lines.iter().find(|(_, line)| line.is_audible && !sounds.contains(&line.text));
        if let Some((id, _)) = audible.filter(|_| is_new && self.interrupts.is_none()) {
            self.interrupts = Some((now, *id));
        }
    }

    /// The machine asks for this.
    pub fn output(&mut self, now: CallTime, output: &Output) {
        self.silence.output(now, output);
        match output {
            Output::HoldUtterance { utterance } => {
                self.lines.insert(*utterance, Line { is_held: true, ..Line::default() });
            }
            Output::ReleaseUtterance { utterance } => {
                self.begins(now, *utterance);
                if let Some(line) = self.lines.get_mut(utterance) {
                    line.is_held = false;
                    let text = line.text.clone();
                    self.asked_at = None;
                    self.goes_on(*utterance, &text);
                }
            }
            Output::Speak { utterance, segment, text } => self.on_speak(now, *utterance, *segment, text),
            Output::Interlude { utterance, text } => {
                self.lines.insert(*utterance, Line { text: text.clone(), is_interlude: true, ..Line::default() });
                let is_listening = self.agent.lines.back_channels.contains(text);
                if is_listening && self.caller.is_some() && !self.agent.turns.back_channels {
                    self.broken("listening_sounds_only_where_wanted", format!("{text:?}"));
                }
            }
            Output::StopPlayout { utterance } => self.on_stop(*utterance),
            Output::OpenStt { stream } => self.stream = Some(*stream),
            Output::Journal(record) => self.on_entry(now, &record.entry),
            Output::HangUp { .. } | Output::Transfer { .. } | Output::Ended { .. } => self.forget(),
            _ => {}
        }
    }

    fn on_entry(&mut self, now: CallTime, entry: &Entry) {
        match entry {
            Entry::ToolStarted { .. } | Entry::ToolFinished { .. } => self.asked_at = Some(now),
            Entry::CallerTurn { text, typed, .. } => {
                let is_within = self.number.is_some_and(|(from, until)| from <= now && now < until);
                if is_within && !typed && ends_in_digits(text.expose()) {
                    self.broken("digits_are_not_cut_off", format!("{:?}", text.expose()));
                }
                self.asked_at = Some(now);
                self.owed_turn = None;
                self.is_unclaimed &= *typed;
                self.is_excused |= *typed;
            }
            Entry::AgentTurn { utterance, heard, latency, .. } => {
                if let Some(stop) = self.false_stop.as_mut().filter(|stop| stop.utterance == *utterance) {
                    stop.heard = Some(heard.expose().clone());
                }
                if let Some((_, line)) = self.stopped.iter_mut().find(|(stopped, _)| stopped == utterance) {
                    line.heard = Some(heard.expose().clone());
                }
                let is_listening_sound = self.agent.lines.back_channels.contains(heard.expose());
                let is_interlude = self.lines.get(utterance).is_some_and(|line| line.is_interlude);
                if is_interlude && is_listening_sound && latency.is_some() {
                    self.broken("listening_sounds_are_no_turn", format!("utterance {utterance}"));
                }
            }
            Entry::Fault { .. } | Entry::Ending { .. } => {
                self.is_excused = true;
                self.forget();
            }
            _ => {}
        }
    }

    fn on_speak(&mut self, now: CallTime, utterance: UtteranceId, segment: u32, text: &str) {
        let notice = self.agent.lines.notice.trim();
        let line = self.lines.entry(utterance).or_default();
        if !line.text.is_empty() {
            line.text.push(' ');
        }
        line.text.push_str(text);
        if !notice.is_empty() && solid(notice).ends_with(&solid(text)) {
            line.notice_to = Some(line.text.len());
        }
        let is_held = line.is_held;
        if segment == 0 && !is_held {
            self.begins(now, utterance);
        }
        if !is_held {
            self.asked_at = None;
            self.goes_on(utterance, text);
        }
    }

    /// A new utterance is on its way to the ear.
    fn begins(&mut self, now: CallTime, utterance: UtteranceId) {
        if let Some(line) = self.lines.get_mut(&utterance) {
            let harmless = self.caller.is_none_or(|(sound, _)| sound.is_harmless());
            line.is_only_disturbed = harmless;
            line.is_taken |= self.is_unclaimed;
        }
        let Some((CallerSound::Words, since)) = self.caller else { return };
        let is_known = self.detected_at.is_some_and(|at| at >= since && now.since(at).0 > ONSET_MS);
        // Words from before the sound was noticed are late ones of what was said before.
        let is_of_this = self.detected_at.is_some_and(|at| self.words_at >= at.max(since));
        let is_recent = now.since(self.words_at).0 < 2_000 && is_of_this;
        let talks = matches!(self.phase, Some(Phase::Listening | Phase::Thinking | Phase::Speaking));
        if is_known && is_recent && talks && (self.is_timeout || self.is_speech) && !self.is_excused {
            self.broken("agent_waits_for_the_caller", format!("utterance {utterance} begins while the caller speaks"));
        }
    }

    /// After a false stop the first words are those that were not heard.
    fn goes_on(&mut self, utterance: UtteranceId, text: &str) {
        let Some(stop) = self.false_stop.as_mut().filter(|stop| utterance > stop.utterance) else { return };
        if stop.by == stop.utterance {
            stop.by = utterance;
        }
        if stop.by != utterance {
            return;
        }
        stop.said.push_str(&solid(text));
        let Some(heard) = &stop.heard else { return };
        let all = solid(&stop.text);
        let Some(rest) = all.strip_prefix(solid(heard).as_str()) else { return };
        let (rest, said) = (rest.to_owned(), stop.said.clone());
        if said.starts_with(&rest) {
            self.false_stop = None;
        } else if !rest.starts_with(&said) {
            self.false_stop = None;
            self.broken("goes_on_at_the_first_unheard_word", format!("{text:?}, where {rest:?} was not heard"));
        }
    }

    fn on_stop(&mut self, utterance: UtteranceId) {
        let Some(line) = self.lines.remove(&utterance) else { return };
        if self.interrupts.is_some_and(|(_, interrupted)| interrupted == utterance) {
            self.interrupts = None;
        }
        let by_caller = self.is_speech || self.is_timeout;
        if !line.is_held && !line.is_interlude && by_caller {
            self.stopped.push((utterance, line));
        }
    }

    /// What was stopped in a step in which nothing failed and nobody decided to end the call was stopped for the caller.
    fn check_stopped(&mut self, now: CallTime, utterance: UtteranceId, line: Line) {
        if line.notice_to.is_some() && line.is_audible && !line.is_keyed {
            self.broken("a_notice_is_heard_whole", format!("utterance {utterance} is stopped"));
        }
        // A hum into a question answers it.
        let is_answered = line.is_hummed && line.text.contains('?');
        let is_foreign = matches!(self.caller, Some((CallerSound::Echo | CallerSound::Aside, _)));
        if is_foreign && !self.is_told {
            return; // Without evidence nobody could tell.
        }
        if is_foreign && !line.is_taken && line.is_only_disturbed && line.is_audible && self.hears_stops {
            self.broken("echo_and_side_talk_stop_nothing", format!("utterance {utterance}"));
        }
        let was_disturbed = line.is_only_disturbed && !line.is_taken && !is_answered;
        if was_disturbed && self.agent.turns.resume_after_false_stop && self.false_stop.is_none() {
            let (text, heard, said) = (line.text, line.heard, String::new());
            self.false_stop = Some(FalseStop { utterance, text, heard, at: now, by: utterance, said });
        }
    }

    /// All outputs of one step were drained. Gives what does not hold.
    pub fn after_step(&mut self, now: CallTime, machine: &CallMachine) -> Vec<Violation> {
        let phase = machine.phase();
        self.phase = Some(phase);
        if !matches!(phase, Phase::Listening | Phase::Thinking | Phase::Speaking | Phase::WaitingTool) {
            self.forget();
        }
        if self.caller.is_some_and(|(sound, _)| sound == CallerSound::Words) {
            self.owed_turn = None;
        }
        if let Some((at, utterance)) = self.interrupts
            && now.since(at).0 > YIELD_MS_MAX + self.slack_ms
        {
            self.interrupts = None;
            if self.lines.contains_key(&utterance) {
                self.broken("an_interruption_silences_the_agent", format!("utterance {utterance} since {at}"));
            }
        }
        let stopped = std::mem::take(&mut self.stopped);
        // Whoever is asked something answers even with a hum.
        let is_talking = matches!(phase, Phase::Listening | Phase::Thinking | Phase::Speaking | Phase::WaitingTool);
        if is_talking && !self.is_excused && !machine.dialog().awaits_answer() {
            stopped.into_iter().for_each(|(utterance, line)| self.check_stopped(now, utterance, line));
        }
        self.check_false_stop(now);
        self.check_turn_end(now, phase);
        let patience_ms = self.agent.timing.turn_ms_max + self.agent.timing.tool_ms_max + self.slack_ms;
        self.asked_at =
            self.asked_at.filter(|_| matches!(phase, Phase::Thinking | Phase::WaitingTool | Phase::Speaking));
        if self.asked_at.is_some_and(|at| now.since(at).0 > patience_ms) {
            self.asked_at = None;
            self.broken("a_turn_is_answered", format!("nothing but fillers for {patience_ms} ms"));
        }
        if let Some(detail) = self.silence.after_step(now, phase) {
            self.broken("no_dead_air_whatever_fails", detail);
        }
        self.is_excused = false;
        self.is_timeout = true;
        self.is_speech = false;
        std::mem::take(&mut self.found)
    }

    fn check_false_stop(&mut self, now: CallTime) {
        if !self.hears_stops {
            self.false_stop = None;
        }
        let Some(stop) = &mut self.false_stop else { return };
        if self.caller.is_some() || self.detected_at.is_some() {
            stop.at = now;
        }
        let is_whole = stop.heard.as_ref().is_some_and(|heard| solid(heard) == solid(&stop.text));
        if is_whole || !stop.said.is_empty() && stop.by != stop.utterance && stop.heard.is_none() {
            self.false_stop = None;
        } else if stop.said.is_empty() && now.since(stop.at).0 > RESUME_MS_MAX + self.slack_ms {
            let detail = format!("utterance {} was stopped by what was no interruption", stop.utterance);
            self.false_stop = None;
            self.broken("what_is_no_interruption_loses_nothing", detail);
        }
    }

    /// However a caller speaks, a turn ends within the longest wait of its profile.
    fn check_turn_end(&mut self, now: CallTime, phase: Phase) {
        if !self.hears_stops || phase != Phase::Listening || self.detected_at.is_some() {
            self.owed_turn = self.owed_turn.filter(|_| phase == Phase::Listening).map(|_| now);
            return;
        }
        let Some(since) = self.owed_turn else { return };
        let has_words = self.words_at >= since || !self.fresh.is_empty() && self.words_at > CallTime::ZERO;
        let waited = now.since(since.max(self.words_at)).0;
        if waited > self.wait_ms_max() + self.slack_ms {
            self.owed_turn = None;
            if has_words {
                self.broken("a_turn_ends_within_its_longest_wait", format!("{waited} ms after {since}"));
            }
        }
    }

    fn wait_ms_max(&self) -> u64 {
        let timing = &self.agent.timing;
        let longest = timing.endpoint_ms.max(timing.endpoint_ms_max).max(timing.endpoint_digits_ms);
        let patience = if self.agent.turns.patience == Patience::Patient { 2 } else { 1 };
        (longest * patience).max(STT_FINAL_MS_MAX) + 600
    }

    fn broken(&mut self, name: &'static str, detail: String) {
        self.found.push(Violation { name, detail });
    }
}

fn solid(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a turn ends in a group of digits.
fn ends_in_digits(turn: &str) -> bool {
    const DIGITS: &[&str] = &["oh", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let last: Vec<String> = turn.split_whitespace().rev().take(2).map(plain).collect();
    last.len() == 2 && last.iter().all(|word| DIGITS.contains(&word.as_str()))
}

/// Words that may well be said while listening: what they mean depends on what was asked.
pub fn is_listening(word: &str) -> bool {
    const WORDS: &[&str] = &["mm", "hm", "mhm", "mmhm", "uh", "huh", "uhhuh", "um", "ah", "oh", "yeah", "yes", "yep"];
    const MORE: &[&str] = &["ok", "okay", "right", "sure", "good", "great", "fine", "i", "see", "got", "it", "all"];
    WORDS.contains(&word) || MORE.contains(&word)
}
