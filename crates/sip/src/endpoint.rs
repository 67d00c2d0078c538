//! Sockets, trunks and calls of one process.

use crate::config::{Config, Transport};
use crate::dial::{self, DialError, DialPlan};
use crate::exchange::Identity;
use crate::front::Front;
use crate::guard::Guard;
use crate::moved::{Inspector, Moved};
use crate::ports::Ports;
use crate::probe::{self, Health};
use crate::reliable::Unconfirmed;
use crate::replaces::Successor;
use crate::trace::LegTap;
use crate::{inbound, registrar, websocket};
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::sip as wire;
use rsipstack::transaction::{Endpoint as Library, EndpointBuilder};
use rsipstack::transport::tcp_listener::TcpListenerConnection;
use rsipstack::transport::tls::{TlsConfig, TlsListenerConnection};
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipConnection, TransportLayer};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Requests that may be looked at at once, besides those of calls.
const REQUESTS_MAX: usize = 4_096;
const AGENT: &str = "Frontdesk";

/// Why an endpoint did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What it is configured with cannot work.
    #[error("{0}")]
    Config(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why not.
        why: String,
    },
    /// The library refuses.
    #[error("the SIP stack did not start: {0}")]
    Stack(String),
}

/// Why a wish about a call came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such call, or it has ended.
    #[error("there is no such call")]
    NoCall,
    /// The other side refused.
    #[error("the other side refused with {0}")]
    Refused(u16),
    /// It did not answer in time.
    #[error("the other side did not answer in time")]
    Timeout,
}

/// What a call is told by its owner.
pub(crate) enum Command {
    HangUp,
    Transfer { to: String, done: oneshot::Sender<Result<(), CommandError>> },
    Replace(Box<Successor>),
}

/// What all calls share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) front: Arc<dyn Front>,
    pub(crate) dialogs: Arc<DialogLayer>,
    pub(crate) ports: Ports,
    /// For calls whose keys come from a handshake.
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) guard: Guard,
    pub(crate) health: Health,
    pub(crate) moved: Moved,
    pub(crate) unconfirmed: Unconfirmed,
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) stop: CancellationToken,
    calls: Mutex<HashMap<String, mpsc::Sender<Command>>>,
    /// Calls that others have taken over, by the Call-IDs of those.
    taken: Mutex<HashMap<String, String>>,
    listens: Vec<(Transport, SocketAddr)>,
    drains: AtomicBool,
}

/// Why a call gets no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    Full,
    /// The same call is here already: its request came twice, over different ways (RFC 3261, 8.2.2.2).
    Merged,
}

/// A call's place among the others; given back when it is dropped.
pub(crate) struct Place {
    shared: Arc<Shared>,
    call_ref: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut calls = self.shared.calls();
        calls.remove(&self.call_ref);
        metrics::gauge!("frontdesk_sip_calls").set(calls.len() as f64);
        let taken: Vec<_> = self.shared.taken().extract_if(|_, call_ref| *call_ref == self.call_ref).collect();
        if let Some(tap) = &self.shared.config.tap {
            tap.close(&self.call_ref, taken.into_iter().map(|(call_id, _)| call_id).collect());
        }
    }
}

