//! Sarvam Bulbul streaming synthesis for the languages of India, `wss://api.sarvam.ai/text-to-speech/ws`.
//!
//! Source: docs.sarvam.ai, "Streaming text to speech", and the types of the vendor's Python package. The service marks the
//! end of what was flushed with one `final` event and does not number them, so sentences go one at a time. It tells no
//! times of words and cannot be told to stop: an interruption closes the socket.

use super::utterance::{Encoding, Utterance};
use super::{TtsEvent, TtsOpen, TtsProtocol};
use crate::answer::{classify_status, error_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use crate::voices::{KnownVoices, VoiceInfo, Voices};
use base::ErrorClass;
use base::wire::{Connect, Header, Wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::routing::Region;
use serde::Deserialize;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "sarvam",
    title: "Sarvam",
    base_url: "https://api.sarvam.ai",
    key_env: "SARVAM_API_KEY",
    base_url_env: "SARVAM_BASE_URL",
    model_env: Some("SARVAM_TTS_MODEL"),
    voice_env: Some("SARVAM_TTS_VOICE"),
    model: Some("bulbul:v3"),
    voice: Some("shubh"),
    extra: &[
        ("encoding", "Audio on the wire: `pcm` (default) or `ulaw`, 8000 Hz only, which halves the bandwidth."),
        ("pace", "Pace from 0.5 to 2."),
        ("temperature", "How lively the voice is, from 0.01 to 1; bulbul:v3 and newer."),
        ("dict_id", "Id of a pronunciation dictionary of the account."),
    ],
    key_optional: false,
    region: Some(Region::India),
    languages: &["bn", "en", "gu", "hi", "kn", "ml", "mr", "or", "pa", "ta", "te"],
    quality: 65,
    ..Descriptor::NONE
};

const RATES_HZ: [u32; 4] = [8_000, 16_000, 22_050, 24_000];

struct Config {
    settings: Settings,
    ulaw: bool,
    pace: Option<f64>,
    temperature: Option<f64>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    let config = Arc::new(Config {
        ulaw: settings.choice("encoding", &["pcm", "ulaw"])? == Some("ulaw"),
        pace: settings.number("pace", 0.5..=2.0)?,
        temperature: settings.number("temperature", 0.01..=1.0)?,
        settings: settings.clone(),
    });
    Ok(Box::new(move || {
        let utterance = Utterance::new(DESCRIPTOR.name);
        Box::new(Bulbul { config: config.clone(), utterance, waiting: VecDeque::new(), busy: false, begun: false })
    }))
}

struct Bulbul {
    config: Arc<Config>,
    utterance: Utterance,
    /// Sentences that wait for the one that is being spoken.
    waiting: VecDeque<String>,
    busy: bool,
    /// Whether audio of the sentence has come.
    begun: bool,
}

/// The service knows languages by their Indian region alone.
fn language_code(language: &str) -> String {
    match language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "or" => "od-IN".to_owned(),
        language => format!("{language}-IN"),
    }
}

/// The samples of a WAV file (RIFF, `data` chunk), or everything when it is none.
fn without_wav_header(bytes: &[u8]) -> &[u8] {
    if !bytes.starts_with(b"RIFF") {
        return bytes;
    }
    let data = bytes.windows(4).position(|word| word == b"data").map(|at| at + 8);
    data.and_then(|at| bytes.get(at..)).unwrap_or_default()
}

