//! A call whose platform recognises and speaks by itself: a socket of words, and a person who hears a voice at a steady pace.

use super::Moment;
use super::call::{Command, Next, Task};
use super::media::Socket;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Message;

/// How fast the voice is, and how long it takes to begin.
const CHAR_MS: u64 = 25;
const FIRST_SOUND_MS: u64 = 120;
const TICK: Duration = Duration::from_millis(5);
/// How fast the person speaks, and how long the platform then waits for more.
const SPOKEN_CHAR_MS: u64 = 15;
const PAUSE_MS: u64 = 150;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One socket of words, as the caller experienced it. Times are milliseconds since it began.
#[derive(Debug)]
pub struct WordsLeg {
    /// How our side wants it.
    pub attributes: Vec<(String, String)>,
    /// Every message of our side, and when it came.
    pub messages: Vec<(u64, Value)>,
    /// What was spoken between two silences: from, to, and the words that were spoken to their end.
    pub heard: Vec<(u64, u64, String)>,
    /// The last of them is still being spoken.
    pub is_speaking: bool,
    /// When the person fell silent.
    pub spoken: Vec<u64>,
    /// What our side sent that the platform would not take.
    pub errors: Vec<String>,
    /// Set when it ended: what our side handed over, if it ended it.
    pub ended: Option<Option<String>>,
}

struct Token {
    text: String,
    is_interruptible: bool,
}

/// The socket, the voice, and what the person is about to say.
struct Words {
    socket: Socket,
    since: Instant,
    attributes: Vec<(String, String)>,
    queue: VecDeque<Token>,
    /// When the first of the queue began to be spoken.
    began_ms: Option<u64>,
    /// What was spoken of the present talk cycle, and whether more of it may come.
    cycle: String,
    is_open: bool,
    /// Since the last silence.
    run: String,
    due: VecDeque<(u64, Value)>,
}

impl Words {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn tells(&self, event: &str) -> bool {
        self.attribute("events").is_some_and(|events| events.split(' ').any(|one| one == event))
    }

    async fn send(&mut self, message: Value) -> Result<(), String> {
        self.socket.send(Message::text(message.to_string())).await.map_err(|error| error.to_string())
    }

    async fn info(&mut self, event: &str, name: &str, value: &str) -> Result<(), String> {
        if self.tells(event) {
            self.send(json!({"type": "info", "name": name, "value": value, "ts": 1_752_091_234_567_u64})).await?;
        }
        Ok(())
    }

    /// Characters of the first of the queue that were spoken by now.
    fn spoken_chars(&self, now_ms: u64) -> usize {
        let chars = self.began_ms.map_or(0, |began_ms| now_ms.saturating_sub(began_ms) / CHAR_MS);
        usize::try_from(chars).unwrap_or(usize::MAX)
    }
}

/// The words of a text that were spoken to their end when so many characters were.
fn whole_words(text: &str, chars: usize) -> String {
    let end = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    let is_end = text[end..].chars().next().is_none_or(char::is_whitespace);
    let end = if is_end { end } else { text[..end].rfind(char::is_whitespace).unwrap_or(0) };
    text[..end].trim_end().to_owned()
}

impl Task {
    /// Plays one socket of words to its end.
    pub(super) async fn relay(
        &mut self,
        action: Option<&str>,
        url: &str,
        parameters: &[(String, String)],
        attributes: Vec<(String, String)>,
    ) -> Next {
        let socket = match tokio::time::timeout(CONNECT_TIMEOUT, self.connect(url)).await {
            Ok(Ok(socket)) => socket,
            other => {
                self.fault(format!("64102: {url}: {other:?}"));
                return Next::GoOn;
            }
        };
        let (since, session) = (Instant::now(), format!("VX{:032x}", super::next_id()));
        self.change(|record| {
            record.words.push(WordsLeg {
                attributes: attributes.clone(),
                messages: Vec::new(),
                heard: Vec::new(),
                is_speaking: false,
                spoken: Vec::new(),
                errors: Vec::new(),
                ended: None,
            });
        });
        let custom: Map<String, Value> =
            parameters.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let setup = json!({
            "type": "setup", "sessionId": session, "accountSid": "", "parentCallSid": "", "callSid": self.call.id,
            "from": self.call.from, "to": self.call.to, "forwardedFrom": "", "callType": "PSTN", "callerName": "",
            "direction": if self.call.is_placed { "outbound" } else { "inbound" }, "callStatus": "RINGING",
            "customParameters": custom,
        });
        let mut words = Words {
            socket,
            since,
            attributes,
            queue: VecDeque::new(),
            began_ms: None,
            cycle: String::new(),
            is_open: false,
            run: String::new(),
            due: VecDeque::new(),
        };
        let talked = match words.send(setup).await {
            Ok(()) => {
                self.report(Moment::StreamBegan(action)).await;
                self.talk(&mut words).await
            }
            Err(error) => Err(error),
        };
        self.words(|leg| leg.ended = leg.ended.take().or(Some(None)));
        talked.unwrap_or_else(|error| {
            self.fault(format!("64105: {error}"));
            self.call.note = json!({"SessionId": session, "SessionStatus": "failed", "ErrorCode": "64105"});
            Next::GoOn
        })
    }

