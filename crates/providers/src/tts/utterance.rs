//! What every voice keeps about one utterance: the text that was asked for, what of it is out, and what it costs. A vendor
//! file adds the words of its own protocol.

use super::TtsEvent;
use audio_codec_algorithms::decode_ulaw;
use base::limits::GENERATION_CHARS_MAX;
use base::{ErrorClass, Failure};
use std::collections::VecDeque;

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 16-bit little-endian samples.
    Pcm,
    /// G.711 u-law, one byte per sample.
    Ulaw,
}

/// How far a word may lie behind the last one that was found, in characters: beyond it the word was not ours.
const WORD_WINDOW_CHARS: usize = 96;
/// The same for a single character.
const CHAR_WINDOW_CHARS: usize = 16;

struct Segment {
    /// Where its last letter or digit ends in the text of all segments.
    end: usize,
    /// Whether the service was asked for it; of the others nothing is to be heard.
    asked: bool,
}

/// One utterance of one voice.
pub(super) struct Utterance {
    vendor: &'static str,
    encoding: Encoding,
    sample_rate_hz: u32,
    /// All text pushed, as pushed: word offsets count its bytes.
    pushed: String,
    segment_starts: Vec<usize>,
    /// Segments whose audio is not all out, oldest first.
    segments: VecDeque<Segment>,
    chars_pushed: u64,
    chars_paid: u64,
    chars_reported: u64,
    /// How far alignment has come in `pushed`.
    aligned: usize,
    between_words: bool,
    /// When the last word began.
    word_ms: u64,
    samples_out: u64,
    half_sample: Option<u8>,
    flushed: bool,
    over: bool,
}

impl Utterance {
    pub(super) fn new(vendor: &'static str) -> Self {
        Self {
            vendor,
            encoding: Encoding::Pcm,
            sample_rate_hz: 8_000,
            pushed: String::new(),
            segment_starts: Vec::new(),
            segments: VecDeque::new(),
            chars_pushed: 0,
            chars_paid: 0,
            chars_reported: 0,
            aligned: 0,
            between_words: true,
            word_ms: 0,
            samples_out: 0,
            half_sample: None,
            flushed: false,
            over: false,
        }
    }

    /// Chooses what comes over the wire: u-law where it is wanted, else the nearest rate that the service has.
    pub(super) fn choose_format(&mut self, ulaw: bool, wanted_hz: u32, rates_hz: &[u32]) {
        if ulaw {
            (self.encoding, self.sample_rate_hz) = (Encoding::Ulaw, 8_000);
        } else {
            let most = rates_hz.iter().copied().max().unwrap_or(wanted_hz);
            let rate_hz = rates_hz.iter().copied().filter(|rate| *rate >= wanted_hz).min().unwrap_or(most);
            (self.encoding, self.sample_rate_hz) = (Encoding::Pcm, rate_hz);
        }
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(super) fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.flushed
    }

    /// Whether the service owes the audio of a segment.
    pub(super) fn is_owed_audio(&self) -> bool {
        self.segments.iter().any(|segment| segment.asked)
    }

    /// Whether anything was heard.
    pub(super) fn is_heard(&self) -> bool {
        self.samples_out > 0
    }

