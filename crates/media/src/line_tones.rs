//! Tones that say what is at the other end of a line: a voicemail's beep, a fax, an announcement of the network, ringing
//! or busy inside the audio.
//!
//! Audio is looked at in blocks of 20 ms. A bank of Goertzel filters finds the strongest frequency of a block, and one
//! more filter at the interpolated frequency tells how much of the block's energy it explains: nearly all of it for a
//! tone, never for speech, chords or keys. Runs of such blocks are judged by their frequency, length and surroundings.
//! Two-tone call progress is looked for in pairs of blocks, with its cadence.
//!
//! Sources: ITU-T T.30 (CNG, CED), ITU-T E.180 and Q.35 (special information tone, ringing, busy), V.25 (phase reversals
//! of an answering modem). Beeps follow no standard; their bounds are what answering machines do.

use std::f64::consts::TAU;

/// A tone of the network or of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineTone {
    /// A voicemail's beep, told when it is over.
    Beep,
    /// A calling fax (CNG, 1100 Hz for half a second).
    FaxCalling,
    /// An answering fax or modem (CED, 2100 Hz), told after one second of it.
    FaxAnswering,
    /// The three rising tones before an announcement of the network.
    SpecialInformation,
    /// Ringing, busy, congestion or a dial tone.
    CallProgress,
}

const BLOCK_MS: u32 = 20;
/// Largest block: 20 ms at 48 kHz.
const BLOCK_SAMPLES_MAX: usize = 960;
const BANK_FROM_HZ: f32 = 325.0;
const BANK_STEP_HZ: f32 = 25.0;
/// Up to 2200 Hz.
const BANK: usize = 76;
/// Part of a block's energy that a tone must explain.
const PURITY_MIN: f32 = 0.92;
/// Blocks below -46 dBFS are quiet.
const RMS_MIN: f32 = 164.0;
/// How far the frequency of one tone may wander.
const DRIFT_HZ_MAX: f32 = 12.0;

/// What must have been heard of a voice before a tone can be the beep after a greeting.
const VOICE_BEFORE_BEEP_MS: u32 = 300;
/// Edges of a beep fall into blocks that are not pure.
const BEEP_MS: std::ops::RangeInclusive<u32> = 100..=1_040;
/// Below this frequency a sung vowel may be as pure as a beep, so a beep must be longer.
const SUNG_HZ_MAX: f32 = 620.0;
const BEEP_SUNG_MS_MIN: u32 = 160;
/// A tone that grows out of other sound is a beep only when it is as long as no syllable.
const BEEP_IN_SOUND_MS_MIN: u32 = 260;
/// How long after a beep another tone would make it a melody.
const BEEP_ALONE_MS: u32 = 60;
/// The same for frequencies that call progress uses: the next burst of a busy tone must not come.
const BEEP_ALONE_PROGRESS_MS: u32 = 720;
/// Such a tone that lasts longer is ringing.
const BEEP_PROGRESS_MS_MAX: u32 = 760;
/// Silence from other tones before a beep.
const BEEP_BEFORE_MS: u32 = 300;

const CNG_HZ: (f32, f32) = (1_100.0, 38.0);
const CNG_MS: std::ops::RangeInclusive<u32> = 400..=620;
const CED_HZ: (f32, f32) = (2_100.0, 18.0);
const CED_MS: u32 = 1_000;
/// Low, middle and high of the special information tone. The ITU's 950, 1400 and 1800 Hz ± 50 cover North America's
/// 913.8/985.2, 1370.6/1428.5 and 1776.7 Hz.
const SIT_HZ: [(f32, f32); 3] = [(950.0, 52.0), (1_400.0, 52.0), (1_800.0, 52.0)];
const SIT_MS: std::ops::RangeInclusive<u32> = 160..=460;
const SIT_GAP_MS_MAX: u32 = 100;

