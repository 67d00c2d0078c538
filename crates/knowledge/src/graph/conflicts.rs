//! Where passages contradict each other: different values of what can have one.

use std::collections::{BTreeMap, BTreeSet};
use store::graph::Relation;
use uuid::Uuid;

/// Something of which different passages say different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Of what it is said.
    pub subject: Uuid,
    /// Its name.
    pub subject_name: String,
    /// What is said.
    pub predicate: String,
    /// The values with the relations that say them, the one that is said most often first.
    pub values: Vec<(String, Vec<Relation>)>,
}

/// Predicates of which one thing may have several values.
const MANY: [&str; 5] = ["has", "is", "deliver to", "ship to", "available in"];

/// Conflicts among relations, by name and predicate. A passage that gives several values itself knows why, so only passages
/// that share none of theirs contradict each other. What a person said weighs like a passage.
pub fn conflicts(relations: &[Relation]) -> Vec<Conflict> {
    let mut groups: BTreeMap<(String, Uuid, String), Vec<&Relation>> = BTreeMap::new();
    for relation in relations.iter().filter(|one| !MANY.contains(&one.predicate.as_str())) {
        let key = (relation.subject_name.to_lowercase(), relation.subject, relation.predicate.clone());
        groups.entry(key).or_default().push(relation);
    }
    let mut found = Vec::new();
    for ((_, subject, predicate), said) in groups {
        let mut passages: BTreeMap<Option<(Uuid, u32)>, BTreeSet<String>> = BTreeMap::new();
        for one in &said {
            let place = one.source.as_ref().map(|source| (source.document.0, source.ordinal));
            passages.entry(place).or_default().insert(value(one));
        }
        let sets: Vec<&BTreeSet<String>> = passages.values().collect();
        let contradict = |a: &BTreeSet<String>, b: &BTreeSet<String>| contradict(&predicate, a, b);
        if !sets.iter().enumerate().any(|(at, a)| sets[at + 1..].iter().any(|b| contradict(a, b))) {
            continue;
        }
        let mut values: BTreeMap<String, Vec<Relation>> = BTreeMap::new();
        for one in said {
            values.entry(value(one)).or_default().push(one.clone());
        }
        let mut values: Vec<(String, Vec<Relation>)> =
            values.into_values().map(|all| (all[0].value.clone(), all)).collect();
        values.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(&b.0)));
        let subject_name = values[0].1[0].subject_name.clone();
        found.push(Conflict { subject, subject_name, predicate, values });
    }
    found
}

/// Whether what one passage says cannot be so when what another one says is. A business has addresses for many purposes; the same
/// name at two places is one of them written wrong.
fn contradict(predicate: &str, a: &BTreeSet<String>, b: &BTreeSet<String>) -> bool {
    let name = |address: &String| address.split('@').next().unwrap_or_default().to_owned();
    let names = |all: &BTreeSet<String>| all.iter().map(name).collect::<BTreeSet<String>>();
    a.is_disjoint(b) && (predicate != "e-mail" || !names(a).is_disjoint(&names(b)))
}

fn value(relation: &Relation) -> String {
    format!("{}{}", if relation.negated { "not " } else { "" }, relation.value.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::DocumentId;
    use store::graph::RelationSource;

    fn says(subject: u128, predicate: &str, value: &str, document: u128, ordinal: u32) -> Relation {
        Relation {
            id: Uuid::from_u128(document * 100 + u128::from(ordinal)),
            subject: Uuid::from_u128(subject),
            subject_name: format!("Bike {subject}"),
            predicate: predicate.into(),
            object: None,
            value: value.into(),
            negated: false,
            source: Some(RelationSource {
                document: DocumentId(Uuid::from_u128(document)),
                slug: String::new(),
                title: String::new(),
                ordinal,
                heading: String::new(),
                quote: String::new(),
            }),
        }
    }

    #[test]
    fn documents_that_give_different_prices_contradict_each_other() {
        let said = [
            says(1, "costs", "18 EUR", 1, 0),
            says(1, "costs", "20 EUR", 2, 0),
            says(1, "costs", "18 eur", 3, 0),
            says(2, "costs", "42 EUR", 1, 0),
            says(2, "costs", "42 EUR", 2, 0),
        ];
        let found = conflicts(&said);
        assert_eq!(found.len(), 1);
        let values: Vec<(&str, usize)> =
            found[0].values.iter().map(|(value, all)| (value.as_str(), all.len())).collect();
        assert_eq!(values, [("18 EUR", 2), ("20 EUR", 1)]);
    }

    #[test]
    fn addresses_for_different_purposes_do_not_contradict_each_other() {
        let mut said =
            vec![says(1, "e-mail", "care@shop.example", 1, 0), says(1, "e-mail", "privacy@shop.example", 1, 1)];
        assert!(conflicts(&said).is_empty());
        said.push(says(1, "e-mail", "care@shop.test", 2, 0));
        assert_eq!(conflicts(&said).len(), 1, "the same name at two places is one of them written wrong");
    }

    #[test]
    fn what_one_passage_says_together_is_no_conflict() {
        let said = [
            says(1, "period", "5 years", 1, 0),
            says(1, "period", "2 years", 1, 0),
            says(1, "period", "2 years", 2, 0),
            says(1, "has", "gears", 1, 0),
            says(1, "has", "a bell", 2, 0),
        ];
        assert!(conflicts(&said).is_empty());
    }
}
