//! Silence while it is the agent's turn, as the caller hears it.

use crate::call::Phase;
use crate::io::{CarrierInput, Output};
use base::CallTime;
use base::limits::DEAD_AIR_MS_MAX;
use model::agent::Agent;
use model::call::CallState;
use model::journal::Entry;

/// Measures silence while it is the agent's turn: while the machine thinks, waits for a tool or speaks, and nobody is
/// heard. Of the pause that ended the caller's turn it counts what any speaker takes for an end; a longer one was the
/// caller's to fill.
#[derive(Clone, Debug)]
pub struct Silence {
    endpoint_ms: u64,
    slack_ms: u64,
    /// Whether a silence that is too long is a violation.
    pub is_law: bool,
    /// The last sound of anybody.
    sounded_at: CallTime,
    is_caller_audible: bool,
    is_detected: bool,
    has_media: bool,
    /// The other side has put us on hold.
    is_held: bool,
    is_hung_up: bool,
    caller_ended_at: CallTime,
    /// Until when nobody could expect the agent to be heard.
    excused_at: CallTime,
    was_excused: bool,
    turn_credit: Option<CallTime>,
    spans: Vec<(CallTime, CallTime)>,
    told_at: Option<CallTime>,
}

impl Silence {
    pub(super) fn new(agent: &Agent, slack_ms: u64) -> Self {
        Self {
            endpoint_ms: agent.timing.endpoint_ms,
            slack_ms,
            is_law: true,
            sounded_at: CallTime::ZERO,
            is_caller_audible: false,
            is_detected: false,
            has_media: false,
            is_held: false,
            is_hung_up: false,
            caller_ended_at: CallTime::ZERO,
            excused_at: CallTime::ZERO,
            was_excused: true,
            turn_credit: None,
            spans: Vec::new(),
            told_at: None,
        }
    }

    pub(super) fn caller_begins(&mut self, now: CallTime) {
        self.close(now);
        self.is_caller_audible = true;
    }

    pub(super) fn caller_ends(&mut self, now: CallTime) {
        self.is_caller_audible = false;
        self.sounded_at = self.sounded_at.max(now);
        self.caller_ended_at = now;
    }

    pub(super) fn agent_heard(&mut self, from: CallTime, to: CallTime) {
        self.close(from);
        self.sounded_at = self.sounded_at.max(to);
    }

    pub(super) fn detected(&mut self, now: CallTime, is_detected: bool) {
        self.is_detected = is_detected;
        if is_detected {
            self.close(now);
        }
    }

    pub(super) fn carrier(&mut self, now: CallTime, input: &CarrierInput) {
        match input {
            CarrierInput::MediaStarted => self.has_media = true,
            CarrierInput::MediaLost | CarrierInput::HungUp => self.has_media = false,
            CarrierInput::State { state: CallState::Paused } => self.is_held = true,
            CarrierInput::State { state: CallState::Active } if self.is_held => self.is_held = false,
            CarrierInput::State { .. } | CarrierInput::TransferDone { .. } => return,
            CarrierInput::Dtmf { .. } | CarrierInput::Typed { .. } | CarrierInput::Interrupted => {}
        }
        self.close(now);
        self.sounded_at = self.sounded_at.max(now);
        self.caller_ended_at = now;
    }

    pub(super) fn excuse(&mut self) {
        self.has_media = false;
        self.is_hung_up = false;
        self.is_detected = false;
    }

    pub(super) fn output(&mut self, now: CallTime, output: &Output) {
        match output {
            // Whoever types is waited for until the turn is theirs no more.
            Output::Journal(record) if matches!(record.entry, Entry::CallerTurn { typed: true, .. }) => {
                self.close(now);
                self.sounded_at = self.sounded_at.max(now);
            }
            Output::Journal(record) if matches!(record.entry, Entry::CallerTurn { .. }) => {
                let counted = CallTime(now.0.saturating_sub(self.endpoint_ms));
                let since = self.caller_ended_at.max(counted);
                self.turn_credit = Some(since);
                self.sounded_at = self.sounded_at.max(since);
            }
            Output::HangUp { .. } | Output::Transfer { .. } | Output::Ended { .. } => self.is_hung_up = true,
            _ => {}
        }
    }

    fn since(&self) -> CallTime {
        self.sounded_at.max(self.excused_at)
    }

    fn is_owed(&self, phase: Phase) -> bool {
        let is_turn = matches!(phase, Phase::Thinking | Phase::Speaking | Phase::WaitingTool);
        is_turn && self.has_media && !self.is_hung_up && !self.is_caller_audible && !self.is_detected
    }

    /// One step is done. Gives a silence that is too long, once.
    pub(super) fn after_step(&mut self, now: CallTime, phase: Phase) -> Option<String> {
        let is_excused = !self.is_owed(phase);
        let credit = self.turn_credit.take();
        if is_excused {
            if !self.was_excused {
                self.close(now);
            }
            self.excused_at = now;
        } else if self.was_excused {
            self.excused_at = credit.unwrap_or(now);
        }
        self.was_excused = is_excused;
        if is_excused {
            return None;
        }
        let since = self.since();
        let silence_ms = now.since(since).0;
        let is_too_long = self.is_law && silence_ms > DEAD_AIR_MS_MAX + self.slack_ms;
        if !is_too_long || self.told_at == Some(since) {
            return None;
        }
        self.told_at = Some(since);
        Some(format!("{silence_ms} ms since {since} while {}", phase.name()))
    }

    /// A sound, or the end of the agent's turn, ends a silence.
    fn close(&mut self, now: CallTime) {
        let since = self.since();
        if !self.was_excused && now > since {
            self.spans.push((since, now));
        }
    }

    /// The longest silence of which some lies between these times.
    pub fn longest_ms(&self, from: CallTime, to: CallTime) -> u64 {
        let open = (!self.was_excused).then(|| (self.since(), to));
        let spans = self.spans.iter().copied().chain(open);
        let spans = spans.filter(|(begin, end)| *end > from && *begin < to);
        spans.map(|(begin, end)| end.min(to).since(begin).0).max().unwrap_or(0)
    }

    /// The longest silence of the call.
    pub fn longest_of_all_ms(&self) -> u64 {
        self.spans.iter().map(|(begin, end)| end.since(*begin).0).max().unwrap_or(0)
    }
}
