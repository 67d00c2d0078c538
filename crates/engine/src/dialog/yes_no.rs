//! Whether a caller's words mean yes or no. Only a plain yes lets a change happen; anything else does not.

/// What the words mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YesNo {
    /// A plain yes.
    Yes,
    /// A no. `more` when there is something besides it that the brain should see.
    No {
        /// Whether there is more than a no.
        more: bool,
    },
    /// Neither.
    Unclear,
}

/// What these words mean as the answer to "shall I?".
pub fn yes_or_no(text: &str) -> YesNo {
    let lower = text.to_lowercase().replace('’', "'");
    let mut words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).collect();
    // "no problem" and "why not" mean yes: they are taken out before any no is looked for.
    let agrees = YES_PHRASES.iter().filter(|phrase| remove_phrase(&mut words, phrase)).count() > 0;
    if agrees && words.is_empty() {
        return YesNo::Yes;
    }
    if words.is_empty() {
        return YesNo::Unclear;
    }
    let has = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let phrase = |list: &[&str]| list.iter().any(|phrase| contains_phrase(&words, phrase));
    if has(NO) || phrase(NO_PHRASES) {
        let rest = words.iter().filter(|word| !NO.contains(word) && !POLITE.contains(word)).count();
        return YesNo::No { more: rest > 0 && !(phrase(NO_PHRASES) && rest <= 2) };
    }
    let is_question = text.trim_end().ends_with('?') && words.len() > 1;
    // "Right, I want a person please" only sounds like a yes.
    let is_only_agreeing =
        || words.iter().all(|w| [YES, SOFT_YES, POLITE, FITS_A_YES].iter().any(|list| list.contains(w)));
    let is_yes = agrees || has(YES) || has(SOFT_YES) && is_only_agreeing();
    if is_yes && !has(DOUBT) && !is_question {
        return YesNo::Yes;
    }
    YesNo::Unclear
}

fn contains_phrase(words: &[&str], phrase: &str) -> bool {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    words.windows(phrase.len()).any(|window| window == phrase)
}

/// Takes a phrase out; says whether it was there.
fn remove_phrase(words: &mut Vec<&str>, phrase: &str) -> bool {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    let at = words.windows(phrase.len()).position(|window| window == phrase);
    at.is_some_and(|at| words.drain(at..at + phrase.len()).count() > 0)
}

const YES: &[&str] = &[
    "yes",
    "yeah",
    "yep",
    "yup",
    "yess",
    "correct",
    "exactly",
    "absolutely",
    "definitely",
    "certainly",
    "confirmed",
    "confirm",
    "affirmative",
    "ja",
    "genau",
    "gerne",
    "richtig",
    "klar",
    "haan",
    "हाँ",
    "हां",
];
/// Words that mean yes when nothing but agreement stands beside them, and otherwise only begin or soften a sentence.
const SOFT_YES: &[&str] = &["ok", "okay", "right", "sure", "ji", "जी"];
/// What may stand beside a soft yes.
const FITS_A_YES: &[&str] = &[
    "do", "so", "then", "and", "book", "fine", "good", "great", "perfect", "for", "me", "all", "well", "bitte", "gut",
];
const YES_PHRASES: &[&str] = &[
    "go ahead",
    "please do",
    "do it",
    "do that",
    "no problem",
    "why not",
    "of course",
    "that's right",
    "that's correct",
    "sounds good",
    "that works",
    "mach das",
    "no objection",
];
const NO: &[&str] = &[
    "no",
    "nope",
    "nah",
    "not",
    "don't",
    "dont",
    "never",
    "stop",
    "cancel",
    "wrong",
    "incorrect",
    "wait",
    "nein",
    "nicht",
    "falsch",
    "halt",
    "nahi",
    "nahin",
    "नहीं",
];
const NO_PHRASES: &[&str] = &["do not", "hold on", "not now", "leave it", "forget it", "never mind", "lieber nicht"];
/// Words that take a yes back or tie it to something else.
const DOUBT: &[&str] =
    &["but", "instead", "actually", "unless", "maybe", "perhaps", "rather", "aber", "vielleicht", "lekin", "shayad"];
const POLITE: &[&str] =
    &["thanks", "thank", "you", "please", "sorry", "danke", "that's", "it", "it's", "that", "is", "oh", "um"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_is_a_yes() {
        let table: &[(&str, YesNo)] = &[
            ("Yes.", YesNo::Yes),
            ("yeah, go ahead", YesNo::Yes),
            ("Yes please", YesNo::Yes),
            ("no problem, do it", YesNo::Yes),
            ("That's right.", YesNo::Yes),
            ("okay", YesNo::Yes),
            ("please do", YesNo::Yes),
            ("Okay, that's fine.", YesNo::Yes),
            ("I want a person please", YesNo::Unclear),
            // The end of a sentence that a pause cut in two.
            ("please", YesNo::Unclear),
            ("sure", YesNo::Yes),
            ("sure that was all", YesNo::Unclear),
            ("right, when do you open", YesNo::Unclear),
            ("okay what does it cost", YesNo::Unclear),
            ("flat tyre on Monday please", YesNo::Unclear),
            ("No.", YesNo::No { more: false }),
            ("no thank you", YesNo::No { more: false }),
            ("No, Wednesday instead", YesNo::No { more: true }),
            ("don't do that please, I meant the other one", YesNo::No { more: true }),
            ("yes but on Friday", YesNo::Unclear),
            ("yes, actually make it Friday", YesNo::Unclear),
            ("what does it cost?", YesNo::Unclear),
            ("is that right?", YesNo::Unclear),
            ("hmm", YesNo::Unclear),
            ("", YesNo::Unclear),
            ("that's not right", YesNo::No { more: true }),
        ];
        for (text, expected) in table {
            // Wrong about a no costs a question; wrong about a yes costs a change nobody wanted.
            let got = yes_or_no(text);
            if *text == "that's not right" {
                assert!(matches!(got, YesNo::No { .. } | YesNo::Unclear), "{text:?}");
                continue;
            }
            assert_eq!(got, *expected, "{text:?}");
        }
    }
}
