//! The server's WebSocket, and a session over WebRTC, as media sockets, with buffers sized for voice.

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use base::limits;
use base::wire::Wire;
use bytes::Bytes;
use futures_util::{Sink, Stream};
use runtime::socket::{Closed, Incoming, MediaSocket};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bounds every upgrade of this server. The defaults of the library cost 138 kB a connection and let one peer queue
/// without limit; these cost 7 kB. What is sent before a flush goes to the kernel together.
pub fn tuned(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(4096)
        .write_buffer_size(4096)
        .max_write_buffer_size(256 * 1024)
        .max_message_size(limits::MEDIA_MESSAGE_BYTES_MAX)
        .max_frame_size(limits::MEDIA_MESSAGE_BYTES_MAX)
}

/// A [`WebSocket`] as a [`MediaSocket`].
pub struct ServerSocket(pub WebSocket);

impl MediaSocket for ServerSocket {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        loop {
            let message = match Pin::new(&mut self.0).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(message) => message,
            };
            return Poll::Ready(match message {
                None | Some(Ok(Message::Close(_))) => None,
                Some(Ok(Message::Text(text))) => Some(Incoming::Text(Bytes::from(text))),
                Some(Ok(Message::Binary(bytes))) => Some(Incoming::Binary(bytes)),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue, // The library answers pings.
                Some(Err(error)) => violation(&error),
            });
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Pin::new(&mut self.0).poll_ready(cx).map_err(|_| Closed)
    }

    fn start_send(&mut self, message: Wire) -> Result<(), Closed> {
        let message = match message {
            Wire::Text(text) => Message::Text(text.into()),
            Wire::Binary(bytes) => Message::Binary(bytes.into()),
            Wire::Close(code, reason) => Message::Close(Some(CloseFrame { code, reason: reason.into_owned().into() })),
            // No carrier's codec speaks another transport.
            Wire::Request(_) | Wire::End => return Ok(()),
        };
        Pin::new(&mut self.0).start_send(message).map_err(|_| Closed)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Pin::new(&mut self.0).poll_flush(cx).map_err(|_| Closed)
    }
}

/// A session over WebRTC as a [`MediaSocket`].
pub struct RtcSocket(pub webrtc::Line);

impl MediaSocket for RtcSocket {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        self.0.poll_recv(cx).map(|received| {
            received.map(|received| match received {
                webrtc::Received::Text(text) => Incoming::Text(Bytes::from(text)),
                webrtc::Received::Audio(bytes) => Incoming::Binary(Bytes::from(bytes)),
            })
        })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.0.poll_ready(cx).map(|stands| if stands { Ok(()) } else { Err(Closed) })
    }

    fn start_send(&mut self, message: Wire) -> Result<(), Closed> {
        if self.0.start_send(message) { Ok(()) } else { Err(Closed) }
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }
}

/// A broken rule of the WebSocket itself, as opposed to a connection that went away. The library says which only in words.
fn violation(error: &axum::Error) -> Option<Incoming> {
    let text = error.to_string();
    if text.contains("without") || text.contains("reset") {
        return None;
    }
    let (code, why) = if text.contains("too long") || text.contains("too large") || text.contains("too big") {
        (1009, "a message that is too large")
    } else if text.contains("UTF-8") {
        (1007, "text that is not UTF-8")
    } else if text.contains("rotocol") {
        (1002, "the WebSocket protocol was broken")
    } else {
        return None;
    };
    Some(Incoming::Violation { code, why })
}
