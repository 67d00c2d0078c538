//! A caller who waits for a person of the business: they stay on the line with the agent, hear where they stand, and can ask to be
//! called back. Nobody thinks meanwhile; whoever takes the call at the desk ends the wait, and nobody waits without an end.

use super::consult::Wish;
use super::ending::Then;
use super::{BargeIn, CallMachine, Media};
use crate::dialog::call_back::{Waits, what_who_waits_wants};
use crate::dialog::template;
use crate::io::Measure;
use base::limits::QUEUE_SAYS_EVERY_MS;
use base::{CallTime, Millis, Pii};
use model::agent::{Agent, HandoffMode};
use model::journal::{Entry, QueueOutcome, Record};
use model::live::LiveKind;
use serde_json::{Map, Value};

/// Places whose words are ready before anybody asks for them.
const POSITIONS_PREPARED: u32 = 5;

/// A caller who waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// When they began to, in whichever process that was.
    since: CallTime,
    /// Where they stand, and where they were told to stand.
    position: Option<u32>,
    told: Option<u32>,
    /// When they hear next that it goes on.
    says_at: CallTime,
}

impl Waiting {
    fn since(since: CallTime, now: CallTime) -> Self {
        Self { since, position: None, told: None, says_at: now + Millis(QUEUE_SAYS_EVERY_MS) }
    }

    /// The place that they are to hear: the first one, and each better one.
    fn news(&self) -> Option<u32> {
        self.position.filter(|position| self.told.is_none_or(|told| *position < told))
    }
}

/// Lines that may be needed while a caller of this agent waits.
pub(super) fn lines(agent: &Agent) -> Vec<String> {
    if agent.handoff.mode != HandoffMode::Queue || agent.is_briefing {
        return Vec::new();
    }
    let positions = (1..=POSITIONS_PREPARED).map(|position| position_line(agent, position));
    [&agent.lines.queue, &agent.lines.queue_waiting]
        .map(|line| with_key(agent, line))
        .into_iter()
        .chain(positions)
        .collect()
}

fn with_key(agent: &Agent, line: &str) -> String {
    let key = Map::from_iter([("key".to_owned(), Value::String(agent.handoff.call_back_key.to_string()))]);
    template::fill(line, &key, None)
}

fn position_line(agent: &Agent, position: u32) -> String {
    let values = Map::from_iter([("position".to_owned(), Value::from(position))]);
    template::fill(&agent.lines.queue_position, &values, None)
}

impl CallMachine {
    /// Whether the caller waits in the queue, and nobody has them meanwhile.
    pub fn is_waiting(&self) -> bool {
        self.queue.is_some() && !self.has_human && !self.is_ended
    }

    /// Lets the caller wait until a person takes the call.
    pub(super) fn begin_queue(&mut self, now: CallTime, wish: Wish<'_>) {
        let reason = wish.reason.to_owned();
        let brief = Some(self.dialog.wanted(wish.brief)).filter(|brief| !brief.is_empty()).map(Pii::new);
        self.out.journal(now, Entry::Queued { reason: reason.clone(), brief });
        self.out.live(LiveKind::Queued { reason });
        self.abandon_turn();
        self.cancel_tool(now);
        self.drop_guess();
        self.keypad.take();
        self.barge_in = BargeIn::Quiet;
        self.unduck();
        self.no_yes_any_more(now);
        self.queue = Some(Waiting::since(now, now));
        let line = with_key(&self.agent, &self.agent.lines.queue);
        for line in wish.first.iter().chain([&line]) {
            self.say(now, line);
        }
        if let Some(voice) = &mut self.voice {
            voice.close();
        }
    }

    /// Takes an entry of an earlier process in: the caller keeps the time that they have waited.
    pub(super) fn replay_queue(&mut self, record: &Record) {
        match (&record.entry, &mut self.queue) {
            (Entry::Queued { .. }, queue) => *queue = Some(Waiting::since(record.at, self.now)),
            (Entry::QueuePosition { position }, Some(waiting)) => waiting.told = Some(*position),
            (Entry::LeftQueue { .. }, queue) => *queue = None,
            _ => {}
        }
    }

    /// The caller waits no more.
    pub(super) fn leave_queue(&mut self, now: CallTime, outcome: QueueOutcome) {
        let Some(waiting) = self.queue.take() else { return };
        let waited_ms = now.since(waiting.since).0;
        self.out.journal(now, Entry::LeftQueue { outcome, waited_ms });
        self.out.live(LiveKind::LeftQueue { outcome, waited_ms });
        self.out.measure(Measure::LeftQueue { outcome, waited_ms });
    }

