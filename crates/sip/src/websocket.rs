//! SIP over WebSockets (RFC 7118): a message in each frame. With TLS, or in the clear behind a proxy that has it.

use crate::config::{Certificate, Transport};
use crate::endpoint::library_transport;
use base::limits;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use rsipstack::sip::SipMessage;
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::connection::TransportSender;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};
use tokio_util::sync::CancellationToken;

const SUBPROTOCOL: &str = "sip";
/// As over the other transports.
const MESSAGE_BYTES_MAX: usize = 65_535;
/// TLS and the upgrade together.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A peer that takes nothing for this long is gone.
const SEND_MAX: Duration = Duration::from_secs(10);
/// How often a peer is asked whether it is there, and when one that says nothing at all is taken for gone.
const PING_EVERY: Duration = Duration::from_secs(30);
const SILENT_MAX: Duration = Duration::from_secs(90);
/// What keeps a connection open between messages, and its echo (RFC 5626, 4.4.1).
const KEEP_ALIVE: &[u8] = b"\r\n\r\n";
const KEEP_ALIVE_ECHO: &str = "\r\n";

/// An address that is listened on.
pub(crate) struct Listener {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    /// How messages travel, and where others reach us.
    reached: SipAddr,
}

impl Listener {
    pub(crate) async fn bind(
        transport: Transport,
        address: SocketAddr,
        external: Option<SocketAddr>,
        certificate: Option<&Certificate>,
    ) -> Result<(Self, SocketAddr), String> {
        let listener = TcpListener::bind(address).await.map_err(|error| error.to_string())?;
        let local = listener.local_addr().map_err(|error| error.to_string())?;
        let tls = match (transport, certificate) {
            (Transport::Wss, Some(certificate)) => Some(acceptor(certificate)?),
            (Transport::Wss, None) => return Err("TLS needs a certificate and its key".into()),
            _ => None,
        };
        let reached = SipAddr { r#type: Some(library_transport(transport)), addr: external.unwrap_or(local).into() };
        Ok((Self { listener, tls, reached }, local))
    }

    /// Takes connections until the endpoint stops.
    pub(crate) async fn serve(self, endpoint: EndpointInnerRef, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(limits::SIP_WEBSOCKETS_MAX));
        let mut is_announced = false;
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => return,
            };
            let Ok((stream, from)) = accepted else {
                // No descriptor is free, most likely.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                metrics::counter!("frontdesk_sip_connections_refused_total").increment(1);
                continue;
            };
            if !is_announced {
                // So that requests of ours say where they come from. Not before: the library would try to listen itself.
                let (outgoing, _) = mpsc::channel(1);
                if let Some((reached, _)) = bridge(self.reached.clone(), outgoing, None).await {
                    endpoint.transport_layer.add_transport(reached);
                    is_announced = true;
                }
            }
            let (endpoint, tls, stop) = (Arc::clone(&endpoint), self.tls.clone(), stop.child_token());
            let peer = SipAddr { r#type: self.reached.r#type, addr: from.into() };
            tokio::spawn(async move {
                if let Err(why) = connected(stream, tls, peer, endpoint, stop).await {
                    tracing::debug!(%why, "a connection for SIP over WebSockets ended");
                }
                drop(place);
            });
        }
    }
}

