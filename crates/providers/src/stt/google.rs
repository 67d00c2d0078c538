//! Google Cloud Speech-to-Text v2, streaming recognition over gRPC.
//!
//! Source: cloud.google.com/speech-to-text/v2 and the numbers of `google/cloud/speech/v2/cloud_speech.proto`. The service
//! cannot finish an utterance and go on: a `finalize` ends the stream, and the next one begins.

use super::{SttOpen, SttProtocol};
use crate::google::{AUTH, Auth, Dialect, Heard, Recogniser, method_url};
use crate::options::{Descriptor, OptionsError, Settings};
use crate::registry::Factory;
use base::wire::{Connect, Header, Wire};
use prost::Message;
use std::sync::Arc;
use url::Url;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "google",
    title: "Google Speech-to-Text",
    base_url: "https://speech.googleapis.com",
    key_env: "GOOGLE_CLOUD_API_KEY",
    base_url_env: "GOOGLE_SPEECH_BASE_URL",
    model_env: Some("GOOGLE_SPEECH_MODEL"),
    model: Some("telephony"),
    extra: &[
        ("project", "Project that pays, by its id."),
        ("location", "Where audio is processed, such as `us`, `eu` or `asia-south1`; default `global`."),
        AUTH,
        ("encoding", "Audio on the wire: `linear16` (default) or `mulaw`, which halves the bandwidth of a phone line."),
        ("language", "Language instead of the agent's, such as `en-US`."),
        ("profanity_filter", "`true` masks profanity; default `false`."),
        ("punctuation", "`true` adds punctuation; default `true`."),
    ],
    ..Descriptor::NONE
};

const LINEAR16: i32 = 1;
const MULAW: i32 = 2;

pub(super) fn open(settings: &Settings) -> Result<Factory<dyn SttProtocol>, OptionsError> {
    let location = settings.text("location").unwrap_or("global");
    let project = settings.required("project")?;
    let service = "google.cloud.speech.v2.Speech";
    let dialect: Arc<dyn Dialect> = Arc::new(V2 {
        url: method_url(settings, DESCRIPTOR.base_url, Some(location), service, "StreamingRecognize"),
        recognizer: format!("projects/{project}/locations/{location}/recognizers/_"),
        auth: Auth::new(settings, "https://speech.googleapis.com/")?,
        model: settings.model().to_owned(),
        language: settings.text("language").map(str::to_owned),
        mulaw: settings.choice("encoding", &["linear16", "mulaw"])? == Some("mulaw"),
        profanity_filter: settings.flag("profanity_filter")?.unwrap_or(false),
        punctuation: settings.flag("punctuation")?.unwrap_or(true),
    });
    Ok(Box::new(move || Box::new(Recogniser::new(Arc::clone(&dialect)))))
}

struct V2 {
    url: Url,
    recognizer: String,
    auth: Auth,
    model: String,
    language: Option<String>,
    mulaw: bool,
    profanity_filter: bool,
    punctuation: bool,
}

impl Dialect for V2 {
    fn name(&self) -> &'static str {
        DESCRIPTOR.name
    }

    fn mulaw(&self) -> bool {
        self.mulaw
    }

    fn connect(&self, open: &SttOpen) -> Connect {
        let phrases: Vec<Phrase> = open.hints.iter().map(|value| Phrase { value: value.clone() }).collect();
        let set = PhraseSetOfOurs { inline: Some(PhraseSet { phrases }) };
        let adaptation = (!open.hints.is_empty()).then(|| Adaptation { sets: vec![set] });
        let config = RecognitionConfig {
            decoding: Some(Decoding {
                encoding: if self.mulaw { MULAW } else { LINEAR16 },
                sample_rate_hz: i32::try_from(open.sample_rate_hz).unwrap_or(i32::MAX),
                channels: 1,
            }),
            model: self.model.clone(),
            language_codes: vec![self.language.clone().unwrap_or_else(|| open.language.clone())],
            features: Some(Features { profanity_filter: self.profanity_filter, punctuation: self.punctuation }),
            adaptation,
        };
        let streaming = StreamingConfig { config: Some(config), features: Some(StreamingFeatures { interim: true }) };
        let first = Request { recognizer: self.recognizer.clone(), streaming: Some(streaming), audio: None };
        let mut headers = self.auth.headers(open.now_unix_ms);
        let recognizer: String = url::form_urlencoded::byte_serialize(self.recognizer.as_bytes()).collect();
        headers.push(Header::plain("x-goog-request-params", format!("recognizer={recognizer}")));
        Connect { headers, first: vec![Wire::Binary(first.encode_to_vec())], ..Connect::grpc(self.url.as_str()) }
    }

    fn audio(&self, bytes: Vec<u8>) -> Vec<u8> {
        Request { recognizer: String::new(), streaming: None, audio: Some(bytes) }.encode_to_vec()
    }

    fn heard(&self, message: &[u8]) -> Option<Heard> {
        let response = Response::decode(message).ok()?;
        let results = response.results.into_iter().map(|result| {
            let text = result.alternatives.into_iter().next().map(|first| first.transcript).unwrap_or_default();
            (text, result.is_final)
        });
        Some(Heard { results: results.collect(), error: None })
    }
}

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, tag = "3")]
    recognizer: String,
    #[prost(message, optional, tag = "6")]
    streaming: Option<StreamingConfig>,
    #[prost(bytes = "vec", optional, tag = "5")]
    audio: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamingConfig {
    #[prost(message, optional, tag = "1")]
    config: Option<RecognitionConfig>,
    #[prost(message, optional, tag = "2")]
    features: Option<StreamingFeatures>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamingFeatures {
    #[prost(bool, tag = "2")]
    interim: bool,
}

#[derive(Clone, PartialEq, Message)]
struct RecognitionConfig {
    #[prost(message, optional, tag = "8")]
    decoding: Option<Decoding>,
    #[prost(string, tag = "9")]
    model: String,
    #[prost(string, repeated, tag = "10")]
    language_codes: Vec<String>,
    #[prost(message, optional, tag = "2")]
    features: Option<Features>,
    #[prost(message, optional, tag = "6")]
    adaptation: Option<Adaptation>,
}

#[derive(Clone, PartialEq, Message)]
struct Decoding {
    #[prost(int32, tag = "1")]
    encoding: i32,
    #[prost(int32, tag = "2")]
    sample_rate_hz: i32,
    #[prost(int32, tag = "3")]
    channels: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Features {
    #[prost(bool, tag = "1")]
    profanity_filter: bool,
    #[prost(bool, tag = "4")]
    punctuation: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Adaptation {
    #[prost(message, repeated, tag = "1")]
    sets: Vec<PhraseSetOfOurs>,
}

#[derive(Clone, PartialEq, Message)]
struct PhraseSetOfOurs {
    #[prost(message, optional, tag = "2")]
    inline: Option<PhraseSet>,
}

#[derive(Clone, PartialEq, Message)]
struct PhraseSet {
    #[prost(message, repeated, tag = "3")]
    phrases: Vec<Phrase>,
}

#[derive(Clone, PartialEq, Message)]
struct Phrase {
    #[prost(string, tag = "1")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, repeated, tag = "6")]
    results: Vec<StreamingResult>,
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
