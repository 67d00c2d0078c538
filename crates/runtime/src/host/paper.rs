//! A conversation that is written: what the agent says is read, so it is there as soon as it is sent. The engine is told so
//! in the terms of a voice that takes no time, and everything else of a call stays as it is.

use super::CallHost;
use base::wire::Wire;
use base::{SttStreamId, UtteranceId};
use carriers::protocol::MediaCommand;
use engine::io::{CarrierInput, Input, SpeechInput, SynthesisInput};
use model::live::LiveEvent;

/// Who opens the line of a visitor's conversation while another page of theirs has it.
const REPLACED: Wire = Wire::Close(4001, std::borrow::Cow::Borrowed("another page has the conversation"));

/// What is being written.
#[derive(Debug, Default)]
pub(super) struct Paper {
    /// The utterance in progress, how far it goes in milliseconds that nobody waits for, and whether it is whole.
    utterance: Option<(UtteranceId, u64, bool)>,
    held: Option<UtteranceId>,
    /// Words that are about to be sent, or that a filler would say and nobody writes.
    announced: Option<LiveEvent>,
    /// The recogniser that the engine believes to be open.
    stream: Option<SttStreamId>,
}

impl Paper {
    /// The engine wants a recogniser: there is one when the visitor begins to speak.
    pub(super) fn keep_stream(&mut self, stream: SttStreamId) {
        self.stream = Some(stream);
    }

    /// Keeps words back until it is known that they are written.
    pub(super) fn announce(&mut self, event: LiveEvent) {
        self.announced = Some(event);
    }

    fn speak(&mut self, utterance: UtteranceId, segment: u32, text: &str) -> Vec<Input> {
        let known = self.utterance.filter(|(id, ..)| *id == utterance);
        let (_, begin_ms, _) = known.unwrap_or((utterance, 0, false));
        let end_ms = begin_ms + (text.chars().count() as u64).max(1);
        self.utterance = Some((utterance, end_ms, false));
        let mut inputs = Vec::with_capacity(3);
        if known.is_none() {
            inputs.push(Input::Synthesis { utterance, event: SynthesisInput::FirstAudio });
        }
        inputs.push(done(utterance, segment, end_ms));
        inputs.extend(self.read(utterance));
        inputs
    }

    fn end(&mut self, utterance: UtteranceId) -> Option<Input> {
        let (_, _, ended) = self.utterance.as_mut().filter(|(id, ..)| *id == utterance)?;
        *ended = true;
        self.read(utterance)
    }

    fn release(&mut self, utterance: UtteranceId) -> Option<Input> {
        self.held.take_if(|held| *held == utterance);
        self.read(utterance)
    }

    fn stop(&mut self, utterance: UtteranceId) {
        self.held.take_if(|held| *held == utterance);
        self.utterance.take_if(|(id, ..)| *id == utterance);
    }

    /// All of it that there is was read.
    fn read(&self, utterance: UtteranceId) -> Option<Input> {
        let (_, end_ms, ended) = self.utterance.filter(|(id, ..)| *id == utterance && self.held != Some(*id))?;
        (end_ms > 0).then_some(Input::Playout { utterance, played_ms: end_ms, finished: ended })
    }
}

fn done(utterance: UtteranceId, segment: u32, end_ms: u64) -> Input {
    Input::Synthesis { utterance, event: SynthesisInput::SegmentDone { segment, end_ms, words: Vec::new() } }
}

impl CallHost {
    /// The next words. `false`: somebody has to speak them.
    pub(super) fn write(&mut self, utterance: UtteranceId, segment: u32, text: &str) -> bool {
        let Some(paper) = &mut self.paper else { return false };
        let inputs = paper.speak(utterance, segment, text);
        if let Some(event) = paper.announced.take() {
            self.show(&event);
        }
        inputs.into_iter().for_each(|input| self.queue(input));
        true
    }

    /// Whether the end of an utterance was a matter of writing.
    pub(super) fn write_end(&mut self, utterance: UtteranceId) -> bool {
        let Some(paper) = &mut self.paper else { return false };
        let read = paper.end(utterance);
        read.into_iter().for_each(|input| self.queue(input));
        true
    }

    pub(super) fn write_held(&mut self, utterance: UtteranceId) -> bool {
        self.paper.as_mut().map(|paper| paper.held = Some(utterance)).is_some()
    }

