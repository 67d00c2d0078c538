//! Where a request may go.
//!
//! An address is checked after the name is resolved, every one of them, and the connection is made to the address that
//! was checked: a name that answers differently the second time gains nothing.

use crate::failure;
use base::{Failure, Millis};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::{Host, Url};

/// Who chose the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The operator of this installation, in its configuration: TLS anywhere, or plain on loopback.
    Operator,
    /// Another node of this installation, which wrote its address into the database: TLS anywhere, or plain on loopback and in
    /// private networks (RFC 1918, RFC 4193).
    Peer,
    /// A business, in its settings: TLS to public addresses. What is closed and what is forbidden look the same, so that
    /// nobody can map our network.
    Tenant,
}

/// What every address of a name must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    Anywhere,
    Loopback,
    /// Loopback and private networks.
    Inside,
    Public,
}

impl Checked {
    pub(crate) const fn for_tls(policy: Policy) -> Self {
        match policy {
            Policy::Operator | Policy::Peer => Self::Anywhere,
            Policy::Tenant => Self::Public,
        }
    }

    pub(crate) const fn for_plain(policy: Policy) -> Self {
        match policy {
            Policy::Peer => Self::Inside,
            Policy::Operator | Policy::Tenant => Self::Loopback,
        }
    }

    pub(crate) fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Loopback => address.is_loopback(),
            Self::Inside => address.is_loopback() || is_private(address),
            Self::Public => is_public(address),
        }
    }
}

/// A URL that the policy lets us try.
#[derive(Debug)]
pub(crate) struct Target {
    pub url: Url,
    pub encrypted: bool,
    pub checked: Checked,
    pub host: Host<String>,
    pub port: u16,
}

impl Target {
    /// Reads a URL of one of the two schemes (plain and encrypted) and checks all that can be checked without asking the
    /// name service.
    pub(crate) fn parse(policy: Policy, url: &str, schemes: (&str, &str)) -> Result<Self, Failure> {
        let url = Url::parse(url).map_err(|_| failure::invalid("the address is not a URL"))?;
        let encrypted = url.scheme() == schemes.1;
        if !encrypted && url.scheme() != schemes.0 {
            return Err(failure::invalid(format!("the address must begin with {}://", schemes.1)));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(failure::invalid("the address must not hold a user name or password"));
        }
        let host = url.host().ok_or_else(|| failure::invalid("the address names no host"))?.to_owned();
        let port = url.port_or_known_default().unwrap_or(if encrypted { 443 } else { 80 });
        let checked = if encrypted { Checked::for_tls(policy) } else { Checked::for_plain(policy) };
        if policy == Policy::Tenant && !encrypted {
            return Err(failure::invalid(format!("the address must begin with {}://", schemes.1)));
        }
        let allowed = match &host {
            Host::Ipv4(address) => checked.allows(IpAddr::V4(*address)),
            Host::Ipv6(address) => checked.allows(IpAddr::V6(*address)),
            Host::Domain(name) => checked != Checked::Public || is_public_name(name),
        };
        if !allowed {
            return Err(forbidden(checked));
        }
        Ok(Self { url, encrypted, checked, host, port })
    }

    /// The addresses of the host, each of them allowed.
    pub(crate) async fn resolve(&self, deadline: Millis) -> Result<Vec<SocketAddr>, Failure> {
        match &self.host {
            Host::Ipv4(address) => Ok(vec![SocketAddr::new(IpAddr::V4(*address), self.port)]),
            Host::Ipv6(address) => Ok(vec![SocketAddr::new(IpAddr::V6(*address), self.port)]),
            Host::Domain(name) => {
                let lookup = resolve_name(name, self.port, self.checked);
                tokio::time::timeout(deadline.to_duration(), lookup)
                    .await
                    .unwrap_or_else(|_| Err(failure::timeout(self.checked, "looking up the host", deadline)))
            }
        }
    }
}

/// Resolves a name; one address that is not allowed forbids the name, because a name with both is an attack.
pub(crate) async fn resolve_name(name: &str, port: u16, checked: Checked) -> Result<Vec<SocketAddr>, Failure> {
    let found = tokio::net::lookup_host((name, port)).await;
    let addresses: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
    if addresses.is_empty() {
        return Err(failure::unreachable(checked, "the host has no address"));
    }
    if addresses.iter().all(|address| checked.allows(address.ip())) { Ok(addresses) } else { Err(forbidden(checked)) }
}

fn forbidden(checked: Checked) -> Failure {
    match checked {
        Checked::Loopback => failure::invalid("plain http and ws are for loopback only; use https or wss"),
        Checked::Inside => failure::invalid("plain http is for loopback and private networks only; use https"),
        Checked::Public | Checked::Anywhere => failure::unreachable(checked, "the address is not allowed"),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

/// Whether a name may be asked for at all on behalf of a business. Names without a dot and names of local networks are
/// resolved by our own network's name service, which is nobody else's business.
fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let local = ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "arpa"];
    name.rsplit_once('.').is_some_and(|(_, last)| !local.contains(&last))
}

/// Whether an address belongs to the public internet, by the special-purpose registries of IANA (RFC 6890 and its
/// updates) and the addresses at which clouds serve the secrets of their machines.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// (network, prefix length): everything that is not an ordinary public address.
const SPECIAL_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // carrier-grade NAT, some clouds' metadata
    ([127, 0, 0, 0], 8),      // loopback
    ([168, 63, 129, 16], 32), // a cloud's own machine service on a public address
    ([169, 254, 0, 0], 16),   // link-local, most clouds' metadata
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 31, 196, 0], 24),  // AS112
    ([192, 52, 193, 0], 24),  // multicast tunnels
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([192, 175, 48, 0], 24),  // AS112
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, broadcast
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !SPECIAL_V4.iter().any(|(network, prefix)| (bits ^ u32::from(Ipv4Addr::from(*network))) >> (32 - prefix) == 0)
}

/// (network, prefix length) within global unicast, 2000::/3.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: carries any IPv4 address
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    // An IPv6-only network reaches IPv4 through 64:ff9b::/96 (RFC 6052): what is behind it counts.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    }
    let bits = u128::from(address);
    let global_unicast = bits >> 125 == 1;
    global_unicast && !SPECIAL_V6.iter().any(|(network, prefix)| (bits ^ u128::from(*network)) >> (128 - prefix) == 0)
}
