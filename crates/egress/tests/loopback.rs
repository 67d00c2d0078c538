//! What the way out does with peers that misbehave, on loopback.

use base::wire::{Connect, Header, HttpRequest, Method, Wire};
use base::{ErrorClass, Millis, limits};
use egress::{Egress, EgressConfig, Policy, UpgradeError};
use futures_util::{SinkExt, StreamExt};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;

fn egress() -> Egress {
    Egress::new(EgressConfig::new(Policy::Operator))
}

async fn port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    (listener, address)
}

fn get(address: &str) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        url: format!("http://{address}/path"),
        headers: vec![Header::secret("authorization", "Bearer sk-secret"), Header::plain("x-test", "1")],
        body: Vec::new(),
    }
}

fn open(address: &str) -> Connect {
    let headers = vec![Header::secret("authorization", "Token sk-secret")];
    Connect { headers, ..Connect::websocket(format!("ws://{address}/listen")) }
}

/// Reads the head of a request.
async fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.expect("a request"));
    }
    String::from_utf8(text).expect("text")
}

/// Answers one request with these bytes, then closes. Gives the request's head back.
async fn answer(listener: TcpListener, bytes: Vec<u8>) -> String {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let request = head(&mut stream).await;
    // The client may have gone away before it all was written: that is what some tests are about.
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
    request
}

#[tokio::test]
async fn a_request_arrives_as_it_was_described() {
    let (listener, address) = port().await;
    let reply = b"HTTP/1.1 429 Too Many\r\nRetry-After: 2\r\nContent-Length: 4\r\n\r\nbusy".to_vec();
    let server = tokio::spawn(answer(listener, reply));
    let response = egress().http(get(&address), Millis(2_000)).await.expect("an answer");
    assert_eq!((response.status, response.header("retry-after")), (429, Some("2")));
    assert_eq!(&response.body[..], b"busy");
    let request = server.await.expect("a request").to_lowercase();
    assert!(request.starts_with("get /path http/1.1\r\n"), "{request}");
    for line in ["authorization: bearer sk-secret\r\n", "x-test: 1\r\n", "user-agent: frontdesk/"] {
        assert!(request.contains(line), "{request}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (listener, address) = port().await;
    let (other, elsewhere) = port().await;
    let reply = format!("HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/\r\nContent-Length: 0\r\n\r\n");
    tokio::spawn(answer(listener, reply.into_bytes()));
    let response = egress().http(get(&address), Millis(2_000)).await.expect("an answer");
    assert_eq!(response.status, 302);
    assert!(tokio::time::timeout(Duration::from_millis(50), other.accept()).await.is_err());
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_costs_the_deadline_and_no_more() {
    let (listener, address) = port().await;
    let (http, socket) = (egress(), egress());
    let began = Instant::now();
    let failure = http.http(get(&address), Millis(150)).await.expect_err("no answer");
    assert_eq!(failure.class, ErrorClass::Timeout);
    let Err(UpgradeError::Failed(failure)) = socket.websocket(open(&address), Millis(150)).await else {
        panic!("opened")
    };
    assert_eq!(failure.class, ErrorClass::Timeout);
    assert!(began.elapsed() < Duration::from_millis(1_000), "{:?}", began.elapsed());
    drop(listener);
}

#[tokio::test]
async fn headers_that_trickle_in_do_not_stretch_the_deadline() {
    let (listener, address) = port().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'a')) {
            tick.tick().await;
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    });
    let began = Instant::now();
    let failure = egress().http(get(&address), Millis(200)).await.expect_err("too slow");
    assert_eq!(failure.class, ErrorClass::Timeout);
    assert!(began.elapsed() < Duration::from_millis(800));
    server.abort();
}

#[tokio::test]
async fn a_body_that_pauses_is_late_and_one_that_never_ends_is_cut_off() {
    let (listener, address) = port().await;
    let (done, wait) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.expect("sent");
        let _ = wait.await;
    });
    let (status, _, mut stream) = egress().http_stream(get(&address), Millis(2_000)).await.expect("a head");
    assert_eq!(status, 200);
    assert_eq!(stream.next(Millis(2_000)).await.expect("bytes").as_deref(), Some(&b"half"[..]));
    assert_eq!(stream.next(Millis(50)).await.expect_err("late").class, ErrorClass::Timeout);
    drop(done);

    let (listener, address) = port().await;
    let mut endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    endless.resize(limits::PROVIDER_BODY_BYTES_MAX + 100_000, b'x');
    tokio::spawn(answer(listener, endless));
    let failure = egress().http(get(&address), Millis(5_000)).await.expect_err("too large");
    assert_eq!(failure.class, ErrorClass::Protocol);

    let (listener, address) = port().await;
    let announced = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", u64::from(u32::MAX));
    tokio::spawn(answer(listener, announced.into_bytes()));
    let failure = egress().http(get(&address), Millis(5_000)).await.expect_err("too large");
    assert!(failure.detail.contains("larger"), "{failure}");
}