    fn words<T>(&self, change: impl FnOnce(&mut WordsLeg) -> T) -> Option<T> {
        self.change(|record| record.words.last_mut().map(change))
    }

    /// Talks until one side ends it. An error is a socket that our side closed without a word.
    async fn talk(&mut self, words: &mut Words) -> Result<Next, String> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => self.tick(words).await?,
                message = words.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        if let Some(handoff) = self.told(words, &text).await? {
                            self.call.note = json!({"SessionStatus": "ended", "HandoffData": handoff});
                            self.words(|leg| leg.ended = Some(Some(handoff)));
                            let _ = words.socket.close(None).await; // Our side may have closed it, too.
                            return Ok(Next::GoOn);
                        }
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(message)) => return Err(format!("our side sent {message:?}")),
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Err("our side is gone".to_owned()),
                },
                command = self.commands.recv() => {
                    let next = match command {
                        Some(Command::Say(text)) => {
                            self.person_says(words, &text).await?;
                            None
                        }
                        Some(Command::Press(key)) => {
                            if words.attribute("dtmfDetection") == Some("true") {
                                words.send(json!({"type": "dtmf", "digit": key.to_string()})).await?;
                            }
                            None
                        }
                        Some(Command::Inject(text)) => {
                            words.socket.send(Message::text(text)).await.map_err(|error| error.to_string())?;
                            None
                        }
                        Some(Command::Do(verbs, note)) => self.interrupted(verbs, note),
                        Some(Command::Cut) => return Ok(Next::GoOn),
                        Some(Command::HangUp) | None => Some(Next::End("completed")),
                        // There is no audio here.
                        Some(Command::Speak(_) | Command::Line(_) | Command::InjectBinary(_)) => None,
                    };
                    if let Some(next) = next {
                        let _ = words.socket.close(None).await; // Whether our side agrees changes nothing.
                        return Ok(next);
                    }
                }
            }
        }
    }

    /// Takes one message of our side as strictly as the platform does. `Some`: our side ends the session with this.
    async fn told(&mut self, words: &mut Words, text: &str) -> Result<Option<String>, String> {
        let now_ms = words.now_ms();
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        self.words(|leg| leg.messages.push((now_ms, message.clone())));
        let field = |name: &str| message[name].as_str().map(str::to_owned);
        match (message["type"].as_str(), field("token"), message["last"].as_bool()) {
            (Some("text"), Some(token), Some(is_last)) => {
                if !words.is_open {
                    words.cycle.clear();
                }
                words.is_open = !is_last;
                let is_interruptible = message["interruptible"].as_bool().unwrap_or(true);
                if !token.is_empty() {
                    words.queue.push_back(Token { text: token, is_interruptible });
                }
            }
            (Some("sendDigits"), ..) if field("digits").is_some() => {
                self.change(|record| record.pressed.extend(field("digits")));
            }
            (Some("language"), ..) if field("ttsLanguage").or(field("transcriptionLanguage")).is_some() => {}
            (Some("end"), ..) => return Ok(Some(field("handoffData").unwrap_or_default())),
            _ => {
                self.words(|leg| leg.errors.push(format!("64107: {text}")));
                words.send(json!({"type": "error", "description": "Invalid message received"})).await?;
            }
        }
        Ok(None)
    }

    /// The voice goes on, and what the person says arrives.
    async fn tick(&mut self, words: &mut Words) -> Result<(), String> {
        let now_ms = words.now_ms();
        while let Some(token) = words.queue.front() {
            let chars = token.text.chars().count();
            let Some(began_ms) = words.began_ms else {
                words.began_ms = Some(now_ms + FIRST_SOUND_MS);
                self.words(|leg| {
                    leg.is_speaking = true;
                    leg.heard.push((now_ms + FIRST_SOUND_MS, now_ms + FIRST_SOUND_MS, String::new()));
                });
                words.info("speaker-events", "agentSpeaking", "on").await?;
                break;
            };
            if words.spoken_chars(now_ms) < chars {
                break;
            }
            words.began_ms = Some(began_ms + chars as u64 * CHAR_MS);
            if let Some(token) = words.queue.pop_front() {
                words.cycle.push_str(&token.text);
                words.run.push_str(&token.text);
                words.info("tokens-played", "tokensPlayed", &token.text).await?;
                let (to_ms, text) = (now_ms, words.run.trim().to_owned());
                self.words(|leg| leg.heard.last_mut().map(|heard| (heard.1, heard.2) = (to_ms, text)));
            }
        }
        if words.queue.is_empty() && words.began_ms.take().is_some() {
            words.run.clear();
            self.words(|leg| leg.is_speaking = false);
            words.info("speaker-events", "agentSpeaking", "off").await?;
        }
        while words.due.front().is_some_and(|(at_ms, _)| *at_ms <= now_ms) {
            if let Some((at_ms, message)) = words.due.pop_front() {
                if message["last"] == true {
                    self.words(|leg| leg.spoken.push(at_ms - PAUSE_MS));
                }
                words.send(message).await?;
            }
        }
        Ok(())
    }

    /// The person says this, over the voice if there is one.
    async fn person_says(&mut self, words: &mut Words, text: &str) -> Result<(), String> {
        let now_ms = words.now_ms();
        let by_speech = matches!(words.attribute("interruptible").unwrap_or("any"), "any" | "speech");
        if let Some(token) = words.queue.front().filter(|token| by_speech && token.is_interruptible) {
            let spoken = words.spoken_chars(now_ms);
            let raw: String = token.text.chars().take(spoken).collect();
            let heard = format!("{}{}", words.run, whole_words(&token.text, spoken));
            let until = format!("{}{raw}", words.cycle);
            words.queue.clear();
            (words.began_ms, words.is_open) = (None, false);
            words.run.clear();
            self.words(|leg| {
                leg.is_speaking = false;
                leg.heard.last_mut().map(|last| (last.1, last.2) = (now_ms, heard.trim().to_owned()))
            });
            words.info("speaker-events", "agentSpeaking", "off").await?;
            let duration_ms = spoken as u64 * CHAR_MS;
            words
                .send(json!({
                    "type": "interrupt", "utteranceUntilInterrupt": until, "durationUntilInterruptMs": duration_ms,
                }))
                .await?;
        }
        words.info("speaker-events", "clientSpeaking", "on").await?;
        let half = whole_words(text, text.chars().count() / 2);
        let ends_ms = now_ms + text.chars().count() as u64 * SPOKEN_CHAR_MS;
        let prompt =
            |text: &str, last: bool| json!({"type": "prompt", "voicePrompt": text, "lang": "en-US", "last": last});
        if words.attribute("partialPrompts") == Some("true") && !half.is_empty() {
            words.due.push_back(((now_ms + ends_ms) / 2, prompt(&half, false)));
        }
        if words.tells("speaker-events") {
            words.due.push_back((ends_ms, json!({"type": "info", "name": "clientSpeaking", "value": "off"})));
        }
        words.due.push_back((ends_ms + PAUSE_MS, prompt(text, true)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::whole_words;

    #[test]
    fn a_word_that_was_only_begun_was_not_heard() {
        assert_eq!(whole_words("We open at nine.", 9), "We open");
        assert_eq!(whole_words("We open at nine.", 10), "We open at");
        assert_eq!(whole_words("We open at nine.", 99), "We open at nine.");
        assert_eq!(whole_words("Yes", 1), "");
    }
}
