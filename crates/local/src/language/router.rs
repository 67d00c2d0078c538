//! Which tool an utterance asks for, and with which arguments.
//!
//! Ids are masked, the utterance is embedded, and the tool with the nearest example is the candidate. How near it must be
//! depends on what else speaks for it: an id or a day in the utterance. A question about the rules ("can I cancel after it
//! was packed?") must not become an action, so a tool that changes something needs one of its words, not negated, and
//! loses to the documents where the utterance is a question.

use super::embed::{Embedding, cosine};
use super::slots::{self, Found};
use super::words::{find_phrase, words};
use super::{Knowledge, LanguageError, LanguageModels};
use model::tool::{ParameterKind, ToolAction, ToolSpec};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Nearness (cosine) an example must have when the utterance holds an id the tool takes.
const NEAR_WITH_ID: f32 = 0.38;
/// The same when it holds a day the tool takes.
const NEAR_WITH_DAY: f32 = 0.42;
/// The same when nothing else speaks for the tool.
const NEAR: f32 = 0.60;
/// The same when the utterance is a question that the documents may answer.
const NEAR_QUESTION: f32 = 0.78;
/// How much nearer than the documents the example must be then.
const LEAD_OVER_DOCUMENTS: f32 = 0.05;
/// Words besides the id in an utterance that is little more than an id.
const BARE_ID_WORDS_MAX: usize = 4;
/// Vectors of examples kept; beyond it the cache starts again.
const EXAMPLES_MAX: usize = 4_096;

/// A tool and what is known of its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Routed {
    /// Position of the tool.
    pub tool: usize,
    /// Arguments found.
    pub args: Map<String, Value>,
    /// Nearness of the best example.
    pub nearness: f32,
}

/// The router. Holds the vectors of examples seen so far.
#[derive(Debug, Default)]
pub struct Router {
    examples: Mutex<HashMap<String, Embedding>>,
}

/// What the router may look at.
#[derive(Debug)]
pub struct Utterance<'a> {
    /// What the customer said.
    pub text: &'a str,
    /// What the customer said before, newest first: an id may have been given there.
    pub earlier: &'a [&'a str],
    /// The tool used last, by name.
    pub last_tool: Option<&'a str>,
}

impl Router {
    /// Embeds the examples of these tools, so that the first call does not pay for it.
    pub fn warm(&self, models: &LanguageModels, tools: &[ToolSpec]) -> Result<(), LanguageError> {
        for tool in tools {
            for example in &tool.examples {
                self.example(models, tool, example)?;
            }
        }
        Ok(())
    }

    /// The tool an utterance asks for; `None` when it asks for none.
    pub fn route(
        &self,
        models: &LanguageModels,
        knowledge: &Knowledge,
        tools: &[ToolSpec],
        utterance: &Utterance<'_>,
    ) -> Result<Option<Routed>, LanguageError> {
        let said = words(utterance.text);
        let mut vectors: HashMap<String, Embedding> = HashMap::new();
        let mut best: Option<Routed> = None;
        for (at, tool) in tools.iter().enumerate() {
            if tool.examples.is_empty() || matches!(tool.action, ToolAction::SearchKnowledge | ToolAction::EndCall) {
                continue;
            }
            let evidence = Evidence::of(tool, utterance);
            if !holds_word(&said, &tool.must_hold) || (tool.changes_state && asks_for_rules(&said)) {
                continue;
            }
            let masked = mask_ids(tool, utterance.text);
            let query = match vectors.get(&masked) {
                Some(vector) => *vector,
                None => {
                    let vector = models.embedder.embed(&masked)?;
                    vectors.insert(masked.clone(), vector);
                    vector
                }
            };
            let mut nearness = f32::MIN;
            for example in &tool.examples {
                nearness = nearness.max(cosine(&query, &self.example(models, tool, example)?));
            }
            let accepted = nearness >= evidence.threshold(tool, utterance, &said)
                && (!evidence.question_without_evidence(&said)
                    || nearness >= knowledge.nearest(&query) / 2.0 + LEAD_OVER_DOCUMENTS);
            if accepted && best.as_ref().is_none_or(|b| nearness > b.nearness) {
                best = Some(Routed { tool: at, args: evidence.args, nearness });
            }
        }
        Ok(best.map(|mut routed| {
            remember_ids(&tools[routed.tool], utterance, &mut routed.args);
            routed
        }))
    }

