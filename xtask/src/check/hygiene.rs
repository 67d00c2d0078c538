//! Small things that should not be in a product: unfinished code, panics waiting to happen, `unsafe` outside its crate.

use super::Violation;
use super::source::Source;

/// The crates that may use `unsafe`: audio kernels, where it pays.
const UNSAFE_CRATES: [&str; 1] = ["media"];
/// A reason has at least this many words.
const REASON_WORDS_MIN: usize = 3;

/// Violations in one source.
pub fn check(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut add = |lines: Vec<usize>, rule, message: &str| {
        found.extend(lines.into_iter().map(|line| Violation::new(&source.path, line, rule, message)));
    };
    for word in ["todo", "unimplemented", "dbg"] {
        add(source.find(&format!("{word} !")), "unfinished", &format!("`{word}!` does not belong in a commit"));
    }
    if !UNSAFE_CRATES.contains(&source.krate.as_str()) {
        add(source.find("unsafe"), "unsafe", "`unsafe` is for crates/media alone");
    }
    let unwraps = source.find(". unwrap (").into_iter().filter(|line| !source.is_test_line(*line)).collect();
    add(unwraps, "unwrap", "say why it cannot fail with `expect`, or return the error");
    found.extend(unreasoned(&source.path, &source.text));
    found
}

/// Notes to oneself without a reason.
pub fn unreasoned(path: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((_, comment)) = line.split_once("//") else { continue };
        for word in ["TODO", "FIXME", "XXX"] {
            let Some((_, rest)) = comment.split_once(word) else { continue };
            if rest.split_whitespace().count() < REASON_WORDS_MIN {
                found.push(Violation::new(
                    path,
                    index + 1,
                    "note-without-reason",
                    format!("say what {word} waits for"),
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let source = Source::parse(path, text).expect("valid Rust");
        check(&source).iter().map(|violation| (violation.line, violation.rule)).collect()
    }

    #[test]
    fn unfinished_code_unsafe_and_unwrap_are_found() {
        let text = "fn f() {\n  todo!();\n  unsafe { g() }\n  x.unwrap();\n  // FIXME later\n  x.expect(\"set above\");\n}\n\
            #[test]\nfn t() { x.unwrap(); }\n";
        let found = rules("crates/store/src/a.rs", text);
        assert_eq!(found, [(2, "unfinished"), (3, "unsafe"), (4, "unwrap"), (5, "note-without-reason")]);
        assert_eq!(rules("crates/media/src/a.rs", "unsafe fn f() {}"), []);
    }

    #[test]
    fn a_note_with_a_reason_may_stay() {
        let note = |rest: &str| unreasoned("a.ts", &["x; /", "/ TODO", rest].concat()).len();
        assert_eq!((note(": until browsers agree on worklets"), note("")), (0, 1));
    }
}
