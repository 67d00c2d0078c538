//! Rate limits: so many requests of one key or person in a minute, and so many of a business by its plan, counted where all
//! nodes see it, told with the headers of
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
use base::{BusinessId, Millis};
use model::business::TenantScope;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const WINDOW_SECS: u64 = 60;
/// A change of plan is noticed within this.
const PLAN_KEPT: Duration = Duration::from_secs(30);
/// Businesses of which a node remembers the plan.
const PLANS_KEPT_MAX: usize = 10_000;
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Who asks, as keys of counters and rows name them.
pub(crate) fn actor_name(actor: Actor) -> String {
    match actor.id() {
        Some(id) => format!("{}:{id}", actor.kind()),
        None => actor.kind().to_owned(),
    }
}

/// What the plans of businesses allow, remembered for a while so that a request costs no look-up.
#[derive(Debug, Default)]
pub(crate) struct Quotas(Mutex<HashMap<BusinessId, (Option<u64>, Instant)>>);

impl Quotas {
    /// Requests in a minute that the plan of this business allows; `None`: any number.
    async fn of_plan(&self, app: &App, scope: &TenantScope) -> Option<u64> {
        if let Some((quota, since)) = self.lock().get(&scope.business)
            && since.elapsed() < PLAN_KEPT
        {
            return *quota;
        }
        let subscription = app.node.store().subscription(scope).await.ok()?;
        let plan = subscription.and_then(|subscription| model::plan::plan(&subscription.plan));
        let quota = plan.and_then(|plan| plan.requests_minute).map(u64::from);
        let mut kept = self.lock();
        if kept.len() >= PLANS_KEPT_MAX {
            kept.clear();
        }
        kept.insert(scope.business, (quota, Instant::now()));
        quota
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BusinessId, (Option<u64>, Instant)>> {
        // No guarded section of this file can panic half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One limit and where a request stands in it.
struct Standing {
    name: &'static str,
    quota: u64,
    total: u64,
    left_secs: u64,
}

/// Counts the request, refuses one too many, and says how many are left.
pub(crate) async fn limit(State((app, quotas)): State<(App, Arc<Quotas>)>, request: Request, next: Next) -> Response {
    let principal = request.extensions().get::<Principal>().copied();
    let counted = principal.filter(|principal| principal.actor != Actor::Installation);
    let Some(principal) = counted.filter(|_| request.uri().path().starts_with("/api/")) else {
        return next.run(request).await;
    };
    let own = Some(u64::from(app.http.requests_per_minute)).filter(|quota| *quota > 0);
    let business = principal.scope.business;
    let own_key = format!("rate:{business}:{}", actor_name(principal.actor));
    let plan = quotas.of_plan(&app, &principal.scope).await;
    let mut standings = Vec::with_capacity(2);
    standings.extend(count(&app, "minute", own, &own_key).await);
    standings.extend(count(&app, "plan", plan, &format!("rate:{business}")).await);
    let over = standings.iter().filter(|one| one.total > one.quota).map(|one| one.left_secs).max();
    let mut response = match over {
        Some(left_secs) => {
            metrics::counter!("frontdesk_http_rate_limited_total").increment(1);
            Problem::rate_limited(left_secs).into_response()
        }
        None => next.run(request).await,
    };
    let joined = |say: fn(&Standing) -> String| standings.iter().map(say).collect::<Vec<_>>().join(", ");
    let policy = joined(|one| format!("\"{}\";q={};w={WINDOW_SECS}", one.name, one.quota));
    let left = joined(|one| format!("\"{}\";r={};t={}", one.name, one.quota.saturating_sub(one.total), one.left_secs));
    for (name, value) in [(POLICY, policy), (LIMIT, left)] {
        if let Some(value) = HeaderValue::from_str(&value).ok().filter(|value| !value.is_empty()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn count(app: &App, name: &'static str, quota: Option<u64>, key: &str) -> Option<Standing> {
    let quota = quota?;
    match app.shared.count(key, 1, Millis(WINDOW_SECS * 1_000)).await {
        Ok(count) => {
            let left_secs = count.left.0.div_ceil(1_000).max(1);
            Some(Standing { name, quota, total: count.total, left_secs })
        }
        Err(error) => {
            tracing::warn!(%error, "a request was not counted");
            None
        }
    }
}
