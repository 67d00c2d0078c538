//! Odd and broken messages: each has its verdict, and none hurts what comes after it.

#![allow(clippy::unwrap_used)]

mod support;

use futures_util::{SinkExt, StreamExt};
use sip::{Listen, Transport};
use std::net::SocketAddr;
use std::time::Duration;
use support::{LONG, Manners, Office, endpoint, ports};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

struct Case {
    name: String,
    verdict: Option<u16>,
    message: Vec<u8>,
}

fn cases(here: SocketAddr, peer: SocketAddr) -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/sip/torture.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("\n== ").skip(1);
    let case = |block: &str| {
        let (head, message) = block.split_once('\n').unwrap();
        let (name, verdict) = head.split_once(" | ").unwrap();
        // A blank line ends the headers; the one before the next block is not the body's.
        let message = message.trim_end_matches('\n');
        let message = if message.contains("\n\n") { message.to_owned() } else { format!("{message}\n\n") };
        let message = message.replace('\n', "\r\n");
        let filled = [
            ("{PEER}", peer.to_string()),
            ("{IP}", peer.ip().to_string()),
            ("{PORT}", peer.port().to_string()),
            ("{HERE}", here.to_string()),
            ("{LONG}", "x".repeat(2_000)),
            ("{TAB}", "\t".into()),
            ("{NUL}", "\0".into()),
        ];
        let message = filled.iter().fold(message, |message, (mark, text)| message.replace(mark, text));
        let verdict = (verdict != "none").then(|| verdict.parse().unwrap());
        Case { name: name.into(), verdict, message: message.into_bytes() }
    };
    blocks.map(case).collect()
}

fn probe(here: SocketAddr, peer: SocketAddr, number: usize) -> String {
    format!(
        "OPTIONS sip:frontdesk@{here} SIP/2.0\r\nVia: SIP/2.0/UDP {peer};branch=z9hG4bKprobe{number};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=p\r\nTo: <sip:b@example.com>\r\nCall-ID: probe{number}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A way in.
enum Way {
    Datagrams(UdpSocket, SocketAddr),
    WebSocket(Box<WebSocketStream<TcpStream>>),
}

impl Way {
    async fn open(transport: Transport, here: SocketAddr) -> (Self, SocketAddr) {
        if transport == Transport::Udp {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let peer = socket.local_addr().unwrap();
            return (Self::Datagrams(socket, here), peer);
        }
        let stream = TcpStream::connect(here).await.unwrap();
        let peer = stream.local_addr().unwrap();
        let mut request = format!("ws://{here}/").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "sip".parse().unwrap());
        let (socket, _) = client_async(request, stream).await.unwrap();
        (Self::WebSocket(Box::new(socket)), peer)
    }

    async fn send(&mut self, message: &[u8]) {
        match self {
            Self::Datagrams(socket, here) => drop(socket.send_to(message, *here).await.unwrap()),
            Self::WebSocket(socket) => socket.send(Message::binary(message.to_vec())).await.unwrap(),
        }
    }

    async fn receive(&mut self) -> Vec<u8> {
        let mut datagram = [0; 4_096];
        match self {
            Self::Datagrams(socket, _) => {
                let (bytes, _) = timeout(LONG, socket.recv_from(&mut datagram)).await.expect("an answer").unwrap();
                datagram[..bytes].to_vec()
            }
            Self::WebSocket(socket) => {
                timeout(LONG, socket.next()).await.expect("an answer").unwrap().unwrap().into_data().to_vec()
            }
        }
    }
}

/// The next final answer: its status, and whether it is about a probe.
async fn answer(way: &mut Way) -> (u16, bool) {
    loop {
        let text = String::from_utf8_lossy(&way.receive().await).into_owned();
        let status: u16 = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        if status >= 200 {
            return (status, text.contains("z9hG4bKprobe"));
        }
    }
}

async fn judges(transport: Transport) {
    let office = Office::new(Manners::default());
    let address = SocketAddr::from(([127, 0, 0, 1], ports(2)));
    let listen = Listen { transport, address };
    let (endpoint, _) = endpoint(&office, |config| config.listen.push(listen)).await;
    let mut wrong = Vec::new();
    for (number, name) in cases(address, address).into_iter().map(|case| case.name).enumerate() {
        // Each has its own way in, so that a repeated refusal of one is not taken for the answer to the next.
        let (mut way, peer) = Way::open(transport, address).await;
        let case = cases(address, peer).swap_remove(number);
        way.send(&case.message).await;
        let first = match case.verdict {
            Some(_) => {
                let got = timeout(Duration::from_secs(5), answer(&mut way)).await;
                got.ok().map(|(status, _)| status)
            }
            None => None,
        };
        way.send(probe(address, peer, number).as_bytes()).await;
        let mut after = answer(&mut way).await;
        let unasked = (!after.1).then_some(after.0).filter(|status| Some(*status) != case.verdict);
        while !after.1 {
            after = answer(&mut way).await;
        }
        assert_eq!(after.0, 200, "{name}: we are still there");
        if first != case.verdict || unasked.is_some() {
            wrong.push(format!("{name}: expected {:?}, got {:?}", case.verdict, first.or(unasked)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn every_odd_message_has_its_verdict_and_hurts_nobody() {
    judges(Transport::Udp).await;
}

#[tokio::test]
async fn every_odd_message_has_the_same_verdict_over_a_websocket() {
    judges(Transport::Ws).await;
}
