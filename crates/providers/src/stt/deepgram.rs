//! Deepgram streaming recognition, `wss://api.deepgram.com/v1/listen` (Nova models).
//!
//! Source: developers.deepgram.com, "Live audio" reference and "Lower-level websockets"; field names as in the vendor's
//! AsyncAPI description. The service sends nothing when the stream opens and may leave a `Finalize` unanswered when it
//! has buffered next to no audio, so the driver needs its own deadline for that answer.

use model::routing::{Feature, Region};
use super::{SttEvent, SttOpen, SttProtocol};
use crate::answer::{classify_status, error_code, is_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use audio_codec_algorithms::encode_ulaw;
use base::limits::FRAME_MS;
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Secret};
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "deepgram",
    title: "Deepgram",
    base_url: "https://api.deepgram.com",
    key_env: "DEEPGRAM_API_KEY",
    base_url_env: "DEEPGRAM_BASE_URL",
    model_env: Some("DEEPGRAM_MODEL"),
    voice_env: None,
    model: Some("nova-3"),
    voice: None,
    extra: &[
        ("encoding", "Audio on the wire: `linear16` (default) or `mulaw`, which halves the bandwidth of a phone line."),
        ("endpointing_ms", "Silence after which the service takes an utterance as ended, 10 to 5000; default 300."),
        ("utterance_end_ms", "Gap between words after which it says so, 1000 to 5000; default 1000."),
        ("language", "Language instead of the agent's, such as `multi` for speakers who switch."),
        ("smart_format", "`true` formats numbers, dates and e-mail addresses; default `true`."),
        ("numerals", "`true` writes spoken numbers as digits; default `false`."),
        ("profanity_filter", "`true` masks profanity; default `false`."),
        ("mip_opt_out", "`true` keeps audio out of the vendor's model improvement programme; default `true`."),
    ],
    key_optional: false,
    region: Some(Region::Us),
    features: &[Feature::Partials, Feature::Hints],
    quality: 80,
    ..Descriptor::NONE
};

/// Silence after which a quiet stream must hear from us; the service gives up after 10 s.
const KEEP_ALIVE_MS: u64 = 4_000;

