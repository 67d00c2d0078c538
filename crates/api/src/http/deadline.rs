//! No request waits for ever: whatever has not begun to answer within [`limits::API_REQUEST_MS_MAX`] is dropped. Streams are
//! not cut: they have answered when they begin.

use crate::problem::Problem;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::limits;
use std::time::Duration;

/// Runs a request under the deadline.
pub(crate) async fn enforce(request: Request, next: Next) -> Response {
    let deadline = Duration::from_millis(limits::API_REQUEST_MS_MAX);
    match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => Problem::timeout().into_response(),
    }
}
