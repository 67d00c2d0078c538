//! Text as it is said: numbers, money, times, dates, addresses and ids become words, signs and markup go. Pure.
//!
//! Every stretch that changes remembers where it came from, so that the time of a spoken word points back into the text
//! that was given.

use super::numerals::{cardinal, decimal, digits, ordinal, year};
use regex::{Captures, Regex};
use std::ops::Range;
use std::sync::LazyLock;

/// A text ready to be pronounced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// The words.
    pub text: String,
    /// Stretches of `text`: where each begins there, where it comes from, and whether it was taken over unchanged.
    origins: Vec<(usize, usize, bool)>,
}

impl Spoken {
    /// The byte of the given text from which this byte of `text` comes.
    pub fn source_of(&self, byte: usize) -> usize {
        let at = self.origins.partition_point(|(start, _, _)| *start <= byte);
        match at.checked_sub(1).map(|at| self.origins[at]) {
            Some((start, source, true)) => source + (byte - start),
            Some((_, source, false)) => source,
            None => 0,
        }
    }

    fn keep(&mut self, text: &str, source: usize) {
        if !text.is_empty() {
            self.origins.push((self.text.len(), source, true));
            self.text.push_str(text);
        }
    }

    fn replace(&mut self, said: &str, source: usize) {
        self.origins.push((self.text.len(), source, false));
        self.text.push_str(said);
    }
}

/// The name of the first letter: written as itself it would be read as the article.
const LETTER_A: &str = "eh";

/// Writes the text out as it is said.
pub fn normalize(text: &str) -> Spoken {
    let mut spoken = Spoken::default();
    let mut at = 0;
    for (range, said) in replacements(text) {
        spoken.keep(&text[at..range.start], at);
        spoken.replace(&said, range.start);
        at = range.end;
    }
    spoken.keep(&text[at..], at);
    spoken
}

type Say = fn(&Captures<'_>, &str) -> Option<String>;

struct Rule {
    pattern: Regex,
    /// Whether the match must not touch letters or digits.
    whole: bool,
    say: Say,
}

/// What is replaced by what, in order and without overlaps. Earlier rules win.
fn replacements(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found: Vec<(Range<usize>, String)> = Vec::new();
    for rule in RULES.iter() {
        for captures in rule.pattern.captures_iter(text) {
            let Some(range) = captures.get(0).map(|whole| whole.range()) else { continue };
            let taken = found.iter().any(|(other, _)| range.start < other.end && other.start < range.end);
            if taken || (rule.whole && !stands_alone(text, &range)) {
                continue;
            }
            if let Some(said) = (rule.say)(&captures, &text[..range.start]) {
                found.push((range, said));
            }
        }
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}

fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].chars().next_back();
    let after = text[range.end..].chars().next();
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MONTH: &str = r"(jan(?:uary|\.)?|feb(?:ruary|\.)?|mar(?:ch|\.)?|apr(?:il|\.)?|may|june?\.?|july?\.?|aug(?:ust|\.)?|sept?(?:ember|\.)?|oct(?:ober|\.)?|nov(?:ember|\.)?|dec(?:ember|\.)?)";
const NUMBER: &str = r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)";
const AMOUNT: &str = r"(\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d+(?:[.,]\d{1,2})?)";
const CLOCK: &str = r"(\d{1,2}):(\d{2})(?::\d{2})?(?:\s?([ap])\.?m\b\.?|\s?(?:h|uhr|o'clock)\b)?";

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let mut rules = Vec::new();
    let mut rule = |pattern: &str, whole: bool, say: Say| {
        rules.push(Rule { pattern: Regex::new(pattern).expect("a constant pattern"), whole, say });
    };
    rule(r"!?\[([^\]]+)\]\([^)\s]*\)", false, |c, _| Some(normalize(&c[1]).text));
    rule(r"(?i)[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}", true, |c, _| Some(address(&c[0])));
    rule(r#"(?i)(?:https?://|www\.)[^\s<>()"]*[a-z0-9/]"#, false, |c, _| Some(address(&c[0])));
    let tld = "com|org|net|io|de|co\\.uk|eu|in|fr|es|it|shop|store|app|dev|info|example";
    rule(
        &format!(r#"(?i)[a-z0-9-]*[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:{tld})(?:/[^\s<>()"]*[a-z0-9/])?"#),
        true,
        |c, _| Some(address(&c[0])),
    );
    dates_and_times(&mut rule);
    phone_numbers(&mut rule);
    money_and_measures(&mut rule);
    ids_and_numbers(&mut rule);
    words_and_signs(&mut rule);
    rules
});

