//! The caller's turn: speech, pauses, interruptions, silence.

use super::back_channel::is_back_channel;
use super::barge_in::{Bar, Look};
use super::ending::Then;
use super::endpointing::{Expectation, Verdict};
use super::hearing::{WORDLESS_MS_MAX, Words};
use super::latency::TurnClock;
use super::thought::Thought;
use super::{BargeIn, CallMachine, Media};
use crate::dialog::Reply;
use crate::io::{Measure, Output, Overlap, SpeechInput};
use base::limits::STT_REOPENS_MAX;
use base::{CallTime, ErrorClass, Millis, Pii};
use model::journal::{Entry, GuardRule};
use model::live::LiveKind;

/// Noise, echo or side talk that began while the agent spoke is waited out for so long after the agent's last sound.
const SIDE_TALK_MS_MAX: u64 = 1_000;
/// The agent falls silent so often for speech without words; after that it waits for words.
const FALSE_STOPS_MAX: u32 = 2;
/// Speech for which the agent has fallen silent shows its first words within this.
const WORDLESS_STOP_MS_MAX: u64 = 1_000;
/// "Yes, please." takes no longer, with the lull behind it.
const ONE_WORD_MS_MAX: u64 = 1_200;
/// Words that make a turn a story.
const STORY_WORDS_MIN: usize = 15;
/// Between two listening sounds.
const LISTENING_SOUND_MS_MIN: u64 = 6_000;
/// A listening sound is made only where the caller is given at least so much more time.
const GOES_ON_MS_MIN: u64 = 500;

impl CallMachine {
    pub(super) fn on_speech(&mut self, now: CallTime, input: SpeechInput) {
        let Some(input) = self.hear_pickup(now, input) else { return };
        // What a person says who took a call is heard in the caller's.
        let is_elsewhere = self.agent.is_briefing && self.consult.is_some();
        if self.closing.is_some() || self.media != Media::Up || is_elsewhere {
            return;
        }
        match input {
            SpeechInput::Started => self.speech_started(now),
            SpeechInput::Stopped { silence_ms } => self.speech_stopped(now, silence_ms),
            SpeechInput::Partial { stream, text } if self.hearing.stream == Some(stream) => {
                if self.hearing.partial(now, text.expose()) {
                    self.words_in_pause(now);
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
                    self.speculate(now);
                }
            }
            SpeechInput::Lull { silence_ms } => self.lull(now, silence_ms),
            SpeechInput::Overlap(overlap) => self.overlap(now, overlap),
            SpeechInput::Tone { .. } => {}
            // Of a stream that counts no more.
            SpeechInput::Partial { .. }
            | SpeechInput::Final { .. }
            | SpeechInput::ProviderEndOfTurn { .. }
            | SpeechInput::Failed { .. } => {}
        }
    }

    fn speech_started(&mut self, now: CallTime) {
        self.hearing.started(now);
        if !self.hearing.shows_words() {
            self.drop_guess();
        } // Else it may be no speech, and words will tell.
        self.sounded(now);
        self.out.live(LiveKind::CallerSpeaking { speaking: true });
        if self.has_human || !self.is_busy() {
            return;
        }
        self.habits.spoke_before_answer(now);
        self.barge_in.started(now, self.bar());
        if self.barge_in.has_yielded() {
            let idle_ms = self.timing().idle_ms;
            self.barge_in.look_again_at(now + Millis(idle_ms));
        }
        if self.is_giving_notice() {
            return; // Whether they are the caller's words is decided, but not whose turn it is.
        }
        let is_audible = self.voice.as_ref().is_some_and(|voice| voice.is_begun()) || self.interludes.has_floor();
        if is_audible && !self.is_ducked {
            self.is_ducked = true;
            self.out.push(Output::Duck);
        }
    }

    /// How easily the caller's speech makes the agent fall silent.
    pub(super) fn bar(&self) -> Bar {
        let barge_in_ms = self.timing().barge_in_ms;
        let is_undone = self.agent.turns.resume_after_false_stop && self.false_stops < FALSE_STOPS_MAX;
        if is_undone { Bar::eager(barge_in_ms) } else { Bar::wary(barge_in_ms) }
    }

    fn speech_stopped(&mut self, now: CallTime, silence_ms: u64) {
        self.out.live(LiveKind::CallerSpeaking { speaking: false });
        let speech_end = now - Millis(silence_ms);
        if self.hearing.is_speaking() {
            self.sounded(speech_end);
        }
        self.pause(speech_end);
        self.barge_in.stopped(now, self.timing().barge_in_decide_ms);
        if self.barge_in.has_yielded() && self.hearing.has_words() && self.hearing.is_settled() {
            // "Mm-hm.", and nothing else comes: the agent goes on at once.
            self.false_barge_in(now);
        }
        self.quiet_since = now;
        self.speculate(now);
        self.listen_on(now);
    }

