//! ElevenLabs real-time recognition (Scribe), `wss://api.elevenlabs.io/v1/speech-to-text/realtime`.
//!
//! Source: elevenlabs.io/docs, "Realtime speech to text", and the vendor's SDK; names as there. Words become final when they
//! are committed; by default we commit, whenever a final transcript is wanted.

use super::feed::{Encoding, Feed};
use super::{SttEvent, SttOpen, SttProtocol};
use crate::answer::{classify_status, error_code};
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
    name: "elevenlabs",
    title: "ElevenLabs Scribe",
    base_url: "https://api.elevenlabs.io",
    key_env: "ELEVENLABS_API_KEY",
    base_url_env: "ELEVENLABS_BASE_URL",
    model_env: Some("ELEVENLABS_STT_MODEL"),
    voice_env: None,
    model: Some("scribe_v2_realtime"),
    voice: None,
    extra: &[
        ("encoding", "Audio on the wire: `linear16` (default) or `mulaw`, which halves the bandwidth of a phone line."),
        ("language", "Language instead of the agent's, such as `de`."),
        ("commit_strategy", "Who makes words final: `manual` (default, the agent) or `vad` (the service, too)."),
        ("enable_logging", "`false` asks for zero retention, which not every plan has; default `true`."),
    ],
    region: Some(Region::Us),
    features: &[Feature::Partials, Feature::Hints],
    quality: 80,
    ..Descriptor::NONE
};

const CHUNK_MS: u64 = 100;
const KEEP_ALIVE_MS: u64 = 8_000;
/// The service ends a session that commits less.
const COMMIT_MS_MIN: u64 = 320;

struct Config {
    url: Url,
    key: Option<Secret<String>>,
    encoding: Encoding,
    language: Option<String>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let mut url = settings.ws_url(&["v1", "speech-to-text", "realtime"]);
    let strategy = settings.choice("commit_strategy", &["manual", "vad"])?.unwrap_or("manual");
    url.query_pairs_mut().append_pair("model_id", settings.model()).append_pair("commit_strategy", strategy);
    if settings.flag("enable_logging")? == Some(false) {
        url.query_pairs_mut().append_pair("enable_logging", "false");
    }
    let mulaw = settings.choice("encoding", &["linear16", "mulaw"])? == Some("mulaw");
    let config = Arc::new(Config {
        url,
        key: settings.key().cloned(),
        encoding: if mulaw { Encoding::Mulaw } else { Encoding::Linear16 },
        language: settings.text("language").map(str::to_owned),
    });
    Ok(Box::new(move || Box::new(Scribe::new(config.clone()))))
}

struct Scribe {
    config: Arc<Config>,
    feed: Feed,
    committed_ms: u64,
    asked: bool,
    over: bool,
}

impl Scribe {
    fn new(config: Arc<Config>) -> Self {
        let feed = Feed::new(config.encoding, CHUNK_MS);
        Self { config, feed, committed_ms: 0, asked: false, over: false }
    }

    fn fail(&mut self, class: ErrorClass, detail: impl Into<String>, out: &mut Vec<SttEvent>) {
        self.over = true;
        out.push(SttEvent::Failed(Failure::new(class, detail.into())));
    }

    fn chunk(rate_hz: u32, bytes: &[u8], commit: bool) -> Wire {
        // Base64 needs no escapes.
        let audio = STANDARD.encode(bytes);
        Wire::Text(format!(
            r#"{{"message_type":"input_audio_chunk","audio_base_64":"{audio}","commit":{commit},"sample_rate":{rate_hz}}}"#
        ))
    }

    fn on_committed(&mut self, text: String, out: &mut Vec<SttEvent>) {
        let finalized = std::mem::take(&mut self.asked);
        let has_words = !text.trim().is_empty();
        if has_words || finalized {
            out.push(SttEvent::Final { text: text.trim().to_owned(), finalized });
        }
        if has_words && !finalized {
            out.push(SttEvent::EndOfTurn);
        }
        out.push(SttEvent::Usage { audio_ms: self.feed.sent_ms() });
    }
}