#[tokio::test]
async fn closed_ports_cut_connections_and_garbage_are_told_apart_without_the_key() {
    let closed = { port().await.1 };
    let failure = egress().http(get(&closed), Millis(1_000)).await.expect_err("closed");
    assert_eq!(failure.class, ErrorClass::Unavailable);
    assert!(failure.detail.contains("refused"), "{failure}");
    let Err(UpgradeError::Failed(failure)) = egress().websocket(open(&closed), Millis(1_000)).await else { panic!() };
    assert_eq!(failure.class, ErrorClass::Unavailable);
    let unanswered = egress().http_once(get(&closed), Millis(1_000)).await.expect_err("closed");
    assert!(!unanswered.may_have_arrived, "{unanswered:?}");

    let (listener, address) = port().await;
    tokio::spawn(async move {
        for _ in 0..3 {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_zero_linger().expect("a reset instead of a close");
        }
    });
    let failure = egress().http(get(&address), Millis(1_000)).await.expect_err("reset");
    assert_eq!(failure.class, ErrorClass::Protocol, "{failure}");
    assert!(!failure.detail.contains("path") && !failure.detail.contains("sk-"), "{failure}");
    let Err(UpgradeError::Failed(failure)) = egress().websocket(open(&address), Millis(1_000)).await else { panic!() };
    assert_eq!(failure.class, ErrorClass::Protocol, "{failure}");
    let unanswered = egress().http_once(get(&address), Millis(1_000)).await.expect_err("reset");
    assert!(unanswered.may_have_arrived, "{unanswered:?}");

    let (listener, address) = port().await;
    tokio::spawn(answer(listener, b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()));
    let failure = egress().http(get(&address), Millis(1_000)).await.expect_err("garbage");
    assert_eq!(failure.class, ErrorClass::Protocol, "{failure}");
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_named_and_not_shown() {
    let mut request = get("127.0.0.1:1");
    request.headers.push(Header::secret("x-key", "sk-secret\r\nhost: evil"));
    let failure = egress().http(request, Millis(1_000)).await.expect_err("refused");
    assert_eq!(failure.class, ErrorClass::Invalid);
    assert!(failure.detail.contains("x-key") && !failure.detail.contains("secret"), "{failure}");
}

#[tokio::test]
async fn a_refused_upgrade_comes_with_all_that_explains_it() {
    let (listener, address) = port().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let request = head(&mut stream).await;
        let reply = "HTTP/1.1 401 Unauthorized\r\nDG-Error: bad\r\nContent-Length: 24\r\n\r\n";
        stream.write_all(reply.as_bytes()).await.expect("sent");
        // The body comes in a packet of its own.
        stream.flush().await.expect("sent");
        tokio::task::yield_now().await;
        stream.write_all(b"{\"err_code\":\"INVALID_A\"}").await.expect("sent");
        let _ = stream.read_u8().await;
        request
    });
    let refused = egress().websocket(open(&address), Millis(2_000)).await;
    let Err(UpgradeError::Refused(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!((refusal.status, refusal.body.as_str()), (401, "{\"err_code\":\"INVALID_A\"}"));
    assert!(refusal.headers.contains(&("dg-error".into(), "bad".into())));
    assert!(server.await.expect("a request").to_lowercase().contains("authorization: token sk-secret"));
}

#[tokio::test]
async fn a_socket_carries_messages_both_ways_and_tells_how_it_ended() {
    let (listener, address) = port().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut socket = tokio_tungstenite::accept_async(stream).await.expect("an upgrade");
        let mut got = Vec::new();
        for _ in 0..2 {
            got.push(socket.next().await.expect("a message").expect("whole"));
        }
        socket.send(Message::Ping("are you there".into())).await.expect("sent");
        let pong = socket.next().await.expect("a message").expect("whole");
        assert!(matches!(pong, Message::Pong(_)), "{pong:?}");
        socket.send(Message::text("hello")).await.expect("sent");
        socket.send(Message::binary(vec![1, 2, 3])).await.expect("sent");
        socket.close(None).await.expect("closed");
        got
    });
    let mut connect = open(&address);
    connect.first = vec![Wire::Text("first".into())];
    let socket = egress().websocket(connect, Millis(2_000)).await.expect("open");
    let (mut sender, mut receiver) = socket.split();
    assert_eq!(receiver.recv(Millis(30)).await.expect_err("nothing yet").class, ErrorClass::Timeout);
    sender.send(vec![Wire::Binary(vec![9; 320])], Millis(1_000)).await.expect("sent");
    assert_eq!(receiver.recv(Millis(1_000)).await, Ok(Wire::Text("hello".into())));
    assert_eq!(receiver.recv(Millis(1_000)).await, Ok(Wire::Binary(vec![1, 2, 3])));
    assert_eq!(receiver.recv(Millis(1_000)).await, Ok(Wire::Close(1005, "".into())));
    assert_eq!(receiver.recv(Millis(1_000)).await.expect_err("closed").class, ErrorClass::Protocol);
    let got = server.await.expect("messages");
    assert_eq!(got, vec![Message::text("first"), Message::binary(vec![9; 320])]);
}

#[tokio::test]
async fn oversized_messages_and_peers_that_do_not_read_have_an_end() {
    let (listener, address) = port().await;
    let (done, wait) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut socket = tokio_tungstenite::accept_async(stream).await.expect("an upgrade");
        let _ = socket.send(Message::binary(vec![0; limits::PROVIDER_MESSAGE_BYTES_MAX + 1])).await;
        let _ = wait.await;
        drop(socket);
    });
    let socket = egress().websocket(open(&address), Millis(2_000)).await.expect("open");
    let (mut sender, mut receiver) = socket.split();
    let failure = receiver.recv(Millis(5_000)).await.expect_err("too large");
    assert_eq!(failure.class, ErrorClass::Protocol);
    assert!(failure.detail.contains("larger"), "{failure}");

    let mut outcome = Ok(());
    for _ in 0..64 {
        outcome = sender.send(vec![Wire::Binary(vec![0; 500_000])], Millis(100)).await;
        if outcome.is_err() {
            break;
        }
    }
    assert_eq!(outcome.expect_err("the peer does not read").class, ErrorClass::Timeout);
    drop(done);
}
