//! Configuration in layers: defaults, file, environment, flags. Every problem is reported at once, each with its place,
//! and an unknown key names the nearest known one.

use crate::nodes::{NodeConfig, ObjectsConfig, SharedConfig};
use crate::trunks::SipConfig;
use base::Secret;
use runtime::mail::RelaySettings;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The documented defaults; also the schema of what may be set.
pub const DEFAULT: &str = include_str!("../frontdesk.default.toml");

/// `log.filter` when nobody has set it.
pub const DEFAULT_LOG_FILTER: &str = "info";

/// Tables whose keys come from the registries instead of [`DEFAULT`].
const OPEN_TABLES: [&str; 3] = ["providers", "carriers", "objects"];

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// HTTP server.
    pub server: Server,
    /// Who gets in.
    pub access: Access,
    /// Where data is kept.
    pub data: Data,
    /// Which database.
    pub database: Database,
    /// Where models are kept.
    pub models: Models,
    /// Speech to text.
    pub stt: Stage,
    /// Text to speech.
    pub tts: Stage,
    /// Brain.
    pub brain: Stage,
    /// Who finds out what texts mean.
    pub embeddings: Stage,
    /// Who reads texts.
    pub text: Text,
    /// What may be spent.
    pub budget: Budget,
    /// Calls.
    pub calls: Calls,
    /// How long what was said is kept.
    pub retention: Retention,
    /// The API.
    pub api: Api,
    /// Lines of browsers by WebRTC.
    pub webrtc: crate::rtc::RtcConfig,
    /// Tools of businesses.
    pub tools: Tools,
    /// Messages to systems of businesses.
    pub webhooks: WebhookRules,
    /// Documents of businesses.
    pub knowledge: KnowledgeRules,
    /// Mails.
    pub mail: Mail,
    /// What businesses may use.
    pub plans: PlanRules,
    /// Keys of what is sealed.
    pub secrets: Secrets,
    /// This process as one node of several.
    pub node: NodeConfig,
    /// What nodes share.
    pub shared: SharedConfig,
    /// Where recordings go.
    pub objects: ObjectsConfig,
    /// Logs.
    pub log: Log,
    /// Providers by registry name.
    pub providers: BTreeMap<String, BTreeMap<String, Setting>>,
    /// The same voices at several providers.
    pub voices: Vec<BTreeMap<String, String>>,
    /// Phone numbers and who answers them.
    pub numbers: Vec<NumberEntry>,
    /// Carriers by registry name.
    pub carriers: BTreeMap<String, BTreeMap<String, Setting>>,
    /// SIP trunks.
    pub sip: SipConfig,
}

/// A value of an open table. Any of them may be a secret, so none prints.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// Text, perhaps a reference (`env:NAME`, `file:/path`).
    Text(Secret<String>),
    /// A whole number.
    Whole(i64),
    /// Yes or no.
    Flag(bool),
}

/// A phone number of the business and who answers it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberEntry {
    /// The number customers dial, in E.164 form.
    pub number: base::PhoneNumber,
    /// Registry name of the phone platform that brings its calls.
    pub carrier: String,
    /// Slug of the agent that answers; the first one when it is left out.
    #[serde(default)]
    pub agent: Option<String>,
}

/// HTTP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port.
    pub listen: String,
    /// Address as seen from outside.
    pub public_url: String,
    /// Believe forwarding headers.
    pub trust_proxy: bool,
    /// Bearer token of the API.
    pub api_token: Secret<String>,
}

/// The API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Origins of pages that may use the API.
    pub origins: Vec<String>,
    /// Requests that one key or person may make in a minute; 0 for no bound.
    pub requests_per_minute: u32,
}

/// Tools of businesses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// Whether they may ask services of this machine and of private networks.
    pub private_addresses: bool,
}

/// Who gets in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Whether anybody may register a business.
    pub registration: bool,
}

/// Where data is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Folder.
    pub dir: String,
    /// Load the demonstration business.
    pub demo: bool,
    /// Short name of the business that the installation acts for where nobody names one; empty: the first by name.
    pub business: String,
}

