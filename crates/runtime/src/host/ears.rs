//! The caller's audio on its way in: frames for the recording and for the recogniser, and what the engine must know of
//! them. What the audio goes through is [`media::listener`]; here it meets the agent's settings, the neural detector and the
//! engine's words.

use crate::service::NeuralVadSession;
use base::limits;
use engine::io::{LineTone, Overlap, SpeechInput};
use media::line_tones::ToneDetector;
use media::listener::{Heard, Listener, Settings};
use media::vad::Event;
use media::{Preroll, Resampler};
use model::agent::Sound;
use std::collections::VecDeque;

/// What the end-of-turn model looks at.
const JUDGED_MS: u64 = 8_000;
const JUDGED_HZ: u32 = 16_000;
/// Speech in which the first words are.
const FIRST_WORDS_MS: u64 = 400;
/// After so much silence a turn is over, whoever decides it.
const AFTER_SPEECH_MS: u64 = 1_500;
/// An answer has begun by then, or takes long.
const LONG_QUIET_MS: u64 = 3_000;
/// What one message from the carrier can give rise to; a message of more audio than that loses the oldest.
const EVENTS_MAX: usize = 64;

/// One frame of 20 ms from the caller.
pub(super) enum CallerFrame<'a> {
    /// As it came.
    Raw(&'a [i16]),
    /// For the recogniser: without the agent's own voice, at one level.
    Clean(&'a [i16]),
}

pub(super) struct Ears {
    rate_hz: u32,
    listener: Option<Listener>,
    neural: Option<Box<dyn NeuralVadSession>>,
    /// Only where we called: who is called by a machine is not our question.
    tones: Option<ToneDetector>,
    recent: Preroll,
    /// For how long the caller has been silent.
    quiet_ms: u64,
    events: VecDeque<SpeechInput>,
}

impl Ears {
    /// For a line at this rate. `judges`: somebody will want to hear the last seconds, to say whether a turn is over.
    pub(super) fn new(
        rate_hz: u32,
        sound: &Sound,
        is_outbound: bool,
        judges: bool,
        neural: Option<Box<dyn NeuralVadSession>>,
    ) -> Self {
        let settings = Settings {
            echo_guard: sound.echo_guard,
            suppress_noise: sound.suppress_noise,
            auto_gain: sound.auto_gain,
            neural: neural.is_some(),
        };
        let listener = Listener::new(rate_hz, settings);
        let listener = listener.map_err(|error| tracing::error!(%error, "nothing can be heard at this rate")).ok();
        Self {
            rate_hz,
            listener,
            neural,
            tones: is_outbound.then(|| ToneDetector::new(rate_hz)),
            recent: Preroll::new(if judges { JUDGED_MS } else { 0 }, rate_hz),
            quiet_ms: 0,
            events: VecDeque::with_capacity(EVENTS_MAX),
        }
    }

    /// The agent's audio that was handed to the carrier.
    pub(super) fn played(&mut self, frame: &[i16]) {
        if let Some(listener) = &mut self.listener {
            listener.played(frame);
        }
    }

    /// The agent's audio that was not played yet was thrown away.
    pub(super) fn stopped(&mut self) {
        if let Some(listener) = &mut self.listener {
            listener.stopped();
        }
    }

    /// Takes audio of any length. What is noticed in it waits for [`Ears::poll`].
    pub(super) fn hear(&mut self, pcm: &[i16], mut take: impl FnMut(CallerFrame<'_>)) {
        let heard_ms = media::samples_to_ms(pcm.len() as u64, self.rate_hz);
        let is_speaking = self.listener.as_ref().is_some_and(Listener::is_speaking);
        self.quiet_ms = if is_speaking { 0 } else { self.quiet_ms.saturating_add(heard_ms) };
        let Self { listener: Some(listener), neural, tones, recent, events, .. } = self else {
            take(CallerFrame::Raw(pcm));
            take(CallerFrame::Clean(pcm));
            return;
        };
        let neural = |frame: &[i16]| neural.as_mut().and_then(|neural| neural.push(frame));
        listener.hear(pcm, neural, |heard| {
            let event = match heard {
                Heard::Raw(frame) => {
                    take(CallerFrame::Raw(frame));
                    let tone = tones.as_mut().and_then(|tones| tones.push(frame));
                    tone.map(|tone| SpeechInput::Tone { tone: line_tone(tone) })
                }
                Heard::Clean(frame) => {
                    recent.push(frame);
                    take(CallerFrame::Clean(frame));
                    None
                }
                Heard::Speech(Event::SpeechStarted) => Some(SpeechInput::Started),
                Heard::Speech(Event::Lull { silence_ms }) => Some(SpeechInput::Lull { silence_ms }),
                Heard::Speech(Event::SpeechStopped { silence_ms }) => Some(SpeechInput::Stopped { silence_ms }),
                Heard::Overlap(seen) => Some(SpeechInput::Overlap(Overlap {
                    speech_ms: seen.speech_ms,
                    level_db: seen.level_db,
                    echo: seen.echo,
                    voice: seen.voice,
                    late_ms: seen.late_ms,
                })),
            };
            if let Some(event) = event {
                if events.len() == EVENTS_MAX {
                    events.pop_front();
                }
                events.push_back(event);
            }
        });
    }

    /// Whether it is clear that nobody will be answered within the next moment: the caller is speaking, or has been silent for
    /// long.
    pub(super) fn is_far_from_answer(&self) -> bool {
        self.listener.as_ref().is_some_and(|listener| listener.is_speaking() || self.quiet_ms >= LONG_QUIET_MS)
    }

    /// How much audio a recogniser should be given at a time. The first words come as they are said, because an interruption
    /// may be decided by them; later ones are only waited for at their end, and then what is left is sent at once. Who ends turns
    /// by itself is told soon that the caller has fallen silent.
    pub(super) fn piece_ms(&self) -> u64 {
        match self.listener.as_ref().and_then(Listener::speech_ms) {
            Some(speech_ms) if speech_ms < FIRST_WORDS_MS => limits::FRAME_MS,
            Some(_) => limits::STT_PIECE_MS,
            None if self.listener.is_none() => limits::FRAME_MS,
            None if self.quiet_ms < AFTER_SPEECH_MS => limits::STT_PIECE_MS,
            None => limits::STT_QUIET_PIECE_MS,
        }
    }

    /// What was noticed, in order.
    pub(super) fn poll(&mut self) -> Option<SpeechInput> {
        self.events.pop_front()
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

fn line_tone(tone: media::line_tones::LineTone) -> LineTone {
    match tone {
        media::line_tones::LineTone::Beep => LineTone::Beep,
        media::line_tones::LineTone::FaxCalling => LineTone::FaxCalling,
        media::line_tones::LineTone::FaxAnswering => LineTone::FaxAnswering,
        media::line_tones::LineTone::SpecialInformation => LineTone::SpecialInformation,
        media::line_tones::LineTone::CallProgress => LineTone::CallProgress,
    }
}
