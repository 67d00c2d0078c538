//! Putting frames that a network delivers out of order, late, twice or not at all back into a steady stream.
//!
//! The order of frames follows their timestamps (RTP, RFC 3550); sequence numbers tell a frame that was lost from a pause
//! in which the sender sent nothing. How long frames wait follows how late they come: the delay rises at once with the
//! lateness that was seen and falls slowly. For sockets without timestamps, count frames and samples from zero.

/// Frames that can wait; also how far a timestamp may jump before it counts as a new stream.
const SLOTS: usize = 64;
/// Lateness is forgotten by this much per frame: 1 ms in a second of 20 ms frames.
const SPREAD_FALL_MS: f64 = 0.02;
/// The clocks of both sides drift apart; the fastest transit seen is forgotten by this much per frame.
const BASE_RISE_MS: f64 = 0.01;
/// Concealing longer than this sounds like a robot; silence is better.
const CONCEAL_MS_MAX: u64 = 100;
/// A delay that was not needed for this many frames is shortened by one frame.
const SHRINK_AFTER_FRAMES: u32 = 100;

/// The shape of a stream and the limits of its delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitterConfig {
    /// Samples per second, also of the timestamps.
    pub rate_hz: u32,
    /// Samples of every frame.
    pub frame_samples: usize,
    /// Least delay.
    pub delay_ms_min: u64,
    /// Most delay; frames that come later than this are lost.
    pub delay_ms_max: u64,
}

impl JitterConfig {
    /// Frames of [`base::limits::FRAME_MS`], 20 to 200 ms of delay.
    pub const fn for_rate(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            frame_samples: crate::ms_to_samples(base::limits::FRAME_MS, rate_hz) as usize,
            delay_ms_min: 20,
            delay_ms_max: 200,
        }
    }
}

/// What became of a frame that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It waits for its turn.
    Queued,
    /// It is here already.
    Duplicate,
    /// Its turn has passed.
    Late,
    /// It does not have [`JitterConfig::frame_samples`] samples.
    WrongSize,
    /// Its timestamp is far from all others: everything that waited was dropped and the stream begins with it.
    Restarted,
}

/// What the next frame of the steady stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Played {
    /// The frame that was sent.
    Frame,
    /// The frame is lost or late: the slice holds the last one, fading. A decoder with its own concealment uses that.
    Conceal {
        /// Which concealed frame in a row this is, from 1.
        run: u32,
    },
    /// The sender pauses, or nothing has come for long: the slice is silent.
    Silence,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Frames played as sent.
    pub played: u64,
    /// Frames concealed.
    pub concealed: u64,
    /// Frames that came after their turn.
    pub late: u64,
    /// Frames that came twice.
    pub duplicates: u64,
    /// Frames dropped to shorten the delay.
    pub skipped: u64,
    /// Times the stream began anew.
    pub restarts: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Index of the frame since the stream began.
    index: i64,
    sequence: u16,
}

/// See the module. One value per stream; all memory is taken at construction.
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    frame_ms: f64,
    slots: [Option<Slot>; SLOTS],
    pcm: Vec<i16>,
    last: Vec<i16>,
    waiting: usize,
    /// Timestamp of the frame with index `origin_index`.
    origin: Option<(u32, i64)>,
    next: i64,
    newest: i64,
    last_sequence: Option<u16>,
    playing: bool,
    /// Fastest transit seen and how much slower the slowest of late was, in milliseconds.
    base_ms: f64,
    spread_ms: f64,
    epoch_ms: u64,
    conceal_run: u32,
    /// Frames in a row that waited at least a frame longer than they had to.
    frames_over: u32,
    stats: JitterStats,
}

impl JitterBuffer {
    /// An empty buffer. Limits that contradict each other or exceed what can wait are moved together.
    pub fn new(config: JitterConfig) -> Self {
        let mut config = config;
        config.frame_samples = config.frame_samples.max(1);
        config.rate_hz = config.rate_hz.max(1);
        let frame_ms = config.frame_samples as f64 * 1_000.0 / f64::from(config.rate_hz);
        config.delay_ms_max = config.delay_ms_max.min((frame_ms * (SLOTS / 2) as f64) as u64);
        config.delay_ms_min = config.delay_ms_min.min(config.delay_ms_max);
        Self {
            frame_ms,
            slots: [None; SLOTS],
            pcm: vec![0; SLOTS * config.frame_samples],
            last: vec![0; config.frame_samples],
            config,
            waiting: 0,
            origin: None,
            next: 0,
            newest: -1,
            last_sequence: None,
            playing: false,
            base_ms: 0.0,
            spread_ms: 0.0,
            epoch_ms: 0,
            conceal_run: 0,
            frames_over: 0,
            stats: JitterStats::default(),
        }
    }

