//! Who or what has answered a call that we placed: a person, a voicemail, an assistant that screens calls, a menu, a fax,
//! an announcement of the network, or nobody.
//!
//! [`Answering`] is told what is heard and when, and finds out within [`DECIDE_SPEECH_MS`] of speech. Evidence is what
//! is said (`phrases`), how long it goes on (a person says a short hello and waits; machines talk on), and tones. In
//! doubt it is a person: taking a machine for a person costs a sentence, taking a person for a machine costs the call. A
//! finding is corrected when something later says plainly that it was wrong.
//!
//! What is done about it is no concern of this module.

mod phrases;
mod words;

use crate::io::LineTone;
use base::{CallTime, Millis};
use model::journal::Party;
use phrases::{HELLO, PHRASES, Says};

/// Speech after which it must be known who has answered.
pub const DECIDE_SPEECH_MS: u64 = 2_900;
/// Silence from the beginning after which the person is greeted without having said anything.
pub const NOBODY_SPEAKS_MS: u64 = 2_000;
/// A guessed machine that is silent for this long is taken for a person who waits for an answer.
pub const UNSURE_SILENCE_MS: u64 = 900;
/// Points that are enough alone.
const DECISIVE: u32 = 100;
/// Points that are enough once the speaker pauses.
const LIKELY: u32 = 50;
/// Points that make it worth to wait for more.
const SUSPICIOUS: u32 = 40;
/// Silence after which a person is taken to wait for an answer: after a question, after a hello, after anything.
const AFTER_QUESTION_MS: u64 = 300;
const AFTER_HELLO_MS: u64 = 500;
const AFTER_SPEECH_MS: u64 = 700;
/// What sounds like a machine may only be taking breath.
const AFTER_MACHINE_MS: u64 = 600;
const AFTER_SUSPICION_MS: u64 = 1_400;
/// A hello is this short.
const HELLO_TOKENS_MAX: usize = 3;
/// No new words for this long in a noisy place: the person has said what they wanted to say.
const STALLED_MS: u64 = 1_000;
/// A click at picking up is shorter than any word.
const CLICK_MS: u64 = 140;
/// Waiting for the words of a short sound after we have spoken: it may be a click, or music.
const LATE_WORDS_MS: u64 = 1_500;
/// How long ringing inside the audio is listened to.
const RINGING_MS_MAX: u64 = 60_000;

/// Something heard from the other end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heard<'t> {
    /// Speech began.
    SpeechStarted,
    /// Speech ended.
    SpeechStopped {
        /// How long ago.
        silence_ms: u64,
    },
    /// Words since the last final words.
    Partial(&'t str),
    /// Words for good.
    Final(&'t str),
    /// A tone.
    Tone(LineTone),
}

/// What led to a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The words.
    Words,
    /// A tone.
    Tone,
    /// Something short, then waiting.
    Waits,
    /// Talking on for longer than people do.
    TalksOn,
    /// Nothing speaks against a person.
    Doubt,
}

impl Reason {
    /// The stable name used in logs and tests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Tone => "tone",
            Self::Waits => "waits",
            Self::TalksOn => "talks_on",
            Self::Doubt => "doubt",
        }
    }
}

/// Who has answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Who or what.
    pub party: Party,
    /// What led to it.
    pub reason: Reason,
    /// 0 to 1.
    pub confidence: f32,
    /// Whether it may be acted upon at once. A machine that is only guessed is acted upon as a person once it falls
    /// silent for [`UNSURE_SILENCE_MS`].
    pub is_sure: bool,
    /// How much of its speech it took to know.
    pub after_ms: u64,
}

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// Who has answered; a later one corrects an earlier one.
    Answered(Decision),
    /// Nobody has said anything so far: time to say something.
    NobodySpeaks,
}

/// Where in the call we listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Somebody has picked up.
    Opening,
    /// We have told a machine something and wait for what it brings: a person, music, more questions.
    Answered,
}

