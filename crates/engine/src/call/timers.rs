//! Which deadline is next, and what happens when it passes.

use super::endpointing::{Pause, Verdict};
use super::{CallMachine, Media, Phase};
use base::{CallTime, ErrorClass, Millis};

/// What a deadline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Media,
    Grace,
    CallMax,
    Drain,
    Closing,
    Voice,
    Tool,
    Generation,
    Turn,
    DeadAir,
    Interlude,
    BargeIn,
    Pause,
    Speech,
    Wordless,
    Keypad,
    Pickup,
    Person,
    Consult,
    Queue,
    OnHold,
    Idle,
}

/// The earliest of the timers shown to it.
#[derive(Default)]
struct Earliest(Option<(CallTime, Timer, &'static str)>);

impl Earliest {
    fn see(&mut self, timer: Timer, deadline: Option<(CallTime, &'static str)>) {
        if let Some((at, why)) = deadline
            && self.0.is_none_or(|(earliest, _, _)| at < earliest)
        {
            self.0 = Some((at, timer, why));
        }
    }
}

impl CallMachine {
    /// The earliest deadline of all that goes on.
    pub(super) fn next_timer(&self) -> Option<(CallTime, Timer, &'static str)> {
        if self.is_ended {
            return None;
        }
        let mut earliest = Earliest::default();
        if let Some(closing) = &self.closing {
            earliest.see(Timer::Closing, Some(closing.deadline()));
            earliest.see(Timer::Voice, self.voice_deadline());
            self.see_silence(&mut earliest);
            return earliest.0;
        }
        earliest.see(Timer::Tool, self.tool.as_ref().map(|tool| (tool.by, "tool")));
        if let Some(began_at) = self.began_at {
            earliest.see(Timer::CallMax, Some((began_at + Millis(self.longest_ms()), "longest call")));
        }
        earliest.see(Timer::Consult, self.consult_deadline());
        earliest.see(Timer::Queue, self.queue_deadline());
        earliest.see(Timer::Drain, self.drain.map(|drain| (drain.last_words_at(), "drain")));
        match self.media {
            Media::Awaited { by } => earliest.see(Timer::Media, Some((by, "media"))),
            Media::Lost { by } => earliest.see(Timer::Grace, Some((by, "media grace"))),
            Media::Up => self.see_conversation(&mut earliest),
        }
        earliest.0
    }

    fn see_conversation(&self, earliest: &mut Earliest) {
        earliest.see(Timer::Voice, self.voice_deadline());
        earliest.see(Timer::BargeIn, self.barge_in.deadline());
        earliest.see(Timer::Keypad, self.keypad.deadline());
        earliest.see(Timer::Pickup, self.pickup_deadline());
        earliest.see(Timer::Person, self.person_deadline());
        earliest.see(Timer::OnHold, self.on_hold_deadline());
        let sign = self.hearing.speaking_sign_at().filter(|_| !self.barge_in.is_pending());
        earliest.see(Timer::Speech, sign.map(|at| (at + Millis(self.timing().idle_ms), "speech without end")));
        if !self.barge_in.is_pending() && !self.is_busy() {
            let words = self.hearing.words();
            let was_over = |pause: &Pause| pause.is_believed(&words, self.expectation(&words));
            let wordless_at = self.hearing.wordless_at(was_over);
            earliest.see(Timer::Wordless, wordless_at.map(|at| (at, "sound without words")));
        }
        if !self.barge_in.is_pending()
            && let Some(Verdict::Wait(at, why)) = self.pause_verdict(self.now)
        {
            earliest.see(Timer::Pause, Some((at, why)));
        }
        if let Some(thought) = &self.thought
            && !mutant!(NoGenerationDeadline)
        {
            earliest.see(Timer::Generation, thought.running.as_ref().map(|running| running.deadline()));
            earliest.see(Timer::Turn, thought.turn_deadline());
        }
        self.see_silence(earliest);
        let is_idle = self.phase() == Phase::Listening
            && self.voice.is_none()
            && self.interludes.is_silent()
            && !self.is_picking_up()
            && !self.hearing.is_speaking()
            && self.hearing.pause.is_none()
            && !self.barge_in.is_pending()
            && !mutant!(IdleNotArmed);
        // A caller whose answer could not be spoken waits for us, whatever we think.
        let idle_ms = if self.voice_failures > 0 { self.timing().idle_ms / 2 } else { self.timing().idle_ms };
        let idle_ms = self.dialog.menu_silence_ms().filter(|_| !self.has_human).unwrap_or(idle_ms);
        earliest.see(Timer::Idle, is_idle.then(|| (self.quiet_since + Millis(idle_ms), "idle")));
    }

    fn see_silence(&self, earliest: &mut Earliest) {
        earliest.see(Timer::Interlude, self.interludes.deadline());
        earliest.see(Timer::DeadAir, self.dead_air_at().map(|at| (at, "dead air")));
    }

    /// Audio does not move on while an interlude is played before it.
    fn voice_deadline(&self) -> Option<(CallTime, &'static str)> {
        let waits = |voice: &&super::Utterance| voice.has_audio() && self.interludes.is_playing();
        self.voice.as_ref().filter(|voice| !waits(voice)).and_then(|voice| voice.deadline())
    }

    /// A deadline has passed.
    pub(super) fn fire(&mut self, now: CallTime, timer: Timer) {
        match timer {
            Timer::Media => self.media_never_came(now),
            Timer::Grace => self.finish(now, "media_lost", None),
            Timer::CallMax => {
                let line = self.agent.lines.time_is_up.clone();
                self.close(now, "time_is_up", vec![line], super::ending::Then::HangUp, true);
            }
            Timer::Drain => self.drain_now(now),
            Timer::Closing => self.closing_timed_out(now),
            Timer::Voice => self.voice_stalled(now),
            Timer::Tool => self.tool_timed_out(now),
            Timer::Generation => self.generation_failed(now, ErrorClass::Timeout),
            Timer::Turn => self.turn_timed_out(now),
            Timer::DeadAir => self.fill_silence(now),
            Timer::Interlude => self.stop_interlude(now),
            Timer::BargeIn => self.decide_barge_in(now),
            // `settle` looks at the pause after every timer.
            Timer::Pause => {}
            Timer::Speech => self.speech_without_end(now),
            Timer::Wordless => self.ask_about_sound(),
            Timer::Keypad => self.keypad_done(now),
            Timer::Pickup => self.pickup_timed_out(now),
            Timer::Person => self.person_is_gone(now),
            Timer::OnHold => self.on_hold_goes_on(now),
            Timer::Consult => self.consult_timed_out(now),
            Timer::Queue => self.queue_timed_out(now),
            Timer::Idle => self.idle(now),
        }
    }
}
