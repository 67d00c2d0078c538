//! When a pause ends the caller's turn: silence, meaning, what was asked, the audio model's opinion, the recogniser's own
//! opinion, the caller's habits, and whether the final words are there.

use super::finished::{
    Sound, is_marked, is_only_a_thing, is_open_address, is_question, is_question_without_its_mark, is_whole_address,
    sounds,
};
use base::limits::STT_FINAL_MS_MAX;
use base::{CallTime, Millis};
use model::agent::{Patience, Timing};

/// Below this the audio model says that the caller goes on.
const PROBABILITY_MIN: f32 = 0.5;
/// Fewer words say nothing to the audio model.
const JUDGED_WORDS_MIN: usize = 3;
/// Below this it is certain of it.
const CERTAINTY_MIN: f32 = 0.25;
/// A recogniser that has shown words and then stays silent is not waited for longer than this.
const LAST_WORDS_MS_MAX: u64 = 700;
/// Speech of at least this much without a word means that nobody could make it out.
const UNHEARD_SPEECH_MS_MIN: u64 = 500;
/// Words of a streaming recogniser are complete so long after their sound, also without being asked for.
const WORDS_LAG_MS: u64 = 300;
/// A lull becomes a pause within this, or the caller went on.
const LULL_MS_MAX: u64 = 260;
/// Most pauses between groups of digits are over by then.
const GROUP_PAUSE_MS: u64 = 600;
/// Words are shown before their mark is, by about so much.
const MARK_LATE_MS: u64 = 400;
/// By then an answer to them is prepared: when the last group has been given its time, it is there.
const GROUP_LOOK_MS: u64 = 500;
/// And most pauses in the middle of a sentence by then.
const HANGING_PAUSE_MS: u64 = 900;
/// Words that make a turn a story.
const STORY_WORDS_MIN: usize = 15;
/// Two reports of one silence differ by no more than this.
const SAME_SILENCE_MS: u64 = 80;

/// What the caller is expected to say, and how this caller says things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expectation {
    /// How patient the agent is.
    pub patience: Patience,
    /// Digits or letters were asked for, or are being said.
    pub digits: bool,
    /// The words so far are all that was asked for.
    pub is_complete: bool,
    /// The agent has asked something.
    pub was_asked: bool,
    /// The pauses of this caller.
    pub habit_ms: u64,
    /// Whether this recogniser puts a mark behind a sentence that is over, as far as it has shown.
    pub marks: Option<bool>,
    /// Whether it puts a question mark behind a question, as far as it has shown.
    pub question_marks: Option<bool>,
}

/// One pause of the caller. More speech throws it away.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    /// When the caller's speech ended.
    pub speech_end: CallTime,
    /// Whether the detector is certain that the caller stopped; before that an answer may be prepared, no more.
    is_certain: bool,
    /// The recogniser was asked in the lull with which it began.
    was_lull: bool,
    /// Whether the recogniser was asked for its final words.
    pub is_asked: bool,
    /// Whether the recogniser has given its final words for what came before.
    is_final: bool,
    /// When it did.
    pub final_at: Option<CallTime>,
    probability: Option<f32>,
    /// The recogniser itself took the turn as ended.
    is_over: bool,
    /// It did so although the detector hears somebody, or something.
    while_speaking: bool,
    /// How long the caller had spoken.
    spoken_ms: u64,
}

/// What a pause asks for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again then.
    Wait(CallTime, &'static str),
    /// The turn is over.
    EndTurn,
    /// There were no words: it was noise.
    Noise,
    /// Somebody spoke, and the recogniser has nothing to say about it.
    Unheard,
}

impl Pause {
    pub fn began(speech_end: CallTime, spoken_ms: u64) -> Self {
        Self {
            speech_end,
            is_certain: true,
            was_lull: false,
            is_asked: false,
            is_final: false,
            final_at: None,
            probability: None,
            is_over: false,
            while_speaking: false,
            spoken_ms,
        }
    }

    /// A silence of which nobody knows yet whether it is a pause.
    pub fn lull(speech_end: CallTime, spoken_ms: u64) -> Self {
        Self { is_certain: false, was_lull: true, ..Self::began(speech_end, spoken_ms) }
    }

    /// The recogniser takes the turn for ended while the detector hears speech: one of them is wrong, and a moment without
    /// further words tells which.
    pub fn ended_while_speaking(now: CallTime, spoken_ms: u64) -> Self {
        Self { is_over: true, while_speaking: true, is_final: true, ..Self::began(now, spoken_ms) }
    }

