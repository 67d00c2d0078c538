//! HTTP requests: whole answers and streamed ones.

use crate::address::{Checked, Target, resolve_name};
use crate::{Egress, EgressConfig, failure};
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure, Millis, limits};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Headers with lower-case names, in order. Values that are not text are left out.
    pub headers: Vec<(String, String)>,
    /// Body, at most [`limits::PROVIDER_BODY_BYTES_MAX`] unless more was allowed.
    pub body: Bytes,
}

impl Response {
    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The body of an answer as it comes. Dropping it ends the request.
#[derive(Debug)]
pub struct ByteStream {
    response: reqwest::Response,
    bytes_max: usize,
    bytes_left: usize,
    checked: Checked,
}

impl ByteStream {
    /// The next bytes, or `None` at the end. The deadline is for these bytes alone.
    pub async fn next(&mut self, deadline: Millis) -> Result<Option<Bytes>, Failure> {
        let chunk = tokio::time::timeout(deadline.to_duration(), self.response.chunk())
            .await
            .map_err(|_| failure::late("the answer paused and", deadline))?
            .map_err(|error| sort(&error, self.checked, deadline))?;
        let Some(chunk) = chunk else { return Ok(None) };
        self.bytes_left = self.bytes_left.checked_sub(chunk.len()).ok_or_else(|| too_large(self.bytes_max))?;
        Ok(Some(chunk))
    }

    /// What comes until the end, the deadline or the cap, whichever is first: the body of a refusal is there to say why,
    /// not worth a failure of its own.
    pub async fn some(mut self, bytes_max: usize, deadline: Millis) -> Bytes {
        let until = Instant::now() + deadline.to_duration();
        let mut body = BytesMut::new();
        while body.len() < bytes_max {
            let Ok(Ok(Some(chunk))) = timeout_at(until, self.response.chunk()).await else { break };
            body.extend_from_slice(&chunk[..chunk.len().min(bytes_max - body.len())]);
        }
        body.freeze()
    }
}

/// A request that has no answer.
#[derive(Clone, Debug)]
pub struct Unanswered {
    /// Why.
    pub failure: Failure,
    /// The other side may have received it, and done what it asks. Not so when there never was a connection.
    pub may_have_arrived: bool,
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        unanswered.failure
    }
}

impl Egress {
    /// Sends a request and reads the whole answer, all within the deadline.
    pub async fn http(&self, request: HttpRequest, deadline: Millis) -> Result<Response, Failure> {
        self.http_within(request, deadline, limits::PROVIDER_BODY_BYTES_MAX).await
    }

    /// The same for what must not be done twice: without an answer, it is said whether the other side may have received it.
    pub async fn http_once(&self, request: HttpRequest, deadline: Millis) -> Result<Response, Unanswered> {
        self.whole(request, deadline, limits::PROVIDER_BODY_BYTES_MAX).await
    }

    /// The same for an answer of at most so many bytes: files are larger than what providers say.
    pub async fn http_within(
        &self,
        request: HttpRequest,
        deadline: Millis,
        bytes_max: usize,
    ) -> Result<Response, Failure> {
        Ok(self.whole(request, deadline, bytes_max).await?)
    }

