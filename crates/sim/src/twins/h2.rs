//! A loopback server for twins that HTTP/1.1 alone does not reach: plain HTTP/2 beside HTTP/1.1 on one port, and gRPC
//! messages over it.

use super::fault::{Fault, Faults};
use super::server::{FaultyListener, Record, Shared};
use axum::serve::Listener;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

type Piece = Result<Frame<Bytes>, io::Error>;
type Body = StreamBody<futures_util::stream::BoxStream<'static, Piece>>;

/// Pieces of an answer that wait for a client that does not read.
const PIECES_MAX: usize = 1_024;
/// How an HTTP/2 connection begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI ";

/// One request or call. Dropping the answer half way resets the stream.
pub(crate) struct Exchange {
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    request: Incoming,
    unread: BytesMut,
    head: Option<tokio::sync::oneshot::Sender<http::response::Builder>>,
    answer: mpsc::Sender<Piece>,
}

/// A running server. Dropping it ends every connection.
#[derive(Debug)]
pub(crate) struct H2Server {
    pub(crate) address: SocketAddr,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    task: JoinHandle<()>,
    _stop: watch::Sender<()>,
}

impl Drop for H2Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl H2Server {
    /// Serves every exchange by a task of its own.
    pub(crate) async fn start<F, R>(key: &str, serve: F) -> io::Result<Self>
    where
        F: Fn(Exchange, Shared) -> R + Clone + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (faults, record) = (Faults::default(), Record::new(key));
        let (stop_sender, stop) = watch::channel(());
        let shared = Shared { faults: faults.clone(), record: record.clone(), stop };
        let mut listener = FaultyListener::new(listener, faults.clone());
        let task = tokio::spawn(async move {
            // Aborting this task drops the set, which aborts every connection.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await;
                while connections.try_join_next().is_some() {}
                let (serve, shared) = (serve.clone(), shared.clone());
                connections.spawn(async move {
                    let service = service_fn(move |request: http::Request<Incoming>| {
                        let (serve, shared) = (serve.clone(), shared.clone());
                        exchange(request, move |exchange| serve(exchange, shared))
                    });
                    let mut start = [0; PREFACE.len()];
                    let is_h2 = stream.peek(&mut start).await.is_ok_and(|n| start[..n] == PREFACE[..n]);
                    if is_h2 {
                        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                    } else {
                        let builder = hyper::server::conn::http1::Builder::new();
                        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                    }
                });
            }
        });
        Ok(Self { address, faults, record, task, _stop: stop_sender })
    }
}

async fn exchange<R>(
    request: http::Request<Incoming>,
    serve: impl FnOnce(Exchange) -> R,
) -> io::Result<http::Response<Body>>
where
    R: Future<Output = ()> + Send + 'static,
{
    let (parts, request) = request.into_parts();
    let (answer, pieces) = mpsc::channel::<Piece>(PIECES_MAX);
    let (head, begun) = tokio::sync::oneshot::channel();
    let (path, headers) = (parts.uri.path().to_owned(), parts.headers);
    let exchange = Exchange { path, headers, request, unread: BytesMut::new(), head: Some(head), answer };
    tokio::spawn(serve(exchange));
    // Whoever drops an exchange unanswered cuts it.
    let head = begun.await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionReset))?;
    let pieces =
        futures_util::stream::unfold(
            pieces,
            |mut pieces| async move { pieces.recv().await.map(|piece| (piece, pieces)) },
        );
    head.body(StreamBody::new(Box::pin(pieces) as _)).map_err(io::Error::other)
}

impl Exchange {
    /// The next gRPC message; `None` when no more will come.
    pub(crate) async fn message(&mut self) -> Option<Bytes> {
        loop {
            if let [_, a, b, c, d, ..] = self.unread[..] {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.unread.len() >= 5 + length {
                    self.unread.advance(5);
                    return Some(self.unread.split_to(length).freeze());
                }
            }
            let frame = self.request.frame().await?.ok()?;
            self.unread.extend_from_slice(frame.data_ref()?);
        }
    }

    /// The whole body.
    pub(crate) async fn body(&mut self) -> Bytes {
        (&mut self.request).collect().await.map(|body| body.to_bytes()).unwrap_or_default()
    }

