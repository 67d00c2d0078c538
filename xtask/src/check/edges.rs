//! Which crate may know which: the architecture as a table, held against `cargo metadata`.

use super::Violation;
use super::source::Source;
use anyhow::Result;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::path::Path;

const LICENSE: &str = "MIT OR Apache-2.0";

/// One crate.
struct Crate {
    name: &'static str,
    /// Crates of this workspace that the product code may use.
    may: &'static [&'static str],
    /// More of them for tests and examples.
    tests_may: &'static [&'static str],
    /// Whether it may use what does I/O or runs tasks.
    io: Io,
}

#[derive(Clone, Copy, PartialEq)]
enum Io {
    /// Pure: neither product code nor tests may.
    Never,
    Free,
}

/// External crates that do I/O, run tasks, read clocks or bring chance.
const IMPURE: [&str; 18] = [
    "tokio",
    "tokio-util",
    "tokio-rustls",
    "tokio-tungstenite",
    "reqwest",
    "hyper",
    "hyper-util",
    "axum",
    "tower",
    "tower-http",
    "sqlx",
    "rustls",
    "rand",
    "getrandom",
    "fastrand",
    "jiff",
    "chrono",
    "time",
];

const EVERYTHING: &[&str] = &[
    "base",
    "model",
    "engine",
    "media",
    "providers",
    "carriers",
    "local",
    "store",
    "knowledge",
    "integrations",
    "egress",
    "runtime",
    "sip",
    "webrtc",
    "api",
    "sim",
];

/// The table. An edge that is not here is an error; adding one is a decision that ARCHITECTURE.md explains.
const TABLE: &[Crate] = &[
    Crate { name: "base", may: &[], tests_may: &[], io: Io::Never },
    Crate { name: "model", may: &["base"], tests_may: &[], io: Io::Never },
    Crate { name: "engine", may: &["base", "model"], tests_may: &[], io: Io::Never },
    Crate { name: "media", may: &["base"], tests_may: &[], io: Io::Never },
    Crate { name: "providers", may: &["base", "model"], tests_may: &["media"], io: Io::Never },
    Crate { name: "carriers", may: &["base", "model", "media"], tests_may: &[], io: Io::Never },
    // `models pull` fetches; the models themselves are synchronous.
    Crate { name: "local", may: &["base", "model", "providers", "media"], tests_may: &["engine"], io: Io::Free },
    Crate { name: "store", may: &["base", "model"], tests_may: &["testkit"], io: Io::Free },
    // Real servers for tests, ready for use; nothing but tests depends on it.
    Crate { name: "testkit", may: &["base", "store"], tests_may: &[], io: Io::Free },
    // `media` because recorded calls come at any rate.
    Crate {
        name: "knowledge",
        may: &["base", "media", "model", "providers", "store"],
        tests_may: &["local"],
        io: Io::Free,
    },
    Crate { name: "integrations", may: &["base", "model", "egress"], tests_may: &["sim"], io: Io::Free },
    // Sockets of trunks; whoever owns an endpoint is told about calls by a trait, so it needs none of what decides about them.
    Crate { name: "sip", may: &["base", "model", "media", "carriers"], tests_may: &["testkit"], io: Io::Free },
    Crate { name: "egress", may: &["base"], tests_may: &[], io: Io::Free },
    Crate {
        name: "runtime",
        may: &[
            "base",
            "model",
            "engine",
            "media",
            "providers",
            "carriers",
            "local",
            "store",
            "knowledge",
            "integrations",
            "egress",
        ],
        tests_may: &["sim", "testkit"],
        io: Io::Free,
    },
    // A transport of one line: it knows messages and frames, not who speaks.
    Crate { name: "webrtc", may: &["base", "media"], tests_may: &[], io: Io::Free },
    // It drives what reads bytes of strangers, and nothing behind that.
    Crate { name: "fuzz", may: &["base", "media", "carriers", "sip", "webrtc"], tests_may: &[], io: Io::Free },
    // It hands webhooks and sockets of carriers over, and inputs of people to a call; it decides nothing.
    Crate {
        name: "api",
        // `egress` because somebody who signs in at an identity provider makes us ask it.
        may: &["base", "model", "store", "runtime", "carriers", "engine", "egress", "webrtc"],
        tests_may: &["testkit"],
        io: Io::Free,
    },
    Crate { name: "frontdesk", may: EVERYTHING, tests_may: &["testkit"], io: Io::Free },
    // Twins speak the vendors' protocols over real sockets; what they judge is never what they use.
    Crate {
        name: "sim",
        may: &["base", "model", "engine", "media", "providers", "carriers"],
        tests_may: &["egress", "store", "local"],
        io: Io::Free,
    },
    // It measures the program from outside, so it knows nothing of its inside; the on-device voice speaks for its callers.
    // `testkit` starts the database below it.
    Crate { name: "bench", may: &["base", "local", "providers", "sim", "testkit"], tests_may: &[], io: Io::Free },
    Crate { name: "xtask", may: &[], tests_may: &[], io: Io::Free },
];