    /// Whether the recogniser has given its final words for what came before.
    pub fn has_final_words(&self) -> bool {
        self.is_certain && self.is_final
    }

    /// The same pause, although the detector hears something.
    pub fn in_noise(self) -> Self {
        Self { while_speaking: true, ..self }
    }

    pub fn is_over_while_speaking(&self) -> bool {
        self.while_speaking
    }

    pub fn is_certain(&self) -> bool {
        self.is_certain
    }

    /// The detector is certain now. Says whether it is about this silence.
    pub fn make_certain(&mut self, speech_end: CallTime) -> bool {
        let apart = speech_end.since(self.speech_end).0.max(self.speech_end.since(speech_end).0);
        self.is_certain |= apart <= SAME_SILENCE_MS;
        self.is_certain
    }

    /// The recogniser gave its final words.
    pub fn finalized(&mut self, now: CallTime) {
        self.is_final = true;
        self.final_at.get_or_insert(now);
    }

    /// What the recogniser said in the lull before this pause does not count, if that was all it was asked for.
    pub fn forget_answer_in_lull(&mut self) -> bool {
        let is_early = self.is_certain && self.was_lull && self.is_final;
        if is_early {
            (self.was_lull, self.is_asked, self.is_final, self.final_at) = (false, false, false, None);
        }
        is_early
    }

    /// The recogniser cannot give final words: its stream is gone.
    pub fn no_final_comes(&mut self) {
        self.is_final = true;
    }

    pub fn judged(&mut self, probability: f32) {
        self.probability = Some(probability);
    }

    /// The recogniser itself takes the turn as ended.
    pub fn provider_ended(&mut self) {
        self.is_over = true;
        self.is_certain = true;
    }

    /// Whether these words may well be all: enough to prepare an answer, not enough to give it.
    pub fn is_probably_over(&self, now: CallTime, words: &str, expectation: Expectation) -> bool {
        let silence_ms = now.since(self.speech_end).0;
        // Words come later than their sound: before the recogniser has given them all there is nothing to answer. And a lull
        // that did not become a pause by now was none.
        if !self.is_final && silence_ms < WORDS_LAG_MS || !self.is_certain && silence_ms > LULL_MS_MAX {
            return false;
        }
        let doubted = self.is_doubted();
        match sound_of(words, expectation) {
            // From a recogniser that marks what is over, words without a mark are hardly ever all.
            Sound::Finished if expectation.marks == Some(true) && !is_marked(words) && !expectation.is_complete => {
                // Its mark may only be late, where the voice has fallen.
                silence_ms >= if self.is_certainly_over() { MARK_LATE_MS } else { GROUP_PAUSE_MS }
            }
            Sound::Finished => !doubted || is_marked(words),
            // They may well go on, and if they do not, the caller has waited long enough already.
            Sound::Digits if expectation.is_complete || is_whole_address(words) => true,
            Sound::Digits => silence_ms >= GROUP_LOOK_MS && !is_open_address(words),
            Sound::Unfinished => silence_ms >= HANGING_PAUSE_MS,
        }
    }

    /// Whether somebody spoke of whom the recogniser says nothing, not even that there was nothing.
    pub fn is_unheard(&self, has_words: bool) -> bool {
        self.is_certain && !has_words && !self.is_final && self.spoken_ms >= UNHEARD_SPEECH_MS_MIN
    }

    /// What to do about these words at this time.
    pub fn verdict(&self, now: CallTime, words: &str, expectation: Expectation, timing: &Timing) -> Verdict {
        if words.is_empty() {
            let final_by = self.speech_end + Millis(STT_FINAL_MS_MAX);
            return if self.is_final {
                Verdict::Noise
            } else if now < final_by {
                Verdict::Wait(final_by, "final words")
            } else if self.is_unheard(false) {
                Verdict::Unheard
            } else {
                Verdict::Noise
            };
        }
        if self.is_over && !self.while_speaking && self.is_believed(words, expectation) {
            return Verdict::EndTurn;
        }
        let silence_by = self.ends_at(words, expectation, timing);
        if now < silence_by {
            // On the way there, what is unlikely to go on any more is prepared.
            let is_digits = sound_of(words, expectation) == Sound::Digits;
            let group_ms = if is_digits { GROUP_LOOK_MS } else { GROUP_PAUSE_MS };
            let first_ms = if self.is_certainly_over() { MARK_LATE_MS } else { group_ms };
            let looks = [first_ms, group_ms, HANGING_PAUSE_MS].map(|ms| self.speech_end + Millis(ms));
            let look = looks.into_iter().find(|at| now < *at && *at < silence_by);
            return Verdict::Wait(look.unwrap_or(silence_by), "endpoint");
        }
        let final_by = self.speech_end + Millis(LAST_WORDS_MS_MAX);
        if self.is_final || now >= final_by {
            return Verdict::EndTurn;
        }
        Verdict::Wait(final_by, "final words")
    }

