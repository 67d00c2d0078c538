//! The state machine over both stages.

use super::Frame;
use base::limits::FRAME_MS;

/// When speech counts as begun and as ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Speech that must be there before it counts: 60 to 100 ms keeps clicks and coughs out.
    pub speech_ms_min: u64,
    /// Silence of the cheap stage within speech that is told as a lull, once per silence.
    pub lull_ms_min: u64,
    /// Silence that must pass before speech counts as ended.
    pub silence_ms_min: u64,
    /// A frame is speech from this probability on, while nobody speaks.
    pub start_probability: f32,
    /// A frame is silence below this probability, while somebody speaks. Below `start_probability`.
    pub stop_probability: f32,
    /// The host has a neural stage and runs it when asked. Speech then begins only where it agrees; where it stays
    /// silent for `neural_ms_max` the cheap stage decides alone, so that a stuck model never makes a caller unheard.
    pub neural: bool,
    /// How long to wait for the neural stage, and how old its word may be.
    pub neural_ms_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            speech_ms_min: 60,
            lull_ms_min: 100,
            silence_ms_min: 200,
            start_probability: 0.45,
            stop_probability: 0.35,
            neural: false,
            neural_ms_max: 200,
        }
    }
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The caller began to speak, [`Detector::speech_ms`] ago.
    SpeechStarted,
    /// The caller fell silent a moment ago, as far as the cheap stage can tell: too early to call it the end, early enough
    /// to get ready for it. Followed by [`Event::SpeechStopped`], or by nothing when the caller goes on.
    Lull {
        /// How long ago the last speech was.
        silence_ms: u64,
    },
    /// The caller stopped speaking.
    SpeechStopped {
        /// How long ago the last speech was.
        silence_ms: u64,
    },
}

/// Hysteresis over frames of [`FRAME_MS`]. One value per stream.
#[derive(Clone, Debug)]
pub struct Detector {
    config: Config,
    speaking: bool,
    /// Speech by the cheap stage alone, of late.
    cheap_ms: u64,
    /// Speech heard of late, for the start: rises with speech, falls with silence.
    evidence_ms: u64,
    /// Since the first frame of the present evidence.
    since_onset_ms: u64,
    silence_ms: u64,
    /// Silence that whoever decides has seen.
    agreed_ms: u64,
    /// Silence by the cheap stage alone.
    lull_ms: u64,
    lull_told: bool,
    neural: Option<f32>,
    /// Since the neural stage last said anything.
    neural_age_ms: u64,
    wants_neural: bool,
    /// How long the neural stage has been wanted without a word of it.
    neural_wait_ms: u64,
}

/// The cheap stage asks for the neural one from this on, well before it would believe in speech itself.
const UNCERTAIN_PROBABILITY: f32 = 0.15;
/// Loud for the room, whatever the cheap model thinks of it: worth a better opinion.
const UNCERTAIN_ABOVE_FLOOR_DB: f32 = 12.0;
/// Windows of neural models are longer than a frame; between two of them the last word holds.
const NEURAL_HOLD_MS: u64 = 3 * FRAME_MS;
/// How long the neural stage hears a voice after its end.
const NEURAL_TAIL_MS: u64 = 160;
/// What the neural stage denied counts for no more than this once it changes its mind.
const DENIED_MS_MAX: u64 = 2 * FRAME_MS;

