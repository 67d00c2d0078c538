//! Audio of a call: codecs, resampling, framing, jitter buffer, RTP, pacing, playout, voice activity, recording, tones.
//!
//! Audio is 16-bit mono PCM at the carrier's rate, cut into frames of [`base::limits::FRAME_MS`] unless a type says
//! otherwise. Positions and durations handed in or out are whole milliseconds or samples, as their names say.
//! Everything here is a plain value that is told the time: after construction a frame allocates nothing and takes no
//! lock.
//!
//! **Must not know**: sockets, files, clocks, runtimes, carriers, the conversation. The recorder writes to whatever
//! `Write + Seek` it is given; whoever gives it decides which thread may block.
//!
//! Start reading at [`playout`] (what the caller hears and how we know), then [`pacer`] (when it is sent), then
//! [`listener`] (what the caller's audio goes through) and [`vad`] (when the caller speaks). `cargo run -p media --release
//! --example cost` prints what each block costs, `--example hear -- FILE.wav` what the ears make of a recording.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod ambience;
mod band;
pub mod denoise;
pub mod dtmf;
pub mod echo;
pub mod framer;
pub mod g711;
pub mod g722;
pub mod gain;
pub mod jitter;
pub mod l16;
pub mod level;
pub mod line_tones;
pub mod listener;
pub mod opus;
pub mod overlap;
pub mod pacer;
pub mod playout;
pub mod recorder;
pub mod resample;
pub mod rtp;
pub mod tone;
mod transform;
pub mod vad;

#[cfg(test)]
mod test_audio;

pub use framer::{Framer, Preroll};
pub use g711::Law;
pub use jitter::{JitterBuffer, JitterConfig};
pub use level::Meter;
pub use pacer::Pacer;
pub use playout::PlayoutBuffer;
pub use recorder::DualRecorder;
pub use resample::Resampler;

/// Whole milliseconds of this many samples, rounded down.
pub const fn samples_to_ms(samples: u64, rate_hz: u32) -> u64 {
    samples * 1_000 / rate_hz as u64
}

/// Samples of this many milliseconds, rounded down.
pub const fn ms_to_samples(ms: u64, rate_hz: u32) -> u64 {
    ms * rate_hz as u64 / 1_000
}

/// Rounds to the nearest 16-bit sample; what does not fit is clipped, not wrapped.
#[inline]
pub(crate) fn to_sample(value: f32) -> i16 {
    // `as` saturates. `f32::round` would be a library call on the baseline instruction set.
    (value + if value >= 0.0 { 0.5 } else { -0.5 }) as i16
}