fn dates_and_times(rule: &mut impl FnMut(&str, bool, Say)) {
    rule(r"(\d{4})-(\d{2})-(\d{2})", true, |c, _| date(&c[2], &c[3], Some(&c[1])));
    rule(r"(\d{1,2})[./](\d{1,2})[./](\d{4})", true, |c, _| {
        // A first part above twelve cannot be a month; otherwise slashes are American and dots European.
        let day_first = number(&c[1]) > 12 || c[0].contains('.');
        if day_first { date(&c[2], &c[1], Some(&c[3])) } else { date(&c[1], &c[2], Some(&c[3])) }
    });
    rule(&format!(r"(?i){MONTH} (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?"), true, |c, _| {
        date(&month_number(&c[1])?, &c[2], c.get(3).map(|year| year.as_str()))
    });
    rule(&format!(r"(?i)(\d{{1,2}})(?:st|nd|rd|th)?\.? (?:of )?{MONTH}(?:,? (\d{{4}}))?"), true, |c, _| {
        date(&month_number(&c[2])?, &c[1], c.get(3).map(|year| year.as_str()))
    });
    rule(&format!(r"(?i){CLOCK}\s?(?:-|–|—|to|until)\s?{CLOCK}"), true, |c, _| {
        let from = clock(&c[1], &c[2], c.get(3).map(|half| half.as_str()))?;
        let to = clock(&c[4], &c[5], c.get(6).map(|half| half.as_str()))?;
        Some(format!("{from} to {to}"))
    });
    rule(&format!("(?i){CLOCK}"), true, |c, _| clock(&c[1], &c[2], c.get(3).map(|half| half.as_str())));
    rule(r"(?i)(\d{1,2})\s?(?:-|–|to)\s?(\d{1,2})\s?([ap])\.?m\b\.?", true, |c, _| {
        Some(format!("{} to {} {}", cardinal(number(&c[1])), cardinal(number(&c[2])), half_day(&c[3])))
    });
    rule(r"(?i)(\d{1,2})\s?([ap])\.?m\b\.?", true, |c, _| {
        Some(format!("{} {}", cardinal(number(&c[1])), half_day(&c[2])))
    });
    rule(r"24/7", true, |_, _| Some("twenty-four seven".to_owned()));
}

fn phone_numbers(rule: &mut impl FnMut(&str, bool, Say)) {
    for pattern in [
        r"\+\d{1,3}[ ().\-/\d]{5,}\d",
        r"\(\d{3,5}\) ?\d{3,}(?:[ .-]\d{2,})*",
        r"\d{3}[-. ]\d{3}[-. ]\d{4}",
        r"\d{3}-\d{4}",
        r"0\d{1,5}(?:[ /-]\d{2,}){1,4}",
    ] {
        rule(pattern, true, |c, _| Some(grouped_digits(&c[0])));
    }
}

fn money_and_measures(rule: &mut impl FnMut(&str, bool, Say)) {
    rule(&format!(r"([€$£₹])\s?{AMOUNT}(?:\s(thousand|million|billion))?"), true, |c, _| {
        let scale = c.get(3).map(|scale| scale.as_str());
        money(&c[2], &c[1], scale)
    });
    rule(&format!(r"\b(EUR|USD|GBP|INR)\s?{AMOUNT}"), true, |c, _| money(&c[2], &c[1], None));
    rule(
        &format!(r"(?i){AMOUNT}\s?(€|euros?|eur|dollars?|usd|\$|pounds?|gbp|£|rupees?|inr|₹)"),
        true,
        |c, text| {
            let _ = text;
            money(&c[1], &c[2], None)
        },
    );
    rule(&format!(r"{NUMBER}\s?%"), true, |c, _| Some(format!("{} percent", decimal(&c[1]))));
    rule(&format!(r"(-|−)?{NUMBER}\s?°\s?([CF])?"), false, |c, _| {
        let minus = if c.get(1).is_some() { "minus " } else { "" };
        let scale = c.get(3).map_or("", |scale| if scale.as_str() == "C" { " Celsius" } else { " Fahrenheit" });
        Some(format!("{minus}{} degrees{scale}", decimal(&c[2])))
    });
    rule(&format!(r"{NUMBER}\s?(km/h|kWh|kW|km|kg|cm|mm|ml|lbs?|oz|GB|MB|TB|mins?|hrs?|secs?)"), true, |c, _| {
        measure(&c[1], &c[2])
    });
}

