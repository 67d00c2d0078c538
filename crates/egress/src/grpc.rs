//! gRPC calls that stream both ways: messages are bytes, calls to one host share HTTP/2 connections.

use crate::address::Target;
use crate::http::{header_map, readable};
use crate::socket::{Refusal, Transport};
use crate::{Egress, UpgradeError, failure};
use base::wire::{Connect, Wire};
use base::{ErrorClass, Failure, Millis, limits};
use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use prost::Message as _;
use std::collections::HashMap;
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::StreamExt;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming};
use tonic::metadata::MetadataMap;
use tonic::{Code, Response, Status};
use tower::Service;

type BoxError = Box<dyn Error + Send + Sync>;
type Opening = Pin<Box<dyn Future<Output = Result<Response<Streaming<Bytes>>, Status>> + Send>>;

/// An open call. Dropping it resets the stream; the connection stays for the next call.
pub struct GrpcCall {
    /// `None` after our half-close.
    messages: Option<mpsc::Sender<Bytes>>,
    answers: Answers,
    connection: Connection,
    pool: Pool,
}

enum Answers {
    /// The other side has not said yet whether it takes the call.
    Opening(Opening),
    Open(Box<Streaming<Bytes>>),
    /// It ended before it began; told once.
    Refused(Status),
    Over,
}

impl std::fmt::Debug for GrpcCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcCall").field("half_closed", &self.messages.is_none()).finish_non_exhaustive()
    }
}

impl Egress {
    /// Opens a connection (or takes one that is open) within the deadline and begins the call with the first messages. What
    /// the other side says to it comes by [`GrpcCall::recv`].
    pub async fn grpc(&self, connect: Connect, deadline: Millis) -> Result<GrpcCall, UpgradeError> {
        let target = Target::parse(self.policy(), &connect.url, ("http", "https"))?;
        let path = PathAndQuery::try_from(target.url.path()).map_err(|_| failure::invalid("not a method"))?;
        let origin = target.url[..url::Position::BeforePath].parse::<http::Uri>();
        let origin = origin.map_err(|_| failure::invalid("not a URL"))?;
        let mut headers = header_map(&connect.headers)?;
        let user_agent = http::HeaderValue::from_str(&self.config.user_agent);
        let user_agent = user_agent.map_err(|_| failure::invalid("the user agent cannot be sent"))?;
        headers.entry(http::header::USER_AGENT).or_insert(user_agent);

        let connection = self.http2(&target, deadline).await?;
        let (messages, outgoing) = mpsc::channel(limits::GRPC_MESSAGES_AHEAD_MAX);
        let outgoing = tokio_stream::wrappers::ReceiverStream::new(outgoing);
        let request =
            tonic::Request::from_parts(MetadataMap::from_headers(headers), tonic::Extensions::new(), outgoing);
        let mut client = tonic::client::Grpc::with_origin(connection.clone(), origin)
            .max_decoding_message_size(limits::PROVIDER_MESSAGE_BYTES_MAX);
        let opening: Opening = Box::pin(async move {
            client.ready().await.map_err(Status::from_error)?;
            client.streaming(request, path, Raw).await
        });
        let mut call = GrpcCall {
            messages: Some(messages),
            answers: Answers::Opening(opening),
            connection,
            pool: self.grpc_pool.clone(),
        };
        call.send(connect.first, deadline).await?;
        Ok(call)
    }

    async fn http2(&self, target: &Target, deadline: Millis) -> Result<Connection, Failure> {
        let key = (target.encrypted, target.host.to_string(), target.port);
        if let Some(connection) = self.grpc_pool.take(&key) {
            return Ok(connection);
        }
        let until = Instant::now() + deadline.to_duration();
        let opening = async {
            let transport = self.open_transport(target, until, &self.grpc_tls).await?;
            let (answered, answer) = oneshot::channel();
            let transport = Answering { transport, answered: Some(answered) };
            let handshake = Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(Duration::from_millis(limits::GRPC_PING_MS))
                .keep_alive_timeout(Duration::from_millis(limits::GRPC_PONG_MS_MAX))
                .max_header_list_size(64 * 1024)
                .handshake::<_, tonic::body::Body>(TokioIo::new(transport));
            let (sender, driver) = handshake
                .await
                .map_err(|error| failure::protocol(format!("not HTTP/2: {}", failure::root_cause(&error))))?;
            // It ends when the connection is closed or nobody can send over it any more.
            tokio::spawn(async move { drop(driver.await) });
            // The other side begins with its settings (RFC 9113, section 3.4): one that accepts and says nothing is no
            // connection.
            let silent = || failure::protocol("the connection was cut before the other side said anything");
            answer.await.map_err(|_| silent())?;
            Ok::<_, Failure>(Connection { sender, calls: Arc::new(()) })
        };
        let opened = timeout_at(until, opening).await;
        let connection: Connection =
            opened.map_err(|_| failure::timeout(target.checked, "opening the connection", deadline))??;
        self.grpc_pool.put(key, connection.clone());
        Ok(connection)
    }
}