    /// Whether nothing was asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.chars_pushed == 0
    }

    /// Audio so far, in milliseconds.
    pub(super) fn audio_ms(&self) -> u64 {
        self.samples_out * 1_000 / u64::from(self.sample_rate_hz.max(1))
    }

    /// Everything pushed so far, before the newest segment.
    pub(super) fn said_before(&self) -> &str {
        let start = self.segment_starts.last().copied().unwrap_or(0);
        self.pushed.get(..start).unwrap_or_default()
    }

    /// Takes a segment and gives what to ask the service for; `None` when of this segment nothing is to be heard.
    pub(super) fn push(&mut self, text: &str) -> Option<String> {
        let spoken = self.push_waiting(text)?;
        self.charge(spoken.chars().count());
        Some(spoken)
    }

    /// The same for a segment that is not sent yet, and so not paid for.
    pub(super) fn push_waiting(&mut self, text: &str) -> Option<String> {
        if self.over || self.flushed {
            return None;
        }
        let spoken = text.trim();
        let room = GENERATION_CHARS_MAX as u64 > self.chars_pushed;
        self.segment_starts.push(self.pushed.len());
        let last = text.char_indices().rev().find(|(_, c)| c.is_alphanumeric());
        let end = self.pushed.len() + last.map_or(text.len(), |(at, c)| at + c.len_utf8());
        self.pushed.push_str(text);
        let asked = room && spoken.chars().any(char::is_alphanumeric);
        self.segments.push_back(Segment { end, asked });
        if !asked {
            return None;
        }
        self.chars_pushed += spoken.chars().count() as u64;
        Some(spoken.to_owned())
    }

    /// The service is asked for this many characters.
    pub(super) fn charge(&mut self, chars: usize) {
        self.chars_paid += chars as u64;
    }

    /// No more text will come; `false` when that was known or everything is over.
    pub(super) fn flush(&mut self) -> bool {
        !self.over && !std::mem::replace(&mut self.flushed, true)
    }

    /// Nothing may follow; `false` when it was over already.
    pub(super) fn cancel(&mut self) -> bool {
        !std::mem::replace(&mut self.over, true)
    }

    /// Audio as it came, cut anywhere.
    pub(super) fn audio(&mut self, bytes: &[u8], out: &mut Vec<TtsEvent>) {
        let pcm = self.decode(bytes);
        if self.over || pcm.is_empty() {
            return;
        }
        self.usage(out);
        self.samples_out += pcm.len() as u64;
        out.push(TtsEvent::Audio { pcm });
    }

    /// What was asked for so far is paid for.
    pub(super) fn usage(&mut self, out: &mut Vec<TtsEvent>) {
        if !self.over && self.chars_reported != self.chars_paid {
            self.chars_reported = self.chars_paid;
            out.push(TtsEvent::Usage { chars: self.chars_paid });
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> Vec<i16> {
        if self.encoding == Encoding::Ulaw {
            return bytes.iter().map(|byte| decode_ulaw(*byte)).collect();
        }
        let mut pcm = Vec::with_capacity(bytes.len() / 2 + 1);
        let mut rest = bytes;
        if let (Some(low), [high, tail @ ..]) = (self.half_sample, bytes) {
            pcm.push(i16::from_le_bytes([low, *high]));
            self.half_sample = None;
            rest = tail;
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        pcm.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        if let [byte] = odd {
            self.half_sample = Some(*byte);
        }
        pcm
    }

    /// All audio of the oldest segment that was asked for is out.
    pub(super) fn segment_done(&mut self, out: &mut Vec<TtsEvent>) {
        if self.over || !self.is_owed_audio() {
            return;
        }
        // A sample of one segment is never completed by the next.
        self.half_sample = None;
        while let Some(segment) = self.segments.pop_front() {
            out.push(TtsEvent::SegmentDone);
            if segment.asked {
                break;
            }
        }
        self.settle(out);
    }

    /// Segments whose last letter is out, for services that say nothing about the ends of segments.
    pub(super) fn segments_done_by_alignment(&mut self, out: &mut Vec<TtsEvent>) {
        let aligned = self.aligned;
        while !self.over && self.segments.pop_front_if(|segment| segment.end <= aligned).is_some() {
            out.push(TtsEvent::SegmentDone);
        }
    }

    /// Segments of which nothing is to be heard end with the one before them.
    pub(super) fn settle(&mut self, out: &mut Vec<TtsEvent>) {
        while !self.over && self.segments.pop_front_if(|segment| !segment.asked).is_some() {
            out.push(TtsEvent::SegmentDone);
        }
    }

    /// For services that mark the end of each segment: when all are out and no more will come, all is out.
    pub(super) fn finish_when_out(&mut self, out: &mut Vec<TtsEvent>) {
        self.settle(out);
        if self.flushed && self.segments.is_empty() {
            self.finish(out);
        }
    }

    /// All is out.
    pub(super) fn finish(&mut self, out: &mut Vec<TtsEvent>) {
        self.usage(out);
        if !std::mem::replace(&mut self.over, true) {
            out.extend(self.segments.drain(..).map(|_| TtsEvent::SegmentDone));
            out.push(TtsEvent::Done);
        }
    }

    pub(super) fn fail(&mut self, class: ErrorClass, detail: impl Into<String>, out: &mut Vec<TtsEvent>) {
        if !std::mem::replace(&mut self.over, true) {
            out.push(TtsEvent::Failed(Failure::new(class, detail)));
        }
    }

    /// The service said what its protocol does not allow.
    pub(super) fn fail_of_protocol(&mut self, out: &mut Vec<TtsEvent>) {
        let detail = format!("{} sent what its protocol does not allow", self.vendor);
        self.fail(ErrorClass::Protocol, detail, out);
    }

    /// The other side closed before everything was out. Says so with the code alone; the driver knows the reason too.
    pub(super) fn fail_of_close(&mut self, class: ErrorClass, code: u16, out: &mut Vec<TtsEvent>) {
        let detail = format!("{} closed with {code}", self.vendor);
        self.fail(class, detail, out);
    }

    /// Where these words begin, each with its time in the audio of the whole stream in milliseconds. Services normalise
    /// what they speak, so words are looked for in order and what is not found is left out.
    pub(super) fn words<'a>(&mut self, words: impl IntoIterator<Item = (&'a str, u64)>, out: &mut Vec<TtsEvent>) {
        let mut starts = Vec::new();
        for (word, at_ms) in words {
            starts.extend(self.word(word, at_ms));
        }
        if !self.over && !starts.is_empty() {
            out.push(TtsEvent::Words { starts });
        }
    }

    fn word(&mut self, word: &str, at_ms: u64) -> Option<(usize, u64)> {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let first = bare.chars().next()?;
        let rest = self.pushed.get(self.aligned..)?;
        let fits = |(offset, _): &(usize, char)| starts_alike(&rest[*offset..], bare);
        let offset = rest.char_indices().take(WORD_WINDOW_CHARS).find(fits)?.0;
        let found = self.aligned + offset;
        // Quotation marks and the like belong to the word that they stand before.
        let begins = self.pushed[..found]
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + self.pushed[at..].chars().next().map_or(1, char::len_utf8));
        let begins = self.segment_starts.iter().copied().filter(|start| *start <= found).fold(begins, usize::max);
        let is_first_of_its_word = begins >= self.aligned;
        let length: usize = self.pushed[found..].chars().take(bare.chars().count()).map(char::len_utf8).sum();
        self.aligned = found + length;
        self.word_ms = self.word_ms.max(at_ms);
        if is_first_of_its_word {
            Some((begins, self.word_ms))
        } else {
            is_written_without_spaces(first).then_some((found, self.word_ms))
        }
    }

    /// The same from the times of single characters. Spaces may be added or normalised by the service.
    pub(super) fn chars<'a>(&mut self, chars: impl IntoIterator<Item = (&'a str, u64)>, out: &mut Vec<TtsEvent>) {
        let mut starts = Vec::new();
        for (piece, at_ms) in chars {
            let Some(c) = piece.chars().next() else { continue };
            if c.is_whitespace() {
                self.between_words = true;
                continue;
            }
            let Some((at, crossed_space)) = self.find_next(c) else { continue };
            let begins_segment = self.segment_starts.iter().any(|start| (self.aligned..=at).contains(start));
            if self.between_words || crossed_space || begins_segment {
                self.word_ms = self.word_ms.max(at_ms);
                starts.push((at, self.word_ms));
            }
            self.between_words = false;
            self.aligned = at + c.len_utf8();
        }
        if !self.over && !starts.is_empty() {
            out.push(TtsEvent::Words { starts });
        }
    }

    fn find_next(&self, c: char) -> Option<(usize, bool)> {
        let mut crossed_space = false;
        for (offset, candidate) in self.pushed.get(self.aligned..)?.char_indices().take(CHAR_WINDOW_CHARS) {
            if candidate == c {
                return Some((self.aligned + offset, crossed_space));
            }
            crossed_space |= candidate.is_whitespace();
        }
        None
    }
}

