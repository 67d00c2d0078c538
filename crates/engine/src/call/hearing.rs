//! What the caller is saying: the recognition stream, the words of the turn so far, and the pause that may end it.

use super::endpointing::Pause;
use base::limits::CALLER_TURN_CHARS_MAX;
use base::{CallTime, Millis, SttStreamId};

/// How long words that were already used may come back as a late final.
const USED_WORDS_MS_MAX: u64 = 3_000;

/// Words come at most so late behind their sound, and about so much.
const LATE_WORDS_MS: u64 = 600;
const WORDS_BEHIND_MS: u64 = 200;

/// The first word of speech is shown within this.
pub(super) const WORDLESS_MS_MAX: u64 = 500;

/// Final words that are asked for in lulls of one turn, and how far apart.
const LULL_FINALS_MAX: u32 = 12;
const LULL_FINAL_MS_MIN: u64 = 250;

/// The caller's side of the conversation.
#[derive(Clone, Debug, Default)]
pub(super) struct Hearing {
    /// The stream that counts; others are stale.
    pub stream: Option<SttStreamId>,
    /// Streams that failed since the last word.
    pub failures: u32,
    /// Whether the caller is speaking, and since when there was any sign of it.
    speaking: Option<CallTime>,
    /// When the present stretch of speech began.
    began_at: CallTime,
    /// Listening sounds of the agent in this turn, and when the last one was due.
    pub listening_sounds: usize,
    pub listened_at: Option<CallTime>,
    /// Final words asked for in lulls of this turn, and when last.
    lull_finals: u32,
    lull_final_at: CallTime,
    /// The pause that may end the turn.
    pub pause: Option<Pause>,
    /// The end of the speech before the present sounds, until there are words of them.
    wordless_since: Option<CallTime>,
    /// When the last pause was broken by a sound, and when it had begun.
    went_on: Option<(CallTime, CallTime)>,
    finals: String,
    partial: String,
    /// The recogniser shows words while they are said.
    shows_words: bool,
    /// The pause that a sound broke, should there be no words in it.
    broken: Option<Broken>,
    is_cut: bool,
    /// Finals that were asked for and have not come.
    finals_owed: u32,
    /// Words of the recogniser's present segment that were already used, until its final comes.
    used: Option<Used>,
}

/// A pause that was broken by a sound.
#[derive(Clone, Debug)]
struct Broken {
    pause: Pause,
    at: CallTime,
    /// The recogniser was asked whether there are words in the sound.
    is_asked: bool,
}

/// Words that an earlier turn has used and that have no final yet.
#[derive(Clone, Debug)]
struct Used {
    words: Vec<String>,
    until: CallTime,
}

/// The words of one turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub text: String,
    pub is_cut: bool,
}

impl Hearing {
    pub fn is_speaking(&self) -> bool {
        self.speaking.is_some()
    }

    /// The last sign that the caller is speaking.
    pub fn speaking_sign_at(&self) -> Option<CallTime> {
        self.speaking
    }

    /// Whether the caller has certainly stopped, and what they said was not taken yet.
    pub fn is_in_pause(&self) -> bool {
        self.pause.as_ref().is_some_and(Pause::is_certain)
    }

    /// The caller speaks, or something does: that ends the pause.
    pub fn started(&mut self, now: CallTime) {
        if self.speaking.is_none() {
            self.began_at = now;
        }
        self.speaking = Some(now);
        if let Some(pause) = self.pause.take().filter(|_| self.has_words()) {
            self.wordless_since.get_or_insert(pause.speech_end);
            self.went_on = Some((now, pause.speech_end));
            self.broken =
                Some(Broken { pause, at: now, is_asked: false }).filter(|broken| broken.pause.has_final_words());
        }
    }

    /// The caller stopped; the pause began when the speech ended. Says whether a pause was opened or became certain.
    pub fn stopped(&mut self, speech_end: CallTime) -> bool {
        let spoken_ms = self.spoken_ms(speech_end);
        self.speaking = None;
        let was_certain = self.pause.as_ref().is_some_and(Pause::is_certain);
        if !self.pause.as_mut().is_some_and(|pause| pause.make_certain(speech_end)) {
            self.pause = Some(Pause::began(speech_end, spoken_ms));
        }
        !was_certain
    }

