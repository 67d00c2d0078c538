//! What a call will take of this machine, told without one: a second of a call's audio is listened to, and a call takes so
//! many times what that takes.
//!
//! The clock is given: what is found out of given times is always the same.

use base::limits;
use media::listener::{Listener, Settings};
use std::time::Duration;

/// How many times what listening takes a call takes: with sockets, both codecs, recognition and synthesis streams, recording and
/// journal, 4.1 to 4.4 thousandths of a core that listens with 0.28 (`cargo xtask bench calls`, 100 calls at once, everything on).
const CALL_TO_LISTENING: f64 = 15.0;
const RATE_HZ: u32 = 8_000;
const FRAME: usize = (RATE_HZ as u64 * limits::FRAME_MS / 1_000) as usize;
/// Half a second.
const ROUND_FRAMES: usize = 25;
/// The shortest round is the one in which nothing came between.
const ROUNDS: u32 = 8;

/// Thousandths of a core. `None` when not even one round was over in [`limits::CALIBRATION_MS_MAX`].
pub(super) fn call_millicores(mut clock: impl FnMut() -> Duration) -> Option<f64> {
    let settings = Settings { echo_guard: true, suppress_noise: false, auto_gain: true, neural: false };
    let mut listener = Listener::new(RATE_HZ, settings).ok()?;
    let audio: Vec<i16> = (0..FRAME * ROUND_FRAMES).map(spoken).collect();
    let began = clock();
    let mut shortest: Option<Duration> = None;
    for _ in 0..ROUNDS {
        let from = clock();
        for frame in audio.chunks_exact(FRAME) {
            listener.played(frame);
            listener.hear(frame, |_| None, |_| {});
        }
        let until = clock();
        if whole_ms(until.saturating_sub(began)) > limits::CALIBRATION_MS_MAX {
            break;
        }
        let round = until.saturating_sub(from);
        shortest = Some(shortest.map_or(round, |known| known.min(round)));
    }
    let round_ms = shortest?.as_secs_f64() * 1_000.0;
    let audio_ms = (ROUND_FRAMES as u64 * limits::FRAME_MS) as f64;
    // A clock that stood still says nothing.
    (round_ms > 0.0).then(|| round_ms / audio_ms * 1_000.0 * CALL_TO_LISTENING)
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Pulses of a voice's pitch, in syllables: for the ears that is speech.
fn spoken(sample: usize) -> i16 {
    let since_pulse = (sample % 64) as f32;
    let loud = if sample % 2_000 < 1_400 { 9_000.0 } else { 1_350.0 };
    (loud * (-since_pulse / 12.0).exp() * (since_pulse * 0.55).sin()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that passes so much between two looks, in turn.
    fn clock(steps_us: &[u64]) -> impl FnMut() -> Duration {
        let mut steps = std::iter::once(0).chain(steps_us.iter().copied().cycle());
        let mut now = Duration::ZERO;
        move || {
            now += Duration::from_micros(steps.next().unwrap_or(0));
            now
        }
    }

    #[test]
    fn the_shortest_round_counts() {
        // Looks come in pairs, around a round, behind one at the beginning.
        let call = call_millicores(clock(&[0, 500, 0, 2_500, 0, 900])).expect("rounds");
        assert_eq!(call, CALL_TO_LISTENING, "half a millisecond for half a second is a thousandth");
    }

    #[test]
    fn a_machine_that_takes_too_long_is_not_waited_for() {
        let over_us = limits::CALIBRATION_MS_MAX * 1_000 + 1_000;
        assert_eq!(call_millicores(clock(&[0, over_us])), None);
        let mut looks = 0;
        let mut slow = clock(&[0, 20_000]);
        let call = call_millicores(|| {
            looks += 1;
            slow()
        });
        assert_eq!(call, Some(40.0 * CALL_TO_LISTENING));
        assert!(looks < 2 * ROUNDS, "{looks} looks at the clock");
        assert_eq!(call_millicores(clock(&[0])), None, "a clock that stands still");
    }
}