    pub(super) fn write_released(&mut self, utterance: UtteranceId) -> bool {
        let Some(paper) = &mut self.paper else { return false };
        let read = paper.release(utterance);
        read.into_iter().for_each(|input| self.queue(input));
        true
    }

    pub(super) fn write_stopped(&mut self, utterance: UtteranceId) -> bool {
        self.paper.as_mut().map(|paper| paper.stop(utterance)).is_some()
    }

    /// Nobody writes "one moment": who writes sees that an answer is coming. Keys of a telephone are no words either.
    pub(super) fn write_nothing(&mut self, utterance: UtteranceId) -> bool {
        let Some(paper) = &mut self.paper else { return false };
        paper.announced = None;
        self.queue(Input::Synthesis { utterance, event: SynthesisInput::Wordless { end_ms: 1 } });
        self.queue(Input::Playout { utterance, played_ms: 1, finished: true });
        true
    }

    /// Shows an event to whoever is at the line.
    pub(super) fn show(&mut self, event: &LiveEvent) {
        if let Some(link) = &mut self.link
            && let Ok(json) = serde_json::to_string(event)
        {
            link.protocol.on_command(MediaCommand::Live(&json), &mut self.out);
        }
    }

    /// A visitor's line opens, perhaps in the place of another, and says whether its visitor writes or speaks.
    pub(super) fn visitor_joins(&mut self, is_written: bool) {
        if is_written && self.paper.is_none() && self.link.is_some() {
            // Nobody listens any more: what was not heard was not said.
            self.feed(Input::Carrier(CarrierInput::Interrupted));
        }
        if let Some(mut replaced) = self.link.take() {
            self.out.clear();
            self.shared.tasks.spawn(async move {
                let mut last = vec![REPLACED];
                let _ = crate::socket::send_all(replaced.socket.as_mut(), &mut last).await; // It may be gone already.
            });
        }
        if is_written == self.paper.is_some() {
            return;
        }
        if is_written {
            let stream = self.stt.take().map(|(stream, _)| stream);
            self.paper = Some(Paper { stream, ..Paper::default() });
        } else if let Some(stream) = self.paper.take().and_then(|paper| paper.stream) {
            self.open_stt_later = Some(stream);
        }
    }

    /// The recogniser of a visitor who begins to speak in a conversation that was written. It needs the rate of the line.
    pub(super) fn open_late_stt(&mut self) {
        if let Some(stream) = self.open_stt_later.take() {
            self.open_stt(stream);
        }
    }

    /// Whoever comes to a conversation that a person has is told so.
    pub(super) fn show_holder(&mut self) {
        if self.is_visit && self.machine.holder().is_some() {
            let kind = model::live::LiveKind::TakenOver { by: None, mode: model::journal::HoldMode::default() };
            self.show(&LiveEvent { at: self.now(), kind });
        }
    }

    /// Nobody has come back to a written conversation.
    pub(super) fn visitor_is_gone(&mut self) {
        self.feed(Input::Carrier(CarrierInput::HungUp));
    }

    /// A recogniser that nobody needs while the conversation is written.
    pub(super) fn finalize_unneeded(&self, stream: SttStreamId) -> bool {
        let is_written = self.paper.is_some();
        if is_written {
            let nothing = SpeechInput::Final { stream, text: String::new().into(), finalized: true };
            self.queue(Input::Speech(nothing));
        }
        is_written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_at_once_and_what_is_held_is_not() {
        let (first, second) = (UtteranceId(1), UtteranceId(2));
        let mut paper = Paper::default();
        let inputs = paper.speak(first, 0, "Yes.");
        let read = |ms, finished| Input::Playout { utterance: first, played_ms: ms, finished };
        assert_eq!(inputs[1..], [done(first, 0, 4), read(4, false)]);
        assert_eq!(paper.speak(first, 1, "We do."), [done(first, 1, 10), read(10, false)]);
        assert_eq!(paper.end(first), Some(read(10, true)));
        paper.held = Some(second);
        assert_eq!(paper.speak(second, 0, "No.").len(), 2, "there, and not read");
        assert_eq!(paper.end(second), None);
        assert_eq!(paper.release(second), Some(Input::Playout { utterance: second, played_ms: 3, finished: true }));
        paper.stop(second);
        assert_eq!(paper.end(second), None);
    }
}
