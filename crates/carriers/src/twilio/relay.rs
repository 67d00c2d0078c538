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

#[cfg(test)]
mod tests {
    use super::super::TwilioMedia;
    use super::*;
    use crate::laws::{command, feed, flipped, too_long, violations};
    use proptest::prelude::*;

    const SETUP: &str = r#"{"type":"setup","sessionId":"VX1","accountSid":"AC1","parentCallSid":"","callSid":"CA1","from":"+14155550100","to":"+14155550199","forwardedFrom":"","callType":"PSTN","callerName":"","direction":"inbound","callStatus":"RINGING","customParameters":{"token":"t-1","language":"en-US"}}"#;
    const CONVERSATION: [&str; 9] = [
        SETUP,
        r#"{"type":"info","name":"agentSpeaking","value":"on","ts":1752091234567}"#,
        r#"{"type":"info","name":"tokensPlayed","value":"We open "}"#,
        r#"{"type":"interrupt","utteranceUntilInterrupt":"We open at","durationUntilInterruptMs":460}"#,
        r#"{"type":"info","name":"clientSpeaking","value":"off"}"#,
        r#"{"type":"prompt","voicePrompt":"And on","lang":"en-US","last":false}"#,
        r#"{"type":"prompt","voicePrompt":"And on Sunday?","lang":"en-US","last":true}"#,
        r#"{"type":"dtmf","digit":"5"}"#,
        r#"{"type":"error","description":"Invalid message received: +14155550100"}"#,
    ];

    fn wires(texts: &[&str]) -> Vec<Wire> {
        texts.iter().map(|text| Wire::Text((*text).to_owned())).collect()
    }

    fn talking() -> TwilioMedia {
        let mut media = TwilioMedia::new();
        feed(&mut media, &wires(&[SETUP]));
        media
    }

    fn heard(text: &str) -> Vec<MediaEvent> {
        feed(&mut talking(), &wires(&[text])).events
    }

    fn sent(to_send: MediaCommand<'_>) -> Vec<Value> {
        let wires = command(&mut talking(), to_send);
        let text = wires.iter().map(|wire| match wire {
            Wire::Text(text) => serde_json::from_str(text).expect("JSON"),
            other => panic!("{other:?}"),
        });
        text.collect()
    }

    #[test]
    fn a_conversation_in_words_comes_through_whole() {
        let events = feed(&mut TwilioMedia::new(), &wires(&CONVERSATION)).events;
        let start = MediaStart {
            carrier_ref: Some("CA1".into()),
            stream_ref: Some("VX1".into()),
            token: Some("t-1".into()),
            relays: Some(Relays { language: Some("en-US".into()) }),
            ..MediaStart::default()
        };
        let expected = [
            MediaEvent::Started(start),
            MediaEvent::AgentSpeaks(true),
            MediaEvent::Spoken("We open ".into()),
            MediaEvent::CutOff("We open at".into()),
            MediaEvent::CustomerSpeaks(false),
            MediaEvent::Words { text: "And on".into(), is_last: false },
            MediaEvent::Words { text: "And on Sunday?".into(), is_last: true },
            MediaEvent::Dtmf(Pii::new('5')),
            MediaEvent::Refused,
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn what_may_be_written_otherwise_is_read_and_what_we_do_not_know_is_ignored() {
        assert_eq!(
            heard(r#"{"type":"prompt","voicePrompt":"Hi"}"#),
            [MediaEvent::Words { text: "Hi".into(), is_last: true }]
        );
        let cut_off = [MediaEvent::CutOff(String::new().into())];
        assert_eq!(heard(r#"{"type":"interrupt","durationUntilInterruptMs":"460"}"#), cut_off);
        assert_eq!(heard(r#"{"type":"interrupt","utteranceUntilInterrupt":null}"#), cut_off);
        assert_eq!(heard(r#"{"type":"info","name":"agentSpeaking","value":false}"#), [MediaEvent::AgentSpeaks(false)]);
        for unknown in [
            r#"{"type":"info","name":"roundTripDelayMs","value":12}"#,
            r#"{"type":"info","name":"agentSpeaking","value":"perhaps"}"#,
            r#"{"type":"info"}"#,
            r#"{"type":"dtmf","digit":"55"}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"later","anything":[1]}"#,
        ] {
            assert_eq!(heard(unknown), [], "{unknown}");
        }
    }

    #[test]
    fn what_is_sent_is_what_the_platform_validates() {
        let say = |is_last, is_interruptible| MediaCommand::Say { text: "Tom & \"Jerry\" ", is_last, is_interruptible };
        assert_eq!(sent(say(false, true)), [json!({"type": "text", "token": "Tom & \"Jerry\" ", "last": false})]);
        let whole = json!({"type": "text", "token": "Tom & \"Jerry\" ", "last": true, "interruptible": false});
        assert_eq!(sent(say(true, false)), [whole]);
        assert_eq!(sent(MediaCommand::Keys("9#")), [json!({"type": "sendDigits", "digits": "9#"})]);
        let language = json!({"type": "language", "ttsLanguage": "de-DE", "transcriptionLanguage": "de-DE"});
        assert_eq!(sent(MediaCommand::Language("de-DE")), [language]);
        let end = json!({"type": "end", "handoffData": r#"{"reason":"over"}"#});
        assert_eq!(sent(MediaCommand::Leave("over")), [end]);
        for nothing in [MediaCommand::Audio(&[1; 160]), MediaCommand::Mark(base::MarkId(1)), MediaCommand::Clear] {
            assert_eq!(sent(nothing), Vec::<Value>::new());
        }
        assert_eq!(command(&mut TwilioMedia::new(), say(true, true)), [], "nothing before setup");
    }

    #[test]
    fn what_breaks_the_protocol_closes_the_socket_once() {
        let first = |text: &str| violations(&feed(&mut TwilioMedia::new(), &wires(&[text, SETUP])));
        assert_eq!(first(r#"{"type":"prompt","voicePrompt":"Hi","last":true}"#), [1002], "before setup");
        assert_eq!(first(r#"{"type":"setup","sessionId":"VX1","callSid":""}"#), [1002]);
        assert_eq!(first(r#"{"type":"setup"}"#), [1007]);
        let then = |wire: Wire| violations(&feed(&mut talking(), &[wire.clone(), wire]));
        assert_eq!(then(Wire::Text(SETUP.into())), [1002], "second setup");
        assert_eq!(then(Wire::Text(r#"{"type":"prompt"}"#.into())), [1007]);
        assert_eq!(then(Wire::Text("{".into())), [1007]);
        assert_eq!(then(Wire::Binary(vec![0; 320])), [1003]);
        assert_eq!(then(too_long(&Wire::Text(CONVERSATION[6].into()))), [1009]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn mutated_messages_never_panic(which in 0..CONVERSATION.len(), at in any::<usize>(), with in 1u8..=255) {
            let mut wires = wires(&CONVERSATION);
            wires[which] = flipped(&wires[which], at, with);
            crate::laws::survives(&mut TwilioMedia::new(), &wires);
        }
    }
}
