//! Words that people say while they listen, as opposed to words that take the floor.

/// Whether these words only say "I am listening". Words that mean stop, wait or no are never among them, and neither is
/// silence.
pub(super) fn is_back_channel(text: &str) -> bool {
    let mut any = false;
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty()) {
        if !WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            return false;
        }
        any = true;
    }
    any
}

/// "mm-hm" and "uh-huh" arrive in two parts.
const WORDS: &[&str] = &[
    "mm", "mmm", "mhm", "mmhm", "mmhmm", "hm", "hmm", "hmmm", "uh", "huh", "uhhuh", "um", "ah", "aha", "oh", "yeah",
    "yep", "yup", "yes", "ok", "okay", "right", "sure", "good", "great", "fine", "cool", "nice", "alright", "all", "i",
    "see", "got", "it", "ja", "genau", "gut", "achso", "haan", "ha", "accha", "achha", "theek", "hai",
];

#[cfg(test)]
mod tests {
    use super::is_back_channel;

    #[test]
    fn listening_sounds_do_not_take_the_floor() {
        for text in ["mm-hm", "Mm-hmm.", "uh-huh", "yeah", "Yeah, yeah.", "ok", "Right.", "I see", "okay great"] {
            assert!(is_back_channel(text), "{text}");
        }
    }

    #[test]
    fn words_that_mean_something_do() {
        for text in ["stop", "wait", "no", "No no.", "ok stop", "yeah but", "one moment", "what?", "", "…"] {
            assert!(!is_back_channel(text), "{text}");
        }
    }
}