    async fn whole(&self, request: HttpRequest, deadline: Millis, bytes_max: usize) -> Result<Response, Unanswered> {
        let until = Instant::now() + deadline.to_duration();
        let (status, headers, mut stream) = self.stream_within(request, deadline, bytes_max).await?;
        let mut body = BytesMut::new();
        loop {
            let left = Millis(until.saturating_duration_since(Instant::now()).as_millis() as u64);
            match stream.next(left).await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(Response { status, headers, body: body.freeze() }),
                Err(late) if late.class == ErrorClass::Timeout => {
                    return Err(arrived(failure::late("the request", deadline)));
                }
                Err(other) => return Err(arrived(other)),
            }
        }
    }

    /// Sends a request and reads the head of the answer within the deadline; the body streams.
    pub async fn http_stream(
        &self,
        request: HttpRequest,
        deadline: Millis,
    ) -> Result<(u16, Vec<(String, String)>, ByteStream), Failure> {
        Ok(self.stream_within(request, deadline, limits::PROVIDER_BODY_BYTES_MAX).await?)
    }

    async fn stream_within(
        &self,
        request: HttpRequest,
        deadline: Millis,
        bytes_max: usize,
    ) -> Result<(u16, Vec<(String, String)>, ByteStream), Unanswered> {
        let target = Target::parse(self.config.policy, &request.url, ("http", "https")).map_err(unsent)?;
        let client = if target.encrypted { self.encrypted.as_ref() } else { self.plain.as_ref() };
        let client = client.map_err(|failure| unsent(failure.clone()))?;
        let checked = target.checked;
        let outgoing = client
            .request(method(request.method), target.url)
            .headers(header_map(&request.headers).map_err(unsent)?)
            .body(request.body)
            .send();
        let response = tokio::time::timeout(deadline.to_duration(), outgoing)
            .await
            .map_err(|_| arrived(failure::timeout(checked, "the request", deadline)))?
            .map_err(|error| {
                // A name that leads nowhere and a handshake that fails are connections that never stood.
                let may_have_arrived = !(error.is_connect() || error.is_builder());
                Unanswered { failure: sort(&error, checked, deadline), may_have_arrived }
            })?;
        let headers = readable(response.headers());
        let announced = response.content_length().unwrap_or(0);
        if announced > bytes_max as u64 {
            return Err(arrived(too_large(bytes_max)));
        }
        let status = response.status().as_u16();
        Ok((status, headers, ByteStream { response, bytes_max, bytes_left: bytes_max, checked }))
    }
}

fn arrived(failure: Failure) -> Unanswered {
    Unanswered { failure, may_have_arrived: true }
}

fn unsent(failure: Failure) -> Unanswered {
    Unanswered { failure, may_have_arrived: false }
}

fn too_large(bytes_max: usize) -> Failure {
    failure::protocol(format!("the answer is larger than {bytes_max} bytes"))
}

const fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// The headers to send; a value that cannot be sent is named, never shown.
pub(crate) fn header_map(headers: &[Header]) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for header in headers {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| failure::invalid("a header has an impossible name"))?;
        let mut value = HeaderValue::from_str(header.value.expose())
            .map_err(|_| failure::invalid(format!("the value of the header {name} cannot be sent")))?;
        value.set_sensitive(matches!(header.value, base::wire::HeaderValue::Secret(_)));
        map.append(name, value);
    }
    Ok(map)
}

pub(crate) fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

fn sort(error: &reqwest::Error, checked: Checked, deadline: Millis) -> Failure {
    if let Some(ours) = failure::wrapped(error) {
        return ours;
    }
    if error.is_connect() && error.is_timeout() {
        return failure::timeout(checked, "connecting", Millis(limits::CONNECT_MS_MAX));
    }
    if error.is_timeout() {
        return failure::timeout(checked, "the request", deadline);
    }
    if error.is_connect() {
        return failure::unreachable(checked, format!("no connection: {}", failure::root_cause(error)));
    }
    if error.is_builder() {
        return failure::invalid("the request cannot be built");
    }
    failure::protocol(format!("the connection was cut: {}", failure::root_cause(error)))
}

pub(crate) fn client(
    config: &EgressConfig,
    checked: Checked,
    tls: Option<ClientConfig>,
) -> Result<reqwest::Client, Failure> {
    let builder = reqwest::Client::builder()
        .user_agent(config.user_agent.as_str())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_millis(limits::CONNECT_MS_MAX))
        .pool_max_idle_per_host(limits::IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(Duration::from_millis(limits::IDLE_CONNECTION_MS_MAX))
        .http2_max_header_list_size(64 * 1024)
        .dns_resolver(Arc::new(CheckedResolver { checked }));
    let builder = match tls {
        Some(tls) => builder.https_only(true).tls_backend_preconfigured(tls),
        None => builder.http1_only().tls_backend_preconfigured(no_tls()?),
    };
    let broken = |error: reqwest::Error| Failure::new(ErrorClass::Internal, failure::root_cause(&error));
    builder.build().map_err(broken)
}

/// Plain requests need no certificates, and must work where there are none.
fn no_tls() -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| Failure::new(ErrorClass::Internal, error.to_string()))?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

struct CheckedResolver {
    checked: Checked,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let checked = self.checked;
        Box::pin(async move {
            let addresses = resolve_name(name.as_str(), 0, checked).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