    /// A pause began. The audio model and the recogniser are asked once per pause.
    fn pause(&mut self, speech_end: CallTime) {
        if self.hearing.stopped(speech_end) {
            self.out.push(Output::JudgeTurn);
            self.hearing.was_asked_too_early();
            self.ask_final();
        }
    }

    /// A sound goes on of which no words are shown: the recogniser is asked whether there are any.
    pub(super) fn ask_about_sound(&mut self) {
        if let Some(stream) = self.hearing.stream {
            self.hearing.sound_asked();
            self.out.push(Output::FinalizeStt { stream });
        }
    }

    /// Asks for the final words of what was said before this pause, once.
    fn ask_final(&mut self) {
        let was_asked = self.hearing.pause.as_ref().is_some_and(|pause| pause.is_asked);
        if let Some(stream) = self.hearing.stream.filter(|_| !was_asked) {
            self.hearing.final_asked();
            self.out.push(Output::FinalizeStt { stream });
        }
    }

    /// The caller may have finished: the final words and an answer are prepared, should it be so.
    fn lull(&mut self, now: CallTime, silence_ms: u64) {
        self.barge_in.lull();
        if self.has_human {
            return;
        }
        if self.barge_in.is_clear_voice() && !self.is_giving_notice() && self.hearing.may_ask_in_lull(now) {
            // "Wait." is over before it is long enough to be an interruption: its words decide.
            self.hearing.lull(now - Millis(silence_ms));
            self.ask_final();
        }
        if self.barge_in.is_pending() || self.is_busy() {
            return;
        }
        self.hearing.lull(now - Millis(silence_ms));
        // A single word is over before the recogniser shows it.
        let may_be_word = self.hearing.spoken_ms(now) < ONE_WORD_MS_MAX;
        if !self.agent.turns.speculate || !self.hearing.has_words() && !may_be_word {
            return;
        }
        if self.hearing.may_ask_in_lull(now) {
            self.ask_final();
        }
        self.speculate(now);
    }

    fn overlap(&mut self, now: CallTime, overlap: Overlap) {
        self.barge_in.seen(now, overlap);
        // Evidence that it is nothing raises the voice again at once.
        let is_nothing = self.barge_in.is_of_no_interest();
        if is_nothing {
            self.unduck();
        } else if self.barge_in.is_pending() {
            self.on_deciding_words(now);
        }
    }

    /// Noise, echo or side talk that began while the agent spoke is of no interest afterwards either.
    pub(super) fn forget_side_talk(&mut self, now: CallTime) {
        let is_long_over = now.since(self.silent_since).0 >= SIDE_TALK_MS_MAX;
        if self.barge_in.is_unending() && self.barge_in.is_of_no_interest() && is_long_over && !self.is_busy() {
            self.barge_in = BargeIn::Quiet;
            self.hearing.take(now);
            self.unduck();
        }
    }

    /// Words that wait for evidence.
    fn on_deciding_words(&mut self, now: CallTime) {
        let words = self.hearing.words();
        if self.takes_floor(&words) {
            self.interrupt_for_good(now);
        }
    }

    fn takes_floor(&self, words: &str) -> bool {
        // The echo of the last words may arrive when they are over.
        let mut saying = self.said_last.clone();
        for text in self.voice.as_ref().map(|voice| voice.text()).into_iter().chain(self.interludes.text()) {
            saying.push(' ');
            saying.push_str(&text);
        }
        self.barge_in.is_real(words, self.answer_is_expected(), &saying)
    }

    /// In a pause of a long story the agent shows that it listens.
    fn listen_on(&mut self, now: CallTime) {
        let words = self.hearing.words();
        let is_story = words.split_whitespace().count() >= STORY_WORDS_MIN;
        let is_due = self.hearing.listened_at.is_none_or(|at| now.since(at) >= Millis(LISTENING_SOUND_MS_MIN));
        let is_free = !self.is_busy() && !self.has_human && !self.interludes.is_playing() && !self.is_mute;
        let goes_on = self.hearing.pause.as_ref().is_some_and(|pause| {
            let ends_at = pause.ends_at(&words, self.expectation(&words), self.timing());
            ends_at.since(now).0 >= GOES_ON_MS_MIN
        });
        if self.agent.turns.back_channels && is_story && is_due && is_free && goes_on {
            self.hearing.listened_at = Some(now);
            self.show_listening(now);
        }
    }