impl Bulbul {
    fn speak_next(&mut self, out: &mut Vec<Wire>) {
        if self.busy || self.utterance.is_over() {
            return;
        }
        let Some(text) = self.waiting.pop_front() else { return };
        self.utterance.charge(text.chars().count());
        (self.busy, self.begun) = (true, false);
        out.push(Wire::Text(json!({"type": "text", "data": {"text": text}}).to_string()));
        out.push(Wire::Text(r#"{"type":"flush"}"#.to_owned()));
    }

    fn on_reply(&mut self, reply: Reply, out: &mut Vec<TtsEvent>) {
        match (reply.kind.as_str(), reply.data) {
            ("audio", Some(Data { audio: Some(audio), .. })) => match STANDARD.decode(audio) {
                Ok(bytes) if std::mem::replace(&mut self.begun, true) => self.utterance.audio(&bytes, out),
                Ok(bytes) => self.utterance.audio(without_wav_header(&bytes), out),
                Err(_) => self.utterance.fail_of_protocol(out),
            },
            ("event", Some(Data { event_type: Some(event), .. })) if event == "final" => {
                self.busy = false;
                self.utterance.segment_done(out);
            }
            ("error", data) => {
                let status = data.and_then(|data| data.code).unwrap_or(500);
                self.utterance.fail(classify_status(status), format!("sarvam reported {status}"), out);
            }
            _ => {}
        }
    }
}

impl TtsProtocol for Bulbul {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        let config = &self.config;
        let settings = &config.settings;
        self.utterance.choose_format(config.ulaw, open.sample_rate_hz, &RATES_HZ);
        let codec = if self.utterance.encoding() == Encoding::Ulaw { "mulaw" } else { "linear16" };
        let mut data = json!({
            "language_code": language_code(&open.language),
            "speaker": open.voice.as_deref().unwrap_or(settings.voice()),
            "model": settings.model(),
            "speech_sample_rate": self.utterance.sample_rate_hz(),
            "output_audio_codec": codec,
            "min_buffer_size": 30,
            "max_chunk_length": 250,
        });
        let numbers = [("pace", config.pace), ("temperature", config.temperature)];
        for (key, number) in numbers.into_iter().filter_map(|(key, number)| Some((key, number?))) {
            data[key] = json!(number);
        }
        if let Some(id) = settings.text("dict_id") {
            data["dict_id"] = json!(id);
        }
        let mut url = settings.ws_url(&["text-to-speech", "ws"]);
        url.query_pairs_mut().append_pair("model", settings.model()).append_pair("send_completion_event", "true");
        let key = settings.key().map(|key| Header::secret("api-subscription-key", key.expose().clone()));
        Connect {
            headers: key.into_iter().collect(),
            first: vec![Wire::Text(json!({"type": "config", "data": data}).to_string())],
            ..Connect::websocket(url)
        }
    }

    fn sample_rate_hz(&self) -> u32 {
        self.utterance.sample_rate_hz()
    }

    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        if let Some(spoken) = self.utterance.push_waiting(text) {
            self.waiting.push_back(spoken);
            self.speak_next(out);
        }
    }

    fn flush(&mut self, _: &mut Vec<Wire>) {
        self.utterance.flush();
    }

    fn cancel(&mut self, out: &mut Vec<Wire>) {
        if self.utterance.cancel() {
            out.push(Wire::Close(1000, "".into()));
        }
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>) {
        if self.utterance.is_over() {
            return;
        }
        match message {
            Wire::Text(text) => match serde_json::from_str(text) {
                Ok(reply) => self.on_reply(reply, out),
                Err(_) => self.utterance.fail_of_protocol(out),
            },
            Wire::Close(code, _) => self.on_close(*code, out),
            Wire::Binary(_) | Wire::Request(_) | Wire::End => {}
        }
    }

    fn poll(&mut self, wires: &mut Vec<Wire>, events: &mut Vec<TtsEvent>) {
        self.speak_next(wires);
        self.utterance.finish_when_out(events);
    }

    fn voices(&self) -> Option<Box<dyn Voices>> {
        Some(Box::new(KnownVoices(known_voices)))
    }

    fn on_close(&mut self, code: u16, out: &mut Vec<TtsEvent>) {
        self.utterance.fail_of_close(self.classify(code, ""), code, out);
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        match (status, error_code(body).as_deref()) {
            (_, Some("insufficient_quota_error" | "billing_service_unavailable_error")) => ErrorClass::Quota,
            (_, Some("rate_limit_exceeded_error")) => ErrorClass::RateLimited,
            (_, Some("invalid_api_key_error" | "authentication_error")) => ErrorClass::Auth,
            // The service closes so for a rate, a quota and a key alike; the first is what passes by itself.
            (1003, _) => ErrorClass::RateLimited,
            (1008, _) => ErrorClass::Timeout,
            (4000, _) => ErrorClass::Invalid,
            _ => classify_status(status),
        }
    }
}

/// The speakers of bulbul:v3 that the vendor's Python package 0.1.39 names; each speaks all languages.
fn known_voices() -> Vec<VoiceInfo> {
    let names = "shubh aditya ritu priya neha rahul pooja rohan simran kavya amit dev ishita shreya ratan varun manan sumit \
        roopa kabir aayan ashutosh advait anand tanya tarun sunny mani gokul vijay shruti suhani mohit kavitha rehan soham \
        rupali";
    let titled = |name: &str| name[..1].to_ascii_uppercase() + &name[1..];
    names.split_whitespace().map(|name| VoiceInfo::stock(name, titled(name))).collect()
}

#[derive(Deserialize)]
struct Reply {
    #[serde(rename = "type")]
    kind: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    audio: Option<String>,
    event_type: Option<String>,
    code: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_those_of_india() {
        for (language, expected) in [("hi", "hi-IN"), ("en-US", "en-IN"), ("or-IN", "od-IN"), ("ta_IN", "ta-IN")] {
            assert_eq!(language_code(language), expected);
        }
    }

    #[test]
    fn a_file_header_is_not_heard() {
        let file = [b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".as_slice(), &[0; 16], b"data\x04\0\0\0", &[1, 2, 3, 4]].concat();
        assert_eq!(without_wav_header(&file), [1, 2, 3, 4]);
        assert_eq!(without_wav_header(&[5, 6]), [5, 6]);
        assert!(without_wav_header(b"RIFF\0\0").is_empty());
    }
}
