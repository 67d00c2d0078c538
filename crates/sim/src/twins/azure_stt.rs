//! A twin of Azure AI Speech recognition (`/speech/recognition/…/cognitiveservices/v1`).

use super::Twin;
use super::recogniser::{self, Asked, Behaviour, Dialect, Ear, Flow, Format, Heard, Mouth, Refusal, Spoken};
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    recogniser::start::<Usp>("/speech/recognition/{mode}/cognitiveservices/v1", behaviour).await
}

const TICKS_PER_MS: u64 = 10_000;

struct Usp {
    detailed: bool,
    request: String,
    /// What the client must have said before audio, in this order.
    configured: bool,
    contextual: bool,
    /// Whether the wave header of the request was read.
    has_format: bool,
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn is_request_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Usp {
    fn message(&self, path: &str, body: &Value) -> String {
        let request = &self.request;
        format!("X-RequestId:{request}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n{body}")
    }

    fn phrase(&self, spoken: &Spoken) -> String {
        let mut phrase = json!({"Id": "1", "RecognitionStatus": "Success", "DisplayText": spoken.text,
            "Offset": spoken.from_ms * TICKS_PER_MS, "Channel": 0,
            "Duration": spoken.to_ms.saturating_sub(spoken.from_ms) * TICKS_PER_MS});
        if spoken.text.is_empty() {
            phrase["RecognitionStatus"] = json!("NoMatch");
        } else if self.detailed {
            phrase["NBest"] = json!([{"Confidence": 0.9, "Lexical": spoken.text, "ITN": spoken.text,
                "MaskedITN": spoken.text, "Display": spoken.text}]);
        }
        self.message("speech.phrase", &phrase)
    }

    fn end_request(&mut self, ear: &mut Ear, mouth: &mut Mouth<'_>) {
        if let Some(spoken) = ear.finish() {
            let at = ear.heard_ms() * TICKS_PER_MS;
            mouth.partial(self.message("speech.endDetected", &json!({"Offset": at})));
            mouth.last(self.phrase(&spoken));
        }
        let end = json!({"Id": "2", "RecognitionStatus": "EndOfDictation", "Duration": 0,
            "Offset": ear.heard_ms() * TICKS_PER_MS});
        mouth.last(self.message("speech.phrase", &end));
        mouth.last(self.message("turn.end", &json!({})));
        (self.contextual, self.has_format) = (false, false);
    }
}

/// The format that a RIFF header announces.
fn format_of(wave: &[u8]) -> Option<Format> {
    let tag = u16::from_le_bytes(wave.get(20..22)?.try_into().ok()?);
    let rate_hz = u32::from_le_bytes(wave.get(24..28)?.try_into().ok()?);
    let is_wave = wave.starts_with(b"RIFF") && wave.get(8..12) == Some(b"WAVE");
    (is_wave && rate_hz >= 8_000 && matches!(tag, 1 | 7)).then_some(Format { mulaw: tag == 7, rate_hz })
}

impl Dialect for Usp {
    fn open(asked: &Asked<'_>) -> Result<(Self, Format), Refusal> {
        let name = "Ocp-Apim-Subscription-Key";
        if asked.header(name) != asked.key && asked.get(name) != Some(asked.key) {
            return Err((401, Self::refusal(401)));
        }
        if asked.get("language").is_none_or(str::is_empty) {
            return Err((400, json!({"error": {"code": "400", "message": "language is missing"}})));
        }
        let detailed = asked.get("format") == Some("detailed");
        let request = String::new();
        let usp = Self { detailed, request, configured: false, contextual: false, has_format: false };
        Ok((usp, Format { mulaw: false, rate_hz: 16_000 }))
    }

    fn on_text(&mut self, text: &str, _ear: &mut Ear, _mouth: &mut Mouth<'_>) -> Flow {
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return Flow::Close(1007, "Missing header") };
        let id = header(head, "X-RequestId").unwrap_or_default();
        if header(head, "X-Timestamp").is_none() {
            return Flow::Close(1007, "Missing header");
        }
        let is_json = serde_json::from_str::<Value>(body).is_ok();
        match header(head, "Path") {
            Some("speech.config") if is_json => self.configured = true,
            Some("speech.context") if is_json && self.configured && is_request_id(id) => {
                self.request = id.to_owned();
                self.contextual = true;
            }
            Some("telemetry") => {}
            _ => return Flow::Close(1007, "Unexpected message"),
        }
        Flow::Go
    }

    fn on_binary(&mut self, bytes: &[u8], ear: &mut Ear, mouth: &mut Mouth<'_>) -> Flow {
        let len = bytes.get(..2).map_or(usize::MAX, |len| usize::from(u16::from_be_bytes([len[0], len[1]])));
        let Some((head, payload)) = bytes.get(2..).and_then(|rest| rest.split_at_checked(len)) else {
            return Flow::Close(1007, "Header is longer than the message");
        };
        let head = String::from_utf8_lossy(head);
        let is_ours = header(&head, "X-RequestId").is_some_and(|id| id.eq_ignore_ascii_case(&self.request));
        if header(&head, "Path") != Some("audio") || !is_ours || !self.contextual {
            return Flow::Close(1007, "Unexpected audio");
        }
        if !self.has_format {
            let Some(format) = format_of(payload) else { return Flow::Close(1007, "No wave header") };
            if header(&head, "Content-Type") != Some("audio/x-wav") {
                return Flow::Close(1007, "No content type");
            }
            ear.set_format(format);
            self.has_format = true;
            mouth.now(self.message("turn.start", &json!({"context": {"serviceTag": "twin"}})));
            return Flow::Go;
        }
        if payload.is_empty() {
            self.end_request(ear, mouth);
            return Flow::Go;
        }
        for heard in ear.listen(payload) {
            let at = ear.heard_ms() * TICKS_PER_MS;
            match heard {
                Heard::Began => mouth.partial(self.message("speech.startDetected", &json!({"Offset": at}))),
                Heard::Words(text) => {
                    let words = json!({"Id": "1", "Text": text, "Offset": at, "Duration": 0, "Channel": 0});
                    mouth.partial(self.message("speech.hypothesis", &words));
                }
                Heard::Ended(spoken) => {
                    mouth.partial(self.message("speech.endDetected", &json!({"Offset": at})));
                    mouth.last(self.phrase(&spoken));
                }
            }
        }
        Flow::Go
    }

    fn refusal(status: u16) -> Value {
        json!({"error": {"code": status.to_string(), "message": "As the test wishes."}})
    }

    fn failure(_status: u16) -> Option<String> {
        None
    }
}
