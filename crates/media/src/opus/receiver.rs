//! A stream of Opus packets from a network as steady PCM: the jitter buffer holds the packets, so that one that was lost
//! can still be taken out of the one after it.

use super::{CLOCK_PER_FRAME, Decoder, OpusError, PACKET_FRAMES_MAX, packet_clock};
use crate::jitter::{Inserted, JitterBuffer, JitterConfig, JitterStats, Played};
use base::limits::FRAME_MS;

/// As many as the jitter buffer holds: two packets that wait never share a place.
const PLACES: i64 = 64;

/// What a frame of the steady stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// What was sent.
    Frame,
    /// A lost frame, from the redundancy of the packet after it.
    Recovered,
    /// A lost frame, guessed.
    Concealed,
    /// The sender pauses, or nothing has come for long.
    Silence,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Frames of the jitter buffer; those it calls concealed are `recovered` or guessed here.
    pub jitter: JitterStats,
    /// Lost frames that redundancy brought back.
    pub recovered: u64,
    /// Packets that were none, or shorter than a frame.
    pub refused: u64,
}

/// One frame of a packet that waits.
#[derive(Clone, Debug, Default)]
struct Place {
    /// Number of the frame since the first.
    frame: i64,
    /// Which frame of its packet it is.
    part: usize,
    packet: Vec<u8>,
}

/// See the module. One value per stream.
#[derive(Debug)]
pub struct Receiver {
    decoder: Decoder,
    jitter: JitterBuffer,
    places: Vec<Place>,
    /// The RTP time of frame 0, and of the newest packet, both without wrapping.
    origin: Option<i64>,
    newest: i64,
    /// The frame that was given out last, and the last one that redundancy gave.
    last: i64,
    recovered: Option<i64>,
    /// Decoded and not given out, of a packet of several frames: first the frame's number.
    rest: (i64, Vec<i16>),
    stats: ReceiverStats,
}

impl Receiver {
    /// A receiver to mono at this rate.
    ///
    /// # Errors
    /// For a rate that Opus does not know.
    pub fn new(rate_hz: u32) -> Result<Self, OpusError> {
        let decoder = Decoder::new(rate_hz)?;
        let rest = Vec::with_capacity(decoder.packet_samples_max());
        Ok(Self {
            decoder,
            // It orders frames by number and never sees their audio: one sample a frame says in which place it is.
            jitter: JitterBuffer::new(JitterConfig::for_rate(1_000 / FRAME_MS as u32)),
            places: vec![Place { frame: i64::MIN, ..Place::default() }; PLACES as usize],
            origin: None,
            newest: 0,
            last: -1,
            recovered: None,
            rest: (0, rest),
            stats: ReceiverStats::default(),
        })
    }

    /// Samples of the frames that [`Self::pull`] gives.
    pub fn frame_samples(&self) -> usize {
        self.decoder.frame_samples()
    }

    /// Takes the payload of an RTP packet that arrived at `now_ms`; `false` when it is none, or too short, too late or there
    /// already.
    pub fn insert(&mut self, now_ms: u64, sequence: u16, timestamp: u32, packet: &[u8]) -> bool {
        // Frames of less than FRAME_MS are not asked for, and what is sent all the same is not a whole frame.
        let frames = packet_clock(packet).map_or(0, |clock| clock / CLOCK_PER_FRAME) as usize;
        if frames == 0 || frames > PACKET_FRAMES_MAX {
            self.stats.refused += 1;
            return false;
        }
        let time = self.unwrapped(timestamp);
        let origin = *self.origin.get_or_insert(time);
        let half = i64::from(CLOCK_PER_FRAME / 2);
        let first = (time - origin + half).div_euclid(i64::from(CLOCK_PER_FRAME));
        let mut is_taken = false;
        for part in 0..frames {
            let frame = first + part as i64;
            let place = frame.rem_euclid(PLACES);
            // Consecutive over the parts of packets of one length, so that a pause is told from a loss.
            let sequence = sequence.wrapping_mul(frames as u16).wrapping_add(part as u16);
            let inserted = self.jitter.insert(now_ms, sequence, frame as u32, &[place as i16]);
            if inserted == Inserted::Restarted {
                self.restart(frame);
            }
            if matches!(inserted, Inserted::Queued | Inserted::Restarted) {
                let place = &mut self.places[place as usize];
                (place.frame, place.part) = (frame, part);
                place.packet.clear();
                place.packet.extend_from_slice(packet);
                is_taken = true;
            }
        }
        is_taken
    }

