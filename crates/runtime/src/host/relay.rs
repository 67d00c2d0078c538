//! A platform that recognises and speaks by itself: words come from it and go to it, and no audio passes here. The engine is told
//! so in the terms of a recogniser, a voice and a playout. What was heard is what the platform says was spoken, and until it says
//! so what time allows.

mod line;
mod words;

use super::{CallHost, Link};
use base::{CallTime, Millis, Pii, SttStreamId, UtteranceId, limits};
use carriers::protocol::{MediaCommand, Relays};
use engine::io::{CarrierInput, ConsultInput, Input, SpeechInput};
use line::Line;
use model::agent::{Agent, HandoffMode};
use model::journal::ConsultOutcome;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The conversation on a line that carries words.
#[derive(Debug, Default)]
pub(super) struct Relay {
    line: Line,
    /// The recogniser that the engine believes to be open.
    stream: Option<SttStreamId>,
    /// The engine was told that the caller speaks.
    is_speaking: bool,
    /// Words of what the caller says at the moment were shown.
    has_words: bool,
    /// Keys that were pressed over the voice: whether they interrupt it, the platform says in a moment.
    keys: VecDeque<(CallTime, Pii<char>)>,
    /// The platform was asked to close the line, and does it by then.
    closes_by: Option<Instant>,
}

impl Relay {
    /// When there is something to send or to tell.
    pub(super) fn next_at(&self) -> Option<CallTime> {
        let keys = self.keys.front().map(|(due_at, _)| *due_at);
        [self.line.next_at(), keys].into_iter().flatten().min()
    }

    /// When a line is given up that the platform was asked to close.
    pub(super) fn closes_by(&self) -> Option<Instant> {
        self.closes_by
    }
}

impl CallHost {
    /// A line that carries words opens.
    pub(super) fn relay_joins(&mut self, link: &mut Link, relays: &Relays) {
        let stream = self.stt.take().map(|(stream, _)| stream);
        let stream = stream.or_else(|| self.relay.take().and_then(|relay| relay.stream));
        self.relay = Some(Relay { stream, ..Relay::default() });
        self.desk.tell_unrecorded();
        let theirs = relays.language.as_deref().unwrap_or_default();
        if !is_same_language(theirs, &self.agent.language) {
            link.protocol.on_command(MediaCommand::Language(&self.agent.language), &mut self.out);
        }
    }

    /// The engine wants a recogniser. `false`: one has to be opened.
    pub(super) fn relay_hears(&mut self, stream: SttStreamId) -> bool {
        self.relay.as_mut().map(|relay| relay.stream = Some(stream)).is_some()
    }

    /// What has to be told and sent by now.
    pub(super) fn relay_due(&mut self) {
        let now = self.now();
        let Some(relay) = &mut self.relay else { return };
        let inputs = relay.line.progress(now);
        inputs.into_iter().for_each(|input| self.feed(input));
        self.take_keys(now);
        self.send_words();
    }

    /// The caller pressed a key. Over the voice it may interrupt, and what of it was heard comes first.
    pub(super) fn on_key(&mut self, digit: Pii<char>) {
        let now = self.now();
        let Some(relay) = &mut self.relay else { return self.feed(Input::Carrier(CarrierInput::Dtmf { digit })) };
        let inputs = relay.line.key_pressed(now);
        let is_over_voice = relay.line.is_speaking() || !relay.keys.is_empty();
        let due_at = if is_over_voice { now + Millis(line::CUT_OFF_MS_MAX) } else { now };
        if relay.keys.len() < limits::DTMF_DIGITS_MAX {
            relay.keys.push_back((due_at, digit));
        }
        inputs.into_iter().for_each(|input| self.feed(input));
        self.take_keys(now);
    }

    /// Gives the engine the keys that are due by then.
    fn take_keys(&mut self, by: CallTime) {
        while let Some((_, digit)) =
            self.relay.as_mut().and_then(|relay| relay.keys.pop_front_if(|(due_at, _)| *due_at <= by))
        {
            self.feed(Input::Carrier(CarrierInput::Dtmf { digit }));
        }
    }

