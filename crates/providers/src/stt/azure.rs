//! Azure AI Speech, continuous recognition over a WebSocket
//! (`/speech/recognition/conversation/cognitiveservices/v1`).
//!
//! Source: learn.microsoft.com, "Speech to text" and the vendor's JavaScript SDK, whose messages these are. Text messages are
//! header lines, an empty line and JSON; binary messages are a two-byte length, header lines and audio. Audio belongs to a
//! request with an id of its own: the end of the audio makes the service give what it has and end the request, and the
//! next audio begins another one on the same socket.

use super::feed::{Encoding, Feed};
use super::{SttEvent, SttOpen, SttProtocol};
use crate::answer::classify_status;
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::time::rfc3339;
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Secret};
use model::routing::{Feature, Region};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "azure",
    title: "Azure AI Speech",
    base_url: "https://eastus.api.cognitive.microsoft.com",
    key_env: "AZURE_SPEECH_API_KEY",
    base_url_env: "AZURE_SPEECH_BASE_URL",
    model_env: None,
    voice_env: None,
    model: None,
    voice: None,
    extra: &[
        ("encoding", "Audio on the wire: `linear16` (default) or `mulaw`, which halves the bandwidth of a phone line."),
        ("segmentation_silence_ms", "Silence that ends a phrase, 100 to 5000; default 500."),
        ("profanity", "What becomes of profanity: `raw` (default), `masked` or `removed`."),
        ("endpoint_id", "Deployment of a custom model instead of the general one."),
    ],
    region: Some(Region::Us),
    features: &[Feature::Partials, Feature::Hints],
    quality: 80,
    ..Descriptor::NONE
};

/// Addresses of a region, as the portal shows them; the part before is the region.
const REGION_HOSTS: [&str; 2] = [".api.cognitive.microsoft.com", ".tts.speech.microsoft.com"];
/// What the vendor's own client sends.
const CHUNK_MS: u64 = 100;
/// Audio kept while the service ends a request; the driver gives up sooner.
const HELD_MS_MAX: u64 = 5_000;
const JSON: &str = "application/json; charset=utf-8";

struct Config {
    url: Url,
    key: Option<Secret<String>>,
    encoding: Encoding,
    segmentation_silence_ms: u64,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let mut url = settings.ws_url(&["speech", "recognition", "conversation", "cognitiveservices", "v1"]);
    let host = url.host_str().unwrap_or_default();
    if let Some(region) = REGION_HOSTS.iter().find_map(|rest| host.strip_suffix(rest)) {
        let host = format!("{region}.stt.speech.microsoft.com");
        // A host with other last labels is a host.
        let _ = url.set_host(Some(&host));
    }
    let segmentation_silence_ms = settings.whole("segmentation_silence_ms", 100..=5_000)?.unwrap_or(500);
    let profanity = settings.choice("profanity", &["raw", "masked", "removed"])?.unwrap_or("raw");
    url.query_pairs_mut().append_pair("format", "simple").append_pair("profanity", profanity);
    if let Some(id) = settings.text("endpoint_id") {
        url.query_pairs_mut().append_pair("cid", id);
    }
    let mulaw = settings.choice("encoding", &["linear16", "mulaw"])? == Some("mulaw");
    let config = Arc::new(Config {
        url,
        key: settings.key().cloned(),
        encoding: if mulaw { Encoding::Mulaw } else { Encoding::Linear16 },
        segmentation_silence_ms,
    });
    Ok(Box::new(move || Box::new(Azure::new(config.clone()))))
}

/// Where the request stands to which audio belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// The next audio begins one.
    None,
    Open,
    /// We said that there is no more audio; what comes meanwhile waits for the next request.
    Ending,
}

struct Azure {
    config: Arc<Config>,
    feed: Feed,
    opened_unix_ms: u64,
    /// Messages of audio, which is all that a codec knows of time.
    messages: u64,
    /// Of the phrase detector and the list of phrases.
    context: String,
    request: Request,
    requests: u32,
    asked: bool,
    over: bool,
}

impl Azure {
    fn new(config: Arc<Config>) -> Self {
        let feed = Feed::new(config.encoding, CHUNK_MS);
        let context = String::new();
        let request = Request::None;
        Self {
            config,
            feed,
            opened_unix_ms: 0,
            messages: 0,
            context,
            request,
            requests: 0,
            asked: false,
            over: false,
        }
    }

