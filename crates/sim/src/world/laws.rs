//! What must hold of the world, besides what the engine's own checker sees from its inputs and outputs.

use super::caller::Caller;
use super::carrier::DESK_WORDS;
use super::plan::Plan;
use super::recogniser::GHOST;
use super::swarm::Trouble;
use super::voice::Voice;
use base::CallTime;
use base::limits::{LAST_WORDS_MS_MAX, STREAM_TOKEN_MS_MAX, TRANSFER_MS_MAX, TTS_FIRST_AUDIO_MS_MAX};
use engine::call::Phase;
use engine::invariants::Violation;
use engine::io::{CarrierInput, HostInput, SpeechInput};
use engine::{CallMachine, Input, Output};
use model::agent::Agent;
use model::journal::{Entry, Record};
use std::sync::Arc;

/// How late the world serves a deadline at worst.
pub const TIMER_LATE_MS_MAX: u64 = 60;

/// Laws that the engine does not keep yet.
pub const AWAITED: &[&str] = &[];

/// What the world remembers in order to judge.
#[derive(Clone, Debug)]
pub struct Laws {
    agent: Arc<Agent>,
    has_voice_trouble: bool,
    has_stop_trouble: bool,
    drain_by: Option<CallTime>,
    has_hung_up: bool,
    /// Since when nobody could expect the agent to say anything, or it said something.
    excused_at: CallTime,
    was_excused: bool,
    /// Since when the caller has waited for the first sound of an answer and said nothing more.
    asked_at: Option<CallTime>,
    /// The detector says that the caller is speaking.
    is_detected: bool,
    human_broken: Option<String>,
    is_with_human: bool,
    /// The longest silence while the caller waited.
    pub silence_ms_max: u64,
}

impl Laws {
    /// Judges a call of this agent in this world.
    pub fn new(agent: Arc<Agent>, plan: &Plan) -> Self {
        let knows = |list: &[Trouble]| list.iter().any(|trouble| plan.swarm.knows(*trouble));
        let voice = [Trouble::VoiceFails, Trouble::VoiceSilent, Trouble::VoiceSlow, Trouble::PlayoutStalls];
        Self {
            agent,
            has_voice_trouble: knows(&voice),
            has_stop_trouble: knows(&[Trouble::StopUnnoticed]),
            drain_by: None,
            has_hung_up: false,
            excused_at: CallTime::ZERO,
            was_excused: true,
            asked_at: None,
            is_detected: false,
            human_broken: None,
            is_with_human: false,
            silence_ms_max: 0,
        }
    }

    /// By when any call must be over, however often its process dies.
    pub fn call_ms_max(&self) -> u64 {
        let timing = &self.agent.timing;
        let process = STREAM_TOKEN_MS_MAX + LAST_WORDS_MS_MAX * 2 + TRANSFER_MS_MAX + timing.hang_up_ms_max + 20_000;
        timing.ring_ms_max + timing.call_ms_max + 4 * process
    }

    /// The process is gone and its promises with it.
    pub fn killed(&mut self) {
        self.drain_by = None;
        self.has_hung_up = false;
    }

