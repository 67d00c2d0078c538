//! Which provider was judged by which laws and by whose own package: `docs/providers.md`, written by `cargo xtask providers`.

use providers::options::Descriptor;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    /// `KIND NAME`.
    providers: Vec<String>,
    package: String,
    script: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clients {
    client: Vec<Client>,
}

fn clients() -> Vec<Client> {
    let clients: Clients = toml::from_str(&read("fixtures/conformance/clients.toml")).expect("a list of clients");
    clients.client
}

/// Versions of the packages, as pinned.
fn versions() -> BTreeMap<String, String> {
    let requirements = read("fixtures/conformance/requirements.txt");
    let mut versions: BTreeMap<String, String> = requirements
        .lines()
        .filter_map(|line| line.split_once("=="))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect();
    let node: serde_json::Value = serde_json::from_str(&read("fixtures/conformance/node/package.json")).expect("JSON");
    for (name, version) in node["dependencies"].as_object().expect("packages") {
        versions.insert(name.clone(), version.as_str().expect("a version").to_owned());
    }
    versions
}

fn listed() -> Vec<(&'static str, &'static str, Vec<&'static Descriptor>)> {
    vec![
        ("stt", "Speech to text", providers::stt::PROVIDERS.descriptors().collect()),
        ("tts", "Text to speech", providers::tts::PROVIDERS.descriptors().collect()),
        ("llm", "Language models", providers::llm::PROVIDERS.descriptors().collect()),
        ("realtime", "Speech to speech", providers::realtime::PROVIDERS.descriptors().collect()),
        ("embed", "Embeddings", providers::embed::PROVIDERS.descriptors().collect()),
        ("text", "Text services", providers::text::PROVIDERS.descriptors().collect()),
    ]
}

/// The laws of a kind: the tests that the registry makes for every provider in its list.
fn laws(kind: &str) -> Vec<String> {
    let source = read(&format!("crates/providers/src/laws/{kind}.rs"));
    let (_, made) = source.split_once("macro_rules! obeys_the_laws").expect("the laws are a macro");
    let name = |line: &str| Some(line.trim().strip_prefix("fn ")?.split_once('(')?.0.replace('_', " "));
    made.lines().filter_map(name).collect()
}

fn sessions(kind: &str, name: &str) -> usize {
    read(&format!("fixtures/cassettes/{kind}_{name}.txt")).lines().filter(|line| line.starts_with("open")).count()
}

fn table() -> String {
    let (clients, versions) = (clients(), versions());
    let mut text = String::from(
        "# Providers\n\nWritten by `cargo xtask providers` from the registry, the laws, the cassettes and the pinned packages of \
         the vendors. Every\nprovider of a kind is held to every law of that kind by the line that lists it \
         (`cargo test -p providers`); the vendors' own\npackages are pointed at our twins by \
         `cargo test -p sim --test it conformance`, and fail where a twin says what the vendor\nwould not. A dash: no package \
         of the vendor was run. The region is that of the vendor's own address, where its documents name it.\n",
    );
    for (kind, title, descriptors) in listed() {
        let laws = laws(kind);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## {title}\n\n");
        text.push_str(
            "| name | service | default model | region | laws | recorded sessions | vendor's own package |\n",
        );
        text.push_str("|---|---|---|---|---|---|---|\n");
        for descriptor in descriptors {
            let name = descriptor.name;
            let own = format!("{kind} {name}");
            let judges: Vec<String> = clients
                .iter()
                .filter(|client| client.providers.contains(&own))
                .map(|client| format!("{} {}", client.package, versions[&client.package]))
                .collect();
            let judge = if judges.is_empty() { "–".to_owned() } else { judges.join(", ") };
            let region = descriptor.region.map_or("–".to_owned(), |region| format!("{region:?}"));
            let model = descriptor.model.map_or("–".to_owned(), |model| format!("`{model}`"));
            let _ = writeln!(
                text,
                "| `{name}` | {} | {model} | {region} | all {} | {} | {judge} |",
                descriptor.title,
                laws.len(),
                sessions(kind, name)
            );
        }
        let _ = writeln!(text, "\nThe laws: {}.", laws.join("; "));
    }
    text
}

#[test]
fn every_client_judges_a_provider_that_is_listed_and_a_test_runs_it() {
    let names: BTreeSet<String> = listed()
        .into_iter()
        .flat_map(|(kind, _, all)| all.into_iter().map(move |descriptor| format!("{kind} {}", descriptor.name)))
        .collect();
    let tests: String = fs::read_dir(root().join("crates/sim/tests/it"))
        .expect("tests")
        .map(|file| fs::read_to_string(file.expect("a file").path()).expect("text"))
        .collect();
    let versions = versions();
    for client in clients() {
        for provider in &client.providers {
            assert!(names.contains(provider), "{provider} is not listed");
        }
        assert!(versions.contains_key(&client.package), "{} is not pinned", client.package);
        assert!(root().join("fixtures/conformance").join(&client.script).exists(), "{} is missing", client.script);
        assert!(tests.contains(&format!("\"{}\"", client.script)), "no test runs {}", client.script);
    }
}

#[test]
fn the_matrix_can_be_written_for_every_provider() {
    let table = table();
    for (kind, _, all) in listed() {
        assert!(laws(kind).len() >= 5, "{kind} has laws");
        assert!(all.iter().all(|descriptor| table.contains(&format!("| `{}` |", descriptor.name))));
    }
    if let Some(path) = std::env::var_os("FRONTDESK_PROVIDERS_TABLE") {
        fs::write(path, table).expect("the page can be written");
    }
}
