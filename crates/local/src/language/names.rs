//! Names of people, addresses and towns in a text, found by a model that labels tokens.
//!
//! The model is small and was made for forms: alone, a capital word at the beginning of a sentence is often taken for a given name.
//! What is sure is a given name beside a surname, and a street beside its number.

use super::inference::Encoder;
use super::words::sentences;
use super::{LanguageError, NAMES};
use crate::models::ModelDir;
use crate::onnx::OnnxError;
use serde::Deserialize;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

/// Tokens of a text that count; the rest is not looked at.
const TOKENS_MAX: usize = 256;
const MODEL_FILE: &str = "model_q4.onnx";
const CONFIG_FILE: &str = "config.json";
/// Below this probability a token is nothing.
const SURE_FROM: f32 = 0.7;
/// A town that stands alone must be surer.
const TOWN_FROM: f32 = 0.8;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// Somebody, by given name, surname or both.
    Person,
    /// A street with its number, and the town where it is said.
    Address,
    /// A town.
    Town,
}

/// A name in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Of what.
    pub kind: NameKind,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// Whether a person is named by given name and surname; addresses and towns always are whole.
    pub is_whole: bool,
}

/// The model. Shared; loaded when the first text is read, because a process that only answers calls never needs it.
pub struct Names {
    dir: ModelDir,
    loaded: OnceLock<Result<Loaded, String>>,
}

struct Loaded {
    encoder: Encoder,
    labels: Vec<Label>,
}

/// What a token is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Given,
    Surname,
    Building,
    Street,
    Town,
    Zip,
    /// Nothing, or something that patterns find better.
    Else,
}

#[derive(Deserialize)]
struct Config {
    id2label: HashMap<String, String>,
}

/// A token or several that are parts of one word.
#[derive(Clone, Debug, PartialEq)]
struct Piece {
    label: Label,
    range: Range<usize>,
    probability: f32,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// The model of the models directory; `None` where it is not.
    pub fn at(dir: &ModelDir) -> Option<Self> {
        let is_there = [MODEL_FILE, "tokenizer.json", CONFIG_FILE].iter().all(|file| dir.file(NAMES, file).is_ok());
        is_there.then(|| Self { dir: dir.clone(), loaded: OnceLock::new() })
    }

    /// The names in a long text, sentence by sentence.
    ///
    /// # Errors
    /// When the model cannot be loaded or run.
    pub fn find_all(&self, text: &str) -> Result<Vec<Named>, LanguageError> {
        let (mut found, mut from) = (Vec::new(), 0);
        for sentence in sentences(text) {
            // Sentences are parts of the text, in its order.
            let at = text[from..].find(sentence).map_or(from, |at| from + at);
            let moved = |one: Named| Named { range: at + one.range.start..at + one.range.end, ..one };
            found.extend(self.find(sentence)?.into_iter().map(moved));
            from = at + sentence.len();
        }
        Ok(found)
    }

    /// The names in a text, in its order; about 6 ms a sentence.
    ///
    /// # Errors
    /// When the model cannot be loaded or run.
    pub fn find(&self, text: &str) -> Result<Vec<Named>, LanguageError> {
        let loaded = self.loaded.get_or_init(|| Loaded::read(&self.dir).map_err(|error| error.to_string()));
        let loaded = loaded.as_ref().map_err(|why| LanguageError::Run(why.clone()))?;
        Ok(named(text, &loaded.pieces(text)?))
    }
}

impl Loaded {
    fn read(dir: &ModelDir) -> Result<Self, LanguageError> {
        let wrong = |reason: String| LanguageError::Model { path: dir.path_of(NAMES, CONFIG_FILE), reason };
        let bytes = dir.read(NAMES, CONFIG_FILE).map_err(OnnxError::from)?;
        let config: Config = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let name = |at: usize| config.id2label.get(&at.to_string());
        let labels = (0..config.id2label.len()).map(|at| name(at).map_or(Label::Else, |name| label(name))).collect();
        Ok(Self { encoder: Encoder::load(dir, NAMES, MODEL_FILE, TOKENS_MAX)?, labels })
    }

    /// The tokens of a text that are part of something.
    fn pieces(&self, text: &str) -> Result<Vec<Piece>, LanguageError> {
        let encoding = self.encoder.encode(text)?;
        let output = self.encoder.run(&encoding)?;
        let width = output.len() / encoding.len().max(1);
        if width != self.labels.len() || width == 0 {
            return Err(LanguageError::Run(format!("the model knows {} labels and gave {width}", self.labels.len())));
        }
        let mut pieces: Vec<Piece> = Vec::new();
        for (&(from, to), logits) in encoding.get_offsets().iter().zip(output.chunks_exact(width)) {
            let best = (0..width).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0);
            let label = self.labels[best];
            if from == to || label == Label::Else {
                continue;
            }
            let probability = 1.0 / logits.iter().map(|logit| (logit - logits[best]).exp()).sum::<f32>();
            match pieces.last_mut() {
                Some(last) if last.range.end == from => {
                    last.range.end = to;
                    last.probability = last.probability.min(probability);
                }
                _ => pieces.push(Piece { label, range: from..to, probability }),
            }
        }
        Ok(pieces)
    }
}

