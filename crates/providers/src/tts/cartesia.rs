//! Cartesia Sonic streaming synthesis, `wss://api.cartesia.ai/tts/websocket`.
//!
//! Source: docs.cartesia.ai, "WebSocket" and "Contexts", and the types of the vendor's Python package for the API version
//! below. An utterance is a context: its sentences continue one another, each is flushed, and times of words count from the
//! beginning of the context. The service forgets a context about a second after its last audio; what comes later begins
//! another.

use super::utterance::{Encoding, Utterance};
use super::{TtsEvent, TtsOpen, TtsProtocol};
use crate::answer::{classify_status, error_code, is_code};
use crate::form::{Part, multipart};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use crate::voices::{self, CloneRequest, Listing, Page, VoiceInfo, Voices};
use base::wire::{Connect, Header, HttpRequest, Method, Wire};
use base::{ErrorClass, Failure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::routing::{Feature, Region};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The version of the API whose shapes these are; the service refuses requests without one.
const API_VERSION: &str = "2026-08-14";

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "cartesia",
    title: "Cartesia",
    base_url: "https://api.cartesia.ai",
    key_env: "CARTESIA_API_KEY",
    base_url_env: "CARTESIA_BASE_URL",
    model_env: Some("CARTESIA_TTS_MODEL"),
    voice_env: Some("CARTESIA_VOICE_ID"),
    model: Some("sonic-3.5"),
    voice: Some("f786b574-daa5-4673-aa0c-cbe3e8534c02"),
    extra: &[
        ("encoding", "Audio on the wire: `pcm` (default) or `ulaw`, 8000 Hz only, which halves the bandwidth."),
        ("speed", "Pace from 0.6 to 1.5."),
        ("volume", "Loudness from 0.5 to 2."),
        ("emotion", "How it sounds, in the vendor's words, such as `calm`."),
        ("pronunciation_dict_id", "Id of a pronunciation dictionary of the account."),
    ],
    key_optional: false,
    region: Some(Region::Us),
    features: &[Feature::Emotion, Feature::Cloning, Feature::WordTimes],
    quality: 85,
    ..Descriptor::NONE
};

const RATES_HZ: [u32; 6] = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000];

struct Config {
    settings: Settings,
    ulaw: bool,
    generation: Map<String, Value>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    let mut generation = Map::new();
    for (key, range) in [("speed", 0.6..=1.5), ("volume", 0.5..=2.0)] {
        if let Some(number) = settings.number(key, range)? {
            generation.insert(key.to_owned(), json!(number));
        }
    }
    if let Some(emotion) = settings.text("emotion") {
        generation.insert("emotion".to_owned(), json!(emotion));
    }
    let config = Arc::new(Config {
        ulaw: settings.choice("encoding", &["pcm", "ulaw"])? == Some("ulaw"),
        generation,
        settings: settings.clone(),
    });
    Ok(Box::new(move || {
        let utterance = Utterance::new(DESCRIPTOR.name);
        Box::new(Sonic { config: config.clone(), utterance, common: Map::new(), context: 1, begun_ms: 0, used: false })
    }))
}

struct Sonic {
    config: Arc<Config>,
    utterance: Utterance,
    /// What every message of a context repeats.
    common: Map<String, Value>,
    /// Number of the context, from 1.
    context: u32,
    /// Audio of this utterance that lies before the beginning of the context.
    begun_ms: u64,
    /// Whether the context has been given text.
    used: bool,
}

fn headers(settings: &Settings) -> Vec<Header> {
    let key = settings.key().map(|key| Header::secret("authorization", format!("Bearer {}", key.expose())));
    key.into_iter().chain([Header::plain("cartesia-version", API_VERSION)]).collect()
}

