//! When a recognition stream has fallen silent although there is something to say. Pure.
//!
//! How long a final transcript may take depends on who makes it: a stream has most of it ready, a recogniser of whole
//! utterances begins when all is said; and whoever has shown how long he usually takes is given half as much again.

use base::limits;

/// Why a stream is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The caller speaks and no word comes.
    Words,
    /// The final transcript was asked for and does not come.
    Final,
}

impl Silence {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Words => "silent",
            Self::Final => "no_final",
        }
    }
}

/// How a recogniser makes a final transcript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Manner {
    /// It begins to read when all is said: nothing can be asked of it before.
    pub(super) whole: bool,
    /// How long it took of late, in milliseconds.
    pub(super) usual_ms: Option<u64>,
}

impl Manner {
    /// How long to wait for a final transcript before somebody else is asked.
    fn final_ms(self) -> u64 {
        let (least, most) = (limits::HEDGE_STT_FINAL_MS, limits::HEDGE_STT_FINAL_WHOLE_MS);
        let unknown = if self.whole { most } else { least };
        self.usual_ms.map_or(unknown, |usual_ms| (usual_ms + usual_ms / 2).clamp(least, most))
    }
}

/// Watches one stream.
#[derive(Debug, Default)]
pub(super) struct Watch {
    manner: Manner,
    /// Since when the caller speaks without a word from the stream.
    unanswered_ms: Option<u64>,
    speaking: bool,
    finalize_ms: Option<u64>,
    /// It has shown that it tells words while they are spoken. Some only tell them when all is said.
    tells_partials: bool,
}

impl Watch {
    /// The caller begins or stops.
    pub(super) fn on_speech(&mut self, now_ms: u64, begins: bool) {
        self.speaking = begins;
        if self.manner.whole && !begins {
            // What was asked for in a lull is asked for now.
            self.finalize_ms = self.finalize_ms.map(|_| now_ms);
        }
        self.unanswered_ms = begins.then_some(now_ms);
    }

    /// The final transcript was asked for.
    pub(super) fn on_finalize(&mut self, now_ms: u64) {
        self.finalize_ms = Some(now_ms);
    }

    /// Since when the final transcript is waited for.
    pub(super) fn finalize_ms(&self) -> Option<u64> {
        self.finalize_ms
    }

    /// The stream said something.
    pub(super) fn on_words(&mut self, now_ms: u64, partial: bool) {
        self.tells_partials |= partial;
        self.unanswered_ms = self.speaking.then_some(now_ms);
    }

    /// The stream gave a final transcript.
    pub(super) fn on_final(&mut self, now_ms: u64, finalized: bool) {
        self.on_words(now_ms, false);
        self.finalize_ms.take_if(|_| finalized);
    }

    /// A new stream has to hear everything again: it gets its time from now on.
    pub(super) fn restart(&mut self, now_ms: u64, manner: Manner) {
        self.manner = manner;
        self.tells_partials = false;
        self.unanswered_ms = self.speaking.then_some(now_ms);
        self.finalize_ms = self.finalize_ms.map(|_| now_ms);
    }

    /// Whether it is time to give the stream up.
    pub(super) fn verdict(&self, now_ms: u64) -> Option<Silence> {
        let over = |due: Option<u64>| due.is_some_and(|at| at <= now_ms);
        if over(self.final_due()) {
            return Some(Silence::Final);
        }
        over(self.words_due()).then_some(Silence::Words)
    }

    /// When to ask for the verdict.
    pub(super) fn deadline(&self) -> Option<u64> {
        [self.final_due(), self.words_due()].into_iter().flatten().min()
    }

    fn final_due(&self) -> Option<u64> {
        let is_lull = self.manner.whole && self.speaking;
        self.finalize_ms.filter(|_| !is_lull).map(|at| at + self.manner.final_ms())
    }

    fn words_due(&self) -> Option<u64> {
        self.unanswered_ms.filter(|_| self.tells_partials).map(|at| at + limits::HEDGE_STT_WORDS_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_answers_is_left_alone() {
        let mut watch = Watch::default();
        watch.on_speech(0, true);
        for at in (200..10_000).step_by(200) {
            assert_eq!(watch.verdict(at), None);
            watch.on_words(at, true);
        }
        watch.on_speech(10_000, false);
        watch.on_finalize(10_300);
        watch.on_final(10_500, true);
        assert_eq!(watch.deadline(), None);
    }

    #[test]
    fn no_word_while_the_caller_speaks_is_silence_of_a_stream_that_told_words_before() {
        let mut watch = Watch::default();
        watch.on_words(0, true);
        watch.on_speech(1_000, true);
        let due = 1_000 + limits::HEDGE_STT_WORDS_MS;
        assert_eq!(watch.deadline(), Some(due));
        assert_eq!((watch.verdict(due - 1), watch.verdict(due)), (None, Some(Silence::Words)));
        watch.restart(due, Manner::default());
        assert_eq!(watch.verdict(due + 10_000), None, "a new stream may be one that tells nothing before the end");
    }

    #[test]
    fn a_final_that_does_not_come_is_silence_whatever_else_comes() {
        let mut watch = Watch::default();
        watch.on_finalize(500);
        watch.on_final(600, false);
        let due = 500 + limits::HEDGE_STT_FINAL_MS;
        assert_eq!((watch.verdict(due - 1), watch.verdict(due)), (None, Some(Silence::Final)));
        watch.restart(due, Manner::default());
        assert_eq!(watch.deadline(), Some(due + limits::HEDGE_STT_FINAL_MS));
    }

    #[test]
    fn a_recogniser_of_whole_utterances_has_time_to_read_and_whoever_is_known_has_the_time_he_takes() {
        let due = |manner: Manner| {
            let mut watch = Watch::default();
            watch.restart(0, manner);
            watch.on_finalize(1_000);
            watch.deadline().expect("somebody waits") - 1_000
        };
        assert_eq!(due(Manner { whole: true, usual_ms: None }), limits::HEDGE_STT_FINAL_WHOLE_MS);
        assert_eq!(due(Manner { whole: true, usual_ms: Some(400) }), 600);
        assert_eq!(due(Manner { whole: false, usual_ms: Some(400) }), 600);
        assert_eq!(due(Manner { whole: false, usual_ms: Some(50) }), limits::HEDGE_STT_FINAL_MS);
        assert_eq!(due(Manner { whole: true, usual_ms: Some(5_000) }), limits::HEDGE_STT_FINAL_WHOLE_MS);
    }

    #[test]
    fn what_a_recogniser_of_whole_utterances_is_asked_in_a_lull_is_awaited_from_the_end_of_the_utterance() {
        let mut watch = Watch::default();
        watch.restart(0, Manner { whole: true, usual_ms: None });
        watch.on_speech(0, true);
        watch.on_finalize(1_000);
        assert_eq!(watch.deadline(), None, "the caller may go on");
        watch.on_speech(5_000, false);
        assert_eq!(watch.deadline(), Some(5_000 + limits::HEDGE_STT_FINAL_WHOLE_MS));
        assert_eq!(watch.finalize_ms(), Some(5_000), "it is praised for what it took from there");
    }
}
