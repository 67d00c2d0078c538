//! What documents say of the things that they name, for questions: passages about a thing that is named, and "which … have …"
//! over several passages. Pure.
//!
//! An answer is made of sentences of documents, never of what was found in them.

use super::words::{terms, words};
use std::collections::{BTreeSet, HashMap};

/// Passages about one named thing that come into question besides those that are near.
const PASSAGES_MAX: usize = 3;
/// A thing that so many passages name tells none of them apart.
const COMMON_FROM: usize = 25;
/// Sentences of one answer.
const SENTENCES_MAX: usize = 4;
/// Words that name the kind of thing that is asked for.
const CLASS_WORDS_MAX: usize = 4;

/// A thing that documents name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thing {
    /// All of its names, the first as people see it.
    pub names: Vec<String>,
    /// What it is: `product`, `place`.
    pub kind: String,
    /// Passages that name it.
    pub sections: Vec<usize>,
}

/// Something that is said of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is called where it is kept.
    pub id: u128,
    /// The thing, by its place.
    pub thing: usize,
    /// What is said: `costs`, `has`, a column's name.
    pub predicate: String,
    /// What it is.
    pub value: String,
    /// That it is not so.
    pub negated: bool,
    /// The passage that says so.
    pub section: usize,
    /// Its sentence, verbatim.
    pub quote: String,
}

/// Things and what is said of them.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    things: Vec<Thing>,
    facts: Vec<Fact>,
    of: Vec<Vec<usize>>,
    /// Things with their names as words, by the first word.
    by_word: HashMap<String, Vec<(Vec<String>, usize)>>,
}

/// What a question that asks which things are so wants.
#[derive(Debug, PartialEq)]
struct Which {
    class: BTreeSet<String>,
    asked: BTreeSet<String>,
    without: bool,
    bound: Option<Bound>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    Below(f64),
    Above(f64),
}

impl Facts {
    /// Puts them in order. A fact of a thing that is not there is left out.
    pub fn new(things: Vec<Thing>, facts: Vec<Fact>) -> Self {
        let facts: Vec<Fact> = facts.into_iter().filter(|fact| fact.thing < things.len()).collect();
        let mut of = vec![Vec::new(); things.len()];
        for (at, fact) in facts.iter().enumerate() {
            of[fact.thing].push(at);
        }
        let mut by_word: HashMap<String, Vec<(Vec<String>, usize)>> = HashMap::new();
        for (at, thing) in things.iter().enumerate() {
            for name in &thing.names {
                let name = words(name);
                // A single common word names nothing.
                if let Some(first) = name.first().filter(|first| name.len() > 1 || first.len() > 3) {
                    by_word
                        .entry(singular(first))
                        .or_default()
                        .push((name.iter().map(|word| singular(word)).collect(), at));
                }
            }
        }
        Self { things, facts, of, by_word }
    }

    /// A fact by its place.
    pub fn fact(&self, at: usize) -> Option<&Fact> {
        self.facts.get(at)
    }

    /// Passages about the things that a question names, those that say something of them first.
    pub fn passages(&self, question: &str) -> Vec<usize> {
        let asked: Vec<String> = words(question).iter().map(|word| singular(word)).collect();
        let mut found = Vec::new();
        for (at, word) in asked.iter().enumerate() {
            for (name, thing) in self.by_word.get(word).into_iter().flatten() {
                let sections = &self.things[*thing].sections;
                if !asked[at..].starts_with(name) || sections.len() >= COMMON_FROM {
                    continue;
                }
                let said = self.of[*thing].iter().map(|fact| self.facts[*fact].section);
                for section in said.chain(sections.iter().copied()) {
                    if !found.contains(&section) {
                        found.push(section);
                    }
                }
            }
        }
        found.truncate(PASSAGES_MAX);
        found
    }

    /// Places of the facts that answer a question for the things of a kind of which something is so; empty when it is no such
    /// question, or nothing is known to be so. `heading` tells what a passage stands under.
    pub fn which(&self, question: &str, heading: impl Fn(usize) -> String) -> Vec<usize> {
        let Some(which) = Which::read(question) else { return Vec::new() };
        let mut found: Vec<usize> = Vec::new();
        let mut quotes: BTreeSet<&str> = BTreeSet::new();
        for (at, thing) in self.things.iter().enumerate() {
            let about = self.of[at].iter().filter(|fact| which.holds(&self.facts[**fact], thing));
            let mut about: Vec<usize> = about.copied().collect();
            let named = about.iter().map(|fact| heading(self.facts[*fact].section)).collect::<Vec<_>>().join(" ");
            let kind: BTreeSet<String> =
                terms(&format!("{} {} {named}", thing.names.join(" "), thing.kind)).into_iter().collect();
            if about.is_empty() || !which.class.is_subset(&kind) {
                continue;
            }
            about.truncate(1);
            found.extend(about.into_iter().filter(|fact| quotes.insert(&self.facts[*fact].quote)));
        }
        if found.len() > SENTENCES_MAX { Vec::new() } else { found }
    }
}

fn singular(word: &str) -> String {
    match word.strip_suffix('s') {
        Some(stem) if word.len() > 3 && !stem.ends_with('s') => stem.to_owned(),
        _ => word.to_owned(),
    }
}