impl Shared {
    fn calls(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Command>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a call, exactly as many as are configured.
    pub(crate) fn place(self: &Arc<Self>, call_ref: &str, commands: mpsc::Sender<Command>) -> Result<Place, NoPlace> {
        let mut calls = self.calls();
        if calls.contains_key(call_ref) {
            return Err(NoPlace::Merged);
        }
        if calls.len() >= self.config.calls_max || self.drains.load(Ordering::Relaxed) {
            return Err(NoPlace::Full);
        }
        calls.insert(call_ref.to_owned(), commands);
        metrics::gauge!("frontdesk_sip_calls").set(calls.len() as f64);
        if let Some(tap) = &self.config.tap {
            tap.open(call_ref);
        }
        Ok(Place { shared: Arc::clone(self), call_ref: call_ref.to_owned() })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, call_ref: &str) -> Result<mpsc::Sender<Command>, CommandError> {
        self.calls().get(call_ref).cloned().ok_or(CommandError::NoCall)
    }

    /// The call that a dialog with this Call-ID belongs to.
    pub(crate) fn command_of(&self, call_id: &str) -> Result<mpsc::Sender<Command>, CommandError> {
        let taken = self.taken().get(call_id).cloned();
        self.command(taken.as_deref().unwrap_or(call_id))
    }

    /// A dialog with this Call-ID belongs to that call, too, until the call is over.
    pub(crate) fn also(&self, call_id: &str, call_ref: &str) {
        let is_new = self.taken().insert(call_id.to_owned(), call_ref.to_owned()).is_none();
        if let Some(tap) = self.config.tap.as_ref().filter(|_| is_new) {
            tap.open_within(call_id, call_ref);
        }
    }

    pub(crate) fn leg_tap(&self, call_ref: &str, ip: IpAddr) -> Option<LegTap> {
        self.config.tap.as_ref().map(|tap| tap.leg(call_ref, ip))
    }

    /// The address by which a peer reaches us.
    pub(crate) fn ip_towards(&self, peer: IpAddr) -> IpAddr {
        self.config.public_ip.or_else(|| crate::ports::towards(SocketAddr::new(peer, 5060))).unwrap_or(peer)
    }

    /// Where to bind audio for a peer.
    pub(crate) fn bind_ip(&self, peer: IpAddr) -> IpAddr {
        let any: IpAddr = if peer.is_ipv6() { [0u16; 8].into() } else { [0, 0, 0, 0].into() };
        let listened = self.listens.iter().map(|(_, address)| address.ip());
        let same = listened.filter(|ip| ip.is_ipv6() == peer.is_ipv6()).find(|ip| !ip.is_unspecified());
        same.unwrap_or(any)
    }

    /// How a peer addresses requests within a call to us.
    pub(crate) fn contact(&self, user: &str, ip: IpAddr, transport: wire::Transport) -> wire::Uri {
        let same = |one: &&(Transport, SocketAddr)| library_transport(one.0) == transport;
        let port = self.listens.iter().find(same).map_or(5060, |(_, address)| address.port());
        let mut params = Vec::new();
        match transport {
            wire::Transport::Udp => {}
            wire::Transport::Wss => params.push(wire::Param::Transport(wire::Transport::Ws)),
            other => params.push(wire::Param::Transport(other)),
        }
        wire::Uri {
            scheme: Some(wire::Scheme::Sip),
            auth: Some(wire::Auth { user: user.to_owned(), password: None }),
            host_with_port: SocketAddr::new(ip, port).into(),
            params,
            headers: Vec::new(),
        }
    }
}

pub(crate) fn library_transport(transport: Transport) -> wire::Transport {
    match transport {
        Transport::Udp => wire::Transport::Udp,
        Transport::Tcp => wire::Transport::Tcp,
        Transport::Tls => wire::Transport::Tls,
        Transport::Ws => wire::Transport::Ws,
        Transport::Wss => wire::Transport::Wss,
    }
}

/// A SIP endpoint. Dropping it closes its sockets.
pub struct Endpoint {
    shared: Arc<Shared>,
    _library: Library,
}

impl Endpoint {
    /// Listens, registers, and takes calls for `front` from now on.
    ///
    /// # Errors
    /// When the configuration cannot work or an address cannot be listened on.
    pub async fn start(config: Config, front: Arc<dyn Front>) -> Result<Self, StartError> {
        config.check().map_err(StartError::Config)?;
        // The library enables another provider too, and with two the first handshake would panic for want of a choice.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default(); // The program may have chosen already.
        let stop = CancellationToken::new();
        let layer = TransportLayer::new(stop.clone());
        let (listens, sockets) = listen(&config, &layer, &stop).await?;
        if let Some(tap) = &config.tap {
            tap.listens_at(&listens, config.public_ip);
        }
        let moved = Moved::default();
        let library = EndpointBuilder::new()
            .with_user_agent(AGENT)
            .with_inspector(Box::new(Inspector { moved: moved.clone(), tap: config.tap.clone() }))
            .with_cancel_token(stop.clone())
            .with_transport_layer(layer)
            .build();
        let incoming = library.incoming_transactions().map_err(|error| StartError::Stack(error.to_string()))?;
        let shared = Arc::new(Shared {
            ports: Ports::new(&config.rtp_ports),
            identity: Identity::new().map(Arc::new),
            guard: Guard::new(&config.trunks),
            health: Health::default(),
            moved,
            unconfirmed: Unconfirmed::default(),
            front,
            dialogs: Arc::new(DialogLayer::new(library.inner.clone())),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            stop: stop.clone(),
            calls: Mutex::default(),
            taken: Mutex::default(),
            listens,
            drains: AtomicBool::new(false),
            config,
        });
        let serving = library.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = serving.serve().await {
                tracing::error!(%error, "the SIP endpoint stopped");
            }
        });
        for listener in sockets {
            tokio::spawn(listener.serve(library.inner.clone(), stop.child_token()));
        }
        tokio::spawn(inbound::serve(Arc::clone(&shared), incoming));
        registrar::start(&shared).await;
        probe::start(&shared);
        Ok(Self { shared, _library: library })
    }

    /// Where it listens.
    pub fn listens(&self) -> &[(Transport, SocketAddr)] {
        &self.shared.listens
    }

    /// Calls at this moment.
    pub fn calls(&self) -> usize {
        self.shared.calls().len()
    }

    /// Whether a trunk answered when it was asked last; also when it is never asked.
    pub fn is_trunk_up(&self, trunk: &str) -> bool {
        self.shared.health.is_up(trunk)
    }

    /// Takes no new calls from now on.
    pub fn drain(&self) {
        self.shared.drains.store(true, Ordering::Relaxed);
    }

    /// Places a call, and returns as soon as it is on its way. What becomes of it is reported.
    ///
    /// # Errors
    /// When it was certainly not placed.
    pub async fn dial(&self, plan: DialPlan) -> Result<(), DialError> {
        dial::dial(&self.shared, plan).await
    }

    /// Ends a call, or calls it off while it rings.
    ///
    /// # Errors
    /// When there is no such call.
    pub async fn hang_up(&self, call_ref: &str) -> Result<(), CommandError> {
        self.shared.command(call_ref)?.send(Command::HangUp).await.map_err(|_| CommandError::NoCall)
    }

    /// Connects the other side with somebody else (RFC 3515) and leaves the call when that has worked.
    ///
    /// # Errors
    /// When the other side refuses or does not answer; then the call goes on.
    pub async fn transfer(&self, call_ref: &str, to: &str) -> Result<(), CommandError> {
        let (done, result) = oneshot::channel();
        let transfer = Command::Transfer { to: to.to_owned(), done };
        self.shared.command(call_ref)?.send(transfer).await.map_err(|_| CommandError::NoCall)?;
        result.await.map_err(|_| CommandError::NoCall)?
    }

    /// Ends all calls and gives registrations back.
    pub async fn stop(&self) {
        self.drain();
        let calls: Vec<_> = self.shared.calls().values().cloned().collect();
        for call in calls {
            let _ = call.send(Command::HangUp).await; // It may have ended.
        }
        registrar::stop(&self.shared).await;
        self.shared.stop.cancel();
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

async fn listen(
    config: &Config,
    layer: &TransportLayer,
    stop: &CancellationToken,
) -> Result<(Vec<(Transport, SocketAddr)>, Vec<websocket::Listener>), StartError> {
    let (mut listens, mut sockets) = (Vec::new(), Vec::new());
    let tls = TlsConfig {
        cert: config.certificate.as_ref().map(|one| one.chain.clone()),
        key: config.certificate.as_ref().map(|one| one.key.expose().clone()),
        ca_certs: config.authorities.clone(),
        ..TlsConfig::default()
    };
    for one in &config.listen {
        let refused = |why: String| StartError::Listen { address: one.address, why };
        let external = config.public_ip.map(|ip| SocketAddr::new(ip, one.address.port()));
        let connection = match one.transport {
            Transport::Udp => {
                let made = UdpConnection::create_connection(one.address, external, Some(stop.child_token())).await;
                SipConnection::Udp(made.map_err(|error| refused(error.to_string()))?)
            }
            Transport::Tcp => {
                try_to_listen(one.address).map_err(refused)?;
                let made = TcpListenerConnection::new(one.address, external).await;
                SipConnection::TcpListener(made.map_err(|error| refused(error.to_string()))?)
            }
            Transport::Tls => {
                try_to_listen(one.address).map_err(refused)?;
                let made = TlsListenerConnection::new(one.address, external, tls.clone()).await;
                SipConnection::TlsListener(made.map_err(|error| refused(error.to_string()))?)
            }
            Transport::Ws | Transport::Wss => {
                let certificate = config.certificate.as_ref();
                let bound = websocket::Listener::bind(one.transport, one.address, external, certificate).await;
                let (listener, address) = bound.map_err(refused)?;
                listens.push((one.transport, address));
                sockets.push(listener);
                continue;
            }
        };
        let port = connection.get_addr().get_socketaddr().map_or(one.address.port(), |address| address.port());
        listens.push((one.transport, SocketAddr::new(one.address.ip(), port)));
        layer.add_transport(connection);
    }
    layer.set_tls_config(tls);
    Ok((listens, sockets))
}

/// The library listens later and only warns when it cannot.
fn try_to_listen(address: SocketAddr) -> Result<(), String> {
    std::net::TcpListener::bind(address).map(drop).map_err(|error| error.to_string())
}
