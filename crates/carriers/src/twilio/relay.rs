//! ConversationRelay: JSON text messages with words both ways. The platform recognises and speaks.
//! Source: twilio.com/docs/voice/conversationrelay/websocket-messages; the messages of type `info`, which `events` asks for,
//! are in no document and are read as leniently as they can be.

use crate::line::{Broken, NOT_OF_THE_PROTOCOL, close};
use crate::protocol::{MediaCommand, MediaEvent, MediaSink, MediaStart, Relays};
use base::Pii;
use base::wire::Wire;
use serde::Deserialize;
use serde_json::{Value, json};

/// The parameter that carries our token, and the one that says which language the answer named.
pub(super) const TOKEN: &str = "token";
pub(super) const LANGUAGE: &str = "language";

/// One message of the platform.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Message {
    Setup {
        call_sid: String,
        session_id: String,
        #[serde(default)]
        custom_parameters: Parameters,
    },
    Prompt {
        voice_prompt: String,
        /// Without it every prompt is whole.
        #[serde(default = "yes")]
        last: bool,
    },
    Interrupt {
        #[serde(default)]
        utterance_until_interrupt: Option<String>,
    },
    Dtmf {
        digit: String,
    },
    Info {
        #[serde(default)]
        name: String,
        #[serde(default)]
        value: Value,
    },
    Error,
    /// Later versions may say more.
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize, Default)]
struct Parameters {
    token: Option<String>,
    language: Option<String>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Talking,
    Over,
}

/// The words of one socket.
#[derive(Debug)]
pub struct Relay {
    state: State,
}

impl Relay {
    pub(super) fn new() -> Self {
        Self { state: State::Waiting }
    }

    /// The message broke the protocol: nothing is read or sent any more.
    pub(super) fn violation(&mut self, (code, why): Broken, sink: &mut MediaSink) {
        if self.state != State::Over {
            self.state = State::Over;
            sink.events.push(MediaEvent::Violation { code, why });
        }
    }

    pub(super) fn on_text(&mut self, text: &str, sink: &mut MediaSink) {
        if self.state == State::Over {
            return;
        }
        match serde_json::from_str(text).map_err(|_| NOT_OF_THE_PROTOCOL).and_then(|message| self.heard(message)) {
            Ok(event) => sink.events.extend(event),
            Err(broken) => self.violation(broken, sink),
        }
    }

    fn heard(&mut self, message: Message) -> Result<Option<MediaEvent>, Broken> {
        match (message, &self.state) {
            (Message::Unknown, _) => Ok(None),
            (Message::Setup { call_sid, session_id, custom_parameters }, State::Waiting) => {
                if call_sid.is_empty() {
                    return Err((close::PROTOCOL, "setup without the id of the call"));
                }
                self.state = State::Talking;
                Ok(Some(MediaEvent::Started(MediaStart {
                    carrier_ref: Some(call_sid),
                    stream_ref: Some(session_id),
                    token: custom_parameters.token,
                    relays: Some(Relays { language: custom_parameters.language }),
                    ..MediaStart::default()
                })))
            }
            (Message::Setup { .. }, _) => Err((close::PROTOCOL, "second setup")),
            (_, State::Waiting) => Err((close::PROTOCOL, "a message before setup")),
            (Message::Prompt { voice_prompt, last }, _) => {
                Ok(Some(MediaEvent::Words { text: Pii::new(voice_prompt), is_last: last }))
            }
            (Message::Interrupt { utterance_until_interrupt }, _) => {
                Ok(Some(MediaEvent::CutOff(Pii::new(utterance_until_interrupt.unwrap_or_default()))))
            }
            (Message::Dtmf { digit }, _) => Ok(key(&digit)),
            (Message::Info { name, value }, _) => Ok(told(&name, &value)),
            (Message::Error, _) => Ok(Some(MediaEvent::Refused)),
        }
    }

    pub(super) fn on_command(&self, command: MediaCommand<'_>, out: &mut Vec<Wire>) {
        if self.state != State::Talking {
            return;
        }
        let message = match command {
            MediaCommand::Say { text, is_last, is_interruptible: true } => {
                json!({ "type": "text", "token": text, "last": is_last })
            }
            MediaCommand::Say { text, is_last, is_interruptible: false } => {
                json!({ "type": "text", "token": text, "last": is_last, "interruptible": false })
            }
            MediaCommand::Keys(keys) => json!({ "type": "sendDigits", "digits": keys }),
            MediaCommand::Language(tag) => {
                json!({ "type": "language", "ttsLanguage": tag, "transcriptionLanguage": tag })
            }
            // What is handed over is text of its own, which happens to be JSON.
            MediaCommand::Leave(reason) => {
                json!({ "type": "end", "handoffData": json!({ "reason": reason }).to_string() })
            }
            // No audio goes this way, and nothing that was sent can be taken back.
            MediaCommand::Audio(_) | MediaCommand::Mark(_) | MediaCommand::Clear | MediaCommand::Live(_) => return,
        };
        out.push(Wire::Text(message.to_string()));
    }
}

fn key(digit: &str) -> Option<MediaEvent> {
    let mut keys = digit.chars();
    match (keys.next(), keys.next()) {
        (Some(key @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Some(MediaEvent::Dtmf(Pii::new(key))),
        _ => None,
    }
}

fn told(name: &str, value: &Value) -> Option<MediaEvent> {
    let is_on = match value.as_str() {
        Some("on" | "start") => Some(true),
        Some("off" | "stop") => Some(false),
        _ => value.as_bool(),
    };
    match name {
        "clientSpeaking" => is_on.map(MediaEvent::CustomerSpeaks),
        "agentSpeaking" => is_on.map(MediaEvent::AgentSpeaks),
        "tokensPlayed" => value.as_str().map(|text| MediaEvent::Spoken(Pii::from(text))),
        _ => None,
    }
}
