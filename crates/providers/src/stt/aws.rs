//! Amazon Transcribe, streaming recognition over a WebSocket.
//!
//! Source: docs.aws.amazon.com/transcribe "Setting up a streaming transcription" (WebSockets) and "Event stream encoding".
//! The service cannot finish an utterance and go on: an event without audio ends the stream, and the next one begins.

use super::{SttEvent, SttOpen, SttProtocol};
use crate::answer::{classify_status, error_code, is_code};
use crate::aws::{ACCESS_KEY_ID, SERVICE_REGION, SESSION_TOKEN, Signer, audio_event, exception_class, read_event, refusal_class};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Connect, Wire};
use base::{ErrorClass, Failure};
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "aws",
    title: "Amazon Transcribe",
    base_url: "https://transcribestreaming.us-east-1.amazonaws.com:8443",
    key_env: "AWS_SECRET_ACCESS_KEY",
    base_url_env: "AWS_TRANSCRIBE_BASE_URL",
    model_env: Some("AWS_TRANSCRIBE_MODEL"),
    model: Some("transcribe"),
    extra: &[
        ACCESS_KEY_ID,
        SESSION_TOKEN,
        SERVICE_REGION,
        ("language", "Language instead of the agent's, such as `en-US`."),
        ("stability", "How early partial words stay as they are: `low`, `medium` or `high`; by default they may change."),
        ("vocabulary_name", "Custom vocabulary of the account."),
        ("language_model_name", "Custom language model of the account."),
    ],
    ..Descriptor::NONE
};

/// Audio in one event: the least that is recommended.
const EVENT_MS: u64 = 50;
/// Silence after which a quiet stream must hear from us; the service gives up after 15 s.
const KEEP_ALIVE_MS: u64 = 5_000;
/// How long a signed address can be used.
const EXPIRES_S: u64 = 300;

const BROKEN: &str = "aws sent what its protocol does not allow";

struct Config {
    url: Url,
    signer: Signer,
    language: Option<String>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let signer = Signer::new(settings, "transcribe")?;
    let mut url = signer.in_region(settings.ws_url(&["stream-transcription-websocket"]), DESCRIPTOR.base_url);
    let mut query = url.query_pairs_mut();
    query.append_pair("media-encoding", "pcm");
    if let Some(stability) = settings.choice("stability", &["low", "medium", "high"])? {
        query.append_pair("enable-partial-results-stabilization", "true");
        query.append_pair("partial-results-stability", stability);
    }
    for (option, name) in [("vocabulary_name", "vocabulary-name"), ("language_model_name", "language-model-name")] {
        if let Some(value) = settings.text(option) {
            query.append_pair(name, value);
        }
    }
    drop(query);
    let config = Arc::new(Config { url, signer, language: settings.text("language").map(str::to_owned) });
    Ok(Box::new(move || Box::new(Transcribe::new(Arc::clone(&config)))))
}

struct Transcribe {
    config: Arc<Config>,
    sample_rate_hz: u32,
    pending: Vec<i16>,
    samples_sent: u64,
    /// What the last partial result said, not yet for good.
    partial: String,
    /// We said that there will be no more audio.
    closing: bool,
    over: bool,
}

impl Transcribe {
    fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            sample_rate_hz: 8_000,
            pending: Vec::new(),
            samples_sent: 0,
            partial: String::new(),
            closing: false,
            over: false,
        }
    }

    fn send(&mut self, samples: usize, out: &mut Vec<Wire>) {
        // An event without audio ends the stream.
        if samples == 0 {
            return;
        }
        let bytes: Vec<u8> = self.pending.drain(..samples).flat_map(i16::to_le_bytes).collect();
        self.samples_sent += samples as u64;
        out.push(Wire::Binary(audio_event(bytes)));
    }

    fn samples_in(&self, ms: u64) -> usize {
        (u64::from(self.sample_rate_hz) * ms / 1_000).max(1) as usize
    }

    fn usage(&self) -> SttEvent {
        SttEvent::Usage { audio_ms: self.samples_sent * 1_000 / u64::from(self.sample_rate_hz) }
    }

    fn fail(&mut self, class: ErrorClass, detail: String, out: &mut Vec<SttEvent>) {
        self.over = true;
        out.push(SttEvent::Failed(Failure::new(class, detail)));
    }

    fn on_frame(&mut self, frame: &[u8], out: &mut Vec<SttEvent>) {
        let Some(event) = read_event(frame) else {
            return self.fail(ErrorClass::Protocol, BROKEN.to_owned(), out);
        };
        if event.is_exception {
            let waited = String::from_utf8_lossy(&event.body).contains("no new audio");
            let class = if waited { Some(ErrorClass::Timeout) } else { exception_class(&event.kind) };
            let word = if is_code(&event.kind) { event.kind.as_str() } else { "an exception" };
            return self.fail(class.unwrap_or(ErrorClass::Unavailable), format!("aws reported {word}"), out);
        }
        if event.kind != "TranscriptEvent" {
            return;
        }
        match serde_json::from_slice::<TranscriptEvent>(&event.body) {
            Ok(event) => self.on_results(event.transcript.results, out),
            Err(_) => self.fail(ErrorClass::Protocol, BROKEN.to_owned(), out),
        }
    }

    fn on_results(&mut self, results: Vec<ResultPart>, out: &mut Vec<SttEvent>) {
        let (mut last, mut interim) = (String::new(), String::new());
        for result in results {
            let text = result.alternatives.into_iter().next().map(|first| first.transcript).unwrap_or_default();
            let into = if result.is_partial { &mut interim } else { &mut last };
            if !into.is_empty() && !text.is_empty() {
                into.push(' ');
            }
            into.push_str(text.trim());
        }
        if !last.is_empty() {
            self.partial.clear();
            out.extend([SttEvent::Final { text: last, finalized: false }, self.usage()]);
        }
        if !interim.is_empty() {
            self.partial.clone_from(&interim);
            out.push(SttEvent::Partial { text: interim });
        }
    }
}