fn ids_and_numbers(rule: &mut impl FnMut(&str, bool, Say)) {
    rule(r"(?i)(?:no\.|nr\.|#)\s?(\d+)", false, |c, _| {
        let said = if c[1].len() > 4 { digits(&c[1]) } else { decimal(&c[1]) };
        Some(format!("number {said}"))
    });
    rule(r"[A-Z0-9]+(?:-[A-Z0-9]+)+|[A-Z]{1,6}\d[A-Z0-9]*|\d+[A-Z]+[A-Z0-9]*", true, |c, _| id(&c[0]));
    rule(r"(?i)(\d+)(st|nd|rd|th)", true, |c, _| c[1].parse().ok().map(ordinal));
    rule(r"\d+(?:\.\d+){2,}", true, |c, _| Some(c[0].split('.').map(decimal).collect::<Vec<_>>().join(" point ")));
    rule(&format!(r"{NUMBER}\s?[-–]\s?{NUMBER}"), true, |c, _| {
        Some(format!("{} to {}", decimal(&c[1]), decimal(&c[2])))
    });
    rule(r"(\d)/(\d)", true, |c, _| Some(fraction(number(&c[1]), number(&c[2]))));
    rule(&format!(r"[-−]?{NUMBER}"), true, plain_number);
}

fn words_and_signs(rule: &mut impl FnMut(&str, bool, Say)) {
    rule(r"(?i)\be\.g\.,?", false, |_, _| Some("for example".to_owned()));
    rule(r"(?i)\bi\.e\.,?", false, |_, _| Some("that is".to_owned()));
    rule(r"\b([A-Za-z]+)\.", false, |c, _| abbreviation(&c[1]));
    rule(r"\b(ASAP|w/o|w/|FAQs?|vs)", true, |c, _| {
        let said = match &c[1] {
            "ASAP" => "as soon as possible",
            "w/o" => "without",
            "w/" => "with",
            "FAQ" => "F eh Q",
            "FAQs" => "F eh Q's",
            _ => "versus",
        };
        Some(said.to_owned())
    });
    rule(r"\s*\n\s*(?:[-*•]\s+)?", false, |_, before| {
        let ended = before.trim_end().ends_with(['.', '!', '?', ':', ';', ',']) || before.trim().is_empty();
        Some(if ended { " " } else { ". " }.to_owned())
    });
    rule(r"\s&\s", false, |_, _| Some(" and ".to_owned()));
    rule(r"&", false, |_, _| Some(" and ".to_owned()));
    rule(r"\s\+\s", false, |_, _| Some(" plus ".to_owned()));
    rule(r"\s=\s", false, |_, _| Some(" equals ".to_owned()));
    rule(r"\s(?:-|–|→|->)\s", false, |_, _| Some(", ".to_owned()));
    rule(r"@", false, |_, _| Some(" at ".to_owned()));
    rule(r"[/\\]", false, |_, _| Some(" ".to_owned()));
    // Markup and pictures have no sound.
    rule(r"[*_`#~|<>{}\[\]^•]+|[\p{So}\p{Sk}\p{Cf}\p{Co}\u{fe0f}]+", false, |_, _| Some(String::new()));
}

fn number(digits: &str) -> u64 {
    digits.parse().unwrap_or(u64::MAX)
}

