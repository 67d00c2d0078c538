//! What somebody wants who waits for a person and says something meanwhile.

/// What they want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// To wait on, whatever else they said.
    On,
    /// To be called back.
    ForACallBack,
    /// To hang up.
    NoMore,
}

/// What these words mean of somebody who waits. Who says more than a goodbye has not said goodbye.
pub(crate) fn what_who_waits_wants(text: &str) -> Waits {
    let lower = text.to_lowercase().replace('’', "'");
    // Vowel signs of Hindi are no letters for `is_alphanumeric`, and belong to their word.
    let is_gap = |c: char| c.is_whitespace() || (c.is_ascii_punctuation() && c != '\'') || matches!(c, '।' | '…');
    let words: Vec<&str> = lower.split(is_gap).filter(|word| !word.is_empty()).collect();
    let has = |phrase: &&str| {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        words.windows(phrase.len()).any(|window| window == phrase)
    };
    if CALL_BACK.iter().any(has) && !NOT.iter().any(has) {
        return Waits::ForACallBack;
    }
    let is_short = words.len() <= GOODBYE_WORDS_MAX;
    if is_short && GOODBYE.iter().any(has) { Waits::NoMore } else { Waits::On }
}

const GOODBYE_WORDS_MAX: usize = 4;

const CALL_BACK: &[&str] = &[
    "call me back",
    "call back",
    "callback",
    "phone me back",
    "ring me back",
    "call me later",
    "call me instead",
    "zurückrufen",
    "zurückgerufen",
    "rückruf",
    "ruft mich zurück",
    "rufen sie mich zurück",
    "ruf mich zurück",
    "कॉल बैक",
    "वापस कॉल",
    "वापस फ़ोन",
    "वापस फोन",
    "call karo baad mein",
];

const NOT: &[&str] = &["don't", "dont", "do not", "not", "no", "nicht", "kein", "keinen", "नहीं", "मत", "nahi"];

const GOODBYE: &[&str] = &[
    "bye",
    "goodbye",
    "good bye",
    "never mind",
    "forget it",
    "hang up",
    "tschüss",
    "tschüs",
    "wiederhören",
    "auflegen",
    "अलविदा",
    "रहने दो",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_keeps_their_place_unless_they_give_it_up() {
        for text in ["Can you call me back instead?", "I'd like a callback.", "Bitte um Rückruf.", "मुझे वापस कॉल करें।"]
        {
            assert_eq!(what_who_waits_wants(text), Waits::ForACallBack, "{text}");
        }
        for text in [
            "Don't call me back, I wait.",
            "How long will it take?",
            "Hello?",
            "",
            "I said goodbye to him and then he left",
        ] {
            assert_eq!(what_who_waits_wants(text), Waits::On, "{text}");
        }
        for text in ["Okay, bye.", "Never mind.", "Auf Wiederhören!"] {
            assert_eq!(what_who_waits_wants(text), Waits::NoMore, "{text}");
        }
    }
}