    /// When it is clear that the sound in a pause that `was_over` but for a moment was no speech: a recogniser that shows words
    /// has shown none of it.
    pub fn wordless_at(&self, was_over: impl Fn(&Pause) -> bool) -> Option<CallTime> {
        let broken = self.broken.as_ref().filter(|_| self.shows_words && self.speaking.is_some());
        let broken = broken.filter(|broken| !broken.is_asked && was_over(&broken.pause));
        let is_open = !self.is_in_pause();
        broken.filter(|_| is_open).map(|broken| broken.at + Millis(WORDLESS_MS_MAX))
    }

    /// The recogniser is asked whether there are words in the sound.
    pub fn sound_asked(&mut self) {
        self.finals_owed += 1;
        if let Some(broken) = &mut self.broken {
            broken.is_asked = true;
        }
    }

    /// The recogniser has said that there are none: the caller has been silent since before it.
    fn take_up_pause(&mut self) {
        if let Some(broken) = self.broken.take_if(|broken| broken.is_asked) {
            self.pause = Some(broken.pause.in_noise());
        }
    }

    /// Whether the recogniser shows words while they are said.
    pub fn shows_words(&self) -> bool {
        self.shows_words
    }

    /// Words come while the detector hears nobody. So long after the pause began they were said in it, and another begins:
    /// says when.
    pub fn spoken_in_pause(&mut self, now: CallTime) -> Option<CallTime> {
        let is_late = |pause: &mut Pause| pause.is_certain() && now.since(pause.speech_end).0 >= LATE_WORDS_MS;
        self.pause.take_if(is_late).map(|_| now - Millis(WORDS_BEHIND_MS))
    }

    /// The caller fell silent a moment ago, perhaps only to breathe.
    pub fn lull(&mut self, speech_end: CallTime) {
        if self.speaking.is_some() && !self.pause.as_ref().is_some_and(Pause::is_certain) {
            self.pause = Some(Pause::lull(speech_end, self.spoken_ms(speech_end)));
        }
    }

    /// The recogniser takes the turn for ended, the detector hears somebody or something.
    pub fn ended_while_speaking(&mut self, now: CallTime) {
        // Since its last words it has heard nobody.
        let since = self.speaking.unwrap_or(now);
        self.pause = Some(Pause::ended_while_speaking(since, self.spoken_ms(since)));
    }

    /// How long the present stretch of speech has lasted.
    pub fn spoken_ms(&self, now: CallTime) -> u64 {
        if self.speaking.is_some() { now.since(self.began_at).0 } else { 0 }
    }

    /// Whether the recogniser may be asked for final words in a lull: it loses a little accuracy each time.
    pub fn may_ask_in_lull(&mut self, now: CallTime) -> bool {
        let may = self.lull_finals < LULL_FINALS_MAX && now >= self.lull_final_at + Millis(LULL_FINAL_MS_MIN);
        if may {
            self.lull_finals += 1;
            self.lull_final_at = now;
        }
        may
    }

    /// Words so far since the last final. Says whether there are any.
    pub fn partial(&mut self, now: CallTime, text: &str) -> bool {
        let fresh = self.without_used(now, text);
        if fresh.len() == text.trim().len() {
            // The recogniser has begun anew without a final.
            self.used = None;
        }
        let text = fresh;
        if text.is_empty() {
            return false;
        }
        self.heard_words(now);
        self.shows_words = true;
        self.partial.clear();
        self.partial.push_str(text);
        true
    }

    /// Words for good. Says whether there are any.
    pub fn final_words(&mut self, now: CallTime, text: &str) -> bool {
        let text = self.without_used(now, text);
        self.used = None;
        self.partial.clear();
        if text.is_empty() {
            return false;
        }
        self.heard_words(now);
        if !self.finals.is_empty() {
            self.finals.push(' ');
        }
        self.finals.push_str(text);
        if self.finals.len() > CALLER_TURN_CHARS_MAX {
            let cut = (0..=CALLER_TURN_CHARS_MAX).rev().find(|at| self.finals.is_char_boundary(*at));
            self.finals.truncate(cut.unwrap_or(0));
            self.is_cut = true;
        }
        true
    }

