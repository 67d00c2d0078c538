//! The agent's voice: one utterance at a time, from its first text to what was heard of it.

use super::consult::Wish;
use super::latency::TurnClock;
use super::utterance::{ToSpeak, Utterance};
use super::{CallMachine, Media};
use crate::io::{Measure, Output, SynthesisInput};
use base::limits::TTS_SEGMENTS_MAX;
use base::{CallTime, ErrorClass, Pii, UtteranceId};
use model::journal::Entry;
use model::live::LiveKind;

/// Synthesis of the same words is tried again at most once.
const VOICE_RETRIES_MAX: u32 = 1;
/// A monologue may go on for so long to the end of its sentence.
const SENTENCE_MS: u64 = 6_000;
/// The same for words of which some were heard before synthesis failed again.
const STUMBLES_MAX: u32 = 4;
/// Utterances in a row that nobody could speak, after which the call is handed over.
const SILENT_UTTERANCES_MAX: u32 = 2;

impl CallMachine {
    /// Says a line: at the end of the open utterance, after the one that is being finished, or now.
    pub(super) fn say(&mut self, now: CallTime, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        if self.is_mute {
            self.say_without_voice(now, text);
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
                let released = self.release(now, text);
                self.drop_held();
                let voice = released.unwrap_or_else(|| {
                    let mut voice = Utterance::new(self.turn, 0, now);
                    voice.add(text);
                    voice
                });
                self.voice = Some(voice);
            }
        }
        if self.thought.is_none()
            && let Some(voice) = &mut self.voice
        {
            voice.close();
        }
    }

    /// Says a sentence of the answer to the present turn, unless a rule of the agent forbids it: then there is no turn left.
    pub(super) fn say_in_turn(&mut self, now: CallTime, text: &str) {
        if let Some(phrase) = self.forbidden_in(text) {
            self.withhold(now, phrase);
            return;
        }
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

    /// Whether the caller neither speaks nor is given time to go on.
    fn is_quiet_on_the_line(&self) -> bool {
        !self.hearing.is_speaking() && self.hearing.pause.is_none() && !self.barge_in.is_pending()
    }

    /// What is said unless the caller takes the floor is synthesised meanwhile.
    fn prepare_voice(&mut self, now: CallTime) {
        let first = self.voice.as_ref().and_then(Utterance::first_waiting).map(str::to_owned);
        if let Some(first) = first
            && self.speculation.held.is_none()
            && self.agent.turns.speculate
            && !self.interludes.is_playing()
        {
            self.hold(now, first);
        }
    }

    /// The first words go to synthesis, unless they were there before.
    fn begin_voice(&mut self, now: CallTime) {
        let Some(mut voice) = self.voice.take() else { return };
        match voice.first_waiting().map(str::to_owned).and_then(|first| self.release(now, &first)) {
            Some(held) => voice.adopt(held),
            None => {
                self.drop_held();
                voice.id = self.ids.utterance();
            }
        }
        self.voice = Some(voice);
    }

    /// Gives synthesis what it can take. While the caller may be taking the floor, nothing new begins.
    pub(super) fn speak_on(&mut self, now: CallTime) {
        if self.media != Media::Up {
            return;
        }
        if self.voice.is_none()
            && self.is_notice_due
            && !self.has_human
            && self.closing.is_none()
            && self.is_quiet_on_the_line()
        {
            self.is_notice_due = false;
            let notice = Utterance::notice(self.turn, &self.agent.lines.notice, now);
            self.voice = Some(notice);
        }
        if self.voice.is_none()
            && let Some(text) = self.queued.pop_front()
        {
            let rest = std::mem::take(&mut self.queued);
            let mut voice = Utterance::new(self.turn, 0, now);
            voice.add(&text);
            rest.iter().for_each(|text| voice.add(text));
            if self.thought.is_none() {
                voice.close();
            }
            self.voice = Some(voice);
        }
        let begins = self.voice.as_ref().is_some_and(|voice| !voice.is_begun() && voice.has_waiting_text());
        if begins && self.barge_in.is_pending() {
            self.prepare_voice(now);
            return;
        }
        if begins {
            self.begin_voice(now);
        }
        let Some(voice) = &mut self.voice else { return };
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
        if begins && self.hearing.is_speaking() && self.closing.is_none() && !self.is_giving_notice() {
            // The detector takes something for speech: words will tell whether it is.
            self.barge_in.was_there(now, self.bar());
        }
    }

    pub(super) fn on_synthesis(&mut self, now: CallTime, id: UtteranceId, event: SynthesisInput) {
        if let SynthesisInput::CutOff { segment, heard_bytes } = event {
            return self.cut_off(now, id, segment, heard_bytes);
        }
        if self.interlude_synthesis(now, id, &event) {
            return;
        }
        if self.speculation.held.as_ref().is_some_and(|held| held.voice.id == id) {
            self.held_synthesis(now, event);
            return;
        }
        let Some(voice) = self.voice.as_mut().filter(|voice| voice.is_begun() && voice.id == id) else { return };
        match event {
            SynthesisInput::FirstAudio => {
                if voice.first_audio(now)
                    && !voice.is_notice()
                    && let Some(clock) = &mut self.clock
                {
                    clock.first_audio(now);
                }
            }
            SynthesisInput::Words { segment, words } => voice.words_begin(segment, &words),
            SynthesisInput::SegmentDone { segment, end_ms, words } => voice.segment_done(now, segment, end_ms, words),
            SynthesisInput::Wordless { .. } | SynthesisInput::CutOff { .. } => {}
            SynthesisInput::Failed { class } => self.voice_failed(now, class),
        }
    }

    /// Whoever speaks has given the floor to the caller: there is nothing left to decide.
    fn cut_off(&mut self, now: CallTime, id: UtteranceId, segment: u32, heard_bytes: u32) {
        let is_interlude = self.interludes.cut_off(id, segment, heard_bytes);
        let voice = self.voice.as_mut().filter(|voice| voice.is_begun() && voice.id == id);
        match voice {
            Some(voice) => voice.cut_off(segment, heard_bytes),
            None if is_interlude => {}
            None => return, // It is over, or of no interest any more.
        }
        self.sounded(now);
        self.quiet_since = now;
        if self.is_giving_notice() || self.closing.is_some() {
            // What had to be heard and was cut is given again; the way out goes on without the rest of the last words.
            self.is_notice_due |= self.is_giving_notice() && self.closing.is_none();
            self.drop_interludes(now);
            self.stop_voice(now);
        } else {
            self.interrupt(now);
        }
    }

    /// Audio of the sentence that waits for the end of the turn.
    fn held_synthesis(&mut self, now: CallTime, event: SynthesisInput) {
        let Some(held) = &mut self.speculation.held else { return };
        match event {
            SynthesisInput::FirstAudio => {
                held.voice.first_audio(now);
            }
            SynthesisInput::Words { segment, words } => held.voice.words_begin(segment, &words),
            SynthesisInput::SegmentDone { segment, end_ms, words } => {
                held.voice.segment_done(now, segment, end_ms, words);
            }
            // It is said in the ordinary way when its time comes.
            SynthesisInput::Failed { .. } | SynthesisInput::Wordless { .. } | SynthesisInput::CutOff { .. } => {
                let utterance = held.voice.id;
                self.speculation.held = None;
                self.out.push(Output::StopPlayout { utterance });
            }
        }
    }

    pub(super) fn on_playout(&mut self, now: CallTime, id: UtteranceId, played_ms: u64, finished: bool) {
        if self.interlude_played(now, id, played_ms, finished) {
            return;
        }
        let Some(voice) = self.voice.as_mut().filter(|voice| voice.is_begun() && voice.id == id) else { return };
        let before_ms = voice.played_ms();
        if voice.played(now, played_ms, finished) {
            // Lines of its own an agent can say from the audio cache, whatever has become of its voices.
            if !voice.is_of_lines(&self.agent.lines) {
                self.voice_failures = 0;
            }
            self.habits.answer_heard();
            if let Some(clock) = self.clock.as_mut().filter(|_| !voice.is_notice()) {
                clock.heard(now, played_ms);
            }
        }
        let is_finished = voice.is_finished();
        if voice.played_ms() > before_ms || is_finished {
            self.sounded(now);
        }
        if is_finished {
            self.utterance_finished(now);
        } else {
            self.end_monologue(now);
        }
    }

    /// Nobody is talked at without end: the caller is asked whether to go on.
    fn end_monologue(&mut self, now: CallTime) {
        let monologue_ms_max = self.timing().monologue_ms_max;
        let Some(voice) = self.voice.as_ref().filter(|voice| voice.played_ms() >= monologue_ms_max) else { return };
        let is_late = voice.played_ms() >= monologue_ms_max + SENTENCE_MS;
        if voice.is_notice() || self.closing.is_some() || !voice.has_more() || !voice.is_between_segments() && !is_late
        {
            return;
        }
        self.stop_voice(now);
        self.abandon_turn();
        let question = self.agent.lines.go_on.clone();
        self.say(now, &question);
    }

    /// Whether something is said that speech does not interrupt.
    pub(super) fn is_giving_notice(&self) -> bool {
        self.voice.as_ref().is_some_and(|voice| voice.is_notice() && voice.is_begun()) && !mutant!(NoticeInterrupted)
    }

    fn utterance_finished(&mut self, now: CallTime) {
        if let Some(voice) = self.voice.take() {
            self.journal_heard(now, &voice);
            self.unduck();
            self.quiet_since = now;
            self.person_was_heard(now);
        }
    }

    /// Writes down what was heard. What was not heard was not said.
    fn journal_heard(&mut self, now: CallTime, voice: &Utterance) {
        // A notice is no answer.
        let is_heard = voice.played_ms() > 0 && !voice.is_notice();
        let clock = self.clock.take_if(|_| voice.turn == self.turn && is_heard);
        let heard = self.journal_said(now, voice, clock);
        self.dialog.agent_heard(&heard);
    }

    /// Writes down what was heard, and gives it.
    pub(super) fn journal_said(&mut self, now: CallTime, voice: &Utterance, clock: Option<TurnClock>) -> String {
        let heard = voice.heard();
        self.said_last = voice.text();
        let (turn, complete, citations) = (voice.turn, voice.is_complete(), voice.citations.clone());
        let latency = clock.map(|clock| clock.latency());
        let text = Pii::new(heard.clone());
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
        heard
    }

    /// Falls silent at once.
    pub(super) fn stop_voice(&mut self, now: CallTime) {
        self.queued.clear();
        let voice = self.voice.take();
        // What must be heard and was not even begun waits for its moment.
        self.is_notice_due |= voice.as_ref().is_some_and(|voice| voice.is_notice() && !voice.is_begun());
        if let Some(voice) = voice
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

    /// Falls silent at once and keeps what was not heard. Says whether anything was audible.
    pub(super) fn pause_voice(&mut self, now: CallTime) -> bool {
        let was_filling = self.interludes.has_floor();
        self.drop_interludes(now);
        let Some(voice) = self.voice.take_if(|voice| voice.is_begun()) else { return was_filling };
        self.out.push(Output::StopPlayout { utterance: voice.id });
        self.journal_heard(now, &voice);
        self.unduck();
        let attempt = voice.attempt;
        let again = voice.again(attempt, now);
        if again.has_more() {
            self.voice = Some(again);
        }
        true
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
        // A long answer may stumble more than once, as long as it gets on.
        let retries_max = if voice.played_ms() > 0 { STUMBLES_MAX } else { VOICE_RETRIES_MAX };
        let attempt = voice.attempt;
        let can_retry = attempt < retries_max;
        if !can_retry || voice.played_ms() > 0 {
            self.journal_heard(now, &voice);
        }
        let again = voice.again(attempt + 1, now);
        if can_retry {
            self.voice = Some(again).filter(Utterance::has_more);
            return;
        }
        self.voice_failures += 1;
        self.quiet_since = now;
        if self.closing.is_some() {
            let unsaid = again.into_unheard().into_iter().chain(std::mem::take(&mut self.queued));
            self.is_mute = true;
            unsaid.for_each(|text| self.say_without_voice(now, &text));
            return;
        }
        self.queued.clear();
        self.abandon_turn();
        if self.has_human {
            return; // The person can say it themselves.
        }
        if self.voice_failures >= SILENT_UTTERANCES_MAX {
            self.is_mute = true;
            self.hand_off(now, Wish::plain("voice_failed"));
        } else {
            let apology = self.agent.lines.apology.clone();
            self.say_without_voice(now, &apology);
        }
    }
}
