//! The platform's part of Media Streams.

use super::super::phone::{Broken, Frames, Told};
use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// The messages of one stream, in the platform's numbering.
pub(super) struct MediaStreams {
    pub(super) sid: String,
    pub(super) call_sid: String,
    pub(super) account_sid: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) sequence: u64,
    pub(super) chunk: u64,
}

impl MediaStreams {
    fn event(&mut self, mut event: Value) -> Message {
        self.sequence += 1;
        event["sequenceNumber"] = self.sequence.to_string().into();
        event["streamSid"] = self.sid.clone().into();
        Message::text(event.to_string())
    }

    fn message(&self, text: &str) -> Result<Told, String> {
        let message: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if message["streamSid"] != self.sid.as_str() {
            return Err("a message of another stream".to_owned());
        }
        match message["event"].as_str() {
            Some("media") => {
                let payload = message["media"]["payload"].as_str().ok_or("media without a payload")?;
                let bytes = STANDARD.decode(payload).map_err(|error| error.to_string())?;
                Ok(Told::Audio(bytes.iter().map(|byte| decode_ulaw(*byte)).collect()))
            }
            Some("mark") => {
                let name = message["mark"]["name"].as_str().ok_or("a mark without a name")?;
                Ok(Told::Mark(name.to_owned()))
            }
            Some("clear") => Ok(Told::Clear),
            other => Err(format!("event {other:?}")),
        }
    }
}

impl Frames for MediaStreams {
    fn id(&self) -> &str {
        &self.sid
    }

    fn rate_hz(&self) -> u32 {
        8_000
    }

    fn open(&mut self) -> Vec<Message> {
        let connected = json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}).to_string();
        let custom: Map<String, Value> =
            self.parameters.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let start = json!({
            "accountSid": self.account_sid, "streamSid": self.sid, "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": custom,
        });
        vec![Message::text(connected), self.event(json!({"event": "start", "start": start}))]
    }

    fn audio(&mut self, pcm: &[i16]) -> Option<Message> {
        let bytes: Vec<u8> = pcm.iter().map(|sample| encode_ulaw(*sample)).collect();
        self.chunk += 1;
        let timestamp = (self.chunk * 20).to_string();
        let media = json!({
            "track": "inbound", "chunk": self.chunk.to_string(), "timestamp": timestamp, "payload": STANDARD.encode(bytes),
        });
        Some(self.event(json!({"event": "media", "media": media})))
    }

    fn key(&mut self, key: char) -> Message {
        let dtmf = json!({"track": "inbound_track", "digit": key.to_string()});
        self.event(json!({"event": "dtmf", "dtmf": dtmf}))
    }

    fn played(&mut self, mark: &str) -> Message {
        self.event(json!({"event": "mark", "mark": {"name": mark}}))
    }

    fn cleared(&mut self, marks: &[String]) -> Vec<Message> {
        marks.iter().map(|mark| self.played(mark)).collect()
    }

    fn stop(&mut self) -> Option<Message> {
        let stop = json!({"accountSid": self.account_sid, "callSid": self.call_sid});
        Some(self.event(json!({"event": "stop", "stop": stop})))
    }

    fn read(&mut self, message: &Message) -> Result<Told, Broken> {
        let Message::Text(text) = message else {
            return Err((CloseCode::Unsupported, "31951: a binary message".to_owned()));
        };
        self.message(text).map_err(|why| (CloseCode::Protocol, format!("31951: {why}")))
    }
}
