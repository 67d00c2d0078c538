//! What the caller's audio is like while the agent is audible: the evidence on which it is decided whether the caller
//! interrupts, agrees, coughs, or is somebody else across the room.
//!
//! [`Overlaps`] is shown every frame. It learns how loud the caller usually is while the agent is silent, and measures
//! speech over the agent against that.

use crate::level;
use crate::vad;
use base::limits::{FRAME_MS, OVERLAP_EVERY_MS};

/// For so long it is told with every frame: an interruption is obeyed at once.
const NEW_MS: u64 = 200;
/// Frames looked back at when speech is noticed: it began a moment before.
const KEPT_FRAMES: usize = 32;
/// From this probability on, a frame is voiced.
const VOICED_MIN: f32 = 0.35;
/// A frame this far above the noise of the line has something in it, whatever it is.
const SOUND_DB_MIN: f32 = 5.0;
/// A window of the neural stage is longer than a frame: its word holds for the next ones.
const NEURAL_FRAMES: u8 = 3;
/// Voiced frames of the caller before its usual level is known.
const USUAL_FRAMES_MIN: u32 = 15;
/// Voiced frames over which it is averaged.
const USUAL_FRAMES: u32 = 200;

/// Where the caller is this close to the noise of the line, the soft beginning of a word is lost in it.
const NOISY_DB_MAX: f32 = 10.0;
/// Noise that fluctuates by no more than this is steady: what rises above it is a sound.
const STEADY_DB_MAX: f32 = 1.0;
const STEADY_WEIGHT: f32 = 0.02;
/// What rises so far above steady noise, for two frames, is the beginning of what is noticed so long afterwards at most.
const BURST_DB_MIN: f32 = 3.0;
const BURST_FRAMES_MAX: usize = 20;
/// More echo than this, and it is no sound of the caller.
const BURST_ECHO_MAX: f32 = 0.3;
/// What steady noise hides of a word that begins without a vowel.
const HIDDEN_MS: u64 = 80;

/// Measured over the speech so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Voiced audio since the onset, in milliseconds.
    pub speech_ms: u64,
    /// Loudness of it in decibels relative to the caller's usual speech; `None` while that is not known.
    pub level_db: Option<f32>,
    /// How much of it is explained by what the agent itself is playing: 0 nothing, 1 all.
    pub echo: f32,
    /// How probable it is that it is a voice at all: 0 to 1.
    pub voice: f32,
    /// How much longer ago than it was noticed it began, where noise hid its beginning.
    pub late_ms: u64,
}

/// One frame, as the other stages see it.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What voice activity detection says, after the echo guard.
    pub frame: vad::Frame,
    /// How much of it the echo guard explained.
    pub echo: f32,
    /// How long the caller has been speaking; `None` while the caller is silent.
    pub speech_ms: Option<u64>,
    /// Whether the caller hears the agent.
    pub agent_audible: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    voice: f32,
    is_sound: bool,
    power: f32,
    echo: f32,
    above_floor_db: f32,
    is_speech: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    voiced: u32,
    sounds: u32,
    power: f32,
    echo: f32,
    voice: f32,
}

/// The evidence of one call.
#[derive(Clone, Debug, Default)]
pub struct Overlaps {
    kept: [Kept; KEPT_FRAMES],
    next: usize,
    neural: f32,
    neural_frames: u8,
    usual_power: f32,
    usual_frames: u32,
    sums: Option<Sums>,
    since_told_ms: u64,
    /// How much the noise of the line fluctuates, and how loud it is.
    fluctuation_db: Option<f32>,
    floor_dbfs: f32,
    late_ms: u64,
}

impl Overlaps {
    /// The caller's usual level, once known.
    pub fn usual_dbfs(&self) -> Option<f32> {
        (self.usual_frames >= USUAL_FRAMES_MIN).then(|| level::dbfs(self.usual_power.sqrt()))
    }

    /// Takes the next frame. Answers with the onset of speech over the agent and every [`OVERLAP_EVERY_MS`] of it, every frame at first.
    pub fn push(&mut self, look: Look) -> Option<Evidence> {
        let kept = self.keep(&look);
        let Some(speech_ms) = look.speech_ms else {
            self.sums = None;
            self.learn_noise(&look);
            return None;
        };
        if !look.agent_audible {
            self.sums = None;
            self.learn(kept);
            return None;
        }
        let is_first = self.sums.is_none();
        if is_first {
            self.late_ms = self.late_ms_of_onset(speech_ms);
        }
        let mut sums = self.sums.take().unwrap_or_else(|| self.sums_of_onset(speech_ms));
        sums.add(kept);
        self.sums = Some(sums);
        self.since_told_ms = if is_first { 0 } else { self.since_told_ms + FRAME_MS };
        let every_ms = if speech_ms <= NEW_MS { FRAME_MS } else { OVERLAP_EVERY_MS };
        if !is_first && self.since_told_ms < every_ms {
            return None;
        }
        self.since_told_ms = 0;
        Some(self.evidence(&sums))
    }

