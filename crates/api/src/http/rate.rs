//! Rate limits: so many requests of one key or person in a minute, counted where all nodes see it, told with the headers of
//! draft-ietf-httpapi-ratelimit-headers (`RateLimit-Policy`, `RateLimit`) and refused with 429 and `Retry-After`.
//!
//! Whoever runs the installation is not limited: the limit protects tenants from each other. Losing the shared counters lets
//! requests through, because a limit is no lock.

use crate::App;
use crate::auth::{Actor, Principal};
use crate::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::Millis;

const WINDOW_SECS: u64 = 60;
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Who asks, as keys of counters and rows name them.
pub(crate) fn actor_name(actor: Actor) -> String {
    match actor.id() {
        Some(id) => format!("{}:{id}", actor.kind()),
        None => actor.kind().to_owned(),
    }
}

/// Counts the request, refuses one too many, and says how many are left.
pub(crate) async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let principal = request.extensions().get::<Principal>().copied();
    let counted = principal.filter(|principal| principal.actor != Actor::Installation);
    let Some(principal) = counted.filter(|_| request.uri().path().starts_with("/api/")) else {
        return next.run(request).await;
    };
    let Some(quota) = quota(&app, &principal) else { return next.run(request).await };
    let key = format!("rate:{}:{}", principal.scope.business, actor_name(principal.actor));
    let count = match app.shared.count(&key, 1, Millis(WINDOW_SECS * 1_000)).await {
        Ok(count) => count,
        Err(error) => {
            tracing::warn!(%error, "a request was not counted");
            return next.run(request).await;
        }
    };
    let left_secs = count.left.0.div_ceil(1_000).max(1);
    let mut response = if count.total > quota {
        metrics::counter!("frontdesk_http_rate_limited_total").increment(1);
        Problem::rate_limited(left_secs).into_response()
    } else {
        next.run(request).await
    };
    let policy = format!("\"minute\";q={quota};w={WINDOW_SECS}");
    let left = format!("\"minute\";r={};t={left_secs}", quota.saturating_sub(count.total));
    for (name, value) in [(POLICY, policy), (LIMIT, left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// How many requests this one may make in a window; `None`: any number.
fn quota(app: &App, _principal: &Principal) -> Option<u64> {
    let quota = u64::from(app.http.requests_per_minute);
    (quota > 0).then_some(quota)
}
