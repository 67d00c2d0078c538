//! Azure AI Speech synthesis over the WebSocket of the vendor's SDK,
//! `wss://{region}.tts.speech.microsoft.com/tts/cognitiveservices/websocket/v1`.
//!
//! Source: the framing and the messages of the vendor's JavaScript SDK 1.52 (`WebsocketMessageFormatter`,
//! `SynthesisAdapterBase`) and learn.microsoft.com, "Speech Synthesis Markup Language". Every sentence is one turn of SSML
//! under a request id of its own; turns are answered one after the other, so the next is sent when one has ended. Times are
//! ticks of 100 ns from the beginning of the turn's audio.

use super::utterance::{Encoding, Utterance};
use super::{TtsEvent, TtsOpen, TtsProtocol};
use crate::answer::classify_status;
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use crate::voices::{self, Listing, Page, VoiceInfo, Voices};
use base::time::rfc3339;
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure};
use model::routing::Feature;
use quick_xml::escape::escape;
use serde::Deserialize;
use serde_json::json;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "azure",
    title: "Azure AI Speech",
    base_url: "https://eastus.api.cognitive.microsoft.com",
    key_env: "AZURE_SPEECH_API_KEY",
    base_url_env: "AZURE_SPEECH_BASE_URL",
    model_env: Some("AZURE_SPEECH_TTS_MODEL"),
    voice_env: Some("AZURE_SPEECH_VOICE"),
    model: Some("neural"),
    voice: Some("en-US-AvaMultilingualNeural"),
    extra: &[
        ("encoding", "Audio on the wire: `pcm` (default) or `ulaw`, 8000 Hz only, which halves the bandwidth."),
        ("rate", "Pace as SSML writes it, such as `+10%` or `slow`."),
        ("pitch", "Pitch as SSML writes it, such as `-2%` or `low`."),
        ("style", "Speaking style of voices that have one, such as `customerservice`."),
    ],
    key_optional: false,
    features: &[Feature::Emotion, Feature::WordTimes],
    quality: 75,
    ..Descriptor::NONE
};

const RATES_HZ: [u32; 5] = [8_000, 16_000, 22_050, 24_000, 48_000];
const TICKS_PER_MS: u64 = 10_000;

