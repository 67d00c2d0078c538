//! Request ids, one log line and one measurement per request, and the last net under errors: whatever answers with an error
//! below `/api/` answers with a problem document that carries the request's id.

use crate::problem::Problem;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Instant;
use tracing::Instrument;

/// Both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken over from a client.
const ID_CHARS_MAX: usize = 64;

/// The id of one request: the client's own when it is sane, else a new one.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let sane = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            (1..=ID_CHARS_MAX).contains(&bytes.len())
                && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        };
        if let Some(given) = headers.get(REQUEST_ID).filter(sane) {
            return Self(given.clone());
        }
        let made = uuid::Uuid::now_v7().to_string();
        // Hexadecimal digits and hyphens are a header value.
        Self(HeaderValue::from_str(&made).unwrap_or_else(|_| HeaderValue::from_static("unknown")))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Names the request, runs it, and answers with its id.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let is_api = request.uri().path().starts_with("/api/");
    let method = request.method().clone();
    // The route and never the address: an address may name a customer.
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "-".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", id = id.as_str(), method = method.as_str(), route);
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    if is_api {
        response = with_problem(response, &id);
        let took = began.elapsed();
        let status = response.status();
        let labels = [("route", route), ("status", status.as_str().to_owned())];
        metrics::histogram!("frontdesk_http_request_seconds", &labels).record(took.as_secs_f64());
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if status.is_server_error() {
            tracing::warn!(parent: &span, status = status.as_u16(), took_ms, "a request failed");
        } else {
            tracing::debug!(parent: &span, status = status.as_u16(), took_ms, "answered");
        }
    }
    response.headers_mut().insert(REQUEST_ID, id.0);
    response
}

/// Gives a problem the id of its request, and makes one of an error that is none.
fn with_problem(response: Response, id: &RequestId) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let known = response.extensions().get::<Problem>().cloned();
    let other_form = known.is_none() && is_deliberate(&response);
    if other_form {
        return response;
    }
    let mut problem = known.unwrap_or_else(|| Problem::of_status(status));
    problem.request_id = Some(id.as_str().into());
    let (mut head, _) = response.into_parts();
    let mut rewritten = problem.into_response();
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        head.headers.remove(name);
    }
    for (name, value) in &head.headers {
        if !rewritten.headers().contains_key(name) {
            rewritten.headers_mut().append(name, value.clone());
        }
    }
    rewritten
}

/// OAuth 2.0 has its own form of errors (RFC 6749, 5.2), and a range that cannot be had has headers and no body.
fn is_deliberate(response: &Response) -> bool {
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json"));
    is_json || response.status() == StatusCode::RANGE_NOT_SATISFIABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(value: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(REQUEST_ID, value);
        }
        RequestId::of(&headers).as_str().to_owned()
    }

    #[test]
    fn a_sane_id_of_the_client_is_kept_and_any_other_is_replaced() {
        assert_eq!(id_of(b"order-17.retry_2"), "order-17.retry_2");
        for odd in [&b""[..], b"two words", b"\xff\xfe", &[b'a'; 65], b"<script>"] {
            let made = id_of(odd);
            assert!(uuid::Uuid::try_parse(&made).is_ok(), "{made}");
        }
    }
}
