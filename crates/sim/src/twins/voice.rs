//! What the twins of all voices share: the voice itself, what can be wrong with it, and the course of a conversation over a
//! socket. A vendor's file adds its own words.
//!
//! A voice is a function from text to samples; the built-in one is a tone of fixed length per character, so that a test
//! can tell from the audio how much text was spoken.

use super::fault::{Fault, Moment};
use super::server::{Course, Outbox, Shared, Twin, close, strike_socket};
use audio_codec_algorithms::encode_ulaw;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Turns text into samples at a rate in hertz.
pub type Voice = Arc<dyn Fn(&str, u32) -> Vec<i16> + Send + Sync>;

/// Turns text into samples at a rate in hertz, and says at which sample each of its characters ends.
pub type TimedVoice = Arc<dyn Fn(&str, u32) -> (Vec<i16>, Vec<usize>) + Send + Sync>;

/// Length of a character in the built-in voice.
pub const CHAR_MS: u64 = 60;
/// Audio of one message.
const PIECE_MS: u32 = 200;

/// How a twin of a voice behaves.
#[derive(Clone)]
pub struct Behaviour {
    /// The key that is accepted.
    pub key: String,
    /// The voice, whatever its id.
    pub voice: Voice,
    /// A voice whose characters differ in length; it goes before `voice`.
    pub timed_voice: Option<TimedVoice>,
    /// From text to its first audio, in milliseconds.
    pub first_audio_ms: u64,
    /// Between audio messages, in milliseconds.
    pub gap_ms: u64,
    /// Voice ids that do not exist.
    pub unknown_voices: Vec<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            key: "twin-key".to_owned(),
            voice: Arc::new(tone),
            timed_voice: None,
            first_audio_ms: 40,
            gap_ms: 5,
            unknown_voices: Vec::new(),
        }
    }
}

impl Behaviour {
    /// The samples of a text, and where each of its characters ends.
    pub(crate) fn speak(&self, text: &str, sample_rate_hz: u32) -> (Vec<i16>, Vec<usize>) {
        if let Some(voice) = &self.timed_voice {
            return voice(text, sample_rate_hz);
        }
        let pcm = (self.voice)(text, sample_rate_hz);
        let count = text.chars().count().max(1);
        let ends = (1..=count).map(|n| pcm.len() * n / count).collect();
        (pcm, ends)
    }

    pub(crate) fn is_unknown(&self, voice: &str) -> bool {
        self.unknown_voices.iter().any(|unknown| unknown == voice)
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").field("first_audio_ms", &self.first_audio_ms).finish_non_exhaustive()
    }
}

/// The built-in voice: [`CHAR_MS`] of a buzz per character, silent for spaces.
pub fn tone(text: &str, sample_rate_hz: u32) -> Vec<i16> {
    let per_char = (u64::from(sample_rate_hz) * CHAR_MS / 1_000) as usize;
    let mut pcm = Vec::with_capacity(text.chars().count() * per_char);
    for c in text.chars() {
        let pitch_hz = 120.0 + f64::from(u32::from(c) % 32) * 4.0;
        let loudness = if c.is_whitespace() { 0.0 } else { 6_000.0 };
        pcm.extend((0..per_char).map(|n| {
            let phase = std::f64::consts::TAU * pitch_hz * n as f64 / f64::from(sample_rate_hz);
            (loudness * (0.7 * phase.sin() + 0.3 * (2.0 * phase).sin())) as i16
        }));
    }
    pcm
}

/// What audio is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) ulaw: bool,
    pub(crate) sample_rate_hz: u32,
}

impl Format {
    pub(crate) fn encode(self, pcm: &[i16]) -> Vec<u8> {
        if self.ulaw {
            pcm.iter().map(|sample| encode_ulaw(*sample)).collect()
        } else {
            pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
        }
    }

    pub(crate) fn ms(self, samples: usize) -> u64 {
        samples as u64 * 1_000 / u64::from(self.sample_rate_hz.max(1))
    }
}

/// A text as spoken: its audio in pieces, and where in it the words lie.
pub(crate) struct Spoken {
    /// Encoded audio, [`PIECE_MS`] each.
    pub(crate) pieces: Vec<Vec<u8>>,
    /// (word, first sample, sample behind the last).
    pub(crate) words: Vec<(String, usize, usize)>,
    pub(crate) samples: usize,
}

