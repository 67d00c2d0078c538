//! SIP over WebSockets (RFC 7118): JsSIP calls, and what is no peer is turned away.

#![allow(clippy::unwrap_used)]

mod support;

use base::Secret;
use futures_util::{SinkExt, StreamExt};
use model::call::CallState;
use serde_json::Value;
use sip::{Config, Endpoint, Listen, Transport};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use support::{LONG, Manners, Office, Seen, certificate, endpoint, ports};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{client_async, tungstenite};

async fn listens(
    transport: Transport,
    manners: Manners,
    change: impl FnOnce(&mut Config),
) -> (Arc<Office>, Endpoint, SocketAddr) {
    let office = Office::new(manners);
    let address = SocketAddr::from(([127, 0, 0, 1], ports(2)));
    let (endpoint, _) = endpoint(&office, |config| {
        config.listen.push(Listen { transport, address });
        change(config);
    })
    .await;
    (office, endpoint, address)
}

/// What JsSIP says of its call.
async fn calls(url: &str, manner: &str, authority: &Path) -> Vec<Value> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let packages = root.join(".frontdesk/conformance/node");
    assert!(
        packages.join("node_modules").exists(),
        "{} is missing: `cargo xtask test` installs it",
        packages.display()
    );
    let mut node = Command::new("node");
    node.arg(root.join("fixtures/conformance/sip_websocket.mjs")).args([url, "secret", manner]);
    node.env("FRONTDESK_CONFORMANCE_NODE", packages).env("NODE_EXTRA_CA_CERTS", authority);
    let output = node.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(LONG, output).await.expect("the call ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// JsSIP calls over TLS, from an address that is nobody's, with a password.
async fn called(manner: &str, manners: Manners) -> (Vec<Value>, Seen) {
    let (certificate, authority) = certificate();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    let (office, endpoint, address) = listens(Transport::Wss, manners, |config| {
        config.certificate = Some(certificate);
        let trunk = &mut config.trunks[0];
        (trunk.host, trunk.transport) = ("192.0.2.1".into(), Transport::Wss);
        (trunk.user, trunk.password) = (Some("browser".into()), Some(Secret::new("secret".into())));
    })
    .await;
    let said = calls(&format!("wss://{address}"), manner, &file).await;
    let seen = office.until("the call is over", Seen::is_over).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
    assert_eq!(endpoint.calls(), 0);
    (said, seen)
}

fn last<'a>(said: &'a [Value], event: &str) -> &'a Value {
    said.iter().rev().find(|line| line["event"] == event).unwrap_or_else(|| panic!("no {event}: {said:?}"))
}

#[tokio::test]
async fn a_page_calls_proves_itself_is_heard_and_hangs_up() {
    let (said, seen) = called("hangs_up", Manners::default()).await;
    assert_eq!(last(&said, "progress")["status"], 180);
    assert!(last(&said, "accepted")["contact"].as_str().unwrap().to_lowercase().contains("transport=ws"), "{said:?}");
    assert_eq!(last(&said, "ended")["originator"], "local");
    assert!(last(&said, "ended")["loud"].as_u64().unwrap() >= 50, "it hears itself: {said:?}");
    assert!(seen.loud_frames >= 40, "{} loud frames", seen.loud_frames);
}

#[tokio::test]
async fn a_page_is_hung_up_on_over_the_connection_that_it_made() {
    let (said, _) = called("stays", Manners { frames_max: 30, ..Manners::default() }).await;
    assert_eq!(last(&said, "ended")["originator"], "remote");
}

type Socket = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

async fn connect(address: SocketAddr, subprotocol: Option<&'static str>) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    if let Some(subprotocol) = subprotocol {
        request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().unwrap());
    }
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    timeout(LONG, client_async(request, stream)).await.unwrap().map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Option<Message> {
    timeout(LONG, socket.next()).await.unwrap().and_then(Result::ok)
}

#[tokio::test]
async fn who_does_not_speak_sip_is_turned_away() {
    let (_office, _endpoint, address) = listens(Transport::Ws, Manners::default(), |_| {}).await;
    for subprotocol in [None, Some("chat"), Some("sipx, chat")] {
        let Err(Error::Http(refusal)) = connect(address, subprotocol).await else { panic!("{subprotocol:?}") };
        assert_eq!(refusal.status(), tungstenite::http::StatusCode::BAD_REQUEST);
    }
    assert!(connect(address, Some("chat, sip")).await.is_ok());
}

#[tokio::test]
async fn connections_are_kept_alive_bounded_and_given_up() {
    let (_office, _endpoint, address) = listens(Transport::Ws, Manners::default(), |_| {}).await;
    let mut socket = connect(address, Some("sip")).await.unwrap();
    socket.send(Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(next(&mut socket).await, Some(Message::text("\r\n")));
    // Time that passes for us and not for the network.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    assert_eq!(next(&mut socket).await, Some(Message::Ping(Vec::new().into())));
    let mut rude = connect(address, Some("sip")).await.unwrap();
    rude.send(Message::text("x".repeat(70_000))).await.unwrap();
    assert!(!matches!(next(&mut rude).await, Some(Message::Text(_) | Message::Binary(_))), "it is hung up on");
    let mut silent = connect(address, Some("sip")).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(91)).await;
    tokio::time::resume();
    while let Some(message) = next(&mut silent).await {
        assert!(matches!(message, Message::Ping(_) | Message::Close(_)), "{message}");
    }
}
