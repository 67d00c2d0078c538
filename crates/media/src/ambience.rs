//! What is heard behind the agent: a faint hiss, so that a silent line does not sound dead, or the sound of a place. All of
//! it is made, nothing recorded.
//!
//! A [`Bed`] is mixed into every frame on its way out, also into those that would be silence, so the frames must go out
//! without a pause. It belongs to the agent's side alone: the recogniser, the detector and the recording of the caller
//! never see it.

use crate::level::amplitude;
use crate::tone::ComfortNoise;
use crate::{ms_to_samples, to_sample};
use base::limits::FRAME_MS;
use std::collections::HashMap;
use std::f32::consts::{PI, TAU};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A place that an agent seems to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A quiet office: air and a distant murmur.
    Office,
    /// A call centre: many voices far away.
    CallCentre,
    /// A room: hardly more than air.
    Room,
}

/// Loudness of comfort noise (RMS).
pub const COMFORT_DBFS: f32 = -62.0;
/// How far a place is lowered while the agent speaks.
pub const DUCK_DB: f32 = -8.0;
const DUCK_MS: u64 = 120;
const RISE_MS: u64 = 600;
/// A place repeats after this.
const LOOP_MS: u64 = 9_000;
/// The end of a loop fades into its beginning.
const SEAM_MS: u64 = 700;

impl Place {
    /// Loudness while the agent is silent (RMS).
    pub const fn level_dbfs(self) -> f32 {
        match self {
            Self::Office => -53.0,
            Self::CallCentre => -50.0,
            Self::Room => -56.0,
        }
    }

    const fn voices(self) -> u64 {
        match self {
            Self::Office => 3,
            Self::CallCentre => 11,
            Self::Room => 0,
        }
    }

    /// How loud the murmur is against the air of the room.
    const fn voices_db(self) -> f32 {
        match self {
            Self::Office => -1.0,
            Self::CallCentre | Self::Room => 6.0,
        }
    }
}

/// What is mixed into one call.
#[derive(Clone, Debug)]
pub struct Bed {
    source: Source,
    gain: f32,
    duck: f32,
    fall: f32,
    rise: f32,
    scratch: Vec<i16>,
}

#[derive(Clone, Debug)]
enum Source {
    Comfort(ComfortNoise),
    Place { sound: Arc<[i16]>, at: usize },
}

impl Bed {
    /// Comfort noise. The same seed gives the same noise.
    pub fn comfort(rate_hz: u32, seed: u64) -> Self {
        Self::new(Source::Comfort(ComfortNoise::new(COMFORT_DBFS, seed)), 1.0, rate_hz)
    }

    /// The sound of a place, beginning somewhere in it. The first of a place and rate takes some 30 ms to make; it is kept
    /// for the calls after.
    pub fn place(rate_hz: u32, place: Place, seed: u64) -> Self {
        let sound = sound_of(place, rate_hz);
        let at = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize % sound.len().max(1);
        Self::new(Source::Place { sound, at }, amplitude(DUCK_DB), rate_hz)
    }

    fn new(source: Source, duck: f32, rate_hz: u32) -> Self {
        let step = |ms: u64| (1.0 - duck) / ms_to_samples(ms, rate_hz).max(1) as f32;
        let frame = ms_to_samples(FRAME_MS, rate_hz) as usize;
        Self { source, gain: 1.0, duck, fall: step(DUCK_MS), rise: step(RISE_MS), scratch: Vec::with_capacity(frame) }
    }

    /// Mixes what comes next into a frame, more softly while the agent speaks.
    pub fn mix(&mut self, frame: &mut [i16], is_speaking: bool) {
        self.scratch.resize(frame.len(), 0);
        match &mut self.source {
            Source::Comfort(noise) => noise.fill(&mut self.scratch),
            Source::Place { sound, at } => {
                for sample in &mut self.scratch {
                    *sample = sound.get(*at).copied().unwrap_or(0);
                    *at = if *at + 1 >= sound.len() { 0 } else { *at + 1 };
                }
            }
        }
        for (sample, &behind) in frame.iter_mut().zip(&self.scratch) {
            self.gain =
                if is_speaking { (self.gain - self.fall).max(self.duck) } else { (self.gain + self.rise).min(1.0) };
            *sample = sample.saturating_add(to_sample(f32::from(behind) * self.gain));
        }
    }
}

