//! From where a request comes, and from where a business may be reached.

use crate::{Access, App};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;
use std::net::IpAddr;

/// The address at the other end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Who really asks. Behind a proxy that is believed, that is the last address it has written: those before it are whatever
/// the client wrote itself.
pub(crate) fn client_address(access: &Access, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
    let peer = extensions.get::<Peer>().map(|peer| peer.0.to_canonical());
    if !access.trust_proxy {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).next_back();
    let last = forwarded.and_then(|value| value.rsplit(',').next()).map(str::trim);
    last.and_then(read_address).or(peer)
}

/// From where a request comes, as a part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self(client_address(&app.access, &parts.headers, &parts.extensions)))
    }
}

/// An address as proxies write it, perhaps with a port.
fn read_address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    plain.or_else(with_port).map(|address| address.to_canonical())
}

/// Reads a network in CIDR notation, or a single address.
///
/// # Errors
/// What is wrong with it.
pub fn read_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| format!("{text}: not a network such as 192.0.2.0/24 or 2001:db8::/32"))?;
    Ok(network.trunc())
}

/// Whether an address lies in one of the networks. No network at all means everywhere; an address that is not known lies
/// nowhere.
pub(crate) fn is_within(networks: &[String], address: Option<IpAddr>) -> bool {
    let lies_in = |text: &String| {
        address.is_some_and(|address| read_network(text).is_ok_and(|network| network.contains(&address)))
    };
    networks.is_empty() || networks.iter().any(lies_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(trust_proxy: bool, forwarded: &str) -> Option<String> {
        let access = Access { trust_proxy, ..Access::default() };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().expect("a header"));
        let mut extensions = Extensions::new();
        extensions.insert(Peer("::ffff:10.0.0.1".parse().expect("an address")));
        client_address(&access, &headers, &extensions).map(|address| address.to_string())
    }

    #[test]
    fn only_the_last_address_of_a_proxy_that_is_believed_counts() {
        assert_eq!(from(false, "192.0.2.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(from(true, "203.0.113.9, 192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(from(true, "192.0.2.1:4711").as_deref(), Some("192.0.2.1"));
        assert_eq!(from(true, "[2001:db8::1]:4711").as_deref(), Some("2001:db8::1"));
        assert_eq!(from(true, "unknown").as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn an_address_list_lets_in_its_networks_and_nobody_of_unknown_origin() {
        let list: Vec<String> = ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"].map(Into::into).to_vec();
        let within = |text: &str| is_within(&list, Some(text.parse().expect("an address")));
        assert!(within("192.0.2.200") && within("2001:db8:1::1") && within("198.51.100.7"));
        assert!(!within("192.0.3.1") && !within("2001:db9::1") && !within("198.51.100.8"));
        assert!(!is_within(&list, None));
        assert!(is_within(&[], None));
        assert_eq!(read_network("192.0.2.9/24").map(|network| network.to_string()), Ok("192.0.2.0/24".into()));
        assert!(read_network("192.0.2.0/33").is_err() && read_network("a").is_err());
    }
}
