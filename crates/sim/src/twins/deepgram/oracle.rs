//! A recogniser that need not recognise: it knows which words the caller says and when, and reports them as the service
//! would, from the audio that has reached it.
//!
//! Interim transcripts grow word by word behind the speech; the last word has no punctuation until it has settled. A final
//! comes after silence (`endpointing`) or `Finalize`. A word whose stretch of audio arrives (nearly) silent was not heard.

use super::super::server::{Course, Outbox, close};
use super::{Behaviour, Listen, secs};
use audio_codec_algorithms::decode_ulaw;
use axum::extract::ws::{Message, WebSocket};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A word of the caller, as a final transcript writes it.
#[derive(Clone, Debug)]
pub struct SpokenWord {
    /// With its punctuation.
    pub text: String,
    /// When its first sound is sent.
    pub from: Instant,
    /// When its last sound is sent.
    pub to: Instant,
}

/// What one caller says, in order of time. The caller appends, the recogniser reads.
pub type Speech = Arc<Mutex<Vec<SpokenWord>>>;

/// Tells whose speech a new connection carries.
#[derive(Clone)]
pub struct Oracle(pub Arc<dyn Fn() -> Option<Speech> + Send + Sync>);

impl Oracle {
    pub(super) fn speech(&self) -> Option<Speech> {
        (self.0)()
    }
}

impl fmt::Debug for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Oracle")
    }
}

/// From the end of a word to the interim transcript that holds it.
const WORD_LAG: Duration = Duration::from_millis(200);
/// From the end of a word to the interim transcript that holds its punctuation.
const SETTLED_LAG: Duration = Duration::from_millis(400);
/// Shorter silences lie inside fluent speech, whatever `endpointing` says.
const ENDPOINTING_MS_MIN: u64 = 100;
/// How late audio may arrive and still be that of the word.
const ARRIVAL: Duration = Duration::from_millis(120);
/// Below this, a word cannot be made out.
const AUDIBLE_RMS: f64 = 40.0;
/// How much of the loudness is remembered.
const LOUDNESS_WINDOWS_MAX: usize = 1_000;
const TICK: Duration = Duration::from_millis(10);

pub(super) struct Session {
    behaviour: Arc<Behaviour>,
    listen: Listen,
    speech: Speech,
    outbox: Outbox,
    since: Instant,
    /// Words of the timeline that were judged so far.
    judged: usize,
    /// Words since the last final.
    segment: Vec<SpokenWord>,
    /// How many of them, and whether with the last one's punctuation, the last interim transcript held.
    reported: (usize, bool),
    /// End of the last word, until an `UtteranceEnd` reported it.
    utterance_end: Option<Instant>,
    samples: u64,
    loudness: VecDeque<(Instant, f64)>,
}

impl Session {
    pub(super) fn new(behaviour: Arc<Behaviour>, listen: Listen, speech: Speech) -> Self {
        Self {
            behaviour,
            listen,
            speech,
            outbox: Outbox::default(),
            since: Instant::now(),
            judged: 0,
            segment: Vec::new(),
            reported: (0, false),
            utterance_end: None,
            samples: 0,
            loudness: VecDeque::new(),
        }
    }

