//! Google Cloud Text-to-Speech: voices that stream over gRPC, the others over HTTP, a request per sentence.
//!
//! Source: cloud.google.com/text-to-speech "Synthesize speech with bidirectional streaming", the `text:synthesize`
//! reference, and the numbers of `google/cloud/texttospeech/v1/cloud_tts.proto`. A stream that waits 5 s for text is ended
//! by the service.

use super::{TtsEvent, TtsOpen, TtsProtocol};
use crate::answer::classify_status;
use crate::google::{AUTH, Auth, method_url};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::limits::{GENERATION_CHARS_MAX, PROVIDER_BODY_BYTES_MAX};
use base::wire::{Connect, Header, HttpRequest, Method, Transport, Wire};
use base::{ErrorClass, Failure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "google",
    title: "Google Text-to-Speech",
    base_url: "https://texttospeech.googleapis.com",
    key_env: "GOOGLE_CLOUD_API_KEY",
    base_url_env: "GOOGLE_TTS_BASE_URL",
    model_env: Some("GOOGLE_TTS_MODEL"),
    voice_env: Some("GOOGLE_TTS_VOICE"),
    model: Some("chirp3-hd"),
    voice: Some("en-US-Chirp3-HD-Kore"),
    extra: &[
        AUTH,
        ("location", "Where text is processed, such as `us` or `eu`; default `global`."),
        ("transport", "`grpc` streams, for Chirp 3 HD and Gemini voices; `http` for all; by default what the voice can."),
        ("speaking_rate", "Speed of speech, 0.25 to 2.0; default 1.0."),
    ],
    ..Descriptor::NONE
};

/// `AudioEncoding.PCM`: 16-bit little-endian without a header.
const PCM: i32 = 7;
/// Rates that every voice can be had in.
const RATES_HZ: [u32; 4] = [8_000, 16_000, 24_000, 48_000];

struct Config {
    stream_url: Url,
    http_url: Url,
    auth: Auth,
    transport: Option<Transport>,
    /// Sent for voices of a language model, which are told by it; other voices must not have one.
    model_name: String,
    voice: String,
    speaking_rate: Option<f64>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    let location = settings.text("location");
    let own = DESCRIPTOR.base_url;
    let service = "google.cloud.texttospeech.v1.TextToSpeech";
    let http_url = method_url(settings, own, location, "v1", "text:synthesize");
    let is_language_model = settings.model().starts_with("gemini");
    let config = Arc::new(Config {
        stream_url: method_url(settings, own, location, service, "StreamingSynthesize"),
        http_url,
        auth: Auth::new(settings, "https://texttospeech.googleapis.com/")?,
        transport: settings.choice("transport", &["grpc", "http"])?.map(|word| match word {
            "grpc" => Transport::Grpc,
            _ => Transport::Http,
        }),
        model_name: if is_language_model { settings.model().to_owned() } else { String::new() },
        voice: settings.voice().to_owned(),
        speaking_rate: settings.number("speaking_rate", 0.25..=2.0)?,
    });
    Ok(Box::new(move || Box::new(Google::new(Arc::clone(&config)))))
}

struct Google {
    config: Arc<Config>,
    transport: Transport,
    sample_rate_hz: u32,
    language: String,
    voice: String,
    now_unix_ms: u64,
    /// Segments whose audio is not out.
    segments: usize,
    chars: u64,
    chars_told: u64,
    /// The answer to the oldest request so far, over HTTP.
    body: Vec<u8>,
    /// The first byte of a sample whose second one has not come.
    half: Option<u8>,
    flushed: bool,
    over: bool,
}