    fn example(&self, models: &LanguageModels, tool: &ToolSpec, example: &str) -> Result<Embedding, LanguageError> {
        let masked = mask_ids(tool, example);
        if let Some(vector) = self.examples.lock().unwrap_or_else(PoisonError::into_inner).get(&masked) {
            return Ok(*vector);
        }
        let vector = models.embedder.embed(&masked)?;
        let mut examples = self.examples.lock().unwrap_or_else(PoisonError::into_inner);
        if examples.len() >= EXAMPLES_MAX {
            examples.clear();
        }
        examples.insert(masked, vector);
        Ok(vector)
    }
}

/// What in an utterance speaks for a tool besides its meaning.
struct Evidence {
    args: Map<String, Value>,
    id: bool,
    day: bool,
}

impl Evidence {
    fn of(tool: &ToolSpec, utterance: &Utterance<'_>) -> Self {
        let mut evidence = Self { args: arguments(tool, utterance.text), id: false, day: false };
        for parameter in tool.parameters.iter().filter(|p| evidence.args.contains_key(&p.name)) {
            match parameter.kind {
                ParameterKind::Pattern { .. } => evidence.id = true,
                ParameterKind::Day => evidence.day = true,
                ParameterKind::Choice { .. }
                | ParameterKind::Text
                | ParameterKind::Number { .. }
                | ParameterKind::YesNo { .. } => {}
            }
        }
        evidence
    }

    fn question_without_evidence(&self, said: &[String]) -> bool {
        !self.id && is_question(said)
    }

    fn threshold(&self, tool: &ToolSpec, utterance: &Utterance<'_>, said: &[String]) -> f32 {
        if self.id {
            let bare = !tool.changes_state && words(&mask_ids(tool, utterance.text)).len() <= BARE_ID_WORDS_MAX;
            let same = utterance.last_tool.is_none_or(|last| last == tool.name);
            if bare && same { 0.0 } else { NEAR_WITH_ID }
        } else if self.question_without_evidence(said) {
            NEAR_QUESTION
        } else if self.day {
            NEAR_WITH_DAY
        } else {
            NEAR
        }
    }
}

/// The arguments of a tool that an utterance holds.
pub fn arguments(tool: &ToolSpec, utterance: &str) -> Map<String, Value> {
    tool.parameters
        .iter()
        .filter_map(|parameter| Some((parameter.name.clone(), slots::find(parameter, utterance)?.value)))
        .collect()
}

/// An id that is not in this utterance may have been given before ("cancel it, please").
fn remember_ids(tool: &ToolSpec, utterance: &Utterance<'_>, args: &mut Map<String, Value>) {
    for parameter in &tool.parameters {
        let is_id = matches!(parameter.kind, ParameterKind::Pattern { .. });
        if !is_id || args.contains_key(&parameter.name) {
            continue;
        }
        if let Some(found) = utterance.earlier.iter().find_map(|text| slots::find(parameter, text)) {
            args.insert(parameter.name.clone(), found.value);
        }
    }
}

/// The utterance with the ids a tool takes replaced by what they are ("order"), so that digits do not steer its meaning.
fn mask_ids(tool: &ToolSpec, utterance: &str) -> String {
    let mut text = utterance.to_owned();
    for parameter in &tool.parameters {
        if !matches!(parameter.kind, ParameterKind::Pattern { .. }) {
            continue;
        }
        let name = parameter.name.replace('_', " ");
        let name = name.trim_end_matches(" id").trim_end_matches(" number");
        if let Some(Found { at, .. }) = slots::find(parameter, &text) {
            let before = text[..at.start].trim_end();
            let before = before.strip_suffix("number").map_or(before, str::trim_end);
            let said_already = words(before).last().is_some_and(|word| word == name);
            let middle = if said_already { String::new() } else { format!(" my {name}") };
            text = format!("{before}{middle}{}", &text[at.end..]);
        }
    }
    text
}