/// Which database. Addresses hold passwords, and may be references.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// A PostgreSQL server; empty: a file in the folder of the data.
    pub url: Secret<String>,
    /// The same server as the role that owns the tables.
    pub owner_url: Secret<String>,
    /// A replica of it.
    pub replica_url: Secret<String>,
    /// Connections to each of them.
    pub connections_max: u32,
}

/// The database in the folder of the data.
const DATABASE_FILE: &str = "frontdesk.db";

impl Database {
    /// How the database is opened, with references followed.
    ///
    /// # Errors
    /// When a reference leads nowhere or a text is no address. The text never quotes one.
    pub fn options(
        &self,
        data_dir: &Path,
        keys: store::Keys,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<store::StoreOptions, String> {
        let file =
            store::SqliteOptions { keys: keys.clone(), ..store::SqliteOptions::new(data_dir.join(DATABASE_FILE)) };
        let Some(url) = address("database.url", &self.url, env)? else {
            for (path, text) in [("owner_url", &self.owner_url), ("replica_url", &self.replica_url)] {
                if !text.expose().is_empty() {
                    return Err(format!("database.{path} needs database.url"));
                }
            }
            return Ok(file.into());
        };
        let mut server = store::PostgresOptions::new(url, file.key_file());
        server.owner_url = address("database.owner_url", &self.owner_url, env)?;
        server.replica_url = address("database.replica_url", &self.replica_url, env)?;
        server.connections_max = self.connections_max;
        server.keys = keys;
        Ok(server.into())
    }
}

fn address(
    path: &str,
    text: &Secret<String>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Secret<String>>, String> {
    let url = follow(text.expose(), env).map_err(|why| format!("{path}: {why}"))?;
    if url.expose().is_empty() {
        return Ok(None);
    }
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme)) {
        return Err(format!("{path}: an address of PostgreSQL begins with postgres://"));
    }
    Ok(Some(url))
}

/// Where models are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Folder.
    pub dir: String,
    /// A language model in a GGUF file; empty for none.
    pub gguf: String,
}

/// One stage of the pipeline.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// `auto`, `local` or a registry name.
    pub provider: String,
    /// Who takes over, in order.
    pub fallback: Vec<String>,
}

/// Messages to systems of businesses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookRules {
    /// Whether they may go to addresses that are not public.
    pub allow_private: bool,
}

/// Documents of businesses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeRules {
    /// Whether sites may be at addresses that are not public.
    pub private_addresses: bool,
    /// Where vectors lie beside our own rows: `local` for nowhere, or the registry name of a vector store.
    pub index: String,
    /// From so many passages on, agents of a business search there.
    pub index_from_passages: u32,
}

/// Mails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Who takes them; empty for nobody.
    pub url: String,
    /// How it knows us.
    pub user: String,
    /// And what proves it.
    pub password: Secret<String>,
    /// Whom they are from.
    pub sender: String,
    /// Certificates to trust beside the machine's.
    pub ca_file: String,
}

impl Mail {
    /// The mail server, when one is named.
    ///
    /// # Errors
    /// When something about it makes no sense. The text never quotes the password.
    pub fn relay(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<RelaySettings>, String> {
        if self.url.is_empty() {
            return Ok(None);
        }
        let password = follow(self.password.expose(), env).map_err(|why| format!("mail.password: {why}"))?;
        let roots = match self.ca_file.as_str() {
            "" => None,
            path => Some(std::fs::read(path).map_err(|error| format!("mail.ca_file: {path} cannot be read: {error}"))?),
        };
        RelaySettings::read(&self.url, (&self.user, password), &self.sender, roots.as_deref()).map(Some)
    }
}

/// What businesses may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRules {
    /// The plan of who has chosen none; empty for no bound.
    pub default: String,
}

/// Who reads texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// `auto`, `local` or a registry name.
    pub provider: String,
    /// Who is asked next, in order.
    pub fallback: Vec<String>,
    /// Read calls that are over.
    pub after_calls: bool,
}

/// What may be spent on providers, in cents of a US dollar; 0 for no bound.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// On one call.
    pub call_cents: u32,
    /// By a business in a month.
    pub month_cents: u32,
}

/// Calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// Calls at once.
    pub max: usize,
    /// Kept free for inbound calls.
    pub inbound_reserve: usize,
    /// Record both sides.
    pub record: bool,
    /// Record inputs.
    pub record_inputs: bool,
    /// Time to finish on shutdown.
    pub drain_secs: u64,
}

/// How long what was said is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Days; 0 for ever.
    pub transcripts_days: u32,
}

/// Keys of what is sealed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The data key; empty for the one in a file beside the database.
    pub data_key: Secret<String>,
    /// Keys that only open.
    pub data_keys_old: Vec<Secret<String>>,
}

impl Secrets {
    /// Where the keys come from, with references followed.
    ///
    /// # Errors
    /// When a reference leads nowhere or a text is no key. The text never quotes a key.
    pub fn keys(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<store::Keys, String> {
        let key = |path: &str, text: &Secret<String>| {
            let text = follow(text.expose(), env).map_err(|why| format!("{path}: {why}"))?;
            store::DataKey::parse(&text).map_err(|why| format!("{path}: {why}"))
        };
        if self.data_key.expose().is_empty() {
            let none_old = self.data_keys_old.is_empty();
            let why = "secrets.data_keys_old needs secrets.data_key: the key in a file is not changed by itself";
            return if none_old { Ok(store::Keys::Beside) } else { Err(why.into()) };
        }
        let current = key("secrets.data_key", &self.data_key)?;
        let old = self.data_keys_old.iter().map(|text| key("secrets.data_keys_old", text)).collect::<Result<_, _>>()?;
        Ok(store::Keys::Given(store::Keyring::new(current, old)))
    }
}

/// Logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`.
    pub format: String,
    /// Filter.
    pub filter: String,
}

/// Everything that is wrong with a configuration, one line each.
#[derive(Debug)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(f, "the configuration has {} {many}:", self.0.len())?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for Problems {}

/// Where the layers come from.
pub struct Sources<'a> {
    /// The file named by flag or environment; `None` looks for `./frontdesk.toml`.
    pub file: Option<&'a Path>,
    /// Reads an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// `section.key=value` from flags, strongest.
    pub overrides: &'a [(&'a str, String)],
}

/// Loads and checks all layers.
///
/// # Errors
/// Everything that is wrong.
pub fn load(sources: &Sources<'_>) -> Result<Config, Problems> {
    load_all(sources).map(|(config, _)| config)
}

/// The same, and the layers as one table.
///
/// # Errors
/// Everything that is wrong.
pub fn load_all(sources: &Sources<'_>) -> Result<(Config, Table), Problems> {
    let mut problems = Vec::new();
    let schema = default_table();
    let mut merged = schema.clone();
    if let Some((path, table)) = read_file(sources.file, &mut problems) {
        check_keys(&path, "", &table, &schema, &mut problems);
        merge(&mut merged, table);
    }
    apply_environment(&mut merged, &schema, sources.env, &mut problems);
    for (key, value) in sources.overrides {
        set(&mut merged, &schema, key, value, "command line", &mut problems);
    }
    let config = match Value::Table(merged.clone()).try_into::<Config>() {
        Ok(config) => Some(config),
        Err(error) if problems.is_empty() => {
            problems.push(error.to_string().trim().replace('\n', " "));
            None
        }
        Err(_) => None, // The cause is among the problems already.
    };
    match config {
        Some(config) if problems.is_empty() => {
            let problems = check_values(&config, sources.env);
            if problems.is_empty() { Ok((config, merged)) } else { Err(Problems(problems)) }
        }
        _ => Err(Problems(problems)),
    }
}

fn default_table() -> Table {
    DEFAULT.parse().expect("a test parses the embedded defaults")
}

fn read_file(file: Option<&Path>, problems: &mut Vec<String>) -> Option<(String, Table)> {
    let path = file.map_or_else(|| PathBuf::from("frontdesk.toml"), Path::to_path_buf);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            problems.push(format!("{}: cannot be read: {error}", path.display()));
            return None;
        }
    };
    match text.parse::<Table>() {
        Ok(table) => Some((path.display().to_string(), table)),
        Err(error) => {
            // The parser's own text quotes the line, which may hold a key.
            let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
            problems.push(format!("{}:{line}: {}", path.display(), error.message()));
            None
        }
    }
}