struct Config {
    settings: Settings,
    ulaw: bool,
    rate: Option<String>,
    pitch: Option<String>,
    style: Option<String>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn TtsProtocol>, OptionsError> {
    let (model, voice) = (settings.model(), settings.voice());
    // The model is only what the price depends on; the voice decides.
    if !["neural", "neural-hd"].contains(&model) {
        return Err(settings.value_error("model", model, "neural or neural-hd (the voices with HD in their name)"));
    }
    if voice.contains("HD") && model == "neural" {
        return Err(settings.value_error("model", model, "neural-hd for this voice, because it is priced so"));
    }
    let own = |key: &str| settings.text(key).map(str::to_owned);
    let config = Arc::new(Config {
        ulaw: settings.choice("encoding", &["pcm", "ulaw"])? == Some("ulaw"),
        rate: own("rate"),
        pitch: own("pitch"),
        style: own("style"),
        settings: settings.clone(),
    });
    Ok(Box::new(move || {
        Box::new(Speech {
            config: config.clone(),
            utterance: Utterance::new(DESCRIPTOR.name),
            open: TtsOpen { sample_rate_hz: 8_000, language: String::new(), voice: None, now_unix_ms: 0 },
            waiting: VecDeque::new(),
            turns: 0,
            turn: None,
        })
    }))
}

struct Speech {
    config: Arc<Config>,
    utterance: Utterance,
    open: TtsOpen,
    /// Sentences that wait for the turn before them to end.
    waiting: VecDeque<String>,
    /// How many turns have begun.
    turns: u64,
    turn: Option<Turn>,
}

/// The sentence that is being spoken.
struct Turn {
    request_id: String,
    /// Audio of the utterance before this turn.
    begun_ms: u64,
}

/// The portal shows the address of a region for all services; each service has its own.
fn at_synthesis(url: &mut Url) {
    let host = url.host_str().unwrap_or_default();
    let ends = [".api.cognitive.microsoft.com", ".stt.speech.microsoft.com"];
    let region = ends.into_iter().find_map(|end| host.strip_suffix(end));
    if let Some(host) = region.map(|region| format!("{region}.tts.speech.microsoft.com")) {
        // A host with other labels at its end is a host.
        let _ = url.set_host(Some(&host));
    }
}

/// What XML 1.0 cannot hold is left out.
fn is_xml(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

impl Speech {
    /// 32 hexadecimal digits: 0 for the connection, then the turns.
    fn id(&self, number: u64) -> String {
        format!("{:016x}{number:016x}", self.open.now_unix_ms)
    }

    fn text_message(&self, path: &str, request_id: &str, content_type: &str, body: &str) -> Wire {
        let at = rfc3339(self.open.now_unix_ms);
        let head = format!("Path: {path}\r\nX-RequestId: {request_id}\r\nX-Timestamp: {at}\r\n");
        Wire::Text(format!("{head}Content-Type: {content_type}\r\n\r\n{body}"))
    }

    fn format_name(&self) -> String {
        match (self.utterance.encoding(), self.utterance.sample_rate_hz()) {
            (Encoding::Ulaw, _) => "raw-8khz-8bit-mono-mulaw".to_owned(),
            (Encoding::Pcm, 22_050) => "raw-22050hz-16bit-mono-pcm".to_owned(),
            (Encoding::Pcm, rate_hz) => format!("raw-{}khz-16bit-mono-pcm", rate_hz / 1_000),
        }
    }

    fn ssml(&self, text: &str) -> String {
        let config = &self.config;
        let voice = self.open.voice.as_deref().unwrap_or(config.settings.voice());
        let mut ssml = format!(
            "<speak version='1.0' xmlns='http://www.w3.org/2001/10/synthesis' \
             xmlns:mstts='http://www.w3.org/2001/mstts' xml:lang='{}'><voice name='{}'>",
            escape(self.open.language.as_str()),
            escape(voice)
        );
        let mut ends = "</voice></speak>".to_owned();
        if let Some(style) = &config.style {
            // Writing to a string cannot fail.
            let _ = write!(ssml, "<mstts:express-as style='{}'>", escape(style.as_str()));
            ends.insert_str(0, "</mstts:express-as>");
        }
        if config.rate.is_some() || config.pitch.is_some() {
            ssml.push_str("<prosody");
            for (name, value) in [("rate", &config.rate), ("pitch", &config.pitch)] {
                if let Some(value) = value {
                    let _ = write!(ssml, " {name}='{}'", escape(value.as_str()));
                }
            }
            ssml.push('>');
            ends.insert_str(0, "</prosody>");
        }
        let clean: String = text.chars().filter(|c| is_xml(*c)).collect();
        ssml.push_str(&escape(clean.as_str()));
        ssml + &ends
    }

    fn speak_next(&mut self, out: &mut Vec<Wire>) {
        if self.turn.is_some() || self.utterance.is_over() {
            return;
        }
        let Some(text) = self.waiting.pop_front() else { return };
        self.utterance.charge(text.chars().count());
        self.turns += 1;
        let request_id = self.id(self.turns);
        let context = json!({"synthesis": {
            "audio": {
                "metadataOptions": {
                    "bookmarkEnabled": false, "punctuationBoundaryEnabled": "false", "sentenceBoundaryEnabled": "false",
                    "sessionEndEnabled": false, "visemeEnabled": false, "wordBoundaryEnabled": "true",
                },
                "outputFormat": self.format_name(),
            },
            "language": {"autoDetection": false},
        }});
        out.push(self.text_message("synthesis.context", &request_id, "application/json", &context.to_string()));
        out.push(self.text_message("ssml", &request_id, "application/ssml+xml", &self.ssml(&text)));
        self.turn = Some(Turn { request_id, begun_ms: self.utterance.audio_ms() });
    }

    fn on_text_message(&mut self, message: &str, out: &mut Vec<TtsEvent>) {
        let Some((head, body)) = message.split_once("\r\n\r\n") else { return self.utterance.fail_of_protocol(out) };
        let Some(turn) = self.turn.as_ref().filter(|turn| is_of(head, &turn.request_id)) else { return };
        match header(head, "path") {
            Some("audio.metadata") => {
                let Ok(told) = serde_json::from_str::<Told>(body) else { return self.utterance.fail_of_protocol(out) };
                let begun_ms = turn.begun_ms;
                let is_word = |one: &&Metadata| one.kind == "WordBoundary" && one.data.text.is_word();
                let words = told.metadata.iter().filter(is_word).map(|one| {
                    (one.data.text.text.as_str(), begun_ms.saturating_add(one.data.offset / TICKS_PER_MS))
                });
                self.utterance.words(words, out);
            }
            Some("turn.end") => {
                self.turn = None;
                self.utterance.segment_done(out);
            }
            // `turn.start`, `response` and whatever is new.
            Some(_) => {}
            None => self.utterance.fail_of_protocol(out),
        }
    }

    fn on_binary_message(&mut self, message: &[u8], out: &mut Vec<TtsEvent>) {
        let framed = message.split_first_chunk::<2>().and_then(|(length, rest)| {
            let length = usize::from(u16::from_be_bytes(*length));
            Some((std::str::from_utf8(rest.get(..length)?).ok()?, rest.get(length..)?))
        });
        let Some((head, payload)) = framed else { return self.utterance.fail_of_protocol(out) };
        let is_ours = self.turn.as_ref().is_some_and(|turn| is_of(head, &turn.request_id));
        if is_ours && header(head, "path") == Some("audio") {
            self.utterance.audio(payload, out);
        }
    }
}

/// Whether a message is about this request. One that names none is taken to be.
fn is_of(head: &str, request_id: &str) -> bool {
    header(head, "x-requestid").is_none_or(|id| id.eq_ignore_ascii_case(request_id))
}

/// Names are written with and without a space behind the colon, and in any case.
fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
}

impl TtsProtocol for Speech {
    fn connect(&mut self, open: &TtsOpen) -> Connect {
        let config = self.config.clone();
        let settings = &config.settings;
        self.open = open.clone();
        self.utterance.choose_format(config.ulaw, open.sample_rate_hz, &RATES_HZ);
        let mut url = settings.ws_url(&["tts", "cognitiveservices", "websocket", "v1"]);
        at_synthesis(&mut url);
        let connection_id = self.id(0);
        let about = json!({"context": {
            "system": {"name": "Frontdesk", "version": env!("CARGO_PKG_VERSION"), "build": "Rust", "lang": "Rust"},
            "os": {"platform": "Server", "name": "unknown", "version": "unknown"},
        }});
        let key = settings.key().map(|key| Header::secret("ocp-apim-subscription-key", key.expose().clone()));
        let first = self.text_message("speech.config", &connection_id, "application/json", &about.to_string());
        let connection = Header::plain("x-connectionid", connection_id);
        Connect {
            headers: key.into_iter().chain([connection]).collect(),
            first: vec![first],
            ..Connect::websocket(url)
        }
    }