    /// The detector never said that the caller stopped: a noisy place, or a frame that got lost.
    pub(super) fn speech_without_end(&mut self, now: CallTime) {
        self.speech_stopped(now, 0);
    }

    /// The recogniser hears the caller go on, and the detector does not.
    fn words_in_pause(&mut self, now: CallTime) {
        if !self.hearing.is_speaking()
            && !self.barge_in.is_pending()
            && let Some(speech_end) = self.hearing.spoken_in_pause(now)
        {
            self.pause(speech_end);
        }
    }

    fn on_words(&mut self, now: CallTime) {
        if let Some((began, speech_end)) = self.hearing.take_went_on() {
            self.habits.went_on(began, speech_end);
        }
        if self.hearing.is_speaking() && self.hearing.pause.is_none() {
            self.drop_guess();
        }
        let words = self.hearing.words();
        let may_interrupt = self.is_busy() && !self.has_human && !self.is_giving_notice();
        if may_interrupt && self.hearing.is_speaking() && !self.barge_in.is_pending() {
            // The recogniser took the turn for ended while the detector heard the caller go on: it was right.
            self.barge_in.started(now, self.bar());
        }
        if self.takes_floor(&words) {
            self.interrupt_for_good(now);
        } else if self.is_giving_notice() {
            // They are answered when the notice is over.
        } else if self.thought.is_none() && self.voice.is_none() && self.hearing.is_in_pause() {
            // What the caller said a while ago: only a filler was said meanwhile.
        } else if !self.barge_in.is_pending() && self.is_busy() && !self.has_human {
            // Late words of a turn that is being answered, or an echo of our own voice: nobody is speaking.
            self.hearing.take(now);
            return;
        }
        self.out.live(LiveKind::Partial { text: Pii::new(words) });
        if !self.hearing.is_speaking() && !self.barge_in.is_pending() {
            if self.hearing.pause.is_none() {
                self.sounded(now);
            }
            self.pause(now);
            self.quiet_since = now;
        }
        self.speculate(now);
    }

    fn on_final(&mut self, now: CallTime, text: &str, finalized: bool) {
        let has_words = self.hearing.final_words(now, text);
        if finalized {
            self.hearing.final_given(now);
            if self.hearing.was_asked_too_early() {
                self.ask_final();
            }
        }
        if has_words {
            if !finalized {
                self.words_in_pause(now);
            }
            self.on_words(now);
        }
        if finalized && self.barge_in.is_decided_by_silence() {
            self.false_barge_in(now);
        }
    }

