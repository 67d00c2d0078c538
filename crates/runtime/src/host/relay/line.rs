//! What a platform was given to speak, and how far it has come: by the usual pace of words until it says so itself. It speaks in
//! the order in which it is given sentences and takes none of them back, so it is given little ahead.

use super::words::{Spoken, spoken_ms, word_starts};
use base::{CallTime, Millis, UtteranceId};
use engine::io::{Input, SynthesisInput};
use std::collections::VecDeque;

/// From a sentence to its first sound, where nothing is being spoken.
const FIRST_SOUND_MS: u64 = 300;
/// The platform is given the next sentence when so much of what it has is left.
const AHEAD_MS: u64 = 2_500;
/// How often it is told how far the voice has come.
const TELL_EVERY_MS: u64 = 200;
/// A platform that says when it falls silent is waited for so long beyond the usual pace.
const LATE_MS_MAX: u64 = 800;
/// An interruption is told within this of the silence that it causes.
pub(super) const CUT_OFF_MS_MAX: u64 = 300;
/// What was sent so shortly before cannot have been heard: before a silence, and before the answer to it.
const UNHEARD_MS: u64 = 300;
const UNANSWERED_MS: u64 = 700;
/// Sentences among which the words of an interruption are sought.
const SENTENCES_MAX: usize = 64;

/// What is sent to the platform.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) is_last: bool,
    pub(super) is_interruptible: bool,
}

/// One utterance that is not over.
#[derive(Debug)]
struct Track {
    utterance: UtteranceId,
    made_ms: u64,
    played_ms: u64,
    told_ms: u64,
    has_end: bool,
}

/// One sentence.
#[derive(Clone, Debug)]
struct Piece {
    utterance: UtteranceId,
    segment: u32,
    text: String,
    /// Where it begins, in milliseconds of its utterance, and how long it is.
    from_ms: u64,
    ms: u64,
    is_interruptible: bool,
    sent_at: CallTime,
}

#[derive(Debug, Default)]
pub(super) struct Line {
    tracks: Vec<Track>,
    held: Option<UtteranceId>,
    waiting: VecDeque<Piece>,
    /// With the platform, the one that is being spoken first.
    sent: VecDeque<Piece>,
    /// When the first sound of that one was, or will be.
    began_at: CallTime,
    told_at: CallTime,
    /// Sentences since the platform was last told that nothing follows.
    said: VecDeque<Piece>,
    /// Whose words are to follow those that were sent.
    is_open: Option<UtteranceId>,
    /// The platform says when it speaks.
    has_reports: bool,
    /// When it said that it fell silent.
    silent_at: Option<CallTime>,
}

impl Line {
    fn track(&mut self, utterance: UtteranceId) -> Option<&mut Track> {
        self.tracks.iter_mut().find(|track| track.utterance == utterance)
    }

    /// One more sentence of an utterance.
    pub(super) fn speak(&mut self, utterance: UtteranceId, segment: u32, text: &str, may_cut: bool) -> Vec<Input> {
        let is_new = self.track(utterance).is_none();
        let piece = self.piece(utterance, segment, text, may_cut);
        let mut inputs = Vec::from_iter(is_new.then(|| synthesis(utterance, SynthesisInput::FirstAudio)));
        inputs.push(made(&piece));
        self.waiting.push_back(piece);
        inputs
    }

    /// A line that goes before everything that the platform was not given yet.
    pub(super) fn interlude(&mut self, utterance: UtteranceId, text: &str, may_cut: bool) -> Input {
        let piece = self.piece(utterance, 0, text, may_cut);
        self.end(utterance);
        let made = made(&piece);
        self.waiting.push_front(piece);
        made
    }

    fn piece(&mut self, utterance: UtteranceId, segment: u32, text: &str, is_interruptible: bool) -> Piece {
        if self.track(utterance).is_none() {
            self.tracks.push(Track { utterance, made_ms: 0, played_ms: 0, told_ms: 0, has_end: false });
        }
        let ms = spoken_ms(text).max(1);
        let from_ms = self.track(utterance).map_or(0, |track| {
            track.made_ms += ms;
            track.made_ms - ms
        });
        let text = text.to_owned();
        Piece { utterance, segment, text, from_ms, ms, is_interruptible, sent_at: CallTime(0) }
    }