/// Violations in the manifests of the workspace.
pub fn check(root: &Path, sources: &[Source]) -> Result<Vec<Violation>> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let mut found = Vec::new();
    for package in workspace(&metadata) {
        let manifest = package.manifest_path.strip_prefix(root).unwrap_or(&package.manifest_path).to_string();
        let text = super::source::read(root, &manifest)?;
        found.extend(edges(package, &manifest));
        found.extend(unused(package, &manifest, sources));
        found.extend(shape(package, &manifest, &text));
    }
    Ok(found)
}

fn workspace(metadata: &Metadata) -> Vec<&Package> {
    metadata.workspace_packages()
}

fn edges(package: &Package, manifest: &str) -> Vec<Violation> {
    let Some(rule) = TABLE.iter().find(|rule| rule.name == package.name.as_str()) else {
        let message = format!("the crate {} is not in the table of xtask/src/check/edges.rs", package.name);
        return vec![Violation::new(manifest, 0, "crate-edge", message)];
    };
    let mut found = Vec::new();
    for dependency in &package.dependencies {
        let for_tests = dependency.kind == DependencyKind::Development;
        if let Some(message) = judge(rule, &dependency.name, dependency.path.is_some(), for_tests) {
            found.push(Violation::new(manifest, 0, "crate-edge", message));
        }
    }
    found
}

/// What is wrong with one edge.
fn judge(rule: &Crate, to: &str, in_workspace: bool, for_tests: bool) -> Option<String> {
    let from = rule.name;
    if in_workspace {
        let allowed = rule.may.contains(&to) || (for_tests && (rule.tests_may.contains(&to) || to == from));
        return (!allowed).then(|| format!("{from} must not know {to}"));
    }
    let allowed = match rule.io {
        Io::Free => true,
        Io::Never => false,
    };
    (IMPURE.contains(&to) && !allowed).then(|| format!("{from} is pure and must not use {to}"))
}

/// Dependencies whose name no source mentions.
fn unused(package: &Package, manifest: &str, sources: &[Source]) -> Vec<Violation> {
    let folder = manifest.trim_end_matches("Cargo.toml");
    let of: Vec<&Source> = sources.iter().filter(|source| source.path.starts_with(folder)).collect();
    let is_used = |name: &str| of.iter().any(|source| source.has(name));
    let mut found = Vec::new();
    for dependency in package.dependencies.iter().filter(|dependency| !dependency.optional) {
        let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
        if !is_used(&name) {
            let message = format!("no source of {} uses {}", package.name, dependency.name);
            found.push(Violation::new(manifest, 0, "unused-dependency", message));
        }
    }
    found
}

/// Licence, lints of the workspace, versions in the root manifest alone.
fn shape(package: &Package, manifest: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    if package.license.as_deref() != Some(LICENSE) {
        found.push(Violation::new(manifest, 0, "license", format!("must be `{LICENSE}`: `license.workspace = true`")));
    }
    if package.publish.as_ref().is_none_or(|registries| !registries.is_empty()) {
        found.push(Violation::new(manifest, 0, "license", "must say `publish.workspace = true`"));
    }
    if !text.contains("[lints]\nworkspace = true") {
        found.push(Violation::new(manifest, 0, "lints", "must take the lints of the workspace"));
    }
    let mut within = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            within = line.contains("dependencies");
        } else if within && line.contains('=') && !line.starts_with('#') && !line.contains("workspace = true") {
            let message = "versions and features live in the root manifest: `x.workspace = true`";
            found.push(Violation::new(manifest, index + 1, "dependency-version", message));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str) -> &'static Crate {
        TABLE.iter().find(|rule| rule.name == name).expect("listed")
    }

    #[test]
    fn the_engine_knows_two_crates_and_no_runtime_not_even_in_tests() {
        let engine = rule("engine");
        assert_eq!(judge(engine, "model", true, false), None);
        assert_eq!(judge(engine, "serde", false, false), None);
        assert_eq!(judge(engine, "store", true, false).as_deref(), Some("engine must not know store"));
        assert!(judge(engine, "tokio", false, true).is_some_and(|message| message.contains("pure")));
    }

    #[test]
    fn the_simulated_world_never_knows_the_runtime() {
        assert!(judge(rule("sim"), "runtime", true, false).is_some());
        assert!(judge(rule("sim"), "runtime", true, true).is_some());
        assert_eq!(judge(rule("runtime"), "sim", true, true), None);
        assert!(judge(rule("runtime"), "sim", true, false).is_some());
    }

    #[test]
    fn the_table_has_no_cycles() {
        let mut known: Vec<&str> = Vec::new();
        while known.len() < TABLE.len() {
            let is_next =
                |rule: &&Crate| !known.contains(&rule.name) && rule.may.iter().all(|name| known.contains(name));
            let next = TABLE.iter().find(is_next).expect("every crate stands on crates that stand");
            known.push(next.name);
        }
    }
}