/// Frequencies of call progress, in Hz.
const PROGRESS_HZ: [f32; 7] = [350.0, 400.0, 425.0, 440.0, 450.0, 480.0, 620.0];
/// Ringing and busy of North America, dial tone, ringing of Britain: indices into the frequencies above.
const PROGRESS_PAIRS: [(usize, usize); 4] = [(3, 5), (5, 6), (0, 3), (1, 4)];
/// Tones that other networks use alone, with a cadence.
const PROGRESS_SINGLE: [usize; 2] = [1, 2];
const WINDOW_BLOCKS: u8 = 2;
const WINDOW_MS: u32 = BLOCK_MS * WINDOW_BLOCKS as u32;
/// A dual tone as long as this needs no cadence.
const PROGRESS_STEADY_MS: u32 = 800;
const PROGRESS_BURST_MS_MIN: u32 = 160;
const PROGRESS_GAP_MS: std::ops::RangeInclusive<u32> = 100..=4_600;
/// How often the same finding is told again.
const PROGRESS_AGAIN_MS: u32 = 3_000;

fn is_near(hz: f32, (at, tolerance): (f32, f32)) -> bool {
    (hz - at).abs() <= tolerance
}

/// Listens to one stream for the tones of a line.
#[derive(Clone, Debug)]
pub struct ToneDetector {
    rate_hz: f32,
    block_samples: usize,
    block: [f32; BLOCK_SAMPLES_MAX],
    filled: usize,
    bank: [f32; BANK],
    /// Blocks seen, and how much of them was a voice or another sound that is no tone.
    now: u32,
    voice_ms: u32,
    /// Loudness of the last blocks, newest first.
    levels: [f32; 3],
    run: Option<Run>,
    /// The last two finished runs, newest first.
    past: [Option<Ended>; 2],
    /// A beep that is one unless another tone follows before this block.
    beep_until: Option<u32>,
    progress: Progress,
}

/// A tone going on.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: u32,
    /// Blocks from its first to its last.
    blocks: u32,
    /// Blocks that had the tone, and their mean frequency.
    pure: u32,
    hz_mean: f32,
    hz: (f32, f32),
    level: (f32, f32),
    /// Blocks without the tone since it was last heard: the phase of an answering modem's tone turns now and then.
    missed: u32,
    grew_out_of_sound: bool,
    is_told: bool,
}

/// A tone that is over.
#[derive(Clone, Copy, Debug)]
struct Ended {
    hz: f32,
    from: u32,
    /// The first block after it.
    until: u32,
    is_steady: bool,
    grew_out_of_sound: bool,
}

impl Ended {
    fn ms(&self) -> u32 {
        (self.until - self.from) * BLOCK_MS
    }
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Block {
    Quiet,
    Tone(f32),
    Sound,
}

impl ToneDetector {
    /// For audio at this rate: 8, 16 or up to 48 kHz.
    pub fn new(rate_hz: u32) -> Self {
        let rate_hz = rate_hz.clamp(8_000, 48_000);
        let mut bank = [0.0; BANK];
        for (n, coefficient) in bank.iter_mut().enumerate() {
            *coefficient = coefficient_of(BANK_FROM_HZ + BANK_STEP_HZ * n as f32, rate_hz as f32);
        }
        Self {
            rate_hz: rate_hz as f32,
            block_samples: (rate_hz * BLOCK_MS / 1_000) as usize,
            block: [0.0; BLOCK_SAMPLES_MAX],
            filled: 0,
            bank,
            now: 0,
            voice_ms: 0,
            levels: [0.0; 3],
            run: None,
            past: [None; 2],
            beep_until: None,
            progress: Progress::new(rate_hz as f32),
        }
    }

    /// Takes audio of any length and tells a tone once it is recognised. Of several in one push the first is told.
    pub fn push(&mut self, pcm: &[i16]) -> Option<LineTone> {
        let mut found = None;
        for &sample in pcm {
            self.block[self.filled] = f32::from(sample);
            self.filled += 1;
            if self.filled == self.block_samples {
                self.filled = 0;
                let tone = self.on_block();
                found = found.or(tone);
            }
        }
        found
    }

