//! The caller's turn: speech, pauses, interruptions, silence.

use super::ending::Then;
use super::endpointing::{Pause, Verdict};
use super::hearing::Words;
use super::latency::TurnClock;
use super::thought::Thought;
use super::{BargeIn, CallMachine, Media};
use crate::dialog::Reply;
use crate::io::{Measure, Output, SpeechInput};
use base::limits::STT_REOPENS_MAX;
use base::{CallTime, ErrorClass, Millis, Pii};
use model::journal::Entry;
use model::live::LiveKind;

impl CallMachine {
    pub(super) fn on_speech(&mut self, now: CallTime, input: SpeechInput) {
        if self.closing.is_some() || self.media != Media::Up {
            return;
        }
        match input {
            SpeechInput::Started => self.speech_started(now),
            SpeechInput::Stopped { silence_ms } => self.speech_stopped(now, silence_ms),
            SpeechInput::Partial { stream, text } if self.hearing.stream == Some(stream) => {
                if self.hearing.partial(now, text.expose()) {
                    self.on_words(now);
                }
            }
            SpeechInput::Final { stream, text, finalized } if self.hearing.stream == Some(stream) => {
                self.on_final(now, text.expose(), finalized);
            }
            SpeechInput::ProviderEndOfTurn { stream } if self.hearing.stream == Some(stream) => {
                self.provider_ended_turn(now);
            }
            SpeechInput::Failed { stream, class } if self.hearing.stream == Some(stream) => self.stt_failed(now, class),
            SpeechInput::TurnProbability { probability } => {
                if let Some(pause) = &mut self.hearing.pause {
                    pause.judged(probability);
                }
            }
            SpeechInput::Lull { .. } | SpeechInput::Overlap(_) | SpeechInput::Tone { .. } => {}
            // Of a stream that counts no more.
            SpeechInput::Partial { .. }
            | SpeechInput::Final { .. }
            | SpeechInput::ProviderEndOfTurn { .. }
            | SpeechInput::Failed { .. } => {}
        }
    }

    fn speech_started(&mut self, now: CallTime) {
        self.hearing.started(now);
        self.out.live(LiveKind::CallerSpeaking { speaking: true });
        if self.has_human || !self.is_busy() {
            return;
        }
        self.barge_in.started(now, self.timing().barge_in_ms);
        let is_audible = self.voice.as_ref().is_some_and(|voice| voice.is_begun());
        if is_audible && !self.is_ducked {
            self.is_ducked = true;
            self.out.push(Output::Duck);
        }
    }

    fn speech_stopped(&mut self, now: CallTime, silence_ms: u64) {
        self.out.live(LiveKind::CallerSpeaking { speaking: false });
        self.pause(now - Millis(silence_ms));
        self.barge_in.stopped(now, self.timing().barge_in_decide_ms);
        self.quiet_since = now;
    }

    /// A pause began. The audio model and the recogniser are asked once per pause.
    fn pause(&mut self, speech_end: CallTime) {
        if !self.hearing.stopped(speech_end) {
            return;
        }
        self.out.push(Output::JudgeTurn);
        if let Some(stream) = self.hearing.stream {
            self.hearing.final_asked();
            self.out.push(Output::FinalizeStt { stream });
        }
    }

    /// The detector never said that the caller stopped: a noisy place, or a frame that got lost.
    pub(super) fn speech_without_end(&mut self, now: CallTime) {
        self.speech_stopped(now, 0);
    }

    fn on_words(&mut self, now: CallTime) {
        let words = self.hearing.words();
        if self.barge_in.is_real(&words, self.answer_is_expected()) {
            self.interrupt_for_good(now);
        } else if !self.barge_in.is_pending() && self.is_busy() && !self.has_human {
            // Late words of a turn that is being answered, or an echo of our own voice: nobody is speaking.
            self.hearing.take(now);
            return;
        }
        self.out.live(LiveKind::Partial { text: Pii::new(words) });
        if !self.hearing.is_speaking() && !self.barge_in.is_pending() {
            self.pause(now);
            self.quiet_since = now;
        }
    }

    fn on_final(&mut self, now: CallTime, text: &str, finalized: bool) {
        let has_words = self.hearing.final_words(now, text);
        if finalized {
            self.hearing.final_given(now);
        }
        if has_words {
            self.on_words(now);
        }
        if finalized && matches!(self.barge_in, BargeIn::Deciding { .. }) {
            self.false_barge_in(now);
        }
    }

    fn provider_ended_turn(&mut self, now: CallTime) {
        if !self.hearing.has_words() || self.barge_in.is_pending() {
            return;
        }
        self.pause(now);
        if let Some(pause) = &mut self.hearing.pause {
            pause.provider_ended();
        }
    }

    fn stt_failed(&mut self, now: CallTime, class: ErrorClass) {
        self.fault(now, "stt", class);
        self.hearing.failures += 1;
        if self.hearing.failures > STT_REOPENS_MAX {
            self.hearing.stream = None;
            self.give_up(now, "stt_failed");
        } else {
            self.open_stt();
        }
    }

