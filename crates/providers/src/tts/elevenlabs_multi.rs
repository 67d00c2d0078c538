//! ElevenLabs streaming synthesis with contexts, `/v1/text-to-speech/{voice}/multi-stream-input`.
//!
//! Source: elevenlabs.io/docs, "Multi-context WebSocket" reference. An utterance is a context of its socket: the service
//! says when it has ended, and an interruption ends the context before the socket. The documentation writes `contextId`,
//! servers have been seen to write `context_id`.

use super::elevenlabs::{Common, Reply, classify};
use super::utterance::Utterance;
use super::{TtsEvent, TtsOpen, TtsProtocol};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use crate::voices::Voices;
use base::ErrorClass;
use base::wire::{Connect, Wire};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "elevenlabs_multi",
    title: "ElevenLabs with contexts",
    ..super::elevenlabs::DESCRIPTOR
};

/// One utterance has one socket, and so one context.
const CONTEXT: &str = "1";

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    let common = Arc::new(Common::resolve(settings)?);
    let inactivity_timeout_s = Common::inactivity_timeout_s(settings)?;
    Ok(Box::new(move || {
        let utterance = Utterance::new(DESCRIPTOR.name);
        Box::new(Multi { common: common.clone(), inactivity_timeout_s, utterance })
    }))
}

struct Multi {
    common: Arc<Common>,
    inactivity_timeout_s: u64,
    utterance: Utterance,
}

impl TtsProtocol for Multi {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        self.common.choose_format(&mut self.utterance, open);
        let url = self.common.socket_url(&self.utterance, open, "multi-stream-input", self.inactivity_timeout_s);
        let mut begin = json!({"text": " ", "context_id": CONTEXT});
        if !self.common.voice_settings.is_empty() {
            begin["voice_settings"] = Value::Object(self.common.voice_settings.clone());
        }
        Connect {
            headers: self.common.headers(),
            first: vec![Wire::Text(begin.to_string())],
            ..Connect::websocket(url)
        }
    }

    fn sample_rate_hz(&self) -> u32 {
        self.utterance.sample_rate_hz()
    }

    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        if let Some(spoken) = self.utterance.push(text) {
            self.utterance.charge(1);
            let message = json!({"text": format!("{spoken} "), "context_id": CONTEXT, "flush": true});
            out.push(Wire::Text(message.to_string()));
        }
    }

    fn flush(&mut self, out: &mut Vec<Wire>) {
        if self.utterance.flush() {
            out.push(Wire::Text(json!({"context_id": CONTEXT, "close_context": true}).to_string()));
        }
    }

    fn cancel(&mut self, out: &mut Vec<Wire>) {
        if self.utterance.cancel() {
            out.push(Wire::Text(json!({"context_id": CONTEXT, "close_context": true}).to_string()));
            out.push(Wire::Text(json!({"close_socket": true}).to_string()));
            out.push(Wire::Close(1000, "".into()));
        }
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>) {
        if self.utterance.is_over() {
            return;
        }
        match message {
            Wire::Text(text) => match serde_json::from_str::<Reply>(text) {
                Ok(reply) if reply.context_id.as_deref().is_some_and(|id| id != CONTEXT) => {}
                Ok(reply) => reply.apply(&mut self.utterance, out),
                Err(_) => self.utterance.fail_of_protocol(out),
            },
            Wire::Close(code, _) => self.on_close(*code, out),
            Wire::Binary(_) | Wire::Request(_) | Wire::End => {}
        }
    }

    fn voices(&self) -> Option<Box<dyn Voices>> {
        Some(self.common.voices())
    }

    fn on_close(&mut self, code: u16, out: &mut Vec<TtsEvent>) {
        self.utterance.fail_of_close(self.classify(code, ""), code, out);
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        classify(status, body)
    }
}