/// "help at acme dot com slash returns".
fn address(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let bare = lower.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.");
    let mut said = String::new();
    for c in bare.trim_end_matches('/').chars() {
        match c {
            '@' => said.push_str(" at "),
            '.' => said.push_str(" dot "),
            '/' => said.push_str(" slash "),
            '-' => said.push_str(" dash "),
            '_' => said.push_str(" underscore "),
            '+' => said.push_str(" plus "),
            digit if digit.is_ascii_digit() => {
                said.push(' ');
                said.push_str(&digits(&digit.to_string()));
                said.push(' ');
            }
            letter if letter.is_alphanumeric() => said.push(letter),
            _ => said.push(' '),
        }
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn date(month: &str, day: &str, year_digits: Option<&str>) -> Option<String> {
    let (month, day) = (month.parse::<usize>().ok()?, number(day));
    let name = MONTHS.get(month.checked_sub(1)?)?;
    if !(1..=31).contains(&day) {
        return None;
    }
    let year = year_digits.map(|digits| format!(", {}", year(number(digits)))).unwrap_or_default();
    Some(format!("{name} {}{year}", ordinal(day)))
}

fn month_number(name: &str) -> Option<String> {
    let start = name.get(..3)?.to_ascii_lowercase();
    let at = MONTHS.iter().position(|month| month[..3].eq_ignore_ascii_case(&start))?;
    Some((at + 1).to_string())
}

/// "six thirty p m": the day is said in halves, the way the voice's language does.
fn clock(hour: &str, minute: &str, half: Option<&str>) -> Option<String> {
    let (hour, minute) = (number(hour), number(minute));
    if hour > 24 || minute > 59 {
        return None;
    }
    let half = match half {
        Some(half) => Some(half_day(half)),
        None if (13..24).contains(&hour) => Some("p m"),
        None if hour == 0 || hour == 24 => Some(A_M),
        None => None,
    };
    let twelve = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    let minutes = match minute {
        0 if half.is_some() => String::new(),
        0 => " o'clock".to_owned(),
        1..=9 => format!(" oh {}", cardinal(minute)),
        _ => format!(" {}", cardinal(minute)),
    };
    let half = half.map(|half| format!(" {half}")).unwrap_or_default();
    Some(format!("{}{minutes}{half}", cardinal(twelve)))
}

const A_M: &str = "eh m";

fn half_day(letter: &str) -> &'static str {
    if letter.eq_ignore_ascii_case("a") { A_M } else { "p m" }
}

/// Digits in the groups in which they were written, with a short pause between groups.
fn grouped_digits(text: &str) -> String {
    let plus = if text.starts_with('+') { "plus " } else { "" };
    let groups: Vec<String> =
        text.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).map(digits).collect();
    format!("{plus}{}", groups.join(", "))
}

