//! A twin of OpenAI's realtime transcription (`/v1/realtime?intent=transcription`).

use super::Twin;
use super::recogniser::{self, Asked, Behaviour, Dialect, Ear, Flow, Format, Heard, Mouth, Refusal, from_base64};
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port. Its address ends in `/v1`, as clients expect it.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    let mut twin = recogniser::start::<Transcription>("/v1/realtime", behaviour).await?;
    twin.base_url.push_str("/v1");
    Ok(twin)
}

/// The least that can be committed.
const COMMIT_MS_MIN: u64 = 100;

#[derive(Default)]
struct Transcription {
    events: u64,
    items: u64,
    session: Value,
    /// Whether the model tells words before they are committed.
    live: bool,
    committed_ms: u64,
    /// Words of the item that were told.
    told: String,
}

impl Transcription {
    fn event(&mut self, kind: &str, mut fields: Value) -> Value {
        self.events += 1;
        fields["type"] = json!(kind);
        fields["event_id"] = json!(format!("event_{}", self.events));
        fields
    }

    fn item(&self) -> String {
        format!("item_{}", self.items)
    }

    fn delta(&mut self, text: &str, mouth: &mut Mouth<'_>) {
        let Some(delta) = text.strip_prefix(self.told.as_str()).filter(|delta| !delta.is_empty()) else { return };
        let fields = json!({"item_id": self.item(), "content_index": 0, "delta": delta});
        mouth.partial(self.event("conversation.item.input_audio_transcription.delta", fields));
        self.told = text.to_owned();
    }

    fn error(&mut self, code: &str, mouth: &mut Mouth<'_>) {
        let error = json!({"error": {"type": "invalid_request_error", "code": code, "message": "no", "param": null}});
        mouth.now(self.event("error", error));
    }

    fn update(&mut self, session: &Value, ear: &mut Ear, mouth: &mut Mouth<'_>) {
        let input = &session["audio"]["input"];
        let format = match (input["format"]["type"].as_str(), input["format"]["rate"].as_u64()) {
            (Some("audio/pcmu"), _) => Format { mulaw: true, rate_hz: 8_000 },
            (Some("audio/pcm") | None, None | Some(24_000)) => Format { mulaw: false, rate_hz: 24_000 },
            _ => return self.error("invalid_value", mouth),
        };
        let model = input["transcription"]["model"].as_str().unwrap_or_default();
        self.live = model.contains("live");
        if session["type"] != "transcription" || model.is_empty() || (self.live && !input["turn_detection"].is_null()) {
            return self.error("invalid_value", mouth);
        }
        ear.set_format(format);
        self.session = session.clone();
        let fields = json!({"session": self.session});
        mouth.now(self.event("session.updated", fields));
    }

    fn commit(&mut self, ear: &mut Ear, mouth: &mut Mouth<'_>) {
        if ear.heard_ms() < self.committed_ms + COMMIT_MS_MIN {
            return self.error("input_audio_buffer_commit_empty", mouth);
        }
        let length_ms = ear.heard_ms() - self.committed_ms;
        self.committed_ms = ear.heard_ms();
        let text = ear.finish().map(|spoken| spoken.text).unwrap_or_default();
        let item = self.item();
        let fields = json!({"item_id": item, "previous_item_id": null});
        mouth.now(self.event("input_audio_buffer.committed", fields));
        let content = json!([{"type": "input_audio", "transcript": null}]);
        let fields = json!({"previous_item_id": null, "item": {"id": item, "type": "message", "object": "realtime.item",
            "status": "completed", "role": "user", "content": content}});
        mouth.now(self.event("conversation.item.added", fields));
        self.delta(&text, mouth);
        let usage = json!({"type": "duration", "seconds": length_ms as f64 / 1_000.0});
        let fields = json!({"item_id": item, "content_index": 0, "transcript": text, "usage": usage});
        mouth.last(self.event("conversation.item.input_audio_transcription.completed", fields));
        self.items += 1;
        self.told.clear();
    }
}

impl Dialect for Transcription {
    fn open(asked: &Asked<'_>) -> Result<(Self, Format), Refusal> {
        if asked.header("authorization") != format!("Bearer {}", asked.key) {
            return Err((401, Self::refusal(401)));
        }
        if asked.get("intent") != Some("transcription") || asked.get("model").is_some_and(|model| !model.is_empty()) {
            return Err((400, Self::refusal(400)));
        }
        Ok((Self::default(), Format { mulaw: false, rate_hz: 24_000 }))
    }

    fn greet(&mut self, mouth: &mut Mouth<'_>) {
        self.session = json!({"type": "transcription", "object": "realtime.transcription_session", "id": "sess_1"});
        let fields = json!({"session": self.session});
        mouth.now(self.event("session.created", fields));
    }

    fn on_text(&mut self, text: &str, ear: &mut Ear, mouth: &mut Mouth<'_>) -> Flow {
        // Only a commit ends an utterance.
        ear.set_silence_ms(None);
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        match message["type"].as_str() {
            Some("session.update") => self.update(&message["session"], ear, mouth),
            Some("input_audio_buffer.append") => {
                let audio = from_base64(&message["audio"]);
                if audio.is_empty() {
                    self.error("invalid_value", mouth);
                }
                for heard in ear.listen(&audio) {
                    match heard {
                        Heard::Words(text) if self.live => self.delta(&text, mouth),
                        _ => {}
                    }
                }
            }
            Some("input_audio_buffer.commit") => self.commit(ear, mouth),
            Some("input_audio_buffer.clear") => {
                ear.finish();
                self.committed_ms = ear.heard_ms();
                mouth.now(self.event("input_audio_buffer.cleared", json!({})));
            }
            _ => self.error("unknown_event_type", mouth),
        }
        Flow::Go
    }

    fn refusal(status: u16) -> Value {
        let code = match status {
            401 => "invalid_api_key",
            429 => "rate_limit_exceeded",
            400..=499 => "invalid_value",
            _ => "server_error",
        };
        json!({"error": {"message": "As the test wishes.", "type": "twin", "code": code, "param": null}})
    }

    fn failure(_status: u16) -> Option<String> {
        let error = json!({"type": "error", "event_id": "event_0",
            "error": {"type": "server_error", "code": "server_error", "message": "fault"}});
        Some(error.to_string())
    }
}