    /// Takes a frame that arrived at `now_ms`. `timestamp` counts samples and wraps, `sequence` counts frames and wraps.
    pub fn insert(&mut self, now_ms: u64, sequence: u16, timestamp: u32, pcm: &[i16]) -> Inserted {
        if pcm.len() != self.config.frame_samples {
            return Inserted::WrongSize;
        }
        let mut verdict = Inserted::Queued;
        let mut index = self.index_of(timestamp);
        if self.origin.is_none() || (index - self.next).unsigned_abs() as usize >= SLOTS {
            if self.origin.is_some() {
                self.stats.restarts += 1;
                verdict = Inserted::Restarted;
            }
            self.restart(now_ms, timestamp);
            index = 0;
        }
        self.observe(now_ms, index);
        // Before the first frame is played an earlier one may still take its place at the front.
        if self.last_sequence.is_none() && !self.playing && self.newest - index < SLOTS as i64 {
            self.next = self.next.min(index);
        }
        if index < self.next {
            self.stats.late += 1;
            return Inserted::Late;
        }
        let place = index.rem_euclid(SLOTS as i64) as usize;
        if let Some(slot) = self.slots[place] {
            if slot.index == index {
                self.stats.duplicates += 1;
                return Inserted::Duplicate;
            }
            self.waiting -= 1;
        }
        self.slots[place] = Some(Slot { index, sequence });
        let from = place * self.config.frame_samples;
        self.pcm[from..from + pcm.len()].copy_from_slice(pcm);
        self.waiting += 1;
        self.newest = self.newest.max(index);
        verdict
    }

    /// Gives the next frame, to be called once per frame time. `out` is filled whole; it should have
    /// [`JitterConfig::frame_samples`] samples.
    pub fn pull(&mut self, now_ms: u64, out: &mut [i16]) -> Played {
        if !self.playing && !self.begins(now_ms) {
            return self.gap(out, true);
        }
        self.catch_up(now_ms);
        if let Some(slot) = self.take(self.next, out) {
            self.next += 1;
            self.last_sequence = Some(slot.sequence);
            self.conceal_run = 0;
            self.stats.played += 1;
            return Played::Frame;
        }
        let is_pause = self.is_pause();
        // With less delay than the line needs, a gap is the moment to wait longer: the place is held, and a frame that is
        // merely late is still played. The same when nothing has come at all.
        if self.waiting > 0 && self.delay_of(self.next, now_ms) >= self.delay_ms() as f64 {
            self.next += 1;
        }
        let played = self.gap(out, is_pause);
        if played == Played::Silence && self.waiting == 0 {
            self.playing = false;
        }
        played
    }

    /// How long a frame is made to wait now: what the lateness seen of late asks for, within the limits.
    pub fn delay_ms(&self) -> u64 {
        let frames = (self.spread_ms / self.frame_ms).ceil() + 1.0;
        ((frames * self.frame_ms).ceil() as u64).clamp(self.config.delay_ms_min, self.config.delay_ms_max)
    }

    /// Frames that wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// What happened so far.
    pub fn stats(&self) -> JitterStats {
        self.stats
    }

    fn index_of(&self, timestamp: u32) -> i64 {
        let Some((origin, index)) = self.origin else { return 0 };
        // The difference wraps with the timestamps; as a signed number it is right within half of their range.
        let samples = i64::from(timestamp.wrapping_sub(origin) as i32);
        index + (samples + self.config.frame_samples as i64 / 2).div_euclid(self.config.frame_samples as i64)
    }

    fn restart(&mut self, now_ms: u64, timestamp: u32) {
        self.stats.skipped += self.waiting as u64;
        self.slots = [None; SLOTS];
        self.waiting = 0;
        self.origin = Some((timestamp, 0));
        (self.next, self.newest) = (0, -1);
        self.last_sequence = None;
        self.playing = false;
        self.epoch_ms = now_ms;
        self.base_ms = 0.0;
        self.frames_over = 0;
    }

