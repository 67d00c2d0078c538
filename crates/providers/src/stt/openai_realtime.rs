//! OpenAI realtime transcription, `wss://api.openai.com/v1/realtime?intent=transcription`.
//!
//! Source: developers.openai.com, "Realtime transcription" and the reference of the realtime events. The session has no turn
//! detection: the models made for live captions take none, and this program decides when words are final anyway. Audio is
//! mu-law at 8000 Hz or 16-bit at 24000 Hz, nothing else; a wide-band call is brought to the latter.

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
use serde_json::{Value, json};
use std::f32::consts::PI;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "openai_realtime",
    title: "OpenAI realtime transcription",
    base_url: "https://api.openai.com/v1",
    key_env: "OPENAI_API_KEY",
    base_url_env: "OPENAI_BASE_URL",
    model_env: Some("OPENAI_REALTIME_STT_MODEL"),
    voice_env: None,
    model: Some(LIVE),
    voice: None,
    extra: &[
        ("language", "Language instead of the agent's, such as `de`."),
        ("noise_reduction", "`near_field`, `far_field` or `off` (default)."),
    ],
    region: Some(Region::Us),
    features: &[Feature::Partials, Feature::Hints],
    quality: 80,
    ..Descriptor::NONE
};

const LIVE: &str = "gpt-live-transcribe";
const CHUNK_MS: u64 = 40;
/// The service refuses to commit less.
const COMMIT_MS_MIN: u64 = 100;
const NARROW_HZ: u32 = 8_000;
const WIDE_HZ: u32 = 24_000;

struct Config {
    url: Url,
    key: Option<Secret<String>>,
    model: String,
    language: Option<String>,
    noise_reduction: Option<String>,
}

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let mut url = settings.ws_url(&["realtime"]);
    url.query_pairs_mut().append_pair("intent", "transcription");
    let noise_reduction = settings.choice("noise_reduction", &["off", "near_field", "far_field"])?;
    let config = Arc::new(Config {
        url,
        key: settings.key().cloned(),
        model: settings.model().to_owned(),
        language: settings.text("language").map(str::to_owned),
        noise_reduction: noise_reduction.filter(|kind| *kind != "off").map(str::to_owned),
    });
    Ok(Box::new(move || Box::new(Transcription::new(config.clone()))))
}

struct Transcription {
    config: Arc<Config>,
    feed: Feed,
    upsampler: Option<Upsampler>,
    committed_ms: u64,
    /// Words of the piece that is being transcribed, and its id.
    partial: String,
    item: String,
    asked: bool,
    over: bool,
}

impl Transcription {
    fn new(config: Arc<Config>) -> Self {
        let feed = Feed::new(Encoding::Mulaw, CHUNK_MS);
        let (partial, item) = (String::new(), String::new());
        Self { config, feed, upsampler: None, committed_ms: 0, partial, item, asked: false, over: false }
    }

    fn fail(&mut self, class: ErrorClass, detail: impl Into<String>, out: &mut Vec<SttEvent>) {
        self.over = true;
        out.push(SttEvent::Failed(Failure::new(class, detail.into())));
    }

    /// What the session is told, once.
    fn session(&self, open: &SttOpen) -> Wire {
        let format = if self.upsampler.is_some() {
            json!({"type": "audio/pcm", "rate": WIDE_HZ})
        } else {
            json!({"type": "audio/pcmu"})
        };
        let config = &self.config;
        let language = config.language.as_deref().unwrap_or(&open.language);
        let language = language.split('-').next().unwrap_or_default();
        let mut transcription = json!({"model": config.model});
        // The live models take lists; the older ones take one language and a text that sets the scene.
        if config.model.contains("live") {
            transcription["languages"] = json!([language]);
            if !open.hints.is_empty() {
                transcription["keywords"] = json!(open.hints);
            }
        } else {
            transcription["language"] = json!(language);
            if !open.hints.is_empty() {
                transcription["prompt"] = json!(open.hints.join(", "));
            }
        }
        let mut input = json!({"format": format, "transcription": transcription});
        if let Some(kind) = &config.noise_reduction {
            input["noise_reduction"] = json!({"type": kind});
        }
        if !config.model.contains("live") {
            input["turn_detection"] = Value::Null;
        }
        let session = json!({"type": "transcription", "audio": {"input": input}});
        Wire::Text(json!({"type": "session.update", "session": session}).to_string())
    }