/// The loop of a place at a rate, made once per process.
fn sound_of(place: Place, rate_hz: u32) -> Arc<[i16]> {
    type Loops = Mutex<HashMap<(Place, u32), Arc<[i16]>>>;
    static LOOPS: OnceLock<Loops> = OnceLock::new();
    let mut loops = LOOPS.get_or_init(Loops::default).lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(loops.entry((place, rate_hz)).or_insert_with(|| make(place, rate_hz).into()))
}

fn make(place: Place, rate_hz: u32) -> Vec<i16> {
    let seam = ms_to_samples(SEAM_MS, rate_hz) as usize;
    let samples = ms_to_samples(LOOP_MS, rate_hz) as usize + seam;
    let mut sum = air(samples, rate_hz);
    level_to(&mut sum, 1.0);
    let mut murmur = vec![0.0; samples];
    (0..place.voices()).for_each(|voice| add_voice(&mut murmur, rate_hz, voice));
    level_to(&mut murmur, amplitude(place.voices_db()));
    sum.iter_mut().zip(&murmur).for_each(|(sum, murmur)| *sum += murmur);
    let whole = samples - seam;
    for n in 0..seam {
        let turn = (n as f32 + 0.5) / seam as f32 * PI / 2.0;
        sum[n] = sum[n] * turn.sin() + sum[whole + n] * turn.cos();
    }
    sum.truncate(whole);
    level_to(&mut sum, amplitude(place.level_dbfs()) * 32_768.0);
    sum.into_iter().map(to_sample).collect()
}

fn level_to(values: &mut [f32], rms: f32) {
    let power = values.iter().map(|value| value * value).sum::<f32>() / values.len().max(1) as f32;
    if power > 0.0 {
        let scale = rms / power.sqrt();
        values.iter_mut().for_each(|value| *value *= scale);
    }
}

/// Ventilation: noise with little above a few hundred hertz, that swells and sinks.
fn air(samples: usize, rate_hz: u32) -> Vec<f32> {
    let mut dice = Dice(0x5eed);
    let keep = 1.0 - (TAU * 350.0 / rate_hz as f32).min(0.9);
    let (mut low, mut lower) = (0.0, 0.0);
    (0..samples)
        .map(|n| {
            low = low * keep + dice.signed() * (1.0 - keep);
            lower = lower * keep + low * (1.0 - keep);
            let swell = 1.0 + 0.15 * (TAU * 0.21 * n as f32 / rate_hz as f32).sin();
            // A trace of the high end keeps it from sounding like a rumble.
            (lower + 0.08 * low) * swell
        })
        .collect()
}

/// Somebody far away: syllables of a buzz through two moving resonances, dulled by the room. Nothing in it is a word.
fn add_voice(sum: &mut [f32], rate_hz: u32, voice: u64) {
    let mut dice = Dice(0xbab_b1e + voice * 7_919);
    let base_hz = 95.0 + 130.0 * dice.next();
    let loudness = 0.4 + 0.6 * dice.next();
    let rate = rate_hz as f32;
    let (mut first, mut second) = (Resonance::default(), Resonance::default());
    let (mut phase, mut dull, mut left, mut length) = (0.0, 0.0, 0_usize, 1_usize);
    let mut hz = base_hz;
    let mut is_voiced = false;
    for value in sum {
        if left == 0 {
            is_voiced = dice.next() < 0.72;
            length = (rate * (0.11 + 0.16 * dice.next()) * if is_voiced { 1.0 } else { 2.2 }) as usize + 1;
            left = length;
            hz = base_hz * (0.85 + 0.35 * dice.next());
            first.tune(320.0 + 420.0 * dice.next(), 110.0, rate);
            second.tune(900.0 + 1_000.0 * dice.next(), 160.0, rate);
        }
        left -= 1;
        phase += hz / rate;
        let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
        phase -= pulse;
        let shape = (PI * left as f32 / length as f32).sin();
        let buzz = if is_voiced { (pulse + 0.02 * dice.signed()) * shape } else { 0.0 };
        dull = dull * 0.6 + (first.next(buzz) + 0.5 * second.next(buzz)) * 0.4;
        *value += dull * loudness;
    }
}