    fn heard_words(&mut self, now: CallTime) {
        self.failures = 0;
        self.wordless_since = None;
        self.broken = None;
        if self.speaking.is_some() {
            self.speaking = Some(now);
            // Words that come behind the recogniser's end of the turn: it was none.
            self.pause = self.pause.take().filter(|pause| !pause.is_over_while_speaking());
        }
    }

    /// The text without the words at its beginning that an earlier turn has used: a turn may end on a partial, and the
    /// recogniser repeats those words in its final.
    fn without_used<'t>(&self, now: CallTime, text: &'t str) -> &'t str {
        let mut text = text.trim();
        let Some(used) = &self.used else { return text };
        // A recogniser that gives no final repeats the words for ever; the same words alone were said again.
        let mut words = text.split_whitespace().map(plain);
        let goes_on = used.words.iter().all(|used| words.next().as_ref() == Some(used)) && words.next().is_some();
        if now > used.until && !goes_on {
            return text;
        }
        // Other words are other speech, however soon they come; a final text may differ a little from the partial one.
        let same =
            used.words.iter().zip(text.split_whitespace().map(plain)).filter(|(used, word)| *used == word).count();
        if 2 * same < used.words.len() {
            return text;
        }
        for _ in 0..used.words.len() {
            let word = text.find(char::is_whitespace).unwrap_or(text.len());
            text = text[word..].trim_start();
        }
        text
    }

    /// The recogniser was asked for its final words.
    pub fn final_asked(&mut self) {
        self.finals_owed += 1;
        if let Some(pause) = &mut self.pause {
            pause.is_asked = true;
        }
    }

    /// The recogniser has answered. An answer to an earlier pause does not settle this one.
    pub fn final_given(&mut self, now: CallTime) {
        self.finals_owed = self.finals_owed.saturating_sub(1);
        if self.finals_owed == 0 && self.speaking.is_some() && !self.is_in_pause() {
            self.take_up_pause();
        }
        if self.finals_owed == 0
            && let Some(pause) = &mut self.pause
        {
            pause.finalized(now);
            if let Some(since) = self.wordless_since.filter(|_| pause.is_certain()) {
                // A crowd behind the caller, or a cough: the caller has been silent for longer.
                pause.speech_end = pause.speech_end.min(since);
            }
        }
    }

    /// Whether the recogniser was asked in a lull, before it had heard the caller's first word: it is asked again, once.
    pub fn was_asked_too_early(&mut self) -> bool {
        let has_words = self.has_words();
        self.pause.as_mut().is_some_and(|pause| !has_words && pause.forget_answer_in_lull())
    }

    /// The pause after which the caller went on, once there are words of it: when it ended and began.
    pub fn take_went_on(&mut self) -> Option<(CallTime, CallTime)> {
        self.went_on.take()
    }

    /// Whether there are words, and all of them are final.
    pub fn is_all_final(&self) -> bool {
        self.partial.is_empty() && !self.finals.is_empty()
    }

    /// Whether the recogniser has given all final words that it was asked for, and no others are coming.
    pub fn is_settled(&self) -> bool {
        self.partial.is_empty() && self.pause.as_ref().is_some_and(|pause| pause.final_at.is_some())
    }

    /// The words of the turn so far.
    pub fn words(&self) -> String {
        match (self.finals.is_empty(), self.partial.is_empty()) {
            (false, false) => format!("{} {}", self.finals, self.partial),
            (false, true) => self.finals.clone(),
            (true, _) => self.partial.clone(),
        }
    }

    pub fn has_words(&self) -> bool {
        !self.finals.is_empty() || !self.partial.is_empty()
    }

    /// Takes the words as used: the next turn begins with nothing.
    pub fn take(&mut self, now: CallTime) -> Words {
        let mut text = self.words();
        let mut is_cut = std::mem::take(&mut self.is_cut);
        if text.len() > CALLER_TURN_CHARS_MAX {
            let cut = (0..=CALLER_TURN_CHARS_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
            is_cut = true;
        }
        if !self.partial.is_empty() {
            let mut words = self.used.take().map_or_else(Vec::new, |used| used.words);
            words.extend(self.partial.split_whitespace().map(plain));
            self.used = Some(Used { words, until: now + Millis(USED_WORDS_MS_MAX) });
        }
        self.finals.clear();
        self.partial.clear();
        self.finals_owed = 0;
        self.pause = None;
        self.wordless_since = None;
        self.broken = None;
        self.went_on = None;
        self.listening_sounds = 0;
        self.listened_at = None;
        self.lull_finals = 0;
        self.lull_final_at = CallTime(0);
        Words { text, is_cut }
    }

    /// The stream is gone or replaced; the words stay.
    pub fn replace_stream(&mut self, stream: SttStreamId) {
        self.stream = Some(stream);
        // What a new stream does not show says nothing yet.
        (self.shows_words, self.broken) = (false, None);
        self.used = None;
        self.finals_owed = 0;
        if let Some(pause) = &mut self.pause {
            pause.no_final_comes();
        }
        let partial = std::mem::take(&mut self.partial);
        if !partial.is_empty() {
            if !self.finals.is_empty() {
                self.finals.push(' ');
            }
            self.finals.push_str(&partial);
        }
    }

    /// The audio path is gone: the caller is not speaking as far as anyone can tell.
    pub fn line_lost(&mut self) {
        self.stream = None;
        self.speaking = None;
        self.broken = None;
        self.pause = self.pause.take().filter(Pause::is_certain);
    }
}