/// Whether a text begins with a word, whatever the case of its letters.
fn starts_alike(text: &str, word: &str) -> bool {
    let mut chars = text.chars();
    word.chars().all(|wanted| chars.next().is_some_and(|c| c == wanted || c.to_lowercase().eq(wanted.to_lowercase())))
        && !chars.next().is_some_and(|c| c.is_alphanumeric() && !is_written_without_spaces(c))
}

/// Thai, Lao, Khmer, Chinese, Japanese: words are not set apart by spaces.
fn is_written_without_spaces(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(utterance: &mut Utterance, words: &[(&str, u64)]) -> Vec<(usize, u64)> {
        let mut out = Vec::new();
        utterance.words(words.iter().copied(), &mut out);
        out.into_iter()
            .flat_map(|event| match event {
                TtsEvent::Words { starts } => starts,
                _ => Vec::new(),
            })
            .collect()
    }

    #[test]
    fn words_are_found_in_the_text_as_pushed_whatever_the_service_made_of_them() {
        let mut utterance = Utterance::new("acme");
        utterance.push("He said \"Hello\", then left.");
        let found =
            words(&mut utterance, &[("he", 0), ("Said", 90), ("Hello", 200), (",", 250), ("uh", 260), ("then", 300)]);
        assert_eq!(found, [(0, 0), (3, 90), (8, 200), (17, 300)]);
        utterance.push(" Well-known.");
        assert_eq!(words(&mut utterance, &[("left", 350), ("Well", 500), ("known", 600)]), [(22, 350), (28, 500)]);
    }

    #[test]
    fn a_word_is_not_found_inside_another_and_its_time_never_runs_back() {
        let mut utterance = Utterance::new("acme");
        utterance.push("There is the cat.");
        assert_eq!(words(&mut utterance, &[("the", 100), ("cat", 40)]), [(9, 100), (13, 100)]);
    }

    #[test]
    fn words_without_spaces_are_told_one_by_one() {
        let mut utterance = Utterance::new("acme");
        utterance.push("今日は雨です。");
        assert_eq!(words(&mut utterance, &[("今日", 0), ("は", 100), ("雨", 200)]), [(0, 0), (6, 100), (9, 200)]);
    }

    #[test]
    fn segments_of_which_nothing_is_heard_end_with_the_one_before_them() {
        let mut utterance = Utterance::new("acme");
        let mut out = Vec::new();
        assert_eq!(utterance.push(" … "), None);
        assert_eq!(utterance.push(" Yes. ").as_deref(), Some("Yes."));
        assert_eq!(utterance.push(""), None);
        utterance.segment_done(&mut out);
        assert_eq!(out, [TtsEvent::SegmentDone, TtsEvent::SegmentDone, TtsEvent::SegmentDone]);
        out.clear();
        utterance.segment_done(&mut out);
        assert!(out.is_empty(), "nothing is owed");
        utterance.flush();
        utterance.finish_when_out(&mut out);
        assert_eq!(out, [TtsEvent::Usage { chars: 4 }, TtsEvent::Done]);
    }

    #[test]
    fn samples_cut_in_half_are_put_together() {
        let mut utterance = Utterance::new("acme");
        let mut out = Vec::new();
        utterance.push("Hi.");
        utterance.audio(&[1, 0, 2], &mut out);
        utterance.audio(&[0, 3, 0], &mut out);
        let heard =
            [TtsEvent::Usage { chars: 3 }, TtsEvent::Audio { pcm: vec![1] }, TtsEvent::Audio { pcm: vec![2, 3] }];
        assert_eq!(out, heard);
    }

    #[test]
    fn the_rate_is_the_nearest_that_the_service_has() {
        let mut utterance = Utterance::new("acme");
        for (wanted_hz, got_hz) in [(8_000, 8_000), (11_025, 16_000), (96_000, 24_000)] {
            utterance.choose_format(false, wanted_hz, &[8_000, 24_000, 16_000]);
            assert_eq!(utterance.sample_rate_hz(), got_hz);
        }
        utterance.choose_format(true, 24_000, &[24_000]);
        assert_eq!((utterance.encoding(), utterance.sample_rate_hz()), (Encoding::Ulaw, 8_000));
    }
}