    fn provider_ended_turn(&mut self, now: CallTime) {
        if self.barge_in.has_yielded() && is_back_channel(&self.hearing.words()) {
            // "Mm-hm", and whatever the detector hears since then has no words.
            self.false_barge_in(now);
            return;
        }
        if !self.hearing.has_words() || self.barge_in.is_pending() {
            return;
        }
        if self.hearing.is_speaking() {
            self.hearing.ended_while_speaking(now);
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
            if self.has_human {
                return; // They hear the caller themselves; the agent listens anew when it has the call again.
            }
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

    /// The time to look at speech over the agent has come.
    pub(super) fn decide_barge_in(&mut self, now: CallTime) {
        match self.barge_in {
            BargeIn::Speaking(speech)
                if speech.has_yielded
                    && !self.hearing.has_words()
                    && (!speech.is_near() || speech.is_unseen() && self.hearing.shows_words()) =>
            {
                // Whatever it is, it says nothing: the agent goes on, and learns.
                self.false_barge_in(now);
            }
            BargeIn::Speaking(speech) if speech.has_yielded => {
                let by = speech.since + Millis(self.timing().idle_ms);
                if now < by { self.barge_in.look_again_at(by) } else { self.speech_without_end(now) }
            }
            BargeIn::Speaking(speech) if self.is_wordless(now, speech.since) && speech.is_unseen() => {
                // A crowd, perhaps, before the agent has said a word: the answer does not wait for it to fall silent.
                self.barge_in.look_again_at(now + Millis(WORDLESS_STOP_MS_MAX));
                self.barge_in.ask_about_words();
                self.ask_about_sound();
            }
            BargeIn::Speaking(speech) if self.is_giving_notice() => {
                let idle_ms = self.timing().idle_ms;
                if now.since(speech.since).0 >= idle_ms {
                    self.speech_without_end(now);
                } else {
                    self.barge_in.look_again_at(now + Millis(idle_ms));
                }
            }
            BargeIn::Speaking(_) => {
                let words = self.hearing.words();
                let is_over = self.hearing.is_all_final();
                let (barge_in_ms, idle_ms) = (self.timing().barge_in_ms, self.timing().idle_ms);
                let words_only = self.false_stops >= FALSE_STOPS_MAX;
                match self.barge_in.look(now, (&words, is_over), barge_in_ms, idle_ms, words_only) {
                    Look::Later => {}
                    Look::Yield => self.yield_floor(now),
                    Look::Over => self.speech_without_end(now),
                }
            }
            BargeIn::Deciding { .. } => self.false_barge_in(now),
            BargeIn::Quiet => {}
        }
    }

    /// Whether a recogniser that shows words while they are said has shown none of this sound.
    fn is_wordless(&self, now: CallTime, since: CallTime) -> bool {
        self.hearing.shows_words() && !self.hearing.has_words() && now.since(since).0 >= WORDLESS_MS_MAX
    }

    /// Falls silent for speech that may be an interruption, and keeps what was not heard for the case that it is none.
    fn yield_floor(&mut self, now: CallTime) {
        if !self.agent.turns.resume_after_false_stop {
            self.interrupt_for_good(now);
            return;
        }
        self.barge_in.look_again_at(now + Millis(WORDLESS_STOP_MS_MAX));
        let since = self.barge_in.since().unwrap_or(now);
        if self.pause_voice(now) {
            self.out.measure(Measure::BargeIn { after_ms: now.since(since).0 });
        }
    }

    /// A listening sound, or noise: the agent goes on, and the words are nobody's turn.
    fn false_barge_in(&mut self, now: CallTime) {
        let goes_on = self.barge_in.has_yielded() && self.voice.is_some();
        self.false_stops += u32::from(self.barge_in.has_yielded());
        self.barge_in = BargeIn::Quiet;
        self.hearing.take(now);
        self.unduck();
        self.sounded(now);
        self.out.measure(if goes_on { Measure::ResumedSpeech } else { Measure::FalseBargeIn });
    }

    fn interrupt_for_good(&mut self, now: CallTime) {
        if mutant!(InterruptionIgnored) {
            return;
        }
        if self.barge_in.has_yielded() {
            self.false_stops = self.false_stops.saturating_sub(1); // It was right to.
        }
        let since = self.barge_in.since().unwrap_or(now);
        let was_audible = self.voice.as_ref().is_some_and(|voice| voice.is_begun()) || self.interludes.has_floor();
        self.drop_held();
        self.interrupt(now);
        if was_audible && !self.is_giving_notice() {
            self.out.measure(Measure::BargeIn { after_ms: now.since(since).0 });
        }
    }

    /// The caller takes the floor: whatever the agent was about to do is off, and what was heard is written down.
    pub(super) fn interrupt(&mut self, now: CallTime) {
        self.drop_interludes(now);
        self.take_floor(now);
    }

    fn take_floor(&mut self, now: CallTime) {
        if self.is_giving_notice() {
            self.queued.clear();
        } else {
            self.stop_voice(now);
        }
        self.abandon_turn();
        self.cancel_lookup(now);
        self.barge_in = BargeIn::Quiet;
    }

    /// What the pause says about the words so far. `None` without a pause.
    pub(super) fn pause_verdict(&self, now: CallTime) -> Option<Verdict> {
        let pause = self.hearing.pause.as_ref().filter(|pause| pause.is_certain())?;
        let words = self.hearing.words();
        Some(pause.verdict(now, &words, self.expectation(&words), self.timing()))
    }

    /// What the caller is expected to say, given what was asked, and how this caller speaks.
    pub(super) fn expectation(&self, words: &str) -> Expectation {
        let habit_ms = if self.agent.turns.learn_pauses { self.habits.silence_ms() } else { 0 };
        Expectation {
            patience: self.agent.turns.patience,
            digits: self.dialog.expects_digits(),
            is_complete: self.dialog.is_answered_by(words, self.has_asked),
            was_asked: self.has_asked,
            habit_ms,
            marks: self.habits.marks(),
            question_marks: self.habits.question_marks(),
        }
    }

    /// Ends the turn when the pause says so.
    pub(super) fn check_pause(&mut self, now: CallTime) {
        if self.barge_in.is_pending() || self.closing.is_some() || self.media != Media::Up || self.is_giving_notice() {
            return;
        }
        match self.pause_verdict(now) {
            Some(Verdict::EndTurn) => {
                let Some(pause) = self.hearing.pause.take() else { return };
                let words = self.hearing.take(now);
                self.habits.ended_turn(now, pause.speech_end);
                self.habits.written(&words.text);
                self.caller_turn(now, pause.speech_end, words, false);
                if let (Some(clock), Some(final_at)) = (&mut self.clock, pause.final_at) {
                    clock.transcript(final_at);
                }
            }
            Some(Verdict::Unheard) if !self.has_human => {
                self.drop_guess();
                self.hearing.take(now);
                self.quiet_since = now;
                let line = self.agent.lines.not_heard.clone();
                self.say(now, &line);
            }
            Some(Verdict::Noise | Verdict::Unheard) => {
                self.drop_guess();
                self.hearing.take(now);
                self.quiet_since = now;
            }
            Some(Verdict::Wait(..)) => self.speculate(now),
            None => {}
        }
    }

    /// The caller has said something whole.
    pub(super) fn caller_turn(&mut self, now: CallTime, speech_end: CallTime, words: Words, typed: bool) {
        if typed || !self.interludes.is_filling() {
            self.drop_interludes(now);
        } // Else a filler bridges the wait for these very words, and the answer comes behind it.
        self.take_floor(now);
        self.turn = self.ids.turn();
        self.prompts = 0;
        self.quiet_since = now;
        self.interludes.begin_turn();
        self.speculation.begin_turn();
        if typed {
            self.sounded(now);
        }
        let (turn, text) = (self.turn, Pii::new(words.text));
        let entry = Entry::CallerTurn { turn, text: text.clone(), cut: words.is_cut, typed, sentiment: None };
        if mutant!(TurnJournaledTwice) {
            self.out.journal(now, entry.clone());
        }
        self.out.journal(now, entry);
        self.out.live(LiveKind::CallerTurn { turn, text: text.clone(), sentiment: None });
        self.hold.caller_spoke();
        if self.has_human && !mutant!(PersonTalkedOver) {
            self.drop_guess();
            self.spoke_while_waiting();
            self.dialog.hear_customer(text.expose());
            return;
        }
        if self.is_waiting() {
            self.drop_guess();
            self.dialog.hear_customer(text.expose());
            return self.reply_to_waiting(now, speech_end, text.expose());
        }
        if self.agent.is_briefing {
            self.drop_guess();
            self.dialog.hear_customer(text.expose());
            return self.reply_to_briefing(now, text.expose());
        }
        let mut clock = TurnClock::start(speech_end);
        clock.endpoint(now);
        self.clock = Some(clock);
        self.thought = Some(Thought::new(turn, now, self.timing()));
        self.owe_answer(now, speech_end);
        self.say_owed(now);
        self.answer(now, text.expose());
        self.drop_guess(); // Where no brain was asked.
    }

    fn answer(&mut self, now: CallTime, text: &str) {
        let was_on = self.flow_is_on();
        let said = self.dialog.customer(text);
        if let Some((id, yes)) = said.decided {
            self.out.journal(now, Entry::ConfirmationAnswered { id, yes });
        }
        if was_on && !self.flow_is_on() {
            self.flow_given_up(now);
        }
        match said.reply {
            // The outcome of a change belongs into the answer.
            Reply::Generate if self.tool.is_some() => {}
            Reply::Generate => self.start_generation(now),
            Reply::Say(text) => {
                self.say_in_turn(now, &text);
                self.turn_goes_on(now);
            }
            Reply::Refuse { topic } => {
                self.refuse(now, GuardRule::Topic, topic);
                if self.closing.is_none() {
                    self.turn_goes_on(now);
                }
            }
            Reply::Flow => self.flow_on(now),
            Reply::Run(id, run) => self.start_tool(now, id, format!("confirmed_{id}"), run),
        }
    }

    /// Nobody has said anything for a while.
    pub(super) fn idle(&mut self, now: CallTime) {
        self.quiet_since = now;
        if self.agent.is_briefing {
            return self.ask_again(now);
        }
        if !self.has_human && self.dialog.flow_unanswered() {
            self.begin_flow(now);
            self.flow_on(now);
        } else if self.prompts >= self.timing().idle_prompts_max {
            let goodbye = self.agent.lines.goodbye.clone();
            self.close(now, self.idle_reason(), vec![goodbye], Then::HangUp, false);
        } else {
            self.prompts += 1;
            self.note_nobody(now);
            let line = self.agent.lines.are_you_there.clone();
            self.say(now, &line);
        }
    }
}
