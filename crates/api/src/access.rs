//! Who may use the server, and under which name it was called.
//!
//! Webhooks and media sockets of platforms prove themselves by their own signatures. Everything else needs the token when
//! one is configured, and always a host name that is ours: a page somewhere on the internet must not be able to reach a
//! server on somebody's laptop by a name that resolves to it.

use crate::App;
use crate::auth;
use crate::problem::Problem;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::Secret;
use subtle::ConstantTimeEq;

const COOKIE: &str = "frontdesk_token";

/// Who may use the API.
#[derive(Debug, Default)]
pub struct Access {
    /// The bearer token; `None` asks for none.
    pub token: Option<Secret<String>>,
    /// How we are reached from outside, without a trailing slash.
    pub public_url: Option<String>,
    /// Believe forwarding headers.
    pub trust_proxy: bool,
    /// Origins of other pages that may use the API.
    pub origins: Vec<String>,
}

impl Access {
    /// The address under which this request reached us, without a trailing slash: scheme and host.
    pub(crate) fn base_url(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let first = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            value.split(',').next().map(|value| value.trim().to_owned())
        };
        let forwarded = |name: &str| self.trust_proxy.then(|| first(name)).flatten();
        let host = forwarded("x-forwarded-host").or_else(|| first("host")).unwrap_or_else(|| "localhost".into());
        let scheme = forwarded("x-forwarded-proto").unwrap_or_else(|| "http".into());
        format!("{scheme}://{host}")
    }

    /// Whether it carries the server's own token.
    pub(crate) fn has_token(&self, headers: &HeaderMap) -> bool {
        let Some(wanted) = &self.token else { return false };
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let cookie = auth::session::cookie(headers, COOKIE);
        bearer.into_iter().chain(cookie).any(|given| same(given, wanted.expose()))
    }

    /// Whether the host is one that a person on this machine or our public address would use.
    fn knows_host(&self, headers: &HeaderMap) -> bool {
        if self.token.is_some() {
            return true; // The token protects; names are the operator's business.
        }
        let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
        let ours = self.public_url.as_deref().and_then(host_of).is_some_and(|public| public == host);
        ours || is_loopback(host_name(headers))
    }

    /// Whether this is somebody's own machine, which asks for no token: the server has none, and the request was sent from
    /// here and through no proxy.
    pub(crate) fn is_laptop(&self, headers: &HeaderMap) -> bool {
        let proxied = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
        let from_here = is_loopback(host_name(headers)) && !proxied.iter().any(|name| headers.contains_key(*name));
        self.token.is_none() && from_here
    }

    /// The same for a request from this address, where it is known.
    pub(crate) fn is_open_to(&self, headers: &HeaderMap, address: Option<std::net::IpAddr>) -> bool {
        self.is_laptop(headers) && address.is_none_or(|address| address.is_loopback())
    }

    /// Whether a browser sent it from a page of ours. Programs send no origin.
    fn same_origin(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        if self.origins.iter().any(|known| known == origin) {
            return true;
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        host_of(origin).is_some_and(|from| Some(from) == host || host_of(&self.base_url(headers)) == Some(from))
    }
}

impl Access {
    /// Whether a browser sent it, and from a page of ours.
    pub(crate) fn is_own_page(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(header::ORIGIN) && self.same_origin(headers)
    }
}

fn host_name(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map(|(name, _)| name);
    Some(name.unwrap_or(host))
}

fn is_loopback(name: Option<&str>) -> bool {
    name.is_some_and(|name| {
        matches!(name, "localhost" | "[::1]") || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
    })
}

fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Some(rest.split('/').next().unwrap_or(rest))
}

fn same(given: &str, wanted: &str) -> bool {
    given.as_bytes().ct_eq(wanted.as_bytes()).into()
}