fn check_keys(origin: &str, prefix: &str, table: &Table, schema: &Table, problems: &mut Vec<String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if prefix.is_empty() && OPEN_TABLES.contains(&key.as_str()) {
            continue;
        }
        match (schema.get(key), value) {
            (None, _) => problems.push(unknown(origin, &path, key, schema)),
            (Some(Value::Table(inner)), Value::Table(given)) => check_keys(origin, &path, given, inner, problems),
            (Some(expected), given) if expected.type_str() != given.type_str() => problems.push(format!(
                "{origin}: {path} must be {}, not {}",
                article(expected.type_str()),
                article(given.type_str())
            )),
            _ => {}
        }
    }
}

fn unknown(origin: &str, path: &str, key: &str, schema: &Table) -> String {
    let nearest = schema.keys().max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)));
    let parent = path.rsplit_once('.').map_or(String::new(), |(parent, _)| format!("{parent}."));
    match nearest {
        Some(nearest) => format!("{origin}: {path} is not known; did you mean {parent}{nearest}?"),
        None => format!("{origin}: {path} is not known"),
    }
}

fn article(kind: &str) -> String {
    match kind {
        "integer" => "a whole number".into(),
        "array" => "a list".into(),
        "boolean" => "true or false".into(),
        "string" => "text in quotes".into(),
        other => format!("a {other}"),
    }
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(given)) => merge(inner, given),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// `FRONTDESK_SERVER_LISTEN` sets `server.listen`: the schema says which names exist.
fn apply_environment(
    merged: &mut Table,
    schema: &Table,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<String>,
) {
    for (section, inner) in schema {
        let Value::Table(inner) = inner else { continue };
        for key in inner.keys() {
            let name = format!("FRONTDESK_{}_{}", section.to_uppercase(), key.to_uppercase());
            // An empty value is an absent one, except for a list: "nobody" is a choice.
            let is_list = matches!(inner.get(key), Some(Value::Array(_)));
            if let Some(value) = env(&name).filter(|value| is_list || !value.is_empty()) {
                set(merged, schema, &format!("{section}.{key}"), &value, &name, problems);
            }
        }
    }
}

fn set(merged: &mut Table, schema: &Table, path: &str, text: &str, origin: &str, problems: &mut Vec<String>) {
    let Some((section, key)) = path.split_once('.') else { return };
    let expected = schema.get(section).and_then(|s| s.get(key));
    let parsed = match expected {
        Some(Value::Integer(_)) => text.parse().map(Value::Integer).map_err(|_| "a whole number"),
        Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).map_err(|_| "true or false"),
        Some(Value::Array(_)) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.into())).collect()))
        }
        _ => Ok(Value::String(text.into())),
    };
    match parsed {
        Ok(value) => {
            if let Some(Value::Table(table)) = merged.get_mut(section) {
                table.insert(key.into(), value);
            }
        }
        Err(wanted) => problems.push(format!("{origin}: {path} must be {wanted}")),
    }
}

fn check_values(config: &Config, env: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    match config.server.listen.parse::<std::net::SocketAddr>() {
        Ok(address) if !address.ip().is_loopback() && config.server.api_token.expose().is_empty() => {
            problems.push(format!("server.listen is {address}, which others can reach: set server.api_token"))
        }
        Ok(_) => {}
        Err(_) => problems.push("server.listen must be an address and a port, such as 127.0.0.1:8080".into()),
    }
    if !matches!(config.log.format.as_str(), "text" | "json") {
        problems.push("log.format must be \"text\" or \"json\"".into());
    }
    if config.calls.max == 0 || config.calls.inbound_reserve >= config.calls.max {
        problems.push("calls.max must be above 0 and above calls.inbound_reserve".into());
    }
    match config.secrets.keys(env) {
        Ok(keys) => problems.extend(config.database.options(&config.data_dir(), keys, env).err()),
        Err(problem) => problems.push(problem),
    }
    if config.database.connections_max == 0 {
        problems.push("database.connections_max must be above 0".into());
    }
    match config.mail.relay(env) {
        Ok(Some(_)) if config.server.public_url.is_empty() => {
            problems.push("mail.url needs server.public_url: links in mails lead there".into());
        }
        Ok(_) => {}
        Err(problem) => problems.push(problem),
    }
    problems.extend(config.webrtc.settings(env).err());
    problems.extend(crate::nodes::problems(config, env));
    problems.extend(config.sip.endpoint(env).err());
    for (table, entries) in [("providers", &config.providers), ("carriers", &config.carriers)] {
        for (name, settings) in entries {
            for (key, setting) in settings {
                if let Err(why) = setting.resolve(env) {
                    problems.push(format!("{table}.{name}.{key}: {why}"));
                }
            }
        }
    }
    problems
}