    /// 32 hexadecimal digits, as the service wants its ids. It tells requests of one connection apart by them, and only
    /// traces connections.
    fn id(&self, request: u32) -> String {
        format!("{:016X}{request:016X}", self.opened_unix_ms)
    }

    fn head(&self, path: &str, content_type: Option<&str>) -> String {
        let (id, time) = (self.id(self.requests), rfc3339(self.opened_unix_ms + self.messages * CHUNK_MS));
        let mut head = format!("Path: {path}\r\nX-RequestId: {id}\r\nX-Timestamp: {time}\r\n");
        if let Some(content_type) = content_type {
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        head
    }

    fn text(&self, path: &str, body: &str) -> Wire {
        Wire::Text(format!("{}\r\n{body}", self.head(path, Some(JSON))))
    }

    fn audio(&self, content_type: Option<&str>, payload: &[u8]) -> Wire {
        let head = self.head("audio", content_type);
        let mut bytes = Vec::with_capacity(2 + head.len() + payload.len());
        bytes.extend((head.len() as u16).to_be_bytes());
        bytes.extend(head.as_bytes());
        bytes.extend(payload);
        Wire::Binary(bytes)
    }

    fn begin(&mut self, out: &mut Vec<Wire>) {
        if self.request != Request::None {
            return;
        }
        self.request = Request::Open;
        self.requests += 1;
        out.push(self.text("speech.context", &self.context));
        out.push(self.audio(Some("audio/x-wav"), &wave_header(self.config.encoding, self.feed.rate_hz())));
    }

    fn send(&mut self, chunks: Vec<Vec<u8>>, out: &mut Vec<Wire>) {
        for chunk in chunks {
            self.begin(out);
            out.push(self.audio(None, &chunk));
            self.messages += 1;
        }
    }

    fn fail(&mut self, class: ErrorClass, detail: impl Into<String>, out: &mut Vec<SttEvent>) {
        self.over = true;
        out.push(SttEvent::Failed(Failure::new(class, detail.into())));
    }

    fn on_phrase(&mut self, phrase: Phrase, out: &mut Vec<SttEvent>) {
        let class = match phrase.recognition_status.as_str() {
            "Success" => {
                if !phrase.display_text.is_empty() {
                    out.push(SttEvent::Final { text: phrase.display_text, finalized: false });
                    if self.request == Request::Open {
                        out.push(SttEvent::EndOfTurn);
                    }
                }
                return;
            }
            "TooManyRequests" => ErrorClass::RateLimited,
            "Forbidden" => ErrorClass::Auth,
            "BadRequest" => ErrorClass::Invalid,
            "Error" => ErrorClass::Unavailable,
            // Nothing was said, or nothing more: the end of the request says all that counts.
            _ => return,
        };
        self.fail(class, format!("azure reported {}", phrase.recognition_status), out);
    }

    fn on_request_end(&mut self, out: &mut Vec<SttEvent>) {
        self.request = Request::None;
        if std::mem::take(&mut self.asked) {
            out.push(SttEvent::Final { text: String::new(), finalized: true });
        }
        out.push(SttEvent::Usage { audio_ms: self.feed.sent_ms() });
    }

    fn on_text(&mut self, text: &str, out: &mut Vec<SttEvent>) -> Result<(), ()> {
        let (head, body) = text.split_once("\r\n\r\n").ok_or(())?;
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let path = header("path").ok_or(())?;
        // What is left of an earlier request has been answered.
        if header("x-requestid").is_some_and(|id| !id.eq_ignore_ascii_case(&self.id(self.requests))) {
            return Ok(());
        }
        match path.to_ascii_lowercase().as_str() {
            "speech.hypothesis" | "speech.fragment" => {
                let hypothesis: Hypothesis = serde_json::from_str(body).map_err(drop)?;
                if !hypothesis.text.is_empty() {
                    out.push(SttEvent::Partial { text: hypothesis.text });
                }
            }
            "speech.phrase" => self.on_phrase(serde_json::from_str(body).map_err(drop)?, out),
            "turn.end" => self.on_request_end(out),
            _ => {}
        }
        Ok(())
    }
}

impl SttProtocol for Azure {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        self.feed.open(open.sample_rate_hz);
        self.opened_unix_ms = open.now_unix_ms;
        let mut url = self.config.url.clone();
        url.query_pairs_mut().append_pair("language", &open.language);
        let silence_ms = self.config.segmentation_silence_ms;
        let mut context = json!({"phraseDetection": {"language": open.language, "mode": "Conversation",
            "conversation": {"segmentation": {"mode": "Custom", "segmentationSilenceTimeoutMs": silence_ms}}}});
        if !open.hints.is_empty() {
            let items: Vec<_> = open.hints.iter().map(|hint| json!({"text": hint})).collect();
            context["dgi"] = json!({"groups": [{"type": "Generic", "items": items}]});
        }
        self.context = context.to_string();
        let bits = if self.config.encoding == Encoding::Mulaw { 8 } else { 16 };
        let source = json!({"bitspersample": bits, "channelcount": 1, "connectivity": "Unknown", "type": "Stream",
            "samplerate": self.feed.rate_hz(), "manufacturer": "Frontdesk", "model": "Frontdesk"});
        let config = json!({"context": {"system": {"name": "Frontdesk", "version": env!("CARGO_PKG_VERSION")},
            "os": {"platform": "Linux", "name": "Linux", "version": ""}, "audio": {"source": source}},
            "recognition": "conversation"});
        let key = self.config.key.iter();
        let mut headers: Vec<Header> =
            key.map(|key| Header::secret("ocp-apim-subscription-key", key.expose().clone())).collect();
        headers.push(Header::plain("x-connectionid", self.id(0)));
        let first = vec![self.text("speech.config", &config.to_string())];
        Connect { headers, first, ..Connect::websocket(url) }
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        if self.request == Request::Ending {
            return self.feed.hold(pcm, HELD_MS_MAX);
        }
        let mut chunks = Vec::new();
        self.feed.push(pcm, |bytes| chunks.push(bytes));
        self.send(chunks, out);
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        if self.over {
            return;
        }
        match message {
            Wire::Text(text) => {
                let read = self.on_text(text, out);
                if read.is_err() {
                    self.fail(ErrorClass::Protocol, "azure sent what its protocol does not allow", out);
                }
            }
            Wire::Close(code, reason) => self.fail(self.classify(*code, reason), format!("azure closed with {code}"), out),
            _ => {}
        }
    }

