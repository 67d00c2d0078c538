//! Keeps the agent from hearing itself: on a phone leg its voice can come back, from a loudspeaker or from the line, up to
//! [`DELAY_MS_MAX`] later.
//!
//! [`EchoGuard`] is told every frame that is handed to the carrier ([`played`](EchoGuard::played)) and cleans every frame
//! that comes from the caller ([`hear`](EchoGuard::hear)). It looks for the echo only while the agent is audible and the
//! caller's side is loud for the line; most lines have none, and on those it costs next to nothing. Where it finds one, a
//! [filter](filter) takes it out of what the caller says at the same time, and what the filter leaves of the agent's voice
//! alone is lowered to the noise of the line.
//!
//! Positions are counted in frames heard: no clock is needed, only that frames are told in the order in which they
//! happen. A frame that is handed over ahead of time follows the one before it, as the carrier plays it.

mod filter;
mod ring;
mod search;
#[cfg(test)]
mod tests;

use crate::level;
use crate::tone::ComfortNoise;
use crate::{ms_to_samples, to_sample};
use base::limits::{FRAME_MS, PLAYOUT_LOOKAHEAD_MS, PLAYOUT_LOOKAHEAD_MS_MAX};
use filter::Filter;
use ring::Ring;
use search::{Peak, Search};

/// The longest way back that is looked for, from the hand-over of a frame: the carrier's buffer, the network twice, the
/// phone.
pub const DELAY_MS_MAX: u64 = 500;
/// Quieter than this the agent is silent, or there is only the [place](crate::ambience) behind it.
pub const AUDIBLE_DBFS_MIN: f32 = -42.0;
/// The gaps between words are no silence, and the caller hears all of it a little later.
const AUDIBLE_HOLD_MS: u64 = 300;
/// What is kept of the caller's side, to learn from once the delay is known.
const HEARD_MS: u64 = 240;
/// What is kept of what was played.
const PLAYED_MS: u64 = DELAY_MS_MAX + HEARD_MS * 2;
/// Frames learned from again once the delay is known.
const RELEARNED_FRAMES: i64 = 10;
/// How often.
const RELEARNED_TIMES: usize = 2;
/// How much earlier than its peak the way back may begin.
const EARLY_MS: u64 = 6;
/// A resemblance that is believed at once. Two people who speak at the same time resemble each other up to 0.7 now and
/// then, an echo from a room itself no more than 0.5: what tells them apart is that the echo stays where it is.
const LIKENESS_SURE: f32 = 0.85;
/// A resemblance that is believed when more looks in a row find it at the same delay.
const LIKENESS_LIKELY: f32 = 0.33;
/// How many looks in a row that takes, and how long they must go on where quite another delay is known: looks soon after
/// each other see the same audio.
const LOOKS_MIN: u32 = 2;
const LOOKS_OTHER_MS: u64 = 500;
/// Loud frames after which another delay that explains nothing is given up for the one that did.
const FRUITLESS_FRAMES_MAX: u32 = 40;
/// How much the delay may change from one utterance to the next, and for how long after its beginning a small change is
/// believed as soon as a new one.
const NEAR_MS: u64 = 60;
const BEGINNING_MS: u64 = 600;
/// Delays that count as the same.
const SAME_DELAY_MS: u64 = 2;
/// Looks frame by frame after an onset; later ones are made less often.
const LOOKS_AT_ONCE: u32 = 6;
const LOOK_EVERY_FRAMES: u32 = 6;
/// A frame that is so much louder than the ones before is an onset.
const ONSET_DB: f32 = 8.0;
/// Louder than the noise of the line by this: it may be an echo.
const LOUD_DB: f32 = 6.0;
const LOUD_DBFS_MIN: f32 = -58.0;
/// From this share on, a filter has the right delay.
const SHARE_GOOD: f32 = 0.6;
const SHARE_PROVEN: f32 = 0.9;
/// Frames of the agent without a trace of echo before the line counts as one without.
const TRACELESS_FRAMES_MAX: u32 = 500;
/// What the suppression may lower what is left of the agent's voice to.
const REST_GAIN_MIN: f32 = 0.05;
/// How much of what is left is taken for the agent's, beyond what is estimated.
const REST_SUSPICION: f32 = 1.5;
/// The level at which noise is made before it is brought to that of the line.
const FILL_DBFS: f32 = -20.0;
/// How fast a trusted filter is trusted less, per frame.
const LEAK_RISE: f32 = 1.01;

