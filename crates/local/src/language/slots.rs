//! Arguments of tools from a customer's words: ids as typed or spelt aloud, choices, days. Pure.
//!
//! A value is only ever what the customer said, brought into the form the tool wants.

use super::phrases;
use super::words::{find_phrase, words};
use model::tool::{ChoiceOption, Parameter, ParameterKind};
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use std::ops::Range;

/// Spoken tokens that one id may span.
const ID_TOKENS_MAX: usize = 24;
/// Size of a compiled expression, so that a business cannot configure a slow one.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// A value and the words it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The value the tool gets.
    pub value: Value,
    /// Bytes of the utterance.
    pub at: Range<usize>,
}

/// The value of a parameter in an utterance, if there is exactly one way to read it.
pub fn find(parameter: &Parameter, utterance: &str) -> Option<Found> {
    match &parameter.kind {
        ParameterKind::Text => None,
        ParameterKind::Pattern { regex } => find_id(regex, utterance),
        ParameterKind::Choice { options } => find_choice(options, utterance),
        // "Two" in a sentence says nothing about what it counts: it is asked for.
        ParameterKind::Number { .. } | ParameterKind::YesNo { .. } => None,
        ParameterKind::Day => find_day(utterance).map(|day| Found { value: Value::String(day), at: 0..0 }),
    }
}

