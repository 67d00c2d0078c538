//! One utterance in synthesis: its words on their way to whoever makes audio of them, and the audio on its way back.

use super::overflow::Overflow;
use crate::phrases::Phrase;
use crate::service::{TtsCommand, TtsSession};
use base::UtteranceId;
use engine::io::{Input, SynthesisInput};
use media::{PlayoutBuffer, Resampler, samples_to_ms};
use providers::tts::TtsEvent;
use std::collections::VecDeque;
use tokio::sync::mpsc::{Receiver, error::TrySendError};

/// Its audio comes from the cache first, as long as the cache has the words; from then on from one session.
pub(super) struct Voice {
    utterance: UtteranceId,
    rate_hz: u32,
    session: Option<Session>,
    /// Commands that nobody had room for yet.
    waiting: VecDeque<TtsCommand>,
    segments: Vec<Segment>,
    segments_done: usize,
    /// Bytes of text so far, all segments together.
    text_bytes: usize,
    /// (byte of all text, millisecond of the utterance), ascending.
    words: Vec<(usize, u64)>,
    /// Samples at the line's rate that came before the present session.
    samples_before: u64,
    /// Audio that playout had no room for yet; synthesis is held back while there is any.
    overflow: Overflow,
    has_audio: bool,
    has_failed: bool,
    /// All audio there will ever be was made.
    is_over: bool,
}

/// Somebody who makes audio.
struct Session {
    inner: TtsSession,
    resampler: Option<Resampler>,
    source_samples: u64,
    /// Where its text begins.
    first_byte: usize,
    /// It makes one segment, whose words it knows.
    is_render: bool,
}

struct Segment {
    number: u32,
    first_byte: usize,
    bytes: usize,
    end_ms: u64,
}

impl Voice {
    pub(super) fn new(utterance: UtteranceId, rate_hz: u32) -> Self {
        Self {
            utterance,
            rate_hz,
            session: None,
            waiting: VecDeque::new(),
            segments: Vec::new(),
            segments_done: 0,
            text_bytes: 0,
            words: Vec::new(),
            samples_before: 0,
            overflow: Overflow::default(),
            has_audio: false,
            has_failed: false,
            is_over: false,
        }
    }

    pub(super) fn utterance(&self) -> UtteranceId {
        self.utterance
    }

    pub(super) fn takes_phrases(&self) -> bool {
        self.session.is_none() && self.waiting.is_empty() && !self.is_over
    }

    pub(super) fn wants_session(&self) -> bool {
        self.session.is_none() && matches!(self.waiting.front(), Some(TtsCommand::Segment(_)))
    }

