//! What the engine wants to be heard: utterances, held or not, interludes, and lines that must be ready before they are
//! needed.

use super::{CallHost, HostMessage, Link};
use crate::phrases::{Found, Renderer, VoiceKey};
use crate::platform;
use crate::service::TtsSession;
use base::wire::Wire;
use base::{ErrorClass, UtteranceId};
use carriers::protocol::{CallAction, MediaCommand, Way};
use engine::io::{Input, SynthesisInput};
use model::routing::Stage;
use providers::tts::TtsOpen;
use std::sync::Arc;

/// Lines that the engine wants to have ready.
#[derive(Default)]
pub(super) struct Prepared {
    texts: Vec<String>,
    /// In which voice they were asked for.
    voice: Option<VoiceKey>,
}

impl CallHost {
    /// The voice that this call uses now, at the rate of its line.
    fn renderer(&self) -> Option<Renderer> {
        let voice = self.routes.voice_now()?;
        let bill = self.bill.under(Stage::Tts, &voice.provider, false);
        let (key, service) = VoiceKey::of(voice, self.mouth.rate_hz());
        Some(Renderer { service, key, bill })
    }

    /// Has these lines rendered. A phone platform's rate is known before its audio comes; a page says it with its socket.
    pub(super) fn prepare(&mut self, texts: Vec<String>) {
        self.prepared = Prepared { texts, voice: None };
        let control = self.shared.control(&self.call.carrier);
        if control.as_ref().is_some_and(|control| control.relays_words()) {
            return; // The platform speaks.
        }
        if self.link.is_some() || control.is_some() {
            self.render_prepared();
        }
    }

    /// Renders what was asked for, unless that was done for the voice and the rate of now.
    pub(super) fn render_prepared(&mut self) {
        if let Some(renderer) = self.renderer() {
            self.render_prepared_by(&renderer);
        }
    }

    fn render_prepared_by(&mut self, renderer: &Renderer) {
        if self.paper.is_none()
            && !self.prepared.texts.is_empty()
            && self.prepared.voice.as_ref() != Some(&renderer.key)
        {
            self.prepared.voice = Some(renderer.key.clone());
            self.shared.phrases.prepare(renderer.clone(), self.prepared.texts.iter().cloned());
        }
    }

    pub(super) fn speak(&mut self, utterance: UtteranceId, segment: u32, text: String) {
        if self.write(utterance, segment, &text) || self.relay_speaks(utterance, segment, &text) {
            return;
        }
        if self.mouth.utterance() != Some(utterance) {
            self.mouth.begin(utterance);
        }
        if self.mouth.takes_phrases()
            && let Some(renderer) = self.renderer()
        {
            self.render_prepared_by(&renderer); // Another voice may have taken over since.
            match self.shared.phrases.find(&renderer.key, &text) {
                Found::Ready(phrase) => {
                    for input in self.mouth.say_phrase(segment, &text, &phrase) {
                        self.queue(input);
                    }
                    return;
                }
                Found::Coming(session) => self.mouth.attach_render(session),
                Found::Missing => {}
            }
        }
        self.mouth.say(segment, text);
        self.open_voice();
    }

    /// Gives the words that wait to a synthesiser, when they have none.
    pub(super) fn open_voice(&mut self) {
        if !self.mouth.wants_session() {
            return;
        }
        match self.open_tts(self.mouth.rate_hz()) {
            Some(session) => self.mouth.attach(session),
            None => {
                let failed = self.mouth.fail(ErrorClass::Internal);
                failed.into_iter().for_each(|input| self.queue(input));
            }
        }
    }

    /// A synthesis session at the rate that suits the line.
    fn open_tts(&self, rate_hz: u32) -> Option<TtsSession> {
        let service = self.routes.tts()?;
        Some(service.open_billed(self.tts_open(rate_hz), &self.bill))
    }

    fn tts_open(&self, rate_hz: u32) -> TtsOpen {
        let (language, voice) = (self.agent.language.clone(), self.agent.voice.clone());
        TtsOpen { sample_rate_hz: rate_hz, language, voice, now_unix_ms: 0 }
    }

    /// A brain was asked: what it says will need a voice in a moment.
    pub(super) fn warm_voice(&self) {
        if let Some(service) = self.routes.tts() {
            service.warm(&self.tts_open(self.mouth.rate_hz()));
        }
    }