    fn sample_rate_hz(&self) -> u32 {
        self.utterance.sample_rate_hz()
    }

    fn on_text(&mut self, text: &str, out: &mut Vec<Wire>) {
        if let Some(spoken) = self.utterance.push_waiting(text) {
            self.waiting.push_back(spoken);
            self.speak_next(out);
        }
    }

    fn flush(&mut self, _: &mut Vec<Wire>) {
        self.utterance.flush();
    }

    fn cancel(&mut self, out: &mut Vec<Wire>) {
        if self.utterance.cancel() {
            if let Some(turn) = self.turn.take() {
                let stop = r#"{"action":"stop"}"#;
                out.push(self.text_message("synthesis.control", &turn.request_id, "application/json", stop));
            }
            out.push(Wire::Close(1000, "".into()));
        }
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<TtsEvent>) {
        if self.utterance.is_over() {
            return;
        }
        match message {
            Wire::Text(text) => self.on_text_message(text, out),
            Wire::Binary(bytes) => self.on_binary_message(bytes, out),
            Wire::Close(code, _) => self.on_close(*code, out),
            Wire::Request(_) | Wire::End => {}
        }
    }

    fn poll(&mut self, wires: &mut Vec<Wire>, events: &mut Vec<TtsEvent>) {
        self.speak_next(wires);
        self.utterance.finish_when_out(events);
    }

    fn voices(&self) -> Option<Box<dyn Voices>> {
        Some(Box::new(Account(self.config.settings.clone())))
    }

    fn on_close(&mut self, code: u16, out: &mut Vec<TtsEvent>) {
        self.utterance.fail_of_close(self.classify(code, ""), code, out);
    }

    fn classify(&self, status: u16, _: &str) -> ErrorClass {
        match status {
            // "Quota exceeded", "Throttled due to too many requests" and "exceeded the concurrent request limit".
            1007 | 4429 => ErrorClass::RateLimited,
            _ => classify_status(status),
        }
    }
}

/// The voices of a region: learn.microsoft.com, "Text to speech REST API", "Get a list of voices".
struct Account(Settings);

impl Voices for Account {
    fn list(&self, _: Option<&str>) -> Listing {
        let mut url = self.0.http_url(&["cognitiveservices", "voices", "list"]);
        at_synthesis(&mut url);
        let key = self.0.key().map(|key| Header::secret("ocp-apim-subscription-key", key.expose().clone()));
        voices::get(url, key.into_iter().collect())
    }

