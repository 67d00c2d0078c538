//! Media Streams: JSON text messages with base64 µ-law at 8 kHz, both ways.
//! Source: twilio.com/docs/voice/media-streams/websocket-messages.

use crate::marks::PendingMarks;
use crate::protocol::{MediaCommand, MediaEvent, MediaProtocol, MediaSink, MediaStart};
use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use base::limits::MEDIA_MESSAGE_BYTES_MAX;
use base::wire::Wire;
use base::{MarkId, Pii};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use std::borrow::Cow;

const RATE_HZ: u32 = 8000;
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const MARK_PREFIX: &str = "m";

/// Close codes of RFC 6455, section 7.4.1.
mod close {
    pub(super) const PROTOCOL: u16 = 1002;
    pub(super) const UNSUPPORTED: u16 = 1003;
    pub(super) const MALFORMED: u16 = 1007;
    pub(super) const POLICY: u16 = 1008;
    pub(super) const TOO_BIG: u16 = 1009;
}

/// One message. Text is borrowed, so that a frame of audio allocates nothing.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default, rename = "streamSid")]
    stream_sid: Cow<'a, str>,
    #[serde(borrow, default, rename = "sequenceNumber")]
    sequence_number: Cow<'a, str>,
    #[serde(borrow, default)]
    media: Option<Media<'a>>,
    #[serde(default)]
    start: Option<Start>,
    #[serde(borrow, default)]
    dtmf: Option<Dtmf<'a>>,
    #[serde(borrow, default)]
    mark: Option<Mark<'a>>,
}

#[derive(Deserialize)]
struct Media<'a> {
    #[serde(borrow, default)]
    track: Cow<'a, str>,
    #[serde(borrow)]
    payload: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Dtmf<'a> {
    #[serde(borrow)]
    digit: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Mark<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    stream_sid: String,
    call_sid: String,
    media_format: Format,
    #[serde(default)]
    custom_parameters: Parameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    encoding: String,
    sample_rate: u32,
    channels: u32,
}

#[derive(Deserialize, Default)]
struct Parameters {
    token: Option<String>,
}

/// Only the name of a message, for those whose other fields we do not know.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Streaming,
    Over,
}

/// The audio of one media socket: 8 kHz µ-law in base64.
#[derive(Debug)]
pub struct TwilioMedia {
    state: State,
    stream_sid: String,
    /// Everything of a media message before its payload.
    media_head: String,
    last_sequence: u64,
    marks: PendingMarks,
    bytes: Vec<u8>,
}

impl Default for TwilioMedia {
    fn default() -> Self {
        Self::new()
    }
}

impl TwilioMedia {
    /// A socket that has said nothing yet.
    pub fn new() -> Self {
        Self {
            state: State::Waiting,
            stream_sid: String::new(),
            media_head: String::new(),
            last_sequence: 0,
            marks: PendingMarks::default(),
            bytes: Vec::new(),
        }
    }

    fn violation(&mut self, code: u16, why: &'static str, sink: &mut MediaSink) {
        self.state = State::Over;
        sink.events.push(MediaEvent::Violation { code, why });
    }