impl Google {
    fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            transport: Transport::Grpc,
            sample_rate_hz: 8_000,
            language: String::new(),
            voice: String::new(),
            now_unix_ms: 0,
            segments: 0,
            chars: 0,
            chars_told: 0,
            body: Vec::new(),
            half: None,
            flushed: false,
            over: false,
        }
    }

    fn fail(&mut self, class: ErrorClass, detail: &str, out: &mut Vec<TtsEvent>) {
        if !std::mem::replace(&mut self.over, true) {
            out.push(TtsEvent::Failed(Failure::new(class, format!("{} {detail}", DESCRIPTOR.name))));
        }
    }

    /// The language that a voice speaks stands in its name; a voice of a language model speaks every one.
    fn voice_language(&self) -> String {
        let mut parts = self.voice.split('-');
        match (parts.next(), parts.next()) {
            (Some(language), Some(region)) if region.len() == 2 && (2..=3).contains(&language.len()) => {
                format!("{language}-{region}")
            }
            _ => self.language.clone(),
        }
    }

    fn audio(&mut self, bytes: &[u8], out: &mut Vec<TtsEvent>) {
        let whole: Vec<u8> = self.half.take().into_iter().chain(bytes.iter().copied()).collect();
        let (pairs, odd) = whole.as_chunks::<2>();
        self.half = odd.first().copied();
        if !pairs.is_empty() {
            out.push(TtsEvent::Audio { pcm: pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect() });
        }
        self.usage(out);
    }

    fn usage(&mut self, out: &mut Vec<TtsEvent>) {
        if self.chars_told != self.chars {
            self.chars_told = self.chars;
            out.push(TtsEvent::Usage { chars: self.chars });
        }
    }

    fn request(&self, text: &str) -> Wire {
        let mut voice = json!({"languageCode": self.voice_language(), "name": self.voice});
        if !self.config.model_name.is_empty() {
            voice["modelName"] = json!(self.config.model_name);
        }
        let mut audio = json!({"audioEncoding": "PCM", "sampleRateHertz": self.sample_rate_hz});
        if let Some(rate) = self.config.speaking_rate {
            audio["speakingRate"] = json!(rate);
        }
        let body = json!({"input": {"text": text}, "voice": voice, "audioConfig": audio});
        let mut headers = self.config.auth.headers(self.now_unix_ms);
        headers.push(Header::plain("content-type", "application/json"));
        Wire::Request(Box::new(HttpRequest {
            method: Method::Post,
            url: self.config.http_url.to_string(),
            headers,
            body: body.to_string().into_bytes(),
        }))
    }

    /// The whole answer to a request: audio in JSON.
    fn on_body(&mut self, out: &mut Vec<TtsEvent>) {
        let body = std::mem::take(&mut self.body);
        let answer = serde_json::from_slice::<Answer>(&body).ok();
        let Some(bytes) = answer.and_then(|answer| STANDARD.decode(answer.audio).ok()) else {
            return self.fail(ErrorClass::Protocol, "sent what its protocol does not allow", out);
        };
        self.half = None;
        self.audio(&bytes, out);
    }

    fn on_end(&mut self, out: &mut Vec<TtsEvent>) {
        if self.transport == Transport::Http {
            if self.segments == 0 {
                return self.fail(ErrorClass::Protocol, "answered what was not asked", out);
            }
            self.on_body(out);
            if self.over {
                return;
            }
            self.segments -= 1;
            out.push(TtsEvent::SegmentDone);
        } else if !self.flushed {
            return self.fail(ErrorClass::Protocol, "ended before the text did", out);
        } else {
            self.usage(out);
            // Which audio belongs to which sentence is not told.
            out.extend((0..self.segments).map(|_| TtsEvent::SegmentDone));
            self.segments = 0;
        }
        if self.flushed && self.segments == 0 {
            self.over = true;
            out.push(TtsEvent::Done);
        }
    }
}

