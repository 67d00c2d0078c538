//! AssemblyAI streaming recognition, `wss://streaming.assemblyai.com/v3/ws`.
//!
//! Source: assemblyai.com/docs, "Streaming Speech-to-Text" and the vendor's SDK; names as there. A turn is told again and
//! again, whole; its end is told once, or twice where formatting is a second step, and then the formatted text counts. The
//! service says nothing to a request to end a turn that did not begin, so heartbeats tell how far it has heard.

use super::feed::{Encoding, Feed};
use super::{SttEvent, SttOpen, SttProtocol};
use crate::answer::{classify_status, error_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Secret};
use model::routing::{Feature, Region};
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "assemblyai",
    title: "AssemblyAI",
    base_url: "https://streaming.assemblyai.com",
    key_env: "ASSEMBLYAI_API_KEY",
    base_url_env: "ASSEMBLYAI_BASE_URL",
    model_env: Some("ASSEMBLYAI_MODEL"),
    voice_env: None,
    model: Some("universal-3-6-pro"),
    voice: None,
    extra: &[
        ("encoding", "Audio on the wire: `linear16` (default) or `mulaw`, which halves the bandwidth of a phone line."),
        ("min_turn_silence", "Silence that ends a turn that is surely over, 50 to 5000 ms; default the vendor's."),
        ("max_turn_silence", "Silence that ends any turn, 100 to 10000 ms; default the vendor's."),
        ("end_of_turn_confidence_threshold", "Confidence from which a turn is over, 0 to 1; default the vendor's."),
        ("filter_profanity", "`true` masks profanity; default `false`."),
        ("language_codes", "Languages that are expected, such as `en,es`, instead of the agent's."),
    ],
    region: Some(Region::Us),
    features: &[Feature::Partials, Feature::EndOfTurn, Feature::Hints],
    quality: 80,
    ..Descriptor::NONE
};

/// The least that the service takes in one message.
const CHUNK_MS: u64 = 50;
const KEEP_ALIVE_MS: u64 = 10_000;
/// The version of the interface that these messages belong to.
const VERSION: &str = "2025-05-12";

struct Config {
    url: Url,
    key: Option<Secret<String>>,
    encoding: Encoding,
    languages: Vec<String>,
    /// Formatting is a second step with these models, and has to be asked for.
    formats_later: bool,
    query: Vec<(&'static str, String)>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let mut query = vec![("speech_model", settings.model().to_owned())];
    let formats_later = settings.model().starts_with("universal-streaming");
    if formats_later {
        query.push(("format_turns", "true".to_owned()));
    }
    let whole = [("min_turn_silence", 50..=5_000), ("max_turn_silence", 100..=10_000)];
    for (name, range) in whole {
        query.extend(settings.whole(name, range)?.map(|value| (name, value.to_string())));
    }
    let name = "end_of_turn_confidence_threshold";
    query.extend(settings.number(name, 0.0..=1.0)?.map(|value| (name, value.to_string())));
    if settings.flag("filter_profanity")? == Some(true) {
        query.push(("filter_profanity", "true".to_owned()));
    }
    let mulaw = settings.choice("encoding", &["linear16", "mulaw"])? == Some("mulaw");
    let languages = settings.text("language_codes").unwrap_or_default().split(',').map(str::trim);
    let config = Arc::new(Config {
        url: settings.ws_url(&["v3", "ws"]),
        key: settings.key().cloned(),
        encoding: if mulaw { Encoding::Mulaw } else { Encoding::Linear16 },
        languages: languages.filter(|language| !language.is_empty()).map(str::to_owned).collect(),
        formats_later,
        query,
    });
    Ok(Box::new(move || Box::new(AssemblyAi::new(config.clone()))))
}

struct AssemblyAi {
    config: Arc<Config>,
    feed: Feed,
    partial: String,
    /// Audio that the final transcript must cover which we asked for.
    asked: Option<u64>,
    over: bool,
}

impl AssemblyAi {
    fn new(config: Arc<Config>) -> Self {
        let feed = Feed::new(config.encoding, CHUNK_MS);
        Self { config, feed, partial: String::new(), asked: None, over: false }
    }