/// One call's guard.
pub struct EchoGuard {
    rate_hz: u32,
    frame: usize,
    played: Ring,
    heard: Ring,
    /// Position of the next frame heard.
    now: u64,
    /// The last stretch of the agent's voice.
    audible_from: u64,
    audible_until: u64,
    /// Where the stretch before it ended.
    audible_before: u64,
    floor_dbfs: f32,
    search: Search,
    looks: u32,
    until_look: u32,
    last_peak: Option<Peak>,
    /// Looks in a row that found the same.
    agreeing: u32,
    /// Where the first of them was.
    agreeing_from: u64,
    recent_dbfs: f32,
    path: Option<Path>,
    /// A delay at which a filter did explain the echo.
    proven: Option<u64>,
    /// Learns the way back; most lines have none.
    filter: Option<Box<Filter>>,
    noise: ComfortNoise,
    input: Vec<f32>,
    rest: Vec<f32>,
    fill: Vec<i16>,
}

/// A known way back.
#[derive(Clone, Copy, Debug)]
struct Path {
    /// How much later than the hand-over the filter begins, in samples; less than nothing where the peak is at once.
    offset: i64,
    /// How much of the filter's estimate is still in what it leaves, as a ratio of powers.
    leak: f32,
    rest_power: f32,
    gain: f32,
    /// The share of late.
    share: f32,
    traceless: u32,
    fruitless: u32,
}

impl EchoGuard {
    /// For a line at this rate.
    pub fn new(rate_hz: u32) -> Self {
        let frame = ms_to_samples(FRAME_MS, rate_hz).max(1) as usize;
        // Most carriers are sent no further ahead than this; the ring grows for the others.
        let kept_ms = PLAYED_MS + PLAYOUT_LOOKAHEAD_MS;
        Self {
            rate_hz,
            frame,
            played: Ring::new(ms_to_samples(kept_ms, rate_hz) as usize),
            heard: Ring::new(ms_to_samples(HEARD_MS, rate_hz) as usize),
            now: 0,
            audible_from: 0,
            audible_until: 0,
            audible_before: 0,
            floor_dbfs: LOUD_DBFS_MIN - LOUD_DB,
            search: Search::new(rate_hz),
            looks: 0,
            until_look: 0,
            last_peak: None,
            agreeing: 0,
            agreeing_from: 0,
            recent_dbfs: LOUD_DBFS_MIN,
            path: None,
            proven: None,
            filter: None,
            noise: ComfortNoise::new(FILL_DBFS, 0x9e37_79b9),
            input: vec![0.0; frame],
            rest: vec![0.0; frame],
            fill: vec![0; frame],
        }
    }

    /// This was handed to the carrier: one frame or several.
    pub fn played(&mut self, pcm: &[i16]) {
        // The caller's side has not said anything for a while, but time has passed.
        let ahead = self.played.end().saturating_sub(self.now);
        if ahead > self.samples(PLAYOUT_LOOKAHEAD_MS_MAX) {
            self.now = self.played.end() - self.samples(PLAYOUT_LOOKAHEAD_MS);
        }
        let ahead = self.played.end().max(self.now) - self.now + pcm.len() as u64;
        self.played.grow((self.samples(PLAYED_MS) + ahead) as usize);
        self.played.write(self.now, pcm);
        if level::rms_dbfs(pcm) >= AUDIBLE_DBFS_MIN {
            let from = self.played.end() - pcm.len() as u64;
            if from > self.audible_until + self.samples(AUDIBLE_HOLD_MS) {
                (self.audible_before, self.audible_from) = (self.audible_until, from);
                (self.looks, self.until_look) = (0, 0);
            }
            self.audible_until = self.played.end();
        }
    }

    /// What was handed over and not played yet was thrown away.
    pub fn stopped(&mut self) {
        self.played.cut(self.now + self.frame as u64);
        self.audible_until = self.audible_until.min(self.played.end());
    }

    /// Whether the caller hears the agent at the moment, as far as we can know.
    pub fn is_agent_audible(&self) -> bool {
        let hold = self.samples(AUDIBLE_HOLD_MS);
        self.audible_until > 0
            && self.now < self.audible_until + hold
            && (self.now >= self.audible_from || self.now < self.audible_before + hold)
    }

    /// How late the agent's voice comes back, where it does.
    pub fn delay_ms(&self) -> Option<u64> {
        self.delay().map(|delay| crate::samples_to_ms(delay, self.rate_hz))
    }

    fn delay(&self) -> Option<u64> {
        self.path.map(|path| (path.offset + self.samples(EARLY_MS) as i64).max(0) as u64)
    }

    /// Whether the echo of the present utterance has only begun.
    fn is_beginning(&self) -> bool {
        self.now < self.audible_from + self.delay().unwrap_or(0) + self.samples(BEGINNING_MS)
    }

