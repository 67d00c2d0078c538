//! Cuts a stream of text into segments that can be spoken one by one: sentences, or clauses where a sentence is too long
//! or the caller has waited long enough for the first words.

use base::limits::SEGMENT_CHARS_MAX;

/// A clause shorter than this is not worth a segment of its own.
const CLAUSE_CHARS_MIN: usize = 25;
/// The first words go to the voice by themselves, so that the caller hears something soon: "Yes," or what stands before a
/// word with which a phrase begins, as people breathe there. The voice must have enough to say until the next phrase is spoken.
const FIRST_CLAUSE_CHARS_MIN: usize = 3;
const FIRST_PHRASE_CHARS_MIN: usize = 14;
const FIRST_PHRASE_WORDS_MIN: usize = 3;
/// Nobody is kept waiting for more words than this, wherever people would breathe.
const FIRST_PHRASE_WORDS_MAX: usize = 6;

/// Collects text and gives sentences.
#[derive(Clone, Debug)]
pub(crate) struct Sentences {
    buffer: String,
    is_first: bool,
}

impl Default for Sentences {
    fn default() -> Self {
        Self { buffer: String::new(), is_first: true }
    }
}

impl Sentences {
    /// Adds text and appends the sentences that are whole now.
    pub fn push(&mut self, delta: &str, out: &mut Vec<String>) {
        self.buffer.push_str(delta);
        while let Some(cut) = self.next_cut() {
            self.give(cut, out);
        }
    }

    /// No more text comes: gives the rest.
    pub fn finish(&mut self, out: &mut Vec<String>) {
        if !self.buffer.trim().is_empty() {
            self.give(self.buffer.len(), out);
        }
        self.buffer.clear();
    }

    fn give(&mut self, cut: usize, out: &mut Vec<String>) {
        let rest = self.buffer.split_off(cut);
        let segment = std::mem::replace(&mut self.buffer, rest);
        let segment = segment.trim();
        if segment.chars().any(char::is_alphanumeric) {
            out.push(segment.to_owned());
            self.is_first = false;
        }
    }

    /// Where the next segment ends, in bytes.
    fn next_cut(&self) -> Option<usize> {
        if let Some(end) = sentence_end(&self.buffer) {
            if end <= SEGMENT_CHARS_MAX {
                return Some(end);
            }
            return Some(long_cut(&self.buffer[..end]));
        }
        if self.buffer.len() > SEGMENT_CHARS_MAX {
            return Some(long_cut(&self.buffer));
        }
        self.is_first.then(|| first_phrase(&self.buffer)).flatten()
    }
}

/// Where the first words of an answer end that can be spoken before the rest is known: behind a comma, or before a word with
/// which a phrase begins.
fn first_phrase(text: &str) -> Option<usize> {
    let mut words = 0;
    for (at, _) in text.match_indices(char::is_whitespace) {
        let before = &text[..at];
        let last = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        words += usize::from(last.chars().any(char::is_alphanumeric));
        if last.ends_with([',', ';', ':', '–', '—']) && before.trim().len() >= FIRST_CLAUSE_CHARS_MIN {
            return Some(at);
        }
        let next = text[at..].trim_start();
        // The word is whole when something stands behind it.
        let Some((next, _)) = next.split_once(char::is_whitespace) else { continue };
        let is_long = words >= FIRST_PHRASE_WORDS_MIN && before.trim().len() >= FIRST_PHRASE_CHARS_MIN;
        let is_very_long = words >= FIRST_PHRASE_WORDS_MAX && !LEADS_ON.contains(&last);
        let begins = PHRASE_BEGINS.contains(&next.to_lowercase().as_str());
        if is_long && (begins || is_very_long) && !PHRASE_BEGINS.contains(&last) {
            return Some(at);
        }
    }
    None
}

