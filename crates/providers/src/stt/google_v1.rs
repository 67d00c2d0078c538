//! Google Cloud Speech-to-Text v1, streaming recognition over gRPC: what a project without recognisers of v2 uses.
//!
//! Source: cloud.google.com/speech-to-text/v1 and the numbers of `google/cloud/speech/v1/cloud_speech.proto`.

use super::{SttOpen, SttProtocol};
use crate::google::{AUTH, Auth, Dialect, Heard, Recogniser, method_url};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Connect, Wire};
use prost::Message;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "google_v1",
    title: "Google Speech-to-Text v1",
    base_url: "https://speech.googleapis.com",
    key_env: "GOOGLE_CLOUD_API_KEY",
    base_url_env: "GOOGLE_SPEECH_BASE_URL",
    model_env: Some("GOOGLE_SPEECH_V1_MODEL"),
    model: Some("telephony"),
    extra: &[
        AUTH,
        ("encoding", "Audio on the wire: `linear16` (default) or `mulaw`, which halves the bandwidth of a phone line."),
        ("language", "Language instead of the agent's, such as `en-US`."),
        ("profanity_filter", "`true` masks profanity; default `false`."),
        ("punctuation", "`true` adds punctuation; default `true`."),
        ("enhanced", "`true` uses the enhanced variant of the model; default `false`."),
    ],
    ..Descriptor::NONE
};

const LINEAR16: i32 = 1;
const MULAW: i32 = 3;

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let service = "google.cloud.speech.v1.Speech";
    let dialect: Arc<dyn Dialect> = Arc::new(V1 {
        url: method_url(settings, DESCRIPTOR.base_url, None, service, "StreamingRecognize"),
        auth: Auth::new(settings, "https://speech.googleapis.com/")?,
        model: settings.model().to_owned(),
        language: settings.text("language").map(str::to_owned),
        mulaw: settings.choice("encoding", &["linear16", "mulaw"])? == Some("mulaw"),
        profanity_filter: settings.flag("profanity_filter")?.unwrap_or(false),
        punctuation: settings.flag("punctuation")?.unwrap_or(true),
        enhanced: settings.flag("enhanced")?.unwrap_or(false),
    });
    Ok(Box::new(move || Box::new(Recogniser::new(Arc::clone(&dialect)))))
}

struct V1 {
    url: Url,
    auth: Auth,
    model: String,
    language: Option<String>,
    mulaw: bool,
    profanity_filter: bool,
    punctuation: bool,
    enhanced: bool,
}

impl Dialect for V1 {
    fn name(&self) -> &'static str {
        DESCRIPTOR.name
    }

    fn mulaw(&self) -> bool {
        self.mulaw
    }

    fn connect(&self, open: &SttOpen) -> Connect {
        let contexts = if open.hints.is_empty() { Vec::new() } else { vec![Context { phrases: open.hints.clone() }] };
        let config = RecognitionConfig {
            encoding: if self.mulaw { MULAW } else { LINEAR16 },
            sample_rate_hz: i32::try_from(open.sample_rate_hz).unwrap_or(i32::MAX),
            language: self.language.clone().unwrap_or_else(|| open.language.clone()),
            profanity_filter: self.profanity_filter,
            contexts,
            punctuation: self.punctuation,
            model: self.model.clone(),
            enhanced: self.enhanced,
        };
        let first = Request { streaming: Some(StreamingConfig { config: Some(config), interim: true }), audio: None };
        let headers = self.auth.headers(open.now_unix_ms);
        Connect { headers, first: vec![Wire::Binary(first.encode_to_vec())], ..Connect::grpc(self.url.as_str()) }
    }

    fn audio(&self, bytes: Vec<u8>) -> Vec<u8> {
        Request { streaming: None, audio: Some(bytes) }.encode_to_vec()
    }

    fn heard(&self, message: &[u8]) -> Option<Heard> {
        let response = Response::decode(message).ok()?;
        let results = response.results.into_iter().map(|result| {
            let text = result.alternatives.into_iter().next().map(|first| first.transcript).unwrap_or_default();
            (text, result.is_final)
        });
        let error = response.error.map(|error| error.code).filter(|code| *code != 0);
        Some(Heard { results: results.collect(), error })
    }
}

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, optional, tag = "1")]
    streaming: Option<StreamingConfig>,
    #[prost(bytes = "vec", optional, tag = "2")]
    audio: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamingConfig {
    #[prost(message, optional, tag = "1")]
    config: Option<RecognitionConfig>,
    #[prost(bool, tag = "3")]
    interim: bool,
}

#[derive(Clone, PartialEq, Message)]
struct RecognitionConfig {
    #[prost(int32, tag = "1")]
    encoding: i32,
    #[prost(int32, tag = "2")]
    sample_rate_hz: i32,
    #[prost(string, tag = "3")]
    language: String,
    #[prost(bool, tag = "5")]
    profanity_filter: bool,
    #[prost(message, repeated, tag = "6")]
    contexts: Vec<Context>,
    #[prost(bool, tag = "11")]
    punctuation: bool,
    #[prost(string, tag = "13")]
    model: String,
    #[prost(bool, tag = "14")]
    enhanced: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Context {
    #[prost(string, repeated, tag = "1")]
    phrases: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    error: Option<Status>,
    #[prost(message, repeated, tag = "2")]
    results: Vec<StreamingResult>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct StreamingResult {
    #[prost(message, repeated, tag = "1")]
    alternatives: Vec<Alternative>,
    #[prost(bool, tag = "2")]
    is_final: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Alternative {
    #[prost(string, tag = "1")]
    transcript: String,
}