/// Finds out who has answered. See the [module](self).
#[derive(Clone, Debug)]
pub struct Answering {
    stage: Stage,
    began_at: CallTime,
    picked_up_at: CallTime,
    now: CallTime,
    speech: Speech,
    words: Words,
    decision: Option<Decision>,
    has_told_silence: bool,
    found: Option<Finding>,
}

/// When somebody spoke.
#[derive(Clone, Copy, Debug, Default)]
struct Speech {
    since: Option<CallTime>,
    ended_at: Option<CallTime>,
    /// All runs that are over, how many, and the longest of them.
    past_ms: u64,
    runs: u32,
    longest_ms: u64,
}

impl Speech {
    fn spoken_ms(&self, now: CallTime) -> u64 {
        self.past_ms + self.since.map_or(0, |since| now.since(since).0)
    }
}

/// What was said, and what that tells.
#[derive(Clone, Debug, Default)]
struct Words {
    finals: Vec<String>,
    partial: Vec<String>,
    /// Words of the recogniser's present segment that belong to what was said before.
    stale: usize,
    changed_at: CallTime,
    is_question: bool,
    points: [u32; 5],
    says_wait: bool,
    is_business: bool,
    begins_with_name: bool,
}

const PARTIES: [Party; 5] = [Party::Human, Party::Voicemail, Party::Screening, Party::Menu, Party::Announcement];

impl Words {
    fn len(&self) -> usize {
        self.finals.len() + self.partial.len()
    }

    fn hear(&mut self, now: CallTime, text: &str, is_final: bool) {
        let mut words = words::tokens(text);
        words.drain(..self.stale.min(words.len()));
        if is_final {
            self.stale = 0;
        }
        let before = self.len();
        if is_final {
            self.finals.append(&mut words);
            self.partial.clear();
        } else {
            self.partial = words;
        }
        if self.len() != before {
            self.changed_at = now;
        }
        self.is_question = self.len() > 0 && text.trim_end().ends_with(['?', '？']);
        self.weigh();
    }

    fn weigh(&mut self) {
        let all: Vec<String> = self.finals.iter().chain(&self.partial).cloned().collect();
        self.points = [0; 5];
        (self.says_wait, self.is_business, self.begins_with_name) = (false, false, false);
        for phrase in PHRASES.iter().filter(|phrase| phrase.pattern.is_in(&all)) {
            match phrase.says {
                Says::Who(party, points) => {
                    if let Some(at) = PARTIES.iter().position(|known| *known == party) {
                        self.points[at] += points;
                    }
                }
                Says::Wait => self.says_wait = true,
                Says::Business => self.is_business = true,
                Says::Name => self.begins_with_name = true,
            }
        }
    }

    fn human(&self) -> u32 {
        self.points[0]
    }

    /// The machine that the words fit best.
    fn machine(&self) -> (Party, u32) {
        let mut best = (Party::Voicemail, 0);
        for (party, points) in PARTIES.into_iter().zip(self.points).skip(1) {
            if points > best.1 {
                best = (party, points);
            }
        }
        best
    }

    fn points_of(&self, party: Party) -> u32 {
        PARTIES.iter().position(|known| *known == party).map_or(0, |at| self.points[at])
    }

    fn is_hello(&self) -> bool {
        self.len() > 0 && (self.len() <= HELLO_TOKENS_MAX || self.human() >= LIKELY) && self.machine().1 < SUSPICIOUS
    }

    /// Nothing but a hello was said: whoever says it waits, whatever else is heard behind it.
    fn is_only_hello(&self) -> bool {
        self.len() > 0 && self.finals.iter().chain(&self.partial).all(|word| HELLO.contains(&word.as_str()))
    }

    /// What was said so far is the past; only what follows counts.
    fn start_over(&mut self) {
        let stale = self.stale + self.partial.len();
        *self = Self { stale, ..Self::default() };
    }
}

