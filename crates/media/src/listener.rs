//! What the caller's audio goes through on its way to the recogniser, and what is noticed in it.
//!
//! ```text
//! caller ─┬─ recording
//!         └─ echo guard ─┬─ voice activity ── overlap with the agent's voice
//!                        └─ noise suppression ── gain ── recogniser
//! ```
//!
//! [`Listener::hear`] takes audio as it comes and tells, frame by frame, what it [`Heard`]. It must also be told what the
//! agent says ([`Listener::played`]). The recording gets the caller's frames as they came, the recogniser what is left when
//! the agent's own voice (and, where wanted, noise) is taken out.

use crate::band::Band;
use crate::denoise::{NoiseSuppressor, RecurrentSuppressor};
use crate::echo::EchoGuard;
use crate::framer::{Framer, Preroll};
use crate::gain::AutoGain;
use crate::overlap::{Evidence, Look, Overlaps};
use crate::resample::RateError;
use crate::vad::{Config, Detector, Event, Frame, Gate};

/// A frame that is the agent's own voice to this share is nobody's speech.
const ECHO_SHARE_MAX: f32 = 0.8;
/// So much below the caller's usual level it is not the caller.
const FAR_DB: f32 = 12.0;
/// Between the sounds of one word the level may fall by so much in a frame.
const FALL_DB_PER_FRAME: f32 = 5.0;
/// A voice that goes on far away is let in by some decibels a second: a caller may have moved away from the phone. A crowd is
/// further away than that.
const RELIEF_DB_PER_FRAME: f32 = 0.03;
const RELIEF_DB_MAX: f32 = 6.0;
/// While the agent speaks and the caller listens, the voices that are heard are behind the caller: so loud they are for nine
/// tenths of the time, found in steps.
const BEHIND_SHARE: f32 = 0.9;
const BEHIND_STEP_DB: f32 = 0.5;
/// Voiced frames before that is known: somebody who says a word or two is no crowd.
const BEHIND_FRAMES_MIN: u32 = 100;
/// The caller is louder than what is behind them by this, and where that cannot be, at most so much below their usual level.
const BEHIND_MARGIN_DB: f32 = 1.0;
const BEHIND_BELOW_DB_MIN: f32 = 4.0;
/// Louder than this below the usual level it may be the caller.
const MAY_BE_CALLER_DB: f32 = 3.0;
const BEHIND_ECHO_MAX: f32 = 0.1;
/// From here on the cheap stage takes a frame for voiced.
const VOICED_MIN: f32 = 0.5;

/// What the neural stage is given of the time before it is asked.
const BEFORE_MS: u64 = 60;

/// What a listener does beside noticing speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Take the agent's own voice out.
    pub echo_guard: bool,
    /// Suppress steady noise in what the recogniser hears.
    pub suppress_noise: bool,
    /// Bring the caller to one level for the recogniser.
    pub auto_gain: bool,
    /// The host has a neural stage of voice activity detection.
    pub neural: bool,
}