    /// No more sentences of it will come.
    pub(super) fn end(&mut self, utterance: UtteranceId) {
        if let Some(track) = self.track(utterance) {
            track.has_end = true;
        }
    }

    /// Nothing of this utterance may be heard before it is released.
    pub(super) fn hold(&mut self, utterance: UtteranceId) {
        self.held = Some(utterance);
    }

    pub(super) fn release(&mut self, utterance: UtteranceId) {
        self.held.take_if(|held| *held == utterance);
    }

    /// Ends an utterance. What the platform was given of it is spoken all the same, and nobody asks how far.
    pub(super) fn stop(&mut self, utterance: UtteranceId) {
        self.release(utterance);
        self.tracks.retain(|track| track.utterance != utterance);
        self.waiting.retain(|piece| piece.utterance != utterance);
    }

    /// Whether the platform speaks, or is about to.
    pub(super) fn is_speaking(&self) -> bool {
        !self.sent.is_empty()
    }

    /// When what was sent is over.
    fn ends_at(&self) -> CallTime {
        self.began_at + Millis(self.sent.iter().map(|piece| piece.ms).sum())
    }

    /// What the platform is given now.
    pub(super) fn tokens(&mut self, now: CallTime) -> Vec<Token> {
        let mut tokens = Vec::new();
        while let Some(at) = self.waiting.iter().position(|piece| self.held != Some(piece.utterance)) {
            if self.is_speaking() && self.ends_at() > now + Millis(AHEAD_MS) {
                break;
            }
            let Some(mut piece) = self.waiting.remove(at) else { break };
            piece.sent_at = now;
            if !self.is_speaking() {
                (self.began_at, self.told_at, self.silent_at) = (now + Millis(FIRST_SOUND_MS), now, None);
                if self.is_open.is_none() {
                    self.said.clear();
                }
            }
            let utterance = piece.utterance;
            let is_last = self.is_whole(utterance);
            self.is_open = (!is_last).then_some(utterance);
            // Words of two tokens are not to become one.
            let text = if is_last { piece.text.clone() } else { format!("{} ", piece.text) };
            tokens.push(Token { text, is_last, is_interruptible: piece.is_interruptible });
            if self.said.len() == SENTENCES_MAX {
                self.said.pop_front();
            }
            self.said.push_back(piece.clone());
            self.sent.push_back(piece);
        }
        if self.is_open.is_some_and(|open| self.is_whole(open)) {
            self.is_open = None;
            tokens.push(Token { text: String::new(), is_last: true, is_interruptible: true });
        }
        tokens
    }

    /// Whether all there will be of an utterance was sent.
    fn is_whole(&self, utterance: UtteranceId) -> bool {
        let track = self.tracks.iter().find(|track| track.utterance == utterance);
        track.is_none_or(|track| track.has_end) && !self.waiting.iter().any(|piece| piece.utterance == utterance)
    }

    /// When there is something to send or to tell; `None` while there is nothing to say.
    pub(super) fn next_at(&self) -> Option<CallTime> {
        let waits = self.waiting.iter().any(|piece| self.held != Some(piece.utterance));
        if !self.is_speaking() {
            return waits.then_some(self.told_at);
        }
        let send_at = waits.then(|| self.ends_at() - Millis(AHEAD_MS));
        let silent = self.silent_at.map(|at| at + Millis(CUT_OFF_MS_MAX));
        [Some(self.told_at + Millis(TELL_EVERY_MS)), send_at, silent].into_iter().flatten().min()
    }

    /// How far the voice has come by now.
    pub(super) fn progress(&mut self, now: CallTime) -> Vec<Input> {
        if let Some(at) = self.silent_at.take_if(|at| now >= *at + Millis(CUT_OFF_MS_MAX)) {
            self.settle(at, UNHEARD_MS);
        }
        while let Some(piece) = self.sent.front() {
            let late_ms = if self.has_reports && self.sent.len() == 1 { LATE_MS_MAX } else { 0 };
            let ms = now.since(self.began_at).0;
            if ms < piece.ms + late_ms {
                let (utterance, played_ms) = (piece.utterance, piece.from_ms + ms.min(piece.ms - 1));
                self.played(utterance, played_ms);
                break;
            }
            self.began_at += Millis(piece.ms);
            self.front_is_over();
        }
        self.tell(now)
    }

