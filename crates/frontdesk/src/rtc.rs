//! `[webrtc]`: how browsers reach the audio of their calls by UDP.

use crate::config::{Config, follow};
use anyhow::Context as _;
use base::{Secret, limits};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio_util::sync::CancellationToken;
use webrtc::{Gateway, IceServer, Settings};

/// Lines of browsers by WebRTC.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RtcConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// The one port of all of them; 0 for any that is free.
    pub udp_port: u16,
    /// Where browsers reach it, when that is not an address of this machine.
    pub public_addresses: Vec<String>,
    /// What browsers are told to use.
    pub ice_servers: Vec<IceServerEntry>,
}

/// A STUN or TURN server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceServerEntry {
    /// `stun:…`, `turn:…` or `turns:…`.
    pub url: String,
    /// Name at a TURN server.
    #[serde(default)]
    pub username: Option<String>,
    /// Password at a TURN server, perhaps a reference.
    #[serde(default)]
    pub credential: Option<Secret<String>>,
}

impl RtcConfig {
    /// The settings, with references followed; `None`: switched off.
    ///
    /// # Errors
    /// Says which key makes no sense. The text never quotes a password.
    pub fn settings(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Settings>, String> {
        let read = |text: &String| {
            text.parse::<IpAddr>().map_err(|_| format!("webrtc.public_addresses: {text} is no IP address"))
        };
        let public_addresses = self.public_addresses.iter().map(read).collect::<Result<_, _>>()?;
        let ice_servers = self.ice_servers.iter().map(|entry| entry.read(env)).collect::<Result<_, _>>()?;
        let listen = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), self.udp_port);
        let settings = Settings { listen, public_addresses, ice_servers, sessions_max: limits::WEBRTC_SESSIONS_MAX };
        Ok(self.enabled.then_some(settings))
    }
}

impl IceServerEntry {
    fn read(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<IceServer, String> {
        let schemes = ["stun:", "stuns:", "turn:", "turns:"];
        // What follows goes into headers and pages as it is.
        let is_plain = self.url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"'));
        if !is_plain || !schemes.iter().any(|scheme| self.url.starts_with(scheme)) {
            return Err("webrtc.ice_servers: a url begins with stun:, turn: or turns:".into());
        }
        let credential = match &self.credential {
            Some(text) => Some(follow(text.expose(), env).map_err(|why| format!("webrtc.ice_servers: {why}"))?),
            None => None,
        };
        if self.url.starts_with("turn") && (self.username.is_none() || credential.is_none()) {
            return Err(format!("webrtc.ice_servers: {} needs username and credential", self.url));
        }
        Ok(IceServer { url: self.url.clone(), username: self.username.clone(), credential })
    }
}

/// Opens the socket, where WebRTC is switched on.
pub(crate) async fn bind(
    config: &Config,
    env: &dyn Fn(&str) -> Option<String>,
    stop: CancellationToken,
) -> anyhow::Result<Option<Gateway>> {
    let Some(settings) = config.webrtc.settings(env).map_err(anyhow::Error::msg)? else { return Ok(None) };
    let four =
        Settings { listen: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), config.webrtc.udp_port), ..settings.clone() };
    // Machines without IPv6 have no address of it to listen on.
    let bound = match Gateway::bind(settings, stop.clone()).await {
        Ok(gateway) => Ok(gateway),
        Err(_) => Gateway::bind(four, stop).await,
    };
    let gateway = bound.with_context(|| format!("webrtc.udp_port: cannot listen on {}", config.webrtc.udp_port))?;
    if let Ok(address) = gateway.local_addr() {
        tracing::info!(port = address.port(), "browsers may speak by WebRTC");
    }
    Ok(Some(gateway))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str, credential: Option<&str>) -> RtcConfig {
        let entry = IceServerEntry {
            url: url.into(),
            username: credential.map(|_| "u".into()),
            credential: credential.map(|text| Secret::new(text.into())),
        };
        RtcConfig { enabled: true, udp_port: 0, public_addresses: vec!["203.0.113.5".into()], ice_servers: vec![entry] }
    }

    #[test]
    fn a_turn_server_needs_its_password_which_may_be_a_reference() {
        let env = |name: &str| (name == "TURN").then(|| "planted".to_owned());
        let settings = server("turn:turn.example.com:3478", Some("env:TURN")).settings(&env).expect("valid");
        let settings = settings.expect("switched on");
        assert_eq!(settings.ice_servers[0].credential.as_ref().map(|text| text.expose().as_str()), Some("planted"));
        assert!(!format!("{settings:?}").contains("planted"));
        assert!(server("stun:stun.example.com", None).settings(&env).is_ok());
        for bad in [server("turn:turn.example.com", None), server("http://x", None), server("stun:a b", None)] {
            assert!(bad.settings(&env).is_err(), "{bad:?}");
        }
        let mut wrong = server("stun:stun.example.com", None);
        wrong.public_addresses = vec!["desk.example.com".into()];
        assert!(wrong.settings(&env).expect_err("no address").contains("desk.example.com is no IP address"));
        assert!(RtcConfig { enabled: false, ..server("stun:a", None) }.settings(&env).expect("valid").is_none());
    }
}