    fn observe(&mut self, now_ms: u64, index: i64) {
        let transit_ms = now_ms.wrapping_sub(self.epoch_ms) as i64 as f64 - index as f64 * self.frame_ms;
        self.base_ms = (self.base_ms + BASE_RISE_MS).min(transit_ms);
        self.spread_ms = (self.spread_ms - SPREAD_FALL_MS).max(transit_ms - self.base_ms);
        self.spread_ms = self.spread_ms.clamp(0.0, self.config.delay_ms_max as f64);
    }

    /// How long the frame with this index waits if it is played now and came as fast as any, its own length included.
    fn delay_of(&self, index: i64, now_ms: u64) -> f64 {
        let since_ms = now_ms.wrapping_sub(self.epoch_ms) as i64 as f64;
        since_ms + self.frame_ms - self.base_ms - index as f64 * self.frame_ms
    }

    fn oldest(&self) -> Option<Slot> {
        let held = |index: i64| self.slots[index.rem_euclid(SLOTS as i64) as usize].filter(|slot| slot.index == index);
        (self.next..=self.newest).find_map(held)
    }

    /// Starts to play, from the oldest frame that waits, once that has waited long enough.
    fn begins(&mut self, now_ms: u64) -> bool {
        let Some(oldest) = self.oldest() else { return false };
        self.playing = self.delay_of(oldest.index, now_ms) >= self.delay_ms() as f64;
        if self.playing {
            self.next = oldest.index;
            self.frames_over = 0;
        }
        self.playing
    }

    /// Shortens a delay that is longer than the line needs: by gaps at once, by a frame when it was so for a while or
    /// when it is beyond the limit.
    fn catch_up(&mut self, now_ms: u64) {
        let wanted_ms = self.delay_ms() as f64;
        let limit_ms = self.config.delay_ms_max as f64 + self.frame_ms;
        while self.waiting > 0 && self.next < self.newest {
            let delay_ms = self.delay_of(self.next, now_ms);
            let place = self.next.rem_euclid(SLOTS as i64) as usize;
            let is_here = self.slots[place].is_some_and(|slot| slot.index == self.next);
            let is_over = delay_ms >= wanted_ms + self.frame_ms;
            if is_here && delay_ms <= limit_ms && self.frames_over < SHRINK_AFTER_FRAMES {
                self.frames_over = if is_over { self.frames_over + 1 } else { 0 };
                return;
            }
            if !is_here && !is_over {
                return;
            }
            if is_here {
                self.last_sequence = self.slots[place].take().map(|slot| slot.sequence);
                self.waiting -= 1;
                self.stats.skipped += 1;
                self.frames_over = 0;
            }
            self.next += 1;
        }
    }

    fn take(&mut self, index: i64, out: &mut [i16]) -> Option<Slot> {
        let place = index.rem_euclid(SLOTS as i64) as usize;
        let slot = self.slots[place].take_if(|slot| slot.index == index)?;
        self.waiting -= 1;
        let from = place * self.config.frame_samples;
        self.last.copy_from_slice(&self.pcm[from..from + self.config.frame_samples]);
        let count = out.len().min(self.last.len());
        out[..count].copy_from_slice(&self.last[..count]);
        out[count..].fill(0);
        Some(slot)
    }

    /// The frame after the gap follows the one before it without a number missing: nothing was lost in between.
    fn is_pause(&self) -> bool {
        match (self.oldest(), self.last_sequence) {
            (Some(slot), Some(last)) => slot.sequence == last.wrapping_add(1),
            _ => false,
        }
    }

