//! Several HTTP requests as one conversation: answers come in the order of the requests, the next ones are fetched while
//! the first is read.

use base::wire::{HttpRequest, Wire};
use base::{ErrorClass, Failure, Millis, limits};
use egress::{Egress, Refusal, UpgradeError};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;

type Piece = Result<Wire, UpgradeError>;

/// Requests and their answers. Dropping it drops every request wherever it stands.
pub(super) struct Exchanges {
    egress: Arc<Egress>,
    waiting: VecDeque<HttpRequest>,
    /// The oldest first: it is the one that is read.
    open: VecDeque<mpsc::Receiver<Piece>>,
}

impl Exchanges {
    pub(super) fn new(egress: Arc<Egress>) -> Self {
        Self { egress, waiting: VecDeque::new(), open: VecDeque::new() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < limits::HTTP_REQUESTS_WAITING_MAX
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn send(&mut self, out: Vec<Wire>) -> Result<(), Failure> {
        for wire in out {
            match wire {
                Wire::Request(request) if self.has_room() => self.waiting.push_back(*request),
                Wire::Request(_) => return Err(Failure::new(ErrorClass::Internal, "too many requests wait")),
                // There is nothing else that HTTP could be told, and no way to be told it later.
                _ => return Err(Failure::new(ErrorClass::Internal, "HTTP takes nothing but requests")),
            }
        }
        self.start();
        Ok(())
    }

    fn start(&mut self) {
        while self.open.len() < limits::HTTP_REQUESTS_AT_ONCE_MAX {
            let Some(request) = self.waiting.pop_front() else { return };
            let (pieces, receiver) = mpsc::channel(limits::HTTP_PIECES_AHEAD_MAX);
            let egress = Arc::clone(&self.egress);
            tokio::spawn(async move {
                tokio::select! {
                    biased;
                    () = pieces.closed() => {}
                    () = exchange(&egress, request, &pieces) => {}
                }
            });
            self.open.push_back(receiver);
        }
    }

    /// The next piece of the oldest answer. Never comes while nothing is asked. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Piece {
        let Some(first) = self.open.front_mut() else { return std::future::pending().await };
        let wire = match first.recv().await {
            Some(piece) => piece?,
            None => return Err(Failure::new(ErrorClass::Internal, "a request was lost").into()),
        };
        if wire == Wire::End {
            self.open.pop_front();
            self.start();
        }
        Ok(wire)
    }
}

/// One request and its answer. Waits while the answer is not read: that is what holds the provider back.
async fn exchange(egress: &Egress, request: HttpRequest, pieces: &mpsc::Sender<Piece>) {
    let whole = async {
        let (status, headers, mut stream) =
            egress.http_stream(request, Millis(limits::HTTP_ANSWER_MS_MAX)).await.map_err(UpgradeError::Failed)?;
        if !(200..300).contains(&status) {
            let body = stream.some(limits::REFUSAL_BODY_BYTES_MAX, Millis(limits::REFUSAL_BODY_MS_MAX)).await;
            let body = String::from_utf8_lossy(&body).into_owned();
            return Err(UpgradeError::Refused(Box::new(Refusal { status, headers, body })));
        }
        while let Some(bytes) = stream.next(Millis(limits::HTTP_ANSWER_MS_MAX)).await.map_err(UpgradeError::Failed)? {
            if !bytes.is_empty() && pieces.send(Ok(Wire::Binary(bytes.into()))).await.is_err() {
                return Ok(());
            }
        }
        let _ = pieces.send(Ok(Wire::End)).await;
        Ok(())
    };
    if let Err(error) = whole.await {
        let _ = pieces.send(Err(error)).await;
    }
}
