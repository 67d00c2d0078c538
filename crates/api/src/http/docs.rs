//! `/api/docs`: the document as a page, from files in this program and from nowhere else.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::Arc;
use utoipa_swagger_ui::Config;

const DOCUMENT: &str = "/api/v1/openapi.json";
/// The page styles its elements in place and draws small pictures from its own text; scripts are its own files.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Addresses within the page are relative to its folder.
pub(crate) async fn root() -> Redirect {
    Redirect::permanent("/api/docs/index.html")
}

/// A file of the page.
pub(crate) async fn part(Path(path): Path<String>) -> Response {
    file(&path)
}

fn file(path: &str) -> Response {
    let config = Config::from(DOCUMENT).validator_url("none").try_it_out_enabled(true).persist_authorization(false);
    match utoipa_swagger_ui::serve(path, Arc::new(config)) {
        Ok(Some(file)) => {
            let kind = HeaderValue::from_str(&file.content_type)
                .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            ];
            (headers, Body::from(file.bytes.into_owned())).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, "the page of the API's document could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
