//! Pages of other origins that an operator allows (the Fetch standard's CORS protocol). They bring a bearer token; cookies
//! are never theirs to send.

use super::request::REQUEST_ID;
use super::settings::HttpSettings;
use axum::http::{HeaderName, HeaderValue, Method, header};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Headers of requests beside those that every page may set.
const SENT: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("frontdesk-business"),
    REQUEST_ID,
];
/// Headers of answers that a page may read.
const READ: [HeaderName; 9] = [
    header::ETAG,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("idempotency-replayed"),
    HeaderName::from_static("frontdesk-recording-parts"),
    REQUEST_ID,
];
/// How long a browser may remember the answer to its question.
const REMEMBERED_SECS: u64 = 600;

/// The layer, when an origin is configured. Origins that are no header value are refused when the configuration is read.
pub(crate) fn layer(settings: &HttpSettings) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> =
        settings.origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(SENT)
        .expose_headers(READ)
        .max_age(Duration::from_secs(REMEMBERED_SECS));
    Some(layer)
}