impl SttProtocol for Transcribe {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        self.sample_rate_hz = open.sample_rate_hz.max(1);
        let config = &self.config;
        let mut url = config.url.clone();
        url.query_pairs_mut()
            .append_pair("language-code", config.language.as_deref().unwrap_or(&open.language))
            .append_pair("sample-rate", &open.sample_rate_hz.to_string());
        Connect::websocket(config.signer.presign(url, EXPIRES_S, open.now_unix_ms))
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        if self.closing || self.over {
            return;
        }
        let event = self.samples_in(EVENT_MS);
        for piece in pcm.chunks(event) {
            self.pending.extend_from_slice(piece);
            if self.pending.len() >= event {
                self.send(event, out);
            }
        }
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        if self.over {
            return;
        }
        match message {
            Wire::Binary(frame) => self.on_frame(frame, out),
            // What was not given for good by now never will be.
            Wire::Close(1000 | 1005, _) if self.closing => {
                self.over = true;
                let text = std::mem::take(&mut self.partial);
                out.extend([SttEvent::Final { text, finalized: true }, self.usage()]);
            }
            Wire::Close(code, reason) => {
                let detail = error_code(reason).unwrap_or_default();
                let class = self.classify(*code, reason);
                self.fail(class, format!("aws closed with {code} {detail}").trim_end().to_owned(), out);
            }
            Wire::Text(_) => self.fail(ErrorClass::Protocol, BROKEN.to_owned(), out),
            Wire::Request(_) | Wire::End => {}
        }
    }

    fn finalize(&mut self, out: &mut Vec<Wire>) {
        if self.over || std::mem::replace(&mut self.closing, true) {
            return;
        }
        self.send(self.pending.len(), out);
        out.extend([Wire::Binary(audio_event(Vec::new())), Wire::End]);
    }

    fn keep_alive(&mut self, out: &mut Vec<Wire>) {
        if !self.closing && !self.over {
            self.pending.resize(self.pending.len() + self.samples_in(EVENT_MS), 0);
            self.send(self.pending.len(), out);
        }
    }

    fn keep_alive_ms(&self) -> Option<u64> {
        Some(KEEP_ALIVE_MS)
    }

    fn close(&mut self, out: &mut Vec<Wire>) {
        if !std::mem::replace(&mut self.over, true) && !self.closing {
            out.push(Wire::Binary(audio_event(Vec::new())));
        }
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).and_then(|name| exception_class(&name)).unwrap_or_else(|| classify_status(status))
    }

    fn classify_refusal(&self, status: u16, headers: &[(String, String)], body: &str) -> ErrorClass {
        refusal_class(headers).unwrap_or_else(|| self.classify(status, body))
    }
}

#[derive(Deserialize)]
struct TranscriptEvent {
    #[serde(rename = "Transcript")]
    transcript: Transcript,
}

#[derive(Deserialize)]
struct Transcript {
    #[serde(rename = "Results", default)]
    results: Vec<ResultPart>,
}

#[derive(Deserialize)]
struct ResultPart {
    #[serde(rename = "IsPartial", default)]
    is_partial: bool,
    #[serde(rename = "Alternatives", default)]
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    #[serde(rename = "Transcript", default)]
    transcript: String,
}
