//! Whether words sound finished: the part of turn-taking that is about meaning. Pure text rules.

/// How the end of a caller's words sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    /// A sentence that may well be over.
    Finished,
    /// A sentence that goes on: "and", "my number is", "um", a comma.
    Unfinished,
    /// Digits, spelled letters or an e-mail address: people pause between groups.
    Digits,
}

/// How these words sound.
pub(super) fn sounds(text: &str) -> Sound {
    let text = text.trim();
    let words: Vec<String> = words_from_the_end(text, 6);
    let Some(last) = words.first() else { return Sound::Finished };
    let tail = text.trim_end_matches(['"', '\'', '”', ')']);
    if tail.ends_with('?') {
        return Sound::Finished;
    }
    if is_spelling(&words) {
        return Sound::Digits;
    }
    let trails_off = tail.ends_with(['…', ',', ';', ':', '-', '–']) || tail.ends_with("...");
    if trails_off || HESITATIONS.contains(&last.as_str()) {
        return Sound::Unfinished;
    }
    if tail.ends_with('!') {
        return Sound::Finished;
    }
    let leads_on = leads_to_a_value(&words) || leads_to_a_question(&words) || waits_for_its_main_clause(text);
    let hanging = HANGING.contains(&last.as_str()) || leads_on;
    // A recogniser that writes a full stop heard a falling voice; "and." and "a helmet for." are still no sentences.
    let hangs = [ALWAYS_HANGING, MOSTLY_HANGING].iter().any(|list| list.contains(&last.as_str()));
    let certain = tail.ends_with(['.', '।', '。']) && !hangs && !leads_on;
    if hanging && !certain { Sound::Unfinished } else { Sound::Finished }
}

/// Whether the recogniser put the mark of a sentence's end behind these words.
pub(super) fn is_marked(text: &str) -> bool {
    let tail = text.trim_end().trim_end_matches(['"', '\'', '”', ')']);
    tail.ends_with(['.', '?', '!', '।', '。']) && !tail.ends_with("...")
}

/// Whether the recogniser took the words for a question.
pub(super) fn is_question(text: &str) -> bool {
    text.trim_end().trim_end_matches(['"', '\'', '”', ')']).ends_with('?')
}

/// "Can you recommend.": the words of a question with a full stop behind them. A recogniser that writes question marks heard
/// no question there, so the caller was not at its end.
pub(super) fn is_question_without_its_mark(text: &str) -> bool {
    let text = text.trim_end();
    let Some(sentence) = text.strip_suffix(['.', '।', '。']) else { return false };
    let sentence = sentence.rsplit(['.', '?', '!']).next().unwrap_or_default();
    let mut words =
        sentence.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase());
    let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
    let (verb, subject) = match QUESTION_WORDS.contains(&first.as_str()) {
        true => (second, words.next().unwrap_or_default()),
        false => (first.clone(), second),
    };
    let is_asked = ASKING_VERBS.contains(&verb.as_str()) && SUBJECTS.contains(&subject.as_str());
    // "Do it.", "Have the bike ready."
    let is_order = matches!(first.as_str(), "do" | "have") && !matches!(subject.as_str(), "i" | "you" | "we" | "they");
    is_asked && !is_order
}

/// The last words, lower case, without punctuation, the last one first.
fn words_from_the_end(text: &str, count_max: usize) -> Vec<String> {
    text.split_whitespace()
        .rev()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
        .take(count_max)
        .collect()
}

/// Whether the words end in a value that comes in groups.
fn is_spelling(words: &[String]) -> bool {
    let Some(last) = words.first() else { return false };
    let grouped = |word: &String| is_digits(word) || is_letter(word);
    if words.len() >= 2 && grouped(last) && grouped(&words[1]) {
        return true;
    }
    // "3" after words is an amount or a time; three digits and more are part of a number.
    if last.len() >= 3 && last.chars().filter(char::is_ascii_digit).count() >= 3 {
        return true;
    }
    words.iter().take(4).any(|word| word == "dot") || last.contains('@') || last == "double" || last == "triple"
}

fn is_digits(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit() || c == '-')
        || matches!(
            word,
            "zero"
                | "oh"
                | "one"
                | "two"
                | "three"
                | "four"
                | "five"
                | "six"
                | "seven"
                | "eight"
                | "nine"
                | "double"
                | "triple"
        )
}

