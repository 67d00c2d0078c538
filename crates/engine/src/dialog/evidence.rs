//! What a customer said and what was looked up, so that a tool's arguments can be held against it.
//!
//! A value counts as said when its letters and digits are found in one line, from the beginning of a word to the end of a
//! word: "b l 9 0 1 7 7" is BL90177, "four eight two" is 482, "jane at example dot com" is jane@example.com.

/// Lines that values may come from.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    lines: Vec<[Vec<String>; 4]>,
}

/// Lines remembered; older ones are forgotten, and a value from them must be said again.
const LINES_MAX: usize = 200;

impl Evidence {
    /// Adds a line.
    pub fn add(&mut self, text: &str) {
        if self.lines.len() == LINES_MAX {
            self.lines.remove(0);
        }
        let words = words(text);
        let digits = digits_of(&words, false);
        let numbers = digits_of(&words, true);
        let misheard = digits_of(&with_sounds_as_digits(&words), false);
        self.lines.push([words, digits, numbers, misheard]);
    }

    /// Whether the value occurs in a line.
    pub fn holds(&self, value: &str) -> bool {
        let plain = words(value);
        let digits = digits_of(&plain, false).concat();
        let numbers = digits_of(&plain, true).concat();
        let plain = plain.concat();
        if plain.is_empty() {
            return false;
        }
        let needles = [plain, digits, numbers];
        self.lines.iter().flatten().any(|line| needles.iter().any(|needle| occurs(line, needle)))
    }

    /// Whether any of these occurs in a line.
    pub fn holds_any<'a>(&self, values: impl IntoIterator<Item = &'a str>) -> bool {
        values.into_iter().any(|value| self.holds(value))
    }
}

/// Whether consecutive words, written together, are the needle.
fn occurs(line: &[String], needle: &str) -> bool {
    (0..line.len()).any(|first| {
        let mut rest = needle;
        for word in &line[first..] {
            match rest.strip_prefix(word.as_str()) {
                Some("") => return true,
                Some(more) => rest = more,
                None => return false,
            }
        }
        false
    })
}

/// Words in lower case without punctuation.
fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The words with spoken digits as digits and the words for signs left out. With `numbers`, "forty eight" is 48 rather
/// than 40 8.
fn digits_of(words: &[String], numbers: bool) -> Vec<String> {
    let mut out = Vec::with_capacity(words.len());
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        if SIGNS.contains(&word.as_str()) {
            continue;
        }
        let repeat = match word.as_str() {
            "double" => 2,
            "triple" => 3,
            _ => 1,
        };
        let next = words.get(at).and_then(|next| one_sign(next));
        if let (2.., Some(sign)) = (repeat, next) {
            out.push(sign.repeat(repeat));
            at += 1;
        } else if let Some(tens) = tens_of(word) {
            let unit = words.get(at).and_then(|next| digit_of(next)).filter(|unit| numbers && *unit != "0");
            at += usize::from(unit.is_some());
            out.push(unit.map_or_else(|| format!("{tens}0"), |unit| format!("{tens}{unit}")));
        } else if let Some(number) = digit_of(word).or_else(|| teen_of(word)) {
            out.push(number.to_owned());
        } else {
            out.push(word.clone());
        }
    }
    out
}

/// Digits and letters as they were spelled, one after another, with everything else between them as it stands.
pub(super) fn spelled_signs(text: &str) -> String {
    digits_of(&with_sounds_as_digits(&words(text)), false).concat()
}

/// The words with "for", "to", "ate", "won" as digits where a digit follows: so recognisers write "four eight two".
fn with_sounds_as_digits(words: &[String]) -> Vec<String> {
    let is_digits = |word: &String| digit_of(word).is_some() || word.bytes().all(|byte| byte.is_ascii_digit());
    let sounds = |word: &str| match word {
        "for" | "fore" => Some("4"),
        "to" | "too" => Some("2"),
        "ate" => Some("8"),
        "won" => Some("1"),
        _ => None,
    };
    let followed = |at: usize| words.get(at + 1).is_some_and(is_digits);
    let read = |(at, word): (usize, &String)| match sounds(word) {
        Some(digit) if followed(at) => digit.to_owned(),
        _ => word.clone(),
    };
    words.iter().enumerate().map(read).collect()
}

/// A digit or letter that can be doubled.
fn one_sign(word: &str) -> Option<&str> {
    digit_of(word).or_else(|| (word.chars().count() == 1).then_some(word))
}

fn digit_of(word: &str) -> Option<&'static str> {
    Some(match word {
        "zero" | "oh" | "o" | "null" => "0",
        "one" | "eins" => "1",
        "two" | "zwei" | "zwo" => "2",
        "three" | "drei" => "3",
        "four" | "vier" => "4",
        "five" | "fünf" => "5",
        "six" | "sechs" => "6",
        "seven" | "sieben" => "7",
        "eight" | "acht" => "8",
        "nine" | "neun" => "9",
        _ => return None,
    })
}

fn teen_of(word: &str) -> Option<&'static str> {
    Some(match word {
        "ten" => "10",
        "eleven" => "11",
        "twelve" => "12",
        "thirteen" => "13",
        "fourteen" => "14",
        "fifteen" => "15",
        "sixteen" => "16",
        "seventeen" => "17",
        "eighteen" => "18",
        "nineteen" => "19",
        _ => return None,
    })
}

fn tens_of(word: &str) -> Option<&'static str> {
    Some(match word {
        "twenty" => "2",
        "thirty" => "3",
        "forty" => "4",
        "fifty" => "5",
        "sixty" => "6",
        "seventy" => "7",
        "eighty" => "8",
        "ninety" => "9",
        _ => return None,
    })
}

/// How signs of numbers and addresses are said.
const SIGNS: &[&str] = &["at", "dot", "dash", "hyphen", "minus", "underscore", "slash", "point", "plus", "hash"];

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str, value: &str) -> bool {
        let mut evidence = Evidence::default();
        evidence.add(line);
        evidence.holds(value)
    }

    #[test]
    fn values_are_found_however_they_were_said() {
        for (line, value) in [
            ("my order is B L 9 0 1 7 7", "BL90177"),
            ("it's bl 90 1177, thanks", "BL-901177"),
            ("the code is four eight two one three", "48213"),
            ("forty eight twenty one three", "48213"),
            ("four double eight oh", "4880"),
            ("jane at example dot com", "jane@example.com"),
            ("My name is Priya Shah.", "priya shah"),
            ("2 tyres please", "two"),
        ] {
            assert!(said(line, value), "{value:?} in {line:?}");
        }
    }

    #[test]
    fn what_was_not_said_is_not_found() {
        for (line, value) in [
            ("my order is B L 9 0 1 7 7", "BL90178"),
            ("the number is 4821345", "48213"),
            ("there is a problem", "here"),
            ("hello", ""),
            ("hello", "--"),
            ("one two", "three"),
        ] {
            assert!(!said(line, value), "{value:?} in {line:?}");
        }
    }
}