    /// Plays a line from the cache, or a waiting sound: the caller waits for no provider.
    pub(super) fn interlude(&mut self, utterance: UtteranceId, text: String) {
        if self.write_nothing(utterance) || self.relay_interlude(utterance, &text) {
            return;
        }
        let renderer = self.renderer();
        let phrase = renderer.as_ref().and_then(|renderer| self.shared.phrases.find_any(&renderer.key, &text));
        let event = match &phrase {
            Some(phrase) => self.mouth.interlude(utterance, &phrase.pcm).map(|end_ms| {
                let words = phrase.words.to_vec();
                SynthesisInput::SegmentDone { segment: 0, end_ms, words }
            }),
            None => {
                if let Some(renderer) = renderer {
                    self.shared.phrases.prepare(renderer, [text]); // For the next time.
                }
                let sound = media::tone::waiting_sound(self.mouth.rate_hz());
                self.mouth.interlude(utterance, &sound).map(|end_ms| SynthesisInput::Wordless { end_ms })
            }
        };
        let event = event.unwrap_or(SynthesisInput::Failed { class: ErrorClass::Internal });
        self.queue(Input::Synthesis { utterance, event });
    }

    /// Presses keys of the telephone: by the audio path or by a request where the carrier takes them so, otherwise as tones in the
    /// audio, which any carrier takes.
    pub(super) fn press(&mut self, utterance: UtteranceId, keys: &str) {
        if self.write_nothing(utterance) {
            return;
        }
        if self.press_beside_audio(utterance, keys) {
            return;
        }
        let pcm = media::dtmf::pressed(self.mouth.rate_hz(), keys);
        let done = |end_ms| SynthesisInput::SegmentDone { segment: 0, end_ms, words: Vec::new() };
        let event = self.mouth.interlude(utterance, &pcm).map(done);
        let event = event.unwrap_or(SynthesisInput::Failed { class: ErrorClass::Internal });
        self.queue(Input::Synthesis { utterance, event });
    }

    fn press_beside_audio(&mut self, utterance: UtteranceId, keys: &str) -> bool {
        let [done, over] = pressed(utterance);
        if let Some(link) = self.link.as_mut().filter(|link| link.protocol.takes_keys()) {
            link.protocol.on_command(MediaCommand::Keys(keys), &mut self.out);
            self.queue(done);
            self.queue(over);
            return true;
        }
        let Some((control, carrier_ref)) = self.shared.control(&self.call.carrier).zip(self.call.carrier_ref.clone())
        else {
            return false;
        };
        if !matches!(control.act(&carrier_ref, CallAction::Press(keys), crate::wall_ms()), Ok(Way::Request(_))) {
            return false;
        }
        let (shared, own, keys, id) = (Arc::clone(&self.shared), self.own.clone(), keys.to_owned(), self.call.id);
        self.shared.tasks.spawn(async move {
            let action = CallAction::Press(&keys);
            if let Err(failure) = platform::act(&shared.egress, control.as_ref(), &carrier_ref, action).await {
                tracing::warn!(call = %id, %failure, "the platform did not press the keys");
                let event = SynthesisInput::Failed { class: failure.class };
                let _ = own.send(HostMessage::Input(Input::Synthesis { utterance, event })).await;
                return;
            }
            for input in [done, over] {
                let _ = own.send(HostMessage::Input(input)).await; // The call may be over.
            }
        });
        true
    }

    pub(super) fn stop_playout(&mut self, utterance: UtteranceId) {
        if self.write_stopped(utterance) || self.relay_stops(utterance) {
            return;
        }
        let now = self.now();
        let stopped = self.mouth.stop(utterance, now);
        stopped.reports.into_iter().for_each(|input| self.queue(input));
        if !stopped.clears {
            return;
        }
        if let Some(Link { protocol, .. }) = &mut self.link {
            // Audio that was not sent yet in this very step is not sent at all.
            self.out.retain(|wire| matches!(wire, Wire::Close(..)));
            protocol.on_command(MediaCommand::Clear, &mut self.out);
        }
        self.desk.tap_clear();
        self.tape.agent_stopped(now);
        if let Some(ears) = &mut self.ears {
            ears.stopped();
        }
    }
}

/// The engine is told in the terms of a sound of no length.
fn pressed(utterance: UtteranceId) -> [Input; 2] {
    let done = Input::Synthesis { utterance, event: SynthesisInput::Wordless { end_ms: 1 } };
    [done, Input::Playout { utterance, played_ms: 1, finished: true }]
}
