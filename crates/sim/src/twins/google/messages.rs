//! The fields of the vendor's messages that the twin reads and writes, by their numbers.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct V1Request {
    #[prost(message, optional, tag = "1")]
    pub(super) streaming: Option<V1Streaming>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) audio: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct V1Streaming {
    #[prost(message, optional, tag = "1")]
    pub(super) config: Option<V1Config>,
    #[prost(bool, tag = "3")]
    pub(super) interim: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct V1Config {
    #[prost(int32, tag = "1")]
    pub(super) encoding: i32,
    #[prost(int32, tag = "2")]
    pub(super) sample_rate_hz: i32,
    #[prost(string, tag = "3")]
    pub(super) language: String,
    #[prost(string, tag = "13")]
    pub(super) model: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct V1Response {
    #[prost(message, repeated, tag = "2")]
    results: Vec<V1Result>,
}

#[derive(Clone, PartialEq, Message)]
struct V1Result {
    #[prost(message, repeated, tag = "1")]
    alternatives: Vec<Alternative>,
    #[prost(bool, tag = "2")]
    is_final: bool,
    #[prost(float, tag = "3")]
    stability: f32,
    #[prost(string, tag = "6")]
    language: String,
}

impl V1Response {
    pub(super) fn of(text: &str, is_final: bool) -> Self {
        let stability = if is_final { 0.0 } else { 0.9 };
        let alternatives = vec![Alternative::of(text)];
        Self { results: vec![V1Result { alternatives, is_final, stability, language: "en-us".to_owned() }] }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct V2Request {
    #[prost(string, tag = "3")]
    pub(super) recognizer: String,
    #[prost(message, optional, tag = "6")]
    pub(super) streaming: Option<V2Streaming>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(super) audio: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct V2Streaming {
    #[prost(message, optional, tag = "1")]
    pub(super) config: Option<V2Config>,
    #[prost(message, optional, tag = "2")]
    pub(super) features: Option<V2Features>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct V2Features {
    #[prost(bool, tag = "2")]
    pub(super) interim: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct V2Config {
    #[prost(message, optional, tag = "8")]
    pub(super) decoding: Option<Decoding>,
    #[prost(string, tag = "9")]
    pub(super) model: String,
    #[prost(string, repeated, tag = "10")]
    pub(super) language_codes: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Decoding {
    #[prost(int32, tag = "1")]
    pub(super) encoding: i32,
    #[prost(int32, tag = "2")]
    pub(super) sample_rate_hz: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct V2Response {
    #[prost(message, repeated, tag = "6")]
    results: Vec<V2Result>,
}

#[derive(Clone, PartialEq, Message)]
struct V2Result {
    #[prost(message, repeated, tag = "1")]
    alternatives: Vec<Alternative>,
    #[prost(bool, tag = "2")]
    is_final: bool,
    #[prost(float, tag = "3")]
    stability: f32,
    #[prost(string, tag = "6")]
    language: String,
}

impl V2Response {
    pub(super) fn of(text: &str, is_final: bool) -> Self {
        let stability = if is_final { 0.0 } else { 0.9 };
        let alternatives = vec![Alternative::of(text)];
        Self { results: vec![V2Result { alternatives, is_final, stability, language: "en-US".to_owned() }] }
    }
}

#[derive(Clone, PartialEq, Message)]
struct Alternative {
    #[prost(string, tag = "1")]
    transcript: String,
    #[prost(float, tag = "2")]
    confidence: f32,
}

impl Alternative {
    fn of(text: &str) -> Self {
        Self { transcript: text.to_owned(), confidence: 0.9 }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SynthesisRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) config: Option<SynthesisConfig>,
    #[prost(message, optional, tag = "2")]
    pub(super) input: Option<Input>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SynthesisConfig {
    #[prost(message, optional, tag = "1")]
    pub(super) voice: Option<Voice>,
    #[prost(message, optional, tag = "4")]
    pub(super) audio: Option<StreamAudio>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Voice {
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(string, tag = "6")]
    pub(super) model_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamAudio {
    #[prost(int32, tag = "1")]
    pub(super) encoding: i32,
    #[prost(int32, tag = "2")]
    pub(super) sample_rate_hz: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Input {
    #[prost(string, tag = "1")]
    pub(super) text: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SynthesisResponse {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) audio: Vec<u8>,
}

/// Of the method that answers at once.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WholeRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) input: Option<Input>,
    #[prost(message, optional, tag = "3")]
    pub(super) audio: Option<WholeAudio>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WholeAudio {
    #[prost(int32, tag = "1")]
    pub(super) encoding: i32,
    #[prost(int32, tag = "5")]
    pub(super) sample_rate_hz: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WholeResponse {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) audio: Vec<u8>,
}