    fn send_words(&mut self) {
        let now = self.now();
        let (Some(relay), Some(link)) = (&mut self.relay, &mut self.link) else { return };
        for token in relay.line.tokens(now) {
            let say = MediaCommand::Say {
                text: &token.text,
                is_last: token.is_last,
                is_interruptible: token.is_interruptible,
            };
            link.protocol.on_command(say, &mut self.out);
        }
    }

    /// The next words. `false`: a voice of ours has to speak them.
    pub(super) fn relay_speaks(&mut self, utterance: UtteranceId, segment: u32, text: &str) -> bool {
        let may_cut = self.machine.may_be_interrupted();
        let Some(relay) = &mut self.relay else { return false };
        let inputs = relay.line.speak(utterance, segment, text, may_cut);
        inputs.into_iter().for_each(|input| self.queue(input));
        self.send_words();
        true
    }

    /// Whether an utterance was a matter of the line; `change` is what becomes of it.
    fn relay_changes(&mut self, change: impl FnOnce(&mut Line)) -> bool {
        let Some(relay) = &mut self.relay else { return false };
        change(&mut relay.line);
        self.send_words();
        true
    }

    pub(super) fn relay_ends(&mut self, utterance: UtteranceId) -> bool {
        self.relay_changes(|line| line.end(utterance))
    }

    pub(super) fn relay_holds(&mut self, utterance: UtteranceId) -> bool {
        self.relay_changes(|line| line.hold(utterance))
    }

    pub(super) fn relay_releases(&mut self, utterance: UtteranceId) -> bool {
        self.relay_changes(|line| line.release(utterance))
    }

    pub(super) fn relay_stops(&mut self, utterance: UtteranceId) -> bool {
        self.relay_changes(|line| line.stop(utterance))
    }

    /// A line of the agent's own, before everything that was not sent yet.
    pub(super) fn relay_interlude(&mut self, utterance: UtteranceId, text: &str) -> bool {
        let may_cut = self.machine.may_be_interrupted();
        let Some(relay) = &mut self.relay else { return false };
        let made = relay.line.interlude(utterance, text, may_cut);
        self.queue(made);
        self.send_words();
        true
    }

    /// The final words were given when the caller had finished: there are no others.
    pub(super) fn relay_finalizes(&self, stream: SttStreamId) -> bool {
        if self.relay.is_some() {
            let nothing = SpeechInput::Final { stream, text: String::new().into(), finalized: true };
            self.queue(Input::Speech(nothing));
        }
        self.relay.is_some()
    }

    /// Without audio nobody can be joined with the caller.
    pub(super) fn relay_consults(&self, id: base::JournalSeq) -> bool {
        if self.relay.is_some() {
            let event = ConsultInput::Ended { outcome: ConsultOutcome::Failed };
            self.queue(Input::Consult { id, event });
        }
        self.relay.is_some()
    }

    /// The platform has heard this.
    pub(super) fn on_words(&mut self, text: String, is_last: bool) {
        let now = self.now();
        let Some(relay) = &mut self.relay else { return };
        if relay.line.is_speaking() {
            if !is_last {
                return; // It interrupts the agent, of which the platform tells first, or nobody knows yet what it is.
            }
            let heard = relay.line.answered(now);
            heard.into_iter().for_each(|input| self.feed(input));
        }
        let Some(stream) = self.relay.as_ref().and_then(|relay| relay.stream) else { return };
        let has_words = !text.trim().is_empty();
        if has_words {
            self.caller_speaks();
            let text = text.into();
            let words = match is_last {
                true => SpeechInput::Final { stream, text, finalized: false },
                false => SpeechInput::Partial { stream, text },
            };
            self.feed(Input::Speech(words));
        }
        if let Some(relay) = &mut self.relay {
            relay.has_words |= has_words;
        }
        if is_last {
            self.caller_stops();
            self.feed(Input::Speech(SpeechInput::ProviderEndOfTurn { stream }));
        }
    }