/// The vendor's names for what is wrong: types of messages here, `status` in the bodies of refusals.
fn code_class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "auth_error" | "invalid_api_key" | "missing_permissions" | "unaccepted_terms" => ErrorClass::Auth,
        "quota_exceeded" => ErrorClass::Quota,
        "rate_limited" | "commit_throttled" | "too_many_concurrent_requests" => ErrorClass::RateLimited,
        "input_error" | "invalid_request" | "chunk_size_exceeded" => ErrorClass::Invalid,
        "error" | "transcriber_error" | "queue_overflow" | "resource_exhausted" | "session_time_limit_exceeded"
        | "system_busy" => ErrorClass::Unavailable,
        "insufficient_audio_activity" => ErrorClass::Timeout,
        _ => return None,
    })
}

impl SttProtocol for Scribe {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        self.feed.open(open.sample_rate_hz);
        let config = &self.config;
        let mut url = config.url.clone();
        let language = config.language.as_deref().unwrap_or(&open.language);
        let format = if config.encoding == Encoding::Mulaw { "ulaw" } else { "pcm" };
        let mut query = url.query_pairs_mut();
        query
            .append_pair("audio_format", &format!("{format}_{}", open.sample_rate_hz))
            // A code with a region is refused.
            .append_pair("language_code", language.split('-').next().unwrap_or_default());
        for hint in &open.hints {
            query.append_pair("keyterms", hint);
        }
        drop(query);
        let headers = config.key.iter().map(|key| Header::secret("xi-api-key", key.expose().clone()));
        Connect { headers: headers.collect(), ..Connect::websocket(url) }
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        let rate_hz = self.feed.rate_hz();
        self.feed.push(pcm, |bytes| out.push(Self::chunk(rate_hz, &bytes, false)));
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        if self.over {
            return;
        }
        let text = match message {
            Wire::Text(text) => text,
            Wire::Close(code, reason) => {
                return self.fail(self.classify(*code, reason), format!("elevenlabs closed with {code}"), out);
            }
            _ => return,
        };
        let Ok(message) = serde_json::from_str::<Message>(text) else {
            return self.fail(ErrorClass::Protocol, "elevenlabs sent what its protocol does not allow", out);
        };
        match message.message_type.as_str() {
            "partial_transcript" if !message.text.trim().is_empty() => {
                out.push(SttEvent::Partial { text: message.text.trim().to_owned() });
            }
            "committed_transcript" => self.on_committed(message.text, out),
            kind => {
                if let Some(class) = code_class(kind) {
                    self.fail(class, format!("elevenlabs reported {kind}"), out);
                }
            }
        }
    }

    fn finalize(&mut self, out: &mut Vec<Wire>) {
        let since_ms = self.feed.sent_ms() - self.committed_ms;
        let rest = self.feed.flush(COMMIT_MS_MIN.saturating_sub(since_ms)).unwrap_or_default();
        out.push(Self::chunk(self.feed.rate_hz(), &rest, true));
        self.committed_ms = self.feed.sent_ms();
        self.asked = true;
    }

    fn keep_alive(&mut self, out: &mut Vec<Wire>) {
        out.push(Self::chunk(self.feed.rate_hz(), &[], false));
    }

    fn keep_alive_ms(&self) -> Option<u64> {
        Some(KEEP_ALIVE_MS)
    }

    fn close(&mut self, _out: &mut Vec<Wire>) {
        self.over = true;
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).as_deref().and_then(code_class).unwrap_or_else(|| classify_status(status))
    }
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    message_type: String,
    #[serde(default)]
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    #[test]
    fn a_commit_of_next_to_nothing_is_filled_up() {
        let options = ProviderOptions { api_key: Some("key".into()), ..ProviderOptions::default() };
        let mut codec = super::super::PROVIDERS.open("elevenlabs", &options).expect("usable").protocol();
        let open = SttOpen { sample_rate_hz: 8_000, language: "en-US".into(), hints: Vec::new(), now_unix_ms: 0 };
        let connect = codec.connect(&open);
        assert!(connect.url.ends_with("audio_format=pcm_8000&language_code=en"), "{}", connect.url);
        let mut out = Vec::new();
        codec.on_audio(&[0; 160], &mut out);
        codec.finalize(&mut out);
        let [Wire::Text(text)] = &out[..] else { panic!("{out:?}") };
        let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let audio = STANDARD.decode(json["audio_base_64"].as_str().expect("audio")).expect("base64");
        assert_eq!((audio.len(), &json["commit"]), (320 * 16, &serde_json::Value::Bool(true)));
    }
}
