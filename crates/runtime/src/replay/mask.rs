//! Makes up names, numbers and addresses for those of a recorded call, the same one each time it occurs: in the caller's
//! words, in what a brain and tools answered, and in what tools were asked.
//!
//! What is found: runs of three digits or more and of four spoken digits, e-mail addresses, words behind "my name is" and
//! the like, and words with a capital letter inside a sentence, unless the agent's own configuration has them. That is
//! simple on purpose: a name that a recogniser wrote in small letters, and that nobody introduced, stays.
//!
//! A digit is made up from all digits of its run so far and a secret of this run of the program, so that the words of a
//! partial transcript and of the final one still begin alike, and nobody can compute them back.

use engine::io::{CarrierInput, DeskInput, HostInput, Input, SpeechInput};
use model::agent::Agent;
use model::generation::{AwaitedSlot, GenerationEvent};
use serde_json::{Map, Value};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::ops::Range;

/// Made-up names.
const NAMES: [&str; 20] = [
    "Alex", "Kim", "Toni", "Sasha", "Jude", "Nico", "Mika", "Noa", "Ari", "Remy", "Dana", "Jules", "Sky", "Charlie",
    "Jamie", "Taylor", "Quinn", "Rowan", "Casey", "Devon",
];
/// What comes before a name.
const INTRODUCED: [&str; 7] = ["my name is", "name is", "call me", "mr", "mrs", "ms", "dr"];
/// Words with a capital letter that are nobody's.
const EVERYBODYS: [&str; 27] = [
    "i",
    "i'm",
    "i'd",
    "i'll",
    "i've",
    "ok",
    "okay",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "pm",
];
/// Words that follow an introduction and are no name.
const NO_NAMES: [&str; 16] =
    ["a", "an", "the", "not", "in", "on", "at", "to", "of", "for", "and", "is", "it", "here", "with", "still"];
const SPOKEN_DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
/// Shorter runs are hours, days and prices.
const DIGITS_MIN: usize = 3;
const SPOKEN_DIGITS_MIN: usize = 4;

/// Made-up words for those of one call.
pub(super) struct Mask {
    secret: RandomState,
    /// In small letters, with what they become.
    names: BTreeMap<String, String>,
    emails: BTreeMap<String, String>,
    /// The keys pressed in a row.
    keys: String,
    /// What each answer of a brain consists of, by its id.
    answers: BTreeMap<u64, Answer>,
}

/// The text of an answer, masked as a whole, because it comes in pieces that end anywhere.
struct Answer {
    pieces: Vec<(Range<usize>, String)>,
    at: usize,
}