struct Config {
    url: Url,
    key: Option<Secret<String>>,
    language: Option<String>,
    mulaw: bool,
    endpointing_ms: u64,
    utterance_end_ms: u64,
    keyterms: bool,
    flags: [(&'static str, bool); 4],
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let model = settings.model();
    if model.starts_with("flux") {
        return Err(settings.value_error(
            "model",
            model,
            "a Nova model such as nova-3 (Flux models use another protocol)",
        ));
    }
    let mut url = settings.ws_url(&["v1", "listen"]);
    url.query_pairs_mut().append_pair("model", model);
    let config = Arc::new(Config {
        url,
        key: settings.key().cloned(),
        language: settings.text("language").map(str::to_owned),
        mulaw: settings.choice("encoding", &["linear16", "mulaw"])? == Some("mulaw"),
        endpointing_ms: settings.whole("endpointing_ms", 10..=5_000)?.unwrap_or(300),
        utterance_end_ms: settings.whole("utterance_end_ms", 1_000..=5_000)?.unwrap_or(1_000),
        keyterms: model.starts_with("nova-3"),
        flags: [
            ("smart_format", settings.flag("smart_format")?.unwrap_or(true)),
            ("numerals", settings.flag("numerals")?.unwrap_or(false)),
            ("profanity_filter", settings.flag("profanity_filter")?.unwrap_or(false)),
            ("mip_opt_out", settings.flag("mip_opt_out")?.unwrap_or(true)),
        ],
    });
    Ok(Box::new(move || Box::new(Deepgram::new(config.clone()))))
}

struct Deepgram {
    config: Arc<Config>,
    sample_rate_hz: u32,
    pending: Vec<i16>,
    samples_sent: u64,
    /// Whether the turn has any final words, so that an end of turn is worth reporting.
    turn_has_words: bool,
    over: bool,
}

impl Deepgram {
    fn new(config: Arc<Config>) -> Self {
        Self { config, sample_rate_hz: 8_000, pending: Vec::new(), samples_sent: 0, turn_has_words: false, over: false }
    }

    fn send(&mut self, samples: usize, out: &mut Vec<Wire>) {
        // A message without audio would end the stream.
        if samples == 0 {
            return;
        }
        let encoded = self.pending.drain(..samples);
        let bytes = if self.config.mulaw {
            encoded.map(encode_ulaw).collect()
        } else {
            encoded.flat_map(i16::to_le_bytes).collect()
        };
        self.samples_sent += samples as u64;
        out.push(Wire::Binary(bytes));
    }

    fn usage(&self) -> SttEvent {
        SttEvent::Usage { audio_ms: self.samples_sent * 1_000 / u64::from(self.sample_rate_hz) }
    }

    fn fail(&mut self, failure: Failure, out: &mut Vec<SttEvent>) {
        self.over = true;
        out.push(SttEvent::Failed(failure));
    }

    fn on_results(&mut self, results: Results, out: &mut Vec<SttEvent>) {
        let text = results.channel.alternatives.into_iter().next().map(|first| first.transcript).unwrap_or_default();
        if !results.is_final {
            if !text.is_empty() {
                out.push(SttEvent::Partial { text });
            }
            return;
        }
        self.turn_has_words |= !text.is_empty();
        if !text.is_empty() || results.from_finalize {
            out.push(SttEvent::Final { text, finalized: results.from_finalize });
        }
        if results.speech_final {
            self.end_turn(out);
        }
        out.push(self.usage());
    }

    fn end_turn(&mut self, out: &mut Vec<SttEvent>) {
        if std::mem::take(&mut self.turn_has_words) {
            out.push(SttEvent::EndOfTurn);
        }
    }
}

impl SttProtocol for Deepgram {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        self.sample_rate_hz = open.sample_rate_hz.max(1);
        let config = &self.config;
        let mut url = config.url.clone();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("language", config.language.as_deref().unwrap_or(&open.language))
            .append_pair("encoding", if config.mulaw { "mulaw" } else { "linear16" })
            .append_pair("sample_rate", &open.sample_rate_hz.to_string())
            .append_pair("channels", "1")
            .append_pair("interim_results", "true")
            .append_pair("punctuate", "true")
            .append_pair("endpointing", &config.endpointing_ms.to_string())
            .append_pair("utterance_end_ms", &config.utterance_end_ms.to_string());
        for (name, on) in config.flags {
            if on {
                query.append_pair(name, "true");
            }
        }
        for hint in &open.hints {
            query.append_pair(if config.keyterms { "keyterm" } else { "keywords" }, hint);
        }
        drop(query);
        let headers = config.key.iter().map(|key| Header::secret("authorization", format!("Token {}", key.expose())));
        Connect { headers: headers.collect(), ..Connect::websocket(url) }
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        let frame = (u64::from(self.sample_rate_hz) * FRAME_MS / 1_000).max(1) as usize;
        for piece in pcm.chunks(frame) {
            self.pending.extend_from_slice(piece);
            if self.pending.len() >= frame {
                self.send(frame, out);
            }
        }
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        if self.over {
            return;
        }
        let text = match message {
            Wire::Text(text) => text,
            Wire::Binary(_) | Wire::Request(_) | Wire::End => return,
            Wire::Close(code, reason) => {
                let detail = error_code(reason).unwrap_or_default();
                let failure =
                    Failure::new(self.classify(*code, reason), format!("deepgram closed with {code} {detail}"));
                return self.fail(failure, out);
            }
        };
        match serde_json::from_str(text) {
            Ok(Message::Results(results)) => self.on_results(results, out),
            Ok(Message::UtteranceEnd) => self.end_turn(out),
            Ok(Message::Metadata) => out.push(self.usage()),
            Ok(Message::Error { variant }) => {
                let word = if is_code(&variant) { variant.as_str() } else { "an error" };
                self.fail(Failure::new(ErrorClass::Invalid, format!("deepgram reported {word}")), out);
            }
            Ok(Message::Other) => {}
            Err(_) => {
                self.fail(Failure::new(ErrorClass::Protocol, "deepgram sent what its protocol does not allow"), out);
            }
        }
    }

    fn finalize(&mut self, out: &mut Vec<Wire>) {
        self.send(self.pending.len(), out);
        out.push(Wire::Text(r#"{"type":"Finalize"}"#.to_owned()));
    }

    fn keep_alive(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text(r#"{"type":"KeepAlive"}"#.to_owned()));
    }

    fn keep_alive_ms(&self) -> Option<u64> {
        Some(KEEP_ALIVE_MS)
    }

    fn close(&mut self, out: &mut Vec<Wire>) {
        self.over = true;
        out.push(Wire::Text(r#"{"type":"CloseStream"}"#.to_owned()));
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        match (status, error_code(body).as_deref()) {
            (400..=599, Some("ASR_PAYMENT_REQUIRED")) => ErrorClass::Quota,
            (400..=599, Some("INVALID_AUTH" | "INSUFFICIENT_PERMISSIONS")) => ErrorClass::Auth,
            (400..=599, Some("TOO_MANY_REQUESTS")) => ErrorClass::RateLimited,
            // No audio reached the service in time: the link stalled, not the request.
            (1011, Some("NET-0001")) => ErrorClass::Timeout,
            (status, _) => classify_status(status),
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Message {
    Results(Results),
    UtteranceEnd,
    Metadata,
    Error {
        #[serde(default)]
        variant: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    is_final: bool,
    #[serde(default)]
    speech_final: bool,
    #[serde(default)]
    from_finalize: bool,
    channel: Channel,
}

#[derive(Deserialize)]
struct Channel {
    #[serde(default)]
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    #[serde(default)]
    transcript: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    fn opened(extra: &[(&str, &str)]) -> (Box<dyn SttProtocol>, Connect) {
        let extra = extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = ProviderOptions { api_key: Some("key".into()), extra, ..ProviderOptions::default() };
        let provider = super::super::PROVIDERS.open("deepgram", &options).expect("usable");
        let mut codec = provider.protocol();
        let open =
            SttOpen { sample_rate_hz: 8_000, language: "en-US".to_owned(), hints: vec!["Front Desk".to_owned()], now_unix_ms: 0 };
        let connect = codec.connect(&open);
        (codec, connect)
    }

    #[test]
    fn a_phone_line_can_be_sent_as_mulaw() {
        let (mut codec, connect) = opened(&[("encoding", "mulaw")]);
        assert!(connect.url.contains("encoding=mulaw&sample_rate=8000"), "{}", connect.url);
        assert!(connect.url.contains("keyterm=Front+Desk"), "{}", connect.url);
        let mut out = Vec::new();
        codec.on_audio(&[0; 330], &mut out);
        assert_eq!(out, [Wire::Binary(vec![0xff; 160]), Wire::Binary(vec![0xff; 160])]);
        out.clear();
        codec.finalize(&mut out);
        assert_eq!(out, [Wire::Binary(vec![0xff; 10]), Wire::Text(r#"{"type":"Finalize"}"#.to_owned())]);
    }

    #[test]
    fn an_end_of_turn_is_told_once_and_only_after_words() {
        let (mut codec, _) = opened(&[]);
        let mut out = Vec::new();
        for text in [
            r#"{"type":"UtteranceEnd","channel":[0,1],"last_word_end":-1}"#,
            r#"{"type":"Results","is_final":true,"speech_final":true,"channel":{"alternatives":[{"transcript":"Hi."}]}}"#,
            r#"{"type":"UtteranceEnd","channel":[0,1],"last_word_end":2.3}"#,
            r#"{"type":"SomethingNew"}"#,
        ] {
            codec.on_message(&Wire::Text(text.to_owned()), &mut out);
        }
        let hi = SttEvent::Final { text: "Hi.".to_owned(), finalized: false };
        assert_eq!(out, [hi, SttEvent::EndOfTurn, SttEvent::Usage { audio_ms: 0 }]);
    }

    #[test]
    fn its_own_words_for_trouble_are_understood() {
        let (codec, _) = opened(&[]);
        assert_eq!(codec.classify(403, r#"{"err_code":"ASR_PAYMENT_REQUIRED"}"#), ErrorClass::Quota);
        assert_eq!(codec.classify(1011, "NET-0001: no audio"), ErrorClass::Timeout);
        assert_eq!(codec.classify(1008, "DATA-0000"), ErrorClass::Invalid);
    }

    #[test]
    fn models_of_another_protocol_and_bad_numbers_are_refused() {
        let mut options = ProviderOptions { api_key: Some("key".into()), ..ProviderOptions::default() };
        options.model = Some("flux-general-en".to_owned());
        super::super::PROVIDERS.open("deepgram", &options).expect_err("another protocol");
        options.model = None;
        options.extra.insert("endpointing_ms".to_owned(), "soon".to_owned());
        let why = super::super::PROVIDERS.open("deepgram", &options).expect_err("not a number").to_string();
        assert_eq!(why, r#"Deepgram: option endpointing_ms must be a whole number from 10 to 5000, not "soon""#);
    }
}
