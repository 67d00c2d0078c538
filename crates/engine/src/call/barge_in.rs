//! Speech over the agent: an interruption, a listening sound, somebody else, our own echo, or noise. Until that is clear
//! the agent speaks on, quietly. When speech goes on and nobody knows what it is, the agent falls silent and keeps what
//! it was saying; if it was nothing, it goes on from the word that was not heard.

use super::back_channel::is_back_channel;
use crate::io::Overlap;
use base::limits::OVERLAP_EVERY_MS;
use base::{CallTime, Millis};

/// Above this share the caller's audio is the agent's own voice.
const ECHO_MIN: f32 = 0.5;
/// Below this probability it is not a voice.
const VOICE_MIN: f32 = 0.35;
/// From here on it certainly is one.
const CLEAR_VOICE_MIN: f32 = 0.6;
/// Before the caller has been heard for the first time, only such a voice may be theirs.
const CERTAIN_VOICE_MIN: f32 = 0.9;
/// With less echo than this, and what [`Bar`] says, nobody need wait to know that the caller speaks up.
const CERTAIN_ECHO_MAX: f32 = 0.2;
/// A word takes at least so long.
const WORD_MS_MIN: u64 = 150;
/// So much below the caller's usual level it is somebody else in the room.
const FAR_DB: f32 = -10.0;
/// From here on it is as loud as the caller.
const NEAR_DB: f32 = -4.0;
/// A clear voice weaker than this does not make the agent fall silent before there are words, and what may be a crowd behind
/// the caller does not unless it is as loud as the caller.
const QUITE_NEAR_DB: f32 = -5.0;
const AS_NEAR_DB: f32 = -2.0;
const NO_CROWD_VOICE_MIN: f32 = 0.8;
/// How long words that say "I am listening" may take to be followed by others.
const BACK_CHANNEL_MS: u64 = 700;
/// Words in a row that a caller does not repeat by chance while the agent says them.
const OWN_WORDS_MIN: usize = 4;

/// How easily speech makes the agent fall silent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bar {
    /// Speech that goes on for so long, whatever else is known of it.
    pub barge_in_ms: u64,
    /// Of that, how much suffices when it is certainly a voice near the phone.
    certain_share: f64,
    /// How probable a voice it then is, and how loud beside the caller's usual speech.
    voice_min: f32,
    db_min: f32,
}

impl Bar {
    /// The agent goes on with the word that was not heard if it was nothing: better silent at once than talking over somebody.
    pub fn eager(barge_in_ms: u64) -> Self {
        Self { barge_in_ms, certain_share: 2.0 / 7.0, voice_min: 0.7, db_min: -1.5 }
    }

    /// What the agent was saying would be lost, or it has fallen silent for nothing before: only somebody who speaks up,
    /// for longer than those who show that they listen, stops it before there are words.
    pub fn wary(barge_in_ms: u64) -> Self {
        Self { barge_in_ms, certain_share: 0.9, voice_min: CERTAIN_VOICE_MIN, db_min: 0.5 }
    }

    fn certain_ms(self) -> u64 {
        (self.barge_in_ms as f64 * self.certain_share) as u64
    }
}

/// Whether the caller takes the floor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum BargeIn {
    /// The caller is not speaking over the agent.
    #[default]
    Quiet,
    /// The caller speaks over the agent.
    Speaking(Speech),
    /// The caller has stopped; words may still arrive until `until`.
    Deciding { speech: Speech, until: CallTime },
}

/// One stretch of speech over the agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speech {
    /// When it began.
    pub since: CallTime,
    /// When it is looked at again, whatever is said.
    look_at: CallTime,
    /// What makes the agent fall silent before that.
    bar: Bar,
    /// The newest evidence about it.
    evidence: Option<Overlap>,
    /// The caller has fallen silent for a moment.
    is_lull: bool,
    /// The agent has fallen silent for it.
    pub has_yielded: bool,
    /// The recogniser was asked whether there are words in it.
    is_asked: bool,
    /// It was there before the agent began to speak: the detector takes a crowd or a noise for the caller, and for an
    /// interruption there must be words.
    is_older: bool,
}

/// What to do about speech that has gone on for a while without deciding words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Not clear yet, or of no interest.
    Later,
    /// It may well be an interruption: fall silent.
    Yield,
    /// It has gone on for so long that its end was missed.
    Over,
}