    fn listed(&self, body: &[u8]) -> Result<Page, Failure> {
        let all: Vec<Listed> = voices::read(DESCRIPTOR.name, body)?;
        let voices = all
            .into_iter()
            .map(|one| VoiceInfo {
                language: Some(one.locale),
                gender: voices::gender(&one.gender),
                ..VoiceInfo::stock(one.short_name, one.display_name)
            })
            .collect();
        Ok(Page { voices, next: None })
    }

    fn classify(&self, status: u16, _: &str) -> ErrorClass {
        classify_status(status)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    short_name: String,
    #[serde(default)]
    display_name: String,
    locale: String,
    #[serde(default)]
    gender: String,
}

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "Metadata", default)]
    metadata: Vec<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Data", default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(rename = "Offset", default)]
    offset: u64,
    #[serde(default)]
    text: Text,
}

#[derive(Default, Deserialize)]
struct Text {
    #[serde(rename = "Text", default)]
    text: String,
    #[serde(rename = "BoundaryType")]
    boundary: Option<String>,
}

impl Text {
    fn is_word(&self) -> bool {
        self.boundary.as_deref().is_none_or(|boundary| boundary == "WordBoundary")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    fn opened(options: ProviderOptions) -> (Box<dyn TtsProtocol>, Connect) {
        let options = ProviderOptions { api_key: Some("key".into()), ..options };
        let mut codec = super::super::PROVIDERS.open("azure", &options).expect("usable").protocol();
        let connect = codec.connect(&TtsOpen {
            sample_rate_hz: 8_000,
            language: "en-US".to_owned(),
            voice: Some("Ava's \"own\"".to_owned()),
            now_unix_ms: 1_795_251_611_589,
        });
        (codec, connect)
    }

    #[test]
    fn time_is_written_as_the_calendar_has_it() {
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_251_611_589, "2026-11-21T09:00:11.589Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(unix_ms), text);
        }
    }

    #[test]
    fn what_is_said_cannot_become_markup() {
        let extra = [("rate", "+10%"), ("style", "chat'>")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let (mut codec, _) = opened(ProviderOptions { extra: extra.into(), ..ProviderOptions::default() });
        let mut wires = Vec::new();
        codec.on_text("R&D <break/> \"ok\"\u{0}\u{1b}?", &mut wires);
        let Some(Wire::Text(ssml)) = wires.last() else { panic!("{wires:?}") };
        let body = ssml.split_once("\r\n\r\n").expect("a body").1;
        assert!(body.contains("<voice name='Ava&apos;s &quot;own&quot;'>"), "{body}");
        assert!(body.contains("<mstts:express-as style='chat&apos;&gt;'><prosody rate='+10%'>"), "{body}");
        let expected = "R&amp;D &lt;break/&gt; &quot;ok&quot;?</prosody></mstts:express-as></voice></speak>";
        assert!(body.ends_with(expected), "{body}");
    }

    #[test]
    fn the_address_that_the_portal_shows_serves() {
        for (base, host) in [
            ("https://westeurope.api.cognitive.microsoft.com/", "westeurope.tts.speech.microsoft.com"),
            ("https://uksouth.stt.speech.microsoft.com", "uksouth.tts.speech.microsoft.com"),
            ("https://mine.cognitiveservices.azure.com", "mine.cognitiveservices.azure.com"),
        ] {
            let options = ProviderOptions { base_url: Some(base.to_owned()), ..ProviderOptions::default() };
            let (_, connect) = opened(options);
            assert_eq!(connect.url, format!("wss://{host}/tts/cognitiveservices/websocket/v1"));
        }
    }

    #[test]
    fn an_expensive_voice_is_not_priced_as_a_cheap_one() {
        let voice = Some("en-US-Ava:DragonHDLatestNeural".to_owned());
        let options = ProviderOptions { api_key: Some("key".into()), voice, ..ProviderOptions::default() };
        let why = super::super::PROVIDERS.open("azure", &options).expect_err("cheap").to_string();
        assert!(why.contains("neural-hd"), "{why}");
    }

    #[test]
    fn what_belongs_to_another_turn_is_not_heard() {
        let (mut codec, _) = opened(ProviderOptions::default());
        let mut events = Vec::new();
        codec.on_text("One.", &mut Vec::new());
        let head = format!("Path:audio\r\nX-RequestId:{}\r\n", "f".repeat(32));
        let frame = [&(head.len() as u16).to_be_bytes()[..], head.as_bytes(), &[0; 320]].concat();
        codec.on_message(&Wire::Binary(frame), &mut events);
        assert!(events.is_empty());
        codec.on_message(&Wire::Binary(vec![0, 9, 1]), &mut events);
        assert!(matches!(&events[..], [TtsEvent::Failed(failure)] if failure.class == ErrorClass::Protocol));
    }
}
