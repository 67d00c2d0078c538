//! ElevenLabs streaming synthesis, `wss://api.elevenlabs.io/v1/text-to-speech/{voice}/stream-input`.
//!
//! Source: elevenlabs.io/docs, "Websocket" reference; field names as in the vendor's AsyncAPI description. One socket per
//! utterance: an interruption closes it. Alignment times count from the start of the message they come in.

use model::routing::{Feature, Region};
use super::{TtsEvent, TtsOpen, TtsProtocol};
use crate::answer::{classify_status, error_code, is_code};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use audio_codec_algorithms::decode_ulaw;
use base::limits::GENERATION_CHARS_MAX;
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "elevenlabs",
    title: "ElevenLabs",
    base_url: "https://api.elevenlabs.io",
    key_env: "ELEVENLABS_API_KEY",
    base_url_env: "ELEVENLABS_BASE_URL",
    model_env: Some("ELEVENLABS_MODEL"),
    voice_env: Some("ELEVENLABS_VOICE_ID"),
    model: Some("eleven_flash_v2_5"),
    voice: Some("JBFqnCBsd6RMkjVDRZzb"),
    extra: &[
        ("encoding", "Audio on the wire: `pcm` (default) or `ulaw`, 8000 Hz only, which halves the bandwidth."),
        ("language_code", "ISO 639-1 language to insist on; by default the agent's, for models that take one."),
        ("stability", "How even the voice is, from 0 to 1."),
        ("similarity_boost", "How close it stays to the original, from 0 to 1."),
        ("style", "How much it exaggerates, from 0 to 1; more costs time."),
        ("speed", "Pace from 0.7 to 1.2."),
        ("inactivity_timeout_s", "Seconds without text after which the service hangs up, 5 to 180; default 60."),
        ("enable_logging", "`false` asks for no retention, on plans that allow it; left to the account when unset."),
    ],
    key_optional: false,
    region: Some(Region::Us),
    features: &[Feature::Emotion, Feature::Cloning, Feature::WordTimes],
    quality: 85,
    ..Descriptor::NONE
};

const RATES_HZ: [u32; 7] = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

struct Config {
    settings: Settings,
    ulaw: bool,
    inactivity_timeout_s: u64,
    enable_logging: Option<bool>,
    voice_settings: Map<String, Value>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    let model = settings.model();
    if model.starts_with("eleven_v3") || model.starts_with("eleven_v4") {
        let expected = "a model with streaming input such as eleven_flash_v2_5 (v3 and v4 use another protocol)";
        return Err(settings.value_error("model", model, expected));
    }
    let ranges =
        [("stability", 0.0..=1.0), ("similarity_boost", 0.0..=1.0), ("style", 0.0..=1.0), ("speed", 0.7..=1.2)];
    let mut voice_settings = Map::new();
    for (key, range) in ranges {
        if let Some(number) = settings.number(key, range)? {
            voice_settings.insert(key.to_owned(), json!(number));
        }
    }
    let config = Arc::new(Config {
        ulaw: settings.choice("encoding", &["pcm", "ulaw"])? == Some("ulaw"),
        inactivity_timeout_s: settings.whole("inactivity_timeout_s", 5..=180)?.unwrap_or(60),
        enable_logging: settings.flag("enable_logging")?,
        voice_settings,
        settings: settings.clone(),
    });
    Ok(Box::new(move || Box::new(ElevenLabs::new(config.clone()))))
}

struct ElevenLabs {
    config: Arc<Config>,
    sample_rate_hz: u32,
    /// All text pushed, as pushed: word offsets count its bytes.
    pushed: String,
    segment_starts: Vec<usize>,
    /// Where the last letter or digit of each segment ends whose audio is not all out, oldest first.
    segment_ends: VecDeque<usize>,
    chars_pushed: u64,
    chars_reported: u64,
    /// How far alignment has come in `pushed`.
    aligned: usize,
    between_words: bool,
    samples_out: u64,
    half_sample: Option<u8>,
    flushed: bool,
    over: bool,
}

