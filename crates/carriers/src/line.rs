//! What the media sockets of platforms have in common: a start, then audio, keys and marks, and an end. A platform's own
//! file says how each is written, as a [`Dialect`].

use crate::marks::PendingMarks;
use crate::protocol::{MediaCommand, MediaEvent, MediaProtocol, MediaSink, MediaStart};
use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};
use base::limits::MEDIA_MESSAGE_BYTES_MAX;
use base::wire::Wire;
use base::{MarkId, Pii};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const MARK_PREFIX: &str = "m";

/// Close codes of RFC 6455, section 7.4.1.
pub(crate) mod close {
    pub(crate) const PROTOCOL: u16 = 1002;
    pub(crate) const UNSUPPORTED: u16 = 1003;
    pub(crate) const MALFORMED: u16 = 1007;
    pub(crate) const POLICY: u16 = 1008;
    pub(crate) const TOO_BIG: u16 = 1009;
}

/// A message that the protocol does not allow: the close code, and one line for the operator.
pub(crate) type Broken = (u16, &'static str);

/// A message that is not of the protocol.
pub(crate) const NOT_OF_THE_PROTOCOL: Broken = (close::MALFORMED, "a message that is not of the protocol");
/// A message that lacks what it is about.
pub(crate) const WITHOUT_CONTENTS: Broken = (close::MALFORMED, "a message without its contents");

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// G.711 µ-law.
    Ulaw,
    /// G.711 A-law.
    Alaw,
    /// 16-bit, least significant byte first.
    Little,
    /// 16-bit, most significant byte first.
    Big,
}

impl Codec {
    /// Appends the samples; `false` when there is half a sample.
    fn decode(self, bytes: &[u8], pcm: &mut Vec<i16>) -> bool {
        match self {
            Self::Ulaw => pcm.extend(bytes.iter().map(|byte| decode_ulaw(*byte))),
            Self::Alaw => pcm.extend(bytes.iter().map(|byte| decode_alaw(*byte))),
            Self::Little | Self::Big if !bytes.len().is_multiple_of(2) => return false,
            Self::Little => pcm.extend(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]))),
            Self::Big => pcm.extend(bytes.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]]))),
        }
        true
    }

    fn encode(self, pcm: &[i16], bytes: &mut Vec<u8>) {
        match self {
            Self::Ulaw => bytes.extend(pcm.iter().map(|sample| encode_ulaw(*sample))),
            Self::Alaw => bytes.extend(pcm.iter().map(|sample| encode_alaw(*sample))),
            Self::Little => bytes.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes())),
            Self::Big => bytes.extend(pcm.iter().flat_map(|sample| sample.to_be_bytes())),
        }
    }
}

/// How a stream began.
#[derive(Debug)]
pub(crate) struct Opening {
    /// What the call learns of it.
    pub(crate) start: MediaStart,
    /// How the platform writes samples.
    pub(crate) from_platform: Codec,
    /// How it wants to read them.
    pub(crate) to_platform: Codec,
    /// Both ways.
    pub(crate) rate_hz: u32,
}

