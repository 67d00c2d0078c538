//! WebSocket connections.

use crate::address::Target;
use crate::http::{header_map, readable};
use crate::{Egress, failure};
use base::wire::{Connect, Wire};
use base::{ErrorClass, Failure, Millis, limits};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::Response;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};
use tokio_util::either::Either;
use url::Host;

pub(crate) type Transport = Either<TcpStream, Box<tokio_rustls::client::TlsStream<TcpStream>>>;

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<Returning>,
}

/// The sending half.
#[derive(Debug)]
pub struct SocketSender {
    sink: SplitSink<WebSocketStream<Returning>, Message>,
}

/// The receiving half.
#[derive(Debug)]
pub struct SocketReceiver {
    stream: SplitStream<WebSocketStream<Returning>>,
}

/// The other side answered the upgrade with something else than yes.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Status.
    pub status: u16,
    /// Headers with lower-case names, in order.
    pub headers: Vec<(String, String)>,
    /// Body as sent (chunk marks included), at most [`limits::REFUSAL_BODY_BYTES_MAX`].
    pub body: String,
}

/// Why a WebSocket did not open.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The other side refused. What that means is for the codec to say.
    #[error("the upgrade was refused with status {}", .0.status)]
    Refused(Box<Refusal>),
    /// It did not come to an answer.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Egress {
    /// Opens a WebSocket within the deadline and sends the first messages.
    pub async fn websocket(&self, connect: Connect, deadline: Millis) -> Result<Socket, UpgradeError> {
        let target = Target::parse(self.policy(), &connect.url, ("ws", "wss"))?;
        let mut request = target.url.as_str().into_client_request().map_err(|_| failure::invalid("not a URL"))?;
        request.headers_mut().extend(header_map(&connect.headers)?);
        let user_agent = http::HeaderValue::from_str(&self.config.user_agent);
        let user_agent = user_agent.map_err(|_| failure::invalid("the user agent cannot be sent"))?;
        request.headers_mut().entry(http::header::USER_AGENT).or_insert(user_agent);

        let until = Instant::now() + deadline.to_duration();
        let opening = async {
            let transport = self.open_transport(&target, until, &self.socket_tls).await?;
            let (back, returned) = oneshot::channel();
            let stream = Returning { transport: Some(transport), back: Some(back) };
            match tokio_tungstenite::client_async_with_config(request, stream, Some(socket_config())).await {
                Ok((mut stream, _)) => {
                    stream.get_mut().back = None;
                    Ok(Socket { stream })
                }
                Err(Error::Http(response)) => Err(UpgradeError::Refused(Box::new(refusal(*response, returned).await))),
                Err(error) => Err(UpgradeError::Failed(sort(error))),
            }
        };
        let late = || failure::timeout(target.checked, "opening the socket", deadline);
        let mut socket = timeout_at(until, opening).await.map_err(|_| late())??;
        let first = send(&mut socket.stream, connect.first);
        timeout_at(until, first).await.map_err(|_| late())??;
        Ok(socket)
    }

    pub(crate) async fn open_transport(
        &self,
        target: &Target,
        until: Instant,
        tls: &Result<Arc<ClientConfig>, Failure>,
    ) -> Result<Transport, Failure> {
        let left = Millis(until.saturating_duration_since(Instant::now()).as_millis() as u64);
        let addresses = target.resolve(left).await?;
        let mut last = failure::unreachable(target.checked, "the host has no address");
        for (index, address) in addresses.iter().enumerate() {
            // An address that swallows packets must leave time for the next one.
            let share = until.saturating_duration_since(Instant::now()) / (addresses.len() - index) as u32;
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    return encrypt(target, stream, tls).await;
                }
                Ok(Err(error)) => last = failure::unreachable(target.checked, format!("no connection: {error}")),
                Err(_) => {
                    last = failure::timeout(target.checked, "connecting", Millis(share.as_millis() as u64));
                }
            }
        }
        Err(last)
    }
}

async fn encrypt(
    target: &Target,
    stream: TcpStream,
    tls: &Result<Arc<ClientConfig>, Failure>,
) -> Result<Transport, Failure> {
    if !target.encrypted {
        return Ok(Either::Left(stream));
    }
    let config = Arc::clone(tls.as_ref().map_err(Clone::clone)?);
    let name = match &target.host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| failure::invalid("not a host name"))?,
        Host::Ipv4(address) => ServerName::from(std::net::IpAddr::V4(*address)),
        Host::Ipv6(address) => ServerName::from(std::net::IpAddr::V6(*address)),
    };
    let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await;
    let stream = stream.map_err(|error| {
        failure::unreachable(target.checked, format!("no TLS connection: {}", failure::root_cause(&error)))
    })?;
    Ok(Either::Right(Box::new(stream)))
}

/// The library's defaults hold 138 kB per connection; these hold 7. What is sent before a flush goes to the kernel together.
fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(4096)
        .max_write_buffer_size(limits::PROVIDER_MESSAGE_BYTES_MAX + 4096)
        .max_message_size(Some(limits::PROVIDER_MESSAGE_BYTES_MAX))
        .max_frame_size(Some(limits::PROVIDER_MESSAGE_BYTES_MAX))
}