fn is_letter(word: &str) -> bool {
    // "I" and "a" are words as often as letters.
    word.len() == 1 && word.chars().all(|c| c.is_ascii_alphabetic()) && !matches!(word, "i" | "a")
}

/// "anna dot miller at example dot": the rest of the address must follow.
pub(super) fn is_open_address(text: &str) -> bool {
    matches!(
        words_from_the_end(text, 1).first().map(String::as_str),
        Some("dot" | "at" | "underscore" | "dash" | "punkt")
    )
}

/// "anna dot miller at example dot com", "anna@example.com": nothing of the address is missing.
pub(super) fn is_whole_address(text: &str) -> bool {
    let words = words_from_the_end(text, ADDRESS_WORDS_MAX);
    let [end, rest @ ..] = &words[..] else { return false };
    if let Some((name, host)) = end.split_once('@') {
        return !name.is_empty() && host.rsplit_once('.').is_some_and(|(_, top)| TOP_DOMAINS.contains(&top));
    }
    let has_dot = rest.first().is_some_and(|word| matches!(word.as_str(), "dot" | "punkt"));
    let has_at = rest.iter().skip(2).any(|word| matches!(word.as_str(), "at" | "ät"));
    has_dot && has_at && TOP_DOMAINS.contains(&end.as_str())
}

/// "my number is", "it's for", "the name's": a value must follow.
fn leads_to_a_value(words: &[String]) -> bool {
    let verb = matches!(words[0].as_str(), "is" | "are" | "was");
    let noun = |w: &String| {
        matches!(
            w.as_str(),
            "number" | "name" | "address" | "email" | "mail" | "code" | "order" | "date" | "it" | "that"
        )
    };
    verb && words.get(1).is_some_and(noun)
}

/// "If I come at around five.": the sentence itself must follow.
fn waits_for_its_main_clause(text: &str) -> bool {
    let words: Vec<String> = words_from_the_end(text, CLAUSE_WORDS_MAX + 1);
    let begins = words.last().is_some_and(|first| SUBORDINATING.contains(&first.as_str()));
    let second = words.len().checked_sub(2).and_then(|at| words.get(at));
    // "You know the bike in the window." is not what the caller wants to say about it.
    let is_known = words.last().is_some_and(|first| first == "you") && second.is_some_and(|second| second == "know");
    (begins || is_known) && words.len() <= CLAUSE_WORDS_MAX && !text.contains(',')
}

/// "My daughter's bike.", "Last year.": a thing or a time of which nothing was said.
pub(super) fn is_only_a_thing(text: &str) -> bool {
    let words = words_from_the_end(text, THING_WORDS_MAX + 1);
    let begins = words.last().is_some_and(|first| DETERMINERS.contains(&first.as_str()));
    let is_past = words.last().is_some_and(|first| PAST.contains(&first.as_str()));
    (begins || is_past) && (2..=THING_WORDS_MAX).contains(&words.len())
}

/// "I would like to know", "I wanted to ask": the question must follow.
fn leads_to_a_question(words: &[String]) -> bool {
    let asks = matches!(words[0].as_str(), "know" | "ask");
    asks && words.get(1).is_some_and(|word| word == "to")
}

const ADDRESS_WORDS_MAX: usize = 8;
const TOP_DOMAINS: &[&str] = &[
    "com", "org", "net", "edu", "info", "biz", "io", "ai", "eu", "de", "at", "ch", "uk", "us", "ie", "in", "fr", "it",
    "nl", "es", "ca", "au",
];
/// A clause with more words than this may well have its main clause in it, without a comma.
const CLAUSE_WORDS_MAX: usize = 7;
const THING_WORDS_MAX: usize = 3;
const QUESTION_WORDS: &[&str] =
    &["what", "when", "where", "who", "which", "why", "how", "was", "wann", "wo", "wer", "wie", "warum"];
const ASKING_VERBS: &[&str] = &[
    "do", "does", "did", "is", "are", "was", "were", "can", "could", "will", "would", "should", "have", "has", "may",
    "haben", "hat", "können", "kann", "könnten", "gibt", "ist", "sind",
];
const SUBJECTS: &[&str] = &[
    "i", "you", "he", "she", "it", "we", "they", "there", "this", "that", "the", "a", "my", "your", "our", "his",
    "her", "their", "these", "those", "anybody", "anyone", "somebody", "someone", "ich", "sie", "er", "es", "wir",
    "ihr", "man", "das", "der", "die", "mein", "meine",
];
const SUBORDINATING: &[&str] = &["if", "because", "although", "since", "whenever", "wenn", "weil", "falls"];
const DETERMINERS: &[&str] =
    &["the", "my", "our", "his", "her", "their", "mein", "meine", "unser", "unsere", "mera", "meri"];

