//! Amazon Polly over HTTP: a request per sentence, audio as it is made.
//!
//! Source: docs.aws.amazon.com/polly "SynthesizeSpeech". Throttling is answered with 400, and the name of an exception
//! stands in a header.

use super::{TtsEvent, TtsOpen, TtsProtocol};
use crate::answer::{classify_status, error_code};
use crate::aws::{ACCESS_KEY_ID, SERVICE_REGION, SESSION_TOKEN, Signer, exception_class, refusal_class};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use audio_codec_algorithms::decode_ulaw;
use base::limits::GENERATION_CHARS_MAX;
use base::wire::{Connect, Header, HttpRequest, Method, Wire};
use base::{ErrorClass, Failure};
use serde_json::json;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "aws",
    title: "Amazon Polly",
    base_url: "https://polly.us-east-1.amazonaws.com",
    key_env: "AWS_SECRET_ACCESS_KEY",
    base_url_env: "AWS_POLLY_BASE_URL",
    model_env: Some("AWS_POLLY_ENGINE"),
    voice_env: Some("AWS_POLLY_VOICE"),
    model: Some("neural"),
    voice: Some("Joanna"),
    extra: &[
        ACCESS_KEY_ID,
        SESSION_TOKEN,
        SERVICE_REGION,
        ("encoding", "Audio on the wire: `pcm` (default) or `mulaw`, 8000 Hz only, which halves the bandwidth."),
        ("language", "Language of a voice that speaks several, such as `en-IN`; by default the voice's own."),
        ("text_type", "`text` (default) or `ssml`."),
    ],
    ..Descriptor::NONE
};

struct Config {
    url: Url,
    signer: Signer,
    engine: String,
    voice: String,
    language: Option<String>,
    mulaw: bool,
    ssml: bool,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    let engines = ["standard", "neural", "long-form", "generative"];
    if !engines.contains(&settings.model()) {
        let expected = format!("an engine: {}", engines.join(", "));
        return Err(settings.value_error("model", settings.model(), expected));
    }
    let signer = Signer::new(settings, "polly")?;
    let config = Arc::new(Config {
        url: signer.in_region(settings.http_url(&["v1", "speech"]), DESCRIPTOR.base_url),
        signer,
        engine: settings.model().to_owned(),
        voice: settings.voice().to_owned(),
        language: settings.text("language").map(str::to_owned),
        mulaw: settings.choice("encoding", &["pcm", "mulaw"])? == Some("mulaw"),
        ssml: settings.choice("text_type", &["text", "ssml"])? == Some("ssml"),
    });
    Ok(Box::new(move || Box::new(Polly::new(Arc::clone(&config)))))
}

struct Polly {
    config: Arc<Config>,
    sample_rate_hz: u32,
    voice: String,
    now_unix_ms: u64,
    /// Requests that are not answered.
    segments: usize,
    chars: u64,
    chars_told: u64,
    /// The first byte of a sample whose second one has not come.
    half: Option<u8>,
    flushed: bool,
    over: bool,
}

impl Polly {
    fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            sample_rate_hz: 8_000,
            voice: String::new(),
            now_unix_ms: 0,
            segments: 0,
            chars: 0,
            chars_told: 0,
            half: None,
            flushed: false,
            over: false,
        }
    }

    fn fail(&mut self, class: ErrorClass, detail: &str, out: &mut Vec<TtsEvent>) {
        if !std::mem::replace(&mut self.over, true) {
            out.push(TtsEvent::Failed(Failure::new(class, detail)));
        }
    }

    fn request(&self, text: &str) -> Wire {
        let config = &self.config;
        let mut body = json!({
            "Engine": config.engine,
            "OutputFormat": if config.mulaw { "mulaw" } else { "pcm" },
            "SampleRate": self.sample_rate_hz.to_string(),
            "Text": text,
            "TextType": if config.ssml { "ssml" } else { "text" },
            "VoiceId": self.voice,
        });
        if let Some(language) = &config.language {
            body["LanguageCode"] = json!(language);
        }
        let mut request = HttpRequest {
            method: Method::Post,
            url: config.url.to_string(),
            headers: vec![Header::plain("content-type", "application/json")],
            body: body.to_string().into_bytes(),
        };
        config.signer.sign(&mut request, self.now_unix_ms);
        Wire::Request(Box::new(request))
    }

    fn on_audio(&mut self, bytes: &[u8], out: &mut Vec<TtsEvent>) {
        if self.segments == 0 {
            return self.fail(ErrorClass::Protocol, "aws answered what was not asked", out);
        }
        let pcm: Vec<i16> = if self.config.mulaw {
            bytes.iter().map(|byte| decode_ulaw(*byte)).collect()
        } else {
            let whole: Vec<u8> = self.half.take().into_iter().chain(bytes.iter().copied()).collect();
            let (pairs, odd) = whole.as_chunks::<2>();
            self.half = odd.first().copied();
            pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
        };
        if !pcm.is_empty() {
            out.push(TtsEvent::Audio { pcm });
        }
    }

    fn on_end(&mut self, out: &mut Vec<TtsEvent>) {
        let Some(left) = self.segments.checked_sub(1) else {
            return self.fail(ErrorClass::Protocol, "aws answered what was not asked", out);
        };
        self.segments = left;
        self.half = None;
        if self.chars_told != self.chars {
            self.chars_told = self.chars;
            out.push(TtsEvent::Usage { chars: self.chars });
        }
        out.push(TtsEvent::SegmentDone);
        if self.flushed && self.segments == 0 {
            self.over = true;
            out.push(TtsEvent::Done);
        }
    }
}

impl TtsProtocol for Polly {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        self.sample_rate_hz = if self.config.mulaw || open.sample_rate_hz <= 8_000 { 8_000 } else { 16_000 };
        self.voice = open.voice.clone().unwrap_or_else(|| self.config.voice.clone());
        self.now_unix_ms = open.now_unix_ms;
        Connect::http(self.config.url.as_str())
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
        out.push(self.request(spoken));
    }

    fn flush(&mut self, _: &mut Vec<Wire>) {
        self.flushed = true;
    }

    fn cancel(&mut self, _: &mut Vec<Wire>) {
        self.over = true;
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>) {
        if self.over {
            return;
        }
        match message {
            Wire::Binary(bytes) => self.on_audio(bytes, out),
            Wire::End => self.on_end(out),
            Wire::Close(code, _) => self.on_close(*code, out),
            Wire::Text(_) | Wire::Request(_) => {}
        }
    }

    fn on_close(&mut self, code: u16, out: &mut Vec<TtsEvent>) {
        self.fail(self.classify(code, ""), &format!("aws ended with {code}"), out);
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).and_then(|name| exception_class(&name)).unwrap_or_else(|| classify_status(status))
    }

    fn classify_refusal(&self, status: u16, headers: &[(String, String)], body: &str) -> ErrorClass {
        refusal_class(headers).unwrap_or_else(|| self.classify(status, body))
    }
}