    pub(super) async fn run(mut self, mut socket: WebSocket, course: Course) {
        match course {
            Course::Go(delay) => self.outbox.delay_all_by(delay),
            Course::Mute => self.outbox.mute(),
            Course::Over => return,
        }
        let idle = Duration::from_millis(self.behaviour.idle_ms);
        let mut idle_at = Instant::now() + idle;
        let mut ticks = tokio::time::interval(TICK);
        loop {
            let received = tokio::select! {
                message = self.outbox.next() => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                    continue;
                }
                received = socket.recv() => received,
                _ = ticks.tick() => {
                    self.listen_on(Instant::now());
                    continue;
                }
                () = tokio::time::sleep_until(idle_at) => return close(&mut socket, 1011, "NET-0001").await,
            };
            idle_at = Instant::now() + idle;
            match received {
                Some(Ok(Message::Binary(bytes))) if bytes.is_empty() => return close(&mut socket, 1000, "").await,
                Some(Ok(Message::Binary(bytes))) => self.on_audio(&bytes, Instant::now()),
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).unwrap_or_default();
                    match message["type"].as_str() {
                        Some("Finalize") => self.finish(Instant::now(), true),
                        Some("CloseStream") => return close(&mut socket, 1000, "").await,
                        _ => {}
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            }
        }
    }

    fn on_audio(&mut self, bytes: &[u8], now: Instant) {
        let (energy, count) = if self.listen.mulaw {
            let energy = bytes.iter().map(|byte| f64::from(decode_ulaw(*byte)).powi(2)).sum::<f64>();
            (energy, bytes.len())
        } else {
            let pairs = bytes.as_chunks::<2>().0;
            (pairs.iter().map(|pair| f64::from(i16::from_le_bytes(*pair)).powi(2)).sum::<f64>(), pairs.len())
        };
        self.samples += count as u64;
        if self.loudness.len() == LOUDNESS_WINDOWS_MAX {
            self.loudness.pop_front();
        }
        self.loudness.push_back((now, (energy / count.max(1) as f64).sqrt()));
    }

    fn was_audible(&self, word: &SpokenWord) -> bool {
        let heard = self.loudness.iter().filter(|(at, _)| *at >= word.from && *at <= word.to + ARRIVAL);
        heard.map(|(_, rms)| *rms).fold(0.0, f64::max) >= AUDIBLE_RMS
    }

    /// Takes the words that are known by now; whether another word is being said.
    fn take_words(&mut self, now: Instant, is_known: impl Fn(&SpokenWord) -> bool) -> bool {
        let spoken = self.speech.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh: Vec<SpokenWord> =
            spoken.iter().skip(self.judged).take_while(|word| is_known(word)).cloned().collect();
        let speaking = spoken.get(self.judged + fresh.len()).is_some_and(|word| word.from <= now && now < word.to);
        drop(spoken);
        self.judged += fresh.len();
        for word in fresh {
            if self.was_audible(&word) {
                self.utterance_end = Some(word.to);
                self.segment.push(word);
            }
        }
        speaking
    }

    fn listen_on(&mut self, now: Instant) {
        self.take_words(now, |word| word.to + WORD_LAG <= now);
        self.report_interim(now);
        let (last, speaking) = {
            let spoken = self.speech.lock().unwrap_or_else(PoisonError::into_inner);
            let last = spoken.iter().rev().find(|word| word.to <= now).map(|word| word.to);
            (last, spoken.iter().any(|word| word.from <= now && now < word.to))
        };
        let Some(last) = last.filter(|_| !speaking) else { return };
        let silence = now.saturating_duration_since(last);
        let endpointing = self.listen.endpointing_ms.map(|ms| Duration::from_millis(ms.max(ENDPOINTING_MS_MIN)));
        let unfinished = !self.segment.is_empty() || {
            let spoken = self.speech.lock().unwrap_or_else(PoisonError::into_inner);
            spoken.get(self.judged).is_some_and(|word| word.to <= now)
        };
        if unfinished && endpointing.is_some_and(|endpointing| silence >= endpointing) {
            self.finish(now, false);
        }
        let utterance_end = self.listen.utterance_end_ms.map(Duration::from_millis);
        if utterance_end.is_some_and(|gap| silence >= gap)
            && let Some(end) = self.utterance_end.take()
        {
            let end = json!({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": self.secs_at(end)});
            self.push(0, &end);
        }
    }

    fn report_interim(&mut self, now: Instant) {
        let Some(last) = self.segment.last() else { return };
        let settled = last.to + SETTLED_LAG <= now;
        if !self.listen.interim || self.reported == (self.segment.len(), settled) {
            return;
        }
        self.reported = (self.segment.len(), settled);
        let results = self.results(&self.segment, settled, (false, false, false));
        self.push(0, &results);
    }

    fn finish(&mut self, now: Instant, finalize: bool) {
        // A flush yields also a word of which only half was heard.
        self.take_words(now, |word| word.from + (word.to - word.from) / 2 <= now);
        let segment = std::mem::take(&mut self.segment);
        self.reported = (0, false);
        if segment.is_empty() && !(finalize && self.behaviour.answers_empty_finalize) {
            return;
        }
        let results = self.results(&segment, true, (true, !finalize, finalize));
        self.push(self.behaviour.final_ms, &results);
    }

    fn secs_at(&self, at: Instant) -> f64 {
        secs(u64::try_from(at.saturating_duration_since(self.since).as_millis()).unwrap_or(u64::MAX))
    }

    fn results(&self, segment: &[SpokenWord], settled: bool, flags: (bool, bool, bool)) -> Value {
        let (is_final, speech_final, from_finalize) = flags;
        let count = segment.len();
        let shown = |n: usize, text: &str| {
            let open = n + 1 == count && !settled;
            if open { text.trim_end_matches(['.', ',', '?', '!']).to_owned() } else { text.to_owned() }
        };
        let texts: Vec<String> = segment.iter().enumerate().map(|(n, word)| shown(n, &word.text)).collect();
        let words: Vec<Value> = segment
            .iter()
            .zip(&texts)
            .map(|(word, text)| {
                let bare: String = text.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == '\'').collect();
                json!({"word": bare, "start": self.secs_at(word.from), "end": self.secs_at(word.to),
                    "confidence": 0.98, "punctuated_word": text})
            })
            .collect();
        let start = segment.first().map_or(0.0, |word| self.secs_at(word.from));
        let end = segment.last().map_or(0.0, |word| self.secs_at(word.to));
        json!({
            "type": "Results", "channel_index": [0, 1], "duration": (end - start).max(0.0), "start": start,
            "is_final": is_final, "speech_final": speech_final,
            "channel": {"alternatives": [{"transcript": texts.join(" "),
                "confidence": if texts.is_empty() { 0.0 } else { 0.98 }, "words": words}]},
            "metadata": {"request_id": super::REQUEST_ID, "model_uuid": super::REQUEST_ID,
                "model_info": {"name": "twin", "version": "1", "arch": "twin"}},
            "from_finalize": from_finalize,
        })
    }

    fn push(&mut self, delay_ms: u64, message: &Value) {
        self.outbox.push(Duration::from_millis(delay_ms), Message::Text(message.to_string().into()));
    }
}
