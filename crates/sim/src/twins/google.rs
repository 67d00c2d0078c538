//! A twin of Google's speech services: recognition v1 and v2 and streaming synthesis over gRPC, plain synthesis over HTTP.
//!
//! It hears utterances of a script (see `hearing`) and speaks with the built-in voice of twins. Messages and limits follow
//! the vendor's proto files; statuses are those that its service has been seen to give.

mod messages;

use super::elevenlabs::tone;
use super::fault::{Faults, Moment};
use super::h2::{Exchange, H2Server};
use super::hearing::{Hearing, Said, Script};
use super::server::{Record, Shared};
use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use messages::{SynthesisRequest, SynthesisResponse, V1Request, V1Response, V2Request, V2Response, WholeResponse};
use prost::Message;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How the twin behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The API key or token that is accepted; empty for whoever comes, as the official clients do over a plain channel.
    pub key: String,
    /// What the utterances say, in order, over all streams.
    pub script: Vec<String>,
    /// Silence that ends an utterance, in milliseconds.
    pub endpoint_ms: u64,
    /// From text to its first audio, in milliseconds.
    pub first_audio_ms: u64,
    /// Without audio for so long, a recognition stream is ended.
    pub idle_ms: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        let key = "twin-key".to_owned();
        Self { key, script: Vec::new(), endpoint_ms: 600, first_audio_ms: 40, idle_ms: 10_000 }
    }
}

/// The running twin. Dropping it ends every connection.
#[derive(Debug)]
pub struct Twin {
    /// For `GOOGLE_SPEECH_BASE_URL` and `GOOGLE_TTS_BASE_URL`.
    pub base_url: String,
    /// `host:port`, for clients that want a channel.
    pub address: String,
    /// The key it accepts.
    pub key: String,
    /// What is wrong with it.
    pub faults: Faults,
    /// What it received: `call PATH`, `config …`, `audio BYTES`, `text …`, `half-close`, `request …`.
    pub record: Record,
    _server: H2Server,
}

impl Twin {
    /// Starts it on a free loopback port.
    pub async fn start(behaviour: Behaviour) -> io::Result<Self> {
        let key = behaviour.key.clone();
        let context = Arc::new((Script::new(behaviour.script.clone()), behaviour));
        let serve = move |exchange, shared| {
            let context = Arc::clone(&context);
            async move {
                let (script, behaviour) = &*context;
                Session { behaviour, script, shared }.serve(exchange).await;
            }
        };
        let server = H2Server::start(&key, serve).await?;
        Ok(Self {
            base_url: format!("http://{}", server.address),
            address: server.address.to_string(),
            key,
            faults: server.faults.clone(),
            record: server.record.clone(),
            _server: server,
        })
    }
}

struct Session<'a> {
    behaviour: &'a Behaviour,
    script: &'a Script,
    shared: Shared,
}

const SPEECH_V1: &str = "/google.cloud.speech.v1.Speech/StreamingRecognize";
const SPEECH_V2: &str = "/google.cloud.speech.v2.Speech/StreamingRecognize";
const SPEAK: &str = "/google.cloud.texttospeech.v1.TextToSpeech/StreamingSynthesize";
const SPEAK_WHOLE: &str = "/google.cloud.texttospeech.v1.TextToSpeech/SynthesizeSpeech";

