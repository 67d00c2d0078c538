//! What every provider twin is made of: a loopback server whose faults can be switched, a record of what it received, and
//! a queue of what it will send and when.

use super::fault::{Fault, Faults, Moment};
use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Lines a record keeps; later ones are dropped.
const RECORD_LINES_MAX: usize = 100_000;
/// Messages that wait to be sent to one client.
const OUTBOX_MAX: usize = 16 * 1024;

/// What a twin received, line by line, with the key replaced by `[secret]`. Clones share the record.
#[derive(Clone, Debug)]
pub struct Record {
    lines: Arc<Mutex<Vec<String>>>,
    key: Arc<str>,
}

impl Record {
    pub(crate) fn new(key: &str) -> Self {
        Self { lines: Arc::default(), key: key.into() }
    }

    /// Everything so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines begin with this.
    pub fn count(&self, prefix: &str) -> usize {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|line| line.starts_with(prefix)).count()
    }

    pub(crate) fn add(&self, line: impl Into<String>) {
        let mut line = line.into();
        if !self.key.is_empty() && line.contains(&*self.key) {
            line = line.replace(&*self.key, "[secret]");
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < RECORD_LINES_MAX {
            lines.push(line);
        }
    }
}

/// A running server. Dropping it ends every connection.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    task: JoinHandle<()>,
    _stop: watch::Sender<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A running twin of a provider. Dropping it ends every connection.
#[derive(Debug)]
pub struct Twin {
    /// Where it is, as far as the provider's setting wants it.
    pub base_url: String,
    /// The key it accepts.
    pub key: String,
    /// What is wrong with it.
    pub faults: Faults,
    /// What it received; each twin says in which words.
    pub record: Record,
    _server: Server,
}

impl Twin {
    /// Serves these routes on a free loopback port. `path` is what the provider's address has behind the host.
    pub(crate) async fn serve(key: String, path: &str, router: impl FnOnce(Shared) -> Router) -> io::Result<Self> {
        let server = Server::start(&key, router).await?;
        Ok(Self {
            base_url: format!("http://{}{path}", server.address),
            key,
            faults: server.faults.clone(),
            record: server.record.clone(),
            _server: server,
        })
    }
}

/// What the handlers of a twin share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    pub(crate) stop: watch::Receiver<()>,
}

impl Shared {
    /// Returns when the twin is dropped.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error says that the sender is gone, which is the signal.
        while stop.changed().await.is_ok() {}
    }
}

impl Server {
    pub(crate) async fn start(key: &str, router: impl FnOnce(Shared) -> Router) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (faults, record) = (Faults::default(), Record::new(key));
        let (stop_sender, stop) = watch::channel(());
        let router = router(Shared { faults: faults.clone(), record: record.clone(), stop });
        let listener = FaultyListener { listener, faults: faults.clone(), record: record.clone(), held: Vec::new() };
        let task = tokio::spawn(async move {
            // It ends only when the task is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, faults, record, task, _stop: stop_sender })
    }
}

/// A listener that refuses or holds connections when a fault wants it.
pub(crate) struct FaultyListener {
    listener: TcpListener,
    faults: Faults,
    record: Record,
    /// Connections that were accepted and are never served.
    held: Vec<TcpStream>,
}

impl FaultyListener {
    pub(crate) fn new(listener: TcpListener, faults: Faults) -> Self {
        Self { listener, faults, record: Record::new(""), held: Vec::new() }
    }
}

impl axum::serve::Listener for FaultyListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            // Small frames must not wait for each other.
            let _ = stream.set_nodelay(true);
            let struck =
                self.faults.strike_if(Moment::Start, |fault| matches!(fault, Fault::Refuse | Fault::BlackHole));
            match struck {
                Some(Fault::Refuse) => {
                    self.record.add("connection refused");
                    // Zero linger turns the close into a reset.
                    let _ = stream.set_zero_linger();
                }
                Some(_) => {
                    self.record.add("connection held");
                    self.held.push(stream);
                }
                None => return (stream, address),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// An error answer in the vendor's shape.
pub(crate) fn refuse(status: u16, retry_after_s: Option<u32>, body: serde_json::Value) -> Response {
    let mut headers = HeaderMap::new();
    if let Some(secs) = retry_after_s {
        headers.insert("retry-after", secs.into());
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, headers, axum::Json(body)).into_response()
}

/// A body that breaks, or goes on later, as the fault wants. Where it breaks is behind the first half.
pub(crate) fn broken_body(whole: &[u8], fault: &Fault) -> axum::body::Body {
    let (first, rest) = whole.split_at(whole.len() / 2);
    let (first, rest) = (Bytes::copy_from_slice(first), Bytes::copy_from_slice(rest));
    let fault = fault.clone();
    let stream = futures_util::stream::unfold((0, Some(first), Some(rest)), move |(step, first, rest)| {
        let fault = fault.clone();
        async move {
            if step == 0 {
                return first.map(|first| (Ok(first), (1, None, rest)));
            }
            match fault {
                _ if step == 2 => None,
                Fault::Cut | Fault::Refuse => {
                    Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), (2, None, None)))
                }
                Fault::Slow { delay_ms } => {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                    rest.map(|rest| (Ok(rest), (2, None, None)))
                }
                Fault::Garbage => rest.map(|_| (Ok(Bytes::from_static(b"\xff\xfe}{")), (2, None, None))),
                _ => std::future::pending().await,
            }
        }
    });
    axum::body::Body::from_stream(stream)
}