/// What is told, in this order for each frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heard<'a> {
    /// One frame as it came: for the recording.
    Raw(&'a [i16]),
    /// The same frame for the recogniser.
    Clean(&'a [i16]),
    /// What changed in the caller's speech.
    Speech(Event),
    /// What the caller's speech over the agent is like.
    Overlap(Evidence),
}

/// The caller's side of one call. See the module.
#[derive(Debug)]
pub struct Listener {
    framer: Framer,
    stages: Stages,
}

struct Stages {
    guard: EchoGuard,
    takes_echo_out: bool,
    band: Band,
    gate: Gate,
    detector: Detector,
    overlaps: Overlaps,
    distance: Distance,
    suppressor: Option<Box<dyn NoiseSuppressor>>,
    gain: Option<AutoGain>,
    /// What the neural stage has not heard yet: it needs the moment before an onset to know one.
    before: Preroll,
    is_asked: bool,
    /// The frame at work, and what of it is looked at.
    frame: Vec<i16>,
    looked_at: Vec<i16>,
}

impl Listener {
    /// For a line at this rate.
    pub fn new(rate_hz: u32, settings: Settings) -> Result<Self, RateError> {
        let suppressor = match settings.suppress_noise {
            true => Some(Box::new(RecurrentSuppressor::new(rate_hz)?) as Box<dyn NoiseSuppressor>),
            false => None,
        };
        let framer = Framer::for_rate(rate_hz);
        let stages = Stages {
            guard: EchoGuard::new(rate_hz),
            takes_echo_out: settings.echo_guard,
            band: Band::new(rate_hz),
            gate: Gate::new(rate_hz)?,
            detector: Detector::new(Config { neural: settings.neural, ..Config::default() }),
            overlaps: Overlaps::default(),
            distance: Distance::default(),
            suppressor,
            gain: settings.auto_gain.then(AutoGain::default),
            before: Preroll::new(BEFORE_MS, rate_hz),
            is_asked: false,
            frame: Vec::with_capacity(framer.frame_samples()),
            looked_at: Vec::with_capacity(framer.frame_samples()),
        };
        Ok(Self { framer, stages })
    }

    /// This was handed to the carrier.
    pub fn played(&mut self, pcm: &[i16]) {
        self.stages.guard.played(pcm);
    }

    /// What was handed to the carrier and not played yet was thrown away.
    pub fn stopped(&mut self) {
        self.stages.guard.stopped();
    }

    /// Whether the caller is speaking.
    pub fn is_speaking(&self) -> bool {
        self.stages.detector.is_speaking()
    }

    /// How long the caller has been speaking; `None` while the caller is silent.
    pub fn speech_ms(&self) -> Option<u64> {
        self.stages.detector.is_speaking().then(|| self.stages.detector.speech_ms())
    }

    /// Takes audio of any length and tells what is in it, in order. `neural` is asked where a better opinion is worth its
    /// price; it answers when a window of it is full.
    pub fn hear(
        &mut self,
        pcm: &[i16],
        mut neural: impl FnMut(&[i16]) -> Option<f32>,
        mut tell: impl FnMut(Heard<'_>),
    ) {
        let Self { framer, stages } = self;
        framer.push(pcm, |frame| stages.hear(frame, &mut neural, &mut tell));
    }
}

impl Stages {
    fn hear(&mut self, raw: &[i16], neural: &mut impl FnMut(&[i16]) -> Option<f32>, tell: &mut impl FnMut(Heard<'_>)) {
        tell(Heard::Raw(raw));
        self.frame.clear();
        self.frame.extend_from_slice(raw);
        let echo = self.guard(raw.len());
        self.looked_at.clear();
        self.looked_at.extend_from_slice(&self.frame);
        self.band.process(&mut self.looked_at);
        let mut seen = self.gate.push(&self.looked_at);
        if self.guard.is_agent_audible() && echo <= BEHIND_ECHO_MAX && seen.cheap >= VOICED_MIN {
            self.distance.learn_behind(seen.level_dbfs, self.overlaps.usual_dbfs());
        }
        let is_far = self.distance.is_far(&seen, self.overlaps.usual_dbfs());
        if echo >= ECHO_SHARE_MAX || is_far {
            seen.cheap = 0.0;
            self.is_asked = false;
        } else if let Some(probability) = self.ask(&seen, neural) {
            seen = seen.with_neural(probability);
        }
        self.before.push(&self.looked_at);
        let event = self.detector.push(seen);
        let speech_ms = self.detector.is_speaking().then(|| self.detector.speech_ms());
        let agent_audible = self.guard.is_agent_audible();
        let overlap = self.overlaps.push(Look { frame: seen, echo, speech_ms, agent_audible });
        if let Some(suppressor) = &mut self.suppressor {
            suppressor.process(&mut self.frame);
        }
        if let Some(gain) = &mut self.gain {
            let is_voice = self.detector.is_speaking() && seen.cheap >= 0.5;
            gain.push(&mut self.frame, is_voice, self.gate.floor_dbfs());
        }
        tell(Heard::Clean(&self.frame));
        if let Some(event) = event {
            tell(Heard::Speech(event));
        }
        if let Some(evidence) = overlap {
            tell(Heard::Overlap(evidence));
        }
    }

    /// What the neural stage says, where it is worth asking.
    fn ask(&mut self, seen: &Frame, neural: &mut impl FnMut(&[i16]) -> Option<f32>) -> Option<f32> {
        let was_asked = std::mem::replace(&mut self.is_asked, self.detector.wants_neural_for(seen));
        if !self.is_asked {
            return None;
        }
        if !was_asked {
            let (first, then) = self.before.parts();
            neural(first);
            neural(then);
        }
        neural(&self.looked_at)
    }

    /// How much of the frame was the agent's own voice, which is out of it now.
    fn guard(&mut self, samples: usize) -> f32 {
        if self.takes_echo_out {
            return self.guard.hear(&mut self.frame);
        }
        self.guard.pass(samples);
        0.0
    }
}

/// Tells voices that are much quieter than the caller usually is: other people in the room, a television, a crowd.
#[derive(Debug, Default)]
struct Distance {
    /// Level of what is heard: rises at once, falls slowly enough to bridge the gaps between sounds.
    level_dbfs: f32,
    /// How much quieter than usual somebody may be by now: a caller who moves away from the phone is heard again.
    relief_db: f32,
    /// How loud the voices behind the caller are, once they were heard.
    behind_dbfs: Option<f32>,
    behind_frames: u32,
}

impl Distance {
    fn learn_behind(&mut self, level_dbfs: f32, usual_dbfs: Option<f32>) {
        if usual_dbfs.is_some_and(|usual| level_dbfs > usual - MAY_BE_CALLER_DB) {
            return;
        }
        self.behind_frames = self.behind_frames.saturating_add(1);
        let behind = self.behind_dbfs.get_or_insert(level_dbfs);
        let share = if level_dbfs > *behind { BEHIND_SHARE } else { BEHIND_SHARE - 1.0 };
        *behind += share * BEHIND_STEP_DB;
    }

    fn is_far(&mut self, seen: &Frame, usual_dbfs: Option<f32>) -> bool {
        self.level_dbfs = seen.level_dbfs.max(self.level_dbfs - FALL_DB_PER_FRAME).min(0.0);
        let Some(usual_dbfs) = usual_dbfs else { return false };
        let below_db = usual_dbfs - self.level_dbfs;
        let far_db = FAR_DB + self.relief_db;
        let behind_dbfs = self.behind_dbfs.filter(|_| self.behind_frames >= BEHIND_FRAMES_MIN);
        let behind_db = behind_dbfs.map_or(far_db, |behind| usual_dbfs - behind - BEHIND_MARGIN_DB);
        let is_far = below_db > far_db.min(behind_db.max(BEHIND_BELOW_DB_MIN));
        if below_db <= FAR_DB {
            self.relief_db = 0.0;
        } else if is_far && seen.cheap >= VOICED_MIN {
            self.relief_db = (self.relief_db + RELIEF_DB_PER_FRAME).min(RELIEF_DB_MAX);
        }
        is_far
    }
}

impl std::fmt::Debug for Stages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stages").field("guard", &self.guard).field("gate", &self.gate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