/// With these a story begins.
const PAST: &[&str] = &["last", "yesterday", "recently", "letzte", "letzten", "gestern"];

const HESITATIONS: &[&str] = &["um", "uh", "uhm", "er", "erm", "hmm", "äh", "ähm", "well", "matlab"];

/// Words after which something must follow, whatever the punctuation.
const ALWAYS_HANGING: &[&str] =
    &["and", "or", "but", "because", "the", "a", "an", "my", "your", "und", "oder", "aber", "aur"];

/// Words with which a statement hardly ever ends, full stop or not.
const MOSTLY_HANGING: &[&str] = &[
    "to", "for", "with", "of", "from", "at", "by", "if", "when", "that", "which", "who", "whether", "i", "i'm", "we",
    "could", "would", "our", "mit", "für", "der", "die", "mein", "oder", "weil", "dass",
];

/// Words after which something usually follows.
const HANGING: &[&str] = &[
    "and", "or", "but", "because", "so", "if", "when", "that", "which", "who", "the", "a", "an", "my", "your", "our",
    "to", "for", "with", "of", "in", "on", "at", "from", "by", "about", "is", "are", "was", "i", "i'm", "it's", "we",
    "can", "could", "would", "like", "want", "need", "und", "oder", "aber", "weil", "der", "die", "das", "mein", "für",
    "mit", "aur", "lekin", "kyunki",
];

#[cfg(test)]
mod tests {
    use super::{Sound, is_question_without_its_mark, is_whole_address, sounds};

    #[test]
    fn the_end_of_words_tells_whether_the_caller_goes_on() {
        let table: &[(&str, Sound)] = &[
            ("When do you open on Sunday?", Sound::Finished),
            ("when do you open", Sound::Finished),
            ("I want to cancel my order.", Sound::Finished),
            ("What is that?", Sound::Finished),
            ("yes", Sound::Finished),
            ("at 9", Sound::Finished),
            ("", Sound::Finished),
            ("I want to cancel and", Sound::Unfinished),
            ("Do you have a helmet for.", Sound::Unfinished),
            ("I would like to know", Sound::Unfinished),
            ("If I come at around five.", Sound::Unfinished),
            ("You know the bike in the window.", Sound::Unfinished),
            ("You know the bike in the window, it is mine.", Sound::Finished),
            ("If I come at around five would somebody be there", Sound::Finished),
            ("Because it rained, I took the train.", Sound::Finished),
            ("I don't know", Sound::Finished),
            ("What is it for?", Sound::Finished),
            ("I want to cancel, and.", Sound::Unfinished),
            ("my number is", Sound::Unfinished),
            ("My order number is.", Sound::Unfinished),
            ("it would be um", Sound::Unfinished),
            ("Well,", Sound::Unfinished),
            ("I was thinking...", Sound::Unfinished),
            ("I would like to", Sound::Unfinished),
            ("four eight two", Sound::Digits),
            ("it's B L 9 0", Sound::Digits),
            ("my order is BL901771", Sound::Digits),
            ("Where is BL901771?", Sound::Finished),
            ("my number is 0405550.", Sound::Digits),
            ("jane at example dot", Sound::Digits),
            ("jane@example.com", Sound::Digits),
        ];
        for (text, expected) in table {
            assert_eq!(sounds(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn the_words_of_a_question_are_known_without_their_mark() {
        for asks in ["Can you recommend.", "Hello. Does the price include.", "What is the.", "How much. Is it"] {
            assert_eq!(is_question_without_its_mark(asks), asks.ends_with('.'), "{asks:?}");
        }
        for says in
            ["Can you recommend", "Can you recommend it?", "Do it.", "What a pity.", "I can do that.", "Is it? Good."]
        {
            assert!(!is_question_without_its_mark(says), "{says:?}");
        }
    }

    #[test]
    fn an_address_is_whole_with_its_ending() {
        for whole in ["It's anna dot miller at example dot com.", "anna@example.com", "jo at web dot de"] {
            assert!(is_whole_address(whole), "{whole:?}");
        }
        for part in ["anna dot miller", "anna at example dot", "anna at example", "example dot com", "anna@example", ""]
        {
            assert!(!is_whole_address(part), "{part:?}");
        }
    }
}
