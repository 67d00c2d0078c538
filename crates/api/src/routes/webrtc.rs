//! Lines by WebRTC: an offer comes in, an answer goes out (the shape of WHIP, RFC 9725, with audio both ways). What the line
//! is and who may open it is as with its WebSocket; docs/webrtc.md tells the rest.

use super::visits::{self, Guest, VisitorSocket};
use crate::App;
use crate::auth::{Allowed, may};
use crate::problem::Problem;
use crate::socket::RtcSocket;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use webrtc::{Gateway, IceServer, OfferError, OpenError, Opened, TrickleError};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// Of the registry of carriers.
const PAGE: &str = carriers::browser::DESCRIPTOR.name;

/// What a browser must know before it makes its offer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RtcOptionsView {
    /// Whether offers are taken; if not, the WebSocket is the line.
    enabled: bool,
    /// For the `iceServers` of an `RTCPeerConnection`.
    ice_servers: Vec<IceServerView>,
}

/// A STUN or TURN server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IceServerView {
    #[schema(example = json!(["turn:turn.example.com:3478?transport=udp"]))]
    urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

/// A session. The key of a visitor's path is read before.
#[derive(Debug, Deserialize)]
pub(crate) struct SessionPath {
    session: Uuid,
}

/// Reads what a page needs for a line by WebRTC.
#[utoipa::path(get, path = "/api/v1/webrtc/browser", tag = "calls", operation_id = "get_webrtc",
    security(("bearer" = ["calls:place"])), responses(
    (status = 200, description = "Whether it is switched on, and what to use", body = RtcOptionsView)
))]
pub(crate) async fn options(State(app): State<App>, _: Allowed<may::CallsPlace>) -> Response {
    view(&app)
}

/// Opens the line of a page by WebRTC. The offer needs audio in both directions with Opus, and a data channel for the messages
/// of docs/specs/browser-audio.md.
#[utoipa::path(post, path = "/api/v1/webrtc/browser", tag = "calls", operation_id = "open_webrtc",
    request_body(content = String, content_type = "application/sdp", description = "The offer"),
    security(("bearer" = ["calls:place"])), responses(
    (status = 201, description = "The answer", body = String, content_type = "application/sdp", headers(
        ("Location" = String, description = "The session"),
        ("ETag" = String, description = "The ICE session, for `If-Match`"))),
    (status = 400, description = "No session description", body = Problem),
    (status = 415, description = "The body is not application/sdp", body = Problem),
    (status = 422, description = "Nothing in the offer carries the line", body = Problem),
    (status = 503, description = "All sessions are taken", body = Problem)
))]
pub(crate) async fn open(
    State(app): State<App>,
    caller: Allowed<may::CallsPlace>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let offer = text(&headers, body, SDP)?;
    let scope = caller.scope;
    let protocol = carriers::registry::media(PAGE).ok_or_else(Problem::internal)?;
    let opened = opened(gateway(&app)?.open(&page_door(&scope), &offer).await)?;
    let answer = answer(gateway(&app)?, &opened, &format!("/api/v1/webrtc/browser/{}", opened.id));
    tokio::spawn(async move {
        // The refusal was logged and told to the page.
        let _ = app.node.attach(PAGE, Some(scope), protocol, Box::new(RtcSocket(opened.line))).await;
    });
    Ok(answer)
}

/// Tells addresses that the browser found after its offer (RFC 8840).
#[utoipa::path(patch, path = "/api/v1/webrtc/browser/{session}", tag = "calls", operation_id = "trickle_webrtc",
    params(("session" = Uuid, Path, description = "The session"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the answer")),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"),
    security(("bearer" = ["calls:place"])), responses(
    (status = 204, description = "Taken"),
    (status = 404, description = "No such session", body = Problem),
    (status = 412, description = "Another ICE session", body = Problem),
    (status = 422, description = "A restart, or too many addresses: make a new offer", body = Problem),
    (status = 428, description = "No If-Match", body = Problem)
))]
pub(crate) async fn trickle(
    State(app): State<App>,
    caller: Allowed<may::CallsPlace>,
    path: Result<Path<SessionPath>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    trickled(gateway(&app)?, &page_door(&caller.scope), one(path)?, &headers, body).await
}

