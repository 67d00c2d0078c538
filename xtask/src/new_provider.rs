//! `cargo xtask new-provider`: one file, one cassette, one word.

use crate::shell::cargo;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// Longest line of code, as in rustfmt.toml.
const LINE_CHARS_MAX: usize = 120;

/// What a provider does.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Kind {
    /// Speech to text.
    Stt,
    /// Language.
    Llm,
    /// Text to speech.
    Tts,
}

/// What carries the vendor's protocol.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub enum Transport {
    /// One WebSocket per stream or utterance.
    #[default]
    Websocket,
    /// A request per utterance or sentence. Language always comes this way.
    Http,
    /// A call that streams both ways. Speech to text; for a voice begin with the codec of one that streams.
    Grpc,
}

impl Transport {
    /// Ending of the templates' names; `None` when there is no template.
    const fn ending(self, kind: Kind) -> Option<&'static str> {
        match (self, kind) {
            (Self::Grpc, Kind::Stt) => Some("_grpc"),
            (Self::Grpc, Kind::Llm | Kind::Tts) => None,
            (Self::Websocket, _) | (_, Kind::Llm) => Some(""),
            (Self::Http, Kind::Stt | Kind::Tts) => Some("_http"),
        }
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Stt => "stt",
            Self::Llm => "llm",
            Self::Tts => "tts",
        }
    }
}

/// Starts a provider and says what comes next.
pub fn run(root: &Path, kind: Kind, name: &str, transport: Transport) -> Result<()> {
    let written = instantiate(root, kind, name, transport)?;
    println!("wrote\n  {}\n", written.join("\n  "));
    println!("completing the cassette and trying the laws (compiles crates/providers)");
    let laws = ["test", "--quiet", "-p", "providers", &format!("{}::conformance::{name}::", kind.name())];
    cargo(root, &laws).env("UPDATE_CASSETTES", "1").run()?;
    cargo(root, &laws).run()?;
    println!("It keeps the laws, for a vendor that does not exist. Next:");
    println!("  1. {}: address, names of the environment, messages; name the vendor's page for each shape", written[0]);
    println!("  2. {}: a recorded session instead of the invented one", written[1]);
    println!(
        "  3. UPDATE_CASSETTES=1 cargo test -p providers {name}   writes what the codec sends and makes of it: read it"
    );
    println!("  4. crates/providers/prices.toml: what it costs, with the date of the price list");
    println!("  5. cargo test -p providers {name} && cargo xtask check");
    Ok(())
}

/// Writes the files; returns their paths, the registry last.
fn instantiate(root: &Path, kind: Kind, name: &str, transport: Transport) -> Result<[String; 3]> {
    check_name(name)?;
    let ending = transport.ending(kind).context("there is a template for gRPC for speech to text only")?;
    let kind = kind.name();
    let code = format!("crates/providers/src/{kind}/{name}.rs");
    let cassette = format!("fixtures/cassettes/{kind}_{name}.txt");
    let registry = format!("crates/providers/src/{kind}.rs");
    for path in [&code, &cassette] {
        if root.join(path).exists() {
            bail!("{path} exists already");
        }
    }
    let listed = read(root, &registry)?;
    let listed = add_word(&listed, &format!("{kind}_providers"), name).with_context(|| registry.clone())?;
    for (template, path) in
        [(format!("provider_{kind}{ending}.rs.txt"), &code), (format!("cassette_{kind}{ending}.txt"), &cassette)]
    {
        let text = read(root, &format!("fixtures/templates/{template}"))?;
        write(root, path, &fill(&text, name))?;
    }
    write(root, &registry, &listed)?;
    Ok([code, cassette, registry])
}

fn check_name(name: &str) -> Result<()> {
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !good {
        bail!("`{name}` cannot be the name of a file and a module: use lower case, digits and underscores");
    }
    Ok(())
}