    fn start(&mut self, start: Start, outer_sid: &str, sink: &mut MediaSink) {
        if self.state == State::Streaming {
            return self.violation(close::PROTOCOL, "second start", sink);
        }
        if start.media_format.encoding != "audio/x-mulaw" {
            return self.violation(close::UNSUPPORTED, "the encoding is not audio/x-mulaw", sink);
        }
        if start.media_format.sample_rate != RATE_HZ || start.media_format.channels != 1 {
            return self.violation(close::UNSUPPORTED, "the audio is not 8000 Hz with one channel", sink);
        }
        if start.stream_sid.is_empty() || start.call_sid.is_empty() {
            return self.violation(close::PROTOCOL, "start without the id of the stream or the call", sink);
        }
        if !outer_sid.is_empty() && outer_sid != start.stream_sid {
            return self.violation(close::POLICY, "start names two streams", sink);
        }
        self.state = State::Streaming;
        self.media_head = format!(r#"{{"event":"media","streamSid":{},"media":{{"payload":""#, json(&start.stream_sid));
        self.stream_sid.clone_from(&start.stream_sid);
        sink.events.push(MediaEvent::Started(MediaStart {
            carrier_ref: Some(start.call_sid),
            stream_ref: Some(start.stream_sid),
            token: start.custom_parameters.token,
            ..MediaStart::default()
        }));
    }

    /// Whether a message of a running stream is in order; a message that says nothing about order is.
    fn in_order(&mut self, sequence_number: &str) -> bool {
        let Ok(sequence) = sequence_number.parse::<u64>() else { return true };
        let in_order = sequence >= self.last_sequence;
        self.last_sequence = self.last_sequence.max(sequence);
        in_order
    }

    fn media(&mut self, media: &Media<'_>, sequence_number: &str, sink: &mut MediaSink) {
        if !matches!(&*media.track, "inbound" | "") {
            return;
        }
        if !self.in_order(sequence_number) {
            sink.frames_dropped += 1;
            return;
        }
        self.bytes.clear();
        if BASE64.decode_vec(&*media.payload, &mut self.bytes).is_err() {
            return self.violation(close::MALFORMED, "the audio is not base64", sink);
        }
        sink.pcm.extend(self.bytes.iter().map(|byte| decode_ulaw(*byte)));
    }

    fn streamed(&mut self, message: Message<'_>, sink: &mut MediaSink) {
        if !message.stream_sid.is_empty() && message.stream_sid != self.stream_sid {
            return self.violation(close::POLICY, "a message of another stream", sink);
        }
        if let Some(media) = &message.media
            && message.event == "media"
        {
            return self.media(media, &message.sequence_number, sink);
        }
        self.in_order(&message.sequence_number);
        match (&*message.event, message.mark, message.dtmf) {
            ("mark", Some(mark), _) => {
                let id = mark.name.strip_prefix(MARK_PREFIX).and_then(|digits| digits.parse().ok()).map(MarkId);
                if let Some(id) = id.filter(|id| self.marks.echoed(*id)) {
                    sink.events.push(MediaEvent::Mark(id));
                }
            }
            ("dtmf", _, Some(dtmf)) => {
                let mut keys = dtmf.digit.chars();
                if let (Some(key @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) = (keys.next(), keys.next()) {
                    sink.events.push(MediaEvent::Dtmf(Pii::new(key)));
                }
            }
            ("stop", ..) => {
                self.state = State::Over;
                sink.events.push(MediaEvent::Stopped);
            }
            _ => self.violation(close::MALFORMED, "a message without its contents", sink),
        }
    }
}

fn is_known(event: &str) -> bool {
    matches!(event, "start" | "media" | "mark" | "dtmf" | "stop")
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl MediaProtocol for TwilioMedia {
    fn sample_rate_hz(&self) -> u32 {
        RATE_HZ
    }

    fn on_text(&mut self, text: &str, sink: &mut MediaSink) {
        if self.state == State::Over {
            return;
        }
        if text.len() > MEDIA_MESSAGE_BYTES_MAX {
            return self.violation(close::TOO_BIG, "a message of more than 64 KiB", sink);
        }
        let message = match serde_json::from_str::<Message<'_>>(text) {
            Ok(message) => message,
            Err(_) => {
                let unknown = serde_json::from_str::<Named<'_>>(text).is_ok_and(|named| !is_known(&named.event));
                if !unknown {
                    self.violation(close::MALFORMED, "a message that is not of the protocol", sink);
                }
                return;
            }
        };
        if !is_known(&message.event) {
            return;
        }
        if message.event == "start" {
            return match message.start {
                Some(start) => self.start(start, &message.stream_sid, sink),
                None => self.violation(close::MALFORMED, "a message without its contents", sink),
            };
        }
        match self.state {
            State::Waiting => self.violation(close::PROTOCOL, "a message before start", sink),
            State::Streaming => self.streamed(message, sink),
            State::Over => {}
        }
    }

    fn on_binary(&mut self, _bytes: &[u8], sink: &mut MediaSink) {
        if self.state != State::Over {
            self.violation(close::UNSUPPORTED, "a binary message", sink);
        }
    }

    fn on_command(&mut self, command: MediaCommand<'_>, out: &mut Vec<Wire>) {
        if self.state != State::Streaming {
            return;
        }
        match command {
            MediaCommand::Audio(pcm) => {
                self.bytes.clear();
                self.bytes.extend(pcm.iter().map(|sample| encode_ulaw(*sample)));
                let mut text = String::with_capacity(self.media_head.len() + self.bytes.len().div_ceil(3) * 4 + 3);
                text.push_str(&self.media_head);
                BASE64.encode_string(&self.bytes, &mut text);
                text.push_str("\"}}");
                out.push(Wire::Text(text));
            }
            MediaCommand::Mark(mark) => {
                self.marks.sent(mark);
                let sid = json(&self.stream_sid);
                out.push(Wire::Text(format!(
                    r#"{{"event":"mark","streamSid":{sid},"mark":{{"name":"{MARK_PREFIX}{mark}"}}}}"#
                )));
            }
            MediaCommand::Clear => {
                self.marks.clear();
                let sid = json(&self.stream_sid);
                out.push(Wire::Text(format!(r#"{{"event":"clear","streamSid":{sid}}}"#)));
            }
            MediaCommand::Live(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_audio_is_parsed_without_a_copy_of_its_text() {
        let text = r#"{"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":"1","timestamp":"5","payload":"//8="},"streamSid":"MZ1"}"#;
        let message: Message<'_> = serde_json::from_str(text).expect("valid");
        let media = message.media.expect("audio");
        for text in [message.event, message.stream_sid, message.sequence_number, media.track, media.payload] {
            assert!(matches!(text, Cow::Borrowed(_)), "{text} was copied");
        }
    }
}