impl Mask {
    /// Looks through a call for what is to be made up.
    pub(super) fn of<'a>(agent: &Agent, inputs: impl Iterator<Item = &'a Input> + Clone) -> Self {
        let own = serde_json::to_string(agent).unwrap_or_default();
        let own: BTreeSet<String> = words(&own).into_iter().map(|range| own[range].to_lowercase()).collect();
        let mut mask = Self {
            secret: RandomState::new(),
            names: BTreeMap::new(),
            emails: BTreeMap::new(),
            keys: String::new(),
            answers: BTreeMap::new(),
        };
        let mut answers: BTreeMap<u64, String> = BTreeMap::new();
        for input in inputs {
            match input {
                Input::Carrier(CarrierInput::Typed { text })
                | Input::Speech(SpeechInput::Partial { text, .. } | SpeechInput::Final { text, .. })
                | Input::Desk(DeskInput::Said { text } | DeskInput::Whisper { text, .. }) => {
                    mask.learn(text.expose(), &own);
                }
                Input::Tool { result: Ok(text), .. } => mask.learn(text, &own),
                Input::Host(HostInput::LineSaid { facts }) => {
                    facts.expose().values().for_each(|value| mask.learn(value, &own));
                }
                Input::Generation { id, event: GenerationEvent::Text { delta } } => {
                    answers.entry(id.0).or_default().push_str(delta);
                }
                _ => {}
            }
        }
        for (id, text) in answers {
            let pieces = mask.pieces(&text);
            mask.answers.insert(id, Answer { pieces, at: 0 });
        }
        mask
    }

    /// Finds names in what a caller said or a tool answered.
    fn learn(&mut self, text: &str, own: &BTreeSet<String>) {
        let mut introduced = 0;
        let spans = words(text);
        for (at, range) in spans.iter().enumerate() {
            let word = text[range.clone()].trim_end_matches("'s");
            let small = word.to_lowercase();
            let before = text[..range.start].trim_end();
            let is_first = before.is_empty() || before.ends_with(['.', '?', '!']);
            let is_capital = word.chars().next().is_some_and(char::is_uppercase);
            let everybodys = own.contains(&small) || EVERYBODYS.contains(&small.as_str());
            let is_name = is_capital && !is_first && !everybodys;
            let follows = introduced > 0 && !everybodys && !NO_NAMES.contains(&small.as_str());
            if (is_name || follows) && word.chars().count() > 1 {
                self.name(&small, own);
            }
            introduced = if follows { introduced - 1 } else { 0 };
            let so_far = spans[at.saturating_sub(2)..=at].iter().map(|range| text[range.clone()].to_lowercase());
            let so_far = so_far.collect::<Vec<_>>().join(" ");
            if INTRODUCED.iter().any(|words| so_far == *words || so_far.ends_with(&format!(" {words}"))) {
                introduced = 2;
            }
        }
    }

    fn name(&mut self, small: &str, own: &BTreeSet<String>) {
        let free = NAMES.iter().filter(|name| !own.contains(&name.to_lowercase()));
        let count = self.names.len();
        let (free, round): (Vec<_>, usize) = (free.collect(), count / NAMES.len());
        let made_up = free.get(count % free.len().max(1)).map_or("Alex", |name| **name);
        let made_up = if round == 0 { made_up.to_owned() } else { format!("{made_up}{}", "o".repeat(round)) };
        self.names.entry(small.to_owned()).or_insert(made_up);
    }

    /// The input with made-up words.
    pub(super) fn input(&mut self, input: &Input) -> Input {
        let is_key = matches!(input, Input::Carrier(CarrierInput::Dtmf { .. }));
        if !is_key && matches!(input, Input::Carrier(_)) {
            self.keys.clear();
        }
        let mut masked = input.clone();
        match &mut masked {
            Input::Carrier(CarrierInput::Typed { text })
            | Input::Speech(SpeechInput::Partial { text, .. } | SpeechInput::Final { text, .. }) => {
                *text = self.text(text.expose()).into();
            }
            Input::Carrier(CarrierInput::Dtmf { digit }) => *digit = base::Pii::new(self.key(*digit.expose())),
            Input::Generation { id, event } => self.generation(id.0, event),
            Input::Desk(DeskInput::Said { text } | DeskInput::Whisper { text, .. }) => {
                *text = self.text(text.expose()).into();
            }
            Input::Tool { result: Ok(text), .. } | Input::Desk(DeskInput::Say { text }) => *text = self.text(text),
            Input::Host(HostInput::LineSaid { facts }) => {
                let masked = facts.expose().iter().map(|(name, value)| (name.clone(), self.text(value)));
                *facts = base::Pii::new(masked.collect());
            }
            _ => {}
        }
        masked
    }

    fn generation(&mut self, id: u64, event: &mut GenerationEvent) {
        match event {
            GenerationEvent::Text { delta } => {
                if let Some(answer) = self.answers.get_mut(&id) {
                    let here = answer.at..answer.at + delta.len();
                    answer.at = here.end;
                    // A piece belongs to the delta in which it begins.
                    let pieces = answer.pieces.iter().filter(|(range, _)| here.contains(&range.start));
                    *delta = pieces.map(|(_, text)| text.as_str()).collect();
                }
            }
            GenerationEvent::ToolCall { args, .. } => self.json(args),
            GenerationEvent::NeedSlot(AwaitedSlot { args, .. }) => self.fields(args),
            _ => {}
        }
    }

    fn json(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Value::Object(fields) => self.fields(fields),
            Value::Number(number) => {
                let text = number.to_string();
                if text.len() >= DIGITS_MIN && text.bytes().all(|digit| digit.is_ascii_digit()) {
                    // A number does not begin with a zero.
                    let masked = self.digits(&text).trim_start_matches('0').parse::<u64>().unwrap_or(1);
                    *value = Value::from(masked);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn fields(&mut self, fields: &mut Map<String, Value>) {
        fields.values_mut().for_each(|value| self.json(value));
    }

    /// A short number that was keyed in is a choice in a menu; what comes behind is masked.
    fn key(&mut self, key: char) -> char {
        if !key.is_ascii_digit() {
            self.keys.clear();
            return key;
        }
        self.keys.push(key);
        if self.keys.len() < DIGITS_MIN { key } else { self.digit(&self.keys) }
    }

    fn text(&mut self, text: &str) -> String {
        self.pieces(text).into_iter().map(|(_, piece)| piece).collect()
    }

    /// The whole text in pieces, each with its place in the original.
    fn pieces(&mut self, text: &str) -> Vec<(Range<usize>, String)> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let is_begin = !text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
            let (length, piece) = if let Some(length) = email_len(rest).filter(|_| is_begin) {
                (length, self.email(&rest[..length]))
            } else if let Some(length) = digits_len(rest) {
                (length, self.digits(&rest[..length]))
            } else if let Some(length) = spoken_digits_len(rest).filter(|_| is_begin) {
                (length, self.spoken_digits(&rest[..length]))
            } else {
                let length = word_len(rest);
                let word = &rest[..length.max(1).max(rest.chars().next().map_or(1, char::len_utf8))];
                (word.len(), self.word(word))
            };
            pieces.push((at..at + length, piece));
            at += length;
        }
        pieces
    }

    fn word(&self, word: &str) -> String {
        match self.names.get(&word.to_lowercase()) {
            Some(name) if word.chars().next().is_some_and(char::is_uppercase) => name.clone(),
            Some(name) => name.to_lowercase(),
            None => word.to_owned(),
        }
    }

    fn email(&mut self, email: &str) -> String {
        let count = self.emails.len() + 1;
        self.emails.entry(email.to_lowercase()).or_insert_with(|| format!("caller{count}@example.com")).clone()
    }

    /// The last digit of this run.
    fn digit(&self, run: &str) -> char {
        char::from_digit((self.secret.hash_one(run) % 10) as u32, 10).unwrap_or('0')
    }

    fn digits(&self, run: &str) -> String {
        let mut so_far = String::new();
        let made_up = |c: char| {
            if !c.is_ascii_digit() {
                return c;
            }
            so_far.push(c);
            self.digit(&so_far)
        };
        run.chars().map(made_up).collect()
    }

    fn spoken_digits(&self, run: &str) -> String {
        let (mut so_far, mut out, mut at) = (String::new(), String::new(), 0);
        for range in words(run) {
            let digit =
                SPOKEN_DIGITS.iter().position(|word| run[range.clone()].eq_ignore_ascii_case(word)).unwrap_or(0);
            so_far.push(char::from_digit(digit as u32, 10).unwrap_or('0'));
            let made_up = self.digit(&so_far).to_digit(10).unwrap_or(0);
            out.push_str(&run[at..range.start]);
            out.push_str(SPOKEN_DIGITS[made_up as usize]);
            at = range.end;
        }
        out.push_str(&run[at..]);
        out
    }
}