    fn on_event(&mut self, event: Event, out: &mut Vec<SttEvent>) {
        match event {
            Event::Delta { item_id, delta } => {
                if item_id != self.item {
                    (self.item, self.partial) = (item_id, String::new());
                }
                self.partial.push_str(&delta);
                if !self.partial.trim().is_empty() {
                    out.push(SttEvent::Partial { text: self.partial.trim().to_owned() });
                }
            }
            Event::Completed { item_id, transcript } => {
                if item_id == self.item {
                    self.partial.clear();
                }
                self.give(transcript.trim(), out);
            }
            Event::TranscriptionFailed { error } => {
                let word = error.code.filter(|code| is_code(code)).unwrap_or_else(|| "a failure".to_owned());
                self.fail(ErrorClass::Unavailable, format!("openai_realtime could not transcribe: {word}"), out);
            }
            Event::Error { error } => self.on_error(error, out),
            Event::Other => {}
        }
    }

    fn give(&mut self, text: &str, out: &mut Vec<SttEvent>) {
        let finalized = std::mem::take(&mut self.asked);
        if !text.is_empty() || finalized {
            out.push(SttEvent::Final { text: text.to_owned(), finalized });
        }
        out.push(SttEvent::Usage { audio_ms: self.feed.sent_ms() });
    }

    fn on_error(&mut self, error: Trouble, out: &mut Vec<SttEvent>) {
        let code = error.code.unwrap_or(error.kind);
        if code == "input_audio_buffer_commit_empty" {
            return self.give("", out);
        }
        let word = if is_code(&code) { code.as_str() } else { "an error" };
        self.fail(code_class(&code).unwrap_or(ErrorClass::Invalid), format!("openai_realtime reported {word}"), out);
    }

    fn append(bytes: Vec<u8>) -> Wire {
        // Base64 needs no escapes.
        Wire::Text(format!(r#"{{"type":"input_audio_buffer.append","audio":"{}"}}"#, STANDARD.encode(bytes)))
    }
}

fn code_class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "invalid_api_key" | "authentication_error" | "permission_denied" => ErrorClass::Auth,
        "insufficient_quota" | "credit_balance_exhausted" | "billing_hard_limit_reached" => ErrorClass::Quota,
        "rate_limit_exceeded" => ErrorClass::RateLimited,
        "server_error" | "session_expired" | "internal_error" => ErrorClass::Unavailable,
        _ => return None,
    })
}

impl SttProtocol for Transcription {
    fn connect(&mut self, open: &SttOpen) -> Connect {
        if open.sample_rate_hz == NARROW_HZ {
            self.feed.open(NARROW_HZ);
        } else {
            self.feed = Feed::new(Encoding::Linear16, CHUNK_MS);
            self.feed.open(WIDE_HZ);
            self.upsampler = Some(Upsampler::new());
        }
        let key = self.config.key.iter();
        let headers = key.map(|key| Header::secret("authorization", format!("Bearer {}", key.expose()))).collect();
        Connect { headers, first: vec![self.session(open)], ..Connect::websocket(self.config.url.clone()) }
    }

    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>) {
        let send = |bytes| out.push(Self::append(bytes));
        match self.upsampler.as_mut() {
            Some(upsampler) => self.feed.push(&upsampler.push(pcm), send),
            None => self.feed.push(pcm, send),
        }
    }

    fn on_message(&mut self, message: &Wire, out: &mut Vec<SttEvent>) {
        if self.over {
            return;
        }
        let text = match message {
            Wire::Text(text) => text,
            Wire::Close(code, reason) => {
                return self.fail(self.classify(*code, reason), format!("openai_realtime closed with {code}"), out);
            }
            _ => return,
        };
        match serde_json::from_str(text) {
            Ok(event) => self.on_event(event, out),
            Err(_) => self.fail(ErrorClass::Protocol, "openai_realtime sent what its protocol does not allow", out),
        }
    }

    fn finalize(&mut self, out: &mut Vec<Wire>) {
        out.extend(self.feed.flush(0).map(Self::append));
        let short_ms = COMMIT_MS_MIN.saturating_sub(self.feed.sent_ms() - self.committed_ms);
        if short_ms > 0 {
            out.push(Self::append(self.feed.silence(short_ms + 1)));
        }
        self.committed_ms = self.feed.sent_ms();
        self.asked = true;
        out.push(Wire::Text(r#"{"type":"input_audio_buffer.commit"}"#.to_owned()));
    }

    fn keep_alive(&mut self, _out: &mut Vec<Wire>) {}

    fn keep_alive_ms(&self) -> Option<u64> {
        None
    }

    fn close(&mut self, _out: &mut Vec<Wire>) {
        self.over = true;
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        error_code(body).as_deref().and_then(code_class).unwrap_or_else(|| classify_status(status))
    }
}

const TAPS: usize = 16;

/// 16000 to 24000 Hz: three samples for two, by a windowed sinc that stops at the old Nyquist frequency.
struct Upsampler {
    /// Of each of the three phases.
    taps: [[f32; TAPS]; 3],
    history: [f32; TAPS],
    /// Which of the virtual samples at 48000 Hz comes next: every second one is taken.
    next: usize,
}

impl Upsampler {
    fn new() -> Self {
        let mut taps = [[0.0; TAPS]; 3];
        let (len, cutoff) = (3 * TAPS, 1.0 / 3.0);
        for (phase, row) in taps.iter_mut().enumerate() {
            for (tap, value) in row.iter_mut().enumerate() {
                let n = (tap * 3 + phase) as f32 - (len as f32 - 1.0) / 2.0;
                let sinc = (PI * cutoff * n).sin() / (PI * n);
                let hann = 0.5 + 0.5 * (2.0 * PI * n / len as f32).cos();
                *value = sinc * hann;
            }
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|value| *value /= sum);
        }
        Self { taps, history: [0.0; TAPS], next: 0 }
    }

    fn push(&mut self, pcm: &[i16]) -> Vec<i16> {
        let mut out = Vec::with_capacity(pcm.len() * 3 / 2 + 1);
        for sample in pcm {
            self.history.rotate_right(1);
            self.history[0] = f32::from(*sample);
            while self.next < 3 {
                let sum: f32 = self.taps[self.next].iter().zip(&self.history).map(|(tap, x)| tap * x).sum();
                out.push(sum.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16);
                self.next += 2;
            }
            self.next -= 3;
        }
        out
    }
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "conversation.item.input_audio_transcription.delta")]
    Delta {
        #[serde(default)]
        item_id: String,
        #[serde(default)]
        delta: String,
    },
    #[serde(rename = "conversation.item.input_audio_transcription.completed")]
    Completed {
        #[serde(default)]
        item_id: String,
        #[serde(default)]
        transcript: String,
    },
    #[serde(rename = "conversation.item.input_audio_transcription.failed")]
    TranscriptionFailed {
        #[serde(default)]
        error: Trouble,
    },
    #[serde(rename = "error")]
    Error {
        #[serde(default)]
        error: Trouble,
    },
    #[serde(other)]
    Other,
}

