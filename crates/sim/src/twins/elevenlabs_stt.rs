//! A twin of ElevenLabs' real-time recognition (`/v1/speech-to-text/realtime`).

use super::Twin;
use super::recogniser::{
    self, Asked, Behaviour, Dialect, Ear, Flow, Format, Heard, Mouth, Refusal, Spoken, from_base64,
};
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    recogniser::start::<Scribe>("/v1/speech-to-text/realtime", behaviour).await
}

/// Audio that a commit must have behind it.
const COMMIT_MS_MIN: u64 = 300;

struct Scribe {
    manual: bool,
    committed_ms: u64,
    config: Value,
}

impl Scribe {
    fn commit(&mut self, spoken: &Spoken, ear: &Ear, mouth: &mut Mouth<'_>) {
        self.committed_ms = ear.heard_ms();
        mouth.last(json!({"message_type": "committed_transcript", "text": spoken.text}));
    }
}

impl Dialect for Scribe {
    fn open(asked: &Asked<'_>) -> Result<(Self, Format), Refusal> {
        if asked.header("xi-api-key") != asked.key {
            return Err((401, Self::refusal(401)));
        }
        let bad = |why: &str| Err((400, json!({"detail": {"status": "invalid_request", "message": why}})));
        let model = asked.get("model_id").unwrap_or_default();
        if !model.starts_with("scribe_") {
            return bad("no such model");
        }
        if asked.get("language_code").is_some_and(|code| code.contains('-')) {
            return bad("a language has no region");
        }
        let (mulaw, rate) = match asked.get("audio_format").unwrap_or("pcm_16000").split_once('_') {
            Some(("pcm", rate)) => (false, rate),
            Some(("ulaw", "8000")) => (true, "8000"),
            _ => return bad("no such audio_format"),
        };
        let Some(rate_hz) = rate.parse().ok().filter(|rate| *rate >= 8_000) else { return bad("no such audio_format") };
        let strategy = asked.get("commit_strategy").unwrap_or("manual");
        let config = json!({"sample_rate": rate_hz, "audio_format": asked.get("audio_format").unwrap_or("pcm_16000"),
            "language_code": asked.get("language_code"), "model_id": model, "commit_strategy": strategy});
        Ok((Self { manual: strategy == "manual", committed_ms: 0, config }, Format { mulaw, rate_hz }))
    }

    fn greet(&mut self, mouth: &mut Mouth<'_>) {
        let session_id = "00000000-0000-4000-8000-000000000005";
        mouth.now(json!({"message_type": "session_started", "session_id": session_id, "config": self.config}));
    }

    fn on_text(&mut self, text: &str, ear: &mut Ear, mouth: &mut Mouth<'_>) -> Flow {
        if self.manual {
            ear.set_silence_ms(None);
        }
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        if message["message_type"] != "input_audio_chunk" || !message["audio_base_64"].is_string() {
            mouth.now(json!({"message_type": "input_error", "error": "not a message of this interface"}));
            return Flow::Close(1008, "input_error");
        }
        for heard in ear.listen(&from_base64(&message["audio_base_64"])) {
            match heard {
                Heard::Words(text) => mouth.partial(json!({"message_type": "partial_transcript", "text": text})),
                Heard::Ended(spoken) => self.commit(&spoken, ear, mouth),
                Heard::Began => {}
            }
        }
        if message["commit"] == true {
            if ear.heard_ms() < self.committed_ms + COMMIT_MS_MIN {
                mouth.now(
                    json!({"message_type": "commit_throttled", "error": "too little audio since the last commit"}),
                );
                return Flow::Close(1008, "commit_throttled");
            }
            let spoken = ear.finish().unwrap_or_default();
            self.commit(&spoken, ear, mouth);
        }
        Flow::Go
    }

    fn refusal(status: u16) -> Value {
        let code = match status {
            401 => "invalid_api_key",
            429 => "too_many_concurrent_requests",
            _ => "twin_fault",
        };
        json!({"detail": {"status": code, "message": "As the test wishes."}})
    }

    fn failure(_status: u16) -> Option<String> {
        Some(json!({"message_type": "transcriber_error", "error": "fault"}).to_string())
    }
}
