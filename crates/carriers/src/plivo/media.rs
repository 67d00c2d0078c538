//! Audio streams: JSON text messages with base64 audio, checkpoints for marks.
//! Source: plivo.com/docs/voice/audio-streaming and the official stream library.

use super::unhex;
use crate::line::{
    self, Broken, Codec, Dialect, Heard, Line, Number, Opening, WITHOUT_CONTENTS, close, framed, quoted,
};
use crate::protocol::MediaStart;
use base::wire::Wire;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

const KNOWN: &[&str] = &["start", "media", "dtmf", "playedStream"];

/// The audio of one media socket.
pub type PlivoMedia = Line<Messages>;

/// The messages of a stream.
#[derive(Debug, Default)]
pub struct Messages {
    stream_id: String,
    /// Everything of an audio message before its payload.
    head: String,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default, rename = "streamId")]
    stream_id: Cow<'a, str>,
    #[serde(borrow, default, rename = "sequenceNumber")]
    sequence_number: Option<Number<'a>>,
    #[serde(default)]
    start: Option<Start>,
    /// What our answer asked for comes back as an object in text.
    #[serde(default)]
    extra_headers: Option<String>,
    #[serde(borrow, default)]
    media: Option<Media<'a>>,
    #[serde(borrow, default)]
    dtmf: Option<Dtmf<'a>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    call_id: String,
    stream_id: String,
    media_format: Format,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    encoding: String,
    sample_rate: u32,
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

impl Messages {
    fn start(&mut self, start: Start, extra: Option<&str>) -> Result<Opening, Broken> {
        let rate_hz = start.media_format.sample_rate;
        // The rate is sometimes told beside the name as well.
        let encoding = start.media_format.encoding.split(';').next().unwrap_or_default();
        let codec = match (encoding, rate_hz) {
            ("audio/x-mulaw", 8_000) => Codec::Ulaw,
            ("audio/x-l16", 8_000 | 16_000) => Codec::Little,
            _ => return Err((close::UNSUPPORTED, "the audio is neither µ-law at 8000 Hz nor L16 at 8000 or 16000 Hz")),
        };
        self.head = format!(
            r#"{{"event":"playAudio","media":{{"contentType":{},"sampleRate":{rate_hz},"payload":""#,
            quoted(encoding)
        );
        self.stream_id.clone_from(&start.stream_id);
        let extra: BTreeMap<String, String> =
            extra.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let named = |name: &str| {
            let own = extra.iter().find(|(key, _)| key.trim_start_matches("X-PH-").eq_ignore_ascii_case(name));
            own.and_then(|(_, value)| unhex(value))
        };
        let start = MediaStart {
            carrier_ref: Some(named("call").unwrap_or(start.call_id)),
            stream_ref: Some(start.stream_id),
            token: named("token"),
            ..MediaStart::default()
        };
        Ok(Opening { start, from_platform: codec, to_platform: codec, rate_hz })
    }
}

impl Dialect for Messages {
    const RATE_HZ: u32 = 8_000;

    fn read<'a>(&mut self, text: &'a str) -> Result<Heard<'a>, Broken> {
        let Some(message) = line::read::<Message<'a>>(text, KNOWN)? else { return Ok(Heard::Nothing) };
        let is_other = !message.stream_id.is_empty() && message.stream_id != self.stream_id;
        match &*message.event {
            "start" => {
                let start = message.start.ok_or(WITHOUT_CONTENTS)?;
                Ok(Heard::Start(Box::new(self.start(start, message.extra_headers.as_deref())?)))
            }
            "media" | "dtmf" | "playedStream" if is_other && !self.stream_id.is_empty() => {
                Err((close::POLICY, "a message of another stream"))
            }
            "media" => {
                let media = message.media.ok_or(WITHOUT_CONTENTS)?;
                let order = message.sequence_number.and_then(|number| number.value());
                let is_callers = matches!(&*media.track, "inbound" | "");
                Ok(if is_callers { Heard::Audio(media.payload, order) } else { Heard::Nothing })
            }
            "dtmf" => Ok(Heard::Key(message.dtmf.ok_or(WITHOUT_CONTENTS)?.digit)),
            "playedStream" => Ok(Heard::Mark(message.name.ok_or(WITHOUT_CONTENTS)?)),
            _ => Ok(Heard::Nothing),
        }
    }

    fn audio(&mut self, bytes: &[u8], out: &mut Vec<Wire>) {
        out.push(framed(&self.head, bytes, r#""}}"#));
    }

    fn mark(&mut self, name: &str, out: &mut Vec<Wire>) {
        let stream = quoted(&self.stream_id);
        out.push(Wire::Text(format!(r#"{{"event":"checkpoint","streamId":{stream},"name":"{name}"}}"#)));
    }

    fn clear(&mut self, out: &mut Vec<Wire>) {
        let stream = quoted(&self.stream_id);
        out.push(Wire::Text(format!(r#"{{"event":"clearAudio","streamId":{stream}}}"#)));
    }
}
