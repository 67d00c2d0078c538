//! Sessions of one socket, over loopback.

use crate::peer::Peer;
use base::wire::Wire;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use webrtc::{Gateway, Line, OpenError, Received, Settings, TrickleError};

const PATIENCE: Duration = Duration::from_secs(20);

async fn gateway(sessions_max: usize) -> Gateway {
    let settings = Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_addresses: Vec::new(),
        ice_servers: Vec::new(),
        sessions_max,
    };
    Gateway::bind(settings, CancellationToken::new()).await.unwrap()
}

struct Browser {
    socket: UdpSocket,
    peer: Peer,
}

impl Browser {
    async fn offer() -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (peer, offer) = Peer::new(Instant::now(), socket.local_addr().unwrap());
        (Self { socket, peer }, offer)
    }

    /// Goes on until this is so.
    async fn until(&mut self, is_so: impl Fn(&Peer) -> bool) {
        let live = async {
            let mut buffer = vec![0; 2_048];
            while !is_so(&self.peer) {
                while let Some((to, datagram)) = self.peer.outbox.pop_front() {
                    self.socket.send_to(&datagram, to).await.unwrap();
                }
                tokio::select! {
                    received = self.socket.recv_from(&mut buffer) => {
                        let (length, source): (usize, SocketAddr) = received.unwrap();
                        self.peer.handle(Instant::now(), source, &buffer[..length]);
                    }
                    () = tokio::time::sleep_until(self.peer.deadline.into()) => self.peer.tick(Instant::now()),
                }
            }
            while let Some((to, datagram)) = self.peer.outbox.pop_front() {
                self.socket.send_to(&datagram, to).await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, live).await.expect("the session should have gone on");
    }

    async fn say(&mut self, text: &str) {
        self.peer.say(Instant::now(), text);
        self.until(|peer| peer.outbox.is_empty()).await;
    }
}

async fn connected(gateway: &Gateway, door: &str) -> (Browser, Line) {
    let (mut browser, offer) = Browser::offer().await;
    let opened = gateway.open(door, &offer).await.unwrap();
    browser.peer.answered(Instant::now(), &opened.answer);
    browser.until(|peer| peer.is_open).await;
    (browser, opened.line)
}

async fn next_text(line: &mut Line) -> String {
    let next = async {
        loop {
            match poll_fn(|cx| line.poll_recv(cx)).await.expect("the session stands") {
                Received::Text(text) => return text,
                Received::Audio(_) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.expect("a message should have come")
}

async fn send(line: &mut Line, message: Wire) {
    assert!(poll_fn(|cx| line.poll_ready(cx)).await);
    assert!(line.start_send(message));
}

#[tokio::test]
async fn two_sessions_share_a_socket_and_a_flood_of_rubbish_hurts_neither() {
    let gateway = gateway(8).await;
    let (mut one, mut line_one) = Box::pin(connected(&gateway, "a")).await;
    let (mut two, mut line_two) = Box::pin(connected(&gateway, "b")).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = gateway.local_addr().unwrap();
    for n in 0..2_000_u32 {
        let mut rubbish = vec![(n % 256) as u8; (n % 300) as usize];
        rubbish.extend_from_slice(&n.to_be_bytes());
        stranger.send_to(&rubbish, to).await.unwrap();
    }
    one.say(r#"{"type":"text","text":"one"}"#).await;
    two.say(r#"{"type":"text","text":"two"}"#).await;
    let heard = tokio::join!(
        async {
            tokio::select! { text = next_text(&mut line_one) => text, () = one.until(|_| false) => unreachable!() }
        },
        async {
            tokio::select! { text = next_text(&mut line_two) => text, () = two.until(|_| false) => unreachable!() }
        }
    );
    assert!(heard.0.contains("one") && heard.1.contains("two"), "{heard:?}");
    send(&mut line_one, Wire::Text(r#"{"type":"live","event":"x"}"#.into())).await;
    one.until(|peer| peer.texts.len() == 1).await;
    assert_eq!(gateway.sessions(), 2);
}

#[tokio::test]
async fn sessions_are_counted_and_a_host_that_goes_frees_its_place() {
    let gateway = gateway(1).await;
    let (mut browser, line) = Box::pin(connected(&gateway, "a")).await;
    let (_, offer) = Browser::offer().await;
    assert!(matches!(gateway.open("a", &offer).await, Err(OpenError::Busy)));
    drop(line);
    browser.until(|peer| peer.is_closed).await;
    let freed = async {
        while gateway.sessions() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.expect("the place is free again");
    assert!(gateway.open("a", &offer).await.is_ok());
}

#[tokio::test]
async fn only_whoever_opened_a_session_changes_it_and_only_as_it_stands() {
    let gateway = gateway(8).await;
    let (_browser, offer) = Browser::offer().await;
    let opened = gateway.open("mine", &offer).await.unwrap();
    let more = "a=candidate:1 1 udp 2130706431 192.0.2.9 5000 typ host\r\na=end-of-candidates\r\n";
    let trickle = async |door: &str, etag: &str, text: &str| gateway.trickle(door, opened.id, etag, text).await;
    assert_eq!(trickle("mine", &opened.etag, more).await, Ok(()));
    assert_eq!(trickle("theirs", &opened.etag, more).await, Err(TrickleError::NotFound));
    assert_eq!(trickle("mine", "other", more).await, Err(TrickleError::Stale));
    let restart = format!("a=ice-ufrag:anew\r\n{more}");
    assert_eq!(trickle("mine", &opened.etag, &restart).await, Err(TrickleError::Restart));
    assert_eq!(trickle("mine", &opened.etag, &more.repeat(99)).await, Err(TrickleError::TooMany));
    assert!(!gateway.close("theirs", opened.id));
    assert!(gateway.close("mine", opened.id));
    let mut line = opened.line;
    let gone = tokio::time::timeout(PATIENCE, poll_fn(|cx| line.poll_recv(cx))).await;
    assert_eq!(gone.expect("the session ends"), None);
}