impl ElevenLabs {
    fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            sample_rate_hz: 8_000,
            pushed: String::new(),
            segment_starts: Vec::new(),
            segment_ends: VecDeque::new(),
            chars_pushed: 0,
            chars_reported: 0,
            aligned: 0,
            between_words: true,
            samples_out: 0,
            half_sample: None,
            flushed: false,
            over: false,
        }
    }

    fn language_code(&self, open: &TtsOpen) -> Option<String> {
        let settings = &self.config.settings;
        let agents = || {
            // Other models refuse the parameter.
            let takes_one = settings.model().ends_with("_v2_5");
            let bare = open.language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
            (takes_one && bare.len() == 2).then_some(bare)
        };
        settings.text("language_code").map(str::to_owned).or_else(agents)
    }

    fn fail(&mut self, failure: Failure, out: &mut Vec<TtsEvent>) {
        if !std::mem::replace(&mut self.over, true) {
            out.push(TtsEvent::Failed(failure));
        }
    }

    fn finish(&mut self, out: &mut Vec<TtsEvent>) {
        if !std::mem::replace(&mut self.over, true) {
            out.extend(self.segment_ends.drain(..).map(|_| TtsEvent::SegmentDone));
            out.push(TtsEvent::Done);
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> Vec<i16> {
        if self.config.ulaw {
            return bytes.iter().map(|byte| decode_ulaw(*byte)).collect();
        }
        let mut pcm = Vec::with_capacity(bytes.len() / 2 + 1);
        let mut rest = bytes;
        if let (Some(low), [high, tail @ ..]) = (self.half_sample, bytes) {
            pcm.push(i16::from_le_bytes([low, *high]));
            self.half_sample = None;
            rest = tail;
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        pcm.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        if let [byte] = odd {
            self.half_sample = Some(*byte);
        }
        pcm
    }

    /// Where words begin. The service may add or normalise spaces, so characters are matched in order and what does not
    /// match is skipped.
    fn word_starts(&mut self, alignment: &Alignment, base_ms: u64) -> Vec<(usize, u64)> {
        let mut starts = Vec::new();
        for (piece, at_ms) in alignment.chars.iter().zip(&alignment.starts_ms) {
            let Some(c) = piece.chars().next() else { continue };
            if c.is_whitespace() {
                self.between_words = true;
                continue;
            }
            let Some((at, crossed_space)) = self.find_next(c) else { continue };
            let begins_segment = self.segment_starts.iter().any(|start| (self.aligned..=at).contains(start));
            if self.between_words || crossed_space || begins_segment {
                starts.push((at, base_ms.saturating_add(at_ms.max(0.0) as u64)));
            }
            self.between_words = false;
            self.aligned = at + c.len_utf8();
        }
        starts
    }

    fn find_next(&self, c: char) -> Option<(usize, bool)> {
        const WINDOW_CHARS: usize = 16;
        let mut crossed_space = false;
        for (offset, candidate) in self.pushed.get(self.aligned..)?.char_indices().take(WINDOW_CHARS) {
            if candidate == c {
                return Some((self.aligned + offset, crossed_space));
            }
            crossed_space |= candidate.is_whitespace();
        }
        None
    }

    fn on_reply(&mut self, reply: Reply, out: &mut Vec<TtsEvent>) {
        if let Some(code) = reply.error {
            let class = word_class(&code).unwrap_or_else(|| classify_status(reply.code.unwrap_or(1008)));
            let word = if is_code(&code) { code.as_str() } else { "an error" };
            return self.fail(Failure::new(class, format!("elevenlabs reported {word}")), out);
        }
        if let Some(audio) = reply.audio.filter(|audio| !audio.is_empty()) {
            let Ok(bytes) = STANDARD.decode(audio.as_bytes()) else {
                return self.fail(Failure::new(ErrorClass::Protocol, "elevenlabs sent audio that is not base64"), out);
            };
            let base_ms = self.samples_out * 1_000 / u64::from(self.sample_rate_hz);
            let pcm = self.decode(&bytes);
            self.samples_out += pcm.len() as u64;
            let starts = reply.alignment.map(|alignment| self.word_starts(&alignment, base_ms)).unwrap_or_default();
            if !starts.is_empty() {
                out.push(TtsEvent::Words { starts });
            }
            if !pcm.is_empty() {
                out.push(TtsEvent::Audio { pcm });
            }
            // The service itself says nothing about the ends of segments; the last letter does.
            while self.segment_ends.pop_front_if(|end| *end <= self.aligned).is_some() {
                out.push(TtsEvent::SegmentDone);
            }
        }
        if self.chars_reported != self.chars_pushed {
            self.chars_reported = self.chars_pushed;
            out.push(TtsEvent::Usage { chars: self.chars_pushed });
        }
        if reply.is_final == Some(true) {
            if self.flushed {
                self.finish(out);
            } else {
                self.fail(Failure::new(ErrorClass::Protocol, "elevenlabs ended before the text did"), out);
            }
        }
    }
}

impl TtsProtocol for ElevenLabs {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        let settings = &self.config.settings;
        let wanted = if self.config.ulaw { 8_000 } else { open.sample_rate_hz };
        self.sample_rate_hz = RATES_HZ.into_iter().find(|rate| *rate >= wanted).unwrap_or(48_000);
        let format = if self.config.ulaw { "ulaw" } else { "pcm" };
        let voice = open.voice.as_deref().unwrap_or(settings.voice());
        let mut url = settings.ws_url(&["v1", "text-to-speech", voice, "stream-input"]);
        let mut query = url.query_pairs_mut();
        query
            .append_pair("model_id", settings.model())
            .append_pair("output_format", &format!("{format}_{}", self.sample_rate_hz))
            .append_pair("auto_mode", "true")
            .append_pair("sync_alignment", "true")
            .append_pair("inactivity_timeout", &self.config.inactivity_timeout_s.to_string());
        if let Some(language) = self.language_code(open) {
            query.append_pair("language_code", &language);
        }
        if let Some(on) = self.config.enable_logging {
            query.append_pair("enable_logging", if on { "true" } else { "false" });
        }
        drop(query);
        let mut begin = json!({"text": " "});
        if !self.config.voice_settings.is_empty() {
            begin["voice_settings"] = Value::Object(self.config.voice_settings.clone());
        }
        let key = settings.key().map(Secret::expose);
        Connect {
            headers: key.iter().map(|key| Header::secret("xi-api-key", (*key).clone())).collect(),
            first: vec![Wire::Text(begin.to_string())],
            ..Connect::websocket(url)
        }
    }

    fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        if self.over || self.flushed {
            return;
        }
        let spoken = text.trim();
        let room = GENERATION_CHARS_MAX as u64 - self.chars_pushed.min(GENERATION_CHARS_MAX as u64);
        self.segment_starts.push(self.pushed.len());
        self.pushed.push_str(text);
        let last = text.char_indices().rev().find(|(_, c)| c.is_alphanumeric());
        let end = last.map_or(text.len(), |(at, c)| at + c.len_utf8());
        self.segment_ends.push_back(self.pushed.len() - text.len() + end);
        // Empty text would end the stream.
        if spoken.is_empty() || room == 0 {
            return;
        }
        self.chars_pushed += spoken.chars().count() as u64 + 1;
        out.push(Wire::Text(json!({"text": format!("{spoken} "), "flush": true}).to_string()));
    }

    fn flush(&mut self, out: &mut Vec<Wire>) {
        if self.over || std::mem::replace(&mut self.flushed, true) {
            return;
        }
        out.push(Wire::Text(r#"{"text":""}"#.to_owned()));
    }

    fn cancel(&mut self, out: &mut Vec<Wire>) {
        if !std::mem::replace(&mut self.over, true) {
            out.push(Wire::Close(1000, "".into()));
        }
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>) {
        if self.over {
            return;
        }
        match message {
            Wire::Text(text) => match serde_json::from_str::<Reply>(text) {
                Ok(reply) => self.on_reply(reply, out),
                Err(_) => {
                    let detail = "elevenlabs sent what its protocol does not allow";
                    self.fail(Failure::new(ErrorClass::Protocol, detail), out);
                }
            },
            Wire::Binary(_) | Wire::Request(_) | Wire::End => {}
            Wire::Close(code, _) => self.on_close(*code, out),
        }
    }

    fn on_close(&mut self, code: u16, out: &mut Vec<TtsEvent>) {
        if self.over {
            return;
        }
        // Everything was asked for and the service left politely: the audio is out even without its last word.
        if code == 1000 && self.flushed && (self.samples_out > 0 || self.chars_pushed == 0) {
            return self.finish(out);
        }
        self.fail(Failure::new(self.classify(code, ""), format!("elevenlabs closed with {code}")), out);
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).and_then(|code| word_class(&code)).unwrap_or_else(|| classify_status(status))
    }
}

fn word_class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "quota_exceeded" | "detected_unusual_activity" | "payment_required" => ErrorClass::Quota,
        "invalid_api_key" | "missing_permissions" | "needs_authorization" | "authentication_error" => ErrorClass::Auth,
        "too_many_concurrent_requests" | "system_busy" | "max_active_conversations" | "rate_limit_exceeded" => {
            ErrorClass::RateLimited
        }
        "voice_not_found" | "max_character_limit_exceeded" | "voice_id_does_not_exist" => ErrorClass::Invalid,
        "input_timeout_exceeded" => ErrorClass::Timeout,
        "content_against_policy" => ErrorClass::Refused,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Reply {
    audio: Option<String>,
    #[serde(rename = "isFinal", alias = "is_final")]
    is_final: Option<bool>,
    alignment: Option<Alignment>,
    error: Option<String>,
    code: Option<u16>,
}

#[derive(Deserialize)]
struct Alignment {
    #[serde(default)]
    chars: Vec<String>,
    #[serde(default, rename = "charStartTimesMs", alias = "charsStartTimesMs", alias = "char_start_times_ms")]
    starts_ms: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    fn opened(extra: &[(&str, &str)], sample_rate_hz: u32) -> (Box<dyn TtsProtocol>, Connect) {
        let extra = extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = ProviderOptions { api_key: Some("key".into()), extra, ..ProviderOptions::default() };
        let mut codec = super::super::PROVIDERS.open("elevenlabs", &options).expect("usable").protocol();
        let connect =
            codec.connect(&TtsOpen { sample_rate_hz, language: "en-US".into(), voice: Some("a/b".into()), now_unix_ms: 0 });
        (codec, connect)
    }

    fn deliver(codec: &mut dyn TtsProtocol, json: Value) -> Vec<TtsEvent> {
        let mut out = Vec::new();
        codec.on_message(&Wire::Text(json.to_string()), &mut out);
        out
    }

    #[test]
    fn the_rate_is_the_nearest_that_the_service_has_and_a_voice_cannot_change_the_path() {
        let (codec, connect) = opened(&[], 20_000);
        assert_eq!(codec.sample_rate_hz(), 22_050);
        assert!(connect.url.contains("/text-to-speech/a%2Fb/stream-input?"), "{}", connect.url);
        let (codec, connect) = opened(&[("encoding", "ulaw")], 16_000);
        assert_eq!(codec.sample_rate_hz(), 8_000);
        assert!(connect.url.contains("output_format=ulaw_8000"), "{}", connect.url);
    }

    #[test]
    fn samples_cut_in_half_are_put_together() {
        let (mut codec, _) = opened(&[], 8_000);
        let mut wires = Vec::new();
        codec.on_text("Hi.", &mut wires);
        let first = deliver(codec.as_mut(), json!({"audio": STANDARD.encode([1, 0, 2])}));
        assert_eq!(first[0], TtsEvent::Audio { pcm: vec![1] });
        let second = deliver(codec.as_mut(), json!({"audio": STANDARD.encode([0, 3, 0])}));
        assert_eq!(second, [TtsEvent::Audio { pcm: vec![2, 3] }]);
    }

    #[test]
    fn words_are_placed_in_the_text_as_pushed_and_in_the_audio_of_the_whole_stream() {
        let (mut codec, _) = opened(&[], 8_000);
        let mut wires = Vec::new();
        codec.on_text("  Ça va.", &mut wires);
        codec.on_text("Oui!", &mut wires);
        let audio = STANDARD.encode(vec![0u8; 8_000]);
        let chars: Vec<String> = " Ça va. ".chars().map(String::from).collect();
        let starts: Vec<u32> = (0..8).map(|n| n * 60).collect();
        let first =
            deliver(codec.as_mut(), json!({"audio": audio, "alignment": {"chars": chars, "charStartTimesMs": starts}}));
        assert_eq!(first[0], TtsEvent::Words { starts: vec![(2, 60), (6, 240)] });
        let second =
            json!({"audio": audio, "alignment": {"chars": ["O", "u", "i"], "charsStartTimesMs": [10, 20, 30]}});
        assert_eq!(deliver(codec.as_mut(), second)[0], TtsEvent::Words { starts: vec![(9, 510)] });
    }

    #[test]
    fn empty_text_does_not_end_the_stream() {
        let (mut codec, _) = opened(&[], 8_000);
        let mut wires = Vec::new();
        codec.on_text("", &mut wires);
        codec.on_text("  ", &mut wires);
        assert!(wires.is_empty());
        codec.flush(&mut wires);
        codec.flush(&mut wires);
        assert_eq!(wires.len(), 1);
    }

    #[test]
    fn an_end_that_comes_too_early_is_a_failure_and_a_polite_one_is_not() {
        let (mut codec, _) = opened(&[], 8_000);
        let mut out = Vec::new();
        codec.on_text("Hi.", &mut Vec::new());
        codec.on_close(1000, &mut out);
        assert!(matches!(&out[..], [TtsEvent::Failed(failure)] if failure.class == ErrorClass::Protocol), "{out:?}");
        let (mut codec, _) = opened(&[], 8_000);
        out.clear();
        codec.on_text("Hi.", &mut Vec::new());
        codec.flush(&mut Vec::new());
        deliver(codec.as_mut(), json!({"audio": STANDARD.encode([1, 0])}));
        codec.on_close(1000, &mut out);
        assert_eq!(out, [TtsEvent::SegmentDone, TtsEvent::Done]);
    }

    #[test]
    fn its_own_words_for_trouble_are_understood() {
        let (mut codec, _) = opened(&[], 8_000);
        assert_eq!(codec.classify(401, r#"{"detail":{"status":"quota_exceeded","message":"x"}}"#), ErrorClass::Quota);
        assert_eq!(codec.classify(422, r#"{"detail":[{"loc":[],"msg":"","type":""}]}"#), ErrorClass::Invalid);
        let error = json!({"message": "long words", "error": "input_timeout_exceeded", "code": 1008});
        let failed = deliver(codec.as_mut(), error);
        assert_eq!(
            failed,
            [TtsEvent::Failed(Failure::new(ErrorClass::Timeout, "elevenlabs reported input_timeout_exceeded"))]
        );
    }
}