impl Session<'_> {
    async fn serve(self, mut exchange: Exchange) {
        self.shared.record.add(format!("call {}", exchange.path));
        let fault = self.shared.faults.strike(Moment::Start);
        if !self.is_welcome(&exchange) {
            return match exchange.path.starts_with("/v1/") {
                true => exchange.answer(401, &JSON, error(401, "UNAUTHENTICATED")).await,
                false => exchange.finish(16, "Request had invalid authentication credentials.").await,
            };
        }
        let Some(exchange) = exchange.strike(&self.shared, fault).await else { return };
        match exchange.path.as_str() {
            SPEECH_V1 => self.recognise(exchange, Version::V1).await,
            SPEECH_V2 => self.recognise(exchange, Version::V2).await,
            SPEAK => self.speak(exchange).await,
            SPEAK_WHOLE => self.speak_whole(exchange).await,
            "/v1/text:synthesize" => self.speak_http(exchange).await,
            _ => exchange.finish(12, "Method not found.").await,
        }
    }

    fn is_welcome(&self, exchange: &Exchange) -> bool {
        let sent = |name: &str| exchange.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = &self.behaviour.key;
        key.is_empty() || sent("x-goog-api-key") == key || sent("authorization") == format!("Bearer {key}")
    }

    async fn recognise(&self, mut exchange: Exchange, version: Version) {
        let first = exchange.message().await;
        let Some(config) = first.and_then(|first| version.config(&first)) else {
            return exchange.finish(3, "The first message holds the configuration.").await;
        };
        self.shared.record.add(format!("config {}", config.told));
        if config.sample_rate_hz < 8_000 || config.language.is_empty() {
            return exchange.finish(3, "Invalid recognition config.").await;
        }
        let mut hearing = Hearing::new(self.script.clone(), config.sample_rate_hz, self.behaviour.endpoint_ms);
        let mut struck = false;
        loop {
            let idle = Duration::from_millis(self.behaviour.idle_ms);
            let Ok(message) = tokio::time::timeout(idle, exchange.message()).await else {
                return exchange.finish(11, AUDIO_TIMEOUT).await;
            };
            let Some(message) = message else { break };
            let Some(audio) = version.audio(&message) else {
                return exchange.finish(3, "Audio was expected.").await;
            };
            self.shared.record.add(format!("audio {}", audio.len()));
            for said in hearing.push(&config.decode(&audio)) {
                let told = match said {
                    Said::Partial(_) if !config.interim => continue,
                    Said::Partial(text) => version.result(&text, false),
                    Said::Final(text) => version.result(&text, true),
                };
                exchange.say(&told).await;
                if !std::mem::replace(&mut struck, true) {
                    let fault = self.shared.faults.strike(Moment::MidTurn);
                    let Some(on) = exchange.strike(&self.shared, fault).await else { return };
                    exchange = on;
                }
            }
        }
        self.shared.record.add("half-close");
        if let Some(text) = hearing.finish() {
            exchange.say(&version.result(&text, true)).await;
        }
        exchange.finish(0, "").await;
    }

    async fn speak(&self, mut exchange: Exchange) {
        let first = exchange.message().await.and_then(|first| SynthesisRequest::decode(first).ok());
        let Some(config) = first.and_then(|first| first.config) else {
            return exchange.finish(3, "The first message holds the configuration.").await;
        };
        let (voice, audio) = (config.voice.unwrap_or_default(), config.audio.unwrap_or_default());
        self.shared.record.add(format!("config {} {} {}", voice.name, audio.encoding, audio.sample_rate_hz));
        if !voice.name.contains("Chirp3-HD") && voice.model_name.is_empty() {
            return exchange
                .finish(3, "Currently, only Chirp 3: HD voices are supported for streaming synthesis.")
                .await;
        }
        let Some(encode) = encoder(audio.encoding).filter(|_| audio.encoding != LINEAR16) else {
            return exchange.finish(3, "Unsupported audio encoding.").await;
        };
        let rate = u32::try_from(audio.sample_rate_hz).unwrap_or(0).max(8_000);
        let mut struck = false;
        loop {
            let idle = Duration::from_millis(5_000);
            let Ok(message) = tokio::time::timeout(idle, exchange.message()).await else {
                return exchange.finish(10, INPUT_TIMEOUT).await;
            };
            let Some(message) = message else { break };
            let input = SynthesisRequest::decode(message).ok().and_then(|request| request.input);
            let Some(text) = input.map(|input| input.text) else {
                return exchange.finish(3, "Input was expected.").await;
            };
            self.shared.record.add(format!("text {text}"));
            tokio::time::sleep(Duration::from_millis(self.behaviour.first_audio_ms)).await;
            for piece in tone(text.trim(), rate).chunks(rate as usize / 5) {
                exchange.say(&SynthesisResponse { audio: encode(piece) }.encode_to_vec()).await;
                if !std::mem::replace(&mut struck, true) {
                    let fault = self.shared.faults.strike(Moment::MidTurn);
                    let Some(on) = exchange.strike(&self.shared, fault).await else { return };
                    exchange = on;
                }
            }
        }
        self.shared.record.add("half-close");
        exchange.finish(0, "").await;
    }

    async fn speak_whole(&self, mut exchange: Exchange) {
        let request = exchange.message().await.and_then(|first| messages::WholeRequest::decode(first).ok());
        let request = request.unwrap_or_default();
        let (input, audio) = (request.input.unwrap_or_default(), request.audio.unwrap_or_default());
        let Some(encode) = encoder(audio.encoding) else {
            return exchange.finish(3, "Unsupported audio encoding.").await;
        };
        self.shared.record.add(format!("text {}", input.text));
        let rate = u32::try_from(audio.sample_rate_hz).unwrap_or(0).max(8_000);
        exchange.say(&WholeResponse { audio: encode(&tone(&input.text, rate)) }.encode_to_vec()).await;
        exchange.finish(0, "").await;
    }

    async fn speak_http(&self, mut exchange: Exchange) {
        let body = exchange.body().await;
        let request: Value = serde_json::from_slice(&body).unwrap_or_default();
        self.shared.record.add(format!("request {request}"));
        let (text, audio) = (request["input"]["text"].as_str(), &request["audioConfig"]);
        let encoding = match audio["audioEncoding"].as_str() {
            Some("PCM") => Some(PCM),
            Some("LINEAR16") => Some(LINEAR16),
            Some("MULAW") => Some(MULAW),
            _ => None,
        };
        let (Some(text), Some(encode)) = (text, encoding.and_then(encoder)) else {
            return exchange.answer(400, &JSON, error(400, "INVALID_ARGUMENT")).await;
        };
        tokio::time::sleep(Duration::from_millis(self.behaviour.first_audio_ms)).await;
        let rate = audio["sampleRateHertz"].as_u64().and_then(|rate| u32::try_from(rate).ok()).unwrap_or(24_000);
        let answer = json!({"audioContent": STANDARD.encode(encode(&tone(text, rate)))}).to_string().into_bytes();
        let (first, rest) = answer.split_at(answer.len() / 2);
        exchange.answer(200, &JSON, first.to_vec()).await;
        let fault = self.shared.faults.strike(Moment::MidTurn);
        if let Some(mut exchange) = exchange.strike(&self.shared, fault).await {
            exchange.raw(rest.to_vec()).await;
        }
    }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const AUDIO_TIMEOUT: &str =
    "Audio Timeout Error: Long duration elapsed without audio. Audio should be sent close to real time.";