fn word_len(text: &str) -> usize {
    text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len())
}

/// Where words are: letters, and an apostrophe between them.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        match found.last_mut() {
            Some(word) if word.end == at && c.is_alphabetic() => word.end = end,
            Some(word) if word.end + 1 == at && c.is_alphabetic() && text.as_bytes()[word.end] == b'\'' => {
                word.end = end
            }
            _ if c.is_alphabetic() => found.push(at..end),
            _ => {}
        }
    }
    found
}

/// Length of the e-mail address at the beginning.
fn email_len(text: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || "._%+-@".contains(c);
    let token = text[..text.find(|c| !is_part(c)).unwrap_or(text.len())].trim_end_matches(['.', '-']);
    let (user, host) = token.split_once('@')?;
    (!user.is_empty() && host.contains('.')).then_some(token.len())
}

/// Length of the digits at the beginning, single spaces and signs between them included, if they are many enough.
fn digits_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let (mut end, mut count) = (0, 0);
    loop {
        if is_digit(end) {
            count += 1;
            end += 1;
        } else if count > 0 && bytes.get(end).is_some_and(|byte| b" -./".contains(byte)) && is_digit(end + 1) {
            end += 1;
        } else {
            return (count >= DIGITS_MIN).then_some(end);
        }
    }
}

