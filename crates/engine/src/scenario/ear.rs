//! What a real ear would tell of a caller's sounds: onset, words, evidence over the agent, lulls, the stop.

use super::parse::{Aside, Breath};
use super::voice::MS_PER_CHAR;
use crate::invariants::CallerSound;
use crate::io::{Overlap, SpeechInput};
use base::limits::OVERLAP_EVERY_MS;

/// Silence after which a lull is told.
const LULL_MS: u64 = 100;
/// Silence after which the end of speech is told.
const STOPPED_MS: u64 = 200;
/// A recogniser's first words of a breath.
const FIRST_WORDS_MS: u64 = 250;
const BREATH_MS_MIN: u64 = 300;
const COUGH_MS: u64 = 300;
/// Voiced audio that the detector needs for an onset.
const ONSET_MS: u64 = 60;

/// Something of a sound, at its time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// The sound begins.
    Begins(CallerSound),
    /// The machine is told.
    Told(SpeechInput),
    /// Told only while the agent is audible.
    OverAgent(Overlap),
    Words {
        text: String,
        is_whole: bool,
    },
    /// The sound is over.
    Ends,
}

/// Everything that a sound makes the ear tell, each with its milliseconds from the onset.
pub(super) type Plan = Vec<(u64, Heard)>;

/// The caller says something to the agent, with pauses.
pub(super) fn says(breaths: &[Breath]) -> Plan {
    let mut plan = Plan::new();
    let mut at_ms = 0;
    let text: Vec<&str> = breaths.iter().flat_map(|breath| breath.text.split_whitespace()).collect();
    let is_listening = text.iter().all(|word| crate::invariants::is_listening(&word.to_lowercase()));
    let sound = if is_listening { CallerSound::Unclear } else { CallerSound::Words };
    for breath in breaths {
        let ms = voiced(&mut plan, at_ms, sound, &breath.text, (breath.text.chars().count() as u64) * MS_PER_CHAR);
        at_ms = stops(&mut plan, at_ms + ms, breath.pause_ms);
    }
    plan
}

/// When a number is given in several breaths, after the first of them: the milliseconds from the onset.
pub(super) fn number(breaths: &[Breath]) -> Option<(u64, u64)> {
    const DIGITS: &[&str] = &["oh", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let (first, rest) = breaths.split_first()?;
    let is_digit = |word: &str| DIGITS.contains(&word.trim_matches(|c: char| !c.is_alphanumeric()));
    let is_number = !rest.is_empty() && rest.iter().all(|breath| breath.text.split_whitespace().all(is_digit));
    let length_ms = |breath: &Breath| (breath.text.chars().count() as u64 * MS_PER_CHAR).max(BREATH_MS_MIN);
    let until_ms = breaths.iter().map(|breath| length_ms(breath) + breath.pause_ms).sum();
    is_number.then(|| (length_ms(first), until_ms))
}

/// The caller makes a sound that is no turn.
pub(super) fn sounds(aside: &Aside) -> Plan {
    let mut plan = Plan::new();
    let clear = |level: f32, echo: f32, voice: f32| (Some(level), echo, voice);
    let (sound, words, ms, (level_db, echo, voice)) = match aside {
        Aside::Hums(words) => (CallerSound::Listening, words.as_str(), 350, clear(-3.0, 0.05, 0.9)),
        Aside::Mumbles(ms) => (CallerSound::Noise, "", *ms, clear(-2.0, 0.05, 0.9)),
        Aside::Coughs => (CallerSound::Noise, "", COUGH_MS, clear(2.0, 0.02, 0.2)),
        Aside::ToOthers(words) => {
            let ms = (words.chars().count() as u64 * MS_PER_CHAR).max(BREATH_MS_MIN);
            (CallerSound::Aside, words.as_str(), ms, clear(-15.0, 0.05, 0.9))
        }
        Aside::Echoes(ms, words) => (CallerSound::Echo, words.as_str(), *ms, clear(-5.0, 0.92, 0.9)),
    };
    let ms = voiced(&mut plan, 0, sound, words, ms);
    stops(&mut plan, ms, 0);
    for (_, heard) in &mut plan {
        if let Heard::OverAgent(overlap) = heard {
            *overlap = Overlap { level_db, echo, voice, ..*overlap };
        }
    }
    plan
}

/// One stretch of voice. Gives its length.
fn voiced(plan: &mut Plan, at_ms: u64, sound: CallerSound, text: &str, ms: u64) -> u64 {
    let ms = if text.is_empty() { ms } else { ms.max(BREATH_MS_MIN) };
    plan.push((at_ms, Heard::Begins(sound)));
    plan.push((at_ms, Heard::Told(SpeechInput::Started)));
    let mut over_ms = 0;
    while over_ms < ms {
        let speech_ms = over_ms + ONSET_MS;
        let overlap = Overlap { speech_ms, level_db: Some(0.0), echo: 0.03, voice: 0.95, late_ms: 0 };
        plan.push((at_ms + over_ms, Heard::OverAgent(overlap)));
        over_ms += OVERLAP_EVERY_MS;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if !words.is_empty() {
        let half = words[..words.len().div_ceil(2)].join(" ");
        plan.push((at_ms + FIRST_WORDS_MS, Heard::Words { text: half, is_whole: false }));
        plan.push((at_ms + ms, Heard::Words { text: text.to_owned(), is_whole: true }));
    }
    ms
}

/// The voice stops, for a while or for good. Gives when it goes on.
fn stops(plan: &mut Plan, at_ms: u64, pause_ms: u64) -> u64 {
    let is_for_good = pause_ms == 0;
    plan.push((at_ms, Heard::Ends));
    if is_for_good || pause_ms > LULL_MS {
        plan.push((at_ms + LULL_MS, Heard::Told(SpeechInput::Lull { silence_ms: LULL_MS })));
    }
    if is_for_good || pause_ms > STOPPED_MS {
        plan.push((at_ms + STOPPED_MS, Heard::Told(SpeechInput::Stopped { silence_ms: STOPPED_MS })));
    }
    at_ms + pause_ms
}
