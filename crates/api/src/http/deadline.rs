//! No request waits for ever: whatever has not begun to answer within [`limits::API_REQUEST_MS_MAX`] is dropped. Streams are
//! not cut: they have answered when they begin.

use crate::problem::Problem;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::limits;
use std::time::Duration;

/// Where files come in, which takes as long as their sender's line does.
const UPLOADS: &str = "/api/v1/knowledge/documents";

/// Whether this request brings files.
pub(crate) fn is_upload(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path() == UPLOADS
}

/// Runs a request under the deadline.
pub(crate) async fn enforce(request: Request, next: Next) -> Response {
    let deadline = Duration::from_millis(match is_upload(&request) {
        true => limits::KNOWLEDGE_UPLOAD_MS_MAX,
        false => limits::API_REQUEST_MS_MAX,
    });
    match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => Problem::timeout().into_response(),
    }
}