fn money(amount: &str, currency: &str, scale: Option<&str>) -> Option<String> {
    let (major, minor) = match currency.to_lowercase().as_str() {
        "€" | "eur" | "euro" | "euros" => (["euro", "euros"], ["cent", "cents"]),
        "$" | "usd" | "dollar" | "dollars" => (["dollar", "dollars"], ["cent", "cents"]),
        "£" | "gbp" | "pound" | "pounds" => (["pound", "pounds"], ["penny", "pence"]),
        "₹" | "inr" | "rupee" | "rupees" => (["rupee", "rupees"], ["paisa", "paise"]),
        _ => return None,
    };
    if let Some(scale) = scale {
        return Some(format!("{} {scale} {}", decimal(amount), major[1]));
    }
    let thousands =
        amount.split(',').skip(1).all(|group| group.split('.').next().is_some_and(|group| group.len() == 3));
    let amount = if thousands { amount.replace(',', "") } else { amount.replace(',', ".") };
    let (whole, fraction) = amount.split_once('.').unwrap_or((&amount, ""));
    let whole: u64 = whole.parse().ok()?;
    let cents: u64 = format!("{fraction:0<2}").parse().ok()?;
    // "a 20 euro fee": an adjective stays as it was written.
    let unit = |count: u64, names: [&'static str; 2]| if count == 1 { names[0] } else { names[1] };
    let adjective = matches!(currency.to_lowercase().as_str(), "euro" | "dollar" | "pound" | "rupee") && cents == 0;
    let major_name = if adjective { major[0] } else { unit(whole, major) };
    Some(match (whole, cents) {
        (whole, 0) => format!("{} {major_name}", cardinal(whole)),
        (0, cents) => format!("{} {}", cardinal(cents), unit(cents, minor)),
        (whole, cents) => {
            format!("{} {} and {} {}", cardinal(whole), unit(whole, major), cardinal(cents), unit(cents, minor))
        }
    })
}

fn measure(amount: &str, unit: &str) -> Option<String> {
    let names = match unit {
        "km/h" => ["kilometer per hour", "kilometers per hour"],
        "kWh" => ["kilowatt hour", "kilowatt hours"],
        "kW" => ["kilowatt", "kilowatts"],
        "km" => ["kilometer", "kilometers"],
        "kg" => ["kilogram", "kilograms"],
        "cm" => ["centimeter", "centimeters"],
        "mm" => ["millimeter", "millimeters"],
        "ml" => ["milliliter", "milliliters"],
        "lb" | "lbs" => ["pound", "pounds"],
        "oz" => ["ounce", "ounces"],
        "GB" => ["gigabyte", "gigabytes"],
        "MB" => ["megabyte", "megabytes"],
        "TB" => ["terabyte", "terabytes"],
        "min" | "mins" => ["minute", "minutes"],
        "hr" | "hrs" => ["hour", "hours"],
        "sec" | "secs" => ["second", "seconds"],
        _ => return None,
    };
    Some(format!("{} {}", decimal(amount), names[usize::from(amount != "1")]))
}

/// "B L nine zero one": letters and digits one by one. Nothing when there is no digit, or when it is a plain range.
fn id(text: &str) -> Option<String> {
    let has_letter = text.chars().any(|c| c.is_ascii_uppercase());
    let has_digit = text.chars().any(|c| c.is_ascii_digit());
    let groups = text.split('-').count();
    if !has_digit || (!has_letter && groups < 3) {
        return None;
    }
    let parts = text.split('-').map(|part| {
        let is_word = part.len() > 4 && part.chars().all(|c| c.is_ascii_uppercase());
        if is_word { part.to_lowercase() } else { spelled(part) }
    });
    Some(parts.collect::<Vec<_>>().join(if groups > 2 { ", " } else { " " }))
}

fn spelled(part: &str) -> String {
    let names = part.chars().map(|c| match c {
        'A' => LETTER_A.to_string(),
        digit if digit.is_ascii_digit() => digits(&digit.to_string()),
        letter => letter.to_string(),
    });
    names.collect::<Vec<_>>().join(" ")
}

fn fraction(numerator: u64, denominator: u64) -> String {
    let plural = if numerator == 1 { "" } else { "s" };
    match denominator {
        2 if numerator == 1 => "one half".to_owned(),
        2 => format!("{} halves", cardinal(numerator)),
        4 => format!("{} quarter{plural}", cardinal(numerator)),
        3 | 5..=9 => format!("{} {}{plural}", cardinal(numerator), ordinal(denominator)),
        _ => format!("{} over {}", cardinal(numerator), cardinal(denominator)),
    }
}

fn plain_number(captures: &Captures<'_>, before: &str) -> Option<String> {
    let written = captures[0].trim_start_matches(['-', '−']);
    let minus = written.len() < captures[0].len() && before.chars().next_back().is_none_or(char::is_whitespace);
    let said = if is_code(written, before) {
        digits(written)
    } else if written.len() == 4 && (matches!(number(written), 1_900..=1_999 | 2_010..=2_099)) {
        year(number(written))
    } else {
        decimal(written)
    };
    Some(if minus { format!("minus {said}") } else { said })
}

/// Whether a number names something rather than counts: such numbers are read digit by digit.
fn is_code(written: &str, before: &str) -> bool {
    const NAMED: [&str; 14] = [
        "order",
        "number",
        "code",
        "id",
        "account",
        "ticket",
        "reference",
        "invoice",
        "zip",
        "postcode",
        "pin",
        "extension",
        "customer",
        "booking",
    ];
    let plain = written.chars().all(|c| c.is_ascii_digit());
    let last_words = before.rsplit([' ', '\n']).filter(|word| !word.is_empty()).take(2);
    let named = last_words.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase());
    let named = named.into_iter().any(|word| NAMED.contains(&word.as_str()));
    plain && (written.len() >= 7 || (written.len() > 1 && written.starts_with('0')) || (named && written.len() >= 3))
}

