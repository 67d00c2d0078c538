//! The Voicebot applet's stream: JSON text messages with base64 of 16-bit samples, in pieces of at least 3,200 bytes.
//! Source: developer.exotel.com (AgentStream, bidirectional streaming) and the platform's published samples.

use crate::line::{
    self, Broken, Codec, Dialect, Heard, Line, Number, Opening, WITHOUT_CONTENTS, close, framed, quoted,
};
use crate::protocol::MediaStart;
use base::wire::Wire;
use serde::Deserialize;
use std::borrow::Cow;

/// A piece of audio is a multiple of this, or pauses are heard in it.
const UNIT_BYTES: usize = 320;
/// And at least this much: 200 ms at 8000 Hz.
const PIECE_BYTES_MIN: usize = 3_200;
const KNOWN: &[&str] = &["start", "media", "dtmf", "mark", "stop"];

/// The audio of one media socket.
pub type ExotelMedia = Line<Messages>;

/// The messages of a stream.
#[derive(Debug, Default)]
pub struct Messages {
    stream_sid: String,
    rate_hz: u32,
    pending: Vec<u8>,
    chunk: u64,
    sent_bytes: u64,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    start: Option<Start<'a>>,
    #[serde(borrow, default)]
    media: Option<Media<'a>>,
    #[serde(borrow, default)]
    dtmf: Option<Dtmf<'a>>,
    #[serde(borrow, default)]
    mark: Option<Mark<'a>>,
}

/// Both spellings are in use.
#[derive(Deserialize)]
struct Start<'a> {
    #[serde(alias = "streamSid")]
    stream_sid: String,
    #[serde(alias = "callSid")]
    call_sid: String,
    #[serde(default, alias = "customParameters")]
    custom_parameters: Parameters,
    #[serde(borrow, default, alias = "mediaFormat")]
    media_format: Format<'a>,
}

#[derive(Default, Deserialize)]
struct Parameters {
    token: Option<String>,
}

#[derive(Default, Deserialize)]
struct Format<'a> {
    #[serde(borrow, default, alias = "sampleRate")]
    sample_rate: Option<Number<'a>>,
}

#[derive(Deserialize)]
struct Media<'a> {
    #[serde(borrow, default)]
    chunk: Option<Number<'a>>,
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

impl Messages {
    fn start(&mut self, start: Start<'_>) -> Result<Opening, Broken> {
        // The encoding that the platform tells is base64; the samples are always 16-bit.
        let rate_hz = start.media_format.sample_rate.map_or(Some(8_000), |rate| rate.value());
        let rate_hz =
            rate_hz.and_then(|rate| u32::try_from(rate).ok()).filter(|rate| [8_000, 16_000, 24_000].contains(rate));
        let Some(rate_hz) = rate_hz else {
            return Err((close::UNSUPPORTED, "the audio is not at 8000, 16000 or 24000 Hz"));
        };
        self.rate_hz = rate_hz;
        self.stream_sid.clone_from(&start.stream_sid);
        let start = MediaStart {
            carrier_ref: Some(start.call_sid),
            stream_ref: Some(start.stream_sid),
            token: start.custom_parameters.token,
            ..MediaStart::default()
        };
        Ok(Opening { start, from_platform: Codec::Little, to_platform: Codec::Little, rate_hz })
    }

    /// Sends what is pending, with silence up to a piece that the platform plays without a pause.
    fn flush(&mut self, out: &mut Vec<Wire>) {
        if self.pending.is_empty() {
            return;
        }
        let whole = self.pending.len().next_multiple_of(UNIT_BYTES).max(PIECE_BYTES_MIN);
        self.pending.resize(whole, 0);
        self.chunk += 1;
        let played_ms = self.sent_bytes / 2 * 1000 / u64::from(self.rate_hz.max(1));
        self.sent_bytes += whole as u64;
        let (sid, chunk) = (quoted(&self.stream_sid), self.chunk);
        // Some streams go by one spelling of the id and some by the other, and end early without the counters.
        let head = format!(
            r#"{{"event":"media","stream_sid":{sid},"streamSid":{sid},"sequenceNumber":"{chunk}","media":{{"chunk":"{chunk}","timestamp":"{played_ms}","payload":""#
        );
        out.push(framed(&head, &self.pending, r#""}}"#));
        self.pending.clear();
    }
}

impl Dialect for Messages {
    const RATE_HZ: u32 = 8_000;
    const PIECE_BYTES_MIN: usize = PIECE_BYTES_MIN;

    fn read<'a>(&mut self, text: &'a str) -> Result<Heard<'a>, Broken> {
        let Some(message) = line::read::<Message<'a>>(text, KNOWN)? else { return Ok(Heard::Nothing) };
        match &*message.event {
            "start" if !self.stream_sid.is_empty() => Err((close::PROTOCOL, "second start")),
            "start" => Ok(Heard::Start(Box::new(self.start(message.start.ok_or(WITHOUT_CONTENTS)?)?))),
            "media" => {
                let media = message.media.ok_or(WITHOUT_CONTENTS)?;
                Ok(Heard::Audio(media.payload, media.chunk.and_then(|chunk| chunk.value())))
            }
            "dtmf" => Ok(Heard::Key(message.dtmf.ok_or(WITHOUT_CONTENTS)?.digit)),
            "mark" => Ok(Heard::Mark(message.mark.ok_or(WITHOUT_CONTENTS)?.name)),
            "stop" => Ok(Heard::Stop),
            _ => Ok(Heard::Nothing),
        }
    }

    fn audio(&mut self, bytes: &[u8], out: &mut Vec<Wire>) {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PIECE_BYTES_MIN {
            self.flush(out);
        }
    }

    fn mark(&mut self, name: &str, out: &mut Vec<Wire>) {
        self.flush(out);
        let sid = quoted(&self.stream_sid);
        let ids = format!(r#""stream_sid":{sid},"streamSid":{sid}"#);
        out.push(Wire::Text(format!(r#"{{"event":"mark",{ids},"mark":{{"name":"{name}"}}}}"#)));
    }

    fn clear(&mut self, out: &mut Vec<Wire>) {
        self.pending.clear();
        let sid = quoted(&self.stream_sid);
        out.push(Wire::Text(format!(r#"{{"event":"clear","stream_sid":{sid},"streamSid":{sid}}}"#)));
    }
}