/// Ends a session. Its call hears that the line is gone.
#[utoipa::path(delete, path = "/api/v1/webrtc/browser/{session}", tag = "calls", operation_id = "close_webrtc",
    params(("session" = Uuid, Path, description = "The session")),
    security(("bearer" = ["calls:place"])), responses(
    (status = 204, description = "It has ended, or there was none"),
    (status = 404, description = "That is no name of a session", body = Problem)
))]
pub(crate) async fn close(
    State(app): State<App>,
    caller: Allowed<may::CallsPlace>,
    path: Result<Path<SessionPath>, PathRejection>,
) -> Result<StatusCode, Problem> {
    Ok(closed(&app, &page_door(&caller.scope), one(path)?))
}

/// Reads what a website's page needs for a line by WebRTC.
#[utoipa::path(get, path = "/api/v1/widget/{key}/webrtc", tag = "widgets", operation_id = "get_visit_webrtc", security(()),
    params(("key" = String, Path, description = "The widget's key")), responses(
    (status = 200, description = "Whether it is switched on, and what to use", body = RtcOptionsView),
    (status = 401, description = "The token is not one of a visit from this page, or has expired", body = Problem)
))]
pub(crate) async fn visit_options(
    State(app): State<App>,
    guest: Guest,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    visit_door(&app, &guest, &headers)?;
    Ok(view(&app))
}

/// Opens the line of a visitor's conversation by WebRTC. The credential is the token of the visit.
#[utoipa::path(post, path = "/api/v1/widget/{key}/webrtc", tag = "widgets", operation_id = "open_visit_webrtc", security(()),
    params(("key" = String, Path, description = "The widget's key")),
    request_body(content = String, content_type = "application/sdp", description = "The offer"), responses(
    (status = 201, description = "The answer", body = String, content_type = "application/sdp", headers(
        ("Location" = String, description = "The session"),
        ("ETag" = String, description = "The ICE session, for `If-Match`"))),
    (status = 400, description = "No session description", body = Problem),
    (status = 401, description = "The token is not one of a visit from this page, or has expired", body = Problem),
    (status = 415, description = "The body is not application/sdp", body = Problem),
    (status = 422, description = "Nothing in the offer carries the line", body = Problem),
    (status = 503, description = "All sessions are taken", body = Problem)
))]
pub(crate) async fn visit_open(
    State(app): State<App>,
    guest: Guest,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let door = visit_door(&app, &guest, &headers)?;
    let offer = text(&headers, body, SDP)?;
    let prefix = format!("{}{}/webrtc", visits::PREFIX, guest.key());
    let protocol = carriers::registry::media(visits::CARRIER).ok_or_else(Problem::internal)?;
    let visit = guest.visit(&app, visits::bearer(&headers)).await?;
    let opened = opened(gateway(&app)?.open(&door, &offer).await)?;
    let answer = answer(gateway(&app)?, &opened, &format!("{prefix}/{}", opened.id));
    tokio::spawn(async move {
        let socket = Box::new(VisitorSocket::new(RtcSocket(opened.line)));
        // The refusal was logged and told to the page.
        let _ = app.node.attach_visitor(visits::CARRIER, visit, protocol, socket).await;
    });
    Ok(answer)
}

/// Tells addresses that the visitor's browser found after its offer (RFC 8840).
#[utoipa::path(patch, path = "/api/v1/widget/{key}/webrtc/{session}", tag = "widgets", operation_id = "trickle_visit_webrtc",
    security(()),
    params(("key" = String, Path, description = "The widget's key"), ("session" = Uuid, Path, description = "The session"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the answer")),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"), responses(
    (status = 204, description = "Taken"),
    (status = 401, description = "The token is not one of a visit from this page, or has expired", body = Problem),
    (status = 404, description = "No such session", body = Problem),
    (status = 412, description = "Another ICE session", body = Problem),
    (status = 422, description = "A restart, or too many addresses: make a new offer", body = Problem),
    (status = 428, description = "No If-Match", body = Problem)
))]
pub(crate) async fn visit_trickle(
    State(app): State<App>,
    guest: Guest,
    path: Result<Path<SessionPath>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let door = visit_door(&app, &guest, &headers)?;
    trickled(gateway(&app)?, &door, one(path)?, &headers, body).await
}

/// Ends a visitor's session; the conversation may go on over another line.
#[utoipa::path(delete, path = "/api/v1/widget/{key}/webrtc/{session}", tag = "widgets", operation_id = "close_visit_webrtc",
    security(()),
    params(("key" = String, Path, description = "The widget's key"), ("session" = Uuid, Path, description = "The session")),
    responses(
    (status = 204, description = "It has ended, or there was none"),
    (status = 404, description = "That is no name of a session", body = Problem),
    (status = 401, description = "The token is not one of a visit from this page, or has expired", body = Problem)
))]
pub(crate) async fn visit_close(
    State(app): State<App>,
    guest: Guest,
    path: Result<Path<SessionPath>, PathRejection>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    Ok(closed(&app, &visit_door(&app, &guest, &headers)?, one(path)?))
}

