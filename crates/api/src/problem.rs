//! Errors of the API as problem documents (RFC 9457) with stable codes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::people::Permission;
use serde::Serialize;
use utoipa::ToSchema;

/// A problem document.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Stable address of the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "/problems/not_found")]
    pub kind: String,
    /// Stable code, the last part of `type`.
    #[schema(example = "not_found")]
    pub code: &'static str,
    /// The kind of problem in words.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// This problem in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Seconds after which trying again makes sense.
    #[serde(skip)]
    pub retry_after_secs: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            code,
            title,
            status: status.as_u16(),
            detail: None,
            retry_after_secs: None,
        }
    }

    /// The thing does not exist, or belongs to somebody else.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing")
    }

    /// No or a wrong credential.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid credential is needed")
    }

    /// The credential is valid and does not allow this.
    pub fn forbidden(needed: Permission) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The credential does not allow this")
            .detail(format!("this needs the permission {needed}"))
    }

    /// The request comes from a page or a name that this server does not serve.
    pub fn foreign_origin() -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", "This server does not answer to that host or page")
    }

    /// The request is not understood.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid").detail(detail)
    }

    /// There is such a thing, but this cannot be done with it.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This cannot be done here")
    }

    /// It collides with something that is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "It collides with what is there").detail(detail)
    }

    /// The change is based on a version that is not the one now.
    pub fn stale(now: u32) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "stale", "It was changed meanwhile")
            .detail(format!("it is at version {now}; read it again and base the change on that"))
    }

    /// The plan of the business is used up.
    pub fn plan_limit(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYMENT_REQUIRED, "plan_limit", "The plan of the business allows no more").detail(detail)
    }

    /// So many connections follow events already.
    pub fn too_many_streams() -> Self {
        let mut problem =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", "Too many connections follow events");
        problem.retry_after_secs = Some(5);
        problem
    }

    /// The request was to become a WebSocket and cannot.
    pub fn bad_upgrade(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_upgrade", "This is reached by a WebSocket").detail(detail)
    }

    /// The body is larger than anything that makes sense here.
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is too large")
    }

    /// The node takes no more calls.
    pub fn busy() -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "All lines are taken");
        problem.retry_after_secs = Some(5);
        problem
    }

    /// Something behind us does not answer.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut problem =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The service is not available right now");
        problem.retry_after_secs = Some(2);
        problem.detail(detail)
    }

    /// The other side of a request of ours said no.
    pub fn bad_gateway(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "carrier_refused", "The phone platform did not accept the request")
            .detail(detail)
    }

    /// Our fault.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
    }

    /// Adds words about this problem.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_secs;
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.entry(header::WWW_AUTHENTICATE).or_insert(HeaderValue::from_static("Bearer"));
        }
        if let Some(secs) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}