    /// Fills `out` with the next frame; to be called once per frame time.
    pub fn pull(&mut self, now_ms: u64, out: &mut [i16]) -> Heard {
        // A frame that came after redundancy had given it is passed over; the one behind it is there.
        for _ in 0..2 {
            let mut place = [0_i16];
            match self.jitter.pull(now_ms, &mut place) {
                Played::Silence => break,
                Played::Conceal { .. } => return self.fill_gap(out),
                Played::Frame => {
                    let place = usize::from(place[0].unsigned_abs()) % self.places.len();
                    let frame = self.places[place].frame;
                    if self.recovered.is_some_and(|recovered| frame <= recovered) {
                        continue;
                    }
                    self.last = frame;
                    return self.play(place, out);
                }
            }
        }
        out.fill(0);
        Heard::Silence
    }

    /// What happened so far.
    pub fn stats(&self) -> ReceiverStats {
        ReceiverStats { jitter: self.jitter.stats(), ..self.stats }
    }

    /// How long a frame is made to wait now.
    pub fn delay_ms(&self) -> u64 {
        self.jitter.delay_ms()
    }

    fn unwrapped(&mut self, timestamp: u32) -> i64 {
        let time = match self.origin {
            None => i64::from(timestamp),
            Some(_) => self.newest + i64::from(timestamp.wrapping_sub(self.newest as u32) as i32),
        };
        self.newest = time;
        time
    }

    fn restart(&mut self, frame: i64) {
        self.decoder.reset();
        self.rest.1.clear();
        self.last = frame - 1;
        self.recovered = None;
    }

    fn play(&mut self, place: usize, out: &mut [i16]) -> Heard {
        let samples = self.decoder.frame_samples();
        let Place { frame, part, ref packet } = self.places[place];
        if self.rest.0 != frame || self.rest.1.len() < samples {
            let whole = self.decoder.packet_samples_max();
            let (number, rest) = &mut self.rest;
            rest.resize(whole, 0);
            let decoded = self.decoder.decode(packet, rest).unwrap_or(0);
            rest.truncate(decoded);
            rest.drain(..(part * samples).min(decoded));
            *number = frame;
            if rest.len() < samples {
                rest.clear();
                self.stats.refused += 1;
                return self.guess(out);
            }
        }
        let (number, rest) = &mut self.rest;
        copy(&rest[..samples], out);
        rest.drain(..samples);
        *number = frame + 1;
        Heard::Frame
    }

    fn fill_gap(&mut self, out: &mut [i16]) -> Heard {
        let missing = self.last + 1;
        let after = &self.places[(missing + 1).rem_euclid(PLACES) as usize];
        if after.frame == missing + 1 && after.part == 0 && out.len() == self.decoder.frame_samples() {
            self.rest.1.clear();
            if self.decoder.recover(&after.packet, out).is_ok() {
                (self.last, self.recovered) = (missing, Some(missing));
                self.stats.recovered += 1;
                return Heard::Recovered;
            }
        }
        if self.jitter.waiting() > 0 {
            self.last = missing;
        }
        self.guess(out)
    }

    fn guess(&mut self, out: &mut [i16]) -> Heard {
        if self.decoder.conceal(out).is_err() {
            out.fill(0);
        }
        Heard::Concealed
    }
}

fn copy(from: &[i16], out: &mut [i16]) {
    let count = from.len().min(out.len());
    out[..count].copy_from_slice(&from[..count]);
    out[count..].fill(0);
}

#[cfg(test)]
mod tests {
    use super::super::{Encoder, PACKET_BYTES_MAX};
    use super::*;
    use crate::test_audio::voice;
    use proptest::prelude::*;

    const RATE: u32 = 16_000;
    const FRAME: usize = 320;