/// Whether one of the words or phrases occurs, and not negated; true when there are none.
fn holds_word(said: &[String], must_hold: &[String]) -> bool {
    const NEGATIONS: &[&str] =
        &["not", "dont", "didnt", "never", "wont", "cannot", "cant", "without", "shouldnt", "isnt"];
    must_hold.is_empty()
        || must_hold.iter().any(|phrase| {
            find_phrase(said, phrase).is_some_and(|at| {
                let before = &said[at.saturating_sub(3)..at];
                !before.iter().any(|word| NEGATIONS.contains(&word.as_str()))
            })
        })
}

/// Whether an utterance asks for rules or prices rather than for something to be done.
fn asks_for_rules(said: &[String]) -> bool {
    const MARKERS: &[&str] = &[
        "how much",
        "how long",
        "how many",
        "what does",
        "what do",
        "what is",
        "whats",
        "what happens",
        "until when",
        "how do",
        "how can",
        "how to",
        "explain",
        "cost",
        "costs",
        "price",
        "prices",
        "fee",
        "fees",
        "charge",
        "policy",
        "allowed",
        "if i",
        "what if",
        "deadline",
    ];
    MARKERS.iter().any(|marker| find_phrase(said, marker).is_some())
}

/// Whether an utterance has the form of a question that is not a request ("could you cancel it" is one).
fn is_question(said: &[String]) -> bool {
    const OPENERS: &[&str] = &[
        "what", "whats", "how", "when", "where", "wheres", "which", "who", "why", "is", "are", "do", "does", "did",
        "has", "have", "was", "were", "may", "should", "am",
    ];
    let Some(first) = said.first().map(String::as_str) else { return false };
    let second = said.get(1).map(String::as_str);
    OPENERS.contains(&first)
        || (matches!(first, "can" | "could" | "will" | "would" | "must" | "shall") && second != Some("you"))
        || asks_for_rules(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::tool::Parameter;

    fn tool() -> ToolSpec {
        ToolSpec {
            name: "cancel_order".into(),
            description: String::new(),
            parameters: vec![Parameter {
                name: "order_id".into(),
                description: String::new(),
                kind: ParameterKind::Pattern { regex: r"\d{5}".into() },
                required: true,
                ask: None,
            }],
            action: ToolAction::Record { table: "orders".into() },
            changes_state: true,
            confirm: None,
            say_done: None,
            examples: vec!["cancel my order 12345".into()],
            must_hold: vec!["cancel".into(), "don't want".into()],
        }
    }

    #[test]
    fn ids_become_what_they_are() {
        assert_eq!(mask_ids(&tool(), "cancel my order 12345 now"), "cancel my order now");
        assert_eq!(mask_ids(&tool(), "is four eight two one three on its way"), "is my order on its way");
        assert_eq!(mask_ids(&tool(), "my order number 12345?"), "my order?");
    }

    #[test]
    fn a_negated_word_does_not_count() {
        let holds = |text: &str| holds_word(&words(text), &tool().must_hold);
        assert!(holds("please cancel it"));
        assert!(holds("I don't want it any more"));
        assert!(!holds("please don't cancel my order"));
        assert!(!holds("was it cancelled"));
    }

    #[test]
    fn requests_and_questions_are_told_apart() {
        let question = |text: &str| is_question(&words(text));
        for said in ["can I cancel my order after it was packed?", "how do I book a repair", "price of a small service"]
        {
            assert!(question(said), "{said}");
        }
        for said in ["could you cancel my order", "please cancel it", "I need my brakes looked at", "book a repair"] {
            assert!(!question(said), "{said}");
        }
    }
}
