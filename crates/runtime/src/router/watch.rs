//! When a recognition stream has fallen silent although there is something to say. Pure.

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

/// Watches one stream.
#[derive(Debug, Default)]
pub(super) struct Watch {
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
        self.unanswered_ms = begins.then_some(now_ms);
    }

    /// The final transcript was asked for.
    pub(super) fn on_finalize(&mut self, now_ms: u64) {
        self.finalize_ms = Some(now_ms);
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
    pub(super) fn restart(&mut self, now_ms: u64) {
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
        self.finalize_ms.map(|at| at + limits::HEDGE_STT_FINAL_MS)
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
        watch.restart(due);
        assert_eq!(watch.verdict(due + 10_000), None, "a new stream may be one that tells nothing before the end");
    }

    #[test]
    fn a_final_that_does_not_come_is_silence_whatever_else_comes() {
        let mut watch = Watch::default();
        watch.on_finalize(500);
        watch.on_final(600, false);
        let due = 500 + limits::HEDGE_STT_FINAL_MS;
        assert_eq!((watch.verdict(due - 1), watch.verdict(due)), (None, Some(Silence::Final)));
        watch.restart(due);
        assert_eq!(watch.deadline(), Some(due + limits::HEDGE_STT_FINAL_MS));
    }
}
