//! Documents that people rely on say what the code says: metric names, problem codes, and links that lead somewhere.

use super::Violation;
use super::source::{Source, read, texts};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const METRICS: &str = "docs/metrics.md";
const ERRORS: &str = "docs/errors.md";
const PROBLEMS: &str = "crates/api/src/problem.rs";
/// Documents at the root; the others are found below `docs`.
const DOORS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "STYLE.md", "CONTRIBUTING.md"];

/// Violations in the documents.
pub fn check(root: &Path, sources: &[Source]) -> Result<Vec<Violation>> {
    let mut found = compare(METRICS, "metric", &metrics(sources), &quoted(&read(root, METRICS)?, "`frontdesk_"));
    let problems = sources.iter().filter(|source| source.path == PROBLEMS);
    let text = read(root, ERRORS)?;
    for (code, (path, line)) in problems.flat_map(codes) {
        if !text.contains(&format!("`{code}`")) {
            found.push(Violation::new(&path, line, "undocumented", format!("the code `{code}` is not in {ERRORS}")));
        }
    }
    let mut documents = texts(root, "docs", &["md"])?;
    for door in DOORS {
        documents.push((door.to_owned(), read(root, door)?));
    }
    for (path, text) in &documents {
        found.extend(dead_links(path, text, |target| root.join(target).exists()));
    }
    Ok(found)
}

/// Where each metric is recorded: a string after `counter!(`, `gauge!(` or `histogram!(`.
fn metrics(sources: &[Source]) -> BTreeMap<String, (String, usize)> {
    let mut found = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test) {
        for window in source.tokens.windows(4) {
            let is_metric = matches!(window[0].text.as_str(), "counter" | "gauge" | "histogram");
            if is_metric && window[1].text == "!" && window[2].text == "(" && window[3].text.starts_with('"') {
                let name = window[3].text.trim_matches('"').to_owned();
                found.entry(name).or_insert_with(|| (source.path.clone(), window[3].line));
            }
        }
    }
    found
}

/// The second argument of `Self::new(status, code, …)`.
fn codes(source: &Source) -> BTreeMap<String, (String, usize)> {
    let mut found = BTreeMap::new();
    for window in source.tokens.windows(6) {
        let is_new = window[0].text == "StatusCode" && window[4].text == ",";
        if is_new && window[5].text.starts_with('"') {
            found.insert(window[5].text.trim_matches('"').to_owned(), (source.path.clone(), window[5].line));
        }
    }
    found
}

/// Words in backticks that begin like this.
fn quoted(text: &str, start: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let pieces = text.match_indices(start).map(|(at, _)| &text[at + 1..]);
    pieces.map(|rest| rest.split(|c| !is_name(c)).next().unwrap_or_default().to_owned()).collect()
}

fn compare(
    document: &str,
    what: &str,
    code: &BTreeMap<String, (String, usize)>,
    written: &BTreeSet<String>,
) -> Vec<Violation> {
    let missing = code.iter().filter(|(name, _)| !written.contains(*name)).map(|(name, (path, line))| {
        Violation::new(path, *line, "undocumented", format!("the {what} `{name}` is not in {document}"))
    });
    let gone = written.iter().filter(|name| !code.contains_key(*name));
    let gone = gone.map(|name| Violation::new(document, 0, "undocumented", format!("there is no {what} `{name}`")));
    missing.chain(gone).collect()
}

/// Links to files that are not there.
fn dead_links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Violation> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let full = if folder.is_empty() { target.to_owned() } else { format!("{folder}/{target}") };
            if !exists(&full) {
                found.push(Violation::new(path, index + 1, "dead-link", format!("`{target}` leads nowhere")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_in_the_code_and_in_the_document_or_in_neither() {
        let text =
            "fn f() { metrics::counter!(\"frontdesk_a_total\").increment(1); gauge!(\"frontdesk_b\", \"l\" => l); }";
        let source = Source::parse("crates/a/src/lib.rs", text).expect("valid Rust");
        let written = quoted("| `frontdesk_a_total` | `frontdesk_c{x=\"y\"}`", "`frontdesk_");
        let found = compare(METRICS, "metric", &metrics(&[source]), &written);
        let messages: Vec<&str> = found.iter().map(|violation| violation.message.as_str()).collect();
        assert_eq!(
            messages,
            ["the metric `frontdesk_b` is not in docs/metrics.md", "there is no metric `frontdesk_c`"]
        );
    }

    #[test]
    fn problem_codes_are_read_from_their_constructors() {
        let text = "fn busy() { Self::new(StatusCode::SERVICE_UNAVAILABLE, \"busy\", \"All lines are taken\") }";
        let source = Source::parse(PROBLEMS, text).expect("valid Rust");
        assert_eq!(codes(&source).keys().collect::<Vec<_>>(), ["busy"]);
    }

    #[test]
    fn links_are_followed_from_where_they_stand() {
        let text = "[a](b.md#part) [c](https://x.example/y) [d](../gone.md) [e](#here)";
        let found = dead_links("docs/a.md", text, |target| target == "docs/b.md");
        assert!(found.len() == 1 && found[0].message.contains("../gone.md"), "{found:?}");
    }
}
