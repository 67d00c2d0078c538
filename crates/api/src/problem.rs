//! Errors of the API as problem documents (RFC 9457) with stable codes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use carriers::protocol::Capability;
use carriers::registry::Descriptor;
use model::people::Permission;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Stable address of the kind of problem.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "/problems/not_found")]
    pub kind: Box<str>,
    /// Stable code, the last part of `type`.
    #[schema(example = "not_found")]
    pub code: &'static str,
    /// The kind of problem in words.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// This problem in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub detail: Option<Box<str>>,
    /// Of `not_supported`: the phone platform, by its name in `GET /api/v1/carriers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    // A reference to the name, which is half as large as the name: every handler's answer has room for a problem.
    pub carrier: Option<&'static &'static str>,
    /// Of `not_supported`: what it cannot do, by the names of `capabilities` there.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "by_name")]
    #[schema(value_type = Option<String>)]
    pub capability: Option<Capability>,
    /// Id of the request, as in `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub request_id: Option<Box<str>>,
    /// Seconds after which trying again makes sense.
    #[serde(skip)]
    pub retry_after_secs: Option<u32>,
    /// `WWW-Authenticate`.
    #[serde(skip)]
    challenge: Option<Box<str>>,
}

fn by_name<S: Serializer>(capability: &Option<Capability>, serializer: S) -> Result<S::Ok, S::Error> {
    capability.map(Capability::name).serialize(serializer)
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self {
            kind: format!("/problems/{code}").into(),
            code,
            title,
            status: status.as_u16(),
            detail: None,
            carrier: None,
            capability: None,
            request_id: None,
            retry_after_secs: None,
            challenge: None,
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
            .challenge(format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\""))
    }

    /// What the person gave to sign in with is not right. Says the same whether or not there is such a person.
    pub fn sign_in_failed() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "sign_in_failed", "The sign-in was not accepted")
    }

    /// The password is right, and a code of the second factor is needed beside it.
    pub fn second_factor_required() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "second_factor_required", "A code of the second factor is needed")
    }

    /// A pause is due before the next attempt.
    pub fn too_many_attempts(retry_after_secs: u64) -> Self {
        let mut problem =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "Too many attempts; a pause is due");
        problem.retry_after_secs = u32::try_from(retry_after_secs).ok();
        problem
    }

    /// The business may not be reached from this address.
    pub fn address_not_allowed() -> Self {
        Self::new(StatusCode::FORBIDDEN, "address_not_allowed", "The business may not be reached from this address")
    }

    /// Only a person can do this about themselves; the credential is a program's.
    pub fn not_a_person() -> Self {
        Self::new(StatusCode::FORBIDDEN, "not_a_person", "This is for people who have signed in")
    }

    /// Businesses are not registered here by themselves.
    pub fn registration_closed() -> Self {
        Self::new(StatusCode::FORBIDDEN, "registration_closed", "Businesses are registered by whoever runs this server")
    }

    /// The business would have no owner left.
    pub fn last_owner() -> Self {
        Self::new(StatusCode::CONFLICT, "last_owner", "The business would have no owner left")
    }

    /// This installation sends no mail.
    pub fn mail_not_configured() -> Self {
        Self::new(StatusCode::CONFLICT, "mail_not_configured", "This installation sends no mail")
    }

    /// A one-time token is not known, used up or expired.
    pub fn token_void() -> Self {
        Self::new(StatusCode::GONE, "token_void", "The token is not valid, was used, or has expired")
    }

    /// A visitor's token opens nothing here.
    pub fn visit_void() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "visit_void", "The visitor's token is not valid here, or has expired")
    }

    /// Says how to authenticate in the words of RFC 6750, 3.
    #[must_use]
    pub(crate) fn challenge(mut self, challenge: impl Into<String>) -> Self {
        self.challenge = Some(challenge.into().into_boxed_str());
        self
    }

    /// The request comes from a page or a name that this server does not serve.
    pub fn foreign_origin() -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", "This server does not answer to that host or page")
    }

    /// The request is not understood.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid").detail(detail)
    }

    /// The phone platform cannot do this. It was not tried.
    pub fn not_supported(carrier: &'static Descriptor, capability: Capability) -> Self {
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_supported", "The phone platform cannot do this");
        (problem.carrier, problem.capability) = (Some(&carrier.name), Some(capability));
        problem.detail(format!("{} cannot do {}", carrier.title, capability.name()))
    }

    /// There is such a thing, but this cannot be done with it.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This cannot be done here")
    }

    /// The body is of another form than JSON.
    pub fn unsupported_media_type() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is of another type")
            .detail("send Content-Type: application/json")
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

    /// The change does not say what it is based on.
    pub fn precondition_required() -> Self {
        Self::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", "The change must say what it is based on")
            .detail("send If-Match with the ETag of what you read, or * to overwrite whatever is there")
    }

    /// The same idempotency key came with another request.
    pub fn key_reused() -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", "This idempotency key belongs to another request")
            .detail("use a new Idempotency-Key for each request that differs")
    }

    /// The request with this idempotency key has not been answered yet.
    pub fn in_progress() -> Self {
        let mut problem = Self::new(StatusCode::CONFLICT, "in_progress", "The same request has not been answered yet");
        problem.retry_after_secs = Some(1);
        problem
    }

    /// Too many requests.
    pub fn rate_limited(retry_after_secs: u64) -> Self {
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests");
        problem.retry_after_secs = u32::try_from(retry_after_secs).ok();
        problem.detail(format!("try again in {retry_after_secs} s; RateLimit says how much is left"))
    }

    /// It took too long.
    pub fn timeout() -> Self {
        let mut problem = Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "It took too long");
        problem.retry_after_secs = Some(2);
        problem
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

    /// A live call can be heard at the node that has it alone.
    pub fn call_elsewhere(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "call_elsewhere", "Another node has this call").detail(detail)
    }

    /// The words about this problem, or its title.
    pub(crate) fn detail_text(&self) -> &str {
        self.detail.as_deref().unwrap_or(self.title)
    }

    /// The offer of a session is none.
    pub fn bad_offer(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_offer", "This is no offer of a session").detail(detail)
    }

    /// The change is about another ICE session than the one now.
    pub fn stale_session() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "stale", "It was changed meanwhile")
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

    /// A provider was asked and failed.
    pub fn provider_failed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "provider_failed", "The provider did not do what it was asked")
            .detail(detail)
    }

    /// Our fault.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
    }

    /// What an error is that says nothing but its status.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::unauthorized(),
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => Self::method_not_allowed(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::unsupported_media_type(),
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable("the service is busy"),
            StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => Self::timeout(),
            status if status.is_server_error() => Self::internal(),
            status => {
                Self { status: status.as_u16(), ..Self::invalid("the request is not one that this server understands") }
            }
        }
    }

    /// Adds words about this problem.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into().into_boxed_str());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_secs;
        let challenge = self.challenge.as_deref().and_then(|challenge| HeaderValue::try_from(challenge).ok());
        let mut response = (status, axum::Json(&self)).into_response();
        // The outermost layer adds the request's id.
        response.extensions_mut().insert(self);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        } else if status == StatusCode::UNAUTHORIZED {
            headers.entry(header::WWW_AUTHENTICATE).or_insert(HeaderValue::from_static("Bearer"));
        }
        if let Some(secs) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}