/// Where the first sentence of the text ends: behind its punctuation. `None` when that cannot be known yet: a full stop at
/// the very end may be the point of "4.90".
fn sentence_end(text: &str) -> Option<usize> {
    for (at, mark) in text.char_indices() {
        let after = at + mark.len_utf8();
        match mark {
            '\n' if !text[..at].trim().is_empty() => return Some(after),
            '.' | '!' | '?' | '…' | '।' | '。' => {
                let rest = &text[after..];
                let closed = rest.trim_start_matches(['"', '\'', '”', ')', '.', '!', '?', '…']);
                let end = text.len() - closed.len();
                let next = closed.chars().next()?;
                let ends = next.is_whitespace() || matches!(mark, '。' | '।');
                if ends && (mark != '.' || full_stop_ends(text, at, closed)?) {
                    return Some(end);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether the full stop at `at` ends a sentence. `None` when the next word is needed and not there yet.
fn full_stop_ends(text: &str, at: usize, rest: &str) -> Option<bool> {
    let word = text[..at].rsplit(char::is_whitespace).next().unwrap_or_default();
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let lower = word.to_lowercase();
    if ABBREVIATIONS.contains(&lower.as_str()) {
        return Some(false);
    }
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase) && word != "I";
    if is_initial {
        return Some(false);
    }
    let is_number = !word.is_empty() && word.len() <= 2 && word.bytes().all(|b| b.is_ascii_digit());
    let is_dotted = lower.contains('.') && lower.split('.').all(|part| part.chars().count() <= 1);
    if !is_number && !is_dotted {
        return Some(true);
    }
    // "the 3. of May", "on 24. December", "1. Open the box", "at 9 p.m. we close": the next word decides.
    let starts_line = is_number && text[..at - word.len()].trim().is_empty();
    if starts_line {
        return Some(false);
    }
    let next = rest.split_whitespace().next()?;
    let next_is_whole = rest.trim_start().len() > next.len();
    let begins_lower = next.chars().next().is_some_and(char::is_lowercase);
    if begins_lower {
        return Some(false);
    }
    if is_number && !next_is_whole {
        return None;
    }
    let month = next.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    Some(!(is_number && MONTHS.contains(&month.as_str())))
}

/// Where to cut text that is too long: behind the last clause, else behind the last word, else anywhere.
fn long_cut(text: &str) -> usize {
    let max = floor_char_boundary(text, SEGMENT_CHARS_MAX);
    clause_end(text, max)
        .or_else(|| text[..max].rfind(char::is_whitespace).map(|at| at + 1).filter(|at| !text[..*at].trim().is_empty()))
        .unwrap_or(max)
}

/// Behind the last clause within `max` bytes that leaves enough to speak.
fn clause_end(text: &str, max: usize) -> Option<usize> {
    let window = &text[..max];
    window
        .char_indices()
        .rev()
        .filter(|(_, mark)| matches!(mark, ',' | ';' | ':' | '–' | '—'))
        .map(|(at, mark)| at + mark.len_utf8())
        .find(|end| *end >= CLAUSE_CHARS_MIN && text[*end..].starts_with(char::is_whitespace))
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Words before which people breathe.
const PHRASE_BEGINS: &[&str] = &[
    "after", "and", "as", "at", "because", "before", "below", "but", "by", "during", "for", "from", "if", "in", "near",
    "behind", "between", "inside", "into", "next", "on", "or", "outside", "over", "per", "since", "so", "than", "that",
    "through", "under", "until", "when", "where", "which", "while", "who", "with", "within", "without", "aber", "auf",
    "aus", "bei", "bis", "damit", "dass", "für", "gegen", "mit", "nach", "oder", "ohne", "und", "wann", "weil", "wenn",
    "zwischen",
];

/// Words that nobody breathes behind.
const LEADS_ON: &[&str] = &[
    "a", "an", "the", "of", "to", "my", "your", "our", "their", "is", "are", "was", "were", "be", "has", "have", "can",
    "will", "would", "do", "does", "did", "not", "every", "it", "he", "she", "we", "they", "you", "this", "whether",
    "der", "die", "das", "ein", "eine", "zu", "von", "ist", "sind", "es", "er", "sie", "wir",
];

const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "no", "nr", "vs", "approx", "ca", "etc", "e.g", "i.e", "z.b",
    "d.h", "bzw", "inc", "ltd", "co", "corp", "str", "tel", "min", "max", "mt", "ave", "dept", "fig", "rs",
];

const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "januar",
    "februar",
    "märz",
    "mai",
    "juni",
    "juli",
    "oktober",
    "dezember",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        let mut whole = Sentences { is_first: false, ..Sentences::default() };
        whole.push(text, &mut out);
        whole.finish(&mut out);
        let mut by_char = Vec::new();
        let mut pieces = Sentences { is_first: false, ..Sentences::default() };
        for c in text.chars() {
            pieces.push(c.encode_utf8(&mut [0; 4]), &mut by_char);
        }
        pieces.finish(&mut by_char);
        assert_eq!(out, by_char, "the same sentences however the text arrives");
        out
    }

    #[test]
    fn sentences_are_spoken_one_by_one() {
        assert_eq!(cut("We open at nine. See you! Really?  Yes."), ["We open at nine.", "See you!", "Really?", "Yes."]);
        assert_eq!(cut("It costs 4.90 euros. Fine."), ["It costs 4.90 euros.", "Fine."]);
        assert_eq!(cut("Dr. Who meets J. Smith. Good."), ["Dr. Who meets J. Smith.", "Good."]);
        assert_eq!(cut("Am 3. Mai ist zu. Danke."), ["Am 3. Mai ist zu.", "Danke."]);
        assert_eq!(cut("We close at 9 p.m. on Friday. Bye."), ["We close at 9 p.m. on Friday.", "Bye."]);
        assert_eq!(cut("We close at 6. We open at 9."), ["We close at 6.", "We open at 9."]);
        assert_eq!(cut("He said \"go.\" Then left"), ["He said \"go.\"", "Then left"]);
        assert_eq!(cut("First line\nSecond line"), ["First line", "Second line"]);
        assert_eq!(cut("  ... !"), Vec::<String>::new());
    }

    #[test]
    fn long_sentences_are_cut_at_a_clause() {
        let text = format!("{}, {}", "word ".repeat(40).trim(), "more ".repeat(40).trim());
        let parts = cut(&text);
        assert!(parts[0].ends_with(','), "{parts:?}");
        assert!(parts.iter().all(|part| part.len() <= SEGMENT_CHARS_MAX));
        assert_eq!(parts.join(" "), text);
        assert!(cut(&"x".repeat(1_000)).iter().all(|part| part.len() <= SEGMENT_CHARS_MAX));
    }

    #[test]
    fn the_first_words_come_early() {
        let mut out = Vec::new();
        let mut sentences = Sentences::default();
        sentences.push(
            "You can bring your bicycle to the workshop on any weekday, and we will look at it while you wait",
            &mut out,
        );
        assert_eq!(out, ["You can bring your bicycle to the workshop"]);
        let first = |text: &str| {
            let mut out = Vec::new();
            let mut sentences = Sentences::default();
            text.split_inclusive(' ').for_each(|word| sentences.push(word, &mut out));
            sentences.finish(&mut out);
            out
        };
        assert_eq!(first("Yes, we repair them."), ["Yes,", "we repair them."]);
        assert_eq!(first("The number is stamped below the bracket."), ["The number is stamped", "below the bracket."]);
        assert_eq!(
            first("We are at Harbour Street twelve."),
            ["We are at Harbour Street twelve."],
            "too little before it"
        );
        assert_eq!(first("It costs 4,90 euros."), ["It costs 4,90 euros."]);
        assert_eq!(first("Sure. It is 9 for you."), ["Sure.", "It is 9 for you."], "only the first words");
    }
}