    fn on_block(&mut self) -> Option<LineTone> {
        let samples = &self.block[..self.block_samples];
        let energy: f32 = samples.iter().map(|sample| sample * sample).sum();
        let level = (energy / samples.len() as f32).sqrt();
        let block = if level < RMS_MIN { Block::Quiet } else { self.look(energy) };
        let progress = self.progress.on_block(&self.block[..self.block_samples], energy, block == Block::Sound);
        self.voice_ms = self.voice_ms.saturating_add(self.progress.take_voice_ms());
        let told = self.follow(block, level);
        self.levels = [level, self.levels[0], self.levels[1]];
        self.now = self.now.saturating_add(1);
        told.or_else(|| self.beep_alone()).or(progress)
    }

    /// Finds the strongest frequency and how much of the block it explains.
    fn look(&self, energy: f32) -> Block {
        let samples = &self.block[..self.block_samples];
        let (mut last, mut before) = ([0.0_f32; BANK], [0.0_f32; BANK]);
        for &sample in samples {
            for n in 0..BANK {
                let value = sample + self.bank[n] * last[n] - before[n];
                before[n] = last[n];
                last[n] = value;
            }
        }
        let amplitude =
            |n: usize| (last[n] * last[n] + before[n] * before[n] - self.bank[n] * last[n] * before[n]).max(0.0).sqrt();
        let (mut best, mut peak) = (0, 0.0);
        for n in 0..BANK {
            let amplitude = amplitude(n);
            if amplitude > peak {
                (best, peak) = (n, amplitude);
            }
        }
        if best == 0 || best == BANK - 1 {
            return Block::Sound;
        }
        let (left, right) = (amplitude(best - 1), amplitude(best + 1));
        let bend = left - 2.0 * peak + right;
        let shift = if bend < 0.0 { (0.5 * (left - right) / bend).clamp(-0.5, 0.5) } else { 0.0 };
        let hz = BANK_FROM_HZ + BANK_STEP_HZ * (best as f32 + shift);
        let power = power_at(samples, coefficient_of(hz, self.rate_hz));
        // A sine of amplitude a has energy a²n/2 and Goertzel power a²n²/4.
        let purity = 2.0 * power / (samples.len() as f32 * energy);
        if purity >= PURITY_MIN { Block::Tone(hz) } else { Block::Sound }
    }

    /// Follows the tone going on.
    fn follow(&mut self, block: Block, level: f32) -> Option<LineTone> {
        match (block, &mut self.run) {
            (Block::Tone(hz), Some(run)) if run.fits(hz) => {
                run.extend(hz, level);
                let ms = run.blocks * BLOCK_MS;
                let is_fax = !run.is_told && ms >= CED_MS && is_near(run.hz_mean, CED_HZ);
                run.is_told |= is_fax;
                is_fax.then_some(LineTone::FaxAnswering)
            }
            (Block::Tone(hz), _) => {
                let told = self.end_run(true);
                // The block before the first pure one may hold the tone's edge.
                let grew_out_of_sound = self.levels[1] > level * 0.3 && self.levels[0] > level * 0.3;
                self.run = Some(Run {
                    from: self.now,
                    blocks: 1,
                    pure: 1,
                    hz_mean: hz,
                    hz: (hz, hz),
                    level: (level, level),
                    missed: 0,
                    grew_out_of_sound,
                    is_told: false,
                });
                told
            }
            (_, Some(run)) => {
                run.missed += 1;
                if run.missed >= 2 { self.end_run(false) } else { None }
            }
            (_, None) => None,
        }
    }

    /// The tone is over; `followed` says that another begins at once.
    fn end_run(&mut self, followed: bool) -> Option<LineTone> {
        let run = self.run.take()?;
        // One block of anything is no tone, and breaks none.
        if run.blocks < 2 {
            return None;
        }
        let until = self.now - run.missed;
        let ended = Ended {
            hz: run.hz_mean,
            from: run.from,
            until,
            is_steady: run.is_steady(),
            grew_out_of_sound: run.grew_out_of_sound,
        };
        let past = self.past;
        self.past = [Some(ended), past[0]];
        // Another tone came: what seemed a beep was a note.
        let was_note = self.beep_until.take().is_some();
        if is_special_information(past[1], past[0], ended) {
            return Some(LineTone::SpecialInformation);
        }
        if followed || was_note || run.is_told {
            return None;
        }
        let has_voice = self.voice_ms >= VOICE_BEFORE_BEEP_MS;
        if !has_voice && is_near(ended.hz, CNG_HZ) && CNG_MS.contains(&ended.ms()) && ended.is_steady {
            return Some(LineTone::FaxCalling);
        }
        let is_first = past[0].is_none_or(|before| (ended.from - before.until) * BLOCK_MS > BEEP_BEFORE_MS);
        let is_progress = PROGRESS_SINGLE.iter().any(|&n| is_near(ended.hz, (PROGRESS_HZ[n], 10.0)));
        let is_ringing = is_progress && ended.ms() > BEEP_PROGRESS_MS_MAX;
        if has_voice && is_first && is_beep(&ended) && !is_ringing {
            let alone_ms = if is_progress { BEEP_ALONE_PROGRESS_MS } else { BEEP_ALONE_MS };
            self.beep_until = Some(self.now + alone_ms / BLOCK_MS);
        }
        None
    }