/// Languages are told without a region.
fn bare_language(language: &str) -> String {
    language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

impl Sonic {
    fn message(&self, transcript: &str, goes_on: bool) -> Wire {
        let mut message = self.common.clone();
        message.insert("context_id".to_owned(), json!(self.context.to_string()));
        message.insert("transcript".to_owned(), json!(transcript));
        message.insert("continue".to_owned(), json!(goes_on));
        if goes_on {
            message.insert("flush".to_owned(), json!(true));
        }
        Wire::Text(Value::Object(message).to_string())
    }

    fn on_reply(&mut self, reply: Reply, out: &mut Vec<TtsEvent>) {
        if reply.context_id.as_deref().is_some_and(|id| id != self.context.to_string()) {
            return;
        }
        match reply.kind.as_str() {
            "chunk" => match STANDARD.decode(reply.data.unwrap_or_default()) {
                Ok(bytes) => self.utterance.audio(&bytes, out),
                Err(_) => self.utterance.fail_of_protocol(out),
            },
            "timestamps" => {
                let times = reply.word_timestamps.unwrap_or_default();
                let begun_ms = self.begun_ms;
                let at_ms = |secs: f64| begun_ms.saturating_add((secs.max(0.0) * 1_000.0) as u64);
                let words = times.words.iter().zip(times.start).map(|(word, secs)| (word.as_str(), at_ms(secs)));
                self.utterance.words(words, out);
            }
            "flush_done" => self.utterance.segment_done(out),
            "done" if self.utterance.is_flushed() => self.utterance.finish(out),
            "done" => {
                // Nobody ended the context: it was forgotten because no more text came.
                while self.utterance.is_owed_audio() {
                    self.utterance.segment_done(out);
                }
                self.context += 1;
                self.begun_ms = self.utterance.audio_ms();
                self.used = false;
            }
            "error" => {
                let code = reply.error_code.unwrap_or_default();
                let class = word_class(&code).unwrap_or_else(|| classify_status(reply.status_code.unwrap_or(500)));
                let word = if is_code(&code) { code.as_str() } else { "an error" };
                self.utterance.fail(class, format!("cartesia reported {word}"), out);
            }
            _ => {}
        }
    }
}

impl TtsProtocol for Sonic {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        let config = self.config.clone();
        let settings = &config.settings;
        self.utterance.choose_format(config.ulaw, open.sample_rate_hz, &RATES_HZ);
        let encoding = if self.utterance.encoding() == Encoding::Ulaw { "pcm_mulaw" } else { "pcm_s16le" };
        let mut common = json!({
            "model_id": settings.model(),
            "voice": {"mode": "id", "id": open.voice.as_deref().unwrap_or(settings.voice())},
            "language": bare_language(&open.language),
            "output_format": {
                "container": "raw", "encoding": encoding, "sample_rate": self.utterance.sample_rate_hz(),
            },
            "add_timestamps": true,
            "use_normalized_timestamps": false,
            // Whole sentences come, so there is nothing to wait for.
            "max_buffer_delay_ms": 0,
        });
        if !config.generation.is_empty() {
            common["generation_config"] = Value::Object(config.generation.clone());
        }
        if let Some(id) = settings.text("pronunciation_dict_id") {
            common["pronunciation_dict_id"] = json!(id);
        }
        if let Value::Object(common) = common {
            self.common = common;
        }
        Connect {
            headers: headers(settings),
            ..Connect::websocket(settings.ws_url(&["tts", "websocket"]))
        }
    }

    fn sample_rate_hz(&self) -> u32 {
        self.utterance.sample_rate_hz()
    }

    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        let Some(spoken) = self.utterance.push(text) else { return };
        // Transcripts of a context are joined as they are.
        self.utterance.charge(1);
        self.used = true;
        out.push(self.message(&format!("{spoken} "), true));
    }

    fn flush(&mut self, out: &mut Vec<Wire>) {
        if self.utterance.flush() && self.used {
            out.push(self.message("", false));
        }
    }

    fn cancel(&mut self, out: &mut Vec<Wire>) {
        if self.utterance.cancel() {
            if self.used {
                out.push(Wire::Text(json!({"context_id": self.context.to_string(), "cancel": true}).to_string()));
            }
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

    fn poll(&mut self, _: &mut Vec<Wire>, events: &mut Vec<TtsEvent>) {
        self.utterance.settle(events);
        // With a context in use, its end says that all is out.
        if self.utterance.is_flushed() && !self.used {
            self.utterance.finish_when_out(events);
        }
    }

    fn voices(&self) -> Option<Box<dyn Voices>> {
        Some(Box::new(Account(self.config.settings.clone())))
    }

    fn on_close(&mut self, code: u16, out: &mut Vec<TtsEvent>) {
        self.utterance.fail_of_close(self.classify(code, ""), code, out);
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        classify(status, body)
    }
}

fn classify(status: u16, body: &str) -> ErrorClass {
    let word = serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|body| word_class(body.get("error_code")?.as_str()?))
        .or_else(|| word_class(&error_code(body)?));
    word.unwrap_or_else(|| classify_status(status))
}

fn word_class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "concurrency_limited" | "rate_limited" => ErrorClass::RateLimited,
        "quota_exceeded" | "credits_exhausted" | "plan_upgrade_required" => ErrorClass::Quota,
        "model_not_found" | "voice_not_found" => ErrorClass::Invalid,
        _ => return None,
    })
}

/// The voices of an account: docs.cartesia.ai, "List Voices" and "Clone Voice".
struct Account(Settings);

const PAGE_VOICES: &str = "100";

