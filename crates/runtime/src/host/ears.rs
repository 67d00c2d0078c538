//! The caller's audio on its way in: frames for the recogniser and the recording, speech events for the engine.

use crate::service::NeuralVadSession;
use media::vad::{Config, Detector, Event, Gate};
use media::{Framer, Preroll, Resampler};

/// What the end-of-turn model looks at.
const JUDGED_MS: u64 = 8_000;
const JUDGED_HZ: u32 = 16_000;

/// What came out of the caller's audio.
pub(super) enum Heard<'a> {
    /// One 20 ms frame.
    Frame(&'a [i16]),
    /// Speech began.
    Started,
    /// Speech ended.
    Stopped {
        /// How long ago.
        silence_ms: u64,
    },
}

pub(super) struct Ears {
    rate_hz: u32,
    framer: Framer,
    gate: Option<Gate>,
    detector: Detector,
    neural: Option<Box<dyn NeuralVadSession>>,
    recent: Preroll,
}

impl Ears {
    pub(super) fn new(rate_hz: u32, neural: Option<Box<dyn NeuralVadSession>>) -> Self {
        let gate = Gate::new(rate_hz).map_err(|error| tracing::error!(%error, "no voice activity at this rate")).ok();
        let config = Config { neural: neural.is_some(), ..Config::default() };
        Self {
            rate_hz,
            framer: Framer::for_rate(rate_hz),
            gate,
            detector: Detector::new(config),
            neural,
            recent: Preroll::new(JUDGED_MS, rate_hz),
        }
    }

    /// Takes audio of any length and says what is in it, in order.
    pub(super) fn hear(&mut self, pcm: &[i16], mut tell: impl FnMut(Heard<'_>)) {
        let Self { framer, gate, detector, neural, recent, .. } = self;
        framer.push(pcm, |frame| {
            recent.push(frame);
            tell(Heard::Frame(frame));
            let Some(gate) = gate else { return };
            let mut seen = gate.push(frame);
            if let Some(neural) = neural
                && detector.wants_neural()
                && let Some(probability) = neural.push(frame)
            {
                seen = seen.with_neural(probability);
            }
            match detector.push(seen) {
                Some(Event::SpeechStarted) => tell(Heard::Started),
                Some(Event::SpeechStopped { silence_ms }) => tell(Heard::Stopped { silence_ms }),
                None => {}
            }
        });
    }

    /// The last seconds at 16 kHz, for the end-of-turn model.
    pub(super) fn recent_16k(&self) -> Vec<i16> {
        let (front, back) = self.recent.parts();
        let mut out = Vec::with_capacity((JUDGED_MS * u64::from(JUDGED_HZ) / 1000) as usize);
        if self.rate_hz == JUDGED_HZ {
            out.extend_from_slice(front);
            out.extend_from_slice(back);
        } else if let Ok(mut resampler) = Resampler::new(self.rate_hz, JUDGED_HZ) {
            resampler.process(front, &mut out);
            resampler.process(back, &mut out);
        }
        out
    }
}
