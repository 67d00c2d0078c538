//! Somebody or something has picked up a call that we placed. We listen first; what [`Answering`] finds out decides what
//! is done: a person is greeted, a voicemail gets a message after its beep, an assistant that screens calls is told who
//! calls and why, a menu is answered, and where nobody can be reached the call ends.
//!
//! While this goes on the ordinary taking of turns rests. Once a person is greeted it takes over; for a moment longer it
//! may still turn out that a machine had paused.

use super::ending::{Step, Then};
use super::{CallMachine, Media};
use crate::answering::{Answering, Decision, Finding, Heard};
use crate::io::{LineTone, Measure, Output, SpeechInput};
use base::limits::ANSWER_HOLD_MS_MAX;
use base::{CallTime, Millis, Pii, TurnId};
use model::call::Direction;
use model::journal::{Entry, Party};
use model::live::LiveKind;

/// Silence after which a voicemail's greeting is over although no beep was heard.
const GREETING_OVER_MS: u64 = 1_200;
/// Silence after which an assistant waits for the answer to its question, and a menu for a key.
const QUESTION_OVER_MS: u64 = 700;
const PROMPT_OVER_MS: u64 = 400;
/// Who talks on for longer is answered anyway.
const PROMPT_MS_MAX: u64 = 12_000;
/// A person who talks on for longer is greeted anyway.
const HELLO_MS_MAX: u64 = 6_000;
/// How often an assistant is told who calls.
const INTRODUCTIONS_MAX: u32 = 2;
/// How many menus in a row are answered.
const MENUS_MAX: u32 = 3;
/// A beep that comes so late into the message has cut its beginning off: it is said again.
const LATE_BEEP_MS: u64 = 5_000;
/// Speech that begins so soon after our greeting may still be the machine that had only paused.
const MACHINE_GOES_ON_MS: u64 = 2_500;
/// A beep that comes so soon after our greeting is that of a voicemail.
const BEEP_AFTER_GREETING_MS: u64 = 8_000;
/// The slowest a message is spoken.
const MS_PER_CHAR_MAX: u64 = 110;

/// A call that was picked up, until a person is in it.
#[derive(Clone, Debug)]
pub(super) struct Pickup {
    ears: Answering,
    doing: Doing,
    /// Who the journal says has answered.
    noted: Option<Party>,
    introductions: u32,
    menus: u32,
}

/// What we are doing about it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Doing {
    /// Finding out.
    Listen {
        by: CallTime,
    },
    /// A person: the hello is heard to its end.
    Greet {
        by: CallTime,
    },
    /// The conversation goes on in the ordinary way. `turn` is the last one before our greeting.
    Talk {
        since: CallTime,
        turn: TurnId,
        is_deaf: bool,
    },
    /// A voicemail: its greeting is heard to its end.
    AwaitBeep {
        by: CallTime,
    },
    /// The message is being left.
    Leave {
        since: CallTime,
        is_again: bool,
    },
    /// The assistant's question, or the menu, is heard to its end.
    Introduce {
        by: CallTime,
    },
    Choose {
        by: CallTime,
    },
    /// Who will come to the line?
    Hold {
        by: CallTime,
        party: Party,
    },
}

impl Pickup {
    fn new(now: CallTime) -> Self {
        let doing = Doing::Listen { by: now + Millis(ANSWER_HOLD_MS_MAX) };
        Self { ears: Answering::new(now), doing, noted: None, introductions: 0, menus: 0 }
    }

    /// Whether the ordinary taking of turns rests.
    fn has_floor(&self) -> bool {
        !matches!(self.doing, Doing::Talk { .. } | Doing::Leave { .. })
    }

    fn deadline(&self, is_speaking: bool) -> Option<(CallTime, &'static str)> {
        let after = |silence_ms: u64, by: CallTime| {
            self.ears.silent_since().map_or(by, |since| by.min(since + Millis(silence_ms)))
        };
        let own = match self.doing {
            Doing::Talk { .. } | Doing::Leave { .. } => None,
            Doing::Listen { by } => Some((by, "who has answered")),
            Doing::Greet { by } => {
                let waits_at = self.ears.waits_at();
                Some((waits_at.map_or(by, |at| at.min(by)), "end of hello"))
            }
            Doing::AwaitBeep { by } => Some((after(GREETING_OVER_MS, by), "beep")),
            Doing::Introduce { by } => Some((after(QUESTION_OVER_MS, by), "end of question")),
            Doing::Choose { by } => Some((after(PROMPT_OVER_MS, by), "end of menu")),
            Doing::Hold { by, .. } => (!is_speaking).then_some((by, "hold")),
        };
        own.into_iter().chain(self.ears.next_deadline()).min_by_key(|(at, _)| *at)
    }