impl Voices for Account {
    fn list(&self, after: Option<&str>) -> Listing {
        let mut url = self.0.http_url(&["voices"]);
        url.query_pairs_mut().append_pair("limit", PAGE_VOICES).append_pair("expand[]", "preview_file_url");
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("starting_after", after);
        }
        voices::get(url, headers(&self.0))
    }

    fn listed(&self, body: &[u8]) -> Result<Page, Failure> {
        let page: ListedPage = voices::read(DESCRIPTOR.name, body)?;
        let next = page.data.last().filter(|_| page.has_more).map(|last| last.id.clone());
        let voices = page.data.into_iter().map(|one| VoiceInfo {
            language: one.language,
            gender: one.gender.as_deref().and_then(voices::gender),
            preview_url: one.preview_file_url,
            cloned: one.is_owner,
            ..VoiceInfo::stock(one.id, one.name)
        });
        Ok(Page { voices: voices.collect(), next })
    }

    fn clone_voice(&self, wanted: &CloneRequest) -> Option<HttpRequest> {
        // One recording makes the voice; a few clean seconds are enough.
        let sample = wanted.samples().first()?;
        let language = bare_language(wanted.language());
        let mut parts = vec![Part::text("name", wanted.name()), Part::text("language", &language)];
        parts.extend(wanted.description().map(|words| Part::text("description", words)));
        parts.push(Part::file("clip", &sample.file_name, sample.media_type()?, &sample.bytes));
        let (kind, body) = multipart(&parts);
        let headers = headers(&self.0).into_iter().chain([Header::plain("content-type", kind)]).collect();
        let url = self.0.http_url(&["voices", "clone"]).into();
        Some(HttpRequest { method: Method::Post, url, headers, body })
    }

    fn cloned(&self, body: &[u8]) -> Result<String, Failure> {
        voices::read::<Cloned>(DESCRIPTOR.name, body).map(|voice| voice.id)
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        classify(status, body)
    }
}

#[derive(Deserialize)]
struct Cloned {
    id: String,
}

#[derive(Deserialize)]
struct ListedPage {
    data: Vec<Listed>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    name: String,
    language: Option<String>,
    gender: Option<String>,
    preview_file_url: Option<String>,
    #[serde(default)]
    is_owner: bool,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(rename = "type")]
    kind: String,
    context_id: Option<String>,
    data: Option<String>,
    word_timestamps: Option<WordTimes>,
    status_code: Option<u16>,
    error_code: Option<String>,
}

#[derive(Default, Deserialize)]
struct WordTimes {
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    start: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    fn opened() -> Box<dyn TtsProtocol> {
        let options = ProviderOptions { api_key: Some("key".into()), ..ProviderOptions::default() };
        let mut codec = super::super::PROVIDERS.open("cartesia", &options).expect("usable").protocol();
        codec.connect(&TtsOpen { sample_rate_hz: 8_000, language: "en-US".to_owned(), voice: None, now_unix_ms: 0 });
        codec
    }

    fn deliver(codec: &mut dyn TtsProtocol, json: Value) -> Vec<TtsEvent> {
        let mut out = Vec::new();
        codec.on_message(&Wire::Text(json.to_string()), &mut out);
        out
    }

    #[test]
    fn text_that_comes_after_a_forgotten_context_begins_another_and_its_words_go_on_in_time() {
        let mut codec = opened();
        let mut wires = Vec::new();
        codec.on_text("One.", &mut wires);
        let second_of_audio = STANDARD.encode(vec![0u8; 16_000]);
        deliver(codec.as_mut(), json!({"type": "chunk", "context_id": "1", "data": second_of_audio}));
        assert_eq!(deliver(codec.as_mut(), json!({"type": "done", "context_id": "1"})), [TtsEvent::SegmentDone]);
        wires.clear();
        codec.on_text("Two.", &mut wires);
        assert!(matches!(&wires[0], Wire::Text(text) if text.contains(r#""context_id":"2""#)), "{wires:?}");
        let times = json!({"words": ["Two."], "start": [0.25], "end": [0.5]});
        let late = json!({"type": "chunk", "context_id": "1", "data": second_of_audio});
        assert!(deliver(codec.as_mut(), late).is_empty(), "audio of a context that is gone");
        let words = deliver(codec.as_mut(), json!({"type": "timestamps", "context_id": "2", "word_timestamps": times}));
        assert_eq!(words, [TtsEvent::Words { starts: vec![(4, 1_250)] }]);
    }

    #[test]
    fn an_utterance_whose_context_is_gone_when_the_text_ends_is_done_at_once() {
        let mut codec = opened();
        let (mut wires, mut events) = (Vec::new(), Vec::new());
        codec.on_text("One.", &mut wires);
        deliver(codec.as_mut(), json!({"type": "done", "context_id": "1"}));
        wires.clear();
        codec.flush(&mut wires);
        codec.poll(&mut wires, &mut events);
        assert!(wires.is_empty(), "an unknown context would be opened");
        assert_eq!(events, [TtsEvent::Usage { chars: 5 }, TtsEvent::Done]);
    }

    #[test]
    fn too_many_contexts_are_a_limit_whatever_the_status() {
        let mut codec = opened();
        let error = json!({"type": "error", "status_code": 400, "error_code": "concurrency_limited", "title": "T"});
        let failed = deliver(codec.as_mut(), error);
        assert!(matches!(&failed[..], [TtsEvent::Failed(failure)] if failure.class == ErrorClass::RateLimited));
    }
}
