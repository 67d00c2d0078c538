//! The cheap stage.

use super::Frame;
use super::texture::{self, Look, Texture};
use crate::framer::{Framer, Preroll};
use crate::level;
use crate::resample::{RateError, Resampler};
use std::fmt;

/// Window of the learned model: 16 ms at 16 kHz.
const MODEL_SAMPLES: usize = 256;
/// Quieter than this is not speech on any line.
const LEVEL_DBFS_MIN: f32 = -55.0;
/// What speech rises above the noise floor at least, to begin and, once there, to go on.
const ABOVE_FLOOR_DB_MIN: f32 = 5.0;
const ABOVE_FLOOR_DB_MIN_WITHIN: f32 = 3.0;
/// Within speech are the frames this soon after a voiced one.
const WITHIN_FRAMES: u8 = 10;
/// From this probability on, a frame is not part of the noise.
const VOICE_PROBABILITY: f32 = 0.45;
const FLOOR_DBFS_START: f32 = -60.0;
const FLOOR_DBFS_MIN: f32 = -75.0;
const FLOOR_DBFS_MAX: f32 = -25.0;
/// The floor follows a quieter line within a few frames, a louder one only as fast as a pause in speech allows.
const FLOOR_FALL: f32 = 0.2;
const FLOOR_RISE_DB: f32 = 0.25;
/// The gaps between syllables are no pause: what is heard in them is half voice.
const FLOOR_RISE_WITHIN_DB: f32 = 0.05;
/// Long speech holds the floor down, but not for ever: a fan that the model takes for speech is learned in the end.
const FLOOR_RISE_SPEECH_DB: f32 = 0.01;

/// Room for what is looked at once, at 16 kHz.
const WIDE_SAMPLES: usize = (BEFORE_MS as usize + 20) * 16;
/// What the model is told of the quiet before a sound: enough for it to have forgotten what was before that.
const BEFORE_MS: u64 = 240;

/// Looks at every frame of one stream. Holds about 30 KiB.
pub struct Gate {
    /// Quiet audio that was not looked at: most of a call is quiet, and a look costs more than all else in here.
    quiet: Preroll,
    eye: Eye,
    floor_dbfs: f32,
    /// Frames for which what is heard still counts as within speech.
    within: u8,
}

/// What looks at a sound.
struct Eye {
    resampler: Resampler,
    framer: Framer,
    model: Box<earshot::Detector>,
    texture: Texture,
    wide: Vec<i16>,
    probability: f32,
}

impl Gate {
    /// For a stream at this rate.
    pub fn new(rate_hz: u32) -> Result<Self, RateError> {
        Ok(Self {
            quiet: Preroll::new(BEFORE_MS, rate_hz),
            eye: Eye {
                resampler: Resampler::new(rate_hz, texture::RATE_HZ)?,
                framer: Framer::new(MODEL_SAMPLES),
                model: earshot::Detector::default_boxed(),
                texture: Texture::new(),
                wide: Vec::with_capacity(WIDE_SAMPLES),
                probability: 0.0,
            },
            floor_dbfs: FLOOR_DBFS_START,
            within: 0,
        })
    }

    /// Looks at the next frame: [`base::limits::FRAME_MS`] of audio, though other lengths do no harm.
    pub fn push(&mut self, pcm: &[i16]) -> Frame {
        let level_dbfs = level::rms_dbfs(pcm);
        let above_floor_db = level_dbfs - self.floor_dbfs;
        let is_within = self.within > 0;
        let above_min = if is_within { ABOVE_FLOOR_DB_MIN_WITHIN } else { ABOVE_FLOOR_DB_MIN };
        let is_loud = level_dbfs >= LEVEL_DBFS_MIN && above_floor_db >= above_min;
        let look = if is_loud {
            let (front, back) = self.quiet.parts();
            [front, back, pcm].into_iter().for_each(|part| self.eye.look_at(part));
            self.quiet.clear();
            self.eye.texture.look(is_within)
        } else {
            self.quiet.push(pcm);
            self.eye.texture.pause();
            Look::Noise
        };
        let tonal = look == Look::Tone;
        let cheap = if look == Look::Other { self.eye.probability } else { 0.0 };
        let is_voice = cheap >= VOICE_PROBABILITY;
        self.within = if is_voice { WITHIN_FRAMES } else { self.within.saturating_sub(1) };
        self.follow(level_dbfs, is_voice || tonal);
        Frame { cheap, level_dbfs, above_floor_db, tonal, neural: None }
    }

    /// The level taken for background noise, dBFS.
    pub fn floor_dbfs(&self) -> f32 {
        self.floor_dbfs
    }

    /// Forgets the stream, for another one.
    pub fn reset(&mut self) {
        self.quiet.clear();
        self.eye.reset();
        self.floor_dbfs = FLOOR_DBFS_START;
        self.within = 0;
    }

    fn follow(&mut self, level_dbfs: f32, is_signal: bool) {
        // Digital silence of a muted line says nothing about the room behind it.
        let level_dbfs = level_dbfs.max(FLOOR_DBFS_MIN);
        let change = level_dbfs - self.floor_dbfs;
        self.floor_dbfs += if change < 0.0 {
            change * FLOOR_FALL
        } else {
            change.min(match (is_signal, self.within) {
                (true, _) => FLOOR_RISE_SPEECH_DB,
                (false, 0) => FLOOR_RISE_DB,
                (false, _) => FLOOR_RISE_WITHIN_DB,
            })
        };
        self.floor_dbfs = self.floor_dbfs.clamp(FLOOR_DBFS_MIN, FLOOR_DBFS_MAX);
    }
}

impl Eye {
    fn look_at(&mut self, pcm: &[i16]) {
        if pcm.is_empty() {
            return;
        }
        self.wide.clear();
        self.resampler.process(pcm, &mut self.wide);
        self.texture.push(&self.wide);
        let (model, mut best) = (&mut self.model, None);
        self.framer.push(&self.wide, |window| {
            let probability = model.predict_i16(window).clamp(0.0, 1.0);
            best = Some(best.map_or(probability, |other: f32| other.max(probability)));
        });
        self.probability = best.unwrap_or(self.probability);
    }

    fn reset(&mut self) {
        self.resampler.reset();
        self.framer.clear();
        self.model.reset();
        self.texture.reset();
        self.probability = 0.0;
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("probability", &self.eye.probability)
            .field("floor_dbfs", &self.floor_dbfs)
            .finish_non_exhaustive()
    }
}
