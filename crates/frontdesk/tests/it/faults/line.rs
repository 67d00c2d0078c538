//! What the caller heard, from the audio alone: when it sounded, and how long it did not.

use carriers::playout::HeardSpan;

/// The rate of the line.
const SAMPLES_PER_MS: usize = 8;
const WINDOW_MS: u64 = 20;
/// Root mean square from which a window is heard; the comfort noise of a line lies far below.
const AUDIBLE_RMS: i64 = 120;
/// Quiet within speech, between words.
const WORD_GAP_MS: u64 = 150;

/// Listens to a line that goes on: what was heard already is not gone through again.
#[derive(Debug, Default)]
pub struct Ear {
    sounds: Vec<HeardSpan>,
    windows: usize,
}

impl Ear {
    /// When something was heard, of all that was heard so far. Pauses between words do not end a stretch.
    pub fn sounds(&mut self, heard: &[i16]) -> &[HeardSpan] {
        let size = WINDOW_MS as usize * SAMPLES_PER_MS;
        for window in heard.chunks_exact(size).skip(self.windows) {
            let energy: i64 = window.iter().map(|sample| i64::from(*sample).pow(2)).sum();
            let from_ms = self.windows as u64 * WINDOW_MS;
            self.windows += 1;
            if energy < AUDIBLE_RMS.pow(2) * size as i64 {
                continue;
            }
            match self.sounds.last_mut() {
                Some(last) if last.to_ms + WORD_GAP_MS >= from_ms => last.to_ms = from_ms + WINDOW_MS,
                _ => self.sounds.push(HeardSpan { from_ms, to_ms: from_ms + WINDOW_MS }),
            }
        }
        &self.sounds
    }
}

/// A silence of the agent's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    pub ms: u64,
    pub place: String,
}

/// The longest silence in a turn of the agent's that was its own from `from_ms` on and ended when the caller spoke again at
/// `to_ms`. What comes after the agent's last sound is the caller's to end.
pub fn longest(sounds: &[HeardSpan], from_ms: u64, to_ms: u64, before: &str) -> Silence {
    let inside: Vec<_> = sounds.iter().filter(|span| span.to_ms > from_ms && span.from_ms < to_ms).collect();
    let Some(first) = inside.first() else {
        return Silence { ms: to_ms.saturating_sub(from_ms), place: format!("{before}: nothing was heard") };
    };
    let begin =
        Silence { ms: first.from_ms.saturating_sub(from_ms), place: format!("{before}: until the first sound") };
    let gaps = inside.windows(2).map(|pair| Silence {
        ms: pair[1].from_ms - pair[0].to_ms,
        place: format!("{before}: {} ms into the answer", pair[0].to_ms - first.from_ms),
    });
    gaps.fold(begin, |longest, gap| if gap.ms > longest.ms { gap } else { longest })
}

#[test]
fn a_hiss_is_silence_and_a_pause_between_words_is_none() {
    let word =
        |ms: usize| (0..ms * SAMPLES_PER_MS).map(|n| if n % 8 < 4 { 3_000 } else { -3_000 }).collect::<Vec<i16>>();
    let hiss = |ms: usize| (0..ms * SAMPLES_PER_MS).map(|n| (n % 7) as i16 * 10 - 30).collect::<Vec<i16>>();
    let heard = [hiss(400), word(200), hiss(100), word(100), hiss(600), word(100)].concat();
    let mut ear = Ear::default();
    ear.sounds(&heard[..5_000]);
    let sounds = ear.sounds(&heard).to_vec();
    assert_eq!(sounds, [HeardSpan { from_ms: 400, to_ms: 800 }, HeardSpan { from_ms: 1_400, to_ms: 1_500 }]);
    let silence = longest(&sounds, 100, 5_000, "first");
    assert_eq!(silence, Silence { ms: 600, place: "first: 400 ms into the answer".into() });
    assert_eq!(longest(&sounds, 1_600, 2_000, "last").ms, 400);
}