impl Which {
    fn read(question: &str) -> Option<Self> {
        const VERBS: [&str; 22] = [
            "have", "has", "with", "without", "offer", "offers", "include", "includes", "come", "comes", "contain",
            "contains", "support", "supports", "cost", "costs", "are", "is", "do", "does", "can", "under",
        ];
        const NO: [&str; 6] = ["no", "not", "without", "dont", "doesnt", "arent"];
        let said = words(question);
        let from = said.iter().position(|word| matches!(word.as_str(), "which" | "what"))?;
        let verb = said[from + 1..].iter().position(|word| VERBS.contains(&word.as_str()))? + from + 1;
        let class = &said[from + 1..verb];
        // "which of your bikes": what stands between leads to the kind.
        let class: Vec<&str> = class
            .iter()
            .map(String::as_str)
            .filter(|word| !matches!(*word, "of" | "your" | "the" | "kind" | "kinds"))
            .collect();
        if class.is_empty() || class.len() > CLASS_WORDS_MAX {
            return None;
        }
        let rest = &said[verb..];
        let number = rest.iter().find_map(|word| word.parse::<f64>().ok());
        let is = |words: &[&str]| rest.iter().any(|word| words.contains(&word.as_str()));
        let bound = match number {
            Some(number) if is(&["under", "below", "less", "cheaper", "most"]) => Some(Bound::Below(number)),
            Some(number) if is(&["over", "above", "more", "least"]) => Some(Bound::Above(number)),
            _ => None,
        };
        const BOUND: [&str; 22] = [
            "have", "has", "cost", "costs", "come", "comes", "offer", "offers", "include", "includes", "contain",
            "contains", "support", "supports", "under", "below", "less", "more", "least", "most", "over", "above",
        ];
        const MONEY: [&str; 8] = ["euro", "euros", "dollar", "dollars", "pound", "pounds", "cheaper", "price"];
        let told: Vec<&str> = rest
            .iter()
            .map(String::as_str)
            .filter(|word| !BOUND.contains(word) && !NO.contains(word))
            .filter(|word| bound.is_none() || !(MONEY.contains(word) || word.parse::<f64>().is_ok()))
            .collect();
        let asked: BTreeSet<String> = terms(&told.join(" ")).into_iter().collect();
        if asked.is_empty() && bound.is_none() {
            return None;
        }
        let class = terms(&class.join(" ")).into_iter().collect::<BTreeSet<_>>();
        (!class.is_empty()).then_some(Self { class, asked, without: is(&NO), bound })
    }

    fn holds(&self, fact: &Fact, thing: &Thing) -> bool {
        if fact.negated != self.without || !thing.sections.contains(&fact.section) {
            return false;
        }
        let amount = || fact.value.split(' ').next().and_then(|number| number.parse::<f64>().ok());
        let within = match self.bound {
            None => true,
            Some(bound) if fact.predicate.starts_with("costs") => amount().is_some_and(|amount| match bound {
                Bound::Below(most) => amount <= most,
                Bound::Above(least) => amount >= least,
            }),
            Some(_) => false,
        };
        let said: BTreeSet<String> = terms(&format!("{} {}", fact.predicate, fact.value)).into_iter().collect();
        within && self.asked.is_subset(&said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Facts {
        let thing = |name: &str, section: usize| Thing {
            names: vec![name.into()],
            kind: "product".into(),
            sections: vec![section],
        };
        let fact = |thing: usize, predicate: &str, value: &str, negated: bool| Fact {
            id: thing as u128,
            thing,
            predicate: predicate.into(),
            value: value.into(),
            negated,
            section: thing,
            quote: format!("Model: thing {thing}; {predicate}: {value}."),
        };
        Facts::new(
            vec![thing("Cargo One", 0), thing("City", 1), thing("Trail", 2)],
            vec![
                fact(0, "motor", "yes", false),
                fact(1, "motor", "no", true),
                fact(2, "motor", "yes", false),
                fact(0, "costs a day", "60 EUR", false),
                fact(1, "costs a day", "18 EUR", false),
            ],
        )
    }

    fn answers(question: &str) -> Vec<(usize, String)> {
        let facts = shop();
        let found = facts.which(question, |_| "Our bikes".into());
        found.into_iter().filter_map(|at| facts.fact(at)).map(|fact| (fact.thing, fact.predicate.clone())).collect()
    }

    #[test]
    fn things_of_which_something_is_so_are_found_over_all_passages() {
        let motor = |thing: usize| (thing, "motor".to_owned());
        assert_eq!(answers("Which bikes have a motor?"), [motor(0), motor(2)]);
        assert_eq!(answers("which of your bikes come without a motor"), [motor(1)]);
        assert_eq!(answers("what bikes cost less than 20 euros a day"), [(1, "costs a day".to_owned())]);
        assert!(answers("Which helmets have a motor?").is_empty());
        assert!(answers("Which bikes have a basket?").is_empty());
        assert!(answers("Do you have bikes with a motor?").is_empty(), "it asks whether, not which");
        assert!(answers("What is the weight of the bikes").is_empty());
    }

    #[test]
    fn passages_about_what_is_named_come_into_question() {
        assert_eq!(shop().passages("is the cargo one heavy"), [0]);
        assert_eq!(shop().passages("are trails made for mud"), [2]);
        assert!(shop().passages("are you open").is_empty());
    }
}