    /// Whether even "yeah" is an answer: to a change, a missing argument, or a question just heard.
    fn answer_is_expected(&self) -> bool {
        let was_heard = self.voice.as_ref().is_none_or(|voice| voice.is_nearly_over());
        self.dialog.awaits_answer() || self.has_asked && was_heard
    }

    /// The time to decide about speech over the agent is over.
    pub(super) fn decide_barge_in(&mut self, now: CallTime) {
        match self.barge_in {
            BargeIn::Speaking { .. } => self.interrupt_for_good(now),
            BargeIn::Deciding { .. } => self.false_barge_in(now),
            BargeIn::Quiet => {}
        }
    }

    /// A listening sound, or noise: the agent goes on, and the words are nobody's turn.
    fn false_barge_in(&mut self, now: CallTime) {
        self.barge_in = BargeIn::Quiet;
        self.hearing.take(now);
        self.unduck();
        self.out.measure(Measure::FalseBargeIn);
    }

    fn interrupt_for_good(&mut self, now: CallTime) {
        let since = self.barge_in.since().unwrap_or(now);
        let was_audible = self.voice.as_ref().is_some_and(|voice| voice.is_begun());
        self.interrupt(now);
        if was_audible {
            self.out.measure(Measure::BargeIn { after_ms: now.since(since).0 });
        }
    }

    /// The caller takes the floor: whatever the agent was about to do is off, and what was heard is written down.
    pub(super) fn interrupt(&mut self, now: CallTime) {
        self.stop_voice(now);
        self.abandon_turn();
        self.cancel_lookup(now);
        self.barge_in = BargeIn::Quiet;
    }

    /// What the pause says about the words so far. `None` without a pause.
    pub(super) fn pause_verdict(&self, now: CallTime) -> Option<Verdict> {
        let pause = self.hearing.pause.as_ref()?;
        Some(pause.verdict(now, &self.hearing.words(), self.dialog.expects_digits(), self.timing()))
    }

    /// Ends the turn when the pause says so.
    pub(super) fn check_pause(&mut self, now: CallTime) {
        if self.barge_in.is_pending() || self.closing.is_some() || self.media != Media::Up {
            return;
        }
        match self.pause_verdict(now) {
            Some(Verdict::EndTurn) => {
                let pause = self.hearing.pause.take().unwrap_or_else(|| Pause::began(now));
                let words = self.hearing.take(now);
                self.caller_turn(now, pause.speech_end, words, false);
                if let (Some(clock), Some(final_at)) = (&mut self.clock, pause.final_at) {
                    clock.transcript(final_at);
                }
            }
            Some(Verdict::Noise) => {
                self.hearing.take(now);
                self.quiet_since = now;
            }
            Some(Verdict::Wait(..)) | None => {}
        }
    }

    /// The caller has said something whole.
    pub(super) fn caller_turn(&mut self, now: CallTime, speech_end: CallTime, words: Words, typed: bool) {
        self.interrupt(now);
        self.turn = self.ids.turn();
        self.prompts = 0;
        self.quiet_since = now;
        let (turn, text) = (self.turn, Pii::new(words.text));
        let entry = Entry::CallerTurn { turn, text: text.clone(), cut: words.is_cut, typed };
        if mutant!(TurnJournaledTwice) {
            self.out.journal(now, entry.clone());
        }
        self.out.journal(now, entry);
        self.out.live(LiveKind::CallerTurn { turn, text: text.clone() });
        if self.has_human {
            self.dialog.hear_customer(text.expose());
            return;
        }
        let mut clock = TurnClock::start(speech_end);
        clock.endpoint(now);
        self.clock = Some(clock);
        self.thought = Some(Thought::new(turn, now, self.timing()));
        self.say_owed(now);
        self.answer(now, text.expose());
    }

    fn answer(&mut self, now: CallTime, text: &str) {
        let said = self.dialog.customer(text);
        if let Some((id, yes)) = said.decided {
            self.out.journal(now, Entry::ConfirmationAnswered { id, yes });
        }
        match said.reply {
            // The outcome of a change belongs into the answer.
            Reply::Generate if self.tool.is_some() => {}
            Reply::Generate => self.start_generation(now),
            Reply::Say(text) => {
                self.say_in_turn(now, &text);
                self.finish_turn();
            }
            Reply::Run(id, run) => self.start_tool(now, id, format!("confirmed_{id}"), run),
        }
    }

    /// Nobody has said anything for a while.
    pub(super) fn idle(&mut self, now: CallTime) {
        self.quiet_since = now;
        if self.prompts >= self.timing().idle_prompts_max {
            let goodbye = self.agent.lines.goodbye.clone();
            self.close(now, "idle", vec![goodbye], Then::HangUp, false);
        } else {
            self.prompts += 1;
            let line = self.agent.lines.are_you_there.clone();
            self.say(now, &line);
        }
    }
}
