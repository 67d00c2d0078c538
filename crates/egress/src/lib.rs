//! The only way out: HTTP, WebSocket and gRPC requests to providers, carriers and whatever businesses configure.
//!
//! Every request has a deadline and a size cap, follows no redirect, uses no proxy, and goes only where its [`Policy`]
//! lets it. Failures are [`base::Failure`]s whose text holds neither a credential nor personal data.
//!
//! **Must not know**: any vendor, any protocol above HTTP, WebSocket and gRPC, retries (whoever asked decides).
//!
//! Start reading at [`Egress`], then [`address`] (where a request may go).

pub mod address;
mod failure;
mod grpc;
mod http;
mod socket;
mod tls;

pub use address::Policy;
pub use grpc::GrpcCall;
pub use http::{ByteStream, Response, Unanswered};
pub use socket::{Refusal, Socket, SocketReceiver, SocketSender, UpgradeError};
pub use tls::install_crypto;

use address::Checked;
use base::Failure;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;

/// How the way out is configured.
#[derive(Clone, Debug)]
pub struct EgressConfig {
    /// Where requests may go.
    pub policy: Policy,
    /// What we call ourselves.
    pub user_agent: String,
    /// Authorities trusted beside the machine's own, DER: a company's own, for services inside its network.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl EgressConfig {
    /// The usual configuration for this policy.
    pub fn new(policy: Policy) -> Self {
        let user_agent = concat!("frontdesk/", env!("CARGO_PKG_VERSION")).into();
        Self { policy, user_agent, extra_roots: Vec::new() }
    }
}

/// The way out, under one policy. Share it: connections are reused.
#[derive(Clone, Debug)]
pub struct Egress {
    config: EgressConfig,
    /// TLS for sockets, or why there is none; plain loopback works without.
    socket_tls: Result<Arc<ClientConfig>, Failure>,
    grpc_tls: Result<Arc<ClientConfig>, Failure>,
    grpc_pool: grpc::Pool,
    encrypted: Result<reqwest::Client, Failure>,
    plain: Result<reqwest::Client, Failure>,
}

impl Egress {
    /// A way out. Never fails: a machine without trusted certificates can still reach loopback, and a request that needs
    /// TLS says what is missing.
    pub fn new(config: EgressConfig) -> Self {
        // Reading the machine's certificates takes long; what differs is only what is offered to speak.
        let tls = tls::client_config(&config.extra_roots);
        let speaking = |protocols: &[&[u8]]| {
            tls.clone().map(|mut tls| {
                tls.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
                tls
            })
        };
        let http_tls = speaking(&[b"h2", b"http/1.1"]);
        let socket_tls = speaking(&[b"http/1.1"]).map(Arc::new);
        let grpc_tls = speaking(&[b"h2"]).map(Arc::new);
        let encrypted = http_tls.and_then(|tls| http::client(&config, Checked::for_tls(config.policy), Some(tls)));
        let plain = http::client(&config, Checked::for_plain(config.policy), None);
        Self { config, socket_tls, grpc_tls, grpc_pool: grpc::Pool::default(), encrypted, plain }
    }

    /// Whether an address could be asked, as far as it tells by itself: nobody is asked, and no name looked up.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check_url(&self, url: &str) -> Result<(), Failure> {
        address::Target::parse(self.config.policy, url, ("http", "https")).map(drop)
    }

    /// Where requests of this way out may go.
    pub fn policy(&self) -> Policy {
        self.config.policy
    }
}