#[derive(Default, Deserialize)]
struct Trouble {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    code: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ProviderOptions;

    fn opened(rate_hz: u32, model: Option<&str>) -> (Box<dyn SttProtocol>, Connect) {
        let options =
            ProviderOptions { api_key: Some("key".into()), model: model.map(str::to_owned), ..Default::default() };
        let mut codec = super::super::PROVIDERS.open("openai_realtime", &options).expect("usable").protocol();
        let connect = codec.connect(&SttOpen {
            sample_rate_hz: rate_hz,
            language: "en-US".to_owned(),
            hints: vec!["Contoso".to_owned()],
            now_unix_ms: 0,
        });
        (codec, connect)
    }

    #[test]
    fn a_wide_band_call_keeps_its_tone_and_its_length() {
        let mut upsampler = Upsampler::new();
        let tone = |n: usize, rate: f32| (8_000.0 * (2.0 * PI * 1_000.0 * n as f32 / rate).sin()) as i16;
        let out = upsampler.push(&(0..1_600).map(|n| tone(n, 16_000.0)).collect::<Vec<_>>());
        assert_eq!(out.len(), 2_400);
        // The filter is late by its half length, 0.49 ms or 11.75 samples; compared at the peaks.
        let power = |pcm: &[i16]| pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len() as f64;
        let expected: Vec<i16> = (0..2_400).map(|n| tone(n, 24_000.0)).collect();
        assert!((power(&out[48..]) / power(&expected[48..]) - 1.0).abs() < 0.02);
    }

    #[test]
    fn a_commit_of_next_to_nothing_is_filled_up() {
        let (mut codec, connect) = opened(8_000, None);
        assert!(matches!(&connect.first[0], Wire::Text(text) if text.contains(r#""keywords":["Contoso"]"#)));
        let mut out = Vec::new();
        codec.on_audio(&[0; 160], &mut out);
        codec.finalize(&mut out);
        let bytes: usize = out[..out.len() - 1]
            .iter()
            .map(|wire| {
                let Wire::Text(text) = wire else { panic!("text") };
                let json: Value = serde_json::from_str(text).expect("JSON");
                STANDARD.decode(json["audio"].as_str().expect("audio")).expect("base64").len()
            })
            .sum();
        assert!(bytes >= 800, "{bytes}");
        let mut events = Vec::new();
        let empty = r#"{"type":"error","error":{"type":"invalid_request_error","code":"input_audio_buffer_commit_empty"}}"#;
        codec.on_message(&Wire::Text(empty.to_owned()), &mut events);
        assert_eq!(events[0], SttEvent::Final { text: String::new(), finalized: true });
    }

    #[test]
    fn an_older_model_gets_its_own_words() {
        let (_, connect) = opened(16_000, Some("gpt-4o-transcribe"));
        let Wire::Text(text) = &connect.first[0] else { panic!("text") };
        assert!(text.contains(r#""language":"en""#) && text.contains(r#""turn_detection":null"#), "{text}");
        assert!(text.contains(r#""rate":24000"#), "{text}");
    }
}