/// What is left to do with a WebSocket after a fault struck it.
pub(crate) enum Course {
    /// Go on, everything this much later.
    Go(Duration),
    /// Go on reading, say nothing more.
    Mute,
    /// It is over.
    Over,
}

/// Lets a fault strike a WebSocket. `error` is the vendor's way to report a status inside a stream.
pub(crate) async fn strike_socket(
    socket: &mut WebSocket,
    shared: &Shared,
    fault: Option<Fault>,
    error: impl FnOnce(u16) -> Option<String>,
) -> Course {
    match fault {
        None => Course::Go(Duration::ZERO),
        Some(Fault::Slow { delay_ms }) => Course::Go(Duration::from_millis(delay_ms)),
        Some(Fault::Silent) => Course::Mute,
        Some(Fault::Cut | Fault::Refuse) => Course::Over,
        Some(Fault::Garbage) => {
            let _ = socket.send(Message::Text("}{ \u{0} not a message".into())).await;
            Course::Mute
        }
        Some(Fault::HalfOpen | Fault::BlackHole) => {
            shared.stopped().await;
            Course::Over
        }
        Some(Fault::Status { status, .. }) => {
            if let Some(text) = error(status) {
                let _ = socket.send(Message::Text(text.into())).await;
            }
            close(socket, 1011, "INTERNAL").await;
            Course::Over
        }
    }
}

pub(crate) async fn close(socket: &mut WebSocket, code: u16, reason: &str) {
    let frame = axum::extract::ws::CloseFrame { code, reason: reason.to_owned().into() };
    let _ = socket.send(Message::Close(Some(frame))).await;
    // The other side answers a close with a close; whatever else still comes is of no interest.
    let answered = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _ = tokio::time::timeout(Duration::from_secs(1), answered).await;
}

/// What will be sent, in order, none of it before its time.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<(Instant, Message)>,
    delay: Duration,
    mute: bool,
}

impl Outbox {
    pub(crate) fn delay_all_by(&mut self, delay: Duration) {
        self.delay = delay;
    }

    /// Says nothing more.
    pub(crate) fn mute(&mut self) {
        self.mute = true;
        self.queue.clear();
    }

    /// Forgets what else waits.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Message) -> bool) {
        self.queue.retain(|(_, message)| keep(message));
    }

    /// Nothing of what waits is sent.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn push(&mut self, after: Duration, message: Message) {
        self.push_at(Instant::now() + after, message);
    }

    /// Sends it this long after the message before it.
    pub(crate) fn push_after_last(&mut self, gap: Duration, message: Message) {
        let last = self.queue.back().map_or_else(Instant::now, |(at, _)| at.checked_sub(self.delay).unwrap_or(*at));
        self.push_at(last + gap, message);
    }

    fn push_at(&mut self, at: Instant, message: Message) {
        if self.mute || self.queue.len() >= OUTBOX_MAX {
            return;
        }
        let earliest = self.queue.back().map_or(at, |(last, _)| *last);
        self.queue.push_back(((at + self.delay).max(earliest), message));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// When the next message is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// The next message, when its time has come; never, when there is none. Loses nothing when it is called off.
    pub(crate) async fn next(&mut self) -> Message {
        let Some((at, _)) = self.queue.front() else { return std::future::pending().await };
        tokio::time::sleep_until(*at).await;
        match self.queue.pop_front() {
            Some((_, message)) => message,
            None => std::future::pending().await,
        }
    }
}
