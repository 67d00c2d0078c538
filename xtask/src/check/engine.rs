//! The engine is pure: no clock, no runtime, no chance, nothing whose order differs from run to run.

use super::Violation;
use super::source::Source;

const RULE: &str = "engine-is-pure";

const FORBIDDEN: [(&str, &str); 10] = [
    ("Instant", "a clock; time comes in with each input as CallTime"),
    ("SystemTime", "a clock; time comes in with each input as CallTime"),
    ("tokio", "a runtime; the shell drives the engine"),
    ("rand", "chance; whatever differs from run to run comes in as an input"),
    ("HashMap", "an order that differs from run to run; use BTreeMap"),
    ("HashSet", "an order that differs from run to run; use BTreeSet"),
    ("spawn", "a task or thread; ask the shell with an output"),
    ("as_secs_f64", "time in floating point; use whole milliseconds"),
    ("as_secs_f32", "time in floating point; use whole milliseconds"),
    ("from_secs_f64", "time in floating point; use whole milliseconds"),
];

/// Modules of the standard library that reach outside.
const OUTSIDE: [&str; 5] = ["fs", "net", "env", "process", "thread"];

/// Violations in one source; none outside the engine.
pub fn check(source: &Source) -> Vec<Violation> {
    if source.krate != "engine" || source.path.starts_with("crates/engine/tests/") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (word, why) in FORBIDDEN {
        let lines = source.find(word);
        found.extend(
            lines.into_iter().map(|line| Violation::new(&source.path, line, RULE, format!("`{word}` is {why}"))),
        );
    }
    // Tests read scenario files; the product reaches nothing.
    for module in OUTSIDE {
        let lines = source.find(&format!("std : : {module}")).into_iter().filter(|line| !source.is_test_line(*line));
        let message = format!("`std::{module}` reaches outside; ask the shell with an output");
        found.extend(lines.map(|line| Violation::new(&source.path, line, RULE, message.clone())));
    }
    found.extend(float_times(source));
    found
}

/// `delay_ms: f64` and the like.
fn float_times(source: &Source) -> Vec<Violation> {
    let is_time = |name: &str| ["_ms", "_secs", "_ms_max", "_secs_max"].iter().any(|unit| name.ends_with(unit));
    let windows = source.tokens.windows(3);
    let float =
        windows.filter(|w| is_time(&w[0].text) && w[1].text == ":" && matches!(w[2].text.as_str(), "f64" | "f32"));
    let message = |name: &str| format!("`{name}` is time in floating point; use whole milliseconds");
    float.map(|w| Violation::new(&source.path, w[0].line, RULE, message(&w[0].text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<usize> {
        check(&Source::parse(path, text).expect("valid Rust")).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn clocks_chance_and_unordered_maps_are_found_in_the_engine_alone() {
        let text = "use std::time::Instant;\nuse std::collections::HashMap;\nfn f(wait_ms: f64) {}\nuse std::fs;\n";
        let mut lines = messages("crates/engine/src/call.rs", text);
        lines.sort_unstable();
        assert_eq!(lines, [1, 2, 3, 4]);
        assert!(messages("crates/runtime/src/host.rs", text).is_empty());
    }

    #[test]
    fn words_in_comments_and_whole_milliseconds_are_fine() {
        assert!(
            messages("crates/engine/src/call.rs", "//! No tokio, no Instant.\nfn f(wait_ms: u64, tokio_like: u8) {}\n")
                .is_empty()
        );
    }
}