    fn keep(&mut self, look: &Look) -> Kept {
        if let Some(probability) = look.frame.neural {
            (self.neural, self.neural_frames) = (probability, NEURAL_FRAMES);
        }
        let voice = if self.neural_frames > 0 { self.neural } else { look.frame.cheap };
        self.neural_frames = self.neural_frames.saturating_sub(1);
        let floor_dbfs = look.frame.level_dbfs - look.frame.above_floor_db;
        let kept = Kept {
            voice,
            is_sound: look.frame.above_floor_db >= SOUND_DB_MIN,
            power: (power(look.frame.level_dbfs) - power(floor_dbfs)).max(0.0),
            echo: look.echo,
            above_floor_db: look.frame.above_floor_db,
            is_speech: look.speech_ms.is_some(),
        };
        self.kept[self.next] = kept;
        self.next = (self.next + 1) % KEPT_FRAMES;
        kept
    }

    /// What was seen between the onset and the frame before this one.
    fn sums_of_onset(&self, speech_ms: u64) -> Sums {
        let frames = ((speech_ms / FRAME_MS) as usize).saturating_sub(1).min(KEPT_FRAMES - 1);
        let mut sums = Sums::default();
        for back in (1..=frames).rev() {
            sums.add(self.kept[(self.next + KEPT_FRAMES - 1 - back) % KEPT_FRAMES]);
        }
        sums
    }

    /// How much before it was noticed speech began that began in noise.
    fn late_ms_of_onset(&self, speech_ms: u64) -> u64 {
        let is_noisy = self.usual_dbfs().is_some_and(|usual| usual - self.floor_dbfs <= NOISY_DB_MAX);
        if !is_noisy || self.fluctuation_db.is_none_or(|db| db > STEADY_DB_MAX) {
            return 0;
        }
        let onset = (speech_ms / FRAME_MS) as usize;
        let back = |frames: usize| self.kept[(self.next + KEPT_FRAMES - 1 - frames) % KEPT_FRAMES];
        let is_sound = |kept: Kept| kept.above_floor_db >= BURST_DB_MIN && kept.echo <= BURST_ECHO_MAX;
        let reach = (onset + BURST_FRAMES_MAX).min(KEPT_FRAMES - 1);
        let is_new = |frames: &usize| *frames < onset || !back(*frames).is_speech;
        let frames = (onset + 1..=reach).take_while(is_new);
        let first = frames.filter(|frames| is_sound(back(*frames)) && is_sound(back(*frames - 1))).last();
        first.map_or(0, |frames| (frames - onset) as u64 * FRAME_MS).max(HIDDEN_MS)
    }

    fn learn_noise(&mut self, look: &Look) {
        self.floor_dbfs = look.frame.level_dbfs - look.frame.above_floor_db;
        // A sound now and then does not make noise unsteady.
        let apart = look.frame.above_floor_db.abs().min(BURST_DB_MIN);
        let known = self.fluctuation_db.get_or_insert(apart);
        *known += (apart - *known) * STEADY_WEIGHT;
    }

    fn learn(&mut self, kept: Kept) {
        if kept.is_sound && kept.voice >= VOICED_MIN {
            self.usual_frames = (self.usual_frames + 1).min(USUAL_FRAMES);
            self.usual_power += (kept.power - self.usual_power) / self.usual_frames as f32;
        }
    }

    fn evidence(&self, sums: &Sums) -> Evidence {
        let sounds = sums.sounds.max(1) as f32;
        let level_db = self
            .usual_dbfs()
            .filter(|_| sums.sounds > 0)
            .map(|usual_dbfs| level::dbfs((sums.power / sounds).sqrt()) - usual_dbfs);
        Evidence {
            speech_ms: u64::from(sums.voiced) * FRAME_MS,
            level_db,
            echo: (sums.echo / sounds).clamp(0.0, 1.0),
            voice: (sums.voice / sounds).clamp(0.0, 1.0),
            late_ms: self.late_ms,
        }
    }
}

impl Sums {
    /// Frames in which nothing is to be heard count for nothing: a word has gaps.
    fn add(&mut self, kept: Kept) {
        self.voiced += u32::from(kept.voice >= VOICED_MIN);
        if kept.is_sound {
            self.sounds += 1;
            self.power += kept.power;
            self.echo += kept.echo;
            self.voice += kept.voice;
        }
    }
}

