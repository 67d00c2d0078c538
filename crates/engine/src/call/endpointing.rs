//! When a pause ends the caller's turn: silence, meaning, the audio model's opinion, and whether the final words are there.

use super::finished::{Sound, sounds};
use base::limits::STT_FINAL_MS_MAX;
use base::{CallTime, Millis};
use model::agent::Timing;

/// Below this the audio model says that the caller goes on.
const PROBABILITY_MIN: f32 = 0.5;

/// One pause of the caller. More speech throws it away.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    /// When the caller's speech ended.
    pub speech_end: CallTime,
    /// Whether the recogniser has given its final words for what came before.
    is_final: bool,
    /// When it did.
    pub final_at: Option<CallTime>,
    probability: Option<f32>,
    /// The recogniser itself took the turn as ended.
    is_over: bool,
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
}

impl Pause {
    pub fn began(speech_end: CallTime) -> Self {
        Self { speech_end, is_final: false, final_at: None, probability: None, is_over: false }
    }

    /// The recogniser gave its final words.
    pub fn finalized(&mut self, now: CallTime) {
        self.is_final = true;
        self.final_at.get_or_insert(now);
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
    }

    /// What to do about these words at this time.
    pub fn verdict(&self, now: CallTime, words: &str, expects_digits: bool, timing: &Timing) -> Verdict {
        let final_by = self.speech_end + Millis(STT_FINAL_MS_MAX);
        if words.is_empty() {
            return if self.is_final || now >= final_by {
                Verdict::Noise
            } else {
                Verdict::Wait(final_by, "final words")
            };
        }
        if self.is_over {
            return Verdict::EndTurn;
        }
        let silence_by = self.speech_end + Millis(self.silence_ms(words, expects_digits, timing));
        if now < silence_by {
            return Verdict::Wait(silence_by, "endpoint");
        }
        if self.is_final || now >= final_by {
            return Verdict::EndTurn;
        }
        Verdict::Wait(final_by, "final words")
    }

    /// Silence after which these words end the turn.
    fn silence_ms(&self, words: &str, expects_digits: bool, timing: &Timing) -> u64 {
        let goes_on = self.probability.is_some_and(|probability| probability < PROBABILITY_MIN);
        let has_digit = expects_digits && words.chars().any(|c| c.is_ascii_digit());
        let sound = if has_digit { Sound::Digits } else { sounds(words) };
        match sound {
            Sound::Digits => timing.endpoint_digits_ms,
            Sound::Unfinished => timing.endpoint_ms_max,
            Sound::Finished if goes_on => timing.endpoint_ms_max,
            Sound::Finished => timing.endpoint_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(pause: &Pause, now: u64, words: &str) -> Verdict {
        pause.verdict(CallTime(now), words, false, &Timing::default())
    }

    #[test]
    fn a_finished_sentence_ends_after_a_short_silence_once_its_final_words_are_there() {
        let mut pause = Pause::began(CallTime(1_000));
        assert_eq!(verdict(&pause, 1_200, "When do you open?"), Verdict::Wait(CallTime(1_300), "endpoint"));
        assert_eq!(verdict(&pause, 1_300, "When do you open?"), Verdict::Wait(CallTime(2_500), "final words"));
        pause.finalized(CallTime(1_250));
        assert_eq!(verdict(&pause, 1_300, "When do you open?"), Verdict::EndTurn);
    }

    #[test]
    fn an_unfinished_sentence_or_a_doubtful_voice_waits_longer() {
        let mut pause = Pause::began(CallTime(0));
        pause.finalized(CallTime(100));
        assert_eq!(verdict(&pause, 300, "I want to"), Verdict::Wait(CallTime(1_200), "endpoint"));
        assert_eq!(verdict(&pause, 1_200, "four eight"), Verdict::Wait(CallTime(1_400), "endpoint"));
        pause.judged(0.2);
        assert_eq!(verdict(&pause, 300, "yes."), Verdict::Wait(CallTime(1_200), "endpoint"));
        pause.provider_ended();
        assert_eq!(verdict(&pause, 300, "yes."), Verdict::EndTurn);
    }

    #[test]
    fn a_recogniser_that_never_answers_costs_its_deadline_and_no_more() {
        let pause = Pause::began(CallTime(0));
        assert_eq!(verdict(&pause, STT_FINAL_MS_MAX, "yes"), Verdict::EndTurn);
        assert_eq!(verdict(&pause, STT_FINAL_MS_MAX, ""), Verdict::Noise);
    }
}
