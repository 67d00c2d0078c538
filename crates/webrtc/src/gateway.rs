//! One UDP socket for all sessions, and a task for each.
//!
//! A connectivity check names its session (RFC 8445, 7.2.2); other datagrams are told apart by where they come from. An
//! address belongs to a session once that session has answered there, which it only does when the check was signed with its
//! password: so no stranger's datagram leads anything away. A session that panics or is flooded takes no other one with it.

use crate::offer::{FragmentError, Identity, OfferError};
use crate::session::{Cause, Output, Session};
use crate::settings::{IceServer, Settings};
use base::limits;
use base::wire::Wire;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use str0m::ice::StunMessage;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, PollSender};
use uuid::Uuid;

/// What a session hands to the call host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A text message.
    Text(String),
    /// One frame: 16-bit little-endian mono at 16 kHz.
    Audio(Vec<u8>),
}

/// The call host's end of a session: bounded queues of whole messages. Dropping it closes the session.
pub struct Line {
    incoming: mpsc::Receiver<Received>,
    outgoing: PollSender<Wire>,
}

impl Line {
    /// The next message; `None` when the session is over.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        self.incoming.poll_recv(cx)
    }

    /// Whether another message can be taken; `false`: the session is over.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.outgoing.poll_reserve(cx).map(|reserved| reserved.is_ok())
    }

    /// Takes a message, after [`Self::poll_ready`]; `false`: the session is over.
    pub fn start_send(&mut self, message: Wire) -> bool {
        self.outgoing.send_item(message).is_ok()
    }
}

/// A session that waits for its peer.
pub struct Opened {
    /// Names the session; whoever knows it may change it.
    pub id: Uuid,
    /// The answer, an SDP.
    pub answer: String,
    /// Names the ICE session within it, as an entity tag without quotes.
    pub etag: String,
    /// For the call host.
    pub line: Line,
}

/// Why no session was opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// All sessions are taken, or the gateway is stopping.
    #[error("all sessions over WebRTC are taken")]
    Busy,
    /// The offer was not accepted.
    #[error(transparent)]
    Offer(#[from] OfferError),
}

/// Why a change of a session was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrickleError {
    /// There is no such session, or it is somebody else's.
    #[error("there is no such session")]
    NotFound,
    /// The entity tag is that of another ICE session.
    #[error("the entity tag is not that of this session")]
    Stale,
    /// A new ICE session was asked for.
    #[error("a session is not restarted: send a new offer")]
    Restart,
    /// More addresses than a peer has.
    #[error("more than {} candidates", limits::WEBRTC_CANDIDATES_MAX)]
    TooMany,
}

enum Request {
    Candidates(String, oneshot::Sender<Result<(), FragmentError>>),
    Withdraw,
}

/// What the gateway keeps of a session for requests about it.
struct Handle {
    door: String,
    etag: String,
    requests: mpsc::Sender<Request>,
}

/// What the reading task keeps of a session.
#[derive(Clone)]
struct Inbox {
    id: Uuid,
    datagrams: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    /// Milliseconds since the gateway began at which the session last heard something authentic.
    heard_ms: Arc<AtomicU64>,
}

enum Route {
    Opened { ufrag: String, inbox: Inbox },
    Bound { id: Uuid, address: SocketAddr },
    Ended { id: Uuid, ufrag: String },
}

struct Shared {
    socket: UdpSocket,
    is_six: bool,
    settings: Settings,
    identity: Identity,
    began: Instant,
    routes: mpsc::Sender<Route>,
    sessions: Mutex<HashMap<Uuid, Handle>>,
    stop: CancellationToken,
}

/// See the module. Clones are the same gateway.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

impl Gateway {
    /// Binds the socket and begins to read it, until `stop`.
    ///
    /// # Errors
    /// When the socket cannot be bound, or no address of it can be told to browsers.
    pub async fn bind(settings: Settings, stop: CancellationToken) -> std::io::Result<Self> {
        let socket = UdpSocket::bind(settings.listen).await?;
        let bound = socket.local_addr()?;
        let candidates = settings.candidates(bound);
        let identity = Identity::new(candidates).map_err(std::io::Error::other)?;
        let (routes, routed) = mpsc::channel(limits::WEBRTC_ROUTES_MAX);
        let shared = Arc::new(Shared {
            socket,
            is_six: bound.is_ipv6(),
            settings,
            identity,
            began: Instant::now(),
            routes,
            sessions: Mutex::new(HashMap::new()),
            stop,
        });
        tokio::spawn(Reader::new(Arc::clone(&shared), routed).run());
        Ok(Self { shared })
    }