impl BargeIn {
    pub fn started(&mut self, now: CallTime, bar: Bar) {
        let (since, has_yielded) = match self {
            // The same stretch goes on: what was known of it still holds.
            Self::Deciding { speech, .. } if speech.has_yielded => (speech.since, true),
            _ => (now, false),
        };
        let look_at = now + Millis(bar.barge_in_ms);
        let speech = Speech {
            since,
            look_at,
            bar,
            evidence: None,
            is_lull: false,
            has_yielded,
            is_asked: false,
            is_older: false,
        };
        *self = Self::Speaking(speech);
    }

    /// The agent begins to speak although the detector hears speech.
    pub fn was_there(&mut self, now: CallTime, bar: Bar) {
        self.started(now, bar);
        if let Self::Speaking(speech) = self {
            speech.is_older = true;
        }
    }

    pub fn stopped(&mut self, now: CallTime, decide_ms: u64) {
        if let Self::Speaking(speech) = *self {
            // Somebody who made the agent fall silent is listened to a little longer.
            let decide_ms = if speech.has_yielded { 2 * decide_ms } else { decide_ms };
            *self = Self::Deciding { speech, until: now + Millis(decide_ms) };
        }
    }

    /// New evidence. More of it after a lull means that the speech goes on.
    pub fn seen(&mut self, now: CallTime, overlap: Overlap) {
        if let Self::Speaking(speech) | Self::Deciding { speech, .. } = self {
            if speech.evidence.is_none() && !speech.is_older {
                speech.began_earlier(now, overlap.late_ms);
            }
            speech.is_lull &= speech.evidence.is_some_and(|old| old.speech_ms >= overlap.speech_ms);
            speech.evidence = Some(overlap);
            if speech.is_certain() && !speech.has_yielded {
                speech.look_at = speech.look_at.min(now);
            }
        }
    }

    pub fn lull(&mut self) {
        if let Self::Speaking(speech) = self {
            speech.is_lull = true;
        }
    }

    /// Whether these words, said over the agent, take the floor. After a question every word is an answer. `saying` is
    /// what the agent is saying at the moment.
    pub fn is_real(self, words: &str, answer_expected: bool, saying: &str) -> bool {
        let Some(speech) = self.speech() else { return false };
        let has_words = words.chars().any(char::is_alphanumeric);
        has_words
            && (answer_expected || !is_back_channel(words) || mutant!(BackChannelStopsAgent))
            && !speech.is_somebody_else()
            && !(speech.may_be_echo() && is_said(words, saying, speech.is_echo()))
    }

    /// Looks at speech that has gone on until its time without words that decide.
    /// `words` are with whether all of them are final.
    pub fn look(
        &mut self,
        now: CallTime,
        (words, is_final): (&str, bool),
        barge_in_ms: u64,
        longest_ms: u64,
        words_only: bool,
    ) -> Look {
        let Self::Speaking(speech) = self else { return Look::Later };
        if now.since(speech.since).0 >= longest_ms {
            return Look::Over;
        }
        let is_new = now.since(speech.since).0 < barge_in_ms + BACK_CHANNEL_MS;
        let listens = is_back_channel(words) && (is_final || is_new);
        let is_clear = !speech.is_lull && !listens && speech.may_be_caller() && !speech.is_older;
        if is_clear && speech.is_near_by(speech.near_db(words_only)) && !speech.has_yielded {
            speech.has_yielded = true;
            return Look::Yield;
        }
        speech.look_at = now + Millis(OVERLAP_EVERY_MS);
        Look::Later
    }

    /// There is nothing to decide before that.
    pub fn look_again_at(&mut self, at: CallTime) {
        if let Self::Speaking(speech) = self {
            speech.look_at = at;
        }
    }

    pub fn ask_about_words(&mut self) {
        if let Self::Speaking(speech) = self {
            speech.is_asked = true;
        }
    }

    /// Whether it is speech of which no end was reported.
    pub fn is_unending(self) -> bool {
        matches!(self, Self::Speaking(_))
    }

    /// When the decision is due without further words, and why.
    pub fn deadline(self) -> Option<(CallTime, &'static str)> {
        match self {
            Self::Quiet => None,
            Self::Speaking(speech) => Some((speech.look_at, "barge-in")),
            Self::Deciding { until, .. } => Some((until, "barge-in decision")),
        }
    }