impl GrpcCall {
    /// Sends messages, in order; [`Wire::End`] says that there will be no more. The deadline is for all of them. A call
    /// that is over takes them and drops them: why it is over is for [`GrpcCall::recv`] to say.
    pub async fn send(&mut self, out: Vec<Wire>, deadline: Millis) -> Result<(), Failure> {
        let all = async {
            for wire in out {
                match wire {
                    Wire::Binary(bytes) => self.push(bytes.into()).await,
                    Wire::End => self.messages = None,
                    _ => return Err(Failure::new(ErrorClass::Internal, "not a gRPC message")),
                }
            }
            Ok(())
        };
        timeout(deadline.to_duration(), all)
            .await
            .unwrap_or_else(|_| Err(failure::late("sending to a peer that does not read", deadline)))
    }

    async fn push(&mut self, message: Bytes) {
        let Some(messages) = self.messages.as_ref() else { return };
        loop {
            tokio::select! {
                biased;
                room = messages.reserve() => {
                    if let Ok(room) = room {
                        room.send(message);
                    }
                    return;
                }
                // Nothing leaves before the call was begun, and nobody may be receiving now.
                () = self.answers.open(), if matches!(self.answers, Answers::Opening(_)) => {}
            }
        }
    }

    /// The next message; `None` when none came in this time. [`Wire::End`] is status 0, [`Wire::Close`] any other. Dropping
    /// the future loses nothing. Nothing comes after the end.
    pub async fn recv(&mut self, wait: Millis) -> Result<Option<Wire>, UpgradeError> {
        timeout(wait.to_duration(), self.next()).await.ok().transpose()
    }

    async fn next(&mut self) -> Result<Wire, UpgradeError> {
        self.answers.open().await;
        let status = match std::mem::replace(&mut self.answers, Answers::Over) {
            Answers::Refused(status) => status,
            Answers::Open(streaming) => {
                self.answers = Answers::Open(streaming);
                let Answers::Open(streaming) = &mut self.answers else { return std::future::pending().await };
                match streaming.next().await {
                    Some(Ok(message)) => return Ok(Wire::Binary(message.into())),
                    Some(Err(status)) => status,
                    None => {
                        self.answers = Answers::Over;
                        return Ok(Wire::End);
                    }
                }
            }
            Answers::Opening(_) | Answers::Over => return std::future::pending().await,
        };
        self.answers = Answers::Over;
        ended(&status)
    }
}

impl Drop for GrpcCall {
    fn drop(&mut self) {
        // A connection on which a call was not even answered may be dead: the next call does not wait on it as well.
        if matches!(self.answers, Answers::Opening(_)) {
            self.pool.forget(&self.connection);
        }
    }
}

impl Answers {
    /// Waits until the call is taken or refused. Dropping the future loses nothing.
    async fn open(&mut self) {
        match self {
            Self::Opening(opening) => {
                *self = match opening.await {
                    Ok(response) => Self::Open(Box::new(response.into_inner())),
                    Err(status) => Self::Refused(status),
                };
            }
            Self::Open(_) | Self::Refused(_) => {}
            Self::Over => std::future::pending().await,
        }
    }
}

/// What an end means: a status of the other side is a message; an answer that is not gRPC, or a cut, is not.
fn ended(status: &Status) -> Result<Wire, UpgradeError> {
    if let Some(source) = status.source() {
        if let Some(NotGrpc(refusal)) = source.downcast_ref::<NotGrpc>() {
            return Err(UpgradeError::Refused(Box::new(refusal.clone())));
        }
        if let Some(ours) = failure::wrapped(source) {
            return Err(ours.into());
        }
        let detail = format!("the connection was cut: {}", failure::root_cause(source));
        return Err(failure::protocol(detail).into());
    }
    let message = status.message();
    let ours = ["protocol error", "Error, decoded message", "Error decompressing", "Unexpected EOF"];
    if ours.iter().any(|start| message.starts_with(start)) {
        return Err(failure::protocol("not a gRPC message").into());
    }
    let (code, name) = http_status(status.code());
    let pause = pause_of(status.details()).map_or_else(String::new, |secs| format!("; retry after {secs:.3} s"));
    Ok(Wire::Close(code, format!("{name}: {message}{pause}").into()))
}