/// Length of the spoken digits at the beginning, if they are many enough.
fn spoken_digits_len(text: &str) -> Option<usize> {
    let (mut end, mut count) = (0, 0);
    for range in words(text) {
        let between = &text[end..range.start];
        let is_digit = SPOKEN_DIGITS.iter().any(|word| text[range.clone()].eq_ignore_ascii_case(word));
        if !is_digit || !between.chars().all(|c| " ,.-".contains(c)) || (count == 0 && range.start > 0) {
            break;
        }
        (end, count) = (range.end, count + 1);
    }
    (count >= SPOKEN_DIGITS_MIN).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{GenerationId, SttStreamId};
    use engine::scenario::demo_agent;

    fn said(text: &str) -> Input {
        Input::Speech(SpeechInput::Final { stream: SttStreamId(1), text: text.into(), finalized: true })
    }

    fn brain(delta: &str) -> Input {
        Input::Generation { id: GenerationId(1), event: GenerationEvent::Text { delta: delta.into() } }
    }

    fn texts(inputs: &[Input]) -> Vec<String> {
        let mut mask = Mask::of(&demo_agent(), inputs.iter());
        let text = |input: &Input| match mask.input(input) {
            Input::Speech(SpeechInput::Final { text, .. }) => text.into_inner(),
            Input::Generation { event: GenerationEvent::Text { delta }, .. } => delta,
            other => panic!("{other:?}"),
        };
        inputs.iter().map(text).collect()
    }

    #[test]
    fn a_number_becomes_another_one_the_same_everywhere_and_hours_stay() {
        let inputs = ["48213", "my order is 48213.", "that is 482 13", "at 10:30 on the 24", "482"].map(said);
        let made_up = texts(&inputs);
        let number = &made_up[0];
        assert!(number.len() == 5 && number != "48213", "{made_up:?}");
        assert_eq!(made_up[1], format!("my order is {number}."));
        assert_eq!(made_up[2], format!("that is {} {}", &number[..3], &number[3..]));
        assert_eq!(made_up[3], "at 10:30 on the 24");
        assert_eq!(made_up[4], number[..3], "what was heard so far begins alike");
    }

    #[test]
    fn spoken_digits_become_others_and_a_count_stays() {
        let made_up =
            texts(&["it is four two four two eight".into(), "two tickets for four".into()].map(|t: String| said(&t)));
        assert!(made_up[0].starts_with("it is ") && made_up[0] != "it is four two four two eight", "{made_up:?}");
        assert_eq!(made_up[0].split(' ').count(), 7);
        assert_eq!(made_up[1], "two tickets for four");
    }

    #[test]
    fn names_and_addresses_go_from_what_everybody_says() {
        let inputs = [
            said("Hi, my name is Priya Raman and I live in Quickborn."),
            said("it is priya.raman@mail.example, not at Bicycles"),
            brain("Thank you, Pri"),
            brain("ya. See you on Monday, Ms Raman"),
            brain("! Mail goes to Priya.Raman@mail.example."),
        ];
        let made_up = texts(&inputs).join("|");
        for leaked in ["riya", "aman", "uickborn", "mail.example"] {
            assert!(!made_up.contains(leaked), "{leaked}: {made_up}");
        }
        assert!(made_up.contains("caller1@example.com") && made_up.contains("on Monday"), "{made_up}");
        let name = made_up.split("my name is ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a name");
        assert!(made_up.contains(&format!("Thank you, {name}")), "{made_up}");
    }

    #[test]
    fn a_name_in_small_letters_is_found_behind_its_introduction() {
        let made_up = texts(&[said("yes my name is priya raman i need help"), said("priya raman again")]);
        assert!(!made_up.concat().contains("priya") && !made_up.concat().contains("raman"), "{made_up:?}");
        assert!(made_up[0].contains("need help"), "{made_up:?}");
    }

    #[test]
    fn a_short_choice_on_the_keypad_stays_and_a_long_number_does_not() {
        let key = |digit: char| Input::Carrier(CarrierInput::Dtmf { digit: base::Pii::new(digit) });
        let keys: Vec<Input> = "4242424242".chars().map(key).collect();
        let mut mask = Mask::of(&demo_agent(), keys.iter());
        let masked: Vec<Input> = keys.iter().map(|input| mask.input(input)).collect();
        assert_eq!(masked[0], keys[0]);
        assert_ne!(masked, keys);
    }
}
