//! Media streaming in RTP mode: JSON text messages with base64 payloads of the leg's codec.
//! Source: developers.telnyx.com/docs/voice/programmable-voice/media-streaming.

use super::token_of;
use crate::line::{self, Broken, Codec, Dialect, Heard, Line, Number, Opening, WITHOUT_CONTENTS, close, framed};
use crate::protocol::MediaStart;
use base::wire::Wire;
use serde::Deserialize;
use std::borrow::Cow;

const RATE_HZ: u32 = 8_000;
const KNOWN: &[&str] = &["start", "media", "dtmf", "mark", "stop"];

/// The audio of one media socket.
pub type TelnyxMedia = Line<Messages>;

/// The messages of a stream.
#[derive(Debug, Default)]
pub struct Messages;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(default)]
    stream_id: Option<Cow<'a, str>>,
    #[serde(default)]
    start: Option<Start>,
    #[serde(borrow, default)]
    media: Option<Media<'a>>,
    #[serde(borrow, default)]
    dtmf: Option<Dtmf<'a>>,
    #[serde(borrow, default)]
    mark: Option<Mark<'a>>,
}

#[derive(Deserialize)]
struct Start {
    call_control_id: String,
    #[serde(default)]
    client_state: Option<String>,
    media_format: Format,
}

#[derive(Deserialize)]
struct Format {
    encoding: String,
    sample_rate: u32,
    #[serde(default = "one")]
    channels: u32,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
struct Media<'a> {
    #[serde(borrow, default)]
    track: Cow<'a, str>,
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

/// The platform brings the codec that the leg negotiated, whatever we would like; what it takes is what we asked for.
fn opening(start: Start, stream_ref: Option<String>) -> Result<Opening, Broken> {
    let from_platform = match &*start.media_format.encoding {
        "PCMU" => Codec::Ulaw,
        "PCMA" => Codec::Alaw,
        // Network byte order, as in RFC 3551.
        "L16" => Codec::Big,
        _ => return Err((close::UNSUPPORTED, "the encoding is none of PCMU, PCMA and L16")),
    };
    if start.media_format.sample_rate != RATE_HZ || start.media_format.channels != 1 {
        return Err((close::UNSUPPORTED, "the audio is not 8000 Hz with one channel"));
    }
    let token = start.client_state.as_deref().and_then(token_of);
    let carrier_ref = Some(start.call_control_id);
    let start = MediaStart { carrier_ref, stream_ref, token, ..MediaStart::default() };
    Ok(Opening { start, from_platform, to_platform: Codec::Ulaw, rate_hz: RATE_HZ })
}

impl Dialect for Messages {
    const RATE_HZ: u32 = RATE_HZ;

    fn read<'a>(&mut self, text: &'a str) -> Result<Heard<'a>, Broken> {
        let Some(message) = line::read::<Message<'a>>(text, KNOWN)? else { return Ok(Heard::Nothing) };
        match &*message.event {
            "start" => {
                let start = message.start.ok_or(WITHOUT_CONTENTS)?;
                let opening = opening(start, message.stream_id.map(Cow::into_owned))?;
                Ok(Heard::Start(Box::new(opening)))
            }
            "media" => {
                let media = message.media.ok_or(WITHOUT_CONTENTS)?;
                let order = media.chunk.and_then(|chunk| chunk.value());
                let is_callers = matches!(&*media.track, "inbound" | "");
                Ok(if is_callers { Heard::Audio(media.payload, order) } else { Heard::Nothing })
            }
            "dtmf" => Ok(Heard::Key(message.dtmf.ok_or(WITHOUT_CONTENTS)?.digit)),
            "mark" => Ok(Heard::Mark(message.mark.ok_or(WITHOUT_CONTENTS)?.name)),
            "stop" => Ok(Heard::Stop),
            _ => Ok(Heard::Nothing),
        }
    }

    fn audio(&mut self, bytes: &[u8], out: &mut Vec<Wire>) {
        out.push(framed(r#"{"event":"media","media":{"payload":""#, bytes, r#""}}"#));
    }

    fn mark(&mut self, name: &str, out: &mut Vec<Wire>) {
        out.push(Wire::Text(format!(r#"{{"event":"mark","mark":{{"name":"{name}"}}}}"#)));
    }

    fn clear(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text(r#"{"event":"clear"}"#.to_owned()));
    }
}