/// One message of the platform.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// The stream begins.
    Start(Box<Opening>),
    /// Audio in base64, with its place among the messages where the platform says it.
    Audio(Cow<'a, str>, Option<u64>),
    /// A key was pressed.
    Key(Cow<'a, str>),
    /// The name of a mark.
    Mark(Cow<'a, str>),
    /// Somebody typed this.
    Typed(&'a str),
    /// The stream is over.
    Stop,
    /// Nothing we need.
    Nothing,
}

/// How one platform writes its media socket. It remembers what the start said of its stream.
pub(crate) trait Dialect: fmt::Debug + Default + Send {
    /// The rate before the start says another.
    const RATE_HZ: u32;
    /// Whether audio comes in binary messages, and goes out in them.
    const IS_BINARY: bool = false;
    /// Frames that one message may hold.
    const MESSAGE_FRAMES_MAX: usize = 1;

    /// Bytes of 16-bit samples that a piece of audio has at least; zero where a frame is enough.
    const PIECE_BYTES_MIN: usize = 0;

    /// Reads one message.
    fn read<'a>(&mut self, text: &'a str) -> Result<Heard<'a>, Broken>;
    /// Writes one frame that is encoded already.
    fn audio(&mut self, bytes: &[u8], out: &mut Vec<Wire>);
    /// Asks to be told when everything before this was played.
    fn mark(&mut self, name: &str, out: &mut Vec<Wire>);
    /// Throws away what was not played.
    fn clear(&mut self, out: &mut Vec<Wire>);
    /// Whether it presses keys by a message.
    const TAKES_KEYS: bool = false;
    /// Presses keys, where it does.
    fn keys(&mut self, _keys: &str, _out: &mut Vec<Wire>) {}
    /// Shows what happens in the call, as JSON, where somebody would see it.
    fn live(&mut self, _event: &str, _out: &mut Vec<Wire>) {}
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Streaming,
    Over,
}

/// The audio of one media socket.
#[derive(Debug)]
pub struct Line<D> {
    dialect: D,
    state: State,
    rate_hz: u32,
    from_platform: Codec,
    to_platform: Codec,
    last_order: u64,
    marks: PendingMarks,
    bytes: Vec<u8>,
}

#[expect(private_bounds, reason = "a dialect is the platform's own")]
impl<D: Dialect> Line<D> {
    /// A socket that has said nothing yet.
    pub fn new() -> Self {
        Self {
            dialect: D::default(),
            state: State::Waiting,
            rate_hz: D::RATE_HZ,
            from_platform: Codec::Little,
            to_platform: Codec::Little,
            last_order: 0,
            marks: PendingMarks::default(),
            bytes: Vec::new(),
        }
    }

    /// Whether the stream has begun, or broken off before it did.
    pub(crate) fn has_begun(&self) -> bool {
        self.state != State::Waiting
    }

    fn violation(&mut self, (code, why): Broken, sink: &mut MediaSink) {
        self.state = State::Over;
        sink.events.push(MediaEvent::Violation { code, why });
    }

    fn start(&mut self, opening: Opening, sink: &mut MediaSink) {
        if self.state == State::Streaming {
            return self.violation((close::PROTOCOL, "second start"), sink);
        }
        self.state = State::Streaming;
        self.rate_hz = opening.rate_hz;
        (self.from_platform, self.to_platform) = (opening.from_platform, opening.to_platform);
        sink.events.push(MediaEvent::Started(opening.start));
    }

    fn heard(&mut self, heard: Heard<'_>, sink: &mut MediaSink) {
        match heard {
            Heard::Audio(payload, order) => self.audio(&payload, order, sink),
            Heard::Key(text) => {
                let mut keys = text.chars();
                if let (Some(key @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) = (keys.next(), keys.next()) {
                    sink.events.push(MediaEvent::Dtmf(Pii::new(key)));
                }
            }
            Heard::Mark(name) => {
                let id = name.strip_prefix(MARK_PREFIX).and_then(|digits| digits.parse().ok()).map(MarkId);
                if let Some(id) = id.filter(|id| self.marks.echoed(*id)) {
                    sink.events.push(MediaEvent::Mark(id));
                }
            }
            Heard::Typed(text) => sink.events.push(MediaEvent::Typed(text.into())),
            Heard::Stop => {
                self.state = State::Over;
                sink.events.push(MediaEvent::Stopped);
            }
            Heard::Start(_) | Heard::Nothing => {}
        }
    }

    fn audio(&mut self, payload: &str, order: Option<u64>, sink: &mut MediaSink) {
        if let Some(order) = order {
            if order < self.last_order {
                sink.frames_dropped += 1;
                return;
            }
            self.last_order = order;
        }
        self.bytes.clear();
        if BASE64.decode_vec(payload, &mut self.bytes).is_err() {
            return self.violation((close::MALFORMED, "the audio is not base64"), sink);
        }
        if !self.from_platform.decode(&self.bytes, &mut sink.pcm) {
            self.violation((close::MALFORMED, "half a sample"), sink);
        }
    }
}

impl<D: Dialect> MediaProtocol for Line<D> {
    fn sample_rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn message_frames_max(&self) -> usize {
        D::MESSAGE_FRAMES_MAX
    }

    fn mark_frames_min(&self) -> u32 {
        let frame_bytes = self.frame_samples() * 2;
        u32::try_from(D::PIECE_BYTES_MIN.div_ceil(frame_bytes.max(1)).max(1)).unwrap_or(1)
    }

    fn takes_keys(&self) -> bool {
        D::TAKES_KEYS
    }

    fn on_text(&mut self, text: &str, sink: &mut MediaSink) {
        if self.state == State::Over {
            return;
        }
        if text.len() > MEDIA_MESSAGE_BYTES_MAX {
            return self.violation((close::TOO_BIG, "a message of more than 64 KiB"), sink);
        }
        match self.dialect.read(text) {
            Err(broken) => self.violation(broken, sink),
            Ok(Heard::Nothing) => {}
            Ok(Heard::Start(opening)) => self.start(*opening, sink),
            Ok(_) if self.state == State::Waiting => {
                self.violation((close::PROTOCOL, "a message before start"), sink);
            }
            Ok(heard) => self.heard(heard, sink),
        }
    }

    fn on_binary(&mut self, bytes: &[u8], sink: &mut MediaSink) {
        match self.state {
            State::Over => {}
            _ if !D::IS_BINARY => self.violation((close::UNSUPPORTED, "a binary message"), sink),
            State::Waiting => self.violation((close::PROTOCOL, "audio before start"), sink),
            State::Streaming if bytes.len() > MEDIA_MESSAGE_BYTES_MAX => {
                self.violation((close::TOO_BIG, "a message of more than 64 KiB"), sink);
            }
            State::Streaming => {
                if !self.from_platform.decode(bytes, &mut sink.pcm) {
                    self.violation((close::MALFORMED, "half a sample"), sink);
                }
            }
        }
    }

    fn on_command(&mut self, command: MediaCommand<'_>, out: &mut Vec<Wire>) {
        if self.state != State::Streaming {
            return;
        }
        match command {
            MediaCommand::Audio(pcm) => {
                self.bytes.clear();
                self.to_platform.encode(pcm, &mut self.bytes);
                self.dialect.audio(&self.bytes, out);
            }
            MediaCommand::Mark(mark) => {
                self.marks.sent(mark);
                self.dialect.mark(&format!("{MARK_PREFIX}{mark}"), out);
            }
            MediaCommand::Clear => {
                self.marks.clear();
                self.dialect.clear(out);
            }
            MediaCommand::Keys(keys) => self.dialect.keys(keys, out),
            MediaCommand::Live(event) => self.dialect.live(event, out),
            // This socket carries audio.
            MediaCommand::Say { .. } | MediaCommand::Language(_) | MediaCommand::Leave(_) => {}
        }
    }
}

/// A text message of `head`, the bytes in base64, and `tail`.
pub(crate) fn framed(head: &str, bytes: &[u8], tail: &str) -> Wire {
    let mut text = String::with_capacity(head.len() + bytes.len().div_ceil(3) * 4 + tail.len());
    text.push_str(head);
    BASE64.encode_string(bytes, &mut text);
    text.push_str(tail);
    Wire::Text(text)
}

/// A text as JSON writes it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number that platforms write as a number or as text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Number<'a> {
    Number(u64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

impl Number<'_> {
    pub(crate) fn value(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

/// Only the name of a message, for those whose other fields we do not know.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
}

/// Reads a message whose kind is its field `event`. `None` for one of another shape whose kind we do not know.
pub(crate) fn read<'a, M: Deserialize<'a>>(text: &'a str, known: &[&str]) -> Result<Option<M>, Broken> {
    match serde_json::from_str(text) {
        Ok(message) => Ok(Some(message)),
        Err(_) => match serde_json::from_str::<Named<'_>>(text) {
            Ok(named) if !known.contains(&&*named.event) => Ok(None),
            _ => Err(NOT_OF_THE_PROTOCOL),
        },
    }
}