impl Spoken {
    pub(crate) fn new(behaviour: &Behaviour, format: Format, text: &str) -> Self {
        let (pcm, ends) = behaviour.speak(text, format.sample_rate_hz);
        let end = |n: usize| if n == 0 { 0 } else { ends.get(n - 1).copied().unwrap_or(pcm.len()).min(pcm.len()) };
        let mut words: Vec<(String, usize, usize)> = Vec::new();
        let mut between = true;
        for (n, c) in text.chars().enumerate() {
            if c.is_whitespace() {
                between = true;
                continue;
            }
            match words.last_mut() {
                Some((word, _, last)) if !between => {
                    word.push(c);
                    *last = end(n + 1);
                }
                _ => words.push((c.to_string(), end(n), end(n + 1))),
            }
            between = false;
        }
        let piece = (format.sample_rate_hz * PIECE_MS / 1_000).max(1) as usize;
        let pieces = pcm.chunks(piece).map(|piece| format.encode(piece)).collect();
        Self { pieces, words, samples: pcm.len() }
    }
}

/// What a vendor does when it will not go on.
pub(crate) struct Refusal {
    /// Said before the close.
    pub(crate) say: Option<String>,
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
}

/// What comes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    GoOn,
    /// A polite close when all that waits is out.
    CloseWhenOut,
}

/// A vendor's words over a socket.
pub(crate) trait Dialect: Send + Sync {
    /// What is answered to a message.
    fn on_message(&mut self, message: &Message, mouth: &mut Mouth) -> Result<After, Refusal>;
    /// How a status is reported inside the stream.
    fn error(&self, status: u16) -> Option<String>;
}

/// What waits to be sent to one client.
pub(crate) struct Mouth {
    pub(crate) behaviour: Arc<Behaviour>,
    outbox: Outbox,
}

impl Mouth {
    /// At once, after what waits already.
    pub(crate) fn say(&mut self, message: Message) {
        self.outbox.push_after_last(Duration::ZERO, message);
    }

    /// Audio, the first of it as late as the voice is.
    pub(crate) fn speak(&mut self, messages: impl IntoIterator<Item = Message>) {
        let mut gap = Duration::from_millis(self.behaviour.first_audio_ms);
        for message in messages {
            self.outbox.push_after_last(gap, message);
            gap = Duration::from_millis(self.behaviour.gap_ms);
        }
    }

    /// Nothing of what waits is sent.
    pub(crate) fn hush(&mut self) {
        self.outbox.clear();
    }
}

/// Answers an upgrade with a conversation.
pub(crate) fn converse(
    upgrade: WebSocketUpgrade,
    shared: Shared,
    behaviour: Arc<Behaviour>,
    fault: Option<Fault>,
    dialect: impl Dialect + 'static,
) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        let course = strike_socket(&mut socket, &shared, fault, |_| None).await;
        let mouth = Mouth { behaviour, outbox: Outbox::default() };
        tokio::select! {
            () = talk(socket, &shared, course, mouth, dialect) => {}
            () = shared.stopped() => {}
        }
        shared.record.add("closed");
    })
}

async fn talk(mut socket: WebSocket, shared: &Shared, course: Course, mut mouth: Mouth, mut dialect: impl Dialect) {
    match course {
        Course::Go(delay) => mouth.outbox.delay_all_by(delay),
        Course::Mute => mouth.outbox.mute(),
        Course::Over => return,
    }
    let (mut sent, mut ending) = (0, false);
    loop {
        if ending && mouth.outbox.is_empty() {
            return close(&mut socket, 1000, "").await;
        }
        let received = tokio::select! {
            message = mouth.outbox.next() => {
                if socket.send(message).await.is_err() {
                    return;
                }
                sent += 1;
                // In the middle of a turn: something of it is out, and more waits.
                if sent == 1 {
                    let fault = shared.faults.strike(Moment::MidTurn);
                    match strike_socket(&mut socket, shared, fault, |status| dialect.error(status)).await {
                        Course::Go(delay) => mouth.outbox.delay_all_by(delay),
                        Course::Mute => mouth.outbox.mute(),
                        Course::Over => return,
                    }
                }
                continue;
            }
            received = socket.recv() => received,
        };
        let message = match received {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            Some(Ok(message)) => message,
        };
        if let Message::Text(text) = &message {
            shared.record.add(format!("text {text}"));
        }
        match dialect.on_message(&message, &mut mouth) {
            Ok(After::GoOn) => {}
            Ok(After::CloseWhenOut) => ending = true,
            Err(refusal) => {
                if let Some(say) = refusal.say {
                    let _ = socket.send(Message::Text(say.into())).await;
                }
                return close(&mut socket, refusal.code, refusal.reason).await;
            }
        }
    }
}

/// Starts a voice on a free loopback port. It records `open …`, `text …`, `closed`, `request …`.
pub(crate) async fn start(behaviour: Behaviour, routes: impl FnOnce(Context) -> Router) -> io::Result<Twin> {
    let key = behaviour.key.clone();
    let behaviour = Arc::new(behaviour);
    Twin::serve(key, "", |shared| routes(Context { shared, behaviour })).await
}

/// What the handlers of a twin share.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) shared: Shared,
    pub(crate) behaviour: Arc<Behaviour>,
}

/// A value of a query.
pub(crate) fn query<'a>(query: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    query.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str())
}