    /// The STUN and TURN servers for browsers.
    pub fn ice_servers(&self) -> &[IceServer] {
        &self.shared.settings.ice_servers
    }

    /// Where the socket is bound.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.shared.socket.local_addr()
    }

    /// Sessions now.
    pub fn sessions(&self) -> usize {
        self.shared.sessions().len()
    }

    /// Answers an offer with a new session. Only requests that name the same `door` reach it later.
    ///
    /// # Errors
    /// When all sessions are taken or the offer cannot be accepted.
    pub async fn open(&self, door: &str, offer: &str) -> Result<Opened, OpenError> {
        let shared = &self.shared;
        if shared.stop.is_cancelled() || self.sessions() >= shared.settings.sessions_max {
            return Err(OpenError::Busy);
        }
        let (session, answer) = Session::accept(shared.identity.clone(), Instant::now(), offer)?;
        let id = Uuid::new_v4();
        let etag = Uuid::new_v4().simple().to_string();
        let ufrag = session.ufrag().to_owned();
        let (requests, asked) = mpsc::channel(limits::WEBRTC_REQUESTS_MAX);
        let (to_session, datagrams) = mpsc::channel(limits::WEBRTC_DATAGRAMS_MAX);
        let (to_host, incoming) = mpsc::channel(limits::AUDIO_IN_FRAMES_MAX + limits::WEBRTC_TEXTS_IN_MAX);
        let (outgoing, from_host) = mpsc::channel(limits::AUDIO_IN_FRAMES_MAX * 2);
        let heard_ms = Arc::new(AtomicU64::new(0));
        let inbox = Inbox { id, datagrams: to_session, heard_ms: Arc::clone(&heard_ms) };
        shared.sessions().insert(id, Handle { door: door.to_owned(), etag: etag.clone(), requests });
        // Registered before the answer leaves, so that the first check finds its session.
        let guard = Guard { shared: Arc::clone(shared), id, ufrag: ufrag.clone() };
        if shared.routes.send(Route::Opened { ufrag, inbox }).await.is_err() {
            return Err(OpenError::Busy);
        }
        let task = SessionTask { guard, session, datagrams, asked, to_host, from_host, heard_ms, bound: Vec::new() };
        tokio::spawn(task.run());
        Ok(Opened { id, answer, etag, line: Line { incoming, outgoing: PollSender::new(outgoing) } })
    }

    /// Tells a session addresses that its peer has found (RFC 8840). `etag` is what [`Opened::etag`] said.
    ///
    /// # Errors
    /// Says why nothing has changed.
    pub async fn trickle(&self, door: &str, id: Uuid, etag: &str, fragment: &str) -> Result<(), TrickleError> {
        let requests = {
            let sessions = self.shared.sessions();
            let handle = sessions.get(&id).filter(|handle| handle.door == door).ok_or(TrickleError::NotFound)?;
            if handle.etag != etag {
                return Err(TrickleError::Stale);
            }
            handle.requests.clone()
        };
        let (reply, replied) = oneshot::channel();
        let asked = requests.try_send(Request::Candidates(fragment.to_owned(), reply));
        asked.map_err(|_| TrickleError::TooMany)?;
        let deadline = Duration::from_millis(limits::WEBRTC_REQUEST_MS_MAX);
        match tokio::time::timeout(deadline, replied).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(FragmentError::Restart))) => Err(TrickleError::Restart),
            Ok(Ok(Err(FragmentError::TooMany))) => Err(TrickleError::TooMany),
            Ok(Err(_)) | Err(_) => Err(TrickleError::NotFound),
        }
    }

    /// Ends a session because its peer wants that; `false` when there is none.
    pub fn close(&self, door: &str, id: Uuid) -> bool {
        let sessions = self.shared.sessions();
        let Some(handle) = sessions.get(&id).filter(|handle| handle.door == door) else { return false };
        // A session with that many requests ends by its own timers.
        let _ = handle.requests.try_send(Request::Withdraw);
        true
    }
}