    /// Whether a recogniser is believed that the turn is over. Many only measure silence: where the words or the voice say
    /// that it goes on, it does.
    pub fn is_believed(&self, words: &str, expectation: Expectation) -> bool {
        let doubted = self.is_doubted();
        let is_whole = is_marked(words) || expectation.marks == Some(false);
        sound_of(words, expectation) == Sound::Finished && is_whole && !doubted && !is_only_a_thing(words)
    }

    /// Whether the audio model says that the caller goes on.
    fn is_doubted(&self) -> bool {
        self.probability.is_some_and(|probability| probability < PROBABILITY_MIN)
    }

    /// Whether the audio model is quite certain that the caller has finished.
    fn is_certainly_over(&self) -> bool {
        self.probability.is_some_and(|probability| probability >= 1.0 - CERTAINTY_MIN)
    }

    /// Whether the audio model is quite certain that the caller goes on.
    fn goes_on(&self) -> bool {
        self.probability.is_some_and(|probability| probability < CERTAINTY_MIN)
    }

    /// When these words end the turn, unless something else is said or known by then.
    pub fn ends_at(&self, words: &str, expectation: Expectation, timing: &Timing) -> CallTime {
        self.speech_end + Millis(self.silence_ms(words, expectation, timing))
    }

    /// Silence after which these words end the turn.
    fn silence_ms(&self, words: &str, expectation: Expectation, timing: &Timing) -> u64 {
        let doubted = self.is_doubted();
        let confirmed = self.probability.is_some_and(|probability| probability >= PROBABILITY_MIN);
        let short = timing.endpoint_ms;
        let (silence_ms, habit_ms) = match sound_of(words, expectation) {
            _ if expectation.is_complete && !expectation.digits => (short * 2 / 3, 0),
            Sound::Digits if expectation.is_complete => (short * 2, 0),
            Sound::Digits if mutant!(DigitsCutOff) => (short, 0),
            Sound::Digits if is_whole_address(words) && !doubted => (short * 2, expectation.habit_ms / 2),
            // A falling voice and a full stop behind the last group, from a recogniser that puts commas between the others.
            Sound::Digits if confirmed && expectation.marks == Some(true) && is_marked(words) => {
                (timing.endpoint_digits_ms * 2 / 3, expectation.habit_ms)
            }
            Sound::Digits => (timing.endpoint_digits_ms, expectation.habit_ms),
            // A comma is only a guess of the recogniser; the voice has fallen.
            Sound::Unfinished if confirmed && is_finished_but_for_a_comma(words) => {
                (if is_story(words) { 3 * short } else { 2 * short }, expectation.habit_ms)
            }
            Sound::Unfinished => (timing.endpoint_ms_max, expectation.habit_ms),
            // The voice rises at the end of a question, and of a word or two the audio model knows little.
            Sound::Finished
                if doubted && is_marked(words) && (is_few(words) || is_question(words) && !self.goes_on()) =>
            {
                (2 * short, expectation.habit_ms * 3 / 4)
            }
            Sound::Finished if doubted && is_marked(words) && !self.goes_on() => (3 * short, expectation.habit_ms),
            // Unless it was asked for, something follows.
            Sound::Finished if is_only_a_thing(words) && (is_marked(words) || expectation.marks != Some(true)) => {
                (if expectation.was_asked { 3 * short } else { 4 * short }, expectation.habit_ms)
            }
            Sound::Finished if doubted => (timing.endpoint_ms_max, expectation.habit_ms),
            Sound::Finished if is_marked(words) && confirmed => (short, expectation.habit_ms / 2),
            Sound::Finished if is_marked(words) => (short, expectation.habit_ms * 3 / 4),
            // Where the recogniser marks what is over, words without a mark go on. Where nobody knows that yet, a little
            // patience costs nothing: the answer is being prepared.
            Sound::Finished => match expectation.marks {
                Some(true) => (timing.endpoint_ms_max, expectation.habit_ms),
                None => (2 * short, expectation.habit_ms),
                Some(false) => (short + short * 2 / 3, expectation.habit_ms),
            },
        };
        patiently(silence_ms.max(habit_ms), expectation.patience)
    }
}

