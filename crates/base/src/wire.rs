//! Bytes on the wire, as codecs describe them. A codec builds these values; only `egress` sends them.

use crate::secret::Secret;
use std::borrow::Cow;

/// One WebSocket message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// Close with this code and reason.
    Close(u16, Cow<'static, str>),
}

/// A header whose value may be a credential.
#[derive(Clone, Debug)]
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

/// How to open a WebSocket.
#[derive(Clone, Debug)]
pub struct Connect {
    /// `wss://…`, or `ws://…` on loopback. Never holds a key.
    pub url: String,
    /// Headers of the upgrade request.
    pub headers: Vec<Header>,
    /// Messages to send as soon as the socket is open.
    pub first: Vec<Wire>,
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
#[derive(Clone, Debug)]
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
