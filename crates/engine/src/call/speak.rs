//! The agent's voice: one utterance at a time, from its first text to what was heard of it.

use super::utterance::{ToSpeak, Utterance};
use super::{CallMachine, Media};
use crate::io::{Measure, Output, SynthesisInput};
use base::limits::TTS_SEGMENTS_MAX;
use base::{CallTime, ErrorClass, Pii, UtteranceId};
use model::journal::Entry;
use model::live::LiveKind;

/// Synthesis of the same words is tried again at most once.
const VOICE_RETRIES_MAX: u32 = 1;
/// Utterances in a row that nobody could speak, after which the call is handed over.
const SILENT_UTTERANCES_MAX: u32 = 2;

impl CallMachine {
    /// Says a line: at the end of the open utterance, after the one that is being finished, or now.
    pub(super) fn say(&mut self, now: CallTime, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        match &mut self.voice {
            Some(voice) if voice.is_open() => voice.add(text),
            Some(_) => {
                if self.queued.len() < TTS_SEGMENTS_MAX {
                    self.queued.push_back(text.to_owned());
                }
            }
            None => {
                let mut voice = Utterance::new(self.ids.utterance(), self.turn, 0, now);
                voice.add(text);
                self.voice = Some(voice);
            }
        }
        if self.thought.is_none()
            && let Some(voice) = &mut self.voice
        {
            voice.close();
        }
    }

    /// Says a sentence of the answer to the present turn.
    pub(super) fn say_in_turn(&mut self, now: CallTime, text: &str) {
        if let Some(thought) = &mut self.thought {
            thought.has_spoken = true;
        }
        self.dialog.agent_says(text);
        self.say(now, text);
    }

    /// Says results the caller must still be told.
    pub(super) fn say_owed(&mut self, now: CallTime) {
        for text in std::mem::take(&mut self.owed) {
            self.dialog.agent_says(&text);
            self.say(now, &text);
        }
    }

    /// Says them once nobody else is speaking.
    pub(super) fn pay_owed(&mut self, now: CallTime) {
        let is_free = self.media == Media::Up && !self.is_busy() && !self.hearing.is_speaking();
        if is_free && !self.owed.is_empty() && self.closing.is_none() && !self.has_human && self.hearing.pause.is_none()
        {
            self.say_owed(now);
        }
    }

    /// Gives synthesis what it can take. While the caller may be taking the floor, nothing new begins.
    pub(super) fn speak_on(&mut self, now: CallTime) {
        if self.media != Media::Up {
            return;
        }
        if self.voice.is_none()
            && let Some(text) = self.queued.pop_front()
        {
            let rest = std::mem::take(&mut self.queued);
            let mut voice = Utterance::new(self.ids.utterance(), self.turn, 0, now);
            voice.add(&text);
            rest.iter().for_each(|text| voice.add(text));
            if self.thought.is_none() {
                voice.close();
            }
            self.voice = Some(voice);
        }
        let Some(voice) = &mut self.voice else { return };
        if self.barge_in.is_pending() && !voice.is_begun() {
            return;
        }
        let (utterance, turn) = (voice.id, voice.turn);
        while let Some(next) = voice.next_to_speak(now) {
            match next {
                ToSpeak::Segment(segment, text) => {
                    self.has_asked = text.ends_with('?');
                    self.out.live(LiveKind::AgentSaying { turn, text: Pii::new(text.clone()) });
                    self.out.push(Output::Speak { utterance, segment, text });
                }
                ToSpeak::End => self.out.push(Output::EndUtterance { utterance }),
            }
        }
        if !voice.is_begun() && !voice.is_open() {
            self.voice = None;
        }
    }

    pub(super) fn on_synthesis(&mut self, now: CallTime, id: UtteranceId, event: SynthesisInput) {
        let Some(voice) = self.voice.as_mut().filter(|voice| voice.id == id) else { return };
        match event {
            SynthesisInput::FirstAudio => {
                if voice.first_audio(now)
                    && let Some(clock) = &mut self.clock
                {
                    clock.first_audio(now);
                }
            }
            SynthesisInput::Words { segment, words } => voice.words_begin(segment, &words),
            SynthesisInput::SegmentDone { segment, end_ms, words } => voice.segment_done(now, segment, end_ms, words),
            SynthesisInput::Wordless { .. } => {}
            SynthesisInput::Failed { class } => self.voice_failed(now, class),
        }
    }

