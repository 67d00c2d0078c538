//! Sarvam real-time recognition of Indian languages, `wss://api.sarvam.ai/speech-to-text-realtime/ws`.
//!
//! Source: docs.sarvam.ai, "Realtime Streaming Speech-to-Text", and the vendor's SDK; names as there. Turns are delimited by
//! us unless the service is told to find them itself: each turn that we end is answered by one final transcript, even an
//! empty one, which is what our requests for final words need.

use super::feed::{Encoding, Feed};
use super::{SttEvent, SttOpen, SttProtocol};
use crate::answer::{classify_status, error_code, is_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::routing::{Feature, Region};
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "sarvam",
    title: "Sarvam",
    base_url: "https://api.sarvam.ai",
    key_env: "SARVAM_API_KEY",
    base_url_env: "SARVAM_BASE_URL",
    model_env: Some("SARVAM_STT_MODEL"),
    voice_env: None,
    model: Some("saaras:v3-realtime"),
    voice: None,
    extra: &[
        ("encoding", "Audio on the wire: `linear16` (default) or `mulaw`, which halves the bandwidth of a phone line."),
        ("language", "Language instead of the agent's, such as `hi-IN`, or `auto`."),
        ("stream_type", "`fast`, `balanced` (default) or `simulated`, which gives no partial transcripts."),
        ("mode", "`transcribe` (default), `translate`, `verbatim`, `translit` or `codemix`."),
        ("endpointing", "Who ends a turn: `manual` (default, the agent) or `vad` (the service)."),
        ("silence_duration_ms", "Silence that ends a turn with `vad`, 100 to 5000; default the vendor's."),
    ],
    region: Some(Region::India),
    features: &[Feature::Partials, Feature::DetectsLanguage],
    languages: &["en", "hi", "bn", "kn", "ml", "mr", "or", "pa", "ta", "te", "gu"],
    quality: 75,
    ..Descriptor::NONE
};

const CHUNK_MS: u64 = 50;
const KEEP_ALIVE_MS: u64 = 10_000;
/// The service takes so many terms of so many characters, with one of its models only.
const TERMS_MAX: usize = 50;
const TERM_CHARS_MAX: usize = 64;

struct Config {
    url: Url,
    key: Option<Secret<String>>,
    encoding: Encoding,
    language: Option<String>,
    manual: bool,
    takes_terms: bool,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let mut url = settings.ws_url(&["speech-to-text-realtime", "ws"]);
    let stream_type = settings.choice("stream_type", &["fast", "balanced", "simulated"])?.unwrap_or("balanced");
    let modes = ["transcribe", "translate", "verbatim", "translit", "codemix"];
    let mode = settings.choice("mode", &modes)?.unwrap_or("transcribe");
    let endpointing = settings.choice("endpointing", &["manual", "vad"])?.unwrap_or("manual");
    url.query_pairs_mut()
        .append_pair("model", settings.model())
        .append_pair("stream_type", stream_type)
        .append_pair("mode", mode)
        .append_pair("endpointing", endpointing);
    if let Some(ms) = settings.whole("silence_duration_ms", 100..=5_000)? {
        url.query_pairs_mut().append_pair("silence_duration_ms", &ms.to_string());
    }
    let mulaw = settings.choice("encoding", &["linear16", "mulaw"])? == Some("mulaw");
    let config = Arc::new(Config {
        url,
        key: settings.key().cloned(),
        encoding: if mulaw { Encoding::Mulaw } else { Encoding::Linear16 },
        language: settings.text("language").map(str::to_owned),
        manual: endpointing == "manual",
        takes_terms: settings.model() == "saaras:v4",
    });
    Ok(Box::new(move || Box::new(Sarvam::new(config.clone()))))
}

/// The service knows Indian locales only.
fn locale(language: &str) -> String {
    match language.split('-').next().unwrap_or_default() {
        "auto" | "" => "auto".to_owned(),
        word => format!("{word}-IN"),
    }
}

struct Sarvam {
    config: Arc<Config>,
    feed: Feed,
    /// Whether the service was told that a turn began.
    in_turn: bool,
    asked: bool,
    over: bool,
}

impl Sarvam {
    fn new(config: Arc<Config>) -> Self {
        let feed = Feed::new(config.encoding, CHUNK_MS);
        Self { config, feed, in_turn: false, asked: false, over: false }
    }