    pub(super) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    pub(super) fn has_open_segments(&self) -> bool {
        self.segments_done < self.segments.len()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    pub(super) fn wanted_events(&mut self) -> Option<&mut Receiver<TtsEvent>> {
        let session = self.session.as_mut().filter(|_| self.overflow.is_empty())?;
        Some(&mut session.inner.events)
    }

    /// One more segment whose audio is here. Says when it is the first audio.
    pub(super) fn take_phrase(&mut self, segment: u32, text: &str, phrase: &Phrase) -> Option<Input> {
        let (first_byte, from_ms) = (self.text_bytes, samples_to_ms(self.samples_before, self.rate_hz));
        self.add_segment(segment, text);
        self.words.extend(phrase.words.iter().map(|(byte, ms)| (first_byte + *byte as usize, from_ms + *ms)));
        self.overflow.share(&phrase.pcm);
        self.samples_before += phrase.pcm.len() as u64;
        self.note_audio()
    }

    /// One more segment.
    pub(super) fn take_text(&mut self, segment: u32, text: String) {
        self.add_segment(segment, &text);
        self.waiting.push_back(TtsCommand::Segment(text));
        self.push_waiting();
    }

    fn add_segment(&mut self, number: u32, text: &str) {
        self.segments.push(Segment { number, first_byte: self.text_bytes, bytes: text.len(), end_ms: 0 });
        self.text_bytes += text.len();
    }

    /// No more segments will come.
    pub(super) fn take_end(&mut self) {
        if self.session.is_none() && self.waiting.is_empty() {
            self.is_over = true;
        } else {
            self.waiting.push_back(TtsCommand::Flush);
            self.push_waiting();
        }
    }

    pub(super) fn attach(&mut self, session: TtsSession, is_render: bool) {
        let source_hz = session.sample_rate_hz;
        let resampler = (source_hz != self.rate_hz).then(|| Resampler::new(source_hz, self.rate_hz)).transpose();
        self.has_failed |= resampler.is_err();
        let first_byte = self.segments.get(self.segments_done).map_or(self.text_bytes, |segment| segment.first_byte);
        self.session = Some(Session {
            inner: session,
            resampler: resampler.unwrap_or_default(),
            source_samples: 0,
            first_byte,
            is_render,
        });
        self.push_waiting();
    }

    /// The session has made all its audio. After a render, what waits needs another session.
    pub(super) fn end_session(&mut self) {
        let total_ms = self.made_ms();
        let Some(mut session) = self.session.take() else { return };
        if let Some(resampler) = &mut session.resampler {
            resampler.flush(self.overflow.end());
        }
        if session.is_render {
            self.samples_before += session.source_samples;
            self.waiting.pop_front(); // Its own words.
            if let Some(TtsCommand::Flush) = self.waiting.front() {
                self.waiting.clear();
                self.is_over = true;
            }
            return;
        }
        self.waiting.clear();
        self.is_over = true;
        self.spread_open_segments(total_ms);
    }

    /// A render that failed before any audio of it was here is no failure: its words wait for a session of their own.
    pub(super) fn takes_render_back(&mut self) -> bool {
        let is_untouched = |session: &mut Session| session.is_render && session.source_samples == 0;
        let Some(session) = self.session.take_if(is_untouched) else { return false };
        self.words.retain(|(byte, _)| *byte < session.first_byte);
        true
    }

    pub(super) fn push_waiting(&mut self) {
        let Some(session) = self.session.as_ref().filter(|session| !session.is_render) else { return };
        while let Some(command) = self.waiting.pop_front() {
            match session.inner.commands.try_send(command) {
                Ok(()) => {}
                Err(TrySendError::Full(command)) => {
                    self.waiting.push_front(command);
                    return;
                }
                Err(TrySendError::Closed(_)) => return, // The events say why.
            }
        }
    }

    /// More audio. Says when it is the first.
    pub(super) fn take_audio(&mut self, pcm: &[i16]) -> Option<Input> {
        let session = self.session.as_mut()?;
        session.source_samples += pcm.len() as u64;
        match &mut session.resampler {
            Some(resampler) => resampler.process(pcm, self.overflow.end()),
            None => self.overflow.end().extend_from_slice(pcm),
        }
        self.note_audio()
    }

    fn note_audio(&mut self) -> Option<Input> {
        let is_first = !std::mem::replace(&mut self.has_audio, true);
        is_first.then(|| self.input(SynthesisInput::FirstAudio))
    }

    fn input(&self, event: SynthesisInput) -> Input {
        Input::Synthesis { utterance: self.utterance, event }
    }

    /// Audio made so far, in milliseconds of the utterance.
    fn made_ms(&self) -> u64 {
        let of_session = self
            .session
            .as_ref()
            .map_or(0, |session| samples_to_ms(session.source_samples, session.inner.sample_rate_hz));
        samples_to_ms(self.samples_before, self.rate_hz) + of_session
    }

    /// Words begin: kept for the ends of segments, and told at once, since an interruption does not wait for an end.
    pub(super) fn words_begin(&mut self, starts: &[(usize, u64)]) -> Vec<Input> {
        let first_byte = self.session.as_ref().map_or(0, |session| session.first_byte);
        let from_ms = samples_to_ms(self.samples_before, self.rate_hz);
        let starts: Vec<_> = starts.iter().map(|(byte, ms)| (first_byte + byte, from_ms + ms)).collect();
        let open = &self.segments[self.segments_done..];
        let told = open.iter().filter_map(|segment| {
            let words = segment.words_in(&starts);
            (!words.is_empty()).then(|| self.input(SynthesisInput::Words { segment: segment.number, words }))
        });
        let told = told.collect();
        self.words.extend(&starts);
        told
    }

    /// A provider that says nothing about segments leaves their ends to word times, or to their share of the text.
    fn spread_open_segments(&mut self, total_ms: u64) {
        let open = self.segments_done;
        let from_ms = open.checked_sub(1).map_or(0, |last| self.segments[last].end_ms);
        let first_byte = self.segments.get(open).map_or(0, |segment| segment.first_byte);
        let bytes = (self.text_bytes - first_byte).max(1) as u64;
        for segment in &mut self.segments[open..] {
            let end_byte = segment.first_byte + segment.bytes;
            let next_word = self.words.iter().find(|(byte, _)| *byte >= end_byte).map(|(_, ms)| *ms);
            let share = from_ms + (total_ms - from_ms.min(total_ms)) * (end_byte - first_byte) as u64 / bytes;
            segment.end_ms = next_word.unwrap_or(share).min(total_ms).max(1);
        }
        if let Some(last) = self.segments[open..].last_mut() {
            last.end_ms = total_ms;
        }
    }
}

impl Segment {
    /// The words among these that are its own: (byte of its text, millisecond of the utterance).
    fn words_in(&self, starts: &[(usize, u64)]) -> Vec<(u32, u64)> {
        let own = self.first_byte..self.first_byte + self.bytes;
        let words = starts.iter().filter(|(byte, _)| own.contains(byte));
        words.map(|(byte, ms)| ((byte - self.first_byte) as u32, *ms)).collect()
    }
}

/// What playout and synthesis do together.
pub(super) trait Feed {
    /// Takes what it has room for.
    fn push_overflow(&mut self, voice: &mut Voice);
    /// All audio of the next segment was made.
    fn close_segment(&mut self, voice: &mut Voice) -> Option<Input>;
    /// Ends with the last audio there will ever be.
    fn finish_when_empty(&mut self, voice: &mut Voice);
}

impl Feed for PlayoutBuffer {
    fn push_overflow(&mut self, voice: &mut Voice) {
        if self.utterance() == Some(voice.utterance) {
            voice.overflow.pour(|pcm| self.push(pcm));
        }
    }

    fn close_segment(&mut self, voice: &mut Voice) -> Option<Input> {
        let made_ms = voice.made_ms();
        let segment = voice.segments.get_mut(voice.segments_done)?;
        if segment.end_ms == 0 {
            // The last piece of audio may hold the beginning of the next segment.
            let end = segment.first_byte + segment.bytes;
            let next = voice.words.iter().find(|(byte, _)| *byte >= end).map(|(_, ms)| *ms);
            segment.end_ms = next.unwrap_or(made_ms).min(made_ms);
        }
        let (number, end_ms, words) = (segment.number, segment.end_ms, segment.words_in(&voice.words));
        voice.segments_done += 1;
        if voice.overflow.is_empty() {
            self.mark_segment_end(number);
        }
        Some(voice.input(SynthesisInput::SegmentDone { segment: number, end_ms, words }))
    }

    fn finish_when_empty(&mut self, voice: &mut Voice) {
        if voice.is_over && voice.overflow.is_empty() && self.utterance() == Some(voice.utterance) {
            self.no_more();
        }
    }
}
