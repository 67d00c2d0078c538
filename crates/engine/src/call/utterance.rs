//! One thing the agent says: its segments, how far synthesis and playout have come, and what of it was heard.

use base::limits::{PLAYOUT_STALL_MS_MAX, SEGMENT_CHARS_MAX, TTS_SEGMENTS_MAX, VOICE_FIRST_AUDIO_MS_MAX};
use base::{CallTime, Millis, TurnId, UtteranceId};
use model::agent::Lines;
use model::generation::Citation;
use std::cmp::Ordering;
use std::collections::VecDeque;

/// A slow reading pace. Where a provider does not say how long a segment is, this guess claims too little rather than
/// words that nobody heard.
const MS_PER_CHAR_SLOW: u64 = 90;

/// Audio from the cache is there at once, or something is wrong with the host.
const CACHED_AUDIO_MS_MAX: u64 = 700;
/// All audio of such a line is there, so it moves or the line is stuck.
const LINE_STALL_MS_MAX: u64 = 1_000;

/// Audio that is there is heard, and reported, within this.
const AUDIBLE_MS: u64 = 300;
/// A voice mostly begins within this.
const VOICE_MS: u64 = 250;

/// Playout is told about this often.
const BETWEEN_MS: u64 = 150;

/// How much of an utterance may be missing for people to answer it.
const NEARLY_OVER_MS: u64 = 700;

/// A segment that was given to synthesis.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    pub text: String,
    /// Where its audio ends, once all of it is there.
    pub end_ms: Option<u64>,
    /// When its words begin: (byte offset, milliseconds of the utterance).
    pub words: Vec<(u32, u64)>,
}

/// What kind of thing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ordinary,
    /// What must be heard to its end.
    Notice,
    /// A line from the audio cache, beside the utterance in progress.
    Interlude,
}

/// One utterance, from its first text to its last audio.
#[derive(Clone, Debug)]
pub(super) struct Utterance {
    pub id: UtteranceId,
    pub turn: TurnId,
    /// How often its text was tried before.
    pub attempt: u32,
    pub citations: Vec<Citation>,
    segments: Vec<Segment>,
    waiting: VecDeque<String>,
    is_closed: bool,
    is_ended: bool,
    has_audio: bool,
    played_ms: u64,
    is_finished: bool,
    /// Where it was cut off, as far as the words themselves tell: segment and bytes of its text.
    cut: Option<(usize, usize)>,
    kind: Kind,
    /// A waiting sound is played instead of the words.
    is_wordless: bool,
    begun_at: CallTime,
    /// When something last moved, or when there was something to wait for.
    progress_at: CallTime,
}

/// What an utterance wants from its synthesiser.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ToSpeak {
    Segment(u32, String),
    End,
}

impl Utterance {
    /// An utterance gets its id when its first words go to synthesis: ids are in the order in which voices are heard.
    pub fn new(turn: TurnId, attempt: u32, now: CallTime) -> Self {
        Self {
            id: UtteranceId(0),
            turn,
            attempt,
            citations: Vec::new(),
            segments: Vec::new(),
            waiting: VecDeque::new(),
            is_closed: false,
            is_ended: false,
            has_audio: false,
            played_ms: 0,
            is_finished: false,
            cut: None,
            kind: Kind::Ordinary,
            is_wordless: false,
            begun_at: now,
            progress_at: now,
        }
    }

    /// A line that speech does not interrupt.
    pub fn notice(turn: TurnId, text: &str, now: CallTime) -> Self {
        let mut notice = Self { kind: Kind::Notice, ..Self::new(turn, 0, now) };
        notice.add(text);
        notice.close();
        notice
    }

    /// A line from the audio cache: one segment, given to the host as a whole.
    pub fn interlude(id: UtteranceId, turn: TurnId, text: &str, now: CallTime) -> Self {
        let segment = Segment { text: text.to_owned(), ..Segment::default() };
        let kind = Kind::Interlude;
        Self { id, kind, segments: vec![segment], is_closed: true, is_ended: true, ..Self::new(turn, 0, now) }
    }

    /// Another attempt at what of this utterance was not heard, with what belongs to it.
    pub fn again(self, attempt: u32, now: CallTime) -> Self {
        let mut again = Self::new(self.turn, attempt, now);
        (again.is_closed, again.kind) = (self.is_closed, self.kind);
        again.citations.clone_from(&self.citations);
        self.into_unheard().iter().for_each(|text| again.add(text));
        again
    }

