//! Health and metrics.

use crate::App;
use crate::auth::{Allowed, may};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

/// Whether the process runs, and how full it is: whoever may ask without a key learns no number of calls.
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "healthz", responses(
    (status = 200, description = "The process runs: the line `ok`, then `full 12 %` (of the calls that it takes at once) and \
     `late 2 ms` (how late its tasks usually run)", body = String, content_type = "text/plain")
))]
pub(crate) async fn alive(State(app): State<App>) -> String {
    let load = app.node.load();
    let full = (load.calls * 100).checked_div(load.calls_max).unwrap_or(100);
    format!("ok\nfull {full} %\nlate {} ms\n", load.late_ms)
}

/// Whether calls should be sent here.
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "readyz", responses(
    (status = 200, description = "Calls are taken", body = String, content_type = "text/plain"),
    (status = 503, description = "Calls are not taken: stopping, or the database does not answer", body = Problem)
))]
pub(crate) async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    if app.node.is_draining() {
        return Err(Problem::unavailable("this node is stopping"));
    }
    app.node.store().check().await.map_err(super::store_problem)?;
    Ok("ready\n")
}

/// Metrics in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "operations", operation_id = "metrics", security(("bearer" = ["installation:manage"])), responses(
    (status = 200, description = "Prometheus text format", body = String, content_type = "text/plain")
))]
pub(crate) async fn metrics(State(app): State<App>, _caller: Allowed<may::InstallationManage>) -> impl IntoResponse {
    app.metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render())
}