    /// Whether the other end has been silent for so long.
    fn is_over(&self, now: CallTime, silence_ms: u64, by: CallTime) -> bool {
        now >= by || self.ears.silent_since().is_some_and(|since| now >= since + Millis(silence_ms))
    }

    fn is_nobody(&self) -> bool {
        self.ears.decision().is_some_and(|decision| decision.party == Party::Silence)
    }
}

impl CallMachine {
    /// Whoever was called has picked up, or whoever calls is connected: first words, or first ears.
    pub(super) fn line_is_open(&mut self, now: CallTime) {
        if self.direction == Direction::Outbound && self.agent.outbound.screen {
            self.pickup = Some(Pickup::new(now));
        } else {
            self.greet(now);
        }
    }

    fn greet(&mut self, now: CallTime) {
        self.is_notice_due = !self.agent.lines.notice.trim().is_empty();
        let greeting = self.agent.lines.greeting.clone();
        self.begin_flow(now);
        self.say(now, &greeting);
        if self.thought.is_some() {
            self.flow_on(now);
        }
    }

    /// Whether who has answered has to be found out or dealt with before a conversation can begin.
    pub(super) fn is_picking_up(&self) -> bool {
        self.pickup.as_ref().is_some_and(Pickup::has_floor)
    }

    pub(super) fn pickup_deadline(&self) -> Option<(CallTime, &'static str)> {
        let is_speaking = self.voice.is_some() || self.interludes.has_floor();
        self.pickup.as_ref().and_then(|pickup| pickup.deadline(is_speaking))
    }

    pub(super) fn pickup_timed_out(&mut self, now: CallTime) {
        if let Some(pickup) = &mut self.pickup {
            pickup.ears.handle_timeout(now);
        }
    }

    /// Listens to what the other end says. Gives back what concerns the ordinary taking of turns.
    pub(super) fn hear_pickup(&mut self, now: CallTime, input: SpeechInput) -> Option<SpeechInput> {
        if self.has_human || self.media != Media::Up {
            return Some(input);
        }
        let is_beep = matches!(input, SpeechInput::Tone { tone: LineTone::Beep });
        let Some(pickup) = &mut self.pickup else { return Some(input) };
        match &mut pickup.doing {
            Doing::Leave { .. } if is_beep => self.message_again(now),
            Doing::Introduce { by } | Doing::AwaitBeep { by } if is_beep => *by = now,
            Doing::Talk { since, turn, is_deaf } if pickup.ears.is_decided() => {
                // Who answers our greeting is no machine.
                let limit_ms = if is_beep { BEEP_AFTER_GREETING_MS } else { MACHINE_GOES_ON_MS };
                let is_late = now > *since + Millis(limit_ms) || *turn != self.turn;
                *is_deaf |= matches!(input, SpeechInput::Started) && is_late;
                if *is_deaf || is_late && matches!(input, SpeechInput::Tone { .. }) {
                    return Some(input);
                }
            }
            _ => {}
        }
        let pickup = self.pickup.as_mut()?;
        let stream = self.hearing.stream;
        let heard = match &input {
            SpeechInput::Started => Some(Heard::SpeechStarted),
            SpeechInput::Stopped { silence_ms } => Some(Heard::SpeechStopped { silence_ms: *silence_ms }),
            SpeechInput::Partial { stream: of, text } if stream == Some(*of) => Some(Heard::Partial(text.expose())),
            SpeechInput::Final { stream: of, text, .. } if stream == Some(*of) => Some(Heard::Final(text.expose())),
            SpeechInput::Tone { tone } => Some(Heard::Tone(*tone)),
            _ => None,
        };
        if let Some(heard) = heard {
            pickup.ears.hear(now, heard);
        }
        let is_ours = pickup.has_floor();
        if is_ours && !matches!(input, SpeechInput::Failed { .. }) {
            self.keep_words(now, input);
            return None;
        }
        Some(input)
    }

    /// What is said before the conversation begins is kept for the transcript.
    fn keep_words(&mut self, now: CallTime, input: SpeechInput) {
        let stream = self.hearing.stream;
        match input {
            SpeechInput::Started => self.out.live(LiveKind::CallerSpeaking { speaking: true }),
            SpeechInput::Stopped { .. } => {
                self.out.live(LiveKind::CallerSpeaking { speaking: false });
                if let Some(stream) = stream {
                    self.hearing.final_asked();
                    self.out.push(Output::FinalizeStt { stream });
                }
            }
            SpeechInput::Partial { stream: of, text }
                if stream == Some(of) && self.hearing.partial(now, text.expose()) =>
            {
                self.out.live(LiveKind::Partial { text: Pii::new(self.hearing.words()) });
            }
            SpeechInput::Final { stream: of, text, finalized } if stream == Some(of) => {
                self.hearing.final_words(now, text.expose());
                if finalized {
                    self.hearing.final_given(now);
                }
            }
            _ => {}
        }
    }

