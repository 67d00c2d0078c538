//! The other end's loudspeaker, as a pure model: a queue of audio and marks that a clock plays at exactly real time.
//!
//! Simulated callers and platform twins use it to know what a caller heard, and when. No jitter: audio that arrives at a
//! quiet moment sounds at once.

use std::collections::VecDeque;

/// Below this peak (-36 dBFS) a frame is comfort noise or a place in the background, and no voice.
pub const BACKGROUND_PEAK: u16 = 500;

/// A pause in audio that goes on is a pause in somebody's speech while it is no longer than this.
const SPEECH_PAUSE_MS: u64 = 300;

/// Audio and marks wait in one queue, as they do at a phone platform.
#[derive(Debug)]
enum Item {
    Audio { pcm: Vec<i16>, is_voice: bool },
    Mark(String),
}

/// A stretch of agent audio that was heard without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardSpan {
    /// When it began, in milliseconds of the model's clock.
    pub from_ms: u64,
    /// When it ended.
    pub to_ms: u64,
}

/// A mark that was reached by playing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayedMark {
    /// When, in milliseconds of the model's clock.
    pub at_ms: u64,
    /// Its name.
    pub name: String,
}

/// A playout queue at a fixed rate. Rates are whole multiples of 1 kHz, so a millisecond is a whole number of samples.
#[derive(Debug)]
pub struct Playout {
    samples_per_ms: u64,
    now_ms: u64,
    queue: VecDeque<Item>,
    queued_samples: u64,
    queued_voice_samples: u64,
    played_of_front: usize,
    voice_peak_min: u16,
    /// Since when there was always audio to play.
    unbroken_from: u64,
    heard: Vec<i16>,
    heard_max: usize,
    spans: Vec<HeardSpan>,
}

impl Playout {
    /// An empty queue at `rate_hz` whose clock stands at zero.
    pub fn new(rate_hz: u32) -> Self {
        let samples_per_ms = u64::from(rate_hz / 1000).max(1);
        Self {
            samples_per_ms,
            now_ms: 0,
            queue: VecDeque::new(),
            queued_samples: 0,
            queued_voice_samples: 0,
            played_of_front: 0,
            voice_peak_min: 0,
            unbroken_from: 0,
            heard: Vec::new(),
            heard_max: (base::limits::RECORDING_MS_MAX * samples_per_ms) as usize,
            spans: Vec::new(),
        }
    }

    /// Takes pieces of audio that stay below this peak for what they are to a listener: background, in which nobody speaks.
    #[must_use]
    pub fn with_background_below(mut self, peak: u16) -> Self {
        self.voice_peak_min = peak;
        self
    }

    /// Lets the clock reach `now_ms`; returns the marks that were reached on the way. A clock never goes back.
    pub fn advance(&mut self, now_ms: u64) -> Vec<PlayedMark> {
        let mut marks = Vec::new();
        let mut at = self.now_ms * self.samples_per_ms;
        let end = now_ms.max(self.now_ms) * self.samples_per_ms;
        loop {
            match self.queue.front() {
                Some(Item::Mark(name)) => {
                    marks.push(PlayedMark { at_ms: at / self.samples_per_ms, name: name.clone() });
                    self.queue.pop_front();
                }
                Some(Item::Audio { pcm, is_voice }) if at < end => {
                    let left = pcm.len() - self.played_of_front;
                    let taken = left.min((end - at) as usize);
                    let played = &pcm[self.played_of_front..self.played_of_front + taken];
                    let room = self.heard_max.saturating_sub(self.heard.len());
                    self.heard.extend_from_slice(&played[..taken.min(room)]);
                    if *is_voice {
                        let pause = at.saturating_sub(SPEECH_PAUSE_MS * self.samples_per_ms).max(self.unbroken_from);
                        let joins_from = if self.voice_peak_min == 0 { at } else { pause };
                        note_span(&mut self.spans, joins_from, at, at + taken as u64, self.samples_per_ms);
                        self.queued_voice_samples -= taken as u64;
                    }
                    at += taken as u64;
                    self.queued_samples -= taken as u64;
                    self.played_of_front += taken;
                    if taken == left {
                        self.queue.pop_front();
                        self.played_of_front = 0;
                    }
                }
                Some(Item::Audio { .. }) => break,
                None => {
                    let silent = (end - at) as usize;
                    if silent > 0 {
                        self.unbroken_from = end;
                    }
                    let room = self.heard_max.saturating_sub(self.heard.len());
                    self.heard.resize(self.heard.len() + silent.min(room), 0);
                    break;
                }
            }
        }
        self.now_ms = now_ms.max(self.now_ms);
        marks
    }

    /// Queues audio behind what waits. Call [`Playout::advance`] first, so that it cannot sound in the past.
    pub fn push_audio(&mut self, pcm: &[i16]) {
        if !pcm.is_empty() {
            let is_voice = pcm.iter().any(|sample| sample.unsigned_abs() >= self.voice_peak_min);
            self.queued_samples += pcm.len() as u64;
            self.queued_voice_samples += if is_voice { pcm.len() as u64 } else { 0 };
            self.queue.push_back(Item::Audio { pcm: pcm.to_vec(), is_voice });
        }
    }

    /// Queues a mark behind what waits; it is reached at once when nothing waits, at the next [`Playout::advance`].
    pub fn push_mark(&mut self, name: &str) {
        self.queue.push_back(Item::Mark(name.to_owned()));
    }

