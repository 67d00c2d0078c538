//! The pages, embedded in the binary.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use rust_embed::RustEmbed;
use std::fmt::Write;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/dist"]
#[allow_missing = true]
struct Pages;

const MISSING: &str = "<!doctype html><title>Frontdesk</title><p>This build has no pages in it. \
    Run <code>cargo xtask run</code>, which builds them, or use the API under <code>/api/v1</code>.";

/// Serves a file of the pages; any other path is a route of the page itself.
pub async fn page(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let (path, file) = match Pages::get(path) {
        Some(file) if !path.is_empty() => (path, file),
        _ if path.rsplit('/').next().is_some_and(|name| name.contains('.')) => {
            return StatusCode::NOT_FOUND.into_response();
        }
        _ => match Pages::get("index.html") {
            Some(file) => ("index.html", file),
            None => return axum::response::Html(MISSING).into_response(),
        },
    };
    let etag = file.metadata.sha256_hash()[..16].iter().fold(String::from("\""), |mut tag, byte| {
        let _ = write!(tag, "{byte:02x}"); // Writing to a string cannot fail.
        tag
    }) + "\"";
    if headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    // Names under assets/ hold a hash of their content.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut mime = file.metadata.mimetype().to_owned();
    if is_widget(uri.path()) {
        // Other people's pages have encodings of their own.
        mime.push_str("; charset=utf-8");
    }
    // Pages of other origins load the widget, and its worklets only if they may read them.
    let shared = is_widget(uri.path()).then_some([
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ]);
    let shared = AppendHeaders(shared.into_iter().flatten());
    (
        shared,
        [
            (header::CONTENT_TYPE, mime),
            (header::ETAG, etag),
            (header::CACHE_CONTROL, cache.to_owned()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        ],
        Body::from(file.data),
    )
        .into_response()
}

/// Whether a path is that of the widget's code.
pub(crate) fn is_widget(path: &str) -> bool {
    path == "/widget.js" || path.starts_with("/widget/")
}