    pub fn is_notice(&self) -> bool {
        self.kind == Kind::Notice
    }

    /// A waiting sound is played instead of the words. Gives the words.
    pub fn becomes_wordless(&mut self, now: CallTime, end_ms: u64) -> String {
        if mutant!(InterludeJournaledWithoutHearing) {
            self.segment_done(now, 0, end_ms, Vec::new());
            return String::new();
        }
        self.is_wordless = true;
        self.progress_at = now;
        let words = self.segments.first_mut().map(|segment| {
            segment.end_ms = Some(end_ms);
            std::mem::take(&mut segment.text)
        });
        words.unwrap_or_default()
    }

    pub fn is_wordless(&self) -> bool {
        self.is_wordless
    }

    /// Its audio had to wait since then for something else that was said: that is no stall, and no excuse for one either.
    pub fn waited(&mut self, since: CallTime, now: CallTime) {
        if self.has_audio {
            self.progress_at = (self.progress_at + now.since(since)).min(now);
        }
    }

    /// When it was begun, for one that is given to the host as a whole.
    pub fn begun_at(&self) -> CallTime {
        self.begun_at
    }

    /// What was held is played from now on, as an answer to this turn.
    pub fn released(&mut self, turn: TurnId, now: CallTime) {
        self.turn = turn;
        self.progress_at = now;
    }

    /// Whether any audio of it is there.
    pub fn has_audio(&self) -> bool {
        self.has_audio
    }

    /// The text with which it begins, while nothing was given to synthesis.
    pub fn first_waiting(&self) -> Option<&str> {
        self.waiting.front().filter(|_| self.segments.is_empty()).map(String::as_str)
    }

    /// Its first words were synthesised as this one.
    pub fn adopt(&mut self, held: Self) {
        self.waiting.pop_front();
        (self.id, self.segments, self.has_audio) = (held.id, held.segments, held.has_audio);
        self.progress_at = held.progress_at;
    }

    /// Until when its first sound may well be on its way: to the caller, if it is there, else from the synthesiser.
    pub fn sound_is_due(&self) -> Option<CallTime> {
        let is_awaited = self.played_ms == 0 && self.has_outstanding_audio();
        is_awaited.then(|| self.progress_at + Millis(if self.has_audio { AUDIBLE_MS } else { VOICE_MS }))
    }

    /// Whether audio that was not heard yet is certainly there.
    pub fn has_audio_ahead(&self) -> bool {
        self.segments.iter().rev().find_map(|segment| segment.end_ms).is_some_and(|end_ms| end_ms > self.played_ms)
    }

    /// Whether it is made of lines that the agent says by itself.
    pub fn is_of_lines(&self, lines: &Lines) -> bool {
        let own = [&lines.greeting, &lines.are_you_there, &lines.apology, &lines.not_heard, &lines.lost_thread];
        self.segments.iter().all(|segment| own.iter().any(|line| line.contains(&segment.text)))
    }

    /// All that was given to synthesis, as one text.
    pub fn text(&self) -> String {
        join(self.segments.iter().map(|segment| segment.text.as_str()))
    }

    /// Whether there is anything that was not heard, or more may come.
    pub fn has_more(&self) -> bool {
        self.is_open() || self.has_waiting_text() || self.has_outstanding_audio()
    }

