//! The agent's voice on its way out: text into synthesis, audio through resampling and playout to the carrier, marks back
//! as proof of what was heard.

use crate::service::{TtsCommand, TtsSession};
use base::{CallTime, ErrorClass, MarkId, UtteranceId, limits};
use engine::io::{Input, SynthesisInput};
use media::playout::Pulled;
use media::{Pacer, PlayoutBuffer, Resampler, samples_to_ms};
use providers::tts::TtsEvent;
use std::collections::VecDeque;
use tokio::sync::mpsc::{Receiver, error::TrySendError};

/// A mark goes out after this much audio: the exactness of "what was heard".
const MARK_EVERY_FRAMES: u32 = 5;

/// What is handed to the carrier.
pub(super) enum Step<'a> {
    /// One frame of audio.
    Frame(&'a [i16]),
    /// A mark; the receiver answers with the id it sent.
    Mark,
}

pub(super) struct Mouth {
    rate_hz: u32,
    playout: PlayoutBuffer,
    pacer: Pacer,
    frame: Vec<i16>,
    frames_since_mark: u32,
    voice: Option<Voice>,
}

/// One utterance in synthesis.
struct Voice {
    utterance: UtteranceId,
    session: Option<TtsSession>,
    resampler: Option<Resampler>,
    source_hz: u32,
    /// Commands that the session had no room for yet.
    waiting: VecDeque<TtsCommand>,
    segments: Vec<Segment>,
    segments_done: usize,
    /// Bytes of text pushed so far, all segments together.
    text_bytes: usize,
    /// (byte of all text, millisecond of the utterance), ascending.
    words: Vec<(usize, u64)>,
    source_samples: u64,
    /// Audio that playout had no room for yet; synthesis is held back while there is any.
    held: Vec<i16>,
    has_audio: bool,
    failed: bool,
}

struct Segment {
    number: u32,
    first_byte: usize,
    bytes: usize,
    end_ms: u64,
}