/// What the evidence says at one moment.
enum Verdict {
    Decide(Party, Reason, u32),
    /// It was a click, or music.
    Forget,
    Greet,
    LookAgain(CallTime, &'static str),
    Listen,
}

impl Answering {
    /// Somebody has picked up.
    pub fn new(now: CallTime) -> Self {
        Self {
            stage: Stage::Opening,
            began_at: now,
            picked_up_at: now,
            now,
            speech: Speech::default(),
            words: Words::default(),
            decision: None,
            has_told_silence: false,
            found: None,
        }
    }

    /// We have told the machine something: from now on it is found out anew who speaks.
    pub fn listen_again(&mut self, now: CallTime) {
        self.stage = Stage::Answered;
        self.began_at = now;
        self.decision = None;
        self.found = None;
        self.words.start_over();
        let since = self.speech.since.map(|_| now);
        self.speech = Speech { since, ..Speech::default() };
    }

    /// Something was heard.
    pub fn hear(&mut self, now: CallTime, heard: Heard<'_>) {
        self.now = now;
        if self.decision.is_some_and(|decision| decision.party == Party::Silence) {
            self.decision = None;
        }
        match heard {
            Heard::SpeechStarted => {
                self.speech.since.get_or_insert(now);
            }
            Heard::SpeechStopped { silence_ms } => self.stopped(now - Millis(silence_ms)),
            Heard::Partial(text) => self.words.hear(now, text, false),
            Heard::Final(text) => self.words.hear(now, text, true),
            Heard::Tone(tone) => self.on_tone(now, tone),
        }
        self.look(now);
    }

    /// A deadline has passed.
    pub fn handle_timeout(&mut self, now: CallTime) {
        self.now = now;
        self.look(now);
    }

    /// What was found out since the last call.
    pub fn poll(&mut self) -> Option<Finding> {
        self.found.take()
    }

    /// When to look again without anything having been heard.
    pub fn next_deadline(&self) -> Option<(CallTime, &'static str)> {
        match self.verdict(self.now) {
            Verdict::LookAgain(at, why) => Some((at, why)),
            _ => None,
        }
    }

    /// Who has answered, as far as is known.
    pub fn decision(&self) -> Option<Decision> {
        self.decision
    }

    /// Since when nobody speaks; `None` while somebody does.
    pub fn silent_since(&self) -> Option<CallTime> {
        if self.speech.since.is_some() {
            return None;
        }
        Some(self.speech.ended_at.unwrap_or(self.began_at))
    }

    /// Since when, or from when on, the person who was found waits for our answer: after a pause, or where a hello is
    /// followed by nothing but noise.
    pub fn waits_at(&self) -> Option<CallTime> {
        let pause = self.silent_since().map(|since| since + Millis(AFTER_QUESTION_MS));
        let stalled = self.words.is_only_hello().then(|| self.words.changed_at + Millis(STALLED_MS));
        pause.into_iter().chain(stalled).min()
    }

    /// Whether a decision was made, be it right or wrong.
    pub fn is_decided(&self) -> bool {
        self.decision.is_some()
    }

    /// Whether anything was said, or at least a sound made.
    pub fn has_heard_anything(&self) -> bool {
        self.speech.since.is_some() || self.speech.past_ms > 0 || self.words.len() > 0
    }

    /// Nobody has said anything for as long as anyone waits.
    pub fn nobody_is_there(&mut self, now: CallTime) {
        if self.decision.is_none() && !self.has_heard_anything() {
            self.decide(now, Party::Silence, Reason::Waits, 0);
        }
    }

    fn stopped(&mut self, at: CallTime) {
        let Some(since) = self.speech.since.take() else { return };
        let run_ms = at.since(since).0;
        self.speech.past_ms += run_ms;
        self.speech.runs += 1;
        self.speech.longest_ms = self.speech.longest_ms.max(run_ms);
        self.speech.ended_at = Some(at);
    }

