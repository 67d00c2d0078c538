//! Words as recognisers give them, made comparable, and phrases with gaps found in them.

/// Words of an opening that are looked at; what a machine says after these changes nothing.
const TOKENS_MAX: usize = 160;

/// The words of a text: small letters, no punctuation, one spelling for what recognisers spell in several ways.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        match c {
            // "you've" and "youve", "e-mail" and "email" are one word each.
            '\'' | '’' | '-' => {}
            'ä' | 'Ä' => word.push_str("ae"),
            'ö' | 'Ö' => word.push_str("oe"),
            'ü' | 'Ü' => word.push_str("ue"),
            'ß' => word.push_str("ss"),
            // The sign of nasality has two shapes, and the dot below a letter comes and goes.
            'ँ' => word.push('ं'),
            '\u{93c}' | '\u{200c}' | '\u{200d}' => {}
            '\u{958}'..='\u{95f}' => word.push(without_dot(c)),
            '\u{900}'..='\u{963}' | '\u{966}'..='\u{97f}' => word.push(c),
            c if c.is_alphanumeric() => word.extend(c.to_lowercase()),
            _ => end_word(&mut word, &mut found),
        }
    }
    end_word(&mut word, &mut found);
    found.truncate(TOKENS_MAX);
    found
}

fn end_word(word: &mut String, found: &mut Vec<String>) {
    if !word.is_empty() {
        found.push(std::mem::take(word));
    }
}

/// A Devanagari letter with a dot below it in one code point, without the dot.
fn without_dot(c: char) -> char {
    match c {
        '\u{958}' => 'क',
        '\u{959}' => 'ख',
        '\u{95a}' => 'ग',
        '\u{95b}' => 'ज',
        '\u{95c}' => 'ड',
        '\u{95d}' => 'ढ',
        '\u{95e}' => 'फ',
        _ => 'य',
    }
}

/// One place of a pattern.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// One of these words.
    Word(Vec<String>),
    /// A digit or the name of a key.
    Key,
    /// Up to three words of any kind.
    Gap,
    /// Nothing more is said.
    End,
}

/// Words in order: `a|b` is either, `#` a key of the telephone, `*` up to three words of any kind. A `^` before them or a
/// `$` after them ties them to the beginning or the end of what was said.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    places: Vec<Place>,
    is_beginning: bool,
}

const GAP_WORDS_MAX: usize = 3;

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        let place = |part: &str| match part {
            "*" => Place::Gap,
            "#" => Place::Key,
            "$" => Place::End,
            words => Place::Word(words.split('|').flat_map(tokens).collect()),
        };
        let rest = text.strip_prefix('^');
        Self { places: rest.unwrap_or(text).split_whitespace().map(place).collect(), is_beginning: rest.is_some() }
    }

    /// Whether the words are somewhere in the text.
    pub(super) fn is_in(&self, words: &[String]) -> bool {
        let last = if self.is_beginning { words.len().min(1) } else { words.len() };
        (0..last).any(|from| matches(&self.places, &words[from..]))
    }
}

fn matches(pattern: &[Place], words: &[String]) -> bool {
    let Some((place, rest)) = pattern.split_first() else { return true };
    match place {
        Place::Gap => (0..=GAP_WORDS_MAX.min(words.len())).any(|skip| matches(rest, &words[skip..])),
        Place::Word(any) => words.first().is_some_and(|word| any.contains(word)) && matches(rest, &words[1..]),
        Place::End => words.is_empty(),
        Place::Key => words.first().is_some_and(|word| is_key(word)) && matches(rest, &words[1..]),
    }
}

fn is_key(word: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit() || ('०'..='९').contains(&c);
    word.chars().count() <= 2 && word.chars().all(is_digit) || KEYS.contains(&word)
}

const KEYS: &[&str] = &[
    "zero",
    "oh",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "star",
    "hash",
    "pound",
    "null",
    "eins",
    "zwei",
    "zwo",
    "drei",
    "vier",
    "fuenf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "stern",
    "raute",
    "ek",
    "do",
    "teen",
    "char",
    "chaar",
    "paanch",
    "panch",
    "shunya",
    "एक",
    "दो",
    "तीन",
    "चार",
    "पांच",
    "छह",
    "सात",
    "आठ",
    "नौ",
    "शून्य",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_word_are_equal() {
        for (a, b) in [
            ("You've reached", "youve REACHED!"),
            ("Grüß Gott", "gruess gott"),
            ("हाँ जी", "हां जी"),
            ("आवाज़ नहीं", "आवाज नहीं।"),
            ("छोड़ें", "छोडें"),
        ] {
            assert_eq!(tokens(a), tokens(b));
        }
    }

    #[test]
    fn patterns_have_choices_keys_and_gaps() {
        let is_in = |pattern: &str, text: &str| Pattern::new(pattern).is_in(&tokens(text));
        assert!(is_in("leave * message", "Please leave me a brief message"));
        assert!(is_in("leave * message", "leave message"));
        assert!(!is_in("leave * message", "I leave at five and send you a message"));
        assert!(is_in("press #", "or press 2 for"));
        assert!(is_in("press #", "press pound"));
        assert!(!is_in("press #", "press on"));
        assert!(is_in("can't|cannot take", "I can’t take it"));
        assert!(!is_in("not in service", "not in the service"));
        assert!(!is_in("a b", ""));
        assert!(is_in("speaking $", "Karen speaking.") && !is_in("speaking $", "you are speaking with"));
        assert!(is_in("^hi this", "Hi, this is Tom") && !is_in("^this is", "Hi, this is Tom"));
    }
}
