//! ElevenLabs synthesis over HTTP, `POST /v1/text-to-speech/{voice}/stream/with-timestamps`, one request per sentence.
//!
//! Source: elevenlabs.io/docs, "Stream speech with timing", and the types of the vendor's Python package. The body is JSON
//! objects, one a line, each with audio and the times of its characters; times count from the beginning of the request.

use super::elevenlabs::{Common, EXTRA, Lines, classify};
use super::utterance::Utterance;
use super::{TtsEvent, TtsOpen, TtsProtocol};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use crate::voices::Voices;
use base::ErrorClass;
use base::limits::PROVIDER_MESSAGE_BYTES_MAX;
use base::wire::{Connect, Header, HttpRequest, Method, Wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "elevenlabs_http",
    title: "ElevenLabs over HTTP",
    extra: EXTRA,
    ..super::elevenlabs::DESCRIPTOR
};

/// What was said before is repeated, so that the voice goes on as it was; more than this is not needed for that.
const CONTEXT_CHARS_MAX: usize = 300;

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    let common = Arc::new(Common::resolve(settings)?);
    Ok(Box::new(move || {
        Box::new(Http {
            common: common.clone(),
            utterance: Utterance::new(DESCRIPTOR.name),
            open: TtsOpen { sample_rate_hz: 8_000, language: String::new(), voice: None, now_unix_ms: 0 },
            lines: Lines::default(),
            begun_ms: 0,
        })
    }))
}

struct Http {
    common: Arc<Common>,
    utterance: Utterance,
    open: TtsOpen,
    lines: Lines,
    /// Audio of the utterance before the oldest request that is not answered.
    begun_ms: u64,
}

impl Http {
    fn request(&self, text: &str) -> HttpRequest {
        let settings = &self.common.settings;
        let voice = self.open.voice.as_deref().unwrap_or(settings.voice());
        let mut url = settings.http_url(&["v1", "text-to-speech", voice, "stream", "with-timestamps"]);
        let mut query = url.query_pairs_mut();
        query.append_pair("output_format", &Common::format(&self.utterance));
        if let Some(on) = self.common.enable_logging {
            query.append_pair("enable_logging", if on { "true" } else { "false" });
        }
        drop(query);
        let mut body = json!({"text": text, "model_id": settings.model()});
        if let Some(language) = self.common.language_code(&self.open) {
            body["language_code"] = json!(language);
        }
        if !self.common.voice_settings.is_empty() {
            body["voice_settings"] = Value::Object(self.common.voice_settings.clone());
        }
        let before = self.utterance.said_before();
        let from = before.char_indices().rev().nth(CONTEXT_CHARS_MAX - 1).map_or(0, |(at, _)| at);
        if !before[from..].trim().is_empty() {
            body["previous_text"] = json!(before[from..]);
        }
        let json = Header::plain("content-type", "application/json");
        HttpRequest {
            method: Method::Post,
            url: url.into(),
            headers: self.common.headers().into_iter().chain([json]).collect(),
            body: body.to_string().into_bytes(),
        }
    }

    fn on_line(&mut self, line: &[u8], out: &mut Vec<TtsEvent>) {
        if self.utterance.is_over() || line.trim_ascii().is_empty() {
            return;
        }
        let Ok(piece) = serde_json::from_slice::<Piece>(line) else { return self.utterance.fail_of_protocol(out) };
        if let Some(alignment) = piece.alignment {
            let begun_ms = self.begun_ms;
            let at_ms = |secs: f64| begun_ms.saturating_add((secs.max(0.0) * 1_000.0) as u64);
            let times = alignment.starts_secs.iter().map(|secs| at_ms(*secs));
            self.utterance.chars(alignment.chars.iter().map(String::as_str).zip(times), out);
        }
        match STANDARD.decode(piece.audio.unwrap_or_default()) {
            Ok(bytes) => self.utterance.audio(&bytes, out),
            Err(_) => self.utterance.fail_of_protocol(out),
        }
    }
}

impl TtsProtocol for Http {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        self.open = open.clone();
        self.common.choose_format(&mut self.utterance, open);
        Connect::http(self.common.settings.http_url(&[]))
    }

    fn sample_rate_hz(&self) -> u32 {
        self.utterance.sample_rate_hz()
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
        if self.utterance.is_over() {
            return;
        }
        match message {
            Wire::Binary(bytes) => {
                self.lines.push(bytes);
                while let Some(line) = self.lines.next() {
                    self.on_line(&line, out);
                }
                if self.lines.len() > PROVIDER_MESSAGE_BYTES_MAX {
                    self.utterance.fail_of_protocol(out);
                }
            }
            Wire::End => {
                let last = self.lines.rest();
                self.on_line(&last, out);
                self.utterance.segment_done(out);
                self.begun_ms = self.utterance.audio_ms();
            }
            Wire::Close(code, _) => self.on_close(*code, out),
            Wire::Text(_) | Wire::Request(_) => {}
        }
    }

    fn poll(&mut self, _: &mut Vec<Wire>, events: &mut Vec<TtsEvent>) {
        self.utterance.finish_when_out(events);
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

#[derive(Deserialize)]
struct Piece {
    #[serde(rename = "audio_base64")]
    audio: Option<String>,
    alignment: Option<Alignment>,
}

#[derive(Deserialize)]
struct Alignment {
    #[serde(default, rename = "characters")]
    chars: Vec<String>,
    #[serde(default, rename = "character_start_times_seconds")]
    starts_secs: Vec<f64>,
}