    fn beep_alone(&mut self) -> Option<LineTone> {
        let until = self.beep_until?;
        if self.run.is_some_and(|run| run.blocks >= 2) {
            self.beep_until = None;
            return None;
        }
        if self.now < until {
            return None;
        }
        self.beep_until = None;
        Some(LineTone::Beep)
    }
}

impl Run {
    fn fits(&self, hz: f32) -> bool {
        (hz - self.hz_mean).abs() <= DRIFT_HZ_MAX
    }

    fn extend(&mut self, hz: f32, level: f32) {
        self.blocks += 1 + std::mem::take(&mut self.missed);
        self.pure += 1;
        self.hz_mean += (hz - self.hz_mean) / self.pure as f32;
        self.hz = (self.hz.0.min(hz), self.hz.1.max(hz));
        self.level = (self.level.0.min(level), self.level.1.max(level));
    }

    fn is_steady(&self) -> bool {
        self.hz.1 - self.hz.0 <= DRIFT_HZ_MAX && self.level.1 <= self.level.0 * 2.0
    }
}

fn is_beep(tone: &Ended) -> bool {
    let min_ms = if tone.grew_out_of_sound {
        BEEP_IN_SOUND_MS_MIN
    } else if tone.hz < SUNG_HZ_MAX {
        BEEP_SUNG_MS_MIN
    } else {
        *BEEP_MS.start()
    };
    let ms = tone.ms();
    tone.is_steady && (380.0..=2_120.0).contains(&tone.hz) && BEEP_MS.contains(&ms) && ms >= min_ms
}

fn is_special_information(low: Option<Ended>, middle: Option<Ended>, high: Ended) -> bool {
    let (Some(low), Some(middle)) = (low, middle) else { return false };
    let tones = [low, middle, high];
    let fits = tones.iter().zip(SIT_HZ).all(|(tone, hz)| is_near(tone.hz, hz) && SIT_MS.contains(&tone.ms()));
    fits && tones.windows(2).all(|pair| (pair[1].from - pair[0].until) * BLOCK_MS <= SIT_GAP_MS_MAX)
}

/// Twice the cosine of the frequency: what a Goertzel filter is made of.
fn coefficient_of(hz: f32, rate_hz: f32) -> f32 {
    (2.0 * (TAU * f64::from(hz) / f64::from(rate_hz)).cos()) as f32
}

fn power_at(samples: &[f32], coefficient: f32) -> f32 {
    let (mut last, mut before) = (0.0_f32, 0.0_f32);
    for &sample in samples {
        let value = sample + coefficient * last - before;
        before = last;
        last = value;
    }
    (last * last + before * before - coefficient * last * before).max(0.0)
}

/// Ringing and busy: two tones together, or one with a cadence.
#[derive(Clone, Debug)]
struct Progress {
    coefficients: [f32; PROGRESS_HZ.len()],
    states: [(f32, f32); PROGRESS_HZ.len()],
    energy: f32,
    samples: usize,
    blocks: u8,
    sound_blocks: u8,
    voice_ms: u32,
    /// The present burst: which tone and how long.
    burst: Option<(u8, u32)>,
    last: Option<(u8, u32)>,
    gap_ms: u32,
    quiet_ms: u32,
}

impl Progress {
    fn new(rate_hz: f32) -> Self {
        let mut coefficients = [0.0; PROGRESS_HZ.len()];
        for (coefficient, hz) in coefficients.iter_mut().zip(PROGRESS_HZ) {
            *coefficient = coefficient_of(hz, rate_hz);
        }
        Self {
            coefficients,
            states: [(0.0, 0.0); PROGRESS_HZ.len()],
            energy: 0.0,
            samples: 0,
            blocks: 0,
            sound_blocks: 0,
            voice_ms: 0,
            burst: None,
            last: None,
            gap_ms: 0,
            quiet_ms: PROGRESS_AGAIN_MS,
        }
    }