    fn fail(&mut self, class: ErrorClass, detail: impl Into<String>, out: &mut Vec<SttEvent>) {
        self.over = true;
        out.push(SttEvent::Failed(Failure::new(class, detail.into())));
    }

    fn begin_turn(&mut self, out: &mut Vec<Wire>) {
        if self.config.manual && !self.in_turn {
            self.in_turn = true;
            out.push(event("speech_start"));
        }
    }

    fn send(&mut self, chunks: Vec<Vec<u8>>, out: &mut Vec<Wire>) {
        for chunk in chunks {
            self.begin_turn(out);
            // Base64 needs no escapes.
            out.push(Wire::Text(format!(r#"{{"event":"audio_input","audio":"{}"}}"#, STANDARD.encode(chunk))));
        }
    }

    fn on_event(&mut self, event: Event, out: &mut Vec<SttEvent>) {
        match event {
            Event::Partial { text } if !text.is_empty() => out.push(SttEvent::Partial { text }),
            Event::Final { text } => {
                let finalized = std::mem::take(&mut self.asked);
                let has_words = !text.is_empty();
                if has_words || finalized {
                    out.push(SttEvent::Final { text, finalized });
                }
                if has_words && !finalized {
                    out.push(SttEvent::EndOfTurn);
                }
                out.push(SttEvent::Usage { audio_ms: self.feed.sent_ms() });
            }
            Event::SessionEnd => out.push(SttEvent::Usage { audio_ms: self.feed.sent_ms() }),
            Event::Error { is_fatal: false, .. } | Event::Partial { .. } | Event::Other => {}
            Event::Error { code, status_code, .. } => {
                let word = if is_code(&code) { code.as_str() } else { "an error" };
                let class = match code_class(&code) {
                    Some(class) => class,
                    None => status_code.map_or(ErrorClass::Unavailable, classify_status),
                };
                self.fail(class, format!("sarvam reported {word}"), out);
            }
        }
    }
}

fn event(name: &str) -> Wire {
    Wire::Text(format!(r#"{{"event":"{name}"}}"#))
}

/// The vendor's names for what is wrong, the same over HTTP and on a socket.
fn code_class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "invalid_api_key_error" | "authentication_error" => ErrorClass::Auth,
        "insufficient_quota_error" => ErrorClass::Quota,
        "rate_limit_exceeded_error" => ErrorClass::RateLimited,
        "invalid_request_error" | "unprocessable_entity_error" | "not_found_error" | "invalid_config" => {
            ErrorClass::Invalid
        }
        "internal_server_error" | "model_call_error" | "billing_service_unavailable_error" => ErrorClass::Unavailable,
        "gateway_timeout_error" => ErrorClass::Timeout,
        _ => return None,
    })
}

impl SttProtocol for Sarvam {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        self.feed.open(open.sample_rate_hz);
        let config = &self.config;
        let mut url = config.url.clone();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("language_code", &locale(config.language.as_deref().unwrap_or(&open.language)))
            .append_pair("encoding", if config.encoding == Encoding::Mulaw { "mulaw" } else { "linear16" })
            .append_pair("sample_rate", &open.sample_rate_hz.to_string());
        let terms = open.hints.iter().filter(|hint| hint.chars().count() <= TERM_CHARS_MAX).take(TERMS_MAX);
        let terms: Vec<&String> = terms.collect();
        if config.takes_terms && !terms.is_empty() {
            query.append_pair("keyterms", &serde_json::json!(terms).to_string());
        }
        drop(query);
        let headers = config.key.iter().map(|key| Header::secret("api-subscription-key", key.expose().clone()));
        Connect { headers: headers.collect(), ..Connect::websocket(url) }
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        let mut chunks = Vec::new();
        self.feed.push(pcm, |bytes| chunks.push(bytes));
        self.send(chunks, out);
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        if self.over {
            return;
        }
        let text = match message {
            Wire::Text(text) => text,
            Wire::Close(code, reason) => {
                return self.fail(self.classify(*code, reason), format!("sarvam closed with {code}"), out);
            }
            _ => return,
        };
        match serde_json::from_str(text) {
            Ok(event) => self.on_event(event, out),
            Err(_) => self.fail(ErrorClass::Protocol, "sarvam sent what its protocol does not allow", out),
        }
    }

    fn finalize(&mut self, out: &mut Vec<Wire>) {
        let rest = self.feed.flush(0);
        self.send(rest.into_iter().collect(), out);
        self.asked = true;
        if self.config.manual {
            self.begin_turn(out);
            self.in_turn = false;
            out.push(event("speech_end"));
        }
    }

    fn keep_alive(&mut self, out: &mut Vec<Wire>) {
        out.push(event("ping"));
    }

    fn keep_alive_ms(&self) -> Option<u64> {
        Some(KEEP_ALIVE_MS)
    }

    fn close(&mut self, out: &mut Vec<Wire>) {
        self.over = true;
        out.push(event("end"));
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        if let Some(class) = error_code(body).as_deref().and_then(code_class) {
            return class;
        }
        let words = body.to_ascii_lowercase();
        match status {
            // One number for three things; the reason is what tells them apart.
            1003 if words.contains("key") => ErrorClass::Auth,
            1003 if words.contains("quota") => ErrorClass::Quota,
            1003 => ErrorClass::RateLimited,
            1008 => ErrorClass::Timeout,
            4000 => ErrorClass::Invalid,
            status => classify_status(status),
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "event")]
enum Event {
    #[serde(rename = "transcript.partial")]
    Partial {
        #[serde(default)]
        text: String,
    },
    #[serde(rename = "transcript.final")]
    Final {
        #[serde(default)]
        text: String,
    },
    #[serde(rename = "session.end")]
    SessionEnd,
    #[serde(rename = "error")]
    Error {
        #[serde(default)]
        code: String,
        #[serde(default = "yes")]
        is_fatal: bool,
        #[serde(default)]
        status_code: Option<u16>,
    },
    #[serde(other)]
    Other,
}

/// An error that does not say that it is harmless is not.
fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    fn opened(extra: &[(&str, &str)], language: &str) -> (Box<dyn SttProtocol>, Connect) {
        let extra = extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = ProviderOptions { api_key: Some("key".into()), extra, ..ProviderOptions::default() };
        let mut codec = super::super::PROVIDERS.open("sarvam", &options).expect("usable").protocol();
        let language = language.to_owned();
        let connect =
            codec.connect(&SttOpen { sample_rate_hz: 8_000, language, hints: vec!["Contoso".into()], now_unix_ms: 0 });
        (codec, connect)
    }

    #[test]
    fn a_language_is_taken_as_it_is_spoken_in_india() {
        for (given, sent) in [("hi", "hi-IN"), ("en-US", "en-IN"), ("ta-IN", "ta-IN"), ("auto", "auto")] {
            let (_, connect) = opened(&[], given);
            assert!(connect.url.contains(&format!("&language_code={sent}&")), "{}", connect.url);
        }
    }

    #[test]
    fn turns_that_the_service_finds_are_told_as_ended() {
        let (mut codec, connect) = opened(&[("endpointing", "vad")], "hi");
        assert!(connect.url.contains("&endpointing=vad&"), "{}", connect.url);
        let (mut sent, mut out) = (Vec::new(), Vec::new());
        codec.on_audio(&[0; 400], &mut sent);
        assert!(matches!(&sent[..], [Wire::Text(text)] if text.contains("audio_input")), "{sent:?}");
        let last = r#"{"event":"transcript.final","utterance_idx":0,"text":"नमस्ते।"}"#;
        codec.on_message(&Wire::Text(last.to_owned()), &mut out);
        let words = SttEvent::Final { text: "नमस्ते।".to_owned(), finalized: false };
        assert_eq!(out, [words, SttEvent::EndOfTurn, SttEvent::Usage { audio_ms: 50 }]);
    }

    #[test]
    fn its_own_words_for_trouble_are_understood() {
        let (codec, _) = opened(&[], "hi");
        assert_eq!(codec.classify(1003, "Invalid subscription key"), ErrorClass::Auth);
        assert_eq!(codec.classify(1003, "Rate limit exceeded"), ErrorClass::RateLimited);
        let body = r#"{"error":{"request_id":"x","message":"m","code":"insufficient_quota_error"}}"#;
        assert_eq!(codec.classify(429, body), ErrorClass::Quota);
    }
}