    /// The platform hears the caller begin or stop. It speaks for itself whether that interrupts the agent, and what has words is
    /// over when the words are.
    pub(super) fn on_caller_speaks(&mut self, speaks: bool) {
        match &self.relay {
            Some(relay) if speaks && !relay.line.is_speaking() => self.caller_speaks(),
            Some(relay) if !speaks && !relay.has_words => self.caller_stops(),
            _ => {}
        }
    }

    fn caller_speaks(&mut self) {
        if let Some(relay) = &mut self.relay
            && !std::mem::replace(&mut relay.is_speaking, true)
        {
            self.feed(Input::Speech(SpeechInput::Started));
        }
    }

    fn caller_stops(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.has_words = false;
            if std::mem::take(&mut relay.is_speaking) {
                self.feed(Input::Speech(SpeechInput::Stopped { silence_ms: 0 }));
            }
        }
    }

    /// The platform begins or stops to speak.
    pub(super) fn on_agent_speaks(&mut self, speaks: bool) {
        let now = self.now();
        if let Some(relay) = &mut self.relay {
            relay.line.reported(now, speaks);
        }
    }

    /// The platform has spoken these words.
    pub(super) fn on_spoken(&mut self, text: &str) {
        let now = self.now();
        if let Some(relay) = &mut self.relay {
            relay.line.spoken(now, text);
        }
    }

    /// The platform fell silent because the caller spoke or pressed a key.
    pub(super) fn on_cut_off(&mut self, heard: &str) {
        let now = self.now();
        let Some(relay) = &mut self.relay else { return };
        let inputs = relay.line.cut_off(now, heard);
        inputs.into_iter().for_each(|input| self.feed(input));
        self.take_keys(now + Millis(line::CUT_OFF_MS_MAX));
    }

    /// Asks the platform to go on with the call without us. `false`: closing the line says it.
    pub(super) fn relay_leaves(&mut self, reason: &str) -> bool {
        let (Some(relay), Some(link)) = (&mut self.relay, &mut self.link) else { return false };
        link.protocol.on_command(MediaCommand::Leave(reason), &mut self.out);
        relay.closes_by = Some(Instant::now() + Duration::from_millis(limits::MEDIA_LEAVE_MS_MAX));
        true
    }

    /// The platform does not take something that we sent. What, it shows in its own console: it may be the caller's words.
    pub(super) fn on_refused(&self) {
        tracing::warn!(carrier = %self.call.carrier, "the platform refused a message");
        metrics::counter!("frontdesk_media_violations_total", "carrier" => self.call.carrier.clone()).increment(1);
    }
}

/// An agent on a line without audio: who asks a person first connects the caller at once.
pub(super) fn as_it_can_be(agent: Arc<Agent>) -> Arc<Agent> {
    if agent.handoff.mode == HandoffMode::Cold {
        return agent;
    }
    let mut agent = Arc::unwrap_or_clone(agent);
    agent.handoff.mode = HandoffMode::Cold;
    Arc::new(agent)
}

/// Whether two tags name one language, as far as the more general of them says.
fn is_same_language(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split(['-', '_']), other.split(['-', '_']));
    let first = one.next().unwrap_or_default();
    let is_first = first.eq_ignore_ascii_case(other.next().unwrap_or_default());
    let regions = one.next().zip(other.next());
    is_first && regions.is_none_or(|(one, other)| one.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    use super::is_same_language;

    #[test]
    fn a_language_without_a_region_is_any_of_its_kinds() {
        assert!(is_same_language("en-US", "en"));
        assert!(is_same_language("en-US", "en-us"));
        assert!(!is_same_language("en-US", "en-GB"));
        assert!(!is_same_language("en-US", "de"));
        assert!(!is_same_language("", "de"));
    }
}
