//! TLS on loopback: an authority that is trusted, one that is not, a name that is somebody else's.

use base::wire::{Connect, Header, HttpRequest, Method, Wire};
use base::{ErrorClass, Millis};
use egress::{Egress, EgressConfig, Policy, UpgradeError, install_crypto};
use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    authority: CertificateDer<'static>,
    port: u16,
}

/// A server whose certificate is for this name, signed by an authority of its own.
async fn server(name: &str) -> Server {
    install_crypto();
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], private).expect("a configuration");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    Server { listener, acceptor: Arc::new(config).into(), authority: authority.der().clone(), port }
}

fn trusting(server: &Server) -> Egress {
    let mut config = EgressConfig::new(Policy::Operator);
    config.extra_roots = vec![server.authority.clone()];
    Egress::new(config)
}

fn get(server: &Server) -> HttpRequest {
    let url = format!("https://localhost:{}/", server.port);
    HttpRequest { method: Method::Get, url, headers: Vec::new(), body: Vec::new() }
}

fn open(server: &Server) -> Connect {
    Connect::websocket(format!("wss://localhost:{}/", server.port))
}

fn call(port: u16) -> Connect {
    let headers = vec![Header::secret("authorization", "Bearer sk-1")];
    Connect { headers, ..Connect::grpc(format!("https://localhost:{port}/acme.Ears/Hear")) }
}

#[tokio::test]
async fn requests_and_sockets_are_encrypted_to_whom_we_trust() {
    let server = server("localhost").await;
    let egress = trusting(&server);
    let (request, connect) = (get(&server), open(&server));
    let peer = tokio::spawn(async move {
        let (stream, _) = server.listener.accept().await.expect("a connection");
        let mut stream = server.acceptor.accept(stream).await.expect("TLS");
        let mut head = [0; 1024];
        assert!(stream.read(&mut head).await.expect("a request") > 0);
        let reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        stream.write_all(reply).await.expect("sent");
        stream.shutdown().await.expect("closed");

        let (stream, _) = server.listener.accept().await.expect("a connection");
        let stream = server.acceptor.accept(stream).await.expect("TLS");
        let mut socket = tokio_tungstenite::accept_async(stream).await.expect("an upgrade");
        let message = socket.next().await.expect("a message").expect("whole");
        socket.send(message).await.expect("sent");
    });
    let response = egress.http(request, Millis(5_000)).await.expect("an answer");
    assert_eq!((response.status, &response.body[..]), (200, &b"ok"[..]));
    let socket = egress.websocket(connect, Millis(5_000)).await.expect("open");
    let (mut sender, mut receiver) = socket.split();
    sender.send(vec![Wire::Text("echo".into())], Millis(1_000)).await.expect("sent");
    assert_eq!(receiver.recv(Millis(1_000)).await, Ok(Wire::Text("echo".into())));
    peer.await.expect("no panic");
}

#[tokio::test]
async fn a_stranger_and_an_impostor_are_refused_before_a_word_is_said() {
    for (server, trusted) in [(server("localhost").await, false), (server("somebody.else").await, true)] {
        let egress = if trusted { trusting(&server) } else { Egress::new(EgressConfig::new(Policy::Operator)) };
        let (request, connect, port) = (get(&server), open(&server), server.port);
        let peer = tokio::spawn(async move {
            for _ in 0..3 {
                let (stream, _) = server.listener.accept().await.expect("a connection");
                assert!(server.acceptor.accept(stream).await.is_err(), "the handshake fails");
            }
        });
        let failure = egress.http(request, Millis(5_000)).await.expect_err("refused");
        assert_eq!(failure.class, ErrorClass::Unavailable, "{failure}");
        assert!(failure.detail.contains("certificate"), "{failure}");
        let refused = egress.websocket(connect, Millis(5_000)).await;
        let Err(UpgradeError::Failed(failure)) = refused else { panic!("{refused:?}") };
        assert!(failure.detail.contains("certificate"), "{failure}");
        let refused = egress.grpc(call(port), Millis(5_000)).await;
        let Err(UpgradeError::Failed(failure)) = refused else { panic!("{refused:?}") };
        assert!(failure.detail.contains("certificate"), "{failure}");
        peer.await.expect("no panic");
    }
}

/// Echoes the body of a call, with the connection to itself.
async fn echo(stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>) {
    let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
        assert_eq!(request.headers()["te"], "trailers");
        assert_eq!(request.headers()["authorization"], "Bearer sk-1");
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", 0.into());
        let body = request.into_body().with_trailers(async move { Some(Ok(trailers)) });
        let answer = http::Response::builder().header("content-type", "application/grpc");
        answer.body(body)
    });
    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

#[tokio::test]
async fn calls_are_encrypted_and_share_one_connection() {
    let server = server("localhost").await;
    let (egress, port) = (trusting(&server), server.port);
    let peer = tokio::spawn(async move {
        let (stream, _) = server.listener.accept().await.expect("a connection");
        echo(server.acceptor.accept(stream).await.expect("TLS")).await;
    });
    let span = Millis(5_000);
    let mut first = egress.grpc(call(port), span).await.expect("open");
    let mut second = egress.grpc(call(port), span).await.expect("open");
    for (call, word) in [(&mut first, "one"), (&mut second, "two")] {
        call.send(vec![Wire::Binary(word.into()), Wire::End], span).await.expect("sent");
        assert_eq!(call.recv(span).await.expect("an answer"), Some(Wire::Binary(word.into())));
        assert_eq!(call.recv(span).await.expect("an end"), Some(Wire::End));
        assert_eq!(call.recv(Millis(10)).await.expect("nothing"), None, "nothing follows the end");
    }
    drop((first, second, egress));
    peer.await.expect("no panic");
}