fn is_few(words: &str) -> bool {
    words.split_whitespace().nth(JUDGED_WORDS_MIN - 1).is_none()
}

/// Who has said so much takes breath in it.
fn is_story(words: &str) -> bool {
    words.split_whitespace().nth(STORY_WORDS_MIN - 1).is_some()
}

fn is_finished_but_for_a_comma(words: &str) -> bool {
    words.trim_end().strip_suffix(',').is_some_and(|words| sounds(words) == Sound::Finished)
}

fn sound_of(words: &str, expectation: Expectation) -> Sound {
    let has_digit = expectation.digits && words.chars().any(|c| c.is_ascii_digit());
    if has_digit {
        Sound::Digits
    } else if expectation.question_marks != Some(false) && is_question_without_its_mark(words) {
        Sound::Unfinished
    } else {
        sounds(words)
    }
}

fn patiently(silence_ms: u64, patience: Patience) -> u64 {
    match patience {
        Patience::Quick => silence_ms * 3 / 4,
        Patience::Normal => silence_ms,
        Patience::Patient => silence_ms * 8 / 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Expectation = Expectation {
        patience: Patience::Normal,
        digits: false,
        is_complete: false,
        was_asked: false,
        habit_ms: 0,
        marks: None,
        question_marks: None,
    };

    fn verdict(pause: &Pause, now: u64, words: &str) -> Verdict {
        pause.verdict(CallTime(now), words, PLAIN, &Timing::default())
    }

    fn silence_ms(words: &str, expectation: Expectation) -> u64 {
        Pause::began(CallTime(0), 1_000).silence_ms(words, expectation, &Timing::default())
    }

    #[test]
    fn a_finished_sentence_ends_after_a_short_silence_once_its_final_words_are_there() {
        let mut pause = Pause::began(CallTime(1_000), 800);
        assert_eq!(verdict(&pause, 1_200, "When do you open?"), Verdict::Wait(CallTime(1_300), "endpoint"));
        assert_eq!(verdict(&pause, 1_300, "When do you open?"), Verdict::Wait(CallTime(1_700), "final words"));
        pause.finalized(CallTime(1_250));
        assert_eq!(verdict(&pause, 1_300, "When do you open?"), Verdict::EndTurn);
    }

    #[test]
    fn an_unfinished_sentence_or_a_doubtful_voice_waits_longer() {
        let mut pause = Pause::began(CallTime(0), 800);
        pause.finalized(CallTime(100));
        assert_eq!(verdict(&pause, 300, "I want to"), Verdict::Wait(CallTime(600), "endpoint"));
        assert_eq!(verdict(&pause, 900, "I want to"), Verdict::Wait(CallTime(1_400), "endpoint"));
        assert_eq!(verdict(&pause, 1_300, "four eight"), Verdict::Wait(CallTime(1_400), "endpoint"));
        pause.judged(0.2);
        assert_eq!(verdict(&pause, 900, "yes I do."), Verdict::Wait(CallTime(1_400), "endpoint"));
        assert_eq!(verdict(&pause, 500, "yes."), Verdict::Wait(CallTime(600), "endpoint"), "little to judge by");
        pause.provider_ended();
        assert_eq!(
            verdict(&pause, 900, "yes I do."),
            Verdict::Wait(CallTime(1_400), "endpoint"),
            "the voice knows better"
        );
        pause.judged(0.9);
        assert_eq!(verdict(&pause, 100, "yes."), Verdict::EndTurn);
        assert_ne!(verdict(&pause, 100, "yes I have a"), Verdict::EndTurn, "no mark yet");
        assert_eq!(verdict(&pause, 900, "I want to"), Verdict::Wait(CallTime(1_400), "endpoint"), "words know better");
    }

    #[test]
    fn what_was_asked_and_who_speaks_move_the_silence() {
        let answer = Expectation { is_complete: true, ..PLAIN };
        assert!(silence_ms("yes", answer) < silence_ms("yes.", PLAIN), "a yes to a question");
        assert!(silence_ms("yes.", PLAIN) < silence_ms("when do you open", PLAIN), "no full stop yet");
        let marks = |marks| Expectation { marks, ..PLAIN };
        assert!(silence_ms("when do you open", marks(Some(true))) > silence_ms("when do you open", PLAIN));
        assert!(silence_ms("when do you open", marks(Some(false))) < silence_ms("when do you open", PLAIN));
        let digits = Expectation { digits: true, ..PLAIN };
        assert!(silence_ms("4 8", digits) > silence_ms("4 8 2 1 3", Expectation { is_complete: true, ..digits }));
        let slow = Expectation { habit_ms: 900, ..PLAIN };
        assert_eq!(silence_ms("when do you open", slow), 900, "somebody who pauses");
        assert!(silence_ms("when do you open", Expectation { patience: Patience::Patient, ..PLAIN }) > 750);
        assert!(silence_ms("When?", Expectation { patience: Patience::Quick, ..PLAIN }) < 300);
    }

    #[test]
    fn a_question_with_a_full_stop_goes_on_unless_this_recogniser_writes_no_question_marks() {
        let marks = |question_marks| Expectation { marks: Some(true), question_marks, ..PLAIN };
        assert!(silence_ms("Can you recommend.", marks(Some(true))) > 1_200);
        assert!(silence_ms("Can you recommend.", marks(None)) > 1_200);
        assert_eq!(silence_ms("Can you recommend.", marks(Some(false))), silence_ms("I recommend.", marks(Some(true))));
    }

    #[test]
    fn a_thing_alone_is_an_answer_and_no_question() {
        let asked = Expectation { was_asked: true, ..PLAIN };
        assert!(silence_ms("The blue one.", asked) < silence_ms("The blue one.", PLAIN));
        assert!(silence_ms("The blue one.", PLAIN) > 1_000);
    }

    #[test]
    fn a_comma_in_a_long_story_is_given_more_time() {
        let ms = |words: &str| {
            let mut pause = Pause::began(CallTime(0), 1_000);
            pause.judged(0.9);
            pause.silence_ms(words, PLAIN, &Timing::default())
        };
        let story = "I left my bike at your shop on Monday and the man said it would be ready on Wednesday,";
        assert_eq!((ms("On Wednesday,"), ms(story)), (600, 900));
    }

    #[test]
    fn a_recogniser_is_not_believed_that_a_thing_alone_is_a_turn() {
        let mut pause = Pause::began(CallTime(0), 800);
        pause.provider_ended();
        pause.finalized(CallTime(100));
        assert_eq!(verdict(&pause, 300, "The chain is off."), Verdict::EndTurn);
        assert_eq!(verdict(&pause, 300, "The chain."), Verdict::Wait(CallTime(600), "endpoint"));
    }

    #[test]
    fn a_recogniser_that_never_answers_costs_its_deadline_and_no_more() {
        let pause = Pause::began(CallTime(0), 300);
        assert_eq!(verdict(&pause, LAST_WORDS_MS_MAX, "yes"), Verdict::EndTurn);
        assert_eq!(verdict(&pause, STT_FINAL_MS_MAX, ""), Verdict::Noise);
        let mut spoken = Pause::began(CallTime(0), 900);
        assert_eq!(verdict(&spoken, STT_FINAL_MS_MAX, ""), Verdict::Unheard);
        spoken.finalized(CallTime(200));
        assert_eq!(verdict(&spoken, 200, ""), Verdict::Noise, "the recogniser heard that there was nothing");
    }

    #[test]
    fn a_lull_becomes_a_pause_only_when_the_detector_is_certain_of_that_silence() {
        let mut lull = Pause::lull(CallTime(1_000), 500);
        assert!(!lull.is_probably_over(CallTime(1_100), "When do you open?", PLAIN), "words may be missing");
        lull.finalized(CallTime(1_200));
        assert!(!lull.is_certain() && lull.is_probably_over(CallTime(1_200), "When do you open?", PLAIN));
        assert!(!lull.is_probably_over(CallTime(1_200), "I would like to", PLAIN));
        assert!(!lull.is_probably_over(CallTime(1_400), "When do you open?", PLAIN), "it was no pause");
        assert!(!lull.make_certain(CallTime(1_900)));
        assert!(lull.make_certain(CallTime(1_020)));
    }
}
