//! A twin of Deepgram's turn-based recognition (`/v2/listen`).

use super::Twin;
use super::recogniser::{self, Asked, Behaviour, Dialect, Ear, Flow, Format, Heard, Mouth, Refusal, Spoken, words};
use serde_json::{Value, json};
use std::io;

/// Starts it on a free loopback port.
pub async fn start(behaviour: Behaviour) -> io::Result<Twin> {
    recogniser::start::<Flux>("/v2/listen", behaviour).await
}

const UPDATE_EVERY_MS: u64 = 240;
/// Silence that makes the end of a turn likely.
const EAGER_MS: u64 = 160;
const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000002";

struct Flux {
    eager: bool,
    sequence: u64,
    turn: u64,
    turn_from_ms: u64,
    updated_ms: u64,
    /// Whether the end of the turn was said to be likely.
    is_likely_over: bool,
}

impl Flux {
    fn number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence - 1
    }

    fn turn(&mut self, event: &str, text: &str, until_ms: u64) -> Value {
        let spoken = Spoken { text: text.to_owned(), from_ms: self.turn_from_ms, to_ms: until_ms };
        let words: Vec<Value> = words(&spoken)
            .into_iter()
            .map(|(word, from, to)| json!({"word": word, "confidence": 0.98, "start": secs(from), "end": secs(to)}))
            .collect();
        let confidence = match event {
            "EndOfTurn" => 0.9,
            "EagerEndOfTurn" => 0.5,
            _ => 0.1,
        };
        let mut turn = json!({"type": "TurnInfo", "request_id": REQUEST_ID, "sequence_id": self.number(),
            "event": event, "turn_index": self.turn, "audio_window_start": secs(self.turn_from_ms),
            "audio_window_end": secs(until_ms), "transcript": text, "words": words,
            "end_of_turn_confidence": confidence});
        if event == "EndOfTurn" {
            turn["trigger"] = json!("model");
        }
        turn
    }

    fn end_turn(&mut self, spoken: &Spoken, trigger: &str, ear: &Ear, mouth: &mut Mouth<'_>) {
        let mut end = self.turn("EndOfTurn", &spoken.text, ear.heard_ms());
        end["trigger"] = json!(trigger);
        mouth.last(end);
        (self.turn, self.turn_from_ms, self.is_likely_over) = (self.turn + 1, ear.heard_ms(), false);
    }
}

impl Dialect for Flux {
    fn open(asked: &Asked<'_>) -> Result<(Self, Format), Refusal> {
        let sent = asked.header("authorization");
        if sent != format!("Token {}", asked.key) && sent != format!("Bearer {}", asked.key) {
            return Err((401, Self::refusal(401)));
        }
        let bad = |why: &str| Err((400, json!({"err_code": "Bad Request", "err_msg": why})));
        if !asked.get("model").is_some_and(|model| model.starts_with("flux-")) {
            return bad("No such model/version combination found.");
        }
        let unknown = asked.query.iter().find(|(name, _)| {
            ["language", "interim_results", "endpointing", "punctuate", "channels"].contains(&name.as_str())
        });
        if unknown.is_some() {
            return bad("A parameter belongs to another version of the interface.");
        }
        let rate_hz = asked.number("sample_rate").and_then(|rate| u32::try_from(rate).ok()).unwrap_or(0);
        let mulaw = asked.get("encoding") == Some("mulaw");
        if rate_hz < 8_000 || !(mulaw || asked.get("encoding") == Some("linear16")) {
            return bad("Audio is mulaw or linear16 with a sample_rate.");
        }
        let eager = asked.get("eager_eot_threshold").is_some();
        let (sequence, turn, turn_from_ms, updated_ms) = (0, 0, 0, 0);
        let flux = Self { eager, sequence, turn, turn_from_ms, updated_ms, is_likely_over: false };
        Ok((flux, Format { mulaw, rate_hz }))
    }

    fn greet(&mut self, mouth: &mut Mouth<'_>) {
        let number = self.number();
        mouth.now(json!({"type": "Connected", "request_id": REQUEST_ID, "sequence_id": number}));
    }

    fn on_binary(&mut self, bytes: &[u8], ear: &mut Ear, mouth: &mut Mouth<'_>) -> Flow {
        for heard in ear.listen(bytes) {
            match heard {
                Heard::Began => {
                    self.turn_from_ms = ear.heard_ms();
                    let text = ear.words().unwrap_or_default();
                    mouth.partial(self.turn("StartOfTurn", &text, ear.heard_ms()));
                }
                Heard::Words(text) if self.is_likely_over => {
                    self.is_likely_over = false;
                    mouth.partial(self.turn("TurnResumed", &text, ear.heard_ms()));
                }
                Heard::Words(_) => {}
                Heard::Ended(spoken) => self.end_turn(&spoken, "model", ear, mouth),
            }
        }
        if let Some(text) = ear.words().filter(|_| self.eager && !self.is_likely_over && ear.silence_ms() >= EAGER_MS) {
            self.is_likely_over = true;
            mouth.partial(self.turn("EagerEndOfTurn", &text, ear.heard_ms()));
        }
        if ear.heard_ms() >= self.updated_ms + UPDATE_EVERY_MS {
            self.updated_ms = ear.heard_ms();
            let text = ear.words().unwrap_or_default();
            mouth.partial(self.turn("Update", &text, ear.heard_ms()));
        }
        Flow::Go
    }

    fn on_text(&mut self, text: &str, ear: &mut Ear, mouth: &mut Mouth<'_>) -> Flow {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        match message["type"].as_str() {
            Some("CloseStream") => {
                if let Some(spoken) = ear.finish() {
                    self.end_turn(&spoken, "manual", ear, mouth);
                }
                return Flow::Close(1000, "");
            }
            Some("ForceEndTurn") => {
                if let Some(spoken) = ear.finish() {
                    self.end_turn(&spoken, "manual", ear, mouth);
                }
            }
            Some("Configure") => {
                let number = self.number();
                mouth.now(json!({"type": "ConfigureSuccess", "request_id": REQUEST_ID, "sequence_id": number,
                    "thresholds": message["thresholds"], "keyterms": message["keyterms"]}));
            }
            _ => {
                let number = self.number();
                mouth.now(json!({"type": "Error", "sequence_id": number, "code": "UNPARSABLE_CLIENT_MESSAGE",
                    "description": "The message is not one of this interface."}));
                return Flow::Close(1008, "DATA-0000");
            }
        }
        Flow::Go
    }

    fn refusal(status: u16) -> Value {
        let code = match status {
            401 => "INVALID_AUTH",
            429 => "TOO_MANY_REQUESTS",
            _ => "TWIN_FAULT",
        };
        json!({"err_code": code, "err_msg": "As the test wishes."})
    }

    fn failure(_status: u16) -> Option<String> {
        let error = json!({"type": "Error", "sequence_id": 1, "code": "INTERNAL_SERVER_ERROR", "description": "fault"});
        Some(error.to_string())
    }
}

fn secs(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
