//! Deepgram Aura streaming synthesis, `wss://api.deepgram.com/v1/speak`.
//!
//! Source: developers.deepgram.com/docs/tts-websocket and the types of the vendor's Python package. Audio comes as binary
//! messages without a container; `Flushed` follows the audio of everything before a `Flush`. The service tells no times of
//! words.

use super::utterance::{Encoding, Utterance};
use super::{TtsEvent, TtsOpen, TtsProtocol};
use crate::answer::{classify_status, error_code, is_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use crate::voices::{KnownVoices, VoiceInfo, Voices};
use base::ErrorClass;
use base::wire::{Connect, Header, Wire};
use model::routing::Region;
use serde::Deserialize;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "deepgram",
    title: "Deepgram",
    base_url: "https://api.deepgram.com",
    key_env: "DEEPGRAM_API_KEY",
    base_url_env: "DEEPGRAM_BASE_URL",
    model_env: Some("DEEPGRAM_TTS_MODEL"),
    voice_env: Some("DEEPGRAM_TTS_VOICE"),
    model: Some("aura-2"),
    voice: Some("thalia"),
    extra: &[
        ("encoding", "Audio on the wire: `pcm` (default) or `ulaw`, 8000 Hz only, which halves the bandwidth."),
        ("speed", "Pace from 0.7 to 1.5."),
        ("mip_opt_out", "`true` keeps what is spoken out of the vendor's model improvement programme."),
    ],
    key_optional: false,
    region: Some(Region::Us),
    languages: &["en", "es", "de", "nl", "fr", "it", "ja"],
    quality: 70,
    ..Descriptor::NONE
};

const RATES_HZ: [u32; 5] = [8_000, 16_000, 24_000, 32_000, 48_000];
/// The service takes 20 in a minute and warns beyond; one is left for the end of the utterance.
const FLUSHES_MAX: usize = 19;

struct Config {
    settings: Settings,
    ulaw: bool,
    speed: Option<f64>,
    mip_opt_out: Option<bool>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    let model = settings.model();
    if !["aura-2", "aura-1"].contains(&model) {
        return Err(settings.value_error("model", model, "aura-2 or aura-1; the voice is an option of its own"));
    }
    let config = Arc::new(Config {
        ulaw: settings.choice("encoding", &["pcm", "ulaw"])? == Some("ulaw"),
        speed: settings.number("speed", 0.7..=1.5)?,
        mip_opt_out: settings.flag("mip_opt_out")?,
        settings: settings.clone(),
    });
    Ok(Box::new(move || {
        let utterance = Utterance::new(DESCRIPTOR.name);
        Box::new(Aura { config: config.clone(), utterance, flushes: 0, unflushed: 0, asked: VecDeque::new() })
    }))
}

struct Aura {
    config: Arc<Config>,
    utterance: Utterance,
    flushes: usize,
    /// Segments sent since the last `Flush`.
    unflushed: usize,
    /// How many segments each `Flush` that is not answered stands for, oldest first.
    asked: VecDeque<usize>,
}

impl Aura {
    /// `thalia` is a voice of the model in the language of the call; `aura-2-thalia-en` is one whatever they are.
    fn voice(&self, open: &TtsOpen) -> String {
        let settings = &self.config.settings;
        let voice = open.voice.as_deref().unwrap_or(settings.voice());
        if voice.contains('-') {
            return voice.to_owned();
        }
        let language = open.language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        match settings.model() {
            // The first generation has no number in its names.
            "aura-1" => format!("aura-{voice}-{language}"),
            model => format!("{model}-{voice}-{language}"),
        }
    }

