//! The agent's voice on its way out: text into synthesis, audio through resampling and playout to the carrier, marks back
//! as proof of what was heard.
//!
//! Three sources share the line, one at a time: an interlude goes before the utterance in progress, which goes before the
//! background. The utterance in progress may be held: then it is synthesised and not heard.

mod overflow;
mod person;
#[cfg(test)]
mod tests;
mod voice;

use super::PHONE_HZ;
use crate::phrases::Phrase;
use crate::service::TtsSession;
use base::{CallTime, ErrorClass, MarkId, UtteranceId, limits};
use engine::io::{Input, SynthesisInput};
use media::ambience::{Bed, Place};
use media::playout::Pulled;
use media::{Pacer, PlayoutBuffer};
use model::agent::{Ambience, Sound};
use person::Person;
use providers::tts::TtsEvent;
use std::collections::VecDeque;
use tokio::sync::mpsc::Receiver;
use voice::{Feed, Voice};

/// A mark goes out after this much audio: the exactness of "what was heard".
const MARK_EVERY_FRAMES: u32 = 5;
/// The same while the caller speaks over the agent: where the agent stops, it is known which word was heard.
const MARK_EVERY_FRAMES_DUCKED: u32 = 1;
/// Frames that are handed over at a time while the carrier holds enough.
const FRAMES_TOGETHER: u64 = 3;
/// How much of the background a carrier is given ahead while nothing is about to be said. Speech waits behind it.
const BACKGROUND_AHEAD_MS: u64 = 60;
/// How much while an utterance waits for its audio.
const BACKGROUND_AHEAD_MS_MIN: u64 = 40;
/// The carrier is given more of the background when this little is left.
const BACKGROUND_LEFT_MS: u64 = 20;
/// The same while it is certain that nothing is about to be said: what is handed over less often costs less. A batch less than
/// the look-ahead, or the pacer would take the pause after it for a late waking.
const BACKGROUND_AHEAD_MS_MAX: u64 = limits::PLAYOUT_LOOKAHEAD_MS - FRAMES_TOGETHER * limits::FRAME_MS;
const BACKGROUND_LEFT_MS_MAX: u64 = 40;

/// What is handed to the carrier.
pub(super) enum Step<'a> {
    /// One frame of the agent's voice, or of a sound in its place.
    Voice(&'a [i16]),
    /// One frame of a person who has the call.
    Person(&'a [i16]),
    /// One frame of nothing but the background.
    Background(&'a [i16]),
    /// A mark; the receiver answers with the id it sent.
    Mark,
}

/// What a call sounds like behind the agent's voice.
pub(crate) trait Background: Send {
    /// Adds what follows of it to a frame. `is_voiced` says whether the frame holds the agent's voice.
    fn mix(&mut self, frame: &mut [i16], is_voiced: bool);
}

/// What the host must do after a stop.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Stopped {
    /// The carrier must throw away what it has not played.
    pub(super) clears: bool,
    /// What the engine must know: other audio that went with it.
    pub(super) reports: Vec<Input>,
}

impl Background for Bed {
    fn mix(&mut self, frame: &mut [i16], is_voiced: bool) {
        Bed::mix(self, frame, is_voiced);
    }
}

/// What an agent's settings put behind its voice; `None` for digital silence. The same seed gives the same sound.
pub(super) fn background(sound: &Sound, rate_hz: u32, seed: u64) -> Option<Box<dyn Background>> {
    let bed = match sound.ambience {
        Some(Ambience::Office) => Bed::place(rate_hz, Place::Office, seed),
        Some(Ambience::CallCentre) => Bed::place(rate_hz, Place::CallCentre, seed),
        Some(Ambience::Room) => Bed::place(rate_hz, Place::Room, seed),
        // A telephone that is silent is dead; a page shows that it is not, and its line is wider than any telephone's.
        None if sound.comfort_noise && rate_hz == PHONE_HZ => Bed::comfort(rate_hz, seed),
        None => return None,
    };
    Some(Box::new(bed))
}

/// Who had the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Speech,
    Interlude(UtteranceId),
    Person,
    Background,
}

impl Lane {
    /// Whether it must be known what of it was heard.
    fn has_marks(self) -> bool {
        matches!(self, Self::Speech | Self::Interlude(_))
    }
}