    fn played(&mut self, utterance: UtteranceId, played_ms: u64) {
        if let Some(track) = self.track(utterance) {
            track.played_ms = track.played_ms.max(played_ms);
        }
    }

    fn front_is_over(&mut self) {
        if let Some(piece) = self.sent.pop_front() {
            self.played(piece.utterance, piece.from_ms + piece.ms);
        }
    }

    fn tell(&mut self, now: CallTime) -> Vec<Input> {
        let is_due = now >= self.told_at + Millis(TELL_EVERY_MS);
        if is_due {
            self.told_at = now;
        }
        let (sent, waiting, held) = (&self.sent, &self.waiting, self.held);
        let mut inputs = Vec::new();
        self.tracks.retain_mut(|track| {
            let utterance = track.utterance;
            let has_more = sent.iter().chain(waiting).any(|piece| piece.utterance == utterance);
            let finished = track.has_end && !has_more && held != Some(utterance);
            if finished || is_due && track.played_ms > track.told_ms {
                track.told_ms = track.played_ms;
                inputs.push(Input::Playout { utterance, played_ms: track.played_ms, finished });
            }
            !finished
        });
        inputs
    }

    /// Everything was heard that was sent more than `unheard_ms` before `at`.
    fn settle(&mut self, at: CallTime, unheard_ms: u64) {
        if at < self.began_at {
            return; // Not a sound of it.
        }
        while self.sent.front().is_some_and(|piece| piece.sent_at + Millis(unheard_ms) <= at) {
            self.front_is_over();
            self.began_at = at;
        }
    }

    /// The caller has said something to what was heard: a platform that is interrupted says so before it gives the words.
    pub(super) fn answered(&mut self, now: CallTime) -> Vec<Input> {
        self.silent_at = None;
        self.settle(now, UNANSWERED_MS);
        self.tell(now)
    }

    /// The caller pressed a key: a platform that had fallen silent before was not interrupted by it.
    pub(super) fn key_pressed(&mut self, now: CallTime) -> Vec<Input> {
        match self.silent_at.take() {
            Some(at) => {
                self.settle(at, UNHEARD_MS);
                self.tell(now)
            }
            None => Vec::new(),
        }
    }

    /// The platform begins to speak, or has fallen silent.
    pub(super) fn reported(&mut self, now: CallTime, is_speaking: bool) {
        self.has_reports = true;
        self.silent_at = (!is_speaking && self.is_speaking()).then_some(now);
        let is_first = self.sent.front().is_some_and(|piece| piece.from_ms == 0);
        if is_speaking && (now < self.began_at || is_first) {
            self.began_at = now;
        }
    }

    /// The platform has spoken these words of what it has.
    pub(super) fn spoken(&mut self, now: CallTime, text: &str) {
        let spoken = Spoken::of(text);
        let mut known = 0;
        while let Some(piece) = self.sent.front() {
            let (words, bytes) = spoken.follow(known, &piece.text);
            known += words;
            if words == 0 {
                return;
            }
            let spoken_ms = spoken_ms(&piece.text[..bytes]).min(piece.ms);
            let is_over = is_unspoken(&piece.text[bytes..]) && self.sent.len() > 1;
            if !is_over {
                self.began_at = self.began_at.min(now - Millis(spoken_ms));
                return;
            }
            self.front_is_over();
            self.began_at = now;
        }
    }

