//! Numbers in English words. Pure.

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SCALES: [(u64, &str); 4] =
    [(1_000_000_000_000, "trillion"), (1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand")];
/// Numbers with more digits than this are read digit by digit.
const CARDINAL_DIGITS_MAX: usize = 15;

/// "one thousand two hundred fifty".
pub(super) fn cardinal(number: u64) -> String {
    if number < 20 {
        return SMALL[number as usize].to_owned();
    }
    if number < 100 {
        let tens = TENS[(number / 10) as usize];
        return if number.is_multiple_of(10) {
            tens.to_owned()
        } else {
            format!("{tens}-{}", SMALL[(number % 10) as usize])
        };
    }
    if number < 1_000 {
        return with_rest(format!("{} hundred", SMALL[(number / 100) as usize]), number % 100);
    }
    let (scale, name) = SCALES.into_iter().find(|(scale, _)| number >= *scale).unwrap_or((1_000, "thousand"));
    with_rest(format!("{} {name}", cardinal(number / scale)), number % scale)
}

fn with_rest(head: String, rest: u64) -> String {
    if rest == 0 { head } else { format!("{head} {}", cardinal(rest)) }
}

/// "twenty-first".
pub(super) fn ordinal(number: u64) -> String {
    let words = cardinal(number);
    let split = words.rfind([' ', '-']).map_or(0, |at| at + 1);
    let (head, last) = words.split_at(split);
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        word => match word.strip_suffix('y') {
            Some(stem) => format!("{stem}ieth"),
            None => format!("{word}th"),
        },
    };
    format!("{head}{last}")
}

/// "twenty twenty-six", "nineteen oh five", "two thousand one".
pub(super) fn year(number: u64) -> String {
    let (century, rest) = (number / 100, number % 100);
    match (number, rest) {
        (2_000..=2_009, _) => cardinal(number),
        (1_100..=2_099, 0) => format!("{} hundred", cardinal(century)),
        (1_100..=2_099, 1..=9) => format!("{} oh {}", cardinal(century), cardinal(rest)),
        (1_100..=2_099, _) => format!("{} {}", cardinal(century), cardinal(rest)),
        _ => cardinal(number),
    }
}

/// "nine zero one": the digits of a text one by one, other characters left out.
pub(super) fn digits(text: &str) -> String {
    let names = text.chars().filter_map(|c| c.to_digit(10)).map(|digit| SMALL[digit as usize]);
    names.collect::<Vec<_>>().join(" ")
}

/// Digits with an optional decimal point, thousands commas allowed: "three point one four".
pub(super) fn decimal(text: &str) -> String {
    let plain: String = text.chars().filter(|c| *c != ',').collect();
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let whole = match whole.parse() {
        Ok(number) if whole.len() <= CARDINAL_DIGITS_MAX => cardinal(number),
        _ => digits(whole),
    };
    if fraction.is_empty() { whole } else { format!("{whole} point {}", digits(fraction)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_out() {
        let table = [
            (0, "zero"),
            (13, "thirteen"),
            (40, "forty"),
            (99, "ninety-nine"),
            (100, "one hundred"),
            (1_250, "one thousand two hundred fifty"),
            (1_000_001, "one million one"),
            (2_300_000_000, "two billion three hundred million"),
        ];
        for (number, words) in table {
            assert_eq!(cardinal(number), words);
        }
        assert_eq!(decimal("1,250.75"), "one thousand two hundred fifty point seven five");
        assert_eq!(decimal("12345678901234567"), digits("12345678901234567"));
    }

    #[test]
    fn ordinals_and_years_are_written_out() {
        let ordinals = [(1, "first"), (12, "twelfth"), (20, "twentieth"), (21, "twenty-first"), (100, "one hundredth")];
        for (number, words) in ordinals {
            assert_eq!(ordinal(number), words);
        }
        let years = [
            (2026, "twenty twenty-six"),
            (1905, "nineteen oh five"),
            (1900, "nineteen hundred"),
            (2001, "two thousand one"),
            (2000, "two thousand"),
        ];
        for (number, words) in years {
            assert_eq!(year(number), words);
        }
    }
}
