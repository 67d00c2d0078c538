//! What a vendor file is configured with. Every value comes from the configuration or the usual environment names.

use base::Secret;
use model::routing::{Feature, Region};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use url::{Host, Url};

/// Settings of one provider, the same shape for all, as given. [`Settings::resolve`] checks them.
#[derive(Clone, Debug, Default)]
pub struct ProviderOptions {
    /// Credential.
    pub api_key: Option<Secret<String>>,
    /// Where the service is; `None` for the vendor's own address. Plain `http://` or `ws://` only on loopback.
    pub base_url: Option<String>,
    /// Model, in the vendor's words.
    pub model: Option<String>,
    /// Voice, in the vendor's words.
    pub voice: Option<String>,
    /// Everything else the vendor's descriptor documents.
    pub extra: BTreeMap<String, String>,
}

impl ProviderOptions {
    /// Reads the usual environment names through `lookup`. Empty values count as absent. An extra option `x_ms` of a
    /// vendor whose credential is `ACME_API_KEY` is read from `ACME_X_MS`.
    pub fn from_env(descriptor: &Descriptor, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let extra = descriptor
            .extra
            .iter()
            .filter_map(|(key, _)| read(&descriptor.extra_env(key)).map(|value| ((*key).to_owned(), value)));
        Self {
            api_key: read(descriptor.key_env).map(Secret::new),
            base_url: read(descriptor.base_url_env),
            model: descriptor.model_env.and_then(read),
            voice: descriptor.voice_env.and_then(read),
            extra: extra.collect(),
        }
    }
}

/// What a vendor file says about itself: configuration schema, documentation and capability check in one.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// Registry name, lower case.
    pub name: &'static str,
    /// Name as people write it.
    pub title: &'static str,
    /// The vendor's own address.
    pub base_url: &'static str,
    /// Environment name of the credential.
    pub key_env: &'static str,
    /// Environment name of the address.
    pub base_url_env: &'static str,
    /// Environment name of the model, if it has one.
    pub model_env: Option<&'static str>,
    /// Environment name of the voice, if it has one.
    pub voice_env: Option<&'static str>,
    /// Model used when none is set.
    pub model: Option<&'static str>,
    /// Voice used when none is set.
    pub voice: Option<&'static str>,
    /// Keys accepted in [`ProviderOptions::extra`], each with one line of documentation.
    pub extra: &'static [(&'static str, &'static str)],
    /// Whether it works without a credential (a server on loopback).
    pub key_optional: bool,
    /// Where the vendor's own address processes what it is sent, when its documentation says so. `None` satisfies no rule of
    /// data residency; an operator who knows better sets `region` in the provider's table.
    pub region: Option<Region>,
    /// What it can do beyond its stage.
    pub features: &'static [Feature],
    /// Languages it serves, as BCP-47 primary subtags; empty for many or not known.
    pub languages: &'static [&'static str],
    /// How good what it makes is, 0 to 100, as a starting value for the choice by quality. Not a measurement.
    pub quality: u8,
}

impl Descriptor {
    /// Nothing said: the rest of a vendor's descriptor, `Descriptor { name: "acme", ..Descriptor::NONE }`.
    pub const NONE: Descriptor = Descriptor {
        name: "",
        title: "",
        base_url: "",
        key_env: "",
        base_url_env: "",
        model_env: None,
        voice_env: None,
        model: None,
        voice: None,
        extra: &[],
        key_optional: false,
        region: None,
        features: &[],
        languages: &[],
        quality: 50,
    };
}

impl Descriptor {
    /// Environment name of an extra option: that of the credential with another ending.
    pub fn extra_env(&self, key: &str) -> String {
        let endings = ["_API_KEY", "_SECRET_ACCESS_KEY"];
        let prefix = endings.into_iter().find_map(|ending| self.key_env.strip_suffix(ending));
        format!("{}_{}", prefix.unwrap_or(self.key_env), key.to_ascii_uppercase())
    }
}