    /// Adds a segment, cut where it is longer than one may be.
    pub fn add(&mut self, text: &str) {
        let mut rest = text.trim();
        while rest.len() > SEGMENT_CHARS_MAX {
            let max = (0..=SEGMENT_CHARS_MAX).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0);
            let cut = rest[..max].rfind(char::is_whitespace).filter(|cut| *cut > 0).unwrap_or(max);
            self.waiting.push_back(rest[..cut].trim_end().to_owned());
            rest = rest[cut..].trim_start();
        }
        if !rest.is_empty() {
            self.waiting.push_back(rest.to_owned());
        }
    }

    /// No more text will come.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether more text can be added.
    pub fn is_open(&self) -> bool {
        !self.is_closed
    }

    /// The next thing to give to synthesis; call until `None`. Holds back what the synthesiser's queue would not take.
    pub fn next_to_speak(&mut self, now: CallTime) -> Option<ToSpeak> {
        let in_synthesis = self.segments.iter().filter(|segment| segment.end_ms.is_none()).count();
        if in_synthesis < TTS_SEGMENTS_MAX
            && let Some(text) = self.waiting.pop_front()
        {
            if !self.has_outstanding_audio() {
                self.progress_at = now;
            }
            self.segments.push(Segment { text: text.clone(), ..Segment::default() });
            return Some(ToSpeak::Segment(self.segments.len() as u32 - 1, text));
        }
        if self.is_closed && !self.is_ended && self.waiting.is_empty() {
            self.is_ended = true;
            self.progress_at = now;
            return Some(ToSpeak::End);
        }
        None
    }

    /// Audio is there. Says whether it is the first.
    pub fn first_audio(&mut self, now: CallTime) -> bool {
        let is_first = !self.has_audio && !self.segments.is_empty();
        if is_first {
            self.has_audio = true;
            self.progress_at = now;
        }
        is_first
    }

    /// Words of a segment whose audio is coming. Of unknown or finished segments they change nothing.
    pub fn words_begin(&mut self, index: u32, words: &[(u32, u64)]) {
        if let Some(segment) = self.segments.get_mut(index as usize).filter(|segment| segment.end_ms.is_none()) {
            segment.words.extend_from_slice(words);
        }
    }

    /// All audio of a segment is there. Out of order or unknown segments change nothing.
    pub fn segment_done(&mut self, now: CallTime, index: u32, end_ms: u64, words: Vec<(u32, u64)>) {
        let index = index as usize;
        let start_ms = index.checked_sub(1).map_or(Some(0), |i| self.segments.get(i).and_then(|s| s.end_ms));
        let (Some(start_ms), Some(segment)) = (start_ms, self.segments.get_mut(index)) else { return };
        if segment.end_ms.is_some() || end_ms < start_ms {
            return;
        }
        segment.end_ms = Some(end_ms);
        if !words.is_empty() {
            segment.words = words;
        }
        self.has_audio = true;
        self.progress_at = now;
    }

    /// The caller has heard this much. Says whether it is the first sound of the utterance.
    pub fn played(&mut self, now: CallTime, played_ms: u64, finished: bool) -> bool {
        let is_first = self.played_ms == 0 && played_ms > 0;
        if played_ms > self.played_ms {
            self.played_ms = played_ms;
            self.has_audio = true;
            self.progress_at = now;
        }
        self.is_finished |= finished && self.is_ended;
        is_first
    }

    /// It will not be spoken further, and this much of it was heard.
    pub fn cut_off(&mut self, segment: u32, heard_bytes: u32) {
        self.cut = Some((segment as usize, heard_bytes as usize));
    }

    pub fn played_ms(&self) -> u64 {
        self.played_ms
    }

    /// Whether all there will ever be was heard.
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Whether anything was given to synthesis.
    pub fn is_begun(&self) -> bool {
        !self.segments.is_empty()
    }

    /// Whether something given to synthesis has not been heard yet.
    pub fn has_outstanding_audio(&self) -> bool {
        let Some(last) = self.segments.last() else { return false };
        !self.is_finished && (self.is_ended || last.end_ms.is_none_or(|end_ms| self.played_ms < end_ms))
    }

    /// Whether the caller knows how it ends.
    pub fn is_nearly_over(&self) -> bool {
        let end_ms = self.segments.last().and_then(|segment| segment.end_ms);
        self.is_ended && end_ms.is_some_and(|end_ms| self.played_ms + NEARLY_OVER_MS >= end_ms)
    }

    /// Whether a segment has just ended for the caller, and more follow.
    pub fn is_between_segments(&self) -> bool {
        let just = |end_ms: u64| (end_ms..end_ms + BETWEEN_MS).contains(&self.played_ms);
        self.segments.iter().filter_map(|segment| segment.end_ms).any(just)
    }

    /// Whether there is text that was not even given to synthesis.
    pub fn has_waiting_text(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Until when something must have moved. `None` while nothing is owed.
    pub fn deadline(&self) -> Option<(CallTime, &'static str)> {
        if mutant!(NoPlayoutDeadline) || !self.has_outstanding_audio() {
            return None;
        }
        Some(if self.has_audio {
            let wait_ms = if self.kind == Kind::Interlude { LINE_STALL_MS_MAX } else { PLAYOUT_STALL_MS_MAX };
            (self.progress_at + Millis(wait_ms), "playout stall")
        } else {
            let wait_ms = if self.kind == Kind::Interlude { CACHED_AUDIO_MS_MAX } else { VOICE_FIRST_AUDIO_MS_MAX };
            (self.progress_at + Millis(wait_ms), "first audio")
        })
    }

    /// What was heard so far.
    pub fn heard(&self) -> String {
        if self.is_finished || mutant!(WholeTextAsHeard) {
            return join(self.segments.iter().map(|segment| segment.text.as_str()));
        }
        match self.cut {
            Some(_) => join(self.segments.iter().enumerate().map(|(at, segment)| {
                let len = self.cut_len(at, segment).unwrap_or_default();
                segment.text[..len].trim_end()
            })),
            None => heard(&self.segments, self.played_ms),
        }
    }

    /// Bytes of a segment that were heard before the utterance was cut off; `None` where it was not.
    fn cut_len(&self, at: usize, segment: &Segment) -> Option<usize> {
        let (cut_at, bytes) = self.cut?;
        Some(match at.cmp(&cut_at) {
            Ordering::Less => segment.text.len(),
            Ordering::Equal => segment.text.floor_char_boundary(bytes.min(segment.text.len())),
            Ordering::Greater => 0,
        })
    }

    /// Whether everything that was to be said was heard.
    pub fn is_complete(&self) -> bool {
        self.is_finished && self.waiting.is_empty()
    }

    /// What was not heard: the rest of the segment that was cut, and all after it.
    pub fn into_unheard(self) -> Vec<String> {
        let mut start_ms = 0;
        let mut unheard = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let len = self.cut_len(at, segment).unwrap_or_else(|| heard_len(segment, start_ms, self.played_ms));
            start_ms = segment.end_ms.unwrap_or(u64::MAX);
            let len = if mutant!(ResumeRepeatsSentence) && len < segment.text.len() { 0 } else { len };
            let rest = segment.text[len..].trim();
            let rest = if mutant!(ResumeSkipsWords) { rest.split_once(' ').map_or("", |(_, rest)| rest) } else { rest };
            if !rest.is_empty() {
                unheard.push(rest.to_owned());
            }
        }
        unheard.extend(self.waiting);
        unheard
    }
}