/// What a customer's answer to the question for a number, or for yes or no, comes to.
pub fn answered(parameter: &Parameter, answer: &str) -> Option<Value> {
    match &parameter.kind {
        ParameterKind::Number { .. } => {
            let said = answer.split(|sign: char| !sign.is_ascii_digit() && sign != '.');
            let mut numbers = said.map(|word| word.trim_matches('.')).filter(|word| !word.is_empty());
            let first = numbers.next().map(str::to_owned).or_else(|| number_word(answer));
            first.filter(|_| numbers.next().is_none()).map(Value::String)
        }
        ParameterKind::YesNo { yes, no } => {
            let said = words(answer);
            let holds = |list: &[String]| list.iter().any(|word| said.contains(&word.to_lowercase()));
            match (phrases::is_yes(answer) || holds(yes), phrases::is_no(answer) || holds(no)) {
                (true, false) => Some(Value::Bool(true)),
                (false, true) => Some(Value::Bool(false)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A number up to twelve that was written as a word.
fn number_word(answer: &str) -> Option<String> {
    const WORDS: [&str; 12] =
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let said = words(answer);
    let mut found = WORDS.iter().zip(1..).filter(|(word, _)| said.iter().any(|one| one == *word));
    let first = found.next().map(|(_, number): (_, u32)| number.to_string());
    first.filter(|_| found.next().is_none())
}

/// The one option whose words occur; of two, the one whose words hold the other's.
fn find_choice(options: &[ChoiceOption], utterance: &str) -> Option<Found> {
    let said = words(utterance);
    let heard = |option: &ChoiceOption| {
        std::iter::once(&option.value)
            .chain(&option.said)
            .filter(|phrase| find_phrase(&said, phrase).is_some())
            .max_by_key(|phrase| phrase.len())
            .map(|phrase| words(phrase))
    };
    let heard: Vec<(&ChoiceOption, Vec<String>)> = options.iter().filter_map(|o| Some((o, heard(o)?))).collect();
    let mut meant = heard.iter().filter(|(option, phrase)| {
        !heard.iter().any(|(other, longer)| {
            other.value != option.value
                && longer.len() > phrase.len()
                && find_phrase(longer, &phrase.join(" ")).is_some()
        })
    });
    match (meant.next(), meant.next()) {
        (Some((option, _)), None) => Some(Found { value: Value::String(option.value.clone()), at: 0..0 }),
        _ => None,
    }
}

/// Whether an utterance holds something that looks like an id, though perhaps not a right one.
pub fn looks_like_id(utterance: &str) -> bool {
    tokens(utterance).iter().filter(|t| matches!(t.kind, Kind::Digits(_))).count() > 0
}

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    at: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Digits, written or spoken.
    Digits(String),
    /// "ten" to "ninety"; a following single digit belongs to the last.
    Tens(u32),
    /// Up to four letters, which may be spelt.
    Letters(String),
    /// "double", "triple": the next one digit or letter so many times.
    Repeat(usize),
    /// "dash".
    Separator,
    /// "to", "for": a digit where digits stand on both sides.
    Homophone(&'static str, String),
    /// Anything else.
    Other,
}

fn kind(word: &str) -> Kind {
    const DIGITS: &[(&str, &str)] = &[
        ("zero", "0"),
        ("oh", "0"),
        ("nought", "0"),
        ("one", "1"),
        ("two", "2"),
        ("three", "3"),
        ("four", "4"),
        ("five", "5"),
        ("six", "6"),
        ("seven", "7"),
        ("eight", "8"),
        ("nine", "9"),
        ("niner", "9"),
    ];
    const TENS: &[(&str, u32)] = &[
        ("ten", 10),
        ("eleven", 11),
        ("twelve", 12),
        ("thirteen", 13),
        ("fourteen", 14),
        ("fifteen", 15),
        ("sixteen", 16),
        ("seventeen", 17),
        ("eighteen", 18),
        ("nineteen", 19),
        ("twenty", 20),
        ("thirty", 30),
        ("forty", 40),
        ("fourty", 40),
        ("fifty", 50),
        ("sixty", 60),
        ("seventy", 70),
        ("eighty", 80),
        ("ninety", 90),
    ];
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return Kind::Digits(word.to_owned());
    }
    if let Some((_, digit)) = DIGITS.iter().find(|d| d.0 == word) {
        return Kind::Digits((*digit).to_owned());
    }
    if let Some((_, value)) = TENS.iter().find(|d| d.0 == word) {
        return Kind::Tens(*value);
    }
    match word {
        "double" => Kind::Repeat(2),
        "triple" | "treble" => Kind::Repeat(3),
        "dash" | "hyphen" | "minus" | "slash" => Kind::Separator,
        "to" | "too" => Kind::Homophone("2", word.to_owned()),
        "for" | "fore" => Kind::Homophone("4", word.to_owned()),
        "ate" => Kind::Homophone("8", word.to_owned()),
        "won" => Kind::Homophone("1", word.to_owned()),
        "o" => Kind::Homophone("0", word.to_owned()),
        _ if word.len() <= 4 && word.bytes().all(|b| b.is_ascii_lowercase()) => Kind::Letters(word.to_owned()),
        _ => Kind::Other,
    }
}

/// Runs of letters or of digits, with their places.
fn tokens(utterance: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut run: Option<(Range<usize>, bool)> = None;
    let mut push = |run: Option<(Range<usize>, bool)>| {
        if let Some((at, _)) = run {
            found.push(Token { kind: kind(&utterance[at.clone()].to_lowercase()), at });
        }
    };
    for (offset, c) in utterance.char_indices() {
        let end = offset + c.len_utf8();
        let digit = c.is_ascii_digit();
        match &mut run {
            Some((at, was_digit)) if c.is_alphanumeric() && *was_digit == digit => at.end = end,
            _ => {
                push(run.take());
                run = c.is_alphanumeric().then_some((offset..end, digit));
            }
        }
    }
    push(run);
    found
}

/// What a run of tokens spells, or `None` if one of them cannot be part of an id. With `leading`, a word at the beginning
/// that sounds like a digit is one: recognisers write "four eight two one three" as "for 8213".
fn spell(tokens: &[Token], leading: bool) -> Option<String> {
    let mut text = String::new();
    let mut repeat = 1;
    let mut tens: Option<u32> = None;
    let digits = |kind: Option<&Kind>| matches!(kind, Some(Kind::Digits(_) | Kind::Tens(_) | Kind::Repeat(_)));
    for (index, token) in tokens.iter().enumerate() {
        let piece = match &token.kind {
            Kind::Digits(piece) => match tens.take() {
                Some(value) if value >= 20 && piece.len() == 1 && piece != "0" => {
                    text.push_str(&(value / 10).to_string());
                    piece.clone()
                }
                Some(value) => {
                    text.push_str(&value.to_string());
                    piece.clone()
                }
                None => piece.clone(),
            },
            Kind::Homophone(digit, _)
                if index.checked_sub(1).map_or(leading, |before| digits(Some(&tokens[before].kind)))
                    && digits(tokens.get(index + 1).map(|t| &t.kind)) =>
            {
                (*digit).to_owned()
            }
            Kind::Tens(value) => {
                if let Some(before) = tens.replace(*value) {
                    text.push_str(&before.to_string());
                }
                continue;
            }
            Kind::Repeat(times) => {
                repeat = *times;
                continue;
            }
            Kind::Separator => continue,
            Kind::Letters(letters) | Kind::Homophone(_, letters) => letters.to_uppercase(),
            Kind::Other => return None,
        };
        if let Some(value) = tens.take() {
            text.push_str(&value.to_string());
        }
        if repeat > 1 && piece.len() != 1 {
            return None;
        }
        text.push_str(&piece.repeat(repeat));
        repeat = 1;
    }
    if let Some(value) = tens {
        text.push_str(&value.to_string());
    }
    Some(text)
}

/// The same with a hyphen wherever letters and digits meet.
fn hyphenated(id: &str) -> String {
    let mut text = String::with_capacity(id.len() + 2);
    let mut before: Option<char> = None;
    for c in id.chars() {
        if before.is_some_and(|b| b.is_ascii_digit() != c.is_ascii_digit()) {
            text.push('-');
        }
        text.push(c);
        before = Some(c);
    }
    text
}

fn whole(regex: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{regex})$")).case_insensitive(true).size_limit(REGEX_BYTES_MAX).build().ok()
}

/// The longest reading; of several ids the last, because people correct themselves.
fn find_id(regex: &str, utterance: &str) -> Option<Found> {
    let regex = whole(regex)?;
    let tokens = tokens(utterance);
    // A word is only taken for a digit when nothing else makes an id.
    read_ids(&regex, utterance, &tokens, false).or_else(|| read_ids(&regex, utterance, &tokens, true))
}

fn read_ids(regex: &Regex, utterance: &str, tokens: &[Token], leading: bool) -> Option<Found> {
    let numeric = |t: &Token| matches!(t.kind, Kind::Digits(_) | Kind::Tens(_) | Kind::Repeat(_));
    let mut best: Option<(usize, Found)> = None;
    for start in 0..tokens.len() {
        // An id cut out of a longer number is a different number.
        if start > 0 && numeric(&tokens[start]) && numeric(&tokens[start - 1]) {
            continue;
        }
        for end in (start + 1..=tokens.len().min(start + ID_TOKENS_MAX)).rev() {
            if end < tokens.len() && numeric(&tokens[end - 1]) && numeric(&tokens[end]) {
                continue;
            }
            let at = tokens[start].at.start..tokens[end - 1].at.end;
            let Some(id) = read_id(regex, &utterance[at.clone()], &tokens[start..end], leading) else { continue };
            if best.as_ref().is_none_or(|(length, found)| at.start >= found.at.end || id.len() > *length) {
                best = Some((id.len(), Found { value: Value::String(id), at }));
            }
        }
    }
    best.map(|(_, found)| found)
}

/// As written, as spelt, or as spelt with a hyphen where letters and digits meet.
fn read_id(regex: &Regex, written: &str, tokens: &[Token], leading: bool) -> Option<String> {
    if !tokens.iter().any(|t| matches!(t.kind, Kind::Digits(_) | Kind::Tens(_))) {
        return regex.is_match(written).then(|| written.to_uppercase());
    }
    if regex.is_match(written) {
        return Some(written.to_uppercase());
    }
    let spelt = spell(tokens, leading)?;
    let hyphens = hyphenated(&spelt);
    [spelt, hyphens].into_iter().find(|id| regex.is_match(id))
}

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Those that are no other word.
const ABBREVIATIONS: [&str; 6] = ["tue", "tues", "thu", "thur", "thurs", "fri"];
const MONTHS: [&str; 12] = [
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
];
const ORDINALS: [&str; 20] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
];

/// A day as the customer named it; weekdays with a capital, dates as "5 May". The last one said counts, because people
/// correct themselves ("Monday, no, Tuesday").
fn find_day(utterance: &str) -> Option<String> {
    let said = words(utterance);
    if let Some(date) = find_date(&said) {
        return Some(date);
    }
    if find_phrase(&said, "day after tomorrow").is_some() {
        return Some("day after tomorrow".into());
    }
    said.iter().rev().find_map(|word| {
        let weekday = WEEKDAYS.iter().find(|day| {
            let day = day.to_lowercase();
            let short = ABBREVIATIONS.contains(&word.as_str()) && day.starts_with(word.as_str());
            *word == day || *word == format!("{day}s") || short
        });
        match word.as_str() {
            "today" | "tomorrow" | "tonight" => Some(word.replace("tonight", "today")),
            _ => weekday.map(|day| (*day).to_owned()),
        }
    })
}

fn find_date(said: &[String]) -> Option<String> {
    let day_number = |word: &str| -> Option<u32> {
        let digits = word.trim_end_matches(['s', 't', 'n', 'd', 'r', 'h']);
        let number = digits
            .parse()
            .ok()
            .or_else(|| ORDINALS.iter().position(|o| *o == word).and_then(|at| u32::try_from(at + 1).ok()))?;
        (1..=31).contains(&number).then_some(number)
    };
    said.iter().enumerate().find_map(|(at, word)| {
        let month = MONTHS.iter().position(|m| m == word)?;
        let before = at.checked_sub(1).map(|i| said[i].as_str());
        let before = if before == Some("of") { at.checked_sub(2).map(|i| said[i].as_str()) } else { before };
        let after = said.get(at + 1).map(String::as_str);
        let after = if after == Some("the") { said.get(at + 2).map(String::as_str) } else { after };
        let number = before.and_then(day_number).or_else(|| after.and_then(day_number))?;
        let name = MONTHS[month];
        Some(format!("{number} {}{}", name[..1].to_uppercase(), &name[1..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(utterance: &str) -> Option<String> {
        find_id(r"(?:BL-)?\d{5}", utterance).map(|f| f.value.as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn ids_are_read_as_typed_and_as_spelt_aloud() {
        for (said, expected) in [
            ("Where is my order 48213?", "48213"),
            ("it is bl-90177, thanks", "BL-90177"),
            ("BL90177", "BL-90177"),
            ("b l nine oh one seven seven", "BL-90177"),
            ("b l 9 0 1 7 7", "BL-90177"),
            ("B. L. dash 90177", "BL-90177"),
            ("four eight two one three", "48213"),
            ("four eight to one three", "48213"),
            ("forty eight two thirteen", "48213"),
            ("double five one two zero", "55120"),
            ("it's 48 213", "48213"),
            ("seven seven double oh one", "77001"),
            ("my order for 4 8 2 1 3 please", "48213"),
            ("it is 48213 no sorry 31337", "31337"),
        ] {
            assert_eq!(id(said).as_deref(), Some(expected), "{said}");
        }
    }

    #[test]
    fn an_id_is_never_cut_out_of_a_longer_number_or_made_up() {
        for said in
            ["my number is 01705551234", "call me on 0 1 7 0 5 5 5", "4821", "I want to go there", "", "four eight"]
        {
            assert_eq!(id(said), None, "{said}");
        }
    }

    #[test]
    fn choices_are_meant_by_their_words_and_never_guessed() {
        let option = |value: &str, said: &[&str]| ChoiceOption {
            value: value.into(),
            said: said.iter().map(|s| (*s).to_owned()).collect(),
        };
        let parameter = Parameter {
            name: "service".into(),
            description: String::new(),
            kind: ParameterKind::Choice {
                options: vec![option("basic", &["small"]), option("full", &["big", "complete"])],
            },
            required: true,
            ask: None,
        };
        let value = |said: &str| find(&parameter, said).map(|f| f.value);
        assert_eq!(value("just the small service"), Some("basic".into()));
        assert_eq!(value("the FULL one please"), Some("full".into()));
        assert_eq!(value("basic or full?"), None);
        assert_eq!(value("a service"), None);
    }

    #[test]
    fn days_are_what_the_customer_named() {
        for (said, expected) in [
            ("next Tuesday", Some("Tuesday")),
            ("on wednesday please", Some("Wednesday")),
            ("can I come tomorrow", Some("tomorrow")),
            ("the day after tomorrow", Some("day after tomorrow")),
            ("monday no sorry friday", Some("Friday")),
            ("on the 5th of May", Some("5 May")),
            ("december the twelfth", Some("12 December")),
            ("may I ask something", None),
            ("soon", None),
        ] {
            assert_eq!(find_day(said).as_deref(), expected, "{said}");
        }
    }
}