impl Detector {
    /// A detector in silence.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            speaking: false,
            cheap_ms: 0,
            evidence_ms: 0,
            since_onset_ms: 0,
            silence_ms: 0,
            agreed_ms: 0,
            lull_ms: 0,
            lull_told: false,
            neural: None,
            neural_age_ms: u64::MAX,
            wants_neural: false,
            neural_wait_ms: 0,
        }
    }

    /// Whether the neural stage should be run on the next frames: at an onset, while uncertain, while somebody speaks.
    /// Always false without one.
    pub fn wants_neural(&self) -> bool {
        self.wants_neural
    }

    /// Whether it should already be run on this frame, which is pushed next.
    pub fn wants_neural_for(&self, frame: &Frame) -> bool {
        self.wants_neural || (self.config.neural && is_uncertain(frame))
    }

    /// Whether the caller is speaking.
    pub fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// How long ago the present speech began; zero in silence.
    pub fn speech_ms(&self) -> u64 {
        if self.speaking { self.since_onset_ms } else { 0 }
    }

    /// How long ago the last speech was, while the caller is speaking; zero in silence.
    pub fn silence_ms(&self) -> u64 {
        if self.speaking { self.silence_ms } else { 0 }
    }

    /// Takes the next frame.
    pub fn push(&mut self, frame: Frame) -> Option<Event> {
        self.note_neural(&frame);
        self.note_cheap(&frame);
        let event = match self.is_speech(&frame) {
            Some(is_speech) if self.speaking => self.while_speaking(is_speech),
            Some(is_speech) => self.while_silent(is_speech),
            None => None,
        };
        self.wants_neural = self.config.neural && (self.speaking || self.evidence_ms > 0 || is_uncertain(&frame));
        event
    }

    /// Forgets the stream, for another one.
    pub fn reset(&mut self) {
        *self = Self::new(self.config);
    }

    fn note_neural(&mut self, frame: &Frame) {
        if let Some(probability) = frame.neural {
            self.neural = Some(probability);
            self.neural_age_ms = 0;
            self.neural_wait_ms = 0;
        } else {
            self.neural_age_ms = self.neural_age_ms.saturating_add(FRAME_MS);
            self.neural_wait_ms = if self.wants_neural { self.neural_wait_ms.saturating_add(FRAME_MS) } else { 0 };
        }
    }

    fn fresh_neural(&self) -> Option<f32> {
        self.neural.filter(|_| self.neural_age_ms <= NEURAL_HOLD_MS)
    }

    fn note_cheap(&mut self, frame: &Frame) {
        self.cheap_ms = if frame.cheap >= self.config.start_probability {
            self.cheap_ms.saturating_add(FRAME_MS)
        } else {
            self.cheap_ms.saturating_sub(FRAME_MS)
        };
        let is_denied = self.fresh_neural().is_some_and(|neural| neural < self.config.start_probability);
        if is_denied && !self.speaking {
            self.cheap_ms = self.cheap_ms.min(DENIED_MS_MAX);
        }
        self.lull_ms = if frame.cheap >= self.config.stop_probability { 0 } else { self.lull_ms + FRAME_MS };
    }

    /// `None` while the neural stage is expected to say more.
    fn is_speech(&self, frame: &Frame) -> Option<bool> {
        let threshold = if self.speaking { self.config.stop_probability } else { self.config.start_probability };
        if let Some(neural) = self.fresh_neural() {
            return Some(neural >= threshold);
        }
        let cheap = frame.cheap >= threshold;
        let may_wait = self.config.neural && self.neural_wait_ms < self.config.neural_ms_max;
        if cheap && may_wait && !self.speaking { None } else { Some(cheap) }
    }

    fn while_silent(&mut self, is_speech: bool) -> Option<Event> {
        if is_speech {
            // The neural stage hears late, but what it hears is what the cheap one has heard since.
            self.evidence_ms = (self.evidence_ms + FRAME_MS).max(self.cheap_ms);
            self.since_onset_ms = (self.since_onset_ms + FRAME_MS).max(self.evidence_ms);
        } else {
            self.evidence_ms = self.evidence_ms.saturating_sub(FRAME_MS);
            self.since_onset_ms = if self.evidence_ms == 0 { 0 } else { self.since_onset_ms + FRAME_MS };
        }
        if self.evidence_ms < self.config.speech_ms_min.max(FRAME_MS) {
            return None;
        }
        self.speaking = true;
        (self.silence_ms, self.agreed_ms, self.lull_ms, self.lull_told) = (0, 0, 0, false);
        Some(Event::SpeechStarted)
    }

    fn is_lull(&self) -> bool {
        self.lull_ms >= self.config.lull_ms_min.max(FRAME_MS)
    }

    fn while_speaking(&mut self, is_speech: bool) -> Option<Event> {
        self.since_onset_ms = self.since_onset_ms.saturating_add(FRAME_MS);
        self.agreed_ms = if is_speech { 0 } else { self.agreed_ms + FRAME_MS };
        // The neural stage holds on to a voice for a moment: when it lets go, the silence began where the cheap one saw it.
        let held_ms = self.lull_ms.saturating_sub(self.agreed_ms).min(NEURAL_TAIL_MS);
        self.silence_ms = if is_speech { 0 } else { self.agreed_ms + held_ms };
        if self.silence_ms < self.config.silence_ms_min.max(FRAME_MS) {
            let silence_ms = self.lull_ms;
            let is_new = self.is_lull() && !std::mem::replace(&mut self.lull_told, true);
            self.lull_told &= self.is_lull();
            return is_new.then_some(Event::Lull { silence_ms });
        }
        let silence_ms = self.silence_ms;
        self.speaking = false;
        (self.cheap_ms, self.evidence_ms, self.since_onset_ms, self.silence_ms) = (0, 0, 0, 0);
        Some(Event::SpeechStopped { silence_ms })
    }
}

fn is_uncertain(frame: &Frame) -> bool {
    frame.cheap >= UNCERTAIN_PROBABILITY || (frame.above_floor_db >= UNCERTAIN_ABOVE_FLOOR_DB && !frame.tonal)
}