    /// The database says where they stand.
    pub(super) fn stands_at(&mut self, now: CallTime, position: u32) {
        if let Some(waiting) = &mut self.queue {
            waiting.position = Some(position.max(1));
            if waiting.told.is_none() {
                waiting.says_at = now; // Behind the line that is being said.
            }
        }
    }

    /// What is next for a caller who waits.
    pub(super) fn queue_deadline(&self) -> Option<(CallTime, &'static str)> {
        let waiting = self.queue.as_ref().filter(|_| !self.has_human)?;
        if matches!(self.media, Media::Awaited { .. }) {
            return None; // Whoever comes back from another process is told how it ends.
        }
        let by = (waiting.since + Millis(self.agent.handoff.wait_ms_max), "nobody came");
        let says = (waiting.says_at, "still waiting in the queue");
        let next = if self.media == Media::Up && self.nobody_speaks() && says.0 < by.0 { says } else { by };
        (!mutant!(WaitsWithoutEnd) || next == says).then_some(next)
    }

    /// Whether neither we nor the caller say anything.
    pub(super) fn nobody_speaks(&self) -> bool {
        let is_silent = self.voice.is_none() && self.queued.is_empty() && self.interludes.is_silent();
        is_silent && !self.hearing.is_speaking() && self.hearing.pause.is_none() && !self.barge_in.is_pending()
    }

    pub(super) fn queue_timed_out(&mut self, now: CallTime) {
        let Some(waiting) = &self.queue else { return };
        if now < waiting.since + Millis(self.agent.handoff.wait_ms_max) {
            return self.say_waiting(now);
        }
        self.leave_queue(now, QueueOutcome::TimedOut);
        self.hand_off(now, Wish { mode: Some(HandoffMode::Cold), ..Wish::plain("nobody_came") });
    }

    /// Says where they stand if that got better, and otherwise that it goes on.
    fn say_waiting(&mut self, now: CallTime) {
        self.listen_anew();
        let Some(waiting) = &mut self.queue else { return };
        waiting.says_at = now + Millis(QUEUE_SAYS_EVERY_MS);
        let Some(position) = waiting.news() else {
            let line = with_key(&self.agent, &self.agent.lines.queue_waiting);
            return self.say(now, &line);
        };
        waiting.told = Some(position);
        self.out.journal(now, Entry::QueuePosition { position });
        self.out.live(LiveKind::QueuePosition { position });
        let line = position_line(&self.agent, position);
        self.say(now, &line);
    }

    /// The audio is back, or whoever had the call for a word: they wait on.
    pub(super) fn wait_on(&mut self, now: CallTime) {
        if self.media != Media::Up {
            return;
        }
        self.listen_anew();
        if let Some(waiting) = &mut self.queue {
            waiting.says_at = now; // As soon as nobody speaks.
        }
    }

    /// Who waits for long may find a recogniser that works again, and can then say that they want to be called back.
    fn listen_anew(&mut self) {
        if self.hearing.stream.is_none() {
            self.hearing.failures = 0;
            self.open_stt();
        }
    }

    /// They said something: it is answered, and they keep their place unless they give it up.
    pub(super) fn reply_to_waiting(&mut self, now: CallTime, speech_end: CallTime, text: &str) {
        match what_who_waits_wants(text) {
            Waits::ForACallBack => self.call_back_instead(now),
            Waits::NoMore => {
                self.leave_queue(now, QueueOutcome::Abandoned);
                let goodbye = self.agent.lines.goodbye.clone();
                self.close(now, "abandoned", vec![goodbye], Then::HangUp, true);
            }
            Waits::On => {
                self.owe_answer(now, speech_end);
                self.say_waiting(now);
            }
        }
    }

    /// They pressed a key.
    pub(super) fn key_while_waiting(&mut self, now: CallTime, key: char) {
        self.interrupt(now);
        if key == self.agent.handoff.call_back_key { self.call_back_instead(now) } else { self.say_waiting(now) }
    }

    fn call_back_instead(&mut self, now: CallTime) {
        self.leave_queue(now, QueueOutcome::CallBack);
        self.close_with_call_back(now, "call_back");
    }
}
