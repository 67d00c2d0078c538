//! Masks personal data in texts that go to a log: e-mail addresses, payment cards (with a valid check digit), IBANs
//! (with a valid check), phone numbers and long ids. Pure.
//!
//! Patterns find what has a form. Names and street addresses do not have one ([`super::names`] finds most of them): a text that
//! may hold them does not belong in a log at all, which is what [`base::Pii`] is for.

use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

macro_rules! pattern {
    ($name:ident, $regex:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($regex).expect("a constant expression"));
    };
}

pattern!(EMAIL, r"(?i)[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+");
pattern!(IBAN, r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b");
pattern!(CARD, r"\b\d(?:[ -]?\d){12,18}\b");
pattern!(PHONE, r"(?:\+|\b00|\b0|\(0)\d?[\d ()/.-]{5,}\d\b");
pattern!(ID, r"\b(?:[A-Za-z]{1,4}-?)?\d{5,}\b");

/// What says who somebody is, by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An e-mail address.
    Email,
    /// A bank account with a valid check.
    Iban,
    /// A payment card with a valid check digit.
    Card,
    /// A phone number.
    Phone,
    /// A long id, such as an order number.
    Id,
}

impl Form {
    /// What stands in its place in a log.
    pub const fn mask(self) -> &'static str {
        match self {
            Self::Email => "[email]",
            Self::Iban => "[iban]",
            Self::Card => "[card]",
            Self::Phone => "[phone]",
            Self::Id => "[id]",
        }
    }
}

/// Whether what looks like it really is it.
type Check = fn(&str) -> bool;

/// Where personal data stands in a text, in the order of the text; nothing is found twice.
pub fn find(text: &str) -> Vec<(Form, Range<usize>)> {
    let forms: [(Form, &Regex, Check); 5] = [
        (Form::Email, &EMAIL, |_| true),
        (Form::Iban, &IBAN, is_iban),
        (Form::Card, &CARD, passes_luhn),
        (Form::Phone, &PHONE, |found| (7..=15).contains(&digits(found).count())),
        (Form::Id, &ID, |_| true),
    ];
    let mut found = Vec::new();
    let mut rest = text.to_owned();
    for (form, pattern, is) in forms {
        let here: Vec<Range<usize>> =
            pattern.find_iter(&rest).filter(|part| is(part.as_str())).map(|part| part.range()).collect();
        for range in here {
            // What was found is out of the way of the forms that follow, and all places stay what they are.
            rest.replace_range(range.clone(), &"\u{1}".repeat(range.len()));
            found.push((form, range));
        }
    }
    found.sort_by_key(|(_, range)| range.start);
    found
}

/// The text with personal data replaced by `[email]`, `[iban]`, `[card]`, `[phone]` and `[id]`.
pub fn mask(text: &str) -> String {
    put(text, find(text).into_iter().map(|(form, range)| (form.mask(), range)))
}

/// The text with marks in the place of parts of it, which stand in its order and do not overlap.
pub fn put<'m>(text: &str, marks: impl Iterator<Item = (&'m str, Range<usize>)>) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for (mark, range) in marks {
        masked.push_str(&text[from..range.start]);
        masked.push_str(mark);
        from = range.end;
    }
    masked.push_str(&text[from..]);
    masked
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> + '_ {
    text.chars().filter_map(|c| c.to_digit(10))
}

/// The check digit of payment cards (ISO/IEC 7812-1, annex B).
fn passes_luhn(number: &str) -> bool {
    let sum: u32 = digits(number)
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10)
}

/// The check of ISO 13616: the number with its first four characters moved behind, letters as 10 … 35, modulo 97 is 1.
fn is_iban(text: &str) -> bool {
    let code: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    if !(15..=34).contains(&code.len()) {
        return false;
    }
    let moved = code[4..].iter().chain(&code[..4]);
    let rest = moved
        .filter_map(|c| c.to_digit(36))
        .fold(0_u32, |rest, value| if value >= 10 { (rest * 100 + value) % 97 } else { (rest * 10 + value) % 97 });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_masked_and_the_rest_stays() {
        for (text, expected) in [
            ("write to priya.k@example.co.uk please", "write to [email] please"),
            ("card 4111 1111 1111 1111, thanks", "card [card], thanks"),
            ("card 5500-0000-0000-0004", "card [card]"),
            ("my iban is DE89 3704 0044 0532 0130 00", "my iban is [iban]"),
            ("GB82WEST12345698765432", "[iban]"),
            ("call +49 40 555 0170 now", "call [phone] now"),
            ("call 040 / 555 0170", "call [phone]"),
            ("order 48213 and BL-90177", "order [id] and [id]"),
            (
                "a full service costs 119 euros, open 9:00 to 18:30",
                "a full service costs 119 euros, open 9:00 to 18:30",
            ),
            ("", ""),
        ] {
            assert_eq!(mask(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_that_fail_their_check_are_not_called_cards() {
        assert!(!mask("4111 1111 1111 1112").contains("[card]"));
        assert!(!mask("DE88 3704 0044 0532 0130 00").contains("[iban]"));
    }
}
