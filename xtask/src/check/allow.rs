//! Exceptions, each with a reason and an exact count, so that the list can only shrink: one violation fewer and the list is
//! wrong until its number is lowered.

use super::Violation;
use std::collections::BTreeMap;

/// The list, from the root of the workspace.
pub const FILE: &str = "xtask/allow.txt";

/// Takes away what the list allows, and adds what is wrong with the list.
pub fn apply(list: &str, found: Vec<Violation>) -> Vec<Violation> {
    let mut groups: BTreeMap<(String, String), Vec<Violation>> = BTreeMap::new();
    for violation in found {
        groups.entry((violation.rule.to_owned(), violation.path.clone())).or_default().push(violation);
    }
    let mut wrong = Vec::new();
    for (index, line) in list.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let mut say = |message: String| wrong.push(Violation::new(FILE, index + 1, "allow-list", message));
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [rule, path, count, reason] = parts[..] else {
            say("a line is `rule | path | count | reason`".into());
            continue;
        };
        let Ok(count) = count.parse::<usize>() else {
            say(format!("`{count}` is no count"));
            continue;
        };
        if reason.split_whitespace().count() < 3 {
            say("give a reason".into());
        }
        let key = (rule.to_owned(), path.to_owned());
        let actual = groups.get(&key).map_or(0, Vec::len);
        if actual < count {
            say(format!("{path} breaks {rule} {actual} times, not {count}: lower the count"));
        }
        if actual <= count {
            groups.remove(&key);
        }
    }
    wrong.extend(groups.into_values().flatten());
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeps(count: usize) -> Vec<Violation> {
        (1..=count).map(|line| Violation::new("a.rs", line, "sleep-in-test", "…")).collect()
    }

    #[test]
    fn what_is_listed_passes_and_the_list_can_only_shrink() {
        let list = "# exceptions\nsleep-in-test | a.rs | 2 | the port must be seen quiet\n";
        assert!(apply(list, sleeps(2)).is_empty());
        assert_eq!(apply(list, sleeps(3)).len(), 3);
        let fewer = apply(list, sleeps(1));
        assert!(fewer.len() == 1 && fewer[0].message.contains("lower the count"), "{fewer:?}");
    }

    #[test]
    fn a_line_without_a_reason_is_an_error() {
        assert_eq!(apply("sleep-in-test | a.rs | 1 | why\n", sleeps(1))[0].rule, "allow-list");
        assert_eq!(apply("sleep-in-test a.rs\n", Vec::new())[0].rule, "allow-list");
    }
}
