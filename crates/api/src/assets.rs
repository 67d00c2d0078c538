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

/// Serves a file of the pages; any other path is a route of the page itself. Where the build left a compressed one beside it
/// (`name.gz`), whoever takes that gets it.
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
    let mut mime = file.metadata.mimetype().to_owned();
    let packed = takes_gzip(&headers).then(|| Pages::get(&format!("{path}.gz"))).flatten();
    let encoding = packed.is_some().then_some([(header::CONTENT_ENCODING, "gzip")]);
    let file = packed.unwrap_or(file);
    let etag = file.metadata.sha256_hash()[..16].iter().fold(String::from("\""), |mut tag, byte| {
        let _ = write!(tag, "{byte:02x}"); // Writing to a string cannot fail.
        tag
    }) + "\"";
    if headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    // Names under assets/ hold a hash of their content.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
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
        AppendHeaders(encoding.into_iter().flatten()),
        [
            (header::CONTENT_TYPE, mime),
            (header::ETAG, etag),
            (header::CACHE_CONTROL, cache.to_owned()),
            (header::VARY, header::ACCEPT_ENCODING.to_string()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        ],
        Body::from(file.data),
    )
        .into_response()
}

/// Whether a browser takes gzip (RFC 9110, 12.5.3); a weight of nothing means that it does not.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let weight = |part: &str| part.strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        parts.next() == Some("gzip") && !parts.filter_map(weight).any(|weight| weight <= 0.0)
    })
}

/// Whether a path is that of the widget's code.
pub(crate) fn is_widget(path: &str) -> bool {
    path == "/widget.js" || path.starts_with("/widget/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_packed_only_for_whom_takes_them_so() {
        let takes = |accepted: &str| {
            let value = accepted.parse().expect("a header value");
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]))
        };
        for accepted in ["gzip", "br, gzip", "deflate;q=0.5, gzip;q=0.8"] {
            assert!(takes(accepted), "{accepted}");
        }
        for refused in ["", "br", "gzip;q=0", "x-gzip-not", "gzip;q=0.0, br"] {
            assert!(!takes(refused), "{refused}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