fn power(dbfs: f32) -> f32 {
    level::amplitude(dbfs).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(dbfs: f32, voice: f32, speech_ms: Option<u64>, agent_audible: bool) -> Look {
        let frame =
            vad::Frame { cheap: voice, level_dbfs: dbfs, above_floor_db: dbfs + 70.0, tonal: false, neural: None };
        Look { frame, echo: 0.0, speech_ms, agent_audible }
    }

    fn talk(overlaps: &mut Overlaps, dbfs: f32, frames: u64) {
        (0..frames).for_each(|n| assert_eq!(overlaps.push(look(dbfs, 0.9, Some(n * 20), false)), None));
    }

    #[test]
    fn evidence_comes_with_each_frame_at_first_and_then_every_hundred_milliseconds() {
        let mut overlaps = Overlaps::default();
        let mut told = Vec::new();
        (0..4).for_each(|_| assert_eq!(overlaps.push(look(-20.0, 0.9, None, true)), None));
        for frame in 0..20 {
            let evidence = overlaps.push(look(-20.0, 0.9, Some(80 + frame * 20), true));
            told.extend(evidence.map(|evidence| (frame * 20, evidence.speech_ms)));
        }
        assert_eq!(
            told,
            [(0, 80), (20, 100), (40, 120), (60, 140), (80, 160), (100, 180), (120, 200), (220, 300), (320, 400)]
        );
    }

    #[test]
    fn loudness_is_not_known_before_the_caller_was_heard() {
        let mut overlaps = Overlaps::default();
        let evidence = overlaps.push(look(-20.0, 0.9, Some(80), true)).unwrap();
        assert_eq!(evidence.level_db, None);
        talk(&mut overlaps, -20.0, 60);
        let evidence = overlaps.push(look(-35.0, 0.9, Some(20), true)).unwrap();
        assert!(evidence.level_db.is_some_and(|db| (db + 15.0).abs() < 0.5), "{evidence:?}");
    }

    #[test]
    fn the_callers_level_is_not_learned_from_speech_over_the_agent() {
        let mut overlaps = Overlaps::default();
        talk(&mut overlaps, -20.0, 60);
        (0..300).for_each(|n| {
            overlaps.push(look(-40.0, 0.9, Some(n * 20), true));
        });
        assert!(overlaps.usual_dbfs().is_some_and(|dbfs| (dbfs + 20.0).abs() < 0.5));
    }

    #[test]
    fn silence_ends_the_evidence_and_the_next_onset_begins_anew() {
        let mut overlaps = Overlaps::default();
        (0..30).for_each(|n| {
            overlaps.push(look(-20.0, 0.9, Some(80 + n * 20), true));
        });
        (0..20).for_each(|_| assert_eq!(overlaps.push(look(-70.0, 0.0, None, true)), None));
        let evidence = overlaps.push(look(-20.0, 0.9, Some(20), true)).unwrap();
        assert_eq!(evidence.speech_ms, 20);
    }

    #[test]
    fn a_sound_that_is_hardly_a_voice_says_so() {
        let mut overlaps = Overlaps::default();
        let evidence = overlaps.push(look(-20.0, 0.1, Some(20), true)).unwrap();
        assert!(evidence.voice < 0.2 && evidence.speech_ms == 0);
    }

    /// A caller who is usually at -20 dBFS, on a line with steady noise of -27 dBFS.
    fn in_noise() -> Overlaps {
        let mut overlaps = Overlaps::default();
        talk(&mut overlaps, -19.0, 60);
        (0..100).for_each(|_| assert_eq!(overlaps.push(noise(0.4)), None));
        overlaps
    }

    fn noise(above_floor_db: f32) -> Look {
        let frame =
            vad::Frame { cheap: 0.0, level_dbfs: -27.0 + above_floor_db, above_floor_db, tonal: false, neural: None };
        Look { frame, echo: 0.0, speech_ms: None, agent_audible: true }
    }

    #[test]
    fn speech_in_steady_noise_began_with_the_first_sound_above_it() {
        let mut overlaps = in_noise();
        // "Ex", then 200 ms that the noise hides, then "cuse".
        [4.0, 4.1].into_iter().for_each(|db| assert_eq!(overlaps.push(noise(db)), None));
        (0..10).for_each(|_| assert_eq!(overlaps.push(noise(0.2)), None));
        (0..3).for_each(|_| assert_eq!(overlaps.push(noise(9.0)), None));
        let evidence = overlaps.push(look(-18.0, 0.9, Some(60), true)).unwrap();
        assert_eq!(evidence.late_ms, 240);
    }

    #[test]
    fn noise_hides_the_beginning_of_a_word_and_a_quiet_line_does_not() {
        let mut overlaps = in_noise();
        (0..3).for_each(|_| assert_eq!(overlaps.push(noise(9.0)), None));
        assert_eq!(overlaps.push(look(-18.0, 0.9, Some(60), true)).unwrap().late_ms, HIDDEN_MS);
        let mut quiet = Overlaps::default();
        talk(&mut quiet, -20.0, 60);
        (0..20).for_each(|_| assert_eq!(quiet.push(look(-70.0, 0.0, None, true)), None));
        assert_eq!(quiet.push(look(-18.0, 0.9, Some(60), true)).unwrap().late_ms, 0);
        let mut crowd = in_noise();
        (0..200).for_each(|n| assert_eq!(crowd.push(noise([-2.0, 3.5, 4.0][n % 3])), None));
        assert_eq!(crowd.push(look(-18.0, 0.9, Some(60), true)).unwrap().late_ms, 0, "a crowd comes and goes");
    }

    #[test]
    fn the_neural_stage_counts_more_than_the_cheap_one() {
        let mut overlaps = Overlaps::default();
        let mut seen = look(-20.0, 0.9, Some(20), true);
        seen.frame.neural = Some(0.05);
        let evidence = overlaps.push(seen).unwrap();
        assert!(evidence.voice < 0.1, "{evidence:?}");
    }
}
