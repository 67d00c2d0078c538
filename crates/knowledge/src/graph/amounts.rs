//! Amounts of money, times of the week, periods, phone numbers and e-mail addresses in a text.

use regex::{Captures, Regex};
use std::ops::Range;
use std::sync::LazyLock;

macro_rules! pattern {
    ($name:ident, $regex:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($regex).expect("a constant expression"));
    };
}

pattern!(
    PRICE,
    r"(?i)(?:([€$£₹])\s?(\d[\d.,]*\d|\d)|\b(\d[\d.,]*\d|\d)\s?(euros?|eur|€|(?:us )?dollars?|usd|\$|pounds?|gbp|£|francs?|chf|rupees?|inr|₹)(?:\b|\B))(?:\s(?:a|an|per|each|/)\s(hour|day|night|week|month|year|person|item|piece|kilo|kg|ride|visit))?"
);
pattern!(PERIOD, r"(?i)\b(within|until|for|up to|valid for)?\s?(\d+)[ -](minute|hour|day|week|month|year)s?\b");
pattern!(PHONE, r"(?:\+|\b00|\b0|\(0)\d?[\d ()/.-]{5,}\d\b");
pattern!(EMAIL, r"(?i)[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+");
pattern!(
    DAY,
    r"(?i)\b(?:(mon|tues|wednes|thurs|fri|satur|sun)days?|(mon|tue|wed|thu|fri|sat|sun)\b|(daily|every day)|(weekdays)|(weekends))"
);
pattern!(
    TIME_RANGE,
    r"(?i)\b(\d{1,2})(?:[:.](\d{2}))?\s?(am|pm)?\s?(?:to|till|until|-|–)\s?(\d{1,2})(?:[:.](\d{2}))?\s?(am|pm)?\b"
);

/// The days of a week, as predicates name them.
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// An amount of money in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Where it stands.
    pub range: Range<usize>,
    /// `18 EUR`.
    pub amount: String,
    /// `day`, where it is so much a day.
    pub unit: Option<String>,
}

/// Amounts of money, in order.
pub fn prices(text: &str) -> Vec<Price> {
    let of = |found: Captures<'_>| {
        let whole = found.get(0)?;
        let number = found.get(2).or_else(|| found.get(3))?.as_str();
        let currency = currency(found.get(1).or_else(|| found.get(4))?.as_str());
        let unit = found.get(5).map(|unit| unit.as_str().to_lowercase());
        Some(Price { range: whole.range(), amount: format!("{} {currency}", decimal(number)), unit })
    };
    PRICE.captures_iter(text).filter_map(of).collect()
}

fn currency(word: &str) -> &'static str {
    match word.to_lowercase().trim_end_matches('s') {
        "$" | "dollar" | "us dollar" | "usd" => "USD",
        "£" | "pound" | "gbp" => "GBP",
        "franc" | "chf" => "CHF",
        "₹" | "rupee" | "inr" => "INR",
        _ => "EUR",
    }
}

/// A number written one way: thousands without marks, a point before decimals, no decimals that are zero.
fn decimal(number: &str) -> String {
    let mark = number.rfind(['.', ',']).filter(|at| number.len() - at == 3);
    let (whole, cents) = mark.map_or((number, ""), |at| (&number[..at], &number[at + 1..]));
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    if cents.is_empty() || cents == "00" { whole } else { format!("{whole}.{cents}") }
}

/// Periods such as `30 days`, with whether they bound something (`within`, `until`).
pub fn periods(text: &str) -> Vec<(String, bool)> {
    let of = |found: Captures<'_>| {
        let number = found.get(2)?.as_str();
        let plural = if number == "1" { "" } else { "s" };
        let bounds = found.get(1).is_some();
        Some((format!("{number} {}{plural}", found.get(3)?.as_str().to_lowercase()), bounds))
    };
    PERIOD.captures_iter(text).filter_map(of).collect()
}

/// Phone numbers, digits alone with a plus before them where there is one.
pub fn phones(text: &str) -> Vec<String> {
    let clean = |found: &str| found.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect::<String>();
    let digits = |phone: &String| (7..=16).contains(&phone.len());
    PHONE.find_iter(text).map(|found| clean(found.as_str())).filter(digits).collect()
}

/// E-mail addresses in small letters.
pub fn emails(text: &str) -> Vec<String> {
    EMAIL.find_iter(text).map(|found| found.as_str().to_lowercase()).collect()
}

/// What a text says about opening: day and times (`10:00-18:30`), or `closed`.
pub fn hours(text: &str) -> Vec<(&'static str, String)> {
    let mut said: Vec<(&'static str, String)> = Vec::new();
    for clause in clauses(text) {
        let days = days(clause);
        let closed = clause.to_lowercase().contains("closed");
        let times: Vec<(usize, String)> = TIME_RANGE.captures_iter(clause).filter_map(|found| times(&found)).collect();
        if closed && times.is_empty() {
            said.extend(days.iter().map(|(_, day)| (DAYS[*day], "closed".to_owned())));
            continue;
        }
        let mut from = 0;
        for (index, (at, time)) in times.iter().enumerate() {
            let until = times.get(index + 1).map_or(clause.len(), |next| next.0);
            let before: Vec<usize> =
                days.iter().filter(|(place, _)| (from..*at).contains(place)).map(|day| day.1).collect();
            let after = days.iter().filter(|(place, _)| (*at..until).contains(place)).map(|day| day.1);
            let own = if before.is_empty() { after.collect() } else { before };
            said.extend(own.into_iter().map(|day| (DAYS[day], time.clone())));
            from = *at;
        }
    }
    said.dedup();
    said
}

/// Parts of a sentence of which each says one thing about opening.
fn clauses(text: &str) -> impl Iterator<Item = &str> {
    static TURN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)[;.]\s|,?\s(?:but|and closed|closed)\s").expect("a constant expression"));
    let mut at = 0;
    let mut cuts: Vec<Range<usize>> = Vec::new();
    for found in TURN.find_iter(text) {
        // The word that turns the sense belongs to what follows.
        cuts.push(at..found.start());
        at = found.start() + 1;
    }
    cuts.push(at..text.len());
    cuts.into_iter().map(|range| &text[range])
}

