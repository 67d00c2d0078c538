//! Media Streams: JSON text messages with base64 µ-law at 8 kHz, both ways.
//! Source: twilio.com/docs/voice/media-streams/websocket-messages.

use crate::line::{self, Broken, Codec, Dialect, Heard, Line, Opening, WITHOUT_CONTENTS, close, framed, quoted};
use crate::protocol::MediaStart;
use base::wire::Wire;
use serde::Deserialize;
use std::borrow::Cow;

const RATE_HZ: u32 = 8000;
const KNOWN: &[&str] = &["start", "media", "mark", "dtmf", "stop"];

/// The audio of one media socket: 8 kHz µ-law in base64.
pub type TwilioStream = Line<Messages>;

/// The messages of a stream.
#[derive(Debug, Default)]
pub struct Messages {
    stream_sid: String,
    /// Everything of a media message before its payload.
    media_head: String,
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

impl Messages {
    fn start(&mut self, start: Start, outer_sid: &str) -> Result<Opening, Broken> {
        if start.media_format.encoding != "audio/x-mulaw" {
            return Err((close::UNSUPPORTED, "the encoding is not audio/x-mulaw"));
        }
        if start.media_format.sample_rate != RATE_HZ || start.media_format.channels != 1 {
            return Err((close::UNSUPPORTED, "the audio is not 8000 Hz with one channel"));
        }
        if start.stream_sid.is_empty() || start.call_sid.is_empty() {
            return Err((close::PROTOCOL, "start without the id of the stream or the call"));
        }
        if !outer_sid.is_empty() && outer_sid != start.stream_sid {
            return Err((close::POLICY, "start names two streams"));
        }
        self.media_head =
            format!(r#"{{"event":"media","streamSid":{},"media":{{"payload":""#, quoted(&start.stream_sid));
        self.stream_sid.clone_from(&start.stream_sid);
        let start = MediaStart {
            carrier_ref: Some(start.call_sid),
            stream_ref: Some(start.stream_sid),
            token: start.custom_parameters.token,
            ..MediaStart::default()
        };
        Ok(Opening { start, from_platform: Codec::Ulaw, to_platform: Codec::Ulaw, rate_hz: RATE_HZ })
    }
}

impl Dialect for Messages {
    /// A payload may have any length.
    const MESSAGE_FRAMES_MAX: usize = 5;
    const RATE_HZ: u32 = RATE_HZ;

    fn read<'a>(&mut self, text: &'a str) -> Result<Heard<'a>, Broken> {
        let Some(message) = line::read::<Message<'a>>(text, KNOWN)? else { return Ok(Heard::Nothing) };
        let is_other = ![message.stream_sid.as_ref(), ""].contains(&self.stream_sid.as_str());
        match &*message.event {
            "start" => {
                let start = message.start.ok_or(WITHOUT_CONTENTS)?;
                Ok(Heard::Start(Box::new(self.start(start, &message.stream_sid)?)))
            }
            event if KNOWN.contains(&event) && is_other && !message.stream_sid.is_empty() => {
                Err((close::POLICY, "a message of another stream"))
            }
            "media" => {
                let media = message.media.ok_or(WITHOUT_CONTENTS)?;
                let is_callers = matches!(&*media.track, "inbound" | "");
                let order = message.sequence_number.parse().ok();
                Ok(if is_callers { Heard::Audio(media.payload, order) } else { Heard::Nothing })
            }
            "mark" => Ok(Heard::Mark(message.mark.ok_or(WITHOUT_CONTENTS)?.name)),
            "dtmf" => Ok(Heard::Key(message.dtmf.ok_or(WITHOUT_CONTENTS)?.digit)),
            "stop" => Ok(Heard::Stop),
            _ => Ok(Heard::Nothing),
        }
    }

    fn audio(&mut self, bytes: &[u8], out: &mut Vec<Wire>) {
        out.push(framed(&self.media_head, bytes, r#""}}"#));
    }

    fn mark(&mut self, name: &str, out: &mut Vec<Wire>) {
        let sid = quoted(&self.stream_sid);
        out.push(Wire::Text(format!(r#"{{"event":"mark","streamSid":{sid},"mark":{{"name":"{name}"}}}}"#)));
    }

    fn clear(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text(format!(r#"{{"event":"clear","streamSid":{}}}"#, quoted(&self.stream_sid))));
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
