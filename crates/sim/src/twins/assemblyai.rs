//! A twin of AssemblyAI's streaming recognition (`/v3/ws`).

use super::Twin;
use super::recogniser::{self, Asked, Behaviour, Dialect, Ear, Flow, Format, Heard, Mouth, Refusal, Spoken, words};
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    recogniser::start::<Streaming>("/v3/ws", behaviour).await
}

/// Audio of one message, in milliseconds.
const MESSAGE_MS: std::ops::RangeInclusive<u64> = 50..=1_000;
const HEARTBEAT_EVERY_MS: u64 = 1_000;

struct Streaming {
    formats_later: bool,
    heartbeat: bool,
    beat_ms: u64,
    turn: u64,
}

impl Streaming {
    fn turn(&self, spoken: &Spoken, end: bool, formatted: bool) -> Value {
        let text = if formatted { spoken.text.clone() } else { bare(&spoken.text) };
        let shown = Spoken { text: text.clone(), ..spoken.clone() };
        let words: Vec<Value> = words(&shown)
            .into_iter()
            .map(|(text, start, end)| json!({"start": start, "end": end, "confidence": 0.99, "text": text, "word_is_final": true}))
            .collect();
        json!({"type": "Turn", "turn_order": self.turn, "turn_is_formatted": formatted, "end_of_turn": end,
            "transcript": text, "end_of_turn_confidence": if end { 1.0 } else { 0.1 }, "words": words})
    }

    fn end_turn(&mut self, spoken: &Spoken, mouth: &mut Mouth<'_>) {
        if self.formats_later {
            mouth.last(self.turn(spoken, true, false));
        }
        mouth.last(self.turn(spoken, true, true));
        self.turn += 1;
    }
}

/// Words as they are before they are formatted.
fn bare(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '\'')).collect()
}

fn error(code: u16, why: &str) -> Value {
    json!({"type": "Error", "error_code": code, "error": why})
}

impl Dialect for Streaming {
    fn open(asked: &Asked<'_>) -> Result<(Self, Format), Refusal> {
        if asked.header("authorization") != asked.key {
            return Err((401, Self::refusal(401)));
        }
        let bad = |why: &str| Err((400, json!({"error": why})));
        let Some(model) = asked.get("speech_model").filter(|model| !model.is_empty()) else {
            return bad("speech_model is required");
        };
        let rate_hz = asked.number("sample_rate").and_then(|rate| u32::try_from(rate).ok()).unwrap_or(0);
        let mulaw = asked.get("encoding") == Some("pcm_mulaw");
        if rate_hz < 8_000 || !(mulaw || matches!(asked.get("encoding"), None | Some("pcm_s16le"))) {
            return bad("audio is pcm_s16le or pcm_mulaw with a sample_rate");
        }
        for list in ["keyterms_prompt", "language_codes"] {
            if asked.get(list).is_some_and(|text| serde_json::from_str::<Vec<String>>(text).is_err()) {
                return bad("a list is written as JSON");
            }
        }
        let formats_later = model.starts_with("universal-streaming") && asked.flag("format_turns");
        let heartbeat = asked.flag("session_heartbeat");
        Ok((Self { formats_later, heartbeat, beat_ms: 0, turn: 0 }, Format { mulaw, rate_hz }))
    }

    fn greet(&mut self, mouth: &mut Mouth<'_>) {
        mouth.now(json!({"type": "Begin", "id": "00000000-0000-4000-8000-000000000003", "expires_at": 1_893_456_000}));
    }

    fn on_binary(&mut self, bytes: &[u8], ear: &mut Ear, mouth: &mut Mouth<'_>) -> Flow {
        if !MESSAGE_MS.contains(&ear.ms(bytes.len())) {
            mouth.now(error(3007, "Input Duration Violation: expected between 50 and 1000 ms"));
            return Flow::Close(3007, "Input Duration Violation");
        }
        for heard in ear.listen(bytes) {
            match heard {
                Heard::Began => mouth.partial(json!({"type": "SpeechStarted", "timestamp": ear.heard_ms()})),
                Heard::Words(text) => {
                    let spoken = Spoken { text, from_ms: ear.heard_ms(), to_ms: ear.heard_ms() };
                    mouth.partial(self.turn(&spoken, false, false));
                }
                Heard::Ended(spoken) => self.end_turn(&spoken, mouth),
            }
        }
        if self.heartbeat && ear.heard_ms() >= self.beat_ms + HEARTBEAT_EVERY_MS {
            self.beat_ms = ear.heard_ms();
            mouth.now(json!({"type": "Heartbeat", "total_audio_received_ms": ear.heard_ms(),
                "total_duration_ms": ear.heard_ms(), "realtime_factor": 0.4, "max_speech_probability": 0.1}));
        }
        Flow::Go
    }

    fn on_text(&mut self, text: &str, ear: &mut Ear, mouth: &mut Mouth<'_>) -> Flow {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        match message["type"].as_str() {
            Some("KeepAlive" | "UpdateConfiguration") => {}
            Some("ForceEndpoint") => {
                if let Some(spoken) = ear.finish() {
                    self.end_turn(&spoken, mouth);
                }
            }
            Some("Terminate") => {
                if let Some(spoken) = ear.finish() {
                    self.end_turn(&spoken, mouth);
                }
                let secs = ear.heard_ms() as f64 / 1_000.0;
                mouth.last(json!({"type": "Termination", "audio_duration_seconds": secs.round(),
                    "session_duration_seconds": secs.round()}));
                return Flow::Close(1000, "");
            }
            _ => {
                mouth.now(error(3006, "Invalid Message Type"));
                return Flow::Close(3006, "Invalid Message Type");
            }
        }
        Flow::Go
    }

    fn refusal(status: u16) -> Value {
        json!({"error": if status == 401 { "Unauthorized connection" } else { "As the test wishes." }})
    }

    fn failure(_status: u16) -> Option<String> {
        Some(error(3005, "Server Error").to_string())
    }
}
