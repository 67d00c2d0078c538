//! Odd and broken messages: each has its verdict, and none hurts what comes after it.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;
use support::{LONG, Manners, Office, endpoint};
use tokio::net::UdpSocket;
use tokio::time::timeout;

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

/// The next final answer: its status, and whether it is about a probe.
async fn answer(socket: &UdpSocket) -> (u16, bool) {
    let mut datagram = [0; 4_096];
    loop {
        let (bytes, _) = timeout(LONG, socket.recv_from(&mut datagram)).await.expect("an answer").unwrap();
        let text = String::from_utf8_lossy(&datagram[..bytes]).into_owned();
        let status: u16 = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        if status >= 200 {
            return (status, text.contains("z9hG4bKprobe"));
        }
    }
}

#[tokio::test]
async fn every_odd_message_has_its_verdict_and_hurts_nobody() {
    let office = Office::new(Manners::default());
    let (endpoint, here) = endpoint(&office, |_| {}).await;
    let mut wrong = Vec::new();
    for (number, name) in cases(here, here).into_iter().map(|case| case.name).enumerate() {
        // Each has its own socket, so that a repeated refusal of one is not taken for the answer to the next.
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let peer = socket.local_addr().unwrap();
        let case = cases(here, peer).swap_remove(number);
        socket.send_to(&case.message, here).await.unwrap();
        let first = match case.verdict {
            Some(_) => {
                let got = timeout(Duration::from_secs(5), answer(&socket)).await;
                got.ok().map(|(status, _)| status)
            }
            None => None,
        };
        socket.send_to(probe(here, peer, number).as_bytes(), here).await.unwrap();
        let mut after = answer(&socket).await;
        let unasked = (!after.1).then_some(after.0).filter(|status| Some(*status) != case.verdict);
        while !after.1 {
            after = answer(&socket).await;
        }
        assert_eq!(after.0, 200, "{name}: we are still there");
        if first != case.verdict || unasked.is_some() {
            wrong.push(format!("{name}: expected {:?}, got {:?}", case.verdict, first.or(unasked)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(endpoint.calls(), 0);
}
