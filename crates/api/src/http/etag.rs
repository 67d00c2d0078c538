//! Entity tags (RFC 9110, 8.8.3): the version of a thing. A change names the version that it is based on in `If-Match`, so
//! that two people who edit at once notice; a reader who has the newest version already is told so.

use crate::problem::Problem;
use axum::Json;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A thing with its version as `ETag`.
pub(crate) struct Tagged<T> {
    pub(crate) version: u32,
    pub(crate) body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        response.headers_mut().insert(header::ETAG, tag(self.version));
        response
    }
}

/// The tag of a version.
pub(crate) fn tag(version: u32) -> HeaderValue {
    // Quotes and digits are a header value.
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

/// The version that a change is based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Nothing was said.
    Absent,
    /// `*`: whatever it is now.
    Any,
    /// One of these.
    Tags(Vec<String>),
}

impl IfMatch {
    fn of(headers: &HeaderMap) -> Self {
        let mut tags = Vec::new();
        for value in headers.get_all(header::IF_MATCH) {
            let text = value.to_str().unwrap_or_default();
            tags.extend(text.split(',').map(|tag| tag.trim().to_owned()));
        }
        match tags.as_slice() {
            [] => Self::Absent,
            [only] if only == "*" => Self::Any,
            _ => Self::Tags(tags),
        }
    }

    /// The version that the store shall expect: this one, or any.
    ///
    /// # Errors
    /// `stale` when the change is based on another version.
    pub(crate) fn against(&self, now: u32) -> Result<Option<u32>, Problem> {
        match self {
            Self::Absent | Self::Any => Ok(None),
            // A weak tag never matches here (RFC 9110, 13.1.1).
            Self::Tags(tags) if tags.iter().any(|one| one.as_str() == format!("\"{now}\"")) => Ok(Some(now)),
            Self::Tags(_) => Err(Problem::stale(now)),
        }
    }

    /// The same, where a change must say what it is based on.
    pub(crate) fn required(&self, now: u32) -> Result<Option<u32>, Problem> {
        if *self == Self::Absent {
            return Err(Problem::precondition_required());
        }
        self.against(now)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers))
    }
}

/// Answers 304 to a reader who has this version already.
pub(crate) async fn not_modified(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let known: Vec<HeaderValue> = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    let mut response = next.run(request).await;
    if !reads || known.is_empty() || response.status() != StatusCode::OK {
        return response;
    }
    let Some(tag) = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return response };
    let has_it = known.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    });
    if has_it {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = axum::body::Body::empty();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: &[&'static str]) -> IfMatch {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, HeaderValue::from_static(value));
        }
        IfMatch::of(&headers)
    }

    #[test]
    fn a_change_passes_only_on_the_version_it_is_based_on() {
        assert_eq!(given(&["\"3\""]).required(3).ok(), Some(Some(3)));
        assert_eq!(given(&["\"2\", \"3\""]).required(3).ok(), Some(Some(3)));
        assert_eq!(given(&["*"]).required(3).ok(), Some(None));
        let status = |tags: &IfMatch| tags.required(3).map_err(|problem| problem.status);
        assert_eq!(status(&given(&[])), Err(428));
        for stale in ["\"2\"", "W/\"3\"", "3", "nonsense"] {
            assert_eq!(status(&given(&[stale])), Err(412), "{stale}");
        }
        assert_eq!(given(&[]).against(3).ok(), Some(None));
    }
}
