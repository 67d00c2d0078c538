//! The media socket, whichever of the two it turns out to be: the first message tells.

use super::media::TwilioStream;
use super::relay::Relay;
use crate::line::close;
use crate::protocol::{MediaCommand, MediaProtocol, MediaSink};
use base::limits::MEDIA_MESSAGE_BYTES_MAX;
use base::wire::Wire;
use serde::Deserialize;
use std::borrow::Cow;

/// One media socket: audio (Media Streams), or words (ConversationRelay).
#[derive(Debug)]
pub enum TwilioMedia {
    /// Audio, and what nobody knows yet.
    Stream(TwilioStream),
    /// Words.
    Words(Relay),
}

impl Default for TwilioMedia {
    fn default() -> Self {
        Self::new()
    }
}

/// What tells the two apart: the name of the field that says what a message is.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event: Option<Cow<'a, str>>,
}

fn is_words(text: &str) -> bool {
    serde_json::from_str::<Kind<'_>>(text).is_ok_and(|kind| kind.event.is_none() && kind.kind.is_some())
}

impl TwilioMedia {
    /// A socket that has said nothing yet.
    pub fn new() -> Self {
        Self::Stream(TwilioStream::new())
    }
}

impl MediaProtocol for TwilioMedia {
    fn sample_rate_hz(&self) -> u32 {
        match self {
            Self::Stream(stream) => stream.sample_rate_hz(),
            Self::Words(_) => TwilioStream::new().sample_rate_hz(),
        }
    }

    fn message_frames_max(&self) -> usize {
        match self {
            Self::Stream(stream) => stream.message_frames_max(),
            Self::Words(_) => 1,
        }
    }

    fn mark_frames_min(&self) -> u32 {
        match self {
            Self::Stream(stream) => stream.mark_frames_min(),
            Self::Words(_) => 1,
        }
    }

    fn takes_keys(&self) -> bool {
        match self {
            Self::Stream(stream) => stream.takes_keys(),
            Self::Words(_) => true,
        }
    }

    fn on_text(&mut self, text: &str, sink: &mut MediaSink) {
        if let Self::Stream(stream) = self
            && !stream.has_begun()
            && text.len() <= MEDIA_MESSAGE_BYTES_MAX
            && is_words(text)
        {
            *self = Self::Words(Relay::new());
        }
        match self {
            Self::Stream(stream) => stream.on_text(text, sink),
            Self::Words(relay) if text.len() > MEDIA_MESSAGE_BYTES_MAX => {
                relay.violation((close::TOO_BIG, "a message of more than 64 KiB"), sink);
            }
            Self::Words(relay) => relay.on_text(text, sink),
        }
    }

    fn on_binary(&mut self, bytes: &[u8], sink: &mut MediaSink) {
        match self {
            Self::Stream(stream) => stream.on_binary(bytes, sink),
            Self::Words(relay) => relay.violation((close::UNSUPPORTED, "a binary message"), sink),
        }
    }

    fn on_command(&mut self, command: MediaCommand<'_>, out: &mut Vec<Wire>) {
        match self {
            Self::Stream(stream) => stream.on_command(command, out),
            Self::Words(relay) => relay.on_command(command, out),
        }
    }
}
