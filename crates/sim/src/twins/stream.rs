//! An answer that streams, with the faults that may strike it.

use super::fault::{Fault, Moment};
use super::server::Shared;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;

/// Events of one answer, each a whole piece of the body.
pub(crate) struct Answer {
    pub(crate) shared: Shared,
    pub(crate) events: Vec<String>,
    /// How many events are out when a fault in the middle strikes.
    pub(crate) middle: usize,
    pub(crate) first_ms: u64,
    pub(crate) gap_ms: u64,
    /// What struck at the start and goes on.
    pub(crate) fault: Option<Fault>,
    /// The vendor's way to report a status inside a stream.
    pub(crate) error: fn(u16) -> String,
}

impl Answer {
    /// The head of the answer; the rest follows in its own time.
    pub(crate) fn start(self) -> Response {
        let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(1);
        tokio::spawn(async move {
            let shared = self.shared.clone();
            tokio::select! {
                () = self.send(sender) => {}
                () = shared.stopped() => {}
            }
        });
        let body = futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let headers = [("content-type", "text/event-stream"), ("cache-control", "no-cache")];
        (headers, Body::from_stream(body)).into_response()
    }

    async fn send(self, sender: mpsc::Sender<io::Result<Bytes>>) {
        let mut gap = Duration::from_millis(self.gap_ms);
        let mut fault = self.fault;
        let mut wait = Duration::from_millis(self.first_ms);
        for (n, event) in self.events.into_iter().enumerate() {
            if n == self.middle {
                fault = self.shared.faults.strike(Moment::MidTurn);
            }
            match fault.take() {
                None => {}
                Some(Fault::Slow { delay_ms }) => {
                    wait += Duration::from_millis(delay_ms);
                    gap += Duration::from_millis(delay_ms);
                }
                Some(Fault::Cut | Fault::Refuse) => {
                    let _ = sender.send(Err(io::ErrorKind::ConnectionReset.into())).await;
                    return;
                }
                Some(Fault::Garbage) => {
                    let _ = sender.send(Ok(Bytes::from_static(b"data: {\"choices\": [}\xff\n\n"))).await;
                    return sender.closed().await;
                }
                Some(Fault::HalfOpen | Fault::BlackHole | Fault::Silent) => return sender.closed().await,
                Some(Fault::Status { status, .. }) => {
                    let _ = sender.send(Ok((self.error)(status).into())).await;
                    return;
                }
            }
            tokio::time::sleep(wait).await;
            wait = gap;
            if sender.send(Ok(event.into())).await.is_err() {
                return self.shared.record.add("called off");
            }
        }
        self.shared.record.add("answered");
    }
}
