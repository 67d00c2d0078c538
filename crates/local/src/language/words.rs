//! Words of an utterance as recognisers and keyboards give them. Pure.

pub use model::sentences::sentences;
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
    fn phrases_match_whole_words_only() {
        let said = words("Was it cancelled, or don't you know?");
        assert_eq!(find_phrase(&said, "cancel"), None);
        assert_eq!(find_phrase(&said, "don't you"), Some(4));
    }
}
