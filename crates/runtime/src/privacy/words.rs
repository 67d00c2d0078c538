//! Numbers and addresses in the words of a call, found and taken out.
//!
//! What is found: four digits and more, with spaces, hyphens and dots in between or spoken one by one, and e-mail addresses,
//! written or spoken ("mira at example dot com"). That is simple on purpose, and finds more than cards: what was a year or a
//! price of four digits goes, too.

use model::privacy::Redaction;
use serde_json::Value;

const DIGITS: &str = "[digits]";
const EMAIL: &str = "[email]";
/// Fewer are hours, days and prices.
const DIGITS_MIN: usize = 4;
const SPOKEN: [&str; 13] =
    ["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double", "triple"];
/// Words between "at" and "dot".
const HOST_WORDS_MAX: usize = 3;
/// Fields of journal entries that hold words of people, models or tools.
const TEXTS: [&str; 5] = ["text", "heard", "args", "result", "digit"];

/// The text without what is wanted out.
pub fn redacted(text: &str, wanted: &[Redaction]) -> String {
    let mut text = text.to_owned();
    if wanted.contains(&Redaction::Emails) {
        text = without_emails(&text);
    }
    if wanted.contains(&Redaction::Digits) {
        text = without_digits(&text);
    }
    text
}

/// A journal entry without what is wanted out. Names, ids and times stay.
pub(super) fn masked_entry(entry: &Value, wanted: &[Redaction]) -> Value {
    let Value::Object(fields) = entry else { return entry.clone() };
    let masked = fields.iter().map(|(name, value)| {
        let value = if TEXTS.contains(&name.as_str()) { masked_value(name, value, wanted) } else { value.clone() };
        (name.clone(), value)
    });
    Value::Object(masked.collect())
}