    /// The platform fell silent behind these words, and speaks nothing more of what it has.
    pub(super) fn cut_off(&mut self, now: CallTime, heard: &str) -> Vec<Input> {
        self.silent_at = None;
        let Some((at, bytes)) = self.locate(now, heard) else { return Vec::new() };
        let cut = self.said[at].clone();
        // What stands before it was heard.
        while self.sent.front().is_some_and(|piece| (piece.utterance, piece.segment) != (cut.utterance, cut.segment)) {
            let before = self.sent.front().is_some_and(|piece| self.place(piece).is_some_and(|place| place < at));
            if !before {
                break;
            }
            self.front_is_over();
        }
        let unspoken = std::mem::take(&mut self.sent);
        let is_live = |id: UtteranceId| self.tracks.iter().any(|track| track.utterance == id);
        let target = if is_live(cut.utterance) {
            Some((cut.utterance, cut.segment, bytes))
        } else {
            // It was taken for over; of what follows nothing was heard.
            unspoken.iter().find(|piece| is_live(piece.utterance)).map(|piece| (piece.utterance, piece.segment, 0))
        };
        self.said.clear();
        self.is_open = None;
        let Some((utterance, segment, bytes)) = target else { return Vec::new() };
        let mut inputs = self.tell_finished(utterance, &unspoken);
        self.tracks.retain(|track| track.utterance != utterance);
        self.waiting.retain(|piece| piece.utterance != utterance);
        let heard_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        inputs.push(synthesis(utterance, SynthesisInput::CutOff { segment, heard_bytes }));
        inputs
    }

    /// Utterances that were over when another was cut off.
    fn tell_finished(&mut self, cut: UtteranceId, unspoken: &VecDeque<Piece>) -> Vec<Input> {
        let (waiting, held) = (&self.waiting, self.held);
        let mut inputs = Vec::new();
        self.tracks.retain(|track| {
            let utterance = track.utterance;
            let has_more = unspoken.iter().chain(waiting).any(|piece| piece.utterance == utterance);
            let is_over = track.has_end && !has_more && utterance != cut && held != Some(utterance);
            if is_over {
                inputs.push(Input::Playout { utterance, played_ms: track.played_ms, finished: true });
            }
            !is_over
        });
        inputs
    }

    fn place(&self, piece: &Piece) -> Option<usize> {
        self.said.iter().position(|said| (said.utterance, said.segment) == (piece.utterance, piece.segment))
    }

    /// The sentence behind whose beginning the voice fell silent, and the bytes of it that were heard.
    fn locate(&self, now: CallTime, heard: &str) -> Option<(usize, usize)> {
        let spoken = Spoken::of(heard);
        let first = self.sent.front().and_then(|piece| self.place(piece));
        if spoken.is_empty() {
            return first.map(|at| (at, 0));
        }
        // Of those that hold as many of the words the first: they are told from the beginning of what was given.
        let starts = (0..self.said.len()).rev();
        let found = starts.map(|from| self.follow(&spoken, from)).max_by_key(|(words, ..)| *words);
        match found {
            Some((words, at, bytes)) if 2 * words >= spoken.len() => Some((at, bytes)),
            // Other words than ours: what time says.
            _ => {
                let (at, piece) = first.zip(self.sent.front())?;
                let ms = now.since(self.began_at).0;
                let begun = word_starts(&piece.text).into_iter().rev().find(|(_, begins_ms)| *begins_ms <= ms);
                Some((at, begun.map_or(0, |(byte, _)| byte)))
            }
        }
    }

    /// Follows words through the sentences from this one on: how many are there, and where they end.
    fn follow(&self, spoken: &Spoken, from: usize) -> (usize, usize, usize) {
        let (mut known, mut place) = (0, (from, 0));
        for at in from..self.said.len() {
            let text = &self.said[at].text;
            let (words, bytes) = spoken.follow(known, text);
            known += words;
            let is_whole = is_unspoken(&text[bytes..]);
            let bytes = if is_whole { text.len() } else { bytes };
            if words > 0 {
                place = (at, bytes);
            }
            if words == 0 || !is_whole || known == spoken.len() {
                break;
            }
        }
        (known, place.0, place.1)
    }
}

/// Nothing but signs that nobody hears.
fn is_unspoken(text: &str) -> bool {
    text.chars().all(|c| !c.is_alphanumeric())
}

fn synthesis(utterance: UtteranceId, event: SynthesisInput) -> Input {
    Input::Synthesis { utterance, event }
}

