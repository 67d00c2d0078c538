//! The HTTP surface: the REST API with its OpenAPI document, webhooks and media sockets of carriers, metrics, health, and
//! the pages.
//!
//! **Must not know**: how calls run (the node does), vendors, SQL. Routes are thin: extract, call one function, convert.
//!
//! Start reading at [`router`], then `routes`.

mod access;
mod assets;
pub mod auth;
mod http;
mod problem;
mod routes;
pub mod server;
mod socket;

pub use crate::http::HttpSettings;
pub use access::Access;
pub use problem::Problem;
pub use routes::document;
pub use routes::test_calls::{TestCallError, TestCaller};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use base::limits;
use metrics_exporter_prometheus::PrometheusHandle;
use model::business::TenantScope;
use runtime::Node;
use std::sync::Arc;
use tower::util::option_layer;
use tower_http::set_header::SetResponseHeaderLayer;

/// What every route can reach.
#[derive(Clone)]
pub struct App {
    /// The calls of this process.
    pub node: Node,
    /// The business that the installation acts for unless it names another one. Handlers take theirs from
    /// [`auth::Principal::scope`].
    pub home: TenantScope,
    /// Who may use the API.
    pub access: Arc<Access>,
    /// How people and programs sign in.
    pub auth: Arc<auth::Auth>,
    /// Live events and webhooks.
    pub live: runtime::Live,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// Where recordings are.
    pub recordings: runtime::recordings::Recordings,
    /// What takes documents in and asks them; `None`: this node has not loaded the models for that.
    pub documents: Option<Arc<runtime::documents::Documents>>,
    /// What an operator decides about the API.
    pub http: Arc<HttpSettings>,
    /// What nodes share: counters of rates.
    pub shared: Arc<dyn store::shared::Shared>,
    /// Who makes test calls; `None`: nobody.
    pub test_caller: Option<Arc<dyn TestCaller>>,
    /// Lines by WebRTC; `None`: by WebSocket alone.
    pub webrtc: Option<webrtc::Gateway>,
}

/// Everything this server answers.
pub fn router(app: App) -> Router {
    let nosniff = (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let referrer = (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("same-origin"));
    // The page needs its own scripts, worklets and sockets, and nothing from anywhere else.
    let policy = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; media-src 'self' blob:; \
        style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'";
    routes::all()
        .fallback(assets::page)
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES_MAX))
        // From here on outwards: what comes later in the list sees a request earlier.
        .layer(from_fn_with_state((app.clone(), routes::operations()), auth::audit::record))
        .layer(from_fn_with_state(app.clone(), http::idempotency::once))
        .layer(from_fn(http::etag::not_modified))
        .layer(from_fn_with_state((app.clone(), Arc::<http::rate::Quotas>::default()), http::rate::limit))
        .layer(from_fn_with_state(app.clone(), access::guard))
        .layer(from_fn(http::deadline::enforce))
        .layer(from_fn(http::request::observe))
        .layer(option_layer(http::cors::layer(&app.http)))
        .layer(from_fn_with_state(app.clone(), routes::visits::cross_origin))
        .layer(SetResponseHeaderLayer::if_not_present(nosniff.0, nosniff.1))
        .layer(SetResponseHeaderLayer::if_not_present(referrer.0, referrer.1))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(policy),
        ))
        .with_state(app)
}