impl TtsProtocol for Google {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        self.sample_rate_hz = RATES_HZ.into_iter().find(|rate| *rate >= open.sample_rate_hz).unwrap_or(48_000);
        self.language.clone_from(&open.language);
        self.voice = open.voice.clone().unwrap_or_else(|| self.config.voice.clone());
        self.now_unix_ms = open.now_unix_ms;
        let streams = self.voice.contains("Chirp3-HD") || !self.config.model_name.is_empty();
        let able = if streams { Transport::Grpc } else { Transport::Http };
        self.transport = self.config.transport.unwrap_or(able);
        if self.transport == Transport::Http {
            return Connect::http(self.config.http_url.as_str());
        }
        let voice = Voice {
            language: self.voice_language(),
            name: self.voice.clone(),
            model_name: self.config.model_name.clone(),
        };
        let audio = AudioConfig {
            encoding: PCM,
            sample_rate_hz: i32::try_from(self.sample_rate_hz).unwrap_or(i32::MAX),
            speaking_rate: self.config.speaking_rate.unwrap_or_default(),
        };
        let config = StreamingConfig { voice: Some(voice), audio: Some(audio) };
        let first = StreamRequest { config: Some(config), input: None };
        Connect {
            headers: self.config.auth.headers(open.now_unix_ms),
            first: vec![Wire::Binary(first.encode_to_vec())],
            ..Connect::grpc(self.config.stream_url.as_str())
        }
    }

    fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        let spoken = text.trim();
        if self.over || self.flushed || spoken.is_empty() || self.chars >= GENERATION_CHARS_MAX as u64 {
            return;
        }
        self.segments += 1;
        self.chars += spoken.chars().count() as u64;
        if self.transport == Transport::Http {
            return out.push(self.request(spoken));
        }
        let input = Input { text: format!("{spoken} ") };
        out.push(Wire::Binary(StreamRequest { config: None, input: Some(input) }.encode_to_vec()));
    }

    fn flush(&mut self, out: &mut Vec<Wire>) {
        if !self.over && !std::mem::replace(&mut self.flushed, true) && self.transport == Transport::Grpc {
            out.push(Wire::End);
        }
    }

    fn cancel(&mut self, _: &mut Vec<Wire>) {
        self.over = true;
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>) {
        if self.over {
            return;
        }
        match message {
            Wire::Binary(bytes) if self.transport == Transport::Http => {
                self.body.extend_from_slice(bytes);
                if self.body.len() > PROVIDER_BODY_BYTES_MAX {
                    self.fail(ErrorClass::Protocol, "sent more than one sentence can be", out);
                }
            }
            Wire::Binary(bytes) => match StreamResponse::decode(&bytes[..]) {
                Ok(response) => self.audio(&response.audio, out),
                Err(_) => self.fail(ErrorClass::Protocol, "sent what its protocol does not allow", out),
            },
            Wire::End => self.on_end(out),
            Wire::Close(code, reason) => {
                let detail = format!("{} ended the stream with status {code}", DESCRIPTOR.name);
                let retry_after = crate::answer::retry_after([], reason);
                self.over = true;
                let failure = Failure { retry_after, ..Failure::new(self.classify(*code, reason), detail) };
                out.push(TtsEvent::Failed(failure));
            }
            Wire::Text(_) | Wire::Request(_) => {}
        }
    }

    fn on_close(&mut self, code: u16, out: &mut Vec<TtsEvent>) {
        self.fail(self.classify(code, ""), &format!("ended the stream with status {code}"), out);
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        match status {
            // ABORTED: no text came for too long. The next stream is a new chance.
            409 => ErrorClass::Timeout,
            // A key that is no key is answered as a bad request.
            400 if body.contains("API_KEY_INVALID") => ErrorClass::Auth,
            _ => classify_status(status),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "audioContent")]
    audio: String,
}

#[derive(Clone, PartialEq, Message)]
struct StreamRequest {
    #[prost(message, optional, tag = "1")]
    config: Option<StreamingConfig>,
    #[prost(message, optional, tag = "2")]
    input: Option<Input>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamingConfig {
    #[prost(message, optional, tag = "1")]
    voice: Option<Voice>,
    #[prost(message, optional, tag = "4")]
    audio: Option<AudioConfig>,
}

#[derive(Clone, PartialEq, Message)]
struct Voice {
    #[prost(string, tag = "1")]
    language: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "6")]
    model_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct AudioConfig {
    #[prost(int32, tag = "1")]
    encoding: i32,
    #[prost(int32, tag = "2")]
    sample_rate_hz: i32,
    #[prost(double, tag = "3")]
    speaking_rate: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Input {
    #[prost(string, tag = "1")]
    text: String,
}

#[derive(Clone, PartialEq, Message)]
struct StreamResponse {
    #[prost(bytes = "vec", tag = "1")]
    audio: Vec<u8>,
}