    fn flush_segments(&mut self, out: &mut Vec<Wire>) {
        self.flushes += 1;
        self.asked.push_back(std::mem::take(&mut self.unflushed));
        out.push(Wire::Text(r#"{"type":"Flush"}"#.to_owned()));
    }

    fn on_reply(&mut self, reply: Reply, out: &mut Vec<TtsEvent>) {
        match reply {
            Reply::Flushed => {
                let segments = self.asked.pop_front().unwrap_or(0);
                (0..segments).for_each(|_| self.utterance.segment_done(out));
            }
            Reply::Error { code, err_code } => {
                let code = code.or(err_code).unwrap_or_default();
                let word = if is_code(&code) { code.as_str() } else { "an error" };
                self.utterance.fail(word_class(&code), format!("deepgram reported {word}"), out);
            }
            Reply::Other => {}
        }
    }
}

impl TtsProtocol for Aura {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        let settings = &self.config.settings;
        self.utterance.choose_format(self.config.ulaw, open.sample_rate_hz, &RATES_HZ);
        let encoding = if self.utterance.encoding() == Encoding::Ulaw { "mulaw" } else { "linear16" };
        let mut url = settings.ws_url(&["v1", "speak"]);
        let mut query = url.query_pairs_mut();
        query
            .append_pair("model", &self.voice(open))
            .append_pair("encoding", encoding)
            .append_pair("sample_rate", &self.utterance.sample_rate_hz().to_string());
        if let Some(speed) = self.config.speed {
            query.append_pair("speed", &speed.to_string());
        }
        if let Some(on) = self.config.mip_opt_out {
            query.append_pair("mip_opt_out", if on { "true" } else { "false" });
        }
        drop(query);
        let key = settings.key().map(|key| Header::secret("authorization", format!("Token {}", key.expose())));
        Connect { headers: key.into_iter().collect(), ..Connect::websocket(url) }
    }

    fn sample_rate_hz(&self) -> u32 {
        self.utterance.sample_rate_hz()
    }

    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        let Some(spoken) = self.utterance.push(text) else { return };
        out.push(Wire::Text(json!({"type": "Speak", "text": spoken}).to_string()));
        self.unflushed += 1;
        if self.flushes < FLUSHES_MAX {
            self.flush_segments(out);
        }
    }

    fn flush(&mut self, out: &mut Vec<Wire>) {
        if self.utterance.flush() && self.unflushed > 0 {
            self.flush_segments(out);
        }
    }

