//! ElevenLabs streaming synthesis, `wss://api.elevenlabs.io/v1/text-to-speech/{voice}/stream-input`.
//!
//! Source: elevenlabs.io/docs, "Websocket" reference; field names as in the vendor's AsyncAPI description. One socket per
//! utterance: an interruption closes it. Alignment times count from the start of the message they come in. What the
//! service's other endpoints share with this one is here too.

use model::routing::{Feature, Region};
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
use serde::Deserialize;
use serde_json::{Map, Value, json};
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
        ("inactivity_timeout_s", "Seconds without text after which the service hangs up, 5 to 180; default 60."),
        EXTRA[0],
        EXTRA[1],
        EXTRA[2],
        EXTRA[3],
        EXTRA[4],
        EXTRA[5],
        EXTRA[6],
    ],
    key_optional: false,
    region: Some(Region::Us),
    features: &[Feature::Emotion, Feature::Cloning, Feature::WordTimes],
    quality: 85,
    ..Descriptor::NONE
};

/// What every endpoint of the service takes.
pub(super) const EXTRA: &[(&str, &str)] = &[
    ("encoding", "Audio on the wire: `pcm` (default) or `ulaw`, 8000 Hz only, which halves the bandwidth."),
    ("language_code", "ISO 639-1 language to insist on; by default the agent's, for models that take one."),
    ("stability", "How even the voice is, from 0 to 1."),
    ("similarity_boost", "How close it stays to the original, from 0 to 1."),
    ("style", "How much it exaggerates, from 0 to 1; more costs time."),
    ("speed", "Pace from 0.7 to 1.2."),
    ("enable_logging", "`false` asks for no retention, on plans that allow it; left to the account when unset."),
];

const RATES_HZ: [u32; 7] = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

/// The settings that every endpoint of the service takes.
pub(super) struct Common {
    pub(super) settings: Settings,
    ulaw: bool,
    pub(super) enable_logging: Option<bool>,
    pub(super) voice_settings: Map<String, Value>,
}

impl Common {
    pub(super) fn resolve(settings: &Settings) -> Result<Self, OptionsError> {
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
        Ok(Self {
            ulaw: settings.choice("encoding", &["pcm", "ulaw"])? == Some("ulaw"),
            enable_logging: settings.flag("enable_logging")?,
            voice_settings,
            settings: settings.clone(),
        })
    }

    pub(super) fn inactivity_timeout_s(settings: &Settings) -> Result<u64, OptionsError> {
        Ok(settings.whole("inactivity_timeout_s", 5..=180)?.unwrap_or(60))
    }

    pub(super) fn choose_format(&self, utterance: &mut Utterance, open: &TtsOpen) {
        utterance.choose_format(self.ulaw, open.sample_rate_hz, &RATES_HZ);
    }

    /// The value of `output_format`.
    pub(super) fn format(utterance: &Utterance) -> String {
        let name = if utterance.encoding() == Encoding::Ulaw { "ulaw" } else { "pcm" };
        format!("{name}_{}", utterance.sample_rate_hz())
    }

    pub(super) fn headers(&self) -> Vec<Header> {
        headers(&self.settings)
    }

    pub(super) fn voices(&self) -> Box<dyn Voices> {
        Box::new(Account(self.settings.clone()))
    }

    pub(super) fn language_code(&self, open: &TtsOpen) -> Option<String> {
        let agents = || {
            // Other models refuse the parameter.
            let takes_one = self.settings.model().ends_with("_v2_5");
            let bare = open.language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
            (takes_one && bare.len() == 2).then_some(bare)
        };
        self.settings.text("language_code").map(str::to_owned).or_else(agents)
    }

    /// The address of a streaming endpoint.
    pub(super) fn socket_url(
        &self,
        utterance: &Utterance,
        open: &TtsOpen,
        endpoint: &str,
        inactivity_timeout_s: u64,
    ) -> String {
        let voice = open.voice.as_deref().unwrap_or(self.settings.voice());
        let mut url = self.settings.ws_url(&["v1", "text-to-speech", voice, endpoint]);
        let mut query = url.query_pairs_mut();
        query
            .append_pair("model_id", self.settings.model())
            .append_pair("output_format", &Self::format(utterance))
            .append_pair("auto_mode", "true")
            .append_pair("sync_alignment", "true")
            .append_pair("inactivity_timeout", &inactivity_timeout_s.to_string());
        if let Some(language) = self.language_code(open) {
            query.append_pair("language_code", &language);
        }
        if let Some(on) = self.enable_logging {
            query.append_pair("enable_logging", if on { "true" } else { "false" });
        }
        drop(query);
        url.into()
    }
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    let common = Arc::new(Common::resolve(settings)?);
    let inactivity_timeout_s = Common::inactivity_timeout_s(settings)?;
    Ok(Box::new(move || {
        let utterance = Utterance::new(DESCRIPTOR.name);
        Box::new(StreamInput { common: common.clone(), inactivity_timeout_s, utterance })
    }))
}