/// Days that are named with their places; a range stands for all of its days.
fn days(clause: &str) -> Vec<(usize, usize)> {
    static BETWEEN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)^\s*(?:to|through|until|till|-|–)\s*$").expect("a constant expression"));
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut last: Option<(usize, usize)> = None;
    for name in DAY.captures_iter(clause) {
        let Some(whole) = name.get(0) else { continue };
        let at = whole.start();
        let of = |range: Range<usize>, found: &mut Vec<(usize, usize)>| found.extend(range.map(|day| (at, day)));
        if name.get(3).is_some() {
            of(0..7, &mut found);
        } else if name.get(4).is_some() {
            of(0..5, &mut found);
        } else if name.get(5).is_some() {
            of(5..7, &mut found);
        } else if let Some(day) = name.get(1).or_else(|| name.get(2)).and_then(|word| day_of(word.as_str())) {
            match last {
                Some((end, first)) if BETWEEN.is_match(&clause[end..at]) => {
                    let count = (day + 7 - first) % 7;
                    found.extend((1..=count).map(|step| (at, (first + step) % 7)));
                }
                _ => found.push((at, day)),
            }
            last = Some((whole.end(), day));
        }
    }
    found
}

fn day_of(word: &str) -> Option<usize> {
    let word = word.to_lowercase();
    DAYS.iter().position(|day| day.get(..3).is_some_and(|short| word.starts_with(short)))
}

/// A range of times with where it stands, written one way.
fn times(found: &Captures<'_>) -> Option<(usize, String)> {
    let number = |at: usize| found.get(at).and_then(|text| text.as_str().parse::<u32>().ok());
    let half = |at: usize| found.get(at).map(|text| text.as_str().to_lowercase());
    let (from, to) = (number(1)?, number(4)?);
    let written = found.get(2).or_else(|| found.get(5)).is_some() || half(3).or_else(|| half(6)).is_some();
    // "3 to 5" alone may be anything.
    if !written || from > 24 || to > 24 {
        return None;
    }
    let clock = |hour: u32, minute: Option<u32>, half: Option<&str>| {
        let hour = match half {
            Some("pm") if hour < 12 => hour + 12,
            Some("am") if hour == 12 => 0,
            _ => hour,
        };
        format!("{hour}:{:02}", minute.unwrap_or(0))
    };
    let (first, second) = (half(3), half(6));
    let from = clock(from, number(2), first.as_deref().or(if from < to { second.as_deref() } else { None }));
    Some((found.get(0)?.start(), format!("{from}-{}", clock(to, number(5), second.as_deref()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_written_one_way() {
        let all = |text: &str| prices(text).into_iter().map(|one| (one.amount, one.unit)).collect::<Vec<_>>();
        let day = || Some("day".to_owned());
        assert_eq!(
            all("We rent city bikes for 18 euros a day and e-bikes for €42.00 per day."),
            [("18 EUR".to_owned(), day()), ("42 EUR".to_owned(), day())]
        );
        assert_eq!(all("$1,200.50 or 4.90 euros"), [("1200.50 USD".to_owned(), None), ("4.90 EUR".to_owned(), None)]);
        assert!(all("a 500 Wh battery, 12 instalments").is_empty());
    }

    #[test]
    fn opening_hours_are_told_day_by_day() {
        let said = hours("Our shop is open Tuesday to Friday from 10:00 to 18:30 and on Saturday from 9:00 to 16:00.");
        assert_eq!(said.len(), 5);
        assert_eq!(
            (said[0].clone(), said[4].clone()),
            (("tuesday", "10:00-18:30".into()), ("saturday", "9:00-16:00".into()))
        );
        assert_eq!(
            hours("We are closed on Sundays and Mondays."),
            [("sunday", "closed".into()), ("monday", "closed".into())]
        );
        assert_eq!(hours("Open 9am to 5pm on weekends, but closed on Monday.").len(), 3);
        assert_eq!(hours("Open 9 am - 5 pm on Sunday.")[0].1, "9:00-17:00");
        assert!(hours("It takes 3 to 5 days until Friday.").is_empty());
    }

    #[test]
    fn periods_phones_and_addresses() {
        assert_eq!(
            periods("within 30 days; a 2 year warranty"),
            [("30 days".to_owned(), true), ("2 years".to_owned(), false)]
        );
        assert_eq!(phones("Our number is +49 40 555 0170."), ["+49405550170"]);
        assert_eq!(emails("Write to Care@shop.example."), ["care@shop.example"]);
    }
}