impl Setting {
    /// The value, with references followed.
    pub fn resolve(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret<String>, String> {
        match self {
            Self::Text(text) => follow(text.expose(), env),
            Self::Whole(number) => Ok(Secret::new(number.to_string())),
            Self::Flag(flag) => Ok(Secret::new(flag.to_string())),
        }
    }
}

/// Follows `env:NAME`, `file:/path` and `vault:PATH#FIELD`.
pub fn follow(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret<String>, String> {
    if let Some(name) = text.strip_prefix("env:") {
        let value = env(name).filter(|value| !value.is_empty());
        return value.map(Secret::new).ok_or_else(|| format!("the environment has no {name}"));
    }
    if text.starts_with(crate::vault::SCHEME) {
        // The command line has fetched every reference that it found and put it among the names of the environment.
        let place = text.split('#').next().unwrap_or_default();
        return env(text).map(Secret::new).ok_or_else(|| format!("{place}#… was not fetched from Vault"));
    }
    if let Some(path) = text.strip_prefix("file:") {
        let read = std::fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
        return Ok(Secret::new(read.trim().to_owned()));
    }
    Ok(Secret::new(text.to_owned()))
}

impl Config {
    /// Folder of the data.
    pub fn data_dir(&self) -> PathBuf {
        if self.data.dir.is_empty() { data_home().join("frontdesk") } else { PathBuf::from(&self.data.dir) }
    }
}

fn data_home() -> PathBuf {
    std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
        home.join(".local/share")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        std::fs::write(file.path(), text).expect("written");
        let env: BTreeMap<String, String> = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let read = |name: &str| env.get(name).cloned();
        load(&Sources { file: Some(file.path()), env: &read, overrides: &[] }).map_err(|problems| problems.to_string())
    }

    #[test]
    fn the_documented_defaults_are_a_valid_configuration() {
        let config = load_text("", &[]).expect("valid");
        assert_eq!(config.server.listen, "127.0.0.1:8080");
        assert_eq!(config.calls.max, 200);
        assert_eq!(config.log.filter, DEFAULT_LOG_FILTER);
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one_and_all_problems_come_at_once() {
        let error = load_text("[server]\nlisen = \"x\"\n[calls]\nmaximum = 3\nrecord = \"yes\"", &[]).expect_err("bad");
        assert!(error.contains("3 problems"), "{error}");
        assert!(error.contains("server.lisen is not known; did you mean server.listen?"), "{error}");
        assert!(error.contains("calls.maximum is not known; did you mean calls.max?"), "{error}");
        assert!(error.contains("calls.record must be true or false, not text in quotes"), "{error}");
    }

    #[test]
    fn the_environment_beats_the_file() {
        let env = [("FRONTDESK_CALLS_MAX", "7"), ("FRONTDESK_CALLS_INBOUND_RESERVE", "1")];
        let config = load_text("[calls]\nmax = 100", &env).expect("valid");
        assert_eq!(config.calls.max, 7);
        let error = load_text("", &[("FRONTDESK_CALLS_MAX", "many")]).expect_err("bad");
        assert!(error.contains("FRONTDESK_CALLS_MAX: calls.max must be a whole number"), "{error}");
    }

    #[test]
    fn a_mail_server_needs_a_sender_and_a_public_address_and_keeps_its_password_to_itself() {
        let mail = "[mail]\nurl = \"smtps://mail.example.com\"\nuser = \"u\"\npassword = \"env:MAIL\"\n";
        let sender = "sender = \"Frontdesk <calls@example.com>\"\n";
        let public = "[server]\npublic_url = \"https://desk.example\"\n";
        let env = [("MAIL", "planted")];
        let config = load_text(&format!("{public}{mail}{sender}"), &env).expect("valid");
        assert!(config.mail.relay(&|_| Some("planted".into())).expect("valid").is_some());
        assert!(!format!("{config:?}").contains("planted"));
        let error = load_text(&format!("{mail}{sender}"), &env).expect_err("no address for links");
        assert!(error.contains("mail.url needs server.public_url"), "{error}");
        let error = load_text(&format!("{public}{mail}"), &env).expect_err("no sender");
        assert!(error.contains("mail.sender"), "{error}");
        let error = load_text(&format!("{public}{mail}{sender}"), &[]).expect_err("no password");
        assert!(error.contains("mail.password: the environment has no MAIL"), "{error}");
        let open = "[mail]\nurl = \"smtp://mail.example.com?tls=none\"\nuser = \"u\"\npassword = \"planted\"\n";
        let error = load_text(&format!("{public}{open}{sender}"), &[]).expect_err("a password without TLS");
        assert!(error.contains("without TLS a password goes to this machine only"), "{error}");
        assert!(!error.contains("planted"), "{error}");
    }

    #[test]
    fn an_empty_list_in_the_environment_does_without_and_other_empty_values_count_as_absent() {
        let env = [("FRONTDESK_STT_FALLBACK", ""), ("FRONTDESK_CALLS_MAX", ""), ("FRONTDESK_DATA_DIR", "")];
        let config = load_text("[data]\ndir = \"/srv\"", &env).expect("valid");
        assert!(config.stt.fallback.is_empty());
        assert_eq!((config.calls.max, config.data.dir.as_str()), (200, "/srv"));
    }

    #[test]
    fn a_data_key_is_checked_and_never_printed() {
        let key = "5f".repeat(32);
        let text = format!("[secrets]\ndata_key = \"env:KEY\"\ndata_keys_old = [\"{key}\"]");
        let config = load_text(&text, &[("KEY", &"07".repeat(32))]).expect("valid");
        assert!(matches!(config.secrets.keys(&|_| Some("07".repeat(32))), Ok(store::Keys::Given(_))));
        assert!(!format!("{config:?}").contains("5f5f"));
        let error = load_text(&text, &[("KEY", "planted")]).expect_err("no key");
        assert!(error.contains("secrets.data_key: a data key is 64 hexadecimal digits"), "{error}");
        assert!(!error.contains("planted"), "{error}");
        let error = load_text(&format!("[secrets]\ndata_keys_old = [\"{key}\"]"), &[]).expect_err("no new key");
        assert!(error.contains("needs secrets.data_key"), "{error}");
    }

    #[test]
    fn a_number_is_read_and_a_wrong_one_is_said() {
        let config = load_text("[[numbers]]\nnumber = \"+1 415 555 0100\"\ncarrier = \"acme\"", &[]).expect("valid");
        assert_eq!(config.numbers[0].number.expose(), "+14155550100");
        let error = load_text("[[numbers]]\nnumber = \"0415\"\ncarrier = \"acme\"", &[]).expect_err("bad");
        assert!(error.contains("begins with +"), "{error}");
    }

    #[test]
    fn listening_to_others_needs_a_token() {
        let error = load_text("[server]\nlisten = \"0.0.0.0:8080\"", &[]).expect_err("bad");
        assert!(error.contains("set server.api_token"), "{error}");
        load_text("[server]\nlisten = \"0.0.0.0:8080\"\napi_token = \"t\"", &[]).expect("valid");
    }

    #[test]
    fn a_secret_by_reference_that_leads_nowhere_is_a_problem_and_no_secret_prints() {
        let error = load_text("[providers.acme]\napi_key = \"env:NOT_THERE\"", &[]).expect_err("bad");
        assert!(error.contains("providers.acme.api_key: the environment has no NOT_THERE"), "{error}");
        let config = load_text("[providers.acme]\napi_key = \"sk-123\"", &[]).expect("valid");
        assert!(!format!("{config:?}").contains("sk-123"));
        let error = load_text("[providers.acme]\napi_key = \"sk-123\" x", &[]).expect_err("bad");
        assert!(!error.contains("sk-123"), "{error}");
    }
}
