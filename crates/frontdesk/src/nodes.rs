//! This process as one node of several: what it is called, what it shares with the others, where its recordings go.

use crate::config::{Config, Setting, follow};
use crate::wiring::Env;
use anyhow::{Context as _, anyhow};
use base::Secret;
use model::node::NodeRoles;
use runtime::ClusterSettings;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use store::Keyring;
use store::objects::{ObjectPlace, Objects};
use store::shared::{Memory, Redis, RedisOptions, Resilient, Shared};

/// This process among others.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// What people call it.
    pub name: String,
    /// Where other nodes reach it.
    pub address: String,
    /// Where platforms bring the audio of its calls.
    pub media_url: String,
    /// What it does.
    pub roles: String,
}

/// What nodes share.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedConfig {
    /// Where the Redis server is; empty for none.
    pub redis_url: Secret<String>,
    /// What every key there begins with.
    pub prefix: String,
}

/// Where recordings go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectsConfig {
    /// A service; empty for a folder of this machine.
    pub url: String,
    /// What the service wants to know.
    #[serde(default)]
    pub options: BTreeMap<String, Setting>,
}

/// Everything that is wrong with these parts of a configuration.
pub fn problems(config: &Config, env: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(config.node.roles.parse::<NodeRoles>().err().map(|why| format!("node.roles: {why}")));
    for (name, url) in [("node.address", &config.node.address), ("node.media_url", &config.node.media_url)] {
        if !url.is_empty() && !url.starts_with("http://") && !url.starts_with("https://") {
            problems.push(format!("{name} begins with http:// or https://"));
        }
    }
    if let Err(why) = follow(config.shared.redis_url.expose(), env) {
        problems.push(format!("shared.redis_url: {why}"));
    }
    if config.shared.prefix.is_empty() || config.shared.prefix.len() > 40 {
        problems.push("shared.prefix has 1 to 40 characters".into());
    }
    for (name, setting) in &config.objects.options {
        problems.extend(setting.resolve(env).err().map(|why| format!("objects.options.{name}: {why}")));
    }
    problems
}

/// How this process presents itself to other nodes.
///
/// # Errors
/// When its roles make no sense.
pub fn cluster_settings(config: &Config) -> anyhow::Result<ClusterSettings> {
    let some = |url: &str| url.trim_end_matches('/').to_owned();
    let address =
        if config.node.address.is_empty() { own_address(&config.server.listen) } else { some(&config.node.address) };
    let media_url = some(&config.node.media_url);
    Ok(ClusterSettings {
        name: if config.node.name.is_empty() { host_name() } else { config.node.name.clone() },
        address,
        media_url: (!media_url.is_empty()).then_some(media_url),
        roles: config.node.roles.parse().map_err(|why| anyhow!("node.roles: {why}"))?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Where this process listens, if that says where it is reached.
fn own_address(listen: &str) -> String {
    match listen.parse::<SocketAddr>() {
        Ok(address) if !address.ip().is_unspecified() && address.port() != 0 => format!("http://{address}"),
        _ => String::new(),
    }
}

fn host_name() -> String {
    let name = std::env::var("HOSTNAME").ok().or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "node".into())
}

/// What nodes share: a Redis server with this process's memory behind it, or the memory alone.
///
/// # Errors
/// When the address makes no sense. A server that is away is none.
pub fn shared(config: &Config, env: Env<'_>) -> anyhow::Result<Arc<dyn Shared>> {
    let url = follow(config.shared.redis_url.expose(), &|name| env(name));
    let url = url.map_err(|why| anyhow!("shared.redis_url: {why}"))?;
    if url.expose().is_empty() {
        return Ok(Arc::new(Memory::default()));
    }
    let redis = Redis::open(RedisOptions { url, prefix: config.shared.prefix.clone() }).context("shared.redis_url")?;
    Ok(Resilient::new(redis))
}

/// Where recordings are kept, sealed with the keys of this installation.
///
/// # Errors
/// When the place makes no sense.
pub fn objects(config: &Config, env: Env<'_>, keys: Keyring) -> anyhow::Result<Objects> {
    let place = if config.objects.url.is_empty() {
        ObjectPlace::Folder(config.data_dir().join("objects"))
    } else {
        let resolve = |(name, setting): (&String, &Setting)| {
            let value = setting.resolve(&|name| env(name)).map_err(|why| anyhow!("objects.options.{name}: {why}"))?;
            Ok((name.clone(), value))
        };
        let options = config.objects.options.iter().map(resolve).collect::<anyhow::Result<_>>()?;
        ObjectPlace::Service { url: config.objects.url.clone(), options }
    };
    Objects::open(&place, keys).map_err(|why| anyhow!(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_reached_where_it_listens_unless_that_is_everywhere() {
        assert_eq!(own_address("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(own_address("[::1]:8080"), "http://[::1]:8080");
        assert_eq!(own_address("0.0.0.0:8080"), "");
    }
}