    /// Does what is due. Runs after every input and timer.
    pub(super) fn pickup_on(&mut self, now: CallTime) {
        if self.has_human || self.media != Media::Up {
            self.pickup = None;
        }
        if self.closing.is_some() {
            return;
        }
        while let Some(finding) = self.pickup.as_mut().and_then(|pickup| pickup.ears.poll()) {
            match finding {
                Finding::NobodySpeaks => {
                    self.greet(now);
                    self.doing(self.talking(now));
                }
                Finding::Answered(decision) => self.answered_by(now, decision),
            }
        }
        let is_speaking = self.voice.is_some() || self.interludes.has_floor();
        let Some(pickup) = &mut self.pickup else { return };
        match pickup.doing {
            Doing::Listen { by } if now >= by => self.greet_person(now),
            Doing::Greet { by } if now >= by || pickup.ears.waits_at().is_some_and(|at| now >= at) => {
                self.greet_person(now);
            }
            Doing::AwaitBeep { by } if pickup.is_over(now, GREETING_OVER_MS, by) => self.leave_message(now),
            Doing::Introduce { by } if pickup.is_over(now, QUESTION_OVER_MS, by) => self.introduce(now),
            Doing::Choose { by } if pickup.is_over(now, PROMPT_OVER_MS, by) => self.choose(now),
            Doing::Hold { party, .. } if is_speaking => {
                pickup.doing = Doing::Hold { by: now + Millis(ANSWER_HOLD_MS_MAX), party };
            }
            Doing::Hold { by, party } if now >= by => self.close(now, party.name(), Vec::new(), Then::HangUp, true),
            _ => {}
        }
    }

    fn doing(&mut self, doing: Doing) {
        if let Some(pickup) = &mut self.pickup {
            pickup.doing = doing;
        }
    }

    /// Writes down and counts who has answered, once.
    fn note_party(&mut self, now: CallTime, party: Party, after_ms: u64) {
        let Some(pickup) = self.pickup.as_mut().filter(|pickup| pickup.noted != Some(party)) else { return };
        pickup.noted = Some(party);
        self.out.journal(now, Entry::AnsweredBy { party });
        self.out.measure(Measure::Answered { by: party, after_ms });
    }

    fn talking(&self, now: CallTime) -> Doing {
        Doing::Talk { since: now, turn: self.turn, is_deaf: false }
    }

    fn answered_by(&mut self, now: CallTime, decision: Decision) {
        let Decision { party, is_sure, after_ms, .. } = decision;
        let Some(pickup) = &self.pickup else { return };
        let (is_talking, is_held) = (!pickup.has_floor(), matches!(pickup.doing, Doing::Hold { .. }));
        if !is_sure {
            return; // A guess is no reason to do anything yet.
        }
        self.note_party(now, party, after_ms);
        if is_talking && !matches!(party, Party::Human | Party::Silence) {
            self.fall_silent(now);
        }
        let talking = self.talking(now);
        let Some(pickup) = &mut self.pickup else { return };
        match party {
            Party::Human if is_talking => pickup.doing = talking,
            Party::Human => pickup.doing = Doing::Greet { by: now + Millis(HELLO_MS_MAX) },
            Party::Silence => {}
            Party::Voicemail => {
                let is_beep = decision.reason == crate::answering::Reason::Tone;
                let wait_ms = if is_beep { 0 } else { ANSWER_HOLD_MS_MAX };
                pickup.doing = Doing::AwaitBeep { by: now + Millis(wait_ms) };
            }
            Party::Screening if is_held && pickup.introductions >= INTRODUCTIONS_MAX => pickup.ears.listen_again(now),
            Party::Screening => pickup.doing = Doing::Introduce { by: now + Millis(PROMPT_MS_MAX) },
            Party::Menu if pickup.menus >= MENUS_MAX || self.agent.outbound.menu_choice.trim().is_empty() => {
                self.hang_up_on(now, party.name());
            }
            Party::Menu => pickup.doing = Doing::Choose { by: now + Millis(PROMPT_MS_MAX) },
            Party::Fax | Party::Announcement => self.hang_up_on(now, party.name()),
        }
    }

    /// It was no person that we greeted: everything that belongs to a conversation is dropped.
    fn fall_silent(&mut self, now: CallTime) {
        self.is_notice_due = false;
        self.drop_interludes(now);
        self.stop_voice(now);
        self.abandon_turn();
        self.drop_guess();
        self.barge_in = super::BargeIn::Quiet;
        self.write_down_words(now);
    }