pub(super) struct Mouth {
    rate_hz: u32,
    /// The utterance in progress.
    playout: PlayoutBuffer,
    voice: Option<Voice>,
    /// The utterance that must not be heard yet.
    held: Option<UtteranceId>,
    /// When the carrier will have played the last frame of an utterance that it was given.
    speech_until_ms: u64,
    /// In the order in which they are played; those at the front may only wait for their last mark.
    interludes: VecDeque<Interlude>,
    /// What a person who has the call says.
    person: Person,
    background: Option<Box<dyn Background>>,
    /// Nothing is about to be said.
    expects_nothing: bool,
    pacer: Pacer,
    frame: Vec<i16>,
    /// Whose frame was the last one, and how many went out since the last mark.
    last: Lane,
    frames_since_mark: u32,
    /// Frames between two marks that the carrier wants at least.
    mark_frames_min: u32,
    is_ducked: bool,
    underruns: u64,
    /// That [`Mouth::was_woken_late`] knows of.
    late_wakings: u64,
}

struct Interlude {
    utterance: UtteranceId,
    playout: PlayoutBuffer,
    /// When the carrier will have played the last frame that it was given.
    until_ms: u64,
}

impl Mouth {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            playout: PlayoutBuffer::new(rate_hz),
            voice: None,
            held: None,
            speech_until_ms: 0,
            interludes: VecDeque::new(),
            person: Person::new(rate_hz),
            background: None,
            expects_nothing: false,
            pacer: Pacer::default().with_batches(FRAMES_TOGETHER),
            frame: vec![0; (u64::from(rate_hz) * limits::FRAME_MS / 1000) as usize],
            last: Lane::Background,
            frames_since_mark: 0,
            mark_frames_min: 1,
            is_ducked: false,
            underruns: 0,
            late_wakings: 0,
        }
    }

    /// Samples per second towards the carrier.
    pub(super) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// The utterance in progress, held or not.
    pub(super) fn utterance(&self) -> Option<UtteranceId> {
        self.playout.utterance()
    }

    /// Frames go out without a pause from now on, with this behind them.
    pub(super) fn set_background(&mut self, background: Option<Box<dyn Background>>) {
        self.background = background;
    }

    /// Marks that the carrier is sent have at least so many frames between them, save the last of an utterance.
    pub(super) fn set_mark_frames_min(&mut self, frames: u32) {
        self.mark_frames_min = frames;
    }

    /// Nothing of this utterance may be heard before it is released.
    pub(super) fn hold(&mut self, utterance: UtteranceId) {
        self.held = Some(utterance);
    }

    /// What was held is heard from the next frame on.
    pub(super) fn release(&mut self, utterance: UtteranceId) {
        self.held.take_if(|held| *held == utterance);
    }

    /// Begins an utterance; what was left of another is gone.
    pub(super) fn begin(&mut self, utterance: UtteranceId) {
        self.playout.open(utterance);
        self.held.take_if(|held| *held != utterance);
        if self.last == Lane::Speech {
            self.frames_since_mark = 0;
        }
        self.is_ducked = false;
        self.voice = Some(Voice::new(utterance, self.rate_hz));
    }

    /// Whether the next words may come from the cache: nothing of the utterance is with a synthesiser.
    pub(super) fn takes_phrases(&self) -> bool {
        self.voice.as_ref().is_some_and(Voice::takes_phrases)
    }

    /// The next words of the utterance, with their audio. Answers what the engine must know.
    pub(super) fn say_phrase(&mut self, segment: u32, text: &str, phrase: &Phrase) -> Vec<Input> {
        let Some(voice) = &mut self.voice else { return Vec::new() };
        let mut inputs = Vec::from_iter(voice.take_phrase(segment, text, phrase));
        self.playout.push_overflow(voice);
        inputs.extend(self.playout.close_segment(voice));
        inputs
    }

    pub(super) fn say(&mut self, segment: u32, text: String) {
        if let Some(voice) = &mut self.voice {
            voice.take_text(segment, text);
        }
    }

    pub(super) fn no_more_text(&mut self) {
        if let Some(voice) = &mut self.voice {
            voice.take_end();
            self.playout.finish_when_empty(voice);
        }
    }

    /// Words wait for a synthesiser.
    pub(super) fn wants_session(&self) -> bool {
        self.voice.as_ref().is_some_and(Voice::wants_session)
    }

    /// Who synthesises the words that wait, and those that follow.
    pub(super) fn attach(&mut self, session: TtsSession) {
        if let Some(voice) = &mut self.voice {
            voice.attach(session, false);
        }
    }

    /// Audio of the one segment that comes next, from somebody who knows its words already.
    pub(super) fn attach_render(&mut self, session: TtsSession) {
        if let Some(voice) = &mut self.voice {
            voice.attach(session, true);
        }
    }

    /// Plays this now, before all of the utterance in progress that is not with the carrier yet. Answers where it ends, in
    /// milliseconds of its own; `None` when too many wait already.
    pub(super) fn interlude(&mut self, utterance: UtteranceId, pcm: &[i16]) -> Option<u64> {
        if self.interludes.len() == limits::INTERLUDES_MAX {
            let over = self.interludes.iter().position(|interlude| !interlude.playout.is_active())?;
            self.interludes.remove(over);
        }
        let mut playout = PlayoutBuffer::with_room(self.rate_hz, pcm.len());
        playout.open(utterance);
        playout.push(pcm);
        let end_ms = playout.mark_segment_end(0);
        playout.no_more();
        if self.is_ducked {
            playout.duck();
        }
        self.interludes.push_back(Interlude { utterance, playout, until_ms: 0 });
        Some(end_ms)
    }

    /// Ends an utterance, an interlude or what is held, at once. What else is audible goes on.
    pub(super) fn stop(&mut self, utterance: UtteranceId, now: CallTime) -> Stopped {
        self.held.take_if(|held| *held == utterance);
        let (lane, was_sent, is_shared) = if self.playout.utterance() == Some(utterance) {
            let was_sent = self.playout.sent_ms() > 0;
            self.voice = None;
            self.playout.abandon();
            let goes_on = |one: &Interlude| one.playout.is_active() && one.playout.sent_ms() > 0;
            (Lane::Speech, was_sent, self.interludes.iter().any(goes_on))
        } else {
            let Some(at) = self.interludes.iter().position(|one| one.utterance == utterance) else {
                return Stopped::default();
            };
            let was_sent = self.interludes.remove(at).is_some_and(|one| one.playout.sent_ms() > 0);
            let is_shared = self.speech_until_ms > now.0 || self.playout.marks_under_way() > 0;
            (Lane::Interlude(utterance), was_sent, is_shared)
        };
        if self.last == lane {
            self.frames_since_mark = 0;
        }
        if !was_sent || is_shared {
            return Stopped::default();
        }
        Stopped { clears: true, reports: self.clear(now) }
    }

    /// A person who has the call says this: it goes to the carrier as it comes, behind what the agent says.
    pub(super) fn person(&mut self, pcm: &[i16]) {
        self.person.push(pcm);
    }

    /// Nobody but the agent speaks from now on.
    pub(super) fn person_leaves(&mut self) {
        self.person.clear();
    }

    /// Falls silent for good.
    pub(super) fn stop_all(&mut self, now: CallTime) {
        (self.voice, self.held, self.background) = (None, None, None);
        self.playout.stop();
        self.interludes.clear();
        self.person.clear();
        self.clear(now);
    }

    /// The carrier throws away what it has. The end of an interlude that was on its way is not heard, and its last mark
    /// will never come back.
    fn clear(&mut self, now: CallTime) -> Vec<Input> {
        self.pacer.cleared(now.0);
        self.speech_until_ms = self.speech_until_ms.min(now.0);
        let mut reports = Vec::new();
        self.interludes.retain_mut(|interlude| {
            if interlude.playout.is_active() {
                return true;
            }
            let unplayed_ms = interlude.until_ms.saturating_sub(now.0);
            let heard = interlude.playout.stop().map_or(0, |stopped| stopped.heard_ms(unplayed_ms));
            reports.push(Input::Playout { utterance: interlude.utterance, played_ms: heard, finished: true });
            false
        });
        reports
    }

    pub(super) fn duck(&mut self, down: bool) {
        self.is_ducked = down;
        let interludes = self.interludes.iter_mut().map(|interlude| &mut interlude.playout);
        for playout in interludes.chain([&mut self.playout]) {
            if down { playout.duck() } else { playout.unduck() }
        }
    }

    /// Who has the line now.
    fn lane(&self) -> Option<Lane> {
        if let Some(interlude) = self.interludes.iter().find(|one| one.playout.is_active()) {
            return Some(Lane::Interlude(interlude.utterance));
        }
        let is_heard = self.held.is_none() || self.held != self.playout.utterance();
        if is_heard && self.playout.is_ready(self.frame.len()) {
            return Some(Lane::Speech);
        }
        if self.person.is_ready(self.frame.len()) {
            return Some(Lane::Person);
        }
        self.background.is_some().then_some(Lane::Background)
    }

    /// Whether it is clear that the agent will say nothing within the next moment.
    pub(super) fn expect_nothing(&mut self, is_clear: bool) {
        self.expects_nothing = is_clear;
    }

    /// How much of the background the carrier may hold, and how little is left when it gets more.
    fn background_ahead_ms(&self) -> (u64, u64) {
        match (self.playout.is_active(), self.expects_nothing) {
            (true, _) => (BACKGROUND_AHEAD_MS_MIN, BACKGROUND_LEFT_MS),
            (false, false) => (BACKGROUND_AHEAD_MS, BACKGROUND_LEFT_MS),
            (false, true) => (BACKGROUND_AHEAD_MS_MAX, BACKGROUND_LEFT_MS_MAX),
        }
    }

    /// When frames must be handed over next; `None` while there is nothing to say.
    pub(super) fn next_frame_at(&self, now: CallTime) -> Option<CallTime> {
        let at_ms = match self.lane()? {
            Lane::Background => now.0 + self.pacer.ahead_ms(now.0).saturating_sub(self.background_ahead_ms().1),
            Lane::Speech | Lane::Interlude(_) | Lane::Person => self.pacer.next_due_ms(now.0),
        };
        Some(CallTime(at_ms))
    }

    /// Times that the caller heard a gap because synthesis was slower than speech.
    pub(super) fn underruns(&self) -> u64 {
        self.underruns
    }

    /// The synthesis events to wait for; `None` holds synthesis back.
    pub(super) fn wanted_events(&mut self) -> Option<&mut Receiver<TtsEvent>> {
        self.voice.as_mut()?.wanted_events()
    }

    /// Takes a synthesis event (`None`: the session ended). Answers what the engine must know. The voice may want another
    /// session afterwards.
    pub(super) fn on_tts(&mut self, event: Option<TtsEvent>) -> Vec<Input> {
        let Some(voice) = &mut self.voice else { return Vec::new() };
        voice.push_waiting();
        let mut inputs = Vec::new();
        match event {
            Some(TtsEvent::Started | TtsEvent::Usage { .. }) => {}
            Some(TtsEvent::Words { starts }) => inputs.extend(voice.words_begin(&starts)),
            Some(TtsEvent::Audio { pcm }) => {
                inputs.extend(voice.take_audio(&pcm));
                self.playout.push_overflow(voice);
            }
            Some(TtsEvent::SegmentDone) => inputs.extend(self.playout.close_segment(voice)),
            Some(TtsEvent::Done) => {
                voice.end_session();
                self.playout.push_overflow(voice);
                while voice.has_open_segments() && !voice.wants_session() {
                    inputs.extend(self.playout.close_segment(voice));
                }
                self.playout.finish_when_empty(voice);
            }
            Some(TtsEvent::Failed(_)) | None if voice.takes_render_back() => {}
            Some(TtsEvent::Failed(failure)) => return Vec::from_iter(self.fail(failure.class)),
            None if voice.has_session() => return Vec::from_iter(self.fail(ErrorClass::Protocol)),
            None => {}
        }
        if self.voice.as_ref().is_some_and(Voice::has_failed) {
            inputs.extend(self.fail(ErrorClass::Internal));
        }
        inputs
    }

    /// The utterance cannot be spoken further. What is buffered is still played; the engine decides whether it says the
    /// rest again.
    pub(super) fn fail(&mut self, class: ErrorClass) -> Option<Input> {
        let utterance = self.voice.take()?.utterance();
        self.playout.no_more();
        Some(Input::Synthesis { utterance, event: SynthesisInput::Failed { class } })
    }

    /// Whether the last frames were handed over a frame or more too late.
    pub(super) fn was_woken_late(&mut self) -> bool {
        let before = std::mem::replace(&mut self.late_wakings, self.pacer.stats().late);
        self.late_wakings > before
    }

    /// Hands over the frames that are due now.
    pub(super) fn play_due(&mut self, now: CallTime, mut step: impl FnMut(Step<'_>) -> Option<MarkId>) {
        let due = self.pacer.due(now.0);
        self.person.goes_on(self.pacer.ahead_ms(now.0) > 0);
        let mut sent = 0;
        loop {
            let lane = self.lane();
            if lane != Some(self.last) {
                self.mark(&mut step); // Before somebody else's audio, and when there is no more for now.
            }
            let Some(lane) = lane else { break };
            let is_due = match lane {
                Lane::Background => self.pacer.ahead_ms(now.0) + limits::FRAME_MS <= self.background_ahead_ms().0,
                Lane::Speech | Lane::Interlude(_) | Lane::Person => sent < due,
            };
            if !is_due {
                break;
            }
            let is_finished = self.pull(lane, now);
            step(match lane {
                Lane::Background => Step::Background(&self.frame),
                Lane::Person => Step::Person(&self.frame),
                Lane::Speech | Lane::Interlude(_) => Step::Voice(&self.frame),
            });
            sent += 1;
            self.pacer.sent(now.0, 1);
            self.note_sent(lane, now);
            let mark_every = if self.is_ducked { MARK_EVERY_FRAMES_DUCKED } else { MARK_EVERY_FRAMES };
            let mark_every = mark_every.max(self.mark_frames_min);
            if lane.has_marks() && (is_finished || self.frames_since_mark >= mark_every) {
                self.mark(&mut step);
            }
            if is_finished && self.lane().is_none() {
                self.pacer.pause();
            }
        }
        if sent == 0 {
            self.pacer.sent(now.0, 0);
        }
        if let Some(voice) = &mut self.voice {
            self.playout.push_overflow(voice);
            self.playout.finish_when_empty(voice);
        }
    }

    /// Fills the frame from whoever has the line. Says whether it is the last of its utterance.
    fn pull(&mut self, lane: Lane, now: CallTime) -> bool {
        let pulled = match lane {
            Lane::Speech => {
                let is_going_on = self.playout.sent_ms() > 0 && !matches!(self.last, Lane::Interlude(_));
                if is_going_on && now.0 > self.speech_until_ms {
                    self.underruns += 1;
                }
                self.playout.pull(&mut self.frame)
            }
            Lane::Interlude(id) => match self.interludes.iter_mut().find(|one| one.utterance == id) {
                Some(interlude) => interlude.playout.pull(&mut self.frame),
                None => Pulled::Idle,
            },
            Lane::Person => {
                self.person.pull(&mut self.frame);
                Pulled::Idle
            }
            Lane::Background => {
                self.frame.fill(0);
                Pulled::Idle
            }
        };
        if let Some(background) = &mut self.background {
            background.mix(&mut self.frame, lane != Lane::Background);
        }
        let is_over = lane == Lane::Person && !self.person.is_ready(self.frame.len());
        is_over || matches!(pulled, Pulled::Audio { finished: true, .. })
    }

    fn note_sent(&mut self, lane: Lane, now: CallTime) {
        let until_ms = now.0 + self.pacer.ahead_ms(now.0);
        match lane {
            Lane::Speech => self.speech_until_ms = until_ms,
            Lane::Interlude(id) => {
                if let Some(interlude) = self.interludes.iter_mut().find(|one| one.utterance == id) {
                    interlude.until_ms = until_ms;
                }
            }
            Lane::Background | Lane::Person => {}
        }
        self.last = lane;
        self.frames_since_mark += u32::from(lane.has_marks());
    }

    /// Sends a mark for the frames since the last one, if there were any.
    fn mark(&mut self, step: &mut impl FnMut(Step<'_>) -> Option<MarkId>) {
        if self.frames_since_mark == 0 {
            return;
        }
        let Some(mark) = step(Step::Mark) else { return };
        self.frames_since_mark = 0;
        match self.last {
            Lane::Speech => self.playout.mark_sent(mark),
            Lane::Interlude(id) => {
                if let Some(interlude) = self.interludes.iter_mut().find(|one| one.utterance == id) {
                    interlude.playout.mark_sent(mark);
                }
            }
            Lane::Background | Lane::Person => {}
        }
    }

    /// The carrier played everything before this mark.
    pub(super) fn on_mark(&mut self, mark: MarkId) -> Option<Input> {
        let mut interludes = self.interludes.iter_mut();
        let played = self.playout.played(mark).or_else(|| interludes.find_map(|one| one.playout.played(mark)))?;
        if played.finished {
            self.interludes.retain(|one| one.utterance != played.utterance);
        }
        Some(Input::Playout { utterance: played.utterance, played_ms: played.played_ms, finished: played.finished })
    }
}