/// A word as recognisers repeat it: its case and punctuation may change.
fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_its_finals_and_the_last_partial() {
        let mut hearing = Hearing::default();
        hearing.partial(CallTime(0), "I want");
        hearing.final_words(CallTime(1), "I want to cancel");
        hearing.partial(CallTime(2), "my order");
        assert_eq!(hearing.words(), "I want to cancel my order");
    }

    #[test]
    fn words_that_ended_a_turn_do_not_come_back_in_a_late_final() {
        let mut hearing = Hearing::default();
        hearing.partial(CallTime(0), "cancel my order");
        assert_eq!(hearing.take(CallTime(100)).text, "cancel my order");
        assert!(!hearing.final_words(CallTime(200), "Cancel my order."));
        assert!(hearing.final_words(CallTime(300), "Hello?"), "used words count once");
        assert_eq!(hearing.words(), "Hello?");
    }

    #[test]
    fn words_that_were_used_do_not_come_back_where_no_final_ever_comes() {
        let mut hearing = Hearing::default();
        hearing.partial(CallTime(0), "yes please");
        assert_eq!(hearing.take(CallTime(100)).text, "yes please");
        hearing.partial(CallTime(30_000), "Yes, please. What does it cost");
        assert_eq!(hearing.take(CallTime(31_000)).text, "What does it cost");
        hearing.partial(CallTime(60_000), "yes please what does it cost when");
        assert_eq!(hearing.take(CallTime(61_000)).text, "when");
        hearing.partial(CallTime(90_000), "yes");
        assert_eq!(hearing.take(CallTime(91_000)).text, "yes", "said again");
    }

    #[test]
    fn a_late_answer_to_an_earlier_pause_does_not_end_this_one() {
        let mut hearing = Hearing::default();
        for at in [100, 900] {
            hearing.started(CallTime(at));
            hearing.stopped(CallTime(at + 300));
            hearing.final_asked();
        }
        hearing.final_given(CallTime(1_250));
        assert!(hearing.pause.as_ref().is_some_and(|pause| pause.final_at.is_none()), "{hearing:?}");
        hearing.final_given(CallTime(1_400));
        assert!(hearing.pause.as_ref().is_some_and(|pause| pause.final_at == Some(CallTime(1_400))));
    }

    #[test]
    fn a_turn_has_a_longest_text() {
        let mut hearing = Hearing::default();
        hearing.final_words(CallTime(0), &"ä".repeat(CALLER_TURN_CHARS_MAX));
        let words = hearing.take(CallTime(0));
        assert!(words.is_cut && words.text.len() <= CALLER_TURN_CHARS_MAX);
    }
}