struct StreamInput {
    common: Arc<Common>,
    inactivity_timeout_s: u64,
    utterance: Utterance,
}

impl TtsProtocol for StreamInput {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        self.common.choose_format(&mut self.utterance, open);
        let url = self.common.socket_url(&self.utterance, open, "stream-input", self.inactivity_timeout_s);
        let mut begin = json!({"text": " "});
        if !self.common.voice_settings.is_empty() {
            begin["voice_settings"] = Value::Object(self.common.voice_settings.clone());
        }
        Connect {
            headers: self.common.headers(),
            first: vec![Wire::Text(begin.to_string())],
            ..Connect::websocket(url)
        }
    }

    fn sample_rate_hz(&self) -> u32 {
        self.utterance.sample_rate_hz()
    }

    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        // Empty text would end the stream.
        if let Some(spoken) = self.utterance.push(text) {
            self.utterance.charge(1);
            out.push(Wire::Text(json!({"text": format!("{spoken} "), "flush": true}).to_string()));
        }
    }

    fn flush(&mut self, out: &mut Vec<Wire>) {
        if self.utterance.flush() {
            out.push(Wire::Text(r#"{"text":""}"#.to_owned()));
        }
    }

    fn cancel(&mut self, out: &mut Vec<Wire>) {
        if self.utterance.cancel() {
            out.push(Wire::Close(1000, "".into()));
        }
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>) {
        if self.utterance.is_over() {
            return;
        }
        match message {
            Wire::Text(text) => match serde_json::from_str::<Reply>(text) {
                Ok(reply) => reply.apply(&mut self.utterance, out),
                Err(_) => self.utterance.fail_of_protocol(out),
            },
            Wire::Close(code, _) => self.on_close(*code, out),
            Wire::Binary(_) | Wire::Request(_) | Wire::End => {}
        }
    }

    fn voices(&self) -> Option<Box<dyn Voices>> {
        Some(self.common.voices())
    }

    fn on_close(&mut self, code: u16, out: &mut Vec<TtsEvent>) {
        let utterance = &mut self.utterance;
        // Everything was asked for and the service left politely: the audio is out even without its last word.
        if code == 1000 && utterance.is_flushed() && (utterance.is_heard() || utterance.is_empty()) {
            return utterance.finish(out);
        }
        utterance.fail_of_close(classify(code, ""), code, out);
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        classify(status, body)
    }
}

fn headers(settings: &Settings) -> Vec<Header> {
    settings.key().map(|key| Header::secret("xi-api-key", key.expose().clone())).into_iter().collect()
}

/// The voices of an account: elevenlabs.io/docs, "List voices" (v2) and "Create IVC voice".
struct Account(Settings);

const PAGE_VOICES: &str = "100";

impl Voices for Account {
    fn list(&self, after: Option<&str>) -> Listing {
        let mut url = self.0.http_url(&["v2", "voices"]);
        url.query_pairs_mut().append_pair("page_size", PAGE_VOICES).append_pair("include_total_count", "false");
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("next_page_token", after);
        }
        voices::get(url, headers(&self.0))
    }

    fn listed(&self, body: &[u8]) -> Result<Page, Failure> {
        let page: ListedPage = voices::read(DESCRIPTOR.name, body)?;
        let voices = page.voices.into_iter().map(|one| {
            let labels = one.labels.unwrap_or_default();
            VoiceInfo {
                language: labels.language,
                gender: labels.gender.as_deref().and_then(voices::gender),
                preview_url: one.preview_url,
                cloned: matches!(one.category.as_deref(), Some("cloned" | "professional" | "generated")),
                ..VoiceInfo::stock(one.voice_id, one.name.unwrap_or_default())
            }
        });
        Ok(Page { voices: voices.collect(), next: page.next_page_token.filter(|_| page.has_more) })
    }

    fn clone_voice(&self, wanted: &CloneRequest) -> Option<HttpRequest> {
        let labels = json!({"language": wanted.language()}).to_string();
        let mut parts = vec![Part::text("name", wanted.name()), Part::text("labels", &labels)];
        parts.extend(wanted.description().map(|words| Part::text("description", words)));
        for sample in wanted.samples() {
            parts.push(Part::file("files", &sample.file_name, sample.media_type()?, &sample.bytes));
        }
        let (kind, body) = multipart(&parts);
        let headers = headers(&self.0).into_iter().chain([Header::plain("content-type", kind)]).collect();
        let url = self.0.http_url(&["v1", "voices", "add"]).into();
        Some(HttpRequest { method: Method::Post, url, headers, body })
    }

    fn cloned(&self, body: &[u8]) -> Result<String, Failure> {
        voices::read::<Cloned>(DESCRIPTOR.name, body).map(|voice| voice.voice_id)
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        classify(status, body)
    }
}

