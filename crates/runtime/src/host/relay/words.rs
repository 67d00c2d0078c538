//! Where in a text somebody was, who says which words they have spoken of it, and how long words take to say.

use std::ops::Range;

/// Milliseconds of a character in a word, at the pace of an unhurried voice: what is taken for heard too late does less harm
/// than what is taken for heard too early.
const LETTER_MS: u64 = 70;
/// A digit is a word, and a sign of a script without letters is a syllable.
const DIGIT_MS: u64 = 280;
const SYLLABLE_MS: u64 = 200;
/// Pauses.
const COMMA_MS: u64 = 180;
const STOP_MS: u64 = 300;

/// How long a text takes to say.
pub(super) fn spoken_ms(text: &str) -> u64 {
    text.chars().map(char_ms).sum()
}

fn char_ms(c: char) -> u64 {
    match c {
        '0'..='9' => DIGIT_MS,
        ',' | ';' | ':' | '–' | '—' => COMMA_MS,
        '.' | '!' | '?' | '…' | '。' | '！' | '？' | '।' => STOP_MS,
        '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => {
            SYLLABLE_MS
        }
        _ => LETTER_MS,
    }
}

/// When the words of a text begin: bytes, and milliseconds since its first sound.
pub(super) fn word_starts(text: &str) -> Vec<(usize, u64)> {
    words(text).map(|word| (word.start, spoken_ms(&text[..word.start]))).collect()
}

/// Where the words of a text are. A word is what stands between spaces.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let start_of = move |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(move |word| start_of(word)..start_of(word) + word.len())
}

/// A word without what nobody hears of it.
fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Words that were spoken, to be found in what was given to be spoken.
#[derive(Debug)]
pub(super) struct Spoken(Vec<String>);

impl Spoken {
    pub(super) fn of(text: &str) -> Self {
        Self(text.split_whitespace().map(plain).filter(|word| !word.is_empty()).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Follows the words from the `from`th on through a text from its beginning. Answers how many of them are in it, and up to
    /// which byte they go. A last word that was only begun was not heard.
    pub(super) fn follow(&self, from: usize, text: &str) -> (usize, usize) {
        let (mut known, mut bytes) = (from, 0);
        for word in words(text) {
            let ours = plain(&text[word.clone()]);
            if ours.is_empty() {
                continue; // A dash between words.
            }
            if self.0.get(known) != Some(&ours) {
                break;
            }
            known += 1;
            bytes = word.end;
        }
        (known - from, if known > from { bytes } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whatever_is_written_around_them() {
        let text = "On Saturday – that is tomorrow – we open at 10, not at nine.";
        let follow = |spoken: &str| {
            let (known, bytes) = Spoken::of(spoken).follow(0, text);
            (known, &text[..bytes])
        };
        assert_eq!(follow("on saturday that is tomorrow we"), (6, "On Saturday – that is tomorrow – we"));
        assert_eq!(follow("On Saturday, that is tom"), (4, "On Saturday – that is"), "a word that was only begun");
        assert_eq!(follow(""), (0, ""));
        assert_eq!(follow("Never"), (0, ""));
    }

    #[test]
    fn words_begin_where_those_before_them_end() {
        assert_eq!(word_starts("At 9, für Sie"), [(0, 0), (3, 210), (6, 740), (11, 1_020)]);
        assert_eq!(spoken_ms("für"), 210);
        assert_eq!(word_starts(""), []);
    }
}
