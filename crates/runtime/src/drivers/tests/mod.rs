//! Drivers against small servers on loopback that misbehave in every way, with a toy protocol.

mod calls;
mod llm;
mod matrix;
mod stt;
mod tts;
mod voices;

use egress::{Egress, EgressConfig, Policy};
use futures_util::{SinkExt, StreamExt};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub(super) fn egress() -> Arc<Egress> {
    Arc::new(Egress::new(EgressConfig::new(Policy::Operator)))
}

/// A server that the test itself drives.
pub(super) struct Server {
    listener: TcpListener,
    pub(super) address: String,
}

pub(super) async fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    Server { listener, address }
}

impl Server {
    pub(super) async fn accept(&self) -> TcpStream {
        let stream = self.listener.accept().await.expect("a connection").0;
        // Small writes must not wait for acknowledgements that the other side delays.
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    pub(super) async fn socket(&self) -> Peer {
        let stream = self.accept().await;
        Peer(tokio_tungstenite::accept_async(stream).await.expect("an upgrade"))
    }
}

/// The other end of a WebSocket.
pub(super) struct Peer(pub(super) WebSocketStream<TcpStream>);

impl Peer {
    pub(super) async fn say(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).await.expect("sent");
    }

    /// The next message; `None` when the socket is over.
    pub(super) async fn hear(&mut self) -> Option<Message> {
        let next = timeout(Duration::from_secs(5), self.0.next()).await.expect("a message in time");
        next.and_then(Result::ok)
    }

    /// Resets the connection.
    pub(super) fn cut(self) {
        self.0.get_ref().set_zero_linger().expect("a reset instead of a close");
    }
}

/// Reads the head of an HTTP request and a body of the announced length.
pub(super) async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.expect("a request"));
    }
    let mut text = String::from_utf8(text).expect("text");
    let length = text.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.expect("a body");
    text.push_str(&String::from_utf8(body).expect("text"));
    text
}

/// The next event.
pub(super) async fn next<T>(events: &mut mpsc::Receiver<T>) -> T {
    timeout(Duration::from_secs(5), events.recv()).await.expect("an event in time").expect("an event")
}

/// How many tasks are alive, to be compared with [`gone`].
pub(super) fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits until no more tasks are alive than before, and answers how long that took.
pub(super) async fn gone(before: usize) -> Duration {
    let began = Instant::now();
    while tasks() > before {
        assert!(began.elapsed() < Duration::from_secs(3), "{} tasks are left", tasks() - before);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

/// Stops real time, waits for something that only a deadline can bring, and answers how long it took in tokio's time.
pub(super) async fn deadline<T>(wait: impl Future<Output = T>) -> (T, Duration) {
    // What is under way on sockets must arrive before time jumps.
    tokio::time::sleep(Duration::from_millis(20)).await;
    tokio::time::pause();
    let began = Instant::now();
    let outcome = wait.await;
    let took = began.elapsed();
    tokio::time::resume();
    (outcome, took)
}

#[track_caller]
pub(super) fn about(took: Duration, wanted_ms: u64) {
    let took_ms = took.as_millis() as u64;
    assert!(took_ms <= wanted_ms + 20 && took_ms + 200 >= wanted_ms, "{took_ms} ms instead of {wanted_ms} ms");
}

/// Metrics of this test alone.
pub(super) struct Metrics {
    pub(super) recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

pub(super) fn metrics() -> Metrics {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    Metrics { recorder, handle }
}

impl Metrics {
    /// The value of the only series that begins with this name and holds these labels.
    #[track_caller]
    pub(super) fn value(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.handle.render();
        let fits = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
        let line = text.lines().find(fits).unwrap_or_else(|| panic!("no {name} {labels:?} in\n{text}"));
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a value")
    }
}
