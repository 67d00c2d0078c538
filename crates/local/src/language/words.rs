//! Words of an utterance as recognisers and keyboards give them. Pure.

use rust_stemmers::{Algorithm, Stemmer};

/// Words that carry no topic.
const STOP: &[&str] = &[
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "been", "by", "can", "could", "did", "do", "does",
    "for", "from", "get", "got", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "is", "it", "its",
    "just", "me", "my", "no", "not", "of", "on", "or", "our", "please", "she", "should", "so", "some", "tell", "than",
    "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "um", "uh", "us", "was",
    "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
];

/// Lower-case words: letters and digits, with apostrophes dropped ("don't" is `dont`), everything else a boundary.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if !matches!(c, '\'' | '’') && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Whether a word carries no topic.
pub fn is_stop_word(word: &str) -> bool {
    STOP.contains(&word)
}

/// Search terms: stems of the words that carry a topic. A single letter joins the next word, so that "e-bike",
/// "e bike" and "ebike" meet.
pub fn terms(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    let words = words(text);
    let mut terms = Vec::with_capacity(words.len());
    let mut joined = false;
    for (index, word) in words.iter().enumerate() {
        if std::mem::take(&mut joined) {
            continue;
        }
        let letter =
            word.len() == 1 && word.bytes().all(|b| b.is_ascii_lowercase()) && !matches!(word.as_str(), "a" | "i");
        if let (true, Some(next)) = (letter, words.get(index + 1)) {
            terms.push(stemmer.stem(&format!("{word}{next}")).into_owned());
            joined = true;
        } else if !is_stop_word(word) {
            terms.push(stemmer.stem(word).into_owned());
        }
    }
    terms
}

/// Whether the words of `phrase` occur in `words` one after the other; where they begin.
pub fn find_phrase(words: &[String], phrase: &str) -> Option<usize> {
    let phrase = self::words(phrase);
    if phrase.is_empty() || phrase.len() > words.len() {
        return None;
    }
    words.windows(phrase.len()).position(|window| window == phrase)
}

/// Sentences of a text. A sentence ends at `.`, `!` or `?` before white space or the end; a stop after a digit, a single
/// letter or a usual abbreviation does not end it unless a capital follows.
pub fn sentences(text: &str) -> Vec<&str> {
    const ABBREVIATIONS: &[&str] = &["e.g", "i.e", "mr", "mrs", "ms", "dr", "st", "no", "approx", "etc", "vs", "incl"];
    let mut found = Vec::new();
    let mut start = 0;
    let marks: Vec<(usize, char)> = text.char_indices().collect();
    for (at, &(offset, c)) in marks.iter().enumerate() {
        let newline = c == '\n';
        if !newline && !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let next = marks.get(at + 1).map(|m| m.1);
        if !newline && !next.is_none_or(char::is_whitespace) {
            continue;
        }
        let end = offset + c.len_utf8();
        let piece = text[start..end].trim();
        let last_word = piece.trim_end_matches('.').rsplit(char::is_whitespace).next().unwrap_or("").to_lowercase();
        let capital =
            marks[at + 1..].iter().map(|m| m.1).find(|c| !c.is_whitespace()).is_none_or(|c| !c.is_lowercase());
        if c == '.' && (ABBREVIATIONS.contains(&last_word.as_str()) || !capital) {
            continue;
        }
        if !piece.is_empty() {
            found.push(piece);
        }
        start = end;
    }
    let rest = text[start..].trim();
    if !rest.is_empty() {
        found.push(rest);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_write_a_compound_meet_in_one_term() {
        for text in ["e-bike", "e bike", "ebikes", "E-Bikes?"] {
            assert_eq!(terms(text), ["ebik"], "{text}");
        }
    }

    #[test]
    fn sentences_keep_prices_times_and_addresses_whole() {
        let text = "Delivery costs 4.90 euros. We are open 9:00 to 16:00, e.g. on Monday. Write to care@brightleaf.example today.";
        assert_eq!(
            sentences(text),
            [
                "Delivery costs 4.90 euros.",
                "We are open 9:00 to 16:00, e.g. on Monday.",
                "Write to care@brightleaf.example today."
            ]
        );
        assert_eq!(sentences("no stop at all"), ["no stop at all"]);
        assert!(sentences("  ").is_empty());
    }

    #[test]
    fn phrases_match_whole_words_only() {
        let said = words("Was it cancelled, or don't you know?");
        assert_eq!(find_phrase(&said, "cancel"), None);
        assert_eq!(find_phrase(&said, "don't you"), Some(4));
    }
}