fn masked_value(name: &str, value: &Value, wanted: &[Redaction]) -> Value {
    match value {
        // A key that was pressed is one sign of a number, and its entry holds one sign.
        Value::String(_) if name == "digit" && wanted.contains(&Redaction::Digits) => Value::String("*".into()),
        Value::String(text) => Value::String(redacted(text, wanted)),
        Value::Number(number) => {
            let text = number.to_string();
            let is_kept = redacted(&text, wanted) == text;
            if is_kept { value.clone() } else { Value::String(DIGITS.into()) }
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| masked_value("", item, wanted)).collect()),
        Value::Object(fields) => {
            let masked = |(key, value): (&String, &Value)| (key.clone(), masked_value("", value, wanted));
            Value::Object(fields.iter().map(masked).collect())
        }
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

/// Words with where they are, punctuation at their ends left out.
fn words(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = None;
    for (at, sign) in text.char_indices().chain([(text.len(), ' ')]) {
        match (sign.is_whitespace(), from) {
            (false, None) => from = Some(at),
            (true, Some(start)) => {
                let word = &text[start..at];
                let left = word.len() - word.trim_start_matches(|sign: char| !sign.is_alphanumeric()).len();
                let kept = word.trim_matches(|sign: char| !sign.is_alphanumeric());
                if !kept.is_empty() {
                    found.push((start + left, start + left + kept.len()));
                }
                from = None;
            }
            _ => {}
        }
    }
    found
}

fn replaced(text: &str, spans: &[(usize, usize)], with: &str) -> String {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (from, to) in spans {
        out.push_str(&text[at..*from]);
        out.push_str(with);
        at = *to;
    }
    out.push_str(&text[at..]);
    out
}

/// How many digits a word is, when it is nothing but digits: written with separators, or spoken.
fn digits_in(word: &str) -> Option<usize> {
    let spoken = word.to_lowercase();
    if SPOKEN.contains(&spoken.as_str()) {
        return Some(1);
    }
    let count = word.chars().filter(char::is_ascii_digit).count();
    let is_number = word.chars().all(|sign| sign.is_ascii_digit() || "-./()+".contains(sign));
    (is_number && count > 0).then_some(count)
}

fn without_digits(text: &str) -> String {
    let words = words(text);
    let (mut spans, mut at) = (Vec::new(), 0);
    while at < words.len() {
        let (from, to) = words[at];
        let word = &text[from..to];
        let Some(mut count) = digits_in(word) else {
            // A number within a word, such as an order's.
            spans.extend(runs(word).into_iter().map(|(start, end)| (from + start, from + end)));
            at += 1;
            continue;
        };
        let (mut last, mut next) = (to, at + 1);
        while let Some((_, to)) = words.get(next).copied().filter(|(from, to)| digits_in(&text[*from..*to]).is_some()) {
            count += digits_in(&text[words[next].0..to]).unwrap_or(0);
            (last, next) = (to, next + 1);
        }
        if count >= DIGITS_MIN {
            spans.push((from, last));
        }
        at = next;
    }
    replaced(text, &spans, DIGITS)
}

/// Runs of digits within a word, with single separators between them, that are long enough.
fn runs(word: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    // From, to, and how many digits.
    let mut run: Option<(usize, usize, usize)> = None;
    for (at, sign) in word.char_indices().chain([(word.len(), ' ')]) {
        match (sign.is_ascii_digit(), run) {
            (true, None) => run = Some((at, at + 1, 1)),
            (true, Some((from, _, count))) => run = Some((from, at + 1, count + 1)),
            (false, Some((_, to, _))) if at == to && "-.".contains(sign) => {}
            (false, Some((from, to, count))) => {
                if count >= DIGITS_MIN {
                    found.push((from, to));
                }
                run = None;
            }
            (false, None) => {}
        }
    }
    found
}

fn without_emails(text: &str) -> String {
    let words = words(text);
    let is =
        |at: usize, word: &str| words.get(at).is_some_and(|(from, to)| text[*from..*to].eq_ignore_ascii_case(word));
    let (mut spans, mut at) = (Vec::new(), 0);
    // The first word that belongs to no address yet.
    let mut free = 0;
    while at < words.len() {
        let (from, to) = words[at];
        let word = &text[from..to];
        let is_written = word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
        if is_written {
            spans.push((from, to));
            at += 1;
            free = at;
            continue;
        }
        // "mira at example dot com", "mira dot lee at example dot co dot uk".
        let host_ends = (at + 3..=at + 2 + HOST_WORDS_MAX).find(|dot| is(*dot, "dot"));
        if let (true, Some(dot)) = (is(at + 1, "at"), host_ends.filter(|dot| dot + 1 < words.len())) {
            let mut last = dot + 1;
            while is(last + 1, "dot") && last + 2 < words.len() {
                last += 2;
            }
            let mut first = at;
            while first >= free + 2 && is(first - 1, "dot") {
                first -= 2;
            }
            spans.push((words[first].0, words[last].1));
            (at, free) = (last + 1, last + 1);
            continue;
        }
        at += 1;
    }
    replaced(text, &spans, EMAIL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const BOTH: [Redaction; 2] = [Redaction::Digits, Redaction::Emails];

    #[test]
    fn numbers_and_addresses_go_and_the_rest_stays() {
        let cases = [
            ("My card is 4111 1111 1111 1111, thanks.", "My card is [digits], thanks."),
            ("It is four eight two one three.", "It is [digits]."),
            ("double four seven nine", "[digits]"),
            ("Call +49 (40) 555-0170 please", "Call +[digits] please"),
            ("Order BL-901771.", "Order BL-[digits]."),
            ("At 9:30 on the 12th, two tickets for 19.90", "At 9:30 on the 12th, two tickets for [digits]"),
            ("two or three", "two or three"),
            ("Write to mira.lee@example.com!", "Write to [email]!"),
            ("It's mira at example dot com.", "It's [email]."),
            ("mira dot lee at example dot co dot uk is it", "[email] is it"),
            ("We meet at the shop.", "We meet at the shop."),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(redacted(text, &BOTH), expected, "{text}");
        }
        assert_eq!(redacted("4111 1111, a@b.example", &[Redaction::Emails]), "4111 1111, [email]");
        assert_eq!(redacted("4111 1111, a@b.example", &[]), "4111 1111, a@b.example");
    }

    #[test]
    fn an_entry_keeps_its_names_ids_and_times() {
        let entry = json!({"entry": "tool_started", "id": 12345, "name": "order_48213",
            "args": {"order": "48213", "count": 2, "card": 41111, "who": ["a@b.example"]}});
        let masked = json!({"entry": "tool_started", "id": 12345, "name": "order_48213",
            "args": {"order": "[digits]", "count": 2, "card": "[digits]", "who": ["[email]"]}});
        assert_eq!(masked_entry(&entry, &BOTH), masked);
        let key = json!({"entry": "dtmf", "digit": "7"});
        assert_eq!(masked_entry(&key, &BOTH), json!({"entry": "dtmf", "digit": "*"}));
        assert_eq!(masked_entry(&key, &[Redaction::Emails]), key);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_text_makes_it_panic_and_no_number_is_left(text in "(?s).{0,80}|([0-9 ]|at |dot |@|é){0,40}") {
            let left = redacted(&text, &BOTH);
            let run = left.split(|sign: char| !sign.is_ascii_digit()).map(str::len).max();
            prop_assert!(run < Some(DIGITS_MIN), "{left:?}");
        }
    }
}