/// Why a provider cannot be used as configured. No variant holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// There is no provider of this name.
    #[error("there is no {kind} provider named {name:?}{}", hint(.nearest))]
    UnknownProvider {
        /// `stt`, `llm` or `tts`.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// The most similar name, or all of them.
        nearest: String,
    },
    /// It has no credential.
    #[error("{title} needs a key: set {env}")]
    MissingKey {
        /// Name as people write it.
        title: &'static str,
        /// Environment name of the credential.
        env: &'static str,
    },
    /// The credential cannot be sent in a header.
    #[error("the key in {env} holds characters that no key has (a space, a line break or a letter outside ASCII)")]
    MalformedKey {
        /// Environment name of the credential.
        env: &'static str,
    },
    /// The address cannot be used.
    #[error("{env} is not a usable address: {why}")]
    Address {
        /// Environment name of the address.
        env: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An option that the provider does not have.
    #[error("{title} has no option {key:?}{}", hint(.nearest))]
    UnknownOption {
        /// Name as people write it.
        title: &'static str,
        /// The option that was given.
        key: String,
        /// The most similar option, or all of them.
        nearest: String,
    },
    /// An option without which it cannot be used.
    #[error("{title} needs the option {key}: set {env}")]
    MissingOption {
        /// Name as people write it.
        title: &'static str,
        /// The option that is missing.
        key: &'static str,
        /// Its environment name.
        env: String,
    },
    /// An option, the model or the voice has a value that the provider does not take.
    #[error("{title}: option {key} must be {expected}, not {value:?}")]
    Value {
        /// Name as people write it.
        title: &'static str,
        /// Which option.
        key: String,
        /// What was given.
        value: String,
        /// What it takes.
        expected: String,
    },
}

fn hint(nearest: &str) -> String {
    if nearest.is_empty() { String::new() } else { format!("; {nearest}") }
}

/// "did you mean X?" when a known name is similar, else the list of them.
pub(crate) fn nearest_name(given: &str, known: &[&str]) -> String {
    let best = known.iter().max_by(|a, b| strsim::jaro_winkler(given, a).total_cmp(&strsim::jaro_winkler(given, b)));
    match best {
        Some(name) if strsim::jaro_winkler(given, name) > 0.8 => format!("did you mean {name:?}?"),
        Some(_) => format!("it can be: {}", known.join(", ")),
        None => String::new(),
    }
}

/// Checked settings of one provider.
#[derive(Clone)]
pub struct Settings {
    descriptor: &'static Descriptor,
    base: Url,
    key: Option<Secret<String>>,
    model: String,
    voice: String,
    extra: BTreeMap<String, String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("provider", &self.descriptor.name)
            .field("base", &self.base.as_str())
            .field("model", &self.model)
            .field("voice", &self.voice)
            .field("extra", &self.extra.iter().map(|(key, value)| (key, shown(key, value))).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Whether a vendor of this name takes an option at another stage: one table of the configuration serves all of them.
fn is_of_another_stage(name: &str, key: &str) -> bool {
    let all = crate::stt::PROVIDERS.descriptors().chain(crate::tts::PROVIDERS.descriptors());
    let all = all.chain(crate::llm::PROVIDERS.descriptors()).chain(crate::embed::PROVIDERS.descriptors());
    let mut all = all.chain(crate::text::PROVIDERS.descriptors()).chain(crate::vectors::PROVIDERS.descriptors());
    all.any(|descriptor| descriptor.name == name && descriptor.extra.iter().any(|(known, _)| *known == key))
}

/// What may be shown of an extra option: one that is called a token or a secret is one.
fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    if ["token", "secret", "password"].iter().any(|word| key.contains(word)) { "[secret]" } else { value }
}

impl Settings {
    /// Checks what every provider has in common: the address, the credential, and that every extra option is known.
    pub fn resolve(descriptor: &'static Descriptor, options: &ProviderOptions) -> Result<Self, OptionsError> {
        let base = resolve_base(descriptor, options.base_url.as_deref())?;
        let keyless = descriptor.key_optional && is_loopback(&base);
        match options.api_key.as_ref().map(|key| key.expose().as_str()) {
            None | Some("") if keyless => {}
            None | Some("") => {
                return Err(OptionsError::MissingKey { title: descriptor.title, env: descriptor.key_env });
            }
            Some(key) if key.bytes().all(|b| b.is_ascii_graphic()) => {}
            // The file of a service account, as some vendors hand it out.
            Some(key)
                if key.trim_start().starts_with('{') && serde_json::from_str::<serde_json::Value>(key).is_ok() => {}
            Some(_) => return Err(OptionsError::MalformedKey { env: descriptor.key_env }),
        }
        let known: Vec<&str> = descriptor.extra.iter().map(|(key, _)| *key).collect();
        let is_ours = |key: &&String| known.contains(&key.as_str());
        if let Some(key) = options.extra.keys().find(|key| !is_ours(key) && !is_of_another_stage(descriptor.name, key))
        {
            return Err(OptionsError::UnknownOption {
                title: descriptor.title,
                key: key.clone(),
                nearest: nearest_name(key, &known),
            });
        }
        Ok(Self {
            descriptor,
            base,
            key: options.api_key.clone().filter(|key| !key.expose().is_empty()),
            model: options.model.clone().or(descriptor.model.map(str::to_owned)).unwrap_or_default(),
            voice: options.voice.clone().or(descriptor.voice.map(str::to_owned)).unwrap_or_default(),
            extra: options.extra.iter().filter(|(key, _)| is_ours(key)).map(|(k, v)| (k.clone(), v.clone())).collect(),
        })
    }

