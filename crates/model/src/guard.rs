//! What an agent must not do, whatever a model makes of its instructions: part of it stands in the instructions, and what can
//! be judged by words alone is held outside every model.

use serde::{Deserialize, Serialize};

/// Subjects, and phrases.
pub const RULES_MAX: usize = 50;
/// Characters of each.
pub const RULE_CHARS_MAX: usize = 100;
/// Characters of what is said instead.
pub const INSTEAD_CHARS_MAX: usize = 300;
/// Refusals and failed turns after which a person may be offered.
pub const OFFER_AFTER_MAX: u32 = 10;

/// What an agent must not do. How long a call may last is its `timing.call_ms_max`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guardrails {
    /// Subjects that it does not talk about. A model is told; and a caller who names one of them in these words is refused
    /// without asking any model.
    pub refuse_topics: Vec<String>,
    /// Phrases that it never says. A model is told; and a sentence that holds one is not spoken.
    pub never_say: Vec<String>,
    /// What it says instead.
    pub instead: String,
    /// When it offers a person.
    pub offer_person: OfferPerson,
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            refuse_topics: Vec::new(),
            never_say: Vec::new(),
            instead: "I'm sorry, I can't help you with that. What else can I do for you?".into(),
            offer_person: OfferPerson::default(),
        }
    }
}

/// When an agent offers a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OfferPerson {
    /// Situations, in words for a model, such as `the customer is angry`.
    pub situations: Vec<String>,
    /// After so many refusals in one call the caller is handed to a person, if the agent has one; 0: never.
    pub after_refusals: u32,
    /// After so many turns in a row without an answer the call is handed to a person.
    pub after_failed_turns: u32,
}

impl Default for OfferPerson {
    fn default() -> Self {
        Self { situations: Vec::new(), after_refusals: 0, after_failed_turns: 2 }
    }
}

impl Guardrails {
    /// Whether they say nothing that a model must be told.
    pub fn is_silent(&self) -> bool {
        self.refuse_topics.is_empty() && self.never_say.is_empty() && self.offer_person.situations.is_empty()
    }

    /// The subject of the list that these words name, if they name one.
    pub fn topic_in(&self, words: &str) -> Option<&str> {
        let words = plain(words);
        self.refuse_topics.iter().find(|topic| holds(&words, 0, &plain(topic))).map(String::as_str)
    }

    /// The phrase of the list that is whole with this sentence, said behind what was said before in the same breath.
    pub fn phrase_in(&self, before: &str, sentence: &str) -> Option<&str> {
        if self.never_say.is_empty() {
            return None;
        }
        let mut words = plain(before);
        let old = words.len();
        words.extend(plain(sentence));
        self.never_say.iter().find(|phrase| holds(&words, old, &plain(phrase))).map(String::as_str)
    }

    /// What is wrong with them, in words.
    ///
    /// # Errors
    /// The place and what was expected.
    pub fn check(&self) -> Result<(), String> {
        let lists = [
            ("refuse_topics", &self.refuse_topics),
            ("never_say", &self.never_say),
            ("offer_person.situations", &self.offer_person.situations),
        ];
        for (name, list) in lists {
            if list.len() > RULES_MAX {
                return Err(format!("{name}: at most {RULES_MAX}"));
            }
            let is_fine = |text: &String| (1..=RULE_CHARS_MAX).contains(&text.chars().count());
            if let Some(at) = list.iter().position(|text| !is_fine(text)) {
                return Err(format!("{name}.{at}: 1 to {RULE_CHARS_MAX} characters"));
            }
        }
        let count = self.instead.chars().count();
        if self.instead.trim().is_empty() || count > INSTEAD_CHARS_MAX {
            return Err(format!("instead: 1 to {INSTEAD_CHARS_MAX} characters"));
        }
        if self.offer_person.after_refusals > OFFER_AFTER_MAX {
            return Err(format!("offer_person.after_refusals: 0 to {OFFER_AFTER_MAX}"));
        }
        if !(1..=OFFER_AFTER_MAX).contains(&self.offer_person.after_failed_turns) {
            return Err(format!("offer_person.after_failed_turns: 1 to {OFFER_AFTER_MAX}"));
        }
        Ok(())
    }
}

/// Words as they are compared: without case and punctuation.
fn plain(text: &str) -> Vec<String> {
    let words = text.split(|sign: char| !sign.is_alphanumeric() && sign != '\'' && sign != '’');
    words.map(|word| word.replace('’', "'").to_lowercase()).filter(|word| !word.is_empty()).collect()
}

/// Whether the phrase stands among the words and ends behind the first `old` of them.
fn holds(words: &[String], old: usize, phrase: &[String]) -> bool {
    !phrase.is_empty()
        && words.windows(phrase.len()).enumerate().any(|(at, window)| at + phrase.len() > old && window == phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guardrails() -> Guardrails {
        Guardrails {
            refuse_topics: vec!["legal advice".into(), "राजनीति".into()],
            never_say: vec!["full refund".into(), "I guarantee".into()],
            ..Guardrails::default()
        }
    }

    #[test]
    fn a_topic_is_known_by_its_words_and_not_by_parts_of_them() {
        let guard = guardrails();
        assert_eq!(guard.topic_in("Can you give me LEGAL, advice?"), Some("legal advice"));
        assert_eq!(guard.topic_in("मुझे राजनीति पर बताइए"), Some("राजनीति"));
        assert_eq!(guard.topic_in("Is it paralegal advice?"), None);
        assert_eq!(guard.topic_in("legal. Some advice"), None);
    }

    #[test]
    fn a_phrase_is_found_across_two_sentences_and_only_once() {
        let guard = guardrails();
        assert_eq!(guard.phrase_in("", "You get a full refund."), Some("full refund"));
        assert_eq!(guard.phrase_in("You get a full", "refund today."), Some("full refund"));
        assert_eq!(guard.phrase_in("You get a full refund.", "Is that fine?"), None, "that was looked at before");
        assert_eq!(guard.phrase_in("", "I guaranteed nothing"), None);
    }

    #[test]
    fn rules_out_of_bounds_are_refused() {
        assert_eq!(guardrails().check(), Ok(()));
        let with = |change: fn(&mut Guardrails)| {
            let mut guard = guardrails();
            change(&mut guard);
            guard.check().expect_err("refused")
        };
        assert!(with(|guard| guard.never_say.push(String::new())).starts_with("never_say.2"));
        assert!(with(|guard| guard.refuse_topics = vec!["x".into(); 51]).starts_with("refuse_topics"));
        assert!(with(|guard| guard.instead = " ".into()).starts_with("instead"));
        assert!(with(|guard| guard.offer_person.after_failed_turns = 0).starts_with("offer_person"));
    }
}