    fn packets(pcm: &[i16]) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(RATE).unwrap();
        let mut out = [0; PACKET_BYTES_MAX];
        let encode = |frame: &[i16]| {
            let length = encoder.encode(frame, &mut out).unwrap();
            out[..length].to_vec()
        };
        pcm.chunks_exact(FRAME).map(encode).collect()
    }

    /// What is heard when packet `n` arrives at `arrival(n)`, if at all.
    fn hear(packets: &[Vec<u8>], arrival: impl Fn(usize) -> Option<u64>) -> (Vec<Heard>, Vec<i16>, ReceiverStats) {
        let mut arrivals: Vec<(u64, usize)> =
            (0..packets.len()).filter_map(|n| arrival(n).map(|at_ms| (at_ms, n))).collect();
        arrivals.sort_unstable();
        let mut arrivals = arrivals.into_iter().peekable();
        let mut receiver = Receiver::new(RATE).unwrap();
        let (mut heard, mut pcm) = (Vec::new(), Vec::new());
        for now in (0..packets.len() as u64 * 20 + 400).step_by(20) {
            while let Some((at_ms, n)) = arrivals.next_if(|(at_ms, _)| *at_ms <= now) {
                let timestamp = 4_294_900_000_u32.wrapping_add(n as u32 * CLOCK_PER_FRAME);
                receiver.insert(at_ms, 65_500_u16.wrapping_add(n as u16), timestamp, &packets[n]);
            }
            let mut frame = [0; FRAME];
            heard.push(receiver.pull(now, &mut frame));
            pcm.extend_from_slice(&frame);
        }
        (heard, pcm, receiver.stats())
    }

    fn chance(n: usize, salt: u64) -> u64 {
        let mixed =
            (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(salt.wrapping_mul(0xd1b5_4a32_d192_ed03));
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
    }

    #[test]
    fn a_steady_stream_is_heard_whole() {
        let packets = packets(&voice(RATE, 2_000, -20.0));
        let (heard, _, stats) = hear(&packets, |n| Some(n as u64 * 20));
        assert!(heard[..100].iter().all(|heard| *heard == Heard::Frame), "{heard:?}");
        assert_eq!((stats.recovered, stats.refused, stats.jitter.late), (0, 0, 0));
    }

    #[test]
    fn frames_lost_one_by_one_come_back_from_redundancy() {
        let packets = packets(&voice(RATE, 4_000, -20.0));
        // A line that jitters: so packets wait, and the one after a loss is there in time.
        let arrival = |n: usize| (n % 20 != 7).then_some(n as u64 * 20 + chance(n, 1) % 50);
        let (heard, _, stats) = hear(&packets, arrival);
        assert!(stats.recovered >= 8, "{stats:?}");
        let poor = heard[40..190].iter().filter(|heard| matches!(heard, Heard::Concealed | Heard::Silence)).count();
        assert!(poor <= 3, "{heard:?}");
    }

    #[test]
    fn packets_of_several_frames_are_taken_apart() {
        let mut encoder = opus::Encoder::new(RATE, opus::Channels::Mono, opus::Application::Voip).unwrap();
        let pcm = voice(RATE, 1_200, -20.0);
        let mut receiver = Receiver::new(RATE).unwrap();
        let mut heard = Vec::new();
        for (n, frames) in pcm.chunks_exact(FRAME * 3).enumerate() {
            let packet = encoder.encode_vec(frames, 4_000).unwrap();
            receiver.insert(n as u64 * 60, n as u16, n as u32 * 3 * CLOCK_PER_FRAME, &packet);
            for part in 0..3 {
                heard.push(receiver.pull(n as u64 * 60 + part * 20, &mut [0; FRAME]));
            }
        }
        assert!(heard.iter().filter(|heard| **heard == Heard::Frame).count() >= 56, "{heard:?}");
    }

    #[test]
    fn packets_shorter_than_a_frame_and_bytes_that_are_none_are_refused() {
        let mut receiver = Receiver::new(RATE).unwrap();
        assert!(!receiver.insert(0, 0, 0, &[]));
        assert!(!receiver.insert(0, 0, 0, &[0x00, 1, 2, 3]), "10 ms");
        assert!(!receiver.insert(0, 0, 0, &[0xff, 0xff]));
        assert_eq!(receiver.stats().refused, 3);
        assert_eq!(receiver.pull(0, &mut [1; FRAME]), Heard::Silence);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_frame_is_heard_twice_or_out_of_order(salt in 0u64..10_000, loss in 0u64..12, jitter_ms in 1u64..120) {
            static PACKETS: std::sync::LazyLock<Vec<Vec<u8>>> =
                std::sync::LazyLock::new(|| packets(&voice(RATE, 2_000, -20.0)));
            let arrival = |n: usize| {
                (chance(n, salt) % 100 >= loss).then_some(n as u64 * 20 + chance(n, salt + 1) % jitter_ms)
            };
            let mut arrivals: Vec<(u64, usize)> = (0..100).filter_map(|n| arrival(n).map(|at| (at, n))).collect();
            arrivals.sort_unstable();
            let mut arrivals = arrivals.into_iter().peekable();
            let mut receiver = Receiver::new(RATE).unwrap();
            let mut given: Vec<i64> = Vec::new();
            for now in (0..2_600).step_by(20) {
                while let Some((at_ms, n)) = arrivals.next_if(|(at_ms, _)| *at_ms <= now) {
                    receiver.insert(at_ms, n as u16, n as u32 * CLOCK_PER_FRAME, &PACKETS[n]);
                }
                if matches!(receiver.pull(now, &mut [0; FRAME]), Heard::Frame | Heard::Recovered) {
                    given.push(receiver.last);
                }
            }
            prop_assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", given);
        }

        #[test]
        fn any_packets_are_survived(
            packets in prop::collection::vec((any::<u16>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..60)), 1..60),
        ) {
            let mut receiver = Receiver::new(RATE).unwrap();
            for (n, (sequence, timestamp, packet)) in packets.into_iter().enumerate() {
                receiver.insert(n as u64 * 7, sequence, timestamp % 60_000, &packet);
                receiver.insert(n as u64 * 7, sequence, timestamp, &packet);
                receiver.pull(n as u64 * 7, &mut [0; FRAME]);
            }
        }
    }
}