    /// What the vendor file says about itself.
    pub fn descriptor(&self) -> &'static Descriptor {
        self.descriptor
    }

    /// Model, in the vendor's words; empty when the vendor has none.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Voice, in the vendor's words; empty when the vendor has none.
    pub fn voice(&self) -> &str {
        &self.voice
    }

    /// The credential, if one is set.
    pub fn key(&self) -> Option<&Secret<String>> {
        self.key.as_ref()
    }

    /// Whether it is a server on this machine.
    pub fn is_on_loopback(&self) -> bool {
        is_loopback(&self.base)
    }

    /// `https://…` below the base address; every segment is percent-encoded.
    pub fn http_url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// `wss://…` below the base address (`ws://…` on loopback); every segment is percent-encoded.
    pub fn ws_url(&self, segments: &[&str]) -> Url {
        let mut url = self.http_url(segments);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        // http to ws and https to wss are always allowed, so the result says nothing new.
        let _ = url.set_scheme(scheme);
        url
    }

    /// An extra option as text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.extra.get(key).map(String::as_str)
    }

    /// An extra option without which the vendor cannot be used.
    pub fn required(&self, key: &'static str) -> Result<&str, OptionsError> {
        let missing = || {
            let env = self.descriptor.extra_env(key);
            OptionsError::MissingOption { title: self.descriptor.title, key, env }
        };
        self.text(key).filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    /// An extra option that is one of a few words.
    pub fn choice<'a>(&'a self, key: &str, allowed: &[&str]) -> Result<Option<&'a str>, OptionsError> {
        match self.text(key) {
            Some(value) if !allowed.contains(&value) => {
                Err(self.value_error(key, value, format!("one of {}", allowed.join(", "))))
            }
            other => Ok(other),
        }
    }

    /// An extra option that is `true` or `false`.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, OptionsError> {
        Ok(self.choice(key, &["true", "false"])?.map(|value| value == "true"))
    }

    /// An extra option that is a whole number within a range.
    pub fn whole(&self, key: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, OptionsError> {
        let Some(value) = self.text(key) else { return Ok(None) };
        match value.parse::<u64>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(self.value_error(key, value, format!("a whole number from {} to {}", range.start(), range.end()))),
        }
    }

    /// An extra option that is a number within a range.
    pub fn number(&self, key: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, OptionsError> {
        let Some(value) = self.text(key) else { return Ok(None) };
        match value.parse::<f64>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(self.value_error(key, value, format!("a number from {} to {}", range.start(), range.end()))),
        }
    }

    /// The error that says that an option has a value which the provider does not take.
    pub fn value_error(&self, key: &str, value: &str, expected: impl Into<String>) -> OptionsError {
        OptionsError::Value {
            title: self.descriptor.title,
            key: key.to_owned(),
            value: value.to_owned(),
            expected: expected.into(),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// The base address with an `http` or `https` scheme, whichever of the four schemes it was written with.
fn resolve_base(descriptor: &'static Descriptor, given: Option<&str>) -> Result<Url, OptionsError> {
    let refuse = |why| OptionsError::Address { env: descriptor.base_url_env, why };
    let text = given.unwrap_or(descriptor.base_url);
    let text = match text.split_once("://") {
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        Some(("http" | "https", _)) => text.to_owned(),
        Some(_) => return Err(refuse("it must begin with https://, wss://, http:// or ws://")),
        None => return Err(refuse("it must begin with https:// and name a host")),
    };
    let url = Url::parse(&text).map_err(|_| refuse("it is not a URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it must not hold a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it must not hold a query or a fragment"));
    }
    if url.host().is_none() {
        return Err(refuse("it names no host"));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(refuse(
            "plain http:// and ws:// are allowed on this machine (loopback) only; use https:// or wss://",
        ));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    static ACME: Descriptor = Descriptor {
        name: "acme",
        title: "Acme",
        base_url: "https://api.acme.example/v1",
        key_env: "ACME_API_KEY",
        base_url_env: "ACME_BASE_URL",
        model_env: Some("ACME_MODEL"),
        voice_env: None,
        model: Some("one"),
        voice: None,
        extra: &[("pause_ms", "How long a pause is.")],
        key_optional: true,
        ..Descriptor::NONE
    };

    fn with_base(base: &str) -> Result<Settings, OptionsError> {
        let options = ProviderOptions {
            api_key: Some("k".into()),
            base_url: Some(base.to_owned()),
            ..ProviderOptions::default()
        };
        Settings::resolve(&ACME, &options)
    }

    #[test]
    fn environment_names_are_the_usual_ones() {
        let options = ProviderOptions::from_env(&ACME, |name| match name {
            "ACME_API_KEY" => Some(" sk-1\n".to_owned()),
            "ACME_MODEL" => Some(String::new()),
            "ACME_PAUSE_MS" => Some("300".to_owned()),
            _ => None,
        });
        assert_eq!(options.api_key.map(|key| key.expose().clone()).as_deref(), Some("sk-1"));
        assert_eq!(options.model, None, "an empty value is no value");
        assert_eq!(options.extra.get("pause_ms").map(String::as_str), Some("300"));
    }

    #[test]
    fn any_of_four_schemes_gives_both_kinds_of_url() {
        for base in ["https://h.example/v1", "wss://h.example/v1/"] {
            let settings = with_base(base).expect("usable");
            assert_eq!(settings.http_url(&["a b", "c"]).as_str(), "https://h.example/v1/a%20b/c");
            assert_eq!(settings.ws_url(&["x/y"]).as_str(), "wss://h.example/v1/x%2Fy");
        }
        for base in ["http://127.0.0.1:8080", "ws://localhost:8080", "http://[::1]:8080"] {
            assert_eq!(with_base(base).expect("loopback").ws_url(&["z"]).scheme(), "ws");
        }
    }

    #[test]
    fn plain_addresses_beyond_this_machine_are_refused() {
        for base in ["http://10.0.0.1", "ws://api.acme.example", "http://localhost.evil.example"] {
            let why = with_base(base).expect_err("plain").to_string();
            assert!(why.contains("loopback") && why.contains("ACME_BASE_URL"), "{why}");
        }
        for base in ["ftp://h", "h.example", "https://u:p@h.example", "https://h.example?key=1", "https://"] {
            with_base(base).expect_err(base);
        }
    }

    #[test]
    fn a_missing_key_names_the_variable_and_a_local_server_needs_none() {
        let remote = Settings::resolve(&ACME, &ProviderOptions::default()).expect_err("no key");
        assert_eq!(remote.to_string(), "Acme needs a key: set ACME_API_KEY");
        let base_url = Some("http://127.0.0.1:1".to_owned());
        Settings::resolve(&ACME, &ProviderOptions { base_url, ..ProviderOptions::default() }).expect("local");
        let split = ProviderOptions { api_key: Some("a\r\nb".into()), ..ProviderOptions::default() };
        let why = Settings::resolve(&ACME, &split).expect_err("header splitting").to_string();
        assert!(!why.contains("a\r\nb"));
    }

    #[test]
    fn a_misspelt_option_is_told_its_neighbour() {
        let mut options = ProviderOptions { api_key: Some("k".into()), ..ProviderOptions::default() };
        options.extra.insert("pause".to_owned(), "1".to_owned());
        let why = Settings::resolve(&ACME, &options).expect_err("unknown").to_string();
        assert_eq!(why, r#"Acme has no option "pause"; did you mean "pause_ms"?"#);
    }
}