impl Mouth {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            playout: PlayoutBuffer::new(rate_hz),
            pacer: Pacer::default(),
            frame: vec![0; (u64::from(rate_hz) * limits::FRAME_MS / 1000) as usize],
            frames_since_mark: 0,
            voice: None,
        }
    }

    /// Samples per second towards the carrier.
    pub(super) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// The utterance being spoken.
    pub(super) fn utterance(&self) -> Option<UtteranceId> {
        self.playout.utterance()
    }

    /// Begins an utterance; what was left of another is gone.
    pub(super) fn begin(&mut self, utterance: UtteranceId, session: TtsSession) {
        self.playout.open(utterance);
        let source_hz = session.sample_rate_hz;
        let resampler = (source_hz != self.rate_hz).then(|| Resampler::new(source_hz, self.rate_hz)).transpose();
        let failed = resampler.is_err();
        self.voice = Some(Voice {
            utterance,
            session: Some(session),
            resampler: resampler.unwrap_or_default(),
            source_hz,
            waiting: VecDeque::new(),
            segments: Vec::new(),
            segments_done: 0,
            text_bytes: 0,
            words: Vec::new(),
            source_samples: 0,
            held: Vec::new(),
            has_audio: false,
            failed,
        });
    }

    pub(super) fn say(&mut self, segment: u32, text: String) {
        let Some(voice) = &mut self.voice else { return };
        let segment = Segment { number: segment, first_byte: voice.text_bytes, bytes: text.len(), end_ms: 0 };
        voice.text_bytes += text.len();
        voice.segments.push(segment);
        voice.waiting.push_back(TtsCommand::Segment(text));
        voice.push_waiting();
    }

    pub(super) fn no_more_text(&mut self) {
        if let Some(voice) = &mut self.voice {
            voice.waiting.push_back(TtsCommand::Flush);
            voice.push_waiting();
        }
    }

    /// Falls silent at once. `false` when there was nothing to stop.
    pub(super) fn stop(&mut self, now: CallTime) -> bool {
        self.voice = None;
        self.pacer.cleared(now.0);
        self.playout.stop().is_some()
    }

    pub(super) fn duck(&mut self, down: bool) {
        if down { self.playout.duck() } else { self.playout.unduck() }
    }

    /// When frames must be handed over next; `None` while there is nothing to say.
    pub(super) fn next_frame_at(&self, now: CallTime) -> Option<CallTime> {
        self.playout.is_ready(self.frame.len()).then(|| CallTime(self.pacer.next_due_ms(now.0)))
    }

    /// Underruns so far.
    pub(super) fn underruns(&self) -> u64 {
        self.pacer.stats().underruns
    }

    /// The synthesis events to wait for; `None` holds synthesis back.
    pub(super) fn wanted_events(&mut self) -> Option<&mut Receiver<TtsEvent>> {
        let voice = self.voice.as_mut().filter(|voice| voice.held.is_empty())?;
        voice.session.as_mut().map(|session| &mut session.events)
    }

    /// Takes a synthesis event (`None`: the session ended). Answers what the engine must know.
    pub(super) fn on_tts(&mut self, event: Option<TtsEvent>) -> Vec<Input> {
        let Some(voice) = &mut self.voice else { return Vec::new() };
        voice.push_waiting();
        let mut inputs = Vec::new();
        match event {
            Some(TtsEvent::Started | TtsEvent::Usage { .. }) => {}
            Some(TtsEvent::Words { starts }) => inputs.extend(voice.words_begin(&starts)),
            Some(TtsEvent::Audio { pcm }) => {
                if !std::mem::replace(&mut voice.has_audio, true) {
                    inputs.push(voice.input(SynthesisInput::FirstAudio));
                }
                voice.take_audio(&pcm);
                self.playout.push_held(voice);
            }
            Some(TtsEvent::SegmentDone) => inputs.extend(self.playout.close_segment(voice)),
            Some(TtsEvent::Done) => {
                voice.session = None;
                voice.end_audio();
                self.playout.push_held(voice);
                voice.spread_open_segments();
                while voice.segments_done < voice.segments.len() {
                    inputs.extend(self.playout.close_segment(voice));
                }
                self.playout.finish_when_empty(voice);
            }
            Some(TtsEvent::Failed(failure)) => return vec![self.fail(failure.class)],
            None if voice.session.is_some() => return vec![self.fail(ErrorClass::Protocol)],
            None => {}
        }
        if std::mem::take(&mut voice.failed) {
            return vec![self.fail(ErrorClass::Internal)];
        }
        inputs
    }

    /// What is buffered is still played; the engine decides whether it says the rest again.
    fn fail(&mut self, class: ErrorClass) -> Input {
        self.playout.no_more();
        let utterance = self.voice.take().map_or(UtteranceId(0), |voice| voice.utterance);
        Input::Synthesis { utterance, event: SynthesisInput::Failed { class } }
    }

    /// Hands over the frames that are due now.
    pub(super) fn play_due(&mut self, now: CallTime, mut step: impl FnMut(Step<'_>) -> Option<MarkId>) {
        let mut sent = 0;
        let due = self.pacer.due(now.0);
        let mut finished = false;
        while sent < due && !finished && self.playout.is_ready(self.frame.len()) {
            let Pulled::Audio { finished: last, .. } = self.playout.pull(&mut self.frame) else { break };
            finished = last;
            step(Step::Frame(&self.frame));
            sent += 1;
            self.frames_since_mark += 1;
            if (finished || self.frames_since_mark >= MARK_EVERY_FRAMES)
                && let Some(mark) = step(Step::Mark)
            {
                self.playout.mark_sent(mark);
                self.frames_since_mark = 0;
            }
        }
        self.pacer.sent(now.0, sent);
        if finished {
            self.pacer.pause();
        }
        if let Some(voice) = &mut self.voice {
            self.playout.push_held(voice);
            self.playout.finish_when_empty(voice);
        }
    }

    /// The carrier played everything before this mark.
    pub(super) fn on_mark(&mut self, mark: MarkId) -> Option<Input> {
        let played = self.playout.played(mark)?;
        Some(Input::Playout { utterance: played.utterance, played_ms: played.played_ms, finished: played.finished })
    }
}