    fn on_tone(&mut self, now: CallTime, tone: LineTone) {
        let party = match tone {
            LineTone::FaxCalling | LineTone::FaxAnswering => Party::Fax,
            LineTone::SpecialInformation => Party::Announcement,
            LineTone::Beep => match self.decision {
                Some(Decision { party: Party::Voicemail, is_sure: true, .. }) => return,
                None | Some(Decision { party: Party::Voicemail | Party::Human | Party::Silence, .. }) => {
                    Party::Voicemail
                }
                Some(_) => return,
            },
            LineTone::CallProgress => {
                // The line rings on: what sounded like speech was the tone.
                if self.decision.is_none() && now.since(self.picked_up_at).0 < RINGING_MS_MAX {
                    self.began_at = now;
                    self.speech = Speech::default();
                    self.words.start_over();
                }
                return;
            }
        };
        if self.decision.is_none_or(|decision| decision.party != party || !decision.is_sure) {
            self.decide(now, party, Reason::Tone, 2 * DECISIVE);
        }
    }

    fn look(&mut self, now: CallTime) {
        match self.verdict(now) {
            Verdict::Decide(party, reason, points) => self.decide(now, party, reason, points),
            Verdict::Forget => {
                self.speech = Speech::default();
                self.words.start_over();
            }
            Verdict::Greet => {
                self.has_told_silence = true;
                self.found.get_or_insert(Finding::NobodySpeaks);
            }
            Verdict::LookAgain(..) | Verdict::Listen => {}
        }
    }

    fn decide(&mut self, now: CallTime, party: Party, reason: Reason, points: u32) {
        let confidence = match reason {
            Reason::Tone => 0.99,
            Reason::Words | Reason::Waits => (0.6 + points as f32 / 400.0).min(0.98),
            Reason::TalksOn | Reason::Doubt => 0.5,
        };
        let is_sure = points >= DECISIVE || matches!(party, Party::Human | Party::Silence);
        let after_ms = self.speech.spoken_ms(now);
        let decision = Decision { party, reason, confidence, is_sure, after_ms };
        self.decision = Some(decision);
        self.found = Some(Finding::Answered(decision));
    }

    fn verdict(&self, now: CallTime) -> Verdict {
        if let Some(decision) = self.decision {
            return self.second_thoughts(now, decision);
        }
        let (machine, points) = self.words.machine();
        let is_machine = points > self.words.human();
        if points >= DECISIVE && is_machine {
            return Verdict::Decide(machine, Reason::Words, points);
        }
        if self.speech.since.is_some() {
            return self.while_speaking(now);
        }
        let Some(silent_since) = self.speech.ended_at.or((self.words.len() > 0).then_some(self.words.changed_at))
        else {
            return self.while_nobody_spoke(now);
        };
        if self.speech.spoken_ms(now) >= DECIDE_SPEECH_MS {
            return self.by_length();
        }
        self.in_pause(now, silent_since)
    }

    fn while_nobody_spoke(&self, now: CallTime) -> Verdict {
        let greet_at = self.began_at + Millis(NOBODY_SPEAKS_MS);
        if self.has_told_silence || self.stage != Stage::Opening {
            Verdict::Listen
        } else if now >= greet_at {
            Verdict::Greet
        } else {
            Verdict::LookAgain(greet_at, "nobody speaks")
        }
    }

    fn while_speaking(&self, now: CallTime) -> Verdict {
        let spoken_ms = self.speech.spoken_ms(now);
        if spoken_ms >= DECIDE_SPEECH_MS {
            return self.by_length();
        }
        let decide_at = now + Millis(DECIDE_SPEECH_MS - spoken_ms);
        if !self.words.is_only_hello() || self.stage != Stage::Opening {
            return Verdict::LookAgain(decide_at, "speech goes on");
        }
        let stalled_at = self.words.changed_at + Millis(STALLED_MS);
        if now >= stalled_at {
            return Verdict::Decide(Party::Human, Reason::Waits, self.words.human());
        }
        Verdict::LookAgain(stalled_at.min(decide_at), "words end in noise")
    }