    /// Cleans one frame from the caller, in place, and says how much of it is explained by the agent's own voice: 0
    /// nothing, 1 all. What is not a frame of [`FRAME_MS`] is left as it is.
    pub fn hear(&mut self, pcm: &mut [i16]) -> f32 {
        if pcm.len() != self.frame {
            return 0.0;
        }
        self.heard.write(self.now, pcm);
        let level_dbfs = level::rms_dbfs(pcm);
        let is_loud = level_dbfs >= LOUD_DBFS_MIN && level_dbfs >= self.floor_dbfs + LOUD_DB;
        self.follow_floor(level_dbfs);
        if level_dbfs > self.recent_dbfs + ONSET_DB {
            (self.looks, self.until_look) = (0, 0);
        }
        self.recent_dbfs += (level_dbfs - self.recent_dbfs) * 0.3;
        let share = if self.may_echo() { self.guard(pcm, is_loud) } else { 0.0 };
        self.now += self.frame as u64;
        share
    }

    /// Time passes as if a frame of so many samples had been heard, but the guard does not look at it: it then only knows
    /// whether the agent is audible.
    pub fn pass(&mut self, samples: usize) {
        self.now += samples as u64;
    }

    /// Whether anything of the agent's voice can be in the frame heard now.
    fn may_echo(&self) -> bool {
        let tail = self.samples(DELAY_MS_MAX) + filter::span(self.frame) as u64;
        self.audible_until > 0 && self.now < self.audible_until + tail
    }

    fn guard(&mut self, pcm: &mut [i16], is_loud: bool) -> f32 {
        if is_loud && self.path.is_none_or(|path| path.share < SHARE_GOOD) {
            self.look();
        }
        let Some(mut path) = self.path.take() else {
            let peak = self.last_peak.filter(|peak| is_loud && peak.likeness >= LIKENESS_LIKELY);
            return peak.map_or(0.0, |peak| peak.likeness * peak.likeness);
        };
        let share = self.clean(&mut path, self.now).map_or(0.0, |told| self.suppress(&mut path, pcm, told));
        path.share += (share - path.share) * if is_loud { 0.3 } else { 0.0 };
        path.traceless = if share > 0.3 { 0 } else { path.traceless + 1 };
        path.fruitless = if share > SHARE_GOOD { 0 } else { path.fruitless + u32::from(is_loud) };
        if path.fruitless > FRUITLESS_FRAMES_MAX
            && let Some(proven) = self.proven
        {
            path.offset = proven as i64 - self.samples(EARLY_MS) as i64;
            path.fruitless = 0;
        }
        if path.traceless <= TRACELESS_FRAMES_MAX {
            self.path = Some(path);
        }
        if path.share >= SHARE_PROVEN {
            self.proven = self.delay();
        }
        share
    }

    /// Looks for the echo, often at first.
    fn look(&mut self) {
        if self.until_look > 0 {
            self.until_look -= 1;
            return;
        }
        self.looks = self.looks.saturating_add(1);
        let at_once = self.looks < LOOKS_AT_ONCE && (self.path.is_none() || self.is_beginning());
        self.until_look = if at_once { 0 } else { LOOK_EVERY_FRAMES };
        let peak = self.search.run(&self.played, &self.heard, self.now + self.frame as u64);
        let last = std::mem::replace(&mut self.last_peak, peak);
        let Some(peak) = peak.filter(|peak| peak.likeness >= LIKENESS_LIKELY) else {
            self.agreeing = 0;
            return;
        };
        let same = self.samples(SAME_DELAY_MS);
        if last.is_some_and(|last| last.delay.abs_diff(peak.delay) <= same) {
            self.agreeing += 1;
        } else {
            (self.agreeing, self.agreeing_from) = (1, self.now);
        }
        let is_long = self.now >= self.agreeing_from + self.samples(LOOKS_OTHER_MS);
        let is_enough = self.agreeing >= LOOKS_MIN && (is_long || self.is_expected(peak.delay));
        if peak.likeness >= LIKENESS_SURE || is_enough {
            self.agreeing = 0;
            self.take_path(peak);
        }
    }

    /// Whether an echo at this delay is no surprise: where none is known yet, where it once was, or a little off at the
    /// beginning of an utterance, every one of which begins at another moment of a frame.
    fn is_expected(&self, delay: u64) -> bool {
        let near = self.samples(NEAR_MS);
        let was_there = self.proven.is_some_and(|proven| proven.abs_diff(delay) <= near);
        self.delay().is_none_or(|known| was_there || (self.is_beginning() && known.abs_diff(delay) <= near))
    }