    fn finalize(&mut self, out: &mut Vec<Wire>) {
        self.asked = true;
        if self.request == Request::Ending {
            return;
        }
        let rest = self.feed.flush(0);
        self.begin(out);
        self.send(rest.into_iter().collect(), out);
        out.push(self.audio(None, &[]));
        self.request = Request::Ending;
    }

    fn keep_alive(&mut self, _out: &mut Vec<Wire>) {}

    fn keep_alive_ms(&self) -> Option<u64> {
        None
    }

    fn close(&mut self, out: &mut Vec<Wire>) {
        self.over = true;
        if self.request == Request::Open {
            out.push(self.audio(None, &[]));
        }
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        let body = body.to_ascii_lowercase();
        match status {
            1007 | 4429 if status == 4429 || body.contains("quota") || body.contains("throttled") => ErrorClass::RateLimited,
            403 if body.contains("quota") => ErrorClass::Quota,
            status => classify_status(status),
        }
    }
}

/// A RIFF header that leaves the sizes open, as the service wants it before the audio.
fn wave_header(encoding: Encoding, rate_hz: u32) -> Vec<u8> {
    let (tag, bytes_per_sample) = match encoding {
        Encoding::Linear16 => (1u16, 2u16),
        Encoding::Mulaw => (7, 1),
    };
    let mut header = Vec::with_capacity(44);
    header.extend(b"RIFF\0\0\0\0WAVEfmt ");
    header.extend(16u32.to_le_bytes());
    header.extend(tag.to_le_bytes());
    header.extend(1u16.to_le_bytes());
    header.extend(rate_hz.to_le_bytes());
    header.extend((rate_hz * u32::from(bytes_per_sample)).to_le_bytes());
    header.extend(bytes_per_sample.to_le_bytes());
    header.extend((bytes_per_sample * 8).to_le_bytes());
    header.extend(b"data\0\0\0\0");
    header
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Hypothesis {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Phrase {
    recognition_status: String,
    #[serde(default)]
    display_text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    fn opened(extra: &[(&str, &str)]) -> (Box<dyn SttProtocol>, Connect) {
        let extra = extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = ProviderOptions { api_key: Some("key".into()), extra, ..ProviderOptions::default() };
        let mut codec = super::super::PROVIDERS.open("azure", &options).expect("usable").protocol();
        let connect = codec.connect(&SttOpen {
            sample_rate_hz: 8_000,
            language: "en-US".to_owned(),
            hints: vec!["Contoso".to_owned()],
            now_unix_ms: 1_795_246_617_713,
        });
        (codec, connect)
    }

    #[test]
    fn the_address_of_the_portal_leads_to_the_recogniser_of_the_region() {
        let (_, connect) = opened(&[]);
        assert!(connect.url.starts_with("wss://eastus.stt.speech.microsoft.com/speech/"), "{}", connect.url);
        let base_url = Some("https://mine.cognitiveservices.azure.com".to_owned());
        let options = ProviderOptions { api_key: Some("key".into()), base_url, ..ProviderOptions::default() };
        let mut codec = super::super::PROVIDERS.open("azure", &options).expect("usable").protocol();
        let open = SttOpen { sample_rate_hz: 8_000, language: "en".into(), hints: Vec::new(), now_unix_ms: 0 };
        let url = codec.connect(&open).url;
        assert!(url.starts_with("wss://mine.cognitiveservices.azure.com/speech/recognition/"), "{url}");
    }

    #[test]
    fn a_request_begins_as_the_vendors_client_begins_it() {
        let (mut codec, connect) = opened(&[("encoding", "mulaw")]);
        let Wire::Text(config) = &connect.first[0] else { panic!("text") };
        let head = "Path: speech.config\r\nX-RequestId: 000001A1FD0974710000000000000000\r\nX-Timestamp: 2026-11-21T";
        assert!(config.starts_with(head), "{config}");
        let mut out = Vec::new();
        codec.on_audio(&[0; 800], &mut out);
        assert!(matches!(&out[0], Wire::Text(text) if text.contains(r#""items":[{"text":"Contoso"}]"#)), "{out:?}");
        let Wire::Binary(wave) = &out[1] else { panic!("binary") };
        let len = usize::from(u16::from_be_bytes([wave[0], wave[1]]));
        assert!(wave[2..2 + len].ends_with(b"\r\nContent-Type: audio/x-wav\r\n"));
        // The header that the vendor's client was seen to send for mu-law at 8000 Hz.
        let hex: String = wave[2 + len..].iter().map(|byte| format!("{byte:02x}")).collect();
        let seen = "524946460000000057415645666d74201000000007000100401f0000401f0000010008006461746100000000";
        assert_eq!(hex, seen);
        assert!(matches!(&out[2], Wire::Binary(audio) if audio.ends_with(&[0xff; 800]) && audio.len() > 802));
    }

    #[test]
    fn what_is_said_while_a_request_ends_belongs_to_the_next_one() {
        let (mut codec, _) = opened(&[]);
        let (mut sent, mut events) = (Vec::new(), Vec::new());
        codec.on_audio(&[1; 800], &mut sent);
        codec.finalize(&mut sent);
        let before = sent.len();
        codec.on_audio(&[2; 1_600], &mut sent);
        assert_eq!(sent.len(), before, "it waits");
        let end = |request: u32| format!("X-RequestId:000001a1fd097471{request:016x}\r\nPath:turn.end\r\n\r\n{{}}");
        codec.on_message(&Wire::Text(end(7)), &mut events);
        assert_eq!(events, [], "of no request of ours");
        codec.on_message(&Wire::Text(end(1)), &mut events);
        assert_eq!(events[0], SttEvent::Final { text: String::new(), finalized: true });
        codec.on_audio(&[3; 1], &mut sent);
        assert_eq!(sent.len(), before + 4, "context, wave header and two messages of audio");
    }

    #[test]
    fn its_own_words_for_trouble_are_understood() {
        let (codec, _) = opened(&[]);
        assert_eq!(codec.classify(1007, "Quota exceeded. Cid: 1"), ErrorClass::RateLimited);
        assert_eq!(codec.classify(4429, "The request is throttled"), ErrorClass::RateLimited);
        assert_eq!(codec.classify(1007, "Bad JSON"), ErrorClass::Invalid);
        assert_eq!(codec.classify(403, "Out of call volume quota."), ErrorClass::Quota);
    }
}