    fn fail(&mut self, class: ErrorClass, detail: impl Into<String>, out: &mut Vec<SttEvent>) {
        self.over = true;
        out.push(SttEvent::Failed(Failure::new(class, detail.into())));
    }

    fn usage(&self) -> SttEvent {
        SttEvent::Usage { audio_ms: self.feed.sent_ms() }
    }

    fn on_turn(&mut self, turn: Turn, out: &mut Vec<SttEvent>) {
        let is_whole = turn.end_of_turn && (turn.turn_is_formatted || !self.config.formats_later);
        if is_whole {
            self.partial.clear();
            let finalized = self.asked.take().is_some();
            let has_words = !turn.transcript.is_empty();
            out.push(SttEvent::Final { text: turn.transcript, finalized });
            if has_words && !finalized {
                out.push(SttEvent::EndOfTurn);
            }
            out.push(self.usage());
        } else if !turn.transcript.is_empty() && turn.transcript != self.partial {
            self.partial.clone_from(&turn.transcript);
            out.push(SttEvent::Partial { text: turn.transcript });
        }
    }

    /// The service has heard this much, and if it knows of no words by then, none were said.
    fn on_heartbeat(&mut self, heard_ms: u64, out: &mut Vec<SttEvent>) {
        if self.partial.is_empty() && self.asked.take_if(|until_ms| heard_ms >= *until_ms).is_some() {
            out.push(SttEvent::Final { text: String::new(), finalized: true });
            out.push(self.usage());
        }
    }
}

impl SttProtocol for AssemblyAi {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        self.feed.open(open.sample_rate_hz);
        let config = &self.config;
        let mut url = config.url.clone();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("sample_rate", &open.sample_rate_hz.to_string())
            .append_pair("encoding", if config.encoding == Encoding::Mulaw { "pcm_mulaw" } else { "pcm_s16le" });
        for (name, value) in &config.query {
            query.append_pair(name, value);
        }
        query.append_pair("session_heartbeat", "true");
        if !config.formats_later {
            let own = [open.language.split('-').next().unwrap_or_default().to_owned()];
            let languages = if config.languages.is_empty() { &own } else { config.languages.as_slice() };
            query.append_pair("language_codes", &serde_json::json!(languages).to_string());
        }
        if !open.hints.is_empty() {
            query.append_pair("keyterms_prompt", &serde_json::json!(open.hints).to_string());
        }
        drop(query);
        let mut headers: Vec<Header> =
            config.key.iter().map(|key| Header::secret("authorization", key.expose().clone())).collect();
        headers.push(Header::plain("assemblyai-version", VERSION));
        Connect { headers, ..Connect::websocket(url) }
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        self.feed.push(pcm, |bytes| out.push(Wire::Binary(bytes)));
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        if self.over {
            return;
        }
        let text = match message {
            Wire::Text(text) => text,
            Wire::Close(code, reason) => {
                return self.fail(self.classify(*code, reason), format!("assemblyai closed with {code}"), out);
            }
            _ => return,
        };
        match serde_json::from_str(text) {
            Ok(Message::Turn(turn)) => self.on_turn(turn, out),
            Ok(Message::Heartbeat { total_audio_received_ms }) => self.on_heartbeat(total_audio_received_ms, out),
            Ok(Message::Termination) => out.push(self.usage()),
            Ok(Message::Error { error_code }) => {
                self.fail(self.classify(error_code, ""), format!("assemblyai reported {error_code}"), out);
            }
            Ok(Message::Other) => {}
            Err(_) => self.fail(ErrorClass::Protocol, "assemblyai sent what its protocol does not allow", out),
        }
    }

