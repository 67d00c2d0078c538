//! Bytes on the wire, as codecs describe them. A codec builds these values; only `egress` sends them.

use crate::secret::Secret;
use std::borrow::Cow;

/// What carries a conversation with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One WebSocket (RFC 6455).
    WebSocket,
    /// Any number of HTTP requests; their answers come in the order of the requests.
    Http,
    /// One gRPC call that streams both ways.
    Grpc,
}

/// One message, of whichever transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A text message. WebSocket only.
    Text(String),
    /// WebSocket: a binary message. HTTP: a piece of the body of the oldest request that is not answered, split anywhere.
    /// gRPC: one message without its length prefix.
    Binary(Vec<u8>),
    /// Close with this code and reason. gRPC: the call ended with a status other than 0; the code is the HTTP status that
    /// the canonical mapping of gRPC codes gives, the reason is `NAME: message`.
    Close(u16, Cow<'static, str>),
    /// Sent only: one HTTP request. An answer other than 2xx ends the conversation with what `classify` makes of it.
    Request(Box<HttpRequest>),
    /// Received: over HTTP the oldest request is answered, its body complete; over gRPC the call ended with status 0.
    /// Sent: nothing more will be sent. Over gRPC that is a half-close; over a WebSocket nothing goes out, because what was
    /// sent before has said so.
    End,
}

/// A header whose value may be a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Lower-case name.
    pub name: Cow<'static, str>,
    /// Value.
    pub value: HeaderValue,
}

/// The value of a header.
#[derive(Clone, Debug)]
pub enum HeaderValue {
    /// Anyone may see it.
    Plain(String),
    /// A credential; prints as `[secret]`.
    Secret(Secret<String>),
}

/// Codecs and their tests compare what would be sent; nothing that decides about access does.
impl PartialEq for HeaderValue {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for HeaderValue {}

impl HeaderValue {
    /// The bytes to send.
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(value) => value,
            Self::Secret(value) => value.expose(),
        }
    }
}

impl Header {
    /// A header that anyone may see.
    pub fn plain(name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: HeaderValue::Plain(value.into()) }
    }

    /// A header that carries a credential.
    pub fn secret(name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: HeaderValue::Secret(Secret::new(value.into())) }
    }
}

/// How to open a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// What carries it.
    pub transport: Transport,
    /// WebSocket: `wss://…`, or `ws://…` on loopback. gRPC: `https://host/package.Service/Method`, or `http://…` on
    /// loopback. HTTP: the address of the service; nothing is sent there before the first request. Never holds a key.
    pub url: String,
    /// WebSocket: headers of the upgrade request. gRPC: metadata. HTTP: unused, every request has its own.
    pub headers: Vec<Header>,
    /// Messages to send as soon as it is open.
    pub first: Vec<Wire>,
}

impl Connect {
    /// A WebSocket at this address.
    pub fn websocket(url: impl Into<String>) -> Self {
        Self { transport: Transport::WebSocket, url: url.into(), headers: Vec::new(), first: Vec::new() }
    }

    /// Requests to the service at this address.
    pub fn http(url: impl Into<String>) -> Self {
        Self { transport: Transport::Http, ..Self::websocket(url) }
    }

    /// A call of the method at this address.
    pub fn grpc(url: impl Into<String>) -> Self {
        Self { transport: Transport::Grpc, ..Self::websocket(url) }
    }
}

impl Method {
    /// As in the request line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// HTTP methods that codecs use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

/// One HTTP request, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method.
    pub method: Method,
    /// `https://…`, or `http://…` on loopback. Never holds a key.
    pub url: String,
    /// Headers, the content type among them.
    pub headers: Vec<Header>,
    /// Body; empty for none.
    pub body: Vec<u8>,
}
