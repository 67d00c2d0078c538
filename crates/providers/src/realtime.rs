//! Speech to speech: a model that hears the caller and speaks itself, over one WebSocket for a whole call.
//!
//! Turns are taken by the call engine, not by the service: its own detection is off, audio goes in, what was said is
//! committed, and an answer is asked for. The codec keeps the service's idea of the conversation; the driver tells it what the
//! journal knows better: what was heard of an answer, and what others said.

use crate::registry::realtime_providers;
use base::wire::{Connect, Wire};
use base::{ErrorClass, Failure, Pii};
use model::generation::Finish;
use model::tool::ToolSpec;
use serde::{Deserialize, Serialize};

/// What a conversation is opened with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealtimeOpen {
    /// Samples per second of the caller's line. What the codec wants is [`RealtimeProtocol::input_rate_hz`].
    pub sample_rate_hz: u32,
    /// BCP-47 language of the caller.
    pub language: String,
    /// Who the agent is and how it speaks.
    pub instructions: String,
    /// Tools it may ask for.
    #[serde(default)]
    pub tools: Vec<ToolSpec>,
}

/// Something that belongs to the conversation and did not go through the model's ears or mouth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "snake_case")]
pub enum RealtimeItem {
    /// What the customer typed, or said to another recogniser.
    Customer {
        /// The words.
        text: Pii<String>,
    },
    /// What the agent said by another voice.
    Agent {
        /// The words.
        text: String,
    },
    /// What a tool answered that the model asked for.
    ToolResult {
        /// The id of its call.
        id: String,
        /// Name of the tool.
        name: String,
        /// What it answered.
        text: String,
    },
}

/// How an answer is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealtimeAsk {
    /// Who the agent is, as of now; codecs send it only when it changed.
    pub instructions: String,
    /// Tokens of text to answer with at most; codecs allow for the audio of it.
    pub tokens_max: u32,
}

/// Tokens by what they are, of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RealtimeUsage {
    /// Text read.
    pub text_in: u32,
    /// Audio heard.
    pub audio_in: u32,
    /// Of both, from the provider's cache.
    pub cached: u32,
    /// Text written.
    pub text_out: u32,
    /// Audio spoken.
    pub audio_out: u32,
}

/// What a service reports. What belongs to an answer comes between `Started` and `Done` or `Refused`.
#[derive(Clone, Debug, PartialEq)]
pub enum RealtimeEvent {
    /// The conversation is set up. Nothing may be sent before. Comes again after `Elsewhere`.
    Ready,
    /// What the caller seems to be saying since the last `Heard`. Replaces what came before.
    Hearing {
        /// The words.
        text: String,
    },
    /// What was committed; empty when there were no words.
    Heard {
        /// The words.
        text: String,
    },
    /// An answer begins.
    Started,
    /// More of its words.
    Text {
        /// The piece.
        delta: String,
    },
    /// More of its audio at [`RealtimeProtocol::output_rate_hz`], 16-bit mono.
    Audio {
        /// The samples.
        pcm: Vec<i16>,
    },
    /// It wants a tool. Given once, whole, before `Done`.
    ToolCall {
        /// The model's own id for it.
        id: String,
        /// Name of the tool.
        name: String,
        /// Its arguments.
        args: serde_json::Value,
    },
    /// Tokens of an answer, also of one that was called off.
    Usage(RealtimeUsage),
    /// It is complete.
    Done {
        /// Why it stopped.
        finish: Finish,
    },
    /// The service ends this connection and keeps the conversation, which goes on over another one. Nothing may be sent
    /// before the next `Ready`.
    Elsewhere {
        /// How to open it.
        connect: Box<Connect>,
    },
    /// There is no answer because of this; the conversation goes on.
    Refused(Failure),
    /// The conversation is over because of this.
    Failed(Failure),
}

/// A vendor's conversation over one WebSocket. One value per conversation.
pub trait RealtimeProtocol: Send {
    /// How to open it.
    fn connect(&mut self, open: &RealtimeOpen) -> Connect;
    /// Samples per second that [`RealtimeProtocol::on_audio`] wants; known after `connect`.
    fn input_rate_hz(&self) -> u32;
    /// Samples per second of the audio that comes; known after `connect`.
    fn output_rate_hz(&self) -> u32;
    /// Turns 16-bit mono audio of the caller into messages.
    fn on_audio(&mut self, pcm: &[i16], out: &mut Vec<Wire>);
    /// The caller begins to speak.
    fn speech_started(&mut self, out: &mut Vec<Wire>);
    /// What was pushed since the last commit is what the caller said. Whether `Heard` will follow: not when there was too
    /// little to hear.
    fn commit(&mut self, out: &mut Vec<Wire>) -> bool;
    /// Adds to the conversation what the model did not hear or say.
    fn add(&mut self, item: &RealtimeItem, out: &mut Vec<Wire>);
    /// Asks for an answer. Some services answer by themselves once something is committed; then this is that answer.
    fn respond(&mut self, ask: &RealtimeAsk, out: &mut Vec<Wire>);
    /// Calls off the answer in progress. Of it only `Usage` may follow.
    fn cancel(&mut self, out: &mut Vec<Wire>);
    /// Of the last answer only this was heard. Nothing at all: it was not said.
    fn trim(&mut self, heard_ms: u64, heard_text: &str, out: &mut Vec<Wire>);
    /// Turns one message into events, and into what must be said about it. A close frame is a message too and gives
    /// `Failed` unless we asked for it.
    fn on_message(&mut self, message: &Wire, events: &mut Vec<RealtimeEvent>, out: &mut Vec<Wire>);
    /// Ends the conversation politely. No event follows.
    fn close(&mut self, out: &mut Vec<Wire>);
    /// Maps an HTTP status (refused upgrade) and body, or a close code (1000 and above), to a class.
    fn classify(&self, status: u16, body: &str) -> ErrorClass;
}

/// 16-bit samples as little-endian bytes.
fn bytes_of(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Little-endian bytes as 16-bit samples; an odd byte at the end is left out.
fn samples_of(bytes: &[u8]) -> Vec<i16> {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

realtime_providers! { openai_speech, gemini_live }