    /// When the speech began that is being decided about.
    pub fn since(self) -> Option<CallTime> {
        self.speech().map(|speech| speech.since)
    }

    pub fn is_pending(self) -> bool {
        self != Self::Quiet
    }

    /// Whether the evidence says that nobody wants the floor.
    pub fn is_of_no_interest(self) -> bool {
        self.speech().is_some_and(Speech::is_of_no_interest)
    }

    /// Whether a recogniser that has no words settles the matter. Where a voice was clearly heard near the phone it may only
    /// be slow, and waiting for its words costs nothing while the agent speaks on.
    pub fn is_decided_by_silence(self) -> bool {
        if let Self::Speaking(speech) = self {
            return speech.is_asked && speech.is_unseen();
        }
        let Self::Deciding { speech, .. } = self else { return false };
        speech.has_yielded || speech.is_of_no_interest() || !speech.is_clear_voice()
    }

    /// Whether somebody near the phone certainly says something over the agent.
    pub fn is_clear_voice(self) -> bool {
        self.speech().is_some_and(|speech| speech.is_clear_voice() && speech.is_near() && !speech.is_of_no_interest())
    }

    /// Whether the agent has fallen silent for this speech.
    pub fn has_yielded(self) -> bool {
        self.speech().is_some_and(|speech| speech.has_yielded)
    }

    fn speech(self) -> Option<Speech> {
        match self {
            Self::Quiet => None,
            Self::Speaking(speech) | Self::Deciding { speech, .. } => Some(speech),
        }
    }
}

impl Speech {
    /// Noise hid its beginning: it has lasted for longer than it looks.
    fn began_earlier(&mut self, now: CallTime, late_ms: u64) {
        let late = Millis(late_ms);
        self.since = self.since - late;
        self.look_at = (self.look_at - late).max(now);
    }

    /// Our own voice coming back, noise, or somebody else in the room.
    fn is_of_no_interest(self) -> bool {
        let no_voice = self.evidence.is_some_and(|overlap| overlap.voice < VOICE_MIN);
        self.is_echo() || no_voice || self.is_somebody_else()
    }

    /// How loud it must be to silence the agent by its length.
    fn near_db(self, words_only: bool) -> f32 {
        let may_be_crowd = self.evidence.is_some_and(|overlap| overlap.voice < NO_CROWD_VOICE_MIN);
        match (may_be_crowd, words_only) {
            (true, _) => AS_NEAR_DB,
            (false, true) => NEAR_DB,
            (false, false) => QUITE_NEAR_DB,
        }
    }

    /// Nothing speaks against it. Before the caller has been heard for the first time, only a clear voice may be theirs.
    fn may_be_caller(self) -> bool {
        let is_vague = |overlap: Overlap| overlap.level_db.is_none() && overlap.voice < CERTAIN_VOICE_MIN;
        !self.is_of_no_interest() && !self.evidence.is_some_and(is_vague)
    }

    /// The agent was silent all the while: nothing is known of it but that it is there.
    pub fn is_unseen(self) -> bool {
        self.evidence.is_none()
    }

    /// As loud as the caller usually is, or unknown: nobody talks over that, words or not.
    pub fn is_near(self) -> bool {
        self.is_near_by(NEAR_DB)
    }

    fn is_near_by(self, least_db: f32) -> bool {
        self.evidence.is_none_or(|overlap| overlap.level_db.is_none_or(|level_db| level_db >= least_db))
    }

    /// Evidence that somebody near the phone says something.
    fn is_clear_voice(self) -> bool {
        let is_voice = |overlap: Overlap| overlap.voice >= CLEAR_VOICE_MIN && overlap.speech_ms >= WORD_MS_MIN;
        self.evidence.is_some_and(is_voice)
    }

    /// Whether somebody certainly speaks up.
    fn is_certain(self) -> bool {
        let bar = self.bar;
        let is_loud = |overlap: Overlap| overlap.level_db.is_some_and(|level_db| level_db >= bar.db_min);
        let is_voice = |overlap: Overlap| overlap.voice >= bar.voice_min && overlap.echo <= CERTAIN_ECHO_MAX;
        self.evidence
            .is_some_and(|one| one.speech_ms + one.late_ms >= bar.certain_ms() && is_voice(one) && is_loud(one))
    }

    fn is_echo(self) -> bool {
        self.evidence.is_some_and(|overlap| overlap.echo >= ECHO_MIN) && !mutant!(EchoStopsAgent)
    }

