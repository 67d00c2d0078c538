//! What a question is about, where the nearest passage is the answer to another question: "Do you sell aquarium fish?" is near "Do
//! you sell gift cards?" by everything but what matters. Pure.

use super::words::{is_stop_word, terms, words};

/// What businesses do with things, in stems: what two questions have in common by these alone is not their subject.
const DEEDS: &[&str] = &[
    "accept", "allow", "bring", "book", "buy", "call", "carri", "charg", "come", "cost", "deliv", "deliveri", "find",
    "fix", "give", "go", "help", "hire", "keep", "know", "leav", "long", "make", "mani", "mean", "mend", "much",
    "need", "offer", "open", "order", "pay", "possibl", "provid", "rent", "repair", "return", "sell", "send", "servic",
    "ship", "show", "stock", "suppli", "support", "take", "use", "want", "work",
];

/// Below this cosine, what two questions do not share has nothing to do with each other.
pub const RELATED_FROM: f32 = 0.3;

/// What is left of two questions without the words that they share and those that carry no topic, in the order of the questions;
/// `None` when they share a subject, or when nothing is left of one of them.
pub fn what_differs(question: &str, other: &str) -> Option<(String, String)> {
    let (ours, theirs) = (terms(question), terms(other));
    let shared: Vec<&String> = ours.iter().filter(|term| theirs.contains(term)).collect();
    if shared.iter().any(|term| !DEEDS.contains(&term.as_str())) {
        return None;
    }
    let rest = |text: &str| {
        let is_own = |word: &String| !is_stop_word(word) && !terms(word).iter().any(|term| shared.contains(&term));
        words(text).into_iter().filter(is_own).collect::<Vec<_>>().join(" ")
    };
    let (ours, theirs) = (rest(question), rest(other));
    (!ours.is_empty() && !theirs.is_empty()).then_some((ours, theirs))
}

/// The question that a heading is, if it is one.
pub fn asked_by(heading: &str) -> Option<&str> {
    let last = heading.rsplit(": ").next()?.trim();
    last.ends_with('?').then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_questions_do_not_share_is_what_they_are_about() {
        let differs = |question, other| what_differs(question, other);
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(
            differs("Do you sell aquarium fish?", "Do you sell gift cards?"),
            pair("aquarium fish", "gift cards")
        );
        assert_eq!(differs("Can I buy a voucher?", "Do you sell gift cards?"), pair("buy voucher", "sell gift cards"));
        assert_eq!(differs("Do you have gift certificates?", "Do you sell gift cards?"), None, "both are about gifts");
        assert_eq!(differs("Do you take PayPal?", "Can I pay with PayPal?"), None);
        assert_eq!(differs("Are you open?", "Are you open on Sundays?"), None, "nothing is left of one");
    }

    #[test]
    fn a_heading_may_be_a_question() {
        assert_eq!(asked_by("Payment: Can I pay by card?"), Some("Can I pay by card?"));
        assert_eq!(asked_by("Opening hours"), None);
    }
}