    fn finalize(&mut self, out: &mut Vec<Wire>) {
        if self.feed.has_rest() {
            out.extend(self.feed.flush(CHUNK_MS).map(Wire::Binary));
        }
        self.asked = Some(self.feed.sent_ms());
        out.push(Wire::Text(r#"{"type":"ForceEndpoint"}"#.to_owned()));
    }

    fn keep_alive(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text(r#"{"type":"KeepAlive"}"#.to_owned()));
    }

    fn keep_alive_ms(&self) -> Option<u64> {
        Some(KEEP_ALIVE_MS)
    }

    fn close(&mut self, out: &mut Vec<Wire>) {
        self.over = true;
        out.push(Wire::Text(r#"{"type":"Terminate"}"#.to_owned()));
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        match status {
            1008 if body.contains("Too many concurrent sessions") => ErrorClass::RateLimited,
            1008 | 4001 => ErrorClass::Auth,
            4002 | 4003 => ErrorClass::Quota,
            3009 | 4102 => ErrorClass::RateLimited,
            3005 => ErrorClass::Unavailable,
            // The time of the session is up; another one may be opened.
            3008 => ErrorClass::Unavailable,
            4031 => ErrorClass::Timeout,
            3006 | 3007 | 4000 | 4029 | 4100 | 4101 => ErrorClass::Invalid,
            _ if error_code(body).as_deref() == Some("INSUFFICIENT_FUNDS") => ErrorClass::Quota,
            status => classify_status(status),
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Message {
    Turn(Turn),
    Heartbeat {
        #[serde(default)]
        total_audio_received_ms: u64,
    },
    Termination,
    Error {
        #[serde(default)]
        error_code: u16,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Turn {
    #[serde(default)]
    end_of_turn: bool,
    #[serde(default)]
    turn_is_formatted: bool,
    #[serde(default)]
    transcript: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    #[test]
    fn a_model_that_formats_later_is_heard_out() {
        let options = ProviderOptions {
            api_key: Some("key".into()),
            model: Some("universal-streaming-english".to_owned()),
            ..ProviderOptions::default()
        };
        let mut codec = super::super::PROVIDERS.open("assemblyai", &options).expect("usable").protocol();
        let open = SttOpen { sample_rate_hz: 8_000, language: "en".to_owned(), hints: Vec::new(), now_unix_ms: 0 };
        let connect = codec.connect(&open);
        assert!(connect.url.contains("format_turns=true"), "{}", connect.url);
        let mut out = Vec::new();
        for text in [
            r#"{"type":"Turn","end_of_turn":true,"turn_is_formatted":false,"transcript":"hi i am sam"}"#,
            r#"{"type":"Turn","end_of_turn":true,"turn_is_formatted":true,"transcript":"Hi, I am Sam."}"#,
        ] {
            codec.on_message(&Wire::Text(text.to_owned()), &mut out);
        }
        let words = SttEvent::Final { text: "Hi, I am Sam.".to_owned(), finalized: false };
        assert_eq!(out[0], SttEvent::Partial { text: "hi i am sam".to_owned() });
        assert_eq!(out[1..3], [words, SttEvent::EndOfTurn]);
    }

    #[test]
    fn its_own_numbers_for_trouble_are_understood() {
        let options = ProviderOptions { api_key: Some("key".into()), ..ProviderOptions::default() };
        let codec = super::super::PROVIDERS.open("assemblyai", &options).expect("usable").protocol();
        let busy = "Unauthorized connection: Too many concurrent sessions";
        assert_eq!(codec.classify(1008, busy), ErrorClass::RateLimited);
        assert_eq!(codec.classify(1008, "Unauthorized connection"), ErrorClass::Auth);
        assert_eq!(codec.classify(4002, ""), ErrorClass::Quota);
        assert_eq!(codec.classify(3007, ""), ErrorClass::Invalid);
    }
}