    fn take_path(&mut self, peak: Peak) {
        let offset = peak.delay as i64 - self.samples(EARLY_MS) as i64;
        let same = self.samples(SAME_DELAY_MS) as i64;
        match &mut self.path {
            Some(path) if (path.offset - offset).abs() <= same => return,
            Some(path) => {
                // The same way back, a little earlier or later: every utterance begins at another moment of a frame.
                (path.offset, path.fruitless) = (offset, 0);
                if let Some(filter) = &mut self.filter {
                    filter.doubt(peak.gain);
                }
            }
            None => {
                let early = self.samples(EARLY_MS) as usize;
                self.filter.get_or_insert_with(|| Box::new(Filter::new(self.frame))).start(early, peak.gain);
                self.path = Some(Path {
                    offset,
                    leak: 1.0,
                    rest_power: 0.0,
                    gain: 1.0,
                    share: 0.0,
                    traceless: 0,
                    fruitless: 0,
                });
            }
        }
        let Some(mut path) = self.path else { return };
        for _ in 0..RELEARNED_TIMES {
            for back in (1..=RELEARNED_FRAMES).rev() {
                if let Some(at) = self.now.checked_sub(back as u64 * self.frame as u64) {
                    self.clean(&mut path, at);
                }
            }
        }
        self.path = Some(path);
    }

    /// Takes the agent's voice out of the frame heard at this position and leaves the rest in `rest`. The powers of frame,
    /// estimate and rest.
    fn clean(&mut self, path: &mut Path, at: u64) -> Option<Powers> {
        self.heard.read(at as i64, &mut self.input);
        let filter = self.filter.as_mut()?;
        filter.process(&self.played, at as i64 - path.offset, &self.input, &mut self.rest)?;
        let mut powers = Powers::default();
        for (heard, rest) in self.input.iter().zip(&self.rest) {
            powers.heard += heard * heard;
            powers.rest += rest * rest;
            powers.told += (heard - rest) * (heard - rest);
        }
        let loud = level::amplitude(self.floor_dbfs).powi(2) * self.frame as f32;
        if powers.told > loud {
            let ratio = powers.rest / powers.told;
            path.leak = if ratio < path.leak { path.leak + 0.3 * (ratio - path.leak) } else { path.leak * LEAK_RISE };
            path.leak = path.leak.min(1.0);
        }
        Some(powers)
    }

    /// Lowers what is left of the agent's voice and writes the frame.
    fn suppress(&mut self, path: &mut Path, pcm: &mut [i16], powers: Powers) -> f32 {
        if powers.heard <= f32::MIN_POSITIVE || powers.rest >= powers.heard {
            path.gain = 1.0;
            return 0.0; // The filter makes it worse: the frame stays as it was.
        }
        path.rest_power = (path.leak * powers.told).max(path.rest_power * 0.6);
        let own = (path.rest_power * REST_SUSPICION / powers.rest.max(f32::MIN_POSITIVE)).min(1.0);
        let gain =
            (1.0 - own).min(self.filter.as_ref().map_or(1.0, |filter| filter.foreign())).sqrt().max(REST_GAIN_MIN);
        let step = (gain - path.gain) / self.frame as f32;
        let hiss = level::amplitude(self.floor_dbfs - FILL_DBFS);
        self.noise.fill(&mut self.fill);
        for ((sample, rest), noise) in pcm.iter_mut().zip(&self.rest).zip(&self.fill) {
            path.gain += step;
            let lowered = (1.0 - path.gain * path.gain).max(0.0).sqrt();
            *sample = to_sample(rest * path.gain * 32_768.0 + f32::from(*noise) * hiss * lowered);
        }
        path.gain = gain;
        (1.0 - powers.rest * gain * gain / powers.heard).clamp(0.0, 1.0)
    }

    fn follow_floor(&mut self, level_dbfs: f32) {
        let change = level_dbfs.max(-80.0) - self.floor_dbfs;
        self.floor_dbfs += if change < 0.0 { change * 0.2 } else { change.min(0.05) };
        self.floor_dbfs = self.floor_dbfs.min(-30.0);
    }

    fn samples(&self, ms: u64) -> u64 {
        ms_to_samples(ms, self.rate_hz)
    }
}

impl std::fmt::Debug for EchoGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EchoGuard").field("now", &self.now).field("path", &self.path).finish_non_exhaustive()
    }
}

/// Sums of squares over one frame.
#[derive(Clone, Copy, Debug, Default)]
struct Powers {
    heard: f32,
    told: f32,
    rest: f32,
}
