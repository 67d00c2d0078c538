//! What twins of recognisers hear: utterances found in the audio by their energy, the n-th of them being the n-th line of a
//! script.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const WINDOW_MS: u64 = 20;
const ONSET_MS: u64 = 40;
const PARTIAL_EVERY_MS: u64 = 200;
/// Root mean square of a window from which it counts as speech.
const SPEECH_RMS: f64 = 300.0;

/// The lines that callers say. Clones go on where the others stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    lines: Arc<Vec<String>>,
    next: Arc<AtomicUsize>,
}

impl Script {
    pub(crate) fn new(lines: Vec<String>) -> Self {
        Self { lines: Arc::new(lines), next: Arc::default() }
    }

    fn take(&self) -> String {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        self.lines.get(at).cloned().unwrap_or_default()
    }
}

/// What is made of the audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Partial(String),
    Final(String),
}

/// One stream of audio.
pub(crate) struct Hearing {
    script: Script,
    sample_rate_hz: u32,
    /// Silence that ends an utterance.
    endpoint_ms: u64,
    window: Vec<i16>,
    voiced_run_ms: u64,
    silence_ms: u64,
    /// The line that is being said, how long it has been, and how many of its words were told.
    utterance: Option<(String, u64, usize)>,
}

impl Hearing {
    pub(crate) fn new(script: Script, sample_rate_hz: u32, endpoint_ms: u64) -> Self {
        let window = Vec::new();
        Self { script, sample_rate_hz, endpoint_ms, window, voiced_run_ms: 0, silence_ms: 0, utterance: None }
    }

    pub(crate) fn push(&mut self, pcm: &[i16]) -> Vec<Said> {
        let length = (u64::from(self.sample_rate_hz) * WINDOW_MS / 1_000).max(1) as usize;
        let mut said = Vec::new();
        for sample in pcm {
            self.window.push(*sample);
            if self.window.len() == length {
                let power: f64 = self.window.iter().map(|sample| f64::from(*sample).powi(2)).sum();
                self.window.clear();
                said.extend(self.window((power / length as f64).sqrt() >= SPEECH_RMS));
            }
        }
        said
    }

    /// What was not said to its end, when the stream ends.
    pub(crate) fn finish(&mut self) -> Option<String> {
        self.utterance.take().map(|(line, ..)| line)
    }

    fn window(&mut self, voiced: bool) -> Option<Said> {
        if voiced {
            self.voiced_run_ms += WINDOW_MS;
            self.silence_ms = 0;
        } else {
            self.voiced_run_ms = 0;
            self.silence_ms += WINDOW_MS;
        }
        let Some((line, spoken_ms, told)) = self.utterance.as_mut() else {
            if self.voiced_run_ms >= ONSET_MS {
                self.utterance = Some((self.script.take(), 0, 0));
            }
            return None;
        };
        *spoken_ms += WINDOW_MS;
        let due = (*spoken_ms / PARTIAL_EVERY_MS) as usize;
        if voiced && due > *told {
            let words: Vec<&str> = line.split_whitespace().take(due).collect();
            *told = due;
            return (!words.is_empty()).then(|| Said::Partial(words.join(" ")));
        }
        if self.silence_ms >= self.endpoint_ms {
            return self.finish().map(Said::Final);
        }
        None
    }
}
