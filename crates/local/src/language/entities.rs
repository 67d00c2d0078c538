//! Things that customers name, found by patterns and lists. Pure.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// Bytes that a compiled pattern may take: enough for a number of an order, too little for an attack.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

/// A kind of thing that customers name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityType {
    /// Its name.
    pub name: String,
    /// A regular expression, without look-around: matching takes time in proportion to the text.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Values with other words for them.
    #[serde(default)]
    pub values: Vec<EntityValue>,
}

/// One value of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityValue {
    /// The value.
    pub value: String,
    /// Other words for it.
    #[serde(default)]
    pub synonyms: Vec<String>,
}

/// A thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Name of its type.
    pub entity: String,
    /// The value; of a list, the one that the words stand for.
    pub value: String,
    /// The words as they were said.
    pub text: String,
    /// Byte at which they begin.
    pub from: usize,
}

/// An expression, and the value that it stands for where that is not what was said.
type Pattern = (Regex, Option<String>);

/// Finds things of several types.
#[derive(Debug)]
pub struct Finder {
    types: Vec<(String, Vec<Pattern>)>,
}

impl Finder {
    /// Prepares these types.
    ///
    /// # Errors
    /// Names the type whose pattern cannot be used, and why.
    pub fn new(types: &[EntityType]) -> Result<Self, String> {
        let prepare = |one: &EntityType| {
            let mut patterns = Vec::new();
            if let Some(pattern) = &one.pattern {
                patterns.push((compile(&one.name, pattern)?, None));
            }
            for value in &one.values {
                let words: Vec<String> =
                    std::iter::once(&value.value).chain(&value.synonyms).map(|word| regex::escape(word)).collect();
                let listed = format!(r"\b(?:{})\b", words.join("|"));
                patterns.push((compile(&one.name, &listed)?, Some(value.value.clone())));
            }
            Ok((one.name.clone(), patterns))
        };
        Ok(Self { types: types.iter().map(prepare).collect::<Result<_, String>>()? })
    }

    /// What a text names, in the order in which it does.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let mut found = Vec::new();
        for (entity, patterns) in &self.types {
            for (pattern, value) in patterns {
                found.extend(pattern.find_iter(text).filter(|one| !one.is_empty()).map(|one| Found {
                    entity: entity.clone(),
                    value: value.clone().unwrap_or_else(|| one.as_str().to_owned()),
                    text: one.as_str().to_owned(),
                    from: one.start(),
                }));
            }
        }
        found.sort_by(|a, b| a.from.cmp(&b.from).then(a.entity.cmp(&b.entity)));
        found
    }
}

fn compile(name: &str, pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).case_insensitive(true).size_limit(PATTERN_BYTES_MAX).build();
    built.map_err(|error| format!("the pattern of {name} cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_pattern_and_words_by_the_list() {
        let value = |value: &str, synonyms: &[&str]| EntityValue {
            value: value.into(),
            synonyms: synonyms.iter().map(|&one| one.to_owned()).collect(),
        };
        let types = [
            EntityType { name: "order".into(), pattern: Some(r"\bBC-\d{4}\b".into()), values: Vec::new() },
            EntityType {
                name: "bike".into(),
                pattern: None,
                values: vec![value("e-bike", &["electric bike", "pedelec"])],
            },
        ];
        let found = Finder::new(&types).expect("patterns").find("Is my Electric bike of order bc-1001 ready?");
        let seen: Vec<_> = found.iter().map(|one| (one.entity.as_str(), one.value.as_str())).collect();
        assert_eq!(seen, [("bike", "e-bike"), ("order", "bc-1001")]);
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_named() {
        let broken = |pattern: &str| EntityType { name: "x".into(), pattern: Some(pattern.into()), values: Vec::new() };
        assert!(Finder::new(&[broken("(")]).is_err_and(|why| why.contains("the pattern of x")));
        assert!(Finder::new(&[broken(r"(\w{100}){1000}")]).is_err(), "it would take too much memory");
    }
}
