//! Long functions and files usually want more names. Crates open with what they are for and must not know.

use super::Violation;
use super::source::{Function, Source};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;

const FILE_LINES_MAX: usize = 900;
const FUNCTION_LINES_MAX: usize = 100;
const PURE_FUNCTION_LINES_MAX: usize = 70;
/// Crates without I/O, where nothing excuses a long function. Their tests have the general bound.
const PURE_CRATES: [&str; 6] = ["base", "model", "engine", "media", "providers", "carriers"];
const LONGEST_SHOWN: usize = 10;

/// Violations in one source.
pub fn check(source: &Source) -> Vec<Violation> {
    let lines = source.text.lines().count();
    let mut found = Vec::new();
    if lines > FILE_LINES_MAX {
        let message = format!("{lines} lines; more than {FILE_LINES_MAX} are two files that want names");
        found.push(Violation::new(&source.path, 0, "long-file", message));
    }
    for function in &source.functions {
        let max = function_lines_max(source, function);
        if function.lines > max {
            let message = format!("`{}` has {} lines, more than {max}", function.name, function.lines);
            found.push(Violation::new(&source.path, function.line, "long-function", message));
        }
    }
    found
}

fn function_lines_max(source: &Source, function: &Function) -> usize {
    let pure = PURE_CRATES.contains(&source.krate.as_str()) && !source.is_test_line(function.line);
    if pure { PURE_FUNCTION_LINES_MAX } else { FUNCTION_LINES_MAX }
}

/// Every crate opens with what it is for, what it must not know, where to start reading.
pub fn headers(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (krate, of) in by_crate(sources) {
        let door = |name: &str| of.iter().find(|source| source.path.ends_with(&format!("{krate}/src/{name}")));
        let Some(door) = door("lib.rs").or_else(|| door("main.rs")) else { continue };
        let header: String = door.text.lines().take_while(|line| line.starts_with("//!")).collect();
        for wanted in ["Must not know", "Start reading"] {
            if !header.contains(wanted) {
                let message = format!("the header of the crate does not say \"{wanted}\"");
                found.push(Violation::new(&door.path, 1, "crate-header", message));
            }
        }
    }
    found
}

fn by_crate(sources: &[Source]) -> BTreeMap<&str, Vec<&Source>> {
    let mut crates: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
    for source in sources {
        crates.entry(&source.krate).or_default().push(source);
    }
    crates
}

/// The longest functions and files, and how much of each crate is documentation.
pub fn report(sources: &[Source]) -> String {
    let mut functions: Vec<(&Source, &Function)> =
        sources.iter().flat_map(|source| source.functions.iter().map(move |function| (source, function))).collect();
    functions.sort_by_key(|(_, function)| Reverse(function.lines));
    let mut files: Vec<(usize, &Source)> = sources.iter().map(|source| (source.text.lines().count(), source)).collect();
    files.sort_by_key(|(lines, _)| Reverse(*lines));
    let mut out = String::from("the longest functions\n");
    for (source, function) in functions.iter().take(LONGEST_SHOWN) {
        let _ = writeln!(out, "{:>6}  {}  {}:{}", function.lines, function.name, source.path, function.line);
    }
    out.push_str("the longest files\n");
    for (lines, source) in files.iter().take(LONGEST_SHOWN) {
        let _ = writeln!(out, "{lines:>6}  {}", source.path);
    }
    out.push_str("crates: lines, of these documentation, functions, the longest at the 90th percentile\n");
    for (krate, of) in by_crate(sources) {
        let lines: usize = of.iter().map(|source| source.text.lines().count()).sum();
        let docs: usize = of.iter().map(|source| source.text.lines().filter(|line| is_doc(line)).count()).sum();
        let mut lengths: Vec<usize> = of.iter().flat_map(|source| source.functions.iter().map(|f| f.lines)).collect();
        lengths.sort_unstable();
        let p90 = lengths.get(lengths.len() * 9 / 10).copied().unwrap_or(0);
        let percent = docs * 100 / lines.max(1);
        let _ = writeln!(out, "{krate:>12}  {lines:>6}  {percent:>2} %  {:>5}  {p90:>3}", lengths.len());
    }
    out
}

fn is_doc(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("///") || line.starts_with("//!")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function_of(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&Source::parse(path, text).expect("valid Rust")).iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn pure_crates_have_the_narrower_bound_and_their_tests_the_wider() {
        assert_eq!(rules("crates/engine/src/a.rs", &function_of(71)), ["long-function"]);
        assert!(rules("crates/engine/src/a.rs", &function_of(70)).is_empty());
        assert!(rules("crates/engine/tests/a.rs", &function_of(100)).is_empty());
        assert_eq!(rules("crates/runtime/src/a.rs", &function_of(101)), ["long-function"]);
    }

    #[test]
    fn a_file_may_be_as_long_as_the_bound() {
        assert!(rules("crates/a/src/a.rs", &"// line\n".repeat(FILE_LINES_MAX)).is_empty());
        assert_eq!(rules("crates/a/src/a.rs", &"// line\n".repeat(FILE_LINES_MAX + 1)), ["long-file"]);
    }

    #[test]
    fn a_crate_without_its_header_is_found() {
        let with = "//! For.\n//!\n//! **Must not know**: x.\n//!\n//! Start reading at y.\n";
        let sources = [
            Source::parse("crates/a/src/lib.rs", with).expect("valid Rust"),
            Source::parse("crates/b/src/lib.rs", "//! For.\n").expect("valid Rust"),
            Source::parse("crates/b/src/other.rs", "").expect("valid Rust"),
        ];
        let found: Vec<String> = headers(&sources).into_iter().map(|violation| violation.path).collect();
        assert_eq!(found, ["crates/b/src/lib.rs", "crates/b/src/lib.rs"]);
    }
}