/// Finds out who asks, lets requests through that may pass, and turns the token in a page's address into a cookie.
pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let health = matches!(path, "/healthz" | "/readyz");
    let signed = path
        .strip_prefix("/carriers/")
        .is_some_and(|rest| rest.split('/').next().is_some_and(|carrier| app.node.is_signed_carrier(carrier)));
    // Other nodes sign what they ask.
    let peer = path.starts_with("/internal/v1/");
    if health || signed || peer {
        return next.run(request).await;
    }
    // A node without the role serves calls alone, and what tells how it does.
    let is_served = app.node.serves_api() || path.starts_with("/carriers/") || path == "/metrics";
    if !is_served {
        return Problem::not_found().detail("this node serves calls alone; ask one with the role api").into_response();
    }
    // Websites with a widget are let in by the widget's own list; its code is everybody's.
    let is_visit = path.starts_with(crate::routes::visits::PREFIX) || crate::assets::is_widget(path);
    let is_ours = is_visit || app.access.same_origin(request.headers());
    if !app.access.knows_host(request.headers()) || !is_ours {
        return Problem::foreign_origin().into_response();
    }
    let is_page = request.extensions().get::<MatchedPath>().is_none();
    if let Some(given) = token_in_address(request.uri()).filter(|_| is_page) {
        let right = app.access.token.as_ref().is_some_and(|wanted| same(&given, wanted.expose()));
        return if right { remember(&given) } else { Problem::unauthorized().into_response() };
    }
    if is_open(&request) {
        return next.run(request).await;
    }
    let address = auth::network::client_address(&app.access, request.headers(), request.extensions());
    match auth::authenticate::principal(&app, request.headers(), address).await {
        Ok(Some(principal)) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Ok(None) => Problem::unauthorized().into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Whether a request may pass without a credential. Pages hold no secrets: what they show comes from the API.
fn is_open(request: &Request) -> bool {
    match request.extensions().get::<MatchedPath>() {
        Some(route) => auth::public::is_public(request.method(), route.as_str()),
        None => true,
    }
}

fn token_in_address(uri: &Uri) -> Option<String> {
    let pair = uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token="))?;
    Some(pair.to_owned())
}

/// Puts the token into a cookie that only this site's own pages send, and takes it out of the address bar.
fn remember(token: &str) -> Response {
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict");
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => {
            let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, HeaderValue::from_static("/"))];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => Problem::unauthorized().into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().expect("name"), value.parse().expect("value"))).collect()
    }

    #[test]
    fn a_foreign_name_or_page_is_refused_on_a_server_without_a_token() {
        let access = Access::default();
        assert!(access.knows_host(&headers(&[("host", "127.0.0.1:8080")])));
        assert!(access.knows_host(&headers(&[("host", "localhost:8080")])));
        assert!(!access.knows_host(&headers(&[("host", "evil.example:8080")])));
        assert!(access.same_origin(&headers(&[("host", "localhost:8080"), ("origin", "http://localhost:8080")])));
        assert!(!access.same_origin(&headers(&[("host", "localhost:8080"), ("origin", "http://evil.example")])));
    }

    #[test]
    fn the_token_is_taken_from_header_or_cookie_and_nothing_else_passes() {
        let access = Access { token: Some("t0ken".into()), ..Access::default() };
        assert!(access.has_token(&headers(&[("authorization", "Bearer t0ken")])));
        assert!(access.has_token(&headers(&[("cookie", "a=b; frontdesk_token=t0ken")])));
        assert!(!access.has_token(&headers(&[("authorization", "Bearer t0ke")])));
        assert!(!access.has_token(&headers(&[])));
        assert!(!Access::default().has_token(&headers(&[("authorization", "Bearer ")])));
    }

    #[test]
    fn a_server_without_a_token_is_open_to_its_own_machine_alone() {
        let open = Access { public_url: Some("https://voice.example".into()), ..Access::default() };
        assert!(open.is_laptop(&headers(&[("host", "127.0.0.1:8080")])));
        assert!(!open.is_laptop(&headers(&[("host", "voice.example")])), "the way in for phone platforms");
        assert!(!open.is_laptop(&headers(&[("host", "127.0.0.1:8080"), ("x-forwarded-for", "192.0.2.1")])));
        let guarded = Access { token: Some("t0ken".into()), ..Access::default() };
        assert!(!guarded.is_laptop(&headers(&[("host", "127.0.0.1:8080")])));
    }

    #[test]
    fn forwarding_headers_count_only_when_they_are_trusted() {
        let seen =
            headers(&[("host", "10.0.0.1:80"), ("x-forwarded-host", "a.example"), ("x-forwarded-proto", "https")]);
        assert_eq!(Access::default().base_url(&seen), "http://10.0.0.1:80");
        assert_eq!(Access { trust_proxy: true, ..Access::default() }.base_url(&seen), "https://a.example");
    }
}
