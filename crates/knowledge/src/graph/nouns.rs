//! What a sentence speaks of, without a grammar: words before and after what is known.

use regex::Regex;
use std::sync::LazyLock;

/// Words of a name.
const WORDS_MAX: usize = 6;

macro_rules! pattern {
    ($name:ident, $regex:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($regex).expect("a constant expression"));
    };
}

pattern!(
    LEAD,
    r"(?i)^(?:and|or|but|also|then|orders? of|with|from|the|an?|our|your|all|every|any|each|most|some|this|these|one|complete|we|you|you can|please|in|at|on|only)\s+"
);
pattern!(
    VERB_BEFORE,
    r"(?i)^.*?\b(?:rents?|sells?|offers?|buy|gets?|books?|orders?|provides?|have|charges?|pays?)\s+(?:you\s+)?(.+)$"
);
pattern!(
    VERB_AFTER,
    r"(?i)\s+(?:always\s+|also\s+)?(?:costs?|is|are|comes? to|starts? at|starts? from|is only|for|at|from|of|=|:|–|-)\s*(?:about|only|just|a flat|around|from)?\s*$"
);
pattern!(
    NOT_A_NAME,
    r"(?i)\b(?:is|are|was|were|be|can|will|if|when|because|that|which|who|must|should|you|we|it|they|i|please|not)\b"
);

/// The name in front of a price: `A basic service costs`, `and e-bikes for`.
pub fn before(text: &str) -> Option<String> {
    let clause = text.rsplit([',', ';', ':']).find(|part| !part.trim().is_empty())?;
    let found = VERB_AFTER.find(clause)?;
    let words = &clause[..found.start()];
    let words = VERB_BEFORE.captures(words).and_then(|found| found.get(1)).map_or(words, |words| words.as_str());
    name(words)
}

/// The name behind a price: `100 euros for city bikes`.
pub fn after(text: &str) -> Option<String> {
    let rest = text.trim_start().strip_prefix("for ")?;
    let end = rest.find([',', ';', '.', '(']).unwrap_or(rest.len());
    let words = &rest[..end];
    let words = words.find(" and ").map_or(words, |at| &words[..at]);
    name(words)
}

/// A name out of words, without what leads to it; `None` when it is a sentence, or nothing.
pub fn name(words: &str) -> Option<String> {
    let mut words = words.trim().trim_matches(['"', '\'', '.', ',', ':', '(', ')', '*']).trim();
    while let Some(found) = LEAD.find(words) {
        words = &words[found.end()..];
    }
    let count = words.split_whitespace().count();
    let letters = words.chars().filter(|c| c.is_alphabetic()).count();
    if !(1..=WORDS_MAX).contains(&count) || letters < 2 || NOT_A_NAME.is_match(words) {
        return None;
    }
    Some(singular(words))
}

/// The last word in the singular, so that one thing has one name.
fn singular(words: &str) -> String {
    let last = words.rsplit(' ').next().unwrap_or(words);
    let keep = last.len() < 4 || last.chars().any(|c| c.is_ascii_digit() || c.is_uppercase());
    if keep || ["ss", "us", "is"].iter().any(|end| last.ends_with(end)) {
        words.to_owned()
    } else if let Some(stem) = words.strip_suffix("ies") {
        format!("{stem}y")
    } else {
        words.strip_suffix('s').unwrap_or(words).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_price_is_told_from_the_words_before_it() {
        let told = |text: &str| before(text).unwrap_or_default();
        assert_eq!(told("A basic service costs "), "basic service");
        assert_eq!(told("We rent city bikes for "), "city bike");
        assert_eq!(told(" and e-bikes for "), "e-bike");
        assert_eq!(told("The deposit is "), "deposit");
        assert_eq!(told("After that we charge a fee of "), "fee");
        assert_eq!(told("Vouchers are available from 10 to "), "");
        assert_eq!(after(" for city bikes and 300").as_deref(), Some("city bike"));
        assert_eq!(after(" in the shop"), None);
    }
}