fn made(piece: &Piece) -> Input {
    let words = word_starts(&piece.text).into_iter();
    let words = words.map(|(byte, ms)| (u32::try_from(byte).unwrap_or(u32::MAX), piece.from_ms + ms)).collect();
    let event = SynthesisInput::SegmentDone { segment: piece.segment, end_ms: piece.from_ms + piece.ms, words };
    synthesis(piece.utterance, event)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: UtteranceId = UtteranceId(7);
    const FILLER: UtteranceId = UtteranceId(8);

    fn said(line: &mut Line, texts: &[&str]) {
        for (segment, text) in (0..).zip(texts) {
            line.speak(ANSWER, segment, text, true);
        }
        line.end(ANSWER);
    }

    fn texts(tokens: &[Token]) -> Vec<(&str, bool)> {
        tokens.iter().map(|token| (token.text.as_str(), token.is_last)).collect()
    }

    fn cut_off(utterance: UtteranceId, segment: u32, heard_bytes: usize) -> Input {
        synthesis(utterance, SynthesisInput::CutOff { segment, heard_bytes: heard_bytes as u32 })
    }

    /// What was told of how far the voice has come, until nothing is left.
    fn played(line: &mut Line, from: CallTime) -> Vec<(u64, bool)> {
        let mut told = Vec::new();
        let mut now = from;
        while let Some(at) = line.next_at() {
            now = at.max(now);
            told.extend(line.progress(now).into_iter().map(|input| match input {
                Input::Playout { utterance: ANSWER, played_ms, finished } => (played_ms, finished),
                other => panic!("{other:?}"),
            }));
            line.tokens(now);
        }
        told
    }

    #[test]
    fn sentences_go_out_a_little_ahead_and_the_last_one_says_so() {
        let mut line = Line::default();
        let long = "We open at nine in the morning on every day of the week.";
        said(&mut line, &[long, long, "See you."]);
        let sent = line.tokens(CallTime(1_000));
        assert_eq!(texts(&sent), [(format!("{long} ").as_str(), false)], "one sentence is more than enough for now");
        assert_eq!(line.next_at(), Some(CallTime(1_200)), "it is told how far the voice has come");
        let told = played(&mut line, CallTime(1_000));
        let end_ms = 2 * spoken_ms(long) + spoken_ms("See you.");
        assert_eq!(told.last(), Some(&(end_ms, true)));
        assert!(told.is_sorted() && told.windows(2).all(|two| two[1].0 - two[0].0 <= 2 * TELL_EVERY_MS), "{told:?}");
        assert!(told[..told.len() - 1].iter().all(|(_, finished)| !finished));
    }

    #[test]
    fn an_utterance_whose_end_comes_later_is_closed_by_itself() {
        let mut line = Line::default();
        line.speak(ANSWER, 0, "We open at nine.", false);
        let sent = line.tokens(CallTime(0));
        assert_eq!(sent, [Token { text: "We open at nine. ".into(), is_last: false, is_interruptible: false }]);
        line.end(ANSWER);
        assert_eq!(texts(&line.tokens(CallTime(100))), [("", true)]);
        assert_eq!(line.tokens(CallTime(200)), []);
    }

    #[test]
    fn what_is_held_is_not_sent_and_a_filler_goes_before_what_waits() {
        let mut line = Line::default();
        line.hold(ANSWER);
        said(&mut line, &["We open at nine."]);
        assert_eq!((line.tokens(CallTime(0)), line.next_at()), (vec![], None));
        line.interlude(FILLER, "One moment.", true);
        assert_eq!(texts(&line.tokens(CallTime(10))), [("One moment.", true)]);
        line.release(ANSWER);
        assert_eq!(texts(&line.tokens(CallTime(20))), [("We open at nine.", true)]);
        line.stop(ANSWER);
        assert_eq!(line.progress(CallTime(60_000)).len(), 1, "of what was stopped nothing is told");
    }

    #[test]
    fn an_interruption_is_where_the_platform_says_whatever_time_says() {
        let texts = ["We open at nine.", "On Sundays – and holidays – we are closed.", "Goodbye."];
        let cut = |heard: &str, at_ms| {
            let mut line = Line::default();
            said(&mut line, &texts);
            line.tokens(CallTime(0));
            line.progress(CallTime(at_ms));
            let told = line.cut_off(CallTime(at_ms), heard);
            assert_eq!((line.next_at(), line.is_speaking()), (None, false), "nothing of it is left");
            told
        };
        let at = |segment, words: &str| [cut_off(ANSWER, segment, words.len())];
        assert_eq!(cut("We open", 900), at(0, "We open"));
        assert_eq!(
            cut("We open at ni", 3_000),
            at(0, "We open at"),
            "a word that was only begun, and later than it was"
        );
        assert_eq!(cut("We open at nine. On Sundays and", 400), at(1, "On Sundays – and"), "sooner than it was");
        assert_eq!(cut("We open at nine.", 900), at(0, "We open at nine."));
        assert_eq!(cut("On Sundays", 1_900), at(1, "On Sundays"), "told from the sentence on");
        assert_eq!(cut("", 100), at(0, ""));
        // Words that are nobody's: by time.
        assert_eq!(cut("xyzzy plugh", 1_000), at(0, "We open "));
    }

    #[test]
    fn a_filler_that_was_heard_before_the_answer_was_cut_off_is_over() {
        let mut line = Line::default();
        line.interlude(FILLER, "One moment.", true);
        line.tokens(CallTime(0));
        said(&mut line, &["We open at nine.", "See you."]);
        line.tokens(CallTime(100));
        let told = line.cut_off(CallTime(900), "We open");
        let over = Input::Playout { utterance: FILLER, played_ms: spoken_ms("One moment."), finished: true };
        assert_eq!(told, [over, cut_off(ANSWER, 0, 7)]);
    }

    #[test]
    fn what_was_taken_for_over_is_not_cut_and_what_follows_was_not_heard() {
        let mut line = Line::default();
        line.interlude(FILLER, "One moment.", true);
        line.tokens(CallTime(0));
        said(&mut line, &["We open at nine."]);
        line.tokens(CallTime(100));
        assert_eq!(line.progress(CallTime(1_500)).len(), 2, "the filler is over, the answer has begun");
        assert_eq!(line.cut_off(CallTime(1_600), "One"), [cut_off(ANSWER, 0, 0)]);
        assert_eq!(line.cut_off(CallTime(1_700), "One"), [], "there is nothing left to cut off");
    }

    #[test]
    fn a_platform_that_says_when_it_is_silent_is_believed() {
        let mut line = Line::default();
        said(&mut line, &["We open at nine."]);
        line.tokens(CallTime(0));
        line.reported(CallTime(150), true);
        line.reported(CallTime(800), false);
        assert!(
            line.progress(CallTime(900)).iter().all(|input| !matches!(input, Input::Playout { finished: true, .. }))
        );
        let whole = Input::Playout { utterance: ANSWER, played_ms: spoken_ms("We open at nine."), finished: true };
        assert_eq!(
            line.progress(CallTime(800 + CUT_OFF_MS_MAX)),
            [whole],
            "an interruption would have been told by now"
        );
    }

    #[test]
    fn a_platform_that_is_slower_than_usual_is_waited_for() {
        let mut line = Line::default();
        said(&mut line, &["We open at nine."]);
        line.tokens(CallTime(0));
        line.reported(CallTime(300), true);
        let late = CallTime(300 + spoken_ms("We open at nine.") + LATE_MS_MAX);
        assert!(
            !line.progress(late - Millis(1)).iter().any(|one| matches!(one, Input::Playout { finished: true, .. }))
        );
        assert!(line.progress(late).iter().any(|one| matches!(one, Input::Playout { finished: true, .. })));
    }

    #[test]
    fn whoever_answers_has_heard_what_there_was() {
        let mut line = Line::default();
        said(&mut line, &["We open at nine.", "When will you come?"]);
        line.tokens(CallTime(0));
        let told = line.answered(CallTime(1_500));
        assert!(matches!(told[..], [Input::Playout { finished: true, .. }]), "{told:?}");
        line.speak(FILLER, 0, "Fine.", true);
        line.tokens(CallTime(2_000));
        assert_eq!(line.answered(CallTime(2_200)), [], "what was sent a moment ago was not heard yet");
    }

    #[test]
    fn words_that_were_spoken_move_the_voice_on() {
        let mut line = Line::default();
        said(&mut line, &["We open at nine.", "When will you come?"]);
        line.tokens(CallTime(0));
        line.spoken(CallTime(600), "We open at nine. ");
        assert_eq!(line.began_at, CallTime(600));
        line.spoken(CallTime(900), "When will");
        assert_eq!(line.began_at, CallTime(900 - spoken_ms("When will")).max(CallTime(270)));
        line.spoken(CallTime(950), "something else");
        assert_eq!(line.sent.len(), 1);
    }
}