impl Shared {
    fn sessions(&self) -> MutexGuard<'_, HashMap<Uuid, Handle>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Sends without waiting: what the system does not take now would come too late.
    fn send(&self, to: SocketAddr, datagram: &[u8]) {
        let to = match to {
            SocketAddr::V4(four) if self.is_six => SocketAddr::new(IpAddr::V6(four.ip().to_ipv6_mapped()), four.port()),
            other => other,
        };
        if self.socket.try_send_to(datagram, to).is_err() {
            metrics::counter!("frontdesk_webrtc_datagrams_dropped_total", "reason" => "unsent").increment(1);
        }
    }
}

/// Takes a session out of the lists, however its task ends.
struct Guard {
    shared: Arc<Shared>,
    id: Uuid,
    ufrag: String,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.sessions().remove(&self.id);
        let route = Route::Ended { id: self.id, ufrag: std::mem::take(&mut self.ufrag) };
        // Full at the very moment: the reading task finds the closed inbox and cleans up itself.
        let _ = self.shared.routes.try_send(route);
    }
}

/// Reads the socket and finds the session of each datagram.
struct Reader {
    shared: Arc<Shared>,
    routed: mpsc::Receiver<Route>,
    by_ufrag: HashMap<String, Inbox>,
    by_address: HashMap<SocketAddr, Inbox>,
}

impl Reader {
    fn new(shared: Arc<Shared>, routed: mpsc::Receiver<Route>) -> Self {
        Self { shared, routed, by_ufrag: HashMap::new(), by_address: HashMap::new() }
    }

    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut buffer = vec![0; limits::WEBRTC_DATAGRAM_BYTES_MAX];
        loop {
            tokio::select! {
                biased;
                () = shared.stop.cancelled() => return,
                route = self.routed.recv() => match route {
                    Some(route) => self.learn(route),
                    None => return,
                },
                received = shared.socket.recv_from(&mut buffer) => match received {
                    Ok((length, source)) => self.deliver(source, &buffer[..length]),
                    // Some systems report what a peer refused at the next read; it says nothing about the others.
                    Err(error) => tracing::debug!(%error, "a datagram could not be read"),
                },
            }
        }
    }

    fn learn(&mut self, route: Route) {
        match route {
            Route::Opened { ufrag, inbox } => {
                self.by_ufrag.insert(ufrag, inbox);
            }
            Route::Bound { id, address } => self.bind(id, address),
            Route::Ended { id, ufrag } => {
                self.by_ufrag.remove(&ufrag);
                self.by_address.retain(|_, inbox| inbox.id != id);
            }
        }
    }

    /// A peer that comes back from the same address with a new session takes it along; one that only pretends to be there
    /// does not, as long as the other one is heard.
    fn bind(&mut self, id: Uuid, address: SocketAddr) {
        let Some(inbox) = self.by_ufrag.values().find(|inbox| inbox.id == id) else { return };
        let now = self.shared.now_ms();
        let is_held = self.by_address.get(&address).is_some_and(|holder| {
            let heard = holder.heard_ms.load(Ordering::Relaxed);
            holder.id != id
                && !holder.datagrams.is_closed()
                && now.saturating_sub(heard) < limits::WEBRTC_ADDRESS_HELD_MS
        });
        if !is_held {
            self.by_address.insert(address, inbox.clone());
        }
    }

    fn deliver(&mut self, source: SocketAddr, datagram: &[u8]) {
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        let inbox = match addressed_to(datagram) {
            Some(ufrag) => self.by_ufrag.get(&ufrag),
            None => self.by_address.get(&source),
        };
        let dropped = match inbox {
            None => "unknown",
            Some(inbox) => match inbox.datagrams.try_send((source, datagram.to_vec())) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(_)) => "full",
                Err(mpsc::error::TrySendError::Closed(_)) => {
                    let id = inbox.id;
                    self.by_ufrag.retain(|_, inbox| inbox.id != id);
                    self.by_address.retain(|_, inbox| inbox.id != id);
                    "ended"
                }
            },
        };
        metrics::counter!("frontdesk_webrtc_datagrams_dropped_total", "reason" => dropped).increment(1);
    }
}

