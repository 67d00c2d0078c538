//! Which provider obeys which laws, and which official package has judged its twin: `docs/providers.md`, written by this
//! test with `UPDATE_DOCS=1` and checked by it otherwise.

use providers::Descriptor;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Versions of the packages that are pinned, by name.
fn pinned() -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for line in read("fixtures/conformance/requirements.txt").lines() {
        if let Some((name, version)) = line.split_once("==") {
            versions.insert(name.split('[').next().unwrap_or(name).to_owned(), version.trim().to_owned());
        }
    }
    let package: serde_json::Value =
        serde_json::from_str(&read("fixtures/conformance/node/package.json")).expect("package.json");
    for (name, version) in package["dependencies"].as_object().expect("dependencies") {
        versions.insert(name.clone(), version.as_str().unwrap_or_default().to_owned());
    }
    versions
}

/// (kind, provider) to the package, its version and the script.
fn clients() -> BTreeMap<(String, String), String> {
    let versions = pinned();
    let mut clients = BTreeMap::new();
    for line in read("fixtures/conformance/clients.tsv").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, provider, package, script] = fields[..] else { panic!("four fields: {line}") };
        let text = read(&format!("fixtures/conformance/{script}"));
        assert!(!text.is_empty(), "{script}");
        let version = versions.get(package).unwrap_or_else(|| panic!("{package} is not pinned"));
        clients.insert((kind.to_owned(), provider.to_owned()), format!("{package} {version} (`{script}`)"));
    }
    clients
}

/// The laws of a kind, as sentences. The list of vendors runs every one of them against every vendor.
fn laws(kind: &str) -> Vec<String> {
    let text = read(&format!("crates/providers/src/laws/{kind}.rs"));
    let body = text.split_once("macro_rules! obeys_the_laws").expect("the laws").1;
    let names = body.lines().filter_map(|line| line.trim().strip_prefix("fn ")?.split_once('('));
    names.map(|(name, _)| name.replace('_', " ")).collect()
}

fn page() -> String {
    let kinds: [(&str, &str, Vec<&'static Descriptor>); 7] = [
        ("stt", "Speech to text", providers::stt::PROVIDERS.descriptors().collect()),
        ("llm", "Language models", providers::llm::PROVIDERS.descriptors().collect()),
        ("tts", "Text to speech", providers::tts::PROVIDERS.descriptors().collect()),
        ("realtime", "Speech to speech", providers::realtime::PROVIDERS.descriptors().collect()),
        ("embed", "Embeddings", providers::embed::PROVIDERS.descriptors().collect()),
        ("text", "Text services", providers::text::PROVIDERS.descriptors().collect()),
        ("vectors", "Vector stores", providers::vectors::PROVIDERS.descriptors().collect()),
    ];
    let mut clients = clients();
    let mut page = "# Providers\n\nEvery provider is one file in `crates/providers/src`, one recorded session in \
        `fixtures/cassettes` and one word in the list\nof its kind, and every law of its kind is run against it by that \
        list (`cargo test -p providers`). Each twin is a real\nserver over loopback; the vendor's own package talks to it \
        in `cargo test -p sim`. This page is written by\n`UPDATE_DOCS=1 cargo test -p sim --test it matrix` and checked by \
        the same test.\n"
        .to_owned();
    for (kind, title, descriptors) in kinds {
        let laws = laws(kind);
        // Writing to a string cannot fail.
        let _ = write!(page, "\n## {title}\n\nLaws, each obeyed by every provider of the table:\n\n");
        laws.iter().for_each(|law| {
            let _ = writeln!(page, "- {law}");
        });
        let _ = write!(page, "\n| name | service | laws | official package |\n|---|---|---|---|\n");
        for one in descriptors {
            let cassette = format!("fixtures/cassettes/{kind}_{}.txt", one.name);
            assert!(root().join(&cassette).exists(), "{cassette}");
            let client =
                clients.remove(&(kind.to_owned(), one.name.to_owned())).unwrap_or_else(|| "none runs".to_owned());
            let count = laws.len();
            let _ = writeln!(page, "| `{}` | {} | {count} of {count} | {client} |", one.name, one.title);
        }
    }
    assert!(clients.is_empty(), "no such provider: {clients:?}");
    page
}

#[test]
fn the_page_of_providers_says_what_is_true() {
    let (page, path) = (page(), root().join("docs/providers.md"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/providers.md is old; UPDATE_DOCS=1 cargo test -p sim --test it matrix");
}
