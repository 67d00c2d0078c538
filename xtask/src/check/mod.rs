//! What a reviewer need not look at: rules of the architecture that a program can check.
//!
//! Every rule is a function from facts (sources, `cargo metadata`) to violations, tested on small sources of its own.

mod allow;
mod bounds;
mod documents;
mod edges;
mod engine;
mod hygiene;
mod sizes;
mod source;
mod vendors;

use crate::shell::{cargo, cmd};
use anyhow::{Result, bail};
use source::Source;
use std::fmt;
use std::path::Path;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// File, from the root of the workspace.
    pub path: String,
    /// Line, from 1; 0 for the whole file.
    pub line: usize,
    /// Name of the rule.
    pub rule: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Violation {
    fn new(path: &str, line: usize, rule: &'static str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.message)
    }
}

/// Checks everything, prints what is wrong and what is long.
pub fn run(root: &Path) -> Result<()> {
    let sources = source::rust(root)?;
    let pages = source::texts(root, "web/src", &["ts", "tsx"])?;
    let mut found = allow::apply(&source::read(root, allow::FILE)?, rust_rules(&sources));
    found.extend(vendors::check(&sources, &pages));
    found.extend(pages.iter().flat_map(|(path, text)| hygiene::unreasoned(path, text)));
    found.extend(edges::check(root, &sources)?);
    found.extend(documents::check(root, &sources)?);
    found.sort();
    found.iter().for_each(|violation| eprintln!("{violation}"));
    println!("{}", sizes::report(&sources));
    let formatted = cargo(root, &["fmt", "--all", "--", "--check"]).succeeds();
    if !formatted {
        eprintln!("not formatted: `cargo fmt --all` mends it; the files:");
        let list = cargo(root, &["fmt", "--all", "--", "--check", "-l"]);
        let _ = cmd(root, "sh", &["-c", &format!("{} | sort -u >&2", list.line())]).run();
    }
    match (found.len(), formatted) {
        (0, true) => Ok(()),
        (count, true) => bail!("{count} broken rules"),
        (count, false) => bail!("{count} broken rules, and code that is not formatted"),
    }
}

/// The rules that look at one source at a time.
fn rust_rules(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        found.extend(engine::check(source));
        found.extend(bounds::check(source));
        found.extend(hygiene::check(source));
        found.extend(sizes::check(source));
    }
    found.extend(sizes::headers(sources));
    found
}