    /// Sound since the last look that was no tone of the line.
    fn take_voice_ms(&mut self) -> u32 {
        std::mem::take(&mut self.voice_ms)
    }

    fn on_block(&mut self, samples: &[f32], energy: f32, is_sound: bool) -> Option<LineTone> {
        for &sample in samples {
            for (state, coefficient) in self.states.iter_mut().zip(self.coefficients) {
                *state = (sample + coefficient * state.0 - state.1, state.0);
            }
        }
        self.energy += energy;
        self.samples += samples.len();
        self.blocks += 1;
        self.sound_blocks += u8::from(is_sound);
        if self.blocks < WINDOW_BLOCKS {
            return None;
        }
        let kind = self.kind();
        if kind.is_none() {
            self.voice_ms += u32::from(self.sound_blocks) * BLOCK_MS;
        }
        self.states = [(0.0, 0.0); PROGRESS_HZ.len()];
        (self.energy, self.samples, self.blocks, self.sound_blocks) = (0.0, 0, 0, 0);
        self.cadence(kind)
    }

    /// Which tone fills the window; pairs come before single tones.
    fn kind(&self) -> Option<u8> {
        let samples = self.samples as f32;
        if self.energy < RMS_MIN * RMS_MIN * samples {
            return None;
        }
        let share = |n: usize| {
            let ((last, before), coefficient) = (self.states[n], self.coefficients[n]);
            2.0 * (last * last + before * before - coefficient * last * before) / (samples * self.energy)
        };
        let is_pair = |&(low, high): &(usize, usize)| {
            let (low, high) = (share(low), share(high));
            low > 0.25 && high > 0.25 && (0.75..1.45).contains(&(low + high))
        };
        if let Some(pair) = PROGRESS_PAIRS.iter().position(is_pair) {
            return Some(pair as u8);
        }
        let single = PROGRESS_SINGLE.into_iter().find(|&n| share(n) >= 0.9)?;
        Some((PROGRESS_PAIRS.len() + single) as u8)
    }

    fn cadence(&mut self, kind: Option<u8>) -> Option<LineTone> {
        self.quiet_ms = self.quiet_ms.saturating_add(WINDOW_MS);
        match (kind, self.burst) {
            (Some(kind), Some((same, ms))) if kind == same => {
                self.burst = Some((kind, ms + WINDOW_MS));
                let is_pair = usize::from(kind) < PROGRESS_PAIRS.len();
                if is_pair && ms + WINDOW_MS >= PROGRESS_STEADY_MS { self.tell() } else { None }
            }
            (Some(kind), _) => {
                self.burst = Some((kind, WINDOW_MS));
                None
            }
            (None, Some((kind, ms))) => {
                self.burst = None;
                if ms < PROGRESS_BURST_MS_MIN {
                    return None;
                }
                let is_again = self.last.is_some_and(|(before, before_ms)| {
                    before == kind && before_ms.abs_diff(ms) <= before_ms / 3 + WINDOW_MS
                });
                let is_cadence = is_again && PROGRESS_GAP_MS.contains(&self.gap_ms);
                self.last = Some((kind, ms));
                self.gap_ms = 0;
                if is_cadence { self.tell() } else { None }
            }
            (None, None) => {
                self.gap_ms = self.gap_ms.saturating_add(WINDOW_MS);
                None
            }
        }
    }

    fn tell(&mut self) -> Option<LineTone> {
        if self.quiet_ms < PROGRESS_AGAIN_MS {
            return None;
        }
        self.quiet_ms = 0;
        Some(LineTone::CallProgress)
    }
}

#[cfg(test)]
mod tests;
