//! One conversation with a provider, whichever transport its codec speaks.

use super::http::Exchanges;
use base::wire::{Connect, Transport, Wire};
use base::{ErrorClass, Failure, Millis, limits};
use egress::{Egress, GrpcCall, SocketReceiver, SocketSender, UpgradeError};
use std::sync::Arc;
use tokio::time::timeout;

/// An open conversation. Dropping it ends it, whatever is under way.
pub(super) enum Line {
    Socket(SocketSender, SocketReceiver),
    Http(Exchanges),
    Grpc(Box<GrpcCall>),
}

impl Line {
    /// Opens it within [`limits::CONNECT_MS_MAX`] and sends the first messages.
    pub(super) async fn open(egress: &Arc<Egress>, connect: Connect) -> Result<Self, UpgradeError> {
        let deadline = Millis(limits::CONNECT_MS_MAX);
        match connect.transport {
            Transport::WebSocket => {
                let (sender, receiver) = egress.websocket(connect, deadline).await?.split();
                Ok(Self::Socket(sender, receiver))
            }
            Transport::Http => {
                let mut exchanges = Exchanges::new(Arc::clone(egress));
                exchanges.send(connect.first)?;
                Ok(Self::Http(exchanges))
            }
            Transport::Grpc => Ok(Self::Grpc(Box::new(egress.grpc(connect, deadline).await?))),
        }
    }

    /// Whether more can be sent now without waiting for answers.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::Socket(..) | Self::Grpc(_) => true,
            Self::Http(exchanges) => exchanges.has_room(),
        }
    }

    /// Whether nothing can come, because nothing was asked.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Socket(..) | Self::Grpc(_) => false,
            Self::Http(exchanges) => exchanges.is_idle(),
        }
    }

    /// Sends messages, in order, within [`limits::PROVIDER_WRITE_MS_MAX`].
    pub(super) async fn send(&mut self, out: Vec<Wire>) -> Result<(), Failure> {
        match self {
            Self::Socket(sender, _) => sender.send(out, Millis(limits::PROVIDER_WRITE_MS_MAX)).await,
            Self::Http(exchanges) => exchanges.send(out),
            Self::Grpc(call) => call.send(out, Millis(limits::PROVIDER_WRITE_MS_MAX)).await,
        }
    }

    /// The next message; `None` when none came in this time. Dropping the future loses nothing.
    pub(super) async fn recv(&mut self, wait: Millis) -> Result<Option<Wire>, UpgradeError> {
        match self {
            Self::Socket(_, receiver) => match receiver.recv(wait).await {
                Ok(message) => Ok(Some(message)),
                Err(failure) if failure.class == ErrorClass::Timeout => Ok(None),
                Err(failure) => Err(failure.into()),
            },
            Self::Http(exchanges) => timeout(wait.to_duration(), exchanges.next()).await.ok().transpose(),
            Self::Grpc(call) => call.recv(wait).await,
        }
    }

    /// Says good-bye in the vendor's words and closes. Never takes longer than [`limits::CANCEL_MS_MAX`]; what is not done
    /// by then is aborted by dropping the connection, which is the only good-bye of HTTP and gRPC.
    pub(super) async fn hang_up(self, mut last_words: Vec<Wire>) {
        let Self::Socket(mut sender, mut receiver) = self else { return };
        let span = Millis(limits::CANCEL_MS_MAX);
        if !matches!(last_words.last(), Some(Wire::Close(..))) {
            last_words.push(Wire::Close(1000, "".into()));
        }
        let closing = async {
            sender.send(last_words, span).await?;
            // Closing with unread data resets the connection, and the reset overtakes what we sent: read to the end.
            while !matches!(receiver.recv(span).await?, Wire::Close(..)) {}
            Ok::<(), Failure>(())
        };
        let _ = timeout(span.to_duration(), closing).await;
    }
}