    fn cancel(&mut self, out: &mut Vec<Wire>) {
        if self.utterance.cancel() {
            out.push(Wire::Text(r#"{"type":"Clear"}"#.to_owned()));
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
            Wire::Binary(bytes) => self.utterance.audio(bytes, out),
            Wire::Close(code, _) => self.on_close(*code, out),
            Wire::Request(_) | Wire::End => {}
        }
    }

    fn poll(&mut self, _: &mut Vec<Wire>, events: &mut Vec<TtsEvent>) {
        self.utterance.finish_when_out(events);
    }

    fn voices(&self) -> Option<Box<dyn Voices>> {
        Some(Box::new(KnownVoices(known_voices)))
    }

    /// The reason tells more than the code, and the driver has it.
    fn on_close(&mut self, _: u16, _: &mut Vec<TtsEvent>) {}

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        match error_code(body).as_deref() {
            Some("ASR_PAYMENT_REQUIRED" | "INSUFFICIENT_CREDITS") => ErrorClass::Quota,
            // Characters per minute, told in the reason of a close.
            Some("DATA-0001") => ErrorClass::RateLimited,
            _ => classify_status(status),
        }
    }
}

fn word_class(code: &str) -> ErrorClass {
    match code {
        "DATA-0001" | "TOO_MANY_REQUESTS" => ErrorClass::RateLimited,
        _ if code.starts_with("DATA-") || code.starts_with("MESSAGE-") || code.starts_with("BIG-") => {
            ErrorClass::Invalid
        }
        _ => ErrorClass::Unavailable,
    }
}

/// The voices that the vendor's Python package 7.17 names, by language.
const VOICES: [(&str, &str); 7] = [
    (
        "en",
        "amalthea andromeda apollo arcas aries asteria athena atlas aurora callista cora cordelia delia draco electra \
         harmonia helena hera hermes hyperion janus juno jupiter luna mars minerva neptune odysseus ophelia orion orpheus \
         pandora phoebe pluto saturn selene thalia theia vesta zeus",
    ),
    (
        "es",
        "agustina alvaro antonia aquila carina celeste diana estrella gloria javier luciano nestor olivia selena silvia \
         sirio valerio",
    ),
    ("de", "aurelia elara fabian julius kara lara viktoria"),
    ("nl", "beatrix cornelia daphne hestia lars leda rhea roman sander"),
    ("fr", "agathe hector"),
    ("it", "cesare cinzia demetra dionisio elio flavio livia maia melia"),
    ("ja", "ama ebisu fujin izanami uzume"),
];

fn known_voices() -> Vec<VoiceInfo> {
    let titled = |name: &str| name[..1].to_ascii_uppercase() + &name[1..];
    let voice = |language: &str, name: &str| VoiceInfo {
        language: Some(language.to_owned()),
        ..VoiceInfo::stock(format!("aura-2-{name}-{language}"), titled(name))
    };
    VOICES.iter().flat_map(|(language, names)| names.split_whitespace().map(|name| voice(language, name))).collect()
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Reply {
    Flushed,
    Error {
        code: Option<String>,
        err_code: Option<String>,
    },
    /// `Metadata`, `Cleared`, `Warning` and whatever is new.
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    fn opened(voice: Option<&str>, language: &str, model: Option<&str>) -> (Box<dyn TtsProtocol>, Connect) {
        let options = ProviderOptions {
            api_key: Some("key".into()),
            model: model.map(str::to_owned),
            ..ProviderOptions::default()
        };
        let mut codec = super::super::PROVIDERS.open("deepgram", &options).expect("usable").protocol();
        let connect = codec.connect(&TtsOpen {
            sample_rate_hz: 8_000,
            language: language.to_owned(),
            voice: voice.map(str::to_owned),
            now_unix_ms: 0,
        });
        (codec, connect)
    }

    #[test]
    fn a_name_becomes_the_voice_of_the_model_and_the_language_and_a_full_name_stays() {
        for (voice, language, model, expected) in [
            (None, "en-US", None, "aura-2-thalia-en"),
            (Some("celeste"), "es", None, "aura-2-celeste-es"),
            (Some("asteria"), "en", Some("aura-1"), "aura-asteria-en"),
            (Some("aura-2-nestor-es"), "en", None, "aura-2-nestor-es"),
        ] {
            let (_, connect) = opened(voice, language, model);
            assert!(connect.url.contains(&format!("model={expected}&")), "{}", connect.url);
        }
    }

    #[test]
    fn sentences_beyond_the_allowed_flushes_share_the_last_one() {
        let (mut codec, _) = opened(None, "en", None);
        let (mut wires, mut events) = (Vec::new(), Vec::new());
        (0..25).for_each(|_| codec.on_text("Yes.", &mut wires));
        codec.flush(&mut wires);
        let flushes = wires.iter().filter(|wire| **wire == Wire::Text(r#"{"type":"Flush"}"#.to_owned())).count();
        assert_eq!(flushes, FLUSHES_MAX + 1);
        for n in 0..flushes {
            codec.on_message(&Wire::Text(json!({"type": "Flushed", "sequence_id": n}).to_string()), &mut events);
        }
        codec.poll(&mut wires, &mut events);
        assert_eq!(events.iter().filter(|event| **event == TtsEvent::SegmentDone).count(), 25);
        assert_eq!(events.last(), Some(&TtsEvent::Done));
    }

    #[test]
    fn too_many_characters_in_a_minute_are_a_limit_and_not_our_mistake() {
        let (codec, _) = opened(None, "en", None);
        assert_eq!(codec.classify(1008, "DATA-0001: too many characters"), ErrorClass::RateLimited);
        assert_eq!(codec.classify(1008, "DATA-0000"), ErrorClass::Invalid);
    }
}
