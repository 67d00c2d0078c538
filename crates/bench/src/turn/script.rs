//! What the callers say, as data: the items of `fixtures/bench/turn.toml`, dealt into calls with a seed.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The script file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    pub seed: u64,
    pub items_per_call: usize,
    pub greeting: String,
    pub again: String,
    pub voices: Vec<f64>,
    pub backgrounds: Vec<String>,
    pub snr_db: Vec<i32>,
    pub fillers: Vec<String>,
    pub lines: Vec<String>,
    pub small_answer: String,
    pub items: Vec<Item>,
}

/// One exchange, with what leads to it and what happens during its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub category: String,
    pub lead: Option<String>,
    pub lead_answer: Option<String>,
    pub say: String,
    pub answer: String,
    #[serde(default)]
    pub events: Vec<Event>,
}

/// Something on the caller's side while the agent speaks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub kind: EventKind,
    pub after_ms: u64,
    #[serde(default)]
    pub say: String,
    #[serde(default)]
    pub answer: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Interruption,
    BackChannel,
    Cough,
    SideTalk,
    Noise,
    Echo,
}

impl EventKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Interruption => "interruption",
            Self::BackChannel => "back_channel",
            Self::Cough => "cough",
            Self::SideTalk => "side_talk",
            Self::Noise => "noise",
            Self::Echo => "echo",
        }
    }
}

/// A call: who calls, from where, and what is said.
#[derive(Clone, Debug)]
pub struct CallPlan {
    pub number: usize,
    pub voice: f64,
    pub background: String,
    pub snr_db: i32,
    pub items: Vec<Item>,
}

/// Which part of the script is played.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub quick: bool,
    pub only: BTreeSet<String>,
}

/// A stretch of the caller's turn: words, then a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub pause_ms: u64,
}

/// `text |700| text` taken apart.
pub fn pieces(say: &str) -> anyhow::Result<Vec<Piece>> {
    let parts: Vec<&str> = say.split('|').map(str::trim).collect();
    if parts.len().is_multiple_of(2) {
        bail!("{say:?}: a pause is written |700| between two stretches of words");
    }
    let pause =
        |n: usize| parts.get(n + 1).map_or(Ok(0), |ms| ms.parse::<u64>()).context(format!("a pause in {say:?}"));
    (0..parts.len()).step_by(2).map(|n| Ok(Piece { text: parts[n].to_owned(), pause_ms: pause(n)? })).collect()
}

/// A small generator, so that a seed gives the same calls everywhere.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Between -1 and 1.
    pub fn noise(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn shuffle<T>(&mut self, values: &mut [T]) {
        for at in (1..values.len()).rev() {
            let other = self.below(at + 1);
            values.swap(at, other);
        }
    }
}

/// A number that depends on nothing but the text.
pub fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Script {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let script: Self = toml::from_str(text).context("the script of the callers")?;
        if script.voices.is_empty() || script.backgrounds.is_empty() || script.snr_db.is_empty() {
            bail!("the script needs voices, backgrounds and snr_db");
        }
        for item in &script.items {
            pieces(&item.say)?;
        }
        Ok(script)
    }

    /// The calls, each item in exactly one.
    pub fn calls(&self, selection: &Selection) -> Vec<CallPlan> {
        let wanted = |item: &Item| {
            selection.only.is_empty()
                || selection.only.contains(&item.category)
                || item.events.iter().any(|event| selection.only.contains(event.kind.name()))
        };
        let mut seen = std::collections::BTreeMap::<&str, usize>::new();
        let mut items: Vec<Item> = Vec::new();
        for item in self.items.iter().filter(|item| wanted(item)) {
            let count = seen.entry(item.category.as_str()).or_default();
            *count += 1;
            // Every fifth of a category, beginning with the first.
            if !selection.quick || *count % 5 == 1 {
                items.push(item.clone());
            }
        }
        let mut dice = Dice::new(self.seed);
        dice.shuffle(&mut items);
        let calls = items.len().div_ceil(self.items_per_call.max(1));
        // Every background meets every distance, in an order of its own.
        let mut settings: Vec<(String, i32)> = Vec::new();
        while settings.len() < calls {
            let mut round: Vec<(String, i32)> = self
                .backgrounds
                .iter()
                .flat_map(|kind| self.snr_db.iter().map(move |snr| (kind.clone(), *snr)))
                .collect();
            dice.shuffle(&mut round);
            settings.extend(round);
        }
        (0..calls)
            .map(|number| CallPlan {
                number,
                voice: self.voices[number % self.voices.len()],
                background: settings[number].0.clone(),
                snr_db: settings[number].1,
                items: items.iter().skip(number).step_by(calls).cloned().collect(),
            })
            .collect()
    }

    /// Everything that the agent may say.
    pub fn agent_texts(&self) -> impl Iterator<Item = &str> {
        let items = self.items.iter().flat_map(|item| {
            let events = item.events.iter().map(|event| event.answer.as_str());
            [item.answer.as_str()].into_iter().chain(item.lead_answer.as_deref()).chain(events)
        });
        let own = self.fillers.iter().chain(&self.lines).map(String::as_str);
        items.chain(own).chain([self.greeting.as_str(), self.small_answer.as_str()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_words_and_pauses() {
        let piece = |text: &str, pause_ms| Piece { text: text.into(), pause_ms };
        assert_eq!(pieces("I want |700| a bike.").unwrap(), [piece("I want", 700), piece("a bike.", 0)]);
        assert!(pieces("I want |700").is_err());
    }

    #[test]
    fn the_script_has_three_hundred_turns_and_every_item_is_in_one_call() {
        let script = Script::parse(include_str!("../../../../fixtures/bench/turn.toml")).unwrap();
        let calls = script.calls(&Selection::default());
        let items: usize = calls.iter().map(|call| call.items.len()).sum();
        assert_eq!(items, script.items.len());
        let turns = |item: &Item| {
            let interruptions = item.events.iter().filter(|event| event.kind == EventKind::Interruption).count();
            1 + usize::from(item.lead.is_some()) + interruptions
        };
        let turns: usize = script.items.iter().map(turns).sum();
        assert!(turns >= 300, "{turns}");
    }
}