/// For how many seconds the other side asks to be left alone: `RetryInfo` among the details of its status
/// (grpc.io, "Error handling", richer error model; error_details.proto).
fn pause_of(details: &[u8]) -> Option<f64> {
    let rich = RichStatus::decode(details).ok()?;
    let info = rich.details.iter().find(|any| any.type_url.ends_with(".rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay?;
    let secs = delay.seconds as f64 + f64::from(delay.nanos) / 1e9;
    (secs >= 0.0).then_some(secs)
}

#[derive(prost::Message)]
struct RichStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(prost::Message)]
struct Any {
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
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The HTTP status and the name of a code, as the canonical mapping of gRPC codes has them.
const fn http_status(code: Code) -> (u16, &'static str) {
    match code {
        Code::Ok => (200, "OK"),
        Code::Cancelled => (499, "CANCELLED"),
        Code::Unknown => (500, "UNKNOWN"),
        Code::InvalidArgument => (400, "INVALID_ARGUMENT"),
        Code::DeadlineExceeded => (504, "DEADLINE_EXCEEDED"),
        Code::NotFound => (404, "NOT_FOUND"),
        Code::AlreadyExists => (409, "ALREADY_EXISTS"),
        Code::PermissionDenied => (403, "PERMISSION_DENIED"),
        Code::ResourceExhausted => (429, "RESOURCE_EXHAUSTED"),
        Code::FailedPrecondition => (400, "FAILED_PRECONDITION"),
        Code::Aborted => (409, "ABORTED"),
        Code::OutOfRange => (400, "OUT_OF_RANGE"),
        Code::Unimplemented => (501, "UNIMPLEMENTED"),
        Code::Internal => (500, "INTERNAL"),
        Code::Unavailable => (503, "UNAVAILABLE"),
        Code::DataLoss => (500, "DATA_LOSS"),
        Code::Unauthenticated => (401, "UNAUTHENTICATED"),
    }
}

/// The other side answered with HTTP and not with gRPC: a proxy, or a service that is not there.
#[derive(Debug, thiserror::Error)]
#[error("status {}", .0.status)]
struct NotGrpc(Refusal);

/// One HTTP/2 connection. Clones are the same connection; each call holds one.
#[derive(Clone)]
struct Connection {
    sender: SendRequest<tonic::body::Body>,
    /// Counts the calls.
    calls: Arc<()>,
}

impl Service<http::Request<tonic::body::Body>> for Connection {
    type Response = http::Response<Incoming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.sender.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let answer = self.sender.send_request(request);
        Box::pin(async move {
            let answer = answer.await?;
            if answer.status() == http::StatusCode::OK {
                return Ok(answer);
            }
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, limits::REFUSAL_BODY_BYTES_MAX).collect();
            let body = timeout(Duration::from_millis(limits::REFUSAL_BODY_MS_MAX), body).await;
            let body = body.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            let refusal = Refusal { status: head.status.as_u16(), headers: readable(&head.headers), body };
            Err(NotGrpc(refusal).into())
        })
    }
}

/// Tells when the other side has said something.
struct Answering {
    transport: Transport,
    answered: Option<oneshot::Sender<()>>,
}

impl AsyncRead for Answering {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.transport).poll_read(cx, buf);
        if buf.filled().len() > before
            && let Some(answered) = this.answered.take()
        {
            let _ = answered.send(());
        }
        read
    }
}

impl AsyncWrite for Answering {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().transport).poll_write(cx, bytes)
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(cx)
    }
}

type Key = (bool, String, u16);

/// Connections that can take another call.
#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<HashMap<Key, Vec<Connection>>>>);

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}

impl Pool {
    fn take(&self, key: &Key) -> Option<Connection> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = pool.get_mut(key)?;
        connections.retain(|connection| !connection.sender.is_closed());
        connections.iter().find(|one| Arc::strong_count(&one.calls) <= limits::GRPC_CALLS_PER_CONNECTION_MAX).cloned()
    }

    fn put(&self, key: Key, connection: Connection) {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pool.retain(|_, connections| {
            connections.retain(|connection| !connection.sender.is_closed());
            !connections.is_empty()
        });
        let connections = pool.entry(key).or_default();
        if connections.len() < limits::IDLE_CONNECTIONS_MAX {
            connections.push(connection);
        }
    }

    fn forget(&self, connection: &Connection) {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for connections in pool.values_mut() {
            connections.retain(|one| !Arc::ptr_eq(&one.calls, &connection.calls));
        }
    }
}

/// Messages as they are: what they mean is for the vendor's codec.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}
