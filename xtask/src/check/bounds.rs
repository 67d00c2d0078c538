//! Everything has a bound, and the bounds are in `base/src/limits.rs`. Tests do not wait for the clock.

use super::Violation;
use super::source::Source;

/// Violations in one source.
pub fn check(source: &Source) -> Vec<Violation> {
    let mut found = unbounded(source);
    found.extend(unnamed(source));
    found.extend(sleeps(source));
    found
}

fn unbounded(source: &Source) -> Vec<Violation> {
    let mut lines = source.find("unbounded_channel");
    lines.extend(source.find("mpsc : : unbounded"));
    lines.extend(channels(source).into_iter().filter(|(_, _, arg)| arg == ")").map(|(line, ..)| line));
    lines.sort_unstable();
    lines.dedup();
    let message = "a queue without a bound; bounds are in base/src/limits.rs";
    lines.into_iter().map(|line| Violation::new(&source.path, line, "unbounded-queue", message)).collect()
}

/// A literal capacity above one; one place says what it is.
fn unnamed(source: &Source) -> Vec<Violation> {
    let literal = |arg: &String| arg.starts_with(|c: char| c.is_ascii_digit()) && arg != "1";
    let found = channels(source).into_iter().filter(|(line, _, arg)| !source.is_test_line(*line) && literal(arg));
    let message = |kind: &str, arg: &str| format!("`{kind}::channel({arg})`: name the bound in base/src/limits.rs");
    found.map(|(line, kind, arg)| Violation::new(&source.path, line, "unnamed-bound", message(&kind, &arg))).collect()
}

/// Line, module and first token of the arguments of each `mpsc::channel(…)` and `broadcast::channel(…)`.
fn channels(source: &Source) -> Vec<(usize, String, String)> {
    let tokens = &source.tokens;
    let mut found = Vec::new();
    for (at, window) in tokens.windows(4).enumerate() {
        let kind = window[0].text.as_str();
        let call = matches!(kind, "mpsc" | "broadcast") && window[1].text == ":" && window[3].text == "channel";
        if !call {
            continue;
        }
        let mut rest = tokens[at + 4..].iter().map(|token| token.text.as_str()).peekable();
        // Passes over `::<T>`; the types of channels hold no parentheses before the closing angle.
        if rest.peek() == Some(&":") {
            let mut depth = 0;
            for text in rest.by_ref() {
                depth += match text {
                    "<" => 1,
                    ">" => -1,
                    _ => continue,
                };
                if depth == 0 {
                    break;
                }
            }
        }
        if rest.next() == Some("(") {
            found.push((window[0].line, kind.to_owned(), rest.next().unwrap_or_default().to_owned()));
        }
    }
    found
}

/// Sleeping in tests, unless the clock of the test is a simulated one: from its start, or paused earlier in the function.
fn sleeps(source: &Source) -> Vec<Violation> {
    let mut lines = source.find("thread : : sleep");
    if !source.has("start_paused") {
        let pauses = source.find("time : : pause");
        let is_simulated = |line: &usize| {
            let around = source.functions.iter().filter(|f| (f.line..f.line + f.lines).contains(line));
            around.max_by_key(|f| f.line).is_some_and(|f| pauses.iter().any(|pause| (f.line..=*line).contains(pause)))
        };
        lines.extend(source.find("time : : sleep").into_iter().filter(|line| !is_simulated(line)));
    }
    let message = "tests wait for what happens, not for the clock";
    let found = lines.into_iter().filter(|line| source.is_test_line(*line));
    found.map(|line| Violation::new(&source.path, line, "sleep-in-test", message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let source = Source::parse(path, text).expect("valid Rust");
        check(&source).iter().map(|violation| (violation.line, violation.rule)).collect()
    }

    #[test]
    fn queues_without_a_bound_or_with_a_bare_number_are_found() {
        let text = "fn f() {\n  let a = mpsc::unbounded_channel();\n  let b = std::sync::mpsc::channel();\n  \
            let c = mpsc::channel::<Vec<u8>>();\n  let d = mpsc::channel(32);\n  let e = mpsc::channel(limits::X_MAX);\n  \
            let g = mpsc::channel::<Reply>(1);\n}\n";
        let expected = [(2, "unbounded-queue"), (3, "unbounded-queue"), (4, "unbounded-queue"), (5, "unnamed-bound")];
        assert_eq!(rules("crates/runtime/src/a.rs", text), expected);
    }

    #[test]
    fn a_test_that_sleeps_is_found_unless_its_clock_is_simulated() {
        let test = "fn f() { tokio::time::sleep(d).await; }\n";
        assert_eq!(rules("crates/a/tests/it.rs", &format!("async {test}")), [(1, "sleep-in-test")]);
        assert!(
            rules("crates/a/tests/it.rs", &format!("#[tokio::test(start_paused = true)]\nasync {test}")).is_empty()
        );
        assert!(rules("crates/a/src/lib.rs", &format!("async {test}")).is_empty());
        let paused = "async fn f() {\n  tokio::time::sleep(d).await;\n  tokio::time::pause();\n  tokio::time::sleep(d).await;\n}\n";
        assert_eq!(rules("crates/a/tests/it.rs", paused), [(2, "sleep-in-test")]);
    }
}