fn label(name: &str) -> Label {
    match name.trim_start_matches("B-").trim_start_matches("I-") {
        "GIVEN_NAME" => Label::Given,
        "SURNAME" => Label::Surname,
        "BUILDING_NUMBER" => Label::Building,
        "STREET_NAME" => Label::Street,
        "CITY" | "STATE" => Label::Town,
        "ZIP_CODE" => Label::Zip,
        _ => Label::Else,
    }
}

/// What the pieces of a text amount to.
fn named(text: &str, pieces: &[Piece]) -> Vec<Named> {
    // Who writes without capitals writes names so as well.
    let has_capitals = text.chars().any(char::is_uppercase);
    let is_name = |piece: &&Piece| {
        let Some(said) = text.get(piece.range.clone()) else { return false };
        let begins = said.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit() || !has_capitals);
        piece.probability >= SURE_FROM && begins && !is_within_an_address_of_the_net(text, &piece.range)
    };
    let sure: Vec<&Piece> = pieces.iter().filter(is_name).collect();
    let mut found = Vec::new();
    let mut from = 0;
    while from < sure.len() {
        let is_person = |piece: &Piece| matches!(piece.label, Label::Given | Label::Surname);
        let mut to = from + 1;
        while to < sure.len()
            && is_person(sure[to]) == is_person(sure[from])
            && stand_together(text, sure[to - 1], sure[to])
        {
            to += 1;
        }
        found.extend(one(&sure[from..to]));
        from = to;
    }
    found
}

/// Whether nothing but spaces and a comma is between two pieces.
fn stand_together(text: &str, before: &Piece, after: &Piece) -> bool {
    let between = text.get(before.range.end..after.range.start).unwrap_or("-");
    let comma = !matches!(after.label, Label::Given | Label::Surname);
    between.len() <= 2 && between.chars().all(|c| c == ' ' || (comma && c == ','))
}

/// `care@shop.example`, `www.shop.example`.
fn is_within_an_address_of_the_net(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].chars().next_back();
    let mut after = text[range.end..].chars();
    let begins_with = after.next();
    matches!(before, Some('@' | '.' | '/'))
        || begins_with == Some('@')
        || (begins_with == Some('.') && after.next().is_some_and(char::is_alphanumeric))
}

/// What pieces that stand together are.
fn one(pieces: &[&Piece]) -> Option<Named> {
    let (first, last) = (pieces.first()?, pieces.last()?);
    let has = |label: Label| pieces.iter().any(|piece| piece.label == label);
    let range = first.range.start..last.range.end;
    if has(Label::Given) || has(Label::Surname) {
        let is_whole = has(Label::Given) && has(Label::Surname);
        return Some(Named { kind: NameKind::Person, range, is_whole });
    }
    if has(Label::Street) && (has(Label::Building) || has(Label::Zip)) {
        return Some(Named { kind: NameKind::Address, range, is_whole: true });
    }
    let town = pieces.iter().find(|piece| piece.label == Label::Town && piece.probability >= TOWN_FROM)?;
    Some(Named { kind: NameKind::Town, range: town.range.clone(), is_whole: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, marks: &[(Label, &str, f32)]) -> Vec<Piece> {
        let piece = |&(label, said, probability): &(Label, &str, f32)| {
            let from = text.find(said).expect("it is in the text");
            Piece { label, range: from..from + said.len(), probability }
        };
        marks.iter().map(piece).collect()
    }

    fn found<'t>(text: &'t str, marks: &[(Label, &str, f32)]) -> Vec<(NameKind, &'t str, bool)> {
        let named = named(text, &pieces(text, marks));
        named.into_iter().map(|one| (one.kind, &text[one.range], one.is_whole)).collect()
    }

    #[test]
    fn given_name_and_surname_are_one_person_and_a_comma_parts_two() {
        let text = "Ask Anna Weber, Tom Kim or Robes.";
        let marks = [
            (Label::Given, "Anna", 0.9),
            (Label::Surname, "Weber", 0.9),
            (Label::Given, "Tom", 0.9),
            (Label::Surname, "Kim", 0.8),
            (Label::Given, "Robes", 0.9),
        ];
        let person = NameKind::Person;
        assert_eq!(
            found(text, &marks),
            [(person, "Anna Weber", true), (person, "Tom Kim", true), (person, "Robes", false)]
        );
    }

    #[test]
    fn a_street_with_its_number_is_an_address_with_the_town_beside_it() {
        let text = "Visit 14 Canal Street, Northport, NP4 2BX by line 7.";
        let marks = [
            (Label::Building, "14", 1.0),
            (Label::Street, "Canal Street", 1.0),
            (Label::Town, "Northport", 1.0),
            (Label::Zip, "NP4 2BX", 1.0),
            (Label::Building, "7", 0.8),
        ];
        assert_eq!(found(text, &marks), [(NameKind::Address, "14 Canal Street, Northport, NP4 2BX", true)]);
    }

    #[test]
    fn what_is_unsure_small_or_part_of_a_mail_address_is_no_name() {
        let text = "Write to care@Leaf.example, says else, in Linden or Berlin.";
        let marks = [
            (Label::Town, "Leaf", 0.9),
            (Label::Given, "else", 0.9),
            (Label::Town, "Linden", 0.6),
            (Label::Town, "Berlin", 0.9),
        ];
        assert_eq!(found(text, &marks), [(NameKind::Town, "Berlin", true)]);
    }
}