/// What playout and synthesis do together.
trait Feed {
    fn push_held(&mut self, voice: &mut Voice);
    fn close_segment(&mut self, voice: &mut Voice) -> Option<Input>;
    fn finish_when_empty(&mut self, voice: &mut Voice);
}

impl Feed for PlayoutBuffer {
    fn push_held(&mut self, voice: &mut Voice) {
        if self.utterance() == Some(voice.utterance) && !voice.held.is_empty() {
            let taken = self.push(&voice.held);
            voice.held.drain(..taken);
        }
    }

    fn close_segment(&mut self, voice: &mut Voice) -> Option<Input> {
        let heard_ms = samples_to_ms(voice.source_samples, voice.source_hz);
        let segment = voice.segments.get_mut(voice.segments_done)?;
        if segment.end_ms == 0 {
            // The last piece of audio may hold the beginning of the next segment.
            let end = segment.first_byte + segment.bytes;
            let next = voice.words.iter().find(|(byte, _)| *byte >= end).map(|(_, ms)| *ms);
            segment.end_ms = next.unwrap_or(heard_ms).min(heard_ms);
        }
        let (first, last) = (segment.first_byte, segment.first_byte + segment.bytes);
        let (number, end_ms) = (segment.number, segment.end_ms);
        voice.segments_done += 1;
        let words = voice.words.iter().filter(|(byte, _)| (first..last).contains(byte));
        let words = words.map(|(byte, ms)| ((byte - first) as u32, *ms)).collect();
        if voice.held.is_empty() {
            self.mark_segment_end(number);
        }
        Some(voice.input(SynthesisInput::SegmentDone { segment: number, end_ms, words }))
    }

    fn finish_when_empty(&mut self, voice: &mut Voice) {
        if voice.session.is_none() && voice.held.is_empty() && self.utterance() == Some(voice.utterance) {
            self.no_more();
        }
    }
}

impl Voice {
    fn input(&self, event: SynthesisInput) -> Input {
        Input::Synthesis { utterance: self.utterance, event }
    }

    /// Words begin: kept for the ends of segments, and told at once, since an interruption does not wait for an end.
    fn words_begin(&mut self, starts: &[(usize, u64)]) -> Vec<Input> {
        self.words.extend(starts);
        let open = &self.segments[self.segments_done..];
        let told = open.iter().filter_map(|segment| {
            let (first, last) = (segment.first_byte, segment.first_byte + segment.bytes);
            let words = starts.iter().filter(|(byte, _)| (first..last).contains(byte));
            let words: Vec<_> = words.map(|(byte, ms)| ((byte - first) as u32, *ms)).collect();
            (!words.is_empty()).then(|| self.input(SynthesisInput::Words { segment: segment.number, words }))
        });
        told.collect()
    }

    fn push_waiting(&mut self) {
        let Some(session) = &self.session else { return };
        while let Some(command) = self.waiting.pop_front() {
            match session.commands.try_send(command) {
                Ok(()) => {}
                Err(TrySendError::Full(command)) => {
                    self.waiting.push_front(command);
                    return;
                }
                Err(TrySendError::Closed(_)) => return, // The events say why.
            }
        }
    }

    fn take_audio(&mut self, pcm: &[i16]) {
        self.source_samples += pcm.len() as u64;
        match &mut self.resampler {
            Some(resampler) => resampler.process(pcm, &mut self.held),
            None => self.held.extend_from_slice(pcm),
        }
    }

    fn end_audio(&mut self) {
        if let Some(resampler) = &mut self.resampler {
            resampler.flush(&mut self.held);
        }
    }

    /// A provider that says nothing about segments leaves their ends to word times, or to their share of the text.
    fn spread_open_segments(&mut self) {
        let total_ms = samples_to_ms(self.source_samples, self.source_hz);
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
        if let Some(last) = self.segments.last_mut() {
            last.end_ms = total_ms;
        }
    }
}