fn fill(template: &str, name: &str) -> String {
    template.replace("UPPER_NAME", &name.to_ascii_uppercase()).replace("NAME", name)
}

/// Adds a word to `list! { … }`.
fn add_word(text: &str, list: &str, word: &str) -> Result<String> {
    let start = format!("{list}! {{");
    let (before, rest) = text.split_once(&start).with_context(|| format!("there is no `{start}`"))?;
    let (words, after) = rest.split_once('}').context("the list has no end")?;
    let mut words: Vec<&str> = words.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    if words.contains(&word) {
        bail!("`{word}` is listed already");
    }
    words.push(word);
    let line = format!("{start} {} }}", words.join(", "));
    let list = if line.len() <= LINE_CHARS_MAX { line } else { format!("{start}\n    {},\n}}", words.join(",\n    ")) };
    Ok(format!("{before}{list}{after}"))
}

fn read(root: &Path, path: &str) -> Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| path.to_owned())
}

fn write(root: &Path, path: &str, text: &str) -> Result<()> {
    let path = root.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of this repository that a new provider touches.
    fn copy() -> tempfile::TempDir {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let copy = tempfile::tempdir().expect("folder");
        let templates = fs::read_dir(root.join("fixtures/templates")).expect("templates");
        let names = templates
            .map(|entry| format!("fixtures/templates/{}", entry.expect("entry").file_name().to_string_lossy()));
        let registries = ["stt", "llm", "tts"].map(|kind| format!("crates/providers/src/{kind}.rs"));
        for path in names.chain(registries) {
            write(copy.path(), &path, &read(root, &path).expect("text")).expect("copied");
        }
        copy
    }

    #[test]
    fn every_kind_becomes_valid_code_with_its_name_and_one_word() {
        let copy = copy();
        let (socket, http) = (Transport::Websocket, Transport::Http);
        for (kind, transport, name) in [
            (Kind::Stt, socket, "acme_9"),
            (Kind::Llm, socket, "acme_9"),
            (Kind::Tts, socket, "acme_9"),
            (Kind::Stt, http, "acme_10"),
            (Kind::Tts, http, "acme_10"),
            (Kind::Stt, Transport::Grpc, "acme_11"),
        ] {
            let [code, cassette, registry] = instantiate(copy.path(), kind, name, transport).expect("written");
            let text = read(copy.path(), &code).expect("code");
            syn::parse_file(&text).expect("valid Rust");
            let key = format!("{}_API_KEY", name.to_ascii_uppercase());
            assert!(text.contains(&key) && text.contains(name) && !text.contains("NAME"), "{text}");
            assert!(!read(copy.path(), &cassette).expect("cassette").is_empty());
            let list = format!("{}_providers! {{", kind.name());
            let registry = read(copy.path(), &registry).expect("registry");
            let (words, _) = registry.split_once(&list).and_then(|(_, rest)| rest.split_once('}')).expect("a list");
            let last = words.split(',').map(str::trim).rfind(|word| !word.is_empty());
            assert_eq!(last, Some(name), "{words}");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_is_half_written() {
        let copy = copy();
        instantiate(copy.path(), Kind::Stt, "acme", Transport::Http).expect("written");
        let error = instantiate(copy.path(), Kind::Stt, "acme", Transport::Http).expect_err("exists");
        assert!(error.to_string().contains("exists already"), "{error}");
        for bad in ["", "Acme", "9acme", "ac-me", "../acme"] {
            assert!(instantiate(copy.path(), Kind::Stt, bad, Transport::Websocket).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_long_list_gets_a_line_for_each_word() {
        let many: Vec<String> = (0..20).map(|n| format!("vendor_{n}")).collect();
        let text = format!("a\nlist! {{ {} }}\nb\n", many.join(", "));
        let added = add_word(&text, "list", "acme").expect("added");
        assert!(added.contains("    vendor_19,\n    acme,\n}\nb\n"), "{added}");
        assert!(add_word(&added, "list", "acme").is_err());
    }
}