    /// Begins the answer with this status and these headers.
    pub(crate) fn begin(&mut self, status: u16, headers: &[(&str, &str)]) {
        let Some(head) = self.head.take() else { return };
        let builder = http::Response::builder().status(status);
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        let _ = head.send(builder);
    }

    /// More of the body.
    pub(crate) async fn raw(&mut self, bytes: impl Into<Bytes>) {
        let _ = self.answer.send(Ok(Frame::data(bytes.into()))).await;
    }

    /// A whole answer.
    pub(crate) async fn answer(&mut self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) {
        self.begin(status, headers);
        self.raw(body).await;
    }

    /// A gRPC message.
    pub(crate) async fn say(&mut self, message: &[u8]) {
        self.begin(200, &[("content-type", "application/grpc")]);
        let mut bytes = BytesMut::with_capacity(5 + message.len());
        bytes.extend_from_slice(&[0]);
        bytes.extend_from_slice(&(message.len() as u32).to_be_bytes());
        bytes.extend_from_slice(message);
        self.raw(bytes).await;
    }

    /// Ends a call with a gRPC status.
    pub(crate) async fn finish(self, code: u16, message: &str) {
        self.finish_for(code, message, None).await;
    }

    /// Ends a call with a gRPC status, and asks to be left alone for so many seconds, as the rich error model has it.
    async fn finish_for(mut self, code: u16, message: &str, pause_s: Option<u32>) {
        self.begin(200, &[("content-type", "application/grpc")]);
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", code.into());
        if let Ok(message) = http::HeaderValue::from_str(message) {
            trailers.insert("grpc-message", message);
        }
        let details = pause_s.map(|secs| STANDARD_NO_PAD.encode(status_with_pause(code, message, secs)));
        if let Some(details) = details.and_then(|details| http::HeaderValue::try_from(details).ok()) {
            trailers.insert("grpc-status-details-bin", details);
        }
        let _ = self.answer.send(Ok(Frame::trailers(trailers))).await;
    }

    /// Ends without a good-bye.
    pub(crate) async fn cut(self) {
        let _ = self.answer.send(Err(io::Error::from(io::ErrorKind::ConnectionReset))).await;
    }

    /// Lets a fault strike: the exchange comes back when it goes on.
    pub(crate) async fn strike(mut self, shared: &Shared, fault: Option<Fault>) -> Option<Self> {
        match fault {
            None => return Some(self),
            Some(Fault::Slow { delay_ms }) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                return Some(self);
            }
            Some(Fault::Cut | Fault::Refuse) => self.cut().await,
            Some(Fault::Garbage) => {
                self.begin(200, &[("content-type", "application/grpc")]);
                self.raw(&b"}{ \0 not a message, whatever its length"[..]).await;
            }
            Some(Fault::Status { status, retry_after_s }) => {
                let grpc = self
                    .headers
                    .get("content-type")
                    .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
                if grpc || self.head.is_none() {
                    self.finish_for(grpc_code(status), "As the test wishes.", retry_after_s).await;
                } else {
                    let after = retry_after_s.map(|secs| secs.to_string());
                    let mut headers = vec![("content-type", "application/json")];
                    headers.extend(after.as_deref().map(|after| ("retry-after", after)));
                    self.answer(status, &headers, &br#"{"message":"As the test wishes."}"#[..]).await;
                }
            }
            Some(Fault::HalfOpen | Fault::BlackHole | Fault::Silent) => shared.stopped().await,
        }
        None
    }
}

/// `google.rpc.Status` with a `RetryInfo` among its details.
fn status_with_pause(code: u16, message: &str, secs: u32) -> Vec<u8> {
    let delay = Delay { seconds: i64::from(secs) };
    let info = RetryInfo { retry_delay: Some(delay) }.encode_to_vec();
    let any = Detail { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value: info };
    Rich { code: i32::from(code), message: message.to_owned(), details: vec![any] }.encode_to_vec()
}

#[derive(prost::Message)]
struct Rich {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

#[derive(prost::Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

/// The gRPC code that stands for an HTTP status.
pub(crate) const fn grpc_code(status: u16) -> u16 {
    match status {
        400 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        429 => 8,
        503 => 14,
        504 => 4,
        _ => 13,
    }
}
