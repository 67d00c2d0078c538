//! A media socket as the call host sees it: whole messages in, whole messages out, whatever carries them.

use base::limits;
use base::wire::Wire;
use bytes::Bytes;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// One message from the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text message; valid UTF-8 was checked by the transport.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// The transport refused a message and reads no more.
    Violation {
        /// Close code (RFC 6455, 7.4.1): 1009 for a message that is too large, 1007 for text that is not UTF-8, 1002 else.
        code: u16,
        /// Why.
        why: &'static str,
    },
}

/// Whole messages in and out. Object safe, so that a call can go on over another socket.
pub trait MediaSocket: Send {
    /// The next message; `None` when the socket is closed.
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>>;
    /// Whether another message can be taken.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>>;
    /// Takes one message; only after `poll_ready`.
    fn start_send(&mut self, message: Wire) -> Result<(), Closed>;
    /// Hands everything taken to the network.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>>;
}

/// The socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the media socket is closed")]
pub struct Closed;

/// Receives one message. Cancel safe.
pub async fn recv(socket: &mut dyn MediaSocket) -> Option<Incoming> {
    poll_fn(|cx| socket.poll_recv(cx)).await
}

/// Sends messages and flushes, within [`limits::SOCKET_WRITE_MS_MAX`]: a peer that does not read loses its socket, not
/// our memory.
pub async fn send_all(socket: &mut dyn MediaSocket, messages: &mut Vec<Wire>) -> Result<(), Closed> {
    if messages.is_empty() {
        return Ok(());
    }
    let write = async {
        for message in messages.drain(..) {
            poll_fn(|cx| socket.poll_ready(cx)).await?;
            socket.start_send(message)?;
        }
        poll_fn(|cx| socket.poll_flush(cx)).await
    };
    match tokio::time::timeout(Duration::from_millis(limits::SOCKET_WRITE_MS_MAX), write).await {
        Ok(result) => result,
        Err(_elapsed) => Err(Closed),
    }
}

/// A socket made of two channels in this process: the loopback carrier's.
pub struct ChannelSocket {
    incoming: mpsc::Receiver<Incoming>,
    outgoing: tokio_util::sync::PollSender<Wire>,
}

/// The caller's end of a [`ChannelSocket`].
pub struct ChannelPeer {
    /// Messages to the call host.
    pub to_host: mpsc::Sender<Incoming>,
    /// Messages from the call host.
    pub from_host: mpsc::Receiver<Wire>,
}

impl ChannelSocket {
    /// Both ends. The queues hold one second of frames each.
    pub fn pair() -> (ChannelSocket, ChannelPeer) {
        let (to_host, incoming) = mpsc::channel(limits::AUDIO_IN_FRAMES_MAX);
        let (outgoing, from_host) = mpsc::channel(limits::AUDIO_IN_FRAMES_MAX * 2);
        (
            ChannelSocket { incoming, outgoing: tokio_util::sync::PollSender::new(outgoing) },
            ChannelPeer { to_host, from_host },
        )
    }
}

impl MediaSocket for ChannelSocket {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        self.incoming.poll_recv(cx)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.outgoing.poll_reserve(cx).map_err(|_| Closed)
    }

    fn start_send(&mut self, message: Wire) -> Result<(), Closed> {
        self.outgoing.send_item(message).map_err(|_| Closed)
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }
}

/// A media socket over two channels that carry whole messages: a line of this process.
pub struct WireSocket {
    incoming: mpsc::Receiver<Wire>,
    outgoing: tokio_util::sync::PollSender<Wire>,
}

impl WireSocket {
    /// From what comes in and where to send.
    pub fn new(incoming: mpsc::Receiver<Wire>, outgoing: mpsc::Sender<Wire>) -> Self {
        Self { incoming, outgoing: tokio_util::sync::PollSender::new(outgoing) }
    }
}

impl MediaSocket for WireSocket {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        self.incoming.poll_recv(cx).map(|wire| match wire? {
            Wire::Text(text) => Some(Incoming::Text(text.into())),
            Wire::Binary(bytes) => Some(Incoming::Binary(bytes.into())),
            Wire::Close(..) | Wire::End | Wire::Request(_) => None,
        })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.outgoing.poll_reserve(cx).map_err(|_| Closed)
    }

    fn start_send(&mut self, message: Wire) -> Result<(), Closed> {
        self.outgoing.send_item(message).map_err(|_| Closed)
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }
}
