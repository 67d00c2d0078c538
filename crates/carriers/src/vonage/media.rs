//! The WebSocket endpoint: binary frames of exactly 20 ms, 16-bit samples; JSON for everything else.
//! Source: developer.vonage.com/voice/voice-api/concepts/websockets.

use crate::line::{Broken, Codec, Dialect, Heard, Line, NOT_OF_THE_PROTOCOL, Opening, WITHOUT_CONTENTS, close};
use crate::protocol::MediaStart;
use base::wire::Wire;
use serde::Deserialize;
use std::borrow::Cow;

/// The rates that the endpoint speaks.
pub(super) const RATES_HZ: [u32; 3] = [8_000, 16_000, 24_000];

/// The audio of one media socket.
pub type VonageMedia = Line<Frames>;

/// The messages of the endpoint.
#[derive(Debug, Default)]
pub struct Frames {
    frame_bytes: usize,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default, rename = "content-type")]
    content_type: Cow<'a, str>,
    /// What our answer put into the headers comes back among the fields.
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    call: Option<String>,
    #[serde(borrow, default)]
    digit: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    payload: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default)]
    mark: Cow<'a, str>,
}

impl Frames {
    fn connected<'a>(&mut self, message: Message<'a>) -> Result<Heard<'a>, Broken> {
        let rate = message.content_type.strip_prefix("audio/l16;rate=").and_then(|rate| rate.trim().parse().ok());
        let Some(rate_hz) = rate.filter(|rate| RATES_HZ.contains(rate)) else {
            return Err((close::UNSUPPORTED, "the audio is not audio/l16 at 8000, 16000 or 24000 Hz"));
        };
        self.frame_bytes = rate_hz as usize / 50 * 2;
        let start = MediaStart { carrier_ref: message.call, token: message.token, ..MediaStart::default() };
        let (from_platform, to_platform) = (Codec::Little, Codec::Little);
        Ok(Heard::Start(Box::new(Opening { start, from_platform, to_platform, rate_hz })))
    }
}

impl Dialect for Frames {
    const RATE_HZ: u32 = 16_000;
    const IS_BINARY: bool = true;

    fn read<'a>(&mut self, text: &'a str) -> Result<Heard<'a>, Broken> {
        let message: Message<'a> = serde_json::from_str(text).map_err(|_| NOT_OF_THE_PROTOCOL)?;
        match &*message.event {
            "websocket:connected" => self.connected(message),
            "websocket:dtmf" => message.digit.map(Heard::Key).ok_or(WITHOUT_CONTENTS),
            "websocket:notify" => Ok(message.payload.map_or(Heard::Nothing, |payload| Heard::Mark(payload.mark))),
            _ => Ok(Heard::Nothing),
        }
    }

    /// Any other length than that of a frame makes the platform stop listening.
    fn audio(&mut self, bytes: &[u8], out: &mut Vec<Wire>) {
        for frame in bytes.chunks(self.frame_bytes.max(1)) {
            let mut frame = frame.to_vec();
            frame.resize(self.frame_bytes, 0);
            out.push(Wire::Binary(frame));
        }
    }

    fn mark(&mut self, name: &str, out: &mut Vec<Wire>) {
        out.push(Wire::Text(format!(r#"{{"action":"notify","payload":{{"mark":"{name}"}}}}"#)));
    }

    fn clear(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text(r#"{"action":"clear"}"#.to_owned()));
    }
}