    /// The machine is told something.
    pub fn input(&mut self, now: CallTime, input: &Input) {
        match input {
            Input::Host(HostInput::Drain { deadline }) => {
                let deadline = (*deadline).max(now);
                self.drain_by = Some(self.drain_by.map_or(deadline, |by| by.min(deadline)));
            }
            Input::Carrier(CarrierInput::MediaStarted) => self.excused_at = now,
            // A detector or a button that says that the caller has the floor gives the agent a reason to be silent.
            Input::Carrier(CarrierInput::Dtmf { .. } | CarrierInput::Interrupted | CarrierInput::Typed { .. }) => {
                self.excused_at = now;
                self.asked_at = self.asked_at.map(|_| now);
            }
            // It may be the beginning of another turn: the agent rightly waits.
            Input::Speech(input) => {
                self.asked_at = self.asked_at.map(|_| now);
                match input {
                    SpeechInput::Started => self.is_detected = true,
                    SpeechInput::Stopped { .. } => self.is_detected = false,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// The machine asks for something.
    pub fn output(&mut self, now: CallTime, output: &Output) -> Option<(&'static str, String)> {
        match output {
            Output::Journal(Record { entry: Entry::CallerTurn { .. }, .. }) => self.asked_at = Some(now),
            Output::Speak { .. } | Output::Interlude { .. } | Output::ReleaseUtterance { .. }
                if !self.has_hung_up && !self.is_with_human =>
            {
                self.asked_at = None;
            }
            Output::HangUp { .. } => self.has_hung_up = true,
            Output::Speak { text, .. } | Output::Interlude { text, .. } if self.has_hung_up => {
                return Some(("silence_after_hang_up", format!("{text:?}")));
            }
            Output::Speak { text, .. } | Output::Interlude { text, .. }
                if self.is_with_human && !DESK_WORDS.contains(text.as_str()) =>
            {
                self.human_broken = Some(text.clone());
            }
            _ => {}
        }
        None
    }

    /// One step is done. Gives what does not hold.
    pub fn output_done(
        &mut self,
        plan: &Plan,
        machine: &CallMachine,
        has_media: bool,
        voice: &Voice,
        caller: &Caller,
    ) -> Vec<Violation> {
        let now = plan.now;
        let mut found = Vec::new();
        if let Some(by) = self.drain_by.filter(|by| !machine.is_ended() && now.since(*by).0 > 100) {
            found.push(Violation { name: "drained_in_time", detail: format!("should have been over at {by}") });
        }
        let phase = machine.phase();
        if let Some(text) = self.human_broken.take().filter(|_| phase == Phase::WithHuman && !machine.is_on_hold()) {
            found.push(Violation { name: "silent_while_a_person_speaks", detail: format!("{text:?}") });
        }
        self.is_with_human = phase == Phase::WithHuman;
        if !matches!(phase, Phase::Thinking | Phase::WaitingTool) {
            self.asked_at = None;
        }
        let can_be_speaking = self.is_detected || self.has_stop_trouble;
        let timing = &self.agent.timing;
        let patience_ms = timing.filler_after_ms + 2 * timing.barge_in_decide_ms + TIMER_LATE_MS_MAX;
        if let Some(asked_at) = self.asked_at.filter(|at| !can_be_speaking && now.since(*at).0 > patience_ms) {
            let detail = format!("nothing was said since {asked_at}");
            found.push(Violation { name: "answer_or_filler", detail });
        }
        let owes_sound = matches!(phase, Phase::Listening | Phase::Thinking | Phase::Speaking | Phase::WaitingTool);
        // What held at the end of the last step held until this one.
        // A machine is waited for.
        let is_excused = !owes_sound || !has_media || caller.is_speaking || caller.is_machine;
        if std::mem::replace(&mut self.was_excused, is_excused) || is_excused {
            self.excused_at = now;
        }
        let since = self.excused_at.max(voice.sounded_at).max(caller.sounded_at);
        let silence_ms = now.since(since).0;
        self.silence_ms_max = self.silence_ms_max.max(silence_ms);
        if silence_ms > self.silence_ms_allowed() {
            let detail = format!("{silence_ms} ms without a sound while {}", phase.name());
            found.push(Violation { name: "no_dead_air", detail });
        }
        found
    }

    /// The turn's deadline or the idle prompt, whichever is longer, then a filler's patience and the first audio, which may
    /// be tried twice.
    fn silence_ms_allowed(&self) -> u64 {
        let timing = &self.agent.timing;
        let answer = timing.turn_ms_max.max(timing.idle_ms) + timing.filler_after_ms + 2 * TTS_FIRST_AUDIO_MS_MAX;
        let unnoticed = if self.has_stop_trouble { timing.idle_ms } else { 0 };
        let unspoken = if self.has_voice_trouble { 3 * answer } else { 0 };
        answer + unnoticed + unspoken + timing.endpoint_digits_ms
    }
}

/// A word of a turn that the caller never said. An echo that runs into what the caller says is not told apart.
pub fn never_said<'t>(turn: &'t str, said: &str, echoed: &[String]) -> Option<&'t str> {
    let is_key = |word: &str| word.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '#'));
    let is_mixed = turn.split_whitespace().map(plain_word).any(|word| said.contains(word));
    let is_echo = |word: &str| echoed.iter().any(|echo| plain_word(echo) == word);
    turn.split_whitespace().map(plain_word).find(|word| {
        let is_known = is_key(word) || said.contains(*word) || is_mixed && is_echo(word);
        *word == GHOST || !is_known
    })
}

fn plain_word(word: &str) -> &str {
    word.trim_end_matches(['.', '?', ','])
}