fn abbreviation(word: &str) -> Option<String> {
    let said = match word {
        "Dr" => "Doctor",
        "Mr" => "Mister",
        "Mrs" => "Missus",
        "Ms" => "Miz",
        "Prof" => "Professor",
        "etc" => "and so on",
        "approx" => "approximately",
        "vs" => "versus",
        "Inc" => "Incorporated",
        "Ltd" => "Limited",
        "dept" | "Dept" => "department",
        "tel" | "Tel" => "telephone",
        "ext" | "Ext" => "extension",
        "incl" => "including",
        "excl" => "excluding",
        _ => return None,
    };
    Some(said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &[(&str, &str)]) {
        for (text, expected) in table {
            assert_eq!(normalize(text).text, *expected, "{text:?}");
        }
    }

    #[test]
    fn money_is_said_as_people_say_it() {
        check(&[
            ("It costs 4.90 euros.", "It costs four euros and ninety cents."),
            ("€4.90", "four euros and ninety cents"),
            ("4,90 €", "four euros and ninety cents"),
            ("a 20 euro fee", "a twenty euro fee"),
            ("$1,250.75", "one thousand two hundred fifty dollars and seventy-five cents"),
            ("$1", "one dollar"),
            ("£0.50", "fifty pence"),
            ("USD 3", "three dollars"),
            ("$2.5 million", "two point five million dollars"),
            ("1,000 rupees", "one thousand rupees"),
        ]);
    }

    #[test]
    fn times_and_dates_are_said_as_people_say_them() {
        check(&[
            ("We close at 18:30.", "We close at six thirty p m."),
            ("at 9:05", "at nine oh five"),
            ("at 9:00 am", "at nine eh m"),
            ("5pm", "five p m"),
            ("9:00-17:00", "nine o'clock to five p m"),
            ("9-5 pm", "nine to five p m"),
            ("0:15", "twelve fifteen eh m"),
            ("on 2026-11-21", "on November twenty-first, twenty twenty-six"),
            ("21.11.2026", "November twenty-first, twenty twenty-six"),
            ("11/21/2026", "November twenty-first, twenty twenty-six"),
            ("Nov 3rd", "November third"),
            ("3 March 2025", "March third, twenty twenty-five"),
            ("in 1999", "in nineteen ninety-nine"),
            ("open 24/7", "open twenty-four seven"),
        ]);
    }

    #[test]
    fn numbers_that_name_something_are_read_digit_by_digit() {
        check(&[
            ("Your order BL-90177 shipped", "Your order B L nine zero one seven seven shipped"),
            ("code A7", "code eh seven"),
            ("order 4415", "order four four one five"),
            ("Call +49 40 555 0172.", "Call plus four nine, four zero, five five five, zero one seven two."),
            ("(555) 010-1234", "five five five, zero one zero, one two three four"),
            ("555-0123", "five five five, zero one two three"),
            ("PIN 007", "PIN zero zero seven"),
            ("#12", "number twelve"),
            ("COVID-19", "covid one nine"),
            ("4500 points", "four thousand five hundred points"),
        ]);
    }

    #[test]
    fn counts_ranges_and_measures_are_read_as_numbers() {
        check(&[
            ("3-5 days", "three to five days"),
            ("3.5 kg", "three point five kilograms"),
            ("20%", "twenty percent"),
            ("-5 °C", "minus five degrees Celsius"),
            ("the 2nd of", "the second of"),
            ("1/2 price", "one half price"),
            ("version 1.2.3", "version one point two point three"),
            ("12,500 of 30", "twelve thousand five hundred of thirty"),
            ("30 mins", "thirty minutes"),
        ]);
    }

    #[test]
    fn addresses_are_spelled_and_signs_dropped() {
        check(&[
            ("Write to help@acme.com.", "Write to help at acme dot com."),
            ("https://www.acme.com/returns", "acme dot com slash returns"),
            ("see acme.shop, please", "see acme dot shop, please"),
            ("**Bold** & `code`", "Bold and code"),
            ("a [link](https://x.example) here", "a link here"),
            ("e.g. this, etc.", "for example this, and so on"),
            ("Dr. Smith", "Doctor Smith"),
            ("one\n- two\n- three", "one. two. three"),
            ("Great 👍!", "Great !"),
            ("in/out", "in out"),
            ("Hello, how are you?", "Hello, how are you?"),
            ("", ""),
        ]);
    }

    #[test]
    fn spoken_words_point_back_to_the_text() {
        let text = "Pay 4.90 euros now.";
        let spoken = normalize(text);
        for (word, source) in [("Pay", 0), ("four", 4), ("cents", 4), ("now", 15)] {
            let at = spoken.text.find(word).unwrap();
            assert_eq!(spoken.source_of(at), source, "{word}");
        }
    }
}