/// Our half of the user name in a connectivity check; `None` for any other datagram.
pub fn addressed_to(datagram: &[u8]) -> Option<String> {
    // RFC 7983, 7: STUN begins with a byte below 4.
    if datagram.first().is_none_or(|first| *first >= 4) {
        return None;
    }
    StunMessage::parse(datagram).ok()?.split_username().map(|(ours, _)| ours.to_owned())
}

/// Drives one session.
struct SessionTask {
    guard: Guard,
    session: Session,
    datagrams: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
    asked: mpsc::Receiver<Request>,
    to_host: mpsc::Sender<Received>,
    from_host: mpsc::Receiver<Wire>,
    heard_ms: Arc<AtomicU64>,
    /// Addresses that the reading task knows to be ours.
    bound: Vec<SocketAddr>,
}

impl SessionTask {
    async fn run(mut self) {
        let shared = Arc::clone(&self.guard.shared);
        metrics::gauge!("frontdesk_webrtc_sessions").increment(1.0);
        let mut host_is_there = true;
        let cause = loop {
            if let Some(cause) = self.perform(&shared) {
                break cause;
            }
            let deadline = tokio::time::Instant::from_std(self.session.next_deadline());
            tokio::select! {
                biased;
                () = shared.stop.cancelled() => break Cause::Host,
                () = tokio::time::sleep_until(deadline) => self.session.handle_timeout(Instant::now()),
                message = self.from_host.recv(), if host_is_there => match message {
                    Some(message) => self.session.handle_host(Instant::now(), message),
                    None => {
                        host_is_there = false;
                        self.session.host_gone(Instant::now());
                    }
                },
                Some(request) = self.asked.recv() => match request {
                    Request::Candidates(text, reply) => {
                        let _ = reply.send(self.session.add_candidates(Instant::now(), &text));
                    }
                    Request::Withdraw => self.session.withdraw(Instant::now()),
                },
                Some((source, datagram)) = self.datagrams.recv() => {
                    if self.session.handle_datagram(Instant::now(), source, &datagram) {
                        self.heard_ms.store(shared.now_ms(), Ordering::Relaxed);
                    }
                }
            }
        };
        self.account(cause);
    }

    /// Does what the session wants; says when it is over.
    fn perform(&mut self, shared: &Shared) -> Option<Cause> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send { to, datagram } => {
                    self.bind(shared, to);
                    shared.send(to, &datagram);
                }
                Output::Text(text) => {
                    if self.to_host.try_send(Received::Text(text)).is_err() && !self.to_host.is_closed() {
                        return Some(Cause::Overflow);
                    }
                }
                Output::Audio(bytes) => {
                    // Frames leave room for words: a host that is held up loses sound, not meaning.
                    let has_room = self.to_host.capacity() > limits::WEBRTC_TEXTS_IN_MAX;
                    if !has_room || self.to_host.try_send(Received::Audio(bytes)).is_err() {
                        metrics::counter!("frontdesk_webrtc_frames_total", "kind" => "late").increment(1);
                    }
                }
                Output::Ended(cause) => return Some(cause),
            }
        }
        None
    }

    fn bind(&mut self, shared: &Shared, address: SocketAddr) {
        if self.bound.contains(&address) {
            return;
        }
        if self.bound.len() >= limits::WEBRTC_CANDIDATES_MAX {
            self.bound.remove(0);
        }
        // Full: the peer's next check tries again.
        if shared.routes.try_send(Route::Bound { id: self.guard.id, address }).is_ok() {
            self.bound.push(address);
        }
    }

    fn account(&self, cause: Cause) {
        let quality = self.session.quality();
        let frames = |kind: &'static str, count: u64| {
            metrics::counter!("frontdesk_webrtc_frames_total", "kind" => kind).increment(count);
        };
        frames("played", quality.played);
        frames("recovered", quality.recovered);
        frames("concealed", quality.concealed);
        frames("overflow", quality.dropped);
        metrics::gauge!("frontdesk_webrtc_sessions").decrement(1.0);
        let was_connected = if self.session.is_connected() { "true" } else { "false" };
        let labels = [("cause", cause.name()), ("connected", was_connected)];
        metrics::counter!("frontdesk_webrtc_sessions_total", &labels).increment(1);
        tracing::debug!(session = %self.guard.id, cause = cause.name(), ?quality, "a session over WebRTC ended");
    }
}
