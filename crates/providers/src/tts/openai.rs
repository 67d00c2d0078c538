//! OpenAI speech, `POST /v1/audio/speech`, one request per sentence; other servers speak the same.
//!
//! Source: developers.openai.com, "Text to speech" and the API reference, and the types of the vendor's Python package. Raw
//! audio comes at 24 kHz and at no other rate. The service tells no times of words. The vendor has announced the end of this
//! endpoint for 2027-01-06.

use super::utterance::Utterance;
use super::{TtsEvent, TtsOpen, TtsProtocol};
use crate::answer::{classify_status, error_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use crate::voices::{KnownVoices, VoiceInfo, Voices};
use base::ErrorClass;
use base::wire::{Connect, Header, HttpRequest, Method, Wire};
use model::routing::{Feature, Region};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "openai",
    title: "OpenAI",
    base_url: "https://api.openai.com/v1",
    key_env: "OPENAI_API_KEY",
    base_url_env: "OPENAI_BASE_URL",
    model_env: Some("OPENAI_TTS_MODEL"),
    voice_env: Some("OPENAI_TTS_VOICE"),
    model: Some("gpt-4o-mini-tts"),
    voice: Some("marin"),
    extra: &[
        ("instructions", "How to speak, in words, such as `Calm and friendly.`; not for the tts-1 models."),
        ("speed", "Pace from 0.25 to 4."),
    ],
    key_optional: true,
    region: Some(Region::Us),
    features: &[Feature::Emotion],
    quality: 75,
    ..Descriptor::NONE
};

const RATE_HZ: u32 = 24_000;

struct Config {
    settings: Settings,
    speed: Option<f64>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    if let Some(words) = settings.text("instructions").filter(|_| settings.model().starts_with("tts-1")) {
        return Err(settings.value_error("instructions", words, "left out, because this model takes none"));
    }
    let config = Arc::new(Config { speed: settings.number("speed", 0.25..=4.0)?, settings: settings.clone() });
    Ok(Box::new(move || {
        Box::new(Speech { config: config.clone(), utterance: Utterance::new(DESCRIPTOR.name), voice: String::new() })
    }))
}

struct Speech {
    config: Arc<Config>,
    utterance: Utterance,
    voice: String,
}

impl Speech {
    fn request(&self, text: &str) -> HttpRequest {
        let settings = &self.config.settings;
        // Voices of the account's own are named by an id, the vendor's by a word.
        let voice = if self.voice.starts_with("voice_") { json!({"id": self.voice}) } else { json!(self.voice) };
        let mut body = json!({
            "model": settings.model(), "input": text, "voice": voice, "response_format": "pcm",
        });
        if let Some(words) = settings.text("instructions") {
            body["instructions"] = json!(words);
        }
        if let Some(speed) = self.config.speed {
            body["speed"] = json!(speed);
        }
        let key = settings.key().map(|key| Header::secret("authorization", format!("Bearer {}", key.expose())));
        HttpRequest {
            method: Method::Post,
            url: settings.http_url(&["audio", "speech"]).into(),
            headers: key.into_iter().chain([Header::plain("content-type", "application/json")]).collect(),
            body: body.to_string().into_bytes(),
        }
    }
}

impl TtsProtocol for Speech {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        let settings = &self.config.settings;
        self.utterance.choose_format(false, RATE_HZ, &[RATE_HZ]);
        self.voice = open.voice.clone().unwrap_or_else(|| settings.voice().to_owned());
        Connect::http(settings.http_url(&[]))
    }

    fn sample_rate_hz(&self) -> u32 {
        RATE_HZ
    }

    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        if let Some(spoken) = self.utterance.push(text) {
            out.push(Wire::Request(Box::new(self.request(&spoken))));
        }
    }

    fn flush(&mut self, _: &mut Vec<Wire>) {
        self.utterance.flush();
    }

    fn cancel(&mut self, _: &mut Vec<Wire>) {
        self.utterance.cancel();
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>) {
        match message {
            Wire::Binary(bytes) => self.utterance.audio(bytes, out),
            Wire::End => self.utterance.segment_done(out),
            Wire::Close(code, _) => self.on_close(*code, out),
            Wire::Text(_) | Wire::Request(_) => {}
        }
    }

    fn poll(&mut self, _: &mut Vec<Wire>, events: &mut Vec<TtsEvent>) {
        self.utterance.finish_when_out(events);
    }

    fn on_close(&mut self, code: u16, out: &mut Vec<TtsEvent>) {
        self.utterance.fail_of_close(self.classify(code, ""), code, out);
    }

    fn voices(&self) -> Option<Box<dyn Voices>> {
        Some(Box::new(KnownVoices(known_voices)))
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        let type_of_error = || {
            let body: Value = serde_json::from_str(body).ok()?;
            Some(body.get("error")?.get("type")?.as_str()?.to_owned())
        };
        let words = [error_code(body), type_of_error()];
        if words.iter().flatten().any(|word| word == "insufficient_quota" || word == "credit_balance_exhausted") {
            return ErrorClass::Quota;
        }
        classify_status(status)
    }
}

/// The built-in voices that the API reference names; each speaks many languages.
fn known_voices() -> Vec<VoiceInfo> {
    let names = "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse";
    let titled = |name: &str| name[..1].to_ascii_uppercase() + &name[1..];
    names.split_whitespace().map(|name| VoiceInfo::stock(name, titled(name))).collect()
}