fn acceptor(certificate: &Certificate) -> Result<TlsAcceptor, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate.chain).collect();
    let chain = chain.map_err(|error| format!("the certificate cannot be read: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key.expose());
    let key = key.map_err(|error| format!("the certificate's key cannot be read: {error}"))?;
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    Ok(TlsAcceptor::from(Arc::new(config.map_err(|error| format!("the certificate cannot be used: {error}"))?)))
}

async fn connected(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    peer: SipAddr,
    endpoint: EndpointInnerRef,
    stop: CancellationToken,
) -> Result<(), Error> {
    let _ = stream.set_nodelay(true); // Slower without, that is all.
    let late = |_| Error::Io(std::io::ErrorKind::TimedOut.into());
    match tls {
        Some(tls) => {
            let upgraded = async { upgrade(tls.accept(stream).await?).await };
            talk(timeout(HANDSHAKE_MAX, upgraded).await.map_err(late)??, peer, endpoint, stop).await
        }
        None => talk(timeout(HANDSHAKE_MAX, upgrade(stream)).await.map_err(late)??, peer, endpoint, stop).await,
    }
}

async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<WebSocketStream<S>, Error> {
    let config = WebSocketConfig::default()
        .read_buffer_size(4_096)
        .write_buffer_size(4_096)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    accept_hdr_async_with_config(stream, choose, Some(config)).await
}

/// Who does not speak SIP here speaks nothing that we do.
#[expect(clippy::result_large_err, reason = "the library's signature")]
fn choose(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request.headers().get_all("sec-websocket-protocol").iter().filter_map(|value| value.to_str().ok());
    if offered.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(SUBPROTOCOL)) {
        response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(Some("The subprotocol sip is spoken here (RFC 7118).\n".into()));
    *refusal.status_mut() = StatusCode::BAD_REQUEST;
    Err(refusal)
}

/// A connection that the library writes to, and what keeps it there. The library reads from a queue, too, but nothing is put
/// into it: what a peer sends is handed over directly, so that a peer waits while we are busy.
async fn bridge(
    peer: SipAddr,
    outgoing: mpsc::Sender<TransportEvent>,
    stop: Option<CancellationToken>,
) -> Option<(SipConnection, TransportSender)> {
    let (open, nothing) = mpsc::unbounded_channel();
    let made = ChannelConnection::create_connection_bounded(nothing, outgoing, peer, stop).await;
    made.ok().map(|channel| (SipConnection::Channel(channel), open))
}

/// Carries messages both ways until the peer goes, falls silent or takes nothing more.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    peer: SipAddr,
    endpoint: EndpointInnerRef,
    stop: CancellationToken,
) -> Result<(), Error> {
    let (outgoing, to_send) = mpsc::channel(limits::SIP_WEBSOCKET_MESSAGES_AHEAD_MAX);
    let (echo, echoes) = mpsc::channel(1);
    let Some((connection, open)) = bridge(peer.clone(), outgoing, Some(stop.clone())).await else { return Ok(()) };
    endpoint.transport_layer.add_connection(connection.clone());
    let (mut sink, stream) = socket.split();
    let ended = tokio::select! {
        ended = hear(stream, &connection, &peer, &endpoint, echo) => ended,
        ended = speak(&mut sink, to_send, echoes) => ended,
        () = stop.cancelled() => Ok(()),
    };
    endpoint.transport_layer.remove_connection(&connection);
    drop(open);
    let _ = timeout(SEND_MAX, sink.close()).await; // The peer may have gone without a word.
    ended
}

async fn hear(
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
    connection: &SipConnection,
    peer: &SipAddr,
    endpoint: &EndpointInnerRef,
    echo: mpsc::Sender<Message>,
) -> Result<(), Error> {
    loop {
        let Ok(Some(frame)) = timeout(SILENT_MAX, stream.next()).await else { return Ok(()) };
        let frame = frame?;
        // One echo that waits is enough.
        match &frame {
            Message::Text(text) if text.as_bytes() == KEEP_ALIVE => drop(echo.try_send(Message::text(KEEP_ALIVE_ECHO))),
            Message::Binary(bytes) if bytes == KEEP_ALIVE => drop(echo.try_send(Message::binary(KEEP_ALIVE_ECHO))),
            Message::Text(_) | Message::Binary(_) => {
                let Some(message) = read(&frame.into_data(), peer) else { continue };
                if let Err(error) = endpoint.on_received_message(message, connection.clone(), peer).await {
                    tracing::debug!(%error, "a message was not taken");
                }
            }
            Message::Close(_) => return Ok(()),
            _ => {}
        }
    }
}

async fn speak(
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
    mut to_send: mpsc::Receiver<TransportEvent>,
    mut echoes: mpsc::Receiver<Message>,
) -> Result<(), Error> {
    let mut ping_at = Instant::now() + PING_EVERY;
    loop {
        let message = tokio::select! {
            event = to_send.recv() => match event {
                Some(TransportEvent::Incoming(message, ..)) => Message::text(message.to_string()),
                Some(_) => continue,
                None => return Ok(()),
            },
            Some(echo) = echoes.recv() => echo,
            () = sleep_until(ping_at) => {
                ping_at += PING_EVERY;
                Message::Ping(Vec::new().into())
            }
        };
        timeout(SEND_MAX, sink.send(message)).await.unwrap_or(Err(Error::ConnectionClosed))?;
    }
}

/// What is no message is dropped, as over datagrams.
fn read(bytes: &[u8], peer: &SipAddr) -> Option<SipMessage> {
    let message = SipMessage::try_from(bytes).ok()?;
    SipConnection::update_msg_received(message, peer.get_socketaddr().ok()?, peer.r#type?).ok()
}