    fn gap(&mut self, out: &mut [i16], is_pause: bool) -> Played {
        let concealed_ms = f64::from(self.conceal_run + 1) * self.frame_ms;
        if is_pause || self.last_sequence.is_none() || concealed_ms > CONCEAL_MS_MAX as f64 {
            out.fill(0);
            return Played::Silence;
        }
        self.conceal_run += 1;
        self.stats.concealed += 1;
        // Each repetition is half as loud as the one before, so that a long loss fades instead of buzzing.
        let shift = self.conceal_run.min(14);
        let count = out.len().min(self.last.len());
        for (sample, &last) in out.iter_mut().zip(&self.last) {
            *sample = last / (1 << shift);
        }
        out[count..].fill(0);
        Played::Conceal { run: self.conceal_run }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLES: usize = 160;

    fn buffer() -> JitterBuffer {
        JitterBuffer::new(JitterConfig::for_rate(8_000))
    }

    fn put(buffer: &mut JitterBuffer, now_ms: u64, n: u16) -> Inserted {
        let timestamp = 4_294_960_000_u32.wrapping_add(u32::from(n) * SAMPLES as u32);
        buffer.insert(now_ms, n.wrapping_add(65_500), timestamp, &[n as i16 + 1; SAMPLES])
    }

    /// What is played at every frame time of `until_ms`, given arrivals `(ms, frame)`.
    fn play(arrivals: &[(u64, u16)], until_ms: u64) -> (Vec<(Played, i16)>, JitterStats) {
        let mut buffer = buffer();
        let mut arrivals = arrivals.iter().peekable();
        let mut out = Vec::new();
        for now in (0..until_ms).step_by(20) {
            while let Some(&&(at, n)) = arrivals.peek().filter(|(at, _)| *at <= now) {
                put(&mut buffer, at, n);
                arrivals.next();
            }
            let mut frame = [9; SAMPLES];
            let played = buffer.pull(now, &mut frame);
            out.push((played, frame[0]));
            assert!(buffer.waiting() <= SLOTS);
        }
        (out, buffer.stats())
    }

    fn frames(out: &[(Played, i16)]) -> Vec<i16> {
        out.iter().filter(|(played, _)| *played == Played::Frame).map(|(_, value)| value - 1).collect()
    }

    #[test]
    fn a_steady_stream_is_played_whole_across_the_wrap_of_both_counters() {
        let arrivals: Vec<_> = (0..200).map(|n| (u64::from(n) * 20, n)).collect();
        let (out, stats) = play(&arrivals, 4_200);
        assert_eq!(frames(&out), (0..200).collect::<Vec<i16>>());
        assert_eq!((stats.late, stats.skipped, stats.restarts), (0, 0, 0));
        assert_eq!(out[0].0, Played::Frame, "no delay that the line does not need");
    }

    #[test]
    fn swapped_and_doubled_frames_are_put_right() {
        let mut arrivals = Vec::new();
        for n in (0..100).step_by(2) {
            arrivals.extend([
                (u64::from(n) * 20 + 25, n + 1),
                (u64::from(n) * 20 + 25, n),
                (u64::from(n) * 20 + 26, n),
            ]);
        }
        let (out, stats) = play(&arrivals, 2_300);
        assert_eq!(frames(&out), (0..100).collect::<Vec<i16>>());
        assert!(stats.duplicates + stats.late >= 49, "{stats:?}");
    }

    #[test]
    fn a_lost_frame_is_concealed_and_takes_its_own_time_only() {
        let arrivals: Vec<(u64, u16)> = (0..50).filter(|n| *n != 20).map(|n| (u64::from(n) * 20, n)).collect();
        let (out, stats) = play(&arrivals, 1_000);
        assert_eq!(out[20], (Played::Conceal { run: 1 }, 10), "the frame before, half as loud");
        assert_eq!(frames(&out).len(), 49);
        assert_eq!((stats.concealed, stats.skipped), (1, 0));
    }

    #[test]
    fn a_pause_of_the_sender_is_silent() {
        let mut buffer = JitterBuffer::new(JitterConfig { delay_ms_min: 100, ..JitterConfig::for_rate(8_000) });
        let mut frame = [0; SAMPLES];
        let sent = [(0_u16, 0_u32), (1, 1), (2, 2), (3, 5), (4, 6), (5, 7)];
        let mut heard = Vec::new();
        for now in (0..300).step_by(20) {
            for (sequence, n) in sent.into_iter().filter(|(_, n)| u64::from(*n) * 20 == now) {
                buffer.insert(now, sequence, n * SAMPLES as u32, &[100; SAMPLES]);
            }
            heard.push(buffer.pull(now, &mut frame));
        }
        assert_eq!(heard[..4], [Played::Silence; 4], "the delay asked for");
        assert_eq!(heard[4..7], [Played::Frame; 3]);
        assert_eq!(heard[7..9], [Played::Silence; 2]);
        assert_eq!(heard[9..12], [Played::Frame; 3]);
    }

    #[test]
    fn delay_grows_with_lateness_and_shrinks_when_the_line_recovers() {
        let mut arrivals: Vec<(u64, u16)> = (0..150).map(|n| (u64::from(n) * 20 + u64::from(n % 5) * 22, n)).collect();
        arrivals.extend((150..3_000).map(|n: u16| (u64::from(n) * 20, n)));
        arrivals.sort_by_key(|(at, _)| *at);
        let (out, stats) = play(&arrivals, 60_200);
        let rough = &out[50..150];
        assert!(rough.iter().filter(|(played, _)| *played != Played::Frame).count() <= 2, "{rough:?}");
        assert!(stats.skipped >= 2 && stats.skipped <= 8, "{stats:?}");
        assert!(frames(&out).len() >= 2_980);
    }

    #[test]
    fn a_dead_line_fades_into_silence_and_comes_back() {
        let mut arrivals: Vec<(u64, u16)> = (0..20).map(|n| (u64::from(n) * 20, n)).collect();
        arrivals.extend((60..100).map(|n| (u64::from(n) * 20, n)));
        let (out, _) = play(&arrivals, 2_100);
        assert!(out[21..28].iter().any(|(played, _)| matches!(played, Played::Conceal { .. })));
        assert!(out[30..55].iter().all(|(played, value)| *played == Played::Silence && *value == 0));
        assert!(frames(&out).len() >= 55);
    }

    #[test]
    fn a_new_stream_on_the_same_socket_begins_at_once() {
        let mut buffer = buffer();
        let mut frame = [0; SAMPLES];
        put(&mut buffer, 0, 0);
        assert_eq!(buffer.pull(0, &mut frame), Played::Frame);
        assert_eq!(buffer.insert(20, 9, 900_000, &[5; SAMPLES]), Inserted::Restarted);
        assert_eq!(buffer.pull(20, &mut frame), Played::Frame);
        assert_eq!(frame[0], 5);
        assert_eq!(buffer.insert(40, 10, 900_160, &[5; 3]), Inserted::WrongSize);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn frames_come_out_once_in_order_whatever_the_network_does(
            fates in prop::collection::vec((0u64..260, 0u8..20), 1..150),
        ) {
            let mut arrivals = Vec::new();
            for (n, (delay, fate)) in fates.iter().enumerate() {
                let at = n as u64 * 20 + delay;
                if *fate != 0 { arrivals.push((at, n as u16)); }
                if *fate == 1 { arrivals.push((at + 30, n as u16)); }
            }
            arrivals.sort_by_key(|(at, _)| *at);
            let (out, stats) = play(&arrivals, fates.len() as u64 * 20 + 800);
            let heard = frames(&out);
            prop_assert!(heard.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", heard);
            let gone = stats.late + stats.duplicates + stats.skipped;
            prop_assert_eq!(stats.played + gone, arrivals.len() as u64, "{:?}", stats);
        }

        #[test]
        fn lateness_within_the_limit_loses_little_once_it_is_known(
            seed in prop::collection::vec(0u64..90, 40), shift in 0u64..20,
        ) {
            let mut arrivals: Vec<(u64, u16)> =
                (0..400).map(|n| (u64::from(n) * 20 + shift + seed[n as usize % 40], n)).collect();
            arrivals.sort_by_key(|(at, _)| *at);
            let (out, _) = play(&arrivals, 8_400);
            let after = frames(&out).into_iter().filter(|n| *n >= 100).count();
            prop_assert!(after >= 295, "{} of 300", after);
        }

        #[test]
        fn any_packet_is_survived(
            packets in prop::collection::vec((0u64..50, any::<u16>(), any::<u32>(), 0usize..3, any::<bool>()), 0..200),
        ) {
            let mut buffer = buffer();
            let mut now = 0;
            let mut frame = [0; SAMPLES];
            for (pass, sequence, timestamp, size, pull) in packets {
                now += pass;
                buffer.insert(now, sequence, timestamp, &[1; SAMPLES * 2][..SAMPLES * size]);
                buffer.insert(now, sequence, timestamp % 9_999, &[1; SAMPLES]);
                if pull { buffer.pull(now, &mut frame); }
                prop_assert!(buffer.waiting() <= SLOTS);
            }
        }
    }
}