    /// So much was said that it must be known now.
    fn by_length(&self) -> Verdict {
        let (machine, points) = self.words.machine();
        if points >= SUSPICIOUS && points > self.words.human() {
            return Verdict::Decide(machine, Reason::TalksOn, points);
        }
        if self.words.human() < LIKELY && self.stage == Stage::Opening {
            // People who name themselves or their company stop or ask; who goes on is a machine.
            if self.words.is_business && self.speech.runs > 0 {
                return Verdict::Decide(Party::Menu, Reason::TalksOn, SUSPICIOUS);
            }
            if self.words.begins_with_name && !self.words.is_question {
                return Verdict::Decide(Party::Voicemail, Reason::TalksOn, SUSPICIOUS);
            }
        }
        if self.words.len() > 0 {
            return Verdict::Decide(Party::Human, Reason::Doubt, self.words.human());
        }
        match self.stage {
            Stage::Opening => Verdict::Decide(Party::Voicemail, Reason::TalksOn, 0),
            // Music plays while somebody is being asked.
            Stage::Answered => Verdict::Forget,
        }
    }

    fn in_pause(&self, now: CallTime, silent_since: CallTime) -> Verdict {
        let (machine, points) = self.words.machine();
        let human = self.words.human();
        let is_machine = points > human && points >= SUSPICIOUS;
        let has_words = self.words.len() > 0;
        if !has_words && self.speech.longest_ms < CLICK_MS {
            return Verdict::Forget;
        }
        let wait_ms = if is_machine {
            if points >= LIKELY { AFTER_MACHINE_MS } else { AFTER_SUSPICION_MS }
        } else if self.words.is_business && human < LIKELY && !self.words.is_question {
            AFTER_SUSPICION_MS
        } else if !has_words && self.stage == Stage::Answered {
            LATE_WORDS_MS
        } else if human >= DECISIVE || self.words.is_question {
            AFTER_QUESTION_MS
        } else if self.words.is_hello() {
            AFTER_HELLO_MS
        } else {
            AFTER_SPEECH_MS
        };
        let at = silent_since + Millis(wait_ms);
        if now < at {
            return Verdict::LookAgain(at, "pause of who answered");
        }
        if is_machine && points >= LIKELY {
            return Verdict::Decide(machine, Reason::Words, points);
        }
        if self.stage == Stage::Answered && (!has_words || self.words.says_wait && human < DECISIVE) {
            return Verdict::Forget;
        }
        let reason = if has_words && human >= LIKELY { Reason::Words } else { Reason::Waits };
        Verdict::Decide(Party::Human, reason, human)
    }

    /// Whether what was heard since says that the decision was wrong. A guess needs less to be corrected.
    fn second_thoughts(&self, now: CallTime, decision: Decision) -> Verdict {
        if decision.reason == Reason::Tone {
            return Verdict::Listen;
        }
        let (machine, points) = self.words.machine();
        let human = self.words.human();
        if matches!(decision.party, Party::Human | Party::Silence) {
            let is_wrong = points >= DECISIVE && points > human;
            return if is_wrong { Verdict::Decide(machine, Reason::Words, points) } else { Verdict::Listen };
        }
        let (human_min, margin) = if decision.is_sure { (DECISIVE, LIKELY) } else { (LIKELY, 0) };
        if human >= human_min && human > points + margin / 2 {
            return Verdict::Decide(Party::Human, Reason::Words, human);
        }
        let own = self.words.points_of(decision.party);
        if points >= DECISIVE && (machine != decision.party && points > own + margin || !decision.is_sure) {
            return Verdict::Decide(machine, Reason::Words, points);
        }
        match self.silent_since().filter(|_| !decision.is_sure) {
            Some(since) if now >= since + Millis(UNSURE_SILENCE_MS) => {
                Verdict::Decide(Party::Human, Reason::Doubt, human)
            }
            Some(since) => Verdict::LookAgain(since + Millis(UNSURE_SILENCE_MS), "a guess is silent"),
            None => Verdict::Listen,
        }
    }
}

#[cfg(test)]
mod tests;
