//! A twin of Sarvam's real-time recognition (`/speech-to-text-realtime/ws`).

use super::Twin;
use super::recogniser::{
    self, Asked, Behaviour, Dialect, Ear, Flow, Format, Heard, Mouth, Refusal, Spoken, from_base64,
};
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    recogniser::start::<Realtime>("/speech-to-text-realtime/ws", behaviour).await
}

struct Realtime {
    manual: bool,
    partials: bool,
    in_turn: bool,
    utterance: u64,
    config: Value,
}

const REQUEST_ID: &str = "20261121_00000000-0000-4000-8000-000000000004";

impl Realtime {
    fn last(&mut self, spoken: &Spoken, mouth: &mut Mouth<'_>) {
        let mut last = json!({"event": "transcript.final", "utterance_idx": self.utterance, "text": spoken.text});
        if self.config["language_code"] == "auto" {
            last["language"] = json!("hi-IN");
            last["language_confidence"] = json!(0.98);
        }
        mouth.last(last);
        self.utterance += 1;
    }

    fn fatal(mouth: &mut Mouth<'_>, code: &str, status: u16) -> Flow {
        mouth.now(json!({"event": "error", "code": code, "is_fatal": true, "message": "no", "status_code": status}));
        Flow::Close(4000, "rejected")
    }

    fn on_audio(&mut self, bytes: &[u8], ear: &mut Ear, mouth: &mut Mouth<'_>) {
        for heard in ear.listen(bytes) {
            match heard {
                Heard::Began if !self.manual => {
                    let started =
                        json!({"event": "vad.speech_start", "utterance_idx": self.utterance, "confidence": 0.9});
                    mouth.partial(started);
                }
                Heard::Words(text) if self.partials => {
                    mouth
                        .partial(json!({"event": "transcript.partial", "utterance_idx": self.utterance, "text": text}));
                }
                Heard::Began | Heard::Words(_) => {}
                Heard::Ended(spoken) => {
                    let ended = json!({"event": "vad.speech_end", "utterance_idx": self.utterance, "confidence": 0.9});
                    mouth.partial(ended);
                    self.last(&spoken, mouth);
                }
            }
        }
    }
}

impl Dialect for Realtime {
    fn open(asked: &Asked<'_>) -> Result<(Self, Format), Refusal> {
        if asked.header("api-subscription-key") != asked.key {
            return Err((403, Self::refusal(403)));
        }
        let bad = |why: &str| Err((422, json!({"error": {"message": why, "code": "unprocessable_entity_error"}})));
        let Some(language) = asked.get("language_code").filter(|code| *code == "auto" || code.ends_with("-IN")) else {
            return bad("language_code is required");
        };
        let model = asked.get("model").unwrap_or("saaras:v3-realtime");
        if !model.starts_with("saaras:") {
            return bad("no such model");
        }
        if asked.get("keyterms").is_some_and(|terms| serde_json::from_str::<Vec<String>>(terms).is_err()) {
            return bad("keyterms is a JSON array");
        }
        let rate_hz = asked.number("sample_rate").and_then(|rate| u32::try_from(rate).ok()).unwrap_or(16_000);
        let encoding = asked.get("encoding").unwrap_or("linear16");
        if !matches!(rate_hz, 8_000 | 16_000) || !matches!(encoding, "linear16" | "mulaw") {
            return bad("audio is linear16 or mulaw at 8000 or 16000 Hz");
        }
        let manual = asked.get("endpointing") == Some("manual");
        let stream_type = asked.get("stream_type").unwrap_or("balanced");
        let config = json!({"model": model, "language_code": language, "encoding": encoding, "sample_rate": rate_hz,
            "stream_type": stream_type, "mode": asked.get("mode").unwrap_or("transcribe"),
            "turn_detection": if manual { "manual" } else { "vad" }, "threshold": 0.5, "prefix_padding_ms": 300,
            "silence_duration_ms": 500, "min_speech_duration_ms": 100, "return_timestamps": false});
        let partials = stream_type != "simulated";
        let realtime = Self { manual, partials, in_turn: false, utterance: 0, config };
        Ok((realtime, Format { mulaw: encoding == "mulaw", rate_hz }))
    }

    fn greet(&mut self, mouth: &mut Mouth<'_>) {
        mouth.now(json!({"event": "session.begin", "request_id": REQUEST_ID, "config": self.config}));
    }

    fn on_text(&mut self, text: &str, ear: &mut Ear, mouth: &mut Mouth<'_>) -> Flow {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        if self.manual {
            ear.set_silence_ms(None);
        }
        match message["event"].as_str() {
            Some("audio_input") => {
                let audio = from_base64(&message["audio"]);
                if audio.is_empty() {
                    return Self::fatal(mouth, "invalid_request_error", 400);
                }
                // Audio between turns that the client delimits belongs to none.
                if !self.manual || self.in_turn {
                    self.on_audio(&audio, ear, mouth);
                }
            }
            Some("speech_start") if self.manual => self.in_turn = true,
            Some("speech_end" | "flush") if self.manual => {
                self.in_turn = false;
                let spoken = ear.finish().unwrap_or_default();
                self.last(&spoken, mouth);
            }
            Some("config.update") => mouth.now(json!({"event": "config.updated", "applied": ["mode"]})),
            Some("ping") => mouth.now(json!({"event": "pong"})),
            Some("end") => {
                if let Some(spoken) = ear.finish() {
                    self.last(&spoken, mouth);
                }
                let secs = ear.heard_ms() as f64 / 1_000.0;
                mouth.last(json!({"event": "session.end", "request_id": REQUEST_ID, "total_duration_s": secs,
                    "total_utterances": self.utterance, "audio_duration_s": secs}));
                return Flow::Close(1000, "");
            }
            _ => return Self::fatal(mouth, "invalid_request_error", 400),
        }
        Flow::Go
    }

    fn refusal(status: u16) -> Value {
        let code = match status {
            401 | 403 => "invalid_api_key_error",
            429 => "rate_limit_exceeded_error",
            400..=499 => "invalid_request_error",
            _ => "internal_server_error",
        };
        json!({"error": {"request_id": REQUEST_ID, "message": "As the test wishes.", "code": code}})
    }

    fn failure(status: u16) -> Option<String> {
        let error = json!({"event": "error", "code": "internal_server_error", "is_fatal": true,
            "message": "fault", "status_code": status});
        Some(error.to_string())
    }
}