/// The body that explains a refusal may come after the head: the transport is taken back to read it.
async fn refusal(response: Response<Option<Vec<u8>>>, returned: oneshot::Receiver<Transport>) -> Refusal {
    let (head, body) = response.into_parts();
    let headers = readable(&head.headers);
    let announced = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let wanted = announced.unwrap_or(limits::REFUSAL_BODY_BYTES_MAX).min(limits::REFUSAL_BODY_BYTES_MAX);
    let mut body = body.unwrap_or_default();
    if let (true, Ok(mut transport)) = (body.len() < wanted, returned.await) {
        let until = Instant::now() + std::time::Duration::from_millis(limits::REFUSAL_BODY_MS_MAX);
        let mut chunk = [0; 2048];
        while body.len() < wanted {
            let Ok(Ok(count @ 1..)) = timeout_at(until, transport.read(&mut chunk)).await else { break };
            body.extend_from_slice(&chunk[..count]);
        }
    }
    body.truncate(wanted);
    Refusal { status: head.status.as_u16(), headers, body: String::from_utf8_lossy(&body).into_owned() }
}

impl Socket {
    /// Splits the socket, so that one task can send while it receives.
    pub fn split(self) -> (SocketSender, SocketReceiver) {
        let (sink, stream) = self.stream.split();
        (SocketSender { sink }, SocketReceiver { stream })
    }
}

impl SocketSender {
    /// Sends messages, in order. The deadline is for all of them: a peer that does not read must not hold us. After an
    /// error or when dropped half way, the socket is of no more use.
    pub async fn send(&mut self, messages: Vec<Wire>, deadline: Millis) -> Result<(), Failure> {
        let sent = timeout(deadline.to_duration(), send(&mut self.sink, messages)).await;
        sent.map_err(|_| failure::late("sending to a peer that does not read", deadline))?
    }
}

impl SocketReceiver {
    /// The next message within the deadline. A close by the other side is [`Wire::Close`] (code 1005 when it gave none);
    /// pings are answered behind the scenes. Dropping the future loses nothing.
    pub async fn recv(&mut self, deadline: Millis) -> Result<Wire, Failure> {
        let next = timeout(deadline.to_duration(), self.next()).await;
        next.map_err(|_| failure::late("waiting for a message", deadline))?
    }

    async fn next(&mut self) -> Result<Wire, Failure> {
        loop {
            return match self.stream.next().await {
                Some(Ok(Message::Text(text))) => Ok(Wire::Text(text.as_str().to_owned())),
                Some(Ok(Message::Binary(bytes))) => Ok(Wire::Binary(bytes.into())),
                Some(Ok(Message::Close(frame))) => Ok(match frame {
                    Some(frame) => Wire::Close(frame.code.into(), frame.reason.as_str().to_owned().into()),
                    None => Wire::Close(1005, "".into()),
                }),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => Err(sort(error)),
                None => Err(failure::protocol("the socket is closed")),
            };
        }
    }
}

async fn send<S>(sink: &mut S, messages: Vec<Wire>) -> Result<(), Failure>
where
    S: futures_util::Sink<Message, Error = Error> + Unpin,
{
    for message in messages {
        let message = match message {
            Wire::Text(text) => Message::Text(text.into()),
            Wire::Binary(bytes) => Message::Binary(bytes.into()),
            Wire::Close(code, reason) => {
                let reason = String::from(reason).into();
                Message::Close(Some(CloseFrame { code: CloseCode::from(code), reason }))
            }
            Wire::End => continue,
            Wire::Request(_) => return Err(Failure::new(ErrorClass::Internal, "not a WebSocket message")),
        };
        sink.feed(message).await.map_err(sort)?;
    }
    sink.flush().await.map_err(sort)
}

fn sort(error: Error) -> Failure {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => failure::protocol("the socket is closed"),
        Error::Io(error) => failure::protocol(format!("the connection was cut: {error}")),
        Error::Capacity(_) => {
            failure::protocol(format!("a message is larger than {} bytes", limits::PROVIDER_MESSAGE_BYTES_MAX))
        }
        Error::WriteBufferFull(_) => failure::protocol("the peer does not read"),
        Error::Protocol(error) => failure::protocol(format!("not a WebSocket: {error}")),
        Error::Url(_) | Error::HttpFormat(_) => failure::invalid("the upgrade cannot be requested"),
        // The other variants may quote what the peer sent.
        _ => Failure::new(ErrorClass::Protocol, "not a WebSocket"),
    }
}

/// Hands the transport back when the handshake drops it.
#[derive(Debug)]
struct Returning {
    transport: Option<Transport>,
    back: Option<oneshot::Sender<Transport>>,
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let (Some(back), Some(transport)) = (self.back.take(), self.transport.take()) {
            let _ = back.send(transport);
        }
    }
}

impl Returning {
    fn transport(self: Pin<&mut Self>) -> Pin<&mut Transport> {
        // Invariant: only `drop` takes the transport out.
        Pin::new(self.get_mut().transport.as_mut().expect("present until dropped"))
    }
}

impl AsyncRead for Returning {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        self.transport().poll_read(cx, buf)
    }
}

impl AsyncWrite for Returning {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.transport().poll_write(cx, bytes)
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.transport().poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.transport().poll_shutdown(cx)
    }
}
