//! What this caller's own pauses are like. Somebody who stops to think in the middle of a sentence is given that time again.

use super::finished::{is_marked, is_question, is_question_without_its_mark};
use base::{CallTime, Millis};

/// Pauses shorter than this are the rhythm of speech, not hesitation.
const PAUSE_MS_MIN: u64 = 250;
/// However long somebody thinks, others wait no longer than this.
const LEARNED_PAUSE_MS_MAX: u64 = 1_500;
/// Speech this soon after we took a turn for ended belongs to that turn.
const CUT_OFF_MS_MAX: u64 = 1_500;
/// A little more than the pauses heard so far.
const MARGIN_PERCENT: u64 = 115;

/// The pauses of one caller.
#[derive(Clone, Debug, Default)]
pub(super) struct Habits {
    /// A running estimate of the pauses within turns, quick to grow and slow to shrink.
    pause_ms: u64,
    /// Whether turns end with a mark, as this recogniser writes them.
    marks: Option<bool>,
    /// Whether questions end with theirs.
    question_marks: Option<bool>,
    /// When the last turn was taken for ended, and when its speech had ended.
    ended: Option<(CallTime, CallTime)>,
}

impl Habits {
    /// The caller went on after a pause that began at `speech_end`, with the turn still open.
    pub fn went_on(&mut self, now: CallTime, speech_end: CallTime) {
        self.learn(now.since(speech_end).0);
    }

    /// We took the turn for ended.
    pub fn ended_turn(&mut self, now: CallTime, speech_end: CallTime) {
        self.ended = Some((now, speech_end));
    }

    /// A turn was written like this.
    pub fn written(&mut self, text: &str) {
        let is_marked = is_marked(text);
        if is_question(text) {
            self.question_marks = Some(true);
        } else if is_question_without_its_mark(text) && self.question_marks.is_none() {
            self.question_marks = Some(false);
        }
        // One mark shows that there are marks; none in a turn shows little where some were seen.
        self.marks = Some(is_marked || self.marks == Some(true));
    }

    /// Whether this recogniser puts marks behind sentences; `None` while nobody knows.
    pub fn marks(&self) -> Option<bool> {
        self.marks
    }

    /// Whether it puts question marks behind questions; `None` while nobody knows.
    pub fn question_marks(&self) -> Option<bool> {
        self.question_marks
    }

    /// The caller spoke, and nothing of our answer had been heard: perhaps we were too quick.
    pub fn spoke_before_answer(&mut self, now: CallTime) {
        if let Some((_, speech_end)) = self.ended.take_if(|(at, _)| now.since(*at) <= Millis(CUT_OFF_MS_MAX)) {
            self.learn(now.since(speech_end).0);
        }
    }

    /// Our answer was heard: what comes now is a new turn.
    pub fn answer_heard(&mut self) {
        self.ended = None;
    }

    fn learn(&mut self, pause_ms: u64) {
        if pause_ms < PAUSE_MS_MIN {
            return;
        }
        let pause_ms = if mutant!(LearnedPauseUnbounded) { pause_ms * 20 } else { pause_ms.min(LEARNED_PAUSE_MS_MAX) };
        self.pause_ms = if pause_ms > self.pause_ms {
            (self.pause_ms + 2 * pause_ms) / 3
        } else {
            (9 * self.pause_ms + pause_ms) / 10
        };
    }

    /// Silence that this caller should be given where nothing says that the turn is over.
    pub fn silence_ms(&self) -> u64 {
        let given = self.pause_ms * MARGIN_PERCENT / 100;
        if mutant!(LearnedPauseUnbounded) { given } else { given.min(LEARNED_PAUSE_MS_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_learned_quickly_and_within_bounds() {
        let mut habits = Habits::default();
        habits.went_on(CallTime(1_100), CallTime(1_000));
        assert_eq!(habits.silence_ms(), 0, "the rhythm of speech");
        habits.went_on(CallTime(1_900), CallTime(1_000));
        assert_eq!(habits.silence_ms(), 690);
        habits.went_on(CallTime(3_900), CallTime(3_000));
        assert!((800..1_000).contains(&habits.silence_ms()));
        for n in 0..10 {
            habits.went_on(CallTime(n * 10_000 + 9_000), CallTime(n * 10_000));
        }
        assert_eq!(habits.silence_ms(), LEARNED_PAUSE_MS_MAX);
    }

    #[test]
    fn a_turn_that_was_cut_off_teaches_patience() {
        let mut habits = Habits::default();
        habits.ended_turn(CallTime(1_300), CallTime(1_000));
        habits.spoke_before_answer(CallTime(1_800));
        assert!(habits.silence_ms() >= 600);
        let mut answered = Habits::default();
        answered.ended_turn(CallTime(1_300), CallTime(1_000));
        answered.answer_heard();
        answered.spoke_before_answer(CallTime(1_800));
        assert_eq!(answered.silence_ms(), 0);
    }
}