    pub(super) fn on_playout(&mut self, now: CallTime, id: UtteranceId, played_ms: u64, finished: bool) {
        let Some(voice) = self.voice.as_mut().filter(|voice| voice.id == id) else { return };
        if voice.played(now, played_ms, finished) {
            self.voice_failures = 0;
            if let Some(clock) = &mut self.clock {
                clock.heard(now, played_ms);
            }
        }
        if voice.is_finished() {
            self.utterance_finished(now);
        }
    }

    fn utterance_finished(&mut self, now: CallTime) {
        if let Some(voice) = self.voice.take() {
            self.voice_failures = 0;
            self.journal_heard(now, &voice);
            self.unduck();
            self.quiet_since = now;
        }
    }

    /// Writes down what was heard. What was not heard was not said.
    fn journal_heard(&mut self, now: CallTime, voice: &Utterance) {
        let heard = voice.heard();
        let (turn, complete, citations) = (voice.turn, voice.is_complete(), voice.citations.clone());
        let clock = self.clock.take_if(|_| turn == self.turn && !heard.is_empty());
        let latency = clock.map(|clock| clock.latency());
        self.dialog.agent_heard(&heard);
        let text = Pii::new(heard);
        let entry = Entry::AgentTurn {
            turn,
            utterance: voice.id,
            heard: text.clone(),
            complete,
            citations: citations.clone(),
            latency,
        };
        self.out.journal(now, entry);
        self.out.live(LiveKind::AgentTurn { turn, text, complete, citations, latency });
        if let Some(latency) = latency {
            self.out.measure(Measure::Turn { turn, latency });
        }
    }

    /// Falls silent at once.
    pub(super) fn stop_voice(&mut self, now: CallTime) {
        self.queued.clear();
        if let Some(voice) = self.voice.take()
            && voice.is_begun()
        {
            self.out.push(Output::StopPlayout { utterance: voice.id });
            if mutant!(SegmentAfterStop) {
                self.out.push(Output::Speak {
                    utterance: voice.id,
                    segment: 99,
                    text: self.agent.lines.filler.clone(),
                });
            }
            self.journal_heard(now, &voice);
        }
        self.unduck();
    }

    pub(super) fn unduck(&mut self) {
        if std::mem::take(&mut self.is_ducked) && !mutant!(DuckNeverUndone) {
            self.out.push(Output::Unduck);
        }
    }

    /// Audio that should be there is not.
    pub(super) fn voice_stalled(&mut self, now: CallTime) {
        self.voice_failed(now, ErrorClass::Timeout);
    }

    /// The utterance cannot be spoken further: its unheard words are tried once more, then the conversation goes on
    /// without them.
    fn voice_failed(&mut self, now: CallTime, class: ErrorClass) {
        let Some(voice) = self.voice.take() else { return };
        self.out.push(Output::StopPlayout { utterance: voice.id });
        self.fault(now, "tts", class);
        self.unduck();
        let (attempt, turn, is_open) = (voice.attempt, voice.turn, voice.is_open());
        let citations = voice.citations.clone();
        let can_retry = attempt < VOICE_RETRIES_MAX;
        if !can_retry || voice.played_ms() > 0 {
            self.journal_heard(now, &voice);
        }
        let unheard = voice.into_unheard();
        if can_retry && (is_open || !unheard.is_empty()) {
            let mut again = Utterance::new(self.ids.utterance(), turn, attempt + 1, now);
            again.citations = citations;
            unheard.iter().for_each(|text| again.add(text));
            if !is_open {
                again.close();
            }
            self.voice = Some(again);
            return;
        }
        if can_retry {
            return;
        }
        self.queued.clear();
        self.abandon_turn();
        self.voice_failures += 1;
        self.quiet_since = now;
        if self.voice_failures >= SILENT_UTTERANCES_MAX {
            self.hand_off(now, "voice_failed", None);
        }
    }
}