    /// Throws away what was not played and returns the names of the marks that were in it.
    pub fn clear(&mut self) -> Vec<String> {
        (self.queued_samples, self.queued_voice_samples) = (0, 0);
        self.played_of_front = 0;
        self.queue
            .drain(..)
            .filter_map(|item| match item {
                Item::Mark(name) => Some(name),
                Item::Audio { .. } => None,
            })
            .collect()
    }

    /// The clock.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// How much audio waits.
    pub fn queued_ms(&self) -> u64 {
        self.queued_samples / self.samples_per_ms
    }

    /// How much of it is more than background.
    pub fn queued_voice_ms(&self) -> u64 {
        self.queued_voice_samples / self.samples_per_ms
    }

    /// Everything heard since the clock stood at zero, quiet moments as zeros.
    pub fn heard(&self) -> &[i16] {
        &self.heard
    }

    /// When agent audio was heard, without the background. Two spans are never adjacent: between them the line was quiet.
    pub fn spans(&self) -> &[HeardSpan] {
        &self.spans
    }

    /// The longest quiet moment between two spans that lie within `from_ms..to_ms`.
    pub fn longest_gap_ms(&self, from_ms: u64, to_ms: u64) -> u64 {
        let inside: Vec<_> = self.spans.iter().filter(|span| span.from_ms >= from_ms && span.to_ms <= to_ms).collect();
        inside.windows(2).map(|pair| pair[1].from_ms - pair[0].to_ms).max().unwrap_or(0)
    }
}

/// Voice sounded `from..to`; it belongs to a span that ended at `joins_from` or later.
fn note_span(spans: &mut Vec<HeardSpan>, joins_from: u64, from: u64, to: u64, samples_per_ms: u64) {
    let (from_ms, to_ms) = (from / samples_per_ms, to.div_ceil(samples_per_ms));
    match spans.last_mut() {
        Some(last) if last.to_ms >= joins_from / samples_per_ms => last.to_ms = to_ms,
        _ => spans.push(HeardSpan { from_ms, to_ms }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_reached_when_everything_before_it_was_played() {
        let mut playout = Playout::new(8000);
        playout.advance(100);
        playout.push_audio(&[7; 320]);
        playout.push_mark("a");
        assert_eq!(playout.advance(139), []);
        assert_eq!(playout.advance(150), [PlayedMark { at_ms: 140, name: "a".into() }]);
        assert_eq!(playout.spans(), [HeardSpan { from_ms: 100, to_ms: 140 }]);
        assert_eq!(playout.heard().len(), 150 * 8);
        assert_eq!(playout.heard().iter().filter(|sample| **sample == 7).count(), 320);
    }

    #[test]
    fn a_mark_behind_nothing_is_reached_at_once() {
        let mut playout = Playout::new(8000);
        playout.push_mark("now");
        assert_eq!(playout.advance(0), [PlayedMark { at_ms: 0, name: "now".into() }]);
    }

    #[test]
    fn clearing_stops_the_audio_and_hands_back_the_marks() {
        let mut playout = Playout::new(16000);
        playout.push_audio(&[1; 16 * 100]);
        playout.push_mark("late");
        playout.advance(30);
        assert_eq!(playout.queued_ms(), 70);
        assert_eq!(playout.clear(), ["late"]);
        assert_eq!(playout.advance(200), []);
        assert_eq!(playout.spans(), [HeardSpan { from_ms: 0, to_ms: 30 }]);
    }

    #[test]
    fn background_is_heard_but_is_nobodys_voice() {
        let mut playout = Playout::new(8000).with_background_below(BACKGROUND_PEAK);
        playout.push_audio(&[40; 160]);
        playout.push_audio(&[4_000; 160]);
        playout.push_audio(&[40; 160]);
        assert_eq!((playout.queued_ms(), playout.queued_voice_ms()), (60, 20));
        playout.advance(50);
        assert_eq!((playout.queued_ms(), playout.queued_voice_ms()), (10, 0));
        assert_eq!(playout.spans(), [HeardSpan { from_ms: 20, to_ms: 40 }]);
        assert!(playout.heard().iter().all(|sample| *sample != 0));
    }

    #[test]
    fn a_pause_between_two_words_is_no_end_of_speech_but_a_gap_in_the_audio_is() {
        let mut playout = Playout::new(8000).with_background_below(BACKGROUND_PEAK);
        for sample in [4_000, 40, 4_000] {
            playout.push_audio(&vec![sample; 8 * 100]);
        }
        playout.advance(310);
        playout.push_audio(&[4_000; 8 * 100]);
        playout.advance(410);
        for sample in [40, 40, 40, 40, 4_000] {
            playout.push_audio(&vec![sample; 8 * 100]);
        }
        playout.advance(1_000);
        let spans: Vec<_> = playout.spans().iter().map(|span| (span.from_ms, span.to_ms)).collect();
        assert_eq!(spans, [(0, 300), (310, 410), (810, 910)]);
    }

    #[test]
    fn a_gap_is_the_quiet_between_two_spans() {
        let mut playout = Playout::new(8000);
        playout.push_audio(&[1; 160]);
        playout.advance(55);
        playout.push_audio(&[1; 160]);
        playout.advance(100);
        assert_eq!(playout.longest_gap_ms(0, 100), 35);
    }
}