/// What cannot be a session is not one.
fn one(path: Result<Path<SessionPath>, PathRejection>) -> Result<Uuid, Problem> {
    path.map(|Path(SessionPath { session })| session).map_err(|_| Problem::not_found())
}

fn gateway(app: &App) -> Result<&Gateway, Problem> {
    app.webrtc.as_ref().ok_or_else(|| Problem::not_found().detail("WebRTC is switched off here; use the WebSocket"))
}

/// Sessions are changed by whoever may open one for the same business.
fn page_door(scope: &model::business::TenantScope) -> String {
    format!("page:{}", scope.business)
}

/// Sessions are changed by the visitor whose conversation it is.
fn visit_door(app: &App, guest: &Guest, headers: &HeaderMap) -> Result<String, Problem> {
    let pass = guest.pass(app, visits::bearer(headers))?;
    Ok(format!("visit:{}", pass.call))
}

fn text(headers: &HeaderMap, body: Result<Bytes, BytesRejection>, kind: &'static str) -> Result<String, Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !given.split(';').next().is_some_and(|given| given.trim().eq_ignore_ascii_case(kind)) {
        return Err(Problem::unsupported_media_type().detail(format!("send Content-Type: {kind}")));
    }
    let bytes = body.map_err(|_| Problem::too_large())?;
    String::from_utf8(bytes.to_vec()).map_err(|_| Problem::bad_offer("it is not UTF-8"))
}

fn opened(result: Result<Opened, OpenError>) -> Result<Opened, Problem> {
    result.map_err(|error| match error {
        OpenError::Busy => Problem::busy(),
        OpenError::Offer(error @ OfferError::Malformed(_)) => Problem::bad_offer(error.to_string()),
        OpenError::Offer(error) => Problem::invalid(error.to_string()),
    })
}

fn answer(gateway: &Gateway, opened: &Opened, location: &str) -> Response {
    let etag = format!("\"{}\"", opened.etag);
    let headers = [
        (header::CONTENT_TYPE, SDP),
        (header::LOCATION, location),
        (header::ETAG, etag.as_str()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let mut response = (StatusCode::CREATED, headers, opened.answer.clone()).into_response();
    for server in gateway.ice_servers() {
        if let Ok(link) = HeaderValue::from_str(&link(server)) {
            response.headers_mut().append(header::LINK, link);
        }
    }
    response
}

/// As WHIP writes it (RFC 9725, 4.6).
fn link(server: &IceServer) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut link = format!("<{}>; rel=\"ice-server\"", server.url);
    if let (Some(username), Some(credential)) = (&server.username, &server.credential) {
        let (username, credential) = (quoted(username), quoted(credential.expose()));
        link += &format!("; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\"");
    }
    link
}

fn view(app: &App) -> Response {
    let one = |server: &IceServer| IceServerView {
        urls: vec![server.url.clone()],
        username: server.username.clone(),
        credential: server.credential.as_ref().map(|credential| credential.expose().clone()),
    };
    let servers = app.webrtc.as_ref().map(Gateway::ice_servers).unwrap_or_default();
    let view = RtcOptionsView { enabled: app.webrtc.is_some(), ice_servers: servers.iter().map(one).collect() };
    ([(header::CACHE_CONTROL, "no-store")], Json(view)).into_response()
}

async fn trickled(
    gateway: &Gateway,
    door: &str,
    session: Uuid,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let fragment = text(headers, body, FRAGMENT)?;
    let etag = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    let etag = etag.ok_or_else(Problem::precondition_required)?.trim();
    if etag == "*" {
        // RFC 9725, 4.3.3: so a client asks for a restart.
        return Err(Problem::invalid(TrickleError::Restart.to_string()));
    }
    match gateway.trickle(door, session, etag.trim_matches('"'), &fragment).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(TrickleError::NotFound) => Err(Problem::not_found()),
        Err(error @ TrickleError::Stale) => Err(Problem::stale_session().detail(error.to_string())),
        Err(error) => Err(Problem::invalid(error.to_string())),
    }
}

/// A page that leaves does not know whether the server was faster.
fn closed(app: &App, door: &str, session: Uuid) -> StatusCode {
    if let Some(gateway) = &app.webrtc {
        gateway.close(door, session);
    }
    StatusCode::NO_CONTENT
}