    /// Without evidence only the words can tell.
    fn may_be_echo(self) -> bool {
        self.is_echo() || self.evidence.is_none()
    }

    fn is_somebody_else(self) -> bool {
        let level_db = self.evidence.and_then(|overlap| overlap.level_db);
        level_db.is_some_and(|level_db| level_db <= FAR_DB) && !mutant!(SideTalkTakesFloor)
    }
}

/// Whether the words are what the agent says. Where the audio says that it is an echo, most of them suffice.
fn is_said(words: &str, saying: &str, is_echo: bool) -> bool {
    let (words, saying) = (plain_words(words), plain_words(saying));
    if is_echo {
        let known = words.iter().filter(|word| saying.contains(word)).count();
        return 2 * known > words.len();
    }
    words.len() >= OWN_WORDS_MIN && saying.windows(words.len()).any(|window| window == words)
}

fn plain_words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAYING: &str = "On Saturday we are open from ten to four.";

    fn overlap(speech_ms: u64, level_db: f32, echo: f32, voice: f32) -> Overlap {
        Overlap { speech_ms, level_db: Some(level_db), echo, voice, late_ms: 0 }
    }

    fn speaking(overlap: Option<Overlap>) -> BargeIn {
        let mut barge_in = BargeIn::default();
        barge_in.started(CallTime(100), Bar::eager(400));
        if let Some(overlap) = overlap {
            barge_in.seen(CallTime(100), overlap);
        }
        barge_in
    }

    #[test]
    fn listening_sounds_are_no_interruption_but_a_real_word_is() {
        assert!(!BargeIn::default().is_real("stop", false, SAYING), "nobody speaks over the agent");
        let mut barge_in = speaking(None);
        assert!(!barge_in.is_real("mm-hm", false, SAYING));
        assert!(barge_in.is_real("yes", true, SAYING), "the agent has asked");
        assert!(barge_in.is_real("wait", false, SAYING));
        assert_eq!(barge_in.deadline(), Some((CallTime(500), "barge-in")));
        barge_in.stopped(CallTime(300), 350);
        assert_eq!(barge_in.deadline(), Some((CallTime(650), "barge-in decision")));
        assert_eq!(barge_in.since(), Some(CallTime(100)));
    }

    #[test]
    fn near_speech_that_goes_on_silences_the_agent_and_nothing_else_does() {
        let now = CallTime(500);
        assert_eq!(
            speaking(None).look(now, ("", false), 400, 8_000, false),
            Look::Yield,
            "without evidence its length decides"
        );
        assert_eq!(speaking(Some(overlap(400, -1.0, 0.1, 0.9))).look(now, ("", false), 400, 8_000, false), Look::Yield);
        assert_eq!(
            speaking(Some(overlap(400, -1.0, 0.9, 0.9))).look(now, ("", false), 400, 8_000, false),
            Look::Later,
            "our own voice"
        );
        assert_eq!(
            speaking(Some(overlap(400, -16.0, 0.1, 0.9))).look(now, ("", false), 400, 8_000, false),
            Look::Later,
            "far away"
        );
        assert_eq!(
            speaking(Some(overlap(400, 2.0, 0.1, 0.1))).look(now, ("", false), 400, 8_000, false),
            Look::Later,
            "noise"
        );
        let mut listening = speaking(Some(overlap(400, -1.0, 0.1, 0.9)));
        assert_eq!(listening.look(now, ("yeah okay", false), 400, 8_000, false), Look::Later);
        assert_eq!(
            listening.look(CallTime(1_300), ("yeah okay", false), 400, 8_000, false),
            Look::Yield,
            "it goes on and on"
        );
        assert_eq!(listening.look(CallTime(8_100), ("", false), 400, 8_000, false), Look::Over, "its end was missed");
    }

    #[test]
    fn a_voice_that_is_the_callers_silences_the_agent_at_once_where_nothing_is_lost_by_it() {
        let due_ms = |bar: Bar, speech_ms, level_db, echo, voice| {
            let mut barge_in = BargeIn::default();
            barge_in.started(CallTime(1_000), bar);
            barge_in.seen(CallTime(1_040), overlap(speech_ms, level_db, echo, voice));
            barge_in.deadline().map_or(0, |(at, _)| at.0 - 1_000)
        };
        let (eager, wary) = (Bar::eager(350), Bar::wary(350));
        assert_eq!(due_ms(eager, 100, -1.0, 0.1, 0.8), 40);
        assert_eq!(due_ms(eager, 80, -1.0, 0.1, 0.8), 350, "too short to know");
        assert_eq!(due_ms(eager, 100, -3.0, 0.1, 0.8), 350, "softer than this caller speaks");
        assert_eq!(due_ms(eager, 100, -1.0, 0.4, 0.8), 350, "perhaps our own voice");
        assert_eq!(due_ms(eager, 100, -1.0, 0.1, 0.65), 350, "perhaps no voice");
        assert_eq!(due_ms(wary, 100, -1.0, 0.1, 0.8), 350, "it has fallen silent for nothing before");
        assert_eq!(due_ms(wary, 320, 1.0, 0.1, 0.95), 40, "somebody speaks up");
        let mut barge_in = speaking(Some(overlap(120, -1.0, 0.1, 0.9)));
        assert_eq!(barge_in.look(CallTime(140), ("", false), 400, 8_000, false), Look::Yield);
        barge_in.look_again_at(CallTime(2_000));
        barge_in.seen(CallTime(160), overlap(140, -1.0, 0.1, 0.9));
        assert_eq!(
            barge_in.deadline(),
            Some((CallTime(2_000), "barge-in")),
            "it has fallen silent, and waits for words"
        );
    }

    #[test]
    fn a_crowd_behind_a_caller_who_was_never_heard_does_not_silence_the_greeting() {
        let now = CallTime(500);
        let unknown = |voice| Overlap { level_db: None, ..overlap(400, 0.0, 0.0, voice) };
        assert_eq!(speaking(Some(unknown(0.5))).look(now, ("", false), 400, 8_000, false), Look::Later);
        assert_eq!(speaking(Some(unknown(0.95))).look(now, ("", false), 400, 8_000, false), Look::Yield);
    }

    #[test]
    fn a_crowd_must_be_as_loud_as_the_caller_to_silence_the_agent() {
        let look = |level_db, voice| {
            speaking(Some(overlap(400, level_db, 0.0, voice))).look(CallTime(500), ("", false), 400, 8_000, false)
        };
        assert_eq!(look(-3.0, 0.6), Look::Later);
        assert_eq!(look(0.5, 0.7), Look::Yield);
        assert_eq!(look(-4.5, 0.95), Look::Yield, "a clear voice");
    }

    #[test]
    fn noise_that_hid_the_beginning_does_not_make_the_agent_slower() {
        let mut barge_in = BargeIn::default();
        barge_in.started(CallTime(400), Bar::eager(350));
        barge_in.seen(CallTime(400), Overlap { late_ms: 300, ..overlap(60, 2.0, 0.0, 0.95) });
        assert_eq!(barge_in.deadline(), Some((CallTime(400), "barge-in")), "certain, and long enough by now");
        barge_in.started(CallTime(400), Bar::eager(350));
        barge_in.seen(CallTime(400), Overlap { late_ms: 80, ..overlap(60, -2.0, 0.0, 0.95) });
        assert_eq!(barge_in.deadline(), Some((CallTime(670), "barge-in")));
        assert_eq!(barge_in.since(), Some(CallTime(320)));
    }

    #[test]
    fn a_cough_that_is_over_does_not_silence_the_agent() {
        let mut cough = speaking(Some(overlap(250, 3.0, 0.0, 0.6)));
        cough.lull();
        assert_eq!(cough.look(CallTime(500), ("", false), 400, 8_000, false), Look::Later);
        cough.seen(CallTime(550), overlap(350, 0.0, 0.0, 0.9));
        assert_eq!(cough.look(CallTime(600), ("", false), 400, 8_000, false), Look::Yield, "it was no cough");
    }

    #[test]
    fn our_own_words_and_other_peoples_words_take_no_floor() {
        let echo = speaking(Some(overlap(600, -8.0, 0.8, 0.9)));
        assert!(!echo.is_real("saturday we are open", false, SAYING));
        assert!(echo.is_real("hello stop please", false, SAYING), "somebody speaks over their own echo");
        assert!(!speaking(None).is_real("we are open from ten", false, SAYING), "word for word what we say");
        assert!(speaking(None).is_real("open on Saturday", false, SAYING));
        let far = speaking(Some(overlap(900, -15.0, 0.0, 0.9)));
        assert!(!far.is_real("where did you put the keys", false, SAYING));
    }
}
