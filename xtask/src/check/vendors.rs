//! A vendor is one file, and is named nowhere else but in the line that registers it.

use super::Violation;
use super::source::Source;
use std::collections::BTreeSet;

/// The macros that register vendors. Their words are the vendors.
const REGISTRIES: [&str; 8] = [
    "stt_providers",
    "llm_providers",
    "tts_providers",
    "embed_providers",
    "text_providers",
    "realtime_providers",
    "vector_providers",
    "carriers",
];
/// Registered, and no vendor.
const NO_VENDORS: [&str; 5] = ["browser", "loopback", "website", "sip", "webrtc"];
/// Vendors whose names are also ordinary words of this code: a program cannot tell them apart.
const ORDINARY_WORDS: [&str; 2] = ["connect", "zoom"];
/// Libraries whose names hold that of a vendor.
const LIBRARIES: [&str; 5] = ["llama_cpp_2", "aws_lc_rs", "aws-lc-rs", "aws_sigv4", "aws_credential_types"];
/// A name this short is part of ordinary words ("laws"): it counts only where it stands alone.
const SHORT_CHARS_MAX: usize = 3;
/// Where a file is a vendor's own: it may say how its service imitates another one.
const VENDOR_FILES: &str = "crates/providers/src/";
/// What is said on the phone, vendors' names among it.
const SPOKEN: &str = "crates/engine/src/answering/phrases.rs";
/// The file of the services that keep objects, some of whom are vendors of other things too.
const STORAGE: &str = "crates/store/src/objects/place.rs";
/// Simulated vendors, and the rig that measures against them.
const RIGS: [&str; 2] = ["crates/sim/src/twins/", "crates/bench/"];

/// Violations in all sources and pages.
pub fn check(sources: &[Source], pages: &[(String, String)]) -> Vec<Violation> {
    let mut vendors = BTreeSet::new();
    let mut lines = BTreeSet::new();
    for source in sources {
        for (name, line) in registered(source) {
            lines.insert((source.path.clone(), line));
            vendors.insert(name);
        }
    }
    vendors.retain(|name| !NO_VENDORS.contains(&name.as_str()) && !ORDINARY_WORDS.contains(&name.as_str()));
    let mut found = Vec::new();
    let is_rig = |source: &Source| {
        RIGS.iter().any(|rig| source.path.starts_with(rig)) || [SPOKEN, STORAGE].contains(&source.path.as_str())
    };
    for source in sources.iter().filter(|source| !source.is_test && !is_rig(source)) {
        let is_free = |line: usize, text: &str| {
            source.is_test_line(line) || lines.contains(&(source.path.clone(), line)) || is_declaration(text, &vendors)
        };
        found.extend(named(&source.path, &source.text, &vendors, is_free));
    }
    for (path, text) in pages.iter().filter(|(path, _)| !path.contains(".test.")) {
        found.extend(named(path, text, &vendors, |_, _| false));
    }
    found
}

/// The words inside `stt_providers! { … }` and the like, with their lines.
fn registered(source: &Source) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, window) in source.tokens.windows(3).enumerate() {
        if !REGISTRIES.contains(&window[0].text.as_str()) || window[1].text != "!" || window[2].text != "{" {
            continue;
        }
        let words = source.tokens[at + 3..].iter().take_while(|token| token.text != "}");
        let is_word = |text: &str| text.starts_with(|c: char| c.is_ascii_lowercase());
        found.extend(words.filter(|token| is_word(&token.text)).map(|token| (token.text.clone(), token.line)));
    }
    found
}

/// `mod acme;` or `pub mod acme;`, where a macro cannot declare it.
fn is_declaration(line: &str, vendors: &BTreeSet<String>) -> bool {
    let name = line.trim().trim_start_matches("pub ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
    name.is_some_and(|name| vendors.contains(name))
}

fn named(path: &str, text: &str, vendors: &BTreeSet<String>, is_free: impl Fn(usize, &str) -> bool) -> Vec<Violation> {
    let stems = || path.split('/').filter_map(|part| part.split('.').next());
    if path.starts_with(VENDOR_FILES) && stems().any(|stem| vendors.contains(stem)) {
        return Vec::new();
    }
    let own = |name: &&String| stems().any(|stem| stem == name.as_str());
    let others: Vec<&String> = vendors.iter().filter(|name| !own(name)).collect();
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let lower = LIBRARIES.iter().fold(line.to_ascii_lowercase(), |line, library| line.replace(library, ""));
        let mentioned = others.iter().find(|name| mentions(&lower, name));
        if let Some(name) = mentioned.filter(|_| !is_free(index + 1, line)) {
            found.push(Violation::new(
                path,
                index + 1,
                "vendor-name",
                format!("`{name}` is named outside its own file"),
            ));
        }
    }
    found
}

/// Whether a line in lower case holds a vendor's name.
fn mentions(line: &str, name: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
    line.match_indices(name).any(|(at, found)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + found.len()..].chars().next());
        name.len() > SHORT_CHARS_MAX || !(is_letter(before) || is_letter(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(path: &str, text: &str) -> Source {
        Source::parse(path, text).expect("valid Rust")
    }

    #[test]
    fn a_short_name_is_not_found_in_ordinary_words() {
        assert!(mentions("what aws does", "aws") && mentions("aws_region", "aws") && mentions("// aws", "aws"));
        assert!(!mentions("the laws of twins", "aws") && !mentions("pub mod laws;", "aws"));
        assert!(mentions("deepgramlike", "deepgram"));
    }

    #[test]
    fn a_vendor_is_named_in_its_file_its_twin_tests_and_the_registry_alone() {
        let sources = [
            rust("crates/providers/src/stt.rs", "stt_providers! { acme, llama_cpp }"),
            rust("crates/providers/src/stt/acme.rs", "const URL: &str = \"acme.example/like/umbrella\";"),
            rust("crates/local/src/model.rs", "use llama_cpp_2::token;"),
            rust("crates/carriers/src/lib.rs", "pub mod umbrella;"),
            rust(
                "crates/carriers/src/registry.rs",
                "macro_rules! carriers { () => {} }\ncarriers! {\n    umbrella, browser\n}",
            ),
            rust("crates/carriers/src/umbrella/media.rs", "// umbrella"),
            rust("crates/sim/src/twins/server.rs", "// acme and umbrella"),
            rust("crates/runtime/tests/it.rs", "// acme"),
            rust(
                "crates/runtime/src/host.rs",
                "fn f() {}\n// the browser, and what ACME does\n#[cfg(test)]\nmod tests { const A: &str = \"acme\"; }",
            ),
        ];
        let pages = [("web/src/app.tsx".to_owned(), "import umbrellaLogo".to_owned())];
        let found: Vec<(String, usize)> = check(&sources, &pages).into_iter().map(|v| (v.path, v.line)).collect();
        assert_eq!(found, [("crates/runtime/src/host.rs".to_owned(), 2), ("web/src/app.tsx".to_owned(), 1)]);
    }
}