    fn hang_up_on(&mut self, now: CallTime, reason: &str) {
        self.write_down_words(now);
        self.close(now, reason, Vec::new(), Then::HangUp, true);
    }

    /// What the other end said so far goes into the transcript.
    fn write_down_words(&mut self, now: CallTime) {
        let words = self.hearing.take(now);
        if words.text.trim().is_empty() {
            return;
        }
        self.turn = self.ids.turn();
        let (turn, text) = (self.turn, Pii::new(words.text));
        let entry = Entry::CallerTurn { turn, text: text.clone(), cut: words.is_cut, typed: false, sentiment: None };
        self.out.journal(now, entry);
        self.dialog.hear_customer(text.expose());
        self.out.live(LiveKind::CallerTurn { turn, text, sentiment: None });
    }

    fn greet_person(&mut self, now: CallTime) {
        self.drop_interludes(now);
        self.stop_voice(now);
        self.write_down_words(now);
        let after_ms = self.pickup.as_ref().and_then(|pickup| pickup.ears.decision()).map_or(0, |it| it.after_ms);
        self.note_party(now, Party::Human, after_ms);
        self.doing(self.talking(now));
        self.greet(now);
    }

    fn leave_message(&mut self, now: CallTime) {
        self.write_down_words(now);
        let message = self.agent.outbound.voicemail.clone();
        if message.trim().is_empty() {
            self.close(now, "voicemail", Vec::new(), Then::HangUp, true);
            return;
        }
        self.doing(Doing::Leave { since: now, is_again: false });
        self.close(now, "voicemail_left", vec![message], Then::HangUp, true);
        self.grant_message_time(now);
    }

    /// The beep came after we had begun: what was said before it is not on the record.
    fn message_again(&mut self, now: CallTime) {
        let Some(Doing::Leave { since, is_again: false }) = self.pickup.as_ref().map(|pickup| pickup.doing) else {
            return;
        };
        let is_leaving =
            self.closing.as_ref().is_some_and(|closing| matches!(closing.step, Step::LastWords(Then::HangUp)));
        if !is_leaving || now > since + Millis(LATE_BEEP_MS) {
            return;
        }
        self.doing(Doing::Leave { since, is_again: true });
        self.drop_interludes(now);
        self.stop_voice(now);
        let message = self.agent.outbound.voicemail.clone();
        self.say(now, &message);
        if let Some(voice) = &mut self.voice {
            voice.close();
        }
        self.grant_message_time(now);
    }

    /// A message is said to its end, however long it is.
    fn grant_message_time(&mut self, now: CallTime) {
        let chars = self.agent.outbound.voicemail.chars().count() as u64;
        if let Some(closing) = self.closing.as_mut().filter(|_| self.drain.is_none()) {
            closing.by = closing.by.max(now + Millis(chars * MS_PER_CHAR_MAX));
        }
    }

    /// Tells an assistant who is calling and why, then waits for the person.
    fn introduce(&mut self, now: CallTime) {
        self.fall_silent(now);
        let agent = &self.agent;
        let mut text = agent.outbound.introduction.clone();
        if text.trim().is_empty() {
            text = format!("{}, {}.", agent.name, agent.business_name);
        }
        self.say(now, &text);
        self.hold_the_line(now, Party::Screening);
    }

    /// Answers a menu, then waits for what it leads to.
    fn choose(&mut self, now: CallTime) {
        self.fall_silent(now);
        let choice = self.agent.outbound.menu_choice.trim().to_owned();
        if choice.chars().all(|c| matches!(c, '0'..='9' | '*' | '#' | 'A'..='D')) {
            self.press_keys(now, choice);
        } else {
            self.say(now, &choice);
        }
        self.hold_the_line(now, Party::Menu);
    }

    fn hold_the_line(&mut self, now: CallTime, party: Party) {
        let Some(pickup) = &mut self.pickup else { return };
        match party {
            Party::Menu => pickup.menus += 1,
            _ => pickup.introductions += 1,
        }
        pickup.ears.listen_again(now);
        pickup.doing = Doing::Hold { by: now + Millis(ANSWER_HOLD_MS_MAX), party };
    }

    /// Nobody has said anything for a while: says so where nobody ever did.
    pub(super) fn note_nobody(&mut self, now: CallTime) {
        if let Some(pickup) = &mut self.pickup {
            pickup.ears.nobody_is_there(now);
        }
    }

    /// Why an idle call ends.
    pub(super) fn idle_reason(&self) -> &'static str {
        if self.pickup.as_ref().is_some_and(Pickup::is_nobody) { "silence" } else { "idle" }
    }
}