/// Two poles.
#[derive(Default)]
struct Resonance {
    a: f32,
    b: f32,
    last: f32,
    before: f32,
}

impl Resonance {
    fn tune(&mut self, hz: f32, width_hz: f32, rate: f32) {
        let radius = (-PI * width_hz / rate).exp();
        (self.a, self.b) = (2.0 * radius * (TAU * hz / rate).cos(), -radius * radius);
    }

    fn next(&mut self, input: f32) -> f32 {
        let value = input + self.a * self.last + self.b * self.before;
        (self.before, self.last) = (self.last, value);
        value
    }
}

/// xorshift64*, as in [`ComfortNoise`].
struct Dice(u64);

impl Dice {
    /// 0 to 1.
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1_u32 << 24) as f32
    }

    fn signed(&mut self) -> f32 {
        2.0 * self.next() - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level;

    const PLACES: [Place; 3] = [Place::Office, Place::CallCentre, Place::Room];

    fn seconds(bed: &mut Bed, rate: u32, seconds: usize, is_speaking: bool) -> Vec<i16> {
        let mut pcm = vec![0; rate as usize * seconds];
        pcm.chunks_exact_mut(rate as usize / 50).for_each(|frame| bed.mix(frame, is_speaking));
        pcm
    }

    #[test]
    fn a_place_has_its_loudness_and_is_lowered_under_speech() {
        for place in PLACES {
            let mut bed = Bed::place(8_000, place, 3);
            let open = level::rms_dbfs(&seconds(&mut bed, 8_000, 18, false));
            assert!((open - place.level_dbfs()).abs() < 1.0, "{place:?}: {open}");
            seconds(&mut bed, 8_000, 1, true);
            let ducked = level::rms_dbfs(&seconds(&mut bed, 8_000, 18, true));
            assert!((ducked - open - DUCK_DB).abs() < 1.0, "{place:?}: {ducked}");
        }
    }

    #[test]
    fn nothing_clicks_where_the_loop_begins_again() {
        for place in PLACES {
            let sound = sound_of(place, 8_000);
            let step = |n: usize| (i32::from(sound[(n + 1) % sound.len()]) - i32::from(sound[n])).abs();
            let largest = (0..sound.len() - 1).map(step).max().unwrap();
            assert!(step(sound.len() - 1) <= largest, "{place:?}");
        }
    }

    #[test]
    fn comfort_noise_fills_silence_softly_and_leaves_speech_alone() {
        let mut bed = Bed::comfort(16_000, 5);
        let silence = seconds(&mut bed, 16_000, 2, false);
        assert!((level::rms_dbfs(&silence) - COMFORT_DBFS).abs() < 1.5, "{}", level::rms_dbfs(&silence));
        let speech = crate::test_audio::voice(16_000, 1_000, -20.0);
        let mut heard = speech.clone();
        bed.mix(&mut heard, true);
        assert!((level::rms_dbfs(&heard) - level::rms_dbfs(&speech)).abs() < 0.05);
    }

    #[test]
    fn no_place_is_taken_for_a_speaker() {
        for place in PLACES {
            let mut bed = Bed::place(8_000, place, 9);
            let pcm = seconds(&mut bed, 8_000, 9, false);
            let loudest = pcm.chunks_exact(160).map(level::rms_dbfs).fold(-100.0, f32::max);
            assert!(loudest < crate::echo::AUDIBLE_DBFS_MIN, "{place:?}: {loudest}");
        }
    }
}