#[derive(Deserialize)]
struct Cloned {
    voice_id: String,
}

#[derive(Deserialize)]
struct ListedPage {
    voices: Vec<Listed>,
    #[serde(default)]
    has_more: bool,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    voice_id: String,
    name: Option<String>,
    category: Option<String>,
    labels: Option<Labels>,
    preview_url: Option<String>,
}

#[derive(Default, Deserialize)]
struct Labels {
    gender: Option<String>,
    language: Option<String>,
}

/// What the service's own words and statuses mean.
pub(super) fn classify(status: u16, body: &str) -> ErrorClass {
    error_code(body).and_then(|code| word_class(&code)).unwrap_or_else(|| classify_status(status))
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

/// One message of a streaming endpoint.
#[derive(Deserialize)]
pub(super) struct Reply {
    audio: Option<String>,
    #[serde(rename = "isFinal", alias = "is_final")]
    is_final: Option<bool>,
    alignment: Option<Alignment>,
    error: Option<String>,
    code: Option<u16>,
    #[serde(rename = "contextId", alias = "context_id")]
    pub(super) context_id: Option<String>,
}

impl Reply {
    pub(super) fn apply(self, utterance: &mut Utterance, out: &mut Vec<TtsEvent>) {
        if let Some(code) = self.error {
            let class = word_class(&code).unwrap_or_else(|| classify_status(self.code.unwrap_or(1008)));
            let word = if is_code(&code) { code.as_str() } else { "an error" };
            return utterance.fail(class, format!("elevenlabs reported {word}"), out);
        }
        if let Some(audio) = self.audio.filter(|audio| !audio.is_empty()) {
            let Ok(bytes) = STANDARD.decode(audio.as_bytes()) else { return utterance.fail_of_protocol(out) };
            let base_ms = utterance.audio_ms();
            if let Some(alignment) = self.alignment {
                let at_ms = |ms: &f64| base_ms.saturating_add(ms.max(0.0) as u64);
                let times = alignment.starts_ms.iter().map(at_ms);
                utterance.chars(alignment.chars.iter().map(String::as_str).zip(times), out);
            }
            utterance.audio(&bytes, out);
            // The service itself says nothing about the ends of segments; the last letter does.
            utterance.segments_done_by_alignment(out);
        }
        if self.is_final == Some(true) {
            if utterance.is_flushed() {
                utterance.finish(out);
            } else {
                utterance.fail(ErrorClass::Protocol, "elevenlabs ended before the text did", out);
            }
        }
    }
}

#[derive(Deserialize)]
struct Alignment {
    #[serde(default)]
    chars: Vec<String>,
    #[serde(default, rename = "charStartTimesMs", alias = "charsStartTimesMs", alias = "char_start_times_ms")]
    starts_ms: Vec<f64>,
}

/// A body cut anywhere, put together to lines.
#[derive(Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole line, without its end.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        let mut line: Vec<u8> = self.0.drain(..=end).collect();
        line.pop();
        Some(line)
    }

    /// What has no end of a line.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    fn opened(extra: &[(&str, &str)], sample_rate_hz: u32) -> (Box<dyn TtsProtocol>, Connect) {
        let extra = extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = ProviderOptions { api_key: Some("key".into()), extra, ..ProviderOptions::default() };
        let mut codec = super::super::PROVIDERS.open("elevenlabs", &options).expect("usable").protocol();
        let voice = Some("a/b".to_owned());
        let connect = codec.connect(&TtsOpen { sample_rate_hz, language: "en-US".to_owned(), voice, now_unix_ms: 0 });
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