fn join<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What a caller has heard after `played_ms` of an utterance: whole segments, and of the one being played the words that
/// were finished. Where word times are unknown the text is taken in proportion and rounded down to a word.
pub(super) fn heard(segments: &[Segment], played_ms: u64) -> String {
    let mut start_ms = 0;
    join(segments.iter().map(|segment| {
        let len = heard_len(segment, start_ms, played_ms);
        start_ms = segment.end_ms.unwrap_or(u64::MAX);
        segment.text[..len].trim_end()
    }))
}

/// Bytes of one segment that were heard.
fn heard_len(segment: &Segment, start_ms: u64, played_ms: u64) -> usize {
    let text = &segment.text;
    if played_ms > 0 && segment.end_ms.is_some_and(|end_ms| end_ms <= played_ms) {
        return text.len();
    }
    let Some(into_ms) = played_ms.checked_sub(start_ms).filter(|into_ms| *into_ms > 0) else { return 0 };
    if !segment.words.is_empty() {
        // A word was heard when the next one has begun.
        let begun = |(offset, begin_ms): &(u32, u64)| *begin_ms <= played_ms && (*offset as usize) < text.len();
        let at = segment.words.iter().rev().find(|word| begun(word)).map_or(0, |(offset, _)| *offset as usize);
        return if text.is_char_boundary(at) { at } else { 0 };
    }
    let chars = text.chars().count() as u64;
    let total_ms = segment.end_ms.map_or(chars * MS_PER_CHAR_SLOW, |end_ms| end_ms - start_ms).max(1);
    let heard_chars = (chars * into_ms / total_ms).min(chars.saturating_sub(1)) as usize;
    let cut = text.char_indices().nth(heard_chars).map_or(text.len(), |(at, _)| at);
    // The cut may fall right behind a word: then the word was heard.
    if text[cut..].starts_with(char::is_whitespace) {
        return cut;
    }
    text[..cut].rfind(char::is_whitespace).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(text: &str, end_ms: Option<u64>, words: &[(u32, u64)]) -> Segment {
        Segment { text: text.into(), end_ms, words: words.to_vec() }
    }

    #[test]
    fn whole_segments_and_finished_words_were_heard() {
        let both = [
            segment("We open at nine.", Some(1_000), &[]),
            segment("See you then.", Some(2_000), &[(0, 1_000), (4, 1_300), (8, 1_600)]),
        ];
        assert_eq!(heard(&both, 0), "");
        assert_eq!(heard(&both, 1_000), "We open at nine.");
        assert_eq!(heard(&both, 1_299), "We open at nine.");
        assert_eq!(heard(&both, 1_300), "We open at nine. See");
        assert_eq!(heard(&both, 1_999), "We open at nine. See you");
        assert_eq!(heard(&both, 2_000), "We open at nine. See you then.");
    }

    #[test]
    fn without_word_times_the_guess_is_rounded_down() {
        let known = [segment("one two three four", Some(1_800), &[])];
        assert_eq!(heard(&known, 100), "");
        assert_eq!(heard(&known, 750), "one two");
        assert_eq!(heard(&known, 1_799), "one two three");
        let unknown = [segment("one two three four", None, &[])];
        assert_eq!(heard(&unknown, 60_000), "one two three", "never all of a segment whose end is unknown");
        let umlauts = [segment("für Räder höchstens", Some(1_000), &[])];
        for played_ms in 0..1_000 {
            heard(&umlauts, played_ms);
        }
    }

    #[test]
    fn words_of_a_segment_that_is_still_coming_are_known_by_their_times() {
        let mut utterance = Utterance::new(TurnId(1), 0, CallTime(0));
        utterance.add("We open at nine on every day of the week.");
        while utterance.next_to_speak(CallTime(0)).is_some() {}
        utterance.words_begin(0, &[(0, 0), (3, 200)]);
        utterance.words_begin(0, &[(8, 400), (11, 600)]);
        utterance.words_begin(7, &[(0, 0)]);
        utterance.played(CallTime(500), 450, false);
        assert_eq!(utterance.heard(), "We open");
    }

    #[test]
    fn word_offsets_that_lie_never_panic() {
        let lies = [segment("für", Some(1_000), &[(0, 0), (2, 10), (900, 20)])];
        assert_eq!(heard(&lies, 15), "");
        assert_eq!(heard(&lies, 25), "");
    }

    #[test]
    fn what_was_not_heard_can_be_said_again() {
        let mut utterance = Utterance::new(TurnId(1), 0, CallTime(0));
        utterance.add("We open at nine.");
        utterance.add("See you then.");
        while utterance.next_to_speak(CallTime(0)).is_some() {}
        utterance.segment_done(CallTime(0), 0, 1_600, vec![]);
        utterance.played(CallTime(800), 800, false);
        assert_eq!(utterance.heard(), "We open");
        assert_eq!(utterance.into_unheard(), ["at nine.", "See you then."]);
    }

    #[test]
    fn where_whoever_speaks_says_which_words_were_heard_no_time_is_asked() {
        let mut utterance = Utterance::new(TurnId(1), 0, CallTime(0));
        for text in ["We open at nine.", "See you then.", "Goodbye."] {
            utterance.add(text);
        }
        utterance.close();
        while utterance.next_to_speak(CallTime(0)).is_some() {}
        utterance.segment_done(CallTime(0), 0, 1_600, vec![]);
        utterance.played(CallTime(1_700), 1_600, false);
        utterance.cut_off(1, 7);
        assert_eq!(utterance.heard(), "We open at nine. See you");
        assert!(!utterance.is_complete());
        assert_eq!(utterance.clone().into_unheard(), ["then.", "Goodbye."]);
        utterance.cut_off(0, 2);
        assert_eq!(utterance.heard(), "We", "less than what was taken for played");
        utterance.cut_off(7, 900);
        assert_eq!(utterance.heard(), utterance.text(), "a place that lies is no panic");
    }

    #[test]
    fn synthesis_is_not_given_more_than_its_queue_takes() {
        let mut utterance = Utterance::new(TurnId(1), 0, CallTime(0));
        for _ in 0..TTS_SEGMENTS_MAX + 2 {
            utterance.add("A sentence.");
        }
        utterance.close();
        let mut count = 0;
        while utterance.next_to_speak(CallTime(0)).is_some() {
            count += 1;
        }
        assert_eq!(count, TTS_SEGMENTS_MAX);
        utterance.segment_done(CallTime(1), 0, 500, vec![]);
        assert!(matches!(utterance.next_to_speak(CallTime(1)), Some(ToSpeak::Segment(8, _))));
    }
}