const INPUT_TIMEOUT: &str = "Stream aborted due to long duration elapsed without input sent. Input must be sent \
                             continuously, at least every 5s seconds.";
const LINEAR16: i32 = 1;
const MULAW: i32 = 5;
const PCM: i32 = 7;

fn error(code: u16, status: &str) -> Vec<u8> {
    json!({"error": {"code": code, "message": "As the test wishes.", "status": status}}).to_string().into_bytes()
}

type Encode = fn(&[i16]) -> Vec<u8>;

fn encoder(encoding: i32) -> Option<Encode> {
    let pcm: Encode = |samples| samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    match encoding {
        PCM => Some(pcm),
        // With a header of 44 bytes before the samples.
        LINEAR16 => Some(|samples| {
            let samples = samples.iter().flat_map(|sample| sample.to_le_bytes());
            b"RIFF".iter().copied().chain([0; 40]).chain(samples).collect()
        }),
        MULAW => Some(|samples| samples.iter().map(|sample| encode_ulaw(*sample)).collect()),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Version {
    V1,
    V2,
}

struct Config {
    sample_rate_hz: u32,
    mulaw: bool,
    language: String,
    interim: bool,
    told: String,
}

impl Config {
    fn decode(&self, bytes: &[u8]) -> Vec<i16> {
        if self.mulaw {
            return bytes.iter().map(|byte| decode_ulaw(*byte)).collect();
        }
        bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
    }
}

impl Version {
    fn config(self, message: &[u8]) -> Option<Config> {
        match self {
            Self::V1 => {
                let streaming = V1Request::decode(message).ok()?.streaming?;
                let config = streaming.config?;
                Some(Config {
                    sample_rate_hz: u32::try_from(config.sample_rate_hz).ok()?,
                    mulaw: config.encoding == 3,
                    told: format!("v1 {} {} {}", config.model, config.language, config.encoding),
                    language: config.language,
                    interim: streaming.interim,
                })
            }
            Self::V2 => {
                let request = V2Request::decode(message).ok()?;
                let streaming = request.streaming?;
                let config = streaming.config?;
                let decoding = config.decoding?;
                let language = config.language_codes.into_iter().next().unwrap_or_default();
                Some(Config {
                    sample_rate_hz: u32::try_from(decoding.sample_rate_hz).ok()?,
                    mulaw: decoding.encoding == 2,
                    told: format!("v2 {} {} {} {}", request.recognizer, config.model, language, decoding.encoding),
                    language,
                    interim: streaming.features.unwrap_or_default().interim,
                })
            }
        }
    }

    fn audio(self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::V1 => V1Request::decode(message).ok()?.audio,
            Self::V2 => V2Request::decode(message).ok()?.audio,
        }
    }

    fn result(self, text: &str, is_final: bool) -> Vec<u8> {
        match self {
            Self::V1 => V1Response::of(text, is_final).encode_to_vec(),
            Self::V2 => V2Response::of(text, is_final).encode_to_vec(),
        }
    }
}
