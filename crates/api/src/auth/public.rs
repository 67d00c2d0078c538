//! What anybody may ask for without a credential. A new line is a decision; a test compares the list with a committed one.

use axum::http::Method;

/// Operations without a credential: method and path as routed. Phone platforms prove themselves by their signatures, and
/// are not listed here.
pub(crate) const OPERATIONS: &[(&str, &str)] = &[
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/api/docs"),
    ("GET", "/api/docs/{*rest}"),
    // What a page needs to know before anybody has signed in.
    ("GET", "/api/v1/auth/options"),
    // The token in the path is the credential.
    ("GET", "/api/v1/shared/{token}"),
    ("GET", "/api/v1/shared/{token}/recording"),
    ("POST", "/api/v1/auth/register"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/refresh"),
    ("POST", "/api/v1/auth/invitations/accept"),
    ("POST", "/api/v1/auth/password/forgot"),
    ("POST", "/api/v1/auth/password/reset"),
    ("GET", "/api/v1/auth/oidc/{id}/start"),
    ("GET", "/api/v1/auth/oidc/callback"),
    ("POST", "/api/v1/oauth/token"),
    ("GET", "/api/v1/public/branding"),
    ("GET", "/api/v1/public/branding/logo"),
    // Visitors of websites have no account: the page's origin lets them in, and then a token of their own.
    ("GET", "/api/v1/widget/{key}"),
    ("POST", "/api/v1/widget/{key}/visits"),
    ("GET", "/api/v1/widget/{key}/messages"),
    ("GET", "/api/v1/widget/{key}/line"),
    ("GET", "/api/v1/widget/{key}/webrtc"),
    ("POST", "/api/v1/widget/{key}/webrtc"),
    ("PATCH", "/api/v1/widget/{key}/webrtc/{session}"),
    ("DELETE", "/api/v1/widget/{key}/webrtc/{session}"),
];

/// Whether anybody may ask for this.
pub(crate) fn is_public(method: &Method, route: &str) -> bool {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    OPERATIONS.iter().any(|(known, path)| *known == method && *path == route)
}
